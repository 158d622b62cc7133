/* test_query.c: what the parameters of a query may say, and what they then mean. */
#include "query/query.h"

#include "query/query_value.h"
#include "support.h"

#include <math.h>

Suite *query_suite(void);

#define NOW_MS INT64_C(1763841600123) /* 2025-11-22T20:00:00.123Z */

static struct settings settings;
static struct query query;
static struct arena arena;
static _Alignas(ARENA_ALIGN) char memory[65536];

/* Parameters with & between them. */
static struct refusal read(const char *text)
{
    struct bytes left = bytes_of(text);
    settings_init(&settings);
    arena_init(&arena, memory, sizeof memory, sizeof memory, NULL);
    query_init(&query, NOW_MS);
    while (left.length > 0) {
        const char *end = memchr(left.at, '&', left.length);
        size_t length = end == NULL ? left.length : (size_t)(end - left.at);
        const char *equals = memchr(left.at, '=', length);
        struct bytes name = {left.at, (size_t)(equals - left.at)};
        struct bytes value = {equals + 1, length - name.length - 1};
        struct refusal refusal = query_add_parameter(&query, name, value, &arena, &settings);
        if (refusal.status != STATUS_OK)
            return refusal;
        left = (struct bytes){left.at + length, left.length - length};
        if (left.length > 0)
            left = (struct bytes){left.at + 1, left.length - 1};
    }
    return query_finish(&query);
}

/* ---- times ---- */

#define BAD INT64_MIN

static const struct {
    const char *text;
    int64_t ms;
} times[] = {
    {"0", 0},
    {"1763841600", 1763841600000},
    {"1763841600.5", 1763841600500},
    {"1763841600.123", 1763841600123},
    {"1.7638416e9", 1763841600000},
    {"253402300799.999", 253402300799999},
    {"253402300800", BAD},
    {"1e300", BAD},
    {"NaN", BAD},
    {"Inf", BAD},
    {"-1", BAD},
    {"-15", BAD},
    {"1970-01-01T00:00:00Z", 0},
    {"1969-12-31T23:59:59Z", BAD},
    {"2025-11-22T20:00:00Z", 1763841600000},
    {"2025-11-22t20:00:00z", 1763841600000},
    {"2025-11-22 20:00:00Z", 1763841600000},
    {"2025-11-22T20:00:00.5Z", 1763841600500},
    {"2025-11-22T20:00:00.123456789Z", 1763841600123},
    {"2025-11-22T21:00:00+01:00", 1763841600000},
    {"2025-11-22T21:00:00 01:00", 1763841600000},
    {"2025-11-22T14:30:00.25-05:30", 1763841600250},
    {"2024-02-29T00:00:00Z", 1709164800000},
    {"2000-03-01T00:00:00Z", 951868800000},
    {"2016-12-31T23:59:60Z", 1483228800000},
    {"9999-12-31T23:59:59.999Z", 253402300799999},
    {"2025-02-29T00:00:00Z", BAD},
    {"2100-02-29T00:00:00Z", BAD},
    {"2025-13-01T00:00:00Z", BAD},
    {"2025-00-01T00:00:00Z", BAD},
    {"2025-11-00T00:00:00Z", BAD},
    {"2025-11-31T00:00:00Z", BAD},
    {"2025-11-22T24:00:00Z", BAD},
    {"2025-11-22T20:60:00Z", BAD},
    {"2025-11-22T20:00:61Z", BAD},
    {"2025-11-22T20:00:00", BAD},
    {"2025-11-22T20:00:00.Z", BAD},
    {"2025-11-22T20:00:00.5.5Z", BAD},
    {"2025-11-22T20:00:00+0100", BAD},
    {"2025-11-22T20:00:00+24:00", BAD},
    {"2025-11-22T20:00:00Zx", BAD},
    {"2025-11-22", BAD},
    {"now", NOW_MS},
    {"now-5m", NOW_MS - 300000},
    {"-15m", NOW_MS - 900000},
    {"-1h30m", NOW_MS - 5400000},
    {"-1.5h", NOW_MS - 5400000},
    {"-250ms", NOW_MS - 250},
    {"-2d", NOW_MS - 172800000},
    {"-1w", NOW_MS - 604800000},
    {"-0s", NOW_MS},
    {"-100000w", BAD},
    {"-99999999999999999999w", BAD},
    {"now+5m", BAD},
    {"now5m", BAD},
    {"now-", BAD},
    {"nowhere", BAD},
    {"-", BAD},
    {"-m", BAD},
    {"-5y", BAD},
    {"-5m3", BAD},
    {"-1..5h", BAD},
    {"--5m", BAD},
    {"- 5m", BAD},
    {"", BAD},
    {" ", BAD},
    {"yesterday", BAD},
};

