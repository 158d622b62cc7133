/* sim.c: see sim.h. The clock, the ticks, what must hold all the time, and what must have happened.
 */
#include "sim.h"

#include "base/ensure.h"
#include "questions.h"
#include "traffic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define START_MS INT64_C(1763841600000)
#define WINDOW_MS INT64_C(10000)
#define HOUR_MS INT64_C(3600000)
#define HOUR_WINDOWS 360
#define DAY_WINDOWS (24 * HOUR_WINDOWS)

#define SEED_DEFAULT UINT64_C(0x5eed)

#ifdef MAYFLY_SANITIZED
#define DAYS_DEFAULT 1
#else
#define DAYS_DEFAULT 3
#endif

/* ---- the end, where something is wrong ---- */

static const struct sim *the_sim; /* for ensure_failed, which is told nothing */

static void say_where(const struct sim *sim)
{
    fprintf(stderr, "sim 0x%llx: tick %llu, %lld ms: ", (unsigned long long)sim->seed,
            (unsigned long long)sim->ticks, (long long)(sim->now_ms - START_MS));
}

_Noreturn void sim_fail(const struct sim *sim, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    say_where(sim);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

_Noreturn void ensure_failed(const char *condition, const char *file, int line)
{
    sim_fail(the_sim, "ENSURE failed: %s (%s:%d)", condition, file, line);
}

/* ---- the engine ---- */

/* Everything is small, so that in an hour all of it is full. */
static void choose_settings(struct settings *settings)
{
    settings_init(settings);
    settings->limits_request_bytes = 1 << 20;
    settings->limits_families = 32;
    settings->limits_query_groups = 64;
    settings->limits_query_points = 6000;
    settings->limits_query_cells = 200000;
    settings->series_max = 400;
    settings->series_label_bytes = 48 << 10;
    settings->series_idle_min = 60000;
    settings->series_expire_after = 2 * HOUR_MS;
    settings->histograms_max = 60;
    settings->buckets_max = 60;
    settings->sets_max = 12;
    settings->windows_fine_bytes = 192 << 10;
    settings->windows_middle_bytes = 256 << 10;
    settings->windows_coarse_bytes = 512 << 10;
    settings->cache_bytes = 64 << 10;
}

static void sim_init(struct sim *sim, uint64_t seed)
{
    *sim = (struct sim){.seed = seed, .random = {seed}, .now_ms = START_MS};
    choose_settings(&sim->settings);

    uint64_t bytes = region_piece_bytes(sizeof(struct engine)) + engine_bytes(&sim->settings);
    void *memory = aligned_alloc(REGION_ALIGN, bytes);
    REQUIRE(sim, memory != NULL);
    memset(memory, 0, bytes);
    region_init(&sim->region, memory, bytes);
    ledger_init(&sim->ledger);
    sim->engine = region_take(&sim->region, sizeof *sim->engine);
    engine_init(sim->engine, &sim->settings, &sim->ledger, seed, START_MS, &sim->region);
    region_seal(&sim->region);
    REQUIRE(sim, sim->region.used == sim->region.bytes);
}

int64_t sim_request_ms(struct sim *sim)
{
    return sim_one_in(sim, 2) ? sim->now_ms : sim->now_ms - sim->behind_ms;
}

/* A tick of the service: once, and steps until there is nothing left. */
static void tick(struct sim *sim)
{
    sim->ticks++;
    engine_tick(sim->engine, sim->now_ms);
    while (engine_step(sim->engine, sim->now_ms))
        continue;
}

/* ---- what holds all the time ---- */

static void check_ledger(const struct sim *sim)
{
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        struct account_figures figures = ledger_figures(&sim->ledger, pool);
        if (figures.live_bytes > figures.capacity_bytes ||
            figures.peak_bytes > figures.capacity_bytes)
            sim_fail(sim, "%s: more than its capacity", pool_rows[pool].name);
    }
    struct lru_figures cache = lru_figures(&sim->engine->cache);
    REQUIRE(sim, cache.live_bytes <= cache.capacity_bytes);
    REQUIRE(sim, sim->engine->audit.mismatch_bytes == 0);
    REQUIRE(sim, sim->engine->accepted_samples == sim->figures.samples);
}

/* ---- conservation: what is held is what was taken, whoever can still ask for it ---- */

