/* Frames and the segment header; frame.h carries the byte layout.
 *
 * A codec keeps zstd's two contexts, each made when it is first needed, and a buffer for each
 * direction, so that a frame costs no allocation once the buffers have grown. Everything in a frame
 * comes from a disk or a network: the checksum is compared before zstd sees a byte, and sizes are
 * compared with limits before anything is allocated by them.
 */
#define ZSTD_STATIC_LINKING_ONLY /* for contexts with memory of our own */
#include "format/frame.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/catalogue.h"
#include "base/checksum.h"
#include "base/cursor.h"

#define COMPRESSION_LEVEL 3
#define SEGMENT_VERSION 1U
#define TABLE_ROW_BYTES 8U

static const char segment_magic[] = "GRAFTSEG";

struct graft_codec {
    struct graft_alloc *alloc;
    ZSTD_CCtx *compressor;    /* NULL: nothing was compressed yet */
    ZSTD_DCtx *decompressor;  /* the same */
    struct graft_buf input;   /* content to compress */
    struct graft_buf content; /* decompressed; apart from input, so that a decoded frame's pages can
                                 be put into a new frame */
};

static void *zstd_alloc(void *opaque, size_t bytes)
{
    return graft_malloc(opaque, bytes);
}

static void zstd_free(void *opaque, void *memory)
{
    graft_free(opaque, memory);
}

enum graft_rc graft_codec_new(struct graft_alloc *alloc, struct graft_codec **out)
{
    struct graft_codec *codec = graft_calloc(alloc, 1, sizeof *codec);
    if (codec == NULL)
        return GRAFT_ENOMEM;
    codec->alloc = alloc;
    graft_buf_init(&codec->input, alloc);
    graft_buf_init(&codec->content, alloc);
    *out = codec;
    return GRAFT_OK;
}

void graft_codec_free(struct graft_codec *codec)
{
    if (codec == NULL)
        return;
    (void)ZSTD_freeCCtx(codec->compressor);
    (void)ZSTD_freeDCtx(codec->decompressor);
    graft_buf_deinit(&codec->input);
    graft_buf_deinit(&codec->content);
    graft_free(codec->alloc, codec);
}

static ZSTD_customMem memory_of(struct graft_codec *codec)
{
    return (ZSTD_customMem){
        .customAlloc = zstd_alloc, .customFree = zstd_free, .opaque = codec->alloc};
}

static enum graft_rc need_compressor(struct graft_codec *codec, struct graft_err *err)
{
    if (codec->compressor == NULL)
        codec->compressor = ZSTD_createCCtx_advanced(memory_of(codec));
    int level = GRAFT_BUGGIFY("frames: compressed at another level") ? 1 : COMPRESSION_LEVEL;
    if (codec->compressor == NULL ||
        ZSTD_isError(ZSTD_CCtx_setParameter(codec->compressor, ZSTD_c_compressionLevel, level)))
        return graft_err_set(err, GRAFT_ENOMEM, "frame: out of memory for a compressor");
    return GRAFT_OK;
}

static enum graft_rc need_decompressor(struct graft_codec *codec, struct graft_err *err)
{
    if (codec->decompressor == NULL)
        codec->decompressor = ZSTD_createDCtx_advanced(memory_of(codec));
    if (codec->decompressor == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "frame: out of memory for a decompressor");
    return GRAFT_OK;
}

/* The content of a frame, uncompressed, into the codec's input. */
static enum graft_rc build_content(struct graft_codec *codec, const struct graft_frame_page *pages,
                                   uint32_t count, struct graft_err *err)
{
    if (count == 0 || count > GRAFT_FRAME_PAGES_MAX)
        return graft_err_set(err, GRAFT_EINVAL, "frame: %u pages", count);
    size_t size = 4 + (size_t)count * TABLE_ROW_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t least = i == 0 ? 1 : pages[i - 1].page + 1;
        if (pages[i].page < least || pages[i].page > GRAFT_PAGES_MAX ||
            pages[i].size > GRAFT_PAGE_BYTES_MAX) {
            return graft_err_set(err, GRAFT_EINVAL, "frame: page %u of %u bytes at index %u",
                                 pages[i].page, pages[i].size, i);
        }
        size += pages[i].size;
    }
    graft_buf_clear(&codec->input);
    if (graft_buf_reserve(&codec->input, size) != GRAFT_OK)
        return graft_err_set(err, GRAFT_ENOMEM, "frame: out of memory");

    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, codec->input.bytes, size);
    graft_wcur_u32(&cursor, count);
    for (uint32_t i = 0; i < count; i++) {
        graft_wcur_u32(&cursor, pages[i].page);
        graft_wcur_u32(&cursor, pages[i].size);
    }
    for (uint32_t i = 0; i < count; i++)
        graft_wcur_bytes(&cursor, pages[i].bytes, pages[i].size);
    codec->input.size = size;
    return GRAFT_OK;
}

