/*
 * test_store.c: samples into totals; every limit and what becomes of the totals there; who makes
 * room, and who ends.
 */
#include "store/store.h"

#include "base/random.h"
#include "store/classic.h"
#include "store/histogram.h"
#include "store/unique.h"
#include "support.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

Suite *store_suite(void);

#define WINDOW_MS 10000
#define IDLE_MIN 30000
#define EXPIRE_AFTER 120000

static struct settings settings;
static struct test_world world;
static struct store store;
static int64_t now_ms;

static void setup(void)
{
    test_settings(&settings);
    settings.series_idle_min = IDLE_MIN;
    settings.series_expire_after = EXPIRE_AFTER;
    now_ms = TEST_START_MS;
}

/* With the settings as the test has changed them. */
static void begin(void)
{
    test_store_begin(&world, &store, &settings);
}

static void teardown(void)
{
    if (world.memory == NULL)
        return;
    test_store_verify(&world, &store);
    test_world_end(&world);
}

/* ---- words for what the tests do ---- */

static enum status apply_sample(struct sample sample, struct store_outcome *outcome)
{
    *outcome = (struct store_outcome){0};
    return store_apply(&store, &sample, now_ms, outcome);
}

/* Applies a sample that nothing refuses; true when it went to an overflow series. */
static bool apply(enum kind kind, const char *text)
{
    struct store_outcome outcome;
    enum status status = apply_sample(test_sample(kind, text), &outcome);
    if (status != STATUS_OK)
        ck_abort_msg("%s: %s", text, outcome.conflict);
    return outcome.overflowed;
}

/* "name" + number as a label + value. */
static bool apply_nth(enum kind kind, const char *name, unsigned n, int value)
{
    char text[128];
    snprintf(text, sizeof text, "%s{n=\"%u\"} %d", name, n, value);
    return apply(kind, text);
}

static uint32_t family_of(const char *name)
{
    uint32_t family = test_family_find(&store, bytes_of(name));
    ck_assert_msg(family != SLOT_NONE, "no family %s", name);
    return family;
}

static const struct series *series_of(const char *family, const char *labels)
{
    uint32_t slot = test_series_find(&store, family_of(family), bytes_of(labels));
    ck_assert_msg(slot != SLOT_NONE, "no series %s{%s}", family, labels);
    return store_series(&store, slot);
}

static bool has_series(const char *family, const char *labels)
{
    uint32_t slot = test_family_find(&store, bytes_of(family));
    return slot != SLOT_NONE && test_series_find(&store, slot, bytes_of(labels)) != SLOT_NONE;
}

static bool has_nth(const char *family, unsigned n)
{
    char labels[32];
    snprintf(labels, sizeof labels, "n=\"%u\"", n);
    return has_series(family, labels);
}

static uint64_t refusals(enum pool pool)
{
    return ledger_figures(&world.ledger, pool).refusals;
}

static uint32_t series_in(const char *family)
{
    return store_family(&store, family_of(family))->series_count;
}

/* ---- totals ---- */

START_TEST(a_counter_is_the_sum_of_its_increments)
{
    begin();
    apply(KIND_COUNTER, "hits{a=\"1\"} 5");
    apply(KIND_COUNTER, "hits{a=\"1\"} 7");
    apply(KIND_COUNTER, "hits{a=\"2\"} 100");
    apply(KIND_COUNTER, "hits 1000");
    ck_assert(series_total(series_of("hits", "a=\"1\"")) == 12);
    ck_assert_uint_eq(series_of("hits", "a=\"1\"")->count, 2);
    ck_assert(series_total(series_of("hits", "a=\"2\"")) == 100);
    ck_assert(series_total(series_of("hits", "")) == 1000);
    ck_assert_uint_eq(series_in("hits"), 3);
    ck_assert_uint_eq(store.created_series, 3);
}
END_TEST

START_TEST(small_increments_are_not_lost_in_a_large_total)
{
    begin();
    apply(KIND_COUNTER, "hits 9007199254740992"); /* 2^53: adding 1 to it changes nothing */
    for (int i = 0; i < 1000; i++)
        apply(KIND_COUNTER, "hits 1");
    ck_assert(series_total(series_of("hits", "")) == 9007199254740992.0 + 1000);
    apply(KIND_COUNTER, "tenths 1e16");
    for (int i = 0; i < 10000; i++)
        apply(KIND_COUNTER, "tenths 0.1");
    ck_assert(series_total(series_of("tenths", "")) == 1e16 + 1000);
    /* nor a small total in a large value */
    apply(KIND_SUMMARY, "s sum=0.5");
    apply(KIND_SUMMARY, "s sum=1e17");
    apply(KIND_SUMMARY, "s sum=-1e17");
    ck_assert(series_total(series_of("s", "")) == 0.5);
}
END_TEST

START_TEST(a_total_stays_a_number)
{
    begin();
    for (int i = 0; i < 5; i++)
        apply(KIND_COUNTER, "hits 1.7e308");
    ck_assert(series_total(series_of("hits", "")) == 1.7e308);
    ck_assert_uint_eq(series_of("hits", "")->count, 5);
    ck_assert_uint_eq(store.saturated_samples, 4);
    apply(KIND_COUNTER, "hits 1");
    ck_assert(series_total(series_of("hits", "")) >= 1.7e308);
    ck_assert(series_of("hits", "")->open.sum == 1.7e308);
    ck_assert_uint_eq(store.saturated_samples, 4);
    /* each of sum and observations for itself, and the sample is counted once */
    apply(KIND_CLASSIC, "h sum=1.7e308 1:1.7e308 +Inf:1.7e308");
    apply(KIND_CLASSIC, "h sum=1.7e308 1:1.7e308 +Inf:1.7e308");
    apply(KIND_CLASSIC, "h sum=-1.7e308 1:1.7e308 +Inf:1.7e308");
    ck_assert(series_total(series_of("h", "")) == 0);
    ck_assert(series_of("h", "")->observed == 1.7e308);
    ck_assert(store_classic(&store, series_of("h", ""))->totals[0] == 1.7e308);
    ck_assert_uint_eq(store.saturated_samples, 6);
}
END_TEST

/* What a window comes to may leave the range where the total does not. */
START_TEST(what_a_window_comes_to_stays_a_number)
{
    begin();
    apply(KIND_HISTOGRAM, "h -1.7e308");
    store_seal(&store, test_series_find(&store, family_of("h"), BYTES("")));
    apply(KIND_HISTOGRAM, "h 1e308");
    apply(KIND_HISTOGRAM, "h 1e308"); /* the total would be 3e307, the window 2e308 */
    ck_assert(isfinite(series_of("h", "")->open.sum));
    ck_assert(series_of("h", "")->open.sum == 1e308);
    ck_assert_uint_eq(series_of("h", "")->open.count, 2);
    apply(KIND_GAUGE, "g 1.7e308");
    apply(KIND_GAUGE, "g 1.7e308");
    ck_assert(series_of("g", "")->open.sum == 1.7e308);
    ck_assert_uint_eq(series_of("g", "")->open.count, 1); /* its average is right */
    ck_assert_uint_eq(store.saturated_samples, 2);
}
END_TEST

static void apply_gauge(const char *text, int64_t timestamp_ms)
{
    struct store_outcome outcome;
    struct sample sample = test_sample(KIND_GAUGE, text);
    sample.timestamp_ms = timestamp_ms;
    ck_assert_int_eq(apply_sample(sample, &outcome), STATUS_OK);
}

START_TEST(a_gauge_is_its_last_value_by_timestamp)
{
    begin();
    now_ms += 60000;
    apply_gauge("g 1", now_ms - 1000);
    apply_gauge("g 2", now_ms - 2000); /* older: no news */
    ck_assert(series_of("g", "")->last == 1);
    apply_gauge("g 3", now_ms - 1000); /* as old: the later one stands */
    ck_assert(series_of("g", "")->last == 3);
    apply_gauge("g 4", now_ms + 3600000); /* ahead of the clock counts as now */
    ck_assert(series_of("g", "")->last == 4);
    ck_assert_int_eq(series_of("g", "")->last_ms, now_ms);
    apply_gauge("g 5", TIMESTAMP_NONE);
    ck_assert(series_of("g", "")->last == 5);
    apply_gauge("g -Inf", TIMESTAMP_NONE);
    ck_assert(series_of("g", "")->last == -INFINITY);
    apply_gauge("g NaN", TIMESTAMP_NONE);
    ck_assert(isnan(series_of("g", "")->last));
    ck_assert_uint_eq(series_of("g", "")->count, 7);
    ck_assert(series_total(series_of("g", "")) == 0);
    apply_gauge("old 7", -5000); /* the first value stands, however old */
    ck_assert(series_of("old", "")->last == 7);
}
END_TEST

