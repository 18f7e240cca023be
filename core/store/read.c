/* Finding the version of a page that a snapshot sees: the page word, then the versions in the log
 * from the newest back, then the image. A reader holds no lock: whatever does not verify is read
 * again when the word or the half's generation has changed since, and is rot only if not. */
#include "store/parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"

#define ATTEMPTS_MAX 10000U
#define SLOW_MS 5U

enum outcome { DONE, AGAIN, FAILED };

struct lookup {
    struct graft_store *store;
    uint32_t page;
    uint64_t lsn;
    uint8_t *bytes;
    uint32_t page_bytes;
    _Atomic uint64_t *slot;
    uint64_t word;
    bool suspected;    /* a look at the image failed to verify with this word */
    uint64_t given_up; /* how often pages had been given up by then */
    struct graft_found found;
    enum graft_rc rc; /* of FAILED */
};

uint32_t graft_store_slot_bytes(struct graft_store *store)
{
    return graft_store_page_bytes(store) + (store->config.variable ? 4U : 0U);
}

static enum outcome fail(struct lookup *look, enum graft_rc rc)
{
    look->rc = rc;
    return FAILED;
}

static enum outcome rot(struct lookup *look, const char *file, struct graft_err *err)
{
    GRAFT_REACHABLE("a reader found a page damaged");
    look->store->counts.rot++;
    return fail(look, graft_err_set(err, GRAFT_ECORRUPT,
                                    "page %u: %s/%s is damaged there; restore the directory from "
                                    "a copy, or clone the remote again",
                                    look->page, look->store->directory, file));
}

/* The record at a place in the log is damaged, or gone with a sync that failed. */
static enum outcome log_rot(struct lookup *look, unsigned half, struct graft_err *err)
{
    const char *file = graft_file_name((enum graft_store_file)half);
    if (graft_log_damage(look->store, half) == GRAFT_ECORRUPT)
        return rot(look, file, err);
    GRAFT_REACHABLE("a reader missed a page that went with a failed sync");
    return fail(look,
                graft_err_set(err, GRAFT_EIO,
                              "page %u: a sync of %s/%s failed, and what it covered cannot "
                              "be read again; close the database everywhere and open it again",
                              look->page, look->store->directory, file));
}

/* Reads the record at `place`. AGAIN when it is not what was pointed at, and that may be because
 * the log moved on. */
static enum outcome read_record(struct lookup *look, uint32_t place, uint64_t generation,
                                struct graft_record *record, struct graft_err *err)
{
    struct graft_store *store = look->store;
    bool valid = false;
    enum graft_rc rc = graft_log_read(store, place, generation, record, look->bytes,
                                      look->bytes == NULL ? 0 : look->page_bytes, &valid, err);
    if (rc != GRAFT_OK)
        return fail(look, rc);
    bool frame = valid && record->kind <= GRAFT_RECORD_ZEROS && record->page == look->page &&
                 record->payload_bytes <= look->page_bytes;
    if (frame)
        return DONE;
    unsigned half = graft_place_half(place);
    if (graft_shm_load(look->slot) != look->word ||
        graft_half_load(store, half, GRAFT_HALF_GENERATION) != generation)
        return AGAIN;
    return log_rot(look, half, err);
}

static void take_record(struct lookup *look, uint32_t place, const struct graft_record *record)
{
    look->found.kind = GRAFT_FOUND_LOG;
    look->found.record = record->kind;
    look->found.place = place;
    look->found.lsn = record->lsn;
    look->found.sum = (uint32_t)record->payload_sum;
    look->found.size = record->payload_bytes;
    if (record->kind != GRAFT_RECORD_ZEROS)
        return;
    look->found.size = look->store->config.variable ? 0 : look->page_bytes;
    if (look->bytes == NULL)
        return;
    memset(look->bytes, 0, look->page_bytes);
    look->found.sum = (uint32_t)graft_page_sum(look->store->volume_seed, look->page, look->bytes,
                                               look->found.size);
}

/* Bytes of the image that do not verify are rot when the word is the same as before, and a second
 * look fails while no page was given up: one that was, and came back as it had been, has the same
 * word, and was a hole in between. */
static bool is_rotten(struct lookup *look)
{
    uint64_t given_up = graft_header_load(look->store, GRAFT_W_GIVEN_UP);
    bool same = graft_shm_load(look->slot) == look->word;
    bool rotten = same && look->suspected && look->given_up == given_up;
    look->suspected = same;
    look->given_up = given_up;
    return rotten;
}

