/* The scheduler. A fiber that yields or waits picks its successor itself and switches to it, or to
 * nobody when it is its own; only what must not happen on a fiber's stack (freeing it, ending the
 * run) goes back to the context that called sim_world_run. When nobody can run, time jumps to the
 * next timer. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sim/explore.h"
#include "sim/parts.h"

/* What passes at a yield point: processors are fast, but not infinitely, so that a fiber that polls
 * sees time go by. */
#define STEP_NS 300U
/* PCT lets the fiber of highest priority run until it waits. One that polls for what others have to
 * do would never: after so many steps in a row it goes last. */
#define STREAK_MAX 2000U
#define CHANGE_POINTS_MAX 64U

static const char *const wait_texts[] = {
#define SIM_WAIT_TEXT(id, text) text,
    SIM_WAIT_TABLE(SIM_WAIT_TEXT)
#undef SIM_WAIT_TEXT
};

/* ---- Among the runnable. */

void sim_fiber_show(struct sim_fiber *fiber)
{
    struct sim_world *world = fiber->world;
    if (fiber->run_slot != 0 || fiber->state != SIM_FIBER_RUNNABLE || fiber->process->paused)
        return;
    if (world->runnable_count == world->runnable_capacity) {
        world->runnable_capacity =
            world->runnable_capacity == 0 ? 64 : world->runnable_capacity * 2;
        world->runnable =
            sim_host_realloc(world->runnable, world->runnable_capacity * sizeof *world->runnable);
    }
    world->runnable[world->runnable_count++] = fiber;
    fiber->run_slot = world->runnable_count;
}

void sim_fiber_hide(struct sim_fiber *fiber)
{
    struct sim_world *world = fiber->world;
    if (fiber->run_slot == 0)
        return;
    struct sim_fiber *last = world->runnable[--world->runnable_count];
    world->runnable[fiber->run_slot - 1] = last;
    last->run_slot = fiber->run_slot;
    fiber->run_slot = 0;
}

void sim_fiber_wake(struct sim_fiber *fiber)
{
    if (fiber->state != SIM_FIBER_WAITING)
        return;
    sim_list_remove(&fiber->waiting);
    sim_timer_cancel(fiber->world, &fiber->timer);
    fiber->state = SIM_FIBER_RUNNABLE;
    fiber->wait = SIM_WAIT_NOTHING;
    sim_trace_event(fiber->world, SIM_EVENT_WAKE, fiber->id, 0, 0);
    sim_fiber_show(fiber);
}

static void on_timer(struct sim_world *world, struct sim_timer *timer)
{
    (void)world;
    struct sim_fiber *fiber = SIM_CONTAINER(timer, struct sim_fiber, timer);
    fiber->timed_out = true;
    sim_fiber_wake(fiber);
}

uint32_t sim_wake_all(struct sim_link *list)
{
    uint32_t count = 0;
    while (sim_wake_first(list) > 0)
        count++;
    return count;
}

uint32_t sim_wake_first(struct sim_link *list)
{
    if (sim_list_is_empty(list))
        return 0;
    sim_fiber_wake(SIM_CONTAINER(list->next, struct sim_fiber, waiting));
    return 1;
}

/* ---- Who is next. */

static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

void sim_sched_init(struct sim_world *world)
{
    if (world->plan.policy != SIM_POLICY_PCT)
        return;
    if (world->plan.depth > CHANGE_POINTS_MAX)
        world->plan.depth = CHANGE_POINTS_MAX;
    uint32_t count = world->plan.depth;
    world->lowest_priority = UINT64_C(1) << 63;
    world->change_points = sim_host_alloc((count + 1) * sizeof *world->change_points);
    struct sim_rng *rng = &world->streams[SIM_STREAM_SCHEDULE];
    for (uint32_t i = 0; i < count; i++)
        world->change_points[i] = sim_rng_below(rng, (uint64_t)world->plan.steps + 1);
    qsort(world->change_points, count, sizeof *world->change_points, compare_u64);
    world->change_points[count] = UINT64_MAX;
}

