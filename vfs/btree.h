/* What the hints need of SQLite's B-tree format (https://sqlite.org/fileformat2.html): which pages
 * an interior page points to, which rows an index leaf names, where a payload overflows to. Every
 * function takes any bytes for a page and answers "nothing" where they are none. */
#ifndef GRAFT_VFS_BTREE_H
#define GRAFT_VFS_BTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum graft_btree_type {
    GRAFT_BTREE_NONE = 0,
    GRAFT_BTREE_INDEX_INTERIOR = 2,
    GRAFT_BTREE_TABLE_INTERIOR = 5,
    GRAFT_BTREE_INDEX_LEAF = 10,
    GRAFT_BTREE_TABLE_LEAF = 13,
};

struct graft_btree {
    const uint8_t *bytes;
    uint32_t usable; /* bytes of a page without what is reserved at its end */
    uint32_t page;   /* its number */
    uint32_t header; /* where the header begins: 100 in page 1 */
    uint32_t cells;  /* how many */
    enum graft_btree_type type;
};

/* False when the bytes cannot be a B-tree page. */
bool graft_btree_open(struct graft_btree *tree, uint32_t page, const uint8_t *bytes,
                      uint32_t page_bytes, uint32_t usable);
static inline bool graft_btree_is_interior(uint8_t type)
{
    return type == GRAFT_BTREE_INDEX_INTERIOR || type == GRAFT_BTREE_TABLE_INTERIOR;
}

/* Children of an interior page in key order, cells + 1 of them; of a table also the largest rowid
 * below each (the last has none: INT64_MAX). `keys` may be NULL. False when a child is no page of
 * `page_count`, or the page itself. */
bool graft_btree_children(const struct graft_btree *tree, uint32_t page_count, uint32_t *children,
                          int64_t *keys);

struct graft_btree_entry {
    int64_t rowid;
    uint64_t key; /* equal for entries whose columns before the rowid are equal */
};

/* What the cells of an index leaf name, in order; cells whose rowid cannot be told from this page
 * are left out. At most `max`; returns how many. */
uint32_t graft_btree_entries(const struct graft_btree *tree, struct graft_btree_entry *out,
                             uint32_t max);
/* The pages of the overflow chain that begins at `first`, when a cell of this leaf has such a one;
 * else 0. */
uint32_t graft_btree_overflow_pages(const struct graft_btree *tree, uint32_t first);

#endif
