/*
 * questions.h: asks the engine as a client would, and compares each point with the model's.
 *
 * Parameters are texts, the arena is a request's on a connection of its own, and the slices are
 * those of server/query_route.c. Points of buckets that begin before everything is
 * held are left out: of those the engine says that they may be incomplete.
 *
 * Owner: the simulation. Threads: one.
 */
#ifndef TESTS_SIM_QUESTIONS_H
#define TESTS_SIM_QUESTIONS_H

#include "sim.h"

/* Anything, of any metric. With `meddled` others do something between its slices. */
void questions_ask_random(struct sim *sim, bool meddled);

/* The same question as the last time, its range moved on: what was cached must be hits. */
void questions_ask_dashboard(struct sim *sim, unsigned which);

#endif
