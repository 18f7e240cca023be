/* Page sets as messages carry them. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_round_trip(&kind_pageset, bytes, size);
    return 0;
}
