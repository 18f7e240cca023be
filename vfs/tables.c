/* The introspection tables, as eponymous virtual tables: one module each, sharing their life cycle
 * here and differing in a declaration, how rows are gathered, and how a column is told.
 *
 * graft_status(volume, remote, local_lsn, remote_lsn, ahead, behind, state, pages, pages_held,
 *              last_error)                       one row
 * graft_log(lsn, side, time, client, pages, hash)  local commits not pushed, then remote ones,
 *                                                newest first; side is 'local' or 'remote'
 * graft_pages(page, lsn, state)                  a row a page, streamed; state is 'held', 'remote'
 *                                                or 'ahead'; lsn is NULL where it is not known
 * graft_stats(name, value)                       counters of this process on the volume
 * graft_conflicts(lsn, time, client, reason)     commits set aside by a conflict; none, as long as
 *                                                `conflict` is 'error', which sets nothing aside
 *
 * A table is read through its schema's page 1 like any other, since SQLite loads the schema first;
 * where that is out of reach, PRAGMA graft_status says the same. */
#define _POSIX_C_SOURCE 200809L /* gmtime_r */
#include "vfs/tables.h"

#include <string.h>
#include <time.h>

#include "vfs/dbfile.h"

/* Remote commits that graft_log reads when no LIMIT says less: each may cost a request. */
#define LOG_ENTRIES_MAX 10000U
#define PLAN_SCHEMA 1
#define PLAN_LIMIT 2
#define PLAN_OFFSET 4

struct table_kind;

struct table {
    sqlite3_vtab base; /* must stand first */
    sqlite3 *db;
    const struct table_kind *kind;
};

struct stat_row {
    char name[48];
    uint64_t value;
};

struct cursor {
    sqlite3_vtab_cursor base; /* must stand first */
    struct graft_volume *volume;
    uint64_t row;  /* from 0 */
    uint64_t rows; /* all there are */
    uint64_t limit;
    struct graft_status status;
    struct graft_log_entry *entries;
    struct stat_row *stats;
    uint64_t capacity; /* of entries or stats */
    enum graft_page_state page_state;
    uint64_t page_lsn;
};

struct table_kind {
    const char *name;
    const char *declaration;
    int schema_column;
    enum graft_rc (*gather)(struct cursor *cursor, struct graft_err *err);
    /* Called for each row before its columns; NULL when the rows are gathered. */
    enum graft_rc (*load)(struct cursor *cursor, struct graft_err *err);
    void (*column)(const struct cursor *cursor, sqlite3_context *context, int column);
};

