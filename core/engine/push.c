/* Push: the pages that local commits changed since the last push become the frames of one remote
 * commit. Few of them travel inside the commit object, so that a small push is one conditional PUT;
 * more go to segments first. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "engine/sync.h"

/* A frame that waits for its object's id. */
struct open_frame {
    uint64_t offset;
    uint32_t stored_bytes;
    uint32_t first_page; /* index into `pages` */
    uint32_t page_count;
};

struct builder {
    struct graft_sync *sync;
    struct graft_alloc *alloc;
    struct graft_codec *codec;
    uint64_t remote_lsn; /* of the commit being built */
    uint32_t page_bytes;
    struct graft_buf bytes;   /* the segment being built, its header included */
    struct graft_buf frames;  /* struct open_frame, those in `bytes` */
    struct graft_buf pages;   /* uint32_t page numbers of those */
    struct graft_pagemap map; /* this commit's pages */
    bool segmented;           /* at least one segment was sent */

    uint8_t *raw; /* pages of the frame being filled */
    size_t raw_bytes;
    struct graft_frame_page filling[GRAFT_FRAME_PAGES_MAX];
    uint32_t filling_count;
};

static enum graft_rc no_memory(struct graft_err *err)
{
    return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a push");
}

static enum graft_rc builder_init(struct builder *build, struct graft_sync *sync,
                                  uint64_t remote_lsn, struct graft_err *err)
{
    struct graft_alloc *alloc = sync->volume->env->alloc;
    *build = (struct builder){.sync = sync, .alloc = alloc, .remote_lsn = remote_lsn};
    build->page_bytes = graft_store_page_bytes(sync->volume->store);
    graft_buf_init(&build->bytes, alloc);
    graft_buf_init(&build->frames, alloc);
    graft_buf_init(&build->pages, alloc);
    graft_pagemap_init(&build->map, alloc);
    size_t room =
        build->page_bytes > GRAFT_FRAME_RAW_BYTES ? build->page_bytes : GRAFT_FRAME_RAW_BYTES;
    build->raw = graft_malloc(alloc, room);
    if (build->raw == NULL || graft_codec_take(sync->volume->process, &build->codec) != GRAFT_OK ||
        graft_segment_begin(&build->bytes) != GRAFT_OK)
        return no_memory(err);
    return GRAFT_OK;
}

static void builder_deinit(struct builder *build)
{
    graft_free(build->alloc, build->raw);
    graft_codec_give(build->sync->volume->process, build->codec);
    graft_pagemap_deinit(&build->map);
    graft_buf_deinit(&build->pages);
    graft_buf_deinit(&build->frames);
    graft_buf_deinit(&build->bytes);
}

/* Enters the open frames into the map as standing in `object`, `shift` bytes further to the front
 * than they were built. */
static enum graft_rc place_frames(struct builder *build, const struct graft_object_ref *object,
                                  uint64_t shift, struct graft_err *err)
{
    size_t count = build->frames.size / sizeof(struct open_frame);
    uint32_t index = 0;
    /* A map of its own, since adding pages out of order is dear in a large one. */
    struct graft_pagemap map;
    graft_pagemap_init(&map, build->alloc);
    enum graft_rc rc = count > 0 ? graft_pagemap_add_object(&map, object, &index) : GRAFT_OK;
    for (size_t i = 0; i < count && rc == GRAFT_OK; i++) {
        struct open_frame open;
        memcpy(&open, build->frames.bytes + i * sizeof open, sizeof open);
        uint32_t pages[GRAFT_FRAME_PAGES_MAX];
        memcpy(pages, build->pages.bytes + open.first_page * sizeof pages[0],
               open.page_count * sizeof pages[0]);
        struct graft_map_frame frame = {
            .object = index,
            .stored_bytes = open.stored_bytes,
            .offset = open.offset - shift,
            .lsn = build->remote_lsn,
        };
        rc = graft_pagemap_add_frame(&map, &frame, pages, open.page_count);
    }
    if (rc == GRAFT_OK)
        rc = graft_pagemap_merge(&build->map, &map);
    graft_pagemap_deinit(&map);
    graft_buf_clear(&build->frames);
    graft_buf_clear(&build->pages);
    return rc == GRAFT_OK ? rc : no_memory(err);
}

