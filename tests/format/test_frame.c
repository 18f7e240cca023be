#include <criterion/criterion.h>
#include <string.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "format/frame.h"
#include "format/kinds.h"
#include "format/samples.h"
#include "support/expect.h"
#include "support/faultalloc.h"
#include "support/testing.h"

static struct graft_codec *codec;
static struct graft_buf buf;

static void set_up(void)
{
    cr_assert_eq(graft_codec_new(graft_test_env()->alloc, &codec), GRAFT_OK);
    graft_buf_init(&buf, graft_test_env()->alloc);
}

static void tear_down(void)
{
    graft_codec_free(codec);
    graft_buf_deinit(&buf);
}

TestSuite(frame, .init = set_up, .fini = tear_down);

static void check_round_trip(const struct graft_frame_page *pages, uint32_t count,
                             uint32_t page_bytes_max)
{
    struct graft_err err = {.text = ""};
    struct graft_frame frame;
    uint32_t stored = 0;
    size_t before = buf.size;
    expect_ok(graft_frame_encode(codec, pages, count, &buf, &stored, &err), &err);
    cr_assert_eq(buf.size, before + stored);
    cr_assert_leq(stored, GRAFT_FRAME_STORED_BYTES_MAX);
    expect_ok(graft_frame_decode(codec, buf.bytes + before, stored, page_bytes_max, &frame, &err),
              &err);
    cr_assert_eq(frame.count, count);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(frame.pages[i].page, pages[i].page);
        cr_assert_eq(frame.pages[i].size, pages[i].size);
        cr_assert(pages[i].size == 0 ||
                  memcmp(frame.pages[i].bytes, pages[i].bytes, pages[i].size) == 0);
    }
}

Test(frame, pages_of_all_lengths_come_back)
{
    static uint8_t bytes[4][SAMPLE_PAGE_BYTES];
    struct graft_frame_page pages[4];
    for (uint32_t i = 0; i < 4; i++) {
        sample_page(bytes[i], i + 1, 1);
        pages[i] = (struct graft_frame_page){i * i + 1, SAMPLE_PAGE_BYTES, bytes[i]};
    }
    check_round_trip(pages, 4, SAMPLE_PAGE_BYTES);
    pages[0].size = 0;
    pages[1].size = 1;
    pages[3].size = 0;
    check_round_trip(pages, 4, SAMPLE_PAGE_BYTES);
    check_round_trip(pages, 1, SAMPLE_PAGE_BYTES);
}

Test(frame, the_largest_frame_of_bytes_that_do_not_compress)
{
    struct graft_alloc *alloc = graft_test_env()->alloc;
    uint8_t *noise = graft_calloc(alloc, GRAFT_FRAME_PAGES_MAX, GRAFT_PAGE_BYTES_MAX);
    cr_assert_not_null(noise);
    uint64_t seed = 7;
    for (size_t i = 0; i < (size_t)GRAFT_FRAME_PAGES_MAX * GRAFT_PAGE_BYTES_MAX; i++)
        noise[i] = (uint8_t)(sample_random(&seed) >> 56);
    struct graft_frame_page pages[GRAFT_FRAME_PAGES_MAX];
    for (uint32_t i = 0; i < GRAFT_FRAME_PAGES_MAX; i++)
        pages[i] = (struct graft_frame_page){GRAFT_PAGES_MAX - GRAFT_FRAME_PAGES_MAX + 1 + i,
                                             GRAFT_PAGE_BYTES_MAX,
                                             noise + (size_t)i * GRAFT_PAGE_BYTES_MAX};
    check_round_trip(pages, GRAFT_FRAME_PAGES_MAX, GRAFT_PAGE_BYTES_MAX);
    graft_free(alloc, noise);
}

Test(frame, equal_pages_have_equal_frames)
{
    uint8_t bytes[SAMPLE_PAGE_BYTES];
    sample_page(bytes, 3, 1);
    struct graft_frame_page page = {3, sizeof bytes, bytes};
    uint32_t first;
    uint32_t second;
    struct graft_err err = {.text = ""};
    expect_ok(graft_frame_encode(codec, &page, 1, &buf, &first, &err), &err);
    expect_ok(graft_frame_encode(codec, &page, 1, &buf, &second, &err), &err);
    cr_assert_eq(first, second);
    cr_assert_arr_eq(buf.bytes, buf.bytes + first, first);
}

Test(frame, pages_of_a_decoded_frame_can_be_put_into_a_new_one)
{
    uint8_t bytes[2][SAMPLE_PAGE_BYTES];
    sample_page(bytes[0], 3, 1);
    sample_page(bytes[1], 4, 1);
    const struct graft_frame_page pages[] = {{3, SAMPLE_PAGE_BYTES, bytes[0]},
                                             {4, SAMPLE_PAGE_BYTES, bytes[1]}};
    struct graft_err err = {.text = ""};
    struct graft_frame frame;
    uint32_t stored;
    expect_ok(graft_frame_encode(codec, pages, 2, &buf, &stored, &err), &err);
    expect_ok(graft_frame_decode(codec, buf.bytes, stored, SAMPLE_PAGE_BYTES, &frame, &err), &err);
    size_t at = buf.size;
    expect_ok(graft_frame_encode(codec, &frame.pages[1], 1, &buf, &stored, &err), &err);
    expect_ok(graft_frame_decode(codec, buf.bytes + at, stored, SAMPLE_PAGE_BYTES, &frame, &err),
              &err);
    cr_assert_eq(frame.pages[0].page, 4);
    cr_assert_arr_eq(frame.pages[0].bytes, bytes[1], SAMPLE_PAGE_BYTES);
}

