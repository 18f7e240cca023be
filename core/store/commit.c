/* The life of a write transaction: taking the writer role, preparing (all appended, synced when the
 * caller wants it), publishing, or rolling back. */
#include "store/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"

#define FOLD_WAIT_MS 60000U

enum graft_rc graft_store_write_begin(struct graft_store_session *session, struct graft_err *err)
{
    struct graft_store *store = session->store;
    if (session->txn.open)
        return graft_err_set(err, GRAFT_EINVAL, "a write transaction is open already");
    /* Whoever has pinned a snapshot would find it stale after the wait. */
    bool granted = graft_writer_take(session, session->pinned ? 0 : GRAFT_WRITER_WAIT_MS);
    GRAFT_SOMETIMES(!granted, "a writer found another one at work");
    if (!granted)
        return graft_err_set(err, GRAFT_EBUSY, "%s: another connection writes", store->directory);
    bool was_pinned = session->pinned;
    enum graft_rc rc = graft_table_mark_dirty(store, err);
    if (rc == GRAFT_OK)
        rc = graft_publish_finish(store, err);
    if (rc == GRAFT_OK && graft_store_in_doubt(store))
        rc = graft_store_end_doubt(session, true, err);
    struct graft_store_snapshot snapshot;
    if (rc == GRAFT_OK)
        rc = graft_store_begin(session, &snapshot, err);
    if (rc == GRAFT_OK && snapshot.lsn != graft_header_load(store, GRAFT_W_HEAD) &&
        GRAFT_MUTANT("store: a writer on a stale snapshot is moved to the newest")) {
        graft_store_end(session);
        rc = graft_store_begin(session, &snapshot, err);
    }
    GRAFT_SOMETIMES(rc == GRAFT_OK && snapshot.lsn != graft_header_load(store, GRAFT_W_HEAD),
                    "a writer on a stale snapshot was refused");
    if (rc == GRAFT_OK && snapshot.lsn != graft_header_load(store, GRAFT_W_HEAD))
        rc = graft_err_set(err, GRAFT_ESTALE, "%s: commit %llu is no longer the newest",
                           store->directory, (unsigned long long)snapshot.lsn);
    if (rc != GRAFT_OK) {
        if (!was_pinned)
            graft_store_end(session);
        graft_writer_release(session);
        return rc;
    }
    graft_txn_init(&session->txn, snapshot.lsn + 1, snapshot.page_count);
    return GRAFT_OK;
}

bool graft_store_writing(const struct graft_store_session *session)
{
    return session->txn.open;
}

bool graft_store_prepared(const struct graft_store_session *session)
{
    return session->txn.open && session->txn.prepared;
}

static void close_transaction(struct graft_store_session *session)
{
    struct graft_store *store = session->store;
    if (session->txn.fold_held)
        graft_fold_release(store);
    graft_txn_deinit(&session->txn, store);
}

/* Folding waits until the writer role is free again, so that it holds up no other writer. */
static void end_transaction(struct graft_store_session *session)
{
    close_transaction(session);
    graft_writer_release(session);
    bool fold = session->published;
    session->published = false;
    if (fold)
        graft_fold_maybe(session->store);
}

/* ---- Preparing ---- */

/* Pages of a growth that nobody wrote: zeros in a local commit; in a pull not held, which needs a
 * frame only where the table remembers what was there before a shrink. */
static enum graft_rc fill_growth(struct graft_store_session *session, bool pull,
                                 struct graft_err *err)
{
    struct graft_txn *txn = &session->txn;
    uint64_t last = txn->count;
    if (pull) {
        uint64_t highest = graft_header_load(session->store, GRAFT_W_HIGHEST);
        last = last < highest ? last : highest;
    }
    for (uint64_t page = (uint64_t)txn->least + 1; page <= last; page++) {
        if (graft_txn_find(txn, (uint32_t)page) != NULL)
            continue;
        bool known = true;
        if (pull)
            GRAFT_TRY(graft_table_knows(session->store, (uint32_t)page, &known, err));
        if (known)
            GRAFT_TRY(graft_txn_put(session, (uint32_t)page,
                                    pull ? GRAFT_DIRTY_REMOTE : GRAFT_DIRTY_ZEROS, 0, err));
    }
    return GRAFT_OK;
}