START_TEST(a_sample_older_than_the_open_window_is_late)
{
    begin();
    now_ms += 3 * WINDOW_MS + 5000; /* windows are counted from the epoch, and the start is one's */
    apply_gauge("g 1", TIMESTAMP_NONE);
    apply_gauge("g 1", now_ms);
    apply_gauge("g 1", now_ms - 5000);
    apply_gauge("g 1", now_ms + 60000);
    ck_assert_uint_eq(store.late_samples, 0);
    apply_gauge("g 1", now_ms - 5001);
    apply_gauge("g 1", 0);
    ck_assert_uint_eq(store.late_samples, 2);
}
END_TEST

START_TEST(a_histogram_holds_its_values)
{
    struct histogram expected;
    begin();
    histogram_init(&expected);
    for (int value = -50; value < 1000; value += 7) {
        apply_nth(KIND_HISTOGRAM, "seconds", 1, value);
        histogram_observe(&expected, value);
    }
    const struct series *series = series_of("seconds", "n=\"1\"");
    ck_assert_mem_eq(store_histogram(&store, series), &expected, sizeof expected);
    ck_assert(series_total(series) == 150 * (-50 + 993) / 2.0);
    ck_assert_uint_gt(store.histogram_downscales, 0);
}
END_TEST

START_TEST(a_set_counts_what_differs)
{
    struct unique expected;
    begin();
    unique_init(&expected);
    for (int i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof text, "users %d", i % 300);
        struct sample sample = test_sample(KIND_SET, text);
        unique_add(&expected, sample.member);
        apply(KIND_SET, text);
    }
    const struct series *series = series_of("users", "");
    ck_assert_mem_eq(store_set(&store, series), &expected, sizeof expected);
    ck_assert_uint_eq(series->count, 1000);
}
END_TEST

START_TEST(children_of_a_histogram_and_a_summary_add_up)
{
    begin();
    for (int i = 0; i < 3; i++) {
        apply(KIND_CLASSIC, "h{a=\"b\"} sum=-1 1:2 +Inf:5");
        apply(KIND_SUMMARY, "s sum=10 4");
    }
    const struct series *h = series_of("h", "a=\"b\"");
    ck_assert(h->observed == 15);
    ck_assert(series_total(h) == -3);
    ck_assert_uint_eq(h->count, 3);
    ck_assert_uint_eq(store_classic(&store, h)->bound_count, 1);
    ck_assert(store_classic(&store, h)->totals[0] == 6);
    ck_assert(series_total(series_of("s", "")) == 30);
    ck_assert(series_of("s", "")->observed == 12);
    ck_assert_uint_eq(series_in("h"), 1);
    ck_assert_uint_eq(series_in("s"), 1);
}
END_TEST

/* Bounds that all pushes had add up; those that some lacked are lost, and the loss is told. */
START_TEST(bounds_that_some_pushes_lack_are_lost_and_counted)
{
    begin();
    apply(KIND_CLASSIC, "h 1:5 2:7 +Inf:10");
    ck_assert_uint_eq(store.lost_bounds, 0);
    apply(KIND_CLASSIC, "h 2:3 +Inf:4");
    const struct classic *classic = store_classic(&store, series_of("h", ""));
    ck_assert_uint_eq(classic->bound_count, 1);
    ck_assert(classic->bounds[0] == 2 && classic->totals[0] == 10);
    ck_assert(series_of("h", "")->observed == 14);
    ck_assert_uint_eq(store.lost_bounds, 1);
    apply(KIND_CLASSIC, "h{other=\"bounds\"} 1:5 +Inf:10"); /* another child */
    apply(KIND_CLASSIC, "i 1:5 +Inf:10");
    apply(KIND_CLASSIC, "i 2:3 +Inf:4");
    classic = store_classic(&store, series_of("i", ""));
    ck_assert_uint_eq(classic->bound_count, 0);
    ck_assert(classic->has_buckets && series_of("i", "")->observed == 14);
    ck_assert_uint_eq(store_family(&store, family_of("h"))->lost_bounds, 1);
    ck_assert_uint_eq(store_family(&store, family_of("i"))->lost_bounds, 2);
    ck_assert_uint_eq(store.lost_bounds, 3);
}
END_TEST

START_TEST(bounds_that_a_child_was_thinned_by_are_lost_too)
{
    struct store_outcome outcome;
    begin();
    struct sample sample = test_sample(KIND_CLASSIC, "h 1:5 2:7 +Inf:10");
    struct child child = *sample.child;
    child.lost_bounds = 7;
    sample.child = &child;
    ck_assert_int_eq(apply_sample(sample, &outcome), STATUS_OK);
    ck_assert_uint_eq(store_family(&store, family_of("h"))->lost_bounds, 7);
    ck_assert_uint_eq(store.lost_bounds, 7);
}
END_TEST

START_TEST(a_count_by_itself_counts_until_there_are_buckets)
{
    begin();
    apply(KIND_CLASSIC, "h 3");
    ck_assert(series_of("h", "")->observed == 3);
    apply(KIND_CLASSIC, "h sum=2 1:1 +Inf:4");
    apply(KIND_CLASSIC, "h 4"); /* _count of what +Inf has told */
    ck_assert(series_of("h", "")->observed == 7);
    apply(KIND_CLASSIC, "h sum=2"); /* nothing says how many */
    ck_assert(series_of("h", "")->observed == 7);
    ck_assert(series_total(series_of("h", "")) == 4);
}
END_TEST

/* Sum and count without buckets: only +Inf is in both. */
START_TEST(observations_without_buckets_are_none_lost)
{
    begin();
    apply(KIND_CLASSIC, "h sum=2 1:1 2:3 +Inf:4");
    apply(KIND_CLASSIC, "h sum=20 40");
    const struct series *series = series_of("h", "");
    ck_assert(series->observed == 44);
    ck_assert(series_total(series) == 22);
    ck_assert_uint_eq(store_classic(&store, series)->bound_count, 0);
    ck_assert_uint_eq(store.lost_bounds, 2);
}
END_TEST

/* ---- the open window ---- */

START_TEST(each_sample_is_in_the_open_window_too)
{
    begin();
    apply(KIND_COUNTER, "hits 5");
    apply(KIND_COUNTER, "hits 2");
    apply(KIND_HISTOGRAM, "h -1");
    apply(KIND_HISTOGRAM, "h 3");
    apply(KIND_CLASSIC, "c sum=2 1:1 +Inf:4");
    apply(KIND_SUMMARY, "s sum=2 3");
    apply(KIND_SET, "u a");
    apply(KIND_SET, "u a");
    const struct open_window *open = &series_of("hits", "")->open;
    ck_assert(open->sum == 7 && open->min == 2 && open->max == 5 && open->count == 2);
    open = &series_of("h", "")->open;
    ck_assert(open->sum == 2 && open->min == -1 && open->max == 3 && open->count == 2);
    open = &series_of("c", "")->open;
    ck_assert(open->sum == 2 && open->observed == 4 && open->count == 1);
    open = &series_of("s", "")->open;
    ck_assert(open->sum == 2 && open->observed == 3 && open->count == 1);
    ck_assert_uint_eq(series_of("u", "")->open.count, 2);
}
END_TEST

START_TEST(gauges_that_are_no_numbers_are_in_no_window)
{
    begin();
    apply(KIND_GAUGE, "g NaN");
    ck_assert_uint_eq(series_of("g", "")->open.count, 0);
    apply(KIND_GAUGE, "g 3");
    apply(KIND_GAUGE, "g -1");
    apply(KIND_GAUGE, "g +Inf");
    const struct open_window *open = &series_of("g", "")->open;
    ck_assert(open->sum == 2 && open->min == -1 && open->max == 3 && open->count == 2);
    ck_assert(series_of("g", "")->last == INFINITY);
    ck_assert_uint_eq(store.saturated_samples, 0);
}
END_TEST

START_TEST(sealing_leaves_the_totals)
{
    static const char *const rest[] = {"h", "c", "u", "hits"};
    begin();
    apply(KIND_HISTOGRAM, "h 3");
    apply(KIND_CLASSIC, "c sum=2 1:1 +Inf:4");
    apply(KIND_SET, "u a");
    apply(KIND_COUNTER, "hits 3");
    for (size_t i = 0; i < COUNT_OF(rest); i++) {
        store_seal(&store, test_series_find(&store, family_of(rest[i]), BYTES("")));
        ck_assert_uint_eq(series_of(rest[i], "")->open.count, 0);
        ck_assert(series_of(rest[i], "")->open.sum == 0);
    }
    ck_assert_uint_eq(exp_histogram_count(&store_histogram(&store, series_of("h", ""))->open), 0);
    ck_assert_uint_eq(store_histogram(&store, series_of("h", ""))->grid[HISTOGRAM_GRID_BOUNDS - 9],
                      1);
    ck_assert(store_classic(&store, series_of("c", ""))->open[0] == 0);
    ck_assert(store_classic(&store, series_of("c", ""))->totals[0] == 1);
    ck_assert(hyperloglog_estimate(&store_set(&store, series_of("u", ""))->open) == 0);
    ck_assert(hyperloglog_estimate(&store_set(&store, series_of("u", ""))->total) > 0.5);
    ck_assert(series_total(series_of("hits", "")) == 3);
    ck_assert(series_of("c", "")->observed == 4);
}
END_TEST

