/* The prefetcher decides which pages are fetched before anybody asks for them. What it goes by, in
 * this order: hints (ordered page lists from a layer that knows the structure of what is stored),
 * the first pages that a commit names, and, for pages that nobody said anything about, the history
 * of what was read. When readers have waited long enough for a part of the volume, or for all of
 * it, the rest is streamed. docs/prefetch.md has the reasons and the figures. */
#ifndef GRAFT_ENGINE_PREFETCH_H
#define GRAFT_ENGINE_PREFETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/view.h"
#include "env/task.h"

struct graft_session;
struct graft_volume;

#define GRAFT_PREFETCH_MARKS 16384U /* pages known to be here and not read yet */
#define GRAFT_PREFETCH_RING 2048U   /* prefetched pages whose use is still open */
#define GRAFT_STREAMS_MAX 32U       /* orders that a session follows at a time */
#define GRAFT_HISTORY_DELTAS 32U

/* Of a volume. */
struct graft_prefetch {
    struct graft_mutex *mutex;          /* guards the ring and what follows it */
    _Atomic(_Atomic uint64_t *) marks;  /* GRAFT_PREFETCH_MARKS of them; NULL before the first */
    _Atomic uint32_t unread;            /* marks that are set */
    uint32_t ring[GRAFT_PREFETCH_RING]; /* prefetched pages, oldest at `ring_next` */
    uint32_t ring_next;
    uint32_t used, unused; /* of the last pages that left the ring */
    bool wasteful;         /* more of them were unused than used */
    uint64_t stalled_us;   /* what readers waited for pages */
    uint64_t check_us;     /* the stall rule is looked at again then */
};

/* Of a session: how far ahead it reads in each order that hints gave it. */
struct graft_streams {
    struct {
        uint32_t id; /* 0: free */
        uint32_t window;
        uint64_t used;
    } all[GRAFT_STREAMS_MAX];
    uint64_t uses;
};

/* Of a session: distances between pages that nobody said anything about. */
struct graft_history {
    uint32_t last;
    int64_t deltas[GRAFT_HISTORY_DELTAS];
    uint32_t count; /* noted so far */
    int64_t trend;  /* the distance that a majority had, 0: none */
    uint32_t window;
    int64_t until; /* the last page predicted along the trend */
};

GRAFT_MUST_USE enum graft_rc graft_prefetch_init(struct graft_volume *volume);
void graft_prefetch_deinit(struct graft_volume *volume);

/* A read is about to fetch `page`: queues what should come along. */
void graft_prefetch_expand(struct graft_session *session, struct graft_view *view, uint32_t page);
/* It has, and waited so long. */
void graft_prefetch_stalled(struct graft_session *session, struct graft_view *view, uint64_t us);
/* A page came that was not asked for by itself; `ahead`: it was prefetched, and did not merely
 * stand in the same frame. */
void graft_prefetch_arrived(struct graft_volume *volume, uint32_t page, bool ahead);
/* A session has read a held page for the first time since it came: looks further ahead. */
void graft_prefetch_first_read(struct graft_session *session, uint32_t page);

bool graft_prefetch_take_mark(struct graft_volume *volume, uint32_t page);

/* Pages that the history makes likely after `page` (at most `max`, which is at least 32). */
uint32_t graft_history_predict(struct graft_history *history, uint32_t page, uint32_t window_max,
                               uint32_t *out, uint32_t max);
void graft_history_note(struct graft_history *history, uint32_t page);
/* Whether half of what was predicted along a trend has been read. */
bool graft_history_wants_more(const struct graft_history *history, uint32_t page);

#endif
