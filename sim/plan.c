/* Plans: drawn from a seed, printed, and read back. Drawing uses a stream of its own for each fault
 * kind, so that adding a kind to the table changes no other rate of any seed. */
#include "sim/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "sim/number.h"
#include "sim/rand.h"

#define PLAN_STREAM_OFFSET 0x10000U

static const struct {
    const char *name;
    const char *text;
    uint32_t mild_ppm;
    uint32_t wild_ppm;
    uint32_t in_64;
} faults[SIM_FAULT_COUNT] = {
#define SIM_FAULT_ROW(name, mild, wild, in64, text) {#name, text, mild, wild, in64},
    SIM_FAULT_TABLE(SIM_FAULT_ROW)
#undef SIM_FAULT_ROW
};

const char *sim_fault_name(enum sim_fault kind)
{
    GRAFT_ASSERT(kind < SIM_FAULT_COUNT);
    return faults[kind].name;
}

const char *sim_fault_text(enum sim_fault kind)
{
    GRAFT_ASSERT(kind < SIM_FAULT_COUNT);
    return faults[kind].text;
}

enum sim_fault sim_fault_find(const char *name, size_t length)
{
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        if (strlen(faults[i].name) == length && memcmp(faults[i].name, name, length) == 0)
            return (enum sim_fault)i;
    }
    return SIM_FAULT_COUNT;
}

void sim_plan_calm(struct sim_plan *plan, uint64_t seed)
{
    *plan = (struct sim_plan){.seed = seed, .policy = SIM_POLICY_RANDOM};
}

void sim_plan_draw(struct sim_plan *plan, uint64_t seed)
{
    sim_plan_calm(plan, seed);
    struct sim_rng rng;
    sim_rng_init(&rng, seed, SIM_STREAM_PLAN);
    if (sim_rng_below(&rng, 2) == 0) {
        plan->policy = SIM_POLICY_PCT;
        plan->depth = (uint32_t)sim_rng_between(&rng, 1, 8);
        plan->steps = (uint32_t)sim_rng_skewed(&rng, 500, 100000);
    }
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        /* By name, and not by number: a new kind shall not renumber the others' draws. */
        uint64_t stream = PLAN_STREAM_OFFSET;
        for (const char *at = faults[i].name; *at != '\0'; at++)
            stream = stream * 31 + (uint8_t)*at;
        sim_rng_init(&rng, seed, stream);
        if (sim_rng_below(&rng, 64) >= faults[i].in_64)
            continue;
        bool wild = sim_rng_below(&rng, 3) == 0;
        plan->rate_ppm[i] = wild ? faults[i].wild_ppm : faults[i].mild_ppm;
    }
}

void sim_plan_print(const struct sim_plan *plan, char out[SIM_PLAN_TEXT_BYTES])
{
    static const char *const policies[] = {"random", "pct", "given"};
    int used = snprintf(out, SIM_PLAN_TEXT_BYTES, "seed=%" PRIu64 " policy=%s", plan->seed,
                        policies[plan->policy]);
    if (plan->policy == SIM_POLICY_PCT)
        used += snprintf(out + used, SIM_PLAN_TEXT_BYTES - (size_t)used, " depth=%u steps=%u",
                         plan->depth, plan->steps);
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        if (plan->rate_ppm[i] > 0)
            used += snprintf(out + used, SIM_PLAN_TEXT_BYTES - (size_t)used, " %s=%u",
                             faults[i].name, plan->rate_ppm[i]);
        GRAFT_ASSERT((size_t)used < SIM_PLAN_TEXT_BYTES);
    }
}

static bool word_is(const char *word, size_t length, const char *wanted)
{
    return strlen(wanted) == length && memcmp(word, wanted, length) == 0;
}

static bool parse_word(struct sim_plan *plan, const char *name, size_t name_bytes,
                       const char *value, size_t value_bytes)
{
    if (word_is(name, name_bytes, "policy")) {
        if (word_is(value, value_bytes, "random"))
            plan->policy = SIM_POLICY_RANDOM;
        else if (word_is(value, value_bytes, "pct"))
            plan->policy = SIM_POLICY_PCT;
        else if (word_is(value, value_bytes, "given"))
            plan->policy = SIM_POLICY_GIVEN;
        else
            return false;
        return true;
    }
    uint64_t number = 0;
    if (word_is(name, name_bytes, "seed"))
        return sim_number_parse(value, value_bytes, UINT64_MAX, &plan->seed);
    if (!sim_number_parse(value, value_bytes, UINT32_MAX, &number))
        return false;
    if (word_is(name, name_bytes, "depth")) {
        plan->depth = (uint32_t)number;
        return true;
    }
    if (word_is(name, name_bytes, "steps")) {
        plan->steps = (uint32_t)number;
        return true;
    }
    enum sim_fault kind = sim_fault_find(name, name_bytes);
    if (kind == SIM_FAULT_COUNT || number > 1000000)
        return false;
    plan->rate_ppm[kind] = (uint32_t)number;
    return true;
}

enum graft_rc sim_plan_parse(const char *text, struct sim_plan *out, struct graft_err *err)
{
    struct sim_plan plan;
    sim_plan_calm(&plan, 0);
    const char *at = text + strspn(text, " \n");
    while (*at != '\0') {
        size_t length = strcspn(at, " \n");
        const char *equals = memchr(at, '=', length);
        size_t name_bytes = equals == NULL ? length : (size_t)(equals - at);
        if (equals == NULL ||
            !parse_word(&plan, at, name_bytes, equals + 1, length - name_bytes - 1))
            return graft_err_set(err, GRAFT_EINVAL, "plan: '%.*s' is not understood", (int)length,
                                 at);
        at += length;
        at += strspn(at, " \n");
    }
    *out = plan;
    return GRAFT_OK;
}
