/* Running out of memory in the host: each seam answers ENOMEM, and keeps nothing. */
#include <stdio.h>

#include "host/parts.h"
#include "host/server.h"
#include "support/expect.h"
#include "support/faultalloc.h"
#include "support/testing.h"

static struct graft_test_dir dir;
static struct graft_faultalloc alloc;
static struct graft_err err;

static void set_up(void)
{
    graft_test_dir_make(&dir);
    graft_faultalloc_init(&alloc, graft_test_env()->alloc);
}

static void tear_down(void)
{
    graft_test_dir_remove(&dir);
}

TestSuite(memory, .init = set_up, .fini = tear_down, .timeout = 60);

static void expect_nothing_held(void)
{
    cr_assert_eq(graft_faultalloc_disarm(&alloc), 1);
    cr_assert_eq(alloc.live, 0);
}

Test(memory, opening_a_file_without_memory_makes_none)
{
    struct graft_host_disk disk;
    struct graft_file *file = NULL;
    const char *path = graft_test_path(&dir, "a");
    graft_host_disk_init(&disk, &alloc.alloc);
    graft_faultalloc_arm(&alloc, 1, false);
    expect_rc(graft_disk_open(&disk.disk, path, GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, &err),
              GRAFT_ENOMEM, &err);
    cr_assert_null(file);
    expect_nothing_held();
    struct graft_entry entry;
    expect_rc(graft_disk_stat(&disk.disk, path, &entry, &err), GRAFT_ENOTFOUND, &err);
}

Test(memory, maps_and_locks_without_memory_are_not_opened)
{
    struct graft_host_shm shm;
    struct graft_map *map = NULL;
    struct graft_locks *locks = NULL;
    graft_host_shm_init(&shm, &alloc.alloc);
    graft_faultalloc_arm(&alloc, 1, false);
    expect_rc(graft_map_open(&shm.shm, graft_test_path(&dir, "map"), true, &map, &err),
              GRAFT_ENOMEM, &err);
    expect_nothing_held();
    graft_faultalloc_arm(&alloc, 1, false);
    expect_rc(graft_locks_open(&shm.shm, graft_test_path(&dir, "locks"), &locks, &err),
              GRAFT_ENOMEM, &err);
    expect_nothing_held();
}

static void do_nothing(void *arg)
{
    (void)arg;
}

Test(memory, tasks_mutexes_and_conditions_without_memory_are_not_made)
{
    struct graft_host_tasks tasks;
    struct graft_task *task = NULL;
    struct graft_mutex *mutex = NULL;
    struct graft_cond *cond = NULL;
    graft_host_tasks_init(&tasks, &alloc.alloc);
    graft_faultalloc_arm(&alloc, 1, false);
    expect_rc(graft_task_spawn(&tasks.tasks, "none", do_nothing, NULL, &task, &err), GRAFT_ENOMEM,
              &err);
    expect_nothing_held();
    graft_faultalloc_arm(&alloc, 1, false);
    cr_assert_eq(graft_mutex_new(&tasks.tasks, &mutex), GRAFT_ENOMEM);
    expect_nothing_held();
    graft_faultalloc_arm(&alloc, 1, false);
    cr_assert_eq(graft_cond_new(&tasks.tasks, &cond), GRAFT_ENOMEM);
    expect_nothing_held();
}

Test(memory, an_exchange_fails_at_each_allocation_and_works_at_the_next_try)
{
    char url[128];
    snprintf(url, sizeof url, "%s/hello", server_start());
    for (uint64_t nth = 1;; nth++) {
        struct graft_net *net = NULL;
        struct graft_exchange *exchange = NULL;
        struct graft_request request = {.method = "GET", .url = url, .stall_timeout_ms = 20000};
        expect_ok(graft_host_net_new(&alloc.alloc, &net, &err), &err);
        graft_faultalloc_arm(&alloc, nth, false);
        enum graft_rc rc = graft_net_start(net, &request, &exchange, &err);
        bool failed = graft_faultalloc_disarm(&alloc) > 0;
        cr_assert_eq(rc, failed ? GRAFT_ENOMEM : GRAFT_OK, "%s", err.text);
        if (failed)
            expect_ok(graft_net_start(net, &request, &exchange, &err), &err);
        cr_assert_str_eq(graft_exchange_header(exchange, "etag"), "\"e\"");
        graft_exchange_finish(exchange);
        graft_host_net_free(net);
        cr_assert_eq(alloc.live, 0);
        if (!failed) {
            cr_assert_geq(nth, 3, "at least the session and its head were tried");
            break;
        }
    }
}
