/* The local page store of one volume: a directory of files that all processes of a machine share.
 *
 *   config   what the directory is bound to (format/config.h); replaced atomically
 *   image    page i at (i-1) * slot bytes, sparse; hydrated and folded, it is a SQLite database
 *            file
 *   log.0    } the two halves of the log: frames and commit records, appended; one is written
 *   log.1    } while the other is folded into the image and used again
 *   table    shared header (snapshot ring, read marks) and one 8-byte word a page; mapped by all
 *            processes
 *   recency  which pages were read lately, with a cache limit only; mapped, may be lost
 *   lock     byte locks
 *
 * docs/local-store.md has the layouts, the order of the writes, and the reasons. A store is shared
 * by the sessions of a process; a session belongs to one task at a time. */
#ifndef GRAFT_STORE_STORE_H
#define GRAFT_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "env/env.h"
#include "format/config.h"
#include "format/pageset.h"
#include "format/syncstate.h"

struct graft_store;
struct graft_store_session;

/* ---- Life ---- */

/* Makes the directory (its parent must exist) and its files, durably. `config` is copied. EEXIST
 * when a Graft database is there already; a directory that holds other files, or is a plain file,
 * is EINVAL and names it. */
GRAFT_MUST_USE enum graft_rc graft_store_create(struct graft_env *env, const char *directory,
                                                const struct graft_config *config,
                                                struct graft_err *err);
bool graft_store_exists(struct graft_env *env, const char *directory);
/* Opens; the first opener recovers what a crash left. ENOTFOUND, ECORRUPT, EVERSION, EFOREIGN (a
 * file of another volume), EREADONLY, EDENIED, EFULL, EBUSY (recovery by another process takes
 * longer than 60 s). */
GRAFT_MUST_USE enum graft_rc graft_store_open(struct graft_env *env, const char *directory,
                                              struct graft_store **out, struct graft_err *err);
/* All sessions must be closed. The last process out folds the log, trims the files and marks them
 * clean; a failure of that loses nothing and is only logged. Accepts NULL. */
void graft_store_close(struct graft_store *store);

/* Borrowed until the next graft_store_configure. */
const struct graft_config *graft_store_config(struct graft_store *store);
/* Replaces the config file, durably, and the copy in memory; other processes see it at their next
 * open. volume, page_bytes and variable may change only while the store never had a commit (a
 * replica that learns its volume; EINVAL else). */
GRAFT_MUST_USE enum graft_rc graft_store_configure(struct graft_store *store,
                                                   const struct graft_config *config,
                                                   struct graft_err *err);
/* Changes a copy of it. */
typedef enum graft_rc graft_config_edit_fn(void *arg, struct graft_config *config);
/* Applies `edit` to the config as it is on the disk now (another process may have changed it since
 * this one read it), and replaces that, while no other process does. Not for the volume. */
GRAFT_MUST_USE enum graft_rc graft_store_edit_config(struct graft_store *store,
                                                     graft_config_edit_fn *edit, void *arg,
                                                     struct graft_err *err);
uint32_t graft_store_page_bytes(struct graft_store *store);
/* The LSN of the newest published commit; 0 when there never was one. One atomic load. */
uint64_t graft_store_newest_lsn(struct graft_store *store);

/* ---- Reading ---- */

struct graft_store_snapshot {
    uint64_t lsn;        /* 0 = never a commit */
    uint64_t remote_lsn; /* base of pages not held */
    uint64_t reset_lsn;  /* of a reset, which may be a newer commit; set by graft_store_begin */
    uint32_t page_count;
};

GRAFT_MUST_USE enum graft_rc graft_store_session_open(struct graft_store *store,
                                                      struct graft_store_session **out,
                                                      struct graft_err *err);
/* Ends and rolls back what is open. Accepts NULL. */
void graft_store_session_close(struct graft_store_session *session);

/* Pins the newest commit; no system call, no lock, cannot fail but for a poisoned store (EIO).
 * Pinned already: stays. */
