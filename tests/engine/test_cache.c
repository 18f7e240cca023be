/* The cache limit: what the image takes on the disk stays below it, whatever is read or imported,
 * and nothing is lost or wrong by that. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/fixture.h"
#include "format/commit.h"
#include "remote/remote.h"
#include "support/faultdisk.h"

#define KIB 1024U
#define MIB (1024U * 1024U)

static struct world world;
static struct replica a, b;

static void setup(void)
{
    world_make(&world);
}

static void teardown(void)
{
    world_remove(&world);
}

TestSuite(cache, .init = setup, .fini = teardown, .timeout = 300);

static void set_limit(struct replica *replica, const char *limit)
{
    expect_ok(graft_cache_limit_set(replica->volume, limit, &world.err), &world.err);
}

/* A source of so many pages that do not compress, and a replica that holds none. */
static void make_pair(uint32_t pages, const char *limit)
{
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, pages, 1);
    (void)push_ok(&a);
    replica_open(&b, &world, "b", world.url);
    set_limit(&b, limit);
    (void)pull_ok(&b);
}

static void close_pair(void)
{
    replica_close(&b);
    replica_close(&a);
}

static void no_prefetch(struct replica *replica)
{
    expect_ok(graft_setting_set(replica->volume, "prefetch", "off", &world.err), &world.err);
}

static uint64_t space_of(const struct replica *replica, const char *file)
{
    char path[600];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", replica->directory, file);
    cr_assert_eq(stat(path, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static void expect_within(const struct replica *replica, uint64_t limit)
{
    uint64_t space = space_of(replica, "image");
    cr_assert_leq(space, limit, "%llu bytes", (unsigned long long)space);
}

/* ---- The limit holds ---- */

Test(cache, the_image_stays_below_the_limit_while_a_volume_several_times_larger_is_read)
{
    make_pair(4000, "2M");
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t page = 1; page <= 4000; page++) {
            expect_page(&b, page, 1);
            expect_within(&b, 2 * MIB);
        }
    }
    cr_assert_gt(stat_of(&b, "evicted"), 4000);
    struct graft_status status = status_of(&b);
    cr_assert(status.pages_held > 0 && status.pages_held <= 2 * MIB / PAGE_BYTES);
    close_pair();
}

Test(cache, without_a_limit_nothing_goes_and_nothing_is_kept_account_of)
{
    make_pair(1000, "0");
    for (uint32_t page = 1; page <= 1000; page++)
        expect_page(&b, page, 1);
    cr_assert_eq(stat_of(&b, "evicted"), 0);
    cr_assert_neq(access(graft_test_path(&world.dir, "b/recency"), F_OK), 0);
    cr_assert_eq(status_of(&b).pages_held, 1000);
    close_pair();
}

Test(cache, a_limit_that_is_set_later_gives_up_what_is_too_much_at_once)
{
    struct graft_sync_result result;
    make_pair(1000, "0");
    expect_ok(graft_hydrate(b.volume, NULL, NULL, &result, &world.err), &world.err);
    cr_assert_gt(space_of(&b, "image"), 3 * MIB);
    set_limit(&b, "1M");
    expect_within(&b, MIB);
    for (uint32_t page = 1; page <= 1000; page++)
        expect_page(&b, page, 1);
    expect_within(&b, MIB);
    close_pair();
}

Test(cache, the_limit_is_remembered_and_options_set_it)
{
    struct graft_volume *volume = NULL;
    make_pair(600, "1024K");
    cr_assert_eq(graft_cache_limit(b.volume), MIB);
    replica_close(&b);
    replica_open(&b, &world, "b", NULL);
    cr_assert_eq(graft_cache_limit(b.volume), MIB);
    struct graft_volume_options options = {.cache_limit = "512k"};
    expect_ok(graft_volume_open(b.process, b.directory, &options, &volume, &world.err), &world.err);
    cr_assert_eq(graft_cache_limit(b.volume), 512 * KIB);
    graft_volume_close(volume);
    for (uint32_t page = 1; page <= 600; page++)
        expect_page(&b, page, 1);
    expect_within(&b, 512 * KIB);
    close_pair();
}

/* ---- Values ---- */

Test(cache, a_limit_is_bytes_with_a_suffix_or_nothing)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"", 0},
        {"0G", 0},
        {"65536", 65536},
        {"64K", 65536},
        {"64k", 65536},
        {"10M", 10 * MIB},
        {"10737418240", UINT64_C(10) << 30},
        {"10G", UINT64_C(10) << 30},
        {"1T", UINT64_C(1) << 40},
        {"1048576T", UINT64_C(1) << 60},
    };
    static const char *const bad[] = {"-1",
                                      "1",
                                      "65535",
                                      "63K",
                                      "K",
                                      "10X",
                                      "10GB",
                                      "1.5G",
                                      " 1G",
                                      "1G ",
                                      "0x10000",
                                      "1048577T",
                                      "ten",
                                      "1e9",
                                      "10 G",
                                      "+1G",
                                      "18446744073709551616",
                                      "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t bytes = 1;
        expect_ok(graft_cache_limit_parse(good[i].text, &bytes, &world.err), &world.err);
        cr_assert_eq(bytes, good[i].bytes, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t bytes = 1;
        expect_rc(graft_cache_limit_parse(bad[i], &bytes, &world.err), GRAFT_EINVAL, &world.err);
        cr_assert(strstr(world.err.text, "K, M, G or T") != NULL, "%s", world.err.text);
        cr_assert_eq(bytes, 1, "%s", bad[i]);
    }
}

