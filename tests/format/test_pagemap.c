#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "format/pagemap.h"
#include "format/samples.h"
#include "format/wire.h"
#include "support/expect.h"
#include "support/faultalloc.h"
#include "support/testing.h"

#define MODEL_PAGES 200U
#define SEGMENTS 4U

/* Where a page stands; lsn 0 = nowhere. */
struct place {
    struct graft_object_ref object;
    uint64_t offset;
    uint64_t lsn;
    uint32_t stored_bytes;
    uint32_t index;
};

/* A map, and the plain array that it must agree with. */
struct modelled {
    struct graft_pagemap map;
    struct place pages[MODEL_PAGES + 1];
};

/* Where the next frame goes: each is new, as frames in a remote are. */
struct world {
    uint64_t seed;
    uint64_t lsn;
    uint64_t segment_end[SEGMENTS];
};

static void world_init(struct world *world, uint64_t seed)
{
    *world = (struct world){.seed = seed};
    for (unsigned i = 0; i < SEGMENTS; i++)
        world->segment_end[i] = 16;
}

static void check_place(const struct modelled *m, uint32_t page)
{
    const struct place *wanted = &m->pages[page];
    const struct graft_map_entry *entry = graft_pagemap_find(&m->map, page);
    cr_assert_eq(entry != NULL, wanted->lsn != 0, "page %u", page);
    if (entry == NULL)
        return;
    const struct graft_map_frame *frame = &m->map.frames[entry->frame];
    cr_assert_eq(frame->offset, wanted->offset);
    cr_assert_eq(frame->lsn, wanted->lsn);
    cr_assert_eq(frame->stored_bytes, wanted->stored_bytes);
    cr_assert_eq(entry->index + (page - entry->page), wanted->index);
    const struct graft_object_ref *object = &m->map.objects[frame->object];
    cr_assert_eq(graft_object_ref_compare(object, &wanted->object), 0);
}

static void check_against_model(const struct modelled *m)
{
    for (uint32_t page = 1; page <= MODEL_PAGES; page++)
        check_place(m, page);
    cr_assert_null(graft_pagemap_find(&m->map, 0));
    cr_assert_null(graft_pagemap_find(&m->map, MODEL_PAGES + 1));
    cr_assert_null(graft_pagemap_find(&m->map, UINT32_MAX));
}

/* After merging and cutting. */
static void check_nothing_is_unused(const struct graft_pagemap *map)
{
    for (uint32_t i = 0; i < map->frame_count; i++) {
        bool used = false;
        for (uint32_t j = 0; j < map->entry_count; j++)
            used |= map->entries[j].frame == i;
        cr_assert(used, "frame %u", i);
    }
    for (uint32_t i = 0; i < map->object_count; i++) {
        bool used = false;
        for (uint32_t j = 0; j < map->frame_count; j++)
            used |= map->frames[j].object == i;
        cr_assert(used, "object %u", i);
    }
}

static void encode(const struct graft_pagemap *map, struct graft_buf *out)
{
    graft_buf_init(out, graft_test_env()->alloc);
    cr_assert_eq(graft_pagemap_encode(map, out), GRAFT_OK);
}

static void check_equal_bytes(const struct graft_pagemap *a, const struct graft_pagemap *b)
{
    struct graft_buf left;
    struct graft_buf right;
    encode(a, &left);
    encode(b, &right);
    cr_assert_eq(left.size, right.size);
    cr_assert(left.size == 0 || memcmp(left.bytes, right.bytes, left.size) == 0);
    graft_buf_deinit(&left);
    graft_buf_deinit(&right);
}

static void check_round_trip(const struct modelled *m, const struct world *world)
{
    struct graft_err err = {.text = ""};
    struct graft_buf bytes;
    static struct modelled read;
    memcpy(read.pages, m->pages, sizeof read.pages);
    graft_pagemap_init(&read.map, graft_test_env()->alloc);
    encode(&m->map, &bytes);
    expect_ok(
        graft_pagemap_decode(&read.map, bytes.bytes, bytes.size, MODEL_PAGES, world->lsn + 1, &err),
        &err);
    check_against_model(&read);
    check_nothing_is_unused(&read.map);
    check_equal_bytes(&m->map, &read.map);
    graft_pagemap_deinit(&read.map);
    graft_buf_deinit(&bytes);
}

