/* Commit objects. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_round_trip(&kind_commit, bytes, size);
    return 0;
}
