/* test_ledger.c: the accounts beside plain sums; what nobody may do to them stops the program. */
#include "memory/ledger.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <signal.h>
#include <string.h>
#include <threads.h>

Suite *ledger_suite(void);

#define CAPACITY 1000000

static struct ledger ledger;

static void setup(void)
{
    ledger_init(&ledger);
    for (int pool = 0; pool < POOL_COUNT; pool++)
        ledger.accounts[pool].capacity_bytes = CAPACITY;
}

/* ---- rows ---- */

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0)
            return true;
    }
    return false;
}

START_TEST(row_is_complete)
{
    static const char *const kinds[] = {"blocks", "arena", "buffer", "slots",
                                        "table",  "ring",  "lru"};
    static const char *const lifetimes[] = {"process", "connection", "request", "scratch",
                                            "batch",   "series",     "window",  "cached"};
    const struct pool_row *row = &pool_rows[_i];
    ck_assert_uint_gt(strlen(row->name), 0);
    ck_assert_uint_eq(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(row->name));
    ck_assert(is_one_of(row->kind, kinds, COUNT_OF(kinds)));
    ck_assert(is_one_of(row->lifetime, lifetimes, COUNT_OF(lifetimes)));
    ck_assert_uint_gt(strlen(row->text), 10);
    for (int other = 0; other < _i; other++)
        ck_assert_str_ne(row->name, pool_rows[other].name);
}
END_TEST

/* ---- peaks ---- */

START_TEST(a_period_has_its_own_peaks_and_those_of_all_time_stay)
{
    ledger_take(&ledger, POOL_SERIES, 900);
    ledger_give(&ledger, POOL_SERIES, 900);
    ledger_take(&ledger, POOL_SERIES, 100);
    ledger_begin_period(&ledger, 5000);
    ck_assert_uint_eq(ledger_figures(&ledger, POOL_SERIES).period_peak_bytes, 100);
    ledger_grow(&ledger, POOL_SERIES, 300);
    ledger_shrink(&ledger, POOL_SERIES, 200);
    ck_assert_uint_eq(ledger_figures(&ledger, POOL_SERIES).period_peak_bytes, 400);
    ck_assert_uint_eq(ledger_figures(&ledger, POOL_SERIES).peak_bytes, 900);
    ck_assert_uint_eq(atomic_load(&ledger.period_peak_bytes), 400);
    ck_assert_uint_eq(atomic_load(&ledger.peak_bytes), 900);
    ck_assert_int_eq(atomic_load(&ledger.period_ms), 5000);
    ledger_grow(&ledger, POOL_SERIES, 900);
    /* somebody has taken and not yet raised: the period's peak is there before he comes to it */
    atomic_fetch_add(&ledger.accounts[POOL_SETS].live_bytes, 70);
    ledger_begin_period(&ledger, 6000);
    ck_assert_uint_eq(ledger_figures(&ledger, POOL_SETS).peak_bytes, 70);
    ck_assert_uint_eq(ledger_figures(&ledger, POOL_SERIES).period_peak_bytes, 1100);
    ck_assert_uint_eq(ledger_figures(&ledger, POOL_SERIES).peak_bytes, 1100);
    ck_assert_uint_eq(atomic_load(&ledger.peak_bytes), 1100);
}
END_TEST

/* ---- arithmetic ---- */

START_TEST(one_account_counts_what_passes_its_door)
{
    ledger_take(&ledger, POOL_SERIES, 300);
    ledger_take(&ledger, POOL_SERIES, 200);
    ledger_grow(&ledger, POOL_SERIES, 50);
    ledger_shrink(&ledger, POOL_SERIES, 150);
    ledger_give(&ledger, POOL_SERIES, 300);
    ledger_refuse(&ledger, POOL_SERIES);
    ledger_refuse(&ledger, POOL_SERIES);
    struct account_figures figures = ledger_figures(&ledger, POOL_SERIES);
    ck_assert_uint_eq(figures.capacity_bytes, CAPACITY);
    ck_assert_uint_eq(figures.live_bytes, 100);
    ck_assert_uint_eq(figures.peak_bytes, 550);
    ck_assert_uint_eq(figures.live_objects, 1);
    ck_assert_uint_eq(figures.allocations, 2);
    ck_assert_uint_eq(figures.frees, 1);
    ck_assert_uint_eq(figures.refusals, 2);
    ck_assert_uint_eq(ledger_figures(&ledger, POOL_LABELS).allocations, 0);
}
END_TEST

