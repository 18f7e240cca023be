/* Transactions and snapshots: what is written is read, by whom, and when. */
#include "kit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(basics, a_new_store_is_empty)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store_session *session = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &kit.err), &kit.err);
    cr_assert_eq(snapshot.lsn, 0);
    cr_assert_eq(snapshot.page_count, 0);
    uint8_t bytes[KIT_PAGE_BYTES];
    size_t got = 0;
    expect_rc(graft_store_read(session, 1, bytes, &got, &kit.err), GRAFT_EINVAL, &kit.err);
    graft_store_session_close(session);
    kit_deinit(&kit);
}

Test(basics, a_transaction_reads_its_own_writes_and_nobody_else_does)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 3, 1);
    struct graft_store_session *writer = kit_session(&kit), *reader = kit_session(&kit);
    expect_ok(graft_store_write_begin(writer, &kit.err), &kit.err);
    kit_write(&kit, writer, 2, 2);
    kit_expect(&kit, writer, 2, 2);
    kit_expect(&kit, writer, 1, 1);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(reader, &snapshot, &kit.err), &kit.err);
    kit_expect(&kit, reader, 2, 1);
    kit_finish(&kit, writer, true);
    kit_expect(&kit, reader, 2, 1);
    kit_expect(&kit, writer, 2, 2);
    graft_store_end(reader);
    expect_ok(graft_store_begin(reader, &snapshot, &kit.err), &kit.err);
    kit_expect(&kit, reader, 2, 2);
    cr_assert_eq(snapshot.lsn, 2);
    graft_store_session_close(writer);
    graft_store_session_close(reader);
    kit_deinit(&kit);
}

Test(basics, a_reader_keeps_its_snapshot_over_many_commits_and_folds)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 10, 1);
    struct graft_store_session *old = kit_session(&kit), *middle = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(old, &snapshot, &kit.err), &kit.err);
    for (uint64_t version = 2; version <= 20; version++) {
        kit_commit(&kit, 1 + (uint32_t)(version % 5), 4, version);
        expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
        if (version == 10)
            expect_ok(graft_store_begin(middle, &snapshot, &kit.err), &kit.err);
    }
    for (uint32_t page = 1; page <= 10; page++)
        kit_expect(&kit, old, page, 1);
    kit_expect(&kit, middle, 1, 10);
    kit_expect(&kit, middle, 5, 9);
    graft_store_end(old);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    kit_expect(&kit, middle, 1, 10);
    kit_expect(&kit, middle, 5, 9);
    graft_store_session_close(old);
    graft_store_session_close(middle);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    kit_expect_now(&kit, 1, 20);
    kit_expect_now(&kit, 10, 1);
    kit_deinit(&kit);
}

Test(basics, only_one_session_writes_and_only_on_the_newest_snapshot)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store_session *one = kit_session(&kit), *two = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(two, &snapshot, &kit.err), &kit.err);
    expect_ok(graft_store_write_begin(one, &kit.err), &kit.err);
    expect_rc(graft_store_write_begin(two, &kit.err), GRAFT_EBUSY, &kit.err);
    kit_write(&kit, one, 1, 1);
    kit_finish(&kit, one, false);
    expect_rc(graft_store_write_begin(two, &kit.err), GRAFT_ESTALE, &kit.err);
    graft_store_end(two);
    expect_ok(graft_store_write_begin(two, &kit.err), &kit.err);
    expect_ok(graft_store_rollback(two, &kit.err), &kit.err);
    graft_store_session_close(one);
    graft_store_session_close(two);
    kit_deinit(&kit);
}

Test(basics, a_rolled_back_transaction_leaves_nothing)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 3, 1);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    kit_write(&kit, session, 1, 2);
    kit_write(&kit, session, 9, 2);
    expect_ok(graft_store_rollback(session, &kit.err), &kit.err);
    graft_store_session_close(session);
    cr_assert_eq(kit_page_count(&kit), 3);
    kit_expect_now(&kit, 1, 1);
    kit_reopen(&kit);
    cr_assert_eq(kit_page_count(&kit), 3);
    kit_deinit(&kit);
}

