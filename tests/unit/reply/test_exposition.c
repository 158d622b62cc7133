/*
 * test_exposition.c: every kind as Prometheus text and OpenMetrics; pages cut anywhere, while the
 * store goes on.
 */
#include "reply/exposition.h"

#include "base/random.h"
#include "ingest/push.h"
#include "store/histogram.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>

Suite *exposition_suite(void);

#define ARENA_BYTES ((size_t)64 << 10)

static struct settings settings;
static struct test_world world;
static struct store store;
static struct arena arena;
static void *arena_memory;
static struct test_text output;
static int64_t now_ms;

static void setup(void)
{
    test_settings(&settings);
    now_ms = TEST_START_MS;
    arena_memory = aligned_alloc(ARENA_ALIGN, ARENA_BYTES);
    arena_init(&arena, arena_memory, ARENA_BYTES, ARENA_BYTES, NULL);
    test_text_reset(&output);
}

/* With the settings as the test has changed them. */
static void begin(void)
{
    test_store_begin(&world, &store, &settings);
}

static void teardown(void)
{
    UNPOISON(arena_memory, ARENA_BYTES);
    free(arena_memory);
    test_text_end(&output);
    if (world.memory != NULL)
        test_world_end(&world);
}

static struct sample apply_sample(struct sample sample)
{
    struct store_outcome outcome = {0};
    if (store_apply(&store, &sample, now_ms, &outcome) != STATUS_OK)
        ck_abort_msg("%s: %s", sample.name, outcome.conflict);
    return sample;
}

static void apply(enum kind kind, const char *text)
{
    apply_sample(test_sample(kind, text));
}

static void describe(enum kind kind, const char *text, const char *help, const char *unit)
{
    struct declaration declaration = {bytes_of(help), bytes_of(unit)};
    struct sample sample = test_sample(kind, text);
    sample.declaration = &declaration;
    apply_sample(sample);
}

/* ---- exposing ---- */

static struct exposition *make(bool openmetrics)
{
    arena_reset(&arena);
    struct exposition *exposition = exposition_make(&world.settings, openmetrics, &arena);
    CHECK_THAT(exposition != NULL);
    return exposition;
}

/* One page, in memory of just its size; false after the last. */
static bool next_page(struct exposition *exposition, size_t size)
{
    char *memory = malloc(size);
    CHECK_THAT(memory != NULL);
    struct writer page = writer_make(memory, size);
    bool more = exposition_next(exposition, &store, &page);
    CHECK_THAT(page.used <= size);
    CHECK_THAT(page.used == 0 || memory[page.used - 1] == '\n'); /* whole rows */
    CHECK_THAT(page.used > 0 || !more);                          /* or it would never end */
    test_append(&output, writer_text(&page));
    free(memory);
    return more;
}

static const char *expose(bool openmetrics, size_t size)
{
    struct exposition *exposition = make(openmetrics);
    test_text_reset(&output);
    while (next_page(exposition, size))
        continue;
    CHECK_THAT(!next_page(exposition, size) && output.at[output.used] == '\0');
    return output.at;
}

static void check_both(const char *text, const char *openmetrics)
{
    test_check_same(expose(false, EXPOSITION_PAGE_BYTES), text);
    test_check_same(expose(true, EXPOSITION_PAGE_BYTES), openmetrics);
}

/* ---- each kind ---- */

START_TEST(an_empty_store_exposes_nothing)
{
    begin();
    check_both("", "");
}
END_TEST

START_TEST(counters)
{
    begin();
    describe(KIND_COUNTER, "hits_total{a=\"1\",b=\"x\\\"y\\\\z\\n\"} 5", "All \\\\ hits.\\nYes.",
             "");
    apply(KIND_COUNTER, "hits_total 1.5");
    apply(KIND_COUNTER, "plain 1e21");
    check_both("# HELP hits_total All \\\\ hits.\\nYes.\n"
               "# TYPE hits_total counter\n"
               "hits_total{a=\"1\",b=\"x\\\"y\\\\z\\n\"} 5\n"
               "hits_total 1.5\n"
               "# TYPE plain counter\n"
               "plain 1e+21\n",
               "# HELP hits All \\\\ hits.\\nYes.\n"
               "# TYPE hits counter\n"
               "hits_total{a=\"1\",b=\"x\\\"y\\\\z\\n\"} 5\n"
               "hits_total 1.5\n"
               "# TYPE plain unknown\n" /* there a counter's samples end in _total */
               "plain 1e+21\n");
}
END_TEST

