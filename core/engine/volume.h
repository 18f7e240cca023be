/* The inside of a volume as the engine's modules share it: the store, the remote, the views of the
 * remote, the fetcher, counters. */
#ifndef GRAFT_ENGINE_VOLUME_H
#define GRAFT_ENGINE_VOLUME_H

#include "engine/cache.h"
#include "engine/fetcher.h"
#include "engine/prefetch.h"
#include "engine/view.h"
#include "env/env.h"
#include "graft/graft.h"
#include "remote/remote.h"
#include "store/store.h"

/* Counted per process and volume; shown by graft_stats. */
struct graft_volume_counts {
    _Atomic uint64_t
        pages_fetched;        /* pages of fetched frames that the snapshot asked for or could use */
    _Atomic uint64_t fetches; /* ranged reads of frames */
    _Atomic uint64_t stalls;  /* reads that had to wait for the remote */
    _Atomic uint64_t shared_fetches;   /* reads that found their frame in flight or just fetched */
    _Atomic uint64_t shared_versions;  /* of these, fetches that began for another remote LSN */
    _Atomic uint64_t stalled_us;       /* what those reads waited, in sum */
    _Atomic uint64_t pages_prefetched; /* pages of frames that nobody had asked for */
    _Atomic uint64_t prefetch_hits;    /* of these, those that were read since */
    _Atomic uint64_t bulks;            /* decisions to stream the rest of something */
    _Atomic uint64_t read_ahead;       /* newest commits read while looking for a newer one */
    _Atomic uint64_t repairs;
    _Atomic uint64_t pushes, pulls;
};

/* The pages ahead of the remote as of one pair of LSNs. */
struct graft_ahead_cache {
    bool valid;
    uint64_t newest_lsn, pushed_lsn;
    struct graft_pageset pages;
};

struct graft_process {
    struct graft_env *env;
    struct graft_mutex *mutex; /* guards the list and the reference counts */
    graft_arrange_fn *arrange; /* or NULL */
    void *arrange_arg;
    struct graft_volume *volumes;
    _Atomic(struct graft_codec *) codecs[GRAFT_CODECS_IDLE_MAX]; /* idle, or NULL */
};

struct graft_volume {
    struct graft_process *process;
    struct graft_env *env;
    struct graft_volume *next;
    uint64_t entry_id[2]; /* of the directory */
    uint32_t references;  /* guarded by the process's mutex */
    char *directory;
    struct graft_store *store;

    struct graft_mutex *mutex;   /* guards what follows down to last_error */
    struct graft_remote *remote; /* NULL without a remote; set once, then never changed */
    struct graft_view *views;    /* newest use first, at most GRAFT_VIEWS_MAX that nobody uses */
    uint64_t newest_known;       /* remote LSN seen at the last contact */
    bool met;                    /* this process knows that the remote was empty */
    struct graft_ahead_cache ahead;
    char last_error[512];

    struct graft_mutex *sync_mutex; /* one push, pull, hydrate or reset at a time in this process */
    struct graft_fetcher fetcher;
    struct graft_prefetch prefetch;
    struct graft_cache cache;
    struct graft_volume_counts counts;
};

struct graft_session {
    struct graft_volume *volume;
    struct graft_store_session *store;
    bool fresh;           /* what the last read found, see graft_session_was_fresh */
    bool hinting;         /* somebody gives hints, and the history need not be kept */
    uint32_t hinted_page; /* the page that the last hint stood before */
    uint64_t stalled_us;
    struct graft_streams streams;
    struct graft_history history;
};

/* A codec of the process's, idle or new, for whoever gives it back; ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_codec_take(struct graft_process *process,
                                              struct graft_codec **out);
/* Accepts NULL. */
void graft_codec_give(struct graft_process *process, struct graft_codec *codec);

/* The remote, or NULL. */
struct graft_remote *graft_volume_remote(struct graft_volume *volume);
/* Records a failure for graft_status and returns it. GRAFT_OK, EBUSY and ESTALE are not recorded.
 */
enum graft_rc graft_volume_failed(struct graft_volume *volume, enum graft_rc rc,
                                  const struct graft_err *err);

#endif
