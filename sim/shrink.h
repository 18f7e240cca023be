/* Making a failing case small: whatever can be taken away while it still fails in the same way is
 * taken away. */
#ifndef GRAFT_SIM_SHRINK_H
#define GRAFT_SIM_SHRINK_H

#include <stdint.h>

#include "sim/case.h"

/* Told of each step that was kept; `why` names it. */
typedef void sim_shrink_fn(void *arg, const struct sim_case *smaller, const char *why);

/* Replaces `self`, which fails with `signature`, by the smallest case found that does too. Returns
 * how many cases were run. */
uint64_t sim_shrink(struct sim_case *self, const char *signature, sim_shrink_fn *step, void *arg);

#endif
