/* traffic.c: see traffic.h. */
#include "traffic.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define HOUR_MS INT64_C(3600000)

/* ---- metrics ---- */

struct metric {
    const char *name;
    uint8_t kind;
    uint8_t grain;  /* values are multiples of 2^-grain */
    uint8_t series; /* that stay */
    bool is_signed;
};

static const struct metric metrics[] = {
    {"hits", KIND_COUNTER, 0, 24, false},
    {"bytes_sent", KIND_COUNTER, 0, 12, false},
    {"seconds_busy", KIND_COUNTER, 2, 12, false},
    {"errors", KIND_COUNTER, 0, 6, false},
    {"jobs_done", KIND_COUNTER, 0, 8, false},
    {"joules", KIND_COUNTER, 1, 8, false},
    {"retries", KIND_COUNTER, 0, 4, false},
    {"logins", KIND_COUNTER, 0, 4, false},
    {"orders", KIND_COUNTER, 0, 8, false},
    {"refunds", KIND_COUNTER, 2, 4, false},
    {"mails", KIND_COUNTER, 0, 4, false},
    {"restarts", KIND_COUNTER, 0, 4, false},
    {"clicks", KIND_COUNTER, 0, 16, false},
    {"scrolls", KIND_COUNTER, 0, 4, false},
    {"connections", KIND_GAUGE, 0, 12, false},
    {"temperature", KIND_GAUGE, 2, 8, true},
    {"load", KIND_GAUGE, 1, 8, false},
    {"queue", KIND_GAUGE, 0, 6, false},
    {"free_bytes", KIND_GAUGE, 0, 6, false},
    {"height", KIND_GAUGE, 0, 4, true},
    {"users", KIND_GAUGE, 0, 4, false},
    {"workers", KIND_GAUGE, 0, 4, false},
    {"http_seconds", KIND_HISTOGRAM, 6, 16, false},
    {"query_seconds", KIND_HISTOGRAM, 6, 8, false},
    {"drift", KIND_HISTOGRAM, 6, 6, true},
    {"body_bytes", KIND_HISTOGRAM, 0, 8, false},
    {"render_seconds", KIND_HISTOGRAM, 6, 6, false},
    {"visitors", KIND_SET, 0, 4, false},
    {"sessions", KIND_SET, 0, 3, false},
    {"keys", KIND_SET, 0, 3, false},
    {"rpc_seconds", KIND_CLASSIC, 6, 12, false},
    {"disk_seconds", KIND_CLASSIC, 6, 8, false},
    {"page_bytes", KIND_CLASSIC, 0, 6, false},
    {"gc_seconds", KIND_CLASSIC, 6, 6, false},
    {"wait_seconds", KIND_SUMMARY, 6, 8, false},
    {"size_bytes", KIND_SUMMARY, 0, 6, false},
    {"lag_seconds", KIND_SUMMARY, 6, 4, false},
    {"tries", KIND_SUMMARY, 0, 4, false},
    {"views", KIND_COUNTER, 0, 4, false},
    {"likes", KIND_COUNTER, 0, 4, false},
    {"shares", KIND_COUNTER, 0, 4, false},
    {"pressure", KIND_GAUGE, 2, 4, true},
    {"humidity", KIND_GAUGE, 2, 4, false},
    {"paint_seconds", KIND_HISTOGRAM, 6, 4, false},
};

/* Most of them are in use at a time, other ones every two hours; the first few always. */
#define METRICS_ALWAYS 4
#define METRICS_IN_USE 26

static const struct metric *metric_in_use(struct sim *sim, bool storm)
{
    uint64_t turn = (uint64_t)(sim_now_ms(sim) / (2 * HOUR_MS));
    if (storm)
        return &metrics[sim_below(sim, COUNT_OF(metrics))];
    if (sim_one_in(sim, 4))
        return &metrics[sim_below(sim, METRICS_ALWAYS)];
    return &metrics[(turn * 5 + sim_below(sim, METRICS_IN_USE)) % COUNT_OF(metrics)];
}

/* ---- labels ---- */

