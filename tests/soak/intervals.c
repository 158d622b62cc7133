/* intervals.c: see intervals.h. */
#include "intervals.h"

#include "server.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIERS 3

/* Since when each tier holds everything, as the service says. */
struct reach {
    int64_t width[TIERS]; /* seconds of a window */
    int64_t from[TIERS];
};

/* Neighbouring intervals, both ends on the tier's boundaries. */
struct span {
    int64_t start;
    int64_t end;
    uint32_t first; /* interval */
    uint32_t count;
    double got; /* to one question */
};

/* The spans of one tier; they stand one behind another in time. */
struct spans {
    int64_t width;
    uint32_t count;
    struct span each[INTERVALS_MAX];
};

struct question {
    const struct soak_options *options;
    const struct soak_sum *sum;
    int metric;
    enum held_what what;
};

/* What the questions of one row came to. */
struct outcome {
    json_int_t points;    /* spans that were compared */
    json_int_t intervals; /* in them */
    json_int_t differing;
    double worst;
    char refused[32];      /* what the service said instead of an answer */
    const struct span *at; /* the first that differed */
    double expected;
    double got;
};

void intervals_add(struct intervals *intervals, const struct interval *interval)
{
    if (intervals->count == INTERVALS_MAX) {
        intervals->first = (intervals->first + 1) % INTERVALS_MAX;
        intervals->count--;
    }
    intervals->ring[(intervals->first + intervals->count) % INTERVALS_MAX] = *interval;
    intervals->count++;
}

static const struct interval *interval_at(const struct intervals *intervals, uint32_t i)
{
    return &intervals->ring[(intervals->first + i) % INTERVALS_MAX];
}

/* ---- spans ---- */

/* Goes on from interval `i`, whose start is aligned, to the first that ends aligned; false when
 * there is none before `until`. */
static bool span_make(const struct intervals *intervals, uint32_t i, int64_t width, int64_t until,
                      struct span *span)
{
    *span = (struct span){.start = interval_at(intervals, i)->start, .first = i};
    for (; i < intervals->count; i++) {
        const struct interval *interval = interval_at(intervals, i);
        if (interval->end > until)
            return false;
        span->count++;
        span->end = interval->end;
        if (interval->end % width == 0)
            return true;
    }
    return false;
}

/* Between what this tier holds and what the finer one does. */
static void spans_make(const struct intervals *intervals, int64_t width, int64_t from,
                       int64_t until, struct spans *spans)
{
    spans->width = width;
    spans->count = 0;
    for (uint32_t i = 0; i < intervals->count;) {
        const struct interval *interval = interval_at(intervals, i);
        struct span *span = &spans->each[spans->count];
        if (interval->start < from || interval->start % width != 0) {
            i++;
            continue;
        }
        if (!span_make(intervals, i, width, until, span))
            return;
        spans->count++;
        i += span->count;
    }
}

/* What the service should answer, at least and at most. */
struct range {
    double least;
    double most;
};

static struct range expected(const struct intervals *intervals, const struct span *span,
                             const struct question *question)
{
    struct range range = {0, 0};

    for (uint32_t i = 0; i < span->count; i++) {
        const struct interval *interval = interval_at(intervals, span->first + i);
        double pushed = interval->pushed[question->metric][question->what];
        range.least += pushed;
        range.most += pushed + interval->uncertain[question->metric][question->what];
    }
    return range;
}

/* ---- asking ---- */

static bool reach_read(const struct soak_options *options, struct reach *reach)
{
    static const char *const names[TIERS] = {"windows.fine", "windows.middle", "windows.coarse"};
    server_status status;
    json_t *config = server_json(&options->target, "GET", "/v1/config", &status);
    json_t *memory = server_memory(&options->operator);
    double now = json_number_value(json_object_get(memory, "now"));
    bool all = config != NULL && now > 0;

    for (int i = 0; i < TIERS; i++) {
        json_t *setting = json_object_get(json_object_get(config, "settings"), names[i]);
        json_t *tier = json_array_get(json_object_get(memory, "windows"), (size_t)i);
        double held = json_number_value(json_object_get(tier, "retention_seconds"));
        reach->width[i] = (int64_t)json_number_value(json_object_get(setting, "value"));
        reach->from[i] = (int64_t)ceil(now - held - 0.0005); /* both are in milliseconds */
        all = all && tier != NULL && reach->width[i] > 0;
    }
    json_decref(memory);
    json_decref(config);
    return all;
}

static void add_points(struct spans *spans, json_t *points)
{
    uint32_t at = 0;
    json_t *point;
    size_t i;

    json_array_foreach (points, i, point) {
        double time = json_number_value(json_array_get(point, 0));
        while (at < spans->count && time >= (double)spans->each[at].end)
            at++;
        if (at < spans->count && time >= (double)spans->each[at].start)
            spans->each[at].got += json_number_value(json_array_get(point, 1));
    }
}

