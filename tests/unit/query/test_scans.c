/*
 * test_scans.c: names, cardinality, pages of series and their JSON, and DELETE, over a small store;
 * then the same while series come and go between the slices.
 */
#include "query/cardinality.h"
#include "query/largest.h"
#include "query/names.h"
#include "query/series_page.h"
#include "reply/rows.h"

#include "base/random.h"
#include "store_fixture.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>

Suite *scans_suite(void);

static struct store_fixture fixture;
static struct selector everything;
static char reply_text[1 << 20];

/* Of selectors, which outlive what the fixture's arena is reset for. */
static struct arena selectors;
_Alignas(ARENA_ALIGN) static char selector_memory[128 << 10];

static void setup(void)
{
    fixture_init(&fixture);
    selector_init(&everything);
    arena_init(&selectors, selector_memory, sizeof selector_memory, sizeof selector_memory, NULL);
}

static void teardown(void)
{
    UNPOISON(selector_memory, sizeof selector_memory);
    fixture_end(&fixture);
}

/* The store anew, with room for more. */
static void restart(uint64_t series_max)
{
    fixture_end(&fixture);
    test_world_init(&fixture.world, (size_t)8 << 20);
    fixture.world.settings.series_max = series_max;
    fixture.world.settings.series_label_bytes = series_max * 256;
    fixture_store_init(&fixture);
}

static void apply(enum kind kind, const char *text)
{
    ck_assert_msg(!fixture_apply(&fixture, kind, text), "%s overflowed", text);
}

/* One of each kind. */
static void apply_zoo(void)
{
    apply(KIND_COUNTER, "hits{route=\"/a\",zone=\"eu\"} 2.5");
    apply(KIND_COUNTER, "hits{route=\"/b\",zone=\"us\"} 1");
    apply(KIND_GAUGE, "temp{zone=\"eu\"} -3");
    apply(KIND_GAUGE, "odd{path=\"C:\\\\a\\\"b\\nc\"} NaN");
    apply(KIND_HISTOGRAM, "secs{route=\"/a\"} 0.5");
    apply(KIND_HISTOGRAM, "secs{route=\"/a\"} 0.25");
    apply(KIND_SET, "users ann");
    apply(KIND_SET, "users bob");
    apply(KIND_SET, "users ann");
    apply(KIND_CLASSIC, "t sum=1.5 1:3 +Inf:4");
    apply(KIND_SUMMARY, "s{zone=\"eu\"} sum=7 2");
}

static struct selector selector_of(const char *match)
{
    struct selector selector;
    selector_init(&selector);
    arena_reset(&selectors);
    if (match != NULL) {
        struct refusal refusal =
            selector_add_match(&selector, bytes_of(match), &fixture.world.settings, &selectors);
        ck_assert_int_eq(refusal.status, STATUS_OK);
    }
    return selector;
}

/* ---- names ---- */

/* The names of labels (label NULL) or a label's values, as "a b c", + when there are more. */
static void expect_names(const char *label, const char *match, const char *after, uint32_t limit,
                         uint32_t slice, const char *expected)
{
    struct test_text text = {0};
    struct selector selector = selector_of(match);
    struct arena *arena = &fixture.arena;
    const struct settings *settings = &fixture.world.settings;
    arena_reset(arena);
    struct name_page *page = name_page_make(limit, NAME_PAGE_TEXT_MIN, bytes_of(after), arena);
    struct names *names =
        label == NULL ? names_make_labels(&selector, page, settings, arena)
                      : names_make_values(bytes_of(label), &selector, page, settings, arena);
    while (!names_step(names, &fixture.store, slice))
        continue;
    test_text_reset(&text);
    for (uint32_t i = 0; i < page->count; i++) {
        test_print(&text, i == 0 ? "" : " ");
        test_append(&text, name_page_at(page, i));
    }
    test_print(&text, page->more ? " +" : "");
    ck_assert_str_eq(text.at, expected);
    test_text_end(&text);
}

static const struct {
    const char *label;
    const char *match;
    const char *after;
    uint32_t limit;
    const char *expected;
} names_cases[] = {
    {NULL, NULL, "", 99, "__name__ path route zone"},
    {NULL, NULL, "", 1, "__name__ +"},
    {NULL, NULL, "le", 1, "path +"},
    {NULL, NULL, "path", 2, "route zone"},
    {NULL, NULL, "zone", 2, ""},
    {NULL, "hits", "", 99, "__name__ route zone"},
    {NULL, "users", "", 99, "__name__"},
    {NULL, "nothing", "", 99, ""},
    {NULL, "zone=us", "", 99, "__name__ route zone"},
    {"route", NULL, "", 99, "/a /b"},
    {"route", NULL, "/a", 99, "/b"},
    {"route", NULL, "", 1, "/a +"},
    {"route", "zone!=us", "", 99, "/a"},
    {"zone", NULL, "", 99, "eu us"},
    {"zone", "t", "", 99, ""},
    {"path", NULL, "", 99, "C:\\a\"b\nc"},
    {"nope", NULL, "", 99, ""},
    {"", NULL, "", 99, ""},
    {"__name__", NULL, "", 99, "hits odd s secs t temp users"},
    {"__name__", NULL, "secs", 2, "t temp +"},
    {"__name__", "t", "", 99, "t"},
    {"__name__", "zone=eu", "", 99, "hits s temp"},
    {"__name__", "__name__!=t", "secs", 99, "temp users"},
    {NULL, "zone=~u.", "", 99, "__name__ route zone"},
    {NULL, "__name__=~t|s_.*", "", 99, "__name__"},
    {"route", "zone!~us|", "", 99, "/a"},
    {"path", "path=~.*\n.*", "", 99, "C:\\a\"b\nc"},
    {"__name__", "zone=~.+", "", 99, "hits s temp"},
    {"__name__", "__name__!~.*d.*|t.*", "", 99, "hits s secs users"},
};

START_TEST(names_are_those_of_the_series_selected)
{
    apply_zoo();
    for (uint32_t slice = 1; slice < 100; slice += 7)
        expect_names(names_cases[_i].label, names_cases[_i].match, names_cases[_i].after,
                     names_cases[_i].limit, slice, names_cases[_i].expected);
}
END_TEST

/* Fills the series up: what is new overflows from then on, one sample of fill already. */
static void fill_series(void)
{
    char text[64];
    bool overflowed = false;
    for (int i = 0; !overflowed; i++) {
        ck_assert_int_lt(i, 100000);
        snprintf(text, sizeof text, "fill{i=\"%d\"} 1", i);
        overflowed = fixture_apply(&fixture, KIND_COUNTER, text);
    }
}

