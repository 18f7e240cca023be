/* Timers: a binary heap of (time, order of setting), the timers themselves being part of what they
 * belong to. */
#include "base/assert.h"
#include "sim/parts.h"

static bool before(const struct sim_timer_slot *a, const struct sim_timer_slot *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->serial < b->serial;
}

static void place(struct sim_timers *timers, uint32_t at, struct sim_timer_slot slot)
{
    timers->slots[at] = slot;
    slot.timer->slot = at + 1;
}

static void sift_up(struct sim_timers *timers, uint32_t at)
{
    struct sim_timer_slot slot = timers->slots[at];
    while (at > 0 && before(&slot, &timers->slots[(at - 1) / 2])) {
        place(timers, at, timers->slots[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(timers, at, slot);
}

static void sift_down(struct sim_timers *timers, uint32_t at)
{
    struct sim_timer_slot slot = timers->slots[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && before(&timers->slots[child + 1], &timers->slots[child]))
            child++;
        if (!before(&timers->slots[child], &slot))
            break;
        place(timers, at, timers->slots[child]);
        at = child;
    }
    place(timers, at, slot);
}

void sim_timer_set(struct sim_world *world, struct sim_timer *timer, uint64_t at_ns)
{
    struct sim_timers *timers = &world->timers;
    sim_timer_cancel(world, timer);
    if (timers->count == timers->capacity) {
        timers->capacity = timers->capacity == 0 ? 64 : timers->capacity * 2;
        timers->slots = sim_host_realloc(timers->slots, timers->capacity * sizeof *timers->slots);
    }
    timer->at_ns = at_ns;
    uint32_t at = timers->count++;
    timers->slots[at] =
        (struct sim_timer_slot){.at_ns = at_ns, .serial = timers->serial++, .timer = timer};
    sift_up(timers, at);
}

void sim_timer_cancel(struct sim_world *world, struct sim_timer *timer)
{
    struct sim_timers *timers = &world->timers;
    if (timer->slot == 0)
        return;
    uint32_t at = timer->slot - 1;
    GRAFT_ASSERT(timers->slots[at].timer == timer);
    timer->slot = 0;
    struct sim_timer_slot last = timers->slots[--timers->count];
    if (at == timers->count)
        return;
    place(timers, at, last);
    sift_up(timers, at);
    sift_down(timers, last.timer->slot - 1);
}

struct sim_timer *sim_timer_pop(struct sim_world *world)
{
    GRAFT_ASSERT(world->timers.count > 0);
    struct sim_timer *timer = world->timers.slots[0].timer;
    sim_timer_cancel(world, timer);
    return timer;
}
