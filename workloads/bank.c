/* Bank: transfers between accounts. Each account's row carries a note and each parcel a body, of
 * lengths from nothing to several pages, so that overflow pages come and go; what they hold follows
 * from who wrote them, so that a page in another's place is seen. On every snapshot the total is
 * the same; in the end each balance is what the transfers that last add up to. */
#include <inttypes.h>
#include <string.h>

#include "base/catalogue.h"
#include "workloads/drive.h"
#include "workloads/serial.h"

#define ACCOUNTS 16
#define PARCELS 12
#define FIRST_BALANCE 100
#define FILLING_BYTES_MAX 9000U
#define PARCEL_KEY 1000 /* added to a parcel's number, in READ_PARCELS too */

enum statement {
    READ_BALANCE,
    WRITE_ACCOUNT,
    READ_ACCOUNTS,
    DROP_PARCEL,
    ADD_PARCEL,
    READ_PARCELS,
    COUNT_STRAYS,
    ADD_ACCOUNT,
};

static const char *const sql[] = {
    [READ_BALANCE] = "SELECT balance FROM account WHERE id = ?",
    [WRITE_ACCOUNT] = "UPDATE account SET balance = ?2, stamp = ?3, note = ?4 WHERE id = ?1",
    [READ_ACCOUNTS] = "SELECT id, stamp, note, balance FROM account",
    [DROP_PARCEL] = "DELETE FROM parcel WHERE id = ?",
    [ADD_PARCEL] = "INSERT INTO parcel(id, stamp, body) VALUES(?, ?, ?)",
    [READ_PARCELS] = "SELECT id + 1000, stamp, body FROM parcel",
    [COUNT_STRAYS] = "SELECT (SELECT count(*) FROM account WHERE stamp <> 0 AND stamp NOT IN"
                     " (SELECT id FROM op)) + (SELECT count(*) FROM parcel WHERE stamp NOT IN"
                     " (SELECT id FROM op))",
    [ADD_ACCOUNT] = "INSERT OR IGNORE INTO account(id, balance, stamp, note) VALUES(?, ?, 0, '')",
    NULL,
};

static const char schema[] = "CREATE TABLE IF NOT EXISTS account(id INTEGER PRIMARY KEY,"
                             " balance INTEGER NOT NULL, stamp INTEGER NOT NULL, note BLOB);"
                             "CREATE TABLE IF NOT EXISTS parcel(id INTEGER PRIMARY KEY,"
                             " stamp INTEGER NOT NULL, body BLOB)";

/* ---- Fillings ---- */

static uint64_t filling_word(int64_t key, int64_t stamp, size_t index)
{
    uint64_t word = (uint64_t)key * UINT64_C(0x9e3779b97f4a7c15) +
                    (uint64_t)stamp * UINT64_C(0xbf58476d1ce4e5b9) + index;
    word ^= word >> 29;
    word *= UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 32;
}

static void fill_bytes(int64_t key, int64_t stamp, uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = filling_word(key, stamp, at);
        memcpy(bytes + at, &word, size - at < 8 ? size - at : 8);
    }
}

static bool is_filled(int64_t key, int64_t stamp, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = filling_word(key, stamp, at);
        if (memcmp(bytes + at, &word, size - at < 8 ? size - at : 8) != 0)
            return false;
    }
    return true;
}

/* Mostly some tens of bytes, at times more than two pages. */
static size_t draw_size(struct workload_client *client)
{
    size_t limit = workload_once_in(client, 8) ? FILLING_BYTES_MAX : 120;
    return (size_t)workload_below(client, limit);
}

static int bind_filling(sqlite3_stmt *statement, int parameter, struct workload_client *client,
                        int64_t key, int64_t stamp)
{
    uint8_t bytes[FILLING_BYTES_MAX];
    size_t size = draw_size(client);
    fill_bytes(key, stamp, bytes, size);
    return sqlite3_bind_blob(statement, parameter, bytes, (int)size, SQLITE_TRANSIENT);
}