enum graft_rc graft_frame_encode(struct graft_codec *codec, const struct graft_frame_page *pages,
                                 uint32_t count, struct graft_buf *out, uint32_t *stored,
                                 struct graft_err *err)
{
    GRAFT_TRY(build_content(codec, pages, count, err));
    GRAFT_TRY(need_compressor(codec, err));
    size_t bound = ZSTD_compressBound(codec->input.size);
    if (graft_buf_reserve(out, GRAFT_FRAME_HEADER_BYTES + bound) != GRAFT_OK)
        return graft_err_set(err, GRAFT_ENOMEM, "frame: out of memory");

    uint8_t *frame = out->bytes + out->size;
    size_t packed = ZSTD_compress2(codec->compressor, frame + GRAFT_FRAME_HEADER_BYTES, bound,
                                   codec->input.bytes, codec->input.size);
    if (ZSTD_isError(packed)) {
        bool memory = ZSTD_getErrorCode(packed) == ZSTD_error_memory_allocation;
        return graft_err_set(err, memory ? GRAFT_ENOMEM : GRAFT_EBUG, "frame: zstd: %s",
                             ZSTD_getErrorName(packed));
    }
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, frame, GRAFT_FRAME_HEADER_BYTES);
    graft_wcur_u64(&cursor, 0);
    graft_wcur_u32(&cursor, (uint32_t)packed);
    graft_wcur_u32(&cursor, (uint32_t)codec->input.size);
    uint64_t checksum = graft_checksum64(frame + 8, GRAFT_FRAME_HEADER_BYTES - 8 + packed, 0);
    graft_wcur_init(&cursor, frame, 8);
    graft_wcur_u64(&cursor, checksum);

    *stored = GRAFT_FRAME_HEADER_BYTES + (uint32_t)packed;
    GRAFT_ALWAYS(*stored <= GRAFT_FRAME_STORED_BYTES_MAX, "a frame is no larger than may be read");
    GRAFT_SOMETIMES(count > 1, "a frame holds several pages");
    out->size += *stored;
    return GRAFT_OK;
}

/* Fills `frame` from the codec's content, which is `size` bytes. */
static enum graft_rc parse_content(const uint8_t *content, size_t size, uint32_t page_bytes_max,
                                   struct graft_frame *frame, struct graft_err *err)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, content, size);
    uint32_t count = graft_rcur_u32(&cursor);
    if (cursor.failed || count == 0 || count > GRAFT_FRAME_PAGES_MAX)
        return graft_err_set(err, GRAFT_ECORRUPT, "frame: %u pages", count);

    const uint8_t *table = graft_rcur_span(&cursor, (size_t)count * TABLE_ROW_BYTES);
    if (table == NULL)
        return graft_err_set(err, GRAFT_ECORRUPT, "frame: its table is cut off");
    struct graft_reader_cursor rows;
    graft_rcur_init(&rows, table, (size_t)count * TABLE_ROW_BYTES);
    uint32_t before = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t page = graft_rcur_u32(&rows);
        uint32_t page_bytes = graft_rcur_u32(&rows);
        if (page <= before || page > GRAFT_PAGES_MAX)
            return graft_err_set(err, GRAFT_ECORRUPT, "frame: page %u after %u", page, before);
        if (page_bytes > page_bytes_max) {
            return graft_err_set(err, GRAFT_ECORRUPT, "frame: page %u has %u bytes, over %u", page,
                                 page_bytes, page_bytes_max);
        }
        const uint8_t *bytes = graft_rcur_span(&cursor, page_bytes);
        if (bytes == NULL)
            return graft_err_set(err, GRAFT_ECORRUPT, "frame: page %u is cut off", page);
        frame->pages[i] = (struct graft_frame_page){page, page_bytes, bytes};
        before = page;
    }
    if (graft_rcur_left(&cursor) > 0)
        return graft_err_set(err, GRAFT_ECORRUPT, "frame: bytes after its last page");
    frame->count = count;
    return GRAFT_OK;
}

