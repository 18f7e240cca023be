/* The two log halves: how one is begun, appended to and synced, and how a record is read by its
 * place. A half is begun only when every commit that it had is folded; GRAFT_W_SWITCHING says from
 * the first byte written there until all is in place that no commit may be appended before the
 * beginning is completed, as recovery would take the new half for the newest. */
#include "store/parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/checksum.h"

#define AHEAD_CHUNK_BYTES 65536U
#define COPY_BYTES (1U << 20)
#define DAMAGE_LOOKS 3U
#define DAMAGE_LOOK_MS 5U

#define LEFT_OVER_WINDOW_BYTES ((size_t)64 << 10)

static const uint8_t zeros[AHEAD_CHUNK_BYTES];

const char *graft_file_name(enum graft_store_file file)
{
    switch (file) {
    case GRAFT_FILE_LOG_0:
        return "log.0";
    case GRAFT_FILE_LOG_1:
        return "log.1";
    case GRAFT_FILE_IMAGE:
    case GRAFT_FILES:
        break;
    }
    return "image";
}

static enum graft_rc damaged(struct graft_store *store, unsigned half, const char *what,
                             struct graft_err *err)
{
    return graft_err_set(err, GRAFT_ECORRUPT,
                         "%s/log.%u: %s is damaged; restore the directory from a copy, or clone "
                         "the remote again",
                         store->directory, half, what);
}

static enum graft_rc check_header(struct graft_store *store, unsigned half,
                                  const uint8_t bytes[GRAFT_HALF_HEADER_BYTES],
                                  struct graft_half_header *header, struct graft_err *err)
{
    switch (graft_half_header_decode(bytes, store->config.volume.bytes, header)) {
    case GRAFT_HALF_OK:
        return GRAFT_OK;
    case GRAFT_HALF_NEWER:
        return graft_err_set(err, GRAFT_EVERSION, "%s/log.%u: written by a newer version of Graft",
                             store->directory, half);
    case GRAFT_HALF_FOREIGN:
        return graft_err_set(err, GRAFT_EFOREIGN,
                             "%s/log.%u: belongs to another volume than the directory's config",
                             store->directory, half);
    case GRAFT_HALF_DAMAGED:
        break;
    }
    return damaged(store, half, "its header", err);
}

enum graft_rc graft_half_read(struct graft_store *store, unsigned half,
                              struct graft_half_header *header, struct graft_log_base *base,
                              struct graft_err *err)
{
    uint8_t bytes[GRAFT_HALF_HEADER_BYTES] = {0};
    size_t got = 0;
    struct graft_file *file = store->files[half];
    GRAFT_TRY(graft_file_read(file, 0, bytes, sizeof bytes, &got, err));
    struct graft_half_header found;
    GRAFT_TRY(check_header(store, half, bytes, &found, err));
    uint64_t file_bytes = 0;
    GRAFT_TRY(graft_file_size(file, &file_bytes, err));
    if (found.base_bytes + (uint64_t)GRAFT_HALF_HEADER_BYTES > file_bytes)
        return damaged(store, half, "its base", err);

    struct graft_alloc *alloc = store->env->alloc;
    uint8_t *message = graft_malloc(alloc, found.base_bytes);
    if (message == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "reading %s/log.%u: out of memory",
                             store->directory, half);
    enum graft_rc rc =
        graft_file_read(file, GRAFT_HALF_HEADER_BYTES, message, found.base_bytes, &got, err);
    if (rc == GRAFT_OK && (got != found.base_bytes ||
                           graft_checksum64(message, got, store->volume_seed) != found.base_sum))
        rc = damaged(store, half, "its base", err);
    if (rc == GRAFT_OK) {
        rc = graft_log_base_decode(base, message, found.base_bytes, err);
        if (rc != GRAFT_OK)
            graft_err_wrap(err, rc, "%s/log.%u", store->directory, half);
    }
    if (rc == GRAFT_OK)
        *header = found;
    graft_free(alloc, message);
    return rc;
}

/* The word that says which beginning is under way, so that another process can complete it. */
static uint64_t switching_word(unsigned half, uint64_t generation, uint64_t live)
{
    return generation << 2 | (uint64_t)half << 1 | (live == generation ? 1 : 0);
}

