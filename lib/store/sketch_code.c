/* sketch_code.c: see sketch_code.h. */
#include "store/sketch_code.h"

#include "base/ensure.h"

#include <math.h>
#include <string.h>

#define SIGNS EXP_HISTOGRAM_SIGNS

_Static_assert(EXP_HISTOGRAM_BUCKETS_MAX <= UINT8_MAX, "a range's length is a byte");

/* ---- histograms ---- */

enum counts_mode {
    COUNTS_NONE,
    COUNTS_8,     /* a byte for each bucket of the range */
    COUNTS_16,    /* two */
    COUNTS_PAIRS, /* the gap before each bucket in use, and its count */
};

/* The counts of one sign in a row, by rising place; a negative range lies downwards. */
static const uint64_t *counts_of(const struct exp_histogram *h, enum exp_histogram_sign sign)
{
    uint32_t length = h->range[sign].length;
    return sign == EXP_HISTOGRAM_POSITIVE ? h->counts
                                          : h->counts + EXP_HISTOGRAM_BUCKETS_MAX - length;
}

/*
 * How to write the buckets of one sign: what is about the shortest. Which bits any count has says
 * how long the longest is, and vector code finds it.
 */
static enum counts_mode mode_of(const struct exp_histogram *h, enum exp_histogram_sign sign)
{
    const uint64_t *counts = counts_of(h, sign);
    uint32_t length = h->range[sign].length;
    uint64_t bits = 0;
    uint64_t used = 0;
    for (uint32_t k = 0; k < length; k++) {
        bits |= counts[k];
        used += counts[k] != 0;
    }
    size_t flat = bits > UINT16_MAX ? SIZE_MAX : bits > UINT8_MAX ? length * 2 : length;
    if (length == 0)
        return COUNTS_NONE;
    /* Flat ones are added faster, so pairs, of some two bytes, must save something. */
    if (used * 3 < flat)
        return COUNTS_PAIRS;
    return bits > UINT8_MAX ? COUNTS_16 : COUNTS_8;
}

static uint64_t zigzag(int32_t value)
{
    return value >= 0 ? (uint64_t)value * 2 : (uint64_t)(-(int64_t)value) * 2 - 1;
}

static int32_t unzigzag(uint64_t value)
{
    return (value & 1) == 0 ? (int32_t)(value / 2) : (int32_t)(-(int64_t)(value / 2) - 1);
}

static uint8_t *pairs_write(uint8_t *out, const struct exp_histogram *h,
                            enum exp_histogram_sign sign)
{
    uint32_t gap = 0;
    for (uint32_t k = 0; k < h->range[sign].length; k++) {
        uint64_t count = exp_histogram_bucket(h, sign, k);
        if (count == 0) {
            gap++;
            continue;
        }
        out = varint_write(out, gap);
        out = varint_write(out, count);
        gap = 0;
    }
    return out;
}

/* As add_up_8: vector code. */
static void flat_write(uint8_t *restrict out, const uint64_t *restrict counts, uint32_t length)
{
    for (uint32_t k = 0; k < length; k++)
        out[k] = (uint8_t)counts[k];
}

static uint8_t *counts_write(uint8_t *out, const struct exp_histogram *h,
                             enum exp_histogram_sign sign, enum counts_mode mode)
{
    uint32_t length = h->range[sign].length;
    out = varint_write(out, zigzag(h->range[sign].first));
    *out++ = (uint8_t)length;
    if (mode == COUNTS_PAIRS)
        return pairs_write(out, h, sign);
    if (mode == COUNTS_8 && sign == EXP_HISTOGRAM_POSITIVE) {
        flat_write(out, h->counts, length);
        return out + length;
    }
    for (uint32_t k = 0; k < length; k++) {
        uint64_t count = exp_histogram_bucket(h, sign, k);
        *out++ = (uint8_t)count;
        if (mode == COUNTS_16)
            *out++ = (uint8_t)(count >> 8);
    }
    return out;
}

