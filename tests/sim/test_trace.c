/* That a seed is a run: hashes repeat, and what does not repeat is found. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/busy.h"
#include "sim/scene.h"
#include "sim/sqlite.h"

static struct sim_pool *pool;

static void set_up(void)
{
    sim_sqlite_setup();
    pool = sim_pool_new();
}

static void tear_down(void)
{
    sim_pool_free(pool);
}

TestSuite(sim_trace, .init = set_up, .fini = tear_down, .timeout = 120);

static uint64_t run_seed(uint64_t seed)
{
    struct sim_plan plan;
    struct busy busy;
    sim_plan_draw(&plan, seed);
    struct sim_world *world = sim_world_new(pool, &plan);
    busy_begin(&busy, world, 4);
    enum sim_outcome outcome = sim_world_run(world, SIM_FOREVER);
    cr_assert(outcome == SIM_STOPPED, "seed %lu: %s: %s", (unsigned long)seed,
              sim_outcome_name(outcome), sim_world_report(world));
    uint64_t hash = sim_world_hash(world);
    sim_world_free(world);
    busy_end(&busy);
    return hash;
}

Test(sim_trace, a_seed_has_the_same_hash_every_time)
{
    uint64_t last = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t hash = run_seed(seed);
        cr_assert_eq(hash, run_seed(seed), "seed %lu", (unsigned long)seed);
        cr_assert_neq(hash, last);
        last = hash;
    }
}

/* Memory lies elsewhere, and holds something else, in a process that did other things before. */
Test(sim_trace, a_seed_has_the_same_hash_whatever_came_before)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        int ends[2];
        uint64_t there = 0;
        cr_assert_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            for (size_t i = 1; i < 200; i++)
                memset(malloc(i * 37), (int)i, i * 37);
            (void)run_seed(seed + 100);
            there = run_seed(seed);
            _exit(write(ends[1], &there, sizeof there) == sizeof there ? 0 : 1);
        }
        cr_assert_gt(child, 0);
        cr_assert_eq(read(ends[0], &there, sizeof there), (ssize_t)sizeof there);
        cr_assert_eq(there, run_seed(seed));
        (void)waitpid(child, NULL, 0);
        close(ends[0]);
        close(ends[1]);
    }
}

/* ---- Where two runs part. */

static int leak; /* what one run leaves for the next: the mistake that is to be found */

static void be_unsound(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    int runs = *(int *)arg;
    for (int i = 0; i < 20; i++) {
        graft_task_sleep_ms(env->tasks, 100);
        graft_log_write(env->log, GRAFT_LOG_INFO, "step %d of %d", i, i == 12 ? leak + runs : 0);
    }
}

static struct sim_world *run_unsound(const struct sim_event_record *expected, size_t count,
                                     enum sim_outcome wanted, int *runs)
{
    struct sim_plan plan;
    sim_plan_calm(&plan, 1);
    struct sim_world *world = sim_world_new(pool, &plan);
    if (expected == NULL)
        sim_trace_record(world);
    else
        sim_trace_expect(world, expected, count);
    sim_process_start(sim_machine_new(world, "m"), "unsound", be_unsound, runs);
    cr_assert_eq(sim_world_run(world, SIM_FOREVER), wanted);
    leak++;
    return world;
}

Test(sim_trace, the_first_event_that_differs_is_shown_with_its_fiber_and_stack)
{
    size_t count = 0;
    int runs = 0;
    leak = 0;
    struct sim_world *world = run_unsound(NULL, 0, SIM_FINISHED, &runs);
    struct sim_event_record *events = sim_trace_take(world, &count);
    cr_assert_gt(count, 40);
    sim_world_free(world);
    world = run_unsound(events, count, SIM_DIVERGED, &runs);
    const char *report = sim_world_report(world);
    cr_assert_not_null(strstr(report, "log"), "%s", report);
    cr_assert_not_null(strstr(report, "fiber unsound"), "%s", report);
    cr_assert_not_null(strstr(report, "the events before it"), "%s", report);
    cr_assert_eq(sim_world_trace(world)->events[SIM_EVENT_LOG], 13, "and the run ends there");
    sim_world_free(world);
    leak = 0;
    world = run_unsound(events, count, SIM_FINISHED, &runs);
    cr_assert(sim_trace_is_complete(world));
    sim_world_free(world);
    free(events);
}

