/* query_plan.c: see query_plan.h. */
#include "query/query_plan.h"

enum phase {
    PHASE_FIND,
    PHASE_MAP,
    PHASE_RANGE,
    PHASE_COUNT,
    PHASE_COUNTED,
};

/* Walks over the series before one that was torn is taken as it is. */
#define WALKS_MAX 3

/* Records looked up in one hold of the lock, some 200 ns each. */
#define COUNT_SLICE 128

struct query_plan *query_plan_make(struct query *query, const struct settings *settings,
                                   struct arena *arena)
{
    struct query_plan *plan = arena_push_zero(arena, sizeof *plan);
    if (plan == NULL)
        return NULL;
    plan->query = query;
    plan->settings = settings;
    plan->arena = arena;
    plan->mark = arena_mark(arena);
    plan->phase = PHASE_FIND;
    plan->is_cacheable = true;
    return plan;
}

/* ---- which family ---- */

/* match=__name__=… may exclude the very metric that is asked for; any series of it tells. */
static uint32_t find_family(const struct query_plan *plan, const struct store *store)
{
    uint32_t slot = store_find_family(store, plan->query->metric);
    const struct family *family = slot == SLOT_NONE ? NULL : store_family(store, slot);
    if (family == NULL)
        return SLOT_NONE;
    const struct series *any = store_series(store, family->overflow);
    return selector_matches_name(&plan->query->selector, store, any) ? slot : SLOT_NONE;
}

static void find(struct query_plan *plan, const struct store *store, const struct history *history)
{
    uint32_t slot = find_family(plan, store);
    plan->is_empty = slot == SLOT_NONE;
    plan->serial_end = history->next_serial;
    if (plan->is_empty)
        return;
    plan->kind = (enum kind)store_family(store, slot)->kind;
    group_map_begin(&plan->map, plan->query, store, slot, plan->settings, plan->arena);
}

static struct refusal after_find(struct query_plan *plan)
{
    plan->phase = PHASE_RANGE;
    if (plan->query->selector.failure != STATUS_OK)
        return refusal_of(plan->query->selector.failure, plan->settings);
    if (plan->is_empty)
        return refusal_plain(STATUS_OK);
    plan->phase = PHASE_MAP;
    struct refusal refusal = query_settle(plan->query, plan->kind);
    if (refusal.status == STATUS_OK && !group_map_make(&plan->map))
        return refusal_of(plan->arena->refusal, plan->settings);
    return refusal;
}

/* ---- which series ---- */

/*
 * A series that ended during the walk may stand in the map or not, so that parts made with it could
 * not be told from those of a whole walk.
 */
static void after_walk(struct query_plan *plan)
{
    plan->phase = PHASE_RANGE;
    if (!plan->map.torn)
        return;
    if (++plan->walks < WALKS_MAX) {
        arena_rewind(plan->arena, plan->mark);
        selector_renew(&plan->query->selector);
        plan->phase = PHASE_FIND;
        return;
    }
    plan->is_cacheable = false;
}

static struct refusal after_map(struct query_plan *plan)
{
    struct refusal refusal = group_map_work(&plan->map);
    if (refusal.status == STATUS_OK && plan->map.walked)
        after_walk(plan);
    return refusal;
}

/* ---- which buckets ---- */

static int64_t round_up(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* The buckets that this tier would make of the range. */
static void range_of(struct query_plan *plan, const struct history *history, enum tier tier)
{
    const struct query *query = plan->query;
    plan->tier = tier;
    plan->resolution_ms = history->tiers[tier].width_ms;
    plan->step_ms = plan->resolution_ms;
    if (query->step_ms > 0)
        plan->step_ms = round_up(query->step_ms, plan->resolution_ms);
    plan->start_ms = query->from_ms / plan->step_ms * plan->step_ms;
    plan->end_ms = (query->to_ms / plan->step_ms + 1) * plan->step_ms;
    plan->bucket_count = (uint64_t)((plan->end_ms - plan->start_ms) / plan->step_ms);
}

/* What no tier holds any more, or never did, is no reason for a coarser one. */
static void choose_range(struct query_plan *plan, const struct store *store,
                         const struct history *history)
{
    int64_t held_from_ms = history_held_from(history, TIER_COARSE);
    plan->oldest_ms = history_oldest_ms(history, store);
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        range_of(plan, history, tier);
        int64_t wanted_ms = plan->start_ms > plan->oldest_ms ? plan->start_ms : plan->oldest_ms;
        if (history_held_from(history, tier) <= wanted_ms)
            break;
    }
    plan->held_from_ms = held_from_ms;
    plan->step_was_rounded = plan->query->step_ms > 0 && plan->step_ms != plan->query->step_ms;
    plan->begins_before_held = plan->query->from_ms < held_from_ms;
    record_walk_begin(&plan->walk, history, plan->start_ms, plan->end_ms);
}

/* An answer without a group has no points, but a client that asks for too many should learn it. */
static struct refusal after_range(struct query_plan *plan)
{
    uint64_t groups = plan->is_empty ? 0 : group_map_asked(&plan->map);
    uint64_t points = (groups > 0 ? groups : 1) * plan->bucket_count;
    plan->phase = PHASE_COUNT;
    plan->cells = plan->is_empty ? 0 : plan->map.series_count; /* the open window's */
    if (points <= plan->settings->limits_query_points)
        return refusal_plain(STATUS_OK);
    struct refusal refusal = refusal_of(STATUS_TOO_MANY_POINTS, plan->settings);
    refusal.needed = points;
    return refusal;
}

/* ---- how many cells ---- */

/* A record that leaves meanwhile moves the walk by one: this is an estimate. */
static void count(struct query_plan *plan, const struct history *history)
{
    enum tier tier;
    for (uint32_t i = 0; i < COUNT_SLICE; i++) {
        const struct record *record = record_walk_next(&plan->walk, history, &tier);
        if (record == NULL) {
            plan->phase = PHASE_COUNTED;
            return;
        }
        plan->cells += history_section_cells(history, tier, record, plan->map.family_id);
    }
}

static struct refusal after_count(const struct query_plan *plan)
{
    if (plan->cells <= plan->settings->limits_query_cells)
        return refusal_plain(STATUS_OK);
    struct refusal refusal = refusal_of(STATUS_TOO_MANY_CELLS, plan->settings);
    refusal.needed = plan->cells;
    return refusal;
}

/* ---- in turns ---- */

void query_plan_step(struct query_plan *plan, const struct store *store,
                     const struct history *history)
{
    switch ((enum phase)plan->phase) {
    case PHASE_FIND:
        find(plan, store, history);
        break;
    case PHASE_MAP:
        group_map_step(&plan->map, store);
        break;
    case PHASE_RANGE:
        choose_range(plan, store, history);
        break;
    case PHASE_COUNT:
        count(plan, history);
        break;
    case PHASE_COUNTED:
        break;
    }
}

bool query_plan_work(struct query_plan *plan, struct refusal *refusal)
{
    *refusal = refusal_plain(STATUS_OK);
    switch ((enum phase)plan->phase) {
    case PHASE_FIND:
        *refusal = after_find(plan);
        break;
    case PHASE_MAP:
        *refusal = after_map(plan);
        break;
    case PHASE_RANGE:
        *refusal = after_range(plan);
        return refusal->status == STATUS_OK && !plan->is_empty;
    case PHASE_COUNT:
    case PHASE_COUNTED:
        *refusal = after_count(plan);
        return refusal->status == STATUS_OK && plan->phase == PHASE_COUNT;
    }
    return refusal->status == STATUS_OK;
}
