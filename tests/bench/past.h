/*
 * past.h: the engine in this process, on a clock that only this file moves: an hour of windows
 * takes a moment.
 *
 *     past_push ──> the open window        past_next_window ──> tick and steps, as the ticker does
 *     past_ask("metric=hits&by=route")  ──> plan and run, as /v1/query does, without HTTP
 *
 * The memory is that of a plan made as at start, so rings and cache are what an operator gets.
 *
 * Owner: a measurement. Lifetime: past_init .. past_end. Threads: one.
 */
#ifndef BENCH_PAST_H
#define BENCH_PAST_H

#include "engine/engine.h"
#include "memory/arena.h"
#include "memory/blocks.h"
#include "memory/plan.h"
#include "query/query_run.h"

#define PAST_START_MS INT64_C(1763841600000) /* a whole hour */
#define PAST_WINDOW_MS 10000
#define HOLDS_US_MAX 4096

/* How long the lock would have been held, one by one, in CPU time. */
struct holds {
    uint64_t count;
    uint64_t longest_ns;
    uint64_t sum_ns;
    uint64_t by_us[HOLDS_US_MAX]; /* the last one: and longer */
};

void holds_add(struct holds *holds, uint64_t ns);

/* That many of a thousand were not longer. */
double holds_us(const struct holds *holds, double permille);

struct past {
    struct plan plan;
    struct ledger ledger;
    struct region region;
    struct engine *engine;
    struct batch *batch;
    struct report report;
    struct blocks growth;
    struct block_source source;
    struct arena arena;
    void *first_block;
    int64_t now_ms;
    struct lru no_cache;
    struct holds pushes; /* of a batch each */
    struct holds ticks;
    struct holds steps;
    struct holds plans;
    struct holds runs;
};

/* What a query came to; `run` lives until the next one, and is NULL where there is no such metric.
 */
struct answer {
    const struct query_plan *plan;
    const struct query_run *run;
    uint64_t ns;       /* CPU: parameters, plan and run */
    uint64_t reply_ns; /* and of its JSON */
    uint64_t reply_bytes;
};

/* With the plan of --memory. */
struct past *past_make(uint64_t memory);

/* The same with `trace`: the engine's slots and the arena say which line took what. */
struct past *past_make_traced(uint64_t memory);

void past_free(struct past *past);

/* Samples with name, labels, kind and value; the fingerprint is made here once. */
void past_name(struct past *past, struct sample *sample, const char *name, const char *labels);

void past_push(struct past *past, const struct sample *samples, size_t count);

/* Moves the clock into the next window, and does what is to be done. Returns the CPU ns of it. */
uint64_t past_next_window(struct past *past);

/* Throws all cached results away. */
void past_forget(struct past *past);

/*
 * Asks name=value&name=value, not percent-encoded. With `cached` false as if cache.bytes were 0.
 * With `held` each hold of the lock is added to plans and runs: the clock then costs more than some
 * of them, and the whole is not to be told.
 */
struct answer past_ask(struct past *past, const char *text, bool cached, bool held);

uint64_t cpu_ns(void);

#endif
