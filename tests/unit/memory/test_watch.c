/* test_watch.c: days of figures, healthy and not, and what is said of them. */
#include "memory/watch.h"

#include "support.h"

#include <math.h>

Suite *watch_suite(void);

#define MIB 1048576.0
#define BLOCK_MS INT64_C(21600000)
#define EACH_MS INT64_C(600000)
#define DAY_MS (4 * BLOCK_MS)
#define CAPACITY ((uint64_t)10 << 20)

static struct watch watch;
static struct watch_input input;

/* A healthy process: all constant, each pool half full. */
static void setup(void)
{
    watch_init(&watch, BLOCK_MS, TEST_START_MS);
    input = (struct watch_input){.now_ms = TEST_START_MS};
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        input.capacities[pool] = CAPACITY;
        input.values[pool] = CAPACITY / 2;
    }
    input.values[WATCH_HEAP] = 20000;
    input.values[WATCH_UNACCOUNTED] = 0;
    input.values[WATCH_RSS] = 50 * MIB;
    input.values[WATCH_DESCRIPTORS] = 12;
    input.values[WATCH_THREADS] = 5;
    input.values[WATCH_LATENCY] = 0.0004;
    input.values[WATCH_CPU] = 0.0001;
}

static void judge_all(void)
{
    int steps = 0;
    while (watch_step(&watch))
        steps++;
    ck_assert_int_le(steps, WATCH_COUNT);
}

/* Passes the time, with the figure rising by so much a day. */
static void pass(int64_t ms, uint32_t figure, double each_day)
{
    for (int64_t end_ms = input.now_ms + ms; input.now_ms < end_ms;) {
        input.now_ms += EACH_MS;
        input.values[figure] += each_day * (double)EACH_MS / (double)DAY_MS;
        watch_observe(&watch, &input);
        judge_all();
    }
}

static struct watch_report report(void)
{
    return watch_report(&watch, input.now_ms);
}

static struct watch_finding finding(uint32_t figure)
{
    return report().findings[figure];
}

/* ---- rows ---- */

START_TEST(row_is_complete)
{
    struct watch_row row = watch_row((uint32_t)_i);
    ck_assert_uint_gt(strlen(row.name), 2);
    ck_assert_ptr_nonnull(strstr(" pool process requests ", row.kind));
    ck_assert_ptr_nonnull(strstr(" bytes count seconds ", watch_unit_name(row.unit)));
    for (uint32_t other = 0; other < (uint32_t)_i; other++)
        ck_assert_str_ne(row.name, watch_row(other).name);
}
END_TEST

/* ---- time ---- */

START_TEST(early_then_flat)
{
    ck_assert_int_eq(report().verdict, WATCH_TOO_EARLY);
    pass(14 * BLOCK_MS - EACH_MS, WATCH_RSS, 0); /* two of warm-up, and the twelfth is not over */
    ck_assert_uint_eq(report().blocks, 11);
    ck_assert_int_eq(report().verdict, WATCH_TOO_EARLY);
    ck_assert_int_eq(finding(WATCH_RSS).verdict, WATCH_TOO_EARLY);
    pass(2 * EACH_MS, WATCH_RSS, 0);
    ck_assert_uint_eq(report().blocks, 12);
    ck_assert_int_eq(report().verdict, WATCH_FLAT);
    ck_assert_uint_eq(report().worst, WATCH_COUNT);
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++)
        ck_assert_int_eq(finding(figure).verdict, WATCH_FLAT);
}
END_TEST

START_TEST(each_figure_is_judged_however_short_blocks_are)
{
    for (int i = 0; i < 40; i++) { /* blocks come twice as fast as judgements */
        input.now_ms += BLOCK_MS;
        watch_observe(&watch, &input);
        for (int step = 0; step < WATCH_COUNT / 2; step++)
            watch_step(&watch);
    }
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++)
        ck_assert_int_eq(finding(figure).verdict, WATCH_FLAT);
}
END_TEST

START_TEST(a_step_of_the_clock_ends_no_more_blocks_than_there_are)
{
    input.now_ms += 365 * DAY_MS;
    watch_observe(&watch, &input);
    ck_assert_uint_le(watch.blocks, TREND_BLOCKS + 1);
    ck_assert_int_gt(watch.block_end_ms, input.now_ms);
    ck_assert_int_le(watch.block_end_ms, input.now_ms + BLOCK_MS);
}
END_TEST

/* ---- growing ---- */

