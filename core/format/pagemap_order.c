/* The canonical order of a page map: objects by kind and id, frames by object and offset, nothing
 * twice, nothing unused. Two maps that say the same have the same arrays after it. */
#include <string.h>

#include "base/catalogue.h"
#include "format/wire.h"

#define UNUSED UINT32_MAX

int graft_object_ref_compare(const struct graft_object_ref *a, const struct graft_object_ref *b)
{
    if (a->kind != b->kind)
        return a->kind == GRAFT_OBJECT_SEGMENT ? -1 : 1;
    if (a->kind == GRAFT_OBJECT_SEGMENT)
        return memcmp(a->segment.bytes, b->segment.bytes, sizeof a->segment.bytes);
    return (a->commit_lsn > b->commit_lsn) - (a->commit_lsn < b->commit_lsn);
}

/* What normalising works with. `object_to` and `frame_to` are indexed by the old index and hold the
 * new one, or UNUSED; `order` holds old indexes in the new order. */
struct work {
    const struct graft_pagemap *map;
    uint32_t *object_to;
    uint32_t *frame_to;
    uint32_t *order;
    uint32_t *scratch;
};

typedef int compare_fn(const struct work *work, uint32_t a, uint32_t b);

static int compare_objects(const struct work *work, uint32_t a, uint32_t b)
{
    return graft_object_ref_compare(&work->map->objects[a], &work->map->objects[b]);
}

static int compare_frames(const struct work *work, uint32_t a, uint32_t b)
{
    const struct graft_map_frame *left = &work->map->frames[a];
    const struct graft_map_frame *right = &work->map->frames[b];
    uint32_t left_object = work->object_to[left->object];
    uint32_t right_object = work->object_to[right->object];
    if (left_object != right_object)
        return left_object < right_object ? -1 : 1;
    return (left->offset > right->offset) - (left->offset < right->offset);
}

/* The end of the ascending run that begins at `from`. */
static uint32_t run_end(const struct work *work, const uint32_t *items, uint32_t count,
                        uint32_t from, compare_fn *compare)
{
    uint32_t end = from + 1;
    while (end < count && compare(work, items[end - 1], items[end]) <= 0)
        end++;
    return end;
}

/* A merge sort of work->order that starts from the runs it finds: linear for one or two of them.
 * (The C library's qsort may allocate, and never sees that the input is nearly sorted.) */
static void sort_order(struct work *work, uint32_t count, compare_fn *compare)
{
    for (;;) {
        uint32_t runs = 0;
        uint32_t at = 0;
        while (at < count) {
            uint32_t middle = run_end(work, work->order, count, at, compare);
            if (at == 0 && middle == count)
                return;
            uint32_t end =
                middle == count ? count : run_end(work, work->order, count, middle, compare);
            uint32_t i = at;
            uint32_t j = middle;
            for (uint32_t k = at; k < end; k++) {
                bool left =
                    j == end || (i < middle && compare(work, work->order[i], work->order[j]) <= 0);
                work->scratch[k] = left ? work->order[i++] : work->order[j++];
            }
            at = end;
            runs++;
        }
        uint32_t *sorted = work->scratch;
        work->scratch = work->order;
        work->order = sorted;
        if (runs <= 1)
            return;
    }
}

/* Puts the used objects in order and into `out`; returns how many there are. */
static uint32_t order_objects(struct work *work, struct graft_object_ref *out)
{
    const struct graft_pagemap *map = work->map;
    uint32_t count = 0;
    for (uint32_t i = 0; i < map->object_count; i++) {
        if (work->object_to[i] != UNUSED)
            work->order[count++] = i;
    }
    sort_order(work, count, compare_objects);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct graft_object_ref *object = &map->objects[work->order[i]];
        if (kept == 0 || graft_object_ref_compare(&out[kept - 1], object) != 0)
            out[kept++] = *object;
        work->object_to[work->order[i]] = kept - 1;
    }
    return kept;
}