enum graft_rc graft_half_write(struct graft_store *store, unsigned half,
                               struct graft_half_header *header, const struct graft_buf *message,
                               struct graft_err *err)
{
    uint8_t bytes[GRAFT_HALF_HEADER_BYTES];
    if (message->size > GRAFT_RECORD_PAYLOAD_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "%s/log.%u: its base is too large",
                             store->directory, half);
    /* Recovery must know that what is overwritten here is not needed, should a crash tear it. */
    GRAFT_TRY(graft_table_sync_header(store, err));
    header->base_bytes = (uint32_t)message->size;
    header->base_sum = graft_checksum64(message->bytes, message->size, store->volume_seed);
    graft_half_header_encode(header, store->config.volume.bytes, bytes);
    struct graft_span spans[] = {
        {bytes, sizeof bytes},
        {message->bytes, message->size},
        {zeros, (size_t)(graft_align64(message->size) - message->size)},
    };
    return graft_file_writev(store->files[half], 0, spans, 3, err);
}

enum graft_rc graft_half_announce(struct graft_store *store, uint64_t generation,
                                  struct graft_err *err)
{
    graft_header_store(store, GRAFT_W_GENERATION,
                       graft_checked_word(generation, store->volume_seed, GRAFT_W_GENERATION));
    return graft_table_sync_header(store, err);
}

void graft_half_leave(struct graft_store *store, unsigned half, uint64_t generation)
{
    /* When no commit came since, the base of the half that is appended to says it all. */
    uint32_t last = (uint32_t)graft_header_load(store, GRAFT_W_LAST);
    if (last != 0 && graft_place_half(last) == half)
        graft_header_store(store, GRAFT_W_LAST, 0);
    graft_half_store(store, half, GRAFT_HALF_GENERATION, generation);
}

enum graft_rc graft_half_begin(struct graft_store *store, unsigned half, uint64_t generation,
                               uint64_t live, const struct graft_log_base *base,
                               struct graft_err *err)
{
    struct graft_buf message;
    graft_buf_init(&message, store->env->alloc);
    struct graft_half_header header = {.generation = generation, .live = live};
    uint64_t file_bytes = 0;
    enum graft_rc rc = graft_log_base_encode(base, &message);
    if (rc != GRAFT_OK) {
        graft_err_set(err, rc, "beginning %s/log.%u: %s", store->directory, half,
                      graft_rc_text(rc));
        goto out;
    }
    graft_header_store(store, GRAFT_W_SWITCHING, switching_word(half, generation, live));
    graft_half_leave(store, half, generation);
    rc = graft_half_write(store, half, &header, &message, err);
    if (rc == GRAFT_OK)
        rc = graft_file_sync(store->files[half], err);
    store->counts.syncs++;
    if (rc == GRAFT_OK)
        rc = graft_half_announce(store, generation, err);
    if (rc == GRAFT_OK)
        rc = graft_file_size(store->files[half], &file_bytes, err);
    if (rc != GRAFT_OK)
        goto out;

    uint64_t start = GRAFT_HALF_HEADER_BYTES + graft_align64(message.size);
    graft_half_store(store, half, GRAFT_HALF_BASE_LSN, base->lsn);
    graft_half_store(store, half, GRAFT_HALF_EXTENT, file_bytes);
    graft_half_store(store, half, GRAFT_HALF_START, start);
    graft_half_store(store, half, GRAFT_HALF_SUM, header.sum);
    if (live == generation)
        graft_dead_raise(store, generation - 1);
    graft_header_store(store, GRAFT_W_END, start);
    graft_header_store(store, GRAFT_W_CHAIN, header.sum);
    graft_header_store(store, GRAFT_W_HALF, half);
    graft_header_store(store, GRAFT_W_SWITCHING, 0);
out:
    graft_buf_deinit(&message);
    return rc;
}

bool graft_log_is_unheard(struct graft_store *store)
{
    if (!atomic_load_explicit(&store->unheard, memory_order_relaxed))
        return false;
    uint64_t lsn = graft_header_load(store, GRAFT_W_UNHEARD);
    bool unheard = lsn != 0 && graft_synced_load(store) < lsn;
    atomic_store_explicit(&store->unheard, unheard, memory_order_relaxed);
    return unheard;
}

static enum graft_rc check_poison(struct graft_store *store, struct graft_err *err)
{
    if (graft_header_load(store, GRAFT_W_POISON) == 0 && !graft_log_is_unheard(store))
        return GRAFT_OK;
    return graft_err_set(err, GRAFT_EIO,
                         "%s: the log is in doubt since a sync of it failed; the next commit "
                         "tries to save it elsewhere",
                         store->directory);
}

static enum graft_rc poison(struct graft_store *store, unsigned half, enum graft_rc rc)
{
    graft_header_store(store, GRAFT_W_POISON, graft_half_load(store, half, GRAFT_HALF_GENERATION));
    return rc;
}

