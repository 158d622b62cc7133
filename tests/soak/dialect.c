#include "dialect.h"

#define ALL_FORMATS ((1u << FORMAT_COUNT) - 1)
#define ALL_ENCODINGS ((1u << ENCODING_COUNT) - 1)

/* clang-format off */
static const char *const MAYFLY_QUERIES[] = {
    "/v1/query?metric=soak_requests_total&fn=rate&by=route&from=-10m&step=10s",
    "/v1/query?metric=soak_requests_total&fn=sum&by=code,method&from=-1h",
    "/v1/query?metric=soak_requests_total&fn=sum&match=pod=~pod-{}-.*&from=-5m",
    "/v1/query?metric=soak_requests_total&fn=count&without=pod&match=code!=200&from=-30m",
    "/v1/query?metric=soak_bytes_total&fn=rate&by=direction&from=-10m",
    "/v1/query?metric=soak_bytes_total&fn=max&by=device&from=-3h&step=10m",
    "/v1/query?metric=soak_temperature&fn=avg&by=sensor&from=-15m&step=30s",
    "/v1/query?metric=soak_temperature&fn=last&match=sensor=cpu&from=-1m",
    "/v1/query?metric=soak_latency_seconds&fn=p99&by=route&from=-10m&step=1m",
    "/v1/query?metric=soak_latency_seconds&fn=quantile(0.5)&match=pod=pod-{}-1&from=-5m",
    "/v1/query?metric=soak_rpc_seconds&fn=p95&by=service&from=-10m&step=1m",
    "/v1/query?metric=soak_rpc_seconds&fn=avg&from=-1d&step=1h",
    "/v1/query?metric=soak_wait_seconds&fn=avg&by=queue&from=-30m",
    "/v1/query?metric=soak_users&fn=unique&from=-10m&step=1m",
    "/v1/query?metric=soak_jobs_total&fn=sum&by=job,step&from=-1h&step=5m",
    "/v1/query?metric=soak_never_pushed&fn=sum",
    "/v1/query?metric=mayfly_memory_live_bytes&from=-10m",
    "/v1/series?metric=soak_requests_total&limit=100",
    "/v1/series?match=pod=pod-{}-0",
    "/v1/series?match=__name__=~soak_.*&match=zone!~eu-west-1b&limit=500",
    "/v1/labels",
    "/v1/labels/pod/values?limit=200",
    "/v1/labels/route/values?match=__name__=soak_requests_total",
    "/v1/cardinality",
    "/v1/config",
};
static const char *const MAYFLY_SUMMARIES[] = {
    "/v1/summarize?value=seconds&by=route&q=0.5,0.9,0.99",
    "/v1/summarize?value=seconds&by=route,code",
    "/v1/summarize?value=seconds",
};
static const char *const MAYFLY_SCRAPES[] = {
    "/metrics",
    "/metrics?scope=pushed",
    "/metrics?scope=self",
};
static const char *const MAYFLY_PAGES[] = {
    "/",
    "/memory",
    "/memory?format=prometheus",
    "/memory/doctor",
    "/memory/trend",
    "/memory/holders",
    "/healthz",
    "/readyz",
};
static const char *const GATEWAY_QUERIES[] = {"/metrics", "/api/v1/metrics"};
static const char *const GATEWAY_SCRAPES[] = {"/metrics"};
static const char *const GATEWAY_PAGES[] = {"/", "/-/healthy", "/-/ready"};
static const char *const VICTORIA_QUERIES[] = {
    "/api/v1/query?query=sum(soak_requests_total)by(route)",
    "/api/v1/query?query=sum(soak_requests_total%7Bpod=~%22pod-{}-.*%22%7D)",
    "/api/v1/query?query=rate(soak_bytes_total%5B5m%5D)",
    "/api/v1/query?query=avg(soak_temperature)by(sensor)",
    "/api/v1/series?match%5B%5D=soak_requests_total&limit=100",
    "/api/v1/labels",
};
static const char *const VICTORIA_SCRAPES[] = {
    "/metrics",
    "/federate?match%5B%5D=soak_requests_total",
};
static const char *const VICTORIA_PAGES[] = {"/", "/health", "/api/v1/status/tsdb"};

#define TARGETS(list) {list, sizeof(list) / sizeof(list[0])}

const struct dialect soak_dialects[] = {
    [DIALECT_MAYFLY] = {
        ALL_FORMATS, ALL_ENCODINGS, false, true, true, "/v1/push",
        {{NULL, 0}, TARGETS(MAYFLY_QUERIES), TARGETS(MAYFLY_SUMMARIES), TARGETS(MAYFLY_SCRAPES),
         TARGETS(MAYFLY_PAGES)}},
    [DIALECT_PUSHGATEWAY] = {
        1u << FORMAT_TEXT, 1u << ENCODING_IDENTITY, true, false, true, NULL,
        {{NULL, 0}, TARGETS(GATEWAY_QUERIES), {NULL, 0}, TARGETS(GATEWAY_SCRAPES),
         TARGETS(GATEWAY_PAGES)}},
    [DIALECT_VICTORIA] = {
        1u << FORMAT_TEXT, 1u << ENCODING_IDENTITY | 1u << ENCODING_GZIP, true, false, false,
        "/api/v1/import/prometheus",
        {{NULL, 0}, TARGETS(VICTORIA_QUERIES), {NULL, 0}, TARGETS(VICTORIA_SCRAPES),
         TARGETS(VICTORIA_PAGES)}},
};
/* clang-format on */

uint32_t dialect_metrics(const struct dialect *dialect)
{
    uint32_t metrics = 0;

    for (uint32_t i = 0; i < SOAK_METRICS; i++) {
        const struct metric *metric = &soak_metrics[i];

        if (metric->formats & dialect->formats && (dialect->has_paths || !metric->by_path))
            metrics |= 1u << i;
    }
    return metrics;
}

void dialect_push_target(struct text *out, const struct dialect *dialect, bool by_path,
                         const char *instance)
{
    if (by_path || dialect->push == NULL)
        text_format(out, "/metrics/job/" JOB "/instance/%s", instance);
    else
        text_format(out, "%s", dialect->push);
}
