/* Connections, and how results look: a row is its columns with '|' between them, NULL is NULL, a
 * blob is x'..' (a long one its size and its ends), a failure is "error CODE: message". */
#include "driver.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BLOB_SHOWN_BYTES 48

#define NAME(x) \
    {           \
        x, #x   \
    }
static const struct {
    int code;
    const char *name;
} codes[] = {
    NAME(SQLITE_OK),
    NAME(SQLITE_ERROR),
    NAME(SQLITE_INTERNAL),
    NAME(SQLITE_ERROR_MISSING_COLLSEQ),
    NAME(SQLITE_ERROR_RETRY),
    NAME(SQLITE_ERROR_SNAPSHOT),
    NAME(SQLITE_PERM),
    NAME(SQLITE_ABORT),
    NAME(SQLITE_ABORT_ROLLBACK),
    NAME(SQLITE_BUSY),
    NAME(SQLITE_BUSY_RECOVERY),
    NAME(SQLITE_BUSY_SNAPSHOT),
    NAME(SQLITE_LOCKED),
    NAME(SQLITE_NOMEM),
    NAME(SQLITE_READONLY),
    NAME(SQLITE_READONLY_DBMOVED),
    NAME(SQLITE_READONLY_DIRECTORY),
    NAME(SQLITE_READONLY_CANTINIT),
    NAME(SQLITE_READONLY_CANTLOCK),
    NAME(SQLITE_INTERRUPT),
    NAME(SQLITE_IOERR),
    NAME(SQLITE_IOERR_READ),
    NAME(SQLITE_IOERR_SHORT_READ),
    NAME(SQLITE_IOERR_WRITE),
    NAME(SQLITE_IOERR_FSYNC),
    NAME(SQLITE_IOERR_TRUNCATE),
    NAME(SQLITE_IOERR_LOCK),
    NAME(SQLITE_IOERR_RDLOCK),
    NAME(SQLITE_IOERR_ACCESS),
    NAME(SQLITE_IOERR_NOMEM),
    NAME(SQLITE_IOERR_AUTH),
    NAME(SQLITE_IOERR_DATA),
    NAME(SQLITE_IOERR_CORRUPTFS),
    NAME(SQLITE_CORRUPT),
    NAME(SQLITE_CORRUPT_VTAB),
    NAME(SQLITE_NOTFOUND),
    NAME(SQLITE_FULL),
    NAME(SQLITE_CANTOPEN),
    NAME(SQLITE_CANTOPEN_ISDIR),
    NAME(SQLITE_CANTOPEN_NOTEMPDIR),
    NAME(SQLITE_PROTOCOL),
    NAME(SQLITE_SCHEMA),
    NAME(SQLITE_TOOBIG),
    NAME(SQLITE_CONSTRAINT),
    NAME(SQLITE_CONSTRAINT_CHECK),
    NAME(SQLITE_CONSTRAINT_COMMITHOOK),
    NAME(SQLITE_CONSTRAINT_DATATYPE),
    NAME(SQLITE_CONSTRAINT_FOREIGNKEY),
    NAME(SQLITE_CONSTRAINT_NOTNULL),
    NAME(SQLITE_CONSTRAINT_PRIMARYKEY),
    NAME(SQLITE_CONSTRAINT_ROWID),
    NAME(SQLITE_CONSTRAINT_TRIGGER),
    NAME(SQLITE_CONSTRAINT_UNIQUE),
    NAME(SQLITE_CONSTRAINT_VTAB),
    NAME(SQLITE_MISMATCH),
    NAME(SQLITE_MISUSE),
    NAME(SQLITE_AUTH),
    NAME(SQLITE_RANGE),
    NAME(SQLITE_NOTADB),
    NAME(SQLITE_NOTICE),
    NAME(SQLITE_NOTICE_RECOVER_ROLLBACK),
    NAME(SQLITE_NOTICE_RECOVER_WAL),
    NAME(SQLITE_WARNING),
    NAME(SQLITE_WARNING_AUTOINDEX),
};
#undef NAME

const char *snapshot_code_name(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return codes[i].name;
    static _Thread_local char number[32];
    (void)snprintf(number, sizeof number, "%d", code);
    return number;
}

