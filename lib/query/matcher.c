/* matcher.c: see matcher.h. */
#include "query/matcher.h"

#include "base/ensure.h"
#include "base/scan.h"
#include "query/sweep.h"

#define TEXT_OF(macro) #macro
#define DIGITS_OF(macro) TEXT_OF(macro)

static struct refusal bad_parameter(const char *detail)
{
    return refusal_detail(STATUS_BAD_PARAMETER, detail);
}

static struct refusal add(struct selector *selector, struct matcher matcher)
{
    if (selector->count == SELECTOR_MATCHERS_MAX)
        return bad_parameter("more than " DIGITS_OF(SELECTOR_MATCHERS_MAX) " matchers");
    selector->matchers[selector->count++] = matcher;
    return refusal_plain(STATUS_OK);
}

/* ---- parsing ---- */

/* What a name may begin with, and is made of; colons are for metric names alone. */
static bool is_name(struct bytes text, bool colons)
{
    if (text.length == 0 || (text.at[0] >= '0' && text.at[0] <= '9'))
        return false;
    const char *end = text.at + text.length;
    if (scan_name(text.at, end) != end)
        return false;
    return colons || memchr(text.at, ':', text.length) == NULL;
}

struct refusal selector_add_metric(struct selector *selector, struct bytes name)
{
    if (!is_name(name, true))
        return bad_parameter("metric is not a metric name");
    return add(selector, (struct matcher){.value = name, .on_metric_name = true});
}

/* ---- regular expressions ---- */

/*
 * Units of a slice, which are about a tenth of a microsecond: see SWEEP_SLICE. A costly match is a
 * slice of its own.
 */
#define REGEX_COST 4
#define REGEX_COST_TEXT 16 /* bytes of the text that are one unit more */
#define REGEX_COST_COSTLY SWEEP_SLICE

static uint32_t cost_of(struct regex_verdict verdict, struct bytes raw)
{
    if (verdict.costly)
        return REGEX_COST_COSTLY;
    return REGEX_COST + (uint32_t)(raw.length / REGEX_COST_TEXT);
}

/* Whether the expression matches; false with the failure set when that cannot be said. */
static bool is_match(struct selector *selector, const struct regex *regex, struct bytes raw)
{
    struct regex_verdict verdict = regex_match(selector->regexes, regex, raw);
    selector->cost += cost_of(verdict, raw);
    if (verdict.status != STATUS_OK)
        selector->failure = verdict.status;
    return verdict.matches;
}

/* What they share, made with the first. False when the arena refused. */
static bool prepare(struct selector *selector, const struct settings *settings, struct arena *arena)
{
    if (selector->raw == NULL)
        selector->raw = arena_push(arena, series_text_bytes(settings));
    if (selector->raw != NULL && selector->regexes == NULL)
        selector->regexes = regexes_make(settings, arena);
    return selector->regexes != NULL;
}

/*
 * Compiles matcher->value. The empty text is tried at once, outside any lock: what a missing label
 * is need not be asked again, and the room to match in is there afterwards.
 */
static struct refusal compile(struct selector *selector, struct matcher *matcher,
                              const struct settings *settings, struct arena *arena)
{
    if (!prepare(selector, settings, arena))
        return refusal_of(arena->refusal, settings);
    struct refusal refusal = regex_make(selector->regexes, matcher->value, &matcher->regex);
    if (refusal.status == STATUS_BAD_REGEX)
        return refusal;
    if (refusal.status != STATUS_OK)
        return refusal_of(refusal.status, settings);
    struct regex_verdict verdict =
        regex_match(selector->regexes, matcher->regex, (struct bytes){"", 0});
    matcher->empty_is_equal = verdict.matches;
    return refusal_of(verdict.status, settings);
}

/* ---- operators ---- */

struct comparison {
    const char *text;
    bool negated;
    bool is_regex;
};

/* The longer one first where one begins with another. */
static const struct comparison comparisons[] = {
    {"=~", false, true},
    {"!~", true, true},
    {"!=", true, false},
    {"=", false, false},
};

static const struct comparison *comparison_at(struct bytes text)
{
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++) {
        if (bytes_start_with(text, bytes_of(comparisons[i].text)))
            return &comparisons[i];
    }
    return NULL;
}

/* name, as far as it is made of what names are made of, and the rest. */
static void split(struct bytes text, struct bytes *name, struct bytes *rest)
{
    const char *end = text.at + text.length;
    const char *at = scan_name(text.at, end);
    *name = (struct bytes){text.at, (size_t)(at - text.at)};
    *rest = (struct bytes){at, (size_t)(end - at)};
}

struct refusal selector_add_match(struct selector *selector, struct bytes text,
                                  const struct settings *settings, struct arena *arena)
{
    static const char shape[] =
        "match is label=value, label!=value, label=~regex, label!~regex or a metric name";
    if (is_name(text, true))
        return selector_add_metric(selector, text);
    if (text.length == 0)
        return bad_parameter(shape);
    struct bytes name, rest;
    split(text, &name, &rest);
    const struct comparison *comparison = comparison_at(rest);
    if (comparison == NULL || !is_name(name, false))
        return bad_parameter(shape);
    size_t taken = strlen(comparison->text);
    struct matcher matcher = {
        .name = name,
        .value = {rest.at + taken, rest.length - taken},
        .negated = comparison->negated,
        .on_metric_name = bytes_equal(name, BYTES(METRIC_NAME_LABEL)),
        .empty_is_equal = rest.length == taken,
    };
    if (comparison->is_regex && selector->count < SELECTOR_MATCHERS_MAX) {
        struct refusal refusal = compile(selector, &matcher, settings, arena);
        if (refusal.status != STATUS_OK)
            return refusal;
    }
    return add(selector, matcher);
}

