/* Push, pull, reset: what each side has afterwards, and what is refused. */
#include <string.h>

#include "engine/fixture.h"

static struct world world;

static void setup(void)
{
    world_make(&world);
}

static void teardown(void)
{
    world_remove(&world);
}

TestSuite(sync, .init = setup, .fini = teardown, .timeout = 120);

Test(sync, a_pushed_commit_arrives_in_another_replica)
{
    struct replica a, b;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 10, 1);
    struct graft_sync_result pushed = push_ok(&a);
    cr_assert(pushed.changed && pushed.lsn == 1 && pushed.commits == 1 && pushed.pages == 10);
    replica_open(&b, &world, "b", world.url);
    for (uint32_t page = 1; page <= 10; page++)
        expect_page(&b, page, 1);
    cr_assert_eq(page_count(&b), 10);
    cr_assert_str_eq(status_of(&a).volume, status_of(&b).volume);
    replica_close(&b);
    replica_close(&a);
}

Test(sync, several_commits_are_rolled_into_one_push_of_one_put)
{
    struct replica a;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 3, 2);
    (void)push_ok(&a);
    commit_pages(&a, 1, 1, 4);
    commit_pages(&a, 2, 2, 6);
    commit_pages(&a, 1, 1, 8);
    uint64_t puts = stat_of(&a, "puts");
    uint64_t requests = stat_of(&a, "requests");
    struct graft_sync_result pushed = push_ok(&a);
    cr_assert(pushed.lsn == 2 && pushed.commits == 3 && pushed.pages == 3);
    cr_assert_eq(stat_of(&a, "puts") - puts, 1);
    /* And one read, of the commit that it builds on. */
    cr_assert_eq(stat_of(&a, "requests") - requests, 2);
    cr_assert_eq(status_of(&a).state, GRAFT_STATE_SYNCED);
    replica_close(&a);
}

Test(sync, a_push_of_nothing_says_so)
{
    struct replica a;
    replica_open(&a, &world, "a", world.url);
    cr_assert_not(push_ok(&a).changed);
    commit_pages(&a, 1, 1, 1);
    cr_assert(push_ok(&a).changed);
    cr_assert_not(push_ok(&a).changed);
    replica_close(&a);
}

Test(sync, a_pull_replaces_held_pages_and_keeps_the_others)
{
    struct replica a, b;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 400, 1);
    (void)push_ok(&a);
    replica_open(&b, &world, "b", world.url);
    for (uint32_t page = 1; page <= 400; page++)
        expect_page(&b, page, 1);
    commit_pages(&a, 100, 150, 3);
    (void)push_ok(&a);
    cr_assert_eq(pull_ok(&b).pages, 150);
    uint64_t before = stat_of(&b, "pages_fetched");
    for (uint32_t page = 1; page <= 400; page++)
        expect_page(&b, page, page >= 100 && page < 250 ? 3 : 1);
    cr_assert_lt(stat_of(&b, "pages_fetched") - before, 160);
    replica_close(&b);
    replica_close(&a);
}

Test(sync, writes_go_back_and_forth)
{
    struct replica a, b;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 20, 2);
    (void)push_ok(&a);
    replica_open(&b, &world, "b", world.url);
    for (uint32_t round = 1; round <= 20; round++) {
        struct replica *writer = round % 2 == 0 ? &a : &b;
        (void)pull_ok(writer);
        commit_pages(writer, round, 1, 2 + round);
        (void)push_ok(writer);
    }
    (void)pull_ok(&a);
    (void)pull_ok(&b);
    for (uint32_t page = 1; page <= 20; page++) {
        expect_page(&a, page, 2 + page);
        expect_page(&b, page, 2 + page);
    }
    replica_close(&b);
    replica_close(&a);
}

Test(sync, divergence_is_refused_on_both_verbs_and_changes_nothing)
{
    struct replica a, b;
    struct graft_sync_result result;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 5, 2);
    (void)push_ok(&a);
    replica_open(&b, &world, "b", world.url);
    expect_page(&b, 1, 2);
    commit_pages(&b, 2, 1, 4);
    commit_pages(&a, 3, 1, 6);
    (void)push_ok(&a);
    expect_rc(graft_push(b.volume, &result, &world.err), GRAFT_EDIVERGED, &world.err);
    cr_assert(strstr(world.err.text, "graft_reset") != NULL, "%s", world.err.text);
    expect_rc(graft_pull(b.volume, &result, &world.err), GRAFT_EDIVERGED, &world.err);
    expect_page(&b, 2, 4);
    expect_page(&b, 3, 2);
    cr_assert_eq(status_of(&b).state, GRAFT_STATE_DIVERGED);
    replica_close(&b);
    replica_close(&a);
}

