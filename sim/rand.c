/* The generators of the simulation, and the randomness seam of a process, which is one of them: a
 * process draws from a generator of its own, so that what it draws does not depend on what others
 * do. */
#include "sim/rand.h"

#include <string.h>

#include "base/assert.h"
#include "sim/parts.h"

static uint64_t splitmix(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void sim_rng_init(struct sim_rng *rng, uint64_t seed, uint64_t stream)
{
    /* The stream's number is mixed before it meets the seed: (1, 2) and (2, 1) differ. */
    uint64_t state = stream;
    state = splitmix(&state) ^ seed;
    for (size_t i = 0; i < 4; i++)
        rng->words[i] = splitmix(&state);
}

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

uint64_t sim_rng_u64(struct sim_rng *rng)
{
    uint64_t *s = rng->words;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t sim_rng_below(struct sim_rng *rng, uint64_t bound)
{
    GRAFT_ASSERT(bound > 0);
    uint64_t drawn = sim_rng_u64(rng);
    /* The bias of either form is far below what a simulation could notice. */
    return bound <= UINT32_MAX ? (drawn >> 32) * bound >> 32 : drawn % bound;
}

uint64_t sim_rng_between(struct sim_rng *rng, uint64_t low, uint64_t high)
{
    GRAFT_ASSERT(low <= high && high - low < UINT64_MAX);
    return low + sim_rng_below(rng, high - low + 1);
}

uint64_t sim_rng_skewed(struct sim_rng *rng, uint64_t low, uint64_t high)
{
    GRAFT_ASSERT(low > 0 && low <= high);
    unsigned doublings = 0;
    while (high / low >> doublings > 1)
        doublings++;
    uint64_t base = low << sim_rng_below(rng, (uint64_t)doublings + 1);
    uint64_t value = base + sim_rng_below(rng, base);
    return value < high ? value : high;
}

bool sim_rng_chance(struct sim_rng *rng, uint32_t ppm)
{
    return ppm > 0 && sim_rng_below(rng, 1000000) < ppm;
}

void sim_rng_fill(struct sim_rng *rng, void *bytes, size_t count)
{
    uint8_t *at = bytes;
    while (count > 0) {
        uint64_t drawn = sim_rng_u64(rng);
        size_t size = count < sizeof drawn ? count : sizeof drawn;
        for (size_t i = 0; i < size; i++)
            at[i] = (uint8_t)(drawn >> (8 * i));
        at += size;
        count -= size;
    }
}

/* ---- The seam. */

static void fill(struct graft_rand *rand, void *bytes, size_t count)
{
    struct sim_process *process = sim_process_of_rand(rand);
    sim_rng_fill(&process->rng, bytes, count);
    sim_trace_event(process->world, SIM_EVENT_RANDOM, process->id, count, 0);
}

const struct graft_rand_ops sim_rand_ops = {.fill = fill};
