/* Hints to the prefetcher: this side knows SQLite's B-trees, core does not. It follows readers
 * through the trees, by pages as they are read, and says which come next or together.
 *
 * Where all that is read is held already, it only notes which interior pages and index leaves pass
 * (graft_hints_pass, inline); the work is done when a page was missing. */
#ifndef GRAFT_VFS_HINTS_H
#define GRAFT_VFS_HINTS_H

#include "env/env.h"
#include "graft/graft.h"
#include "vfs/btree.h"

struct graft_hints;

#define GRAFT_HINTS_PASSED 64U /* interior pages remembered; and as many index leaves */

/* Page numbers that passed, newest last: in a dbfile itself, since every read touches it. */
struct graft_hints_passed {
    uint32_t interior[GRAFT_HINTS_PASSED];
    uint32_t index_leaf[4];
    uint32_t interior_next, index_leaf_next;
};

static inline void graft_hints_pass(struct graft_hints_passed *passed, uint32_t page, uint8_t type)
{
    if (type == GRAFT_BTREE_INDEX_LEAF)
        passed->index_leaf[passed->index_leaf_next++ % 4] = page;
    else if (graft_btree_is_interior(type))
        passed->interior[passed->interior_next++ % GRAFT_HINTS_PASSED] = page;
}

/* NULL without memory. `passed` is borrowed. Free with graft_hints_free, which accepts NULL. */
struct graft_hints *graft_hints_new(struct graft_env *env, struct graft_session *session,
                                    struct graft_hints_passed *passed);
void graft_hints_free(struct graft_hints *hints);
/* The page is missing at the pinned snapshot, and its read follows. */
void graft_hints_missing(struct graft_hints *hints, const struct graft_snapshot *snapshot,
                         uint32_t page_bytes, uint32_t page);
/* A page was read that had been missing, or was read for the first time since it was fetched. */
void graft_hints_fresh(struct graft_hints *hints, const struct graft_snapshot *snapshot,
                       uint32_t page_bytes, uint32_t page, const uint8_t *bytes);

#endif
