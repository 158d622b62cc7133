/* figures.c: see figures.h. */
#include "figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_OF_A_DAY 24
#define REQUESTS_LEAST 100

/* Sanitizers map a shadow of all addresses: tens of TiB, which nobody else does. */
#define SANITIZED_VIRTUAL_BYTES 0x1p43

const struct figure_row figure_rows[FIGURE_COUNT] = {
    [FIGURE_HEAP] = {"malloc_unexplained",
                     "heap memory that no open connection explains",
                     UNIT_BYTES,
                     {0.01, 0},
                     {0.02, 0x1p18}},
    [FIGURE_MALLOC] = {"malloc_in_use", "what malloc holds", UNIT_BYTES, {0.01, 0}, {0.02, 0x1p18}},
    [FIGURE_UNACCOUNTED] = {"unaccounted",
                            "resident memory that no part of the plan explains",
                            UNIT_BYTES,
                            {0.01, 0},
                            {0.02, 0x1p18}},
    [FIGURE_ANON] =
        {"rss_anon", "anonymous resident memory", UNIT_BYTES, {0.01, 0}, {0.02, 0x1p18}},
    [FIGURE_RSS] = {"rss", "resident memory", UNIT_BYTES, {0.01, 0}, {0.02, 0x1p18}},
    [FIGURE_DESCRIPTORS] =
        {"open_fds", "the number of open descriptors", UNIT_COUNT, {0, 1}, {0, 0.5}},
    [FIGURE_THREADS] = {"threads", "the number of threads", UNIT_COUNT, {0, 1}, {0, 0.5}},
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

struct store {
    const struct reading *reading;
    double *live;
};

static void store_add(void *context, const char *pool, const double *values)
{
    struct store *store = context;
    if (strcmp(member_text(pool_find(store->reading, pool), "lifetime"), "series") != 0)
        return;
    for (size_t row = 0; row < store->reading->samples.rows; row++)
        store->live[row] += isnan(values[row]) ? 0 : values[row];
}

/* A store that fills makes scrapes and questions dearer, which is no ageing. */
static double settled_of(const struct reading *reading)
{
    const struct table *table = &reading->samples;
    struct store store = {reading, heap_take(NULL, (table->rows + 1) * sizeof(double))};
    double most = 0;
    size_t row = 0;
    for (size_t i = 0; i < table->rows; i++)
        store.live[i] = 0;
    table_each(table, "memory.pools.", ".live_bytes", store_add, &store);
    for (size_t i = 0; i < table->rows; i++)
        most = fmax(most, store.live[i]);
    while (row + 1 < table->rows && store.live[row] < 0.9 * most)
        row++;
    free(store.live);
    return column_at(table_column(table, "elapsed"), row);
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
        .settled = settled_of(reading),
        .resident_counts =
            !(table_max(table, "memory.process.virtual_bytes") > SANITIZED_VIRTUAL_BYTES),
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
