#define _GNU_SOURCE 1
#include "bodies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define POD_SERIES (BODIES_FAMILIES * BODIES_MEMBERS)
#define LINE_SPREAD                                                                                \
    17u /* lengths differ by -8 .. +8: equal ones would flatter branch predictors                  \
         */
#define NAME_MAX_BYTES 64

struct label {
    const char *name;
    char value[320];
};

/* One sample before it is written in a format. */
struct row {
    char name[NAME_MAX_BYTES];
    struct label labels[4];
    size_t label_count;
    char value[32];
};

static const char *const SUBSYSTEMS[] = {"http", "grpc", "db",   "cache", "queue",
                                         "disk", "auth", "jobs", "mail",  "search"};
static const char *const THINGS[] = {"requests", "errors", "retries", "sent_bytes", "timeouts"};
static const char *const CODES[] = {"200", "204", "400", "404", "500"};
static const char *const METHODS[] = {"GET", "PUT", "POST", "DELETE"};

/* Fills a route up to the wanted line length. */
static const char FILLER[] =
    "/items/details/orders/invoices/customers/addresses/shipments/parcels/labels/prices"
    "/stock/places/shelves/returns/refunds/vouchers/points/levels/badges/friends/messages"
    "/threads/replies/likes/tags/images/sizes/colours/styles/brands/makers/dealers";

