/* The object store's verbs over a directory. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "repo.h"

#define RACERS 8
#define ROUNDS 50

static struct graft_test_dir dir;
static struct graft_objects *objects;
static struct graft_err err;

static void set_up(void)
{
    graft_test_dir_make(&dir);
    objects = repo_open(graft_test_env(), &dir);
    err = (struct graft_err){.rc = GRAFT_OK};
}

static void tear_down(void)
{
    graft_objects_close(objects);
    graft_test_dir_remove(&dir);
}

TestSuite(objects, .init = set_up, .fini = tear_down);

static enum graft_rc get(const char *key, uint64_t offset, uint64_t size, struct graft_buf *out)
{
    graft_buf_init(out, graft_test_env()->alloc);
    return graft_objects_get(objects, key, offset, size, out, &err);
}

static void expect_range(const char *key, uint64_t offset, uint64_t size, const char *text)
{
    struct graft_buf buf;
    expect_ok(get(key, offset, size, &buf), &err);
    cr_assert_eq(buf.size, strlen(text));
    cr_assert_arr_eq(buf.bytes, text, buf.size);
    graft_buf_deinit(&buf);
}

static void expect_get_fails(const char *key, uint64_t offset, uint64_t size, enum graft_rc rc,
                             const char *text)
{
    struct graft_buf buf;
    expect_rc(get(key, offset, size, &buf), rc, &err);
    cr_assert_eq(buf.size, 0);
    expect_text(&err, text);
    graft_buf_deinit(&buf);
}

/* Keys as they come, with a blank between. */
struct keys {
    char text[65536];
    size_t used;
    uint64_t bytes;
    size_t stop_after; /* keys; 0 = never */
    size_t count;
};

static enum graft_rc collect(void *arg, const char *key, uint64_t size)
{
    struct keys *keys = arg;
    int wrote = snprintf(keys->text + keys->used, sizeof keys->text - keys->used, "%s%s",
                         keys->used == 0 ? "" : " ", key);
    keys->used += (size_t)wrote;
    keys->bytes += size;
    keys->count++;
    return keys->count == keys->stop_after ? GRAFT_ECANCELED : GRAFT_OK;
}

static void expect_keys(const char *prefix, const char *after, uint32_t keys_max, const char *text)
{
    struct keys keys = {.used = 0};
    expect_ok(graft_objects_list(objects, prefix, after, keys_max, collect, &keys, &err), &err);
    cr_assert_str_eq(keys.text, text);
}

static void put(const char *key)
{
    cr_assert(repo_put(objects, key, key, true));
}

static void write_foreign(const char *name, const char *text)
{
    FILE *file = fopen(graft_test_path(&dir, name), "w");
    cr_assert(file != NULL);
    fputs(text, file);
    fclose(file);
}

Test(objects, an_object_reads_back_whole_and_in_ranges)
{
    cr_assert(repo_put(objects, "app/l/1", "0123456789", false));
    repo_expect(objects, "app/l/1", "0123456789");
    expect_range("app/l/1", 0, 4, "0123");
    expect_range("app/l/1", 3, 4, "3456");
    expect_range("app/l/1", 8, 100, "89");
    expect_range("app/l/1", 7, 0, "789");
    expect_range("app/l/1", 9, 1, "9");
}

Test(objects, a_range_past_the_end_is_corrupt_and_names_the_object)
{
    repo_put(objects, "app/l/1", "0123456789", false);
    expect_get_fails("app/l/1", 10, 1, GRAFT_ECORRUPT, "/repo/app/l/1");
    expect_get_fails("app/l/1", UINT64_MAX, 0, GRAFT_ECORRUPT, "ends at 10 bytes");
    expect_get_fails("app/l/1", 0, 1ULL << 40, GRAFT_ELIMIT, "app/l/1");
}

Test(objects, an_empty_object_is_corrupt_when_read)
{
    repo_put(objects, "app/l/1", "", false);
    expect_get_fails("app/l/1", 0, 0, GRAFT_ECORRUPT, "/repo/app/l/1");
}

Test(objects, a_get_appends_and_leaves_what_is_there)
{
    struct graft_buf buf;
    graft_buf_init(&buf, graft_test_env()->alloc);
    repo_put(objects, "a", "one", false);
    repo_put(objects, "b", "two", false);
    expect_ok(graft_objects_get(objects, "a", 0, 0, &buf, &err), &err);
    expect_ok(graft_objects_get(objects, "b", 1, 0, &buf, &err), &err);
    expect_rc(graft_objects_get(objects, "c", 0, 0, &buf, &err), GRAFT_ENOTFOUND, &err);
    cr_assert_eq(buf.size, 5);
    cr_assert_arr_eq(buf.bytes, "onewo", 5);
    graft_buf_deinit(&buf);
}

