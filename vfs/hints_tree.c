/* Interior pages as they are needed: read when held, never fetched. A page counts as interior when
 * it looks like one in every respect and points to a page that was just asked for; should it be
 * something else all the same (the bytes of a value can look like anything), a few pages are
 * fetched for nothing. All is forgotten with the snapshot, and when there is too much of it. */
#include "vfs/hints_tree.h"

#include <string.h>

#define MAP_SIZE_FIRST 4096U
#define MAP_SIZE_MAX (1U << 20)
#define CHILDREN_MAX 16384U /* cells of the largest page, and more */

void graft_trees_init(struct graft_trees *trees, struct graft_env *env,
                      struct graft_session *session, struct graft_hints_passed *passed)
{
    *trees = (struct graft_trees){.env = env, .session = session, .passed = passed};
}

static void forget(struct graft_trees *trees)
{
    for (uint32_t i = 0; i < trees->node_count; i++) {
        graft_free(trees->env->alloc, trees->nodes[i].children);
        graft_free(trees->env->alloc, trees->nodes[i].keys);
    }
    trees->node_count = 0;
    trees->map_used = 0;
    if (trees->map != NULL)
        memset(trees->map, 0, trees->map_size * sizeof *trees->map);
}

void graft_trees_deinit(struct graft_trees *trees)
{
    forget(trees);
    graft_free(trees->env->alloc, trees->nodes);
    graft_free(trees->env->alloc, trees->map);
    graft_free(trees->env->alloc, trees->scratch);
}

bool graft_trees_at(struct graft_trees *trees, const struct graft_snapshot *snapshot,
                    uint32_t page_bytes)
{
    struct graft_alloc *alloc = trees->env->alloc;
    if (trees->lsn != snapshot->lsn || trees->page_bytes != page_bytes || trees->full)
        forget(trees);
    trees->full = false;
    if (trees->page_bytes != page_bytes) {
        uint8_t *scratch = graft_realloc(alloc, trees->scratch, page_bytes, 1);
        if (scratch == NULL)
            return false;
        trees->scratch = scratch;
        trees->page_bytes = page_bytes;
        trees->usable = page_bytes;
        const uint8_t *first = graft_trees_peek(trees, 1);
        if (first != NULL && first[20] < page_bytes - 480)
            trees->usable = page_bytes - first[20];
    }
    if (trees->nodes == NULL)
        trees->nodes = graft_calloc(alloc, GRAFT_TREE_NODES_MAX, sizeof *trees->nodes);
    if (trees->map == NULL) {
        trees->map = graft_calloc(alloc, MAP_SIZE_FIRST, sizeof *trees->map);
        trees->map_size = trees->map != NULL ? MAP_SIZE_FIRST : 0;
    }
    trees->lsn = snapshot->lsn;
    trees->page_count = snapshot->page_count;
    return trees->nodes != NULL && trees->map != NULL;
}

const uint8_t *graft_trees_peek(struct graft_trees *trees, uint32_t page)
{
    size_t got = 0;
    if (graft_session_peek(trees->session, page, trees->scratch, trees->page_bytes, &got, NULL) !=
            GRAFT_OK ||
        got != trees->page_bytes)
        return NULL;
    return trees->scratch;
}

/* ---- From child to parent ---- */

static uint32_t slot_of(const struct graft_trees *trees, uint32_t page)
{
    uint32_t slot = (page * UINT32_C(0x9e3779b1)) & (trees->map_size - 1);
    while (trees->map[slot].page != 0 && trees->map[slot].page != page)
        slot = (slot + 1) & (trees->map_size - 1);
    return slot;
}

static void map_put(struct graft_trees *trees, uint32_t page, uint32_t node, uint32_t position)
{
    struct graft_tree_child *child = &trees->map[slot_of(trees, page)];
    trees->map_used += child->page == 0 ? 1 : 0;
    *child = (struct graft_tree_child){.page = page, .node = node, .position = position};
}

/* Room for so many children more; false past the limit, or without memory. */
static bool map_reserve(struct graft_trees *trees, uint32_t more)
{
    uint32_t size = trees->map_size;
    while (size < 2 * (trees->map_used + more))
        size *= 2;
    if (size == trees->map_size)
        return true;
    if (size > MAP_SIZE_MAX)
        return false;
    struct graft_tree_child *map = graft_calloc(trees->env->alloc, size, sizeof *map);
    if (map == NULL)
        return false;
    graft_free(trees->env->alloc, trees->map);
    trees->map = map;
    trees->map_size = size;
    trees->map_used = 0;
    for (uint32_t i = 0; i < trees->node_count; i++) {
        for (uint32_t k = 0; k < trees->nodes[i].count; k++)
            map_put(trees, trees->nodes[i].children[k], i, k);
    }
    return true;
}

static int64_t known_node(const struct graft_trees *trees, uint32_t page)
{
    for (uint32_t i = 0; i < trees->node_count; i++) {
        if (trees->nodes[i].page == page)
            return i;
    }
    return -1;
}

