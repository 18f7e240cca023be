/* Hydrate: everything that the newest snapshot lacks, in few large reads: the frames that hold a
 * missing page, in the order in which they stand in their objects, joined into ranges of up to
 * GRAFT_GET_BYTES_MAX. */
#include <stdlib.h>
#include <string.h>

#include "base/catalogue.h"
#include "engine/sync.h"

struct wanted_frame {
    struct graft_object_ref object;
    uint64_t offset;
    uint32_t stored_bytes;
};

struct hydration {
    struct graft_volume *volume;
    struct graft_view *view;
    struct graft_codec *codec;
    struct graft_buf frames; /* struct wanted_frame */
    struct graft_buf bytes;
    uint64_t done_pages;
    uint64_t total_pages;
    graft_progress_fn *progress;
    void *progress_arg;
};

/* A gap between two wanted frames that is read along rather than asked around. */
#define GAP_BYTES_MAX (64U << 10)

static enum graft_rc no_memory(struct graft_err *err)
{
    return graft_err_set(err, GRAFT_ENOMEM, "out of memory for hydrating");
}

static enum graft_rc want(struct hydration *work, const struct graft_place *place)
{
    struct wanted_frame frame = {
        .object = place->object, .offset = place->offset, .stored_bytes = place->stored_bytes};
    size_t count = work->frames.size / sizeof frame;
    if (count > 0) {
        struct wanted_frame last;
        memcpy(&last, work->frames.bytes + (count - 1) * sizeof last, sizeof last);
        if (last.offset == frame.offset &&
            graft_object_ref_compare(&last.object, &frame.object) == 0)
            return GRAFT_OK;
    }
    return graft_buf_append(&work->frames, &frame, sizeof frame);
}

/* What does not fit would only push out what came before it. */
static enum graft_rc check_room(struct hydration *work, struct graft_err *err)
{
    struct graft_volume *volume = work->volume;
    uint64_t limit = graft_cache_limit(volume), missing = 0;
    if (limit == 0)
        return GRAFT_OK;
    for (uint64_t page = 1; page <= work->view->commit.page_count; page++)
        missing += graft_store_page_state(volume->store, (uint32_t)page) == GRAFT_STORE_MISSING;
    if (graft_cache_fits(volume, missing))
        return GRAFT_OK;
    return graft_err_set(err, GRAFT_ELIMIT,
                         "%s does not fit its cache limit of %llu bytes: %llu pages of %u bytes "
                         "are missing; raise the limit or take it off (PRAGMA "
                         "graft_cache_limit=0) first",
                         volume->directory, (unsigned long long)limit, (unsigned long long)missing,
                         graft_store_page_bytes(volume->store));
}

/* Zero pages need no frame: they are installed at once. */
static enum graft_rc collect(struct hydration *work, struct graft_err *err)
{
    struct graft_volume *volume = work->volume;
    const struct graft_config *config = graft_store_config(volume->store);
    uint8_t *zeros = graft_calloc(volume->env->alloc, 1, config->page_bytes);
    if (zeros == NULL)
        return no_memory(err);
    enum graft_rc rc = GRAFT_OK;
    for (uint64_t page = 1; page <= work->view->commit.page_count && rc == GRAFT_OK; page++) {
        if (graft_store_page_state(volume->store, (uint32_t)page) == GRAFT_STORE_HELD)
            continue;
        work->total_pages++;
        struct graft_place place;
        if (graft_view_find(work->view, (uint32_t)page, &place)) {
            if (want(work, &place) != GRAFT_OK)
                rc = no_memory(err);
            continue;
        }
        bool installed = false;
        rc = graft_store_install(volume->store, (uint32_t)page, work->view->commit.lsn,
                                 work->view->commit.lsn, zeros,
                                 config->variable ? 0 : config->page_bytes, &installed, err);
        work->done_pages += installed ? 1 : 0;
    }
    graft_free(volume->env->alloc, zeros);
    return rc;
}

