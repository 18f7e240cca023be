/* Pull: the replica's base moves to the remote's newest commit. Held pages that changed become
 * "remote" and are fetched when somebody asks for them; the pages that travel inside the newest
 * commit object are here already and go in at once. */
#include "base/assert.h"
#include "base/catalogue.h"
#include "engine/sync.h"

static enum graft_rc no_memory(struct graft_err *err)
{
    return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a pull");
}

/* Writes one inline frame's pages into the open transaction. */
static enum graft_rc write_frame(struct graft_sync *sync, const struct graft_view *view,
                                 const struct graft_map_frame *frame, uint32_t frame_index,
                                 struct graft_codec *codec, const struct graft_buf *object,
                                 struct graft_err *err)
{
    if (frame->offset > object->size || frame->stored_bytes > object->size - frame->offset)
        return graft_err_set(err, GRAFT_ECORRUPT,
                             "commit %llu of %s ends before its inline pages do",
                             (unsigned long long)view->commit.lsn, graft_remote_url(sync->remote));
    struct graft_frame decoded;
    GRAFT_TRY(graft_frame_decode(codec, object->bytes + frame->offset, frame->stored_bytes,
                                 view->commit.page_bytes, &decoded, err));
    for (uint32_t i = 0; i < decoded.count; i++) {
        const struct graft_frame_page *page = &decoded.pages[i];
        const struct graft_map_entry *entry = graft_pagemap_find(&view->commit.map, page->page);
        if (entry == NULL || entry->frame != frame_index)
            continue;
        GRAFT_TRY(graft_store_write(sync->session, page->page, page->bytes, page->size, err));
    }
    return GRAFT_OK;
}

static enum graft_rc write_inline(struct graft_sync *sync, const struct graft_view *view,
                                  const struct graft_buf *object, struct graft_err *err)
{
    const struct graft_pagemap *map = &view->commit.map;
    struct graft_codec *codec = NULL;
    if (graft_codec_take(sync->volume->process, &codec) != GRAFT_OK)
        return no_memory(err);
    enum graft_rc rc = GRAFT_OK;
    for (uint32_t i = 0; i < map->frame_count && rc == GRAFT_OK; i++) {
        const struct graft_object_ref *ref = &map->objects[map->frames[i].object];
        bool inside = ref->kind == GRAFT_OBJECT_COMMIT && ref->commit_lsn == view->commit.lsn;
        if (inside)
            rc = write_frame(sync, view, &map->frames[i], i, codec, object, err);
    }
    graft_codec_give(sync->volume->process, codec);
    return rc;
}

static enum graft_rc mark_remote(struct graft_sync *sync, const struct graft_pageset *pages,
                                 struct graft_err *err)
{
    for (uint32_t i = 0; i < pages->run_count; i++) {
        const struct graft_run *run = &pages->runs[i];
        for (uint32_t k = 0; k < run->count; k++)
            GRAFT_TRY(graft_store_write_remote(sync->session, run->first + k, err));
    }
    return GRAFT_OK;
}

/* One PULL commit. The commit lock is held. */
static enum graft_rc commit_pull(struct graft_sync *sync, const struct graft_view *view,
                                 const struct graft_buf *object,
                                 const struct graft_pageset *changed, struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    struct graft_store_snapshot before;
    bool pinned = graft_store_pinned(sync->session, &before);
    GRAFT_ASSERT(pinned);
    struct graft_sync_state state = {
        .remote_lsn = view->commit.lsn,
        .remote_hash = view->hash,
        .pushed_lsn = before.lsn + 1,
    };
    struct graft_store_commit commit = {
        .kind = GRAFT_COMMIT_PULL,
        .durable = true,
        .sync = &state,
        .time_ms = graft_clock_now_ms(volume->env->clock),
    };
    GRAFT_ALWAYS(view->commit.lsn > before.remote_lsn, "a pull goes forward in the remote's log");
    if (!GRAFT_MUTANT("engine: a pull leaves held pages that changed as they are"))
        GRAFT_TRY(mark_remote(sync, changed, err));
    if (!GRAFT_MUTANT("engine: a pull does not take over the page count"))
        GRAFT_TRY(graft_store_write_page_count(sync->session, view->commit.page_count, err));
    if (!GRAFT_BUGGIFY("pull: leave the pages that came along in the remote"))
        GRAFT_TRY(write_inline(sync, view, object, err));
    GRAFT_TRY(graft_store_prepare(sync->session, &commit, err));
    graft_store_publish(sync->session);
    sync->state = state;
    return GRAFT_OK;
}

