/* Whole databases in and out. Export copies pages as they are into a new file and gives it its name
 * last, without ever replacing one. Import lets SQLite read the source, so that whatever a crashed
 * or living application left beside it counts, and writes through the VFS, so that everything that
 * holds for a transaction holds for it. */
#include "vfs/backup.h"

#include <stdio.h>
#include <string.h>

#include "vfs/dbfile.h"

#define STEP_PAGES 256
#define CHUNK_BYTES ((size_t)1 << 20)

struct export_work {
    struct graft_env *env;
    struct graft_session *session;
    struct graft_file *file;
    struct graft_file *existing; /* the file that is there already, to be compared with; or NULL */
    uint8_t *bytes;              /* CHUNK_BYTES */
    uint8_t *compared;           /* the same, with `existing` */
    uint32_t page_bytes;
    uint32_t page_count;
    graft_progress_fn *progress;
    void *arg;
};

/* Reads pages from `page` on into the chunk; `*count` of them. */
static enum graft_rc read_chunk(struct export_work *work, uint32_t page, uint32_t *count,
                                struct graft_err *err)
{
    uint32_t room = (uint32_t)(CHUNK_BYTES / work->page_bytes);
    uint32_t left = work->page_count - page + 1;
    uint32_t pages = left < room ? left : room;
    for (uint32_t i = 0; i < pages; i++) {
        uint8_t *to = work->bytes + (size_t)i * work->page_bytes;
        size_t got = 0;
        GRAFT_TRY(graft_session_read(work->session, page + i, to, work->page_bytes, &got, err));
        memset(to + got, 0, work->page_bytes - got);
    }
    *count = pages;
    return GRAFT_OK;
}

static enum graft_rc compare_chunk(struct export_work *work, const char *file, uint64_t offset,
                                   size_t size, struct graft_err *err)
{
    size_t got = 0;
    GRAFT_TRY(graft_file_read(work->existing, offset, work->compared, size, &got, err));
    if (got == size && memcmp(work->bytes, work->compared, size) == 0)
        return GRAFT_OK;
    return graft_err_set(err, GRAFT_EEXIST,
                         "%s is there already, and is not this export: remove it first", file);
}

static enum graft_rc copy_pages(struct export_work *work, const char *file, struct graft_err *err)
{
    for (uint32_t done = 0; done < work->page_count;) {
        uint32_t count = 0;
        GRAFT_TRY(read_chunk(work, done + 1, &count, err));
        uint64_t offset = (uint64_t)done * work->page_bytes;
        size_t size = (size_t)count * work->page_bytes;
        if (work->existing != NULL)
            GRAFT_TRY(compare_chunk(work, file, offset, size, err));
        else
            GRAFT_TRY(graft_file_write(work->file, offset, work->bytes, size, err));
        done += count;
        if (work->progress != NULL && !work->progress(work->arg, done, work->page_count))
            return graft_err_set(err, GRAFT_ECANCELED, "the export was stopped");
    }
    return GRAFT_OK;
}

/* The same bytes as the export would write: the statement was only run again. */
static enum graft_rc compare_existing(struct export_work *work, const char *file,
                                      struct graft_err *err)
{
    uint64_t size = 0;
    GRAFT_TRY(graft_disk_open(work->env->disk, file, GRAFT_OPEN_READ, &work->existing, err));
    enum graft_rc rc = graft_file_size(work->existing, &size, err);
    if (rc == GRAFT_OK && size != (uint64_t)work->page_count * work->page_bytes)
        rc = graft_err_set(err, GRAFT_EEXIST,
                           "%s is there already, and is not this export: remove it first", file);
    if (rc == GRAFT_OK)
        rc = copy_pages(work, file, err);
    graft_file_close(work->existing);
    work->existing = NULL;
    return rc;
}

