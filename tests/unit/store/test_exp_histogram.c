/*
 * The histogram beside the dumbest thing that could be right: all the values. Every shape of data
 * below is run with several seeds; the loop index, which a failure names, picks shape and seed.
 */
#include "store/exp_histogram.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VALUES = 3000,
    SEEDS = 2,
    OCTAVE = 1 << 20, /* buckets from 2^e to 2^(e+1) at scale 20 */
    POSITIVE = EXP_HISTOGRAM_POSITIVE,
    NEGATIVE = EXP_HISTOGRAM_NEGATIVE
};

Suite *exp_histogram_suite(void);

/* ---- random values of many shapes ---- */

struct random {
    uint64_t state;
};

static uint64_t random_bits(struct random *r) /* splitmix64 */
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double random_unit(struct random *r) /* (0, 1) */
{
    return ((double)(random_bits(r) >> 12) + 0.5) * 0x1p-52;
}

static uint32_t random_below(struct random *r, uint32_t limit)
{
    return (uint32_t)(random_bits(r) % limit);
}

static double random_normal(struct random *r)
{
    return sqrt(-2 * log(random_unit(r))) * cos(2 * acos(-1) * random_unit(r));
}

static double shape_lognormal(struct random *r)
{
    return exp(random_normal(r));
}

static double shape_uniform(struct random *r)
{
    return random_unit(r);
}

static double shape_bimodal(struct random *r)
{
    return random_below(r, 3) ? 1.001 : 1e6 * (1 + 0.01 * random_unit(r));
}

static double shape_constant(struct random *r)
{
    (void)r;
    return 0.0123;
}

static double shape_narrow(struct random *r)
{
    return 7 + 1e-5 * random_unit(r);
}

static double shape_negative(struct random *r)
{
    return -shape_lognormal(r);
}

static double shape_mixed(struct random *r)
{
    return random_below(r, 10) ? 100 * random_normal(r) : 0;
}

static double shape_zero(struct random *r)
{
    return random_below(r, 2) ? 0.0 : -0.0;
}

static double shape_decades(struct random *r) /* 1e-308 .. 1e308, either sign */
{
    double magnitude = pow(10, 616 * random_unit(r) - 308);
    return random_below(r, 2) ? magnitude : -magnitude;
}

static double shape_bits(struct random *r) /* any finite double, subnormals too */
{
    double value = NAN;
    while (!isfinite(value)) {
        uint64_t bits = random_bits(r);
        bits = random_below(r, 8) ? bits : bits & ~(UINT64_C(0x7ff) << 52);
        memcpy(&value, &bits, sizeof(value));
    }
    return value;
}

static double shape_powers(struct random *r) /* 2^-12 .. 2^12 and the doubles beside them */
{
    double power = ldexp(1, (int)random_below(r, 25) - 12);
    uint32_t side = random_below(r, 3);
    return side == 0 ? power : nextafter(power, side == 1 ? 0 : INFINITY);
}

static const struct {
    const char *name;
    double (*value)(struct random *r);
} shapes[] = {
    {"lognormal", shape_lognormal}, {"uniform", shape_uniform},   {"bimodal", shape_bimodal},
    {"constant", shape_constant},   {"narrow", shape_narrow},     {"negative", shape_negative},
    {"mixed", shape_mixed},         {"zero", shape_zero},         {"decades", shape_decades},
    {"bits", shape_bits},           {"powers", shape_powers},
};

enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]), CASES = SHAPES * SEEDS };

static struct random random_of_case(int i)
{
    return (struct random){(uint64_t)i * 1000003 + 17};
}

static void fill(int i, struct random *r, double *values, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        values[k] = shapes[i % SHAPES].value(r);
    }
}

/* ---- the model ---- */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint64_t model_cumulative(const double *values, uint32_t count, double bound)
{
    uint64_t sum = 0;
    for (uint32_t k = 0; k < count; k++) {
        sum += values[k] <= bound;
    }
    return sum;
}

/* Values of one sign with a magnitude in (2^low, 2^high], by the formula, in long double. */
static uint64_t model_bucket(const double *values, uint32_t count, int sign, long double low,
                             long double high)
{
    long double lower = exp2l(low);
    long double upper = exp2l(high);
    uint64_t sum = 0;
    for (uint32_t k = 0; k < count; k++) {
        long double magnitude = sign == POSITIVE ? values[k] : -values[k];
        sum += magnitude > lower && magnitude <= upper;
    }
    return sum;
}

