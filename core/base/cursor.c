/* Bounded little-endian access, byte by byte: no alignment and no host order is assumed. */
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

static uint64_t read_little(struct graft_reader_cursor *cursor, size_t count)
{
    const uint8_t *span = graft_rcur_span(cursor, count);
    if (span == NULL)
        return 0;
    uint64_t value = 0;
    for (size_t i = count; i > 0; i--)
        value = value << 8 | span[i - 1];
    return value;
}

uint8_t graft_rcur_u8(struct graft_reader_cursor *cursor)
{
    return (uint8_t)read_little(cursor, 1);
}

uint16_t graft_rcur_u16(struct graft_reader_cursor *cursor)
{
    return (uint16_t)read_little(cursor, 2);
}

uint32_t graft_rcur_u32(struct graft_reader_cursor *cursor)
{
    return (uint32_t)read_little(cursor, 4);
}

uint64_t graft_rcur_u64(struct graft_reader_cursor *cursor)
{
    return read_little(cursor, 8);
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

static void write_little(struct graft_writer_cursor *cursor, uint64_t value, size_t count)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    graft_wcur_bytes(cursor, bytes, count);
}

void graft_wcur_u8(struct graft_writer_cursor *cursor, uint8_t value)
{
    write_little(cursor, value, 1);
}

void graft_wcur_u16(struct graft_writer_cursor *cursor, uint16_t value)
{
    write_little(cursor, value, 2);
}

void graft_wcur_u32(struct graft_writer_cursor *cursor, uint32_t value)
{
    write_little(cursor, value, 4);
}

void graft_wcur_u64(struct graft_writer_cursor *cursor, uint64_t value)
{
    write_little(cursor, value, 8);
}

void graft_wcur_varint(struct graft_writer_cursor *cursor, uint64_t value)
{
    while (value >= 0x80) {
        graft_wcur_u8(cursor, (uint8_t)(value | 0x80U));
        value >>= 7;
    }
    graft_wcur_u8(cursor, (uint8_t)value);
}