/* And the families, after them. */
static void fill_families(void)
{
    char text[64];
    for (uint64_t i = 0; i < fixture.world.settings.limits_families; i++) {
        snprintf(text, sizeof text, "family%d 1", (int)i);
        ck_assert(fixture_apply(&fixture, KIND_GAUGE, text));
    }
}

START_TEST(overflow_series_are_there_once_they_took_a_sample)
{
    apply_zoo();
    expect_names("otel_metric_overflow", NULL, "", 9, 99, "");
    expect_names("__name__", "otel_metric_overflow=true", "", 9, 99, "");
    fill_series();
    expect_names("otel_metric_overflow", NULL, "", 9, 99, "true");
    expect_names("__name__", "otel_metric_overflow=true", "", 9, 99, "fill");
    ck_assert(fixture_apply(&fixture, KIND_SUMMARY, "new{a=\"1\"} 1"));
    expect_names("__name__", "otel_metric_overflow=true", "", 9, 99, "fill new");
    fill_families();
    ck_assert(fixture_apply(&fixture, KIND_SUMMARY, "newer 1"));
    expect_names("__name__", "otel_metric_overflow=true", "g", 9, 99,
                 "mayfly_overflow_gauge mayfly_overflow_summary new");
}
END_TEST

START_TEST(an_empty_store_has_no_names)
{
    expect_names(NULL, NULL, "", 9, 1, "");
    expect_names("__name__", NULL, "", 9, 1, "");
}
END_TEST

/* ---- cardinality ---- */

static struct cardinality *count_all(uint32_t slice)
{
    arena_reset(&fixture.arena);
    struct cardinality *cardinality = cardinality_make(&fixture.world.settings, &fixture.arena);
    ck_assert_ptr_nonnull(cardinality);
    while (!cardinality_step(cardinality, &fixture.store, slice))
        continue;
    return cardinality;
}

static struct bytes written(struct writer *writer)
{
    ck_assert(!writer->full);
    ck_assert_uint_lt(writer->used, sizeof reply_text);
    reply_text[writer->used] = '\0';
    return writer_text(writer);
}

static struct bytes name_of(const struct family_count *family)
{
    return (struct bytes){family->name, family->name_length};
}

START_TEST(cardinality_is_written)
{
    apply_zoo();
    fixture.store.recycled_series = 5; /* the store's own tests say when these count */
    fixture.store.expired_series = 6;
    for (uint32_t slice = 1; slice < 60; slice += 7) {
        struct writer writer = writer_make(reply_text, sizeof reply_text);
        cardinality_write(&writer, count_all(slice));
        written(&writer);
        ck_assert_str_eq(
            reply_text,
            "{\"series\":8,\"series_max\":200,\"metrics\":["
            "{\"metric\":\"hits\",\"kind\":\"counter\",\"series\":2,\"overflowed_samples\":0,"
            "\"lost_bounds\":0,\"recycled_series\":0,\"recycled_sum\":0,\"recycled_count\":0},"
            "{\"metric\":\"temp\",\"kind\":\"gauge\",\"series\":1,\"overflowed_samples\":0,"
            "\"lost_bounds\":0,\"recycled_series\":0,\"recycled_sum\":0,\"recycled_count\":0},"
            "{\"metric\":\"odd\",\"kind\":\"gauge\",\"series\":1,\"overflowed_samples\":0,"
            "\"lost_bounds\":0,\"recycled_series\":0,\"recycled_sum\":0,\"recycled_count\":0},"
            "{\"metric\":\"secs\",\"kind\":\"histogram\",\"series\":1,\"overflowed_samples\":0,"
            "\"lost_bounds\":0,\"recycled_series\":0,\"recycled_sum\":0,\"recycled_count\":0},"
            "{\"metric\":\"users\",\"kind\":\"set\",\"series\":1,\"overflowed_samples\":0,"
            "\"lost_bounds\":0,\"recycled_series\":0,\"recycled_sum\":0,\"recycled_count\":0},"
            "{\"metric\":\"t\",\"kind\":\"classic_histogram\",\"series\":1,\"overflowed_samples\":"
            "0,"
            "\"lost_bounds\":0,\"recycled_series\":0,\"recycled_sum\":0,\"recycled_count\":0},"
            "{\"metric\":\"s\",\"kind\":\"summary\",\"series\":1,\"overflowed_samples\":0,"
            "\"lost_bounds\":0,\"recycled_series\":0,\"recycled_sum\":0,\"recycled_count\":0}],"
            "\"labels\":[{\"label\":\"zone\",\"series\":4},{\"label\":\"route\",\"series\":3},"
            "{\"label\":\"path\",\"series\":1}],"
            "\"labels_approximate\":false,\"overflowed_samples\":0,\"lost_bounds\":0,"
            "\"recycled_series\":5,\"expired_series\":6,\"deleted_series\":0,"
            "\"ended_metrics\":{\"recycled_series\":0,\"recycled_sum\":0,\"recycled_count\":0}}\n");
    }
}
END_TEST

START_TEST(cardinality_says_what_overflowed)
{
    fill_series();
    fixture_apply(&fixture, KIND_COUNTER, "fill{more=\"1\"} 1");
    fill_families();
    fixture_apply(&fixture, KIND_SET, "unknown x");
    fixture_apply(&fixture, KIND_SET, "unknown y");
    const struct cardinality *cardinality = count_all(SWEEP_SLICE);
    const struct family_count *families = cardinality->families;
    ck_assert_uint_eq(cardinality->overflowed_samples, 4 + fixture.world.settings.limits_families);
    ck_assert_uint_eq(cardinality->series, cardinality->series_max);
    ck_assert_uint_eq(cardinality->family_count, CARDINALITY_TOP);
    ck_assert(bytes_equal(name_of(&families[0]), BYTES("fill")));
    ck_assert_uint_eq(families[0].series, cardinality->series);
    ck_assert_uint_eq(families[0].overflowed, 2);
    ck_assert(bytes_equal(name_of(&families[1]), BYTES("mayfly_overflow_set")));
    ck_assert_uint_eq(families[1].series, 0);
    ck_assert_uint_eq(families[1].overflowed, 2);
    ck_assert_uint_eq(families[2].overflowed, 1);
}
END_TEST

