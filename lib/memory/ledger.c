/* ledger.c: see ledger.h. */
#include "memory/ledger.h"

#include "base/ensure.h"

#include <stdbool.h>
#include <string.h>

const struct pool_row pool_rows[POOL_COUNT] = {
#define POOL(id, name, kind, lifetime, text) [POOL_##id] = {name, kind, lifetime, text},
#include "memory/pools.def"
#undef POOL
};

void ledger_init(struct ledger *ledger)
{
    memset(ledger, 0, sizeof *ledger);
}

static void add(_Atomic uint64_t *figure, uint64_t by)
{
    atomic_fetch_add_explicit(figure, by, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

/* True when `value` is a new highest. */
static bool raise_peak(_Atomic uint64_t *peak, uint64_t value)
{
    uint64_t seen = get(peak);
    while (value > seen) {
        if (atomic_compare_exchange_weak_explicit(peak, &seen, value, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

void ledger_grow(struct ledger *ledger, enum pool pool, uint64_t bytes)
{
    struct account *account = &ledger->accounts[pool];
    uint64_t live =
        atomic_fetch_add_explicit(&account->live_bytes, bytes, memory_order_relaxed) + bytes;
    uint64_t all =
        atomic_fetch_add_explicit(&ledger->live_bytes, bytes, memory_order_relaxed) + bytes;
    ENSURE(live <= account->capacity_bytes);
    /* a period's peak is never above that of all time, so most of the time one look is enough */
    if (raise_peak(&account->period_peak_bytes, live))
        raise_peak(&account->peak_bytes, live);
    if (raise_peak(&ledger->period_peak_bytes, all) && raise_peak(&ledger->peak_bytes, all))
        atomic_store_explicit(&ledger->peak_at_ms,
                              atomic_load_explicit(&ledger->now_ms, memory_order_relaxed),
                              memory_order_relaxed);
}

void ledger_shrink(struct ledger *ledger, enum pool pool, uint64_t bytes)
{
    struct account *account = &ledger->accounts[pool];
    uint64_t before =
        atomic_fetch_sub_explicit(&account->live_bytes, bytes, memory_order_relaxed);
    ENSURE(before >= bytes);
    atomic_fetch_sub_explicit(&ledger->live_bytes, bytes, memory_order_relaxed);
}

void ledger_take(struct ledger *ledger, enum pool pool, uint64_t bytes)
{
    add(&ledger->accounts[pool].allocations, 1);
    add(&ledger->accounts[pool].live_objects, 1);
    ledger_grow(ledger, pool, bytes);
}

void ledger_give(struct ledger *ledger, enum pool pool, uint64_t bytes)
{
    ledger_shrink(ledger, pool, bytes);
    uint64_t objects = atomic_fetch_sub_explicit(&ledger->accounts[pool].live_objects, 1,
                                                 memory_order_relaxed);
    ENSURE(objects > 0);
    add(&ledger->accounts[pool].frees, 1);
}

void ledger_visit(struct ledger *ledger, enum pool pool, uint64_t bytes)
{
    ledger_take(ledger, pool, bytes);
    ledger_give(ledger, pool, bytes);
}

void ledger_refuse(struct ledger *ledger, enum pool pool)
{
    add(&ledger->accounts[pool].refusals, 1);
}

/*
 * What others take between the read and the write of one of them may be missing from its new peak:
 * it is there with the next take. The peak of all time is raised first, since who has taken and not
 * yet raised finds the period's raised already.
 */
void ledger_begin_period(struct ledger *ledger, int64_t now_ms)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct account *account = &ledger->accounts[pool];
        uint64_t live = get(&account->live_bytes);
        raise_peak(&account->peak_bytes, live);
        atomic_store_explicit(&account->period_peak_bytes, live, memory_order_relaxed);
    }
    uint64_t all = get(&ledger->live_bytes);
    if (raise_peak(&ledger->peak_bytes, all))
        atomic_store_explicit(&ledger->peak_at_ms, now_ms, memory_order_relaxed);
    atomic_store_explicit(&ledger->period_peak_bytes, all, memory_order_relaxed);
    atomic_store_explicit(&ledger->period_ms, now_ms, memory_order_relaxed);
}

struct account_figures ledger_figures(const struct ledger *ledger, enum pool pool)
{
    const struct account *account = &ledger->accounts[pool];
    return (struct account_figures){
        .capacity_bytes = account->capacity_bytes,
        .live_bytes = get(&account->live_bytes),
        .peak_bytes = get(&account->peak_bytes),
        .period_peak_bytes = get(&account->period_peak_bytes),
        .live_objects = get(&account->live_objects),
        .allocations = get(&account->allocations),
        .frees = get(&account->frees),
        .refusals = get(&account->refusals),
    };
}