Test(cache, a_bad_limit_makes_no_directory)
{
    struct graft_process *process = NULL;
    struct graft_volume *volume = NULL;
    const char *directory = graft_test_path(&world.dir, "new");
    struct graft_volume_options options = {.create = true, .cache_limit = "much"};
    expect_ok(graft_process_new(graft_test_env(), &process, &world.err), &world.err);
    expect_rc(graft_volume_open(process, directory, &options, &volume, &world.err), GRAFT_EINVAL,
              &world.err);
    cr_assert_neq(access(directory, F_OK), 0);
    graft_process_free(process);
}

/* ---- What goes, and what stays ---- */

Test(cache, pages_that_are_read_again_and_again_outlive_a_scan)
{
    make_pair(4000, "2M");
    no_prefetch(&b);
    uint64_t fetches = 0;
    for (uint32_t page = 101; page <= 4000; page++) {
        expect_page(&b, page, 1);
        if (page % 100 != 0)
            continue;
        uint64_t before = stat_of(&b, "fetches");
        for (uint32_t hot = 1; hot <= 40; hot++)
            expect_page(&b, hot, 1);
        fetches += page >= 200 ? stat_of(&b, "fetches") - before : 0;
    }
    /* Forty pages are ten frames; they were read 38 times. */
    cr_assert_leq(fetches, 20, "%llu", (unsigned long long)fetches);
    expect_within(&b, 2 * MIB);
    close_pair();
}

Test(cache, what_is_ahead_of_the_remote_stays_even_past_the_limit)
{
    make_pair(100, "256K");
    commit_pages(&b, 1, 500, 3);
    replica_close(&b);
    replica_open(&b, &world, "b", NULL);
    for (uint32_t page = 501; page <= 600; page++)
        commit_pages(&b, page, 1, 3);
    set_limit(&b, "128K");
    cr_assert_gt(space_of(&b, "image"), 256 * KIB);
    cr_assert_eq(status_of(&b).pages_held, 600);
    expect_ok(graft_disk_rename(b.env->disk, graft_test_path(&world.dir, "repo"),
                                graft_test_path(&world.dir, "away"), false, &world.err),
              &world.err);
    for (uint32_t page = 1; page <= 600; page++)
        expect_page(&b, page, 3);
    close_pair();
}

