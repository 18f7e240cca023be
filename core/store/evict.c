/* Giving held pages up: one that is rotten, so that it is fetched again, or those that were read
 * least recently, so that the image keeps below the limit of the cache.
 *
 * What may go is what the remote has, as a synced record of the log says, and no reader needs
 * otherwise: whoever finds a page missing asks the remote for what that had at the reader's remote
 * LSN, so that every mark must have reached the one of the page's version. The order is what makes
 * it safe: the words are made zero, and are so on the disk, before their bytes become a hole; and
 * until then, and as long as the log may bring an old version back, pulls write frames for pages
 * that are not held, too. */
#include "store/parts.h"

#include "base/assert.h"
#include "base/catalogue.h"

#define FORGET_WAIT_MS 2000U
#define SWEEP_WORDS_MAX (UINT32_C(1) << 20) /* looked at in one sweep, holes of the table apart */
#define BLOCK_BYTES 4096U                   /* what a file system gives back at least */

/* ---- What may go ---- */

struct giving {
    struct graft_store *store;
    uint64_t head, pushed_lsn;
    struct graft_store_snapshot snapshot; /* the head's */
    uint64_t known_lsn;                   /* remote LSN that every reader has, also those to come */
    bool settled;                         /* all of them see the head, which is durable */
    const struct graft_pageset *logged;   /* what a recovery may find in the log; NULL: anything */
    bool any_logged;                      /* a page that was given up is among it */
};

enum verdict { MAY_GO, IS_IN_LOG, IS_AHEAD, IS_NEEDED };

static enum graft_rc judge(const struct giving *self, uint32_t page, uint64_t word,
                           uint64_t version_lsn, enum verdict *verdict, struct graft_err *err)
{
    if (graft_word_valid(word) && graft_word_place(word) != 0) {
        *verdict = IS_IN_LOG;
        return GRAFT_OK;
    }
    bool ahead = false;
    GRAFT_TRY(graft_ahead_had(self->store, self->head, self->pushed_lsn, page, &ahead, err));
    if (ahead && GRAFT_MUTANT("store: a page that is ahead of the remote is given up"))
        ahead = false;
    *verdict = ahead ? IS_AHEAD : version_lsn > self->known_lsn ? IS_NEEDED : MAY_GO;
    return GRAFT_OK;
}

/* ---- What the log may bring back ---- */

static enum graft_rc collect_logged(void *arg, const struct graft_record *record,
                                    const struct graft_commit_payload *payload, bool *stop,
                                    struct graft_err *err)
{
    struct graft_logged_cache *logged = arg;
    *stop = record->lsn <= logged->above;
    if (*stop || record->lsn > logged->upto)
        return GRAFT_OK;
    enum graft_rc rc = graft_pageset_add_all(&logged->pages, &payload->pages);
    return rc == GRAFT_OK ? rc : graft_err_set(err, rc, "%s", graft_rc_text(rc));
}

/* The pages of commits that are folded, and that a recovery would read all the same; NULL when that
 * cannot be told. */
static const struct graft_pageset *logged_pages(struct graft_store *store)
{
    struct graft_logged_cache *logged = &store->logged;
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    uint64_t above = graft_half_load(store, half, GRAFT_HALF_BASE_LSN);
    uint64_t upto = graft_header_load(store, GRAFT_W_FOLDED);
    if (graft_half_load(store, 1 - half, GRAFT_HALF_GENERATION) >
        graft_header_load(store, GRAFT_W_DEAD_KEPT)) {
        uint64_t other = graft_half_load(store, 1 - half, GRAFT_HALF_BASE_LSN);
        above = other < above ? other : above;
    }
    if (logged->valid && logged->above == above && logged->upto == upto)
        return &logged->pages;
    struct graft_err ignored = {0};
    struct graft_walk_end end;
    graft_pageset_clear(&logged->pages);
    logged->above = above;
    logged->upto = upto;
    logged->valid =
        upto <= above || graft_log_walk(store, collect_logged, logged, &end, &ignored) == GRAFT_OK;
    return logged->valid ? &logged->pages : NULL;
}

/* ---- Giving up ---- */

