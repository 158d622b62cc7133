/*
 * test_store.c: samples into totals; every limit and what becomes of the totals there; who makes
 * room, and who ends.
 */
#include "store/store.h"

#include "base/random.h"
#include "store/exp_histogram.h"
#include "store/hyperloglog.h"
#include "support.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

Suite *store_suite(void);

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

static const struct series *part_of(const char *family, enum part part, const char *labels)
{
    uint32_t slot = test_series_find(&store, family_of(family), part, bytes_of(labels));
    ck_assert_msg(slot != SLOT_NONE, "no series %s{%s}", family, labels);
    return store_series(&store, slot);
}

static const struct series *series_of(const char *family, const char *labels)
{
    return part_of(family, PART_VALUE, labels);
}

static bool has_series(const char *family, const char *labels)
{
    uint32_t slot = test_family_find(&store, bytes_of(family));
    return slot != SLOT_NONE &&
           test_series_find(&store, slot, PART_VALUE, bytes_of(labels)) != SLOT_NONE;
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
    apply(KIND_SUMMARY, "s_sum 0.5");
    apply(KIND_SUMMARY, "s_sum 1e17");
    apply(KIND_SUMMARY, "s_sum -1e17");
    ck_assert(series_total(part_of("s", PART_SUM, "")) == 0.5);
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
    now_ms += 3 * WINDOW_MS + 5000; /* windows are counted from the start */
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
    struct exp_histogram expected;
    begin();
    exp_histogram_init(&expected);
    for (int value = -50; value < 1000; value += 7) {
        apply_nth(KIND_HISTOGRAM, "seconds", 1, value);
        exp_histogram_observe(&expected, value);
    }
    const struct series *series = series_of("seconds", "n=\"1\"");
    ck_assert_mem_eq(store_histogram(&store, series), &expected, sizeof expected);
    ck_assert(series_total(series) == 150 * (-50 + 993) / 2.0);
    ck_assert_uint_gt(store.histogram_downscales, 0);
}
END_TEST

START_TEST(a_set_counts_what_differs)
{
    struct hyperloglog expected;
    begin();
    hyperloglog_init(&expected);
    for (int i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof text, "users %d", i % 300);
        struct sample sample = test_sample(KIND_SET, text);
        hyperloglog_add(&expected, sample.member);
        apply(KIND_SET, text);
    }
    const struct series *series = series_of("users", "");
    ck_assert_mem_eq(store_set(&store, series), &expected, sizeof expected);
    ck_assert_uint_eq(series->count, 1000);
}
END_TEST

START_TEST(parts_of_a_histogram_and_a_summary_add_up_by_themselves)
{
    begin();
    for (int i = 0; i < 3; i++) {
        apply(KIND_CLASSIC, "h_bucket{a=\"b\",le=\"1\"} 2");
        apply(KIND_CLASSIC, "h_bucket{a=\"b\",le=\"+Inf\"} 5");
        apply(KIND_CLASSIC, "h_sum{a=\"b\"} -1");
        apply(KIND_CLASSIC, "h_count{a=\"b\"} 5");
        apply(KIND_SUMMARY, "s_sum 10");
        apply(KIND_SUMMARY, "s_count 4");
    }
    ck_assert(series_total(part_of("h", PART_BUCKET, "a=\"b\",le=\"1\"")) == 6);
    ck_assert(series_total(part_of("h", PART_BUCKET, "a=\"b\",le=\"+Inf\"")) == 15);
    ck_assert(series_total(part_of("h", PART_SUM, "a=\"b\"")) == -3);
    ck_assert(series_total(part_of("h", PART_COUNT, "a=\"b\"")) == 15);
    ck_assert(series_total(part_of("s", PART_SUM, "")) == 30);
    ck_assert(series_total(part_of("s", PART_COUNT, "")) == 12);
    ck_assert_uint_eq(series_in("h"), 4);
    ck_assert_uint_eq(series_in("s"), 2);
}
END_TEST

static bool is_shared(const char *labels)
{
    char text[256];
    return store_bucket_is_shared(&store, part_of("h", PART_BUCKET, labels), text);
}

static void push_child(const char *const *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        apply(KIND_CLASSIC, samples[i]);
}

