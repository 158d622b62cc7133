/*
 * test_lru.c: the cache beside a plain array in order of use, the oldest first, with each value on
 * the heap.
 */
#include "memory/lru.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

Suite *lru_suite(void);

#define COST 132 /* of a block: 128 bytes, and its half of a bucket */
#define NOW TEST_START_MS
#define SMALL (64 * COST) /* 64 blocks: an eighth is 8 of them */

static struct test_world world;
static struct lru lru;

static void begin(uint64_t capacity)
{
    test_world_init(&world, (size_t)lru_bytes(capacity));
    lru_init(&lru, capacity, &world.ledger, &world.region);
}

static void setup(void)
{
    begin(SMALL);
}

static void teardown(void)
{
    test_world_end(&world);
}

static struct lru_key key_of(uint64_t number)
{
    struct random random = {number};
    uint64_t high = random_next(&random);
    return (struct lru_key){high, random_next(&random)};
}

/* Bytes that differ with the number, and from each other. */
static struct bytes value_of(uint64_t number, size_t length)
{
    static char value[1 << 20];
    struct random random = {~number};
    CHECK_THAT(length <= sizeof value);
    for (size_t i = 0; i < length; i++)
        value[i] = (char)random_next(&random);
    return (struct bytes){value, length};
}

/* So many bytes of value take so many blocks. */
static size_t value_in(uint64_t blocks)
{
    return (size_t)(56 + (blocks - 1) * 124);
}

static bool admit(uint64_t number, uint64_t owner, size_t length, int64_t now_ms)
{
    bool admitted =
        lru_admit(&lru, key_of(number), owner, value_of(number, length), 10 * number, now_ms);
    lru_verify(&lru);
    return admitted;
}

/* Found, and the value is the one admitted, whole. */
static bool holds(uint64_t number, size_t length, int64_t now_ms)
{
    static char copy[(1 << 20) + 1];
    uint32_t entry = 77;
    if (!lru_find(&lru, key_of(number), now_ms, &entry)) {
        CHECK_THAT(entry == 77);
        return false;
    }
    struct bytes value = value_of(number, length);
    copy[length] = '~';
    CHECK_THAT(lru_value_bytes(&lru, entry) == length);
    lru_copy(&lru, entry, copy);
    CHECK_THAT(bytes_equal((struct bytes){copy, length}, value));
    CHECK_THAT(copy[length] == '~');
    lru_verify(&lru);
    return true;
}

static struct lru_figures figures(void)
{
    return lru_figures(&lru);
}

/* ---- size ---- */

START_TEST(init_takes_what_was_predicted)
{
    ck_assert_uint_eq(lru_bytes(SMALL), SMALL); /* without rounding nothing is left over */
    ck_assert_uint_eq(world.region.used, lru_bytes(SMALL));
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_CACHE).capacity_bytes, SMALL);
    ck_assert_uint_eq(figures().capacity_bytes, SMALL);
    ck_assert_uint_eq(figures().live_bytes, 0);
    ck_assert_uint_eq(lru_held(&lru), 0);
    ck_assert_int_eq(lru_oldest_age_ms(&lru, NOW), 0);
    lru_verify(&lru);
}
END_TEST

START_TEST(no_capacity_is_passed_and_little_is_left_over)
{
    for (uint64_t capacity = 0; capacity < 20000; capacity++) {
        uint64_t bytes = lru_bytes(capacity);
        CHECK_THAT(bytes <= capacity);
        CHECK_THAT(capacity - bytes < 2 * COST + REGION_ALIGN);
        CHECK_THAT(bytes % REGION_ALIGN == 0);
    }
}
END_TEST

START_TEST(a_value_takes_the_blocks_its_length_needs)
{
    static const struct {
        size_t length;
        uint64_t blocks;
    } rows[] = {{0, 1},   {1, 1},   {55, 1},  {56, 1},  {57, 2},  {179, 2},
                {180, 2}, {181, 3}, {303, 3}, {304, 3}, {305, 4}, {924, 8}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ck_assert(admit(i, i, rows[i].length, NOW));
        ck_assert_uint_eq(figures().live_bytes, rows[i].blocks * COST);
        ck_assert_uint_eq(lru_held(&lru), rows[i].blocks * COST);
        ck_assert(holds(i, rows[i].length, NOW));
        lru_retire(&lru, i, NOW, UINT32_MAX);
        ck_assert_uint_eq(lru_held(&lru), 0);
    }
}
END_TEST

START_TEST(the_empty_value_may_be_anywhere)
{
    uint32_t entry;
    ck_assert(lru_admit(&lru, key_of(1), 1, (struct bytes){NULL, 0}, 0, NOW));
    ck_assert(lru_find(&lru, key_of(1), NOW, &entry));
    ck_assert_uint_eq(lru_value_bytes(&lru, entry), 0);
    lru_copy(&lru, entry, NULL);
}
END_TEST