static void look_at_readers(struct giving *self)
{
    struct graft_store *store = self->store;
    uint64_t remote_lsn = self->snapshot.remote_lsn;
    bool shrunk = graft_header_load(store, GRAFT_W_HIGHEST) > self->snapshot.page_count;
    graft_header_raise(store, GRAFT_W_REMOTE_FLOOR, remote_lsn);
    if (shrunk)
        graft_header_raise(store, GRAFT_W_FLOOR, self->head);
    graft_shm_fence();
    self->known_lsn = graft_marks_least_remote(store, remote_lsn);
    self->settled = shrunk && graft_synced_load(store) >= self->head &&
                    graft_marks_least(store, self->head) == self->head;
    if (GRAFT_MUTANT("store: a page is given up whoever needs it"))
        self->known_lsn = remote_lsn;
}

/* Under the fold lock. EBUSY while a note or a pull is half published. */
static enum graft_rc begin(struct giving *self, struct graft_store *store, struct graft_err *err)
{
    struct graft_sync_state state;
    *self = (struct giving){.store = store, .head = graft_header_load(store, GRAFT_W_HEAD)};
    graft_sync_words_load(store, &state);
    if (!graft_ring_load(store, self->head, &self->snapshot) ||
        self->snapshot.remote_lsn != state.remote_lsn)
        return graft_err_set(err, GRAFT_EBUSY, "%s is being synced; try again after it",
                             store->directory);
    self->pushed_lsn = state.pushed_lsn;
    look_at_readers(self);
    GRAFT_TRY(graft_table_mend(store, err));
    /* What a fold has just made superfluous in the log need not count as being there. */
    if (graft_header_load(store, GRAFT_W_DEAD_KEPT) < graft_dead_load(store))
        GRAFT_TRY(graft_table_sync_header(store, err));
    self->logged = logged_pages(store);
    return GRAFT_OK;
}

/* False when it was written just now. */
static bool give_up(struct giving *self, uint32_t page, _Atomic uint64_t *slot, uint64_t word)
{
    struct graft_store *store = self->store;
    if (graft_header_load(store, GRAFT_W_GIVING_UP) == 0)
        graft_header_store(store, GRAFT_W_GIVING_UP, 1);
    if (!graft_shm_cas(store->env->shm, slot, word, 0))
        return false;
    if (self->logged == NULL || graft_pageset_contains(self->logged, page))
        self->any_logged = true;
    return true;
}

/* Makes durable that the pages, of first..last, are not held. */
static enum graft_rc settle(struct giving *self, uint32_t first, uint32_t last,
                            struct graft_err *err)
{
    struct graft_store *store = self->store;
    /* Whoever finds a hole where a page was can tell why. */
    (void)graft_shm_add(store->env->shm, &store->header[GRAFT_W_GIVEN_UP], 1);
    GRAFT_TRY(graft_table_sync(store, first, last, err));
    if (graft_header_load(store, GRAFT_W_SUSPECT) != 0)
        return graft_table_mend(store, err);
    graft_table_gave_up(store, self->any_logged);
    return GRAFT_OK;
}

/* ---- One that is rotten ---- */

static enum graft_rc refuse(struct graft_store *store, uint32_t page, const char *why,
                            struct graft_err *err)
{
    return graft_err_set(err, GRAFT_EINVAL, "page %u of %s cannot be fetched again: %s", page,
                         store->directory, why);
}

/* Whether the log says that the remote has the newest version, and since which commit. */
static enum graft_rc is_remote(struct giving *self, uint32_t page, bool *remote, uint64_t *since,
                               struct graft_err *err)
{
    struct graft_found found;
    GRAFT_TRY(graft_store_lookup(self->store, page, self->head, NULL, &found, err));
    *remote = found.kind == GRAFT_FOUND_LOG && found.record == GRAFT_RECORD_REMOTE;
    *since = found.kind == GRAFT_FOUND_LOG ? found.lsn : 0;
    return GRAFT_OK;
}

