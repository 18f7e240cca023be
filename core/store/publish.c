/* Making a commit that stands in the log the newest snapshot. The shared header first says which
 * commit is being published; then every page's word gets its new place, and readers that are below
 * it walk back from there; then ring, sync state, the log's end and the head follow. A writer that
 * dies on the way is finished by the next one, which reads the commit from the log again. */
#include "store/parts.h"

#include "base/assert.h"
#include "base/catalogue.h"

void graft_publish_word(struct graft_store *store, _Atomic uint64_t *slot, uint32_t place)
{
    for (;;) {
        uint64_t word = graft_shm_load(slot);
        bool keeps = graft_word_valid(word) && graft_word_present(word);
        if (graft_shm_cas(store->env->shm, slot, word,
                          graft_word_make(keeps, place, graft_word_sum(word))))
            return;
    }
}

void graft_publish_note(struct graft_store *store, const struct graft_sync_state *state)
{
    graft_sync_words_store(store, state);
    if (graft_header_load(store, GRAFT_W_REMOTE_FLOOR) > state->remote_lsn)
        graft_header_store(store, GRAFT_W_REMOTE_FLOOR, state->remote_lsn);
    struct graft_store_snapshot snapshot;
    bool known = graft_ring_load(store, graft_header_load(store, GRAFT_W_HEAD), &snapshot);
    GRAFT_ASSERT(known);
    snapshot.remote_lsn = state->remote_lsn;
    graft_ring_store(store, &snapshot);
}

void graft_publish_head(struct graft_store *store, const struct graft_publication *publication)
{
    struct graft_sync_state sync;
    graft_sync_words_load(store, &sync);
    if (publication->sync != NULL) {
        sync = *publication->sync;
        graft_sync_words_store(store, &sync);
        graft_header_store(store, GRAFT_W_PULLED, publication->lsn);
        /* A remote that goes back would leave readers below the floor for ever. */
        if (graft_header_load(store, GRAFT_W_REMOTE_FLOOR) > sync.remote_lsn)
            graft_header_store(store, GRAFT_W_REMOTE_FLOOR, sync.remote_lsn);
    }
    GRAFT_ALWAYS(publication->lsn == graft_header_load(store, GRAFT_W_HEAD) + 1,
                 "the head rises by one commit at a time");
    GRAFT_ALWAYS(publication->end > publication->start, "a published commit takes room in the log");
    GRAFT_ALWAYS(sync.pushed_lsn <= publication->lsn, "no commit to come counts as pushed");
    struct graft_store_snapshot snapshot = {.lsn = publication->lsn,
                                            .remote_lsn = sync.remote_lsn,
                                            .page_count = publication->page_count};
    graft_ring_store(store, &snapshot);
    graft_header_raise(store, GRAFT_W_HIGHEST, publication->page_count);
    graft_header_store(store, GRAFT_W_END, publication->end);
    graft_header_store(store, GRAFT_W_CHAIN, publication->chain);
    graft_header_store(store, GRAFT_W_LAST, publication->commit_place);
    graft_header_store(store, GRAFT_W_HEAD, publication->lsn);
    graft_header_store(store, GRAFT_W_PUBLISHING, 0);
    if (graft_header_load(store, GRAFT_W_PULLING) != 0)
        graft_header_store(store, GRAFT_W_PULLING, 0);
}

static enum graft_rc unreadable(struct graft_store *store, uint64_t lsn, struct graft_err *err)
{
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    return graft_err_set(err, graft_log_damage(store, half),
                         "%s: commit %llu, which a process that died was publishing, does not "
                         "verify in log.%u; close the database everywhere and open it again",
                         store->directory, (unsigned long long)lsn, half);
}

/* Goes over the commit that the scan stands before. First without `apply`, which finds its payload;
 * then with it, which sets the words of the frames that belong to it: one that its page set does
 * not name was spilled, and then cut off by a shrink. */
static enum graft_rc go_over(struct graft_store *store, struct graft_scan *scan, uint64_t lsn,
                             bool apply, struct graft_commit_payload *payload,
                             struct graft_publication *publication, struct graft_err *err)
{
    while (scan->lsn < lsn) {
        struct graft_record record;
        const uint8_t *bytes = NULL;
        bool found = false;
        GRAFT_TRY(graft_scan_next(scan, &record, &bytes, &found, err));
        if (!found || record.kind == GRAFT_RECORD_NOTE)
            return unreadable(store, lsn, err);
        uint32_t place = graft_place_make(publication->half, record.offset);
        if (record.kind == GRAFT_RECORD_COMMIT) {
            publication->commit_place = place;
            GRAFT_TRY(graft_commit_payload_decode(payload, bytes, record.payload_bytes, err));
            continue;
        }
        if (!apply || !graft_pageset_contains(&payload->pages, record.page))
            continue;
        _Atomic uint64_t *slot = NULL;
        GRAFT_TRY(graft_table_reserve(store, record.page, err));
        GRAFT_TRY(graft_table_word(store, record.page, &slot, err));
        graft_publish_word(store, slot, place);
    }
    return GRAFT_OK;
}

