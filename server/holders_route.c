/*
 * holders_route.c: GET /memory/holders: who holds memory now.
 *
 * Requests in flight from the connection table, and the metrics with most series. Lists are cut,
 * and say so.
 */
#include "routes.h"
#include "service.h"

#include "base/ensure.h"

#define HOLDERS_REQUESTS 50
#define HOLDERS_METRICS 10

/* Rows of both lists at their longest: a peer, figures; a metric name, escaped. */
#define HOLDERS_BYTES 28672

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

static void write_pair(struct writer *writer, const char *key, uint64_t value)
{
    writer_string(writer, ", \"");
    writer_string(writer, key);
    writer_string(writer, "\": ");
    writer_u64(writer, value);
}

static void write_quoted(struct writer *writer, const char *key, const char *value)
{
    writer_string(writer, ", \"");
    writer_string(writer, key);
    writer_string(writer, "\": ");
    writer_json_string(writer, bytes_of(value));
}

static void write_request(struct writer *writer, const struct connection *connection, int phase,
                          int64_t now_us)
{
    const struct request *request = &connection->request;
    const struct route *route = atomic_load_explicit(&request->route, memory_order_relaxed);
    int64_t age_us = now_us - atomic_load_explicit(&request->started_us, memory_order_relaxed);
    writer_string(writer, "{\"id\": ");
    writer_u64(writer, atomic_load_explicit(&request->id, memory_order_relaxed));
    write_quoted(writer, "method",
                 method_name(atomic_load_explicit(&request->method, memory_order_relaxed)));
    write_quoted(writer, "route", route == NULL ? "none" : route->name);
    write_quoted(writer, "peer", connection->peer);
    write_quoted(writer, "state", phase_name(phase));
    writer_string(writer, ", \"age_seconds\": ");
    writer_seconds(writer, age_us / 1000);
    write_pair(writer, "live_bytes", arena_held(&request->arena));
    write_pair(writer, "peak_bytes", arena_peak(&request->arena));
    write_pair(writer, "body_bytes",
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
    write_pair(writer, "requests_truncated", truncated);
}

/* The families with most series, most first. Returns how many; *more is how many were left out. */
static uint32_t largest_families(const struct store *store,
                                 const struct family *largest[static HOLDERS_METRICS],
                                 uint64_t *more)
{
    uint32_t count = 0;
    *more = 0;
    for (uint32_t i = 0; i < store->families.fresh; i++) {
        const struct family *family = store_family(store, i);
        if (family == NULL || family->series_count == 0)
            continue;
        uint32_t at = count;
        while (at > 0 && largest[at - 1]->series_count < family->series_count)
            at--;
        *more += count == HOLDERS_METRICS;
        count += count < HOLDERS_METRICS;
        for (uint32_t behind = count - 1; behind > at; behind--)
            largest[behind] = largest[behind - 1];
        if (at < HOLDERS_METRICS)
            largest[at] = family;
    }
    return count;
}

static void write_metrics(struct writer *writer, struct service *service)
{
    const struct family *largest[HOLDERS_METRICS];
    char name[2048];
    uint64_t more;
    struct engine *engine = service_lock_engine(service);
    uint32_t count = largest_families(&engine->store, largest, &more);
    writer_string(writer, ",\n \"metrics\": [");
    for (uint32_t i = 0; i < count; i++) {
        label_copy(&engine->store.labels, largest[i]->name, name);
        writer_string(writer, i == 0 ? "\n  {\"metric\": " : ",\n  {\"metric\": ");
        writer_json_string(writer, (struct bytes){name, largest[i]->name.length});
        write_pair(writer, "series", largest[i]->series_count);
        writer_char(writer, '}');
    }
    service_unlock_engine(service);
    writer_string(writer, "]");
    write_pair(writer, "metrics_truncated", more);
    writer_string(writer, "}\n");
}

void holders_end(struct request *request)
{
    struct writer writer;
    if (!request_writer(request, HOLDERS_BYTES, &writer))
        return;
    write_requests(&writer, &request->service->connections);
    write_metrics(&writer, request->service);
    ENSURE(!writer.full);
    request_reply(request, json_type, writer_text(&writer));
}
