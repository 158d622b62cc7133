/* quiet.c: see quiet.h. */
#include "memory/quiet.h"

#include <string.h>

static const enum pool pools[] = {POOL_REQUESTS, POOL_GROWTH, POOL_RESERVE, POOL_SCRATCH,
                                  POOL_BATCHES};

#define POOLS (sizeof pools / sizeof pools[0])

void quiet_init(struct quiet *quiet)
{
    memset(quiet, 0, sizeof *quiet);
}

bool quiet_holds_for(enum pool pool)
{
    for (size_t i = 0; i < POOLS; i++) {
        if (pools[i] == pool)
            return true;
    }
    return false;
}

uint64_t quiet_look(const struct ledger *ledger)
{
    uint64_t not_empty = 0;
    for (size_t i = 0; i < POOLS; i++) {
        struct account_figures figures = ledger_figures(ledger, pools[i]);
        if (!account_is_empty(&figures))
            not_empty |= (uint64_t)1 << pools[i];
    }
    return not_empty;
}

static void add(_Atomic uint64_t *figure)
{
    atomic_fetch_add_explicit(figure, 1, memory_order_relaxed);
}

/* Of failures in a row the first one's time is kept. */
static void count_pool(struct quiet *quiet, enum pool pool, bool failed, int64_t now_ms)
{
    int64_t none = 0;
    if (!failed) {
        atomic_store_explicit(&quiet->since_ms[pool], 0, memory_order_relaxed);
        return;
    }
    add(&quiet->pool_failures[pool]);
    atomic_compare_exchange_strong(&quiet->since_ms[pool], &none, now_ms);
}

void quiet_count(struct quiet *quiet, uint64_t not_empty, int64_t now_ms)
{
    add(&quiet->points);
    if (not_empty != 0)
        add(&quiet->failures);
    for (size_t i = 0; i < POOLS; i++)
        count_pool(quiet, pools[i], (not_empty >> pools[i] & 1) != 0, now_ms);
}

struct quiet_figures quiet_figures(const struct quiet *quiet)
{
    struct quiet_figures figures = {
        .points = atomic_load_explicit(&quiet->points, memory_order_relaxed),
        .failures = atomic_load_explicit(&quiet->failures, memory_order_relaxed),
    };
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        figures.pool_failures[pool] =
            atomic_load_explicit(&quiet->pool_failures[pool], memory_order_relaxed);
        figures.since_ms[pool] = atomic_load_explicit(&quiet->since_ms[pool], memory_order_relaxed);
    }
    return figures;
}
