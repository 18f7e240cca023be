#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "format/config.h"
#include "format/samples.h"
#include "support/expect.h"
#include "support/faultalloc.h"
#include "support/testing.h"

static struct graft_config config;
static struct graft_buf out;
static struct graft_err err;

static void set_up(void)
{
    graft_config_init(&config, graft_test_env()->alloc);
    sample_id(config.volume.bytes, 1);
    sample_id(config.client.bytes, 101);
    config.page_bytes = 4096;
    config.created_ms = 1700000000000;
    graft_buf_init(&out, graft_test_env()->alloc);
}

static void tear_down(void)
{
    graft_config_deinit(&config);
    graft_buf_deinit(&out);
}

TestSuite(config, .init = set_up, .fini = tear_down);

Test(config, everything_comes_back)
{
    config.variable = true;
    expect_ok(graft_config_set_remote_url(&config, "s3://bucket/a/b"), &err);
    expect_ok(graft_config_set(&config, "sync", "auto"), &err);
    expect_ok(graft_config_set(&config, "endpoint", "https://h:9000"), &err);
    expect_ok(graft_config_set(&config, "empty", ""), &err);
    expect_ok(graft_config_encode(&config, &out), &err);
    struct graft_config read;
    graft_config_init(&read, graft_test_env()->alloc);
    expect_ok(graft_config_decode(&read, out.bytes, out.size, &err), &err);
    cr_assert(graft_volume_id_equal(&read.volume, &config.volume));
    cr_assert_arr_eq(read.client.bytes, config.client.bytes, 16);
    cr_assert_eq(read.page_bytes, 4096);
    cr_assert(read.variable);
    cr_assert_eq(read.created_ms, 1700000000000);
    cr_assert_str_eq(read.remote_url, "s3://bucket/a/b");
    cr_assert_eq(read.setting_count, 3);
    cr_assert_str_eq(graft_config_get(&read, "sync"), "auto");
    cr_assert_str_eq(graft_config_get(&read, "endpoint"), "https://h:9000");
    cr_assert_str_eq(graft_config_get(&read, "empty"), "");
    cr_assert_null(graft_config_get(&read, "region"));
    graft_config_deinit(&read);
}

Test(config, no_remote_stays_no_remote)
{
    expect_ok(graft_config_set_remote_url(&config, "file:///a/b"), &err);
    expect_ok(graft_config_set_remote_url(&config, ""), &err);
    cr_assert_null(config.remote_url);
    expect_ok(graft_config_set_remote_url(&config, NULL), &err);
    expect_ok(graft_config_encode(&config, &out), &err);
    expect_ok(graft_config_decode(&config, out.bytes, out.size, &err), &err);
    cr_assert_null(config.remote_url);
    cr_assert_eq(config.setting_count, 0);
}

Test(config, the_order_of_setting_does_not_matter)
{
    struct graft_buf other;
    graft_buf_init(&other, graft_test_env()->alloc);
    expect_ok(graft_config_set(&config, "b", "2"), &err);
    expect_ok(graft_config_set(&config, "a", "1"), &err);
    expect_ok(graft_config_set(&config, "c", "3"), &err);
    expect_ok(graft_config_encode(&config, &out), &err);
    expect_ok(graft_config_set(&config, "a", NULL), &err);
    expect_ok(graft_config_set(&config, "nowhere", NULL), &err);
    expect_ok(graft_config_set(&config, "c", "other"), &err);
    cr_assert_eq(config.setting_count, 2);
    cr_assert_str_eq(graft_config_get(&config, "c"), "other");
    expect_ok(graft_config_set(&config, "c", "3"), &err);
    expect_ok(graft_config_set(&config, "a", "1"), &err);
    expect_ok(graft_config_encode(&config, &other), &err);
    cr_assert_eq(out.size, other.size);
    cr_assert_arr_eq(out.bytes, other.bytes, out.size);
    graft_buf_deinit(&other);
}

