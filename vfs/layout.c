/* Interior pages are found by what they look like: nothing depends on it but the order. Page 1 and
 * those that no other points to are roots; from them the trees are walked, level by level, so that
 * when there are more interior pages than go into the first pages, those nearest to the roots do.
 */
#include "vfs/layout.h"

#include <string.h>

#include "vfs/btree.h"

#define FIRST_BYTES_MAX (1U << 20)
#define REARRANGE_PAGES_MIN 64U /* fewer come in one request anyway */

struct inner {
    uint32_t page;
    uint32_t first_child; /* index into children */
    uint32_t child_count;
    bool pointed_to;
};

struct layout {
    struct graft_env *env;
    struct graft_arrangement *arrangement;
    struct inner *inners; /* ascending pages */
    uint32_t inner_count, inner_capacity;
    uint32_t *children;
    uint32_t child_count, child_capacity;
    uint32_t *order; /* indexes of inners, level by level */
    uint32_t order_count;
    uint8_t *placed; /* a bit a page of the arrangement */
    uint32_t *out;
    uint32_t out_count;
};

static enum graft_rc no_memory(struct graft_err *err)
{
    return graft_err_set(err, GRAFT_ENOMEM, "out of memory for the order of a push");
}

/* Where the page is in the ascending array; -1 when it is not pushed. */
static int64_t index_of(const struct layout *layout, uint32_t page)
{
    const uint32_t *pages = layout->arrangement->pages;
    uint32_t low = 0;
    uint32_t high = layout->arrangement->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pages[middle] < page)
            low = middle + 1;
        else
            high = middle;
    }
    return low < layout->arrangement->count && pages[low] == page ? (int64_t)low : -1;
}

static struct inner *inner_of(const struct layout *layout, uint32_t page)
{
    uint32_t low = 0;
    uint32_t high = layout->inner_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (layout->inners[middle].page < page)
            low = middle + 1;
        else
            high = middle;
    }
    return low < layout->inner_count && layout->inners[low].page == page ? &layout->inners[low]
                                                                         : NULL;
}

static enum graft_rc remember(struct layout *layout, const struct graft_btree *tree,
                              struct graft_err *err)
{
    struct graft_alloc *alloc = layout->env->alloc;
    if (layout->inner_count == layout->inner_capacity) {
        uint32_t capacity = layout->inner_capacity * 2 + 64;
        struct inner *inners = graft_realloc(alloc, layout->inners, capacity, sizeof *inners);
        if (inners == NULL)
            return no_memory(err);
        layout->inners = inners;
        layout->inner_capacity = capacity;
    }
    if (layout->child_capacity - layout->child_count <= tree->cells) {
        uint32_t capacity = layout->child_capacity * 2 + tree->cells + 1024;
        uint32_t *children = graft_realloc(alloc, layout->children, capacity, sizeof *children);
        if (children == NULL)
            return no_memory(err);
        layout->children = children;
        layout->child_capacity = capacity;
    }
    if (!graft_btree_children(tree, layout->arrangement->page_count,
                              layout->children + layout->child_count, NULL))
        return GRAFT_OK;
    layout->inners[layout->inner_count++] = (struct inner){
        .page = tree->page, .first_child = layout->child_count, .child_count = tree->cells + 1};
    layout->child_count += tree->cells + 1;
    return GRAFT_OK;
}

static enum graft_rc find_inners(struct layout *layout, struct graft_err *err)
{
    struct graft_arrangement *arrangement = layout->arrangement;
    uint8_t *bytes = graft_malloc(layout->env->alloc, arrangement->page_bytes);
    uint32_t usable = arrangement->page_bytes;
    enum graft_rc rc = bytes != NULL ? GRAFT_OK : no_memory(err);
    for (uint32_t i = 0; i < arrangement->count && rc == GRAFT_OK; i++) {
        struct graft_btree tree;
        uint32_t page = arrangement->pages[i];
        rc = arrangement->read(arrangement, page, bytes, err);
        if (rc != GRAFT_OK)
            break;
        if (page == 1 && bytes[20] < arrangement->page_bytes / 2)
            usable = arrangement->page_bytes - bytes[20];
        if (graft_btree_open(&tree, page, bytes, arrangement->page_bytes, usable) &&
            graft_btree_is_interior((uint8_t)tree.type))
            rc = remember(layout, &tree, err);
    }
    graft_free(layout->env->alloc, bytes);
    return rc;
}

