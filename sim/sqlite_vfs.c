/* The base VFS of a process: plain files on the simulated disk, through the seams of the process's
 * environment, so that every call of it takes time, yields and may fail. Locks are byte locks in
 * the manner of SQLite's own VFS for Unix; a directory is synced when, and only when, that one
 * would sync it. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "sim/parts.h"
#include "sim/sqlite.h"
#include "sim/sqlite_parts.h"

#define SECTOR_BYTES 512
/* Milliseconds from the beginning of the Julian period to 1970. */
#define JULIAN_MS INT64_C(210866760000000)
#define BASE_NAME_PREFIX "sim-p"

enum { LOCK_PENDING, LOCK_RESERVED, LOCK_SHARED };

struct base_vfs {
    sqlite3_vfs vfs;
    struct sim_process *process;
    char name[SIM_NAME_BYTES];
};

struct base_file {
    sqlite3_file file;
    struct sim_process *process;
    struct graft_file *disk_file;
    struct graft_locks *locks; /* NULL until the first lock */
    const char *path;          /* SQLite's, as long as the file is open; NULL: nameless */
    int level;
    bool sync_directory; /* at the next sync */
    bool delete_on_close;
};

static struct sim_process *process_of(sqlite3_vfs *vfs)
{
    struct sim_process *process = vfs->pAppData;
    return process != NULL ? process : sim_process_current();
}

static struct base_file *file_of(sqlite3_file *file)
{
    return (struct base_file *)file;
}

static int to_sqlite(enum graft_rc rc, int io_error)
{
    switch (rc) {
    case GRAFT_OK:
        return SQLITE_OK;
    case GRAFT_ENOMEM:
        return SQLITE_IOERR_NOMEM;
    case GRAFT_EFULL:
        return SQLITE_FULL;
    default:
        return io_error;
    }
}

