/* The frame of every sync: locks, state, and what the remote's newest commit is. */
#include "engine/sync.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/path.h"
#include "engine/settings.h"

/* The byte of the lock file that a syncing process holds; the store leaves it to the engine. */
#define SYNC_LOCK_INDEX 8U
#define LOCK_WAIT_STEP_MS_MAX 100U
#define WRITER_WAIT_MS 10000U
#define WRITER_WAIT_STEP_MS 5U

uint64_t graft_sync_newest_lsn(struct graft_volume *volume)
{
    return graft_store_newest_lsn(volume->store);
}

static enum graft_rc take_lock(struct graft_sync *sync, struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    char path[GRAFT_PATH_BYTES_MAX];
    GRAFT_TRY(graft_path_join(path, sizeof path, volume->directory, "lock", err));
    GRAFT_TRY(graft_locks_open(volume->env->shm, path, &sync->locks, err));
    /* A sync takes as long as its requests do, so that looking seldom costs little. */
    uint32_t step_ms = WRITER_WAIT_STEP_MS;
    for (uint32_t waited_ms = 0;;) {
        bool granted = false;
        GRAFT_TRY(graft_lock_try(sync->locks, SYNC_LOCK_INDEX, true, &granted, err));
        GRAFT_SOMETIMES(!granted, "a sync waited for that of another process");
        if (granted || GRAFT_MUTANT("engine: processes do not wait for each other's syncs"))
            return GRAFT_OK;
        if (waited_ms >= WRITER_WAIT_MS)
            return graft_err_set(err, GRAFT_EBUSY, "another process is syncing %s",
                                 volume->directory);
        graft_task_sleep_ms(volume->env->tasks, step_ms);
        waited_ms += step_ms;
        step_ms = 2 * step_ms < LOCK_WAIT_STEP_MS_MAX ? 2 * step_ms : LOCK_WAIT_STEP_MS_MAX;
    }
}

static enum graft_rc check_ours(struct graft_volume *volume, const struct graft_pending *pending,
                                struct graft_err *err)
{
    struct graft_commit commit;
    graft_commit_init(&commit, volume->env->alloc);
    enum graft_rc rc =
        graft_commit_decode(&commit, pending->object.bytes, pending->object.size, err);
    bool ours = rc == GRAFT_OK &&
                graft_volume_id_equal(&commit.volume, &graft_store_config(volume->store)->volume);
    graft_commit_deinit(&commit);
    if (ours || rc == GRAFT_ENOMEM)
        return rc;
    return graft_err_set(err, GRAFT_EFOREIGN,
                         "%s/pending is the unfinished push of another volume: move it away",
                         volume->directory);
}

static enum graft_rc send_again(struct graft_sync *sync, struct graft_pending *pending,
                                struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    GRAFT_TRY(check_ours(volume, pending, err));
    /* Whoever saved it may have failed at this last step. */
    GRAFT_TRY(graft_disk_sync_directory(volume->env->disk, volume->directory, err));
    return graft_pending_send(sync, pending, true, err);
}

/* A pending push of an earlier process, or of a lost connection, is sent again with its exact
 * bytes: whether it had arrived or not, it has after that, or has lost its place. */
static enum graft_rc settle(struct graft_sync *sync, struct graft_err *err)
{
    struct graft_pending pending;
    enum graft_rc rc = graft_pending_load(sync->volume, &pending, err);
    if (rc == GRAFT_ENOTFOUND)
        return GRAFT_OK;
    if (rc == GRAFT_OK) {
        GRAFT_SOMETIMES(pending.remote_lsn <= sync->state.remote_lsn,
                        "a push was recorded, and its record still there");
        if (pending.remote_lsn <= sync->state.remote_lsn ||
            GRAFT_MUTANT("engine: a push in doubt is forgotten"))
            rc = graft_pending_drop(sync->volume, err);
        else
            rc = send_again(sync, &pending, err);
        GRAFT_SOMETIMES(rc == GRAFT_OK, "an unfinished push was settled as landed");
        GRAFT_SOMETIMES(rc == GRAFT_EDIVERGED, "an unfinished push was settled as lost");
        GRAFT_SOMETIMES(rc != GRAFT_OK && rc != GRAFT_EDIVERGED,
                        "an unfinished push stayed in doubt");
        graft_buf_deinit(&pending.object);
    }
    /* That the push lost its place is news for the verb at hand, which finds the newer commit by
     * itself. */
    return rc == GRAFT_EDIVERGED ? GRAFT_OK : rc;
}

