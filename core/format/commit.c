/* Commits: the objects that the remote log consists of; commit.h carries the byte layout.
 *
 * The offsets of a commit's own inline frames cannot be absolute in its own message, since their
 * place depends on the message's length. They count from the first byte after it, and only this
 * file knows of that: what it hands out is absolute.
 */
#include "format/commit.h"

#include <string.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "format/wire.h"

#define COMMIT_VERSION 1U

static const char magic[] = "GRAFTCMT";

void graft_commit_init(struct graft_commit *commit, struct graft_alloc *alloc)
{
    *commit = (struct graft_commit){.lsn = 0};
    graft_pagemap_init(&commit->map, alloc);
    graft_pageset_init(&commit->first, alloc);
}

void graft_commit_deinit(struct graft_commit *commit)
{
    graft_pagemap_deinit(&commit->map);
    graft_pageset_deinit(&commit->first);
}

enum graft_rc graft_object_message_end(const uint8_t *bytes, size_t size, uint64_t *end,
                                       struct graft_err *err)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, bytes, size);
    (void)graft_rcur_span(&cursor, 12);
    uint32_t message_bytes = graft_rcur_u32(&cursor);
    (void)graft_rcur_u64(&cursor);
    if (cursor.failed)
        return graft_err_set(err, GRAFT_ECORRUPT, "object: cut off at %zu bytes", size);
    *end = (uint64_t)GRAFT_OBJECT_HEADER_BYTES + message_bytes;
    return GRAFT_OK;
}

static bool stands_inline(const struct graft_commit *commit, const struct graft_map_frame *frame)
{
    const struct graft_object_ref *object = &commit->map.objects[frame->object];
    return object->kind == GRAFT_OBJECT_COMMIT && object->commit_lsn == commit->lsn;
}

void graft_commit_move_inline(struct graft_commit *commit, uint64_t from, uint64_t to)
{
    for (uint32_t i = 0; i < commit->map.frame_count; i++) {
        struct graft_map_frame *frame = &commit->map.frames[i];
        if (stands_inline(commit, frame))
            frame->offset = frame->offset - from + to;
    }
}

/* What the message says apart from the map. */
static enum graft_rc check_head(const struct graft_commit *commit, enum graft_rc wrong,
                                struct graft_err *err)
{
    static const struct graft_hash none = {{0}};
    if (commit->lsn == 0)
        return graft_err_set(err, wrong, "commit: LSN 0");
    if (graft_volume_id_is_none(&commit->volume))
        return graft_err_set(err, wrong, "commit %llu: no volume", (unsigned long long)commit->lsn);
    if (graft_hash_equal(&commit->parent, &none) != (commit->lsn == 1))
        return graft_err_set(err, wrong, "commit %llu: its parent does not fit",
                             (unsigned long long)commit->lsn);
    if (commit->checkpoint_lsn >= commit->lsn)
        return graft_err_set(err, wrong, "commit %llu: names checkpoint %llu, which is not before",
                             (unsigned long long)commit->lsn,
                             (unsigned long long)commit->checkpoint_lsn);
    if (!graft_page_size_valid(commit->page_bytes))
        return graft_err_set(err, wrong, "commit %llu: pages of %u bytes",
                             (unsigned long long)commit->lsn, commit->page_bytes);
    if (commit->page_count > GRAFT_PAGES_MAX || commit->least_page_count > commit->page_count)
        return graft_err_set(err, wrong, "commit %llu: %u pages, at least %u",
                             (unsigned long long)commit->lsn, commit->page_count,
                             commit->least_page_count);
    return GRAFT_OK;
}

/* Empty, it is left out. */
static enum graft_rc write_first(const struct graft_commit *commit, struct graft_buf *out,
                                 struct graft_err *err)
{
    if (commit->first.run_count > 0) {
        const struct graft_run *last = &commit->first.runs[commit->first.run_count - 1];
        if ((uint64_t)last->first + last->count - 1 > commit->page_count)
            return graft_err_set(err, GRAFT_EBUG, "commit %llu: a first page past its end",
                                 (unsigned long long)commit->lsn);
        if (graft_pageset_encode(&commit->first, out) != GRAFT_OK)
            return graft_err_set(err, GRAFT_ENOMEM, "commit: out of memory");
    }
    return GRAFT_OK;
}

