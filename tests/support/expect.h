/* Assertions on result codes that show the error's text when they fail. For Criterion programs. */
#ifndef GRAFT_TESTS_SUPPORT_EXPECT_H
#define GRAFT_TESTS_SUPPORT_EXPECT_H

#include <criterion/criterion.h>

#include "base/codes.h"

/* The call returns `wanted`; `err` is the record that was passed to it. */
#define expect_rc(call, wanted, err)                                              \
    do {                                                                          \
        enum graft_rc expect_wanted = (wanted);                                   \
        enum graft_rc expect_got = (call);                                        \
        cr_assert(expect_got == expect_wanted, "%s: %s instead of %s: %s", #call, \
                  graft_rc_name(expect_got), graft_rc_name(expect_wanted),        \
                  expect_got == GRAFT_OK ? "" : (err)->text);                     \
    } while (0)

#define expect_ok(call, err) expect_rc(call, GRAFT_OK, err)

#endif
