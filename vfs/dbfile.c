/* The I/O methods of a main database. SQLite's locks become Graft's terms: SHARED pins the newest
 * snapshot, RESERVED takes the writer role on top of it, what lies above is granted to the writer
 * for nothing, since readers of older snapshots are not in its way. A commit is written and synced
 * in SQLITE_FCNTL_SYNC, where SQLite still takes an error for an answer, and becomes visible in
 * SQLITE_FCNTL_COMMIT_PHASETWO, where it does not.
 *
 * The pager keeps its cache from one transaction to the next when 16 bytes of page 1 are as before.
 * Divergent histories can agree in those bytes, so they are answered with made-up ones whenever the
 * pinned snapshot is not the one that filled the cache. */
#include "vfs/dbfile.h"

#include <string.h>

#include "base/catalogue.h"
#include "vfs/connection.h"
#include "vfs/pragma.h"
#include "vfs/super.h"

#define LSN_NONE UINT64_MAX
#define HEADER_BYTES 100
#define SECTOR_BYTES 4096
#define MOVED_LOOK_US UINT64_C(1000000)

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 24);
    bytes[1] = (uint8_t)(value >> 16);
    bytes[2] = (uint8_t)(value >> 8);
    bytes[3] = (uint8_t)value;
}

/* SQLite knows a schema by a number in page 1. After a reset another schema may have the number of
 * one that was dropped; so a connection under which that happened sees the number shifted, by as
 * much as never before, and what it writes is shifted back. */
static void shift_schema_number(uint8_t *page, uint32_t shift)
{
    put_u32(page + GRAFT_SCHEMA_OFFSET, get_u32(page + GRAFT_SCHEMA_OFFSET) + shift);
}

static struct graft_dbfile *self_of(sqlite3_file *file)
{
    return (struct graft_dbfile *)file;
}

void graft_dbfile_distrust_cache(struct graft_dbfile *file)
{
    file->cache_lsn = LSN_NONE;
    file->version_known = false;
    file->first_lsn = LSN_NONE;
}

/* ---- Snapshots and the writer role ---- */

/* The page size of a volume that never had a commit may change under us: another connection chooses
 * one, or a replica meets its remote. */
static enum graft_rc settle_page_bytes(struct graft_dbfile *file, struct graft_err *err)
{
    uint32_t page_bytes = graft_volume_page_bytes(file->volume, NULL);
    if (page_bytes > file->scratch_bytes) {
        uint8_t *scratch = graft_realloc(file->vfs->env->alloc, file->scratch, page_bytes, 1);
        if (scratch == NULL)
            return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a page");
        file->scratch = scratch;
        uint8_t *first = graft_realloc(file->vfs->env->alloc, file->first, page_bytes, 1);
        if (first == NULL)
            return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a page");
        file->first = first;
        file->scratch_bytes = page_bytes;
    }
    file->page_bytes = page_bytes;
    return GRAFT_OK;
}

static void unpin(struct graft_dbfile *file)
{
    if (file->pinned)
        graft_session_end(file->session);
    file->pinned = false;
}

static enum graft_rc pin(struct graft_dbfile *file, struct graft_err *err)
{
    if (file->pinned)
        return GRAFT_OK;
    GRAFT_TRY(graft_session_begin(file->session, &file->snapshot, err));
    file->pinned = true;
    if (file->size_final)
        return GRAFT_OK;
    enum graft_rc rc = settle_page_bytes(file, err);
    if (rc != GRAFT_OK) {
        unpin(file);
        return rc;
    }
    file->size_final = file->snapshot.lsn > 0;
    return GRAFT_OK;
}

static enum graft_rc take_role(struct graft_dbfile *file, struct graft_err *err)
{
    GRAFT_TRY(graft_write_begin(file->session, err));
    graft_vfs_writer_began(file->vfs);
    file->write = GRAFT_DBFILE_CLEAN;
    file->header_pages = 0;
    file->header_changed = file->first_written = file->journal.replayed = false;
    return GRAFT_OK;
}

static enum graft_rc become_writer(struct graft_dbfile *file, struct graft_err *err)
{
    if (graft_write_is_open(file->session))
        return GRAFT_OK;
    GRAFT_TRY(pin(file, err));
    return take_role(file, err);
}