static enum graft_rc read_first(struct graft_commit *commit, const ProtobufCBinaryData *field,
                                struct graft_err *err)
{
    if (field->len == 0)
        return GRAFT_OK;
    enum graft_rc rc = graft_pageset_decode(&commit->first, field->data, field->len, err);
    if (rc != GRAFT_OK)
        return graft_err_wrap(err, rc, "commit %llu: first pages", (unsigned long long)commit->lsn);
    uint64_t end = 0;
    if (commit->first.run_count > 0) {
        const struct graft_run *last = &commit->first.runs[commit->first.run_count - 1];
        end = (uint64_t)last->first + last->count - 1;
    }
    if (end > commit->page_count)
        return graft_err_set(err, GRAFT_ECORRUPT, "commit %llu: a first page past its end",
                             (unsigned long long)commit->lsn);
    return GRAFT_OK;
}

/* What only holds of map and head together; own frames' offsets count from 0 here. */
static enum graft_rc check_map(const struct graft_commit *commit, enum graft_rc wrong,
                               struct graft_err *err)
{
    const struct graft_pagemap *map = &commit->map;
    uint64_t own_pages = 0;
    for (uint32_t i = 0; i < map->entry_count; i++) {
        const struct graft_map_frame *frame = &map->frames[map->entries[i].frame];
        if (frame->lsn == commit->lsn)
            own_pages += map->entries[i].count;
        bool other_commit = map->objects[frame->object].kind == GRAFT_OBJECT_COMMIT &&
                            !stands_inline(commit, frame);
        if (other_commit && frame->offset < GRAFT_OBJECT_HEADER_BYTES)
            return graft_err_set(err, wrong, "commit %llu: a frame stands in a commit's header",
                                 (unsigned long long)commit->lsn);
    }
    if (own_pages != commit->changed_count) {
        return graft_err_set(err, wrong, "commit %llu: says %u changed pages and carries %llu",
                             (unsigned long long)commit->lsn, commit->changed_count,
                             (unsigned long long)own_pages);
    }
    return GRAFT_OK;
}

/* Where the last inline frame ends. */
static uint64_t inline_end(const struct graft_commit *commit)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < commit->map.frame_count; i++) {
        const struct graft_map_frame *frame = &commit->map.frames[i];
        if (stands_inline(commit, frame) && frame->offset + frame->stored_bytes > end)
            end = frame->offset + frame->stored_bytes;
    }
    return end;
}

