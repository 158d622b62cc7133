/*
 * latency.h: latencies of an interval, in buckets of at most 1/32 of what they hold: their number
 * is fixed, and a percentile is high by 3 % at most.
 *
 * Owner: traffic.c. Lifetime: an interval, latency_take() begins a new one. Threads: one.
 */
#ifndef SOAK_LATENCY_H
#define SOAK_LATENCY_H

#include "soak/traffic.h"

#define LATENCY_STEPS 32u /* buckets to each power of two */
#define LATENCY_POWERS 32u
#define LATENCY_BUCKETS (LATENCY_STEPS * LATENCY_POWERS)

struct latency {
    uint64_t count;
    uint64_t max_us;
    uint32_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);
struct latency_figures latency_take(struct latency *latency);

#endif
