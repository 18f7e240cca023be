#include <criterion/criterion.h>
#include <string.h>

#include "base/limits.h"
#include "format/commit.h"
#include "format/samples.h"
#include "support/expect.h"
#include "support/testing.h"

static struct samples samples;
static struct graft_commit commit;
static struct graft_checkpoint checkpoint;
static struct graft_buf out;

static void set_up(void)
{
    struct graft_alloc *alloc = graft_test_env()->alloc;
    struct graft_err err = {.text = ""};
    samples_make(&samples, alloc);
    graft_buf_init(&out, alloc);
    graft_commit_init(&commit, alloc);
    graft_checkpoint_init(&checkpoint, alloc);
    expect_ok(graft_commit_decode(&commit, samples.commit_segments.bytes,
                                  samples.commit_segments.size, &err),
              &err);
    expect_ok(graft_checkpoint_decode(&checkpoint, samples.checkpoint.bytes,
                                      samples.checkpoint.size, &err),
              &err);
}

static void tear_down(void)
{
    graft_commit_deinit(&commit);
    graft_checkpoint_deinit(&checkpoint);
    graft_buf_deinit(&out);
    samples_free(&samples);
}

TestSuite(commit, .init = set_up, .fini = tear_down);

static void expect_frame_of_pages(const struct graft_pagemap *map, uint32_t page,
                                  const struct graft_buf *object, uint64_t lsn)
{
    struct graft_codec *codec;
    struct graft_frame frame;
    struct graft_err err = {.text = ""};
    const struct graft_map_entry *entry = graft_pagemap_find(map, page);
    cr_assert_not_null(entry);
    const struct graft_map_frame *place = &map->frames[entry->frame];
    cr_assert_eq(place->lsn, lsn);
    cr_assert_leq(place->offset + place->stored_bytes, object->size);
    expect_ok(graft_codec_new(graft_test_env()->alloc, &codec), &err);
    expect_ok(graft_frame_decode(codec, object->bytes + place->offset, place->stored_bytes,
                                 SAMPLE_PAGE_BYTES, &frame, &err),
              &err);
    uint8_t wanted[SAMPLE_PAGE_BYTES];
    sample_page(wanted, page, lsn);
    const struct graft_frame_page *found = &frame.pages[entry->index + (page - entry->page)];
    cr_assert_eq(found->page, page);
    cr_assert_arr_eq(found->bytes, wanted, SAMPLE_PAGE_BYTES);
    graft_codec_free(codec);
}

Test(commit, inline_frames_are_found_at_their_absolute_offsets)
{
    struct graft_err err = {.text = ""};
    expect_ok(
        graft_commit_decode(&commit, samples.commit_inline.bytes, samples.commit_inline.size, &err),
        &err);
    for (uint32_t page = 1; page <= 5; page++)
        expect_frame_of_pages(&commit.map, page, &samples.commit_inline, 1);
}

Test(commit, a_later_commit_leads_to_its_segment_and_to_earlier_commits)
{
    for (uint32_t page = 1; page <= 12; page++) {
        if (page == 10)
            cr_assert_null(graft_pagemap_find(&commit.map, page));
        else if (page == 2 || page > 5)
            expect_frame_of_pages(&commit.map, page, &samples.segment, 2);
        else
            expect_frame_of_pages(&commit.map, page, &samples.commit_inline, 1);
    }
}

Test(commit, the_head_can_be_read_without_the_inline_frames)
{
    struct graft_err err = {.text = ""};
    uint64_t end;
    expect_ok(graft_object_message_end(samples.commit_inline.bytes, GRAFT_OBJECT_HEADER_BYTES, &end,
                                       &err),
              &err);
    cr_assert_lt(end, samples.commit_inline.size);
    expect_ok(graft_commit_decode(&commit, samples.commit_inline.bytes, (size_t)end, &err), &err);
    cr_assert_eq(commit.lsn, 1);
    cr_assert_eq(commit.map.entry_count, 2);
    expect_rc(graft_commit_decode(&commit, samples.commit_inline.bytes, (size_t)end - 1, &err),
              GRAFT_ECORRUPT, &err);
    expect_rc(graft_object_message_end(samples.commit_inline.bytes, GRAFT_OBJECT_HEADER_BYTES - 1,
                                       &end, &err),
              GRAFT_ECORRUPT, &err);
}

