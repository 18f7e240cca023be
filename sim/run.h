/* A run: one case, from an empty world to the verdict.
 *
 * 1. Without faults, the first replica makes the workload's schema and pushes.
 * 2. Under the plan's faults, client processes work on all replicas; processes are killed and
 *    paused, machines crash, and what died starts again, as the case's seed decides.
 * 3. Faults end, what is down comes up. Every client must come to its end; every replica must pull
 *    and push until all are at the same remote commit; all must hold the same pages, SQLite must
 *    find them whole, and the workload what was promised. A process that ends holds nothing.
 *
 * A failure has a signature, which names what is wrong and nothing of how it came about: two
 * runs with the same signature fail, as far as can be told, for the same reason. */
#ifndef GRAFT_SIM_RUN_H
#define GRAFT_SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/case.h"
#include "sim/trace.h"
#include "sim/world.h"

#define SIM_SIGNATURE_BYTES 200U

struct sim_result {
    char signature[SIM_SIGNATURE_BYTES]; /* "": none, the run passed */
    char *report;                        /* free(3) it; NULL: nothing to say */
    uint64_t hash;
    uint64_t events;
    uint64_t simulated_ns;
    uint64_t transactions; /* that were committed */
    uint64_t restarts;     /* of client processes */
    uint64_t fired[SIM_FAULT_COUNT];
    bool damaged; /* a fault that takes a promise away fired, and its damage was reported as such */
};

struct sim_run_options {
    FILE *trace;                             /* NULL: no text of the events */
    bool record;                             /* keep all events, see `events` */
    const struct sim_event_record *expected; /* NULL: hold against nothing */
    size_t expected_count;
    struct sim_event_record *recorded; /* out: free(3) it */
    size_t recorded_count;
};

/* `options` may be NULL. */
void sim_run(struct sim_pool *pool, const struct sim_case *what, struct sim_run_options *options,
             struct sim_result *out);
/* Faults that fired, all kinds together. */
uint64_t sim_result_fired(const struct sim_result *result);
void sim_result_deinit(struct sim_result *result);

#endif
