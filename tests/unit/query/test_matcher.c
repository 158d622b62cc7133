/* test_matcher.c: what match= may say, and which series it then means. */
#include "query/matcher.h"

#include "base/random.h"
#include "store_fixture.h"

#include <check.h>

Suite *matcher_suite(void);

static struct store_fixture fixture;

static void setup(void)
{
    fixture_init(&fixture);
}

static void teardown(void)
{
    fixture_end(&fixture);
}

static struct selector selector_of(const char *first, const char *second)
{
    struct selector selector;
    selector_init(&selector);
    if (first != NULL)
        ck_assert_int_eq(selector_add_match(&selector, bytes_of(first)).status, STATUS_OK);
    if (second != NULL)
        ck_assert_int_eq(selector_add_match(&selector, bytes_of(second)).status, STATUS_OK);
    return selector;
}

/* ---- parsing ---- */

static const struct {
    const char *text;
    const char *name; /* NULL: refused; "": the metric name */
    const char *value;
    bool negated;
} matches[] = {
    {"route=/items", "route", "/items", false},
    {"route!=/items", "route", "/items", true},
    {"route=", "route", "", false},
    {"route!=", "route", "", true},
    {"route==x", "route", "=x", false},
    {"route=a=b!=c", "route", "a=b!=c", false},
    {"route=\"a\"", "route", "\"a\"", false},
    {"route= a ", "route", " a ", false},
    {"route=a~b", "route", "a~b", false},
    {"_a1=x", "_a1", "x", false},
    {"__name__=http_total", "", "http_total", false},
    {"__name__!=http_total", "", "http_total", true},
    {"http_total", "", "http_total", false},
    {"job:http:rate5m", "", "job:http:rate5m", false},
    {"", NULL, NULL, false},
    {"=x", NULL, NULL, false},
    {"!=x", NULL, NULL, false},
    {"1a=x", NULL, NULL, false},
    {"1a", NULL, NULL, false},
    {"a:b=x", NULL, NULL, false},
    {"a b=x", NULL, NULL, false},
    {" a=x", NULL, NULL, false},
    {"a =x", NULL, NULL, false},
    {"a!x", NULL, NULL, false},
    {"a!", NULL, NULL, false},
    {"a>1", NULL, NULL, false},
    {"{a=\"x\"}", NULL, NULL, false},
    {"a=~x.*", NULL, NULL, false},
    {"a!~x.*", NULL, NULL, false},
    {"a!~x=y", NULL, NULL, false},
    {"__name__=~x", NULL, NULL, false},
};

START_TEST(match_is_read)
{
    struct selector selector;
    selector_init(&selector);
    struct refusal refusal = selector_add_match(&selector, bytes_of(matches[_i].text));
    if (matches[_i].name == NULL) {
        ck_assert_int_eq(refusal.status, STATUS_BAD_PARAMETER);
        ck_assert_ptr_nonnull(refusal.detail);
        ck_assert_uint_eq(selector.count, 0);
        return;
    }
    const struct matcher *matcher = &selector.matchers[0];
    ck_assert_int_eq(refusal.status, STATUS_OK);
    ck_assert_uint_eq(selector.count, 1);
    ck_assert_int_eq(matcher->on_metric_name, matches[_i].name[0] == '\0');
    if (!matcher->on_metric_name)
        ck_assert(bytes_equal(matcher->name, bytes_of(matches[_i].name)));
    ck_assert(bytes_equal(matcher->value, bytes_of(matches[_i].value)));
    ck_assert_int_eq(matcher->negated, matches[_i].negated);
}
END_TEST

START_TEST(regular_expressions_are_refused_by_name)
{
    struct selector selector;
    selector_init(&selector);
    struct refusal refusal = selector_add_match(&selector, BYTES("a=~x"));
    ck_assert_str_eq(refusal.detail, "regular expressions are not supported yet, use = or !=");
}
END_TEST

