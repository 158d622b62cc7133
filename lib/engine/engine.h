/*
 * engine.h: the service in verbs. Read this first.
 *
 *     a batch of samples ──engine_apply──> totals
 *     a held push ──engine_apply_held──> totals, or nothing
 *     a tick of the clock ──engine_tick──> windows sealed and folded, expiry, audit
 *     a question ──(lib/query, lib/reply over store, history, cache)──> pages of an answer
 *
 * The engine is the service without the world: time is an argument, memory a region, randomness a
 * seed. It knows no lock; its owner calls each verb under one, and reads `store` under the same.
 *
 * Owner:    main; the struct is in the region. Lifetime: process. Threads: one at a time, but for
 *           the ledger.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "ingest/push.h"
#include "memory/lru.h"
#include "store/history.h"
#include "store/store.h"

struct engine {
    const struct settings *settings;
    struct ledger *ledger;
    struct store store;
    struct history history;
    struct lru cache; /* results of sealed windows */
    uint64_t accepted_samples;
    uint64_t rejected_samples[STATUS_COUNT];
    struct {
        enum pool next; /* which pool the next tick looks at */
        uint64_t audits;
        uint64_t mismatch_bytes; /* of the last look at each pool, added up */
        uint64_t mismatch_by_pool[POOL_COUNT];
    } audit;
};

/* What engine_init takes from the region, written to the places of its pools. */
void engine_plan(const struct settings *settings, uint64_t pools[static POOL_COUNT]);

/* The sum of that: without the struct engine itself, which its caller takes. */
uint64_t engine_bytes(const struct settings *settings);

/* Carves that out of the region. The ledger and the settings outlive the engine. */
void engine_init(struct engine *engine, const struct settings *settings, struct ledger *ledger,
                 uint64_t seed, int64_t now_ms, struct region *region);

/*
 * Applies the intake's batch; each sample is accepted or rejected (KIND_CONFLICT) in the intake's
 * report.
 */
void engine_apply(struct engine *engine, struct intake *intake, int64_t now_ms);

/*
 * Applies an atomic push whole, in one go: some 45 ns a sample, so a push that fills
 * limits.request_bytes of the default budget holds the engine for about a millisecond. When a
 * sample's kind conflicts, nothing is applied and the report says which: look at report->rejected.
 */
void engine_apply_held(struct engine *engine, const struct held_samples *held,
                       struct report *report, int64_t now_ms);

/* Adds what a push's report rejected to the service's own figures. Once a push, at its end. */
void engine_count_rejected(struct engine *engine, const struct report *report);

/*
 * Expiry, a slice of the audit, and the first step of what is to be sealed or folded: at most some
 * 100 us. Called about twenty times a second.
 */
void engine_tick(struct engine *engine, int64_t now_ms);

/*
 * The next step of what is to be sealed or folded at this time, some 50 us; false when there is
 * nothing. After a tick it is called until then, and the lock let go of between two.
 */
bool engine_step(struct engine *engine, int64_t now_ms);

#endif