GRAFT_MUST_USE enum graft_rc graft_store_begin(struct graft_store_session *session,
                                               struct graft_store_snapshot *out,
                                               struct graft_err *err);
/* Harmless when nothing is pinned; a write transaction must have ended. */
void graft_store_end(struct graft_store_session *session);
bool graft_store_pinned(const struct graft_store_session *session,
                        struct graft_store_snapshot *out);

/* Reads the page as the open transaction, else the snapshot, has it, verified. `bytes` has room for
 * page_bytes. ENOTHELD: the version that the remote has at the snapshot's remote_lsn is not here.
 * ECORRUPT: rotten (names page and file). EINVAL: above the page count. */
GRAFT_MUST_USE enum graft_rc graft_store_read(struct graft_store_session *session, uint32_t page,
                                              void *bytes, size_t *got, struct graft_err *err);

/* ---- Writing: one writer at a time over all processes ---- */

enum graft_commit_kind {
    GRAFT_COMMIT_LOCAL, /* counts as ahead of the remote */
    GRAFT_COMMIT_PULL,  /* moves the remote base; its pages are the remote's */
};

/* Takes the writer role: EBUSY when another session has it (and keeps it for
 * GRAFT_WRITER_WAIT_MS, when nothing is pinned here); ESTALE when the pinned snapshot is not the
 * newest (the role is let go). Pins when nothing is pinned. Also finishes what a writer that died
 * left half published. */
GRAFT_MUST_USE enum graft_rc graft_store_write_begin(struct graft_store_session *session,
                                                     struct graft_err *err);
bool graft_store_writing(const struct graft_store_session *session);
/* Sets the page size while there never was a commit. */
GRAFT_MUST_USE enum graft_rc graft_store_write_page_bytes(struct graft_store_session *session,
                                                          uint32_t page_bytes,
                                                          struct graft_err *err);
/* Copies the page; past GRAFT_TXN_BUFFER_BYTES it goes to the log's free area at once. */
GRAFT_MUST_USE enum graft_rc graft_store_write(struct graft_store_session *session, uint32_t page,
                                               const void *bytes, size_t size,
                                               struct graft_err *err);
/* The page changed in the remote: its version at the commit's remote LSN is not held here. In a
 * PULL only. A frame without payload for a page that is held or has a version in the log, nothing
 * for one that is not. The first call takes the fold lock (waiting for it) until the transaction
 * ends, so that no install of the version before slips in between. */
GRAFT_MUST_USE enum graft_rc graft_store_write_remote(struct graft_store_session *session,
                                                      uint32_t page, struct graft_err *err);
/* The transaction's page count; pages that a growth adds and nobody writes become zeros. */
GRAFT_MUST_USE enum graft_rc graft_store_write_page_count(struct graft_store_session *session,
                                                          uint32_t page_count,
                                                          struct graft_err *err);
uint32_t graft_store_write_count(const struct graft_store_session *session);

struct graft_store_commit {
    enum graft_commit_kind kind;
    bool durable; /* synced when prepare returns; a PULL always is */
    const char
        *super_journal; /* NULL, or a path: counts after a crash only if the file is gone then */
    const struct graft_sync_state
        *sync; /* PULL: the state that this commit brings; NULL for LOCAL */
    uint64_t time_ms;
};

/* Appends frames and the commit record, and syncs them if durable. On failure nothing counts and
 * the transaction stays open to be rolled back. A LOCAL transaction that changed nothing prepares
 * nothing, and publish then only ends it. */
GRAFT_MUST_USE enum graft_rc graft_store_prepare(struct graft_store_session *session,
                                                 const struct graft_store_commit *commit,
                                                 struct graft_err *err);
bool graft_store_prepared(const struct graft_store_session *session);
/* Makes the prepared commit the newest snapshot, moves this session's pin to it, lets go of the
 * writer role. Cannot fail. May fold afterwards when the log is long; a failure of that is logged.
 */
