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
#include "memory/lru.h"
#include "memory/quiet.h"
#include "memory/watch.h"
#include "reply/world.h"
#include "store/history.h"

/* A tier of the history at one moment. */
struct report_tier {
    int64_t width_ms;
    int64_t retention_ms; /* from its oldest window on; with the finer tiers all is held */
    uint64_t records;
    uint64_t sealed;
    uint64_t left;
};

struct report_history {
    struct report_tier tiers[TIER_COUNT];
    uint64_t sealed_windows;
    uint64_t skipped_windows;
    struct lifetimes lifetimes;        /* of records */
    int64_t oldest_age_ms[TIER_COUNT]; /* of the oldest record; 0 without one */
};

struct report_cache {
    struct lru_figures figures;
    int64_t oldest_age_ms;
};

struct report_input {
    const struct world *world;
    const struct plan *plan;
    const struct ledger *ledger;
    const struct store *store; /* read by self_report alone: hold the engine's lock there */
    struct report_history history;
    struct report_history own_history;
    struct report_cache cache;
    struct lifetimes series_lifetimes;
    struct quiet_figures quiet;
    struct watch_report watch;
    const uint64_t *mismatch_by_pool; /* POOL_COUNT of them; the sum is below */
    uint64_t ledger_mismatch_bytes;
    uint64_t audits;
    uint64_t accepted_samples;
    uint64_t overflowed_samples;
    const uint64_t *rejected_samples; /* STATUS_COUNT of them */
    bool openmetrics;
};

struct report_sums {
    struct account_figures pools[POOL_COUNT];
    uint64_t capacity_bytes;
    uint64_t live_bytes; /* of the pools above: they add up */
    uint64_t peak_bytes;
    int64_t peak_at_ms;
    uint64_t period_peak_bytes;      /* since somebody began a period */
    int64_t period_ms;               /* when that was; 0: with the process */
    uint64_t unaccounted_bytes;      /* of RSS, see report_input.c; WORLD_UNKNOWN without one */
    uint64_t heap_unexplained_bytes; /* of malloc, likewise */
    uint64_t region_resident_bytes;
};

struct report_sums report_sums_make(const struct report_input *input);

/* What a history and a cache come to now. */
struct report_history report_history_make(const struct history *history, int64_t now_ms);
struct report_cache report_cache_make(const struct lru *cache, int64_t now_ms);

/* "10s", "1m", "90s": a tier's name by the length of its windows. */
#define TIER_NAME_BYTES 24
void tier_name(int64_t width_ms, char out[static TIER_NAME_BYTES]);

/* Differences of figures read a moment apart do not go below zero. */
static inline uint64_t report_less(uint64_t from, uint64_t by)
{
    return from > by ? from - by : 0;
}

#endif