enum graft_rc graft_commit_encode(const struct graft_commit *commit, const uint8_t *inline_frames,
                                  size_t inline_bytes, struct graft_buf *out, struct graft_err *err)
{
    GRAFT_TRY(check_head(commit, GRAFT_EBUG, err));
    GRAFT_TRY(check_map(commit, GRAFT_EBUG, err));
    if (inline_bytes > GRAFT_OBJECT_BYTES_MAX / 2)
        return graft_err_set(err, GRAFT_ELIMIT, "commit %llu: %zu bytes of inline frames",
                             (unsigned long long)commit->lsn, inline_bytes);
    struct graft_wire_pagemap map;
    GRAFT_TRY(graft_wire_pagemap_init(&map, &commit->map, commit->page_count, commit->lsn, err));

    size_t size_before = out->size;
    struct graft_buf first;
    graft_buf_init(&first, out->alloc);
    enum graft_rc rc = write_first(commit, &first, err);
    if (rc != GRAFT_OK)
        goto out;
    if (inline_end(commit) > inline_bytes) {
        rc = graft_err_set(err, GRAFT_EBUG, "commit %llu: an inline frame is not there",
                           (unsigned long long)commit->lsn);
        goto out;
    }
    Graft__Commit message = GRAFT__COMMIT__INIT;
    message.volume = graft_wire_bytes(commit->volume.bytes, sizeof commit->volume.bytes);
    message.client = graft_wire_bytes(commit->client.bytes, sizeof commit->client.bytes);
    message.parent = graft_wire_hash(&commit->parent);
    message.lsn = commit->lsn;
    message.time_ms = commit->time_ms;
    message.checkpoint_lsn = commit->checkpoint_lsn;
    message.page_bytes = commit->page_bytes;
    message.page_count = commit->page_count;
    message.least_page_count = commit->least_page_count;
    message.changed_count = commit->changed_count;
    message.variable = commit->variable;
    message.map = &map.message;
    message.first = graft_wire_bytes(first.bytes, first.size);
    rc = graft_wire_seal(magic, COMMIT_VERSION, &message.base, out, err);
    if (rc == GRAFT_OK) {
        rc = graft_buf_append(out, inline_frames, inline_bytes);
        if (rc != GRAFT_OK)
            rc = graft_err_set(err, rc, "commit: out of memory");
    }
    if (rc != GRAFT_OK)
        out->size = size_before;
out:
    graft_buf_deinit(&first);
    graft_wire_pagemap_deinit(&map);
    return rc;
}

/* Fills `commit`, which is fresh, from the message. */
static enum graft_rc read_message(struct graft_commit *commit, const Graft__Commit *message,
                                  struct graft_err *err)
{
    bool ids = graft_wire_read_16(&message->volume, false, commit->volume.bytes) &&
               graft_wire_read_16(&message->client, false, commit->client.bytes) &&
               graft_wire_read_16(&message->parent, true, commit->parent.bytes);
    if (!ids)
        return graft_err_set(err, GRAFT_ECORRUPT, "commit: an id is not 16 bytes");
    commit->lsn = message->lsn;
    commit->time_ms = message->time_ms;
    commit->checkpoint_lsn = message->checkpoint_lsn;
    commit->page_bytes = message->page_bytes;
    commit->page_count = message->page_count;
    commit->least_page_count = message->least_page_count;
    commit->changed_count = message->changed_count;
    commit->variable = message->variable != 0;
    GRAFT_TRY(check_head(commit, GRAFT_ECORRUPT, err));
    enum graft_rc rc =
        graft_wire_pagemap_read(&commit->map, message->map, commit->page_count, commit->lsn, err);
    if (rc != GRAFT_OK)
        return graft_err_wrap(err, rc, "commit %llu", (unsigned long long)commit->lsn);
    GRAFT_TRY(read_first(commit, &message->first, err));
    return check_map(commit, GRAFT_ECORRUPT, err);
}

enum graft_rc graft_commit_decode(struct graft_commit *commit, const uint8_t *bytes, size_t size,
                                  struct graft_err *err)
{
    const uint8_t *message_start;
    size_t message_bytes;
    GRAFT_TRY(graft_wire_open(magic, COMMIT_VERSION, "commit", bytes, size, &message_start,
                              &message_bytes, err));
    struct graft_wire_memory memory;
    graft_wire_memory_init(&memory, commit->map.alloc);
    ProtobufCMessage *message;
    GRAFT_TRY(graft_wire_unpack(&memory, &graft__commit__descriptor, message_start, message_bytes,
                                "commit", &message, err));

    struct graft_commit read;
    graft_commit_init(&read, commit->map.alloc);
    enum graft_rc rc = read_message(&read, (const Graft__Commit *)message, err);
    protobuf_c_message_free_unpacked(message, &memory.protobuf);
    if (rc != GRAFT_OK) {
        graft_commit_deinit(&read);
        return rc;
    }
    graft_commit_move_inline(&read, 0, GRAFT_OBJECT_HEADER_BYTES + message_bytes);
    graft_commit_deinit(commit);
    *commit = read;
    return GRAFT_OK;
}
