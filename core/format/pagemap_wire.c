/* Page maps on the wire (wire.proto: PageMap).
 *
 * The columns are delta-coded, so that most of what could be wrong cannot be said: frames of an
 * object cannot overlap nor entries run backwards. One function checks the rest, for maps that are
 * written as well as for those that were read: what we would refuse to read is never written.
 */
#include <string.h>

#include "base/catalogue.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "format/frame.h"
#include "format/wire.h"

#define ENTRY_BYTES_MIN 4U /* four varints */

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

/* The difference, modulo 2^64, as a sint64 field carries it. */
static int64_t wrap_to_signed(uint64_t value)
{
    return value <= INT64_MAX ? (int64_t)value : -(int64_t)(UINT64_MAX - value) - 1;
}

static enum graft_rc check_objects(const struct graft_pagemap *map, uint64_t lsn_max,
                                   enum graft_rc wrong, struct graft_err *err)
{
    for (uint32_t i = 0; i < map->object_count; i++) {
        const struct graft_object_ref *object = &map->objects[i];
        if (i > 0 && graft_object_ref_compare(&map->objects[i - 1], object) >= 0)
            return graft_err_set(err, wrong, "page map: object %u is out of order", i);
        bool bad_lsn = object->kind == GRAFT_OBJECT_COMMIT &&
                       (object->commit_lsn == 0 || object->commit_lsn > lsn_max);
        if (bad_lsn)
            return graft_err_set(err, wrong, "page map: object %u is a commit from nowhere", i);
    }
    return GRAFT_OK;
}

static enum graft_rc check_frames(const struct graft_pagemap *map, uint64_t lsn_max,
                                  enum graft_rc wrong, struct graft_err *err)
{
    for (uint32_t i = 0; i < map->frame_count; i++) {
        const struct graft_map_frame *frame = &map->frames[i];
        const struct graft_map_frame *before = i == 0 ? NULL : &map->frames[i - 1];
        uint32_t same = before == NULL ? 0 : before->object;
        uint32_t next = before == NULL ? 0 : before->object + 1;
        if ((frame->object != same && frame->object != next) || frame->object >= map->object_count)
            return graft_err_set(err, wrong, "page map: frame %u is in no object or skips one", i);
        const struct graft_object_ref *object = &map->objects[frame->object];
        bool segment = object->kind == GRAFT_OBJECT_SEGMENT;
        bool first = before == NULL || before->object != frame->object;
        uint64_t least = !first ? before->offset + before->stored_bytes
                                : (segment ? GRAFT_SEGMENT_HEADER_BYTES : 0);
        if (frame->stored_bytes <= GRAFT_FRAME_HEADER_BYTES ||
            frame->stored_bytes > GRAFT_FRAME_STORED_BYTES_MAX || frame->offset < least ||
            frame->offset > GRAFT_OBJECT_BYTES_MAX - frame->stored_bytes) {
            return graft_err_set(err, wrong, "page map: frame %u cannot be where it is said", i);
        }
        if (frame->lsn == 0 || frame->lsn > lsn_max ||
            (!segment && frame->lsn > object->commit_lsn))
            return graft_err_set(err, wrong, "page map: frame %u is from no commit", i);
    }
    uint32_t used = map->frame_count == 0 ? 0 : map->frames[map->frame_count - 1].object + 1;
    if (used != map->object_count)
        return graft_err_set(err, wrong, "page map: object %u has no frame", used);
    return GRAFT_OK;
}

/* How far the entries seen so far have used a frame. */
struct frame_use {
    uint32_t page_end;
    uint32_t index_end;
};

static enum graft_rc check_entry(const struct graft_pagemap *map, uint32_t i, uint32_t page_count,
                                 struct frame_use *uses, enum graft_rc wrong, struct graft_err *err)
{
    const struct graft_map_entry *entry = &map->entries[i];
    const struct graft_map_entry *before = i == 0 ? NULL : &map->entries[i - 1];
    uint64_t least = before == NULL ? 1 : (uint64_t)before->page + before->count;
    if (entry->page < least || entry->count == 0 ||
        (uint64_t)entry->page + entry->count - 1 > page_count) {
        return graft_err_set(err, wrong, "page map: %u pages at page %u, of %u, are out of order",
                             entry->count, entry->page, page_count);
    }
    if (entry->frame >= map->frame_count ||
        (uint32_t)entry->index + entry->count > GRAFT_FRAME_PAGES_MAX)
        return graft_err_set(err, wrong, "page map: page %u is in no frame", entry->page);
    bool joins = before != NULL && before->frame == entry->frame && least == entry->page &&
                 before->index + before->count == entry->index;
    if (joins)
        return graft_err_set(err, wrong, "page map: the run at page %u is split", entry->page);

