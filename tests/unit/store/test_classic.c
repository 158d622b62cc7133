/* test_classic.c: bounds in common add up exactly, and the others are counted as lost. */
#include "store/classic.h"

#include "base/random.h"
#include "support.h"

#include <check.h>

Suite *classic_suite(void);

#define BOUNDS 8 /* that a child may draw from */

static struct classic classic;

static void setup(void)
{
    classic_init(&classic);
}

static uint32_t add(const char *words)
{
    char text[512];
    snprintf(text, sizeof text, "h %s", words);
    return classic_add(&classic, test_sample(KIND_CLASSIC, text).child);
}

/* "0.5:3/1 1:5/2": bounds, totals and what is in the open window. */
static void check(const char *expected)
{
    struct test_text text = {0};
    for (uint32_t i = 0; i < classic.bound_count; i++)
        test_print(&text, "%s%g:%g/%g", i > 0 ? " " : "", classic.bounds[i], classic.totals[i],
                   classic.open[i]);
    ck_assert_str_eq(text.at == NULL ? "" : text.at, expected);
    test_text_end(&text);
}

START_TEST(children_of_the_same_bounds_add_up)
{
    ck_assert_uint_eq(add("0.5:1 1:2 +Inf:3"), 0);
    ck_assert_uint_eq(add("0.5:10 1:20 +Inf:30"), 0);
    check("0.5:11/11 1:22/22");
    classic_seal(&classic);
    check("0.5:11/0 1:22/0");
    ck_assert_uint_eq(add("0.5:1 1:1 +Inf:1"), 0);
    check("0.5:12/1 1:23/1");
}
END_TEST

START_TEST(bounds_that_not_both_have_are_lost)
{
    ck_assert_uint_eq(add("1:5 2:7 +Inf:10"), 0);
    ck_assert_uint_eq(add("2:3 +Inf:4"), 1);
    check("2:10/10");
    ck_assert_uint_eq(add("1:1 2:1 3:1 +Inf:4"), 2);
    check("2:11/11");
    ck_assert_uint_eq(add("5:1 +Inf:4"), 2);
    check("");
    ck_assert(classic.has_buckets);
    ck_assert_uint_eq(add("5:1 +Inf:4"), 1); /* nothing is in common for good */
    check("");
}
END_TEST

START_TEST(the_first_buckets_bring_their_bounds)
{
    ck_assert_uint_eq(add("sum=5 9"), 0);
    ck_assert(!classic.has_buckets);
    ck_assert_uint_eq(add("1:5 2:7 +Inf:10"), 0);
    ck_assert_uint_eq(add("sum=5 9"), 0);
    check("1:5/5 2:7/7");
}
END_TEST

START_TEST(buckets_of_infinity_alone_leave_no_bound)
{
    ck_assert_uint_eq(add("+Inf:10"), 0);
    ck_assert(classic.has_buckets);
    ck_assert_uint_eq(add("1:5 2:7 +Inf:10"), 2);
    check("");
}
END_TEST

START_TEST(bounds_are_compared_by_value)
{
    ck_assert_uint_eq(add("-1:1 0:2 0.1:3 +Inf:3"), 0);
    ck_assert_uint_eq(add("-1:1 -0:2 1e-1:3 +Inf:3"), 0);
    check("-1:2/2 0:4/4 0.1:6/6");
}
END_TEST

/* What was drawn for one series, each bound by itself. */
struct model {
    bool begun;
    bool has[BOUNDS];
    double totals[BOUNDS];
    double open[BOUNDS];
};

static uint32_t model_add(struct model *model, const bool has[BOUNDS], const double counts[BOUNDS])
{
    uint32_t lost = 0;
    for (int i = 0; i < BOUNDS; i++) {
        lost += model->begun && model->has[i] != has[i];
        model->has[i] = has[i] && (model->has[i] || !model->begun);
        model->totals[i] += counts[i];
        model->open[i] += counts[i];
    }
    model->begun = true;
    return lost;
}

static struct child draw_child(struct random *draw, struct model *model, uint32_t *lost)
{
    static double bounds[BOUNDS], counts[BOUNDS];
    bool has[BOUNDS] = {false};
    double by_bound[BOUNDS] = {0};
    struct child child = {
        .has_buckets = true, .has_count = true, .bounds = bounds, .counts = counts};
    for (int i = 0; i < BOUNDS; i++) {
        has[i] = random_below(draw, 12) != 0;
        child.count += (double)random_below(draw, 5);
        by_bound[i] = child.count;
        if (!has[i])
            continue;
        bounds[child.bound_count] = i;
        counts[child.bound_count++] = child.count;
    }
    *lost = model_add(model, has, by_bound);
    return child;
}

static void check_model(const struct model *model)
{
    uint32_t at = 0;
    for (int i = 0; i < BOUNDS; i++) {
        if (!model->has[i])
            continue;
        CHECK_THAT(at < classic.bound_count && classic.bounds[at] == i);
        CHECK_THAT(classic.totals[at] == model->totals[i] && classic.open[at] == model->open[i]);
        CHECK_THAT(at == 0 || classic.totals[at] >= classic.totals[at - 1]);
        at++;
    }
    CHECK_THAT(at == classic.bound_count);
    for (; at < CHILD_BOUNDS_MAX; at++)
        CHECK_THAT(classic.bounds[at] == 0 && classic.totals[at] == 0 && classic.open[at] == 0);
}

START_TEST(it_agrees_with_counting_each_bound_by_itself)
{
    struct random draw = {.state = TEST_SEED + (uint64_t)_i};
    struct model model = {0};
    for (int step = 0; step < 30; step++) {
        uint32_t lost;
        struct child child = draw_child(&draw, &model, &lost);
        CHECK_THAT(classic_add(&classic, &child) == lost);
        if (random_below(&draw, 5) == 0) {
            classic_seal(&classic);
            memset(model.open, 0, sizeof model.open);
        }
        check_model(&model);
    }
}
END_TEST

Suite *classic_suite(void)
{
    Suite *suite = suite_create("classic");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, NULL);
    tcase_add_test(all, children_of_the_same_bounds_add_up);
    tcase_add_test(all, bounds_that_not_both_have_are_lost);
    tcase_add_test(all, the_first_buckets_bring_their_bounds);
    tcase_add_test(all, buckets_of_infinity_alone_leave_no_bound);
    tcase_add_test(all, bounds_are_compared_by_value);
    tcase_add_loop_test(all, it_agrees_with_counting_each_bound_by_itself, 0, 100);
    suite_add_tcase(suite, all);
    return suite;
}
