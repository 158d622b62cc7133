/*
 * test_summarize.c: bodies of each format, cut anywhere, and what of them is rejected.
 */
#include "query/summarize.h"

#include "support.h"

#include <check.h>
#include <stdlib.h>

Suite *summarize_suite(void);

#define ARENA_BYTES ((size_t)256 << 10)

static struct test_world world;
static struct test_intake *intake;
static struct arena arena;
static void *memory;
static struct summarize *summarize;
static struct test_text output;

static void setup(void)
{
    test_world_init(&world, 0);
    intake = test_intake_make(&world);
    world.settings.limits_line_bytes = 64;
    memory = aligned_alloc(ARENA_ALIGN, ARENA_BYTES);
    json_element_setup(TEST_SEED);
}

static void teardown(void)
{
    UNPOISON(memory, ARENA_BYTES);
    free(memory);
    test_intake_free(intake);
    test_text_end(&output);
    test_world_end(&world);
}

static void begin(enum summary_format format, uint32_t by_count)
{
    struct summarize_options options = {
        .format = format,
        .body_bytes = UINT64_MAX,
        .seed = TEST_SEED,
        .summary = {.value = BYTES("v"), .by_count = by_count},
    };
    options.summary.by[0] = BYTES("k");
    options.summary.by[1] = BYTES("l");
    arena_init(&arena, memory, ARENA_BYTES, ARENA_BYTES, NULL);
    test_text_reset(&output);
    summarize = summarize_make(&options, &world.settings, &arena);
    CHECK_THAT(summarize != NULL);
}

static struct refusal feed(struct bytes input)
{
    char *copy = malloc(input.length + (input.length == 0));
    memcpy(copy, input.at, input.length);
    struct refusal refusal =
        summarize_feed(summarize, (struct bytes){copy, input.length}, &intake->intake);
    free(copy);
    return refusal;
}

/* "a/b 2 3.5" a group: its key, count and sum; then what was rejected; or what ended the body. */
static void write_result(struct refusal refusal)
{
    if (refusal.status != STATUS_OK) {
        test_print(&output, "end %d %s\n", (int)refusal.line, status_code(refusal.status));
        return;
    }
    for (const struct summary_group *group = summarize->summary.first; group != NULL;
         group = group->next) {
        struct bytes key = {group->key, group->key_length};
        for (bool first = true; key.length > 0; first = false) {
            test_append(&output, first ? BYTES("") : BYTES("/"));
            test_append(&output, summary_key_next(&key));
        }
        test_print(&output, " %d %g\n", (int)group->count, group->sum.high + group->sum.low);
    }
    test_collect_report(&output, &summarize->push.report);
}

static void run(enum summary_format format, uint32_t by_count, struct bytes body, size_t cut,
                const char *wanted)
{
    begin(format, by_count);
    struct refusal refusal = feed((struct bytes){body.at, cut});
    if (refusal.status == STATUS_OK)
        refusal = feed((struct bytes){body.at + cut, body.length - cut});
    if (refusal.status == STATUS_OK)
        refusal = summarize_finish(summarize, &intake->intake);
    write_result(refusal);
    test_check_same(output.at, wanted);
    CHECK_THAT(intake->flushes == 0); /* nothing on its way to the store */
}

#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

