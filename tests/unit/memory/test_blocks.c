/* test_blocks.c: the pool beside a map with a byte for each unit, which says who has it. */
#include "memory/blocks.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <signal.h>

Suite *blocks_suite(void);

#define UNIT BLOCKS_UNIT_BYTES
#define UNITS_MAX 200
#define RUNS_MAX 40

static struct test_world world;
static struct blocks blocks;

/* Pools that end within a word of the bitmap, at its end, and just behind it. */
static const uint32_t unit_counts[] = {1, 63, 64, 65, 128, UNITS_MAX};

static void pool_init(uint32_t units)
{
    test_world_init(&world, (size_t)blocks_bytes((uint64_t)units * UNIT));
    blocks_init(&blocks, (uint64_t)units * UNIT, POOL_GROWTH, &world.ledger, &world.region);
}

static void teardown(void)
{
    test_world_end(&world);
}

static void check_bill(uint64_t held)
{
    CHECK_THAT(blocks_held(&blocks) == held);
    CHECK_THAT(ledger_figures(&world.ledger, POOL_GROWTH).live_bytes == held);
}

START_TEST(init_takes_what_was_predicted)
{
    uint64_t bytes = (uint64_t)unit_counts[_i] * UNIT;
    pool_init(unit_counts[_i]);
    ck_assert_uint_eq(world.region.used, blocks_bytes(bytes));
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_GROWTH).capacity_bytes, bytes);
    ck_assert_uint_eq(blocks.unit_count, unit_counts[_i]);
    check_bill(0);
}
END_TEST

START_TEST(a_run_is_rounded_up_to_units)
{
    size_t granted;
    pool_init(64);
    void *run = blocks_take(&blocks, 1, &granted);
    ck_assert_uint_eq(granted, UNIT);
    void *exact = blocks_take(&blocks, UNIT, &granted);
    ck_assert_uint_eq(granted, UNIT);
    void *longer = blocks_take(&blocks, UNIT + 1, &granted);
    ck_assert_uint_eq(granted, 2 * UNIT);
    check_bill(4 * UNIT);
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_GROWTH).live_objects, 3);
    blocks_give(&blocks, run, UNIT);
    blocks_give(&blocks, longer, 2 * UNIT);
    blocks_give(&blocks, exact, UNIT);
    check_bill(0);
}
END_TEST

START_TEST(small_runs_lie_left_and_large_ones_right)
{
    size_t granted;
    pool_init(UNITS_MAX);
    char *small = blocks_take(&blocks, UNIT, &granted);
    char *large = blocks_take(&blocks, 100 * UNIT, &granted);
    char *second = blocks_take(&blocks, 2 * UNIT, &granted);
    ck_assert_ptr_eq(small, blocks.base);
    ck_assert_ptr_eq(large, blocks.base + (UNITS_MAX - 100) * UNIT);
    ck_assert_ptr_eq(second, blocks.base + UNIT);
}
END_TEST

START_TEST(the_whole_pool_is_one_run_and_then_none)
{
    size_t granted = 0;
    pool_init(unit_counts[_i]);
    size_t all = (size_t)unit_counts[_i] * UNIT;
    void *run = blocks_take(&blocks, all, &granted);
    ck_assert_ptr_eq(run, blocks.base);
    ck_assert_uint_eq(granted, all);
    ck_assert_ptr_null(blocks_take(&blocks, 1, &granted));
    ck_assert_uint_eq(granted, all); /* untouched by a refusal */
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_GROWTH).refusals, 1);
    blocks_give(&blocks, run, all);
    ck_assert_ptr_nonnull(blocks_take(&blocks, all, &granted));
}
END_TEST

START_TEST(what_can_never_fit_is_refused)
{
    size_t granted = 7;
    pool_init(3);
    ck_assert_ptr_null(blocks_take(&blocks, 3 * UNIT + 1, &granted));
    ck_assert_ptr_null(blocks_take(&blocks, SIZE_MAX, &granted));
    ck_assert_ptr_null(blocks_take(&blocks, (size_t)UNIT << 32, &granted));
    ck_assert_ptr_null(blocks_take(&blocks, ((size_t)UNIT << 32) + UNIT, &granted));
    ck_assert_uint_eq(granted, 7);
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_GROWTH).refusals, 4);
    check_bill(0);
}
END_TEST

START_TEST(only_runs_that_are_out_may_be_touched)
{
    size_t granted;
    pool_init(4);
    ck_assert_int_eq(test_is_poisoned(blocks.base), TEST_POISONS);
    char *run = blocks_take(&blocks, 2 * UNIT, &granted);
    ck_assert(!test_is_poisoned(run));
    ck_assert(!test_is_poisoned(run + granted - 1));
    ck_assert_int_eq(test_is_poisoned(run + granted), TEST_POISONS);
    blocks_give(&blocks, run, granted);
    ck_assert_int_eq(test_is_poisoned(run), TEST_POISONS);
    ck_assert_int_eq(test_is_poisoned(run + granted - 1), TEST_POISONS);
}
END_TEST

/* ---- model ---- */

struct run {
    char *at; /* NULL: this place is free */
    size_t granted;
};