Test(commit, a_newer_version_says_to_upgrade)
{
    struct graft_err err = {.text = ""};
    samples.commit_segments.bytes[8] = 9;
    expect_rc(graft_commit_decode(&commit, samples.commit_segments.bytes,
                                  samples.commit_segments.size, &err),
              GRAFT_EVERSION, &err);
    cr_assert_str_eq(err.text, "commit was written by a newer version (9; this one reads up to 1):"
                               " upgrade");
    samples.checkpoint.bytes[8] = 9;
    expect_rc(graft_checkpoint_decode(&checkpoint, samples.checkpoint.bytes,
                                      samples.checkpoint.size, &err),
              GRAFT_EVERSION, &err);
}

Test(commit, an_object_of_another_kind_is_corrupt)
{
    struct graft_err err = {.text = ""};
    expect_rc(graft_commit_decode(&commit, samples.checkpoint.bytes, samples.checkpoint.size, &err),
              GRAFT_ECORRUPT, &err);
    expect_rc(graft_checkpoint_decode(&checkpoint, samples.commit_segments.bytes,
                                      samples.commit_segments.size, &err),
              GRAFT_ECORRUPT, &err);
    expect_ok(graft_buf_append(&samples.checkpoint, "x", 1), &err);
    expect_rc(graft_checkpoint_decode(&checkpoint, samples.checkpoint.bytes,
                                      samples.checkpoint.size, &err),
              GRAFT_ECORRUPT, &err);
    cr_assert_eq(commit.lsn, 2);
    cr_assert_eq(checkpoint.lsn, 2);
}

/* What encoding refuses, decoding refuses too: both go through the same checks. */
static void expect_refused(const char *text)
{
    struct graft_err err = {.text = ""};
    expect_rc(graft_commit_encode(&commit, NULL, 0, &out, &err), GRAFT_EBUG, &err);
    cr_assert(strstr(err.text, text) != NULL, "%s", err.text);
    cr_assert_eq(out.size, 0);
}

Test(commit, a_head_that_cannot_be_is_refused)
{
    struct graft_commit good = commit;
    commit.lsn = 0;
    expect_refused("LSN 0");
    commit = good;
    memset(commit.volume.bytes, 0, 16);
    expect_refused("no volume");
    commit = good;
    memset(commit.parent.bytes, 0, 16);
    expect_refused("parent");
    commit = good;
    commit.checkpoint_lsn = 2;
    expect_refused("checkpoint");
    commit = good;
    commit.page_bytes = 1000;
    expect_refused("1000 bytes");
    commit = good;
    commit.page_count = 0xffffffff;
    expect_refused("pages");
    commit = good;
    commit.least_page_count = 13;
    expect_refused("at least 13");
    commit = good;
    commit.changed_count = 6;
    expect_refused("6 changed pages and carries 7");
    commit = good;
    commit.page_count = 11;
    expect_refused("of 11");
    commit = good;
}

Test(commit, an_inline_frame_that_is_not_given_is_refused)
{
    struct graft_err err = {.text = ""};
    expect_ok(
        graft_commit_decode(&commit, samples.commit_inline.bytes, samples.commit_inline.size, &err),
        &err);
    uint64_t end;
    expect_ok(graft_object_message_end(samples.commit_inline.bytes, samples.commit_inline.size,
                                       &end, &err),
              &err);
    graft_commit_move_inline(&commit, end, 0);
    const uint8_t *frames = samples.commit_inline.bytes + end;
    size_t size = samples.commit_inline.size - (size_t)end;
    expect_rc(graft_commit_encode(&commit, frames, size - 1, &out, &err), GRAFT_EBUG, &err);
    cr_assert_eq(out.size, 0);
    expect_ok(graft_commit_encode(&commit, frames, size, &out, &err), &err);
    cr_assert_eq(out.size, samples.commit_inline.size);
    cr_assert_arr_eq(out.bytes, samples.commit_inline.bytes, out.size);
}

Test(commit, frames_in_an_earlier_commits_header_are_refused)
{
    for (uint32_t i = 0; i < commit.map.frame_count; i++) {
        if (commit.map.frames[i].lsn != 1)
            continue;
        commit.map.frames[i].offset = GRAFT_OBJECT_HEADER_BYTES - 1;
        checkpoint.map.frames[i].offset = GRAFT_OBJECT_HEADER_BYTES - 1;
        break;
    }
    expect_refused("header");
    struct graft_err err = {.text = ""};
    expect_rc(graft_checkpoint_encode(&checkpoint, &out, &err), GRAFT_EBUG, &err);
    cr_assert(strstr(err.text, "header") != NULL, "%s", err.text);
}

