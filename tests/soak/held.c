/* held.c: see held.h. */
#include "held.h"

#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const held_what_names[HELD_WHATS] = {"sum", "count"};

bool held_is_told(enum soak_kind kind, enum held_what what)
{
    switch (kind) {
    case SOAK_COUNTER:
        return what == HELD_SUM;
    case SOAK_HISTOGRAM:
    case SOAK_CLASSIC:
    case SOAK_SUMMARY:
        return true;
    default:
        return false;
    }
}

/* ---- the exposition ---- */

struct reading {
    const struct soak_sum *sums;
    struct held *held;
};

/* What follows a metric's name in a row of its sum or count. */
static const char *suffix_of(enum soak_kind kind, enum held_what what)
{
    if (kind == SOAK_COUNTER)
        return "";
    return what == HELD_SUM ? "_sum" : "_count";
}

static bool is_row_of(const char *line, const struct soak_sum *sum, enum held_what what)
{
    const char *suffix = suffix_of(sum->kind, what);
    size_t name = strlen(sum->metric);

    if (!held_is_told(sum->kind, what) || strncmp(line, sum->metric, name) != 0 ||
        strncmp(line + name, suffix, strlen(suffix)) != 0)
        return false;
    char end = line[name + strlen(suffix)];
    return end == '{' || end == ' ';
}

static void add_row(struct held_metric *metric, enum held_what what, const char *line)
{
    const char *value = strrchr(line, ' ');
    bool overflow = strstr(line, "otel_metric_overflow=\"true\"") != NULL;

    *(overflow ? &metric->overflow[what] : &metric->live[what]) += strtod(value + 1, NULL);
}

static void read_pushed(void *context, char *line)
{
    struct reading *reading = context;

    if (strncmp(line, "soak_", 5) != 0)
        return;
    for (int i = 0; i < SOAK_METRICS; i++)
        for (enum held_what what = 0; what < HELD_WHATS; what++)
            if (is_row_of(line, &reading->sums[i], what)) {
                add_row(&reading->held->metrics[i], what, line);
                return;
            }
}

static void read_self(void *context, char *line)
{
    struct held *held = context;

    if (sscanf(line, "mayfly_build_info{version=\"%63[^\"]", held->version) == 1)
        return;
    if (strncmp(line, "mayfly_samples_accepted_total ", 30) == 0)
        held->accepted_samples = strtoull(line + 30, NULL, 10);
}

bool held_read_self(const struct soak_options *options, struct held *held)
{
    return server_lines(&options->operator, "/metrics?scope=self", read_self, held) == 200;
}

/* ---- series that ended ---- */

static void read_ended(const struct soak_sum *sums, const json_t *row, struct held *held)
{
    const char *name = json_string_value(json_object_get(row, "metric"));

    for (int i = 0; i < SOAK_METRICS && name != NULL; i++)
        if (strcmp(name, sums[i].metric) == 0) {
            struct held_metric *metric = &held->metrics[i];
            metric->ended[HELD_SUM] = json_number_value(json_object_get(row, "recycled_sum"));
            metric->ended[HELD_COUNT] = json_number_value(json_object_get(row, "recycled_count"));
            metric->ended_series =
                (uint64_t)json_integer_value(json_object_get(row, "recycled_series"));
        }
}

static bool read_cardinality(const struct soak_options *options, const struct soak_sum *sums,
                             struct held *held)
{
    server_status status;
    json_t *answer = server_json(&options->target, "GET", "/v1/cardinality", &status);
    json_t *rows = json_object_get(answer, "metrics");
    json_t *row;
    size_t i;

    json_array_foreach (rows, i, row)
        read_ended(sums, row, held);
    bool told = status == 200 && json_is_array(rows);
    json_decref(answer);
    return told;
}

bool held_read(const struct soak_options *options, const struct soak_sum *sums, struct held *held)
{
    struct reading reading = {.sums = sums, .held = held};

    *held = (struct held){0};
    return server_lines(&options->target, "/metrics?scope=pushed", read_pushed, &reading) == 200 &&
           read_cardinality(options, sums, held) && held_read_self(options, held);
}