START_TEST(times_are_read)
{
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int64_t ms = BAD;
        bool good = query_time_read(bytes_of(times[i].text), NOW_MS, &ms);
        ck_assert_msg(good == (times[i].ms != BAD) && ms == times[i].ms, "%s: %ld", times[i].text,
                      (long)ms);
    }
}
END_TEST

static const struct {
    const char *text;
    int64_t ms;
} steps[] = {
    {"10s", 10000},
    {"1m", 60000},
    {"90", 90000},
    {"0.5", 500},
    {"500ms", 500},
    {"1h30m", 5400000},
    {"1d", 86400000},
    {"0", BAD},
    {"0s", BAD},
    {"0.1ms", BAD},
    {"", BAD},
    {"-10s", BAD},
    {"10 s", BAD},
    {"s", BAD},
    {"1m30", BAD},
    {"90 1m", BAD},
    {"1e3", BAD},
    {"1M", BAD},
    {"99999999999999999", BAD},
    {"10sx", BAD},
};

START_TEST(steps_are_read)
{
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        char text[80];
        sprintf(text, "metric=a&step=%s", steps[i].text);
        enum status status = read(text).status;
        ck_assert_msg(status == (steps[i].ms == BAD ? STATUS_BAD_PARAMETER : STATUS_OK) &&
                          (steps[i].ms == BAD || query.step_ms == steps[i].ms),
                      "%s: %ld", steps[i].text, (long)query.step_ms);
    }
}
END_TEST

START_TEST(a_range_has_defaults_and_ends_now)
{
    ck_assert_int_eq(read("metric=a").status, STATUS_OK);
    ck_assert_int_eq(query.to_ms, NOW_MS);
    ck_assert_int_eq(query.from_ms, NOW_MS - 3600000);
    ck_assert_int_eq(read("metric=a&to=now-1h").status, STATUS_OK);
    ck_assert_int_eq(query.from_ms, NOW_MS - 7200000);
    ck_assert_int_eq(read("metric=a&to=1").status, STATUS_OK);
    ck_assert_int_eq(query.from_ms, 0);
    ck_assert_int_eq(read("metric=a&to=1863841600").status, STATUS_OK);
    ck_assert_int_eq(query.to_ms, NOW_MS);
    ck_assert_int_eq(query.from_ms, NOW_MS - 3600000);
    ck_assert_int_eq(read("metric=a&from=now&to=now").status, STATUS_OK);
    ck_assert_str_eq(read("metric=a&from=now&to=-1m").detail, "from is after to");
    ck_assert_str_eq(read("metric=a&from=1863841600&to=1863841601").detail,
                     "from is in the future");
}
END_TEST

/* ---- functions ---- */