/* Level by level from the roots; every inner page comes once. */
static enum graft_rc order_inners(struct layout *layout, struct graft_err *err)
{
    layout->order =
        graft_calloc(layout->env->alloc, (size_t)layout->inner_count + 1, sizeof *layout->order);
    if (layout->order == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < layout->child_count; i++) {
        struct inner *inner = inner_of(layout, layout->children[i]);
        if (inner != NULL)
            inner->pointed_to = true;
    }
    for (uint32_t i = 0; i < layout->inner_count; i++) {
        if (!layout->inners[i].pointed_to)
            layout->order[layout->order_count++] = i;
    }
    for (uint32_t done = 0; done < layout->order_count; done++) {
        const struct inner *at = &layout->inners[layout->order[done]];
        for (uint32_t i = 0; i < at->child_count; i++) {
            struct inner *inner = inner_of(layout, layout->children[at->first_child + i]);
            if (inner == NULL || !inner->pointed_to || layout->order_count == layout->inner_count)
                continue;
            inner->pointed_to = false;
            layout->order[layout->order_count++] = (uint32_t)(inner - layout->inners);
        }
    }
    return GRAFT_OK;
}

static void place(struct layout *layout, uint32_t page)
{
    int64_t index = index_of(layout, page);
    if (index < 0 || (layout->placed[index / 8] & 1U << index % 8) != 0)
        return;
    layout->placed[index / 8] |= (uint8_t)(1U << index % 8);
    layout->out[layout->out_count++] = page;
}

static enum graft_rc put_in_order(struct layout *layout, struct graft_err *err)
{
    struct graft_arrangement *arrangement = layout->arrangement;
    layout->placed = graft_calloc(layout->env->alloc, arrangement->count / 8 + 1, 1);
    layout->out =
        graft_calloc(layout->env->alloc, (size_t)arrangement->count + 1, sizeof *layout->out);
    if (layout->placed == NULL || layout->out == NULL)
        return no_memory(err);
    place(layout, 1);
    for (uint32_t i = 0; i < layout->order_count; i++)
        place(layout, layout->inners[layout->order[i]].page);
    uint32_t most = FIRST_BYTES_MAX / arrangement->page_bytes;
    uint32_t first_count = layout->out_count < most ? layout->out_count : most;
    if (arrangement->count >= REARRANGE_PAGES_MIN) {
        /* Level by level, so the parents of one tree's leaves follow each other in key order. */
        for (uint32_t i = 0; i < layout->order_count; i++) {
            const struct inner *inner = &layout->inners[layout->order[i]];
            for (uint32_t k = 0; k < inner->child_count; k++)
                place(layout, layout->children[inner->first_child + k]);
        }
    }
    for (uint32_t i = 0; i < arrangement->count; i++)
        place(layout, arrangement->pages[i]);
    memcpy(arrangement->pages, layout->out, arrangement->count * sizeof *layout->out);
    arrangement->first_count = first_count;
    return GRAFT_OK;
}

enum graft_rc graft_layout_arrange(void *env, struct graft_arrangement *arrangement,
                                   struct graft_err *err)
{
    struct layout layout = {.env = env, .arrangement = arrangement};
    enum graft_rc rc = find_inners(&layout, err);
    if (rc == GRAFT_OK)
        rc = order_inners(&layout, err);
    if (rc == GRAFT_OK)
        rc = put_in_order(&layout, err);
    graft_free(layout.env->alloc, layout.inners);
    graft_free(layout.env->alloc, layout.children);
    graft_free(layout.env->alloc, layout.order);
    graft_free(layout.env->alloc, layout.placed);
    graft_free(layout.env->alloc, layout.out);
    return rc;
}
