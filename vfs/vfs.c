/* The sqlite3_vfs: decides whose a name is, recognises the side files of its databases without
 * asking the disk, and passes everything else to the parent VFS. Files of the parent are opened by
 * the parent into SQLite's own space, so that no call on them comes through here again. */
#include "vfs/vfs.h"

#include <string.h>

#include "base/catalogue.h"
#include "vfs/dbfile.h"
#include "vfs/internal.h"
#include "vfs/layout.h"
#include "vfs/tables.h"

#define JULIAN_EPOCH_MS 210866760000000LL /* 1970-01-01 in milliseconds since julian day 0 */
#define SUFFIX ".graft"

static struct graft_vfs *vfs_of(sqlite3_vfs *base)
{
    return (struct graft_vfs *)base->pAppData;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t length = strlen(name);
    size_t suffix_length = strlen(suffix);
    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

static bool is_graft_name(struct graft_vfs *vfs, const char *name)
{
    if (name == NULL)
        return false;
    const char *asked = sqlite3_uri_parameter(name, "vfs");
    return (asked != NULL && strcmp(asked, vfs->base.zName) == 0) || has_suffix(name, SUFFIX) ||
           graft_volume_exists(vfs->env, name);
}

static uint32_t hash_name(const char *name, size_t length)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)name[i]) * 16777619U;
    return hash;
}

void graft_vfs_remember(struct graft_vfs *vfs, struct graft_dbfile *file)
{
    file->name_hash = hash_name(file->name, strlen(file->name));
    struct graft_dbfile **bucket = &vfs->buckets[file->name_hash % GRAFT_VFS_BUCKETS];
    graft_mutex_lock(vfs->mutex);
    file->next = *bucket;
    *bucket = file;
    graft_mutex_unlock(vfs->mutex);
}

void graft_vfs_forget(struct graft_vfs *vfs, struct graft_dbfile *file)
{
    struct graft_dbfile **link = &vfs->buckets[file->name_hash % GRAFT_VFS_BUCKETS];
    graft_mutex_lock(vfs->mutex);
    while (*link != file)
        link = &(*link)->next;
    *link = file->next;
    graft_mutex_unlock(vfs->mutex);
}

/* True for the journal and the WAL that the pager of an open Graft database asks about. They are
 * recognised by address: the same name from elsewhere (the child journals that a super-journal
 * lists) means what is on the disk. */
static bool is_side_file(struct graft_vfs *vfs, const char *name)
{
    size_t length = strlen(name);
    if (length > 8 && memcmp(name + length - 8, "-journal", 8) == 0)
        length -= 8;
    else if (length > 4 && memcmp(name + length - 4, "-wal", 4) == 0)
        length -= 4;
    else
        return false;
    bool found = false;
    uint32_t bucket = hash_name(name, length) % GRAFT_VFS_BUCKETS;
    graft_mutex_lock(vfs->mutex);
    for (const struct graft_dbfile *file = vfs->buckets[bucket]; file != NULL && !found;
         file = file->next)
        found = name == file->journal_name || name == file->wal_name;
    graft_mutex_unlock(vfs->mutex);
    return found;
}

static int vfs_open(sqlite3_vfs *base, const char *name, sqlite3_file *file, int flags,
                    int *out_flags)
{
    struct graft_vfs *vfs = vfs_of(base);
    file->pMethods = NULL;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0 && is_graft_name(vfs, name))
        return graft_dbfile_open(vfs, name, file, flags, out_flags);
    if ((flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0 && name != NULL) {
        struct graft_dbfile *database = graft_dbfile_of(sqlite3_database_file_object(name));
        if (database != NULL && (flags & SQLITE_OPEN_WAL) != 0) {
            sqlite3_log(SQLITE_CANTOPEN, "graft: %s: journal_mode=WAL is not for Graft databases",
                        database->name);
            return SQLITE_CANTOPEN;
        }
        if (database != NULL) {
            graft_journal_open(database, file);
            if (out_flags != NULL)
                *out_flags = flags;
            return SQLITE_OK;
        }
    }
    return vfs->parent->xOpen(vfs->parent, name, file, flags, out_flags);
}

