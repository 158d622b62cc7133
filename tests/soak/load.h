/*
 * load.h: what all requests are made from, and where what comes of them is written down.
 *
 * Owner: traffic.c. Lifetime: traffic_make .. traffic_free. Threads: one.
 */
#ifndef SOAK_LOAD_H
#define SOAK_LOAD_H

#include "base/random.h"
#include "soak/dialect.h"
#include "soak/latency.h"
#include "soak/message.h"
#include "soak/options.h"

struct load {
    const struct soak_options *options;
    const struct dialect *dialect;
    uint64_t generation; /* of the pods, now */
    struct packer packer;
    struct text target; /* of the request being made */
    struct text body;
    struct traffic_figures figures;
    struct soak_sum sums[SOAK_METRICS];
    struct latency latencies[SORT_COUNT];
};

#endif
