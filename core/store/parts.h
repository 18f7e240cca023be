/* What the files of store/ know of each other. Nobody outside includes it. */
#ifndef GRAFT_STORE_PARTS_H
#define GRAFT_STORE_PARTS_H

#include "base/buf.h"
#include "store/layout.h"
#include "store/store.h"

/* Views of page words double in size, so that 13 reach every page. */
#define GRAFT_CHUNKS 13U
#define GRAFT_CHUNK_WORDS (UINT32_C(1) << 20)
#define GRAFT_PIECE_BYTES 65536U /* the table is allocated by pieces of this size */
#define GRAFT_PIECES ((UINT64_C(1) << 32) * 8 / GRAFT_PIECE_BYTES)

enum graft_store_file { GRAFT_FILE_LOG_0, GRAFT_FILE_LOG_1, GRAFT_FILE_IMAGE, GRAFT_FILES };

typedef _Atomic uint64_t *graft_words_atomic;

/* Pages that local commits changed and the remote does not have, as of one moment. */
struct graft_ahead_cache {
    bool valid;
    uint64_t lsn, pushed_lsn, generation;
    uint64_t commits;
    struct graft_pageset pages;
};

/* Pages of the commits in (above, upto] that the log still has, though they are folded. Guarded by
 * the fold lock. */
struct graft_logged_cache {
    bool valid;
    uint64_t above, upto; /* LSNs */
    struct graft_pageset pages;
};

#define GRAFT_RECENCY_PIECES 128U

/* How recently pages were read: see recency.c. */
struct graft_recency {
    struct graft_map *map;
    _Atomic(graft_words_atomic) words; /* NULL: not open */
    _Atomic uint64_t allocated[GRAFT_RECENCY_PIECES / 64];
    bool refused; /* it could not be opened */
};

/* A bit a piece of the table. */
struct graft_pieces {
    _Atomic uint64_t bits[GRAFT_PIECES / 64];
};

struct graft_store {
    struct graft_env *env;
    char *directory;
    struct graft_config config;
    uint64_t volume_seed;
    struct graft_mutex
        *sync_mutex;      /* one sync of the log at a time: it alone learns of a failure */
    _Atomic bool unheard; /* opened after a process died in a sync of the log */
    struct graft_mutex *table_mutex;  /* one sync of the table at a time, likewise */
    struct graft_mutex *flight_mutex; /* guards flights */
    unsigned flights[2];              /* syncs of this process that are under way, a side */
    struct graft_mutex *mutex; /* guards chunk mapping, fold_busy, the ahead cache, first marking */
    struct graft_map *map;
    _Atomic uint64_t *header;
    _Atomic(graft_words_atomic) chunks[GRAFT_CHUNKS];
    struct graft_pieces *allocated;
    _Atomic uint64_t table_bytes; /* that the file has at least; 0 not known */
    struct graft_file *files[GRAFT_FILES];
    struct graft_locks *locks; /* open and fold lock, and probes of marks */
    bool fold_busy;            /* a task of this process holds the fold lock */
    _Atomic bool half_changed; /* a change of the volume failed, and nobody else may come in */
    uint32_t mark_hint;
    uint64_t half_bytes;       /* GRAFT_LOG_HALF_BYTES; less in tests */
    uint32_t txn_buffer_bytes; /* GRAFT_TXN_BUFFER_BYTES; less in tests */
    struct graft_ahead_cache ahead;
    struct graft_logged_cache logged;
    struct graft_recency recency;
    struct graft_store_counts counts;
};

/* ---- txn: dirty pages of a transaction ---- */

enum graft_dirty_kind {
    GRAFT_DIRTY_LOG = 0,    /* appended; `value` is its place */
    GRAFT_DIRTY_BUFFER = 1, /* `value` is its slot */
    GRAFT_DIRTY_REMOTE = 2,
    GRAFT_DIRTY_ZEROS = 3,
};

