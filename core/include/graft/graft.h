/* Graft: a transactional page store with lazy, partial, strongly consistent replication. The public
 * API.
 *
 * A process makes one `graft_process` over an environment, opens volumes (database directories) in
 * it, and a session for each connection. A session reads one snapshot at a time and has at most one
 * write transaction, on top of that snapshot.
 *
 * Unless said otherwise: functions block, may be called from any task, one task at a time per
 * session; pages are numbered from 1; sizes are bytes; errors stand in `err` with a text that names
 * the thing and what to do; outputs are untouched on failure. */
#ifndef GRAFT_GRAFT_H
#define GRAFT_GRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/codes.h"

#define GRAFT_VERSION "0.1.0"

struct graft_env;
struct graft_process;
struct graft_volume;
struct graft_session;

/* ---- Process and volumes
 * ------------------------------------------------------------------------------------------------
 */

/* Owns the registry of open volumes, so that all sessions of a process on one directory share
 * fetches. `env` is borrowed. */
GRAFT_MUST_USE enum graft_rc graft_process_new(struct graft_env *env, struct graft_process **out,
                                               struct graft_err *err);
/* All volumes must be closed. Accepts NULL. */
void graft_process_free(struct graft_process *process);

/* The pages of a push, for a layer that knows what they hold to say how they should stand in the
 * remote. */
struct graft_arrangement {
    uint32_t page_bytes;
    uint32_t page_count; /* of the volume */
    uint32_t *pages;     /* those pushed, ascending; to be put into the order to store them in */
    uint32_t count;
    /* To be set: so many pages, from the first on, are what a new replica should get at once. The
     * rest of the volume's are remembered as long as they do not change. */
    uint32_t first_count;
    /* Reads one of them. */
    enum graft_rc (*read)(const struct graft_arrangement *arrangement, uint32_t page, void *bytes,
                          struct graft_err *err);
    void *reader;
};

/* Called by pushes of volumes whose pages are all of one size. A failure is the push's. */
typedef enum graft_rc graft_arrange_fn(void *arg, struct graft_arrangement *arrangement,
                                       struct graft_err *err);
/* Before any volume is opened. Without it pages stand in the order of their numbers. */
void graft_process_set_arrange(struct graft_process *process, graft_arrange_fn *arrange, void *arg);

struct graft_volume_options {
    const char *remote_url; /* NULL: as the directory remembers, or none */
    uint32_t page_bytes; /* 0: as the volume has it; 4096, changeable until the first commit, for a
                            new one */
    const char *cache_limit; /* NULL: as the directory remembers; see graft_cache_limit_parse */
    bool create;             /* make the directory when it is missing */
    bool variable;           /* a new volume's pages may have any length up to page_bytes */
};

/* Opens a database directory; does no network. A new directory with a remote is a replica that
 * learns its volume at first use. ENOTFOUND (missing, and no `create`), EINVAL (page size, URL, a
 * remote other than the remembered one), EFOREIGN, ECORRUPT, EVERSION, EREADONLY, EDENIED, EFULL.
 * Close with graft_volume_close. */
GRAFT_MUST_USE enum graft_rc graft_volume_open(struct graft_process *process, const char *directory,
                                               const struct graft_volume_options *options,
                                               struct graft_volume **out, struct graft_err *err);
/* The last close of the last process folds the log and leaves a tidy directory. Accepts NULL. */
void graft_volume_close(struct graft_volume *volume);
/* True when `directory` holds a Graft database (its `config` file is there). */
bool graft_volume_exists(struct graft_env *env, const char *directory);
/* True when the directory was removed, renamed or replaced since the volume was opened. One system
 * call. */
bool graft_volume_moved(struct graft_volume *volume);

/* Bytes a page; `*decided` (may be NULL) is false while a new, empty volume may still choose
 * another size. */