START_TEST(gauges)
{
    begin();
    describe(KIND_GAUGE, "temperature_celsius{room=\"a\"} -1.25", "How \"warm\" it is.", "celsius");
    apply(KIND_GAUGE, "temperature_celsius{room=\"b\"} NaN");
    apply(KIND_GAUGE, "temperature_celsius{room=\"c\"} -Inf");
    describe(KIND_GAUGE, "width 3", "", "meters"); /* no part of the name: OpenMetrics forbids it */
    describe(KIND_GAUGE, "meters 4", "", "meters");
    describe(KIND_GAUGE, "parsecs 5", "", "secs");
    check_both("# HELP temperature_celsius How \"warm\" it is.\n"
               "# TYPE temperature_celsius gauge\n"
               "temperature_celsius{room=\"a\"} -1.25\n"
               "temperature_celsius{room=\"b\"} NaN\n"
               "temperature_celsius{room=\"c\"} -Inf\n"
               "# TYPE width gauge\nwidth 3\n"
               "# TYPE meters gauge\nmeters 4\n"
               "# TYPE parsecs gauge\nparsecs 5\n",
               "# HELP temperature_celsius How \\\"warm\\\" it is.\n"
               "# UNIT temperature_celsius celsius\n"
               "# TYPE temperature_celsius gauge\n"
               "temperature_celsius{room=\"a\"} -1.25\n"
               "temperature_celsius{room=\"b\"} NaN\n"
               "temperature_celsius{room=\"c\"} -Inf\n"
               "# TYPE width gauge\nwidth 3\n"
               "# TYPE meters gauge\nmeters 4\n"
               "# TYPE parsecs gauge\nparsecs 5\n");
}
END_TEST

/* The grid is 4^-10 .. 4^9 whatever the values; at these scales it is exact. */
START_TEST(histograms)
{
    begin();
    apply(KIND_HISTOGRAM, "seconds{a=\"b\"} 0.25");
    apply(KIND_HISTOGRAM, "seconds{a=\"b\"} 0.3");
    apply(KIND_HISTOGRAM, "seconds{a=\"b\"} 5");
    apply(KIND_HISTOGRAM, "seconds{a=\"b\"} 1000000");
    const char *text = "# TYPE seconds histogram\n"
                       "seconds_bucket{a=\"b\",le=\"9.5367431640625e-07\"} 0\n"
                       "seconds_bucket{a=\"b\",le=\"3.814697265625e-06\"} 0\n"
                       "seconds_bucket{a=\"b\",le=\"1.52587890625e-05\"} 0\n"
                       "seconds_bucket{a=\"b\",le=\"6.103515625e-05\"} 0\n"
                       "seconds_bucket{a=\"b\",le=\"0.000244140625\"} 0\n"
                       "seconds_bucket{a=\"b\",le=\"0.0009765625\"} 0\n"
                       "seconds_bucket{a=\"b\",le=\"0.00390625\"} 0\n"
                       "seconds_bucket{a=\"b\",le=\"0.015625\"} 0\n"
                       "seconds_bucket{a=\"b\",le=\"0.0625\"} 0\n"
                       "seconds_bucket{a=\"b\",le=\"0.25\"} 1\n"
                       "seconds_bucket{a=\"b\",le=\"1\"} 2\n"
                       "seconds_bucket{a=\"b\",le=\"4\"} 2\n"
                       "seconds_bucket{a=\"b\",le=\"16\"} 3\n"
                       "seconds_bucket{a=\"b\",le=\"64\"} 3\n"
                       "seconds_bucket{a=\"b\",le=\"256\"} 3\n"
                       "seconds_bucket{a=\"b\",le=\"1024\"} 3\n"
                       "seconds_bucket{a=\"b\",le=\"4096\"} 3\n"
                       "seconds_bucket{a=\"b\",le=\"16384\"} 3\n"
                       "seconds_bucket{a=\"b\",le=\"65536\"} 3\n"
                       "seconds_bucket{a=\"b\",le=\"262144\"} 3\n"
                       "seconds_bucket{a=\"b\",le=\"+Inf\"} 4\n"
                       "seconds_sum{a=\"b\"} 1000005.55\n"
                       "seconds_count{a=\"b\"} 4\n";
    test_check_same(expose(false, EXPOSITION_PAGE_BYTES), text);
    /* in OpenMetrics the same, but for bounds that must look like floats */
    expose(true, EXPOSITION_PAGE_BYTES);
    ck_assert_ptr_nonnull(strstr(output.at, "seconds_bucket{a=\"b\",le=\"0.25\"} 1\n"
                                            "seconds_bucket{a=\"b\",le=\"1.0\"} 2\n"
                                            "seconds_bucket{a=\"b\",le=\"4.0\"} 2\n"));
    ck_assert_ptr_nonnull(strstr(output.at, "le=\"9.5367431640625e-07\"} 0\n"));
    ck_assert_ptr_nonnull(strstr(output.at, "le=\"262144.0\"} 3\n"
                                            "seconds_bucket{a=\"b\",le=\"+Inf\"} 4\n"));
}
END_TEST

