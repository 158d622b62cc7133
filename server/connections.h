/*
 * connections.h: every connection that is open, and since when it is doing what it does.
 *
 *     slot 0 .. data - 1                 the data listener's; first blocks of pool `requests`
 *     slot data .. data + operator - 1   the operator listener's; arenas of pool `reserve`
 *
 * libmicrohttpd's timeout knows inactivity only: a byte now and then would live for ever. So each
 * socket is registered here when it is accepted, and the ticker shuts down those past their
 * deadline. The lock is held in the closed notification, where the descriptor is still open: a
 * descriptor in the table cannot have been reused.
 *
 * And it loses the end of a connection that comes along with data (epoll, edge-triggered): the
 * ticker asks the sockets for it, so that a client that is gone does not hold its slot until a
 * timeout.
 *
 * Owner: the service. Lifetime: process (the slots), connection (what is in one).
 * Threads: any, under `lock`; a slot's request belongs to its worker.
 */
#ifndef SERVER_CONNECTIONS_H
#define SERVER_CONNECTIONS_H

#include "request.h"

#include "memory/region.h"
#include "reply/world.h"

#include <pthread.h>

#define PEER_BYTES 64

struct connection {
    int fd; /* -1: the slot is free */
    bool operator_listener;
    bool shut; /* down by us; the worker will close it */
    bool ended; /* its client has closed its side, which was passed on */
    uint32_t next_free;
    char peer[PEER_BYTES];          /* 127.0.0.1:54321 */
    _Atomic bool requested;         /* it has had a request: from now on it may rest between two */
    _Atomic int64_t idle_since_us; /* accepted, or the last request completed */
    struct service *service;
    char *first_block;
    struct request request;
};

struct connections {
    pthread_mutex_t lock;
    struct connection *slots;
    uint32_t data_count;
    uint32_t operator_count;
    uint32_t free_data; /* heads of the free lists */
    uint32_t free_operator;
    uint32_t live;
    uint64_t accepted;
    uint64_t closed[CLOSED_CAUSES];
    bool gate[2]; /* by listener; stopping: what is accepted now is shut at once */
};

/* The connection that embeds this request. */
static inline struct connection *request_connection(struct request *request)
{
    return (struct connection *)((char *)request - offsetof(struct connection, request));
}

uint64_t connections_bytes(uint64_t connection_count);

void connections_init(struct connections *connections, struct service *service,
                      struct region *region);

/* NULL when every slot is taken, which libmicrohttpd's own limit rules out. */
struct connection *connection_open(struct connections *connections, int fd, const char *peer,
                                   bool operator_listener);
void connection_close(struct connections *connections, struct connection *connection);

/*
 * A request ended without a reply; counted for `cause`, unless the ticker counted it when it shut
 * the connection.
 */
void connection_count_closed(struct connections *connections, const struct connection *connection,
                             enum closed_cause cause);

/* Shuts down every connection past its deadline. Returns how many. Called by the ticker. */
unsigned connections_reap(struct connections *connections);

/* Looks for clients that have closed their side. Called some times a second. */
void connections_pass_on_ends(struct connections *connections);

/*
 * From now on what that listener accepts is shut at once. Its connections without a request are
 * shut now.
 */
void connections_gate(struct connections *connections, bool operator_listener);

/* Shuts down all of that listener's, whatever they are doing. */
void connections_shut_all(struct connections *connections, bool operator_listener);

/* How many of that listener's have a request in flight. */
uint32_t connections_busy(struct connections *connections, bool operator_listener);

#endif
