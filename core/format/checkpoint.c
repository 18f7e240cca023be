/* Checkpoints: the whole page map of a volume at one LSN, so that no reader needs the commits
 * before it; commit.h carries the byte layout and the contract. */
#include "base/limits.h"
#include "format/commit.h"
#include "format/wire.h"

#define CHECKPOINT_VERSION 1U

static const char magic[] = "GRAFTCKP";

void graft_checkpoint_init(struct graft_checkpoint *checkpoint, struct graft_alloc *alloc)
{
    *checkpoint = (struct graft_checkpoint){.lsn = 0};
    graft_pagemap_init(&checkpoint->map, alloc);
}

void graft_checkpoint_deinit(struct graft_checkpoint *checkpoint)
{
    graft_pagemap_deinit(&checkpoint->map);
}

static enum graft_rc check_head(const struct graft_checkpoint *checkpoint, enum graft_rc wrong,
                                struct graft_err *err)
{
    static const struct graft_hash none = {{0}};
    unsigned long long lsn = checkpoint->lsn;
    if (lsn == 0)
        return graft_err_set(err, wrong, "checkpoint: LSN 0");
    if (graft_volume_id_is_none(&checkpoint->volume))
        return graft_err_set(err, wrong, "checkpoint %llu: no volume", lsn);
    if (graft_hash_equal(&checkpoint->commit, &none))
        return graft_err_set(err, wrong, "checkpoint %llu: names no commit", lsn);
    if (!graft_page_size_valid(checkpoint->page_bytes))
        return graft_err_set(err, wrong, "checkpoint %llu: pages of %u bytes", lsn,
                             checkpoint->page_bytes);
    if (checkpoint->page_count > GRAFT_PAGES_MAX)
        return graft_err_set(err, wrong, "checkpoint %llu: %u pages", lsn, checkpoint->page_count);
    return GRAFT_OK;
}

static enum graft_rc check_map(const struct graft_checkpoint *checkpoint, enum graft_rc wrong,
                               struct graft_err *err)
{
    const struct graft_pagemap *map = &checkpoint->map;
    for (uint32_t i = 0; i < map->frame_count; i++) {
        const struct graft_map_frame *frame = &map->frames[i];
        bool in_header = map->objects[frame->object].kind == GRAFT_OBJECT_COMMIT &&
                         frame->offset < GRAFT_OBJECT_HEADER_BYTES;
        if (in_header)
            return graft_err_set(err, wrong, "checkpoint %llu: a frame stands in a commit's header",
                                 (unsigned long long)checkpoint->lsn);
    }
    return GRAFT_OK;
}

enum graft_rc graft_checkpoint_encode(const struct graft_checkpoint *checkpoint,
                                      struct graft_buf *out, struct graft_err *err)
{
    GRAFT_TRY(check_head(checkpoint, GRAFT_EBUG, err));
    GRAFT_TRY(check_map(checkpoint, GRAFT_EBUG, err));
    struct graft_wire_pagemap map;
    GRAFT_TRY(graft_wire_pagemap_init(&map, &checkpoint->map, checkpoint->page_count,
                                      checkpoint->lsn, err));
    Graft__Checkpoint message = GRAFT__CHECKPOINT__INIT;
    message.volume = graft_wire_bytes(checkpoint->volume.bytes, sizeof checkpoint->volume.bytes);
    message.commit = graft_wire_hash(&checkpoint->commit);
    message.lsn = checkpoint->lsn;
    message.page_bytes = checkpoint->page_bytes;
    message.page_count = checkpoint->page_count;
    message.variable = checkpoint->variable;
    message.map = &map.message;
    enum graft_rc rc = graft_wire_seal(magic, CHECKPOINT_VERSION, &message.base, out, err);
    graft_wire_pagemap_deinit(&map);
    return rc;
}

/* Fills `checkpoint`, which is fresh, from the message. */
static enum graft_rc read_message(struct graft_checkpoint *checkpoint,
                                  const Graft__Checkpoint *message, struct graft_err *err)
{
    bool ids = graft_wire_read_16(&message->volume, false, checkpoint->volume.bytes) &&
               graft_wire_read_16(&message->commit, false, checkpoint->commit.bytes);
    if (!ids)
        return graft_err_set(err, GRAFT_ECORRUPT, "checkpoint: an id is not 16 bytes");
    checkpoint->lsn = message->lsn;
    checkpoint->page_bytes = message->page_bytes;
    checkpoint->page_count = message->page_count;
    checkpoint->variable = message->variable != 0;
    GRAFT_TRY(check_head(checkpoint, GRAFT_ECORRUPT, err));
    enum graft_rc rc = graft_wire_pagemap_read(&checkpoint->map, message->map,
                                               checkpoint->page_count, checkpoint->lsn, err);
    if (rc != GRAFT_OK)
        return graft_err_wrap(err, rc, "checkpoint %llu", (unsigned long long)checkpoint->lsn);
    return check_map(checkpoint, GRAFT_ECORRUPT, err);
}

enum graft_rc graft_checkpoint_decode(struct graft_checkpoint *checkpoint, const uint8_t *bytes,
                                      size_t size, struct graft_err *err)
{
    const uint8_t *message_start;
    size_t message_bytes;
    GRAFT_TRY(graft_wire_open(magic, CHECKPOINT_VERSION, "checkpoint", bytes, size, &message_start,
                              &message_bytes, err));
    if (GRAFT_OBJECT_HEADER_BYTES + message_bytes != size)
        return graft_err_set(err, GRAFT_ECORRUPT, "checkpoint: bytes after its message");
    struct graft_wire_memory memory;
    graft_wire_memory_init(&memory, checkpoint->map.alloc);
    ProtobufCMessage *message;
    GRAFT_TRY(graft_wire_unpack(&memory, &graft__checkpoint__descriptor, message_start,
                                message_bytes, "checkpoint", &message, err));

    struct graft_checkpoint read;
    graft_checkpoint_init(&read, checkpoint->map.alloc);
    enum graft_rc rc = read_message(&read, (const Graft__Checkpoint *)message, err);
    protobuf_c_message_free_unpacked(message, &memory.protobuf);
    if (rc != GRAFT_OK) {
        graft_checkpoint_deinit(&read);
        return rc;
    }
    graft_checkpoint_deinit(checkpoint);
    *checkpoint = read;
    return GRAFT_OK;
}
