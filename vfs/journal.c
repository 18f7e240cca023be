/* The main journal of a Graft database. A crash needs none, since a transaction is one commit of
 * the store; the pager still wants somewhere to keep old pages for ROLLBACK and savepoints. The
 * store is one window of memory over the journal's end: appends fill it, and when it is full it is
 * flushed to an unnamed file and used again, so that an UPDATE of every row of a large table
 * neither takes its size in memory nor a system call for each of the pager's four-byte writes. */
#include "vfs/journal.h"

#include <string.h>

#include "base/catalogue.h"
#include "vfs/dbfile.h"

#define CAPACITY_MIN ((size_t)16 << 10)

struct journal_file {
    sqlite3_file base; /* must stand first */
    struct graft_dbfile *database;
};

static struct graft_journal_store *store_of(sqlite3_file *file)
{
    return &((struct journal_file *)file)->database->journal;
}

static struct graft_env *env_of(sqlite3_file *file)
{
    return ((struct journal_file *)file)->database->vfs->env;
}

static void drop_content(struct graft_journal_store *store)
{
    graft_file_close(store->file);
    store->file = NULL;
    store->size = 0;
    store->flushed = 0;
}

void graft_journal_deinit(struct graft_journal_store *store, struct graft_alloc *alloc)
{
    drop_content(store);
    graft_free(alloc, store->bytes);
    store->bytes = NULL;
    store->capacity = 0;
}

/* The window stays for the connection's next transaction: having it mapped and cleared anew each
 * time was 5% of a mix of statements. */
static int journal_close(sqlite3_file *file)
{
    drop_content(store_of(file));
    return SQLITE_OK;
}

static enum graft_rc flush_window(sqlite3_file *file, struct graft_err *err)
{
    struct graft_journal_store *store = store_of(file);
    if (store->file == NULL) {
        const char *directory =
            graft_volume_directory(((struct journal_file *)file)->database->volume);
        GRAFT_TRY(graft_disk_open(env_of(file)->disk, directory,
                                  GRAFT_OPEN_READ | GRAFT_OPEN_WRITE | GRAFT_OPEN_TEMP,
                                  &store->file, err));
    }
    size_t bytes = (size_t)(store->size - store->flushed);
    GRAFT_TRY(graft_file_write(store->file, store->flushed, store->bytes, bytes, err));
    store->flushed = store->size;
    GRAFT_REACHABLE("a rollback journal outgrew its memory");
    return GRAFT_OK;
}

