/* Every kind cut off at every length, with every bit flipped, and with every allocation failing. */
#include <criterion/criterion.h>
#include <string.h>

#include "format/commit.h"
#include "format/kinds.h"
#include "format/samples.h"
#include "support/faultalloc.h"
#include "support/testing.h"

static struct samples samples;

static void set_up(void)
{
    samples_make(&samples, graft_test_env()->alloc);
}

static void tear_down(void)
{
    samples_free(&samples);
}

TestSuite(hostile, .init = set_up, .fini = tear_down, .timeout = 300);

/* Whether the bytes are refused as they should be or yield an object that is valid, which means
 * that it can be written, read and written again. */
static enum graft_rc reencode_twice(const struct format_kind *kind, const uint8_t *bytes,
                                    size_t size)
{
    struct graft_buf once;
    struct graft_buf twice;
    graft_buf_init(&once, graft_test_env()->alloc);
    graft_buf_init(&twice, graft_test_env()->alloc);
    struct graft_err err = {.text = ""};
    enum graft_rc rc = kind->reencode(bytes, size, &once, &err);
    if (rc == GRAFT_OK) {
        enum graft_rc again = kind->reencode(once.bytes, once.size, &twice, &err);
        cr_assert_eq(again, GRAFT_OK, "%s: %s", kind->name, err.text);
        cr_assert_eq(once.size, twice.size);
        cr_assert(once.size == 0 || memcmp(once.bytes, twice.bytes, once.size) == 0);
    } else if (rc != GRAFT_ECANCELED) {
        cr_assert(rc == GRAFT_ECORRUPT || rc == GRAFT_EVERSION, "%s: %s: %s", kind->name,
                  graft_rc_name(rc), err.text);
        cr_assert(err.text[0] != '\0', "%s: no text", kind->name);
    }
    graft_buf_deinit(&once);
    graft_buf_deinit(&twice);
    return rc;
}

/* The first `covered` bytes are covered by a checksum: nothing wrong in them may pass. */
static void damage(const struct format_kind *kind, const struct graft_buf *good, size_t covered)
{
    cr_assert_eq(reencode_twice(kind, good->bytes, good->size), GRAFT_OK);
    uint8_t *bytes = graft_malloc(graft_test_env()->alloc, good->size);
    for (size_t size = 0; size < good->size; size++) {
        /* At the end of an allocation, so that reading on is seen. */
        uint8_t *end = bytes + good->size - size;
        memcpy(end, good->bytes, size);
        enum graft_rc rc = reencode_twice(kind, end, size);
        cr_assert(size >= covered || rc != GRAFT_OK, "%s cut at %zu", kind->name, size);
    }
    memcpy(bytes, good->bytes, good->size);
    for (size_t bit = 0; bit < good->size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        enum graft_rc rc = reencode_twice(kind, bytes, good->size);
        cr_assert(bit / 8 >= covered || rc == GRAFT_ECORRUPT || rc == GRAFT_EVERSION,
                  "%s with bit %zu flipped: %s", kind->name, bit, graft_rc_name(rc));
        /* And once more with a checksum that fits the damage. */
        if (kind->repair != NULL) {
            kind->repair(bytes, good->size);
            (void)reencode_twice(kind, bytes, good->size);
            memcpy(bytes, good->bytes, good->size);
        } else {
            bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
    graft_free(graft_test_env()->alloc, bytes);
}

static void starve(const struct format_kind *kind, const struct graft_buf *good)
{
    struct graft_faultalloc faults;
    graft_faultalloc_init(&faults, graft_test_env()->alloc);
    for (uint64_t nth = 1;; nth++) {
        struct graft_buf out;
        graft_buf_init(&out, &faults.alloc);
        graft_faultalloc_arm(&faults, nth, false);
        enum graft_rc rc = kind->reencode(good->bytes, good->size, &out, NULL);
        uint64_t failed = graft_faultalloc_disarm(&faults);
        cr_assert_eq(rc, failed == 0 ? GRAFT_OK : GRAFT_ENOMEM, "%s: allocation %d: %s", kind->name,
                     (int)nth, graft_rc_name(rc));
        cr_assert(rc == GRAFT_OK || out.size == 0);
        graft_buf_deinit(&out);
        cr_assert_eq(faults.live, 0, "%s: allocation %d", kind->name, (int)nth);
        if (failed == 0)
            return;
    }
}

static size_t message_end(const struct graft_buf *object)
{
    uint64_t end;
    cr_assert_eq(graft_object_message_end(object->bytes, object->size, &end, NULL), GRAFT_OK);
    return (size_t)end;
}

Test(hostile, a_damaged_page_set)
{
    damage(&kind_pageset, &samples.pageset, 0);
    starve(&kind_pageset, &samples.pageset);
}

Test(hostile, a_damaged_page_map)
{
    damage(&kind_pagemap, &samples.pagemap, 0);
    starve(&kind_pagemap, &samples.pagemap);
}

Test(hostile, a_damaged_frame)
{
    damage(&kind_frame, &samples.frame, samples.frame.size);
    starve(&kind_frame, &samples.frame);
}

Test(hostile, a_damaged_commit_with_inline_frames)
{
    damage(&kind_commit, &samples.commit_inline, message_end(&samples.commit_inline));
    starve(&kind_commit, &samples.commit_inline);
}

Test(hostile, a_damaged_commit_that_refers_to_a_segment)
{
    damage(&kind_commit, &samples.commit_segments, samples.commit_segments.size);
    starve(&kind_commit, &samples.commit_segments);
}

Test(hostile, a_damaged_checkpoint)
{
    damage(&kind_checkpoint, &samples.checkpoint, samples.checkpoint.size);
    starve(&kind_checkpoint, &samples.checkpoint);
}

Test(hostile, a_damaged_config)
{
    damage(&kind_config, &samples.config, samples.config.size);
    starve(&kind_config, &samples.config);
}

Test(hostile, a_damaged_sync_state)
{
    damage(&kind_sync_state, &samples.sync_state, 0);
    starve(&kind_sync_state, &samples.sync_state);
}

Test(hostile, a_damaged_log_base)
{
    damage(&kind_log_base, &samples.log_base, 0);
    starve(&kind_log_base, &samples.log_base);
}
