/* test_matcher.c: what match= may say, and which series it then means. */
#include "query/matcher.h"

#include "base/random.h"
#include "store_fixture.h"

#include <check.h>

Suite *matcher_suite(void);

static struct store_fixture fixture;

/* Of the selector at hand. */
static struct settings settings;
static struct arena arena;
_Alignas(ARENA_ALIGN) static char memory[512 << 10];

static void arena_begin(size_t bytes)
{
    UNPOISON(memory, sizeof memory);
    arena_init(&arena, memory, bytes, bytes, NULL);
}

static void begin(void)
{
    test_settings(&settings);
    arena_begin(sizeof memory);
}

static void end(void)
{
    UNPOISON(memory, sizeof memory);
}

static void setup(void)
{
    begin();
    fixture_init(&fixture);
}

static void teardown(void)
{
    fixture_end(&fixture);
    end();
}

static struct refusal add_match(struct selector *selector, const char *match)
{
    return selector_add_match(selector, bytes_of(match), &settings, &arena);
}

static struct selector selector_of(const char *first, const char *second)
{
    struct selector selector;
    selector_init(&selector);
    if (first != NULL)
        ck_assert_int_eq(add_match(&selector, first).status, STATUS_OK);
    if (second != NULL)
        ck_assert_int_eq(add_match(&selector, second).status, STATUS_OK);
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
    {"a~x", NULL, NULL, false},
    {"a~=x", NULL, NULL, false},
    {"a:b=~x", NULL, NULL, false},
    {"=~x", NULL, NULL, false},
    {"a=~x.*", "a", "x.*", false},
    {"a!~x.*", "a", "x.*", true},
    {"a!~x=y", "a", "x=y", true},
    {"a=~", "a", "", false},
    {"a=~~", "a", "~", false},
    {"__name__=~x", "", "x", false},
    {"__name__!~x", "", "x", true},
};

START_TEST(match_is_read)
{
    struct selector selector;
    selector_init(&selector);
    struct refusal refusal = add_match(&selector, matches[_i].text);
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
    bool is_regex =
        strstr(matches[_i].text, "=~") != NULL || strstr(matches[_i].text, "!~") != NULL;
    ck_assert_int_eq(matcher->regex != NULL, is_regex);
}
END_TEST

/* A regular expression is not compiled when there is no room for it anyway. */
START_TEST(seventeen_expressions_are_one_too_many)
{
    struct selector selector;
    selector_init(&selector);
    for (int i = 0; i < SELECTOR_MATCHERS_MAX; i++)
        ck_assert_int_eq(add_match(&selector, "a=~b").status, STATUS_OK);
    ck_assert_str_eq(add_match(&selector, "a=~(").detail, "more than 16 matchers");
    ck_assert_uint_eq(selector.count, SELECTOR_MATCHERS_MAX);
}
END_TEST

static const struct {
    const char *pattern;
    const char *detail;
} bad_patterns[] = {
    {"(", "a ( is not closed"},
    {"(a", "a ( is not closed"},
    {"a)", "a ) was not opened"},
    {"a)|(b", "a ) was not opened"},
    {"[", "a [ is not closed"},
    {"[a", "a [ is not closed"},
    {"[b-a]", "a range between [ and ] that runs backwards"},
    {"[\\d-z]", "a range between [ and ] that does not end in a character"},
    {"[[:thing:]]", "an unknown class like [:this:]"},
    {"[:alpha:]", "a class like [:this:] belongs between [ and ]"},
    {"*", "there is nothing to repeat before *, +, ? or {"},
    {"a|*", "there is nothing to repeat before *, +, ? or {"},
    {"a**", "there is nothing to repeat before *, +, ? or {"},
    {"a{2,1}", "the numbers between { and } run backwards"},
    {"a{65536}", "a number between { and } is too large"},
    {"\\", "it ends in a backslash"},
    {"\\y", "a backslash before a letter that it means nothing with"},
    {"[\\B]", "an escape that means nothing between [ and ]"},
    {"(?z)", "an unknown group like (?this"},
    {"(a)\\1", "a reference to a group that is not there"},
    {"(?1)", "a reference to a group that is not there"},
    {"\\k<n>", "a reference to a group that is not there"},
    {"(?<=a*)b", "a text looked behind for has no fixed length"},
    {"\\p{Nothing}", "\\p or \\P with an unknown property"},
    {"\\p{", "\\p or \\P without a property"},
    {"\\x{110000}", "a character beyond U+10FFFF"},
    {"(((a{9}b){99}){99}){99}", "it is too large once its repetitions are written out"},
    {"\\C", "it is malformed"},
    {"(?#a", "it is malformed"},
    {"\xff", "it is not UTF-8"},
    {"\xc3", "it is not UTF-8"},
    {"a\xed\xa0\x80", "it is not UTF-8"},
};

