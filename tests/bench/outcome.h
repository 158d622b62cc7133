/*
 * outcome.h: what a run found, filled by loop.c or stream.c and told by report.c.
 */
#ifndef BENCH_OUTCOME_H
#define BENCH_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "process.h"
#include "reply.h"

struct outcome {
    uint64_t begun;    /* requests */
    uint64_t answered; /* with any status */
    uint64_t answered_2xx;
    uint64_t broken; /* closed or unreadable before the reply's end */
    uint64_t reconnects;
    uint64_t statuses[600];
    char refusal[REPLY_EXCERPT_MAX + 1]; /* the first body that came with another status than 2xx */
    uint64_t samples;                    /* in requests that were answered 2xx */
    uint64_t sent_bytes;                 /* heads and bodies */
    uint64_t received_bytes;
    uint64_t reply_body_bytes;
    uint64_t arena_peak_bytes; /* the largest Mayfly-Arena-Peak; 0: none came */
    uint64_t elapsed_ns;
    uint64_t *latencies_ns; /* of the answered; room for all requests */
    uint64_t rss_max_bytes; /* stream: the most that was seen while it ran */
    bool has_process;
    struct process before;
    struct process after;
};

/* Counts one reply that is DONE. */
void outcome_add(struct outcome *outcome, const struct reply *reply, uint64_t samples,
                 uint64_t latency_ns);

#endif