/* More families than are reported: those with most series are, most first. */
START_TEST(the_largest_families_are_reported)
{
    char text[64];
    restart(400);
    for (int family = 0; family < 40; family++) {
        int series = (family * 7) % 13;
        for (int i = 0; i < series; i++) {
            snprintf(text, sizeof text, "m%d{i=\"%d\"} 1", family, i);
            apply(KIND_COUNTER, text);
        }
    }
    const struct cardinality *cardinality = count_all(3);
    ck_assert_uint_eq(cardinality->family_count, CARDINALITY_TOP);
    for (uint32_t i = 0; i < CARDINALITY_TOP; i++) {
        const struct family_count *family = &cardinality->families[i];
        char name[16] = {0};
        memcpy(name, family->name, family->name_length);
        ck_assert_uint_eq(family->series, (uint32_t)(atoi(name + 1) * 7) % 13);
        ck_assert(i == 0 || cardinality->families[i - 1].series >= family->series);
    }
    /* 40 families: three each with 12 to 7 series, bar one, so the 20th has 6 */
    ck_assert_uint_eq(cardinality->families[CARDINALITY_TOP - 1].series, 6);
}
END_TEST

static void delete (enum kind kind, const char *text)
{
    uint32_t slot = fixture_find(&fixture, kind, text);
    ck_assert_uint_ne(slot, SLOT_NONE);
    store_delete(&fixture.store, slot);
}

/* "a" is counted, ends, gives its slot to "b" and is born again behind it. */
START_TEST(a_family_that_moved_is_reported_once)
{
    apply(KIND_GAUGE, "a{i=\"1\"} 1");
    apply(KIND_GAUGE, "c 1");
    struct cardinality *cardinality = cardinality_make(&fixture.world.settings, &fixture.arena);
    while (cardinality->next_family <= KIND_COUNT) /* the store's own, and a */
        ck_assert(!cardinality_step(cardinality, &fixture.store, 1));
    ck_assert_uint_eq(cardinality->family_count, 1);
    delete (KIND_GAUGE, "a{i=\"1\"} 1");
    apply(KIND_GAUGE, "b 1");
    apply(KIND_GAUGE, "a{i=\"1\"} 1");
    apply(KIND_GAUGE, "a{i=\"2\"} 1");
    while (!cardinality_step(cardinality, &fixture.store, 1))
        continue;
    ck_assert_uint_eq(cardinality->family_count, 2); /* b came too late */
    ck_assert_int_eq(cardinality->families[0].name[0], 'a');
    ck_assert_uint_eq(cardinality->families[0].series, 2);
    ck_assert_int_eq(cardinality->families[1].name[0], 'c');
    ck_assert_ptr_ne(cardinality->families[0].name, cardinality->families[1].name);
}
END_TEST

#define MANY_LABELS 1000

/*
 * Label l<n> is on the more series the smaller n is; which is beyond what the table holds exactly.
 */
static void apply_many_labels(struct random *random, uint64_t truth[MANY_LABELS], int series)
{
    for (int i = 0; i < series; i++) {
        char text[256];
        uint64_t spread = 1 + random_below(random, MANY_LABELS);
        uint64_t a = random_below(random, spread);
        uint64_t b = random_below(random, spread);
        if (b >= a)
            b++;
        uint64_t low = a < b ? a : b;
        uint64_t high = a < b ? b : a;
        if (high >= MANY_LABELS)
            continue;
        snprintf(text, sizeof text, "m{l%04d=\"%d\",l%04d=\"%d\"} 1", (int)low, i, (int)high, i);
        apply(KIND_COUNTER, text);
        truth[low]++;
        truth[high]++;
    }
}

START_TEST(space_saving_keeps_its_promises)
{
    struct random random = {.state = TEST_SEED + (uint64_t)_i};
    uint64_t truth[MANY_LABELS] = {0};
    uint64_t total = 0;
    restart(8000);
    apply_many_labels(&random, truth, 8000);

    struct cardinality *cardinality = count_all(50);
    bool seen[MANY_LABELS] = {false};
    ck_assert(cardinality->approximate);
    ck_assert_uint_eq(cardinality->label_count, CARDINALITY_LABELS);
    for (uint32_t i = 0; i < cardinality->label_count; i++) {
        const struct label_count *label = &cardinality->labels[i];
        char name[16] = {0};
        memcpy(name, label->name, label->name_length);
        int n = atoi(name + 1);
        ck_assert(!seen[n]);
        seen[n] = true;
        ck_assert_uint_ge(label->series, truth[n]);
        ck_assert_uint_le(label->series - label->error, truth[n]);
        total += label->series;
    }
    ck_assert_uint_eq(total, 2 * cardinality->series); /* each label of each series is somewhere */
    for (int n = 0; n < MANY_LABELS; n++)
        ck_assert(seen[n] || truth[n] <= total / CARDINALITY_LABELS);
    for (uint32_t i = 1; i < CARDINALITY_TOP; i++)
        ck_assert_uint_ge(cardinality->labels[i - 1].series, cardinality->labels[i].series);
}
END_TEST

/* ---- series ---- */

/* A page of series as JSON; its token, or nothing. */
static struct bytes write_page(struct selector *selector, struct bytes after, uint32_t limit,
                               uint32_t slice, size_t bytes, struct bytes *next)
{
    uint32_t from = 0;
    ck_assert_int_eq(series_token_read(after, &from).status, STATUS_OK);
    arena_reset(&fixture.arena);
    struct series_page *page =
        series_page_make(selector, from, limit, &fixture.world.settings, &fixture.arena);
    ck_assert_ptr_nonnull(page);
    struct writer writer = writer_make(reply_text, bytes);
    series_rows_begin(&writer);
    while (!series_rows_step(&writer, page, &fixture.store, fixture.now_ms, slice))
        continue;
    series_rows_end(&writer, page);
    struct bytes text = written(&writer);
    static char token[16];
    *next = (struct bytes){token, 0};
    if (page->more)
        next->length = (size_t)sprintf(token, "%u", page->next);
    return text;
}

static void expect_series(const char *match, const char *expected)
{
    struct bytes next;
    struct selector selector = selector_of(match);
    for (uint32_t slice = 1; slice < 60; slice += 7) {
        write_page(&selector, BYTES(""), 99, slice, sizeof reply_text - 1, &next);
        ck_assert_str_eq(reply_text, expected);
    }
}