int64_t graft_trees_learn(struct graft_trees *trees, uint32_t page, const uint8_t *bytes)
{
    struct graft_alloc *alloc = trees->env->alloc;
    struct graft_btree tree;
    int64_t known = known_node(trees, page);
    if (known >= 0)
        return known;
    if (!graft_btree_open(&tree, page, bytes, trees->page_bytes, trees->usable) ||
        !graft_btree_is_interior((uint8_t)tree.type) || tree.cells >= CHILDREN_MAX)
        return -1;
    struct graft_tree_node node = {.page = page, .count = tree.cells + 1};
    node.table = tree.type == GRAFT_BTREE_TABLE_INTERIOR;
    node.children = graft_calloc(alloc, node.count, sizeof *node.children);
    node.keys = node.table ? graft_calloc(alloc, node.count, sizeof *node.keys) : NULL;
    trees->full = trees->node_count == GRAFT_TREE_NODES_MAX || !map_reserve(trees, node.count);
    bool good = node.children != NULL && (node.keys != NULL || !node.table) && !trees->full &&
                graft_btree_children(&tree, trees->page_count, node.children, node.keys);
    if (!good) {
        graft_free(alloc, node.children);
        graft_free(alloc, node.keys);
        return -1;
    }
    uint32_t index = trees->node_count++;
    trees->nodes[index] = node;
    for (uint32_t i = 0; i < node.count; i++)
        map_put(trees, node.children[i], index, i);
    return index;
}

int64_t graft_trees_node(struct graft_trees *trees, uint32_t page)
{
    int64_t known = known_node(trees, page);
    if (known >= 0)
        return known;
    const uint8_t *bytes = graft_trees_peek(trees, page);
    return bytes != NULL ? graft_trees_learn(trees, page, bytes) : -1;
}

static bool map_find(const struct graft_trees *trees, uint32_t page, struct graft_tree_place *out)
{
    const struct graft_tree_child *child = &trees->map[slot_of(trees, page)];
    if (child->page != page)
        return false;
    *out = (struct graft_tree_place){.node = child->node, .position = child->position};
    return true;
}

bool graft_trees_find(struct graft_trees *trees, uint32_t page, struct graft_tree_place *out)
{
    if (map_find(trees, page, out))
        return true;
    const struct graft_hints_passed *passed = trees->passed;
    for (uint32_t i = 1; i <= GRAFT_HINTS_PASSED; i++) {
        uint32_t candidate = passed->interior[(passed->interior_next - i) % GRAFT_HINTS_PASSED];
        if (candidate == 0 || candidate > trees->page_count || known_node(trees, candidate) >= 0)
            continue;
        if (graft_trees_node(trees, candidate) >= 0 && map_find(trees, page, out))
            return true;
    }
    return false;
}

/* ---- Walking ---- */

uint32_t graft_trees_root(struct graft_trees *trees, uint32_t node, uint32_t *depth)
{
    struct graft_tree_place place;
    uint32_t page = trees->nodes[node].page;
    *depth = 1;
    while (*depth < GRAFT_TREE_DEPTH_MAX && map_find(trees, page, &place)) {
        page = trees->nodes[place.node].page;
        ++*depth;
    }
    return page;
}

bool graft_trees_step(struct graft_trees *trees, struct graft_tree_place *place, int direction,
                      uint32_t *missing)
{
    *missing = 0;
    struct graft_tree_place at = *place;
    uint32_t climbed = 0;
    for (;; climbed++) {
        bool last =
            direction > 0 ? at.position + 1 >= trees->nodes[at.node].count : at.position == 0;
        if (!last)
            break;
        if (climbed == GRAFT_TREE_DEPTH_MAX || !map_find(trees, trees->nodes[at.node].page, &at))
            return false;
    }
    at.position = direction > 0 ? at.position + 1 : at.position - 1;
    for (; climbed > 0; climbed--) {
        uint32_t page = trees->nodes[at.node].children[at.position];
        int64_t node = graft_trees_node(trees, page);
        if (node < 0) {
            *missing = page;
            return false;
        }
        at.node = (uint32_t)node;
        at.position = direction > 0 ? 0 : trees->nodes[at.node].count - 1;
    }
    *place = at;
    return true;
}

uint32_t graft_trees_resolve(struct graft_trees *trees, uint32_t root, uint32_t depth,
                             int64_t rowid, uint32_t *missing)
{
    uint32_t page = root;
    *missing = 0;
    for (; depth > 0; depth--) {
        int64_t index = graft_trees_node(trees, page);
        if (index < 0) {
            *missing = page;
            return 0;
        }
        const struct graft_tree_node *node = &trees->nodes[index];
        if (!node->table)
            return 0;
        uint32_t low = 0;
        uint32_t high = node->count - 1; /* the last child takes whatever is above */
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (node->keys[middle] < rowid)
                low = middle + 1;
            else
                high = middle;
        }
        page = node->children[low];
    }
    return page;
}