/* Drops the write transaction. The child journal goes last, under the role taken once more: while
 * it is there, nobody deletes the super-journal that keeps the voided commit from counting. */
static enum graft_rc abandon_write(struct graft_dbfile *file, struct graft_err *err)
{
    if (!graft_write_is_open(file->session))
        return GRAFT_OK;
    enum graft_rc rc = graft_write_rollback(file->session, err);
    if (file->write != GRAFT_DBFILE_CLEAN)
        graft_dbfile_distrust_cache(file);
    file->write = GRAFT_DBFILE_CLEAN;
    if (file->marked && rc == GRAFT_OK && graft_write_begin(file->session, NULL) == GRAFT_OK) {
        graft_super_unmark(file);
        rc = graft_write_rollback(file->session, err);
    }
    file->marked = false;
    graft_vfs_writer_ended(file->vfs);
    return rc;
}

/* A connection that is about to write stands in line for the role before it pins a snapshot: one
 * that it has already would be stale once the writer before it is done. If it reads this database
 * after all (and writes another), it gives the role back. */
static void ask_early(struct graft_dbfile *file)
{
    struct graft_err ignored;
    graft_err_clear(&ignored);
    bool ask = file->eager && !file->pinned && !file->sticky && !file->read_only &&
               graft_connection_writes(file->database);
    file->eager = false;
    file->early = ask && take_role(file, &ignored) == GRAFT_OK;
}

static void give_back_early(struct graft_dbfile *file)
{
    struct graft_err ignored;
    graft_err_clear(&ignored);
    file->early = false;
    (void)abandon_write(file, &ignored);
}

static int dbfile_lock(sqlite3_file *base, int level)
{
    struct graft_dbfile *file = self_of(base);
    if (level <= file->lock)
        return SQLITE_OK;
    struct graft_err err;
    graft_err_clear(&err);
    bool from_none = file->lock == SQLITE_LOCK_NONE;
    if (from_none)
        ask_early(file);
    enum graft_rc rc = pin(file, &err);
    /* A connection in exclusive mode keeps its first snapshot, so nobody else may write from then
     * on. */
    bool writes = level >= SQLITE_LOCK_RESERVED || (file->exclusive && !file->read_only);
    if (rc == GRAFT_OK && writes) {
        file->early = false;
        file->eager = true;
        bool refuse = !graft_write_is_open(file->session) && GRAFT_BUGGIFY("vfs: busy for nothing");
        rc = refuse ? graft_err_set(&err, GRAFT_EBUSY, "busy") : become_writer(file, &err);
        GRAFT_SOMETIMES(rc == GRAFT_ESTALE, "a connection wanted to write on an old snapshot");
        if (rc != GRAFT_OK && from_none && !file->sticky)
            unpin(file);
    }
    if (rc != GRAFT_OK)
        return graft_sqlite_fail(rc, GRAFT_DOING_LOCK, &err);
    GRAFT_ALWAYS(file->pinned, "whoever has a lock has a snapshot");
    if (!file->seen) {
        file->seen = true;
        file->cache_lsn = file->snapshot.lsn;
    }
    if (from_none && !writes && GRAFT_MUTANT("vfs: SHARED pins no snapshot"))
        unpin(file);
    file->lock = level;
    return SQLITE_OK;
}

static int dbfile_unlock(sqlite3_file *base, int level)
{
    struct graft_dbfile *file = self_of(base);
    if (level >= file->lock)
        return SQLITE_OK;
    struct graft_err err;
    graft_err_clear(&err);
    file->early = false;
    enum graft_rc rc = abandon_write(file, &err);
    GRAFT_ALWAYS(!graft_write_is_open(file->session), "a connection without a lock writes nothing");
    file->write = GRAFT_DBFILE_CLEAN;
    file->lock = level;
    if (level == SQLITE_LOCK_NONE && !file->sticky)
        unpin(file);
    return rc == GRAFT_OK ? SQLITE_OK : graft_sqlite_fail(rc, GRAFT_DOING_UNLOCK, &err);
}

