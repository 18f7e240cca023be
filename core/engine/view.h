/* A view: the page map of one remote LSN, put together from its commit and the checkpoint that this
 * names. Immutable, counted. */
#ifndef GRAFT_ENGINE_VIEW_H
#define GRAFT_ENGINE_VIEW_H

#include "format/commit.h"

#define GRAFT_VIEWS_MAX 4U

struct graft_volume;

/* A checkpoint that several views share. */
struct graft_view_base {
    uint32_t references;
    struct graft_checkpoint checkpoint;
};

struct graft_view {
    struct graft_alloc *alloc;
    struct graft_view *next;
    uint32_t references; /* guarded by the volume's mutex, as is `next` */
    struct graft_commit commit;
    struct graft_hash hash;       /* of the commit object */
    struct graft_view_base *base; /* NULL when the commit's map is whole */
};

/* Where a page's version stands. */
struct graft_place {
    struct graft_object_ref object;
    uint64_t offset;
    uint64_t version_lsn;
    uint32_t stored_bytes;
    uint32_t index; /* of the page within the frame */
};

/* Borrows a reference to the view of `remote_lsn` (above 0), read from the remote when it is not
 * cached. Errors of the remote; ENOTFOUND when it has no such commit; EFOREIGN when that is another
 * volume's, or not the one that the replica is based on. Give it back with graft_view_release. */
GRAFT_MUST_USE enum graft_rc graft_view_get(struct graft_volume *volume, uint64_t remote_lsn,
                                            struct graft_view **out, struct graft_err *err);
/* The same if it is cached, else NULL. */
struct graft_view *graft_view_at_hand(struct graft_volume *volume, uint64_t remote_lsn);
/* The same, read from the remote in any case. */
GRAFT_MUST_USE enum graft_rc graft_view_read(struct graft_volume *volume, uint64_t remote_lsn,
                                             struct graft_view **out, struct graft_err *err);
/* The same from a commit that the caller has (moved into the view, emptied here): the newest of a
 * pull, or one just pushed. */
GRAFT_MUST_USE enum graft_rc graft_view_put(struct graft_volume *volume,
                                            struct graft_commit *commit,
                                            const struct graft_hash *hash, struct graft_view **out,
                                            struct graft_err *err);
/* One more reference to a view that the caller has one to. */
void graft_view_hold(struct graft_volume *volume, struct graft_view *view);
void graft_view_release(struct graft_volume *volume, struct graft_view *view); /* accepts NULL */
/* An object that the state at `remote_lsn` needs is not there: EUNREACHABLE when the whole
 * repository is not, else `otherwise`, with a text that says that the remote lacks `what`. */
enum graft_rc graft_view_explain_missing(struct graft_volume *volume, uint64_t remote_lsn,
                                         enum graft_rc otherwise, const char *what,
                                         struct graft_err *err);
/* The commit at `remote_lsn` is not the one that the replica knows: EFOREIGN, with a text. */
enum graft_rc graft_view_explain_rewritten(struct graft_volume *volume, uint64_t remote_lsn,
                                           struct graft_err *err);
/* Drops what is cached and unused. */
void graft_view_forget_all(struct graft_volume *volume);

/* Where the page's version at the view's LSN stands; false when the page is zeros there. */
bool graft_view_find(const struct graft_view *view, uint32_t page, struct graft_place *out);
/* Adds the pages whose version is newer than `lsn`, and those that are zeros and may not have been
 * at `lsn`. */
GRAFT_MUST_USE enum graft_rc graft_view_changed_since(const struct graft_view *view, uint64_t lsn,
                                                      struct graft_pageset *out);
/* A whole map: the checkpoint's under the commit's. */
GRAFT_MUST_USE enum graft_rc graft_view_whole_map(const struct graft_view *view,
                                                  struct graft_pagemap *out);

#endif