static uint32_t pick_by_priority(struct sim_world *world)
{
    struct sim_fiber *running = world->running;
    bool demote = running != NULL && world->streak > STREAK_MAX;
    if (world->steps >= world->change_points[world->change_next]) {
        world->change_next++;
        demote = running != NULL;
    }
    if (demote) {
        running->priority = --world->lowest_priority;
        world->streak = 0;
    }
    uint32_t best = 0;
    for (uint32_t i = 1; i < world->runnable_count; i++) {
        if (world->runnable[i]->priority > world->runnable[best]->priority)
            best = i;
    }
    world->streak = world->runnable[best] == running ? world->streak + 1 : 0;
    return best;
}

static struct sim_fiber *pick(struct sim_world *world)
{
    uint32_t count = world->runnable_count;
    if (count == 1)
        return world->runnable[0];
    uint32_t index = 0;
    switch (world->plan.policy) {
    case SIM_POLICY_RANDOM:
        index = (uint32_t)sim_rng_below(&world->streams[SIM_STREAM_SCHEDULE], count);
        break;
    case SIM_POLICY_PCT:
        index = pick_by_priority(world);
        break;
    case SIM_POLICY_GIVEN:
        index = sim_explorer_pick(world->explorer, world->runnable, count, world->running);
        break;
    }
    struct sim_fiber *fiber = world->runnable[index];
    sim_trace_event(world, SIM_EVENT_CHOICE, fiber->id, index, count);
    return fiber;
}

/* Timers whose time has come, from no fiber. */
static void fire_due(struct sim_world *world)
{
    struct sim_fiber *running = world->running;
    world->running = NULL;
    while (world->timers.count > 0 && world->timers.slots[0].at_ns <= world->now_ns &&
           !world->halted) {
        struct sim_timer *timer = sim_timer_pop(world);
        timer->fire(world, timer);
    }
    world->running = running;
}

static void decide(struct sim_world *world, enum sim_outcome outcome)
{
    world->outcome = outcome;
    world->halted = true;
}

/* The fiber to go on with, or NULL when the main context has to look at something. */
static struct sim_fiber *next_fiber(struct sim_world *world)
{
    for (;;) {
        if (world->timers.count > 0 && world->timers.slots[0].at_ns <= world->now_ns)
            fire_due(world);
        if (world->halted)
            return NULL;
        if (world->now_ns >= world->until_ns) {
            decide(world, SIM_TIMED_OUT);
            return NULL;
        }
        if (world->runnable_count > 0) {
            if (++world->steps <= world->steps_max)
                return pick(world);
            decide(world, SIM_RUNAWAY);
            return NULL;
        }
        if (world->fibers_alive == 0 || world->timers.count == 0) {
            decide(world, world->fibers_alive == 0 ? SIM_FINISHED : SIM_DEADLOCKED);
            return NULL;
        }
        uint64_t at_ns = world->timers.slots[0].at_ns;
        world->now_ns = at_ns < world->until_ns ? at_ns : world->until_ns;
    }
}

static void switch_to(struct sim_world *world, struct sim_context *from, struct sim_fiber *next)
{
    world->running = next;
    sim_context_switch(from, next == NULL ? &world->main : &next->context);
}

/* The running fiber has yielded, or waits. */
static void go_on(struct sim_world *world)
{
    struct sim_fiber *self = world->running;
    struct sim_fiber *next = next_fiber(world);
    if (next != self)
        switch_to(world, &self->context, next);
}

/* Every yield point passes here first: this is where a process dies in mid-call. */
static void pass_point(struct sim_world *world)
{
    struct sim_process *process = world->running->process;
    process->points++;
    if (process->points == process->kill_at)
        sim_process_kill(process);
}