static void refuse(struct outcome *outcome, const char *why)
{
    if (outcome->refused[0] == '\0')
        snprintf(outcome->refused, sizeof outcome->refused, "%s", why);
}

/* The answer's points, by span; false when there was no such answer. */
static bool ask(const struct question *question, struct spans *spans, struct outcome *outcome)
{
    char target[512];
    server_status status;
    snprintf(target, sizeof target, "/v1/query?metric=%s&fn=%s&from=%lld&to=%lld.999&step=%llds",
             question->sum->metric, held_what_names[question->what],
             (long long)spans->each[0].start, (long long)spans->each[spans->count - 1].end - 1,
             (long long)spans->width);
    json_t *answer = server_json(&question->options->target, "GET", target, &status);
    json_t *row = json_array_get(json_object_get(answer, "series"), 0);
    const char *code = json_string_value(json_object_get(json_object_get(answer, "error"), "code"));
    bool fits = json_number_value(json_object_get(answer, "step")) == (double)spans->width;

    if (status != 200)
        refuse(outcome, code != NULL ? code : "no_answer");
    else if (fits)
        add_points(spans, json_object_get(row, "points"));
    json_decref(answer);
    return status == 200 && fits;
}

/* ---- judging ---- */

static void compare(const struct intervals *intervals, const struct question *question,
                    const struct span *span, struct outcome *outcome)
{
    struct range range = expected(intervals, span, question);

    outcome->points++;
    outcome->intervals += span->count;
    if (span->got >= range.least && span->got <= range.most)
        return;
    if (outcome->differing++ == 0) {
        outcome->at = span;
        outcome->expected = range.least;
        outcome->got = span->got;
    }
    outcome->worst = fmax(outcome->worst, fmax(range.least - span->got, span->got - range.most));
}

static void judge_tier(const struct intervals *intervals, const struct question *question,
                       struct spans *spans, struct outcome *outcome)
{
    if (spans->count == 0)
        return;
    for (uint32_t i = 0; i < spans->count; i++)
        spans->each[i].got = 0;
    /* A window that was folded meanwhile makes the step longer: then the next look has it. */
    if (!ask(question, spans, outcome))
        return;
    for (uint32_t i = 0; i < spans->count; i++)
        compare(intervals, question, &spans->each[i], outcome);
}

static json_t *first_json(const struct outcome *outcome)
{
    if (outcome->at == NULL)
        return json_null();
    return json_pack("{s:I, s:I, s:f, s:f}", "from", (json_int_t)outcome->at->start, "to",
                     (json_int_t)outcome->at->end, "expected", outcome->expected, "got",
                     outcome->got);
}

static json_t *judge(const struct intervals *intervals, const struct question *question,
                     struct spans tiers[static TIERS], bool *ok)
{
    struct outcome outcome = {0};

    for (int tier = 0; tier < TIERS; tier++)
        judge_tier(intervals, question, &tiers[tier], &outcome);
    bool fine = outcome.differing == 0 && outcome.refused[0] == '\0';
    *ok &= fine;
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:f, s:o, s:o, s:b}", "metric", question->sum->metric, "fn",
        held_what_names[question->what], "points", outcome.points, "left_out",
        (json_int_t)intervals->count - outcome.intervals, "differing", outcome.differing, "worst",
        outcome.worst, "first", first_json(&outcome), "refused",
        outcome.refused[0] == '\0' ? json_null() : json_string(outcome.refused), "ok", fine);
}

static bool is_asked(enum soak_kind kind, enum held_what what)
{
    return what == HELD_COUNT || (kind != SOAK_GAUGE && kind != SOAK_SET);
}

static json_t *judge_all(const struct intervals *intervals, const struct soak_options *options,
                         const struct soak_sum *sums, struct spans tiers[static TIERS], bool *ok)
{
    json_t *rows = json_array();

    for (int i = 0; i < SOAK_METRICS; i++)
        for (enum held_what what = 0; what < HELD_WHATS; what++) {
            struct question question = {options, &sums[i], i, what};
            if (is_asked(sums[i].kind, what))
                json_array_append_new(rows, judge(intervals, &question, tiers, ok));
        }
    return rows;
}

json_t *intervals_judge(const struct intervals *intervals, const struct soak_options *options,
                        const struct soak_sum *sums, bool *ok)
{
    struct reach reach;
    struct spans *tiers = calloc(TIERS, sizeof *tiers);
    int64_t until = INT64_MAX;

    if (tiers == NULL || !reach_read(options, &reach)) {
        free(tiers);
        *ok = false;
        return json_array();
    }
    for (int i = 0; i < TIERS; i++) {
        spans_make(intervals, reach.width[i], reach.from[i], until, &tiers[i]);
        if (tiers[i].count > 0)
            until = tiers[i].each[0].start;
    }
    json_t *rows = judge_all(intervals, options, sums, tiers, ok);
    free(tiers);
    return rows;
}