    /* A frame's pages ascend, so further pages cannot stand before earlier ones or closer together
     * than they are numbered. */
    struct frame_use *use = &uses[entry->frame];
    uint32_t page_end = use->index_end == 0 ? 1 : use->page_end;
    if (entry->index < use->index_end || entry->page - page_end < entry->index - use->index_end)
        return graft_err_set(err, wrong, "page map: page %u is not at index %u", entry->page,
                             entry->index);
    *use = (struct frame_use){entry->page + entry->count, (uint32_t)entry->index + entry->count};
    return GRAFT_OK;
}

static enum graft_rc check_map(const struct graft_pagemap *map, uint32_t page_count,
                               uint64_t lsn_max, enum graft_rc wrong, struct graft_err *err)
{
    GRAFT_TRY(check_objects(map, lsn_max, wrong, err));
    GRAFT_TRY(check_frames(map, lsn_max, wrong, err));
    struct frame_use *uses = graft_calloc(map->alloc, map->frame_count, sizeof *uses);
    if (uses == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "page map: out of memory");
    enum graft_rc rc = GRAFT_OK;
    for (uint32_t i = 0; rc == GRAFT_OK && i < map->entry_count; i++)
        rc = check_entry(map, i, page_count, uses, wrong, err);
    for (uint32_t i = 0; rc == GRAFT_OK && i < map->frame_count; i++) {
        if (uses[i].index_end == 0)
            rc = graft_err_set(err, wrong, "page map: frame %u has no page", i);
    }
    graft_free(map->alloc, uses);
    return rc;
}

static enum graft_rc build_entries(struct graft_wire_pagemap *wire)
{
    const struct graft_pagemap *map = &wire->canonical;
    uint32_t next_page = 1;
    uint32_t frame_before = 0;
    for (uint32_t i = 0; i < map->entry_count; i++) {
        const struct graft_map_entry *entry = &map->entries[i];
        int64_t step = (int64_t)entry->frame - (int64_t)frame_before;
        if (step < -1 && GRAFT_MUTANT("format: a step back to an earlier frame is off by one"))
            step++;
        GRAFT_TRY(graft_buf_append_varint(&wire->entries, entry->page - next_page));
        GRAFT_TRY(graft_buf_append_varint(&wire->entries, entry->count - 1U));
        GRAFT_TRY(graft_buf_append_varint(&wire->entries, zigzag(step)));
        GRAFT_TRY(graft_buf_append_varint(&wire->entries, entry->index));
        next_page = entry->page + entry->count;
        frame_before = entry->frame;
    }
    return GRAFT_OK;
}

static void build_columns(struct graft_wire_pagemap *wire)
{
    const struct graft_pagemap *map = &wire->canonical;
    for (uint32_t i = 0; i < map->object_count; i++) {
        const struct graft_object_ref *object = &map->objects[i];
        wire->objects[i] = (Graft__ObjectRef)GRAFT__OBJECT_REF__INIT;
        if (object->kind == GRAFT_OBJECT_SEGMENT)
            wire->objects[i].segment = graft_wire_bytes(object->segment.bytes, 16);
        else
            wire->objects[i].commit_lsn = object->commit_lsn;
        wire->object_pointers[i] = &wire->objects[i];
    }
    uint64_t end = 0;
    uint64_t lsn_before = 0;
    for (uint32_t i = 0; i < map->frame_count; i++) {
        const struct graft_map_frame *frame = &map->frames[i];
        if (i > 0 && map->frames[i - 1].object != frame->object)
            end = 0;
        wire->frame_object[i] = frame->object;
        wire->frame_bytes[i] = frame->stored_bytes;
        wire->frame_gap[i] = frame->offset - end;
        wire->frame_lsn[i] = wrap_to_signed(frame->lsn - lsn_before);
        end = frame->offset + frame->stored_bytes;
        lsn_before = frame->lsn;
    }
}

static enum graft_rc allocate_columns(struct graft_wire_pagemap *wire)
{
    struct graft_alloc *alloc = wire->canonical.alloc;
    uint32_t objects = wire->canonical.object_count;
    uint32_t frames = wire->canonical.frame_count;
    wire->objects = graft_calloc(alloc, objects, sizeof *wire->objects);
    wire->object_pointers = graft_calloc(alloc, objects, sizeof *wire->object_pointers);
    wire->frame_object = graft_calloc(alloc, frames, sizeof *wire->frame_object);
    wire->frame_bytes = graft_calloc(alloc, frames, sizeof *wire->frame_bytes);
    wire->frame_gap = graft_calloc(alloc, frames, sizeof *wire->frame_gap);
    wire->frame_lsn = graft_calloc(alloc, frames, sizeof *wire->frame_lsn);
    bool failed = wire->objects == NULL || wire->object_pointers == NULL ||
                  wire->frame_object == NULL || wire->frame_bytes == NULL ||
                  wire->frame_gap == NULL || wire->frame_lsn == NULL;
    return failed ? GRAFT_ENOMEM : GRAFT_OK;
}

