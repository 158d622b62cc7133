#include "store/exp_histogram.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    BUCKETS_MAX = EXP_HISTOGRAM_BUCKETS_MAX,
    SCALE_MAX = EXP_HISTOGRAM_SCALE_MAX,
    SCALE_MIN = EXP_HISTOGRAM_SCALE_MIN,
    POSITIVE = EXP_HISTOGRAM_POSITIVE,
    NEGATIVE = EXP_HISTOGRAM_NEGATIVE,
    SIGNS = EXP_HISTOGRAM_SIGNS,
    OCTAVE = 1 << SCALE_MAX, /* buckets from 2^e to 2^(e+1) at the finest scale */
    EXPONENT_MIN = -1074,    /* of the smallest subnormal double */
    EXPONENT_MAX = 1023
};

static_assert((-3 >> 1) == -2, "halving an index must round down: >> must be arithmetic");
static_assert(DBL_MANT_DIG == 53 && DBL_MAX_EXP == EXPONENT_MAX + 1, "double must be binary64");
static_assert(EXPONENT_MIN * (int64_t)OCTAVE - 1 >= INT32_MIN, "the smallest index must fit");
static_assert((EXPONENT_MAX + 1) * (int64_t)OCTAVE - 1 <= INT32_MAX, "and the largest");
static_assert(2 * ((EXPONENT_MAX >> 5) - ((EXPONENT_MIN - 1) >> 5) + 1) <= BUCKETS_MAX,
              "at scale -5 all finite values of both signs must fit: downscaling ends");

/* ---- values to indices ---- */

/*
 * The bucket of a significand in [1, 2) within its octave at scale 20: the j for which
 * 2^(j/OCTAVE) < significand <= 2^((j+1)/OCTAVE); -1 for 1.0, which belongs to the octave below.
 *
 * Neighbouring doubles are 2^-32 of a bucket apart and log2 errs by as much, so next to a bound it
 * may name the wrong side. Within 2^-20 of one, for one value in half a million, the bound itself
 * decides; elsewhere even a libm wrong by 2,000 units in the last place would do.
 */
static int32_t index_in_octave(double significand)
{
    const double margin = 0x1p-20;
    double position = log2(significand) * OCTAVE;
    int32_t below = (int32_t)position;
    double past = position - below;
    if (past > margin && past < 1 - margin) {
        return below;
    }
    int32_t bound = past < 0.5 ? below : below + 1; /* the nearest one */
    return significand > exp2((double)bound / OCTAVE) ? bound : bound - 1;
}

/*
 * The bucket of a magnitude > 0. An index at a coarser scale is that at scale 20 shifted, never
 * computed anew: so observing at scale 3 and downscaling to 3 agree to the last value. From scale 0
 * down the exponent says it all.
 */
static int32_t index_of(double magnitude, int32_t scale)
{
    const uint64_t fraction_mask = (UINT64_C(1) << 52) - 1;
    const uint64_t exponent_of_one = UINT64_C(1023) << 52;
    int32_t exponent = -1023;
    if (magnitude < DBL_MIN) {
        magnitude *= 0x1p54; /* a subnormal has no leading bit to hide */
        exponent -= 54;
    }
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof(bits));
    exponent += (int32_t)(bits >> 52);
    if (scale <= 0) {
        return (exponent - ((bits & fraction_mask) == 0)) >> -scale;
    }
    bits = (bits & fraction_mask) | exponent_of_one;
    double significand;
    memcpy(&significand, &bits, sizeof(significand));
    return (exponent * OCTAVE + index_in_octave(significand)) >> (SCALE_MAX - scale);
}

/* ---- ranges ---- */

/* Where counts[] keeps bucket first + k: positive ones from the front, negative from the back. */
static uint32_t slot_of(int sign, uint32_t k)
{
    return sign == POSITIVE ? k : BUCKETS_MAX - 1 - k;
}

/* The range that covers both. It may be wider than the array, and its end beyond 31 bits: at scale
 * 20 two doubles can be 2.2e9 buckets apart. */