START_TEST(more_than_an_eighth_costs_nobody_a_place)
{
    for (uint64_t i = 0; i < 64; i++)
        ck_assert(admit(i, i, 1, NOW)); /* full */
    struct lru_figures before = figures();
    ck_assert_uint_eq(before.live_bytes, SMALL);
    ck_assert(!admit(100, 1, value_in(8) + 1, NOW));
    ck_assert(!admit(100, 1, 1 << 20, NOW));
    ck_assert(!admit(0, 1, value_in(8) + 1, NOW)); /* nor what is there under that key */
    before.rejected_too_large = 3;
    struct lru_figures after = figures();
    ck_assert_mem_eq(&after, &before, sizeof before);
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_CACHE).refusals, 0); /* a rule, no lack */
    ck_assert(admit(100, 1, value_in(8), NOW));                               /* just an eighth */
    ck_assert_uint_eq(figures().evicted_size, 8);
    ck_assert_uint_eq(figures().live_bytes, SMALL);
}
END_TEST

START_TEST(a_length_beyond_32_bits_is_too_large)
{
    struct bytes endless = {"", SIZE_MAX};
    ck_assert(!lru_admit(&lru, key_of(1), 1, endless, 0, NOW));
    endless.length = (size_t)UINT32_MAX + 1;
    ck_assert(!lru_admit(&lru, key_of(1), 1, endless, 0, NOW));
    ck_assert_uint_eq(figures().rejected_too_large, 2);
}
END_TEST

/* 7 blocks would fit into 924 bytes, but an eighth of that is less than one. */
START_TEST(too_little_admits_nothing_and_finds_nothing)
{
    static const uint64_t capacities[] = {0, 1, 63, 131, 132, 264, 320, 924, 1000, 1087};
    for (size_t i = 0; i < COUNT_OF(capacities); i++) {
        begin(capacities[i]);
        ck_assert_uint_eq(world.region.used, lru_bytes(capacities[i]));
        ck_assert(!admit(1, 1, 0, NOW));
        ck_assert(!holds(1, 0, NOW));
        lru_retire(&lru, 1, NOW, UINT32_MAX);
        ck_assert_uint_eq(figures().rejected_too_large, 1);
        ck_assert_uint_eq(figures().misses, 1);
        ck_assert_uint_eq(lru_held(&lru), 0);
        ck_assert_int_eq(lru_oldest_age_ms(&lru, NOW), 0);
        lru_verify(&lru);
        teardown();
    }
    begin(1088);
    ck_assert(admit(1, 1, 56, NOW));
    ck_assert(!admit(2, 1, 57, NOW));
    teardown();
}
END_TEST

/* ---- order ---- */

START_TEST(the_least_recently_used_goes_first_one_by_one)
{
    for (uint64_t i = 0; i < 64; i++)
        ck_assert(admit(i, 1, 1, NOW));
    for (uint64_t i = 0; i < 64; i += 2)
        ck_assert(holds(i, 1, NOW)); /* now odd ones are older, and even ones follow */
    for (uint64_t i = 0; i < 64; i++) {
        uint64_t victim = i < 32 ? 2 * i + 1 : 2 * (i - 32);
        uint64_t next = i < 31 ? 2 * i + 3 : 2 * (i - 31);
        ck_assert(admit(100 + i, 1, 1, NOW));
        ck_assert_uint_eq(figures().evicted_size, i + 1);
        uint32_t unseen;
        ck_assert(!lru_find(&lru, key_of(victim), NOW, &unseen));
        ck_assert_uint_eq(figures().entries, 64);
        if (i < 63)
            ck_assert_uint_eq(lru.blocks[lru.oldest].entry.key.low, key_of(next).low);
    }
}
END_TEST

START_TEST(a_hit_on_any_place_makes_it_the_newest)
{
    for (uint64_t used = 0; used < 3; used++) {
        begin(16 * COST);
        for (uint64_t i = 0; i < 3; i++)
            ck_assert(admit(i, 1, 1, NOW));
        ck_assert(holds(used, 1, NOW));
        ck_assert_uint_eq(lru.blocks[lru.newest].entry.key.low, key_of(used).low);
        ck_assert_uint_eq(lru.blocks[lru.oldest].entry.key.low, key_of(used == 0).low);
        teardown();
    }
}
END_TEST

START_TEST(no_more_is_evicted_than_is_needed)
{
    for (uint64_t i = 0; i < 32; i++)
        ck_assert(admit(i, 1, value_in(2), NOW)); /* 32 entries of 2 blocks: full */
    ck_assert(admit(100, 1, value_in(3), NOW));
    ck_assert_uint_eq(figures().evicted_size, 2);
    ck_assert_uint_eq(lru_held(&lru), 63 * COST);
    ck_assert(admit(101, 1, value_in(1), NOW)); /* into what was left */
    ck_assert_uint_eq(figures().evicted_size, 2);
    ck_assert_uint_eq(lru_held(&lru), SMALL);
}
END_TEST