START_TEST(pattern_is_bad)
{
    struct selector selector;
    char match[256];
    selector_init(&selector);
    for (int negated = 0; negated < 2; negated++) {
        snprintf(match, sizeof match, "a%s%s", negated ? "!~" : "=~", bad_patterns[_i].pattern);
        struct refusal refusal = add_match(&selector, match);
        ck_assert_int_eq(refusal.status, STATUS_BAD_REGEX);
        ck_assert_str_eq(refusal.detail, bad_patterns[_i].detail);
        ck_assert_uint_eq(selector.count, 0);
    }
}
END_TEST

/* An a in so many brackets. */
static void nest(char *out, int levels)
{
    memcpy(out, "a=~", 3);
    memset(out + 3, '(', (size_t)levels);
    out[3 + levels] = 'a';
    memset(out + 4 + levels, ')', (size_t)levels);
    out[4 + 2 * levels] = '\0';
}

START_TEST(brackets_nest_to_a_limit)
{
    struct selector selector;
    char match[2048];
    selector_init(&selector);
    nest(match, 50);
    ck_assert_int_eq(add_match(&selector, match).status, STATUS_OK);
    ck_assert(selector_matches_labels(&selector, BYTES("a=\"a\"")));
    for (int levels = 51; levels < 1000; levels += 200) {
        nest(match, levels);
        ck_assert_str_eq(add_match(&selector, match).detail,
                         "brackets are nested deeper than 50 levels");
    }
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
        ck_assert_int_eq(add_match(&selector, "a=b").status, STATUS_OK);
    ck_assert_str_eq(add_match(&selector, "a=b").detail, "more than 16 matchers");
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
    /* the metric name is the family's, without what rows of a histogram have behind it */
    {KIND_GAUGE, "g 1", "g", NULL, true},
    {KIND_GAUGE, "g 1", "gg", NULL, false},
    {KIND_GAUGE, "g 1", "__name__!=g", NULL, false},
    {KIND_GAUGE, "g 1", "__name__!=gg", NULL, true},
    {KIND_GAUGE, "g 1", "__name__=", NULL, false},
    {KIND_GAUGE, "g 1", "__name__!=", NULL, true},
    {KIND_CLASSIC, "t 1", "t", NULL, true},
    {KIND_CLASSIC, "t 1", "t_sum", NULL, false},
    {KIND_CLASSIC, "t 1", "__name__!=t", NULL, false},
    {KIND_CLASSIC, "t 1", "__name__!=t_count", NULL, true},
    {KIND_CLASSIC, "t 0.5:1 +Inf:1", "t", "le=0.5", false},
    {KIND_SUMMARY, "s 1", "s_count", NULL, false},
    {KIND_HISTOGRAM, "h 1", "h", NULL, true},
    {KIND_HISTOGRAM, "h 1", "h_count", NULL, false},
    {KIND_SET, "u x", "u", "a=", true},
    /* expressions match the whole value */
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~12", NULL, true},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~1", NULL, false},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~2", NULL, false},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a!~1", NULL, true},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a!~12", NULL, false},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~1|12", NULL, true},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~1|2", NULL, false},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~1.*?", NULL, true},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~1(*ACCEPT)3", NULL, false},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~^12$", NULL, true},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~[0-9]{2}", "a!~[0-9]{3}", true},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~\\d+", "hits", true},
    {KIND_COUNTER, "hits{a=\"12\"} 1", "a=~\\d+", "a=13", false},
    {KIND_COUNTER, "hits{a=\"Ab\"} 1", "a=~ab", NULL, false},
    {KIND_COUNTER, "hits{a=\"Ab\"} 1", "a=~(?i)ab", NULL, true},
    {KIND_COUNTER, "hits{a=\"x-12-x\"} 1", "a=~(?P<n>x)-.*-(?P=n)", NULL, true},
    /* characters, not bytes; classes are ASCII */
    {KIND_COUNTER, "hits{a=\"\xc3\xa9\"} 1", "a=~.", NULL, true},
    {KIND_COUNTER, "hits{a=\"\xc3\xa9\"} 1", "a=~..", NULL, false},
    {KIND_COUNTER, "hits{a=\"\xc3\xa9\"} 1", "a=~[\xc3\xa8-\xc3\xaa]", NULL, true},
    {KIND_COUNTER, "hits{a=\"\xc3\xa9\"} 1", "a=~(?i)\xc3\x89", NULL, true},
    {KIND_COUNTER, "hits{a=\"\xc3\xa9\"} 1", "a=~\\pL", NULL, true},
    {KIND_COUNTER, "hits{a=\"\xc3\xa9\"} 1", "a=~\\w", NULL, false},
    {KIND_COUNTER, "hits{a=\"\xf0\x9f\x90\x9d\"} 1", "a=~\\x{1f41d}", NULL, true},
    /* a label that is not there is the empty text */
    {KIND_COUNTER, "hits 1", "a=~", NULL, true},
    {KIND_COUNTER, "hits 1", "a!~", NULL, false},
    {KIND_COUNTER, "hits 1", "a=~.*", NULL, true},
    {KIND_COUNTER, "hits 1", "a!~.*", NULL, false},
    {KIND_COUNTER, "hits 1", "a=~.+", NULL, false},
    {KIND_COUNTER, "hits 1", "a!~.+", NULL, true},
    {KIND_COUNTER, "hits 1", "a=~b|", NULL, true},
    {KIND_COUNTER, "hits{ab=\"1\"} 1", "a=~1", NULL, false},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "a=~", NULL, false},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "a=~.*", NULL, true},
    {KIND_COUNTER, "hits{a=\"1\"} 1", "a!~.+", NULL, false},
    /* values are raw; . is any character and $ the end alone */
    {KIND_GAUGE, "g{a=\"x\\ny\"} 1", "a=~x\ny", NULL, true},
    {KIND_GAUGE, "g{a=\"x\\ny\"} 1", "a=~x\\ny", NULL, true},
    {KIND_GAUGE, "g{a=\"x\\ny\"} 1", "a=~x.y", NULL, true},
    {KIND_GAUGE, "g{a=\"x\\ny\"} 1", "a=~(?-s)x.y", NULL, false},
    {KIND_GAUGE, "g{a=\"x\\ny\"} 1", "a=~x..y", NULL, false},
    {KIND_GAUGE, "g{a=\"x\\n\"} 1", "a=~x", NULL, false},
    {KIND_GAUGE, "g{a=\"x\\n\"} 1", "a=~x$", NULL, false},
    {KIND_GAUGE, "g{a=\"x\\n\"} 1", "a=~(x$)\n", NULL, false},
    {KIND_GAUGE, "g{a=\"x\\\\y\"} 1", "a=~x\\\\y", NULL, true},
    {KIND_GAUGE, "g{a=\"x\\\\y\"} 1", "a=~x.y", NULL, true},
    {KIND_GAUGE, "g{a=\"\\\"q\\\"\"} 1", "a=~\"q\"", NULL, true},
    {KIND_GAUGE, "g{a=\"\\\"q\\\"\"} 1", "a=~.{3}", NULL, true},
    {KIND_GAUGE, "g{a=\"\\n\",b=\"\\\\\"} 1", "a=~\n", "b=~\\\\", true},
    {KIND_GAUGE, "g{a=\",b=\\\"2\\\"\"} 1", "b=~2", NULL, false},
    /* the metric name is the sample's or the family's */
    {KIND_GAUGE, "g 1", "__name__=~g", NULL, true},
    {KIND_GAUGE, "g 1", "__name__=~.", NULL, true},
    {KIND_GAUGE, "g 1", "__name__=~", NULL, false},
    {KIND_GAUGE, "g 1", "__name__!~", NULL, true},
    {KIND_GAUGE, "g 1", "__name__!~g|h", NULL, false},
    {KIND_GAUGE, "g{a=\"1\"} 1", "__name__=~g|h", "a=~2", false},
    {KIND_CLASSIC, "t 1", "__name__=~t", NULL, true},
    {KIND_CLASSIC, "t 1", "__name__=~t_.*", NULL, false},
    {KIND_CLASSIC, "t 1", "__name__!~t", NULL, false},
    {KIND_CLASSIC, "t 1", "__name__!~.*_count", NULL, true},
};

