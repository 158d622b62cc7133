/*
 * test_slots.c: the pool beside an array that knows of each slot whether it is live, and what is in
 * it.
 */
#include "memory/slots.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <signal.h>

Suite *slots_suite(void);

#define SLOTS 50
#define OBJECT 72 /* no power of two */

static struct test_world world;
static struct slots slots;
static struct sites sites;

static void setup(void)
{
    test_world_init(&world, (size_t)slots_bytes(OBJECT, SLOTS));
    slots_init(&slots, OBJECT, SLOTS, POOL_SERIES, &world.ledger, &world.region);
}

static void setup_traced(void)
{
    test_world_init(&world, (size_t)(slots_bytes(OBJECT, SLOTS) + slot_sites_bytes(SLOTS)));
    sites_init(&sites);
    world.ledger.sites = &sites;
    slots_init(&slots, OBJECT, SLOTS, POOL_SERIES, &world.ledger, &world.region);
}

static void teardown(void)
{
    test_world_end(&world);
}

START_TEST(init_takes_what_was_predicted)
{
    ck_assert_uint_eq(world.region.used, slots_bytes(OBJECT, SLOTS));
    struct account_figures figures = ledger_figures(&world.ledger, POOL_SERIES);
    ck_assert_uint_eq(figures.capacity_bytes, SLOTS * slot_cost(OBJECT));
    ck_assert_uint_eq(figures.live_bytes, 0);
    ck_assert_uint_eq(slots_free_count(&slots), SLOTS);
    ck_assert(!slots_is_live(&slots, 0));
    slots_verify(&slots);
}
END_TEST

START_TEST(a_full_pool_refuses_and_counts)
{
    uint32_t index = SLOT_NONE;
    for (int i = 0; i < SLOTS; i++) {
        index = slots_acquire(&slots);
        ck_assert_uint_eq(index, (uint32_t)i); /* slots never used are taken in order */
    }
    ck_assert_uint_eq(slots_acquire(&slots), SLOT_NONE);
    ck_assert_uint_eq(slots_acquire(&slots), SLOT_NONE);
    struct account_figures figures = ledger_figures(&world.ledger, POOL_SERIES);
    ck_assert_uint_eq(figures.refusals, 2);
    ck_assert_uint_eq(figures.live_bytes, figures.capacity_bytes);
    slots_release(&slots, &index);
    ck_assert_uint_eq(index, SLOT_NONE);
    ck_assert_uint_eq(slots_acquire(&slots), SLOTS - 1);
    slots_verify(&slots);
}
END_TEST

START_TEST(the_last_one_released_is_the_first_one_taken)
{
    uint32_t index[4];
    for (int i = 0; i < 4; i++)
        index[i] = slots_acquire(&slots);
    uint32_t first = index[1];
    uint32_t second = index[3];
    slots_release(&slots, &index[1]);
    slots_release(&slots, &index[3]);
    ck_assert_uint_eq(slots_acquire(&slots), second);
    ck_assert_uint_eq(slots_acquire(&slots), first);
    ck_assert_uint_eq(slots_acquire(&slots), 4);
}
END_TEST

START_TEST(an_object_comes_as_zeros)
{
    uint32_t index = slots_acquire(&slots);
    unsigned char *object = slots_at(&slots, index);
    memset(object, 0xa5, OBJECT);
    slots_release(&slots, &index);
    index = slots_acquire(&slots);
    object = slots_at(&slots, index);
    for (int i = 0; i < OBJECT; i++)
        ck_assert_uint_eq(object[i], 0);
}
END_TEST

START_TEST(only_live_objects_may_be_touched)
{
    ck_assert_int_eq(test_is_poisoned(slots_at(&slots, 0)), TEST_POISONS);
    uint32_t index = slots_acquire(&slots);
    char *object = slots_at(&slots, index);
    ck_assert(!test_is_poisoned(object));
    ck_assert(!test_is_poisoned(object + OBJECT - 1));
    ck_assert_int_eq(test_is_poisoned(object + OBJECT), TEST_POISONS);
    slots_release(&slots, &index);
    ck_assert_int_eq(test_is_poisoned(object), TEST_POISONS);
    ck_assert_int_eq(test_is_poisoned(object + OBJECT - 1), TEST_POISONS);
}
END_TEST

/* ---- model ---- */

#define SITES_USED 3

static const char *const site_names[SITES_USED] = {"a.c:1", "a.c:2", "b.c:1"};