struct graft_dirty {
    uint32_t page;  /* 0 = empty */
    uint32_t where; /* kind in the two upper bits, value below */
};

#define GRAFT_BUFFER_CHUNK_SLOTS 64U

struct graft_txn {
    bool open;
    bool prepared;
    bool empty;    /* prepared without a commit */
    bool failed;   /* an append or a sync failed: only a rollback is possible */
    bool appended; /* the place to append at is known */
    bool sealed;   /* a commit record may stand in the log */
    bool durable;  /* synced */
    bool fold_held;
    bool remote_only; /* frames without payload were asked for: must be a PULL */
    bool touched;     /* something was written, or the page count set */
    uint64_t lsn;
    uint32_t base_count; /* pages of the snapshot below */
    uint32_t count;
    uint32_t least; /* least page count on the way */

    struct graft_dirty *map;
    uint32_t map_capacity, map_used;
    uint8_t **chunks;
    uint32_t *lengths; /* of each slot */
    uint32_t chunk_count, slot_count, slots_max;
    uint32_t *free_slots;
    uint32_t free_count;
    uint32_t buffered;

    unsigned half;
    uint64_t generation, start, offset, chain;
    uint64_t frames;
    uint32_t *pages; /* sorted; after prepare */
    uint32_t page_total;
    enum graft_commit_kind kind;
    bool has_sync;
    struct graft_sync_state sync;
    uint32_t commit_place;
};

#define GRAFT_STREAM_PAGES 16U

/* Pages of the image that were read ahead. */
struct graft_stream {
    uint8_t *bytes;
    uint32_t first, count, page_bytes;
    uint32_t last, streak; /* the page that was asked for last, and how many neighbours up to it */
    uint64_t words[GRAFT_STREAM_PAGES];
};

struct graft_store_session {
    struct graft_store *store;
    struct graft_locks *locks; /* its mark's lock, and probes of others' */
    uint32_t mark;
    bool pinned;
    bool published; /* since the writer role was taken: a fold may be due when it is let go */
    struct graft_store_snapshot snapshot;
    struct graft_txn txn;
    struct graft_stream stream;
};

/* ---- table.c ---- */

GRAFT_MUST_USE enum graft_rc graft_table_map(struct graft_store *store, struct graft_err *err);
/* The word of a page that is within the page count of a published snapshot. */
/* The words of the pages from `page` to `last` at most that lie one after another: `*count` of
 * them, one at least. For those who look at many: a call for each costs more than the look. */
