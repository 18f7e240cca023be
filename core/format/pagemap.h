/* A page map says where in the remote each page's version stands: which object, which frame, which
 * page of the frame. */
#ifndef GRAFT_FORMAT_PAGEMAP_H
#define GRAFT_FORMAT_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "format/ids.h"
#include "format/pageset.h"

enum graft_object_kind { GRAFT_OBJECT_SEGMENT, GRAFT_OBJECT_COMMIT };

/* The object that holds a frame. */
struct graft_object_ref {
    enum graft_object_kind kind;
    struct graft_segment_id segment; /* for SEGMENT */
    uint64_t commit_lsn; /* for COMMIT: the frame stands inline in that commit's object */
};

/* Order of objects: segments by id, then commits by LSN. */
int graft_object_ref_compare(const struct graft_object_ref *a, const struct graft_object_ref *b);

struct graft_map_frame {
    uint32_t object;       /* index into objects */
    uint32_t stored_bytes; /* frame header included */
    uint64_t offset;       /* bytes from the object's start */
    uint64_t lsn;          /* remote LSN of the commit that wrote it */
};

/* `count` consecutive pages that stand next to each other in one frame. Entries are sorted by page
 * and disjoint. */
struct graft_map_entry {
    uint32_t page;
    uint32_t frame; /* index into frames */
    uint16_t index; /* of the first page within the frame */
    uint16_t count;
};

struct graft_pagemap {
    struct graft_alloc *alloc;
    struct graft_object_ref *objects;
    uint32_t object_count, object_capacity;
    struct graft_map_frame *frames;
    uint32_t frame_count, frame_capacity;
    struct graft_map_entry *entries;
    uint32_t entry_count, entry_capacity;
};

void graft_pagemap_init(struct graft_pagemap *map, struct graft_alloc *alloc);
void graft_pagemap_deinit(struct graft_pagemap *map);
/* Replaces `to` with a deep copy of `from`. */
GRAFT_MUST_USE enum graft_rc graft_pagemap_copy(struct graft_pagemap *to,
                                                const struct graft_pagemap *from);

/* The index of the object in `objects`, added when new. */
GRAFT_MUST_USE enum graft_rc graft_pagemap_add_object(struct graft_pagemap *map,
                                                      const struct graft_object_ref *object,
                                                      uint32_t *index);
/* A frame that holds `pages[0..count)` in this order (ascending). Any entry that the map has for
 * these pages is replaced. Linear in the map's entries in the worst case, constant when pages
 * ascend past the last entry; for many out-of-order frames build a second map and merge. */
GRAFT_MUST_USE enum graft_rc graft_pagemap_add_frame(struct graft_pagemap *map,
                                                     const struct graft_map_frame *frame,
                                                     const uint32_t *pages, uint32_t count);
/* Lays `newer` over `map`: its entries win; then frames and objects that no entry uses are dropped.
 * Linear in both. */
GRAFT_MUST_USE enum graft_rc graft_pagemap_merge(struct graft_pagemap *map,
                                                 const struct graft_pagemap *newer);
/* Drops every page above `page_count`, and what is then unused. */
GRAFT_MUST_USE enum graft_rc graft_pagemap_cut(struct graft_pagemap *map, uint32_t page_count);

/* The entry that covers `page`, or NULL. Logarithmic. The page's index in its frame is entry->index
 * + (page - entry->page). */
const struct graft_map_entry *graft_pagemap_find(const struct graft_pagemap *map, uint32_t page);
/* Adds to `set` every page whose frame has an LSN above `lsn`. */
GRAFT_MUST_USE enum graft_rc graft_pagemap_changed_since(const struct graft_pagemap *map,
                                                         uint64_t lsn, struct graft_pageset *set);

/* The message PageMap of wire.proto, appended. Objects and frames are written in canonical order
 * (objects by kind and id, frames by object and offset), so that equal maps have equal bytes. */
GRAFT_MUST_USE enum graft_rc graft_pagemap_encode(const struct graft_pagemap *map,
                                                  struct graft_buf *out);
/* Replaces the map. ECORRUPT when an index is out of range, pages are not ascending and disjoint, a
 * page is above `page_count`, an LSN is 0 or above `lsn_max`, frames of an object overlap, or a
 * size is past its limit. */
GRAFT_MUST_USE enum graft_rc graft_pagemap_decode(struct graft_pagemap *map, const uint8_t *bytes,
                                                  size_t size, uint32_t page_count,
                                                  uint64_t lsn_max, struct graft_err *err);

#endif