START_TEST(keys_are_compared_whole)
{
    uint32_t entry;
    struct lru_key key = {1, 2};
    struct lru_key others[] = {{1, 3}, {2, 2}, {2, 1}, {0, 2}, {1, UINT64_C(2) << 32}};
    ck_assert(lru_admit(&lru, key, 1, BYTES("one"), 0, NOW));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        ck_assert(!lru_find(&lru, others[i], NOW, &entry));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        ck_assert(lru_admit(&lru, others[i], 1, BYTES("other"), 0, NOW));
    ck_assert_uint_eq(figures().entries, 6);
    ck_assert(lru_find(&lru, key, NOW, &entry));
    ck_assert_uint_eq(lru_value_bytes(&lru, entry), 3);
    lru_verify(&lru);
}
END_TEST

START_TEST(an_equal_key_replaces_the_value)
{
    ck_assert(lru_admit(&lru, key_of(1), 7, value_of(2, 300), 5, NOW));
    ck_assert(admit(1, 8, 100, NOW));
    ck_assert(holds(1, 100, NOW));
    ck_assert_uint_eq(figures().entries, 1);
    ck_assert_uint_eq(figures().admitted, 2);
    ck_assert_uint_eq(figures().replaced, 1);
    ck_assert_uint_eq(figures().evicted_unused, 0);
    ck_assert_uint_eq(figures().saved_us, 10);
    lru_retire(&lru, 7, NOW, UINT32_MAX); /* its owner is the second one */
    ck_assert_uint_eq(figures().entries, 1);
    lru_retire(&lru, 8, NOW, UINT32_MAX);
    ck_assert_uint_eq(figures().entries, 0);
}
END_TEST

/* Its own room counts: what it replaces goes first, so nobody else has to. */
START_TEST(a_replacement_of_equal_size_evicts_nobody)
{
    for (uint64_t i = 0; i < 64; i++)
        ck_assert(admit(i, 1, 1, NOW));
    ck_assert(admit(63, 1, 56, NOW));
    ck_assert_uint_eq(figures().evicted_size, 0);
    ck_assert_uint_eq(figures().entries, 64);
}
END_TEST

/* ---- who holds it ---- */

START_TEST(the_largest_of_the_most_recently_used_are_told)
{
    static const uint64_t sizes[] = {2000, 10, 300, 5000, 50, 300, 1000};
    struct lru_holder held[4];
    begin(1 << 20);
    ck_assert_uint_eq(lru_largest(&lru, 100, held, 4), 0);
    for (uint64_t i = 0; i < COUNT_OF(sizes); i++)
        ck_assert(admit(i, 1, sizes[i], NOW + (int64_t)i));
    ck_assert(holds(3, 5000, NOW + 50));
    ck_assert_uint_eq(lru_largest(&lru, 100, held, 4), 4);
    ck_assert_int_eq(held[0].admitted_ms, NOW + 3);
    ck_assert_int_eq(held[0].used_ms, NOW + 50);
    ck_assert_int_eq(held[1].admitted_ms, NOW + 0);
    ck_assert_int_eq(held[1].used_ms, LRU_NEVER);
    ck_assert_int_eq(held[2].admitted_ms, NOW + 6);
    ck_assert_uint_eq(held[3].live_bytes, 3 * COST); /* 300 bytes: 56, 124 and 120 */
    ck_assert_uint_eq(lru_largest(&lru, 3, held, 4), 3); /* the oldest, of 2,000, is not looked at */
    ck_assert_int_eq(held[1].admitted_ms, NOW + 6);
    ck_assert_uint_eq(lru_largest(&lru, 100, held, 1), 1);
    ck_assert_int_eq(held[0].admitted_ms, NOW + 3);
}
END_TEST

/* ---- owners ---- */

START_TEST(retiring_drops_the_owners_entries_and_no_others)
{
    for (uint64_t i = 0; i < 60; i++)
        ck_assert(admit(i, i % 3, 1, NOW));
    ck_assert(holds(1, 1, NOW));
    ck_assert(holds(4, 1, NOW));
    lru_retire(&lru, 1, NOW + 30000, UINT32_MAX);
    lru_verify(&lru);
    ck_assert_uint_eq(figures().entries, 40);
    ck_assert_uint_eq(figures().evicted_retired, 20);
    ck_assert_uint_eq(figures().evicted_unused, 18);
    ck_assert_uint_eq(figures().evicted_size, 0);
    ck_assert_uint_eq(figures().lifetimes.counts[2], 20); /* their ends are counted all the same */
    ck_assert_uint_eq(figures().lifetimes.sum_ms, 20 * 30000);
    for (uint64_t i = 0; i < 60; i++)
        ck_assert(holds(i, 1, NOW) == (i % 3 != 1));
    lru_retire(&lru, 1, NOW, UINT32_MAX); /* nothing is left, and nobody is there */
    lru_retire(&lru, 99, NOW, UINT32_MAX);
    ck_assert_uint_eq(figures().evicted_retired, 20);
}
END_TEST

