/* The shrinker: greedy, from the changes that take most away to those that take least, again from
 * the start until no change is left that keeps the failure. Every candidate is run, and must fail
 * with the same signature: a smaller case that fails otherwise is another bug. */
#include "sim/shrink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/jobs.h"

struct shrinking {
    struct sim_case *best;
    const char *signature;
    sim_shrink_fn *step;
    void *arg;
    uint64_t runs;
};

static bool fails_alike(struct shrinking *self, const struct sim_case *candidate)
{
    struct sim_result result = {0};
    sim_jobs_run_one(candidate, &result);
    self->runs++;
    bool alike = strcmp(result.signature, self->signature) == 0;
    sim_result_deinit(&result);
    return alike;
}

/* Keeps the candidate when it fails too. */
static bool try(struct shrinking *self, const struct sim_case *candidate, const char *why)
{
    char was[SIM_CASE_TEXT_BYTES];
    char is[SIM_CASE_TEXT_BYTES];
    sim_case_print(self->best, was);
    sim_case_print(candidate, is);
    if (strcmp(was, is) == 0 || !fails_alike(self, candidate))
        return false;
    *self->best = *candidate;
    if (self->step != NULL)
        self->step(self->arg, candidate, why);
    return true;
}

/* ---- Setup: fewer of everything. */

static bool lower(struct shrinking *self, uint32_t *(*field)(struct sim_case *), uint32_t least,
                  const char *why)
{
    bool any = false;
    for (;;) {
        struct sim_case candidate = *self->best;
        uint32_t *value = field(&candidate);
        uint32_t old = *value;
        if (old <= least)
            return any;
        *value = least;
        bool kept = try(self, &candidate, why);
        if (!kept) {
            *value = old - (old - least + 1) / 2;
            kept = *value > least && try(self, &candidate, why);
        }
        if (!kept)
            return any;
        any = true;
    }
}

static uint32_t *replicas(struct sim_case *self)
{
    return &self->replicas;
}

static uint32_t *machines(struct sim_case *self)
{
    return &self->machines;
}

static uint32_t *processes(struct sim_case *self)
{
    return &self->processes;
}

static uint32_t *seconds(struct sim_case *self)
{
    return &self->seconds;
}

static uint32_t *transactions(struct sim_case *self)
{
    return &self->transactions;
}

static bool shrink_setup(struct shrinking *self)
{
    bool any = lower(self, seconds, 1, "less time");
    any = lower(self, transactions, 1, "fewer transactions") || any;
    any = lower(self, replicas, 1, "fewer replicas") || any;
    any = lower(self, machines, 1, "fewer machines") || any;
    any = lower(self, processes, 1, "fewer processes") || any;
    struct sim_case candidate = *self->best;
    candidate.cache_limit = 0;
    any = try(self, &candidate, "no cache limit") || any;
    candidate = *self->best;
    candidate.page_bytes = 4096;
    return try(self, &candidate, "ordinary pages") || any;
}

/* ---- The plan: fewer kinds of faults, and fewer of each. */

static bool shrink_faults(struct shrinking *self)
{
    char why[64];
    bool any = false;
    struct sim_case calm = *self->best;
    memset(calm.plan.rate_ppm, 0, sizeof calm.plan.rate_ppm);
    if (try(self, &calm, "no fault at all"))
        return true;
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        struct sim_case candidate = *self->best;
        candidate.plan.rate_ppm[i] = 0;
        (void)snprintf(why, sizeof why, "no %s", sim_fault_name((enum sim_fault)i));
        any = try(self, &candidate, why) || any;
    }
    return any;
}

static bool shrink_rates(struct shrinking *self)
{
    char why[64];
    bool any = false;
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        (void)snprintf(why, sizeof why, "less %s", sim_fault_name((enum sim_fault)i));
        for (;;) {
            struct sim_case candidate = *self->best;
            candidate.plan.rate_ppm[i] /= 2;
            if (candidate.plan.rate_ppm[i] < 10 || !try(self, &candidate, why))
                break;
            any = true;
        }
    }
    return any;
}

static uint32_t *depth(struct sim_case *self)
{
    return &self->plan.depth;
}

static bool shrink_schedule(struct shrinking *self)
{
    if (self->best->plan.policy != SIM_POLICY_PCT)
        return false;
    struct sim_case candidate = *self->best;
    candidate.plan.depth = 0;
    if (try(self, &candidate, "a schedule without changes of priority"))
        return true;
    return lower(self, depth, 1, "fewer changes of priority");
}

uint64_t sim_shrink(struct sim_case *self, const char *signature, sim_shrink_fn *step, void *arg)
{
    struct shrinking shrinking = {.best = self, .signature = signature, .step = step, .arg = arg};
    bool any = true;
    while (any) {
        any = shrink_setup(&shrinking);
        any = shrink_faults(&shrinking) || any;
        any = shrink_schedule(&shrinking) || any;
    }
    while (shrink_rates(&shrinking))
        ;
    return shrinking.runs;
}
