/* conservation.c: see conservation.h. */
#include "conservation.h"

#include <string.h>

/* Series may end between the questions of one look: their sums are then met twice or never. */
#define LOOKS_MAX 3

static double pushed_of(const struct soak_sum *sum, enum held_what what)
{
    return what == HELD_SUM ? sum->sum : (double)sum->observations;
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
                            int64_t boundary, bool is_certain)
{
    struct interval interval = {
        .start = conservation->boundary, .end = boundary, .is_certain = is_certain};

    for (int i = 0; i < SOAK_METRICS; i++)
        for (enum held_what what = 0; what < HELD_WHATS; what++) {
            double now = pushed_of(&sums[i], what);
            interval.pushed[i][what] = now - conservation->pushed[i][what];
            conservation->pushed[i][what] = now;
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

/* A push that broke was of one metric, and of values that are not negative. */
static void excuse(struct conservation *conservation, const struct soak_sum *sums,
                   const struct held *held)
{
    for (int i = 0; i < SOAK_METRICS; i++)
        for (enum held_what what = 0; what < HELD_WHATS; what++) {
            double more = difference(conservation, sums, held, i, what);
            if (more > conservation->excused[i][what])
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

static bool samples_are_ok(const struct conservation *conservation,
                           const struct traffic_figures *figures, const struct held *held)
{
    uint64_t accepted = held->accepted_samples - conservation->accepted_before;

    return accepted >= figures->acknowledged_samples &&
           accepted <= figures->acknowledged_samples + figures->uncertain_samples;
}

static json_t *samples_json(const struct conservation *conservation,
                            const struct traffic_figures *figures, const struct held *held)
{
    return json_pack("{s:I, s:I, s:I, s:b}", "acknowledged",
                     (json_int_t)figures->acknowledged_samples, "uncertain",
                     (json_int_t)figures->uncertain_samples, "accepted_by_server",
                     (json_int_t)(held->accepted_samples - conservation->accepted_before), "ok",
                     samples_are_ok(conservation, figures, held));
}

/* ---- all of it ---- */

/* What is held, when nothing ended while it was read; false when there was no answer. */
static bool look(struct conservation *conservation, const struct traffic *traffic, bool is_certain,
                 struct held *held)
{
    const struct soak_sum *sums = traffic_sums(traffic);

    for (int i = 0; i < LOOKS_MAX; i++) {
        if (!held_read(conservation->options, sums, held))
            return false;
        if (totals_are_ok(conservation, sums, held))
            return true;
    }
    if (!is_certain)
        excuse(conservation, sums, held);
    return true;
}

json_t *conservation_judge(struct conservation *conservation, const struct traffic *traffic,
                           int64_t boundary, bool *ok)
{
    const struct soak_sum *sums = traffic_sums(traffic);
    const struct traffic_figures *figures = traffic_figures(traffic);
    bool is_certain = figures->broken == conservation->broken;
    bool history_ok = true;
    struct held held;

    *ok = false;
    conservation->broken = figures->broken;
    if (boundary > 0)
        intervals_go_on(conservation, sums, boundary, is_certain);
    if (!look(conservation, traffic, is_certain, &held))
        return json_null();
    json_t *history =
        intervals_judge(&conservation->intervals, conservation->options, sums, &history_ok);
    *ok = history_ok && totals_are_ok(conservation, sums, &held) &&
          samples_are_ok(conservation, figures, &held);
    return json_pack("{s:f, s:o, s:o, s:o, s:b}", "covers_from", conservation->covers_from,
                     "samples", samples_json(conservation, figures, &held), "totals",
                     totals_json(conservation, sums, &held), "history", history, "ok", *ok);
}
