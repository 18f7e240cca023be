/* Where the oracle stands: the linker sends the calls below, from whatever file they come that is
 * not the one that defines them, here first (--wrap; the list is in CMakeLists.txt). Each calls the
 * real function, and tells the oracle, if there is one, what went in before and what came out
 * after.
 *
 * Clients' writes and reads are taken at the public API; when a commit begins to count, what a push
 * carries and what a replica believes of its remote, at the calls of the engine to the store, where
 * they are said in so many words. */
#include "engine/sync.h"
#include "sim/oracle_parts.h"

#define WRAP(type, name, ...)        \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

void oracle_wrap_link(void)
{
}

/* ---- Volumes and sessions ---- */

WRAP(enum graft_rc, graft_volume_open, struct graft_process *process, const char *directory,
     const struct graft_volume_options *options, struct graft_volume **out, struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    enum graft_rc rc = __real_graft_volume_open(process, directory, options, out, err);
    struct sim_oracle *oracle = oracle_current();
    if (oracle == NULL)
        return rc;
    if (rc == GRAFT_OK)
        (void)oracle_replica_of(oracle, *out);
    else
        oracle_check_error(oracle, NULL, directory, rc, err);
    return rc;
}

/* Another store may have been at this address. */
WRAP(enum graft_rc, graft_store_open, struct graft_env *env, const char *directory,
     struct graft_store **out, struct graft_err *err)
{
    enum graft_rc rc = __real_graft_store_open(env, directory, out, err);
    struct sim_oracle *oracle = oracle_current();
    if (oracle != NULL && rc == GRAFT_OK) {
        oracle_table_set(&oracle->stores, *out, NULL);
        oracle_frames_drop(oracle, *out);
    }
    return rc;
}

WRAP(enum graft_rc, graft_store_recover, struct graft_store *store, struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    if (oracle != NULL)
        oracle_recovers(oracle, store);
    return __real_graft_store_recover(store, err);
}

WRAP(enum graft_rc, graft_store_session_open, struct graft_store *store,
     struct graft_store_session **out, struct graft_err *err)
{
    enum graft_rc rc = __real_graft_store_session_open(store, out, err);
    struct sim_oracle *oracle = oracle_current();
    if (oracle != NULL && rc == GRAFT_OK)
        oracle_session_opened(oracle, store, *out);
    return rc;
}

WRAP(void, graft_store_session_close, struct graft_store_session *session)
{
    __real_graft_store_session_close(session);
    struct sim_oracle *oracle = oracle_current();
    struct oracle_session *known = oracle == NULL ? NULL : oracle_session_of(oracle, session);
    if (known != NULL)
        known->replica = NULL;
}

WRAP(enum graft_rc, graft_session_open, struct graft_volume *volume, struct graft_session **out,
     struct graft_err *err)
{
    enum graft_rc rc = __real_graft_session_open(volume, out, err);
    struct sim_oracle *oracle = oracle_current();
    struct oracle_session *known =
        oracle == NULL || rc != GRAFT_OK ? NULL : oracle_session_of(oracle, (*out)->store);
    if (known != NULL)
        known->is_public = true;
    return rc;
}

/* NULL unless an oracle watches and knows the session. */
static struct oracle_session *watched(const struct graft_store_session *session)
{
    struct sim_oracle *oracle = oracle_current();
    return oracle == NULL ? NULL : oracle_session_of(oracle, session);
}

/* ---- Snapshots ---- */

WRAP(enum graft_rc, graft_store_begin, struct graft_store_session *session,
     struct graft_store_snapshot *out, struct graft_err *err)
{
    struct oracle_session *known = watched(session);
    struct oracle_floor floor;
    if (known != NULL)
        oracle_begin_starts(oracle_current(), known->replica, &floor);
    enum graft_rc rc = __real_graft_store_begin(session, out, err);
    if (known != NULL && rc == GRAFT_OK)
        oracle_begun(oracle_current(), known, &floor, out);
    return rc;
}

WRAP(void, graft_store_end, struct graft_store_session *session)
{
    __real_graft_store_end(session);
    struct oracle_session *known = watched(session);
    if (known != NULL)
        known->pinned = false;
}

WRAP(enum graft_rc, graft_session_read, struct graft_session *session, uint32_t page, void *bytes,
     size_t size, size_t *got, struct graft_err *err)
{
    struct oracle_session *known = watched(session->store);
    if (known != NULL)
        known->read_serial = ++oracle_current()->serial;
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    enum graft_rc rc = __real_graft_session_read(session, page, bytes, size, got, err);
    if (known != NULL && rc == GRAFT_OK)
        oracle_check_read(oracle_current(), known, page, bytes, *got);
    else if (known != NULL && !oracle_crash_took_install(oracle_current(), known))
        oracle_check_error(oracle_current(), known->replica, "reading", rc, err);
    return rc;
}

