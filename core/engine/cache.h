/* The cache: pages of the image that the remote has, too, and the limit of what they may take. */
#ifndef GRAFT_ENGINE_CACHE_H
#define GRAFT_ENGINE_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/codes.h"
#include "env/task.h"

struct graft_volume;

/* Of a volume, in this process. */
struct graft_cache {
    struct graft_mutex *mutex;  /* held by the task that gives pages up */
    _Atomic bool busy;          /* there is one */
    _Atomic uint64_t next_look; /* pages put into the image at which its space is looked at */
    _Atomic uint64_t stuck_at;  /* pushed LSN + 1 at which not enough could go; 0 = it could */
    _Atomic bool failed;        /* the last time, which the log has been told */
    _Atomic bool no_holes;      /* can be made: then giving pages up brings no space back */
};

GRAFT_MUST_USE enum graft_rc graft_cache_init(struct graft_volume *volume);
void graft_cache_deinit(struct graft_volume *volume);
/* graft_cache_limit_set without giving up anything yet. */
GRAFT_MUST_USE enum graft_rc graft_cache_limit_remember(struct graft_volume *volume,
                                                        const char *text, struct graft_err *err);
/* Gives pages up when the image has come near the limit. Costs two loads when there is none, and
 * looks at the disk only now and then. Failures are logged. Called without a lock, by whoever put
 * pages into the image or made some the remote's. */
void graft_cache_keep(struct graft_volume *volume);
/* Whether so many pages more stay below the limit. */
bool graft_cache_fits(struct graft_volume *volume, uint64_t pages);
/* The part of `pages` that may be fetched ahead of a reader without pushing each other out. */
uint32_t graft_cache_window(struct graft_volume *volume, uint32_t pages);

#endif