static enum graft_rc write_new(struct export_work *work, const char *file, struct graft_err *err)
{
    struct graft_disk *disk = work->env->disk;
    char temporary[GRAFT_PATH_BYTES_MAX];
    char directory[GRAFT_PATH_BYTES_MAX] = ".";
    int length = snprintf(temporary, sizeof temporary, "%s.%016llx.new", file,
                          (unsigned long long)graft_rand_u64(work->env->rand));
    if (length < 0 || (size_t)length >= sizeof temporary)
        return graft_err_set(err, GRAFT_ELIMIT, "the path to export to is too long");
    const char *slash = strrchr(file, '/');
    if (slash != NULL)
        (void)snprintf(directory, sizeof directory, "%.*s", (int)(slash - file + 1), file);

    GRAFT_TRY(graft_disk_open(disk, temporary,
                              GRAFT_OPEN_READ | GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE |
                                  GRAFT_OPEN_EXCLUSIVE,
                              &work->file, err));
    enum graft_rc rc = copy_pages(work, file, err);
    if (rc == GRAFT_OK)
        rc = graft_file_sync(work->file, err);
    graft_file_close(work->file);
    if (rc == GRAFT_OK)
        rc = graft_disk_rename(disk, temporary, file, false, err);
    if (rc == GRAFT_OK)
        return graft_disk_sync_directory(disk, directory, err);
    if (graft_disk_remove(disk, temporary, NULL) != GRAFT_OK)
        graft_log_write(work->env->log, GRAFT_LOG_WARN, "%s is left over from a failed export",
                        temporary);
    return rc;
}

static enum graft_rc export_snapshot(struct export_work *work, const char *file,
                                     struct graft_err *err)
{
    struct graft_snapshot snapshot;
    GRAFT_TRY(graft_session_begin(work->session, &snapshot, err));
    work->page_count = snapshot.page_count;
    struct graft_entry entry;
    enum graft_rc rc = graft_disk_stat(work->env->disk, file, &entry, err);
    if (rc == GRAFT_ENOTFOUND)
        return write_new(work, file, err);
    return rc == GRAFT_OK ? compare_existing(work, file, err) : rc;
}

enum graft_rc graft_backup_export(struct graft_env *env, struct graft_volume *volume,
                                  const char *file, graft_progress_fn *progress, void *arg,
                                  uint64_t *pages, struct graft_err *err)
{
    struct export_work work = {.env = env, .progress = progress, .arg = arg};
    char url[GRAFT_PATH_BYTES_MAX];
    graft_volume_remote_url(volume, url, sizeof url);
    /* In bulk, what is missing comes in far fewer requests than page by page. */
    struct graft_sync_result fetched;
    if (url[0] != '\0')
        GRAFT_TRY(graft_hydrate(volume, NULL, NULL, &fetched, err));
    work.page_bytes = graft_volume_page_bytes(volume, NULL);
    work.bytes = graft_malloc(env->alloc, CHUNK_BYTES);
    work.compared = graft_malloc(env->alloc, CHUNK_BYTES);
    enum graft_rc rc = GRAFT_OK;
    if (work.bytes == NULL || work.compared == NULL)
        rc = graft_err_set(err, GRAFT_ENOMEM, "out of memory for an export");
    if (rc == GRAFT_OK)
        rc = graft_session_open(volume, &work.session, err);
    if (rc == GRAFT_OK)
        rc = export_snapshot(&work, file, err);
    graft_session_close(work.session);
    graft_free(env->alloc, work.bytes);
    graft_free(env->alloc, work.compared);
    if (rc == GRAFT_OK)
        *pages = work.page_count;
    return rc;
}

/* ---- Import ---- */

static enum graft_rc failed(sqlite3 *db, int code, const char *name, struct graft_err *err)
{
    enum graft_rc rc = graft_rc_from_sqlite(code);
    if (code == SQLITE_CANTOPEN && sqlite3_system_errno(db) == 2)
        rc = GRAFT_ENOTFOUND;
    return graft_err_set(err, rc, "%s: %s", name,
                         db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

/* Opening and locking read nothing yet; this finds out whether it is a database at all. */
static enum graft_rc open_source(const char *file, sqlite3 **out, struct graft_err *err)
{
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(db, 10000);
    /* Reading a database in WAL mode is no reason to fold its log. */
    if (code == SQLITE_OK)
        code = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "PRAGMA schema_version", NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        *out = db;
        return GRAFT_OK;
    }
    enum graft_rc rc = failed(db, code, file, err);
    (void)sqlite3_close(db);
    return rc;
}

/* Writes `text` with everything escaped that means something in a URI. */
static void append_escaped(sqlite3_str *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (strchr("%?#&=+", *at) != NULL || (unsigned char)*at < 0x20)
            sqlite3_str_appendf(out, "%%%02x", (unsigned)(unsigned char)*at);
        else
            sqlite3_str_appendchar(out, 1, *at);
    }
}

