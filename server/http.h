/*
 * http.h: the only file that knows libmicrohttpd (0.9.75).
 *
 *     listening socket ──> epoll threads ──> connection slot ──> request ──> route verbs ──> reply
 *
 * What its source and tests with it showed, and what follows here:
 *  - a reply may be queued at the handler's first or last call only; one at the first call closes
 *    the connection, so replies wait for the last call wherever the client can be expected to send
 *    the rest of its body;
 *  - the completed callback can be left out (over 490 query arguments, a cookie that does not fit):
 *    the closed notification ends what request it finds on the connection;
 *  - stopping the daemon, or quiescing it, while connections are open can crash it: http_stop shuts
 *    them all first and waits until the last is gone;
 *  - it takes 128 events at a time, and when it gets exactly that many it waits for more before it
 *    handles them: so no thread has more than 125 connections, and waits for two things beside;
 *  - a reader that returns 0 spins: ours never does.
 *
 * Owner: main. Lifetime: process. Threads: callbacks run in the worker that has the connection.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "service.h"

/* Is it an address to listen on? If not, `problem` says why. */
bool http_check_address(const char *address, char *problem, size_t problem_bytes);

/*
 * A listening socket on "ADDR:PORT" or "[ADDR]:PORT"; port 0 picks one. -1 with `problem` filled
 * in.
 */
int http_listen(const char *address, const struct settings *settings, char *problem,
                size_t problem_bytes);

/*
 * A connection to such an address whose reads and writes give up after `seconds`; -1 when there is
 * none.
 */
int http_connect(const char *address, int seconds);

/* What the socket is bound to, as ADDR:PORT. */
void http_bound_address(int fd, char *out, size_t bytes);

struct MHD_Daemon;

struct http {
    struct service *service;
    struct MHD_Daemon *daemon;
    bool operator_listener;
    int listen_fd;
};

/*
 * Serves `fd`, which is libmicrohttpd's from here on, with `threads` threads. False when it
 * refuses.
 */
bool http_start(struct http *http, struct service *service, int fd, bool operator_listener,
                unsigned threads);

/*
 * Accepts nothing more and waits until `deadline_us` (monotonic) for requests in flight; true when
 * none was cut.
 */
bool http_drain(struct http *http, int64_t deadline_us);

/* Shuts what is left and ends the threads. */
void http_stop(struct http *http);

#endif
