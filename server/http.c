/* http.c: see http.h. */
#include "http.h"

#include "clock.h"
#include "request.h"
#include "routes.h"

#include "base/ensure.h"
#include "base/number.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A streamed response's own buffer, which only HTTP/1.0 clients use. */
#define STREAM_BLOCK_BYTES 1024

/* How often a stop looks whether it may go on. */
#define STOP_POLL_NS 5000000

/* ---- connections ---- */

static void address_text(const struct sockaddr *address, char *out, size_t bytes)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, bytes, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, bytes, "%s:%u", host, ntohs(v4->sin_port));
    }
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static bool has_request(const struct connection *connection)
{
    return atomic_load_explicit(&connection->request.phase, memory_order_relaxed) != PHASE_NONE;
}

static void connection_started(struct http *http, struct MHD_Connection *mhd, void **context)
{
    char peer[PEER_BYTES];
    int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    address_text(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
                 peer, sizeof peer);
    *context = connection_open(&http->service->connections, fd, peer, http->operator_listener);
    if (*context == NULL)
        shutdown(fd, SHUT_RDWR); /* stopping */
}

static void connection_closed(struct http *http, void **context)
{
    struct connection *connection = *context;
    if (connection == NULL)
        return;
    if (has_request(connection)) /* the completed callback was left out */
        request_end(&connection->request);
    connection_close(&http->service->connections, connection);
    *context = NULL;
}

static void notify_connection(void *cls, struct MHD_Connection *mhd, void **context,
                              enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_started(cls, mhd, context);
    else
        connection_closed(cls, context);
}

/* ---- requests ---- */

/*
 * More than anything here can use; libmicrohttpd keeps each, and past some hundreds answers
 * nothing.
 */
#define PARAMETERS_MAX 64 /* the message in status.def says so too */

static bool has_too_many_parameters(struct bytes query)
{
    unsigned count = 0;
    for (size_t i = 0; i < query.length; i++)
        count += query.at[i] == '&';
    return count >= PARAMETERS_MAX;
}

/*
 * Answers on the socket itself and shuts it: libmicrohttpd is about to fail on this request without
 * a word. Nothing else is being sent on the connection now, and what does not fit the socket's
 * buffer is not worth waiting for.
 */
static void refuse_on_socket(struct request *request, int fd)
{
    char head[256];
    request->refused = refusal_plain(STATUS_TOO_MANY_PARAMETERS);
    request_reply_refusal(request);
    struct bytes body = request->reply.body;
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 414 URI Too Long\r\nContent-Type: %s\r\n"
                          "Mayfly-Arena-Peak: %zu\r\nContent-Length: %zu\r\n"
                          "Connection: close\r\n\r\n",
                          json_type, arena_peak(&request->arena), body.length);
    if (send(fd, head, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE) == length)
        send(fd, body.at, body.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    request->http = request->reply.http;
    shutdown(fd, SHUT_RDWR);
}

static void *uri_log(void *cls, const char *target, struct MHD_Connection *mhd)
{
    struct http *http = cls;
    struct connection *connection = connection_of(mhd);
    if (connection == NULL)
        return NULL;
    if (has_request(connection))
        request_end(&connection->request);
    struct request *request = &connection->request;
    request_begin(request, http->service, bytes_of(target), http->operator_listener);
    const char *query = strchr(target, '?');
    if (query != NULL && has_too_many_parameters(bytes_of(query)))
        refuse_on_socket(request, connection->fd);
    return request;
}

