/* What the engine needs for sync: the sync state and notes of it, the set of pages that are ahead
 * of the remote, the list of commits, and throwing away what is ahead. */
#include "store/parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"

#define TRIES_MAX 1000U

/* ---- State and notes ---- */

enum graft_rc graft_store_sync_state(struct graft_store *store, struct graft_sync_state *out,
                                     struct graft_err *err)
{
    (void)err;
    graft_sync_words_load(store, out);
    return GRAFT_OK;
}

bool graft_store_publishing(struct graft_store *store)
{
    return graft_header_load(store, GRAFT_W_PUBLISHING) != 0;
}

static void note_in_memory(struct graft_store_session *session,
                           const struct graft_sync_state *state)
{
    struct graft_store *store = session->store;
    graft_publish_note(store, state);
    session->snapshot.remote_lsn = state->remote_lsn;
    graft_session_set_mark(session, session->snapshot.lsn, state->remote_lsn);
}

enum graft_rc graft_store_note(struct graft_store_session *session,
                               const struct graft_sync_state *state, struct graft_err *err)
{
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    if (!txn->open || txn->touched || txn->prepared || txn->failed)
        return graft_err_set(err, GRAFT_EINVAL,
                             "noting the sync state: needs the writer role, and "
                             "a transaction that changed nothing");
    uint64_t head = txn->lsn - 1;
    if (state->pushed_lsn > head || state->pending_lsn > head)
        return graft_err_set(err, GRAFT_EINVAL, "the sync state names local commits to come");
    struct graft_buf payload;
    graft_buf_init(&payload, store->env->alloc);
    enum graft_rc rc = graft_sync_state_encode(state, &payload);
    if (rc != GRAFT_OK)
        graft_err_set(err, rc, "noting the sync state: %s", graft_rc_text(rc));
    if (rc == GRAFT_OK)
        rc = graft_txn_append_begin(session, err);
    uint64_t start = txn->offset, chain = txn->chain;
    if (rc == GRAFT_OK)
        rc = graft_txn_append_note(session, &payload, err);
    if (rc == GRAFT_OK && !GRAFT_MUTANT("store: a note of the sync state is not synced"))
        rc = graft_log_sync(store, err);
    graft_buf_deinit(&payload);
    if (rc != GRAFT_OK) {
        GRAFT_REACHABLE("a note of the sync state could not be made durable");
        /* It may stand in the log all the same, and must not count after a crash. */
        if (txn->appended)
            graft_header_store(store, GRAFT_W_VOID, 1);
        txn->appended = txn->failed = false;
        return rc;
    }
    graft_header_store(store, GRAFT_W_PUBLISHING_START, start);
    graft_header_store(store, GRAFT_W_PUBLISHING_CHAIN, chain);
    graft_header_store(store, GRAFT_W_PUBLISHING, GRAFT_PUBLISHING_NOTE);
    note_in_memory(session, state);
    graft_header_store(store, GRAFT_W_END, txn->offset);
    graft_header_store(store, GRAFT_W_CHAIN, txn->chain);
    graft_header_store(store, GRAFT_W_PUBLISHING, 0);
    txn->appended = false;
    return GRAFT_OK;
}

/* ---- Ahead ---- */

struct ahead {
    uint64_t lsn, pushed_lsn;
    struct graft_pageset *pages;
    uint64_t commits;
    uint32_t limit; /* what an older commit changed above it was cut off by a newer one */
    const struct graft_log_base *newest; /* the newest half's, until it has been added; or NULL */
};

