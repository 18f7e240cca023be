/* The remote log of one volume: names of objects, and what is checked of each before the engine
 * sees it.
 *
 * Keys carry 2^64 - 1 - LSN, so that the order of a listing is newest first. Finding the newest
 * commit is one listing and one probe past what it says, because a listing may lag behind what was
 * written; the probes gallop, so that even a listing that lags by thousands of commits costs a few
 * requests. LSNs are dense: what no probe finds is not there. */
#include "remote/remote.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/limits.h"
#include "format/frame.h"

#define LSN_MAX ((uint64_t)INT64_MAX)
#define PAGE_KEYS 64U   /* keys asked for in one listing */
#define PAGES_MAX 1000U /* listings in search of one key */
#define PROBE_BYTES 16U
#define KEY_BYTES (GRAFT_NAME_BYTES_MAX + 64U)

enum log_kind { LOG_CHECKPOINT = 'c', LOG_COMMIT = 'l' };

struct graft_remote {
    struct graft_env *env;
    struct graft_objects *objects;
    char volume[GRAFT_NAME_BYTES_MAX];
    char url[GRAFT_PATH_BYTES_MAX];
};

enum graft_rc graft_remote_open_with(struct graft_env *env, struct graft_objects *objects,
                                     const char *url, const char *volume, struct graft_remote **out,
                                     struct graft_err *err)
{
    GRAFT_ASSERT(env != NULL && objects != NULL && url != NULL && out != NULL);
    GRAFT_ASSERT(graft_volume_name_valid(volume) && strlen(url) < GRAFT_PATH_BYTES_MAX);
    struct graft_remote *remote = graft_calloc(env->alloc, 1, sizeof *remote);
    if (remote == NULL) {
        graft_objects_close(objects);
        return graft_err_set(err, GRAFT_ENOMEM, "open %s: out of memory", url);
    }
    remote->env = env;
    remote->objects = objects;
    memcpy(remote->volume, volume, strlen(volume) + 1);
    memcpy(remote->url, url, strlen(url) + 1);
    *out = remote;
    return GRAFT_OK;
}

enum graft_rc graft_remote_open(struct graft_env *env, const char *url, struct graft_remote **out,
                                struct graft_err *err)
{
    GRAFT_ASSERT(env != NULL && url != NULL && out != NULL);
    struct graft_url parsed;
    struct graft_objects *objects = NULL;
    GRAFT_TRY(graft_url_parse(url, &parsed, err));
    GRAFT_TRY(graft_objects_open(env, &parsed, &objects, err));
    return graft_remote_open_with(env, objects, url, parsed.volume, out, err);
}

void graft_remote_close(struct graft_remote *remote)
{
    if (remote == NULL)
        return;
    graft_objects_close(remote->objects);
    graft_free(remote->env->alloc, remote);
}

const char *graft_remote_url(const struct graft_remote *remote)
{
    return remote->url;
}

const struct graft_objects_counts *graft_remote_counts(const struct graft_remote *remote)
{
    return &remote->objects->counts;
}

static void log_key(const struct graft_remote *remote, enum log_kind kind, uint64_t lsn,
                    char out[KEY_BYTES])
{
    (void)snprintf(out, KEY_BYTES, "%s/%c/%016llx", remote->volume, (char)kind,
                   (unsigned long long)(UINT64_MAX - lsn));
}

static void segment_key(const struct graft_segment_id *id, char out[KEY_BYTES])
{
    char text[GRAFT_ID_TEXT_BYTES];
    graft_hex_encode(id->bytes, sizeof id->bytes, text);
    (void)snprintf(out, KEY_BYTES, "_segments/%s", text);
}

/* True when `key` is one of the volume's log; other keys are none of ours. */
static bool parse_log_key(const struct graft_remote *remote, const char *key, enum log_kind *kind,
                          uint64_t *lsn)
{
    size_t volume_bytes = strlen(remote->volume);
    if (strncmp(key, remote->volume, volume_bytes) != 0)
        return false;
    key += volume_bytes;
    if (key[0] != '/' || (key[1] != LOG_CHECKPOINT && key[1] != LOG_COMMIT) || key[2] != '/')
        return false;
    uint8_t bytes[8];
    if (graft_hex_decode(key + 3, bytes, sizeof bytes) != GRAFT_OK)
        return false;
    uint64_t inverted = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        inverted = inverted << 8 | bytes[i];
    uint64_t found = UINT64_MAX - inverted;
    if (found == 0 || found > LSN_MAX)
        return false;
    *kind = key[1] == LOG_COMMIT ? LOG_COMMIT : LOG_CHECKPOINT;
    *lsn = found;
    return true;
}

