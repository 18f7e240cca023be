#include <criterion/criterion.h>
#include <string.h>

#include "format/samples.h"
#include "format/syncstate.h"
#include "support/expect.h"
#include "support/testing.h"

static struct graft_log_base base;
static struct graft_buf out;
static struct graft_err err;

static void set_up(void)
{
    graft_log_base_init(&base, graft_test_env()->alloc);
    graft_buf_init(&out, graft_test_env()->alloc);
    base.lsn = 20;
    base.page_count = 100;
    base.sync.remote_lsn = 7;
    sample_id(base.sync.remote_hash.bytes, 1);
    base.sync.pushed_lsn = 15;
    base.sync.pending_lsn = 18;
    base.sync.pending_remote_lsn = 8;
    sample_id(base.sync.pending_hash.bytes, 50);
    cr_assert_eq(graft_pageset_add_run(&base.ahead, 90, 11), GRAFT_OK);
    base.ahead_commits = 5;
}

static void tear_down(void)
{
    graft_log_base_deinit(&base);
    graft_buf_deinit(&out);
}

TestSuite(syncstate, .init = set_up, .fini = tear_down);

static void expect_same_state(const struct graft_sync_state *a, const struct graft_sync_state *b)
{
    cr_assert_eq(a->remote_lsn, b->remote_lsn);
    cr_assert(graft_hash_equal(&a->remote_hash, &b->remote_hash));
    cr_assert_eq(a->pushed_lsn, b->pushed_lsn);
    cr_assert_eq(a->pending_lsn, b->pending_lsn);
    cr_assert_eq(a->pending_remote_lsn, b->pending_remote_lsn);
    cr_assert(graft_hash_equal(&a->pending_hash, &b->pending_hash));
}

Test(syncstate, a_state_comes_back)
{
    struct graft_sync_state read;
    expect_ok(graft_sync_state_encode(&base.sync, &out), &err);
    expect_ok(graft_sync_state_decode(&read, graft_test_env()->alloc, out.bytes, out.size, &err),
              &err);
    expect_same_state(&read, &base.sync);
}

Test(syncstate, the_state_of_a_new_replica_has_no_bytes)
{
    const struct graft_sync_state fresh = {.remote_lsn = 0};
    struct graft_sync_state read = base.sync;
    expect_ok(graft_sync_state_encode(&fresh, &out), &err);
    cr_assert_eq(out.size, 0);
    expect_ok(graft_sync_state_decode(&read, graft_test_env()->alloc, out.bytes, 0, &err), &err);
    expect_same_state(&read, &fresh);
}

Test(syncstate, encoding_appends)
{
    struct graft_sync_state read;
    expect_ok(graft_buf_append(&out, "before", 6), &err);
    expect_ok(graft_sync_state_encode(&base.sync, &out), &err);
    cr_assert_eq(memcmp(out.bytes, "before", 6), 0);
    expect_ok(
        graft_sync_state_decode(&read, graft_test_env()->alloc, out.bytes + 6, out.size - 6, &err),
        &err);
    expect_same_state(&read, &base.sync);
}

Test(syncstate, half_a_pending_push_is_not_written)
{
    struct graft_sync_state state = base.sync;
    state.pending_remote_lsn = 0;
    expect_rc(graft_sync_state_encode(&state, &out), GRAFT_EBUG, &err);
    state.pending_lsn = 0;
    expect_rc(graft_sync_state_encode(&state, &out), GRAFT_EBUG, &err);
    memset(state.pending_hash.bytes, 0, 16);
    expect_ok(graft_sync_state_encode(&state, &out), &err);
    out.size = 0;
    state.remote_lsn = 0;
    expect_rc(graft_sync_state_encode(&state, &out), GRAFT_EBUG, &err);
    cr_assert_eq(out.size, 0);
}