/* Bounds that all pushes of a child had add up; those that some lacked do not. */
START_TEST(a_bucket_is_shared_when_every_push_had_it)
{
    static const char *const first[] = {
        "h_bucket{a=\"b\",le=\"1\",z=\"y\"} 1",
        "h_bucket{a=\"b\",le=\"2\",z=\"y\"} 2",
        "h_bucket{a=\"b\",le=\"+Inf\",z=\"y\"} 3",
        "h_sum{a=\"b\",z=\"y\"} 3",
        "h_count{a=\"b\",z=\"y\"} 3",
    };
    static const char *const second[] = {
        "h_bucket{a=\"b\",le=\"1\",z=\"y\"} 1",
        "h_bucket{a=\"b\",le=\"5\",z=\"y\"} 2",
        "h_bucket{a=\"b\",le=\"+Inf\",z=\"y\"} 3",
        "h_count{a=\"b\",z=\"y\"} 3",
    };
    static const char *const other[] = {"h_bucket{le=\"2\"} 1", "h_bucket{le=\"+Inf\"} 1",
                                        "h_count 1"};
    begin();
    push_child(first, COUNT_OF(first));
    push_child(first, COUNT_OF(first));
    ck_assert(is_shared("a=\"b\",le=\"1\",z=\"y\""));
    ck_assert(is_shared("a=\"b\",le=\"2\",z=\"y\""));
    push_child(second, COUNT_OF(second));
    push_child(other, COUNT_OF(other));
    ck_assert(is_shared("a=\"b\",le=\"1\",z=\"y\""));
    ck_assert(!is_shared("a=\"b\",le=\"2\",z=\"y\""));
    ck_assert(!is_shared("a=\"b\",le=\"5\",z=\"y\""));
    ck_assert(is_shared("a=\"b\",le=\"+Inf\",z=\"y\""));
    ck_assert(is_shared("le=\"2\"")); /* another child */
    apply(KIND_CLASSIC, "h_bucket{le=\"7\",only=\"buckets\"} 1");
    ck_assert(is_shared("le=\"7\",only=\"buckets\"")); /* nothing says how often it was pushed */
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
    [KIND_COUNTER] = "x 1", [KIND_GAUGE] = "x 1",         [KIND_HISTOGRAM] = "x 1",
    [KIND_SET] = "x 1",     [KIND_CLASSIC] = "x_count 1", [KIND_SUMMARY] = "x_count 1",
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
    const struct series *series = store_series(
        &store,
        test_series_find(&store, family_of("x"),
                         (enum part)test_sample(first, one_of_each[first]).part, BYTES("")));
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
    {KIND_SUMMARY, "x_sum 1", KIND_COUNTER, "x_sum 1", true},
    {KIND_SUMMARY, "x_sum 1", KIND_COUNTER, "x_count 1", true},
    {KIND_SUMMARY, "x_sum 1", KIND_COUNTER, "x_sum{a=\"b\"} 1", true},
    {KIND_SUMMARY, "x_sum 1", KIND_COUNTER, "x_bucket 1", false},
    {KIND_SUMMARY, "x_sum 1", KIND_GAUGE, "x_total 1", false},
    {KIND_CLASSIC, "x_sum 1", KIND_GAUGE, "x_bucket{le=\"1\"} 1", true},
    {KIND_CLASSIC, "x_sum 1", KIND_GAUGE, "x_count 1", true},
    {KIND_HISTOGRAM, "x 1", KIND_COUNTER, "x_bucket 1", true},
    {KIND_HISTOGRAM, "x 1", KIND_COUNTER, "x_sum 1", true},
    {KIND_HISTOGRAM, "x 1", KIND_SET, "x_count 1", true},
    /* and the other way round */
    {KIND_COUNTER, "x_sum 1", KIND_SUMMARY, "x_count 1", true},
    {KIND_COUNTER, "x_bucket 1", KIND_SUMMARY, "x_count 1", false},
    {KIND_GAUGE, "x_bucket 1", KIND_CLASSIC, "x_sum 1", true},
    {KIND_GAUGE, "x_count 1", KIND_HISTOGRAM, "x 1", true},
    /* plain kinds stand for themselves alone */
    {KIND_COUNTER, "x 1", KIND_GAUGE, "x_sum 1", false},
    {KIND_GAUGE, "x_count 1", KIND_COUNTER, "x 1", false},
    {KIND_SET, "x 1", KIND_COUNTER, "x_bucket 1", false},
    {KIND_SUMMARY, "x_sum 1", KIND_COUNTER, "x_sums 1", false},
    {KIND_SUMMARY, "x_sum 1", KIND_COUNTER, "xx_sum 1", false},
    {KIND_SUMMARY, "x_sum_count 1", KIND_SUMMARY, "x_count 1", true},
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
    ck_assert_int_eq(apply_sample(test_sample(KIND_SUMMARY, "x_sum 1"), &outcome),
                     STATUS_KIND_CONFLICT);
    store_delete(&store, test_series_find(&store, family_of("x_sum"), PART_VALUE, BYTES("")));
    ck_assert_uint_eq(test_family_find(&store, BYTES("x_sum")), SLOT_NONE);
    ck_assert(!apply(KIND_SUMMARY, "x_sum 1"));
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
    store_delete(&store, test_series_find(&store, family_of("g"), PART_VALUE, BYTES("")));
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

static double overflow_total(const char *family, enum part part)
{
    const struct family *at = store_family(&store, family_of(family));
    uint32_t slot = at->overflow[part == PART_VALUE ? 0 : part - PART_BUCKET];
    const struct series *series = store_series(&store, slot);
    ck_assert_ptr_nonnull(series);
    ck_assert(series->is_overflow);
    return series_total(series);
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
    ck_assert(overflow_total("odd", PART_VALUE) == 5);
    ck_assert_uint_eq(store_family(&store, family_of("odd"))->overflowed, 5);
    ck_assert(overflow_total("fresh", PART_VALUE) == 1);
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
        snprintf(text, sizeof text, "late%u_count 1", n);
        ck_assert(apply(KIND_SUMMARY, text));
        snprintf(text, sizeof text, "late%u", n);
        ck_assert(overflow_total(text, PART_COUNT) == 1);
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
    ck_assert(overflow_total("hits", PART_VALUE) == 1);
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
    struct exp_histogram expected;
    settings.histograms_max = 10;
    begin();
    exp_histogram_init(&expected);
    /* one for the overflow family, one for the overflow series of this one */
    for (unsigned n = 0; n < 8; n++)
        ck_assert(!apply_nth(KIND_HISTOGRAM, "seconds", n, 1));
    for (unsigned n = 8; n < 20; n++) {
        ck_assert(apply_nth(KIND_HISTOGRAM, "seconds", n, (int)n));
        exp_histogram_observe(&expected, n);
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
    ck_assert(overflow_total("mayfly_overflow_histogram", PART_VALUE) == 5);
    /* nor does it concern anybody else */
    ck_assert(!apply(KIND_COUNTER, "counter 5"));
}
END_TEST

START_TEST(sets_are_a_limit)
{
    struct hyperloglog expected;
    settings.sets_max = 4;
    begin();
    hyperloglog_init(&expected);
    ck_assert(!apply_nth(KIND_SET, "users", 0, 1));
    ck_assert(!apply_nth(KIND_SET, "users", 1, 1));
    for (unsigned n = 2; n < 50; n++) {
        char text[64];
        snprintf(text, sizeof text, "users{n=\"%u\"} m%u", n, n % 20);
        hyperloglog_add(&expected, test_sample(KIND_SET, text).member);
        ck_assert(apply(KIND_SET, text));
    }
    ck_assert_uint_eq(refusals(POOL_SETS), 48);
    const struct series *overflow = series_of("users", "otel_metric_overflow=\"true\"");
    ck_assert_mem_eq(store_set(&store, overflow), &expected, sizeof expected);
    ck_assert(apply(KIND_SET, "others x"));
    const struct series *all = series_of("mayfly_overflow_set", "otel_metric_overflow=\"true\"");
    ck_assert(round(hyperloglog_estimate(store_set(&store, all))) == 1);
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
    enum part part = (enum part)test_sample(kind, one_of_each[kind]).part;
    double total = overflow_total(overflow[kind], part);
    ck_assert(total == (kind == KIND_GAUGE || kind == KIND_SET ? 0 : 5));
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
    ck_assert(overflow_total("mayfly_overflow_total", PART_VALUE) == 1);
    ck_assert(overflow_total("mayfly_overflow_summary", PART_COUNT) == 1);
    ck_assert_uint_eq(store.created_series, 0);
}
END_TEST

/*
 * Bounds that not all children share cannot be kept exactly: of the buckets +Inf alone overflows,
 * as do sum and count.
 */
START_TEST(classic_buckets_fold_into_infinity)
{
    settings.series_max = 4;
    begin();
    apply(KIND_CLASSIC, "h_bucket{le=\"1\"} 1");
    apply(KIND_CLASSIC, "h_bucket{le=\"+Inf\"} 2");
    apply(KIND_CLASSIC, "h_sum 3");
    apply(KIND_CLASSIC, "h_count 2");
    for (int i = 0; i < 3; i++) {
        ck_assert(apply(KIND_CLASSIC, "h_bucket{a=\"b\",le=\"1\"} 10"));
        ck_assert(apply(KIND_CLASSIC, "h_bucket{a=\"b\",le=\"+Inf\"} 20"));
        ck_assert(apply(KIND_CLASSIC, "h_bucket{le=\"+Inf\",z=\"y\"} 100"));
        ck_assert(apply(KIND_CLASSIC, "h_sum{a=\"b\"} 30"));
        ck_assert(apply(KIND_CLASSIC, "h_count{a=\"b\"} 20"));
    }
    ck_assert(overflow_total("h", PART_BUCKET) == 3 * 120);
    ck_assert(overflow_total("h", PART_SUM) == 90);
    ck_assert(overflow_total("h", PART_COUNT) == 60);
    const struct series *bucket =
        part_of("h", PART_BUCKET, "le=\"+Inf\",otel_metric_overflow=\"true\"");
    ck_assert(bucket->is_overflow);
    ck_assert_uint_eq(store_family(&store, family_of("h"))->overflowed, 15);
}
END_TEST

/* The overflow label comes back from clients that read /metrics and push what they read. */
START_TEST(a_sample_that_names_the_overflow_series_goes_there)
{
    begin();
    apply(KIND_COUNTER, "hits 1");
    ck_assert(apply(KIND_COUNTER, "hits{otel_metric_overflow=\"true\"} 5"));
    ck_assert(overflow_total("hits", PART_VALUE) == 5);
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
    enum kind kind = _i == 0 ? KIND_HISTOGRAM : KIND_SET;
    settings.histograms_max = 6;
    settings.sets_max = 6;
    begin();
    apply_nth(KIND_COUNTER, "plain", 0, 1);
    now_ms += WINDOW_MS;
    apply_nth(_i == 0 ? KIND_SET : KIND_HISTOGRAM, "other", 0, 1);
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
    store_delete(&store, test_series_find(&store, family_of("hits"), PART_VALUE, BYTES("n=\"1\"")));
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
    store_delete(&store, test_series_find(&store, family_of("hits"), PART_VALUE, BYTES("n=\"1\"")));
    ck_assert(!has_nth("hits", 1));
    ck_assert(family_total("hits") == 7);
    ck_assert_uint_eq(store.deleted_series, 1);
    apply(KIND_COUNTER, "hits{n=\"1\"} 1"); /* a new one of that name begins anew */
    ck_assert(series_total(series_of("hits", "n=\"1\"")) == 1);
    store_delete(&store, test_series_find(&store, family_of("hits"), PART_VALUE, BYTES("n=\"1\"")));
    store_delete(&store, test_series_find(&store, family_of("hits"), PART_VALUE, BYTES("n=\"2\"")));
    ck_assert_uint_eq(test_family_find(&store, BYTES("hits")), SLOT_NONE);
    ck_assert_uint_eq(store.series_count, 0);
}
END_TEST

START_TEST(an_overflow_series_belongs_to_its_family)
{
    begin();
    uint32_t family = family_of("mayfly_overflow_total");
    uint32_t slot = store_family(&store, family)->overflow[0];
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
    uint32_t slot = test_series_find(&store, family, PART_VALUE, BYTES(""));
    store_delete(&store, slot);
    ck_assert_ptr_null(store_series(&store, slot));
    ck_assert_ptr_null(store_family(&store, family));
    ck_assert_ptr_null(store_series(&store, UINT32_MAX - 1));
    ck_assert_ptr_null(store_family(&store, UINT32_MAX - 1));
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
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_SETS).live_objects, 1);
}
END_TEST