static char *volume_uri(const char *vfs_name, const char *directory, const char *remote_url)
{
    sqlite3_str *uri = sqlite3_str_new(NULL);
    sqlite3_str_appendall(uri, "file:");
    append_escaped(uri, directory);
    sqlite3_str_appendf(uri, "?vfs=%s", vfs_name);
    if (remote_url != NULL) {
        sqlite3_str_appendall(uri, "&remote=");
        append_escaped(uri, remote_url);
    }
    return sqlite3_str_finish(uri);
}

static enum graft_rc open_target(const char *vfs_name, const char *directory,
                                 const char *remote_url, sqlite3 **out, struct graft_err *err)
{
    char *uri = volume_uri(vfs_name, directory, remote_url);
    if (uri == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a name");
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(uri, &db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL);
    sqlite3_free(uri);
    enum graft_rc rc = GRAFT_OK;
    if (code != SQLITE_OK)
        rc = failed(db, code, directory, err);
    struct graft_dbfile *file = rc == GRAFT_OK ? graft_dbfile_of_schema(db, "main") : NULL;
    struct graft_snapshot snapshot = {0};
    if (file != NULL) {
        rc = graft_session_begin(file->session, &snapshot, err);
        graft_session_end(file->session);
    }
    if (rc == GRAFT_OK && snapshot.page_count > 0)
        rc = graft_err_set(err, GRAFT_EEXIST,
                           "%s holds a database of %u pages already: import into a new directory",
                           directory, snapshot.page_count);
    if (rc != GRAFT_OK) {
        (void)sqlite3_close(db);
        return rc;
    }
    *out = db;
    return GRAFT_OK;
}

static enum graft_rc copy_database(sqlite3 *source, sqlite3 *target, const char *directory,
                                   graft_progress_fn *progress, void *arg, uint64_t *pages,
                                   struct graft_err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(target, "main", source, "main");
    if (backup == NULL)
        return failed(target, sqlite3_errcode(target), directory, err);
    bool stopped = false;
    uint64_t total = 0;
    int code = SQLITE_OK;
    while (code == SQLITE_OK && !stopped) {
        code = sqlite3_backup_step(backup, STEP_PAGES);
        total = (uint64_t)sqlite3_backup_pagecount(backup);
        uint64_t left = (uint64_t)sqlite3_backup_remaining(backup);
        stopped = progress != NULL && !progress(arg, total - left, total);
    }
    int finished = sqlite3_backup_finish(backup);
    if (stopped && code != SQLITE_DONE)
        return graft_err_set(err, GRAFT_ECANCELED, "the import was stopped");
    if (code != SQLITE_DONE)
        return failed(target, finished != SQLITE_OK ? finished : code, directory, err);
    *pages = total;
    return GRAFT_OK;
}

enum graft_rc graft_backup_import(const char *vfs_name, const char *file, const char *directory,
                                  const char *remote_url, graft_progress_fn *progress, void *arg,
                                  uint64_t *pages, struct graft_err *err)
{
    sqlite3 *source = NULL;
    sqlite3 *target = NULL;
    GRAFT_TRY(open_source(file, &source, err));
    enum graft_rc rc = open_target(vfs_name, directory, remote_url, &target, err);
    if (rc == GRAFT_OK)
        rc = copy_database(source, target, directory, progress, arg, pages, err);
    (void)sqlite3_close(target);
    (void)sqlite3_close(source);
    return rc;
}