/* A page that a crash took out of the image is damage to a peek, which may not fetch it again. */
WRAP(enum graft_rc, graft_session_peek, struct graft_session *session, uint32_t page, void *bytes,
     size_t size, size_t *got, struct graft_err *err)
{
    enum graft_rc rc = __real_graft_session_peek(session, page, bytes, size, got, err);
    struct oracle_session *known = watched(session->store);
    if (known != NULL && rc == GRAFT_OK)
        oracle_check_read(oracle_current(), known, page, bytes, *got);
    return rc;
}

WRAP(uint32_t, graft_session_page_count, const struct graft_session *session)
{
    uint32_t count = __real_graft_session_page_count(session);
    const struct oracle_session *known = watched(session->store);
    if (known != NULL && known->pinned && count != known->changes.count)
        oracle_violation(oracle_current(), known->replica,
                         "wrong page count: a session at LSN %llu has %u pages and is told %u",
                         (unsigned long long)known->snapshot.lsn, known->changes.count, count);
    return count;
}

/* ---- Transactions ---- */

WRAP(enum graft_rc, graft_write_page, struct graft_session *session, uint32_t page,
     const void *bytes, size_t size, struct graft_err *err)
{
    enum graft_rc rc = __real_graft_write_page(session, page, bytes, size, err);
    struct oracle_session *known = watched(session->store);
    if (known != NULL && rc == GRAFT_OK)
        oracle_changes_write(&known->changes, page, oracle_content(bytes, size));
    return rc;
}

WRAP(enum graft_rc, graft_write_truncate, struct graft_session *session, uint32_t page_count,
     struct graft_err *err)
{
    enum graft_rc rc = __real_graft_write_truncate(session, page_count, err);
    struct oracle_session *known = watched(session->store);
    if (known != NULL && rc == GRAFT_OK)
        oracle_changes_resize(&known->changes, page_count);
    return rc;
}

/* The pages inside the commit of a pull; those of clients were seen above. */
WRAP(enum graft_rc, graft_store_write, struct graft_store_session *session, uint32_t page,
     const void *bytes, size_t size, struct graft_err *err)
{
    enum graft_rc rc = __real_graft_store_write(session, page, bytes, size, err);
    struct oracle_session *known = watched(session);
    if (known != NULL && rc == GRAFT_OK && !known->is_public)
        oracle_changes_write(&known->changes, page, oracle_content(bytes, size));
    return rc;
}

WRAP(enum graft_rc, graft_store_prepare, struct graft_store_session *session,
     const struct graft_store_commit *commit, struct graft_err *err)
{
    struct oracle_session *known = watched(session);
    if (known != NULL)
        oracle_prepare_starts(oracle_current(), known, commit);
    enum graft_rc rc = __real_graft_store_prepare(session, commit, err);
    if (known != NULL && rc == GRAFT_OK)
        oracle_prepared(known, commit->durable || commit->kind == GRAFT_COMMIT_PULL);
    return rc;
}

WRAP(void, graft_store_publish, struct graft_store_session *session)
{
    struct oracle_session *known = watched(session);
    struct graft_store_snapshot after = {0};
    if (known != NULL)
        oracle_publish_starts(oracle_current(), known);
    __real_graft_store_publish(session);
    if (known != NULL && graft_store_pinned(session, &after))
        oracle_published(oracle_current(), known, &after);
}

WRAP(void, graft_store_publish_keep, struct graft_store_session *session)
{
    struct oracle_session *known = watched(session);
    struct graft_store_snapshot after = {0};
    if (known != NULL)
        oracle_publish_starts(oracle_current(), known);
    __real_graft_store_publish_keep(session);
    if (known != NULL && graft_store_pinned(session, &after))
        oracle_published(oracle_current(), known, &after);
}

WRAP(enum graft_rc, graft_store_rollback, struct graft_store_session *session,
     struct graft_err *err)
{
    enum graft_rc rc = __real_graft_store_rollback(session, err);
    struct oracle_session *known = watched(session);
    if (known != NULL)
        oracle_rolled_back(oracle_current(), known, rc == GRAFT_OK);
    return rc;
}

WRAP(enum graft_rc, graft_store_flush, struct graft_store *store, struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    struct oracle_replica *replica = oracle == NULL ? NULL : oracle_replica_of_store(oracle, store);
    uint64_t head = replica == NULL || replica->crashed ? 0 : replica->head;
    enum graft_rc rc = __real_graft_store_flush(store, err);
    if (replica != NULL && rc == GRAFT_OK && replica->durable < head)
        replica->durable = head;
    return rc;
}

/* ---- Sync ---- */

WRAP(enum graft_rc, graft_store_note, struct graft_store_session *session,
     const struct graft_sync_state *state, struct graft_err *err)
{
    struct oracle_session *known = watched(session);
    uint64_t head = 0;
    if (known != NULL) {
        const struct graft_volume_id *id = &graft_store_config(known->store)->volume;
        head = known->replica->head;
        oracle_note_starts(oracle_current(), known->replica, id, state);
    }
    enum graft_rc rc = __real_graft_store_note(session, state, err);
    if (known != NULL && rc == GRAFT_OK)
        oracle_noted(known->replica, state, head);
    return rc;
}