START_TEST(windows_are_as_long_as_the_setting_and_aligned_to_the_epoch)
{
    settings.windows_fine = 7000;
    begin();
    ck_assert_uint_eq(store.window, TEST_START_MS / 7000);
    ck_assert_uint_eq(store.history_floor, store.window);
    int64_t start = store_window_start(&store, store.window);
    ck_assert(start <= now_ms && now_ms < start + 7000 && start % 7000 == 0);
    now_ms = start + 6999;
    apply(KIND_COUNTER, "hits 1");
    uint32_t first = store.window;
    now_ms++;
    apply(KIND_COUNTER, "hits 1");
    ck_assert_uint_eq(store.window, first + 1);
    now_ms -= 50000;
    apply(KIND_COUNTER, "hits 1");
    ck_assert_uint_eq(store.window, first + 1);
}
END_TEST

/*
 * A fingerprint only says where to look: series of one fingerprint are told apart by their bytes.
 */
START_TEST(series_of_one_fingerprint_stay_apart)
{
    char text[64];
    begin();
    for (int round = 1; round <= 3; round++) {
        for (unsigned n = 0; n < 50; n++) {
            struct store_outcome outcome;
            snprintf(text, sizeof text, "%s{n=\"%u\"} %u", n % 2 == 0 ? "even" : "odd", n / 2, n);
            struct sample sample = test_sample(KIND_COUNTER, text);
            sample.fingerprint = n % 3 == 0 ? 0 : (uint64_t)7 << 32;
            ck_assert_int_eq(apply_sample(sample, &outcome), STATUS_OK);
        }
    }
    for (unsigned n = 0; n < 50; n++) {
        snprintf(text, sizeof text, "n=\"%u\"", n / 2);
        ck_assert(series_total(series_of(n % 2 == 0 ? "even" : "odd", text)) == 3 * n);
    }
}
END_TEST

/* ---- names and kinds ---- */

static const char *const one_of_each[KIND_COUNT] = {
    [KIND_COUNTER] = "x 1", [KIND_GAUGE] = "x 1",   [KIND_HISTOGRAM] = "x 1",
    [KIND_SET] = "x 1",     [KIND_CLASSIC] = "x 1", [KIND_SUMMARY] = "x 1",
};

START_TEST(a_family_has_one_kind)
{
    enum kind first = (enum kind)(_i / KIND_COUNT);
    enum kind second = (enum kind)(_i % KIND_COUNT);
    struct store_outcome outcome;
    begin();
    apply(first, one_of_each[first]);
    enum status status = apply_sample(test_sample(second, one_of_each[second]), &outcome);
    ck_assert_int_eq(status, first == second ? STATUS_OK : STATUS_KIND_CONFLICT);
    ck_assert_int_eq(outcome.conflict != NULL && status != STATUS_OK, first != second);
    ck_assert(!outcome.overflowed);
    /* other labels make no difference */
    struct sample other = test_sample(second, one_of_each[second]);
    other.labels = "a=\"b\"";
    other.labels_length = 5;
    other.fingerprint++;
    ck_assert_int_eq(apply_sample(other, &outcome), status);
    ck_assert_uint_eq(series_in("x"), first == second ? 2 : 1);
    const struct series *series = series_of("x", "");
    ck_assert_uint_eq(series->count, first == second ? 2 : 1);
}
END_TEST

struct clash_row {
    enum kind first_kind;
    const char *first;
    enum kind second_kind;
    const char *second;
    bool clashes;
};

static const struct clash_row clash_rows[] = {
    /* a summary stands for _sum and _count, a histogram of either kind for _bucket too */
    {KIND_SUMMARY, "x 1", KIND_COUNTER, "x_sum 1", true},
    {KIND_SUMMARY, "x 1", KIND_COUNTER, "x_count 1", true},
    {KIND_SUMMARY, "x 1", KIND_COUNTER, "x_sum{a=\"b\"} 1", true},
    {KIND_SUMMARY, "x 1", KIND_COUNTER, "x_bucket 1", false},
    {KIND_SUMMARY, "x 1", KIND_GAUGE, "x_total 1", false},
    {KIND_CLASSIC, "x 1", KIND_GAUGE, "x_bucket{le=\"1\"} 1", true},
    {KIND_CLASSIC, "x 1", KIND_GAUGE, "x_count 1", true},
    {KIND_HISTOGRAM, "x 1", KIND_COUNTER, "x_bucket 1", true},
    {KIND_HISTOGRAM, "x 1", KIND_COUNTER, "x_sum 1", true},
    {KIND_HISTOGRAM, "x 1", KIND_SET, "x_count 1", true},
    /* and the other way round */
    {KIND_COUNTER, "x_sum 1", KIND_SUMMARY, "x 1", true},
    {KIND_COUNTER, "x_bucket 1", KIND_SUMMARY, "x 1", false},
    {KIND_GAUGE, "x_bucket 1", KIND_CLASSIC, "x 1", true},
    {KIND_GAUGE, "x_count 1", KIND_HISTOGRAM, "x 1", true},
    /* plain kinds stand for themselves alone */
    {KIND_COUNTER, "x 1", KIND_GAUGE, "x_sum 1", false},
    {KIND_GAUGE, "x_count 1", KIND_COUNTER, "x 1", false},
    {KIND_SET, "x 1", KIND_COUNTER, "x_bucket 1", false},
    {KIND_SUMMARY, "x 1", KIND_COUNTER, "x_sums 1", false},
    {KIND_SUMMARY, "x 1", KIND_COUNTER, "xx_sum 1", false},
    {KIND_SUMMARY, "x_sum 1", KIND_SUMMARY, "x 1", true},
};

START_TEST(clash_row_is_noticed)
{
    const struct clash_row *row = &clash_rows[_i];
    struct store_outcome outcome;
    begin();
    apply(row->first_kind, row->first);
    struct sample second = test_sample(row->second_kind, row->second);
    uint32_t families = store.families.live_count;
    enum status status = apply_sample(second, &outcome);
    ck_assert_int_eq(status, row->clashes ? STATUS_KIND_CONFLICT : STATUS_OK);
    ck_assert_int_eq(outcome.conflict != NULL && row->clashes, row->clashes);
    ck_assert_uint_eq(store.families.live_count, families + !row->clashes);
    ck_assert_uint_eq(store.created_series, row->clashes ? 1 : 2);
}
END_TEST

START_TEST(a_name_is_free_again_when_its_family_is_gone)
{
    struct store_outcome outcome;
    begin();
    apply(KIND_COUNTER, "x_sum 1");
    ck_assert_int_eq(apply_sample(test_sample(KIND_SUMMARY, "x 1"), &outcome),
                     STATUS_KIND_CONFLICT);
    store_delete(&store, test_series_find(&store, family_of("x_sum"), BYTES("")));
    ck_assert_uint_eq(test_family_find(&store, BYTES("x_sum")), SLOT_NONE);
    ck_assert(!apply(KIND_SUMMARY, "x 1"));
}
END_TEST

/* ---- what a family says of itself ---- */

static bool apply_described(const char *text, const char *help, const char *unit)
{
    struct store_outcome outcome;
    struct declaration declaration = {bytes_of(help), bytes_of(unit)};
    struct sample sample = test_sample(KIND_GAUGE, text);
    sample.declaration = &declaration;
    ck_assert_int_eq(apply_sample(sample, &outcome), STATUS_OK);
    return outcome.overflowed;
}

static void check_described(const char *name, const char *help, const char *unit)
{
    const struct family *family = store_family(&store, family_of(name));
    ck_assert(label_equal(&store.labels, family->help, bytes_of(help)));
    ck_assert(label_equal(&store.labels, family->unit, bytes_of(unit)));
}

START_TEST(help_and_unit_are_kept_and_replaced)
{
    begin();
    apply(KIND_GAUGE, "g 1");
    check_described("g", "", "");
    apply_described("g 1", "A text.", "seconds");
    check_described("g", "A text.", "seconds");
    apply_described("g 1", "", "");
    check_described("g", "A text.", "seconds"); /* silence takes nothing back */
    apply_described("g 1", "Another, and a longer text than a block of sixty bytes can hold.", "s");
    check_described("g", "Another, and a longer text than a block of sixty bytes can hold.", "s");
    uint64_t live = ledger_figures(&world.ledger, POOL_LABELS).live_bytes;
    apply_described("g 1", "Another, and a longer text than a block of sixty bytes can hold.", "s");
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_LABELS).live_bytes, live);
}
END_TEST