START_TEST(case_is_decided)
{
    char text[16384];
    fixture_apply(&fixture, cases[_i].kind, cases[_i].sample);
    uint32_t slot = fixture_find(&fixture, cases[_i].kind, cases[_i].sample);
    const struct series *series = store_series(&fixture.store, slot);
    struct selector selector = selector_of(cases[_i].first, cases[_i].second);
    ck_assert_int_eq(selector_matches(&selector, &fixture.store, series, text), cases[_i].selected);
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
        struct refusal refusal =
            selector_add_match(&selector, (struct bytes){match, used}, &settings, &arena);
        ck_assert_int_eq(refusal.status, STATUS_OK);
        bool equal = bytes_equal(value, (struct bytes){values[which], lengths[which]});
        if (selector_matches_labels(&selector, labels) == (equal == negated))
            ck_abort_msg("%.*s selects wrongly in {%.*s}", (int)used, match, (int)labels.length,
                         labels.at);
    }
}
END_TEST

/*
 * Expressions of characters and points, some of them repeated, in one or two branches, beside a
 * matcher that tries everything. A branch is kept as pairs: a character or a point, then '*', '?'
 * or a space.
 */
#define PAIRS_BYTES 64

static bool pairs_match(const char *pairs, struct bytes text)
{
    if (pairs[0] == '\0')
        return text.length == 0;
    if (pairs[1] != ' ' && pairs_match(pairs + 2, text))
        return true;
    if (text.length == 0 || (pairs[0] != '.' && pairs[0] != text.at[0]))
        return false;
    return pairs_match(pairs[1] == '*' ? pairs : pairs + 2,
                       (struct bytes){text.at + 1, text.length - 1});
}

