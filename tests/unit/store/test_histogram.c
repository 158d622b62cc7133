/* test_histogram.c: the grid beside counting each value, and the open window beside the grid. */
#include "store/histogram.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <float.h>
#include <math.h>

Suite *histogram_suite(void);

static double bound_of(int k)
{
    return ldexp(1, 2 * (HISTOGRAM_GRID_MIN + k));
}

static unsigned place_of(double value)
{
    unsigned k = 0;
    while (k < HISTOGRAM_GRID_BOUNDS && value > bound_of((int)k))
        k++;
    return k;
}

static void check_place(double value)
{
    struct histogram histogram;
    histogram_init(&histogram);
    histogram_observe(&histogram, value);
    for (unsigned k = 0; k <= HISTOGRAM_GRID_BOUNDS; k++)
        ck_assert_msg(histogram.grid[k] == (k == place_of(value)), "%.17g", value);
    ck_assert_uint_eq(exp_histogram_count(&histogram.open), 1);
}

START_TEST(a_value_is_at_the_first_bound_it_does_not_exceed)
{
    const double odd[] = {0, -0.0, -1, -DBL_MAX, DBL_TRUE_MIN, DBL_MIN, DBL_MAX, 1, 3, 5, 1e300};
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        check_place(odd[i]);
    for (int k = 0; k < HISTOGRAM_GRID_BOUNDS; k++) {
        check_place(bound_of(k));
        check_place(nextafter(bound_of(k), 0));
        check_place(nextafter(bound_of(k), INFINITY));
        check_place(bound_of(k) * 2);
    }
}
END_TEST

START_TEST(values_are_counted_once_whatever_is_sealed)
{
    struct random draw = {.state = TEST_SEED};
    struct histogram histogram;
    uint64_t expected[HISTOGRAM_GRID_BOUNDS + 1] = {0};
    struct exp_histogram open;
    histogram_init(&histogram);
    exp_histogram_init(&open);
    for (int i = 0; i < 5000; i++) {
        double value =
            ldexp((double)random_below(&draw, 1000) - 100, (int)random_below(&draw, 50) - 30);
        expected[place_of(value)]++;
        ck_assert_uint_eq(histogram_observe(&histogram, value),
                          exp_histogram_observe(&open, value));
        if (random_below(&draw, 100) == 0) {
            histogram_seal(&histogram);
            exp_histogram_init(&open);
        }
        ck_assert_mem_eq(&histogram.open, &open, sizeof open);
    }
    ck_assert_mem_eq(histogram.grid, expected, sizeof expected);
}
END_TEST

Suite *histogram_suite(void)
{
    Suite *suite = suite_create("histogram");
    TCase *all = tcase_create("all");
    tcase_add_test(all, a_value_is_at_the_first_bound_it_does_not_exceed);
    tcase_add_test(all, values_are_counted_once_whatever_is_sealed);
    suite_add_tcase(suite, all);
    return suite;
}