START_TEST(a_histogram_without_labels)
{
    begin();
    apply(KIND_HISTOGRAM, "seconds -5");
    expose(false, EXPOSITION_PAGE_BYTES);
    ck_assert_ptr_nonnull(strstr(output.at, "seconds_bucket{le=\"9.5367431640625e-07\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(output.at, "seconds_bucket{le=\"+Inf\"} 1\n"
                                            "seconds_sum -5\n"
                                            "seconds_count 1\n"));
}
END_TEST

START_TEST(sets_are_gauges_of_how_many)
{
    begin();
    apply(KIND_SET, "users{a=\"b\"} x");
    apply(KIND_SET, "users{a=\"b\"} y");
    apply(KIND_SET, "users{a=\"b\"} x");
    check_both("# TYPE users gauge\nusers{a=\"b\"} 2\n", "# TYPE users gauge\nusers{a=\"b\"} 2\n");
}
END_TEST

START_TEST(classic_histograms_and_summaries_as_pushed)
{
    begin();
    describe(KIND_CLASSIC, "h_seconds{a=\"b\",z=\"y\"} sum=4.5 -1:1 0.5:2 10:2 1e22:3 +Inf:4",
             "Text.", "seconds");
    apply(KIND_CLASSIC, "h_seconds sum=4.5 3");
    apply(KIND_CLASSIC, "h_seconds{a=\"inf\"} +Inf:2.5");
    apply(KIND_SUMMARY, "s{a=\"b\"} sum=7 8");
    check_both("# HELP h_seconds Text.\n"
               "# TYPE h_seconds histogram\n"
               "h_seconds_bucket{a=\"b\",z=\"y\",le=\"-1\"} 1\n"
               "h_seconds_bucket{a=\"b\",z=\"y\",le=\"0.5\"} 2\n"
               "h_seconds_bucket{a=\"b\",z=\"y\",le=\"10\"} 2\n"
               "h_seconds_bucket{a=\"b\",z=\"y\",le=\"1e+22\"} 3\n"
               "h_seconds_bucket{a=\"b\",z=\"y\",le=\"+Inf\"} 4\n"
               "h_seconds_sum{a=\"b\",z=\"y\"} 4.5\n"
               "h_seconds_count{a=\"b\",z=\"y\"} 4\n"
               "h_seconds_bucket{le=\"+Inf\"} 3\n"
               "h_seconds_sum 4.5\n"
               "h_seconds_count 3\n"
               "h_seconds_bucket{a=\"inf\",le=\"+Inf\"} 2.5\n"
               "h_seconds_sum{a=\"inf\"} 0\n"
               "h_seconds_count{a=\"inf\"} 2.5\n"
               "# TYPE s summary\n"
               "s_sum{a=\"b\"} 7\n"
               "s_count{a=\"b\"} 8\n",
               "# HELP h_seconds Text.\n"
               "# UNIT h_seconds seconds\n"
               "# TYPE h_seconds histogram\n"
               "h_seconds_bucket{a=\"b\",z=\"y\",le=\"-1.0\"} 1\n"
               "h_seconds_bucket{a=\"b\",z=\"y\",le=\"0.5\"} 2\n"
               "h_seconds_bucket{a=\"b\",z=\"y\",le=\"10.0\"} 2\n"
               "h_seconds_bucket{a=\"b\",z=\"y\",le=\"1e+22\"} 3\n"
               "h_seconds_bucket{a=\"b\",z=\"y\",le=\"+Inf\"} 4\n"
               "h_seconds_sum{a=\"b\",z=\"y\"} 4.5\n"
               "h_seconds_count{a=\"b\",z=\"y\"} 4\n"
               "h_seconds_bucket{le=\"+Inf\"} 3\n"
               "h_seconds_sum 4.5\n"
               "h_seconds_count 3\n"
               "h_seconds_bucket{a=\"inf\",le=\"+Inf\"} 2.5\n"
               "h_seconds_sum{a=\"inf\"} 0\n"
               "h_seconds_count{a=\"inf\"} 2.5\n"
               "# TYPE s summary\n"
               "s_sum{a=\"b\"} 7\n"
               "s_count{a=\"b\"} 8\n");
}
END_TEST

/* Two pushes of one child with other bounds: what both have is what is left. */
START_TEST(bounds_that_a_push_lacked_are_not_shown)
{
    begin();
    apply(KIND_CLASSIC, "h 1:1 5:2 +Inf:3");
    apply(KIND_CLASSIC, "h 2:1 5:4 +Inf:6");
    apply(KIND_CLASSIC, "i 1:5 +Inf:10");
    apply(KIND_CLASSIC, "i 2:3 +Inf:4");
    check_both("# TYPE h histogram\n"
               "h_bucket{le=\"5\"} 6\nh_bucket{le=\"+Inf\"} 9\nh_sum 0\nh_count 9\n"
               "# TYPE i histogram\ni_bucket{le=\"+Inf\"} 14\ni_sum 0\ni_count 14\n",
               "# TYPE h histogram\n"
               "h_bucket{le=\"5.0\"} 6\nh_bucket{le=\"+Inf\"} 9\nh_sum 0\nh_count 9\n"
               "# TYPE i histogram\ni_bucket{le=\"+Inf\"} 14\ni_sum 0\ni_count 14\n");
}
END_TEST

/* As many bounds as there may be, each page with one row. */
START_TEST(all_bounds_of_a_child_are_shown)
{
    struct test_text words = {0};
    begin();
    test_print(&words, "h ");
    for (int i = 0; i < CHILD_BOUNDS_MAX; i++)
        test_print(&words, "%d:%d ", i, i * 2);
    test_print(&words, "+Inf:100");
    apply(KIND_CLASSIC, words.at);
    expose(false, 40);
    unsigned rows = 0;
    for (const char *at = output.at; (at = strstr(at, "h_bucket{le=")) != NULL; at++, rows++)
        continue;
    ck_assert_uint_eq(rows, CHILD_BOUNDS_MAX + 1);
    ck_assert_ptr_nonnull(strstr(output.at, "h_bucket{le=\"39\"} 78\nh_bucket{le=\"+Inf\"} 100\n"
                                            "h_sum 0\nh_count 100\n"));
    test_text_end(&words);
}
END_TEST

START_TEST(overflow_series_are_shown_when_they_hold_something)
{
    settings.series_max = 1;
    settings.limits_families = 1;
    begin();
    apply(KIND_COUNTER, "hits_total{n=\"1\"} 1");
    apply(KIND_COUNTER, "hits_total{n=\"2\"} 2");
    apply(KIND_GAUGE, "other 3");
    const char *expected =
        "# HELP mayfly_overflow_gauge Samples of metrics that there was no room for.\n"
        "# TYPE mayfly_overflow_gauge gauge\n"
        "mayfly_overflow_gauge{otel_metric_overflow=\"true\"} 3\n"
        "# TYPE hits_total counter\n"
        "hits_total{otel_metric_overflow=\"true\"} 2\n"
        "hits_total{n=\"1\"} 1\n";
    ck_assert_str_eq(expose(false, EXPOSITION_PAGE_BYTES), expected);
}
END_TEST

START_TEST(a_family_whose_series_are_gone_shows_its_overflow)
{
    settings.series_max = 1;
    begin();
    apply(KIND_COUNTER, "hits_total{n=\"1\"} 1");
    apply(KIND_COUNTER, "hits_total{n=\"2\"} 2");
    uint32_t family = test_family_find(&store, BYTES("hits_total"));
    store_delete(&store, test_series_find(&store, family, BYTES("n=\"1\"")));
    ck_assert_str_eq(expose(false, EXPOSITION_PAGE_BYTES),
                     "# TYPE hits_total counter\nhits_total{otel_metric_overflow=\"true\"} 2\n");
}
END_TEST

START_TEST(a_family_that_is_there_for_its_past_is_not_shown)
{
    begin();
    apply(KIND_COUNTER, "hits_total 1");
    store_family_sealed(&store, test_family_find(&store, BYTES("hits_total")), store.window);
    now_ms += 2 * (int64_t)settings.series_expire_after;
    store_expire(&store, now_ms, 10);
    ck_assert_uint_ne(test_family_find(&store, BYTES("hits_total")), SLOT_NONE);
    check_both("", "");
}
END_TEST

/* ---- pages ---- */

static void fill(void)
{
    char text[128];
    describe(KIND_COUNTER, "hits_total{n=\"x\"} 1", "A rather \"long\" text about hits.", "hits");
    for (int n = 0; n < 12; n++) {
        snprintf(text, sizeof text, "hits_total{n=\"%0*d\"} %d", 1 + n * 5, n, n);
        apply(KIND_COUNTER, text);
        snprintf(text, sizeof text, "g%d{label=\"value\"} %d", n % 4, n);
        apply(KIND_GAUGE, text);
    }
    for (int n = 0; n < 40; n++) {
        snprintf(text, sizeof text, "seconds{a=\"%d\"} %d", n % 3, n);
        apply(KIND_HISTOGRAM, text);
    }
    apply(KIND_SET, "users x");
    apply(KIND_CLASSIC, "h sum=1 1:1 +Inf:2");
    apply(KIND_CLASSIC, "h{a=\"b\"} sum=1 0.5:1 7:2 +Inf:2");
    apply(KIND_SUMMARY, "s sum=1 2");
}

/* What cannot be cut: a line of a series, or a family's # lines with one another. */
static size_t largest_row(const char *text)
{
    size_t largest = 0;
    size_t header = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n") + 1;
        header = *text == '#' ? header + length : 0;
        size_t row = header > length ? header : length;
        largest = row > largest ? row : largest;
        text += length;
    }
    return largest;
}

