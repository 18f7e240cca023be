/* The catalogue of core/base/catalogue.h in the simulator: what was reached is counted over all
 * worlds of the program, an `always` that does not hold (and an `unreachable` that is reached)
 * fails the run, odd choices and planted bugs are decided by the plan. */
#ifndef GRAFT_SIM_CATALOGUE_H
#define GRAFT_SIM_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/catalogue.h"

struct sim_point_count {
    uint64_t reached; /* asked, for odd choices and planted bugs */
    uint64_t held;    /* the condition was true; the answer was yes */
};

/* Points of the program. A number below is valid for the life of the process and means nothing in
 * another program; texts do. */
size_t sim_point_count(void);
const struct graft_point *sim_point_at(size_t number);
/* Since the program began or sim_point_clear was called. */
struct sim_point_count sim_point_counted(size_t number);
void sim_point_clear(void);
/* sim_point_count() when there is none of that kind and text. */
size_t sim_point_find(enum graft_point_kind kind, const char *text);
/* From now on the mutant number `number` is planted in every world; sim_point_count(): none. */
void sim_point_plant(size_t number);
/* Whether an `always` that does not hold, or an `unreachable` that is reached, fails the run, as at
 * first. Planted bugs are to be found without their help. */
void sim_point_set_strict(bool strict);

#endif