static enum method method_of(const char *method)
{
    static const struct {
        const char *text;
        enum method method;
    } rows[] = {
        {"GET", METHOD_GET}, {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
        {"PUT", METHOD_PUT}, {"DELETE", METHOD_DELETE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(method, rows[i].text) == 0)
            return rows[i].method;
    }
    return METHOD_OTHER;
}

/* The headers that matter here, found in one walk. */
struct headers {
    struct bytes content_length;
    struct bytes transfer_encoding;
    struct bytes content_type;
    struct bytes content_encoding;
    struct bytes accept;
    struct bytes accept_encoding;
    struct bytes expect;
    struct bytes fetch_site; /* Sec-Fetch-Site: browsers say it, and no script can */
    unsigned length_count;   /* how often each stands there, be its value empty */
    unsigned transfer_count;
    bool has_blank_name; /* a blank before a colon: libmicrohttpd knows no such header */
};

static struct bytes *header_place(struct headers *headers, struct bytes name)
{
    const struct {
        struct bytes name;
        struct bytes *place;
    } rows[] = {
        {BYTES("Content-Length"), &headers->content_length},
        {BYTES("Transfer-Encoding"), &headers->transfer_encoding},
        {BYTES("Content-Type"), &headers->content_type},
        {BYTES("Content-Encoding"), &headers->content_encoding},
        {BYTES("Accept"), &headers->accept},
        {BYTES("Accept-Encoding"), &headers->accept_encoding},
        {BYTES("Expect"), &headers->expect},
        {BYTES("Sec-Fetch-Site"), &headers->fetch_site},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (bytes_equal_nocase(name, rows[i].name))
            return rows[i].place;
    }
    return NULL;
}

/* Of a header that stands twice the first counts; lengths are counted, see framing_problem. */
static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    struct headers *headers = cls;
    headers->has_blank_name |= strpbrk(name, " \t") != NULL;
    struct bytes *place = header_place(headers, bytes_of(name));
    headers->length_count += place == &headers->content_length;
    headers->transfer_count += place == &headers->transfer_encoding;
    if (place != NULL && place->length == 0 && value != NULL)
        *place = bytes_of(value);
    return MHD_YES;
}

/*
 * libmicrohttpd takes the first of two lengths and prefers chunks to a length without a word; what
 * stands behind the body would then be read as a request of its own (RFC 9112, 6.3). Such a
 * connection is not kept.
 */
static const char *framing_problem(const struct headers *headers)
{
    if (headers->has_blank_name)
        return "a blank before a header's colon";
    if (headers->length_count > 1)
        return "Content-Length stands twice";
    if (headers->transfer_count == 0)
        return NULL;
    if (headers->length_count > 0)
        return "both Content-Length and Transfer-Encoding";
    bool chunked = headers->transfer_count == 1 &&
                   bytes_equal_nocase(headers->transfer_encoding, BYTES("chunked"));
    return chunked ? NULL : "Transfer-Encoding may only be chunked";
}

static uint64_t content_length(const struct headers *headers)
{
    uint64_t length = 0;
    if (headers->transfer_count > 0)
        return UINT64_MAX;
    return number_parse_u64(headers->content_length, &length) ? length : 0;
}

static void read_headers(struct request *request, struct MHD_Connection *mhd, const char *method)
{
    const struct bytes none = {"", 0};
    struct headers headers = {none, none, none, none, none, none, none, none, 0, 0, false};
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, take_header, &headers);
    const char *problem = framing_problem(&headers);
    atomic_store_explicit(&request->method, (int)method_of(method), memory_order_relaxed);
    request->content_length = content_length(&headers);
    request->content_type = headers.content_type;
    request->content_encoding = headers.content_encoding;
    request->accept = headers.accept;
    request->accept_encoding = headers.accept_encoding;
    request->expects = headers.expect.length > 0;
    request->cross_site = bytes_equal_nocase(headers.fetch_site, BYTES("cross-site")) ||
                          bytes_equal_nocase(headers.fetch_site, BYTES("same-site"));
    if (problem != NULL) {
        request->refused = refusal_detail(STATUS_BAD_FRAMING, problem);
        request->expects =
            true; /* nothing behind these headers can be trusted: answer now, and close */
    }
}

/* ---- replies ---- */

static void add_peak_footer(struct request *request)
{
    char text[NUMBER_BYTES_MAX + 1];
    text[number_write_u64(arena_peak(&request->arena), text)] = '\0';
    MHD_add_response_footer(request->response, "Mayfly-Arena-Peak", text);
}

/* Fills the page anew; false when there is nothing more to send. */
static bool next_page(struct request *request)
{
    while (!request->pages_ended) {
        request->page.used = 0;
        request->page.full = false;
        request->page_sent = 0;
        request->pages_ended = !request->reply.pages->next(request->reply.pages, &request->page);
        if (request->page.used > 0)
            return true;
    }
    return false;
}

