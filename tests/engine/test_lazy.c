/* Lazy replicas: what is fetched, when, and how often. */
#include <pthread.h>
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

TestSuite(lazy, .init = setup, .fini = teardown, .timeout = 120);

static void make_source(struct replica *a, uint32_t pages)
{
    replica_open(a, &world, "a", world.url);
    commit_pages(a, 1, pages, 1);
    (void)push_ok(a);
}

Test(lazy, opening_a_replica_makes_no_request_and_beginning_copies_no_page)
{
    struct replica a, b;
    make_source(&a, 1000);
    replica_open(&b, &world, "b", world.url);
    cr_assert_eq(stat_of(&b, "requests"), 0);
    cr_assert_eq(page_count(&b), 1000);
    cr_assert_eq(status_of(&b).pages_held, 0);
    cr_assert_leq(stat_of(&b, "requests"), 3);
    replica_close(&b);
    replica_close(&a);
}

Test(lazy, a_read_fetches_one_frame_and_a_held_page_is_never_asked_for_again)
{
    struct replica a, b;
    make_source(&a, 1000);
    replica_open(&b, &world, "b", world.url);
    expect_ok(graft_setting_set(b.volume, "prefetch", "off", &world.err), &world.err);
    expect_page(&b, 500, 1);
    cr_assert_leq(stat_of(&b, "pages_fetched"), 4);
    uint64_t requests = stat_of(&b, "requests");
    for (int i = 0; i < 10; i++)
        expect_page(&b, 500, 1);
    cr_assert_eq(stat_of(&b, "requests"), requests);
    replica_close(&b);
    replica_open(&b, &world, "b", NULL);
    expect_page(&b, 500, 1);
    cr_assert_eq(stat_of(&b, "requests"), 0);
    replica_close(&b);
    replica_close(&a);
}

Test(lazy, hydrating_holds_everything_in_few_requests)
{
    struct replica a, b;
    struct graft_sync_result result;
    make_source(&a, 3000);
    replica_open(&b, &world, "b", world.url);
    expect_page(&b, 77, 1);
    expect_ok(graft_hydrate(b.volume, NULL, NULL, &result, &world.err), &world.err);
    cr_assert_geq(result.pages, 2996);
    cr_assert_leq(stat_of(&b, "requests"), 12, "%d", (int)stat_of(&b, "requests"));
    cr_assert_eq(status_of(&b).pages_held, 3000);
    uint64_t requests = stat_of(&b, "requests");
    for (uint32_t page = 1; page <= 3000; page++)
        expect_page(&b, page, 1);
    cr_assert_eq(stat_of(&b, "requests"), requests);
    replica_close(&b);
    replica_close(&a);
}

Test(lazy, a_new_replica_can_be_hydrated_before_its_first_read)
{
    struct replica a, b;
    struct graft_sync_result result;
    make_source(&a, 100);
    replica_open(&b, &world, "b", world.url);
    expect_ok(graft_hydrate(b.volume, NULL, NULL, &result, &world.err), &world.err);
    cr_assert_eq(status_of(&b).pages_held, 100);
    replica_close(&b);
    replica_close(&a);
}

Test(lazy, held_pages_are_read_without_the_remote_and_others_fail_until_it_is_back)
{
    struct replica a, b;
    uint8_t bytes[PAGE_BYTES];
    size_t got;
    make_source(&a, 1000);
    replica_open(&b, &world, "b", world.url);
    expect_page(&b, 10, 1);
    const char *repo = graft_test_path(&world.dir, "repo");
    const char *away = graft_test_path(&world.dir, "away");
    expect_ok(graft_disk_rename(b.env->disk, repo, away, false, &world.err), &world.err);
    expect_page(&b, 10, 1);
    expect_ok(graft_session_begin(b.session, NULL, &world.err), &world.err);
    enum graft_rc rc = graft_session_read(b.session, 900, bytes, sizeof bytes, &got, &world.err);
    cr_assert_neq(rc, GRAFT_OK);
    cr_assert(strstr(world.err.text, "900") != NULL, "%s", world.err.text);
    graft_session_end(b.session);
    cr_assert(strlen(status_of(&b).last_error) > 0);
    commit_pages(&b, 10, 1, 3);
    expect_ok(graft_disk_rename(b.env->disk, away, repo, false, &world.err), &world.err);
    expect_page(&b, 900, 1);
    expect_page(&b, 10, 3);
    replica_close(&b);
    replica_close(&a);
}

struct racer {
    struct replica *replica;
    pthread_t thread;
};

static void *read_everything(void *arg)
{
    struct racer *racer = arg;
    struct graft_err err = {0};
    struct graft_session *session = NULL;
    uint8_t bytes[PAGE_BYTES];
    uint8_t wanted[PAGE_BYTES];
    size_t got;
    bool good = graft_session_open(racer->replica->volume, &session, &err) == GRAFT_OK &&
                graft_session_begin(session, NULL, &err) == GRAFT_OK;
    for (uint32_t page = 1; page <= 400 && good; page++) {
        page_fill(wanted, page, 1);
        good = graft_session_read(session, page, bytes, sizeof bytes, &got, &err) == GRAFT_OK &&
               memcmp(bytes, wanted, sizeof bytes) == 0;
    }
    graft_session_close(session);
    return good ? racer : NULL;
}

