/* Whom readers follow. Cursors: two siblings read one after the other, in either direction, are a
 * scan, and its next leaves are hinted as a sequence. Rows by index: when a table leaf is read that
 * an index leaf read before names, the other leaves that it names are hinted, those of equal keys
 * at once, others further ahead each time. Overflow chains: as many pages as the cell says, from
 * the first one on. And what was waited for below an interior page, and in a tree, is told to core,
 * so that the rest can be streamed. */
#include "vfs/hints.h"

#include <string.h>

#include "vfs/hints_tree.h"

#define CURSORS_MAX 16U
#define LIST_MAX 2048U
#define ENTRIES_MAX 1024U
#define ROWS_FIRST 4U
#define ROWS_MAX 256U
#define TREES_MAX 16U
#define REST_MAX 65536U

struct cursor {
    uint32_t page; /* the leaf read last; 0: free */
    int direction; /* 1, -1; 0: not known yet */
    uint32_t run;  /* siblings read in this direction, one after the other */
    uint32_t stream;
    uint32_t granted;    /* leaves that core wanted read before the next hint */
    uint32_t until_hint; /* of them, those still to be read */
    uint64_t used;
};

/* An index leaf whose rows may be looked up. */
struct rows {
    uint32_t page;        /* 0: free */
    uint32_t root, depth; /* of the table that they were last resolved in; 0: none yet */
    uint32_t count;
    struct graft_btree_entry *entries; /* ENTRIES_MAX */
    uint32_t *leaves;                  /* where the entries' rows stand; 0: not known */
    int64_t last;                      /* the entry read last, -1: none */
    int64_t ahead;                     /* the furthest entry hinted */
    int direction;
    uint32_t window;
};

struct tree_stalls {
    uint32_t root;
    uint64_t stalled_us, check_us;
};

struct graft_hints {
    struct graft_trees trees;
    struct cursor cursors[CURSORS_MAX];
    struct rows rows[4];
    uint32_t rows_next;
    struct tree_stalls stalls[TREES_MAX];
    uint64_t stalled_us; /* of the session, when it was last looked at */
    uint64_t uses;
    uint32_t streams;
    uint32_t list[LIST_MAX];
    uint32_t list_count;
    bool told;         /* core has a hint for the page that is about to be read */
    uint32_t row_page; /* the leaf that was last found to be of an index's rows */
};

struct graft_hints *graft_hints_new(struct graft_env *env, struct graft_session *session,
                                    struct graft_hints_passed *passed)
{
    struct graft_hints *hints = graft_calloc(env->alloc, 1, sizeof *hints);
    if (hints == NULL)
        return NULL;
    graft_trees_init(&hints->trees, env, session, passed);
    return hints;
}

void graft_hints_free(struct graft_hints *hints)
{
    if (hints == NULL)
        return;
    struct graft_alloc *alloc = hints->trees.env->alloc;
    for (size_t i = 0; i < sizeof hints->rows / sizeof hints->rows[0]; i++) {
        graft_free(alloc, hints->rows[i].entries);
        graft_free(alloc, hints->rows[i].leaves);
    }
    graft_trees_deinit(&hints->trees);
    graft_free(alloc, hints);
}

static void add(struct graft_hints *hints, uint32_t page)
{
    if (hints->list_count < LIST_MAX && page != 0)
        hints->list[hints->list_count++] = page;
}

/* Tells core the list; returns as graft_session_hint. */
static uint32_t tell(struct graft_hints *hints, enum graft_hint_kind kind, uint32_t stream,
                     uint32_t before)
{
    struct graft_hint hint = {
        .kind = kind,
        .stream = stream,
        .before = before,
        .pages = hints->list,
        .count = hints->list_count,
    };
    hints->told = true;
    return graft_session_hint(hints->trees.session, &hint);
}

/* ---- Scans ---- */

/* The leaves after `place` in the direction; where a parent on the way is missing, that. */
static void list_siblings(struct graft_hints *hints, struct graft_tree_place place, int direction)
{
    struct graft_trees *trees = &hints->trees;
    uint32_t missing = 0;
    hints->list_count = 0;
    while (hints->list_count < LIST_MAX && graft_trees_step(trees, &place, direction, &missing))
        add(hints, trees->nodes[place.node].children[place.position]);
    add(hints, missing);
}

