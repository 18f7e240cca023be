/* The pragmas. Those of Graft are verbs and settings; of SQLite's own, `synchronous`,
 * `journal_mode` and `locking_mode` are listened to on their way (the pager tells a VFS none of
 * them), and two are answered in SQLite's place: journal_mode=WAL, which a page store cannot serve,
 * with the mode in force, and a change of page_size where that is fixed.
 *
 * SQLite runs a pragma when the statement is prepared, under EXPLAIN too, and again whenever it is
 * prepared again; so each verb is one that can be repeated. */
#include "vfs/pragma.h"

#include <string.h>

#include "vfs/backup.h"
#include "vfs/dbfile.h"

struct call {
    struct graft_dbfile *file;
    const char *name;
    const char *value; /* NULL: the query form */
    char *reply;       /* from sqlite3_mprintf; NULL: no row */
};

static enum graft_rc unsupported(struct call *call, struct graft_err *err)
{
    (void)call;
    return graft_err_set(err, GRAFT_EUNSUPPORTED, "not supported yet by graft %s", GRAFT_VERSION);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static char *counted(const char *verb, const struct graft_sync_result *result)
{
    return sqlite3_mprintf("%s %llu commit%s, %llu page%s: remote LSN %llu", verb, result->commits,
                           plural(result->commits), result->pages, plural(result->pages),
                           result->lsn);
}

/* ---- Verbs ---- */

static enum graft_rc writable(const struct call *call, struct graft_err *err)
{
    if (!call->file->read_only)
        return GRAFT_OK;
    return graft_err_set(err, GRAFT_EREADONLY, "%s is opened read-only (mode=ro)",
                         graft_volume_directory(call->file->volume));
}

static enum graft_rc run_push(struct call *call, struct graft_err *err)
{
    struct graft_sync_result result;
    GRAFT_TRY(writable(call, err));
    GRAFT_TRY(graft_push(call->file->volume, &result, err));
    call->reply = result.changed ? counted("pushed", &result) : sqlite3_mprintf("nothing to push");
    return GRAFT_OK;
}

static enum graft_rc run_pull(struct call *call, struct graft_err *err)
{
    struct graft_sync_result result;
    GRAFT_TRY(writable(call, err));
    GRAFT_TRY(graft_pull(call->file->volume, &result, err));
    call->reply = result.changed ? counted("pulled", &result) : sqlite3_mprintf("nothing to pull");
    return GRAFT_OK;
}

static enum graft_rc run_fetch(struct call *call, struct graft_err *err)
{
    struct graft_sync_result result;
    GRAFT_TRY(graft_fetch(call->file->volume, &result, err));
    call->reply = result.changed
                      ? sqlite3_mprintf("%llu commit%s to pull: remote LSN %llu", result.commits,
                                        plural(result.commits), result.lsn)
                      : sqlite3_mprintf("nothing to pull: remote LSN %llu", result.lsn);
    return GRAFT_OK;
}

static enum graft_rc run_hydrate(struct call *call, struct graft_err *err)
{
    struct graft_sync_result result;
    GRAFT_TRY(writable(call, err));
    GRAFT_TRY(graft_hydrate(call->file->volume, NULL, NULL, &result, err));
    call->reply = result.changed
                      ? sqlite3_mprintf("fetched %llu page%s", result.pages, plural(result.pages))
                      : sqlite3_mprintf("nothing to fetch");
    return GRAFT_OK;
}

static enum graft_rc run_reset(struct call *call, struct graft_err *err)
{
    struct graft_sync_result result;
    GRAFT_TRY(writable(call, err));
    GRAFT_TRY(graft_reset(call->file->volume, &result, err));
    graft_dbfile_distrust_cache(call->file);
    call->reply = result.changed
                      ? sqlite3_mprintf("dropped %llu local commit%s: remote LSN %llu",
                                        result.commits, plural(result.commits), result.lsn)
                      : sqlite3_mprintf("nothing to reset");
    return GRAFT_OK;
}

static enum graft_rc run_remote(struct call *call, struct graft_err *err)
{
    if (call->value != NULL) {
        GRAFT_TRY(writable(call, err));
        GRAFT_TRY(graft_set_remote(call->file->volume, call->value, err));
    }
    char url[GRAFT_PATH_BYTES_MAX];
    graft_volume_remote_url(call->file->volume, url, sizeof url);
    call->reply = sqlite3_mprintf("%s", url);
    return GRAFT_OK;
}

static enum graft_rc run_export(struct call *call, struct graft_err *err)
{
    if (call->value == NULL)
        return graft_err_set(err, GRAFT_EINVAL, "say where to: PRAGMA graft_export='FILE'");
    uint64_t pages = 0;
    GRAFT_TRY(graft_backup_export(call->file->vfs->env, call->file->volume, call->value, NULL, NULL,
                                  &pages, err));
    call->reply = sqlite3_mprintf("exported %llu page%s to %s", pages, plural(pages), call->value);
    return GRAFT_OK;
}

static enum graft_rc run_version(struct call *call, struct graft_err *err)
{
    (void)err;
    call->reply = sqlite3_mprintf("graft %s", GRAFT_VERSION);
    return GRAFT_OK;
}

/* What graft_status tells, for a connection that cannot read the table: SQLite reads the schema
 * before it looks for any table, and with page 1 out of reach there is none. */
static enum graft_rc run_status(struct call *call, struct graft_err *err)
{
    struct graft_status status;
    GRAFT_TRY(graft_status(call->file->volume, &status, err));
    call->reply = sqlite3_mprintf(
        "%s, local LSN %llu, remote LSN %llu, %llu ahead, %llu behind, %llu of %llu pages held%s%s",
        graft_state_text(status.state), status.local_lsn, status.remote_lsn, status.ahead,
        status.behind, status.pages_held, status.pages,
        status.last_error[0] != '\0' ? "; last error: " : "", status.last_error);
    return GRAFT_OK;
}

/* ---- Settings ---- */

static enum graft_rc run_conflict(struct call *call, struct graft_err *err)
{
    if (call->value != NULL && sqlite3_stricmp(call->value, "error") != 0)
        return graft_err_set(err, GRAFT_EUNSUPPORTED,
                             "'%.40s' is not supported yet by graft %s: 'error' is", call->value,
                             GRAFT_VERSION);
    call->reply = sqlite3_mprintf("error");
    return GRAFT_OK;
}

static enum graft_rc run_sync(struct call *call, struct graft_err *err)
{
    if (call->value != NULL && sqlite3_stricmp(call->value, "manual") != 0)
        return graft_err_set(err, GRAFT_EUNSUPPORTED,
                             "'%.40s' is not supported yet by graft %s: 'manual' is", call->value,
                             GRAFT_VERSION);
    call->reply = sqlite3_mprintf("manual");
    return GRAFT_OK;
}

static bool is_count(const char *text)
{
    size_t length = strspn(text, "0123456789");
    return length > 0 && length <= 6 && text[length] == '\0';
}

static enum graft_rc run_prefetch(struct call *call, struct graft_err *err)
{
    struct graft_volume *volume = call->file->volume;
    char value[16] = "auto";
    if (call->value != NULL) {
        const char *wanted = NULL;
        if (sqlite3_stricmp(call->value, "auto") == 0)
            wanted = "auto";
        else if (sqlite3_stricmp(call->value, "off") == 0)
            wanted = "off";
        else if (sqlite3_stricmp(call->value, "metered") == 0)
            wanted = "metered";
        else if (is_count(call->value))
            wanted = call->value;
        if (wanted == NULL)
            return graft_err_set(
                err, GRAFT_EINVAL,
                "'%.40s' is not allowed: auto, off, metered, or a number of pages is", call->value);
        GRAFT_TRY(writable(call, err));
        GRAFT_TRY(graft_setting_set(volume, "prefetch", wanted, err));
    }
    char set[sizeof value];
    GRAFT_TRY(graft_setting_get(volume, "prefetch", set, sizeof set, err));
    call->reply = sqlite3_mprintf("%s", set[0] != '\0' ? set : value);
    return GRAFT_OK;
}

static enum graft_rc run_cache_limit(struct call *call, struct graft_err *err)
{
    if (call->value != NULL) {
        GRAFT_TRY(writable(call, err));
        GRAFT_TRY(graft_cache_limit_set(call->file->volume, call->value, err));
    }
    call->reply = sqlite3_mprintf("%llu", graft_cache_limit(call->file->volume));
    return GRAFT_OK;
}

/* ---- SQLite's own ---- */

/* As SQLite's getSafetyLevel: numbers are taken as they are, a word that it does not know is
 * NORMAL. */
static int synchronous_level(const char *value)
{
    static const struct {
        const char *word;
        int level;
    } words[] = {{"off", 0}, {"no", 0}, {"false", 0}, {"full", 2}, {"extra", 3}};
    if (value[0] >= '0' && value[0] <= '9') {
        unsigned number = 0;
        for (const char *at = value; *at >= '0' && *at <= '9'; at++)
            number = number * 10 + (unsigned)(*at - '0');
        unsigned stored = (number + 1) & 7;
        return stored == 0 ? 0 : (int)stored - 1;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (sqlite3_stricmp(value, words[i].word) == 0)
            return words[i].level;
    }
    return 1;
}

static int hear_synchronous(struct graft_dbfile *file, const char *value)
{
    /* Inside a transaction SQLite refuses the change. */
    bool in_transaction = file->database != NULL && !sqlite3_get_autocommit(*file->database);
    if (value != NULL && !in_transaction)
        file->synchronous = synchronous_level(value);
    return SQLITE_NOTFOUND;
}

static int hear_journal_mode(struct graft_dbfile *file, const char *value, char **reply)
{
    static const char *const modes[] = {"delete", "persist", "off", "truncate", "memory"};
    if (value == NULL)
        return SQLITE_NOTFOUND;
    if (sqlite3_stricmp(value, "wal") == 0) {
        *reply = sqlite3_mprintf("%s", file->journal_mode);
        return *reply != NULL ? SQLITE_OK : SQLITE_NOMEM;
    }
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (sqlite3_stricmp(value, modes[i]) == 0)
            file->journal_mode = modes[i];
    }
    return SQLITE_NOTFOUND;
}

