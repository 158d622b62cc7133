/*
 * test_line_reader.c: lines out of a body that is cut anywhere, beside the body split at its
 * newlines.
 */
#include "ingest/line_reader.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>

Suite *line_reader_suite(void);

#define LINE_MAX_BYTES 16

/* What was read: "3:text" a line; "4!" is one that was too long. */
static struct test_text output;
static struct test_text expected;
static struct line_reader reader;
static char *buffer;

static void setup(void)
{
    buffer = malloc(LINE_MAX_BYTES);
    ck_assert_ptr_nonnull(buffer);
    line_reader_init(&reader, buffer, LINE_MAX_BYTES, LINE_MAX_BYTES);
    test_text_reset(&output);
    test_text_reset(&expected);
}

static void teardown(void)
{
    free(buffer);
    test_text_end(&output);
    test_text_end(&expected);
}

static void take(enum line_event event, struct bytes line)
{
    unsigned long long number = reader.line;
    if (event == LINE_TOO_LONG) {
        test_print(&output, "%llu!\n", number);
        return;
    }
    test_print(&output, "%llu:", number);
    test_append(&output, line);
    test_append(&output, BYTES("\n"));
}

/* In memory that ends with the call, as an upload's does. */
static void feed(struct bytes input)
{
    char *copy = malloc(input.length + (input.length == 0));
    CHECK_THAT(copy != NULL);
    memcpy(copy, input.at, input.length);
    struct bytes rest = {copy, input.length};
    struct bytes line;
    enum line_event event;
    while ((event = line_reader_next(&reader, &rest, &line)) != LINE_NONE)
        take(event, line);
    CHECK_THAT(rest.length == 0 || memchr(rest.at, '\n', rest.length) == NULL);
    line_reader_keep(&reader, rest);
    free(copy);
}

static void finish(void)
{
    struct bytes line;
    enum line_event event = line_reader_finish(&reader, &line);
    if (event != LINE_NONE)
        take(event, line);
}

/*
 * The body split at its newlines; what is longer than the buffer is too long, the CR of a CRLF
 * counted.
 */
static void expect(struct bytes body)
{
    size_t start = 0;
    unsigned line = 0;
    for (size_t at = 0; at <= body.length; at++) {
        if (at < body.length && body.at[at] != '\n')
            continue;
        if (at == body.length && start == at)
            return; /* the body ends in a newline */
        size_t length = at - start;
        line++;
        if (length > LINE_MAX_BYTES) {
            test_print(&expected, "%u!\n", line);
        } else {
            length -= length > 0 && body.at[start + length - 1] == '\r';
            test_print(&expected, "%u:", line);
            test_append(&expected, (struct bytes){body.at + start, length});
            test_append(&expected, BYTES("\n"));
        }
        start = at + 1;
    }
}

static void check_read(void)
{
    finish();
    if (strcmp(output.at, expected.at) != 0)
        ck_abort_msg("read\n%sof\n%s", output.at, expected.at);
    test_text_reset(&output);
    line_reader_init(&reader, buffer, LINE_MAX_BYTES, LINE_MAX_BYTES);
}

#define A16 "aaaaaaaaaaaaaaaa"

static const char *const bodies[] = {
    "",
    "\n",
    "\n\n\n",
    "a",
    "a\n",
    "a\nb",
    "a\nb\n",
    "\na\n\nb\n\n",
    /* CRLF */
    "a\r\nb\r\n",
    "\r\n\r\n",
    "\r",
    "a\r",
    "a\r\r\n",
    "a\rb\n",
    "\r\ra\n",
    /* at the limit, and one beyond */
    A16 "\n",
    A16,
    A16 "a\n",
    A16 "a",
    A16 "\r\n",
    A16 "\r",
    "aaaaaaaaaaaaaaa\r\n",
    "aaaaaaaaaaaaaaa\r",
    /* too long, and then good ones */
    A16 A16 A16 "\nb\nc\n",
    "a\n" A16 A16 "\nb",
    A16 A16 A16 A16,
    "a\n" A16 "x\n" A16 "y\nb\n",
    A16 "x\n\n" A16 "\n",
};