START_TEST(texts_end_with_their_family)
{
    begin();
    uint64_t live = ledger_figures(&world.ledger, POOL_LABELS).live_bytes;
    apply_described("g 1", "A text that is longer than the sixty bytes of a single block.", "s");
    store_delete(&store, test_series_find(&store, family_of("g"), BYTES("")));
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_LABELS).live_bytes, live);
    apply(KIND_GAUGE, "g 1");
    check_described("g", "", "");
}
END_TEST

/* The overflow families are everybody's: what one metric says of itself is not true of them. */
START_TEST(an_overflow_family_is_not_described)
{
    settings.limits_families = 1;
    begin();
    apply(KIND_COUNTER, "hits 1");
    ck_assert(apply_described("g 1", "About g.", "s"));
    check_described("mayfly_overflow_gauge", "", "");
}
END_TEST

/* Where there is no room for a text, even series that are idle keep theirs. */
START_TEST(a_text_for_people_costs_no_series_its_room)
{
    char help[256];
    settings.series_label_bytes = 64 * 64;
    begin();
    memset(help, 'h', 250); /* five blocks */
    help[250] = '\0';
    apply(KIND_GAUGE, "g 1");
    for (unsigned n = 0; store.labels.free_count > 2; n++)
        apply_nth(KIND_COUNTER, "filler", n, 1);
    uint32_t filled = series_in("filler");
    now_ms += IDLE_MIN + 2 * WINDOW_MS;
    ck_assert(!apply_described("g 1", help, "seconds"));
    check_described("g", "", "seconds"); /* what fits is kept */
    ck_assert_uint_eq(series_in("filler"), filled);
    ck_assert_uint_eq(refusals(POOL_LABELS), 0);
    ck_assert_uint_eq(store.recycled_series, 0);
}
END_TEST

/* ---- limits: each is reached, refused by the right pool, and the totals are right ---- */

static const struct series *overflow_of(const char *family)
{
    const struct series *series = series_of(family, OVERFLOW_LABELS);
    ck_assert(series->is_overflow);
    return series;
}

static double overflow_total(const char *family)
{
    return series_total(overflow_of(family));
}

static double family_total(const char *family)
{
    const struct family *at = store_family(&store, family_of(family));
    double total = at->recycled_sum;
    for (uint32_t slot = at->first; slot != SLOT_NONE; slot = store_series(&store, slot)->next)
        total += series_total(store_series(&store, slot));
    return total;
}

START_TEST(series_max_is_what_is_held_at_most)
{
    settings.series_max = 20;
    begin();
    for (unsigned n = 0; n < 20; n++)
        ck_assert(!apply_nth(KIND_COUNTER, n % 2 == 0 ? "even" : "odd", n, 1));
    ck_assert_uint_eq(refusals(POOL_SERIES), 0);
    for (unsigned n = 20; n < 30; n++)
        ck_assert(apply_nth(KIND_COUNTER, n % 2 == 0 ? "even" : "odd", n, 1));
    ck_assert(apply_nth(KIND_COUNTER, "fresh", 1, 1)); /* the family is made, its series is not */
    ck_assert(!apply_nth(KIND_COUNTER, "odd", 7, 1));  /* who is there is served */
    ck_assert_uint_eq(refusals(POOL_SERIES), 11);
    ck_assert_uint_eq(store.series_count, 20);
    ck_assert_uint_eq(store.overflowed_samples, 11);
    ck_assert_uint_eq(store.overflowed_families, 0);
    ck_assert_uint_eq(store.recycled_series, 0);
    ck_assert(family_total("even") == 15);
    ck_assert(family_total("odd") == 16);
    ck_assert(overflow_total("odd") == 5);
    ck_assert_uint_eq(store_family(&store, family_of("odd"))->overflowed, 5);
    ck_assert(overflow_total("fresh") == 1);
    ck_assert(series_total(series_of("fresh", "otel_metric_overflow=\"true\"")) == 1);
}
END_TEST

/* However many series one family has, every family finds its overflow series when it is born. */
START_TEST(one_family_cannot_take_the_overflow_of_others)
{
    settings.series_max = 50;
    settings.limits_families = 20;
    begin();
    for (unsigned n = 0; n < 500; n++)
        apply_nth(KIND_COUNTER, "greedy", n, 1);
    for (unsigned n = 0; n < 19; n++) {
        char text[64];
        snprintf(text, sizeof text, "late%u sum=1 1", n);
        ck_assert(apply(KIND_SUMMARY, text));
        snprintf(text, sizeof text, "late%u", n);
        ck_assert(overflow_total(text) == 1);
    }
    ck_assert_uint_eq(store.overflowed_families, 0);
    ck_assert(family_total("greedy") == 500);
}
END_TEST

START_TEST(label_blocks_are_a_limit)
{
    settings.series_label_bytes = 64 * 64; /* 64 blocks */
    begin();
    unsigned n = 0;
    while (!apply_nth(KIND_COUNTER, "hits", n, 1))
        n++;
    ck_assert_uint_gt(n, 20);
    ck_assert_uint_eq(store.labels.free_count, 0);
    ck_assert_uint_eq(refusals(POOL_LABELS), 1);
    ck_assert_uint_eq(refusals(POOL_SERIES), 0);
    ck_assert(overflow_total("hits") == 1);
    ck_assert(family_total("hits") == n + 1);
    /* a family's name wants room as well: it goes to the overflow family of its kind */
    ck_assert(apply(KIND_GAUGE, "another 5"));
    ck_assert_uint_eq(test_family_find(&store, BYTES("another")), SLOT_NONE);
    ck_assert_uint_eq(store.overflowed_families, 1);
    ck_assert(series_of("mayfly_overflow_gauge", "otel_metric_overflow=\"true\"")->last == 5);
    ck_assert_uint_eq(refusals(POOL_LABELS), 2);
}
END_TEST

START_TEST(histograms_are_a_limit)
{
    struct histogram expected;
    settings.histograms_max = 10;
    begin();
    histogram_init(&expected);
    /* one for the overflow family, one for the overflow series of this one */
    for (unsigned n = 0; n < 8; n++)
        ck_assert(!apply_nth(KIND_HISTOGRAM, "seconds", n, 1));
    for (unsigned n = 8; n < 20; n++) {
        ck_assert(apply_nth(KIND_HISTOGRAM, "seconds", n, (int)n));
        histogram_observe(&expected, n);
    }
    ck_assert_uint_eq(refusals(POOL_HISTOGRAMS), 12);
    const struct series *overflow = series_of("seconds", "otel_metric_overflow=\"true\"");
    ck_assert_mem_eq(store_histogram(&store, overflow), &expected, sizeof expected);
    ck_assert(family_total("seconds") == 8 + (8 + 19) * 12 / 2.0);
    /*
     * no histogram left for the overflow series of another family: the overflow family of the kind
     */
    ck_assert(apply(KIND_HISTOGRAM, "others 5"));
    ck_assert_uint_eq(test_family_find(&store, BYTES("others")), SLOT_NONE);
    ck_assert(overflow_total("mayfly_overflow_histogram") == 5);
    /* nor does it concern anybody else */
    ck_assert(!apply(KIND_COUNTER, "counter 5"));
}
END_TEST

START_TEST(sets_are_a_limit)
{
    struct unique expected;
    settings.sets_max = 4;
    begin();
    unique_init(&expected);
    ck_assert(!apply_nth(KIND_SET, "users", 0, 1));
    ck_assert(!apply_nth(KIND_SET, "users", 1, 1));
    for (unsigned n = 2; n < 50; n++) {
        char text[64];
        snprintf(text, sizeof text, "users{n=\"%u\"} m%u", n, n % 20);
        unique_add(&expected, test_sample(KIND_SET, text).member);
        ck_assert(apply(KIND_SET, text));
    }
    ck_assert_uint_eq(refusals(POOL_SETS), 48);
    const struct series *overflow = series_of("users", "otel_metric_overflow=\"true\"");
    ck_assert_mem_eq(store_set(&store, overflow), &expected, sizeof expected);
    ck_assert(apply(KIND_SET, "others x"));
    const struct series *all = series_of("mayfly_overflow_set", "otel_metric_overflow=\"true\"");
    ck_assert(round(hyperloglog_estimate(&store_set(&store, all)->total)) == 1);
}
END_TEST

