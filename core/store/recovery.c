/* What the first opener does after a crash: read the live halves up to the last commit that
 * verifies, bring all of it into the image, and begin a new half, so that nothing is ever built on
 * bytes that were read but may not be on the disk. It changes nothing before it has read the whole
 * log, and can be killed anywhere: the halves stay what they are until the new one is there.
 *
 * A record that does not verify is where a crash cut the log off, unless something tells of a
 * durable commit behind it (the table's synced LSN, the base of the newer half, or a later commit
 * record that was written when that was known): then it is rot, and an error. */
#include "store/parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"

#define PAGES_AT_ONCE 65536U
#define SURVEYS_MAX 4U

struct half_state {
    unsigned half;
    struct graft_half_header header;
    struct graft_log_base base;
    uint64_t end, chain; /* after the last commit or note that counts */
    uint32_t last;       /* its newest commit record's place; 0 none */
};

struct recovery {
    struct graft_store *store;
    struct half_state newest, older;
    bool older_lives;
    uint64_t lsn;
    uint32_t page_count;
    struct graft_sync_state sync;
};

static void recovery_init(struct recovery *self, struct graft_store *store)
{
    *self = (struct recovery){.store = store};
    graft_log_base_init(&self->newest.base, store->env->alloc);
    graft_log_base_init(&self->older.base, store->env->alloc);
}

static void recovery_deinit(struct recovery *self)
{
    graft_log_base_deinit(&self->newest.base);
    graft_log_base_deinit(&self->older.base);
}

static enum graft_rc rotten(struct recovery *self, unsigned half, uint64_t lsn,
                            struct graft_err *err)
{
    GRAFT_REACHABLE("recovery missed a commit that was durable");
    self->store->counts.rot++;
    return graft_err_set(err, GRAFT_ECORRUPT,
                         "%s/log.%u: commit %llu, which was durable, is damaged; restore the "
                         "directory from a copy, or clone the remote again",
                         self->store->directory, half, (unsigned long long)lsn);
}

/* ---- Which half is the newest ---- */

static enum graft_rc read_halves(struct recovery *self, struct graft_err *err)
{
    struct graft_store *store = self->store;
    struct half_state *states[2] = {&self->newest, &self->older};
    bool good[2];
    struct graft_err damage = {0};
    for (unsigned i = 0; i < 2; i++) {
        states[i]->half = i;
        struct graft_err found = {0};
        uint64_t bytes = 0;
        enum graft_rc rc = graft_half_read(store, i, &states[i]->header, &states[i]->base, &found);
        good[i] = rc == GRAFT_OK;
        if (rc != GRAFT_OK && rc != GRAFT_ECORRUPT) {
            if (err != NULL)
                *err = found;
            return rc;
        }
        /* A half that was never written is not what is damaged when both fail to verify. */
        GRAFT_TRY(graft_file_size(store->files[i], &bytes, err));
        if (rc != GRAFT_OK && (damage.rc == GRAFT_OK || bytes > 0))
            damage = found;
    }
    uint64_t announced = 0;
    (void)graft_checked_word_value(graft_header_load(store, GRAFT_W_GENERATION), store->volume_seed,
                                   GRAFT_W_GENERATION, &announced);
    uint64_t first = good[0] ? self->newest.header.generation : 0;
    uint64_t second = good[1] ? self->older.header.generation : 0;
    if (first < second) {
        struct half_state swap = self->newest;
        self->newest = self->older;
        self->older = swap;
    }
    const struct half_state *newest = &self->newest;
    uint64_t highest = first > second ? first : second;
    self->older_lives =
        highest > 0 && newest->header.live < highest && graft_dead_load(store) + 1 < highest;
    if (first == second || highest < announced ||
        (self->older_lives &&
         (!good[0] || !good[1] || self->older.header.generation != newest->header.live))) {
        if (damage.rc != GRAFT_OK && err != NULL)
            *err = damage;
        return damage.rc != GRAFT_OK
                   ? GRAFT_ECORRUPT
                   : graft_err_set(err, GRAFT_ECORRUPT,
                                   "%s/log.0, log.1: they do not belong together; restore the "
                                   "directory from a copy, or clone the remote again",
                                   store->directory);
    }
    return GRAFT_OK;
}

