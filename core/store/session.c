/* Sessions: a read mark that all processes see, and reading at the snapshot that it pins. To begin
 * takes atomics only: publish the mark, fence, and look whether a floor was raised above it by one
 * who scanned the marks before it was there. */
#include "store/parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"

#define FIRST_TRIES_MAX 1000000U
#define SLOW_MS 500U

static _Atomic uint64_t *mark_of(struct graft_store *store, uint32_t mark)
{
    return &store->header[GRAFT_MARKS_OFFSET / 8 + mark * GRAFT_MARK_WORDS];
}

/* ---- Marks, as folding and installing see them ---- */

/* A mark whose lock can be had has no owner. */
static bool mark_is_live(struct graft_store *store, uint32_t mark, uint64_t seen)
{
    bool granted = false;
    struct graft_err ignored = {0};
    uint32_t index = GRAFT_LOCK_MARKS + mark;
    if (graft_lock_try(store->locks, index, true, &granted, &ignored) != GRAFT_OK || !granted)
        return true;
    GRAFT_REACHABLE("the mark of a dead reader was taken away");
    (void)graft_shm_cas(store->env->shm, mark_of(store, mark), seen, 0);
    graft_lock_release(store->locks, index);
    return false;
}

uint64_t graft_marks_least(struct graft_store *store, uint64_t lsn)
{
    for (uint32_t i = 0; i < GRAFT_SESSIONS_MAX; i++) {
        uint64_t seen = graft_shm_load(mark_of(store, i));
        if (seen != 0 && seen - 1 < lsn && mark_is_live(store, i, seen))
            lsn = seen - 1;
    }
    return lsn;
}

uint64_t graft_marks_least_remote(struct graft_store *store, uint64_t remote_lsn)
{
    for (uint32_t i = 0; i < GRAFT_SESSIONS_MAX; i++) {
        _Atomic uint64_t *mark = mark_of(store, i);
        uint64_t seen = graft_shm_load(mark);
        uint64_t has = graft_shm_load(&mark[1]);
        if (seen != 0 && has < remote_lsn && mark_is_live(store, i, seen))
            remote_lsn = has;
    }
    return remote_lsn;
}

bool graft_marks_reach(struct graft_store *store, uint64_t lsn, uint64_t remote_lsn)
{
    for (uint32_t i = 0; i < GRAFT_SESSIONS_MAX; i++) {
        _Atomic uint64_t *mark = mark_of(store, i);
        uint64_t seen = graft_shm_load(mark);
        if (seen == 0)
            continue;
        bool reaches = seen - 1 >= lsn && graft_shm_load(&mark[1]) >= remote_lsn;
        if (!reaches && graft_shm_load(mark) != 0 && mark_is_live(store, i, seen))
            return false;
    }
    return true;
}

void graft_session_set_mark(struct graft_store_session *session, uint64_t lsn, uint64_t remote_lsn)
{
    struct graft_store *store = session->store;
    _Atomic uint64_t *mark = mark_of(store, session->mark);
    GRAFT_ALWAYS(lsn <= graft_header_load(store, GRAFT_W_HEAD),
                 "no mark is above the newest commit");
    graft_shm_store(store->env->shm, &mark[1], remote_lsn);
    graft_shm_store(store->env->shm, &mark[0], lsn + 1);
}

/* ---- Life ---- */

static enum graft_rc take_mark(struct graft_store_session *session, struct graft_err *err)
{
    struct graft_store *store = session->store;
    if (GRAFT_BUGGIFY("session: a mark near the end of the table"))
        store->mark_hint = GRAFT_SESSIONS_MAX - 2;
    for (uint32_t i = 0; i < GRAFT_SESSIONS_MAX; i++) {
        uint32_t mark = (store->mark_hint + i) % GRAFT_SESSIONS_MAX;
        bool granted = false;
        GRAFT_TRY(graft_lock_try(session->locks, GRAFT_LOCK_MARKS + mark, true, &granted, err));
        GRAFT_SOMETIMES(!granted, "a session found its mark in use and took the next");
        if (!granted)
            continue;
        session->mark = mark;
        store->mark_hint = mark + 1;
        graft_writer_disown(store, mark);
        graft_shm_store(store->env->shm, mark_of(store, mark), 0);
        return GRAFT_OK;
    }
    return graft_err_set(err, GRAFT_ELIMIT, "%s: more than %u connections", store->directory,
                         GRAFT_SESSIONS_MAX);
}

enum graft_rc graft_store_session_open(struct graft_store *store, struct graft_store_session **out,
                                       struct graft_err *err)
{
    struct graft_alloc *alloc = store->env->alloc;
    struct graft_store_session *session = graft_calloc(alloc, 1, sizeof *session);
    if (session == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "opening a session on %s: out of memory",
                             store->directory);
    session->store = store;
    char path[GRAFT_PATH_BYTES_MAX];
    enum graft_rc rc = graft_store_path(store, "lock", path, err);
    if (rc == GRAFT_OK)
        rc = graft_locks_open(store->env->shm, path, &session->locks, err);
    if (rc == GRAFT_OK) {
        graft_mutex_lock(store->mutex);
        rc = take_mark(session, err);
        graft_mutex_unlock(store->mutex);
    }
    if (rc != GRAFT_OK) {
        graft_locks_close(session->locks);
        graft_free(alloc, session);
        return rc;
    }
    *out = session;
    return GRAFT_OK;
}

