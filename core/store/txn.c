/* The dirty pages of a transaction: a hash map from page to where its bytes are (a slot of the
 * buffer, a place in the log once spilled, or nowhere for frames without payload), and the calls
 * that write into it. 16 bytes a page at most, whatever the size of the transaction, beside a
 * buffer of GRAFT_TXN_BUFFER_BYTES. */
#include "store/parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"

#define MAP_FIRST_CAPACITY 64U
#define FOLD_WAIT_MS 60000U

void graft_txn_init(struct graft_txn *txn, uint64_t lsn, uint32_t page_count)
{
    *txn =
        (struct graft_txn){.open = true, .lsn = lsn, .base_count = page_count, .count = page_count};
    txn->least = page_count;
}

void graft_txn_deinit(struct graft_txn *txn, struct graft_store *store)
{
    struct graft_alloc *alloc = store->env->alloc;
    graft_free(alloc, txn->map);
    for (uint32_t i = 0; i < txn->chunk_count; i++)
        graft_free(alloc, txn->chunks[i]);
    graft_free(alloc, txn->chunks);
    graft_free(alloc, txn->lengths);
    graft_free(alloc, txn->free_slots);
    graft_free(alloc, txn->pages);
    *txn = (struct graft_txn){0};
}

/* ---- The map ---- */

static uint32_t map_at(const struct graft_txn *txn, uint32_t page)
{
    uint32_t mask = txn->map_capacity - 1;
    uint32_t at = page * UINT32_C(2654435761) & mask;
    while (txn->map[at].page != 0 && txn->map[at].page != page)
        at = (at + 1) & mask;
    return at;
}

struct graft_dirty *graft_txn_find(const struct graft_txn *txn, uint32_t page)
{
    if (txn->map_capacity == 0)
        return NULL;
    struct graft_dirty *dirty = &txn->map[map_at(txn, page)];
    return dirty->page == page ? dirty : NULL;
}

static enum graft_rc no_memory(struct graft_err *err)
{
    return graft_err_set(err, GRAFT_ENOMEM, "writing: out of memory");
}

static enum graft_rc map_grow(struct graft_txn *txn, struct graft_alloc *alloc,
                              struct graft_err *err)
{
    if (txn->map_capacity > UINT32_MAX / 4)
        return no_memory(err);
    uint32_t capacity = txn->map_capacity == 0 ? MAP_FIRST_CAPACITY : txn->map_capacity * 2;
    struct graft_dirty *map = graft_calloc(alloc, capacity, sizeof *map);
    if (map == NULL)
        return no_memory(err);
    struct graft_dirty *old = txn->map;
    uint32_t old_capacity = txn->map_capacity;
    txn->map = map;
    txn->map_capacity = capacity;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i].page != 0)
            txn->map[map_at(txn, old[i].page)] = old[i];
    }
    graft_free(alloc, old);
    return GRAFT_OK;
}

static void free_slot(struct graft_txn *txn, const struct graft_dirty *dirty)
{
    if (graft_dirty_kind_of(dirty) != GRAFT_DIRTY_BUFFER)
        return;
    txn->free_slots[txn->free_count++] = graft_dirty_value(dirty);
    txn->buffered--;
}

enum graft_rc graft_txn_put(struct graft_store_session *session, uint32_t page,
                            enum graft_dirty_kind kind, uint32_t value, struct graft_err *err)
{
    struct graft_txn *txn = &session->txn;
    if (txn->map_used >= txn->map_capacity / 4 * 3)
        GRAFT_TRY(map_grow(txn, session->store->env->alloc, err));
    struct graft_dirty *dirty = &txn->map[map_at(txn, page)];
    if (dirty->page == 0)
        txn->map_used++;
    else
        free_slot(txn, dirty);
    *dirty = (struct graft_dirty){page, (uint32_t)kind << 30 | value};
    return GRAFT_OK;
}

/* Takes every page above `count` out. */
static enum graft_rc map_cut(struct graft_txn *txn, struct graft_alloc *alloc, uint32_t count,
                             struct graft_err *err)
{
    if (txn->map_used == 0)
        return GRAFT_OK;
    struct graft_dirty *map = graft_calloc(alloc, txn->map_capacity, sizeof *map);
    if (map == NULL)
        return no_memory(err);
    struct graft_dirty *old = txn->map;
    txn->map = map;
    txn->map_used = 0;
    for (uint32_t i = 0; i < txn->map_capacity; i++) {
        if (old[i].page == 0)
            continue;
        if (old[i].page > count) {
            free_slot(txn, &old[i]);
            continue;
        }
        txn->map[map_at(txn, old[i].page)] = old[i];
        txn->map_used++;
    }
    graft_free(alloc, old);
    return GRAFT_OK;
}

