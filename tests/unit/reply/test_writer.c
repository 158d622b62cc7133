/* test_writer.c: what fits is written whole, what does not is not begun, and texts survive. */
#include "reply/writer.h"

#include <check.h>
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

Suite *writer_suite(void);

static char room[4096];
static struct writer writer;

static void setup(void)
{
    memset(room, '?', sizeof room);
    writer = writer_make(room, sizeof room);
}

#define CHECK_TEXT(expected)                                                                       \
    ck_assert_msg(bytes_equal(writer_text(&writer), bytes_of(expected)), "%.*s",                   \
                  (int)writer.used, room)

/* ---- room ---- */

START_TEST(writes_follow_one_another)
{
    writer_string(&writer, "a");
    writer_char(&writer, 'b');
    writer_bytes(&writer, BYTES("cd"));
    writer_bytes(&writer, (struct bytes){NULL, 0});
    writer_u64(&writer, 7);
    CHECK_TEXT("abcd7");
    ck_assert(!writer.full);
}
END_TEST

START_TEST(last_byte_is_used)
{
    writer = writer_make(room, 4);
    writer_string(&writer, "abcd");
    ck_assert(!writer.full);
    writer_char(&writer, 'e');
    ck_assert(writer.full);
    CHECK_TEXT("abcd");
    ck_assert_int_eq(room[4], '?');
}
END_TEST

START_TEST(write_that_does_not_fit_writes_nothing)
{
    writer = writer_make(room, 4);
    writer_string(&writer, "abc");
    writer_string(&writer, "de");
    ck_assert(writer.full);
    CHECK_TEXT("abc");
    ck_assert_int_eq(room[3], '?');
}
END_TEST

START_TEST(nothing_is_written_after_what_did_not_fit)
{
    writer = writer_make(room, 4);
    writer_string(&writer, "abcde");
    writer_char(&writer, 'f');
    ck_assert_ptr_null(writer_take(&writer, 1));
    ck_assert_ptr_null(writer_take(&writer, 0));
    CHECK_TEXT("");
}
END_TEST

START_TEST(rewind_makes_room_again)
{
    writer = writer_make(room, 8);
    writer_string(&writer, "row 1;");
    size_t row = writer.used;
    writer_string(&writer, "ro");
    writer_string(&writer, "w 2;");
    ck_assert(writer.full);
    writer_rewind(&writer, row);
    CHECK_TEXT("row 1;");
    writer_string(&writer, "..");
    ck_assert(!writer.full);
}
END_TEST

START_TEST(taken_room_is_the_caller_s)
{
    char *at = writer_take(&writer, 3);
    ck_assert_ptr_eq(at, room);
    memcpy(at, "xyz", 3);
    ck_assert_ptr_eq(writer_take(&writer, sizeof room - 3), room + 3);
    ck_assert_ptr_null(writer_take(&writer, 1));
    ck_assert_uint_eq(writer.used, sizeof room);
}
END_TEST

START_TEST(room_larger_than_memory_does_not_wrap_around)
{
    writer_string(&writer, "abc");
    ck_assert_ptr_null(writer_take(&writer, SIZE_MAX));
    ck_assert_ptr_null(writer_take(&writer, SIZE_MAX - 2));
    CHECK_TEXT("abc");
}
END_TEST

START_TEST(writer_without_room_takes_nothing)
{
    writer = writer_make(room, 0);
    writer_string(&writer, "");
    ck_assert(!writer.full);
    writer_char(&writer, 'a');
    ck_assert(writer.full);
    ck_assert_uint_eq(writer.used, 0);
}
END_TEST

/* ---- numbers ---- */

START_TEST(integers_are_whole)
{
    writer_u64(&writer, 0);
    writer_char(&writer, ' ');
    writer_u64(&writer, UINT64_MAX);
    writer_char(&writer, ' ');
    writer_i64(&writer, INT64_MIN);
    writer_char(&writer, ' ');
    writer_i64(&writer, INT64_MAX);
    CHECK_TEXT("0 18446744073709551615 -9223372036854775808 9223372036854775807");
}
END_TEST

static const struct {
    double value;
    const char *text;
    const char *json;
} numbers[] = {
    {0, "0", "0"},
    {1, "1", "1"},
    {0.1, "0.1", "0.1"},
    {-2.5, "-2.5", "-2.5"},
    {1e300, "1e+300", "1e+300"},
    {-DBL_MIN, "-2.2250738585072014e-308", "-2.2250738585072014e-308"},
    {NAN, "NaN", "null"},
    {INFINITY, "+Inf", "null"},
    {-INFINITY, "-Inf", "null"},
};

START_TEST(number_is_as_prometheus_prints_it)
{
    writer_number(&writer, numbers[_i].value);
    CHECK_TEXT(numbers[_i].text);
}
END_TEST

START_TEST(json_number_is_one_or_null)
{
    writer_json_number(&writer, numbers[_i].value);
    CHECK_TEXT(numbers[_i].json);
}
END_TEST

static const struct {
    int64_t ms;
    const char *text;
} times[] = {
    {0, "0.000"},
    {1, "0.001"},
    {999, "0.999"},
    {1000, "1.000"},
    {1795378410151, "1795378410.151"},
    {-1, "-0.001"},
    {-1500, "-1.500"},
    {INT64_MAX, "9223372036854775.807"},
    {-INT64_MAX, "-9223372036854775.807"},
};

START_TEST(seconds_have_three_decimals)
{
    writer_seconds(&writer, times[_i].ms);
    CHECK_TEXT(times[_i].text);
}
END_TEST

/* ---- JSON strings, read back by a parser that is not ours ---- */