static void add_tally(struct model_total *total, const struct tally *tally, enum kind kind)
{
    total->samples += tally->count;
    if (kind == KIND_CLASSIC || kind == KIND_SUMMARY)
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

/* No window is half sealed. */
static void check_conservation(const struct sim *sim)
{
    const struct history *history = &sim->engine->history;
    struct model_total totals[KIND_COUNT] = {0};
    int64_t held_ms = history_held_from(history, TIER_COARSE);
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        for (uint32_t i = 0; i < history->tiers[tier].count; i++) {
            const struct record *record = history_record(history, tier, i);
            if (record->start_ms >= held_ms)
                add_record(history, tier, record, totals);
        }
    }
    add_open(&sim->engine->store, totals);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        const struct model_total held = totals[kind];
        struct model_total log =
            model_total(&sim->model, kind, store_window_at(&sim->engine->store, held_ms));
        if (held.samples != log.samples || held.observations != log.observations ||
            held.sum != log.sum)
            sim_fail(sim,
                     "%s: held are %llu samples, %llu observations, %.17g; the log has %llu, "
                     "%llu, %.17g",
                     kind_name(kind), (unsigned long long)held.samples,
                     (unsigned long long)held.observations, held.sum,
                     (unsigned long long)log.samples, (unsigned long long)log.observations,
                     log.sum);
    }
}

static void check_deeply(const struct sim *sim)
{
    history_verify(&sim->engine->history);
    lru_verify(&sim->engine->cache);
    if (!history_is_sealing(&sim->engine->history))
        check_conservation(sim);
}

/* ---- days ---- */

/* Samples of a push: quiet nights, busy noons, and an hour without any. */
static uint32_t samples_of(struct sim *sim)
{
    static const uint8_t busy[24] = {2,  1,  1,  0,  1,  2,  4,  8,  12, 16, 20, 24,
                                     30, 24, 20, 16, 16, 20, 24, 16, 12, 8,  4,  3};
    uint8_t level = busy[sim->now_ms / HOUR_MS % 24];
    return level == 0 ? 0 : 1 + (uint32_t)sim_below(sim, level);
}

static void pass_ms(struct sim *sim, uint64_t at_most)
{
    sim->now_ms += (int64_t)sim_below(sim, at_most);
}

void sim_meddle(struct sim *sim)
{
    engine_step(sim->engine, sim->now_ms);
}

/* Somewhere in the middle of sealing the window: pushes, questions, deletions. */
static void seal_with_interruptions(struct sim *sim)
{
    sim->ticks++;
    engine_tick(sim->engine, sim->now_ms);
    for (int i = 0; i < 4; i++) {
        traffic_push(sim, samples_of(sim));
        if (sim_one_in(sim, 16))
            traffic_delete(sim);
        if (sim_one_in(sim, 3))
            questions_ask_random(sim, false);
        engine_step(sim->engine, sim->now_ms);
    }
}

/* What may happen in a window, beside pushes and ticks. */
static void something_rare(struct sim *sim)
{
    if (sim_one_in(sim, 400))
        traffic_storm(sim, 300);
    if (sim_one_in(sim, 300))
        traffic_delete(sim);
    if (sim_one_in(sim, 24))
        questions_ask_random(sim, false);
}

static void run_window(struct sim *sim)
{
    int64_t end_ms = (sim->now_ms / WINDOW_MS + 1) * WINDOW_MS;
    bool is_silent = sim_one_in(sim, 10);
    pass_ms(sim, 1000);
    if (sim_one_in(sim, 8))
        questions_ask_random(sim, true);
    if (sim->is_heavy || sim_one_in(sim, 40))
        seal_with_interruptions(sim);
    tick(sim);
    for (uint64_t pushes = sim_below(sim, 4); pushes > 0; pushes--) {
        pass_ms(sim, 2500);
        if (!is_silent)
            traffic_push(sim, samples_of(sim));
        if (sim_one_in(sim, 2))
            tick(sim);
    }
    something_rare(sim);
    sim->is_heavy = sim_one_in(sim, 40);
    if (sim->is_heavy)
        traffic_push(sim, 800); /* more than a step seals */
    for (uint64_t ticks = sim_below(sim, 4); ticks > 0; ticks--)
        tick(sim);
    sim->now_ms = end_ms;
}

/* Steps of the clock. Requests that began before one bring a time that is an hour old. */
static void step_clock(struct sim *sim, uint64_t window)
{
    switch (window % DAY_WINDOWS) {
    case 9 * HOUR_WINDOWS:
        sim->now_ms += HOUR_MS;
        tick(sim); /* before anybody pushes, as it nearly always is */
        break;
    case 13 * HOUR_WINDOWS:
        sim->behind_ms = HOUR_MS;
        break;
    case 13 * HOUR_WINDOWS + 60:
        sim->behind_ms = 0;
        break;
    case 19 * HOUR_WINDOWS:
        sim->now_ms += HOUR_MS;
        traffic_storm(sim, 200); /* and somebody before the next tick */
        break;
    case 21 * HOUR_WINDOWS:
        sim->now_ms += 3 * HOUR_MS; /* further than series.expire_after */
        break;
    default:
        break;
    }
}