Test(objects, a_plain_put_replaces_and_a_conditional_one_does_not)
{
    cr_assert(repo_put(objects, "app/c/1", "old", true));
    cr_assert_not(repo_put(objects, "app/c/1", "late", true));
    repo_expect(objects, "app/c/1", "old");
    cr_assert(repo_put(objects, "app/c/1", "new", false));
    repo_expect(objects, "app/c/1", "new");
    cr_assert_eq(repo_entries(&dir, "repo/_tmp"), 0);
}

Test(objects, removing_is_done_once_and_is_success_twice)
{
    put("app/l/1");
    expect_ok(graft_objects_remove(objects, "app/l/1", &err), &err);
    expect_get_fails("app/l/1", 0, 0, GRAFT_ENOTFOUND, "no such object");
    expect_ok(graft_objects_remove(objects, "app/l/1", &err), &err);
    expect_ok(graft_objects_remove(objects, "nowhere/at/all", &err), &err);
    cr_assert(repo_put(objects, "app/l/1", "again", true));
}

Test(objects, what_succeeds_leaves_the_error_record_alone)
{
    struct keys none = {.used = 0};
    (void)graft_err_set(&err, GRAFT_EBUSY, "as before");
    put("app/l/1");
    cr_assert_not(repo_put(objects, "app/l/1", "late", true));
    expect_ok(graft_objects_list(objects, "app/x/", "", 10, collect, &none, &err), &err);
    expect_ok(graft_objects_remove(objects, "app/l/2", &err), &err);
    cr_assert_eq(err.rc, GRAFT_EBUSY);
    cr_assert_str_eq(err.text, "as before");
}

Test(objects, keys_come_in_bytewise_order_of_the_whole_key)
{
    put("a/b");
    put("a-b");
    put("a.c/x");
    put("a0");
    put("a/B");
    put("Z");
    put("b");
    expect_keys("", "", 100, "Z a-b a.c/x a/B a/b a0 b");
}

Test(objects, a_listing_keeps_to_its_prefix)
{
    put("app/c/1");
    put("app/l/10");
    put("app/l/11");
    put("app/l/20");
    put("app2/l/1");
    put("ap");
    expect_keys("app/", "", 100, "app/c/1 app/l/10 app/l/11 app/l/20");
    expect_keys("app/l/1", "", 100, "app/l/10 app/l/11");
    expect_keys("app", "", 100, "app/c/1 app/l/10 app/l/11 app/l/20 app2/l/1");
    expect_keys("app/l/10", "", 100, "app/l/10");
    expect_keys("app/l/10/", "", 100, "");
    expect_keys("app/x/", "", 100, "");
    expect_keys("b", "", 100, "");
}

Test(objects, a_listing_starts_after_a_key_and_ends_at_its_maximum)
{
    put("app/c/1");
    put("app/l/1");
    put("app/l/2");
    put("app/l/3");
    put("b");
    expect_keys("", "app/l/1", 100, "app/l/2 app/l/3 b");
    expect_keys("", "app/l/1", 2, "app/l/2 app/l/3");
    expect_keys("app/", "app/c/1", 1, "app/l/1");
    expect_keys("", "app/l", 100, "app/l/1 app/l/2 app/l/3 b");
    expect_keys("", "app/l/", 100, "app/l/1 app/l/2 app/l/3 b");
    expect_keys("", "app/l/9", 100, "b");
    expect_keys("", "app0", 100, "b");
    expect_keys("app/", "b", 100, "");
    expect_keys("app/l/", "a", 1, "app/l/1");
}

Test(objects, pages_of_a_listing_add_up_to_the_whole)
{
    struct keys whole = {.used = 0};
    for (int i = 0; i < 300; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, i % 7 == 0 ? "d%d/%03d" : "d%d/l/%03d", i % 5,
                       i * 37 % 300);
        put(key);
    }
    expect_ok(graft_objects_list(objects, "", "", 1000, collect, &whole, &err), &err);
    cr_assert_eq(whole.count, 300);
    for (uint32_t keys_max = 1; keys_max < 40; keys_max += 6) {
        struct keys pages = {.used = 0};
        size_t before = 0;
        do {
            before = pages.count;
            const char *last = strrchr(pages.text, ' ');
            char after[64];
            (void)snprintf(after, sizeof after, "%s", last == NULL ? pages.text : last + 1);
            expect_ok(graft_objects_list(objects, "", after, keys_max, collect, &pages, &err),
                      &err);
            cr_assert(pages.count - before <= keys_max);
        } while (pages.count > before);
        cr_assert_str_eq(pages.text, whole.text);
    }
}

