/*
 * test_sites.c: sites by pointer and by text, a table that is full, figures beside plain sums, and
 * many threads at once. Arenas and slots that charge their sites are in their own suites.
 */
#include "memory/sites.h"

#include "base/hash.h"
#include "base/random.h"
#include "reply/compress.h"
#include "support.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <threads.h>

Suite *sites_suite(void);

#define NAME_BYTES 32
#define MANY (SITES_MAX * 8) /* more pointers than there are hints */

static struct sites sites;
static char names[MANY][NAME_BYTES];

static void setup(void)
{
    sites_init(&sites);
    for (int i = 0; i < MANY; i++)
        snprintf(names[i], NAME_BYTES, "lib/some/file.c:%d", i);
}

static struct site_figures sum_of_rows(void)
{
    struct site_figures sum = {0};
    for (uint16_t row = 0; row < SITES_ROWS; row++) {
        struct site_figures figures = sites_figures(&sites, row);
        sum.live_bytes += figures.live_bytes;
        sum.live_objects += figures.live_objects;
        sum.allocated_bytes += figures.allocated_bytes;
        sum.allocations += figures.allocations;
    }
    return sum;
}

/* ---- which row ---- */

START_TEST(a_line_is_one_row)
{
    uint16_t row = sites_take(&sites, names[0], 16);
    ck_assert_uint_lt(row, SITES_MAX);
    ck_assert_uint_eq(sites_take(&sites, names[0], 32), row);
    ck_assert_uint_ne(sites_take(&sites, names[1], 32), row);
    struct site_figures figures = sites_figures(&sites, row);
    ck_assert_str_eq(figures.name, names[0]);
    ck_assert_uint_eq(figures.live_bytes, 48);
    ck_assert_uint_eq(figures.live_objects, 2);
}
END_TEST

START_TEST(equal_texts_are_one_site)
{
    char other[NAME_BYTES];
    strcpy(other, names[7]);
    uint16_t row = sites_take(&sites, names[7], 16);
    for (int i = 0; i < 3; i++) { /* in turns, so that neither is only remembered */
        ck_assert_uint_eq(sites_take(&sites, other, 16), row);
        ck_assert_uint_eq(sites_take(&sites, names[7], 16), row);
    }
    ck_assert_uint_eq(sites_figures(&sites, row).allocations, 7);
}
END_TEST

START_TEST(what_begins_alike_is_another_site)
{
    uint16_t row = sites_take(&sites, "lib/some/file.c:1", 16);
    ck_assert_uint_ne(sites_take(&sites, "lib/some/file.c:12", 16), row);
    ck_assert_uint_ne(sites_take(&sites, "lib/some/file.c:", 16), row);
}
END_TEST

START_TEST(a_full_table_counts_the_rest_together)
{
    for (int i = 0; i < SITES_MAX; i++)
        ck_assert_uint_lt(sites_take(&sites, names[i], 16), SITES_MAX);
    for (int i = SITES_MAX; i < MANY; i++)
        ck_assert_uint_eq(sites_take(&sites, names[i], 48), SITES_OTHER);
    for (int i = 0; i < SITES_MAX; i++) { /* who had a row keeps it */
        uint16_t row = sites_take(&sites, names[i], 16);
        ck_assert_str_eq(sites_figures(&sites, row).name, names[i]);
        ck_assert_uint_eq(sites_figures(&sites, row).live_bytes, 32);
    }
    struct site_figures other = sites_figures(&sites, SITES_OTHER);
    ck_assert_str_eq(other.name, "other");
    ck_assert_uint_eq(other.live_objects, MANY - SITES_MAX);
    ck_assert_uint_eq(other.live_bytes, (MANY - SITES_MAX) * 48);
    ck_assert_uint_eq(sum_of_rows().live_bytes, SITES_MAX * 32 + (MANY - SITES_MAX) * 48);
}
END_TEST

START_TEST(pointers_that_share_a_hint_keep_their_rows)
{
    uint16_t rows[64];
    for (int i = 0; i < MANY; i++) { /* 2,048 pointers to 64 texts, and 1,024 hints */
        snprintf(names[i], NAME_BYTES, "lib/some/file.c:%d", i % 64);
        uint16_t row = sites_take(&sites, names[i], 16);
        if (i < 64)
            rows[i] = row;
        ck_assert_uint_eq(row, rows[i % 64]);
    }
    for (int i = 0; i < 64; i++)
        ck_assert_uint_eq(sites_figures(&sites, rows[i]).allocations, MANY / 64);
}
END_TEST

