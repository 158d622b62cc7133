/* test_bytes.c: runs of bytes: comparing, trimming, and what is UTF-8. */
#include "base/bytes.h"

#include "support.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>

Suite *bytes_suite(void);

/* ---- UTF-8 ---- */

struct utf8_row {
    struct bytes text;
    bool well_formed;
};

#define GOOD(literal)                                                                              \
    {                                                                                              \
        {literal, sizeof(literal) - 1}, true                                                       \
    }
#define BAD(literal)                                                                               \
    {                                                                                              \
        {literal, sizeof(literal) - 1}, false                                                      \
    }

static const struct utf8_row utf8_rows[] = {
    GOOD(""),
    GOOD("plain"),
    GOOD("\x7f"),
    GOOD("a\0b"),
    /* the first and the last of each length */
    GOOD("\xc2\x80"),
    GOOD("\xdf\xbf"),
    GOOD("\xe0\xa0\x80"),
    GOOD("\xef\xbf\xbf"),
    GOOD("\xf0\x90\x80\x80"),
    GOOD("\xf4\x8f\xbf\xbf"),
    /* around the surrogates */
    GOOD("\xed\x9f\xbf"),
    GOOD("\xee\x80\x80"),
    BAD("\xed\xa0\x80"),
    BAD("\xed\xbf\xbf"),
    /* continuations alone */
    BAD("\x80"),
    BAD("\xbf"),
    BAD("a\x80"),
    BAD("\xc3\xa9\xa9"),
    /* overlong: a slash in two, three and four bytes, and the largest of each */
    BAD("\xc0\xaf"),
    BAD("\xe0\x80\xaf"),
    BAD("\xf0\x80\x80\xaf"),
    BAD("\xc1\xbf"),
    BAD("\xe0\x9f\xbf"),
    BAD("\xf0\x8f\xbf\xbf"),
    BAD("\xc0\x80"),
    /* beyond U+10FFFF, and leads that do not exist */
    BAD("\xf4\x90\x80\x80"),
    BAD("\xf5\x80\x80\x80"),
    BAD("\xf8\x88\x80\x80\x80"),
    BAD("\xfc\x84\x80\x80\x80\x80"),
    BAD("\xfe"),
    BAD("\xff"),
    /* truncated, at the end and before another character */
    BAD("\xc2"),
    BAD("\xe2\x82"),
    BAD("\xe2"),
    BAD("\xf0\x9f\x98"),
    BAD("\xf0\x9f"),
    BAD("\xf0"),
    BAD("\xc2 "),
    BAD("\xe2\x82 "),
    BAD("\xf0\x9f\x98 "),
    BAD("\xe2\x28\xa1"),
    BAD("\xe2\x82\x28"),
    BAD("\xf0\x28\x8c\xbc"),
    BAD("\xf0\x90\x28\xbc"),
    BAD("\xf0\x90\x8c\x28"),
};

/* In memory that ends with the text, so that reading past a truncated character is caught. */
static bool are_utf8(struct bytes text)
{
    char *copy = malloc(text.length + (text.length == 0));
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text.at, text.length);
    bool well_formed = bytes_are_utf8((struct bytes){copy, text.length});
    free(copy);
    return well_formed;
}

START_TEST(utf8_row_is_judged_right_wherever_it_stands)
{
    const struct utf8_row *row = &utf8_rows[_i];
    char text[64] = "e\xcc\x81 \xe2\x82\xac ";
    size_t before = strlen(text);
    ck_assert_int_eq(are_utf8(row->text), row->well_formed);
    memcpy(text + before, row->text.at, row->text.length);
    struct bytes longer = {text, before + row->text.length};
    ck_assert_int_eq(are_utf8(longer), row->well_formed);
    text[longer.length++] = '.';
    ck_assert_int_eq(are_utf8(longer), row->well_formed);
}
END_TEST

static size_t utf8_write(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)((0xf00 >> length & 0xff) | point);
    return length;
}

START_TEST(utf8_takes_every_character_but_surrogates)
{
    char text[4];
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        struct bytes character = {text, utf8_write(point, text)};
        bool whole = bytes_are_utf8(character);
        character.length--;
        if (whole == surrogate || bytes_are_utf8(character) != (character.length == 0))
            ck_abort_msg("U+%04X", point);
    }
}
END_TEST

/*
 * The character a run of bytes spells by the bits of its lead, if written back it is the same run.
 */
static bool spells_one_character(const unsigned char *at, size_t length)
{
    char again[4];
    uint32_t point = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return false;
        point = point << 6 | (at[i] & 0x3f);
    }
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return false;
    return utf8_write(point, again) == length && memcmp(again, at, length) == 0;
}

START_TEST(utf8_refuses_every_other_run_of_three_bytes)
{
    unsigned char text[3];
    for (unsigned run = 0xe00000; run <= 0xefffff; run++) {
        text[0] = (unsigned char)(run >> 16);
        text[1] = (unsigned char)(run >> 8);
        text[2] = (unsigned char)run;
        bool expected = spells_one_character(text, 3);
        if (bytes_are_utf8((struct bytes){(char *)text, 3}) != expected)
            ck_abort_msg("%06x should be %d", run, expected);
    }
}
END_TEST

