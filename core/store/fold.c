/* Folding: moving the newest versions that every reader may see from the log into the image, so
 * that a log half can be begun again. The order is what makes it safe: the log is synced first, so
 * that the image never has a page of a commit that a crash could take back; the image is synced
 * before a word says what is in it; the table is synced before the half behind it is given up. */
#include "store/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"

#define BATCH_PAGES 16384U
#define RUN_BYTES (256U << 10)
#define WAIT_MS 2U

/* ---- The lock ---- */

enum graft_rc graft_fold_try(struct graft_store *store, bool *taken, struct graft_err *err)
{
    /* The lock file keeps processes apart, the flag this process's tasks. */
    graft_mutex_lock(store->mutex);
    bool busy = store->fold_busy;
    store->fold_busy = true;
    graft_mutex_unlock(store->mutex);
    bool granted = false;
    enum graft_rc rc = GRAFT_OK;
    GRAFT_SOMETIMES(busy, "another task of the process held the fold lock");
    if (!busy && !GRAFT_BUGGIFY("fold lock: not had at this try"))
        rc = graft_lock_try(store->locks, GRAFT_LOCK_FOLD, true, &granted, err);
    if (!busy && !granted) {
        graft_mutex_lock(store->mutex);
        store->fold_busy = false;
        graft_mutex_unlock(store->mutex);
    }
    if (rc == GRAFT_OK)
        *taken = granted;
    return rc;
}

enum graft_rc graft_fold_wait(struct graft_store *store, uint32_t timeout_ms, struct graft_err *err)
{
    for (uint32_t waited = 0;; waited += WAIT_MS) {
        bool taken = false;
        GRAFT_TRY(graft_fold_try(store, &taken, err));
        if (taken)
            return GRAFT_OK;
        if (waited >= timeout_ms)
            return graft_err_set(err, GRAFT_EBUSY, "%s: another process folds", store->directory);
        graft_task_sleep_ms(store->env->tasks, WAIT_MS);
    }
}

void graft_fold_release(struct graft_store *store)
{
    graft_lock_release(store->locks, GRAFT_LOCK_FOLD);
    graft_mutex_lock(store->mutex);
    GRAFT_ASSERT(store->fold_busy);
    store->fold_busy = false;
    graft_mutex_unlock(store->mutex);
}

/* ---- Pages ---- */

struct entry {
    uint32_t page, place, sum;
    bool present;
};

struct folder {
    struct graft_store *store;
    struct entry *entries;
    size_t entry_count;
    uint8_t *run; /* slots of neighbours, written together */
    uint32_t run_first, run_count, run_max;
    uint32_t zeros_first, zeros_count; /* neighbours that become a hole */
    uint32_t slot_bytes;
    uint32_t last; /* page of the batch; 0: none yet */
};

static enum graft_rc folder_init(struct folder *folder, struct graft_store *store, size_t count,
                                 struct graft_err *err)
{
    struct graft_alloc *alloc = store->env->alloc;
    *folder = (struct folder){.store = store, .slot_bytes = graft_store_slot_bytes(store)};
    folder->run_max = RUN_BYTES / folder->slot_bytes;
    if (folder->run_max > count)
        folder->run_max = (uint32_t)count;
    if (folder->run_max == 0)
        folder->run_max = 1;
    folder->entries = graft_calloc(alloc, count, sizeof *folder->entries);
    /* A page more: lookups read into the run, and want room for a whole page. */
    folder->run = graft_calloc(alloc, folder->run_max + 1U, folder->slot_bytes);
    if (folder->entries == NULL || folder->run == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "folding %s: out of memory", store->directory);
    return GRAFT_OK;
}

static void folder_deinit(struct folder *folder)
{
    graft_free(folder->store->env->alloc, folder->entries);
    graft_free(folder->store->env->alloc, folder->run);
}

static void put_length(uint8_t out[4], size_t size)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(size >> 8 * i);
}

enum graft_rc graft_image_write(struct graft_store *store, uint32_t page, const void *bytes,
                                size_t size, struct graft_err *err)
{
    uint8_t prefix[4];
    put_length(prefix, size);
    struct graft_span spans[] = {{prefix, 4}, {bytes, size}};
    bool variable = store->config.variable;
    return graft_file_writev(store->files[GRAFT_FILE_IMAGE],
                             (uint64_t)(page - 1) * graft_store_slot_bytes(store),
                             variable ? spans : spans + 1, variable ? 2 : 1, err);
}

