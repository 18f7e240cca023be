/* A growable byte buffer with an owner's cap: what objects are built in and read into. */
#ifndef GRAFT_BASE_BUF_H
#define GRAFT_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

struct graft_buf {
    struct graft_alloc *alloc;
    uint8_t *bytes;
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
};

void graft_buf_init(struct graft_buf *buf, struct graft_alloc *alloc);
/* Frees the bytes; the buffer can be used again. */
void graft_buf_deinit(struct graft_buf *buf);
/* Empties it and keeps the memory. */
void graft_buf_clear(struct graft_buf *buf);
/* Room for `more` bytes past `size`; GRAFT_ENOMEM leaves the buffer as it was. */
GRAFT_MUST_USE enum graft_rc graft_buf_reserve(struct graft_buf *buf, size_t more);
GRAFT_MUST_USE enum graft_rc graft_buf_append(struct graft_buf *buf, const void *bytes,
                                              size_t count);
GRAFT_MUST_USE enum graft_rc graft_buf_append_u32(struct graft_buf *buf, uint32_t value);
GRAFT_MUST_USE enum graft_rc graft_buf_append_u64(struct graft_buf *buf, uint64_t value);
GRAFT_MUST_USE enum graft_rc graft_buf_append_varint(struct graft_buf *buf, uint64_t value);

#endif
