/* Cycles in a graph of transactions; inside the checkers only. */
#ifndef GRAFT_WORKLOADS_CHECK_CYCLE_H
#define GRAFT_WORKLOADS_CHECK_CYCLE_H

#include "base/buf.h"
#include "workloads/check.h"

enum workload_edge_kind {
    WORKLOAD_EDGE_WW,
    WORKLOAD_EDGE_WR,
    WORKLOAD_EDGE_RW,
    WORKLOAD_EDGE_ORDER,
};

struct workload_edge {
    uint32_t from; /* comes before */
    uint32_t to;
    enum workload_edge_kind kind;
    int64_t key;   /* of what both touched */
    int64_t value; /* wr: the version that `from` wrote; else the one that `to` wrote */
};

/* Writes the name of a node. */
typedef void workload_node_text_fn(const void *arg, uint32_t node, char *out, size_t size);

/* Reports the worst kind of cycle there is, the shortest of it. `edges`: struct workload_edge,
 * reordered. */
GRAFT_MUST_USE enum graft_rc workload_check_cycles(struct graft_alloc *alloc, uint32_t node_count,
                                                   struct graft_buf *edges,
                                                   workload_node_text_fn *node_text,
                                                   const void *arg,
                                                   struct workload_verdict *verdict);

#endif