uint8_t *histogram_code_write(uint8_t *out, const struct exp_histogram *h)
{
    enum counts_mode modes[SIGNS];
    for (int sign = 0; sign < SIGNS; sign++)
        modes[sign] = mode_of(h, (enum exp_histogram_sign)sign);
    *out++ = (uint8_t)(int8_t)h->scale;
    *out++ = (uint8_t)(modes[0] | modes[1] << 2);
    out = varint_write(out, h->zero_count);
    for (int sign = 0; sign < SIGNS; sign++) {
        if (modes[sign] != COUNTS_NONE)
            out = counts_write(out, h, (enum exp_histogram_sign)sign, modes[sign]);
    }
    return out;
}

/* What is coded of one sign, not yet looked into. */
struct coded_counts {
    enum counts_mode mode;
    struct exp_histogram_range range;
    const uint8_t *at;
};

static const uint8_t *pairs_end(const uint8_t *at, uint32_t length)
{
    for (uint32_t k = 0; k < length; k++) {
        k += (uint32_t)varint_read(&at);
        varint_read(&at);
    }
    return at;
}

/* Where they end is only told when something stands behind them: pairs must be read to know it. */
static const uint8_t *coded_counts_read(const uint8_t *at, struct coded_counts *counts,
                                        bool is_last)
{
    if (counts->mode == COUNTS_NONE) {
        counts->range = (struct exp_histogram_range){0, 0};
        return at;
    }
    counts->range.first = unzigzag(varint_read(&at));
    counts->range.length = *at++;
    counts->at = at;
    if (is_last)
        return NULL;
    if (counts->mode == COUNTS_PAIRS)
        return pairs_end(at, counts->range.length);
    return at + counts->range.length * (counts->mode == COUNTS_16 ? 2U : 1U);
}

/* Straight lines and restrict, so that they become vector code. */
static uint64_t add_up_8(const uint8_t *restrict at, uint64_t *restrict into, uint32_t length)
{
    uint64_t sum = 0;
    for (uint32_t k = 0; k < length; k++) {
        into[k] += at[k];
        sum += at[k];
    }
    return sum;
}

/* A bucket of the histogram that takes the coded ones, by their place in the coded range. */
struct target {
    struct exp_histogram *into;
    enum exp_histogram_sign sign;
    int32_t first;  /* of the coded range */
    unsigned shift; /* scales that the histogram is coarser */
};

static void target_add(const struct target *target, uint32_t k, uint64_t count)
{
    int32_t index = (int32_t)((target->first + (int64_t)k) >> target->shift);
    uint32_t place = (uint32_t)(index - target->into->range[target->sign].first);
    *exp_histogram_at(target->into, target->sign, place) += count;
}

/* Pairs of any length. */
static uint64_t long_pairs_add(const uint8_t *at, uint64_t *counts, int64_t place, int64_t end,
                               unsigned shift)
{
    uint64_t sum = 0;
    for (; place < end; place++) {
        place += (int64_t)varint_read(&at);
        uint64_t count = varint_read(&at);
        counts[place >> shift] += count;
        sum += count;
    }
    return sum;
}

#define PAIR_LONG UINT32_C(0x80808080) /* a gap or a count of more than a byte, in one of two */

/*
 * What a window's histogram is: pairs of positive values, and nearly all of a byte and a byte,
 * which are read two at a time: half as many looks at bytes, at most one pair too far. The place
 * runs in buckets of the coded scale, counted from the first one of the histogram's.
 */
static uint64_t pairs_add(const uint8_t *at, uint64_t *restrict counts, int64_t place, int64_t end,
                          unsigned shift)
{
    uint64_t sum = 0;
    while (place < end) {
        uint32_t two;
        memcpy(&two, at, sizeof two);
        if ((two & PAIR_LONG) != 0)
            return sum + long_pairs_add(at, counts, place, end, shift);
        at += sizeof two;
        place += two & 0xff;
        counts[place >> shift] += two >> 8 & 0xff;
        sum += two >> 8 & 0xff;
        if (++place >= end)
            break;
        place += two >> 16 & 0xff;
        counts[place >> shift] += two >> 24;
        sum += two >> 24;
        place++;
    }
    return sum;
}

