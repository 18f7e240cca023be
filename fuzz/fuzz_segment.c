/* Segments read from front to back: the header, then one frame after another. */
#include "fuzz.h"

#include "base/assert.h"
#include "base/cursor.h"
#include "format/frame.h"

static void read_frames(struct graft_codec *codec, const uint8_t *bytes, size_t size)
{
    while (size >= GRAFT_FRAME_HEADER_BYTES) {
        struct graft_reader_cursor cursor;
        graft_rcur_init(&cursor, bytes + 8, 4);
        size_t stored = GRAFT_FRAME_HEADER_BYTES + (size_t)graft_rcur_u32(&cursor);
        if (stored > size)
            return;
        struct graft_frame frame;
        if (graft_frame_decode(codec, bytes, stored, 4096, &frame, NULL) != GRAFT_OK)
            return;
        /* Every byte that is handed out is there. */
        unsigned sum = 0;
        for (uint32_t i = 0; i < frame.count; i++) {
            for (uint32_t j = 0; j < frame.pages[i].size; j++)
                sum += frame.pages[i].bytes[j];
        }
        GRAFT_ASSERT(sum <= GRAFT_FRAME_PAGES_MAX * 4096U * 255U);
        bytes += stored;
        size -= stored;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct graft_codec *codec;
    enum graft_rc rc = graft_segment_check(bytes, size, NULL);
    if (rc != GRAFT_OK) {
        GRAFT_ASSERT(rc == GRAFT_ECORRUPT || rc == GRAFT_EVERSION);
        return 0;
    }
    GRAFT_ASSERT(graft_codec_new(fuzz_alloc(), &codec) == GRAFT_OK);
    read_frames(codec, bytes + GRAFT_SEGMENT_HEADER_BYTES, size - GRAFT_SEGMENT_HEADER_BYTES);
    graft_codec_free(codec);
    return 0;
}
