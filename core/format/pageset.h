/* A set of page numbers as sorted, disjoint, non-adjacent runs; delta-coded on the wire so that a
 * decoder can check it fully. */
#ifndef GRAFT_FORMAT_PAGESET_H
#define GRAFT_FORMAT_PAGESET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct graft_run {
    uint32_t first; /* page number, from 1 */
    uint32_t count; /* at least 1 */
};

struct graft_pageset {
    struct graft_alloc *alloc;
    struct graft_run *runs;
    uint32_t run_count;
    uint32_t run_capacity;
    uint64_t page_count; /* pages in all runs */
};

void graft_pageset_init(struct graft_pageset *set, struct graft_alloc *alloc);
void graft_pageset_deinit(struct graft_pageset *set);
void graft_pageset_clear(struct graft_pageset *set); /* keeps the memory */

/* Adds one page (1..GRAFT_PAGES_MAX; present already is fine). Constant time when pages come in
 * ascending order; a caller with many pages out of order sorts them first. ENOMEM leaves the set as
 * it was. */
GRAFT_MUST_USE enum graft_rc graft_pageset_add(struct graft_pageset *set, uint32_t page);
/* Adds `count` pages from `first`. */
GRAFT_MUST_USE enum graft_rc graft_pageset_add_run(struct graft_pageset *set, uint32_t first,
                                                   uint32_t count);
/* Adds all of `other`; linear in the runs of both. */
GRAFT_MUST_USE enum graft_rc graft_pageset_add_all(struct graft_pageset *set,
                                                   const struct graft_pageset *other);
/* Removes every page above `page_count` (a shrink). */
void graft_pageset_cut(struct graft_pageset *set, uint32_t page_count);
/* Logarithmic in the runs. */
bool graft_pageset_contains(const struct graft_pageset *set, uint32_t page);
bool graft_pageset_intersects(const struct graft_pageset *a, const struct graft_pageset *b);

/* Wire form: varint run count; then per run varint gap (first - 1 for the first run; else pages
 * between the end of the one before and this one's first, at least 1) and varint count - 1. */
GRAFT_MUST_USE enum graft_rc graft_pageset_encode(const struct graft_pageset *set,
                                                  struct graft_buf *out);
/* Replaces the set. ECORRUPT when a run is empty, adjacent, out of order, past GRAFT_PAGES_MAX, or
 * bytes are left or missing. */
GRAFT_MUST_USE enum graft_rc graft_pageset_decode(struct graft_pageset *set, const uint8_t *bytes,
                                                  size_t size, struct graft_err *err);

#endif