/* A series that stays: its number says its labels. */
static void labels_staying(uint64_t number, char *out, size_t bytes)
{
    static const char *const codes[] = {"200", "404", "500"};
    static const char *const zones[] = {"eu-1", "eu-2", "us-1", ""};
    const char *zone = zones[number / 3 % 4];
    snprintf(out, bytes, "code=\"%s\",route=\"/r%u\"%s%s%s", codes[number % 3],
             (unsigned)(number / 2), *zone == '\0' ? "" : ",zone=\"", zone,
             *zone == '\0' ? "" : "\"");
}

/* One that is of its minute: some have long labels. */
static void labels_passing(struct sim *sim, uint64_t number, char *out, size_t bytes)
{
    const char *padding = sim_one_in(sim, 8) ? "-a-name-that-is-much-longer-than-those-of-the-"
                                               "others-and-takes-several-blocks-of-labels"
                                             : "";
    snprintf(out, bytes, "host=\"h%llu%s\",route=\"/r%llu\"", (unsigned long long)number, padding,
             (unsigned long long)(number % 4));
}

static void choose_labels(struct sim *sim, const struct metric *metric, bool storm, char *out,
                          size_t bytes)
{
    uint64_t now_ms = (uint64_t)sim_now_ms(sim);
    out[0] = '\0';
    if (storm)
        labels_passing(sim, now_ms / 1000 + sim_below(sim, 64), out, bytes);
    else if (sim_one_in(sim, 24))
        return; /* no labels are labels, too */
    else if (sim_one_in(sim, 12))
        labels_passing(sim, now_ms / 180000 * 2 + sim_below(sim, 2), out, bytes);
    else
        labels_staying(sim_below(sim, metric->series), out, bytes);
}

/* ---- values ---- */

static double rounded(double value, unsigned grain)
{
    return ldexp(floor(ldexp(value, (int)grain) + 0.5), -(int)grain);
}

static double uniform(struct sim *sim)
{
    return ldexp((double)(random_next(&sim->random) >> 11), -53);
}

/* Irwin and Hall's way to a normal distribution, which needs no tables and no logarithm. */
static double lognormal(struct sim *sim)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform(sim);
    return exp(sum * 1.2 + 1);
}

static double choose_value(struct sim *sim, const struct metric *metric)
{
    double value;
    if (metric->kind == KIND_COUNTER || metric->kind == KIND_GAUGE)
        value = uniform(sim) * (sim_one_in(sim, 10) ? 1e6 : 50);
    else
        value = lognormal(sim) * (metric->grain == 0 ? 1000 : 1);
    if (metric->is_signed && sim_one_in(sim, 3))
        value = -value;
    return rounded(value, metric->grain) + 0.0; /* no -0 */
}

/* ---- text ---- */

static void text_room(struct text *text, size_t bytes)
{
    if (text->length + bytes <= text->size)
        return;
    text->size = 2 * (text->length + bytes);
    text->at = realloc(text->at, text->size);
    if (text->at == NULL)
        abort();
}

__attribute__((format(printf, 2, 3))) static void print(struct text *text, const char *format, ...)
{
    va_list values;
    text_room(text, 512);
    va_start(values, format);
    int length = vsnprintf(text->at + text->length, 512, format, values);
    va_end(values);
    text->length += (size_t)(length < 512 ? length : 511);
}

static void fill(struct text *text, char c, size_t count)
{
    text_room(text, count);
    memset(text->at + text->length, c, count);
    text->length += count;
}

void text_end(struct text *text)
{
    free(text->at);
    *text = (struct text){0};
}

/* ---- a sample as lines of text ---- */

#define OBSERVED_MAX 16

/* Clients of different versions: what both have is kept. */
static const double old_bounds[] = {0.25, 0.5, 1, 2.5, 5, 10, 50, 100, 1000, 5000, 100000};
static const double new_bounds[] = {0.125, 0.5, 1, 2, 5, 10, 25, 100, 1000, 10000, 100000};

/* {labels} with one more; nothing where there are none. */
static void print_labels(struct text *text, const char *labels, const char *more)
{
    if (*labels == '\0' && *more == '\0')
        return;
    print(text, "{%s%s%s}", labels, *labels != '\0' && *more != '\0' ? "," : "", more);
}

