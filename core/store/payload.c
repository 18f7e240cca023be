/* What a commit record carries, and the walk from commit to commit towards older ones.
 *
 *   payload:  u32 page count  u32 least page count on the way  u32 kind (0 local, 1 pull)
 *             u32 flags (1 = sync state, 2 = super-journal)  u64 time in ms  u64 LSN known to be
 *             durable  u32 page set bytes  u32 sync state bytes  u32 super-journal bytes  u32 zero
 *             then these three */
#include "store/parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/cursor.h"

#define FLAG_SYNC 1U
#define FLAG_SUPER 2U
#define FIXED_BYTES 48U

void graft_commit_payload_init(struct graft_commit_payload *payload, struct graft_alloc *alloc)
{
    *payload = (struct graft_commit_payload){0};
    graft_pageset_init(&payload->pages, alloc);
}

void graft_commit_payload_deinit(struct graft_commit_payload *payload)
{
    graft_free(payload->pages.alloc, payload->super_journal);
    payload->super_journal = NULL;
    graft_pageset_deinit(&payload->pages);
}

enum graft_rc graft_commit_payload_encode(const struct graft_commit_payload *payload,
                                          struct graft_buf *out)
{
    size_t begin = out->size;
    uint8_t fixed[FIXED_BYTES] = {0};
    GRAFT_TRY(graft_buf_append(out, fixed, sizeof fixed));
    size_t set_at = out->size;
    GRAFT_TRY(graft_pageset_encode(&payload->pages, out));
    size_t sync_at = out->size;
    if (payload->has_sync)
        GRAFT_TRY(graft_sync_state_encode(&payload->sync, out));
    size_t super_at = out->size;
    if (payload->super_journal != NULL)
        GRAFT_TRY(graft_buf_append(out, payload->super_journal, strlen(payload->super_journal)));
    if (out->size - begin > GRAFT_RECORD_PAYLOAD_MAX)
        return GRAFT_ELIMIT;

    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, out->bytes + begin, FIXED_BYTES);
    graft_wcur_u32(&cursor, payload->page_count);
    graft_wcur_u32(&cursor, payload->least);
    graft_wcur_u32(&cursor, payload->kind == GRAFT_COMMIT_PULL ? 1 : 0);
    graft_wcur_u32(&cursor, (payload->has_sync ? FLAG_SYNC : 0) |
                                (payload->super_journal != NULL ? FLAG_SUPER : 0));
    graft_wcur_u64(&cursor, payload->time_ms);
    graft_wcur_u64(&cursor, payload->synced_lsn);
    graft_wcur_u32(&cursor, (uint32_t)(sync_at - set_at));
    graft_wcur_u32(&cursor, (uint32_t)(super_at - sync_at));
    graft_wcur_u32(&cursor, (uint32_t)(out->size - super_at));
    graft_wcur_u32(&cursor, 0);
    GRAFT_ASSERT(!cursor.failed);
    return GRAFT_OK;
}

static enum graft_rc bad_payload(struct graft_err *err)
{
    return graft_err_set(err, GRAFT_ECORRUPT, "commit record: its payload does not decode");
}

enum graft_rc graft_commit_payload_decode(struct graft_commit_payload *payload,
                                          const uint8_t *bytes, size_t size, struct graft_err *err)
{
    struct graft_alloc *alloc = payload->pages.alloc;
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, bytes, size);
    struct graft_commit_payload read = {.page_count = graft_rcur_u32(&cursor)};
    read.least = graft_rcur_u32(&cursor);
    uint32_t kind = graft_rcur_u32(&cursor);
    uint32_t flags = graft_rcur_u32(&cursor);
    read.time_ms = graft_rcur_u64(&cursor);
    read.synced_lsn = graft_rcur_u64(&cursor);
    uint32_t set_bytes = graft_rcur_u32(&cursor);
    uint32_t sync_bytes = graft_rcur_u32(&cursor);
    uint32_t super_bytes = graft_rcur_u32(&cursor);
    (void)graft_rcur_u32(&cursor);
    const uint8_t *set = graft_rcur_span(&cursor, set_bytes);
    const uint8_t *sync = graft_rcur_span(&cursor, sync_bytes);
    const uint8_t *super = graft_rcur_span(&cursor, super_bytes);
    read.has_sync = (flags & FLAG_SYNC) != 0;
    if (cursor.failed || graft_rcur_left(&cursor) != 0 || kind > 1 || flags > 3 ||
        (sync_bytes > 0 && !read.has_sync) || ((flags & FLAG_SUPER) != 0) != (super_bytes > 0) ||
        super_bytes >= GRAFT_PATH_BYTES_MAX || read.least > read.page_count ||
        read.page_count > GRAFT_PAGES_MAX)
        return bad_payload(err);
    read.kind = kind == 1 ? GRAFT_COMMIT_PULL : GRAFT_COMMIT_LOCAL;
    if (read.has_sync)
        GRAFT_TRY(graft_sync_state_decode(&read.sync, alloc, sync, sync_bytes, err));
    GRAFT_TRY(graft_pageset_decode(&payload->pages, set, set_bytes, err));
    if (super_bytes > 0) {
        read.super_journal = graft_malloc(alloc, super_bytes + 1);
        if (read.super_journal == NULL)
            return graft_err_set(err, GRAFT_ENOMEM, "commit record: out of memory");
        memcpy(read.super_journal, super, super_bytes);
        read.super_journal[super_bytes] = '\0';
    }
    read.pages = payload->pages;
    graft_free(alloc, payload->super_journal);
    *payload = read;
    return GRAFT_OK;
}