/* All owners there are room for share a few lists: each is told from the others. */
START_TEST(owners_in_one_list_are_told_apart)
{
    begin(16 * COST);
    for (uint64_t owner = 0; owner < 16; owner++)
        ck_assert(admit(owner, owner << 40, 1, NOW));
    for (uint64_t owner = 0; owner < 16; owner++) {
        lru_retire(&lru, owner << 40, NOW, UINT32_MAX);
        lru_verify(&lru);
        ck_assert_uint_eq(figures().entries, 15 - owner);
        ck_assert(!holds(owner, 1, NOW));
    }
    teardown();
}
END_TEST

/*
 * The bound in the header: windows are numbered in a row, and those that are live at once hardly
 * share a list. Here three tiers end at different rates, with a full cache.
 */
START_TEST(owners_numbered_in_a_row_hardly_share_lists)
{
    uint64_t shared = 0;
    begin(1 << 20);
    for (uint64_t number = 0; number < 1440; number++) {
        uint64_t owner = number < 360 ? 1000000 + number : number * 6;
        CHECK_THAT(lru_admit(&lru, key_of(number), owner, value_of(number, 1), 1, NOW));
    }
    for (uint32_t i = 0; i < lru.bucket_count; i++) {
        uint32_t first = lru.buckets[i].owned;
        shared += first != LRU_NONE && lru.blocks[first].entry.owner_after != LRU_NONE;
    }
    ck_assert_uint_lt(shared, 1440 / 5);
    teardown();
}
END_TEST

/* ---- times and counters ---- */

START_TEST(hits_and_misses_are_counted_with_what_they_saved)
{
    ck_assert(!holds(3, 1, NOW));
    ck_assert(admit(3, 1, 1, NOW)); /* 30 us */
    ck_assert(admit(5, 1, 1, NOW));
    ck_assert(holds(3, 1, NOW));
    ck_assert(holds(3, 1, NOW));
    ck_assert(holds(5, 1, NOW));
    ck_assert_uint_eq(figures().hits, 3);
    ck_assert_uint_eq(figures().misses, 1);
    ck_assert_uint_eq(figures().admitted, 2);
    ck_assert_uint_eq(figures().saved_us, 30 + 30 + 50);
}
END_TEST

START_TEST(a_cost_beyond_32_bits_is_the_highest)
{
    uint32_t entry;
    ck_assert(lru_admit(&lru, key_of(1), 1, BYTES("x"), UINT64_C(5) << 32, NOW));
    ck_assert(lru_find(&lru, key_of(1), NOW, &entry));
    ck_assert_uint_eq(figures().saved_us, UINT32_MAX);
}
END_TEST

/* Evicts the one entry there is by filling the cache with others at that time. */
static void evict_at(int64_t admitted_ms, int64_t used_ms, int64_t now_ms)
{
    begin(SMALL);
    ck_assert(admit(0, 1, 1, admitted_ms));
    if (used_ms != LRU_NEVER)
        ck_assert(holds(0, 1, used_ms));
    for (uint64_t i = 1; i < 64; i++)
        ck_assert(admit(i, 1, 1, now_ms));
    ck_assert_int_eq(lru_oldest_age_ms(&lru, now_ms),
                     now_ms > admitted_ms ? now_ms - admitted_ms : 0);
    ck_assert_uint_eq(figures().evicted_size, 0);
    ck_assert(admit(64, 1, 1, now_ms));
    ck_assert_uint_eq(figures().evicted_size, 1);
}

START_TEST(ages_are_counted_up_to_and_with_their_bounds)
{
    static const struct {
        int64_t age_ms;
        unsigned row;
    } rows[] = {{0, 0},       {1, 0},       {1000, 0},     {1001, 1},     {10000, 1},
                {10001, 2},   {60000, 2},   {60001, 3},    {600000, 3},   {600001, 4},
                {3600000, 4}, {3600001, 5}, {86400000, 5}, {86400001, 6}, {604800000, 6},
                {604800001, 7}, {INT64_C(1) << 40, 7}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        evict_at(NOW, LRU_NEVER, NOW + rows[i].age_ms);
        for (unsigned row = 0; row <= LIFETIME_BOUNDS; row++)
            ck_assert_uint_eq(figures().lifetimes.counts[row], row == rows[i].row);
        ck_assert_uint_eq(figures().lifetimes.sum_ms, (uint64_t)rows[i].age_ms);
        ck_assert_uint_eq(figures().lifetimes.max_ms, (uint64_t)rows[i].age_ms);
        teardown();
    }
}
END_TEST