static void add_random_frame(struct modelled *m, struct world *world)
{
    uint32_t pages[GRAFT_FRAME_PAGES_MAX];
    uint32_t count = 0;
    uint32_t page = sample_random_below(&world->seed, MODEL_PAGES);
    uint32_t wanted = 1 + sample_random_below(&world->seed, 12);
    while (count < wanted) {
        page +=
            1 + (sample_random_below(&world->seed, 3) == 0) * sample_random_below(&world->seed, 9);
        if (page > MODEL_PAGES)
            break;
        pages[count++] = page;
    }
    if (count == 0)
        return;

    world->lsn++;
    uint32_t stored_bytes = 20 + sample_random_below(&world->seed, 5000);
    struct place place = {.lsn = world->lsn, .stored_bytes = stored_bytes};
    uint32_t which = sample_random_below(&world->seed, SEGMENTS + 1);
    if (which == SEGMENTS) {
        place.object.kind = GRAFT_OBJECT_COMMIT;
        place.object.commit_lsn = world->lsn;
        place.offset = 100;
    } else {
        sample_id(place.object.segment.bytes, (uint8_t)(200 - which * 40));
        place.offset = world->segment_end[which] + sample_random_below(&world->seed, 2) * 64;
        world->segment_end[which] = place.offset + stored_bytes;
    }
    struct graft_map_frame frame = {
        .stored_bytes = stored_bytes, .offset = place.offset, .lsn = place.lsn};
    cr_assert_eq(graft_pagemap_add_object(&m->map, &place.object, &frame.object), GRAFT_OK);
    cr_assert_eq(graft_pagemap_add_frame(&m->map, &frame, pages, count), GRAFT_OK);
    for (uint32_t i = 0; i < count; i++) {
        place.index = i;
        m->pages[pages[i]] = place;
    }
}

static void merge_random_map(struct modelled *m, struct world *world)
{
    static struct modelled newer;
    memset(newer.pages, 0, sizeof newer.pages);
    graft_pagemap_init(&newer.map, graft_test_env()->alloc);
    /* Half of the time it carries on what the older map has, as a later commit does. */
    if (sample_random_below(&world->seed, 2) == 0) {
        cr_assert_eq(graft_pagemap_copy(&newer.map, &m->map), GRAFT_OK);
        memcpy(newer.pages, m->pages, sizeof newer.pages);
    }
    for (uint32_t i = sample_random_below(&world->seed, 6); i > 0; i--)
        add_random_frame(&newer, world);
    cr_assert_eq(graft_pagemap_merge(&m->map, &newer.map), GRAFT_OK);
    for (uint32_t page = 1; page <= MODEL_PAGES; page++) {
        if (newer.pages[page].lsn != 0)
            m->pages[page] = newer.pages[page];
    }
    check_nothing_is_unused(&m->map);
    graft_pagemap_deinit(&newer.map);
}

static void check_changed_since(const struct modelled *m, uint64_t lsn)
{
    struct graft_pageset set;
    graft_pageset_init(&set, graft_test_env()->alloc);
    cr_assert_eq(graft_pageset_add(&set, 77), GRAFT_OK);
    cr_assert_eq(graft_pagemap_changed_since(&m->map, lsn, &set), GRAFT_OK);
    for (uint32_t page = 1; page <= MODEL_PAGES; page++)
        cr_assert_eq(graft_pageset_contains(&set, page), m->pages[page].lsn > lsn || page == 77);
    graft_pageset_deinit(&set);
}