static void result_text(sqlite3_context *context, const char *text)
{
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static void result_u64(sqlite3_context *context, uint64_t value)
{
    sqlite3_result_int64(context, (sqlite3_int64)value);
}

/* ---- graft_status ---- */

static enum graft_rc status_gather(struct cursor *cursor, struct graft_err *err)
{
    GRAFT_TRY(graft_status(cursor->volume, &cursor->status, err));
    cursor->rows = 1;
    return GRAFT_OK;
}

static void status_column(const struct cursor *cursor, sqlite3_context *context, int column)
{
    const struct graft_status *status = &cursor->status;
    switch (column) {
    case 0:
        result_text(context, status->volume);
        break;
    case 1:
        result_text(context, status->remote);
        break;
    case 2:
        result_u64(context, status->local_lsn);
        break;
    case 3:
        result_u64(context, status->remote_lsn);
        break;
    case 4:
        result_u64(context, status->ahead);
        break;
    case 5:
        result_u64(context, status->behind);
        break;
    case 6:
        result_text(context, graft_state_text(status->state));
        break;
    case 7:
        result_u64(context, status->pages);
        break;
    case 8:
        result_u64(context, status->pages_held);
        break;
    case 9:
        result_text(context, status->last_error);
        break;
    default:
        break;
    }
}

/* ---- graft_log ---- */

static enum graft_rc grow(struct cursor *cursor, void **rows, size_t row_bytes)
{
    if (cursor->rows < cursor->capacity)
        return GRAFT_OK;
    uint64_t capacity = cursor->capacity == 0 ? 32 : cursor->capacity * 2;
    void *grown = sqlite3_realloc64(*rows, capacity * row_bytes);
    if (grown == NULL)
        return GRAFT_ENOMEM;
    *rows = grown;
    cursor->capacity = capacity;
    return GRAFT_OK;
}

static enum graft_rc log_add(void *arg, const struct graft_log_entry *entry)
{
    struct cursor *cursor = arg;
    void *rows = cursor->entries;
    GRAFT_TRY(grow(cursor, &rows, sizeof *cursor->entries));
    cursor->entries = rows;
    cursor->entries[cursor->rows++] = *entry;
    return cursor->rows < cursor->limit ? GRAFT_OK : GRAFT_ECANCELED;
}

static enum graft_rc log_gather(struct cursor *cursor, struct graft_err *err)
{
    if (cursor->limit == 0)
        return GRAFT_OK;
    uint32_t remote_max = LOG_ENTRIES_MAX;
    if (cursor->limit < remote_max)
        remote_max = (uint32_t)cursor->limit;
    enum graft_rc rc = graft_log(cursor->volume, remote_max, log_add, cursor, err);
    return rc == GRAFT_ECANCELED ? GRAFT_OK : rc;
}

static void result_time(sqlite3_context *context, uint64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    char text[32];
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return;
    result_text(context, text);
}

static void log_column(const struct cursor *cursor, sqlite3_context *context, int column)
{
    const struct graft_log_entry *entry = &cursor->entries[cursor->row];
    switch (column) {
    case 0:
        result_u64(context, entry->lsn);
        break;
    case 1:
        result_text(context, entry->side == GRAFT_SIDE_LOCAL ? "local" : "remote");
        break;
    case 2:
        result_time(context, entry->time_ms);
        break;
    case 3:
        result_text(context, entry->client);
        break;
    case 4:
        result_u64(context, entry->pages);
        break;
    case 5:
        result_text(context, entry->hash);
        break;
    default:
        break;
    }
}

/* ---- graft_pages ---- */

static enum graft_rc pages_gather(struct cursor *cursor, struct graft_err *err)
{
    GRAFT_TRY(graft_status(cursor->volume, &cursor->status, err));
    cursor->rows = cursor->status.pages;
    return GRAFT_OK;
}

static enum graft_rc pages_load(struct cursor *cursor, struct graft_err *err)
{
    return graft_page_info(cursor->volume, (uint32_t)cursor->row + 1, &cursor->page_state,
                           &cursor->page_lsn, err);
}

static void pages_column(const struct cursor *cursor, sqlite3_context *context, int column)
{
    switch (column) {
    case 0:
        result_u64(context, cursor->row + 1);
        break;
    case 1:
        if (cursor->page_lsn > 0)
            result_u64(context, cursor->page_lsn);
        break;
    case 2:
        result_text(context, cursor->page_state == GRAFT_PAGE_HELD     ? "held"
                             : cursor->page_state == GRAFT_PAGE_REMOTE ? "remote"
                                                                       : "ahead");
        break;
    default:
        break;
    }
}

/* ---- graft_stats ---- */

static enum graft_rc stats_add(void *arg, const char *name, uint64_t value)
{
    struct cursor *cursor = arg;
    void *rows = cursor->stats;
    GRAFT_TRY(grow(cursor, &rows, sizeof *cursor->stats));
    cursor->stats = rows;
    struct stat_row *row = &cursor->stats[cursor->rows++];
    sqlite3_snprintf((int)sizeof row->name, row->name, "%s", name);
    row->value = value;
    return GRAFT_OK;
}

static enum graft_rc stats_gather(struct cursor *cursor, struct graft_err *err)
{
    enum graft_rc rc = graft_stats(cursor->volume, stats_add, cursor);
    return rc == GRAFT_OK ? rc : graft_err_set(err, rc, "counting: %s", graft_rc_text(rc));
}

static void stats_column(const struct cursor *cursor, sqlite3_context *context, int column)
{
    const struct stat_row *row = &cursor->stats[cursor->row];
    if (column == 0)
        result_text(context, row->name);
    else if (column == 1)
        result_u64(context, row->value);
}

/* ---- graft_conflicts ---- */

static enum graft_rc conflicts_gather(struct cursor *cursor, struct graft_err *err)
{
    (void)err;
    cursor->rows = 0;
    return GRAFT_OK;
}

static void conflicts_column(const struct cursor *cursor, sqlite3_context *context, int column)
{
    (void)cursor;
    (void)context;
    (void)column;
}

static const struct table_kind kinds[] = {
    {
        .name = "graft_status",
        .declaration = "CREATE TABLE x(volume TEXT, remote TEXT, local_lsn INT, remote_lsn INT,"
                       " ahead INT, behind INT, state TEXT, pages INT, pages_held INT,"
                       " last_error TEXT, schema TEXT HIDDEN)",
        .schema_column = 10,
        .gather = status_gather,
        .column = status_column,
    },
    {
        .name = "graft_log",
        .declaration = "CREATE TABLE x(lsn INT, side TEXT, time TEXT, client TEXT, pages INT,"
                       " hash TEXT, schema TEXT HIDDEN)",
        .schema_column = 6,
        .gather = log_gather,
        .column = log_column,
    },
    {
        .name = "graft_pages",
        .declaration = "CREATE TABLE x(page INT, lsn INT, state TEXT, schema TEXT HIDDEN)",
        .schema_column = 3,
        .gather = pages_gather,
        .load = pages_load,
        .column = pages_column,
    },
    {
        .name = "graft_stats",
        .declaration = "CREATE TABLE x(name TEXT, value INT, schema TEXT HIDDEN)",
        .schema_column = 2,
        .gather = stats_gather,
        .column = stats_column,
    },
    {
        .name = "graft_conflicts",
        .declaration = "CREATE TABLE x(lsn INT, time TEXT, client TEXT, reason TEXT,"
                       " schema TEXT HIDDEN)",
        .schema_column = 4,
        .gather = conflicts_gather,
        .column = conflicts_column,
    },
};

/* ---- What they share ---- */

static int report(struct table *table, enum graft_rc rc, const struct graft_err *err)
{
    if (rc == GRAFT_OK)
        return SQLITE_OK;
    sqlite3_free(table->base.zErrMsg);
    table->base.zErrMsg = sqlite3_mprintf("%s: %s", table->kind->name, err->text);
    return graft_sqlite_fail(rc, GRAFT_DOING_VERB, err);
}

static int table_connect(sqlite3 *db, void *kind, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    const struct table_kind *of = kind;
    int rc = sqlite3_declare_vtab(db, of->declaration);
    if (rc != SQLITE_OK)
        return rc;
    struct table *table = sqlite3_malloc64(sizeof *table);
    if (table == NULL)
        return SQLITE_NOMEM;
    *table = (struct table){.db = db, .kind = of};
    *out = &table->base;
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *base)
{
    sqlite3_free(base);
    return SQLITE_OK;
}

/* Takes the constraint `op` as an argument of the scan, when the statement has one. */
static void take_bound(sqlite3_index_info *info, int op, int plan, int *arguments)
{
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].op != op || !info->aConstraint[i].usable)
            continue;
        info->aConstraintUsage[i].argvIndex = ++*arguments;
        info->idxNum |= plan;
        return;
    }
}

