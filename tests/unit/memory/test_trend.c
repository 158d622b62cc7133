/*
 * test_trend.c: the estimate beside scipy's, each condition of the judgement by itself, and the
 * judgement on generated histories: how many healthy ones it flags, and how many leaks it finds.
 */
#include "memory/trend.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "theilslopes_cases.h"

Suite *trend_suite(void);

static struct trend trend;

static void close_with(struct trend *to, double minimum)
{
    trend_observe(to, minimum);
    trend_close_block(to);
}

static struct trend_estimate estimate_of(const double *minima, uint32_t blocks)
{
    trend_init(&trend, 0);
    for (uint32_t i = 0; i < blocks; i++)
        close_with(&trend, minima[i]);
    return trend_estimate_make(&trend);
}

static bool is_same(double actual, double expected)
{
    if (isnan(expected))
        return isnan(actual);
    return fabs(actual - expected) <= 1e-12 * fabs(expected);
}

static void check_same(struct trend_estimate actual, struct trend_estimate expected)
{
    ck_assert_uint_eq(actual.blocks, expected.blocks);
    ck_assert_uint_eq(actual.day_pairs, expected.day_pairs);
    CHECK_THAT(is_same(actual.level, expected.level));
    CHECK_THAT(is_same(actual.slope, expected.slope));
    CHECK_THAT(is_same(actual.low, expected.low));
    CHECK_THAT(is_same(actual.high, expected.high));
    CHECK_THAT(is_same(actual.first_half, expected.first_half));
    CHECK_THAT(is_same(actual.second_half, expected.second_half));
    CHECK_THAT(is_same(actual.day_rise, expected.day_rise));
    CHECK_THAT(is_same(actual.day_rise_least, expected.day_rise_least));
}

/* ---- what is kept ---- */

START_TEST(the_lowest_of_a_block_is_kept)
{
    static const double minima[] = {3, -1, 0.5};
    struct trend_estimate expected = estimate_of(minima, 3);
    trend_init(&trend, 0);
    for (uint32_t i = 0; i < 3; i++) {
        trend_observe(&trend, minima[i] + 2);
        trend_observe(&trend, minima[i]);
        trend_observe(&trend, minima[i] + 1e9);
        trend_close_block(&trend);
    }
    trend_observe(&trend, -100); /* the open block does not count yet */
    check_same(trend_estimate_make(&trend), expected);
}
END_TEST

START_TEST(what_is_not_finite_was_not_observed)
{
    static const double minima[] = {1, 2, 4, 8};
    static const double strange[] = {NAN, INFINITY, -INFINITY};
    struct trend_estimate expected = estimate_of(minima, 4);
    trend_init(&trend, 0);
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t k = 0; k < COUNT_OF(strange); k++)
            trend_observe(&trend, strange[k]);
        trend_observe(&trend, minima[i]);
        trend_observe(&trend, strange[i % COUNT_OF(strange)]);
        trend_close_block(&trend);
    }
    check_same(trend_estimate_make(&trend), expected);
}
END_TEST

START_TEST(blocks_of_the_warm_up_are_forgotten)
{
    static const double minima[] = {5, 6, 5, 8, 9};
    struct trend_estimate expected = estimate_of(minima, 5);
    trend_init(&trend, 3);
    close_with(&trend, 1);
    trend_close_block(&trend); /* one of the three, though nothing was observed */
    close_with(&trend, 4);
    ck_assert_uint_eq(trend_estimate_make(&trend).blocks, 0);
    for (uint32_t i = 0; i < 5; i++)
        close_with(&trend, minima[i]);
    check_same(trend_estimate_make(&trend), expected);
}
END_TEST

/* Beside a trend that never saw anything but the last 28 blocks. */
START_TEST(the_last_week_is_kept_and_no_more)
{
    static double minima[200];
    struct random random = {TEST_SEED};
    struct trend whole;
    trend_init(&whole, 0);
    for (uint32_t n = 1; n <= COUNT_OF(minima); n++) {
        bool observed = random_below(&random, 5) > 0;
        minima[n - 1] = observed ? (double)random_below(&random, 1000) : NAN;
        close_with(&whole, minima[n - 1]);
        uint32_t held = n < TREND_BLOCKS ? n : TREND_BLOCKS;
        struct trend_estimate expected = estimate_of(minima + n - held, held);
        check_same(trend_estimate_make(&whole), expected);
    }
}
END_TEST