START_TEST(series_are_written)
{
    apply_zoo();
    fixture.now_ms = 29999;
    expect_series("hits", "{\"series\":["
                          "{\"metric\":\"hits\",\"kind\":\"counter\",\"labels\":{\"route\":\"/a\","
                          "\"zone\":\"eu\"},\"value\":2.5,\"idle_seconds\":20},"
                          "{\"metric\":\"hits\",\"kind\":\"counter\",\"labels\":{\"route\":\"/b\","
                          "\"zone\":\"us\"},\"value\":1,\"idle_seconds\":20}]}\n");
    expect_series("temp", "{\"series\":[{\"metric\":\"temp\",\"kind\":\"gauge\",\"labels\":{"
                          "\"zone\":\"eu\"},\"value\":-3,\"idle_seconds\":20}]}\n");
    expect_series("odd", "{\"series\":[{\"metric\":\"odd\",\"kind\":\"gauge\",\"labels\":{"
                         "\"path\":\"C:\\\\a\\\"b\\nc\"},\"value\":null,\"idle_seconds\":20}]}\n");
    expect_series("secs", "{\"series\":[{\"metric\":\"secs\",\"kind\":\"histogram\",\"labels\":{"
                          "\"route\":\"/a\"},\"count\":2,\"sum\":0.75,\"idle_seconds\":20}]}\n");
    expect_series("users", "{\"series\":[{\"metric\":\"users\",\"kind\":\"set\",\"labels\":{},"
                           "\"value\":2,\"idle_seconds\":20}]}\n");
    expect_series("t",
                  "{\"series\":[{\"metric\":\"t\",\"kind\":\"classic_histogram\",\"labels\":{},"
                  "\"count\":4,\"sum\":1.5,\"idle_seconds\":20}]}\n");
    expect_series("s", "{\"series\":[{\"metric\":\"s\",\"kind\":\"summary\",\"labels\":{"
                       "\"zone\":\"eu\"},\"count\":2,\"sum\":7,\"idle_seconds\":20}]}\n");
    expect_series("none", "{\"series\":[]}\n");
}
END_TEST

START_TEST(tokens_are_slots)
{
    static const char *const good[] = {"", "0", "17", "4294967294"};
    static const char *const bad[] = {"4294967295", "99999999999999999999", "-1", "x", "1 ", "1.5"};
    uint32_t from = 77;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_int_eq(series_token_read(bytes_of(bad[i]), &from).status, STATUS_BAD_PARAMETER);
    ck_assert_uint_eq(from, 77);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        ck_assert_int_eq(series_token_read(bytes_of(good[i]), &from).status, STATUS_OK);
        ck_assert_uint_eq(from, strtoul(good[i], NULL, 10));
        struct bytes next;
        write_page(&everything, bytes_of(good[i]), 9, SWEEP_SLICE, 4096, &next);
        ck_assert_str_eq(reply_text, "{\"series\":[]}\n");
    }
}
END_TEST

/* Labels that JSON makes six times longer, so that pages are cut in all places. */
static void apply_rows(int count)
{
    char text[256];
    for (int i = 0; i < count; i++) {
        int used = snprintf(text, sizeof text, "row{a=\"");
        for (int j = 0; j < i % 40; j++)
            text[used++] = (char)(j % 5 == 0 ? 'x' : '\x01');
        snprintf(text + used, sizeof text - (size_t)used, "x\",i=\"%d\"} %d", i, i);
        apply(KIND_COUNTER, text);
    }
}