static const struct {
    const char *text;
    enum function function; /* FUNCTION_NONE: refused */
    double quantile;
} asked[] = {
    {"sum", FUNCTION_SUM, 0},
    {"unique", FUNCTION_UNIQUE, 0},
    {"p50", FUNCTION_QUANTILE, 0.5},
    {"p99", FUNCTION_QUANTILE, 0.99},
    {"p99.9", FUNCTION_QUANTILE, 0.999},
    {"p0", FUNCTION_QUANTILE, 0},
    {"p100", FUNCTION_QUANTILE, 1},
    {"quantile(0.99)", FUNCTION_QUANTILE, 0.99},
    {"quantile(1)", FUNCTION_QUANTILE, 1},
    {"quantile(.5)", FUNCTION_QUANTILE, 0.5},
    {"p100.1", FUNCTION_NONE, 0},
    {"p", FUNCTION_NONE, 0},
    {"p-1", FUNCTION_NONE, 0},
    {"pNaN", FUNCTION_NONE, 0},
    {"p1e1", FUNCTION_NONE, 0},
    {"p.", FUNCTION_NONE, 0},
    {"p9999999999999999999999999999999", FUNCTION_NONE, 0},
    {"quantile()", FUNCTION_NONE, 0},
    {"quantile(", FUNCTION_NONE, 0},
    {"quantile(1.1)", FUNCTION_NONE, 0},
    {"quantile(-0.1)", FUNCTION_NONE, 0},
    {"quantile(0.5", FUNCTION_NONE, 0},
    {"SUM", FUNCTION_NONE, 0},
    {"summ", FUNCTION_NONE, 0},
    {"", FUNCTION_NONE, 0},
};

START_TEST(functions_are_read)
{
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        char text[80];
        sprintf(text, "metric=a&fn=%s", asked[i].text);
        bool good = asked[i].function != FUNCTION_NONE;
        ck_assert_msg(read(text).status == (good ? STATUS_OK : STATUS_BAD_PARAMETER), "%s", text);
        if (good && (query.function != asked[i].function || query.quantile != asked[i].quantile))
            ck_abort_msg("%s: %d %.17g", text, query.function, query.quantile);
    }
}
END_TEST

/* The table of the contract. */
static const struct {
    const char *function;
    const char *kinds; /* of counter, gauge, histogram, set, classic, summary those that have it */
} table[] = {
    {"sum", "cgh-bs"},  {"rate", "c-h-bs"},   {"count", "cghsbs"},
    {"avg", "cgh-bs"},  {"min", "cgh---"},    {"max", "cgh---"},
    {"last", "-g----"}, {"unique", "---s--"}, {"p99", "--h-b-"},
};

START_TEST(a_kind_has_its_functions)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
            char text[80];
            sprintf(text, "metric=a&fn=%s", table[i].function);
            ck_assert_int_eq(read(text).status, STATUS_OK);
            struct refusal refusal = query_settle(&query, kind);
            bool has = table[i].kinds[kind] != '-';
            ck_assert_msg(refusal.status == (has ? STATUS_OK : STATUS_BAD_FUNCTION), "%s of %s",
                          table[i].function, kind_name(kind));
            ck_assert_int_eq(refusal.detail == NULL, has);
        }
    }
}
END_TEST

START_TEST(a_kind_has_a_function_where_none_is_said)
{
    static const char *const first[KIND_COUNT] = {"sum",    "avg",   "count",
                                                  "unique", "count", "count"};
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        ck_assert_int_eq(read("metric=a").status, STATUS_OK);
        ck_assert_int_eq(query_settle(&query, kind).status, STATUS_OK);
        CHECK_THAT(bytes_equal(query.function_text, bytes_of(first[kind])));
    }
}
END_TEST

/* ---- the rest ---- */

START_TEST(names_are_sorted_and_there_once)
{
    ck_assert_int_eq(read("metric=a&by=zone, code,zone,a").status, STATUS_OK);
    ck_assert_uint_eq(query.label_count, 3);
    CHECK_THAT(bytes_equal(query.labels[0], BYTES("a")));
    CHECK_THAT(bytes_equal(query.labels[1], BYTES("code")));
    CHECK_THAT(bytes_equal(query.labels[2], BYTES("zone")));
    CHECK_THAT(!query.without);
    ck_assert_int_eq(read("metric=a&match=b=2&match=a=1&match=b=2").status, STATUS_OK);
    ck_assert_uint_eq(query.match_count, 2);
    CHECK_THAT(bytes_equal(query.matches[0], BYTES("a=1")));
    ck_assert_int_eq(read("metric=a&without=").status, STATUS_OK);
    CHECK_THAT(query.without && query.label_count == 0);
    ck_assert_int_eq(read("metric=a&by=").status, STATUS_OK);
}
END_TEST

