/* lru.c: see lru.h. */
#include "memory/lru.h"

#include "base/ensure.h"
#include "memory/poison.h"

#include <string.h>

_Static_assert(sizeof(union lru_block) == LRU_BLOCK_BYTES, "a block is two cache lines");
_Static_assert(sizeof(struct lru_entry) == LRU_BLOCK_BYTES, "an entry is a block");
_Static_assert(sizeof(struct lru_rest) == LRU_BLOCK_BYTES, "the rest of a value is in such blocks");
_Static_assert(offsetof(struct lru_entry, cost_us) == 64, "the first line has the links");

/* ---- sizes ---- */

static uint64_t carved_bytes(uint64_t pairs)
{
    return region_piece_bytes(pairs * 2 * sizeof(union lru_block)) +
           region_piece_bytes(pairs * sizeof(struct lru_bucket));
}

/* How many pairs of blocks, each with its bucket, fit: rounding to pieces may cost one. */
static uint64_t pairs_in(uint64_t capacity)
{
    uint64_t pairs = capacity / (2 * LRU_BLOCK_COST);
    return carved_bytes(pairs) > capacity ? pairs - 1 : pairs;
}

static uint64_t blocks_for(uint64_t value_bytes)
{
    if (value_bytes <= LRU_FIRST_VALUE)
        return 1;
    return 1 + (value_bytes - LRU_FIRST_VALUE + LRU_REST_VALUE - 1) / LRU_REST_VALUE;
}

static bool is_too_large(const struct lru *lru, size_t value_bytes)
{
    return value_bytes > UINT32_MAX || blocks_for(value_bytes) * LRU_BLOCK_COST >
                                           lru->figures.capacity_bytes / LRU_LARGEST_SHARE;
}

uint64_t lru_bytes(uint64_t capacity)
{
    return carved_bytes(pairs_in(capacity));
}

void lru_init(struct lru *lru, uint64_t capacity, struct ledger *ledger, struct region *region)
{
    uint64_t pairs = pairs_in(capacity);
    ENSURE(pairs < LRU_NONE / 2); /* 528 GiB: the setting ends long before */
    *lru = (struct lru){
        .blocks = region_take(region, pairs * 2 * sizeof(union lru_block)),
        .buckets = region_take(region, pairs * sizeof(struct lru_bucket)),
        .block_count = (uint32_t)(pairs * 2),
        .bucket_count = (uint32_t)pairs,
        .free_first = LRU_NONE,
        .free_count = (uint32_t)(pairs * 2),
        .newest = LRU_NONE,
        .oldest = LRU_NONE,
        .figures = {.capacity_bytes = carved_bytes(pairs)},
        .ledger = ledger,
    };
    ledger->accounts[POOL_CACHE].capacity_bytes = lru->figures.capacity_bytes;
    memset(lru->buckets, 0xff, pairs * sizeof(struct lru_bucket)); /* LRU_NONE everywhere */
    POISON(lru->blocks, pairs * 2 * sizeof(union lru_block));
}

/* ---- blocks ---- */

static union lru_block *block_at(const struct lru *lru, uint32_t index)
{
    ENSURE(index < lru->fresh);
    return &lru->blocks[index];
}

static struct lru_entry *entry_at(const struct lru *lru, uint32_t index)
{
    return &block_at(lru, index)->entry;
}

static uint32_t block_acquire(struct lru *lru)
{
    uint32_t index = lru->free_first;
    if (index != LRU_NONE)
        lru->free_first = lru->blocks[index].rest.next;
    else
        index = lru->fresh++;
    ENSURE(index < lru->block_count);
    ENSURE(lru->free_count > 0);
    lru->free_count--;
    UNPOISON(&lru->blocks[index], sizeof(union lru_block));
    return index;
}

/* The entry's own block is the first of them. */
static void blocks_release(struct lru *lru, uint32_t first, uint64_t count)
{
    for (uint32_t index = first; count-- > 0;) {
        struct lru_rest *block = &block_at(lru, index)->rest;
        uint32_t next = block->next;
        block->next = lru->free_first;
        lru->free_first = index;
        lru->free_count++;
        POISON(block->value, sizeof block->value);
        index = next;
    }
}

static uint64_t entry_cost(const struct lru_entry *entry)
{
    return blocks_for(entry->value_bytes) * LRU_BLOCK_COST;
}

