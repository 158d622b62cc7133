/*
 * region.h: the one piece of memory, taken at start and carved into pools.
 *
 *     base            base + used                base + bytes
 *      |== pool == pool ==|........ not yet .........|   region_take moves `used` up only
 *
 * Owner:    main maps it; the engine carves it. Lifetime: process.
 * Threads:  carving is done by one thread before the others exist. Once sealed it is read-only.
 */
#ifndef MEMORY_REGION_H
#define MEMORY_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Every piece begins on its own cache line, so that pools used by different threads never share
 * one.
 */
#define REGION_ALIGN 64

struct region {
    char *base;
    size_t bytes;
    size_t used;
    bool sealed;
};

/* What a piece of `bytes` takes from a region. */
static inline uint64_t region_piece_bytes(uint64_t bytes)
{
    return (bytes + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN;
}

/* `base` is aligned to REGION_ALIGN and zeroed. */
void region_init(struct region *region, void *base, size_t bytes);

/*
 * The plan added up what is taken here, so there is room: anything else is a bug and stops the
 * program.
 */
void *region_take(struct region *region, size_t bytes);

/* From here on asking for more is a bug. */
void region_seal(struct region *region);

#endif