/* Nobody's writer role makes a journal hot. */
static int dbfile_check_reserved(sqlite3_file *base, int *reserved)
{
    (void)base;
    *reserved = 0;
    return SQLITE_OK;
}

/* ---- Reading ---- */

static void remember_version(struct graft_dbfile *file, const uint8_t *page)
{
    memcpy(file->version, page + GRAFT_VERSION_OFFSET, GRAFT_VERSION_BYTES);
    file->version_known = true;
}

static void remember_first(struct graft_dbfile *file, const uint8_t *page)
{
    if (graft_write_is_open(file->session) && file->first_written)
        return;
    memcpy(file->first, page, file->page_bytes);
    file->first_lsn = file->snapshot.lsn;
}

/* Bytes that were never seen and that no header can have: the page count in them is 0xffffffff. */
static void falsify_version(struct graft_dbfile *file, uint8_t *out)
{
    uint64_t count = ++file->falsified;
    memset(out, 0xff, GRAFT_VERSION_BYTES);
    memcpy(out + GRAFT_VERSION_BYTES - sizeof count, &count, sizeof count);
    if (file->schema_lsn < file->snapshot.reset_lsn &&
        file->snapshot.reset_lsn <= file->snapshot.lsn)
        file->schema_shift += GRAFT_SCHEMA_SHIFT;
    file->schema_lsn = file->snapshot.lsn;
    file->cache_lsn = file->snapshot.lsn;
    file->version_known = false;
}

/* The page is not held, or rotten: whoever knows the trees says what else is wanted. */
static enum graft_rc read_missing(struct graft_dbfile *file, uint32_t page, uint8_t *out,
                                  size_t *got, struct graft_err *err)
{
    if (file->hints == NULL)
        file->hints = graft_hints_new(file->vfs->env, file->session, &file->passed);
    if (file->hints != NULL)
        graft_hints_missing(file->hints, &file->snapshot, file->page_bytes, page);
    return graft_session_read(file->session, page, out, file->page_bytes, got, err);
}

static enum graft_rc read_page(struct graft_dbfile *file, uint32_t page, uint8_t *out,
                               struct graft_err *err)
{
    size_t got = 0;
    enum graft_rc rc = graft_session_peek(file->session, page, out, file->page_bytes, &got, err);
    if (rc == GRAFT_ENOTHELD || rc == GRAFT_ECORRUPT)
        rc = read_missing(file, page, out, &got, err);
    if (rc != GRAFT_OK)
        return rc;
    if (got < file->page_bytes)
        memset(out + got, 0, file->page_bytes - got);
    if (graft_session_was_fresh(file->session) && file->hints != NULL)
        graft_hints_fresh(file->hints, &file->snapshot, file->page_bytes, page, out);
    graft_hints_pass(&file->passed, page, out[page == 1 ? HEADER_BYTES : 0]);
    if (page == 1) {
        remember_version(file, out);
        remember_first(file, out);
        shift_schema_number(out, file->schema_shift);
    }
    return GRAFT_OK;
}

/* Any range; `*missing` is how many bytes at its end lie past the end of the volume. */
static enum graft_rc read_range(struct graft_dbfile *file, uint8_t *out, uint64_t offset,
                                size_t count, size_t *missing, struct graft_err *err)
{
    uint32_t page_count = graft_session_page_count(file->session);
    while (count > 0) {
        uint64_t index = offset / file->page_bytes;
        size_t from = (size_t)(offset % file->page_bytes);
        size_t part = file->page_bytes - from;
        if (part > count)
            part = count;
        if (index >= page_count)
            break;
        if (index > 0 && file->early)
            give_back_early(file);
        bool whole = part == file->page_bytes;
        uint8_t *to = whole ? out : file->scratch;
        GRAFT_TRY(read_page(file, (uint32_t)index + 1, to, err));
        if (!whole)
            memcpy(out, to + from, part);
        out += part;
        offset += part;
        count -= part;
    }
    *missing = count;
    return GRAFT_OK;
}

/* What sqlite3_open reads before there is a lock: only the page size matters in it, and only where
 * SQLite would choose another for an empty file. So opening needs no snapshot, and no network. */
