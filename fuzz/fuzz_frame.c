/* Frames: zstd's side of them. What stands in the content is fuzz_content's matter. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_round_trip(&kind_frame, bytes, size);
    return 0;
}