START_TEST(a_visit_is_born_and_gone_and_leaves_its_peak)
{
    ledger_take(&ledger, POOL_BATCHES, 10);
    ledger_visit(&ledger, POOL_BATCHES, 500);
    ledger_visit(&ledger, POOL_BATCHES, 400);
    struct account_figures figures = ledger_figures(&ledger, POOL_BATCHES);
    ck_assert_uint_eq(figures.live_bytes, 10);
    ck_assert_uint_eq(figures.peak_bytes, 510);
    ck_assert_uint_eq(figures.live_objects, 1);
    ck_assert_uint_eq(figures.allocations, 3);
    ck_assert_uint_eq(figures.frees, 2);
}
END_TEST

START_TEST(the_peak_of_all_is_that_of_their_sum_and_knows_its_time)
{
    ledger.now_ms = 1000;
    ledger_take(&ledger, POOL_SERIES, 100);
    ledger_give(&ledger, POOL_SERIES, 100);
    ledger.now_ms = 2000;
    ledger_take(&ledger, POOL_LABELS, 90);
    ck_assert_uint_eq(ledger.live_bytes, 90);
    ck_assert_uint_eq(ledger.peak_bytes, 100); /* not 190: they were never held at once */
    ck_assert_int_eq(ledger.peak_at_ms, 1000);
    ledger.now_ms = 3000;
    ledger_take(&ledger, POOL_SETS, 11);
    ck_assert_uint_eq(ledger.peak_bytes, 101);
    ck_assert_int_eq(ledger.peak_at_ms, 3000);
}
END_TEST

START_TEST(a_full_account_is_within_its_capacity)
{
    ledger_take(&ledger, POOL_SETS, CAPACITY);
    ck_assert_uint_eq(ledger_figures(&ledger, POOL_SETS).live_bytes, CAPACITY);
}
END_TEST

/* ---- beside plain sums ---- */

struct plain_account {
    uint64_t sizes[64]; /* of its live objects */
    uint32_t count;
    uint64_t live;
    uint64_t peak;
    uint64_t allocations;
    uint64_t frees;
};

static void step(struct plain_account *plain, enum pool pool, struct random *random)
{
    uint64_t bytes = 1 + random_below(random, 1000);
    if (plain->count < COUNT_OF(plain->sizes) && random_below(random, 2) == 0) {
        ledger_take(&ledger, pool, bytes);
        plain->sizes[plain->count++] = bytes;
        plain->live += bytes;
        plain->allocations++;
    } else if (plain->count > 0 && random_below(random, 3) == 0) {
        ledger_grow(&ledger, pool, bytes);
        plain->sizes[plain->count - 1] += bytes;
        plain->live += bytes;
    } else if (plain->count > 0) {
        uint64_t given = plain->sizes[--plain->count];
        ledger_give(&ledger, pool, given);
        plain->live -= given;
        plain->frees++;
    }
    plain->peak = plain->live > plain->peak ? plain->live : plain->peak;
}

START_TEST(all_figures_agree_with_plain_sums)
{
    struct random random = {TEST_SEED};
    struct plain_account plain[POOL_COUNT] = {0};
    uint64_t peak = 0;
    for (int i = 0; i < 20000; i++) {
        enum pool pool = (enum pool)random_below(&random, POOL_COUNT);
        step(&plain[pool], pool, &random);
        struct account_figures figures = ledger_figures(&ledger, pool);
        CHECK_THAT(figures.live_bytes == plain[pool].live);
        CHECK_THAT(figures.peak_bytes == plain[pool].peak);
        CHECK_THAT(figures.live_objects == plain[pool].count);
        CHECK_THAT(figures.allocations == plain[pool].allocations);
        CHECK_THAT(figures.frees == plain[pool].frees);
        uint64_t live = 0;
        for (int each = 0; each < POOL_COUNT; each++)
            live += plain[each].live;
        peak = live > peak ? live : peak;
        CHECK_THAT(ledger.live_bytes == live);
        CHECK_THAT(ledger.peak_bytes == peak);
    }
}
END_TEST

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS 50000

