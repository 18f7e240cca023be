/* Decode-and-encode of every kind behind one function pointer. */
#include "format/kinds.h"

#include <string.h>

#include "base/checksum.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "format/commit.h"
#include "format/config.h"
#include "format/frame.h"
#include "format/pagemap.h"
#include "format/pageset.h"
#include "format/syncstate.h"

#define REENCODED_INLINE_BYTES_MAX (1U << 20)

static void put(uint8_t *bytes, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static void repair_envelope(uint8_t *bytes, size_t size)
{
    if (size < GRAFT_OBJECT_HEADER_BYTES)
        return;
    uint64_t end;
    if (graft_object_message_end(bytes, size, &end, NULL) != GRAFT_OK || end > size) {
        put(bytes + 12, size - GRAFT_OBJECT_HEADER_BYTES, 4);
        end = size;
    }
    put(bytes + 16,
        graft_checksum64(bytes + GRAFT_OBJECT_HEADER_BYTES, (size_t)end - GRAFT_OBJECT_HEADER_BYTES,
                         0),
        8);
}

static void repair_frame(uint8_t *bytes, size_t size)
{
    if (size < GRAFT_FRAME_HEADER_BYTES)
        return;
    put(bytes + 8, size - GRAFT_FRAME_HEADER_BYTES, 4);
    put(bytes, graft_checksum64(bytes + 8, size - 8, 0), 8);
}

static enum graft_rc reencode_pageset(const uint8_t *bytes, size_t size, struct graft_buf *out,
                                      struct graft_err *err)
{
    struct graft_pageset set;
    graft_pageset_init(&set, out->alloc);
    enum graft_rc rc = graft_pageset_decode(&set, bytes, size, err);
    if (rc == GRAFT_OK)
        rc = graft_pageset_encode(&set, out);
    graft_pageset_deinit(&set);
    return rc;
}

static enum graft_rc reencode_pagemap(const uint8_t *bytes, size_t size, struct graft_buf *out,
                                      struct graft_err *err)
{
    struct graft_pagemap map;
    graft_pagemap_init(&map, out->alloc);
    enum graft_rc rc = graft_pagemap_decode(&map, bytes, size, GRAFT_PAGES_MAX, UINT64_MAX, err);
    if (rc == GRAFT_OK)
        rc = graft_pagemap_encode(&map, out);
    graft_pagemap_deinit(&map);
    return rc;
}

static enum graft_rc reencode_frame(const uint8_t *bytes, size_t size, struct graft_buf *out,
                                    struct graft_err *err)
{
    struct graft_codec *codec;
    GRAFT_TRY(graft_codec_new(out->alloc, &codec));
    struct graft_frame frame;
    enum graft_rc rc = graft_frame_decode(codec, bytes, size, GRAFT_PAGE_BYTES_MAX, &frame, err);
    uint32_t stored;
    if (rc == GRAFT_OK)
        rc = graft_frame_encode(codec, frame.pages, frame.count, out, &stored, err);
    graft_codec_free(codec);
    return rc;
}

/* The bytes after the message go along as they are; where inline frames were cut off, zeros stand
 * in for them. */
static enum graft_rc encode_commit(struct graft_commit *commit, const uint8_t *bytes, size_t size,
                                   struct graft_buf *out, struct graft_err *err)
{
    uint64_t end;
    GRAFT_TRY(graft_object_message_end(bytes, size, &end, err));
    uint64_t inline_bytes = size - end;
    for (uint32_t i = 0; i < commit->map.frame_count; i++) {
        const struct graft_map_frame *frame = &commit->map.frames[i];
        const struct graft_object_ref *object = &commit->map.objects[frame->object];
        if (object->kind == GRAFT_OBJECT_COMMIT && object->commit_lsn == commit->lsn &&
            frame->offset + frame->stored_bytes - end > inline_bytes)
            inline_bytes = frame->offset + frame->stored_bytes - end;
    }
    if (inline_bytes > REENCODED_INLINE_BYTES_MAX)
        return GRAFT_ECANCELED;
    uint8_t *frames = graft_calloc(out->alloc, (size_t)inline_bytes, 1);
    if (frames == NULL)
        return GRAFT_ENOMEM;
    if (size > end)
        memcpy(frames, bytes + end, size - (size_t)end);
    graft_commit_move_inline(commit, end, 0);
    enum graft_rc rc = graft_commit_encode(commit, frames, (size_t)inline_bytes, out, err);
    graft_free(out->alloc, frames);
    return rc;
}

static enum graft_rc reencode_commit(const uint8_t *bytes, size_t size, struct graft_buf *out,
                                     struct graft_err *err)
{
    struct graft_commit commit;
    graft_commit_init(&commit, out->alloc);
    enum graft_rc rc = graft_commit_decode(&commit, bytes, size, err);
    if (rc == GRAFT_OK)
        rc = encode_commit(&commit, bytes, size, out, err);
    graft_commit_deinit(&commit);
    return rc;
}

static enum graft_rc reencode_checkpoint(const uint8_t *bytes, size_t size, struct graft_buf *out,
                                         struct graft_err *err)
{
    struct graft_checkpoint checkpoint;
    graft_checkpoint_init(&checkpoint, out->alloc);
    enum graft_rc rc = graft_checkpoint_decode(&checkpoint, bytes, size, err);
    if (rc == GRAFT_OK)
        rc = graft_checkpoint_encode(&checkpoint, out, err);
    graft_checkpoint_deinit(&checkpoint);
    return rc;
}

static enum graft_rc reencode_config(const uint8_t *bytes, size_t size, struct graft_buf *out,
                                     struct graft_err *err)
{
    struct graft_config config;
    graft_config_init(&config, out->alloc);
    enum graft_rc rc = graft_config_decode(&config, bytes, size, err);
    if (rc == GRAFT_OK)
        rc = graft_config_encode(&config, out);
    graft_config_deinit(&config);
    return rc;
}

static enum graft_rc reencode_sync_state(const uint8_t *bytes, size_t size, struct graft_buf *out,
                                         struct graft_err *err)
{
    struct graft_sync_state state;
    enum graft_rc rc = graft_sync_state_decode(&state, out->alloc, bytes, size, err);
    if (rc == GRAFT_OK)
        rc = graft_sync_state_encode(&state, out);
    return rc;
}

static enum graft_rc reencode_log_base(const uint8_t *bytes, size_t size, struct graft_buf *out,
                                       struct graft_err *err)
{
    struct graft_log_base base;
    graft_log_base_init(&base, out->alloc);
    enum graft_rc rc = graft_log_base_decode(&base, bytes, size, err);
    if (rc == GRAFT_OK)
        rc = graft_log_base_encode(&base, out);
    graft_log_base_deinit(&base);
    return rc;
}

const struct format_kind kind_pageset = {"page set", reencode_pageset, NULL};
const struct format_kind kind_pagemap = {"page map", reencode_pagemap, NULL};
const struct format_kind kind_frame = {"frame", reencode_frame, repair_frame};
const struct format_kind kind_commit = {"commit", reencode_commit, repair_envelope};
const struct format_kind kind_checkpoint = {"checkpoint", reencode_checkpoint, repair_envelope};
const struct format_kind kind_config = {"config", reencode_config, repair_envelope};
const struct format_kind kind_sync_state = {"sync state", reencode_sync_state, NULL};
const struct format_kind kind_log_base = {"log base", reencode_log_base, NULL};
