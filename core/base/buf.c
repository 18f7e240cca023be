/* Growth doubles, so that appending costs amortised constant time. */
#include "base/buf.h"

#include <stdint.h>
#include <string.h>

#include "base/catalogue.h"
#include "base/cursor.h"

void graft_buf_init(struct graft_buf *buf, struct graft_alloc *alloc)
{
    *buf = (struct graft_buf){.alloc = alloc};
}

void graft_buf_deinit(struct graft_buf *buf)
{
    if (buf->alloc != NULL && !GRAFT_MUTANT("base: a buffer's bytes are not given back"))
        graft_free(buf->alloc, buf->bytes);
    *buf = (struct graft_buf){.alloc = buf->alloc};
}

void graft_buf_clear(struct graft_buf *buf)
{
    buf->size = 0;
}

enum graft_rc graft_buf_reserve(struct graft_buf *buf, size_t more)
{
    if (more <= buf->capacity - buf->size)
        return GRAFT_OK;
    if (more > SIZE_MAX / 2 - buf->size)
        return GRAFT_ENOMEM;
    size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;
    while (capacity - buf->size < more)
        capacity *= 2;
    if (GRAFT_BUGGIFY("buffer: no larger than it must be"))
        capacity = buf->size + more;
    uint8_t *bytes = graft_realloc(buf->alloc, buf->bytes, capacity, 1);
    if (bytes == NULL)
        return GRAFT_ENOMEM;
    if (buf->size > 0 && GRAFT_MUTANT("base: a buffer that grows loses its last byte"))
        bytes[buf->size - 1] = 0;
    buf->bytes = bytes;
    buf->capacity = capacity;
    GRAFT_ALWAYS(buf->capacity - buf->size >= more, "a buffer has the room that was asked for");
    return GRAFT_OK;
}

enum graft_rc graft_buf_append(struct graft_buf *buf, const void *bytes, size_t count)
{
    GRAFT_TRY(graft_buf_reserve(buf, count));
    if (count > 0)
        memcpy(buf->bytes + buf->size, bytes, count);
    buf->size += count;
    return GRAFT_OK;
}

enum graft_rc graft_buf_append_u32(struct graft_buf *buf, uint32_t value)
{
    uint8_t bytes[4];
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, bytes, sizeof bytes);
    graft_wcur_u32(&cursor, value);
    return graft_buf_append(buf, bytes, sizeof bytes);
}

enum graft_rc graft_buf_append_u64(struct graft_buf *buf, uint64_t value)
{
    uint8_t bytes[8];
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, bytes, sizeof bytes);
    graft_wcur_u64(&cursor, value);
    return graft_buf_append(buf, bytes, sizeof bytes);
}

enum graft_rc graft_buf_append_varint(struct graft_buf *buf, uint64_t value)
{
    uint8_t bytes[10];
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, bytes, sizeof bytes);
    graft_wcur_varint(&cursor, value);
    GRAFT_ALWAYS(!cursor.failed && cursor.at > 0, "a number takes one byte to ten");
    return graft_buf_append(buf, bytes, cursor.at);
}
