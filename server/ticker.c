/* ticker.c: see ticker.h. */
#include "ticker.h"

#include "drills.h"

#include <errno.h>
#include <time.h>

#define TICK_NS 50000000
#define TICKS_PER_SECOND 20
#define TICKS_PER_LOOK 5 /* four looks a second at clients that may have gone */

/* A step forward is adopted, a step back is not; either is said once, where it happens. */
static void follow_clock(struct service *service)
{
    int64_t behind_ms = clock_offset_ms(&service->clock);
    int64_t step_ms = clock_follow(&service->clock);
    int64_t now_behind_ms = clock_offset_ms(&service->clock);
    if (step_ms != 0)
        log_warning(&service->log, "clock_step", "adopted_ms=%lld", (long long)step_ms);
    if (now_behind_ms > behind_ms + CLOCK_STEP_MS)
        log_warning(&service->log, "clock_step", "not_followed_ms=%lld",
                    (long long)now_behind_ms);
}

/* Once in each window of the finest tier: figures taken more often would be of no use. */
static bool is_to_observe(struct ticker *ticker)
{
    uint64_t window = (uint64_t)clock_now_ms(&ticker->service->clock) /
                      ticker->service->settings->windows_fine;
    bool is_new = window != ticker->observed_window;
    ticker->observed_window = window;
    return is_new;
}

void ticker_tick(struct ticker *ticker, uint64_t count)
{
    struct service *service = ticker->service;
    service_tick_engines(service, is_to_observe(ticker));
    unsigned reaped = connections_reap(&service->connections);
    if (reaped > 0)
        log_warning(&service->log, "connections_ended", "cause=timeout count=%u", reaped);
    if (count % TICKS_PER_LOOK == 0)
        connections_pass_on_ends(&service->connections);
    if (service->drills != NULL)
        drills_tick(service->drills, clock_now_ms(&service->clock));
    if (count % TICKS_PER_SECOND == 0)
        follow_clock(service);
}

static void add_tick(struct timespec *at)
{
    at->tv_nsec += TICK_NS;
    if (at->tv_nsec >= 1000000000) {
        at->tv_nsec -= 1000000000;
        at->tv_sec++;
    }
}

/* Waits for the next tick; false when it is time to stop. */
static bool wait(struct ticker *ticker, struct timespec *next)
{
    add_tick(next);
    pthread_mutex_lock(&ticker->lock);
    int code = 0;
    while (!ticker->stop && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&ticker->wake, &ticker->lock, next);
    bool go_on = !ticker->stop;
    pthread_mutex_unlock(&ticker->lock);
    return go_on;
}

static void *run(void *argument)
{
    struct ticker *ticker = argument;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (uint64_t count = 0; wait(ticker, &next); count++)
        ticker_tick(ticker, count);
    return NULL;
}

bool ticker_start(struct ticker *ticker, struct service *service)
{
    pthread_condattr_t monotonic;
    pthread_attr_t attributes;
    *ticker = (struct ticker){.service = service};
    pthread_mutex_init(&ticker->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ticker->wake, &monotonic);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, service->settings->server_stack_bytes);
    int code = pthread_create(&ticker->thread, &attributes, run, ticker);
    pthread_attr_destroy(&attributes);
    pthread_condattr_destroy(&monotonic);
    return code == 0;
}

void ticker_stop(struct ticker *ticker)
{
    pthread_mutex_lock(&ticker->lock);
    ticker->stop = true;
    pthread_cond_signal(&ticker->wake);
    pthread_mutex_unlock(&ticker->lock);
    pthread_join(ticker->thread, NULL);
}
