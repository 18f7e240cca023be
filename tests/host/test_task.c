/* Tasks, and the seams that need no file: clock, randomness, log, assembly. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "host/host.h"
#include "support/expect.h"
#include "support/testing.h"

static struct graft_err err;

struct shared {
    struct graft_mutex *mutex;
    struct graft_cond *cond;
    uint64_t count;
    bool go;
};

static void shared_init(struct shared *shared)
{
    struct graft_tasks *tasks = graft_test_env()->tasks;
    *shared = (struct shared){.count = 0};
    cr_assert_eq(graft_mutex_new(tasks, &shared->mutex), GRAFT_OK);
    cr_assert_eq(graft_cond_new(tasks, &shared->cond), GRAFT_OK);
}

static void shared_deinit(struct shared *shared)
{
    graft_cond_free(shared->cond);
    graft_mutex_free(shared->mutex);
}

static void count_up(void *arg)
{
    struct shared *shared = arg;
    for (unsigned i = 0; i < 10000; i++) {
        graft_mutex_lock(shared->mutex);
        shared->count++;
        graft_mutex_unlock(shared->mutex);
    }
}

Test(task, a_mutex_lets_one_task_in)
{
    enum { tasks_count = 8 };
    struct shared shared;
    shared_init(&shared);
    struct graft_task *tasks[tasks_count];
    for (unsigned i = 0; i < tasks_count; i++)
        expect_ok(
            graft_task_spawn(graft_test_env()->tasks, "count", count_up, &shared, &tasks[i], &err),
            &err);
    for (unsigned i = 0; i < tasks_count; i++)
        graft_task_join(tasks[i]);
    cr_assert_eq(shared.count, tasks_count * 10000);
    shared_deinit(&shared);
}

static void wait_for_go(void *arg)
{
    struct shared *shared = arg;
    graft_mutex_lock(shared->mutex);
    shared->count++;
    graft_cond_broadcast(shared->cond);
    while (!shared->go)
        (void)graft_cond_wait(shared->cond, shared->mutex, GRAFT_WAIT_FOREVER);
    graft_mutex_unlock(shared->mutex);
}

Test(task, a_broadcast_wakes_all_waiters, .timeout = 30)
{
    struct shared shared;
    shared_init(&shared);
    struct graft_task *tasks[3];
    for (unsigned i = 0; i < 3; i++)
        expect_ok(graft_task_spawn(graft_test_env()->tasks, "a task with a rather long name",
                                   wait_for_go, &shared, &tasks[i], &err),
                  &err);
    graft_mutex_lock(shared.mutex);
    while (shared.count < 3)
        (void)graft_cond_wait(shared.cond, shared.mutex, GRAFT_WAIT_FOREVER);
    shared.go = true;
    graft_cond_broadcast(shared.cond);
    graft_mutex_unlock(shared.mutex);
    for (unsigned i = 0; i < 3; i++)
        graft_task_join(tasks[i]);
    shared_deinit(&shared);
}

Test(task, a_wait_for_nothing_times_out)
{
    struct shared shared;
    shared_init(&shared);
    struct graft_clock *clock = graft_test_env()->clock;
    uint64_t start = graft_clock_monotonic_us(clock);
    graft_mutex_lock(shared.mutex);
    while (graft_cond_wait(shared.cond, shared.mutex, 30)) {
    }
    graft_mutex_unlock(shared.mutex);
    cr_assert_geq(graft_clock_monotonic_us(clock) - start, 30000);
    shared_deinit(&shared);
}

Test(task, sleep_lasts_as_long_as_asked)
{
    struct graft_env *env = graft_test_env();
    uint64_t start = graft_clock_monotonic_us(env->clock);
    graft_task_sleep_ms(env->tasks, 20);
    cr_assert_geq(graft_clock_monotonic_us(env->clock) - start, 20000);
}

static void read_signal_mask(void *arg)
{
    (void)pthread_sigmask(SIG_BLOCK, NULL, arg);
}

Test(task, a_task_takes_no_signals_of_the_program)
{
    sigset_t mask;
    sigemptyset(&mask);
    struct graft_task *task = NULL;
    expect_ok(
        graft_task_spawn(graft_test_env()->tasks, "mask", read_signal_mask, &mask, &task, &err),
        &err);
    graft_task_join(task);
    cr_assert(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGALRM));
    cr_assert(!sigismember(&mask, SIGSEGV));
    sigset_t own;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &own);
    cr_assert(!sigismember(&own, SIGTERM), "the spawner's mask is as before");
}

Test(clock, wall_time_is_this_century)
{
    uint64_t now = graft_clock_now_ms(graft_test_env()->clock);
    cr_assert_gt(now, 1700000000000ULL);
    cr_assert_lt(now, 4102444800000ULL);
}

Test(clock, monotonic_time_never_goes_back)
{
    struct graft_clock *clock = graft_test_env()->clock;
    uint64_t last = graft_clock_monotonic_us(clock);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t now = graft_clock_monotonic_us(clock);
        cr_assert_geq(now, last);
        last = now;
    }
}

Test(rand, numbers_differ_and_fill_all_bytes)
{
    struct graft_rand *rand = graft_test_env()->rand;
    cr_assert_neq(graft_rand_u64(rand), graft_rand_u64(rand));
    static unsigned char bytes[4096];
    graft_rand_fill(rand, bytes, sizeof bytes);
    unsigned zeros = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        zeros += bytes[i] == 0;
    cr_assert_lt(zeros, 200);
    graft_rand_fill(rand, NULL, 0);
}

struct heard {
    unsigned count;
    enum graft_log_level level;
    char text[2000];
};

static void hear(void *arg, enum graft_log_level level, const char *text)
{
    struct heard *heard = arg;
    heard->count++;
    heard->level = level;
    strcpy(heard->text, text);
}

Test(log, lines_go_to_the_embedder)
{
    struct heard heard = {0};
    struct graft_host *host = NULL;
    struct graft_host_options options = {.log_line = hear, .log_arg = &heard};
    expect_ok(graft_host_new(&options, &host, &err), &err);
    graft_log_write(graft_host_env(host)->log, GRAFT_LOG_DEBUG, "page %d", 7);
    cr_assert_eq(heard.count, 1);
    cr_assert_eq(heard.level, GRAFT_LOG_DEBUG);
    cr_assert_str_eq(heard.text, "page 7");
    graft_host_free(host);
}

Test(log, a_long_line_is_cut)
{
    struct heard heard = {0};
    struct graft_host *host = NULL;
    struct graft_host_options options = {.log_line = hear, .log_arg = &heard};
    expect_ok(graft_host_new(&options, &host, &err), &err);
    graft_log_write(graft_host_env(host)->log, GRAFT_LOG_ERROR, "%5000s", "x");
    cr_assert_eq(strlen(heard.text), 1023);
    graft_host_free(host);
}

Test(host, an_environment_is_whole_and_can_be_made_twice)
{
    struct graft_host *one = NULL;
    struct graft_host *two = NULL;
    expect_ok(graft_host_new(NULL, &one, &err), &err);
    expect_ok(graft_host_new(NULL, &two, &err), &err);
    struct graft_env *env = graft_host_env(one);
    cr_assert(env->alloc && env->clock && env->rand && env->disk && env->shm && env->net &&
              env->tasks && env->log);
    cr_assert_neq(env, graft_host_env(two));
    graft_host_free(one);
    graft_host_free(two);
    graft_host_free(NULL);
}
