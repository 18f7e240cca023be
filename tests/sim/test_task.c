/* Fibers, processes, and the scheduler. */
#include <string.h>

#include "sim/explore.h"
#include "sim/scene.h"

static struct scene scene;

static void tear_down(void)
{
    scene_end(&scene);
}

TestSuite(sim_task, .fini = tear_down);

/* ---- Tasks, mutexes, conditions. */

struct counter {
    struct sim_process *process;
    struct graft_env *env;
    struct graft_mutex *mutex;
    struct graft_cond *cond;
    int value;
    int inside;
    bool guarded;
};

static void count_up(void *arg)
{
    struct counter *counter = arg;
    for (int i = 0; i < 50; i++) {
        if (counter->guarded)
            graft_mutex_lock(counter->mutex);
        int seen = counter->value;
        counter->inside++;
        cr_assert(!counter->guarded || counter->inside == 1);
        sim_yield(sim_process_world(counter->process));
        counter->inside--;
        counter->value = seen + 1;
        if (counter->guarded)
            graft_mutex_unlock(counter->mutex);
    }
}

static void run_counters(struct sim_process *process, void *arg)
{
    struct counter *counter = arg;
    struct graft_task *tasks[4];
    counter->process = process;
    counter->env = sim_process_env(process);
    cr_assert_eq(graft_mutex_new(counter->env->tasks, &counter->mutex), GRAFT_OK);
    for (int i = 0; i < 4; i++)
        expect_ok(
            graft_task_spawn(counter->env->tasks, "count", count_up, counter, &tasks[i], NULL),
            (struct graft_err *)NULL);
    for (int i = 0; i < 4; i++)
        graft_task_join(tasks[i]);
    graft_mutex_free(counter->mutex);
}

Test(sim_task, a_mutex_lets_one_fiber_in_at_a_time)
{
    struct counter counter = {.guarded = true};
    scene_begin(&scene, 1);
    scene_run(&scene, run_counters, &counter);
    cr_assert_eq(counter.value, 200);
}

Test(sim_task, without_a_mutex_updates_are_lost)
{
    struct counter counter = {.guarded = false};
    scene_begin(&scene, 1);
    scene_run(&scene, run_counters, &counter);
    cr_assert_lt(counter.value, 200);
}

Test(sim_task, priorities_finish_the_same_work)
{
    struct counter counter = {.guarded = true};
    sim_plan_calm(&scene.plan, 3);
    scene.plan.policy = SIM_POLICY_PCT;
    scene.plan.depth = 3;
    scene.plan.steps = 500;
    scene_begin_planned(&scene);
    scene_run(&scene, run_counters, &counter);
    cr_assert_eq(counter.value, 200);
}

static void wait_for_ten(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_mutex *mutex = NULL;
    struct graft_cond *cond = NULL;
    (void)arg;
    cr_assert_eq(graft_mutex_new(env->tasks, &mutex), GRAFT_OK);
    cr_assert_eq(graft_cond_new(env->tasks, &cond), GRAFT_OK);
    graft_mutex_lock(mutex);
    uint64_t before = sim_world_now_ns(sim_process_world(process));
    cr_assert(!graft_cond_wait(cond, mutex, 250));
    uint64_t passed = sim_world_now_ns(sim_process_world(process)) - before;
    cr_assert(passed >= 250 * SIM_MS && passed < 251 * SIM_MS);
    graft_mutex_unlock(mutex);
    graft_cond_free(cond);
    graft_mutex_free(mutex);
}

Test(sim_task, a_wait_ends_when_its_virtual_time_is_over)
{
    scene_begin(&scene, 1);
    scene_run(&scene, wait_for_ten, NULL);
}

static void sleep_a_year(struct sim_process *process, void *arg)
{
    (void)arg;
    for (int i = 0; i < 365; i++)
        graft_task_sleep_ms(sim_process_env(process)->tasks, 86400000);
}

