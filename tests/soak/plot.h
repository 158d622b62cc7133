/*
 * plot.h: a line plot, as SVG, without a library and without a script.
 *
 *     bytes 64 MiB ┤- - - - - - - - - - - - - -  --memory        limits
 *           48 MiB ┤‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾  resident      series, named at their end
 *                0 └┬─────┬─────┬─────┬─────┬
 *                   0    1 h   2 h   3 h   4 h                 time of the run
 *
 * Of what falls on one column of pixels the first, lowest, highest and last are drawn: a spike of
 * one sample among ten thousand is as high as it was. Series differ in hue, in lightness and in
 * dashes, so that they do without colour too. Light or dark as the reader's system is.
 */
#ifndef SOAK_PLOT_H
#define SOAK_PLOT_H

#include "words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define PLOT_SERIES 8
#define PLOT_LIMITS 4
#define PLOT_MARKS 16

struct plot_series {
    char label[64];
    const double *x; /* seconds of the run */
    const double *y; /* NAN: nothing here, the line goes on */
    size_t rows;
    bool ended;     /* by force: a cross stands at its end, with the words below */
    char words[64]; /* "gone after 4 min" */
};

struct plot_limit {
    char label[64];
    double value;
};

struct plot_mark { /* a moment */
    char label[48];
    double x;
};

struct plot {
    const char *title;
    const char *subtitle; /* NULL: none */
    enum unit unit;
    double width; /* in pixels, of the whole picture */
    double height;
    double x_max;     /* 0: as far as the series go */
    bool logarithmic; /* of the values: decades are as high as one another */
    struct plot_series series[PLOT_SERIES];
    struct plot_limit limits[PLOT_LIMITS];
    struct plot_mark marks[PLOT_MARKS];
    size_t series_count;
    size_t limit_count;
    size_t mark_count;
};

/* More than there is room for is left out; so are series in which nothing is. */
struct plot_series *plot_line(struct plot *plot, const char *label, const double *x,
                              const double *y, size_t rows);
void plot_limit(struct plot *plot, const char *label, double value); /* unless it is NAN */
void plot_mark(struct plot *plot, const char *label, double x);

/* As a file of its own, or within a page that has plot_style() once. */
void plot_write(FILE *out, const struct plot *plot, bool standalone);

/* CSS: colours and type of all plots. */
extern const char plot_style[];

#endif