/* ---- values ---- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Takes the blocks it needs behind the entry's own. */
static void value_write(struct lru *lru, struct lru_entry *entry, struct bytes value)
{
    size_t done = smaller(value.length, LRU_FIRST_VALUE);
    if (done > 0)
        memcpy(entry->value, value.at, done);
    entry->value_bytes = (uint32_t)value.length;
    uint32_t *link = &entry->next;
    while (done < value.length) {
        size_t part = smaller(value.length - done, LRU_REST_VALUE);
        uint32_t index = block_acquire(lru);
        struct lru_rest *block = &lru->blocks[index].rest;
        memcpy(block->value, value.at + done, part);
        *link = index;
        link = &block->next;
        done += part;
    }
    *link = LRU_NONE;
}

uint32_t lru_value_bytes(const struct lru *lru, uint32_t entry)
{
    return entry_at(lru, entry)->value_bytes;
}

void lru_copy(const struct lru *lru, uint32_t entry, void *out)
{
    const struct lru_entry *from = entry_at(lru, entry);
    size_t length = from->value_bytes;
    size_t done = smaller(length, LRU_FIRST_VALUE);
    if (done > 0)
        memcpy(out, from->value, done);
    for (uint32_t next = from->next; done < length;) {
        const struct lru_rest *block = &block_at(lru, next)->rest;
        size_t part = smaller(length - done, LRU_REST_VALUE);
        memcpy((char *)out + done, block->value, part);
        done += part;
        next = block->next;
    }
}

/* ---- the order of use ---- */

static void order_push(struct lru *lru, uint32_t index)
{
    struct lru_entry *entry = entry_at(lru, index);
    entry->newer = LRU_NONE;
    entry->older = lru->newest;
    if (lru->newest == LRU_NONE)
        lru->oldest = index;
    else
        entry_at(lru, lru->newest)->newer = index;
    lru->newest = index;
}

static void order_remove(struct lru *lru, const struct lru_entry *entry)
{
    if (entry->newer == LRU_NONE)
        lru->newest = entry->older;
    else
        entry_at(lru, entry->newer)->older = entry->older;
    if (entry->older == LRU_NONE)
        lru->oldest = entry->newer;
    else
        entry_at(lru, entry->older)->newer = entry->newer;
}

/* ---- by key ---- */

/* The hash spread over the buckets (Lemire, "Fast random integer generation", 2019). */
static struct lru_bucket *bucket_of(const struct lru *lru, uint64_t hash)
{
    return &lru->buckets[((hash >> 32) * lru->bucket_count) >> 32];
}

static uint32_t *key_list(const struct lru *lru, struct lru_key key)
{
    return &bucket_of(lru, key.low)->keyed;
}

static bool key_equal(struct lru_key a, struct lru_key b)
{
    return a.low == b.low && a.high == b.high;
}

static uint32_t key_locate(const struct lru *lru, struct lru_key key)
{
    if (lru->bucket_count == 0)
        return LRU_NONE;
    uint32_t index = *key_list(lru, key);
    while (index != LRU_NONE && !key_equal(entry_at(lru, index)->key, key))
        index = entry_at(lru, index)->chain;
    return index;
}

static void key_insert(struct lru *lru, uint32_t index)
{
    struct lru_entry *entry = entry_at(lru, index);
    uint32_t *first = key_list(lru, entry->key);
    entry->chain = *first;
    *first = index;
}

static void key_remove(struct lru *lru, uint32_t index)
{
    const struct lru_entry *entry = entry_at(lru, index);
    uint32_t *link = key_list(lru, entry->key);
    while (*link != index)
        link = &entry_at(lru, *link)->chain;
    *link = entry->chain;
}

/* ---- by owner ---- */

/*
 * Owners are serial numbers. Multiples of the golden ratio spread a run of them more evenly than
 * chance does, so the list of one rarely holds another's.
 */
static uint32_t *owner_list(const struct lru *lru, uint64_t owner)
{
    return &bucket_of(lru, owner * 0x9e3779b97f4a7c15u)->owned;
}

static void owner_insert(struct lru *lru, uint32_t index)
{
    struct lru_entry *entry = entry_at(lru, index);
    uint32_t *first = owner_list(lru, entry->owner);
    entry->owner_before = LRU_NONE;
    entry->owner_after = *first;
    if (*first != LRU_NONE)
        entry_at(lru, *first)->owner_before = index;
    *first = index;
}

static void owner_remove(struct lru *lru, const struct lru_entry *entry)
{
    if (entry->owner_before == LRU_NONE)
        *owner_list(lru, entry->owner) = entry->owner_after;
    else
        entry_at(lru, entry->owner_before)->owner_after = entry->owner_after;
    if (entry->owner_after != LRU_NONE)
        entry_at(lru, entry->owner_after)->owner_before = entry->owner_before;
}

