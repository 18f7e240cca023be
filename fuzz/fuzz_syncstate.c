/* The sync state of a replica. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_round_trip(&kind_sync_state, bytes, size);
    return 0;
}
