/*
 * conservation.h: nothing is lost and nothing is counted twice, to the last quarter.
 *
 *     acknowledged (traffic_sums)  ==  what the service holds now - what it held when we began
 *
 *     samples    mayfly_samples_accepted_total, hostile ones included: between two quiet points
 *                up to what no reply was read for
 *     totals     each metric: series that live + overflow series + series that ended
 *     history    each interval between two quiet points that is still held (intervals.h)
 *
 * All values are multiples of 1/4 and small, so sums of doubles are exact, and equal is equal. A
 * valid push that was sent and not answered may be held or not: as much of its metric's difference
 * at the next quiet point as it can explain is put down to it ("excused"), and everything after is
 * exact again.
 *
 * Owner: the run. Threads: one.
 */
#ifndef SOAK_CONSERVATION_H
#define SOAK_CONSERVATION_H

#include <jansson.h>

#include "held.h"
#include "intervals.h"
#include "traffic.h"

struct conservation {
    const struct soak_options *options;
    double covers_from;       /* Unix seconds, the driver's; 0: not begun */
    uint64_t accepted_before; /* what the service had when it was begun */
    int64_t settled; /* of samples that no reply was read for, accepted by the last quiet point */
    uint64_t uncertain; /* samples that no reply was read for, by the last quiet point */
    double before[SOAK_METRICS][HELD_WHATS];
    double excused[SOAK_METRICS][HELD_WHATS];
    int64_t boundary; /* the service's window in which the last quiet point was begins here; 0: the
                         load went on without one */
    double pushed[SOAK_METRICS][HELD_WHATS];       /* acknowledged by then */
    double uncertain_by[SOAK_METRICS][HELD_WHATS]; /* and not answered by then */
    struct intervals intervals;
};

/* At a quiet point, before any load of this process: what is held now is not ours. False when the
 * service did not say. */
bool conservation_begin(struct conservation *conservation, const struct soak_options *options,
                        const struct traffic *traffic, int64_t boundary, double at);

/* At a quiet point: what came to be since the last one, compared; the record's "conservation".
 * boundary: the window that the service has begun since the last push, 0 when it has not. */
json_t *conservation_judge(struct conservation *conservation, const struct traffic *traffic,
                           int64_t boundary, bool *ok);

#endif
