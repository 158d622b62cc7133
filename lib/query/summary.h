/*
 * summary.h: values by group, and what can be said of each group's: count, sum, mean, standard
 * deviation, least, greatest, quantiles.
 *
 *     key of the by fields ──> table ──> group ──> sum (Neumaier), blocks (Chan), histogram
 *     (summary_key_*)                    group     in order of first appearance
 *                                        …
 *                              full: ──> the overflow group
 *
 * Sum: Neumaier (1974); its error does not grow with the number of values. Mean and variance: the
 * values are taken in blocks of 256, each as its distance from the block's first value, and a full
 * block is merged into the total as Chan, Golub and LeVeque (1979) have it, the total's mean in two
 * doubles. Welford's way (1962) adds (value - mean) / count to the mean, and once the count is
 * large next to the mean's last digit that addition changes nothing: after 10^8 values near 10^9
 * the mean stands still whatever follows. Here it is added once a block, and what is lost of it is
 * kept. The shift is one of the block's own values, so what cancels is at most 256 times what
 * remains.
 *
 * The deviation is that of the population (divided by count), as PromQL's stddev.
 *
 * Groups are pushed on the arena as they come, the table doubles when it is half full: a
 * summary of few groups is small whatever limits.summary_groups says.
 *
 * Owner: the request. Lifetime: request. Threads: one.
 */
#ifndef QUERY_SUMMARY_H
#define QUERY_SUMMARY_H

#include "base/settings.h"
#include "base/status.h"
#include "memory/arena.h"
#include "store/exp_histogram.h"

#define SUMMARY_BY_MAX 16
#define SUMMARY_QUANTILES_MAX 16

struct summary_options {
    struct bytes value; /* name of the field that is summarized */
    uint32_t by_count;
    uint32_t quantile_count;
    struct bytes by[SUMMARY_BY_MAX];         /* names of the fields that make groups */
    double quantiles[SUMMARY_QUANTILES_MAX]; /* each from 0 to 1 */
};

/* A number in two doubles: what the second holds is less than the first can show. */
struct twofold {
    double high;
    double low;
};

/* Moments of the values: those of whole blocks, and the block being filled. */
struct moments {
    uint64_t count; /* of whole blocks */
    struct twofold mean;
    double squares;       /* sum of (value - mean)^2 */
    double shift;         /* the open block's first value */
    double block_sum;     /* of value - shift */
    double block_squares; /* of (value - shift)^2 */
    uint32_t block_count;
};

struct summary_group {
    struct summary_group *next;      /* in order of first appearance */
    struct exp_histogram *histogram; /* NULL when no quantiles are asked */
    uint64_t hash;
    uint64_t count;
    struct twofold sum;
    double min;
    double max;
    struct moments moments;
    uint32_t key_length;
    bool overflow; /* it has no key */
    char key[];    /* for each by field 2 bytes of length, and the text */
};

struct summary {
    const struct summary_options *options;
    const struct settings *settings;
    struct arena *arena;
    uint64_t seed;
    struct summary_group **table; /* table_mask + 1 places, at most half of them taken */
    size_t table_mask;
    uint64_t group_count; /* without the overflow group */
    struct summary_group *first;
    struct summary_group *last;
    struct summary_group *overflow; /* NULL: none yet */
    struct summary_group *recent;   /* of the last value: often the next one's too */
    uint64_t rows;                  /* values taken, in all groups */
    size_t key_length;
    char *key; /* of the row being read */
};

/* False when the arena refused; it says why. What the pointers lead to must outlive the summary. */
bool summary_init(struct summary *summary, const struct summary_options *options,
                  const struct settings *settings, uint64_t seed, struct arena *arena);

/* Begins the key of a row. */
static inline void summary_key_reset(struct summary *summary)
{
    summary->key_length = 0;
}

/*
 * Room for the text of the next by field, of which there are at most `most` bytes; NULL when the
 * row's texts together may be longer than limits.label_set_bytes.
 */
char *summary_key_take(struct summary *summary, size_t most);

/* So many bytes of it were written. */
void summary_key_add(struct summary *summary, size_t length);

/*
 * Adds a finite value to the group of the key. BAD_UTF8 when the key is not UTF-8: the row is to be
 * rejected. REQUEST_TOO_LARGE and BUSY, from the arena, end the request; neither adds anything.
 */
enum status summary_add(struct summary *summary, double value);

/* Walks a key: takes the next by field's text off its front. */
struct bytes summary_key_next(struct bytes *key);

/* ---- what can be said of a group; it has at least one value ---- */

struct summary_figures {
    double sum;
    double mean;
    double deviation;
    double relative_error; /* of the quantiles */
    double quantiles[SUMMARY_QUANTILES_MAX];
};

/*
 * What has left the range of a float64 is NaN or infinite. A quantile lies between min and max, and
 * within relative_error of the value of its rank.
 */
void summary_group_figures(const struct summary *summary, const struct summary_group *group,
                           struct summary_figures *figures);

/* The bound that holds for all groups; 0 when there is none. */
double summary_relative_error(const struct summary *summary);

#endif