/* What one page of a listing of the volume says. It is read until the first commit. */
struct page {
    const struct graft_remote *remote;
    uint64_t commit_lsn;
    uint64_t checkpoints[PAGE_KEYS]; /* descending */
    uint32_t checkpoint_count;
    uint32_t key_count;
    char last[KEY_BYTES + GRAFT_KEY_BYTES_MAX];
};

static enum graft_rc read_key(void *arg, const char *key, uint64_t size)
{
    (void)size;
    struct page *page = arg;
    enum log_kind kind = LOG_COMMIT;
    uint64_t lsn = 0;
    (void)snprintf(page->last, sizeof page->last, "%s", key);
    page->key_count++;
    if (!parse_log_key(page->remote, key, &kind, &lsn))
        return GRAFT_OK;
    if (kind == LOG_CHECKPOINT) {
        page->checkpoints[page->checkpoint_count++] = lsn;
        return GRAFT_OK;
    }
    page->commit_lsn = lsn;
    return GRAFT_ECANCELED;
}

static enum graft_rc list_page(const struct graft_remote *remote, const char *prefix,
                               const char *after, struct page *page, struct graft_err *err)
{
    *page = (struct page){.remote = remote};
    struct graft_err failure = {.rc = GRAFT_OK};
    uint32_t keys = GRAFT_BUGGIFY("listing: two keys a page") ? 2 : PAGE_KEYS;
    enum graft_rc rc =
        graft_objects_list(remote->objects, prefix, after, keys, read_key, page, &failure);
    if (rc == GRAFT_ECANCELED && page->commit_lsn != 0)
        return GRAFT_OK;
    return rc == GRAFT_OK ? rc : graft_err_set(err, rc, "%s", failure.text);
}

/* The newest of a kind at or below `lsn_max`, 0 for none. Pages that hold only foreign keys are
 * passed over. */
static enum graft_rc find_newest(const struct graft_remote *remote, enum log_kind kind,
                                 uint64_t lsn_max, uint64_t *lsn, struct graft_err *err)
{
    char prefix[KEY_BYTES];
    struct page page;
    (void)snprintf(prefix, sizeof prefix, "%s/%c/", remote->volume, (char)kind);
    char after[sizeof page.last];
    log_key(remote, kind, lsn_max + 1, after);
    for (uint32_t i = 0; i < PAGES_MAX; i++) {
        GRAFT_TRY(list_page(remote, prefix, after, &page, err));
        uint64_t found = kind == LOG_COMMIT ? page.commit_lsn : page.checkpoints[0];
        if (found != 0 || page.key_count == 0) {
            *lsn = found;
            return GRAFT_OK;
        }
        memcpy(after, page.last, sizeof after);
    }
    return graft_err_set(err, GRAFT_ELIMIT, "%s: more than %u objects that are not Graft's in %s",
                         remote->url, PAGES_MAX * PAGE_KEYS, prefix);
}

/* A damaged object is there as well: whoever reads it will say so. */
static enum graft_rc probe(const struct graft_remote *remote, uint64_t lsn, bool *there,
                           struct graft_err *err)
{
    char key[KEY_BYTES];
    struct graft_buf head;
    struct graft_err failure = {.rc = GRAFT_OK};
    graft_buf_init(&head, remote->env->alloc);
    log_key(remote, LOG_COMMIT, lsn, key);
    enum graft_rc rc = graft_objects_get(remote->objects, key, 0, PROBE_BYTES, &head, &failure);
    graft_buf_deinit(&head);
    if (rc != GRAFT_OK && rc != GRAFT_ECORRUPT && rc != GRAFT_ENOTFOUND)
        return graft_err_set(err, rc, "%s", failure.text);
    *there = rc != GRAFT_ENOTFOUND;
    return GRAFT_OK;
}

/* Moves `*lsn`, which is there, to the newest that is there. */
static enum graft_rc advance(const struct graft_remote *remote, uint64_t *lsn,
                             struct graft_err *err)
{
    uint64_t low = *lsn; /* is there */
    uint64_t step = 1;
    bool there = true;
    while (step <= LSN_MAX - low) {
        GRAFT_TRY(probe(remote, low + step, &there, err));
        if (!there)
            break;
        low += step;
        step *= GRAFT_BUGGIFY("newest commit: look for one LSN after the other") ? 1 : 2;
    }
    uint64_t high = step <= LSN_MAX - low ? low + step : LSN_MAX + 1; /* is not there */
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        GRAFT_TRY(probe(remote, middle, &there, err));
        if (there)
            low = middle;
        else
            high = middle;
    }
    GRAFT_SOMETIMES(low > *lsn, "the remote had a newer commit than its listing");
    *lsn = low;
    return GRAFT_OK;
}