uint32_t graft_volume_page_bytes(struct graft_volume *volume, bool *decided);
/* Borrowed, absolute. */
const char *graft_volume_directory(struct graft_volume *volume);
/* Copies the remote's URL ("" when there is none), cut at `size`. */
void graft_volume_remote_url(struct graft_volume *volume, char *out, size_t size);

/* ---- Sessions: reading
 * --------------------------------------------------------------------------------------------------
 */

/* One immutable state of a volume. */
struct graft_snapshot {
    uint64_t lsn;        /* local LSN; 0 = nothing was ever committed */
    uint64_t remote_lsn; /* remote LSN that it is based on; 0 = none */
    uint64_t reset_lsn;  /* local LSN of the newest reset that is known here, which may be above
                            `lsn`; 0 = none. What came before it need not be what it is built on */
    uint32_t page_count;
};

/* A connection. Takes one of GRAFT_SESSIONS_MAX places of the directory (ELIMIT). Close before the
 * volume. */
GRAFT_MUST_USE enum graft_rc graft_session_open(struct graft_volume *volume,
                                                struct graft_session **out, struct graft_err *err);
/* Rolls back what is open. Accepts NULL. */
void graft_session_close(struct graft_session *session);

/* Pins the newest snapshot. Does no system call when the replica has met its remote before; a
 * replica that never has meets it now (EUNREACHABLE, EDENIED, ...; ENOTFOUND never: an empty remote
 * is an empty volume). */
GRAFT_MUST_USE enum graft_rc graft_session_begin(struct graft_session *session,
                                                 struct graft_snapshot *out, struct graft_err *err);
/* The pinned snapshot's own numbers; false when none is pinned. */
bool graft_session_snapshot(const struct graft_session *session, struct graft_snapshot *out);
/* Lets go of the snapshot; a write transaction that is open is rolled back. Harmless when none is
 * pinned. */
void graft_session_end(struct graft_session *session);

/* Reads a page as the transaction, else the snapshot, has it; fetches it when it is not held.
 * `size` is the space; a page of a SQLite volume is always page_bytes long, `*got` says how long
 * others are. A page never written is zeros (`*got` 0 in a variable volume). A page above the page
 * count is EINVAL. ECORRUPT names the page. */
GRAFT_MUST_USE enum graft_rc graft_session_read(struct graft_session *session, uint32_t page,
                                                void *bytes, size_t size, size_t *got,
                                                struct graft_err *err);
/* The same for held pages only: ENOTHELD instead of a fetch. */
GRAFT_MUST_USE enum graft_rc graft_session_peek(struct graft_session *session, uint32_t page,
                                                void *bytes, size_t size, size_t *got,
                                                struct graft_err *err);
/* Pages of the write transaction, else of the snapshot. */
uint32_t graft_session_page_count(const struct graft_session *session);
/* Whether the page that was read (or peeked at) last had been fetched for it, or earlier and was
 * read for the first time since. Whoever gives hints follows readers by that. */
bool graft_session_was_fresh(const struct graft_session *session);
/* Microseconds that this session has waited for fetches. */
uint64_t graft_session_stalled_us(const struct graft_session *session);

enum graft_hint_kind {
    /* The pages will be read in this order if reading goes on as it has: as many are fetched as the
     * window of `stream` lets, which grows with each hint. */
    GRAFT_HINT_SEQUENCE,
    /* All of them will be read soon (at most 2048 are taken). */
    GRAFT_HINT_SET,
    /* Any of them may be read, and readers have waited `stalled_us` for others like them: they are
     * streamed when that is several times what their transfer takes. Never on a metered link. */
    GRAFT_HINT_REST,
};

/* What a layer that knows the structure of the pages' content expects to be read. A hint costs
 * nothing where the pages are held, and a wrong one costs bandwidth, nothing else: what is fetched
 * by it counts as read by nobody. */