START_TEST(pages_of_any_size_make_the_same_text)
{
    bool openmetrics = _i == 1;
    begin();
    fill();
    char *whole = strdup(expose(openmetrics, EXPOSITION_PAGE_BYTES));
    ck_assert_ptr_nonnull(whole);
    size_t length = strlen(whole);
    ck_assert_uint_lt(length, EXPOSITION_PAGE_BYTES);
    for (size_t size = largest_row(whole); size < length + 2; size++) {
        test_check_same(expose(openmetrics, size), whole);
    }
    free(whole);
}
END_TEST

/*
 * A page that was filled by what stood before, as the first one after the service's own figures, is
 * no trouble.
 */
START_TEST(a_page_may_be_begun_by_others)
{
    char page_memory[512];
    begin();
    apply(KIND_GAUGE, "g 1");
    for (size_t used = 0; used <= sizeof page_memory; used++) {
        struct exposition *exposition = make(false);
        struct writer page = writer_make(page_memory, sizeof page_memory);
        page.used = used;
        memset(page_memory, '~', sizeof page_memory);
        test_text_reset(&output);
        bool more = exposition_next(exposition, &store, &page);
        for (size_t i = 0; i < used; i++)
            CHECK_THAT(page_memory[i] == '~');
        test_append(&output, (struct bytes){page_memory + used, page.used - used});
        while (more)
            more = next_page(exposition, sizeof page_memory);
        CHECK_THAT(strcmp(output.at, "# TYPE g gauge\ng 1\n") == 0);
    }
}
END_TEST

