/* memory_verdict.c: see memory_verdict.h. */
#include "reply/memory_verdict.h"

#include "base/ensure.h"
#include "memory/blocks.h"

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

_Static_assert(sizeof rules / sizeof rules[0] == MEMORY_REASONS_MAX, "room for every rule at once");

static void add(struct memory_verdict *verdict, const struct rule *rule,
                const struct account_figures *figures)
{
    struct memory_reason *reason = &verdict->reasons[verdict->count++];
    *reason = (struct memory_reason){.code = rule->code, .text = rule->text, .pool = rule->pool};
    if (figures != NULL)
        reason->ratio = (double)figures->live_bytes / (double)figures->capacity_bytes;
    if (verdict->status < rule->status)
        verdict->status = rule->status;
    if (rule->status == MEMORY_SHEDDING)
        verdict->shedding = true;
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
    for (size_t i = 0; i < MEMORY_REASONS_MAX; i++) {
        const struct rule *rule = &rules[i];
        const struct account_figures *figures =
            rule->pool == POOL_COUNT    ? NULL
            : rule->pool == POOL_SERIES ? &series
                                        : &sums->pools[rule->pool];
        if (rule->holds(input, figures))
            add(&verdict, rule, figures);
    }
    return verdict;
}

const char *memory_status_name(enum memory_status status)
{
    static const char *const names[] = {
        [MEMORY_OK] = "ok",
        [MEMORY_PRESSURE] = "pressure",
        [MEMORY_SHEDDING] = "shedding",
        [MEMORY_LEDGER_ERROR] = "ledger_error",
    };
    ENSURE((unsigned)status < sizeof names / sizeof names[0]);
    return names[status];
}
