/* Page maps, apart from any object. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_round_trip(&kind_pagemap, bytes, size);
    return 0;
}