/* The head is loaded before the half: if the writer moved to another half in between, it synced all
 * that was published in this one first. */
static enum graft_rc sync_in_flight(struct graft_store *store, struct graft_err *err)
{
    GRAFT_TRY(check_poison(store, err));
    uint64_t head = graft_header_load(store, GRAFT_W_HEAD);
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    enum graft_rc rc = graft_file_sync(store->files[half], err);
    store->counts.syncs++;
    GRAFT_SOMETIMES(rc != GRAFT_OK, "a sync of the log failed");
    if (rc != GRAFT_OK)
        return poison(store, half, rc);
    /* The system tells each process that has the file open, but only one of them may have been told
     * yet: that this sync did well says nothing then. */
    GRAFT_TRY(check_poison(store, err));
    graft_synced_store(store, head);
    GRAFT_ALWAYS(graft_synced_load(store) <= graft_header_load(store, GRAFT_W_HEAD),
                 "no more commits are called durable than were published");
    return GRAFT_OK;
}

static enum graft_rc sync_half(struct graft_store *store, struct graft_err *err)
{
    struct graft_flight flight;
    enum graft_rc rc = graft_flight_begin(store, GRAFT_SYNCED_LOG, &flight, err);
    if (rc != GRAFT_OK) /* counts as a sync that failed: one that is not entered must not be made */
        return poison(store, (unsigned)graft_header_load(store, GRAFT_W_HALF), rc);
    rc = sync_in_flight(store, err);
    graft_flight_end(store, &flight);
    return rc;
}

enum graft_rc graft_log_damage(struct graft_store *store, unsigned half)
{
    for (unsigned i = 0;; i++) {
        uint64_t poison = graft_header_load(store, GRAFT_W_POISON);
        if (poison != 0 && poison == graft_half_load(store, half, GRAFT_HALF_GENERATION))
            return GRAFT_EIO;
        if (i == DAMAGE_LOOKS)
            return graft_flight_doubts_log(store) ? GRAFT_EIO : GRAFT_ECORRUPT;
        /* Whoever's sync failed may be about to say so. */
        graft_task_sleep_ms(store->env->tasks, DAMAGE_LOOK_MS);
    }
}

enum graft_rc graft_log_sync(struct graft_store *store, struct graft_err *err)
{
    /* The system tells of a failure once for each open file, to whoever syncs then. */
    graft_mutex_lock(store->sync_mutex);
    enum graft_rc rc = sync_half(store, err);
    graft_mutex_unlock(store->sync_mutex);
    return rc;
}

enum graft_rc graft_log_write_again(struct graft_store *store, unsigned half, uint64_t end,
                                    struct graft_err *err)
{
    struct graft_file *file = store->files[half];
    size_t bytes_max = end < COPY_BYTES ? (size_t)end : COPY_BYTES;
    uint8_t *bytes = graft_malloc(store->env->alloc, bytes_max);
    if (bytes == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "writing the log of %s again: out of memory",
                             store->directory);
    enum graft_rc rc = GRAFT_OK;
    for (uint64_t at = 0; at < end && rc == GRAFT_OK; at += COPY_BYTES) {
        size_t size = end - at < COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;
        size_t got = 0;
        rc = graft_file_read(file, at, bytes, size, &got, err);
        if (rc == GRAFT_OK)
            rc = graft_file_write(file, at, bytes, got, err);
    }
    graft_free(store->env->alloc, bytes);
    return rc == GRAFT_OK ? graft_file_sync(file, err) : rc;
}

enum graft_rc graft_log_present_base(struct graft_store *store, struct graft_log_base *out,
                                     struct graft_err *err)
{
    uint64_t head = graft_header_load(store, GRAFT_W_HEAD);
    struct graft_store_snapshot snapshot;
    bool known = graft_ring_load(store, head, &snapshot);
    GRAFT_ASSERT(known);
    out->lsn = head;
    out->page_count = snapshot.page_count;
    graft_sync_words_load(store, &out->sync);
    GRAFT_TRY(graft_ahead_collect(store, head, out->sync.pushed_lsn, &out->ahead,
                                  &out->ahead_commits, err));
    graft_pageset_cut(&out->ahead, out->page_count);
    return GRAFT_OK;
}

static enum graft_rc begin_other(struct graft_store *store, unsigned half, uint64_t generation,
                                 uint64_t live, struct graft_err *err)
{
    struct graft_log_base base;
    graft_log_base_init(&base, store->env->alloc);
    enum graft_rc rc = graft_log_present_base(store, &base, err);
    if (rc == GRAFT_OK)
        rc = graft_half_begin(store, half, generation, live, &base, err);
    graft_log_base_deinit(&base);
    return rc;
}

