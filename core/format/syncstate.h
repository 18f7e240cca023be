/* What a replica knows of its remote, and what one half of the local log starts from. Both are bare
 * messages (wire.proto: SyncState, Base) inside records of the store, whose checksums cover them.
 */
#ifndef GRAFT_FORMAT_SYNCSTATE_H
#define GRAFT_FORMAT_SYNCSTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/checksum.h"
#include "format/pageset.h"

struct graft_sync_state {
    uint64_t remote_lsn; /* newest remote commit that the local state contains; 0 = none */
    struct graft_hash remote_hash;  /* of that commit's object; zeros when remote_lsn is 0 */
    uint64_t pushed_lsn;            /* local commits up to here are in the remote */
    uint64_t pending_lsn;           /* a push under way carries local commits up to here */
    uint64_t pending_remote_lsn;    /* as this remote commit; 0 = no push is pending */
    struct graft_hash pending_hash; /* of its exact bytes; zeros when none is pending */
};

/* Appends the message; equal states have equal bytes. EBUG for a state that would not decode;
 * ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_sync_state_encode(const struct graft_sync_state *state,
                                                     struct graft_buf *out);
/* `alloc` is for the decoding alone; nothing stays allocated. ECORRUPT when a hash is not 16 bytes
 * (absent means zeros), remote_hash stands without remote_lsn, or one of the pending fields without
 * pending_remote_lsn. ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_sync_state_decode(struct graft_sync_state *state,
                                                     struct graft_alloc *alloc,
                                                     const uint8_t *bytes, size_t size,
                                                     struct graft_err *err);

struct graft_log_base {
    uint64_t lsn;
    uint32_t page_count;
    struct graft_sync_state sync; /* pushed_lsn and pending_lsn are at most lsn */
    struct graft_pageset
        ahead;              /* pages 1..page_count that local commits after pushed_lsn changed */
    uint64_t ahead_commits; /* how many there are: at most lsn - pushed_lsn */
};

void graft_log_base_init(struct graft_log_base *base, struct graft_alloc *alloc);
void graft_log_base_deinit(struct graft_log_base *base);
/* Appends the message; equal bases have equal bytes. EBUG for a base outside of the bounds above;
 * ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_log_base_encode(const struct graft_log_base *base,
                                                   struct graft_buf *out);
/* Replaces `base` (initialised before). ECORRUPT for what the state's decoder refuses, a bad page
 * set, or one of the bounds above; ENOMEM. Unchanged then. */
GRAFT_MUST_USE enum graft_rc graft_log_base_decode(struct graft_log_base *base,
                                                   const uint8_t *bytes, size_t size,
                                                   struct graft_err *err);

#endif