WRAP(enum graft_rc, graft_store_reset, struct graft_store_session *session, uint32_t page_count,
     const struct graft_pageset *changed, const struct graft_sync_state *state,
     struct graft_err *err)
{
    struct oracle_session *known = watched(session);
    if (known != NULL) {
        oracle_reset_starts(oracle_current(), known->replica, state);
        oracle_dead_commits_change(oracle_current(), known->replica);
        known->resetting = true;
    }
    enum graft_rc rc = __real_graft_store_reset(session, page_count, changed, state, err);
    if (known != NULL)
        known->resetting = false;
    return rc;
}

WRAP(enum graft_rc, graft_pending_save, struct graft_sync *sync,
     const struct graft_pending *pending, struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    struct oracle_replica *replica =
        oracle == NULL ? NULL : oracle_replica_of_store(oracle, sync->volume->store);
    if (replica != NULL) {
        struct graft_hash hash = graft_hash128(pending->object.bytes, pending->object.size);
        oracle_push_starts(oracle, replica, &sync->state.remote_hash, &hash, pending->local_lsn,
                           pending->remote_lsn);
    }
    return __real_graft_pending_save(sync, pending, err);
}

WRAP(enum graft_rc, graft_pull, struct graft_volume *volume, struct graft_sync_result *out,
     struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    uint64_t start = oracle == NULL ? 0 : ++oracle->serial;
    enum graft_rc rc = __real_graft_pull(volume, out, err);
    struct oracle_replica *replica =
        oracle == NULL ? NULL : oracle_replica_of_store(oracle, volume->store);
    if (replica != NULL && rc == GRAFT_OK)
        oracle_pulled(oracle, replica, &graft_store_config(volume->store)->volume, start, out->lsn);
    return rc;
}

WRAP(enum graft_rc, graft_push, struct graft_volume *volume, struct graft_sync_result *out,
     struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    struct oracle_replica *replica =
        oracle == NULL ? NULL : oracle_replica_of_store(oracle, volume->store);
    uint64_t newest = replica == NULL ? 0 : oracle_newest_local(replica);
    enum graft_rc rc = __real_graft_push(volume, out, err);
    if (replica != NULL && rc == GRAFT_OK)
        oracle_pushed(oracle, replica, newest);
    return rc;
}

/* ---- Fetches ---- */

WRAP(enum graft_rc, graft_fetch_page, struct graft_session *session, const struct graft_view *view,
     uint32_t page, void *bytes, size_t *got, struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    if (oracle != NULL)
        oracle_fetch_starts(oracle, session, view, page);
    return __real_graft_fetch_page(session, view, page, bytes, got, err);
}

WRAP(enum graft_rc, graft_hydrate, struct graft_volume *volume, graft_progress_fn *progress,
     void *arg, struct graft_sync_result *out, struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    if (oracle != NULL)
        oracle_hydrate_starts(oracle, volume);
    enum graft_rc rc = __real_graft_hydrate(volume, progress, arg, out, err);
    if (oracle != NULL)
        oracle_hydrate_ends(oracle, volume);
    return rc;
}

WRAP(enum graft_rc, graft_fetcher_install, struct graft_volume *volume,
     const struct graft_view *view, const struct graft_object_ref *object, uint64_t offset,
     const struct graft_frame *frame, uint64_t *installed, struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    if (oracle != NULL)
        oracle_frame_came(oracle, volume, view, object, offset, frame);
    return __real_graft_fetcher_install(volume, view, object, offset, frame, installed, err);
}

WRAP(enum graft_rc, graft_store_install, struct graft_store *store, uint32_t page,
     uint64_t resolved_lsn, uint64_t version_lsn, const void *bytes, size_t size, bool *installed,
     struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    uint64_t began = oracle == NULL ? 0 : ++oracle->serial;
    if (oracle != NULL)
        oracle_delivered(oracle, store, page, resolved_lsn, bytes, size);
    enum graft_rc rc = __real_graft_store_install(store, page, resolved_lsn, version_lsn, bytes,
                                                  size, installed, err);
    if (oracle != NULL)
        oracle_installed(oracle, store, page, version_lsn, began, rc == GRAFT_OK && *installed);
    return rc;
}

WRAP(enum graft_rc, graft_store_evict, struct graft_store *store,
     const struct graft_store_sweep *sweep, uint64_t resolved_lsn, uint64_t *evicted,
     struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    struct oracle_eviction before;
    if (oracle != NULL)
        oracle_evict_starts(oracle, store, sweep, &before);
    enum graft_rc rc = __real_graft_store_evict(store, sweep, resolved_lsn, evicted, err);
    if (oracle != NULL)
        oracle_evicted(oracle, store, sweep, &before);
    return rc;
}

WRAP(enum graft_rc, graft_store_forget, struct graft_store *store, uint32_t page, uint64_t lsn,
     struct graft_err *err)
{
    struct sim_oracle *oracle = oracle_current();
    if (oracle != NULL)
        oracle_forget_starts(oracle, store, page);
    enum graft_rc rc = __real_graft_store_forget(store, page, lsn, err);
    if (oracle != NULL)
        oracle_forgot(oracle, store, page);
    return rc;
}