Test(pagemap, agrees_with_an_array_of_places)
{
    static struct modelled m;
    for (uint64_t run = 1; run <= 15; run++) {
        struct world world;
        world_init(&world, run * 0x9e3779b97f4a7c15);
        memset(&m, 0, sizeof m);
        graft_pagemap_init(&m.map, graft_test_env()->alloc);
        for (unsigned step = 0; step < 120; step++) {
            uint32_t choice = sample_random_below(&world.seed, 10);
            if (choice < 6) {
                add_random_frame(&m, &world);
            } else if (choice < 9) {
                merge_random_map(&m, &world);
            } else {
                uint32_t kept = sample_random_below(&world.seed, MODEL_PAGES + 50);
                cr_assert_eq(graft_pagemap_cut(&m.map, kept), GRAFT_OK);
                for (uint32_t page = kept + 1; page <= MODEL_PAGES; page++)
                    m.pages[page].lsn = 0;
            }
            check_against_model(&m);
            check_round_trip(&m, &world);
            check_changed_since(&m, sample_random_below(&world.seed, (uint32_t)world.lsn + 1));
        }
        graft_pagemap_deinit(&m.map);
    }
}

Test(pagemap, equal_maps_built_in_another_order_have_equal_bytes)
{
    static struct modelled whole;
    static struct modelled later;
    struct world world;
    world_init(&world, 12345);
    graft_pagemap_init(&whole.map, graft_test_env()->alloc);
    graft_pagemap_init(&later.map, graft_test_env()->alloc);
    struct graft_pagemap merged;
    graft_pagemap_init(&merged, graft_test_env()->alloc);
    for (unsigned i = 0; i < 20; i++)
        add_random_frame(&whole, &world);
    cr_assert_eq(graft_pagemap_copy(&merged, &whole.map), GRAFT_OK);
    struct world again = world;
    for (unsigned i = 0; i < 20; i++) {
        add_random_frame(&whole, &world);
        add_random_frame(&later, &again);
    }
    cr_assert_eq(graft_pagemap_merge(&merged, &later.map), GRAFT_OK);
    check_equal_bytes(&merged, &whole.map);
    graft_pagemap_deinit(&merged);
    graft_pagemap_deinit(&whole.map);
    graft_pagemap_deinit(&later.map);
}

Test(pagemap, an_empty_map_has_no_bytes_and_no_pages)
{
    struct graft_pagemap map;
    struct graft_buf out;
    struct graft_err err = {.text = ""};
    graft_pagemap_init(&map, graft_test_env()->alloc);
    graft_buf_init(&out, graft_test_env()->alloc);
    cr_assert_null(graft_pagemap_find(&map, 1));
    expect_ok(graft_pagemap_cut(&map, 0), &err);
    expect_ok(graft_pagemap_merge(&map, &map), &err);
    expect_ok(graft_pagemap_encode(&map, &out), &err);
    cr_assert_eq(out.size, 0);
    expect_ok(graft_pagemap_decode(&map, NULL, 0, 0, 0, &err), &err);
    cr_assert_eq(map.entry_count, 0);
    graft_pagemap_deinit(&map);
    graft_buf_deinit(&out);
}

Test(pagemap, the_greatest_page_can_be_mapped)
{
    struct graft_pagemap map;
    struct graft_buf out;
    struct graft_err err = {.text = ""};
    graft_pagemap_init(&map, graft_test_env()->alloc);
    const struct graft_object_ref object = {.kind = GRAFT_OBJECT_COMMIT, .commit_lsn = 1};
    struct graft_map_frame frame = {.stored_bytes = 100, .offset = 0, .lsn = 1};
    expect_ok(graft_pagemap_add_object(&map, &object, &frame.object), &err);
    expect_ok(graft_pagemap_add_frame(
                  &map, &frame, (const uint32_t[]){1, GRAFT_PAGES_MAX - 1, GRAFT_PAGES_MAX}, 3),
              &err);
    cr_assert_eq(graft_pagemap_find(&map, GRAFT_PAGES_MAX)->index, 1);
    encode(&map, &out);
    expect_ok(graft_pagemap_decode(&map, out.bytes, out.size, GRAFT_PAGES_MAX, 1, &err), &err);
    expect_rc(graft_pagemap_decode(&map, out.bytes, out.size, GRAFT_PAGES_MAX - 1, 1, &err),
              GRAFT_ECORRUPT, &err);
    cr_assert_eq(map.entry_count, 2);
    graft_buf_deinit(&out);
    graft_pagemap_deinit(&map);
}

