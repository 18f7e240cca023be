/* Processes: an environment, fibers, and everything that they hold. A process that ends, however it
 * does, is taken apart here in one order: its fibers first, so that nobody waits for what goes
 * next; then what other processes can see (files, locks, maps, requests under way); its memory
 * last. */
#include <stdio.h>

#include "base/assert.h"
#include "sim/parts.h"

static void run_first(void *arg)
{
    struct sim_process *process = arg;
    process->run(process, process->arg);
}

static void make_env(struct sim_process *process)
{
    sim_heap_init(&process->heap, process->world->pool, process);
    process->clock.ops = &sim_clock_ops;
    process->rand.ops = &sim_rand_ops;
    process->disk.ops = &sim_disk_ops;
    process->shm.ops = &sim_shm_ops;
    process->net.ops = &sim_net_ops;
    process->tasks.ops = &sim_tasks_ops;
    process->log.ops = &sim_log_ops;
    process->env = (struct graft_env){
        .alloc = &process->heap.alloc,
        .clock = &process->clock,
        .rand = &process->rand,
        .disk = &process->disk,
        .shm = &process->shm,
        .net = &process->net,
        .tasks = &process->tasks,
        .log = &process->log,
    };
}

struct sim_process *sim_process_start(struct sim_machine *machine, const char *name,
                                      sim_process_fn *run, void *arg)
{
    struct sim_world *world = machine->world;
    GRAFT_ASSERT(machine->up);
    struct sim_process *process = sim_host_alloc(sizeof *process);
    process->world = world;
    process->machine = machine;
    process->id = ++world->next_process_id;
    process->run = run;
    process->arg = arg;
    (void)snprintf(process->name, sizeof process->name, "%s", name);
    (void)snprintf(process->vfs_name, sizeof process->vfs_name, "graft-p%u", process->id);
    sim_list_init(&process->fibers);
    sim_list_init(&process->waiters);
    sim_list_init(&process->files);
    sim_list_init(&process->maps);
    sim_list_init(&process->locks);
    sim_list_init(&process->exchanges);
    sim_rng_init(&process->rng, sim_rng_u64(&world->streams[SIM_STREAM_IDS]), process->id);
    make_env(process);
    sim_list_append(&world->processes, &process->in_world);
    sim_list_append(&machine->processes, &process->in_machine);
    sim_sqlite_start(process);
    sim_trace_event(world, SIM_EVENT_PROCESS_START, process->id, machine->id,
                    sim_trace_text(process->name));
    sim_trace_note(world, "%s/%s is process %u", machine->name, process->name, process->id);
    process->first = sim_fiber_new(process, process->name, run_first, process);
    return process;
}

static uint64_t count_list(const struct sim_link *head)
{
    uint64_t count = 0;
    for (const struct sim_link *at = head->next; at != head; at = at->next)
        count++;
    return count;
}

void sim_process_holdings(const struct sim_process *process, struct sim_holdings *out)
{
    if (process->state != SIM_PROCESS_RUNNING) {
        *out = process->left;
        return;
    }
    *out = (struct sim_holdings){
        .blocks = process->heap.live_blocks,
        .bytes = process->heap.live_bytes,
        .tasks = count_list(&process->fibers) - 1,
        .files = count_list(&process->files),
        .maps = count_list(&process->maps),
        .locks = count_list(&process->locks),
        .exchanges = count_list(&process->exchanges),
        .mutexes = process->mutexes,
    };
}

bool sim_holdings_are_none(const struct sim_holdings *holdings)
{
    return holdings->blocks == 0 && holdings->tasks == 0 && holdings->files == 0 &&
           holdings->maps == 0 && holdings->locks == 0 && holdings->exchanges == 0 &&
           holdings->mutexes == 0;
}

