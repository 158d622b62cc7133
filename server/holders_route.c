/*
 * holders_route.c: GET /memory/holders: who holds memory now.
 *
 * Requests in flight from the connection table, the windows, the largest results in the cache, and
 * the metrics with most series. Lists are cut, and say so.
 */
#include "routes.h"
#include "service.h"

#include "base/ensure.h"
#include "query/largest.h"
#include "reply/members.h"

#define HOLDERS_REQUESTS 50
#define HOLDERS_METRICS 10
#define HOLDERS_ENTRIES 10

/* Of the cache the most recently used are looked at, under the lock: some 50 us. */
#define HOLDERS_CACHE_LOOKS 1024

/* Rows of all lists at their longest: a peer, figures; a metric name, escaped. */
#define HOLDERS_BYTES 32768

static const char *phase_name(int phase)
{
    switch (phase) {
    case PHASE_HEADERS:
        return "headers";
    case PHASE_BODY:
        return "body";
    case PHASE_DRAINING:
        return "draining";
    default:
        return "reply";
    }
}

static const char *method_name(int method)
{
    switch (method) {
    case METHOD_GET:
        return "GET";
    case METHOD_HEAD:
        return "HEAD";
    case METHOD_POST:
        return "POST";
    case METHOD_PUT:
        return "PUT";
    case METHOD_DELETE:
        return "DELETE";
    default:
        return "other";
    }
}

static void write_request(struct writer *writer, const struct connection *connection, int phase,
                          int64_t now_us)
{
    const struct request *request = &connection->request;
    const struct route *route = atomic_load_explicit(&request->route, memory_order_relaxed);
    int64_t age_us = now_us - atomic_load_explicit(&request->started_us, memory_order_relaxed);
    writer_char(writer, '{');
    member_u64(writer, "id", atomic_load_explicit(&request->id, memory_order_relaxed));
    member_text(writer, "method",
                method_name(atomic_load_explicit(&request->method, memory_order_relaxed)));
    member_text(writer, "route", route == NULL ? "none" : route->name);
    member_text(writer, "peer", connection->peer);
    member_text(writer, "state", phase_name(phase));
    member_seconds(writer, "age_seconds", age_us / 1000);
    member_u64(writer, "live_bytes", arena_held(&request->arena));
    member_u64(writer, "peak_bytes", arena_peak(&request->arena));
    member_u64(writer, "body_bytes",
               atomic_load_explicit(&request->body_bytes, memory_order_relaxed));
    writer_char(writer, '}');
}

static void write_requests(struct writer *writer, struct connections *connections)
{
    uint32_t shown = 0;
    uint64_t truncated = 0;
    int64_t now_us = clock_monotonic_us();
    writer_string(writer, "{\"requests\": [");
    pthread_mutex_lock(&connections->lock);
    for (uint32_t i = 0; i < connections->data_count + connections->operator_count; i++) {
        const struct connection *connection = &connections->slots[i];
        int phase = atomic_load_explicit(&connection->request.phase, memory_order_acquire);
        if (connection->fd < 0 || phase == PHASE_NONE)
            continue;
        if (shown == HOLDERS_REQUESTS) {
            truncated++;
            continue;
        }
        writer_string(writer, shown++ == 0 ? "\n  " : ",\n  ");
        write_request(writer, connection, phase, now_us);
    }
    pthread_mutex_unlock(&connections->lock);
    writer_string(writer, "]");
    member_u64(writer, "requests_truncated", truncated);
}

static void write_windows(struct writer *writer, const struct report_history *history,
                          const struct ledger *ledger)
{
    writer_string(writer, ",\n \"windows\": [");
    for (int tier = 0; tier < TIER_COUNT; tier++) {
        char name[TIER_NAME_BYTES];
        tier_name(history->tiers[tier].width_ms, name);
        writer_string(writer, tier == 0 ? "\n  {\"tier\": " : ",\n  {\"tier\": ");
        writer_json_string(writer, bytes_of(name));
        member_u64(writer, "live_bytes",
                   ledger_figures(ledger, (enum pool)(POOL_WINDOWS_FINE + tier)).live_bytes);
        member_u64(writer, "records", history->tiers[tier].records);
        member_seconds(writer, "oldest_age_seconds", history->oldest_age_ms[tier]);
        writer_char(writer, '}');
    }
    writer_string(writer, "]");
}