static enum graft_rc ahead_pages(struct ahead *self, const struct graft_pageset *pages,
                                 struct graft_err *err)
{
    enum graft_rc rc = GRAFT_OK;
    uint32_t whole = 0; /* runs that are not cut */
    while (whole < pages->run_count &&
           pages->runs[whole].first + (pages->runs[whole].count - 1) <= self->limit)
        whole++;
    if (whole == pages->run_count)
        rc = graft_pageset_add_all(self->pages, pages);
    for (uint32_t i = 0; whole < pages->run_count && i < pages->run_count && rc == GRAFT_OK; i++) {
        struct graft_run run = pages->runs[i];
        if (run.first > self->limit)
            break;
        if (run.count > self->limit - run.first + 1)
            run.count = self->limit - run.first + 1;
        rc = graft_pageset_add_run(self->pages, run.first, run.count);
    }
    return rc == GRAFT_OK
               ? rc
               : graft_err_set(err, rc, "pages ahead of the remote: %s", graft_rc_text(rc));
}

static enum graft_rc ahead_newest(struct ahead *self, struct graft_err *err)
{
    const struct graft_log_base *newest = self->newest;
    self->newest = NULL;
    return newest == NULL ? GRAFT_OK : ahead_pages(self, &newest->ahead, err);
}

static enum graft_rc ahead_commit(void *arg, const struct graft_record *record,
                                  const struct graft_commit_payload *payload, bool *stop,
                                  struct graft_err *err)
{
    struct ahead *self = arg;
    if (self->newest != NULL && record->lsn <= self->newest->lsn)
        GRAFT_TRY(ahead_newest(self, err));
    *stop = record->lsn <= self->pushed_lsn;
    if (*stop || record->lsn > self->lsn)
        return GRAFT_OK;
    if (payload->kind == GRAFT_COMMIT_LOCAL) {
        self->commits++;
        GRAFT_TRY(ahead_pages(self, &payload->pages, err));
    }
    if (payload->least < self->limit)
        self->limit = payload->least;
    return GRAFT_OK;
}

/* EBUSY when the half was begun again. */
static enum graft_rc read_base(struct graft_store *store, unsigned half, uint64_t generation,
                               struct graft_log_base *base, struct graft_err *err)
{
    struct graft_half_header header;
    enum graft_rc rc = graft_half_read(store, half, &header, base, err);
    if (graft_half_load(store, half, GRAFT_HALF_GENERATION) != generation ||
        (rc == GRAFT_OK && header.generation != generation))
        return graft_err_set(err, GRAFT_EBUSY, "%s: the log moved on", store->directory);
    return rc;
}

/* What stood in halves that are gone, from the base of the oldest that is not. */
static enum graft_rc ahead_base(struct graft_store *store, struct ahead *self,
                                const struct graft_walk_end *end, struct graft_err *err)
{
    struct graft_log_base base;
    graft_log_base_init(&base, store->env->alloc);
    enum graft_rc rc = read_base(store, end->half, end->generation, &base, err);
    if (rc == GRAFT_OK && base.lsn > self->pushed_lsn) {
        uint64_t most = base.lsn - self->pushed_lsn;
        self->commits += base.ahead_commits < most ? base.ahead_commits : most;
        GRAFT_SOMETIMES(base.ahead_commits > 0,
                        "what is ahead of the remote stood in a half's base");
        rc = ahead_pages(self, &base.ahead, err);
    }
    graft_log_base_deinit(&base);
    return rc;
}

static uint64_t newest_generation(struct graft_store *store, unsigned *half)
{
    *half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    return graft_half_load(store, *half, GRAFT_HALF_GENERATION);
}

/* EBUSY when the log moved on meanwhile. */
static enum graft_rc ahead_once(struct graft_store *store, struct ahead *self,
                                struct graft_err *err)
{
    struct graft_walk_end end;
    struct graft_log_base newest;
    unsigned half, half_after;
    uint64_t generation = newest_generation(store, &half);
    enum graft_rc rc = GRAFT_OK;
    graft_log_base_init(&newest, store->env->alloc);
    uint64_t base_lsn = graft_half_load(store, half, GRAFT_HALF_BASE_LSN);
    if (base_lsn > self->pushed_lsn && base_lsn <= self->lsn) {
        rc = read_base(store, half, generation, &newest, err);
        self->newest = &newest;
    }
    if (rc == GRAFT_OK)
        rc = graft_log_walk(store, ahead_commit, self, &end, err);
    if (rc == GRAFT_OK)
        rc = ahead_newest(self, err);
    if (rc == GRAFT_OK && !end.stopped &&
        !GRAFT_MUTANT("store: what a half's base has ahead of the remote is left out"))
        rc = ahead_base(store, self, &end, err);
    if (rc == GRAFT_OK && newest_generation(store, &half_after) != generation)
        rc = graft_err_set(err, GRAFT_EBUSY, "%s: the log moved on", store->directory);
    self->newest = NULL;
    graft_log_base_deinit(&newest);
    return rc;
}

