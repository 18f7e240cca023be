#include <criterion/criterion.h>
#include <string.h>

#include "base/codes.h"

Test(codes, every_code_has_a_name_and_a_text)
{
    cr_assert_str_eq(graft_rc_name(GRAFT_ECORRUPT), "ECORRUPT");
    cr_assert_str_eq(graft_rc_text(GRAFT_EFULL), "no space left");
    cr_assert_str_eq(graft_rc_name((enum graft_rc) - 999), "unknown");
    cr_assert_str_eq(graft_rc_text((enum graft_rc)7), "unknown");
}

Test(codes, set_records_and_returns)
{
    struct graft_err err = {0};
    cr_assert_eq(graft_err_set(&err, GRAFT_EIO, "read %s: %d", "x", 5), GRAFT_EIO);
    cr_assert_eq(err.rc, GRAFT_EIO);
    cr_assert_str_eq(err.text, "read x: 5");
}

Test(codes, wrap_puts_context_in_front)
{
    struct graft_err err = {0};
    graft_err_set(&err, GRAFT_EIO, "inner");
    cr_assert_eq(graft_err_wrap(&err, GRAFT_ECORRUPT, "page %d", 7), GRAFT_ECORRUPT);
    cr_assert_eq(err.rc, GRAFT_ECORRUPT);
    cr_assert_str_eq(err.text, "page 7: inner");
}

Test(codes, wrap_of_an_empty_record_says_what_the_code_says)
{
    struct graft_err err = {0};
    cr_assert_eq(graft_err_wrap(&err, GRAFT_ENOMEM, "open"), GRAFT_ENOMEM);
    cr_assert_str_eq(err.text, "open: out of memory");
}

Test(codes, long_texts_are_cut_and_stay_terminated)
{
    struct graft_err err = {0};
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    graft_err_set(&err, GRAFT_EIO, "%s", text);
    cr_assert_eq(strlen(err.text), sizeof err.text - 1);
    graft_err_wrap(&err, GRAFT_EIO, "context");
    cr_assert_eq(strlen(err.text), sizeof err.text - 1);
    cr_assert_eq(strncmp(err.text, "context: xxx", 12), 0);
    graft_err_wrap(&err, GRAFT_EIO, "%s", text);
    cr_assert_eq(strlen(err.text), sizeof err.text - 1);
}

Test(codes, a_null_record_is_accepted)
{
    cr_assert_eq(graft_err_set(NULL, GRAFT_EBUSY, "x"), GRAFT_EBUSY);
    cr_assert_eq(graft_err_wrap(NULL, GRAFT_EBUSY, "x"), GRAFT_EBUSY);
    graft_err_clear(NULL);
}

Test(codes, clear_empties)
{
    struct graft_err err = {0};
    graft_err_set(&err, GRAFT_EIO, "text");
    graft_err_clear(&err);
    cr_assert_eq(err.rc, GRAFT_OK);
    cr_assert_str_eq(err.text, "");
}
