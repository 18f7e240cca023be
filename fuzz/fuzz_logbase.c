/* The base record of a log half. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_round_trip(&kind_log_base, bytes, size);
    return 0;
}
