/* Tasks as fibers. Taking and giving back a mutex are yield points, so that the scheduler can put
 * anything between two critical sections; a mutex that is given back is not handed on: whoever runs
 * first gets it, as with a real one. */
#include <string.h>

#include "base/assert.h"
#include "sim/parts.h"

struct task {
    struct graft_task task;
    struct sim_fiber *fiber;
};

struct mutex {
    struct graft_mutex mutex;
    struct sim_fiber *owner;
    struct sim_link waiters;
    uint32_t id; /* within its process */
};

struct cond {
    struct graft_cond cond;
    struct sim_link waiters;
    uint32_t id;
};

static struct sim_process *process_of(struct graft_tasks *tasks)
{
    return sim_process_of_tasks(tasks);
}

/* World time in which the machine of these tasks counts `ms`. */
static uint64_t deadline_in(struct graft_tasks *tasks, uint32_t ms)
{
    struct sim_process *process = process_of(tasks);
    return process->world->now_ns + sim_machine_world_ns(process->machine, ms * SIM_MS);
}

static enum graft_rc spawn(struct graft_tasks *tasks, const char *name, graft_task_fn *run,
                           void *arg, struct graft_task **out, struct graft_err *err)
{
    struct sim_process *process = process_of(tasks);
    struct task *self = graft_malloc(process->env.alloc, sizeof *self);
    if (self == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "spawn %s: out of memory", name);
    self->task.tasks = tasks;
    self->fiber = sim_fiber_new(process, name, run, arg);
    *out = &self->task;
    sim_yield(process->world);
    return GRAFT_OK;
}

static void join(struct graft_task *task)
{
    struct task *self = (struct task *)task;
    struct sim_world *world = self->fiber->world;
    while (self->fiber->state != SIM_FIBER_DONE || self->fiber->stack != NULL)
        (void)sim_wait_in(world, &self->fiber->joiners, SIM_FOREVER, SIM_WAIT_JOIN,
                          self->fiber->id);
    sim_fiber_free(self->fiber);
    sim_heap_release(self);
}

static void sleep_ms(struct graft_tasks *tasks, uint32_t ms)
{
    struct sim_world *world = process_of(tasks)->world;
    if (world->running == NULL)
        return;
    sim_spend(world, deadline_in(tasks, ms) - world->now_ns, SIM_WAIT_SLEEP, 0);
}

static enum graft_rc mutex_new(struct graft_tasks *tasks, struct graft_mutex **out)
{
    struct sim_process *process = process_of(tasks);
    struct mutex *self = graft_malloc(process->env.alloc, sizeof *self);
    if (self == NULL)
        return GRAFT_ENOMEM;
    *self = (struct mutex){.mutex.tasks = tasks, .id = ++process->next_mutex_id};
    sim_list_init(&self->waiters);
    process->mutexes++;
    *out = &self->mutex;
    return GRAFT_OK;
}

static void mutex_free(struct graft_mutex *mutex)
{
    struct mutex *self = (struct mutex *)mutex;
    GRAFT_ASSERT(self->owner == NULL && sim_list_is_empty(&self->waiters));
    process_of(mutex->tasks)->mutexes--;
    sim_heap_release(self);
}

/* Outside of fibers nobody can hold one, and nothing has to be done. */
static void mutex_lock(struct graft_mutex *mutex)
{
    struct mutex *self = (struct mutex *)mutex;
    struct sim_world *world = process_of(mutex->tasks)->world;
    struct sim_fiber *running = world->running;
    if (running == NULL) {
        GRAFT_ASSERT(self->owner == NULL);
        return;
    }
    GRAFT_ASSERT(self->owner != running);
    sim_yield(world);
    while (self->owner != NULL)
        (void)sim_wait_in(world, &self->waiters, SIM_FOREVER, SIM_WAIT_MUTEX, self->id);
    self->owner = running;
    sim_trace_event(world, SIM_EVENT_LOCK, self->id, 0, 0);
}

static void unlock(struct mutex *self, struct sim_fiber *running)
{
    GRAFT_ASSERT(self->owner == running);
    self->owner = NULL;
    (void)sim_wake_first(&self->waiters);
}

static void mutex_unlock(struct graft_mutex *mutex)
{
    struct sim_world *world = process_of(mutex->tasks)->world;
    if (world->running == NULL)
        return;
    unlock((struct mutex *)mutex, world->running);
    sim_yield(world);
}

static enum graft_rc cond_new(struct graft_tasks *tasks, struct graft_cond **out)
{
    struct sim_process *process = process_of(tasks);
    struct cond *self = graft_malloc(process->env.alloc, sizeof *self);
    if (self == NULL)
        return GRAFT_ENOMEM;
    *self = (struct cond){.cond.tasks = tasks, .id = ++process->next_mutex_id};
    sim_list_init(&self->waiters);
    process->mutexes++;
    *out = &self->cond;
    return GRAFT_OK;
}

static void cond_free(struct graft_cond *cond)
{
    struct cond *self = (struct cond *)cond;
    GRAFT_ASSERT(sim_list_is_empty(&self->waiters));
    process_of(cond->tasks)->mutexes--;
    sim_heap_release(self);
}

static bool cond_wait(struct graft_cond *cond, struct graft_mutex *mutex, uint32_t timeout_ms)
{
    struct cond *self = (struct cond *)cond;
    struct mutex *held = (struct mutex *)mutex;
    struct sim_process *process = process_of(cond->tasks);
    struct sim_world *world = process->world;
    struct sim_fiber *running = world->running;
    GRAFT_ASSERT(running != NULL);
    uint64_t deadline =
        timeout_ms == GRAFT_WAIT_FOREVER ? SIM_FOREVER : deadline_in(cond->tasks, timeout_ms);
    uint64_t limit = sim_early_wake(process->machine, deadline, self->id);
    unlock(held, running);
    bool woken = sim_wait_in(world, &self->waiters, limit, SIM_WAIT_COND, self->id);
    while (held->owner != NULL)
        (void)sim_wait_in(world, &held->waiters, SIM_FOREVER, SIM_WAIT_MUTEX, held->id);
    held->owner = running;
    return woken || limit != deadline;
}

static void cond_broadcast(struct graft_cond *cond)
{
    (void)sim_wake_all(&((struct cond *)cond)->waiters);
    sim_yield(process_of(cond->tasks)->world);
}

uint64_t sim_early_wake(struct sim_machine *machine, uint64_t deadline_ns, uint64_t subject)
{
    struct sim_world *world = machine->world;
    if (!sim_machine_draw(machine, SIM_FAULT_task_spurious_wake, subject))
        return deadline_ns;
    uint64_t early =
        world->now_ns +
        sim_rng_skewed(sim_fault_rng(world, SIM_FAULT_task_spurious_wake), 1000, SIM_SECOND);
    return early < deadline_ns ? early : deadline_ns;
}

const struct graft_tasks_ops sim_tasks_ops = {
    .spawn = spawn,
    .join = join,
    .sleep_ms = sleep_ms,
    .mutex_new = mutex_new,
    .mutex_free = mutex_free,
    .mutex_lock = mutex_lock,
    .mutex_unlock = mutex_unlock,
    .cond_new = cond_new,
    .cond_free = cond_free,
    .cond_wait = cond_wait,
    .cond_broadcast = cond_broadcast,
};