Test(lazy, sessions_that_miss_the_same_pages_share_the_fetches)
{
    struct replica a, b;
    make_source(&a, 400);
    replica_open(&b, &world, "b", world.url);
    expect_ok(graft_setting_set(b.volume, "prefetch", "off", &world.err), &world.err);
    cr_assert_eq(page_count(&b), 400);
    struct racer racers[4];
    for (int i = 0; i < 4; i++) {
        racers[i].replica = &b;
        cr_assert_eq(pthread_create(&racers[i].thread, NULL, read_everything, &racers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *good = NULL;
        pthread_join(racers[i].thread, &good);
        cr_assert_not_null(good);
    }
    cr_assert_eq(stat_of(&b, "fetches"), 100);
    replica_close(&b);
    replica_close(&a);
}

Test(lazy, readers_at_two_snapshots_share_the_fetch_of_a_page_that_did_not_change)
{
    struct replica a, b;
    struct graft_session *old = NULL;
    uint8_t bytes[PAGE_BYTES];
    size_t got;
    make_source(&a, 400);
    replica_open(&b, &world, "b", world.url);
    expect_ok(graft_session_open(b.volume, &old, &world.err), &world.err);
    expect_ok(graft_session_begin(old, NULL, &world.err), &world.err);
    commit_pages(&a, 1, 1, 3);
    (void)push_ok(&a);
    (void)pull_ok(&b);
    uint64_t before = stat_of(&b, "fetches");
    expect_page(&b, 200, 1);
    expect_ok(graft_session_read(old, 200, bytes, sizeof bytes, &got, &world.err), &world.err);
    cr_assert_eq(stat_of(&b, "fetches") - before, 1);
    graft_session_close(old);
    replica_close(&b);
    replica_close(&a);
}

static void flip_byte(const char *path, uint64_t offset)
{
    struct graft_err err = {0};
    struct graft_env *env = graft_test_env();
    struct graft_file *file = NULL;
    uint8_t byte;
    size_t got;
    expect_ok(graft_disk_open(env->disk, path, GRAFT_OPEN_WRITE, &file, &err), &err);
    expect_ok(graft_file_read(file, offset, &byte, 1, &got, &err), &err);
    byte ^= 0x10;
    expect_ok(graft_file_write(file, offset, &byte, 1, &err), &err);
    graft_file_close(file);
}

Test(lazy, a_rotten_page_that_the_remote_holds_is_fetched_again)
{
    struct replica a;
    struct graft_verify_result result;
    make_source(&a, 50);
    replica_close(&a);
    flip_byte(graft_test_path(&world.dir, "a/image"), 6 * PAGE_BYTES + 1234);
    flip_byte(graft_test_path(&world.dir, "a/image"), 17 * PAGE_BYTES + 77);
    replica_open(&a, &world, "a", NULL);
    expect_page(&a, 7, 1);
    cr_assert_eq(stat_of(&a, "repairs"), 1);
    expect_ok(graft_verify(a.volume, NULL, NULL, &result, &world.err), &world.err);
    cr_assert(result.pages == 50 && result.repaired == 1 && result.bad == 0);
    replica_close(&a);
}

Test(lazy, a_rotten_page_that_nobody_else_holds_is_an_error_that_names_it)
{
    struct replica a;
    struct graft_verify_result result;
    uint8_t bytes[PAGE_BYTES];
    size_t got;
    replica_open(&a, &world, "a", NULL);
    commit_pages(&a, 1, 50, 1);
    replica_close(&a);
    flip_byte(graft_test_path(&world.dir, "a/image"), 6 * PAGE_BYTES + 1234);
    replica_open(&a, &world, "a", NULL);
    expect_page(&a, 6, 1);
    expect_ok(graft_session_begin(a.session, NULL, &world.err), &world.err);
    expect_rc(graft_session_read(a.session, 7, bytes, sizeof bytes, &got, &world.err),
              GRAFT_ECORRUPT, &world.err);
    cr_assert(strstr(world.err.text, "page 7") != NULL, "%s", world.err.text);
    graft_session_end(a.session);
    expect_rc(graft_verify(a.volume, NULL, NULL, &result, &world.err), GRAFT_ECORRUPT, &world.err);
    cr_assert(result.bad == 1 && result.first_bad == 7);
    replica_close(&a);
}

Test(lazy, verifying_a_remote_reads_every_page_of_it)
{
    struct replica a;
    struct graft_verify_result result;
    make_source(&a, 500);
    commit_pages(&a, 10, 3, 4);
    (void)push_ok(&a);
    expect_ok(graft_verify_remote(a.env, world.url, NULL, NULL, &result, &world.err), &world.err);
    cr_assert(result.pages == 500 && result.held == 500);
    replica_close(&a);
}