/* A compressor pushes one struct itself; it says from where as one who reads the source would. */
START_TEST(a_site_is_told_from_the_root_of_the_source)
{
    static _Alignas(ARENA_ALIGN) char memory[4096];
    struct arena arena;
    arena_init(&arena, memory, sizeof memory, sizeof memory, NULL);
    arena_trace(&arena, &sites);
    compressor_make(&arena);
    int found = 0;
    for (uint16_t row = 0; row < SITES_ROWS; row++) {
        struct site_figures figures = sites_figures(&sites, row);
        found += figures.allocations > 0 && strncmp(figures.name, "lib/reply/compress.c:", 21) == 0;
    }
    ck_assert_int_ge(found, 1);
    arena_reset(&arena);
    UNPOISON(memory, sizeof memory);
}
END_TEST

/* ---- figures ---- */

START_TEST(figures_are_those_of_plain_sums)
{
    struct random random = {TEST_SEED};
    struct site_figures plain[10] = {{0}};
    uint16_t rows[10] = {0};
    uint64_t bytes[10][100];
    for (int i = 0; i < 20000; i++) {
        int at = (int)random_below(&random, 10);
        struct site_figures *site = &plain[at];
        if (site->live_objects < 100 && random_below(&random, 2) == 0) {
            uint64_t more = random_below(&random, 5000);
            rows[at] = sites_take(&sites, names[at], more);
            bytes[at][site->live_objects++] = more;
            site->live_bytes += more;
            site->allocated_bytes += more;
            site->allocations++;
        } else if (site->live_objects > 0) {
            uint64_t less = bytes[at][--site->live_objects];
            sites_give(&sites, rows[at], less);
            site->live_bytes -= less;
        }
        site->peak_bytes =
            site->live_bytes > site->peak_bytes ? site->live_bytes : site->peak_bytes;
        if (site->allocations == 0)
            continue;
        struct site_figures figures = sites_figures(&sites, rows[at]);
        CHECK_THAT(strcmp(figures.name, names[at]) == 0);
        CHECK_THAT(figures.live_bytes == site->live_bytes);
        CHECK_THAT(figures.live_objects == site->live_objects);
        CHECK_THAT(figures.peak_bytes == site->peak_bytes);
        CHECK_THAT(figures.allocated_bytes == site->allocated_bytes);
        CHECK_THAT(figures.allocations == site->allocations);
    }
}
END_TEST

START_TEST(a_copy_has_every_row_in_its_place)
{
    struct site_counts counts[SITES_ROWS];
    for (int i = 0; i < SITES_MAX + 5; i++)
        sites_take(&sites, names[i], 16 + (uint64_t)i);
    sites_give(&sites, sites_take(&sites, names[3], 16), 16);
    sites_copy(&sites, counts);
    for (uint16_t row = 0; row < SITES_ROWS; row++) {
        ck_assert_uint_eq(counts[row].live_bytes, sites_figures(&sites, row).live_bytes);
        ck_assert_uint_eq(counts[row].live_objects, row == SITES_OTHER ? 5 : 1);
    }
}
END_TEST

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS 20000
#define RACED 300 /* texts: the table is full before all have one */

/* Each from a literal of his own, all in the same order: rows are raced for. */
static int hammer(void *own_names)
{
    char(*mine)[NAME_BYTES] = own_names;
    for (int i = 0; i < ROUNDS; i++) {
        uint16_t row = sites_take(&sites, mine[i % RACED], 32);
        if (i % RACED % 3 != 0)
            sites_give(&sites, row, 32);
    }
    return 0;
}

