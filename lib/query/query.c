/* query.c: see query.h. */
#include "query/query.h"

#include "base/number.h"
#include "base/scan.h"

#include <math.h>

#define TEXT_OF(macro) #macro
#define DIGITS_OF(macro) TEXT_OF(macro)

/* The last millisecond of the year 9999, where RFC 3339 ends. */
#define TIME_MS_MAX INT64_C(253402300799999)

static struct refusal bad_parameter(const char *detail)
{
    return refusal_detail(STATUS_BAD_PARAMETER, detail);
}

static struct bytes bytes_from(struct bytes text, size_t skipped)
{
    return (struct bytes){text.at + skipped, text.length - skipped};
}

/* ---- lengths of time ---- */

static const struct {
    const char *name;
    double ms;
} units[] = {
    {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}, {"w", 604800e3},
};

/* The digits and points in front, and the letters behind them. */
static size_t run_length(struct bytes text, bool letters)
{
    size_t length = 0;
    while (length < text.length) {
        char c = text.at[length];
        bool is_digit = (c >= '0' && c <= '9') || c == '.';
        bool is_letter = c >= 'a' && c <= 'z';
        if (letters ? !is_letter : !is_digit)
            break;
        length++;
    }
    return length;
}

static double unit_ms(struct bytes name)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (bytes_equal(name, bytes_of(units[i].name)))
            return units[i].ms;
    }
    return 0;
}

/* 1.5h off the front, in milliseconds. False when there is no number with a unit. */
static bool take_part(struct bytes *text, bool bare, double *ms)
{
    double number;
    size_t digits = run_length(*text, false);
    if (!number_parse((struct bytes){text->at, digits}, &number))
        return false;
    struct bytes rest = bytes_from(*text, digits);
    size_t letters = run_length(rest, true);
    double unit = letters == 0 && bare ? 1e3 : unit_ms((struct bytes){rest.at, letters});
    *text = bytes_from(rest, letters);
    *ms = number * unit;
    return unit > 0;
}

bool query_duration_read(struct bytes text, bool bare, int64_t *ms)
{
    double sum = 0;
    if (text.length == 0)
        return false;
    for (bool first = true; text.length > 0; first = false) {
        double part;
        if (!take_part(&text, bare && first, &part))
            return false;
        if (bare && first && text.length > 0 && run_length(text, true) > 0)
            return false;
        sum += part;
        if (!(sum <= (double)TIME_MS_MAX))
            return false;
    }
    *ms = (int64_t)sum;
    return true;
}

/* ---- times ---- */

/* `count` digits off the front. */
static bool take_digits(struct bytes *text, size_t count, int *value)
{
    if (text->length < count)
        return false;
    *value = 0;
    for (size_t i = 0; i < count; i++) {
        char c = text->at[i];
        if (c < '0' || c > '9')
            return false;
        *value = *value * 10 + (c - '0');
    }
    *text = bytes_from(*text, count);
    return true;
}

