#define _GNU_SOURCE 1
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Ten years: more is a typing error. */
#define LONGEST (3650.0 * 86400)

enum option_kind { TEXT, NUMBER, RATE, DURATION, ENDPOINT, DIALECT };

struct option_row {
    const char *name; /* --name; in the environment SOAK_NAME */
    enum option_kind kind;
    size_t offset;
    double least;
    double most;
    const char *help;
};

/* The row's field of struct soak_options. */
#define AT(field) offsetof(struct soak_options, field)

/* clang-format off */
static const struct option_row ROWS[] = {
    {"target",   ENDPOINT, AT(target),           0,   0, "HOST:PORT of the data listener"},
    {"operator", ENDPOINT, AT(operator),         0,   0, "HOST:PORT of its operator listener"},
    {"pid",      NUMBER,   AT(pid),              0,   1e9, "of the server, for its /proc (0: no)"},
    {"duration", DURATION, AT(duration_seconds), 1,   LONGEST, "of the whole run (3d)"},
    {"day",      DURATION, AT(day_seconds),      1,   LONGEST, "of the wave (1d, duration / 4)"},
    {"quiet",    DURATION, AT(quiet_seconds),    1,   LONGEST, "quiet points (10m, duration / 8)"},
    {"sample",   DURATION, AT(sample_seconds),   0.1, LONGEST, "samples (1s, duration / 4320)"},
    {"rate",     RATE,     AT(rate),             0.1, 1e5, "mean valid requests a second (40)"},
    {"hostile",  RATE,     AT(hostile),          0,   1e4, "mean hostile clients a second (4)"},
    {"pods",     NUMBER,   AT(pods),             1,   10000, "that push at a time (20)"},
    {"seed",     NUMBER,   AT(seed),             0,   9e15, "of all that is sent (1)"},
    {"drill",    TEXT,     AT(drill),            0,   0, "kind of a leak to start on purpose"},
    {"dialect",  DIALECT,  AT(dialect),          0,   0, "mayfly, pushgateway, victoria-metrics"},
    {"commit",   TEXT,     AT(commit),           0,   0, "of the server, for the record"},
};
/* clang-format on */

#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

static _Noreturn void usage(const char *about, const char *text)
{
    fprintf(stderr, "mayfly-soak: %s%s\n", about, text);
    fputs("mayfly-soak run DIR [options]; each also as environment SOAK_NAME:\n", stderr);
    for (size_t i = 0; i < ROW_COUNT; i++)
        fprintf(stderr, "  --%-9s %s\n", ROWS[i].name, ROWS[i].help);
    exit(2);
}

static double number_parse(const char *text, const char **end)
{
    char *after;
    double number;

    errno = 0;
    number = strtod(text, &after);
    if (after == text || errno != 0 || !isfinite(number) || number < 0)
        usage("not a number: ", text);
    *end = after;
    return number;
}

/* 90, 90s, 45m, 6h, 3d; in seconds. */
static double duration_parse(const char *text)
{
    static const char UNITS[] = "smhd";
    static const double SECONDS[] = {1, 60, 3600, 86400};
    const char *end;
    double number = number_parse(text, &end);
    const char *unit = *end == '\0' ? UNITS : strchr(UNITS, *end);

    if (unit == NULL || (*end != '\0' && end[1] != '\0'))
        usage("not a duration (90s, 45m, 3d): ", text);
    return number * SECONDS[unit - UNITS];
}

static double plain_parse(const struct option_row *row, const char *text)
{
    const char *end;
    double number = number_parse(text, &end);

    if (*end != '\0' || (row->kind == NUMBER && number != floor(number)))
        usage("not a number: ", text);
    return number;
}

/* The first IPv4 address of the name; in a network of containers it is known by a name only. */
static struct soak_endpoint endpoint_parse(const char *text)
{
    struct soak_endpoint endpoint = {.name = text};
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const char *colon = strrchr(text, ':');
    char host[256];
    int error;

    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof(host))
        usage("not HOST:PORT: ", text);
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    error = getaddrinfo(host, colon + 1, &hints, &found);
    if (error != 0) {
        fprintf(stderr, "mayfly-soak: %s: %s\n", text, gai_strerror(error));
        exit(2);
    }
    memcpy(&endpoint.address, found->ai_addr, sizeof(endpoint.address));
    freeaddrinfo(found);
    return endpoint;
}