static json_t *parse(struct bytes text)
{
    json_error_t error;
    json_t *root = json_loadb(text.at, text.length, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(root != NULL, "%s at %d: %s", error.text, error.position, reply_text);
    ck_assert_int_eq(text.at[text.length - 1], '\n');
    return root;
}

/* Whatever the buffer and the limit: pages are JSON, and together all rows in order. */
START_TEST(pages_of_series_are_whole)
{
    apply_rows(120);
    size_t least = series_rows_bytes(&fixture.world.settings) / 32; /* enough for these rows */
    for (size_t bytes = least; bytes < 6000; bytes += 173) {
        uint32_t limit = bytes % 2 == 0 ? 1000 : 7;
        int rows = 0;
        struct bytes after = BYTES("");
        do {
            struct bytes text = write_page(&everything, after, limit, 50, bytes, &after);
            json_t *root = parse(text);
            json_t *series = json_object_get(root, "series");
            ck_assert_uint_gt(json_array_size(series), 0);
            ck_assert_uint_le(json_array_size(series), limit);
            for (size_t i = 0; i < json_array_size(series); i++, rows++) {
                json_t *value = json_object_get(json_array_get(series, i), "value");
                ck_assert_int_eq(json_integer_value(value), rows);
            }
            const char *next = json_string_value(json_object_get(root, "next"));
            ck_assert_int_eq(next != NULL, after.length > 0);
            ck_assert(next == NULL || bytes_equal(bytes_of(next), after));
            json_decref(root);
        } while (after.length > 0);
        ck_assert_int_eq(rows, 120);
    }
}
END_TEST

START_TEST(a_buffer_too_small_for_a_row_comes_out_full)
{
    apply_rows(3);
    for (size_t bytes = 0; bytes < 400; bytes++) {
        arena_reset(&fixture.arena);
        struct series_page *page =
            series_page_make(&everything, 0, 9, &fixture.world.settings, &fixture.arena);
        struct writer writer = writer_make(reply_text, bytes);
        series_rows_begin(&writer);
        while (!series_rows_step(&writer, page, &fixture.store, 0, SWEEP_SLICE))
            continue;
        series_rows_end(&writer, page);
        ck_assert(writer.full == (page->given == 0));
        if (!writer.full) {
            json_t *root = parse(written(&writer));
            ck_assert_uint_eq(json_array_size(json_object_get(root, "series")), page->given);
            json_decref(root);
        }
    }
}
END_TEST

START_TEST(the_longest_row_fits_what_is_asked_for_it)
{
    struct settings *settings = &fixture.world.settings;
    static char text[16384];
    struct bytes next;
    int used = 0;
    for (uint64_t i = 0; i < settings->limits_name_bytes; i++)
        text[used++] = 'n';
    used += sprintf(text + used, "{");
    for (char name = 'a'; name <= 'c'; name++) {
        used += sprintf(text + used, "%s%c=\"", name == 'a' ? "" : ",", name);
        for (uint64_t i = 0; i < settings->limits_label_value_bytes; i++)
            text[used++] = '\x01';
        used += sprintf(text + used, "\"");
    }
    sprintf(text + used, "} -1.2345678901234567e-300");
    apply(KIND_GAUGE, text);
    size_t bytes = series_rows_bytes(settings);
    ck_assert_uint_lt(bytes, sizeof reply_text);
    write_page(&everything, BYTES(""), 1, SWEEP_SLICE, bytes, &next);

    struct arena *arena = &fixture.arena;
    struct name_page *page = name_page_make(1, NAME_PAGE_TEXT_MIN, BYTES(""), arena);
    struct names *names = names_make_values(BYTES("b"), &everything, page, settings, arena);
    while (!names_step(names, &fixture.store, SWEEP_SLICE))
        continue;
    page->more = true; /* so that the token is written too */
    static char asked[4096];
    memset(asked, '\x01', sizeof asked);
    struct writer writer = writer_make(reply_text, name_rows_bytes(settings));
    label_values_write(&writer, (struct bytes){asked, settings->limits_target_bytes}, page);
    json_decref(parse(written(&writer)));
}
END_TEST

START_TEST(cardinality_fits_what_is_asked_for_it)
{
    struct settings *settings = &fixture.world.settings;
    char text[1024];
    for (int i = 0; i < 25; i++) {
        snprintf(text, sizeof text, "%0*d{%0*d=\"x\"} -1.2345678901234567e-300",
                 (int)settings->limits_name_bytes, i, (int)settings->limits_label_name_bytes, i);
        text[0] = 'n';
        text[settings->limits_name_bytes + 1] = 'l';
        apply(KIND_GAUGE, text);
    }
    struct cardinality *cardinality = count_all(SWEEP_SLICE);
    cardinality->approximate = true;
    for (int i = 0; i < CARDINALITY_TOP; i++) {
        struct family_count *family = &cardinality->families[i];
        family->kind = KIND_CLASSIC;
        family->series = UINT32_MAX;
        family->overflowed = family->recycled = family->lost_bounds = UINT64_MAX;
        family->recycled_sum = family->recycled_count = -1.2345678901234567e-300;
        cardinality->labels[i].series = cardinality->labels[i].error = UINT64_MAX;
    }
    struct writer writer = writer_make(reply_text, cardinality_rows_bytes(settings));
    cardinality_write(&writer, cardinality);
    json_t *root = json_loadb(writer.at, writer.used, JSON_DECODE_INT_AS_REAL, NULL);
    ck_assert(!writer.full);
    ck_assert_ptr_nonnull(root);
    json_decref(root);
}
END_TEST

/* ---- names as JSON ---- */

static struct name_page *names_page(const char *label, const char *after, uint32_t limit)
{
    struct arena *arena = &fixture.arena;
    const struct settings *settings = &fixture.world.settings;
    arena_reset(arena);
    struct name_page *page = name_page_make(limit, NAME_PAGE_TEXT_MIN, bytes_of(after), arena);
    struct names *names =
        label == NULL ? names_make_labels(&everything, page, settings, arena)
                      : names_make_values(bytes_of(label), &everything, page, settings, arena);
    while (!names_step(names, &fixture.store, SWEEP_SLICE))
        continue;
    return page;
}

START_TEST(names_are_written)
{
    struct writer writer = writer_make(reply_text, sizeof reply_text - 1);
    label_names_write(&writer, names_page(NULL, "", 9));
    written(&writer);
    ck_assert_str_eq(reply_text, "{\"labels\":[]}\n");
    apply_zoo();
    writer_rewind(&writer, 0);
    label_names_write(&writer, names_page(NULL, "", 2));
    written(&writer);
    ck_assert_str_eq(reply_text, "{\"labels\":[\"__name__\",\"path\"],\"next\":\"path\"}\n");
    writer_rewind(&writer, 0);
    label_names_write(&writer, names_page(NULL, "path", 3));
    written(&writer);
    ck_assert_str_eq(reply_text, "{\"labels\":[\"route\",\"zone\"]}\n");
    writer_rewind(&writer, 0);
    label_values_write(&writer, BYTES("path"), names_page("path", "", 3));
    written(&writer);
    ck_assert_str_eq(reply_text, "{\"name\":\"path\",\"values\":[\"C:\\\\a\\\"b\\nc\"]}\n");
    writer_rewind(&writer, 0);
    label_names_write(&writer, names_page(NULL, "", 0));
    written(&writer);
    ck_assert_str_eq(reply_text, "{\"labels\":[]}\n");
}
END_TEST

START_TEST(pages_of_names_are_whole)
{
    apply_rows(120); /* 40 values of a: x, then ever longer ones */
    for (size_t bytes = 300; bytes < 4000; bytes += 73) {
        uint32_t limit = bytes % 2 == 0 ? 1000 : 7;
        char after[256] = "";
        size_t values = 0;
        bool more = true;
        while (more) {
            struct writer writer = writer_make(reply_text, bytes);
            label_values_write(&writer, BYTES("a"), names_page("a", after, limit));
            if (writer.full) {
                ck_assert_uint_lt(bytes, 2 * 240); /* the longest value as a row and as a token */
                values = 40;
                break;
            }
            json_t *root = parse(written(&writer));
            json_t *array = json_object_get(root, "values");
            for (size_t i = 0; i < json_array_size(array); i++, values++) {
                const char *value = json_string_value(json_array_get(array, i));
                ck_assert_int_gt(strcmp(value, after), 0);
                snprintf(after, sizeof after, "%s", value);
            }
            const char *next = json_string_value(json_object_get(root, "next"));
            ck_assert(next == NULL || strcmp(next, after) == 0);
            more = next != NULL;
            json_decref(root);
        }
        ck_assert_uint_eq(values, 40);
    }
}
END_TEST

/* ---- DELETE ---- */

static uint64_t delete_all(const char *match, uint32_t slice)
{
    struct selector selector = selector_of(match);
    arena_reset(&fixture.arena);
    struct deletion *deletion = deletion_make(&selector, &fixture.world.settings, &fixture.arena);
    while (!deletion_step(deletion, &fixture.store, slice))
        continue;
    store_verify(&fixture.store);
    struct writer writer = writer_make(reply_text, sizeof reply_text);
    deletion_write(&writer, deletion);
    json_t *root = parse(written(&writer));
    ck_assert_int_eq(json_integer_value(json_object_get(root, "deleted_series")),
                     (json_int_t)deletion->deleted);
    json_decref(root);
    return deletion->deleted;
}

START_TEST(selected_series_are_deleted)
{
    uint32_t slice = (uint32_t)_i;
    apply_zoo();
    ck_assert_uint_eq(delete_all("nothing", slice), 0);
    ck_assert_uint_eq(delete_all("zone=~e.", slice), 3);
    expect_names("__name__", NULL, "", 99, 99, "hits odd secs t users");
    ck_assert_uint_eq(delete_all("t", slice), 1);
    expect_names("__name__", NULL, "", 99, 99, "hits odd secs users");
    ck_assert_uint_eq(fixture.store.deleted_series, 4);
    ck_assert_uint_eq(delete_all(NULL, slice), 4);
    expect_names(NULL, NULL, "", 99, 99, "");
    ck_assert_uint_eq(fixture.store.families.live_count, KIND_COUNT); /* the overflow families */
}
END_TEST

START_TEST(overflow_series_are_not_deleted)
{
    fill_series();
    uint64_t series = count_all(SWEEP_SLICE)->series;
    ck_assert_uint_eq(delete_all("otel_metric_overflow=true", SWEEP_SLICE), 0);
    ck_assert_uint_eq(delete_all("fill", SWEEP_SLICE), series);
    expect_series(NULL, "{\"series\":[{\"metric\":\"fill\",\"kind\":\"counter\",\"labels\":{"
                        "\"otel_metric_overflow\":\"true\"},\"value\":1,\"idle_seconds\":0}]}\n");
}
END_TEST

/* ---- expressions that meet a limit on the way ---- */

#define COSTLY_MATCH "a!~(a+)+$"

/* The one that is too costly is neither first nor last. */
static void apply_costly(void)
{
    apply(KIND_COUNTER, "hits{a=\"x\"} 1");
    apply(KIND_COUNTER, "hits{a=\"y\"} 1");
    apply(KIND_COUNTER, "hits{a=\"aaaaaaaaaaaaaaaaaaaaaaaaaaab\"} 1");
    apply(KIND_COUNTER, "hits{a=\"z\"} 1");
}

START_TEST(names_stop_at_a_failure)
{
    apply_costly();
    static const char *const labels[] = {NULL, "a", "__name__"};
    const char *label = labels[_i % 3];
    uint32_t slice = _i < 3 ? 1 : 99999;
    const struct settings *settings = &fixture.world.settings;
    struct selector selector = selector_of(COSTLY_MATCH);
    struct name_page *page = name_page_make(9, NAME_PAGE_TEXT_MIN, BYTES(""), &fixture.arena);
    struct names *names =
        label == NULL
            ? names_make_labels(&selector, page, settings, &fixture.arena)
            : names_make_values(bytes_of(label), &selector, page, settings, &fixture.arena);
    while (!names_step(names, &fixture.store, slice))
        ck_assert_int_eq(selector.failure, STATUS_OK);
    ck_assert_int_eq(selector.failure, STATUS_REGEX_TOO_COSTLY);
    ck_assert(!sweep_is_done(&names->sweep, &fixture.store));
}
END_TEST

START_TEST(a_page_of_series_stops_at_a_failure)
{
    apply_costly();
    struct selector selector = selector_of(COSTLY_MATCH);
    struct series_page *page =
        series_page_make(&selector, 0, 99, &fixture.world.settings, &fixture.arena);
    struct writer writer = writer_make(reply_text, sizeof reply_text);
    series_rows_begin(&writer);
    while (!series_rows_step(&writer, page, &fixture.store, fixture.now_ms, 1))
        ck_assert_int_eq(selector.failure, STATUS_OK);
    ck_assert_int_eq(selector.failure, STATUS_REGEX_TOO_COSTLY);
    ck_assert_uint_eq(page->given, 2);
    ck_assert(!sweep_is_done(&page->sweep, &fixture.store));
}
END_TEST

START_TEST(a_deletion_that_fails_has_deleted_nothing)
{
    apply_costly();
    ck_assert_uint_eq(delete_all("a=~y", (uint32_t)_i), 1);
    ck_assert_uint_eq(delete_all(COSTLY_MATCH, (uint32_t)_i), 0);
    expect_names("a", NULL, "", 99, 99, "aaaaaaaaaaaaaaaaaaaaaaaaaaab x z");
    ck_assert_uint_eq(delete_all("a=~.", (uint32_t)_i), 2);
}
END_TEST

/* The costly label comes between the two walks. */
START_TEST(a_deletion_stops_at_a_failure)
{
    apply(KIND_COUNTER, "hits{a=\"x\"} 1");
    struct selector selector = selector_of(COSTLY_MATCH);
    struct deletion *deletion = deletion_make(&selector, &fixture.world.settings, &fixture.arena);
    while (!deletion->deleting)
        ck_assert(!deletion_step(deletion, &fixture.store, 1));
    ck_assert_uint_eq(deletion->deleted, 0);
    apply(KIND_COUNTER, "hits{a=\"aaaaaaaaaaaaaaaaaaaaaaaaaaab\"} 1");
    apply(KIND_COUNTER, "hits{a=\"z\"} 1");
    while (!deletion_step(deletion, &fixture.store, 1))
        continue;
    ck_assert_int_eq(selector.failure, STATUS_REGEX_TOO_COSTLY);
    ck_assert_uint_eq(deletion->deleted, 1);
    expect_names("a", NULL, "", 99, 99, "aaaaaaaaaaaaaaaaaaaaaaaaaaab z");
}
END_TEST

/* Under one hold of the lock: one costly match, or a dozen ordinary ones. */
START_TEST(expressions_are_charged_to_the_slice)
{
    char text[256], tail[58] = {0};
    memset(tail, 'a', sizeof tail - 1);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "hits{a=\"%03d%s\"} 1", i, tail);
        apply(KIND_COUNTER, text);
    }
    static const char *const matches[] = {"a=~.*.*c|.*", "a=~[0-9]+.*"};
    for (int i = 0; i < 2; i++) {
        struct selector selector = selector_of(matches[i]);
        const struct settings *settings = &fixture.world.settings;
        struct name_page *page = name_page_make(9, NAME_PAGE_TEXT_MIN, BYTES(""), &fixture.arena);
        struct names *names = names_make_labels(&selector, page, settings, &fixture.arena);
        struct series_page *series = series_page_make(&selector, 0, 999, settings, &fixture.arena);
        struct deletion *deletion = deletion_make(&selector, settings, &fixture.arena);
        uint32_t slice = SWEEP_SLICE;
        ck_assert(!names_step(names, &fixture.store, SWEEP_SLICE));
        ck_assert(!deletion_step(deletion, &fixture.store, SWEEP_SLICE));
        while (series_page_next(series, &fixture.store, &slice) != NULL)
            continue;
        uint32_t seen[] = {names->sweep.at, series->sweep.at, deletion->sweep.at};
        for (size_t k = 0; k < COUNT_OF(seen); k++) {
            uint32_t live = 0;
            for (uint32_t slot = 0; slot < seen[k]; slot++) {
                const struct series *one = store_series(&fixture.store, slot);
                live += one != NULL && series_is_visible(one);
            }
            ck_assert_uint_ge(live, i == 0 ? 1 : 10);
            ck_assert_uint_le(live, i == 0 ? 1 : 40);
        }
    }
}
END_TEST

