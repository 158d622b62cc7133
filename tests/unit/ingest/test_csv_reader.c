/*
 * test_csv_reader.c: rows and fields out of a body that is cut anywhere, beside a reading of RFC
 * 4180 a byte at a time.
 */
#include "ingest/csv_reader.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>

Suite *csv_reader_suite(void);

#define ROW_MAX 16

/* What was read: "3:a|b" a row, fields between bars; "4!" too long; "5?" text behind a quote. */
static struct test_text output;
static struct test_text expected;
static struct csv_reader reader;
static char *buffer;

static void begin(void)
{
    free(buffer);
    buffer = malloc(ROW_MAX);
    CHECK_THAT(buffer != NULL);
    csv_reader_init(&reader, buffer, ROW_MAX);
    test_text_reset(&output);
}

static void setup(void)
{
    begin();
    test_text_reset(&expected);
}

static void teardown(void)
{
    free(buffer);
    buffer = NULL;
    test_text_end(&output);
    test_text_end(&expected);
}

static void take_fields(struct bytes row, size_t count)
{
    char text[ROW_MAX];
    for (size_t i = 0; i < count; i++) {
        struct csv_field field = csv_field_next(&row);
        struct bytes written = {text, csv_field_write(field, text)};
        CHECK_THAT(csv_field_equal(field, written));
        test_append(&output, i == 0 ? BYTES("") : BYTES("|"));
        test_append(&output, written);
    }
    CHECK_THAT(row.length == 0);
}

static void take(enum csv_event event, struct bytes row)
{
    unsigned long long line = reader.line;
    if (event == CSV_TOO_LONG) {
        test_print(&output, "%llu!\n", line);
        return;
    }
    if (event == CSV_UNTERMINATED) {
        test_print(&output, "%llu...\n", line);
        return;
    }
    size_t count = csv_row_fields(row, NULL, 0, NULL);
    test_print(&output, "%llu%s", line, count == 0 ? "?" : ":");
    if (count > 0)
        take_fields(row, count);
    test_append(&output, BYTES("\n"));
}

/* In memory that ends with the call, as an upload's does. */
static void feed(struct bytes input)
{
    char *copy = malloc(input.length + (input.length == 0));
    CHECK_THAT(copy != NULL);
    memcpy(copy, input.at, input.length);
    struct bytes rest = {copy, input.length};
    struct bytes row;
    enum csv_event event;
    while ((event = csv_reader_next(&reader, &rest, &row)) != CSV_NONE)
        take(event, row);
    csv_reader_keep(&reader, rest);
    free(copy);
}

static void finish(void)
{
    struct bytes row = BYTES("");
    enum csv_event event = csv_reader_finish(&reader, &row);
    if (event != CSV_NONE)
        take(event, row);
}

