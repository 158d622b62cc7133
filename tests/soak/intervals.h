/*
 * intervals.h: what was acknowledged between two quiet points, held against what the service
 * answers about that time, as long as it remembers it.
 *
 *     windows   |----|----|----|----|----|----|----|----|
 *     load       ════════════════        ═══════════════
 *     quiet     ^                  ^  ^                 ^     each pause holds a window's boundary:
 *     intervals |<──── first ───────>|<──── second ────>|     whole windows, and all of the samples
 *     spans     |<───────── of 40 s windows ───────────>|     where the coarser tier tells no finer
 *
 * The service folds its windows into coarser ones. So neighbouring intervals are added up until
 * both ends are multiples of the tier's window: a span. What is never part of one (at the edges of
 * what is held) is counted as left out.
 *
 * Owner: the conservation. Threads: one. Memory: bounded, INTERVALS_MAX of them; the oldest go.
 */
#ifndef SOAK_INTERVALS_H
#define SOAK_INTERVALS_H

#include <jansson.h>

#include "held.h"

/* A week of quiet points ten minutes apart. */
#define INTERVALS_MAX 1024

struct interval {
    int64_t start; /* Unix seconds of the service's clock */
    int64_t end;
    double pushed[SOAK_METRICS][HELD_WHATS];
    double uncertain[SOAK_METRICS][HELD_WHATS]; /* at most so much more, of pushes not answered */
};

struct intervals {
    struct interval ring[INTERVALS_MAX];
    uint32_t first;
    uint32_t count;
};

void intervals_add(struct intervals *intervals, const struct interval *interval);

/* A row for each metric and function: all intervals that are still held, compared. *ok is false
 * when one differs or could not be asked. */
json_t *intervals_judge(const struct intervals *intervals, const struct soak_options *options,
                        const struct soak_sum *sums, bool *ok);

#endif
