/* From a transaction's buffer to the log: record headers are made up beside the pages, and both go
 * out in one gathered write, with the commit record at the end of the last one. Nothing here is
 * visible to anybody else: until the commit is published, the log ends where it did. */
#include "store/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/checksum.h"

#define BATCH_RECORDS 2048U
#define SPANS_BESIDE 24U /* commit header, payload, padding, and zeros written ahead */

static const uint8_t padding[64];

struct batch {
    uint8_t *headers;
    struct graft_span *spans;
    uint32_t *pages;  /* of the records */
    uint32_t *places; /* of the records */
    size_t record_count, span_count;
    uint64_t bytes, chain;
};

enum graft_rc graft_txn_append_begin(struct graft_store_session *session, struct graft_err *err)
{
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    if (txn->appended)
        return GRAFT_OK;
    GRAFT_TRY(graft_log_ready(store, txn->fold_held, err));
    txn->half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    txn->generation = graft_half_load(store, txn->half, GRAFT_HALF_GENERATION);
    txn->start = txn->offset = graft_header_load(store, GRAFT_W_END);
    txn->chain = graft_header_load(store, GRAFT_W_CHAIN);
    txn->appended = true;
    GRAFT_ALWAYS(txn->offset >= graft_half_load(store, txn->half, GRAFT_HALF_START),
                 "the log's end is not before its first record");
    GRAFT_ALWAYS(txn->lsn == graft_header_load(store, GRAFT_W_HEAD) + 1,
                 "a transaction is one above the newest commit");
    return GRAFT_OK;
}

static enum graft_rc batch_init(struct batch *batch, struct graft_alloc *alloc, size_t records,
                                struct graft_err *err)
{
    *batch = (struct batch){0};
    batch->headers = graft_malloc(alloc, (records + 1) * GRAFT_RECORD_BYTES);
    batch->spans = graft_calloc(alloc, records * 3 + SPANS_BESIDE, sizeof *batch->spans);
    batch->pages = graft_calloc(alloc, records + 1, sizeof *batch->pages);
    batch->places = graft_calloc(alloc, records + 1, sizeof *batch->places);
    if (batch->headers == NULL || batch->spans == NULL || batch->pages == NULL ||
        batch->places == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "appending to the log: out of memory");
    return GRAFT_OK;
}

static void batch_deinit(struct batch *batch, struct graft_alloc *alloc)
{
    graft_free(alloc, batch->headers);
    graft_free(alloc, batch->spans);
    graft_free(alloc, batch->pages);
    graft_free(alloc, batch->places);
}

static void add_span(struct batch *batch, const void *bytes, size_t size)
{
    if (size > 0)
        batch->spans[batch->span_count++] = (struct graft_span){bytes, size};
}

/* Completes and adds a record whose kind, page and previous place are given. */
static void add_record(struct batch *batch, const struct graft_store_session *session,
                       struct graft_record *record, const void *payload, size_t size)
{
    const struct graft_txn *txn = &session->txn;
    uint64_t seed = session->store->volume_seed;
    record->lsn = txn->lsn;
    record->payload_bytes = (uint32_t)size;
    record->payload_sum = graft_page_sum(seed, record->page, payload, size);
    record->offset = txn->offset + batch->bytes;
    record->chain = batch->chain;
    uint8_t *header = batch->headers + batch->record_count * GRAFT_RECORD_BYTES;
    graft_record_encode(record, graft_record_seed(seed, txn->generation), header);
    add_span(batch, header, GRAFT_RECORD_BYTES);
    add_span(batch, payload, size);
    add_span(batch, padding, (size_t)(graft_align64(size) - size));
    batch->pages[batch->record_count] = record->page;
    batch->places[batch->record_count] = graft_place_make(txn->half, record->offset);
    batch->record_count++;
    batch->bytes += graft_record_space((uint32_t)size);
    batch->chain = record->sum;
}

static enum graft_rc add_frame(struct batch *batch, struct graft_store_session *session,
                               const struct graft_dirty *dirty, struct graft_err *err)
{
    struct graft_store *store = session->store;
    const struct graft_txn *txn = &session->txn;
    /* From here on a store to the page's word cannot fail. */
    GRAFT_TRY(graft_table_reserve(store, dirty->page, err));
    _Atomic uint64_t *slot = NULL;
    GRAFT_TRY(graft_table_word(store, dirty->page, &slot, err));
    uint64_t word = graft_shm_load(slot);
    struct graft_record record = {.page = dirty->page};
    if (graft_word_valid(word) && graft_word_place(word) != 0) {
        record.prev_place = graft_word_place(word);
        record.prev_generation =
            graft_half_load(store, graft_place_half(record.prev_place), GRAFT_HALF_GENERATION);
    }
    const uint8_t *payload = NULL;
    size_t size = 0;
    switch (graft_dirty_kind_of(dirty)) {
    case GRAFT_DIRTY_BUFFER:
        record.kind = GRAFT_RECORD_PAGE;
        payload = graft_txn_slot(txn, graft_store_page_bytes(store), graft_dirty_value(dirty));
        size = txn->lengths[graft_dirty_value(dirty)];
        break;
    case GRAFT_DIRTY_REMOTE:
        record.kind = GRAFT_RECORD_REMOTE;
        break;
    case GRAFT_DIRTY_ZEROS:
        record.kind = GRAFT_RECORD_ZEROS;
        break;
    case GRAFT_DIRTY_LOG:
        return GRAFT_OK; /* spilled already */
    }
    add_record(batch, session, &record, payload, size);
    return GRAFT_OK;
}