static enum graft_rc republish(struct graft_store *store, struct graft_scan *scan, uint64_t lsn,
                               struct graft_commit_payload *payload,
                               struct graft_publication *publication, struct graft_err *err)
{
    struct graft_scan before = *scan;
    GRAFT_TRY(go_over(store, scan, lsn, false, payload, publication, err));
    scan->offset = before.offset;
    scan->chain = before.chain;
    scan->lsn = before.lsn;
    scan->frames = before.frames;
    return go_over(store, scan, lsn, true, payload, publication, err);
}

/* A note that was synced before its writer died counts; one that was not did not return. */
static enum graft_rc finish_note(struct graft_store *store, struct graft_scan *scan,
                                 struct graft_err *err)
{
    struct graft_record record = {0};
    const uint8_t *bytes = NULL;
    bool found = false;
    GRAFT_TRY(graft_scan_next(scan, &record, &bytes, &found, err));
    if (!found || record.kind != GRAFT_RECORD_NOTE)
        return unreadable(store, record.lsn, err);
    struct graft_sync_state state;
    GRAFT_TRY(graft_sync_state_decode(&state, store->env->alloc, bytes, record.payload_bytes, err));
    graft_publish_note(store, &state);
    graft_header_store(store, GRAFT_W_END, scan->offset);
    graft_header_store(store, GRAFT_W_CHAIN, scan->chain);
    graft_header_store(store, GRAFT_W_PUBLISHING, 0);
    return GRAFT_OK;
}

enum graft_rc graft_publish_finish(struct graft_store *store, struct graft_err *err)
{
    uint64_t lsn = graft_header_load(store, GRAFT_W_PUBLISHING);
    /* A pull whose writer died before it was published does not count, and must not after a crash
     * either: its pages may be installed as they were before it. */
    if (lsn == 0 && graft_header_load(store, GRAFT_W_PULLING) != 0)
        graft_header_store(store, GRAFT_W_VOID, 1);
    if (lsn == 0)
        return GRAFT_OK;
    uint64_t head = graft_header_load(store, GRAFT_W_HEAD);
    bool note = lsn == GRAFT_PUBLISHING_NOTE;
    if (lsn <= head || GRAFT_MUTANT("store: what a dead writer half published stays as it is")) {
        graft_header_store(store, GRAFT_W_PUBLISHING, 0);
        return GRAFT_OK;
    }
    GRAFT_SOMETIMES(!note, "a commit that a dead writer half published was completed");
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    struct graft_half_header header = {.generation =
                                           graft_half_load(store, half, GRAFT_HALF_GENERATION)};
    struct graft_scan scan;
    graft_scan_half(&scan, store, half, &header, note ? head : lsn - 1);
    uint64_t start = graft_header_load(store, GRAFT_W_PUBLISHING_START);
    bool durable = (start & GRAFT_PUBLISHING_DURABLE) != 0;
    start &= ~GRAFT_PUBLISHING_DURABLE;
    scan.offset = start;
    scan.chain = graft_header_load(store, GRAFT_W_PUBLISHING_CHAIN);

    if (note) {
        enum graft_rc noted = finish_note(store, &scan, err);
        graft_scan_deinit(&scan);
        return noted;
    }
    struct graft_commit_payload payload;
    graft_commit_payload_init(&payload, store->env->alloc);
    struct graft_publication publication = {.lsn = lsn, .half = half, .start = start};
    enum graft_rc rc = republish(store, &scan, lsn, &payload, &publication, err);
    if (rc == GRAFT_OK) {
        publication.page_count = payload.page_count;
        publication.end = scan.offset;
        publication.chain = scan.chain;
        publication.sync = payload.has_sync ? &payload.sync : NULL;
        graft_publish_head(store, &publication);
        if (durable && graft_header_load(store, GRAFT_W_POISON) == 0)
            graft_synced_store(store, lsn);
    }
    graft_commit_payload_deinit(&payload);
    graft_scan_deinit(&scan);
    return rc;
}