static const struct {
    enum summary_format format;
    uint32_t by_count;
    const char *body;
    const char *wanted;
} cases[] = {
    {SUMMARY_CSV, 1, "k,v\na,1\nb,2\n\na, 3 \n", "a 2 4\nb 1 2\n"},
    {SUMMARY_CSV, 2, "v,l,x,k\n1,2,9,3\r\n1,2,9,3", "3/2 2 2\n"},
    {SUMMARY_CSV, 2, "l,k,v\n1,2,3\n", "2/1 1 3\n"},
    {SUMMARY_CSV, 0, "v\n1\n\"2\"\n", " 2 3\n"},
    {SUMMARY_CSV, 1, "\xef\xbb\xbf\"k\",\"v\"\n\"a\"\"\n\",1\n", "a\"\n 1 1\n"},
    {SUMMARY_CSV, 1, "k,v\na\na,1,2\na,1\n", "a 1 1\n! 2 bad_row\n! 3 bad_row\n"},
    {SUMMARY_CSV, 1, "k,v\n\"a\"b,1\na,x\na,\na,NaN\na,-Inf\na,1e999\n",
     "! 2 bad_row\n! 3 bad_number\n! 4 bad_number\n! 5 bad_value\n! 6 bad_value\n"
     "! 7 bad_number\n"},
    {SUMMARY_CSV, 1, "k,v\n\xff,1\nb,1\n", "b 1 1\n! 2 bad_utf8\n"},
    {SUMMARY_CSV, 1, "k,v\n\"" LONG "\n\",1\nb,1\n",
     "b 1 1\n! 2 line_too_long limits.line_bytes=64\n"},
    {SUMMARY_CSV, 1, "k,v\na,1\n\"b,2\n", "end 3 truncated_body\n"},
    {SUMMARY_CSV, 1, "k,w\na,1\n", "end 1 bad_parameter\n"},
    {SUMMARY_CSV, 1, "\nv,w\na,1\n", "end 2 bad_parameter\n"},
    {SUMMARY_CSV, 1, "k,v,k\na,1,b\n", "end 1 bad_parameter\n"},
    {SUMMARY_CSV, 1, "\"k\"k,v\n", "end 1 bad_row\n"},
    {SUMMARY_CSV, 1, LONG "\n", "end 1 line_too_long\n"},
    {SUMMARY_CSV, 1, "\n\r\n", "end 0 empty_body\n"},
    {SUMMARY_CSV, 1, "k,v", ""},
    {SUMMARY_NDJSON, 2,
     "{\"k\":1.0,\"v\":2,\"l\":true}\n{\"labels\":{\"k\":\"1\",\"l\":\"true\"},\"v\":1}\n",
     "1/true 2 3\n"},
    {SUMMARY_NDJSON, 1,
     "{\"k\":1}\n{\"v\":1}\n{\"k\":1,\"v\":\"1\"}\n{\"k\":null,\"v\":1}\n7\n{\n"
     "{\"k\":\"a\",\"v\":5}",
     "a 1 5\n! 1 bad_field\n! 2 bad_field\n! 3 bad_number\n! 4 bad_field\n! 5 bad_json\n"
     "! 6 bad_json\n"},
    {SUMMARY_PROMETHEUS, 1,
     "# TYPE v counter\nv{k=\"a\\\"\"} 1\nw{k=\"a\"} 9\nv 2\nv{k=\"a\\\"\"} 4\nv NaN\n",
     "a\" 2 5\n 1 2\n! 6 bad_value\n"},
    {SUMMARY_PROMETHEUS, 1, "v{k=\"a\",x=\"b\"} 1\nv x\n", "a 1 1\n! 2 bad_number\n"},
    {SUMMARY_PROMETHEUS, 0, "# TYPE v histogram\nv_bucket{le=\"+Inf\"} 1\nv_sum 1\nv_count 1\n",
     "! 2 bad_value\n"},
    {SUMMARY_OPENMETRICS, 0, "v 1\n# EOF\n", " 1 1\n"},
    {SUMMARY_BY_FIRST_BYTE, 1, "\n \n{\"k\":\"a\",\"v\":1}\n{\n", "a 1 1\n! 4 bad_json\n"},
    {SUMMARY_BY_FIRST_BYTE, 1, "[{\"k\":\"a\",\"v\":1},\n{\"k\":\"a\",\"v\":2}]", "a 2 3\n"},
    {SUMMARY_BY_FIRST_BYTE, 1, "\n\nk,v\na,1\nb\n", "a 1 1\n! 5 bad_row\n"},
    {SUMMARY_BY_FIRST_BYTE, 1, " \n\t", "end 0 empty_body\n"},
    {SUMMARY_JSON, 1, "{\"k\":\"a\",\"v\":1}\n{\"k\":\"a\",\"v\":2}", "a 2 3\n"},
    {SUMMARY_JSON, 1, "k,v\n", "! 1 bad_json\n"},
};

START_TEST(a_body_gives_its_groups_wherever_it_is_cut)
{
    struct bytes body = bytes_of(cases[_i].body);
    for (size_t cut = 0; cut <= body.length; cut++)
        run(cases[_i].format, cases[_i].by_count, body, cut, cases[_i].wanted);
}
END_TEST

/* However long the body, the arena holds what it held at the first group. */
START_TEST(a_long_body_takes_no_more_memory)
{
    begin(SUMMARY_CSV, 1);
    ck_assert_int_eq(feed(BYTES("k,v\na,0\nb,0\n")).status, STATUS_OK);
    size_t used = arena_used(&arena);
    for (int i = 0; i < 20000; i++)
        ck_assert_int_eq(feed(BYTES("a,1\nb,2\nc\n")).status, STATUS_OK);
    ck_assert_int_eq(summarize_finish(summarize, &intake->intake).status, STATUS_OK);
    ck_assert_uint_eq(arena_used(&arena), used);
    ck_assert_uint_eq(summarize->summary.rows, 40002);
    ck_assert_uint_eq(summarize->push.report.rejected, 20000);
    ck_assert_uint_eq(summarize->push.report.error_count, REPORT_ERRORS);
}
END_TEST

/* A quarter, a half … of what it needs: refused when made, or at a group; never a wrong table. */
START_TEST(an_arena_of_any_size_refuses_or_answers)
{
    bool answered = false;
    for (size_t bytes = 256; bytes <= ARENA_BYTES; bytes += 256) {
        struct summarize_options options = {
            .format = SUMMARY_BY_FIRST_BYTE,
            .body_bytes = 16,
            .summary = {.value = BYTES("v"),
                        .by_count = 1,
                        .by = {BYTES("k")},
                        .quantile_count = 1},
        };
        arena_init(&arena, memory, bytes, bytes, NULL);
        summarize = summarize_make(&options, &world.settings, &arena);
        struct refusal refusal = refusal_plain(STATUS_REQUEST_TOO_LARGE);
        if (summarize != NULL)
            refusal = feed(BYTES("k,v\na,1\nb,1\nc,1\n"));
        ck_assert(refusal.status == STATUS_OK || refusal.status == STATUS_REQUEST_TOO_LARGE);
        ck_assert(!answered || refusal.status == STATUS_OK);
        answered = refusal.status == STATUS_OK;
        if (answered)
            ck_assert_uint_eq(summarize->summary.rows, 3);
        UNPOISON(memory, ARENA_BYTES);
    }
    ck_assert(answered);
}
END_TEST

Suite *summarize_suite(void)
{
    Suite *suite = suite_create("summarize");
    TCase *bodies = tcase_create("bodies");
    tcase_set_timeout(bodies, 60);
    tcase_add_checked_fixture(bodies, setup, teardown);
    tcase_add_loop_test(bodies, a_body_gives_its_groups_wherever_it_is_cut, 0, COUNT_OF(cases));
    tcase_add_test(bodies, a_long_body_takes_no_more_memory);
    tcase_add_test(bodies, an_arena_of_any_size_refuses_or_answers);
    suite_add_tcase(suite, bodies);
    return suite;
}
