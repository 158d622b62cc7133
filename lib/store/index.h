/*
 * index.h: from a 64-bit hash to the slots that may have it.
 *
 *     home(hash)
 *        v
 *     | ... | tag slot | tag slot | tag slot |  empty  | ...    linear probing, at most 3/4 full
 *
 * An entry is 8 bytes: 32 bits of the hash, which also give its home, and a slot. So a look-up
 * touches one cache line, mostly; the caller compares the bytes of what it finds. Removal shifts
 * the entries behind it back, so there are no tombstones and a table that churned for months is as
 * good as a new one.
 *
 * Owner: the store. Lifetime: process. Threads: one at a time (the engine's lock).
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "memory/ledger.h"
#include "memory/region.h"
#include "memory/slots.h"

struct index_entry {
    uint32_t tag;
    uint32_t slot_plus_one; /* 0: empty */
};

struct index {
    struct index_entry *entries;
    uint64_t entry_count;
    uint64_t live_count;
    struct ledger *ledger;
};

/* What index_init takes from the region for that many slots. */
uint64_t index_bytes(uint64_t slot_count);

void index_init(struct index *index, uint64_t slot_count, struct ledger *ledger,
                struct region *region);

static inline uint32_t index_tag(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

/*
 * Where a probe for this hash begins: the tag spread over the table (Lemire, "Fast random integer
 * generation", 2019).
 */
static inline uint64_t index_home(const struct index *index, uint32_t tag)
{
    return ((uint64_t)tag * index->entry_count) >> 32;
}

/*
 * The next slot whose tag is the hash's, from *at on; SLOT_NONE when there is none. Begin with
 * *at = index_home(index, index_tag(hash)).
 */
static inline uint32_t index_next(const struct index *index, uint64_t hash, uint64_t *at)
{
    uint32_t tag = index_tag(hash);
    for (;;) {
        struct index_entry entry = index->entries[*at];
        if (entry.slot_plus_one == 0)
            return SLOT_NONE;
        *at = *at + 1 == index->entry_count ? 0 : *at + 1;
        if (entry.tag == tag)
            return entry.slot_plus_one - 1;
    }
}

static inline void index_prefetch(const struct index *index, uint64_t hash)
{
    __builtin_prefetch(&index->entries[index_home(index, index_tag(hash))]);
}

/* There is always room: the table was made for as many slots as there are. */
void index_insert(struct index *index, uint64_t hash, uint32_t slot);

/* The entry is there: the slot was inserted under this hash. */
void index_remove(struct index *index, uint64_t hash, uint32_t slot);

#endif
