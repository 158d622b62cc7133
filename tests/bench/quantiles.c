#include "quantiles.h"

#include "fleet.h"
#include "rows.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define VALUES 120000
#define WINDOWS 12

static double lognormal_value(struct random *random)
{
    return lognormal(random, 1);
}

static double uniform_value(struct random *random)
{
    return 1 + 99 * uniform(random);
}

/* A cache's hits, and what it costs to miss it. */
static double bimodal_value(struct random *random)
{
    bool hit = uniform(random) < 0.9;

    return (hit ? 0.001 : 0.2) * lognormal(random, 0.3);
}

static double constant_value(struct random *random)
{
    (void)random;
    return 0.25;
}

static const struct {
    const char *name;
    double (*value)(struct random *random);
} distributions[] = {
    {"lognormal", lognormal_value},
    {"uniform", uniform_value},
    {"bimodal", bimodal_value},
    {"constant", constant_value},
};

static const char *const quantiles[] = {"50", "90", "99", "99.9"};

static int value_compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

/* All values, sorted; pushed on the way, a twelfth each window. */
static double *values_push(struct past *past, size_t distribution)
{
    double *values = zeroed(VALUES, sizeof(double));
    struct random random = {11};
    struct sample sample = {.kind = KIND_HISTOGRAM};

    past_name(past, &sample, "m", "");
    for (uint32_t i = 0; i < VALUES; i++) {
        values[i] = sample.value = distributions[distribution].value(&random);
        past_push(past, &sample, 1);
        if ((i + 1) % (VALUES / WINDOWS) == 0)
            past_next_window(past);
    }
    qsort(values, VALUES, sizeof(double), value_compare);
    return values;
}

static void quantile_row(struct past *past, size_t distribution, const char *percent,
                         const double *values)
{
    double exact = values[(size_t)ceil(atof(percent) / 100 * VALUES) - 1];
    char text[128];
    char row[128];

    snprintf(text, sizeof(text), "metric=m&fn=p%s&step=1h", percent);
    struct answer answer = past_ask(past, text, true, false);
    double got = query_point(answer.run, 0, answer.plan->bucket_count - 1);
    snprintf(row, sizeof(row), "%s p%s: %.6g, exactly %.6g, off by",
             distributions[distribution].name, percent, got, exact);
    rows_most(row, "%", answer.run->relative_error * 100, fabs(got - exact) / exact * 100);
}

void quantiles_measure(void)
{
    rows_title(
        "quantiles of 120,000 values in 12 windows; asked is the bound that comes with them");
    for (size_t i = 0; i < sizeof(distributions) / sizeof(distributions[0]); i++) {
        struct past *past = past_make(UINT64_C(64) << 20);
        double *values = values_push(past, i);

        for (size_t k = 0; k < sizeof(quantiles) / sizeof(quantiles[0]); k++)
            quantile_row(past, i, quantiles[k], values);
        free(values);
        past_free(past);
    }
}