static struct exp_histogram_range range_join(struct exp_histogram_range a,
                                             struct exp_histogram_range b)
{
    if (a.length == 0 || b.length == 0) {
        return a.length == 0 ? b : a;
    }
    int64_t a_end = (int64_t)a.first + a.length;
    int64_t b_end = (int64_t)b.first + b.length;
    int32_t first = a.first < b.first ? a.first : b.first;
    return (struct exp_histogram_range){first, (uint32_t)((a_end > b_end ? a_end : b_end) - first)};
}

/* A range as it is `steps` scales coarser. */
static struct exp_histogram_range range_coarser(struct exp_histogram_range range, unsigned steps)
{
    if (range.length == 0) {
        return range;
    }
    int32_t first = range.first >> steps;
    int64_t last = ((int64_t)range.first + range.length - 1) >> steps;
    return (struct exp_histogram_range){first, (uint32_t)(last - first + 1)};
}

/* How many scales coarser both ranges fit together. Ends, since at scale -5 everything fits. */
static unsigned steps_to_fit(const struct exp_histogram_range wanted[SIGNS])
{
    for (unsigned steps = 0;; steps++) {
        uint64_t length = range_coarser(wanted[POSITIVE], steps).length;
        length += range_coarser(wanted[NEGATIVE], steps).length;
        if (length <= BUCKETS_MAX) {
            return steps;
        }
        ENSURE(steps < SCALE_MAX - SCALE_MIN);
    }
}

/* In place: a bucket moves to a place not above its own, whose count has moved before. */
static void fold_range(struct exp_histogram *h, int sign, unsigned steps)
{
    const struct exp_histogram_range before = h->range[sign];
    h->range[sign] = range_coarser(before, steps);
    for (uint32_t k = 0; k < before.length; k++) {
        uint64_t moved = h->counts[slot_of(sign, k)];
        h->counts[slot_of(sign, k)] = 0;
        int32_t index = (before.first + (int32_t)k) >> steps;
        h->counts[slot_of(sign, (uint32_t)(index - h->range[sign].first))] += moved;
    }
}

static void downscale(struct exp_histogram *h, unsigned steps)
{
    ENSURE(h->scale - (int32_t)steps >= SCALE_MIN);
    if (steps == 0) {
        return;
    }
    fold_range(h, POSITIVE, steps);
    fold_range(h, NEGATIVE, steps);
    h->scale -= (int32_t)steps;
}

/* Widens a range to one that covers it. Upwards the new buckets are free ones, zero already;
 * downwards the old ones move away from their end of the array: at most 1.2 KiB, and only for a new
 * smallest magnitude. */
static void widen_range(struct exp_histogram *h, int sign, struct exp_histogram_range wanted)
{
    const struct exp_histogram_range before = h->range[sign];
    h->range[sign] = wanted;
    if (before.length == 0 || wanted.first == before.first) {
        return;
    }
    ENSURE(wanted.first < before.first);
    size_t shift = (size_t)(before.first - wanted.first);
    uint64_t *from = sign == POSITIVE ? h->counts : h->counts + BUCKETS_MAX - before.length;
    uint64_t *to = sign == POSITIVE ? from + shift : from - shift;
    uint64_t *vacated = sign == POSITIVE ? from : h->counts + BUCKETS_MAX - shift;
    memmove(to, from, before.length * sizeof(*from));
    memset(vacated, 0, shift * sizeof(*vacated));
}

/* Widens both ranges to those wanted, which cover them; at a coarser scale if it must be. Returns
 * by how many steps. */
static unsigned reshape(struct exp_histogram *h, const struct exp_histogram_range wanted[SIGNS])
{
    unsigned steps = steps_to_fit(wanted);
    downscale(h, steps);
    for (int sign = POSITIVE; sign < SIGNS; sign++) {
        widen_range(h, sign, range_coarser(wanted[sign], steps));
    }
    return steps;
}

