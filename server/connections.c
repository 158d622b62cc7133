/* connections.c: see connections.h. */
#include "connections.h"

#include "clock.h"
#include "service.h"

#include "base/ensure.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

uint64_t connections_bytes(uint64_t connection_count)
{
    return region_piece_bytes(connection_count * sizeof(struct connection));
}

static void put_free(struct connections *connections, uint32_t index)
{
    uint32_t *head = index < connections->data_count ? &connections->free_data
                                                     : &connections->free_operator;
    connections->slots[index].fd = -1;
    connections->slots[index].next_free = *head;
    *head = index;
}

void connections_init(struct connections *connections, struct service *service,
                      struct region *region)
{
    const struct settings *settings = service->settings;
    uint32_t data = (uint32_t)settings->server_connections;
    uint32_t operators = (uint32_t)settings->server_operator_connections;
    size_t first = settings->limits_first_block_bytes;
    char *blocks = region_take(region, data * first);
    char *reserve = region_take(region, (size_t)operators * OPERATOR_ARENA_BYTES);
    *connections = (struct connections){
        .slots = region_take(region, (data + operators) * sizeof(struct connection)),
        .data_count = data,
        .operator_count = operators,
        .free_data = UINT32_MAX,
        .free_operator = UINT32_MAX,
    };
    pthread_mutex_init(&connections->lock, NULL);
    for (uint32_t index = data + operators; index-- > 0;) {
        struct connection *connection = &connections->slots[index];
        connection->service = service;
        connection->operator_listener = index >= data;
        connection->first_block = index < data
                                      ? blocks + index * first
                                      : reserve + (size_t)(index - data) * OPERATOR_ARENA_BYTES;
        put_free(connections, index);
    }
    struct account *accounts = service->ledger->accounts;
    accounts[POOL_REQUESTS].capacity_bytes = data * first;
    accounts[POOL_RESERVE].capacity_bytes = (uint64_t)operators * OPERATOR_ARENA_BYTES;
    accounts[POOL_CONNECTIONS].capacity_bytes =
        (uint64_t)(data + operators) * sizeof(struct connection);
}