void graft_store_session_close(struct graft_store_session *session)
{
    if (session == NULL)
        return;
    struct graft_store *store = session->store;
    struct graft_err err = {0};
    if (session->txn.open && graft_store_rollback(session, &err) != GRAFT_OK)
        graft_log_write(store->env->log, GRAFT_LOG_ERROR, "closing a session: %s", err.text);
    graft_store_end(session);
    graft_locks_close(session->locks);
    graft_stream_deinit(&session->stream, store->env->alloc);
    graft_free(store->env->alloc, session);
}

/* ---- Pinning ---- */

enum graft_rc graft_store_begin(struct graft_store_session *session,
                                struct graft_store_snapshot *out, struct graft_err *err)
{
    struct graft_store *store = session->store;
    if (session->pinned) {
        *out = session->snapshot;
        return GRAFT_OK;
    }
    if (store->half_changed)
        GRAFT_TRY(graft_store_mend_volume(store, err));
    if (graft_store_in_doubt(store))
        GRAFT_TRY(graft_store_end_doubt(session, false, err));
    for (unsigned attempt = 0; attempt < FIRST_TRIES_MAX; attempt++) {
        uint64_t head = graft_header_load(store, GRAFT_W_HEAD);
        struct graft_store_snapshot snapshot;
        if (!graft_ring_load(store, head, &snapshot))
            continue;
        if (attempt == 0 && GRAFT_BUGGIFY("session: pin at the second try"))
            continue;
        if (GRAFT_BUGGIFY("session: slow to publish its mark"))
            graft_task_sleep_ms(store->env->tasks, SLOW_MS);
        graft_session_set_mark(session, head, snapshot.remote_lsn);
        graft_shm_fence();
        if ((graft_header_load(store, GRAFT_W_FLOOR) > head ||
             graft_header_load(store, GRAFT_W_REMOTE_FLOOR) > snapshot.remote_lsn) &&
            !GRAFT_MUTANT("store: a pin takes no second look at the floors"))
            continue;
        GRAFT_ALWAYS(snapshot.lsn >= session->snapshot.lsn, "a session's snapshots do not go back");
        snapshot.reset_lsn = graft_header_load(store, GRAFT_W_RESET);
        session->snapshot = snapshot;
        session->pinned = true;
        *out = snapshot;
        return GRAFT_OK;
    }
    graft_shm_store(store->env->shm, mark_of(store, session->mark), 0);
    return graft_err_set(err, GRAFT_EIO, "%s: no snapshot can be pinned; the shared table is bad",
                         store->directory);
}

void graft_store_end(struct graft_store_session *session)
{
    if (!session->pinned)
        return;
    GRAFT_ASSERT(!session->txn.open);
    session->pinned = false;
    graft_shm_store(session->store->env->shm, mark_of(session->store, session->mark), 0);
}

bool graft_store_pinned(const struct graft_store_session *session, struct graft_store_snapshot *out)
{
    if (session->pinned && out != NULL)
        *out = session->snapshot;
    return session->pinned;
}

/* ---- Reading ---- */

static enum graft_rc not_held(uint32_t page, struct graft_err *err)
{
    return graft_err_set(err, GRAFT_ENOTHELD, "page %u is not held here", page);
}

/* Neither log nor image has a version. That is so for a page that the remote has; where it cannot
 * be, the table has lost something. */
static enum graft_rc nothing_found(struct graft_store_session *session, uint32_t page,
                                   const struct graft_found *found, bool *again,
                                   struct graft_err *err)
{
    struct graft_store *store = session->store;
    bool lost = session->snapshot.remote_lsn == 0;
    if (!lost && graft_word_place(found->word) == 0)
        GRAFT_TRY(graft_ahead_has(store, page, &lost, err));
    if (!lost)
        return not_held(page, err);
    _Atomic uint64_t *word = NULL;
    GRAFT_TRY(graft_table_word(store, page, &word, err));
    *again = graft_shm_load(word) != found->word;
    if (*again)
        return GRAFT_OK;
    store->counts.rot++;
    return graft_err_set(err, GRAFT_ECORRUPT,
                         "page %u: %s/table says nothing of it, and no remote has it; restore the "
                         "directory from a copy",
                         page, store->directory);
}

static enum graft_rc read_snapshot(struct graft_store_session *session, uint32_t page, void *bytes,
                                   size_t *got, struct graft_err *err)
{
    if (page <= session->snapshot.page_count && graft_stream_read(session, page, bytes)) {
        *got = session->stream.page_bytes;
        return GRAFT_OK;
    }
    bool again = true;
    while (again) {
        struct graft_found found;
        GRAFT_TRY(
            graft_store_lookup(session->store, page, session->snapshot.lsn, bytes, &found, err));
        if (found.kind == GRAFT_FOUND_LOG && found.record == GRAFT_RECORD_REMOTE)
            return not_held(page, err);
        if (found.kind != GRAFT_FOUND_NOTHING) {
            *got = found.size;
            return GRAFT_OK;
        }
        GRAFT_TRY(nothing_found(session, page, &found, &again, err));
    }
    return GRAFT_EBUG;
}

enum graft_rc graft_store_read(struct graft_store_session *session, uint32_t page, void *bytes,
                               size_t *got, struct graft_err *err)
{
    if (!session->pinned)
        return graft_err_set(err, GRAFT_EINVAL, "reading page %u: no snapshot is pinned", page);
    uint32_t count = session->txn.open ? session->txn.count : session->snapshot.page_count;
    if (page == 0 || page > count)
        return graft_err_set(err, GRAFT_EINVAL, "page %u is not one of 1 to %u", page, count);
    if (session->txn.open) {
        bool found = false;
        GRAFT_TRY(graft_txn_read(session, page, bytes, got, &found, err));
        if (found)
            return GRAFT_OK;
    }
    return read_snapshot(session, page, bytes, got, err);
}