Test(commit, a_checkpoint_that_cannot_be_is_refused)
{
    struct graft_err err = {.text = ""};
    struct graft_checkpoint good = checkpoint;
    checkpoint.lsn = 0;
    expect_rc(graft_checkpoint_encode(&checkpoint, &out, &err), GRAFT_EBUG, &err);
    checkpoint = good;
    checkpoint.lsn = 1;
    expect_rc(graft_checkpoint_encode(&checkpoint, &out, &err), GRAFT_EBUG, &err);
    checkpoint = good;
    memset(checkpoint.volume.bytes, 0, 16);
    expect_rc(graft_checkpoint_encode(&checkpoint, &out, &err), GRAFT_EBUG, &err);
    checkpoint = good;
    memset(checkpoint.commit.bytes, 0, 16);
    expect_rc(graft_checkpoint_encode(&checkpoint, &out, &err), GRAFT_EBUG, &err);
    checkpoint = good;
    checkpoint.page_bytes = 0;
    expect_rc(graft_checkpoint_encode(&checkpoint, &out, &err), GRAFT_EBUG, &err);
    checkpoint = good;
    checkpoint.page_count = 3;
    expect_rc(graft_checkpoint_encode(&checkpoint, &out, &err), GRAFT_EBUG, &err);
    checkpoint = good;
    cr_assert_eq(out.size, 0);
    expect_ok(graft_checkpoint_encode(&checkpoint, &out, &err), &err);
    cr_assert_eq(out.size, samples.checkpoint.size);
    cr_assert_arr_eq(out.bytes, samples.checkpoint.bytes, out.size);
}

Test(commit, an_empty_commit_of_a_variable_volume_round_trips)
{
    struct graft_err err = {.text = ""};
    struct graft_commit empty;
    graft_commit_init(&empty, graft_test_env()->alloc);
    sample_id(empty.volume.bytes, 1);
    empty.lsn = 1;
    empty.page_bytes = 65536;
    empty.variable = true;
    expect_ok(graft_commit_encode(&empty, NULL, 0, &out, &err), &err);
    expect_ok(graft_commit_decode(&commit, out.bytes, out.size, &err), &err);
    cr_assert_eq(commit.page_count, 0);
    cr_assert_eq(commit.map.entry_count, 0);
    cr_assert(commit.variable);
    graft_commit_deinit(&empty);
}

Test(commit, a_hundred_thousand_frames_round_trip)
{
    enum { FRAMES = 100000 };
    struct graft_err err = {.text = ""};
    struct graft_pagemap *map = &checkpoint.map;
    graft_pagemap_deinit(map);
    struct graft_object_ref object = {.kind = GRAFT_OBJECT_SEGMENT};
    struct graft_map_frame frame = {.stored_bytes = 5000};
    for (uint32_t i = 0; i < FRAMES; i++) {
        if (i % 1000 == 0) {
            /* Segments in no order, each filled from front to back. */
            sample_id(object.segment.bytes, (uint8_t)(i / 1000 * 37));
            expect_ok(graft_pagemap_add_object(map, &object, &frame.object), &err);
            frame.offset = GRAFT_SEGMENT_HEADER_BYTES;
        }
        frame.lsn = 1 + i % 2;
        uint32_t pages[4] = {i * 4 + 1, i * 4 + 2, i * 4 + 3, i * 4 + 4};
        expect_ok(graft_pagemap_add_frame(map, &frame, pages, 4), &err);
        frame.offset += frame.stored_bytes;
    }
    checkpoint.page_count = FRAMES * 4;
    expect_ok(graft_checkpoint_encode(&checkpoint, &out, &err), &err);
    cr_assert_lt(out.size, FRAMES * 13);
    struct graft_checkpoint read;
    graft_checkpoint_init(&read, graft_test_env()->alloc);
    expect_ok(graft_checkpoint_decode(&read, out.bytes, out.size, &err), &err);
    for (uint32_t page = 1; page <= checkpoint.page_count; page += 7) {
        const struct graft_map_entry *a = graft_pagemap_find(map, page);
        const struct graft_map_entry *b = graft_pagemap_find(&read.map, page);
        cr_assert_eq(map->frames[a->frame].offset, read.map.frames[b->frame].offset);
        cr_assert_eq(a->page, b->page);
    }
    graft_checkpoint_deinit(&read);
}
