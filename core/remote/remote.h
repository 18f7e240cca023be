/* The remote log of one volume, over the object store's verbs.
 *
 * Keys in the repository (HHHHHHHHHHHHHHHH = 2^64 - 1 - LSN in 16 hex digits, so that a listing
 * begins with the newest):
 *
 *   <volume>/c/HHHHHHHHHHHHHHHH    checkpoint of that LSN
 *   <volume>/l/HHHHHHHHHHHHHHHH    commit of that LSN, written once by conditional PUT
 *   _segments/<32 hex digits>      segments, shared by the volumes of the repository
 *
 * One listing of "<volume>/" therefore yields the newest checkpoint and the newest commit. */
#ifndef GRAFT_REMOTE_REMOTE_H
#define GRAFT_REMOTE_REMOTE_H

#include "format/commit.h"
#include "remote/objects.h"

struct graft_remote;

/* Binds to the URL; no I/O. Close with graft_remote_close. */
GRAFT_MUST_USE enum graft_rc graft_remote_open(struct graft_env *env, const char *url,
                                               struct graft_remote **out, struct graft_err *err);
/* The same over an object store that is open already, and that the remote closes from now on, also
 * when this fails. `url` is what messages name, `volume` the volume's name. */
GRAFT_MUST_USE enum graft_rc graft_remote_open_with(struct graft_env *env,
                                                    struct graft_objects *objects, const char *url,
                                                    const char *volume, struct graft_remote **out,
                                                    struct graft_err *err);
void graft_remote_close(struct graft_remote *remote); /* accepts NULL */
/* Borrowed. */
const char *graft_remote_url(const struct graft_remote *remote);
const struct graft_objects_counts *graft_remote_counts(const struct graft_remote *remote);

/* The LSN of the newest commit and of the newest checkpoint at or below it; 0 for none (also when
 * nothing is there at all). Lists, then probes past what the listing says, since a listing may be
 * stale. `known` is an LSN that the caller knows to exist (0: none): the answer is never below it,
 * and a repository that does not exist at all is ENOTFOUND then, since it may merely not be
 * mounted.
 */
GRAFT_MUST_USE enum graft_rc graft_remote_newest(struct graft_remote *remote, uint64_t known,
                                                 uint64_t *commit_lsn, uint64_t *checkpoint_lsn,
                                                 struct graft_err *err);
/* A commit as it was read; one whose `commit.lsn` is 0 was not. */
struct graft_remote_commit {
    struct graft_commit commit;
    struct graft_hash hash;
    struct graft_buf object; /* the commit's own bytes (inline frames are served from there) */
};

void graft_remote_commit_init(struct graft_remote_commit *read, struct graft_alloc *alloc);
/* Checks the frames inside it, which its message says nothing of: damaged, its hash is not that of
 * the commit that was pushed. ECORRUPT naming the commit. */
GRAFT_MUST_USE enum graft_rc graft_remote_commit_check(const struct graft_remote *remote,
                                                       const struct graft_remote_commit *read,
                                                       struct graft_err *err);
void graft_remote_commit_deinit(struct graft_remote_commit *read);
/* As graft_remote_newest. The commit that the listing calls the newest is read into `out`
 * (initialised) while it is still being asked whether there is a newer one, which saves a round
 * trip; where that cannot be done, or fails, `out` stays as it was. */
GRAFT_MUST_USE enum graft_rc graft_remote_newest_ahead(struct graft_remote *remote, uint64_t known,
                                                       uint64_t *commit_lsn,
                                                       uint64_t *checkpoint_lsn,
                                                       struct graft_remote_commit *out,
                                                       struct graft_err *err);
/* Reads a commit object: decodes into `out` (initialised by the caller), sets its hash and, where
 * `bytes` is not NULL, appends the object itself to it (inline frames are served from there).
 * ENOTFOUND. A commit whose own LSN is not `lsn` is ECORRUPT. */
GRAFT_MUST_USE enum graft_rc
graft_remote_get_commit(struct graft_remote *remote, uint64_t lsn, struct graft_commit *out,
                        struct graft_hash *hash, struct graft_buf *bytes, struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_remote_get_checkpoint(struct graft_remote *remote, uint64_t lsn,
                                                         struct graft_checkpoint *out,
                                                         struct graft_err *err);
/* Appends `size` bytes at `offset` of the object; exactly so many, else ECORRUPT naming object and
 * range. ENOTFOUND. */
GRAFT_MUST_USE enum graft_rc graft_remote_get_range(struct graft_remote *remote,
                                                    const struct graft_object_ref *object,
                                                    uint64_t offset, uint32_t size,
                                                    struct graft_buf *out, struct graft_err *err);
/* The conditional PUT of a commit. `*won` is false when the key was taken, by whatever bytes. */
GRAFT_MUST_USE enum graft_rc graft_remote_put_commit(struct graft_remote *remote, uint64_t lsn,
                                                     const void *bytes, size_t size, bool *won,
                                                     struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_remote_put_checkpoint(struct graft_remote *remote, uint64_t lsn,
                                                         const void *bytes, size_t size,
                                                         struct graft_err *err);
/* The id is the hash of the bytes; a segment that is there already is success. */
GRAFT_MUST_USE enum graft_rc graft_remote_put_segment(struct graft_remote *remote,
                                                      const void *bytes, size_t size,
                                                      struct graft_segment_id *id,
                                                      struct graft_err *err);

#endif
