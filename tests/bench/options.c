#define _GNU_SOURCE 1
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_kind { TEXT, NUMBER, FLAG };

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t offset;
    const char *help;
};

/* The row's field of struct options. */
#define AT(field) offsetof(struct options, field)

/* clang-format off */
static const struct option_row ROWS[] = {
    {"--target",      TEXT,   AT(target),           "ADDR:PORT, on 127.0.0.0/8 only"},
    {"--path",        TEXT,   AT(path),             "{} in it is the body's number (/v1/push)"},
    {"--method",      TEXT,   AT(method),           "POST, PUT, GET or DELETE (POST)"},
    {"--connections", NUMBER, AT(connections),      "kept alive, one request each (4)"},
    {"--requests",    NUMBER, AT(requests),         "in all (1000)"},
    {"--seconds",     NUMBER, AT(seconds),          "begin no request later (120)"},
    {"--samples",     NUMBER, AT(shape.samples),    "in a body (1000)"},
    {"--series",      NUMBER, AT(shape.series),     "distinct (10000; 100 with --samples 1)"},
    {"--line-bytes",  NUMBER, AT(shape.line_bytes), "of a line (107; 62 with --samples 1)"},
    {"--seed",        NUMBER, AT(shape.seed),       "of values and line lengths (1)"},
    {"--format",      TEXT,   AT(format),           "prom, ndjson or one (a JSON value) (prom)"},
    {"--unsorted",    FLAG,   AT(shape.unsorted),   "labels out of order"},
    {"--gzip",        FLAG,   AT(shape.gzip),       "bodies; for a GET, the replies"},
    {"--stream",      NUMBER, AT(stream_bytes),     "SIZE of one chunked body, no requests"},
    {"--scrape",      FLAG,   AT(scrape),           "GET /metrics, 200 times, 1 connection"},
    {"--pid",         NUMBER, AT(pid),              "of the server: its CPU time and memory"},
    {"--settle-ms",   NUMBER, AT(settle_ms),        "before the last look at it (0)"},
    {"--rounds",      NUMBER, AT(rounds),           "of 1,000,000 samples (15; bench-floor)"},
    {"--json",        FLAG,   AT(json),             "one line of JSON"},
};
/* clang-format on */

static _Noreturn void usage(const char *about, const char *text)
{
    fprintf(stderr, "bench: %s%s\n", about, text);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        fprintf(stderr, "  %-14s %s\n", ROWS[i].name, ROWS[i].help);
    exit(2);
}

static const struct option_row *row_find(const char *name)
{
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        if (strcmp(ROWS[i].name, name) == 0)
            return &ROWS[i];
    }
    return NULL;
}

/* A count, or a size: 64k, 2GiB, 256MiB (powers of 1024). */
static uint64_t number_parse(const char *text)
{
    static const char UNITS[] = "kmgt";
    char *end;
    uint64_t number;
    const char *unit;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (end == text || errno != 0 || *text == '-')
        usage("not a number: ", text);
    if (*end == '\0')
        return number;
    unit = strchr(UNITS, *end | 0x20);
    if (unit == NULL || (end[1] != '\0' && strcasecmp(end + 1, "iB") != 0) ||
        number > UINT64_MAX >> 10 * (unit - UNITS + 1))
        usage("not a size: ", text);
    return number << 10 * (unit - UNITS + 1);
}

static void options_set(struct options *options, const struct option_row *row, const char *value)
{
    void *field = (char *)options + row->offset;

    switch (row->kind) {
    case FLAG:
        *(bool *)field = true;
        break;
    case NUMBER:
        *(uint64_t *)field = number_parse(value);
        break;
    case TEXT:
        *(const char **)field = value;
        break;
    }
}

/* A load generator aimed at someone else's machine is a weapon: only 127.0.0.0/8 is taken. */
static void target_parse(struct options *options)
{
    const char *colon = strrchr(options->target, ':');
    char host[16];
    size_t length = colon == NULL ? 0 : (size_t)(colon - options->target);
    uint64_t port = colon == NULL ? 0 : number_parse(colon + 1);

    if (length == 0 || length >= sizeof(host) || port == 0 || port > 65535)
        usage("not ADDR:PORT: ", options->target);
    memcpy(host, options->target, length);
    host[length] = '\0';
    options->address.sin_family = AF_INET;
    options->address.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, host, &options->address.sin_addr) != 1 ||
        ntohl(options->address.sin_addr.s_addr) >> 24 != 127)
        usage("not a loopback address: ", options->target);
}

static void format_parse(struct options *options)
{
    if (strcmp(options->format, "prom") == 0)
        options->shape.format = BODIES_PROM;
    else if (strcmp(options->format, "ndjson") == 0)
        options->shape.format = BODIES_NDJSON;
    else if (strcmp(options->format, "one") == 0)
        options->shape.format = BODIES_ONE;
    else
        usage("not a format: ", options->format);
}

bool options_push(const struct options *options)
{
    return strcmp(options->method, "POST") == 0 || strcmp(options->method, "PUT") == 0;
}

/* What was not given; one-sample pushes have defaults of their own. */
static void options_complete(struct options *options)
{
    bool one = options->shape.samples == 1;

    if (options->method == NULL)
        options->method = options->scrape ? "GET" : "POST";
    if (options->path == NULL)
        options->path = options->scrape ? "/metrics" : "/v1/push";
    if (options->requests == 0)
        options->requests = options->scrape ? 200 : 1000;
    if (options->connections == 0)
        options->connections = options->scrape ? 1 : 4;
    if (options->shape.series == 0)
        options->shape.series = one ? 100 : 10000;
    if (options->shape.line_bytes == 0)
        options->shape.line_bytes = one ? 62 : 107;
}

static void options_check(const struct options *options)
{
    if (!options_push(options) && strcmp(options->method, "GET") != 0 &&
        strcmp(options->method, "DELETE") != 0)
        usage("not a method: ", options->method);
    if (options->path[0] != '/')
        usage("not a path: ", options->path);
    if (options->requests > OPTIONS_REQUESTS_MAX || options->connections > OPTIONS_CONNECTIONS_MAX)
        usage("too many requests or connections", "");
    if (options->shape.line_bytes > 256)
        usage("lines are 256 bytes at most", "");
    if (options->shape.samples > 1000000 || options->shape.series > 1000000)
        usage("a million samples and series at most", "");
    if (options->stream_bytes > 0 &&
        (options->shape.gzip || !options_push(options) || options->shape.format == BODIES_ONE))
        usage("--stream is a plain POST of prom or ndjson", "");
}

struct options options_parse(int argc, char **argv)
{
    struct options options = {.format = "prom", .seconds = 120, .rounds = 15};

    options.shape.samples = 1000;
    options.shape.seed = 1;
    for (int i = 1; i < argc; i++) {
        const struct option_row *row = row_find(argv[i]);

        if (row == NULL || (row->kind != FLAG && i + 1 == argc))
            usage("unknown or without its value: ", argv[i]);
        options_set(&options, row, row->kind == FLAG ? NULL : argv[++i]);
    }
    options_complete(&options);
    format_parse(&options);
    if (options.target != NULL)
        target_parse(&options);
    options_check(&options);
    return options;
}
