/* After a sync of the log failed, nothing that it covered may be taken for durable, and the system
 * may well call those bytes clean: they are written again elsewhere before another commit is
 * accepted. The other half is begun from the newest commit that is known to be durable, and what
 * was published after it is copied there, record by record, all by the same distance; when that is
 * synced, the page words move to the copies. The failed half keeps what was durable in it until
 * that is folded.
 *
 * What a process that died in a sync may have lost, who opened later writes again where it is,
 * which asks for no other half that readers may keep. */
#include "store/parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/checksum.h"

#define FOLD_WAIT_MS 10000U
#define COPY_BYTES (1U << 20)

struct heal {
    struct graft_store *store;
    unsigned from, to; /* halves */
    uint64_t from_generation, to_generation;
    uint64_t old_start, old_end; /* what is copied */
    uint64_t new_start, new_end;
    uint64_t chain;
    uint32_t last; /* newest commit record, where it will be */
    struct graft_half_header header;
    struct graft_scan scan;
    struct graft_log_base base;
    struct graft_buf out;
};

static enum graft_rc lost(struct heal *heal, struct graft_err *err)
{
    return graft_err_set(err, GRAFT_EIO,
                         "%s/log.%u: a sync failed, and what it covered cannot be read again; "
                         "close the database everywhere and open it again",
                         heal->store->directory, heal->from);
}

/* What the commit makes true for the base. */
static enum graft_rc take_commit(struct heal *heal, const struct graft_record *record,
                                 const uint8_t *bytes, struct graft_err *err)
{
    struct graft_commit_payload payload;
    graft_commit_payload_init(&payload, heal->store->env->alloc);
    enum graft_rc rc = graft_commit_payload_decode(&payload, bytes, record->payload_bytes, err);
    if (rc == GRAFT_OK) {
        heal->base.page_count = payload.page_count;
        if (payload.has_sync)
            heal->base.sync = payload.sync;
    }
    graft_commit_payload_deinit(&payload);
    return rc;
}

/* Reads the failed half up to its last durable commit, and the notes that follow it, which were
 * synced before they counted; puts together what was true then. */
static enum graft_rc find_start(struct heal *heal, struct graft_err *err)
{
    struct graft_store *store = heal->store;
    struct graft_half_header header;
    GRAFT_TRY(graft_half_read(store, heal->from, &header, &heal->base, err));
    uint64_t durable = graft_synced_load(store);
    if (durable < heal->base.lsn)
        return lost(heal, err);
    struct graft_scan *scan = &heal->scan;
    graft_scan_half(scan, store, heal->from, &header, heal->base.lsn);
    for (;;) {
        uint64_t offset = scan->offset, chain = scan->chain, lsn = scan->lsn;
        struct graft_record record;
        const uint8_t *bytes = NULL;
        bool found = false, needed = lsn < durable;
        if (!needed && offset >= heal->old_end)
            break;
        GRAFT_TRY(graft_scan_next(scan, &record, &bytes, &found, err));
        if (!found)
            return lost(heal, err);
        if (record.kind == GRAFT_RECORD_NOTE) {
            GRAFT_TRY(graft_sync_state_decode(&heal->base.sync, store->env->alloc, bytes,
                                              record.payload_bytes, err));
        } else if (!needed) {
            scan->offset = offset;
            scan->chain = chain;
            scan->lsn = lsn;
            scan->frames = 0;
            break;
        } else if (record.kind == GRAFT_RECORD_COMMIT) {
            GRAFT_TRY(take_commit(heal, &record, bytes, err));
        }
    }
    heal->base.lsn = durable;
    heal->old_start = scan->offset;
    graft_pageset_clear(&heal->base.ahead);
    GRAFT_TRY(graft_ahead_collect(store, durable, heal->base.sync.pushed_lsn, &heal->base.ahead,
                                  &heal->base.ahead_commits, err));
    graft_pageset_cut(&heal->base.ahead, heal->base.page_count);
    return GRAFT_OK;
}

static uint32_t moved_place(const struct heal *heal, uint32_t place)
{
    uint64_t offset = graft_place_offset(place);
    if (place == 0 || graft_place_half(place) != heal->from || offset < heal->old_start)
        return place;
    return graft_place_make(heal->to, offset - heal->old_start + heal->new_start);
}

static enum graft_rc flush_out(struct heal *heal, uint64_t *at, struct graft_err *err)
{
    GRAFT_TRY(
        graft_file_write(heal->store->files[heal->to], *at, heal->out.bytes, heal->out.size, err));
    *at += heal->out.size;
    graft_buf_clear(&heal->out);
    return GRAFT_OK;
}