void graft_store_publish(struct graft_store_session *session);
/* The same, but the writer role stays: a new, empty transaction is open on top of the commit. */
void graft_store_publish_keep(struct graft_store_session *session);
/* Drops the transaction and lets go of the writer role; a prepared commit is voided durably. */
GRAFT_MUST_USE enum graft_rc graft_store_rollback(struct graft_store_session *session,
                                                  struct graft_err *err);

/* Whether others wait for the writer role, which this session has, or did so lately: then it is
 * better to publish before the sync, and to let it go. */
bool graft_store_writer_wanted(struct graft_store_session *session);
/* Waits until the published commits up to `lsn` are durable, by one sync for all who wait. On
 * failure they are in doubt: nobody sees them until they are durable, and later calls try to make
 * them so. */
GRAFT_MUST_USE enum graft_rc graft_store_settle(struct graft_store_session *session, uint64_t lsn,
                                                struct graft_err *err);

/* ---- What the engine needs for sync ---- */

/* A consistent copy. */
GRAFT_MUST_USE enum graft_rc graft_store_sync_state(struct graft_store *store,
                                                    struct graft_sync_state *out,
                                                    struct graft_err *err);
/* True while a commit or a note is being published, and from the death of its writer until the next
 * graft_store_write_begin: the sync state may be of before it, or of it already. */
bool graft_store_publishing(struct graft_store *store);
/* Records a new sync state without a commit, durably (a push that is pending, is done, was
 * refused). The caller holds the writer role (graft_store_write_begin) and has changed nothing. A
 * later pushed_lsn takes the commits up to it out of the ahead set. Snapshots pinned later have the
 * new remote_lsn; the writer role stays with the caller. */
GRAFT_MUST_USE enum graft_rc graft_store_note(struct graft_store_session *session,
                                              const struct graft_sync_state *state,
                                              struct graft_err *err);
/* Pages changed by LOCAL commits in (pushed_lsn, lsn], and how many commits those are. `lsn` 0 =
 * the newest. Replaces `out`. */
GRAFT_MUST_USE enum graft_rc graft_store_ahead(struct graft_store *store, uint64_t lsn,
                                               struct graft_pageset *out, uint64_t *commits,
                                               struct graft_err *err);

/* Puts a page fetched from the remote into the image, for good: resolved at remote LSN
 * `resolved_lsn`, the page's version is the one of remote LSN `version_lsn`. Does nothing, and says
 * so in `*installed`, unless the head's remote LSN is `resolved_lsn`, the head does not hold the
 * page, and every pinned older snapshot sees the same version (its remote LSN is at least
 * `version_lsn`). Never waits for the fold lock. Not synced: what a crash takes is fetched again.
 */
GRAFT_MUST_USE enum graft_rc graft_store_install(struct graft_store *store, uint32_t page,
                                                 uint64_t resolved_lsn, uint64_t version_lsn,
                                                 const void *bytes, size_t size, bool *installed,
                                                 struct graft_err *err);
/* Every published commit is on stable storage after it. Needs no lock of the caller. */
GRAFT_MUST_USE enum graft_rc graft_store_flush(struct graft_store *store, struct graft_err *err);
/* Forgets the held version of a page that a reader at `lsn` found rotten, so that it is fetched
 * again. EINVAL when the page is in the ahead set or its newest version stands in the log (then
 * only the log has it); EBUSY when the reader sees an older version than the newest, while a
 * snapshot is pinned that does not know the newest remote LSN yet (one pinned later asks the remote
 * for the right version), or another process folds for long. */
GRAFT_MUST_USE enum graft_rc graft_store_forget(struct graft_store *store, uint32_t page,
                                                uint64_t lsn, struct graft_err *err);

/* ---- The cache: pages of the image that the remote has, too ---- */

/* The setting (bytes, decimal; none: no limit) that bounds what the image takes on the disk. The
 * store only keeps it, and knows how recently pages were read while there is one. */