void selector_renew(struct selector *selector)
{
    if (selector->regexes != NULL && selector->failure == STATUS_OK)
        selector->failure = regexes_renew(selector->regexes);
}

/* ---- matching ---- */

static bool is_called(const struct store *store, const struct series *series, struct bytes name)
{
    const struct family *family = store_family(store, series->family);
    ENSURE(family != NULL);
    return label_equal(&store->labels, family->name, name);
}

static bool is_called_like(struct selector *selector, const struct regex *regex,
                           const struct store *store, const struct series *series)
{
    return is_match(selector, regex, series_name(store, series, selector->raw));
}

/* A failed comparison is neither equal nor unequal: the selector selects nothing then. */
static bool holds(const struct selector *selector, const struct matcher *matcher, bool equal)
{
    return selector->failure == STATUS_OK && equal != matcher->negated;
}

bool selector_matches_name(struct selector *selector, const struct store *store,
                           const struct series *series)
{
    for (uint32_t i = 0; i < selector->count; i++) {
        const struct matcher *matcher = &selector->matchers[i];
        if (!matcher->on_metric_name)
            continue;
        bool equal = matcher->regex != NULL
                         ? is_called_like(selector, matcher->regex, store, series)
                         : is_called(store, series, matcher->value);
        if (!holds(selector, matcher, equal))
            return false;
    }
    return selector->failure == STATUS_OK;
}

/* Compares as it unescapes: no value is copied. */
static bool is_value(struct bytes escaped, struct bytes raw)
{
    size_t at = 0;
    for (size_t i = 0; i < escaped.length; i++) {
        char c = escaped.at[i];
        if (c == '\\') {
            ENSURE(i + 1 < escaped.length);
            c = escaped.at[++i];
            c = c == 'n' ? '\n' : c;
        }
        if (at == raw.length || raw.at[at++] != c)
            return false;
    }
    return at == raw.length;
}

/* Of an expression: the value is copied only where something in it is escaped. */
static bool is_like(struct selector *selector, const struct regex *regex, struct bytes escaped)
{
    if (escaped.length == 0 || memchr(escaped.at, '\\', escaped.length) == NULL)
        return is_match(selector, regex, escaped);
    size_t length = label_value_unescape(escaped, selector->raw);
    return is_match(selector, regex, (struct bytes){selector->raw, length});
}

static bool has_value(struct selector *selector, const struct matcher *matcher,
                      struct bytes escaped)
{
    if (matcher->regex != NULL)
        return is_like(selector, matcher->regex, escaped);
    return is_value(escaped, matcher->value);
}

bool selector_matches_labels(struct selector *selector, struct bytes labels)
{
    uint32_t met = 0; /* bit i: matcher i has found its label */
    struct label label;
    while (label_text_next(&labels, &label)) {
        for (uint32_t i = 0; i < selector->count; i++) {
            const struct matcher *matcher = &selector->matchers[i];
            if (matcher->on_metric_name || !bytes_equal(matcher->name, label.name))
                continue;
            if (!holds(selector, matcher, has_value(selector, matcher, label.value)))
                return false;
            met |= UINT32_C(1) << i;
        }
    }
    for (uint32_t i = 0; i < selector->count; i++) {
        const struct matcher *matcher = &selector->matchers[i];
        bool absent = !matcher->on_metric_name && (met >> i & 1) == 0;
        if (absent && matcher->empty_is_equal == matcher->negated)
            return false;
    }
    return selector->failure == STATUS_OK;
}

static bool has_label_matchers(const struct selector *selector)
{
    for (uint32_t i = 0; i < selector->count; i++) {
        if (!selector->matchers[i].on_metric_name)
            return true;
    }
    return false;
}

bool selector_matches(struct selector *selector, const struct store *store,
                      const struct series *series, char *text)
{
    if (!selector_matches_name(selector, store, series))
        return false;
    if (!has_label_matchers(selector))
        return true; /* the labels need not be fetched */
    return selector_matches_labels(selector, series_labels(store, series, text));
}

/* ---- texts ---- */

/*
 * For the store's own, which no setting bounds: mayfly_overflow_classic_histogram,
 * otel_metric_overflow="true".
 */
#define OWN_TEXT_BYTES 64

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t family_name_bytes(const struct settings *settings)
{
    return larger(settings->limits_name_bytes, OWN_TEXT_BYTES);
}

size_t series_text_bytes(const struct settings *settings)
{
    return larger(settings->limits_label_set_bytes, family_name_bytes(settings));
}

struct bytes series_labels(const struct store *store, const struct series *series, char *text)
{
    label_copy(&store->labels, series->labels, text);
    return (struct bytes){text, series->labels.length};
}

struct bytes series_name(const struct store *store, const struct series *series, char *text)
{
    const struct family *family = store_family(store, series->family);
    ENSURE(family != NULL);
    label_copy(&store->labels, family->name, text);
    return (struct bytes){text, family->name.length};
}

struct bytes label_raw_value(const struct label *label, char *text)
{
    struct bytes value = label->value;
    if (value.length == 0 || memchr(value.at, '\\', value.length) == NULL)
        return value;
    char *out = text + (value.at - text);
    return (struct bytes){out, label_value_unescape(value, out)};
}
