/*
 * bodies.h: what is pushed: bodies of counter samples, the same for every server and for the floor.
 *
 *     series i  =  pod i / 1000, family i % 1000 / 20, member i % 20
 *     body k    =  series k * samples .. k * samples + samples - 1 (modulo series), by family
 *
 * A pod has 50 families of 20 series. So 1,000 samples a body are one pod's push, and 10 such
 * bodies cover 10,000 series. Even families carry four labels (code, method, pod, route), odd ones
 * three (no code); names in byte order unless `unsorted`. Values are positive quarters, so their
 * sum is exact in a double and the floor can check its own arithmetic.
 *
 * Owner:    the caller; bodies_free().
 * Lifetime: the run. Nothing is made while the clock runs.
 */
#ifndef BENCH_BODIES_H
#define BENCH_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

#define BODIES_FAMILIES 50u
#define BODIES_MEMBERS 20u

/* All bodies of a run together: they are made beforehand, so a typing error must not take the
 * machine's memory. */
#define BODIES_BYTES_MAX (1024u * 1024u * 1024u)

enum bodies_format {
    BODIES_PROM,   /* Prometheus text, one # TYPE line a family and body */
    BODIES_NDJSON, /* an object a line */
    BODIES_ONE /* one JSON value: an object, or an array of them when a body has several samples */
};

struct bodies_shape {
    enum bodies_format format;
    uint64_t samples; /* in a body */
    uint64_t series;  /* distinct, over all bodies */
    uint64_t
        line_bytes; /* of a Prometheus line, newline included: the mean, each is within 8 of it */
    uint64_t seed;
    bool unsorted;
    bool gzip;
};

struct body {
    struct text text;
    size_t type_line_bytes; /* bodies_make_by_family: text after these bytes can be repeated */
    uint64_t samples;
    double value_sum;
};

struct bodies {
    struct body *at;
    size_t count;
};

const char *bodies_content_type(enum bodies_format format);

/* The rotation: as many bodies as it takes until the first series comes first again. */
struct bodies bodies_make(const struct bodies_shape *shape);

/* One body a family with all its series, for streams longer than memory: sent again and again, a
 * family still is one group with one # TYPE line, as the format asks. */
struct bodies bodies_make_by_family(const struct bodies_shape *shape);

void bodies_free(struct bodies *bodies);

#endif
