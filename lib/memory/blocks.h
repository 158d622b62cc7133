/*
 * blocks.h: a pool handed out in runs of neighbouring units.
 *
 *     units   |0|1|2|3|4|5|6|7| ...            small runs are found from the left,
 *     used    |#|#| |#|#|#| | | ...    large   from the right: neither cuts up the other
 *
 * Requests grow by runs of different lengths (a line buffer, an inflater, a zstd window), each of
 * which must be contiguous; all of them die with their request, so first fit over a bitmap stays
 * whole. The bound is the bitmap: a pool of 8 MiB in 4 KiB units is 256 bytes of it.
 *
 * Owner:    the server's request table. Lifetime: process.
 * Threads:  one at a time; the owner locks.
 */
#ifndef MEMORY_BLOCKS_H
#define MEMORY_BLOCKS_H

#include "memory/ledger.h"
#include "memory/region.h"

#define BLOCKS_UNIT_BYTES 4096

struct blocks {
    char *base;
    uint64_t *used; /* one bit a unit; bits past unit_count are set for ever */
    uint32_t unit_count;
    uint32_t word_count;
    struct ledger *ledger;
    enum pool pool;
};

/* What blocks_init takes from the region for a pool of `bytes`, the bitmap included. */
uint64_t blocks_bytes(uint64_t bytes);

void blocks_init(struct blocks *blocks, uint64_t bytes, enum pool pool, struct ledger *ledger,
                 struct region *region);

/*
 * A run of at least `bytes`, rounded up to units: *granted says to how many. NULL, a refusal, when
 * no run is free.
 */
void *blocks_take(struct blocks *blocks, size_t bytes, size_t *granted);

/* Takes back exactly what blocks_take granted. */
void blocks_give(struct blocks *blocks, void *run, size_t granted);

/* Bytes in use as the bitmap has them, for the audit. */
uint64_t blocks_held(const struct blocks *blocks);

#endif