/* ---- Survey ---- */

/* A commit that is part of a transaction over several files counts only if its super-journal is
 * gone. That is asked only of the last record of all: whatever follows was written by one who knew
 * that it counts. */
static enum graft_rc super_journal_stands(struct recovery *self,
                                          const struct graft_commit_payload *payload, bool *stands,
                                          struct graft_err *err)
{
    *stands = false;
    if (payload->super_journal == NULL)
        return GRAFT_OK;
    struct graft_entry entry;
    struct graft_err local = {0};
    enum graft_rc rc =
        graft_disk_stat(self->store->env->disk, payload->super_journal, &entry, &local);
    if (rc == GRAFT_OK || rc == GRAFT_ENOTFOUND) {
        *stands = rc == GRAFT_OK;
        return GRAFT_OK;
    }
    if (err != NULL)
        *err = local;
    return rc;
}

struct survey {
    struct recovery *self;
    struct half_state *state;
    struct graft_commit_payload payload; /* of the last commit */
    uint64_t upto;                       /* LSN to stop at */
    /* As it was before the last commit, which may turn out not to count. */
    bool doubtful;
    uint64_t end, chain;
    uint32_t last, page_count;
    struct graft_sync_state sync;
};

static void survey_position(struct survey *survey, const struct graft_scan *scan)
{
    survey->state->end = scan->offset;
    survey->state->chain = scan->chain;
}

static enum graft_rc survey_record(struct survey *survey, const struct graft_scan *scan,
                                   const struct graft_record *record, const uint8_t *bytes,
                                   struct graft_err *err)
{
    struct recovery *self = survey->self;
    struct half_state *state = survey->state;
    survey->doubtful = false;
    if (record->kind == GRAFT_RECORD_NOTE) {
        GRAFT_REACHABLE("recovery found a note of the sync state");
        if (GRAFT_MUTANT("store: recovery passes over notes of the sync state")) {
            survey_position(survey, scan);
            return GRAFT_OK;
        }
        GRAFT_TRY(graft_sync_state_decode(&self->sync, self->store->env->alloc, bytes,
                                          record->payload_bytes, err));
        survey_position(survey, scan);
        return GRAFT_OK;
    }
    if (record->kind != GRAFT_RECORD_COMMIT)
        return GRAFT_OK;
    survey->end = state->end;
    survey->chain = state->chain;
    survey->last = state->last;
    survey->page_count = self->page_count;
    survey->sync = self->sync;
    GRAFT_TRY(graft_commit_payload_decode(&survey->payload, bytes, record->payload_bytes, err));
    survey->doubtful = survey->payload.super_journal != NULL;
    state->last = graft_place_make(state->half, record->offset);
    self->lsn = record->lsn;
    if (!GRAFT_MUTANT("store: recovery keeps the page count of the half's base"))
        self->page_count = survey->payload.page_count;
    if (survey->payload.has_sync)
        self->sync = survey->payload.sync;
    survey_position(survey, scan);
    return GRAFT_OK;
}

static enum graft_rc survey_records(struct survey *survey, struct graft_scan *scan,
                                    struct graft_err *err)
{
    struct recovery *self = survey->self;
    for (;;) {
        if (self->lsn == survey->upto && scan->frames == 0)
            return GRAFT_OK;
        struct graft_record record;
        const uint8_t *bytes = NULL;
        bool found = false;
        GRAFT_TRY(graft_scan_next(scan, &record, &bytes, &found, err));
        GRAFT_SOMETIMES(!found && scan->frames > 0, "recovery cut off a commit that was not whole");
        GRAFT_SOMETIMES(!found && scan->frames == 0, "recovery read the log to a commit's end");
        if (!found)
            break;
        GRAFT_TRY(survey_record(survey, scan, &record, bytes, err));
    }
    bool stands = false;
    if (survey->doubtful)
        GRAFT_TRY(super_journal_stands(self, &survey->payload, &stands, err));
    if (stands) {
        survey->state->end = survey->end;
        survey->state->chain = survey->chain;
        survey->state->last = survey->last;
        self->lsn--;
        self->page_count = survey->page_count;
        self->sync = survey->sync;
    }
    return GRAFT_OK;
}

