/* The content of a frame, behind a compression and a checksum that are always right: mutating
 * compressed bytes hardly ever gets that far. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/assert.h"
#include "format/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size > GRAFT_FRAME_CONTENT_BYTES_MAX)
        return 0;
    size_t bound = ZSTD_compressBound(size);
    uint8_t *frame = malloc(GRAFT_FRAME_HEADER_BYTES + bound);
    GRAFT_ASSERT(frame != NULL);
    size_t packed = ZSTD_compress(frame + GRAFT_FRAME_HEADER_BYTES, bound, bytes, size, 1);
    GRAFT_ASSERT(!ZSTD_isError(packed));
    memset(frame, 0, GRAFT_FRAME_HEADER_BYTES);
    for (unsigned i = 0; i < 4; i++)
        frame[12 + i] = (uint8_t)(size >> (8 * i));
    kind_frame.repair(frame, GRAFT_FRAME_HEADER_BYTES + packed);
    fuzz_round_trip(&kind_frame, frame, GRAFT_FRAME_HEADER_BYTES + packed);
    free(frame);
    return 0;
}