Test(cache, an_import_in_portions_that_are_pushed_stays_bounded)
{
    const uint32_t portion = 256; /* a MiB */
    replica_open(&a, &world, "a", world.url);
    set_limit(&a, "2M");
    for (uint32_t i = 0; i < 12; i++) {
        commit_pages(&a, 1 + i * portion, portion, 1);
        (void)push_ok(&a);
        replica_close(&a); /* which moves the log into the image */
        replica_open(&a, &world, "a", NULL);
        struct graft_sync_result result;
        expect_ok(graft_fetch(a.volume, &result, &world.err), &world.err);
        expect_within(&a, 2 * MIB);
    }
    for (uint32_t page = 1; page <= 12 * portion; page++)
        expect_page(&a, page, 1);
    expect_within(&a, 2 * MIB);
    replica_close(&a);
}

static void expect_page_in(struct graft_session *session, uint32_t page, uint32_t version)
{
    uint8_t bytes[PAGE_BYTES], wanted[PAGE_BYTES];
    size_t got = 0;
    expect_ok(graft_session_read(session, page, bytes, sizeof bytes, &got, &world.err), &world.err);
    page_fill(wanted, page, version);
    cr_assert(memcmp(bytes, wanted, sizeof bytes) == 0, "page %u is not version %u", page, version);
}

Test(cache, an_older_snapshot_keeps_what_it_needs_and_does_not_hold_up_the_rest)
{
    struct graft_session *old = NULL;
    make_pair(2000, "1M");
    for (uint32_t page = 1; page <= 100; page++)
        commit_pages(&b, page, 1, 3);
    expect_ok(graft_session_open(b.volume, &old, &world.err), &world.err);
    expect_ok(graft_session_begin(old, NULL, &world.err), &world.err);
    (void)push_ok(&b);
    for (uint32_t page = 101; page <= 2000; page++) {
        expect_page(&b, page, 1);
        expect_within(&b, MIB);
    }
    for (uint32_t page = 1; page <= 2000; page += 7)
        expect_page_in(old, page, page <= 100 ? 3 : 1);
    graft_session_close(old);
    close_pair();
}

Test(cache, a_snapshot_reads_on_while_pulls_and_evictions_go_past_it)
{
    struct graft_session *old = NULL;
    make_pair(1000, "512K");
    expect_ok(graft_session_open(b.volume, &old, &world.err), &world.err);
    expect_ok(graft_session_begin(old, NULL, &world.err), &world.err);
    for (uint32_t version = 3; version <= 9; version += 2) {
        commit_pages(&a, 1, 300, version);
        (void)push_ok(&a);
        (void)pull_ok(&b);
        for (uint32_t page = 1; page <= 1000; page += 3) {
            expect_page(&b, page, page <= 300 ? version : 1);
            expect_page_in(old, page, 1);
        }
        expect_within(&b, 512 * KIB);
    }
    graft_session_close(old);
    close_pair();
}

/* ---- Several readers ---- */

struct racer {
    uint32_t seed;
    pthread_t thread;
};

static void *read_at_random(void *arg)
{
    struct racer *racer = arg;
    struct graft_err err = {0};
    struct graft_session *session = NULL;
    uint8_t bytes[PAGE_BYTES], wanted[PAGE_BYTES];
    bool good = graft_session_open(b.volume, &session, &err) == GRAFT_OK;
    uint32_t state = racer->seed;
    for (unsigned i = 0; i < 1500 && good; i++) {
        size_t got = 0;
        state = state * 1664525U + 1013904223U;
        uint32_t page = 1 + (state >> 8) % 1000;
        page_fill(wanted, page, 1);
        good = graft_session_begin(session, NULL, &err) == GRAFT_OK &&
               graft_session_read(session, page, bytes, sizeof bytes, &got, &err) == GRAFT_OK &&
               memcmp(bytes, wanted, sizeof bytes) == 0;
        graft_session_end(session);
    }
    if (!good)
        fprintf(stderr, "%s\n", err.text);
    graft_session_close(session);
    return good ? racer : NULL;
}