struct graft_hint {
    enum graft_hint_kind kind;
    uint32_t stream; /* SEQUENCE: the same number for the same order, from 1 */
    uint32_t before; /* the page whose read follows at once, so that it goes first; 0: none */
    const uint32_t *pages;
    uint32_t count;
    uint64_t stalled_us; /* REST */
};

/* Returns after how many of a SEQUENCE's pages the next hint should come. A hint without pages says
 * that the structure around `before` is known and nothing is to be expected. */
uint32_t graft_session_hint(struct graft_session *session, const struct graft_hint *hint);

/* ---- Sessions: writing
 * --------------------------------------------------------------------------------------------------
 */

enum graft_durability {
    GRAFT_DURABILITY_NONE, /* as synchronous=OFF or NORMAL: a commit may be lost with the power,
                              never torn, never reordered */
    GRAFT_DURABILITY_FULL, /* on stable storage when prepare returns */
};

/* Becomes the writer. EBUSY when another session is; ESTALE when the pinned snapshot is no longer
 * the newest. Pins one when none is pinned. */
GRAFT_MUST_USE enum graft_rc graft_write_begin(struct graft_session *session,
                                               struct graft_err *err);
bool graft_write_is_open(const struct graft_session *session);
/* Chooses the page size of a volume that never had a commit (see graft_volume_page_bytes). */
GRAFT_MUST_USE enum graft_rc graft_write_page_bytes(struct graft_session *session,
                                                    uint32_t page_bytes, struct graft_err *err);
/* The page's new content, copied (to memory, past GRAFT_TXN_BUFFER_BYTES to the log). Grows the
 * page count when it must. */
GRAFT_MUST_USE enum graft_rc graft_write_page(struct graft_session *session, uint32_t page,
                                              const void *bytes, size_t size,
                                              struct graft_err *err);
/* Shrinks (or grows, with zeros) the volume. */
GRAFT_MUST_USE enum graft_rc graft_write_truncate(struct graft_session *session,
                                                  uint32_t page_count, struct graft_err *err);
/* Phase one: writes and, as `durability` says, syncs the commit. Nothing is visible to others yet.
 * With `super_journal` (a path, else NULL) the commit also counts after a crash only if that file
 * is gone then. On failure the transaction stays open to be rolled back. A transaction without
 * changes makes no commit. */
GRAFT_MUST_USE enum graft_rc graft_write_prepare(struct graft_session *session,
                                                 enum graft_durability durability,
                                                 const char *super_journal, struct graft_err *err);
/* Whether others wait for the writer role. */
bool graft_write_is_wanted(const struct graft_session *session);
/* Prepares, publishes and ends the writer role, and only then makes the commit durable, with those
 * that others publish meanwhile. A failure to prepare leaves the transaction open to be rolled
 * back. When the sync fails, and the commit cannot be saved elsewhere, the transaction has ended
 * all the same: the commit is in doubt, and nobody begins a snapshot that has it until it is
 * durable. */
GRAFT_MUST_USE enum graft_rc graft_write_commit(struct graft_session *session,
                                                struct graft_err *err);
bool graft_write_is_prepared(const struct graft_session *session);
/* Phase two: makes a prepared commit visible; cannot fail. The session's snapshot moves to it. The
 * writer role ends. */
void graft_write_publish(struct graft_session *session);
/* The same, but the writer role stays: a new, empty transaction is open on top of the commit, and
 * nobody comes in between. Ended by graft_write_rollback or graft_session_end. */
void graft_write_publish_keep(struct graft_session *session);
/* Drops the transaction; a prepared commit is durably voided (an error means that it could not be,
 * and that the volume accepts no commit until it is reopened). The snapshot stays pinned. */
GRAFT_MUST_USE enum graft_rc graft_write_rollback(struct graft_session *session,
                                                  struct graft_err *err);

/* ---- Sync
 * ---------------------------------------------------------------------------------------------------------------
 */

