#include "fleet.h"

#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LABELS_BYTES 192
#define PI 3.14159265358979323846

double uniform(struct random *random)
{
    return ((double)(random_next(random) >> 12) + 0.5) * 0x1p-52;
}

double lognormal(struct random *random, double deviation)
{
    double radius = sqrt(-2 * log(uniform(random))); /* Box and Muller, 1958 */

    return exp(deviation * radius * cos(2 * PI * uniform(random)));
}

static void values_make(struct fleet *fleet)
{
    fleet->increments = zeroed(FLEET_VALUES, sizeof(double));
    fleet->observations = zeroed(FLEET_VALUES, sizeof(double));
    for (uint32_t i = 0; i < FLEET_VALUES; i++) {
        double increment = (double)random_below(&fleet->random, 1000) + 1;

        fleet->increments[i] = fleet->shape.is_fractional ? increment / 1000 : increment;
        fleet->observations[i] = 0.05 * lognormal(&fleet->random, 0.7);
    }
}

static void series_make(struct fleet *fleet, struct sample *sample, char *labels, uint32_t i,
                        uint32_t routes, enum kind kind)
{
    snprintf(labels, LABELS_BYTES,
             "instance=\"10.0.%u.%u:9100\",method=\"%s\",region=\"eu-central-%u\","
             "route=\"/api/v1/r%u\",service=\"checkout\"",
             i / 250, i % 250, i % 3 == 0 ? "POST" : "GET", i % 4, i % routes);
    sample->kind = (uint8_t)kind;
    past_name(fleet->past, sample, kind == KIND_COUNTER ? "requests_total" : "latency_seconds",
              labels);
}

struct fleet *fleet_make(struct past *past, struct fleet_shape shape)
{
    struct fleet *fleet = zeroed(1, sizeof(*fleet));

    fleet->shape = shape;
    fleet->past = past;
    fleet->random.state = 42;
    fleet->counters = zeroed(shape.counters, sizeof(struct sample));
    fleet->histograms = zeroed(shape.histograms, sizeof(struct sample));
    fleet->labels = zeroed(shape.counters + shape.histograms, LABELS_BYTES);
    for (uint32_t i = 0; i < shape.counters; i++)
        series_make(fleet, &fleet->counters[i], fleet->labels + (size_t)i * LABELS_BYTES, i, 50,
                    KIND_COUNTER);
    for (uint32_t i = 0; i < shape.histograms; i++)
        series_make(fleet, &fleet->histograms[i],
                    fleet->labels + (size_t)(shape.counters + i) * LABELS_BYTES, i, 10,
                    KIND_HISTOGRAM);
    values_make(fleet);
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    free(fleet->counters);
    free(fleet->histograms);
    free(fleet->labels);
    free(fleet->increments);
    free(fleet->observations);
    free(fleet);
}

/* The next values of a table, from anywhere in it. */
static void values_give(struct fleet *fleet, struct sample *samples, uint32_t count,
                        const double *values)
{
    uint64_t at = random_next(&fleet->random);

    for (uint32_t i = 0; i < count; i++)
        samples[i].value = values[(at + i) % FLEET_VALUES];
}

void fleet_push(struct fleet *fleet)
{
    const struct fleet_shape *shape = &fleet->shape;

    values_give(fleet, fleet->counters, shape->counters, fleet->increments);
    past_push(fleet->past, fleet->counters, shape->counters);
    for (uint32_t i = 0; i < shape->observations; i++) {
        values_give(fleet, fleet->histograms, shape->histograms, fleet->observations);
        past_push(fleet->past, fleet->histograms, shape->histograms);
    }
}

void fleet_run(struct fleet *fleet, uint32_t windows)
{
    for (uint32_t i = 0; i < windows; i++) {
        fleet_push(fleet);
        past_next_window(fleet->past);
    }
}
