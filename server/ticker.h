/*
 * ticker.h: what happens by time alone: windows sealed and folded, expiry, audit, own figures,
 * deadlines of connections, steps of the clock.
 *
 * One thread, twenty times a second; each turn holds the engine's lock for tens of microseconds.
 *
 * Owner: main. Lifetime: process.
 */
#ifndef SERVER_TICKER_H
#define SERVER_TICKER_H

#include "service.h"

struct ticker {
    struct service *service;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    uint64_t observed_window; /* the one the service's own figures were taken down in last */
};

bool ticker_start(struct ticker *ticker, struct service *service);
void ticker_stop(struct ticker *ticker);

#endif