Test(objects, a_listing_gives_sizes_and_ends_when_its_callback_fails)
{
    put("a1");
    put("a2/x");
    put("a3");
    struct keys keys = {.used = 0};
    expect_ok(graft_objects_list(objects, "", "", 10, collect, &keys, &err), &err);
    cr_assert_eq(keys.bytes, 2 + 4 + 2);
    struct keys cut = {.stop_after = 2};
    expect_rc(graft_objects_list(objects, "", "", 10, collect, &cut, &err), GRAFT_ECANCELED, &err);
    cr_assert_str_eq(cut.text, "a1 a2/x");
}

Test(objects, what_is_not_an_object_is_not_listed)
{
    put("app/l/1");
    write_foreign("repo/_tmp/left-over", "x");
    write_foreign("repo/app/caf\xc3\xa9", "x");
    write_foreign("repo/app/with blank", "x");
    cr_assert_eq(mkfifo(graft_test_path(&dir, "repo/app/pipe"), 0600), 0);
    cr_assert_eq(mkdir(graft_test_path(&dir, "repo/app/empty"), 0700), 0);
    expect_keys("", "", 100, "app/l/1");
    expect_keys("app/l/1", "", 100, "app/l/1");
}

Test(objects, a_temporary_directory_deeper_down_is_an_ordinary_one)
{
    put("app/_tmp/x");
    expect_keys("", "", 100, "app/_tmp/x");
}

Test(objects, keys_that_walk_or_are_reserved_are_invalid)
{
    static const char *const keys[] = {"",     "/a",          "a/",     "a//b", "..",
                                       "../a", "a/..",        "a/../b", ".",    "a/./b",
                                       "a b",  "caf\xc3\xa9", "a\nb",   "_tmp", "_tmp/x"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        bool created = false;
        expect_get_fails(keys[i], 0, 0, GRAFT_EINVAL, "object key");
        expect_rc(graft_objects_put(objects, keys[i], "x", 1, false, &created, &err), GRAFT_EINVAL,
                  &err);
        expect_rc(graft_objects_remove(objects, keys[i], &err), GRAFT_EINVAL, &err);
    }
    struct keys none = {.used = 0};
    expect_rc(graft_objects_list(objects, "../", "", 1, collect, &none, &err), GRAFT_EINVAL, &err);
    expect_rc(graft_objects_list(objects, "a b", "", 1, collect, &none, &err), GRAFT_EINVAL, &err);
    expect_rc(graft_objects_list(objects, "/", "", 1, collect, &none, &err), GRAFT_EINVAL, &err);
    expect_rc(graft_objects_list(objects, "", "a//", 1, collect, &none, &err), GRAFT_EINVAL, &err);
}

Test(objects, keys_and_paths_past_their_limits_are_refused)
{
    char key[GRAFT_KEY_BYTES_MAX + 1];
    memset(key, 'k', sizeof key);
    key[GRAFT_KEY_BYTES_MAX] = '\0';
    expect_get_fails(key, 0, 0, GRAFT_ELIMIT, "1024 bytes");
    expect_get_fails("1/2/3/4/5/6/7/8/9", 0, 0, GRAFT_ELIMIT, "parts");
    put("1/2/3/4/5/6/7/8");
    expect_keys("", "", 10, "1/2/3/4/5/6/7/8");

    struct graft_url url = {.scheme = GRAFT_SCHEME_FILE, .repository = "/", .volume = "app"};
    memset(url.repository + 1, 'd', 4000);
    struct graft_objects *deep = NULL;
    struct graft_buf buf;
    bool created = false;
    graft_buf_init(&buf, graft_test_env()->alloc);
    expect_ok(graft_objects_open(graft_test_env(), &url, &deep, &err), &err);
    memset(key, 'k', 200);
    key[200] = '\0';
    expect_rc(graft_objects_get(deep, key, 0, 0, &buf, &err), GRAFT_ELIMIT, &err);
    expect_rc(graft_objects_put(deep, key, "x", 1, true, &created, &err), GRAFT_ELIMIT, &err);
    graft_objects_close(deep);
}

Test(objects, a_missing_repository_is_not_found_and_named)
{
    struct keys none = {.used = 0};
    expect_get_fails("app/l/1", 0, 0, GRAFT_ENOTFOUND, "/repo does not exist");
    expect_rc(graft_objects_list(objects, "app/", "", 10, collect, &none, &err), GRAFT_ENOTFOUND,
              &err);
    expect_text(&err, "/repo does not exist");
    expect_ok(graft_objects_remove(objects, "app/l/1", &err), &err);
    cr_assert_eq(mkdir(graft_test_path(&dir, "repo"), 0700), 0);
    expect_get_fails("app/l/1", 0, 0, GRAFT_ENOTFOUND, "no such object");
    expect_keys("app/", "", 10, "");
}