static const struct {
    uint32_t figure;
    double each_day;
    enum watch_verdict verdict;
} growths[] = {
    {WATCH_RSS, 3 * MIB, WATCH_GROWING},
    {WATCH_RSS, 1 * MIB, WATCH_FLAT}, /* above a per cent, below 64 KiB an hour */
    {WATCH_UNACCOUNTED, 2 * MIB, WATCH_GROWING},
    {WATCH_HEAP, 2 * MIB, WATCH_GROWING},
    {WATCH_HEAP, 1 * MIB, WATCH_FLAT},
    {WATCH_LATENCY, 0.0003, WATCH_GROWING},
    {WATCH_LATENCY, 0.00005, WATCH_FLAT},
    {WATCH_CPU, 0.0003, WATCH_GROWING},
    {POOL_SERIES, 0.5 * MIB, WATCH_FILLING},
    {POOL_WINDOWS_FINE, 0.5 * MIB, WATCH_FILLING},
    {POOL_SERIES, 0.005 * MIB, WATCH_FLAT}, /* full in a thousand days */
    {POOL_SERIES, -0.5 * MIB, WATCH_FLAT},
    {WATCH_RSS, -3 * MIB, WATCH_FLAT},
};

START_TEST(what_grows_is_named)
{
    pass(5 * DAY_MS, growths[_i].figure, growths[_i].each_day);
    struct watch_finding found = finding(growths[_i].figure);
    ck_assert_int_eq(found.verdict, growths[_i].verdict);
    ck_assert_double_eq_tol(found.slope * 24, growths[_i].each_day,
                            fabs(growths[_i].each_day) / 100);
    ck_assert_double_le(found.low, found.slope);
    ck_assert_double_ge(found.high, found.slope);
    bool flagged = growths[_i].verdict != WATCH_FLAT && !found.by_design;
    ck_assert_uint_eq(report().worst, flagged ? growths[_i].figure : (uint32_t)WATCH_COUNT);
    ck_assert_int_eq(report().verdict, flagged ? growths[_i].verdict : WATCH_FLAT);
    ck_assert((found.since_ms != 0) == (growths[_i].verdict != WATCH_FLAT));
}
END_TEST

START_TEST(growth_ends_when_it_has_ended)
{
    pass(5 * DAY_MS, WATCH_RSS, 3 * MIB);
    ck_assert_int_eq(finding(WATCH_RSS).verdict, WATCH_GROWING);
    pass(7 * DAY_MS, WATCH_RSS, 0);
    ck_assert_int_eq(finding(WATCH_RSS).verdict, WATCH_FLAT);
    ck_assert_int_eq(finding(WATCH_RSS).since_ms, 0);
}
END_TEST

START_TEST(since_is_about_when_it_began)
{
    pass(6 * DAY_MS, WATCH_RSS, 0);
    int64_t began_ms = input.now_ms;
    for (int i = 0; i < 28 && finding(WATCH_RSS).verdict != WATCH_GROWING; i++)
        pass(BLOCK_MS, WATCH_RSS, 4 * MIB);
    ck_assert_int_eq(finding(WATCH_RSS).verdict, WATCH_GROWING);
    ck_assert_int_ge(finding(WATCH_RSS).since_ms, began_ms - BLOCK_MS);
    ck_assert_int_le(finding(WATCH_RSS).since_ms, began_ms + 2 * BLOCK_MS);
}
END_TEST

/* Two figures at once: what no pool bounds is worse than a pool that fills, memory than time. */
START_TEST(the_worst_is_the_one_to_look_at)
{
    for (int64_t i = 0; i < 5 * 4 * 36; i++) {
        input.values[POOL_LABELS] += 0.2 * MIB / 144;
        input.values[POOL_SERIES] += 0.5 * MIB / 144;
        input.values[WATCH_CPU] += 0.001 / 144;
        if (i == 5 * 4 * 36 - 1) {
            ck_assert_uint_eq(report().worst, POOL_SERIES); /* full before the other */
            ck_assert_int_eq(report().verdict, WATCH_FILLING);
        }
        input.now_ms += EACH_MS;
        watch_observe(&watch, &input);
        judge_all();
    }
    pass(6 * DAY_MS, WATCH_HEAP, 5 * MIB);
    ck_assert_uint_eq(report().worst, WATCH_HEAP);
    input.broken[POOL_GROWTH] = true;
    watch_observe(&watch, &input);
    ck_assert_uint_eq(report().worst, POOL_GROWTH);
    ck_assert_int_eq(report().verdict, WATCH_LEAK);
}
END_TEST

/* ---- filling ---- */

START_TEST(it_is_said_when_it_will_be_full)
{
    pass(5 * DAY_MS, POOL_SERIES, 0.5 * MIB); /* 5 MiB + 2.5 of 10 */
    struct watch_finding found = finding(POOL_SERIES);
    ck_assert_double_eq_tol((double)(found.full_at_ms - input.now_ms), 5.0 * (double)DAY_MS,
                            (double)BLOCK_MS);
    ck_assert_uint_eq(found.capacity, CAPACITY);
    ck_assert_double_eq(found.value, input.values[POOL_SERIES]);
}
END_TEST

