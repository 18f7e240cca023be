/* Atomic counters, since memory is taken by several threads. */
#include "support/faultalloc.h"

#include <stdatomic.h>

static void *resize(struct graft_alloc *alloc, void *old, size_t bytes)
{
    struct graft_faultalloc *self = (struct graft_faultalloc *)alloc;
    uint64_t number = atomic_fetch_add(&self->counted, 1) + 1;
    if (self->nth != 0 && (number == self->nth || (self->from_then_on && number > self->nth))) {
        self->failed += 1;
        return NULL;
    }
    void *memory = self->real->ops->resize(self->real, old, bytes);
    if (memory != NULL && old == NULL)
        self->live += 1;
    return memory;
}

static void release(struct graft_alloc *alloc, void *memory)
{
    struct graft_faultalloc *self = (struct graft_faultalloc *)alloc;
    if (memory != NULL)
        self->live -= 1;
    graft_free(self->real, memory);
}

static const struct graft_alloc_ops ops = {.resize = resize, .release = release};

void graft_faultalloc_init(struct graft_faultalloc *self, struct graft_alloc *real)
{
    *self = (struct graft_faultalloc){.alloc.ops = &ops, .real = real};
}

void graft_faultalloc_arm(struct graft_faultalloc *self, uint64_t nth, bool from_then_on)
{
    self->nth = nth;
    self->from_then_on = from_then_on;
    self->counted = 0;
    self->failed = 0;
}

uint64_t graft_faultalloc_disarm(struct graft_faultalloc *self)
{
    self->nth = 0;
    return self->failed;
}