/* The schema narrows the scan to another database; LIMIT and OFFSET bound how much of the log is
 * read, and SQLite still applies them itself. */
static int table_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct table *table = (const struct table *)base;
    int arguments = 0;
    info->idxNum = 0;
    info->estimatedCost = 1000.0;
    info->estimatedRows = 1000;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        if (constraint->iColumn != table->kind->schema_column ||
            constraint->op != SQLITE_INDEX_CONSTRAINT_EQ || (info->idxNum & PLAN_SCHEMA) != 0)
            continue;
        if (!constraint->usable)
            return SQLITE_CONSTRAINT;
        info->aConstraintUsage[i].argvIndex = ++arguments;
        info->aConstraintUsage[i].omit = 1;
        info->idxNum |= PLAN_SCHEMA;
    }
    if (info->nOrderBy == 0) {
        take_bound(info, SQLITE_INDEX_CONSTRAINT_LIMIT, PLAN_LIMIT, &arguments);
        take_bound(info, SQLITE_INDEX_CONSTRAINT_OFFSET, PLAN_OFFSET, &arguments);
    }
    return SQLITE_OK;
}

static int table_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    (void)base;
    struct cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (cursor == NULL)
        return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    *out = &cursor->base;
    return SQLITE_OK;
}

static void drop_rows(struct cursor *cursor)
{
    sqlite3_free(cursor->entries);
    sqlite3_free(cursor->stats);
    cursor->entries = NULL;
    cursor->stats = NULL;
    cursor->capacity = 0;
    cursor->row = 0;
    cursor->rows = 0;
}