static enum outcome read_image(struct lookup *look, struct graft_err *err)
{
    struct graft_store *store = look->store;
    if (!graft_word_present(look->word)) {
        /* What the chain led to may have been folded, and become present, meanwhile. */
        if (graft_shm_load(look->slot) != look->word)
            return AGAIN;
        look->found.kind = GRAFT_FOUND_NOTHING;
        return DONE;
    }
    look->found.kind = GRAFT_FOUND_IMAGE;
    look->found.sum = graft_word_sum(look->word);
    if (look->bytes == NULL)
        return DONE;
    uint8_t prefix[4] = {0};
    bool variable = store->config.variable;
    struct graft_space spaces[] = {{prefix, 4}, {look->bytes, look->page_bytes}};
    size_t got = 0;
    uint64_t offset = (uint64_t)(look->page - 1) * graft_store_slot_bytes(store);
    enum graft_rc rc =
        graft_file_readv(store->files[GRAFT_FILE_IMAGE], offset, variable ? spaces : spaces + 1,
                         variable ? 2 : 1, &got, err);
    if (rc != GRAFT_OK)
        return fail(look, rc);
    store->counts.image_reads++;
    size_t size = look->page_bytes;
    if (variable) {
        size = (size_t)prefix[0] | (size_t)prefix[1] << 8 | (size_t)prefix[2] << 16 |
               (size_t)prefix[3] << 24;
        got = got < 4 ? 0 : got - 4;
    }
    if (size <= got &&
        ((uint32_t)graft_page_sum(store->volume_seed, look->page, look->bytes, size) ==
             graft_word_sum(look->word) ||
         GRAFT_MUTANT("store: a page of the image is not checked when it is read"))) {
        look->found.size = size;
        return DONE;
    }
    return is_rotten(look) ? rot(look, "image", err) : AGAIN;
}

static enum outcome look_once(struct lookup *look, struct graft_err *err)
{
    struct graft_store *store = look->store;
    look->word = graft_shm_load(look->slot);
    look->found = (struct graft_found){.word = look->word};
    if (GRAFT_BUGGIFY("read: slow to follow a page word"))
        graft_task_sleep_ms(store->env->tasks, SLOW_MS);
    if (!graft_word_valid(look->word)) {
        if (graft_shm_load(look->slot) != look->word)
            return AGAIN;
        return rot(look, "table", err);
    }
    uint32_t place = graft_word_place(look->word);
    uint64_t generation =
        place == 0 ? 0 : graft_half_load(store, graft_place_half(place), GRAFT_HALF_GENERATION);
    while (place != 0) {
        struct graft_record record = {0};
        enum outcome outcome = read_record(look, place, generation, &record, err);
        if (outcome != DONE)
            return outcome;
        bool seen = record.lsn <= look->lsn;
        if (record.lsn == look->lsn + 1 &&
            GRAFT_MUTANT("store: a snapshot sees the pages of the commit after it"))
            seen = true;
        if (seen) {
            take_record(look, place, &record);
            return DONE;
        }
        GRAFT_REACHABLE("a reader went back to an older version of a page");
        store->counts.chain_steps++;
        place = record.prev_place;
        generation = record.prev_generation;
        /* A half that was begun again since has nothing that is not in the image. */
        if (place != 0 &&
            graft_half_load(store, graft_place_half(place), GRAFT_HALF_GENERATION) != generation)
            place = 0;
    }
    return read_image(look, err);
}

enum graft_rc graft_store_lookup(struct graft_store *store, uint32_t page, uint64_t lsn,
                                 void *bytes, struct graft_found *found, struct graft_err *err)
{
    struct lookup look = {.store = store,
                          .page = page,
                          .lsn = lsn,
                          .bytes = bytes,
                          .page_bytes = graft_store_page_bytes(store)};
    GRAFT_TRY(graft_table_word(store, page, &look.slot, err));
    for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        switch (look_once(&look, err)) {
        case DONE:
            *found = look.found;
            return GRAFT_OK;
        case FAILED:
            return look.rc;
        case AGAIN:
            GRAFT_REACHABLE("a page was looked up again because it changed meanwhile");
            break;
        }
    }
    return graft_err_set(err, GRAFT_EBUSY, "page %u of %s: changes faster than it can be read",
                         page, store->directory);
}