static void print_error(struct snapshot_run *run, sqlite3 *db, int rc)
{
    int code = db != NULL ? sqlite3_extended_errcode(db) : rc;
    snapshot_print(run, "error %s: %s", snapshot_code_name(code),
                   db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

static struct snapshot_connection *find(struct snapshot_run *run, const char *name)
{
    for (size_t i = 0; i < run->connection_count; i++)
        if (strcmp(run->connections[i].name, name) == 0)
            return &run->connections[i];
    return NULL;
}

static void connect(struct snapshot_run *run, struct snapshot_connection *c)
{
    run->current = c;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI;
    int rc = sqlite3_open_v2(c->uri, &c->db, flags, NULL);
    if (rc != SQLITE_OK) {
        print_error(run, c->db, rc);
        snapshot_log_flush(run);
        (void)sqlite3_close(c->db);
        c->db = NULL;
        return;
    }
    (void)sqlite3_extended_result_codes(c->db, 1);
    snapshot_log_flush(run);
    if (run->wal && run->vfs == SNAPSHOT_SQLITE &&
        sqlite3_exec(c->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) != SQLITE_OK)
        print_error(run, c->db, SQLITE_ERROR);
    snapshot_log_flush(run);
}

void snapshot_open(struct snapshot_run *run, const char *name, const char *file)
{
    struct snapshot_connection *c = find(run, name);
    if (c == NULL) {
        if (run->connection_count == SNAPSHOT_CONNECTIONS_MAX) {
            snapshot_problem(run, "too many connections");
            return;
        }
        c = &run->connections[run->connection_count++];
        (void)snprintf(c->name, sizeof c->name, "%s", name);
    } else if (c->db != NULL) {
        snapshot_problem(run, "%s is open", name);
        return;
    }
    char *path = snapshot_expand(run, file, 0);
    bool whole = strncmp(path, "file:", 5) == 0 || path[0] == ':';
    bool has_vfs = whole || strstr(path, "vfs=") != NULL;
    (void)snprintf(c->uri, sizeof c->uri, "%s%s%s%s%s%s",
                   whole ? "" : "file:", whole ? "" : run->directory, whole ? "" : "/", path,
                   has_vfs                     ? ""
                   : strchr(path, '?') != NULL ? "&vfs="
                                               : "?vfs=",
                   has_vfs                      ? ""
                   : run->vfs == SNAPSHOT_GRAFT ? "graft"
                                                : "unix");
    free(path);
    connect(run, c);
}

void snapshot_on(struct snapshot_run *run, const char *name)
{
    struct snapshot_connection *c = find(run, name);
    if (c == NULL)
        snapshot_problem(run, "no connection %s", name);
    else
        run->current = c;
}

static void disconnect(struct snapshot_run *run, struct snapshot_connection *c)
{
    (void)sqlite3_finalize(c->held);
    c->held = NULL;
    if (c->db != NULL && sqlite3_close(c->db) != SQLITE_OK)
        snapshot_problem(run, "%s does not close", c->name);
    c->db = NULL;
    snapshot_log_flush(run);
}

void snapshot_close(struct snapshot_run *run, const char *name)
{
    struct snapshot_connection *c = name == NULL ? run->current : find(run, name);
    if (c == NULL)
        snapshot_problem(run, "no connection %s", name == NULL ? "" : name);
    else
        disconnect(run, c);
}

void snapshot_reopen(struct snapshot_run *run, const char *name)
{
    struct snapshot_connection *c = name == NULL ? run->current : find(run, name);
    if (c == NULL) {
        snapshot_problem(run, "no connection %s", name == NULL ? "" : name);
        return;
    }
    disconnect(run, c);
    connect(run, c);
}

void snapshot_close_all(struct snapshot_run *run)
{
    for (size_t i = 0; i < run->connection_count; i++)
        disconnect(run, &run->connections[i]);
}

/* The current connection's database; the first use opens `main.db`. */
static sqlite3 *database(struct snapshot_run *run)
{
    if (run->current == NULL)
        snapshot_open(run, "main", "main.db");
    if (run->current->db == NULL)
        snapshot_print(run, "not open: %s", run->current->name);
    return run->current->db;
}

static void write_blob(FILE *out, const unsigned char *bytes, size_t size)
{
    bool whole = size <= BLOB_SHOWN_BYTES;
    size_t head = whole ? size : 8;
    (void)fputs("x'", out);
    for (size_t i = 0; i < head; i++)
        (void)fprintf(out, "%02x", bytes[i]);
    if (!whole) {
        (void)fputs("..", out);
        for (size_t i = size - 8; i < size; i++)
            (void)fprintf(out, "%02x", bytes[i]);
    }
    (void)fputc('\'', out);
    if (!whole)
        (void)fprintf(out, " (%zu bytes)", size);
}

static void print_row(struct snapshot_run *run, sqlite3_stmt *stmt)
{
    char *line = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&line, &size);
    if (out == NULL)
        abort();
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        if (i > 0)
            (void)fputc('|', out);
        switch (sqlite3_column_type(stmt, i)) {
        case SQLITE_NULL:
            (void)fputs("NULL", out);
            break;
        case SQLITE_BLOB:
            write_blob(out, sqlite3_column_blob(stmt, i), (size_t)sqlite3_column_bytes(stmt, i));
            break;
        default:
            (void)fputs((const char *)sqlite3_column_text(stmt, i), out);
            break;
        }
    }
    (void)fclose(out);
    snapshot_print(run, "%s", line);
    free(line);
}