Test(pagemap, what_is_not_a_frame_is_not_added)
{
    struct graft_pagemap map;
    graft_pagemap_init(&map, graft_test_env()->alloc);
    const struct graft_object_ref object = {.kind = GRAFT_OBJECT_COMMIT, .commit_lsn = 1};
    struct graft_map_frame frame = {.stored_bytes = 100, .offset = 0, .lsn = 1};
    const uint32_t pages[65] = {5, 5};
    const uint32_t past[] = {0xffffffff};
    const uint32_t zero[] = {0};
    cr_assert_eq(graft_pagemap_add_frame(&map, &frame, pages, 1), GRAFT_EINVAL);
    cr_assert_eq(graft_pagemap_add_object(&map, &object, &frame.object), GRAFT_OK);
    cr_assert_eq(graft_pagemap_add_frame(&map, &frame, pages, 0), GRAFT_EINVAL);
    cr_assert_eq(graft_pagemap_add_frame(&map, &frame, pages, 2), GRAFT_EINVAL);
    cr_assert_eq(graft_pagemap_add_frame(&map, &frame, pages, 65), GRAFT_EINVAL);
    cr_assert_eq(graft_pagemap_add_frame(&map, &frame, past, 1), GRAFT_EINVAL);
    cr_assert_eq(graft_pagemap_add_frame(&map, &frame, zero, 1), GRAFT_EINVAL);
    cr_assert_eq(map.frame_count, 0);
    cr_assert_eq(map.entry_count, 0);
    graft_pagemap_deinit(&map);
}

/* A message that says anything at all, to be refused: columns of one or two frames in up to two
 * objects. */
struct hostile_map {
    const char *what;
    const char *text; /* part of the error's */
    struct {
        uint8_t segment_bytes;
        uint8_t segment_first;
        uint64_t commit_lsn;
    } objects[2];
    size_t n_objects;
    uint32_t object[2];
    uint64_t gap[2];
    uint32_t bytes[2];
    int64_t lsn[2];
    size_t n_frames, n_gaps;
    uint8_t entries[16];
    size_t entries_bytes;
};

#define ONE_COMMIT {{0, 0, 3}}, 1
#define ONE_FRAME {0}, {50}, {100}, {3}, 1, 1
#define TWO_FRAMES {0, 0}, {50, 0}, {100, 100}, {3, 0}, 2, 2