static int compare_frames(const void *a, const void *b)
{
    const struct wanted_frame *left = a;
    const struct wanted_frame *right = b;
    int objects = graft_object_ref_compare(&left->object, &right->object);
    if (objects != 0)
        return objects;
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static enum graft_rc install_frame(struct hydration *work, const struct wanted_frame *frame,
                                   const uint8_t *bytes, struct graft_err *err)
{
    struct graft_frame decoded;
    GRAFT_TRY(graft_frame_decode(work->codec, bytes, frame->stored_bytes,
                                 work->view->commit.page_bytes, &decoded, err));
    work->volume->counts.pages_fetched += decoded.count;
    return graft_fetcher_install(work->volume, work->view, &frame->object, frame->offset, &decoded,
                                 &work->done_pages, err);
}

/* Reads frames [first, end) of one object with one request. */
static enum graft_rc read_range(struct hydration *work, const struct wanted_frame *frames,
                                size_t count, struct graft_err *err)
{
    uint64_t start = frames[0].offset;
    uint64_t end = frames[count - 1].offset + frames[count - 1].stored_bytes;
    graft_buf_clear(&work->bytes);
    work->volume->counts.fetches++;
    GRAFT_TRY(graft_remote_get_range(graft_volume_remote(work->volume), &frames[0].object, start,
                                     (uint32_t)(end - start), &work->bytes, err));
    for (size_t i = 0; i < count; i++) {
        enum graft_rc rc =
            install_frame(work, &frames[i], work->bytes.bytes + (frames[i].offset - start), err);
        if (rc != GRAFT_OK)
            return graft_err_wrap(err, rc, "%s",
                                  graft_remote_url(graft_volume_remote(work->volume)));
    }
    return GRAFT_OK;
}

static bool joins(const struct wanted_frame *first, const struct wanted_frame *last,
                  const struct wanted_frame *next)
{
    uint64_t last_end = last->offset + last->stored_bytes;
    if (GRAFT_BUGGIFY("hydrate: a request a frame"))
        return false;
    return graft_object_ref_compare(&first->object, &next->object) == 0 &&
           next->offset >= last_end && next->offset - last_end <= GAP_BYTES_MAX &&
           next->offset + next->stored_bytes - first->offset <= GRAFT_GET_BYTES_MAX;
}

static enum graft_rc read_all(struct hydration *work, struct graft_err *err)
{
    struct wanted_frame *frames = (struct wanted_frame *)(void *)work->frames.bytes;
    size_t count = work->frames.size / sizeof *frames;
    if (count > 0)
        qsort(frames, count, sizeof *frames, compare_frames);
    /* Pages of one frame need not follow each other. */
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare_frames(&frames[kept - 1], &frames[i]) != 0)
            frames[kept++] = frames[i];
    }
    count = kept;
    for (size_t first = 0; first < count;) {
        size_t end = first + 1;
        while (end < count && joins(&frames[first], &frames[end - 1], &frames[end]))
            end++;
        GRAFT_TRY(read_range(work, frames + first, end - first, err));
        first = end;
        if (work->progress != NULL &&
            !work->progress(work->progress_arg, work->done_pages, work->total_pages))
            return graft_err_set(err, GRAFT_ECANCELED, "hydrating was stopped");
    }
    return GRAFT_OK;
}

static enum graft_rc hydrate(struct hydration *work, struct graft_err *err)
{
    struct graft_volume *volume = work->volume;
    struct graft_sync_state state;
    GRAFT_TRY(graft_store_sync_state(volume->store, &state, err));
    if (state.remote_lsn == 0)
        return GRAFT_OK; /* all that there is was written here */
    GRAFT_TRY(graft_view_get(volume, state.remote_lsn, &work->view, err));
    GRAFT_TRY(check_room(work, err));
    if (graft_codec_take(volume->process, &work->codec) != GRAFT_OK)
        return no_memory(err);
    GRAFT_TRY(collect(work, err));
    return read_all(work, err);
}

enum graft_rc graft_hydrate(struct graft_volume *volume, graft_progress_fn *progress, void *arg,
                            struct graft_sync_result *out, struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct hydration work = {.volume = volume, .progress = progress, .progress_arg = arg};
    graft_buf_init(&work.frames, volume->env->alloc);
    graft_buf_init(&work.bytes, volume->env->alloc);
    struct graft_sync sync;
    enum graft_rc rc = graft_sync_begin(&sync, volume, err);
    if (rc == GRAFT_OK && graft_sync_newest_lsn(volume) == 0) {
        /* A new replica hydrates what the remote has, not the nothing that it knows of. */
        (void)graft_sync_end(&sync, rc, err);
        struct graft_sync_result pulled;
        rc = graft_pull(volume, &pulled, err);
        if (rc != GRAFT_OK)
            return rc;
        rc = graft_sync_begin(&sync, volume, err);
    }
    if (rc == GRAFT_OK)
        rc = hydrate(&work, err);
    if (rc == GRAFT_OK)
        *out = (struct graft_sync_result){
            .lsn = sync.state.remote_lsn, .pages = work.done_pages, .changed = work.done_pages > 0};
    graft_codec_give(volume->process, work.codec);
    graft_view_release(volume, work.view);
    graft_buf_deinit(&work.bytes);
    graft_buf_deinit(&work.frames);
    return graft_sync_end(&sync, rc, err);
}
