/* The records of a log half, as recovery reads them: with offsets, chain and checksums made to fit,
 * so that kinds, numbers, lengths and payloads are what is hostile. The scan must end, must not
 * read past the end, and must find no record that does not belong where it stands. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "store/parts.h"

#define START 128U
#define SEED UINT64_C(0x1122334455667788)
#define GENERATION 3U

struct half {
    uint8_t *bytes;
    size_t size;
};

static enum graft_rc read_half(void *arg, uint64_t offset, void *bytes, size_t size, size_t *got,
                               struct graft_err *err)
{
    (void)err;
    const struct half *half = arg;
    size_t left = offset < half->size ? half->size - (size_t)offset : 0;
    *got = size < left ? size : left;
    if (*got > 0)
        memcpy(bytes, half->bytes + offset, *got);
    return GRAFT_OK;
}

/* Makes each record fit where it stands, as far as its fields can be those of one. */
static void fit(struct half *half)
{
    uint64_t seed = graft_record_seed(SEED, GENERATION);
    uint64_t chain = 7;
    size_t at = START;
    while (half->size - at >= GRAFT_RECORD_BYTES) {
        uint8_t *header = half->bytes + at;
        struct graft_record record = {.kind = (enum graft_record_kind)(header[0] % 6)};
        uint16_t length = 0;
        memcpy(&record.page, header + 4, 4);
        record.lsn = header[8];
        memcpy(&length, header + 16, 2);
        record.payload_bytes = length;
        memcpy(&record.prev_place, header + 20, 4);
        record.prev_place &= GRAFT_PLACE_MAX;
        record.offset = at;
        record.chain = chain;
        size_t left = half->size - at - GRAFT_RECORD_BYTES;
        size_t covered = length < left ? length : left;
        record.payload_sum =
            graft_page_sum(SEED, record.page, header + GRAFT_RECORD_BYTES, covered);
        graft_record_encode(&record, seed, header);
        chain = record.sum;
        uint64_t space = graft_record_space(record.payload_bytes);
        if (space > half->size - at)
            break;
        at += (size_t)space;
    }
}

static void scan_all(struct half *half)
{
    struct graft_scan scan;
    graft_scan_init(&scan, fuzz_alloc(), read_half, half);
    scan.volume_seed = SEED;
    scan.generation = GENERATION;
    scan.page_bytes = 512;
    scan.variable = true;
    scan.offset = START;
    scan.chain = 7;
    scan.limit = half->size;
    struct graft_err err = {0};
    struct graft_commit_payload payload;
    graft_commit_payload_init(&payload, fuzz_alloc());
    bool found = true;
    while (found) {
        struct graft_record record;
        const uint8_t *bytes = NULL;
        uint64_t before = scan.offset;
        GRAFT_ASSERT(graft_scan_next(&scan, &record, &bytes, &found, &err) == GRAFT_OK);
        if (!found)
            break;
        GRAFT_ASSERT(record.offset == before && scan.offset > before);
        GRAFT_ASSERT(before + GRAFT_RECORD_BYTES + record.payload_bytes <= half->size);
        if (record.kind != GRAFT_RECORD_COMMIT)
            continue;
        enum graft_rc rc = graft_commit_payload_decode(&payload, bytes, record.payload_bytes, &err);
        GRAFT_ASSERT(rc == GRAFT_OK || (rc == GRAFT_ECORRUPT && err.text[0] != '\0'));
    }
    uint64_t told = 0;
    GRAFT_ASSERT(graft_scan_witness(&scan, &told, &err) == GRAFT_OK);
    graft_commit_payload_deinit(&payload);
    graft_scan_deinit(&scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct half half = {.size = START + size};
    half.bytes = calloc(1, half.size);
    if (half.bytes == NULL)
        return 0;
    if (size > 0)
        memcpy(half.bytes + START, bytes, size);
    scan_all(&half);
    fit(&half);
    scan_all(&half);
    free(half.bytes);
    struct graft_half_header header;
    uint8_t first[GRAFT_HALF_HEADER_BYTES] = {0};
    memcpy(first, bytes, size < sizeof first ? size : sizeof first);
    (void)graft_half_header_decode(first, first + 16, &header);
    return 0;
}
