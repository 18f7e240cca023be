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
    struct sim_explorer *self = sim_host_alloc(sizeof *self);
    self->preemptions_max = preemptions_max;
    return self;
}

void sim_explorer_free(struct sim_explorer *self)
{
    if (self == NULL)
        return;
    sim_host_free(self->choices);
    sim_host_free(self->taken);
    sim_host_free(self);
}

void sim_explorer_attach(struct sim_explorer *self, struct sim_world *world)
{
    GRAFT_ASSERT(world->plan.policy == SIM_POLICY_GIVEN);
    world->explorer = self;
    self->count = 0;
    self->preemptions = 0;
    self->runs++;
}

static void reserve(struct sim_explorer *self, uint32_t count)
{
    if (count <= self->capacity)
        return;
    self->capacity = self->capacity == 0 ? 1024 : self->capacity * 2;
    if (self->capacity < count)
        self->capacity = count;
    self->choices = sim_host_realloc(self->choices, self->capacity * sizeof *self->choices);
    self->taken = sim_host_realloc(self->taken, self->capacity * sizeof *self->taken);
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

uint32_t sim_explorer_pick(struct sim_explorer *self, struct sim_fiber *const *runnable,
                           uint32_t count, const struct sim_fiber *running)
{
    GRAFT_ASSERT(self != NULL && count <= UINT16_MAX);
    uint32_t running_at = find_running(runnable, count, running);
    bool preempts = running_at < count;
    bool spent = preempts && self->preemptions >= self->preemptions_max;
    reserve(self, self->count + 1);
    struct choice *choice = &self->choices[self->count];
    uint16_t taken = self->count < self->given ? choice->taken : 0;
    if (taken >= count)
        taken = 0; /* a list that was made for another scenario */
    *choice = (struct choice){
        .taken = taken, .options = spent ? 1 : (uint16_t)count, .preempts = preempts};
    self->taken[self->count++] = taken;
    if (preempts && taken != 0)
        self->preemptions++;
    /* Option 0 and the running fiber's place change seats. */
    uint32_t zero = preempts ? running_at : 0;
    return taken == 0 ? zero : taken == zero ? 0 : taken;
}

bool sim_explorer_next(struct sim_explorer *self)
{
    uint32_t at = self->count;
    while (at > 0) {
        struct choice *choice = &self->choices[at - 1];
        if (choice->taken + 1 < choice->options) {
            choice->taken++;
            self->given = at;
            return true;
        }
        at--;
    }
    return false;
}

uint64_t sim_explorer_runs(const struct sim_explorer *self)
{
    return self->runs;
}

const uint16_t *sim_explorer_choices(const struct sim_explorer *self, uint32_t *count)
{
    *count = self->count;
    return self->taken;
}

void sim_explorer_set(struct sim_explorer *self, const uint16_t *choices, uint32_t count)
{
    reserve(self, count);
    for (uint32_t i = 0; i < count; i++)
        self->choices[i] = (struct choice){.taken = choices[i]};
    self->given = count;
}