static int hear_locking_mode(struct graft_dbfile *file, const char *value)
{
    if (value != NULL && sqlite3_stricmp(value, "exclusive") == 0)
        file->exclusive = true;
    else if (value != NULL && sqlite3_stricmp(value, "normal") == 0)
        file->exclusive = false;
    return SQLITE_NOTFOUND;
}

/* SQLite would keep a new size for the next VACUUM, which could then not write its result. */
static int hear_page_size(struct graft_dbfile *file, const char *value)
{
    bool decided = false;
    uint32_t page_bytes = graft_volume_page_bytes(file->volume, &decided);
    if (value == NULL || !decided)
        return SQLITE_NOTFOUND;
    char fixed[12];
    sqlite3_snprintf((int)sizeof fixed, fixed, "%u", page_bytes);
    if (strcmp(value, fixed) != 0)
        sqlite3_log(SQLITE_WARNING,
                    "graft: page_size=%s has no effect: pages of %s are %s bytes for good", value,
                    graft_volume_directory(file->volume), fixed);
    return SQLITE_OK;
}

/* ---- Dispatch ---- */

enum kind {
    QUERY, /* changes nothing, runs at any time */
    VERB,  /* not inside this connection's own write transaction */
};

static const struct {
    const char *name;
    enum kind kind;
    enum graft_rc (*run)(struct call *call, struct graft_err *err);
} pragmas[] = {
    {"graft_push", VERB, run_push},
    {"graft_pull", VERB, run_pull},
    {"graft_fetch", VERB, run_fetch},
    {"graft_hydrate", VERB, run_hydrate},
    {"graft_fork", VERB, unsupported},
    {"graft_reset", VERB, run_reset},
    {"graft_restore", VERB, unsupported},
    {"graft_remote", VERB, run_remote},
    {"graft_sync", QUERY, run_sync},
    {"graft_interval", QUERY, unsupported},
    {"graft_conflict", QUERY, run_conflict},
    {"graft_prefetch", QUERY, run_prefetch},
    {"graft_cache_limit", QUERY, run_cache_limit},
    {"graft_export", VERB, run_export},
    {"graft_version", QUERY, run_version},
    {"graft_status", QUERY, run_status},
};