/* Writes the branch as an expression, too; returns the length. */
static size_t make_branch(struct random *random, char pairs[PAIRS_BYTES], char *out)
{
    static const char hard[] = "a\\\"\nn,=...";
    size_t used = 0;
    uint64_t count = random_below(random, 5);
    memset(pairs, 0, PAIRS_BYTES);
    for (uint64_t i = 0; i < count; i++) {
        char c = hard[random_below(random, sizeof hard - 1)];
        char repeat = " *?"[random_below(random, 3)];
        pairs[2 * i] = c;
        pairs[2 * i + 1] = repeat;
        if (c == '\\')
            out[used++] = '\\';
        out[used++] = c;
        if (repeat != ' ')
            out[used++] = repeat;
    }
    return used;
}

START_TEST(model_agrees_on_expressions)
{
    struct random random = {.state = TEST_SEED + (uint64_t)_i};
    for (int round = 0; round < 4000; round++) {
        char values[MODEL_LABELS][8], text[64], match[64];
        size_t lengths[MODEL_LABELS];
        char branches[2][PAIRS_BYTES];
        for (int i = 0; i < MODEL_LABELS; i++)
            lengths[i] = hard_value(&random, values[i]);
        struct bytes labels = canonical(values, lengths, text);
        int which = (int)random_below(&random, MODEL_LABELS);
        struct bytes value = {values[which], lengths[which]};
        bool negated = random_below(&random, 2) != 0;
        size_t used = (size_t)sprintf(match, "%c%s", "abc"[which], negated ? "!~" : "=~");
        used += make_branch(&random, branches[0], match + used);
        match[used++] = '|';
        used += make_branch(&random, branches[1], match + used);

        struct selector selector;
        arena_reset(&arena);
        selector_init(&selector);
        struct refusal refusal =
            selector_add_match(&selector, (struct bytes){match, used}, &settings, &arena);
        ck_assert_int_eq(refusal.status, STATUS_OK);
        bool equal = pairs_match(branches[0], value) || pairs_match(branches[1], value);
        if (selector_matches_labels(&selector, labels) != (equal != negated))
            ck_abort_msg("%.*s selects wrongly in {%.*s}", (int)used, match, (int)labels.length,
                         labels.at);
    }
}
END_TEST

