/*
 * report_fixture.h: an input for the reports in which every figure is another number, so that two
 * that were mixed up are seen; and one in which every number is at 2^63.
 *
 * All of it is in the struct; the suites keep a static one and run one test at a time.
 */
#ifndef TESTS_UNIT_REPLY_REPORT_FIXTURE_H
#define TESTS_UNIT_REPLY_REPORT_FIXTURE_H

#include "reply/report_input.h"

#include <float.h>

#define EXTREME ((uint64_t)1 << 63)
#define FIXTURE_MIB ((uint64_t)1 << 20)

struct report_fixture {
    struct world world;
    struct plan plan;
    struct ledger ledger;
    struct store store;
    uint64_t rejected[STATUS_COUNT];
    uint64_t mismatches[POOL_COUNT];
    struct report_input input;
};

/* `count` numbers from `first` on, into what consists of uint64_t. */
static inline void fixture_number(void *figures, size_t count, uint64_t first)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = first + i;
        memcpy((char *)figures + i * sizeof value, &value, sizeof value);
    }
}

static inline void fixture_world(struct world *world)
{
    memset(world, 0, sizeof *world);
    world->version = "1.2.3";
    world->memory_source = "flag";
    world->prefaulted = true;
    world->now_ms = 1795378410151;
    world->start_ms = 1795370000000;
    world->clock_offset_ms = -2500;
    world->log_dropped = 91;
    fixture_number(&world->process, sizeof world->process / 8, 1001);
    world->process.cpu_seconds = 12.25;
    world->process.rss_bytes = 50 * FIXTURE_MIB;
    world->cgroup = (struct world_cgroup){.version = 2,
                                          .current_bytes = 2001,
                                          .peak_bytes = 2002,
                                          .limit_bytes = 2003,
                                          .max_events = 2004,
                                          .oom_kills = 2005,
                                          .pressure_is_known = true,
                                          .some = {0.25, 1.5, 2.5, 3.5},
                                          .full = {4.5, 5.5, 6.5, 7.5}};
    struct world_requests *requests = &world->requests;
    fixture_number(requests, sizeof *requests / 8, 3001);
    requests->oldest_data_age_ms = 1250;
    requests->oldest_operator_age_ms = 250;
    requests->lifetimes = (struct world_lifetimes){{1, 2, 3, 4, 5, 6}, 60500000, 15250000};
}

static inline void fixture_plan(struct plan *plan)
{
    memset(plan, 0, sizeof *plan);
    settings_init(&plan->settings);
    plan->settings.series_max = 30000;
    for (int part = 0; part < PLAN_PARTS; part++) {
        plan->parts[part] = (uint64_t)(part + 1) * FIXTURE_MIB;
        plan->total += plan->parts[part];
    }
    plan->parts[PLAN_REGION] += 40 * FIXTURE_MIB;
    plan->total += 40 * FIXTURE_MIB;
}

/* Each pool has 10 MiB and holds one object; one more came and went; some were refused. */
static inline void fixture_ledger(struct ledger *ledger)
{
    ledger_init(ledger);
    atomic_store(&ledger->now_ms, 1795378000250);
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        ledger->accounts[pool].capacity_bytes = 10 * FIXTURE_MIB;
        ledger_take(ledger, pool, 1000 * (pool + 1));
        ledger_visit(ledger, pool, 7);
        for (unsigned refusals = 0; refusals <= pool; refusals++)
            ledger_refuse(ledger, pool);
    }
}

static inline void fixture_store(struct store *store)
{
    memset(store, 0, sizeof *store);
    store->families.live_count = KIND_COUNT + 5;
    store->late_samples = 401;
    store->overflowed_samples = 402;
    store->created_series = 1000;
    store->recycled_series = 300;
    store->expired_series = 20;
    store->deleted_series = 1;
    store->histogram_downscales = 408;
}

