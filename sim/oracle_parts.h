/* What the files of the oracle know of each other. Nobody outside includes it, its tests apart.
 *
 * Everything is allocated from one arena that goes with the oracle. Nothing is ordered by address,
 * and nothing here waits. */
#ifndef GRAFT_SIM_ORACLE_PARTS_H
#define GRAFT_SIM_ORACLE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/volume.h"
#include "sim/oracle.h"
#include "sim/parts.h"

/* ---- Truths (oracle_truth.c). */

#define ORACLE_FANOUT 16U
#define ORACLE_CANDIDATES_MAX 31U

struct oracle_node;

/* The pages of one state, shared with those that it came from: a tree over the page numbers. */
struct oracle_pages {
    struct oracle_node *root;
    uint32_t height; /* 0: no page; h: pages up to 16^h */
    uint32_t count;
};

/* Which of a truth's candidates may still be it; shared by the truths that were built on it. */
struct oracle_fork {
    uint32_t alive; /* a bit each */
};

/* The content of a snapshot: one of these. */
struct oracle_truth {
    struct oracle_fork *fork;
    uint32_t candidates;
    struct oracle_pages pages[];
};

/* What a transaction changed, before it is a truth. */
struct oracle_changes {
    struct oracle_change {
        uint32_t page; /* 0: free */
        uint64_t hash;
    } * slots;
    uint32_t capacity, used;
    uint32_t base_count;
    uint32_t least; /* the least page count on the way */
    uint32_t count;
};

/* The content's hash, its length included; never 0, which stands for a page never written. */
uint64_t oracle_content(const void *bytes, size_t size);

uint64_t oracle_pages_find(const struct oracle_pages *pages, uint32_t page);
struct oracle_truth *oracle_truth_empty(struct sim_oracle *oracle);
/* `base` with the changes, in every candidate. */
struct oracle_truth *oracle_truth_change(struct sim_oracle *oracle, const struct oracle_truth *base,
                                         const struct oracle_changes *changes);
/* One of them is true. */
struct oracle_truth *oracle_truth_either(struct sim_oracle *oracle, struct oracle_truth **truths,
                                         uint32_t count);
/* Leaves the candidates with this page count, or with this content of the page; false when there is
 * none, and then changes nothing. */
bool oracle_truth_has_count(struct oracle_truth *truth, uint32_t count);
bool oracle_truth_has_page(struct oracle_truth *truth, uint32_t page, const void *bytes,
                           size_t size);
/* Whether a candidate has this content there, or nothing that was written. */
bool oracle_truth_may_have(const struct oracle_truth *truth, uint32_t page, uint64_t hash);
bool oracle_truth_is_certain(const struct oracle_truth *truth);
/* Whether both may have the same content there. */
bool oracle_truths_may_agree(const struct oracle_truth *a, const struct oracle_truth *b,
                             uint32_t page);

void oracle_changes_begin(struct oracle_changes *changes, uint32_t page_count);
void oracle_changes_write(struct oracle_changes *changes, uint32_t page, uint64_t hash);
void oracle_changes_resize(struct oracle_changes *changes, uint32_t page_count);
/* Whether the transaction decides what the page is; `*hash` 0 when it made it zeros. */
bool oracle_changes_find(const struct oracle_changes *changes, uint32_t page, uint64_t *hash);
void oracle_changes_deinit(struct oracle_changes *changes);
bool oracle_bytes_are(uint64_t hash, const void *bytes, size_t size);

/* ---- Replicas and what they committed (oracle_commit.c). */

/* A commit on its way: registered before its first byte is written, gone once it is published or
 * durably voided. That of a process that died may still come to count. */
struct oracle_commit {
    struct oracle_commit *next;
    struct oracle_truth *truth;
    struct sim_process *process;
    const struct oracle_object *object; /* a pull's */
    uint64_t lsn;
    uint64_t pushed_lsn; /* a pull's */
    bool resets;
    bool durable; /* prepared with a sync that succeeded */
    bool publishing;
    bool published; /* somebody saw it before its publisher returned */
    bool abandoned; /* neither published nor voided, for all we know */
    uint32_t *pages;
    uint32_t page_count;
    uint32_t least, base_count;
};