Test(sim_task, a_year_passes_at_once)
{
    scene_begin(&scene, 1);
    scene_run(&scene, sleep_a_year, NULL);
    cr_assert_geq(sim_world_now_ns(scene.world), 365 * UINT64_C(86400) * SIM_SECOND);
}

static void use_deep_stack(struct sim_process *process, void *arg)
{
    volatile char space[100 << 10];
    memset((char *)space, 7, sizeof space);
    sim_yield(sim_process_world(process));
    for (size_t i = 0; i < sizeof space; i++)
        cr_assert_eq(space[i], 7);
    (*(int *)arg)++;
}

Test(sim_task, stacks_are_apart_and_reused)
{
    int done = 0;
    scene_begin(&scene, 1);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++)
            sim_process_start(scene.machine, "deep", use_deep_stack, &done);
        scene_expect(&scene, SIM_FINISHED);
    }
    cr_assert_eq(done, 60);
}

/* ---- Deadlocks. */

struct forks {
    struct sim_process *process;
    struct graft_mutex *left, *right;
};

static void take_right_first(void *arg)
{
    struct forks *forks = arg;
    graft_mutex_lock(forks->right);
    sim_sleep_ns(sim_process_world(forks->process), SIM_SECOND);
    graft_mutex_lock(forks->left);
}

static void take_left_first(struct sim_process *process, void *arg)
{
    struct forks *forks = arg;
    struct graft_env *env = sim_process_env(process);
    struct graft_task *task = NULL;
    forks->process = process;
    cr_assert_eq(graft_mutex_new(env->tasks, &forks->left), GRAFT_OK);
    cr_assert_eq(graft_mutex_new(env->tasks, &forks->right), GRAFT_OK);
    graft_mutex_lock(forks->left);
    expect_ok(graft_task_spawn(env->tasks, "other", take_right_first, forks, &task, NULL),
              (struct graft_err *)NULL);
    sim_sleep_ns(sim_process_world(process), SIM_SECOND);
    graft_mutex_lock(forks->right);
}

Test(sim_task, a_deadlock_names_each_fiber_and_what_it_waits_for)
{
    struct forks forks = {0};
    scene_begin(&scene, 1);
    sim_process_start(scene.machine, "diner", take_left_first, &forks);
    scene_expect(&scene, SIM_DEADLOCKED);
    const char *report = sim_world_report(scene.world);
    cr_assert_not_null(strstr(report, "a/diner fiber diner"), "%s", report);
    cr_assert_not_null(strstr(report, "a/diner fiber other"), "%s", report);
    cr_assert_not_null(strstr(report, "waits for a mutex 2"), "%s", report);
}

/* ---- Processes. */

static void hold_everything(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_file *file = NULL;
    struct graft_map *map = NULL;
    struct graft_locks *locks = NULL;
    struct graft_task *task = NULL;
    struct graft_mutex *mutex = NULL;
    bool granted = false;
    struct counter *counter = arg;
    counter->process = process;
    void *memory = graft_malloc(env->alloc, 100);
    cr_assert_not_null(memory);
    cr_assert_eq(graft_mutex_new(env->tasks, &mutex), GRAFT_OK);
    cr_assert_eq(
        graft_disk_open(env->disk, "/f", GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, NULL),
        GRAFT_OK);
    cr_assert_eq(graft_map_open(env->shm, "/m", true, &map, NULL), GRAFT_OK);
    cr_assert_eq(graft_locks_open(env->shm, "/l", &locks, NULL), GRAFT_OK);
    cr_assert_eq(graft_lock_try(locks, 3, true, &granted, NULL), GRAFT_OK);
    cr_assert(granted);
    cr_assert_eq(graft_task_spawn(env->tasks, "sub", count_up, counter, &task, NULL), GRAFT_OK);
    sim_sleep_ns(sim_process_world(process), SIM_FOREVER / 4);
}

