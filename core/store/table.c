/* The mapped file `table`: its header, ring and sync words, and the page words behind them. Views
 * of page words are mapped when they are first needed; a piece of the file is allocated before the
 * first store to it, as a store into a hole of a full disk would kill the process. */
#include "store/parts.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/checksum.h"
#include "base/cursor.h"

#define HEADER_SYNC_BYTES 4096U
#define SYNC_WORDS 8U

uint64_t graft_header_load(struct graft_store *store, unsigned index)
{
    return graft_shm_load(&store->header[index]);
}

void graft_header_store(struct graft_store *store, unsigned index, uint64_t value)
{
    graft_shm_store(store->env->shm, &store->header[index], value);
}

void graft_header_raise(struct graft_store *store, unsigned index, uint64_t value)
{
    uint64_t seen = graft_header_load(store, index);
    while (seen < value) {
        if (graft_shm_cas(store->env->shm, &store->header[index], seen, value))
            return;
        seen = graft_header_load(store, index);
    }
}

unsigned graft_half_index(unsigned half, enum graft_half_word word)
{
    GRAFT_ASSERT(half < 2);
    return (unsigned)GRAFT_W_HALVES + half * 8U + (unsigned)word;
}

uint64_t graft_half_load(struct graft_store *store, unsigned half, enum graft_half_word word)
{
    return graft_header_load(store, graft_half_index(half, word));
}

void graft_half_store(struct graft_store *store, unsigned half, enum graft_half_word word,
                      uint64_t value)
{
    graft_header_store(store, graft_half_index(half, word), value);
}

/* ---- Mapping ---- */

/* Chunk 0 has the first GRAFT_CHUNK_WORDS words, each later one as many as all before it. */
static unsigned chunk_of(uint32_t index, uint64_t *first, uint64_t *words)
{
    if (index < GRAFT_CHUNK_WORDS) {
        *first = 0;
        *words = GRAFT_CHUNK_WORDS;
        return 0;
    }
    unsigned above = 31U - (unsigned)__builtin_clz(index / GRAFT_CHUNK_WORDS);
    *first = (uint64_t)GRAFT_CHUNK_WORDS << above;
    *words = *first;
    return above + 1;
}

static enum graft_rc map_chunk(struct graft_store *store, unsigned chunk, uint64_t first,
                               uint64_t words, graft_words_atomic *out, struct graft_err *err)
{
    enum graft_rc rc = GRAFT_OK;
    graft_mutex_lock(store->mutex);
    graft_words_atomic view = atomic_load(&store->chunks[chunk]);
    if (view == NULL) {
        rc = graft_map_view(store->map, GRAFT_TABLE_HEADER_BYTES + first * 8, (size_t)(words * 8),
                            &view, err);
        if (rc == GRAFT_OK)
            atomic_store(&store->chunks[chunk], view);
    }
    graft_mutex_unlock(store->mutex);
    if (rc == GRAFT_OK)
        *out = view;
    return rc;
}

enum graft_rc graft_table_map(struct graft_store *store, struct graft_err *err)
{
    return graft_map_view(store->map, 0, GRAFT_TABLE_HEADER_BYTES, &store->header, err);
}

enum graft_rc graft_table_run(struct graft_store *store, uint32_t page, uint32_t last,
                              _Atomic uint64_t **words, uint32_t *count, struct graft_err *err)
{
    GRAFT_ASSERT(page > 0 && page <= last && last <= GRAFT_PAGES_MAX);
    uint64_t first = 0, chunk_words = 0;
    unsigned chunk = chunk_of(page - 1, &first, &chunk_words);
    GRAFT_ASSERT(chunk < GRAFT_CHUNKS);
    graft_words_atomic view = atomic_load_explicit(&store->chunks[chunk], memory_order_acquire);
    if (view == NULL)
        GRAFT_TRY(map_chunk(store, chunk, first, chunk_words, &view, err));
    uint64_t left = first + chunk_words - (page - 1);
    *words = &view[page - 1 - first];
    *count = left < last - page + 1 ? (uint32_t)left : last - page + 1;
    return GRAFT_OK;
}

enum graft_rc graft_table_word(struct graft_store *store, uint32_t page, _Atomic uint64_t **out,
                               struct graft_err *err)
{
    uint32_t count = 0;
    return graft_table_run(store, page, page, out, &count, err);
}

