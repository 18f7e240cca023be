/* Hydrate: everything that the newest snapshot lacks: the frames that hold a missing page, in the
 * order in which they stand in their objects, joined into ranges, of which several are read at once
 * by as many lanes: the caller's task, and one of its own for each other. */
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
    struct graft_buf frames; /* struct wanted_frame */
    size_t frame_count;      /* once they are sorted, each once */
    uint64_t range_bytes_max;
    uint64_t total_pages;
    graft_progress_fn *progress;
    void *progress_arg;

    struct graft_mutex *mutex; /* guards what follows */
    size_t next;               /* the first frame that no lane has taken */
    uint64_t done_pages;
    enum graft_rc rc; /* the first failure; then no lane goes on */
    struct graft_err err;
};

/* A gap between two wanted frames that is read along rather than asked around. */
#define GAP_BYTES_MAX (64U << 10)
/* Lanes share the work evenly, in ranges between these and GRAFT_GET_BYTES_MAX. */
#define LANES_MAX 8U
#define RANGE_BYTES_MIN (1U << 20)

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

static bool joins(const struct hydration *work, const struct wanted_frame *first,
                  const struct wanted_frame *last, const struct wanted_frame *next)
{
    uint64_t last_end = last->offset + last->stored_bytes;
    if (GRAFT_BUGGIFY("hydrate: a request a frame"))
        return false;
    return graft_object_ref_compare(&first->object, &next->object) == 0 &&
           next->offset >= last_end && next->offset - last_end <= GAP_BYTES_MAX &&
           next->offset + next->stored_bytes - first->offset <= work->range_bytes_max;
}

/* Sorts the frames, and drops those that are there twice: pages of one frame need not follow each
 * other. */
static void order_frames(struct hydration *work)
{
    struct wanted_frame *frames = (struct wanted_frame *)(void *)work->frames.bytes;
    size_t count = work->frames.size / sizeof *frames;
    uint64_t bytes = 0;
    if (count > 0)
        qsort(frames, count, sizeof *frames, compare_frames);
    for (size_t i = 0; i < count; i++) {
        if (work->frame_count == 0 ||
            compare_frames(&frames[work->frame_count - 1], &frames[i]) != 0) {
            bytes += frames[i].stored_bytes;
            frames[work->frame_count++] = frames[i];
        }
    }
    work->range_bytes_max = bytes / LANES_MAX + GAP_BYTES_MAX; /* no small rest */
    if (work->range_bytes_max < RANGE_BYTES_MIN)
        work->range_bytes_max = RANGE_BYTES_MIN;
    if (work->range_bytes_max > GRAFT_GET_BYTES_MAX)
        work->range_bytes_max = GRAFT_GET_BYTES_MAX;
}

/* ---- Lanes ---- */

struct lane {
    struct hydration *work;
    struct graft_task *task; /* NULL: not running */
};

/* The next range; false when there is none, or no lane is to go on. */
static bool take_range(struct hydration *work, const struct wanted_frame **first, size_t *count)
{
    const struct wanted_frame *frames = (const struct wanted_frame *)(void *)work->frames.bytes;
    graft_mutex_lock(work->mutex);
    bool any = work->rc == GRAFT_OK && work->next < work->frame_count;
    if (any) {
        *first = frames + work->next;
        size_t end = work->next + 1;
        while (end < work->frame_count && joins(work, *first, &frames[end - 1], &frames[end]))
            end++;
        *count = end - work->next;
        work->next = end;
    }
    graft_mutex_unlock(work->mutex);
    return any;
}

static void finish_range(struct hydration *work, uint64_t pages, enum graft_rc rc,
                         const struct graft_err *err)
{
    graft_mutex_lock(work->mutex);
    work->done_pages += pages;
    if (rc != GRAFT_OK && work->rc == GRAFT_OK) {
        work->rc = rc;
        work->err = *err;
    }
    graft_mutex_unlock(work->mutex);
}