/* ---- Transactions ---- */

static int fill(struct workload_session *session)
{
    sqlite3_stmt *statement = NULL;
    int rc = SQLITE_OK;
    for (int id = 0; id < ACCOUNTS && rc == SQLITE_OK; id++) {
        rc = workload_statement(session, ADD_ACCOUNT, &statement);
        if (rc != SQLITE_OK)
            break;
        (void)sqlite3_bind_int(statement, 1, id);
        (void)sqlite3_bind_int(statement, 2, FIRST_BALANCE);
        rc = workload_run(session, statement);
    }
    return rc;
}

static int read_balance(struct workload_session *session, int64_t id, int64_t *balance)
{
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, READ_BALANCE, &statement);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, id);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *balance = sqlite3_column_int64(statement, 0);
    else if (rc == SQLITE_DONE)
        workload_violated(session->client, "an account is gone", "account %" PRId64, id);
    else
        rc = workload_judge(session, rc, "reading a balance");
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_ABORT : rc;
}

static int write_account(struct workload_session *session, int64_t id, int64_t balance)
{
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, WRITE_ACCOUNT, &statement);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, id);
    (void)sqlite3_bind_int64(statement, 2, balance);
    (void)sqlite3_bind_int64(statement, 3, session->id);
    rc = bind_filling(statement, 4, session->client, id, session->id);
    return rc == SQLITE_OK ? workload_run(session, statement) : rc;
}

static int move(struct workload_session *session)
{
    struct workload_step step = {.kind = WORKLOAD_TRANSFER};
    step.key = (int64_t)workload_below(session->client, ACCOUNTS);
    step.value = 1 + (int64_t)workload_below(session->client, 20);
    step.other = (step.key + 1 + (int64_t)workload_below(session->client, ACCOUNTS - 1)) % ACCOUNTS;
    int64_t from = 0;
    int64_t to = 0;
    int rc = read_balance(session, step.key, &from);
    if (rc == SQLITE_OK)
        rc = read_balance(session, step.other, &to);
    if (rc == SQLITE_OK)
        rc = write_account(session, step.key, from - step.value);
    if (rc == SQLITE_OK)
        rc = write_account(session, step.other, to + step.value);
    if (rc == SQLITE_OK)
        workload_did(session, &step);
    return rc;
}

/* Takes a parcel away, or brings one where there is none. */
static int handle_parcel(struct workload_session *session)
{
    int64_t id = (int64_t)workload_below(session->client, PARCELS);
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, DROP_PARCEL, &statement);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, id);
    rc = workload_run(session, statement);
    if (rc != SQLITE_OK || sqlite3_changes(session->db) > 0)
        return rc;
    rc = workload_statement(session, ADD_PARCEL, &statement);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, id);
    (void)sqlite3_bind_int64(statement, 2, session->id);
    rc = bind_filling(statement, 3, session->client, id + PARCEL_KEY, session->id);
    return rc == SQLITE_OK ? workload_run(session, statement) : rc;
}

static int transact(struct workload_session *session)
{
    int rc = workload_begin(session, true);
    if (rc != SQLITE_OK)
        return rc;
    uint64_t moves = 1 + workload_below(session->client, 2);
    for (uint64_t i = 0; i < moves && rc == SQLITE_OK; i++)
        rc = move(session);
    if (rc == SQLITE_OK && workload_once_in(session->client, 4))
        rc = handle_parcel(session);
    return workload_end(session, rc);
}

/* ---- Checks ---- */

