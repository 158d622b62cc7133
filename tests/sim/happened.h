/*
 * happened.h: what has happened how often, so that a simulation that misses it is noticed.
 *
 * Each row has how often it must happen at least: in a batch of 20 seeds of three days each, and in
 * a day where nothing is switched off. 0 is for what need not happen, and is told all the same.
 *
 * Owner: struct sim; a batch adds them up. Threads: one.
 */
#ifndef TESTS_SIM_HAPPENED_H
#define TESTS_SIM_HAPPENED_H

#include "memory/ledger.h"
#include "base/status.h"

#include <stdbool.h>

enum happening {
#define HAPPENING(id, in_batch, in_day, text) HAPPENED_##id,
#include "happened.def"
#undef HAPPENING
    HAPPENED_COUNT,
};

struct happened {
    uint64_t times[HAPPENED_COUNT];
    uint64_t pool_refusals[POOL_COUNT];
    uint64_t refused[STATUS_COUNT];  /* replies */
    uint64_t rejected[STATUS_COUNT]; /* samples */
};

struct sim;

#define HAPPEN_TIMES(sim, id, by) ((sim)->happened.times[HAPPENED_##id] += (by))
#define HAPPEN(sim, id) HAPPEN_TIMES(sim, id, 1)

/* What the service has counted itself until now: called once, before it ends. */
void happened_take(struct sim *sim);

void happened_add(struct happened *sum, const struct happened *part);

/* Prints all of it. False when something happened too rarely, which is marked. */
bool happened_in_batch(const struct happened *happened);
bool happened_in_days(const struct happened *happened, uint64_t days);

#endif
