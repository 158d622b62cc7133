/* memory_verdict.c: see memory_verdict.h. */
#include "reply/memory_verdict.h"

#include "base/ensure.h"
#include "memory/blocks.h"

#include <math.h>

static uint64_t free_bytes(const struct account_figures *figures)
{
    return report_less(figures->capacity_bytes, figures->live_bytes);
}

static bool is_mismatch(const struct report_input *input, const struct account_figures *figures)
{
    (void)figures;
    return input->ledger_mismatch_bytes != 0;
}

/* The least that a push of unknown length takes beyond its first block: its line buffer. */
static bool is_full(const struct report_input *input, const struct account_figures *figures)
{
    uint64_t line = input->plan->settings.limits_line_bytes;
    uint64_t needed = line > BLOCKS_UNIT_BYTES ? line : BLOCKS_UNIT_BYTES;
    return figures->capacity_bytes > 0 && free_bytes(figures) < needed;
}

static bool is_near(const struct report_input *input, const struct account_figures *figures)
{
    (void)input;
    uint64_t left = free_bytes(figures);
    return figures->capacity_bytes > 0 && left <= figures->capacity_bytes / 10 &&
           left < NEAR_CAPACITY_FREE_BYTES;
}

static bool is_near_not_full(const struct report_input *input,
                             const struct account_figures *figures)
{
    return is_near(input, figures) && !is_full(input, figures);
}

struct rule {
    enum memory_status status; /* what it makes the verdict at least */
    enum pool pool;
    bool (*holds)(const struct report_input *input, const struct account_figures *figures);
    const char *code;
    const char *text;
};

/*
 * Worst first. Watched are the pools that clients fill and a setting sizes; not the index, which is
 * sized after the slots and at most three quarters full.
 */
static const struct rule rules[] = {
    {MEMORY_LEDGER_ERROR, POOL_COUNT, is_mismatch, "ledger_mismatch",
     "the ledger and a walk over the pools disagree; this is a bug of mayfly"},
    {MEMORY_SHEDDING, POOL_GROWTH, is_full, "pool_full",
     "requests that must grow are answered 503 now; requests.bytes is what they share"},
    {MEMORY_PRESSURE, POOL_GROWTH, is_near_not_full, "pool_near_capacity",
     "requests in flight hold nearly all of requests.bytes; beyond it they are answered 503"},
    {MEMORY_PRESSURE, POOL_SERIES, is_near, "pool_near_capacity",
     "beyond series.max the longest idle series is recycled, or samples overflow"},
    {MEMORY_PRESSURE, POOL_LABELS, is_near, "pool_near_capacity",
     "beyond series.label_bytes the longest idle series is recycled, or samples overflow"},
    {MEMORY_PRESSURE, POOL_FAMILIES, is_near, "pool_near_capacity",
     "beyond limits.families samples of new metrics go to the overflow family of their kind"},
    {MEMORY_PRESSURE, POOL_HISTOGRAMS, is_near, "pool_near_capacity",
     "beyond histograms.max the longest idle histogram is recycled, or values overflow"},
    {MEMORY_PRESSURE, POOL_BUCKETS, is_near, "pool_near_capacity",
     "beyond buckets.max the longest idle histogram is recycled, or pushes overflow"},
    {MEMORY_PRESSURE, POOL_SETS, is_near, "pool_near_capacity",
     "beyond sets.max the longest idle set is recycled, or members overflow"},
};

_Static_assert(sizeof rules / sizeof rules[0] == MEMORY_RULES, "room for every rule at once");

static void add(struct memory_verdict *verdict, enum memory_status status,
                const struct memory_reason *reason)
{
    ENSURE(verdict->count < MEMORY_REASONS_MAX);
    verdict->reasons[verdict->count++] = *reason;
    if (verdict->status < status)
        verdict->status = status;
    if (status == MEMORY_SHEDDING)
        verdict->shedding = true;
}

static void add_rule(struct memory_verdict *verdict, const struct rule *rule,
                     const struct account_figures *figures)
{
    struct memory_reason reason = {
        .code = rule->code,
        .text = rule->text,
        .figure = rule->pool == POOL_COUNT ? (uint32_t)WATCH_COUNT : (uint32_t)rule->pool,
        .ratio = NAN,
    };
    if (figures != NULL)
        reason.ratio = (double)figures->live_bytes / (double)figures->capacity_bytes;
    add(verdict, rule->status, &reason);
}

/* ---- what is watched ---- */

static const char *leak_text(uint32_t figure)
{
    if (figure == WATCH_DESCRIPTORS)
        return "more descriptors are open than at the start, connections not counted";
    if (figure == WATCH_THREADS)
        return "there are more threads than at the start";
    return "it was not empty when no request was in flight: what a request held was not returned";
}