Test(frame, what_is_not_a_frame_is_not_encoded)
{
    static const uint8_t bytes[8];
    const struct graft_frame_page descending[] = {{2, 8, bytes}, {1, 8, bytes}};
    const struct graft_frame_page twice[] = {{2, 8, bytes}, {2, 8, bytes}};
    const struct graft_frame_page zero[] = {{0, 8, bytes}};
    const struct graft_frame_page past[] = {{0xffffffff, 8, bytes}};
    const struct graft_frame_page long_page[] = {{1, GRAFT_PAGE_BYTES_MAX + 1, bytes}};
    uint32_t stored = 77;
    struct graft_err err = {.text = ""};
    expect_rc(graft_frame_encode(codec, descending, 0, &buf, &stored, &err), GRAFT_EINVAL, &err);
    expect_rc(graft_frame_encode(codec, descending, 65, &buf, &stored, &err), GRAFT_EINVAL, &err);
    expect_rc(graft_frame_encode(codec, descending, 2, &buf, &stored, &err), GRAFT_EINVAL, &err);
    expect_rc(graft_frame_encode(codec, twice, 2, &buf, &stored, &err), GRAFT_EINVAL, &err);
    expect_rc(graft_frame_encode(codec, zero, 1, &buf, &stored, &err), GRAFT_EINVAL, &err);
    expect_rc(graft_frame_encode(codec, past, 1, &buf, &stored, &err), GRAFT_EINVAL, &err);
    expect_rc(graft_frame_encode(codec, long_page, 1, &buf, &stored, &err), GRAFT_EINVAL, &err);
    cr_assert_eq(buf.size, 0);
    cr_assert_eq(stored, 77);
}

/* A frame whose content is the `size` bytes, whatever they say: stored as a zstd frame of one raw
 * block, with a right checksum. */
static size_t frame_of_content(const uint8_t *content, size_t size, uint32_t declared, uint8_t *out,
                               size_t room)
{
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, out, room);
    graft_wcur_u64(&cursor, 0);
    graft_wcur_u32(&cursor, 0);
    graft_wcur_u32(&cursor, declared);
    graft_wcur_u32(&cursor, 0xfd2fb528);
    graft_wcur_u8(&cursor, 0x20); /* one segment, one byte of content size */
    graft_wcur_u8(&cursor, (uint8_t)size);
    graft_wcur_u16(&cursor, (uint16_t)(size << 3 | 1)); /* the last block, raw */
    graft_wcur_u8(&cursor, 0);
    graft_wcur_bytes(&cursor, content, size);
    cr_assert_not(cursor.failed);
    kind_frame.repair(out, cursor.at);
    return cursor.at;
}

Test(frame, hostile_content_behind_a_right_checksum_is_corrupt)
{
    static const struct {
        const char *what;
        uint32_t declared;
        uint32_t words[6];
        unsigned count;
    } bad[] = {
        {"no page", 4, {0}, 1},
        {"too many pages", 4, {65}, 1},
        {"a table cut off", 8, {1, 1}, 2},
        {"page 0", 12, {1, 0, 0}, 3},
        {"page 2^32-1", 12, {1, 0xffffffff, 0}, 3},
        {"pages out of order", 20, {2, 2, 0, 1, 0}, 5},
        {"a page twice", 20, {2, 2, 0, 2, 0}, 5},
        {"a page cut off", 16, {1, 1, 5, 9}, 4},
        {"a page too long", 12, {1, 1, 513}, 3},
        {"bytes left", 20, {1, 1, 4, 9, 9}, 5},
        {"less content than declared", 17, {1, 1, 4, 9}, 4},
        {"more content than declared", 15, {1, 1, 4, 9}, 4},
        {"content past any limit", 0xffffffff, {1, 1, 4, 9}, 4},
        {"no content", 0, {0}, 0},
    };
    struct graft_frame frame = {.count = 99};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t content[24];
        uint8_t bytes[64];
        struct graft_writer_cursor cursor;
        graft_wcur_init(&cursor, content, sizeof content);
        for (unsigned w = 0; w < bad[i].count; w++)
            graft_wcur_u32(&cursor, bad[i].words[w]);
        size_t size = frame_of_content(content, cursor.at, bad[i].declared, bytes, sizeof bytes);
        struct graft_err err = {.text = ""};
        enum graft_rc rc = graft_frame_decode(codec, bytes, size, 512, &frame, &err);
        cr_assert_eq(rc, GRAFT_ECORRUPT, "%s: %s", bad[i].what, graft_rc_name(rc));
        cr_assert(strncmp(err.text, "frame: ", 7) == 0, "%s", err.text);
        cr_assert_eq(frame.count, 99);
    }
    const uint32_t good[] = {1, 1, 4, 9};
    uint8_t bytes[64];
    size_t size = frame_of_content((const uint8_t *)good, sizeof good, 16, bytes, sizeof bytes);
    struct graft_err err = {.text = ""};
    expect_ok(graft_frame_decode(codec, bytes, size, 512, &frame, &err), &err);
}