/*
 * At the floors that config/settings.def allows there is room for the overflow families, and for
 * somebody else.
 */
START_TEST(the_floors_of_the_settings_make_a_store)
{
    static const char *const paths[] = {"limits.families", "series.max", "series.label_bytes",
                                        "histograms.max", "sets.max"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        const struct setting *row = setting_find(bytes_of(paths[i]));
        memcpy((char *)&settings + row->offset, &row->floor, sizeof row->floor);
    }
    begin();
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        char text[32];
        snprintf(text, sizeof text, "k%d%s 1", kind, kind < KIND_CLASSIC ? "" : "_count");
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
    tcase_add_test(totals, parts_of_a_histogram_and_a_summary_add_up_by_themselves);
    tcase_add_test(totals, a_bucket_is_shared_when_every_push_had_it);
    tcase_add_test(totals, series_of_one_fingerprint_stay_apart);
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
    tcase_add_test(limits, classic_buckets_fold_into_infinity);
    tcase_add_test(limits, a_sample_that_names_the_overflow_series_goes_there);
}

static void add_ends(TCase *ends)
{
    tcase_add_test(ends, the_longest_idle_makes_room);
    tcase_add_test(ends, nobody_idle_for_less_than_idle_min_makes_room);
    tcase_add_test(ends, a_new_series_may_need_the_room_of_several);
    tcase_add_test(ends, a_refusal_costs_nobody_their_series);
    tcase_add_loop_test(ends, only_a_histogram_makes_room_for_a_histogram, 0, 2);
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
    return suite;
}