static enum graft_rc send_segment(struct builder *build, struct graft_err *err)
{
    struct graft_object_ref object = {.kind = GRAFT_OBJECT_SEGMENT};
    GRAFT_TRY(graft_remote_put_segment(build->sync->remote, build->bytes.bytes, build->bytes.size,
                                       &object.segment, err));
    GRAFT_TRY(place_frames(build, &object, 0, err));
    build->segmented = true;
    graft_buf_clear(&build->bytes);
    return graft_segment_begin(&build->bytes) == GRAFT_OK ? GRAFT_OK : no_memory(err);
}

static int compare_pages(const void *a, const void *b)
{
    const struct graft_frame_page *left = a;
    const struct graft_frame_page *right = b;
    return left->page < right->page ? -1 : left->page > right->page;
}

static enum graft_rc close_frame(struct builder *build, struct graft_err *err)
{
    if (build->filling_count == 0)
        return GRAFT_OK;
    qsort(build->filling, build->filling_count, sizeof build->filling[0], compare_pages);
    struct open_frame open = {
        .offset = build->bytes.size,
        .first_page = (uint32_t)(build->pages.size / sizeof(uint32_t)),
        .page_count = build->filling_count,
    };
    GRAFT_TRY(graft_frame_encode(build->codec, build->filling, build->filling_count, &build->bytes,
                                 &open.stored_bytes, err));
    for (uint32_t i = 0; i < build->filling_count; i++) {
        uint32_t page = build->filling[i].page;
        if (graft_buf_append(&build->pages, &page, sizeof page) != GRAFT_OK)
            return no_memory(err);
    }
    if (graft_buf_append(&build->frames, &open, sizeof open) != GRAFT_OK)
        return no_memory(err);
    build->filling_count = 0;
    build->raw_bytes = 0;
    if (build->bytes.size >= GRAFT_SEGMENT_BYTES_MAX || GRAFT_BUGGIFY("push: a segment a frame"))
        return send_segment(build, err);
    return GRAFT_OK;
}

static enum graft_rc add_page(struct builder *build, uint32_t page, struct graft_err *err)
{
    bool full = build->filling_count == GRAFT_FRAME_PAGES_MAX ||
                (build->filling_count > 0 &&
                 build->raw_bytes + build->page_bytes > GRAFT_FRAME_RAW_BYTES) ||
                (build->filling_count > 0 && GRAFT_BUGGIFY("push: a frame a page"));
    if (full)
        GRAFT_TRY(close_frame(build, err));
    uint8_t *bytes = build->raw + build->raw_bytes;
    size_t got = 0;
    enum graft_rc rc = graft_store_read(build->sync->session, page, bytes, &got, err);
    if (rc != GRAFT_OK)
        return graft_err_wrap(err, rc == GRAFT_ENOTHELD ? GRAFT_ECORRUPT : rc,
                              "reading page %u, which was never pushed", page);
    build->filling[build->filling_count++] =
        (struct graft_frame_page){.page = page, .size = (uint32_t)got, .bytes = bytes};
    build->raw_bytes += got;
    return GRAFT_OK;
}

static enum graft_rc read_for_arrangement(const struct graft_arrangement *arrangement,
                                          uint32_t page, void *bytes, struct graft_err *err)
{
    const struct builder *build = arrangement->reader;
    size_t got = 0;
    return graft_store_read(build->sync->session, page, bytes, &got, err);
}

/* The pages in the order in which they will stand, and how many of them are first pages. */
static enum graft_rc arrange(struct builder *build, const struct graft_pageset *pages,
                             uint32_t page_count, struct graft_arrangement *out,
                             struct graft_err *err)
{
    struct graft_volume *volume = build->sync->volume;
    struct graft_process *process = volume->process;
    *out = (struct graft_arrangement){
        .page_bytes = build->page_bytes,
        .page_count = page_count,
        .pages = graft_calloc(build->alloc, (size_t)pages->page_count + 1, sizeof *out->pages),
        .read = read_for_arrangement,
        .reader = build,
    };
    if (out->pages == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < pages->run_count; i++) {
        for (uint32_t k = 0; k < pages->runs[i].count; k++)
            out->pages[out->count++] = pages->runs[i].first + k;
    }
    if (process->arrange == NULL || graft_store_config(volume->store)->variable)
        return GRAFT_OK;
    return process->arrange(process->arrange_arg, out, err);
}