START_TEST(metric_is_a_metric_name)
{
    struct selector selector;
    selector_init(&selector);
    ck_assert_int_eq(selector_add_metric(&selector, BYTES("a:b_1")).status, STATUS_OK);
    ck_assert(selector.matchers[0].on_metric_name);
    ck_assert(!selector.matchers[0].negated);
    static const char *const bad[] = {"", "1a", "a-b", "a=b", "a{}", "\xc3\xa4"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_int_eq(selector_add_metric(&selector, bytes_of(bad[i])).status,
                         STATUS_BAD_PARAMETER);
    ck_assert_uint_eq(selector.count, 1);
}
END_TEST

START_TEST(one_matcher_too_many_is_refused)
{
    struct selector selector;
    selector_init(&selector);
    for (int i = 0; i < SELECTOR_MATCHERS_MAX; i++)
        ck_assert_int_eq(selector_add_match(&selector, BYTES("a=b")).status, STATUS_OK);
    ck_assert_str_eq(selector_add_match(&selector, BYTES("a=b")).detail, "more than 16 matchers");
    ck_assert_int_eq(selector_add_metric(&selector, BYTES("a")).status, STATUS_BAD_PARAMETER);
    ck_assert_uint_eq(selector.count, SELECTOR_MATCHERS_MAX);
}
END_TEST

/* ---- matching ---- */

static const struct {
    enum kind kind;
    const char *sample;
    const char *first;
    const char *second;
    bool selected;
} cases[] = {
    {KIND_COUNTER, "hits{a=\"1\"} 1", NULL, NULL, true},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "a=1", NULL, true},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "a=2", NULL, false},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "a=11", NULL, false},
    {KIND_COUNTER, "hits{a=\"11\"} 1", "a=1", NULL, false},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "a!=1", NULL, false},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "a!=2", NULL, true},
    {KIND_COUNTER, "hits{ab=\"1\"} 1", "a=1", NULL, false},
    {KIND_COUNTER, "hits{ab=\"1\"} 1", "a=", NULL, true},
    /* a label that is not there is an empty one */
    {KIND_COUNTER, "hits 1", "a=", NULL, true},
    {KIND_COUNTER, "hits 1", "a!=", NULL, false},
    {KIND_COUNTER, "hits 1", "a=1", NULL, false},
    {KIND_COUNTER, "hits 1", "a!=1", NULL, true},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "a=", NULL, false},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "a!=", NULL, true},
    /* all must hold */
    {KIND_COUNTER, "hits{a=\"1\",b=\"2\"} 1", "a=1", "b=2", true},
    {KIND_COUNTER, "hits{a=\"1\",b=\"2\"} 1", "a=1", "b=3", false},
    {KIND_COUNTER, "hits{a=\"1\",b=\"2\"} 1", "a=1", "a=2", false},
    {KIND_COUNTER, "hits{a=\"1\",b=\"2\"} 1", "a!=2", "a!=3", true},
    {KIND_COUNTER, "hits{a=\"1\",b=\"2\"} 1", "a!=2", "a!=1", false},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "hits", "a=1", true},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "miss", "a=1", false},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "hits", "a=2", false},
    /* values are raw here and escaped in the store */
    {KIND_GAUGE, "g{a=\"x\\\\y\"} 1", "a=x\\y", NULL, true},
    {KIND_GAUGE, "g{a=\"x\\\\y\"} 1", "a=x\\\\y", NULL, false},
    {KIND_GAUGE, "g{a=\"x\\ny\"} 1", "a=x\ny", NULL, true},
    {KIND_GAUGE, "g{a=\"x\\ny\"} 1", "a=x\\ny", NULL, false},
    {KIND_GAUGE, "g{a=\"x\\\\ny\"} 1", "a=x\\ny", NULL, true},
    {KIND_GAUGE, "g{a=\"\\\"\"} 1", "a=\"", NULL, true},
    {KIND_GAUGE, "g{a=\"\\\"\"} 1", "a=\\\"", NULL, false},
    {KIND_GAUGE, "g{a=\",b=\\\"2\\\"\"} 1", "b=2", NULL, false},
    {KIND_GAUGE, "g{a=\",b=\\\"2\\\"\"} 1", "a=,b=\"2\"", NULL, true},
    /* the metric name is the sample's or the family's */
    {KIND_GAUGE, "g 1", "g", NULL, true},
    {KIND_GAUGE, "g 1", "gg", NULL, false},
    {KIND_GAUGE, "g 1", "__name__!=g", NULL, false},
    {KIND_GAUGE, "g 1", "__name__!=gg", NULL, true},
    {KIND_GAUGE, "g 1", "__name__=", NULL, false},
    {KIND_GAUGE, "g 1", "__name__!=", NULL, true},
    {KIND_CLASSIC, "t_sum 1", "t", NULL, true},
    {KIND_CLASSIC, "t_sum 1", "t_sum", NULL, true},
    {KIND_CLASSIC, "t_sum 1", "t_count", NULL, false},
    {KIND_CLASSIC, "t_sum 1", "t_max", NULL, false},
    {KIND_CLASSIC, "t_sum 1", "_sum", NULL, false},
    {KIND_CLASSIC, "t_sum 1", "m", NULL, false},
    {KIND_CLASSIC, "t_sum 1", "__name__!=t", NULL, false},
    {KIND_CLASSIC, "t_sum 1", "__name__!=t_sum", NULL, false},
    {KIND_CLASSIC, "t_sum 1", "__name__!=t_count", NULL, true},
    {KIND_CLASSIC, "t_bucket{le=\"0.5\"} 1", "t_bucket", "le=0.5", true},
    {KIND_SUMMARY, "s_count 1", "s_count", "s", true},
    {KIND_HISTOGRAM, "h 1", "h", NULL, true},
    {KIND_HISTOGRAM, "h 1", "h_count", NULL, false},
    {KIND_SET, "u x", "u", "a=", true},
};