/* Beyond limits.families, a sample goes to the overflow family of its kind, whatever that is. */
START_TEST(families_are_a_limit_for_each_kind)
{
    enum kind kind = (enum kind)_i;
    static const char *const overflow[KIND_COUNT] = {
        "mayfly_overflow_total",
        "mayfly_overflow_gauge",
        "mayfly_overflow_histogram",
        "mayfly_overflow_set",
        "mayfly_overflow_classic_histogram",
        "mayfly_overflow_summary",
    };
    settings.limits_families = 16;
    begin();
    for (unsigned n = 0; n < 16; n++) {
        char text[64];
        snprintf(text, sizeof text, "family%u 1", n);
        ck_assert(!apply(KIND_COUNTER, text));
    }
    ck_assert_uint_eq(refusals(POOL_FAMILIES), 0);
    for (int i = 0; i < 5; i++)
        ck_assert(apply(kind, one_of_each[kind]));
    ck_assert_uint_eq(test_family_find(&store, BYTES("x")), SLOT_NONE);
    ck_assert_uint_eq(refusals(POOL_FAMILIES), 5);
    ck_assert_uint_eq(store.overflowed_families, 5);
    ck_assert_uint_eq(store_family(&store, family_of(overflow[kind]))->overflowed, 5);
    const struct series *total = overflow_of(overflow[kind]);
    bool observes = kind == KIND_CLASSIC || kind == KIND_SUMMARY;
    bool adds = kind == KIND_COUNTER || kind == KIND_HISTOGRAM;
    ck_assert(series_total(total) == (adds ? 5 : 0));
    ck_assert(!observes || total->observed == 5);
    /* whoever has a family is served */
    ck_assert(!apply(KIND_COUNTER, "family3{a=\"b\"} 1"));
}
END_TEST

START_TEST(store_overflow_takes_any_name)
{
    begin();
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct sample sample = test_sample((enum kind)kind, one_of_each[kind]);
        store_overflow(&store, &sample, now_ms);
    }
    ck_assert_uint_eq(store.overflowed_samples, KIND_COUNT);
    ck_assert_uint_eq(store.overflowed_families, KIND_COUNT);
    ck_assert(overflow_total("mayfly_overflow_total") == 1);
    ck_assert(overflow_of("mayfly_overflow_summary")->observed == 1);
    ck_assert_uint_eq(store.created_series, 0);
}
END_TEST

/* Of buckets, overflow keeps the bounds that all children share that went there. */
START_TEST(buckets_are_a_limit)
{
    settings.buckets_max = 4; /* two are the overflow series' */
    begin();
    ck_assert(!apply(KIND_CLASSIC, "h sum=3 1:1 2:2 +Inf:2"));
    ck_assert(!apply(KIND_CLASSIC, "h{a=\"a\"} 7:1 +Inf:2"));
    for (int i = 0; i < 3; i++) {
        struct sample sample = test_sample(KIND_CLASSIC, "h{a=\"b\"} sum=30 1:10 5:15 +Inf:20");
        struct store_outcome outcome;
        sample.lines = 5;
        ck_assert_int_eq(apply_sample(sample, &outcome), STATUS_OK);
        ck_assert(outcome.overflowed);
    }
    ck_assert(apply(KIND_CLASSIC, "h{a=\"c\"} 5:1 6:2 +Inf:100"));
    const struct series *overflow = overflow_of("h");
    const struct classic *classic = store_classic(&store, overflow);
    ck_assert_uint_eq(classic->bound_count, 1);
    ck_assert(classic->bounds[0] == 5 && classic->totals[0] == 46);
    ck_assert(overflow->observed == 160);
    ck_assert(series_total(overflow) == 90);
    ck_assert_uint_eq(store_family(&store, family_of("h"))->overflowed, 16); /* lines */
    ck_assert_uint_eq(store_family(&store, family_of("h"))->lost_bounds, 2);
    ck_assert_uint_eq(refusals(POOL_BUCKETS), 4);
    ck_assert(apply(KIND_CLASSIC, "others 1:1 +Inf:2"));
    ck_assert_uint_eq(test_family_find(&store, BYTES("others")), SLOT_NONE);
    ck_assert(overflow_of("mayfly_overflow_classic_histogram")->observed == 2);
    ck_assert(!apply(KIND_SUMMARY, "summary 5")); /* nor does it concern anybody else */
}
END_TEST

/* The overflow label comes back from clients that read /metrics and push what they read. */
START_TEST(a_sample_that_names_the_overflow_series_goes_there)
{
    begin();
    apply(KIND_COUNTER, "hits 1");
    ck_assert(apply(KIND_COUNTER, "hits{otel_metric_overflow=\"true\"} 5"));
    ck_assert(overflow_total("hits") == 5);
    ck_assert_uint_eq(series_in("hits"), 1);
    ck_assert_uint_eq(store.created_series, 1);
}
END_TEST

/* ---- room: who is recycled ---- */

/* Fills the store with series n = 0 .. series_max - 1, each a window later than the one before. */
static void fill_in_turn(void)
{
    for (unsigned n = 0; n < settings.series_max; n++) {
        ck_assert(!apply_nth(KIND_COUNTER, "hits", n, (int)n + 1));
        now_ms += WINDOW_MS;
    }
}

START_TEST(the_longest_idle_makes_room)
{
    settings.series_max = 10;
    begin();
    fill_in_turn();
    apply_nth(KIND_COUNTER, "hits", 0, 1); /* the first one is the newest now */
    now_ms += IDLE_MIN + WINDOW_MS;
    for (unsigned n = 1; n < 5; n++) {
        ck_assert(!apply_nth(KIND_COUNTER, "hits", 100 + n, 1));
        ck_assert(!has_nth("hits", n));
        ck_assert(has_nth("hits", n + 1));
        ck_assert(has_nth("hits", 0));
        ck_assert_uint_eq(store.recycled_series, n);
    }
    const struct family *family = store_family(&store, family_of("hits"));
    ck_assert_uint_eq(family->recycled, 4);
    ck_assert(family->recycled_sum == 2 + 3 + 4 + 5);
    ck_assert(family_total("hits") == 55 + 1 + 4);
    ck_assert_uint_eq(refusals(POOL_SERIES), 0);
    ck_assert_uint_eq(store.series_count, 10);
}
END_TEST

/* Whatever the place in its window of the last sample, and of the one that wants room. */
START_TEST(nobody_idle_for_less_than_idle_min_makes_room)
{
    settings.series_max = 1;
    for (int64_t last = 0; last < WINDOW_MS; last += 1111) {
        begin();
        now_ms = TEST_START_MS + 100 * WINDOW_MS + last;
        apply_nth(KIND_COUNTER, "hits", 1, 1);
        int64_t seen = now_ms;
        for (; now_ms < seen + IDLE_MIN; now_ms += 777)
            ck_assert(apply_nth(KIND_COUNTER, "hits", 2, 1));
        now_ms = seen + IDLE_MIN - 1;
        ck_assert(apply_nth(KIND_COUNTER, "hits", 2, 1));
        ck_assert_uint_eq(store.recycled_series, 0);
        now_ms = seen + IDLE_MIN + 2 * WINDOW_MS; /* idleness is known to a window */
        ck_assert(!apply_nth(KIND_COUNTER, "hits", 2, 1));
        ck_assert_uint_eq(store.recycled_series, 1);
        test_world_end(&world);
    }
}
END_TEST

START_TEST(a_new_series_may_need_the_room_of_several)
{
    settings.series_label_bytes = 64 * 64;
    settings.series_max = 1000;
    begin();
    unsigned n = 0;
    for (; store.labels.free_count > 0; n++)
        ck_assert(!apply_nth(KIND_COUNTER, "hits", n, 1));
    now_ms += IDLE_MIN + 2 * WINDOW_MS;
    char text[512];
    snprintf(text, sizeof text, "hits{n=\"%0300d\"} 1", 7); /* 306 bytes: six blocks */
    ck_assert(!apply(KIND_COUNTER, text));
    ck_assert_uint_eq(store.recycled_series, 6);
    for (unsigned i = 0; i < n; i++)
        ck_assert_int_eq(has_nth("hits", i), i >= 6);
    ck_assert(family_total("hits") == n + 1);
}
END_TEST

START_TEST(a_refusal_costs_nobody_their_series)
{
    settings.series_label_bytes = 64 * 64;
    settings.series_max = 1000;
    begin();
    unsigned n = 0;
    for (; store.labels.free_count > 0; n++) {
        if (n == 10)
            now_ms += IDLE_MIN + 2 * WINDOW_MS;
        ck_assert(!apply_nth(KIND_COUNTER, "hits", n, 1));
    }
    char text[1024];
    snprintf(text, sizeof text, "hits{n=\"%0700d\"} 1", 7); /* twelve blocks; ten are idle */
    ck_assert(apply(KIND_COUNTER, text));
    ck_assert_uint_eq(store.recycled_series, 0);
    ck_assert_uint_eq(refusals(POOL_LABELS), 1);
    for (unsigned i = 0; i < n; i++)
        ck_assert(has_nth("hits", i));
    snprintf(text, sizeof text, "hits{n=\"%0590d\"} 1", 7); /* ten blocks */
    ck_assert(!apply(KIND_COUNTER, text));
    ck_assert_uint_eq(store.recycled_series, 10);
}
END_TEST