/* Loads the pending push first: while it is there, others only add to the log. */
static enum graft_rc is_push_lost(struct graft_volume *volume, bool *lost, struct graft_err *err)
{
    struct graft_pending pending;
    *lost = false;
    enum graft_rc rc = graft_pending_load(volume, &pending, err);
    if (rc == GRAFT_OK) {
        rc = check_ours(volume, &pending, err);
        *lost = rc == GRAFT_OK && pending.local_lsn > graft_store_newest_lsn(volume->store);
        graft_buf_deinit(&pending.object);
    }
    bool left = rc == GRAFT_ENOTFOUND || rc == GRAFT_ECORRUPT || rc == GRAFT_EVERSION ||
                rc == GRAFT_EFOREIGN;
    return left ? GRAFT_OK : rc;
}

enum graft_rc graft_sync_forget_lost_push(struct graft_volume *volume, struct graft_err *err)
{
    bool lost = false;
    GRAFT_TRY(is_push_lost(volume, &lost, err));
    if (!lost)
        return GRAFT_OK;
    struct graft_sync sync = {.volume = volume};
    graft_mutex_lock(volume->sync_mutex);
    enum graft_rc rc = take_lock(&sync, err);
    if (rc == GRAFT_OK)
        rc = is_push_lost(volume, &lost, err);
    if (rc == GRAFT_OK && lost) {
        graft_log_write(
            volume->env->log, GRAFT_LOG_WARN,
            "%s: the disk has lost commits that were durable, up to one that a push was "
            "under way with: the push is forgotten, and what landed is for a pull to "
            "bring",
            volume->directory);
        rc = graft_pending_drop(volume, err);
    }
    if (sync.locks != NULL)
        graft_locks_close(sync.locks);
    graft_mutex_unlock(volume->sync_mutex);
    return rc;
}

/* What the sync before was publishing when its process died is completed first: the state would be
 * that of before it, or of a commit that nobody can see yet. */
static enum graft_rc complete_before(struct graft_sync *sync, struct graft_err *err)
{
    if (!graft_store_publishing(sync->volume->store))
        return GRAFT_OK;
    GRAFT_TRY(graft_sync_write_begin(sync, err));
    GRAFT_REACHABLE("a sync completed what the one before it was publishing");
    enum graft_rc rc = graft_store_rollback(sync->session, err);
    graft_store_end(sync->session);
    return rc;
}

enum graft_rc graft_sync_begin(struct graft_sync *sync, struct graft_volume *volume,
                               struct graft_err *err)
{
    *sync = (struct graft_sync){.volume = volume};
    graft_mutex_lock(volume->sync_mutex);
    sync->remote = graft_volume_remote(volume);
    if (sync->remote == NULL)
        return graft_err_set(err, GRAFT_EINVAL,
                             "%s has no remote: set one with PRAGMA graft_remote='URL'",
                             volume->directory);
    /* The sync lock and the pending push go by the path: in another directory they would be another
     * volume's. */
    if (graft_volume_moved(volume))
        return graft_err_set(
            err, GRAFT_EIO,
            "%s was moved or replaced while it was open: close it and open it again",
            volume->directory);
    GRAFT_TRY(take_lock(sync, err));
    GRAFT_TRY(graft_store_session_open(volume->store, &sync->session, err));
    GRAFT_TRY(complete_before(sync, err));
    GRAFT_TRY(graft_store_sync_state(volume->store, &sync->state, err));
    GRAFT_ALWAYS(sync->state.pushed_lsn <= graft_sync_newest_lsn(volume),
                 "no more is pushed than was committed");
    return settle(sync, err);
}