enum graft_rc graft_table_knows(struct graft_store *store, uint32_t page, bool *known,
                                struct graft_err *err)
{
    uint64_t value = 0;
    if (page <= graft_header_load(store, GRAFT_W_HIGHEST)) {
        _Atomic uint64_t *word = NULL;
        GRAFT_TRY(graft_table_word(store, page, &word, err));
        value = graft_shm_load(word);
    }
    /* The log may still have a version of a page that was given up, and recovery would find it; or
     * whoever gave it up died before the disk knew. */
    bool given_up =
        page <= graft_header_load(store, GRAFT_W_HIGHEST) &&
        (graft_header_load(store, GRAFT_W_GIVING_UP) != 0 ||
         graft_header_load(store, GRAFT_W_FORGOTTEN) > graft_header_load(store, GRAFT_W_DEAD_KEPT));
    *known = value != 0 || given_up;
    return GRAFT_OK;
}

uint64_t graft_table_file_bytes(uint32_t page_count)
{
    uint64_t bytes = GRAFT_TABLE_HEADER_BYTES + (uint64_t)page_count * 8;
    return (bytes + GRAFT_PIECE_BYTES - 1) / GRAFT_PIECE_BYTES * GRAFT_PIECE_BYTES;
}

enum graft_rc graft_table_allocate_header(struct graft_store *store, struct graft_err *err)
{
    return graft_map_allocate(store->map, 0, GRAFT_TABLE_HEADER_BYTES, err);
}

enum graft_rc graft_table_grow(struct graft_store *store, uint32_t page_count,
                               struct graft_err *err)
{
    uint64_t wanted = graft_table_file_bytes(page_count);
    if (graft_shm_load(&store->table_bytes) >= wanted)
        return GRAFT_OK;
    if (GRAFT_BUGGIFY("table: longer than it need be"))
        wanted += GRAFT_PIECE_BYTES;
    uint64_t bytes = 0;
    GRAFT_TRY(graft_map_size(store->map, &bytes, err));
    if (bytes < wanted) {
        GRAFT_TRY(graft_map_resize(store->map, wanted, err));
        bytes = wanted;
    }
    /* It is only cut off when nobody else has it open, or before the first commit. */
    atomic_store(&store->table_bytes, bytes);
    return GRAFT_OK;
}

enum graft_rc graft_table_reserve(struct graft_store *store, uint32_t page, struct graft_err *err)
{
    _Atomic uint64_t *word = NULL;
    GRAFT_TRY(graft_table_word(store, page, &word, err));
    uint64_t piece = (uint64_t)(page - 1) * 8 / GRAFT_PIECE_BYTES;
    _Atomic uint64_t *bits = &store->allocated->bits[piece / 64];
    uint64_t bit = UINT64_C(1) << piece % 64;
    if ((atomic_load_explicit(bits, memory_order_relaxed) & bit) != 0)
        return GRAFT_OK;
    GRAFT_TRY(graft_map_allocate(store->map, GRAFT_TABLE_HEADER_BYTES + piece * GRAFT_PIECE_BYTES,
                                 GRAFT_PIECE_BYTES, err));
    (void)atomic_fetch_or(bits, bit);
    return GRAFT_OK;
}

/* ---- Syncing ---- */

static enum graft_rc sync_in_flight(struct graft_store *store, uint64_t offset, uint64_t bytes,
                                    struct graft_err *err)
{
    struct graft_flight flight;
    GRAFT_TRY(graft_flight_begin(store, GRAFT_SYNCED_TABLE, &flight, err));
    uint64_t synced = graft_synced_load(store);
    enum graft_rc rc = graft_map_sync(store->map, offset, bytes, err);
    if (rc == GRAFT_OK && offset == 0)
        graft_header_raise(store, GRAFT_W_KEPT, synced);
    /* The system may call words clean now that it failed to write, and not those of this range
     * alone: it tells of a failure by the file. See graft_table_mend. */
    GRAFT_SOMETIMES(rc != GRAFT_OK, "a sync of the table failed");
    if (rc != GRAFT_OK)
        graft_header_store(store, GRAFT_W_SUSPECT, 1);
    graft_flight_end(store, &flight);
    return rc;
}

static enum graft_rc sync_range(struct graft_store *store, uint64_t offset, uint64_t bytes,
                                struct graft_err *err)
{
    graft_mutex_lock(store->table_mutex);
    enum graft_rc rc = sync_in_flight(store, offset, bytes, err);
    graft_mutex_unlock(store->table_mutex);
    return rc;
}