/*
 * The ceilings of the settings: the longest name, the longest labels, a text of nothing but quotes.
 */
START_TEST(the_longest_row_fits_a_page)
{
    struct test_text text = {0};
    char help[257];
    settings.limits_name_bytes = setting_find(BYTES("limits.name_bytes"))->ceiling;
    settings.limits_label_set_bytes = setting_find(BYTES("limits.label_set_bytes"))->ceiling;
    settings.series_label_bytes = 1 << 20;
    begin();
    memset(help, '"', 256);
    help[256] = '\0';
    test_print(&text, "n%0*d_seconds{v=\"%0*d\"} 1.2345678901234567e-300",
               (int)settings.limits_name_bytes - 9, 0, (int)settings.limits_label_set_bytes - 4, 0);
    describe(KIND_HISTOGRAM, text.at, help, "seconds");
    for (int openmetrics = 0; openmetrics < 2; openmetrics++) {
        expose(openmetrics == 1, EXPOSITION_PAGE_BYTES);
        ck_assert_ptr_nonnull(strstr(output.at, "_count{v=\"000"));
        ck_assert_uint_gt(output.used, 23 * (settings.limits_label_set_bytes + 1024));
    }
    test_text_end(&text);
}
END_TEST

START_TEST(an_arena_without_room_makes_no_exposition)
{
    begin();
    for (size_t bytes = 0; bytes < 6000; bytes += 16) {
        arena_init(&arena, arena_memory, bytes, bytes, NULL);
        struct exposition *exposition = exposition_make(&world.settings, false, &arena);
        if (exposition == NULL)
            ck_assert_int_eq(arena.refusal, STATUS_REQUEST_TOO_LARGE);
    }
    arena_init(&arena, arena_memory, ARENA_BYTES, ARENA_BYTES, NULL);
}
END_TEST