START_TEST(idle_is_since_the_last_use_or_else_since_admission)
{
    evict_at(NOW, LRU_NEVER, NOW + 5000);
    ck_assert_int_eq(figures().last_victim_idle_ms, 5000);
    ck_assert_uint_eq(figures().evicted_unused, 1);
    teardown();
    evict_at(NOW, NOW + 4000, NOW + 5000);
    ck_assert_int_eq(figures().last_victim_idle_ms, 1000);
    ck_assert_uint_eq(figures().lifetimes.sum_ms, 5000);
    ck_assert_uint_eq(figures().evicted_unused, 0);
    teardown();
    evict_at(NOW, NOW, NOW + 5000); /* used in the millisecond of its admission is used */
    ck_assert_uint_eq(figures().evicted_unused, 0);
    teardown();
}
END_TEST

START_TEST(a_clock_that_goes_back_makes_no_age)
{
    evict_at(NOW, NOW, NOW - 5000);
    ck_assert_int_eq(figures().last_victim_idle_ms, 0);
    ck_assert_uint_eq(figures().lifetimes.counts[0], 1);
    ck_assert_uint_eq(figures().lifetimes.sum_ms, 0);
    ck_assert_int_eq(lru_oldest_age_ms(&lru, INT64_MIN), 0);
    teardown();
}
END_TEST

START_TEST(only_live_values_may_be_touched)
{
    uint32_t entry;
    ck_assert_int_eq(test_is_poisoned(&lru.blocks[0]), TEST_POISONS);
    ck_assert(admit(1, 1, 100, NOW));
    ck_assert(lru_find(&lru, key_of(1), NOW, &entry));
    const struct lru_entry *live = &lru.blocks[entry].entry;
    const struct lru_rest *rest = &lru.blocks[live->next].rest;
    ck_assert(!test_is_poisoned(live));
    ck_assert(!test_is_poisoned(live->value + LRU_FIRST_VALUE - 1));
    ck_assert(!test_is_poisoned(rest->value));
    lru_retire(&lru, 1, NOW, UINT32_MAX);
    ck_assert_int_eq(test_is_poisoned(&live->chain), TEST_POISONS);
    ck_assert_int_eq(test_is_poisoned(live->value + LRU_FIRST_VALUE - 1), TEST_POISONS);
    ck_assert_int_eq(test_is_poisoned(rest->value), TEST_POISONS);
    ck_assert_int_eq(test_is_poisoned(rest->value + LRU_REST_VALUE - 1), TEST_POISONS);
}
END_TEST

/* ---- model ---- */

struct plain_entry {
    struct lru_key key;
    uint64_t owner;
    uint64_t cost_us;
    int64_t admitted_ms;
    int64_t last_ms; /* used, or admitted */
    bool used;
    size_t length;
    char *value;
};

#define PLAIN_MAX 8192 /* more entries than blocks in the largest capacity */

static struct {
    struct plain_entry entries[PLAIN_MAX]; /* the oldest first */
    uint64_t count;
    uint64_t blocks; /* in use */
    uint64_t blocks_max;
    uint64_t capacity;
    uint64_t frees;
    struct lru_figures figures;
} model;