Test(sync, reset_follows_the_remote_and_drops_local_commits)
{
    struct replica a, b;
    struct graft_sync_result result;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 50, 1);
    (void)push_ok(&a);
    replica_open(&b, &world, "b", world.url);
    expect_page(&b, 2, 1);
    commit_pages(&b, 2, 60, 5);
    commit_pages(&a, 3, 1, 7);
    (void)push_ok(&a);
    expect_ok(graft_reset(b.volume, &result, &world.err), &world.err);
    cr_assert_eq(page_count(&b), 50);
    for (uint32_t page = 1; page <= 50; page++)
        expect_page(&b, page, page == 3 ? 7 : 1);
    cr_assert_eq(status_of(&b).ahead, 0);
    commit_pages(&b, 1, 1, 9);
    cr_assert_eq(push_ok(&b).lsn, 3);
    replica_close(&b);
    replica_close(&a);
}

Test(sync, a_remote_that_holds_another_volume_is_refused)
{
    struct replica a, b;
    struct graft_sync_result result;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 1, 1);
    (void)push_ok(&a);
    replica_open(&b, &world, "b", NULL);
    commit_pages(&b, 1, 1, 3);
    expect_ok(graft_set_remote(b.volume, world.url, &world.err), &world.err);
    expect_rc(graft_push(b.volume, &result, &world.err), GRAFT_EFOREIGN, &world.err);
    expect_rc(graft_pull(b.volume, &result, &world.err), GRAFT_EFOREIGN, &world.err);
    expect_page(&b, 1, 3);
    replica_close(&b);
    replica_close(&a);
}

Test(sync, a_remote_that_was_wiped_or_written_anew_is_refused)
{
    struct replica a, b;
    struct graft_sync_result result;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 3, 1);
    (void)push_ok(&a);
    graft_test_remove(graft_test_path(&world.dir, "repo"));
    expect_rc(graft_pull(a.volume, &result, &world.err), GRAFT_EUNREACHABLE, &world.err);
    expect_ok(
        graft_disk_make_directory(a.env->disk, graft_test_path(&world.dir, "repo"), &world.err),
        &world.err);
    expect_rc(graft_pull(a.volume, &result, &world.err), GRAFT_EFOREIGN, &world.err);
    cr_assert(strstr(world.err.text, "emptied") != NULL, "%s", world.err.text);
    replica_open(&b, &world, "b", world.url);
    commit_pages(&b, 1, 1, 3);
    (void)push_ok(&b);
    expect_rc(graft_pull(a.volume, &result, &world.err), GRAFT_EFOREIGN, &world.err);
    replica_close(&b);
    replica_close(&a);
}

Test(sync, a_push_into_a_remote_that_was_emptied_meanwhile_is_refused)
{
    struct replica a;
    struct graft_sync_result result;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 3, 1);
    (void)push_ok(&a);
    commit_pages(&a, 2, 1, 3);
    const char *repo = graft_test_path(&world.dir, "repo");
    graft_test_remove(repo);
    expect_rc(graft_push(a.volume, &result, &world.err), GRAFT_EUNREACHABLE, &world.err);
    expect_ok(graft_disk_make_directory(a.env->disk, repo, &world.err), &world.err);
    expect_rc(graft_push(a.volume, &result, &world.err), GRAFT_EFOREIGN, &world.err);
    cr_assert_eq(status_of(&a).ahead, 1);
    replica_close(&a);
}

Test(sync, a_directory_that_was_replaced_while_it_was_open_is_not_synced)
{
    struct replica a;
    struct graft_sync_result result;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 3, 1);
    expect_ok(graft_disk_rename(a.env->disk, graft_test_path(&world.dir, "a"),
                                graft_test_path(&world.dir, "elsewhere"), false, &world.err),
              &world.err);
    expect_rc(graft_push(a.volume, &result, &world.err), GRAFT_EIO, &world.err);
    cr_assert(strstr(world.err.text, "moved") != NULL, "%s", world.err.text);
    replica_close(&a);
}

Test(sync, only_one_of_two_pushes_from_the_same_base_wins)
{
    struct replica a, b;
    struct graft_sync_result result;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 1, 1);
    (void)push_ok(&a);
    replica_open(&b, &world, "b", world.url);
    expect_page(&b, 1, 1);
    for (uint32_t round = 0; round < 10; round++) {
        commit_pages(&a, 1, 1, 100 + round);
        commit_pages(&b, 1, 1, 200 + round);
        struct replica *first = round % 2 == 0 ? &a : &b;
        struct replica *second = round % 2 == 0 ? &b : &a;
        (void)push_ok(first);
        expect_rc(graft_push(second->volume, &result, &world.err), GRAFT_EDIVERGED, &world.err);
        expect_ok(graft_reset(second->volume, &result, &world.err), &world.err);
        expect_page(&a, 1, (round % 2 == 0 ? 100 : 200) + round);
        expect_page(&b, 1, (round % 2 == 0 ? 100 : 200) + round);
    }
    replica_close(&b);
    replica_close(&a);
}