Test(basics, a_local_transaction_without_changes_makes_no_commit)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 1, 1);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    kit_finish(&kit, session, true);
    cr_assert_eq(graft_store_newest_lsn(kit.store), 1);
    graft_store_session_close(session);
    kit_deinit(&kit);
}

Test(basics, pages_that_a_growth_adds_are_zeros)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    kit_write(&kit, session, 7, 1);
    kit_expect(&kit, session, 3, 0);
    expect_ok(graft_store_write_page_count(session, 9, &kit.err), &kit.err);
    kit_finish(&kit, session, true);
    graft_store_session_close(session);
    for (unsigned pass = 0; pass < 3; pass++) {
        cr_assert_eq(kit_page_count(&kit), 9);
        kit_expect_now(&kit, 3, 0);
        kit_expect_now(&kit, 7, 1);
        kit_expect_now(&kit, 9, 0);
        if (pass == 0)
            expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
        else
            kit_reopen(&kit);
    }
    kit_deinit(&kit);
}

Test(basics, what_a_shrink_dropped_does_not_come_back_with_a_growth)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 20, 1);
    struct graft_store_session *old = kit_session(&kit), *session = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(old, &snapshot, &kit.err), &kit.err);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    expect_ok(graft_store_write_page_count(session, 5, &kit.err), &kit.err);
    kit_finish(&kit, session, true);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    kit_write(&kit, session, 15, 3);
    kit_expect(&kit, session, 10, 0);
    kit_finish(&kit, session, true);
    kit_expect(&kit, session, 10, 0);
    kit_expect(&kit, session, 15, 3);
    kit_expect(&kit, old, 10, 1);
    kit_expect(&kit, old, 20, 1);
    /* Within one transaction. */
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    kit_write(&kit, session, 4, 4);
    kit_write(&kit, session, 14, 4);
    expect_ok(graft_store_write_page_count(session, 3, &kit.err), &kit.err);
    expect_ok(graft_store_write_page_count(session, 15, &kit.err), &kit.err);
    kit_expect(&kit, session, 4, 0);
    kit_expect(&kit, session, 14, 0);
    kit_finish(&kit, session, true);
    graft_store_session_close(old);
    graft_store_session_close(session);
    kit_reopen(&kit);
    cr_assert_eq(kit_page_count(&kit), 15);
    kit_expect_now(&kit, 3, 1);
    kit_expect_now(&kit, 4, 0);
    kit_expect_now(&kit, 15, 0);
    kit_deinit(&kit);
}

Test(basics, a_transaction_of_any_size_spills_to_the_log)
{
    struct kit kit;
    struct kit_options options = {.page_bytes = 4096};
    kit_init(&kit, &options);
    struct graft_store_session *session = kit_session(&kit);
    const uint32_t pages = 16384;
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    for (uint32_t page = 1; page <= pages; page++)
        kit_write(&kit, session, page, 1);
    for (uint32_t page = 1; page <= pages; page += 100)
        kit_write(&kit, session, page, 2);
    kit_expect(&kit, session, 1, 2);
    kit_expect(&kit, session, 2, 1);
    kit_expect(&kit, session, pages, 1);
    kit_finish(&kit, session, true);
    kit_expect(&kit, session, 2, 1);
    graft_store_session_close(session);
    kit_crash(&kit);
    kit_open(&kit);
    for (uint32_t page = 1; page <= pages; page += 33)
        kit_expect_now(&kit, page, page % 100 == 1 ? 2 : 1);
    kit_deinit(&kit);
}

