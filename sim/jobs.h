/* Many runs in processes of their own: a run that ends its process by a signal is a failed run, and
 * no more. */
#ifndef GRAFT_SIM_JOBS_H
#define GRAFT_SIM_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/run.h"
#include "sim/tally.h"

struct sim_jobs {
    uint64_t first, last; /* numbers, inclusive: seeds, mostly */
    uint32_t jobs;        /* processes at a time */
    uint32_t seconds;     /* none begins after so many; 0: no limit */
    /* In the child: run number `number`. The report, if any, reaches `done` as text. */
    void (*run)(void *arg, struct sim_pool *pool, uint64_t number, struct sim_result *out);
    /* In the parent, once for each number in no order; false: no number above this one matters. */
    bool (*done)(void *arg, uint64_t number, const struct sim_result *result);
    void *arg;
};

/* Runs all; adds up what they did (NULL: nobody asks). */
void sim_jobs_run(const struct sim_jobs *jobs, struct sim_tally *tally);
/* One run, in a process of its own. */
void sim_jobs_run_one(const struct sim_case *what, struct sim_result *out);

#endif
