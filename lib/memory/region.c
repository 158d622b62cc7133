/* region.c: see region.h. */
#include "memory/region.h"

#include "base/ensure.h"

void region_init(struct region *region, void *base, size_t bytes)
{
    ENSURE((uintptr_t)base % REGION_ALIGN == 0);
    *region = (struct region){.base = base, .bytes = bytes};
}

void *region_take(struct region *region, size_t bytes)
{
    ENSURE(!region->sealed);
    size_t piece = (size_t)region_piece_bytes(bytes);
    ENSURE(piece >= bytes);
    ENSURE(piece <= region->bytes - region->used);
    void *at = region->base + region->used;
    region->used += piece;
    return at;
}

void region_seal(struct region *region)
{
    region->sealed = true;
}