enum graft_rc graft_table_sync(struct graft_store *store, uint32_t first, uint32_t last,
                               struct graft_err *err)
{
    GRAFT_ASSERT(first > 0 && first <= last);
    uint64_t from = GRAFT_TABLE_HEADER_BYTES + (uint64_t)(first - 1) * 8;
    uint64_t to = GRAFT_TABLE_HEADER_BYTES + (uint64_t)last * 8;
    from -= from % 4096;
    to = (to + 4095) / 4096 * 4096;
    return sync_range(store, from, to - from, err);
}

enum graft_rc graft_table_sync_folded(struct graft_store *store, uint32_t last,
                                      struct graft_err *err)
{
    uint64_t to = GRAFT_TABLE_HEADER_BYTES + (uint64_t)last * 8;
    return sync_range(store, 0, (to + 4095) / 4096 * 4096, err);
}

enum graft_rc graft_table_sync_header(struct graft_store *store, struct graft_err *err)
{
    uint64_t dead = graft_dead_load(store);
    GRAFT_TRY(sync_range(store, 0, HEADER_SYNC_BYTES, err));
    graft_header_raise(store, GRAFT_W_DEAD_KEPT, dead);
    return GRAFT_OK;
}

uint64_t graft_table_skip_hole(struct graft_store *store, uint64_t page)
{
    uint64_t offset = (page - 1) * 8;
    if (offset % GRAFT_PIECE_BYTES != 0)
        return page;
    offset += GRAFT_TABLE_HEADER_BYTES;
    uint64_t next = graft_map_next_data(store->map, offset);
    return next > offset ? (next - GRAFT_TABLE_HEADER_BYTES) / 8 + 1 : page;
}

/* Stores one of `count` words with the value it has. */
static enum graft_rc touch_one(struct graft_store *store, uint32_t first, uint32_t count,
                               struct graft_err *err)
{
    _Atomic uint64_t *words = NULL;
    uint32_t there = 0;
    GRAFT_TRY(graft_table_reserve(store, first, err));
    /* A page of the system's lies in one view. */
    GRAFT_TRY(graft_table_run(store, first, first + count - 1, &words, &there, err));
    for (uint32_t i = 0; i < there; i++) {
        uint64_t value = graft_shm_load(&words[i]);
        if (graft_shm_cas(store->env->shm, &words[i], value, value))
            break;
    }
    return GRAFT_OK;
}

/* Makes the system take every one of its pages for changed that is in no hole, also where all words
 * are zero: they may have been cleared. */
static enum graft_rc touch_words(struct graft_store *store, uint32_t page_count,
                                 struct graft_err *err)
{
    const uint32_t step = 4096 / 8;
    for (uint64_t page = 1; page <= page_count; page += step) {
        page = graft_table_skip_hole(store, page);
        if (page > page_count)
            break;
        uint64_t left = page_count - page + 1;
        GRAFT_TRY(touch_one(store, (uint32_t)page, left < step ? (uint32_t)left : step, err));
    }
    return GRAFT_OK;
}

enum graft_rc graft_table_mend(struct graft_store *store, struct graft_err *err)
{
    bool giving_up = graft_header_load(store, GRAFT_W_GIVING_UP) != 0;
    if (graft_header_load(store, GRAFT_W_SUSPECT) == 0 && !giving_up)
        return GRAFT_OK;
    uint64_t bytes = 0;
    GRAFT_TRY(graft_map_size(store->map, &bytes, err));
    if (bytes > GRAFT_TABLE_HEADER_BYTES) {
        uint64_t words = (bytes - GRAFT_TABLE_HEADER_BYTES) / 8;
        uint32_t count = words > GRAFT_PAGES_MAX ? GRAFT_PAGES_MAX : (uint32_t)words;
        GRAFT_TRY(touch_words(store, count, err));
    }
    GRAFT_REACHABLE("the table was written again as a sync of it may have failed");
    uint64_t generation = graft_header_load(store, GRAFT_W_GENERATION);
    (void)graft_shm_cas(store->env->shm, &store->header[GRAFT_W_GENERATION], generation,
                        generation);
    graft_header_store(store, GRAFT_W_SUSPECT, 0);
    GRAFT_TRY(sync_range(store, 0, 0, err));
    if (giving_up)
        graft_table_gave_up(store, true);
    return GRAFT_OK;
}

