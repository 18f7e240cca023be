/* Register: reads, writes and compare-and-set of a few registers that lie on several pages. Every
 * written value is new, so that each read names its writer; a write that follows a read of the same
 * register in a transaction says which value it replaced. */
#include <inttypes.h>

#include "workloads/drive.h"
#include "workloads/serial.h"

#define REGISTERS 12
#define STEPS_MAX 4U
#define VALUES_PER_TRANSACTION 8

enum statement { READ_ONE, WRITE_ONE, SET_IF, ADD_REGISTER, COUNT_STRANGE };

static const char *const sql[] = {
    [READ_ONE] = "SELECT value FROM register WHERE id = ?",
    [WRITE_ONE] = "UPDATE register SET value = ?2 WHERE id = ?1",
    [SET_IF] = "UPDATE register SET value = ?2 WHERE id = ?1 AND value = ?3",
    [ADD_REGISTER] = "INSERT OR IGNORE INTO register VALUES(?, 0, zeroblob(900))",
    [COUNT_STRANGE] = "SELECT (SELECT count(*) FROM register WHERE value <> 0 AND value / 8 NOT IN"
                      " (SELECT id FROM op)) + (SELECT count(*) <> 12 FROM register)",
    NULL,
};

static const char schema[] = "CREATE TABLE IF NOT EXISTS register(id INTEGER PRIMARY KEY,"
                             " value INTEGER NOT NULL, padding BLOB)";

static int fill(struct workload_session *session)
{
    sqlite3_stmt *statement = NULL;
    int rc = SQLITE_OK;
    for (int id = 0; id < REGISTERS && rc == SQLITE_OK; id++) {
        rc = workload_statement(session, ADD_REGISTER, &statement);
        if (rc != SQLITE_OK)
            break;
        (void)sqlite3_bind_int(statement, 1, id);
        rc = workload_run(session, statement);
    }
    return rc;
}

static int read_one(struct workload_session *session, int64_t key, int64_t *value)
{
    struct workload_step step = {.kind = WORKLOAD_READ, .key = key};
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, READ_ONE, &statement);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, key);
    rc = sqlite3_step(statement);
    bool found = rc == SQLITE_ROW;
    if (found)
        step.value = sqlite3_column_int64(statement, 0);
    else if (rc == SQLITE_DONE)
        workload_violated(session->client, "a register is gone", "register %" PRId64, key);
    else
        rc = workload_judge(session, rc, "reading a register");
    (void)sqlite3_reset(statement);
    if (!found)
        return rc == SQLITE_DONE ? SQLITE_ABORT : rc;
    workload_did(session, &step);
    *value = step.value;
    return SQLITE_OK;
}

/* A value that nobody writes twice. */
static int64_t new_value(const struct workload_session *session, int64_t index)
{
    return session->id * VALUES_PER_TRANSACTION + index;
}

static int write_one(struct workload_session *session, int64_t key, int64_t value)
{
    struct workload_step step = {.kind = WORKLOAD_WRITE, .key = key, .value = value};
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, WRITE_ONE, &statement);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, key);
    (void)sqlite3_bind_int64(statement, 2, value);
    rc = workload_run(session, statement);
    if (rc == SQLITE_OK)
        workload_did(session, &step);
    return rc;
}

static int64_t draw_key(struct workload_session *session)
{
    return (int64_t)workload_below(session->client, REGISTERS);
}

/* Some steps in one transaction: reads alone, or reads and writes. */
static int mix(struct workload_session *session, bool writes)
{
    int rc = workload_begin(session, writes);
    if (rc != SQLITE_OK)
        return rc;
    int64_t count = 1 + (int64_t)workload_below(session->client, STEPS_MAX);
    for (int64_t i = 0; i < count && rc == SQLITE_OK; i++) {
        int64_t key = draw_key(session);
        int64_t value = 0;
        bool reads = !writes || workload_once_in(session->client, 2);
        if (reads)
            rc = read_one(session, key, &value);
        if (rc == SQLITE_OK && writes && workload_below(session->client, 4) != 0)
            rc = write_one(session, key, new_value(session, i));
    }
    return workload_end(session, rc);
}

/* Sets the register if it still holds what it did; says in the history which way it went. */
static int set_if(struct workload_session *session, int64_t key, int64_t expected)
{
    struct workload_step read = {.kind = WORKLOAD_READ, .key = key, .value = expected};
    struct workload_step write = {.kind = WORKLOAD_WRITE, .key = key};
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, SET_IF, &statement);
    if (rc != SQLITE_OK)
        return rc;
    write.value = new_value(session, 0);
    (void)sqlite3_bind_int64(statement, 1, key);
    (void)sqlite3_bind_int64(statement, 2, write.value);
    (void)sqlite3_bind_int64(statement, 3, expected);
    rc = workload_run(session, statement);
    if (rc != SQLITE_OK)
        return rc;
    if (sqlite3_changes(session->db) == 0)
        return read_one(session, key, &expected);
    workload_did(session, &read);
    workload_did(session, &write);
    return SQLITE_OK;
}

static int compare_and_set(struct workload_session *session)
{
    int64_t key = draw_key(session);
    int64_t expected = 0;
    int rc = workload_begin(session, false);
    if (rc != SQLITE_OK)
        return rc;
    rc = workload_end(session, read_one(session, key, &expected));
    if (rc != SQLITE_OK)
        return rc;
    uint32_t think_ms = session->client->think_ms;
    uint64_t pause_ms = think_ms > 0 ? 1 + think_ms / 10 : 100;
    graft_task_sleep_ms(session->client->env->tasks,
                        (uint32_t)workload_below(session->client, pause_ms));
    rc = workload_begin(session, true);
    return rc == SQLITE_OK ? workload_end(session, set_if(session, key, expected)) : rc;
}

static int transact(struct workload_session *session)
{
    uint64_t draw = workload_below(session->client, 10);
    if (draw < 4)
        return compare_and_set(session);
    return mix(session, draw < 8);
}

static int check(struct workload_session *session)
{
    return workload_expect_none(session, COUNT_STRANGE, "a transaction is there in part",
                                "registers are not what their writers left");
}

/* The final state as one more transaction of the history. */
static int read_all(struct workload_session *session)
{
    int rc = workload_begin(session, false);
    int64_t value = 0;
    if (rc != SQLITE_OK)
        return rc;
    for (int64_t key = 0; key < REGISTERS && rc == SQLITE_OK; key++)
        rc = read_one(session, key, &value);
    return workload_end(session, rc);
}

static int finish(struct workload_session *session, const size_t *order, size_t count)
{
    return workload_finish_serial(session, read_all, order, count);
}

static const struct workload_design design = {
    .schema = schema,
    .sql = sql,
    .fill = fill,
    .transact = transact,
    .check = check,
    .finish = finish,
};

WORKLOAD_DEFINE(register, "reads, writes and compare-and-set of a few registers", design)
