/*
 * request.h: one HTTP request from its first byte to its last, and what a route may know of it.
 *
 *     URI-log ── headers ── body, body, body ── end ── reply is sent ── completed
 *     request_begin         route->body         route->end               request_end
 *     |<------------------------------ the arena ------------------------------>|
 *
 * A request is born in libmicrohttpd's URI-log callback, the only place that has the raw target,
 * and ends in its completed callback, or with its connection where that callback is left out (see
 * http.c). All it needs is in its arena, whose first block belongs to its connection's slot: a
 * request can always begin.
 *
 * Owner:    struct connection, which embeds it. Lifetime: request.
 * Threads:  the worker that serves the connection. The atomics are read by /memory/holders and by
 *           the ticker.
 */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include "ingest/push.h"
#include "reply/writer.h"

struct service;
struct route;
struct summarizing;
struct MHD_Response;

enum method {
    METHOD_GET = 1,
    METHOD_HEAD = 2,
    METHOD_POST = 4,
    METHOD_PUT = 8,
    METHOD_DELETE = 16,
    METHOD_OTHER = 32,
};

enum request_phase {
    PHASE_NONE,    /* no request on this connection */
    PHASE_HEADERS, /* the request line was read */
    PHASE_BODY,
    PHASE_DRAINING, /* refused; the rest of the body is read and dropped */
    PHASE_REPLY,
};

/*
 * Pages of a reply that is streamed: writes whole rows, returns false when the page it wrote is the
 * last.
 */
struct page_source {
    bool (*next)(struct page_source *source, struct writer *page);
};

struct reply {
    unsigned http;
    const char *content_type;
    const char *content_encoding; /* NULL: none */
    const char *allow;            /* with 405 */
    const char *location;         /* with 201; in the arena */
    bool retry_after;
    bool vary;
    const char *page_policy; /* of a page for browsers: its Content-Security-Policy */
    struct bytes body;
    struct page_source *pages; /* instead of a body */
};

struct request {
    struct service *service;
    bool operator_listener;
    int64_t now_ms; /* the engine's time, read once */
    struct arena arena;
    struct arena_mark base; /* behind the target: what a refusal shrinks to */
    struct bytes target;    /* raw, in the arena; cut where limits.target_bytes ends */
    struct bytes path;
    struct bytes query; /* without the ?, empty when there is none */
    uint64_t content_length; /* UINT64_MAX: not known */
    struct bytes content_type;
    struct bytes content_encoding;
    struct bytes accept;
    struct bytes accept_encoding;
    struct push *push;
    struct summarizing *summarizing; /* summarize_route.c's */
    struct refusal refused; /* STATUS_OK as long as it is not */
    uint64_t refused_accepted; /* what a push had applied when it was refused */
    uint64_t refused_rejected;
    bool is_push;
    bool is_pushgateway; /* on one of its paths */
    bool has_headers; /* the handler was called before */
    bool expects;     /* Expect: the client waits to be told to go on */
    bool cross_site;  /* a browser says that a page of another site asks */
    uint64_t drained_bytes;
    struct reply reply;
    unsigned http; /* what was answered, 0: nothing */
    bool closed_counted; /* its end without a reply */
    struct MHD_Response *response; /* http.c's, while it is sent */
    struct writer page; /* of a streamed reply */
    size_t page_sent;
    bool pages_ended;
    /* What /memory/holders and the ticker read while the worker writes. */
    _Atomic uint64_t id;
    _Atomic int64_t started_us; /* monotonic */
    _Atomic int method;         /* enum method */
    _Atomic(const struct route *)
        route; /* NULL until the headers are complete, and when none matched */
    _Atomic uint64_t body_bytes;         /* read so far */
    _Atomic int64_t phase_since_us;
    _Atomic int phase; /* enum request_phase */
};

/* Takes the target into the arena. What is wrong with it stands in `refused`. */
void request_begin(struct request *request, struct service *service, struct bytes target,
                   bool operator_listener);

/* Gives everything back and counts the request. */
void request_end(struct request *request);

void request_set_phase(struct request *request, enum request_phase phase);

/*
 * The value of a query parameter, decoded into the arena (+ and %XX). False when it is not there or
 * malformed.
 */
bool request_parameter(struct request *request, const char *name, struct bytes *value);

/*
 * Walks the query: the next name=value, both decoded into the arena. False at the end. *at starts
 * as request->query. False, too, with the request refused (malformed %XX, no room).
 */
bool request_next_parameter(struct request *request, struct bytes *at, struct bytes *name,
                            struct bytes *value);

/*
 * %XX decoded into the arena; with `plus`, + becomes a blank. False with the request refused when
 * it is malformed, or when there is no room.
 */
bool request_decode(struct request *request, struct bytes text, bool plus, struct bytes *out);

/*
 * Room in the arena for a reply, or false with the refusal set; where memory is traced it is the
 * caller's.
 */
#define request_writer(request, bytes, writer)                                                     \
    request_writer_at((request), (bytes), (writer), SITE)
bool request_writer_at(struct request *request, size_t bytes, struct writer *writer,
                       const char *site);

/* Shrinks the request and remembers why it is refused: no verb of its route is called any more. */
void request_refuse(struct request *request, struct refusal refusal);

/* The same when the arena has just refused a push: 413 or 503. */
void request_refuse_arena(struct request *request);

/* Frees what the route held, down to the target, and counts what a push had rejected. */
void request_shrink(struct request *request);

/*
 * The reply that says why it was refused. It always fits: the first block has room behind the
 * target.
 */
void request_reply_refusal(struct request *request);

/* A whole reply of that type, 200. */
void request_reply(struct request *request, const char *content_type, struct bytes body);

extern const char json_type[];
extern const char text_type[];
extern const char openmetrics_type[];

#endif