/* What lacks is a histogram: plain series, however long idle, have none to give. */
START_TEST(only_a_histogram_makes_room_for_a_histogram)
{
    static const enum kind kinds[] = {KIND_HISTOGRAM, KIND_SET, KIND_CLASSIC};
    enum kind kind = kinds[_i];
    settings.histograms_max = 6;
    settings.buckets_max = 6;
    settings.sets_max = 6;
    begin();
    apply_nth(KIND_COUNTER, "plain", 0, 1);
    now_ms += WINDOW_MS;
    apply_nth(kinds[(_i + 1) % 3], "other", 0, 1);
    now_ms += WINDOW_MS;
    for (unsigned n = 0; n < 4; n++)
        ck_assert(!apply_nth(kind, "seconds", n, 1));
    ck_assert(apply_nth(kind, "seconds", 10, 1));
    now_ms += IDLE_MIN + 2 * WINDOW_MS;
    apply_nth(kind, "seconds", 0, 1);
    ck_assert(!apply_nth(kind, "seconds", 10, 1));
    ck_assert_uint_eq(store.recycled_series, 1);
    ck_assert(has_nth("plain", 0));
    ck_assert(has_nth("other", 0));
    ck_assert(has_nth("seconds", 0));
}
END_TEST

START_TEST(a_family_ends_with_its_last_series)
{
    settings.series_max = 2;
    begin();
    apply(KIND_COUNTER, "first 1");
    apply(KIND_COUNTER, "second 1");
    now_ms += IDLE_MIN + 2 * WINDOW_MS;
    ck_assert(!apply(KIND_COUNTER, "third 1"));
    ck_assert_uint_eq(test_family_find(&store, BYTES("first")), SLOT_NONE);
    ck_assert(!apply(KIND_GAUGE, "first 1")); /* its name and its kind are free */
    ck_assert_uint_eq(test_family_find(&store, BYTES("second")), SLOT_NONE);
}
END_TEST

/* The only series of a family makes room for another of the same family, which goes on. */
START_TEST(a_family_lives_on_when_its_only_series_is_replaced)
{
    settings.series_max = 1;
    begin();
    apply_described("g{n=\"1\"} 1", "text", "s");
    uint32_t family = family_of("g");
    uint32_t generation = slots_generation(&store.families, family);
    now_ms += IDLE_MIN + 2 * WINDOW_MS;
    ck_assert(!apply(KIND_GAUGE, "g{n=\"2\"} 2"));
    ck_assert_uint_eq(family_of("g"), family);
    ck_assert_uint_eq(slots_generation(&store.families, family), generation);
    check_described("g", "text", "s");
    ck_assert_uint_eq(store_family(&store, family)->recycled, 1);
}
END_TEST

START_TEST(a_family_whose_overflow_holds_a_total_stays)
{
    settings.series_max = 1;
    begin();
    apply_nth(KIND_COUNTER, "hits", 1, 1);
    apply_nth(KIND_COUNTER, "hits", 2, 5);
    now_ms += IDLE_MIN + 2 * WINDOW_MS;
    ck_assert(!apply(KIND_COUNTER, "other 1"));
    ck_assert_uint_eq(series_in("hits"), 0);
    ck_assert(family_total("hits") == 6);
}
END_TEST

/* Requests are applied in another order than they began, and a long one much later. */
START_TEST(a_request_that_began_earlier_does_not_turn_back_time)
{
    settings.series_max = 3;
    begin();
    now_ms += 20 * WINDOW_MS;
    apply_nth(KIND_COUNTER, "hits", 1, 1);
    now_ms += 20 * WINDOW_MS;
    apply_nth(KIND_COUNTER, "hits", 2, 1);
    now_ms -= 39 * WINDOW_MS; /* began before either */
    apply_nth(KIND_COUNTER, "hits", 3, 1);
    store_verify(&store);
    apply_nth(KIND_COUNTER, "hits", 2, 1);
    store_verify(&store);
    /* number 2 and 3 were seen last: neither looks idle to a request of any age */
    ck_assert(!apply_nth(KIND_COUNTER, "hits", 4, 1));
    ck_assert(!has_nth("hits", 1));
    ck_assert(apply_nth(KIND_COUNTER, "hits", 5, 1));
    ck_assert_uint_eq(store_expire(&store, now_ms, 10), 0);
    ck_assert_int_eq(store_idle_ms(&store, series_of("hits", "n=\"2\""), now_ms), 0);
    ck_assert_uint_eq(store.recycled_series, 1);
}
END_TEST

/* ---- expiry and deletion ---- */

START_TEST(expiry_drops_who_was_idle_for_longer)
{
    begin();
    for (unsigned n = 0; n < 10; n++) {
        apply_nth(KIND_COUNTER, "hits", n, 1 << n);
        now_ms += WINDOW_MS;
    }
    int64_t first = TEST_START_MS;
    now_ms = first + EXPIRE_AFTER;
    ck_assert_uint_eq(store_expire(&store, now_ms, 100), 0);
    ck_assert(has_nth("hits", 0));
    now_ms += 2 * WINDOW_MS;
    ck_assert_uint_ge(store_expire(&store, now_ms, 100), 1);
    ck_assert(!has_nth("hits", 0));
    ck_assert(has_nth("hits", 3));
    uint64_t expired = store.expired_series;
    ck_assert_uint_eq(store_family(&store, family_of("hits"))->recycled, expired);
    ck_assert(store_family(&store, family_of("hits"))->recycled_sum == (1 << expired) - 1);
    ck_assert_uint_eq(store.recycled_series, 0);
    now_ms += 100 * WINDOW_MS;
    ck_assert_uint_eq(store_expire(&store, now_ms, 3), 3);
    ck_assert_uint_eq(store.series_count, 10 - expired - 3);
    ck_assert(has_nth("hits", 9));
    ck_assert_uint_eq(store_expire(&store, now_ms, 100), 7 - expired);
    ck_assert_uint_eq(test_family_find(&store, BYTES("hits")), SLOT_NONE);
}
END_TEST

static void expire_all(void)
{
    for (int i = 0; i < 1000; i++)
        store_expire(&store, now_ms, 10);
}

START_TEST(an_overflow_total_expires_with_its_family)
{
    settings.series_max = 1;
    begin();
    apply_nth(KIND_COUNTER, "hits", 1, 1);
    now_ms += EXPIRE_AFTER;
    apply_nth(KIND_COUNTER, "hits", 1, 1);
    apply_nth(KIND_COUNTER, "hits", 2, 5);
    store_delete(&store, test_series_find(&store, family_of("hits"), BYTES("n=\"1\"")));
    now_ms += EXPIRE_AFTER;
    expire_all();
    ck_assert(family_total("hits") == 5);
    now_ms += 2 * WINDOW_MS;
    expire_all();
    ck_assert_uint_eq(test_family_find(&store, BYTES("hits")), SLOT_NONE);
    /* the overflow families stay for ever */
    ck_assert_uint_eq(store.families.live_count, KIND_COUNT);
}
END_TEST

START_TEST(a_deleted_series_is_gone_with_its_total)
{
    begin();
    apply(KIND_COUNTER, "hits{n=\"1\"} 5");
    apply(KIND_COUNTER, "hits{n=\"2\"} 7");
    store_delete(&store, test_series_find(&store, family_of("hits"), BYTES("n=\"1\"")));
    ck_assert(!has_nth("hits", 1));
    ck_assert(family_total("hits") == 7);
    ck_assert_uint_eq(store.deleted_series, 1);
    apply(KIND_COUNTER, "hits{n=\"1\"} 1"); /* a new one of that name begins anew */
    ck_assert(series_total(series_of("hits", "n=\"1\"")) == 1);
    store_delete(&store, test_series_find(&store, family_of("hits"), BYTES("n=\"1\"")));
    store_delete(&store, test_series_find(&store, family_of("hits"), BYTES("n=\"2\"")));
    ck_assert_uint_eq(test_family_find(&store, BYTES("hits")), SLOT_NONE);
    ck_assert_uint_eq(store.series_count, 0);
}
END_TEST

START_TEST(an_overflow_series_belongs_to_its_family)
{
    begin();
    uint32_t family = family_of("mayfly_overflow_total");
    uint32_t slot = store_family(&store, family)->overflow;
    store_delete(&store, slot);
    ck_assert_ptr_nonnull(store_series(&store, slot));
    ck_assert_uint_eq(store.deleted_series, 0);
}
END_TEST

START_TEST(idleness_is_told_to_a_window)
{
    begin();
    apply(KIND_COUNTER, "hits 1");
    for (int64_t passed = 0; passed < 10 * WINDOW_MS; passed += 1234) {
        int64_t told = store_idle_ms(&store, series_of("hits", ""), now_ms + passed);
        CHECK_THAT(told > passed - WINDOW_MS && told < passed + WINDOW_MS);
    }
}
END_TEST

