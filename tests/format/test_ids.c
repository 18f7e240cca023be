#include <criterion/criterion.h>
#include <string.h>

#include "format/ids.h"

Test(ids, hex_goes_both_ways)
{
    uint8_t bytes[16];
    uint8_t again[16];
    char text[GRAFT_ID_TEXT_BYTES];
    for (unsigned i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(i * 17);
    graft_hex_encode(bytes, 16, text);
    cr_assert_str_eq(text, "00112233445566778899aabbccddeeff");
    cr_assert_eq(graft_hex_decode(text, again, 16), GRAFT_OK);
    cr_assert_arr_eq(again, bytes, 16);
}

Test(ids, hex_of_another_form_is_refused_and_leaves_the_output)
{
    const char *bad[] = {"", "0", "000", "00000", "00G0", "00F0", "0x00", " 000", "00-0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[2] = {1, 2};
        cr_assert_eq(graft_hex_decode(bad[i], bytes, 2), GRAFT_EINVAL, "%s", bad[i]);
        cr_assert_eq(bytes[0], 1);
        cr_assert_eq(bytes[1], 2);
    }
}

Test(ids, volume_ids_compare_by_every_byte)
{
    struct graft_volume_id a = {{0}};
    cr_assert(graft_volume_id_is_none(&a));
    for (unsigned i = 0; i < 16; i++) {
        struct graft_volume_id b = {{0}};
        b.bytes[i] = 1;
        cr_assert_not(graft_volume_id_equal(&a, &b));
        cr_assert_not(graft_volume_id_is_none(&b));
        cr_assert(graft_volume_id_equal(&b, &b));
    }
}

Test(ids, page_sizes_are_powers_of_two_from_512_to_65536)
{
    unsigned valid = 0;
    for (uint64_t bytes = 0; bytes <= 200000; bytes++)
        valid += graft_page_size_valid(bytes);
    cr_assert_eq(valid, 8);
    for (uint64_t bytes = 512; bytes <= 65536; bytes *= 2)
        cr_assert(graft_page_size_valid(bytes));
    cr_assert_not(graft_page_size_valid((1ULL << 32) + 4096));
}

Test(ids, volume_names)
{
    const char *good[] = {"a", "app", "App-2.db", "0", "a_b"};
    const char *bad[] = {"", ".", "..", ".app", "_a", "-a", "a/b", "a b", "a\n", "\xc3\xa4", "a%"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_assert(graft_volume_name_valid(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(graft_volume_name_valid(bad[i]), "%s", bad[i]);
    char name[129];
    memset(name, 'x', 128);
    name[128] = '\0';
    cr_assert_not(graft_volume_name_valid(name));
    name[127] = '\0';
    cr_assert(graft_volume_name_valid(name));
}