/* `upto` is the LSN that the half must reach and is read to; UINT64_MAX for the newest. */
static enum graft_rc survey_half(struct recovery *self, struct half_state *state, uint64_t upto,
                                 struct graft_err *err)
{
    struct graft_store *store = self->store;
    struct survey survey = {.self = self, .state = state, .upto = upto};
    graft_commit_payload_init(&survey.payload, store->env->alloc);
    self->lsn = state->base.lsn;
    self->page_count = state->base.page_count;
    self->sync = state->base.sync;
    struct graft_scan scan;
    graft_scan_half(&scan, store, state->half, &state->header, state->base.lsn);
    state->last = 0;
    survey_position(&survey, &scan);
    enum graft_rc rc = survey_records(&survey, &scan, err);
    uint64_t durable = graft_synced_load(store), told = 0;
    if (rc == GRAFT_OK && upto != UINT64_MAX)
        durable = upto;
    else if (rc == GRAFT_OK)
        rc = graft_scan_witness(&scan, &told, err);
    durable = durable > told ? durable : told;
    if (rc == GRAFT_OK && self->lsn < durable)
        rc = rotten(self, state->half, self->lsn + 1, err);
    graft_scan_deinit(&scan);
    graft_commit_payload_deinit(&survey.payload);
    return rc;
}

/* ---- Apply ---- */

static enum graft_rc table_words(struct graft_store *store, uint32_t *count, struct graft_err *err)
{
    uint64_t bytes = 0;
    GRAFT_TRY(graft_map_size(store->map, &bytes, err));
    uint64_t words = bytes <= GRAFT_TABLE_HEADER_BYTES ? 0 : (bytes - GRAFT_TABLE_HEADER_BYTES) / 8;
    *count = words > GRAFT_PAGES_MAX ? GRAFT_PAGES_MAX : (uint32_t)words;
    return GRAFT_OK;
}

static enum graft_rc clear_places(struct graft_store *store, uint32_t count, struct graft_err *err)
{
    _Atomic uint64_t *slots = NULL;
    uint32_t run = 0;
    for (uint64_t page = 1; page <= count; page += run) {
        GRAFT_TRY(graft_table_run(store, (uint32_t)page, count, &slots, &run, err));
        for (uint32_t i = 0; i < run; i++) {
            uint64_t word = graft_shm_load(&slots[i]);
            /* A word that is damaged stays so, for readers to find. */
            if (!graft_word_valid(word) || graft_word_place(word) == 0)
                continue;
            graft_shm_store(store->env->shm, &slots[i],
                            graft_word_make(graft_word_present(word), 0, graft_word_sum(word)));
        }
    }
    return GRAFT_OK;
}

/* Clears the words of pages above `least`, but for those that the commit which begins at `start`
 * brings. A frame of it that its page set does not name was spilled, and then cut off by a shrink
 * of the same transaction. */
struct clearing {
    uint32_t least, highest;
    unsigned half;
    uint64_t start;
    const struct graft_pageset *brought; /* NULL: nothing */
};

static bool is_brought(const struct clearing *clearing, uint32_t page, uint64_t word)
{
    uint32_t place = graft_word_place(word);
    return graft_word_valid(word) && place != 0 && graft_place_half(place) == clearing->half &&
           graft_place_offset(place) >= clearing->start && clearing->brought != NULL &&
           graft_pageset_contains(clearing->brought, page);
}