static int read_opening_header(struct graft_dbfile *file, uint8_t *out)
{
    bool decided = false;
    uint32_t page_bytes = graft_volume_page_bytes(file->volume, &decided);
    memset(out, 0, HEADER_BYTES);
    if (!decided || page_bytes == GRAFT_PAGE_BYTES_DEFAULT)
        return SQLITE_IOERR_SHORT_READ;
    out[16] = (uint8_t)(page_bytes >> 8);
    out[17] = (uint8_t)(page_bytes >> 16);
    return SQLITE_OK;
}

static int read_pinned(struct graft_dbfile *file, void *out, int amount, sqlite3_int64 offset)
{
    struct graft_err err;
    graft_err_clear(&err);
    size_t missing = 0;
    enum graft_rc rc;
    bool asks_version = amount == GRAFT_VERSION_BYTES && offset == GRAFT_VERSION_OFFSET;
    if (asks_version && file->lock != SQLITE_LOCK_NONE) {
        bool stale = file->cache_lsn != file->snapshot.lsn;
        GRAFT_SOMETIMES(stale, "the pager's cache was of another snapshot");
        GRAFT_SOMETIMES(!stale, "the pager's cache was of the pinned snapshot");
        if (stale && GRAFT_MUTANT("vfs: the pager keeps its cache over commits of others"))
            stale = false;
        if (stale || GRAFT_BUGGIFY("vfs: the pager's cache is not believed")) {
            falsify_version(file, out);
            return SQLITE_OK;
        }
        if (file->version_known) {
            memcpy(out, file->version, GRAFT_VERSION_BYTES);
            return SQLITE_OK;
        }
    }
    rc = read_range(file, out, (uint64_t)offset, (size_t)amount, &missing, &err);
    if (rc != GRAFT_OK)
        return graft_sqlite_fail(rc, GRAFT_DOING_READ, &err);
    if (missing == 0)
        return SQLITE_OK;
    memset((uint8_t *)out + ((size_t)amount - missing), 0, missing);
    return SQLITE_IOERR_SHORT_READ;
}

static int dbfile_read(sqlite3_file *base, void *out, int amount, sqlite3_int64 offset)
{
    struct graft_dbfile *file = self_of(base);
    if (file->pinned)
        return read_pinned(file, out, amount, offset);
    if (!file->sticky && offset == 0 && amount == HEADER_BYTES)
        return read_opening_header(file, out);
    struct graft_err err;
    graft_err_clear(&err);
    enum graft_rc rc = pin(file, &err);
    if (rc != GRAFT_OK)
        return graft_sqlite_fail(rc, GRAFT_DOING_READ, &err);
    int code = read_pinned(file, out, amount, offset);
    if (!file->sticky)
        unpin(file);
    return code;
}

static int dbfile_size(sqlite3_file *base, sqlite3_int64 *bytes)
{
    struct graft_dbfile *file = self_of(base);
    bool pinned_before = file->pinned;
    struct graft_err err;
    graft_err_clear(&err);
    enum graft_rc rc = pin(file, &err);
    if (rc != GRAFT_OK)
        return graft_sqlite_fail(rc, GRAFT_DOING_READ, &err);
    *bytes = (sqlite3_int64)graft_session_page_count(file->session) * file->page_bytes;
    if (!pinned_before && !file->sticky)
        unpin(file);
    return SQLITE_OK;
}

/* ---- Writing ---- */

/* The writer role is there already unless SQLite took no lock for this transaction: it holds
 * EXCLUSIVE over several of them (locking_mode), or never locks (nolock=1). A prepared transaction
 * to which more is written was rolled back in the pager's eyes. */
static enum graft_rc open_write(struct graft_dbfile *file, struct graft_err *err)
{
    if (file->write == GRAFT_DBFILE_PREPARED)
        GRAFT_TRY(abandon_write(file, err));
    return become_writer(file, err);
}