static void print_buckets(struct sim *sim, struct text *text, const struct metric *metric,
                          const char *labels, const double *values, unsigned count)
{
    const double *bounds = sim_one_in(sim, 200) ? new_bounds : old_bounds;
    char le[32];
    for (size_t i = 0; i < COUNT_OF(old_bounds); i++) {
        unsigned within = 0;
        for (unsigned j = 0; j < count; j++)
            within += values[j] <= bounds[i];
        snprintf(le, sizeof le, "le=\"%g\"", bounds[i]);
        print(text, "%s_bucket", metric->name);
        print_labels(text, labels, le);
        print(text, " %u\n", within);
    }
    print(text, "%s_bucket", metric->name);
    print_labels(text, labels, "le=\"+Inf\"");
    print(text, " %u\n", count);
}

static void print_child(struct sim *sim, struct text *text, const struct metric *metric,
                        const char *labels)
{
    double values[OBSERVED_MAX];
    double sum = 0;
    unsigned count = 1 + (unsigned)sim_below(sim, OBSERVED_MAX);
    for (unsigned i = 0; i < count; i++)
        sum += values[i] = choose_value(sim, metric);
    if (metric->kind == KIND_CLASSIC)
        print_buckets(sim, text, metric, labels, values, count);
    print(text, "%s_sum", metric->name);
    print_labels(text, labels, "");
    print(text, " %.17g\n%s_count", sum, metric->name);
    print_labels(text, labels, "");
    print(text, " %u\n", count);
}

static const char *type_of(const struct metric *metric)
{
    static const char *const types[KIND_COUNT] = {
        [KIND_COUNTER] = "counter",
        [KIND_GAUGE] = "gauge",
        [KIND_CLASSIC] = "histogram",
        [KIND_SUMMARY] = "summary",
    };
    return types[metric->kind];
}

/* Late: only which value of a gauge is the last depends on it. */
static int64_t choose_time(struct sim *sim)
{
    return sim_now_ms(sim) - (int64_t)sim_below(sim, 100000);
}

static void print_line(struct sim *sim, struct text *text, const struct metric *metric,
                       const char *labels, bool openmetrics)
{
    bool total = openmetrics && metric->kind == KIND_COUNTER;
    print(text, "%s%s", metric->name, total ? "_total" : "");
    print_labels(text, labels, "");
    print(text, " %.17g", choose_value(sim, metric));
    if (sim_one_in(sim, 50) && openmetrics)
        print(text, " %.3f", (double)choose_time(sim) / 1000);
    else if (sim_one_in(sim, 50))
        print(text, " %lld", (long long)choose_time(sim));
    print(text, "\n");
}

static void print_sample(struct sim *sim, struct text *text, const struct metric *metric,
                         const char *labels, bool openmetrics)
{
    if (sim_one_in(sim, 8))
        print(text, "# HELP %s what it is, as of %llu\n", metric->name,
              (unsigned long long)sim_below(sim, 4));
    print(text, "# TYPE %s %s\n", metric->name, type_of(metric));
    if (kind_has_children((enum kind)metric->kind))
        print_child(sim, text, metric, labels);
    else
        print_line(sim, text, metric, labels, openmetrics);
}

/* ---- a sample as a JSON object ---- */

/* a="1",b="2" as "a":"1","b":"2": no value has anything to be escaped. */
static void print_json_labels(struct text *text, const char *labels)
{
    bool in_name = false;
    for (const char *at = labels; *at != '\0'; at++) {
        bool begins = at == labels || (at[-1] == ',' && at[-2] == '"');
        if (begins)
            print(text, "\"");
        in_name |= begins;
        if (in_name && *at == '=')
            print(text, "\":");
        else
            print(text, "%c", *at);
        in_name &= *at != '=';
    }
}