/* ---- entries come and go ---- */

static void entry_make(struct lru *lru, const struct lru_entry *like, struct bytes value)
{
    uint32_t index = block_acquire(lru);
    struct lru_entry *entry = entry_at(lru, index);
    memcpy(entry, like, offsetof(struct lru_entry, value));
    value_write(lru, entry, value);
    order_push(lru, index);
    key_insert(lru, index);
    owner_insert(lru, index);
    lru->figures.entries++;
    lru->figures.live_bytes += entry_cost(entry);
    ledger_take(lru->ledger, POOL_CACHE, entry_cost(entry));
}

static void entry_drop(struct lru *lru, uint32_t index, int64_t now_ms)
{
    const struct lru_entry *entry = entry_at(lru, index);
    uint64_t cost = entry_cost(entry);
    lifetimes_count(&lru->figures.lifetimes, lifetime_ms(entry->admitted_ms, now_ms));
    order_remove(lru, entry);
    key_remove(lru, index);
    owner_remove(lru, entry);
    ENSURE(lru->figures.live_bytes >= cost);
    lru->figures.entries--;
    lru->figures.live_bytes -= cost;
    ledger_give(lru->ledger, POOL_CACHE, cost);
    blocks_release(lru, index, cost / LRU_BLOCK_COST);
}

static void evict_oldest(struct lru *lru, int64_t now_ms)
{
    struct lru_figures *figures = &lru->figures;
    const struct lru_entry *entry = entry_at(lru, lru->oldest);
    bool unused = entry->used_ms == LRU_NEVER;
    int64_t last_ms = unused ? entry->admitted_ms : entry->used_ms;
    figures->evicted_size++;
    figures->evicted_unused += unused;
    figures->last_victim_idle_ms = (int64_t)lifetime_ms(last_ms, now_ms);
    entry_drop(lru, lru->oldest, now_ms);
}

bool lru_find(struct lru *lru, struct lru_key key, int64_t now_ms, uint32_t *entry)
{
    uint32_t index = key_locate(lru, key);
    if (index == LRU_NONE) {
        lru->figures.misses++;
        return false;
    }
    struct lru_entry *found = entry_at(lru, index);
    found->used_ms = now_ms;
    if (lru->newest != index) {
        order_remove(lru, found);
        order_push(lru, index);
    }
    lru->figures.hits++;
    lru->figures.saved_us += found->cost_us;
    *entry = index;
    return true;
}

bool lru_admit(struct lru *lru, struct lru_key key, uint64_t owner, struct bytes value,
               uint64_t cost_us, int64_t now_ms)
{
    if (is_too_large(lru, value.length)) {
        lru->figures.rejected_too_large++;
        return false;
    }
    uint32_t there = key_locate(lru, key);
    if (there != LRU_NONE) {
        entry_drop(lru, there, now_ms);
        lru->figures.replaced++;
    }
    while (lru->free_count < blocks_for(value.length))
        evict_oldest(lru, now_ms);
    struct lru_entry like = {
        .key = key,
        .owner = owner,
        .admitted_ms = now_ms,
        .used_ms = LRU_NEVER,
        .cost_us = cost_us < UINT32_MAX ? (uint32_t)cost_us : UINT32_MAX,
    };
    entry_make(lru, &like, value);
    lru->figures.admitted++;
    return true;
}

bool lru_retire(struct lru *lru, uint64_t owner, int64_t now_ms, uint32_t most)
{
    if (lru->bucket_count == 0)
        return true;
    for (uint32_t index = *owner_list(lru, owner); index != LRU_NONE; most--) {
        const struct lru_entry *entry = entry_at(lru, index);
        uint32_t after = entry->owner_after;
        if (most == 0)
            return false;
        if (entry->owner == owner) {
            lru->figures.evicted_retired++;
            lru->figures.evicted_unused += entry->used_ms == LRU_NEVER;
            entry_drop(lru, index, now_ms);
        }
        index = after;
    }
    return true;
}

/* ---- figures ---- */

struct lru_figures lru_figures(const struct lru *lru)
{
    return lru->figures;
}

static uint32_t holder_insert(struct lru_holder *out, uint32_t count, uint32_t most,
                              const struct lru_entry *entry)
{
    uint64_t bytes = entry_cost(entry);
    uint32_t at = count;
    while (at > 0 && out[at - 1].live_bytes < bytes)
        at--;
    if (at == most)
        return count;
    count += count < most;
    for (uint32_t behind = count - 1; behind > at; behind--)
        out[behind] = out[behind - 1];
    out[at] = (struct lru_holder){entry->key, bytes, entry->admitted_ms, entry->used_ms};
    return count;
}