static enum graft_rc decompress(struct graft_codec *codec, const uint8_t *packed, size_t size,
                                uint32_t content_bytes, struct graft_err *err)
{
    GRAFT_TRY(need_decompressor(codec, err));
    graft_buf_clear(&codec->content);
    if (graft_buf_reserve(&codec->content, content_bytes) != GRAFT_OK)
        return graft_err_set(err, GRAFT_ENOMEM, "frame: out of memory");
    /* zstd would read several of its frames in a row as one content; we write exactly one. */
    if (ZSTD_findFrameCompressedSize(packed, size) != size)
        return graft_err_set(err, GRAFT_ECORRUPT, "frame: not one zstd frame");
    size_t got =
        ZSTD_decompressDCtx(codec->decompressor, codec->content.bytes, content_bytes, packed, size);
    if (ZSTD_isError(got)) {
        bool memory = ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation;
        return graft_err_set(err, memory ? GRAFT_ENOMEM : GRAFT_ECORRUPT, "frame: zstd: %s",
                             ZSTD_getErrorName(got));
    }
    if (got != content_bytes)
        return graft_err_set(err, GRAFT_ECORRUPT, "frame: less content than declared");
    codec->content.size = got;
    return GRAFT_OK;
}

static enum graft_rc check_envelope(const uint8_t *bytes, size_t size, uint32_t *packed_bytes,
                                    uint32_t *content_bytes, struct graft_err *err)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, bytes, size);
    uint64_t checksum = graft_rcur_u64(&cursor);
    *packed_bytes = graft_rcur_u32(&cursor);
    *content_bytes = graft_rcur_u32(&cursor);
    if (cursor.failed || *packed_bytes != graft_rcur_left(&cursor))
        return graft_err_set(err, GRAFT_ECORRUPT, "frame: %zu bytes are not its size", size);
    if (graft_checksum64(bytes + 8, size - 8, 0) != checksum)
        return graft_err_set(err, GRAFT_ECORRUPT, "frame: bad checksum");
    return GRAFT_OK;
}

enum graft_rc graft_frame_check(const uint8_t *bytes, size_t size, struct graft_err *err)
{
    uint32_t packed_bytes = 0, content_bytes = 0;
    return check_envelope(bytes, size, &packed_bytes, &content_bytes, err);
}

enum graft_rc graft_frame_decode(struct graft_codec *codec, const uint8_t *bytes, size_t size,
                                 uint32_t page_bytes_max, struct graft_frame *out,
                                 struct graft_err *err)
{
    uint32_t packed_bytes = 0, content_bytes = 0;
    GRAFT_TRY(check_envelope(bytes, size, &packed_bytes, &content_bytes, err));
    uint64_t content_max =
        4 + (uint64_t)GRAFT_FRAME_PAGES_MAX * (TABLE_ROW_BYTES + (uint64_t)page_bytes_max);
    if (content_bytes > content_max || content_bytes > GRAFT_FRAME_CONTENT_BYTES_MAX)
        return graft_err_set(err, GRAFT_ECORRUPT, "frame: %u bytes of content", content_bytes);

    GRAFT_TRY(
        decompress(codec, bytes + GRAFT_FRAME_HEADER_BYTES, packed_bytes, content_bytes, err));
    struct graft_frame frame;
    GRAFT_TRY(parse_content(codec->content.bytes, content_bytes, page_bytes_max, &frame, err));
    out->count = frame.count;
    memcpy(out->pages, frame.pages, frame.count * sizeof frame.pages[0]);
    return GRAFT_OK;
}

enum graft_rc graft_segment_begin(struct graft_buf *out)
{
    GRAFT_TRY(graft_buf_reserve(out, GRAFT_SEGMENT_HEADER_BYTES));
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, out->bytes + out->size, GRAFT_SEGMENT_HEADER_BYTES);
    graft_wcur_bytes(&cursor, segment_magic, 8);
    graft_wcur_u32(&cursor, SEGMENT_VERSION);
    graft_wcur_u32(&cursor, 0);
    out->size += GRAFT_SEGMENT_HEADER_BYTES;
    return GRAFT_OK;
}

enum graft_rc graft_segment_check(const uint8_t *bytes, size_t size, struct graft_err *err)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, bytes, size);
    const uint8_t *magic = graft_rcur_span(&cursor, 8);
    if (magic == NULL || memcmp(magic, segment_magic, 8) != 0)
        return graft_err_set(err, GRAFT_ECORRUPT, "segment: not a segment (no GRAFTSEG)");
    uint32_t version = graft_rcur_u32(&cursor);
    uint32_t reserved = graft_rcur_u32(&cursor);
    if (cursor.failed || version == 0)
        return graft_err_set(err, GRAFT_ECORRUPT, "segment: malformed header");
    if (version > SEGMENT_VERSION) {
        return graft_err_set(
            err, GRAFT_EVERSION,
            "segment was written by a newer version (%u; this one reads up to %u): upgrade",
            version, SEGMENT_VERSION);
    }
    if (reserved != 0)
        return graft_err_set(err, GRAFT_ECORRUPT, "segment: malformed header");
    return GRAFT_OK;
}