struct graft_sync_result {
    uint64_t lsn;     /* remote LSN after it */
    uint64_t commits; /* pushed: local commits rolled up; pulled: remote commits accepted */
    uint64_t pages;   /* pages that were in them */
    bool changed;     /* false: nothing to do */
};

/* Rolls the local commits that the remote lacks into one remote commit. EDIVERGED when the remote
 * has moved: nothing changes, pull is refused too then, and `err` says what the ways out are.
 * EINVAL without a remote. EFOREIGN when the remote holds another volume. EINDOUBT when the answer
 * was lost; the next push or pull settles it. */
GRAFT_MUST_USE enum graft_rc graft_push(struct graft_volume *volume, struct graft_sync_result *out,
                                        struct graft_err *err);
/* Accepts the remote's commits; copies no page except those inline in the newest commit. EDIVERGED
 * when both sides moved; EBUSY while a local writer is open. */
GRAFT_MUST_USE enum graft_rc graft_pull(struct graft_volume *volume, struct graft_sync_result *out,
                                        struct graft_err *err);
/* Asks the remote what its newest commit is, changes nothing but `behind` in the status. */
GRAFT_MUST_USE enum graft_rc graft_fetch(struct graft_volume *volume, struct graft_sync_result *out,
                                         struct graft_err *err);
/* Progress of long work: pages done out of all; return false to stop (ECANCELED). */
typedef bool graft_progress_fn(void *arg, uint64_t done, uint64_t total);
/* Fetches all that the newest snapshot still lacks. `out->pages` = pages fetched. `progress` may be
 * NULL. ELIMIT when that does not fit the cache limit. */
GRAFT_MUST_USE enum graft_rc graft_hydrate(struct graft_volume *volume, graft_progress_fn *progress,
                                           void *arg, struct graft_sync_result *out,
                                           struct graft_err *err);
/* Drops the local commits that were never pushed, and follows the remote. The only way, with
 * removing the directory, in which unpushed commits are lost. `out->commits` = local commits
 * dropped. */
GRAFT_MUST_USE enum graft_rc graft_reset(struct graft_volume *volume, struct graft_sync_result *out,
                                         struct graft_err *err);
/* Binds a volume that has no remote yet to one (first push creates the volume there). EINVAL when
 * bound to another. */
GRAFT_MUST_USE enum graft_rc graft_set_remote(struct graft_volume *volume, const char *url,
                                              struct graft_err *err);

/* ---- The cache: held pages that the remote has, too
 * --------------------------------------------------------------------------------------------
 */

/* Bytes that held pages may take on the disk: a number, powers of 1024 as K, M, G or T behind it,
 * of 64K or more; 0 and "" are no limit. EINVAL says what is allowed. */
GRAFT_MUST_USE enum graft_rc graft_cache_limit_parse(const char *text, uint64_t *bytes,
                                                     struct graft_err *err);
/* Sets the limit, remembered in the directory and known at once to all processes that have it open,
 * and gives up what is too much: pages that were read least recently, that the remote has and no
 * pinned snapshot needs otherwise. What only this replica has stays, also past the limit. */
GRAFT_MUST_USE enum graft_rc graft_cache_limit_set(struct graft_volume *volume, const char *text,
                                                   struct graft_err *err);
uint64_t graft_cache_limit(struct graft_volume *volume); /* bytes; 0 = none */

struct graft_verify_result {
    uint64_t pages;     /* in the newest snapshot */
    uint64_t held;      /* checked here */
    uint64_t repaired;  /* were rotten, and fetched again */
    uint64_t bad;       /* rotten, and the remote does not hold them */
    uint32_t first_bad; /* page number, 0 = none */
};

/* Checks every held page against its checksum; repairs from the remote what it can. ECORRUPT when
 * `bad` > 0 (`out` is set). */
GRAFT_MUST_USE enum graft_rc graft_verify(struct graft_volume *volume, graft_progress_fn *progress,
                                          void *arg, struct graft_verify_result *out,
                                          struct graft_err *err);