static void observe_all(struct exp_histogram *h, const double *values, uint32_t count)
{
    exp_histogram_init(h);
    for (uint32_t k = 0; k < count; k++) {
        exp_histogram_observe(h, values[k]);
    }
    exp_histogram_verify(h);
}

static bool same(const struct exp_histogram *a, const struct exp_histogram *b)
{
    return a->count == b->count && a->zero_count == b->zero_count && a->scale == b->scale &&
           memcmp(a->range, b->range, sizeof(a->range)) == 0 &&
           memcmp(a->counts, b->counts, sizeof(a->counts)) == 0;
}

static uint32_t buckets_used(const struct exp_histogram *h)
{
    return h->range[POSITIVE].length + h->range[NEGATIVE].length;
}

/* ---- counting ---- */

START_TEST(every_bucket_counts_what_lies_between_its_bounds)
{
    struct random r = random_of_case(_i);
    double values[VALUES];
    fill(_i, &r, values, VALUES);
    struct exp_histogram h;
    observe_all(&h, values, VALUES);
    long double width = ldexpl(1, -h.scale);
    for (int sign = POSITIVE; sign <= NEGATIVE; sign++) {
        for (uint32_t k = 0; k < h.range[sign].length; k++) {
            long double index = (long double)h.range[sign].first + k;
            uint64_t expected =
                model_bucket(values, VALUES, sign, index * width, (index + 1) * width);
            uint64_t counted = exp_histogram_bucket(&h, (enum exp_histogram_sign)sign, k);
            ck_assert_msg(counted == expected, "%s: bucket %u", shapes[_i % SHAPES].name, k);
        }
    }
    ck_assert_uint_eq(exp_histogram_count(&h), VALUES);
}
END_TEST

START_TEST(a_downscale_loses_no_count)
{
    struct random r = random_of_case(_i);
    struct exp_histogram h;
    exp_histogram_init(&h);
    for (uint32_t k = 0; k < VALUES; k++) {
        int32_t before = h.scale;
        unsigned fell = exp_histogram_observe(&h, shapes[_i % SHAPES].value(&r));
        if (fell > 0 || h.scale != before || k % 100 == 0) {
            exp_histogram_verify(&h);
            ck_assert_int_eq(h.scale, before - (int32_t)fell);
            ck_assert_uint_eq(exp_histogram_count(&h), k + 1);
            ck_assert_uint_le(buckets_used(&h), EXP_HISTOGRAM_BUCKETS_MAX);
        }
    }
}
END_TEST

START_TEST(the_scale_is_the_finest_at_which_the_values_fit)
{
    struct random r = random_of_case(_i);
    double values[VALUES];
    fill(_i, &r, values, VALUES);
    struct exp_histogram h;
    observe_all(&h, values, VALUES);
    /* Both ends of each range, one scale finer: from a histogram of one value, which is at 20. */
    int64_t finer = 0;
    double low[2] = {INFINITY, INFINITY};
    double high[2] = {0, 0};
    for (uint32_t k = 0; k < VALUES; k++) {
        int sign = values[k] < 0 ? NEGATIVE : POSITIVE;
        if (values[k] != 0) {
            low[sign] = fmin(low[sign], fabs(values[k]));
            high[sign] = fmax(high[sign], fabs(values[k]));
        }
    }
    for (int sign = POSITIVE; sign <= NEGATIVE && h.scale < EXP_HISTOGRAM_SCALE_MAX; sign++) {
        if (high[sign] > 0) {
            struct exp_histogram ends[2];
            observe_all(&ends[0], &low[sign], 1);
            observe_all(&ends[1], &high[sign], 1);
            int shift = EXP_HISTOGRAM_SCALE_MAX - (h.scale + 1);
            finer += (ends[1].range[POSITIVE].first >> shift) -
                     (ends[0].range[POSITIVE].first >> shift) + 1;
        }
    }
    ck_assert(h.scale == EXP_HISTOGRAM_SCALE_MAX || finer > EXP_HISTOGRAM_BUCKETS_MAX);
}
END_TEST

