/*
 * checks.h: what must be so, after each tick and more thoroughly now and then.
 *
 *     ledger ── live <= capacity, taken less given ── who holds what, in both engines
 *     samples ── applied = accepted = what replies said; rejected likewise
 *     windows ── sealed + skipped = passed; records in the order of time, none twice
 *     quiet ── nothing in flight: no request's memory is live, in no pool
 *     deep ── walks over all structures; held history and totals against the log
 *
 * Owner: the simulation. Threads: one.
 */
#ifndef TESTS_SIM_CHECKS_H
#define TESTS_SIM_CHECKS_H

#include "sim.h"

/* After a tick: all that costs microseconds. */
void checks_after_tick(const struct sim *sim);

/* No request is in flight. */
void checks_when_quiet(const struct sim *sim);

/* Walks. */
void checks_deep(const struct sim *sim);

#endif
