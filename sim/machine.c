/* Machines: a disk, a clock, a place in the network, and processes. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "sim/parts.h"

#define SKEW_MS_MAX UINT64_C(3600000)
#define DRIFT_PPM_MAX UINT64_C(20000)

static int64_t either_way(struct sim_rng *rng, uint64_t magnitude)
{
    return sim_rng_below(rng, 2) == 0 ? (int64_t)magnitude : -(int64_t)magnitude;
}

static void draw_clock(struct sim_machine *machine)
{
    struct sim_world *world = machine->world;
    if (sim_draw(world, SIM_FAULT_clock_skew, machine->id)) {
        struct sim_rng *rng = sim_fault_rng(world, SIM_FAULT_clock_skew);
        machine->skew_ms = either_way(rng, sim_rng_skewed(rng, 1, SKEW_MS_MAX));
    }
    if (sim_draw(world, SIM_FAULT_clock_drift, machine->id)) {
        struct sim_rng *rng = sim_fault_rng(world, SIM_FAULT_clock_drift);
        machine->drift_ppm = either_way(rng, sim_rng_skewed(rng, 1, DRIFT_PPM_MAX));
    }
}

struct sim_machine *sim_machine_new(struct sim_world *world, const char *name)
{
    struct sim_machine *machine = sim_host_alloc(sizeof *machine);
    machine->world = world;
    machine->id = ++world->next_machine_id;
    machine->up = true;
    machine->boot_ns = world->now_ns;
    (void)snprintf(machine->name, sizeof machine->name, "%s", name);
    sim_list_init(&machine->processes);
    sim_list_append(&world->machines, &machine->in_world);
    machine->disk = sim_disk_new(world, machine->id);
    draw_clock(machine);
    sim_trace_event(world, SIM_EVENT_MACHINE_START, machine->id, (uint64_t)machine->skew_ms,
                    (uint64_t)machine->drift_ppm);
    sim_trace_note(world, "machine %s: clock off by %lld ms, drifts by %lld ppm", machine->name,
                   (long long)machine->skew_ms, (long long)machine->drift_ppm);
    return machine;
}

struct sim_machine *sim_machine_find(struct sim_world *world, const char *name)
{
    for (struct sim_link *at = world->machines.next; at != &world->machines; at = at->next) {
        struct sim_machine *machine = SIM_CONTAINER(at, struct sim_machine, in_world);
        if (strcmp(machine->name, name) == 0)
            return machine;
    }
    return NULL;
}

const char *sim_machine_name(const struct sim_machine *machine)
{
    return machine->name;
}

void sim_machine_crash_now(struct sim_machine *machine)
{
    if (!machine->up)
        return;
    while (!sim_list_is_empty(&machine->processes))
        sim_process_kill_now(
            SIM_CONTAINER(machine->processes.next, struct sim_process, in_machine));
    machine->up = false;
    sim_disk_crash(machine->disk, machine->immune);
}

void sim_machine_crash(struct sim_machine *machine)
{
    struct sim_world *world = machine->world;
    if (world->running == NULL || world->running->process->machine != machine) {
        sim_machine_crash_now(machine);
        return;
    }
    world->crash = machine;
    sim_leave_for_good(world);
}

void sim_machine_restart(struct sim_machine *machine)
{
    GRAFT_ASSERT(!machine->up);
    machine->up = true;
    machine->boot_ns = machine->world->now_ns;
    sim_trace_event(machine->world, SIM_EVENT_MACHINE_START, machine->id,
                    (uint64_t)machine->skew_ms, (uint64_t)machine->drift_ppm);
}

bool sim_machine_is_up(const struct sim_machine *machine)
{
    return machine->up;
}

void sim_machine_set_immune(struct sim_machine *machine, bool immune)
{
    machine->immune = immune;
    if (immune)
        machine->skew_ms = machine->drift_ppm = 0;
}

void sim_machine_mount(struct sim_machine *machine, const char *path, struct sim_machine *owner,
                       const char *shared)
{
    GRAFT_ASSERT(machine->mount_count < SIM_MOUNTS_MAX && machine != owner);
    struct sim_mount *mount = &machine->mounts[machine->mount_count++];
    GRAFT_ASSERT(path[0] == '/' && strlen(path) < sizeof mount->path);
    GRAFT_ASSERT(shared[0] == '/' && strlen(shared) < sizeof mount->shared);
    (void)snprintf(mount->path, sizeof mount->path, "%s", path);
    (void)snprintf(mount->shared, sizeof mount->shared, "%s", shared);
    mount->owner = owner;
}

struct sim_disk *sim_machine_disk(struct sim_machine *machine)
{
    return machine->disk;
}

void sim_machine_free(struct sim_machine *machine)
{
    sim_disk_free(machine->disk);
    sim_list_remove(&machine->in_world);
    sim_host_free(machine);
}
