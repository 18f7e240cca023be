/* The world itself: its beginning and end, its randomness, and how it fails. */
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/parts.h"

#define STEPS_MAX_DEFAULT UINT64_C(50000000)

/* The world whose fibers run. SQLite's hooks and a failing assertion have nothing else to go by:
 * neither carries an argument of ours. */
static struct sim_world *current;

const char *sim_outcome_name(enum sim_outcome outcome)
{
    static const char *const names[] = {"running",    "finished", "stopped", "timed out",
                                        "deadlocked", "runaway",  "failed",  "diverged"};
    GRAFT_ASSERT((size_t)outcome < sizeof names / sizeof names[0]);
    return names[outcome];
}

struct sim_world *sim_world_new(struct sim_pool *pool, const struct sim_plan *plan)
{
    struct sim_world *world = sim_host_alloc(sizeof *world);
    world->pool = pool;
    world->plan = *plan;
    world->steps_max = STEPS_MAX_DEFAULT;
    sim_list_init(&world->machines);
    sim_list_init(&world->processes);
    sim_list_init(&world->word_waiters);
    for (unsigned i = 0; i < SIM_STREAM_COUNT; i++)
        sim_rng_init(&world->streams[i], plan->seed, i);
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++)
        sim_rng_init(&world->fault_rngs[i], plan->seed, sim_trace_text(sim_fault_name(i)));
    sim_trace_init(&world->trace, plan->seed);
    sim_sched_init(world);
    world->net = sim_net_new(world);
    sim_sqlite_seed(world);
    return world;
}

void sim_world_free(struct sim_world *world)
{
    if (world == NULL)
        return;
    GRAFT_ASSERT(current == NULL);
    world->running = NULL;
    world->held = 0;
    while (!sim_list_is_empty(&world->processes))
        sim_process_free(SIM_CONTAINER(world->processes.next, struct sim_process, in_world));
    while (world->timers.count > 0) {
        struct sim_timer *timer = sim_timer_pop(world);
        if (timer->drop != NULL)
            timer->drop(world, timer);
    }
    sim_net_free(world->net);
    while (!sim_list_is_empty(&world->machines))
        sim_machine_free(SIM_CONTAINER(world->machines.next, struct sim_machine, in_world));
    GRAFT_ASSERT(world->fibers_alive == 0);
    sim_trace_deinit(&world->trace);
    sim_host_free(world->timers.slots);
    sim_host_free(world->runnable);
    sim_host_free(world->change_points);
    sim_host_free(world->report);
    sim_host_free(world->odd_points);
    sim_host_free(world);
}

void sim_world_enter(struct sim_world *world)
{
    GRAFT_ASSERT(world == NULL || current == NULL);
    current = world;
}

struct sim_process *sim_process_current(void)
{
    return current == NULL || current->running == NULL ? NULL : current->running->process;
}

struct sim_world *sim_world_current(void)
{
    return current;
}

void sim_world_stop(struct sim_world *world)
{
    if (world->outcome == SIM_RUNNING)
        sim_world_halt(world, SIM_STOPPED, NULL);
}

static void fail(struct sim_world *world, const char *text)
{
    sim_world_halt(world, SIM_FAILED, text);
    sim_leave_for_good(world);
}

void sim_world_fail(struct sim_world *world, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fail(world, text);
}

/* In place of base/assert.c: a broken invariant of core is a failure of the run, and not the end of
 * whoever runs many. */
_Noreturn void graft_assert_failed(const char *file, int line, const char *expression)
{
    if (current != NULL && current->running != NULL) {
        char text[512];
        (void)snprintf(text, sizeof text, "assertion failed at %s:%d: %s", file, line, expression);
        fail(current, text);
    }
    (void)fprintf(stderr, "graft: assertion failed at %s:%d: %s\n", file, line, expression);
    abort();
}

const char *sim_world_report(const struct sim_world *world)
{
    return world->report == NULL ? "" : world->report;
}

const struct sim_plan *sim_world_plan(const struct sim_world *world)
{
    return &world->plan;
}

uint64_t sim_world_hash(const struct sim_world *world)
{
    return world->trace.hash;
}

uint64_t sim_world_now_ns(const struct sim_world *world)
{
    return world->now_ns;
}

uint64_t sim_world_steps(const struct sim_world *world)
{
    return world->steps;
}

void sim_world_set_steps_max(struct sim_world *world, uint64_t steps)
{
    world->steps_max = steps;
}

struct sim_rng *sim_world_rng(struct sim_world *world, enum sim_stream stream)
{
    GRAFT_ASSERT(stream < SIM_STREAM_COUNT);
    return &world->streams[stream];
}

struct sim_rng *sim_fault_rng(struct sim_world *world, enum sim_fault kind)
{
    return &world->fault_rngs[kind];
}

void sim_world_set_faults(struct sim_world *world, bool on)
{
    world->faults_off = !on;
}

bool sim_draw(struct sim_world *world, enum sim_fault kind, uint64_t subject)
{
    uint32_t rate_ppm = world->plan.rate_ppm[kind];
    if (rate_ppm == 0 || world->faults_off || !sim_rng_chance(&world->fault_rngs[kind], rate_ppm))
        return false;
    world->trace.fired[kind]++;
    sim_trace_event(world, SIM_EVENT_FAULT, kind, subject, 0);
    return true;
}

bool sim_world_draw(struct sim_world *world, enum sim_fault kind)
{
    return sim_draw(world, kind, 0);
}

struct errand {
    struct sim_timer timer;
    void (*run)(void *arg);
    void *arg;
};

static void run_errand(struct sim_world *world, struct sim_timer *timer)
{
    (void)world;
    struct errand *errand = SIM_CONTAINER(timer, struct errand, timer);
    void (*run)(void *arg) = errand->run;
    void *arg = errand->arg;
    sim_host_free(errand);
    run(arg);
}

static void drop_errand(struct sim_world *world, struct sim_timer *timer)
{
    (void)world;
    sim_host_free(SIM_CONTAINER(timer, struct errand, timer));
}

void sim_world_after(struct sim_world *world, uint64_t delay_ns, void (*run)(void *arg), void *arg)
{
    struct errand *errand = sim_host_alloc(sizeof *errand);
    *errand =
        (struct errand){.timer = {.fire = run_errand, .drop = drop_errand}, .run = run, .arg = arg};
    sim_timer_set(world, &errand->timer, world->now_ns + delay_ns);
}