Test(objects, a_put_makes_the_repository_also_when_it_was_taken_away)
{
    put("app/l/1");
    graft_test_remove(graft_test_path(&dir, "repo"));
    put("app/l/1");
    repo_expect(objects, "app/l/1", "app/l/1");
    graft_test_remove(graft_test_path(&dir, "repo/app"));
    put("app/l/2");
    repo_expect(objects, "app/l/2", "app/l/2");
}

Test(objects, a_file_at_the_repositorys_place_is_out_of_reach_and_named)
{
    struct keys none = {.used = 0};
    bool created = false;
    write_foreign("repo", "a file");
    expect_get_fails("app/l/1", 0, 0, GRAFT_EUNREACHABLE, "/repo is not a directory");
    expect_rc(graft_objects_put(objects, "app/l/1", "x", 1, true, &created, &err),
              GRAFT_EUNREACHABLE, &err);
    expect_text(&err, "/repo is not a directory");
    expect_rc(graft_objects_list(objects, "app/", "", 10, collect, &none, &err), GRAFT_EUNREACHABLE,
              &err);
    expect_text(&err, "/repo is not a directory");
}

Test(objects, a_wrong_kind_of_file_at_a_keys_place_is_corrupt_and_named)
{
    bool created = false;
    put("app/l/1");
    cr_assert_eq(mkfifo(graft_test_path(&dir, "repo/app/pipe"), 0600), 0);
    expect_get_fails("app/l", 0, 0, GRAFT_ECORRUPT, "/repo/app/l is not a regular file");
    expect_get_fails("app/pipe", 0, 0, GRAFT_ECORRUPT, "/repo/app/pipe is not a regular file");
    expect_get_fails("app/l/1/2", 0, 0, GRAFT_ECORRUPT, "/repo/app/l/1 is not a directory");
    expect_rc(graft_objects_remove(objects, "app/l", &err), GRAFT_ECORRUPT, &err);
    expect_rc(graft_objects_put(objects, "app/l", "x", 1, true, &created, &err), GRAFT_ECORRUPT,
              &err);
    expect_rc(graft_objects_put(objects, "app/l", "x", 1, false, &created, &err), GRAFT_ECORRUPT,
              &err);
    expect_text(&err, "/repo/app/l is not a regular file");
    expect_rc(graft_objects_put(objects, "app/l/1/2", "x", 1, true, &created, &err), GRAFT_ECORRUPT,
              &err);
    expect_text(&err, "/repo/app/l/1 is not a directory");
    cr_assert_eq(repo_entries(&dir, "repo/_tmp"), 0);
}

Test(objects, other_schemes_say_that_they_are_not_supported_yet)
{
    static const char *const urls[] = {"http://host/app", "https://host/app"};
    for (size_t i = 0; i < 2; i++) {
        struct graft_url url;
        struct graft_objects *none = NULL;
        char scheme[16] = {0};
        memcpy(scheme, urls[i], strcspn(urls[i], "/") + 2);
        expect_ok(graft_url_parse(urls[i], &url, &err), &err);
        expect_rc(graft_objects_open(graft_test_env(), &url, &none, &err), GRAFT_EUNSUPPORTED,
                  &err);
        cr_assert_null(none);
        expect_text(&err, scheme);
        expect_text(&err, "is not supported yet: use a file:// or an s3:// remote");
    }
}

Test(objects, requests_and_bytes_are_counted)
{
    struct keys keys = {.used = 0};
    put("abc");
    cr_assert_not(repo_put(objects, "abc", "12", true));
    expect_range("abc", 1, 0, "bc");
    expect_ok(graft_objects_list(objects, "", "", 10, collect, &keys, &err), &err);
    expect_ok(graft_objects_remove(objects, "abc", &err), &err);
    cr_assert_eq(objects->counts.requests, 5);
    cr_assert_eq(objects->counts.puts, 2);
    cr_assert_eq(objects->counts.gets, 1);
    cr_assert_eq(objects->counts.lists, 1);
    cr_assert_eq(objects->counts.bytes_out, 5);
    cr_assert_eq(objects->counts.bytes_in, 2);
}

/* All rounds of one racer: for each key it tries once, with bytes that say who it is. */
struct racer {
    pthread_t thread;
    struct graft_objects *objects;
    pthread_barrier_t *barrier;
    unsigned id;
    bool won[ROUNDS];
};

