/* pictures.c: see pictures.h. */
#include "pictures.h"

#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 940.0
#define HEIGHT 270.0
#define MEMORY_HEIGHT 380.0

/* Rates and shares are of a hundred and fifty intervals: of single samples they would be noise. */
#define INTERVALS 150

/* Columns of ratios, freed when the picture is drawn. */
struct taken {
    double *columns[PLOT_SERIES];
    size_t count;
};

static void taken_free(struct taken *taken)
{
    for (size_t i = 0; i < taken->count; i++)
        free(taken->columns[i]);
}

static void events_mark(struct plot *plot, const struct reading *reading)
{
    static const struct {
        const char *what;
        const char *label;
    } shown[] = {{"drill_started", "leak begins"},
                 {"server_gone", "gone"},
                 {"server_restarted", "restarted"},
                 {"stopped", "stopped"}};
    size_t i;
    json_t *event;
    json_array_foreach (reading->events, i, event) {
        for (size_t at = 0; at < sizeof shown / sizeof shown[0]; at++) {
            if (strcmp(member_text(event, "what"), shown[at].what) == 0)
                plot_mark(plot, shown[at].label, member_number(event, "elapsed"));
        }
    }
}

static struct plot plot_of(const struct reading *reading, const char *title, const char *subtitle,
                           enum unit unit)
{
    struct plot plot = {.title = title,
                        .subtitle = subtitle,
                        .unit = unit,
                        .width = WIDTH,
                        .height = HEIGHT,
                        .x_max = table_last(&reading->samples, "elapsed")};
    events_mark(&plot, reading);
    return plot;
}

static void line_of(struct plot *plot, const struct reading *reading, const char *label,
                    const char *name)
{
    const struct table *samples = &reading->samples;
    plot_line(plot, label, table_column(samples, "elapsed"), table_column(samples, name),
              samples->rows);
}

static double interval_of(const struct reading *reading)
{
    return table_last(&reading->samples, "elapsed") / INTERVALS;
}

static void ratio_line(struct plot *plot, struct taken *taken, const struct reading *reading,
                       const char *label, const double *above, const double *below, double least)
{
    const struct table *samples = &reading->samples;
    double *ratios = ratios_make(samples, above, below, interval_of(reading), least);
    if (ratios == NULL || taken->count == PLOT_SERIES) {
        free(ratios);
        return;
    }
    taken->columns[taken->count++] = ratios;
    plot_line(plot, label, table_column(samples, "elapsed"), ratios, samples->rows);
}

static void rate_line(struct plot *plot, struct taken *taken, const struct reading *reading,
                      const char *label, const char *name)
{
    ratio_line(plot, taken, reading, label, table_column(&reading->samples, name),
               table_column(&reading->samples, "elapsed"), 0);
}

static void picture_end(FILE *out, const struct plot *plot)
{
    if (plot->series_count > 0)
        plot_write(out, plot, false);
}

/* ---- memory ---- */

/* A cgroup without a limit is everybody's: it says nothing about the service. */
static bool has_wall(const struct reading *reading)
{
    return !isnan(member_number(reading->start, "wall_bytes"));
}

static void memory_lines(struct plot *plot, const struct reading *reading,
                         const struct figures *figures)
{
    plot_line(plot, "resident (RSS)", figures->elapsed, figures->values[FIGURE_RSS], figures->rows);
    if (has_wall(reading))
        line_of(plot, reading, "cgroup, with files", "memory.cgroup.current_bytes");
    line_of(plot, reading, "live in pools", "memory.live_bytes");
    plot_limit(plot, "--memory", member_number(reading->start, "memory_limit"));
    plot_limit(plot, "wall", member_number(reading->start, "wall_bytes"));
    plot->height = MEMORY_HEIGHT;
}

struct sum {
    const struct table *table;
    double begun;
};

static void hostile_add(void *context, const char *kind, const double *values)
{
    struct sum *sum = context;
    char name[128];
    (void)values;
    snprintf(name, sizeof name, "driver.hostile.%s.begun", kind);
    sum->begun += fmax(table_last(sum->table, name), 0);
}

void picture_memory(FILE *out, const struct reading *reading, const struct figures *figures)
{
    const struct table *samples = &reading->samples;
    struct sum hostile = {samples, 0};
    char subtitle[400];
    table_each(samples, "driver.hostile.", ".begun", hostile_add, &hostile);
    snprintf(subtitle, sizeof subtitle,
             "%s of load: %s requests ended, %s hostile clients begun; at its peak %s resident",
             word_elapsed(table_last(samples, "elapsed")).text,
             word_of(table_last(samples, "memory.requests.completed_total"), UNIT_COUNT).text,
             word_of(hostile.begun, UNIT_COUNT).text,
             word_of(table_max(samples, "memory.process.rss_peak_bytes"), UNIT_BYTES).text);
    struct plot plot = plot_of(reading, "Memory of mayfly", subtitle, UNIT_BYTES);
    memory_lines(&plot, reading, figures);
    plot_write(out, &plot, true);
}

