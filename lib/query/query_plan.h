/*
 * query_plan.h: what a query will read, and whether it may.
 *
 *     find the family ──> map its series to groups ──> choose the tier ──> count the cells
 *          │ not there        │ too many groups             │ too many         │ too many cells
 *          └ an empty answer  └ 422                         └ points: 422      └ 422
 *
 *     start                                                            end    now
 *     |  step  |  step  |  step  |  step  |  step  |  step  |  step  |  step  |
 *          ^ from                                                  to ^
 *
 * Buckets are whole and begin at multiples of the step since 1970; the first one holds `from`, the
 * last one `to`. The resolution is the window of the finest tier that, with the finer ones, holds
 * all of it that is held at all; a step is a multiple of it.
 *
 * Worst case in the request's arena, with query_run's: 10 bytes a series of the family (16 more for
 * the sum of a gauge), 32 KiB or limits.label_set_bytes for a slice's labels, 48 bytes and its
 * labels a group, twice a tally and a sketch a group (56 bytes, and 1.3 KiB for quantiles, 1 KiB
 * for those of buckets, 3 KiB for a set), 8 bytes a point, 64 KiB for a cached part, a page.
 *
 * Owner: the request; in its arena. Lifetime: request. Threads: one; query_plan_step under the
 * engine's lock.
 */
#ifndef QUERY_QUERY_PLAN_H
#define QUERY_QUERY_PLAN_H

#include "query/group_map.h"
#include "query/record_walk.h"

struct query_plan {
    struct query *query;
    const struct settings *settings;
    struct arena *arena;
    struct arena_mark mark; /* before the map: where a torn walk goes back to */
    int phase;              /* what the next step does: private */
    unsigned walks;         /* of the series, as many as were torn */

    bool is_empty; /* there is no such metric: nothing below is of interest but the range */
    enum kind kind;
    struct group_map map;
    bool is_cacheable;   /* false when no walk over the series was whole */
    uint64_t serial_end; /* records sealed since then may hold series that are not in the map */

    enum tier tier;
    int64_t resolution_ms;
    int64_t step_ms;
    int64_t start_ms; /* of the first bucket */
    int64_t end_ms;   /* of the last one */
    uint64_t bucket_count;
    int64_t held_from_ms; /* all of what came since then is held */
    int64_t oldest_ms;    /* nothing from before then is */
    bool step_was_rounded;
    bool begins_before_held;

    struct record_walk walk;
    uint64_t cells; /* an estimate of what will be read, cached or not */
};

/* In the arena, NULL when it refused. The query is finished. */
struct query_plan *query_plan_make(struct query *query, const struct settings *settings,
                                   struct arena *arena);

/* One slice under the lock, some 10 to 50 us; then query_plan_work without it. */
void query_plan_step(struct query_plan *plan, const struct store *store,
                     const struct history *history);

/* True when there is more to do: step again. At the end *refusal says whether there is a plan. */
bool query_plan_work(struct query_plan *plan, struct refusal *refusal);

static inline int64_t bucket_start_ms(const struct query_plan *plan, uint64_t bucket)
{
    return plan->start_ms + (int64_t)bucket * plan->step_ms;
}

#endif
