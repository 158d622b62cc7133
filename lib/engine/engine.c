/* engine.c: see engine.h. */
#include "engine/engine.h"

/* Series that one tick may drop, so that it holds the lock no longer than a batch does. */
#define EXPIRE_EACH_TICK 32

/*
 * How far ahead of the sample being applied memory is asked for: about what one apply takes,
 * several times over.
 */
#define PREFETCH_INDEX 12
#define PREFETCH_SERIES 6

void engine_plan(const struct settings *settings, uint64_t pools[static POOL_COUNT])
{
    store_plan(settings, pools);
    history_plan(settings, pools);
    pools[POOL_CACHE] = lru_bytes(settings->cache_bytes);
}

uint64_t engine_bytes(const struct settings *settings)
{
    uint64_t pools[POOL_COUNT] = {0};
    uint64_t sum = 0;
    engine_plan(settings, pools);
    for (int pool = 0; pool < POOL_COUNT; pool++)
        sum += pools[pool];
    return sum;
}

void engine_init(struct engine *engine, const struct settings *settings, struct ledger *ledger,
                 uint64_t seed, int64_t now_ms, struct region *region)
{
    memset(engine, 0, sizeof *engine);
    engine->settings = settings;
    engine->ledger = ledger;
    store_init(&engine->store, settings, seed, now_ms, ledger, region);
    lru_init(&engine->cache, settings->cache_bytes, ledger, region);
    engine->store.has_history = true;
    history_init(&engine->history, settings, &engine->store, &engine->cache, ledger, region);
}

static struct refusal conflict(const struct sample *sample, const struct store_outcome *outcome)
{
    return (struct refusal){
        .status = STATUS_KIND_CONFLICT,
        .line = sample->line,
        .element = sample->element,
        .detail = outcome->conflict,
    };
}

static void count_accepted(struct engine *engine, const struct sample *sample,
                           const struct store_outcome *outcome, struct report *report)
{
    engine->accepted_samples += sample->lines;
    report->accepted += sample->lines;
    report->overflowed += outcome->overflowed ? sample->lines : 0;
}

static void apply_one(struct engine *engine, const struct sample *sample, struct report *report,
                      int64_t now_ms)
{
    struct store_outcome outcome = {0};
    enum status status = store_apply(&engine->store, sample, now_ms, &outcome);
    if (sample->follows)
        return; /* counted with the first value of its sample */
    if (status != STATUS_OK) {
        report_reject_lines(report, conflict(sample, &outcome), sample->lines);
        return;
    }
    count_accepted(engine, sample, &outcome, report);
}

static void apply_run(struct engine *engine, const struct sample *samples, uint32_t count,
                      struct report *report, int64_t now_ms)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i + PREFETCH_INDEX < count)
            store_prefetch_index(&engine->store, &samples[i + PREFETCH_INDEX]);
        if (i + PREFETCH_SERIES < count)
            store_prefetch_series(&engine->store, &samples[i + PREFETCH_SERIES]);
        apply_one(engine, &samples[i], report, now_ms);
    }
}

void engine_apply(struct engine *engine, struct intake *intake, int64_t now_ms)
{
    apply_run(engine, intake->batch->samples, intake->batch->count, intake->report, now_ms);
}

/* Rejects what conflicts; the families of the others exist afterwards. */
static void admit(struct engine *engine, const struct held_samples *held, struct report *report,
                  int64_t now_ms)
{
    for (; held != NULL; held = held->next) {
        for (uint32_t i = 0; i < held->count; i++) {
            struct store_outcome outcome = {0};
            const struct sample *sample = &held->samples[i];
            if (store_admit(&engine->store, sample, now_ms, &outcome) != STATUS_OK &&
                !sample->follows)
                report_reject_lines(report, conflict(sample, &outcome), sample->lines);
        }
    }
}