/* The newest of the listed checkpoints at or below `lsn`, 0 for none. */
static uint64_t pick_checkpoint(const struct page *page, uint64_t lsn)
{
    for (uint32_t i = 0; i < page->checkpoint_count; i++)
        if (page->checkpoints[i] <= lsn)
            return page->checkpoints[i];
    return 0;
}

/* ---- Reading ahead ---- */

void graft_remote_commit_init(struct graft_remote_commit *read, struct graft_alloc *alloc)
{
    *read = (struct graft_remote_commit){.hash = {{0}}};
    graft_commit_init(&read->commit, alloc);
    graft_buf_init(&read->object, alloc);
}

void graft_remote_commit_deinit(struct graft_remote_commit *read)
{
    graft_commit_deinit(&read->commit);
    graft_buf_deinit(&read->object);
}

enum graft_rc graft_remote_commit_check(const struct graft_remote *remote,
                                        const struct graft_remote_commit *read,
                                        struct graft_err *err)
{
    const struct graft_pagemap *map = &read->commit.map;
    for (uint32_t i = 0; i < map->frame_count; i++) {
        const struct graft_map_frame *frame = &map->frames[i];
        const struct graft_object_ref *object = &map->objects[frame->object];
        if (object->kind != GRAFT_OBJECT_COMMIT || object->commit_lsn != read->commit.lsn)
            continue;
        GRAFT_ASSERT(frame->offset + frame->stored_bytes <= read->object.size);
        enum graft_rc rc =
            graft_frame_check(read->object.bytes + frame->offset, frame->stored_bytes, err);
        if (rc != GRAFT_OK)
            return graft_err_wrap(err, rc, "%s: commit %llu, %u bytes at %llu", remote->url,
                                  (unsigned long long)read->commit.lsn, frame->stored_bytes,
                                  (unsigned long long)frame->offset);
    }
    return GRAFT_OK;
}

struct ahead {
    struct graft_remote *remote;
    uint64_t lsn;
    struct graft_remote_commit *out; /* NULL: nothing is read */
    struct graft_task *task;         /* NULL: it does not run */
};

static void read_commit(void *arg)
{
    struct ahead *ahead = arg;
    struct graft_remote_commit *out = ahead->out;
    struct graft_err ignored = {.rc = GRAFT_OK};
    if (graft_remote_get_commit(ahead->remote, ahead->lsn, &out->commit, &out->hash, &out->object,
                                &ignored) != GRAFT_OK)
        graft_buf_clear(&out->object);
}

static void begin_ahead(struct ahead *ahead, uint64_t lsn)
{
    struct graft_err ignored = {.rc = GRAFT_OK};
    ahead->lsn = lsn;
    if (ahead->out != NULL && lsn > 0 &&
        graft_task_spawn(ahead->remote->env->tasks, "graft-newest", read_commit, ahead,
                         &ahead->task, &ignored) != GRAFT_OK)
        ahead->task = NULL;
}

static void end_ahead(struct ahead *ahead)
{
    if (ahead->task != NULL)
        graft_task_join(ahead->task);
}

enum graft_rc graft_remote_newest(struct graft_remote *remote, uint64_t known, uint64_t *commit_lsn,
                                  uint64_t *checkpoint_lsn, struct graft_err *err)
{
    return graft_remote_newest_ahead(remote, known, commit_lsn, checkpoint_lsn, NULL, err);
}

