/* checks.c: see checks.h. */
#include "checks.h"

#include "store/history.h"

#include <math.h>

/* ---- the ledger, against who holds what is live ---- */

static uint64_t label_bytes(struct label_text text)
{
    return label_blocks_for(text.length) * sizeof(struct label_block);
}

/* By family and series, and not by what the pools say: what nobody owns is lost. */
static void add_family(const struct store *store, uint32_t index, uint64_t held[static POOL_COUNT])
{
    const struct family *family = store_family(store, index);
    if (family == NULL)
        return;
    held[POOL_FAMILIES] += slot_cost(sizeof(struct family));
    held[POOL_INDEX] += sizeof(struct index_entry);
    held[POOL_LABELS] +=
        label_bytes(family->name) + label_bytes(family->help) + label_bytes(family->unit);
}

static void add_series(const struct store *store, uint32_t index, uint64_t held[static POOL_COUNT])
{
    const struct series *series = store_series(store, index);
    if (series == NULL)
        return;
    held[POOL_SERIES] += slot_cost(sizeof(struct series));
    held[POOL_INDEX] += sizeof(struct index_entry);
    held[POOL_LABELS] += label_bytes(series->labels);
    if (series->sketch == SLOT_NONE)
        return;
    switch (store_family(store, series->family)->kind) {
    case KIND_HISTOGRAM:
        held[POOL_HISTOGRAMS] += slot_cost(store->histograms.object_bytes);
        break;
    case KIND_CLASSIC:
        held[POOL_BUCKETS] += slot_cost(store->buckets.object_bytes);
        break;
    default:
        held[POOL_SETS] += slot_cost(store->sets.object_bytes);
        break;
    }
}

static void read_engine(const struct engine *engine, uint64_t held[static POOL_COUNT])
{
    const struct store *store = &engine->store;
    for (enum tier tier = 0; tier < TIER_COUNT; tier++)
        held[POOL_WINDOWS_FINE + tier] = history_held(&engine->history, tier);
    held[POOL_CACHE] = lru_held(&engine->cache);
    for (uint32_t i = 0; i < store->families.fresh; i++)
        add_family(store, i, held);
    for (uint32_t i = 0; i < store->series.fresh; i++)
        add_series(store, i, held);
}

/* And those of the server; what it takes whole, once, is what the plan has for it. */
static void read_service(const struct sim *sim, uint64_t held[static POOL_COUNT])
{
    const struct service *service = &sim->service;
    const struct clients *clients = &sim->clients;
    held[POOL_REQUESTS] = clients->data_requests * sim->settings->limits_first_block_bytes;
    held[POOL_RESERVE] = (uint64_t)clients->operator_requests * OPERATOR_ARENA_BYTES;
    held[POOL_GROWTH] = blocks_held(&service->growth);
    held[POOL_CONNECTIONS] = service->connections.live * sizeof(struct connection);
    held[POOL_SEALING] = sim->plan.pools[POOL_SEALING];
    held[POOL_SITES] = sim->settings->trace ? sim->plan.pools[POOL_SITES] : 0;
    held[POOL_WATCH] = sim->plan.pools[POOL_WATCH];
    held[POOL_FIXED] = sim->plan.pools[POOL_FIXED];
    held[POOL_OWN] = sim->plan.pools[POOL_OWN];
}

static void check_account(const struct sim *sim, const struct account_figures *figures,
                          const char *name, uint64_t held)
{
    if (figures->live_bytes > figures->capacity_bytes ||
        figures->peak_bytes > figures->capacity_bytes)
        sim_fail(sim, "%s: more than its capacity", name);
    if (figures->live_bytes != held)
        sim_fail(sim, "%s: the ledger has %llu bytes, the pool %llu", name,
                 (unsigned long long)figures->live_bytes, (unsigned long long)held);
    if (figures->allocations - figures->frees != figures->live_objects)
        sim_fail(sim, "%s: %llu taken, %llu given back, %llu live", name,
                 (unsigned long long)figures->allocations, (unsigned long long)figures->frees,
                 (unsigned long long)figures->live_objects);
}

static void check_ledger(const struct sim *sim, const struct ledger *ledger,
                         const uint64_t held[static POOL_COUNT], const char *whose)
{
    uint64_t live = 0;
    char name[64];
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        struct account_figures figures = ledger_figures(ledger, pool);
        snprintf(name, sizeof name, "%s%s", whose, pool_rows[pool].name);
        check_account(sim, &figures, name, held[pool]);
        live += figures.live_bytes;
    }
    if (live != atomic_load(&ledger->live_bytes))
        sim_fail(sim, "%sledger: pools come to %llu, it says %llu", whose, (unsigned long long)live,
                 (unsigned long long)atomic_load(&ledger->live_bytes));
}

