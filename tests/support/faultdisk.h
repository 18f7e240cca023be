/* A disk in front of another one, whose calls fail as a plan says. */
#ifndef GRAFT_TESTS_SUPPORT_FAULTDISK_H
#define GRAFT_TESTS_SUPPORT_FAULTDISK_H

#include "env/env.h"
#include "support/faultalloc.h"
#include "support/faults.h"
#include "support/faultshm.h"

struct graft_faultdisk {
    struct graft_disk disk;
    struct graft_disk *real;
    struct graft_alloc *alloc;
    struct graft_faults *faults;
};

/* All but `self` is borrowed. */
void graft_faultdisk_init(struct graft_faultdisk *self, struct graft_disk *real,
                          struct graft_alloc *alloc, struct graft_faults *faults);

/* A whole environment with faults in its disk, shared memory and allocator; the rest is the real
 * one's. */
struct graft_fault_env {
    struct graft_env env;
    struct graft_faults faults; /* of disk and shm */
    struct graft_faultalloc alloc;
    struct graft_faultdisk disk;
    struct graft_faultshm shm;
};

void graft_fault_env_init(struct graft_fault_env *self, struct graft_env *real);

#endif