/* Whether `to` is the next leaf after the cursor's; sets the direction. */
static bool follows(struct graft_hints *hints, const struct cursor *cursor,
                    const struct graft_tree_place *to, int *direction)
{
    struct graft_tree_place from;
    if (cursor->page == 0 || !graft_trees_find(&hints->trees, cursor->page, &from))
        return false;
    if (from.node == to->node) {
        int64_t distance = (int64_t)to->position - (int64_t)from.position;
        *direction = distance > 0 ? 1 : -1;
        return distance == 1 || distance == -1;
    }
    /* Only an end of a node has a neighbour in another. */
    bool at_end = from.position + 1 == hints->trees.nodes[from.node].count;
    if ((!at_end || to->position != 0) &&
        (from.position != 0 || to->position + 1 != hints->trees.nodes[to->node].count))
        return false;
    *direction = at_end && to->position == 0 ? 1 : -1;
    uint32_t missing = 0;
    return graft_trees_step(&hints->trees, &from, *direction, &missing) && from.node == to->node &&
           from.position == to->position;
}

static struct cursor *find_cursor(struct graft_hints *hints, uint32_t page,
                                  const struct graft_tree_place *place)
{
    struct cursor *oldest = &hints->cursors[0];
    for (uint32_t i = 0; i < CURSORS_MAX; i++) {
        struct cursor *cursor = &hints->cursors[i];
        int direction = 0;
        if (cursor->page == page)
            return NULL; /* the same leaf again */
        if (follows(hints, cursor, place, &direction)) {
            cursor->run = direction == cursor->direction ? cursor->run + 1 : 1;
            cursor->direction = direction;
            return cursor;
        }
        if (cursor->used < oldest->used)
            oldest = cursor;
    }
    *oldest = (struct cursor){.stream = ++hints->streams};
    return oldest;
}

static void follow_scan(struct graft_hints *hints, uint32_t page,
                        const struct graft_tree_place *place, uint32_t before)
{
    struct cursor *cursor = find_cursor(hints, page, place);
    if (cursor == NULL)
        return;
    cursor->page = page;
    cursor->used = ++hints->uses;
    if (cursor->run == 0)
        return;
    /* A page that is missing now may be under way: more is asked for only after some of what was
     * granted has been read, so that requests stay large. */
    bool soon = before != 0 && cursor->until_hint <= cursor->granted - cursor->granted / 4;
    if (cursor->until_hint > 0 && !soon) {
        cursor->until_hint--;
        return;
    }
    list_siblings(hints, *place, cursor->direction);
    cursor->granted = tell(hints, GRAFT_HINT_SEQUENCE, cursor->stream, before) - 1;
    cursor->until_hint = cursor->granted;
}

/* ---- Rows by index ---- */

static struct rows *rows_of(struct graft_hints *hints, uint32_t page)
{
    struct graft_trees *trees = &hints->trees;
    struct graft_alloc *alloc = trees->env->alloc;
    for (size_t i = 0; i < 4; i++) {
        if (hints->rows[i].page == page)
            return &hints->rows[i];
    }
    struct rows *rows = &hints->rows[hints->rows_next % 4];
    if (rows->entries == NULL)
        rows->entries = graft_calloc(alloc, ENTRIES_MAX, sizeof *rows->entries);
    if (rows->leaves == NULL)
        rows->leaves = graft_calloc(alloc, ENTRIES_MAX, sizeof *rows->leaves);
    const uint8_t *bytes = graft_trees_peek(trees, page);
    struct graft_btree tree;
    if (rows->entries == NULL || rows->leaves == NULL || bytes == NULL ||
        !graft_btree_open(&tree, page, bytes, trees->page_bytes, trees->usable) ||
        tree.type != GRAFT_BTREE_INDEX_LEAF)
        return NULL;
    hints->rows_next++;
    *rows = (struct rows){
        .page = page,
        .entries = rows->entries,
        .leaves = rows->leaves,
        .last = -1,
        .count = graft_btree_entries(&tree, rows->entries, ENTRIES_MAX),
    };
    return rows;
}

/* Finds out where all rows stand; pages missing on the way go to the list. */
static void resolve_all(struct graft_hints *hints, struct rows *rows, uint32_t root, uint32_t depth)
{
    rows->root = root;
    rows->depth = depth;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t missing = 0;
        rows->leaves[i] =
            graft_trees_resolve(&hints->trees, root, depth, rows->entries[i].rowid, &missing);
    }
}

/* The entry whose row stands in the leaf: the next one after the last, or any. */
static int64_t find_entry(const struct rows *rows, uint32_t leaf)
{
    int64_t found = -1;
    for (int64_t i = 0; i < rows->count; i++) {
        if (rows->leaves[i] != leaf)
            continue;
        if (found < 0)
            found = i;
        if (rows->direction >= 0 && i > rows->last)
            return i;
        if (rows->direction < 0 && i < rows->last)
            found = i;
    }
    return found;
}