static enum graft_rc flush_run(struct folder *folder, struct graft_err *err)
{
    if (folder->run_count == 0)
        return GRAFT_OK;
    GRAFT_TRY(graft_file_write(folder->store->files[GRAFT_FILE_IMAGE],
                               (uint64_t)(folder->run_first - 1) * folder->slot_bytes, folder->run,
                               (size_t)folder->run_count * folder->slot_bytes, err));
    folder->run_count = 0;
    return GRAFT_OK;
}

/* Where no hole can be made zeros are written, through the memory of the run. */
static enum graft_rc write_zeros(struct folder *folder, uint64_t offset, uint64_t bytes,
                                 struct graft_err *err)
{
    GRAFT_TRY(flush_run(folder, err));
    uint64_t most = (uint64_t)folder->run_max * folder->slot_bytes;
    memset(folder->run, 0, (size_t)most);
    for (uint64_t at = 0; at < bytes; at += most) {
        uint64_t now = bytes - at < most ? bytes - at : most;
        GRAFT_TRY(graft_file_write(folder->store->files[GRAFT_FILE_IMAGE], offset + at, folder->run,
                                   (size_t)now, err));
    }
    return GRAFT_OK;
}

static enum graft_rc flush_zeros(struct folder *folder, struct graft_err *err)
{
    if (folder->zeros_count == 0)
        return GRAFT_OK;
    struct graft_file *image = folder->store->files[GRAFT_FILE_IMAGE];
    uint64_t offset = (uint64_t)(folder->zeros_first - 1) * folder->slot_bytes;
    uint64_t bytes = (uint64_t)folder->zeros_count * folder->slot_bytes, size = 0;
    folder->zeros_count = 0;
    GRAFT_TRY(graft_file_size(image, &size, err));
    if (size < offset + bytes)
        GRAFT_TRY(graft_file_truncate(image, offset + bytes, err));
    struct graft_err refused = {0};
    enum graft_rc rc = graft_file_punch(image, offset, bytes, &refused);
    GRAFT_SOMETIMES(rc == GRAFT_OK, "pages of zeros became a hole in the image");
    if (rc == GRAFT_EUNSUPPORTED)
        return write_zeros(folder, offset, bytes, err);
    return rc == GRAFT_OK ? rc : graft_err_set(err, rc, "%s", refused.text);
}

static enum graft_rc add_zeros(struct folder *folder, uint32_t page, struct graft_err *err)
{
    if (folder->zeros_count > 0 && page != folder->zeros_first + folder->zeros_count)
        GRAFT_TRY(flush_zeros(folder, err));
    if (folder->zeros_count == 0)
        folder->zeros_first = page;
    folder->zeros_count++;
    folder->store->counts.folded_pages++;
    return GRAFT_OK;
}

/* Finds the version and puts it behind the run. */
static enum graft_rc fold_one(struct folder *folder, uint32_t page, uint64_t lsn,
                              struct graft_err *err)
{
    struct graft_store *store = folder->store;
    if (folder->run_count > 0 &&
        (page != folder->run_first + folder->run_count || folder->run_count == folder->run_max))
        GRAFT_TRY(flush_run(folder, err));
    uint8_t *slot = folder->run + (size_t)folder->run_count * folder->slot_bytes;
    uint8_t *bytes = slot + (store->config.variable ? 4 : 0);
    struct graft_found found;
    GRAFT_TRY(graft_store_lookup(store, page, lsn, bytes, &found, err));
    folder->last = page;
    /* It was fetched and installed since, which is not synced: a crash could bring back the word
     * and the bytes of a version before, which its frame in the log keeps from counting until now.
     */
    GRAFT_SOMETIMES(found.kind == GRAFT_FOUND_IMAGE, "a fold found a page in the image already");
    if (found.kind != GRAFT_FOUND_LOG)
        return GRAFT_OK;
    GRAFT_ALWAYS(found.lsn <= lsn, "no version above the fold's point is folded");
    bool present = found.record != GRAFT_RECORD_REMOTE;
    GRAFT_SOMETIMES(!present, "a fold found that a page is the remote's");
    folder->entries[folder->entry_count++] =
        (struct entry){page, found.place, present ? found.sum : 0, present};
    /* The bytes of the version before go too: should the table's sync be lost, the word that comes
     * back is not to find what it names. */
    if (!present)
        return add_zeros(folder, page, err);
    GRAFT_TRY(graft_table_reserve(store, page, err));
    if (found.record == GRAFT_RECORD_ZEROS && !store->config.variable)
        return add_zeros(folder, page, err);
    if (store->config.variable) {
        put_length(slot, found.size);
        memset(bytes + found.size, 0, graft_store_page_bytes(store) - found.size);
    }
    if (folder->run_count == 0)
        folder->run_first = page;
    folder->run_count++;
    store->counts.folded_pages++;
    return GRAFT_OK;
}