/* Puts the used frames in order and into `out`. ECORRUPT when two overlap without being equal. */
static enum graft_rc order_frames(struct work *work, struct graft_map_frame *out,
                                  uint32_t *kept_count)
{
    const struct graft_pagemap *map = work->map;
    uint32_t count = 0;
    for (uint32_t i = 0; i < map->frame_count; i++) {
        if (work->frame_to[i] != UNUSED)
            work->order[count++] = i;
    }
    sort_order(work, count, compare_frames);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct graft_map_frame frame = map->frames[work->order[i]];
        frame.object = work->object_to[frame.object];
        struct graft_map_frame *last = kept == 0 ? NULL : &out[kept - 1];
        if (last == NULL || last->object != frame.object ||
            (frame.offset > last->offset && frame.offset - last->offset >= last->stored_bytes)) {
            out[kept++] = frame;
        } else if (last->offset != frame.offset || last->stored_bytes != frame.stored_bytes ||
                   last->lsn != frame.lsn) {
            return GRAFT_ECORRUPT;
        }
        work->frame_to[work->order[i]] = kept - 1;
    }
    *kept_count = kept;
    return GRAFT_OK;
}

static void mark_used(struct work *work)
{
    const struct graft_pagemap *map = work->map;
    for (uint32_t i = 0; i < map->object_count; i++)
        work->object_to[i] = UNUSED;
    for (uint32_t i = 0; i < map->frame_count; i++)
        work->frame_to[i] = UNUSED;
    for (uint32_t i = 0; i < map->entry_count; i++) {
        uint32_t frame = map->entries[i].frame;
        work->frame_to[frame] = 0;
        work->object_to[map->frames[frame].object] = 0;
    }
}

/* Gives the entries their frames' new indexes, and joins those that have become one run. */
static void renumber_entries(struct graft_pagemap *map, const uint32_t *frame_to)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < map->entry_count; i++) {
        struct graft_map_entry entry = map->entries[i];
        entry.frame = frame_to[entry.frame];
        struct graft_map_entry *last = kept == 0 ? NULL : &map->entries[kept - 1];
        bool joins = last != NULL && last->frame == entry.frame &&
                     last->page + last->count == entry.page &&
                     last->index + last->count == entry.index;
        if (joins)
            last->count = (uint16_t)(last->count + entry.count);
        else
            map->entries[kept++] = entry;
    }
    map->entry_count = kept;
}

enum graft_rc graft_pagemap_normalise(struct graft_pagemap *map)
{
    enum graft_rc rc = GRAFT_ENOMEM;
    uint32_t most = map->frame_count > map->object_count ? map->frame_count : map->object_count;
    size_t words = (size_t)map->object_count + map->frame_count + 2 * (size_t)most;
    uint32_t *memory = graft_calloc(map->alloc, words, sizeof *memory);
    struct graft_object_ref *objects = graft_calloc(map->alloc, map->object_count, sizeof *objects);
    struct graft_map_frame *frames = graft_calloc(map->alloc, map->frame_count, sizeof *frames);
    if (memory == NULL || objects == NULL || frames == NULL)
        goto out;

    struct work work = {
        .map = map,
        .object_to = memory,
        .frame_to = memory + map->object_count,
        .order = memory + map->object_count + map->frame_count,
        .scratch = memory + map->object_count + map->frame_count + most,
    };
    mark_used(&work);
    uint32_t object_count = order_objects(&work, objects);
    uint32_t frame_count = 0;
    rc = order_frames(&work, frames, &frame_count);
    if (rc != GRAFT_OK)
        goto out;
    renumber_entries(map, work.frame_to);
    GRAFT_ALWAYS(frame_count >= object_count, "every object of a page map has a frame");

    struct graft_object_ref *old_objects = map->objects;
    struct graft_map_frame *old_frames = map->frames;
    map->object_capacity = map->object_count;
    map->frame_capacity = map->frame_count;
    map->objects = objects;
    map->frames = frames;
    map->object_count = object_count;
    map->frame_count = frame_count;
    objects = old_objects;
    frames = old_frames;
out:
    graft_free(map->alloc, frames);
    graft_free(map->alloc, objects);
    graft_free(map->alloc, memory);
    return rc;
}
