/* The fault wrappers themselves. */
#include <string.h>

#include "support/expect.h"
#include "support/faultdisk.h"
#include "support/testing.h"

static struct graft_test_dir dir;
static struct graft_fault_env world;
static struct graft_err err;

static void set_up(void)
{
    graft_test_dir_make(&dir);
    graft_fault_env_init(&world, graft_test_env());
}

static void tear_down(void)
{
    graft_test_dir_remove(&dir);
}

TestSuite(faults, .init = set_up, .fini = tear_down);

static struct graft_file *open_new(const char *name)
{
    struct graft_file *file = NULL;
    expect_ok(graft_disk_open(world.env.disk, graft_test_path(&dir, name),
                              GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, &err),
              &err);
    return file;
}

Test(faults, without_a_plan_everything_passes_and_is_counted)
{
    struct graft_file *file = open_new("a");
    expect_ok(graft_file_write(file, 0, "hello", 5, &err), &err);
    expect_ok(graft_file_sync(file, &err), &err);
    char bytes[5];
    size_t got = 0;
    expect_ok(graft_file_read(file, 0, bytes, 5, &got, &err), &err);
    cr_assert_arr_eq(bytes, "hello", 5);
    graft_file_close(file);
    cr_assert_eq(graft_faults_calls(&world.faults, GRAFT_FAULT_ALL), 4);
    cr_assert_eq(graft_faults_calls(&world.faults, GRAFT_FAULT_WRITE | GRAFT_FAULT_SYNC), 2);
}

Test(faults, the_nth_call_of_a_kind_fails_once)
{
    struct graft_file *file = open_new("a");
    graft_faults_arm(&world.faults, GRAFT_FAULT_SYNC, 2, GRAFT_EIO, false);
    expect_ok(graft_file_sync(file, &err), &err);
    expect_ok(graft_file_write(file, 0, "x", 1, &err), &err);
    expect_rc(graft_file_sync(file, &err), GRAFT_EIO, &err);
    cr_assert_not_null(strstr(err.text, "injected fault 2"));
    expect_ok(graft_file_sync(file, &err), &err);
    cr_assert_eq(graft_faults_disarm(&world.faults), 1);
    graft_file_close(file);
}

Test(faults, a_plan_can_go_on_for_good)
{
    struct graft_file *file = open_new("a");
    graft_faults_arm(&world.faults, GRAFT_FAULT_ALL, 2, GRAFT_EFULL, true);
    uint64_t size = 0;
    expect_ok(graft_file_size(file, &size, &err), &err);
    expect_rc(graft_file_truncate(file, 0, &err), GRAFT_EFULL, &err);
    expect_rc(graft_file_allocate(file, 0, 1, &err), GRAFT_EFULL, &err);
    expect_rc(graft_disk_remove(world.env.disk, graft_test_path(&dir, "a"), &err), GRAFT_EFULL,
              &err);
    cr_assert_eq(graft_faults_disarm(&world.faults), 3);
    expect_ok(graft_file_truncate(file, 0, &err), &err);
    graft_file_close(file);
}

Test(faults, a_short_write_leaves_a_prefix)
{
    struct graft_file *file = open_new("a");
    graft_faults_arm_short_write(&world.faults, 1, 4);
    struct graft_span spans[] = {{"abc", 3}, {"defgh", 5}};
    expect_rc(graft_file_writev(file, 0, spans, 2, &err), GRAFT_EFULL, &err);
    graft_faults_disarm(&world.faults);
    char bytes[10];
    size_t got = 0;
    expect_ok(graft_file_read(file, 0, bytes, sizeof bytes, &got, &err), &err);
    cr_assert_eq(got, 4);
    cr_assert_arr_eq(bytes, "abcd", 4);
    graft_file_close(file);
}

