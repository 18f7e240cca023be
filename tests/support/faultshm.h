/* Shared memory in front of another one, whose fallible calls fail as a plan says. */
#ifndef GRAFT_TESTS_SUPPORT_FAULTSHM_H
#define GRAFT_TESTS_SUPPORT_FAULTSHM_H

#include "base/alloc.h"
#include "env/shm.h"
#include "support/faults.h"

struct graft_faultshm {
    struct graft_shm shm;
    struct graft_shm *real;
    struct graft_alloc *alloc;
    struct graft_faults *faults;
};

/* All but `self` is borrowed. */
void graft_faultshm_init(struct graft_faultshm *self, struct graft_shm *real,
                         struct graft_alloc *alloc, struct graft_faults *faults);

#endif