START_TEST(so_it_is_of_what_grows_towards_a_limit)
{
    input.capacities[WATCH_RSS] = (uint64_t)(80 * MIB);
    pass(5 * DAY_MS, WATCH_RSS, 3 * MIB); /* 50 MiB + 15 of 80 */
    struct watch_finding found = finding(WATCH_RSS);
    ck_assert_int_eq(found.verdict, WATCH_GROWING);
    ck_assert_double_eq_tol((double)(found.full_at_ms - input.now_ms), 5.0 * (double)DAY_MS,
                            (double)BLOCK_MS);
    input.capacities[WATCH_RSS] = 0;
    watch_observe(&watch, &input);
    ck_assert_int_eq(finding(WATCH_RSS).full_at_ms, 0);
}
END_TEST

START_TEST(what_has_filled_up_stays_so_until_there_is_room)
{
    pass(5 * DAY_MS, POOL_SERIES, 0.5 * MIB);
    pass(5 * DAY_MS - EACH_MS, POOL_SERIES, 0.5 * MIB);
    pass(14 * DAY_MS, POOL_SERIES, 0);
    ck_assert_int_eq(finding(POOL_SERIES).verdict, WATCH_FILLING);
    ck_assert_int_eq(finding(POOL_SERIES).full_at_ms, input.now_ms);
    input.values[POOL_SERIES] = CAPACITY / 2;
    pass(8 * DAY_MS, POOL_SERIES, 0);
    ck_assert_int_eq(finding(POOL_SERIES).verdict, WATCH_FLAT);
}
END_TEST

START_TEST(rings_and_the_cache_are_full_by_design)
{
    const char *kind = pool_rows[_i].kind;
    bool by_design = strcmp(kind, "ring") == 0 || strcmp(kind, "lru") == 0 ||
                     strcmp(kind, "table") == 0;
    ck_assert(finding((uint32_t)_i).by_design == by_design);
}
END_TEST

/* ---- exact invariants ---- */

START_TEST(a_broken_invariant_is_a_leak_at_once)
{
    input.broken[POOL_SCRATCH] = true;
    input.now_ms += 1000;
    watch_observe(&watch, &input);
    ck_assert_int_eq(finding(POOL_SCRATCH).verdict, WATCH_LEAK);
    ck_assert_int_eq(finding(POOL_SCRATCH).since_ms, input.now_ms);
    ck_assert_uint_eq(report().worst, POOL_SCRATCH);
    int64_t since_ms = input.now_ms;
    input.now_ms += 1000;
    watch_observe(&watch, &input);
    ck_assert_int_eq(finding(POOL_SCRATCH).since_ms, since_ms);
    input.broken[POOL_SCRATCH] = false;
    watch_observe(&watch, &input);
    ck_assert_int_eq(finding(POOL_SCRATCH).verdict, WATCH_TOO_EARLY);
    ck_assert_int_eq(finding(POOL_SCRATCH).since_ms, 0);
}
END_TEST

static const uint32_t counted[] = {WATCH_DESCRIPTORS, WATCH_THREADS};

START_TEST(one_descriptor_or_thread_more_all_through_a_block_is_a_leak)
{
    uint32_t figure = counted[_i];
    pass(BLOCK_MS, figure, 0);
    input.values[figure]++;
    pass(BLOCK_MS, figure, 0);
    ck_assert_int_eq(finding(figure).verdict, WATCH_TOO_EARLY); /* the block began with fewer */
    pass(BLOCK_MS, figure, 0);
    ck_assert_int_eq(finding(figure).verdict, WATCH_LEAK);
    ck_assert_uint_eq(report().worst, figure);
    input.values[figure]--;
    pass(BLOCK_MS, figure, 0);
    ck_assert_int_ne(finding(figure).verdict, WATCH_LEAK);
}
END_TEST

START_TEST(a_descriptor_that_comes_and_goes_is_none)
{
    pass(BLOCK_MS, WATCH_DESCRIPTORS, 0);
    for (int i = 0; i < 100; i++) {
        input.values[WATCH_DESCRIPTORS] = i % 36 == 0 ? 12 : 13;
        pass(EACH_MS, WATCH_DESCRIPTORS, 0);
        ck_assert_int_eq(finding(WATCH_DESCRIPTORS).verdict, WATCH_TOO_EARLY);
    }
}
END_TEST

