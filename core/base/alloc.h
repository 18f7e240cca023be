/* The allocator that all of core takes its memory from. Running out is an error that travels up. */
#ifndef GRAFT_BASE_ALLOC_H
#define GRAFT_BASE_ALLOC_H

#include <stddef.h>

#include "base/codes.h"

struct graft_alloc;

struct graft_alloc_ops {
    /* As realloc(3): NULL `old` allocates, failure returns NULL and leaves `old` alone. `bytes` >
     * 0. Does not yield. */
    void *(*resize)(struct graft_alloc *alloc, void *old, size_t bytes);
    /* Frees what `resize` returned; accepts NULL. */
    void (*release)(struct graft_alloc *alloc, void *memory);
};

struct graft_alloc {
    const struct graft_alloc_ops *ops;
};

/* Uninitialised memory of `bytes` (0 counts as 1), or NULL. Free it with graft_free. */
GRAFT_MUST_USE void *graft_malloc(struct graft_alloc *alloc, size_t bytes);

/* Zeroed memory for `count` elements of `bytes` each, or NULL (also when the product overflows). */
GRAFT_MUST_USE void *graft_calloc(struct graft_alloc *alloc, size_t count, size_t bytes);

/* Resizes to `count` elements of `bytes`; NULL on failure, `old` stays valid then. */
GRAFT_MUST_USE void *graft_realloc(struct graft_alloc *alloc, void *old, size_t count,
                                   size_t bytes);

/* A copy of the string, or NULL. */
GRAFT_MUST_USE char *graft_strdup(struct graft_alloc *alloc, const char *text);

void graft_free(struct graft_alloc *alloc, void *memory);

#endif
