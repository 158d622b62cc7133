/*
 * swarm.h: what a seed chooses: which operations there are and how often, the faults, the settings.
 *
 *     seed ──> swarm: weights of operations, half of them 0; features, half of them off
 *         └──> settings: tiny, and other ones for each life of the service
 *
 * A run with everything switched on never gets far in any direction: a DELETE now and then keeps
 * pools from being full, an abort here and there keeps pushes from meeting. Runs in each of which
 * half is off reach what no run of the whole does (Groce et al., Swarm Testing, ISSTA 2012).
 *
 * Owner: struct sim. Threads: one.
 */
#ifndef TESTS_SIM_SWARM_H
#define TESTS_SIM_SWARM_H

#include "base/random.h"
#include "base/settings.h"

#include <stdbool.h>

/* What a client may want. */
enum operation {
    OPERATION_PUSH_TEXT,
    OPERATION_PUSH_OPENMETRICS,
    OPERATION_PUSH_NDJSON,
    OPERATION_PUSH_JSON,
    OPERATION_PUSH_BY_FIRST_BYTE,
    OPERATION_PUSHGATEWAY,
    OPERATION_SUMMARIZE,
    OPERATION_QUERY,
    OPERATION_LISTS, /* series, labels, their values, cardinality */
    OPERATION_DELETE,
    OPERATION_METRICS,
    OPERATION_OPERATOR, /* on the operator listener */
    OPERATION_REPORTS,  /* the same on the other */
    OPERATION_SNAPSHOTS,
    OPERATION_STRANGE, /* what is at no path, or refused for its headers */
    OPERATIONS,
};

/* Chances are one in so many; 0: never. */
struct swarm {
    uint8_t weights[OPERATIONS];
    uint32_t weight; /* of all together */

    uint64_t window_ms;       /* windows.fine */
    uint32_t clients;         /* most that begin in a window */
    uint32_t in_flight;       /* most at a time */
    uint32_t samples;         /* most in a push, at noon */
    bool is_by_hour;          /* quiet nights, busy noons */
    uint64_t storm_one_in;    /* windows: more new series than there is room for */
    uint64_t heavy_one_in;    /* windows: more samples than a step seals */
    uint64_t question_one_in; /* windows: random questions; meddled ones */
    uint64_t meddled_one_in;
    uint64_t dashboard_one_in;
    uint64_t others_one_in; /* locks and pauses: others come first */
    uint64_t deep_each;     /* windows between two deep checks */

    uint64_t gzip_one_in; /* bodies */
    uint64_t zstd_one_in;
    uint64_t atomic_one_in;
    uint64_t damage_one_in;
    uint64_t cut_one_in;
    uint64_t nasty_one_in; /* samples: what each limit of a line refuses */
    uint64_t bomb_one_in;
    uint64_t abort_one_in; /* requests */
    uint64_t slow_one_in;  /* steps of a client: it rests */

    uint64_t no_room_one_in; /* runs of the growth pool */
    uint64_t forward_one_in; /* windows: faults of the clock */
    uint64_t back_one_in;
    uint64_t stall_one_in;
    uint64_t restart_one_in; /* windows: the service ends, and another begins */
};

/* What the seed is for. */
void swarm_choose(struct swarm *swarm, struct random *random);

/* Nothing is off but what damages data, and questions are asked all the time. */
void swarm_choose_all(struct swarm *swarm);

/*
 * Settings of a service, nothing left at auto. `before` are those of the life before, NULL for the
 * first: what stands in the region before the workers stays as it was, since a thread remembers
 * where its worker is.
 */
void swarm_settings(const struct swarm *swarm, struct random *random, const struct settings *before,
                    struct settings *settings);

/* Those of swarm_choose_all. */
void swarm_settings_all(struct settings *settings);

#endif
