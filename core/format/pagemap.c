/* Page maps: where each page's version stands in the remote.
 *
 * Entries are sorted by page, so that a lookup is one binary search over twelve bytes an entry.
 * Objects and frames stand in any order while a map is built; `graft_pagemap_normalise` brings them
 * into the one order that the wire has, and joins what two maps say about the same frame: merging
 * is to lay the entries of one over the other's and to normalise. Its sort takes the ascending runs
 * that it finds, so that two maps in order merge in linear time.
 */
#include "format/pagemap.h"

#include <string.h>

#include "base/catalogue.h"
#include "base/limits.h"
#include "format/wire.h"

void graft_pagemap_init(struct graft_pagemap *map, struct graft_alloc *alloc)
{
    *map = (struct graft_pagemap){.alloc = alloc};
}

void graft_pagemap_deinit(struct graft_pagemap *map)
{
    if (map->alloc != NULL) {
        graft_free(map->alloc, map->objects);
        graft_free(map->alloc, map->frames);
        graft_free(map->alloc, map->entries);
    }
    *map = (struct graft_pagemap){.alloc = map->alloc};
}

/* Room for `more` elements past `count`. */
static enum graft_rc reserve(struct graft_alloc *alloc, void **array, uint32_t *capacity,
                             uint32_t count, uint32_t more, size_t element_bytes)
{
    if (more <= *capacity - count)
        return GRAFT_OK;
    if (more > UINT32_MAX / 2 - count)
        return GRAFT_ENOMEM;
    uint32_t wanted = *capacity < 8 ? 8 : *capacity;
    while (wanted - count < more)
        wanted *= 2;
    void *grown = graft_realloc(alloc, *array, wanted, element_bytes);
    if (grown == NULL)
        return GRAFT_ENOMEM;
    *array = grown;
    *capacity = wanted;
    return GRAFT_OK;
}

static enum graft_rc reserve_objects(struct graft_pagemap *map, uint32_t more)
{
    void *array = map->objects;
    GRAFT_TRY(reserve(map->alloc, &array, &map->object_capacity, map->object_count, more,
                      sizeof *map->objects));
    map->objects = array;
    return GRAFT_OK;
}

static enum graft_rc reserve_frames(struct graft_pagemap *map, uint32_t more)
{
    void *array = map->frames;
    GRAFT_TRY(reserve(map->alloc, &array, &map->frame_capacity, map->frame_count, more,
                      sizeof *map->frames));
    map->frames = array;
    return GRAFT_OK;
}

static enum graft_rc reserve_entries(struct graft_pagemap *map, uint32_t more)
{
    void *array = map->entries;
    GRAFT_TRY(reserve(map->alloc, &array, &map->entry_capacity, map->entry_count, more,
                      sizeof *map->entries));
    map->entries = array;
    return GRAFT_OK;
}

/* Appends copies of all objects and frames of `from`; room is there. */
static void append_objects_and_frames(struct graft_pagemap *map, const struct graft_pagemap *from)
{
    uint32_t first_object = map->object_count;
    for (uint32_t i = 0; i < from->object_count; i++)
        map->objects[map->object_count++] = from->objects[i];
    for (uint32_t i = 0; i < from->frame_count; i++) {
        map->frames[map->frame_count] = from->frames[i];
        map->frames[map->frame_count++].object += first_object;
    }
}

enum graft_rc graft_pagemap_copy(struct graft_pagemap *to, const struct graft_pagemap *from)
{
    if (to == from)
        return GRAFT_OK;
    struct graft_pagemap copy;
    graft_pagemap_init(&copy, to->alloc);
    enum graft_rc rc = reserve_objects(&copy, from->object_count);
    if (rc == GRAFT_OK)
        rc = reserve_frames(&copy, from->frame_count);
    if (rc == GRAFT_OK)
        rc = reserve_entries(&copy, from->entry_count);
    if (rc != GRAFT_OK) {
        graft_pagemap_deinit(&copy);
        return rc;
    }
    append_objects_and_frames(&copy, from);
    if (from->entry_count > 0)
        memcpy(copy.entries, from->entries, from->entry_count * sizeof *copy.entries);
    copy.entry_count = from->entry_count;
    graft_pagemap_deinit(to);
    *to = copy;
    return GRAFT_OK;
}

