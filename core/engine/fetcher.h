/* The fetcher: gets frames from the remote, each once however many readers wait for it. A token
 * stands for one frame that is wanted, in flight, or just here, and is keyed by what is physically
 * fetched, (object, offset), so that readers at two LSNs share the fetch of a page that did not
 * change between them. Tokens wait in queues, demand before prefetch; whoever serves the queue
 * joins neighbours into one ranged read. A settled token stays for a while as a small cache: it
 * serves readers of older snapshots, whose versions may not be put into the image. */
#ifndef GRAFT_ENGINE_FETCHER_H
#define GRAFT_ENGINE_FETCHER_H

#include "engine/view.h"
#include "env/task.h"
#include "format/frame.h"

struct graft_token;
struct graft_session;
struct graft_worker;

enum graft_fetch_class {
    GRAFT_FETCH_DEMAND, /* a reader waits */
    GRAFT_FETCH_AHEAD,  /* expected to be read soon */
    GRAFT_FETCH_BULK,   /* the rest of something, while the link has nothing better to do */
};

#define GRAFT_FETCH_QUEUES 2U /* of demand and of what is ahead; bulk is a list of its own */
#define GRAFT_FETCH_BUCKETS 1024U

struct graft_token_queue {
    struct graft_token *first, *last;
};

/* What is known of the link, from the requests so far. */
struct graft_link {
    uint64_t rtt_us;
    uint64_t bytes_per_s;
    uint64_t bytes;     /* stored bytes that came */
    uint64_t pages;     /* pages that were in them */
    uint64_t delivered; /* as `bytes`, and also of what did not verify */
};

struct graft_bulk_place {
    struct graft_place place;
    uint32_t page; /* one that stands there */
};

/* Frames that are streamed in the order in which they stand in their objects. */
struct graft_bulk {
    struct graft_view *view;
    struct graft_bulk_place *places; /* sorted; those from `next` on are still to be fetched */
    uint32_t count, next;
};

struct graft_fetcher {
    struct graft_mutex *mutex;
    struct graft_cond *settled;        /* a token is ready or has failed */
    struct graft_cond *work;           /* a queue grew, or the fetcher closes */
    struct graft_mutex *install_mutex; /* the store installs for one task at a time */
    struct graft_token *buckets[GRAFT_FETCH_BUCKETS];
    struct graft_token *newest, *oldest; /* settled tokens, by last use */
    size_t cached_bytes;
    struct graft_token_queue queues[GRAFT_FETCH_QUEUES];
    struct graft_bulk bulk;
    struct graft_link link;
    struct graft_worker *workers; /* GRAFT_FETCH_WORKERS_MAX of them, made with the first */
    uint32_t idle;
    uint32_t in_flight;
    bool closing;
};

GRAFT_MUST_USE enum graft_rc graft_fetcher_init(struct graft_fetcher *fetcher,
                                                struct graft_volume *volume);
/* Waits for the requests in flight. */
void graft_fetcher_deinit(struct graft_fetcher *fetcher, struct graft_volume *volume);

/* Copies the page's version at the view's LSN to `bytes` (page_bytes of room), fetching its frame
 * when it is neither cached nor in flight, together with what is queued beside it, and installs
 * what the frame has for the newest snapshot. */
GRAFT_MUST_USE enum graft_rc graft_fetch_page(struct graft_session *session,
                                              struct graft_view *view, uint32_t page, void *bytes,
                                              size_t *got, struct graft_err *err);
/* Queues what of these pages is neither held nor cached nor in flight, and returns how many frames
 * that were. Failures are silent. Nothing is sent before graft_fetch_start or the next
 * graft_fetch_page. */
uint32_t graft_fetch_ahead(struct graft_volume *volume, struct graft_view *view,
                           const uint32_t *pages, uint32_t count);
/* Streams these pages at the lowest priority; takes the place of what was streamed before. */
void graft_fetch_bulk(struct graft_volume *volume, struct graft_view *view, const uint32_t *pages,
                      uint32_t count);
/* Sees to it that somebody serves the queues. */
void graft_fetch_start(struct graft_volume *volume);
/* A copy of what is known of the link. */
struct graft_link graft_fetch_link(struct graft_volume *volume);
/* True while a bulk transfer is under way. */
bool graft_fetch_streams(struct graft_volume *volume);

/* Puts every page of a decoded frame that `view` finds there into the store; counts those
 * installed. */
GRAFT_MUST_USE enum graft_rc graft_fetcher_install(struct graft_volume *volume,
                                                   const struct graft_view *view,
                                                   const struct graft_object_ref *object,
                                                   uint64_t offset, const struct graft_frame *frame,
                                                   uint64_t *installed, struct graft_err *err);

#endif