static enum graft_rc forget_locked(struct graft_store *store, uint32_t page, uint64_t lsn,
                                   struct graft_err *err)
{
    struct giving giving;
    _Atomic uint64_t *slot = NULL;
    GRAFT_TRY(begin(&giving, store, err));
    GRAFT_TRY(graft_table_word(store, page, &slot, err));
    uint64_t word = graft_shm_load(slot);
    /* Which version it is nobody asked: all must know the newest remote LSN. */
    uint64_t version_lsn = giving.snapshot.remote_lsn;
    enum verdict verdict = MAY_GO;
    bool remote = false;
    uint64_t since = 0;
    GRAFT_TRY(judge(&giving, page, word, version_lsn, &verdict, err));
    GRAFT_SOMETIMES(verdict != IS_AHEAD, "a damaged page could be had from the remote");
    if (verdict == IS_IN_LOG)
        GRAFT_TRY(is_remote(&giving, page, &remote, &since, err));
    /* Whether the version before was the remote's is not known any more. */
    if (since > lsn)
        return graft_err_set(err, GRAFT_EBUSY,
                             "page %u of %s: what an older snapshot sees of it is damaged; begin a "
                             "new transaction",
                             page, store->directory);
    if (verdict == IS_IN_LOG && !remote)
        return refuse(store, page, "its newest version stands in the log alone", err);
    if (verdict == IS_AHEAD)
        return refuse(store, page, "the remote does not have its newest version", err);
    if (version_lsn == 0)
        return refuse(store, page, "there is no remote that has it", err);
    if (remote || word == 0)
        return GRAFT_OK;
    if (verdict == IS_NEEDED)
        return graft_err_set(err, GRAFT_EBUSY,
                             "page %u of %s: an older snapshot is being read; try again after it",
                             page, store->directory);
    if (!give_up(&giving, page, slot, word))
        return graft_err_set(err, GRAFT_EBUSY, "page %u of %s was just written", page,
                             store->directory);
    return settle(&giving, page, page, err);
}

enum graft_rc graft_store_forget(struct graft_store *store, uint32_t page, uint64_t lsn,
                                 struct graft_err *err)
{
    if (page == 0 || page > graft_header_load(store, GRAFT_W_HIGHEST))
        return refuse(store, page, "there is no such page", err);
    GRAFT_TRY(graft_table_mark_dirty(store, err));
    GRAFT_TRY(graft_fold_wait(store, FORGET_WAIT_MS, err));
    enum graft_rc rc = forget_locked(store, page, lsn, err);
    graft_fold_release(store);
    return rc;
}

/* ---- Those that were read least recently ---- */

uint64_t graft_store_cache_limit(struct graft_store *store)
{
    return graft_header_load(store, GRAFT_W_CACHE_LIMIT);
}

enum graft_rc graft_store_image_space(struct graft_store *store, uint64_t *bytes,
                                      struct graft_err *err)
{
    return graft_file_space(store->files[GRAFT_FILE_IMAGE], bytes, err);
}

/* Whether the image alone has the newest version. */
static bool is_in_image(uint64_t word)
{
    return graft_word_valid(word) && graft_word_present(word) && graft_word_place(word) == 0;
}

enum graft_rc graft_store_sweep(struct graft_store *store, uint32_t pages_max,
                                struct graft_store_sweep *out, struct graft_err *err)
{
    uint64_t highest = graft_header_load(store, GRAFT_W_HIGHEST);
    uint64_t hand = graft_header_load(store, GRAFT_W_HAND);
    if (hand >= highest)
        hand = 0;
    if (pages_max > GRAFT_SWEEP_PAGES_MAX)
        pages_max = GRAFT_SWEEP_PAGES_MAX;
    uint64_t page = hand + 1;
    uint32_t count = 0;
    uint64_t field = UINT64_MAX; /* of the page before */
    bool spared = false;
    for (uint32_t words = 0; words < SWEEP_WORDS_MAX && count < pages_max; words++, page++) {
        _Atomic uint64_t *slot = NULL;
        page = graft_table_skip_hole(store, page);
        if (page > highest)
            break;
        GRAFT_TRY(graft_table_word(store, (uint32_t)page, &slot, err));
        if (!is_in_image(graft_shm_load(slot)))
            continue;
        uint32_t its = graft_recency_field(store, (uint32_t)page);
        if (its != field)
            spared = graft_recency_spend(store, its);
        field = its;
        if (!spared || GRAFT_BUGGIFY("sweep: a page goes that was just read"))
            out->pages[count++] = (uint32_t)page;
    }
    uint64_t last = page - 1 < highest ? page - 1 : highest;
    out->count = count;
    out->first = last > hand ? (uint32_t)hand + 1 : 0;
    out->last = (uint32_t)last;
    graft_header_store(store, GRAFT_W_HAND, last);
    return GRAFT_OK;
}

/* The first page from `page` on, at most `end`, whose word is not zero. */
static uint64_t end_of_zeros(struct graft_store *store, uint64_t page, uint64_t end)
{
    for (; page < end; page++) {
        _Atomic uint64_t *slot = NULL;
        struct graft_err ignored = {0};
        page = graft_table_skip_hole(store, page);
        if (page >= end || graft_table_word(store, (uint32_t)page, &slot, &ignored) != GRAFT_OK ||
            graft_shm_load(slot) != 0)
            break;
    }
    return page < end ? page : end;
}

