/*
 * doctor.h: GET /memory/doctor: what is wrong with memory, in words for a person at a terminal.
 *
 *     how much, of how much
 *     1. what is wrong, since when, how fast
 *        who holds it
 *        what to set
 *
 * It says what the verdict's reasons say, and what no single figure shows: a cache that is too
 * small, samples that overflowed, a cgroup that is about to be met. A ratio alone never fires: nine
 * tenths of little is little.
 *
 * Threads: one. The bytes are bounded by what can be wrong at once.
 */
#ifndef REPLY_DOCTOR_H
#define REPLY_DOCTOR_H

#include "reply/report_input.h"
#include "reply/writer.h"

/* What it comes to at most (a test makes all be wrong at once). */
#define DOCTOR_BYTES 20480

/* Metrics with most series, most first: who holds the pools of series. */
#define DOCTOR_METRICS 3
#define DOCTOR_NAME_BYTES 128 /* longer names are cut */

struct doctor_metric {
    char name[DOCTOR_NAME_BYTES];
    uint32_t name_length;
    uint32_t series;
};

struct doctor_input {
    const struct report_input *report;
    struct doctor_metric metrics[DOCTOR_METRICS];
    uint32_t metric_count;
};

/* Needs DOCTOR_BYTES of room. */
void doctor_write(struct writer *writer, const struct doctor_input *input);

#endif
