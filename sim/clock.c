/* The clocks of a machine: both run at its own speed, the wall clock is off besides, and may be
 * made to jump. World time is what timers and latencies are counted in. */
#include "sim/parts.h"

/* 2024-06-01 00:00:00 UTC: where the wall clocks of a world begin. */
#define EPOCH_MS INT64_C(1717200000000)
#define JUMP_MS_MAX UINT64_C(60000)
#define MILLION INT64_C(1000000)

/* Nanoseconds of the machine's own counting since it booted. */
static uint64_t counted_ns(const struct sim_machine *machine)
{
    int64_t passed = (int64_t)(machine->world->now_ns - machine->boot_ns);
    return (uint64_t)(passed + passed / MILLION * machine->drift_ppm);
}

uint64_t sim_machine_world_ns(const struct sim_machine *machine, uint64_t ns)
{
    return (uint64_t)((int64_t)ns - (int64_t)ns / MILLION * machine->drift_ppm);
}

uint64_t sim_machine_now_ms(const struct sim_machine *machine)
{
    int64_t now = (int64_t)machine->world->now_ns;
    int64_t drifted = now + now / MILLION * machine->drift_ppm;
    return (uint64_t)(EPOCH_MS + machine->skew_ms + drifted / MILLION);
}

uint64_t sim_world_wall_ms(const struct sim_world *world)
{
    return (uint64_t)EPOCH_MS + world->now_ns / SIM_MS;
}

void sim_machine_jump_clock(struct sim_machine *machine, int64_t by_ms)
{
    machine->skew_ms += by_ms;
}

static uint64_t now_ms(struct graft_clock *clock)
{
    struct sim_process *process = SIM_CONTAINER(clock, struct sim_process, clock);
    struct sim_machine *machine = process->machine;
    if (sim_machine_draw(machine, SIM_FAULT_clock_jump, machine->id)) {
        struct sim_rng *rng = sim_fault_rng(machine->world, SIM_FAULT_clock_jump);
        int64_t by_ms = (int64_t)sim_rng_skewed(rng, 1, JUMP_MS_MAX);
        sim_machine_jump_clock(machine, sim_rng_below(rng, 2) == 0 ? by_ms : -by_ms);
    }
    uint64_t value = sim_machine_now_ms(machine);
    sim_trace_event(machine->world, SIM_EVENT_CLOCK, machine->id, 0, value);
    return value;
}

static uint64_t monotonic_us(struct graft_clock *clock)
{
    struct sim_process *process = SIM_CONTAINER(clock, struct sim_process, clock);
    uint64_t value = counted_ns(process->machine) / 1000;
    sim_trace_event(process->world, SIM_EVENT_CLOCK, process->machine->id, 1, value);
    return value;
}

const struct graft_clock_ops sim_clock_ops = {.now_ms = now_ms, .monotonic_us = monotonic_us};