static int by_number(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static enum graft_rc sort_pages(struct graft_store_session *session, struct graft_err *err)
{
    struct graft_txn *txn = &session->txn;
    txn->pages = graft_calloc(session->store->env->alloc, txn->map_used, sizeof *txn->pages);
    if (txn->pages == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "committing: out of memory");
    txn->page_total = 0;
    for (uint32_t i = 0; i < txn->map_capacity; i++) {
        if (txn->map[i].page != 0)
            txn->pages[txn->page_total++] = txn->map[i].page;
    }
    GRAFT_ASSERT(txn->page_total == txn->map_used);
    if (txn->page_total > 1)
        qsort(txn->pages, txn->page_total, sizeof *txn->pages, by_number);
    return GRAFT_OK;
}

static enum graft_rc encode_commit(struct graft_store_session *session,
                                   const struct graft_store_commit *commit, struct graft_buf *out,
                                   struct graft_err *err)
{
    struct graft_txn *txn = &session->txn;
    struct graft_commit_payload payload;
    GRAFT_ALWAYS(txn->least <= txn->count, "the least page count of a commit is not above its own");
    graft_commit_payload_init(&payload, session->store->env->alloc);
    payload.page_count = txn->count;
    payload.least = txn->least;
    payload.kind = commit->kind;
    payload.time_ms = commit->time_ms;
    payload.synced_lsn = graft_synced_load(session->store);
    payload.has_sync = txn->has_sync;
    payload.sync = txn->sync;
    enum graft_rc rc = GRAFT_OK;
    for (uint32_t i = 0; i < txn->page_total && rc == GRAFT_OK; i++)
        rc = graft_pageset_add(&payload.pages, txn->pages[i]);
    if (rc == GRAFT_OK && commit->super_journal != NULL) {
        payload.super_journal = graft_strdup(session->store->env->alloc, commit->super_journal);
        rc = payload.super_journal == NULL ? GRAFT_ENOMEM : GRAFT_OK;
    }
    if (rc == GRAFT_OK)
        rc = graft_commit_payload_encode(&payload, out);
    graft_commit_payload_deinit(&payload);
    return rc == GRAFT_OK ? rc : graft_err_set(err, rc, "committing: %s", graft_rc_text(rc));
}

static enum graft_rc check_commit(struct graft_store_session *session,
                                  const struct graft_store_commit *commit, struct graft_err *err)
{
    const struct graft_txn *txn = &session->txn;
    if (!txn->open || txn->prepared || txn->failed)
        return graft_err_set(err, GRAFT_EINVAL, "committing: no transaction that could be");
    bool pull = commit->kind == GRAFT_COMMIT_PULL;
    if (txn->remote_only && !pull)
        return graft_err_set(err, GRAFT_EINVAL, "only a pull may say that pages are the remote's");
    if (pull != (commit->sync != NULL))
        return graft_err_set(err, GRAFT_EINVAL, "a pull, and only a pull, brings a sync state");
    if (pull && (commit->sync->pushed_lsn > txn->lsn || commit->sync->pending_lsn > txn->lsn))
        return graft_err_set(err, GRAFT_EINVAL, "the sync state names local commits to come");
    if (commit->super_journal != NULL &&
        (commit->super_journal[0] == '\0' || strlen(commit->super_journal) >= GRAFT_PATH_BYTES_MAX))
        return graft_err_set(err, GRAFT_EINVAL, "the super-journal's path is empty or too long");
    return GRAFT_OK;
}

enum graft_rc graft_store_prepare(struct graft_store_session *session,
                                  const struct graft_store_commit *commit, struct graft_err *err)
{
    GRAFT_TRY(check_commit(session, commit, err));
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    bool pull = commit->kind == GRAFT_COMMIT_PULL;
    if (!pull && txn->map_used == 0 && txn->count == txn->base_count &&
        txn->least == txn->base_count) {
        txn->prepared = txn->empty = true;
        return GRAFT_OK;
    }
    txn->kind = commit->kind;
    txn->has_sync = commit->sync != NULL;
    if (txn->has_sync)
        txn->sync = *commit->sync;
    struct graft_buf payload;
    graft_buf_init(&payload, store->env->alloc);
    enum graft_rc rc = GRAFT_OK;
    /* Volume and page size are fixed from the first commit on: the config that says so may have
     * been put there by a process that died before its name was durable. */
    if (txn->lsn == 1)
        rc = graft_disk_sync_directory(store->env->disk, store->directory, err);
    if (rc == GRAFT_OK && pull && !txn->fold_held) {
        /* No version of before may be installed while the words are looked at. */
        rc = graft_fold_wait(store, FOLD_WAIT_MS, err);
        txn->fold_held = rc == GRAFT_OK;
    }
    if (rc == GRAFT_OK)
        rc = graft_txn_append_begin(session, err);
    /* The fold lock keeps installs out until it is published, but not beyond the writer's death. */
    if (rc == GRAFT_OK && pull)
        graft_header_store(store, GRAFT_W_PULLING, 1);
    if (rc == GRAFT_OK)
        rc = fill_growth(session, pull, err);
    if (rc == GRAFT_OK)
        rc = sort_pages(session, err);
    if (rc == GRAFT_OK)
        rc = encode_commit(session, commit, &payload, err);
    if (rc == GRAFT_OK)
        rc = graft_txn_append(session, txn->pages, txn->page_total, &payload, err);
    /* What a pull brings may be installed in the image at once, which must not be ahead of it. */
    bool sync = commit->durable || pull;
    if (!pull && GRAFT_MUTANT("store: a commit is acknowledged without its sync"))
        sync = false;
    if (pull && GRAFT_MUTANT("store: a pull is published without its sync"))
        sync = false;
    if (rc == GRAFT_OK && sync) {
        rc = graft_log_sync(store, err);
        txn->durable = rc == GRAFT_OK;
    }
    GRAFT_SOMETIMES(rc == GRAFT_EIO, "preparing a commit failed with an I/O error");
    GRAFT_SOMETIMES(rc == GRAFT_ENOMEM, "preparing a commit ran out of memory");
    graft_buf_deinit(&payload);
    if (rc == GRAFT_OK)
        txn->prepared = true;
    else
        txn->failed = true;
    return rc;
}

/* ---- Publishing ---- */

static void publish_words(struct graft_store_session *session)
{
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    for (uint32_t i = 0; i < txn->page_total; i++) {
        const struct graft_dirty *dirty = graft_txn_find(txn, txn->pages[i]);
        _Atomic uint64_t *slot = NULL;
        struct graft_err err = {0};
        /* Mapped when its frame was made up. */
        enum graft_rc rc = graft_table_word(store, txn->pages[i], &slot, &err);
        GRAFT_ASSERT(rc == GRAFT_OK && graft_dirty_kind_of(dirty) == GRAFT_DIRTY_LOG);
        graft_publish_word(store, slot, graft_dirty_value(dirty));
    }
}

static void move_pin(struct graft_store_session *session, uint64_t lsn)
{
    struct graft_store *store = session->store;
    bool known = graft_ring_load(store, lsn, &session->snapshot);
    GRAFT_ASSERT(known);
    graft_session_set_mark(session, lsn, session->snapshot.remote_lsn);
}

static void publish(struct graft_store_session *session)
{
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    GRAFT_ASSERT(txn->open && txn->prepared);
    if (txn->empty)
        return;
    struct graft_publication publication = {.lsn = txn->lsn,
                                            .page_count = txn->count,
                                            .half = txn->half,
                                            .start = txn->start,
                                            .end = txn->offset,
                                            .chain = txn->chain,
                                            .commit_place = txn->commit_place,
                                            .sync = txn->has_sync ? &txn->sync : NULL};
    GRAFT_ALWAYS(graft_header_load(store, GRAFT_W_PUBLISHING) == 0,
                 "one commit is published at a time");
    graft_header_store(store, GRAFT_W_PUBLISHING_START,
                       txn->start | (txn->durable ? GRAFT_PUBLISHING_DURABLE : 0));
    graft_header_store(store, GRAFT_W_PUBLISHING_CHAIN, graft_header_load(store, GRAFT_W_CHAIN));
    graft_header_store(store, GRAFT_W_PUBLISHING, txn->lsn);
    bool head_first = GRAFT_MUTANT("store: the head is published before the page words");
    if (!head_first)
        publish_words(session);
    graft_publish_head(store, &publication);
    if (head_first)
        publish_words(session);
    /* What was synced before it was published could not be counted then. */
    if (txn->durable && graft_header_load(store, GRAFT_W_POISON) == 0)
        graft_synced_store(store, txn->lsn);
    GRAFT_SOMETIMES(txn->count < txn->base_count, "a commit cut the volume shorter");
    move_pin(session, txn->lsn);
    store->counts.commits++;
    session->published = true;
}

void graft_store_publish(struct graft_store_session *session)
{
    publish(session);
    end_transaction(session);
}

void graft_store_publish_keep(struct graft_store_session *session)
{
    publish(session);
    close_transaction(session);
    graft_txn_init(&session->txn, session->snapshot.lsn + 1, session->snapshot.page_count);
}

/* ---- Rolling back ---- */

/* A commit record that stands in the log would count after a crash: its first record loses its
 * header, and with it the chain breaks. When a sync failed already, saving the log elsewhere, where
 * this commit is not, voids it too. */
static enum graft_rc void_commit(struct graft_store_session *session, struct graft_err *err)
{
    struct graft_store *store = session->store;
    struct graft_txn *txn = &session->txn;
    if (GRAFT_MUTANT("store: a commit that is rolled back stays in the log"))
        return GRAFT_OK;
    GRAFT_REACHABLE("a commit that stood in the log was rolled back");
    if (graft_header_load(store, GRAFT_W_POISON) != 0) {
        GRAFT_REACHABLE("a commit whose sync failed was rolled back");
        graft_header_store(store, GRAFT_W_VOID, 1);
        GRAFT_TRY(graft_log_heal(store, txn->fold_held, err));
        graft_header_store(store, GRAFT_W_VOID, 0);
        return GRAFT_OK;
    }
    return graft_log_void(store, txn->half, txn->start, err);
}

enum graft_rc graft_store_rollback(struct graft_store_session *session, struct graft_err *err)
{
    if (!session->txn.open)
        return GRAFT_OK;
    enum graft_rc rc = GRAFT_OK;
    if (session->txn.sealed)
        rc = void_commit(session, err);
    else if (session->txn.appended) /* spilled, or written in part: the next one sees to it */
        graft_header_store(session->store, GRAFT_W_VOID, 1);
    if (rc != GRAFT_OK)
        graft_err_wrap(err, rc, "voiding a commit of %s", session->store->directory);
    else if (session->txn.fold_held && session->txn.appended)
        graft_header_store(session->store, GRAFT_W_PULLING, 0);
    end_transaction(session);
    return rc;
}