START_TEST(an_empty_block_neither_breaks_nor_mends)
{
    pass(BLOCK_MS, WATCH_DESCRIPTORS, 0);
    input.values[WATCH_DESCRIPTORS]++;
    pass(2 * BLOCK_MS, WATCH_DESCRIPTORS, 0);
    ck_assert_int_eq(finding(WATCH_DESCRIPTORS).verdict, WATCH_LEAK);
    input.values[WATCH_DESCRIPTORS] = NAN; /* no descriptor is left to count them with */
    pass(2 * BLOCK_MS, WATCH_DESCRIPTORS, 0);
    ck_assert_int_eq(finding(WATCH_DESCRIPTORS).verdict, WATCH_LEAK);
}
END_TEST

/* A boot before the clock was set: the year in between was not watched. */
START_TEST(skipped_blocks_make_no_verdict)
{
    watch_observe(&watch, &input);
    input.now_ms += 365 * DAY_MS;
    watch_observe(&watch, &input);
    judge_all();
    ck_assert_int_eq(report().verdict, WATCH_TOO_EARLY);
    ck_assert_uint_lt(report().blocks, TREND_BLOCKS_MIN);
    pass(13 * BLOCK_MS, WATCH_RSS, 0);
    ck_assert_int_eq(report().verdict, WATCH_FLAT);
}
END_TEST

/* ---- what is not known ---- */

START_TEST(a_figure_that_is_never_known_is_early_for_ever)
{
    input.values[WATCH_LATENCY] = NAN;
    pass(7 * DAY_MS, WATCH_LATENCY, 0);
    ck_assert_int_eq(finding(WATCH_LATENCY).verdict, WATCH_TOO_EARLY);
    ck_assert(isnan(finding(WATCH_LATENCY).value));
    ck_assert_int_eq(report().verdict, WATCH_FLAT);
}
END_TEST

START_TEST(the_hint_comes_before_the_verdict)
{
    pass(11 * BLOCK_MS + 2 * EACH_MS, WATCH_RSS, 5 * MIB);
    ck_assert_int_eq(finding(WATCH_RSS).verdict, WATCH_TOO_EARLY);
    ck_assert(finding(WATCH_RSS).rising);
    ck_assert(!finding(WATCH_HEAP).rising);
    pass(4 * BLOCK_MS, WATCH_RSS, 5 * MIB);
    ck_assert(!finding(WATCH_RSS).rising);
    ck_assert_int_eq(finding(WATCH_RSS).verdict, WATCH_GROWING);
}
END_TEST

/* ---- short blocks ---- */

/* A test's seconds are a day's hours: slopes an hour are as many times steeper. */
START_TEST(thresholds_are_per_block)
{
    watch_init(&watch, 3000, TEST_START_MS);
    input.now_ms = TEST_START_MS;
    for (int i = 0; i < 60; i++) {
        input.now_ms += 1000;
        input.values[WATCH_HEAP] += 200000;
        watch_observe(&watch, &input);
        judge_all();
    }
    ck_assert_int_eq(finding(WATCH_HEAP).verdict, WATCH_GROWING);
    ck_assert_double_eq_tol(finding(WATCH_HEAP).slope, 200000.0 * 3600, 2e6);
    ck_assert_int_eq(finding(WATCH_RSS).verdict, WATCH_FLAT);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

Suite *watch_suite(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("watch");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, row_is_complete, 0, WATCH_COUNT);
    tcase_add_test(tcase, early_then_flat);
    tcase_add_test(tcase, each_figure_is_judged_however_short_blocks_are);
    tcase_add_test(tcase, a_step_of_the_clock_ends_no_more_blocks_than_there_are);
    tcase_add_loop_test(tcase, what_grows_is_named, 0, ROWS(growths));
    tcase_add_test(tcase, growth_ends_when_it_has_ended);
    tcase_add_test(tcase, since_is_about_when_it_began);
    tcase_add_test(tcase, the_worst_is_the_one_to_look_at);
    tcase_add_test(tcase, it_is_said_when_it_will_be_full);
    tcase_add_test(tcase, so_it_is_of_what_grows_towards_a_limit);
    tcase_add_test(tcase, what_has_filled_up_stays_so_until_there_is_room);
    tcase_add_loop_test(tcase, rings_and_the_cache_are_full_by_design, 0, POOL_COUNT);
    tcase_add_test(tcase, a_broken_invariant_is_a_leak_at_once);
    tcase_add_loop_test(tcase, one_descriptor_or_thread_more_all_through_a_block_is_a_leak, 0,
                        ROWS(counted));
    tcase_add_test(tcase, a_descriptor_that_comes_and_goes_is_none);
    tcase_add_test(tcase, an_empty_block_neither_breaks_nor_mends);
    tcase_add_test(tcase, skipped_blocks_make_no_verdict);
    tcase_add_test(tcase, a_figure_that_is_never_known_is_early_for_ever);
    tcase_add_test(tcase, the_hint_comes_before_the_verdict);
    tcase_add_test(tcase, thresholds_are_per_block);
    suite_add_tcase(suite, tcase);
    return suite;
}