GRAFT_MUST_USE enum graft_rc graft_table_run(struct graft_store *store, uint32_t page,
                                             uint32_t last, _Atomic uint64_t **words,
                                             uint32_t *count, struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_table_word(struct graft_store *store, uint32_t page,
                                              _Atomic uint64_t **out, struct graft_err *err);
/* Whether the page's word says anything, or would after a recovery. Any page. */
GRAFT_MUST_USE enum graft_rc graft_table_knows(struct graft_store *store, uint32_t page,
                                               bool *known, struct graft_err *err);
/* Allocates the piece that the page's word is in, so that a store there cannot fail. */
GRAFT_MUST_USE enum graft_rc graft_table_reserve(struct graft_store *store, uint32_t page,
                                                 struct graft_err *err);
/* Makes the file long enough for `page_count` words. Under the writer role. */
GRAFT_MUST_USE enum graft_rc graft_table_grow(struct graft_store *store, uint32_t page_count,
                                              struct graft_err *err);
/* Syncs the words of the pages first..last. Marks the table suspect when it fails. That it does
 * well says nothing of earlier stores in a table that is suspect: see graft_table_mend. */
GRAFT_MUST_USE enum graft_rc graft_table_sync(struct graft_store *store, uint32_t first,
                                              uint32_t last, struct graft_err *err);
/* Syncs the header and the words up to `last` together: what says that the image has a commit and
 * what says that the commit is durable. Should a disk that lied have lost the log, that is found.
 */
GRAFT_MUST_USE enum graft_rc graft_table_sync_folded(struct graft_store *store, uint32_t last,
                                                     struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_table_sync_header(struct graft_store *store,
                                                     struct graft_err *err);
/* The page, or at the beginning of a piece of the table, of which a sparse volume has few, the
 * first one from it on whose word is in no hole. */
uint64_t graft_table_skip_hole(struct graft_store *store, uint64_t page);
/* Writes again, and syncs, what a failed sync may have lost. */
GRAFT_MUST_USE enum graft_rc graft_table_mend(struct graft_store *store, struct graft_err *err);
/* The words that were made zero are so on the disk. `logged`: the log may still have versions of
 * their pages. Under the fold lock. */
void graft_table_gave_up(struct graft_store *store, bool logged);
/* Before the first change after a clean open: takes the clean mark off the disk. */
GRAFT_MUST_USE enum graft_rc graft_table_mark_dirty(struct graft_store *store,
                                                    struct graft_err *err);
uint64_t graft_table_file_bytes(uint32_t page_count);
GRAFT_MUST_USE enum graft_rc graft_table_allocate_header(struct graft_store *store,
                                                         struct graft_err *err);
void graft_table_set_identity(struct graft_store *store);
/* EFOREIGN, EVERSION, ECORRUPT. */
GRAFT_MUST_USE enum graft_rc graft_table_check_identity(struct graft_store *store,
                                                        struct graft_err *err);

uint64_t graft_header_load(struct graft_store *store, unsigned index);
void graft_header_store(struct graft_store *store, unsigned index, uint64_t value);
unsigned graft_half_index(unsigned half, enum graft_half_word word);
uint64_t graft_half_load(struct graft_store *store, unsigned half, enum graft_half_word word);
void graft_half_store(struct graft_store *store, unsigned half, enum graft_half_word word,
                      uint64_t value);
/* False when the slot is another commit's (by now). */
bool graft_ring_load(struct graft_store *store, uint64_t lsn, struct graft_store_snapshot *out);
void graft_ring_store(struct graft_store *store, const struct graft_store_snapshot *snapshot);
void graft_sync_words_load(struct graft_store *store, struct graft_sync_state *out);
/* Under the writer role. */
void graft_sync_words_store(struct graft_store *store, const struct graft_sync_state *state);
uint64_t graft_synced_load(struct graft_store *store);
/* The newest generation of a half of which nothing is needed any more; and raising it. */
uint64_t graft_dead_load(struct graft_store *store);
void graft_dead_raise(struct graft_store *store, uint64_t generation);
/* Raises it. */
void graft_synced_store(struct graft_store *store, uint64_t lsn);
/* Raises the word to at least `value`. */
void graft_header_raise(struct graft_store *store, unsigned index, uint64_t value);

/* ---- marks (session.c) ---- */

void graft_session_set_mark(struct graft_store_session *session, uint64_t lsn, uint64_t remote_lsn);
/* Callers of the following hold the fold lock. */

/* The least LSN of all live marks, at most `lsn`. */
uint64_t graft_marks_least(struct graft_store *store, uint64_t lsn);
/* The least remote LSN of all live marks, at most `remote_lsn`. */
uint64_t graft_marks_least_remote(struct graft_store *store, uint64_t remote_lsn);
/* Whether every live mark has at least this LSN and this remote LSN. */
bool graft_marks_reach(struct graft_store *store, uint64_t lsn, uint64_t remote_lsn);

/* ---- writer.c: the writer role ---- */

/* Whether the session of mark `owner` - 1 is gone. */
bool graft_owner_is_dead(struct graft_store_session *session, uint64_t owner);
/* Takes the role, waiting for it at most `timeout_ms`. */
bool graft_writer_take(struct graft_store_session *session, uint32_t timeout_ms);
/* Whether others waited for the role while it was held. */
bool graft_writer_is_wanted(struct graft_store *store);
void graft_writer_release(struct graft_store_session *session);
/* Frees what the mark's former owner left held, for its new one. */
void graft_writer_disown(struct graft_store *store, uint32_t mark);

/* ---- group.c ---- */

/* Whether a commit is published whose shared sync failed, and which is not durable yet. */
bool graft_store_in_doubt(struct graft_store *store);
/* Tries to make it durable; EIO when it cannot be now. */
GRAFT_MUST_USE enum graft_rc graft_store_end_doubt(struct graft_store_session *session,
                                                   bool has_role, struct graft_err *err);

/* ---- log.c ---- */

const char *graft_file_name(enum graft_store_file file);
/* Reads header and base of a half, and checks them. ECORRUPT (also for a half that was never
 * written), EVERSION, EFOREIGN. */
GRAFT_MUST_USE enum graft_rc graft_half_read(struct graft_store *store, unsigned half,
                                             struct graft_half_header *header,
                                             struct graft_log_base *base, struct graft_err *err);
/* Writes header and base, syncs them, makes the half the one that is appended to. Under the commit
 * lock; the half must be dead. When it fails, GRAFT_W_SWITCHING says so until it succeeds. */
GRAFT_MUST_USE enum graft_rc graft_half_begin(struct graft_store *store, unsigned half,
                                              uint64_t generation, uint64_t live,
                                              const struct graft_log_base *base,
                                              struct graft_err *err);
/* Writes header (whose base fields and sum it sets) and base, without a sync. */
GRAFT_MUST_USE enum graft_rc graft_half_write(struct graft_store *store, unsigned half,
                                              struct graft_half_header *header,
                                              const struct graft_buf *message,
                                              struct graft_err *err);
/* Tells whoever reads in the half that what was there is gone: `generation` will be. */
void graft_half_leave(struct graft_store *store, unsigned half, uint64_t generation);
/* Makes durable that this is the newest generation. */
GRAFT_MUST_USE enum graft_rc graft_half_announce(struct graft_store *store, uint64_t generation,
                                                 struct graft_err *err);
/* ---- flight: syncs under way ---- */

enum graft_synced_file { GRAFT_SYNCED_LOG, GRAFT_SYNCED_TABLE };

struct graft_flight {
    enum graft_synced_file synced;
    unsigned side;
};

/* Around a sync, up to where its failure stands in the shared table. */
GRAFT_MUST_USE enum graft_rc graft_flight_begin(struct graft_store *store,
                                                enum graft_synced_file synced,
                                                struct graft_flight *out, struct graft_err *err);
void graft_flight_end(struct graft_store *store, const struct graft_flight *flight);
/* Behind the door, with the files open: waits until every sync that had begun has said how it
 * ended; one whose process died in it failed. */
GRAFT_MUST_USE enum graft_rc graft_flight_await(struct graft_store *store, struct graft_err *err);
/* Whether what the log lost may be the doing of a sync that nobody has told of yet. */
bool graft_flight_doubts_log(struct graft_store *store);

/* Syncs the half that is appended to; on success all that was published before is durable, on
 * failure the half is poisoned. */
GRAFT_MUST_USE enum graft_rc graft_log_sync(struct graft_store *store, struct graft_err *err);
/* Whether a sync by this process says nothing of what was appended before it came, as another one
 * died in a sync. Until some other sync covers that, or it is written again. */
bool graft_log_is_unheard(struct graft_store *store);
/* Writes the half up to `end` back to where it is, and syncs it: an earlier sync may have failed
 * unnoticed, and then the system takes the bytes for written. */
GRAFT_MUST_USE enum graft_rc graft_log_write_again(struct graft_store *store, unsigned half,
                                                   uint64_t end, struct graft_err *err);
/* Makes sure that no record stands at `offset`, the log's end, or behind it, durably. Until that
 * succeeds no commit is accepted. */
GRAFT_MUST_USE enum graft_rc graft_log_void(struct graft_store *store, unsigned half,
                                            uint64_t offset, struct graft_err *err);
/* The same where it is due (GRAFT_W_VOID). */
GRAFT_MUST_USE enum graft_rc graft_log_void_due(struct graft_store *store, struct graft_err *err);
/* What must be true before an append, under the writer role: no half-begun half, no failed sync,
 * and a half with room. */
GRAFT_MUST_USE enum graft_rc graft_log_ready(struct graft_store *store, bool fold_held,
                                             struct graft_err *err);
/* What a half that begins now starts from. */
GRAFT_MUST_USE enum graft_rc graft_log_present_base(struct graft_store *store,
                                                    struct graft_log_base *out,
                                                    struct graft_err *err);
/* What it means that a record of the half does not verify, though nothing of it moved: ECORRUPT, or
 * EIO where a sync of the half failed, as bytes may be gone then that never were on the disk. */
enum graft_rc graft_log_damage(struct graft_store *store, unsigned half);
/* Appends spans at `offset`, with zeros written ahead. */
GRAFT_MUST_USE enum graft_rc graft_log_append(struct graft_store *store, unsigned half,
                                              uint64_t offset, struct graft_span *spans,
                                              size_t count, uint64_t bytes, struct graft_err *err);
/* Reads the record at a place, payload into `bytes` (room for `bytes_max`; more is not read).
 * `*valid` is false when what is there is no record of this generation. */
GRAFT_MUST_USE enum graft_rc graft_log_read(struct graft_store *store, uint32_t place,
                                            uint64_t generation, struct graft_record *record,
                                            void *bytes, size_t bytes_max, bool *valid,
                                            struct graft_err *err);

/* ---- payload.c: what a commit record carries ---- */

struct graft_commit_payload {
    uint32_t page_count;
    uint32_t least;
    enum graft_commit_kind kind;
    uint64_t time_ms;
    uint64_t synced_lsn; /* known to be durable when this was written */
    bool has_sync;
    struct graft_sync_state sync;
    struct graft_pageset pages;
    char *super_journal; /* owned, or NULL */
};

void graft_commit_payload_init(struct graft_commit_payload *payload, struct graft_alloc *alloc);
void graft_commit_payload_deinit(struct graft_commit_payload *payload);
GRAFT_MUST_USE enum graft_rc graft_commit_payload_encode(const struct graft_commit_payload *payload,
                                                         struct graft_buf *out);
GRAFT_MUST_USE enum graft_rc graft_commit_payload_decode(struct graft_commit_payload *payload,
                                                         const uint8_t *bytes, size_t size,
                                                         struct graft_err *err);
/* Reads a commit record and its payload. */
GRAFT_MUST_USE enum graft_rc graft_log_read_commit(struct graft_store *store, uint32_t place,
                                                   uint64_t generation, struct graft_record *record,
                                                   struct graft_commit_payload *payload,
                                                   bool *valid, struct graft_err *err);
/* Goes from the newest published commit back through the log, and calls `each` until it says stop.
 * EBUSY when a half was begun again on the way: start over. */
struct graft_walk_end {
    unsigned half;       /* whose base says what was before */
    uint64_t generation; /* that it had */
    bool stopped;        /* by `each` */
};
typedef enum graft_rc graft_commit_walk_fn(void *arg, const struct graft_record *record,
                                           const struct graft_commit_payload *payload, bool *stop,
                                           struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_log_walk(struct graft_store *store, graft_commit_walk_fn *each,
                                            void *arg, struct graft_walk_end *end,
                                            struct graft_err *err);

/* ---- scan.c: reading a half from its beginning ---- */

typedef enum graft_rc graft_scan_read_fn(void *arg, uint64_t offset, void *bytes, size_t size,
                                         size_t *got, struct graft_err *err);

struct graft_scan {
    struct graft_alloc *alloc;
    graft_scan_read_fn *read;
    void *arg;
    uint64_t volume_seed, generation;
    uint32_t page_bytes;
    bool variable;
    uint64_t offset, chain, lsn; /* of the next record; the newest complete commit's LSN */
    uint64_t frames;             /* of the commit under way */
    uint64_t limit;              /* nothing is read past it */
    uint8_t *window;
    size_t window_capacity;
    uint64_t window_offset;
    size_t window_size;
};

void graft_scan_init(struct graft_scan *scan, struct graft_alloc *alloc, graft_scan_read_fn *read,
                     void *arg);
void graft_scan_deinit(struct graft_scan *scan);
/* The next record; `*found` is false when what stands there is none that belongs here. `*payload`
 * is borrowed until the next call. */
GRAFT_MUST_USE enum graft_rc graft_scan_next(struct graft_scan *scan, struct graft_record *record,
                                             const uint8_t **payload, bool *found,
                                             struct graft_err *err);
/* Looks at every place from the scan's on for a commit of this generation, and returns the highest
 * durable LSN that one of them tells of. */
GRAFT_MUST_USE enum graft_rc graft_scan_witness(struct graft_scan *scan, uint64_t *synced_lsn,
                                                struct graft_err *err);
/* A scan of a half of the store, from its first record. */
void graft_scan_half(struct graft_scan *scan, struct graft_store *store, unsigned half,
                     const struct graft_half_header *header, uint64_t base_lsn);

/* ---- read.c ---- */

enum graft_found_kind {
    GRAFT_FOUND_NOTHING, /* neither in the log nor in the image */
    GRAFT_FOUND_IMAGE,
    GRAFT_FOUND_LOG,
};

struct graft_found {
    enum graft_found_kind kind;
    enum graft_record_kind record; /* of GRAFT_FOUND_LOG */
    uint32_t place;
    uint64_t lsn;
    uint32_t sum;
    uint64_t word; /* as it was */
    size_t size;
};

/* The newest version of the page at or below `lsn`, verified, into `bytes` (page_bytes; NULL: only
 * where it stands, an image's bytes are not verified then). */
GRAFT_MUST_USE enum graft_rc graft_store_lookup(struct graft_store *store, uint32_t page,
                                                uint64_t lsn, void *bytes,
                                                struct graft_found *found, struct graft_err *err);
uint32_t graft_store_slot_bytes(struct graft_store *store);

/* ---- stream.c ---- */

/* Reads the page when it is, or can be, read ahead; else false, and nothing is said of it. */
bool graft_stream_read(struct graft_store_session *session, uint32_t page, uint8_t *out);
void graft_stream_deinit(struct graft_stream *stream, struct graft_alloc *alloc);

/* ---- txn.c ---- */

void graft_txn_init(struct graft_txn *txn, uint64_t lsn, uint32_t page_count);
/* Frees all and closes it. */
void graft_txn_deinit(struct graft_txn *txn, struct graft_store *store);
struct graft_dirty *graft_txn_find(const struct graft_txn *txn, uint32_t page);
GRAFT_MUST_USE enum graft_rc graft_txn_put(struct graft_store_session *session, uint32_t page,
                                           enum graft_dirty_kind kind, uint32_t value,
                                           struct graft_err *err);
const uint8_t *graft_txn_slot(const struct graft_txn *txn, uint32_t page_bytes, uint32_t slot);
GRAFT_MUST_USE enum graft_rc graft_txn_read(struct graft_store_session *session, uint32_t page,
                                            void *bytes, size_t *got, bool *found,
                                            struct graft_err *err);

static inline enum graft_dirty_kind graft_dirty_kind_of(const struct graft_dirty *dirty)
{
    return (enum graft_dirty_kind)(dirty->where >> 30);
}

static inline uint32_t graft_dirty_value(const struct graft_dirty *dirty)
{
    return dirty->where & GRAFT_PLACE_MAX;
}

/* ---- append.c: from the buffer to the log ---- */

/* Appends the frames of `pages` (ascending), and the commit record after them when `commit` is
 * given, in as few writes as can be. */
GRAFT_MUST_USE enum graft_rc graft_txn_append(struct graft_store_session *session,
                                              const uint32_t *pages, size_t count,
                                              const struct graft_buf *commit,
                                              struct graft_err *err);
/* Appends a note. */
GRAFT_MUST_USE enum graft_rc graft_txn_append_note(struct graft_store_session *session,
                                                   const struct graft_buf *payload,
                                                   struct graft_err *err);
/* Moves every buffered page to the log. */
GRAFT_MUST_USE enum graft_rc graft_txn_spill(struct graft_store_session *session,
                                             struct graft_err *err);
/* Finds out where to append. */
GRAFT_MUST_USE enum graft_rc graft_txn_append_begin(struct graft_store_session *session,
                                                    struct graft_err *err);

/* ---- publish.c ---- */

struct graft_publication {
    uint64_t lsn;
    uint32_t page_count;
    unsigned half;
    uint64_t start, end, chain;
    uint32_t commit_place;
    const struct graft_sync_state *sync; /* NULL: as before */
};

/* Sets a page's word to its newest place; what it says of the image stays. */
void graft_publish_word(struct graft_store *store, _Atomic uint64_t *slot, uint32_t place);
/* The steps after the words: ring, sync state, end of the log, head. */
void graft_publish_head(struct graft_store *store, const struct graft_publication *publication);
/* A new sync state without a commit. */
void graft_publish_note(struct graft_store *store, const struct graft_sync_state *state);
/* Finishes what a writer that died left half published. Under the writer role. */
GRAFT_MUST_USE enum graft_rc graft_publish_finish(struct graft_store *store, struct graft_err *err);

/* ---- fold.c ---- */

/* Takes the fold lock without waiting. */
GRAFT_MUST_USE enum graft_rc graft_fold_try(struct graft_store *store, bool *taken,
                                            struct graft_err *err);
/* Waits for it, at most `timeout_ms`: EBUSY. */
GRAFT_MUST_USE enum graft_rc graft_fold_wait(struct graft_store *store, uint32_t timeout_ms,
                                             struct graft_err *err);
void graft_fold_release(struct graft_store *store);
/* Folds all that marks allow; `*folded` is the LSN reached. Under the fold lock. */
GRAFT_MUST_USE enum graft_rc graft_fold_run(struct graft_store *store, uint64_t *folded,
                                            struct graft_err *err);
/* Folds the newest version at or below `lsn` of these pages (ascending, distinct), and syncs image
 * and table. Under the fold lock. */
GRAFT_MUST_USE enum graft_rc graft_fold_pages(struct graft_store *store, const uint32_t *pages,
                                              size_t count, uint64_t lsn, struct graft_err *err);
/* Folds when a half waits for it and no reader is in the way; failures are logged. */
void graft_fold_maybe(struct graft_store *store);
/* Writes one page into its slot. */
GRAFT_MUST_USE enum graft_rc graft_image_write(struct graft_store *store, uint32_t page,
                                               const void *bytes, size_t size,
                                               struct graft_err *err);

/* ---- heal.c ---- */

/* Brings what a failed sync left in doubt to safety. Under the writer role. */
GRAFT_MUST_USE enum graft_rc graft_log_heal(struct graft_store *store, bool fold_held,
                                            struct graft_err *err);

/* ---- recovery.c ---- */

/* The first opener's work, under the exclusive open lock. */
GRAFT_MUST_USE enum graft_rc graft_store_recover(struct graft_store *store, struct graft_err *err);
/* Begins the half that is not appended to, with nothing before it: all must be folded. */
GRAFT_MUST_USE enum graft_rc graft_store_begin_anew(struct graft_store *store,
                                                    struct graft_err *err);
/* The last closer's, under the same. */
GRAFT_MUST_USE enum graft_rc graft_store_tidy(struct graft_store *store, struct graft_err *err);

/* ---- store.c, create.c ---- */

GRAFT_MUST_USE enum graft_rc graft_store_path(struct graft_store *store, const char *name,
                                              char out[GRAFT_PATH_BYTES_MAX],
                                              struct graft_err *err);
/* A store that has nothing open yet. */
GRAFT_MUST_USE enum graft_rc graft_store_new(struct graft_env *env, const char *directory,
                                             struct graft_store **out, struct graft_err *err);
/* Closes what is open, without ceremony. Accepts NULL. */
void graft_store_free(struct graft_store *store);
/* Opens table, halves and image, which must be there unless `create`. */
GRAFT_MUST_USE enum graft_rc graft_store_open_files(struct graft_store *store, bool create,
                                                    struct graft_err *err);
/* Takes a lock of the store's, waiting for it at most `timeout_ms`; EBUSY. */
GRAFT_MUST_USE enum graft_rc graft_store_wait_lock(struct graft_store *store,
                                                   enum graft_lock_index index, uint32_t timeout_ms,
                                                   struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_store_copy_config(struct graft_store *store,
                                                     const struct graft_config *config,
                                                     struct graft_err *err);
/* Reads the config file; `out` is initialised. Behind the door. */
GRAFT_MUST_USE enum graft_rc
graft_store_read_config(struct graft_store *store, struct graft_config *out, struct graft_err *err);
/* Tells all processes the config's cache limit. */
void graft_store_announce_limit(struct graft_store *store);
/* Replaces the config file. */
GRAFT_MUST_USE enum graft_rc graft_store_write_config(struct graft_store *store,
                                                      const struct graft_config *config,
                                                      struct graft_err *err);
/* Makes table and log those of an empty volume with the config's id. Exclusive. */
GRAFT_MUST_USE enum graft_rc graft_store_format(struct graft_store *store, struct graft_err *err);
/* After a change of the volume that failed halfway: makes the directory an empty volume again. */
GRAFT_MUST_USE enum graft_rc graft_store_mend_volume(struct graft_store *store,
                                                     struct graft_err *err);
/* A volume id that changed, and a crash before all files knew: completes that, when nothing was
 * ever committed; else returns what was `found` wrong. */
GRAFT_MUST_USE enum graft_rc graft_store_adopt(struct graft_store *store, enum graft_rc found,
                                               struct graft_err *err);

/* ---- sync.c ---- */

/* The pages that local commits in (pushed_lsn, lsn] changed, and all that the newest half's base
 * has where that was begun in between, though a push may have taken some since: once the half
 * before is gone nobody can tell which, and what is given up until then would be missed. */
GRAFT_MUST_USE enum graft_rc graft_ahead_collect(struct graft_store *store, uint64_t lsn,
                                                 uint64_t pushed_lsn, struct graft_pageset *out,
                                                 uint64_t *commits, struct graft_err *err);
/* Whether local commits changed the page since the last push. */
GRAFT_MUST_USE enum graft_rc graft_ahead_has(struct graft_store *store, uint32_t page, bool *has,
                                             struct graft_err *err);
/* Whether those in (pushed_lsn, lsn] did. */
GRAFT_MUST_USE enum graft_rc graft_ahead_had(struct graft_store *store, uint64_t lsn,
                                             uint64_t pushed_lsn, uint32_t page, bool *had,
                                             struct graft_err *err);

/* ---- recency.c ---- */

/* Opens the file when there is a limit; a failure is only logged. Harmless when it is open. */
void graft_recency_open(struct graft_store *store);
void graft_recency_close(struct graft_store *store);
/* The last one out removes the file when there is no limit any more. */
void graft_recency_tidy(struct graft_store *store);
/* A page was put into the image. */
void graft_recency_arrived(struct graft_store *store, uint32_t page);
/* The field that the page's credit stands in: neighbours that share a block of the disk share it.
 */
uint32_t graft_recency_field(struct graft_store *store, uint32_t page);
/* Takes one credit from the field; false when it has none. */
bool graft_recency_spend(struct graft_store *store, uint32_t field);

#endif