/* splitmix64: a value for each (seed, series, body) without any state. */
static uint64_t mixed(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static unsigned family_of(uint64_t series)
{
    return (unsigned)(series % POD_SERIES / BODIES_MEMBERS);
}

static void family_name(unsigned family, char name[NAME_MAX_BYTES])
{
    snprintf(name, NAME_MAX_BYTES, "%s_%s_total", SUBSYSTEMS[family / 5], THINGS[family % 5]);
}

static void row_add_label(struct row *row, const char *name, const char *value)
{
    struct label *label = &row->labels[row->label_count++];

    label->name = name;
    snprintf(label->value, sizeof(label->value), "%s", value);
}

static size_t row_line_bytes(const struct row *row)
{
    size_t bytes = strlen(row->name) + strlen("{} \n") + strlen(row->value) + row->label_count - 1;

    for (size_t i = 0; i < row->label_count; i++)
        bytes += strlen(row->labels[i].name) + strlen("=\"\"") + strlen(row->labels[i].value);
    return bytes;
}

/* The route takes up what is missing; a line that is longer already stays so. The value's length is
 * left out: with it, a series would be another one whenever its value has a digit more. */
static void row_fill_route(struct row *row, uint64_t wanted)
{
    struct label *route = &row->labels[row->label_count - 1];
    size_t bytes = row_line_bytes(row) - strlen(row->value) + strlen("17");
    size_t missing = wanted > bytes ? (size_t)wanted - bytes : 0;
    size_t length = strlen(route->value);

    if (missing > sizeof(FILLER) - 1)
        missing = sizeof(FILLER) - 1;
    memcpy(route->value + length, FILLER, missing);
    route->value[length + missing] = '\0';
}

static void row_swap_labels(struct row *row, size_t a, size_t b)
{
    struct label kept = row->labels[a];

    row->labels[a] = row->labels[b];
    row->labels[b] = kept;
}

/* Increments of 1 .. 99, every eighth with quarters behind the point. */
static double row_set_value(struct row *row, uint64_t random)
{
    unsigned whole = 1 + (unsigned)(random % 99);
    unsigned quarters = (random >> 32) % 8 == 0 ? (unsigned)(random >> 40) % 4 : 0;

    if (quarters == 0)
        snprintf(row->value, sizeof(row->value), "%u", whole);
    else
        snprintf(row->value, sizeof(row->value), "%u.%02u", whole, quarters * 25);
    return whole + quarters * 0.25;
}

static double row_make(struct row *row, const struct bodies_shape *shape, uint64_t series,
                       uint64_t k)
{
    unsigned family = family_of(series);
    unsigned member = (unsigned)(series % BODIES_MEMBERS);
    uint64_t random = mixed(shape->seed ^ mixed(series));
    double value;
    char text[32];

    row->label_count = 0;
    family_name(family, row->name);
    value = row_set_value(row, mixed(random + k));
    if (family % 2 == 0)
        row_add_label(row, "code", CODES[member / 4]);
    row_add_label(row, "method", METHODS[member % 4]);
    snprintf(text, sizeof(text), "web-%llu", (unsigned long long)(series / POD_SERIES));
    row_add_label(row, "pod", text);
    snprintf(text, sizeof(text), "/%02u", member);
    row_add_label(row, "route", text);
    row_fill_route(row, shape->line_bytes + random % LINE_SPREAD - LINE_SPREAD / 2);
    if (shape->unsorted)
        row_swap_labels(row, 0, row->label_count - 1);
    return value;
}

static void row_write_prom(const struct row *row, struct text *out)
{
    const char *before = "{";

    text_add(out, row->name, strlen(row->name));
    for (size_t i = 0; i < row->label_count; i++) {
        text_format(out, "%s%s=\"%s\"", before, row->labels[i].name, row->labels[i].value);
        before = ",";
    }
    text_format(out, "} %s\n", row->value);
}

static void row_write_json(const struct row *row, struct text *out)
{
    const char *before = "";

    text_format(out, "{\"name\":\"%s\",\"kind\":\"counter\",\"labels\":{", row->name);
    for (size_t i = 0; i < row->label_count; i++) {
        text_format(out, "%s\"%s\":\"%s\"", before, row->labels[i].name, row->labels[i].value);
        before = ",";
    }
    text_format(out, "},\"value\":%s}", row->value);
}

static void body_add_series(struct body *body, const struct bodies_shape *shape, uint64_t series,
                            uint64_t k)
{
    struct row row;

    body->value_sum += row_make(&row, shape, series, k);
    body->samples++;
    if (shape->format == BODIES_PROM) {
        row_write_prom(&row, &body->text);
        return;
    }
    if (shape->format == BODIES_ONE && body->samples > 1)
        text_add(&body->text, ",", 1);
    row_write_json(&row, &body->text);
    if (shape->format == BODIES_NDJSON)
        text_add(&body->text, "\n", 1);
}

static void body_add_type_line(struct body *body, unsigned family)
{
    char name[NAME_MAX_BYTES];

    family_name(family, name);
    text_format(&body->text, "# TYPE %s counter\n", name);
}

/* The series of one family among the body's. */
static void body_add_family(struct body *body, const struct bodies_shape *shape, uint64_t k,
                            unsigned family)
{
    bool begun = false;

    for (uint64_t i = 0; i < shape->samples; i++) {
        uint64_t series = (k * shape->samples + i) % shape->series;

        if (family_of(series) != family)
            continue;
        if (!begun && shape->format == BODIES_PROM)
            body_add_type_line(body, family);
        begun = true;
        body_add_series(body, shape, series, k);
    }
}

static void body_compress(struct body *body)
{
    z_stream stream = {0};
    struct text packed = {0};

    /* 15 + 16: a window of 32 KiB, in gzip's wrapping. */
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        die("zlib does not start");
    packed.capacity = deflateBound(&stream, (uLong)body->text.length);
    packed.at = zeroed(packed.capacity, 1);
    stream.next_in = (Bytef *)body->text.at;
    stream.avail_in = (uInt)body->text.length;
    stream.next_out = (Bytef *)packed.at;
    stream.avail_out = (uInt)packed.capacity;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        die("zlib does not end");
    packed.length = stream.total_out;
    deflateEnd(&stream);
    text_free(&body->text);
    body->text = packed;
}

static void body_make(struct body *body, const struct bodies_shape *shape, uint64_t k)
{
    bool array = shape->format == BODIES_ONE && shape->samples > 1;

    if (array)
        text_add(&body->text, "[", 1);
    for (unsigned family = 0; family < BODIES_FAMILIES; family++)
        body_add_family(body, shape, k, family);
    if (array)
        text_add(&body->text, "]", 1);
    if (shape->gzip)
        body_compress(body);
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

const char *bodies_content_type(enum bodies_format format)
{
    switch (format) {
    case BODIES_NDJSON:
        return "application/x-ndjson";
    case BODIES_ONE:
        return "application/json";
    case BODIES_PROM:
        break;
    }
    return "text/plain; version=0.0.4";
}

struct bodies bodies_make(const struct bodies_shape *shape)
{
    struct bodies bodies = {0};

    if (shape->samples == 0 || shape->series == 0 || shape->samples > shape->series)
        die("a body holds 1 .. --series samples; --samples %llu, --series %llu",
            (unsigned long long)shape->samples, (unsigned long long)shape->series);
    bodies.count = shape->series / common_divisor(shape->series, shape->samples);
    if (bodies.count > BODIES_BYTES_MAX / shape->samples / (2 * shape->line_bytes + 64))
        die("%zu bodies would be needed: let --samples divide --series", bodies.count);
    bodies.at = zeroed(bodies.count, sizeof(*bodies.at));
    for (size_t k = 0; k < bodies.count; k++)
        body_make(&bodies.at[k], shape, k);
    return bodies;
}

struct bodies bodies_make_by_family(const struct bodies_shape *shape)
{
    struct bodies bodies = {.at = zeroed(BODIES_FAMILIES, sizeof(struct body))};
    struct bodies_shape whole = *shape;

    whole.samples = shape->series;
    for (unsigned family = 0; family < BODIES_FAMILIES; family++) {
        struct body *body = &bodies.at[bodies.count];

        body_add_family(body, &whole, 0, family);
        if (body->samples == 0)
            break;
        if (shape->format == BODIES_PROM)
            body->type_line_bytes = (size_t)(strchr(body->text.at, '\n') + 1 - body->text.at);
        bodies.count++;
    }
    return bodies;
}

void bodies_free(struct bodies *bodies)
{
    for (size_t k = 0; k < bodies->count; k++)
        text_free(&bodies->at[k].text);
    free(bodies->at);
    *bodies = (struct bodies){0};
}
