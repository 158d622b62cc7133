#include "latency.h"

#include <math.h>
#include <string.h>

#define US 1e-6

/* Below 32 us a bucket for each; from there on, 32 for each power of two. */
static uint32_t bucket_of(uint64_t us)
{
    uint32_t power = us < LATENCY_STEPS ? 0 : 63u - (uint32_t)__builtin_clzll(us) - 4;
    uint64_t step = power == 0 ? us : (us >> (power - 1)) - LATENCY_STEPS;
    uint64_t bucket = (uint64_t)power * LATENCY_STEPS + step;

    return bucket < LATENCY_BUCKETS ? (uint32_t)bucket : LATENCY_BUCKETS - 1;
}

/* The end of what a bucket holds. */
static double bucket_end(uint32_t bucket)
{
    uint32_t power = bucket / LATENCY_STEPS;
    uint32_t step = bucket % LATENCY_STEPS;

    return power == 0 ? step + 1 : ldexp(LATENCY_STEPS + step + 1, (int)power - 1);
}

void latency_add(struct latency *latency, uint64_t ns)
{
    uint64_t us = ns / 1000;

    latency->count++;
    latency->buckets[bucket_of(us)]++;
    if (us > latency->max_us)
        latency->max_us = us;
}

static double quantile(const struct latency *latency, double part)
{
    uint64_t rank = (uint64_t)ceil(part * (double)latency->count);
    uint64_t seen = 0;

    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen >= rank)
            return fmin(bucket_end(i), (double)latency->max_us) * US;
    }
    return (double)latency->max_us * US;
}

struct latency_figures latency_take(struct latency *latency)
{
    struct latency_figures figures = {.p50 = NAN, .p99 = NAN, .max = NAN};

    if (latency->count > 0) {
        figures = (struct latency_figures){.count = latency->count,
                                           .p50 = quantile(latency, 0.5),
                                           .p99 = quantile(latency, 0.99),
                                           .max = (double)latency->max_us * US};
    }
    memset(latency, 0, sizeof(*latency));
    return figures;
}
