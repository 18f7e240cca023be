/* What many runs amount to: how often each fault fired and each point of the catalogue was reached,
 * and how long it all took. */
#ifndef GRAFT_SIM_TALLY_H
#define GRAFT_SIM_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/codes.h"
#include "sim/catalogue.h"
#include "sim/run.h"

struct sim_tally {
    uint64_t runs, failed, damaged;
    uint64_t short_runs; /* with less than 100 transactions, or than 5 faults */
    uint64_t transactions, restarts, events, simulated_ns;
    uint64_t busy_ns; /* of the processor, over all jobs */
    uint64_t fired[SIM_FAULT_COUNT];
    uint64_t fired_runs[SIM_FAULT_COUNT];
    struct sim_point_count *points; /* sim_point_count() of them */
};

void sim_tally_init(struct sim_tally *tally);
void sim_tally_deinit(struct sim_tally *tally);
void sim_tally_add(struct sim_tally *tally, const struct sim_result *result);
/* Adds what this process's points counted since they were cleared, and clears them. */
void sim_tally_take_points(struct sim_tally *tally);
void sim_tally_merge(struct sim_tally *tally, const struct sim_tally *other);

/* Text, a line a fault and a point; read back by any later version. */
void sim_tally_write(const struct sim_tally *tally, FILE *file);
/* Adds what is written there; points that this program does not have are left out. EINVAL. */
GRAFT_MUST_USE enum graft_rc sim_tally_read(struct sim_tally *tally, FILE *file,
                                            struct graft_err *err);
/* What was never hit, or all; returns how many there are that should have been. */
uint64_t sim_tally_print(const struct sim_tally *tally, bool all, FILE *file);

#endif