static enum graft_rc copy_record(struct heal *heal, struct graft_record *record,
                                 const uint8_t *bytes)
{
    static const uint8_t padding[64];
    struct graft_store *store = heal->store;
    uint32_t prev = record->prev_generation == heal->from_generation
                        ? moved_place(heal, record->prev_place)
                        : record->prev_place;
    if (prev != record->prev_place)
        record->prev_generation = heal->to_generation;
    record->prev_place = prev;
    record->offset = record->offset - heal->old_start + heal->new_start;
    record->chain = heal->chain;
    uint8_t header[GRAFT_RECORD_BYTES];
    graft_record_encode(record, graft_record_seed(store->volume_seed, heal->to_generation), header);
    heal->chain = record->sum;
    size_t pad = (size_t)(graft_align64(record->payload_bytes) - record->payload_bytes);
    GRAFT_TRY(graft_buf_append(&heal->out, header, sizeof header));
    GRAFT_TRY(graft_buf_append(&heal->out, bytes, record->payload_bytes));
    return graft_buf_append(&heal->out, padding, pad);
}

static enum graft_rc copy_records(struct heal *heal, struct graft_err *err)
{
    uint64_t at = heal->new_start;
    while (heal->scan.offset < heal->old_end) {
        struct graft_record record;
        const uint8_t *bytes = NULL;
        bool found = false;
        GRAFT_TRY(graft_scan_next(&heal->scan, &record, &bytes, &found, err));
        if (!found || heal->scan.offset > heal->old_end)
            return lost(heal, err);
        if (copy_record(heal, &record, bytes) != GRAFT_OK)
            return graft_err_set(err, GRAFT_ENOMEM, "saving the log: out of memory");
        if (heal->out.size >= COPY_BYTES)
            GRAFT_TRY(flush_out(heal, &at, err));
    }
    GRAFT_TRY(flush_out(heal, &at, err));
    heal->new_end = at;
    return GRAFT_OK;
}

static enum graft_rc write_copy(struct heal *heal, struct graft_err *err)
{
    struct graft_store *store = heal->store;
    struct graft_buf message;
    graft_buf_init(&message, store->env->alloc);
    enum graft_rc rc = graft_log_base_encode(&heal->base, &message);
    if (rc == GRAFT_OK) {
        heal->new_start = GRAFT_HALF_HEADER_BYTES + graft_align64(message.size);
        rc = graft_half_write(store, heal->to, &heal->header, &message, err);
    } else {
        graft_err_set(err, rc, "saving the log: %s", graft_rc_text(rc));
    }
    graft_buf_deinit(&message);
    GRAFT_TRY(rc);
    heal->chain = heal->header.sum;
    GRAFT_TRY(copy_records(heal, err));
    GRAFT_TRY(graft_file_sync(store->files[heal->to], err));
    store->counts.syncs++;
    return graft_half_announce(store, heal->to_generation, err);
}

/* From here on the beginning can be completed by whoever comes next. */
static enum graft_rc record_outcome(struct heal *heal, struct graft_err *err)
{
    struct graft_store *store = heal->store;
    uint64_t file_bytes = 0;
    GRAFT_TRY(graft_file_size(store->files[heal->to], &file_bytes, err));
    uint32_t last = (uint32_t)graft_header_load(store, GRAFT_W_LAST);
    graft_half_store(store, heal->to, GRAFT_HALF_BASE_LSN, heal->base.lsn);
    graft_half_store(store, heal->to, GRAFT_HALF_EXTENT, file_bytes);
    graft_half_store(store, heal->to, GRAFT_HALF_START, heal->new_start);
    graft_half_store(store, heal->to, GRAFT_HALF_SUM, heal->header.sum);
    graft_header_store(store, GRAFT_W_HEAL_OLD_START, heal->old_start);
    graft_header_store(store, GRAFT_W_HEAL_END, heal->new_end);
    graft_header_store(store, GRAFT_W_HEAL_CHAIN, heal->chain);
    graft_header_store(store, GRAFT_W_HEAL_LAST, moved_place(heal, last));
    graft_header_store(store, GRAFT_W_HEAL_HALF, heal->to + 1U);
    return GRAFT_OK;
}