struct plain_slot {
    bool live;
    int site;
    uint32_t generation; /* as it was when it was last seen */
    unsigned char filling;
};

static struct {
    struct plain_slot slots[SLOTS];
    uint32_t live;
    uint64_t refusals;
} model;

static void model_acquire(unsigned char filling)
{
    int site = filling % SITES_USED;
    uint32_t index = slots_acquire_at(&slots, site_names[site]);
    CHECK_THAT((index == SLOT_NONE) == (model.live == SLOTS));
    if (index == SLOT_NONE) {
        model.refusals++;
        return;
    }
    struct plain_slot *plain = &model.slots[index];
    CHECK_THAT(!plain->live);
    CHECK_THAT(slots_generation(&slots, index) == plain->generation + 1); /* odd: live */
    CHECK_THAT(slots_generation(&slots, index) % 2 == 1);
    memset(slots_at(&slots, index), filling, OBJECT);
    *plain = (struct plain_slot){true, site, slots_generation(&slots, index), filling};
    model.live++;
}

static void model_release(uint32_t index)
{
    struct plain_slot *plain = &model.slots[index];
    const unsigned char *object = slots_at(&slots, index);
    for (int i = 0; i < OBJECT; i++)
        CHECK_THAT(object[i] == plain->filling);
    uint32_t given = index;
    slots_release(&slots, &given);
    CHECK_THAT(given == SLOT_NONE);
    CHECK_THAT(slots_generation(&slots, index) == plain->generation + 1); /* even: free */
    plain->generation++;
    plain->live = false;
    model.live--;
}

/* Each line holds what it acquired, and all of them what the pool has live. */
static void check_sites(void)
{
    uint64_t live[SITES_USED] = {0};
    uint64_t sum = 0;
    for (uint32_t index = 0; index < SLOTS; index++) {
        if (model.slots[index].live)
            live[model.slots[index].site] += slot_cost(OBJECT);
    }
    for (uint16_t row = 0; row < SITES_ROWS; row++) {
        struct site_figures figures = sites_figures(&sites, row);
        sum += figures.live_bytes;
        for (int site = 0; site < SITES_USED; site++)
            CHECK_THAT(figures.allocations == 0 || strcmp(figures.name, site_names[site]) != 0 ||
                       figures.live_bytes == live[site]);
        CHECK_THAT(figures.live_objects * slot_cost(OBJECT) == figures.live_bytes);
    }
    CHECK_THAT(sum == ledger_figures(&world.ledger, POOL_SERIES).live_bytes);
}

static void check_against_model(void)
{
    struct account_figures figures = ledger_figures(&world.ledger, POOL_SERIES);
    CHECK_THAT(slots.live_count == model.live);
    CHECK_THAT(slots_free_count(&slots) == SLOTS - model.live);
    CHECK_THAT(figures.live_bytes == model.live * slot_cost(OBJECT));
    CHECK_THAT(figures.live_objects == model.live);
    CHECK_THAT(figures.refusals == model.refusals);
    for (uint32_t index = 0; index < SLOTS; index++)
        CHECK_THAT(slots_is_live(&slots, index) == model.slots[index].live);
    slots_verify(&slots);
    if (slots.site_rows != NULL)
        check_sites();
}

START_TEST(churn_agrees_with_an_array)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    for (int i = 0; i < 20000; i++) {
        uint32_t index = (uint32_t)random_below(&random, SLOTS);
        bool fills = i / 500 % 2 == 0; /* full and empty in turns */
        if (model.slots[index].live && random_below(&random, 4) < (fills ? 1 : 3))
            model_release(index);
        else
            model_acquire((unsigned char)random_next(&random));
        if (i % 10 == 0)
            check_against_model();
    }
    for (uint32_t index = 0; index < SLOTS; index++) {
        if (model.slots[index].live)
            model_release(index);
    }
    check_against_model();
}
END_TEST

/* ---- traced ---- */

START_TEST(a_traced_pool_takes_an_array_more_and_no_other_capacity)
{
    ck_assert_uint_eq(world.region.used, slots_bytes(OBJECT, SLOTS) + slot_sites_bytes(SLOTS));
    ck_assert_uint_eq(slot_sites_bytes(SLOTS), region_piece_bytes(SLOTS * sizeof(uint16_t)));
    struct account_figures figures = ledger_figures(&world.ledger, POOL_SERIES);
    ck_assert_uint_eq(figures.capacity_bytes, SLOTS * slot_cost(OBJECT));
}
END_TEST

