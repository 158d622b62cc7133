/*
 * report.h: tells a run's outcome, for people or as one line of JSON (flat, every key once).
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "options.h"
#include "outcome.h"

/* Sorts the outcome's latencies. */
void report_write(const struct options *options, struct outcome *outcome);

#endif