/* ---- while series come and go ---- */

#define CHURN_KEPT 60
#define CHURN_OTHERS 100

struct churn {
    struct random random;
    bool is_kept[1024]; /* slots of the series that live throughout */
    uint64_t kept_count;
};

static const char *kept_text(int i)
{
    static char text[64];
    snprintf(text, sizeof text, "kept%d{id=\"k%02d\",side=\"%s\"} 1", i % 7, i,
             i % 2 == 0 ? "left" : "right");
    return text;
}

/*
 * Births, deaths and further samples, in families of their own and in those of the series that
 * stay.
 */
static void churn_step(struct churn *churn)
{
    char text[64];
    for (uint64_t steps = random_below(&churn->random, 6); steps > 0; steps--) {
        uint64_t id = random_below(&churn->random, CHURN_OTHERS);
        snprintf(text, sizeof text, "%s%d{id=\"o%02d\",side=\"left\"} 1",
                 id % 3 == 0 ? "kept" : "other", (int)(id % 7), (int)id);
        uint32_t slot = fixture_find(&fixture, KIND_COUNTER, text);
        if (slot == SLOT_NONE || random_below(&churn->random, 3) == 0)
            apply(KIND_COUNTER, text);
        else
            store_delete(&fixture.store, slot);
    }
}