static enum soak_dialect dialect_parse(const char *text)
{
    static const char *const NAMES[] = {
        [DIALECT_MAYFLY] = "mayfly",
        [DIALECT_PUSHGATEWAY] = "pushgateway",
        [DIALECT_VICTORIA] = "victoria-metrics",
    };

    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (strcmp(NAMES[i], text) == 0)
            return (enum soak_dialect)i;
    }
    usage("not a dialect: ", text);
}

static void number_set(const struct option_row *row, void *field, double number)
{
    if (number < row->least || number > row->most)
        usage("out of range: --", row->name);
    if (row->offset == AT(pods))
        *(uint32_t *)field = (uint32_t)number;
    else if (row->kind == NUMBER)
        *(uint64_t *)field = (uint64_t)number;
    else
        *(double *)field = number;
}

static void option_set(struct soak_options *options, const struct option_row *row,
                       const char *value)
{
    void *field = (char *)options + row->offset;

    switch (row->kind) {
    case TEXT:
        *(const char **)field = value;
        break;
    case ENDPOINT:
        *(struct soak_endpoint *)field = endpoint_parse(value);
        break;
    case DIALECT:
        *(enum soak_dialect *)field = dialect_parse(value);
        break;
    case DURATION:
        number_set(row, field, duration_parse(value));
        break;
    case NUMBER:
    case RATE:
        number_set(row, field, plain_parse(row, value));
        break;
    }
}

/* An empty variable is one that is not set: compose files pass on what nobody gave that way. */
static void environment_read(struct soak_options *options)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char name[32] = "SOAK_";
        size_t length = strlen(name);
        const char *value;

        for (const char *at = ROWS[i].name; *at != '\0'; at++)
            name[length++] = (char)(*at == '-' ? '_' : toupper((unsigned char)*at));
        value = getenv(name);
        if (value != NULL && *value != '\0')
            option_set(options, &ROWS[i], value);
    }
}

static const struct option_row *row_find(const char *argument)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strncmp(argument, "--", 2) == 0 && strcmp(argument + 2, ROWS[i].name) == 0)
            return &ROWS[i];
    }
    return NULL;
}

/* What was not given. */
static void options_complete(struct soak_options *options)
{
    double duration = options->duration_seconds;

    if (options->day_seconds == 0)
        options->day_seconds = fmin(86400, duration / 4);
    if (options->quiet_seconds == 0)
        options->quiet_seconds = fmin(600, duration / 8);
    options->quiet_seconds = fmax(10, floor(options->quiet_seconds / 10) * 10);
    if (options->sample_seconds == 0)
        options->sample_seconds = fmax(1, duration / 4320);
}

static void options_check(const struct soak_options *options)
{
    if (options->directory == NULL)
        usage("in which directory is the record kept?", "");
    if (options->target.name == NULL)
        usage("where is the server? --target HOST:PORT", "");
    if (options->dialect == DIALECT_MAYFLY && options->operator.name == NULL)
        usage("where is its operator listener? --operator HOST:PORT", "");
}

struct soak_options soak_options_parse(int argc, char **argv)
{
    struct soak_options options = {
        .duration_seconds = 3 * 86400.0, .rate = 40, .hostile = 4, .pods = 20, .seed = 1};

    environment_read(&options);
    for (int i = 2; i < argc; i++) {
        const struct option_row *row = row_find(argv[i]);

        if (row == NULL && argv[i][0] != '-' && options.directory == NULL)
            options.directory = argv[i];
        else if (row == NULL || i + 1 == argc)
            usage("unknown or without its value: ", argv[i]);
        else
            option_set(&options, row, argv[++i]);
    }
    options_complete(&options);
    options_check(&options);
    return options;
}