Test(cache, readers_that_race_with_evictions_read_right)
{
    make_pair(1000, "256K");
    struct racer racers[4];
    for (uint32_t i = 0; i < 4; i++) {
        racers[i].seed = i + 1;
        cr_assert_eq(pthread_create(&racers[i].thread, NULL, read_at_random, &racers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        void *good = NULL;
        pthread_join(racers[i].thread, &good);
        cr_assert_not_null(good);
    }
    cr_assert_gt(stat_of(&b, "evicted"), 1000);
    cr_assert_eq(stat_of(&b, "rot"), 0);
    cr_assert_eq(stat_of(&b, "repairs"), 0);
    expect_within(&b, 256 * KIB + 5 * 64 * KIB);
    close_pair();
}

static void read_in_a_process(uint32_t step)
{
    replica_open(&b, &world, "b", NULL);
    for (uint32_t i = 0, page = 1; i < 3000; i++, page = (page + step) % 1000 + 1)
        expect_page(&b, page, 1);
    bool rotten = stat_of(&b, "rot") > 0 || stat_of(&b, "repairs") > 0;
    replica_close(&b);
    _exit(rotten ? 1 : 0);
}

Test(cache, processes_that_share_a_directory_share_the_limit)
{
    make_pair(1000, "1M");
    close_pair();
    pid_t children[3];
    for (uint32_t i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0)
            read_in_a_process(7 + 30 * i);
    }
    unsigned left = 3;
    while (left > 0) {
        int status = 0;
        pid_t ended = waitpid(-1, &status, WNOHANG);
        left -= ended > 0 ? 1 : 0;
        if (ended > 0)
            cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
        snprintf(b.directory, sizeof b.directory, "%s/b", world.dir.path);
        /* What each has installed and not yet looked at. */
        expect_within(&b, MIB + 4 * 64 * KIB);
        graft_task_sleep_ms(graft_test_env()->tasks, 1);
    }
}

/* ---- Large reads ---- */

Test(cache, hydrating_what_does_not_fit_is_refused_and_fetches_nothing)
{
    struct graft_sync_result result;
    make_pair(1000, "2M");
    expect_rc(graft_hydrate(b.volume, NULL, NULL, &result, &world.err), GRAFT_ELIMIT, &world.err);
    cr_assert(strstr(world.err.text, "2097152") != NULL &&
                  strstr(world.err.text, "graft_cache_limit=0") != NULL,
              "%s", world.err.text);
    cr_assert_eq(status_of(&b).pages_held, 0);
    set_limit(&b, "8M");
    expect_ok(graft_hydrate(b.volume, NULL, NULL, &result, &world.err), &world.err);
    cr_assert_eq(status_of(&b).pages_held, 1000);
    cr_assert_eq(stat_of(&b, "evicted"), 0);
    close_pair();
}

Test(cache, nothing_is_streamed_that_does_not_fit)
{
    make_pair(2000, "2M");
    for (uint32_t i = 0, page = 1; i < 4000; i++, page = (page + 617) % 2000 + 1)
        expect_page(&b, page, 1);
    cr_assert_gt(stat_of(&b, "stalled_us"), 10000);
    cr_assert_eq(stat_of(&b, "bulks"), 0);
    close_pair();
}

Test(cache, verifying_goes_over_what_is_held)
{
    struct graft_verify_result result;
    make_pair(1000, "1M");
    for (uint32_t page = 1; page <= 1000; page++)
        expect_page(&b, page, 1);
    expect_ok(graft_verify(b.volume, NULL, NULL, &result, &world.err), &world.err);
    cr_assert(result.pages == 1000 && result.bad == 0 && result.repaired == 0);
    cr_assert(result.held > 0 && result.held <= MIB / PAGE_BYTES);
    close_pair();
}

/* A commit that makes the volume a TiB, without a page of its own. */
static void make_vast(uint32_t pages)
{
    struct graft_env *env = graft_test_env();
    struct graft_remote *remote = NULL;
    struct graft_commit commit;
    struct graft_hash hash;
    struct graft_buf object;
    bool won = false;
    graft_commit_init(&commit, env->alloc);
    graft_buf_init(&object, env->alloc);
    expect_ok(graft_remote_open(env, world.url, &remote, &world.err), &world.err);
    expect_ok(graft_remote_get_commit(remote, 1, &commit, &hash, NULL, &world.err), &world.err);
    commit.lsn = 2;
    commit.parent = hash;
    commit.page_count = pages;
    commit.changed_count = 0;
    expect_ok(graft_commit_encode(&commit, NULL, 0, &object, &world.err), &world.err);
    expect_ok(graft_remote_put_commit(remote, 2, object.bytes, object.size, &won, &world.err),
              &world.err);
    graft_buf_deinit(&object);
    graft_commit_deinit(&commit);
    graft_remote_close(remote);
}

Test(cache, a_replica_of_a_tebibyte_lives_on_a_few_mebibytes)
{
    const uint32_t pages = UINT32_C(1) << 28;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 400, 1);
    (void)push_ok(&a);
    replica_close(&a);
    make_vast(pages);
    replica_open(&b, &world, "b", world.url);
    set_limit(&b, "1M");
    no_prefetch(&b);
    cr_assert_eq(page_count(&b), pages);
    for (uint32_t i = 0; i < 500; i++) {
        uint32_t page = 1 + (uint32_t)((uint64_t)i * 2654435761U % pages);
        expect_page(&b, page, page <= 400 ? 1 : 0);
        expect_page(&b, 1 + i % 400, 1);
        expect_within(&b, MIB);
    }
    expect_page(&b, pages, 0);
    cr_assert_gt(stat_of(&b, "evicted"), 500);
    cr_assert_leq(space_of(&b, "recency"), 9 * MIB);
    replica_close(&b);
}