static struct {
    unsigned char owner[UNITS_MAX]; /* 0: free, else the place of a run and one */
    struct run runs[RUNS_MAX];
    uint64_t held;
} model;

static bool model_has_room(size_t units)
{
    size_t run = 0;
    for (uint32_t unit = 0; unit < blocks.unit_count; unit++) {
        run = model.owner[unit] == 0 ? run + 1 : 0;
        if (run == units)
            return true;
    }
    return false;
}

static void model_mark(const struct run *run, unsigned char from, unsigned char to)
{
    size_t first = (size_t)(run->at - blocks.base) / UNIT;
    for (size_t unit = first; unit < first + run->granted / UNIT; unit++) {
        CHECK_THAT(unit < blocks.unit_count);
        CHECK_THAT(model.owner[unit] == from);
        model.owner[unit] = to;
    }
}

static void model_take(unsigned place, size_t bytes)
{
    size_t units = (bytes + UNIT - 1) / UNIT;
    bool expected = bytes > 0 && model_has_room(units);
    struct run run = {0};
    run.at = blocks_take(&blocks, bytes, &run.granted);
    CHECK_THAT((run.at != NULL) == expected);
    if (run.at == NULL)
        return;
    CHECK_THAT(run.granted == units * UNIT);
    CHECK_THAT((size_t)(run.at - blocks.base) % UNIT == 0);
    model_mark(&run, 0, (unsigned char)(place + 1));
    memset(run.at, (int)place + 1, run.granted);
    model.runs[place] = run;
    model.held += run.granted;
}

static void model_give(unsigned place)
{
    struct run *run = &model.runs[place];
    for (size_t at = 0; at < run->granted; at += 61)
        CHECK_THAT(run->at[at] == (char)(place + 1));
    model_mark(run, (unsigned char)(place + 1), 0);
    blocks_give(&blocks, run->at, run->granted);
    model.held -= run->granted;
    run->at = NULL;
}

static size_t draw_bytes(struct random *random)
{
    if (random_below(random, 16) == 0)
        return (size_t)random_below(random, UNITS_MAX * (uint64_t)UNIT + 3 * UNIT);
    return (size_t)random_below(random, 6 * UNIT);
}

START_TEST(churn_agrees_with_a_map_of_units)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    pool_init(unit_counts[_i]);
    for (int i = 0; i < 20000; i++) {
        unsigned place = (unsigned)random_below(&random, RUNS_MAX);
        if (model.runs[place].at == NULL)
            model_take(place, draw_bytes(&random));
        else
            model_give(place);
        check_bill(model.held);
    }
    for (unsigned place = 0; place < RUNS_MAX; place++) {
        if (model.runs[place].at != NULL)
            model_give(place);
    }
    check_bill(0);
    model_take(0, (size_t)blocks.unit_count * UNIT); /* nothing is left cut up */
    CHECK_THAT(model.runs[0].at != NULL);
}
END_TEST

/* ---- broken promises ---- */

static char *taken(size_t bytes)
{
    size_t granted;
    pool_init(8);
    return blocks_take(&blocks, bytes, &granted);
}

START_TEST(giving_twice_stops)
{
    char *run = taken(UNIT);
    blocks_take(&blocks, UNIT, &(size_t){0});
    blocks_give(&blocks, run, UNIT);
    test_expect_stop();
    blocks_give(&blocks, run, UNIT);
}
END_TEST

START_TEST(giving_more_than_was_granted_stops)
{
    char *run = taken(2 * UNIT);
    test_expect_stop();
    blocks_give(&blocks, run, 3 * UNIT);
}
END_TEST

START_TEST(giving_what_is_no_run_stops)
{
    char *run = taken(2 * UNIT);
    test_expect_stop();
    blocks_give(&blocks, run + 64, UNIT);
}
END_TEST

START_TEST(giving_what_is_beyond_the_pool_stops)
{
    taken(8 * UNIT);
    test_expect_stop();
    blocks_give(&blocks, blocks.base + 7 * UNIT, 2 * UNIT);
}
END_TEST

Suite *blocks_suite(void)
{
    Suite *suite = suite_create("blocks");
    TCase *pool = tcase_create("pool");
    tcase_set_timeout(pool, 30);
    tcase_add_checked_fixture(pool, NULL, teardown);
    tcase_add_loop_test(pool, init_takes_what_was_predicted, 0, COUNT_OF(unit_counts));
    tcase_add_test(pool, a_run_is_rounded_up_to_units);
    tcase_add_test(pool, small_runs_lie_left_and_large_ones_right);
    tcase_add_loop_test(pool, the_whole_pool_is_one_run_and_then_none, 0, COUNT_OF(unit_counts));
    tcase_add_test(pool, what_can_never_fit_is_refused);
    tcase_add_test(pool, only_runs_that_are_out_may_be_touched);
    tcase_add_loop_test(pool, churn_agrees_with_a_map_of_units, 0, COUNT_OF(unit_counts));
    suite_add_tcase(suite, pool);
    TCase *stops = tcase_create("stops");
    tcase_add_test_raise_signal(stops, giving_twice_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, giving_more_than_was_granted_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, giving_what_is_no_run_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, giving_what_is_beyond_the_pool_stops, SIGABRT);
    suite_add_tcase(suite, stops);
    return suite;
}
