/* Sessions: a thin layer over the store's that goes to the remote for what the store does not hold.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "engine/sync.h"
#include "engine/volume.h"

/* Every public function has somewhere to put its text, also when the caller has none. */
#define ERR_OR_LOCAL(err)             \
    struct graft_err local_err = {0}; \
    if ((err) == NULL)                \
    (err) = &local_err

enum graft_rc graft_session_open(struct graft_volume *volume, struct graft_session **out,
                                 struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct graft_session *session = graft_calloc(volume->env->alloc, 1, sizeof *session);
    if (session == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a session");
    session->volume = volume;
    enum graft_rc rc = graft_store_session_open(volume->store, &session->store, err);
    if (rc != GRAFT_OK) {
        graft_free(volume->env->alloc, session);
        return graft_volume_failed(volume, rc, err);
    }
    *out = session;
    return GRAFT_OK;
}

void graft_session_close(struct graft_session *session)
{
    if (session == NULL)
        return;
    graft_store_session_close(session->store);
    graft_free(session->volume->env->alloc, session);
}

static struct graft_snapshot public_snapshot(const struct graft_store_snapshot *inner)
{
    return (struct graft_snapshot){
        .lsn = inner->lsn,
        .remote_lsn = inner->remote_lsn,
        .reset_lsn = inner->reset_lsn,
        .page_count = inner->page_count,
    };
}

/* A replica that has nothing yet asks its remote once a process what there is. */
static bool must_meet(struct graft_volume *volume, const struct graft_store_snapshot *snapshot)
{
    if (snapshot->lsn > 0)
        return false;
    graft_mutex_lock(volume->mutex);
    bool must = volume->remote != NULL && !volume->met;
    graft_mutex_unlock(volume->mutex);
    GRAFT_SOMETIMES(must, "a new replica met its remote");
    return must && !GRAFT_MUTANT("engine: a new replica takes itself for an empty volume");
}

enum graft_rc graft_session_begin(struct graft_session *session, struct graft_snapshot *out,
                                  struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct graft_volume *volume = session->volume;
    struct graft_store_snapshot inner;
    enum graft_rc rc = graft_store_begin(session->store, &inner, err);
    if (rc == GRAFT_OK && must_meet(volume, &inner)) {
        graft_store_end(session->store);
        struct graft_sync_result ignored;
        rc = graft_pull(volume, &ignored, err);
        if (rc != GRAFT_OK)
            return rc;
        rc = graft_store_begin(session->store, &inner, err);
    }
    if (rc != GRAFT_OK)
        return graft_volume_failed(volume, rc, err);
    if (out != NULL)
        *out = public_snapshot(&inner);
    return GRAFT_OK;
}

bool graft_session_snapshot(const struct graft_session *session, struct graft_snapshot *out)
{
    struct graft_store_snapshot inner;
    if (!graft_store_pinned(session->store, &inner))
        return false;
    if (out != NULL)
        *out = public_snapshot(&inner);
    return true;
}

void graft_session_end(struct graft_session *session)
{
    if (graft_store_writing(session->store)) {
        struct graft_err err = {0};
        enum graft_rc rc = graft_store_rollback(session->store, &err);
        (void)graft_volume_failed(session->volume, rc, &err);
    }
    graft_store_end(session->store);
}

/* A rotten page that the remote holds is given up here and fetched again. ECORRUPT, with `err` as
 * it was, where the store refuses since only it has the page; what else fails may work the next
 * time.
 */
static enum graft_rc give_up_rotten(struct graft_session *session, uint32_t page,
                                    struct graft_err *err)
{
    struct graft_volume *volume = session->volume;
    struct graft_err refused = {0};
    if (graft_volume_remote(volume) == NULL)
        return GRAFT_ECORRUPT;
    struct graft_store_snapshot snapshot = {0};
    (void)graft_store_pinned(session->store, &snapshot);
    enum graft_rc rc = graft_store_forget(volume->store, page, snapshot.lsn, &refused);
    if (rc == GRAFT_EINVAL)
        return GRAFT_ECORRUPT;
    if (rc != GRAFT_OK)
        return graft_err_set(err, rc, "giving up page %u, which is damaged: %s", page,
                             refused.text);
    GRAFT_REACHABLE("a damaged page was repaired from the remote");
    volume->counts.repairs++;
    graft_log_write(volume->env->log, GRAFT_LOG_WARN,
                    "%s: page %u was damaged here; the remote has it, and it is fetched again",
                    volume->directory, page);
    return GRAFT_OK;
}

static enum graft_rc read_remote(struct graft_session *session, uint32_t page, void *bytes,
                                 size_t *got, struct graft_err *err)
{
    struct graft_volume *volume = session->volume;
    struct graft_store_snapshot snapshot;
    bool pinned = graft_store_pinned(session->store, &snapshot);
    GRAFT_ASSERT(pinned);
    if (snapshot.remote_lsn == 0)
        return graft_err_set(
            err, GRAFT_ECORRUPT,
            "page %u of %s is missing, and no remote has it: restore the directory from a copy",
            page, volume->directory);
    volume->counts.stalls++;
    GRAFT_REACHABLE("a reader went to the remote for a page");
    struct graft_view *view = NULL;
    uint64_t began_us = graft_clock_monotonic_us(volume->env->clock);
    enum graft_rc rc = graft_view_get(volume, snapshot.remote_lsn, &view, err);
    if (rc == GRAFT_OK) {
        graft_prefetch_expand(session, view, page);
        rc = graft_fetch_page(session, view, page, bytes, got, err);
    }
    if (rc == GRAFT_OK) {
        (void)graft_prefetch_take_mark(volume, page);
        session->fresh = true;
        graft_prefetch_stalled(session, view,
                               graft_clock_monotonic_us(volume->env->clock) - began_us);
    }
    graft_view_release(volume, view);
    return rc == GRAFT_OK ? rc : graft_err_wrap(err, rc, "fetching page %u", page);
}

/* Where nothing waits to be read for the first time, as in a warm replica, this is one load. */
static void note_read(struct graft_session *session, uint32_t page)
{
    struct graft_volume *volume = session->volume;
    session->fresh = atomic_load_explicit(&volume->prefetch.unread, memory_order_relaxed) > 0 &&
                     graft_prefetch_take_mark(volume, page);
    if (session->fresh)
        graft_prefetch_first_read(session, page);
    else
        graft_store_touch(volume->store, page);
}

enum graft_rc graft_session_read(struct graft_session *session, uint32_t page, void *bytes,
                                 size_t size, size_t *got, struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    GRAFT_ASSERT(size >= graft_store_page_bytes(session->volume->store));
    enum graft_rc rc = graft_store_read(session->store, page, bytes, got, err);
    if (rc == GRAFT_OK) {
        note_read(session, page);
        return GRAFT_OK;
    }
    if (rc == GRAFT_ECORRUPT) {
        rc = give_up_rotten(session, page, err);
        if (rc != GRAFT_OK)
            return graft_volume_failed(session->volume, rc, err);
        rc = GRAFT_ENOTHELD;
    }
    if (rc == GRAFT_ENOTHELD)
        rc = read_remote(session, page, bytes, got, err);
    return graft_volume_failed(session->volume, rc, err);
}

enum graft_rc graft_session_peek(struct graft_session *session, uint32_t page, void *bytes,
                                 size_t size, size_t *got, struct graft_err *err)
{
    GRAFT_ASSERT(size >= graft_store_page_bytes(session->volume->store));
    GRAFT_TRY(graft_store_read(session->store, page, bytes, got, err));
    note_read(session, page);
    return GRAFT_OK;
}

bool graft_session_was_fresh(const struct graft_session *session)
{
    return session->fresh;
}

uint64_t graft_session_stalled_us(const struct graft_session *session)
{
    return session->stalled_us;
}

uint32_t graft_session_page_count(const struct graft_session *session)
{
    if (graft_store_writing(session->store))
        return graft_store_write_count(session->store);
    struct graft_store_snapshot snapshot;
    return graft_store_pinned(session->store, &snapshot) ? snapshot.page_count : 0;
}

enum graft_rc graft_write_begin(struct graft_session *session, struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    if (!graft_store_pinned(session->store, NULL)) {
        /* Pinned again once the role is there: what waits in line for it must not be left behind.
         */
        GRAFT_TRY(graft_session_begin(session, NULL, err));
        graft_store_end(session->store);
    }
    return graft_volume_failed(session->volume, graft_store_write_begin(session->store, err), err);
}

bool graft_write_is_open(const struct graft_session *session)
{
    return graft_store_writing(session->store);
}

enum graft_rc graft_write_page_bytes(struct graft_session *session, uint32_t page_bytes,
                                     struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    return graft_volume_failed(session->volume,
                               graft_store_write_page_bytes(session->store, page_bytes, err), err);
}

enum graft_rc graft_write_page(struct graft_session *session, uint32_t page, const void *bytes,
                               size_t size, struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    return graft_volume_failed(session->volume,
                               graft_store_write(session->store, page, bytes, size, err), err);
}

enum graft_rc graft_write_truncate(struct graft_session *session, uint32_t page_count,
                                   struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    return graft_volume_failed(session->volume,
                               graft_store_write_page_count(session->store, page_count, err), err);
}

enum graft_rc graft_write_prepare(struct graft_session *session, enum graft_durability durability,
                                  const char *super_journal, struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct graft_store_commit commit = {
        .kind = GRAFT_COMMIT_LOCAL,
        .durable = durability == GRAFT_DURABILITY_FULL,
        .super_journal = super_journal,
        .time_ms = graft_clock_now_ms(session->volume->env->clock),
    };
    return graft_volume_failed(session->volume, graft_store_prepare(session->store, &commit, err),
                               err);
}

bool graft_write_is_wanted(const struct graft_session *session)
{
    return graft_store_writer_wanted(session->store) ||
           GRAFT_BUGGIFY("commit: published before the sync though nobody waits");
}

enum graft_rc graft_write_commit(struct graft_session *session, struct graft_err *err)
{
    GRAFT_TRY(graft_write_prepare(session, GRAFT_DURABILITY_NONE, NULL, err));
    graft_store_publish(session->store);
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct graft_store_snapshot snapshot;
    bool pinned = graft_store_pinned(session->store, &snapshot);
    GRAFT_ASSERT(pinned);
    enum graft_rc rc = graft_store_settle(session->store, snapshot.lsn, err);
    graft_cache_keep(session->volume);
    return graft_volume_failed(session->volume, rc, err);
}

bool graft_write_is_prepared(const struct graft_session *session)
{
    return graft_store_prepared(session->store);
}

void graft_write_publish(struct graft_session *session)
{
    graft_store_publish(session->store);
    graft_cache_keep(session->volume);
}

void graft_write_publish_keep(struct graft_session *session)
{
    graft_store_publish_keep(session->store);
    graft_cache_keep(session->volume);
}

enum graft_rc graft_write_rollback(struct graft_session *session, struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    return graft_volume_failed(session->volume, graft_store_rollback(session->store, err), err);
}