/* ---- expressions that take too long, or too much ---- */

#define COSTLY_VALUE "aaaaaaaaaaaaaaaaaaaaaaaaaaab"

static const char *const costly_patterns[] = {
    "(a+)+$", "(a|aa)+", "(a*)*[xy]", "(.*)*[xy]", "(?R)?a", "(?<n>a+)+(?P=n)\\d",
};

/* Whatever the operator: nothing is selected, now or later. */
START_TEST(costly_expression_fails)
{
    char match[64];
    for (int negated = 0; negated < 2; negated++) {
        struct selector selector;
        selector_init(&selector);
        snprintf(match, sizeof match, "a%s%s", negated ? "!~" : "=~", costly_patterns[_i]);
        ck_assert_int_eq(add_match(&selector, match).status, STATUS_OK);
        ck_assert_int_eq(selector.failure, STATUS_OK);
        ck_assert_int_eq(selector_matches_labels(&selector, BYTES("a=\"0\"")), negated);
        ck_assert_int_eq(selector.failure, STATUS_OK);
        ck_assert(!selector_matches_labels(&selector, BYTES("a=\"" COSTLY_VALUE "\"")));
        ck_assert_int_eq(selector.failure, STATUS_REGEX_TOO_COSTLY);
        ck_assert(!selector_matches_labels(&selector, BYTES("a=\"0\"")));
        ck_assert(!selector_matches_labels(&selector, BYTES("")));
    }
}
END_TEST

/* It is not gone on with: another expression could take as long again. */
START_TEST(one_failure_is_enough)
{
    struct selector selector = selector_of("a!~(a+)+$", "a!~(a|aa)+");
    selector_take_cost(&selector);
    ck_assert(!selector_matches_labels(&selector, BYTES("a=\"" COSTLY_VALUE "\"")));
    ck_assert_uint_eq(selector_take_cost(&selector), SWEEP_SLICE);
}
END_TEST

START_TEST(costly_name_fails)
{
    char text[16384];
    fixture_apply(&fixture, KIND_CLASSIC, COSTLY_VALUE "_sum 1");
    uint32_t slot = fixture_find(&fixture, KIND_CLASSIC, COSTLY_VALUE "_sum 1");
    const struct series *series = store_series(&fixture.store, slot);
    struct selector selector = selector_of("__name__!~(a+)+$", NULL);
    ck_assert(!selector_matches_name(&selector, &fixture.store, series));
    ck_assert_int_eq(selector.failure, STATUS_REGEX_TOO_COSTLY);
    selector = selector_of("__name__!~(a+)+$", "b=");
    ck_assert(!selector_matches(&selector, &fixture.store, series, text));
    ck_assert_int_eq(selector.failure, STATUS_REGEX_TOO_COSTLY);
}
END_TEST

/* The missing label is tried when the expression is added. */
START_TEST(costly_on_nothing_is_refused_at_once)
{
    struct selector selector;
    selector_init(&selector);
    struct refusal refusal = add_match(&selector, "a=~(?R)");
    ck_assert_int_eq(refusal.status, STATUS_REGEX_TOO_COSTLY);
    ck_assert_str_eq(refusal.setting, "limits.regex_steps");
    ck_assert_uint_eq(refusal.limit, 10000);
    ck_assert_uint_eq(selector.count, 0);
}
END_TEST

#define TEN_TIMES(text) text text text text text text text text text text

