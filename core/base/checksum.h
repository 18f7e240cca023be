/* XXH3 in its 64- and 128-bit forms: the one checksum of Graft. Not a defence against an adversary.
 */
#ifndef GRAFT_BASE_CHECKSUM_H
#define GRAFT_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* A 128-bit content hash, in XXH3's canonical (big-endian) byte order. */
struct graft_hash {
    uint8_t bytes[16];
};

uint64_t graft_checksum64(const void *bytes, size_t size, uint64_t seed);
struct graft_hash graft_hash128(const void *bytes, size_t size);
int graft_hash_equal(const struct graft_hash *a, const struct graft_hash *b);

#endif
