/* The fetch logic, counted in requests: who shares one, what comes along in one, and what a failed
 * one disturbs. */
#include <sched.h>
#include <string.h>

#include "engine/fixture.h"
#include "engine/gate.h"

static struct world world;
static struct gate gate;
static struct replica a, b;

static void setup(void)
{
    world_make(&world);
    gate_init(&gate, graft_test_env());
}

static void teardown(void)
{
    world_remove(&world);
}

TestSuite(fetch, .init = setup, .fini = teardown, .timeout = 120);

/* A source with so many pages that do not compress, and a replica behind the gate that has met its
 * remote and holds nothing. */
static void make_replica(uint32_t pages, const char *prefetch)
{
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, pages, 1);
    (void)push_ok(&a);
    replica_open_in(&b, &world, &gate.env, "b", world.url);
    expect_ok(graft_setting_set(b.volume, "prefetch", prefetch, &world.err), &world.err);
    (void)pull_ok(&b);
    cr_assert_eq(page_count(&b), pages);
    /* The page map is read once. */
    expect_page(&b, 1, 1);
}

static void close_both(void)
{
    replica_close(&b);
    replica_close(&a);
}

static void hint_set(struct replica *replica, uint32_t before, const uint32_t *pages,
                     uint32_t count)
{
    struct graft_hint hint = {
        .kind = GRAFT_HINT_SET, .before = before, .pages = pages, .count = count};
    (void)graft_session_hint(replica->session, &hint);
}

struct reader {
    struct graft_session *session;
    uint32_t page;
    uint32_t version;
    enum graft_rc rc;
    bool right;
    struct graft_err err;
    pthread_t thread;
};

static void *read_one(void *arg)
{
    struct reader *reader = arg;
    uint8_t bytes[PAGE_BYTES], wanted[PAGE_BYTES];
    size_t got = 0;
    page_fill(wanted, reader->page, reader->version);
    reader->rc =
        graft_session_read(reader->session, reader->page, bytes, sizeof bytes, &got, &reader->err);
    reader->right = reader->rc == GRAFT_OK && memcmp(bytes, wanted, sizeof bytes) == 0;
    return NULL;
}

/* Pins the newest snapshot; the read waits for reader_start. */
static void reader_begin(struct reader *reader, struct replica *replica, uint32_t page)
{
    *reader = (struct reader){.page = page, .version = 1};
    expect_ok(graft_session_open(replica->volume, &reader->session, &world.err), &world.err);
    expect_ok(graft_session_begin(reader->session, NULL, &world.err), &world.err);
}

static void reader_start(struct reader *reader)
{
    cr_assert_eq(pthread_create(&reader->thread, NULL, read_one, reader), 0);
}

static void reader_end(struct reader *reader)
{
    pthread_join(reader->thread, NULL);
    graft_session_close(reader->session);
}

static void await_stat(struct replica *replica, const char *name, uint64_t value)
{
    while (stat_of(replica, name) < value)
        (void)sched_yield();
}

Test(fetch, two_connections_that_miss_one_page_make_one_request)
{
    struct reader first, second;
    make_replica(400, "off");
    uint64_t before = stat_of(&b, "fetches");
    reader_begin(&first, &b, 200);
    reader_begin(&second, &b, 200);
    gate_shut(&gate);
    reader_start(&first);
    gate_await(&gate, 1);
    reader_start(&second);
    await_stat(&b, "shared_fetches", 1);
    gate_open(&gate);
    reader_end(&first);
    reader_end(&second);
    cr_assert(first.right && second.right);
    cr_assert_eq(stat_of(&b, "fetches") - before, 1);
    close_both();
}

Test(fetch, two_at_different_lsns_of_an_unchanged_page_make_one_request)
{
    struct reader old, new;
    make_replica(400, "off");
    reader_begin(&old, &b, 200);
    commit_pages(&a, 399, 1, 3);
    (void)push_ok(&a);
    (void)pull_ok(&b);
    reader_begin(&new, &b, 200);
    expect_page(&b, 2, 1);
    uint64_t before = stat_of(&b, "fetches");
    uint64_t shared = stat_of(&b, "shared_fetches");
    gate_shut(&gate);
    reader_start(&old);
    gate_await(&gate, 1);
    reader_start(&new);
    await_stat(&b, "shared_fetches", shared + 1);
    gate_open(&gate);
    reader_end(&old);
    reader_end(&new);
    cr_assert(old.right && new.right);
    cr_assert_eq(stat_of(&b, "fetches") - before, 1);
    /* It was installed for the newest snapshot, though the older reader led. */
    uint64_t requests = stat_of(&b, "requests");
    expect_page(&b, 200, 1);
    cr_assert_eq(stat_of(&b, "requests"), requests);
    close_both();
}

