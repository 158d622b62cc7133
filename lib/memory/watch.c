/* watch.c: see watch.h. */
#include "memory/watch.h"

#include "base/bytes.h"
#include "base/ensure.h"

#include <math.h>

/* ---- the rows ---- */

static const struct watch_row process_rows[WATCH_COUNT - POOL_COUNT] = {
    [WATCH_HEAP - POOL_COUNT] = {"heap", "process", WATCH_BYTES},
    [WATCH_UNACCOUNTED - POOL_COUNT] = {"unaccounted", "process", WATCH_BYTES},
    [WATCH_RSS - POOL_COUNT] = {"rss", "process", WATCH_BYTES},
    [WATCH_DESCRIPTORS - POOL_COUNT] = {"descriptors", "process", WATCH_NUMBER},
    [WATCH_THREADS - POOL_COUNT] = {"threads", "process", WATCH_NUMBER},
    [WATCH_LATENCY - POOL_COUNT] = {"request_latency", "requests", WATCH_SECONDS},
    [WATCH_CPU - POOL_COUNT] = {"cpu_per_request", "requests", WATCH_SECONDS},
};

struct watch_row watch_row(uint32_t figure)
{
    ENSURE(figure < WATCH_COUNT);
    if (figure >= POOL_COUNT)
        return process_rows[figure - POOL_COUNT];
    return (struct watch_row){pool_rows[figure].name, "pool", WATCH_BYTES};
}

const char *watch_unit_name(enum watch_unit unit)
{
    static const char *const names[WATCH_UNITS] = {
        [WATCH_BYTES] = "bytes",
        [WATCH_NUMBER] = "count",
        [WATCH_SECONDS] = "seconds",
    };
    ENSURE((unsigned)unit < WATCH_UNITS);
    return names[unit];
}

const char *watch_verdict_name(enum watch_verdict verdict)
{
    static const char *const names[WATCH_VERDICTS] = {
        [WATCH_FLAT] = "flat",       [WATCH_TOO_EARLY] = "too_early", [WATCH_FILLING] = "filling",
        [WATCH_GROWING] = "growing", [WATCH_LEAK] = "leak",
    };
    ENSURE((unsigned)verdict < WATCH_VERDICTS);
    return names[verdict];
}

bool watch_is_memory(uint32_t figure)
{
    return watch_row(figure).unit != WATCH_SECONDS;
}

static bool is_counted(uint32_t figure)
{
    return watch_row(figure).unit == WATCH_NUMBER;
}

/* A ring and the cache are meant to be full; the index never is, and fills as the series do. */
static bool is_by_design(uint32_t figure)
{
    if (figure >= POOL_COUNT)
        return false;
    struct bytes kind = bytes_of(pool_rows[figure].kind);
    return bytes_equal(kind, BYTES("ring")) || bytes_equal(kind, BYTES("lru")) ||
           bytes_equal(kind, BYTES("table"));
}

/*
 * What is too little to matter, per block of six hours: 1 % and 1.5 MiB a day of memory, 10 % and
 * 100 us a day of time, one descriptor a day.
 */
static struct trend_rule rule_of(uint32_t figure, const struct watched_figure *at)
{
    if (figure < POOL_COUNT) {
        double capacity = (double)at->capacity;
        double headroom = capacity > at->value ? capacity - at->value : 0;
        double slowest = headroom / WATCH_FILLING_BLOCKS;
        return (struct trend_rule){0, fmax(slowest, capacity / 4096)};
    }
    if (!watch_is_memory(figure))
        return (struct trend_rule){0.1 / WATCH_DAY_BLOCKS, 100e-6 / WATCH_DAY_BLOCKS};
    if (is_counted(figure))
        return (struct trend_rule){0, 1.0 / WATCH_DAY_BLOCKS};
    return (struct trend_rule){0.01 / WATCH_DAY_BLOCKS, 6 * 65536.0};
}

/* ---- blocks ---- */

void watch_init(struct watch *watch, int64_t block_ms, int64_t now_ms)
{
    *watch = (struct watch){
        .block_ms = block_ms,
        .block_end_ms = now_ms + block_ms,
    };
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++) {
        struct watched_figure *at = &watch->figures[figure];
        trend_init(&at->trend, WATCH_WARM_UP_BLOCKS);
        at->value = at->first = NAN;
        at->estimate = trend_estimate_make(&at->trend);
        at->shape = at->days = TREND_TOO_EARLY;
    }
}

