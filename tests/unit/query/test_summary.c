/*
 * test_summary.c: figures of groups beside all their values: moments in long double, quantiles out
 * of the sorted values, totals whatever overflows.
 */
#include "query/summary.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

Suite *summary_suite(void);

#define ARENA_BYTES ((size_t)1 << 20)

static struct settings settings;
static struct summary_options options;
static struct summary summary;
static struct arena arena;
static void *memory;

static void setup(void)
{
    test_settings(&settings);
    options = (struct summary_options){.by_count = 1, .quantile_count = 5};
    options.by[0] = BYTES("k");
    double quantiles[] = {0, 0.5, 0.9, 0.99, 1};
    memcpy(options.quantiles, quantiles, sizeof quantiles);
    memory = aligned_alloc(ARENA_ALIGN, ARENA_BYTES);
    arena_init(&arena, memory, ARENA_BYTES, ARENA_BYTES, NULL);
    ck_assert(summary_init(&summary, &options, &settings, TEST_SEED, &arena));
}

static void teardown(void)
{
    UNPOISON(memory, ARENA_BYTES);
    free(memory);
}

static enum status add(struct bytes key, double value)
{
    summary_key_reset(&summary);
    char *out = summary_key_take(&summary, key.length);
    CHECK_THAT(out != NULL);
    memcpy(out, key.at, key.length);
    summary_key_add(&summary, key.length);
    return summary_add(&summary, value);
}

static struct summary_figures figures_of(const struct summary_group *group)
{
    struct summary_figures figures;
    summary_group_figures(&summary, group, &figures);
    return figures;
}

static void check_near(double actual, double wanted, double relative)
{
    ck_assert_msg(fabs(actual - wanted) <= fabs(wanted) * relative, "%.17g is not %.17g", actual,
                  wanted);
}

/* ---- values of many shapes ---- */

static double unit(struct random *random)
{
    return ((double)(random_next(random) >> 12) + 0.5) * 0x1p-52;
}

static double normal(struct random *random)
{
    return sqrt(-2 * log(unit(random))) * cos(2 * acos(-1) * unit(random));
}

static double shape(int which, struct random *random)
{
    switch (which) {
    case 0:
        return exp(normal(random));
    case 1:
        return unit(random) * 100;
    case 2:
        return random_below(random, 2) == 0 ? 1 + 0.01 * normal(random)
                                            : 1000 + 10 * normal(random);
    case 3:
        return 42.5;
    case 4:
        return normal(random);
    default:
        return random_below(random, 10) == 0 ? 1e9 : 1e-3 * (double)random_below(random, 5);
    }
}

#define SHAPES 6
#define VALUES 5000

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check_quantiles(const struct summary_figures *figures, const double *sorted)
{
    for (uint32_t i = 0; i < options.quantile_count; i++) {
        double rank = ceil(options.quantiles[i] * VALUES);
        double truth = sorted[rank < 1 ? 0 : (size_t)rank - 1];
        double error = fabs(figures->quantiles[i] - truth);
        ck_assert_msg(error <= fabs(truth) * figures->relative_error * (1 + 1e-12),
                      "q %g: %.17g is not %.17g within %g", options.quantiles[i],
                      figures->quantiles[i], truth, figures->relative_error);
        ck_assert(figures->quantiles[i] >= sorted[0]);
        ck_assert(figures->quantiles[i] <= sorted[VALUES - 1]);
    }
}

START_TEST(figures_are_those_of_all_values)
{
    static double values[VALUES];
    struct random random = {TEST_SEED + (uint64_t)_i};
    long double sum = 0;
    long double squares = 0;
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = shape(_i % SHAPES, &random);
        sum += (long double)values[i];
        ck_assert_int_eq(add(BYTES("a"), values[i]), STATUS_OK);
    }
    for (size_t i = 0; i < VALUES; i++) {
        long double apart = (long double)values[i] - sum / VALUES;
        squares += apart * apart;
    }
    qsort(values, VALUES, sizeof values[0], compare);
    struct summary_figures figures = figures_of(summary.first);
    double scale = fmax(fabs(values[0]), fabs(values[VALUES - 1]));
    ck_assert_uint_eq(summary.first->count, VALUES);
    ck_assert(fabs(figures.sum - (double)sum) <= scale * VALUES * 1e-16);
    ck_assert(fabs(figures.mean - (double)(sum / VALUES)) <= scale * 1e-15);
    check_near(figures.deviation, sqrt((double)(squares / VALUES)), 1e-12);
    ck_assert(compare(&summary.first->min, &values[0]) == 0);
    ck_assert(compare(&summary.first->max, &values[VALUES - 1]) == 0);
    check_quantiles(&figures, values);
}
END_TEST

