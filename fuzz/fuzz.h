/* What fuzz targets share. A finding is an abort: libFuzzer keeps the input that led to it. */
#ifndef GRAFT_FUZZ_FUZZ_H
#define GRAFT_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "format/kinds.h"

/* malloc, up to a bound on one allocation (256 MiB) that no small input may make core ask for. */
struct graft_alloc *fuzz_alloc(void);

/* Decodes the bytes as they are, and once more with lengths and checksums made to fit. What decodes
 * must be encoded, decoded and encoded again to the same bytes; what does not must be refused as
 * ECORRUPT or EVERSION, with a text. */
void fuzz_round_trip(const struct format_kind *kind, const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
