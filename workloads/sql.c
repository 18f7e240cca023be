/* SQL: random schema changes, statements and queries over a few tables. The history carries each
 * transaction's statements, how each ended and a hash of its rows; in the end stock SQLite runs all
 * that lasts in a database in memory, and must come to the same results and the same tables.
 *
 * A statement may fail (a table that is not there, a constraint): it does so wherever the database
 * is the same. Nothing asks for the time, for randomness, or for rows in no order. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "workloads/drive.h"
#include "workloads/sql_replay.h"

#define STATEMENTS_MAX 5U
#define TEXT_BYTES_MAX 600
#define IDS 40U

static const char *const sql[] = {NULL};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS t0(id INTEGER PRIMARY KEY, a, b TEXT, c);"
    "CREATE TABLE IF NOT EXISTS t1(id INTEGER PRIMARY KEY, a, b TEXT, c UNIQUE);"
    "CREATE INDEX IF NOT EXISTS i0 ON t0(a, b);"
    "CREATE TABLE IF NOT EXISTS trail(id INTEGER PRIMARY KEY, what TEXT)";

struct text {
    struct workload_client *client;
    char bytes[TEXT_BYTES_MAX];
    size_t size;
};

static unsigned below(struct text *text, unsigned limit)
{
    return (unsigned)workload_below(text->client, limit);
}

__attribute__((format(printf, 2, 3))) static void say(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int added =
        vsnprintf(text->bytes + text->size, sizeof text->bytes - text->size, format, arguments);
    va_end(arguments);
    size_t room = sizeof text->bytes - text->size - 1;
    text->size += added < 0 ? 0 : (size_t)added < room ? (size_t)added : room;
}

/* ---- Statements ----
 *
 * At most one draw a call: compilers evaluate arguments in an order of their own. */

/* Three tables of four are there most of the time. */
static unsigned draw_table(struct text *text)
{
    unsigned draw = below(text, 8);
    return draw < 4 ? draw % 2 : draw < 7 ? 2 : 3;
}

static void say_value(struct text *text)
{
    switch (below(text, 5)) {
    case 0:
        say(text, "%u", below(text, 100));
        break;
    case 1:
        say(text, "%u.5", below(text, 100));
        break;
    case 2:
        say(text, "'v%u'", below(text, 20));
        break;
    case 3:
        say(text, "x'%04x'", below(text, 65536));
        break;
    default:
        say(text, "NULL");
        break;
    }
}

static void say_string(struct text *text)
{
    unsigned length = below(text, 12) == 0 ? below(text, 6000) : below(text, 80);
    say(text, "printf('%%.*c', %u, '%c')", length, 'a' + (int)below(text, 26));
}

static void say_row(struct text *text)
{
    say(text, "(%u, ", below(text, IDS));
    say_value(text);
    say(text, ", ");
    say_string(text);
    say(text, ", ");
    say_value(text);
    say(text, ")");
}

static void say_insert(struct text *text)
{
    static const char *const conflicts[] = {"", " OR REPLACE", " OR IGNORE", " OR FAIL"};
    const char *conflict = conflicts[below(text, 4)];
    say(text, "INSERT%s INTO t%u(id, a, b, c) VALUES", conflict, draw_table(text));
    unsigned rows = 1 + below(text, 3);
    for (unsigned i = 0; i < rows; i++) {
        say(text, i == 0 ? "" : ", ");
        say_row(text);
    }
}

static void say_where(struct text *text)
{
    unsigned first = below(text, IDS);
    switch (below(text, 4)) {
    case 0:
        say(text, " WHERE id %% 5 = %u", first % 5);
        break;
    case 1:
        say(text, " WHERE id BETWEEN %u AND %u", first, first + below(text, 8));
        break;
    case 2:
        say(text, " WHERE a > %u", below(text, 100));
        break;
    default:
        say(text, " WHERE id = %u", first);
        break;
    }
}

static void say_update(struct text *text)
{
    say(text, "UPDATE t%u", draw_table(text));
    say(text, " SET a = a + %u, c = ", below(text, 10));
    say_value(text);
    if (below(text, 2) == 0) {
        say(text, ", b = ");
        say_string(text);
    }
    say_where(text);
}

static void say_delete(struct text *text)
{
    say(text, "DELETE FROM t%u", draw_table(text));
    say_where(text);
}

static void say_copy(struct text *text)
{
    unsigned to = draw_table(text);
    unsigned distance = below(text, 5);
    say(text, "INSERT OR IGNORE INTO t%u(id, a, b, c) SELECT id + %u, a, b, c FROM t%u", to,
        distance, draw_table(text));
    say_where(text);
}

static void say_query(struct text *text)
{
    unsigned table = draw_table(text);
    switch (below(text, 6)) {
    case 0:
        say(text, "SELECT * FROM t%u", table);
        say_where(text);
        say(text, " ORDER BY id");
        break;
    case 1:
        say(text, "SELECT a, count(*), sum(length(b)) FROM t%u GROUP BY a ORDER BY a", table);
        break;
    case 2:
        say(text,
            "SELECT x.id, y.id, y.b FROM t%u x JOIN t%u y ON x.a = y.a AND x.id < y.id"
            " ORDER BY 1, 2 LIMIT 20",
            table, draw_table(text));
        break;
    case 3:
        say(text, "SELECT min(a), max(b), count(DISTINCT c) FROM t%u", table);
        break;
    case 4:
        say(text, "SELECT rowid FROM doc WHERE doc MATCH 'w%u' ORDER BY rowid", below(text, 10));
        break;
    default:
        say(text, "SELECT count(*), max(id), max(what) FROM trail");
        break;
    }
}