static enum graft_rc clear_above(struct graft_store *store, const struct clearing *clearing,
                                 struct graft_err *err)
{
    _Atomic uint64_t *slots = NULL;
    uint32_t run = 0;
    for (uint64_t page = (uint64_t)clearing->least + 1; page <= clearing->highest; page += run) {
        GRAFT_TRY(graft_table_run(store, (uint32_t)page, clearing->highest, &slots, &run, err));
        for (uint32_t i = 0; i < run; i++) {
            uint64_t word = graft_shm_load(&slots[i]);
            if (word != 0 && !is_brought(clearing, (uint32_t)page + i, word))
                graft_shm_store(store->env->shm, &slots[i], 0);
        }
    }
    return GRAFT_OK;
}

static enum graft_rc apply_frame(struct graft_store *store, unsigned half,
                                 const struct graft_record *record, struct graft_err *err)
{
    _Atomic uint64_t *slot = NULL;
    GRAFT_TRY(graft_table_grow(store, record->page, err));
    GRAFT_TRY(graft_table_reserve(store, record->page, err));
    GRAFT_TRY(graft_table_word(store, record->page, &slot, err));
    graft_publish_word(store, slot, graft_place_make(half, record->offset));
    return GRAFT_OK;
}

struct apply {
    struct graft_store *store;
    struct graft_scan scan;
    struct graft_commit_payload payload;
    unsigned half;
    uint64_t start;   /* of the commit under way */
    uint32_t highest; /* no page above it has a word */
};

static enum graft_rc apply_record(struct apply *self, const struct graft_record *record,
                                  const uint8_t *bytes, struct graft_err *err)
{
    if (record->kind <= GRAFT_RECORD_ZEROS) {
        if (record->page > self->highest)
            self->highest = record->page;
        return apply_frame(self->store, self->half, record, err);
    }
    if (record->kind == GRAFT_RECORD_COMMIT) {
        GRAFT_TRY(graft_commit_payload_decode(&self->payload, bytes, record->payload_bytes, err));
        struct clearing clearing = {self->payload.least, self->highest, self->half, self->start,
                                    &self->payload.pages};
        GRAFT_TRY(clear_above(self->store, &clearing, err));
        self->highest = self->payload.page_count;
    }
    self->start = self->scan.offset;
    return GRAFT_OK;
}

static enum graft_rc apply_half(struct recovery *self, const struct half_state *state,
                                struct graft_err *err)
{
    struct graft_store *store = self->store;
    struct apply apply = {.store = store, .half = state->half};
    GRAFT_TRY(table_words(store, &apply.highest, err));
    graft_commit_payload_init(&apply.payload, store->env->alloc);
    graft_scan_half(&apply.scan, store, state->half, &state->header, state->base.lsn);
    apply.start = apply.scan.offset;
    enum graft_rc rc = GRAFT_OK;
    while (rc == GRAFT_OK && apply.scan.offset < state->end) {
        struct graft_record record;
        const uint8_t *bytes = NULL;
        bool found = false;
        rc = graft_scan_next(&apply.scan, &record, &bytes, &found, err);
        if (rc == GRAFT_OK && !found)
            rc = rotten(self, state->half, apply.scan.lsn + 1, err);
        if (rc == GRAFT_OK)
            rc = apply_record(&apply, &record, bytes, err);
    }
    graft_scan_deinit(&apply.scan);
    graft_commit_payload_deinit(&apply.payload);
    return rc;
}

/* ---- The header that everybody shares ---- */

static void set_half(struct graft_store *store, const struct half_state *state, uint64_t extent)
{
    graft_half_store(store, state->half, GRAFT_HALF_GENERATION, state->header.generation);
    graft_half_store(store, state->half, GRAFT_HALF_BASE_LSN, state->base.lsn);
    graft_half_store(store, state->half, GRAFT_HALF_EXTENT, extent);
    graft_half_store(store, state->half, GRAFT_HALF_START,
                     GRAFT_HALF_HEADER_BYTES + graft_align64(state->header.base_bytes));
    graft_half_store(store, state->half, GRAFT_HALF_SUM, state->header.sum);
}