START_TEST(threads_that_race_for_rows_find_the_same_ones)
{
    thrd_t threads[THREADS];
    static char own[THREADS][RACED][NAME_BYTES];
    for (int i = 0; i < THREADS; i++)
        memcpy(own[i], names, sizeof own[i]);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(thrd_create(&threads[i], hammer, own[i]), thrd_success);
    for (int i = 0; i < THREADS; i++)
        thrd_join(threads[i], NULL);
    for (uint16_t row = 0; row < SITES_MAX; row++) {
        const char *name = sites_figures(&sites, row).name;
        ck_assert_ptr_nonnull(name);
        for (uint16_t other = 0; other < row; other++)
            CHECK_THAT(strcmp(name, sites_figures(&sites, other).name) != 0);
    }
    uint64_t kept = 0;
    for (int i = 0; i < ROUNDS; i++)
        kept += i % RACED % 3 == 0 ? THREADS : 0;
    struct site_figures sum = sum_of_rows();
    ck_assert_uint_eq(sum.allocations, THREADS * ROUNDS);
    ck_assert_uint_eq(sum.live_objects, kept);
    ck_assert_uint_eq(sum.live_bytes, kept * 32);
}
END_TEST

#define PAIRS 64
#define BOUTS 400

/* Two texts that would both have the same row: each thread of two begins with another of them. */
static char rivals[2][PAIRS][NAME_BYTES];
static _Atomic int ready;

static void rivals_make(void)
{
    unsigned found[PAIRS] = {0};
    for (int i = 0, left = 2 * PAIRS; left > 0; i++) {
        char name[NAME_BYTES];
        int length = snprintf(name, sizeof name, "lib/some/file.c:%d", i);
        uint64_t home = hash_bytes((struct bytes){name, (size_t)length}, 0) % SITES_MAX;
        uint64_t pair = home / 4; /* who loses finds the next row free */
        if (home % 4 != 0 || found[pair] == 2)
            continue;
        memcpy(rivals[found[pair]++][pair], name, sizeof name);
        left--;
    }
}

static int compete(void *which)
{
    int first = *(int *)which;
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < 2)
        continue;
    for (int pair = 0; pair < PAIRS; pair++) {
        sites_take(&sites, rivals[first][pair], 16);
        sites_take(&sites, rivals[1 - first][pair], 16);
    }
    return 0;
}

START_TEST(who_loses_a_row_to_another_text_takes_the_next)
{
    int which[2] = {0, 1};
    rivals_make();
    for (int bout = 0; bout < BOUTS; bout++) {
        thrd_t threads[2];
        sites_init(&sites);
        atomic_store(&ready, 0);
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(thrd_create(&threads[i], compete, &which[i]), thrd_success);
        for (int i = 0; i < 2; i++)
            thrd_join(threads[i], NULL);
        int rows = 0;
        for (uint16_t row = 0; row < SITES_MAX; row++) {
            struct site_figures figures = sites_figures(&sites, row);
            CHECK_THAT(figures.name == NULL || figures.allocations == 2);
            rows += figures.name != NULL;
        }
        CHECK_THAT(rows == 2 * PAIRS);
    }
}
END_TEST

/* ---- broken promises ---- */

START_TEST(giving_more_than_was_taken_stops)
{
    uint16_t row = sites_take(&sites, names[0], 16);
    test_expect_stop();
    sites_give(&sites, row, 17);
}
END_TEST

START_TEST(a_row_that_is_none_stops)
{
    test_expect_stop();
    sites_give(&sites, SITES_ROWS, 0);
}
END_TEST

Suite *sites_suite(void)
{
    Suite *suite = suite_create("sites");
    TCase *rows = tcase_create("rows");
    tcase_set_timeout(rows, 30);
    tcase_add_checked_fixture(rows, setup, NULL);
    tcase_add_test(rows, a_line_is_one_row);
    tcase_add_test(rows, equal_texts_are_one_site);
    tcase_add_test(rows, what_begins_alike_is_another_site);
    tcase_add_test(rows, a_full_table_counts_the_rest_together);
    tcase_add_test(rows, pointers_that_share_a_hint_keep_their_rows);
    tcase_add_test(rows, a_site_is_told_from_the_root_of_the_source);
    tcase_add_test(rows, figures_are_those_of_plain_sums);
    tcase_add_test(rows, a_copy_has_every_row_in_its_place);
    tcase_add_test(rows, threads_that_race_for_rows_find_the_same_ones);
    tcase_add_test(rows, who_loses_a_row_to_another_text_takes_the_next);
    suite_add_tcase(suite, rows);
    TCase *stops = tcase_create("stops");
    tcase_add_checked_fixture(stops, setup, NULL);
    tcase_add_test_raise_signal(stops, giving_more_than_was_taken_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, a_row_that_is_none_stops, SIGABRT);
    suite_add_tcase(suite, stops);
    return suite;
}
