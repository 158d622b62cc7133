/* test_quiet.c: what must be empty when no request is in flight, and what is said when it is not. */
#include "memory/quiet.h"

#include "support.h"

Suite *quiet_suite(void);

static struct ledger ledger;
static struct quiet quiet;

static void setup(void)
{
    ledger_init(&ledger);
    for (int pool = 0; pool < POOL_COUNT; pool++)
        ledger.accounts[pool].capacity_bytes = 1000;
    quiet_init(&quiet);
}

static uint64_t bit(enum pool pool)
{
    return (uint64_t)1 << pool;
}

START_TEST(an_empty_ledger_is_quiet)
{
    ck_assert_uint_eq(quiet_look(&ledger), 0);
}
END_TEST

/* Pools that die with the request or sooner; connections stay, and so does what is stored. */
START_TEST(pools_of_requests_must_be_empty_and_no_others)
{
    enum pool pool = (enum pool)_i;
    bool dies = strcmp(pool_rows[pool].lifetime, "request") == 0 ||
                strcmp(pool_rows[pool].lifetime, "scratch") == 0 ||
                strcmp(pool_rows[pool].lifetime, "batch") == 0;
    ledger_take(&ledger, pool, 1);
    ck_assert_uint_eq(quiet_look(&ledger), dies ? bit(pool) : 0);
    ck_assert(quiet_holds_for(pool) == dies);
    ledger_give(&ledger, pool, 1);
    ck_assert_uint_eq(quiet_look(&ledger), 0);
}
END_TEST

START_TEST(an_object_without_bytes_is_seen)
{
    ledger_take(&ledger, POOL_GROWTH, 0);
    ck_assert_uint_eq(quiet_look(&ledger), bit(POOL_GROWTH));
}
END_TEST

START_TEST(a_byte_that_an_object_grew_by_is_seen)
{
    ledger_take(&ledger, POOL_REQUESTS, 8);
    ledger_grow(&ledger, POOL_REQUESTS, 1);
    ledger_give(&ledger, POOL_REQUESTS, 8);
    ck_assert_uint_eq(quiet_look(&ledger), bit(POOL_REQUESTS));
}
END_TEST

/* Live is 0 by chance: given twice, and taken without being counted. */
START_TEST(an_allocation_without_its_free_is_seen)
{
    atomic_store(&ledger.accounts[POOL_SCRATCH].allocations, 7);
    atomic_store(&ledger.accounts[POOL_SCRATCH].frees, 6);
    ck_assert_uint_eq(quiet_look(&ledger), bit(POOL_SCRATCH));
}
END_TEST

START_TEST(points_and_failures_are_counted_by_pool)
{
    quiet_count(&quiet, 0, 1000);
    quiet_count(&quiet, bit(POOL_GROWTH), 2000);
    quiet_count(&quiet, bit(POOL_GROWTH) | bit(POOL_SCRATCH), 3000);
    struct quiet_figures figures = quiet_figures(&quiet);
    ck_assert_uint_eq(figures.points, 3);
    ck_assert_uint_eq(figures.failures, 2);
    ck_assert_uint_eq(figures.pool_failures[POOL_GROWTH], 2);
    ck_assert_uint_eq(figures.pool_failures[POOL_SCRATCH], 1);
    ck_assert_uint_eq(figures.pool_failures[POOL_REQUESTS], 0);
    ck_assert_int_eq(figures.since_ms[POOL_GROWTH], 2000);
    ck_assert_int_eq(figures.since_ms[POOL_SCRATCH], 3000);
    ck_assert_int_eq(figures.since_ms[POOL_REQUESTS], 0);
}
END_TEST

START_TEST(a_good_point_ends_the_row_of_failures)
{
    quiet_count(&quiet, bit(POOL_GROWTH), 2000);
    quiet_count(&quiet, 0, 3000);
    ck_assert_int_eq(quiet_figures(&quiet).since_ms[POOL_GROWTH], 0);
    quiet_count(&quiet, bit(POOL_GROWTH), 4000);
    ck_assert_int_eq(quiet_figures(&quiet).since_ms[POOL_GROWTH], 4000);
    ck_assert_uint_eq(quiet_figures(&quiet).pool_failures[POOL_GROWTH], 2);
}
END_TEST

Suite *quiet_suite(void)
{
    Suite *suite = suite_create("quiet");
    TCase *tcase = tcase_create("quiet");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, an_empty_ledger_is_quiet);
    tcase_add_loop_test(tcase, pools_of_requests_must_be_empty_and_no_others, 0, POOL_COUNT);
    tcase_add_test(tcase, an_object_without_bytes_is_seen);
    tcase_add_test(tcase, a_byte_that_an_object_grew_by_is_seen);
    tcase_add_test(tcase, an_allocation_without_its_free_is_seen);
    tcase_add_test(tcase, points_and_failures_are_counted_by_pool);
    tcase_add_test(tcase, a_good_point_ends_the_row_of_failures);
    suite_add_tcase(suite, tcase);
    return suite;
}
