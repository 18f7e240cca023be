/* The bytes of the table's self-checked words, of a half's header and of a record's header.
 *
 *   half:    0 "GRAFTLOG"  8 u32 version  12 u32 base bytes  16 volume (16)  32 u64 generation
 *            40 u64 live generation  48 u64 checksum of the base  56 u64 checksum of 0..56
 *   record:  0 u32 kind  4 u32 page  8 u64 LSN  16 u32 payload bytes  20 u32 previous place
 *            24 u64 its generation  32 u64 payload checksum  40 u64 offset  48 u64 chain
 *            56 u64 checksum of 0..56, seeded with volume seed ^ generation */
#include "store/layout.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/cursor.h"

#define CHECKED_BITS 44
#define CHECKED_MASK ((UINT64_C(1) << CHECKED_BITS) - 1)

static const uint8_t magic[8] = {'G', 'R', 'A', 'F', 'T', 'L', 'O', 'G'};

uint64_t graft_checked_word(uint64_t value, uint64_t seed, enum graft_table_word index)
{
    GRAFT_ASSERT(value <= CHECKED_MASK);
    uint8_t bytes[16];
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, bytes, sizeof bytes);
    graft_wcur_u64(&cursor, value);
    graft_wcur_u64(&cursor, (uint64_t)index);
    return graft_checksum64(bytes, sizeof bytes, seed) << CHECKED_BITS | value;
}

bool graft_checked_word_value(uint64_t word, uint64_t seed, enum graft_table_word index,
                              uint64_t *value)
{
    if (word == 0 || graft_checked_word(word & CHECKED_MASK, seed, index) != word)
        return false;
    *value = word & CHECKED_MASK;
    return true;
}

void graft_half_header_encode(struct graft_half_header *header, const uint8_t volume[16],
                              uint8_t out[GRAFT_HALF_HEADER_BYTES])
{
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, out, GRAFT_HALF_HEADER_BYTES);
    graft_wcur_bytes(&cursor, magic, sizeof magic);
    graft_wcur_u32(&cursor, GRAFT_HALF_VERSION);
    graft_wcur_u32(&cursor, header->base_bytes);
    graft_wcur_bytes(&cursor, volume, 16);
    graft_wcur_u64(&cursor, header->generation);
    graft_wcur_u64(&cursor, header->live);
    graft_wcur_u64(&cursor, header->base_sum);
    header->sum = graft_checksum64(out, cursor.at, 0);
    graft_wcur_u64(&cursor, header->sum);
    GRAFT_ASSERT(!cursor.failed && cursor.at == GRAFT_HALF_HEADER_BYTES);
}

enum graft_half_check graft_half_header_decode(const uint8_t in[GRAFT_HALF_HEADER_BYTES],
                                               const uint8_t volume[16],
                                               struct graft_half_header *out)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, in, GRAFT_HALF_HEADER_BYTES);
    const uint8_t *found = graft_rcur_span(&cursor, sizeof magic);
    uint32_t version = graft_rcur_u32(&cursor);
    struct graft_half_header header = {.base_bytes = graft_rcur_u32(&cursor)};
    const uint8_t *owner = graft_rcur_span(&cursor, 16);
    header.generation = graft_rcur_u64(&cursor);
    header.live = graft_rcur_u64(&cursor);
    header.base_sum = graft_rcur_u64(&cursor);
    uint64_t sum = graft_checksum64(in, cursor.at, 0);
    header.sum = graft_rcur_u64(&cursor);
    if (cursor.failed || memcmp(found, magic, sizeof magic) != 0 || sum != header.sum)
        return GRAFT_HALF_DAMAGED;
    if (version != GRAFT_HALF_VERSION)
        return GRAFT_HALF_NEWER;
    if (memcmp(owner, volume, 16) != 0)
        return GRAFT_HALF_FOREIGN;
    bool sane = header.generation > 0 && header.live <= header.generation &&
                header.generation - header.live <= 1 && header.base_bytes <= (UINT32_C(1) << 30);
    if (!sane)
        return GRAFT_HALF_DAMAGED;
    *out = header;
    return GRAFT_HALF_OK;
}

void graft_record_encode(struct graft_record *record, uint64_t seed,
                         uint8_t out[GRAFT_RECORD_BYTES])
{
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, out, GRAFT_RECORD_BYTES);
    graft_wcur_u32(&cursor, (uint32_t)record->kind);
    graft_wcur_u32(&cursor, record->page);
    graft_wcur_u64(&cursor, record->lsn);
    graft_wcur_u32(&cursor, record->payload_bytes);
    graft_wcur_u32(&cursor, record->prev_place);
    graft_wcur_u64(&cursor, record->prev_generation);
    graft_wcur_u64(&cursor, record->payload_sum);
    graft_wcur_u64(&cursor, record->offset);
    graft_wcur_u64(&cursor, record->chain);
    record->sum = graft_checksum64(out, cursor.at, seed);
    graft_wcur_u64(&cursor, record->sum);
    GRAFT_ASSERT(!cursor.failed && cursor.at == GRAFT_RECORD_BYTES);
}

bool graft_record_decode(const uint8_t in[GRAFT_RECORD_BYTES], uint64_t seed,
                         struct graft_record *out)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, in, GRAFT_RECORD_BYTES);
    uint32_t kind = graft_rcur_u32(&cursor);
    if (kind < GRAFT_RECORD_PAGE || kind > GRAFT_RECORD_NOTE)
        return false;
    struct graft_record record = {.kind = (enum graft_record_kind)kind};
    record.page = graft_rcur_u32(&cursor);
    record.lsn = graft_rcur_u64(&cursor);
    record.payload_bytes = graft_rcur_u32(&cursor);
    record.prev_place = graft_rcur_u32(&cursor);
    record.prev_generation = graft_rcur_u64(&cursor);
    record.payload_sum = graft_rcur_u64(&cursor);
    record.offset = graft_rcur_u64(&cursor);
    record.chain = graft_rcur_u64(&cursor);
    uint64_t sum = graft_checksum64(in, cursor.at, seed);
    record.sum = graft_rcur_u64(&cursor);
    if (sum != record.sum || record.prev_place > GRAFT_PLACE_MAX ||
        record.payload_bytes > GRAFT_RECORD_PAYLOAD_MAX)
        return false;
    *out = record;
    return true;
}

uint64_t graft_page_sum(uint64_t volume_seed, uint32_t page, const void *bytes, size_t size)
{
    return graft_checksum64(bytes, size, volume_seed ^ page);
}