enum graft_rc graft_pagemap_add_object(struct graft_pagemap *map,
                                       const struct graft_object_ref *object, uint32_t *index)
{
    /* From the end: the object being filled is the newest. */
    for (uint32_t i = map->object_count; i > 0; i--) {
        if (graft_object_ref_compare(&map->objects[i - 1], object) == 0) {
            *index = i - 1;
            return GRAFT_OK;
        }
    }
    GRAFT_TRY(reserve_objects(map, 1));
    *index = map->object_count;
    map->objects[map->object_count++] = *object;
    return GRAFT_OK;
}

static uint32_t entry_end(const struct graft_map_entry *entry)
{
    return entry->page + entry->count;
}

/* Appends an entry past the last one, or lengthens the last one when they are one run. */
static void append_entry(struct graft_map_entry *entries, uint32_t *count,
                         const struct graft_map_entry *entry)
{
    struct graft_map_entry *last = *count == 0 ? NULL : &entries[*count - 1];
    bool joins = last != NULL && last->frame == entry->frame && entry_end(last) == entry->page &&
                 last->index + last->count == entry->index;
    if (joins)
        last->count = (uint16_t)(last->count + entry->count);
    else
        entries[(*count)++] = *entry;
}

/* The part of an entry from `first` up to and without `end`; both lie within it. */
static struct graft_map_entry slice(const struct graft_map_entry *entry, uint32_t first,
                                    uint32_t end)
{
    return (struct graft_map_entry){
        .page = first,
        .frame = entry->frame,
        .index = (uint16_t)(GRAFT_MUTANT("format: a part of a run keeps the index of its beginning")
                                ? entry->index
                                : entry->index + (first - entry->page)),
        .count = (uint16_t)(end - first),
    };
}

/* The entries of `newer` laid over those of `older`; `out` has room for older + 2 * newer, since a
 * newer entry can split an older one in two. */
static uint32_t overlay(const struct graft_map_entry *older, uint32_t older_count,
                        const struct graft_map_entry *newer, uint32_t newer_count,
                        struct graft_map_entry *out)
{
    uint32_t count = 0;
    uint32_t j = 0;
    for (uint32_t i = 0; i < older_count; i++) {
        uint32_t first = older[i].page;
        uint32_t end = entry_end(&older[i]);
        while (j < newer_count && entry_end(&newer[j]) <= first)
            append_entry(out, &count, &newer[j++]);
        /* What is left of the older entry between the newer ones that meet it. */
        while (j < newer_count && newer[j].page < end) {
            if (newer[j].page > first) {
                struct graft_map_entry left = slice(&older[i], first, newer[j].page);
                append_entry(out, &count, &left);
            }
            first = entry_end(&newer[j]);
            if (first > end)
                break; /* it may hide the next older entry too */
            append_entry(out, &count, &newer[j++]);
        }
        bool cut = first > older[i].page;
        if (first < end &&
            !(cut && GRAFT_MUTANT("format: what a newer page leaves behind it of a run is lost"))) {
            struct graft_map_entry left = slice(&older[i], first, end);
            append_entry(out, &count, &left);
        }
    }
    while (j < newer_count)
        append_entry(out, &count, &newer[j++]);
    GRAFT_ALWAYS(count <= older_count + 2 * newer_count, "a page map laid over another has room");
    return count;
}

enum graft_rc graft_pagemap_add_frame(struct graft_pagemap *map,
                                      const struct graft_map_frame *frame, const uint32_t *pages,
                                      uint32_t count)
{
    if (count == 0 || count > GRAFT_FRAME_PAGES_MAX || frame->object >= map->object_count)
        return GRAFT_EINVAL;
    struct graft_map_entry added[GRAFT_FRAME_PAGES_MAX];
    uint32_t added_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t least = i == 0 ? 1 : pages[i - 1] + 1;
        if (pages[i] < least || pages[i] > GRAFT_PAGES_MAX)
            return GRAFT_EINVAL;
        struct graft_map_entry entry = {pages[i], map->frame_count, (uint16_t)i, 1};
        append_entry(added, &added_count, &entry);
    }
    GRAFT_TRY(reserve_frames(map, 1));

    bool ascends =
        map->entry_count == 0 || entry_end(&map->entries[map->entry_count - 1]) <= added[0].page;
    if (ascends) {
        GRAFT_TRY(reserve_entries(map, added_count));
        memcpy(map->entries + map->entry_count, added, added_count * sizeof added[0]);
        map->entry_count += added_count;
    } else {
        if (map->entry_count > UINT32_MAX / 2)
            return GRAFT_ENOMEM;
        uint32_t capacity = map->entry_count + 2 * added_count;
        struct graft_map_entry *entries = graft_calloc(map->alloc, capacity, sizeof *entries);
        if (entries == NULL)
            return GRAFT_ENOMEM;
        map->entry_count = overlay(map->entries, map->entry_count, added, added_count, entries);
        graft_free(map->alloc, map->entries);
        map->entries = entries;
        map->entry_capacity = capacity;
    }
    map->frames[map->frame_count++] = *frame;
    return GRAFT_OK;
}