START_TEST(case_is_decided)
{
    char text[16384];
    fixture_apply(&fixture, cases[_i].kind, cases[_i].sample);
    uint32_t slot = fixture_find(&fixture, cases[_i].kind, cases[_i].sample);
    const struct series *series = store_series(&fixture.store, slot);
    struct selector selector = selector_of(cases[_i].first, cases[_i].second);
    ck_assert_int_eq(selector_matches(&selector, &fixture.store, series, text),
                     cases[_i].selected);
    bool halves = selector_matches_name(&selector, &fixture.store, series) &&
                  selector_matches_labels(&selector, series_labels(&fixture.store, series, text));
    ck_assert_int_eq(halves, cases[_i].selected);
}
END_TEST

/* ---- beside a model: values of hard characters, compared raw with raw ---- */

#define MODEL_LABELS 3

static size_t hard_value(struct random *random, char *out)
{
    static const char hard[] = "a\\\"\nn,=";
    size_t length = random_below(random, 4);
    for (size_t i = 0; i < length; i++)
        out[i] = hard[random_below(random, sizeof hard - 1)];
    return length;
}

/* Labels a, b and c where their value is not empty. */
static struct bytes canonical(char values[][8], const size_t *lengths, char *out)
{
    struct label_list list;
    char escaped[MODEL_LABELS][16];
    label_list_init(&list);
    for (int i = 0; i < MODEL_LABELS; i++) {
        struct bytes value = {values[i], lengths[i]};
        if (value.length == 0)
            continue;
        size_t length = label_value_escape(value, escaped[i]);
        label_list_add(&list, (struct label){{&"abc"[i], 1}, {escaped[i], length}});
    }
    ck_assert_int_eq(label_list_finish(&list, &fixture.world.settings).status, STATUS_OK);
    label_list_write(&list, out);
    return (struct bytes){out, label_list_bytes(&list)};
}

START_TEST(model_agrees)
{
    struct random random = {.state = TEST_SEED + (uint64_t)_i};
    for (int round = 0; round < 20000; round++) {
        char values[MODEL_LABELS][8], text[64], match[16];
        size_t lengths[MODEL_LABELS];
        for (int i = 0; i < MODEL_LABELS; i++)
            lengths[i] = hard_value(&random, values[i]);
        struct bytes labels = canonical(values, lengths, text);

        int which = (int)random_below(&random, MODEL_LABELS);
        bool negated = random_below(&random, 2) != 0;
        size_t used = (size_t)sprintf(match, "%c%s", "abc"[which], negated ? "!=" : "=");
        size_t head = used;
        if (random_below(&random, 2) != 0) {
            memcpy(match + used, values[which], lengths[which]);
            used += lengths[which];
        } else {
            used += hard_value(&random, match + used);
        }
        struct bytes value = {match + head, used - head};
        struct selector selector;
        selector_init(&selector);
        struct refusal refusal = selector_add_match(&selector, (struct bytes){match, used});
        ck_assert_int_eq(refusal.status, STATUS_OK);
        bool equal = bytes_equal(value, (struct bytes){values[which], lengths[which]});
        if (selector_matches_labels(&selector, labels) == (equal == negated))
            ck_abort_msg("%.*s selects wrongly in {%.*s}", (int)used, match, (int)labels.length,
                         labels.at);
    }
}
END_TEST