/* Moves to the other half when this one is long and the other is free. */
static enum graft_rc switch_half(struct graft_store *store, struct graft_err *err)
{
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    uint64_t generation = graft_half_load(store, half, GRAFT_HALF_GENERATION);
    uint64_t other = graft_half_load(store, 1 - half, GRAFT_HALF_GENERATION);
    bool full = graft_header_load(store, GRAFT_W_END) >= store->half_bytes ||
                GRAFT_BUGGIFY("log: move to the other half early");
    bool dead = other <= graft_dead_load(store);
    GRAFT_SOMETIMES(full && !dead, "the log stayed in its half, as the other was still needed");
    if (!dead && GRAFT_MUTANT("store: a half is begun again before it is folded"))
        dead = true;
    if (!full || !dead)
        return GRAFT_OK;
    GRAFT_TRY(graft_log_sync(store, err));
    bool folded =
        graft_header_load(store, GRAFT_W_FOLDED) >= graft_header_load(store, GRAFT_W_HEAD);
    uint64_t next = generation + 1;
    GRAFT_ALWAYS(other < next, "a half that is begun is of a newer generation than before");
    GRAFT_REACHABLE("the log moved to its other half");
    GRAFT_SOMETIMES(!folded, "the log moved while the half before it still counts");
    return begin_other(store, 1 - half, next, folded ? next : generation, err);
}

/* Where the last record of this generation ends that stands behind `offset`, whether those before
 * it are whole or not; `offset` when there is none. */
static enum graft_rc left_over(struct graft_store *store, unsigned half, uint64_t offset,
                               uint64_t *end, struct graft_err *err)
{
    uint64_t seed =
        graft_record_seed(store->volume_seed, graft_half_load(store, half, GRAFT_HALF_GENERATION));
    uint8_t *window = graft_malloc(store->env->alloc, LEFT_OVER_WINDOW_BYTES);
    if (window == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "looking at the log's end: out of memory");
    enum graft_rc rc = GRAFT_OK;
    size_t got = LEFT_OVER_WINDOW_BYTES;
    *end = offset;
    for (uint64_t at = offset; rc == GRAFT_OK && got == LEFT_OVER_WINDOW_BYTES; at += got) {
        struct graft_record record;
        rc = graft_file_read(store->files[half], at, window, LEFT_OVER_WINDOW_BYTES, &got, err);
        for (size_t i = 0; rc == GRAFT_OK && i + GRAFT_RECORD_BYTES <= got;
             i += GRAFT_RECORD_BYTES) {
            if (graft_record_decode(window + i, seed, &record) && record.offset == at + i)
                *end = at + i + GRAFT_RECORD_BYTES + graft_align64(record.payload_bytes);
        }
    }
    graft_free(store->env->alloc, window);
    return rc;
}

static enum graft_rc write_zeros(struct graft_store *store, unsigned half, uint64_t offset,
                                 uint64_t end, struct graft_err *err)
{
    /* From the end, so that what a crash leaves of it is a beginning. */
    while (end > offset) {
        uint64_t size = end - offset < sizeof zeros ? end - offset : sizeof zeros;
        end -= size;
        GRAFT_TRY(graft_file_write(store->files[half], end, zeros, (size_t)size, err));
    }
    return GRAFT_OK;
}

/* All of its records go, and not the first alone: should what is written over them get lost, each
 * that is left would read as sound. Of a large one the space is given back instead. */
enum graft_rc graft_log_void(struct graft_store *store, unsigned half, uint64_t offset,
                             struct graft_err *err)
{
    graft_header_store(store, GRAFT_W_VOID, 1);
    uint64_t end = 0;
    GRAFT_TRY(left_over(store, half, offset, &end, err));
    if (end < offset + GRAFT_RECORD_BYTES)
        end = offset + GRAFT_RECORD_BYTES;
    if (end - offset <= GRAFT_LOG_PREALLOCATE_BYTES) {
        GRAFT_TRY(write_zeros(store, half, offset, end, err));
    } else {
        graft_half_store(store, half, GRAFT_HALF_EXTENT, offset);
        GRAFT_TRY(graft_file_truncate(store->files[half], offset, err));
    }
    GRAFT_TRY(graft_log_sync(store, err));
    graft_header_store(store, GRAFT_W_VOID, 0);
    return GRAFT_OK;
}