void sim_yield(struct sim_world *world)
{
    if (world->running == NULL)
        return;
    world->now_ns += STEP_NS;
    if (world->held > 0)
        return;
    pass_point(world);
    go_on(world);
}

bool sim_wait_in(struct sim_world *world, struct sim_link *list, uint64_t deadline_ns,
                 enum sim_wait why, uint64_t subject)
{
    struct sim_fiber *self = world->running;
    GRAFT_ASSERT(self != NULL);
    GRAFT_ASSERT(world->held == 0);
    world->now_ns += STEP_NS;
    pass_point(world);
    self->state = SIM_FIBER_WAITING;
    self->wait = why;
    self->wait_subject = subject;
    self->timed_out = false;
    sim_fiber_hide(self);
    if (list != NULL)
        sim_list_append(list, &self->waiting);
    if (deadline_ns != SIM_FOREVER)
        sim_timer_set(world, &self->timer, deadline_ns);
    sim_trace_event(world, SIM_EVENT_WAIT, why, deadline_ns, 0);
    go_on(world);
    return !self->timed_out;
}

void sim_spend(struct sim_world *world, uint64_t ns, enum sim_wait why, uint64_t subject)
{
    if (world->running == NULL)
        return;
    if (world->held > 0)
        world->now_ns += ns;
    else
        (void)sim_wait_in(world, NULL, world->now_ns + ns, why, subject);
}

void sim_sleep_ns(struct sim_world *world, uint64_t ns)
{
    sim_spend(world, ns, SIM_WAIT_SLEEP, 0);
}

void sim_hold(struct sim_world *world)
{
    world->held++;
}

void sim_release(struct sim_world *world)
{
    GRAFT_ASSERT(world->held > 0);
    world->held--;
}

void sim_leave_for_good(struct sim_world *world)
{
    struct sim_fiber *self = world->running;
    if (self == NULL)
        return;
    world->held = 0;
    self->state = SIM_FIBER_WAITING;
    sim_fiber_hide(self);
    switch_to(world, &self->context, NULL);
    graft_assert_failed(__FILE__, __LINE__, "a fiber that left for good came back");
}

/* ---- Fibers. */

static void run_fiber(void *arg)
{
    struct sim_fiber *fiber = arg;
    fiber->run(fiber->arg);
    struct sim_world *world = fiber->world;
    GRAFT_ASSERT(world->held == 0);
    fiber->state = SIM_FIBER_DONE;
    sim_fiber_hide(fiber);
    world->fibers_alive--;
    sim_trace_event(world, SIM_EVENT_EXIT, fiber->id, 0, 0);
    (void)sim_wake_all(&fiber->joiners);
    world->ended = fiber;
    switch_to(world, &fiber->context, NULL);
    graft_assert_failed(__FILE__, __LINE__, "a fiber that has ended came back");
}

struct sim_fiber *sim_fiber_new(struct sim_process *process, const char *name, graft_task_fn *run,
                                void *arg)
{
    struct sim_world *world = process->world;
    struct sim_fiber *fiber = sim_host_alloc(sizeof *fiber);
    fiber->world = world;
    fiber->process = process;
    fiber->id = ++world->next_fiber_id;
    fiber->run = run;
    fiber->arg = arg;
    fiber->timer.fire = on_timer;
    sim_list_init(&fiber->joiners);
    (void)snprintf(fiber->name, sizeof fiber->name, "%s", name);
    sim_list_append(&process->fibers, &fiber->in_process);
    fiber->stack = sim_stack_take(world->pool, run_fiber, fiber);
    fiber->context = fiber->stack->start;
    if (world->plan.policy == SIM_POLICY_PCT)
        fiber->priority = sim_rng_u64(&world->streams[SIM_STREAM_SCHEDULE]) | UINT64_C(1) << 63;
    world->fibers_alive++;
    sim_trace_event(world, SIM_EVENT_SPAWN, fiber->id, process->id, sim_trace_text(fiber->name));
    sim_fiber_show(fiber);
    return fiber;
}

