/* happened.c: see happened.h. */
#include "happened.h"

#include "sim.h"

#include <stdio.h>

static const struct {
    const char *text;
    uint64_t in_batch;
    uint64_t in_day;
} rows[HAPPENED_COUNT] = {
#define HAPPENING(id, in_batch, in_day, text) [HAPPENED_##id] = {text, in_batch, in_day},
#include "happened.def"
#undef HAPPENING
};

/* Pools that somebody must have found full in a batch; the others cannot refuse. */
static const enum pool refusing[] = {POOL_GROWTH,     POOL_LABELS,  POOL_FAMILIES,
                                     POOL_HISTOGRAMS, POOL_BUCKETS, POOL_SETS};

/* What clients must have been refused for. */
static const enum status refused[] = {
    STATUS_NOT_FOUND,        STATUS_METHOD_NOT_ALLOWED, STATUS_TARGET_TOO_LONG,
    STATUS_BAD_ENCODING,     STATUS_TRUNCATED_BODY,     STATUS_INFLATED_TOO_LARGE,
    STATUS_WINDOW_TOO_LARGE, STATUS_REQUEST_TOO_LARGE,  STATUS_BUSY,
    STATUS_EMPTY_BODY,       STATUS_TOO_MANY_POINTS,    STATUS_TOO_MANY_GROUPS,
};

/* And single samples. */
static const enum status rejected[] = {
    STATUS_LINE_TOO_LONG,     STATUS_BAD_SYNTAX,         STATUS_BAD_NUMBER,
    STATUS_NAME_TOO_LONG,     STATUS_LABEL_SET_TOO_LONG, STATUS_LABEL_VALUE_TOO_LONG,
    STATUS_TOO_MANY_LABELS,   STATUS_DUPLICATE_LABEL,    STATUS_KIND_CONFLICT,
    STATUS_BAD_JSON,          STATUS_TOO_DEEP,           STATUS_RESERVED_NAME,
    STATUS_ELEMENT_TOO_LARGE, STATUS_UNKNOWN_KIND,
};

static void take_history(struct sim *sim)
{
    const struct history *history = &sim->engine->history;
    const struct tier_ring *tiers = history->tiers;
    HAPPEN_TIMES(sim, SEALED, history->sealed_windows);
    HAPPEN_TIMES(sim, SKIPPED, history->skipped_windows);
    HAPPEN_TIMES(sim, FOLDED_FINE, tiers[TIER_FINE].left);
    HAPPEN_TIMES(sim, FOLDED_MIDDLE, tiers[TIER_MIDDLE].left);
    HAPPEN_TIMES(sim, DROPPED, tiers[TIER_COARSE].left);
    HAPPEN_TIMES(sim, TURNS_FINE, tiers[TIER_FINE].ring.head / tiers[TIER_FINE].ring.bytes);
    HAPPEN_TIMES(sim, TURNS_MIDDLE, tiers[TIER_MIDDLE].ring.head / tiers[TIER_MIDDLE].ring.bytes);
    HAPPEN_TIMES(sim, TURNS_COARSE, tiers[TIER_COARSE].ring.head / tiers[TIER_COARSE].ring.bytes);
    HAPPEN_TIMES(sim, OWN_WINDOWS, sim->service.own->engine.history.sealed_windows);
}