/* ---- the estimate ---- */

START_TEST(slope_and_interval_are_as_scipy_has_them)
{
    struct trend_estimate estimate =
        estimate_of(theilslopes_cases[_i].minima, theilslopes_cases[_i].blocks);
    const char *name = theilslopes_cases[_i].name;
    ck_assert_msg(is_same(estimate.slope, theilslopes_cases[_i].slope), "%s: slope", name);
    ck_assert_msg(is_same(estimate.low, theilslopes_cases[_i].low), "%s: low", name);
    ck_assert_msg(is_same(estimate.high, theilslopes_cases[_i].high), "%s: high", name);
}
END_TEST

/* A block of which nothing is known is no block, but its time passes. */
START_TEST(halves_are_of_the_blocks_that_were_observed)
{
    static const double even[] = {0, 1, 2, 10, 13, 16};
    struct trend_estimate estimate = estimate_of(even, 6);
    ck_assert(estimate.first_half == 1 && estimate.second_half == 3);
    static const double odd[] = {0, 1, 2, 5, 8}; /* the 2 is of both */
    estimate = estimate_of(odd, 5);
    ck_assert(estimate.first_half == 1 && estimate.second_half == 3 && estimate.level == 2);
    static const double gaps[] = {0, NAN, 2, NAN, 4, 10, NAN, NAN, 19, 22};
    estimate = estimate_of(gaps, 10);
    ck_assert_uint_eq(estimate.blocks, 6);
    ck_assert(estimate.first_half == 1 && estimate.second_half == 3 && estimate.level == 7);
}
END_TEST

START_TEST(days_are_held_against_the_day_before)
{
    static const double minima[] = {0, 50, 7, 3, 4, 58, 7, 19, 4, NAN, 1, 27};
    struct trend_estimate estimate = estimate_of(minima, 12);
    ck_assert_uint_eq(estimate.day_pairs, 7); /* rises of 4, 8, 0, 16, 0, -6, 8 in four blocks */
    ck_assert(estimate.day_rise == 1);
    ck_assert(estimate.day_rise_least == -1.5);
}
END_TEST