static uint64_t to_lines(uint64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static uint64_t plain_blocks(size_t length)
{
    uint64_t blocks = 1;
    for (size_t room = 56; room < length; room += 124)
        blocks++;
    return blocks;
}

static void model_begin(uint64_t capacity)
{
    memset(&model, 0, sizeof model);
    while (to_lines((model.blocks_max + 2) * 128) + to_lines((model.blocks_max + 2) * 4) <=
           capacity)
        model.blocks_max += 2;
    model.capacity = to_lines(model.blocks_max * 128) + to_lines(model.blocks_max * 4);
    model.figures.capacity_bytes = model.capacity;
    CHECK_THAT(model.blocks_max < PLAIN_MAX);
}

static uint64_t model_find(struct lru_key key)
{
    uint64_t at = 0;
    while (at < model.count &&
           (model.entries[at].key.high != key.high || model.entries[at].key.low != key.low))
        at++;
    return at;
}

static void model_drop(uint64_t at, int64_t now_ms)
{
    static const int64_t bounds_ms[] = {1000, 10000, 60000, 600000, 3600000, 86400000, 604800000};
    const struct plain_entry *plain = &model.entries[at];
    int64_t age = now_ms < plain->admitted_ms ? 0 : now_ms - plain->admitted_ms;
    int row = 0;
    for (size_t i = 0; i < COUNT_OF(bounds_ms); i++)
        row += age > bounds_ms[i];
    model.figures.lifetimes.counts[row]++;
    model.figures.lifetimes.sum_ms += (uint64_t)age;
    if ((uint64_t)age > model.figures.lifetimes.max_ms)
        model.figures.lifetimes.max_ms = (uint64_t)age;
    model.blocks -= plain_blocks(model.entries[at].length);
    model.frees++;
    free(model.entries[at].value);
    model.count--;
    memmove(&model.entries[at], &model.entries[at + 1],
            (model.count - at) * sizeof(struct plain_entry));
}

static void model_evict(int64_t now_ms)
{
    const struct plain_entry *plain = &model.entries[0];
    model.figures.last_victim_idle_ms = now_ms < plain->last_ms ? 0 : now_ms - plain->last_ms;
    model.figures.evicted_unused += !plain->used;
    model.figures.evicted_size++;
    model_drop(0, now_ms);
}

static bool model_admit(struct plain_entry plain, const char *value)
{
    uint64_t blocks = plain_blocks(plain.length);
    if (blocks * COST * 8 > model.capacity) {
        model.figures.rejected_too_large++;
        return false;
    }
    uint64_t at = model_find(plain.key);
    if (at < model.count) {
        model.figures.replaced++;
        model_drop(at, plain.admitted_ms);
    }
    while (model.blocks + blocks > model.blocks_max)
        model_evict(plain.admitted_ms);
    plain.value = malloc(plain.length + 1);
    CHECK_THAT(plain.value != NULL);
    memcpy(plain.value, value, plain.length);
    model.entries[model.count++] = plain;
    model.blocks += blocks;
    model.figures.admitted++;
    return true;
}

static void model_use(uint64_t at, int64_t now_ms)
{
    struct plain_entry plain = model.entries[at];
    plain.used = true;
    plain.last_ms = now_ms;
    model.figures.hits++;
    model.figures.saved_us += plain.cost_us;
    memmove(&model.entries[at], &model.entries[at + 1],
            (model.count - at - 1) * sizeof(struct plain_entry));
    model.entries[model.count - 1] = plain;
}

static void model_retire(uint64_t owner, int64_t now_ms)
{
    for (uint64_t at = model.count; at-- > 0;) {
        if (model.entries[at].owner != owner)
            continue;
        model.figures.evicted_retired++;
        model.figures.evicted_unused += !model.entries[at].used;
        model_drop(at, now_ms);
    }
}

static void check_figures(int64_t now_ms)
{
    struct lru_figures told = lru_figures(&lru);
    struct account_figures account = ledger_figures(&world.ledger, POOL_CACHE);
    model.figures.entries = model.count;
    model.figures.live_bytes = model.blocks * COST;
    CHECK_THAT(memcmp(&told, &model.figures, sizeof told) == 0);
    CHECK_THAT(told.live_bytes <= told.capacity_bytes);
    CHECK_THAT(lru_held(&lru) == told.live_bytes);
    CHECK_THAT(account.live_bytes == told.live_bytes);
    CHECK_THAT(account.live_objects == model.count);
    CHECK_THAT(account.capacity_bytes == model.capacity);
    CHECK_THAT(account.frees == model.frees);
    CHECK_THAT(account.peak_bytes <= model.capacity);
    int64_t age = model.count == 0 ? 0 : now_ms - model.entries[0].admitted_ms;
    CHECK_THAT(lru_oldest_age_ms(&lru, now_ms) == (age < 0 ? 0 : age));
}

static void check_order(void)
{
    uint32_t index = lru.oldest;
    for (uint64_t at = 0; at < model.count; at++) {
        CHECK_THAT(index != LRU_NONE);
        const struct lru_entry *entry = &lru.blocks[index].entry;
        CHECK_THAT(memcmp(&entry->key, &model.entries[at].key, sizeof entry->key) == 0);
        CHECK_THAT(entry->owner == model.entries[at].owner);
        index = entry->newer;
    }
    CHECK_THAT(index == LRU_NONE);
}

/* Keys that share one half or the other, so that only the whole tells them apart. */
static struct lru_key draw_key(struct random *random, uint64_t keys)
{
    uint64_t number = random_below(random, keys);
    return (struct lru_key){key_of(number % 7).high, key_of(number / 3).low};
}

/* Mostly small, often just at the end of a block or at the eighth, sometimes too large. */
static size_t draw_length(struct random *random)
{
    uint64_t eighth = model.capacity / 8 / COST;
    switch (random_below(random, 8)) {
    case 0:
        return value_in(1 + random_below(random, 5)) + random_below(random, 2);
    case 1:
        return value_in(eighth > 0 ? eighth : 1) + random_below(random, 2);
    case 2:
        return (size_t)random_below(random, 4001);
    case 3:
        return 0;
    default:
        return (size_t)random_below(random, 400);
    }
}

static void step_find(struct random *random, uint64_t keys, int64_t now_ms)
{
    struct lru_key key = draw_key(random, keys);
    uint64_t at = model_find(key);
    uint32_t entry;
    bool found = lru_find(&lru, key, now_ms, &entry);
    CHECK_THAT(found == (at < model.count));
    if (!found) {
        model.figures.misses++;
        return;
    }
    static char copy[(1 << 18) + 1];
    size_t length = model.entries[at].length;
    CHECK_THAT(length < sizeof copy);
    CHECK_THAT(lru_value_bytes(&lru, entry) == length);
    copy[length] = '~';
    lru_copy(&lru, entry, copy);
    CHECK_THAT(memcmp(copy, model.entries[at].value, length) == 0);
    CHECK_THAT(copy[length] == '~');
    model_use(at, now_ms);
}

static void step_admit(struct random *random, uint64_t keys, uint64_t owners, int64_t now_ms)
{
    struct plain_entry plain = {
        .key = draw_key(random, keys),
        .owner = random_below(random, owners),
        .cost_us = random_below(random, 1000),
        .admitted_ms = now_ms,
        .last_ms = now_ms,
        .length = draw_length(random),
    };
    if (model_find(plain.key) < model.count && random_below(random, 8) > 0)
        return; /* as callers do, mostly */
    struct bytes value = value_of(random_next(random), plain.length);
    bool admitted = lru_admit(&lru, plain.key, plain.owner, value, plain.cost_us, now_ms);
    CHECK_THAT(model_admit(plain, value.at) == admitted);
}

static int64_t draw_time(struct random *random, int64_t now_ms)
{
    uint64_t kind = random_below(random, 200);
    if (kind == 0)
        return now_ms + (int64_t)random_below(random, 100000000);
    if (kind == 1)
        return now_ms - (int64_t)random_below(random, 5000);
    return now_ms + (int64_t)random_below(random, 1000);
}

static const uint64_t capacities[] = {0,    1,     63,       1000,   8 * COST + 32, 16 * COST,
                                      5000, SMALL, 64 << 10, 100001, 1 << 20};

/* Rare retirements leave it full, and evictions at work; frequent ones leave it near empty. */
START_TEST(churn_agrees_with_an_array)
{
    uint64_t capacity = capacities[(size_t)_i % COUNT_OF(capacities)];
    struct random random = {TEST_SEED + (uint64_t)_i};
    begin(capacity);
    model_begin(capacity);
    CHECK_THAT(world.region.used == model.capacity);
    uint64_t keys = 10 + model.blocks_max;
    uint64_t owners = 1 + random_below(&random, 100);
    int64_t now_ms = NOW;
    int steps = model.blocks_max > 1000 ? 12000 : 20000;
    for (int i = 0; i < steps; i++) {
        uint64_t verb = random_below(&random, 100);
        now_ms = draw_time(&random, now_ms);
        if (verb < 50) {
            step_find(&random, keys, now_ms);
        } else if (verb < 99 || (i / 2000 % 2 == 0 && i % 20 != 0)) {
            step_admit(&random, keys, owners, now_ms);
        } else {
            uint64_t owner = random_below(&random, owners);
            lru_retire(&lru, owner, now_ms, UINT32_MAX);
            model_retire(owner, now_ms);
        }
        check_figures(now_ms);
        check_order();
        if (i % 100 == 0)
            lru_verify(&lru);
    }
    lru_verify(&lru);
    CHECK_THAT(model.capacity / 8 < COST || model.figures.evicted_size > 1000);
    for (uint64_t owner = 0; owner < owners; owner++) {
        lru_retire(&lru, owner, now_ms, UINT32_MAX);
        model_retire(owner, now_ms);
    }
    check_figures(now_ms);
    CHECK_THAT(lru_held(&lru) == 0);
    lru_verify(&lru);
    teardown();
}
END_TEST

/* ---- broken promises ---- */

static void three_entries(void)
{
    begin(SMALL);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert(admit(i, i, 100, NOW));
    lru_retire(&lru, 1, NOW, UINT32_MAX);
    lru_verify(&lru);
}

START_TEST(an_entry_that_never_was_stops)
{
    test_expect_stop();
    lru_value_bytes(&lru, lru.fresh);
}
END_TEST

START_TEST(verify_finds_a_broken_order)
{
    lru.blocks[lru.newest].entry.older = LRU_NONE;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_an_order_without_end)
{
    lru.blocks[lru.newest].entry.newer = lru.oldest;
    lru.blocks[lru.oldest].entry.older = lru.newest;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_an_entry_that_nobody_would_find)
{
    lru.blocks[lru.newest].entry.key.low ^= UINT64_C(1) << 63;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_a_bucket_without_end)
{
    lru.blocks[lru.newest].entry.chain = lru.newest;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_a_key_that_is_there_twice)
{
    lru.blocks[lru.newest].entry.key = lru.blocks[lru.oldest].entry.key;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_an_entry_in_another_owners_list)
{
    lru.blocks[lru.newest].entry.owner = 1000;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_an_owners_list_that_does_not_go_back)
{
    lru.blocks[lru.newest].entry.owner_before = lru.oldest;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_a_value_of_another_length)
{
    lru.blocks[lru.newest].entry.value_bytes = 1;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_a_lost_block)
{
    lru.free_first = lru.blocks[lru.free_first].rest.next;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_a_wrong_count)
{
    lru.figures.live_bytes += COST;
    ledger_grow(&world.ledger, POOL_CACHE, COST);
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_a_wrong_bill)
{
    ledger_grow(&world.ledger, POOL_CACHE, COST);
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_a_newest_that_is_not_the_last)
{
    lru.newest = lru.oldest;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_a_value_that_goes_on)
{
    lru.blocks[lru.blocks[lru.newest].entry.next].rest.next = 0;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_an_entry_in_no_bucket)
{
    for (uint32_t i = 0; i < lru.bucket_count; i++)
        lru.buckets[i].keyed = LRU_NONE;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_an_entry_in_no_owners_list)
{
    for (uint32_t i = 0; i < lru.bucket_count; i++)
        lru.buckets[i].owned = LRU_NONE;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_a_block_that_nobody_has)
{
    lru.free_first = lru.blocks[lru.free_first].rest.next;
    lru.free_count--;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_free_blocks_without_end)
{
    lru.blocks[lru.free_first].rest.next = lru.free_first;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_an_entry_too_few)
{
    lru.figures.admitted++;
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

START_TEST(verify_finds_a_wrong_count_of_objects)
{
    ledger_take(&world.ledger, POOL_CACHE, 0);
    test_expect_stop();
    lru_verify(&lru);
}
END_TEST

static TCase *promises(void)
{
    TCase *cache = tcase_create("promises");
    tcase_set_timeout(cache, 30);
    tcase_add_checked_fixture(cache, setup, teardown);
    tcase_add_test(cache, init_takes_what_was_predicted);
    tcase_add_test(cache, a_value_takes_the_blocks_its_length_needs);
    tcase_add_test(cache, the_empty_value_may_be_anywhere);
    tcase_add_test(cache, more_than_an_eighth_costs_nobody_a_place);
    tcase_add_test(cache, a_length_beyond_32_bits_is_too_large);
    tcase_add_test(cache, the_least_recently_used_goes_first_one_by_one);
    tcase_add_test(cache, no_more_is_evicted_than_is_needed);
    tcase_add_test(cache, keys_are_compared_whole);
    tcase_add_test(cache, an_equal_key_replaces_the_value);
    tcase_add_test(cache, a_replacement_of_equal_size_evicts_nobody);
    tcase_add_test(cache, the_largest_of_the_most_recently_used_are_told);
    tcase_add_test(cache, retiring_drops_the_owners_entries_and_no_others);
    tcase_add_test(cache, hits_and_misses_are_counted_with_what_they_saved);
    tcase_add_test(cache, a_cost_beyond_32_bits_is_the_highest);
    tcase_add_test(cache, only_live_values_may_be_touched);
    return cache;
}

/* Each begins and ends with caches of its own. */
static TCase *sizes(void)
{
    TCase *cache = tcase_create("sizes");
    tcase_set_timeout(cache, 120);
    tcase_add_test(cache, no_capacity_is_passed_and_little_is_left_over);
    tcase_add_test(cache, too_little_admits_nothing_and_finds_nothing);
    tcase_add_test(cache, a_hit_on_any_place_makes_it_the_newest);
    tcase_add_test(cache, owners_in_one_list_are_told_apart);
    tcase_add_test(cache, owners_numbered_in_a_row_hardly_share_lists);
    tcase_add_test(cache, ages_are_counted_up_to_and_with_their_bounds);
    tcase_add_test(cache, idle_is_since_the_last_use_or_else_since_admission);
    tcase_add_test(cache, a_clock_that_goes_back_makes_no_age);
    tcase_add_loop_test(cache, churn_agrees_with_an_array, 0, 2 * (int)COUNT_OF(capacities));
    return cache;
}

static TCase *stops(void)
{
    TCase *cache = tcase_create("stops");
    tcase_add_checked_fixture(cache, three_entries, NULL);
    tcase_add_test_raise_signal(cache, an_entry_that_never_was_stops, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_broken_order, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_an_order_without_end, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_an_entry_that_nobody_would_find, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_bucket_without_end, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_key_that_is_there_twice, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_an_entry_in_another_owners_list, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_an_owners_list_that_does_not_go_back, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_value_of_another_length, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_lost_block, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_wrong_count, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_wrong_bill, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_newest_that_is_not_the_last, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_value_that_goes_on, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_an_entry_in_no_bucket, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_an_entry_in_no_owners_list, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_block_that_nobody_has, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_free_blocks_without_end, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_an_entry_too_few, SIGABRT);
    tcase_add_test_raise_signal(cache, verify_finds_a_wrong_count_of_objects, SIGABRT);
    return cache;
}

Suite *lru_suite(void)
{
    Suite *suite = suite_create("lru");
    suite_add_tcase(suite, promises());
    suite_add_tcase(suite, sizes());
    suite_add_tcase(suite, stops());
    return suite;
}