Test(sync, shrinking_and_growing_again_leaves_zeros_in_every_replica)
{
    struct replica a, b, c;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 100, 1);
    (void)push_ok(&a);
    replica_open(&b, &world, "b", world.url);
    for (uint32_t page = 1; page <= 100; page++)
        expect_page(&b, page, 1);
    commit_page_count(&a, 40);
    commit_pages(&a, 90, 1, 3);
    (void)push_ok(&a);
    (void)pull_ok(&b);
    replica_open(&c, &world, "c", world.url);
    struct replica *all[] = {&a, &b, &c};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(page_count(all[i]), 90);
        expect_page(all[i], 40, 1);
        expect_page(all[i], 41, 0);
        expect_page(all[i], 89, 0);
        expect_page(all[i], 90, 3);
    }
    replica_close(&c);
    replica_close(&b);
    replica_close(&a);
}

Test(sync, a_shrink_in_a_commit_of_its_own_is_seen_after_a_later_growth)
{
    struct replica a, b;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 100, 1);
    (void)push_ok(&a);
    replica_open(&b, &world, "b", world.url);
    expect_page(&b, 80, 1);
    commit_page_count(&a, 40);
    (void)push_ok(&a);
    commit_page_count(&a, 100);
    (void)push_ok(&a);
    (void)pull_ok(&b);
    expect_page(&b, 80, 0);
    expect_page(&b, 60, 0);
    expect_page(&b, 40, 1);
    replica_close(&b);
    replica_close(&a);
}

Test(sync, maps_move_into_checkpoints_and_every_page_is_still_found)
{
    struct replica a, b;
    replica_open(&a, &world, "a", world.url);
    /* Single pages far apart need an entry each: the map passes its limit again and again. */
    commit_pages(&a, 1, 1, 2);
    commit_page_count(&a, 60000);
    (void)push_ok(&a);
    for (uint32_t round = 0; round < 6; round++) {
        struct graft_err err = {0};
        uint8_t bytes[PAGE_BYTES];
        expect_ok(graft_write_begin(a.session, &err), &err);
        for (uint32_t page = 1 + round; page <= 60000; page += 7) {
            page_fill(bytes, page, 4 + 2 * round);
            expect_ok(graft_write_page(a.session, page, bytes, sizeof bytes, &err), &err);
        }
        expect_ok(graft_write_prepare(a.session, GRAFT_DURABILITY_NONE, NULL, &err), &err);
        graft_write_publish(a.session);
        graft_session_end(a.session);
        (void)push_ok(&a);
    }
    cr_assert_gt(stat_of(&a, "puts"), 8);
    replica_open(&b, &world, "b", world.url);
    for (uint32_t page = 1; page <= 60000; page += 997) {
        uint32_t residue = (page - 1) % 7;
        expect_page(&b, page, residue < 6 ? 4 + 2 * residue : page == 1 ? 2 : 0);
    }
    replica_close(&b);
    replica_close(&a);
}

Test(sync, a_pull_while_a_reader_is_pinned_leaves_that_reader_its_snapshot)
{
    struct replica a, b;
    struct graft_session *reader = NULL;
    uint8_t bytes[PAGE_BYTES];
    uint8_t wanted[PAGE_BYTES];
    size_t got;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 300, 1);
    (void)push_ok(&a);
    replica_open(&b, &world, "b", world.url);
    expect_page(&b, 1, 1);
    expect_ok(graft_session_open(b.volume, &reader, &world.err), &world.err);
    expect_ok(graft_session_begin(reader, NULL, &world.err), &world.err);
    commit_pages(&a, 1, 300, 3);
    (void)push_ok(&a);
    (void)pull_ok(&b);
    for (uint32_t page = 1; page <= 300; page += 37) {
        expect_page(&b, page, 3);
        expect_ok(graft_session_read(reader, page, bytes, sizeof bytes, &got, &world.err),
                  &world.err);
        page_fill(wanted, page, 1);
        cr_assert_arr_eq(bytes, wanted, PAGE_BYTES);
        expect_page(&b, page, 3);
    }
    graft_session_close(reader);
    for (uint32_t page = 1; page <= 300; page++)
        expect_page(&b, page, 3);
    replica_close(&b);
    replica_close(&a);
}

Test(sync, state_survives_closing_and_opening)
{
    struct replica a;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 5, 1);
    (void)push_ok(&a);
    commit_pages(&a, 2, 1, 3);
    replica_close(&a);
    replica_open(&a, &world, "a", NULL);
    struct graft_status status = status_of(&a);
    cr_assert(status.ahead == 1 && status.remote_lsn == 1 && status.pages_held == 5);
    cr_assert_eq(push_ok(&a).pages, 1);
    replica_close(&a);
}

Test(sync, a_volume_without_a_remote_says_how_to_set_one)
{
    struct replica a;
    struct graft_sync_result result;
    replica_open(&a, &world, "a", NULL);
    expect_rc(graft_push(a.volume, &result, &world.err), GRAFT_EINVAL, &world.err);
    cr_assert(strstr(world.err.text, "graft_remote") != NULL);
    expect_ok(graft_set_remote(a.volume, world.url, &world.err), &world.err);
    expect_rc(graft_set_remote(a.volume, "file:///elsewhere/app", &world.err), GRAFT_EINVAL,
              &world.err);
    commit_pages(&a, 1, 1, 1);
    (void)push_ok(&a);
    replica_close(&a);
}