static inline void fixture_tiers(struct report_history *history, uint64_t first)
{
    static const int64_t widths_ms[TIER_COUNT] = {10000, 60000, 600000};
    for (int tier = 0; tier < TIER_COUNT; tier++) {
        uint64_t at = first + 10 * (uint64_t)tier;
        history->tiers[tier] =
            (struct report_tier){widths_ms[tier], (int64_t)at * 1000, at + 1, at + 2, at + 3};
    }
    history->sealed_windows = first + 50;
    history->skipped_windows = first + 51;
    history->lifetimes = (struct lifetimes){{0, 0, 5, 7}, 900500, 120250};
    for (int tier = 0; tier < TIER_COUNT; tier++)
        history->oldest_age_ms[tier] = (int64_t)(first + 60 + (uint64_t)tier) * 1000;
}

static inline void fixture_cache(struct report_cache *cache)
{
    fixture_number(&cache->figures, sizeof cache->figures / 8, 7001);
    cache->figures.lifetimes = (struct lifetimes){{3, 2}, 11500, 6250};
    cache->oldest_age_ms = 7500;
}

/* Three points without a request, one of which had something in `growth`. */
static inline void fixture_quiet(struct quiet_figures *quiet)
{
    *quiet = (struct quiet_figures){.points = 3, .failures = 1};
    quiet->pool_failures[POOL_GROWTH] = 1;
}

/* All flat, after 20 blocks of six hours. */
static inline void fixture_watch(struct watch_report *watch)
{
    *watch = (struct watch_report){.block_ms = 21600000, .blocks = 20, .worst = WATCH_COUNT};
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++)
        watch->findings[figure] = (struct watch_finding){
            .value = 1000 + figure,
            .capacity = figure < POOL_COUNT ? 10 * FIXTURE_MIB : 0,
            .blocks = 20,
            .slope = 0.5,
            .low = -1.5,
            .high = 2.5,
        };
}

static inline void fixture_init(struct report_fixture *fixture)
{
    fixture_world(&fixture->world);
    fixture_plan(&fixture->plan);
    fixture_ledger(&fixture->ledger);
    fixture_store(&fixture->store);
    fixture_number(fixture->rejected, STATUS_COUNT, 5001);
    fixture->input = (struct report_input){
        .world = &fixture->world,
        .plan = &fixture->plan,
        .ledger = &fixture->ledger,
        .store = &fixture->store,
        .audits = 12,
        .series_lifetimes = {{0, 0, 0, 0, 9, 4, 1}, 5000500, 700250},
        .mismatch_by_pool = fixture->mismatches,
        .accepted_samples = 77,
        .rejected_samples = fixture->rejected,
    };
    memset(fixture->mismatches, 0, sizeof fixture->mismatches);
    fixture_quiet(&fixture->input.quiet);
    fixture_watch(&fixture->input.watch);
    fixture_tiers(&fixture->input.history, 6001);
    fixture_tiers(&fixture->input.own_history, 6501);
    fixture_cache(&fixture->input.cache);
}

/* One account's figures as the test wants them, whatever the pool would have allowed. */
static inline void fixture_account(struct report_fixture *fixture, enum pool pool,
                                   uint64_t capacity, uint64_t live)
{
    fixture->ledger.accounts[pool].capacity_bytes = capacity;
    atomic_store(&fixture->ledger.accounts[pool].live_bytes, live);
}

static inline void fixture_same(void *figures, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++)
        memcpy((char *)figures + i * sizeof value, &value, sizeof value);
}

static inline void fixture_extreme_world(struct world *world)
{
    world->now_ms = world->start_ms = world->clock_offset_ms = INT64_MAX;
    world->log_dropped = EXTREME;
    fixture_same(&world->process, sizeof world->process / 8, EXTREME);
    world->process.cpu_seconds = DBL_MIN;           /* none above 0 is longer */
    world->process.malloc_mmap_bytes = EXTREME / 2; /* or the sum would begin anew */
    const struct world_pressure pressure = {DBL_MIN, DBL_MIN, DBL_MIN, DBL_MIN};
    world->cgroup = (struct world_cgroup){UINT32_MAX, EXTREME, EXTREME,  EXTREME, EXTREME,
                                          EXTREME,    true,    pressure, pressure};
    fixture_same(&world->requests, sizeof world->requests / 8, EXTREME);
    world->requests.oldest_data_age_ms = world->requests.oldest_operator_age_ms = INT64_MAX;
    memset(world->requests.lifetimes.counts, 0, sizeof world->requests.lifetimes.counts);
    world->requests.lifetimes.counts[0] = EXTREME; /* the sum is as long as it gets */
}

