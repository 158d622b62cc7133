/* index.c: see index.h. */
#include "store/index.h"

#include "base/ensure.h"

#include <string.h>

static uint64_t entries_for(uint64_t slot_count)
{
    return slot_count + slot_count / 3 + 2; /* at most 3/4 full, never quite full */
}

uint64_t index_bytes(uint64_t slot_count)
{
    return region_piece_bytes(entries_for(slot_count) * sizeof(struct index_entry));
}

void index_init(struct index *index, uint64_t slot_count, struct ledger *ledger,
                struct region *region)
{
    uint64_t count = entries_for(slot_count);
    *index = (struct index){
        .entries = region_take(region, count * sizeof(struct index_entry)),
        .entry_count = count,
        .ledger = ledger,
    };
    memset(index->entries, 0, count * sizeof(struct index_entry));
    ledger->accounts[POOL_INDEX].capacity_bytes += count * sizeof(struct index_entry);
}

static uint64_t after(const struct index *index, uint64_t at)
{
    return at + 1 == index->entry_count ? 0 : at + 1;
}

void index_insert(struct index *index, uint64_t hash, uint32_t slot)
{
    uint64_t at = index_home(index, index_tag(hash));
    ENSURE(index->live_count + 1 < index->entry_count);
    while (index->entries[at].slot_plus_one != 0)
        at = after(index, at);
    index->entries[at] = (struct index_entry){index_tag(hash), slot + 1};
    index->live_count++;
    ledger_take(index->ledger, POOL_INDEX, sizeof(struct index_entry));
}

static uint64_t position_of(const struct index *index, uint64_t hash, uint32_t slot)
{
    uint64_t at = index_home(index, index_tag(hash));
    while (index->entries[at].slot_plus_one != slot + 1) {
        ENSURE(index->entries[at].slot_plus_one != 0);
        at = after(index, at);
    }
    return at;
}

/*
 * True when an entry at `at` whose home is `home` may stand at `hole`: the hole is not before its
 * home, cyclically.
 */
static bool may_move(const struct index *index, uint64_t home, uint64_t hole, uint64_t at)
{
    uint64_t count = index->entry_count;
    return (at + count - home) % count >= (at + count - hole) % count;
}

void index_remove(struct index *index, uint64_t hash, uint32_t slot)
{
    uint64_t hole = position_of(index, hash, slot);
    for (uint64_t at = after(index, hole); index->entries[at].slot_plus_one != 0;
         at = after(index, at)) {
        uint64_t home = index_home(index, index->entries[at].tag);
        if (may_move(index, home, hole, at)) {
            index->entries[hole] = index->entries[at];
            hole = at;
        }
    }
    index->entries[hole] = (struct index_entry){0};
    index->live_count--;
    ledger_give(index->ledger, POOL_INDEX, sizeof(struct index_entry));
}