/* ---- many values far from zero: where Welford's mean stands still ---- */

/*
 * 10^7 values near 10^9; their low halves first, so that the mean must go on moving at the end. In
 * units of 2^-10 all is exact in integers.
 */
START_TEST(ten_million_values_near_a_billion)
{
    const uint64_t count = 10000000;
    struct random random = {TEST_SEED};
    __extension__ unsigned __int128 squares = 0;
    uint64_t sum = 0;
    options.quantile_count = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t units = random_below(&random, 1024) + (i < count / 2 ? 0 : 1024);
        sum += units;
        squares += units * units;
        CHECK_THAT(add(BYTES("a"), 1e9 + (double)units / 1024) == STATUS_OK);
    }
    long double mean = (long double)sum / (long double)count;
    long double variance = (long double)squares / (long double)count - mean * mean;
    struct summary_figures figures = figures_of(summary.first);
    check_near(figures.mean - 1e9, (double)(mean / 1024), 1e-6); /* 1e-15 of the mean itself */
    check_near(figures.deviation, (double)(sqrtl(variance) / 1024), 1e-11);
    check_near(figures.sum, (double)count * 1e9 + (double)sum / 1024, 1e-16);
}
END_TEST

/* The mean of the first block weighs as 10^15 values; one more block of others must still count. */
START_TEST(the_mean_moves_however_many_there_were)
{
    struct moments *moments;
    options.quantile_count = 0;
    for (int i = 0; i < 256; i++)
        ck_assert_int_eq(add(BYTES("a"), 1e9), STATUS_OK);
    moments = &summary.first->moments;
    moments->count = summary.first->count = 1000000000000;
    for (uint64_t i = 0; i < 1000; i++) {
        for (int k = 0; k < 256; k++)
            ck_assert_int_eq(add(BYTES("a"), 1e9 + 1), STATUS_OK);
    }
    double share = 256000.0 / (1e12 + 256000);
    struct summary_figures figures = figures_of(summary.first);
    check_near(moments->mean.low + (moments->mean.high - 1e9), share, 1e-9);
    check_near(figures.deviation, sqrt(share * (1 - share)), 1e-9);
}
END_TEST

START_TEST(a_sum_keeps_what_cancels)
{
    const double values[] = {1e16, 1, -1e16, 1, 1e100, 3, -1e100};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        add(BYTES("a"), values[i]);
    ck_assert_double_eq(figures_of(summary.first).sum, 5);
}
END_TEST

START_TEST(what_leaves_the_range_is_not_finite)
{
    add(BYTES("a"), 1.7e308);
    add(BYTES("a"), 1.7e308);
    struct summary_figures figures = figures_of(summary.first);
    ck_assert(isinf(figures.sum));
    ck_assert_double_eq(figures.mean, 1.7e308);
    add(BYTES("b"), 1.7e308);
    add(BYTES("b"), -1.7e308);
    figures = figures_of(summary.last);
    ck_assert_double_eq(figures.sum, 0);
    ck_assert_double_eq(figures.mean, 0);
    ck_assert(!isfinite(figures.deviation));
}
END_TEST

/* ---- groups ---- */

START_TEST(groups_stand_in_order_of_appearance_and_the_rest_overflows)
{
    char key[16];
    struct random random = {TEST_SEED};
    uint64_t counts[100] = {0};
    settings.limits_summary_groups = 40;
    for (int i = 0; i < 5000; i++) {
        uint64_t which = i < 100 ? (uint64_t)i : random_below(&random, 100);
        snprintf(key, sizeof key, "key%d", (int)which);
        counts[which]++;
        ck_assert_int_eq(add(bytes_of(key), 2), STATUS_OK);
    }
    uint64_t rest = 5000;
    int which = 0;
    for (const struct summary_group *group = summary.first; group != NULL; group = group->next) {
        struct bytes name = {group->key, group->key_length};
        ck_assert_uint_eq(group->overflow, which == 40);
        ck_assert_uint_eq(group->count, which == 40 ? rest : counts[which]);
        snprintf(key, sizeof key, "key%d", which++);
        if (!group->overflow)
            ck_assert(bytes_equal(summary_key_next(&name), bytes_of(key)));
        rest -= group->count;
    }
    ck_assert_int_eq(which, 41);
    ck_assert_uint_eq(rest, 0);
    ck_assert_uint_eq(summary.rows, 5000);
}
END_TEST