static const struct {
    const char *body;
    const char *rows;
} cases[] = {
    {"", ""},
    {"a,b\n1,2\n", "1:a|b\n2:1|2\n"},
    {"a,b\r\n1,2", "1:a|b\n2:1|2\n"},
    {"\n\r\n\na\n\n\nb\n\r", "4:a\n7:b\n"},
    {"a,\n,\n,b", "1:a|\n2:|\n3:|b\n"},
    {"\"a\",\"b c\"\n", "1:a|b c\n"},
    {"\"a,b\",c\n", "1:a,b|c\n"},
    {"\"a\nb\",c\nd\n", "1:a\nb|c\n3:d\n"},
    {"\"a\r\nb\"\r\nd\r\n", "1:a\r\nb\n3:d\n"},
    {"\"a\"\"b\",\"\"\"\"\n", "1:a\"b|\"\n"},
    {"\"\",\"\"\n", "1:|\n"},
    {"\"\"\n", "1:\n"},
    {"a\"b,\"c\"\n", "1:a\"b|c\n"},
    {"a,b\"\n\"c\"\n", "1:a|b\"\n2:c\n"},
    {" \"a\n", "1: \"a\n"},
    {"\"a\"b,c\nd\n", "1?\n2:d\n"},
    {"\"a\" ,c\nd\n", "1?\n2:d\n"},
    {"a,\"b", "1...\n"},
    {"a\n\"b\nc\n", "1:a\n2...\n"},
    {"\"a\"", "1:a\n"},
    {"\"a\"\"", "1...\n"},
    {"0123456789abcdef\n0123456789abcdefg\nz\n", "1:0123456789abcdef\n2!\n3:z\n"},
    {"\"0123456789\n,\"\"abcdefg\"\nz\n", "1!\n3:z\n"},
    {"a,\"0123456789\n,\"\"abcdefg\n", "1...\n"},
    {"0123456789abcdefg", "1!\n"},
    {"\xef\xbb\xbf"
     "a,b\n",
     "1:a|b\n"},
    {"\xef\xbb\xbf\"a\",b\n", "1:a|b\n"},
    {"\xef\xbb"
     "a,b\n",
     "1:\xef\xbb"
     "a|b\n"},
    {"\xef\"a\",b\n", "1:\xef\"a\"|b\n"},
    {"\xef\"a\nb\n", "1:\xef\"a\n2:b\n"},
    {"a\n\xef\xbb\xbf"
     "b\n",
     "1:a\n2:\xef\xbb\xbf"
     "b\n"},
};

START_TEST(a_body_gives_its_rows_wherever_it_is_cut)
{
    struct bytes body = bytes_of(cases[_i].body);
    for (size_t first = 0; first <= body.length; first++) {
        for (size_t second = first; second <= body.length; second++) {
            begin();
            feed((struct bytes){body.at, first});
            feed((struct bytes){body.at + first, second - first});
            feed((struct bytes){body.at + second, body.length - second});
            finish();
            test_check_same(output.at == NULL ? "" : output.at, cases[_i].rows);
        }
    }
}
END_TEST

/* ---- random bodies beside the dumbest reading ---- */

struct model {
    char row[512];
    size_t length;
    size_t fields; /* '\1' stands between them in the row */
    size_t raw;    /* bytes of the row as it came */
    uint64_t line;
    bool bad;
};

static void model_row(struct model *model, bool carriage, uint64_t next_line)
{
    unsigned long long line = model->line;
    size_t raw = model->raw - carriage;
    if (model->raw > ROW_MAX)
        test_print(&expected, "%llu!\n", line);
    else if (raw > 0 && model->bad)
        test_print(&expected, "%llu?\n", line);
    else if (raw > 0) {
        test_print(&expected, "%llu:", line);
        test_append(&expected, (struct bytes){model->row, model->length});
        test_append(&expected, BYTES("\n"));
    }
    *model = (struct model){.line = next_line};
}

static void model_put(struct model *model, char c)
{
    CHECK_THAT(model->length < sizeof model->row);
    model->row[model->length++] = c;
}

/* A field from `at` on; returns where it ends. SIZE_MAX: within quotes. */
static size_t model_field(struct model *model, struct bytes body, size_t at, uint64_t *newlines)
{
    size_t start = at;
    if (at < body.length && body.at[at] == '"') {
        for (at++;; at++) {
            if (at == body.length)
                return SIZE_MAX;
            *newlines += body.at[at] == '\n';
            if (body.at[at] != '"')
                model_put(model, body.at[at]);
            else if (at + 1 < body.length && body.at[at + 1] == '"')
                model_put(model, body.at[at++]);
            else
                break;
        }
        size_t behind = ++at;
        while (at < body.length && body.at[at] != ',' && body.at[at] != '\n')
            at++;
        bool carriage = at == behind + 1 && body.at[behind] == '\r' &&
                        (at == body.length || body.at[at] == '\n');
        model->bad = model->bad || (at > behind && !carriage);
    } else {
        for (; at < body.length && body.at[at] != ',' && body.at[at] != '\n'; at++)
            model_put(model, body.at[at]);
        if (at > start && body.at[at - 1] == '\r' && (at == body.length || body.at[at] == '\n'))
            model->length--;
    }
    model->raw += at - start;
    return at;
}

