/* First all nodes are taken away that stand in no cycle, which is the end in a good history. In
 * what is left, cycles are looked for class by class: through a given edge, the shortest way back
 * from its end to its start over edges that the class allows is a cycle. */
#include "workloads/check_cycle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOWHERE UINT32_MAX

struct graph {
    const struct workload_edge *edges; /* sorted by `from` */
    size_t edge_count;
    uint32_t node_count;
    size_t *first;     /* edge of each node, and one past the end */
    uint32_t *waiting; /* edges into it from nodes that are left; 0 and taken: stands in no cycle */
    bool *taken;
    uint32_t *queue;
    size_t *via; /* in a search: the edge that led here */
    bool *visited;
};

static int by_from(const void *a, const void *b)
{
    const struct workload_edge *left = a;
    const struct workload_edge *right = b;
    if (left->from != right->from)
        return left->from < right->from ? -1 : 1;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    return (left->to > right->to) - (left->to < right->to);
}

static enum graft_rc graph_init(struct graph *graph, struct graft_alloc *alloc, uint32_t node_count,
                                struct graft_buf *edges)
{
    size_t count = edges->size / sizeof(struct workload_edge);
    if (count > 0)
        qsort(edges->bytes, count, sizeof(struct workload_edge), by_from);
    *graph = (struct graph){
        .edges = (const struct workload_edge *)(const void *)edges->bytes,
        .edge_count = count,
        .node_count = node_count,
        .first = graft_calloc(alloc, (size_t)node_count + 1, sizeof(size_t)),
        .waiting = graft_calloc(alloc, node_count, sizeof(uint32_t)),
        .taken = graft_calloc(alloc, node_count, sizeof(bool)),
        .queue = graft_calloc(alloc, node_count, sizeof(uint32_t)),
        .via = graft_calloc(alloc, node_count, sizeof(size_t)),
        .visited = graft_calloc(alloc, node_count, sizeof(bool)),
    };
    if (graph->first == NULL || graph->waiting == NULL || graph->taken == NULL ||
        graph->queue == NULL || graph->via == NULL || graph->visited == NULL)
        return GRAFT_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        graph->first[graph->edges[i].from + 1]++;
        graph->waiting[graph->edges[i].to]++;
    }
    for (uint32_t node = 0; node < node_count; node++)
        graph->first[node + 1] += graph->first[node];
    return GRAFT_OK;
}

static void graph_deinit(struct graph *graph, struct graft_alloc *alloc)
{
    graft_free(alloc, graph->first);
    graft_free(alloc, graph->waiting);
    graft_free(alloc, graph->taken);
    graft_free(alloc, graph->queue);
    graft_free(alloc, graph->via);
    graft_free(alloc, graph->visited);
}

/* Takes away whoever nobody left must come before, again and again; true when all are taken. */
static bool is_acyclic(struct graph *graph)
{
    uint32_t head = 0;
    uint32_t tail = 0;
    for (uint32_t node = 0; node < graph->node_count; node++) {
        if (graph->waiting[node] == 0)
            graph->queue[tail++] = node;
    }
    while (head < tail) {
        uint32_t node = graph->queue[head++];
        graph->taken[node] = true;
        for (size_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
            if (--graph->waiting[graph->edges[i].to] == 0)
                graph->queue[tail++] = graph->edges[i].to;
        }
    }
    return tail == graph->node_count;
}

/* Breadth first from `from` to `to` over the edges of `kinds`; `via` holds the way. */
static bool search(struct graph *graph, uint32_t from, uint32_t to, unsigned kinds)
{
    uint32_t head = 0;
    uint32_t tail = 0;
    memset(graph->visited, 0, graph->node_count * sizeof *graph->visited);
    graph->visited[from] = true;
    graph->queue[tail++] = from;
    while (head < tail) {
        uint32_t node = graph->queue[head++];
        if (node == to)
            return true;
        for (size_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
            const struct workload_edge *edge = &graph->edges[i];
            bool goes = (kinds & 1U << edge->kind) != 0 && !graph->taken[edge->to] &&
                        !graph->visited[edge->to];
            if (!goes)
                continue;
            graph->visited[edge->to] = true;
            graph->via[edge->to] = i;
            graph->queue[tail++] = edge->to;
        }
    }
    return false;
}

/* The way that `search` found, in order, into `path`; returns its length. */
static size_t walk_back(const struct graph *graph, uint32_t from, uint32_t to, size_t *path,
                        size_t room)
{
    size_t length = 0;
    for (uint32_t node = to; node != from; node = graph->edges[graph->via[node]].from)
        length++;
    size_t at = length;
    for (uint32_t node = to; node != from; node = graph->edges[graph->via[node]].from) {
        at--;
        if (at < room)
            path[at] = graph->via[node];
    }
    return length;
}

#define PATH_MAX_EDGES 16U

struct cycle {
    size_t path[PATH_MAX_EDGES];
    size_t length; /* may be more than the path has room for */
};

