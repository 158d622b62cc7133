/*
 * slots.h: a fixed pool of equal objects, each named by index and generation.
 *
 *     index        0      1      2      3      4
 *     object     | live | free | live | free | never used ...
 *     generation |  1   |  4   |  3   |  2   |  0              odd: live, even: free
 *
 * A reference that outlives its object is caught by its generation: it rises when the slot is taken
 * and when it is given back. Free slots are a list, last in first out, so that the pool in use
 * stays in the cache; slots never used are taken in order after it.
 *
 * When the ledger has sites (`trace` is on) each live slot's cost is charged to the line that
 * acquired it, and an array beside the states remembers which that was. That array is tracing's, so
 * it is not part of the pool's cost but of POOL_SITES, and slot_sites_bytes is its addend.
 *
 * Owner:    the store. Lifetime: process. Threads: one at a time (the engine's lock).
 */
#ifndef MEMORY_SLOTS_H
#define MEMORY_SLOTS_H

#include "memory/ledger.h"
#include "memory/region.h"
#include "memory/sites.h"

#include <stdbool.h>

#define SLOT_NONE UINT32_MAX

struct slot_state {
    uint32_t generation;
    uint32_t next_free; /* while free */
};

struct slots {
    char *objects;
    struct slot_state *states;
    uint32_t object_bytes;
    uint32_t slot_count;
    uint32_t fresh; /* from here on slots were never used */
    uint32_t free_first;
    uint32_t live_count;
    struct ledger *ledger;
    uint16_t *site_rows; /* by index, of what is live; NULL: not traced */
    enum pool pool;
};

/* What one slot costs, state included. */
uint64_t slot_cost(uint32_t object_bytes);

/* What slots_init takes from the region. */
uint64_t slots_bytes(uint32_t object_bytes, uint64_t slot_count);

/* What slots_init takes beside it when the ledger has sites, of which this is a slot's. */
#define SLOT_SITE_BYTES sizeof(uint16_t)
uint64_t slot_sites_bytes(uint64_t slot_count);

void slots_init(struct slots *slots, uint32_t object_bytes, uint32_t slot_count, enum pool pool,
                struct ledger *ledger, struct region *region);

/* A slot whose object is set to zero, or SLOT_NONE (counted as a refusal). */
#define slots_acquire(slots) slots_acquire_at((slots), SITE)
uint32_t slots_acquire_at(struct slots *slots, const char *site);

/* The index is set to SLOT_NONE, so that the caller does not keep it. */
void slots_release(struct slots *slots, uint32_t *index);

static inline void *slots_at(const struct slots *slots, uint32_t index)
{
    return slots->objects + (size_t)index * slots->object_bytes;
}

static inline bool slots_is_live(const struct slots *slots, uint32_t index)
{
    return index < slots->fresh && (slots->states[index].generation & 1) != 0;
}

static inline uint32_t slots_generation(const struct slots *slots, uint32_t index)
{
    return slots->states[index].generation;
}

static inline uint32_t slots_free_count(const struct slots *slots)
{
    return slots->slot_count - slots->live_count;
}

/*
 * Walks the states and the free list; ENSUREs that each slot is either live or on the list, once.
 */
void slots_verify(const struct slots *slots);

#endif
