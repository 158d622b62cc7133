/* histogram.c: see histogram.h. */
#include "store/histogram.h"

#include <math.h>
#include <string.h>

void histogram_init(struct histogram *histogram)
{
    memset(histogram->grid, 0, sizeof histogram->grid);
    exp_histogram_init(&histogram->open);
}

/* The first bound that the value does not exceed: the exponent says it, exactly. */
static unsigned grid_place(double value)
{
    if (value <= 0)
        return 0;
    int power; /* value <= 2^power, and more than half of it */
    if (frexp(value, &power) == 0.5)
        power--;
    int exponent = (power + 1) >> 1; /* of 4, rounded up */
    if (exponent < HISTOGRAM_GRID_MIN)
        return 0;
    return exponent > HISTOGRAM_GRID_MAX ? HISTOGRAM_GRID_BOUNDS
                                         : (unsigned)(exponent - HISTOGRAM_GRID_MIN);
}

unsigned histogram_observe(struct histogram *histogram, double value)
{
    histogram->grid[grid_place(value)]++;
    return exp_histogram_observe(&histogram->open, value);
}

void histogram_seal(struct histogram *histogram)
{
    exp_histogram_init(&histogram->open);
}