/* ---- texts ---- */

START_TEST(texts_come_back)
{
    char text[16384];
    fixture_apply(&fixture, KIND_CLASSIC, "t_bucket{le=\"0.5\",z=\"a\\\\b\\\"\\n\"} 1");
    uint32_t slot =
        fixture_find(&fixture, KIND_CLASSIC, "t_bucket{le=\"0.5\",z=\"a\\\\b\\\"\\n\"} 1");
    const struct series *series = store_series(&fixture.store, slot);
    ck_assert(bytes_equal(series_name(&fixture.store, series, text), BYTES("t_bucket")));
    struct bytes labels = series_labels(&fixture.store, series, text);
    ck_assert(bytes_equal(labels, BYTES("le=\"0.5\",z=\"a\\\\b\\\"\\n\"")));
    struct label label;
    ck_assert(label_text_next(&labels, &label));
    ck_assert(bytes_equal(label_raw_value(&label, text), BYTES("0.5")));
    ck_assert(label_text_next(&labels, &label));
    ck_assert(bytes_equal(label_raw_value(&label, text), BYTES("a\\b\"\n")));
    ck_assert(!label_text_next(&labels, &label));
}
END_TEST

static void check_text_bytes(const struct settings *settings)
{
    char text[16384];
    for (uint32_t slot = 0; slot < fixture.store.series.fresh; slot++) {
        const struct series *series = store_series(&fixture.store, slot);
        ck_assert_uint_le(series->labels.length, series_text_bytes(settings));
        ck_assert_uint_le(series_name(&fixture.store, series, text).length,
                          series_text_bytes(settings));
    }
}

/* The store's own names and labels are longer than the floors of the settings. */
START_TEST(text_bytes_hold_every_series_at_the_floors)
{
    struct settings settings = fixture.world.settings;
    settings.limits_name_bytes = setting_find(BYTES("limits.name_bytes"))->floor;
    settings.limits_label_set_bytes = setting_find(BYTES("limits.label_set_bytes"))->floor;
    fixture_apply(&fixture, KIND_CLASSIC, "of_16_bytes_count 1");
    check_text_bytes(&settings);
}
END_TEST

/* A name as long as may be, of the shortest part: its family's other parts have longer ones. */
START_TEST(text_bytes_hold_the_other_parts_of_a_long_name)
{
    struct settings settings = fixture.world.settings;
    char sample[256];
    settings.limits_name_bytes = 100;
    settings.limits_label_set_bytes = 64;
    snprintf(sample, sizeof sample, "n%095d_sum 1", 0);
    fixture_apply(&fixture, KIND_CLASSIC, sample);
    check_text_bytes(&settings);
}
END_TEST

Suite *matcher_suite(void)
{
    Suite *suite = suite_create("matcher");
    TCase *parsing = tcase_create("parsing");
    tcase_add_loop_test(parsing, match_is_read, 0, (int)COUNT_OF(matches));
    tcase_add_test(parsing, regular_expressions_are_refused_by_name);
    tcase_add_test(parsing, metric_is_a_metric_name);
    tcase_add_test(parsing, one_matcher_too_many_is_refused);
    suite_add_tcase(suite, parsing);
    TCase *matching = tcase_create("matching");
    tcase_add_checked_fixture(matching, setup, teardown);
    tcase_add_loop_test(matching, case_is_decided, 0, (int)COUNT_OF(cases));
    tcase_add_loop_test(matching, model_agrees, 0, 4);
    tcase_add_test(matching, texts_come_back);
    tcase_add_test(matching, text_bytes_hold_every_series_at_the_floors);
    tcase_add_test(matching, text_bytes_hold_the_other_parts_of_a_long_name);
    suite_add_tcase(suite, matching);
    return suite;
}