static const struct {
    const char *text;
    enum status status;
} bad[] = {
    {"", STATUS_MISSING_METRIC},
    {"metric=", STATUS_MISSING_METRIC},
    {"match=a=b", STATUS_MISSING_METRIC},
    {"metric=a b", STATUS_BAD_PARAMETER},
    {"metric=1a", STATUS_BAD_PARAMETER},
    {"metric=a&metric=b", STATUS_BAD_PARAMETER},
    {"metric=a&what=b", STATUS_BAD_PARAMETER},
    {"metric=a&by=a&without=b", STATUS_BAD_PARAMETER},
    {"metric=a&by=&without=", STATUS_BAD_PARAMETER},
    {"metric=a&by=a&by=b", STATUS_BAD_PARAMETER},
    {"metric=a&by=a,,b", STATUS_BAD_PARAMETER},
    {"metric=a&by=a,", STATUS_BAD_PARAMETER},
    {"metric=a&by=1a", STATUS_BAD_PARAMETER},
    {"metric=a&by=a:b", STATUS_BAD_PARAMETER},
    {"metric=a&by=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", STATUS_BAD_PARAMETER},
    {"metric=a&match=", STATUS_BAD_PARAMETER},
    {"metric=a&from=x", STATUS_BAD_PARAMETER},
    {"metric=a&to=x", STATUS_BAD_PARAMETER},
};

START_TEST(what_is_not_understood_is_refused)
{
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct refusal refusal = read(bad[i].text);
        ck_assert_msg(refusal.status == bad[i].status, "%s: %s", bad[i].text,
                      status_code(refusal.status));
        CHECK_THAT(refusal.status != STATUS_BAD_PARAMETER || refusal.detail != NULL);
    }
    ck_assert_int_eq(read("metric=a:b&by=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p").status, STATUS_OK);
}
END_TEST

/* histogram_quantile() of Prometheus 2.48 for the same buckets. */
START_TEST(classic_quantiles_are_those_of_prometheus)
{
    struct classic classic = {
        .bound_count = 3, .has_buckets = true, .bounds = {1, 2, 4}, .open = {10, 30, 35}};
    static const double expected[][2] = {{0, 0},     {0.125, 0.5}, {0.25, 1},
                                         {0.5, 1.5}, {0.75, 2},    {0.8125, 3},
                                         {0.875, 4}, {0.99, 4},    {1, 4}};
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        ck_assert_double_eq_tol(classic_quantile(&classic, 40, expected[i][0]), expected[i][1],
                                1e-12);
    CHECK_THAT(isnan(classic_quantile(&classic, 0, 0.5)));
    classic.bounds[0] = -1; /* then nothing is known of where the first bucket begins */
    ck_assert_double_eq(classic_quantile(&classic, 40, 0.125), -1);
    classic.bound_count = 0;
    CHECK_THAT(isnan(classic_quantile(&classic, 40, 0.5)));
}
END_TEST

Suite *query_suite(void)
{
    Suite *suite = suite_create("query");
    TCase *cases = tcase_create("cases");
    tcase_add_test(cases, times_are_read);
    tcase_add_test(cases, steps_are_read);
    tcase_add_test(cases, a_range_has_defaults_and_ends_now);
    tcase_add_test(cases, functions_are_read);
    tcase_add_test(cases, a_kind_has_its_functions);
    tcase_add_test(cases, a_kind_has_a_function_where_none_is_said);
    tcase_add_test(cases, names_are_sorted_and_there_once);
    tcase_add_test(cases, what_is_not_understood_is_refused);
    tcase_add_test(cases, classic_quantiles_are_those_of_prometheus);
    suite_add_tcase(suite, cases);
    return suite;
}