START_TEST(free_slots_are_no_series_and_no_family)
{
    begin();
    apply(KIND_COUNTER, "hits 1");
    uint32_t family = family_of("hits");
    uint32_t slot = test_series_find(&store, family, BYTES(""));
    store_delete(&store, slot);
    ck_assert_ptr_null(store_series(&store, slot));
    ck_assert_ptr_null(store_family(&store, family));
    ck_assert_ptr_null(store_series(&store, UINT32_MAX - 1));
    ck_assert_ptr_null(store_family(&store, UINT32_MAX - 1));
}
END_TEST

/* ---- families that have ended, and their past ---- */

static uint64_t id_of(const char *family)
{
    return store_family(&store, family_of(family))->id;
}

/* One series of "hits" that was sealed, recycled since, and a history that holds that window. */
static void leave_vacant(void)
{
    apply(KIND_COUNTER, "hits 1");
    store_family_sealed(&store, family_of("hits"), store.window);
    now_ms += EXPIRE_AFTER + 2 * WINDOW_MS;
    ck_assert_uint_eq(store_expire(&store, now_ms, 10), 1);
}

START_TEST(a_family_stays_while_history_has_cells_of_it)
{
    begin();
    apply(KIND_COUNTER, "hits 1");
    uint32_t sealed = store.window;
    leave_vacant();
    uint64_t id = id_of("hits");
    store_family_sealed(&store, family_of("hits"), sealed - 1); /* never goes back */
    ck_assert_uint_eq(store_family(&store, family_of("hits"))->sealed_window, sealed);
    ck_assert_uint_eq(store_family(&store, family_of("hits"))->ended_sequences, 1);
    ck_assert_uint_eq(store.vacant_families, 1);
    /* to those who count, it has ended */
    ck_assert_uint_eq(store.ended_series, 1);
    ck_assert(store.ended_sum == 2);
    store.history_floor = sealed;
    expire_all();
    ck_assert_uint_eq(id_of("hits"), id);
    apply(KIND_COUNTER, "hits 7"); /* it goes on where it was */
    ck_assert_uint_eq(id_of("hits"), id);
    ck_assert_uint_eq(series_of("hits", "")->sequence, 2);
    ck_assert_uint_eq(store_family(&store, family_of("hits"))->recycled, 0);
    now_ms += EXPIRE_AFTER + 2 * WINDOW_MS;
    expire_all();
    ck_assert_uint_eq(id_of("hits"), id);
    store.history_floor = sealed + 1;
    expire_all();
    ck_assert_uint_eq(test_family_find(&store, BYTES("hits")), SLOT_NONE);
}
END_TEST

START_TEST(a_vacant_family_gives_way_to_another_kind)
{
    struct store_outcome outcome;
    begin();
    leave_vacant();
    uint64_t id = id_of("hits");
    struct sample gauge = test_sample(KIND_GAUGE, "hits 3");
    if (_i == 1) { /* of an atomic push, which may yet contradict itself */
        struct sample counter = test_sample(KIND_COUNTER, "hits 3");
        ck_assert_int_eq(store_admit(&store, &gauge, now_ms, &outcome), STATUS_OK);
        ck_assert_int_eq(store_admit(&store, &counter, now_ms, &outcome), STATUS_KIND_CONFLICT);
    } else if (_i == 2) { /* that names the overflow series */
        gauge = test_sample(KIND_GAUGE, "hits{otel_metric_overflow=\"true\"} 3");
    }
    ck_assert_int_eq(apply_sample(gauge, &outcome), STATUS_OK);
    ck_assert_uint_gt(id_of("hits"), id);
    ck_assert_int_eq(store_family(&store, family_of("hits"))->kind, KIND_GAUGE);
    ck_assert_int_eq(apply_sample(test_sample(KIND_COUNTER, "hits 3"), &outcome),
                     STATUS_KIND_CONFLICT);
}
END_TEST

START_TEST(an_admitted_family_does_not_give_way)
{
    struct store_outcome outcome;
    begin();
    leave_vacant();
    struct sample counter = test_sample(KIND_COUNTER, "hits 3");
    struct sample gauge = test_sample(KIND_GAUGE, "hits 3");
    struct sample summary = test_sample(KIND_SUMMARY, "hits 3");
    ck_assert_int_eq(store_admit(&store, &counter, now_ms, &outcome), STATUS_OK);
    ck_assert_int_eq(store_admit(&store, &gauge, now_ms, &outcome), STATUS_KIND_CONFLICT);
    store_forget(&store, &counter);
    store_forget(&store, &gauge);
    /* refused after all: what was sealed of it is still found, and it gives way again */
    ck_assert_uint_ne(test_family_find(&store, BYTES("hits")), SLOT_NONE);
    ck_assert_int_eq(store_admit(&store, &summary, now_ms, &outcome), STATUS_OK);
}
END_TEST

START_TEST(a_vacant_family_gives_way_to_what_its_name_stands_for)
{
    begin();
    apply(KIND_COUNTER, "x_sum 1");
    apply(KIND_COUNTER, "x_count 1");
    store_family_sealed(&store, family_of("x_sum"), store.window);
    store_family_sealed(&store, family_of("x_count"), store.window);
    now_ms += EXPIRE_AFTER + 2 * WINDOW_MS;
    expire_all();
    ck_assert_uint_ne(test_family_find(&store, BYTES("x_sum")), SLOT_NONE);
    ck_assert(!apply(KIND_SUMMARY, "x 1"));
    ck_assert_uint_eq(test_family_find(&store, BYTES("x_sum")), SLOT_NONE);
    ck_assert_uint_eq(test_family_find(&store, BYTES("x_count")), SLOT_NONE);
}
END_TEST

START_TEST(a_vacant_family_makes_room)
{
    settings.limits_families = 1;
    begin();
    leave_vacant();
    ck_assert(!apply(KIND_COUNTER, "other 1"));
    ck_assert_uint_eq(store.evicted_families, 1);
    ck_assert_uint_eq(refusals(POOL_FAMILIES), 0);
    ck_assert_uint_eq(test_family_find(&store, BYTES("hits")), SLOT_NONE);
    ck_assert(apply(KIND_COUNTER, "third 1")); /* a family with series does not */
    ck_assert_uint_eq(refusals(POOL_FAMILIES), 1);
    ck_assert_uint_eq(store.evicted_families, 1);
}
END_TEST

START_TEST(admission_evicts_nobody)
{
    struct store_outcome outcome;
    settings.limits_families = 1;
    begin();
    leave_vacant();
    struct sample other = test_sample(KIND_COUNTER, "other 1");
    ck_assert_int_eq(store_admit(&store, &other, now_ms, &outcome), STATUS_OK);
    ck_assert_uint_ne(test_family_find(&store, BYTES("hits")), SLOT_NONE);
}
END_TEST

/* What the overflow series took is shown, so the family is not vacant. */
START_TEST(a_family_with_an_overflow_total_makes_no_room)
{
    settings.limits_families = 1;
    settings.series_max = 1;
    begin();
    apply_nth(KIND_COUNTER, "hits", 1, 1);
    apply_nth(KIND_COUNTER, "hits", 2, 1);
    store_delete(&store, test_series_find(&store, family_of("hits"), BYTES("n=\"1\"")));
    ck_assert_uint_eq(store.vacant_families, 0);
    ck_assert(apply(KIND_COUNTER, "other 1"));
    ck_assert(family_total("hits") == 1);
}
END_TEST

START_TEST(deletion_ends_what_is_known_of_the_family)
{
    begin();
    apply_nth(KIND_COUNTER, "hits", 1, 1);
    apply_nth(KIND_COUNTER, "hits", 2, 1);
    apply(KIND_COUNTER, "other 1");
    uint64_t id = id_of("hits");
    ck_assert_uint_gt(id_of("other"), id);
    store_family_sealed(&store, family_of("hits"), store.window);
    store_delete(&store, test_series_find(&store, family_of("hits"), BYTES("n=\"1\"")));
    ck_assert_uint_gt(id_of("hits"), id_of("other"));
    ck_assert_uint_eq(store.newest_family, family_of("hits"));
    ck_assert_uint_eq(store_family(&store, family_of("hits"))->sealed_window, 0);
    ck_assert_uint_eq(store_family(&store, family_of("hits"))->ended_sequences, 1);
    store_delete(&store, test_series_find(&store, family_of("hits"), BYTES("n=\"2\"")));
    ck_assert_uint_eq(test_family_find(&store, BYTES("hits")), SLOT_NONE);
}
END_TEST