START_TEST(all_160_buckets_are_used_before_any_merge)
{
    struct exp_histogram h;
    exp_histogram_init(&h);
    for (int k = 0; k < EXP_HISTOGRAM_BUCKETS_MAX; k++) {
        double magnitude = exp2((k / 2 + 0.5) / OCTAVE);
        ck_assert_uint_eq(exp_histogram_observe(&h, k % 2 ? magnitude : -magnitude), 0);
    }
    ck_assert_uint_eq(buckets_used(&h), EXP_HISTOGRAM_BUCKETS_MAX);
    ck_assert_int_eq(h.scale, EXP_HISTOGRAM_SCALE_MAX);
    ck_assert_uint_eq(exp_histogram_observe(&h, exp2(80.5 / OCTAVE)), 1);
    ck_assert_uint_eq(buckets_used(&h), 81);
    ck_assert_uint_eq(exp_histogram_count(&h), EXP_HISTOGRAM_BUCKETS_MAX + 1);
    exp_histogram_verify(&h);
}
END_TEST

START_TEST(every_finite_double_fits_at_scale_minus_5)
{
    const double values[] = {0, DBL_TRUE_MIN, DBL_MAX, -DBL_TRUE_MIN, -DBL_MAX, DBL_MIN, -0.0, 1};
    struct exp_histogram h;
    observe_all(&h, values, 8);
    ck_assert_int_eq(h.scale, -5);
    ck_assert_uint_eq(h.range[POSITIVE].length, 66);
    ck_assert_uint_eq(h.range[NEGATIVE].length, 66);
    ck_assert_uint_eq(h.zero_count, 2);
    ck_assert_uint_eq(exp_histogram_count(&h), 8);
    struct exp_histogram positive;
    observe_all(&positive, values + 1, 2);
    ck_assert_int_eq(positive.scale, -4);
}
END_TEST

/* ---- the index of a value ---- */

static int32_t index_at_scale_20(double magnitude)
{
    struct exp_histogram h;
    exp_histogram_init(&h);
    exp_histogram_observe(&h, magnitude);
    return h.range[POSITIVE].first;
}

START_TEST(a_power_of_two_is_the_last_value_of_its_bucket)
{
    for (int exponent = -1074; exponent <= 1023; exponent++) {
        double power = ldexp(1, exponent);
        ck_assert_int_eq(index_at_scale_20(power), exponent * OCTAVE - 1);
        /* A subnormal's neighbours can be whole octaves away. */
        if (exponent > -1022) {
            ck_assert_int_eq(index_at_scale_20(nextafter(power, 0)), exponent * OCTAVE - 1);
            ck_assert_int_eq(index_at_scale_20(nextafter(power, INFINITY)), exponent * OCTAVE);
        }
    }
    ck_assert_int_eq(index_at_scale_20(DBL_MAX), 1024 * OCTAVE - 1);
}
END_TEST

/* Around a bound at scale 20 the index changes once, at the double next to the true bound. */
START_TEST(near_a_bound_the_value_decides)
{
    struct random r = {4711};
    for (int round = 0; round < 20000; round++) {
        int32_t bound = (int32_t)random_below(&r, OCTAVE);
        long double truth = exp2l((long double)bound / OCTAVE);
        double value = (double)truth;
        for (int k = 0; k < 3; k++) {
            value = nextafter(value, 0);
        }
        bool sure = true;
        for (int k = 0; k < 7; k++) {
            int32_t index = index_at_scale_20(value);
            bool above = index == bound && nextafter(value, 4) > (double)truth;
            bool below = index == bound - 1 && nextafter(value, 0) <= (double)truth;
            sure &= above || below;
            value = nextafter(value, 4);
        }
        ck_assert(sure);
    }
}
END_TEST

START_TEST(subnormals_have_buckets_like_all_others)
{
    for (int k = 1; k < 2000; k++) {
        double value = k * DBL_TRUE_MIN;
        int32_t moved = index_at_scale_20(value * 0x1p200); /* exact, and normal */
        ck_assert_int_eq(index_at_scale_20(value), moved - 200 * OCTAVE);
    }
}
END_TEST

/* ---- merging ---- */

enum { PARTS = 8 };

/* Deals the values out to PARTS histograms. */
static void deal(struct random *r, const double *values, uint32_t count,
                 struct exp_histogram parts[PARTS])
{
    for (int k = 0; k < PARTS; k++) {
        exp_histogram_init(&parts[k]);
    }
    for (uint32_t k = 0; k < count; k++) {
        /* One part gets few values, so that scales differ much. */
        uint32_t part = random_below(r, 200) ? random_below(r, PARTS - 1) : PARTS - 1;
        exp_histogram_observe(&parts[part], values[k]);
    }
}

