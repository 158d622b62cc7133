#include "push.h"

#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 8u /* of a histogram in one JSON object */

const char *format_content_type(enum format format)
{
    static const char *const TYPES[FORMAT_COUNT] = {
        [FORMAT_TEXT] = "text/plain; version=0.0.4",
        [FORMAT_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
        [FORMAT_NDJSON] = "application/x-ndjson",
        [FORMAT_ARRAY] = "application/json",
    };

    return TYPES[format];
}

static uint32_t below(struct random *random, uint32_t bound)
{
    return (uint32_t)random_below(random, bound);
}

static uint32_t bit_choose(uint32_t mask, struct random *random)
{
    uint32_t nth = below(random, (uint32_t)__builtin_popcount(mask));

    while (nth-- > 0)
        mask &= mask - 1;
    return (uint32_t)__builtin_ctz(mask);
}

/* One sample often, one of each series mostly, a few hundred now and then. */
static uint32_t items_choose(const struct metric *metric, bool unique, struct random *random)
{
    uint32_t dice = below(random, 8);

    if (dice == 0)
        return 1;
    if (dice < 6 || unique)
        return 1 + below(random, metric->series);
    return 1 + below(random, PUSH_ITEMS_MAX / (metric->kind == SOAK_CLASSIC ? 8 : 1));
}

void push_choose(struct push *push, uint32_t metrics_mask, uint32_t formats_mask, bool unique,
                 struct random *random)
{
    push->metric = &soak_metrics[bit_choose(metrics_mask, random)];
    push->format = (enum format)bit_choose(push->metric->formats & formats_mask, random);
    push->pod_first = below(random, 2) == 0;
    push->item_count = items_choose(push->metric, unique, random);
    push->lines = 0;
}

/* 3, 3.25, 3.5 or 3.75; below zero with a sign. */
static void quarters_write(struct text *out, int32_t quarters)
{
    static const char *const FRACTIONS[] = {"", ".25", ".5", ".75"};
    int32_t size = abs(quarters);

    text_format(out, "%s%d%s", quarters < 0 ? "-" : "", size / 4, FRACTIONS[size % 4]);
}

/* ---- text ---- */

static bool is_counter_of_openmetrics(const struct push *push)
{
    return push->metric->kind == SOAK_COUNTER && push->format == FORMAT_OPENMETRICS;
}

/* OpenMetrics names the family of a counter without its _total. */
static void declaration_write(struct text *out, const struct push *push)
{
    static const char *const TYPES[] = {
        [SOAK_COUNTER] = "counter",   [SOAK_GAUGE] = "gauge",     [SOAK_HISTOGRAM] = "histogram",
        [SOAK_CLASSIC] = "histogram", [SOAK_SUMMARY] = "summary", [SOAK_SET] = "gauge",
    };
    const char *name = push->metric->name;
    size_t length = strlen(name) - (is_counter_of_openmetrics(push) ? strlen("_total") : 0);

    text_format(out, "# HELP %.*s What a pod measures.\n# TYPE %.*s %s\n", (int)length, name,
                (int)length, name, TYPES[push->metric->kind]);
}

/* name_suffix{labels or with le} value */
static void line_write(struct text *out, const struct push *push, uint32_t series,
                       const char *suffix, const char *bound, int32_t quarters)
{
    text_format(out, "%s%s{", push->metric->name, suffix);
    metric_labels_write(out, push->metric, push->pod, series, false, push->pod_first);
    if (bound != NULL)
        text_format(out, ",le=\"%s\"", bound);
    text_add(out, "} ", 2);
    quarters_write(out, quarters);
    text_add(out, "\n", 1);
}

static struct push_item classic_write(struct text *out, const struct push *push, uint32_t series,
                                      struct random *random)
{
    struct push_item item = {.lines = CLASSIC_BOUNDS + 3, .quarters = (int32_t)below(random, 400)};

    for (uint32_t i = 0; i < CLASSIC_BOUNDS; i++) {
        item.observations = (uint16_t)(item.observations + below(random, 4));
        line_write(out, push, series, "_bucket", soak_bounds[i], 4 * item.observations);
    }
    item.observations = (uint16_t)(item.observations + below(random, 2));
    line_write(out, push, series, "_bucket", "+Inf", 4 * item.observations);
    line_write(out, push, series, "_sum", NULL, item.quarters);
    line_write(out, push, series, "_count", NULL, 4 * item.observations);
    return item;
}

static struct push_item summary_write(struct text *out, const struct push *push, uint32_t series,
                                      struct random *random)
{
    struct push_item item = {.lines = 2,
                             .observations = (uint16_t)(1 + below(random, 20)),
                             .quarters = (int32_t)below(random, 400)};

    line_write(out, push, series, "_sum", NULL, item.quarters);
    line_write(out, push, series, "_count", NULL, 4 * item.observations);
    return item;
}

/* Temperatures may be below zero. */
static int32_t quarters_choose(const struct push *push, struct random *random)
{
    return (int32_t)below(random, 400) - (push->metric->kind == SOAK_GAUGE ? 80 : 0);
}

static struct push_item text_item_write(struct text *out, const struct push *push, uint32_t series,
                                        struct random *random)
{
    struct push_item item = {.lines = 1, .observations = 1};

    if (push->metric->kind == SOAK_CLASSIC)
        return classic_write(out, push, series, random);
    if (push->metric->kind == SOAK_SUMMARY)
        return summary_write(out, push, series, random);
    item.quarters = quarters_choose(push, random);
    line_write(out, push, series, "", NULL, item.quarters);
    return item;
}

/* ---- JSON ---- */

static const char *json_kind(enum soak_kind kind)
{
    static const char *const KINDS[] = {
        [SOAK_COUNTER] = "counter", [SOAK_GAUGE] = "gauge", [SOAK_HISTOGRAM] = "histogram",
        [SOAK_CLASSIC] = "",        [SOAK_SUMMARY] = "",    [SOAK_SET] = "set",
    };

    return KINDS[kind];
}

static void values_write(struct text *out, struct push_item *item, struct random *random)
{
    item->observations = (uint16_t)(1 + below(random, VALUES_MAX));
    text_format(out, "\"values\":[");
    for (uint32_t i = 0; i < item->observations; i++) {
        int32_t quarters = (int32_t)below(random, 1u << (1 + below(random, 9)));

        text_add(out, ",", i > 0);
        quarters_write(out, quarters);
        item->quarters += quarters;
    }
    text_add(out, "]", 1);
}

static struct push_item json_item_write(struct text *out, const struct push *push, uint32_t series,
                                        struct random *random)
{
    struct push_item item = {.lines = 1, .observations = 1};

    text_format(out, "{\"name\":\"%s\",\"kind\":\"%s\",\"labels\":{", push->metric->name,
                json_kind(push->metric->kind));
    metric_labels_write(out, push->metric, push->pod, series, true, push->pod_first);
    text_format(out, "},");
    if (push->metric->kind == SOAK_HISTOGRAM && below(random, 4) > 0) {
        values_write(out, &item, random);
    } else if (push->metric->kind == SOAK_SET) {
        text_format(out, "\"value\":\"user-%u\"", below(random, 5000));
    } else {
        item.quarters = quarters_choose(push, random);
        text_format(out, "\"value\":");
        quarters_write(out, item.quarters);
    }
    text_add(out, "}", 1);
    return item;
}

/* ---- bodies ---- */

void push_write(struct text *out, struct push *push, struct random *random)
{
    bool json = push->format == FORMAT_NDJSON || push->format == FORMAT_ARRAY;
    uint32_t first = below(random, push->metric->series);

    if (!json)
        declaration_write(out, push);
    for (uint32_t i = 0; i < push->item_count; i++) {
        uint32_t series = (first + i) % push->metric->series;

        if (json)
            text_add(out, push->format == FORMAT_NDJSON ? "\n" : i == 0 ? "[" : ",", 1);
        push->items[i] = json ? json_item_write(out, push, series, random)
                              : text_item_write(out, push, series, random);
        push->lines += push->items[i].lines;
    }
    if (push->format == FORMAT_ARRAY)
        text_add(out, "]", 1);
    if (push->format == FORMAT_OPENMETRICS)
        text_format(out, "# EOF\n");
}

/* Of gauges and sets no sum is kept: the last value stands, or members are counted. */
static double item_sum(const struct push_item *item, enum soak_kind kind)
{
    return kind == SOAK_GAUGE || kind == SOAK_SET ? 0 : item->quarters * 0.25;
}

void push_add(const struct push *push, uint64_t accepted, struct soak_sum *sum)
{
    uint64_t lines = 0;

    sum->samples += accepted;
    for (uint32_t i = 0; i < push->item_count; i++) {
        const struct push_item *item = &push->items[i];

        lines += item->lines;
        if (lines > accepted)
            return;
        sum->observations += item->observations;
        sum->sum += item_sum(item, sum->kind);
    }
}

void push_add_uncertain(const struct push *push, struct soak_sum *sum)
{
    for (uint32_t i = 0; i < push->item_count; i++) {
        sum->uncertain_observations += push->items[i].observations;
        sum->uncertain_sum += item_sum(&push->items[i], sum->kind);
    }
}