static uint64_t counts_add(const struct coded_counts *counts, const struct target *target)
{
    const uint8_t *at = counts->at;
    uint32_t length = counts->range.length;
    int64_t begin = target->into->range[target->sign].first * (INT64_C(1) << target->shift);
    int64_t place = target->first - begin;
    uint64_t sum = 0;
    if (target->sign == EXP_HISTOGRAM_POSITIVE && counts->mode == COUNTS_PAIRS)
        return pairs_add(at, target->into->counts, place, place + length, target->shift);
    if (target->sign == EXP_HISTOGRAM_POSITIVE && counts->mode == COUNTS_8 && target->shift == 0)
        return add_up_8(at, target->into->counts + place, length);
    for (uint32_t k = 0; k < length; k++) {
        uint64_t count;
        if (counts->mode == COUNTS_PAIRS) {
            k += (uint32_t)varint_read(&at);
            count = varint_read(&at);
        } else {
            count = *at++;
            if (counts->mode == COUNTS_16)
                count |= (uint64_t)*at++ << 8;
        }
        target_add(target, k, count);
        sum += count;
    }
    return sum;
}

/* Some cells on: where a scan goes next, or nowhere. */
#define FAR_AHEAD 512

/*
 * Pairs of positive values alone, for which there are buckets as it is: nearly all that a scan
 * meets. False: else, and nothing was added.
 */
static bool plain_add(const uint8_t *at, struct exp_histogram *into)
{
    int shift = (int8_t)*at++ - into->scale;
    if (shift < 0 || *at++ != COUNTS_PAIRS)
        return false;
    const struct exp_histogram_range *range = &into->range[EXP_HISTOGRAM_POSITIVE];
    uint64_t zeros = varint_read(&at);
    int64_t place = unzigzag(varint_read(&at)) - range->first * (INT64_C(1) << shift);
    int64_t end = place + *at++;
    if (place < 0 || end > (int64_t)range->length << shift)
        return false;
    into->zero_count += zeros;
    into->count += zeros + pairs_add(at, into->counts, place, end, (unsigned)shift);
    return true;
}

void histogram_code_add(const uint8_t *at, struct exp_histogram *into)
{
    __builtin_prefetch(at + FAR_AHEAD);
    if (plain_add(at, into))
        return;
    struct coded_counts counts[SIGNS];
    struct exp_histogram_range ranges[SIGNS];
    int32_t scale = (int8_t)*at++;
    uint8_t modes = *at++;
    uint64_t zeros = varint_read(&at);
    uint64_t sum = zeros;
    for (int sign = 0; sign < SIGNS; sign++) {
        counts[sign].mode = (enum counts_mode)(modes >> sign * 2 & 3);
        at = coded_counts_read(at, &counts[sign], modes >> (sign + 1) * 2 == 0);
        ranges[sign] = counts[sign].range;
    }
    unsigned shift = exp_histogram_fit(into, scale, ranges);
    for (int sign = 0; sign < SIGNS; sign++) {
        if (counts[sign].mode == COUNTS_NONE)
            continue;
        struct target target = {into, (enum exp_histogram_sign)sign, ranges[sign].first, shift};
        sum += counts_add(&counts[sign], &target);
    }
    into->zero_count += zeros;
    into->count += sum;
}

/* ---- sets: the three bytes of each place that hold its four registers ---- */

#define SET_PLACES HYPERLOGLOG_PLANE_BYTES
#define SET_DENSE UINT16_MAX
#define SET_PLACE_BYTES 5 /* of a place in use: two for which, three for what */

static uint32_t places_in_use(const struct hyperloglog *set)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < SET_PLACES; i++)
        used += (set->plane[0][i] | set->plane[1][i] | set->plane[2][i]) != 0;
    return used;
}

static uint8_t *u16_write(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
    return out + 2;
}