static void resident_picture(FILE *out, const struct reading *reading,
                             const struct figures *figures)
{
    struct plot plot = plot_of(reading, "Resident memory and its limits", NULL, UNIT_BYTES);
    memory_lines(&plot, reading, figures);
    picture_end(out, &plot);
}

static void cgroup_picture(FILE *out, const struct reading *reading)
{
    struct plot plot =
        plot_of(reading, "The cgroup, as the kernel counts it",
                "with file pages and socket buffers of everything in it", UNIT_BYTES);
    line_of(&plot, reading, "current", "memory.cgroup.current_bytes");
    line_of(&plot, reading, "peak so far", "memory.cgroup.peak_bytes");
    plot_limit(&plot, "wall", member_number(reading->start, "wall_bytes"));
    picture_end(out, &plot);
}

/* ---- pools ---- */

struct largest {
    char names[PLOT_SERIES][64];
    double most[PLOT_SERIES];
    size_t count;
    const struct table *table;
};

static void largest_take(void *context, const char *pool, const double *values)
{
    struct largest *largest = context;
    double most = 0;
    for (size_t row = 0; row < largest->table->rows; row++)
        most = fmax(most, values[row]);
    size_t at = largest->count < PLOT_SERIES ? largest->count++ : PLOT_SERIES - 1;
    if (largest->most[at] > most)
        return;
    for (; at > 0 && largest->most[at - 1] < most; at--) {
        memcpy(largest->names[at], largest->names[at - 1], sizeof largest->names[at]);
        largest->most[at] = largest->most[at - 1];
    }
    snprintf(largest->names[at], sizeof largest->names[at], "%s", pool);
    largest->most[at] = most;
}

static void pools_picture(FILE *out, const struct reading *reading)
{
    struct plot plot = plot_of(reading, "Live bytes of the eight largest pools",
                               "all are bounded; the table below has their capacities", UNIT_BYTES);
    struct largest largest = {.table = &reading->samples};
    table_each(&reading->samples, "memory.pools.", ".live_bytes", largest_take, &largest);
    for (size_t i = 0; i < largest.count; i++) {
        char name[128];
        snprintf(name, sizeof name, "memory.pools.%s.live_bytes", largest.names[i]);
        line_of(&plot, reading, largest.names[i], name);
    }
    plot.height = MEMORY_HEIGHT;
    picture_end(out, &plot);
}

static void heap_picture(FILE *out, const struct reading *reading)
{
    struct plot plot =
        plot_of(reading, "What no pool bounds",
                "malloc is libmicrohttpd's and libc's: connections and replies", UNIT_BYTES);
    line_of(&plot, reading, "malloc, unexplained", "memory.process.malloc.unexplained_bytes");
    line_of(&plot, reading, "malloc, in use", "memory.process.malloc.in_use_bytes");
    line_of(&plot, reading, "unaccounted", "memory.process.unaccounted_bytes");
    picture_end(out, &plot);
}

/* ---- requests ---- */

static void latency_picture(FILE *out, const struct reading *reading)
{
    struct plot plot =
        plot_of(reading, "Latency, as clients saw it",
                "of each sample's interval: the median and the slowest hundredth", UNIT_SECONDS);
    plot.logarithmic = true;
    line_of(&plot, reading, "push, median", "driver.latency.push.p50");
    line_of(&plot, reading, "push, p99", "driver.latency.push.p99");
    line_of(&plot, reading, "query, median", "driver.latency.query.p50");
    line_of(&plot, reading, "query, p99", "driver.latency.query.p99");
    picture_end(out, &plot);
}

static void cpu_picture(FILE *out, const struct reading *reading, const struct figures *figures)
{
    struct plot plot =
        plot_of(reading, "CPU time a request",
                "hostile ones included, over a twenty-fourth of a day each", UNIT_SECONDS);
    plot_line(&plot, "CPU a request", figures->elapsed, figures->values[FIGURE_CPU], figures->rows);
    picture_end(out, &plot);
}

static void rates_picture(FILE *out, const struct reading *reading)
{
    struct plot plot = plot_of(reading, "Valid requests answered a second", NULL, UNIT_RATE);
    struct taken taken = {.count = 0};
    rate_line(&plot, &taken, reading, "push", "driver.requests.push");
    rate_line(&plot, &taken, reading, "query", "driver.requests.query");
    rate_line(&plot, &taken, reading, "summarize", "driver.requests.summarize");
    rate_line(&plot, &taken, reading, "scrape", "driver.requests.scrape");
    rate_line(&plot, &taken, reading, "page", "driver.requests.page");
    picture_end(out, &plot);
    taken_free(&taken);
}

