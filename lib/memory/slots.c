/* slots.c: see slots.h. */
#include "memory/slots.h"

#include "base/ensure.h"
#include "memory/poison.h"

#include <string.h>

uint64_t slot_cost(uint32_t object_bytes)
{
    return object_bytes + sizeof(struct slot_state);
}

uint64_t slots_bytes(uint32_t object_bytes, uint64_t slot_count)
{
    return region_piece_bytes(slot_count * object_bytes) +
           region_piece_bytes(slot_count * sizeof(struct slot_state));
}

uint64_t slot_sites_bytes(uint64_t slot_count)
{
    return region_piece_bytes(slot_count * SLOT_SITE_BYTES);
}

void slots_init(struct slots *slots, uint32_t object_bytes, uint32_t slot_count, enum pool pool,
                struct ledger *ledger, struct region *region)
{
    ENSURE(object_bytes > 0 && object_bytes % 8 == 0); /* poisoning has that grain */
    ENSURE(slot_count < SLOT_NONE);
    *slots = (struct slots){
        .objects = region_take(region, (size_t)slot_count * object_bytes),
        .states = region_take(region, slot_count * sizeof(struct slot_state)),
        .object_bytes = object_bytes,
        .slot_count = slot_count,
        .free_first = SLOT_NONE,
        .ledger = ledger,
        .pool = pool,
    };
    memset(slots->states, 0, slot_count * sizeof(struct slot_state));
    if (ledger->sites != NULL)
        slots->site_rows = region_take(region, slot_count * SLOT_SITE_BYTES);
    ledger->accounts[pool].capacity_bytes = slot_cost(object_bytes) * slot_count;
    POISON(slots->objects, (size_t)slot_count * object_bytes);
}

uint32_t slots_acquire_at(struct slots *slots, const char *site)
{
    uint32_t index = slots->free_first;
    if (index != SLOT_NONE) {
        slots->free_first = slots->states[index].next_free;
    } else if (slots->fresh < slots->slot_count) {
        index = slots->fresh++;
    } else {
        ledger_refuse(slots->ledger, slots->pool);
        return SLOT_NONE;
    }
    ENSURE((slots->states[index].generation & 1) == 0);
    slots->states[index].generation++;
    slots->live_count++;
    uint64_t cost = slot_cost(slots->object_bytes);
    ledger_take(slots->ledger, slots->pool, cost);
    if (slots->site_rows != NULL)
        slots->site_rows[index] = sites_take(slots->ledger->sites, site, cost);
    UNPOISON(slots_at(slots, index), slots->object_bytes);
    memset(slots_at(slots, index), 0, slots->object_bytes);
    return index;
}

void slots_release(struct slots *slots, uint32_t *index)
{
    ENSURE(slots_is_live(slots, *index));
    slots->states[*index].generation++;
    slots->states[*index].next_free = slots->free_first;
    slots->free_first = *index;
    slots->live_count--;
    uint64_t cost = slot_cost(slots->object_bytes);
    ledger_give(slots->ledger, slots->pool, cost);
    if (slots->site_rows != NULL)
        sites_give(slots->ledger->sites, slots->site_rows[*index], cost);
    POISON(slots_at(slots, *index), slots->object_bytes);
    *index = SLOT_NONE;
}

void slots_verify(const struct slots *slots)
{
    uint32_t live = 0;
    for (uint32_t index = 0; index < slots->fresh; index++)
        live += slots->states[index].generation & 1;
    ENSURE(live == slots->live_count);
    uint32_t listed = 0;
    for (uint32_t index = slots->free_first; index != SLOT_NONE;
         index = slots->states[index].next_free) {
        ENSURE(index < slots->fresh);
        ENSURE(!slots_is_live(slots, index));
        ENSURE(listed++ < slots->fresh); /* a longer walk is a cycle */
    }
    ENSURE(live + listed == slots->fresh);
}
