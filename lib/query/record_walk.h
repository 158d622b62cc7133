/*
 * record_walk.h: the sealed records of a span of time, tier by tier, in slices.
 *
 *     fine     . . [r][r][r] . .        a record is in the span where its window begins in it
 *     middle   . [ r    ] . . .
 *     coarse   [       r         ]
 *
 * Records leave a tier at its old end only, and what leaves one is in the next: a walk over a span
 * that lost a record meanwhile has missed it or will meet it twice, and must be begun anew
 * (record_walk_is_torn).
 *
 * Owner: who walks. Lifetime: request. Threads: one, under the engine's lock.
 */
#ifndef QUERY_RECORD_WALK_H
#define QUERY_RECORD_WALK_H

#include "store/history.h"

struct record_walk {
    int64_t from_ms;
    int64_t to_ms; /* exclusive */
    enum tier tier;
    uint32_t at;   /* of the record that is next */
    uint64_t left; /* records that had left a tier when it began */
};

static inline uint64_t history_left(const struct history *history)
{
    uint64_t left = 0;
    for (enum tier tier = 0; tier < TIER_COUNT; tier++)
        left += history->tiers[tier].left;
    return left;
}

static inline void record_walk_begin(struct record_walk *walk, const struct history *history,
                                     int64_t from_ms, int64_t to_ms)
{
    *walk = (struct record_walk){
        .from_ms = from_ms,
        .to_ms = to_ms,
        .at = history_find(history, TIER_FINE, from_ms),
        .left = history_left(history),
    };
}

static inline bool record_walk_is_torn(const struct record_walk *walk,
                                       const struct history *history)
{
    return walk->left != history_left(history);
}

/* The next record, and which tier it is in; NULL at the end. */
static inline const struct record *record_walk_next(struct record_walk *walk,
                                                    const struct history *history, enum tier *tier)
{
    while (walk->tier < TIER_COUNT) {
        const struct record *record = NULL;
        if (walk->at < history->tiers[walk->tier].count)
            record = history_record(history, walk->tier, walk->at);
        if (record == NULL || record->start_ms >= walk->to_ms) {
            if (++walk->tier < TIER_COUNT)
                walk->at = history_find(history, walk->tier, walk->from_ms);
            continue;
        }
        walk->at++;
        if (record->start_ms < walk->from_ms)
            continue; /* a wide one, of which only the end is in the span */
        *tier = walk->tier;
        return record;
    }
    return NULL;
}

#endif
