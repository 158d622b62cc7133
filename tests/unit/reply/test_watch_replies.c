/* test_watch_replies.c: figures to be watched, and trend, snapshots and differences as JSON. */
#include "reply/snapshot_reply.h"
#include "reply/trend_report.h"
#include "reply/watch_input.h"

#include "engine/plan_make.h"
#include "reply/report_fixture.h"

#include <check.h>
#include <jansson.h>
#include <math.h>

Suite *watch_replies_suite(void);

static struct report_fixture fixture;
static struct watch_rates rates;
static struct snapshots snapshots;
static char text[TREND_REPORT_BYTES];

static void setup(void)
{
    fixture_init(&fixture);
    rates = (struct watch_rates){0};
    memset(&snapshots, 0, sizeof snapshots);
}

static json_t *read_back(const struct writer *writer)
{
    json_error_t error;
    ck_assert(!writer->full);
    json_t *json = json_loadb(writer->at, writer->used, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(json != NULL, "%s at %d", error.text, error.position);
    return json;
}

/* ---- figures ---- */

START_TEST(pools_and_the_process_are_watched)
{
    struct watch_input input = watch_input_make(&fixture.input, &rates);
    ck_assert_int_eq(input.now_ms, fixture.world.now_ms);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        ck_assert_double_eq(input.values[pool], 1000 * (pool + 1));
        ck_assert_uint_eq(input.capacities[pool], 10 * FIXTURE_MIB);
        ck_assert(!input.broken[pool]);
    }
    ck_assert_double_eq(input.values[WATCH_RSS], 50 * FIXTURE_MIB);
    ck_assert_double_eq(input.values[WATCH_THREADS], (double)fixture.world.process.threads);
    ck_assert_double_eq(input.values[WATCH_HEAP], 0);
}
END_TEST

START_TEST(connections_are_no_leaked_descriptors)
{
    fixture.world.process.open_fds = 112;
    fixture.world.requests.connections = 100;
    ck_assert_double_eq(watch_input_make(&fixture.input, &rates).values[WATCH_DESCRIPTORS], 12);
    fixture.world.requests.connections = 101; /* one came between the two looks */
    fixture.world.connections_moved = true;
    ck_assert(isnan(watch_input_make(&fixture.input, &rates).values[WATCH_DESCRIPTORS]));
}
END_TEST

START_TEST(pages_touched_for_the_first_time_are_no_growth)
{
    fixture.world.prefaulted = false;
    struct watch_input before = watch_input_make(&fixture.input, &rates);
    ledger_take(&fixture.ledger, POOL_WINDOWS_FINE, FIXTURE_MIB);
    fixture.world.process.rss_bytes += FIXTURE_MIB - 7; /* the peak was 7 above what is live */
    struct watch_input after = watch_input_make(&fixture.input, &rates);
    ck_assert_double_eq(after.values[WATCH_RSS], before.values[WATCH_RSS]);
    fixture.world.process.rss_bytes += 4096;
    after = watch_input_make(&fixture.input, &rates);
    ck_assert_double_eq(after.values[WATCH_RSS], before.values[WATCH_RSS] + 4096);
}
END_TEST

START_TEST(what_is_unknown_is_no_number)
{
    fixture_same(&fixture.world.process, sizeof fixture.world.process / 8, WORLD_UNKNOWN);
    struct watch_input input = watch_input_make(&fixture.input, &rates);
    ck_assert(isnan(input.values[WATCH_RSS]));
    ck_assert(isnan(input.values[WATCH_HEAP]));
    ck_assert(isnan(input.values[WATCH_UNACCOUNTED]));
    ck_assert(isnan(input.values[WATCH_DESCRIPTORS]));
    ck_assert(isnan(input.values[WATCH_THREADS]));
}
END_TEST