/* Makes the window larger while it may grow, and empties it into the file when it may not. */
static enum graft_rc make_room(sqlite3_file *file, struct graft_err *err)
{
    struct graft_journal_store *store = store_of(file);
    if (store->size - store->flushed < store->capacity)
        return GRAFT_OK;
    if (store->capacity == GRAFT_JOURNAL_MEMORY_BYTES ||
        (store->capacity > 0 && GRAFT_BUGGIFY("journal: a small window")))
        return flush_window(file, err);
    size_t capacity = store->capacity == 0 ? CAPACITY_MIN : store->capacity * 2;
    if (capacity > GRAFT_JOURNAL_MEMORY_BYTES)
        capacity = GRAFT_JOURNAL_MEMORY_BYTES;
    uint8_t *bytes = graft_realloc(env_of(file)->alloc, store->bytes, capacity, 1);
    if (bytes == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a rollback journal");
    store->bytes = bytes;
    store->capacity = capacity;
    return GRAFT_OK;
}

/* Appends `count` bytes, or zeros when `from` is NULL. */
static enum graft_rc append(sqlite3_file *file, const uint8_t *from, uint64_t count,
                            struct graft_err *err)
{
    struct graft_journal_store *store = store_of(file);
    while (count > 0) {
        GRAFT_TRY(make_room(file, err));
        size_t at = (size_t)(store->size - store->flushed);
        size_t part = store->capacity - at;
        if (part > count)
            part = (size_t)count;
        if (from != NULL) {
            memcpy(store->bytes + at, from, part);
            from += part;
        } else {
            memset(store->bytes + at, 0, part);
        }
        store->size += part;
        count -= part;
        GRAFT_ALWAYS(store->flushed <= store->size,
                     "a rollback journal has what was flushed of it");
    }
    return GRAFT_OK;
}

static enum graft_rc overwrite(sqlite3_file *file, uint64_t offset, const uint8_t *from,
                               uint64_t count, struct graft_err *err)
{
    struct graft_journal_store *store = store_of(file);
    if (offset < store->flushed) {
        uint64_t part = store->flushed - offset;
        if (part > count)
            part = count;
        GRAFT_TRY(graft_file_write(store->file, offset, from, (size_t)part, err));
        offset += part;
        from += part;
        count -= part;
    }
    if (count > 0)
        memcpy(store->bytes + (offset - store->flushed), from, (size_t)count);
    return GRAFT_OK;
}

static int journal_write(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 offset)
{
    struct graft_journal_store *store = store_of(file);
    struct graft_err err;
    graft_err_clear(&err);
    enum graft_rc rc = GRAFT_OK;
    const uint8_t *from = bytes;
    uint64_t at = (uint64_t)offset;
    uint64_t count = (uint64_t)amount;
    if (at > store->size)
        rc = append(file, NULL, at - store->size, &err);
    if (rc == GRAFT_OK && at < store->size) {
        uint64_t part = store->size - at < count ? store->size - at : count;
        rc = overwrite(file, at, from, part, &err);
        from += part;
        count -= part;
    }
    if (rc == GRAFT_OK)
        rc = append(file, from, count, &err);
    return graft_sqlite_fail(rc, GRAFT_DOING_WRITE, &err);
}

static int journal_read(sqlite3_file *file, void *bytes, int amount, sqlite3_int64 offset)
{
    struct graft_journal_store *store = store_of(file);
    uint8_t *to = bytes;
    uint64_t at = (uint64_t)offset;
    uint64_t count = (uint64_t)amount;
    store->replayed = true;
    uint64_t there = at < store->size ? store->size - at : 0;
    if (there > count)
        there = count;
    if (at > 0 && GRAFT_MUTANT("vfs: a rollback journal gives nothing back"))
        there = 0;
    uint64_t missing = count - there;
    if (there > 0 && at < store->flushed) {
        uint64_t part = store->flushed - at < there ? store->flushed - at : there;
        size_t got = 0;
        struct graft_err err;
        graft_err_clear(&err);
        enum graft_rc rc = graft_file_read(store->file, at, to, (size_t)part, &got, &err);
        if (rc == GRAFT_OK && got < part)
            rc = graft_err_set(&err, GRAFT_EIO, "the temporary rollback journal lost bytes");
        if (rc != GRAFT_OK)
            return graft_sqlite_fail(rc, GRAFT_DOING_READ, &err);
        at += part;
        to += part;
        there -= part;
    }
    if (there > 0)
        memcpy(to, store->bytes + (at - store->flushed), (size_t)there);
    if (missing == 0)
        return SQLITE_OK;
    memset(to + there, 0, (size_t)missing);
    return SQLITE_IOERR_SHORT_READ;
}

static int journal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct graft_journal_store *store = store_of(file);
    uint64_t bytes = (uint64_t)size;
    if (bytes == 0) {
        drop_content(store);
    } else if (bytes < store->size) {
        store->size = bytes;
        if (store->flushed > bytes)
            store->flushed = bytes;
    }
    return SQLITE_OK;
}

static int journal_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return SQLITE_OK;
}

static int journal_size(sqlite3_file *file, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)store_of(file)->size;
    return SQLITE_OK;
}

static int journal_lock(sqlite3_file *file, int level)
{
    (void)file;
    (void)level;
    return SQLITE_OK;
}

static int journal_check_reserved(sqlite3_file *file, int *reserved)
{
    (void)file;
    *reserved = 0;
    return SQLITE_OK;
}

static int journal_control(sqlite3_file *file, int operation, void *argument)
{
    (void)file;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int journal_sector_bytes(sqlite3_file *file)
{
    (void)file;
    return 512;
}

static int journal_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL | SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods journal_methods = {
    .iVersion = 1,
    .xClose = journal_close,
    .xRead = journal_read,
    .xWrite = journal_write,
    .xTruncate = journal_truncate,
    .xSync = journal_sync,
    .xFileSize = journal_size,
    .xLock = journal_lock,
    .xUnlock = journal_lock,
    .xCheckReservedLock = journal_check_reserved,
    .xFileControl = journal_control,
    .xSectorSize = journal_sector_bytes,
    .xDeviceCharacteristics = journal_characteristics,
};

int graft_journal_file_bytes(void)
{
    return (int)sizeof(struct journal_file);
}

void graft_journal_open(struct graft_dbfile *database, sqlite3_file *file)
{
    struct journal_file *journal = (struct journal_file *)file;
    journal->database = database;
    journal->base.pMethods = &journal_methods;
    drop_content(&database->journal);
}