START_TEST(merging_in_any_order_is_observing_it_all)
{
    struct random r = random_of_case(_i);
    double values[VALUES];
    fill(_i, &r, values, VALUES);
    struct exp_histogram all;
    observe_all(&all, values, VALUES);
    for (int round = 0; round < 10; round++) {
        struct exp_histogram parts[PARTS];
        deal(&r, values, VALUES, parts);
        /* Merge one random part into another until one is left: a random tree. */
        for (uint32_t left = PARTS; left > 1; left--) {
            uint32_t into = random_below(&r, left);
            uint32_t from = (into + 1 + random_below(&r, left - 1)) % left;
            int32_t before = parts[into].scale;
            unsigned fell = exp_histogram_merge(&parts[into], &parts[from]);
            ck_assert_int_eq(parts[into].scale, before - (int32_t)fell);
            exp_histogram_verify(&parts[into]);
            parts[from] = parts[left - 1];
        }
        ck_assert_msg(same(&parts[0], &all), "%s", shapes[_i % SHAPES].name);
    }
}
END_TEST

START_TEST(the_order_of_values_does_not_matter)
{
    struct random r = random_of_case(_i);
    double values[VALUES];
    fill(_i, &r, values, VALUES);
    struct exp_histogram first;
    observe_all(&first, values, VALUES);
    qsort(values, VALUES, sizeof(values[0]), compare_doubles);
    struct exp_histogram upwards;
    observe_all(&upwards, values, VALUES);
    struct exp_histogram downwards;
    exp_histogram_init(&downwards);
    for (uint32_t k = VALUES; k > 0; k--) {
        exp_histogram_observe(&downwards, values[k - 1]);
    }
    exp_histogram_verify(&downwards);
    ck_assert(same(&first, &upwards));
    ck_assert(same(&first, &downwards));
}
END_TEST

START_TEST(an_empty_one_adds_nothing)
{
    const double values[] = {1, -3, 0, 1e10};
    struct exp_histogram some;
    observe_all(&some, values, 4);
    struct exp_histogram sum = some;
    struct exp_histogram empty;
    exp_histogram_init(&empty);
    ck_assert_uint_eq(exp_histogram_merge(&sum, &empty), 0);
    ck_assert(same(&sum, &some));
    exp_histogram_merge(&empty, &some);
    ck_assert(same(&empty, &some));
}
END_TEST

/* ---- cumulative counts ---- */

START_TEST(powers_of_two_and_zero_are_exact)
{
    struct random r = random_of_case(_i);
    double values[VALUES];
    fill(_i, &r, values, VALUES);
    struct exp_histogram h;
    observe_all(&h, values, VALUES);
    for (int exponent = -40; exponent <= 40 && h.scale >= 0; exponent++) {
        double bound = ldexp(1, exponent);
        ck_assert_uint_eq(exp_histogram_cumulative(&h, bound),
                          model_cumulative(values, VALUES, bound));
    }
    ck_assert_uint_eq(exp_histogram_cumulative(&h, 0), model_cumulative(values, VALUES, 0));
    ck_assert_uint_eq(exp_histogram_cumulative(&h, DBL_MAX), VALUES);
}
END_TEST

/* Any bound: never too few, and too many by at most what is in the bucket of the bound. */
START_TEST(other_bounds_err_by_one_bucket_at_most)
{
    struct random r = random_of_case(_i);
    double values[VALUES];
    fill(_i, &r, values, VALUES);
    struct exp_histogram h;
    observe_all(&h, values, VALUES);
    double width = exp_histogram_relative_error(&h);
    for (int k = 0; k < 100; k++) {
        double bound = shapes[_i % SHAPES].value(&r);
        uint64_t counted = exp_histogram_cumulative(&h, bound);
        double reach = bound + fabs(bound) * width * 1.000001;
        ck_assert_uint_ge(counted, model_cumulative(values, VALUES, bound));
        ck_assert_uint_le(counted, model_cumulative(values, VALUES, reach));
    }
}
END_TEST

START_TEST(a_bound_never_loses_values_while_more_arrive)
{
    struct random r = random_of_case(_i);
    struct exp_histogram h;
    exp_histogram_init(&h);
    uint64_t before[40] = {0};
    bool lost = false;
    for (uint32_t k = 0; k < VALUES; k++) {
        exp_histogram_observe(&h, shapes[_i % SHAPES].value(&r));
        uint64_t counts[40];
        for (int bound = 0; bound < 40; bound++) {
            counts[bound] = exp_histogram_cumulative(&h, ldexp(1, 2 * (bound - 20)));
        }
        for (int bound = 0; bound < 40; bound++) {
            lost |= counts[bound] < before[bound];
        }
        memcpy(before, counts, sizeof(before));
    }
    ck_assert(!lost);
}
END_TEST

