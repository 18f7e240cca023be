/* Words shared by processes. Children are forked, do one thing, and report through their exit
 * status or the words themselves. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/expect.h"
#include "support/testing.h"

static struct graft_test_dir dir;
static struct graft_shm *shm;
static struct graft_err err;

static void set_up(void)
{
    graft_test_dir_make(&dir);
    shm = graft_test_env()->shm;
}

static void tear_down(void)
{
    graft_test_dir_remove(&dir);
}

TestSuite(shm, .init = set_up, .fini = tear_down);

static struct graft_map *open_words(_Atomic uint64_t **words)
{
    struct graft_map *map = NULL;
    expect_ok(graft_map_open(shm, graft_test_path(&dir, "words"), true, &map, &err), &err);
    expect_ok(graft_map_resize(map, 8192, &err), &err);
    expect_ok(graft_map_allocate(map, 0, 8192, &err), &err);
    expect_ok(graft_map_view(map, 0, 8192, words, &err), &err);
    return map;
}

static void expect_exit(pid_t child, int status)
{
    int got = 0;
    cr_assert_eq(waitpid(child, &got, 0), child);
    cr_assert(WIFEXITED(got) && WEXITSTATUS(got) == status, "child ended with %x", got);
}

Test(shm, a_missing_file_is_made_only_on_request)
{
    struct graft_map *map = NULL;
    const char *path = graft_test_path(&dir, "words");
    expect_rc(graft_map_open(shm, path, false, &map, &err), GRAFT_ENOTFOUND, &err);
    cr_assert_null(map);
    expect_ok(graft_map_open(shm, path, true, &map, &err), &err);
    uint64_t bytes = 1;
    expect_ok(graft_map_size(map, &bytes, &err), &err);
    cr_assert_eq(bytes, 0);
    graft_map_close(map);
}

Test(shm, words_change_as_told)
{
    _Atomic uint64_t *words = NULL;
    struct graft_map *map = open_words(&words);
    cr_assert_eq(graft_shm_load(&words[7]), 0);
    graft_shm_store(shm, &words[7], 5);
    cr_assert(!graft_shm_cas(shm, &words[7], 4, 9));
    cr_assert(graft_shm_cas(shm, &words[7], 5, UINT64_MAX - 1));
    cr_assert_eq(graft_shm_add(shm, &words[7], 3), 1);
    cr_assert_eq(graft_shm_load(&words[7]), 1);
    graft_map_close(map);
}

Test(shm, a_store_is_seen_by_other_processes_and_views)
{
    _Atomic uint64_t *words = NULL;
    struct graft_map *map = open_words(&words);
    pid_t child = fork();
    if (child == 0) {
        struct graft_map *own = NULL;
        _Atomic uint64_t *view = NULL;
        if (graft_map_open(shm, graft_test_path(&dir, "words"), false, &own, NULL) != GRAFT_OK ||
            graft_map_view(own, 4096, 4096, &view, NULL) != GRAFT_OK)
            _exit(1);
        graft_shm_store(shm, &view[3], 42);
        graft_map_close(own);
        _exit(0);
    }
    expect_exit(child, 0);
    cr_assert_eq(graft_shm_load(&words[512 + 3]), 42);
    graft_map_close(map);
}

Test(shm, synced_words_are_in_the_file)
{
    _Atomic uint64_t *words = NULL;
    struct graft_map *map = open_words(&words);
    graft_shm_store(shm, &words[1], 0x0807060504030201);
    graft_shm_store(shm, &words[1023], 7);
    expect_ok(graft_map_sync(map, 8, 8, &err), &err);
    expect_ok(graft_map_sync(map, 0, 0, &err), &err);
    expect_ok(graft_map_sync(map, 4096, 0, &err), &err);
    uint8_t *bytes = NULL;
    size_t size = 0;
    expect_ok(graft_disk_read_file(graft_test_env()->disk, graft_test_env()->alloc,
                                   graft_test_path(&dir, "words"), 1U << 20, &bytes, &size, &err),
              &err);
    cr_assert_eq(size, 8192);
    for (unsigned i = 0; i < 8; i++)
        cr_assert_eq(bytes[8 + i], i + 1);
    cr_assert_eq(bytes[8184], 7);
    graft_free(graft_test_env()->alloc, bytes);
    graft_map_close(map);
}

Test(shm, allocation_keeps_words_and_resizing_keeps_what_stays)
{
    _Atomic uint64_t *words = NULL;
    struct graft_map *map = open_words(&words);
    graft_shm_store(shm, &words[5], 50);
    expect_ok(graft_map_allocate(map, 0, 16384, &err), &err);
    cr_assert_eq(graft_shm_load(&words[5]), 50);
    uint64_t bytes = 0;
    expect_ok(graft_map_size(map, &bytes, &err), &err);
    cr_assert_eq(bytes, 16384);
    expect_ok(graft_map_resize(map, 4096, &err), &err);
    expect_ok(graft_map_resize(map, 8192, &err), &err);
    cr_assert_eq(graft_shm_load(&words[5]), 50);
    cr_assert_eq(graft_shm_load(&words[600]), 0);
    graft_map_close(map);
}

Test(shm, holes_can_be_skipped)
{
    struct graft_map *map = NULL;
    _Atomic uint64_t *words = NULL;
    enum { size = 1 << 20, at = 1 << 19 };
    expect_ok(graft_map_open(shm, graft_test_path(&dir, "m"), true, &map, &err), &err);
    expect_ok(graft_map_resize(map, size, &err), &err);
    expect_ok(graft_map_view(map, 0, size, &words, &err), &err);
    expect_ok(graft_map_allocate(map, at, 65536, &err), &err);
    graft_shm_store(shm, &words[at / 8 + 3], 1);
    uint64_t next = graft_map_next_data(map, 0);
    if (next == 0) {
        graft_map_close(map);
        tear_down();
        cr_skip_test("the file system does not say where holes are");
    }
    cr_assert(next > 0 && next <= at);
    cr_assert_eq(graft_map_next_data(map, at), at, "also what was not synced yet is no hole");
    cr_assert_eq(graft_map_next_data(map, at + 65536), size);
    graft_map_close(map);
}

Test(shm, a_view_may_be_made_before_the_file_has_grown)
{
    struct graft_map *map = NULL;
    _Atomic uint64_t *words = NULL;
    expect_ok(graft_map_open(shm, graft_test_path(&dir, "words"), true, &map, &err), &err);
    expect_ok(graft_map_view(map, 0, 1U << 20, &words, &err), &err);
    expect_ok(graft_map_allocate(map, 0, 1U << 20, &err), &err);
    graft_shm_store(shm, &words[(1U << 17) - 1], 9);
    cr_assert_eq(graft_shm_load(&words[(1U << 17) - 1]), 9);
    graft_map_close(map);
}

Test(shm, there_are_sixty_four_views_and_no_more)
{
    struct graft_map *map = NULL;
    _Atomic uint64_t *words = NULL;
    expect_ok(graft_map_open(shm, graft_test_path(&dir, "words"), true, &map, &err), &err);
    for (unsigned i = 0; i < 64; i++)
        expect_ok(graft_map_view(map, (uint64_t)i * 4096, 4096, &words, &err), &err);
    expect_rc(graft_map_view(map, 0, 4096, &words, &err), GRAFT_ELIMIT, &err);
    graft_map_close(map);
}

Test(shm, waiting_for_a_word_that_has_changed_returns_at_once)
{
    _Atomic uint64_t *words = NULL;
    struct graft_map *map = open_words(&words);
    graft_shm_store(shm, &words[0], 1ULL << 32);
    cr_assert(graft_shm_wait(shm, &words[0], 0, GRAFT_WAIT_FOREVER),
              "a change of the high half counts too");
    graft_map_close(map);
}

Test(shm, a_wait_ends_at_its_time_out)
{
    _Atomic uint64_t *words = NULL;
    struct graft_map *map = open_words(&words);
    struct graft_clock *clock = graft_test_env()->clock;
    uint64_t start = graft_clock_monotonic_us(clock);
    while (graft_shm_wait(shm, &words[0], 0, 20)) {
    }
    cr_assert_geq(graft_clock_monotonic_us(clock) - start, 20000);
    graft_map_close(map);
}

Test(shm, a_wake_reaches_a_waiter_in_another_process, .timeout = 30)
{
    _Atomic uint64_t *words = NULL;
    struct graft_map *map = open_words(&words);
    pid_t child = fork();
    if (child == 0) {
        graft_shm_store(shm, &words[1], 1);
        while (graft_shm_load(&words[0]) == 0)
            (void)graft_shm_wait(shm, &words[0], 0, GRAFT_WAIT_FOREVER);
        _exit((int)graft_shm_load(&words[0]));
    }
    while (graft_shm_load(&words[1]) == 0)
        (void)graft_shm_wait(shm, &words[1], 0, 1);
    graft_shm_store(shm, &words[0], 33);
    graft_shm_wake(shm, &words[0]);
    expect_exit(child, 33);
    graft_map_close(map);
}

Test(shm, additions_of_several_processes_are_all_counted)
{
    enum { children = 4, additions = 20000 };
    _Atomic uint64_t *words = NULL;
    struct graft_map *map = open_words(&words);
    pid_t pids[children];
    for (unsigned i = 0; i < children; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            for (unsigned n = 0; n < additions; n++)
                (void)graft_shm_add(shm, &words[0], 1);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < children; i++)
        expect_exit(pids[i], 0);
    cr_assert_eq(graft_shm_load(&words[0]), children * additions);
    graft_map_close(map);
}