Test(basics, variable_pages_keep_their_lengths)
{
    struct kit kit;
    struct kit_options options = {.page_bytes = 1024, .variable = true};
    kit_init(&kit, &options);
    struct graft_store_session *session = kit_session(&kit);
    uint8_t bytes[1024];
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    for (uint32_t page = 1; page <= 64; page++) {
        kit_fill(bytes, sizeof bytes, page, 1);
        expect_ok(graft_store_write(session, page, bytes, (page * 17) % 1025, &kit.err), &kit.err);
    }
    expect_ok(graft_store_write_page_count(session, 70, &kit.err), &kit.err);
    kit_finish(&kit, session, true);
    graft_store_session_close(session);
    for (unsigned pass = 0; pass < 3; pass++) {
        struct graft_store_snapshot snapshot;
        session = kit_session(&kit);
        expect_ok(graft_store_begin(session, &snapshot, &kit.err), &kit.err);
        for (uint32_t page = 1; page <= 70; page++) {
            size_t got = 9999;
            uint8_t wanted[1024];
            kit_fill(wanted, sizeof wanted, page, 1);
            expect_ok(graft_store_read(session, page, bytes, &got, &kit.err), &kit.err);
            cr_assert_eq(got, page > 64 ? 0 : (page * 17) % 1025);
            cr_assert_eq(memcmp(bytes, wanted, got), 0);
        }
        graft_store_session_close(session);
        if (pass == 0) {
            kit_crash(&kit);
            kit_open(&kit);
        } else {
            kit_reopen(&kit);
        }
    }
    kit_deinit(&kit);
}

Test(basics, the_page_size_can_be_chosen_before_the_first_commit)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    expect_ok(graft_store_write_page_bytes(session, 8192, &kit.err), &kit.err);
    kit_write(&kit, session, 1, 1);
    kit_finish(&kit, session, true);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    expect_rc(graft_store_write_page_bytes(session, 4096, &kit.err), GRAFT_EINVAL, &kit.err);
    expect_ok(graft_store_rollback(session, &kit.err), &kit.err);
    graft_store_session_close(session);
    kit_reopen(&kit);
    cr_assert_eq(graft_store_page_bytes(kit.store), 8192);
    kit_expect_now(&kit, 1, 1);
    kit_deinit(&kit);
}

Test(basics, a_folded_image_is_the_pages_in_order)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 50, 3);
    kit_close(&kit);
    FILE *image = fopen(graft_test_path(&kit.dir, "db/image"), "rb");
    uint8_t bytes[KIT_PAGE_BYTES], wanted[KIT_PAGE_BYTES];
    for (uint32_t page = 1; page <= 50; page++) {
        kit_fill(wanted, sizeof wanted, page, 3);
        cr_assert_eq(fread(bytes, 1, sizeof bytes, image), sizeof bytes);
        cr_assert_eq(memcmp(bytes, wanted, sizeof bytes), 0);
    }
    cr_assert_eq(fread(bytes, 1, 1, image), 0);
    (void)fclose(image);
    kit_open(&kit);
    kit_deinit(&kit);
}

Test(basics, the_log_does_not_grow_without_end)
{
    struct kit kit;
    struct kit_options options = {.page_bytes = 65536};
    kit_init(&kit, &options);
    for (uint64_t version = 1; version <= 60; version++)
        kit_commit(&kit, 1, 32, version);
    cr_assert_geq(graft_store_counts(kit.store)->folds, 1);
    struct graft_entry entry;
    for (unsigned half = 0; half < 2; half++) {
        expect_ok(graft_disk_stat(kit.env->disk,
                                  graft_test_path(&kit.dir, half == 0 ? "db/log.0" : "db/log.1"),
                                  &entry, &kit.err),
                  &kit.err);
        cr_assert_lt(entry.size, 40U << 20);
    }
    kit_expect_now(&kit, 7, 60);
    kit_reopen(&kit);
    kit_expect_now(&kit, 7, 60);
    kit_deinit(&kit);
}

Test(basics, pages_of_zeros_take_no_space)
{
    struct kit kit;
    struct kit_options options = {.page_bytes = 4096};
    kit_init(&kit, &options);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    kit_write(&kit, session, 1, 1);
    kit_write(&kit, session, 2000, 1);
    kit_finish(&kit, session, true);
    graft_store_session_close(session);
    kit_reopen(&kit);
    char path[GRAFT_PATH_BYTES_MAX + 16];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/image", kit.path);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_size, 2000 * 4096);
    cr_assert_leq(status.st_blocks * 512, 64 * 1024);
    kit_expect_now(&kit, 1, 1);
    kit_expect_now(&kit, 999, 0);
    kit_expect_now(&kit, 2000, 1);
    kit_deinit(&kit);
}
