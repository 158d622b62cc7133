#include "metrics.h"

#include <stdio.h>

#define TEXTS (1u << FORMAT_TEXT | 1u << FORMAT_OPENMETRICS)
#define JSONS (1u << FORMAT_NDJSON | 1u << FORMAT_ARRAY)
#define LABELS_MAX 5

/* clang-format off */
const struct metric soak_metrics[SOAK_METRICS] = {
    {"soak_requests_total",  SOAK_COUNTER,   16, TEXTS | JSONS, false},
    {"soak_bytes_total",     SOAK_COUNTER,    6, TEXTS | JSONS, false},
    {"soak_temperature",     SOAK_GAUGE,      8, TEXTS | JSONS, false},
    {"soak_latency_seconds", SOAK_HISTOGRAM,  6, JSONS,         false},
    {"soak_rpc_seconds",     SOAK_CLASSIC,    4, TEXTS,         false},
    {"soak_wait_seconds",    SOAK_SUMMARY,    4, TEXTS,         false},
    {"soak_users",           SOAK_SET,        1, JSONS,         false},
    {"soak_jobs_total",      SOAK_COUNTER,    5, TEXTS | JSONS, true},
};
/* clang-format on */

const char *const soak_bounds[CLASSIC_BOUNDS] = {"0.25", "0.5", "1.0", "2.5", "5.0", "10.0"};

/* Series k has the value k / divisor % count. */
struct label {
    const char *name;
    uint32_t divisor;
    uint32_t count;
    const char *const *values;
};

static const char *const METHODS[] = {"GET", "POST", "PUT", "DELETE"};
static const char *const ROUTES[] = {"/items", "/items/{id}", "/caf\xc3\xa9", "/a\\\"b\\\\c"};
static const char *const CODES[] = {"200", "404", "500"};
static const char *const ZONES[] = {"eu-west-1a", "eu-west-1b"};
static const char *const DIRECTIONS[] = {"in", "out"};
static const char *const DEVICES[] = {"eth0", "eth1", "lo"};
static const char *const SENSORS[] = {"cpu", "disk", "inlet", "outlet",
                                      "psu", "gpu",  "nvme",  "board"};
static const char *const SERVICES[] = {"auth", "billing", "search", "mail"};
static const char *const QUEUES[] = {"fast", "slow", "dead", "retry"};
static const char *const STEPS[] = {"fetch", "parse", "load", "index", "report"};

#define VALUES(list) sizeof(list) / sizeof(list[0]), list

static const struct label LABELS[SOAK_METRICS][LABELS_MAX] = {
    {{"method", 1, VALUES(METHODS)},
     {"route", 4, VALUES(ROUTES)},
     {"code", 6, VALUES(CODES)},
     {"zone", 8, VALUES(ZONES)}},
    {{"direction", 1, VALUES(DIRECTIONS)}, {"device", 2, VALUES(DEVICES)}},
    {{"sensor", 1, VALUES(SENSORS)}},
    {{"route", 1, VALUES(ROUTES)}, {"zone", 4, VALUES(ZONES)}},
    {{"service", 1, VALUES(SERVICES)}},
    {{"queue", 1, VALUES(QUEUES)}},
    {{"zone", 1, VALUES(ZONES)}},
    {{"step", 1, VALUES(STEPS)}},
};

static void label_write(struct text *out, const char *name, const char *value, bool json)
{
    const char *comma = out->length > 0 && out->at[out->length - 1] == '"' ? "," : "";

    text_format(out, json ? "%s\"%s\":\"%s\"" : "%s%s=\"%s\"", comma, name, value);
}

static void pod_write(struct text *out, struct pod pod, bool json)
{
    char name[48];

    snprintf(name, sizeof(name), "pod-%llu-%u", (unsigned long long)pod.generation, pod.index);
    label_write(out, "pod", name, json);
}

void metric_labels_write(struct text *out, const struct metric *metric, struct pod pod,
                         uint32_t series, bool json, bool pod_first)
{
    const struct label *labels = LABELS[metric - soak_metrics];
    bool has_pod = !metric->by_path; /* there it is the instance */

    if (has_pod && pod_first)
        pod_write(out, pod, json);
    for (uint32_t i = 0; i < LABELS_MAX && labels[i].name != NULL; i++)
        label_write(out, labels[i].name,
                    labels[i].values[series / labels[i].divisor % labels[i].count], json);
    if (has_pod && !pod_first)
        pod_write(out, pod, json);
}