/* ---- verbs ---- */

void exp_histogram_init(struct exp_histogram *h)
{
    memset(h, 0, sizeof(*h));
    h->scale = SCALE_MAX;
}

/* Makes room for a bucket outside its range. */
static unsigned admit(struct exp_histogram *h, int sign, int32_t index)
{
    struct exp_histogram_range wanted[SIGNS] = {h->range[POSITIVE], h->range[NEGATIVE]};
    wanted[sign] = range_join(wanted[sign], (struct exp_histogram_range){index, 1});
    return reshape(h, wanted);
}

unsigned exp_histogram_observe(struct exp_histogram *h, double value)
{
    ENSURE(isfinite(value));
    ENSURE(h->count < UINT64_MAX);
    h->count++;
    if (value == 0) {
        h->zero_count++;
        return 0;
    }
    int sign = value > 0 ? POSITIVE : NEGATIVE;
    const struct exp_histogram_range *range = &h->range[sign];
    int32_t index = index_of(fabs(value), h->scale);
    unsigned steps = 0;
    if ((uint64_t)((int64_t)index - range->first) >= range->length) {
        steps = admit(h, sign, index);
        index >>= steps;
    }
    h->counts[slot_of(sign, (uint32_t)(index - range->first))]++;
    return steps;
}

static void add_range(struct exp_histogram *into, const struct exp_histogram *from, int sign)
{
    int32_t steps = from->scale - into->scale;
    ENSURE(steps >= 0);
    for (uint32_t k = 0; k < from->range[sign].length; k++) {
        int32_t index = (from->range[sign].first + (int32_t)k) >> steps;
        uint32_t place = (uint32_t)(index - into->range[sign].first);
        into->counts[slot_of(sign, place)] += from->counts[slot_of(sign, k)];
    }
}

static bool covers(const struct exp_histogram_range *range, struct exp_histogram_range wanted)
{
    return wanted.length == 0 ||
           (range->length > 0 && wanted.first >= range->first &&
            (int64_t)wanted.first + wanted.length <= (int64_t)range->first + range->length);
}

unsigned exp_histogram_fit(struct exp_histogram *h, int32_t scale,
                           const struct exp_histogram_range ranges[SIGNS])
{
    if (scale < h->scale) {
        downscale(h, (unsigned)(h->scale - scale));
    }
    unsigned finer = scale > h->scale ? (unsigned)(scale - h->scale) : 0;
    struct exp_histogram_range wanted[SIGNS];
    bool covered = true;
    for (int sign = POSITIVE; sign < SIGNS; sign++) {
        wanted[sign] = range_coarser(ranges[sign], finer);
        covered = covered && covers(&h->range[sign], wanted[sign]);
    }
    if (covered) {
        return finer;
    }
    for (int sign = POSITIVE; sign < SIGNS; sign++) {
        wanted[sign] = range_join(h->range[sign], wanted[sign]);
    }
    return finer + reshape(h, wanted);
}

unsigned exp_histogram_merge(struct exp_histogram *into, const struct exp_histogram *from)
{
    ENSURE(into != from);
    ENSURE(into->count <= UINT64_MAX - from->count);
    int32_t common = into->scale < from->scale ? into->scale : from->scale;
    unsigned into_steps = (unsigned)(into->scale - common);
    unsigned from_steps = (unsigned)(from->scale - common);
    downscale(into, into_steps);
    struct exp_histogram_range wanted[SIGNS];
    for (int sign = POSITIVE; sign < SIGNS; sign++) {
        wanted[sign] = range_join(into->range[sign], range_coarser(from->range[sign], from_steps));
    }
    unsigned steps = into_steps + reshape(into, wanted);
    add_range(into, from, POSITIVE);
    add_range(into, from, NEGATIVE);
    into->count += from->count;
    into->zero_count += from->zero_count;
    return steps;
}

/* ---- questions ---- */

