#include <criterion/criterion.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cursor.h"
#include "support/expect.h"
#include "support/faultalloc.h"
#include "support/testing.h"

Test(buf, appends_keep_what_is_there)
{
    struct graft_buf buf;
    graft_buf_init(&buf, graft_test_env()->alloc);
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        cr_assert_eq(graft_buf_append(&buf, &byte, 1), GRAFT_OK);
    }
    cr_assert_eq(buf.size, 10000);
    for (unsigned i = 0; i < 10000; i++)
        cr_assert_eq(buf.bytes[i], (uint8_t)(i * 7));
    graft_buf_deinit(&buf);
    cr_assert_eq(buf.size, 0);
}

Test(buf, integers_are_little_endian)
{
    struct graft_buf buf;
    graft_buf_init(&buf, graft_test_env()->alloc);
    cr_assert_eq(graft_buf_append_u32(&buf, 0x04030201), GRAFT_OK);
    cr_assert_eq(graft_buf_append_u64(&buf, 0x0c0b0a0908070605), GRAFT_OK);
    cr_assert_eq(graft_buf_append_varint(&buf, 300), GRAFT_OK);
    cr_assert_eq(buf.size, 14);
    for (unsigned i = 0; i < 12; i++)
        cr_assert_eq(buf.bytes[i], i + 1);
    cr_assert_eq(buf.bytes[12], 0xac);
    cr_assert_eq(buf.bytes[13], 0x02);
    graft_buf_deinit(&buf);
}

Test(buf, running_out_of_memory_leaves_it_as_it_was)
{
    struct graft_faultalloc alloc;
    graft_faultalloc_init(&alloc, graft_test_env()->alloc);
    struct graft_buf buf;
    graft_buf_init(&buf, &alloc.alloc);
    cr_assert_eq(graft_buf_append(&buf, "abc", 3), GRAFT_OK);
    graft_faultalloc_arm(&alloc, 1, false);
    cr_assert_eq(graft_buf_reserve(&buf, 1000), GRAFT_ENOMEM);
    cr_assert_eq(buf.size, 3);
    cr_assert_arr_eq(buf.bytes, "abc", 3);
    graft_buf_deinit(&buf);
    cr_assert_eq(alloc.live, 0);
}

Test(buf, an_impossible_size_is_out_of_memory)
{
    struct graft_buf buf;
    graft_buf_init(&buf, graft_test_env()->alloc);
    cr_assert_eq(graft_buf_append(&buf, "a", 1), GRAFT_OK);
    cr_assert_eq(graft_buf_reserve(&buf, SIZE_MAX), GRAFT_ENOMEM);
    graft_buf_deinit(&buf);
}

Test(buf, clear_keeps_the_memory)
{
    struct graft_faultalloc alloc;
    graft_faultalloc_init(&alloc, graft_test_env()->alloc);
    struct graft_buf buf;
    graft_buf_init(&buf, &alloc.alloc);
    cr_assert_eq(graft_buf_reserve(&buf, 500), GRAFT_OK);
    graft_buf_clear(&buf);
    graft_faultalloc_arm(&alloc, 1, true);
    cr_assert_eq(graft_buf_reserve(&buf, 500), GRAFT_OK);
    graft_buf_deinit(&buf);
}