START_TEST(utf8_refuses_every_other_run_of_four_bytes)
{
    static const unsigned char last[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    for (unsigned run = 0; run < 16 * 256 * COUNT_OF(last) * COUNT_OF(last); run++) {
        unsigned rest = run / 4096;
        unsigned char text[4] = {(unsigned char)(0xf0 + run % 16), (unsigned char)(run / 16 % 256),
                                 last[rest % COUNT_OF(last)], last[rest / COUNT_OF(last)]};
        bool expected = text[0] < 0xf8 && spells_one_character(text, 4);
        CHECK_THAT(bytes_are_utf8((struct bytes){(char *)text, 4}) == expected);
    }
}
END_TEST

/* ---- trimming ---- */

struct trim_row {
    const char *text;
    const char *trimmed;
};

static const struct trim_row trim_rows[] = {
    {"", ""},
    {" ", ""},
    {"\t \t", ""},
    {"a", "a"},
    {" a", "a"},
    {"a\t", "a"},
    {" \ta b\t c \t", "a b\t c"},
    {"\na\r", "\na\r"},
    {" \v ", "\v"},
    {"no blanks", "no blanks"},
};

START_TEST(trim_takes_blanks_off_both_ends)
{
    struct bytes text = bytes_of(trim_rows[_i].text);
    struct bytes trimmed = bytes_trim(text);
    ck_assert(bytes_equal(trimmed, bytes_of(trim_rows[_i].trimmed)));
    ck_assert(trimmed.at >= text.at && trimmed.at + trimmed.length <= text.at + text.length);
}
END_TEST

/* ---- comparing ---- */

/* In the order they sort in; each is also a prefix or a neighbour of another. */
static const struct bytes ascending[] = {
    {"", 0},   {"\0", 1}, {"\0a", 2}, {"A", 1}, {"Z", 1},    {"_", 1},    {"a", 1},
    {"aa", 2}, {"ab", 2}, {"abc", 3}, {"b", 1}, {"\x7f", 1}, {"\x80", 1}, {"\xff", 1},
};

START_TEST(compare_orders_by_byte_the_shorter_first)
{
    for (size_t i = 0; i < COUNT_OF(ascending); i++) {
        for (size_t j = 0; j < COUNT_OF(ascending); j++) {
            int order = bytes_compare(ascending[i], ascending[j]);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
            ck_assert_int_eq(bytes_equal(ascending[i], ascending[j]), i == j);
        }
    }
}
END_TEST

START_TEST(the_empty_text_needs_no_address)
{
    struct bytes nothing = {NULL, 0};
    ck_assert(bytes_equal(nothing, BYTES("")));
    ck_assert_int_eq(bytes_compare(nothing, BYTES("")), 0);
    ck_assert_int_lt(bytes_compare(nothing, BYTES("a")), 0);
    ck_assert_int_gt(bytes_compare(BYTES("a"), nothing), 0);
    ck_assert_uint_eq(bytes_trim(nothing).length, 0);
    ck_assert(bytes_are_utf8(nothing));
    ck_assert(bytes_equal_nocase(nothing, nothing));
}
END_TEST

START_TEST(prefix_and_suffix_are_told)
{
    struct bytes text = BYTES("http_total");
    ck_assert(bytes_start_with(text, BYTES("http_")));
    ck_assert(bytes_start_with(text, BYTES("")));
    ck_assert(bytes_start_with(text, text));
    ck_assert(!bytes_start_with(text, BYTES("http_totals")));
    ck_assert(!bytes_start_with(text, BYTES("ttp")));
    ck_assert(bytes_end_with(text, BYTES("_total")));
    ck_assert(bytes_end_with(text, BYTES("")));
    ck_assert(bytes_end_with(text, text));
    ck_assert(!bytes_end_with(text, BYTES("_tota")));
    ck_assert(!bytes_end_with(BYTES("total"), BYTES("_total")));
}
END_TEST

START_TEST(only_ascii_letters_compare_without_case)
{
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char left = (char)a;
            char right = (char)b;
            bool letters = a < 128 && b < 128 && isalpha(a) && isalpha(b);
            bool expected = a == b || (letters && tolower(a) == tolower(b));
            CHECK_THAT(bytes_equal_nocase((struct bytes){&left, 1}, (struct bytes){&right, 1}) ==
                       expected);
        }
    }
    ck_assert(bytes_equal_nocase(BYTES("GZip"), BYTES("gzIP")));
    ck_assert(!bytes_equal_nocase(BYTES("gzip"), BYTES("gzi")));
    ck_assert(!bytes_equal_nocase(BYTES("gzip"), BYTES("gzap")));
}
END_TEST

Suite *bytes_suite(void)
{
    Suite *suite = suite_create("bytes");
    TCase *utf8 = tcase_create("utf8");
    tcase_set_timeout(utf8, 30);
    tcase_add_loop_test(utf8, utf8_row_is_judged_right_wherever_it_stands, 0, COUNT_OF(utf8_rows));
    tcase_add_test(utf8, utf8_takes_every_character_but_surrogates);
    tcase_add_test(utf8, utf8_refuses_every_other_run_of_three_bytes);
    tcase_add_test(utf8, utf8_refuses_every_other_run_of_four_bytes);
    suite_add_tcase(suite, utf8);
    TCase *text = tcase_create("text");
    tcase_add_loop_test(text, trim_takes_blanks_off_both_ends, 0, COUNT_OF(trim_rows));
    tcase_add_test(text, compare_orders_by_byte_the_shorter_first);
    tcase_add_test(text, the_empty_text_needs_no_address);
    tcase_add_test(text, prefix_and_suffix_are_told);
    tcase_add_test(text, only_ascii_letters_compare_without_case);
    suite_add_tcase(suite, text);
    return suite;
}
