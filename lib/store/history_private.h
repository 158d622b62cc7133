/*
 * history_private.h: what history.c (records and rings), history_seal.c (from open windows) and
 * history_fold.c (from one tier to the next) share. Nobody else includes it.
 */
#ifndef STORE_HISTORY_PRIVATE_H
#define STORE_HISTORY_PRIVATE_H

#include "base/ensure.h"
#include "store/history.h"

/*
 * What one step may cost. A look at a series is 5 ns where they lie in order and 170 where each is
 * out of the cache; a cell is some 60 ns, one with a sketch 300 to 500. So a step is some 20 us,
 * 200 at the worst, or one record given up.
 */
#define STEP_UNITS 2048
#define UNITS_LOOK 2
#define UNITS_CELL 8
#define UNITS_SKETCH 64

/* Begins a record of the tier; nothing is taken from the ring yet. */
void record_open(struct history *history, enum tier tier, int64_t start_ms);

/* The family's section begins here; its cells follow. */
void record_begin_section(struct history *history, enum tier tier, uint64_t family,
                          enum kind kind);

/* False when the ring must make room first: nothing was written. */
bool record_put(struct history *history, enum tier tier, uint64_t sequence,
                const struct tally *tally);

/* The record can be read from now on; one without cells never was. False: room first. */
bool record_close(struct history *history, enum tier tier);

/* The oldest record of a tier leaves it, and the results that are of it leave the cache. */
void record_pop(struct history *history, enum tier tier);

/* Does a step's work towards more room in the tier's ring. */
void tier_make_room(struct history *history, enum tier tier, struct store *store);

static inline uint64_t open_record_bytes(const struct tier_ring *tier)
{
    return tier->ring.head - tier->open.record.begin;
}

/* Sealing: false when nothing is to be sealed at this time. */
bool seal_step(struct history *history, struct store *store, int64_t now_ms);

/* Folds the oldest records of a tier (not the last) for one step; begins where none is going on. */
void fold_step(struct history *history, enum tier tier, struct store *store);

void fold_init(struct fold *fold, void *sketch);

#endif
