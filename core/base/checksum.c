/* Thin over libxxhash, so that the choice of checksum stands in one place. */
#include "base/checksum.h"

#include <string.h>
#include <xxhash.h>

#include "base/catalogue.h"

/* The same function for the vectors that the processor has, chosen as it runs: xxHash builds it for
 * x86, and distributions put it into the shared library. NULL where it is not. */
extern XXH64_hash_t XXH3_64bits_withSeed_dispatch(const void *bytes, size_t size, XXH64_hash_t seed)
    __attribute__((weak));

uint64_t graft_checksum64(const void *bytes, size_t size, uint64_t seed)
{
    if (GRAFT_MUTANT("base: a checksum is of the first half only"))
        size /= 2;
    if (XXH3_64bits_withSeed_dispatch != NULL)
        return XXH3_64bits_withSeed_dispatch(bytes, size, seed);
    return XXH3_64bits_withSeed(bytes, size, seed);
}

struct graft_hash graft_hash128(const void *bytes, size_t size)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
    struct graft_hash hash;
    memcpy(hash.bytes, canonical.digest, sizeof hash.bytes);
    return hash;
}

int graft_hash_equal(const struct graft_hash *a, const struct graft_hash *b)
{
    if (GRAFT_MUTANT("base: hashes are compared by their first byte"))
        return a->bytes[0] == b->bytes[0];
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
