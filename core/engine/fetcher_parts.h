/* Inside the fetcher: tokens (their table, their queues, the cache of those that are settled),
 * batches and workers. Unless said otherwise the fetcher's mutex is held. */
#ifndef GRAFT_ENGINE_FETCHER_PARTS_H
#define GRAFT_ENGINE_FETCHER_PARTS_H

#include "engine/fetcher.h"

#define GRAFT_FETCH_WORKERS_MAX 16U /* requests in flight beside those that readers make */
#define GRAFT_FETCH_IDLE_MS 2000U   /* an idle worker ends after so long */
#define GRAFT_BATCH_FRAMES_MAX 256U /* frames in one ranged read */

/* ---- Tokens ---- */

enum graft_token_state {
    GRAFT_TOKEN_QUEUED,
    GRAFT_TOKEN_LOADING,
    GRAFT_TOKEN_READY,
    GRAFT_TOKEN_FAILED,
};

struct graft_token_page {
    uint32_t page;
    uint32_t size;
    size_t at;
};

struct graft_token {
    struct graft_token *chain;         /* in its bucket */
    struct graft_token *newer, *older; /* in its queue while queued, in the cache when settled */
    struct graft_object_ref object;
    uint64_t offset;
    uint32_t stored_bytes;
    enum graft_token_state state;
    enum graft_fetch_class class;
    bool ahead;              /* nobody had asked for it when it was made */
    struct graft_view *view; /* what it is installed for; a reference, until it is settled */
    uint64_t version_lsn;
    uint64_t resolved_lsn; /* of the view that it was made for */
    uint32_t waiters;
    bool led;                 /* one of the waiters takes a failure for its own */
    struct graft_err *report; /* where that one wants it */
    enum graft_rc rc;         /* of a failed token */
    size_t bytes;             /* of content, and of this */
    uint8_t *content;
    uint32_t page_count;
    struct graft_token_page pages[GRAFT_FRAME_PAGES_MAX];
};

bool graft_same_object(const struct graft_object_ref *a, const struct graft_object_ref *b);
/* The token of the place's frame, or NULL. A settled one counts as used. */
struct graft_token *graft_token_find(struct graft_fetcher *fetcher,
                                     const struct graft_place *place);
/* A new token, in the table and at the end of its queue (a bulk one is loading at once); NULL
 * without memory. Takes a reference to the view. */
struct graft_token *graft_token_new(struct graft_volume *volume, struct graft_view *view,
                                    const struct graft_place *place, enum graft_fetch_class class);
/* Moves a queued token to the demand queue. */
void graft_token_promote(struct graft_fetcher *fetcher, struct graft_token *token);
/* Takes a queued token off its queue: it is loading now. */
void graft_token_take(struct graft_fetcher *fetcher, struct graft_token *token);
/* Ends a token: into the cache when it is ready, out of the table when it failed. Wakes the
 * waiters; a failed one that nobody waits for is freed. */
void graft_token_settle(struct graft_volume *volume, struct graft_token *token, enum graft_rc rc,
                        const struct graft_err *err);
/* A waiter lets go of a settled token. */
void graft_token_leave(struct graft_volume *volume, struct graft_token *token);
/* Fails every queued token that nobody waits for. */
void graft_token_drop_queued(struct graft_volume *volume);
/* Frees the cache past `bytes_max`, least recently used first. */
void graft_token_trim(struct graft_volume *volume, size_t bytes_max);

/* ---- Batches ---- */

/* Frames of one object, by offset, that one ranged read brings. */
struct graft_batch {
    struct graft_token *tokens[GRAFT_BATCH_FRAMES_MAX];
    uint32_t count;
};

/* The queued token, and what is queued beside it. */
void graft_batch_gather(struct graft_fetcher *fetcher, struct graft_token *token,
                        struct graft_batch *out);
void graft_batch_take(struct graft_fetcher *fetcher, const struct graft_batch *batch);
/* Takes the most urgent request; false when there is none. */
bool graft_batch_next(struct graft_volume *volume, struct graft_batch *out);
/* Reads, installs and settles all of it. Without the mutex. */
void graft_batch_run(struct graft_volume *volume, struct graft_codec *codec,
                     struct graft_batch *batch);

/* ---- Workers ---- */

struct graft_worker {
    struct graft_volume *volume;
    struct graft_task *task;   /* NULL, or to be joined */
    struct graft_codec *codec; /* as long as it runs */
    bool running;
};

/* Wakes or starts a worker when there is work; false when nobody can be had (or needed). */
bool graft_worker_start(struct graft_volume *volume);
/* Ends all and waits for them. Without the mutex. */
void graft_workers_stop(struct graft_volume *volume);

#endif