/* Gives back the space of all pages in first..last that are not held, also of those that became so
 * otherwise. Only whole blocks can be: those that reach over the ends are looked at, too. Words are
 * zero on the disk wherever they are here, and stay so under the fold lock unless the log gets a
 * version. */
static enum graft_rc punch_holes(struct graft_store *store, uint64_t first, uint64_t last,
                                 struct graft_err *err)
{
    uint64_t slot_bytes = graft_store_slot_bytes(store);
    uint64_t end = graft_header_load(store, GRAFT_W_HIGHEST) + 1;
    uint64_t reach = BLOCK_BYTES / slot_bytes + 1;
    uint64_t page = first > reach ? first - reach : 1;
    if (end - last > reach)
        end = last + reach;
    while (page < end) {
        uint64_t from = (page - 1) * slot_bytes;
        page = end_of_zeros(store, page, end);
        uint64_t to = (page - 1) * slot_bytes / BLOCK_BYTES * BLOCK_BYTES;
        from = (from + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
        if (from < to)
            GRAFT_TRY(graft_file_punch(store->files[GRAFT_FILE_IMAGE], from, to - from, err));
        page++;
    }
    return GRAFT_OK;
}

static enum graft_rc evict_one(struct giving *self, uint32_t page, uint64_t version_lsn, bool *gone,
                               struct graft_err *err)
{
    _Atomic uint64_t *slot = NULL;
    enum verdict verdict = MAY_GO;
    GRAFT_TRY(graft_table_word(self->store, page, &slot, err));
    uint64_t word = graft_shm_load(slot);
    if (!is_in_image(word))
        return GRAFT_OK;
    /* What a shrink cut off nobody sees any more, once all see the head. */
    if (page > self->snapshot.page_count)
        version_lsn = self->settled ? 0 : UINT64_MAX;
    GRAFT_TRY(judge(self, page, word, version_lsn, &verdict, err));
    GRAFT_SOMETIMES(verdict == IS_AHEAD, "a page was not evicted, as only this replica has it");
    GRAFT_SOMETIMES(verdict == IS_NEEDED,
                    "a page was not evicted, as an older snapshot is being read");
    *gone = verdict == MAY_GO && give_up(self, page, slot, word);
    GRAFT_SOMETIMES(*gone, "a page was evicted");
    return GRAFT_OK;
}

static enum graft_rc evict_locked(struct graft_store *store, const struct graft_store_sweep *sweep,
                                  uint64_t resolved_lsn, uint64_t *evicted, struct graft_err *err)
{
    struct giving giving;
    uint64_t count = 0;
    enum graft_rc rc = GRAFT_OK;
    GRAFT_TRY(begin(&giving, store, err));
    if (resolved_lsn == 0 || giving.snapshot.remote_lsn != resolved_lsn)
        return GRAFT_OK;
    for (uint32_t i = 0; i < sweep->count && rc == GRAFT_OK; i++) {
        bool gone = false;
        GRAFT_ASSERT(sweep->pages[i] >= sweep->first && sweep->pages[i] <= sweep->last);
        rc = evict_one(&giving, sweep->pages[i], sweep->versions[i], &gone, err);
        count += gone ? 1 : 0;
    }
    if (graft_header_load(store, GRAFT_W_GIVING_UP) != 0)
        GRAFT_TRY(settle(&giving, sweep->first, sweep->last, err));
    store->counts.evicted += count;
    *evicted = count;
    return rc == GRAFT_OK ? punch_holes(store, sweep->first, sweep->last, err) : rc;
}

enum graft_rc graft_store_evict(struct graft_store *store, const struct graft_store_sweep *sweep,
                                uint64_t resolved_lsn, uint64_t *evicted, struct graft_err *err)
{
    bool taken = false;
    *evicted = 0;
    if (sweep->first == 0)
        return GRAFT_OK;
    GRAFT_ASSERT(sweep->count <= GRAFT_SWEEP_PAGES_MAX && sweep->first <= sweep->last);
    GRAFT_TRY(graft_table_mark_dirty(store, err));
    GRAFT_TRY(graft_fold_try(store, &taken, err));
    if (!taken)
        return graft_err_set(err, GRAFT_EBUSY, "%s: another process folds", store->directory);
    enum graft_rc rc = evict_locked(store, sweep, resolved_lsn, evicted, err);
    graft_fold_release(store);
    return rc;
}