/* Every bucket as long as it gets, the sum no longer than one. */
static inline void fixture_extreme_lifetimes(struct lifetimes *lifetimes)
{
    *lifetimes = (struct lifetimes){.counts = {INT64_MAX}, .sum_ms = EXTREME, .max_ms = EXTREME};
}

static inline void fixture_extreme_watch(struct watch_report *watch)
{
    const struct watch_finding worst = {
        .verdict = WATCH_LEAK,
        .rising = true,
        .value = -DBL_MIN,
        .capacity = EXTREME,
        .since_ms = INT64_MAX,
        .full_at_ms = INT64_MAX,
        .blocks = UINT32_MAX,
        .slope = -DBL_MIN,
        .low = -DBL_MIN,
        .high = -DBL_MIN,
    };
    *watch = (struct watch_report){
        .block_ms = 604800000, .blocks = 0, .verdict = WATCH_TOO_EARLY, .worst = WATCH_LATENCY};
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++)
        watch->findings[figure] = worst;
}

static inline void fixture_extreme(struct report_fixture *fixture)
{
    fixture_init(fixture);
    fixture_extreme_world(&fixture->world);
    fixture->plan.settings.memory = EXTREME;
    fixture->plan.settings.series_max = EXTREME;
    fixture->plan.total = EXTREME;
    fixture_same(fixture->plan.parts, PLAN_PARTS, EXTREME);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct account *account = &fixture->ledger.accounts[pool];
        account->capacity_bytes = EXTREME;
        atomic_store(&account->live_bytes, EXTREME);
        atomic_store(&account->peak_bytes, EXTREME);
        atomic_store(&account->period_peak_bytes, EXTREME);
        atomic_store(&account->live_objects, EXTREME);
        atomic_store(&account->allocations, EXTREME);
        atomic_store(&account->frees, EXTREME);
        atomic_store(&account->refusals, EXTREME);
    }
    atomic_store(&fixture->ledger.peak_bytes, EXTREME);
    atomic_store(&fixture->ledger.peak_at_ms, INT64_MAX);
    atomic_store(&fixture->ledger.period_peak_bytes, EXTREME);
    atomic_store(&fixture->ledger.period_ms, INT64_MAX);
    fixture->store.families.live_count = UINT32_MAX;
    fixture_same(&fixture->store.late_samples, 8, EXTREME);
    fixture->store.created_series = UINT64_MAX - 1;
    fixture_same(fixture->rejected, STATUS_COUNT, EXTREME);
    fixture->input.ledger_mismatch_bytes = EXTREME;
    fixture->input.audits = EXTREME;
    fixture->input.accepted_samples = EXTREME;
    fixture_same(&fixture->input.history, sizeof fixture->input.history / 8, EXTREME / 2 - 1);
    fixture_same(&fixture->input.own_history, sizeof fixture->input.own_history / 8,
                 EXTREME / 2 - 1);
    fixture_same(&fixture->input.cache, sizeof fixture->input.cache / 8, INT64_MAX);
    fixture_same(&fixture->input.quiet, sizeof fixture->input.quiet / 8, EXTREME / 2 - 1);
    fixture_extreme_watch(&fixture->input.watch);
    fixture_extreme_lifetimes(&fixture->input.cache.figures.lifetimes);
    fixture_extreme_lifetimes(&fixture->input.history.lifetimes);
    fixture_extreme_lifetimes(&fixture->input.series_lifetimes);
}

#endif