static const struct hostile_map hostile_maps[] = {
    {"good", "", ONE_COMMIT, ONE_FRAME, {0, 2, 0, 0}, 4},
    {"good too", "", ONE_COMMIT, TWO_FRAMES, {0, 2, 0, 0, 0, 0, 2, 0}, 8},
    {"a commit LSN of 0", "nowhere", {{0, 0, 0}}, 1, ONE_FRAME, {0, 2, 0, 0}, 4},
    {"a commit of the future", "nowhere", {{0, 0, 10}}, 1, ONE_FRAME, {0, 2, 0, 0}, 4},
    {"segment and commit", "malformed", {{16, 1, 1}}, 1, ONE_FRAME, {0, 2, 0, 0}, 4},
    {"a short segment id", "malformed", {{15, 1, 0}}, 1, ONE_FRAME, {0, 2, 0, 0}, 4},
    {"an object twice", "order", {{0, 0, 3}, {0, 0, 3}}, 2, ONE_FRAME, {0, 2, 0, 0}, 4},
    {"a segment after a commit", "order", {{0, 0, 3}, {16, 1, 0}}, 2, ONE_FRAME, {0, 2, 0, 0}, 4},
    {"an object without frames", "no frame", {{0, 0, 3}, {0, 0, 4}}, 2, ONE_FRAME, {0, 2, 0, 0}, 4},
    {"no object", "no object", {{0}}, 0, ONE_FRAME, {0, 2, 0, 0}, 4},
    {"objects skipped",
     "skips",
     {{0, 0, 3}, {0, 0, 4}},
     2,
     {1},
     {50},
     {100},
     {3},
     1,
     1,
     {0, 2, 0, 0},
     4},
    {"a column too short", "lengths", ONE_COMMIT, {0}, {50}, {100}, {3}, 1, 0, {0, 2, 0, 0}, 4},
    {"an empty frame", "where", ONE_COMMIT, {0}, {50}, {16}, {3}, 1, 1, {0, 2, 0, 0}, 4},
    {"a frame too large", "where", ONE_COMMIT, {0}, {50}, {0x7fffffff}, {3}, 1, 1, {0, 2, 0, 0}, 4},
    {"past the object", "where", ONE_COMMIT, {0}, {1U << 30}, {100}, {3}, 1, 1, {0, 2, 0, 0}, 4},
    {"a huge gap", "past", ONE_COMMIT, {0}, {UINT64_MAX}, {100}, {3}, 1, 1, {0, 2, 0, 0}, 4},
    {"in a segment's header",
     "where",
     {{16, 1, 0}},
     1,
     {0},
     {15},
     {100},
     {3},
     1,
     1,
     {0, 2, 0, 0},
     4},
    {"LSN 0", "no commit", ONE_COMMIT, {0}, {50}, {100}, {0}, 1, 1, {0, 2, 0, 0}, 4},
    {"an LSN below 0", "no commit", ONE_COMMIT, {0}, {50}, {100}, {-1}, 1, 1, {0, 2, 0, 0}, 4},
    {"newer than its commit",
     "no commit",
     ONE_COMMIT,
     {0},
     {50},
     {100},
     {4},
     1,
     1,
     {0, 2, 0, 0},
     4},
    {"a frame without pages", "no page", ONE_COMMIT, TWO_FRAMES, {0, 2, 0, 0}, 4},
    {"no entry", "no page", ONE_COMMIT, ONE_FRAME, {0}, 0},
    {"an entry cut off", "malformed", ONE_COMMIT, ONE_FRAME, {0, 2, 0}, 3},
    {"a second entry cut off", "malformed", ONE_COMMIT, ONE_FRAME, {0, 2, 0, 0, 0}, 5},
    {"past the last page", "order", ONE_COMMIT, ONE_FRAME, {0, 20, 0, 0}, 4},
    {"far past the last page",
     "malformed",
     ONE_COMMIT,
     ONE_FRAME,
     {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0},
     8},
    {"in no frame", "no frame", ONE_COMMIT, ONE_FRAME, {0, 2, 2, 0}, 4},
    {"in a frame before the first", "no frame", ONE_COMMIT, ONE_FRAME, {0, 2, 1, 0}, 4},
    {"65 pages", "malformed", ONE_COMMIT, ONE_FRAME, {0, 64, 0, 0}, 4},
    {"index 64", "malformed", ONE_COMMIT, ONE_FRAME, {0, 0, 0, 64}, 4},
    {"past index 63", "no frame", ONE_COMMIT, ONE_FRAME, {0, 1, 0, 63}, 4},
    {"an index that the page cannot have", "index", ONE_COMMIT, ONE_FRAME, {0, 0, 0, 1}, 4},
    {"an index twice", "index", ONE_COMMIT, ONE_FRAME, {0, 0, 0, 0, 1, 0, 0, 0}, 8},
    {"an index too far on", "index", ONE_COMMIT, ONE_FRAME, {0, 0, 0, 0, 1, 0, 0, 3}, 8},
    {"a run split in two", "split", ONE_COMMIT, ONE_FRAME, {0, 0, 0, 0, 0, 0, 0, 1}, 8},
};