enum graft_rc graft_log_void_due(struct graft_store *store, struct graft_err *err)
{
    if (graft_header_load(store, GRAFT_W_VOID) == 0)
        return GRAFT_OK;
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    GRAFT_TRY(graft_log_void(store, half, graft_header_load(store, GRAFT_W_END), err));
    graft_header_store(store, GRAFT_W_PULLING, 0);
    return GRAFT_OK;
}

enum graft_rc graft_log_ready(struct graft_store *store, bool fold_held, struct graft_err *err)
{
    uint64_t switching = graft_header_load(store, GRAFT_W_SWITCHING);
    GRAFT_SOMETIMES(switching != 0, "a half that was begun in part was completed");
    if (switching != 0) {
        uint64_t generation = switching >> 2;
        GRAFT_TRY(begin_other(store, switching >> 1 & 1, generation,
                              (switching & 1) != 0 ? generation : generation - 1, err));
    }
    GRAFT_TRY(graft_log_heal(store, fold_held, err));
    bool due = graft_header_load(store, GRAFT_W_VOID) != 0;
    GRAFT_SOMETIMES(due, "what stood at the log's end was voided before the next commit");
    GRAFT_TRY(graft_log_void_due(store, err));
    if (due)
        GRAFT_TRY(graft_log_heal(store, fold_held, err));
    return switch_half(store, err);
}

static size_t add_zeros(struct graft_span *spans, uint64_t bytes)
{
    size_t count = 0;
    for (; bytes > 0; count++) {
        size_t now = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;
        spans[count] = (struct graft_span){zeros, now};
        bytes -= now;
    }
    return count;
}

enum graft_rc graft_log_append(struct graft_store *store, unsigned half, uint64_t offset,
                               struct graft_span *spans, size_t count, uint64_t bytes,
                               struct graft_err *err)
{
    uint64_t end = offset + bytes;
    GRAFT_ALWAYS(offset % 64 == 0 && bytes % 64 == 0,
                 "records of the log stand at multiples of 64");
    if (end > GRAFT_HALF_BYTES_MAX)
        return graft_err_set(err, GRAFT_EFULL,
                             "%s/log.%u: longer than 32 GiB; end the transactions that read old "
                             "snapshots, so that it can be folded",
                             store->directory, half);
    struct graft_file *file = store->files[half];
    uint64_t extent = graft_half_load(store, half, GRAFT_HALF_EXTENT);
    if (end <= extent)
        return graft_file_writev(file, offset, spans, count, err);

    /* Blocks written before need no metadata at the next sync. As much again as there is, within
     * bounds, so that a small log stays small. */
    uint64_t ahead = end < AHEAD_CHUNK_BYTES             ? AHEAD_CHUNK_BYTES
                     : end < GRAFT_LOG_PREALLOCATE_BYTES ? end
                                                         : GRAFT_LOG_PREALLOCATE_BYTES;
    size_t more = add_zeros(spans + count, ahead);
    struct graft_err ignored = {0};
    if (!GRAFT_BUGGIFY("log: no zeros ahead of its end") &&
        graft_file_writev(file, offset, spans, count + more, &ignored) == GRAFT_OK) {
        graft_half_store(store, half, GRAFT_HALF_EXTENT, end + ahead);
        return GRAFT_OK;
    }
    GRAFT_REACHABLE("the log was appended to without zeros ahead");
    GRAFT_TRY(graft_file_writev(file, offset, spans, count, err));
    graft_half_store(store, half, GRAFT_HALF_EXTENT, end);
    return GRAFT_OK;
}

enum graft_rc graft_log_read(struct graft_store *store, uint32_t place, uint64_t generation,
                             struct graft_record *record, void *bytes, size_t bytes_max,
                             bool *valid, struct graft_err *err)
{
    uint8_t header[GRAFT_RECORD_BYTES];
    uint64_t offset = graft_place_offset(place);
    struct graft_space spaces[] = {{header, sizeof header}, {bytes, bytes_max}};
    size_t got = 0;
    GRAFT_TRY(graft_file_readv(store->files[graft_place_half(place)], offset, spaces,
                               bytes_max > 0 ? 2 : 1, &got, err));
    store->counts.log_reads++;
    struct graft_record found;
    *valid =
        got >= sizeof header &&
        graft_record_decode(header, graft_record_seed(store->volume_seed, generation), &found) &&
        found.offset == offset;
    if (!*valid)
        return GRAFT_OK;
    if (bytes_max > 0) {
        *valid = found.payload_bytes <= bytes_max && got >= sizeof header + found.payload_bytes &&
                 graft_page_sum(store->volume_seed, found.page, bytes, found.payload_bytes) ==
                     found.payload_sum;
    }
    if (*valid)
        *record = found;
    return GRAFT_OK;
}
