/*
 * test_summary_reply.c: the table as JSON and CSV, the same whatever the page's size.
 */
#include "reply/summary_reply.h"

#include "support.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

Suite *summary_reply_suite(void);

#define ARENA_BYTES ((size_t)256 << 10)

static struct settings settings;
static struct summary_options options;
static struct summary summary;
static struct report report;
static struct arena arena;
static void *memory;
static struct test_text output;

static void setup(void)
{
    test_settings(&settings);
    settings.limits_summary_groups = 2;
    options = (struct summary_options){.by_count = 2, .quantile_count = 1, .quantiles = {0.5}};
    options.by[0] = BYTES("ro\"ute");
    options.by[1] = BYTES("b");
    report = (struct report){0};
    memory = aligned_alloc(ARENA_ALIGN, ARENA_BYTES);
    arena_init(&arena, memory, ARENA_BYTES, ARENA_BYTES, NULL);
    ck_assert(summary_init(&summary, &options, &settings, TEST_SEED, &arena));
}

static void teardown(void)
{
    UNPOISON(memory, ARENA_BYTES);
    free(memory);
    test_text_end(&output);
}

static void add(struct bytes a, struct bytes b, double value)
{
    struct bytes texts[] = {a, b};
    summary_key_reset(&summary);
    for (size_t i = 0; i < options.by_count; i++) {
        char *out = summary_key_take(&summary, texts[i].length);
        ck_assert_ptr_nonnull(out);
        memcpy(out, texts[i].at, texts[i].length);
        summary_key_add(&summary, texts[i].length);
    }
    ck_assert_int_eq(summary_add(&summary, value), STATUS_OK);
}

static unsigned write_all(bool csv, size_t page_bytes)
{
    char *text = malloc(page_bytes);
    struct summary_reply reply = summary_reply_make(&summary, &report, csv);
    unsigned pages = 0;
    test_text_reset(&output);
    for (bool more = true; more; pages++) {
        struct writer page = writer_make(text, page_bytes);
        more = summary_reply_next(&reply, &page);
        CHECK_THAT(!page.full);
        test_append(&output, writer_text(&page));
    }
    free(text);
    return pages;
}

static void add_some(void)
{
    add(BYTES("/a,b"), BYTES("x"), 0);
    add(BYTES("/a,b"), BYTES("x"), 0);
    add(BYTES("q\"\n"), BYTES(""), 1.7e308);
    add(BYTES("q\"\n"), BYTES(""), 1.7e308);
    add(BYTES("third"), BYTES(""), 0);
}

START_TEST(json)
{
    add_some();
    report_reject(&report, (struct refusal){.status = STATUS_BAD_NUMBER, .line = 7});
    write_all(false, 1 << 16);
    test_check_same(
        output.at,
        "{\"rows\": 5, \"rejected\": 1, \"errors\": [{\"code\": \"bad_number\", \"message\": "
        "\"line 7: the value is not a number\", \"line\": 7}], "
        "\"relative_error\": 6.610368821213797e-07, \"groups\": [\n"
        " {\"by\": {\"ro\\\"ute\": \"/a,b\", \"b\": \"x\"}, \"count\": 2, \"sum\": 0, "
        "\"mean\": 0, \"stddev\": 0, \"min\": 0, \"max\": 0, \"quantiles\": {\"0.5\": 0}, "
        "\"relative_error\": 6.610368821213797e-07},\n"
        " {\"by\": {\"ro\\\"ute\": \"q\\\"\\n\", \"b\": \"\"}, \"count\": 2, \"sum\": null, "
        "\"mean\": 1.7e+308, \"stddev\": 0, \"min\": 1.7e+308, \"max\": 1.7e+308, "
        "\"quantiles\": {\"0.5\": 1.7e+308}, \"relative_error\": 6.610368821213797e-07},\n"
        " {\"overflow\": true, \"count\": 1, \"sum\": 0, \"mean\": 0, \"stddev\": 0, \"min\": 0, "
        "\"max\": 0, \"quantiles\": {\"0.5\": 0}, \"relative_error\": 6.610368821213797e-07}\n"
        "]}\n");
}
END_TEST

START_TEST(csv)
{
    add_some();
    write_all(true, 1 << 16);
    test_check_same(
        output.at,
        "\"ro\"\"ute\",b,count,sum,mean,stddev,min,max,q0.5,relative_error,overflow\r\n"
        "\"/a,b\",x,2,0,0,0,0,0,0,6.610368821213797e-07,false\r\n"
        "\"q\"\"\n\",,2,,1.7e+308,0,1.7e+308,1.7e+308,1.7e+308,6.610368821213797e-07,false\r\n"
        ",,1,0,0,0,0,0,0,6.610368821213797e-07,true\r\n");
}
END_TEST

START_TEST(without_groups_or_quantiles)
{
    options.quantile_count = options.by_count = 0;
    write_all(false, 1 << 16);
    test_check_same(output.at, "{\"rows\": 0, \"rejected\": 0, \"errors\": [], \"groups\": []}\n");
    write_all(true, 1 << 16);
    test_check_same(output.at, "count,sum,mean,stddev,min,max,overflow\r\n");
    add(BYTES(""), BYTES(""), 3);
    write_all(false, 1 << 16);
    test_check_same(output.at,
                    "{\"rows\": 1, \"rejected\": 0, \"errors\": [], \"groups\": [\n"
                    " {\"by\": {}, \"count\": 1, \"sum\": 3, \"mean\": 3, \"stddev\": 0, "
                    "\"min\": 3, \"max\": 3}\n]}\n");
}
END_TEST

/* The longest rows that limits allow, in the least page: each fits, and what is written is the
 * same. */
START_TEST(the_least_page_holds_any_row)
{
    bool as_csv = _i == 1;
    size_t least = summary_reply_page_bytes(&options, &settings);
    char *text = malloc(settings.limits_label_set_bytes);
    memset(text, as_csv ? '"' : '\1', settings.limits_label_set_bytes);
    add(BYTES(""), (struct bytes){text, settings.limits_label_set_bytes}, -1.2345678901234567e-308);
    add((struct bytes){text, settings.limits_label_set_bytes}, BYTES(""), -1.2345678901234567e-308);
    add(BYTES("a"), BYTES(""), -1.2345678901234567e-308);
    for (int i = 0; i < REPORT_ERRORS; i++)
        report_reject(&report, refusal_of(STATUS_LABEL_SET_TOO_LONG, &settings));
    unsigned pages = write_all(as_csv, 1 << 17);
    ck_assert_uint_eq(pages, 1);
    struct test_text whole = output;
    output = (struct test_text){0};
    for (size_t bytes = least; bytes < least + 2000; bytes += 37) {
        pages = write_all(as_csv, bytes);
        ck_assert_uint_ge(pages, as_csv ? 1 : 2);
        test_check_same(output.at, whole.at);
    }
    test_text_end(&whole);
    free(text);
}
END_TEST

Suite *summary_reply_suite(void)
{
    Suite *suite = suite_create("summary_reply");
    TCase *replies = tcase_create("replies");
    tcase_set_timeout(replies, 60);
    tcase_add_checked_fixture(replies, setup, teardown);
    tcase_add_test(replies, json);
    tcase_add_test(replies, csv);
    tcase_add_test(replies, without_groups_or_quantiles);
    tcase_add_loop_test(replies, the_least_page_holds_any_row, 0, 2);
    suite_add_tcase(suite, replies);
    return suite;
}