static void encode_hostile(const struct hostile_map *map, struct graft_buf *out)
{
    static uint8_t zeros[16];
    Graft__PageMap message = GRAFT__PAGE_MAP__INIT;
    Graft__ObjectRef objects[2];
    Graft__ObjectRef *pointers[2] = {&objects[0], &objects[1]};
    for (size_t i = 0; i < map->n_objects; i++) {
        objects[i] = (Graft__ObjectRef)GRAFT__OBJECT_REF__INIT;
        objects[i].segment = graft_wire_bytes(zeros, map->objects[i].segment_bytes);
        objects[i].commit_lsn = map->objects[i].commit_lsn;
    }
    struct hostile_map copy = *map;
    message.objects = pointers;
    message.n_objects = map->n_objects;
    message.frame_object = copy.object;
    message.frame_gap = copy.gap;
    message.frame_bytes = copy.bytes;
    message.frame_lsn = copy.lsn;
    message.n_frame_object = message.n_frame_bytes = message.n_frame_lsn = map->n_frames;
    message.n_frame_gap = map->n_gaps;
    message.entries = graft_wire_bytes(copy.entries, map->entries_bytes);
    cr_assert_eq(graft_wire_pack(&message.base, out), GRAFT_OK);
}

Test(pagemap, hostile_messages_are_corrupt_and_leave_the_map)
{
    for (size_t i = 0; i < sizeof hostile_maps / sizeof hostile_maps[0]; i++) {
        const struct hostile_map *hostile = &hostile_maps[i];
        struct graft_buf bytes;
        struct graft_pagemap map;
        graft_buf_init(&bytes, graft_test_env()->alloc);
        graft_pagemap_init(&map, graft_test_env()->alloc);
        encode_hostile(hostile, &bytes);
        struct graft_err err = {.text = ""};
        enum graft_rc rc = graft_pagemap_decode(&map, bytes.bytes, bytes.size, 10, 5, &err);
        enum graft_rc wanted = hostile->text[0] == '\0' ? GRAFT_OK : GRAFT_ECORRUPT;
        cr_assert_eq(rc, wanted, "%s: %s: %s", hostile->what, graft_rc_name(rc), err.text);
        cr_assert(strstr(err.text, hostile->text) != NULL, "%s: %s", hostile->what, err.text);
        cr_assert(rc == GRAFT_OK || map.objects == NULL);
        graft_pagemap_deinit(&map);
        graft_buf_deinit(&bytes);
    }
}

Test(pagemap, maps_that_contradict_each_other_do_not_merge)
{
    const struct graft_object_ref object = {.kind = GRAFT_OBJECT_SEGMENT};
    const struct graft_map_frame good = {.stored_bytes = 100, .offset = 16, .lsn = 1};
    const struct graft_map_frame others[] = {
        {.stored_bytes = 100, .offset = 60, .lsn = 1},
        {.stored_bytes = 99, .offset = 16, .lsn = 1},
        {.stored_bytes = 100, .offset = 16, .lsn = 2},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct graft_pagemap maps[2];
        const struct graft_map_frame *frames[2] = {&good, &others[i]};
        for (uint32_t j = 0; j < 2; j++) {
            uint32_t index;
            graft_pagemap_init(&maps[j], graft_test_env()->alloc);
            cr_assert_eq(graft_pagemap_add_object(&maps[j], &object, &index), GRAFT_OK);
            cr_assert_eq(graft_pagemap_add_frame(&maps[j], frames[j], (const uint32_t[]){j + 1}, 1),
                         GRAFT_OK);
        }
        cr_assert_eq(graft_pagemap_merge(&maps[0], &maps[1]), GRAFT_ECORRUPT);
        cr_assert_eq(maps[0].entry_count, 1);
        cr_assert_not_null(graft_pagemap_find(&maps[0], 1));
        graft_pagemap_deinit(&maps[0]);
        graft_pagemap_deinit(&maps[1]);
    }
}