enum graft_rc graft_remote_newest_ahead(struct graft_remote *remote, uint64_t known,
                                        uint64_t *commit_lsn, uint64_t *checkpoint_lsn,
                                        struct graft_remote_commit *out, struct graft_err *err)
{
    GRAFT_ASSERT(remote != NULL && commit_lsn != NULL && checkpoint_lsn != NULL);
    GRAFT_ASSERT(known <= LSN_MAX);
    char prefix[KEY_BYTES];
    struct page page;
    (void)snprintf(prefix, sizeof prefix, "%s/", remote->volume);
    struct graft_err failure = {.rc = GRAFT_OK};
    enum graft_rc rc = list_page(remote, prefix, "", &page, &failure);
    if (rc == GRAFT_ENOTFOUND && known == 0) {
        *commit_lsn = 0;
        *checkpoint_lsn = 0;
        return GRAFT_OK;
    }
    if (rc != GRAFT_OK)
        return graft_err_set(err, rc, "%s", failure.text);
    bool whole = page.commit_lsn != 0 || page.key_count == 0;
    uint64_t commit = page.commit_lsn;
    GRAFT_SOMETIMES(!whole, "the first page of a listing had checkpoints alone");
    if (!whole)
        GRAFT_TRY(find_newest(remote, LOG_COMMIT, LSN_MAX, &commit, err));
    if (commit < known)
        commit = known;
    struct ahead ahead = {.remote = remote, .out = out};
    begin_ahead(&ahead, commit);
    rc = advance(remote, &commit, err);
    end_ahead(&ahead);
    if (rc != GRAFT_OK)
        return rc;
    uint64_t checkpoint = pick_checkpoint(&page, commit);
    if (checkpoint == 0 && !whole && commit != 0)
        GRAFT_TRY(find_newest(remote, LOG_CHECKPOINT, commit, &checkpoint, err));
    GRAFT_ALWAYS(commit >= known,
                 "the newest remote commit is no older than the one that is known");
    GRAFT_ALWAYS(checkpoint <= commit, "a checkpoint is of a commit that is there");
    *commit_lsn = commit;
    *checkpoint_lsn = checkpoint;
    return GRAFT_OK;
}

/* What decoding cannot know: that it is the commit asked for, and that its inline frames are all
 * there (their content is checked by whoever decodes them). */
static enum graft_rc check_commit(const struct graft_commit *commit, uint64_t lsn, size_t size,
                                  struct graft_err *err)
{
    if (commit->lsn != lsn)
        return graft_err_set(err, GRAFT_ECORRUPT, "it is the commit of LSN %llu, not of %llu",
                             (unsigned long long)commit->lsn, (unsigned long long)lsn);
    for (uint32_t i = 0; i < commit->map.frame_count; i++) {
        const struct graft_map_frame *frame = &commit->map.frames[i];
        const struct graft_object_ref *object = &commit->map.objects[frame->object];
        if (object->kind != GRAFT_OBJECT_COMMIT || object->commit_lsn != lsn)
            continue;
        if (frame->offset > size || frame->stored_bytes > size - frame->offset)
            return graft_err_set(err, GRAFT_ECORRUPT, "cut off at %zu bytes, within a frame", size);
    }
    return GRAFT_OK;
}

enum graft_rc graft_remote_get_commit(struct graft_remote *remote, uint64_t lsn,
                                      struct graft_commit *out, struct graft_hash *hash,
                                      struct graft_buf *bytes, struct graft_err *err)
{
    GRAFT_ASSERT(remote != NULL && out != NULL && hash != NULL);
    GRAFT_ASSERT(lsn > 0 && lsn <= LSN_MAX);
    char key[KEY_BYTES];
    struct graft_buf object;
    struct graft_commit commit;
    log_key(remote, LOG_COMMIT, lsn, key);
    graft_buf_init(&object, remote->env->alloc);
    graft_commit_init(&commit, remote->env->alloc);
    enum graft_rc rc = graft_objects_get(remote->objects, key, 0, 0, &object, err);
    if (rc != GRAFT_OK)
        goto out;
    rc = graft_commit_decode(&commit, object.bytes, object.size, err);
    if (rc == GRAFT_OK)
        rc = check_commit(&commit, lsn, object.size, err);
    if (rc != GRAFT_OK) {
        rc = graft_err_wrap(err, rc, "%s: object %s", remote->url, key);
        goto out;
    }
    if (bytes != NULL && graft_buf_append(bytes, object.bytes, object.size) != GRAFT_OK) {
        rc = graft_err_set(err, GRAFT_ENOMEM, "%s: object %s: out of memory", remote->url, key);
        goto out;
    }
    *hash = graft_hash128(object.bytes, object.size);
    graft_commit_deinit(out);
    *out = commit;
    graft_commit_init(&commit, remote->env->alloc);
out:
    graft_commit_deinit(&commit);
    graft_buf_deinit(&object);
    return rc;
}