static enum graft_rc swap_words(struct folder *folder, struct graft_err *err)
{
    struct graft_store *store = folder->store;
    for (size_t i = 0; i < folder->entry_count; i++) {
        const struct entry *entry = &folder->entries[i];
        _Atomic uint64_t *slot = NULL;
        GRAFT_TRY(graft_table_word(store, entry->page, &slot, err));
        for (;;) {
            uint64_t word = graft_shm_load(slot);
            uint32_t place = graft_word_place(word);
            uint64_t folded =
                graft_word_make(entry->present, place == entry->place ? 0 : place, entry->sum);
            if (graft_shm_cas(store->env->shm, slot, word, folded))
                break;
        }
    }
    return GRAFT_OK;
}

static enum graft_rc fold_batch(struct folder *folder, const uint32_t *pages, size_t count,
                                uint64_t lsn, struct graft_err *err)
{
    struct graft_store *store = folder->store;
    folder->entry_count = 0;
    folder->run_count = folder->zeros_count = 0;
    folder->last = 0;
    for (size_t i = 0; i < count; i++)
        GRAFT_TRY(fold_one(folder, pages[i], lsn, err));
    GRAFT_TRY(flush_run(folder, err));
    GRAFT_TRY(flush_zeros(folder, err));
    if (!GRAFT_MUTANT("store: a fold does not sync the image"))
        GRAFT_TRY(graft_file_sync(store->files[GRAFT_FILE_IMAGE], err));
    store->counts.syncs++;
    GRAFT_TRY(swap_words(folder, err));
    if (GRAFT_MUTANT("store: a fold does not sync the table"))
        return GRAFT_OK;
    GRAFT_TRY(graft_table_sync_folded(store, folder->last, err));
    return graft_table_mend(store, err);
}

enum graft_rc graft_fold_pages(struct graft_store *store, const uint32_t *pages, size_t count,
                               uint64_t lsn, struct graft_err *err)
{
    if (count == 0)
        return GRAFT_OK;
    struct folder folder;
    enum graft_rc rc = folder_init(&folder, store, count < BATCH_PAGES ? count : BATCH_PAGES, err);
    for (size_t at = 0, now = 0; at < count && rc == GRAFT_OK; at += now) {
        now = count - at < BATCH_PAGES ? count - at : BATCH_PAGES;
        if (now > 1 && GRAFT_BUGGIFY("fold: by a page only"))
            now = 1;
        rc = fold_batch(&folder, pages + at, now, lsn, err);
    }
    folder_deinit(&folder);
    return rc;
}

/* ---- A whole fold ---- */

struct collection {
    struct graft_alloc *alloc;
    uint32_t *pages;
    size_t count, capacity;
    uint64_t above, upto; /* LSNs */
};

static enum graft_rc collect_run(struct collection *self, const struct graft_run *run,
                                 struct graft_err *err)
{
    if (self->capacity - self->count < run->count) {
        size_t capacity = self->capacity * 2 + run->count + 1024;
        uint32_t *pages = graft_realloc(self->alloc, self->pages, capacity, sizeof *pages);
        if (pages == NULL)
            return graft_err_set(err, GRAFT_ENOMEM, "folding: out of memory");
        self->pages = pages;
        self->capacity = capacity;
    }
    for (uint32_t i = 0; i < run->count; i++)
        self->pages[self->count++] = run->first + i;
    return GRAFT_OK;
}

static enum graft_rc collect_commit(void *arg, const struct graft_record *record,
                                    const struct graft_commit_payload *payload, bool *stop,
                                    struct graft_err *err)
{
    struct collection *self = arg;
    *stop = record->lsn <= self->above;
    if (*stop || record->lsn > self->upto)
        return GRAFT_OK;
    for (uint32_t i = 0; i < payload->pages.run_count; i++)
        GRAFT_TRY(collect_run(self, &payload->pages.runs[i], err));
    return GRAFT_OK;
}

