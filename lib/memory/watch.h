/*
 * watch.h: does anything of the service grow, which, since when, and when does its room end?
 *
 *     figures of a moment ──watch_observe──> lowest of the open block ──> 28 blocks each
 *     exact invariants ─────────────┐                                         │ watch_step
 *                                   └────────────────> findings <─────────────┘
 *
 * Watched are the bytes of each pool, and what no pool bounds: resident and unaccounted memory,
 * what malloc holds, descriptors, threads; and the latency and CPU time of a request, since what
 * grows often slows first. In this order:
 *
 *     leak       an exact invariant is broken: a pool is not empty at a quiet point, the ledger and
 *                the pool disagree, there are more descriptors or threads than at the start
 *     filling    a bounded pool cannot leak, it fills: it will be full within 120 blocks. Rings and
 *                the cache fill by design, and are never the worst
 *     growing    what no pool bounds grows (trend.h), by more than a per cent and 1.5 MiB a day
 *     too_early  fewer than 12 blocks have passed since the warm-up
 *     flat
 *
 * One length rules all times: a block is six hours, the warm-up two blocks, a day four. A test sets
 * it to seconds, and the thresholds, being per block, are as many times steeper.
 *
 * Owner: the service, in the region. Lifetime: process. Threads: one at a time (the engine's lock).
 */
#ifndef MEMORY_WATCH_H
#define MEMORY_WATCH_H

#include "memory/ledger.h"
#include "memory/trend.h"

#include <stdbool.h>

/*
 * Pools come first: an enum pool names a watched figure. Of equally bad ones the first is the
 * worst.
 */
enum watched {
    WATCH_HEAP = POOL_COUNT, /* what malloc holds beyond what is explained */
    WATCH_UNACCOUNTED,       /* of resident memory */
    WATCH_RSS,
    WATCH_DESCRIPTORS, /* beside connections */
    WATCH_THREADS,
    WATCH_LATENCY, /* seconds a request */
    WATCH_CPU,     /* likewise, of CPU time */
    WATCH_COUNT,
};

enum watch_verdict {
    WATCH_FLAT,
    WATCH_TOO_EARLY,
    WATCH_FILLING,
    WATCH_GROWING,
    WATCH_LEAK,
    WATCH_VERDICTS,
};

#define WATCH_WARM_UP_BLOCKS 2
#define WATCH_DAY_BLOCKS 4
#define WATCH_FILLING_BLOCKS 120 /* a month: who fills more slowly is flat */

enum watch_unit {
    WATCH_BYTES,
    WATCH_NUMBER,
    WATCH_SECONDS,
    WATCH_UNITS,
};

/* What is constant about a figure. */
struct watch_row {
    const char *name;
    const char *kind; /* "pool", "process" or "requests" */
    enum watch_unit unit;
};

struct watch_row watch_row(uint32_t figure);
const char *watch_unit_name(enum watch_unit unit); /* "bytes", "count", "seconds" */
const char *watch_verdict_name(enum watch_verdict verdict);

/* What is so at one moment. */
struct watch_input {
    int64_t now_ms;
    double values[WATCH_COUNT];      /* NAN: nothing is known now */
    uint64_t capacities[WATCH_COUNT]; /* 0: nothing bounds it */
    bool broken[POOL_COUNT];         /* an exact invariant of the pool is */
};

struct watched_figure {
    struct trend trend;
    double value;      /* the latest that was known; NAN: none yet */
    double first;      /* lowest of the first block: what descriptors and threads may not pass */
    uint64_t capacity; /* 0: nothing bounds it */
    int64_t broken_since_ms; /* an exact invariant; 0: it holds */
    struct trend_estimate estimate;
    enum trend_shape shape;
    enum trend_shape days; /* the hint, as long as it is too early */
    int64_t since_ms;      /* it grows since about then; 0: it does not */
};

struct watch {
    int64_t block_ms;
    int64_t block_end_ms; /* of the open block */
    uint64_t blocks;      /* closed, the warm-up's included */
    uint32_t next;        /* figure to be judged */
    uint32_t to_judge;    /* so many of them, in a circle */
    struct watched_figure figures[WATCH_COUNT];
};

void watch_init(struct watch *watch, int64_t block_ms, int64_t now_ms);

/* Takes the figures down. Costs nanoseconds a figure, and a block's end some more. */
void watch_observe(struct watch *watch, const struct watch_input *input);

/* Judges one figure, some 20 us, when a block has ended; false when there is none to be judged. */
bool watch_step(struct watch *watch);

/* What is to be said of a figure. */
struct watch_finding {
    enum watch_verdict verdict;
    bool by_design; /* full is how it should be: rings and the cache */
    bool rising;    /* a hint while it is too early: each block is above the one a day before */
    double value;
    uint64_t capacity;
    int64_t since_ms;   /* when it began, about; 0: it did not */
    int64_t full_at_ms; /* of what fills or grows, at its present rate; 0: not known */
    uint32_t blocks;
    double slope; /* per hour, as are low and high; NAN: not known */
    double low;
    double high;
};

struct watch_report {
    int64_t block_ms;
    uint32_t blocks; /* of the figure that has fewest */
    enum watch_verdict verdict; /* of the worst */
    uint32_t worst;             /* WATCH_COUNT: none is bad */
    struct watch_finding findings[WATCH_COUNT];
};

struct watch_report watch_report(const struct watch *watch, int64_t now_ms);

/* Would memory run out of it: not latency and CPU time? */
bool watch_is_memory(uint32_t figure);

#endif
