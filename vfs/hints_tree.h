/* Inside the hints: the interior pages known at one snapshot, and where a page stands below them.
 */
#ifndef GRAFT_VFS_HINTS_TREE_H
#define GRAFT_VFS_HINTS_TREE_H

#include "vfs/hints.h"

#define GRAFT_TREE_NODES_MAX 1024U
#define GRAFT_TREE_DEPTH_MAX 20U

/* An interior page. */
struct graft_tree_node {
    uint32_t page;
    uint32_t count; /* children */
    bool table;
    bool above_leaves; /* a child was seen to be a leaf */
    uint32_t *children;
    int64_t *keys; /* of a table: the largest rowid below each child */
    uint64_t stalled_us;
};

struct graft_tree_child {
    uint32_t page; /* 0: free */
    uint32_t node;
    uint32_t position;
};

struct graft_trees {
    struct graft_env *env;
    struct graft_session *session;
    struct graft_hints_passed *passed;
    uint64_t lsn; /* of the snapshot that all this is of */
    uint32_t page_count;
    uint32_t page_bytes, usable;
    uint8_t *scratch; /* one page */
    struct graft_tree_node *nodes;
    uint32_t node_count;
    struct graft_tree_child *map; /* open addressing */
    uint32_t map_size, map_used;
    bool full; /* there was no room for a node: all is forgotten before the next event */
};

/* A child's place: `node` is an index into nodes. */
struct graft_tree_place {
    uint32_t node;
    uint32_t position;
};

void graft_trees_init(struct graft_trees *trees, struct graft_env *env,
                      struct graft_session *session, struct graft_hints_passed *passed);
void graft_trees_deinit(struct graft_trees *trees);
/* Moves to a snapshot; what is known of another is forgotten. Nodes stay where they are until the
 * next call. False without memory. */
bool graft_trees_at(struct graft_trees *trees, const struct graft_snapshot *snapshot,
                    uint32_t page_bytes);
/* The held page's bytes, in `scratch`; NULL when it is not held. */
const uint8_t *graft_trees_peek(struct graft_trees *trees, uint32_t page);
/* The node of the interior page, read when it is held; -1 otherwise. */
int64_t graft_trees_node(struct graft_trees *trees, uint32_t page);
/* Learns an interior page from its bytes. */
int64_t graft_trees_learn(struct graft_trees *trees, uint32_t page, const uint8_t *bytes);
/* Where the page stands; false when no known or passed interior page points to it. */
bool graft_trees_find(struct graft_trees *trees, uint32_t page, struct graft_tree_place *out);
/* The topmost known page above the node, and how many levels there are from it down to the node's
 * children. */
uint32_t graft_trees_root(struct graft_trees *trees, uint32_t node, uint32_t *depth);
/* Moves to the next child in key order (`direction` 1 or -1), across parents. False at the end;
 * also where a parent is not held, whose number is in `*missing` then (else 0). */
bool graft_trees_step(struct graft_trees *trees, struct graft_tree_place *place, int direction,
                      uint32_t *missing);
/* The page `depth` levels below `root` that has the rowid; 0 when a page on the way is not held,
 * whose number is in `*missing`. */
uint32_t graft_trees_resolve(struct graft_trees *trees, uint32_t root, uint32_t depth,
                             int64_t rowid, uint32_t *missing);

#endif
