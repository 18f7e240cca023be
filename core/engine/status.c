/* Introspection: what the tables and the command line show. Nothing here changes anything, and only
 * graft_log goes to the remote. */
#include <stdio.h>
#include <string.h>

#include "engine/sync.h"

const char *graft_state_text(enum graft_state state)
{
    switch (state) {
    case GRAFT_STATE_LOCAL:
        return "local";
    case GRAFT_STATE_EMPTY:
        return "empty";
    case GRAFT_STATE_SYNCED:
        return "synced";
    case GRAFT_STATE_AHEAD:
        return "ahead";
    case GRAFT_STATE_BEHIND:
        return "behind";
    case GRAFT_STATE_DIVERGED:
        return "diverged";
    case GRAFT_STATE_IN_DOUBT:
        return "in doubt";
    }
    return "unknown";
}

static enum graft_state decide_state(struct graft_volume *volume, const struct graft_status *status)
{
    if (graft_volume_remote(volume) == NULL)
        return GRAFT_STATE_LOCAL;
    if (graft_pending_exists(volume))
        return GRAFT_STATE_IN_DOUBT;
    if (status->local_lsn == 0 && status->remote_lsn == 0)
        return GRAFT_STATE_EMPTY;
    if (status->ahead > 0 && status->behind > 0)
        return GRAFT_STATE_DIVERGED;
    if (status->ahead > 0)
        return GRAFT_STATE_AHEAD;
    return status->behind > 0 ? GRAFT_STATE_BEHIND : GRAFT_STATE_SYNCED;
}

static enum graft_rc count_ahead(struct graft_volume *volume, uint64_t *commits,
                                 struct graft_err *err)
{
    struct graft_pageset pages;
    graft_pageset_init(&pages, volume->env->alloc);
    enum graft_rc rc = graft_store_ahead(volume->store, 0, &pages, commits, err);
    graft_pageset_deinit(&pages);
    return rc;
}

static enum graft_rc count_pages(struct graft_volume *volume, struct graft_status *status,
                                 struct graft_err *err)
{
    struct graft_store_session *session = NULL;
    struct graft_store_snapshot snapshot;
    GRAFT_TRY(graft_store_session_open(volume->store, &session, err));
    enum graft_rc rc = graft_store_begin(session, &snapshot, err);
    if (rc == GRAFT_OK) {
        status->local_lsn = snapshot.lsn;
        status->pages = snapshot.page_count;
        for (uint64_t page = 1; page <= snapshot.page_count; page++)
            status->pages_held +=
                graft_store_page_state(volume->store, (uint32_t)page) == GRAFT_STORE_HELD ? 1 : 0;
    }
    graft_store_session_close(session);
    return rc;
}

enum graft_rc graft_status(struct graft_volume *volume, struct graft_status *out,
                           struct graft_err *err)
{
    struct graft_status status = {0};
    struct graft_sync_state state;
    GRAFT_TRY(graft_store_sync_state(volume->store, &state, err));
    GRAFT_TRY(count_pages(volume, &status, err));
    GRAFT_TRY(count_ahead(volume, &status.ahead, err));
    status.remote_lsn = state.remote_lsn;
    bool known = graft_volume_remote(volume) == NULL || status.local_lsn > 0;
    if (known)
        graft_hex_encode(graft_store_config(volume->store)->volume.bytes, 16, status.volume);
    graft_volume_remote_url(volume, status.remote, sizeof status.remote);
    graft_last_error(volume, status.last_error, sizeof status.last_error);
    graft_mutex_lock(volume->mutex);
    if (volume->newest_known > state.remote_lsn)
        status.behind = volume->newest_known - state.remote_lsn;
    graft_mutex_unlock(volume->mutex);
    status.state = decide_state(volume, &status);
    *out = status;
    return GRAFT_OK;
}

void graft_last_error(struct graft_volume *volume, char *out, size_t size)
{
    graft_mutex_lock(volume->mutex);
    (void)snprintf(out, size, "%s", volume->last_error);
    graft_mutex_unlock(volume->mutex);
}

/* ---- The log ---- */

struct log_walk {
    graft_log_fn *each;
    void *arg;
    uint64_t pushed_lsn;
    char client[GRAFT_ID_TEXT_BYTES];
};

static enum graft_rc local_entry(void *arg, const struct graft_store_commit_info *info)
{
    struct log_walk *walk = arg;
    if (info->lsn <= walk->pushed_lsn || info->kind != GRAFT_COMMIT_LOCAL)
        return GRAFT_OK;
    struct graft_log_entry entry = {
        .lsn = info->lsn,
        .side = GRAFT_SIDE_LOCAL,
        .time_ms = info->time_ms,
        .pages = info->pages,
    };
    memcpy(entry.client, walk->client, sizeof entry.client);
    return walk->each(walk->arg, &entry);
}

static enum graft_rc remote_entry(struct graft_volume *volume, uint64_t lsn, struct log_walk *walk,
                                  bool *listed, struct graft_err *err)
{
    struct graft_commit commit;
    struct graft_hash hash;
    graft_commit_init(&commit, volume->env->alloc);
    enum graft_rc rc =
        graft_remote_get_commit(graft_volume_remote(volume), lsn, &commit, &hash, NULL, err);
    if (rc == GRAFT_OK) {
        struct graft_log_entry entry = {
            .lsn = commit.lsn,
            .side = GRAFT_SIDE_REMOTE,
            .time_ms = commit.time_ms,
            .pages = commit.changed_count,
        };
        graft_hex_encode(commit.client.bytes, sizeof commit.client.bytes, entry.client);
        graft_hex_encode(hash.bytes, sizeof hash.bytes, entry.hash);
        *listed = true;
        rc = walk->each(walk->arg, &entry);
    }
    graft_commit_deinit(&commit);
    return rc;
}

