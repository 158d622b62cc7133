/* query_value.c: see query_value.h. */
#include "query/query_value.h"

#include <math.h>

/* Pushes of a child are not what a client counts. */
static double observations(enum kind kind, const struct tally *tally)
{
    return kind_has_children(kind) ? tally->last : (double)tally->count;
}

double classic_quantile(const struct classic *classic, double observed, double q)
{
    double rank = q * observed;
    uint32_t at = 0;
    if (classic->bound_count == 0 || !(observed > 0))
        return NAN;
    while (at < classic->bound_count && classic->open[at] < rank)
        at++;
    if (at == classic->bound_count)
        return classic->bounds[at - 1];
    double high = classic->bounds[at];
    if (at == 0 && high <= 0)
        return high;
    double low = at == 0 ? 0 : classic->bounds[at - 1];
    double below = at == 0 ? 0 : classic->open[at - 1];
    double within = classic->open[at] - below;
    return within > 0 ? low + (high - low) * ((rank - below) / within) : low;
}

static double clamp(double value, double low, double high)
{
    if (value < low)
        return low;
    return value > high ? high : value;
}

static double quantile(const struct query *query, enum kind kind, const struct tally *tally)
{
    if (kind == KIND_CLASSIC)
        return classic_quantile(tally->classic, tally->last, query->quantile);
    if (query->quantile <= 0 || query->quantile >= 1)
        return query->quantile <= 0 ? tally->min : tally->max; /* these are known exactly */
    return clamp(exp_histogram_quantile(tally->histogram, query->quantile), tally->min, tally->max);
}

double query_value(const struct query *query, enum kind kind, const struct tally *tally,
                   double seconds)
{
    switch (query->function) {
    case FUNCTION_SUM:
        return tally->sum;
    case FUNCTION_RATE:
        return (kind == KIND_COUNTER ? tally->sum : observations(kind, tally)) / seconds;
    case FUNCTION_AVG:
        return tally->sum / observations(kind, tally);
    case FUNCTION_MIN:
        return tally->min;
    case FUNCTION_MAX:
        return tally->max;
    case FUNCTION_LAST:
        return tally->last;
    case FUNCTION_COUNT:
        return observations(kind, tally);
    case FUNCTION_UNIQUE:
        return round(hyperloglog_estimate(tally->set));
    case FUNCTION_QUANTILE:
        return quantile(query, kind, tally);
    case FUNCTION_NONE:
        break;
    }
    return NAN;
}
