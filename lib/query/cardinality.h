/*
 * cardinality.h: where the series are: by label name and by metric.
 *
 *     sweep over series ──> each label name ──> | name | series | error |   fixed, found by hash
 *     then over families ──> the 20 with most series
 *
 * As long as there are no more different label names than the table holds, its counts are exact.
 * Beyond, a new name takes the place of the least: Space-Saving (Metwally, Agrawal, El Abbadi,
 * "Efficient computation of frequent and top-k elements in data streams", ICDT 2005). A count is
 * then too high by at most its `error`, never too low, and every name on more than
 * 1/CARDINALITY_LABELS of all labels is in the table.
 *
 * The totals beside are those of the moment the walk ends; the counts are spread over its slices.
 *
 * Owner:    the request; in its arena, names copied. Once done it can be read without the lock.
 * Lifetime: request. Threads: one, each step under the engine's lock.
 */
#ifndef QUERY_CARDINALITY_H
#define QUERY_CARDINALITY_H

#include "memory/arena.h"
#include "query/sweep.h"

/*
 * Each costs limits.label_name_bytes and 40 bytes of the request's arena, index included: 43 kB as
 * shipped.
 */
#define CARDINALITY_LABELS 256
#define CARDINALITY_BUCKETS 512

/* How many of each are reported. */
#define CARDINALITY_TOP 20

struct label_count {
    char *name;
    uint32_t name_length;
    uint32_t next; /* in its bucket */
    uint64_t series;
    uint64_t error; /* of `series`, how many may be of other names */
};

struct family_count {
    char *name;
    uint32_t name_length;
    uint32_t series;
    enum kind kind;
    uint64_t overflowed;
    uint64_t lost_bounds;
    uint64_t recycled;
    double recycled_sum;
    double recycled_count;
};

struct cardinality {
    struct sweep sweep;
    uint32_t next_family;
    bool done;
    bool approximate; /* there were more label names than the table holds */
    char *text;
    size_t label_name_max;
    uint64_t series; /* without overflow series; never more than series_max */
    uint64_t series_max;
    uint64_t overflowed_samples;
    uint64_t lost_bounds; /* of classic histograms, those of ended metrics included */
    uint64_t recycled_series;
    uint64_t expired_series;
    uint64_t
        ended_series; /* recycled or expired ones of metrics that ended with their last series */
    double ended_sum; /* and what they, and the overflow series of those metrics, had come to */
    double ended_count;
    uint64_t deleted_series;
    uint32_t family_count;
    struct family_count families[CARDINALITY_TOP + 1]; /* most series first; one spare */
    uint32_t label_count;
    uint32_t label_hand;  /* where the search for the least goes on */
    uint64_t label_least; /* no count is less, while the table is full */
    uint32_t buckets[CARDINALITY_BUCKETS];
    struct label_count labels[CARDINALITY_LABELS]; /* done: the first CARDINALITY_TOP in order */
};

/* What cardinality_make takes from the arena. */
size_t cardinality_bytes(const struct settings *settings);

/* NULL when the arena refused; it says why. */
struct cardinality *cardinality_make(const struct settings *settings, struct arena *arena);

/* Looks at one slice (SWEEP_SLICE). True when all is counted. */
bool cardinality_step(struct cardinality *cardinality, const struct store *store, uint32_t slice);

#endif
