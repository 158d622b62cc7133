/*
 * ledger.h: one account for each pool; what is held now, and the most that ever was.
 *
 *     take(a, n):  live += n, objects += 1, peak = max(peak, live)
 *     give(a, n):  live -= n, objects -= 1
 *     refuse(a):   somebody asked and the pool had no room
 *
 * There are two peaks: of all time, and of a period that somebody began
 * (ledger_begin_period) to see what a load of his takes.
 *
 * Owner:    the engine. Lifetime: process.
 * Threads:  any. The fields are relaxed atomics: request arenas are taken outside the engine's
 *           lock, and /memory reads
 *           while others write. Each figure is exact; two read at once may be a moment apart.
 *
 * The ledger is kept at the door; an audit (engine.h) compares it with what a walk over each pool's
 * own structure finds, which each pool offers as its `_held` function.
 */
#ifndef MEMORY_LEDGER_H
#define MEMORY_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum pool {
#define POOL(id, name, kind, lifetime, text) POOL_##id,
#include "memory/pools.def"
#undef POOL
    POOL_COUNT,
};

struct pool_row {
    const char *name;
    const char *kind;
    const char *lifetime;
    const char *text;
};

extern const struct pool_row pool_rows[POOL_COUNT];

struct account {
    uint64_t capacity_bytes; /* written once, before anything runs */
    _Atomic uint64_t live_bytes;
    _Atomic uint64_t peak_bytes;
    _Atomic uint64_t period_peak_bytes;
    _Atomic uint64_t live_objects;
    _Atomic uint64_t allocations;
    _Atomic uint64_t frees;
    _Atomic uint64_t refusals;
};

/* The figures of an account at one moment, as plain numbers. */
struct account_figures {
    uint64_t capacity_bytes;
    uint64_t live_bytes;
    uint64_t peak_bytes;
    uint64_t period_peak_bytes;
    uint64_t live_objects;
    uint64_t allocations;
    uint64_t frees;
    uint64_t refusals;
};

struct sites;

struct ledger {
    struct account accounts[POOL_COUNT];
    struct sites *sites;         /* which lines hold it (sites.h); NULL: `trace` is off */
    _Atomic uint64_t live_bytes; /* of all pools together */
    _Atomic uint64_t peak_bytes; /* their highest sum, which is less than the sum of their peaks */
    _Atomic int64_t peak_at_ms;
    _Atomic uint64_t period_peak_bytes; /* the same since the period began */
    _Atomic int64_t period_ms;          /* when that was; 0: with the process */
    _Atomic int64_t now_ms; /* told by the ticker, so that a new peak knows its time */
};

void ledger_init(struct ledger *ledger);

/* Charges `bytes` for one object. It cannot fail: whether there is room was decided by the pool. */
void ledger_take(struct ledger *ledger, enum pool pool, uint64_t bytes);
void ledger_give(struct ledger *ledger, enum pool pool, uint64_t bytes);

/* One object grew or shrank in place. */
void ledger_grow(struct ledger *ledger, enum pool pool, uint64_t bytes);
void ledger_shrink(struct ledger *ledger, enum pool pool, uint64_t bytes);

/*
 * A buffer that a thread owns all along held `bytes` until now and is empty again: counted as one
 * object, born and gone. Called where the use is highest, so the peak is right without an atomic
 * for each push.
 */
void ledger_visit(struct ledger *ledger, enum pool pool, uint64_t bytes);

void ledger_refuse(struct ledger *ledger, enum pool pool);

/* From now on the peaks of a period are of a new one, which begins with what is live. */
void ledger_begin_period(struct ledger *ledger, int64_t now_ms);

struct account_figures ledger_figures(const struct ledger *ledger, enum pool pool);

/* Nothing is live, and as much was freed as taken. */
static inline bool account_is_empty(const struct account_figures *figures)
{
    return figures->live_bytes == 0 && figures->live_objects == 0 &&
           figures->allocations == figures->frees;
}

#endif