static int sync_parent(struct sim_process *process, const char *path)
{
    char directory[GRAFT_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (length >= sizeof directory)
        return SQLITE_CANTOPEN;
    memcpy(directory, path, length);
    directory[length] = '\0';
    enum graft_rc rc =
        graft_disk_sync_directory(process->env.disk, length == 0 ? "/" : directory, NULL);
    return to_sqlite(rc, SQLITE_IOERR_DIR_FSYNC);
}

/* ---- Files. */

static int file_close(sqlite3_file *file)
{
    struct base_file *self = file_of(file);
    graft_locks_close(self->locks);
    graft_file_close(self->disk_file);
    if (self->delete_on_close && self->path != NULL) {
        enum graft_rc rc = graft_disk_remove(self->process->env.disk, self->path, NULL);
        (void)rc; /* a temporary file: nobody misses it, and nobody minds it */
    }
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset)
{
    size_t got = 0;
    enum graft_rc rc = graft_file_read(file_of(file)->disk_file, (uint64_t)offset, bytes,
                                       (size_t)size, &got, NULL);
    if (rc != GRAFT_OK)
        return to_sqlite(rc, SQLITE_IOERR_READ);
    if (got == (size_t)size)
        return SQLITE_OK;
    memset((uint8_t *)bytes + got, 0, (size_t)size - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    enum graft_rc rc =
        graft_file_write(file_of(file)->disk_file, (uint64_t)offset, bytes, (size_t)size, NULL);
    return to_sqlite(rc, SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    enum graft_rc rc = graft_file_truncate(file_of(file)->disk_file, (uint64_t)size, NULL);
    return to_sqlite(rc, SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    struct base_file *self = file_of(file);
    enum graft_rc rc = graft_file_sync(self->disk_file, NULL);
    if (rc != GRAFT_OK)
        return to_sqlite(rc, SQLITE_IOERR_FSYNC);
    if (!self->sync_directory)
        return SQLITE_OK;
    int result = sync_parent(self->process, self->path);
    if (result == SQLITE_OK)
        self->sync_directory = false;
    return result;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    uint64_t bytes = 0;
    enum graft_rc rc = graft_file_size(file_of(file)->disk_file, &bytes, NULL);
    if (rc == GRAFT_OK)
        *size = (sqlite3_int64)bytes;
    return to_sqlite(rc, SQLITE_IOERR_FSTAT);
}

/* ---- Locks. */

static int try_lock(struct base_file *self, uint32_t index, bool exclusive)
{
    bool granted = false;
    if (graft_lock_try(self->locks, index, exclusive, &granted, NULL) != GRAFT_OK)
        return SQLITE_IOERR_LOCK;
    return granted ? SQLITE_OK : SQLITE_BUSY;
}

static int open_locks(struct base_file *self)
{
    if (self->locks != NULL)
        return SQLITE_OK;
    enum graft_rc rc = graft_locks_open(self->process->env.shm, self->path, &self->locks, NULL);
    return to_sqlite(rc, SQLITE_IOERR_LOCK);
}

static int lock_shared(struct base_file *self)
{
    int rc = try_lock(self, LOCK_PENDING, false);
    if (rc != SQLITE_OK)
        return rc;
    rc = try_lock(self, LOCK_SHARED, false);
    graft_lock_release(self->locks, LOCK_PENDING);
    return rc;
}

static int lock_exclusive(struct base_file *self)
{
    if (self->level < SQLITE_LOCK_PENDING) {
        int rc = try_lock(self, LOCK_PENDING, true);
        if (rc != SQLITE_OK)
            return rc;
        self->level = SQLITE_LOCK_PENDING;
    }
    return try_lock(self, LOCK_SHARED, true);
}

static int file_lock(sqlite3_file *file, int level)
{
    struct base_file *self = file_of(file);
    if (self->level >= level)
        return SQLITE_OK;
    int rc = open_locks(self);
    if (rc != SQLITE_OK)
        return rc;
    if (level == SQLITE_LOCK_SHARED)
        rc = lock_shared(self);
    else if (level == SQLITE_LOCK_RESERVED)
        rc = try_lock(self, LOCK_RESERVED, true);
    else
        rc = lock_exclusive(self);
    if (rc == SQLITE_OK)
        self->level = level;
    return rc;
}

static int file_unlock(sqlite3_file *file, int level)
{
    struct base_file *self = file_of(file);
    if (self->level <= level)
        return SQLITE_OK;
    if (self->level == SQLITE_LOCK_EXCLUSIVE && level == SQLITE_LOCK_SHARED &&
        try_lock(self, LOCK_SHARED, false) != SQLITE_OK)
        return SQLITE_IOERR_RDLOCK;
    if (self->level > SQLITE_LOCK_SHARED) {
        graft_lock_release(self->locks, LOCK_RESERVED);
        graft_lock_release(self->locks, LOCK_PENDING);
    }
    if (level == SQLITE_LOCK_NONE)
        graft_lock_release(self->locks, LOCK_SHARED);
    self->level = level;
    return SQLITE_OK;
}

/* A shared try: those who look at the same time must not take each other for a writer, or a hot
 * journal would be taken for a live one. */
static int file_check_reserved(sqlite3_file *file, int *reserved)
{
    struct base_file *self = file_of(file);
    *reserved = self->level >= SQLITE_LOCK_RESERVED;
    if (*reserved)
        return SQLITE_OK;
    int rc = open_locks(self);
    if (rc == SQLITE_OK)
        rc = try_lock(self, LOCK_RESERVED, false);
    if (rc == SQLITE_OK)
        graft_lock_release(self->locks, LOCK_RESERVED);
    *reserved = rc == SQLITE_BUSY;
    return rc == SQLITE_BUSY ? SQLITE_OK : rc;
}

static int file_control(sqlite3_file *file, int verb, void *arg)
{
    if (verb != SQLITE_FCNTL_LOCKSTATE)
        return SQLITE_NOTFOUND;
    *(int *)arg = file_of(file)->level;
    return SQLITE_OK;
}

static int file_sector_size(sqlite3_file *file)
{
    (void)file;
    return SECTOR_BYTES;
}

static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

/* ---- The VFS. */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                    int *out_flags)
{
    struct base_file *self = file_of(file);
    struct sim_process *process = process_of(vfs);
    const int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    memset(self, 0, sizeof *self);
    if (process == NULL)
        return SQLITE_CANTOPEN;
    unsigned how = (flags & SQLITE_OPEN_READWRITE) != 0 ? GRAFT_OPEN_WRITE : GRAFT_OPEN_READ;
    if ((flags & SQLITE_OPEN_CREATE) != 0)
        how |= GRAFT_OPEN_CREATE;
    if ((flags & SQLITE_OPEN_EXCLUSIVE) != 0)
        how |= GRAFT_OPEN_EXCLUSIVE;
    if (path == NULL)
        how = GRAFT_OPEN_TEMP;
    enum graft_rc rc = graft_disk_open(process->env.disk, path == NULL ? "/tmp" : path, how,
                                       &self->disk_file, NULL);
    if (rc != GRAFT_OK)
        return rc == GRAFT_ENOMEM ? SQLITE_NOMEM : SQLITE_CANTOPEN;
    self->file.pMethods = &methods;
    self->process = process;
    self->path = path;
    self->sync_directory = (flags & journals) != 0 && (flags & SQLITE_OPEN_CREATE) != 0;
    self->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    if (out_flags != NULL)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
    struct sim_process *process = process_of(vfs);
    enum graft_rc rc = graft_disk_remove(process->env.disk, path, NULL);
    if (rc == GRAFT_ENOTFOUND)
        return SQLITE_IOERR_DELETE_NOENT;
    if (rc != GRAFT_OK)
        return to_sqlite(rc, SQLITE_IOERR_DELETE);
    return (sync_directory & 1) != 0 ? sync_parent(process, path) : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    (void)flags;
    struct graft_entry entry;
    enum graft_rc rc = graft_disk_stat(process_of(vfs)->env.disk, path, &entry, NULL);
    /* What cannot be told is not "no": a hot journal would be passed over. */
    if (rc != GRAFT_OK && rc != GRAFT_ENOTFOUND)
        return to_sqlite(rc, SQLITE_IOERR_ACCESS);
    *out = rc == GRAFT_OK && (entry.kind != GRAFT_ENTRY_FILE || entry.size > 0);
    return SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
    (void)vfs;
    int length = snprintf(out, (size_t)size, "%s%s", path[0] == '/' ? "" : "/", path);
    return length < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static void *vfs_dl_open(sqlite3_vfs *vfs, const char *path)
{
    (void)vfs;
    (void)path;
    return NULL;
}

static void vfs_dl_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    (void)snprintf(out, (size_t)size, "nothing can be loaded in a simulation");
}

static void (*vfs_dl_sym(sqlite3_vfs *vfs, void *library, const char *name))(void)
{
    (void)vfs;
    (void)library;
    (void)name;
    return NULL;
}

static void vfs_dl_close(sqlite3_vfs *vfs, void *library)
{
    (void)vfs;
    (void)library;
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    struct sim_process *process = process_of(vfs);
    if (process == NULL)
        return 0;
    graft_rand_fill(process->env.rand, out, (size_t)size);
    return size;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    struct sim_process *process = process_of(vfs);
    if (process != NULL)
        graft_task_sleep_ms(process->env.tasks, (uint32_t)(us + 999) / 1000);
    return us;
}

static int vfs_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *now_ms)
{
    struct sim_process *process = process_of(vfs);
    *now_ms = JULIAN_MS;
    if (process != NULL)
        *now_ms += (sqlite3_int64)graft_clock_now_ms(process->env.clock);
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *now_days)
{
    sqlite3_int64 now_ms = 0;
    (void)vfs_time_int64(vfs, &now_ms);
    *now_days = (double)now_ms / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    (void)size;
    (void)out;
    return 0;
}

static sqlite3_vfs make_vfs(struct sim_process *process, const char *name)
{
    return (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct base_file),
        .mxPathname = GRAFT_PATH_BYTES_MAX - 1,
        .zName = name,
        .pAppData = process,
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
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time_int64,
    };
}

void sim_sqlite_register_default(void)
{
    static sqlite3_vfs any;
    any = make_vfs(NULL, "sim");
    GRAFT_ASSERT(sqlite3_vfs_register(&any, 1) == SQLITE_OK);
}

/* ---- Processes. */

void sim_sqlite_start(struct sim_process *process)
{
    if (!sim_sqlite_is_set_up())
        return;
    struct base_vfs *self = sim_host_alloc(sizeof *self);
    self->process = process;
    (void)snprintf(self->name, sizeof self->name, BASE_NAME_PREFIX "%u", process->id);
    self->vfs = make_vfs(process, self->name);
    GRAFT_ASSERT(sqlite3_vfs_register(&self->vfs, 0) == SQLITE_OK);
    process->sqlite = self;
}

const char *sim_process_base_vfs(const struct sim_process *process)
{
    const struct base_vfs *self = process->sqlite;
    GRAFT_ASSERT(self != NULL);
    return self->name;
}

/* A VFS that another simulated process made, or that is nobody's: its name says so, and saves the
 * walk through all memory of the dying one. */
static bool is_known_other(const struct sim_process *process, const char *name)
{
    return strcmp(name, process->vfs_name) != 0 &&
           (strncmp(name, "graft-p", 7) == 0 || strncmp(name, BASE_NAME_PREFIX, 5) == 0 ||
            strncmp(name, "unix", 4) == 0 || strcmp(name, "memdb") == 0 ||
            strcmp(name, "sim") == 0);
}

void sim_sqlite_drop(struct sim_process *process)
{
    struct base_vfs *self = process->sqlite;
    if (self == NULL)
        return;
    (void)sqlite3_vfs_unregister(&self->vfs);
    for (sqlite3_vfs *at = sqlite3_vfs_find(NULL); at != NULL;) {
        sqlite3_vfs *next = at->pNext;
        if (!is_known_other(process, at->zName) && sim_heap_owns(&process->heap, at))
            (void)sqlite3_vfs_unregister(at);
        at = next;
    }
    sim_host_free(self);
    process->sqlite = NULL;
}