static void check_ledgers(const struct sim *sim)
{
    uint64_t held[POOL_COUNT] = {0};
    uint64_t own[POOL_COUNT] = {0};
    uint64_t planned[POOL_COUNT] = {0};
    read_engine(sim->engine, held);
    read_service(sim, held);
    check_ledger(sim, sim->service.ledger, held, "");
    read_engine(&sim->service.own->engine, own);
    engine_plan(&sim->service.own->settings, planned);
    own[POOL_SEALING] = planned[POOL_SEALING];
    check_ledger(sim, &sim->service.own->ledger, own, "own ");
}

/* ---- connections ---- */

static uint32_t listed(const struct connections *connections, uint32_t first)
{
    uint32_t count = 0;
    for (uint32_t at = first; at != UINT32_MAX; at = connections->slots[at].next_free)
        count++;
    return count;
}

/* Each slot is free, or somebody's who is still there. */
static void check_connections(const struct sim *sim)
{
    const struct connections *connections = &sim->service.connections;
    uint32_t free_slots = listed(connections, connections->free_data) +
                          listed(connections, connections->free_operator);
    uint32_t count = connections->data_count + connections->operator_count;
    REQUIRE(sim, free_slots + connections->live == count);
}

/* ---- samples, windows ---- */

static uint64_t rejected_samples(const struct engine *engine)
{
    uint64_t sum = 0;
    for (int status = 0; status < STATUS_COUNT; status++)
        sum += engine->rejected_samples[status];
    return sum;
}

/* Replies, with what has been accepted of the bodies that are on their way. */
static void check_samples(const struct sim *sim)
{
    uint64_t accepted = sim->told.accepted + clients_accepted(&sim->clients);
    REQUIRE(sim, sim->engine->accepted_samples == sim->applied);
    REQUIRE(sim, sim->engine->accepted_samples == accepted);
    REQUIRE(sim, rejected_samples(sim->engine) == sim->told.rejected);
    REQUIRE(sim, sim->service.own->unread_lines == 0);
}

static void check_windows(const struct sim *sim, const struct engine *engine)
{
    const struct history *history = &engine->history;
    uint64_t passed = history->seal.window - store_window_at(&engine->store, sim->life_start_ms);
    REQUIRE(sim, history->sealed_windows + history->skipped_windows == passed);
    REQUIRE(sim, history->seal.window <= store_window_at(&engine->store, sim_now_ms(sim)));
}

/* An exact invariant that the service sees broken itself is one. */
static void check_watch(const struct sim *sim)
{
    const struct service *service = &sim->service;
    struct quiet_figures quiet = quiet_figures(&service->quiet);
    REQUIRE(sim, quiet.failures == 0);
    REQUIRE(sim, service->engine->audit.mismatch_bytes == 0);
    REQUIRE(sim, service->own->engine.audit.mismatch_bytes == 0);
    struct watch_report report = watch_report(service->watch, sim_now_ms(sim));
    if (report.verdict == WATCH_LEAK)
        sim_fail(sim, "the watch finds a leak: %s", watch_row(report.worst).name);
}

void checks_after_tick(const struct sim *sim)
{
    check_ledgers(sim);
    check_connections(sim);
    check_samples(sim);
    check_windows(sim, sim->engine);
    check_windows(sim, &sim->service.own->engine);
    check_watch(sim);
}

/* ---- quiet ---- */

/* Traced lines hold what slots do, and nothing else: requests gave all back. */
static void check_sites(const struct sim *sim)
{
    static const enum pool pools[] = {POOL_FAMILIES, POOL_SERIES, POOL_HISTOGRAMS, POOL_BUCKETS,
                                      POOL_SETS};
    struct site_counts counts[SITES_ROWS];
    uint64_t bytes = 0;
    uint64_t objects = 0;
    sites_copy(sim->service.ledger->sites, counts);
    for (size_t i = 0; i < SITES_ROWS; i++) {
        bytes += counts[i].live_bytes;
        objects += counts[i].live_objects;
    }
    for (size_t i = 0; i < COUNT_OF(pools); i++) {
        bytes -= ledger_figures(sim->service.ledger, pools[i]).live_bytes;
        objects -= ledger_figures(sim->service.ledger, pools[i]).live_objects;
    }
    REQUIRE(sim, bytes == 0 && objects == 0);
}

void checks_when_quiet(const struct sim *sim)
{
    uint64_t not_empty = quiet_look(sim->service.ledger);
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        if ((not_empty >> pool & 1) != 0)
            sim_fail(sim, "quiet, and %s is not empty", pool_rows[pool].name);
    }
    REQUIRE(sim, service_is_quiet(&sim->service));
    REQUIRE(sim, atomic_load(&sim->service.figures.live) == 0);
    REQUIRE(sim, blocks_held(&sim->service.growth) == 0);
    for (uint32_t i = 0; i < sim->service.worker_count; i++) {
        const struct worker *worker = &sim->service.workers[i];
        REQUIRE(sim, arena_used(&worker->scratch) == 0);
        REQUIRE(sim, worker->batch == NULL || worker->batch->count == 0);
    }
    if (sim->settings->trace)
        check_sites(sim);
}

/* ---- conservation: what is held is what was taken, whoever can still ask for it ---- */

