/*
 * sweep.h: a walk over all series in the order of their slots, in slices, while the store changes
 * between them.
 *
 *     slot    0      1      2      3      4      5
 *          | live | free | live | live | free | never used ...
 *                           ^ at: where the next slice goes on
 *
 * A series keeps its slot for life, so one that lives throughout is met exactly once, whatever is
 * born, recycled or deleted meanwhile; what comes or goes during the walk is met or not. Order of
 * slots is nearly that of creation.
 *
 * Overflow series that never took a sample are not there for clients, and are passed over.
 *
 * Owner: the question, in its request's arena. Lifetime: request. Threads: one, each slice under
 * the engine's lock.
 */
#ifndef QUERY_SWEEP_H
#define QUERY_SWEEP_H

#include "store/store.h"

/*
 * What one slice may cost: a slot 1, a live series 1 more for every 64 bytes of its labels, which
 * is what a look at it touches. 256 of that are 10 to 30 µs under the lock, be it 256 free slots,
 * 85 series with 100 bytes of labels or 4 with 4 KiB.
 */
#define SWEEP_SLICE 256

struct sweep {
    uint32_t at; /* the next slot */
};

static inline bool series_is_visible(const struct series *series)
{
    return !series->is_overflow || series->count > 0;
}

/* Charges a slice for work beside the look itself. */
static inline void slice_charge(uint32_t *slice, size_t units)
{
    *slice = units < *slice ? *slice - (uint32_t)units : 0;
}

static inline bool sweep_is_done(const struct sweep *sweep, const struct store *store)
{
    return sweep->at >= store->series.fresh;
}

/* The slot of the series that sweep_next returned last. */
static inline uint32_t sweep_slot(const struct sweep *sweep)
{
    return sweep->at - 1;
}

/* The next series; NULL when the slice is used up or there are no more. */
static inline const struct series *sweep_next(struct sweep *sweep, const struct store *store,
                                              uint32_t *slice)
{
    while (*slice > 0 && !sweep_is_done(sweep, store)) {
        const struct series *series = store_series(store, sweep->at++);
        slice_charge(slice, 1);
        if (series == NULL || !series_is_visible(series))
            continue;
        slice_charge(slice, label_blocks_for(series->labels.length));
        return series;
    }
    return NULL;
}

#endif
