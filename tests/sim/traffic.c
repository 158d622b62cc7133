/* traffic.c: see traffic.h. */
#include "traffic.h"

#include "base/hash.h"

#include <math.h>
#include <stdio.h>

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

static const struct metric *metric_in_use(struct sim *sim)
{
    uint64_t turn = (uint64_t)(sim->now_ms / (2 * HOUR_MS));
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

static void choose_labels(struct sim *sim, const struct metric *metric, char *out, size_t bytes)
{
    out[0] = '\0';
    if (sim_one_in(sim, 24))
        return; /* no labels are labels, too */
    if (sim_one_in(sim, 12))
        labels_passing(sim, (uint64_t)sim->now_ms / 180000 * 2 + sim_below(sim, 2), out, bytes);
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

/* ---- children ---- */

#define OBSERVED_MAX 16

/* Clients of different versions: what both have is kept. */
static const double old_bounds[] = {0.25, 0.5, 1, 2.5, 5, 10, 50, 100, 1000, 5000, 100000};
static const double new_bounds[] = {0.125, 0.5, 1, 2, 5, 10, 25, 100, 1000, 10000, 100000};

struct observations {
    struct child child;
    double values[OBSERVED_MAX];
    double counts[COUNT_OF(old_bounds)];
    uint32_t count;
};

static void observe(struct sim *sim, const struct metric *metric, struct observations *made)
{
    const double *bounds = sim_one_in(sim, 200) ? new_bounds : old_bounds;
    bool has_buckets = metric->kind == KIND_CLASSIC;
    *made = (struct observations){.count = 1 + (uint32_t)sim_below(sim, OBSERVED_MAX)};
    for (uint32_t i = 0; i < made->count; i++) {
        double value = choose_value(sim, metric);
        made->values[i] = value;
        made->child.sum += value;
        for (size_t j = 0; j < COUNT_OF(old_bounds); j++)
            made->counts[j] += value <= bounds[j];
    }
    made->child.count = made->count;
    made->child.has_sum = made->child.has_count = true;
    made->child.has_buckets = has_buckets;
    made->child.bound_count = has_buckets ? COUNT_OF(old_bounds) : 0;
    made->child.bounds = bounds;
    made->child.counts = made->counts;
}

/* ---- a sample ---- */

static struct sample sample_of(const struct sim *sim, const char *name, const char *labels,
                               enum kind kind)
{
    return (struct sample){
        .fingerprint = hash_series(bytes_of(name), bytes_of(labels), sim->engine->store.seed),
        .name = name,
        .name_length = (uint16_t)strlen(name),
        .labels = labels,
        .labels_length = (uint16_t)strlen(labels),
        .timestamp_ms = TIMESTAMP_NONE,
        .kind = (uint8_t)kind,
        .lines = 1,
    };
}

/* A batch of one: so the series that took it can be looked up while it is certain to be there. */
static void apply(struct sim *sim, const struct sample *sample, const struct observations *made)
{
    static struct batch batch;
    struct report report = {0};
    struct intake intake = {
        .batch = &batch,
        .report = &report,
        .settings = &sim->settings,
        .ledger = &sim->ledger,
        .seed = sim->engine->store.seed,
    };
    batch.samples[0] = *sample;
    batch.count = 1;
    engine_apply(sim->engine, &intake, sim_request_ms(sim));
    REQUIRE(sim, report.accepted + report.rejected == sample->lines);
    sim->figures.conflicts += report.rejected;
    if (report.accepted == 0)
        return;
    sim->figures.samples += sample->lines;
    model_apply(&sim->model, sim->engine, sample, made->values, made->count);
    const struct entry *entry = &sim->model.entries[sim->model.count - 1];
    sim->figures.behind += entry->window > entry->open_window;
}

static void push(struct sim *sim, const struct metric *metric, const char *labels)
{
    struct observations made = {0};
    struct sample sample = sample_of(sim, metric->name, labels, metric->kind);
    if (metric->kind == KIND_CLASSIC || metric->kind == KIND_SUMMARY) {
        observe(sim, metric, &made);
        sample.child = &made.child;
        sample.lines = (uint16_t)(made.child.bound_count + 3);
    } else if (metric->kind == KIND_SET) {
        uint64_t member = sim_below(sim, sim_one_in(sim, 2) ? 64 : 4096);
        sample.member = hash_bytes((struct bytes){(const char *)&member, sizeof member}, 1);
    } else {
        sample.value = choose_value(sim, metric);
        if (sim_one_in(sim, 50)) /* late: only which value of a gauge is the last depends on it */
            sample.timestamp_ms = sim->now_ms - (int64_t)sim_below(sim, 100000);
    }
    apply(sim, &sample, &made);
}

void traffic_push(struct sim *sim, uint32_t samples)
{
    char labels[256];
    while (samples-- > 0) {
        const struct metric *metric = metric_in_use(sim);
        struct metric other = *metric;
        if (sim_one_in(sim, 2000)) /* whoever reuses a name for something else */
            other.kind = other.kind == KIND_COUNTER ? KIND_GAUGE : KIND_COUNTER;
        choose_labels(sim, metric, labels, sizeof labels);
        push(sim, &other, labels);
    }
}

void traffic_storm(struct sim *sim, uint32_t samples)
{
    char labels[256];
    uint64_t number = (uint64_t)sim->now_ms / 1000;
    while (samples-- > 0) {
        const struct metric *metric = &metrics[sim_below(sim, COUNT_OF(metrics))];
        labels_passing(sim, number + sim_below(sim, 64), labels, sizeof labels);
        push(sim, metric, labels);
    }
}

/* ---- DELETE ---- */

void traffic_delete(struct sim *sim)
{
    const struct store *store = &sim->engine->store;
    uint32_t slot = (uint32_t)sim_below(sim, store->families.slot_count);
    const struct family *family = store_family(store, slot);
    bool all = sim_one_in(sim, 3);
    if (family == NULL || family->is_overflow)
        return;
    for (uint32_t at = family->first; at != SLOT_NONE;) {
        const struct series *series = store_series(store, at);
        uint32_t next = series->next;
        if (!series->is_overflow && (all || sim_one_in(sim, 3)))
            model_delete(&sim->model, sim->engine, at);
        at = next;
    }
}