/* The first write to an empty volume shows which page size SQLite chose. */
static enum graft_rc adopt_page_bytes(struct graft_dbfile *file, uint32_t amount,
                                      struct graft_err *err)
{
    bool decided = false;
    (void)graft_volume_page_bytes(file->volume, &decided);
    if (decided || file->write != GRAFT_DBFILE_CLEAN)
        return graft_err_set(err, GRAFT_EREADONLY,
                             "%s has pages of %u bytes, fixed when it was created; pages of %u "
                             "cannot be written to it",
                             file->name, file->page_bytes, amount);
    GRAFT_TRY(graft_write_page_bytes(file->session, amount, err));
    return settle_page_bytes(file, err);
}

/* Looks through a page 1 on its way to the store. A header that says WAL (it comes with a restored
 * or imported page 1) would make every later open fail, so it is stored as what it is here. */
static enum graft_rc check_header(struct graft_dbfile *file, const uint8_t **bytes,
                                  struct graft_err *err)
{
    const uint8_t *page = *bytes;
    uint32_t page_bytes = (uint32_t)page[16] << 8 | (uint32_t)page[17] << 16;
    if (page_bytes != file->page_bytes && memcmp(page, "SQLite format 3", 16) == 0)
        return graft_err_set(err, GRAFT_EREADONLY,
                             "%s has pages of %u bytes, fixed when it was created; a database with "
                             "pages of %u cannot be copied into it",
                             file->name, file->page_bytes, page_bytes);
    remember_version(file, page);
    file->header_pages = memcmp(page + 24, page + 92, 4) == 0 ? get_u32(page + 28) : 0;
    bool sound = page[18] == 1 && page[19] == 1;
    if (sound && file->schema_shift == 0)
        return GRAFT_OK;
    memcpy(file->scratch, page, file->page_bytes);
    shift_schema_number(file->scratch, 0 - file->schema_shift);
    file->scratch[18] = 1;
    file->scratch[19] = 1;
    file->header_changed = !sound;
    *bytes = file->scratch;
    return GRAFT_OK;
}

/* Every commit writes page 1, often for nothing but its change counter (bytes 24 to 27, and what
 * goes with it at 92 to 95), by which other connections would learn that their caches are old. Here
 * they learn it from the LSN, so that such a page need not be stored. */
static bool is_counted_only(const struct graft_dbfile *file, const uint8_t *page)
{
    const uint8_t *first = file->first;
    return !file->first_written && file->first_lsn == file->snapshot.lsn &&
           file->snapshot.lsn > 0 && memcmp(page, first, 24) == 0 &&
           memcmp(page + 28, first + 28, 64) == 0 &&
           memcmp(page + 96, first + 96, file->page_bytes - 96) == 0;
}

static enum graft_rc write_page(struct graft_dbfile *file, const uint8_t *bytes, uint32_t amount,
                                uint64_t offset, struct graft_err *err)
{
    GRAFT_TRY(open_write(file, err));
    if (amount != file->page_bytes)
        GRAFT_TRY(adopt_page_bytes(file, amount, err));
    uint64_t index = offset / amount;
    if (offset % amount != 0 || index >= GRAFT_PAGES_MAX)
        return graft_err_set(err, GRAFT_EINVAL, "%s: a write of %u bytes at %llu is no page",
                             file->name, amount, (unsigned long long)offset);
    if (index == 0)
        GRAFT_TRY(check_header(file, &bytes, err));
    file->write = GRAFT_DBFILE_DIRTY;
    if (index > 0)
        return graft_write_page(file->session, (uint32_t)index + 1, bytes, amount, err);
    if (is_counted_only(file, bytes))
        return GRAFT_OK;
    GRAFT_TRY(graft_write_page(file->session, 1, bytes, amount, err));
    memcpy(file->first, bytes, amount);
    file->first_written = true;
    return GRAFT_OK;
}

static int dbfile_write(sqlite3_file *base, const void *bytes, int amount, sqlite3_int64 offset)
{
    struct graft_dbfile *file = self_of(base);
    if (file->write == GRAFT_DBFILE_FAILED)
        return SQLITE_OK; /* the pager plays back what is rolled back already */
    struct graft_err err;
    graft_err_clear(&err);
    enum graft_rc rc = write_page(file, bytes, (uint32_t)amount, (uint64_t)offset, &err);
    return graft_sqlite_fail(rc, GRAFT_DOING_WRITE, &err);
}