/* ---- quantiles ---- */

/* q lies between two ranks; the estimate must be near a value from the one to the other. */
static void check_quantile(const struct exp_histogram *h, const double *sorted, double q)
{
    double rank = q * (VALUES - 1);
    double low = sorted[(int)floor(rank)];
    double high = sorted[(int)ceil(rank)];
    double estimate = exp_histogram_quantile(h, q);
    double error = exp_histogram_relative_error(h) * 1.000001;
    /* A subnormal estimate is rounded to their grid. */
    ck_assert(estimate >= low - fabs(low) * error - DBL_TRUE_MIN);
    ck_assert(estimate <= high + fabs(high) * error + DBL_TRUE_MIN);
}

START_TEST(quantiles_are_within_the_error_they_state)
{
    struct random r = random_of_case(_i);
    double values[VALUES];
    fill(_i, &r, values, VALUES);
    struct exp_histogram h;
    observe_all(&h, values, VALUES);
    qsort(values, VALUES, sizeof(values[0]), compare_doubles);
    double before = -INFINITY;
    for (int k = 0; k <= 1000; k++) {
        double q = k / 1000.0;
        check_quantile(&h, values, q);
        double estimate = exp_histogram_quantile(&h, q);
        ck_assert(isfinite(estimate));
        ck_assert(estimate >= before);
        before = estimate;
    }
}
END_TEST

/* What interpolation is for: smooth data are met far better than the bound says. */
START_TEST(quantiles_of_smooth_data_are_much_nearer)
{
    struct random r = {99};
    static double values[100000];
    const uint32_t count = sizeof(values) / sizeof(values[0]);
    for (uint32_t k = 0; k < count; k++) {
        values[k] = shape_lognormal(&r);
    }
    struct exp_histogram h;
    observe_all(&h, values, count);
    qsort(values, count, sizeof(values[0]), compare_doubles);
    for (int k = 10; k <= 990; k++) {
        double truth = values[(uint32_t)ceil(k * (count / 1000.0)) - 1];
        double estimate = exp_histogram_quantile(&h, k / 1000.0);
        ck_assert_double_le(fabs(estimate / truth - 1), exp_histogram_relative_error(&h) / 10);
    }
}
END_TEST

START_TEST(the_error_follows_the_scale)
{
    struct exp_histogram h;
    exp_histogram_init(&h);
    ck_assert_double_eq_tol(exp_histogram_relative_error(&h), log(2) / OCTAVE, 1e-12);
    exp_histogram_observe(&h, 1);
    exp_histogram_observe(&h, 1e11);
    ck_assert_int_eq(h.scale, 2);
    ck_assert_double_eq_tol(exp_histogram_relative_error(&h), pow(2, 0.25) - 1, 1e-12);
}
END_TEST

START_TEST(an_empty_histogram_has_no_quantile)
{
    struct exp_histogram h;
    exp_histogram_init(&h);
    exp_histogram_verify(&h);
    ck_assert(isnan(exp_histogram_quantile(&h, 0.5)));
    ck_assert_uint_eq(exp_histogram_count(&h), 0);
    ck_assert_uint_eq(exp_histogram_cumulative(&h, 1), 0);
    ck_assert_uint_eq(exp_histogram_cumulative(&h, -1), 0);
}
END_TEST

START_TEST(a_single_value_is_every_quantile)
{
    const double values[] = {42.5, -1e-300, DBL_MAX, -DBL_MAX, DBL_TRUE_MIN, 0};
    for (int k = 0; k < 6; k++) {
        struct exp_histogram h;
        observe_all(&h, &values[k], 1);
        for (int q = 0; q <= 4; q++) {
            double error = fabs(values[k]) * exp_histogram_relative_error(&h);
            ck_assert(fabs(exp_histogram_quantile(&h, q / 4.0) - values[k]) <= error);
        }
    }
}
END_TEST

