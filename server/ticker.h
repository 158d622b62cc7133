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

/*
 * One turn, the count-th: everything is looked at in the first, some things not in each of those
 * that follow. The thread's; the simulation has no thread.
 */
void ticker_tick(struct ticker *ticker, uint64_t count);

bool ticker_start(struct ticker *ticker, struct service *service);
void ticker_stop(struct ticker *ticker);

#endif
