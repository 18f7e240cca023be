#include <criterion/criterion.h>
#include <string.h>

#include "base/cursor.h"

static uint64_t read_varint(const void *bytes, size_t size, bool *failed)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, bytes, size);
    uint64_t value = graft_rcur_varint(&cursor);
    *failed = cursor.failed;
    return value;
}

Test(cursor, integers_round_trip)
{
    uint8_t bytes[64];
    struct graft_writer_cursor writer;
    graft_wcur_init(&writer, bytes, sizeof bytes);
    graft_wcur_u8(&writer, 0x12);
    graft_wcur_u16(&writer, 0x3456);
    graft_wcur_u32(&writer, 0x789abcde);
    graft_wcur_u64(&writer, 0xfedcba9876543210);
    graft_wcur_bytes(&writer, "text", 4);
    cr_assert(!writer.failed);
    cr_assert_eq(writer.at, 19);
    cr_assert_eq(bytes[1], 0x56, "the low byte comes first");

    struct graft_reader_cursor reader;
    graft_rcur_init(&reader, bytes, writer.at);
    cr_assert_eq(graft_rcur_u8(&reader), 0x12);
    cr_assert_eq(graft_rcur_u16(&reader), 0x3456);
    cr_assert_eq(graft_rcur_u32(&reader), 0x789abcde);
    cr_assert_eq(graft_rcur_u64(&reader), 0xfedcba9876543210);
    char text[4];
    graft_rcur_bytes(&reader, text, 4);
    cr_assert_arr_eq(text, "text", 4);
    cr_assert_eq(graft_rcur_left(&reader), 0);
    cr_assert(!reader.failed);
}

Test(cursor, varints_round_trip_at_every_length)
{
    for (unsigned shift = 0; shift < 64; shift++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = (UINT64_C(1) << shift) + (uint64_t)(int64_t)delta;
            uint8_t bytes[10];
            struct graft_writer_cursor writer;
            graft_wcur_init(&writer, bytes, sizeof bytes);
            graft_wcur_varint(&writer, value);
            cr_assert(!writer.failed);
            bool failed = false;
            cr_assert_eq(read_varint(bytes, writer.at, &failed), value);
            cr_assert(!failed);
            cr_assert_eq(read_varint(bytes, writer.at - 1, &failed), 0);
            cr_assert(failed, "a varint that is cut off fails");
        }
    }
}

Test(cursor, an_overlong_varint_fails)
{
    bool failed = false;
    (void)read_varint("\x80\x00", 2, &failed);
    cr_assert(failed);
    (void)read_varint("\xff\x80\x00", 3, &failed);
    cr_assert(failed);
    cr_assert_eq(read_varint("\x00", 1, &failed), 0);
    cr_assert(!failed, "zero itself is one byte");
}

Test(cursor, a_varint_past_64_bits_fails)
{
    bool failed = false;
    (void)read_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, &failed);
    cr_assert(failed);
    (void)read_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, &failed);
    cr_assert(failed);
    cr_assert_eq(read_varint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, &failed), UINT64_MAX);
    cr_assert(!failed);
}

Test(cursor, a_read_past_the_end_fails_for_good)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, "\x01\x02\x03", 3);
    cr_assert_eq(graft_rcur_u16(&cursor), 0x0201);
    cr_assert_eq(graft_rcur_u32(&cursor), 0);
    cr_assert(cursor.failed);
    cr_assert_eq(graft_rcur_u8(&cursor), 0, "also what would have fitted");
    cr_assert_eq(graft_rcur_left(&cursor), 0);
    cr_assert_null(graft_rcur_span(&cursor, 0));
}

Test(cursor, failed_bytes_are_zeros)
{
    struct graft_reader_cursor cursor;
    char out[4] = "abcd";
    graft_rcur_init(&cursor, "xy", 2);
    graft_rcur_bytes(&cursor, out, 4);
    cr_assert_arr_eq(out, "\0\0\0\0", 4);
}

Test(cursor, a_span_borrows_in_place)
{
    static const char bytes[] = "abcdef";
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, bytes, 6);
    (void)graft_rcur_u8(&cursor);
    cr_assert_eq((const char *)graft_rcur_span(&cursor, 3), bytes + 1);
    cr_assert_eq(graft_rcur_left(&cursor), 2);
    cr_assert_null(graft_rcur_span(&cursor, SIZE_MAX));
}

Test(cursor, a_write_past_the_end_writes_nothing_more)
{
    uint8_t bytes[4] = {9, 9, 9, 9};
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, bytes, 3);
    graft_wcur_u16(&cursor, 0);
    graft_wcur_u16(&cursor, 0);
    cr_assert(cursor.failed);
    graft_wcur_u8(&cursor, 0);
    cr_assert_eq(cursor.at, 2);
    cr_assert_eq(bytes[2], 9);
    cr_assert_eq(bytes[3], 9);
}