/* ---- there and back ---- */

static struct refusal apply_flush(void *context, struct intake *intake)
{
    struct store *into = context;
    for (uint32_t i = 0; i < intake->batch->count; i++) {
        struct store_outcome outcome = {0};
        CHECK_THAT(store_apply(into, &intake->batch->samples[i], now_ms, &outcome) == STATUS_OK);
    }
    return refusal_plain(STATUS_OK);
}

static void push_back(const char *text, bool openmetrics)
{
    struct test_intake *intake = test_intake_make(&world);
    struct push_options options = {
        .decoder = {.format = openmetrics ? FORMAT_OPENMETRICS : FORMAT_PROMETHEUS,
                    .body_bytes = UINT64_MAX},
    };
    intake->intake.flush = apply_flush;
    intake->intake.context = &store;
    arena_reset(&arena);
    struct push *push = push_make(&options, &world.settings, &arena);
    ck_assert_ptr_nonnull(push);
    ck_assert_int_eq(push_feed(push, bytes_of(text), &intake->intake).status, STATUS_OK);
    ck_assert_int_eq(push_finish(push, &intake->intake).status, STATUS_OK);
    ck_assert_uint_eq(push->report.rejected, 0);
    test_intake_free(intake);
}

/*
 * What is exposed can be read, and comes to the same: histograms as classic ones, sets as gauges.
 */
START_TEST(an_exposition_that_is_pushed_is_exposed_again)
{
    bool openmetrics = _i == 1;
    begin();
    fill();
    char *whole = strdup(expose(openmetrics, EXPOSITION_PAGE_BYTES));
    ck_assert_ptr_nonnull(whole);
    test_world_end(&world);
    begin();
    push_back(whole, openmetrics);
    test_check_same(expose(openmetrics, EXPOSITION_PAGE_BYTES), whole);
    free(whole);
}
END_TEST

/* ---- while the store goes on ---- */

#define WATCHED_MAX 200

/* A series that was there at the first page. */
struct watched {
    uint32_t slot;
    uint32_t generation;
    bool histogram;
    char row[96]; /* how its (first) row begins */
};