START_TEST(too_few_blocks_say_nothing)
{
    static const double minima[] = {5, 7, 9, 12, 13};
    struct trend_estimate expected = {0, 0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    check_same(estimate_of(minima, 0), expected);
    expected.blocks = 1;
    expected.level = 5;
    check_same(estimate_of(minima, 1), expected);
    expected.blocks = 2;
    expected.level = 6;
    expected.slope = expected.low = expected.high = 2;
    check_same(estimate_of(minima, 2), expected);
    expected.blocks = 3;
    expected.level = 7;
    expected.first_half = expected.second_half = 2;
    check_same(estimate_of(minima, 3), expected);
    expected = estimate_of(minima, 5);
    ck_assert(expected.day_pairs == 1 && expected.day_rise == 2 && expected.day_rise_least == 2);
}
END_TEST

/* ---- judgements, one condition at a time ---- */

static const struct trend_rule rule = {.relative = 0.01, .absolute = 0.5};

/* The rule's threshold is 1 by its level: everything is just above what it must be. */
static const struct trend_estimate grows = {
    .blocks = TREND_BLOCKS_MIN,
    .day_pairs = TREND_DAY_PAIRS_MIN,
    .level = 100,
    .slope = 1.01,
    .low = 0.01,
    .high = 1.02,
    .first_half = 0.01,
    .second_half = 1.01,
    .day_rise = 1.01,
    .day_rise_least = 1.01,
};

START_TEST(growing_takes_each_of_its_conditions)
{
    ck_assert_int_eq(trend_judge(&grows, &rule), TREND_GROWING);
    struct trend_estimate estimate = grows;
    estimate.slope = 1;
    ck_assert_int_eq(trend_judge(&estimate, &rule), TREND_FLAT);
    estimate = grows;
    estimate.low = 0;
    ck_assert_int_eq(trend_judge(&estimate, &rule), TREND_FLAT);
    estimate = grows;
    estimate.first_half = 0;
    ck_assert_int_eq(trend_judge(&estimate, &rule), TREND_FLAT);
    estimate = grows;
    estimate.second_half = 1;
    ck_assert_int_eq(trend_judge(&estimate, &rule), TREND_FLAT);
    estimate = grows;
    estimate.day_rise = 1;
    ck_assert_int_eq(trend_judge(&estimate, &rule), TREND_FLAT);
    estimate = grows;
    estimate.day_rise_least = -1; /* not of this judgement */
    ck_assert_int_eq(trend_judge(&estimate, &rule), TREND_GROWING);
}
END_TEST

START_TEST(growing_takes_blocks_and_pairs)
{
    struct trend_estimate estimate = grows;
    estimate.blocks = TREND_BLOCKS_MIN - 1;
    ck_assert_int_eq(trend_judge(&estimate, &rule), TREND_TOO_EARLY);
    ck_assert_int_eq(trend_judge_days(&estimate, &rule), TREND_GROWING);
    estimate = grows;
    estimate.day_pairs = TREND_DAY_PAIRS_MIN - 1;
    ck_assert_int_eq(trend_judge(&estimate, &rule), TREND_TOO_EARLY);
    ck_assert_int_eq(trend_judge_days(&estimate, &rule), TREND_TOO_EARLY);
    estimate = grows;
    estimate.day_rise_least = 1;
    ck_assert_int_eq(trend_judge_days(&estimate, &rule), TREND_FLAT);
}
END_TEST

START_TEST(the_threshold_is_the_larger_of_both)
{
    struct trend_estimate estimate = grows;
    estimate.level = -100; /* what is unaccounted for can be less than nothing */
    ck_assert_int_eq(trend_judge(&estimate, &rule), TREND_GROWING);
    estimate.level = -102;
    ck_assert_int_eq(trend_judge(&estimate, &rule), TREND_FLAT);
    ck_assert_int_eq(trend_judge_days(&estimate, &rule), TREND_FLAT);
    struct trend_rule absolute = {.relative = 0.01, .absolute = 1.02};
    ck_assert_int_eq(trend_judge(&grows, &absolute), TREND_FLAT);
    ck_assert_int_eq(trend_judge_days(&grows, &absolute), TREND_FLAT);
}
END_TEST

START_TEST(a_line_grows_from_12_blocks_on_and_its_days_from_9)
{
    trend_init(&trend, 0);
    for (uint32_t n = 1; n <= 2 * TREND_BLOCKS; n++) {
        close_with(&trend, 100 + 2 * n);
        struct trend_estimate estimate = trend_estimate_make(&trend);
        ck_assert_int_eq(trend_judge(&estimate, &rule), n < 12 ? TREND_TOO_EARLY : TREND_GROWING);
        ck_assert_int_eq(trend_judge_days(&estimate, &rule),
                         n < 9 ? TREND_TOO_EARLY : TREND_GROWING);
    }
}
END_TEST

/* However high and wherever it is, by either judgement. */
START_TEST(one_step_is_no_growth)
{
    for (uint32_t blocks = 9; blocks <= TREND_BLOCKS; blocks++) {
        for (uint32_t from = 0; from < blocks; from++) {
            double minima[TREND_BLOCKS];
            for (uint32_t i = 0; i < blocks; i++)
                minima[i] = i < from ? 100 : 1000;
            struct trend_estimate estimate = estimate_of(minima, blocks);
            CHECK_THAT(trend_judge(&estimate, &rule) != TREND_GROWING);
            CHECK_THAT(trend_judge_days(&estimate, &rule) == TREND_FLAT);
        }
    }
}
END_TEST

/* ---- generated histories ---- */

/* A sample each ten minutes, blocks of six hours, the first twelve hours forgotten. */
#define SAMPLES_OF_HOUR 6
#define SAMPLES_OF_BLOCK 36
#define BLOCKS_OF_WARM_UP 2
#define LEVEL_BYTES (200.0 * 1024 * 1024)
#define PI 3.14159265358979323846

/* 1 % a day and 64 KiB an hour, as DESIGN has it. */
static const struct trend_rule rule_of_bytes = {.relative = 0.0025, .absolute = 6 * 65536};

#ifdef MAYFLY_SANITIZED
#define RUNS 40
#define RUNS_OF_MONTH 10
#else
#define RUNS 300
#define RUNS_OF_MONTH 100
#endif

/* All shares are of the level. */
struct history {
    struct random random;
    double (*shape)(struct history *history, double hour);
    double scale; /* of the shape and of its noise: 2 doubles them */
    double hours;
    double leak; /* a day */
    double leak_from_hour;
    double phase; /* 0 .. 1, drawn for each run */
    double other; /* likewise */
    double wander;
};

static double random_share(struct random *random)
{
    return ((double)(random_next(random) >> 11) + 0.5) / 0x1p53;
}

static double random_normal(struct random *random)
{
    double radius = sqrt(-2 * log(random_share(random)));
    return radius * cos(2 * PI * random_share(random));
}

/* White noise of 0.5 % is on each of the shapes; here it comes to 1 %. */
static double white_noise(struct history *history, double hour)
{
    (void)hour;
    return 0.00866 * random_normal(&history->random);
}

/* AR(1) with 0.95 from one sample to the next, and 1.5 % of standard deviation. */
static double ar_095(struct history *history, double hour)
{
    double fresh = 0.015 * random_normal(&history->random);
    history->wander = hour == 0 ? fresh : 0.95 * history->wander + sqrt(1 - 0.95 * 0.95) * fresh;
    return history->wander;
}

static double daily_wave(struct history *history, double hour)
{
    return 0.05 * sin(2 * PI * (hour / 24 + history->phase));
}

/* From 60 % to the level, with a time constant of 3 to 8 hours. */
static double warm_up(struct history *history, double hour)
{
    return -0.4 * exp(-hour / (3 + 5 * history->phase));
}

static double one_step(struct history *history, double hour)
{
    return hour >= history->hours * history->phase ? 0.05 : 0;
}

/* A collector's: 10 % up in 3 to 24 hours, and down at once. */
static double sawtooth(struct history *history, double hour)
{
    return 0.1 * fmod(hour / (3 + 21 * history->phase) + history->other, 1);
}

/* 5 % more on five days of seven. */
static double working_week(struct history *history, double hour)
{
    return fmod(hour / 24 + 7 * history->phase, 7) < 5 ? 0.05 : 0;
}

static double two_steps(struct history *history, double hour)
{
    double second = hour >= history->hours * history->other ? 0.05 : 0;
    return one_step(history, hour) + second;
}

/* The last two are not what was promised for, but what processes do as well. */
static const struct {
    const char *name;
    double (*at)(struct history *history, double hour);
} shapes[] = {
    {"white noise", white_noise}, {"AR(1) 0.95", ar_095},   {"daily wave", daily_wave},
    {"warm-up", warm_up},         {"one step", one_step},   {"sawtooth", sawtooth},
    {"two steps", two_steps},     {"a week", working_week},
};

#define SHAPES COUNT_OF(shapes)
#define SHAPES_PROMISED 6

static double history_at(struct history *history, double hour)
{
    double noise = 0.005 * random_normal(&history->random);
    double healthy = history->scale * (history->shape(history, hour) + noise);
    double leaking = fmax(hour - history->leak_from_hour, 0) / 24;
    return LEVEL_BYTES * (1 + healthy + history->leak * leaking);
}

static void history_init(struct history *history, size_t shape, uint64_t run)
{
    *history = (struct history){.random = {TEST_SEED + run * SHAPES + shape}, .scale = 1};
    history->shape = shapes[shape].at;
    history->phase = random_share(&history->random);
    history->other = random_share(&history->random);
}

/* One block of it into the trend. */
static void history_feed(struct history *history, uint32_t block)
{
    for (uint32_t i = 0; i < SAMPLES_OF_BLOCK; i++) {
        double hour = (double)(block * SAMPLES_OF_BLOCK + i) / SAMPLES_OF_HOUR;
        trend_observe(&trend, history_at(history, hour));
    }
    trend_close_block(&trend);
}

/* Of so many runs, how many were growing, and how many by the hint. */
struct tally {
    uint32_t runs;
    uint32_t growing;
    uint32_t hinted;
};

static void tally_judge(struct tally *tally)
{
    struct trend_estimate estimate = trend_estimate_make(&trend);
    tally->runs++;
    tally->growing += trend_judge(&estimate, &rule_of_bytes) == TREND_GROWING;
    tally->hinted += trend_judge_days(&estimate, &rule_of_bytes) == TREND_GROWING;
}

static double percent(uint32_t count, uint32_t of)
{
    return 100.0 * count / of;
}

static const double leaks[] = {0, 0.02, 0.05};
#define LEAKS COUNT_OF(leaks)

/* Histories of so many hours, judged once, at their end. */
static void tally_end(struct tally tallies[SHAPES][LEAKS], uint32_t hours, double scale)
{
    for (size_t cell = 0; cell < SHAPES * LEAKS; cell++) {
        struct tally *tally = &tallies[cell / LEAKS][cell % LEAKS];
        *tally = (struct tally){0};
        for (uint64_t run = 0; run < RUNS; run++) {
            struct history history;
            history_init(&history, cell / LEAKS, run * LEAKS + cell % LEAKS);
            history.hours = hours;
            history.scale = scale;
            history.leak = leaks[cell % LEAKS];
            trend_init(&trend, BLOCKS_OF_WARM_UP);
            for (uint32_t block = 0; block < hours / 6; block++)
                history_feed(&history, block);
            tally_judge(tally);
        }
    }
}

/* In one piece, since other suites print at the same time. */
static void print_tallies(struct tally tallies[SHAPES][LEAKS], const char *title)
{
    struct test_text text = {0};
    test_print(&text, "\ntrend: %s, %d runs a cell: flagged as growing (by the hint)\n", title,
               RUNS);
    test_print(&text, "%-16s%18s%18s%18s\n", "", "healthy", "2 %/day", "5 %/day");
    for (size_t shape = 0; shape < SHAPES; shape++) {
        test_print(&text, "%-16s", shapes[shape].name);
        for (size_t leak = 0; leak < LEAKS; leak++) {
            struct tally tally = tallies[shape][leak];
            test_print(&text, "   %5.1f %% (%4.0f %%)", percent(tally.growing, tally.runs),
                       percent(tally.hinted, tally.runs));
        }
        test_print(&text, "\n");
    }
    fputs(text.at, stdout);
    fflush(stdout);
    test_text_end(&text);
}

START_TEST(a_week_tells_leaks_from_healthy_shapes)
{
    static struct tally tallies[SHAPES][LEAKS];
    tally_end(tallies, 168, 1);
    print_tallies(tallies, "7 days");
    for (size_t shape = 0; shape < SHAPES; shape++) {
        const char *name = shapes[shape].name;
        const struct tally *tally = tallies[shape];
        ck_assert_msg(percent(tally[0].growing, RUNS) <= 2, "false alarms: %s", name);
        ck_assert_msg(percent(tally[2].growing, RUNS) >= 95, "not found: %s", name);
    }
}
END_TEST

/* Ten blocks after the warm-up: too early for a judgement, not for the hint. */
START_TEST(three_days_give_no_more_than_a_hint)
{
    static struct tally tallies[SHAPES][LEAKS];
    tally_end(tallies, 72, 1);
    print_tallies(tallies, "72 h");
    for (size_t shape = 0; shape < SHAPES; shape++) {
        for (size_t leak = 0; leak < LEAKS; leak++)
            ck_assert_uint_eq(tallies[shape][leak].growing, 0);
    }
    for (size_t shape = 0; shape < SHAPES_PROMISED; shape++) {
        const struct tally *tally = tallies[shape];
        ck_assert_msg(percent(tally[0].hinted, RUNS) <= 2, "hints: %s", shapes[shape].name);
    }
}
END_TEST

/* Nothing was promised for these but that healthy ones are left alone. */
START_TEST(twice_the_noise_is_no_growth)
{
    static struct tally tallies[SHAPES][LEAKS];
    tally_end(tallies, 168, 2);
    print_tallies(tallies, "7 days, everything healthy doubled");
    for (size_t shape = 0; shape < SHAPES; shape++) {
        const struct tally *tally = tallies[shape];
        ck_assert_msg(percent(tally[0].growing, RUNS) <= 2, "alarms: %s", shapes[shape].name);
    }
}
END_TEST

/*
 * As it is used: judged at the end of each block, for a month in which nothing is wrong, and then
 * until a leak is found.
 */
#define MONTH_BLOCKS 120

struct month {
    uint32_t alarms;      /* runs with a false one, of all days */
    uint32_t blocks_most; /* until the leak was found */
    uint64_t blocks_total;
};

static void month_run(struct month *month, size_t shape, uint64_t run)
{
    struct history history;
    history_init(&history, shape, run);
    history.hours = MONTH_BLOCKS * 6;
    history.leak = 0.05;
    history.leak_from_hour = history.hours;
    trend_init(&trend, BLOCKS_OF_WARM_UP);
    struct tally healthy = {0};
    struct tally leaking = {0};
    for (uint32_t block = 0; block < 2 * MONTH_BLOCKS && leaking.growing == 0; block++) {
        history_feed(&history, block);
        tally_judge(block < MONTH_BLOCKS ? &healthy : &leaking);
    }
    month->alarms += healthy.growing > 0;
    month->blocks_total += leaking.runs;
    if (leaking.runs > month->blocks_most)
        month->blocks_most = leaking.runs;
}

START_TEST(a_leak_of_day_30_is_found_within_the_week)
{
    struct test_text text = {0};
    struct month months[SHAPES] = {0};
    test_print(&text,
               "\ntrend: judged every 6 h, %d runs: false alarms in 30 days; then 5 %%/day "
               "found after days: mean, most\n",
               RUNS_OF_MONTH);
    for (size_t shape = 0; shape < SHAPES; shape++) {
        struct month *month = &months[shape];
        for (uint64_t run = 0; run < RUNS_OF_MONTH; run++)
            month_run(month, shape, run);
        test_print(&text, "%-16s%8.1f %%%10.2f%8.2f\n", shapes[shape].name,
                   percent(month->alarms, RUNS_OF_MONTH),
                   (double)month->blocks_total / TREND_DAY_BLOCKS / RUNS_OF_MONTH,
                   (double)month->blocks_most / TREND_DAY_BLOCKS);
    }
    fputs(text.at, stdout);
    fflush(stdout);
    test_text_end(&text);
    for (size_t shape = 0; shape < SHAPES; shape++) {
        const char *name = shapes[shape].name;
        if (shape < SHAPES_PROMISED)
            ck_assert_msg(percent(months[shape].alarms, RUNS_OF_MONTH) <= 2, "alarms: %s", name);
        ck_assert_msg(months[shape].blocks_most <= TREND_BLOCKS, "found late: %s", name);
    }
}
END_TEST

Suite *trend_suite(void)
{
    Suite *suite = suite_create("trend");
    TCase *kept = tcase_create("kept");
    tcase_add_test(kept, the_lowest_of_a_block_is_kept);
    tcase_add_test(kept, what_is_not_finite_was_not_observed);
    tcase_add_test(kept, blocks_of_the_warm_up_are_forgotten);
    tcase_add_test(kept, the_last_week_is_kept_and_no_more);
    suite_add_tcase(suite, kept);
    TCase *estimate = tcase_create("estimate");
    tcase_add_loop_test(estimate, slope_and_interval_are_as_scipy_has_them, 0,
                        COUNT_OF(theilslopes_cases));
    tcase_add_test(estimate, halves_are_of_the_blocks_that_were_observed);
    tcase_add_test(estimate, days_are_held_against_the_day_before);
    tcase_add_test(estimate, too_few_blocks_say_nothing);
    suite_add_tcase(suite, estimate);
    TCase *judgements = tcase_create("judgements");
    tcase_add_test(judgements, growing_takes_each_of_its_conditions);
    tcase_add_test(judgements, growing_takes_blocks_and_pairs);
    tcase_add_test(judgements, the_threshold_is_the_larger_of_both);
    tcase_add_test(judgements, a_line_grows_from_12_blocks_on_and_its_days_from_9);
    tcase_add_test(judgements, one_step_is_no_growth);
    suite_add_tcase(suite, judgements);
    TCase *histories = tcase_create("histories");
    tcase_set_timeout(histories, 120);
    tcase_add_test(histories, a_week_tells_leaks_from_healthy_shapes);
    tcase_add_test(histories, three_days_give_no_more_than_a_hint);
    tcase_add_test(histories, twice_the_noise_is_no_growth);
    tcase_add_test(histories, a_leak_of_day_30_is_found_within_the_week);
    suite_add_tcase(suite, histories);
    return suite;
}