static const char *growing_text(uint32_t figure)
{
    switch (figure) {
    case WATCH_HEAP:
        return "malloc holds more and more beyond what open connections explain";
    case WATCH_UNACCOUNTED:
        return "resident memory that no part of the plan explains grows";
    case WATCH_LATENCY:
        return "requests take longer and longer";
    case WATCH_CPU:
        return "requests cost more and more CPU time";
    default:
        return "it grows, and nothing bounds it";
    }
}

/* False where there is nothing to be said. */
static bool find(const struct report_input *input, uint32_t figure, struct memory_reason *reason,
                 enum memory_status *status)
{
    const struct watch_report *watch = &input->watch;
    const struct watch_finding *finding = &watch->findings[figure];
    int64_t now_ms = input->world->now_ms;
    int64_t day_ms = watch->block_ms * WATCH_DAY_BLOCKS;
    *reason = (struct memory_reason){.figure = figure, .ratio = NAN};
    *status = MEMORY_LEAK_SUSPECTED;
    if (finding->verdict == WATCH_LEAK) {
        reason->code = "leak";
        reason->text = leak_text(figure);
    } else if (finding->verdict == WATCH_GROWING) {
        reason->code = watch_is_memory(figure) ? "growing" : "slowing";
        reason->text = growing_text(figure);
        *status = watch_is_memory(figure) ? MEMORY_LEAK_SUSPECTED : MEMORY_OK;
    } else if (finding->verdict == WATCH_FILLING && !finding->by_design) {
        bool soon = finding->full_at_ms != 0 && finding->full_at_ms - now_ms < day_ms;
        reason->code = "pool_filling";
        reason->text = finding->full_at_ms != 0 && finding->full_at_ms <= now_ms
                           ? "it has filled up, and has no room yet"
                           : "at its present rate it will be full; GET /memory/trend says when";
        *status = soon ? MEMORY_PRESSURE : MEMORY_OK;
    }
    return reason->code != NULL;
}

/* What has leaked stays a leak when it has stopped to grow, and no trend shows it any more. */
static void add_heap(struct memory_verdict *verdict, const struct report_input *input,
                     const struct report_sums *sums)
{
    uint64_t heap = sums->heap_unexplained_bytes;
    if (heap == WORLD_UNKNOWN || heap < UNEXPLAINED_BYTES ||
        heap < input->plan->settings.memory / 100 ||
        input->watch.findings[WATCH_HEAP].verdict == WATCH_GROWING)
        return;
    add(verdict, MEMORY_LEAK_SUSPECTED,
        &(struct memory_reason){
            .code = "heap_unexplained",
            .text =
                "malloc holds more than open connections and what was there at the start explain",
            .figure = WATCH_HEAP,
            .ratio = NAN,
        });
}

/* Worst first, so that what is left out is not. */
static void add_findings(struct memory_verdict *verdict, const struct report_input *input)
{
    uint32_t most = verdict->count + MEMORY_FINDINGS;
    for (int at = WATCH_LEAK; at >= WATCH_FILLING; at--) {
        for (uint32_t figure = 0; figure < WATCH_COUNT && verdict->count < most; figure++) {
            struct memory_reason reason;
            enum memory_status status;
            if ((int)input->watch.findings[figure].verdict == at &&
                find(input, figure, &reason, &status))
                add(verdict, status, &reason);
        }
    }
}

/*
 * The pool as series.max sees it: slots that only overflow series may take are no room for others.
 */
static struct account_figures ordinary_series(const struct report_input *input,
                                              struct account_figures figures)
{
    uint64_t each = slot_cost(sizeof(struct series));
    uint64_t ordinary = input->plan->settings.series_max;
    if (ordinary < figures.capacity_bytes / each)
        figures.capacity_bytes = ordinary * each;
    if (figures.live_bytes > figures.capacity_bytes)
        figures.live_bytes = figures.capacity_bytes;
    return figures;
}

struct memory_verdict memory_verdict_make(const struct report_input *input,
                                          const struct report_sums *sums)
{
    struct memory_verdict verdict = {.status = MEMORY_OK};
    struct account_figures series = ordinary_series(input, sums->pools[POOL_SERIES]);
    for (size_t i = 0; i < MEMORY_RULES; i++) {
        const struct rule *rule = &rules[i];
        const struct account_figures *figures = rule->pool == POOL_COUNT ? NULL
                                                : rule->pool == POOL_SERIES
                                                    ? &series
                                                    : &sums->pools[rule->pool];
        if (rule->holds(input, figures))
            add_rule(&verdict, rule, figures);
    }
    add_heap(&verdict, input, sums);
    add_findings(&verdict, input);
    return verdict;
}

const char *memory_status_name(enum memory_status status)
{
    static const char *const names[] = {
        [MEMORY_OK] = "ok",
        [MEMORY_PRESSURE] = "pressure",
        [MEMORY_SHEDDING] = "shedding",
        [MEMORY_LEAK_SUSPECTED] = "leak_suspected",
        [MEMORY_LEDGER_ERROR] = "ledger_error",
    };
    ENSURE((unsigned)status < sizeof names / sizeof names[0]);
    return names[status];
}