static void samples_picture(FILE *out, const struct reading *reading)
{
    struct plot plot = plot_of(reading, "Samples a second", NULL, UNIT_RATE);
    struct taken taken = {.count = 0};
    rate_line(&plot, &taken, reading, "acknowledged", "driver.acknowledged_samples");
    rate_line(&plot, &taken, reading, "rejected", "driver.rejected_samples");
    picture_end(out, &plot);
    taken_free(&taken);
}

/* ---- one line for each of what the record has ---- */

struct each {
    struct plot *plot;
    struct taken *taken;
    const struct reading *reading;
    bool of_requests; /* of lifetimes: these, or the others */
};

static void each_rate(void *context, const char *key, const double *values)
{
    struct each *each = context;
    ratio_line(each->plot, each->taken, each->reading, key, values,
               table_column(&each->reading->samples, "elapsed"), 0);
}

static void each_line(void *context, const char *key, const double *values)
{
    const struct each *each = context;
    const struct table *samples = &each->reading->samples;
    plot_line(each->plot, key, table_column(samples, "elapsed"), values, samples->rows);
}

static void refusals_picture(FILE *out, const struct reading *reading)
{
    struct plot plot = plot_of(reading, "Refusals of valid requests, by reason",
                               "counted since the start; a refusal is an answer", UNIT_COUNT);
    struct each each = {.plot = &plot, .reading = reading};
    table_each(&reading->samples, "driver.refusals.", "", each_line, &each);
    picture_end(out, &plot);
}

/* Ten kinds on eight lines would hide two: so two pictures. */
static void hostile_pictures(FILE *out, const struct reading *reading)
{
    static const char *const kinds[2][5] = {
        {"oversized", "bomb", "garbage", "deep_json", "cardinality"},
        {"half_closed", "slow_body", "idle", "abort_reply", "abort_body"},
    };
    static const char *const titles[2] = {
        "Hostile clients begun a second: what they send",
        "Hostile clients begun a second: how they behave",
    };
    for (size_t half = 0; half < 2; half++) {
        struct plot plot = plot_of(reading, titles[half], NULL, UNIT_RATE);
        struct taken taken = {.count = 0};
        for (size_t i = 0; i < 5; i++) {
            char name[64];
            snprintf(name, sizeof name, "driver.hostile.%s.begun", kinds[half][i]);
            rate_line(&plot, &taken, reading, kinds[half][i], name);
        }
        picture_end(out, &plot);
        taken_free(&taken);
    }
}

static void closed_picture(FILE *out, const struct reading *reading)
{
    struct plot plot = plot_of(reading, "Connections that the service closed without a reply",
                               "a second, by cause: what hostile clients run into", UNIT_RATE);
    struct taken taken = {.count = 0};
    struct each each = {.plot = &plot, .taken = &taken, .reading = reading};
    table_each(&reading->samples, "memory.budget.admission.closed_without_reply_total.", "",
               each_rate, &each);
    picture_end(out, &plot);
    taken_free(&taken);
}

static void lifetime_line(void *context, const char *key, const double *values)
{
    const struct each *each = context;
    bool of_requests = strcmp(key, "request") == 0;
    if (of_requests != each->of_requests)
        return;
    const struct table *samples = &each->reading->samples;
    char name[128];
    snprintf(name, sizeof name, "memory.lifetimes.%s.count", key);
    ratio_line(each->plot, each->taken, each->reading, key, values, table_column(samples, name), 1);
}

static void lifetime_picture(FILE *out, const struct reading *reading, const char *title,
                             bool of_requests)
{
    struct plot plot =
        plot_of(reading, title, "the mean age at death, over each interval", UNIT_SECONDS);
    struct taken taken = {.count = 0};
    struct each each = {&plot, &taken, reading, of_requests};
    plot.logarithmic = !of_requests; /* seconds to days */
    table_each(&reading->samples, "memory.lifetimes.", ".sum", lifetime_line, &each);
    picture_end(out, &plot);
    taken_free(&taken);
}

void pictures_write(FILE *out, const struct reading *reading, const struct figures *figures)
{
    resident_picture(out, reading, figures);
    if (has_wall(reading))
        cgroup_picture(out, reading);
    pools_picture(out, reading);
    heap_picture(out, reading);
    latency_picture(out, reading);
    cpu_picture(out, reading, figures);
    rates_picture(out, reading);
    samples_picture(out, reading);
    refusals_picture(out, reading);
    hostile_pictures(out, reading);
    closed_picture(out, reading);
    lifetime_picture(out, reading, "How long a request lives", true);
    lifetime_picture(out, reading, "How long cached results, series and windows live", false);
}
