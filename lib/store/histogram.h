/*
 * histogram.h: what a histogram of pushed values keeps: its total on the exposition's grid, and the
 * open window in full.
 *
 *     value ──> grid[k], the first k with value <= 4^(k - 10)     since the series began
 *        └────> open, at the finest scale that holds it           until the window is sealed
 *
 * Totals are shown on a fixed grid only (bounds that moved with the data would break rate() and
 * histogram_quantile()), so they are kept on it: exact whatever the values, in 168 bytes instead of
 * 1,320.
 *
 * Owner: a slot of the histogram pool. Lifetime: series. Threads: the engine's lock.
 */
#ifndef STORE_HISTOGRAM_H
#define STORE_HISTOGRAM_H

#include "store/exp_histogram.h"

/* Bounds of the grid: 4^-10 .. 4^9. */
#define HISTOGRAM_GRID_MIN (-10)
#define HISTOGRAM_GRID_MAX 9
#define HISTOGRAM_GRID_BOUNDS (HISTOGRAM_GRID_MAX - HISTOGRAM_GRID_MIN + 1)

struct histogram {
    uint64_t grid[HISTOGRAM_GRID_BOUNDS + 1]; /* not cumulative; the last one is above all bounds */
    struct exp_histogram open;
};

void histogram_init(struct histogram *histogram);

/* Returns by how many steps the open window's scale fell. */
unsigned histogram_observe(struct histogram *histogram, double value);

/* The open window is empty again. */
void histogram_seal(struct histogram *histogram);

#endif