static ssize_t read_pages(void *cls, uint64_t position, char *out, size_t room)
{
    (void)position;
    struct request *request = cls;
    if (request->page_sent == request->page.used && !next_page(request)) {
        add_peak_footer(request);
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    size_t left = request->page.used - request->page_sent;
    size_t part = left < room ? left : room;
    memcpy(out, request->page.at + request->page_sent, part);
    request->page_sent += part;
    return (ssize_t)part;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (value != NULL)
        MHD_add_response_header(response, name, value);
}

static void add_headers(struct request *request, struct MHD_Response *response)
{
    const struct reply *reply = &request->reply;
    char peak[NUMBER_BYTES_MAX + 1];
    peak[number_write_u64(arena_peak(&request->arena), peak)] = '\0';
    add_header(response, "Content-Type", reply->content_type);
    add_header(response, "Mayfly-Arena-Peak", peak);
    add_header(response, "Content-Encoding", reply->content_encoding);
    add_header(response, "Vary", reply->vary ? "Accept, Accept-Encoding" : NULL);
    add_header(response, "Allow", reply->allow);
    add_header(response, "Location", reply->location);
    add_header(response, "Retry-After", reply->retry_after ? "1" : NULL);
    add_header(response, "Mayfly-Mode", request->is_pushgateway ? "sum" : NULL);
    if (reply->page_policy == NULL)
        return;
    add_header(response, "Content-Security-Policy", reply->page_policy);
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Referrer-Policy", "no-referrer");
    add_header(response, "Cache-Control", "no-cache"); /* a new binary has a new page */
}

static struct MHD_Response *make_response(struct request *request)
{
    struct reply *reply = &request->reply;
    if (reply->pages == NULL)
        return MHD_create_response_from_buffer(
            reply->body.length, (void *)(uintptr_t)reply->body.at, MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, read_pages, request, NULL);
    /*
     * to a HEAD libmicrohttpd would send the last chunk's zero as a body: such a reply must end its
     * connection
     */
    if (response != NULL &&
        atomic_load_explicit(&request->method, memory_order_relaxed) == METHOD_HEAD)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    return response;
}

static enum MHD_Result send_reply(struct request *request, struct MHD_Connection *mhd)
{
    struct MHD_Response *response = make_response(request);
    if (response == NULL)
        return MHD_NO;
    add_headers(request, response);
    request->response = response;
    request->http = request->reply.http;
    request_set_phase(request, PHASE_REPLY);
    enum MHD_Result queued = MHD_queue_response(mhd, request->reply.http, response);
    MHD_destroy_response(response);
    return queued;
}

static bool is_refused(const struct request *request)
{
    return request->refused.status != STATUS_OK;
}

/* ---- the handler's three kinds of call ---- */

/*
 * A client that waits for 100 Continue, or has more to send than we would drain, is answered at
 * once.
 */
static bool answers_at_once(const struct request *request)
{
    const struct settings *settings = request->service->settings;
    return request->expects || (request->content_length != UINT64_MAX &&
                                request->content_length > settings->limits_drain_bytes);
}

/* What a reply's status line and headers take of the connection's buffer, at most. */
#define REPLY_HEADER_BYTES 1024

/* libmicrohttpd's note of each header, cookie and query parameter, in the same buffer. */
#define NOTE_BYTES 64

/*
 * The reply's headers must fit the buffer behind the request's: else libmicrohttpd would close
 * without a word, after the push was applied.
 */
static bool leaves_room_for_reply(const struct request *request, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t used = info == NULL ? 0 : info->header_size;
    int notes = MHD_get_connection_values(
        mhd, MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND, NULL, NULL);
    used += (size_t)notes * NOTE_BYTES;
    return used + REPLY_HEADER_BYTES <= request->service->settings->server_connection_bytes;
}

static enum MHD_Result on_headers(struct request *request, struct MHD_Connection *mhd,
                                  const char *method)
{
    request->has_headers = true;
    read_headers(request, mhd, method);
    if (!is_refused(request) && !leaves_room_for_reply(request, mhd)) {
        request->refused = refusal_of(STATUS_HEADERS_TOO_LARGE, request->service->settings);
        request->expects = true;
    }
    if (!is_refused(request))
        route_find(request);
    const struct route *route = atomic_load_explicit(&request->route, memory_order_relaxed);
    if (!is_refused(request) && route->begin != NULL)
        route->begin(request);
    if (is_refused(request) && answers_at_once(request)) {
        request_reply_refusal(request);
        return send_reply(request, mhd);
    }
    request_set_phase(request, is_refused(request) ? PHASE_DRAINING : PHASE_BODY);
    return MHD_YES;
}

/* Reads what nobody wants so that the client gets to read the reply; closes when it is too much. */
static enum MHD_Result drain(struct request *request, size_t bytes)
{
    request->drained_bytes += bytes;
    if (request->drained_bytes <= request->service->settings->limits_drain_bytes)
        return MHD_YES;
    connection_count_closed(&request->service->connections, request_connection(request),
                            CLOSED_DRAIN);
    request->closed_counted = true;
    return MHD_NO;
}

static enum MHD_Result on_body(struct request *request, struct bytes bytes)
{
    const struct route *route = atomic_load_explicit(&request->route, memory_order_relaxed);
    atomic_fetch_add_explicit(&request->body_bytes, bytes.length, memory_order_relaxed);
    if (is_refused(request) || route->body == NULL)
        return drain(request, bytes.length);
    route->body(request, bytes);
    if (is_refused(request)) /* the body's own deadline goes on */
        atomic_store_explicit(&request->phase, PHASE_DRAINING, memory_order_release);
    return MHD_YES;
}

static enum MHD_Result on_end(struct request *request, struct MHD_Connection *mhd)
{
    const struct route *route = atomic_load_explicit(&request->route, memory_order_relaxed);
    if (!is_refused(request))
        route->end(request);
    if (is_refused(request))
        request_reply_refusal(request);
    return send_reply(request, mhd);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **context)
{
    (void)cls;
    (void)url;
    (void)version;
    struct request *request = *context;
    if (request == NULL)
        return MHD_NO;
    if (atomic_load_explicit(&request->phase, memory_order_relaxed) == PHASE_REPLY)
        return MHD_NO; /* a reply that was dropped by a stop */
    if (!request->has_headers)
        return on_headers(request, mhd, method);
    if (*upload_bytes == 0)
        return on_end(request, mhd);
    struct bytes bytes = {upload, *upload_bytes};
    *upload_bytes = 0;
    return on_body(request, bytes);
}

/* ---- the end of a request ---- */

static enum closed_cause cause_of(const struct request *request,
                                  enum MHD_RequestTerminationCode code)
{
    if (code != MHD_REQUEST_TERMINATED_TIMEOUT_REACHED)
        return CLOSED_CLIENT;
    switch (atomic_load_explicit(&request->phase, memory_order_relaxed)) {
    case PHASE_HEADERS:
        return CLOSED_HEADER_TIMEOUT;
    case PHASE_REPLY:
        return CLOSED_REPLY_TIMEOUT;
    default:
        return CLOSED_BODY_TIMEOUT;
    }
}

/* What libmicrohttpd answered by itself: 431 and its kin. */
static unsigned own_status(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_HTTP_STATUS);
    return info == NULL ? 0 : info->http_status;
}

