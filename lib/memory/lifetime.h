/*
 * lifetime.h: how old objects of one kind were when they ended.
 *
 *     le      1 s   10 s   1 min   10 min   1 h   1 day   1 week   above
 *     count  | 0 |   0  |   12  |    3   |  0  |   0   |    0   |   0   |
 *
 * A pool that leaks by keeping its objects shows here first: what should have died young stops to
 * be counted at all, or is counted far to the right.
 *
 * Owner: whoever ends the objects. Lifetime: process. Threads: the owner's.
 */
#ifndef MEMORY_LIFETIME_H
#define MEMORY_LIFETIME_H

#include <stdint.h>

#define LIFETIME_BOUNDS 7
extern const uint32_t lifetime_bounds_s[LIFETIME_BOUNDS];

/* An age of just a bound is below it. */
struct lifetimes {
    uint64_t counts[LIFETIME_BOUNDS + 1]; /* not cumulative; the last one is above all bounds */
    uint64_t sum_ms;
    uint64_t max_ms;
};

void lifetimes_count(struct lifetimes *lifetimes, uint64_t age_ms);

/* What passed between two times; 0 where the clock went back. */
static inline uint64_t lifetime_ms(int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms ? (uint64_t)to_ms - (uint64_t)from_ms : 0;
}

#endif