static int hammer(void *argument)
{
    const enum pool *pool = argument;
    for (int i = 0; i < ROUNDS; i++) {
        ledger_take(&ledger, *pool, 10);
        ledger_visit(&ledger, POOL_BATCHES, 7);
        ledger_give(&ledger, *pool, 10);
        ledger_refuse(&ledger, *pool);
    }
    return 0;
}

START_TEST(no_figure_is_lost_between_threads)
{
    thrd_t threads[THREADS];
    enum pool pool = POOL_GROWTH;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(thrd_create(&threads[i], hammer, &pool), thrd_success);
    for (int i = 0; i < THREADS; i++)
        thrd_join(threads[i], NULL);
    struct account_figures figures = ledger_figures(&ledger, pool);
    ck_assert_uint_eq(figures.live_bytes, 0);
    ck_assert_uint_eq(figures.live_objects, 0);
    ck_assert_uint_eq(figures.allocations, THREADS * ROUNDS);
    ck_assert_uint_eq(figures.frees, THREADS * ROUNDS);
    ck_assert_uint_eq(figures.refusals, THREADS * ROUNDS);
    ck_assert_uint_ge(figures.peak_bytes, 10);
    ck_assert_uint_le(figures.peak_bytes, 10 * THREADS);
    ck_assert_uint_eq(ledger.live_bytes, 0);
    ck_assert_uint_le(ledger.peak_bytes, 17 * THREADS);
}
END_TEST

/* ---- broken promises ---- */

START_TEST(more_than_the_capacity_stops)
{
    test_expect_stop();
    ledger_take(&ledger, POOL_SETS, CAPACITY);
    ledger_grow(&ledger, POOL_SETS, 1);
}
END_TEST

START_TEST(giving_back_more_than_is_live_stops)
{
    test_expect_stop();
    ledger_take(&ledger, POOL_SETS, 10);
    ledger_give(&ledger, POOL_SETS, 11);
}
END_TEST

START_TEST(giving_back_an_object_that_was_not_taken_stops)
{
    test_expect_stop();
    ledger_give(&ledger, POOL_SETS, 0);
}
END_TEST

Suite *ledger_suite(void)
{
    Suite *suite = suite_create("ledger");
    TCase *accounts = tcase_create("accounts");
    tcase_set_timeout(accounts, 30);
    tcase_add_checked_fixture(accounts, setup, NULL);
    tcase_add_loop_test(accounts, row_is_complete, 0, POOL_COUNT);
    tcase_add_test(accounts, one_account_counts_what_passes_its_door);
    tcase_add_test(accounts, a_period_has_its_own_peaks_and_those_of_all_time_stay);
    tcase_add_test(accounts, a_visit_is_born_and_gone_and_leaves_its_peak);
    tcase_add_test(accounts, the_peak_of_all_is_that_of_their_sum_and_knows_its_time);
    tcase_add_test(accounts, a_full_account_is_within_its_capacity);
    tcase_add_test(accounts, all_figures_agree_with_plain_sums);
    tcase_add_test(accounts, no_figure_is_lost_between_threads);
    suite_add_tcase(suite, accounts);
    TCase *stops = tcase_create("stops");
    tcase_add_checked_fixture(stops, setup, NULL);
    tcase_add_test_raise_signal(stops, more_than_the_capacity_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, giving_back_more_than_is_live_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, giving_back_an_object_that_was_not_taken_stops, SIGABRT);
    suite_add_tcase(suite, stops);
    return suite;
}
