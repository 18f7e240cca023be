/* The sample volume. Nothing here is random and nothing is read from the machine, so that fixtures
 * written twice are the same. */
#include "format/samples.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "format/config.h"
#include "format/syncstate.h"

static void must(enum graft_rc rc, const struct graft_err *err)
{
    if (rc != GRAFT_OK)
        (void)fprintf(stderr, "samples: %s: %s\n", graft_rc_name(rc), err->text);
    GRAFT_ASSERT(rc == GRAFT_OK);
}

void sample_id(uint8_t id[16], uint8_t first)
{
    for (uint8_t i = 0; i < 16; i++)
        id[i] = (uint8_t)(first + i);
}

void sample_page(uint8_t page[SAMPLE_PAGE_BYTES], uint32_t number, uint64_t lsn)
{
    char line[64];
    int length =
        snprintf(line, sizeof line, "page %u as of %llu\n", number, (unsigned long long)lsn);
    for (size_t i = 0; i < SAMPLE_PAGE_BYTES; i++)
        page[i] = (uint8_t)line[i % (size_t)length];
}

uint64_t sample_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

uint32_t sample_random_below(uint64_t *state, uint32_t below)
{
    return (uint32_t)((sample_random(state) >> 32) * below >> 32);
}

/* What is being built into an object: its bytes, and the map that learns where its frames stand. */
struct building {
    struct graft_codec *codec;
    struct graft_buf *object;
    struct graft_pagemap *map;
    uint32_t index; /* of the object in the map */
    uint64_t lsn;
};

static void add_frame(const struct building *building, const uint32_t *numbers, uint32_t count)
{
    static uint8_t bytes[GRAFT_FRAME_PAGES_MAX][SAMPLE_PAGE_BYTES];
    struct graft_frame_page pages[GRAFT_FRAME_PAGES_MAX];
    struct graft_err err = {.text = ""};
    for (uint32_t i = 0; i < count; i++) {
        sample_page(bytes[i], numbers[i], building->lsn);
        pages[i] = (struct graft_frame_page){numbers[i], SAMPLE_PAGE_BYTES, bytes[i]};
    }
    struct graft_map_frame frame = {
        .object = building->index,
        .offset = building->object->size,
        .lsn = building->lsn,
    };
    must(graft_frame_encode(building->codec, pages, count, building->object, &frame.stored_bytes,
                            &err),
         &err);
    must(graft_pagemap_add_frame(building->map, &frame, numbers, count), &err);
}

static void make_first_commit(struct samples *samples, struct graft_codec *codec,
                              struct graft_commit *commit)
{
    struct graft_err err = {.text = ""};
    struct graft_buf frames;
    graft_buf_init(&frames, commit->map.alloc);
    sample_id(commit->volume.bytes, 0x10);
    sample_id(commit->client.bytes, 0xa0);
    commit->lsn = 1;
    commit->time_ms = 1700000000000;
    commit->page_bytes = SAMPLE_PAGE_BYTES;
    commit->page_count = commit->least_page_count = commit->changed_count = 5;

    struct building building = {codec, &frames, &commit->map, 0, commit->lsn};
    struct graft_object_ref itself = {.kind = GRAFT_OBJECT_COMMIT, .commit_lsn = 1};
    must(graft_pagemap_add_object(&commit->map, &itself, &building.index), &err);
    add_frame(&building, (const uint32_t[]){1, 2, 3, 4}, 4);
    must(graft_buf_append(&samples->frame, frames.bytes, frames.size), &err);
    add_frame(&building, (const uint32_t[]){5}, 1);
    must(graft_commit_encode(commit, frames.bytes, frames.size, &samples->commit_inline, &err),
         &err);
    uint64_t end;
    must(graft_object_message_end(samples->commit_inline.bytes, samples->commit_inline.size, &end,
                                  &err),
         &err);
    graft_commit_move_inline(commit, 0, end);
    graft_buf_deinit(&frames);
}

/* Makes `commit`, which is the first one, the second. */
static void make_second_commit(struct samples *samples, struct graft_codec *codec,
                               struct graft_commit *commit)
{
    struct graft_err err = {.text = ""};
    commit->lsn = 2;
    commit->parent = graft_hash128(samples->commit_inline.bytes, samples->commit_inline.size);
    commit->time_ms += 1500;
    commit->page_count = 12;
    commit->changed_count = 7;