static void take_apart(struct sim_process *process, enum sim_process_state state)
{
    struct sim_world *world = process->world;
    struct sim_link *at = process->fibers.next;
    while (at != &process->fibers) {
        struct sim_fiber *fiber = SIM_CONTAINER(at, struct sim_fiber, in_process);
        at = at->next;
        sim_fiber_free(fiber);
    }
    process->first = NULL;
    process->state = state;
    sim_trace_event(world, SIM_EVENT_PROCESS_END, process->id, state,
                    process->heap.allocations ^ process->heap.allocated_bytes << 20);
    sim_exchanges_drop(process);
    sim_locks_drop(process);
    sim_maps_drop(process);
    sim_files_drop(process);
    sim_sqlite_drop(process);
    sim_heap_deinit(&process->heap);
    sim_list_remove(&process->in_machine);
    (void)sim_wake_all(&process->waiters);
}

void sim_process_finish(struct sim_process *process)
{
    struct sim_holdings left;
    sim_process_holdings(process, &left);
    process->left = left;
    take_apart(process, SIM_PROCESS_ENDED);
}

void sim_process_kill_now(struct sim_process *process)
{
    if (process->state == SIM_PROCESS_RUNNING)
        take_apart(process, SIM_PROCESS_KILLED);
}

void sim_process_kill(struct sim_process *process)
{
    struct sim_world *world = process->world;
    if (process->state != SIM_PROCESS_RUNNING)
        return;
    if (world->running == NULL || world->running->process != process) {
        sim_process_kill_now(process);
        return;
    }
    world->kill = process;
    sim_leave_for_good(world);
}

void sim_process_kill_at(struct sim_process *process, uint64_t points)
{
    process->kill_at = points == 0 ? 0 : process->points + points;
}

uint64_t sim_process_points(const struct sim_process *process)
{
    return process->points;
}

void sim_process_pause(struct sim_process *process)
{
    if (process->paused || process->state != SIM_PROCESS_RUNNING)
        return;
    sim_trace_event(process->world, SIM_EVENT_PROCESS_PAUSE, process->id, 1, 0);
    process->paused = true;
    for (struct sim_link *at = process->fibers.next; at != &process->fibers; at = at->next)
        sim_fiber_hide(SIM_CONTAINER(at, struct sim_fiber, in_process));
}

void sim_process_resume(struct sim_process *process)
{
    if (!process->paused)
        return;
    sim_trace_event(process->world, SIM_EVENT_PROCESS_PAUSE, process->id, 0, 0);
    process->paused = false;
    for (struct sim_link *at = process->fibers.next; at != &process->fibers; at = at->next)
        sim_fiber_show(SIM_CONTAINER(at, struct sim_fiber, in_process));
}

void sim_process_wait(struct sim_process *process)
{
    while (process->state == SIM_PROCESS_RUNNING)
        (void)sim_wait_in(process->world, &process->waiters, SIM_FOREVER, SIM_WAIT_PROCESS,
                          process->id);
}

void sim_process_fail_alloc(struct sim_process *process, uint64_t nth, bool from_then_on)
{
    process->heap.fail_nth = nth;
    process->heap.fail_from_then_on = from_then_on;
}

bool sim_process_is_running(const struct sim_process *process)
{
    return process->state == SIM_PROCESS_RUNNING;
}

bool sim_process_was_killed(const struct sim_process *process)
{
    return process->state == SIM_PROCESS_KILLED;
}

struct graft_env *sim_process_env(struct sim_process *process)
{
    return &process->env;
}

struct sim_world *sim_process_world(struct sim_process *process)
{
    return process->world;
}

struct sim_machine *sim_process_machine(struct sim_process *process)
{
    return process->machine;
}

const char *sim_process_name(const struct sim_process *process)
{
    return process->name;
}

uint32_t sim_process_id(const struct sim_process *process)
{
    return process->id;
}

const char *sim_process_vfs_name(const struct sim_process *process)
{
    return process->vfs_name;
}

void sim_process_free(struct sim_process *process)
{
    sim_process_kill_now(process);
    sim_list_remove(&process->in_world);
    sim_host_free(process);
}