uint32_t lru_largest(const struct lru *lru, uint32_t looks, struct lru_holder *out, uint32_t most)
{
    uint32_t count = 0;
    for (uint32_t index = lru->newest; index != LRU_NONE && looks > 0; looks--) {
        const struct lru_entry *entry = entry_at(lru, index);
        count = holder_insert(out, count, most, entry);
        index = entry->older;
    }
    return count;
}

int64_t lru_oldest_age_ms(const struct lru *lru, int64_t now_ms)
{
    if (lru->oldest == LRU_NONE)
        return 0;
    return (int64_t)lifetime_ms(entry_at(lru, lru->oldest)->admitted_ms, now_ms);
}

uint64_t lru_held(const struct lru *lru)
{
    return (lru->block_count - lru->free_count) * (uint64_t)LRU_BLOCK_COST;
}

/* ---- verify ---- */

static void verify_value(const struct lru *lru, const struct lru_entry *entry)
{
    uint32_t next = entry->next;
    for (uint64_t left = blocks_for(entry->value_bytes); left > 1; left--)
        next = block_at(lru, next)->rest.next;
    ENSURE(next == LRU_NONE);
}

/* A cycle would come to an entry from two sides, and `older` is only one of them. */
static void verify_order(const struct lru *lru)
{
    uint64_t bytes = 0;
    uint32_t older = LRU_NONE;
    for (uint32_t index = lru->oldest; index != LRU_NONE; index = entry_at(lru, index)->newer) {
        const struct lru_entry *entry = entry_at(lru, index);
        ENSURE(entry->older == older);
        verify_value(lru, entry);
        bytes += entry_cost(entry);
        older = index;
    }
    ENSURE(lru->newest == older);
    ENSURE(bytes == lru->figures.live_bytes);
    ENSURE(bytes == lru_held(lru));
}

static uint64_t verify_keyed(const struct lru *lru, const struct lru_bucket *bucket)
{
    uint64_t length = 0;
    for (uint32_t index = bucket->keyed; index != LRU_NONE; index = entry_at(lru, index)->chain) {
        struct lru_key key = entry_at(lru, index)->key;
        ENSURE(key_locate(lru, key) == index);   /* no equal one before it */
        ENSURE(length++ < lru->figures.entries); /* a longer walk is a cycle */
    }
    return length;
}

static uint64_t verify_owned(const struct lru *lru, const struct lru_bucket *bucket)
{
    uint64_t length = 0;
    uint32_t before = LRU_NONE;
    for (uint32_t index = bucket->owned; index != LRU_NONE;
         index = entry_at(lru, index)->owner_after) {
        const struct lru_entry *entry = entry_at(lru, index);
        ENSURE(owner_list(lru, entry->owner) == &bucket->owned);
        ENSURE(entry->owner_before == before); /* nor is this one a cycle */
        length++;
        before = index;
    }
    return length;
}

static void verify_buckets(const struct lru *lru)
{
    uint64_t keyed = 0;
    uint64_t owned = 0;
    for (uint32_t index = 0; index < lru->bucket_count; index++) {
        keyed += verify_keyed(lru, &lru->buckets[index]);
        owned += verify_owned(lru, &lru->buckets[index]);
    }
    ENSURE(keyed == lru->figures.entries);
    ENSURE(owned == lru->figures.entries);
}

static void verify_free(const struct lru *lru)
{
    uint32_t listed = 0;
    for (uint32_t index = lru->free_first; index != LRU_NONE;
         index = block_at(lru, index)->rest.next)
        ENSURE(listed++ < lru->fresh);
    ENSURE(lru->fresh <= lru->block_count);
    ENSURE(listed + (lru->block_count - lru->fresh) == lru->free_count);
}

void lru_verify(const struct lru *lru)
{
    const struct lru_figures *figures = &lru->figures;
    struct account_figures account = ledger_figures(lru->ledger, POOL_CACHE);
    verify_order(lru);
    verify_buckets(lru);
    verify_free(lru);
    ENSURE(figures->live_bytes <= figures->capacity_bytes);
    ENSURE(figures->entries + figures->evicted_size + figures->evicted_retired +
               figures->replaced ==
           figures->admitted);
    ENSURE(account.live_bytes == figures->live_bytes);
    ENSURE(account.live_objects == figures->entries);
}
