/* The search: depth first over lists of choices. What is kept of a run is, for each choice, which
 * option was taken, how many there were, and how many preemptions had been spent before; the next
 * run repeats all but the last choice that has an option left, and takes that option.
 *
 * Options are numbered so that 0 is "the running fiber goes on" (or, when it cannot, the first
 * runnable one): the default costs no preemption. */
#include "sim/explore.h"

#include "base/assert.h"
#include "sim/parts.h"

struct choice {
    uint16_t taken;
    uint16_t options;
    bool preempts; /* an option other than 0 takes the processor from a fiber that could go on */
};

struct sim_explorer {
    uint32_t preemptions_max;
    uint32_t preemptions; /* in this run so far */
    struct choice *choices;
    uint16_t *taken; /* the same as sim_explorer_choices shows it */
    uint32_t given;  /* so many are prescribed */
    uint32_t count;  /* so many were made in this run */
    uint32_t capacity;
    uint64_t runs;
};

struct sim_explorer *sim_explorer_new(uint32_t preemptions_max)
{
    struct sim_explorer *explorer = sim_host_alloc(sizeof *explorer);
    explorer->preemptions_max = preemptions_max;
    return explorer;
}

void sim_explorer_free(struct sim_explorer *explorer)
{
    if (explorer == NULL)
        return;
    sim_host_free(explorer->choices);
    sim_host_free(explorer->taken);
    sim_host_free(explorer);
}

void sim_explorer_attach(struct sim_explorer *explorer, struct sim_world *world)
{
    GRAFT_ASSERT(world->plan.policy == SIM_POLICY_GIVEN);
    world->explorer = explorer;
    explorer->count = 0;
    explorer->preemptions = 0;
    explorer->runs++;
}

static void reserve(struct sim_explorer *explorer, uint32_t count)
{
    if (count <= explorer->capacity)
        return;
    explorer->capacity = explorer->capacity == 0 ? 1024 : explorer->capacity * 2;
    if (explorer->capacity < count)
        explorer->capacity = count;
    explorer->choices =
        sim_host_realloc(explorer->choices, explorer->capacity * sizeof *explorer->choices);
    explorer->taken =
        sim_host_realloc(explorer->taken, explorer->capacity * sizeof *explorer->taken);
}

/* Where the running fiber stands among the runnable; `count` when it waits. */
static uint32_t find_running(struct sim_fiber *const *runnable, uint32_t count,
                             const struct sim_fiber *running)
{
    uint32_t at = 0;
    while (at < count && runnable[at] != running)
        at++;
    return at;
}

uint32_t sim_explorer_pick(struct sim_explorer *explorer, struct sim_fiber *const *runnable,
                           uint32_t count, const struct sim_fiber *running)
{
    GRAFT_ASSERT(explorer != NULL && count <= UINT16_MAX);
    uint32_t running_at = find_running(runnable, count, running);
    bool preempts = running_at < count;
    bool spent = preempts && explorer->preemptions >= explorer->preemptions_max;
    reserve(explorer, explorer->count + 1);
    struct choice *choice = &explorer->choices[explorer->count];
    uint16_t taken = explorer->count < explorer->given ? choice->taken : 0;
    if (taken >= count)
        taken = 0; /* a list that was made for another scenario */
    *choice = (struct choice){
        .taken = taken, .options = spent ? 1 : (uint16_t)count, .preempts = preempts};
    explorer->taken[explorer->count++] = taken;
    if (preempts && taken != 0)
        explorer->preemptions++;
    /* Option 0 and the running fiber's place change seats. */
    uint32_t zero = preempts ? running_at : 0;
    return taken == 0 ? zero : taken == zero ? 0 : taken;
}

bool sim_explorer_next(struct sim_explorer *explorer)
{
    uint32_t at = explorer->count;
    while (at > 0) {
        struct choice *choice = &explorer->choices[at - 1];
        if (choice->taken + 1 < choice->options) {
            choice->taken++;
            explorer->given = at;
            return true;
        }
        at--;
    }
    return false;
}

uint64_t sim_explorer_runs(const struct sim_explorer *explorer)
{
    return explorer->runs;
}

const uint16_t *sim_explorer_choices(const struct sim_explorer *explorer, uint32_t *count)
{
    *count = explorer->count;
    return explorer->taken;
}

void sim_explorer_set(struct sim_explorer *explorer, const uint16_t *choices, uint32_t count)
{
    reserve(explorer, count);
    for (uint32_t i = 0; i < count; i++)
        explorer->choices[i] = (struct choice){.taken = choices[i]};
    explorer->given = count;
}