void snapshot_sql(struct snapshot_run *run, const char *sql, bool quiet)
{
    sqlite3 *db = database(run);
    while (db != NULL && *sql != '\0') {
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, &sql);
        if (rc != SQLITE_OK) {
            print_error(run, db, rc);
            snapshot_log_flush(run);
            break;
        }
        if (stmt == NULL)
            break;
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
            if (!quiet)
                print_row(run, stmt);
        if (rc != SQLITE_DONE)
            print_error(run, db, rc);
        (void)sqlite3_finalize(stmt);
        snapshot_log_flush(run);
    }
}

static void step_held(struct snapshot_run *run, bool all)
{
    struct snapshot_connection *c = run->current;
    int rc;
    do {
        rc = sqlite3_step(c->held);
        if (rc == SQLITE_ROW)
            print_row(run, c->held);
    } while (rc == SQLITE_ROW && all);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        print_error(run, c->db, rc);
    if (rc != SQLITE_ROW) {
        (void)sqlite3_finalize(c->held);
        c->held = NULL;
    }
    snapshot_log_flush(run);
}

void snapshot_hold(struct snapshot_run *run, const char *sql)
{
    sqlite3 *db = database(run);
    if (db == NULL || run->current->held != NULL) {
        snapshot_problem(run, "a statement is held, or nothing is open");
        return;
    }
    int rc = sqlite3_prepare_v2(db, sql, -1, &run->current->held, NULL);
    if (rc != SQLITE_OK) {
        print_error(run, db, rc);
        snapshot_log_flush(run);
        return;
    }
    step_held(run, false);
}

void snapshot_release(struct snapshot_run *run)
{
    if (run->current == NULL || run->current->held == NULL)
        snapshot_problem(run, "no statement is held");
    else
        step_held(run, true);
}

void snapshot_backup(struct snapshot_run *run, const char *from, const char *to)
{
    struct snapshot_connection *source = find(run, from), *target = find(run, to);
    if (source == NULL || target == NULL || source->db == NULL || target->db == NULL) {
        snapshot_problem(run, "backup needs two open connections");
        return;
    }
    sqlite3_backup *backup = sqlite3_backup_init(target->db, "main", source->db, "main");
    if (backup != NULL)
        (void)sqlite3_backup_step(backup, -1);
    int rc = backup != NULL ? sqlite3_backup_finish(backup) : sqlite3_errcode(target->db);
    if (rc != SQLITE_OK)
        print_error(run, target->db, rc);
    snapshot_log_flush(run);
}

void snapshot_blob(struct snapshot_run *run, bool write, char **words)
{
    sqlite3 *db = database(run);
    if (db == NULL)
        return;
    sqlite3_blob *blob = NULL;
    int offset = (int)strtol(words[3], NULL, 10);
    int rc = sqlite3_blob_open(db, "main", words[0], words[1], strtoll(words[2], NULL, 10), write,
                               &blob);
    if (rc == SQLITE_OK && write) {
        rc = sqlite3_blob_write(blob, words[4], (int)strlen(words[4]), offset);
    } else if (rc == SQLITE_OK) {
        int size = (int)strtol(words[4], NULL, 10);
        unsigned char *bytes = calloc(1, (size_t)size + 1);
        if (bytes == NULL)
            abort();
        rc = sqlite3_blob_read(blob, bytes, size, offset);
        if (rc == SQLITE_OK) {
            char *line = NULL;
            size_t line_bytes = 0;
            FILE *out = open_memstream(&line, &line_bytes);
            if (out == NULL)
                abort();
            write_blob(out, bytes, (size_t)size);
            (void)fclose(out);
            snapshot_print(run, "%d of %d: %s", size, sqlite3_blob_bytes(blob), line);
            free(line);
        }
        free(bytes);
    }
    if (rc != SQLITE_OK)
        print_error(run, db, rc);
    (void)sqlite3_blob_close(blob);
    snapshot_log_flush(run);
}
