/* The objects of the remote log: commits and checkpoints.
 *
 *   object:  8 bytes magic ("GRAFTCMT" or "GRAFTCKP"), u32 version (1), u32 message bytes, u64
 *            XXH3-64 of the message, then the message (wire.proto: Commit or Checkpoint), then, in
 *            a commit, inline frames
 *
 * A commit's map holds every page that changed since the checkpoint it names (all pages, when it
 * names none), its own included (those with lsn == its lsn). Offsets of frames that stand inline in
 * a commit count from the first byte after the message in `graft_commit_encode`'s input and on the
 * wire for the commit's own frames (their absolute place depends on the message's length, which
 * depends on them); decoding makes them absolute, and every later commit or checkpoint that carries
 * the frame on writes it absolute.
 */
#ifndef GRAFT_FORMAT_COMMIT_H
#define GRAFT_FORMAT_COMMIT_H

#include "format/pagemap.h"

#define GRAFT_OBJECT_HEADER_BYTES 24U

struct graft_commit {
    struct graft_volume_id volume;
    struct graft_client_id client;
    struct graft_hash parent; /* hash of the whole parent object; zeros for LSN 1 */
    uint64_t lsn;             /* remote LSN, from 1 */
    uint64_t time_ms;         /* Unix time of the push by the pusher's clock */
    uint64_t checkpoint_lsn;  /* 0 = none: the map is whole */
    uint32_t page_bytes;      /* the volume's page size */
    uint32_t page_count;
    uint32_t least_page_count; /* the least of all commits after the checkpoint up to this one, the
                                  checkpoint's own included */
    uint32_t changed_count;    /* pages of the map whose frame's LSN is this commit's */
    bool variable;             /* pages may be shorter than page_bytes */
    struct graft_pagemap map;
    struct graft_pageset first; /* what a new replica should get at once: opaque here */
};

struct graft_checkpoint {
    struct graft_volume_id volume;
    struct graft_hash commit; /* hash of the commit object of the same LSN */
    uint64_t lsn;
    uint32_t page_bytes;
    uint32_t page_count;
    bool variable;
    struct graft_pagemap map; /* every page that is not zeros */
};

void graft_commit_init(struct graft_commit *commit, struct graft_alloc *alloc);
void graft_commit_deinit(struct graft_commit *commit);
/* Appends the whole object. `inline_frames` are the frames of this commit that stand inline, in the
 * order and at the offsets (from 0) that the map's frames of ObjectRef{COMMIT, lsn} name. Equal
 * commits have equal bytes. EBUG, saying what is wrong, for a commit that would not decode; ELIMIT
 * when the message or the object is too long; ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_commit_encode(const struct graft_commit *commit,
                                                 const uint8_t *inline_frames, size_t inline_bytes,
                                                 struct graft_buf *out, struct graft_err *err);
/* Replaces `commit` (initialised before) with what the object says; map offsets of its own inline
 * frames are absolute after it. ECORRUPT, EVERSION, ENOMEM; unchanged then. `size` may cut off the
 * inline frames (a ranged read of the head), not the message. */
GRAFT_MUST_USE enum graft_rc graft_commit_decode(struct graft_commit *commit, const uint8_t *bytes,
                                                 size_t size, struct graft_err *err);

/* Where the message ends and, in a commit, the inline frames begin, as the object's first
 * GRAFT_OBJECT_HEADER_BYTES say: so much must have been read before it can be decoded. Nothing else
 * is checked. ECORRUPT when not even the header is there. */
GRAFT_MUST_USE enum graft_rc graft_object_message_end(const uint8_t *bytes, size_t size,
                                                      uint64_t *end, struct graft_err *err);
/* Moves the commit's own inline frames from offsets that count from `from` to such that count from
 * `to`: (0, message end) after encoding gives what decoding would give, and back. */
void graft_commit_move_inline(struct graft_commit *commit, uint64_t from, uint64_t to);

void graft_checkpoint_init(struct graft_checkpoint *checkpoint, struct graft_alloc *alloc);
void graft_checkpoint_deinit(struct graft_checkpoint *checkpoint);
GRAFT_MUST_USE enum graft_rc graft_checkpoint_encode(const struct graft_checkpoint *checkpoint,
                                                     struct graft_buf *out, struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_checkpoint_decode(struct graft_checkpoint *checkpoint,
                                                     const uint8_t *bytes, size_t size,
                                                     struct graft_err *err);

#endif