/* ---- The buffer ---- */

static uint8_t *slot_bytes(const struct graft_txn *txn, uint32_t page_bytes, uint32_t slot)
{
    return txn->chunks[slot / GRAFT_BUFFER_CHUNK_SLOTS] +
           (size_t)(slot % GRAFT_BUFFER_CHUNK_SLOTS) * page_bytes;
}

const uint8_t *graft_txn_slot(const struct graft_txn *txn, uint32_t page_bytes, uint32_t slot)
{
    return slot_bytes(txn, page_bytes, slot);
}

static enum graft_rc buffer_init(struct graft_store_session *session, struct graft_err *err)
{
    struct graft_txn *txn = &session->txn;
    struct graft_alloc *alloc = session->store->env->alloc;
    uint32_t slots = session->store->txn_buffer_bytes / graft_store_page_bytes(session->store);
    if (slots == 0)
        slots = 1;
    txn->chunks =
        graft_calloc(alloc, (slots + GRAFT_BUFFER_CHUNK_SLOTS - 1) / GRAFT_BUFFER_CHUNK_SLOTS,
                     sizeof *txn->chunks);
    txn->lengths = graft_calloc(alloc, slots, sizeof *txn->lengths);
    txn->free_slots = graft_calloc(alloc, slots, sizeof *txn->free_slots);
    if (txn->chunks == NULL || txn->lengths == NULL || txn->free_slots == NULL) {
        graft_free(alloc, txn->chunks);
        graft_free(alloc, txn->lengths);
        graft_free(alloc, txn->free_slots);
        txn->chunks = NULL;
        txn->lengths = txn->free_slots = NULL;
        return no_memory(err);
    }
    txn->slots_max = slots;
    return GRAFT_OK;
}

static enum graft_rc take_slot(struct graft_store_session *session, uint32_t *slot,
                               struct graft_err *err)
{
    struct graft_txn *txn = &session->txn;
    if (txn->slots_max == 0)
        GRAFT_TRY(buffer_init(session, err));
    bool full = txn->slot_count == txn->slots_max ||
                (txn->slot_count > 0 && GRAFT_BUGGIFY("transaction: spill though there is room"));
    if (txn->free_count == 0 && full)
        GRAFT_TRY(graft_txn_spill(session, err));
    if (txn->free_count > 0) {
        *slot = txn->free_slots[--txn->free_count];
        return GRAFT_OK;
    }
    if (txn->slot_count % GRAFT_BUFFER_CHUNK_SLOTS == 0 &&
        txn->slot_count / GRAFT_BUFFER_CHUNK_SLOTS == txn->chunk_count) {
        uint8_t *chunk =
            graft_malloc(session->store->env->alloc,
                         (size_t)GRAFT_BUFFER_CHUNK_SLOTS * graft_store_page_bytes(session->store));
        if (chunk == NULL)
            return no_memory(err);
        txn->chunks[txn->chunk_count++] = chunk;
    }
    *slot = txn->slot_count++;
    return GRAFT_OK;
}

static enum graft_rc check_writable(const struct graft_store_session *session,
                                    struct graft_err *err)
{
    const struct graft_txn *txn = &session->txn;
    if (!txn->open || txn->prepared)
        return graft_err_set(err, GRAFT_EINVAL, "writing: no write transaction is open");
    if (txn->failed)
        return graft_err_set(err, GRAFT_EIO, "writing: the transaction failed before; roll back");
    return GRAFT_OK;
}

enum graft_rc graft_store_write(struct graft_store_session *session, uint32_t page,
                                const void *bytes, size_t size, struct graft_err *err)
{
    GRAFT_TRY(check_writable(session, err));
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    uint32_t page_bytes = graft_store_page_bytes(store);
    if (page == 0 || page > GRAFT_PAGES_MAX || size > page_bytes ||
        (!store->config.variable && size != page_bytes))
        return graft_err_set(err, GRAFT_EINVAL,
                             "writing page %u: %zu bytes do not fit a page of %u", page, size,
                             page_bytes);
    struct graft_dirty *dirty = graft_txn_find(txn, page);
    uint32_t slot = 0;
    if (dirty != NULL && graft_dirty_kind_of(dirty) == GRAFT_DIRTY_BUFFER) {
        slot = graft_dirty_value(dirty);
    } else {
        GRAFT_TRY(take_slot(session, &slot, err));
        enum graft_rc rc = graft_txn_put(session, page, GRAFT_DIRTY_BUFFER, slot, err);
        if (rc != GRAFT_OK) {
            txn->free_slots[txn->free_count++] = slot;
            return rc;
        }
        txn->buffered++;
    }
    if (size > 0)
        memcpy(slot_bytes(txn, page_bytes, slot), bytes, size);
    txn->lengths[slot] = (uint32_t)size;
    txn->touched = true;
    GRAFT_ALWAYS(txn->buffered + txn->free_count == txn->slot_count,
                 "a slot of a transaction's buffer is either used or free");
    if (page > txn->count)
        txn->count = page;
    return GRAFT_OK;
}