static void add_commit(struct batch *batch, struct graft_store_session *session,
                       const struct graft_buf *commit)
{
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    uint64_t frames = txn->frames + batch->record_count;
    struct graft_record record = {
        .kind = GRAFT_RECORD_COMMIT,
        .page = (uint32_t)frames,
        .prev_place = (uint32_t)graft_header_load(store, GRAFT_W_LAST),
    };
    if (record.prev_place != 0)
        record.prev_generation =
            graft_half_load(store, graft_place_half(record.prev_place), GRAFT_HALF_GENERATION);
    txn->commit_place = graft_place_make(txn->half, txn->offset + batch->bytes);
    txn->sealed = true;
    add_record(batch, session, &record, commit->bytes, commit->size);
}

static enum graft_rc write_batch(struct batch *batch, struct graft_store_session *session,
                                 bool with_commit, struct graft_err *err)
{
    struct graft_txn *txn = &session->txn;
    if (batch->record_count == 0)
        return GRAFT_OK;
    enum graft_rc rc = graft_log_append(session->store, txn->half, txn->offset, batch->spans,
                                        batch->span_count, batch->bytes, err);
    if (rc != GRAFT_OK) {
        txn->failed = true;
        return rc;
    }
    size_t frames = batch->record_count - (with_commit ? 1 : 0);
    for (size_t i = 0; i < frames; i++)
        GRAFT_TRY(graft_txn_put(session, batch->pages[i], GRAFT_DIRTY_LOG, batch->places[i], err));
    txn->offset += batch->bytes;
    txn->chain = batch->chain;
    txn->frames += frames;
    batch->record_count = batch->span_count = 0;
    batch->bytes = 0;
    return GRAFT_OK;
}

enum graft_rc graft_txn_append(struct graft_store_session *session, const uint32_t *pages,
                               size_t count, const struct graft_buf *commit, struct graft_err *err)
{
    struct graft_txn *txn = &session->txn;
    GRAFT_TRY(graft_txn_append_begin(session, err));
    if (txn->count > graft_header_load(session->store, GRAFT_W_HIGHEST))
        GRAFT_TRY(graft_table_grow(session->store, txn->count, err));
    struct graft_alloc *alloc = session->store->env->alloc;
    struct batch batch;
    enum graft_rc rc =
        batch_init(&batch, alloc, count < BATCH_RECORDS ? count : BATCH_RECORDS, err);
    batch.chain = txn->chain;
    for (size_t i = 0; i < count && rc == GRAFT_OK; i++) {
        const struct graft_dirty *dirty = graft_txn_find(txn, pages[i]);
        GRAFT_ASSERT(dirty != NULL);
        rc = add_frame(&batch, session, dirty, err);
        bool full = batch.record_count == BATCH_RECORDS ||
                    (batch.record_count > 0 && GRAFT_BUGGIFY("append: few records in a write"));
        if (rc == GRAFT_OK && full)
            rc = write_batch(&batch, session, false, err);
    }
    if (rc == GRAFT_OK && commit != NULL)
        add_commit(&batch, session, commit);
    if (rc == GRAFT_OK)
        rc = write_batch(&batch, session, commit != NULL, err);
    if (rc != GRAFT_OK)
        txn->failed = true;
    batch_deinit(&batch, alloc);
    return rc;
}

enum graft_rc graft_txn_append_note(struct graft_store_session *session,
                                    const struct graft_buf *payload, struct graft_err *err)
{
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    struct graft_alloc *alloc = store->env->alloc;
    struct batch batch;
    enum graft_rc rc = batch_init(&batch, alloc, 1, err);
    if (rc == GRAFT_OK) {
        batch.chain = txn->chain;
        struct graft_record record = {.kind = GRAFT_RECORD_NOTE};
        uint64_t lsn = txn->lsn;
        txn->lsn = lsn - 1; /* of the commit before it */
        add_record(&batch, session, &record, payload->bytes, payload->size);
        txn->lsn = lsn;
        rc = graft_log_append(store, txn->half, txn->offset, batch.spans, batch.span_count,
                              batch.bytes, err);
        if (rc == GRAFT_OK) {
            txn->offset += batch.bytes;
            txn->chain = batch.chain;
        }
    }
    batch_deinit(&batch, alloc);
    return rc;
}

static int by_number(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

enum graft_rc graft_txn_spill(struct graft_store_session *session, struct graft_err *err)
{
    struct graft_txn *txn = &session->txn;
    struct graft_alloc *alloc = session->store->env->alloc;
    uint32_t *pages = graft_calloc(alloc, txn->buffered, sizeof *pages);
    if (pages == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "writing: out of memory");
    size_t count = 0;
    for (uint32_t i = 0; i < txn->map_capacity; i++) {
        const struct graft_dirty *dirty = &txn->map[i];
        if (dirty->page != 0 && graft_dirty_kind_of(dirty) == GRAFT_DIRTY_BUFFER)
            pages[count++] = dirty->page;
    }
    GRAFT_ASSERT(count == txn->buffered);
    GRAFT_REACHABLE("a transaction spilled into the log");
    qsort(pages, count, sizeof *pages, by_number);
    enum graft_rc rc = graft_txn_append(session, pages, count, NULL, err);
    graft_free(alloc, pages);
    return rc;
}