Test(sim_trace, a_run_that_ends_early_differs)
{
    size_t count = 0;
    int runs = 0;
    leak = 0;
    struct sim_world *world = run_unsound(NULL, 0, SIM_FINISHED, &runs);
    struct sim_event_record *events = sim_trace_take(world, &count);
    sim_world_free(world);
    struct sim_plan plan;
    sim_plan_calm(&plan, 1);
    world = sim_world_new(pool, &plan);
    sim_trace_expect(world, events, count);
    leak = 0;
    sim_process_start(sim_machine_new(world, "m"), "unsound", be_unsound, &runs);
    cr_assert_eq(sim_world_run(world, SIM_SECOND), SIM_TIMED_OUT);
    cr_assert(!sim_trace_is_complete(world));
    cr_assert_not_null(strstr(sim_world_report(world), "the run ended at event"));
    sim_world_free(world);
    free(events);
}

Test(sim_trace, a_trace_has_a_line_for_every_event)
{
    struct sim_plan plan;
    char *text = NULL;
    size_t size = 0;
    int runs = 0;
    sim_plan_calm(&plan, 1);
    FILE *file = open_memstream(&text, &size);
    struct sim_world *world = sim_world_new(pool, &plan);
    sim_trace_to(world, file);
    sim_process_start(sim_machine_new(world, "m"), "unsound", be_unsound, &runs);
    cr_assert_eq(sim_world_run(world, SIM_FOREVER), SIM_FINISHED);
    uint64_t events = sim_world_trace(world)->serial;
    sim_world_free(world);
    fclose(file);
    uint64_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    cr_assert_gt(lines, events, "notes besides");
    cr_assert_not_null(strstr(text, "step 3 of 0"));
    free(text);
}

Test(sim_trace, turning_one_fault_off_leaves_the_plan_of_the_others)
{
    struct sim_plan plan;
    sim_plan_draw(&plan, 4);
    struct sim_world *worlds[2];
    for (int i = 0; i < 2; i++) {
        plan.rate_ppm[SIM_FAULT_disk_slow] = i == 0 ? 1000000 : 0;
        plan.rate_ppm[SIM_FAULT_net_reset] = 300000;
        worlds[i] = sim_world_new(pool, &plan);
        /* Draws of the one do not move the draws of the other. */
        for (int n = 0; n < 100; n++)
            (void)sim_world_draw(worlds[i], SIM_FAULT_disk_slow);
    }
    for (int n = 0; n < 1000; n++)
        cr_assert_eq(sim_world_draw(worlds[0], SIM_FAULT_net_reset),
                     sim_world_draw(worlds[1], SIM_FAULT_net_reset));
    sim_world_free(worlds[0]);
    sim_world_free(worlds[1]);
}

/* ---- Every fault of every kind. */

Test(sim_trace, every_fault_kind_fires_in_some_seed)
{
    uint64_t fired[SIM_FAULT_COUNT] = {0};
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct sim_plan plan;
        struct busy busy;
        sim_plan_draw(&plan, seed);
        struct sim_world *world = sim_world_new(pool, &plan);
        busy_begin(&busy, world, 4);
        (void)sim_world_run(world, SIM_FOREVER);
        for (unsigned i = 0; i < SIM_FAULT_COUNT; i++)
            fired[i] += sim_world_trace(world)->fired[i];
        sim_world_free(world);
        busy_end(&busy);
    }
    for (unsigned i = 0; i < SIM_FAULT_process_kill; i++)
        cr_assert_gt(fired[i], 0, "%s", sim_fault_name(i));
}
