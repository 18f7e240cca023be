/* Pages of the remote: putting a fetched one into the image, and knowing which are missing. The
 * image is only written under the fold lock, after the word was read again there, and only where
 * every reader that there is or may come sees the same version. */
#include "store/parts.h"

#include "base/assert.h"
#include "base/catalogue.h"

struct install {
    struct graft_store *store;
    uint32_t page;
    uint64_t version_lsn;
    const void *bytes;
    size_t size;
    _Atomic uint64_t *slot;
    uint64_t word;
};

/* Whether the word says that the head's version is the remote's and not here, and `*lsn`, since
 * which local commit. */
static enum graft_rc wants_version(struct install *self, bool *wants, uint64_t *lsn,
                                   struct graft_err *err)
{
    *wants = false;
    *lsn = 0;
    if (!graft_word_valid(self->word))
        return GRAFT_OK;
    if (graft_word_place(self->word) == 0) {
        bool ahead = false;
        if (graft_word_present(self->word))
            return GRAFT_OK;
        /* A table that lost a word must not let an older version in. */
        GRAFT_TRY(graft_ahead_has(self->store, self->page, &ahead, err));
        *wants = !ahead;
        return GRAFT_OK;
    }
    struct graft_found found;
    /* The newest version, and not the head's: the word of a commit that is being published stands
     * before the head does, and must not be taken for the frame behind it. */
    GRAFT_TRY(graft_store_lookup(self->store, self->page, UINT64_MAX, NULL, &found, err));
    *wants = found.kind == GRAFT_FOUND_LOG && found.record == GRAFT_RECORD_REMOTE &&
             found.word == self->word && found.lsn <= graft_synced_load(self->store);
    *lsn = found.lsn;
    return GRAFT_OK;
}

/* Whether all readers, those to come included, see this version. */
static bool readers_agree(struct install *self, uint64_t lsn)
{
    graft_header_raise(self->store, GRAFT_W_FLOOR, lsn);
    graft_header_raise(self->store, GRAFT_W_REMOTE_FLOOR, self->version_lsn);
    graft_shm_fence();
    bool agree = graft_marks_reach(self->store, lsn, self->version_lsn);
    GRAFT_SOMETIMES(!agree, "a fetched page was not kept, as an older snapshot is being read");
    return agree || GRAFT_MUTANT("store: a fetched page is kept whoever reads older snapshots");
}

static enum graft_rc put_into_image(struct install *self, bool *installed, struct graft_err *err)
{
    struct graft_store *store = self->store;
    struct graft_shm *shm = store->env->shm;
    GRAFT_TRY(graft_table_reserve(store, self->page, err));
    if (graft_word_present(self->word)) {
        GRAFT_REACHABLE("a fetched page took the place of an older version in the image");
        /* An older version is there that nobody reads any more: no word may speak of it while its
         * bytes change. */
        uint64_t without = graft_word_make(false, graft_word_place(self->word), 0);
        if (!graft_shm_cas(shm, self->slot, self->word, without))
            return GRAFT_OK;
        self->word = without;
    }
    GRAFT_TRY(graft_image_write(store, self->page, self->bytes, self->size, err));
    uint32_t sum =
        (uint32_t)graft_page_sum(store->volume_seed, self->page, self->bytes, self->size);
    *installed = graft_shm_cas(shm, self->slot, self->word, graft_word_make(true, 0, sum));
    GRAFT_SOMETIMES(*installed, "a fetched page was put into the image");
    if (*installed) {
        graft_recency_arrived(store, self->page);
        store->counts.installs++;
    }
    return GRAFT_OK;
}

static enum graft_rc install_locked(struct install *self, uint64_t resolved_lsn, bool *installed,
                                    struct graft_err *err)
{
    struct graft_store *store = self->store;
    uint64_t head = graft_header_load(store, GRAFT_W_HEAD);
    struct graft_store_snapshot snapshot;
    /* A pull whose writer died has no frames for pages that were not held then. */
    bool pulling = graft_header_load(store, GRAFT_W_PULLING) != 0;
    GRAFT_SOMETIMES(pulling, "a page was not kept, as a pull of one who died was in between");
    if (pulling)
        return GRAFT_OK;
    if (!graft_ring_load(store, head, &snapshot) || self->page > snapshot.page_count)
        return GRAFT_OK;
    GRAFT_SOMETIMES(snapshot.remote_lsn != resolved_lsn,
                    "a page was fetched for an older snapshot");
    if (snapshot.remote_lsn != resolved_lsn &&
        !GRAFT_MUTANT("store: a page fetched for an older snapshot is kept for the newest"))
        return GRAFT_OK;
    GRAFT_TRY(graft_table_word(store, self->page, &self->slot, err));
    self->word = graft_shm_load(self->slot);
    bool wants = false;
    uint64_t lsn = 0;
    GRAFT_TRY(wants_version(self, &wants, &lsn, err));
    if (!wants || !readers_agree(self, lsn))
        return GRAFT_OK;
    /* Should the end of the log rot, something must tell that the pull which the page belongs to
     * was there: the image would be ahead of what is left. */
    if (graft_header_load(store, GRAFT_W_PULLED) > graft_header_load(store, GRAFT_W_KEPT))
        GRAFT_TRY(graft_table_sync_header(store, err));
    return put_into_image(self, installed, err);
}

enum graft_rc graft_store_install(struct graft_store *store, uint32_t page, uint64_t resolved_lsn,
                                  uint64_t version_lsn, const void *bytes, size_t size,
                                  bool *installed, struct graft_err *err)
{
    uint32_t page_bytes = graft_store_page_bytes(store);
    if (page == 0 || page > GRAFT_PAGES_MAX || version_lsn > resolved_lsn || resolved_lsn == 0 ||
        size > page_bytes || (!store->config.variable && size != page_bytes))
        return graft_err_set(err, GRAFT_EINVAL,
                             "installing page %u: %zu bytes, version %llu of %llu", page, size,
                             (unsigned long long)version_lsn, (unsigned long long)resolved_lsn);
    struct install self = {
        .store = store, .page = page, .version_lsn = version_lsn, .bytes = bytes, .size = size};
    bool taken = false, done = false;
    GRAFT_TRY(graft_table_mark_dirty(store, err));
    GRAFT_TRY(graft_fold_try(store, &taken, err));
    if (taken) {
        enum graft_rc rc = install_locked(&self, resolved_lsn, &done, err);
        graft_fold_release(store);
        GRAFT_TRY(rc);
    }
    *installed = done;
    return GRAFT_OK;
}

enum graft_store_page graft_store_page_state(struct graft_store *store, uint32_t page)
{
    _Atomic uint64_t *slot = NULL;
    struct graft_err ignored = {0};
    if (page == 0 || page > graft_header_load(store, GRAFT_W_HIGHEST) ||
        graft_table_word(store, page, &slot, &ignored) != GRAFT_OK)
        return GRAFT_STORE_MISSING;
    uint64_t word = graft_shm_load(slot);
    if (word == 0 || (graft_word_place(word) == 0 && !graft_word_present(word)))
        return GRAFT_STORE_MISSING;
    if (graft_word_place(word) == 0)
        return GRAFT_STORE_HELD;
    struct graft_found found;
    if (graft_store_lookup(store, page, UINT64_MAX, NULL, &found, &ignored) == GRAFT_OK &&
        (found.kind == GRAFT_FOUND_NOTHING ||
         (found.kind == GRAFT_FOUND_LOG && found.record == GRAFT_RECORD_REMOTE)))
        return GRAFT_STORE_MISSING;
    return GRAFT_STORE_HELD;
}
