/* The oracle of workload `sql`: stock SQLite on a database in memory, fed with what lasts. */
#include "workloads/sql_replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "workloads/drive.h"

/* ---- One statement ---- */

/* FNV-1a, eight bytes at a time where there are as many. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * UINT64_C(1099511628211);
        hash ^= hash >> 32;
    }
    for (; size > 0; size--, at++)
        hash = (hash ^ *at) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t mix_column(uint64_t hash, sqlite3_stmt *statement, int column)
{
    int type = sqlite3_column_type(statement, column);
    sqlite3_int64 integer = sqlite3_column_int64(statement, column);
    double real = sqlite3_column_double(statement, column);
    hash = mix(hash, &type, sizeof type);
    if (type == SQLITE_INTEGER)
        return mix(hash, &integer, sizeof integer);
    if (type == SQLITE_FLOAT)
        return mix(hash, &real, sizeof real);
    if (type == SQLITE_NULL)
        return hash;
    const void *bytes = sqlite3_column_blob(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    hash = mix(hash, &size, sizeof size);
    return bytes == NULL ? hash : mix(hash, bytes, (size_t)size);
}

void workload_sql_run(sqlite3 *db, const char *text, size_t size, int *code, uint64_t *hash)
{
    sqlite3_stmt *statement = NULL;
    *hash = UINT64_C(14695981039346656037);
    *code = sqlite3_prepare_v2(db, text, (int)size, &statement, NULL);
    while (*code == SQLITE_OK || *code == SQLITE_ROW) {
        *code = sqlite3_step(statement);
        for (int i = 0; *code == SQLITE_ROW && i < sqlite3_column_count(statement); i++)
            *hash = mix_column(*hash, statement, i);
    }
    if (*code == SQLITE_DONE)
        *code = SQLITE_OK;
    (void)sqlite3_finalize(statement);
}

/* A virtual table gives no better code when its own reads fail. */
bool workload_sql_is_logical(sqlite3 *db, int code)
{
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_CONSTRAINT)
        return true;
    return code == SQLITE_ERROR && strncmp(sqlite3_errmsg(db), "vtable constructor", 18) != 0 &&
           strcmp(sqlite3_errmsg(db), "SQL logic error") != 0;
}

/* ---- Replaying ---- */

struct replay {
    struct workload_session *session;
    sqlite3 *oracle;
    bool differs; /* reported; nothing more is worth comparing */
};

static void compare_step(struct replay *replay, const struct workload_record *record,
                         const struct workload_step *step)
{
    int code = SQLITE_OK;
    uint64_t hash = 0;
    workload_sql_run(replay->oracle, step->bytes, step->size, &code, &hash);
    if (code == (int)step->key && hash == (uint64_t)step->value)
        return;
    replay->differs = true;
    workload_violated(replay->session->client, "a statement's result is not SQLite's",
                      "client %" PRIu32 "'s transaction %" PRId64 " on replica %" PRIu32
                      " (event %" PRIu64 "): %.*s: code %d and %d, rows hash to %016" PRIx64
                      " and %016" PRIx64,
                      record->client, record->id, record->replica, record->invoked, (int)step->size,
                      (const char *)step->bytes, (int)step->key, code, (uint64_t)step->value, hash);
}

static void replay_steps(struct replay *replay, const struct workload_record *record)
{
    const struct workload_history *history = replay->session->client->history;
    for (size_t i = 0; i < record->step_count && !replay->differs; i++) {
        struct workload_step step = workload_history_step(history, record->first_step + i);
        if (step.kind == WORKLOAD_STATEMENT)
            compare_step(replay, record, &step);
    }
}