struct oracle_state {
    struct oracle_truth *truth;
    uint64_t serial; /* when it was published */
    bool is_local;
};

#define ORACLE_GIVERS 4U /* processes of one replica */

/* What a replica has of a page, for oracle_fetch.c. All are serials but the first. */
struct oracle_held {
    uint64_t version_lsn;      /* installed */
    uint64_t began, installed; /* the install, and that it was done */
    uint64_t changed;          /* by a local commit, or given up as rotten */
    uint64_t forgotten;
    uint64_t delivered_lsn; /* version delivered last */
    /* Who is about to give it up to a cache limit, or died on the way; NULL: nobody. */
    const struct sim_process *givers[ORACLE_GIVERS];
};

struct oracle_replica {
    struct oracle_replica *next;
    struct sim_machine *machine;
    char *directory;
    struct graft_client_id client;
    uint64_t boot_ns;
    bool crashed; /* since the last snapshot that was pinned */
    bool removed;
    uint64_t recovery_serial; /* the last time that its log was recovered */
    uint64_t reset_serial;
    struct oracle_state *states; /* by LSN, up to head */
    uint64_t states_capacity;
    uint64_t head;
    uint64_t durable;
    uint64_t newest_local; /* LSN of the newest local commit */
    uint64_t remote_lsn;   /* known for good */
    uint64_t remote_max;   /* that was ever about to be recorded */
    uint64_t pushed_max;
    struct oracle_commit *commits;
    struct oracle_held *held; /* by page */
    uint32_t held_capacity;
};

/* A session of the store, the public ones among them. */
struct oracle_session {
    struct graft_store *store;
    struct sim_process *process;
    struct oracle_replica *replica;
    bool is_public; /* else it syncs */
    bool pinned;
    bool resetting;
    struct graft_store_snapshot snapshot;
    struct oracle_truth *truth;
    struct oracle_changes changes;
    struct oracle_commit *commit;
    uint64_t read_serial; /* when its last read began */
};

/* The state of a replica as a begin starts, which it must not fall behind. */
struct oracle_floor {
    uint64_t lsn;
    uint64_t remote_lsn;
};

struct oracle_replica *oracle_replica_of(struct sim_oracle *oracle, struct graft_volume *volume);
/* The log is recovered, by an opener who may die of it. */
void oracle_recovers(struct sim_oracle *oracle, struct graft_store *store);
/* Whose directory a store is that is not open yet (oracle_store.c). */
const struct graft_client_id *oracle_client_of(const struct graft_store *store);
/* NULL for a store that no volume opened. */
struct oracle_replica *oracle_replica_of_store(struct sim_oracle *oracle,
                                               struct graft_store *store);
/* LSN of the newest local commit that is sure to be there, 0 for none. */
uint64_t oracle_newest_local(struct oracle_replica *replica);
void oracle_begin_starts(struct sim_oracle *oracle, struct oracle_replica *replica,
                         struct oracle_floor *out);
void oracle_begun(struct sim_oracle *oracle, struct oracle_session *session,
                  const struct oracle_floor *floor, const struct graft_store_snapshot *snapshot);
void oracle_prepare_starts(struct sim_oracle *oracle, struct oracle_session *session,
                           const struct graft_store_commit *commit);
void oracle_prepared(struct oracle_session *session, bool durable);
void oracle_publish_starts(struct sim_oracle *oracle, struct oracle_session *session);
void oracle_published(struct sim_oracle *oracle, struct oracle_session *session,
                      const struct graft_store_snapshot *after);
void oracle_rolled_back(struct sim_oracle *oracle, struct oracle_session *session, bool voided);
/* Whether a page may be damaged to this session though nothing but a crash happened: installs are
 * not synced, and what the crash took of them is fetched again only for readers of the newest state
 * (the store does not know whether an older snapshot's version is the remote's), and not when
 * giving the page up fails. */
bool oracle_crash_took_install(const struct sim_oracle *oracle,
                               const struct oracle_session *session);
