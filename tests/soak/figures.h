/*
 * figures.h: what of a record is watched for growth, and what is worked out of two numbers.
 *
 * CPU time is told in ticks of 10 ms, so it is divided by requests over longer intervals: a part of
 * a day, and at least 100 requests. Such a figure stands in the interval's last row, and in no
 * other.
 *
 * Owner: who judges or draws. Lifetime: figures_make .. figures_free, within the record's.
 */
#ifndef SOAK_FIGURES_H
#define SOAK_FIGURES_H

#include "reading.h"
#include "words.h"

#include "memory/trend.h"

/* The first is the most exact about who holds it: it names what grows with it. */
enum figure_name {
    FIGURE_HEAP,
    FIGURE_MALLOC,
    FIGURE_UNACCOUNTED,
    FIGURE_ANON,
    FIGURE_RSS,
    FIGURE_DESCRIPTORS,
    FIGURE_THREADS,
    FIGURE_PUSH,
    FIGURE_QUERY,
    FIGURE_CPU,
    FIGURE_COUNT,
};

#define FIGURE_MEMORY_COUNT (FIGURE_RSS + 1) /* these are bytes */

struct figure_row {
    const char *name;
    const char *title; /* as it stands in the middle of a sentence */
    enum unit unit;
    struct trend_rule a_day;  /* growth beyond both is a finding; of bytes slopes.c has the least */
    struct trend_rule at_end; /* the last day's median above the first's likewise */
};

extern const struct figure_row figure_rows[FIGURE_COUNT];

struct figures {
    size_t rows;
    const double *elapsed;
    double day;           /* seconds, of the simulated day */
    double first_quiet;   /* when the first quiet point was; NAN: none */
    double settled;       /* since when the store holds nine tenths of what it ever held */
    bool resident_counts; /* no: it is the shadow of a sanitizer */
    const double *values[FIGURE_COUNT]; /* NULL: not recorded */
    double *cpu;
};

struct figures figures_make(const struct reading *reading);
void figures_free(struct figures *figures);

/*
 * Differences of one column divided by those of another, over intervals of at least `width` seconds
 * and `least` of the other; an interval in which either falls (the server was restarted) is left
 * out. Takes the heap; NULL when there is no such column.
 */
double *ratios_make(const struct table *table, const double *above, const double *below,
                    double width, double least);

/* Of what is not NAN in rows whose time is from .. to; NAN: nothing is. */
double median_between(const double *elapsed, const double *values, size_t rows, double from,
                      double to);

#endif