static enum graft_rc set_header(struct recovery *self, struct graft_err *err)
{
    struct graft_store *store = self->store;
    uint64_t extents[2] = {0, 0};
    GRAFT_TRY(graft_file_size(store->files[self->newest.half], &extents[0], err));
    GRAFT_TRY(graft_file_size(store->files[self->older.half], &extents[1], err));
    GRAFT_TRY(graft_table_allocate_header(store, err));
    for (unsigned i = GRAFT_W_HEAD; i < GRAFT_TABLE_HEADER_BYTES / 8; i++) {
        unsigned in_ring = i - GRAFT_RING_OFFSET / 8; /* wraps below it */
        bool ring = in_ring < GRAFT_RING_SLOTS * GRAFT_RING_WORDS;
        /* The LSN of a place says whether anything is there: what stands behind it may stay. */
        if (ring && in_ring % GRAFT_RING_WORDS != 0)
            continue;
        uint64_t value = ring ? UINT64_MAX : 0;
        if (graft_shm_load(&store->header[i]) != value)
            graft_header_store(store, i, value);
    }
    /* What still stands there is nothing that anybody may be led to. */
    if (!self->older_lives)
        self->older.header.generation = 0;
    set_half(store, &self->newest, extents[0]);
    set_half(store, &self->older, extents[1]);
    if (!self->older_lives)
        graft_dead_raise(store, self->newest.header.generation - 1);
    graft_header_store(store, GRAFT_W_PAGE_BYTES, store->config.page_bytes);
    graft_store_announce_limit(store);
    graft_header_store(store, GRAFT_W_HALF, self->newest.half);
    graft_header_store(store, GRAFT_W_END, self->newest.end);
    graft_header_store(store, GRAFT_W_CHAIN, self->newest.chain);
    uint32_t last = self->newest.last;
    if (last == 0 && self->older_lives)
        last = self->older.last;
    graft_header_store(store, GRAFT_W_LAST, last);
    graft_header_store(store, GRAFT_W_FOLDED,
                       self->older_lives ? self->older.base.lsn : self->newest.base.lsn);
    graft_header_store(store, GRAFT_W_HIGHEST, self->page_count);
    graft_sync_words_store(store, &self->sync);
    struct graft_store_snapshot snapshot = {
        .lsn = self->lsn, .remote_lsn = self->sync.remote_lsn, .page_count = self->page_count};
    graft_ring_store(store, &snapshot);
    graft_header_store(store, GRAFT_W_HEAD, self->lsn);
    return GRAFT_OK;
}

/* ---- After a crash ---- */

static void note_placed(uint32_t first, const _Atomic uint64_t *slots, uint32_t run,
                        uint32_t *pages, size_t *count)
{
    for (uint32_t i = 0; i < run; i++) {
        uint64_t word = graft_shm_load(&slots[i]);
        if (graft_word_valid(word) && graft_word_place(word) != 0)
            pages[(*count)++] = first + i;
    }
}

/* Folds every page whose word has a place. */
static enum graft_rc fold_all(struct recovery *self, struct graft_err *err)
{
    struct graft_store *store = self->store;
    uint32_t words = 0;
    GRAFT_TRY(table_words(store, &words, err));
    uint32_t at_once = words < PAGES_AT_ONCE ? words : PAGES_AT_ONCE;
    uint32_t *pages = graft_calloc(store->env->alloc, (size_t)at_once + 1, sizeof *pages);
    if (pages == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "recovering %s: out of memory", store->directory);
    enum graft_rc rc = GRAFT_OK;
    size_t count = 0;
    uint32_t run = 0;
    for (uint64_t page = 1; page <= words && rc == GRAFT_OK; page += run) {
        _Atomic uint64_t *slots = NULL;
        uint64_t last = page + (at_once - count) - 1;
        rc = graft_table_run(store, (uint32_t)page, last < words ? (uint32_t)last : words, &slots,
                             &run, err);
        if (rc == GRAFT_OK)
            note_placed((uint32_t)page, slots, run, pages, &count);
        if (rc == GRAFT_OK && count == at_once) {
            rc = graft_fold_pages(store, pages, count, self->lsn, err);
            count = 0;
        }
    }
    if (rc == GRAFT_OK)
        rc = graft_fold_pages(store, pages, count, self->lsn, err);
    graft_free(store->env->alloc, pages);
    return rc;
}