static bool take_one_of(struct bytes *text, const char *of)
{
    if (text->length == 0 || text->at[0] == '\0' || strchr(of, text->at[0]) == NULL)
        return false;
    *text = bytes_from(*text, 1);
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01; counted from March on, so that the leap day is a year's last. */
static int64_t days_since_1970(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = (month + 9) % 12;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
}

static bool take_date(struct bytes *text, int64_t *ms)
{
    int year, month, day;
    if (!take_digits(text, 4, &year) || !take_one_of(text, "-") || !take_digits(text, 2, &month) ||
        !take_one_of(text, "-") || !take_digits(text, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return false;
    *ms = days_since_1970(year, month, day) * 86400000;
    return true;
}

/* Digits behind the point; those behind the third are let go. */
static bool take_fraction(struct bytes *text, int64_t *ms)
{
    int weight = 100;
    size_t digits = run_length(*text, false);
    for (size_t i = 0; i < digits; i++, weight /= 10) {
        if (text->at[i] == '.')
            return false;
        *ms += (text->at[i] - '0') * weight;
    }
    *text = bytes_from(*text, digits);
    return digits > 0;
}

/* 60 seconds are a leap second, which counts as the first of the minute after. */
static bool take_clock(struct bytes *text, int64_t *ms)
{
    int hour, minute, second;
    if (!take_digits(text, 2, &hour) || !take_one_of(text, ":") || !take_digits(text, 2, &minute) ||
        !take_one_of(text, ":") || !take_digits(text, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *ms += ((hour * 60 + minute) * 60 + second) * INT64_C(1000);
    return !take_one_of(text, ".") || take_fraction(text, ms);
}

/* A blank is a + that was not written %2B in the query string. */
static bool take_offset(struct bytes *text, int64_t *ms)
{
    int hours, minutes;
    if (take_one_of(text, "Zz"))
        return true;
    bool west = text->length > 0 && text->at[0] == '-';
    if (!take_one_of(text, "+- ") || !take_digits(text, 2, &hours) || !take_one_of(text, ":") ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    int64_t offset = (hours * 60 + minutes) * INT64_C(60000);
    *ms += west ? offset : -offset;
    return true;
}

static bool read_rfc3339(struct bytes text, int64_t *ms)
{
    return take_date(&text, ms) && take_one_of(&text, "Tt ") && take_clock(&text, ms) &&
           take_offset(&text, ms) && text.length == 0;
}

static bool read_relative(struct bytes text, int64_t now_ms, int64_t *ms)
{
    int64_t ago = 0;
    if (text.length > 0 && (!take_one_of(&text, "-") || !query_duration_read(text, false, &ago)))
        return false;
    *ms = now_ms - ago;
    return true;
}

static bool read_unix(struct bytes text, int64_t *ms)
{
    double seconds;
    if (!number_parse(text, &seconds) || !(fabs(seconds) <= (double)TIME_MS_MAX))
        return false;
    *ms = (int64_t)floor(seconds * 1000 + 0.5);
    return true;
}

static bool read_time(struct bytes text, int64_t now_ms, int64_t *ms)
{
    if (bytes_start_with(text, BYTES("now")))
        return read_relative(bytes_from(text, 3), now_ms, ms);
    if (text.length > 0 && text.at[0] == '-')
        return read_relative(text, now_ms, ms);
    return read_unix(text, ms) || read_rfc3339(text, ms);
}

bool query_time_read(struct bytes text, int64_t now_ms, int64_t *ms)
{
    int64_t time;
    if (!read_time(text, now_ms, &time) || time < 0 || time > TIME_MS_MAX)
        return false;
    *ms = time;
    return true;
}

/* ---- functions ---- */

static const struct {
    const char *name;
    enum function function;
} functions[] = {
    {"sum", FUNCTION_SUM},     {"rate", FUNCTION_RATE},     {"avg", FUNCTION_AVG},
    {"min", FUNCTION_MIN},     {"max", FUNCTION_MAX},       {"last", FUNCTION_LAST},
    {"count", FUNCTION_COUNT}, {"unique", FUNCTION_UNIQUE},
};

static const char *function_name(enum function function)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (functions[i].function == function)
            return functions[i].name;
    }
    return "";
}

/* Digits and a point alone, so that what the reply repeats is plain. */
static bool read_share(struct bytes text, double *share)
{
    return run_length(text, false) == text.length && number_parse(text, share);
}

#define PERCENT_TEXT_MAX 24

/* 99.9 as 99.9e-2, so that it is the double nearest to 0.999. */
static bool read_percent(struct bytes text, double *share)
{
    char hundredth[PERCENT_TEXT_MAX + 3];
    double percent;
    if (text.length > PERCENT_TEXT_MAX || !read_share(text, &percent))
        return false;
    memcpy(hundredth, text.at, text.length);
    memcpy(hundredth + text.length, "e-2", 3);
    return number_parse((struct bytes){hundredth, text.length + 3}, share);
}

static bool read_quantile(struct bytes text, double *share)
{
    struct bytes open = BYTES("quantile(");
    if (bytes_start_with(text, open) && bytes_end_with(text, BYTES(")")))
        return read_share((struct bytes){text.at + open.length, text.length - open.length - 1},
                          share);
    return bytes_start_with(text, BYTES("p")) && read_percent(bytes_from(text, 1), share);
}

static struct refusal add_function(struct query *query, struct bytes value)
{
    query->function_text = value;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (bytes_equal(value, bytes_of(functions[i].name))) {
            query->function = functions[i].function;
            return refusal_plain(STATUS_OK);
        }
    }
    query->function = FUNCTION_QUANTILE;
    if (read_quantile(value, &query->quantile) && query->quantile <= 1)
        return refusal_plain(STATUS_OK);
    return bad_parameter("fn is sum, rate, avg, min, max, last, count, unique, p50 (p0 to p100) or "
                         "quantile(0.5) (0 to 1)");
}

#define BIT(function) (1U << FUNCTION_##function)

static const struct {
    unsigned functions;
    enum function first; /* when none is said */
    const char *detail;
} kinds[KIND_COUNT] = {
    [KIND_COUNTER] = {BIT(SUM) | BIT(RATE) | BIT(COUNT) | BIT(AVG) | BIT(MIN) | BIT(MAX),
                      FUNCTION_SUM, "a counter has sum, rate, count, avg, min and max"},
    [KIND_GAUGE] = {BIT(SUM) | BIT(COUNT) | BIT(AVG) | BIT(MIN) | BIT(MAX) | BIT(LAST),
                    FUNCTION_AVG, "a gauge has sum, count, avg, min, max and last"},
    [KIND_HISTOGRAM] = {BIT(SUM) | BIT(RATE) | BIT(COUNT) | BIT(AVG) | BIT(MIN) | BIT(MAX) |
                            BIT(QUANTILE),
                        FUNCTION_COUNT,
                        "a histogram has sum, rate, count, avg, min, max and quantiles"},
    [KIND_SET] = {BIT(UNIQUE) | BIT(COUNT), FUNCTION_UNIQUE, "a set has unique and count"},
    [KIND_CLASSIC] = {BIT(SUM) | BIT(RATE) | BIT(COUNT) | BIT(AVG) | BIT(QUANTILE), FUNCTION_COUNT,
                      "a histogram pushed as buckets has sum, rate, count, avg and quantiles"},
    [KIND_SUMMARY] = {BIT(SUM) | BIT(RATE) | BIT(COUNT) | BIT(AVG), FUNCTION_COUNT,
                      "a summary has sum, rate, count and avg"},
};

struct refusal query_settle(struct query *query, enum kind kind)
{
    if (query->function == FUNCTION_NONE) {
        query->function = kinds[kind].first;
        query->function_text = bytes_of(function_name(query->function));
    }
    if ((kinds[kind].functions >> query->function & 1) == 0)
        return refusal_detail(STATUS_BAD_FUNCTION, kinds[kind].detail);
    return refusal_plain(STATUS_OK);
}

bool query_needs_sketch(const struct query *query)
{
    return query->function == FUNCTION_QUANTILE || query->function == FUNCTION_UNIQUE;
}

/* ---- which series, and which together ---- */

/* Puts `text` where it belongs among `count` sorted ones; false when it is there already. */
static bool insert(struct bytes *sorted, uint32_t count, struct bytes text)
{
    uint32_t at = count;
    while (at > 0 && bytes_compare(sorted[at - 1], text) > 0)
        at--;
    if (at > 0 && bytes_equal(sorted[at - 1], text))
        return false;
    memmove(&sorted[at + 1], &sorted[at], (count - at) * sizeof sorted[0]);
    sorted[at] = text;
    return true;
}

static struct refusal add_match(struct query *query, struct bytes value, struct arena *arena,
                                const struct settings *settings)
{
    struct refusal refusal = selector_add_match(&query->selector, value, settings, arena);
    if (refusal.status == STATUS_OK)
        query->match_count += insert(query->matches, query->match_count, value);
    return refusal;
}

static bool is_metric_name(struct bytes text)
{
    const char *end = text.at + text.length;
    return text.length > 0 && !(text.at[0] >= '0' && text.at[0] <= '9') &&
           scan_name(text.at, end) == end;
}

static bool is_label_name(struct bytes text)
{
    return is_metric_name(text) && memchr(text.at, ':', text.length) == NULL;
}

/* The next of a comma list; false at its end. */
static bool take_item(struct bytes *list, struct bytes *item)
{
    if (list->at == NULL)
        return false;
    const char *comma = list->length == 0 ? NULL : memchr(list->at, ',', list->length);
    *item = bytes_trim(
        (struct bytes){list->at, comma == NULL ? list->length : (size_t)(comma - list->at)});
    if (comma == NULL)
        *list = (struct bytes){NULL, 0};
    else
        *list = bytes_from(*list, (size_t)(comma - list->at) + 1);
    return true;
}

/* An empty list is one, too: by= is one series for everything, without= takes nothing away. */
static struct refusal add_labels(struct query *query, struct bytes value)
{
    struct bytes name;
    if (bytes_trim(value).length == 0)
        return refusal_plain(STATUS_OK);
    while (take_item(&value, &name)) {
        if (!is_label_name(name))
            return bad_parameter("by and without are lists of label names, with commas between");
        if (query->label_count == QUERY_LABELS_MAX)
            return bad_parameter("more than " DIGITS_OF(QUERY_LABELS_MAX) " names to group by");
        query->label_count += insert(query->labels, query->label_count, name);
    }
    return refusal_plain(STATUS_OK);
}

/* ---- parameters ---- */

enum parameter {
    PARAMETER_METRIC,
    PARAMETER_MATCH,
    PARAMETER_BY,
    PARAMETER_WITHOUT,
    PARAMETER_FN,
    PARAMETER_FROM,
    PARAMETER_TO,
    PARAMETER_STEP,
    PARAMETER_COUNT,
};

static const char *const parameter_names[PARAMETER_COUNT] = {
    "metric", "match", "by", "without", "fn", "from", "to", "step",
};

static enum parameter parameter_find(struct bytes name)
{
    enum parameter parameter = 0;
    while (parameter < PARAMETER_COUNT && !bytes_equal(name, bytes_of(parameter_names[parameter])))
        parameter++;
    return parameter;
}

static struct refusal add_metric(struct query *query, struct bytes value)
{
    query->metric = value;
    if (value.length > 0 && !is_metric_name(value))
        return bad_parameter("metric is not a metric name");
    return refusal_plain(STATUS_OK);
}

static struct refusal add_time(int64_t *ms, int64_t now_ms, struct bytes value)
{
    if (query_time_read(value, now_ms, ms))
        return refusal_plain(STATUS_OK);
    return bad_parameter("from and to are Unix seconds, RFC 3339 (2006-01-02T15:04:05Z) or "
                         "relative (-15m, now, now-1h30m), from 1970 to 9999");
}

static struct refusal add_step(struct query *query, struct bytes value)
{
    if (query_duration_read(value, true, &query->step_ms) && query->step_ms > 0)
        return refusal_plain(STATUS_OK);
    return bad_parameter(
        "step is a length of time above 0: 10s, 1m, 1h30m, or a number of seconds");
}

static struct refusal add_parameter(struct query *query, enum parameter parameter,
                                    struct bytes value)
{
    switch (parameter) {
    case PARAMETER_METRIC:
        return add_metric(query, value);
    case PARAMETER_WITHOUT:
        query->without = true;
        return add_labels(query, value);
    case PARAMETER_BY:
        return add_labels(query, value);
    case PARAMETER_FN:
        return add_function(query, value);
    case PARAMETER_FROM:
        return add_time(&query->from_ms, query->now_ms, value);
    case PARAMETER_TO:
        return add_time(&query->to_ms, query->now_ms, value);
    case PARAMETER_STEP:
        return add_step(query, value);
    default:
        return bad_parameter("metric, match, by, without, fn, from, to and step are known");
    }
}

void query_init(struct query *query, int64_t now_ms)
{
    *query = (struct query){.now_ms = now_ms};
    selector_init(&query->selector);
}

struct refusal query_add_parameter(struct query *query, struct bytes name, struct bytes value,
                                   struct arena *arena, const struct settings *settings)
{
    enum parameter parameter = parameter_find(name);
    if (parameter == PARAMETER_MATCH)
        return add_match(query, value, arena, settings);
    if (parameter < PARAMETER_COUNT && (query->given >> parameter & 1) != 0)
        return bad_parameter("only match may be there more than once");
    query->given |= 1U << parameter;
    return add_parameter(query, parameter, value);
}

static bool was_given(const struct query *query, enum parameter parameter)
{
    return (query->given >> parameter & 1) != 0;
}

#define RANGE_MS_DEFAULT INT64_C(3600000)

struct refusal query_finish(struct query *query)
{
    if (query->metric.length == 0)
        return refusal_plain(STATUS_MISSING_METRIC);
    if (was_given(query, PARAMETER_BY) && was_given(query, PARAMETER_WITHOUT))
        return bad_parameter("by and without cannot be had together");
    if (!was_given(query, PARAMETER_TO))
        query->to_ms = query->now_ms;
    if (query->from_ms > query->to_ms)
        return bad_parameter("from is after to");
    if (query->from_ms > query->now_ms)
        return bad_parameter("from is in the future");
    if (query->to_ms > query->now_ms)
        query->to_ms = query->now_ms;
    if (!was_given(query, PARAMETER_FROM))
        query->from_ms = query->to_ms > RANGE_MS_DEFAULT ? query->to_ms - RANGE_MS_DEFAULT : 0;
    return refusal_plain(STATUS_OK);
}