static void try_lock_three(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_locks *locks = NULL;
    cr_assert_eq(graft_locks_open(env->shm, "/l", &locks, NULL), GRAFT_OK);
    cr_assert_eq(graft_lock_try(locks, 3, true, arg, NULL), GRAFT_OK);
    graft_locks_close(locks);
}

Test(sim_task, killing_a_process_frees_all_that_it_held)
{
    struct counter counter = {0};
    bool granted = true;
    scene_begin(&scene, 1);
    struct sim_process *process =
        sim_process_start(scene.machine, "holder", hold_everything, &counter);
    cr_assert_eq(sim_world_run(scene.world, SIM_SECOND), SIM_TIMED_OUT);
    struct sim_holdings holdings;
    sim_process_holdings(process, &holdings);
    cr_assert(holdings.files == 1 && holdings.maps == 1 && holdings.locks == 1 &&
              holdings.tasks == 1 && holdings.mutexes == 1 && holdings.blocks > 5);
    sim_process_start(scene.machine, "other", try_lock_three, &granted);
    cr_assert_eq(sim_world_run(scene.world, 2 * SIM_SECOND), SIM_TIMED_OUT);
    cr_assert(!granted);
    sim_process_kill(process);
    cr_assert(sim_process_was_killed(process));
    sim_process_start(scene.machine, "other", try_lock_three, &granted);
    scene_expect(&scene, SIM_FINISHED);
    cr_assert(granted);
}

Test(sim_task, what_a_process_leaves_behind_is_counted)
{
    struct counter counter = {0};
    scene_begin(&scene, 1);
    struct sim_process *process =
        sim_process_start(scene.machine, "holder", hold_everything, &counter);
    scene_expect(&scene, SIM_FINISHED);
    struct sim_holdings left;
    sim_process_holdings(process, &left);
    cr_assert(!sim_holdings_are_none(&left));
    cr_assert(left.files == 1 && left.maps == 1 && left.locks == 1 && left.mutexes == 1);
}

static void write_twice(struct sim_process *process, void *arg)
{
    struct graft_disk *disk = sim_process_env(process)->disk;
    struct graft_file *file = NULL;
    (void)arg;
    cr_assert_eq(graft_disk_open(disk, "/f", GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, NULL),
                 GRAFT_OK);
    cr_assert_eq(graft_file_write(file, 0, "one", 3, NULL), GRAFT_OK);
    cr_assert_eq(graft_file_write(file, 3, "two", 3, NULL), GRAFT_OK);
    graft_file_close(file);
}

Test(sim_task, a_process_can_be_killed_at_every_yield_point)
{
    uint64_t lengths_seen = 0;
    scene_begin(&scene, 1);
    for (uint64_t points = 1;; points++) {
        struct sim_process *process = sim_process_start(scene.machine, "writer", write_twice, NULL);
        sim_process_kill_at(process, points);
        scene_expect(&scene, SIM_FINISHED);
        uint64_t size = sim_disk_peek_size(sim_machine_disk(scene.machine), "/f", false);
        lengths_seen |= UINT64_C(1) << (size == UINT64_MAX ? 63 : size);
        bool killed = sim_process_was_killed(process);
        scene_again(&scene);
        if (!killed)
            break;
        cr_assert_lt(points, 100);
    }
    cr_assert_eq(lengths_seen, UINT64_C(1) << 63 | 1 | 1 << 3 | 1 << 6);
}

static void tick(struct sim_process *process, void *arg)
{
    for (;;) {
        sim_sleep_ns(sim_process_world(process), SIM_SECOND);
        ++*(int *)arg;
    }
}

