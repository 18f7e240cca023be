/* Reading a log half from its beginning, record by record, as recovery must: nothing that is found
 * is believed before its checksum, its offset, its place in the chain and its LSN fit. Works over
 * a read function, so that hostile bytes can be tried without a disk. */
#include "store/parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"

#define WINDOW_BYTES (256U << 10)

void graft_scan_init(struct graft_scan *scan, struct graft_alloc *alloc, graft_scan_read_fn *read,
                     void *arg)
{
    *scan = (struct graft_scan){.alloc = alloc, .read = read, .arg = arg, .limit = UINT64_MAX};
}

void graft_scan_deinit(struct graft_scan *scan)
{
    graft_free(scan->alloc, scan->window);
    scan->window = NULL;
}

static enum graft_rc read_half(void *arg, uint64_t offset, void *bytes, size_t size, size_t *got,
                               struct graft_err *err)
{
    return graft_file_read(arg, offset, bytes, size, got, err);
}

void graft_scan_half(struct graft_scan *scan, struct graft_store *store, unsigned half,
                     const struct graft_half_header *header, uint64_t base_lsn)
{
    graft_scan_init(scan, store->env->alloc, read_half, store->files[half]);
    scan->volume_seed = store->volume_seed;
    scan->generation = header->generation;
    scan->page_bytes = graft_store_page_bytes(store);
    scan->variable = store->config.variable;
    scan->offset = GRAFT_HALF_HEADER_BYTES + graft_align64(header->base_bytes);
    scan->chain = header->sum;
    scan->lsn = base_lsn;
    /* Without it a damaged length might ask for much memory, and no more. */
    struct graft_err ignored = {0};
    if (graft_file_size(store->files[half], &scan->limit, &ignored) != GRAFT_OK)
        scan->limit = UINT64_MAX;
}

/* Makes the window hold `size` bytes at `offset`; `*bytes` is NULL when the file ends before. */
static enum graft_rc look(struct graft_scan *scan, uint64_t offset, size_t size,
                          const uint8_t **bytes, struct graft_err *err)
{
    *bytes = NULL;
    uint64_t skip = offset - scan->window_offset;
    if (offset >= scan->window_offset && skip + size <= scan->window_size) {
        *bytes = scan->window + skip;
        return GRAFT_OK;
    }
    if (offset > scan->limit || size > scan->limit - offset)
        return GRAFT_OK;
    uint64_t left = scan->limit - offset;
    size_t wanted = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
    if (wanted < size)
        wanted = size;
    if (scan->window == NULL && GRAFT_BUGGIFY("recovery: a short read-ahead"))
        wanted = size;
    if (scan->window_capacity < wanted) {
        uint8_t *window = graft_realloc(scan->alloc, scan->window, wanted, 1);
        if (window == NULL)
            return graft_err_set(err, GRAFT_ENOMEM, "reading the log: out of memory");
        scan->window = window;
        scan->window_capacity = wanted;
    }
    size_t got = 0;
    scan->window_size = 0;
    GRAFT_TRY(scan->read(scan->arg, offset, scan->window, scan->window_capacity, &got, err));
    scan->window_offset = offset;
    scan->window_size = got;
    if (got >= size)
        *bytes = scan->window;
    return GRAFT_OK;
}

static bool frame_fits(const struct graft_scan *scan, const struct graft_record *record)
{
    if (record->page == 0 || record->page > GRAFT_PAGES_MAX || record->lsn != scan->lsn + 1)
        return false;
    if (record->kind != GRAFT_RECORD_PAGE)
        return record->payload_bytes == 0;
    return record->payload_bytes <= scan->page_bytes &&
           (scan->variable || record->payload_bytes == scan->page_bytes);
}

static bool record_fits(const struct graft_scan *scan, const struct graft_record *record)
{
    if (record->offset != scan->offset || record->chain != scan->chain)
        return false;
    switch (record->kind) {
    case GRAFT_RECORD_PAGE:
    case GRAFT_RECORD_REMOTE:
    case GRAFT_RECORD_ZEROS:
        return frame_fits(scan, record);
    case GRAFT_RECORD_COMMIT:
        return record->lsn == scan->lsn + 1 && record->page == (uint32_t)scan->frames;
    case GRAFT_RECORD_NOTE:
        return record->lsn == scan->lsn && scan->frames == 0;
    }
    return false;
}