/* Values of one sign whose bucket has an index <= last. */
static uint64_t count_to(const struct exp_histogram *h, int sign, int32_t last)
{
    const struct exp_histogram_range *range = &h->range[sign];
    uint64_t sum = 0;
    for (uint32_t k = 0; k < range->length && range->first + (int32_t)k <= last; k++) {
        sum += h->counts[slot_of(sign, k)];
    }
    return sum;
}

uint64_t exp_histogram_cumulative(const struct exp_histogram *h, double bound)
{
    ENSURE(isfinite(bound));
    uint64_t negative = count_to(h, NEGATIVE, INT32_MAX);
    if (bound < 0) {
        return negative - count_to(h, NEGATIVE, index_of(-bound, h->scale) - 1);
    }
    uint64_t sum = negative + h->zero_count;
    return bound == 0 ? sum : sum + count_to(h, POSITIVE, index_of(bound, h->scale));
}

/* The value of a rank, counted from 1 at the smallest magnitude of its sign. */
static double magnitude_at(const struct exp_histogram *h, int sign, uint64_t rank)
{
    ENSURE(rank > 0);
    uint32_t k = 0;
    while (rank > exp_histogram_bucket(h, (enum exp_histogram_sign)sign, k)) {
        rank -= exp_histogram_bucket(h, (enum exp_histogram_sign)sign, k);
        k++;
    }
    double share = ((double)rank - 0.5) / (double)h->counts[slot_of(sign, k)];
    double magnitude = exp2(ldexp(h->range[sign].first + (double)k + share, -h->scale));
    /* The outermost buckets reach beyond what a double can be; no value does. */
    return fmax(DBL_TRUE_MIN, fmin(DBL_MAX, magnitude));
}

double exp_histogram_quantile(const struct exp_histogram *h, double q)
{
    ENSURE(q >= 0 && q <= 1);
    if (h->count == 0) {
        return NAN;
    }
    double wanted = ceil(q * (double)h->count);
    uint64_t rank = h->count;
    if (wanted < (double)h->count) {
        rank = wanted < 1 ? 1 : (uint64_t)wanted;
    }
    uint64_t negative = count_to(h, NEGATIVE, INT32_MAX);
    if (rank <= negative) {
        return -magnitude_at(h, NEGATIVE, negative - rank + 1);
    }
    rank -= negative;
    return rank <= h->zero_count ? 0 : magnitude_at(h, POSITIVE, rank - h->zero_count);
}

double exp_histogram_relative_error(const struct exp_histogram *h)
{
    return exp2(ldexp(1, -h->scale)) - 1;
}

static void verify_range(const struct exp_histogram *h, int sign)
{
    const struct exp_histogram_range *range = &h->range[sign];
    if (range->length == 0) {
        ENSURE(range->first == 0);
        return;
    }
    ENSURE(range->first >= index_of(DBL_TRUE_MIN, h->scale));
    ENSURE(range->first + (int64_t)range->length - 1 <= index_of(DBL_MAX, h->scale));
    ENSURE(h->counts[slot_of(sign, 0)] > 0);
    ENSURE(h->counts[slot_of(sign, range->length - 1)] > 0);
}

void exp_histogram_verify(const struct exp_histogram *h)
{
    ENSURE(h->scale >= SCALE_MIN && h->scale <= SCALE_MAX);
    uint32_t positive = h->range[POSITIVE].length;
    uint32_t negative = h->range[NEGATIVE].length;
    ENSURE(positive <= BUCKETS_MAX);
    ENSURE(negative <= BUCKETS_MAX - positive);
    ENSURE(positive + negative > 0 || h->scale == SCALE_MAX);
    verify_range(h, POSITIVE);
    verify_range(h, NEGATIVE);
    uint64_t sum = h->zero_count;
    for (uint32_t slot = 0; slot < BUCKETS_MAX; slot++) {
        sum += h->counts[slot];
        ENSURE(slot < positive || slot >= BUCKETS_MAX - negative || h->counts[slot] == 0);
    }
    ENSURE(sum == h->count);
}