static int table_close(sqlite3_vtab_cursor *base)
{
    drop_rows((struct cursor *)base);
    sqlite3_free(base);
    return SQLITE_OK;
}

static int load_row(struct cursor *cursor)
{
    struct table *table = (struct table *)cursor->base.pVtab;
    struct graft_err err;
    graft_err_clear(&err);
    if (table->kind->load == NULL || cursor->row >= cursor->rows)
        return SQLITE_OK;
    return report(table, table->kind->load(cursor, &err), &err);
}

static bool schema_exists(sqlite3 *db, const char *schema)
{
    return sqlite3_stricmp(schema, "temp") == 0 || sqlite3_db_filename(db, schema) != NULL;
}

/* Rows that a scan is worth, from its arguments behind the schema. */
static uint64_t bound_of(int plan, sqlite3_value **argv)
{
    sqlite3_int64 limit = (plan & PLAN_LIMIT) != 0 ? sqlite3_value_int64(*argv++) : -1;
    sqlite3_int64 offset = (plan & PLAN_OFFSET) != 0 ? sqlite3_value_int64(*argv) : 0;
    if (limit < 0)
        return UINT64_MAX;
    return (uint64_t)limit + (offset > 0 ? (uint64_t)offset : 0);
}

static int table_filter(sqlite3_vtab_cursor *base, int plan, const char *plan_text, int argc,
                        sqlite3_value **argv)
{
    (void)plan_text;
    (void)argc;
    struct cursor *cursor = (struct cursor *)base;
    struct table *table = (struct table *)base->pVtab;
    drop_rows(cursor);
    const char *schema = "main";
    int at = 0;
    if ((plan & PLAN_SCHEMA) != 0)
        schema = (const char *)sqlite3_value_text(argv[at++]);
    cursor->limit = bound_of(plan, argv + at);
    if (schema == NULL)
        return SQLITE_OK;
    const struct graft_dbfile *file = graft_dbfile_of_schema(table->db, schema);
    if (file == NULL && !schema_exists(table->db, schema)) {
        sqlite3_free(base->pVtab->zErrMsg);
        base->pVtab->zErrMsg = sqlite3_mprintf("no such schema: %s", schema);
        return SQLITE_ERROR;
    }
    if (file == NULL)
        return SQLITE_OK;
    cursor->volume = file->volume;
    struct graft_err err;
    graft_err_clear(&err);
    int code = report(table, table->kind->gather(cursor, &err), &err);
    return code == SQLITE_OK ? load_row(cursor) : code;
}

static int table_next(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;
    cursor->row++;
    return load_row(cursor);
}

static int table_eof(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (const struct cursor *)base;
    return cursor->row >= cursor->rows;
}

static int table_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct table *table = (const struct table *)base->pVtab;
    table->kind->column((const struct cursor *)base, context, column);
    return SQLITE_OK;
}

static int table_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((const struct cursor *)base)->row + 1;
    return SQLITE_OK;
}

/* No xCreate: the tables are there without being made, and cannot be made. */
static const sqlite3_module table_module = {
    .xConnect = table_connect,
    .xBestIndex = table_best_index,
    .xDisconnect = table_disconnect,
    .xOpen = table_open,
    .xClose = table_close,
    .xFilter = table_filter,
    .xNext = table_next,
    .xEof = table_eof,
    .xColumn = table_column,
    .xRowid = table_rowid,
};

int graft_tables_register(sqlite3 *db)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        /* SQLite hands the pointer back as it is; table_connect reads it as const again. */
        union {
            const struct table_kind *kind;
            void *opaque;
        } of = {.kind = &kinds[i]};
        int rc = sqlite3_create_module(db, kinds[i].name, &table_module, of.opaque);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

int graft_tables_auto(sqlite3 *db, char **message, const struct sqlite3_api_routines *api)
{
    (void)message;
    (void)api;
    return graft_tables_register(db);
}