Test(fetch, what_is_expected_beside_a_page_comes_in_its_request)
{
    const uint32_t pages[] = {205, 206, 210, 211, 212};
    make_replica(400, "auto");
    expect_ok(graft_session_begin(b.session, NULL, &world.err), &world.err);
    uint64_t before = stat_of(&b, "fetches");
    hint_set(&b, 202, pages, 5);
    graft_session_end(b.session);
    expect_page(&b, 202, 1);
    await_stat(&b, "pages_prefetched", 8);
    for (uint32_t page = 201; page <= 212; page++)
        expect_page(&b, page, 1);
    cr_assert_eq(stat_of(&b, "fetches") - before, 1);
    cr_assert_eq(stat_of(&b, "prefetch_hits"), 8);
    close_both();
}

Test(fetch, a_page_that_is_held_is_never_asked_for_again)
{
    uint32_t pages[40];
    /* Nothing that is expected behind these pages is under way while requests are counted. */
    make_replica(400, "off");
    for (uint32_t i = 0; i < 40; i++) {
        pages[i] = 101 + i;
        expect_page(&b, pages[i], 1);
    }
    expect_ok(graft_setting_set(b.volume, "prefetch", "auto", &world.err), &world.err);
    uint64_t requests = stat_of(&b, "requests");
    hint_set(&b, 0, pages, 40);
    for (uint32_t i = 0; i < 40; i++)
        expect_page(&b, pages[i], 1);
    cr_assert_eq(stat_of(&b, "requests"), requests);
    close_both();
}

Test(fetch, a_page_in_flight_is_not_asked_for_again)
{
    struct reader reader;
    const uint32_t page = 200;
    make_replica(400, "auto");
    uint64_t before = stat_of(&b, "fetches");
    reader_begin(&reader, &b, page);
    gate_shut(&gate);
    expect_ok(graft_session_begin(b.session, NULL, &world.err), &world.err);
    hint_set(&b, 0, &page, 1);
    gate_await(&gate, 1);
    hint_set(&b, 0, &page, 1);
    reader_start(&reader);
    await_stat(&b, "shared_fetches", 1);
    gate_open(&gate);
    reader_end(&reader);
    cr_assert(reader.right);
    cr_assert_eq(stat_of(&b, "fetches") - before, 1);
    cr_assert_eq(stat_of(&b, "prefetch_hits"), 1);
    graft_session_end(b.session);
    close_both();
}

Test(fetch, a_page_that_is_read_while_its_frame_is_put_away_counts_as_a_hit)
{
    const uint32_t page = 201;
    make_replica(400, "auto");
    gate_hold_writes(&gate, (uint64_t)page * PAGE_BYTES); /* of the page behind it */
    expect_ok(graft_session_begin(b.session, NULL, &world.err), &world.err);
    hint_set(&b, 0, &page, 1);
    graft_session_end(b.session);
    gate_await_write(&gate);
    expect_page(&b, page, 1);
    cr_assert_eq(stat_of(&b, "fetches"), 2);
    cr_assert_eq(stat_of(&b, "prefetch_hits"), 1);
    gate_hold_writes(&gate, 0);
    close_both();
}

Test(fetch, a_failed_prefetch_disturbs_nobody)
{
    struct reader reader;
    const uint32_t page = 200;
    make_replica(400, "auto");
    reader_begin(&reader, &b, page);
    gate_shut(&gate);
    gate_fail(&gate, 1);
    expect_ok(graft_session_begin(b.session, NULL, &world.err), &world.err);
    uint64_t before = stat_of(&b, "fetches");
    hint_set(&b, 0, &page, 1);
    gate_await(&gate, 1);
    /* The reader waits for the prefetch that will fail, and then fetches for itself. */
    reader_start(&reader);
    await_stat(&b, "shared_fetches", 1);
    gate_open(&gate);
    reader_end(&reader);
    cr_assert(reader.right, "%s", reader.err.text);
    cr_assert_eq(stat_of(&b, "fetches") - before, 2);
    cr_assert_str_eq(status_of(&b).last_error, "");
    graft_session_end(b.session);
    close_both();
}

