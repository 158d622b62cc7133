/* figures.c: see figures.h. */
#include "figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_OF_A_DAY 24
#define REQUESTS_LEAST 100

#define MEMORY_A_DAY                                                                               \
    {                                                                                              \
        0.01, 0                                                                                    \
    } /* and so many bytes, which slopes.c knows */
#define MEMORY_AT_END                                                                              \
    {                                                                                              \
        0.02, 256 * 1024.0                                                                         \
    }

const struct figure_row figure_rows[FIGURE_COUNT] = {
    [FIGURE_HEAP] = {"malloc_unexplained", "heap memory that no open connection explains",
                     UNIT_BYTES, MEMORY_A_DAY, MEMORY_AT_END},
    [FIGURE_MALLOC] = {"malloc_in_use", "what malloc holds", UNIT_BYTES, MEMORY_A_DAY,
                       MEMORY_AT_END},
    [FIGURE_UNACCOUNTED] = {"unaccounted", "resident memory that no part of the plan explains",
                            UNIT_BYTES, MEMORY_A_DAY, MEMORY_AT_END},
    [FIGURE_ANON] = {"rss_anon", "anonymous resident memory", UNIT_BYTES, MEMORY_A_DAY,
                     MEMORY_AT_END},
    [FIGURE_RSS] = {"rss", "resident memory", UNIT_BYTES, MEMORY_A_DAY, MEMORY_AT_END},
    [FIGURE_DESCRIPTORS] =
        {"open_fds", "the number of open descriptors", UNIT_COUNT, {0, 1}, {0, 0}},
    [FIGURE_THREADS] = {"threads", "the number of threads", UNIT_COUNT, {0, 1}, {0, 0}},
    [FIGURE_PUSH] =
        {"push_p99", "the slowest hundredth of pushes", UNIT_SECONDS, {0.1, 1e-3}, {1, 5e-3}},
    [FIGURE_QUERY] =
        {"query_p99", "the slowest hundredth of queries", UNIT_SECONDS, {0.1, 1e-3}, {1, 5e-3}},
    [FIGURE_CPU] =
        {"cpu_per_request", "CPU time a request", UNIT_SECONDS, {0.1, 20e-6}, {0.25, 50e-6}},
};

double *ratios_make(const struct table *table, const double *above, const double *below,
                    double width, double least)
{
    if (above == NULL || below == NULL || table->rows == 0)
        return NULL;
    const double *elapsed = table_column(table, "elapsed");
    double *ratios = heap_take(NULL, table->rows * sizeof *ratios);
    size_t from = table->rows; /* where the interval began; rows: nowhere yet */
    for (size_t row = 0; row < table->rows; row++) {
        ratios[row] = NAN;
        if (isnan(above[row]) || isnan(below[row]))
            continue;
        bool fell = from < row && (above[row] < above[from] || below[row] < below[from]);
        bool ends = from < row && elapsed[row] - elapsed[from] >= width &&
                    below[row] - below[from] >= least;
        if (ends && !fell)
            ratios[row] = (above[row] - above[from]) / (below[row] - below[from]);
        if (from == table->rows || ends || fell)
            from = row;
    }
    return ratios;
}

static const double *first_of(const struct table *table, const char *name, const char *other)
{
    const double *column = table_column(table, name);
    return column != NULL ? column : table_column(table, other);
}

static double day_of(const struct reading *reading)
{
    double day = member_number(reading->start, "day");
    double last = table_last(&reading->samples, "elapsed");
    return fmax(day > 0 ? day : last / 4, 1);
}

struct figures figures_make(const struct reading *reading)
{
    const struct table *table = &reading->samples;
    struct figures figures = {
        .rows = table->rows,
        .elapsed = table_column(table, "elapsed"),
        .day = day_of(reading),
        .first_quiet = table_first(&reading->quiets, "elapsed"),
        .values =
            {
                [FIGURE_HEAP] = table_column(table, "memory.process.malloc.unexplained_bytes"),
                [FIGURE_MALLOC] = table_column(table, "memory.process.malloc.in_use_bytes"),
                [FIGURE_UNACCOUNTED] = table_column(table, "memory.process.unaccounted_bytes"),
                [FIGURE_ANON] = first_of(table, "proc.anon", "memory.process.rss_anon_bytes"),
                [FIGURE_RSS] = first_of(table, "proc.rss", "memory.process.rss_bytes"),
                [FIGURE_DESCRIPTORS] = first_of(table, "proc.fds", "memory.process.open_fds"),
                [FIGURE_THREADS] = first_of(table, "proc.threads", "memory.process.threads"),
                [FIGURE_PUSH] = table_column(table, "driver.latency.push.p99"),
                [FIGURE_QUERY] = table_column(table, "driver.latency.query.p99"),
            },
    };
    figures.cpu =
        ratios_make(table, first_of(table, "memory.process.cpu_seconds_total", "proc.cpu_seconds"),
                    table_column(table, "memory.requests.completed_total"),
                    figures.day / PARTS_OF_A_DAY, REQUESTS_LEAST);
    figures.values[FIGURE_CPU] = figures.cpu;
    return figures;
}

void figures_free(struct figures *figures)
{
    free(figures->cpu);
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

double median_between(const double *elapsed, const double *values, size_t rows, double from,
                      double to)
{
    if (values == NULL || rows == 0)
        return NAN;
    double *taken = heap_take(NULL, rows * sizeof *taken);
    size_t count = 0;
    for (size_t row = 0; row < rows; row++) {
        if (elapsed[row] >= from && elapsed[row] < to && !isnan(values[row]))
            taken[count++] = values[row];
    }
    qsort(taken, count, sizeof *taken, ascending);
    double median = count == 0 ? NAN : (taken[(count - 1) / 2] + taken[count / 2]) / 2;
    free(taken);
    return median;
}
