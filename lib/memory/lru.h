/*
 * lru.h: results that may be thrown away, in a fixed number of bytes, least recently used first.
 *
 *     key ──hash──> bucket.keyed ──chain──> entry ⇄ … by use … ⇄ oldest ──> evicted
 *     owner ─hash─> bucket.owned ⇄ entry ⇄ entry                         ──> retired
 *
 *     entry   | links, key, owner, times: 72 | 56 bytes of value |
 *               next ──> | next | 124 bytes | ──> | NONE | 31 bytes, rest unused |
 *
 * A value is bytes, copied in and copied out; no pointer into the pool leaves it. There is one kind
 * of block, of 128 bytes, and one list of free ones: an entry is its first block. So there is no
 * share of the memory set aside for entries or for values that the other could not use, and no
 * fragmentation. Every two blocks come with a bucket of 8 bytes, so a block costs 132 and a chain
 * holds two entries on the average where all of them are as small as can be.
 *
 * Why 128: held bytes for each byte of value, entry, links, buckets and the unused end counted, for
 * values of 40 to 4,000 bytes drawn evenly, drawn evenly by logarithm, and of 40 to 400 bytes:
 *
 *     block      96     112     128     144     160     192     256
 *     evenly   1.148   1.139   1.133   1.129   1.127   1.126   1.130
 *     by log   1.232   1.231   1.225   1.223   1.224   1.231   1.257
 *     small    1.64    1.68    1.70    1.72    1.71    1.81    1.89
 *
 * None is better by more than a hundredth except for small values, where 96 takes a third more
 * blocks, each a likely cache miss; and 128 is two cache lines, of which the first has the links.
 *
 * The capacity is all there is: entries, values, links and buckets are carved from it, so nothing
 * is held beside it but struct lru. What is live never passes it. An entry larger than an eighth of
 * it, so counted, is not admitted, and costs nobody a place; that is decided before anything is
 * evicted. A capacity of 0, or below 1,088 bytes, of which an eighth is no block, is a cache that
 * admits nothing.
 *
 * Order is strict: each admission and each hit makes its entry the newest, and for room the oldest
 * goes, one after the other. Finding, admitting and evicting take a time that does not depend on
 * how many entries there are (and copying, one that depends on the value). Retiring takes one that
 * depends on how many entries the owner has, and passes those of other owners in the same list: on
 * the average fewer than two, and hardly any where owners are numbered in a row.
 *
 * An index of an entry is good until the next admission or retirement.
 *
 * Owner: the engine. Lifetime of an entry: cached. Threads: one at a time (the engine's lock).
 */
#ifndef MEMORY_LRU_H
#define MEMORY_LRU_H

#include "base/bytes.h"
#include "memory/ledger.h"
#include "memory/lifetime.h"
#include "memory/region.h"

#include <stdbool.h>

#define LRU_NONE UINT32_MAX
#define LRU_NEVER INT64_MIN

/* Larger entries would each throw out many others. */
#define LRU_LARGEST_SHARE 8

#define LRU_BLOCK_BYTES 128
#define LRU_FIRST_VALUE 56 /* bytes of value in an entry's first block */
#define LRU_REST_VALUE 124 /* and in each further one */

/* A 128-bit hash of what the value is the answer to: equal keys are equal questions. */
struct lru_key {
    uint64_t high;
    uint64_t low; /* the upper half of it chooses the bucket */
};

struct lru_entry {
    uint32_t next; /* block of the value; the member all kinds of block begin with */
    uint32_t chain;
    uint32_t newer;
    uint32_t older;
    uint32_t owner_before;
    uint32_t owner_after;
    struct lru_key key;
    uint64_t owner;
    int64_t admitted_ms;
    int64_t used_ms;  /* LRU_NEVER until it was found */
    uint32_t cost_us; /* at most 71 minutes */
    uint32_t value_bytes;
    char value[LRU_FIRST_VALUE];
};

struct lru_rest {
    uint32_t next; /* of the value, or of the free list */
    char value[LRU_REST_VALUE];
};

union lru_block {
    struct lru_entry entry;
    struct lru_rest rest;
};