static void add_tally(struct model_total *total, const struct tally *tally, enum kind kind)
{
    total->samples += tally->count;
    if (kind_has_children(kind))
        total->observations += (uint64_t)tally->last;
    if (kind != KIND_SET)
        total->sum += tally->sum;
}

static void add_record(const struct history *history, enum tier tier, const struct record *record,
                       struct model_total totals[static KIND_COUNT])
{
    for (uint32_t i = 0; i < record->families; i++) {
        struct section section;
        struct cell_reader reader;
        struct tally tally = {0};
        uint64_t sequence;
        history_section_at(history, tier, record, i, &section);
        cell_reader_init(&reader, &section);
        while (cell_read(&reader, &sequence, &tally))
            add_tally(&totals[section.kind], &tally, section.kind);
    }
}

static void add_open(const struct store *store, struct model_total totals[static KIND_COUNT])
{
    for (uint32_t i = 0; i < store->series.slot_count; i++) {
        const struct series *series = store_series(store, i);
        if (series == NULL || series->open.count == 0)
            continue;
        enum kind kind = (enum kind)store_family(store, series->family)->kind;
        struct tally tally = {
            .count = series->open.count,
            .sum = series->open.sum,
            .last = series->open.observed,
        };
        add_tally(&totals[kind], &tally, kind);
    }
}

/* Of odd samples it is known only how many they are. */
static void check_held(const struct sim *sim, enum kind kind, const struct model_total *held,
                       const struct model_total *log)
{
    bool same = held->samples == log->samples;
    if (sim->model.odd == 0)
        same &= held->observations == log->observations && !(held->sum < log->sum) &&
                !(held->sum > log->sum);
    if (!same)
        sim_fail(sim,
                 "%s: held are %llu samples, %llu observations, %.17g; the log has %llu, %llu, "
                 "%.17g",
                 kind_name(kind), (unsigned long long)held->samples,
                 (unsigned long long)held->observations, held->sum,
                 (unsigned long long)log->samples, (unsigned long long)log->observations, log->sum);
}

/*
 * No window is half sealed. Until something is dropped all records count: the first windows of the
 * coarser tiers begin before the start.
 */
static void check_history(const struct sim *sim)
{
    const struct history *history = &sim->engine->history;
    struct model_total totals[KIND_COUNT] = {0};
    int64_t held_ms = history_held_from(history, TIER_COARSE);
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        for (uint32_t i = 0; i < history->tiers[tier].count; i++) {
            const struct record *record = history_record(history, tier, i);
            if (record->start_ms >= held_ms || held_ms == history->start_ms)
                add_record(history, tier, record, totals);
        }
    }
    add_open(&sim->engine->store, totals);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        struct model_total log =
            model_total(&sim->model, kind, store_window_at(&sim->engine->store, held_ms));
        check_held(sim, kind, &totals[kind], &log);
    }
}

/* Each total lives on: in its series, its family, the store, or was deleted on purpose. */
static void check_totals(const struct sim *sim)
{
    const struct store *store = &sim->engine->store;
    double sum = store->ended_sum + sim->model.deleted_sum;
    for (uint32_t i = 0; i < store->families.slot_count; i++) {
        const struct family *family = store_family(store, i);
        sum += family == NULL ? 0 : family->recycled_sum;
    }
    for (uint32_t i = 0; i < store->series.slot_count; i++) {
        const struct series *series = store_series(store, i);
        bool is_gauge = series != NULL && store_family(store, series->family)->kind == KIND_GAUGE;
        sum += series == NULL || is_gauge ? 0 : series_total(series);
    }
    if (sim->model.odd == 0 && (sum < sim->model.sum || sum > sim->model.sum))
        sim_fail(sim, "totals come to %.17g, what was accepted to %.17g", sum, sim->model.sum);
}

/* ---- walks ---- */

/* Records stand in the order of their windows, and two of one window have no cell in common. */
static void check_order(const struct sim *sim, const struct history *history, enum tier tier)
{
    int64_t before_ms = INT64_MIN;
    uint64_t serial = 0;
    for (uint32_t i = 0; i < history->tiers[tier].count; i++) {
        const struct record *record = history_record(history, tier, i);
        REQUIRE(sim, record->start_ms >= before_ms);
        REQUIRE(sim, record->serial > serial);
        REQUIRE(sim, record->start_ms % history->tiers[tier].width_ms == 0);
        before_ms = record->start_ms;
        serial = record->serial;
    }
}

static void walk_engine(const struct sim *sim, const struct engine *engine)
{
    store_verify(&engine->store);
    history_verify(&engine->history);
    lru_verify(&engine->cache);
    for (enum tier tier = 0; tier < TIER_COUNT; tier++)
        check_order(sim, &engine->history, tier);
}

void checks_deep(const struct sim *sim)
{
    walk_engine(sim, sim->engine);
    walk_engine(sim, &sim->service.own->engine);
    check_totals(sim);
    if (!history_is_sealing(&sim->engine->history))
        check_history(sim);
}