static void expect(struct bytes body)
{
    uint64_t newlines = 0;
    struct model model = {.line = 1};
    size_t at = 0;
    while (at < body.length) {
        at = model_field(&model, body, at, &newlines);
        if (at == SIZE_MAX) {
            test_print(&expected, "%llu...\n", (unsigned long long)model.line);
            return;
        }
        if (at < body.length && body.at[at] == ',') {
            model.raw++;
            model_put(&model, '|');
            at++;
            if (at < body.length)
                continue;
        }
        bool carriage = model.raw > 0 && body.at[at - 1] == '\r';
        newlines += at < body.length;
        model_row(&model, carriage, newlines + 1);
        at++;
    }
}

static char random_byte(struct random *random)
{
    static const char bytes[] = "\"\"\"\",,,\n\n\rab";
    return bytes[random_below(random, sizeof bytes - 1)];
}

START_TEST(random_bodies_in_random_pieces)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    char body[64];
    for (int round = 0; round < 20000; round++) {
        size_t length = random_below(&random, sizeof body + 1);
        for (size_t i = 0; i < length; i++)
            body[i] = random_byte(&random);
        begin();
        test_text_reset(&expected);
        expect((struct bytes){body, length});
        for (size_t at = 0; at < length;) {
            size_t piece = 1 + random_below(&random, length - at);
            feed((struct bytes){body + at, piece});
            at += piece;
        }
        finish();
        test_check_same(output.at == NULL ? "" : output.at, expected.at == NULL ? "" : expected.at);
    }
}
END_TEST

START_TEST(a_whole_row_is_lent_from_the_input)
{
    struct bytes row;
    struct bytes input = BYTES("a,\"b\"\nc");
    const char *start = input.at;
    ck_assert_int_eq(csv_reader_next(&reader, &input, &row), CSV_ROW);
    ck_assert_ptr_eq(row.at, start);
    ck_assert_int_eq(csv_reader_next(&reader, &input, &row), CSV_NONE);
    ck_assert(bytes_equal(input, BYTES("c")));
}
END_TEST

START_TEST(only_the_columns_asked_for_are_picked)
{
    const size_t columns[] = {0, 2, 2, 7};
    struct csv_field fields[4] = {{.text = BYTES("untouched")}};
    fields[3] = fields[0];
    ck_assert_uint_eq(csv_row_fields(BYTES("a,b,\"c\"\"\",d"), columns, 4, fields), 4);
    ck_assert(csv_field_equal(fields[0], BYTES("a")));
    ck_assert(csv_field_equal(fields[1], BYTES("c\"")));
    ck_assert(csv_field_equal(fields[2], BYTES("c\"")));
    ck_assert(csv_field_equal(fields[3], BYTES("untouched")));
    ck_assert(!csv_field_equal(fields[1], BYTES("c")));
    ck_assert(!csv_field_equal(fields[1], BYTES("c\"\"")));
    ck_assert(!csv_field_equal(fields[0], BYTES("")));
}
END_TEST

Suite *csv_reader_suite(void)
{
    Suite *suite = suite_create("csv_reader");
    TCase *rows = tcase_create("rows");
    tcase_set_timeout(rows, 60);
    tcase_add_checked_fixture(rows, setup, teardown);
    tcase_add_loop_test(rows, a_body_gives_its_rows_wherever_it_is_cut, 0, COUNT_OF(cases));
    tcase_add_loop_test(rows, random_bodies_in_random_pieces, 0, 4);
    tcase_add_test(rows, a_whole_row_is_lent_from_the_input);
    tcase_add_test(rows, only_the_columns_asked_for_are_picked);
    suite_add_tcase(suite, rows);
    return suite;
}
