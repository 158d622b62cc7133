/*
 * traffic.h: the load: pods that push, people who ask, and clients that mean harm; one thread,
 * epoll.
 *
 *     rate(t) ──> valid.c: push, query, summarize, scrape, page ──┐
 *     hostile ──> hostile.c: oversized, bombs, slow, aborts … ────┴──> client.c: sockets, deadlines
 *                                         replies ──> figures and sums
 *
 * An open loop: requests begin when the clock says so, on a bounded number of connections; one that
 * finds none free is counted as late and begins when there is one. Everything is made from the
 * seed.
 *
 * Owner: the run. Lifetime: traffic_make .. traffic_free. Threads: one.
 */
#ifndef SOAK_TRAFFIC_H
#define SOAK_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

/* ---- what was acknowledged, metric by metric: exact, since all values are multiples of 1/4 ----
 */

enum soak_kind {
    SOAK_COUNTER,
    SOAK_GAUGE,
    SOAK_HISTOGRAM, /* values observed one by one */
    SOAK_CLASSIC,   /* pushed as buckets */
    SOAK_SUMMARY,
    SOAK_SET,
};

struct soak_sum {
    const char *metric;
    enum soak_kind kind;
    uint64_t samples;                /* as the server counts them: its "accepted" */
    uint64_t observations;           /* what fn=count answers for this kind */
    double sum;                      /* what fn=sum answers; of gauges and sets: 0, not compared */
    uint64_t uncertain_observations; /* of pushes that no reply was read for: at most so many, */
    double uncertain_sum;            /* and so much, is held beside */
};

#define SOAK_METRICS 8 /* rows of traffic_sums() */

/* ---- figures, cumulative since traffic_make ---- */

enum soak_sort { SORT_PUSH, SORT_QUERY, SORT_SUMMARIZE, SORT_SCRAPE, SORT_PAGE, SORT_COUNT };

enum soak_hostile {
    HOSTILE_OVERSIZED,
    HOSTILE_BOMB,
    HOSTILE_HALF_CLOSED,
    HOSTILE_SLOW_BODY,
    HOSTILE_IDLE,
    HOSTILE_GARBAGE,
    HOSTILE_DEEP_JSON,
    HOSTILE_ABORT_REPLY,
    HOSTILE_ABORT_BODY,
    HOSTILE_CARDINALITY,
    HOSTILE_COUNT,
};

struct hostile_figures {
    uint64_t begun;
    uint64_t answered;  /* with a whole reply, whatever it said */
    uint64_t closed;    /* by the server, without one */
    uint64_t timed_out; /* by us: at a deadline, at a pause, or since its kind leaves */
};

struct latency_figures { /* of the interval since the last traffic_latency() */
    uint64_t count;
    double p50; /* seconds; NAN when there were none */
    double p99;
    double max;
};

#define REFUSALS_MAX 32

struct refusal {
    char code[32];
    uint64_t count;
};

struct traffic_figures {
    uint64_t answered[SORT_COUNT];
    uint64_t statuses[600];
    struct refusal refusals[REFUSALS_MAX]; /* by error code, in order of their first */
    uint32_t refusal_count;
    struct hostile_figures hostile[HOSTILE_COUNT];
    uint64_t broken; /* valid requests that got no whole reply */
    uint64_t late;   /* begun later than the clock asked for */
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint64_t
        acknowledged_samples; /* all metrics and hostile ones too, from replies that were read */
    uint64_t rejected_samples;
    uint64_t uncertain_samples; /* sent, whole or in part, and no reply was read: at most these */
};

struct traffic;

/* The names of the rows, as the record has them. */
extern const char *const soak_sort_names[SORT_COUNT];
extern const char *const soak_hostile_names[HOSTILE_COUNT];

struct traffic *traffic_make(const struct soak_options *options);
void traffic_free(struct traffic *traffic);

/* Runs the load until then by now_ns(); elapsed is where in the run (seconds since its first start)
 * `now` is, which the wave and the generations of pods go by. A signal ends it early. Returns false
 * when the server has not taken a connection for 10 seconds: it is gone. */
bool traffic_spin(struct traffic *traffic, double elapsed, uint64_t until_ns);

/* Begins nothing new, lets valid requests end (30 s at most), ends hostile ones (at once; those
 * whose reply says what became of a thousand samples or more have 3 s) and closes every connection.
 * After it nothing of ours is under way. False: the server is gone. */
bool traffic_pause(struct traffic *traffic);

const struct traffic_figures *traffic_figures(const struct traffic *traffic);

/* Takes the interval's latencies and begins a new one. */
struct latency_figures traffic_latency(struct traffic *traffic, enum soak_sort sort);

/* SOAK_METRICS rows of what was acknowledged since traffic_make. */
const struct soak_sum *traffic_sums(const struct traffic *traffic);

#endif