enum graft_rc graft_store_begin_anew(struct graft_store *store, struct graft_err *err)
{
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    uint64_t generation = graft_half_load(store, half, GRAFT_HALF_GENERATION) + 1;
    GRAFT_ALWAYS(graft_half_load(store, 1 - half, GRAFT_HALF_GENERATION) < generation,
                 "a new generation is above those of both halves");
    struct graft_log_base base;
    graft_log_base_init(&base, store->env->alloc);
    enum graft_rc rc = graft_log_present_base(store, &base, err);
    graft_dead_raise(store, generation - 2);
    if (rc == GRAFT_OK)
        rc = graft_half_begin(store, 1 - half, generation, generation, &base, err);
    if (rc == GRAFT_OK)
        graft_header_store(store, GRAFT_W_LAST, 0);
    graft_log_base_deinit(&base);
    return rc;
}

static enum graft_rc survey(struct recovery *self, struct graft_err *err)
{
    GRAFT_TRY(read_halves(self, err));
    if (self->older_lives)
        GRAFT_TRY(survey_half(self, &self->older, self->newest.base.lsn, err));
    return survey_half(self, &self->newest, UINT64_MAX, err);
}

static bool same_extent(const struct half_state *one, const struct half_state *other)
{
    return one->half == other->half && one->header.sum == other->header.sum &&
           one->end == other->end && one->chain == other->chain;
}

/* Surveys, writes what counts again, and surveys anew: after an earlier sync failed, the system may
 * have shown bytes that are nowhere, and give the old ones back at any time until it has written
 * something there. */
static enum graft_rc survey_for_good(struct recovery *self, struct graft_err *err)
{
    for (unsigned attempt = 0; attempt < SURVEYS_MAX; attempt++) {
        GRAFT_TRY(survey(self, err));
        GRAFT_TRY(graft_table_mark_dirty(self->store, err));
        if (self->older_lives)
            GRAFT_TRY(graft_log_write_again(self->store, self->older.half, self->older.end, err));
        GRAFT_TRY(graft_log_write_again(self->store, self->newest.half, self->newest.end, err));
        struct recovery again;
        recovery_init(&again, self->store);
        enum graft_rc rc = survey(&again, err);
        bool same = rc == GRAFT_OK && again.lsn == self->lsn &&
                    same_extent(&again.newest, &self->newest) &&
                    again.older_lives == self->older_lives &&
                    (!self->older_lives || same_extent(&again.older, &self->older));
        recovery_deinit(&again);
        GRAFT_TRY(rc);
        if (same)
            return GRAFT_OK;
        GRAFT_REACHABLE("recovery read a log that was not on the disk");
    }
    return graft_err_set(err, GRAFT_EIO, "%s: the log changes while it is read; open it again",
                         self->store->directory);
}

static enum graft_rc recover(struct recovery *self, struct graft_err *err)
{
    struct graft_store *store = self->store;
    GRAFT_SOMETIMES(self->older_lives, "recovery read both halves of the log");
    GRAFT_TRY(survey_for_good(self, err));
    GRAFT_ALWAYS(self->lsn >= self->newest.base.lsn,
                 "recovery ends no earlier than the newest base");
    GRAFT_ALWAYS(graft_synced_load(store) <= self->lsn, "recovery leaves no durable commit out");