static enum graft_rc dispatch(struct call *call, struct graft_err *err)
{
    for (size_t i = 0; i < sizeof pragmas / sizeof *pragmas; i++) {
        if (sqlite3_stricmp(call->name, pragmas[i].name) != 0)
            continue;
        if (pragmas[i].kind == VERB && graft_write_is_open(call->file->session))
            return graft_err_set(
                err, GRAFT_EBUSY,
                call->file->exclusive
                    ? "locking_mode=EXCLUSIVE keeps the writer role: set it to NORMAL first"
                    : "a transaction is open on this connection: end it first");
        return pragmas[i].run(call, err);
    }
    return graft_err_set(err, GRAFT_EINVAL, "there is no such pragma");
}

static int run_graft_pragma(struct graft_dbfile *file, char **argument)
{
    struct call call = {.file = file, .name = argument[1], .value = argument[2]};
    struct graft_err err;
    graft_err_clear(&err);
    enum graft_rc rc = dispatch(&call, &err);
    if (rc == GRAFT_OK && call.reply == NULL)
        rc = graft_err_set(&err, GRAFT_ENOMEM, "out of memory for the answer");
    if (rc == GRAFT_OK) {
        argument[0] = call.reply;
        return SQLITE_OK;
    }
    (void)graft_err_wrap(&err, rc, "%s", call.name);
    argument[0] = sqlite3_mprintf("%s", err.text);
    int code = graft_sqlite_fail(rc, GRAFT_DOING_VERB, &err);
    return argument[0] != NULL ? code : SQLITE_NOMEM;
}

int graft_pragma_run(struct graft_dbfile *file, char **argument)
{
    const char *name = argument[1];
    const char *value = argument[2];
    if (sqlite3_strnicmp(name, "graft_", 6) == 0)
        return run_graft_pragma(file, argument);
    if (sqlite3_stricmp(name, "synchronous") == 0)
        return hear_synchronous(file, value);
    if (sqlite3_stricmp(name, "journal_mode") == 0)
        return hear_journal_mode(file, value, &argument[0]);
    if (sqlite3_stricmp(name, "locking_mode") == 0)
        return hear_locking_mode(file, value);
    if (sqlite3_stricmp(name, "page_size") == 0)
        return hear_page_size(file, value);
    return SQLITE_NOTFOUND;
}
