#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "support/faultalloc.h"
#include "support/testing.h"

Test(alloc, zero_bytes_are_still_a_block)
{
    struct graft_alloc *alloc = graft_test_env()->alloc;
    void *memory = graft_malloc(alloc, 0);
    cr_assert_not_null(memory);
    graft_free(alloc, memory);
}

Test(alloc, calloc_zeroes)
{
    struct graft_alloc *alloc = graft_test_env()->alloc;
    unsigned char *memory = graft_calloc(alloc, 10, 10);
    cr_assert_not_null(memory);
    for (size_t i = 0; i < 100; i++)
        cr_assert_eq(memory[i], 0);
    graft_free(alloc, memory);
}

Test(alloc, a_product_that_overflows_is_out_of_memory)
{
    struct graft_alloc *alloc = graft_test_env()->alloc;
    cr_assert_null(graft_calloc(alloc, SIZE_MAX / 2, 3));
    cr_assert_null(graft_realloc(alloc, NULL, SIZE_MAX / 2, 3));
}

Test(alloc, a_failed_resize_leaves_the_old_block)
{
    struct graft_faultalloc alloc;
    graft_faultalloc_init(&alloc, graft_test_env()->alloc);
    char *memory = graft_strdup(&alloc.alloc, "kept");
    graft_faultalloc_arm(&alloc, 1, false);
    cr_assert_null(graft_realloc(&alloc.alloc, memory, 100, 1));
    cr_assert_str_eq(memory, "kept");
    cr_assert_eq(alloc.live, 1);
    graft_free(&alloc.alloc, memory);
    cr_assert_eq(alloc.live, 0);
}

Test(alloc, freeing_null_is_nothing)
{
    graft_free(graft_test_env()->alloc, NULL);
}