/* A key is a hash: two entries of the same key at two times are answers to the same question. */
static void write_key(struct writer *writer, struct lru_key key)
{
    static const char digits[] = "0123456789abcdef";
    writer_string(writer, "{\"key\": \"");
    for (int shift = 60; shift >= 0; shift -= 4)
        writer_char(writer, digits[key.high >> shift & 15]);
    for (int shift = 60; shift >= 0; shift -= 4)
        writer_char(writer, digits[key.low >> shift & 15]);
    writer_char(writer, '"');
}

static void write_entry(struct writer *writer, const struct lru_holder *holder, int64_t now_ms)
{
    int64_t last_ms = holder->used_ms == LRU_NEVER ? holder->admitted_ms : holder->used_ms;
    write_key(writer, holder->key);
    member_u64(writer, "live_bytes", holder->live_bytes);
    member_seconds(writer, "age_seconds", (int64_t)lifetime_ms(holder->admitted_ms, now_ms));
    member_seconds(writer, "idle_seconds", (int64_t)lifetime_ms(last_ms, now_ms));
    writer_char(writer, '}');
}

static void write_cache(struct writer *writer, const struct lru_holder *holders, uint32_t count,
                        uint64_t entries, int64_t now_ms)
{
    writer_string(writer, ",\n \"cache\": [");
    for (uint32_t i = 0; i < count; i++) {
        writer_string(writer, i == 0 ? "\n  " : ",\n  ");
        write_entry(writer, &holders[i], now_ms);
    }
    writer_string(writer, "]");
    member_u64(writer, "cache_truncated", entries - count);
}

/* What the windows and the cache hold. */
static void write_history(struct writer *writer, struct service *service, int64_t now_ms)
{
    struct lru_holder holders[HOLDERS_ENTRIES];
    struct engine *engine = service_lock_engine(service);
    struct report_history history = report_history_make(&engine->history, now_ms);
    uint32_t count = lru_largest(&engine->cache, HOLDERS_CACHE_LOOKS, holders, HOLDERS_ENTRIES);
    uint64_t entries = engine->cache.figures.entries;
    service_unlock_engine(service);
    write_windows(writer, &history, service->ledger);
    write_cache(writer, holders, count, entries, now_ms);
}

static void write_metrics(struct writer *writer, struct service *service)
{
    const struct family *largest[HOLDERS_METRICS];
    char name[2048];
    uint64_t more;
    struct engine *engine = service_lock_engine(service);
    uint32_t count = largest_families(&engine->store, largest, HOLDERS_METRICS, &more);
    writer_string(writer, ",\n \"metrics\": [");
    for (uint32_t i = 0; i < count; i++) {
        label_copy(&engine->store.labels, largest[i]->name, name);
        writer_string(writer, i == 0 ? "\n  {\"metric\": " : ",\n  {\"metric\": ");
        writer_json_string(writer, (struct bytes){name, largest[i]->name.length});
        member_u64(writer, "series", largest[i]->series_count);
        writer_char(writer, '}');
    }
    service_unlock_engine(service);
    writer_string(writer, "]");
    member_u64(writer, "metrics_truncated", more);
    writer_string(writer, "}\n");
}

void holders_end(struct request *request)
{
    struct writer writer;
    if (!request_writer(request, HOLDERS_BYTES, &writer))
        return;
    write_requests(&writer, &request->service->connections);
    write_history(&writer, request->service, request->now_ms);
    write_metrics(&writer, request->service);
    ENSURE(!writer.full);
    request_reply(request, json_type, writer_text(&writer));
}