static struct watched watched[WATCHED_MAX];
static size_t watched_count;
static struct random draw;
static unsigned next_label;

static void watch_all(void)
{
    watched_count = 0;
    for (uint32_t slot = 0; slot < store.series.slot_count; slot++) {
        const struct series *series = store_series(&store, slot);
        if (series == NULL || series->is_overflow)
            continue;
        struct watched *one = &watched[watched_count++];
        const struct family *family = store_family(&store, series->family);
        char name[64] = {0};
        char labels[64] = {0};
        label_copy(&store.labels, family->name, name);
        label_copy(&store.labels, series->labels, labels);
        *one = (struct watched){
            slot, slots_generation(&store.series, slot), family->kind == KIND_HISTOGRAM, {0}};
        snprintf(one->row, sizeof one->row, one->histogram ? "%s_bucket{%s,le=" : "%s{%s} ", name,
                 labels);
    }
}

static unsigned rows_beginning(const char *begin_with)
{
    unsigned count = 0;
    size_t length = strlen(begin_with);
    for (const char *line = output.at; *line != '\0'; line += strcspn(line, "\n") + 1)
        count += strncmp(line, begin_with, length) == 0;
    return count;
}

/* All rows stand together, the counts rise, and sum and count belong to them: every value was 1. */
static void check_histogram(const struct watched *one)
{
    double last = 0;
    double count = 0;
    double sum = 0;
    const char *row = strstr(output.at, one->row);
    CHECK_THAT(row != NULL);
    for (int i = 0; i <= HISTOGRAM_GRID_BOUNDS; i++) {
        CHECK_THAT(strncmp(row, one->row, strlen(one->row)) == 0);
        double value = strtod(strstr(row, "} ") + 2, NULL);
        CHECK_THAT(value >= last);
        last = value;
        row += strcspn(row, "\n") + 1;
    }
    CHECK_THAT(sscanf(strstr(row, "} ") + 2, "%lf", &sum) == 1);
    row += strcspn(row, "\n") + 1;
    CHECK_THAT(sscanf(strstr(row, "} ") + 2, "%lf", &count) == 1);
    CHECK_THAT(last == count && sum == count && count > 0);
}

/* Returns how many lived throughout. */
static unsigned check_watched(void)
{
    unsigned throughout = 0;
    for (size_t i = 0; i < watched_count; i++) {
        const struct watched *one = &watched[i];
        unsigned rows = rows_beginning(one->row);
        if (!slots_is_live(&store.series, one->slot) ||
            slots_generation(&store.series, one->slot) != one->generation) {
            CHECK_THAT(rows <= (one->histogram ? HISTOGRAM_GRID_BOUNDS + 1u : 1u));
            continue;
        }
        throughout++;
        if (rows != (one->histogram ? HISTOGRAM_GRID_BOUNDS + 1u : 1u))
            ck_abort_msg("%s stands there %u times", one->row, rows);
        if (one->histogram)
            check_histogram(one);
    }
    return throughout;
}

static void apply_new(void)
{
    char text[64];
    unsigned family = (unsigned)random_below(&draw, 6);
    const char *name = family % 3 == 0 ? "seconds" : "hits";
    snprintf(text, sizeof text, "%s%u{n=\"%u\"} 1", name, family, next_label++);
    apply(family % 3 == 0 ? KIND_HISTOGRAM : KIND_COUNTER, text);
}

static void apply_again(void)
{
    uint32_t slot = (uint32_t)random_below(&draw, store.series.slot_count);
    const struct series *series = store_series(&store, slot);
    if (series == NULL || series->is_overflow)
        return;
    char text[128] = {0};
    const struct family *family = store_family(&store, series->family);
    label_copy(&store.labels, family->name, text);
    text[family->name.length] = '{';
    label_copy(&store.labels, series->labels, text + family->name.length + 1);
    strcat(text, "} 1");
    apply((enum kind)family->kind, text);
}

static void delete_some(void)
{
    uint32_t slot = (uint32_t)random_below(&draw, store.series.slot_count);
    if (store_series(&store, slot) != NULL)
        store_delete(&store, slot);
}

/*
 * New ones, more of the same, deletions; time passes, so that new ones recycle old ones and some
 * expire.
 */