static void say_savepoint(struct text *text)
{
    static const char *const words[] = {"SAVEPOINT s", "SAVEPOINT s", "ROLLBACK TO s", "RELEASE s"};
    say(text, "%s", words[below(text, 4)]);
}

static void say_document(struct text *text)
{
    bool goes = below(text, 3) == 0;
    unsigned row = below(text, 20);
    if (goes) {
        say(text, "DELETE FROM doc WHERE rowid = %u", row);
        return;
    }
    say(text, "INSERT OR REPLACE INTO doc(rowid, body) VALUES(%u, 'w%u", row, below(text, 10));
    say(text, " w%u", below(text, 10));
    say(text, " w%u')", below(text, 10));
}

static void say_trigger(struct text *text, unsigned table)
{
    static const char *const events[] = {"INSERT", "UPDATE", "DELETE"};
    unsigned event = below(text, 3);
    say(text,
        "CREATE TRIGGER IF NOT EXISTS g%u%u AFTER %s ON t%u BEGIN INSERT INTO trail(what)"
        " VALUES('%s' || %s.id); DELETE FROM trail WHERE id <= (SELECT max(id) FROM trail) - 30; "
        "END",
        table, event, events[event], table, events[event], event == 2 ? "old" : "new");
}

static void say_definition(struct text *text)
{
    unsigned table = draw_table(text);
    switch (below(text, 9)) {
    case 0:
    case 1:
        say(text, "CREATE TABLE IF NOT EXISTS t%u(id INTEGER PRIMARY KEY, a, b TEXT, c)%s", table,
            table == 3 ? " WITHOUT ROWID" : "");
        break;
    case 2:
        say(text, "DROP TABLE IF EXISTS t%u", 2 + below(text, 2));
        break;
    case 3:
        say(text, "CREATE %sINDEX IF NOT EXISTS", below(text, 4) == 0 ? "UNIQUE " : "");
        say(text, " i%u ON t%u", below(text, 5), table);
        say(text, "(%s)", below(text, 2) == 0 ? "b, a" : "c");
        say(text, "%s", below(text, 3) == 0 ? " WHERE a > 50" : "");
        break;
    case 4:
        say(text, "DROP INDEX IF EXISTS i%u", below(text, 5));
        break;
    case 5:
        say_trigger(text, table);
        break;
    case 6:
        say(text, "DROP TRIGGER IF EXISTS g%u", below(text, 4));
        say(text, "%u", below(text, 3));
        break;
    case 7:
        say(text, "CREATE VIRTUAL TABLE IF NOT EXISTS doc USING fts5(body)");
        break;
    default:
        say(text, "ALTER TABLE t%u ADD COLUMN d%u", table, below(text, 3));
        say(text, " DEFAULT %u", below(text, 9));
        break;
    }
}

static void say_statement(struct text *text)
{
    unsigned draw = below(text, 100);
    if (draw < 28)
        say_insert(text);
    else if (draw < 48)
        say_update(text);
    else if (draw < 58)
        say_delete(text);
    else if (draw < 62)
        say_copy(text);
    else if (draw < 76)
        say_query(text);
    else if (draw < 86)
        say_savepoint(text);
    else if (draw < 91)
        say_document(text);
    else
        say_definition(text);
}

/* ---- Transactions ---- */

static int run_statement(struct workload_session *session, const struct text *text)
{
    int code = SQLITE_OK;
    uint64_t hash = 0;
    session->uses_fts5 |= strstr(text->bytes, " doc") != NULL;
    workload_sql_run(session->db, text->bytes, text->size, &code, &hash);
    if (!workload_sql_is_logical(session->db, code))
        return code == SQLITE_ERROR ? SQLITE_IOERR : workload_judge(session, code, text->bytes);
    struct workload_step step = {.kind = WORKLOAD_STATEMENT,
                                 .key = code,
                                 .value = (int64_t)hash,
                                 .bytes = text->bytes,
                                 .size = text->size};
    workload_did(session, &step);
    return SQLITE_OK;
}

static bool begins_with(const struct text *text, const char *words)
{
    return strncmp(text->bytes, words, strlen(words)) == 0;
}

static int transact(struct workload_session *session)
{
    bool writes = !workload_once_in(session->client, 5);
    int rc = workload_begin(session, writes);
    if (rc != SQLITE_OK)
        return rc;
    uint64_t count = 1 + workload_below(session->client, STATEMENTS_MAX);
    bool made_document = false;
    for (uint64_t i = 0; i < count && rc == SQLITE_OK; i++) {
        struct text text = {.client = session->client};
        if (writes)
            say_statement(&text);
        else
            say_query(&text);
        /* SQLite 3.40 forgets to forget what FTS5 has yet to write to a table that is undone. */
        if (made_document && begins_with(&text, "ROLLBACK TO"))
            continue;
        made_document |= begins_with(&text, "CREATE VIRTUAL TABLE");
        rc = run_statement(session, &text);
    }
    if (rc == SQLITE_OK && workload_once_in(session->client, 12)) {
        (void)workload_end(session, SQLITE_ABORT);
        return SQLITE_OK;
    }
    return workload_end(session, rc);
}

static int check(struct workload_session *session)
{
    return workload_integrity(session);
}

static int finish(struct workload_session *session, const size_t *order, size_t count)
{
    return workload_sql_replay(session, schema, order, count);
}

static const struct workload_design design = {
    .schema = schema,
    .sql = sql,
    .transact = transact,
    .check = check,
    .finish = finish,
};

WORKLOAD_DEFINE(sql, "random statements, compared with stock SQLite", design)
