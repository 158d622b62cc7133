/*
 * batch.h: the command line, and many seeds on all CPUs, each in a process of its own.
 *
 *     seeds ──fork──> run, run        2 at a time on 2 CPUs; what happened comes back in shared
 *                      └──> sum of what happened            memory
 *
 * Owner: main. Lifetime: process.
 */
#ifndef TESTS_SIM_BATCH_H
#define TESTS_SIM_BATCH_H

#include "happened.h"

struct batch_run {
    uint64_t seed;
    uint64_t hours;
    bool is_all;
};

/* What to paste begins with it. */
extern const char *batch_program;

/* One run from its beginning to its end; it does not return where something is wrong. */
struct happened sim_run(const struct batch_run *run);

#endif