/* Under the commit lock nothing local can be added any more: whether both sides moved is decided
 * here. */
static enum graft_rc accept(struct graft_sync *sync, const struct graft_view *view,
                            const struct graft_buf *object, const struct graft_pageset *changed,
                            struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    GRAFT_TRY(graft_sync_write_begin(sync, err));
    struct graft_pageset ahead;
    graft_pageset_init(&ahead, volume->env->alloc);
    uint64_t commits = 0;
    enum graft_rc rc = graft_store_ahead(volume->store, 0, &ahead, &commits, err);
    graft_pageset_deinit(&ahead);
    GRAFT_SOMETIMES(rc == GRAFT_OK && commits > 0, "a pull found that both sides had moved");
    if (GRAFT_MUTANT("engine: a pull goes over local commits"))
        commits = 0;
    if (rc == GRAFT_OK && commits > 0)
        rc = graft_err_set(
            err, GRAFT_EDIVERGED,
            "%s has commits that %s lacks, which has %llu of its own: nothing was changed; "
            "keep the remote's with PRAGMA graft_reset, or export yours first",
            graft_remote_url(sync->remote), volume->directory, (unsigned long long)commits);
    if (rc == GRAFT_OK)
        rc = commit_pull(sync, view, object, changed, err);
    if (rc != GRAFT_OK) {
        struct graft_err ignored;
        enum graft_rc ended = graft_store_rollback(sync->session, &ignored);
        if (ended != GRAFT_OK)
            graft_log_write(volume->env->log, GRAFT_LOG_ERROR, "ending a pull: %s", ignored.text);
    }
    graft_store_end(sync->session);
    return rc;
}

static enum graft_rc pull(struct graft_sync *sync, struct graft_sync_result *out,
                          struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    uint64_t newest = 0;
    struct graft_view *view = NULL;
    struct graft_buf object;
    struct graft_pageset changed;
    graft_buf_init(&object, volume->env->alloc);
    graft_pageset_init(&changed, volume->env->alloc);
    uint64_t before = sync->state.remote_lsn;
    uint64_t pages = 0;
    enum graft_rc rc = graft_sync_newest(sync, &newest, &view, &object, err);
    GRAFT_SOMETIMES(rc == GRAFT_OK && newest == before, "a pull found nothing new");
    GRAFT_SOMETIMES(rc == GRAFT_OK && before > 0 && newest > before + 1,
                    "a pull went over several remote commits");
    if (rc == GRAFT_OK && newest > before) {
        /* A replica that holds nothing yet has nothing to mark. */
        if (before > 0 && graft_view_changed_since(view, before, &changed) != GRAFT_OK)
            rc = no_memory(err);
        pages = before > 0 ? changed.page_count : view->commit.page_count;
        if (rc == GRAFT_OK)
            rc = accept(sync, view, &object, &changed, err);
        if (rc == GRAFT_OK)
            volume->counts.pulls++;
    }
    if (rc == GRAFT_OK)
        *out = (struct graft_sync_result){
            .lsn = newest,
            .commits = newest - before,
            .pages = pages,
            .changed = newest > before,
        };
    graft_view_release(volume, view);
    graft_pageset_deinit(&changed);
    graft_buf_deinit(&object);
    return rc;
}

enum graft_rc graft_pull(struct graft_volume *volume, struct graft_sync_result *out,
                         struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct graft_sync sync;
    enum graft_rc rc = graft_sync_begin(&sync, volume, err);
    if (rc == GRAFT_OK)
        rc = pull(&sync, out, err);
    return graft_sync_end(&sync, rc, err);
}