static void run(struct sim *sim, uint64_t windows)
{
    for (uint64_t window = 0; window < windows; window++) {
        step_clock(sim, window);
        run_window(sim);
        if (!history_is_sealing(&sim->engine->history))
            questions_ask_dashboard(sim, window % 6 == 5 ? 2 : window % 6 == 2 ? 1 : 0);
        store_verify(&sim->engine->store);
        check_ledger(sim);
        if (window % 30 == 0)
            check_deeply(sim);
    }
    check_deeply(sim);
}

/* ---- did it happen? ---- */

struct happening {
    const char *what;
    uint64_t times;
    uint64_t least; /* in a day */
};

static void check_happened(const struct sim *sim, uint64_t days)
{
    const struct engine *engine = sim->engine;
    const struct store *store = &engine->store;
    const struct tier_ring *tiers = engine->history.tiers;
    const struct lru_figures cache = lru_figures(&engine->cache);
    const struct sim_figures *figures = &sim->figures;
    const struct happening happenings[] = {
        {"samples", figures->samples, 100000},
        {"samples rejected", figures->conflicts, 1},
        {"windows sealed", engine->history.sealed_windows, 1000},
        {"windows skipped", engine->history.skipped_windows, 1},
        {"records folded out of the fine tier", tiers[TIER_FINE].left, 1000},
        {"records folded out of the middle tier", tiers[TIER_MIDDLE].left, 100},
        {"records dropped", tiers[TIER_COARSE].left, 10},
        {"turns of the fine ring", tiers[TIER_FINE].ring.head / tiers[TIER_FINE].ring.bytes, 3},
        {"turns of the middle ring", tiers[TIER_MIDDLE].ring.head / tiers[TIER_MIDDLE].ring.bytes,
         3},
        {"turns of the coarse ring", tiers[TIER_COARSE].ring.head / tiers[TIER_COARSE].ring.bytes,
         1},
        {"series recycled", store->recycled_series, 10},
        {"series expired", store->expired_series, 10},
        {"series deleted", store->deleted_series, 10},
        {"samples overflowed", store->overflowed_samples, 10},
        {"samples of families without room", store->overflowed_families, 1},
        {"families evicted", store->evicted_families, 1},
        {"samples late", store->late_samples, 1},
        {"cache: evicted for room", cache.evicted_size, 10},
        {"cache: retired", cache.evicted_retired, 10},
        {"cache: hits", figures->hits, 1000},
        {"cache: misses", figures->misses, 1000},
        {"bounds lost", figures->lost_bounds, 1},
        {"questions", figures->questions, 1000},
        {"questions of coarser tiers", figures->over_tiers, 100},
        {"questions while a window was half sealed", figures->half_sealed, 10},
        {"questions with something in between", figures->meddled, 10},
        {"questions of known misses", figures->repeated, 100},
        {"questions refused", figures->refused, 1},
        {"points that are right", figures->points, 10000},
        {"points of nothing", figures->nulls, 1000},
        {"most that a question held, bytes", figures->arena_peak, 1},
        {"buckets torn and begun anew", figures->tears, 1},
        {"open windows read again", figures->open_again, 1},
        {"plans begun anew", figures->outdated, 1},
        {"samples behind the sealing of their series", figures->behind, 100},
        {"answers approximate", figures->approximate, 0},
    };
    bool missing = false;
    for (size_t i = 0; i < COUNT_OF(happenings); i++) {
        bool is_missing = happenings[i].times < happenings[i].least * days;
        missing |= is_missing;
        printf("%12llu  %s%s\n", (unsigned long long)happenings[i].times, happenings[i].what,
               is_missing ? ": too few" : "");
    }
    if (missing)
        sim_fail(sim, "too little happened: see the list");
}

int main(int argc, char **argv)
{
    static struct sim sim;
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : SEED_DEFAULT;
    uint64_t days = argc > 2 ? strtoull(argv[2], NULL, 0) : DAYS_DEFAULT;
    the_sim = &sim;
    printf("sim 0x%llx %llu\n", (unsigned long long)seed, (unsigned long long)days);
    fflush(stdout);
    sim_init(&sim, seed);
    run(&sim, days * DAY_WINDOWS);
    if (days > 0)
        check_happened(&sim, days);
    free(sim.region.base);
    return 0;
}