static enum graft_rc add_pages(struct builder *build, const struct graft_arrangement *arrangement,
                               struct graft_err *err)
{
    for (uint32_t i = 0; i < arrangement->count; i++) {
        if (i == arrangement->first_count)
            GRAFT_TRY(close_frame(build, err));
        GRAFT_TRY(add_page(build, arrangement->pages[i], err));
    }
    GRAFT_TRY(close_frame(build, err));
    size_t inline_bytes = build->bytes.size - GRAFT_SEGMENT_HEADER_BYTES;
    if (!build->segmented && inline_bytes <= GRAFT_INLINE_BYTES_MAX) {
        struct graft_object_ref object = {.kind = GRAFT_OBJECT_COMMIT,
                                          .commit_lsn = build->remote_lsn};
        return place_frames(build, &object, GRAFT_SEGMENT_HEADER_BYTES, err);
    }
    return build->frames.size > 0 ? send_segment(build, err) : GRAFT_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

/* The first pages of the commit: those of the one before that did not change, and what the
 * arrangement says of those that did. */
static enum graft_rc set_first(struct graft_commit *commit, const struct graft_view *base,
                               const struct graft_pageset *changed,
                               const struct graft_arrangement *arrangement)
{
    uint32_t *first = arrangement->pages;
    qsort(first, arrangement->first_count, sizeof *first, compare_numbers);
    for (uint32_t i = 0; i < arrangement->first_count; i++)
        GRAFT_TRY(graft_pageset_add(&commit->first, first[i]));
    struct graft_pageset kept;
    graft_pageset_init(&kept, commit->first.alloc);
    enum graft_rc rc = GRAFT_OK;
    for (uint32_t i = 0; base != NULL && i < base->commit.first.run_count; i++) {
        const struct graft_run *run = &base->commit.first.runs[i];
        for (uint32_t k = 0; k < run->count && rc == GRAFT_OK; k++) {
            if (run->first + k <= commit->page_count &&
                !graft_pageset_contains(changed, run->first + k))
                rc = graft_pageset_add(&kept, run->first + k);
        }
    }
    if (rc == GRAFT_OK)
        rc = graft_pageset_add_all(&commit->first, &kept);
    graft_pageset_deinit(&kept);
    return rc;
}

/* A map that has grown past its limit moves into a checkpoint at the commit that it belongs to; the
 * commit being built starts a new one. Putting the same checkpoint twice is harmless. */
static enum graft_rc write_checkpoint(struct graft_sync *sync, const struct graft_view *base,
                                      struct graft_err *err)
{
    struct graft_alloc *alloc = sync->volume->env->alloc;
    struct graft_checkpoint checkpoint;
    graft_checkpoint_init(&checkpoint, alloc);
    checkpoint.volume = base->commit.volume;
    checkpoint.commit = base->hash;
    checkpoint.lsn = base->commit.lsn;
    checkpoint.page_bytes = base->commit.page_bytes;
    checkpoint.page_count = base->commit.page_count;
    checkpoint.variable = base->commit.variable;
    struct graft_buf object;
    graft_buf_init(&object, alloc);
    enum graft_rc rc = graft_view_whole_map(base, &checkpoint.map);
    if (rc != GRAFT_OK)
        (void)no_memory(err);
    if (rc == GRAFT_OK)
        rc = graft_checkpoint_encode(&checkpoint, &object, err);
    if (rc == GRAFT_OK)
        rc = graft_remote_put_checkpoint(sync->remote, checkpoint.lsn, object.bytes, object.size,
                                         err);
    GRAFT_SOMETIMES(rc == GRAFT_OK, "a push wrote a checkpoint");
    GRAFT_SOMETIMES(rc == GRAFT_OK && base->base != NULL, "a checkpoint followed another one");
    graft_buf_deinit(&object);
    graft_checkpoint_deinit(&checkpoint);
    return rc;
}

static enum graft_rc checkpoint_due(const struct graft_view *base, struct graft_alloc *alloc,
                                    bool *due)
{
    struct graft_buf bytes;
    graft_buf_init(&bytes, alloc);
    enum graft_rc rc = graft_pagemap_encode(&base->commit.map, &bytes);
    *due = bytes.size > GRAFT_SINCE_BYTES_MAX ||
           GRAFT_BUGGIFY("push: a checkpoint though none is due");
    graft_buf_deinit(&bytes);
    return rc;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Fills in what the commit takes over from the one before it. */
static enum graft_rc follow(struct graft_sync *sync, const struct graft_view *base,
                            struct graft_commit *commit, struct graft_err *err)
{
    if (base == NULL) {
        commit->least_page_count = commit->page_count;
        return GRAFT_OK;
    }
    bool due = false;
    if (checkpoint_due(base, sync->volume->env->alloc, &due) != GRAFT_OK)
        return no_memory(err);
    commit->parent = base->hash;
    if (due) {
        GRAFT_TRY(write_checkpoint(sync, base, err));
        commit->checkpoint_lsn = base->commit.lsn;
        commit->least_page_count = least(base->commit.page_count, commit->page_count);
        return GRAFT_OK;
    }
    commit->checkpoint_lsn = base->commit.checkpoint_lsn;
    commit->least_page_count = least(base->commit.least_page_count, commit->page_count);
    if (graft_pagemap_copy(&commit->map, &base->commit.map) != GRAFT_OK ||
        graft_pagemap_cut(&commit->map, commit->page_count) != GRAFT_OK)
        return no_memory(err);
    return GRAFT_OK;
}

/* Builds the commit object of everything up to the pinned snapshot; segments are in the remote when
 * it returns. */
static enum graft_rc build_object(struct graft_sync *sync,
                                  const struct graft_store_snapshot *snapshot,
                                  const struct graft_pageset *pages, const struct graft_view *base,
                                  struct graft_buf *object, struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    const struct graft_config *config = graft_store_config(volume->store);
    struct graft_commit commit;
    graft_commit_init(&commit, volume->env->alloc);
    commit.volume = config->volume;
    commit.client = config->client;
    commit.lsn = sync->state.remote_lsn + 1;
    commit.time_ms = graft_clock_now_ms(volume->env->clock);
    commit.page_bytes = graft_store_page_bytes(volume->store);
    commit.page_count = snapshot->page_count;
    commit.changed_count = (uint32_t)pages->page_count;
    commit.variable = config->variable;
    GRAFT_ALWAYS(commit.lsn == (base == NULL ? 1 : base->commit.lsn + 1),
                 "a remote commit follows the one that it is built on");

    struct builder build;
    struct graft_arrangement arrangement = {.pages = NULL};
    enum graft_rc rc = builder_init(&build, sync, commit.lsn, err);
    if (rc == GRAFT_OK)
        rc = arrange(&build, pages, commit.page_count, &arrangement, err);
    if (rc == GRAFT_OK)
        rc = add_pages(&build, &arrangement, err);
    if (rc == GRAFT_OK && set_first(&commit, base, pages, &arrangement) != GRAFT_OK)
        rc = no_memory(err);
    if (rc == GRAFT_OK)
        rc = follow(sync, base, &commit, err);
    if (rc == GRAFT_OK && graft_pagemap_merge(&commit.map, &build.map) != GRAFT_OK)
        rc = no_memory(err);
    if (rc == GRAFT_OK) {
        size_t skip = GRAFT_SEGMENT_HEADER_BYTES;
        rc = graft_commit_encode(&commit, build.bytes.bytes + skip, build.bytes.size - skip, object,
                                 err);
    }
    graft_free(volume->env->alloc, arrangement.pages);
    builder_deinit(&build);
    graft_commit_deinit(&commit);
    return rc;
}

/* Keeps the map of what was pushed, so that the next fetch or push need not read it back. Failing
 * that costs a request only. */
static void keep_view(struct graft_sync *sync, const struct graft_buf *object)
{
    struct graft_commit commit;
    graft_commit_init(&commit, sync->volume->env->alloc);
    struct graft_hash hash = graft_hash128(object->bytes, object->size);
    struct graft_view *view = NULL;
    struct graft_err ignored;
    if (graft_commit_decode(&commit, object->bytes, object->size, &ignored) == GRAFT_OK &&
        graft_view_put(sync->volume, &commit, &hash, &view, &ignored) == GRAFT_OK)
        graft_view_release(sync->volume, view);
    graft_commit_deinit(&commit);
}

/* What the push carries must be on this disk before it can be in the remote. A log whose sync
 * failed is healed by the next append, which a note is. */
static enum graft_rc make_durable(struct graft_sync *sync, struct graft_err *err)
{
    enum graft_rc rc = graft_store_flush(sync->volume->store, err);
    return rc == GRAFT_EIO ? graft_sync_note(sync, &sync->state, err) : rc;
}

/* The commit that the push builds on, read anew: a remote that was emptied, put back to an older
 * state or rewritten since this process last met it must not get a commit that refers to what it
 * does not have. One request. */
static enum graft_rc read_base(struct graft_sync *sync, struct graft_view **out,
                               struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    struct graft_view *base = NULL;
    GRAFT_TRY(graft_view_read(volume, sync->state.remote_lsn, &base, err));
    enum graft_rc rc = graft_sync_check_base(sync, &base->hash, err);
    if (rc == GRAFT_OK)
        *out = base;
    else
        graft_view_release(volume, base);
    return rc;
}

static enum graft_rc push_pages(struct graft_sync *sync,
                                const struct graft_store_snapshot *snapshot,
                                const struct graft_pageset *pages, struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    struct graft_view *base = NULL;
    if (sync->state.remote_lsn > 0)
        GRAFT_TRY(read_base(sync, &base, err));

    struct graft_pending pending = {
        .local_lsn = snapshot->lsn,
        .remote_lsn = sync->state.remote_lsn + 1,
    };
    graft_buf_init(&pending.object, volume->env->alloc);
    enum graft_rc rc = build_object(sync, snapshot, pages, base, &pending.object, err);
    graft_view_release(volume, base);
    if (rc == GRAFT_OK)
        rc = make_durable(sync, err);
    if (rc == GRAFT_OK && !GRAFT_MUTANT("engine: a push is sent without a record of it"))
        rc = graft_pending_save(sync, &pending, err);
    if (rc == GRAFT_OK)
        rc = graft_pending_send(sync, &pending, false, err);
    if (rc == GRAFT_OK)
        keep_view(sync, &pending.object);
    graft_buf_deinit(&pending.object);
    return rc;
}

static enum graft_rc push(struct graft_sync *sync, struct graft_sync_result *out,
                          struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    struct graft_store_snapshot snapshot;
    GRAFT_TRY(graft_store_begin(sync->session, &snapshot, err));
    struct graft_pageset pages;
    graft_pageset_init(&pages, volume->env->alloc);
    uint64_t commits = 0;
    enum graft_rc rc = graft_store_ahead(volume->store, snapshot.lsn, &pages, &commits, err);
    GRAFT_SOMETIMES(rc == GRAFT_OK && commits > 1, "a push rolled several commits into one");
    GRAFT_SOMETIMES(rc == GRAFT_OK && commits == 0, "a push had nothing to send");
    if (rc == GRAFT_OK && commits > 0) {
        graft_pageset_cut(&pages, snapshot.page_count);
        rc = push_pages(sync, &snapshot, &pages, err);
    }
    if (rc == GRAFT_OK) {
        *out = (struct graft_sync_result){
            .lsn = sync->state.remote_lsn,
            .commits = commits,
            .pages = pages.page_count,
            .changed = commits > 0,
        };
        volume->counts.pushes += commits > 0 ? 1 : 0;
    }
    graft_pageset_deinit(&pages);
    return rc;
}

enum graft_rc graft_push(struct graft_volume *volume, struct graft_sync_result *out,
                         struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct graft_sync sync;
    enum graft_rc rc = graft_sync_begin(&sync, volume, err);
    if (rc == GRAFT_OK)
        rc = push(&sync, out, err);
    return graft_sync_end(&sync, rc, err);
}