/* One for every two blocks. */
struct lru_bucket {
    uint32_t keyed; /* first of the entries whose key hashes to here */
    uint32_t owned; /* first of those whose owner does */
};

#define LRU_BLOCK_COST (LRU_BLOCK_BYTES + sizeof(struct lru_bucket) / 2)

/* entries == admitted - evicted_size - evicted_retired - replaced */
struct lru_figures {
    uint64_t entries;
    uint64_t live_bytes; /* never more than capacity_bytes */
    uint64_t capacity_bytes;
    uint64_t hits;
    uint64_t misses;
    uint64_t admitted;
    uint64_t rejected_too_large;
    uint64_t evicted_size;       /* for room */
    uint64_t evicted_retired;    /* what they depended on has ended */
    uint64_t evicted_unused;     /* of all evicted, those never found again */
    uint64_t replaced;           /* under an equal key: not an eviction */
    int64_t last_victim_idle_ms; /* of the last one evicted for room: since its last use or, if it
                                    had none, since its admission */
    struct lifetimes lifetimes; /* from admission to the end, whatever ended it */
    uint64_t saved_us; /* by hits: what it had cost to make what they found */
};

struct lru {
    union lru_block *blocks;
    struct lru_bucket *buckets;
    uint32_t block_count;
    uint32_t bucket_count;
    uint32_t fresh; /* from here on blocks were never used */
    uint32_t free_first;
    uint32_t free_count; /* on the list, and never used */
    uint32_t newest;
    uint32_t oldest;
    struct lru_figures figures;
    struct ledger *ledger;
};

/* What lru_init takes from the region: the capacity, less what is not a whole pair of blocks. */
uint64_t lru_bytes(uint64_t capacity);

/* Charged to POOL_CACHE, whose capacity becomes lru_bytes(capacity). */
void lru_init(struct lru *lru, uint64_t capacity, struct ledger *ledger, struct region *region);

/*
 * Unlike other finds this one is a use: a hit is counted and becomes the newest, a miss is counted.
 * *entry is for lru_value_bytes and lru_copy, and is untouched by a miss.
 */
bool lru_find(struct lru *lru, struct lru_key key, int64_t now_ms, uint32_t *entry);

uint32_t lru_value_bytes(const struct lru *lru, uint32_t entry);

/* Copies the whole value out; `out` has room for lru_value_bytes. */
void lru_copy(const struct lru *lru, uint32_t entry, void *out);

/*
 * Copies the value in, evicting the oldest until there is room. `owner` is what it depends on;
 * `cost_us` is what it took to make, saved by each hit. False when it is too large: then nothing
 * has changed but a counter. Callers admit after a miss, but two may have missed before the first
 * admits: the value under an equal key is replaced, as both are answers to the same question.
 */
bool lru_admit(struct lru *lru, struct lru_key key, uint64_t owner, struct bytes value,
               uint64_t cost_us, int64_t now_ms);

/* Drops the entries of that owner, looking at no more than `most`. True when all are gone. */
bool lru_retire(struct lru *lru, uint64_t owner, int64_t now_ms, uint32_t most);

struct lru_figures lru_figures(const struct lru *lru);

/* An entry as the report on who holds memory has it. */
struct lru_holder {
    struct lru_key key;
    uint64_t live_bytes;
    int64_t admitted_ms;
    int64_t used_ms; /* LRU_NEVER until it was found */
};

/*
 * The largest of the `looks` most recently used entries, largest first, at most `most`. Returns how
 * many.
 */
uint32_t lru_largest(const struct lru *lru, uint32_t looks, struct lru_holder *out, uint32_t most);

/*
 * How long ago the least recently used entry was admitted; 0 when there is none. It is the next to
 * go, but others may have been admitted earlier and used since: to know the earliest of all would
 * take a second order.
 */
int64_t lru_oldest_age_ms(const struct lru *lru, int64_t now_ms);

/* Bytes in use as the count of free blocks has them, for the audit. */
uint64_t lru_held(const struct lru *lru);

/*
 * Walks the order, each value, each bucket's two lists and the free blocks; ENSUREs that each block
 * has one place, that entries are where their key and owner are looked for, no key twice, and that
 * all counts, the ledger's too, are what was walked over.
 */
void lru_verify(const struct lru *lru);

#endif