static void race_key(unsigned round, char *out, size_t out_bytes)
{
    (void)snprintf(out, out_bytes, "app/l/%016x", round);
}

static void *race(void *arg)
{
    struct racer *racer = arg;
    for (unsigned round = 0; round < ROUNDS; round++) {
        char key[64];
        char bytes[5000];
        race_key(round, key, sizeof key);
        memset(bytes, (int)('a' + racer->id), sizeof bytes);
        (void)pthread_barrier_wait(racer->barrier);
        struct graft_err failure;
        if (graft_objects_put(racer->objects, key, bytes, sizeof bytes, true, &racer->won[round],
                              &failure) != GRAFT_OK)
            abort();
    }
    return NULL;
}

static void expect_winner(unsigned round, unsigned id)
{
    char key[64];
    struct graft_buf buf;
    race_key(round, key, sizeof key);
    expect_ok(get(key, 0, 0, &buf), &err);
    cr_assert_eq(buf.size, 5000);
    for (size_t i = 0; i < buf.size; i++)
        cr_assert_eq(buf.bytes[i], 'a' + id);
    graft_buf_deinit(&buf);
}

Test(objects, of_threads_that_race_for_a_key_exactly_one_wins)
{
    static struct racer racers[RACERS];
    pthread_barrier_t barrier;
    cr_assert_eq(pthread_barrier_init(&barrier, NULL, RACERS), 0);
    for (unsigned i = 0; i < RACERS; i++) {
        /* Half of them share one opener. */
        struct graft_objects *mine = i < RACERS / 2 ? objects : repo_open(graft_test_env(), &dir);
        racers[i] = (struct racer){.objects = mine, .barrier = &barrier, .id = i};
        cr_assert_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < RACERS; i++)
        cr_assert_eq(pthread_join(racers[i].thread, NULL), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned winners = 0;
        for (unsigned i = 0; i < RACERS; i++) {
            if (!racers[i].won[round])
                continue;
            winners++;
            expect_winner(round, i);
        }
        cr_assert_eq(winners, 1, "round %u has %u winners", round, winners);
    }
    cr_assert_eq(repo_entries(&dir, "repo/_tmp"), 0);
    for (unsigned i = RACERS / 2; i < RACERS; i++)
        graft_objects_close(racers[i].objects);
    (void)pthread_barrier_destroy(&barrier);
}

/* A racer of the next test: tries every key and answers with a bit for each that it won. */
static uint64_t race_alone(unsigned id)
{
    uint64_t won = 0;
    struct graft_objects *mine = repo_open(graft_test_env(), &dir);
    for (unsigned round = 0; round < ROUNDS; round++) {
        char key[64];
        char bytes[5000];
        bool created = false;
        struct graft_err failure;
        race_key(round, key, sizeof key);
        memset(bytes, (int)('a' + id), sizeof bytes);
        if (graft_objects_put(mine, key, bytes, sizeof bytes, true, &created, &failure) != GRAFT_OK)
            abort();
        won |= (uint64_t)created << round;
    }
    graft_objects_close(mine);
    return won;
}

Test(objects, of_processes_that_race_for_a_key_exactly_one_wins)
{
    int start[2];
    int answers[RACERS][2];
    pid_t children[RACERS];
    cr_assert_eq(pipe(start), 0);
    for (unsigned i = 0; i < RACERS; i++) {
        cr_assert_eq(pipe(answers[i]), 0);
        children[i] = fork();
        cr_assert(children[i] >= 0);
        if (children[i] != 0)
            continue;
        char byte = 0;
        close(start[1]);
        (void)!read(start[0], &byte, 1); /* ends for all at once, when the parent closes it */
        uint64_t won = race_alone(i);
        _exit(write(answers[i][1], &won, sizeof won) == sizeof won ? 0 : 1);
    }
    close(start[0]);
    close(start[1]);
    uint64_t taken = 0;
    for (unsigned i = 0; i < RACERS; i++) {
        int status = 0;
        uint64_t won = 0;
        cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        cr_assert_eq(read(answers[i][0], &won, sizeof won), (ssize_t)sizeof won);
        cr_assert_eq(taken & won, 0, "a key has two winners");
        taken |= won;
        for (unsigned round = 0; round < ROUNDS; round++)
            if ((won >> round & 1) != 0)
                expect_winner(round, i);
    }
    cr_assert_eq(taken, (1ULL << ROUNDS) - 1, "a key has no winner");
    cr_assert_eq(repo_entries(&dir, "repo/_tmp"), 0);
}