static int replay_transaction(struct replay *replay, const struct workload_record *record)
{
    char insert[80];
    (void)snprintf(insert, sizeof insert, "BEGIN; INSERT INTO op(id) VALUES(%" PRId64 ")",
                   record->id);
    int rc = sqlite3_exec(replay->oracle, insert, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return rc;
    replay_steps(replay, record);
    return sqlite3_exec(replay->oracle, "COMMIT", NULL, NULL, NULL);
}

/* Those that only read behind the transaction at `place`, from 1; 0: before any. */
static void replay_readings(struct replay *replay, size_t place, int64_t id)
{
    const struct workload_history *history = replay->session->client->history;
    for (size_t i = 0; i < workload_history_count(history) && !replay->differs; i++) {
        const struct workload_record *record = workload_history_at(history, i);
        bool reads = record->kind == WORKLOAD_TRANSACTION && record->id == 0 &&
                     record->outcome == WORKLOAD_OK && record->step_count > 0;
        if (!reads)
            continue;
        struct workload_step at = workload_history_step(history, record->first_step);
        if (at.kind == WORKLOAD_AT && (uint64_t)at.value == place && at.key == id)
            replay_steps(replay, record);
    }
}

static int replay_all(struct replay *replay, const size_t *order, size_t count)
{
    const struct workload_history *history = replay->session->client->history;
    replay_readings(replay, 0, 0);
    for (size_t i = 0; i < count && !replay->differs; i++) {
        const struct workload_record *record = workload_history_at(history, order[i]);
        int rc = replay_transaction(replay, record);
        if (rc != SQLITE_OK)
            return rc;
        replay_readings(replay, i + 1, record->id);
    }
    return SQLITE_OK;
}

/* ---- Comparing ---- */

static bool same_column(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
    return mix_column(0, a, column) == mix_column(0, b, column);
}

static void report_row(struct replay *replay, const char *query, uint64_t row, const char *what)
{
    replay->differs = true;
    workload_violated(replay->session->client, "a table is not what SQLite makes of it",
                      "row %" PRIu64 " of %s: %s", row, query, what);
}

/* Rows of both, side by side. Returns a failure of the database that is checked. */
static int compare_rows(struct replay *replay, const char *query, sqlite3_stmt *mine,
                        sqlite3_stmt *oracle)
{
    for (uint64_t row = 1;; row++) {
        int rc = sqlite3_step(mine);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            return workload_judge(replay->session, rc, query);
        int expected = sqlite3_step(oracle);
        if (expected != SQLITE_ROW && expected != SQLITE_DONE)
            return expected;
        if (rc != expected) {
            report_row(replay, query, row, rc == SQLITE_ROW ? "one too many" : "missing");
            return SQLITE_OK;
        }
        if (rc == SQLITE_DONE)
            return SQLITE_OK;
        for (int i = 0; i < sqlite3_column_count(mine); i++) {
            if (!same_column(mine, oracle, i)) {
                report_row(replay, query, row, sqlite3_column_name(mine, i));
                return SQLITE_OK;
            }
        }
    }
}

static int compare_query(struct replay *replay, const char *query)
{
    sqlite3_stmt *mine = NULL;
    sqlite3_stmt *oracle = NULL;
    int rc = sqlite3_prepare_v2(replay->session->db, query, -1, &mine, NULL);
    rc = workload_judge(replay->session, rc, query);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(replay->oracle, query, -1, &oracle, NULL);
    if (rc == SQLITE_OK)
        rc = compare_rows(replay, query, mine, oracle);
    (void)sqlite3_finalize(mine);
    (void)sqlite3_finalize(oracle);
    return rc;
}

/* The inside of a full-text index is its own affair. */
static const char objects[] = "SELECT type, name, tbl_name, sql FROM sqlite_schema"
                              " WHERE name NOT LIKE 'doc!_%' ESCAPE '!' AND name NOT LIKE "
                              "'sqlite!_%' ESCAPE '!' ORDER BY name";
static const char tables[] =
    "SELECT name FROM sqlite_schema WHERE type = 'table'"
    " AND name NOT LIKE 'doc!_%' ESCAPE '!' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name";

static int compare_all(struct replay *replay)
{
    sqlite3_stmt *names = NULL;
    int rc = compare_query(replay, objects);
    if (rc == SQLITE_OK && !replay->differs)
        rc = sqlite3_prepare_v2(replay->oracle, tables, -1, &names, NULL);
    while (rc == SQLITE_OK && !replay->differs && sqlite3_step(names) == SQLITE_ROW) {
        char query[128];
        const char *name = (const char *)sqlite3_column_text(names, 0);
        (void)snprintf(query, sizeof query, "SELECT %s* FROM %s ORDER BY 1",
                       name != NULL && strcmp(name, "doc") == 0 ? "rowid, " : "",
                       name == NULL ? "" : name);
        rc = compare_query(replay, query);
    }
    (void)sqlite3_finalize(names);
    return rc;
}

int workload_sql_replay(struct workload_session *session, const char *schema, const size_t *order,
                        size_t count)
{
    struct replay replay = {.session = session};
    int rc = sqlite3_open_v2(":memory:", &replay.oracle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                             NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(replay.oracle, 1);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(replay.oracle, WORKLOAD_OP_TABLE, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(replay.oracle, schema, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = replay_all(&replay, order, count);
    if (rc == SQLITE_OK && !replay.differs)
        rc = compare_all(&replay);
    (void)sqlite3_close(replay.oracle);
    return rc;
}