Test(config, what_is_too_long_or_too_much_is_refused)
{
    char text[GRAFT_PATH_BYTES_MAX + 1];
    memset(text, 'x', sizeof text);
    text[GRAFT_PATH_BYTES_MAX] = '\0';
    expect_rc(graft_config_set_remote_url(&config, text), GRAFT_EINVAL, &err);
    expect_rc(graft_config_set(&config, "key", text), GRAFT_EINVAL, &err);
    expect_ok(graft_config_set_remote_url(&config, text + 1), &err);
    expect_ok(graft_config_set(&config, "key", text + 1), &err);
    expect_rc(graft_config_set(&config, text + sizeof text - 65, ""), GRAFT_EINVAL, &err);
    expect_ok(graft_config_set(&config, text + sizeof text - 64, ""), &err);
    expect_rc(graft_config_set(&config, "", "x"), GRAFT_EINVAL, &err);
    expect_rc(graft_config_set(&config, "Key", "x"), GRAFT_EINVAL, &err);
    expect_rc(graft_config_set(&config, "a key", "x"), GRAFT_EINVAL, &err);
    cr_assert_eq(config.setting_count, 2);
    for (unsigned i = 2; i < GRAFT_SETTINGS_MAX; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key.%u", i);
        expect_ok(graft_config_set(&config, key, "value"), &err);
    }
    expect_rc(graft_config_set(&config, "more", "x"), GRAFT_ELIMIT, &err);
    expect_ok(graft_config_set(&config, "key.9", "other"), &err);
    expect_ok(graft_config_encode(&config, &out), &err);
    cr_assert_leq(out.size, GRAFT_CONFIG_BYTES_MAX);
    expect_ok(graft_config_decode(&config, out.bytes, out.size, &err), &err);
    cr_assert_eq(config.setting_count, GRAFT_SETTINGS_MAX);
}

Test(config, a_config_that_cannot_be_is_not_written)
{
    config.page_bytes = 4095;
    expect_rc(graft_config_encode(&config, &out), GRAFT_EBUG, &err);
    config.page_bytes = 4096;
    memset(config.volume.bytes, 0, 16);
    expect_rc(graft_config_encode(&config, &out), GRAFT_EBUG, &err);
    cr_assert_eq(out.size, 0);
}

Test(config, bytes_after_the_message_and_newer_versions_are_refused)
{
    expect_ok(graft_config_encode(&config, &out), &err);
    expect_ok(graft_buf_append(&out, "", 1), &err);
    expect_rc(graft_config_decode(&config, out.bytes, out.size, &err), GRAFT_ECORRUPT, &err);
    out.bytes[8] = 2;
    expect_rc(graft_config_decode(&config, out.bytes, out.size - 1, &err), GRAFT_EVERSION, &err);
    cr_assert_str_eq(err.text, "config was written by a newer version (2; this one reads up to 1):"
                               " upgrade");
    expect_rc(graft_config_decode(&config, out.bytes, GRAFT_CONFIG_BYTES_MAX + 1, &err),
              GRAFT_ECORRUPT, &err);
    cr_assert_eq(config.page_bytes, 4096);
}

Test(config, running_out_of_memory_leaves_the_config)
{
    struct graft_faultalloc faults;
    graft_faultalloc_init(&faults, graft_test_env()->alloc);
    struct graft_config small;
    graft_config_init(&small, &faults.alloc);
    unsigned step = 0;
    for (uint64_t nth = 1; step < 3;) {
        graft_faultalloc_arm(&faults, nth, false);
        enum graft_rc rc = step == 0   ? graft_config_set(&small, "a", "1")
                           : step == 1 ? graft_config_set(&small, "a", "2")
                                       : graft_config_set_remote_url(&small, "file:///a/b");
        uint64_t failed = graft_faultalloc_disarm(&faults);
        cr_assert_eq(rc, failed == 0 ? GRAFT_OK : GRAFT_ENOMEM);
        const char *value = graft_config_get(&small, "a");
        if (failed > 0 && step == 0)
            cr_assert_null(value);
        if (failed > 0 && step == 1)
            cr_assert_str_eq(value, "1");
        if (failed > 0 && step == 2)
            cr_assert_null(small.remote_url);
        step += failed == 0;
        nth = failed == 0 ? 1 : nth + 1;
    }
    graft_config_deinit(&small);
    cr_assert_eq(faults.live, 0);
}