/* Reads a range with one request, and puts into the store what it has; adds up pages. */
static enum graft_rc read_range(struct hydration *work, struct graft_codec *codec,
                                struct graft_buf *bytes, const struct wanted_frame *frames,
                                size_t count, uint64_t *pages, struct graft_err *err)
{
    struct graft_volume *volume = work->volume;
    struct graft_remote *remote = graft_volume_remote(volume);
    uint64_t start = frames[0].offset;
    uint64_t end = frames[count - 1].offset + frames[count - 1].stored_bytes;
    graft_buf_clear(bytes);
    volume->counts.fetches++;
    GRAFT_TRY(graft_remote_get_range(remote, &frames[0].object, start, (uint32_t)(end - start),
                                     bytes, err));
    for (size_t i = 0; i < count; i++) {
        const struct wanted_frame *frame = &frames[i];
        struct graft_frame decoded;
        enum graft_rc rc =
            graft_frame_decode(codec, bytes->bytes + (frame->offset - start), frame->stored_bytes,
                               work->view->commit.page_bytes, &decoded, err);
        if (rc == GRAFT_OK) {
            volume->counts.pages_fetched += decoded.count;
            rc = graft_fetcher_install(volume, work->view, &frame->object, frame->offset, &decoded,
                                       pages, err);
        }
        if (rc != GRAFT_OK)
            return graft_err_wrap(err, rc, "%s", graft_remote_url(remote));
    }
    return GRAFT_OK;
}

static bool goes_on(struct hydration *work)
{
    graft_mutex_lock(work->mutex);
    uint64_t done = work->done_pages;
    graft_mutex_unlock(work->mutex);
    return work->progress(work->progress_arg, done, work->total_pages);
}

/* Reads range after range; the caller's task tells how far all of them are. */
static void run_lane(struct hydration *work, bool tells)
{
    struct graft_codec *codec = NULL;
    struct graft_buf bytes;
    struct graft_err err = {0};
    const struct wanted_frame *frames = NULL;
    size_t count = 0;
    graft_buf_init(&bytes, work->volume->env->alloc);
    if (graft_codec_take(work->volume->process, &codec) != GRAFT_OK)
        finish_range(work, 0, no_memory(&err), &err);
    while (take_range(work, &frames, &count)) {
        uint64_t pages = 0;
        enum graft_rc rc = read_range(work, codec, &bytes, frames, count, &pages, &err);
        finish_range(work, pages, rc, &err);
        if (rc == GRAFT_OK && tells && work->progress != NULL && !goes_on(work))
            finish_range(work, 0, graft_err_set(&err, GRAFT_ECANCELED, "hydrating was stopped"),
                         &err);
    }
    graft_codec_give(work->volume->process, codec);
    graft_buf_deinit(&bytes);
}

static void run_lane_task(void *arg)
{
    run_lane(((struct lane *)arg)->work, false);
}

static uint32_t count_lanes(const struct hydration *work)
{
    const struct wanted_frame *frames = (const struct wanted_frame *)(void *)work->frames.bytes;
    uint32_t lanes = work->frame_count > 0 ? 1 : 0;
    for (size_t i = 1, first = 0; i < work->frame_count && lanes < LANES_MAX; i++) {
        if (joins(work, &frames[first], &frames[i - 1], &frames[i]))
            continue;
        first = i;
        lanes++;
    }
    return lanes;
}

static enum graft_rc read_all(struct hydration *work, struct graft_err *err)
{
    struct lane lanes[LANES_MAX] = {0};
    struct graft_tasks *tasks = work->volume->env->tasks;
    uint32_t count = count_lanes(work);
    if (count == 0)
        return GRAFT_OK;
    if (graft_mutex_new(tasks, &work->mutex) != GRAFT_OK)
        return no_memory(err);
    for (uint32_t i = 1; i < count; i++) {
        struct graft_err ignored = {0};
        lanes[i].work = work;
        if (graft_task_spawn(tasks, "graft-hydrate", run_lane_task, &lanes[i], &lanes[i].task,
                             &ignored) != GRAFT_OK)
            break; /* those that there are do it */
    }
    run_lane(work, true);
    for (uint32_t i = 1; i < count; i++) {
        if (lanes[i].task != NULL)
            graft_task_join(lanes[i].task);
    }
    graft_mutex_free(work->mutex);
    GRAFT_SOMETIMES(count > 1, "ranges of a hydration were read side by side");
    if (work->rc != GRAFT_OK)
        *err = work->err;
    return work->rc;
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
    GRAFT_TRY(collect(work, err));
    order_frames(work);
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
    graft_view_release(volume, work.view);
    graft_buf_deinit(&work.frames);
    return graft_sync_end(&sync, rc, err);
}
