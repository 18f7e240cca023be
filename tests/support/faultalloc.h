/* An allocator in front of another one: fails the nth allocation, and knows how many live. */
#ifndef GRAFT_TESTS_SUPPORT_FAULTALLOC_H
#define GRAFT_TESTS_SUPPORT_FAULTALLOC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

struct graft_faultalloc {
    struct graft_alloc alloc;
    struct graft_alloc *real;
    uint64_t nth; /* the allocation that fails, from 1; 0 = none */
    bool from_then_on;
    _Atomic uint64_t counted; /* allocations and reallocations since the plan was armed */
    _Atomic uint64_t failed;  /* of these, those that were made to fail */
    _Atomic int64_t live;     /* blocks that are not freed yet, since init */
};

void graft_faultalloc_init(struct graft_faultalloc *self, struct graft_alloc *real);
/* The `nth` allocation or reallocation from now on fails, and all after it when `from_then_on`. */
void graft_faultalloc_arm(struct graft_faultalloc *self, uint64_t nth, bool from_then_on);
/* Ends the plan; returns how many allocations it made fail. */
uint64_t graft_faultalloc_disarm(struct graft_faultalloc *self);

#endif
