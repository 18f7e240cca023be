/* What push, pull and reset share: the sync lock, the pending push, the newest commit of the
 * remote. */
#ifndef GRAFT_ENGINE_SYNC_H
#define GRAFT_ENGINE_SYNC_H

#include "engine/volume.h"

/* One sync at a work: holds the process's sync mutex, and the directory's sync lock against other
 * processes. */
struct graft_sync {
    struct graft_volume *volume;
    struct graft_remote *remote;
    struct graft_locks *locks;
    struct graft_store_session *session;
    struct graft_sync_state state; /* as of graft_sync_begin, and kept up by graft_sync_note */
};

/* The local LSN of the newest commit; 0 when there never was one. */
uint64_t graft_sync_newest_lsn(struct graft_volume *volume);

/* Takes the locks (EBUSY when another process syncs), opens a session, reads the state, and settles
 * a push whose outcome is not known. EINVAL without a remote. Always followed by graft_sync_end,
 * also after a failure. */
GRAFT_MUST_USE enum graft_rc graft_sync_begin(struct graft_sync *sync, struct graft_volume *volume,
                                              struct graft_err *err);
/* Lets go of all, and records what came of it: a failure as the last error, a success as its end.
 * Returns `rc`. */
enum graft_rc graft_sync_end(struct graft_sync *sync, enum graft_rc rc,
                             const struct graft_err *err);

/* Before anything can be committed here: forgets a pending push of local commits that the log does
 * not have, as a damaged disk leaves it. New commits will take their LSNs, and would count as
 * pushed when it is settled; forgotten, what landed of it is a commit like anybody's. One that
 * cannot be told to be such is left for the next sync to speak of. EBUSY, EIO, ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_sync_forget_lost_push(struct graft_volume *volume,
                                                         struct graft_err *err);

/* Records the new state, waiting a while for a local writer; `state` becomes the sync's. */
GRAFT_MUST_USE enum graft_rc graft_sync_note(struct graft_sync *sync,
                                             const struct graft_sync_state *state,
                                             struct graft_err *err);
/* Becomes the writer, waiting up to a few seconds for a local one. EBUSY. */
GRAFT_MUST_USE enum graft_rc graft_sync_write_begin(struct graft_sync *sync, struct graft_err *err);

/* `found` is what the remote has at the LSN that the replica is based on: EFOREIGN when that is not
 * the commit it knows. */
GRAFT_MUST_USE enum graft_rc graft_sync_check_base(const struct graft_sync *sync,
                                                   const struct graft_hash *found,
                                                   struct graft_err *err);

/* A push in flight: durable before its PUT, gone once the outcome is known. */
struct graft_pending {
    uint64_t local_lsn;      /* the push carries local commits up to here */
    uint64_t remote_lsn;     /* as this remote commit */
    struct graft_buf object; /* the exact bytes of the PUT */
};

/* ENOTFOUND when there is none; a file that does not verify is ECORRUPT. The object's bytes are the
 * caller's to deinit. */
GRAFT_MUST_USE enum graft_rc graft_pending_load(struct graft_volume *volume,
                                                struct graft_pending *out, struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_pending_save(struct graft_sync *sync,
                                                const struct graft_pending *pending,
                                                struct graft_err *err);
/* Sends the commit and finds out what became of it: GRAFT_OK (it is in the remote, and recorded
 * here), EDIVERGED (another commit has its place), or the outcome stays open (EUNREACHABLE,
 * EINDOUBT, ...) and the pending push is kept. One that is sent `again` and refused
 * for good stays open as long as something stands in its place: what was sent before may. */
GRAFT_MUST_USE enum graft_rc graft_pending_send(struct graft_sync *sync,
                                                const struct graft_pending *pending, bool again,
                                                struct graft_err *err);
/* True when a push is waiting to be settled, as far as can be seen: for those who show it. */
bool graft_pending_exists(struct graft_volume *volume);
/* Forgets it. */
GRAFT_MUST_USE enum graft_rc graft_pending_drop(struct graft_volume *volume, struct graft_err *err);

/* The newest remote commit's LSN (0: nothing there), and its view when there is one (a reference,
 * else NULL). Checks that it is of this volume and, when it is the one that the replica is based
 * on, that it is the same commit. `object` (may be NULL) receives the commit's bytes when they had
 * to be read. EFOREIGN, EDIVERGED, errors of the remote. */
GRAFT_MUST_USE enum graft_rc graft_sync_newest(struct graft_sync *sync, uint64_t *remote_lsn,
                                               struct graft_view **view, struct graft_buf *object,
                                               struct graft_err *err);

#endif