/* Lists the leaves of the entries after `from`: those of the same key, and up to the window. */
static void list_rows(struct graft_hints *hints, struct rows *rows, int64_t from)
{
    uint64_t key = from >= 0 && from < rows->count ? rows->entries[from].key : 0;
    uint32_t last = 0;
    uint32_t listed = 0;
    bool same = from >= 0;
    int64_t at = from + rows->direction;
    for (; at >= 0 && at < rows->count; at += rows->direction) {
        same = same && rows->entries[at].key == key;
        if (listed >= ROWS_MAX || (listed >= rows->window && !same))
            break;
        if (rows->leaves[at] != last) {
            add(hints, rows->leaves[at]);
            listed++;
        }
        last = rows->leaves[at];
    }
    rows->ahead = at - rows->direction;
}

/* Past the last entry the rows of the next index leaf come. */
static void list_next_leaf(struct graft_hints *hints, struct rows *rows)
{
    struct graft_trees *trees = &hints->trees;
    struct graft_tree_place place;
    uint32_t missing = 0;
    if (!graft_trees_find(trees, rows->page, &place))
        return;
    if (!graft_trees_step(trees, &place, rows->direction, &missing)) {
        add(hints, missing);
        return;
    }
    uint32_t page = trees->nodes[place.node].children[place.position];
    uint32_t root = rows->root, depth = rows->depth, window = rows->window;
    int direction = rows->direction;
    struct rows *next = rows_of(hints, page); /* may take the place of the oldest, not of `rows` */
    if (next == NULL) {
        add(hints, page);
        return;
    }
    if (next->root != root)
        resolve_all(hints, next, root, depth);
    if (next->last >= 0)
        return;
    next->direction = direction;
    next->window = window;
    if (next->ahead == 0)
        list_rows(hints, next, direction > 0 ? -1 : (int64_t)next->count);
}

/* The leaf is about to be, or was, read: is it one that an index leaf names? */
static void follow_rows(struct graft_hints *hints, uint32_t leaf,
                        const struct graft_tree_place *place, uint32_t before)
{
    struct graft_trees *trees = &hints->trees;
    const struct graft_hints_passed *passed = trees->passed;
    if (!trees->nodes[place->node].table || !trees->nodes[place->node].above_leaves)
        return;
    uint32_t depth = 0;
    uint32_t root = graft_trees_root(trees, place->node, &depth);
    for (uint32_t i = 1; i <= 4; i++) {
        uint32_t page = passed->index_leaf[(passed->index_leaf_next - i) % 4];
        struct rows *rows = page != 0 ? rows_of(hints, page) : NULL;
        if (rows == NULL)
            continue;
        if (rows->root != root)
            resolve_all(hints, rows, root, depth);
        int64_t entry = find_entry(rows, leaf);
        if (entry < 0)
            continue;
        hints->row_page = leaf;
        bool back = rows->last >= 0 && entry < rows->last;
        if (back && rows->last - entry > ROWS_FIRST && rows->direction > 0)
            rows->window = 0; /* another query */
        int direction = back && rows->window > 0 ? -1 : 1;
        bool turned = direction != rows->direction;
        int64_t left = (rows->ahead - entry) * direction;
        rows->direction = direction;
        rows->last = entry;
        if (!turned && before == 0 && left > (int64_t)rows->window / 2)
            return;
        rows->window = rows->window == 0 ? ROWS_FIRST : rows->window * 2;
        if (rows->window > ROWS_MAX)
            rows->window = ROWS_MAX;
        hints->list_count = 0;
        list_rows(hints, rows, entry);
        bool whole = rows->ahead + direction < 0 || rows->ahead + direction >= rows->count;
        if (whole && rows->window > 2 * ROWS_FIRST)
            list_next_leaf(hints, rows);
        if (hints->list_count > 0)
            (void)tell(hints, GRAFT_HINT_SET, 0, before);
        return;
    }
}

/* ---- Overflow ---- */

static void follow_overflow(struct graft_hints *hints, uint32_t page, uint32_t leaf)
{
    struct graft_trees *trees = &hints->trees;
    struct graft_btree tree;
    const uint8_t *bytes = leaf != 0 ? graft_trees_peek(trees, leaf) : NULL;
    if (bytes == NULL || !graft_btree_open(&tree, leaf, bytes, trees->page_bytes, trees->usable))
        return;
    uint32_t pages = graft_btree_overflow_pages(&tree, page);
    hints->list_count = 0;
    for (uint32_t i = 1; i < pages && i < LIST_MAX && page + i <= trees->page_count; i++)
        add(hints, page + i);
    if (pages > 0)
        (void)tell(hints, GRAFT_HINT_SET, 0, page);
}

/* ---- Waiting ---- */