void oracle_check_read(struct sim_oracle *oracle, struct oracle_session *session, uint32_t page,
                       const void *bytes, size_t size);

/* ---- The remote (oracle_remote.c). */

/* A commit object that some replica set out to push. */
struct oracle_object {
    struct oracle_object *next; /* in its bucket */
    struct graft_hash hash;
    struct graft_hash base; /* the object it builds on; zeros: none */
    struct oracle_truth *truth;
    struct oracle_replica *replica;
    uint64_t lsn;
    uint64_t local_lsn;
    uint64_t local_serial; /* of that local commit */
};

struct oracle_claim {
    const struct oracle_object *object; /* NULL: nobody knows yet */
    uint64_t serial;
};

struct oracle_volume {
    struct oracle_volume *next;
    struct graft_volume_id id;
    struct oracle_claim *claims; /* by remote LSN */
    uint64_t capacity;
};

#define ORACLE_BUCKETS 256U

const struct oracle_object *oracle_object_find(struct sim_oracle *oracle,
                                               const struct graft_hash *hash);
struct oracle_volume *oracle_volume_of(struct sim_oracle *oracle, const struct graft_volume_id *id);
/* The object at that LSN, NULL when nobody knows. */
const struct oracle_object *oracle_volume_at(const struct oracle_volume *volume, uint64_t lsn);
/* A push of the replica's local state is about to be sent. */
void oracle_push_starts(struct sim_oracle *oracle, struct oracle_replica *replica,
                        const struct graft_hash *base, const struct graft_hash *hash,
                        uint64_t local_lsn, uint64_t remote_lsn);
/* The replica believes that the remote has this commit. */
const struct oracle_object *oracle_claim(struct sim_oracle *oracle, struct oracle_replica *replica,
                                         const struct graft_volume_id *id,
                                         const struct graft_hash *hash, uint64_t remote_lsn);
void oracle_note_starts(struct sim_oracle *oracle, struct oracle_replica *replica,
                        const struct graft_volume_id *id, const struct graft_sync_state *state);
/* What writers that died while they published changed may count without anybody having seen it: a
 * reset completes it, and drops it. */
void oracle_dead_commits_change(struct sim_oracle *oracle, struct oracle_replica *replica);
/* It is about to take the remote's state for its own: not one that it pushed and does not know of.
 */
void oracle_reset_starts(struct sim_oracle *oracle, struct oracle_replica *replica,
                         const struct graft_sync_state *state);
void oracle_noted(struct oracle_replica *replica, const struct graft_sync_state *state,
                  uint64_t durable_lsn);
void oracle_pulled(struct sim_oracle *oracle, struct oracle_replica *replica,
                   const struct graft_volume_id *id, uint64_t start_serial, uint64_t remote_lsn);
void oracle_pushed(struct sim_oracle *oracle, struct oracle_replica *replica,
                   uint64_t newest_local);

/* ---- Fetches (oracle_fetch.c). */

struct oracle_hydration {
    struct oracle_hydration *next;
    const struct graft_volume *volume;
    uint32_t fiber;  /* that hydrates, with others that it starts; 0: no more */
    uint64_t serial; /* when it began */
};

/* The frames that one open store was given last, no more than the fetcher's cache surely holds. */
#define ORACLE_FRAMES 128U

struct oracle_frames {
    struct oracle_frames *next;
    const struct graft_store *store; /* NULL: free */
    uint64_t count;
    struct {
        struct graft_object_ref object;
        uint64_t offset;
    } ring[ORACLE_FRAMES];
};

void oracle_page_changed(struct oracle_replica *replica, uint32_t page, uint64_t serial);
void oracle_page_held(struct oracle_replica *replica, uint32_t page, uint64_t version_lsn,
                      uint64_t serial);
/* Around graft_store_forget: who dies in it may have given the page up. */
void oracle_forget_starts(struct sim_oracle *oracle, struct graft_store *store, uint32_t page);
void oracle_forgot(struct sim_oracle *oracle, struct graft_store *store, uint32_t page);
/* What a store holds of the pages that are about to be given up to a cache limit. */
struct oracle_eviction {
    uint64_t remote_lsn;
    uint8_t held[GRAFT_SWEEP_PAGES_MAX / 8]; /* a bit for each page of the sweep */
};

