/*
 * fleet.h: the series that are pushed each window, with labels as services have them.
 *
 *     requests_total{instance=…,method=…,region=…,route="/api/v1/r17",service=…}    100 bytes or so
 *     latency_seconds{instance=…,…,route="/api/v1/r7",service=…}                    a histogram
 *
 * Values come from tables made once, and are chosen anew for each window: making them is not what
 * is measured.
 *
 * Owner: a measurement. Lifetime: fleet_make .. fleet_free. Threads: one.
 */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "base/random.h"
#include "past.h"

#define FLEET_VALUES 65536 /* a power of two */

struct fleet_shape {
    uint32_t counters;
    uint32_t histograms;
    uint32_t observations; /* of a histogram in a window */
    bool is_fractional;    /* the counters' increments */
};

struct fleet {
    struct fleet_shape shape;
    struct past *past;
    struct random random;
    struct sample *counters;
    struct sample *histograms;
    char *labels;
    double *increments;   /* FLEET_VALUES of each */
    double *observations; /* lognormal */
};

struct fleet *fleet_make(struct past *past, struct fleet_shape shape);
void fleet_free(struct fleet *fleet);

/* One increment a counter, and each histogram's observations. */
void fleet_push(struct fleet *fleet);

/* Pushes and seals that many windows. */
void fleet_run(struct fleet *fleet, uint32_t windows);

/* Above 0 and below 1. */
double uniform(struct random *random);

/* exp of a normal value with that deviation: 1 in the middle. */
double lognormal(struct random *random, double deviation);

#endif
