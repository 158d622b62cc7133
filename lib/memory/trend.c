/* trend.c: see trend.h. */
#include "memory/trend.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define SLOPES_MAX (TREND_BLOCKS * (TREND_BLOCKS - 1) / 2)

/* The normal distribution has 0.5 % above it: 99 % lie between. */
#define NORMAL_995 2.5758293035489004

void trend_init(struct trend *trend, uint32_t warm_up_blocks)
{
    *trend = (struct trend){.lowest = NAN, .warm_up_blocks = warm_up_blocks};
}

void trend_observe(struct trend *trend, double value)
{
    if (isfinite(value) && !(trend->lowest <= value))
        trend->lowest = value;
}

void trend_close_block(struct trend *trend)
{
    if (trend->warm_up_blocks > 0) {
        trend->warm_up_blocks--;
    } else {
        trend->minima[trend->next] = trend->lowest;
        trend->next = (trend->next + 1) % TREND_BLOCKS;
        trend->count += trend->count < TREND_BLOCKS;
    }
    trend->lowest = NAN;
}

double trend_minimum(const struct trend *trend, uint32_t n)
{
    return trend->minima[(trend->next + TREND_BLOCKS - trend->count + n) % TREND_BLOCKS];
}

/* ---- the estimate ---- */

/* The blocks in which something was observed. */
struct points {
    uint32_t count;
    double x[TREND_BLOCKS];
    double y[TREND_BLOCKS];
};

static void points_take(struct points *points, const struct trend *trend)
{
    points->count = 0;
    for (uint32_t n = 0; n < trend->count; n++) {
        double minimum = trend_minimum(trend, n);
        if (isnan(minimum))
            continue;
        points->x[points->count] = n;
        points->y[points->count++] = minimum;
    }
}

/* Shell's sort, with Ciura's gaps: in place, and short; libc's may take memory of its own. */
static void sort(double *values, uint32_t count)
{
    static const uint32_t gaps[] = {132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++) {
        uint32_t gap = gaps[g];
        for (uint32_t i = gap; i < count; i++) {
            double value = values[i];
            uint32_t at = i;
            for (; at >= gap && values[at - gap] > value; at -= gap)
                values[at] = values[at - gap];
            values[at] = value;
        }
    }
}

static double median_of(const double *sorted, uint32_t count)
{
    if (count == 0)
        return NAN;
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* The slopes between any two of the points from `first` up to `end`, sorted. */
static uint32_t slopes_take(double *slopes, const struct points *points, uint32_t first,
                            uint32_t end)
{
    uint32_t count = 0;
    for (uint32_t j = first; j < end; j++) {
        for (uint32_t i = first; i < j; i++)
            slopes[count++] = (points->y[j] - points->y[i]) / (points->x[j] - points->x[i]);
    }
    sort(slopes, count);
    return count;
}

/* 18 times what so many values add to the variance of Kendall's S; or take away, if they tie. */
static double variance_term(double count)
{
    return count * (count - 1) * (2 * count + 5);
}

/* The standard deviation of Kendall's S: of Sen's equation 2.6. */
static double deviation_of(const double *sorted, uint32_t count)
{
    double sum = variance_term(count);
    for (uint32_t i = 0, end = 0; i < count; i = end) {
        while (end < count && sorted[end] == sorted[i])
            end++;
        sum -= variance_term(end - i);
    }
    return sqrt(sum / 18);
}

/* The slopes at both ends of the interval; with few blocks, the first and the last there are. */
static void interval_take(struct trend_estimate *estimate, const double *slopes, uint32_t count,
                          double deviation)
{
    double below = round((count - NORMAL_995 * deviation) / 2) - 1;
    double above = round((count + NORMAL_995 * deviation) / 2);
    estimate->low = slopes[below > 0 ? (uint32_t)below : 0];
    estimate->high = slopes[above < count ? (uint32_t)above : count - 1];
}

/*
 * How far each block is above the one of the same hour a day before, per block, sorted. A pair of
 * which one was not observed is none.
 */
static uint32_t day_rises_take(double *rises, const struct trend *trend)
{
    uint32_t count = 0;
    for (uint32_t n = TREND_DAY_BLOCKS; n < trend->count; n++) {
        double rise = trend_minimum(trend, n) - trend_minimum(trend, n - TREND_DAY_BLOCKS);
        if (!isnan(rise))
            rises[count++] = rise / TREND_DAY_BLOCKS;
    }
    sort(rises, count);
    return count;
}

/* What the halves and the days say, beside the whole. */
static void parts_take(struct trend_estimate *estimate, double *scratch, const struct trend *trend,
                       const struct points *points)
{
    uint32_t half = (points->count + 1) / 2;
    uint32_t count = slopes_take(scratch, points, 0, half);
    estimate->first_half = median_of(scratch, count);
    count = slopes_take(scratch, points, points->count - half, points->count);
    estimate->second_half = median_of(scratch, count);
    count = day_rises_take(scratch, trend);
    estimate->day_pairs = count;
    estimate->day_rise = median_of(scratch, count);
    estimate->day_rise_least = count > 0 ? scratch[0] : NAN;
}

struct trend_estimate trend_estimate_make(const struct trend *trend)
{
    double slopes[SLOPES_MAX];
    struct points points;
    points_take(&points, trend);
    struct trend_estimate estimate = {.blocks = points.count, .low = NAN, .high = NAN};
    parts_take(&estimate, slopes, trend, &points);
    uint32_t count = slopes_take(slopes, &points, 0, points.count);
    estimate.slope = median_of(slopes, count);
    sort(points.y, points.count); /* their order in time is not needed any more */
    estimate.level = median_of(points.y, points.count);
    if (count > 0)
        interval_take(&estimate, slopes, count, deviation_of(points.y, points.count));
    return estimate;
}

/* ---- judgements ---- */

static double threshold_of(const struct trend_estimate *estimate, const struct trend_rule *rule)
{
    return fmax(rule->relative * fabs(estimate->level), rule->absolute);
}

enum trend_shape trend_judge(const struct trend_estimate *estimate, const struct trend_rule *rule)
{
    if (estimate->blocks < TREND_BLOCKS_MIN || estimate->day_pairs < TREND_DAY_PAIRS_MIN)
        return TREND_TOO_EARLY;
    double threshold = threshold_of(estimate, rule);
    bool rises = estimate->low > 0 && estimate->slope > threshold;
    bool halves_agree = estimate->first_half > 0 && estimate->second_half > threshold;
    bool days_agree = estimate->day_rise > threshold;
    return rises && halves_agree && days_agree ? TREND_GROWING : TREND_FLAT;
}

enum trend_shape trend_judge_days(const struct trend_estimate *estimate,
                                  const struct trend_rule *rule)
{
    if (estimate->day_pairs < TREND_DAY_PAIRS_MIN)
        return TREND_TOO_EARLY;
    bool all_rise = estimate->day_rise_least > threshold_of(estimate, rule);
    return all_rise ? TREND_GROWING : TREND_FLAT;
}