static json_t *parse(void)
{
    json_error_t error;
    struct bytes text = writer_text(&writer);
    json_t *value =
        json_loadb(text.at, text.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    ck_assert_msg(value != NULL, "%s in %.*s", error.text, (int)text.length, text.at);
    ck_assert(json_is_string(value));
    return value;
}

static bool reads_back_as(struct bytes expected)
{
    json_t *value = parse();
    struct bytes text = {json_string_value(value), json_string_length(value)};
    bool same = bytes_equal(text, expected);
    json_decref(value);
    return same;
}

static void check_survives(struct bytes text)
{
    setup();
    writer_json_string(&writer, text);
    ck_assert(reads_back_as(text));
}

START_TEST(text_survives)
{
    check_survives(BYTES(""));
    check_survives(BYTES("plain"));
    check_survives(BYTES("\"\\/\b\f\n\r\t"));
    check_survives(BYTES("</script>"));
    check_survives(BYTES("\x7f\xc2\x80\xdf\xbf"));         /* two bytes */
    check_survives(BYTES("\xe0\xa0\x80\xef\xbf\xbf"));     /* three */
    check_survives(BYTES("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")); /* four */
    check_survives(BYTES("a\xc3\xa9" "b\xe2\x82\xac" "c\xf0\x9f\x90\x9f" "d"));
    check_survives(BYTES("a\0b"));
}
END_TEST

START_TEST(every_ascii_character_survives)
{
    char text[128];
    for (int c = 0; c < 128; c++)
        text[c] = (char)c;
    check_survives((struct bytes){text, sizeof text});
    for (const char *at = room; at < room + writer.used; at++)
        ck_assert_int_ge(*at, 0x20);
}
END_TEST

START_TEST(usual_escapes_are_short)
{
    writer_json_string(&writer, BYTES("\"\\\n\r\t\x01\x1f"));
    CHECK_TEXT("\"\\\"\\\\\\n\\r\\t\\u0001\\u001f\"");
}
END_TEST

#define REPLACED "\xef\xbf\xbd"

static const struct {
    const char *text;
    const char *expected;
} malformed[] = {
    {"\xff", REPLACED},
    {"a\x80z", "a" REPLACED "z"},                         /* a continuation alone */
    {"\xc3", REPLACED},                                   /* cut */
    {"\xc3(", REPLACED "("},                              /* no continuation */
    {"\xe2\x82", REPLACED REPLACED},                      /* cut */
    {"\xc0\xaf", REPLACED REPLACED},                      /* overlong */
    {"\xed\xa0\x80", REPLACED REPLACED REPLACED},         /* a surrogate */
    {"\xf4\x90\x80\x80", REPLACED REPLACED REPLACED REPLACED}, /* beyond U+10FFFF */
    {"\xc3\xa9\xff\xc3\xa9", "\xc3\xa9" REPLACED "\xc3\xa9"},
};

START_TEST(bytes_that_are_not_utf8_are_replaced)
{
    writer_json_string(&writer, bytes_of(malformed[_i].text));
    ck_assert(reads_back_as(bytes_of(malformed[_i].expected)));
}
END_TEST

START_TEST(any_three_bytes_make_valid_json)
{
    static const unsigned char some[] = {0x00, 0x1f, 0x20, '"', '\\', 0x7f, 0x80, 0xa0, 0xbf, 0xc0,
                                         0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff};
    for (size_t i = 0; i < sizeof some * sizeof some * sizeof some; i++) {
        char text[3] = {(char)some[i % sizeof some], (char)some[i / sizeof some % sizeof some],
                        (char)some[i / sizeof some / sizeof some]};
        setup();
        writer_json_string(&writer, (struct bytes){text, sizeof text});
        json_decref(parse());
    }
}
END_TEST

/* The buffer is exactly as large as the writer says: the sanitizer sees a byte more. */
START_TEST(string_that_is_cut_leaves_the_writer_full)
{
    struct bytes text = BYTES("a\"\n\xc3\xa9\xff\x01z");
    writer_json_string(&writer, text);
    size_t needed = writer.used;
    for (size_t size = 0; size <= needed; size++) {
        char *exact = malloc(size + 1);
        ck_assert_ptr_nonnull(exact);
        struct writer cut = writer_make(exact + 1, size);
        writer_json_string(&cut, text);
        ck_assert(cut.full == (size < needed));
        free(exact);
    }
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

Suite *writer_suite(void)
{
    Suite *suite = suite_create("writer");
    TCase *tcase = tcase_create("writer");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, writes_follow_one_another);
    tcase_add_test(tcase, last_byte_is_used);
    tcase_add_test(tcase, write_that_does_not_fit_writes_nothing);
    tcase_add_test(tcase, nothing_is_written_after_what_did_not_fit);
    tcase_add_test(tcase, rewind_makes_room_again);
    tcase_add_test(tcase, taken_room_is_the_caller_s);
    tcase_add_test(tcase, room_larger_than_memory_does_not_wrap_around);
    tcase_add_test(tcase, writer_without_room_takes_nothing);
    tcase_add_test(tcase, integers_are_whole);
    tcase_add_loop_test(tcase, number_is_as_prometheus_prints_it, 0, ROWS(numbers));
    tcase_add_loop_test(tcase, json_number_is_one_or_null, 0, ROWS(numbers));
    tcase_add_loop_test(tcase, seconds_have_three_decimals, 0, ROWS(times));
    tcase_add_test(tcase, text_survives);
    tcase_add_test(tcase, every_ascii_character_survives);
    tcase_add_test(tcase, usual_escapes_are_short);
    tcase_add_loop_test(tcase, bytes_that_are_not_utf8_are_replaced, 0, ROWS(malformed));
    tcase_add_test(tcase, any_three_bytes_make_valid_json);
    tcase_add_test(tcase, string_that_is_cut_leaves_the_writer_full);
    suite_add_tcase(suite, tcase);
    return suite;
}
