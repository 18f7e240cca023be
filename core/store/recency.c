/* How recently pages were read, for the choice of what is given up first: a clock over the page
 * numbers, with two bits a page in the mapped file `recency`, which all processes share. A page has
 * one credit when it comes and two once it is read again; each pass of the hand takes one, and who
 * has none goes. So what is read again and again outlives what was read once, however much that is.
 *
 * The file is there only when the cache has a limit; without, a read pays for one load. It has a
 * fixed number of fields, which pages that are far apart share, and is allocated by pieces before
 * they are touched, like the table. Nothing in it is ever synced or checked: whatever is lost or
 * wrong there changes only what is given up first. */
#include "store/parts.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/catalogue.h"

#define FIELDS (UINT32_C(1) << 25)
#define FIELD_BITS 2U
#define FIELDS_A_WORD (64U / FIELD_BITS)
#define RECENCY_BYTES ((size_t)FIELDS / 8U * FIELD_BITS)
#define FIELDS_A_PIECE (GRAFT_PIECE_BYTES * 8U / FIELD_BITS)
#define FIELD_MASK UINT64_C(3)
#define BLOCK_BYTES 4096U

enum credit { ARRIVED = 1, READ_AGAIN = 2 };

_Static_assert(FIELDS / FIELDS_A_PIECE == GRAFT_RECENCY_PIECES, "a bit for each piece");

/* ---- The file ---- */

static enum graft_rc open_map(struct graft_store *store, struct graft_err *err)
{
    struct graft_recency *recency = &store->recency;
    char path[GRAFT_PATH_BYTES_MAX];
    graft_words_atomic words = NULL;
    GRAFT_TRY(graft_store_path(store, "recency", path, err));
    GRAFT_TRY(graft_map_open(store->env->shm, path, true, &recency->map, err));
    GRAFT_TRY(graft_map_view(recency->map, 0, RECENCY_BYTES, &words, err));
    atomic_store(&recency->words, words);
    return GRAFT_OK;
}

void graft_recency_open(struct graft_store *store)
{
    struct graft_recency *recency = &store->recency;
    if (graft_store_cache_limit(store) == 0 || atomic_load(&recency->words) != NULL)
        return;
    struct graft_err err = {0};
    enum graft_rc rc = GRAFT_OK;
    graft_mutex_lock(store->mutex);
    if (!recency->refused && atomic_load(&recency->words) == NULL)
        rc = open_map(store, &err);
    recency->refused = rc != GRAFT_OK;
    graft_mutex_unlock(store->mutex);
    if (rc != GRAFT_OK)
        graft_log_write(store->env->log, GRAFT_LOG_WARN,
                        "%s: it is not known how recently pages are read: %s", store->directory,
                        err.text);
}

void graft_recency_close(struct graft_store *store)
{
    graft_map_close(store->recency.map);
    store->recency.map = NULL;
    atomic_store(&store->recency.words, NULL);
}

void graft_recency_tidy(struct graft_store *store)
{
    char path[GRAFT_PATH_BYTES_MAX];
    struct graft_err err = {0};
    if (store->recency.map == NULL || graft_store_cache_limit(store) != 0)
        return;
    enum graft_rc rc = graft_store_path(store, "recency", path, &err);
    if (rc == GRAFT_OK)
        rc = graft_disk_remove(store->env->disk, path, &err);
    if (rc != GRAFT_OK && rc != GRAFT_ENOTFOUND)
        graft_log_write(store->env->log, GRAFT_LOG_WARN, "closing %s: %s", store->directory,
                        err.text);
}

/* Whether the field may be touched. */
static bool reserve(struct graft_store *store, uint32_t field)
{
    struct graft_recency *recency = &store->recency;
    uint32_t piece = field / FIELDS_A_PIECE;
    _Atomic uint64_t *bits = &recency->allocated[piece / 64];
    uint64_t bit = UINT64_C(1) << piece % 64;
    if ((atomic_load_explicit(bits, memory_order_relaxed) & bit) != 0)
        return true;
    struct graft_err ignored = {0};
    if (graft_map_allocate(recency->map, (uint64_t)piece * GRAFT_PIECE_BYTES, GRAFT_PIECE_BYTES,
                           &ignored) != GRAFT_OK)
        return false;
    (void)atomic_fetch_or(bits, bit);
    return true;
}

/* ---- Credits ---- */

uint32_t graft_recency_field(struct graft_store *store, uint32_t page)
{
    uint64_t slot_bytes = graft_store_slot_bytes(store);
    uint64_t index = page - 1;
    if (slot_bytes < BLOCK_BYTES)
        index = index * slot_bytes / BLOCK_BYTES;
    return (uint32_t)(index % FIELDS);
}

/* One try is enough: another one's change is as good. */
static void raise_to(struct graft_store *store, graft_words_atomic words, uint32_t page,
                     enum credit credit)
{
    uint32_t field = graft_recency_field(store, page);
    if (!reserve(store, field))
        return;
    _Atomic uint64_t *word = &words[field / FIELDS_A_WORD];
    unsigned shift = field % FIELDS_A_WORD * FIELD_BITS;
    uint64_t seen = graft_shm_load(word);
    if ((seen >> shift & FIELD_MASK) < (uint64_t)credit)
        (void)graft_shm_cas(store->env->shm, word, seen,
                            (seen & ~(FIELD_MASK << shift)) | (uint64_t)credit << shift);
}

void graft_recency_arrived(struct graft_store *store, uint32_t page)
{
    graft_recency_open(store);
    graft_words_atomic words = atomic_load(&store->recency.words);
    if (words != NULL)
        raise_to(store, words, page, ARRIVED);
}

void graft_store_touch(struct graft_store *store, uint32_t page)
{
    graft_words_atomic words = atomic_load_explicit(&store->recency.words, memory_order_acquire);
    if (words != NULL)
        raise_to(store, words, page, READ_AGAIN);
}

bool graft_recency_spend(struct graft_store *store, uint32_t field)
{
    graft_words_atomic words = atomic_load(&store->recency.words);
    if (words == NULL || !reserve(store, field))
        return false;
    _Atomic uint64_t *word = &words[field / FIELDS_A_WORD];
    unsigned shift = field % FIELDS_A_WORD * FIELD_BITS;
    for (;;) {
        uint64_t seen = graft_shm_load(word);
        if ((seen >> shift & FIELD_MASK) == 0)
            return false;
        if (graft_shm_cas(store->env->shm, word, seen, seen - (UINT64_C(1) << shift)))
            return true;
    }
}
