/* wall.c: see wall.h. */
#include "wall.h"

#include "plot.h"
#include "reading.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOT_DRAWN 2

struct options {
    const char *out;
    const char *title;
    const char *subtitle;
    double wall; /* bytes; NAN: as the records say */
    const char *runs[PLOT_SERIES];
    size_t run_count;
};

static int usage(void)
{
    fprintf(stderr,
            "usage: mayfly-soak wall OUT.svg LABEL=DIR... [--wall SIZE] [--title TEXT] "
            "[--subtitle TEXT]\nat most %d runs; SIZE: 134217728, 131072KiB, 128MiB, 1GiB\n",
            PLOT_SERIES);
    return NOT_DRAWN;
}

/* NAN: that is no size. */
static double size_of(const char *text)
{
    static const struct {
        const char *suffix;
        double bytes;
    } units[] = {{"", 1}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}};
    char *end;
    double number = strtod(text, &end);
    for (size_t i = 0; end != text && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].suffix) == 0)
            return number * units[i].bytes;
    }
    return NAN;
}

static bool option_take(struct options *options, const char *name, const char *value)
{
    if (value == NULL)
        return false;
    if (strcmp(name, "--wall") == 0)
        options->wall = size_of(value);
    else if (strcmp(name, "--title") == 0)
        options->title = value;
    else if (strcmp(name, "--subtitle") == 0)
        options->subtitle = value;
    else
        return false;
    return strcmp(name, "--wall") != 0 || options->wall > 0;
}

static bool argument_take(struct options *options, const char *argument)
{
    if (options->out == NULL) {
        options->out = argument;
        return true;
    }
    if (strchr(argument, '=') == NULL || options->run_count == PLOT_SERIES)
        return false;
    options->runs[options->run_count++] = argument;
    return true;
}

static bool options_take(struct options *options, int argc, char **argv)
{
    bool ok = true;
    for (int i = 2; ok && i < argc; i++) {
        if (argv[i][0] == '-')
            ok = option_take(options, argv[i], argv[i + 1]), i++;
        else
            ok = argument_take(options, argv[i]);
    }
    return ok && options->run_count > 0;
}

/* When the server was gone; NAN: it was not. */
static double gone_at(const struct reading *reading)
{
    size_t i;
    json_t *event;
    json_array_foreach (reading->events, i, event) {
        if (strcmp(member_text(event, "what"), "server_gone") == 0)
            return member_number(event, "elapsed");
    }
    return NAN;
}

static void run_draw(struct plot *plot, const struct reading *reading, const char *label)
{
    const struct table *samples = &reading->samples;
    const double *rss = table_column(samples, "proc.rss");
    if (rss == NULL)
        rss = table_column(samples, "memory.process.rss_bytes");
    struct plot_series *series =
        plot_line(plot, label, table_column(samples, "elapsed"), rss, samples->rows);
    double gone = gone_at(reading);
    if (series == NULL || isnan(gone))
        return;
    series->ended = true;
    snprintf(series->words, sizeof series->words, "gone after %s", word_elapsed(gone).text);
}

static bool run_read(struct reading *reading, const char *run)
{
    const char *directory = strrchr(run, '=') + 1;
    reading_open(reading, directory);
    if (reading_read(reading) && reading->samples.rows > 0)
        return true;
    fprintf(stderr, "mayfly-soak: %s: %s\n", reading->path,
            errno != 0 ? strerror(errno) : "no sample is in it");
    return false;
}

static bool picture_write(const struct options *options, const struct plot *plot)
{
    FILE *out = fopen(options->out, "w");
    bool ok = out != NULL;
    if (ok) {
        plot_write(out, plot, true);
        ok = ferror(out) == 0;
        ok = fclose(out) == 0 && ok;
    }
    if (!ok)
        fprintf(stderr, "mayfly-soak: %s: %s\n", options->out, strerror(errno));
    return ok;
}

/* The label is what stands before the last =. */
static void runs_draw(const struct options *options, const struct reading *readings,
                      struct plot *plot)
{
    double wall = options->wall;
    for (size_t i = 0; i < options->run_count; i++) {
        char label[64];
        const char *run = options->runs[i];
        snprintf(label, sizeof label, "%.*s", (int)(strrchr(run, '=') - run), run);
        run_draw(plot, &readings[i], label);
        if (isnan(wall))
            wall = member_number(readings[i].start, "wall_bytes");
    }
    plot_limit(plot, "the wall:", wall);
}

int wall_main(int argc, char **argv)
{
    struct options options = {.title = "Resident memory behind the same wall", .wall = NAN};
    if (!options_take(&options, argc, argv))
        return usage();
    struct plot plot = {.title = options.title,
                        .subtitle = options.subtitle,
                        .unit = UNIT_BYTES,
                        .width = 940,
                        .height = 400};
    struct reading *readings = heap_take(NULL, options.run_count * sizeof *readings);
    size_t opened = 0;
    bool ok = true;
    errno = 0;
    while (ok && opened < options.run_count) {
        ok = run_read(&readings[opened], options.runs[opened]);
        opened++;
    }
    if (ok)
        runs_draw(&options, readings, &plot);
    ok = ok && picture_write(&options, &plot);
    for (size_t i = 0; i < opened; i++)
        reading_close(&readings[i]);
    free(readings);
    return ok ? 0 : NOT_DRAWN;
}