Test(sim_task, a_paused_process_stands_still_while_time_goes_on)
{
    int ticks = 0;
    scene_begin(&scene, 1);
    struct sim_process *process = sim_process_start(scene.machine, "ticker", tick, &ticks);
    cr_assert_eq(sim_world_run(scene.world, 5 * SIM_SECOND + SIM_MS), SIM_TIMED_OUT);
    cr_assert_eq(ticks, 5);
    sim_process_pause(process);
    (void)sim_world_run(scene.world, 60 * SIM_SECOND);
    cr_assert_eq(ticks, 5);
    sim_process_resume(process);
    cr_assert_eq(sim_world_run(scene.world, 62 * SIM_SECOND), SIM_TIMED_OUT);
    cr_assert_geq(ticks, 6);
}

static void kill_self(struct sim_process *process, void *arg)
{
    sim_process_kill(process);
    ++*(int *)arg;
}

static void crash_self(struct sim_process *process, void *arg)
{
    sim_machine_crash(sim_process_machine(process));
    ++*(int *)arg;
}

Test(sim_task, who_kills_itself_does_not_come_back)
{
    int came_back = 0;
    scene_begin(&scene, 1);
    sim_process_start(scene.machine, "a", kill_self, &came_back);
    scene_expect(&scene, SIM_FINISHED);
    sim_process_start(scene.machine, "b", crash_self, &came_back);
    scene_expect(&scene, SIM_FINISHED);
    cr_assert_eq(came_back, 0);
    cr_assert(!sim_machine_is_up(scene.machine));
    sim_machine_restart(scene.machine);
    sim_process_start(scene.machine, "c", kill_self, &came_back);
    scene_expect(&scene, SIM_FINISHED);
}

static void fail_assertion(struct sim_process *process, void *arg)
{
    (void)arg;
    graft_task_sleep_ms(sim_process_env(process)->tasks, GRAFT_WAIT_FOREVER);
}

Test(sim_task, a_broken_assertion_of_core_fails_the_run_and_not_the_program)
{
    scene_begin(&scene, 1);
    sim_process_start(scene.machine, "a", fail_assertion, NULL);
    scene_expect(&scene, SIM_FAILED);
    cr_assert_not_null(strstr(sim_world_report(scene.world), "assertion failed"));
}

static void spin(struct sim_process *process, void *arg)
{
    (void)arg;
    for (;;)
        sim_yield(sim_process_world(process));
}

Test(sim_task, a_process_that_spins_is_a_runaway)
{
    scene_begin(&scene, 1);
    sim_world_set_steps_max(scene.world, 10000);
    sim_process_start(scene.machine, "a", spin, NULL);
    scene_expect(&scene, SIM_RUNAWAY);
}

static void allocate(struct sim_process *process, void *arg)
{
    struct graft_alloc *alloc = sim_process_env(process)->alloc;
    int *failed = arg;
    sim_process_fail_alloc(process, 3, false);
    for (int i = 1; i <= 5; i++) {
        void *memory = graft_malloc(alloc, 10);
        if (memory == NULL)
            *failed = i;
        graft_free(alloc, memory);
    }
}

Test(sim_task, the_nth_allocation_fails)
{
    int failed = 0;
    scene_begin(&scene, 1);
    scene_run(&scene, allocate, &failed);
    cr_assert_eq(failed, 3);
    cr_assert_eq(scene_fired(&scene, SIM_FAULT_alloc_fail), 1);
}

/* ---- Clocks. */

static void watch_clocks(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    int64_t *odd = arg;
    uint64_t world_ns = sim_world_now_ns(sim_process_world(process));
    uint64_t monotonic_us = graft_clock_monotonic_us(env->clock);
    uint64_t last_us = monotonic_us;
    for (int i = 0; i < 100; i++) {
        graft_task_sleep_ms(env->tasks, 1000);
        uint64_t now_us = graft_clock_monotonic_us(env->clock);
        cr_assert(now_us >= last_us + 999000 && now_us <= last_us + 1001000,
                  "a second of the machine is a second for it");
        last_us = now_us;
    }
    uint64_t passed_ns = sim_world_now_ns(sim_process_world(process)) - world_ns;
    odd[0] = (int64_t)(last_us - monotonic_us) - (int64_t)(passed_ns / 1000);
    odd[1] = (int64_t)graft_clock_now_ms(env->clock) - INT64_C(1717200100000);
}

