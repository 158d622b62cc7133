/* blocks.c: see blocks.h. */
#include "memory/blocks.h"

#include "base/ensure.h"
#include "memory/poison.h"

#include <stdbool.h>
#include <string.h>

#define WORD_BITS 64u
#define LARGE_RUN_UNITS 64u /* 256 KiB: an inflater is small, a zstd window is large */

static uint32_t units_of(uint64_t bytes)
{
    return (uint32_t)((bytes + BLOCKS_UNIT_BYTES - 1) / BLOCKS_UNIT_BYTES);
}

static uint32_t words_of(uint32_t units)
{
    return (units + WORD_BITS - 1) / WORD_BITS;
}

uint64_t blocks_bytes(uint64_t bytes)
{
    uint32_t units = units_of(bytes);
    return region_piece_bytes((uint64_t)units * BLOCKS_UNIT_BYTES) +
           region_piece_bytes((uint64_t)words_of(units) * sizeof(uint64_t));
}

static bool bit(const struct blocks *blocks, uint32_t unit)
{
    return (blocks->used[unit / WORD_BITS] >> (unit % WORD_BITS)) & 1;
}

static void set_bits(struct blocks *blocks, uint32_t first, uint32_t count, bool on)
{
    for (uint32_t unit = first; unit < first + count; unit++) {
        uint64_t mask = (uint64_t)1 << (unit % WORD_BITS);
        ENSURE(bit(blocks, unit) != on);
        blocks->used[unit / WORD_BITS] ^= mask;
    }
}

void blocks_init(struct blocks *blocks, uint64_t bytes, enum pool pool, struct ledger *ledger,
                 struct region *region)
{
    uint32_t units = units_of(bytes);
    *blocks = (struct blocks){
        .base = region_take(region, (size_t)units * BLOCKS_UNIT_BYTES),
        .used = region_take(region, words_of(units) * sizeof(uint64_t)),
        .unit_count = units,
        .word_count = words_of(units),
        .ledger = ledger,
        .pool = pool,
    };
    memset(blocks->used, 0, blocks->word_count * sizeof(uint64_t));
    ledger->accounts[pool].capacity_bytes = (uint64_t)units * BLOCKS_UNIT_BYTES;
    if (units % WORD_BITS != 0)
        blocks->used[blocks->word_count - 1] = ~(uint64_t)0 << (units % WORD_BITS);
    POISON(blocks->base, (size_t)units * BLOCKS_UNIT_BYTES);
}

/* The first unit of the leftmost free run of `count`, or unit_count. */
static uint32_t find_from_left(const struct blocks *blocks, uint32_t count)
{
    uint32_t run = 0;
    for (uint32_t unit = 0; unit < blocks->unit_count; unit++) {
        if (unit % WORD_BITS == 0 && blocks->used[unit / WORD_BITS] == ~(uint64_t)0) {
            unit += WORD_BITS - 1;
            run = 0;
            continue;
        }
        run = bit(blocks, unit) ? 0 : run + 1;
        if (run == count)
            return unit + 1 - count;
    }
    return blocks->unit_count;
}

/* The same from the right. */
static uint32_t find_from_right(const struct blocks *blocks, uint32_t count)
{
    uint32_t run = 0;
    for (uint32_t unit = blocks->unit_count; unit-- > 0;) {
        if (unit % WORD_BITS == WORD_BITS - 1 &&
            blocks->used[unit / WORD_BITS] == ~(uint64_t)0) {
            unit -= WORD_BITS - 1;
            run = 0;
            continue;
        }
        run = bit(blocks, unit) ? 0 : run + 1;
        if (run == count)
            return unit;
    }
    return blocks->unit_count;
}

/* The first unit of a free run for so many bytes, or unit_count. */
static uint32_t find(const struct blocks *blocks, size_t bytes)
{
    if (bytes == 0 || bytes > (size_t)blocks->unit_count * BLOCKS_UNIT_BYTES)
        return blocks->unit_count;
    uint32_t count = units_of(bytes);
    return count >= LARGE_RUN_UNITS ? find_from_right(blocks, count)
                                    : find_from_left(blocks, count);
}

void *blocks_take(struct blocks *blocks, size_t bytes, size_t *granted)
{
    uint32_t first = find(blocks, bytes);
    if (first == blocks->unit_count) {
        ledger_refuse(blocks->ledger, blocks->pool);
        return NULL;
    }
    uint32_t count = units_of(bytes);
    set_bits(blocks, first, count, true);
    *granted = (size_t)count * BLOCKS_UNIT_BYTES;
    ledger_take(blocks->ledger, blocks->pool, *granted);
    void *run = blocks->base + (size_t)first * BLOCKS_UNIT_BYTES;
    UNPOISON(run, *granted);
    return run;
}

void blocks_give(struct blocks *blocks, void *run, size_t granted)
{
    size_t offset = (size_t)((char *)run - blocks->base);
    ENSURE(offset % BLOCKS_UNIT_BYTES == 0);
    ENSURE(granted > 0 && granted % BLOCKS_UNIT_BYTES == 0);
    uint32_t first = (uint32_t)(offset / BLOCKS_UNIT_BYTES);
    uint32_t count = units_of(granted);
    ENSURE(first < blocks->unit_count && count <= blocks->unit_count - first);
    set_bits(blocks, first, count, false);
    ledger_give(blocks->ledger, blocks->pool, granted);
    POISON(run, granted);
}

uint64_t blocks_held(const struct blocks *blocks)
{
    uint32_t units = 0;
    for (uint32_t word = 0; word < blocks->word_count; word++)
        units += (uint32_t)__builtin_popcountll(blocks->used[word]);
    units -= blocks->word_count * WORD_BITS - blocks->unit_count;
    return (uint64_t)units * BLOCKS_UNIT_BYTES;
}