static int vfs_delete(sqlite3_vfs *base, const char *name, int sync_directory)
{
    struct graft_vfs *vfs = vfs_of(base);
    if (is_side_file(vfs, name))
        return SQLITE_OK;
    return vfs->parent->xDelete(vfs->parent, name, sync_directory);
}

static int vfs_access(sqlite3_vfs *base, const char *name, int flags, int *out)
{
    struct graft_vfs *vfs = vfs_of(base);
    if (is_side_file(vfs, name)) {
        *out = 0;
        return SQLITE_OK;
    }
    return vfs->parent->xAccess(vfs->parent, name, flags, out);
}

static int vfs_full_pathname(sqlite3_vfs *base, const char *name, int size, char *out)
{
    struct graft_vfs *vfs = vfs_of(base);
    int rc = vfs->parent->xFullPathname(vfs->parent, name, size, out);
    if ((rc & 0xff) == SQLITE_OK) {
        size_t length = strlen(out);
        while (length > 1 && out[length - 1] == '/')
            out[--length] = '\0';
    }
    return rc;
}

static void *vfs_dl_open(sqlite3_vfs *base, const char *name)
{
    sqlite3_vfs *parent = vfs_of(base)->parent;
    return parent->xDlOpen(parent, name);
}

static void vfs_dl_error(sqlite3_vfs *base, int size, char *out)
{
    sqlite3_vfs *parent = vfs_of(base)->parent;
    parent->xDlError(parent, size, out);
}

static void (*vfs_dl_sym(sqlite3_vfs *base, void *handle, const char *symbol))(void)
{
    sqlite3_vfs *parent = vfs_of(base)->parent;
    return parent->xDlSym(parent, handle, symbol);
}

static void vfs_dl_close(sqlite3_vfs *base, void *handle)
{
    sqlite3_vfs *parent = vfs_of(base)->parent;
    parent->xDlClose(parent, handle);
}

static int vfs_randomness(sqlite3_vfs *base, int count, char *out)
{
    graft_rand_fill(vfs_of(base)->env->rand, out, (size_t)count);
    return count;
}

/* A retry of a lock sleeps here. It wakes early when a writer ended, but only while no other has
 * begun: SQLite counts sleeps, not time, and a wake for nothing would use up the caller's timeout.
 */
static int vfs_sleep(sqlite3_vfs *base, int wait_us)
{
    struct graft_vfs *vfs = vfs_of(base);
    uint64_t now_us = graft_clock_monotonic_us(vfs->env->clock);
    uint64_t end_us = now_us + (uint64_t)(wait_us > 0 ? wait_us : 0);
    atomic_fetch_add(&vfs->sleepers, 1);
    graft_mutex_lock(vfs->mutex);
    uint64_t seen = vfs->releases;
    while (now_us < end_us && (vfs->releases == seen || atomic_load(&vfs->writers) > 0)) {
        (void)graft_cond_wait(vfs->released, vfs->mutex,
                              (uint32_t)((end_us - now_us + 999) / 1000));
        now_us = graft_clock_monotonic_us(vfs->env->clock);
    }
    graft_mutex_unlock(vfs->mutex);
    atomic_fetch_sub(&vfs->sleepers, 1);
    return wait_us;
}

void graft_vfs_writer_began(struct graft_vfs *vfs)
{
    atomic_fetch_add(&vfs->writers, 1);
}

void graft_vfs_writer_ended(struct graft_vfs *vfs)
{
    GRAFT_ALWAYS(atomic_load(&vfs->writers) > 0, "no writer ends that did not begin");
    atomic_fetch_sub(&vfs->writers, 1);
    if (atomic_load(&vfs->sleepers) == 0)
        return;
    graft_mutex_lock(vfs->mutex);
    vfs->releases++;
    graft_cond_broadcast(vfs->released);
    graft_mutex_unlock(vfs->mutex);
}