/* The number of steps is the setting's. A match of more than a few is charged for. */
START_TEST(steps_are_a_setting)
{
    static const char value[] = "a=\"" TEN_TIMES("ababab") "\"";
    struct selector selector = selector_of("a=~.*.*c|.*", NULL);
    ck_assert(selector_matches_labels(&selector, BYTES(value)));
    ck_assert_uint_eq(selector_take_cost(&selector), SWEEP_SLICE);
    ck_assert_uint_eq(selector_take_cost(&selector), 0);
    ck_assert(selector_matches_labels(&selector, BYTES("a=\"ab\"")));
    ck_assert_uint_lt(selector_take_cost(&selector), 8);
    settings.limits_regex_steps = 100;
    selector = selector_of("a=~.*.*c|.*", NULL);
    ck_assert(selector_matches_labels(&selector, BYTES("a=\"ab\"")));
    ck_assert(!selector_matches_labels(&selector, BYTES(value)));
    ck_assert_int_eq(selector.failure, STATUS_REGEX_TOO_COSTLY);
}
END_TEST

/* Some thousand steps, none of them nested deeper than five. */
START_TEST(steps_are_counted_and_not_depth_alone)
{
    struct selector selector = selector_of("a=~.*.*.*[xy]", NULL);
    ck_assert(!selector_matches_labels(&selector, BYTES("a=\"" COSTLY_VALUE "\"")));
    ck_assert_int_eq(selector.failure, STATUS_OK);
    settings.limits_regex_steps = 1000;
    selector = selector_of("a=~.*.*.*[xy]", NULL);
    ck_assert(!selector_matches_labels(&selector, BYTES("a=\"" COSTLY_VALUE "\"")));
    ck_assert_int_eq(selector.failure, STATUS_REGEX_TOO_COSTLY);
}
END_TEST

#define LONG_TEXT 2000

/* (a|b)* keeps a place to come back to for each character. */
static bool matches_long(struct selector *selector)
{
    static char labels[LONG_TEXT + 8] = "a=\"";
    memset(labels + 3, 'a', LONG_TEXT);
    labels[3 + LONG_TEXT] = '"';
    return selector_matches_labels(selector, (struct bytes){labels, LONG_TEXT + 4});
}

START_TEST(depth_is_bounded_by_memory)
{
    settings.limits_request_bytes = 4 << 20;
    struct selector selector = selector_of("a!~(a|b)*", NULL);
    ck_assert(!matches_long(&selector)); /* the arena has no more */
    ck_assert_int_eq(selector.failure, STATUS_REQUEST_TOO_LARGE);

    settings.limits_request_bytes = 128 << 10;
    arena_begin(sizeof memory);
    selector = selector_of("a!~(a|b)*", NULL);
    ck_assert(!matches_long(&selector));
    ck_assert_int_eq(selector.failure, STATUS_REQUEST_TOO_LARGE);
    ck_assert_uint_le(arena_used(&arena), settings.limits_request_bytes * 3 / 4);
}
END_TEST

/* An arena of so many bytes, until they are enough: each push into it is refused once. */
static size_t bytes_that_suffice(const char *match, const char *labels)
{
    for (size_t bytes = 0; bytes < sizeof memory; bytes += ARENA_ALIGN) {
        struct selector selector;
        arena_begin(bytes);
        selector_init(&selector);
        struct refusal refusal = add_match(&selector, match);
        enum status status = refusal.status;
        if (status == STATUS_OK) {
            bool selected = selector_matches_labels(&selector, bytes_of(labels));
            status = selector.failure;
            ck_assert_int_eq(selected, status == STATUS_OK);
        } else {
            ck_assert_uint_eq(selector.count, 0);
            ck_assert_uint_eq(refusal.limit, settings.limits_request_bytes);
        }
        if (status == STATUS_OK)
            return bytes;
        ck_assert_int_eq(status, STATUS_REQUEST_TOO_LARGE);
    }
    ck_abort_msg("%s is never added", match);
}