static uint32_t u16_read(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

uint8_t *set_code_write(uint8_t *out, const struct hyperloglog *set)
{
    uint32_t used = places_in_use(set);
    if (used * SET_PLACE_BYTES >= sizeof *set) {
        out = u16_write(out, SET_DENSE);
        memcpy(out, set, sizeof *set);
        return out + sizeof *set;
    }
    out = u16_write(out, used);
    for (uint32_t i = 0; i < SET_PLACES; i++) {
        if ((set->plane[0][i] | set->plane[1][i] | set->plane[2][i]) == 0)
            continue;
        out = u16_write(out, i);
        for (int plane = 0; plane < 3; plane++)
            *out++ = set->plane[plane][i];
    }
    return out;
}

void set_code_add(const uint8_t *at, struct hyperloglog *into)
{
    struct hyperloglog set;
    uint32_t used = u16_read(at);
    at += 2;
    if (used == SET_DENSE) {
        memcpy(&set, at, sizeof set);
        hyperloglog_merge(into, &set);
        return;
    }
    hyperloglog_init(&set);
    for (; used > 0; used--, at += SET_PLACE_BYTES) {
        for (int plane = 0; plane < 3; plane++)
            set.plane[plane][u16_read(at)] = at[2 + plane];
    }
    hyperloglog_merge(into, &set);
}

/* ---- classic histograms ---- */

enum classic_flags {
    CLASSIC_BUCKETS = 1, /* it has buckets */
    CLASSIC_BOUNDS = 2,  /* they stand here; else they are those before */
    CLASSIC_WHOLE = 4, /* the counts are whole numbers, each written as what it is above the last */
};

static bool is_whole(double value)
{
    return value >= 0 && value <= 0x1p53 && value == floor(value) && !signbit(value);
}

/* And none falls: so each is the one before, and something. */
static bool counts_are_whole(const struct classic *classic)
{
    double below = 0;
    for (uint32_t i = 0; i < classic->bound_count; i++) {
        if (!is_whole(classic->open[i]) || classic->open[i] < below)
            return false;
        below = classic->open[i];
    }
    return true;
}

static bool has_bounds(const struct bounds *bounds, const struct classic *classic)
{
    return bounds->count == classic->bound_count &&
           memcmp(bounds->at, classic->bounds, bounds->count * sizeof(double)) == 0;
}

static uint8_t *doubles_write(uint8_t *out, const double *values, uint32_t count)
{
    memcpy(out, values, count * sizeof *values);
    return out + count * sizeof *values;
}

static uint8_t *bounds_write(uint8_t *out, const struct classic *classic, struct bounds *bounds)
{
    bounds->count = classic->bound_count;
    memcpy(bounds->at, classic->bounds, bounds->count * sizeof(double));
    *out++ = (uint8_t)bounds->count;
    return doubles_write(out, bounds->at, bounds->count);
}

uint8_t *classic_code_write(uint8_t *out, const struct classic *classic, struct bounds *bounds)
{
    bool same = has_bounds(bounds, classic);
    bool whole = counts_are_whole(classic);
    if (!classic->has_buckets) {
        *out++ = 0;
        return out;
    }
    *out++ = (uint8_t)(CLASSIC_BUCKETS | (same ? 0 : CLASSIC_BOUNDS) | (whole ? CLASSIC_WHOLE : 0));
    if (!same)
        out = bounds_write(out, classic, bounds);
    if (!whole)
        return doubles_write(out, classic->open, classic->bound_count);
    double below = 0;
    for (uint32_t i = 0; i < classic->bound_count; i++) {
        out = varint_write(out, (uint64_t)(classic->open[i] - below));
        below = classic->open[i];
    }
    return out;
}

static const uint8_t *bounds_read(const uint8_t *at, struct bounds *bounds)
{
    bounds->count = *at++;
    ENSURE(bounds->count <= CHILD_BOUNDS_MAX);
    memcpy(bounds->at, at, bounds->count * sizeof(double));
    return at + bounds->count * sizeof(double);
}

void classic_code_read(const uint8_t *at, struct bounds *bounds, struct classic *out)
{
    uint8_t flags = *at++;
    out->has_buckets = (flags & CLASSIC_BUCKETS) != 0;
    out->bound_count = 0;
    if (!out->has_buckets)
        return;
    if ((flags & CLASSIC_BOUNDS) != 0)
        at = bounds_read(at, bounds);
    out->bound_count = bounds->count;
    memcpy(out->bounds, bounds->at, bounds->count * sizeof(double));
    if ((flags & CLASSIC_WHOLE) == 0) {
        memcpy(out->open, at, bounds->count * sizeof(double));
        return;
    }
    uint64_t count = 0;
    for (uint32_t i = 0; i < bounds->count; i++) {
        count += varint_read(&at);
        out->open[i] = (double)count;
    }
}