enum graft_rc graft_wire_pagemap_init(struct graft_wire_pagemap *wire,
                                      const struct graft_pagemap *map, uint32_t page_count,
                                      uint64_t lsn_max, struct graft_err *err)
{
    struct graft_wire_pagemap built = {.message = GRAFT__PAGE_MAP__INIT};
    graft_pagemap_init(&built.canonical, map->alloc);
    graft_buf_init(&built.entries, map->alloc);
    enum graft_rc rc = graft_pagemap_copy(&built.canonical, map);
    if (rc == GRAFT_OK)
        rc = graft_pagemap_normalise(&built.canonical);
    if (rc == GRAFT_ECORRUPT)
        rc = graft_err_set(err, GRAFT_EBUG, "page map: frames contradict each other");
    else if (rc != GRAFT_OK)
        rc = graft_err_set(err, rc, "page map: out of memory");
    if (rc == GRAFT_OK)
        rc = check_map(&built.canonical, page_count, lsn_max, GRAFT_EBUG, err);
    if (rc == GRAFT_OK) {
        rc = allocate_columns(&built);
        if (rc == GRAFT_OK)
            rc = build_entries(&built);
        if (rc != GRAFT_OK)
            rc = graft_err_set(err, rc, "page map: out of memory");
    }
    if (rc != GRAFT_OK) {
        graft_wire_pagemap_deinit(&built);
        return rc;
    }
    build_columns(&built);

    Graft__PageMap *message = &built.message;
    message->n_objects = built.canonical.object_count;
    message->objects = built.object_pointers;
    message->n_frame_object = message->n_frame_gap = built.canonical.frame_count;
    message->n_frame_bytes = message->n_frame_lsn = built.canonical.frame_count;
    message->frame_object = built.frame_object;
    message->frame_gap = built.frame_gap;
    message->frame_bytes = built.frame_bytes;
    message->frame_lsn = built.frame_lsn;
    message->entries = graft_wire_bytes(built.entries.bytes, built.entries.size);
    *wire = built;
    return GRAFT_OK;
}

void graft_wire_pagemap_deinit(struct graft_wire_pagemap *wire)
{
    struct graft_alloc *alloc = wire->canonical.alloc;
    graft_free(alloc, wire->objects);
    graft_free(alloc, wire->object_pointers);
    graft_free(alloc, wire->frame_object);
    graft_free(alloc, wire->frame_bytes);
    graft_free(alloc, wire->frame_gap);
    graft_free(alloc, wire->frame_lsn);
    graft_buf_deinit(&wire->entries);
    graft_pagemap_deinit(&wire->canonical);
}

enum graft_rc graft_pagemap_encode(const struct graft_pagemap *map, struct graft_buf *out)
{
    struct graft_wire_pagemap wire;
    GRAFT_TRY(graft_wire_pagemap_init(&wire, map, GRAFT_PAGES_MAX, UINT64_MAX, NULL));
    enum graft_rc rc = graft_wire_pack(&wire.message.base, out);
    graft_wire_pagemap_deinit(&wire);
    return rc;
}

static enum graft_rc read_objects(struct graft_pagemap *map, const Graft__PageMap *message,
                                  struct graft_err *err)
{
    if (message->n_objects > UINT32_MAX)
        return graft_err_set(err, GRAFT_ECORRUPT, "page map: too many objects");
    map->objects = graft_calloc(map->alloc, message->n_objects, sizeof *map->objects);
    if (map->objects == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "page map: out of memory");
    map->object_capacity = map->object_count = (uint32_t)message->n_objects;
    for (uint32_t i = 0; i < map->object_count; i++) {
        const Graft__ObjectRef *object = message->objects[i];
        struct graft_object_ref *to = &map->objects[i];
        to->kind = object->segment.len > 0 ? GRAFT_OBJECT_SEGMENT : GRAFT_OBJECT_COMMIT;
        to->commit_lsn = object->commit_lsn;
        bool bad = !graft_wire_read_16(&object->segment, true, to->segment.bytes) ||
                   (to->kind == GRAFT_OBJECT_SEGMENT && to->commit_lsn != 0);
        if (bad)
            return graft_err_set(err, GRAFT_ECORRUPT, "page map: object %u is malformed", i);
    }
    return GRAFT_OK;
}

