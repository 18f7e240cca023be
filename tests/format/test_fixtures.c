/* What version 1 of the format wrote must stay readable, and be written again to the same bytes.
 * The expectations stand here in full: nothing is taken from the code that wrote the fixtures. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "format/commit.h"
#include "format/config.h"
#include "format/kinds.h"
#include "format/samples.h"
#include "format/syncstate.h"
#include "support/expect.h"
#include "support/testing.h"

static struct graft_err err;

static void load(const char *name, struct graft_buf *out)
{
    char path[GRAFT_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, GRAFT_FIXTURES_DIR "/v1/%s", name);
    graft_buf_init(out, graft_test_env()->alloc);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    uint8_t chunk[4096];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        expect_ok(graft_buf_append(out, chunk, got), &err);
    (void)fclose(file);
}

static void expect_same_bytes(const struct format_kind *kind, const struct graft_buf *bytes)
{
    struct graft_buf again;
    graft_buf_init(&again, graft_test_env()->alloc);
    expect_ok(kind->reencode(bytes->bytes, bytes->size, &again, &err), &err);
    cr_assert_eq(again.size, bytes->size);
    cr_assert_arr_eq(again.bytes, bytes->bytes, again.size);
    graft_buf_deinit(&again);
}

static void expect_hex(const uint8_t *bytes, const char *wanted)
{
    char text[GRAFT_ID_TEXT_BYTES];
    graft_hex_encode(bytes, 16, text);
    cr_assert_str_eq(text, wanted);
}

#define VOLUME "101112131415161718191a1b1c1d1e1f"
#define CLIENT "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"

static void expect_page(const struct graft_frame_page *page, uint32_t number, const char *line)
{
    size_t length = strlen(line);
    cr_assert_eq(page->page, number);
    cr_assert_eq(page->size, 4096);
    for (size_t i = 0; i < 4096; i++)
        cr_assert_eq(page->bytes[i], (uint8_t)line[i % length]);
}

/* The frame that the map names for the page holds it, as the line repeated. */
static void expect_mapped(const struct graft_pagemap *map, uint32_t page,
                          const struct graft_buf *object, const char *line)
{
    struct graft_codec *codec;
    struct graft_frame frame;
    const struct graft_map_entry *entry = graft_pagemap_find(map, page);
    cr_assert_not_null(entry);
    const struct graft_map_frame *place = &map->frames[entry->frame];
    cr_assert_leq(place->offset + place->stored_bytes, object->size);
    expect_ok(graft_codec_new(graft_test_env()->alloc, &codec), &err);
    expect_ok(graft_frame_decode(codec, object->bytes + place->offset, place->stored_bytes, 4096,
                                 &frame, &err),
              &err);
    expect_page(&frame.pages[entry->index + (page - entry->page)], page, line);
    graft_codec_free(codec);
}

Test(fixtures, frame)
{
    struct graft_buf bytes;
    struct graft_codec *codec;
    struct graft_frame frame;
    load("frame", &bytes);
    expect_ok(graft_codec_new(graft_test_env()->alloc, &codec), &err);
    expect_ok(graft_frame_decode(codec, bytes.bytes, bytes.size, 4096, &frame, &err), &err);
    cr_assert_eq(frame.count, 4);
    expect_page(&frame.pages[0], 1, "page 1 as of 1\n");
    expect_page(&frame.pages[3], 4, "page 4 as of 1\n");
    graft_codec_free(codec);
    graft_buf_deinit(&bytes);
}

Test(fixtures, commit_with_inline_frames)
{
    static const uint8_t zeros[16];
    struct graft_buf bytes;
    struct graft_commit commit;
    load("commit-inline", &bytes);
    graft_commit_init(&commit, graft_test_env()->alloc);
    expect_ok(graft_commit_decode(&commit, bytes.bytes, bytes.size, &err), &err);
    expect_hex(commit.volume.bytes, VOLUME);
    expect_hex(commit.client.bytes, CLIENT);
    cr_assert_arr_eq(commit.parent.bytes, zeros, 16);
    cr_assert_eq(commit.lsn, 1);
    cr_assert_eq(commit.time_ms, 1700000000000);
    cr_assert_eq(commit.checkpoint_lsn, 0);
    cr_assert_eq(commit.page_bytes, 4096);
    cr_assert_eq(commit.page_count, 5);
    cr_assert_eq(commit.least_page_count, 5);
    cr_assert_eq(commit.changed_count, 5);
    cr_assert_not(commit.variable);
    cr_assert_eq(commit.map.entry_count, 2);
    expect_mapped(&commit.map, 1, &bytes, "page 1 as of 1\n");
    expect_mapped(&commit.map, 4, &bytes, "page 4 as of 1\n");
    expect_mapped(&commit.map, 5, &bytes, "page 5 as of 1\n");
    expect_same_bytes(&kind_commit, &bytes);
    graft_commit_deinit(&commit);
    graft_buf_deinit(&bytes);
}