Test(syncstate, hashes_of_another_length_are_corrupt)
{
    const uint8_t short_hash[] = {0x08, 1, 0x12, 3, 'a', 'b', 'c'};
    struct graft_sync_state read = base.sync;
    expect_rc(graft_sync_state_decode(&read, graft_test_env()->alloc, short_hash, sizeof short_hash,
                                      &err),
              GRAFT_ECORRUPT, &err);
    expect_same_state(&read, &base.sync);
}

Test(syncstate, a_base_comes_back)
{
    struct graft_log_base read;
    graft_log_base_init(&read, graft_test_env()->alloc);
    cr_assert_eq(graft_pageset_add(&read.ahead, 3), GRAFT_OK);
    expect_ok(graft_log_base_encode(&base, &out), &err);
    expect_ok(graft_log_base_decode(&read, out.bytes, out.size, &err), &err);
    cr_assert_eq(read.lsn, 20);
    cr_assert_eq(read.page_count, 100);
    cr_assert_eq(read.ahead_commits, 5);
    cr_assert_eq(read.ahead.page_count, 11);
    cr_assert(graft_pageset_contains(&read.ahead, 100));
    cr_assert_not(graft_pageset_contains(&read.ahead, 3));
    expect_same_state(&read.sync, &base.sync);
    graft_log_base_deinit(&read);
}

Test(syncstate, the_base_of_an_empty_log_comes_back)
{
    struct graft_log_base empty;
    graft_log_base_init(&empty, graft_test_env()->alloc);
    expect_ok(graft_log_base_encode(&empty, &out), &err);
    expect_ok(graft_log_base_decode(&base, out.bytes, out.size, &err), &err);
    cr_assert_eq(base.lsn, 0);
    cr_assert_eq(base.ahead.run_count, 0);
    cr_assert_eq(base.sync.remote_lsn, 0);
    expect_ok(graft_log_base_decode(&base, NULL, 0, &err), &err);
}

Test(syncstate, a_base_out_of_its_bounds_is_not_written)
{
    base.lsn = 17;
    expect_rc(graft_log_base_encode(&base, &out), GRAFT_EBUG, &err);
    base.lsn = 19;
    expect_rc(graft_log_base_encode(&base, &out), GRAFT_EBUG, &err);
    base.lsn = 20;
    base.page_count = 99;
    expect_rc(graft_log_base_encode(&base, &out), GRAFT_EBUG, &err);
    base.page_count = 0xffffffff;
    expect_rc(graft_log_base_encode(&base, &out), GRAFT_EBUG, &err);
    base.page_count = 100;
    base.ahead_commits = 0;
    expect_rc(graft_log_base_encode(&base, &out), GRAFT_EBUG, &err);
    cr_assert_eq(out.size, 0);
}

Test(syncstate, hostile_bases_are_corrupt_and_leave_the_base)
{
    /* Fields 1 lsn, 2 page_count, 3 sync (3 pushed, 4 pending), 4 ahead, 5 ahead_commits. */
    static const struct {
        const char *what;
        size_t size;
        uint8_t bytes[16];
    } bad[] = {
        {"pushed past the LSN", 6, {0x08, 1, 0x1a, 2, 0x18, 2}},
        {"more commits ahead than there are", 4, {0x08, 1, 0x28, 2}},
        {"pages ahead without commits", 9, {0x08, 2, 0x10, 9, 0x22, 3, 1, 0, 0}},
        {"pages ahead past the volume", 11, {0x08, 2, 0x10, 9, 0x22, 3, 1, 9, 0, 0x28, 1}},
        {"a malformed page set", 11, {0x08, 2, 0x10, 9, 0x22, 3, 2, 0, 0, 0x28, 1}},
        {"a page count past the limit", 6, {0x10, 0xff, 0xff, 0xff, 0xff, 0x0f}},
        {"a message cut off", 3, {0x08, 1, 0x1a}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enum graft_rc rc = graft_log_base_decode(&base, bad[i].bytes, bad[i].size, &err);
        cr_assert_eq(rc, GRAFT_ECORRUPT, "%s", bad[i].what);
        cr_assert_eq(base.lsn, 20);
        cr_assert_eq(base.ahead.page_count, 11);
    }
}