enum graft_rc graft_remote_get_checkpoint(struct graft_remote *remote, uint64_t lsn,
                                          struct graft_checkpoint *out, struct graft_err *err)
{
    GRAFT_ASSERT(remote != NULL && out != NULL);
    GRAFT_ASSERT(lsn > 0 && lsn <= LSN_MAX);
    char key[KEY_BYTES];
    struct graft_buf object;
    struct graft_checkpoint checkpoint;
    log_key(remote, LOG_CHECKPOINT, lsn, key);
    graft_buf_init(&object, remote->env->alloc);
    graft_checkpoint_init(&checkpoint, remote->env->alloc);
    enum graft_rc rc = graft_objects_get(remote->objects, key, 0, 0, &object, err);
    if (rc != GRAFT_OK)
        goto out;
    rc = graft_checkpoint_decode(&checkpoint, object.bytes, object.size, err);
    if (rc == GRAFT_OK && checkpoint.lsn != lsn)
        rc = graft_err_set(err, GRAFT_ECORRUPT, "it is the checkpoint of LSN %llu, not of %llu",
                           (unsigned long long)checkpoint.lsn, (unsigned long long)lsn);
    if (rc != GRAFT_OK) {
        rc = graft_err_wrap(err, rc, "%s: object %s", remote->url, key);
        goto out;
    }
    graft_checkpoint_deinit(out);
    *out = checkpoint;
    graft_checkpoint_init(&checkpoint, remote->env->alloc);
out:
    graft_checkpoint_deinit(&checkpoint);
    graft_buf_deinit(&object);
    return rc;
}

enum graft_rc graft_remote_get_range(struct graft_remote *remote,
                                     const struct graft_object_ref *object, uint64_t offset,
                                     uint32_t size, struct graft_buf *out, struct graft_err *err)
{
    GRAFT_ASSERT(remote != NULL && object != NULL && out != NULL);
    if (size == 0)
        return GRAFT_OK;
    char key[KEY_BYTES];
    if (object->kind == GRAFT_OBJECT_COMMIT)
        log_key(remote, LOG_COMMIT, object->commit_lsn, key);
    else
        segment_key(&object->segment, key);
    size_t before = out->size;
    enum graft_rc rc = graft_objects_get(remote->objects, key, offset, size, out, err);
    if (rc == GRAFT_OK && out->size - before < size) {
        size_t got = out->size - before;
        out->size = before;
        rc = graft_err_set(err, GRAFT_ECORRUPT, "%s: object %s: only %zu bytes are there",
                           remote->url, key, got);
    }
    if (rc != GRAFT_OK)
        return graft_err_wrap(err, rc, "%u bytes at %llu", size, (unsigned long long)offset);
    GRAFT_ALWAYS(out->size - before == size, "a range of an object is as long as was asked for");
    return GRAFT_OK;
}

enum graft_rc graft_remote_put_commit(struct graft_remote *remote, uint64_t lsn, const void *bytes,
                                      size_t size, bool *won, struct graft_err *err)
{
    GRAFT_ASSERT(remote != NULL && bytes != NULL && won != NULL);
    GRAFT_ASSERT(lsn > 0 && lsn <= LSN_MAX && size >= GRAFT_OBJECT_HEADER_BYTES);
    char key[KEY_BYTES];
    log_key(remote, LOG_COMMIT, lsn, key);
    bool if_absent = !GRAFT_MUTANT("remote: a commit is put whether its place is taken or not");
    enum graft_rc rc = graft_objects_put(remote->objects, key, bytes, size, if_absent, won, err);
    GRAFT_SOMETIMES(rc == GRAFT_OK && !*won, "the place of a commit in the remote was taken");
    return rc;
}

enum graft_rc graft_remote_put_checkpoint(struct graft_remote *remote, uint64_t lsn,
                                          const void *bytes, size_t size, struct graft_err *err)
{
    GRAFT_ASSERT(remote != NULL && bytes != NULL);
    GRAFT_ASSERT(lsn > 0 && lsn <= LSN_MAX && size >= GRAFT_OBJECT_HEADER_BYTES);
    char key[KEY_BYTES];
    bool created = false;
    log_key(remote, LOG_CHECKPOINT, lsn, key);
    if (GRAFT_MUTANT("remote: a checkpoint is put under the LSN after its own"))
        log_key(remote, LOG_CHECKPOINT, lsn + 1, key);
    return graft_objects_put(remote->objects, key, bytes, size, false, &created, err);
}

/* The PUT is not conditional: equal names have equal bytes, and so it heals a segment that rotted.
 */
enum graft_rc graft_remote_put_segment(struct graft_remote *remote, const void *bytes, size_t size,
                                       struct graft_segment_id *id, struct graft_err *err)
{
    GRAFT_ASSERT(remote != NULL && bytes != NULL && id != NULL);
    struct graft_hash hash = graft_hash128(bytes, size);
    if (GRAFT_MUTANT("remote: a segment's name says how long it is, and no more"))
        hash = graft_hash128(&size, sizeof size);
    struct graft_segment_id named;
    memcpy(named.bytes, hash.bytes, sizeof named.bytes);
    char key[KEY_BYTES];
    bool created = false;
    segment_key(&named, key);
    GRAFT_TRY(graft_objects_put(remote->objects, key, bytes, size, false, &created, err));
    *id = named;
    return GRAFT_OK;
}