    /* From here on something changes. */
    uint32_t words = 0;
    GRAFT_TRY(table_words(store, &words, err));
    GRAFT_TRY(clear_places(store, words, err));
    if (self->older_lives)
        GRAFT_TRY(apply_half(self, &self->older, err));
    GRAFT_TRY(apply_half(self, &self->newest, err));
    GRAFT_TRY(graft_table_grow(store, self->page_count, err));
    GRAFT_TRY(set_header(self, err));
    graft_synced_store(store, self->lsn);
    GRAFT_TRY(fold_all(self, err));
    GRAFT_TRY(table_words(store, &words, err));
    struct clearing clearing = {.least = self->page_count, .highest = words};
    GRAFT_TRY(clear_above(store, &clearing, err));
    /* What an earlier process stored and could not sync may be called clean by now. */
    graft_header_store(store, GRAFT_W_SUSPECT, 1);
    GRAFT_TRY(graft_table_mend(store, err));
    graft_header_store(store, GRAFT_W_FOLDED, self->lsn);
    GRAFT_TRY(graft_store_begin_anew(store, err));
    graft_header_store(store, GRAFT_W_MARKED_DIRTY, 1);
    store->counts.recoveries++;
    GRAFT_REACHABLE("a directory was recovered after a crash");
    return GRAFT_OK;
}

/* A directory that was closed in order needs no look at its log or its words. */
static enum graft_rc adopt_clean(struct recovery *self, struct graft_err *err)
{
    struct graft_store *store = self->store;
    struct half_state *newest = &self->newest;
    GRAFT_REACHABLE("a directory was opened that had been closed in order");
    self->lsn = newest->base.lsn;
    self->page_count = newest->base.page_count;
    self->sync = newest->base.sync;
    newest->end = GRAFT_HALF_HEADER_BYTES + graft_align64(newest->header.base_bytes);
    newest->chain = newest->header.sum;
    newest->last = 0;
    uint64_t bytes = 0;
    GRAFT_TRY(graft_map_size(store->map, &bytes, err));
    if (bytes < graft_table_file_bytes(self->page_count))
        return graft_err_set(err, GRAFT_ECORRUPT,
                             "%s/table: it is cut off; restore the directory from a copy, or "
                             "clone the remote again",
                             store->directory);
    return set_header(self, err);
}

/* Whether the half that the mark of an orderly close names is as that left it. A commit in it tells
 * that the mark had been taken off, and that a disk lied about it. */
static enum graft_rc is_left_in_order(struct recovery *self, bool *in_order, struct graft_err *err)
{
    struct graft_store *store = self->store;
    struct half_state *newest = &self->newest;
    uint64_t clean = 0;
    *in_order = graft_checked_word_value(graft_header_load(store, GRAFT_W_CLEAN),
                                         store->volume_seed, GRAFT_W_CLEAN, &clean) &&
                clean == newest->header.generation && !self->older_lives;
    if (!*in_order)
        return GRAFT_OK;
    struct graft_scan scan;
    struct graft_record record;
    const uint8_t *bytes = NULL;
    bool found = false;
    graft_scan_half(&scan, store, newest->half, &newest->header, newest->base.lsn);
    enum graft_rc rc = graft_scan_next(&scan, &record, &bytes, &found, err);
    graft_scan_deinit(&scan);
    *in_order = !found;
    return rc;
}

enum graft_rc graft_store_recover(struct graft_store *store, struct graft_err *err)
{
    struct recovery self;
    recovery_init(&self, store);
    enum graft_rc rc = read_halves(&self, err);
    bool in_order = false;
    if (rc == GRAFT_OK) {
        graft_header_store(store, GRAFT_W_PAGE_BYTES, store->config.page_bytes);
        graft_header_store(store, GRAFT_W_MARKED_DIRTY, 0);
        rc = is_left_in_order(&self, &in_order, err);
        if (rc == GRAFT_OK)
            rc = in_order ? adopt_clean(&self, err) : recover(&self, err);
    }
    recovery_deinit(&self);
    return rc;
}

/* ---- The last one out ---- */