START_TEST(keys_are_equal_field_by_field)
{
    const struct bytes rows[][2] = {
        {BYTES("a"), BYTES("bc")}, {BYTES("ab"), BYTES("c")}, {BYTES("abc"), BYTES("")},
        {BYTES(""), BYTES("abc")}, {BYTES("a"), BYTES("bc")},
    };
    options.by_count = 2;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        summary_key_reset(&summary);
        for (int k = 0; k < 2; k++) {
            char *out = summary_key_take(&summary, rows[i][k].length);
            memcpy(out, rows[i][k].at, rows[i][k].length);
            summary_key_add(&summary, rows[i][k].length);
        }
        ck_assert_int_eq(summary_add(&summary, 1), STATUS_OK);
    }
    ck_assert_uint_eq(summary.group_count, 4);
    ck_assert_uint_eq(summary.first->count, 2);
}
END_TEST

START_TEST(a_key_has_a_limit_and_is_utf8)
{
    summary_key_reset(&summary);
    ck_assert_ptr_null(summary_key_take(&summary, settings.limits_label_set_bytes + 1));
    ck_assert_ptr_nonnull(summary_key_take(&summary, settings.limits_label_set_bytes));
    ck_assert_int_eq(add(BYTES("\xff"), 1), STATUS_BAD_UTF8);
    ck_assert_uint_eq(summary.rows, 0);
    ck_assert_ptr_null(summary.first);
}
END_TEST

/* Whatever push is refused, nothing is added by halves and what was added stays. */
START_TEST(an_arena_without_room_refuses_the_group)
{
    char key[16];
    settings.limits_summary_groups = 1000000;
    enum status status = STATUS_OK;
    uint64_t good = 0;
    while (status == STATUS_OK) {
        snprintf(key, sizeof key, "%d", (int)good);
        status = add(bytes_of(key), 1);
        good += status == STATUS_OK;
    }
    ck_assert_int_eq(status, STATUS_REQUEST_TOO_LARGE);
    ck_assert_uint_eq(summary.rows, good);
    ck_assert_uint_eq(summary.group_count, good);
    ck_assert_uint_gt(good, 500);
    ck_assert_int_eq(add(BYTES("0"), 1), STATUS_OK);
    uint64_t seen = 0;
    for (const struct summary_group *group = summary.first; group != NULL; group = group->next)
        seen += group->count;
    ck_assert_uint_eq(seen, good + 1);
}
END_TEST

Suite *summary_suite(void)
{
    Suite *suite = suite_create("summary");
    TCase *figures = tcase_create("figures");
    tcase_set_timeout(figures, 120);
    tcase_add_checked_fixture(figures, setup, teardown);
    tcase_add_loop_test(figures, figures_are_those_of_all_values, 0, 3 * SHAPES);
    tcase_add_test(figures, ten_million_values_near_a_billion);
    tcase_add_test(figures, the_mean_moves_however_many_there_were);
    tcase_add_test(figures, a_sum_keeps_what_cancels);
    tcase_add_test(figures, what_leaves_the_range_is_not_finite);
    suite_add_tcase(suite, figures);
    TCase *groups = tcase_create("groups");
    tcase_set_timeout(groups, 60);
    tcase_add_checked_fixture(groups, setup, teardown);
    tcase_add_test(groups, groups_stand_in_order_of_appearance_and_the_rest_overflows);
    tcase_add_test(groups, keys_are_equal_field_by_field);
    tcase_add_test(groups, a_key_has_a_limit_and_is_utf8);
    tcase_add_test(groups, an_arena_without_room_refuses_the_group);
    suite_add_tcase(suite, groups);
    return suite;
}