    /* The segment's name is known only when it is whole. */
    struct building building = {codec, &samples->segment, &commit->map, 0, commit->lsn};
    struct graft_object_ref segment = {.kind = GRAFT_OBJECT_SEGMENT};
    must(graft_pagemap_add_object(&commit->map, &segment, &building.index), &err);
    must(graft_segment_begin(&samples->segment), &err);
    add_frame(&building, (const uint32_t[]){2}, 1);
    add_frame(&building, (const uint32_t[]){6, 7, 8, 9}, 4);
    add_frame(&building, (const uint32_t[]){11, 12}, 2);
    struct graft_hash hash = graft_hash128(samples->segment.bytes, samples->segment.size);
    memcpy(commit->map.objects[building.index].segment.bytes, hash.bytes, sizeof hash.bytes);
    must(graft_commit_encode(commit, NULL, 0, &samples->commit_segments, &err), &err);
}

static void make_checkpoint(struct samples *samples, const struct graft_commit *commit)
{
    struct graft_err err = {.text = ""};
    struct graft_checkpoint checkpoint;
    graft_checkpoint_init(&checkpoint, commit->map.alloc);
    checkpoint.volume = commit->volume;
    checkpoint.commit =
        graft_hash128(samples->commit_segments.bytes, samples->commit_segments.size);
    checkpoint.lsn = commit->lsn;
    checkpoint.page_bytes = commit->page_bytes;
    checkpoint.page_count = commit->page_count;
    must(graft_pagemap_copy(&checkpoint.map, &commit->map), &err);
    must(graft_checkpoint_encode(&checkpoint, &samples->checkpoint, &err), &err);
    must(graft_pagemap_encode(&checkpoint.map, &samples->pagemap), &err);
    graft_checkpoint_deinit(&checkpoint);
}

static void make_local_files(struct samples *samples, const struct graft_commit *commit)
{
    struct graft_err err = {.text = ""};
    struct graft_config config;
    graft_config_init(&config, commit->map.alloc);
    config.volume = commit->volume;
    config.client = commit->client;
    config.page_bytes = SAMPLE_PAGE_BYTES;
    config.created_ms = 1699999999000;
    must(graft_config_set_remote_url(&config, "file:///srv/graft/app"), &err);
    must(graft_config_set(&config, "sync", "auto"), &err);
    must(graft_config_set(&config, "conflict", "fork"), &err);
    must(graft_config_encode(&config, &samples->config), &err);
    graft_config_deinit(&config);

    struct graft_log_base base;
    graft_log_base_init(&base, commit->map.alloc);
    base.lsn = 9;
    base.page_count = 12;
    base.sync.remote_lsn = 2;
    base.sync.remote_hash =
        graft_hash128(samples->commit_segments.bytes, samples->commit_segments.size);
    base.sync.pushed_lsn = 6;
    base.sync.pending_lsn = 8;
    base.sync.pending_remote_lsn = 3;
    sample_id(base.sync.pending_hash.bytes, 0x40);
    must(graft_pageset_add(&base.ahead, 2), &err);
    must(graft_pageset_add_run(&base.ahead, 5, 3), &err);
    must(graft_pageset_add_run(&base.ahead, 12, 1), &err);
    base.ahead_commits = 3;
    must(graft_sync_state_encode(&base.sync, &samples->sync_state), &err);
    must(graft_log_base_encode(&base, &samples->log_base), &err);
    must(graft_pageset_encode(&base.ahead, &samples->pageset), &err);
    graft_log_base_deinit(&base);
}

void samples_make(struct samples *samples, struct graft_alloc *alloc)
{
    struct graft_err err = {.text = ""};
    struct graft_buf empty;
    graft_buf_init(&empty, alloc);
    *samples =
        (struct samples){empty, empty, empty, empty, empty, empty, empty, empty, empty, empty};
    struct graft_codec *codec;
    must(graft_codec_new(alloc, &codec), &err);
    struct graft_commit commit;
    graft_commit_init(&commit, alloc);
    make_first_commit(samples, codec, &commit);
    make_second_commit(samples, codec, &commit);
    make_checkpoint(samples, &commit);
    make_local_files(samples, &commit);
    graft_commit_deinit(&commit);
    graft_codec_free(codec);
}

void samples_free(struct samples *samples)
{
    graft_buf_deinit(&samples->frame);
    graft_buf_deinit(&samples->commit_inline);
    graft_buf_deinit(&samples->segment);
    graft_buf_deinit(&samples->commit_segments);
    graft_buf_deinit(&samples->checkpoint);
    graft_buf_deinit(&samples->config);
    graft_buf_deinit(&samples->sync_state);
    graft_buf_deinit(&samples->log_base);
    graft_buf_deinit(&samples->pageset);
    graft_buf_deinit(&samples->pagemap);
}