START_TEST(a_body_gives_its_lines_wherever_it_is_cut)
{
    struct bytes body = bytes_of(bodies[_i]);
    expect(body);
    for (size_t first = 0; first <= body.length; first++) {
        for (size_t second = first; second <= body.length; second++) {
            feed((struct bytes){body.at, first});
            feed((struct bytes){body.at + first, second - first});
            feed((struct bytes){body.at + second, body.length - second});
            check_read();
        }
    }
    for (size_t at = 0; at < body.length; at++)
        feed((struct bytes){body.at + at, 1});
    check_read();
}
END_TEST

static size_t draw_body(char *out, size_t size, struct random *random)
{
    size_t length = 0;
    while (length + 64 < size) {
        size_t line = (size_t)random_below(random, random_below(random, 4) == 0 ? 50 : 20);
        for (; line > 0; line--)
            out[length++] = "abc\r"[random_below(random, 20) == 0 ? 3 : random_below(random, 3)];
        if (random_below(random, 3) == 0)
            out[length++] = '\r';
        out[length++] = '\n';
    }
    return length - (size_t)random_below(random, 5);
}

START_TEST(random_bodies_in_random_pieces)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    char body[1024];
    for (int round = 0; round < 500; round++) {
        size_t length = draw_body(body, sizeof body, &random);
        test_text_reset(&expected);
        expect((struct bytes){body, length});
        size_t at = 0;
        while (at < length) {
            size_t piece = (size_t)random_below(&random, random_below(&random, 2) == 0 ? 4 : 200);
            piece = piece < length - at ? piece : length - at;
            feed((struct bytes){body + at, piece});
            at += piece;
        }
        check_read();
    }
}
END_TEST

START_TEST(a_whole_line_is_lent_from_the_input)
{
    char text[] = "one\ntwo\nthr";
    struct bytes input = {text, sizeof text - 1};
    struct bytes line;
    ck_assert_int_eq(line_reader_next(&reader, &input, &line), LINE_WHOLE);
    ck_assert_ptr_eq(line.at, text);
    ck_assert_int_eq(line_reader_next(&reader, &input, &line), LINE_WHOLE);
    ck_assert_ptr_eq(line.at, text + 4);
    ck_assert_int_eq(line_reader_next(&reader, &input, &line), LINE_NONE);
    ck_assert_ptr_eq(input.at, text + 8);
    line_reader_keep(&reader, input);
    char more[] = "ee\nfour\n";
    input = (struct bytes){more, sizeof more - 1};
    ck_assert_int_eq(line_reader_next(&reader, &input, &line), LINE_WHOLE);
    ck_assert(bytes_equal(line, BYTES("three")));
    ck_assert_int_eq(line_reader_next(&reader, &input, &line), LINE_WHOLE);
    ck_assert_ptr_eq(line.at, more + 3);
    ck_assert_uint_eq(reader.line, 4);
}
END_TEST

START_TEST(a_finished_body_has_no_line_left)
{
    struct bytes line;
    feed(BYTES("last"));
    ck_assert_int_eq(line_reader_finish(&reader, &line), LINE_WHOLE);
    ck_assert_int_eq(line_reader_finish(&reader, &line), LINE_NONE);
}
END_TEST

Suite *line_reader_suite(void)
{
    Suite *suite = suite_create("line_reader");
    TCase *lines = tcase_create("lines");
    tcase_set_timeout(lines, 30);
    tcase_add_checked_fixture(lines, setup, teardown);
    tcase_add_loop_test(lines, a_body_gives_its_lines_wherever_it_is_cut, 0, COUNT_OF(bodies));
    tcase_add_loop_test(lines, random_bodies_in_random_pieces, 0, 4);
    tcase_add_test(lines, a_whole_line_is_lent_from_the_input);
    tcase_add_test(lines, a_finished_body_has_no_line_left);
    suite_add_tcase(suite, lines);
    return suite;
}