enum graft_rc graft_ahead_collect(struct graft_store *store, uint64_t lsn, uint64_t pushed_lsn,
                                  struct graft_pageset *out, uint64_t *commits,
                                  struct graft_err *err)
{
    struct graft_pageset pages;
    graft_pageset_init(&pages, store->env->alloc);
    enum graft_rc rc = GRAFT_EBUSY;
    struct ahead ahead = {0};
    for (unsigned i = 0; rc == GRAFT_EBUSY && i < TRIES_MAX; i++) {
        graft_pageset_clear(&pages);
        ahead = (struct ahead){
            .lsn = lsn, .pushed_lsn = pushed_lsn, .pages = &pages, .limit = UINT32_MAX};
        rc = ahead_once(store, &ahead, err);
    }
    if (rc != GRAFT_OK) {
        graft_pageset_deinit(&pages);
        return rc;
    }
    graft_pageset_deinit(out);
    *out = pages;
    *commits = ahead.commits;
    return GRAFT_OK;
}

enum graft_rc graft_store_ahead(struct graft_store *store, uint64_t lsn, struct graft_pageset *out,
                                uint64_t *commits, struct graft_err *err)
{
    struct graft_sync_state state;
    graft_sync_words_load(store, &state);
    if (lsn == 0)
        lsn = graft_header_load(store, GRAFT_W_HEAD);
    return graft_ahead_collect(store, lsn, state.pushed_lsn, out, commits, err);
}

enum graft_rc graft_ahead_had(struct graft_store *store, uint64_t lsn, uint64_t pushed_lsn,
                              uint32_t page, bool *had, struct graft_err *err)
{
    struct graft_ahead_cache *cache = &store->ahead;
    graft_mutex_lock(store->mutex);
    enum graft_rc rc = GRAFT_OK;
    unsigned half;
    uint64_t generation = newest_generation(store, &half);
    if (!cache->valid || cache->lsn != lsn || cache->pushed_lsn != pushed_lsn ||
        cache->generation != generation ||
        GRAFT_BUGGIFY("ahead: the set in memory is not believed")) {
        cache->valid = false;
        rc = graft_ahead_collect(store, lsn, pushed_lsn, &cache->pages, &cache->commits, err);
        cache->valid = rc == GRAFT_OK;
        cache->lsn = lsn;
        cache->pushed_lsn = pushed_lsn;
        cache->generation = generation;
    }
    if (rc == GRAFT_OK)
        *had = graft_pageset_contains(&cache->pages, page);
    graft_mutex_unlock(store->mutex);
    return rc;
}

enum graft_rc graft_ahead_has(struct graft_store *store, uint32_t page, bool *has,
                              struct graft_err *err)
{
    uint64_t lsn = graft_header_load(store, GRAFT_W_HEAD);
    struct graft_sync_state state;
    graft_sync_words_load(store, &state);
    return graft_ahead_had(store, lsn, state.pushed_lsn, page, has, err);
}

/* ---- Commits ---- */

struct listing {
    graft_store_commit_fn *each;
    void *arg;
    uint64_t head;
    enum graft_rc rc; /* that `each` returned */
};