/* Moves the words of all frames that were copied, and then the log's end. */
static enum graft_rc complete(struct graft_store *store, struct graft_err *err)
{
    unsigned to = (unsigned)graft_header_load(store, GRAFT_W_HEAL_HALF) - 1;
    struct heal heal = {.store = store, .from = 1 - to, .to = to};
    heal.old_start = graft_header_load(store, GRAFT_W_HEAL_OLD_START);
    heal.new_start = graft_half_load(store, to, GRAFT_HALF_START);
    uint64_t end = graft_header_load(store, GRAFT_W_HEAL_END);
    struct graft_half_header header = {.generation =
                                           graft_half_load(store, to, GRAFT_HALF_GENERATION),
                                       .sum = graft_half_load(store, to, GRAFT_HALF_SUM)};
    struct graft_scan scan;
    graft_scan_half(&scan, store, to, &header, graft_half_load(store, to, GRAFT_HALF_BASE_LSN));
    scan.offset = heal.new_start;
    enum graft_rc rc = GRAFT_OK;
    while (scan.offset < end && rc == GRAFT_OK) {
        struct graft_record record;
        const uint8_t *bytes = NULL;
        bool found = false;
        _Atomic uint64_t *slot = NULL;
        rc = graft_scan_next(&scan, &record, &bytes, &found, err);
        if (rc == GRAFT_OK && !found)
            rc = lost(&heal, err);
        if (rc != GRAFT_OK || record.kind > GRAFT_RECORD_ZEROS)
            continue;
        rc = graft_table_word(store, record.page, &slot, err);
        if (rc != GRAFT_OK)
            continue;
        uint32_t place = graft_place_make(to, record.offset);
        uint64_t old = record.offset - heal.new_start + heal.old_start;
        uint64_t word = graft_shm_load(slot);
        while (
            graft_word_place(word) == graft_place_make(heal.from, old) &&
            !graft_shm_cas(store->env->shm, slot, word,
                           graft_word_make(graft_word_present(word), place, graft_word_sum(word))))
            word = graft_shm_load(slot);
    }
    graft_scan_deinit(&scan);
    GRAFT_TRY(rc);
    GRAFT_ALWAYS(scan.offset == end, "the copy of a log ends where it was written to");
    GRAFT_REACHABLE("the log was saved to its other half after a sync failed");
    graft_header_store(store, GRAFT_W_LAST, graft_header_load(store, GRAFT_W_HEAL_LAST));
    graft_header_store(store, GRAFT_W_END, end);
    graft_header_store(store, GRAFT_W_CHAIN, graft_header_load(store, GRAFT_W_HEAL_CHAIN));
    graft_header_store(store, GRAFT_W_HALF, to);
    graft_header_store(store, GRAFT_W_UNHEARD, 0);
    graft_header_store(store, GRAFT_W_POISON, 0);
    graft_header_store(store, GRAFT_W_HEAL_HALF, 0);
    graft_synced_store(store, graft_header_load(store, GRAFT_W_HEAD));
    return GRAFT_OK;
}

static enum graft_rc copy_elsewhere(struct heal *heal, struct graft_err *err)
{
    struct graft_store *store = heal->store;
    uint64_t other = graft_half_load(store, heal->to, GRAFT_HALF_GENERATION);
    uint64_t folded = 0;
    if (other != heal->to_generation && other > graft_dead_load(store))
        GRAFT_TRY(graft_fold_run(store, &folded, err));
    if (other != heal->to_generation && other > graft_dead_load(store))
        return graft_err_set(err, GRAFT_EIO,
                             "%s: a sync of the log failed, and it cannot be saved elsewhere "
                             "while old snapshots are being read",
                             store->directory);
    GRAFT_TRY(find_start(heal, err));
    graft_half_leave(store, heal->to, heal->to_generation);
    heal->header = (struct graft_half_header){.generation = heal->to_generation,
                                              .live = heal->from_generation};
    GRAFT_TRY(write_copy(heal, err));
    return record_outcome(heal, err);
}

/* Every record up to `end` verifies. */
static enum graft_rc check_half(struct graft_store *store, unsigned half, uint64_t end,
                                struct graft_err *err)
{
    struct graft_half_header header;
    struct graft_log_base base;
    struct graft_scan scan;
    graft_log_base_init(&base, store->env->alloc);
    graft_scan_init(&scan, store->env->alloc, NULL, NULL);
    enum graft_rc rc = graft_half_read(store, half, &header, &base, err);
    if (rc == GRAFT_OK)
        graft_scan_half(&scan, store, half, &header, base.lsn);
    for (bool found = true; rc == GRAFT_OK && scan.offset < end;) {
        struct graft_record record;
        const uint8_t *bytes = NULL;
        rc = graft_scan_next(&scan, &record, &bytes, &found, err);
        if (rc == GRAFT_OK && !found)
            rc = graft_err_set(err, GRAFT_EIO, "%s/log.%u cannot be read again", store->directory,
                               half);
    }
    graft_scan_deinit(&scan);
    graft_log_base_deinit(&base);
    return rc;
}

