/*
 * classic.h: a histogram that is pushed as buckets, as one thing.
 *
 *     bounds   0.1    0.5     1      (+Inf is the series' own count of observations)
 *     totals    3      7      9      since the series began, cumulative: <= bound
 *     open      0      2      2      of the open window
 *
 * Children pushed with the same bounds add up. When bounds differ the ones both have are kept: what
 * is left is exact, and never falls from one bound to the next. What is lost is resolution.
 *
 * Owner: a slot of the bucket pool. Lifetime: series. Threads: the engine's lock.
 * Fields: read-only to others.
 */
#ifndef STORE_CLASSIC_H
#define STORE_CLASSIC_H

#include "ingest/sample.h"

struct classic {
    uint32_t bound_count;
    bool has_buckets; /* some child brought buckets: `bounds` is what all of them have */
    double bounds[CHILD_BOUNDS_MAX];
    double totals[CHILD_BOUNDS_MAX];
    double open[CHILD_BOUNDS_MAX];
};

void classic_init(struct classic *classic);

/*
 * Adds a child's buckets to totals and to the open window; one without buckets changes nothing.
 * Returns how many bounds were lost: those that not both have.
 */
uint32_t classic_add(struct classic *classic, const struct child *child);

/* Adds what another has in its open window, as if its children had come here. */
uint32_t classic_merge(struct classic *into, const struct classic *from);

/* The open window is empty again. */
void classic_seal(struct classic *classic);

#endif