/* Of failures in a row the first one's time is kept. */
static void set_broken(struct watched_figure *at, bool is_broken, int64_t now_ms)
{
    if (!is_broken)
        at->broken_since_ms = 0;
    else if (at->broken_since_ms == 0)
        at->broken_since_ms = now_ms;
}

/* The lowest of a whole block: a connection that was just being accepted does not count. */
static void compare_with_first(struct watched_figure *at, int64_t block_start_ms)
{
    double lowest = at->trend.lowest;
    if (isnan(lowest))
        return; /* nothing was seen, so nothing has changed */
    if (isnan(at->first))
        at->first = lowest;
    set_broken(at, lowest > at->first, block_start_ms);
}

static void close_block(struct watch *watch)
{
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++) {
        struct watched_figure *at = &watch->figures[figure];
        if (is_counted(figure))
            compare_with_first(at, watch->block_end_ms - watch->block_ms);
        trend_close_block(&at->trend);
    }
    watch->block_end_ms += watch->block_ms;
    watch->blocks++;
    watch->to_judge = WATCH_COUNT; /* where it stands: so each comes, however short blocks are */
}

/* After a step of the clock no more blocks are closed than there are; the rest is skipped. */
static void close_blocks(struct watch *watch, int64_t now_ms)
{
    int64_t behind = (now_ms - watch->block_end_ms) / watch->block_ms;
    if (behind > TREND_BLOCKS)
        watch->block_end_ms += (behind - TREND_BLOCKS) * watch->block_ms;
    while (now_ms >= watch->block_end_ms)
        close_block(watch);
}

void watch_observe(struct watch *watch, const struct watch_input *input)
{
    close_blocks(watch, input->now_ms);
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++) {
        struct watched_figure *at = &watch->figures[figure];
        trend_observe(&at->trend, input->values[figure]);
        if (isfinite(input->values[figure]))
            at->value = input->values[figure];
        at->capacity = input->capacities[figure];
        if (figure < POOL_COUNT)
            set_broken(at, input->broken[figure], input->now_ms);
    }
}

/* ---- judging ---- */

/* It grows since the last block that was about as low as the lowest: a twentieth of the range. */
static int64_t grows_since(const struct watch *watch, const struct trend *trend)
{
    double low = INFINITY;
    double high = -INFINITY;
    uint32_t last = 0;
    for (uint32_t i = 0; i < trend->count; i++) {
        low = fmin(low, trend_minimum(trend, i)); /* fmin and fmax pass over NAN */
        high = fmax(high, trend_minimum(trend, i));
    }
    for (uint32_t i = 0; i < trend->count; i++) {
        if (trend_minimum(trend, i) <= low + (high - low) / 20)
            last = i;
    }
    int64_t open_ms = watch->block_end_ms - watch->block_ms;
    return open_ms - (int64_t)(trend->count - 1 - last) * watch->block_ms;
}

/* Nothing rises in what is full: what has filled up stays filling until there is room again. */
static bool is_still_full(uint32_t figure, const struct watched_figure *at)
{
    return figure < POOL_COUNT && at->since_ms != 0 &&
           at->value >= (double)at->capacity - (double)at->capacity / 64;
}

bool watch_step(struct watch *watch)
{
    if (watch->to_judge == 0)
        return false;
    uint32_t figure = watch->next;
    watch->next = (watch->next + 1) % WATCH_COUNT;
    watch->to_judge--;
    struct watched_figure *at = &watch->figures[figure];
    struct trend_rule rule = rule_of(figure, at);
    at->estimate = trend_estimate_make(&at->trend);
    at->shape = trend_judge(&at->estimate, &rule);
    at->days = trend_judge_days(&at->estimate, &rule);
    if (at->shape == TREND_GROWING && at->since_ms == 0)
        at->since_ms = grows_since(watch, &at->trend);
    else if (at->shape != TREND_GROWING && !is_still_full(figure, at))
        at->since_ms = 0;
    return true;
}

/* ---- findings ---- */