Test(fetch, a_failure_is_told_to_one_and_the_other_fetches_anew)
{
    struct reader first, second;
    make_replica(400, "off");
    uint64_t before = stat_of(&b, "fetches");
    reader_begin(&first, &b, 200);
    reader_begin(&second, &b, 200);
    gate_shut(&gate);
    gate_fail(&gate, 1);
    reader_start(&first);
    gate_await(&gate, 1);
    reader_start(&second);
    await_stat(&b, "shared_fetches", 1);
    gate_open(&gate);
    reader_end(&first);
    reader_end(&second);
    cr_assert_eq(first.rc, GRAFT_EUNREACHABLE);
    cr_assert(strstr(first.err.text, "page 200") != NULL, "%s", first.err.text);
    cr_assert(second.right);
    cr_assert_eq(stat_of(&b, "fetches") - before, 2);
    close_both();
}

Test(fetch, demand_overtakes_what_is_queued)
{
    struct reader reader;
    uint32_t pages[40];
    make_replica(4000, "auto");
    reader_begin(&reader, &b, 3901);
    /* Too far apart to be joined: sixteen are in flight, and the others wait. */
    for (uint32_t i = 0; i < 40; i++)
        pages[i] = 1 + 100 * i;
    gate_shut(&gate);
    expect_ok(graft_session_begin(b.session, NULL, &world.err), &world.err);
    uint64_t before = stat_of(&b, "fetches");
    hint_set(&b, 0, pages, 40);
    gate_await(&gate, 16);
    reader_start(&reader);
    gate_await(&gate, 17);
    gate_open(&gate);
    reader_end(&reader);
    cr_assert(reader.right);
    await_stat(&b, "pages_prefetched", 39 * 4);
    cr_assert_eq(stat_of(&b, "fetches") - before, 39); /* page 1 was there */
    cr_assert_eq(gate_waiting(&gate), 0);
    graft_session_end(b.session);
    close_both();
}

Test(fetch, reading_on_by_page_number_is_foreseen_without_any_hint)
{
    make_replica(4000, "auto");
    for (uint32_t page = 1; page <= 4000; page++)
        expect_page(&b, page, 1);
    cr_assert_lt(stat_of(&b, "fetches"), 200);
    cr_assert_eq(stat_of(&b, "pages_fetched"), 4000);
    close_both();
}

Test(fetch, waiting_for_long_streams_the_rest)
{
    make_replica(3000, "auto");
    uint64_t state = 1;
    while (stat_of(&b, "bulks") == 0 && state < 3000) {
        expect_page(&b, (uint32_t)(state * 1103 % 3000) + 1, 1);
        state++;
    }
    cr_assert_gt(stat_of(&b, "bulks"), 0);
    await_stat(&b, "pages_fetched", 3000);
    uint64_t requests = stat_of(&b, "requests");
    for (uint32_t page = 1; page <= 3000; page++)
        expect_page(&b, page, 1);
    cr_assert_eq(stat_of(&b, "requests"), requests);
    close_both();
}

Test(fetch, a_metered_link_is_never_streamed_over)
{
    make_replica(3000, "metered");
    for (uint32_t i = 1; i < 3000; i++)
        expect_page(&b, i * 1103 % 3000 + 1, 1);
    cr_assert_eq(stat_of(&b, "bulks"), 0);
    close_both();
}

Test(fetch, a_fixed_window_is_fetched_around_a_page)
{
    make_replica(400, "64");
    await_stat(&b, "pages_fetched", 64);
    uint64_t before = stat_of(&b, "pages_fetched");
    expect_page(&b, 200, 1);
    for (uint32_t page = 193; page <= 256; page++)
        expect_page(&b, page, 1);
    cr_assert_eq(stat_of(&b, "pages_fetched") - before, 64);
    close_both();
}