static int by_number(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void sort_distinct(struct collection *self)
{
    if (self->count < 2)
        return;
    qsort(self->pages, self->count, sizeof *self->pages, by_number);
    size_t kept = 1;
    for (size_t i = 1; i < self->count; i++) {
        if (self->pages[i] != self->pages[kept - 1])
            self->pages[kept++] = self->pages[i];
    }
    self->count = kept;
}

/* A half none of whose commits is needed any more may be begun again. */
static void give_up_half(struct graft_store *store, uint64_t folded)
{
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    uint64_t generation = graft_half_load(store, half, GRAFT_HALF_GENERATION);
    uint64_t other = graft_half_load(store, 1 - half, GRAFT_HALF_GENERATION);
    bool whole = folded >= graft_half_load(store, half, GRAFT_HALF_BASE_LSN);
    GRAFT_SOMETIMES(other < generation && other > graft_dead_load(store) && whole,
                    "a log half was folded whole, and given up");
    if (other < generation && whole)
        graft_dead_raise(store, other);
}

enum graft_rc graft_fold_run(struct graft_store *store, uint64_t *folded, struct graft_err *err)
{
    GRAFT_TRY(graft_table_mend(store, err));
    uint64_t head = graft_header_load(store, GRAFT_W_HEAD);
    if (graft_header_load(store, GRAFT_W_POISON) != 0 || graft_log_is_unheard(store))
        head = graft_synced_load(store); /* what came after is not to be relied on */
    else if (graft_synced_load(store) < head)
        GRAFT_TRY(graft_log_sync(store, err));
    graft_header_raise(store, GRAFT_W_FLOOR, head);
    graft_shm_fence();
    uint64_t upto = graft_marks_least(store, head);
    GRAFT_SOMETIMES(upto < head, "a reader held a fold back");
    if (GRAFT_MUTANT("store: a fold ignores the readers' marks"))
        upto = head;
    if (upto > graft_header_load(store, GRAFT_W_FOLDED) + 1 &&
        GRAFT_BUGGIFY("fold: one commit less than it may"))
        upto--;
    GRAFT_ALWAYS(upto <= graft_header_load(store, GRAFT_W_HEAD),
                 "a fold does not reach beyond the newest commit");
    GRAFT_ALWAYS(upto <= graft_synced_load(store), "only durable commits are folded");
    struct collection pages = {.alloc = store->env->alloc,
                               .above = graft_header_load(store, GRAFT_W_FOLDED),
                               .upto = upto};
    enum graft_rc rc = GRAFT_OK;
    if (upto > pages.above) {
        struct graft_walk_end end;
        rc = graft_log_walk(store, collect_commit, &pages, &end, err);
        sort_distinct(&pages);
        if (rc == GRAFT_OK)
            rc = graft_fold_pages(store, pages.pages, pages.count, upto, err);
        if (rc == GRAFT_OK) {
            graft_header_raise(store, GRAFT_W_FOLDED, upto);
            store->counts.folds++;
        }
    }
    if (rc == GRAFT_OK) {
        give_up_half(store, graft_header_load(store, GRAFT_W_FOLDED));
        *folded = upto;
    }
    graft_free(store->env->alloc, pages.pages);
    return rc;
}

enum graft_rc graft_store_fold(struct graft_store *store, struct graft_err *err)
{
    bool taken = false;
    uint64_t folded = 0;
    GRAFT_TRY(graft_table_mark_dirty(store, err));
    GRAFT_TRY(graft_fold_try(store, &taken, err));
    if (!taken)
        return graft_err_set(err, GRAFT_EBUSY, "%s: another process folds", store->directory);
    enum graft_rc rc = graft_fold_run(store, &folded, err);
    graft_fold_release(store);
    return rc;
}

void graft_fold_maybe(struct graft_store *store)
{
    unsigned half = (unsigned)graft_header_load(store, GRAFT_W_HALF);
    bool needed = graft_half_load(store, 1 - half, GRAFT_HALF_GENERATION) > graft_dead_load(store);
    if ((!needed && !GRAFT_BUGGIFY("fold: although the log is short")) ||
        graft_header_load(store, GRAFT_W_POISON) != 0)
        return;
    struct graft_err err = {0};
    bool taken = false;
    uint64_t folded = 0;
    enum graft_rc rc = graft_fold_try(store, &taken, &err);
    if (taken) {
        uint64_t wanted = graft_half_load(store, half, GRAFT_HALF_BASE_LSN);
        if (graft_marks_least(store, wanted) >= wanted)
            rc = graft_fold_run(store, &folded, &err);
        graft_fold_release(store);
    }
    if (rc != GRAFT_OK)
        graft_log_write(store->env->log, GRAFT_LOG_WARN, "folding the log of %s: %s",
                        store->directory, err.text);
}