START_TEST(a_quantile_is_the_value_of_rank_ceil)
{
    const double values[] = {-1e3, -10, 0, 1, 2, 1e2, 1e4};
    struct exp_histogram h;
    observe_all(&h, values, 7);
    for (int rank = 1; rank <= 7; rank++) {
        double error = fabs(values[rank - 1]) * exp_histogram_relative_error(&h);
        double q[] = {(rank - 1) / 7.0 + 1e-9, (rank - 0.5) / 7, rank / 7.0 - 1e-9};
        for (int k = 0; k < 3; k++) {
            ck_assert(fabs(exp_histogram_quantile(&h, q[k]) - values[rank - 1]) <= error);
        }
    }
    ck_assert(exp_histogram_quantile(&h, 0) == exp_histogram_quantile(&h, 0.1));
}
END_TEST

START_TEST(a_lone_value_is_taken_for_the_middle_of_its_bucket)
{
    const double values[] = {1.5, 1e11};
    struct exp_histogram h;
    observe_all(&h, values, 2);
    ck_assert_int_eq(h.scale, 2);
    ck_assert_double_eq_tol(exp_histogram_quantile(&h, 0.5), exp2(0.5 + 0.125), 1e-12);
}
END_TEST

/* 2^40 times the same value, by doubling. */
static void observe_many(struct exp_histogram *h, double value)
{
    exp_histogram_init(h);
    exp_histogram_observe(h, value);
    for (int k = 0; k < 40; k++) {
        struct exp_histogram twin = *h;
        exp_histogram_merge(h, &twin);
    }
    exp_histogram_verify(h);
}

/* The ends of the outermost buckets are beyond what a double can be. */
START_TEST(the_outermost_quantiles_are_doubles_still)
{
    struct exp_histogram h;
    observe_many(&h, DBL_MAX);
    ck_assert_uint_eq(exp_histogram_count(&h), UINT64_C(1) << 40);
    ck_assert(isfinite(exp_histogram_quantile(&h, 1)));
    observe_many(&h, DBL_TRUE_MIN);
    exp_histogram_observe(&h, DBL_MAX);
    ck_assert(exp_histogram_quantile(&h, 0) > 0);
    observe_many(&h, -DBL_MAX);
    ck_assert(isfinite(exp_histogram_quantile(&h, 0)));
}
END_TEST

/* ---- the suite ---- */

static TCase *case_counting(void)
{
    TCase *tcase = tcase_create("counting");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, every_bucket_counts_what_lies_between_its_bounds, 0, CASES);
    tcase_add_loop_test(tcase, a_downscale_loses_no_count, 0, CASES);
    tcase_add_loop_test(tcase, the_scale_is_the_finest_at_which_the_values_fit, 0, CASES);
    tcase_add_test(tcase, all_160_buckets_are_used_before_any_merge);
    tcase_add_test(tcase, every_finite_double_fits_at_scale_minus_5);
    tcase_add_test(tcase, a_power_of_two_is_the_last_value_of_its_bucket);
    tcase_add_test(tcase, near_a_bound_the_value_decides);
    tcase_add_test(tcase, subnormals_have_buckets_like_all_others);
    return tcase;
}

static TCase *case_merging(void)
{
    TCase *tcase = tcase_create("merging");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, merging_in_any_order_is_observing_it_all, 0, CASES);
    tcase_add_loop_test(tcase, the_order_of_values_does_not_matter, 0, CASES);
    tcase_add_test(tcase, an_empty_one_adds_nothing);
    return tcase;
}

static TCase *case_questions(void)
{
    TCase *tcase = tcase_create("questions");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, powers_of_two_and_zero_are_exact, 0, CASES);
    tcase_add_loop_test(tcase, other_bounds_err_by_one_bucket_at_most, 0, CASES);
    tcase_add_loop_test(tcase, a_bound_never_loses_values_while_more_arrive, 0, CASES);
    tcase_add_loop_test(tcase, quantiles_are_within_the_error_they_state, 0, CASES);
    tcase_add_test(tcase, quantiles_of_smooth_data_are_much_nearer);
    tcase_add_test(tcase, the_error_follows_the_scale);
    tcase_add_test(tcase, an_empty_histogram_has_no_quantile);
    tcase_add_test(tcase, a_single_value_is_every_quantile);
    tcase_add_test(tcase, a_quantile_is_the_value_of_rank_ceil);
    tcase_add_test(tcase, a_lone_value_is_taken_for_the_middle_of_its_bucket);
    tcase_add_test(tcase, the_outermost_quantiles_are_doubles_still);
    return tcase;
}

Suite *exp_histogram_suite(void)
{
    Suite *suite = suite_create("exp_histogram");
    suite_add_tcase(suite, case_counting());
    suite_add_tcase(suite, case_merging());
    suite_add_tcase(suite, case_questions());
    return suite;
}