enum graft_rc graft_fetch(struct graft_volume *volume, struct graft_sync_result *out,
                          struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct graft_sync sync;
    uint64_t newest = 0;
    struct graft_view *view = NULL;
    enum graft_rc rc = graft_sync_begin(&sync, volume, err);
    if (rc == GRAFT_OK)
        rc = graft_sync_newest(&sync, &newest, &view, NULL, err);
    if (rc == GRAFT_OK)
        *out = (struct graft_sync_result){
            .lsn = newest,
            .commits = newest - sync.state.remote_lsn,
            .changed = newest > sync.state.remote_lsn,
        };
    graft_view_release(volume, view);
    return graft_sync_end(&sync, rc, err);
}

/* Throws the local commits away, under the commit lock, and moves to the view. */
static enum graft_rc drop_local(struct graft_sync *sync, const struct graft_view *view,
                                const struct graft_pageset *changed, uint64_t *dropped,
                                struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    GRAFT_TRY(graft_sync_write_begin(sync, err));
    struct graft_store_snapshot pinned;
    (void)graft_store_pinned(sync->session, &pinned);
    struct graft_sync_state state = {
        .remote_lsn = view->commit.lsn,
        .remote_hash = view->hash,
        .pushed_lsn = pinned.lsn + 1,
    };
    struct graft_pageset ahead;
    graft_pageset_init(&ahead, volume->env->alloc);
    enum graft_rc rc = graft_store_ahead(volume->store, 0, &ahead, dropped, err);
    graft_pageset_deinit(&ahead);
    bool needed = *dropped > 0 || view->commit.lsn != sync->state.remote_lsn;
    if (GRAFT_MUTANT("engine: a reset keeps held pages that the remote changed"))
        changed = NULL;
    if (rc == GRAFT_OK && needed)
        rc = graft_store_reset(sync->session, view->commit.page_count, changed, &state, err);
    struct graft_err ignored;
    if (graft_store_writing(sync->session) &&
        graft_store_rollback(sync->session, &ignored) != GRAFT_OK)
        graft_log_write(volume->env->log, GRAFT_LOG_ERROR, "ending a reset: %s", ignored.text);
    graft_store_end(sync->session);
    return rc;
}

static enum graft_rc reset(struct graft_sync *sync, struct graft_sync_result *out,
                           struct graft_err *err)
{
    struct graft_volume *volume = sync->volume;
    uint64_t newest = 0;
    uint64_t dropped = 0;
    struct graft_view *view = NULL;
    struct graft_pageset changed;
    graft_pageset_init(&changed, volume->env->alloc);
    const uint64_t before = sync->state.remote_lsn;
    enum graft_rc rc = graft_sync_newest(sync, &newest, &view, NULL, err);
    if (rc == GRAFT_OK && newest == 0)
        rc = graft_err_set(err, GRAFT_EINVAL, "%s is empty: there is nothing to reset to",
                           graft_remote_url(sync->remote));
    if (rc == GRAFT_OK && graft_view_changed_since(view, before, &changed) != GRAFT_OK)
        rc = no_memory(err);
    if (rc == GRAFT_OK)
        rc = drop_local(sync, view, &changed, &dropped, err);
    if (rc == GRAFT_OK)
        *out = (struct graft_sync_result){.lsn = newest,
                                          .commits = dropped,
                                          .pages = newest > before ? changed.page_count : 0,
                                          .changed = dropped > 0 || newest > before};
    graft_view_release(volume, view);
    graft_pageset_deinit(&changed);
    return rc;
}

enum graft_rc graft_reset(struct graft_volume *volume, struct graft_sync_result *out,
                          struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct graft_sync sync;
    enum graft_rc rc = graft_sync_begin(&sync, volume, err);
    if (rc == GRAFT_OK)
        rc = reset(&sync, out, err);
    return graft_sync_end(&sync, rc, err);
}
