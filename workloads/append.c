/* Append: transactions that append to lists and read whole lists. A list tells the order of its
 * writers to everybody who reads it, which makes it the sharpest witness of who saw what. A slot
 * names the list in use; one that has grown long makes room for a new one. */
#include <inttypes.h>

#include "workloads/drive.h"
#include "workloads/serial.h"

#define SLOTS 4
#define LENGTH_MAX 16
#define STEPS_MAX 4U
#define VALUES_PER_TRANSACTION 8

enum statement { FIND_LIST, NEXT_LIST, READ_LIST, APPEND, ALL_LISTS, ADD_SLOT, COUNT_GAPS };

static const char *const sql[] = {
    [FIND_LIST] = "SELECT list, (SELECT max(place) FROM element WHERE element.list = slot.list)"
                  " FROM slot WHERE id = ?",
    [NEXT_LIST] = "UPDATE slot SET list = list + 4 WHERE id = ?",
    [READ_LIST] = "SELECT value FROM element WHERE list = ? ORDER BY place",
    [APPEND] = "INSERT INTO element(list, place, value, padding) VALUES(?1, coalesce((SELECT"
               " max(place) FROM element WHERE list = ?1), 0) + 1, ?2, zeroblob(?3))",
    [ALL_LISTS] = "SELECT DISTINCT list FROM element ORDER BY list",
    [ADD_SLOT] = "INSERT OR IGNORE INTO slot VALUES(?1, ?1)",
    [COUNT_GAPS] = "SELECT (SELECT count(*) FROM (SELECT 1 FROM element GROUP BY list HAVING"
                   " count(*) <> max(place))) + (SELECT count(*) FROM element WHERE value / 8"
                   " NOT IN (SELECT id FROM op))",
    NULL,
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS slot(id INTEGER PRIMARY KEY, list INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS element(list INTEGER, place INTEGER, value INTEGER NOT NULL,"
    " padding BLOB, PRIMARY KEY(list, place)) WITHOUT ROWID";

static int fill(struct workload_session *session)
{
    sqlite3_stmt *statement = NULL;
    int rc = SQLITE_OK;
    for (int id = 0; id < SLOTS && rc == SQLITE_OK; id++) {
        rc = workload_statement(session, ADD_SLOT, &statement);
        if (rc != SQLITE_OK)
            break;
        (void)sqlite3_bind_int(statement, 1, id);
        rc = workload_run(session, statement);
    }
    return rc;
}

/* The list that a slot names, and how long it is. */
static int find_list(struct workload_session *session, int64_t slot, int64_t *list, int64_t *length)
{
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, FIND_LIST, &statement);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, slot);
    rc = sqlite3_step(statement);
    bool found = rc == SQLITE_ROW;
    if (found) {
        *list = sqlite3_column_int64(statement, 0);
        *length = sqlite3_column_int64(statement, 1);
    } else if (rc == SQLITE_DONE) {
        workload_violated(session->client, "a slot is gone", "slot %" PRId64, slot);
    } else {
        rc = workload_judge(session, rc, "finding a list");
    }
    (void)sqlite3_reset(statement);
    if (found)
        return SQLITE_OK;
    return rc == SQLITE_DONE ? SQLITE_ABORT : rc;
}

/* Rows of one integer, into `values`. */
static int read_values(struct workload_session *session, sqlite3_stmt *statement,
                       struct graft_buf *values)
{
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        int64_t value = sqlite3_column_int64(statement, 0);
        rc = graft_buf_append(values, &value, sizeof value) == GRAFT_OK ? SQLITE_OK : SQLITE_NOMEM;
    }
    rc = rc == SQLITE_DONE ? SQLITE_OK : workload_judge(session, rc, sqlite3_sql(statement));
    (void)sqlite3_reset(statement);
    return rc;
}

static int read_list(struct workload_session *session, int64_t list)
{
    struct graft_buf values;
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, READ_LIST, &statement);
    if (rc != SQLITE_OK)
        return rc;
    graft_buf_init(&values, session->client->env->alloc);
    (void)sqlite3_bind_int64(statement, 1, list);
    rc = read_values(session, statement, &values);
    struct workload_step step = {
        .kind = WORKLOAD_READ_LIST, .key = list, .bytes = values.bytes, .size = values.size};
    if (rc == SQLITE_OK)
        workload_did(session, &step);
    graft_buf_deinit(&values);
    return rc;
}

static int append(struct workload_session *session, int64_t list, int64_t value)
{
    struct workload_step step = {.kind = WORKLOAD_APPEND, .key = list, .value = value};
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, APPEND, &statement);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, list);
    (void)sqlite3_bind_int64(statement, 2, value);
    (void)sqlite3_bind_int64(statement, 3, (int64_t)workload_below(session->client, 120));
    rc = workload_run(session, statement);
    if (rc == SQLITE_OK)
        workload_did(session, &step);
    return rc;
}

static int next_list(struct workload_session *session, int64_t slot)
{
    sqlite3_stmt *statement = NULL;
    int rc = workload_statement(session, NEXT_LIST, &statement);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, slot);
    return workload_run(session, statement);
}

static int one_step(struct workload_session *session, bool writes, int64_t index)
{
    int64_t slot = (int64_t)workload_below(session->client, SLOTS);
    int64_t list = 0;
    int64_t length = 0;
    int rc = find_list(session, slot, &list, &length);
    if (rc != SQLITE_OK)
        return rc;
    if (!writes || workload_once_in(session->client, 2))
        return read_list(session, list);
    rc = append(session, list, session->id * VALUES_PER_TRANSACTION + index);
    return rc == SQLITE_OK && length >= LENGTH_MAX ? next_list(session, slot) : rc;
}

static int transact(struct workload_session *session)
{
    bool writes = !workload_once_in(session->client, 4);
    int rc = workload_begin(session, writes);
    if (rc != SQLITE_OK)
        return rc;
    int64_t count = 1 + (int64_t)workload_below(session->client, STEPS_MAX);
    for (int64_t i = 0; i < count && rc == SQLITE_OK; i++)
        rc = one_step(session, writes, i);
    return workload_end(session, rc);
}

static int check(struct workload_session *session)
{
    return workload_expect_none(session, COUNT_GAPS, "a transaction is there in part",
                                "lists have gaps, or elements without a writer");
}

/* The final state as one more transaction of the history. */
static int read_all(struct workload_session *session)
{
    struct graft_buf lists;
    sqlite3_stmt *statement = NULL;
    graft_buf_init(&lists, session->client->env->alloc);
    int rc = workload_begin(session, false);
    if (rc != SQLITE_OK)
        return rc;
    rc = workload_statement(session, ALL_LISTS, &statement);
    if (rc == SQLITE_OK)
        rc = read_values(session, statement, &lists);
    const int64_t *list = (const int64_t *)(const void *)lists.bytes;
    for (size_t i = 0; i < lists.size / sizeof *list && rc == SQLITE_OK; i++)
        rc = read_list(session, list[i]);
    graft_buf_deinit(&lists);
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

WORKLOAD_DEFINE(append, "appends to lists and reads of them, checked for cycles", design)