Test(faults, a_sweep_over_replace_file_finds_the_old_or_the_new_content)
{
    const char *path = graft_test_path(&dir, "a");
    struct graft_alloc *alloc = world.env.alloc;
    expect_ok(graft_disk_replace_file(world.env.disk, path, "old", 3, &err), &err);
    uint64_t nth = 1;
    for (;; nth++) {
        graft_faults_arm(&world.faults, GRAFT_FAULT_ALL, nth, GRAFT_EIO, false);
        enum graft_rc rc = graft_disk_replace_file(world.env.disk, path, "new", 3, &err);
        if (graft_faults_disarm(&world.faults) == 0) {
            cr_assert_eq(rc, GRAFT_OK);
            break;
        }
        cr_assert_eq(rc, GRAFT_EIO);
        uint8_t *bytes = NULL;
        size_t size = 0;
        expect_ok(graft_disk_read_file(world.env.disk, alloc, path, 100, &bytes, &size, &err),
                  &err);
        cr_assert(size == 3 && (memcmp(bytes, "old", 3) == 0 || memcmp(bytes, "new", 3) == 0));
        graft_free(alloc, bytes);
        struct graft_entry entry;
        cr_assert_eq(graft_disk_stat(world.env.disk, graft_test_path(&dir, "a.new"), &entry, NULL),
                     GRAFT_ENOTFOUND, "no left-over after fault %lu", (unsigned long)nth);
    }
    cr_assert_eq(nth, 7, "open, truncate, write, sync, rename, sync of the directory");
    cr_assert_eq(world.alloc.live, 0);
}

Test(faults, a_sweep_over_make_directories_can_be_repeated_to_success)
{
    const char *path = graft_test_path(&dir, "x/y/z");
    uint64_t nth = 1;
    for (;; nth++) {
        graft_faults_arm(&world.faults, GRAFT_FAULT_MAKE_DIRECTORY | GRAFT_FAULT_SYNC_DIRECTORY,
                         nth, GRAFT_EIO, false);
        enum graft_rc rc = graft_disk_make_directories(world.env.disk, path, &err);
        bool failed = graft_faults_disarm(&world.faults) > 0;
        cr_assert_eq(rc, failed ? GRAFT_EIO : GRAFT_OK);
        graft_test_remove(graft_test_path(&dir, "x"));
        if (!failed)
            break;
    }
    cr_assert_eq(nth, 7, "three levels, each made and synced");
}

Test(faults, running_out_of_memory_in_read_file_travels_up)
{
    const char *path = graft_test_path(&dir, "a");
    expect_ok(graft_disk_replace_file(world.env.disk, path, "text", 4, &err), &err);
    uint8_t *bytes = NULL;
    size_t size = 0;
    graft_faultalloc_arm(&world.alloc, 1, false);
    expect_rc(graft_disk_read_file(world.env.disk, world.env.alloc, path, 100, &bytes, &size, &err),
              GRAFT_ENOMEM, &err);
    cr_assert_eq(graft_faultalloc_disarm(&world.alloc), 1);
    cr_assert_null(bytes);
    cr_assert_eq(world.alloc.live, 0);
}

Test(faults, shared_memory_fails_by_the_same_plan)
{
    struct graft_map *map = NULL;
    struct graft_locks *locks = NULL;
    _Atomic uint64_t *words = NULL;
    bool granted = false;
    struct graft_shm *shm = world.env.shm;
    const char *path = graft_test_path(&dir, "words");
    graft_faults_arm(&world.faults, GRAFT_FAULT_OPEN, 1, GRAFT_EDENIED, false);
    expect_rc(graft_map_open(shm, path, true, &map, &err), GRAFT_EDENIED, &err);
    expect_ok(graft_map_open(shm, path, true, &map, &err), &err);
    expect_ok(graft_locks_open(shm, graft_test_path(&dir, "locks"), &locks, &err), &err);
    graft_faults_arm(&world.faults, GRAFT_FAULT_ALL, 1, GRAFT_EFULL, true);
    expect_rc(graft_map_resize(map, 4096, &err), GRAFT_EFULL, &err);
    expect_rc(graft_map_allocate(map, 0, 4096, &err), GRAFT_EFULL, &err);
    expect_rc(graft_map_sync(map, 0, 0, &err), GRAFT_EFULL, &err);
    expect_rc(graft_map_view(map, 0, 4096, &words, &err), GRAFT_EFULL, &err);
    expect_rc(graft_lock_try(locks, 0, true, &granted, &err), GRAFT_EFULL, &err);
    cr_assert_eq(graft_faults_disarm(&world.faults), 5);
    expect_ok(graft_map_allocate(map, 0, 4096, &err), &err);
    expect_ok(graft_map_view(map, 0, 4096, &words, &err), &err);
    graft_shm_store(shm, words, 4);
    cr_assert_eq(graft_shm_load(words), 4);
    expect_ok(graft_lock_try(locks, 0, true, &granted, &err), &err);
    cr_assert(granted);
    graft_lock_release(locks, 0);
    graft_locks_close(locks);
    graft_map_close(map);
}