/* Steps through rows (key, stamp, filling, balance or nothing). */
static int check_rows(struct workload_session *session, enum statement which, int64_t *rows,
                      int64_t *balances)
{
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, which, &statement);
    if (rc != SQLITE_OK)
        return rc;
    *rows = 0;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        int64_t key = sqlite3_column_int64(statement, 0);
        int64_t stamp = sqlite3_column_int64(statement, 1);
        const void *bytes = sqlite3_column_blob(statement, 2);
        size_t size = (size_t)sqlite3_column_bytes(statement, 2);
        bool good = size == 0 || (bytes != NULL && is_filled(key, stamp, bytes, size));
        if (!good && (bytes != NULL || sqlite3_errcode(session->db) != SQLITE_NOMEM))
            workload_violated(session->client, "a row holds what nobody wrote",
                              "key %" PRId64 ", stamp %" PRId64 ", %zu bytes", key, stamp, size);
        GRAFT_ALWAYS(good, "bank: every row holds what its writer wrote");
        if (balances != NULL && key >= 0 && key < ACCOUNTS)
            balances[key] = sqlite3_column_int64(statement, 3);
        ++*rows;
    }
    rc = rc == SQLITE_DONE ? SQLITE_OK : workload_judge(session, rc, sqlite3_sql(statement));
    (void)sqlite3_reset(statement);
    return rc;
}

static int check_in_transaction(struct workload_session *session, int64_t balances[ACCOUNTS])
{
    int64_t accounts = 0;
    int64_t parcels = 0;
    int64_t total = 0;
    int rc = check_rows(session, READ_ACCOUNTS, &accounts, balances);
    if (rc == SQLITE_OK)
        rc = check_rows(session, READ_PARCELS, &parcels, NULL);
    if (rc == SQLITE_OK)
        rc = workload_expect_none(session, COUNT_STRAYS, "a transaction is there in part",
                                  "rows are of transactions that are not there");
    if (rc != SQLITE_OK)
        return rc;
    for (int i = 0; i < ACCOUNTS; i++)
        total += balances[i];
    const int64_t expected = (int64_t)ACCOUNTS * FIRST_BALANCE;
    if (accounts != ACCOUNTS || total != expected)
        workload_violated(session->client, "the total is wrong",
                          "%" PRId64 " in %" PRId64 " accounts, %" PRId64 " in %d expected", total,
                          accounts, expected, ACCOUNTS);
    GRAFT_ALWAYS(total == expected, "bank: the total is the same");
    return rc;
}

static int check_balances(struct workload_session *session, int64_t balances[ACCOUNTS])
{
    int rc = workload_exec(session, "BEGIN");
    if (rc == SQLITE_OK)
        rc = check_in_transaction(session, balances);
    workload_roll_back(session);
    return rc;
}

static int check(struct workload_session *session)
{
    int64_t balances[ACCOUNTS] = {0};
    return check_balances(session, balances);
}

static int finish(struct workload_session *session, const size_t *order, size_t count)
{
    const struct workload_history *history = session->client->history;
    int64_t balances[ACCOUNTS] = {0};
    int64_t expected[ACCOUNTS];
    for (int i = 0; i < ACCOUNTS; i++)
        expected[i] = FIRST_BALANCE;
    for (size_t i = 0; i < count; i++) {
        const struct workload_record *record = workload_history_at(history, order[i]);
        for (size_t k = 0; k < record->step_count; k++) {
            struct workload_step step = workload_history_step(history, record->first_step + k);
            if (step.kind != WORKLOAD_TRANSFER)
                continue;
            expected[step.key % ACCOUNTS] -= step.value;
            expected[step.other % ACCOUNTS] += step.value;
        }
    }
    int rc = check_balances(session, balances);
    for (int i = 0; i < ACCOUNTS && rc == SQLITE_OK; i++) {
        if (balances[i] != expected[i])
            workload_violated(session->client, "a balance is not what the transfers add up to",
                              "account %d holds %" PRId64 ", %" PRId64 " expected", i, balances[i],
                              expected[i]);
    }
    return rc;
}

/* ---- The workload ---- */

static const struct workload_design design = {
    .schema = schema,
    .sql = sql,
    .fill = fill,
    .transact = transact,
    .check = check,
    .finish = finish,
};

WORKLOAD_DEFINE(bank, "transfers between accounts; the total stays the same", design)