enum graft_rc graft_scan_next(struct graft_scan *scan, struct graft_record *record,
                              const uint8_t **payload, bool *found, struct graft_err *err)
{
    *found = false;
    uint64_t seed = graft_record_seed(scan->volume_seed, scan->generation);
    const uint8_t *bytes = NULL;
    struct graft_record read;
    GRAFT_TRY(look(scan, scan->offset, GRAFT_RECORD_BYTES, &bytes, err));
    if (bytes == NULL || !graft_record_decode(bytes, seed, &read) || !record_fits(scan, &read))
        return GRAFT_OK;
    GRAFT_TRY(
        look(scan, scan->offset, GRAFT_RECORD_BYTES + (size_t)read.payload_bytes, &bytes, err));
    if (bytes == NULL)
        return GRAFT_OK;
    bytes += GRAFT_RECORD_BYTES;
    if (graft_page_sum(scan->volume_seed, read.page, bytes, read.payload_bytes) !=
        read.payload_sum) {
        GRAFT_REACHABLE("a record of the log was whole but for its payload");
        if (!GRAFT_MUTANT("store: recovery believes a torn record"))
            return GRAFT_OK;
    }
    GRAFT_ALWAYS(read.lsn >= scan->lsn, "the log is read from older commits to newer");
    scan->offset += graft_record_space(read.payload_bytes);
    scan->chain = read.sum;
    if (read.kind == GRAFT_RECORD_COMMIT) {
        scan->lsn = read.lsn;
        scan->frames = 0;
    } else if (read.kind != GRAFT_RECORD_NOTE) {
        scan->frames++;
    }
    *record = read;
    *payload = bytes;
    *found = true;
    return GRAFT_OK;
}

/* What a commit record at `offset` says is durable; 0 when there is none. */
static enum graft_rc witness_at(struct graft_scan *scan, uint64_t offset,
                                const struct graft_record *record, uint64_t *synced_lsn,
                                struct graft_err *err)
{
    const uint8_t *bytes = NULL;
    GRAFT_TRY(look(scan, offset, GRAFT_RECORD_BYTES + (size_t)record->payload_bytes, &bytes, err));
    if (bytes == NULL)
        return GRAFT_OK;
    bytes += GRAFT_RECORD_BYTES;
    if (graft_page_sum(scan->volume_seed, record->page, bytes, record->payload_bytes) !=
        record->payload_sum)
        return GRAFT_OK;
    struct graft_commit_payload payload;
    graft_commit_payload_init(&payload, scan->alloc);
    struct graft_err ignored = {0};
    if (graft_commit_payload_decode(&payload, bytes, record->payload_bytes, &ignored) == GRAFT_OK &&
        payload.synced_lsn > *synced_lsn)
        *synced_lsn = payload.synced_lsn;
    graft_commit_payload_deinit(&payload);
    return GRAFT_OK;
}

enum graft_rc graft_scan_witness(struct graft_scan *scan, uint64_t *synced_lsn,
                                 struct graft_err *err)
{
    uint64_t seed = graft_record_seed(scan->volume_seed, scan->generation);
    uint64_t synced = 0;
    for (uint64_t offset = scan->offset;; offset += GRAFT_RECORD_BYTES) {
        const uint8_t *bytes = NULL;
        struct graft_record record;
        GRAFT_TRY(look(scan, offset, GRAFT_RECORD_BYTES, &bytes, err));
        if (bytes == NULL)
            break;
        const uint8_t *last = scan->window + scan->window_size - GRAFT_RECORD_BYTES;
        for (; bytes[0] != GRAFT_RECORD_COMMIT && last - bytes >= GRAFT_RECORD_BYTES;
             bytes += GRAFT_RECORD_BYTES)
            offset += GRAFT_RECORD_BYTES;
        if (bytes[0] != GRAFT_RECORD_COMMIT || !graft_record_decode(bytes, seed, &record) ||
            record.kind != GRAFT_RECORD_COMMIT || record.offset != offset)
            continue;
        GRAFT_TRY(witness_at(scan, offset, &record, &synced, err));
    }
    *synced_lsn = synced;
    return GRAFT_OK;
}
