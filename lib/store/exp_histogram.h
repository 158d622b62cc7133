/*
 * exp_histogram.h: how values are distributed, in a fixed 1.3 KiB, whatever the values.
 *
 * Base-2 exponential histogram of OpenTelemetry (metrics data model, "ExponentialHistogram"): at
 * scale s a bucket with index i counts the magnitudes in (base^i, base^(i+1)], base = 2^(2^-s).
 * Scale 20 tells values apart that differ by 7e-7; when the buckets do not suffice the scale falls,
 * and each step merges two neighbours into one. Half the resolution is lost then, never a count.
 *
 *   counts[0]                                                                      counts[159]
 *    | first, first + 1, .. positive > |  free, all zero  | < negative .., first + 1, first |
 *
 * Both signs share one array and grow towards each other, so that the worst case is one fixed size;
 * a bucket of a negative value is that of its magnitude. Zero has a counter of its own.
 *
 * The state depends on the values alone, not on their order or on who merged what: the scale is the
 * finest at which they fit, and each range begins and ends with a bucket in use. So the same values
 * make the same bytes.
 *
 * A bucket's bounds are doubles: the powers of two exactly, those between as libm's exp2 gives
 * them, always those of scale 20. A value is compared with these, so the same value is in the same
 * bucket on every path and at every scale.
 *
 * Owner:    whoever embeds it: a slot of the histogram pool, or an arena for the sum of a query.
 * Lifetime: its owner's; it points nowhere, may be copied, and ends without a verb.
 * Threads:  one at a time.
 * Fields:   read-only to others; an encoder of cells reads range, scale, zero_count and
 *           exp_histogram_bucket().
 */
#ifndef STORE_EXP_HISTOGRAM_H
#define STORE_EXP_HISTOGRAM_H

#include "base/ensure.h"

#include <stdint.h>

/* Both signs together; OpenTelemetry's default (for one sign). Values of one sign may differ by
 * nearly 1 : 10^3 at scale 4, 1 : 10^6 at 3, 1 : 10^12 at 2. Each more costs 8 bytes in every
 * histogram slot. */
#define EXP_HISTOGRAM_BUCKETS_MAX 160

/* The specification's limits. Scale -5 is the lowest that values can force here: 66 buckets hold
 * every finite magnitude then, and both signs fit. Below -1 see exp_histogram_cumulative(). */
#define EXP_HISTOGRAM_SCALE_MAX 20
#define EXP_HISTOGRAM_SCALE_MIN (-10)

enum exp_histogram_sign { EXP_HISTOGRAM_POSITIVE, EXP_HISTOGRAM_NEGATIVE, EXP_HISTOGRAM_SIGNS };

/* Buckets of one sign: indices first .. first + length - 1. At scale 20 an index needs 31 bits and
 * its sign. */
struct exp_histogram_range {
    int32_t first; /* 0 when length is 0 */
    uint32_t length;
};

struct exp_histogram {
    uint64_t count; /* all values: zeros and the sum of counts */
    uint64_t zero_count;
    struct exp_histogram_range range[EXP_HISTOGRAM_SIGNS];
    int32_t scale; /* SCALE_MAX as long as there are no values but zero */
    uint64_t counts[EXP_HISTOGRAM_BUCKETS_MAX];
};

void exp_histogram_init(struct exp_histogram *h);

/* Counts a finite value (ENSUREd: what clients may send was decided before). Returns by how many
 * steps the scale fell; nearly always 0, at most 25 over the life of a histogram. */
unsigned exp_histogram_observe(struct exp_histogram *h, double value);

/* Adds all that `from` counted; `into` is then what it would be had it observed those values
 * itself. Returns by how many steps the scale of `into` fell. The counts together must stay below
 * 2^64 (ENSUREd). */
unsigned exp_histogram_merge(struct exp_histogram *into, const struct exp_histogram *from);

static inline uint64_t exp_histogram_count(const struct exp_histogram *h)
{
    return h->count;
}

/* How many values are in bucket range[sign].first + k; k < range[sign].length. */
static inline uint64_t exp_histogram_bucket(const struct exp_histogram *h,
                                            enum exp_histogram_sign sign, uint32_t k)
{
    ENSURE(k < h->range[sign].length);
    return h->counts[sign == EXP_HISTOGRAM_POSITIVE ? k : EXP_HISTOGRAM_BUCKETS_MAX - 1 - k];
}

/* The place of that bucket's count. A positive range lies upwards from it, a negative downwards. */
static inline uint64_t *exp_histogram_at(struct exp_histogram *h, enum exp_histogram_sign sign,
                                         uint32_t k)
{
    return &h->counts[sign == EXP_HISTOGRAM_POSITIVE ? k : EXP_HISTOGRAM_BUCKETS_MAX - 1 - k];
}

/*
 * Makes room for buckets of that scale and these ranges, to be added at exp_histogram_at by who has
 * them coded; count and zero_count are theirs to raise too. Returns by how many scales the buckets
 * are finer than `h` now is: their index >> that is the index here.
 */
unsigned exp_histogram_fit(struct exp_histogram *h, int32_t scale,
                           const struct exp_histogram_range ranges[EXP_HISTOGRAM_SIGNS]);

/*
 * How many values are <= bound (finite). The bucket that holds the bound counts whole, so:
 *   exact       when the bound is 0 or the upper bound of a bucket: a power of two at scale >= 0, a
 *               power of four at scale >= -1;
 *   otherwise   never too few, and too many by at most what is in that bucket. So it is for powers
 *               of four below scale -1 (magnitudes at least 2^318 apart, both signs' spans added),
 *               and for negative bounds, where buckets are closed at the wrong end.
 * It grows with the bound and never falls while values arrive: a downscale, too, only raises it, so
 * a counter made of it shows rate() no reset. At DBL_MAX it is exp_histogram_count().
 */
uint64_t exp_histogram_cumulative(const struct exp_histogram *h, double bound);

/*
 * The value below which a share q (0 .. 1) of the values lies; NaN when there are none. It is that
 * of rank ceil(q * count); within its bucket values are taken to lie evenly on the logarithmic
 * scale (as Prometheus does for native histograms), each in the middle of its share. The true value
 * of that rank is in the same bucket, so the result is within exp_histogram_relative_error() of it,
 * apart from rounding to a subnormal double. A caller that knows the smallest and the largest value
 * may clamp the result to them.
 */
double exp_histogram_quantile(const struct exp_histogram *h, double q);

/*
 * The bound that holds for exp_histogram_quantile(), relative to the true value: base - 1, a
 * bucket's width. It is met when many equal values sit at one end of a wide bucket; smooth data
 * come far closer. (The (base - 1) / (base + 1) often quoted is half of it and holds for a bucket's
 * middle only; interpolation does better than the middle on smooth data and worse at worst.)
 */
double exp_histogram_relative_error(const struct exp_histogram *h);

/* Walks all buckets and ENSUREs what the picture above says. */
void exp_histogram_verify(const struct exp_histogram *h);

#endif