#define GRAFT_CACHE_LIMIT_SETTING "cache_limit"

/* The limit as the newest graft_store_configure of any process has it; 0 = none. One load. */
uint64_t graft_store_cache_limit(struct graft_store *store);
/* Bytes that the image takes on the disk. */
GRAFT_MUST_USE enum graft_rc graft_store_image_space(struct graft_store *store, uint64_t *bytes,
                                                     struct graft_err *err);
/* The page was read, and not for the first time since it came. */
void graft_store_touch(struct graft_store *store, uint32_t page);

#define GRAFT_SWEEP_PAGES_MAX 4096U

/* A part of the volume that was looked at for pages to give up. */
struct graft_store_sweep {
    uint32_t first, last; /* pages; 0: nothing was looked at */
    uint32_t count;
    uint32_t pages[GRAFT_SWEEP_PAGES_MAX]; /* that were read least recently, ascending */
    /* To be set: the remote LSN that wrote the version that each has, as of one remote LSN. */
    uint64_t versions[GRAFT_SWEEP_PAGES_MAX];
};

/* Goes on from where the last sweep (of any process) ended, past at most 2^20 pages and not over
 * the volume's end, until there are `pages_max` that the image holds and nobody read lately. It
 * takes up to three rounds until all have been chosen. */
GRAFT_MUST_USE enum graft_rc graft_store_sweep(struct graft_store *store, uint32_t pages_max,
                                               struct graft_store_sweep *out,
                                               struct graft_err *err);
/* Gives the chosen pages up, and the space of whatever is not held in that part: those stay whose
 * newest version stands in the log, or in the ahead set, or that a pinned snapshot needs whose
 * remote LSN is below the version's; all, unless the head's remote LSN is `resolved_lsn`. EBUSY
 * when another process folds, or a sync is half published: later; EUNSUPPORTED where the file
 * system makes no holes. After a failure pages may have been given up all the same. */
GRAFT_MUST_USE enum graft_rc graft_store_evict(struct graft_store *store,
                                               const struct graft_store_sweep *sweep,
                                               uint64_t resolved_lsn, uint64_t *evicted,
                                               struct graft_err *err);

enum graft_store_page { GRAFT_STORE_MISSING, GRAFT_STORE_HELD };
/* Whether the page's newest version is held; no I/O for most pages. */
enum graft_store_page graft_store_page_state(struct graft_store *store, uint32_t page);

struct graft_store_commit_info {
    uint64_t lsn;
    uint64_t time_ms;
    uint64_t page_count;
    uint64_t pages;
    enum graft_commit_kind kind;
};
typedef enum graft_rc graft_store_commit_fn(void *arg, const struct graft_store_commit_info *info);
/* The commits still in the log, newest first. */
GRAFT_MUST_USE enum graft_rc graft_store_commits(struct graft_store *store,
                                                 graft_store_commit_fn *each, void *arg,
                                                 struct graft_err *err);

/* Moves what it may of the log into the image now. EBUSY when another process folds. */
GRAFT_MUST_USE enum graft_rc graft_store_fold(struct graft_store *store, struct graft_err *err);
/* Throws away every local commit after pushed_lsn: under the writer role, all pages of the ahead
 * set and of `changed` become not held, the page count is given, and the sync state is replaced,
 * with pushed_lsn the LSN of the one PULL-kind commit that records it. Readers that are pinned keep
 * their snapshots. On success the write transaction has ended. */
GRAFT_MUST_USE enum graft_rc graft_store_reset(struct graft_store_session *session,
                                               uint32_t page_count,
                                               const struct graft_pageset *changed,
                                               const struct graft_sync_state *state,
                                               struct graft_err *err);

struct graft_store_counts {
    _Atomic uint64_t log_reads, image_reads, chain_steps, commits, folds, folded_pages, syncs,
        installs, evicted, recoveries, rot;
};
const struct graft_store_counts *graft_store_counts(const struct graft_store *store);

#endif
