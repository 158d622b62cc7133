/*
 * valid.h: what pods and people ask: pushes of every format and encoding, queries, summaries,
 * scrapes, pages; and what their replies add to the figures and sums.
 *
 * Owner: traffic.c, in an array made at the start. Lifetime: traffic_make .. traffic_free.
 * Threads: one.
 */
#ifndef SOAK_VALID_H
#define SOAK_VALID_H

#include "soak/client.h"
#include "soak/load.h"
#include "soak/push.h"

struct valid {
    struct client client; /* first: the one is the other */
    enum soak_sort sort;
    bool closes; /* it leaves after the reply, as many clients do */
    struct push push;
};

/* Makes the next request and sends it, on a connection that is closed or kept. */
void valid_begin(struct valid *valid, struct load *load, struct random *random);

/* A reply is whole, or the connection has ended: the client is KEPT or CLOSED then. */
void valid_end(struct valid *valid, struct load *load, enum client_news news);

/* Closes it, whatever it is at. */
void valid_stop(struct valid *valid, struct load *load);

/* Deadlines. */
void valid_turn(struct valid *valid, struct load *load, uint64_t now);

#endif
