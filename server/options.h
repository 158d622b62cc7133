/*
 * options.h: where the settings come from.
 *
 *     defaults  <  one YAML file  <  environment  <  flags      the rightmost that speaks wins
 *                  --config FILE     MAYFLY_LIMITS_LINE_BYTES   --limits-line-bytes 16KiB
 *                  limits:
 *                    line_bytes: 16KiB
 *
 * Names, help, the file's keys and the template all come from the rows of config/settings.def: a
 * new row needs no line here. Every value given is checked, also one that a stronger source
 * overrides; a name nobody knows is an error that suggests the closest. Variables that Kubernetes
 * adds for a Service called mayfly (MAYFLY_SERVICE_HOST, MAYFLY_PORT, ...) are not ours and are
 * passed over.
 *
 * options.c takes the flags and the environment and decides who wins; config_file.h reads the file,
 * option_words.h knows the names, options_text.c writes what is declared below as options_write_*.
 *
 * Owner:    main; on its stack or static.
 * Lifetime: read before anything is reserved; the heap is used meanwhile (libcyaml), and all of it
 *           freed.
 * Threads:  one (getopt keeps its place in globals).
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include "base/settings.h"

#include <stdio.h>

/* The place of each setting in settings_rows and in options.source: OPTION_ROW_memory, ... */
enum option_row {
#define SETTING(ident, path, kind, initial, floor, ceiling, reason) OPTION_ROW_##ident,
#define TEXT(ident, path, initial, reason) OPTION_ROW_##ident,
#include "settings.def"
#undef SETTING
#undef TEXT
    OPTION_ROWS,
};

enum option_source {
    OPTION_DEFAULT,
    OPTION_FILE,
    OPTION_ENVIRONMENT,
    OPTION_FLAG,
};

enum option_command {
    OPTION_RUN,
    OPTION_PLAN,
    OPTION_CHECK_CONFIG,
    OPTION_PRINT_CONFIG,
    OPTION_PROBE,
    OPTION_VERSION,
    OPTION_HELP,
};

/* The caller's exit codes: 2 for BAD_USAGE, 1 for BAD_SETTING. */
enum options_outcome {
    OPTIONS_FINE,
    OPTIONS_BAD_USAGE,   /* a flag nobody knows, one without its value, a stray argument */
    OPTIONS_BAD_SETTING, /* a value, a variable or the file */
};

#define OPTION_PATH_BYTES 4096      /* PATH_MAX */
#define OPTION_PROBLEM_BYTES 512    /* enough for every problem below; a longer one is cut */
#define OPTION_FILE_BYTES (1 << 18) /* the most a file may have; the template has 6 KiB */

struct options {
    struct settings settings;
    enum option_source source[OPTION_ROWS];
    enum option_command command;
    char config_path[OPTION_PATH_BYTES]; /* "" when no file was named */
};

/*
 * Reads all sources. `environment` is a NULL-terminated list of NAME=value. --help and --version
 * end the reading where they stand: nothing else is looked at. Unless OPTIONS_FINE comes back,
 * `problem` holds one line that names the setting, the value, where it came from and what would do:
 *
 *     limits.line_bytes: 10 is below the least, 1KiB (from --limits-line-bytes)
 */
enum options_outcome options_read(struct options *options, int argc, char **argv,
                                  char *const *environment, char *problem, size_t problem_bytes);

/* "default", "file", "environment" or "flag". */
const char *option_source_name(enum option_source source);

/* --help: every setting with its bounds, environment name and reason, at most 100 columns wide. */
void options_write_help(FILE *out);

/* --print-config: the settings in effect, as YAML that --config reads back as the same. */
void options_write_config(FILE *out, const struct options *options);

/*
 * config/mayfly.yaml: every setting at its default, commented out, under its reason. A unit test
 * compares the file.
 */
void options_write_template(FILE *out);

#endif