START_TEST(a_slot_is_charged_to_the_line_that_acquires_it)
{
    char here[100];
    snprintf(here, sizeof here, "unit/memory/test_slots.c:%d", __LINE__ + 1);
    uint32_t index = slots_acquire(&slots);
    uint16_t row = slots.site_rows[index];
    ck_assert_ptr_nonnull(strstr(sites_figures(&sites, row).name, here));
    ck_assert_uint_eq(sites_figures(&sites, row).live_bytes, slot_cost(OBJECT));
    slots_release(&slots, &index);
    ck_assert_uint_eq(sites_figures(&sites, row).live_bytes, 0);
    ck_assert_uint_eq(sites_figures(&sites, row).live_objects, 0);
}
END_TEST

/* ---- broken promises ---- */

START_TEST(releasing_twice_stops)
{
    uint32_t index = slots_acquire(&slots);
    uint32_t again = index;
    slots_release(&slots, &index);
    test_expect_stop();
    slots_release(&slots, &again);
}
END_TEST

START_TEST(releasing_what_was_never_taken_stops)
{
    uint32_t index = 3;
    slots_acquire(&slots);
    test_expect_stop();
    slots_release(&slots, &index);
}
END_TEST

START_TEST(verify_finds_a_slot_on_no_list)
{
    uint32_t index = slots_acquire(&slots);
    slots_release(&slots, &index);
    slots.free_first = SLOT_NONE;
    test_expect_stop();
    slots_verify(&slots);
}
END_TEST

START_TEST(verify_finds_a_list_without_end)
{
    uint32_t index[2] = {slots_acquire(&slots), slots_acquire(&slots)};
    uint32_t last = index[0];
    slots_release(&slots, &index[0]);
    slots_release(&slots, &index[1]);
    slots.states[last].next_free = slots.free_first;
    test_expect_stop();
    slots_verify(&slots);
}
END_TEST

START_TEST(verify_finds_a_live_slot_on_the_list)
{
    uint32_t index = slots_acquire(&slots);
    slots.free_first = index;
    slots.states[index].next_free = SLOT_NONE;
    test_expect_stop();
    slots_verify(&slots);
}
END_TEST

START_TEST(verify_finds_a_wrong_count)
{
    slots_acquire(&slots);
    slots.live_count++;
    test_expect_stop();
    slots_verify(&slots);
}
END_TEST

Suite *slots_suite(void)
{
    Suite *suite = suite_create("slots");
    TCase *pool = tcase_create("pool");
    tcase_set_timeout(pool, 30);
    tcase_add_checked_fixture(pool, setup, teardown);
    tcase_add_test(pool, init_takes_what_was_predicted);
    tcase_add_test(pool, a_full_pool_refuses_and_counts);
    tcase_add_test(pool, the_last_one_released_is_the_first_one_taken);
    tcase_add_test(pool, an_object_comes_as_zeros);
    tcase_add_test(pool, only_live_objects_may_be_touched);
    tcase_add_loop_test(pool, churn_agrees_with_an_array, 0, 4);
    suite_add_tcase(suite, pool);
    TCase *traced = tcase_create("traced");
    tcase_set_timeout(traced, 30);
    tcase_add_checked_fixture(traced, setup_traced, teardown);
    tcase_add_test(traced, a_traced_pool_takes_an_array_more_and_no_other_capacity);
    tcase_add_test(traced, a_slot_is_charged_to_the_line_that_acquires_it);
    tcase_add_test(traced, a_full_pool_refuses_and_counts);
    tcase_add_test(traced, only_live_objects_may_be_touched);
    tcase_add_loop_test(traced, churn_agrees_with_an_array, 0, 4);
    suite_add_tcase(suite, traced);
    TCase *stops = tcase_create("stops");
    tcase_add_checked_fixture(stops, setup, NULL);
    tcase_add_test_raise_signal(stops, releasing_twice_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, releasing_what_was_never_taken_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, verify_finds_a_slot_on_no_list, SIGABRT);
    tcase_add_test_raise_signal(stops, verify_finds_a_list_without_end, SIGABRT);
    tcase_add_test_raise_signal(stops, verify_finds_a_live_slot_on_the_list, SIGABRT);
    tcase_add_test_raise_signal(stops, verify_finds_a_wrong_count, SIGABRT);
    suite_add_tcase(suite, stops);
    return suite;
}
