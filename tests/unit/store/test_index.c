/*
 * test_index.c: the table beside an array of what is in it; tags that crowd together, and at the
 * table's end.
 */
#include "store/index.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <signal.h>

Suite *index_suite(void);

#define SLOTS 300

static struct test_world world;
static struct index table;

static void table_init(uint64_t slots)
{
    test_world_init(&world, (size_t)index_bytes(slots));
    index_init(&table, slots, &world.ledger, &world.region);
}

static void teardown(void)
{
    test_world_end(&world);
}

START_TEST(init_takes_what_was_predicted)
{
    table_init(SLOTS);
    ck_assert_uint_eq(world.region.used, index_bytes(SLOTS));
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_INDEX).capacity_bytes,
                      table.entry_count * sizeof(struct index_entry));
    ck_assert_uint_eq(table.live_count, 0);
    /* never more than three quarters full, and never quite full */
    ck_assert_uint_ge(table.entry_count * 3 / 4, SLOTS);
}
END_TEST

START_TEST(two_tables_share_an_account)
{
    struct index other;
    test_world_init(&world, (size_t)(index_bytes(SLOTS) + index_bytes(7)));
    index_init(&table, SLOTS, &world.ledger, &world.region);
    index_init(&other, 7, &world.ledger, &world.region);
    index_insert(&table, 1, 0);
    index_insert(&other, 1, 0);
    struct account_figures figures = ledger_figures(&world.ledger, POOL_INDEX);
    ck_assert_uint_eq(figures.capacity_bytes,
                      (table.entry_count + other.entry_count) * sizeof(struct index_entry));
    ck_assert_uint_eq(figures.live_bytes, 2 * sizeof(struct index_entry));
}
END_TEST

START_TEST(an_empty_table_finds_nothing)
{
    table_init(SLOTS);
    struct random random = {TEST_SEED};
    for (int i = 0; i < 1000; i++) {
        uint64_t hash = random_next(&random);
        uint64_t at = index_home(&table, index_tag(hash));
        CHECK_THAT(at < table.entry_count);
        CHECK_THAT(index_next(&table, hash, &at) == SLOT_NONE);
    }
}
END_TEST

START_TEST(the_smallest_table_holds_its_slot)
{
    table_init(1);
    index_insert(&table, UINT64_MAX, 0);
    uint64_t at = index_home(&table, UINT32_MAX);
    ck_assert_uint_eq(index_next(&table, UINT64_MAX, &at), 0);
    ck_assert_uint_eq(index_next(&table, UINT64_MAX, &at), SLOT_NONE);
    index_remove(&table, UINT64_MAX, 0);
    at = index_home(&table, UINT32_MAX);
    ck_assert_uint_eq(index_next(&table, UINT64_MAX, &at), SLOT_NONE);
}
END_TEST

/* ---- model ---- */

static struct {
    uint64_t hash[SLOTS];
    bool live[SLOTS];
    uint32_t count;
} model;

/* How the upper 32 bits, which say where an entry belongs, are drawn. */
static uint64_t draw_hash(struct random *random, int shape)
{
    uint64_t low = random_next(random) & UINT32_MAX;
    switch (shape) {
    case 0: /* evenly */
        return random_next(random);
    case 1: /* all in one place */
        return (uint64_t)77 << 32 | low;
    case 2: /* in a handful of places next to each other */
        return (uint64_t)(0x80000000u + random_below(random, 8) * (UINT32_MAX / 400)) << 32 | low;
    case 3: /* at the table's end, from where they go on at its beginning */
        return (uint64_t)(UINT32_MAX - random_below(random, 1 << 26)) << 32 | low;
    default: /* some crowded, some not */
        return random_below(random, 3) == 0 ? random_next(random)
                                            : (uint64_t)random_below(random, 20) << 60 | low;
    }
}

/* A look-up gives each slot with this tag once, and nothing else. */
static void check_find(uint64_t hash)
{
    bool seen[SLOTS] = {false};
    uint64_t at = index_home(&table, index_tag(hash));
    uint32_t slot;
    while ((slot = index_next(&table, hash, &at)) != SLOT_NONE) {
        CHECK_THAT(slot < SLOTS && model.live[slot]);
        CHECK_THAT(index_tag(model.hash[slot]) == index_tag(hash));
        CHECK_THAT(!seen[slot]);
        seen[slot] = true;
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        bool expected = model.live[i] && index_tag(model.hash[i]) == index_tag(hash);
        CHECK_THAT(seen[i] == expected);
    }
}

static void model_turn(uint32_t slot, uint64_t hash)
{
    if (model.live[slot]) {
        index_remove(&table, model.hash[slot], slot);
        model.count--;
    } else {
        index_insert(&table, hash, slot);
        model.hash[slot] = hash;
        model.count++;
    }
    model.live[slot] = !model.live[slot];
}

static void check_all(void)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        check_find(model.hash[slot]); /* those that are gone, too */
    CHECK_THAT(table.live_count == model.count);
    CHECK_THAT(ledger_figures(&world.ledger, POOL_INDEX).live_bytes ==
               model.count * sizeof(struct index_entry));
}

START_TEST(churn_agrees_with_an_array)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    table_init(SLOTS);
    for (int i = 0; i < 30000; i++) {
        uint32_t slot = (uint32_t)random_below(&random, SLOTS);
        bool fills = i / 2000 % 3 != 2; /* full for a while, then emptier */
        if (model.live[slot] == fills && random_below(&random, 4) != 0)
            continue;
        model_turn(slot, draw_hash(&random, _i));
        if (i % 16 == 0)
            check_find(model.hash[random_below(&random, SLOTS)]);
        if (i % 3000 == 0)
            check_all();
    }
    check_all();
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (model.live[slot])
            model_turn(slot, 0);
    }
    check_all();
    for (uint64_t at = 0; at < table.entry_count; at++) /* no tombstones */
        CHECK_THAT(table.entries[at].slot_plus_one == 0);
}
END_TEST

START_TEST(every_slot_there_is_has_room)
{
    struct random random = {TEST_SEED};
    table_init(SLOTS);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        model_turn(slot, draw_hash(&random, _i));
    check_all();
}
END_TEST

/* ---- broken promises ---- */

START_TEST(removing_what_is_not_there_stops)
{
    table_init(SLOTS);
    index_insert(&table, 5, 1);
    test_expect_stop();
    index_remove(&table, 5, 2);
}
END_TEST

START_TEST(more_than_there_are_slots_stops)
{
    table_init(3);
    test_expect_stop();
    for (uint32_t slot = 0; slot < 100; slot++)
        index_insert(&table, slot, slot);
}
END_TEST

Suite *index_suite(void)
{
    Suite *suite = suite_create("index");
    TCase *entries = tcase_create("entries");
    tcase_set_timeout(entries, 30);
    tcase_add_checked_fixture(entries, NULL, teardown);
    tcase_add_test(entries, init_takes_what_was_predicted);
    tcase_add_test(entries, two_tables_share_an_account);
    tcase_add_test(entries, an_empty_table_finds_nothing);
    tcase_add_test(entries, the_smallest_table_holds_its_slot);
    tcase_add_loop_test(entries, churn_agrees_with_an_array, 0, 5);
    tcase_add_loop_test(entries, every_slot_there_is_has_room, 0, 5);
    suite_add_tcase(suite, entries);
    TCase *stops = tcase_create("stops");
    tcase_add_test_raise_signal(stops, removing_what_is_not_there_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, more_than_there_are_slots_stops, SIGABRT);
    suite_add_tcase(suite, stops);
    return suite;
}