/* The shortest cycle that begins with an edge of kind `begins` and goes on over `kinds`. */
static bool find_cycle(struct graph *graph, unsigned begins, unsigned kinds, struct cycle *out)
{
    bool found = false;
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct workload_edge *edge = &graph->edges[i];
        bool fits = (begins & 1U << edge->kind) != 0 && !graph->taken[edge->from] &&
                    !graph->taken[edge->to];
        if (!fits || !search(graph, edge->to, edge->from, kinds))
            continue;
        struct cycle cycle = {.path = {i}};
        cycle.length =
            1 + walk_back(graph, edge->to, edge->from, cycle.path + 1, PATH_MAX_EDGES - 1);
        if (!found || cycle.length < out->length)
            *out = cycle;
        found = true;
        if (out->length == 2)
            break;
    }
    return found;
}

static void edge_text(const struct workload_edge *edge, char *out, size_t size)
{
    switch (edge->kind) {
    case WORKLOAD_EDGE_WW:
        (void)snprintf(out, size, "ww: the next wrote %" PRId64 " to key %" PRId64 " after it",
                       edge->value, edge->key);
        break;
    case WORKLOAD_EDGE_WR:
        (void)snprintf(out, size, "wr: the next read its %" PRId64 " of key %" PRId64, edge->value,
                       edge->key);
        break;
    case WORKLOAD_EDGE_RW:
        (void)snprintf(out, size, "rw: it read key %" PRId64 " without %" PRId64 " of the next",
                       edge->key, edge->value);
        break;
    case WORKLOAD_EDGE_ORDER:
        (void)snprintf(out, size, "order: it ended before the next began, on the same replica");
        break;
    }
}

static void describe(const struct graph *graph, const struct cycle *cycle, const char *signature,
                     workload_node_text_fn *node_text, const void *arg,
                     struct workload_verdict *verdict)
{
    char text[sizeof verdict->text] = "";
    size_t at = 0;
    for (size_t i = 0; i < cycle->length && i < PATH_MAX_EDGES && at + 1 < sizeof text; i++) {
        const struct workload_edge *edge = &graph->edges[cycle->path[i]];
        char node[160];
        char why[160];
        node_text(arg, edge->from, node, sizeof node);
        edge_text(edge, why, sizeof why);
        int added =
            snprintf(text + at, sizeof text - at, "%s%s (%s)", i == 0 ? "" : " -> ", node, why);
        at += added > 0 ? (size_t)added : 0;
    }
    workload_verdict_set(verdict, signature, "%s -> the first%s", text,
                         cycle->length > PATH_MAX_EDGES ? ", after others" : "");
}

static bool is_lost_update(const struct graph *graph, const struct cycle *cycle)
{
    if (cycle->length != 2)
        return false;
    const struct workload_edge *a = &graph->edges[cycle->path[0]];
    const struct workload_edge *b = &graph->edges[cycle->path[1]];
    return a->kind == WORKLOAD_EDGE_RW && b->kind == WORKLOAD_EDGE_WW && a->key == b->key;
}

static void classify(struct graph *graph, workload_node_text_fn *node_text, const void *arg,
                     struct workload_verdict *verdict)
{
    enum {
        WW = 1U << WORKLOAD_EDGE_WW,
        WR = 1U << WORKLOAD_EDGE_WR,
        RW = 1U << WORKLOAD_EDGE_RW,
        ORDER = 1U << WORKLOAD_EDGE_ORDER,
    };
    static const struct {
        unsigned begins;
        unsigned kinds;
        const char *signature;
    } classes[] = {
        {WW, WW, "G0: a cycle of writes"},
        {WR, WW | WR, "G1c: a cycle of reads and writes"},
        {RW, WW | WR, "G-single: a read that missed one write, and saw what came after"},
        {RW, WW | WR | RW, "G2: reads that missed each other's writes"},
        {WW | WR, WW | WR | ORDER, "G1c: a cycle of reads and writes, against their order"},
        {RW, WW | WR | ORDER, "G-single: a read that missed what was there before it began"},
        {WW | WR | RW | ORDER, WW | WR | RW | ORDER, "G2: a cycle, against the order of clients"},
    };
    struct cycle cycle;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (!find_cycle(graph, classes[i].begins, classes[i].kinds, &cycle))
            continue;
        const char *signature = is_lost_update(graph, &cycle)
                                    ? "lost update: two read a version, and both replaced it"
                                    : classes[i].signature;
        describe(graph, &cycle, signature, node_text, arg, verdict);
        return;
    }
}

enum graft_rc workload_check_cycles(struct graft_alloc *alloc, uint32_t node_count,
                                    struct graft_buf *edges, workload_node_text_fn *node_text,
                                    const void *arg, struct workload_verdict *verdict)
{
    struct graph graph;
    enum graft_rc rc = graph_init(&graph, alloc, node_count, edges);
    if (rc == GRAFT_OK && !is_acyclic(&graph))
        classify(&graph, node_text, arg, verdict);
    graph_deinit(&graph, alloc);
    return rc;
}
