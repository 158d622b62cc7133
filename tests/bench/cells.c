#include "cells.h"

#include "base/hash.h"
#include "fleet.h"
#include "rows.h"
#include "text.h"

#include <stdlib.h>

#define SERIES 1000
#define BOUNDS 12

struct cell_shape {
    const char *what;
    enum kind kind;
    uint32_t samples; /* a series, in the window */
    double asked;     /* bytes; 0: nothing was */
    enum { WHOLE, FRACTION, LOGNORMAL, MEMBER, CHILD } value;
};

static const struct cell_shape shapes[] = {
    {"counter, one whole sample", KIND_COUNTER, 1, 14, WHOLE},
    {"counter, one fraction", KIND_COUNTER, 1, 14, FRACTION},
    {"counter, six whole samples", KIND_COUNTER, 6, 14, WHOLE},
    {"counter, six fractions", KIND_COUNTER, 6, 14, FRACTION},
    {"gauge, one whole sample", KIND_GAUGE, 1, 16, WHOLE},
    {"gauge, one fraction", KIND_GAUGE, 1, 16, FRACTION},
    {"gauge, six whole samples", KIND_GAUGE, 6, 40, WHOLE},
    {"gauge, six fractions", KIND_GAUGE, 6, 40, FRACTION},
    {"histogram, 24 lognormal values", KIND_HISTOGRAM, 24, 0, LOGNORMAL},
    {"histogram, 60 lognormal values", KIND_HISTOGRAM, 60, 0, LOGNORMAL},
    {"histogram, 1,000 lognormal values", KIND_HISTOGRAM, 1000, 0, LOGNORMAL},
    {"set, 10 members", KIND_SET, 10, 0, MEMBER},
    {"set, 10,000 members", KIND_SET, 10000, 0, MEMBER},
    {"pushed buckets, 12 bounds", KIND_CLASSIC, 1, 0, CHILD},
};

/* 600 requests, spread over twelve bounds. */
static const struct child *child_of(struct random *random)
{
    static const double bounds[BOUNDS] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25};
    static double counts[BOUNDS];
    static struct child child;

    child = (struct child){.has_sum = true,
                           .has_count = true,
                           .has_buckets = true,
                           .bound_count = BOUNDS,
                           .bounds = bounds,
                           .counts = counts};
    for (int i = 0; i < BOUNDS; i++) {
        child.count += (double)random_below(random, 100);
        counts[i] = child.count;
    }
    child.sum = child.count * uniform(random);
    return &child;
}

static void value_give(struct sample *sample, const struct cell_shape *shape, struct random *random)
{
    switch (shape->value) {
    case WHOLE:
        sample->value = (double)random_below(random, 1000) + 1;
        break;
    case FRACTION:
        sample->value = uniform(random) * 1000;
        break;
    case LOGNORMAL:
        sample->value = 0.05 * lognormal(random, 0.7);
        break;
    case MEMBER:
        sample->member = random_next(random);
        break;
    case CHILD:
        sample->child = child_of(random);
        break;
    }
}

/* The sealed window's section of the one family there is, bytes a cell. */
static double section_measure(const struct past *past)
{
    const struct history *history = &past->engine->history;
    uint64_t bytes = 0;
    uint64_t cells = 0;

    for (uint32_t i = 0; i < history->tiers[TIER_FINE].count; i++) {
        const struct record *record = history_record(history, TIER_FINE, i);

        bytes += record->sections_end - record->position;
        cells += record->cells;
    }
    return (double)bytes / (double)cells;
}

static double shape_measure(const struct cell_shape *shape, uint32_t series)
{
    struct past *past = past_make(UINT64_C(512) << 20);
    struct random random = {7};
    struct sample sample = {.kind = (uint8_t)shape->kind};
    double bytes;

    for (uint32_t i = 0; i < series; i++) {
        char labels[64];

        snprintf(labels, sizeof(labels), "instance=\"%u\"", i);
        past_name(past, &sample, "m", labels);
        for (uint32_t k = 0; k < shape->samples; k++) {
            value_give(&sample, shape, &random);
            past_push(past, &sample, 1);
        }
    }
    past_next_window(past);
    bytes = section_measure(past);
    past_free(past);
    return bytes;
}

void cells_measure(void)
{
    rows_title("bytes of a sealed cell");
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const struct cell_shape *shape = &shapes[i];
        double bytes = shape_measure(shape, shape->samples > 100 ? SERIES / 20 : SERIES);

        if (shape->asked > 0)
            rows_most(shape->what, "bytes", shape->asked, bytes);
        else
            rows_told(shape->what, "bytes", bytes);
    }
}
