/* test_query_reply.c: what the answer to a query looks like, whatever the size of its pages. */
#include "reply/query_reply.h"

#include "support.h"

#include <math.h>

Suite *query_reply_suite(void);

#define ROOM 65536

static struct settings settings;
static struct query query;
static struct query_plan plan;
static struct query_run run;
static struct query_group groups[3];
static double points[9];
static bool has_data[3];
static struct classic bounds;
static struct arena arena;
static _Alignas(ARENA_ALIGN) char memory[ROOM];
static char whole[ROOM];

/* Three groups, of which the second has no data, in three buckets, of which the last is open. */
static void setup(void)
{
    static const double values[] = {1, NAN, 2.5, NAN, NAN, NAN, INFINITY, 0, 1e21};
    settings_init(&settings);
    arena_init(&arena, memory, sizeof memory, sizeof memory, NULL);
    query = (struct query){
        .metric = BYTES("hits"),
        .function = FUNCTION_SUM,
        .function_text = BYTES("sum"),
        .to_ms = 1763841621500,
    };
    memcpy(points, values, sizeof points);
    has_data[0] = has_data[2] = true;
    groups[0].labels = BYTES("");
    groups[1].labels = BYTES("a=\"1\"");
    groups[2].labels = BYTES("a=\"x\\\"y\\\\z\\n\",b=\"\xc3\xa9\"");
    plan = (struct query_plan){
        .query = &query,
        .settings = &settings,
        .kind = KIND_COUNTER,
        .map = {.groups = groups, .group_count = 3},
        .start_ms = 1763841600000,
        .step_ms = 10000,
        .resolution_ms = 500,
        .bucket_count = 3,
        .held_from_ms = 1763840000000,
    };
    run = (struct query_run){
        .plan = &plan,
        .query = &query,
        .points = points,
        .has_data = has_data,
        .has_open = true,
        .open_bucket = 2,
        .hits = 59,
        .misses = 1,
        .cells = 1234,
    };
}

/* All pages of that size, one behind the other. */
static const char *reply_of(const struct query_run *of, size_t page_bytes)
{
    static char page[ROOM];
    size_t used = 0;
    bool more = true;
    struct arena_mark mark = arena_mark(&arena);
    struct query_reply *reply = query_reply_make(&plan, of, &arena);
    ck_assert_ptr_nonnull(reply);
    while (more) {
        struct writer writer = writer_make(page, page_bytes);
        more = query_reply_next(reply, &writer);
        CHECK_THAT(writer.used > 0 && !writer.full && used + writer.used < ROOM);
        memcpy(whole + used, page, writer.used);
        used += writer.used;
    }
    whole[used] = '\0';
    arena_rewind(&arena, mark);
    return whole;
}

START_TEST(an_answer)
{
    static const char expected[] =
        "{\"metric\":\"hits\",\"kind\":\"counter\",\"fn\":\"sum\",\"step\":10,"
        "\"resolution\":0.500,\"from\":1763841600,\"to\":1763841621.500,"
        "\"held_from\":1763840000,\"notes\":[],\"series\":["
        "{\"labels\":{},\"points\":[[1763841600,1],[1763841610,null],"
        "[1763841620,2.5,\"open\"]]},"
        "{\"labels\":{\"a\":\"x\\\"y\\\\z\\n\",\"b\":\"\xc3\xa9\"},"
        "\"points\":[[1763841600,null],[1763841610,0],[1763841620,1e+21,\"open\"]]}"
        "],\"cache\":{\"hits\":59,\"misses\":1},\"cells\":1234}\n";
    for (size_t bytes = 256; bytes < sizeof expected + 16; bytes++)
        test_check_same(reply_of(&run, bytes), expected);
}
END_TEST

START_TEST(an_answer_of_nothing)
{
    plan.is_empty = true;
    query.function = FUNCTION_NONE;
    test_check_same(reply_of(NULL, 4096),
                    "{\"metric\":\"hits\",\"kind\":null,\"fn\":null,\"step\":10,"
                    "\"resolution\":0.500,\"from\":1763841600,\"to\":1763841621.500,"
                    "\"held_from\":1763840000,"
                    "\"notes\":[\"there is no metric of that name\"],\"series\":[],"
                    "\"cache\":{\"hits\":0,\"misses\":0},\"cells\":0}\n");
}
END_TEST

START_TEST(how_sure_a_quantile_is)
{
    query.function = FUNCTION_QUANTILE;
    query.function_text = BYTES("p99");
    run.relative_error = 0.25;
    ck_assert_ptr_nonnull(strstr(reply_of(&run, 4096), ",\"relative_error\":0.25,"));
    bounds = (struct classic){.bound_count = 2, .bounds = {0.1, 5}};
    run.bounds = &bounds;
    ck_assert_ptr_nonnull(strstr(reply_of(&run, 4096), ",\"bounds\":[0.1,5],"));
    query.function = FUNCTION_SUM;
    CHECK_THAT(strstr(reply_of(&run, 4096), "bounds") == NULL);
}
END_TEST

START_TEST(notes_say_what_is_not_as_asked)
{
    plan.step_was_rounded = plan.begins_before_held = true;
    run.lost_bounds = 1;
    run.is_approximate = true;
    ck_assert_ptr_nonnull(
        strstr(reply_of(&run, 4096),
               "\"notes\":[\"step was rounded up to a multiple of the resolution\","
               "\"nothing is held from before held_from\","
               "\"bounds that not all buckets have were left out\","
               "\"too much changed while this was read: some points may lack some of what was there\"]"));
}
END_TEST

/* The longest labels and name that the settings allow, all of bytes that JSON makes longest. */
START_TEST(a_page_has_room_for_the_longest_piece)
{
    size_t longest = series_text_bytes(&settings);
    char *text = arena_push(&arena, longest);
    ck_assert_ptr_nonnull(text);
    memset(text, 1, longest);
    memcpy(text, "a=\"", 3);
    text[longest - 1] = '"';
    groups[0].labels = (struct bytes){text, longest};
    size_t bytes = query_reply_page_bytes(&settings);
    ck_assert_uint_lt(6 * longest, bytes);
    reply_of(&run, bytes);
}
END_TEST

Suite *query_reply_suite(void)
{
    Suite *suite = suite_create("query_reply");
    TCase *cases = tcase_create("cases");
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, an_answer);
    tcase_add_test(cases, an_answer_of_nothing);
    tcase_add_test(cases, how_sure_a_quantile_is);
    tcase_add_test(cases, notes_say_what_is_not_as_asked);
    tcase_add_test(cases, a_page_has_room_for_the_longest_piece);
    suite_add_tcase(suite, cases);
    return suite;
}