enum graft_rc graft_store_write_remote(struct graft_store_session *session, uint32_t page,
                                       struct graft_err *err)
{
    GRAFT_TRY(check_writable(session, err));
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    if (page == 0 || page > GRAFT_PAGES_MAX)
        return graft_err_set(err, GRAFT_EINVAL, "page %u does not exist", page);
    if (!txn->fold_held) {
        GRAFT_TRY(graft_fold_wait(store, FOLD_WAIT_MS, err));
        txn->fold_held = true;
    }
    txn->remote_only = txn->touched = true;
    if (page > txn->count)
        txn->count = page;
    if (graft_txn_find(txn, page) == NULL) {
        bool known = false;
        GRAFT_TRY(graft_table_knows(store, page, &known, err));
        if (!known)
            return GRAFT_OK;
    }
    return graft_txn_put(session, page, GRAFT_DIRTY_REMOTE, 0, err);
}

enum graft_rc graft_store_write_page_count(struct graft_store_session *session, uint32_t page_count,
                                           struct graft_err *err)
{
    GRAFT_TRY(check_writable(session, err));
    struct graft_txn *txn = &session->txn;
    if (page_count > GRAFT_PAGES_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "%u pages are too many", page_count);
    if (page_count < txn->count)
        GRAFT_TRY(map_cut(txn, session->store->env->alloc, page_count, err));
    if (page_count != txn->count)
        txn->touched = true;
    if (page_count < txn->least)
        txn->least = page_count;
    txn->count = page_count;
    return GRAFT_OK;
}

uint32_t graft_store_write_count(const struct graft_store_session *session)
{
    return session->txn.open ? session->txn.count : session->snapshot.page_count;
}

/* ---- Reading one's own pages ---- */

static void read_zeros(struct graft_store *store, void *bytes, size_t *got)
{
    memset(bytes, 0, graft_store_page_bytes(store));
    *got = store->config.variable ? 0 : graft_store_page_bytes(store);
}

static enum graft_rc read_spilled(struct graft_store_session *session, uint32_t page,
                                  uint32_t place, void *bytes, size_t *got, struct graft_err *err)
{
    struct graft_store *store = session->store;
    struct graft_record record;
    bool valid = false;
    GRAFT_TRY(graft_log_read(store, place, session->txn.generation, &record, bytes,
                             graft_store_page_bytes(store), &valid, err));
    if (!valid || record.page != page || record.kind > GRAFT_RECORD_ZEROS)
        return graft_err_set(err, graft_log_damage(store, session->txn.half),
                             "page %u: what this transaction wrote to %s/log.%u is damaged", page,
                             store->directory, session->txn.half);
    if (record.kind == GRAFT_RECORD_REMOTE)
        return graft_err_set(err, GRAFT_ENOTHELD, "page %u is not held here", page);
    if (record.kind == GRAFT_RECORD_ZEROS)
        read_zeros(store, bytes, got);
    else
        *got = record.payload_bytes;
    return GRAFT_OK;
}

enum graft_rc graft_txn_read(struct graft_store_session *session, uint32_t page, void *bytes,
                             size_t *got, bool *found, struct graft_err *err)
{
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    struct graft_dirty *dirty = graft_txn_find(txn, page);
    *found = dirty != NULL || page > txn->least;
    if (dirty == NULL) {
        if (page <= txn->least)
            return GRAFT_OK;
        if (txn->remote_only)
            return graft_err_set(err, GRAFT_ENOTHELD, "page %u is not held here", page);
        read_zeros(store, bytes, got);
        return GRAFT_OK;
    }
    switch (graft_dirty_kind_of(dirty)) {
    case GRAFT_DIRTY_LOG:
        return read_spilled(session, page, graft_dirty_value(dirty), bytes, got, err);
    case GRAFT_DIRTY_BUFFER: {
        uint32_t slot = graft_dirty_value(dirty);
        *got = txn->lengths[slot];
        memcpy(bytes, slot_bytes(txn, graft_store_page_bytes(store), slot), *got);
        return GRAFT_OK;
    }
    case GRAFT_DIRTY_REMOTE:
        return graft_err_set(err, GRAFT_ENOTHELD, "page %u is not held here", page);
    case GRAFT_DIRTY_ZEROS:
        break;
    }
    read_zeros(store, bytes, got);
    return GRAFT_OK;
}
