/*
 * report_input.h: what every report on memory is made of, and the sums worked out from it.
 *
 * Owner: whoever answers. Lifetime: request. Threads: one; the ledger may move underneath, so its
 * figures are read once a report (report_sums_make) and the report agrees with itself.
 */
#ifndef REPLY_REPORT_INPUT_H
#define REPLY_REPORT_INPUT_H

#include "memory/plan.h"
#include "memory/ledger.h"
#include "reply/world.h"
#include "store/store.h"

struct report_input {
    const struct world *world;
    const struct plan *plan;
    const struct ledger *ledger;
    const struct store *store; /* read by self_report alone: hold the engine's lock there */
    uint64_t ledger_mismatch_bytes;
    uint64_t audits;
    uint64_t accepted_samples;
    const uint64_t *rejected_samples; /* STATUS_COUNT of them */
    bool openmetrics;
};

struct report_sums {
    struct account_figures pools[POOL_COUNT];
    uint64_t capacity_bytes;
    uint64_t live_bytes; /* of the pools above: they add up */
    uint64_t peak_bytes;
    int64_t peak_at_ms;
    uint64_t unaccounted_bytes; /* of RSS, see report_input.c; WORLD_UNKNOWN without one */
};

struct report_sums report_sums_make(const struct report_input *input);

/* Differences of figures read a moment apart do not go below zero. */
static inline uint64_t report_less(uint64_t from, uint64_t by)
{
    return from > by ? from - by : 0;
}

#endif