static void churn_init(struct churn *churn, int seed)
{
    *churn = (struct churn){.random = {.state = TEST_SEED + (uint64_t)seed}};
    for (int i = 0; i < CHURN_KEPT; i++) {
        churn_step(churn);
        apply(KIND_COUNTER, kept_text(i));
        uint32_t slot = fixture_find(&fixture, KIND_COUNTER, kept_text(i));
        ck_assert_uint_lt(slot, COUNT_OF(churn->is_kept));
        churn->is_kept[slot] = true;
        churn->kept_count++;
    }
    churn_step(churn);
}

static uint32_t churn_slice(struct churn *churn)
{
    return 1 + (uint32_t)random_below(&churn->random, 24);
}

START_TEST(churn_neither_skips_nor_repeats_a_series)
{
    struct churn churn;
    churn_init(&churn, _i);
    bool given[1024] = {false};
    uint64_t kept = 0;
    uint32_t from = 0;
    struct series_page *page;
    do { /* pages of one walk, each in slices */
        arena_reset(&fixture.arena);
        page = series_page_make(&everything, from, 1 + (uint32_t)random_below(&churn.random, 20),
                                &fixture.world.settings, &fixture.arena);
        do {
            const struct series *series;
            uint32_t slice = churn_slice(&churn);
            while ((series = series_page_next(page, &fixture.store, &slice)) != NULL) {
                uint32_t slot = sweep_slot(&page->sweep);
                ck_assert(!given[slot]);
                given[slot] = true;
                kept += churn.is_kept[slot];
                if (random_below(&churn.random, 30) == 0) {
                    series_page_cut(page); /* no room: it comes first on the next page */
                    given[slot] = false;
                    kept -= churn.is_kept[slot];
                }
            }
            churn_step(&churn);
        } while (!series_page_is_done(page, &fixture.store));
        from = page->next;
    } while (page->more);
    ck_assert_uint_eq(kept, churn.kept_count);
}
END_TEST

START_TEST(churn_hides_no_name)
{
    struct churn churn;
    churn_init(&churn, _i);
    struct arena *arena = &fixture.arena;
    struct name_page *page = name_page_make(1000, NAME_PAGE_TEXT_MIN, BYTES("j"), arena);
    struct names *names =
        names_make_values(BYTES("id"), &everything, page, &fixture.world.settings, arena);
    while (!names_step(names, &fixture.store, churn_slice(&churn)))
        churn_step(&churn);
    name_page_verify(page);
    for (int i = 0; i < CHURN_KEPT; i++) { /* k00 .. k59 come before all o.. */
        char id[16];
        snprintf(id, sizeof id, "k%02d", i);
        ck_assert(bytes_equal(name_page_at(page, (uint32_t)i), bytes_of(id)));
    }
}
END_TEST

START_TEST(churn_does_not_upset_cardinality)
{
    struct churn churn;
    churn_init(&churn, _i);
    struct cardinality *cardinality = cardinality_make(&fixture.world.settings, &fixture.arena);
    while (!cardinality_step(cardinality, &fixture.store, churn_slice(&churn)))
        churn_step(&churn);
    ck_assert_uint_eq(cardinality->series, fixture.store.series_count);
    ck_assert(!cardinality->approximate);
    ck_assert_uint_eq(cardinality->label_count, 2); /* id and side: every series has both */
    ck_assert_uint_ge(cardinality->labels[0].series, CHURN_KEPT);
    ck_assert_uint_eq(cardinality->labels[0].series, cardinality->labels[1].series);
    const struct family_count *families = cardinality->families;
    for (uint32_t i = 0; i < cardinality->family_count; i++) {
        for (uint32_t j = 0; j < i; j++)
            ck_assert(!bytes_equal(name_of(&families[i]), name_of(&families[j])));
    }
}
END_TEST

/*
 * Of the series that were there all along, those selected go and the others stay with their totals.
 */
START_TEST(churn_neither_saves_nor_takes_a_series)
{
    struct churn churn;
    churn_init(&churn, _i);
    struct selector selector = selector_of(_i % 2 == 0 ? "side=left" : "side!~right");
    struct deletion *deletion = deletion_make(&selector, &fixture.world.settings, &fixture.arena);
    while (!deletion_step(deletion, &fixture.store, churn_slice(&churn)))
        churn_step(&churn);
    for (int i = 0; i < CHURN_KEPT; i++) {
        uint32_t slot = fixture_find(&fixture, KIND_COUNTER, kept_text(i));
        ck_assert_int_eq(slot == SLOT_NONE, i % 2 == 0);
        if (slot != SLOT_NONE)
            ck_assert_double_eq(series_total(store_series(&fixture.store, slot)), 1);
    }
    ck_assert_uint_ge(deletion->deleted, CHURN_KEPT / 2);
}
END_TEST

/* ---- memory ---- */