static void completed(void *cls, struct MHD_Connection *mhd, void **context,
                      enum MHD_RequestTerminationCode code)
{
    struct http *http = cls;
    struct request *request = *context;
    if (request == NULL)
        return;
    *context = NULL;
    bool replied = request->http != 0;
    if (!replied)
        request->http = own_status(mhd);
    bool ended_well = code == MHD_REQUEST_TERMINATED_COMPLETED_OK ||
                      (request->http >= 400 && (!replied || !request->has_headers));
    if (!ended_well && !request->closed_counted)
        connection_count_closed(&http->service->connections, connection_of(mhd),
                                cause_of(request, code));
    request_end(request);
}

/* ---- start and stop ---- */

/* Names are compared as they were sent; nothing here reads libmicrohttpd's decoded copies. */
static size_t leave_escaped(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

bool http_start(struct http *http, struct service *service, int fd, bool operator_listener,
                unsigned threads)
{
    const struct settings *settings = service->settings;
    unsigned connections = (unsigned)(operator_listener ? settings->server_operator_connections
                                                        : settings->server_connections);
    *http =
        (struct http){.service = service, .operator_listener = operator_listener, .listen_fd = fd};
    struct MHD_OptionItem pool[] = {
        /* a pool of one is no pool to libmicrohttpd */
        {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, handle, http,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)settings->server_connection_bytes,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(settings->limits_idle_timeout / 1000),
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)settings->server_stack_bytes,
        MHD_OPTION_URI_LOG_CALLBACK, uri_log, http, MHD_OPTION_NOTIFY_COMPLETED, completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, notify_connection, http, MHD_OPTION_UNESCAPE_CALLBACK,
        leave_escaped, NULL, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
    return http->daemon != NULL;
}

static void pause_briefly(void)
{
    struct timespec pause = {.tv_nsec = STOP_POLL_NS};
    nanosleep(&pause, NULL);
}

bool http_drain(struct http *http, int64_t deadline_us)
{
    struct connections *connections = &http->service->connections;
    for (;;) {
        connections_gate(connections, http->operator_listener);
        if (connections_busy(connections, http->operator_listener) == 0)
            return true;
        if (clock_monotonic_us() >= deadline_us)
            return false;
        pause_briefly();
    }
}

static unsigned open_connections(const struct http *http)
{
    return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

void http_stop(struct http *http)
{
    shutdown(http->listen_fd, SHUT_RDWR); /* nothing is accepted any more, not even to be shut */
    do {
        connections_gate(&http->service->connections, http->operator_listener);
        connections_shut_all(&http->service->connections, http->operator_listener);
        pause_briefly();
    } while (open_connections(http) > 0);
    MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
}

/* ---- sockets ---- */

/* Splits ADDR:PORT; the address may stand in brackets. False when it is neither. */
static bool split_address(const char *address, char *host, size_t host_bytes, const char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL)
        return false;
    size_t length = (size_t)(colon - address);
    if (length >= 2 && address[0] == '[' && address[length - 1] == ']') {
        address++;
        length -= 2;
    }
    if (length >= host_bytes)
        return false;
    memcpy(host, address, length);
    host[length] = '\0';
    *port = colon + 1;
    uint64_t number; /* getaddrinfo would take any, modulo 65536 */
    return number_parse_u64(bytes_of(*port), &number) && number <= UINT16_MAX;
}

static bool bind_and_listen(int fd, const struct addrinfo *found, const struct settings *settings)
{
    int on = 1;
    int bytes = (int)settings->server_socket_bytes;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0 && /* accepted ones */
           setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0 && /* inherit these */
           bind(fd, found->ai_addr, found->ai_addrlen) == 0 &&
           listen(fd, (int)settings->server_backlog) == 0;
}

/* NULL with `problem` filled in when the address is malformed or unknown. */
static struct addrinfo *resolve(const char *address, char *problem, size_t problem_bytes)
{
    char host[SETTING_TEXT_BYTES];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    if (!split_address(address, host, sizeof host, &port)) {
        snprintf(problem, problem_bytes,
                 "%s is not of the form ADDRESS:PORT, a port being 0 to 65535", address);
        return NULL;
    }
    int code = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &found);
    if (code != 0)
        snprintf(problem, problem_bytes, "%s: %s", address, gai_strerror(code));
    return code == 0 ? found : NULL;
}

bool http_check_address(const char *address, char *problem, size_t problem_bytes)
{
    struct addrinfo *found = resolve(address, problem, problem_bytes);
    if (found == NULL)
        return false;
    freeaddrinfo(found);
    return true;
}

int http_listen(const char *address, const struct settings *settings, char *problem,
                size_t problem_bytes)
{
    int fd = -1;
    struct addrinfo *found = resolve(address, problem, problem_bytes);
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && bind_and_listen(fd, at, settings))
            break;
        snprintf(problem, problem_bytes, "%s: %s", address, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    if (found != NULL)
        freeaddrinfo(found);
    return fd;
}

int http_connect(const char *address, int seconds)
{
    char problem[256];
    struct timeval patience = {.tv_sec = seconds};
    struct addrinfo *found = resolve(address, problem, sizeof problem);
    if (found == NULL)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
                    connect(fd, found->ai_addr, found->ai_addrlen) != 0)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

void http_bound_address(int fd, char *out, size_t bytes)
{
    struct sockaddr_storage bound = {0};
    socklen_t length = sizeof bound;
    getsockname(fd, (struct sockaddr *)&bound, &length);
    address_text((const struct sockaddr *)&bound, out, bytes);
}