/* Checks the remote log and every frame of the newest commit's map of a remote URL. `out->held` =
 * pages checked. */
GRAFT_MUST_USE enum graft_rc graft_verify_remote(struct graft_env *env, const char *url,
                                                 graft_progress_fn *progress, void *arg,
                                                 struct graft_verify_result *out,
                                                 struct graft_err *err);

/* ---- Introspection
 * ------------------------------------------------------------------------------------------------------
 */

enum graft_state {
    GRAFT_STATE_LOCAL,    /* no remote */
    GRAFT_STATE_EMPTY,    /* a replica that has not met its remote yet */
    GRAFT_STATE_SYNCED,   /* as far as is known */
    GRAFT_STATE_AHEAD,    /* local commits to push */
    GRAFT_STATE_BEHIND,   /* remote commits to pull */
    GRAFT_STATE_DIVERGED, /* both */
    GRAFT_STATE_IN_DOUBT, /* a push whose outcome is not known */
};

struct graft_status {
    char volume[33];   /* id in hex; "" while it is not known */
    char remote[1024]; /* URL or "" */
    uint64_t local_lsn;
    uint64_t remote_lsn; /* that the local state is based on */
    uint64_t ahead;      /* local commits not pushed */
    uint64_t behind;     /* remote commits not pulled, as of the last contact */
    enum graft_state state;
    uint64_t pages; /* of the newest snapshot */
    uint64_t pages_held;
    char last_error[512]; /* of this process on this volume; "" when none */
};

/* Costs a scan of the page table for `pages_held`. */
GRAFT_MUST_USE enum graft_rc graft_status(struct graft_volume *volume, struct graft_status *out,
                                          struct graft_err *err);
const char *graft_state_text(enum graft_state state);

enum graft_side { GRAFT_SIDE_LOCAL, GRAFT_SIDE_REMOTE };

struct graft_log_entry {
    uint64_t lsn;
    enum graft_side side;
    uint64_t time_ms; /* Unix time */
    char client[33];  /* hex */
    uint64_t pages;   /* changed */
    char hash[33];    /* remote: of the commit object; local: "" */
};

typedef enum graft_rc graft_log_fn(void *arg, const struct graft_log_entry *entry);
/* Local commits still in the log and not yet pushed, newest first; then, when the remote is within
 * reach, its commits, newest first, at most `remote_max`. A failure of `each` ends it and is
 * returned. A remote out of reach is not an error here: its part is left out and `last_error` says
 * so. */
GRAFT_MUST_USE enum graft_rc graft_log(struct graft_volume *volume, uint32_t remote_max,
                                       graft_log_fn *each, void *arg, struct graft_err *err);

enum graft_page_state { GRAFT_PAGE_HELD, GRAFT_PAGE_REMOTE, GRAFT_PAGE_AHEAD };
/* State of one page in the newest snapshot, and the remote LSN of its version (0 = not known or
 * local). */
GRAFT_MUST_USE enum graft_rc graft_page_info(struct graft_volume *volume, uint32_t page,
                                             enum graft_page_state *state, uint64_t *remote_lsn,
                                             struct graft_err *err);

typedef enum graft_rc graft_stats_fn(void *arg, const char *name, uint64_t value);
/* Counters of this process on this volume. */
GRAFT_MUST_USE enum graft_rc graft_stats(struct graft_volume *volume, graft_stats_fn *each,
                                         void *arg);
/* Copies the last error's text ("" when none), cut at `size`. */
void graft_last_error(struct graft_volume *volume, char *out, size_t size);
/* Settings that are remembered in the directory ("conflict", "prefetch", ...); "" when not set. */
GRAFT_MUST_USE enum graft_rc graft_setting_get(struct graft_volume *volume, const char *name,
                                               char *out, size_t size, struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_setting_set(struct graft_volume *volume, const char *name,
                                               const char *value, struct graft_err *err);

#endif