START_TEST(rates_are_of_the_requests_since_the_last_look)
{
    struct world_requests *requests = &fixture.world.requests;
    ck_assert(isnan(watch_input_make(&fixture.input, &rates).values[WATCH_LATENCY]));
    requests->completed += 40;
    requests->lifetimes.sum_us += 10000;
    fixture.world.process.cpu_seconds += 0.02;
    struct watch_input input = watch_input_make(&fixture.input, &rates);
    ck_assert_double_eq_tol(input.values[WATCH_LATENCY], 0.00025, 1e-12);
    ck_assert_double_eq_tol(input.values[WATCH_CPU], 0.0005, 1e-12);
    requests->completed += 19; /* too few to be a mean */
    requests->lifetimes.sum_us += 10000;
    input = watch_input_make(&fixture.input, &rates);
    ck_assert(isnan(input.values[WATCH_LATENCY]));
    ck_assert(isnan(input.values[WATCH_CPU]));
}
END_TEST

START_TEST(broken_invariants_are_passed_on)
{
    fixture.input.quiet.since_ms[POOL_GROWTH] = 5;
    fixture.mismatches[POOL_LABELS] = 64;
    struct watch_input input = watch_input_make(&fixture.input, &rates);
    for (int pool = 0; pool < POOL_COUNT; pool++)
        ck_assert(input.broken[pool] == (pool == POOL_GROWTH || pool == POOL_LABELS));
}
END_TEST

/* ---- trend ---- */

static json_t *trend(void)
{
    struct writer writer = writer_make(text, sizeof text);
    trend_report_write(&writer, &fixture.input.watch, fixture.world.now_ms);
    return read_back(&writer);
}

START_TEST(trend_has_a_row_for_each_figure)
{
    struct watch_finding *heap = &fixture.input.watch.findings[WATCH_HEAP];
    heap->verdict = WATCH_GROWING;
    heap->since_ms = 1795300000500;
    fixture.input.watch.findings[POOL_SERIES].full_at_ms = 1795400000000;
    fixture.input.watch.findings[WATCH_CPU].slope = NAN;
    fixture.input.watch.verdict = WATCH_GROWING;
    fixture.input.watch.worst = WATCH_HEAP;
    json_t *json = trend();
    const char *verdict, *worst, *name;
    double block_seconds;
    json_t *figures;
    ck_assert_int_eq(json_unpack(json, "{s:s, s:s, s:F, s:o}", "verdict", &verdict, "worst", &worst,
                                 "block_seconds", &block_seconds, "figures", &figures),
                     0);
    ck_assert_str_eq(verdict, "growing");
    ck_assert_str_eq(worst, "heap");
    ck_assert_double_eq(block_seconds, 21600);
    ck_assert_uint_eq(json_array_size(figures), WATCH_COUNT);
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++) {
        json_t *row = json_array_get(figures, figure);
        ck_assert_int_eq(json_unpack(row, "{s:s}", "name", &name), 0);
        ck_assert_str_eq(name, watch_row(figure).name);
        ck_assert((json_object_get(row, "capacity") != NULL) == (figure < POOL_COUNT));
        ck_assert(json_number_value(json_object_get(row, "value")) == 1000 + figure);
        ck_assert(json_is_null(json_object_get(row, "slope_per_hour")) == (figure == WATCH_CPU));
        ck_assert(json_is_null(json_object_get(row, "since")) == (figure != WATCH_HEAP));
        ck_assert(json_is_null(json_object_get(row, "full_at")) == (figure != POOL_SERIES));
    }
    json_decref(json);
}
END_TEST

START_TEST(nothing_bad_is_null)
{
    json_t *json = trend();
    ck_assert(json_is_null(json_object_get(json, "worst")));
    json_decref(json);
}
END_TEST

START_TEST(trend_at_its_longest_fits)
{
    fixture_extreme(&fixture);
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++)
        fixture.input.watch.findings[figure].verdict = WATCH_TOO_EARLY;
    struct writer writer = writer_make(text, sizeof text);
    trend_report_write(&writer, &fixture.input.watch, INT64_MAX);
    ck_assert(!writer.full);
}
END_TEST

/* ---- snapshots ---- */

static void keep(int64_t at_ms)
{
    struct snapshot snapshot = snapshot_make(&fixture.ledger, 5, at_ms);
    snapshots_keep(&snapshots, &snapshot, NULL);
}

