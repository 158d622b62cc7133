/*
 * quiet.h: when no request is in flight, nothing of any request is held.
 *
 *     requests in flight   3 2 1 0 1 2 1 0 ...
 *     quiet points               ^       ^    live 0, as many frees as allocations, in each pool
 *
 * The one test for leaks that needs no statistics: a single byte that a request lost shows at the
 * next quiet point, and in which pool. Each quiet point is counted, and each failure.
 *
 * Owner: the service. Lifetime: process. Threads: any; the fields are atomics.
 */
#ifndef MEMORY_QUIET_H
#define MEMORY_QUIET_H

#include "memory/ledger.h"

#include <stdbool.h>

struct quiet {
    _Atomic uint64_t points;
    _Atomic uint64_t failures;                  /* points at which some pool was not empty */
    _Atomic uint64_t pool_failures[POOL_COUNT]; /* and which */
    _Atomic int64_t since_ms[POOL_COUNT];       /* of the failures in a row; 0: the last was fine */
};

struct quiet_figures {
    uint64_t points;
    uint64_t failures;
    uint64_t pool_failures[POOL_COUNT];
    int64_t since_ms[POOL_COUNT];
};

/* A bit for each pool. */
_Static_assert(POOL_COUNT <= 64, "a bit for each pool");

void quiet_init(struct quiet *quiet);

/* Has the pool to be empty at a quiet point: does it hold requests and what they need, no more? */
bool quiet_holds_for(enum pool pool);

/*
 * Which of those are not empty now, a bit each. It is for the caller to know that no request was in
 * flight meanwhile.
 */
uint64_t quiet_look(const struct ledger *ledger);

/* What a look came to at a quiet point. */
void quiet_count(struct quiet *quiet, uint64_t not_empty, int64_t now_ms);

struct quiet_figures quiet_figures(const struct quiet *quiet);

#endif