Test(fixtures, commit_that_refers_to_a_segment)
{
    struct graft_buf bytes;
    struct graft_buf parent;
    struct graft_buf segment;
    struct graft_commit commit;
    load("commit-segments", &bytes);
    load("commit-inline", &parent);
    load("segment", &segment);
    expect_ok(graft_segment_check(segment.bytes, segment.size, &err), &err);
    graft_commit_init(&commit, graft_test_env()->alloc);
    expect_ok(graft_commit_decode(&commit, bytes.bytes, bytes.size, &err), &err);
    struct graft_hash hash = graft_hash128(parent.bytes, parent.size);
    cr_assert(graft_hash_equal(&commit.parent, &hash));
    cr_assert_eq(commit.lsn, 2);
    cr_assert_eq(commit.time_ms, 1700000001500);
    cr_assert_eq(commit.page_count, 12);
    cr_assert_eq(commit.least_page_count, 5);
    cr_assert_eq(commit.changed_count, 7);
    cr_assert_eq(commit.map.object_count, 2);
    hash = graft_hash128(segment.bytes, segment.size);
    cr_assert_arr_eq(commit.map.objects[0].segment.bytes, hash.bytes, 16);
    cr_assert_eq(commit.map.objects[1].commit_lsn, 1);
    expect_mapped(&commit.map, 1, &parent, "page 1 as of 1\n");
    expect_mapped(&commit.map, 2, &segment, "page 2 as of 2\n");
    expect_mapped(&commit.map, 3, &parent, "page 3 as of 1\n");
    expect_mapped(&commit.map, 9, &segment, "page 9 as of 2\n");
    cr_assert_null(graft_pagemap_find(&commit.map, 10));
    expect_mapped(&commit.map, 12, &segment, "page 12 as of 2\n");
    expect_same_bytes(&kind_commit, &bytes);
    graft_commit_deinit(&commit);
    graft_buf_deinit(&bytes);
    graft_buf_deinit(&parent);
    graft_buf_deinit(&segment);
}

Test(fixtures, checkpoint)
{
    struct graft_buf bytes;
    struct graft_buf commit;
    struct graft_buf segment;
    struct graft_buf pagemap;
    struct graft_checkpoint checkpoint;
    load("checkpoint", &bytes);
    load("commit-segments", &commit);
    load("segment", &segment);
    load("page-map", &pagemap);
    graft_checkpoint_init(&checkpoint, graft_test_env()->alloc);
    expect_ok(graft_checkpoint_decode(&checkpoint, bytes.bytes, bytes.size, &err), &err);
    expect_hex(checkpoint.volume.bytes, VOLUME);
    struct graft_hash hash = graft_hash128(commit.bytes, commit.size);
    cr_assert(graft_hash_equal(&checkpoint.commit, &hash));
    cr_assert_eq(checkpoint.lsn, 2);
    cr_assert_eq(checkpoint.page_bytes, 4096);
    cr_assert_eq(checkpoint.page_count, 12);
    cr_assert_not(checkpoint.variable);
    expect_mapped(&checkpoint.map, 7, &segment, "page 7 as of 2\n");
    expect_same_bytes(&kind_checkpoint, &bytes);
    expect_same_bytes(&kind_pagemap, &pagemap);
    graft_checkpoint_deinit(&checkpoint);
    graft_buf_deinit(&bytes);
    graft_buf_deinit(&commit);
    graft_buf_deinit(&segment);
    graft_buf_deinit(&pagemap);
}

Test(fixtures, config)
{
    struct graft_buf bytes;
    struct graft_config config;
    load("config", &bytes);
    graft_config_init(&config, graft_test_env()->alloc);
    expect_ok(graft_config_decode(&config, bytes.bytes, bytes.size, &err), &err);
    expect_hex(config.volume.bytes, VOLUME);
    expect_hex(config.client.bytes, CLIENT);
    cr_assert_eq(config.page_bytes, 4096);
    cr_assert_not(config.variable);
    cr_assert_eq(config.created_ms, 1699999999000);
    cr_assert_str_eq(config.remote_url, "file:///srv/graft/app");
    cr_assert_eq(config.setting_count, 2);
    cr_assert_str_eq(graft_config_get(&config, "conflict"), "fork");
    cr_assert_str_eq(graft_config_get(&config, "sync"), "auto");
    expect_same_bytes(&kind_config, &bytes);
    graft_config_deinit(&config);
    graft_buf_deinit(&bytes);
}

Test(fixtures, log_base_sync_state_and_page_set)
{
    struct graft_buf bytes;
    struct graft_buf state;
    struct graft_buf set;
    struct graft_buf commit;
    struct graft_log_base base;
    load("log-base", &bytes);
    load("sync-state", &state);
    load("page-set", &set);
    load("commit-segments", &commit);
    graft_log_base_init(&base, graft_test_env()->alloc);
    expect_ok(graft_log_base_decode(&base, bytes.bytes, bytes.size, &err), &err);
    cr_assert_eq(base.lsn, 9);
    cr_assert_eq(base.page_count, 12);
    cr_assert_eq(base.ahead_commits, 3);
    cr_assert_eq(base.ahead.page_count, 5);
    const uint32_t ahead[] = {2, 5, 6, 7, 12};
    for (unsigned i = 0; i < 5; i++)
        cr_assert(graft_pageset_contains(&base.ahead, ahead[i]));
    struct graft_hash hash = graft_hash128(commit.bytes, commit.size);
    cr_assert_eq(base.sync.remote_lsn, 2);
    cr_assert(graft_hash_equal(&base.sync.remote_hash, &hash));
    cr_assert_eq(base.sync.pushed_lsn, 6);
    cr_assert_eq(base.sync.pending_lsn, 8);
    cr_assert_eq(base.sync.pending_remote_lsn, 3);
    expect_hex(base.sync.pending_hash.bytes, "404142434445464748494a4b4c4d4e4f");
    expect_same_bytes(&kind_log_base, &bytes);
    expect_same_bytes(&kind_sync_state, &state);
    expect_same_bytes(&kind_pageset, &set);
    graft_log_base_deinit(&base);
    graft_buf_deinit(&bytes);
    graft_buf_deinit(&state);
    graft_buf_deinit(&set);
    graft_buf_deinit(&commit);
}