static void print_json_value(struct sim *sim, struct text *text, const struct metric *metric)
{
    if (metric->kind == KIND_SET) {
        uint64_t member = sim_below(sim, sim_one_in(sim, 2) ? 64 : 4096);
        print(text, "\"value\":\"m%llu\"", (unsigned long long)member);
        return;
    }
    if (metric->kind != KIND_HISTOGRAM || sim_one_in(sim, 2)) {
        print(text, "\"value\":%.17g", choose_value(sim, metric));
        return;
    }
    print(text, "\"values\":[%.17g", choose_value(sim, metric));
    for (uint64_t more = sim_below(sim, 8); more > 0; more--)
        print(text, ",%.17g", choose_value(sim, metric));
    print(text, "]");
}

static void print_object(struct sim *sim, struct text *text, const struct metric *metric,
                         const char *labels)
{
    print(text, "{\"name\":\"%s\",\"kind\":\"%s\",\"labels\":{", metric->name,
          kind_name((enum kind)metric->kind));
    print_json_labels(text, labels);
    print(text, "},");
    print_json_value(sim, text, metric);
    if (sim_one_in(sim, 50))
        print(text, ",\"ts\":%.3f", (double)choose_time(sim) / 1000);
    print(text, "}");
}

/* ---- what the limits of a line refuse ---- */

static void print_nasty_text(struct sim *sim, struct text *text)
{
    static const char *const lines[] = {
        "hits{a=\"1\",b=\"2\",c=\"3\",d=\"4\",e=\"5\",f=\"6\",g=\"7\",h=\"8\",i=\"9\"} 1",
        "hits{a=\"1\",a=\"2\"} 1",
        "hits{a=\"1} 1",
        "hits one",
        "hits 1 soon",
        "mayfly_up 1",
        "a_name_that_is_longer_than_any_limit_of_names_here 1",
        "9lives 9",
        "{} 1",
        "hits{a=\"\xff\"} 1",
        "# TYPE hits enigma",
        "hits -1",
        "hits NaN",
        "queue +Inf",
    };
    switch (sim_below(sim, 4)) {
    case 0:
        print(text, "hits{a=\"");
        fill(text, 'x', 200);
        print(text, "\"} 1\n");
        break;
    case 1:
        print(text, "hits 1 ");
        fill(text, ' ', 3000);
        print(text, "\n");
        break;
    case 2:
        print(text, "hits{a_label=\"of-fifteen-byte\",b_label=\"of-fifteen-byte\","
                    "c_label=\"of-fifteen-byte\"} 1\n");
        break;
    default:
        print(text, "%s\n", lines[sim_below(sim, COUNT_OF(lines))]);
        break;
    }
}

static void print_nasty_object(struct sim *sim, struct text *text)
{
    static const char *const objects[] = {
        "{\"name\":\"hits\",\"value\":[[[[[[[[1]]]]]]]]}",
        "{\"name\":\"hits\",\"kind\":\"enigma\",\"value\":1}",
        "{\"name\":\"hits\",\"value\":\"one\"}",
        "{\"name\":\"hits\"}",
        "{\"name\":\"mayfly_up\",\"value\":1}",
        "{\"name\":\"hits\",\"value\":1,\"colour\":2}",
        "{\"name\":1}",
        "{nothing}",
        "{\"name\":\"a_name_that_is_longer_than_any_limit_of_names_here\",\"value\":1}",
        "{\"name\":\"http_seconds\",\"kind\":\"histogram\",\"values\":[]}",
    };
    if (!sim_one_in(sim, 4)) {
        print(text, "%s", objects[sim_below(sim, COUNT_OF(objects))]);
        return;
    }
    print(text, "{\"name\":\"hits\",\"labels\":{\"a\":\"");
    fill(text, 'x', sim_one_in(sim, 2) ? 200 : 10000);
    print(text, "\"},\"value\":1}");
}

/* ---- a body ---- */

static bool is_for(const struct metric *metric, enum traffic_format format)
{
    if (metric->kind == KIND_COUNTER || metric->kind == KIND_GAUGE)
        return true;
    bool json = format == TRAFFIC_NDJSON || format == TRAFFIC_JSON;
    return json != kind_has_children((enum kind)metric->kind);
}

