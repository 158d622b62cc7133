/* matcher.c: see matcher.h. */
#include "query/matcher.h"

#include "base/ensure.h"
#include "base/scan.h"

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

struct refusal selector_add_match(struct selector *selector, struct bytes text)
{
    static const char shape[] = "match is label=value, label!=value or a metric name";
    if (is_name(text, true))
        return selector_add_metric(selector, text);
    if (text.length == 0)
        return bad_parameter(shape);
    struct bytes name, rest;
    split(text, &name, &rest);
    const struct comparison *comparison = comparison_at(rest);
    if (comparison == NULL || !is_name(name, false))
        return bad_parameter(shape);
    if (comparison->is_regex)
        return bad_parameter("regular expressions are not supported yet, use = or !=");
    size_t taken = strlen(comparison->text);
    struct matcher matcher = {
        .name = name,
        .value = {rest.at + taken, rest.length - taken},
        .negated = comparison->negated,
        .on_metric_name = bytes_equal(name, BYTES(METRIC_NAME_LABEL)),
    };
    return add(selector, matcher);
}

/* ---- matching ---- */

static bool is_called(const struct store *store, const struct series *series, struct bytes name)
{
    const struct family *family = store_family(store, series->family);
    ENSURE(family != NULL);
    if (label_equal(&store->labels, family->name, name))
        return true;
    struct bytes suffix = part_suffix(series->part);
    if (suffix.length == 0 || !bytes_end_with(name, suffix))
        return false;
    return label_equal(&store->labels, family->name,
                       (struct bytes){name.at, name.length - suffix.length});
}

bool selector_matches_name(const struct selector *selector, const struct store *store,
                           const struct series *series)
{
    for (uint32_t i = 0; i < selector->count; i++) {
        const struct matcher *matcher = &selector->matchers[i];
        if (matcher->on_metric_name &&
            is_called(store, series, matcher->value) == matcher->negated)
            return false;
    }
    return true;
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

bool selector_matches_labels(const struct selector *selector, struct bytes labels)
{
    uint32_t met = 0; /* bit i: matcher i has found its label */
    struct label label;
    while (label_text_next(&labels, &label)) {
        for (uint32_t i = 0; i < selector->count; i++) {
            const struct matcher *matcher = &selector->matchers[i];
            if (matcher->on_metric_name || !bytes_equal(matcher->name, label.name))
                continue;
            if (is_value(label.value, matcher->value) == matcher->negated)
                return false;
            met |= UINT32_C(1) << i;
        }
    }
    for (uint32_t i = 0; i < selector->count; i++) {
        const struct matcher *matcher = &selector->matchers[i];
        bool absent = !matcher->on_metric_name && (met >> i & 1) == 0;
        if (absent && (matcher->value.length == 0) == matcher->negated)
            return false;
    }
    return true;
}

static bool has_label_matchers(const struct selector *selector)
{
    for (uint32_t i = 0; i < selector->count; i++) {
        if (!selector->matchers[i].on_metric_name)
            return true;
    }
    return false;
}

bool selector_matches(const struct selector *selector, const struct store *store,
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

#define SUFFIX_BYTES_MAX (sizeof("_bucket") - 1)

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
    size_t name_bytes = family_name_bytes(settings) + SUFFIX_BYTES_MAX;
    return larger(settings->limits_label_set_bytes, name_bytes);
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
    struct bytes suffix = part_suffix(series->part);
    label_copy(&store->labels, family->name, text);
    memcpy(text + family->name.length, suffix.at, suffix.length);
    return (struct bytes){text, family->name.length + suffix.length};
}

struct bytes label_raw_value(const struct label *label, char *text)
{
    struct bytes value = label->value;
    if (value.length == 0 || memchr(value.at, '\\', value.length) == NULL)
        return value;
    char *out = text + (value.at - text);
    return (struct bytes){out, label_value_unescape(value, out)};
}