enum graft_rc graft_pagemap_merge(struct graft_pagemap *map, const struct graft_pagemap *newer)
{
    if (newer == map || newer->entry_count == 0)
        return graft_pagemap_normalise(map);
    if (newer->entry_count > UINT32_MAX / 8 || map->entry_count > UINT32_MAX / 4 ||
        newer->frame_count > UINT32_MAX / 4 || map->frame_count > UINT32_MAX / 4 ||
        newer->object_count > UINT32_MAX / 4 || map->object_count > UINT32_MAX / 4)
        return GRAFT_ENOMEM;

    struct graft_pagemap both;
    struct graft_pagemap shifted;
    graft_pagemap_init(&both, map->alloc);
    graft_pagemap_init(&shifted, map->alloc);
    enum graft_rc rc = reserve_objects(&both, map->object_count + newer->object_count);
    if (rc == GRAFT_OK)
        rc = reserve_frames(&both, map->frame_count + newer->frame_count);
    if (rc == GRAFT_OK)
        rc = reserve_entries(&both, map->entry_count + 2 * newer->entry_count);
    if (rc == GRAFT_OK)
        rc = reserve_entries(&shifted, newer->entry_count);
    if (rc != GRAFT_OK)
        goto out;

    append_objects_and_frames(&both, map);
    append_objects_and_frames(&both, newer);
    for (uint32_t i = 0; i < newer->entry_count; i++) {
        shifted.entries[i] = newer->entries[i];
        shifted.entries[i].frame += map->frame_count;
    }
    both.entry_count =
        overlay(map->entries, map->entry_count, shifted.entries, newer->entry_count, both.entries);
    rc = graft_pagemap_normalise(&both);
    if (rc != GRAFT_OK)
        goto out;
    struct graft_pagemap before = *map;
    *map = both;
    both = before;
out:
    graft_pagemap_deinit(&both);
    graft_pagemap_deinit(&shifted);
    return rc;
}

enum graft_rc graft_pagemap_cut(struct graft_pagemap *map, uint32_t page_count)
{
    uint32_t kept = map->entry_count;
    while (kept > 0 && map->entries[kept - 1].page > page_count)
        kept--;
    struct graft_map_entry *last = kept == 0 ? NULL : &map->entries[kept - 1];
    bool cuts_last = last != NULL && entry_end(last) - 1 > page_count;
    if (kept == map->entry_count && !cuts_last)
        return GRAFT_OK;

    uint32_t entry_count_before = map->entry_count;
    uint16_t last_count_before = last == NULL ? 0 : last->count;
    map->entry_count = kept;
    if (cuts_last)
        last->count = (uint16_t)(page_count - last->page + 1);
    enum graft_rc rc = graft_pagemap_normalise(map);
    if (rc != GRAFT_OK) {
        map->entry_count = entry_count_before;
        if (last != NULL)
            last->count = last_count_before;
    }
    return rc;
}

const struct graft_map_entry *graft_pagemap_find(const struct graft_pagemap *map, uint32_t page)
{
    /* The last entry that begins at or before the page; halving without a branch on the data. */
    uint32_t count = map->entry_count;
    if (count == 0)
        return NULL;
    const struct graft_map_entry *base = map->entries;
    while (count > 1) {
        uint32_t half = count / 2;
        base = base[half].page <= page ? base + half : base;
        count -= half;
    }
    return page >= base->page && page - base->page < base->count ? base : NULL;
}

enum graft_rc graft_pagemap_changed_since(const struct graft_pagemap *map, uint64_t lsn,
                                          struct graft_pageset *set)
{
    struct graft_pageset changed;
    graft_pageset_init(&changed, set->alloc);
    enum graft_rc rc = GRAFT_OK;
    for (uint32_t i = 0; rc == GRAFT_OK && i < map->entry_count; i++) {
        const struct graft_map_entry *entry = &map->entries[i];
        uint64_t since = lsn;
        if (GRAFT_MUTANT("format: what changed right after an LSN did not change since"))
            since++;
        if (map->frames[entry->frame].lsn > since)
            rc = graft_pageset_add_run(&changed, entry->page, entry->count);
    }
    if (rc == GRAFT_OK)
        rc = graft_pageset_add_all(set, &changed);
    graft_pageset_deinit(&changed);
    return rc;
}