static void forget(struct engine *engine, const struct held_samples *held)
{
    for (; held != NULL; held = held->next) {
        for (uint32_t i = 0; i < held->count; i++)
            store_forget(&engine->store, &held->samples[i]);
    }
}

/*
 * What was admitted is not refused any more. It could be, where a family had no room at first and
 * the push itself made some by recycling; such a sample overflows instead.
 */
static void apply_admitted(struct engine *engine, const struct sample *sample,
                           struct report *report, int64_t now_ms)
{
    struct store_outcome outcome = {0};
    if (store_apply(&engine->store, sample, now_ms, &outcome) != STATUS_OK) {
        store_overflow(&engine->store, sample, now_ms);
        outcome.overflowed = true;
    }
    if (sample->follows)
        return;
    count_accepted(engine, sample, &outcome, report);
}

void engine_apply_held(struct engine *engine, const struct held_samples *held,
                       struct report *report, int64_t now_ms)
{
    admit(engine, held, report, now_ms);
    if (report->rejected > 0) {
        forget(engine, held);
        return;
    }
    for (; held != NULL; held = held->next) {
        for (uint32_t i = 0; i < held->count; i++)
            apply_admitted(engine, &held->samples[i], report, now_ms);
    }
}

void engine_count_rejected(struct engine *engine, const struct report *report)
{
    for (int status = 0; status < STATUS_COUNT; status++)
        engine->rejected_samples[status] += report->rejected_by[status];
}

/* ---- audit: the ledger against each pool's own structure, a pool a tick ---- */

static uint64_t slots_held(const struct slots *slots)
{
    return slots->live_count * slot_cost(slots->object_bytes);
}

/* What the pool's own structure says is live; false for pools that the engine does not own. */
static bool pool_held(const struct engine *engine, enum pool pool, uint64_t *held)
{
    const struct store *store = &engine->store;
    switch (pool) {
    case POOL_WINDOWS_FINE:
    case POOL_WINDOWS_MIDDLE:
    case POOL_WINDOWS_COARSE:
        *held = history_held(&engine->history, (enum tier)(pool - POOL_WINDOWS_FINE));
        return true;
    case POOL_CACHE:
        *held = lru_held(&engine->cache);
        return true;
    case POOL_FAMILIES:
        *held = slots_held(&store->families);
        return true;
    case POOL_SERIES:
        *held = slots_held(&store->series);
        return true;
    case POOL_HISTOGRAMS:
        *held = slots_held(&store->histograms);
        return true;
    case POOL_BUCKETS:
        *held = slots_held(&store->buckets);
        return true;
    case POOL_SETS:
        *held = slots_held(&store->sets);
        return true;
    case POOL_LABELS:
        *held = (store->labels.block_count - store->labels.free_count) *
                sizeof(struct label_block);
        return true;
    case POOL_INDEX:
        *held = (store->series_index.live_count + store->family_index.live_count) *
                sizeof(struct index_entry);
        return true;
    default:
        return false;
    }
}

static void audit_next(struct engine *engine)
{
    enum pool pool = engine->audit.next;
    uint64_t held = 0;
    engine->audit.next = (pool + 1) % POOL_COUNT;
    if (!pool_held(engine, pool, &held))
        return;
    uint64_t live = ledger_figures(engine->ledger, pool).live_bytes;
    uint64_t mismatch = live > held ? live - held : held - live;
    engine->audit.mismatch_bytes += mismatch - engine->audit.mismatch_by_pool[pool];
    engine->audit.mismatch_by_pool[pool] = mismatch;
    engine->audit.audits++;
}

void engine_tick(struct engine *engine, int64_t now_ms)
{
    history_step(&engine->history, &engine->store, now_ms);
    store_expire(&engine->store, now_ms, EXPIRE_EACH_TICK);
    audit_next(engine);
}

bool engine_step(struct engine *engine, int64_t now_ms)
{
    return history_step(&engine->history, &engine->store, now_ms);
}