static int vfs_current_time_ms(sqlite3_vfs *base, sqlite3_int64 *out)
{
    *out = JULIAN_EPOCH_MS + (sqlite3_int64)graft_clock_now_ms(vfs_of(base)->env->clock);
    return SQLITE_OK;
}

static int vfs_current_time(sqlite3_vfs *base, double *out)
{
    sqlite3_int64 ms = 0;
    (void)vfs_current_time_ms(base, &ms);
    *out = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *base, int size, char *out)
{
    sqlite3_vfs *parent = vfs_of(base)->parent;
    return parent->xGetLastError != NULL ? parent->xGetLastError(parent, size, out) : 0;
}

static int largest(int a, int b, int c)
{
    int larger = a > b ? a : b;
    return larger > c ? larger : c;
}

static void fill_base(struct graft_vfs *vfs, char *name)
{
    vfs->base = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = largest((int)sizeof(struct graft_dbfile), graft_journal_file_bytes(),
                            vfs->parent->szOsFile),
        .mxPathname = vfs->parent->mxPathname,
        .zName = name,
        .pAppData = vfs,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_pathname,
        .xDlOpen = vfs_dl_open,
        .xDlError = vfs_dl_error,
        .xDlSym = vfs_dl_sym,
        .xDlClose = vfs_dl_close,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_current_time,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_current_time_ms,
    };
}

static void vfs_free(struct graft_vfs *vfs)
{
    struct graft_alloc *alloc = vfs->env->alloc;
    /* SQLite's structure holds the name as const; the memory is ours. */
    union {
        const char *borrowed;
        void *owned;
    } name = {.borrowed = vfs->base.zName};
    graft_free(alloc, name.owned);
    graft_mutex_free(vfs->mutex);
    graft_cond_free(vfs->released);
    graft_free(alloc, vfs);
}

enum graft_rc graft_vfs_register(struct graft_process *process, struct graft_env *env,
                                 const char *name, const char *parent, struct graft_vfs **out,
                                 struct graft_err *err)
{
    if (sqlite3_vfs_find(name) != NULL)
        return graft_err_set(err, GRAFT_EEXIST, "a VFS called %s is registered already", name);
    sqlite3_vfs *below = sqlite3_vfs_find(parent);
    if (below == NULL)
        return graft_err_set(err, GRAFT_ENOTFOUND, "SQLite has no VFS called %s",
                             parent != NULL ? parent : "(default)");
    struct graft_vfs *vfs = graft_calloc(env->alloc, 1, sizeof *vfs);
    if (vfs == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a VFS");
    vfs->parent = below;
    vfs->process = process;
    vfs->env = env;
    char *copy = graft_strdup(env->alloc, name);
    fill_base(vfs, copy);
    if (copy == NULL || graft_mutex_new(env->tasks, &vfs->mutex) != GRAFT_OK ||
        graft_cond_new(env->tasks, &vfs->released) != GRAFT_OK ||
        sqlite3_vfs_register(&vfs->base, 0) != SQLITE_OK ||
        sqlite3_auto_extension((void (*)(void))graft_tables_auto) != SQLITE_OK) {
        (void)sqlite3_vfs_unregister(&vfs->base);
        vfs_free(vfs);
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a VFS");
    }
    graft_process_set_arrange(process, graft_layout_arrange, env);
    *out = vfs;
    return GRAFT_OK;
}

void graft_vfs_unregister(struct graft_vfs *vfs)
{
    if (vfs == NULL)
        return;
    (void)sqlite3_vfs_unregister(&vfs->base);
    vfs_free(vfs);
}

struct graft_volume *graft_vfs_volume(sqlite3 *db, const char *schema)
{
    const struct graft_dbfile *file = graft_dbfile_of_schema(db, schema);
    return file != NULL ? file->volume : NULL;
}

struct graft_session *graft_vfs_session(sqlite3 *db, const char *schema)
{
    const struct graft_dbfile *file = graft_dbfile_of_schema(db, schema);
    return file != NULL ? file->session : NULL;
}
