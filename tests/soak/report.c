/* report.c: see report.h. */
#include "report.h"

#include "figures.h"
#include "findings.h"
#include "page.h"
#include "pictures.h"
#include "reading.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FOLLOW_SECONDS 60
#define NOTHING 2 /* to report on */

struct options {
    const char *directory;
    const char *docker; /* NULL: docker.json in the directory, when it is there */
    bool follow;
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

/* ---- files ---- */

typedef void file_write(FILE *out, const json_t *report, const struct reading *reading,
                        const struct figures *figures);

static void json_file(FILE *out, const json_t *report, const struct reading *reading,
                      const struct figures *figures)
{
    (void)reading;
    (void)figures;
    json_dumpf(report, out, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    fputc('\n', out);
}

static void memory_file(FILE *out, const json_t *report, const struct reading *reading,
                        const struct figures *figures)
{
    (void)report;
    picture_memory(out, reading, figures);
}

static char *path_make(const char *directory, const char *name)
{
    size_t room = strlen(directory) + strlen(name) + 2;
    char *path = heap_take(NULL, room);
    snprintf(path, room, "%s/%s", directory, name);
    return path;
}

/* Whoever looks meanwhile sees the old file whole, or the new one. */
static bool file_replace(const char *directory, const char *name, file_write *write,
                         const json_t *report, const struct reading *reading,
                         const struct figures *figures)
{
    char *path = path_make(directory, name);
    char *fresh = path_make(directory, "report.new");
    FILE *out = fopen(fresh, "w");
    bool ok = out != NULL;
    if (ok) {
        write(out, report, reading, figures);
        ok = ferror(out) == 0;
        ok = fclose(out) == 0 && ok;
        ok = ok && rename(fresh, path) == 0;
    }
    if (!ok)
        fprintf(stderr, "mayfly-soak: %s: %s\n", path, strerror(errno));
    free(path);
    free(fresh);
    return ok;
}

static bool files_write(const struct options *options, const json_t *report,
                        const struct reading *reading, const struct figures *figures)
{
    static const struct {
        const char *name;
        file_write *write;
    } files[] = {
        {"report.json", json_file}, {"report.html", page_write}, {"memory.svg", memory_file}};
    bool ok = true;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        ok = file_replace(options->directory, files[i].name, files[i].write, report, reading,
                          figures) &&
             ok;
    return ok;
}

/* JSON null: it is there, or should be, and cannot be read. NULL: nobody asked the engine. */
static json_t *docker_read(const struct options *options)
{
    char *beside = path_make(options->directory, "docker.json");
    const char *path = options->docker != NULL ? options->docker : beside;
    json_error_t error;
    json_t *docker = NULL;
    if (options->docker != NULL || access(path, F_OK) == 0) {
        docker = json_load_file(path, 0, &error);
        if (docker == NULL)
            fprintf(stderr, "mayfly-soak: %s: %s\n", path, error.text);
        docker = docker != NULL ? docker : json_null();
    }
    free(beside);
    return docker;
}

/* ---- a report ---- */

static void print_list(const char *title, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row)
        printf("%s%zu. %s\n", i == 0 ? title : "", i + 1, member_text(row, "text"));
}

static void print(const json_t *report)
{
    verdict_tell(stdout, report);
    print_list("\n\n", json_object_get(report, "findings"));
    print_list("\nWorth knowing, and no failure:\n", json_object_get(report, "remarks"));
    putchar('\n');
    fflush(stdout);
}

static int report_make(const struct options *options, const struct reading *reading)
{
    struct figures figures = figures_make(reading);
    json_t *docker = docker_read(options);
    json_t *report = findings_judge(reading, &figures, docker);
    int code = (int)json_integer_value(json_object_get(report, "exit_code"));
    if (!files_write(options, report, reading, &figures))
        code = NOTHING;
    if (!options->follow || stopping || strcmp(run_state(reading), "running") != 0)
        print(report);
    json_decref(report);
    json_decref(docker);
    figures_free(&figures);
    return code;
}

static int report_once(const struct options *options, struct reading *reading)
{
    if (!reading_read(reading)) {
        fprintf(stderr, "mayfly-soak: %s: %s\n", reading->path, strerror(errno));
        return NOTHING;
    }
    if (reading->samples.rows == 0 && reading->quiets.rows == 0) {
        fprintf(stderr, "mayfly-soak: %s has no sample yet\n", reading->path);
        return NOTHING;
    }
    return report_make(options, reading);
}

static int report_follow(const struct options *options, struct reading *reading)
{
    int code = report_once(options, reading);
    while (!stopping && strcmp(run_state(reading), "running") == 0) {
        const struct timespec minute = {.tv_sec = FOLLOW_SECONDS};
        nanosleep(&minute, NULL); /* which a signal ends */
        code = report_once(options, reading);
    }
    return code;
}

/* ---- the command line ---- */

static int usage(void)
{
    fputs("usage: mayfly-soak report DIR [--follow] [--docker FILE]\n", stderr);
    return NOTHING;
}

static bool options_take(struct options *options, int argc, char **argv)
{
    const char *follow = getenv("SOAK_FOLLOW");
    options->docker = getenv("SOAK_DOCKER");
    options->follow = follow != NULL && follow[0] != '\0' && strcmp(follow, "0") != 0;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--follow") == 0)
            options->follow = true;
        else if (strcmp(argv[i], "--docker") == 0 && i + 1 < argc)
            options->docker = argv[++i];
        else if (argv[i][0] == '-' || options->directory != NULL)
            return false;
        else
            options->directory = argv[i];
    }
    return options->directory != NULL;
}

/* As the first process of a container it would be deaf to SIGTERM otherwise. */
static void signals_take(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

int report_main(int argc, char **argv)
{
    struct options options = {0};
    if (!options_take(&options, argc, argv))
        return usage();
    struct reading *reading = heap_take(NULL, sizeof *reading); /* large for a stack */
    reading_open(reading, options.directory);
    if (options.follow)
        signals_take();
    int code = options.follow ? report_follow(&options, reading) : report_once(&options, reading);
    reading_close(reading);
    free(reading);
    return code;
}
