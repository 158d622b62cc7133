/*
 * held.h: what the service holds of the soak's metrics just now, all series together.
 *
 *     GET /metrics?scope=pushed ──line by line──> sum, count          of the series that live,
 *                                                 and of the overflow series, apart
 *     GET /v1/cardinality ──────────────────────> what recycled and expired series had come to
 *
 * The latter tells the 20 metrics with most series: there must not be more.
 *
 * Threads: one. Memory: a line.
 */
#ifndef SOAK_HELD_H
#define SOAK_HELD_H

#include "options.h"
#include "traffic.h"

enum held_what {
    HELD_SUM,
    HELD_COUNT, /* of values: of what has buckets or is a summary */
    HELD_WHATS,
};

extern const char *const held_what_names[HELD_WHATS];

/* Does the exposition say that of this kind? */
bool held_is_told(enum soak_kind kind, enum held_what what);

struct held_metric {
    double live[HELD_WHATS];     /* series that live */
    double overflow[HELD_WHATS]; /* the overflow series */
    double ended[HELD_WHATS];    /* series that were recycled or have expired */
    uint64_t ended_series;
};

struct held {
    struct held_metric metrics[SOAK_METRICS]; /* in the order of traffic_sums() */
    uint64_t accepted_samples;
    char version[64];
};

/* False when the service did not answer all of it. */
bool held_read(const struct soak_options *options, const struct soak_sum *sums, struct held *held);

/* What the operator listener alone tells: the last two. */
bool held_read_self(const struct soak_options *options, struct held *held);

#endif