START_TEST(every_push_may_be_refused)
{
    char many[1024] = "a=~"; /* too long for what the compiler has on its stack, with many names */
    char deep[200] = "a=\"";
    memset(deep + 3, 'a', 150);
    deep[153] = '"';
    for (int i = 0; i < 30; i++)
        sprintf(many + strlen(many), "(?<n%d>[a-z%c]{0,3}(%d|b)?)", i, 'A' + i % 26, i);
    ck_assert_uint_gt(bytes_that_suffice("a=~x", "a=\"x\""), 20 << 10);
    ck_assert_uint_gt(bytes_that_suffice(many, "a=\"abc\""), 40 << 10);
    ck_assert_uint_gt(bytes_that_suffice("a=~(a|b)*", deep), 60 << 10);
}
END_TEST

/* ---- texts ---- */

START_TEST(texts_come_back)
{
    char text[16384];
    fixture_apply(&fixture, KIND_GAUGE, "t{le=\"0.5\",z=\"a\\\\b\\\"\\n\"} 1");
    uint32_t slot =
        fixture_find(&fixture, KIND_GAUGE, "t{le=\"0.5\",z=\"a\\\\b\\\"\\n\"} 1");
    const struct series *series = store_series(&fixture.store, slot);
    ck_assert(bytes_equal(series_name(&fixture.store, series, text), BYTES("t")));
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

static void check_text_bytes(const struct settings *of)
{
    char text[16384];
    for (uint32_t slot = 0; slot < fixture.store.series.fresh; slot++) {
        const struct series *series = store_series(&fixture.store, slot);
        ck_assert_uint_le(series->labels.length, series_text_bytes(of));
        ck_assert_uint_le(series_name(&fixture.store, series, text).length, series_text_bytes(of));
    }
}

/* The store's own names and labels are longer than the floors of the settings. */
START_TEST(text_bytes_hold_every_series_at_the_floors)
{
    struct settings floors = fixture.world.settings;
    floors.limits_name_bytes = setting_find(BYTES("limits.name_bytes"))->floor;
    floors.limits_label_set_bytes = setting_find(BYTES("limits.label_set_bytes"))->floor;
    fixture_apply(&fixture, KIND_CLASSIC, "of_16_bytes 1");
    check_text_bytes(&floors);
}
END_TEST

Suite *matcher_suite(void)
{
    Suite *suite = suite_create("matcher");
    TCase *parsing = tcase_create("parsing");
    tcase_add_checked_fixture(parsing, begin, end);
    tcase_add_loop_test(parsing, match_is_read, 0, (int)COUNT_OF(matches));
    tcase_add_test(parsing, seventeen_expressions_are_one_too_many);
    tcase_add_loop_test(parsing, pattern_is_bad, 0, (int)COUNT_OF(bad_patterns));
    tcase_add_test(parsing, brackets_nest_to_a_limit);
    tcase_add_test(parsing, metric_is_a_metric_name);
    tcase_add_test(parsing, one_matcher_too_many_is_refused);
    suite_add_tcase(suite, parsing);
    TCase *matching = tcase_create("matching");
    tcase_add_checked_fixture(matching, setup, teardown);
    tcase_add_loop_test(matching, case_is_decided, 0, (int)COUNT_OF(cases));
    tcase_add_loop_test(matching, model_agrees, 0, 4);
    tcase_add_test(matching, texts_come_back);
    tcase_add_test(matching, text_bytes_hold_every_series_at_the_floors);
    tcase_add_loop_test(matching, model_agrees_on_expressions, 0, 4);
    suite_add_tcase(suite, matching);
    TCase *bounds = tcase_create("bounds");
    tcase_add_checked_fixture(bounds, setup, teardown);
    tcase_add_loop_test(bounds, costly_expression_fails, 0, (int)COUNT_OF(costly_patterns));
    tcase_add_test(bounds, one_failure_is_enough);
    tcase_add_test(bounds, costly_name_fails);
    tcase_add_test(bounds, steps_are_counted_and_not_depth_alone);
    tcase_add_test(bounds, costly_on_nothing_is_refused_at_once);
    tcase_add_test(bounds, steps_are_a_setting);
    tcase_add_test(bounds, depth_is_bounded_by_memory);
    tcase_add_test(bounds, every_push_may_be_refused);
    suite_add_tcase(suite, bounds);
    return suite;
}