static void take_store(struct sim *sim)
{
    const struct store *store = &sim->engine->store;
    const struct lru_figures cache = lru_figures(&sim->engine->cache);
    HAPPEN_TIMES(sim, RECYCLED, store->recycled_series);
    HAPPEN_TIMES(sim, EXPIRED, store->expired_series);
    HAPPEN_TIMES(sim, DELETED, store->deleted_series);
    HAPPEN_TIMES(sim, OVERFLOWED, store->overflowed_samples);
    HAPPEN_TIMES(sim, OVERFLOWED_FAMILIES, store->overflowed_families);
    HAPPEN_TIMES(sim, EVICTED_FAMILIES, store->evicted_families);
    HAPPEN_TIMES(sim, LATE, store->late_samples);
    HAPPEN_TIMES(sim, SATURATED, store->saturated_samples);
    HAPPEN_TIMES(sim, LOST_BOUNDS_STORED, store->lost_bounds);
    HAPPEN_TIMES(sim, CACHE_EVICTED, cache.evicted_size);
    HAPPEN_TIMES(sim, CACHE_RETIRED, cache.evicted_retired);
    HAPPEN_TIMES(sim, CACHE_TOO_LARGE, cache.rejected_too_large);
}

void happened_take(struct sim *sim)
{
    struct happened *happened = &sim->happened;
    take_history(sim);
    take_store(sim);
    HAPPEN(sim, LIVES);
    HAPPEN_TIMES(sim, TRACED, sim->settings->trace);
    HAPPEN_TIMES(sim, SAMPLES, sim->applied);
    HAPPEN_TIMES(sim, ODD, sim->model.odd);
    HAPPEN_TIMES(sim, QUIET, quiet_figures(&sim->service.quiet).points);
    for (enum pool pool = 0; pool < POOL_COUNT; pool++)
        happened->pool_refusals[pool] += ledger_figures(sim->service.ledger, pool).refusals;
    for (int status = 0; status < STATUS_COUNT; status++) {
        happened->refused[status] += atomic_load(&sim->service.figures.refused[status]);
        happened->rejected[status] += sim->engine->rejected_samples[status];
    }
}

static void add(uint64_t *sum, const uint64_t *part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += part[i];
}

void happened_add(struct happened *sum, const struct happened *part)
{
    add(sum->times, part->times, HAPPENED_COUNT);
    add(sum->pool_refusals, part->pool_refusals, POOL_COUNT);
    add(sum->refused, part->refused, STATUS_COUNT);
    add(sum->rejected, part->rejected, STATUS_COUNT);
}

/* True when it is enough. */
static bool say(uint64_t times, uint64_t least, const char *text, const char *what)
{
    printf("%12llu  %s%s%s\n", (unsigned long long)times, text, what,
           times < least ? ": too few" : "");
    return times >= least;
}

bool happened_in_days(const struct happened *happened, uint64_t days)
{
    bool enough = true;
    for (int i = 0; i < HAPPENED_COUNT; i++)
        enough &= say(happened->times[i], rows[i].in_day * days, rows[i].text, "");
    return enough;
}

static bool say_statuses(const uint64_t *times, const enum status *least, size_t count,
                         const char *text)
{
    bool enough = true;
    for (enum status status = 0; status < STATUS_COUNT; status++) {
        uint64_t wanted = 0;
        for (size_t i = 0; i < count; i++)
            wanted |= least[i] == status;
        if (times[status] > 0 || wanted > 0)
            enough &= say(times[status], wanted, text, status_code(status));
    }
    return enough;
}

static bool say_pools(const struct happened *happened)
{
    bool enough = true;
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        uint64_t wanted = 0;
        for (size_t i = 0; i < COUNT_OF(refusing); i++)
            wanted |= refusing[i] == pool;
        if (happened->pool_refusals[pool] > 0 || wanted > 0)
            enough &= say(happened->pool_refusals[pool], wanted, "refused by pool ",
                          pool_rows[pool].name);
    }
    return enough;
}

bool happened_in_batch(const struct happened *happened)
{
    bool enough = true;
    for (int i = 0; i < HAPPENED_COUNT; i++)
        enough &= say(happened->times[i], rows[i].in_batch, rows[i].text, "");
    enough &= say_pools(happened);
    enough &= say_statuses(happened->refused, refused, COUNT_OF(refused), "refused: ");
    return say_statuses(happened->rejected, rejected, COUNT_OF(rejected), "rejected: ") && enough;
}