START_TEST(families_are_listed_by_id)
{
    uint64_t id = 0;
    begin();
    for (unsigned n = 0; n < 20; n++) {
        char text[32];
        snprintf(text, sizeof text, "f%u 1", n);
        apply(KIND_COUNTER, text);
        if (n % 3 == 0)
            store_delete(&store, test_series_find(&store, family_of("f0"), BYTES("")));
        if (n % 3 == 0)
            apply(KIND_COUNTER, "f0 1");
        store_verify(&store);
    }
    for (uint32_t at = store.oldest_family; at != SLOT_NONE; at = store_family(&store, at)->newer) {
        ck_assert_uint_gt(store_family(&store, at)->id, id);
        id = store_family(&store, at)->id;
    }
    ck_assert_uint_eq(id, store.next_family_id - 1);
}
END_TEST

/* ---- admission, for pushes that are atomic ---- */

START_TEST(admission_sees_conflicts_within_the_push_and_forgets_them)
{
    struct store_outcome outcome = {0};
    begin();
    apply(KIND_COUNTER, "old 1");
    struct sample gauge = test_sample(KIND_GAUGE, "fresh 1");
    struct sample counter = test_sample(KIND_COUNTER, "fresh{a=\"b\"} 1");
    struct sample clash = test_sample(KIND_COUNTER, "fresh_h_sum 1");
    struct sample histogram = test_sample(KIND_HISTOGRAM, "fresh_h 1");
    struct sample old = test_sample(KIND_GAUGE, "old 1");
    uint64_t live = ledger_figures(&world.ledger, POOL_SERIES).live_bytes;
    ck_assert_int_eq(store_admit(&store, &gauge, now_ms, &outcome), STATUS_OK);
    ck_assert_int_eq(store_admit(&store, &counter, now_ms, &outcome), STATUS_KIND_CONFLICT);
    ck_assert_ptr_nonnull(outcome.conflict);
    ck_assert_int_eq(store_admit(&store, &histogram, now_ms, &outcome), STATUS_OK);
    ck_assert_int_eq(store_admit(&store, &clash, now_ms, &outcome), STATUS_KIND_CONFLICT);
    ck_assert_int_eq(store_admit(&store, &old, now_ms, &outcome), STATUS_KIND_CONFLICT);
    store_forget(&store, &gauge);
    store_forget(&store, &counter);
    store_forget(&store, &histogram);
    store_forget(&store, &clash);
    store_forget(&store, &old);
    ck_assert_uint_eq(test_family_find(&store, BYTES("fresh")), SLOT_NONE);
    ck_assert_uint_eq(test_family_find(&store, BYTES("fresh_h")), SLOT_NONE);
    ck_assert(series_total(series_of("old", "")) == 1);
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_SERIES).live_bytes, live);
}
END_TEST

START_TEST(an_empty_store_has_its_overflow_families_and_no_series)
{
    begin();
    ck_assert_uint_eq(store.families.live_count, KIND_COUNT);
    ck_assert_uint_eq(store.series_count, 0);
    ck_assert_uint_eq(store.overflowed_samples, 0);
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_HISTOGRAMS).live_objects, 1);
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_BUCKETS).live_objects, 1);
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_SETS).live_objects, 1);
}
END_TEST

/*
 * At the floors that config/settings.def allows there is room for the overflow families, and for
 * somebody else.
 */
START_TEST(the_floors_of_the_settings_make_a_store)
{
    static const char *const paths[] = {"limits.families", "series.max",  "series.label_bytes",
                                        "histograms.max",  "buckets.max", "sets.max"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const struct setting *row = setting_find(bytes_of(paths[i]));
        memcpy((char *)&settings + row->offset, &row->floor, sizeof row->floor);
    }
    begin();
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        char text[32];
        snprintf(text, sizeof text, "k%d 1", kind);
        ck_assert(!apply((enum kind)kind, text));
    }
}
END_TEST

static TCase *case_of(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void add_totals(TCase *totals)
{
    tcase_add_test(totals, an_empty_store_has_its_overflow_families_and_no_series);
    tcase_add_test(totals, the_floors_of_the_settings_make_a_store);
    tcase_add_test(totals, a_counter_is_the_sum_of_its_increments);
    tcase_add_test(totals, small_increments_are_not_lost_in_a_large_total);
    tcase_add_test(totals, a_total_stays_a_number);
    tcase_add_test(totals, a_gauge_is_its_last_value_by_timestamp);
    tcase_add_test(totals, a_sample_older_than_the_open_window_is_late);
    tcase_add_test(totals, a_histogram_holds_its_values);
    tcase_add_test(totals, a_set_counts_what_differs);
    tcase_add_test(totals, children_of_a_histogram_and_a_summary_add_up);
    tcase_add_test(totals, bounds_that_some_pushes_lack_are_lost_and_counted);
    tcase_add_test(totals, bounds_that_a_child_was_thinned_by_are_lost_too);
    tcase_add_test(totals, a_count_by_itself_counts_until_there_are_buckets);
    tcase_add_test(totals, observations_without_buckets_are_none_lost);
    tcase_add_test(totals, series_of_one_fingerprint_stay_apart);
}

static void add_windows(TCase *windows)
{
    tcase_add_test(windows, what_a_window_comes_to_stays_a_number);
    tcase_add_test(windows, each_sample_is_in_the_open_window_too);
    tcase_add_test(windows, gauges_that_are_no_numbers_are_in_no_window);
    tcase_add_test(windows, sealing_leaves_the_totals);
    tcase_add_test(windows, windows_are_as_long_as_the_setting_and_aligned_to_the_epoch);
}

static void add_past(TCase *past)
{
    tcase_add_test(past, a_family_stays_while_history_has_cells_of_it);
    tcase_add_loop_test(past, a_vacant_family_gives_way_to_another_kind, 0, 3);
    tcase_add_test(past, an_admitted_family_does_not_give_way);
    tcase_add_test(past, a_vacant_family_gives_way_to_what_its_name_stands_for);
    tcase_add_test(past, a_vacant_family_makes_room);
    tcase_add_test(past, admission_evicts_nobody);
    tcase_add_test(past, a_family_with_an_overflow_total_makes_no_room);
    tcase_add_test(past, deletion_ends_what_is_known_of_the_family);
    tcase_add_test(past, families_are_listed_by_id);
}

static void add_names(TCase *names)
{
    tcase_add_loop_test(names, a_family_has_one_kind, 0, KIND_COUNT * KIND_COUNT);
    tcase_add_loop_test(names, clash_row_is_noticed, 0, COUNT_OF(clash_rows));
    tcase_add_test(names, a_name_is_free_again_when_its_family_is_gone);
    tcase_add_test(names, help_and_unit_are_kept_and_replaced);
    tcase_add_test(names, texts_end_with_their_family);
    tcase_add_test(names, an_overflow_family_is_not_described);
    tcase_add_test(names, a_text_for_people_costs_no_series_its_room);
    tcase_add_test(names, admission_sees_conflicts_within_the_push_and_forgets_them);
}

static void add_limits(TCase *limits)
{
    tcase_add_test(limits, series_max_is_what_is_held_at_most);
    tcase_add_test(limits, one_family_cannot_take_the_overflow_of_others);
    tcase_add_test(limits, label_blocks_are_a_limit);
    tcase_add_test(limits, histograms_are_a_limit);
    tcase_add_test(limits, sets_are_a_limit);
    tcase_add_loop_test(limits, families_are_a_limit_for_each_kind, 0, KIND_COUNT);
    tcase_add_test(limits, store_overflow_takes_any_name);
    tcase_add_test(limits, buckets_are_a_limit);
    tcase_add_test(limits, a_sample_that_names_the_overflow_series_goes_there);
}

static void add_ends(TCase *ends)
{
    tcase_add_test(ends, the_longest_idle_makes_room);
    tcase_add_test(ends, nobody_idle_for_less_than_idle_min_makes_room);
    tcase_add_test(ends, a_new_series_may_need_the_room_of_several);
    tcase_add_test(ends, a_refusal_costs_nobody_their_series);
    tcase_add_loop_test(ends, only_a_histogram_makes_room_for_a_histogram, 0, 3);
    tcase_add_test(ends, a_family_ends_with_its_last_series);
    tcase_add_test(ends, a_family_lives_on_when_its_only_series_is_replaced);
    tcase_add_test(ends, a_family_whose_overflow_holds_a_total_stays);
    tcase_add_test(ends, a_request_that_began_earlier_does_not_turn_back_time);
    tcase_add_test(ends, expiry_drops_who_was_idle_for_longer);
    tcase_add_test(ends, an_overflow_total_expires_with_its_family);
    tcase_add_test(ends, a_deleted_series_is_gone_with_its_total);
    tcase_add_test(ends, an_overflow_series_belongs_to_its_family);
    tcase_add_test(ends, idleness_is_told_to_a_window);
    tcase_add_test(ends, free_slots_are_no_series_and_no_family);
}

Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    add_totals(case_of(suite, "totals"));
    add_names(case_of(suite, "names"));
    add_limits(case_of(suite, "limits"));
    add_ends(case_of(suite, "ends"));
    add_windows(case_of(suite, "windows"));
    add_past(case_of(suite, "past"));
    return suite;
}