enum graft_rc graft_sync_end(struct graft_sync *sync, enum graft_rc rc, const struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    graft_store_session_close(sync->session);
    if (sync->locks != NULL)
        graft_locks_close(sync->locks);
    graft_mutex_unlock(volume->sync_mutex);
    /* What was pushed may go now. */
    graft_cache_keep(volume);
    if (rc != GRAFT_OK)
        return graft_volume_failed(volume, rc, err);
    graft_mutex_lock(volume->mutex);
    volume->last_error[0] = '\0'; /* whatever it was is over */
    graft_mutex_unlock(volume->mutex);
    return GRAFT_OK;
}

enum graft_rc graft_sync_write_begin(struct graft_sync *sync, struct graft_err *err)
{
    struct graft_env *env = sync->volume->env;
    if (GRAFT_BUGGIFY("sync: wait before becoming the writer"))
        graft_task_sleep_ms(env->tasks, WRITER_WAIT_STEP_MS);
    for (uint32_t waited_ms = 0;; waited_ms += WRITER_WAIT_STEP_MS) {
        graft_store_end(sync->session);
        enum graft_rc rc = graft_store_write_begin(sync->session, err);
        bool again = rc == GRAFT_EBUSY || rc == GRAFT_ESTALE;
        GRAFT_SOMETIMES(rc == GRAFT_EBUSY, "a sync waited for a local writer");
        if (!again || waited_ms >= WRITER_WAIT_MS)
            return rc;
        graft_task_sleep_ms(env->tasks, WRITER_WAIT_STEP_MS);
    }
}

enum graft_rc graft_sync_note(struct graft_sync *sync, const struct graft_sync_state *state,
                              struct graft_err *err)
{
    GRAFT_ALWAYS(state->remote_lsn >= sync->state.remote_lsn,
                 "a note does not go back in the remote's log");
    GRAFT_TRY(graft_sync_write_begin(sync, err));
    enum graft_rc rc = graft_store_note(sync->session, state, err);
    enum graft_rc ended = graft_store_rollback(sync->session, rc == GRAFT_OK ? err : NULL);
    graft_store_end(sync->session);
    if (rc == GRAFT_OK)
        rc = ended;
    if (rc == GRAFT_OK)
        sync->state = *state;
    return rc;
}

enum graft_rc graft_sync_check_base(const struct graft_sync *sync, const struct graft_hash *found,
                                    struct graft_err *err)
{
    if (graft_hash_equal(found, &sync->state.remote_hash))
        return GRAFT_OK;
    return graft_view_explain_rewritten(sync->volume, sync->state.remote_lsn, err);
}

/* What the replica is based on must be what the remote has under that LSN: a bucket that was wiped
 * and written anew may hold a longer log of the same volume that never contained our commits. */
static enum graft_rc check_history(struct graft_sync *sync, const struct graft_view *newest,
                                   struct graft_err *err)
{
    const struct graft_sync_state *state = &sync->state;
    if (state->remote_lsn == 0)
        return GRAFT_OK;
    struct graft_hash found;
    if (newest->commit.lsn == state->remote_lsn) {
        found = newest->hash;
    } else if (newest->commit.lsn == state->remote_lsn + 1) {
        found = newest->commit.parent;
    } else {
        struct graft_view *base = NULL;
        GRAFT_TRY(graft_view_get(sync->volume, state->remote_lsn, &base, err));
        found = base->hash;
        graft_view_release(sync->volume, base);
    }
    return graft_sync_check_base(sync, &found, err);
}

/* Whether this replica may take on the identity of what it found: it has nothing of its own yet. */
static bool is_blank(struct graft_sync *sync)
{
    return sync->state.remote_lsn == 0 && graft_sync_newest_lsn(sync->volume) == 0;
}

static enum graft_rc adopt(struct graft_sync *sync, const struct graft_commit *commit,
                           struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    const struct graft_config *config = graft_store_config(volume->store);
    if (graft_volume_id_equal(&config->volume, &commit->volume))
        return GRAFT_OK;
    if (!is_blank(sync))
        return graft_err_set(
            err, GRAFT_EFOREIGN,
            "%s holds another volume than %s: check the URL, or use another name in the repository",
            graft_remote_url(sync->remote), volume->directory);
    struct graft_config changed;
    graft_config_init(&changed, volume->env->alloc);
    graft_mutex_lock(volume->mutex);
    enum graft_rc rc = graft_config_clone(config, &changed);
    if (rc == GRAFT_OK) {
        changed.volume = commit->volume;
        changed.page_bytes = commit->page_bytes;
        changed.variable = commit->variable;
        rc = graft_store_configure(volume->store, &changed, err);
    }
    graft_mutex_unlock(volume->mutex);
    graft_config_deinit(&changed);
    return rc;
}

