#include <criterion/criterion.h>

#include "base/checksum.h"

/* The vectors of nothing at all, as xxHash's own sanity tests and documentation have them. */
Test(checksum, the_empty_vectors_are_those_of_xxh3)
{
    static const unsigned char empty[16] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8,
                                            0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f};
    cr_assert_eq(graft_checksum64("", 0, 0), 0x2d06800538d394c2ULL);
    struct graft_hash hash = graft_hash128("", 0);
    cr_assert_arr_eq(hash.bytes, empty, sizeof empty);
}

Test(checksum, the_seed_and_each_bit_count)
{
    unsigned char bytes[64] = {0};
    uint64_t plain = graft_checksum64(bytes, sizeof bytes, 0);
    cr_assert_neq(plain, graft_checksum64(bytes, sizeof bytes, 1));
    for (unsigned bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        cr_assert_neq(plain, graft_checksum64(bytes, sizeof bytes, 0));
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
}

Test(checksum, hashes_compare_by_content)
{
    struct graft_hash a = graft_hash128("a", 1);
    struct graft_hash again = graft_hash128("a", 1);
    struct graft_hash b = graft_hash128("b", 1);
    cr_assert(graft_hash_equal(&a, &again));
    cr_assert(!graft_hash_equal(&a, &b));
}
