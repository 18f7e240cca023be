/* The sync state and the base of a log half, as messages. The store puts them into its records,
 * whose checksums cover them: what is wrong here is a bug or a hostile file, not rot. */
#include "format/syncstate.h"

#include "base/catalogue.h"
#include "base/limits.h"
#include "format/wire.h"

static bool hash_is_none(const struct graft_hash *hash)
{
    static const struct graft_hash none = {{0}};
    return graft_hash_equal(hash, &none) != 0;
}

static enum graft_rc check_state(const struct graft_sync_state *state, enum graft_rc wrong,
                                 struct graft_err *err)
{
    if (state->remote_lsn == 0 && !hash_is_none(&state->remote_hash))
        return graft_err_set(err, wrong, "sync state: a hash of no remote commit");
    if (state->pending_remote_lsn == 0 &&
        (state->pending_lsn != 0 || !hash_is_none(&state->pending_hash)))
        return graft_err_set(err, wrong, "sync state: half of a pending push");
    return GRAFT_OK;
}

static void build_state(const struct graft_sync_state *state, Graft__SyncState *message)
{
    *message = (Graft__SyncState)GRAFT__SYNC_STATE__INIT;
    message->remote_lsn = state->remote_lsn;
    if (!GRAFT_MUTANT("format: the remote commit's hash is not written"))
        message->remote_hash = graft_wire_hash(&state->remote_hash);
    message->pushed_lsn = state->pushed_lsn;
    message->pending_lsn = state->pending_lsn;
    message->pending_remote_lsn = state->pending_remote_lsn;
    message->pending_hash = graft_wire_hash(&state->pending_hash);
}

static enum graft_rc read_state(struct graft_sync_state *state, const Graft__SyncState *message,
                                struct graft_err *err)
{
    struct graft_sync_state read = {
        .remote_lsn = message->remote_lsn,
        .pushed_lsn = message->pushed_lsn,
        .pending_lsn = message->pending_lsn,
        .pending_remote_lsn = message->pending_remote_lsn,
    };
    if (!graft_wire_read_16(&message->remote_hash, true, read.remote_hash.bytes) ||
        !graft_wire_read_16(&message->pending_hash, true, read.pending_hash.bytes))
        return graft_err_set(err, GRAFT_ECORRUPT, "sync state: a hash is not 16 bytes");
    GRAFT_TRY(check_state(&read, GRAFT_ECORRUPT, err));
    *state = read;
    return GRAFT_OK;
}

enum graft_rc graft_sync_state_encode(const struct graft_sync_state *state, struct graft_buf *out)
{
    GRAFT_TRY(check_state(state, GRAFT_EBUG, NULL));
    Graft__SyncState message;
    build_state(state, &message);
    return graft_wire_pack(&message.base, out);
}

enum graft_rc graft_sync_state_decode(struct graft_sync_state *state, struct graft_alloc *alloc,
                                      const uint8_t *bytes, size_t size, struct graft_err *err)
{
    struct graft_wire_memory memory;
    graft_wire_memory_init(&memory, alloc);
    ProtobufCMessage *message;
    GRAFT_TRY(graft_wire_unpack(&memory, &graft__sync_state__descriptor, bytes, size, "sync state",
                                &message, err));
    enum graft_rc rc = read_state(state, (const Graft__SyncState *)message, err);
    protobuf_c_message_free_unpacked(message, &memory.protobuf);
    return rc;
}

void graft_log_base_init(struct graft_log_base *base, struct graft_alloc *alloc)
{
    *base = (struct graft_log_base){.lsn = 0};
    graft_pageset_init(&base->ahead, alloc);
}

void graft_log_base_deinit(struct graft_log_base *base)
{
    graft_pageset_deinit(&base->ahead);
}

static enum graft_rc check_base(const struct graft_log_base *base, enum graft_rc wrong,
                                struct graft_err *err)
{
    if (base->page_count > GRAFT_PAGES_MAX)
        return graft_err_set(err, wrong, "log base: %u pages", base->page_count);
    if (base->sync.pushed_lsn > base->lsn || base->sync.pending_lsn > base->lsn)
        return graft_err_set(err, wrong, "log base: pushed past its LSN %llu",
                             (unsigned long long)base->lsn);
    if (base->ahead_commits > base->lsn - base->sync.pushed_lsn)
        return graft_err_set(err, wrong, "log base: %llu commits ahead",
                             (unsigned long long)base->ahead_commits);
    const struct graft_pageset *ahead = &base->ahead;
    if (ahead->run_count == 0)
        return GRAFT_OK;
    const struct graft_run *last = &ahead->runs[ahead->run_count - 1];
    if (base->ahead_commits == 0 || last->first + last->count - 1 > base->page_count)
        return graft_err_set(err, wrong, "log base: pages ahead that cannot be");
    return GRAFT_OK;
}

enum graft_rc graft_log_base_encode(const struct graft_log_base *base, struct graft_buf *out)
{
    GRAFT_TRY(check_state(&base->sync, GRAFT_EBUG, NULL));
    GRAFT_TRY(check_base(base, GRAFT_EBUG, NULL));
    Graft__SyncState sync;
    build_state(&base->sync, &sync);
    struct graft_buf ahead;
    graft_buf_init(&ahead, out->alloc);
    enum graft_rc rc = GRAFT_OK;
    if (base->ahead.run_count > 0 &&
        !GRAFT_MUTANT("format: a base is written without what is ahead"))
        rc = graft_pageset_encode(&base->ahead, &ahead);
    if (rc == GRAFT_OK) {
        Graft__Base message = GRAFT__BASE__INIT;
        message.lsn = base->lsn;
        message.page_count = base->page_count;
        message.sync = &sync;
        message.ahead = graft_wire_bytes(ahead.bytes, ahead.size);
        message.ahead_commits = base->ahead_commits;
        rc = graft_wire_pack(&message.base, out);
    }
    graft_buf_deinit(&ahead);
    return rc;
}

/* Fills `base`, which is fresh, from the message. */
static enum graft_rc read_base(struct graft_log_base *base, const Graft__Base *message,
                               struct graft_err *err)
{
    base->lsn = message->lsn;
    base->page_count = message->page_count;
    base->ahead_commits = message->ahead_commits;
    if (message->sync != NULL)
        GRAFT_TRY(read_state(&base->sync, message->sync, err));
    if (message->ahead.len > 0)
        GRAFT_TRY(graft_pageset_decode(&base->ahead, message->ahead.data, message->ahead.len, err));
    return check_base(base, GRAFT_ECORRUPT, err);
}

enum graft_rc graft_log_base_decode(struct graft_log_base *base, const uint8_t *bytes, size_t size,
                                    struct graft_err *err)
{
    struct graft_wire_memory memory;
    graft_wire_memory_init(&memory, base->ahead.alloc);
    ProtobufCMessage *message;
    GRAFT_TRY(graft_wire_unpack(&memory, &graft__base__descriptor, bytes, size, "log base",
                                &message, err));
    struct graft_log_base read;
    graft_log_base_init(&read, base->ahead.alloc);
    enum graft_rc rc = read_base(&read, (const Graft__Base *)message, err);
    protobuf_c_message_free_unpacked(message, &memory.protobuf);
    if (rc != GRAFT_OK) {
        graft_log_base_deinit(&read);
        return rc;
    }
    graft_log_base_deinit(base);
    *base = read;
    return GRAFT_OK;
}