/* ---- Failures ---- */

static void read_with_faults(unsigned kinds, enum graft_rc code)
{
    struct graft_fault_env faults;
    graft_fault_env_init(&faults, graft_test_env());
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 600, 1);
    (void)push_ok(&a);
    replica_open_in(&b, &world, &faults.env, "b", world.url);
    set_limit(&b, "1M");
    (void)pull_ok(&b);
    expect_page(&b, 1, 1);
    graft_faults_arm(&faults.faults, kinds, 1, code, true);
    for (uint32_t page = 1; page <= 600; page++)
        expect_page(&b, page, 1);
    cr_assert_gt(graft_faults_disarm(&faults.faults), 0);
    for (uint32_t page = 1; page <= 600; page++)
        expect_page(&b, page, 1);
    set_limit(&b, "1M"); /* which looks at once */
    close_pair();
}

Test(cache, a_failed_eviction_fails_no_read)
{
    read_with_faults(GRAFT_FAULT_PUNCH, GRAFT_EIO);
    expect_within(&b, MIB);
}

Test(cache, a_sync_that_fails_in_an_eviction_fails_no_read)
{
    read_with_faults(GRAFT_FAULT_SYNC, GRAFT_EIO);
    expect_within(&b, MIB);
}

Test(cache, space_that_cannot_be_asked_for_fails_no_read)
{
    read_with_faults(GRAFT_FAULT_SPACE, GRAFT_EIO);
    expect_within(&b, MIB);
}

Test(cache, where_no_holes_can_be_made_nothing_more_is_given_up)
{
    read_with_faults(GRAFT_FAULT_PUNCH, GRAFT_EUNSUPPORTED);
    replica_open(&b, &world, "b", NULL);
    cr_assert_geq(status_of(&b).pages_held, 400);
    replica_close(&b);
}