static int dbfile_truncate(sqlite3_file *base, sqlite3_int64 bytes)
{
    struct graft_dbfile *file = self_of(base);
    /* The pager shrinks the file after the commit; preparing has read the size off page 1. */
    if (file->write == GRAFT_DBFILE_FAILED || file->write == GRAFT_DBFILE_PREPARED ||
        file->write == GRAFT_DBFILE_PUBLISHED)
        return SQLITE_OK;
    struct graft_err err;
    graft_err_clear(&err);
    enum graft_rc rc = open_write(file, &err);
    if (rc == GRAFT_OK) {
        uint32_t pages = (uint32_t)((uint64_t)bytes / file->page_bytes);
        if (pages != graft_session_page_count(file->session)) {
            file->write = GRAFT_DBFILE_DIRTY;
            rc = graft_write_truncate(file->session, pages, &err);
        }
    }
    return graft_sqlite_fail(rc, GRAFT_DOING_WRITE, &err);
}

static int dbfile_sync(sqlite3_file *base, int flags)
{
    (void)base;
    (void)flags;
    return SQLITE_OK; /* SQLITE_FCNTL_SYNC came before it and did the work */
}

/* ---- Committing ---- */

/* As in WAL mode a commit of one file that others wait behind is visible before it is durable: they
 * append theirs while it is synced, and one sync serves all. Not what a rollback plays back, which
 * is no commit at all (it comes from the journal, so that there must be one to be seen reading),
 * and not with a connection that keeps the role. */
static bool may_share(const struct graft_dbfile *file, const char *super)
{
    return file->synchronous >= 2 && super == NULL && !file->exclusive && !file->sticky &&
           file->journal.size > 0 && !file->journal.replayed &&
           graft_connection_is_alone(file->database) && graft_write_is_wanted(file->session);
}

static enum graft_rc prepare(struct graft_dbfile *file, const char *super, struct graft_err *err)
{
    uint32_t page_count = graft_session_page_count(file->session);
    if (file->header_pages > 0 && file->header_pages < page_count)
        GRAFT_TRY(graft_write_truncate(file->session, file->header_pages, err));
    /* As in WAL mode, FULL syncs each commit and NORMAL none. With several files the others rely on
     * this one being there once the super-journal is gone. */
    bool full = file->synchronous >= 2 || (super != NULL && file->synchronous == 1);
    if (GRAFT_MUTANT("vfs: FULL is taken for NORMAL"))
        full = false;
    if (super != NULL)
        GRAFT_TRY(graft_super_mark(file, super, err));
    if (may_share(file, super)) {
        enum graft_rc rc = graft_write_commit(file->session, err);
        if (!graft_write_is_open(file->session))
            graft_vfs_writer_ended(file->vfs);
        if (rc == GRAFT_OK)
            file->write = GRAFT_DBFILE_PUBLISHED;
        return rc;
    }
    enum graft_rc rc = graft_write_prepare(
        file->session, full ? GRAFT_DURABILITY_FULL : GRAFT_DURABILITY_NONE, super, err);
    if (rc == GRAFT_OK)
        file->write = GRAFT_DBFILE_PREPARED;
    return rc;
}

static int commit_phase_one(struct graft_dbfile *file, const char *super)
{
    if (file->write == GRAFT_DBFILE_FAILED) {
        GRAFT_REACHABLE("the pager played back what was rolled back already");
        file->write = GRAFT_DBFILE_CLEAN; /* the end of the pager's playback */
        return SQLITE_OK;
    }
    if (file->write != GRAFT_DBFILE_DIRTY || !graft_write_is_open(file->session))
        return SQLITE_OK;
    struct graft_err err;
    graft_err_clear(&err);
    enum graft_rc rc = prepare(file, super, &err);
    if (rc == GRAFT_OK)
        return SQLITE_OK;
    GRAFT_REACHABLE("a commit failed in its first phase");
    int code = graft_sqlite_fail(rc, GRAFT_DOING_COMMIT, &err);
    (void)abandon_write(file, NULL);
    graft_dbfile_distrust_cache(file);
    file->write = GRAFT_DBFILE_FAILED;
    return code;
}