/* Each _bytes is what its _make takes, to the arena's grain; one byte less is refused. */
START_TEST(arena_takes_are_foretold)
{
    const struct settings *settings = &fixture.world.settings;
    struct arena *arena = &fixture.arena;
    struct name_page *page = name_page_make(9, NAME_PAGE_TEXT_MIN, BYTES(""), arena);
    size_t foretold[] = {names_bytes(settings), series_page_bytes(settings),
                         deletion_bytes(settings), cardinality_bytes(settings)};
    for (int i = 0; i < 4; i++) {
        for (int less = 0; less < 2; less++) {
            size_t taken = (foretold[i] + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
            _Alignas(ARENA_ALIGN) static char memory[1 << 17];
            struct arena tight;
            arena_init(&tight, memory, taken - (size_t)less, taken, NULL);
            void *made[] = {names_make_labels(&everything, page, settings, i == 0 ? &tight : arena),
                            series_page_make(&everything, 0, 1, settings, i == 1 ? &tight : arena),
                            deletion_make(&everything, settings, i == 2 ? &tight : arena),
                            cardinality_make(settings, i == 3 ? &tight : arena)};
            ck_assert_int_eq(made[i] == NULL, less);
            UNPOISON(memory, sizeof memory);
        }
    }
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void add_names_and_cardinality(Suite *suite)
{
    TCase *names = add_case(suite, "names");
    tcase_add_loop_test(names, names_are_those_of_the_series_selected, 0,
                        (int)COUNT_OF(names_cases));
    tcase_add_test(names, overflow_series_are_there_once_they_took_a_sample);
    tcase_add_test(names, an_empty_store_has_no_names);
    tcase_add_test(names, names_are_written);
    tcase_add_test(names, pages_of_names_are_whole);
    TCase *cardinality = add_case(suite, "cardinality");
    tcase_add_test(cardinality, cardinality_is_written);
    tcase_add_test(cardinality, cardinality_says_what_overflowed);
    tcase_add_test(cardinality, the_largest_families_are_reported);
    tcase_add_test(cardinality, a_family_that_moved_is_reported_once);
    tcase_add_loop_test(cardinality, space_saving_keeps_its_promises, 0, 4);
    tcase_add_test(cardinality, cardinality_fits_what_is_asked_for_it);
    tcase_add_test(cardinality, arena_takes_are_foretold);
}

/* ---- the metrics with most series ---- */

START_TEST(largest_families_come_first)
{
    static const int sizes[] = {3, 7, 1, 7, 5, 0};
    const struct family *largest[4];
    char name[64];
    uint64_t left_out;
    ck_assert_uint_eq(largest_families(&fixture.store, largest, 4, &left_out), 0);
    ck_assert_uint_eq(left_out, 0);
    for (int family = 0; family < 5; family++) {
        for (int series = 0; series < sizes[family]; series++) {
            snprintf(name, sizeof name, "m%d{s=\"%d\"} 1", family, series);
            apply(KIND_COUNTER, name);
        }
    }
    ck_assert_uint_eq(largest_families(&fixture.store, largest, 4, &left_out), 4);
    ck_assert_uint_eq(left_out, 1);
    ck_assert_uint_eq(largest[0]->series_count, 7);
    ck_assert_uint_eq(largest[1]->series_count, 7);
    ck_assert_uint_lt(largest[0]->id, largest[1]->id); /* equal ones: the older first */
    ck_assert_uint_eq(largest[2]->series_count, 5);
    ck_assert_uint_eq(largest[3]->series_count, 3);
    ck_assert_uint_eq(largest_families(&fixture.store, largest, 1, &left_out), 1);
    ck_assert_uint_eq(left_out, 4);
    ck_assert_uint_eq(largest[0]->series_count, 7);
}
END_TEST

/* ---- the end of a series is counted with its age ---- */

START_TEST(lifetimes_of_series_are_counted_when_they_end)
{
    struct lifetimes *lifetimes = &fixture.store.lifetimes;
    apply(KIND_COUNTER, "a{s=\"1\"} 1");
    fixture.now_ms = 25000;
    apply(KIND_COUNTER, "a{s=\"2\"} 1");
    fixture.now_ms = 50000;
    apply(KIND_COUNTER, "a{s=\"2\"} 1");
    ck_assert_uint_eq(lifetimes->sum_ms, 0);
    store_delete(&fixture.store, fixture_find(&fixture, KIND_COUNTER, "a{s=\"1\"} 1"));
    ck_assert_uint_eq(lifetimes->counts[2], 1); /* from 10 s to a minute */
    ck_assert_uint_eq(lifetimes->sum_ms, 50000);
    store_delete(&fixture.store, fixture_find(&fixture, KIND_COUNTER, "a{s=\"2\"} 1"));
    ck_assert_uint_eq(lifetimes->sum_ms, 80000); /* born in the window from 20 s on */
    ck_assert_uint_eq(lifetimes->max_ms, 50000);
    fixture.now_ms = INT64_C(22000000000000); /* windows have numbers of 32 bits by then */
    apply(KIND_COUNTER, "a{s=\"3\"} 1");
    fixture.now_ms += 30000;
    apply(KIND_COUNTER, "a{s=\"4\"} 1");
    store_delete(&fixture.store, fixture_find(&fixture, KIND_COUNTER, "a{s=\"3\"} 1"));
    ck_assert_uint_eq(lifetimes->sum_ms, 110000);
}
END_TEST

Suite *scans_suite(void)
{
    Suite *suite = suite_create("scans");
    add_names_and_cardinality(suite);
    TCase *series = add_case(suite, "series");
    tcase_add_test(series, series_are_written);
    tcase_add_test(series, largest_families_come_first);
    tcase_add_test(series, lifetimes_of_series_are_counted_when_they_end);
    tcase_add_test(series, tokens_are_slots);
    tcase_add_test(series, pages_of_series_are_whole);
    tcase_add_test(series, a_buffer_too_small_for_a_row_comes_out_full);
    tcase_add_test(series, the_longest_row_fits_what_is_asked_for_it);
    TCase *deletion = add_case(suite, "delete");
    tcase_add_loop_test(deletion, selected_series_are_deleted, 1, 30);
    tcase_add_test(deletion, overflow_series_are_not_deleted);
    TCase *limits = add_case(suite, "limits");
    tcase_add_loop_test(limits, names_stop_at_a_failure, 0, 6);
    tcase_add_test(limits, a_page_of_series_stops_at_a_failure);
    tcase_add_loop_test(limits, a_deletion_that_fails_has_deleted_nothing, 1, 9);
    tcase_add_test(limits, a_deletion_stops_at_a_failure);
    tcase_add_test(limits, expressions_are_charged_to_the_slice);
    TCase *churn = add_case(suite, "churn");
    tcase_add_loop_test(churn, churn_neither_skips_nor_repeats_a_series, 0, 20);
    tcase_add_loop_test(churn, churn_hides_no_name, 0, 20);
    tcase_add_loop_test(churn, churn_does_not_upset_cardinality, 0, 20);
    tcase_add_loop_test(churn, churn_neither_saves_nor_takes_a_series, 0, 20);
    return suite;
}
