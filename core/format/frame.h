/* Frames: a few pages, compressed together, checksummed, self-describing. Segments are frames one
 * after another behind a magic, and a commit object carries small ones behind its message.
 *
 *   frame:    0  u64  XXH3-64 of all that follows
 *             8  u32  bytes that follow the 16-byte header (the zstd frame)
 *             12 u32  bytes of the content when decompressed
 *             16 zstd frame of the content
 *   content:  u32 n, then n times (u32 page number, u32 length), ascending pages; then the n pages'
 * bytes in turn
 *   segment:  8 bytes "GRAFTSEG", u32 version (1), u32 zero; then frames
 */
#ifndef GRAFT_FORMAT_FRAME_H
#define GRAFT_FORMAT_FRAME_H

#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"

#define GRAFT_FRAME_HEADER_BYTES 16U
#define GRAFT_FRAME_CONTENT_BYTES_MAX \
    (4U + GRAFT_FRAME_PAGES_MAX * (8U + GRAFT_PAGE_BYTES_MAX)) /* decompressed */
/* What zstd needs at most for that much content that does not compress, and the header. */
#define GRAFT_FRAME_STORED_BYTES_MAX                            \
    (GRAFT_FRAME_HEADER_BYTES + GRAFT_FRAME_CONTENT_BYTES_MAX + \
     GRAFT_FRAME_CONTENT_BYTES_MAX / 256U + 64U)
#define GRAFT_SEGMENT_HEADER_BYTES 16U

/* Compresses and decompresses frames; holds zstd's contexts (some 100 KiB each, made when they are
 * first needed), one user at a time. */
struct graft_codec;

GRAFT_MUST_USE enum graft_rc graft_codec_new(struct graft_alloc *alloc, struct graft_codec **out);
void graft_codec_free(struct graft_codec *codec); /* accepts NULL */

/* One page to be put into a frame; the bytes are borrowed. */
struct graft_frame_page {
    uint32_t page;
    uint32_t size; /* bytes; the full page size in SQLite volumes, 0..page size elsewhere */
    const uint8_t *bytes;
};

/* Appends a frame of `count` pages (1..GRAFT_FRAME_PAGES_MAX, ascending) to `out`; `*stored` is its
 * size there, header included. EINVAL for pages that are not as said or longer than
 * GRAFT_PAGE_BYTES_MAX; ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_frame_encode(struct graft_codec *codec,
                                                const struct graft_frame_page *pages,
                                                uint32_t count, struct graft_buf *out,
                                                uint32_t *stored, struct graft_err *err);

/* Checks that `size` bytes are one whole frame as it was written, without decompressing it.
 * ECORRUPT. */
GRAFT_MUST_USE enum graft_rc graft_frame_check(const uint8_t *bytes, size_t size,
                                               struct graft_err *err);

/* A decoded frame: the pages borrow from the codec until it decodes the next. */
struct graft_frame {
    uint32_t count;
    struct graft_frame_page pages[GRAFT_FRAME_PAGES_MAX];
};

/* Decodes one whole frame of exactly `size` bytes, checks included. ECORRUPT for a bad checksum,
 * size, page order, a page longer than `page_bytes_max`, more content than declared. */
GRAFT_MUST_USE enum graft_rc graft_frame_decode(struct graft_codec *codec, const uint8_t *bytes,
                                                size_t size, uint32_t page_bytes_max,
                                                struct graft_frame *out, struct graft_err *err);

/* Appends the segment header. */
GRAFT_MUST_USE enum graft_rc graft_segment_begin(struct graft_buf *out);
/* ECORRUPT for a wrong magic, EVERSION for a newer version. */
GRAFT_MUST_USE enum graft_rc graft_segment_check(const uint8_t *bytes, size_t size,
                                                 struct graft_err *err);

#endif