static int commit_phase_two(struct graft_dbfile *file)
{
    if (file->write == GRAFT_DBFILE_FAILED)
        return SQLITE_IOERR;
    bool published = file->write == GRAFT_DBFILE_PUBLISHED;
    if (file->write != GRAFT_DBFILE_PREPARED && !published)
        return SQLITE_OK;
    if (file->marked)
        graft_super_unmark(file);
    GRAFT_ALWAYS(published || graft_write_is_prepared(file->session),
                 "what is committed was prepared");
    /* The role ends with the unlock that follows, or, with locking_mode=EXCLUSIVE, does not. */
    if (!published && !GRAFT_MUTANT("vfs: a commit ends without being published"))
        graft_write_publish_keep(file->session);
    file->header_pages = 0;
    file->write = GRAFT_DBFILE_CLEAN;
    file->size_final = true;
    bool first_known = file->first_written || file->first_lsn == file->snapshot.lsn;
    (void)graft_session_snapshot(file->session, &file->snapshot);
    file->first_lsn = first_known ? file->snapshot.lsn : LSN_NONE;
    file->first_written = file->journal.replayed = false;
    if (file->header_changed)
        graft_dbfile_distrust_cache(file);
    else
        file->cache_lsn = file->snapshot.lsn;
    file->header_changed = false;
    return SQLITE_OK;
}

/* Asked at each transaction that writes; in WAL mode SQLite does not ask at all. */
static bool has_moved(struct graft_dbfile *file)
{
    uint64_t now_us = graft_clock_monotonic_us(file->vfs->env->clock);
    if (file->moved_us != 0 && now_us - file->moved_us < MOVED_LOOK_US)
        return false;
    bool moved = graft_volume_moved(file->volume);
    file->moved_us = moved ? 0 : now_us;
    return moved;
}

static int dbfile_control(sqlite3_file *base, int operation, void *argument)
{
    struct graft_dbfile *file = self_of(base);
    switch (operation) {
    case SQLITE_FCNTL_SYNC:
        return commit_phase_one(file, argument);
    case SQLITE_FCNTL_COMMIT_PHASETWO:
        return commit_phase_two(file);
    case SQLITE_FCNTL_PRAGMA:
        return graft_pragma_run(file, argument);
    case SQLITE_FCNTL_PDB:
        file->database = argument;
        return SQLITE_OK;
    case SQLITE_FCNTL_VFSNAME:
        *(char **)argument = sqlite3_mprintf("%s", file->vfs->base.zName);
        return SQLITE_OK;
    case SQLITE_FCNTL_LOCKSTATE:
        *(int *)argument = file->lock;
        return SQLITE_OK;
    case SQLITE_FCNTL_POWERSAFE_OVERWRITE:
        *(int *)argument = 1;
        return SQLITE_OK;
    case SQLITE_FCNTL_LAST_ERRNO:
        *(int *)argument = 0;
        return SQLITE_OK;
    case SQLITE_FCNTL_HAS_MOVED:
        *(int *)argument = has_moved(file);
        return SQLITE_OK;
    case SQLITE_FCNTL_SIZE_HINT:
    case SQLITE_FCNTL_OVERWRITE:
        return SQLITE_OK;
    default:
        return SQLITE_NOTFOUND;
    }
}

static int dbfile_sector_bytes(sqlite3_file *base)
{
    (void)base;
    return SECTOR_BYTES;
}

/* POWERSAFE_OVERWRITE also keeps the pager from writing whole sectors for one small page. Not
 * UNDELETABLE_WHEN_OPEN: it would keep a journal open over a failed transaction, and the pager
 * would play it back onto a newer snapshot. */
static int dbfile_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL;
}

/* ---- Opening and closing ---- */

static void release(struct graft_dbfile *file)
{
    struct graft_alloc *alloc = file->vfs->env->alloc;
    graft_journal_deinit(&file->journal, alloc);
    graft_hints_free(file->hints);
    graft_session_close(file->session);
    graft_volume_close(file->volume);
    graft_free(alloc, file->scratch);
    graft_free(alloc, file->first);
}

