/* scripts.c: see scripts.h. */
#include "scripts.h"

#include "traffic.h"

#include <stdio.h>

#define HOUR_MS INT64_C(3600000)

/* One of the texts that follow. */
#define TEXT_OF(sim, ...)                                                                          \
    text_of((sim), (const char *const[]){__VA_ARGS__},                                             \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char *text_of(struct sim *sim, const char *const *texts, size_t count)
{
    return texts[sim_below(sim, count)];
}

/* ---- bodies ---- */

/* Quiet nights, busy noons, and an hour without any. */
static uint32_t samples_of(struct sim *sim)
{
    static const uint8_t busy[24] = {2,  1,  1,  0,  1,  2,  4,  8,  12, 16, 20, 24,
                                     30, 24, 20, 16, 16, 20, 24, 16, 12, 8,  4,  3};
    uint64_t level = sim->swarm.samples;
    if (sim->swarm.is_by_hour)
        level = level * busy[sim_now_ms(sim) / HOUR_MS % 24] / 30;
    return level == 0 ? 0 : 1 + (uint32_t)sim_below(sim, level);
}

static void encode(struct sim *sim, struct script *script)
{
    script->content_encoding = "";
    if (sim_one_in(sim, sim->swarm.gzip_one_in)) {
        traffic_gzip(&script->body);
        script->content_encoding = "gzip";
        HAPPEN(sim, GZIP);
    } else if (sim_one_in(sim, sim->swarm.zstd_one_in)) {
        traffic_zstd(&script->body);
        script->content_encoding = "zstd";
        HAPPEN(sim, ZSTD);
    }
}

static void damage(struct sim *sim, struct script *script)
{
    const struct swarm *swarm = &sim->swarm;
    if (sim_one_in(sim, swarm->damage_one_in)) {
        traffic_damage(sim, &script->body);
        HAPPEN(sim, DAMAGED);
    }
    if (script->body.length > 0 && sim_one_in(sim, swarm->cut_one_in)) {
        script->body.length = sim_below(sim, script->body.length);
        HAPPEN(sim, CUT);
    }
    if (sim_one_in(sim, swarm->abort_one_in))
        script->gone_at = sim_below(sim, script->body.length + 1);
}

static void finish_body(struct sim *sim, struct script *script)
{
    script->known_length = !sim_one_in(sim, 4);
    encode(sim, script);
    damage(sim, script);
}

static void push(struct sim *sim, struct script *script, enum traffic_format format, bool storm)
{
    uint32_t samples = storm ? 100 : samples_of(sim);
    bool bomb = sim_one_in(sim, sim->swarm.bomb_one_in);
    script->method = METHOD_POST;
    script->is_atomic = sim_one_in(sim, sim->swarm.atomic_one_in);
    HAPPEN_TIMES(sim, ATOMIC, script->is_atomic);
    HAPPEN_TIMES(sim, BOMBS, bomb);
    snprintf(script->target, TARGET_BYTES, "/v1/push%s", script->is_atomic ? "?atomic=1" : "");
    if (bomb)
        traffic_write_bomb(&script->body);
    else
        traffic_write(sim, &script->body, format, samples, storm);
    finish_body(sim, script);
}

static void push_by_type(struct sim *sim, struct script *script, enum operation operation,
                         bool storm)
{
    static const struct {
        enum traffic_format format;
        const char *type;
    } rows[] = {
        [OPERATION_PUSH_TEXT] = {TRAFFIC_TEXT, "text/plain; version=0.0.4"},
        [OPERATION_PUSH_OPENMETRICS] = {TRAFFIC_OPENMETRICS, "application/openmetrics-text"},
        [OPERATION_PUSH_NDJSON] = {TRAFFIC_NDJSON, "application/x-ndjson"},
        [OPERATION_PUSH_JSON] = {TRAFFIC_JSON, "application/json"},
    };
    script->content_type = rows[operation].type;
    push(sim, script, rows[operation].format, storm);
}

static void push_by_first_byte(struct sim *sim, struct script *script)
{
    script->content_type = "";
    push(sim, script, (enum traffic_format)sim_below(sim, TRAFFIC_FORMATS), false);
}

static void pushgateway(struct sim *sim, struct script *script)
{
    script->content_type = "text/plain";
    push(sim, script, TRAFFIC_TEXT, false);
    snprintf(script->target, TARGET_BYTES, "/metrics/job/%s%s",
             TEXT_OF(sim, "nightly", "a%20b", "x/code/418", "y/zone@base64/ZXUtMQ==", "/", "%zz"),
             script->is_atomic ? "?atomic=1" : "");
}

static void summarize(struct sim *sim, struct script *script)
{
    script->method = METHOD_POST;
    snprintf(script->target, TARGET_BYTES, "/v1/summarize?value=%s&by=%s&q=%s",
             TEXT_OF(sim, "size", "cost", "value", ""), TEXT_OF(sim, "who", "who,size", "zone", ""),
             TEXT_OF(sim, "0.5", "0.1,0.9", "2"));
    script->content_type =
        TEXT_OF(sim, "text/csv", "application/x-ndjson", "text/plain", "application/json");
    script->accept = TEXT_OF(sim, "", "text/csv");
    if (strcmp(script->content_type, "text/csv") == 0)
        traffic_write_table(sim, &script->body, samples_of(sim) * 4);
    else
        traffic_write(sim, &script->body,
                      strcmp(script->content_type, "text/plain") == 0 ? TRAFFIC_TEXT
                                                                      : TRAFFIC_NDJSON,
                      samples_of(sim), false);
    finish_body(sim, script);
}

/* ---- questions ---- */

static const char *metric_of(struct sim *sim)
{
    return TEXT_OF(sim, "hits", "bytes_sent", "connections", "temperature", "http_seconds",
                   "rpc_seconds", "visitors", "wait_seconds", "errors", "unheard_of",
                   "mayfly_memory_live_bytes", "mayfly_requests_total");
}

static void query(struct sim *sim, struct script *script)
{
    script->is_query = true;
    snprintf(script->target, TARGET_BYTES, "/v1/query?metric=%s&from=%s&step=%s&%s%s",
             metric_of(sim), TEXT_OF(sim, "-15m", "-1h", "-6h", "now-1d", "soon"),
             TEXT_OF(sim, "", "", "1m", "10m", "1h"),
             TEXT_OF(sim, "", "", "fn=sum&", "fn=count&", "fn=p99&", "fn=rate&", "fn=last&"),
             TEXT_OF(sim, "", "by=route", "by=code,zone", "without=host", "match=code=200",
                     "match=host=~h.*", "match=route=~/r1|/r2&by=code", "match=host=~(a*)*b"));
}

static void lists(struct sim *sim, struct script *script)
{
    const char *limit = TEXT_OF(sim, "", "limit=1&", "limit=7&", "limit=1000&");
    const char *what = TEXT_OF(sim, "", "metric=hits", "match=code=200", "match=zone=~eu.*",
                               "after=40", "after=x");
    const char *path = TEXT_OF(sim, "/v1/series", "/v1/labels", "/v1/labels/code/values",
                               "/v1/labels/__name__/values", "/v1/cardinality");
    snprintf(script->target, TARGET_BYTES, "%s?%s%s", path, limit, what);
}

static void delete (struct sim *sim, struct script *script)
{
    script->method = METHOD_DELETE;
    if (sim_one_in(sim, 3))
        snprintf(script->target, TARGET_BYTES, "/v1/series?metric=%s", metric_of(sim));
    else
        snprintf(script->target, TARGET_BYTES, "/v1/series?%s",
                 TEXT_OF(sim, "match=code=404", "match=route=/r3", "match=host=~h.*",
                         "metric=hits&match=code=200", "match=zone=us-1", ""));
}

static void metrics(struct sim *sim, struct script *script)
{
    snprintf(script->target, TARGET_BYTES, "/metrics%s",
             TEXT_OF(sim, "", "?scope=pushed", "?scope=self", "?scope=all"));
}

/* ---- operators ---- */

static const char *report_of(struct sim *sim)
{
    return TEXT_OF(sim, "/memory", "/memory?format=prometheus", "/memory/holders", "/memory/trend",
                   "/memory/doctor", "/memory/snapshots", "/memory/sites", "/metrics?scope=self",
                   "/healthz", "/readyz", "/v1/config", "/drills");
}

static void operator(struct sim *sim, struct script *script)
{
    script->on_operator = true;
    snprintf(script->target, TARGET_BYTES, "%s", report_of(sim));
}

static void reports(struct sim *sim, struct script *script)
{
    snprintf(script->target, TARGET_BYTES, "%s", report_of(sim));
}

static void snapshots(struct sim *sim, struct script *script)
{
    unsigned id = 1 + (unsigned)sim_below(sim, 40);
    script->on_operator = sim_one_in(sim, 2);
    script->method = sim_one_in(sim, 2) ? METHOD_POST : METHOD_GET;
    if (script->method == METHOD_POST) {
        snprintf(script->target, TARGET_BYTES, "%s",
                 TEXT_OF(sim, "/memory/snapshots", "/memory/snapshots", "/memory/peaks/reset",
                         "/drills/leak?kind=cycle&bytes=100&per=second"));
    } else if (sim_one_in(sim, 2)) {
        script->method = METHOD_DELETE;
        snprintf(script->target, TARGET_BYTES, "/memory/snapshots/%u", id);
    } else {
        snprintf(script->target, TARGET_BYTES, "/memory/diff?from=%u&to=%s", id,
                 TEXT_OF(sim, "now", "3", "x"));
    }
}

static void strange(struct sim *sim, struct script *script)
{
    static const enum method methods[] = {METHOD_GET, METHOD_PUT, METHOD_DELETE, METHOD_OTHER,
                                          METHOD_POST};
    script->method = methods[sim_below(sim, COUNT_OF(methods))];
    script->content_type = TEXT_OF(sim, "", "image/png");
    script->content_encoding = TEXT_OF(sim, "", "br");
    snprintf(script->target, TARGET_BYTES, "%s",
             TEXT_OF(sim, "/nothing", "/v1/push", "/v1/push?atomic=perhaps", "", "/v1/series?%",
                     "*", "/v1/summarize", "/"));
    if (!sim_one_in(sim, 4))
        return;
    memset(script->target, 'x', TARGET_BYTES - 1);
    script->target[0] = '/';
    script->target[TARGET_BYTES - 1] = '\0';
}

/* ---- which ---- */

static enum operation choose_operation(struct sim *sim, bool storm)
{
    if (storm)
        return (enum operation)sim_below(sim, OPERATION_PUSH_BY_FIRST_BYTE);
    uint64_t at = sim_below(sim, sim->swarm.weight);
    int operation = 0;
    while (at >= sim->swarm.weights[operation])
        at -= sim->swarm.weights[operation++];
    return (enum operation)operation;
}

static void begin(struct sim *sim, struct script *script)
{
    struct text body = script->body; /* its memory is used again */
    body.length = 0;
    *script = (struct script){
        .method = sim_one_in(sim, 16) ? METHOD_HEAD : METHOD_GET,
        .content_type = "",
        .content_encoding = "",
        .accept = TEXT_OF(sim, "", "text/plain", "application/openmetrics-text"),
        .accept_encoding = TEXT_OF(sim, "", "gzip"),
        .gone_at = SIZE_MAX,
        .pages = UINT64_MAX,
        .known_length = true,
        .body = body,
    };
    if (sim_one_in(sim, sim->swarm.abort_one_in))
        script->pages = sim_below(sim, 3);
}

void script_choose(struct sim *sim, struct script *script, bool storm)
{
    static void (*const choose[OPERATIONS])(struct sim * sim, struct script * script) = {
        [OPERATION_PUSH_BY_FIRST_BYTE] = push_by_first_byte,
        [OPERATION_PUSHGATEWAY] = pushgateway,
        [OPERATION_SUMMARIZE] = summarize,
        [OPERATION_QUERY] = query,
        [OPERATION_LISTS] = lists,
        [OPERATION_DELETE] = delete,
        [OPERATION_METRICS] = metrics,
        [OPERATION_OPERATOR] = operator,
        [OPERATION_REPORTS] = reports,
        [OPERATION_SNAPSHOTS] = snapshots,
        [OPERATION_STRANGE] = strange,
    };
    enum operation operation = choose_operation(sim, storm);
    begin(sim, script);
    if (choose[operation] == NULL)
        push_by_type(sim, script, operation, storm);
    else
        choose[operation](sim, script);
}