/* All that the known interior pages below `root` point to. */
static uint32_t list_below(struct graft_trees *trees, uint32_t root, uint32_t *out, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < trees->node_count; i++) {
        const struct graft_tree_node *node = &trees->nodes[i];
        uint32_t depth = 0;
        if (graft_trees_root(trees, i, &depth) != root || node->count > max - count)
            continue;
        memcpy(out + count, node->children, node->count * sizeof *out);
        count += node->count;
    }
    return count;
}

static void tell_rest(struct graft_hints *hints, uint32_t root, uint64_t stalled_us)
{
    struct graft_trees *trees = &hints->trees;
    struct graft_alloc *alloc = trees->env->alloc;
    uint32_t *pages = graft_malloc(alloc, REST_MAX * sizeof *pages);
    if (pages == NULL)
        return;
    struct graft_hint hint = {
        .kind = GRAFT_HINT_REST,
        .pages = pages,
        .count = list_below(trees, root, pages, REST_MAX),
        .stalled_us = stalled_us,
    };
    (void)graft_session_hint(trees->session, &hint);
    graft_free(alloc, pages);
}

static struct tree_stalls *stalls_of(struct graft_hints *hints, uint32_t root)
{
    struct tree_stalls *least = &hints->stalls[0];
    for (uint32_t i = 0; i < TREES_MAX; i++) {
        if (hints->stalls[i].root == root)
            return &hints->stalls[i];
        if (hints->stalls[i].stalled_us < least->stalled_us)
            least = &hints->stalls[i];
    }
    *least = (struct tree_stalls){.root = root};
    return least;
}

static void account(struct graft_hints *hints, const struct graft_tree_place *place)
{
    struct graft_trees *trees = &hints->trees;
    uint64_t now = graft_session_stalled_us(trees->session);
    uint64_t stalled_us = now - hints->stalled_us;
    hints->stalled_us = now;
    if (place == NULL || stalled_us == 0)
        return;
    struct graft_tree_node *node = &trees->nodes[place->node];
    node->stalled_us += stalled_us;
    struct graft_hint hint = {
        .kind = GRAFT_HINT_REST,
        .pages = node->children,
        .count = node->count,
        .stalled_us = node->stalled_us,
    };
    (void)graft_session_hint(trees->session, &hint);
    uint32_t depth = 0;
    uint32_t root = graft_trees_root(trees, place->node, &depth);
    struct tree_stalls *tree = stalls_of(hints, root);
    tree->stalled_us += stalled_us;
    if (tree->stalled_us < tree->check_us || root == node->page)
        return;
    tree->check_us = tree->stalled_us + tree->stalled_us / 4;
    tell_rest(hints, root, tree->stalled_us);
}

/* ---- Events ---- */

static void forget_places(struct graft_hints *hints)
{
    memset(hints->cursors, 0, sizeof hints->cursors);
    for (size_t i = 0; i < 4; i++)
        hints->rows[i].page = 0;
}

static bool move_to(struct graft_hints *hints, const struct graft_snapshot *snapshot,
                    uint32_t page_bytes)
{
    if (hints->trees.lsn != snapshot->lsn)
        forget_places(hints);
    return graft_trees_at(&hints->trees, snapshot, page_bytes);
}

void graft_hints_missing(struct graft_hints *hints, const struct graft_snapshot *snapshot,
                         uint32_t page_bytes, uint32_t page)
{
    struct graft_tree_place place;
    if (!move_to(hints, snapshot, page_bytes))
        return;
    hints->told = false;
    hints->row_page = 0;
    if (!graft_trees_find(&hints->trees, page, &place)) {
        for (uint32_t i = 0; i < CURSORS_MAX && !hints->told; i++)
            follow_overflow(hints, page, hints->cursors[i].page);
        return;
    }
    follow_rows(hints, page, &place, page);
    follow_scan(hints, page, &place, page);
    if (hints->told)
        return;
    hints->list_count = 0;
    (void)tell(hints, GRAFT_HINT_SET, 0, page);
}

void graft_hints_fresh(struct graft_hints *hints, const struct graft_snapshot *snapshot,
                       uint32_t page_bytes, uint32_t page, const uint8_t *bytes)
{
    struct graft_tree_place place;
    struct graft_trees *trees = &hints->trees;
    if (!move_to(hints, snapshot, page_bytes))
        return;
    bool interior = graft_btree_is_interior(bytes[page == 1 ? 100 : 0]);
    if (interior)
        (void)graft_trees_learn(trees, page, bytes);
    bool placed = graft_trees_find(trees, page, &place);
    account(hints, placed ? &place : NULL);
    if (!placed || interior || !graft_trees_find(trees, page, &place))
        return;
    trees->nodes[place.node].above_leaves = true;
    if (hints->row_page != page)
        follow_rows(hints, page, &place, 0);
    follow_scan(hints, page, &place, 0);
}