Test(frame, two_zstd_frames_in_one_are_corrupt)
{
    /* Each is a whole zstd frame, and together they would decompress to a good content. */
    const uint32_t words[] = {1, 1, 4, 9};
    uint8_t halves[2][64];
    size_t first = frame_of_content((const uint8_t *)words, 8, 16, halves[0], 64);
    size_t second = frame_of_content((const uint8_t *)(words + 2), 8, 16, halves[1], 64);
    memcpy(halves[0] + first, halves[1] + 16, second - 16);
    kind_frame.repair(halves[0], first + second - 16);
    struct graft_err err = {.text = ""};
    struct graft_frame frame;
    expect_rc(graft_frame_decode(codec, halves[0], first + second - 16, 512, &frame, &err),
              GRAFT_ECORRUPT, &err);
}

Test(frame, a_frame_of_another_size_than_asked_is_corrupt)
{
    uint8_t bytes[SAMPLE_PAGE_BYTES];
    sample_page(bytes, 1, 1);
    struct graft_frame_page page = {1, sizeof bytes, bytes};
    struct graft_frame frame;
    uint32_t stored;
    struct graft_err err = {.text = ""};
    expect_ok(graft_frame_encode(codec, &page, 1, &buf, &stored, &err), &err);
    expect_ok(graft_buf_append(&buf, "x", 1), &err);
    expect_rc(graft_frame_decode(codec, buf.bytes, stored + 1, 4096, &frame, &err), GRAFT_ECORRUPT,
              &err);
    expect_rc(graft_frame_decode(codec, buf.bytes, stored, 2048, &frame, &err), GRAFT_ECORRUPT,
              &err);
    expect_ok(graft_frame_decode(codec, buf.bytes, stored, 4096, &frame, &err), &err);
}

Test(frame, a_segment_header_is_checked_to_the_bit)
{
    struct graft_err err = {.text = ""};
    expect_ok(graft_segment_begin(&buf), &err);
    cr_assert_eq(buf.size, GRAFT_SEGMENT_HEADER_BYTES);
    cr_assert_eq(memcmp(buf.bytes, "GRAFTSEG\1\0\0\0\0\0\0\0", 16), 0);
    expect_ok(graft_segment_check(buf.bytes, buf.size, &err), &err);
    for (size_t size = 0; size < GRAFT_SEGMENT_HEADER_BYTES; size++)
        expect_rc(graft_segment_check(buf.bytes, size, &err), GRAFT_ECORRUPT, &err);
    for (unsigned bit = 0; bit < 128; bit++) {
        buf.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        bool newer = bit > 64 && bit < 96;
        expect_rc(graft_segment_check(buf.bytes, buf.size, &err),
                  newer ? GRAFT_EVERSION : GRAFT_ECORRUPT, &err);
        buf.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

Test(frame, a_newer_segment_says_to_upgrade)
{
    struct graft_err err = {.text = ""};
    expect_ok(graft_segment_begin(&buf), &err);
    buf.bytes[8] = 2;
    expect_rc(graft_segment_check(buf.bytes, buf.size, &err), GRAFT_EVERSION, &err);
    cr_assert_str_eq(err.text, "segment was written by a newer version (2; this one reads up to 1):"
                               " upgrade");
}

Test(frame, freeing_no_codec_is_fine)
{
    graft_codec_free(NULL);
}

Test(frame, every_allocation_of_a_codec_may_fail)
{
    static const uint8_t bytes[100];
    struct graft_frame_page page = {.page = 1, .size = sizeof bytes, .bytes = bytes};
    struct graft_frame frame;
    struct graft_faultalloc faults;
    graft_faultalloc_init(&faults, graft_test_env()->alloc);
    for (uint64_t nth = 1;; nth++) {
        struct graft_codec *made = NULL;
        struct graft_buf out;
        uint32_t stored = 0;
        graft_buf_init(&out, &faults.alloc);
        graft_faultalloc_arm(&faults, nth, false);
        enum graft_rc rc = graft_codec_new(&faults.alloc, &made);
        cr_assert_eq(made != NULL, rc == GRAFT_OK);
        if (rc == GRAFT_OK)
            rc = graft_frame_encode(made, &page, 1, &out, &stored, NULL);
        if (rc == GRAFT_OK)
            rc = graft_frame_decode(made, out.bytes, stored, sizeof bytes, &frame, NULL);
        uint64_t failed = graft_faultalloc_disarm(&faults);
        cr_assert_eq(rc, failed == 0 ? GRAFT_OK : GRAFT_ENOMEM);
        graft_codec_free(made);
        graft_buf_deinit(&out);
        cr_assert_eq(faults.live, 0);
        if (failed == 0)
            break;
    }
}