static enum graft_rc list_commit(void *arg, const struct graft_record *record,
                                 const struct graft_commit_payload *payload, bool *stop,
                                 struct graft_err *err)
{
    (void)err;
    struct listing *self = arg;
    if (record->lsn > self->head)
        return GRAFT_OK;
    struct graft_store_commit_info info = {.lsn = record->lsn,
                                           .time_ms = payload->time_ms,
                                           .page_count = payload->page_count,
                                           .pages = payload->pages.page_count,
                                           .kind = payload->kind};
    self->rc = self->each(self->arg, &info);
    *stop = self->rc != GRAFT_OK;
    return GRAFT_OK;
}

enum graft_rc graft_store_commits(struct graft_store *store, graft_store_commit_fn *each, void *arg,
                                  struct graft_err *err)
{
    struct listing listing = {
        .each = each, .arg = arg, .head = graft_header_load(store, GRAFT_W_HEAD)};
    struct graft_walk_end end;
    struct graft_err local = {0};
    enum graft_rc rc = graft_log_walk(store, list_commit, &listing, &end, &local);
    /* What was folded away meanwhile is not in the log any more. */
    if (rc == GRAFT_EBUSY)
        rc = GRAFT_OK;
    if (rc != GRAFT_OK)
        return graft_err_set(err, rc, "%s", local.text);
    return listing.rc;
}

/* ---- Making durable, throwing away ---- */

enum graft_rc graft_store_flush(struct graft_store *store, struct graft_err *err)
{
    if (graft_synced_load(store) >= graft_header_load(store, GRAFT_W_HEAD))
        return GRAFT_OK;
    return graft_log_sync(store, err);
}

static enum graft_rc give_up_pages(struct graft_store_session *session, uint32_t page_count,
                                   const struct graft_pageset *pages, struct graft_err *err)
{
    for (uint32_t i = 0; i < pages->run_count; i++) {
        const struct graft_run *run = &pages->runs[i];
        for (uint32_t k = 0; k < run->count && run->first + k <= page_count; k++)
            GRAFT_TRY(graft_store_write_remote(session, run->first + k, err));
    }
    return GRAFT_OK;
}

enum graft_rc graft_store_reset(struct graft_store_session *session, uint32_t page_count,
                                const struct graft_pageset *changed,
                                const struct graft_sync_state *state, struct graft_err *err)
{
    struct graft_store *store = session->store;
    if (!session->txn.open || session->txn.touched)
        return graft_err_set(err, GRAFT_EINVAL,
                             "resetting: needs the writer role, and a "
                             "transaction that changed nothing");
    struct graft_sync_state now, after = *state;
    graft_sync_words_load(store, &now);
    struct graft_pageset ahead;
    graft_pageset_init(&ahead, store->env->alloc);
    uint64_t commits = 0;
    enum graft_rc rc =
        graft_ahead_collect(store, session->txn.lsn - 1, now.pushed_lsn, &ahead, &commits, err);
    if (rc == GRAFT_OK)
        rc = graft_store_write_page_count(session, page_count, err);
    if (rc == GRAFT_OK && !GRAFT_MUTANT("store: a reset keeps the pages that were ahead"))
        rc = give_up_pages(session, page_count, &ahead, err);
    if (rc == GRAFT_OK && changed != NULL)
        rc = give_up_pages(session, page_count, changed, err);
    graft_pageset_deinit(&ahead);
    /* Nothing is ahead after it, this commit included. */
    after.pushed_lsn = session->txn.lsn;
    struct graft_store_commit commit = {.kind = GRAFT_COMMIT_PULL,
                                        .durable = true,
                                        .sync = &after,
                                        .time_ms = graft_clock_now_ms(store->env->clock)};
    if (rc == GRAFT_OK)
        rc = graft_store_prepare(session, &commit, err);
    GRAFT_SOMETIMES(rc == GRAFT_OK && commits > 0, "a reset threw local commits away");
    if (rc == GRAFT_OK) {
        /* Before it can be seen: who sees it must know what it is. */
        graft_header_store(store, GRAFT_W_RESET, session->txn.lsn);
        graft_store_publish(session);
    }
    return rc;
}