START_TEST(snapshots_are_listed_oldest_first)
{
    struct writer writer = writer_make(text, SNAPSHOT_REPLY_BYTES);
    for (int i = 0; i < 18; i++)
        keep(1795378410151 + i);
    snapshot_list_write(&writer, &snapshots);
    json_t *json = read_back(&writer);
    json_t *list = json_object_get(json, "snapshots");
    ck_assert_int_eq(json_integer_value(json_object_get(json, "capacity")), SNAPSHOTS_MAX);
    ck_assert_uint_eq(json_array_size(list), SNAPSHOTS_MAX);
    json_int_t live = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++)
        live += 1000 * (pool + 1);
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        json_t *row = json_array_get(list, i);
        ck_assert_int_eq(json_integer_value(json_object_get(row, "id")), (json_int_t)i + 3);
        ck_assert_int_eq(json_integer_value(json_object_get(row, "live_bytes")), live);
    }
    json_decref(json);
}
END_TEST

START_TEST(differences_have_both_sides)
{
    struct writer writer = writer_make(text, SNAPSHOT_REPLY_BYTES);
    keep(1000);
    ledger_take(&fixture.ledger, POOL_SETS, 4096);
    struct snapshot now = snapshot_make(&fixture.ledger, 9, 2000);
    snapshot_diff_write(&writer, snapshots_find(&snapshots, 1), &now);
    json_t *json = read_back(&writer);
    json_t *rows = json_object_get(json, "rows");
    const char *pool;
    json_int_t live, live_diff, objects, objects_diff, allocations;
    ck_assert_uint_eq(json_array_size(rows), SNAPSHOT_ROWS);
    ck_assert_int_eq(json_unpack(json_array_get(rows, 0), "{s:s, s:I, s:I, s:I, s:I, s:I !}",
                                 "pool", &pool, "live_bytes", &live, "live_bytes_diff", &live_diff,
                                 "live_objects", &objects, "live_objects_diff", &objects_diff,
                                 "allocations_diff", &allocations),
                     0);
    ck_assert_str_eq(pool, "sets");
    ck_assert_int_eq(live, 1000 * (POOL_SETS + 1) + 4096);
    ck_assert_int_eq(live_diff, 4096);
    ck_assert_int_eq(objects, 2);
    ck_assert_int_eq(objects_diff, 1);
    ck_assert_int_eq(allocations, 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, 1), "pool")), "heap");
    ck_assert(json_is_null(json_object_get(json_object_get(json, "to"), "id")));
    json_decref(json);
}
END_TEST

START_TEST(snapshot_replies_at_their_longest_fit)
{
    fixture_extreme(&fixture);
    struct snapshot from = snapshot_make(&fixture.ledger, EXTREME, INT64_MAX);
    struct snapshot to = {.id = UINT64_MAX, .at_ms = INT64_MAX};
    from.id = UINT64_MAX;
    struct writer writer = writer_make(text, SNAPSHOT_REPLY_BYTES);
    snapshot_diff_write(&writer, &from, &to);
    ck_assert(!writer.full);
    snapshots.last_id = UINT64_MAX - SNAPSHOTS_MAX - 1;
    for (int i = 0; i < SNAPSHOTS_MAX; i++)
        keep(INT64_MAX);
    writer = writer_make(text, SNAPSHOT_REPLY_BYTES);
    snapshot_list_write(&writer, &snapshots);
    ck_assert(!writer.full);
}
END_TEST

Suite *watch_replies_suite(void)
{
    Suite *suite = suite_create("watch_replies");
    TCase *tcase = tcase_create("watch_replies");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, pools_and_the_process_are_watched);
    tcase_add_test(tcase, connections_are_no_leaked_descriptors);
    tcase_add_test(tcase, pages_touched_for_the_first_time_are_no_growth);
    tcase_add_test(tcase, what_is_unknown_is_no_number);
    tcase_add_test(tcase, rates_are_of_the_requests_since_the_last_look);
    tcase_add_test(tcase, broken_invariants_are_passed_on);
    tcase_add_test(tcase, trend_has_a_row_for_each_figure);
    tcase_add_test(tcase, nothing_bad_is_null);
    tcase_add_test(tcase, trend_at_its_longest_fits);
    tcase_add_test(tcase, snapshots_are_listed_oldest_first);
    tcase_add_test(tcase, differences_have_both_sides);
    tcase_add_test(tcase, snapshot_replies_at_their_longest_fit);
    suite_add_tcase(suite, tcase);
    return suite;
}