/* Lists, and keeps what the answer says about how far behind the replica is. */
static enum graft_rc look_for_newest(struct graft_sync *sync, uint64_t *out,
                                     struct graft_remote_commit *read, struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    uint64_t newest = 0;
    uint64_t checkpoint = 0;
    enum graft_rc rc = graft_remote_newest_ahead(sync->remote, sync->state.remote_lsn, &newest,
                                                 &checkpoint, read, err);
    if (rc == GRAFT_ENOTFOUND)
        return graft_err_wrap(err, GRAFT_EUNREACHABLE, "%s is not there, or not mounted",
                              graft_remote_url(sync->remote));
    if (rc != GRAFT_OK)
        return rc;
    graft_mutex_lock(volume->mutex);
    /* A replica met its remote once it knows it to be empty, or has accepted a commit: one that
     * only saw that there is something must not be taken for an empty database. */
    if (newest == 0)
        volume->met = true;
    volume->newest_known = newest;
    graft_mutex_unlock(volume->mutex);
    *out = newest;
    return GRAFT_OK;
}

/* The commit, unless it was read ahead already. */
static enum graft_rc read_newest(struct graft_sync *sync, uint64_t newest,
                                 struct graft_remote_commit *read, struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    if (read->commit.lsn == newest) {
        volume->counts.read_ahead++;
        return GRAFT_OK;
    }
    graft_buf_clear(&read->object);
    enum graft_rc rc = graft_remote_get_commit(sync->remote, newest, &read->commit, &read->hash,
                                               &read->object, err);
    if (rc == GRAFT_ENOTFOUND && newest == sync->state.remote_lsn) {
        char what[64];
        (void)snprintf(what, sizeof what, "commit %llu", (unsigned long long)newest);
        rc = graft_view_explain_missing(volume, newest, GRAFT_EFOREIGN, what, err);
    }
    return rc;
}

/* Its view, checked to be what this replica may follow. */
static enum graft_rc accept_newest(struct graft_sync *sync, struct graft_remote_commit *read,
                                   struct graft_view **view, struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    uint64_t lsn = read->commit.lsn;
    struct graft_view *found = NULL;
    GRAFT_TRY(graft_remote_commit_check(sync->remote, read, err));
    GRAFT_TRY(adopt(sync, &read->commit, err));
    if (read->commit.page_bytes != graft_store_page_bytes(volume->store))
        return graft_err_set(err, GRAFT_ECORRUPT, "commit %llu of %s has another page size",
                             (unsigned long long)lsn, graft_remote_url(sync->remote));
    GRAFT_TRY(graft_view_put(volume, &read->commit, &read->hash, &found, err));
    enum graft_rc rc = check_history(sync, found, err);
    if (rc == GRAFT_OK)
        *view = found;
    else
        graft_view_release(volume, found);
    return rc;
}

enum graft_rc graft_sync_newest(struct graft_sync *sync, uint64_t *remote_lsn,
                                struct graft_view **view, struct graft_buf *object,
                                struct graft_err *err)
{
    struct graft_remote_commit read;
    graft_remote_commit_init(&read, sync->volume->env->alloc);
    uint64_t newest = 0;
    struct graft_view *found = NULL;
    enum graft_rc rc = look_for_newest(sync, &newest, &read, err);
    if (rc == GRAFT_OK && newest > 0)
        rc = read_newest(sync, newest, &read, err);
    if (rc == GRAFT_OK && newest > 0)
        rc = accept_newest(sync, &read, &found, err);
    if (rc == GRAFT_OK && object != NULL &&
        graft_buf_append(object, read.object.bytes, read.object.size) != GRAFT_OK) {
        rc = graft_err_set(err, GRAFT_ENOMEM, "out of memory for a commit");
        graft_view_release(sync->volume, found);
    }
    graft_remote_commit_deinit(&read);
    if (rc != GRAFT_OK)
        return rc;
    *remote_lsn = newest;
    *view = found;
    return GRAFT_OK;
}