static int dbfile_close(sqlite3_file *base)
{
    struct graft_dbfile *file = self_of(base);
    int code = dbfile_unlock(base, SQLITE_LOCK_NONE);
    unpin(file);
    graft_vfs_forget(file->vfs, file);
    release(file);
    file->base.pMethods = NULL;
    return code;
}

static const sqlite3_io_methods dbfile_methods = {
    .iVersion = 1,
    .xClose = dbfile_close,
    .xRead = dbfile_read,
    .xWrite = dbfile_write,
    .xTruncate = dbfile_truncate,
    .xSync = dbfile_sync,
    .xFileSize = dbfile_size,
    .xLock = dbfile_lock,
    .xUnlock = dbfile_unlock,
    .xCheckReservedLock = dbfile_check_reserved,
    .xFileControl = dbfile_control,
    .xSectorSize = dbfile_sector_bytes,
    .xDeviceCharacteristics = dbfile_characteristics,
};

struct graft_dbfile *graft_dbfile_of(sqlite3_file *file)
{
    return file != NULL && file->pMethods == &dbfile_methods ? self_of(file) : NULL;
}

struct graft_dbfile *graft_dbfile_of_schema(sqlite3 *db, const char *schema)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(db, schema, SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK)
        return NULL;
    return graft_dbfile_of(file);
}

static enum graft_rc parse_page_size(const char *text, uint32_t *out, struct graft_err *err)
{
    uint32_t value = 0;
    bool valid = text[0] != '\0';
    for (const char *at = text; *at != '\0' && valid; at++) {
        valid = *at >= '0' && *at <= '9' && value <= GRAFT_PAGE_BYTES_MAX;
        if (valid)
            value = value * 10 + (uint32_t)(*at - '0');
    }
    if (!valid || value < GRAFT_PAGE_BYTES_MIN || value > GRAFT_PAGE_BYTES_MAX ||
        (value & (value - 1)) != 0)
        return graft_err_set(err, GRAFT_EINVAL,
                             "page_size=%.40s is not allowed: a power of two from %u to %u is",
                             text, GRAFT_PAGE_BYTES_MIN, GRAFT_PAGE_BYTES_MAX);
    *out = value;
    return GRAFT_OK;
}

static enum graft_rc open_volume(struct graft_dbfile *file, int flags, struct graft_err *err)
{
    struct graft_volume_options options = {.create = (flags & SQLITE_OPEN_CREATE) != 0};
    options.remote_url = sqlite3_uri_parameter(file->name, "remote");
    if (options.remote_url != NULL && options.remote_url[0] == '\0')
        options.remote_url = NULL;
    const char *page_size = sqlite3_uri_parameter(file->name, "page_size");
    if (page_size != NULL)
        GRAFT_TRY(parse_page_size(page_size, &options.page_bytes, err));
    options.cache_limit = sqlite3_uri_parameter(file->name, "cache_limit");
    GRAFT_TRY(graft_volume_open(file->vfs->process, file->name, &options, &file->volume, err));
    GRAFT_TRY(graft_session_open(file->volume, &file->session, err));
    return settle_page_bytes(file, err);
}

int graft_dbfile_open(struct graft_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                      int *out_flags)
{
    struct graft_dbfile *file = self_of(base);
    *file = (struct graft_dbfile){
        .vfs = vfs,
        .name = name,
        .journal_name = sqlite3_filename_journal(name),
        .wal_name = sqlite3_filename_wal(name),
        .sticky =
            sqlite3_uri_boolean(name, "nolock", 0) || sqlite3_uri_boolean(name, "immutable", 0),
        .read_only = (flags & SQLITE_OPEN_READONLY) != 0,
        .cache_lsn = LSN_NONE,
        .first_lsn = LSN_NONE,
        .synchronous = 2,
        .journal_mode = "delete",
    };
    struct graft_err err;
    graft_err_clear(&err);
    enum graft_rc rc = open_volume(file, flags, &err);
    if (rc != GRAFT_OK) {
        release(file);
        return graft_sqlite_fail(rc, GRAFT_DOING_OPEN, &err);
    }
    graft_super_recover(file);
    graft_vfs_remember(vfs, file);
    file->base.pMethods = &dbfile_methods;
    if (out_flags != NULL)
        *out_flags = flags;
    return SQLITE_OK;
}
