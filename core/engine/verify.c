/* Verify: every held page read and checked, repaired from the remote where the remote has it; and,
 * for a remote URL, the whole chain of commits and every frame that the newest page map names. */
#include <string.h>

#include "engine/sync.h"

static enum graft_rc verify_page(struct graft_session *session, uint32_t page, uint8_t *bytes,
                                 struct graft_verify_result *result, struct graft_err *err)
{
    struct graft_volume *volume = session->volume;
    uint32_t size = graft_store_page_bytes(volume->store);
    size_t got;
    enum graft_rc rc = graft_store_read(session->store, page, bytes, &got, err);
    if (rc == GRAFT_ENOTHELD)
        return GRAFT_OK;
    result->held++;
    if (rc != GRAFT_ECORRUPT)
        return rc;
    uint64_t repairs = volume->counts.repairs;
    rc = graft_session_read(session, page, bytes, size, &got, err);
    if (rc == GRAFT_OK) {
        result->repaired += volume->counts.repairs > repairs ? 1 : 0;
        return GRAFT_OK;
    }
    if (rc != GRAFT_ECORRUPT)
        return rc;
    if (result->bad++ == 0)
        result->first_bad = page;
    return GRAFT_OK;
}

static enum graft_rc verify_pages(struct graft_session *session, graft_progress_fn *progress,
                                  void *arg, struct graft_verify_result *result,
                                  struct graft_err *err)
{
    struct graft_alloc *alloc = session->volume->env->alloc;
    struct graft_snapshot snapshot;
    GRAFT_TRY(graft_session_begin(session, &snapshot, err));
    result->pages = snapshot.page_count;
    uint8_t *bytes = graft_malloc(alloc, graft_store_page_bytes(session->volume->store));
    if (bytes == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for verifying");
    enum graft_rc rc = GRAFT_OK;
    for (uint64_t page = 1; page <= snapshot.page_count && rc == GRAFT_OK; page++) {
        rc = verify_page(session, (uint32_t)page, bytes, result, err);
        bool report = progress != NULL && (page % 1024 == 0 || page == snapshot.page_count);
        if (rc == GRAFT_OK && report && !progress(arg, page, snapshot.page_count))
            rc = graft_err_set(err, GRAFT_ECANCELED, "verifying was stopped");
    }
    graft_free(alloc, bytes);
    return rc;
}

enum graft_rc graft_verify(struct graft_volume *volume, graft_progress_fn *progress, void *arg,
                           struct graft_verify_result *out, struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct graft_verify_result result = {0};
    struct graft_session *session = NULL;
    enum graft_rc rc = graft_session_open(volume, &session, err);
    if (rc == GRAFT_OK)
        rc = verify_pages(session, progress, arg, &result, err);
    graft_session_close(session);
    if (rc == GRAFT_OK || rc == GRAFT_ECORRUPT)
        *out = result;
    if (rc == GRAFT_OK && result.bad > 0)
        rc = graft_err_set(
            err, GRAFT_ECORRUPT,
            "%s: %llu of %llu pages are rotten and no remote holds them, the first is page %u",
            volume->directory, (unsigned long long)result.bad, (unsigned long long)result.held,
            result.first_bad);
    return graft_volume_failed(volume, rc, err);
}

/* ---- The remote ---- */

struct remote_check {
    struct graft_env *env;
    struct graft_remote *remote;
    struct graft_codec *codec;
    struct graft_buf bytes;
    graft_progress_fn *progress;
    void *progress_arg;
    uint64_t total_pages;
    struct graft_verify_result result;
};

/* Every frame that the map's entries name holds the pages that they say. */
static enum graft_rc check_frame(struct remote_check *check, const struct graft_pagemap *map,
                                 uint32_t frame_index, uint32_t page_bytes, struct graft_err *err)
{
    const struct graft_map_frame *frame = &map->frames[frame_index];
    graft_buf_clear(&check->bytes);
    GRAFT_TRY(graft_remote_get_range(check->remote, &map->objects[frame->object], frame->offset,
                                     frame->stored_bytes, &check->bytes, err));
    struct graft_frame decoded;
    GRAFT_TRY(graft_frame_decode(check->codec, check->bytes.bytes, check->bytes.size, page_bytes,
                                 &decoded, err));
    for (uint32_t i = 0; i < decoded.count; i++) {
        const struct graft_map_entry *entry = graft_pagemap_find(map, decoded.pages[i].page);
        if (entry == NULL || entry->frame != frame_index)
            continue;
        if (entry->index + (decoded.pages[i].page - entry->page) != i)
            return graft_err_set(err, GRAFT_ECORRUPT, "page %u does not stand where the map says",
                                 decoded.pages[i].page);
        check->result.held++;
    }
    return GRAFT_OK;
}

static enum graft_rc check_map(struct remote_check *check, const struct graft_pagemap *map,
                               uint32_t page_bytes, struct graft_err *err)
{
    uint64_t mapped = 0;
    for (uint32_t i = 0; i < map->entry_count; i++)
        mapped += map->entries[i].count;
    uint64_t before = check->result.held;
    for (uint32_t i = 0; i < map->frame_count; i++) {
        enum graft_rc rc = check_frame(check, map, i, page_bytes, err);
        if (rc != GRAFT_OK)
            return graft_err_wrap(err, rc, "frame at %llu",
                                  (unsigned long long)map->frames[i].offset);
        if (check->progress != NULL && i % 64 == 0 &&
            !check->progress(check->progress_arg, check->result.held, check->total_pages))
            return graft_err_set(err, GRAFT_ECANCELED, "verifying was stopped");
    }
    if (check->result.held - before != mapped)
        return graft_err_set(err, GRAFT_ECORRUPT,
                             "%llu of %llu mapped pages are not in their frames",
                             (unsigned long long)(mapped - (check->result.held - before)),
                             (unsigned long long)mapped);
    return GRAFT_OK;
}

/* Walks from the newest commit to the first: each must be the parent that the one after it names.
 */
static enum graft_rc check_chain(struct remote_check *check, const struct graft_commit *newest,
                                 struct graft_err *err)
{
    struct graft_hash expected = newest->parent;
    for (uint64_t lsn = newest->lsn; lsn-- > 1;) {
        struct graft_commit commit;
        struct graft_hash hash;
        graft_commit_init(&commit, check->env->alloc);
        enum graft_rc rc = graft_remote_get_commit(check->remote, lsn, &commit, &hash, NULL, err);
        if (rc == GRAFT_OK && !graft_hash_equal(&hash, &expected))
            rc = graft_err_set(err, GRAFT_ECORRUPT,
                               "commit %llu is not the parent that commit %llu names",
                               (unsigned long long)lsn, (unsigned long long)lsn + 1);
        expected = commit.parent;
        graft_commit_deinit(&commit);
        if (rc != GRAFT_OK)
            return rc;
    }
    return GRAFT_OK;
}

static enum graft_rc check_remote(struct remote_check *check, struct graft_commit *newest,
                                  struct graft_checkpoint *checkpoint, struct graft_err *err)
{
    uint64_t lsn = 0;
    uint64_t checkpoint_lsn = 0;
    GRAFT_TRY(graft_remote_newest(check->remote, 0, &lsn, &checkpoint_lsn, err));
    if (lsn == 0)
        return graft_err_set(err, GRAFT_ENOTFOUND, "no volume is there");
    struct graft_hash hash;
    GRAFT_TRY(graft_remote_get_commit(check->remote, lsn, newest, &hash, NULL, err));
    check->result.pages = newest->page_count;
    check->total_pages = newest->page_count;
    GRAFT_TRY(check_chain(check, newest, err));
    if (newest->checkpoint_lsn > 0) {
        GRAFT_TRY(
            graft_remote_get_checkpoint(check->remote, newest->checkpoint_lsn, checkpoint, err));
        GRAFT_TRY(check_map(check, &checkpoint->map, newest->page_bytes, err));
    }
    return check_map(check, &newest->map, newest->page_bytes, err);
}

enum graft_rc graft_verify_remote(struct graft_env *env, const char *url,
                                  graft_progress_fn *progress, void *arg,
                                  struct graft_verify_result *out, struct graft_err *err)
{
    struct graft_err local = {0};
    if (err == NULL)
        err = &local;
    struct remote_check check = {.env = env, .progress = progress, .progress_arg = arg};
    struct graft_commit newest;
    struct graft_checkpoint checkpoint;
    graft_buf_init(&check.bytes, env->alloc);
    graft_commit_init(&newest, env->alloc);
    graft_checkpoint_init(&checkpoint, env->alloc);
    enum graft_rc rc = graft_remote_open(env, url, &check.remote, err);
    if (rc == GRAFT_OK && graft_codec_new(env->alloc, &check.codec) != GRAFT_OK)
        rc = graft_err_set(err, GRAFT_ENOMEM, "out of memory for a decompressor");
    if (rc == GRAFT_OK)
        rc = check_remote(&check, &newest, &checkpoint, err);
    if (rc == GRAFT_OK)
        *out = check.result;
    else if (check.remote != NULL)
        (void)graft_err_wrap(err, rc, "%s", url);
    graft_checkpoint_deinit(&checkpoint);
    graft_commit_deinit(&newest);
    graft_buf_deinit(&check.bytes);
    graft_codec_free(check.codec);
    graft_remote_close(check.remote);
    return rc;
}
