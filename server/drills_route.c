/*
 * drills_route.c: POST /drills/leak, GET /drills, DELETE /drills.
 *
 * With `drills: false` each of them answers 403 drills_off and does nothing.
 */
#include "drills.h"
#include "routes.h"
#include "service.h"

#include "base/ensure.h"
#include "reply/members.h"
#include "query/query.h"

#define DRILL_BYTES_DEFAULT 4096

/* A drill as JSON comes to at most this. */
#define DRILL_ROW_BYTES 320

static struct drills *drills_of(struct request *request)
{
    struct drills *drills = request->service->drills;
    if (drills == NULL)
        request_refuse(request, refusal_of(STATUS_DRILLS_OFF, request->service->settings));
    return drills;
}

/* ---- what is asked for ---- */

static struct refusal ok(void)
{
    return refusal_plain(STATUS_OK);
}

static struct refusal bad(const char *detail)
{
    return refusal_detail(STATUS_BAD_PARAMETER, detail);
}

/* The place of a word among the names, or `count`. */
static int place_of(struct bytes word, const char *const *names, int count)
{
    int at = 0;
    while (at < count && !bytes_equal(word, bytes_of(names[at])))
        at++;
    return at;
}

static struct refusal read_kind(struct bytes value, struct drill_order *order)
{
    order->kind = (enum drill_kind)place_of(value, drill_kind_names, DRILL_KINDS);
    if (order->kind == DRILL_KINDS)
        return bad("kind is global_list, growing_cache, listener, cycle or request_arena");
    return ok();
}

static struct refusal read_bytes(struct bytes value, const struct drills *drills,
                                 struct drill_order *order)
{
    uint64_t bytes;
    if (setting_number_read(SETTING_SIZE, value, &bytes) != SETTING_FINE || bytes == 0 ||
        bytes > drill_bytes_max(drills))
        return bad("bytes is a size from 1 to 1MiB (4KiB), and at most a quarter of the drill's "
                   "cap, which is a sixteenth of memory");
    order->bytes = bytes;
    return ok();
}

static struct refusal read_per(struct bytes value, struct drill_order *order)
{
    order->per = (enum drill_event)place_of(value, drill_event_names, DRILL_EVENTS);
    return order->per == DRILL_EVENTS ? bad("per is request or second") : ok();
}

/* A number without a unit is a moment, so a length of time needs its unit. */
static struct refusal read_until(struct bytes value, int64_t now_ms, struct drill_order *order)
{
    int64_t ms;
    if (query_duration_read(value, false, &ms))
        order->until_ms = now_ms + ms;
    else if (!query_time_read(value, now_ms, &order->until_ms))
        order->until_ms = 0;
    if (order->until_ms <= now_ms)
        return bad("until is a time to go (90s, 5m) or a moment to come (Unix seconds, RFC 3339)");
    return ok();
}

static struct refusal read_parameter(const struct request *request, struct drill_order *order,
                                     struct bytes name, struct bytes value)
{
    if (bytes_equal(name, BYTES("kind")))
        return read_kind(value, order);
    if (bytes_equal(name, BYTES("bytes")))
        return read_bytes(value, request->service->drills, order);
    if (bytes_equal(name, BYTES("per")))
        return read_per(value, order);
    if (bytes_equal(name, BYTES("until")))
        return read_until(value, request->now_ms, order);
    return bad("kind, bytes, per and until are known");
}

/* False with the request refused. */
static bool read_order(struct request *request, struct drill_order *order)
{
    struct bytes at = request->query;
    struct bytes name, value;
    *order = (struct drill_order){DRILL_KINDS, DRILL_BYTES_DEFAULT, DRILL_REQUEST, INT64_MAX};
    while (request_next_parameter(request, &at, &name, &value)) {
        struct refusal refusal = read_parameter(request, order, name, value);
        if (refusal.status != STATUS_OK) {
            request_refuse(request, refusal);
            return false;
        }
    }
    if (request->refused.status == STATUS_OK && order->kind == DRILL_KINDS)
        request_refuse(request, read_kind(BYTES(""), order));
    return request->refused.status == STATUS_OK;
}

/* ---- what is answered ---- */

static void write_drill(struct writer *writer, const struct drill_figures *drill,
                        uint64_t cap_bytes)
{
    int64_t until_ms = drill->order.until_ms;
    writer_char(writer, '{');
    member_text(writer, "kind", drill_kind_names[drill->order.kind]);
    member_u64(writer, "bytes", drill->order.bytes);
    member_text(writer, "per", drill_event_names[drill->order.per]);
    member_time(writer, "until", until_ms == INT64_MAX ? 0 : until_ms);
    member_u64(writer, "leaked_bytes", drill->leaked_bytes);
    member_u64(writer, "leaked_objects", drill->leaked_objects);
    member_u64(writer, "cap_bytes", cap_bytes);
    member_text(writer, "state", drill_state_names[drill->state]);
    writer_char(writer, '}');
}

static void reply(struct request *request, const struct writer *writer, unsigned http)
{
    ENSURE(!writer->full);
    request_reply(request, json_type, writer_text(writer));
    request->reply.http = http;
}

void drill_leak_end(struct request *request)
{
    struct writer writer;
    struct drill_order order;
    struct drills *drills = drills_of(request);
    if (drills == NULL || !read_order(request, &order) ||
        !request_writer(request, DRILL_ROW_BYTES, &writer))
        return; /* refused before it is begun: without room for the answer there is no drill */
    struct drill_figures figures = drills_start(drills, &order);
    write_drill(&writer, &figures, request->service->plan->drill_bytes);
    writer_char(&writer, '\n');
    reply(request, &writer, 201);
}

void drills_end(struct request *request)
{
    struct writer writer;
    struct drill_figures figures[DRILL_KINDS];
    struct drills *drills = drills_of(request);
    if (drills == NULL || !request_writer(request, (DRILL_KINDS + 1) * DRILL_ROW_BYTES, &writer))
        return;
    uint32_t count = drills_figures(drills, figures);
    writer_string(&writer, "{\"enabled\": true, \"drills\": [");
    for (uint32_t i = 0; i < count; i++) {
        writer_string(&writer, i == 0 ? "\n  " : ",\n  ");
        write_drill(&writer, &figures[i], request->service->plan->drill_bytes);
    }
    writer_string(&writer, "]}\n");
    reply(request, &writer, 200);
}

void drills_delete_end(struct request *request)
{
    struct writer writer;
    uint64_t freed_bytes;
    struct drills *drills = drills_of(request);
    if (drills == NULL || !request_writer(request, DRILL_ROW_BYTES, &writer))
        return;
    uint32_t stopped = drills_stop(drills, &freed_bytes);
    writer_char(&writer, '{');
    member_u64(&writer, "stopped", stopped);
    member_u64(&writer, "freed_bytes", freed_bytes);
    writer_string(&writer, "}\n");
    reply(request, &writer, 200);
}