struct connection *connection_open(struct connections *connections, int fd, const char *peer,
                                   bool operator_listener)
{
    pthread_mutex_lock(&connections->lock);
    uint32_t *head = operator_listener ? &connections->free_operator : &connections->free_data;
    struct connection *connection = NULL;
    if (*head != UINT32_MAX && !connections->gate[operator_listener]) {
        connection = &connections->slots[*head];
        *head = connection->next_free;
        connection->fd = fd;
        connection->shut = connection->ended = false;
        snprintf(connection->peer, sizeof connection->peer, "%s", peer);
        atomic_store_explicit(&connection->requested, false, memory_order_relaxed);
        atomic_store_explicit(&connection->idle_since_us, clock_monotonic_us(),
                              memory_order_relaxed);
        connections->live++;
        connections->accepted++;
        ledger_take(connection->service->ledger, POOL_CONNECTIONS, sizeof *connection);
    }
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connection_close(struct connections *connections, struct connection *connection)
{
    pthread_mutex_lock(&connections->lock);
    ENSURE(connection->fd >= 0);
    put_free(connections, (uint32_t)(connection - connections->slots));
    connections->live--;
    ledger_give(connection->service->ledger, POOL_CONNECTIONS, sizeof *connection);
    pthread_mutex_unlock(&connections->lock);
}

void connection_count_closed(struct connections *connections, const struct connection *connection,
                             enum closed_cause cause)
{
    pthread_mutex_lock(&connections->lock);
    if (!connection->shut)
        connections->closed[cause]++;
    pthread_mutex_unlock(&connections->lock);
}

/* ---- deadlines ---- */

/*
 * Under limits.body_bytes_per_second on average, once the body has had limits.header_timeout to
 * begin.
 */
static bool is_too_slow(const struct settings *settings, const struct request *request,
                        int64_t age_ms)
{
    if (age_ms < (int64_t)settings->limits_header_timeout)
        return false;
    uint64_t bytes = atomic_load_explicit(&request->body_bytes, memory_order_relaxed);
    return bytes < (uint64_t)age_ms / 1000 * settings->limits_body_bytes_per_second;
}

/*
 * Between requests nothing tells us that a header is trickling in: after limits.idle_timeout
 * libmicrohttpd itself closes a silent connection, so one that is open limits.header_timeout later
 * is not silent.
 */
static bool rests_too_long(const struct settings *settings, const struct connection *connection,
                           int64_t now_us)
{
    uint64_t allowed = settings->limits_header_timeout;
    if (atomic_load_explicit(&connection->requested, memory_order_relaxed))
        allowed += settings->limits_idle_timeout;
    int64_t since = atomic_load_explicit(&connection->idle_since_us, memory_order_relaxed);
    return now_us - since > (int64_t)allowed * 1000;
}

/*
 * How long it has been doing what it does. The headers of a first request count from the
 * connection's start.
 */
static int64_t phase_age_ms(const struct connection *connection, int phase, int64_t now_us)
{
    int64_t since =
        atomic_load_explicit(&connection->request.phase_since_us, memory_order_relaxed);
    if (phase == PHASE_HEADERS &&
        !atomic_load_explicit(&connection->requested, memory_order_relaxed))
        since = atomic_load_explicit(&connection->idle_since_us, memory_order_relaxed);
    return (now_us - since) / 1000;
}

/*
 * CLOSED_CAUSES: it may go on. The phase is read before its time: when it changes in between, the
 * time is too young and not too old.
 */
static enum closed_cause overdue(const struct connection *connection, int64_t now_us)
{
    const struct settings *settings = connection->service->settings;
    const struct request *request = &connection->request;
    int phase = atomic_load_explicit(&request->phase, memory_order_acquire);
    int64_t age_ms = phase_age_ms(connection, phase, now_us);
    switch (phase) {
    case PHASE_NONE:
        return rests_too_long(settings, connection, now_us) ? CLOSED_HEADER_TIMEOUT : CLOSED_CAUSES;
    case PHASE_HEADERS:
        return age_ms > (int64_t)settings->limits_header_timeout ? CLOSED_HEADER_TIMEOUT
                                                                 : CLOSED_CAUSES;
    case PHASE_REPLY:
        return age_ms > (int64_t)settings->limits_reply_timeout ? CLOSED_REPLY_TIMEOUT
                                                                : CLOSED_CAUSES;
    default:
        return age_ms > (int64_t)settings->limits_body_timeout ||
                       is_too_slow(settings, request, age_ms)
                   ? CLOSED_BODY_TIMEOUT
                   : CLOSED_CAUSES;
    }
}

static void shut(struct connections *connections, struct connection *connection,
                 enum closed_cause cause)
{
    connection->shut = true;
    if (cause != CLOSED_CAUSES)
        connections->closed[cause]++;
    shutdown(connection->fd, SHUT_RDWR);
}

unsigned connections_reap(struct connections *connections)
{
    unsigned reaped = 0;
    int64_t now_us = clock_monotonic_us();
    pthread_mutex_lock(&connections->lock);
    for (uint32_t i = 0; i < connections->data_count + connections->operator_count; i++) {
        struct connection *connection = &connections->slots[i];
        if (connection->fd < 0 || connection->shut)
            continue;
        enum closed_cause cause = overdue(connection, now_us);
        if (cause == CLOSED_CAUSES)
            continue;
        shut(connections, connection, cause);
        reaped++;
    }
    pthread_mutex_unlock(&connections->lock);
    return reaped;
}

/* ---- clients that have gone ---- */

/*
 * The client has closed its side, and libmicrohttpd may have missed it: shutting the reading side
 * raises a new event, upon which what is still queued is read, and then the end. A client that
 * closed its side behind a whole request gets its reply all the same.
 */
static void pass_on_end(struct connection *connection)
{
    struct pollfd poller = {.fd = connection->fd, .events = POLLRDHUP};
    if (poll(&poller, 1, 0) != 1 || (poller.revents & POLLRDHUP) == 0)
        return;
    connection->ended = true;
    shutdown(connection->fd, SHUT_RD);
}

void connections_pass_on_ends(struct connections *connections)
{
    pthread_mutex_lock(&connections->lock);
    for (uint32_t i = 0; i < connections->data_count + connections->operator_count; i++) {
        struct connection *connection = &connections->slots[i];
        int phase = atomic_load_explicit(&connection->request.phase, memory_order_acquire);
        if (connection->fd >= 0 && !connection->shut && !connection->ended && phase != PHASE_REPLY)
            pass_on_end(connection);
    }
    pthread_mutex_unlock(&connections->lock);
}

/* ---- stopping ---- */

static bool is_busy(const struct connection *connection)
{
    return connection->fd >= 0 &&
           atomic_load_explicit(&connection->request.phase, memory_order_acquire) != PHASE_NONE;
}

static void shut_where(struct connections *connections, bool operator_listener, bool busy_too)
{
    for (uint32_t i = 0; i < connections->data_count + connections->operator_count; i++) {
        struct connection *connection = &connections->slots[i];
        if (connection->fd < 0 || connection->operator_listener != operator_listener)
            continue;
        if (busy_too || !is_busy(connection))
            shut(connections, connection, CLOSED_CAUSES);
    }
}

void connections_gate(struct connections *connections, bool operator_listener)
{
    pthread_mutex_lock(&connections->lock);
    connections->gate[operator_listener] = true;
    shut_where(connections, operator_listener, false);
    pthread_mutex_unlock(&connections->lock);
}

void connections_shut_all(struct connections *connections, bool operator_listener)
{
    pthread_mutex_lock(&connections->lock);
    shut_where(connections, operator_listener, true);
    pthread_mutex_unlock(&connections->lock);
}

uint32_t connections_busy(struct connections *connections, bool operator_listener)
{
    uint32_t busy = 0;
    pthread_mutex_lock(&connections->lock);
    for (uint32_t i = 0; i < connections->data_count + connections->operator_count; i++)
        busy += connections->slots[i].operator_listener == operator_listener &&
                is_busy(&connections->slots[i]);
    pthread_mutex_unlock(&connections->lock);
    return busy;
}
