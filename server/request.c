/* request.c: see request.h. */
#include "request.h"

#include "clock.h"
#include "connections.h"
#include "drills.h"
#include "service.h"

#include "base/ensure.h"
#include "reply/document.h"

const char json_type[] = "application/json";
const char text_type[] = "text/plain; version=0.0.4; charset=utf-8";
const char openmetrics_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";

static enum pool pool_of(const struct request *request)
{
    return request->operator_listener ? POOL_RESERVE : POOL_REQUESTS;
}

/* An operator's request has its reserve and no more; a client's may grow. */
static void arena_begin(struct request *request)
{
    struct service *service = request->service;
    char *first = request_connection(request)->first_block;
    if (request->operator_listener)
        arena_init(&request->arena, first, OPERATOR_ARENA_BYTES, OPERATOR_ARENA_BYTES, NULL);
    else
        arena_init(&request->arena, first, service->settings->limits_first_block_bytes,
                   service->settings->limits_request_bytes, &service->growth_source);
    arena_trace(&request->arena, service->ledger->sites);
    ledger_take(service->ledger, pool_of(request), arena_held(&request->arena));
}

void request_set_phase(struct request *request, enum request_phase phase)
{
    atomic_store_explicit(&request->phase_since_us, clock_coarse_us(), memory_order_relaxed);
    atomic_store_explicit(&request->phase, phase, memory_order_release);
}

/*
 * The target as it was sent: routes and parameters are read from this copy, never from
 * libmicrohttpd's.
 */
static void keep_target(struct request *request, struct bytes target)
{
    uint64_t limit = request->service->settings->limits_target_bytes;
    if (target.length > limit) {
        target.length = limit;
        request->refused = refusal_of(STATUS_TARGET_TOO_LONG, request->service->settings);
    }
    const char *copy = arena_push_copy(&request->arena, target);
    ENSURE(copy != NULL); /* the first block has room: limits.target_bytes is at most half of it */
    request->target = (struct bytes){copy, target.length};
    request->path = request->target;
    request->query = (struct bytes){copy + target.length, 0};
    const char *mark = target.length == 0 ? NULL : memchr(copy, '?', target.length);
    if (mark != NULL) {
        request->path.length = (size_t)(mark - copy);
        request->query = (struct bytes){mark + 1, target.length - request->path.length - 1};
    }
}