void sim_fiber_free(struct sim_fiber *fiber)
{
    struct sim_world *world = fiber->world;
    GRAFT_ASSERT(fiber != world->running);
    if (fiber->state != SIM_FIBER_DONE)
        world->fibers_alive--;
    sim_fiber_hide(fiber);
    sim_list_remove(&fiber->waiting);
    sim_list_remove(&fiber->in_process);
    sim_timer_cancel(world, &fiber->timer);
    if (fiber->stack != NULL)
        sim_stack_give(world->pool, fiber->stack);
    sim_host_free(fiber);
}

/* ---- The main context. */

char *sim_world_waits(struct sim_world *world)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    GRAFT_ASSERT(file != NULL);
    for (struct sim_link *at = world->processes.next; at != &world->processes; at = at->next) {
        const struct sim_process *process = SIM_CONTAINER(at, struct sim_process, in_world);
        for (struct sim_link *in = process->fibers.next; in != &process->fibers; in = in->next) {
            const struct sim_fiber *fiber = SIM_CONTAINER(in, struct sim_fiber, in_process);
            if (fiber->state == SIM_FIBER_DONE)
                continue;
            (void)fprintf(file, "  %s/%s fiber %s (#%u) ", process->machine->name, process->name,
                          fiber->name, fiber->id);
            if (process->paused)
                (void)fprintf(file, "is paused with its process\n");
            else
                (void)fprintf(file, "waits for %s %" PRIu64 "\n", wait_texts[fiber->wait],
                              fiber->wait_subject);
        }
    }
    GRAFT_ASSERT(fclose(file) == 0);
    return text;
}

static void report_deadlock(struct sim_world *world)
{
    char *waits = sim_world_waits(world);
    char *text = NULL;
    GRAFT_ASSERT(asprintf(&text, "nobody can run, and no timer is set:\n%s", waits) >= 0);
    free(waits);
    free(world->report);
    world->report = text;
}

/* What only the main context may do. True when there was something. */
static bool tidy_up(struct sim_world *world)
{
    struct sim_fiber *ended = world->ended;
    if (ended != NULL) {
        world->ended = NULL;
        sim_stack_give(world->pool, ended->stack);
        ended->stack = NULL;
        if (ended == ended->process->first)
            sim_process_finish(ended->process);
        return true;
    }
    struct sim_process *kill = world->kill;
    struct sim_machine *crash = world->crash;
    world->kill = NULL;
    world->crash = NULL;
    if (kill != NULL)
        sim_process_kill_now(kill);
    if (crash != NULL)
        sim_machine_crash_now(crash);
    return kill != NULL || crash != NULL;
}

enum sim_outcome sim_world_run(struct sim_world *world, uint64_t until_ns)
{
    GRAFT_ASSERT(world->running == NULL);
    GRAFT_ASSERT(world->outcome != SIM_FAILED && world->outcome != SIM_DIVERGED);
    world->until_ns = until_ns;
    world->halted = false;
    world->outcome = SIM_RUNNING;
    free(world->report);
    world->report = NULL;
    sim_context_init_main(&world->main);
    sim_world_enter(world);
    while (tidy_up(world) || world->outcome == SIM_RUNNING) {
        /* A fiber that left for its own kill set the mark; it is served now. */
        world->halted = world->outcome != SIM_RUNNING;
        struct sim_fiber *next = next_fiber(world);
        if (next != NULL)
            switch_to(world, &world->main, next);
    }
    sim_world_enter(NULL);
    if (world->outcome == SIM_DEADLOCKED)
        report_deadlock(world);
    return world->outcome;
}

void sim_world_halt(struct sim_world *world, enum sim_outcome outcome, const char *report)
{
    if (world->outcome == SIM_FAILED || world->outcome == SIM_DIVERGED)
        return;
    free(world->report);
    world->report = report == NULL ? NULL : sim_host_strdup(report);
    decide(world, outcome);
}