/* A metric that the format can say; now and then somebody reuses its name for something else. */
static struct metric choose_metric(struct sim *sim, enum traffic_format format, bool storm)
{
    const struct metric *metric = metric_in_use(sim, storm);
    while (!is_for(metric, format))
        metric = metric_in_use(sim, storm);
    struct metric chosen = *metric;
    if (sim_one_in(sim, 2000))
        chosen.kind = chosen.kind == KIND_COUNTER ? KIND_GAUGE : KIND_COUNTER;
    return chosen;
}

static void add_sample(struct sim *sim, struct text *text, enum traffic_format format, bool storm)
{
    char labels[256];
    struct metric metric = choose_metric(sim, format, storm);
    choose_labels(sim, &metric, storm, labels, sizeof labels);
    bool nasty = sim_one_in(sim, sim->swarm.nasty_one_in);
    if (format == TRAFFIC_NDJSON || format == TRAFFIC_JSON) {
        if (nasty)
            print_nasty_object(sim, text);
        else
            print_object(sim, text, &metric, labels);
    } else if (nasty) {
        print_nasty_text(sim, text);
    } else {
        print_sample(sim, text, &metric, labels, format == TRAFFIC_OPENMETRICS);
    }
}

void traffic_write(struct sim *sim, struct text *text, enum traffic_format format, uint32_t samples,
                   bool storm)
{
    text->length = 0;
    if (format == TRAFFIC_JSON)
        print(text, "[");
    for (uint32_t i = 0; i < samples; i++) {
        add_sample(sim, text, format, storm);
        if (format == TRAFFIC_NDJSON)
            print(text, "\n");
        if (format == TRAFFIC_JSON && i + 1 < samples)
            print(text, ",");
    }
    if (format == TRAFFIC_JSON)
        print(text, "]");
    if (format == TRAFFIC_OPENMETRICS)
        print(text, "# EOF\n");
}

void traffic_write_table(struct sim *sim, struct text *text, uint32_t rows)
{
    static const char *const names[] = {"ann", "bob", "eve", "\"joe, jr\"", ""};
    text->length = 0;
    print(text, "who,size,cost\n");
    for (uint32_t i = 0; i < rows; i++)
        print(text, "%s%llu,%llu,%s\n", names[sim_below(sim, COUNT_OF(names))],
              (unsigned long long)sim_below(sim, 8), (unsigned long long)sim_below(sim, 1000),
              sim_one_in(sim, 9) ? "much" : "1.5");
}

void traffic_write_bomb(struct text *text)
{
    text->length = 0;
    print(text, "hits 1\n");
    fill(text, '\n', 200 << 10);
}

/* ---- encodings ---- */

/* Replaces the text by its compressed form. */
static void swap(struct text *text, struct text *other)
{
    struct text kept = *text;
    *text = *other;
    *other = kept;
}

void traffic_gzip(struct text *text)
{
    static struct text out;
    z_stream stream = {0};
    text_room(&out, deflateBound(NULL, text->length) + 64);
    if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 3, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    stream.next_in = (Bytef *)text->at;
    stream.avail_in = (uInt)text->length;
    stream.next_out = (Bytef *)out.at;
    stream.avail_out = (uInt)out.size;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        abort();
    out.length = stream.total_out;
    deflateEnd(&stream);
    swap(text, &out);
    out.length = 0;
}

void traffic_zstd(struct text *text)
{
    static struct text out;
    static ZSTD_CCtx *context;
    if (context == NULL)
        context = ZSTD_createCCtx();
    out.length = 0;
    text_room(&out, ZSTD_compressBound(text->length));
    out.length = ZSTD_compressCCtx(context, out.at, out.size, text->at, text->length, 1);
    if (ZSTD_isError(out.length))
        abort();
    swap(text, &out);
    out.length = 0;
}

/* ---- damage ---- */

void traffic_damage(struct sim *sim, struct text *text)
{
    for (uint64_t flips = 1 + sim_below(sim, 3); flips > 0 && text->length > 0; flips--)
        text->at[sim_below(sim, text->length)] ^= (char)(1 + sim_below(sim, 255));
}