void request_begin(struct request *request, struct service *service, struct bytes target,
                   bool operator_listener)
{
    request->service = service;
    request->operator_listener = operator_listener;
    request->now_ms = clock_now_ms(&service->clock);
    request->content_length = UINT64_MAX;
    request->content_type = request->content_encoding = (struct bytes){"", 0};
    request->accept = request->accept_encoding = (struct bytes){"", 0};
    request->push = NULL;
    request->summarizing = NULL;
    request->is_push = request->is_pushgateway = request->has_headers = request->expects = false;
    request->cross_site = false;
    request->refused = refusal_plain(STATUS_OK);
    request->refused_accepted = request->refused_rejected = 0;
    request->drained_bytes = 0;
    request->reply = (struct reply){0};
    request->http = 0;
    request->closed_counted = false;
    request->response = NULL;
    request->page_sent = 0;
    request->pages_ended = false;
    /* live and numbered before it takes memory: see service_look_when_quiet */
    atomic_fetch_add(&service->figures.live, 1);
    atomic_store_explicit(&request->id, atomic_fetch_add(&service->next_request_id, 1) + 1,
                          memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* its partner is in service_look_when_quiet */
    arena_begin(request);
    atomic_store_explicit(&request->started_us, clock_monotonic_us(), memory_order_relaxed);
    atomic_store_explicit(&request->method, METHOD_OTHER, memory_order_relaxed);
    atomic_store_explicit(&request->route, NULL, memory_order_relaxed);
    atomic_store_explicit(&request->body_bytes, 0, memory_order_relaxed);
    keep_target(request, target);
    request->base = arena_mark(&request->arena);
    request_set_phase(request, PHASE_HEADERS);
}

static void add(_Atomic uint64_t *figure, uint64_t by)
{
    atomic_fetch_add_explicit(figure, by, memory_order_relaxed);
}

static void raise(_Atomic uint64_t *figure, uint64_t value)
{
    uint64_t seen = atomic_load_explicit(figure, memory_order_relaxed);
    while (value > seen && !atomic_compare_exchange_weak(figure, &seen, value))
        continue;
}

static void count_lifetime(struct service *service, int64_t lifetime_us)
{
    int bound = 0;
    while (bound < REQUEST_BOUNDS && lifetime_us > (int64_t)request_bounds_ms[bound] * 1000)
        bound++;
    add(&service->figures.lifetime_counts[bound], 1);
    add(&service->figures.lifetime_sum_us, (uint64_t)lifetime_us);
    raise(&service->figures.lifetime_max_us, (uint64_t)lifetime_us);
}

/*
 * What a push had rejected is counted once: when it ends well, when it is refused, or when its
 * client is gone.
 */
static void count_push(struct request *request)
{
    if (request->push != NULL && request->push->report.rejected > 0) {
        struct engine *engine = service_lock_engine(request->service);
        engine_count_rejected(engine, &request->push->report);
        service_unlock_engine(request->service);
    }
    request->push = NULL;
}

void request_end(struct request *request)
{
    struct service *service = request->service;
    int64_t now_us = clock_monotonic_us();
    count_push(request);
    raise(&service->figures.peak_bytes, arena_peak(&request->arena));
    arena_reset(&request->arena);
    ledger_give(service->ledger, pool_of(request), arena_held(&request->arena));
    count_lifetime(service,
                   now_us - atomic_load_explicit(&request->started_us, memory_order_relaxed));
    add(&service->figures.completed, 1);
    add(&service->figures.by_class[request->http / 100 % HTTP_CLASSES], 1);
    add(&service->figures.body_bytes,
        atomic_load_explicit(&request->body_bytes, memory_order_relaxed));
    struct connection *connection = request_connection(request);
    atomic_store_explicit(&connection->requested, true, memory_order_relaxed);
    atomic_store_explicit(&connection->idle_since_us, now_us, memory_order_relaxed);
    request_set_phase(request, PHASE_NONE);
    if (service->drills != NULL)
        drills_request(service->drills);
    if (atomic_fetch_sub(&service->figures.live, 1) == 1)
        service_look_when_quiet(service);
}

/* ---- parameters ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes into `out`, which has room for text.length; SIZE_MAX when a %XX is malformed. */
static size_t decode(struct bytes text, bool plus, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.length ? hex_digit(text.at[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.at[i + 2]) : -1;
            if (low < 0)
                return SIZE_MAX;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[used++] = c;
    }
    return used;
}

bool request_decode(struct request *request, struct bytes text, bool plus, struct bytes *out)
{
    char *at = arena_push(&request->arena, text.length);
    if (at == NULL) {
        request_refuse_arena(request);
        return false;
    }
    size_t length = decode(text, plus, at);
    if (length == SIZE_MAX) {
        request_refuse(request,
                       refusal_detail(STATUS_BAD_PARAMETER, "a % without two hex digits"));
        return false;
    }
    *out = (struct bytes){at, length};
    return true;
}

bool request_next_parameter(struct request *request, struct bytes *at, struct bytes *name,
                            struct bytes *value)
{
    while (at->length > 0 && at->at[0] == '&')
        *at = (struct bytes){at->at + 1, at->length - 1};
    if (at->length == 0)
        return false;
    const char *end = memchr(at->at, '&', at->length);
    struct bytes pair = {at->at, end == NULL ? at->length : (size_t)(end - at->at)};
    *at = (struct bytes){pair.at + pair.length, at->length - pair.length};
    const char *equals = memchr(pair.at, '=', pair.length);
    size_t name_length = equals == NULL ? pair.length : (size_t)(equals - pair.at);
    struct bytes raw = {pair.at + name_length, 0};
    if (equals != NULL)
        raw = (struct bytes){equals + 1, pair.length - name_length - 1};
    return request_decode(request, (struct bytes){pair.at, name_length}, true, name) &&
           request_decode(request, raw, true, value);
}

bool request_parameter(struct request *request, const char *name, struct bytes *value)
{
    struct bytes at = request->query;
    struct bytes found;
    struct arena_mark mark = arena_mark(&request->arena);
    while (request_next_parameter(request, &at, &found, value)) {
        if (bytes_equal(found, bytes_of(name)))
            return true;
        arena_rewind(&request->arena, mark); /* what was decoded of others is of no use */
    }
    return false;
}

/* ---- replies ---- */

bool request_writer_at(struct request *request, size_t bytes, struct writer *writer,
                       const char *site)
{
    char *at = arena_push_at(&request->arena, bytes, site);
    if (at == NULL) {
        request_refuse_arena(request);
        return false;
    }
    *writer = writer_make(at, bytes);
    return true;
}

void request_shrink(struct request *request)
{
    count_push(request);
    arena_rewind(&request->arena, request->base);
}

void request_refuse(struct request *request, struct refusal refusal)
{
    if (request->push != NULL) {
        request->refused_accepted = request->push->report.accepted;
        request->refused_rejected = request->push->report.rejected;
    }
    request_shrink(request);
    request->refused = refusal;
}

void request_refuse_arena(struct request *request)
{
    request_refuse(request, refusal_of(request->arena.refusal, request->service->settings));
}

static const struct report *refused_report(const struct request *request, struct report *report)
{
    report->accepted = request->refused_accepted;
    report->rejected = request->refused_rejected;
    return request->is_push ? report : NULL;
}

void request_reply_refusal(struct request *request)
{
    struct report report = {0};
    const struct refusal *refusal = &request->refused;
    arena_rewind(&request->arena, request->base);
    size_t room = arena_room(&request->arena);
    struct writer writer = writer_make(arena_push(&request->arena, room), room);
    document_error_write(&writer, refusal, refused_report(request, &report));
    ENSURE(!writer.full);
    const char *allow = refusal->status == STATUS_METHOD_NOT_ALLOWED ? refusal->detail : NULL;
    request->reply = (struct reply){
        .http = status_http(refusal->status),
        .content_type = json_type,
        .allow = allow,
        .retry_after = status_http(refusal->status) == 503,
        .body = writer_text(&writer),
    };
    add(&request->service->figures.refused[refusal->status], 1);
}

void request_reply(struct request *request, const char *content_type, struct bytes body)
{
    request->reply.http = 200;
    request->reply.content_type = content_type;
    request->reply.body = body;
}
