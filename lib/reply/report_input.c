/* report_input.c: see report_input.h. */
#include "reply/report_input.h"

#include "reply/writer.h"

/*
 * What the region has resident. Touched at start, all of it; else about what each pool ever held,
 * since a page once touched stays. (Then what is zeroed at start, index tables and slot states, is
 * resident beyond that and shows as unaccounted: a few per cent of the region at most.)
 */
static uint64_t region_resident(const struct report_input *input, const struct report_sums *sums)
{
    uint64_t region = input->plan->parts[PLAN_REGION];
    uint64_t left = region;
    for (int pool = 0; pool < POOL_COUNT && !input->world->prefaulted; pool++)
        left = report_less(left, sums->pools[pool].peak_bytes);
    return input->world->prefaulted ? region : region - left;
}

/*
 * What malloc holds beyond what it held when the listeners were opened and what the connections
 * that are open may take, as the plan has it. The service itself does not call malloc after start,
 * so this is 0, or somebody leaks.
 */
static uint64_t heap_unexplained(const struct report_input *input)
{
    const struct world *world = input->world;
    const struct world_process *process = &world->process;
    if (process->malloc_in_use_bytes == WORLD_UNKNOWN)
        return WORLD_UNKNOWN;
    uint64_t each = plan_connection_bytes(input->plan, world->requests.connections_max);
    uint64_t left = process->malloc_in_use_bytes + process->malloc_mmap_bytes;
    left = report_less(left, process->malloc_base_bytes);
    return report_less(left, world->requests.connections * each);
}

/*
 * What malloc has of RSS and is explained: in use, and free between connections, up to what was
 * planned for libmicrohttpd. Figures that are unknown explain all of it.
 */
static uint64_t heap_explained(const struct report_input *input, uint64_t unexplained_bytes)
{
    const struct world_process *process = &input->world->process;
    uint64_t planned = input->plan->parts[PLAN_LIBMICROHTTPD];
    if (unexplained_bytes == WORLD_UNKNOWN)
        return planned;
    uint64_t held = process->malloc_in_use_bytes + process->malloc_free_bytes +
                    process->malloc_mmap_bytes - unexplained_bytes;
    return held < planned ? held : planned;
}

/*
 * What of RSS no part of the plan explains. Where a part's use is measured, it explains that and at
 * most what was planned for it (region, libmicrohttpd); where it is not, all that was planned
 * (stacks, code), so that whatever is left is certainly not the plan's. Slack explains nothing: it
 * is there for what nobody foresaw, which is this.
 */
static uint64_t unaccounted(const struct report_input *input, const struct report_sums *sums)
{
    uint64_t left = input->world->process.rss_bytes;
    if (left == WORLD_UNKNOWN)
        return WORLD_UNKNOWN;
    left = report_less(left, sums->region_resident_bytes);
    left = report_less(left, heap_explained(input, sums->heap_unexplained_bytes));
    left = report_less(left, input->plan->parts[PLAN_STACKS]);
    return report_less(left, input->plan->parts[PLAN_CODE]);
}

/*
 * The figures are read one after the other while others write, so what is live may by then be above
 * the peak that was read with it. A report never shows that: a peak is at least what stands beside
 * it.
 */
static void lift(uint64_t *peak, uint64_t live)
{
    if (*peak < live)
        *peak = live;
}

struct report_sums report_sums_make(const struct report_input *input)
{
    const struct ledger *ledger = input->ledger;
    struct report_sums sums = {.unaccounted_bytes = 0};
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        struct account_figures *figures = &sums.pools[pool];
        *figures = ledger_figures(ledger, pool);
        lift(&figures->period_peak_bytes, figures->live_bytes);
        lift(&figures->peak_bytes, figures->period_peak_bytes);
        sums.capacity_bytes += figures->capacity_bytes;
        sums.live_bytes += figures->live_bytes;
    }
    sums.peak_bytes = atomic_load_explicit(&ledger->peak_bytes, memory_order_relaxed);
    sums.peak_at_ms = atomic_load_explicit(&ledger->peak_at_ms, memory_order_relaxed);
    sums.period_peak_bytes = atomic_load_explicit(&ledger->period_peak_bytes, memory_order_relaxed);
    sums.period_ms = atomic_load_explicit(&ledger->period_ms, memory_order_relaxed);
    lift(&sums.period_peak_bytes, sums.live_bytes);
    lift(&sums.peak_bytes, sums.period_peak_bytes);
    sums.heap_unexplained_bytes = heap_unexplained(input);
    sums.region_resident_bytes = region_resident(input, &sums);
    sums.unaccounted_bytes = unaccounted(input, &sums);
    return sums;
}

/* ---- history and cache ---- */

static struct report_tier tier_make(const struct history *history, enum tier at, int64_t now_ms)
{
    const struct tier_ring *tier = &history->tiers[at];
    int64_t held_from_ms = history_held_from(history, at);
    return (struct report_tier){
        .width_ms = tier->width_ms,
        .retention_ms = now_ms > held_from_ms ? now_ms - held_from_ms : 0,
        .records = tier->count,
        .sealed = tier->sealed,
        .left = tier->left,
    };
}

struct report_history report_history_make(const struct history *history, int64_t now_ms)
{
    struct report_history report = {
        .sealed_windows = history->sealed_windows,
        .skipped_windows = history->skipped_windows,
        .lifetimes = history->lifetimes,
    };
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        report.tiers[tier] = tier_make(history, tier, now_ms);
        if (history->tiers[tier].count > 0)
            report.oldest_age_ms[tier] =
                (int64_t)lifetime_ms(history_record(history, tier, 0)->start_ms, now_ms);
    }
    return report;
}

struct report_cache report_cache_make(const struct lru *cache, int64_t now_ms)
{
    return (struct report_cache){lru_figures(cache), lru_oldest_age_ms(cache, now_ms)};
}

void tier_name(int64_t width_ms, char out[static TIER_NAME_BYTES])
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    struct writer writer = writer_make(out, TIER_NAME_BYTES - 1);
    size_t unit = 0;
    while (width_ms % units[unit].ms != 0)
        unit++;
    writer_i64(&writer, width_ms / units[unit].ms);
    writer_string(&writer, units[unit].name);
    out[writer.used] = '\0';
}
