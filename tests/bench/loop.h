/*
 * loop.h: the closed loop: N connections, one request under way on each, one thread over epoll.
 *
 * A connection sends its next request when the reply to the last one is complete: no pipelining, so
 * the server decides the pace. A connection that the server closes is opened again. Latency is from
 * the first byte sent to the last byte of the reply.
 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "messages.h"
#include "options.h"
#include "outcome.h"

/* Given to replies after --seconds, before they count as broken. */
#define LOOP_GRACE_SECONDS 30u

/* A connected, non-blocking socket. Ends the program when the server does not listen. */
int socket_open(const struct options *options);

void loop_run(const struct options *options, const struct messages *messages,
              struct outcome *outcome);

#endif