static enum graft_rc read_frames(struct graft_pagemap *map, const Graft__PageMap *message,
                                 struct graft_err *err)
{
    size_t count = message->n_frame_object;
    if (count > UINT32_MAX || message->n_frame_gap != count || message->n_frame_bytes != count ||
        message->n_frame_lsn != count)
        return graft_err_set(err, GRAFT_ECORRUPT, "page map: columns of different lengths");
    map->frames = graft_calloc(map->alloc, count, sizeof *map->frames);
    if (map->frames == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "page map: out of memory");
    map->frame_capacity = map->frame_count = (uint32_t)count;
    uint64_t end = 0;
    uint64_t lsn = 0;
    for (uint32_t i = 0; i < map->frame_count; i++) {
        if (i > 0 && message->frame_object[i] != message->frame_object[i - 1])
            end = 0;
        if (message->frame_gap[i] > GRAFT_OBJECT_BYTES_MAX || end > GRAFT_OBJECT_BYTES_MAX)
            return graft_err_set(err, GRAFT_ECORRUPT, "page map: frame %u is past any object", i);
        lsn += (uint64_t)message->frame_lsn[i];
        map->frames[i] = (struct graft_map_frame){
            .object = message->frame_object[i],
            .stored_bytes = message->frame_bytes[i],
            .offset = end + message->frame_gap[i],
            .lsn = lsn,
        };
        end = map->frames[i].offset + map->frames[i].stored_bytes;
    }
    return GRAFT_OK;
}

static enum graft_rc read_entries(struct graft_pagemap *map, const Graft__PageMap *message,
                                  struct graft_err *err)
{
    size_t size = message->entries.len;
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, message->entries.data, size);
    if (size / ENTRY_BYTES_MIN > UINT32_MAX)
        return graft_err_set(err, GRAFT_ECORRUPT, "page map: too many entries");
    map->entries = graft_calloc(map->alloc, size / ENTRY_BYTES_MIN, sizeof *map->entries);
    if (map->entries == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "page map: out of memory");
    map->entry_capacity = (uint32_t)(size / ENTRY_BYTES_MIN);

    uint64_t next_page = 1;
    uint64_t frame = 0;
    while (graft_rcur_left(&cursor) > 0) {
        uint64_t gap = graft_rcur_varint(&cursor);
        uint64_t more = graft_rcur_varint(&cursor);
        uint64_t step = graft_rcur_varint(&cursor);
        uint64_t index = graft_rcur_varint(&cursor);
        /* Sums of these cannot overflow; whether they fit the volume is checked with the rest. */
        if (cursor.failed || gap > GRAFT_PAGES_MAX || next_page + gap > GRAFT_PAGES_MAX ||
            more >= GRAFT_FRAME_PAGES_MAX || index >= GRAFT_FRAME_PAGES_MAX)
            return graft_err_set(err, GRAFT_ECORRUPT, "page map: entry %u is malformed",
                                 map->entry_count);
        frame += (step >> 1) ^ ((step & 1) != 0 ? UINT64_MAX : 0);
        if (frame >= map->frame_count)
            return graft_err_set(err, GRAFT_ECORRUPT, "page map: entry %u is in no frame",
                                 map->entry_count);
        map->entries[map->entry_count++] = (struct graft_map_entry){
            .page = (uint32_t)(next_page + gap),
            .frame = (uint32_t)frame,
            .index = (uint16_t)index,
            .count = (uint16_t)(more + 1),
        };
        next_page += gap + more + 1;
    }
    return GRAFT_OK;
}

enum graft_rc graft_wire_pagemap_read(struct graft_pagemap *map, const Graft__PageMap *message,
                                      uint32_t page_count, uint64_t lsn_max, struct graft_err *err)
{
    struct graft_pagemap read;
    graft_pagemap_init(&read, map->alloc);
    if (message != NULL) {
        enum graft_rc rc = read_objects(&read, message, err);
        if (rc == GRAFT_OK)
            rc = read_frames(&read, message, err);
        if (rc == GRAFT_OK)
            rc = read_entries(&read, message, err);
        if (rc == GRAFT_OK)
            rc = check_map(&read, page_count, lsn_max, GRAFT_ECORRUPT, err);
        if (rc != GRAFT_OK) {
            graft_pagemap_deinit(&read);
            return rc;
        }
    }
    graft_pagemap_deinit(map);
    *map = read;
    return GRAFT_OK;
}

enum graft_rc graft_pagemap_decode(struct graft_pagemap *map, const uint8_t *bytes, size_t size,
                                   uint32_t page_count, uint64_t lsn_max, struct graft_err *err)
{
    struct graft_wire_memory memory;
    graft_wire_memory_init(&memory, map->alloc);
    ProtobufCMessage *message;
    GRAFT_TRY(graft_wire_unpack(&memory, &graft__page_map__descriptor, bytes, size, "page map",
                                &message, err));
    enum graft_rc rc =
        graft_wire_pagemap_read(map, (const Graft__PageMap *)message, page_count, lsn_max, err);
    protobuf_c_message_free_unpacked(message, &memory.protobuf);
    return rc;
}