static enum graft_rc trim(struct graft_store *store, uint32_t page_count, struct graft_err *err)
{
    struct graft_file *image = store->files[GRAFT_FILE_IMAGE];
    uint64_t bytes = 0;
    uint64_t wanted = (uint64_t)page_count * graft_store_slot_bytes(store);
    GRAFT_TRY(graft_file_size(image, &bytes, err));
    if (bytes > wanted)
        GRAFT_TRY(graft_file_truncate(image, wanted, err));
    GRAFT_TRY(graft_map_size(store->map, &bytes, err));
    if (bytes > graft_table_file_bytes(page_count))
        GRAFT_TRY(graft_map_resize(store->map, graft_table_file_bytes(page_count), err));
    return GRAFT_OK;
}

static enum graft_rc fold_for_good(struct graft_store *store, uint32_t *page_count,
                                   struct graft_err *err)
{
    GRAFT_TRY(graft_publish_finish(store, err));
    /* Behind what a dead writer had begun to publish, and not instead of it. */
    GRAFT_TRY(graft_log_void_due(store, err));
    uint64_t head = graft_header_load(store, GRAFT_W_HEAD), folded = 0;
    GRAFT_TRY(graft_fold_run(store, &folded, err));
    struct graft_store_snapshot snapshot;
    if (folded != head || !graft_ring_load(store, head, &snapshot))
        return graft_err_set(err, GRAFT_EBUSY, "%s: somebody reads an old snapshot",
                             store->directory);
    uint32_t words = 0;
    GRAFT_TRY(table_words(store, &words, err));
    uint64_t highest = graft_header_load(store, GRAFT_W_HIGHEST);
    if (highest < words)
        words = (uint32_t)highest;
    if (words > snapshot.page_count) {
        struct clearing clearing = {.least = snapshot.page_count, .highest = words};
        GRAFT_TRY(clear_above(store, &clearing, err));
        GRAFT_TRY(graft_table_sync(store, snapshot.page_count + 1, words, err));
    }
    *page_count = snapshot.page_count;
    return GRAFT_OK;
}

enum graft_rc graft_store_tidy(struct graft_store *store, struct graft_err *err)
{
    if (graft_header_load(store, GRAFT_W_MARKED_DIRTY) == 0 ||
        GRAFT_BUGGIFY("close: leave the log to the next opener"))
        return GRAFT_OK;
    if (graft_header_load(store, GRAFT_W_POISON) != 0 || graft_log_is_unheard(store) ||
        graft_header_load(store, GRAFT_W_SWITCHING) != 0)
        return graft_err_set(err, GRAFT_EIO, "%s: the log is in doubt; the next open recovers it",
                             store->directory);
    uint32_t page_count = 0;
    GRAFT_TRY(fold_for_good(store, &page_count, err));
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    if (graft_header_load(store, GRAFT_W_END) != graft_half_load(store, half, GRAFT_HALF_START) ||
        graft_half_load(store, 1 - half, GRAFT_HALF_GENERATION) > graft_dead_load(store)) {
        GRAFT_TRY(graft_store_begin_anew(store, err));
        half = 1 - half;
    }
    GRAFT_ALWAYS(graft_header_load(store, GRAFT_W_END) ==
                     graft_half_load(store, half, GRAFT_HALF_START),
                 "the half that an orderly close leaves has no commit");
    GRAFT_TRY(trim(store, page_count, err));
    uint64_t generation = graft_half_load(store, half, GRAFT_HALF_GENERATION);
    graft_header_store(store, GRAFT_W_CLEAN,
                       graft_checked_word(generation, store->volume_seed, GRAFT_W_CLEAN));
    GRAFT_TRY(graft_table_sync_header(store, err));
    GRAFT_TRY(graft_file_truncate(store->files[half],
                                  graft_half_load(store, half, GRAFT_HALF_START), err));
    GRAFT_REACHABLE("the last one out left the directory in order");
    return graft_file_truncate(store->files[1 - half], 0, err);
}