enum graft_rc graft_log_read_commit(struct graft_store *store, uint32_t place, uint64_t generation,
                                    struct graft_record *record,
                                    struct graft_commit_payload *payload, bool *valid,
                                    struct graft_err *err)
{
    GRAFT_TRY(graft_log_read(store, place, generation, record, NULL, 0, valid, err));
    if (!*valid)
        return GRAFT_OK;
    if (record->kind != GRAFT_RECORD_COMMIT || record->payload_bytes == 0) {
        *valid = false;
        return GRAFT_OK;
    }
    struct graft_alloc *alloc = store->env->alloc;
    uint8_t *bytes = graft_malloc(alloc, record->payload_bytes);
    if (bytes == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "reading a commit of %s: out of memory",
                             store->directory);
    enum graft_rc rc =
        graft_log_read(store, place, generation, record, bytes, record->payload_bytes, valid, err);
    if (rc == GRAFT_OK && *valid)
        rc = graft_commit_payload_decode(payload, bytes, record->payload_bytes, err);
    graft_free(alloc, bytes);
    return rc;
}

static enum graft_rc rotten_commit(struct graft_store *store, uint32_t place, struct graft_err *err)
{
    enum graft_rc rc = graft_log_damage(store, graft_place_half(place));
    if (rc == GRAFT_ECORRUPT)
        store->counts.rot++;
    return graft_err_set(err, rc,
                         "%s/log.%u: the commit record at %llu is damaged; restore the directory "
                         "from a copy, or clone the remote again",
                         store->directory, graft_place_half(place),
                         (unsigned long long)graft_place_offset(place));
}

enum graft_rc graft_log_walk(struct graft_store *store, graft_commit_walk_fn *each, void *arg,
                             struct graft_walk_end *end, struct graft_err *err)
{
    struct graft_commit_payload payload;
    graft_commit_payload_init(&payload, store->env->alloc);
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    struct graft_walk_end at = {half, graft_half_load(store, half, GRAFT_HALF_GENERATION), false};
    uint32_t place = (uint32_t)graft_header_load(store, GRAFT_W_LAST);
    uint64_t generation =
        place == 0 ? 0 : graft_half_load(store, graft_place_half(place), GRAFT_HALF_GENERATION);
    bool first = true;
    enum graft_rc rc = GRAFT_OK;
    while (place != 0) {
        struct graft_record record;
        bool valid = false;
        unsigned in = graft_place_half(place);
        if (graft_half_load(store, in, GRAFT_HALF_GENERATION) == generation)
            rc = graft_log_read_commit(store, place, generation, &record, &payload, &valid, err);
        if (rc != GRAFT_OK)
            break;
        bool stale = first && graft_header_load(store, GRAFT_W_LAST) != place;
        if (!valid && !stale && graft_half_load(store, in, GRAFT_HALF_GENERATION) == generation) {
            rc = rotten_commit(store, place, err);
            break;
        }
        if (!valid) {
            /* Folded and gone. The base of the half after it says what was there, unless some of
             * what was there has been seen already. */
            if (first || at.generation == generation)
                rc = graft_err_set(err, GRAFT_EBUSY, "%s: the log moved on", store->directory);
            break;
        }
        first = false;
        at = (struct graft_walk_end){in, generation, false};
        rc = each(arg, &record, &payload, &at.stopped, err);
        if (rc != GRAFT_OK || at.stopped)
            break;
        place = record.prev_place;
        generation = record.prev_generation;
    }
    if (rc == GRAFT_OK)
        *end = at;
    graft_commit_payload_deinit(&payload);
    return rc;
}