static void meanwhile(void)
{
    for (uint64_t count = random_below(&draw, 4); count > 0; count--) {
        uint64_t chosen = random_below(&draw, 10);
        if (chosen < 3)
            apply_new();
        else if (chosen < 8)
            apply_again();
        else
            delete_some();
    }
    now_ms += (int64_t)random_below(&draw, 2000);
    store_expire(&store, now_ms, 2);
}

START_TEST(who_lives_throughout_is_exposed_once)
{
    settings.series_max = 60;
    settings.histograms_max = 20;
    settings.series_idle_min = 40000;
    settings.series_expire_after = 300000;
    begin();
    draw.state = TEST_SEED + (uint64_t)_i;
    for (int i = 0; i < 80; i++)
        apply_new();
    unsigned throughout = 0;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 20; i++)
            apply_new();
        struct exposition *exposition = make(round % 2 == 1);
        test_text_reset(&output);
        watch_all();
        size_t size = 150 + (size_t)random_below(&draw, 800);
        while (next_page(exposition, size))
            meanwhile();
        throughout += check_watched();
        store_verify(&store);
    }
    ck_assert_uint_gt(throughout, 500);
    ck_assert_uint_gt(store.recycled_series + store.expired_series, 100);
}
END_TEST

/* Its rows are those of one moment, though it changes, and ends, between the pages. */
START_TEST(a_histogram_is_of_one_moment)
{
    begin();
    for (int i = 0; i < 10; i++)
        apply(KIND_HISTOGRAM, "seconds{n=\"1\"} 1");
    struct exposition *exposition = make(false);
    test_text_reset(&output);
    ck_assert(next_page(exposition, 120));
    apply(KIND_HISTOGRAM, "seconds{n=\"1\"} 1");
    ck_assert(next_page(exposition, 120));
    uint32_t family = test_family_find(&store, BYTES("seconds"));
    store_delete(&store, test_series_find(&store, family, BYTES("n=\"1\"")));
    apply(KIND_GAUGE, "seconds{n=\"1\"} 99"); /* and its name is another's by then */
    next_page(exposition, EXPOSITION_PAGE_BYTES);
    ck_assert_ptr_nonnull(strstr(output.at, "seconds_bucket{n=\"1\",le=\"1\"} 10\n"));
    ck_assert_ptr_nonnull(
        strstr(output.at, "seconds_sum{n=\"1\"} 10\nseconds_count{n=\"1\"} 10\n"));
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

Suite *exposition_suite(void)
{
    Suite *suite = suite_create("exposition");
    TCase *kinds = case_of(suite, "kinds");
    tcase_add_test(kinds, an_empty_store_exposes_nothing);
    tcase_add_test(kinds, counters);
    tcase_add_test(kinds, gauges);
    tcase_add_test(kinds, histograms);
    tcase_add_test(kinds, a_histogram_without_labels);
    tcase_add_test(kinds, sets_are_gauges_of_how_many);
    tcase_add_test(kinds, classic_histograms_and_summaries_as_pushed);
    tcase_add_test(kinds, bounds_that_a_push_lacked_are_not_shown);
    tcase_add_test(kinds, all_bounds_of_a_child_are_shown);
    tcase_add_test(kinds, a_family_that_is_there_for_its_past_is_not_shown);
    tcase_add_test(kinds, overflow_series_are_shown_when_they_hold_something);
    tcase_add_test(kinds, a_family_whose_series_are_gone_shows_its_overflow);
    tcase_add_loop_test(kinds, an_exposition_that_is_pushed_is_exposed_again, 0, 2);
    TCase *pages = case_of(suite, "pages");
    tcase_add_loop_test(pages, pages_of_any_size_make_the_same_text, 0, 2);
    tcase_add_test(pages, a_page_may_be_begun_by_others);
    tcase_add_test(pages, the_longest_row_fits_a_page);
    tcase_add_test(pages, an_arena_without_room_makes_no_exposition);
    tcase_add_loop_test(pages, who_lives_throughout_is_exposed_once, 0, 4);
    tcase_add_test(pages, a_histogram_is_of_one_moment);
    return suite;
}