void graft_table_gave_up(struct graft_store *store, bool logged)
{
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    GRAFT_SOMETIMES(logged, "a page was given up that the log may still have");
    if (logged)
        graft_header_raise(store, GRAFT_W_FORGOTTEN,
                           graft_half_load(store, half, GRAFT_HALF_GENERATION));
    graft_header_store(store, GRAFT_W_GIVING_UP, 0);
}

enum graft_rc graft_table_mark_dirty(struct graft_store *store, struct graft_err *err)
{
    if (graft_header_load(store, GRAFT_W_MARKED_DIRTY) != 0)
        return GRAFT_OK;
    if (GRAFT_MUTANT("store: the mark of an orderly close stays when something changes"))
        return GRAFT_OK;
    graft_mutex_lock(store->mutex);
    graft_header_store(store, GRAFT_W_CLEAN, 0);
    enum graft_rc rc = graft_table_sync_header(store, err);
    if (rc == GRAFT_OK)
        graft_header_store(store, GRAFT_W_MARKED_DIRTY, 1);
    graft_mutex_unlock(store->mutex);
    return rc;
}

/* ---- Identity ---- */

static void identity_words(struct graft_store *store, uint64_t out[5])
{
    uint8_t bytes[32];
    struct graft_writer_cursor writer;
    graft_wcur_init(&writer, bytes, sizeof bytes);
    graft_wcur_u64(&writer, GRAFT_TABLE_MAGIC);
    graft_wcur_u64(&writer, GRAFT_TABLE_VERSION);
    graft_wcur_bytes(&writer, store->config.volume.bytes, 16);
    struct graft_reader_cursor reader;
    graft_rcur_init(&reader, bytes, sizeof bytes);
    for (unsigned i = 0; i < 4; i++)
        out[i] = graft_rcur_u64(&reader);
    out[4] = graft_checksum64(bytes, sizeof bytes, 0);
}

void graft_table_set_identity(struct graft_store *store)
{
    uint64_t words[5];
    identity_words(store, words);
    for (unsigned i = 0; i < 5; i++)
        graft_header_store(store, (unsigned)GRAFT_W_MAGIC + i, words[i]);
}

enum graft_rc graft_table_check_identity(struct graft_store *store, struct graft_err *err)
{
    uint64_t wanted[5], found[5];
    identity_words(store, wanted);
    uint8_t bytes[32];
    struct graft_writer_cursor writer;
    graft_wcur_init(&writer, bytes, sizeof bytes);
    for (unsigned i = 0; i < 5; i++) {
        found[i] = graft_header_load(store, (unsigned)GRAFT_W_MAGIC + i);
        if (i < 4)
            graft_wcur_u64(&writer, found[i]);
    }
    if (found[0] != wanted[0] || graft_checksum64(bytes, sizeof bytes, 0) != found[4])
        return graft_err_set(err, GRAFT_ECORRUPT,
                             "%s/table: its header is damaged; restore the directory from a copy, "
                             "or clone the remote again",
                             store->directory);
    if (found[1] != wanted[1])
        return graft_err_set(err, GRAFT_EVERSION, "%s/table: written by a newer version of Graft",
                             store->directory);
    if (found[2] != wanted[2] || found[3] != wanted[3])
        return graft_err_set(err, GRAFT_EFOREIGN,
                             "%s/table: belongs to another volume than the directory's config",
                             store->directory);
    return GRAFT_OK;
}

/* ---- Ring, sync state, synced LSN ---- */

static _Atomic uint64_t *ring_slot(struct graft_store *store, uint64_t lsn)
{
    return &store->header[GRAFT_RING_OFFSET / 8 + lsn % GRAFT_RING_SLOTS * GRAFT_RING_WORDS];
}

bool graft_ring_load(struct graft_store *store, uint64_t lsn, struct graft_store_snapshot *out)
{
    _Atomic uint64_t *slot = ring_slot(store, lsn);
    if (graft_shm_load(&slot[0]) != lsn)
        return false;
    struct graft_store_snapshot snapshot = {
        .lsn = lsn,
        .page_count = (uint32_t)graft_shm_load(&slot[1]),
        .remote_lsn = graft_shm_load(&slot[2]),
    };
    if (graft_shm_load(&slot[0]) != lsn)
        return false;
    GRAFT_ALWAYS(snapshot.page_count <= GRAFT_PAGES_MAX,
                 "a snapshot has no more pages than can be");
    *out = snapshot;
    return true;
}