Test(sim_task, clocks_are_off_drift_and_jump)
{
    int skewed = 0;
    int drifting = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        int64_t odd[2] = {0};
        sim_plan_calm(&scene.plan, seed);
        scene.plan.rate_ppm[SIM_FAULT_clock_skew] = 1000000;
        scene.plan.rate_ppm[SIM_FAULT_clock_drift] = 1000000;
        if (scene.pool != NULL)
            scene_end(&scene);
        scene_begin_planned(&scene);
        scene_run(&scene, watch_clocks, odd);
        drifting += odd[0] > 10000 || odd[0] < -10000;
        skewed += odd[1] > 10000 || odd[1] < -10000;
        cr_assert(odd[0] >= -2100000 && odd[0] <= 2100000);
    }
    cr_assert(drifting > 2 && skewed > 2, "%d drift, %d are off", drifting, skewed);
    uint64_t before = sim_machine_now_ms(scene.machine);
    sim_machine_jump_clock(scene.machine, -5000);
    cr_assert_eq(sim_machine_now_ms(scene.machine), before - 5000);
}

/* ---- All schedules. */

static void lose_update(void *arg)
{
    struct counter *counter = arg;
    int seen = counter->value;
    sim_yield(sim_process_world(counter->process));
    counter->value = seen + 1;
}

static void run_two(struct sim_process *process, void *arg)
{
    struct counter *counter = arg;
    struct graft_task *task = NULL;
    counter->process = process;
    cr_assert_eq(
        graft_task_spawn(sim_process_env(process)->tasks, "two", lose_update, counter, &task, NULL),
        GRAFT_OK);
    lose_update(counter);
    graft_task_join(task);
}

Test(sim_task, a_small_scenario_is_tried_in_every_order)
{
    int seen[3] = {0};
    scene.pool = sim_pool_new();
    scene.world = NULL;
    sim_plan_calm(&scene.plan, 1);
    scene.plan.policy = SIM_POLICY_GIVEN;
    struct sim_explorer *explorer = sim_explorer_new(SIM_NO_BOUND);
    do {
        struct counter counter = {0};
        scene_again(&scene);
        sim_explorer_attach(explorer, scene.world);
        scene_run(&scene, run_two, &counter);
        seen[counter.value]++;
        cr_assert_lt(sim_explorer_runs(explorer), 1000);
    } while (sim_explorer_next(explorer));
    cr_assert_eq(seen[0], 0);
    cr_assert_gt(seen[1], 0, "some order loses an update");
    cr_assert_gt(seen[2], 0, "some order does not");
    cr_assert_eq(sim_explorer_runs(explorer), (uint64_t)(seen[1] + seen[2]));
    sim_explorer_free(explorer);
}

Test(sim_task, a_bound_on_preemptions_leaves_fewer_schedules)
{
    uint64_t runs[2];
    scene.pool = sim_pool_new();
    scene.world = NULL;
    sim_plan_calm(&scene.plan, 1);
    scene.plan.policy = SIM_POLICY_GIVEN;
    for (uint32_t bound = 0; bound < 2; bound++) {
        struct sim_explorer *explorer = sim_explorer_new(bound);
        do {
            struct counter counter = {0};
            scene_again(&scene);
            sim_explorer_attach(explorer, scene.world);
            scene_run(&scene, run_two, &counter);
            cr_assert(bound > 0 || counter.value == 2);
        } while (sim_explorer_next(explorer));
        runs[bound] = sim_explorer_runs(explorer);
        sim_explorer_free(explorer);
    }
    cr_assert_lt(runs[0], runs[1]);
}