static enum watch_verdict verdict_of(uint32_t figure, const struct watched_figure *at)
{
    if (at->broken_since_ms != 0)
        return WATCH_LEAK;
    if (at->since_ms != 0)
        return figure < POOL_COUNT ? WATCH_FILLING : WATCH_GROWING;
    return at->shape == TREND_TOO_EARLY ? WATCH_TOO_EARLY : WATCH_FLAT;
}

/* Beyond a hundred years nobody waits for it, nor does an int64_t. */
#define FAR_BLOCKS_MS 3.2e12

static int64_t full_at(const struct watch *watch, const struct watched_figure *at, int64_t now_ms)
{
    double room = (double)at->capacity - at->value;
    double rate = at->estimate.slope / (double)watch->block_ms;
    if (room <= (double)at->capacity / 64)
        return now_ms;
    double left_ms = room / rate;
    return left_ms > 0 && left_ms < FAR_BLOCKS_MS ? now_ms + (int64_t)left_ms : 0;
}

static struct watch_finding finding_of(const struct watch *watch, uint32_t figure, int64_t now_ms)
{
    const struct watched_figure *at = &watch->figures[figure];
    const double blocks_an_hour = 3600e3 / (double)watch->block_ms;
    struct watch_finding finding = {
        .verdict = verdict_of(figure, at),
        .by_design = is_by_design(figure),
        .rising = at->shape == TREND_TOO_EARLY && at->days == TREND_GROWING,
        .value = at->value,
        .capacity = at->capacity,
        .since_ms = at->broken_since_ms != 0 ? at->broken_since_ms : at->since_ms,
        .blocks = at->estimate.blocks,
        .slope = at->estimate.slope * blocks_an_hour,
        .low = at->estimate.low * blocks_an_hour,
        .high = at->estimate.high * blocks_an_hour,
    };
    if (at->since_ms != 0 && at->capacity != 0)
        finding.full_at_ms = full_at(watch, at, now_ms);
    return finding;
}

/* How bad it is; 0: not at all. Time comes last: slow is no leak. */
static int badness(uint32_t figure, const struct watch_finding *finding)
{
    switch (finding->verdict) {
    case WATCH_LEAK:
        return 4;
    case WATCH_GROWING:
        return watch_is_memory(figure) ? 3 : 1;
    case WATCH_FILLING:
        return finding->by_design ? 0 : 2;
    default:
        return 0;
    }
}

/* Of pools that fill, the one that is full first. */
static bool is_worse(uint32_t figure, const struct watch_report *report)
{
    const struct watch_finding *finding = &report->findings[figure];
    int bad = badness(figure, finding);
    if (report->worst == WATCH_COUNT)
        return bad > 0;
    const struct watch_finding *worst = &report->findings[report->worst];
    int worst_bad = badness(report->worst, worst);
    if (bad != worst_bad || finding->verdict != WATCH_FILLING)
        return bad > worst_bad;
    return finding->full_at_ms != 0 &&
           (worst->full_at_ms == 0 || finding->full_at_ms < worst->full_at_ms);
}

/*
 * The fewest blocks that one of the figures has by which memory may be lost, and whether any of
 * them cannot be judged yet. What is never known is left out.
 */
static bool is_early(const struct watch *watch, uint32_t *fewest)
{
    bool early = false;
    *fewest = TREND_BLOCKS;
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++) {
        const struct watched_figure *at = &watch->figures[figure];
        if (!watch_is_memory(figure) || isnan(at->value))
            continue;
        early = early || at->shape == TREND_TOO_EARLY;
        *fewest = at->estimate.blocks < *fewest ? at->estimate.blocks : *fewest;
    }
    if (watch->blocks == 0) /* and nothing may have been observed */
        *fewest = 0;
    return early || *fewest == 0;
}

struct watch_report watch_report(const struct watch *watch, int64_t now_ms)
{
    struct watch_report report = {.block_ms = watch->block_ms, .worst = WATCH_COUNT};
    bool early = is_early(watch, &report.blocks);
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++) {
        report.findings[figure] = finding_of(watch, figure, now_ms);
        if (is_worse(figure, &report))
            report.worst = figure;
    }
    if (report.worst != WATCH_COUNT)
        report.verdict = report.findings[report.worst].verdict;
    else if (early)
        report.verdict = WATCH_TOO_EARLY;
    return report;
}