void graft_ring_store(struct graft_store *store, const struct graft_store_snapshot *snapshot)
{
    struct graft_shm *shm = store->env->shm;
    _Atomic uint64_t *slot = ring_slot(store, snapshot->lsn);
    if (graft_shm_load(&slot[0]) != snapshot->lsn)
        graft_shm_store(shm, &slot[0], UINT64_MAX);
    graft_shm_store(shm, &slot[1], snapshot->page_count);
    graft_shm_store(shm, &slot[2], snapshot->remote_lsn);
    graft_shm_store(shm, &slot[0], snapshot->lsn);
}

static void hash_to_words(const struct graft_hash *hash, uint64_t out[2])
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, hash->bytes, sizeof hash->bytes);
    out[0] = graft_rcur_u64(&cursor);
    out[1] = graft_rcur_u64(&cursor);
}

static void words_to_hash(const uint64_t words[2], struct graft_hash *out)
{
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, out->bytes, sizeof out->bytes);
    graft_wcur_u64(&cursor, words[0]);
    graft_wcur_u64(&cursor, words[1]);
}

/* The copy that the count names is only written again two states later, so it was whole if the
 * count has not moved meanwhile; a writer that dies in between leaves it alone. */
void graft_sync_words_load(struct graft_store *store, struct graft_sync_state *out)
{
    uint64_t words[SYNC_WORDS];
    uint64_t count = 0;
    do {
        count = graft_header_load(store, GRAFT_W_SYNC_COUNT);
        for (unsigned i = 0; i < SYNC_WORDS; i++)
            words[i] =
                graft_header_load(store, (unsigned)GRAFT_W_SYNC + (unsigned)(count & 1) * 8 + i);
    } while (graft_header_load(store, GRAFT_W_SYNC_COUNT) != count);
    *out = (struct graft_sync_state){.remote_lsn = words[0],
                                     .pushed_lsn = words[1],
                                     .pending_lsn = words[2],
                                     .pending_remote_lsn = words[3]};
    words_to_hash(&words[4], &out->remote_hash);
    words_to_hash(&words[6], &out->pending_hash);
}

void graft_sync_words_store(struct graft_store *store, const struct graft_sync_state *state)
{
    uint64_t words[SYNC_WORDS] = {state->remote_lsn, state->pushed_lsn, state->pending_lsn,
                                  state->pending_remote_lsn};
    hash_to_words(&state->remote_hash, &words[4]);
    hash_to_words(&state->pending_hash, &words[6]);
    uint64_t next = graft_header_load(store, GRAFT_W_SYNC_COUNT) + 1;
    for (unsigned i = 0; i < SYNC_WORDS; i++)
        graft_header_store(store, (unsigned)GRAFT_W_SYNC + (unsigned)(next & 1) * 8 + i, words[i]);
    graft_header_store(store, GRAFT_W_SYNC_COUNT, next);
}

uint64_t graft_synced_load(struct graft_store *store)
{
    uint64_t lsn = 0;
    (void)graft_checked_word_value(graft_header_load(store, GRAFT_W_SYNCED), store->volume_seed,
                                   GRAFT_W_SYNCED, &lsn);
    return lsn;
}

uint64_t graft_dead_load(struct graft_store *store)
{
    uint64_t generation = 0;
    (void)graft_checked_word_value(graft_header_load(store, GRAFT_W_DEAD), store->volume_seed,
                                   GRAFT_W_DEAD, &generation);
    return generation;
}

static void raise_checked(struct graft_store *store, enum graft_table_word index, uint64_t value)
{
    uint64_t wanted = graft_checked_word(value, store->volume_seed, index);
    for (;;) {
        uint64_t word = graft_header_load(store, index);
        uint64_t seen = 0;
        bool known = graft_checked_word_value(word, store->volume_seed, index, &seen);
        if (known && seen >= value)
            return;
        if (graft_shm_cas(store->env->shm, &store->header[index], word, wanted))
            return;
    }
}

void graft_dead_raise(struct graft_store *store, uint64_t generation)
{
    raise_checked(store, GRAFT_W_DEAD, generation);
}

void graft_synced_store(struct graft_store *store, uint64_t lsn)
{
    raise_checked(store, GRAFT_W_SYNCED, lsn);
}
