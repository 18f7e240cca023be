/* Bounded little-endian readers and writers: the only way integers get into and out of files and
 * messages. */
#ifndef GRAFT_BASE_CURSOR_H
#define GRAFT_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads from borrowed bytes. The first read past the end sets `failed`, and every later read yields
 * zeros: check once. */
struct graft_reader_cursor {
    const uint8_t *bytes;
    size_t size;
    size_t at;
    bool failed;
};

/* Writes into borrowed space. The first write past the end sets `failed` and writes nothing more.
 */
struct graft_writer_cursor {
    uint8_t *bytes;
    size_t size;
    size_t at;
    bool failed;
};

void graft_rcur_init(struct graft_reader_cursor *cursor, const void *bytes, size_t size);
uint8_t graft_rcur_u8(struct graft_reader_cursor *cursor);
uint16_t graft_rcur_u16(struct graft_reader_cursor *cursor);
uint32_t graft_rcur_u32(struct graft_reader_cursor *cursor);
uint64_t graft_rcur_u64(struct graft_reader_cursor *cursor);
/* LEB128, at most 10 bytes; an overlong or overflowing encoding fails, so that every value has one
 * form. */
uint64_t graft_rcur_varint(struct graft_reader_cursor *cursor);
/* Copies `count` bytes out; on failure `out` is zeroed. */
void graft_rcur_bytes(struct graft_reader_cursor *cursor, void *out, size_t count);
/* Borrows `count` bytes in place; NULL on failure. */
const uint8_t *graft_rcur_span(struct graft_reader_cursor *cursor, size_t count);
size_t graft_rcur_left(const struct graft_reader_cursor *cursor);

void graft_wcur_init(struct graft_writer_cursor *cursor, void *bytes, size_t size);
void graft_wcur_u8(struct graft_writer_cursor *cursor, uint8_t value);
void graft_wcur_u16(struct graft_writer_cursor *cursor, uint16_t value);
void graft_wcur_u32(struct graft_writer_cursor *cursor, uint32_t value);
void graft_wcur_u64(struct graft_writer_cursor *cursor, uint64_t value);
void graft_wcur_varint(struct graft_writer_cursor *cursor, uint64_t value);
void graft_wcur_bytes(struct graft_writer_cursor *cursor, const void *bytes, size_t count);

#endif
