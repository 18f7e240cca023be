/* Bounded little-endian access: no alignment and no host order is assumed. Compilers make one load
 * or store of what is written out here byte by byte, and of a loop they do not. */
#include "base/cursor.h"

#include <string.h>

#include "base/catalogue.h"

void graft_rcur_init(struct graft_reader_cursor *cursor, const void *bytes, size_t size)
{
    *cursor = (struct graft_reader_cursor){.bytes = bytes, .size = size};
}

size_t graft_rcur_left(const struct graft_reader_cursor *cursor)
{
    return cursor->failed ? 0 : cursor->size - cursor->at;
}

const uint8_t *graft_rcur_span(struct graft_reader_cursor *cursor, size_t count)
{
    if (cursor->failed || count > cursor->size - cursor->at) {
        cursor->failed = true;
        return NULL;
    }
    const uint8_t *span = cursor->bytes + cursor->at;
    cursor->at += count;
    return span;
}

void graft_rcur_bytes(struct graft_reader_cursor *cursor, void *out, size_t count)
{
    const uint8_t *span = graft_rcur_span(cursor, count);
    if (span == NULL)
        memset(out, 0, count);
    else if (count > 0)
        memcpy(out, span, count);
}

static uint16_t load16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t load32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static void store32(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)(value >> 16);
    bytes[3] = (uint8_t)(value >> 24);
}

uint8_t graft_rcur_u8(struct graft_reader_cursor *cursor)
{
    const uint8_t *span = graft_rcur_span(cursor, 1);
    return span == NULL ? 0 : *span;
}

uint16_t graft_rcur_u16(struct graft_reader_cursor *cursor)
{
    const uint8_t *span = graft_rcur_span(cursor, 2);
    return span == NULL ? 0 : load16(span);
}

uint32_t graft_rcur_u32(struct graft_reader_cursor *cursor)
{
    const uint8_t *span = graft_rcur_span(cursor, 4);
    return span == NULL ? 0 : load32(span);
}

uint64_t graft_rcur_u64(struct graft_reader_cursor *cursor)
{
    const uint8_t *span = graft_rcur_span(cursor, 8);
    return span == NULL ? 0 : load32(span) | (uint64_t)load32(span + 4) << 32;
}

uint64_t graft_rcur_varint(struct graft_reader_cursor *cursor)
{
    uint64_t value = 0;
    const unsigned mask =
        GRAFT_MUTANT("base: a number is read without one of its bits") ? 0x6f : 0x7f;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        const uint8_t *byte = graft_rcur_span(cursor, 1);
        if (byte == NULL)
            return 0;
        uint64_t bits = *byte & mask;
        bool overflows = shift == 63 && bits > 1;
        bool overlong = *byte == 0 && shift > 0;
        if (overflows || overlong)
            break;
        value |= bits << shift;
        if ((*byte & 0x80U) == 0)
            return value;
    }
    cursor->failed = true;
    return 0;
}

void graft_wcur_init(struct graft_writer_cursor *cursor, void *bytes, size_t size)
{
    *cursor = (struct graft_writer_cursor){.bytes = bytes, .size = size};
}

void graft_wcur_bytes(struct graft_writer_cursor *cursor, const void *bytes, size_t count)
{
    if (cursor->failed || count > cursor->size - cursor->at) {
        cursor->failed = true;
        return;
    }
    if (count > 0)
        memcpy(cursor->bytes + cursor->at, bytes, count);
    cursor->at += count;
}

void graft_wcur_u8(struct graft_writer_cursor *cursor, uint8_t value)
{
    graft_wcur_bytes(cursor, &value, 1);
}

void graft_wcur_u16(struct graft_writer_cursor *cursor, uint16_t value)
{
    graft_wcur_bytes(cursor, (const uint8_t[]){(uint8_t)value, (uint8_t)(value >> 8)}, 2);
}

void graft_wcur_u32(struct graft_writer_cursor *cursor, uint32_t value)
{
    uint8_t bytes[4];
    store32(bytes, value);
    graft_wcur_bytes(cursor, bytes, sizeof bytes);
}

void graft_wcur_u64(struct graft_writer_cursor *cursor, uint64_t value)
{
    uint8_t bytes[8];
    store32(bytes, (uint32_t)value);
    store32(bytes + 4, (uint32_t)(value >> 32));
    graft_wcur_bytes(cursor, bytes, sizeof bytes);
}

void graft_wcur_varint(struct graft_writer_cursor *cursor, uint64_t value)
{
    while (value >= 0x80) {
        graft_wcur_u8(cursor, (uint8_t)(value | 0x80U));
        value >>= 7;
    }
    graft_wcur_u8(cursor, (uint8_t)value);
}
