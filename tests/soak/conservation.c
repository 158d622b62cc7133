/* conservation.c: see conservation.h. */
#include "conservation.h"

#include <string.h>

/* Series may end between the questions of one look: their sums are then met twice or never. */
#define LOOKS_MAX 3

static double pushed_of(const struct soak_sum *sum, enum held_what what)
{
    return what == HELD_SUM ? sum->sum : (double)sum->observations;
}

static double uncertain_of(const struct soak_sum *sum, enum held_what what)
{
    return what == HELD_SUM ? sum->uncertain_sum : (double)sum->uncertain_observations;
}

static double total_of(const struct held_metric *metric, enum held_what what)
{
    return metric->live[what] + metric->overflow[what] + metric->ended[what];
}

bool conservation_begin(struct conservation *conservation, const struct soak_options *options,
                        const struct traffic *traffic, int64_t boundary, double at)
{
    struct held held;

    *conservation = (struct conservation){.options = options, .boundary = boundary};
    if (!held_read(options, traffic_sums(traffic), &held))
        return false;
    conservation->covers_from = at;
    conservation->accepted_before = held.accepted_samples;
    for (int i = 0; i < SOAK_METRICS; i++)
        for (enum held_what what = 0; what < HELD_WHATS; what++)
            conservation->before[i][what] = total_of(&held.metrics[i], what);
    return true;
}

/* ---- history ---- */

static void intervals_go_on(struct conservation *conservation, const struct soak_sum *sums,
                            int64_t boundary)
{
    struct interval interval = {.start = conservation->boundary, .end = boundary};

    for (int i = 0; i < SOAK_METRICS; i++)
        for (enum held_what what = 0; what < HELD_WHATS; what++) {
            double pushed = pushed_of(&sums[i], what);
            double uncertain = uncertain_of(&sums[i], what);
            interval.pushed[i][what] = pushed - conservation->pushed[i][what];
            interval.uncertain[i][what] = uncertain - conservation->uncertain_by[i][what];
            conservation->pushed[i][what] = pushed;
            conservation->uncertain_by[i][what] = uncertain;
        }
    if (interval.start > 0 && boundary > interval.start)
        intervals_add(&conservation->intervals, &interval);
    conservation->boundary = boundary;
}

/* ---- totals ---- */

static double difference(const struct conservation *conservation, const struct soak_sum *sums,
                         const struct held *held, int i, enum held_what what)
{
    return total_of(&held->metrics[i], what) - conservation->before[i][what] -
           pushed_of(&sums[i], what);
}

/* What was not answered may be held, all of it at most: values are not negative. */
static void excuse(struct conservation *conservation, const struct soak_sum *sums,
                   const struct held *held)
{
    for (int i = 0; i < SOAK_METRICS; i++)
        for (enum held_what what = 0; what < HELD_WHATS; what++) {
            double more = difference(conservation, sums, held, i, what);
            if (more > conservation->excused[i][what] && more <= uncertain_of(&sums[i], what))
                conservation->excused[i][what] = more;
        }
}

static bool total_is_ok(const struct conservation *conservation, const struct soak_sum *sums,
                        const struct held *held, int i, enum held_what what)
{
    return difference(conservation, sums, held, i, what) == conservation->excused[i][what];
}

static bool totals_are_ok(const struct conservation *conservation, const struct soak_sum *sums,
                          const struct held *held)
{
    bool ok = true;

    for (int i = 0; i < SOAK_METRICS; i++)
        for (enum held_what what = 0; what < HELD_WHATS; what++)
            ok &=
                !held_is_told(sums[i].kind, what) || total_is_ok(conservation, sums, held, i, what);
    return ok;
}

static json_t *total_json(const struct conservation *conservation, const struct soak_sum *sums,
                          const struct held *held, int i, enum held_what what)
{
    const struct held_metric *metric = &held->metrics[i];
    double more = difference(conservation, sums, held, i, what) - conservation->excused[i][what];

    return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:I, s:f, s:f, s:f, s:b}", "metric",
                     sums[i].metric, "what", held_what_names[what], "acknowledged",
                     pushed_of(&sums[i], what), "held", metric->live[what], "overflow",
                     metric->overflow[what], "recycled", metric->ended[what], "recycled_series",
                     (json_int_t)metric->ended_series, "before", conservation->before[i][what],
                     "excused", conservation->excused[i][what], "difference", more, "ok",
                     total_is_ok(conservation, sums, held, i, what));
}

static json_t *totals_json(const struct conservation *conservation, const struct soak_sum *sums,
                           const struct held *held)
{
    json_t *rows = json_array();

    for (int i = 0; i < SOAK_METRICS; i++)
        for (enum held_what what = 0; what < HELD_WHATS; what++)
            if (held_is_told(sums[i].kind, what))
                json_array_append_new(rows, total_json(conservation, sums, held, i, what));
    return rows;
}

/* ---- samples ---- */

/* Nothing is under way at a quiet point: what became of the samples without a reply is settled
 * there, so that only those since the last one are uncertain. */
static json_t *samples_judge(struct conservation *conservation,
                             const struct traffic_figures *figures, const struct held *held,
                             bool *ok)
{
    int64_t accepted = (int64_t)(held->accepted_samples - conservation->accepted_before);
    int64_t settled_before = conservation->settled;
    int64_t uncertain = (int64_t)(figures->uncertain_samples - conservation->uncertain);

    conservation->settled = accepted - (int64_t)figures->acknowledged_samples;
    conservation->uncertain = figures->uncertain_samples;
    int64_t settled = conservation->settled - settled_before;
    bool fine = settled >= 0 && settled <= uncertain;
    *ok &= fine;
    return json_pack("{s:I, s:I, s:I, s:I, s:b}", "acknowledged",
                     (json_int_t)figures->acknowledged_samples, "settled",
                     (json_int_t)settled_before, "uncertain", (json_int_t)uncertain,
                     "accepted_by_server", (json_int_t)accepted, "ok", fine);
}

/* ---- all of it ---- */

/* What is held, when nothing ended while it was read; false when there was no answer. */
static bool look(struct conservation *conservation, const struct traffic *traffic,
                 struct held *held)
{
    const struct soak_sum *sums = traffic_sums(traffic);

    for (int i = 0; i < LOOKS_MAX; i++) {
        if (!held_read(conservation->options, sums, held))
            return false;
        if (totals_are_ok(conservation, sums, held))
            return true;
    }
    excuse(conservation, sums, held);
    return true;
}

json_t *conservation_judge(struct conservation *conservation, const struct traffic *traffic,
                           int64_t boundary, bool *ok)
{
    const struct soak_sum *sums = traffic_sums(traffic);
    const struct traffic_figures *figures = traffic_figures(traffic);
    struct held held;

    *ok = false;
    if (boundary > 0)
        intervals_go_on(conservation, sums, boundary);
    if (!look(conservation, traffic, &held))
        return json_null();
    *ok = totals_are_ok(conservation, sums, &held);
    json_t *history = intervals_judge(&conservation->intervals, conservation->options, sums, ok);
    json_t *samples = samples_judge(conservation, figures, &held, ok);
    return json_pack("{s:f, s:o, s:o, s:o, s:b}", "covers_from", conservation->covers_from,
                     "samples", samples, "totals", totals_json(conservation, sums, &held),
                     "history", history, "ok", *ok);
}