Test(pagemap, a_map_that_would_not_decode_is_not_written)
{
    struct graft_pagemap map;
    struct graft_buf out;
    graft_buf_init(&out, graft_test_env()->alloc);
    graft_pagemap_init(&map, graft_test_env()->alloc);
    const struct graft_object_ref object = {.kind = GRAFT_OBJECT_COMMIT, .commit_lsn = 1};
    struct graft_map_frame frame = {.stored_bytes = 100, .offset = 0, .lsn = 2};
    cr_assert_eq(graft_pagemap_add_object(&map, &object, &frame.object), GRAFT_OK);
    cr_assert_eq(graft_pagemap_add_frame(&map, &frame, (const uint32_t[]){1}, 1), GRAFT_OK);
    cr_assert_eq(graft_pagemap_encode(&map, &out), GRAFT_EBUG);
    cr_assert_eq(out.size, 0);
    graft_pagemap_deinit(&map);
    graft_buf_deinit(&out);
}

/* One call of `operation` with every single allocation failing in turn; the map must stay equal to
 * `before` until it succeeds. */
static void sweep(struct graft_faultalloc *faults, struct graft_pagemap *map,
                  const struct graft_pagemap *before,
                  enum graft_rc (*operation)(struct graft_pagemap *map, const void *argument),
                  const void *argument)
{
    for (uint64_t nth = 1;; nth++) {
        graft_faultalloc_arm(faults, nth, false);
        enum graft_rc rc = operation(map, argument);
        uint64_t failed = graft_faultalloc_disarm(faults);
        cr_assert_eq(rc, failed == 0 ? GRAFT_OK : GRAFT_ENOMEM);
        if (failed == 0)
            return;
        check_equal_bytes(map, before);
    }
}

static enum graft_rc do_merge(struct graft_pagemap *map, const void *argument)
{
    return graft_pagemap_merge(map, argument);
}

static enum graft_rc do_cut(struct graft_pagemap *map, const void *argument)
{
    return graft_pagemap_cut(map, *(const uint32_t *)argument);
}

static enum graft_rc do_copy(struct graft_pagemap *map, const void *argument)
{
    return graft_pagemap_copy(map, argument);
}

static enum graft_rc do_add_frame(struct graft_pagemap *map, const void *argument)
{
    return graft_pagemap_add_frame(map, argument, (const uint32_t[]){2, 3, 9}, 3);
}

Test(pagemap, running_out_of_memory_leaves_the_map)
{
    struct graft_err err = {.text = ""};
    static struct modelled m;
    static struct modelled newer;
    struct world world;
    world_init(&world, 99);
    struct graft_faultalloc faults;
    graft_faultalloc_init(&faults, graft_test_env()->alloc);
    struct graft_pagemap map;
    graft_pagemap_init(&map, &faults.alloc);
    graft_pagemap_init(&m.map, graft_test_env()->alloc);
    graft_pagemap_init(&newer.map, graft_test_env()->alloc);
    for (unsigned i = 0; i < 8; i++) {
        add_random_frame(&m, &world);
        add_random_frame(&newer, &world);
    }
    struct graft_pagemap empty;
    graft_pagemap_init(&empty, graft_test_env()->alloc);
    sweep(&faults, &map, &empty, do_copy, &m.map);
    struct graft_map_frame frame = {.stored_bytes = 50, .offset = 1U << 20, .lsn = 1};
    sweep(&faults, &map, &m.map, do_add_frame, &frame);
    expect_ok(graft_pagemap_copy(&map, &m.map), &err);
    sweep(&faults, &map, &m.map, do_merge, &newer.map);
    expect_ok(graft_pagemap_copy(&map, &m.map), &err);
    uint32_t kept = 60;
    sweep(&faults, &map, &m.map, do_cut, &kept);
    graft_pagemap_deinit(&map);
    graft_pagemap_deinit(&m.map);
    graft_pagemap_deinit(&newer.map);
    cr_assert_eq(faults.live, 0);
}