/* As one sync of the log: whoever else syncs must not be told in its place. */
static enum graft_rc rewrite(struct graft_store *store, unsigned half, uint64_t end,
                             struct graft_err *err)
{
    struct graft_flight flight;
    GRAFT_TRY(graft_flight_begin(store, GRAFT_SYNCED_LOG, &flight, err));
    enum graft_rc rc = graft_log_write_again(store, half, end, err);
    store->counts.syncs++;
    if (rc == GRAFT_OK)
        rc = check_half(store, half, end, err);
    /* What is lost, or was told, is so for all. */
    if (rc == GRAFT_EIO || rc == GRAFT_ECORRUPT || rc == GRAFT_EFOREIGN)
        graft_header_store(store, GRAFT_W_POISON,
                           graft_half_load(store, half, GRAFT_HALF_GENERATION));
    graft_flight_end(store, &flight);
    return rc;
}

/* Under the writer role: nothing stands behind the end that will count. */
static enum graft_rc write_unheard_again(struct graft_store *store, struct graft_err *err)
{
    uint64_t unheard = graft_header_load(store, GRAFT_W_UNHEARD);
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    uint64_t end = graft_header_load(store, GRAFT_W_END);
    graft_mutex_lock(store->sync_mutex);
    enum graft_rc rc = rewrite(store, half, end, err);
    graft_mutex_unlock(store->sync_mutex);
    GRAFT_TRY(rc);
    GRAFT_REACHABLE("the log was written again where it is, as a process had died in a sync of it");
    (void)graft_shm_cas(store->env->shm, &store->header[GRAFT_W_UNHEARD], unheard, 0);
    atomic_store(&store->unheard, false);
    graft_synced_store(store, graft_header_load(store, GRAFT_W_HEAD));
    return GRAFT_OK;
}

static enum graft_rc heal_locked(struct graft_store *store, struct graft_err *err)
{
    if (graft_header_load(store, GRAFT_W_HEAL_HALF) != 0)
        return complete(store, err);
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    struct heal heal = {.store = store, .from = half, .to = 1 - half};
    heal.from_generation = graft_half_load(store, half, GRAFT_HALF_GENERATION);
    heal.to_generation = heal.from_generation + 1;
    heal.old_end = graft_header_load(store, GRAFT_W_END);
    graft_log_base_init(&heal.base, store->env->alloc);
    graft_buf_init(&heal.out, store->env->alloc);
    graft_scan_init(&heal.scan, store->env->alloc, NULL, NULL);
    enum graft_rc rc = copy_elsewhere(&heal, err);
    /* What the failed sync covered may read as damage now, or as what was there before. What is
     * damaged on the disk recovery will find. */
    if (rc == GRAFT_ECORRUPT || rc == GRAFT_EFOREIGN)
        rc = lost(&heal, err);
    graft_scan_deinit(&heal.scan);
    graft_buf_deinit(&heal.out);
    graft_log_base_deinit(&heal.base);
    GRAFT_TRY(rc);
    return complete(store, err);
}

enum graft_rc graft_log_heal(struct graft_store *store, bool fold_held, struct graft_err *err)
{
    bool sound = graft_header_load(store, GRAFT_W_POISON) == 0 &&
                 graft_header_load(store, GRAFT_W_HEAL_HALF) == 0;
    if (sound && graft_log_is_unheard(store)) {
        struct graft_err why = {0};
        enum graft_rc rc = write_unheard_again(store, &why);
        sound = graft_header_load(store, GRAFT_W_POISON) == 0;
        if (rc != GRAFT_OK && sound)
            return graft_err_set(err, rc, "%s", why.text);
    }
    if (sound)
        return GRAFT_OK;
    if (GRAFT_MUTANT("store: a log whose sync failed is believed")) {
        graft_header_store(store, GRAFT_W_POISON, 0);
        return GRAFT_OK;
    }
    if (!fold_held)
        GRAFT_TRY(graft_fold_wait(store, FOLD_WAIT_MS, err));
    enum graft_rc rc = heal_locked(store, err);
    if (!fold_held)
        graft_fold_release(store);
    return rc;
}