void oracle_evict_starts(struct sim_oracle *oracle, struct graft_store *store,
                         const struct graft_store_sweep *sweep, struct oracle_eviction *out);
/* Whoever has a snapshot pinned and finds one missing will be given what it had. */
void oracle_evicted(struct sim_oracle *oracle, struct graft_store *store,
                    const struct graft_store_sweep *sweep, const struct oracle_eviction *before);
void oracle_fetch_starts(struct sim_oracle *oracle, struct graft_session *session,
                         const struct graft_view *view, uint32_t page);
void oracle_hydrate_starts(struct sim_oracle *oracle, const struct graft_volume *volume);
void oracle_hydrate_ends(struct sim_oracle *oracle, const struct graft_volume *volume);
void oracle_frame_came(struct sim_oracle *oracle, struct graft_volume *volume,
                       const struct graft_view *view, const struct graft_object_ref *object,
                       uint64_t offset, const struct graft_frame *frame);
void oracle_delivered(struct sim_oracle *oracle, struct graft_store *store, uint32_t page,
                      uint64_t resolved_lsn, const void *bytes, size_t size);
void oracle_installed(struct sim_oracle *oracle, struct graft_store *store, uint32_t page,
                      uint64_t version_lsn, uint64_t began, bool installed);
/* The store is a new one. */
void oracle_frames_drop(struct sim_oracle *oracle, const struct graft_store *store);

/* ---- The oracle (oracle.c). */

/* From an address to what is known of it; addresses are used again, and then it is told anew. */
struct oracle_table {
    const void **keys;
    void **values;
    uint32_t capacity, used;
};

struct sim_oracle {
    struct sim_world *world;
    struct oracle_chunk *chunks;
    uint64_t serial; /* of what it sees */
    unsigned mercy;
    struct oracle_table stores;   /* struct graft_store to struct oracle_replica */
    struct oracle_table sessions; /* struct graft_store_session to struct oracle_session */
    struct oracle_replica *replicas;
    struct oracle_object *objects[ORACLE_BUCKETS];
    struct oracle_volume *volumes;
    struct oracle_frames *frames;
    struct oracle_hydration *hydrations;
    struct sim_oracle_counts counts;
};

/* The one that watches, NULL when none does. */
struct sim_oracle *oracle_current(void);
/* Zeroed, as long as the oracle. */
void *oracle_alloc(struct sim_oracle *oracle, size_t bytes);
void *oracle_table_get(const struct oracle_table *table, const void *key);
void oracle_table_set(struct oracle_table *table, const void *key, void *value);
/* NULL for a session of nobody that the oracle knows. */
struct oracle_session *oracle_session_of(struct sim_oracle *oracle,
                                         const struct graft_store_session *session);
void oracle_session_opened(struct sim_oracle *oracle, struct graft_store *store,
                           const struct graft_store_session *session);
/* Ends the run; the text begins with the name of what was violated. From a fiber it does not
 * return. */
void oracle_violation(struct sim_oracle *oracle, const struct oracle_replica *replica,
                      const char *format, ...) GRAFT_PRINTF(3, 4);
/* Whether crashes may take more than they should; whether errors may speak of damage. */
bool oracle_forgives_loss(const struct sim_oracle *oracle);
/* Whether calls of the disk and the allocator failed. */
bool oracle_calls_fail(const struct sim_oracle *oracle);
/* A failed sync may take from the cache what it did not write: recovery finds that missing then, as
 * after a crash of the machine. */
bool oracle_cache_may_vanish(const struct sim_oracle *oracle);
bool oracle_forgives_damage(const struct sim_oracle *oracle);
/* An error that may only follow damage came without any. */
void oracle_check_error(struct sim_oracle *oracle, const struct oracle_replica *replica,
                        const char *what, enum graft_rc rc, const struct graft_err *err);
/* Makes the linker take the wrappers along. */
void oracle_wrap_link(void);

#endif