static enum graft_rc remote_entries(struct graft_volume *volume, uint32_t remote_max,
                                    struct log_walk *walk, struct graft_err *err)
{
    struct graft_remote *remote = graft_volume_remote(volume);
    uint64_t newest = 0;
    uint64_t checkpoint = 0;
    enum graft_rc rc = GRAFT_OK;
    if (remote == NULL || remote_max == 0)
        return GRAFT_OK;
    rc = graft_remote_newest(remote, 0, &newest, &checkpoint, err);
    for (uint64_t lsn = newest; rc == GRAFT_OK && lsn > 0 && newest - lsn < remote_max; lsn--) {
        bool listed = false;
        rc = remote_entry(volume, lsn, walk, &listed, err);
        if (listed && rc != GRAFT_OK)
            return rc; /* the caller's own failure */
    }
    (void)graft_volume_failed(volume, rc, err);
    return GRAFT_OK;
}

enum graft_rc graft_log(struct graft_volume *volume, uint32_t remote_max, graft_log_fn *each,
                        void *arg, struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct graft_sync_state state;
    GRAFT_TRY(graft_store_sync_state(volume->store, &state, err));
    struct log_walk walk = {.each = each, .arg = arg, .pushed_lsn = state.pushed_lsn};
    graft_hex_encode(graft_store_config(volume->store)->client.bytes, 16, walk.client);
    GRAFT_TRY(graft_store_commits(volume->store, local_entry, &walk, err));
    return remote_entries(volume, remote_max, &walk, err);
}

/* ---- Pages and counters ---- */

/* Keeps the set of pages ahead for as long as nothing is committed or pushed, so that listing all
 * pages computes it once. The volume's mutex is held. */
static enum graft_rc refresh_ahead(struct graft_volume *volume, struct graft_err *err)
{
    struct graft_ahead_cache *cache = &volume->ahead;
    struct graft_sync_state state;
    GRAFT_TRY(graft_store_sync_state(volume->store, &state, err));
    uint64_t newest_lsn = graft_store_newest_lsn(volume->store);
    if (cache->valid && cache->newest_lsn == newest_lsn && cache->pushed_lsn == state.pushed_lsn)
        return GRAFT_OK;
    uint64_t commits;
    cache->valid = false;
    GRAFT_TRY(graft_store_ahead(volume->store, 0, &cache->pages, &commits, err));
    cache->newest_lsn = newest_lsn;
    cache->pushed_lsn = state.pushed_lsn;
    cache->valid = true;
    return GRAFT_OK;
}

enum graft_rc graft_page_info(struct graft_volume *volume, uint32_t page,
                              enum graft_page_state *state, uint64_t *remote_lsn,
                              struct graft_err *err)
{
    bool held = graft_store_page_state(volume->store, page) == GRAFT_STORE_HELD;
    graft_mutex_lock(volume->mutex);
    enum graft_rc rc = refresh_ahead(volume, err);
    if (rc == GRAFT_OK) {
        bool ahead = graft_pageset_contains(&volume->ahead.pages, page);
        *state = ahead ? GRAFT_PAGE_AHEAD : held ? GRAFT_PAGE_HELD : GRAFT_PAGE_REMOTE;
        *remote_lsn = 0;
        /* Only a map that is in memory is asked: looking at a table must not go to the network. */
        struct graft_place place;
        if (!ahead && volume->views != NULL && graft_view_find(volume->views, page, &place))
            *remote_lsn = place.version_lsn;
    }
    graft_mutex_unlock(volume->mutex);
    return rc;
}

enum graft_rc graft_stats(struct graft_volume *volume, graft_stats_fn *each, void *arg)
{
    static const struct graft_objects_counts none;
    struct graft_remote *remote = graft_volume_remote(volume);
    const struct graft_objects_counts *wire = remote != NULL ? graft_remote_counts(remote) : &none;
    const struct graft_store_counts *store = graft_store_counts(volume->store);
    const struct graft_volume_counts *engine = &volume->counts;
    uint64_t hits = engine->prefetch_hits;
    uint64_t prefetched = engine->pages_prefetched;
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"requests", wire->requests},
        /* Those of frames that somebody waited for, and all others, one after another but for the
         * commits that were read beside another request. */
        {"round_trips", wire->requests - engine->fetches - engine->read_ahead + engine->stalls},
        {"bytes_in", wire->bytes_in},
        {"bytes_out", wire->bytes_out},
        {"gets", wire->gets},
        {"puts", wire->puts},
        {"lists", wire->lists},
        {"fetches", engine->fetches},
        {"pages_fetched", engine->pages_fetched},
        {"stalls", engine->stalls},
        {"stalled_us", engine->stalled_us},
        {"pages_prefetched", engine->pages_prefetched},
        {"prefetch_hits", engine->prefetch_hits},
        {"prefetch_waste", hits < prefetched ? prefetched - hits : 0}, /* as of now */
        {"bulks", engine->bulks},
        {"shared_fetches", engine->shared_fetches},
        {"shared_versions", engine->shared_versions},
        {"repairs", engine->repairs},
        {"pushes", engine->pushes},
        {"pulls", engine->pulls},
        {"log_reads", store->log_reads},
        {"image_reads", store->image_reads},
        {"chain_steps", store->chain_steps},
        {"commits", store->commits},
        {"folds", store->folds},
        {"folded_pages", store->folded_pages},
        {"syncs", store->syncs},
        {"installs", store->installs},
        {"evicted", store->evicted},
        {"recoveries", store->recoveries},
        {"rot", store->rot},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        GRAFT_TRY(each(arg, rows[i].name, rows[i].value));
    return GRAFT_OK;
}
