/* test_snapshots.c: a ring of sixteen, and what grew between two. */
#include "memory/snapshots.h"

#include "base/random.h"
#include "support.h"

Suite *snapshots_suite(void);

static struct ledger ledger;
static struct snapshots snapshots;
static struct sites sites;
static struct site_counts counts[SNAPSHOTS_MAX][SITES_ROWS];

static void setup(void)
{
    ledger_init(&ledger);
    for (int pool = 0; pool < POOL_COUNT; pool++)
        ledger.accounts[pool].capacity_bytes = 1000000;
    memset(&snapshots, 0, sizeof snapshots);
}

static uint64_t keep(int64_t at_ms)
{
    struct snapshot snapshot = snapshot_make(&ledger, 0, at_ms);
    return snapshots_keep(&snapshots, &snapshot, &sites);
}

START_TEST(a_snapshot_is_what_the_ledger_says)
{
    ledger_take(&ledger, POOL_SERIES, 300);
    ledger_take(&ledger, POOL_SERIES, 200);
    ledger_give(&ledger, POOL_SERIES, 300);
    struct snapshot snapshot = snapshot_make(&ledger, 77, 5000);
    ck_assert_int_eq(snapshot.at_ms, 5000);
    ck_assert_uint_eq(snapshot.rows[POOL_SERIES].live_bytes, 200);
    ck_assert_uint_eq(snapshot.rows[POOL_SERIES].live_objects, 1);
    ck_assert_uint_eq(snapshot.rows[POOL_SERIES].allocations, 2);
    ck_assert_uint_eq(snapshot.rows[POOL_LABELS].live_bytes, 0);
    ck_assert_uint_eq(snapshot.rows[SNAPSHOT_HEAP].live_bytes, 77);
}
END_TEST

START_TEST(the_seventeenth_takes_the_oldests_place)
{
    for (int64_t i = 1; i <= SNAPSHOTS_MAX + 3; i++)
        ck_assert_uint_eq(keep(i * 1000), (uint64_t)i);
    for (uint64_t id = 0; id <= 3; id++)
        ck_assert_ptr_null(snapshots_find(&snapshots, id));
    for (uint64_t id = 4; id <= SNAPSHOTS_MAX + 3; id++)
        ck_assert_int_eq(snapshots_find(&snapshots, id)->at_ms, (int64_t)id * 1000);
    ck_assert_ptr_null(snapshots_find(&snapshots, SNAPSHOTS_MAX + 4));
}
END_TEST

START_TEST(a_free_place_is_taken_before_the_oldests)
{
    for (int i = 0; i < SNAPSHOTS_MAX; i++)
        keep(1);
    ck_assert(snapshots_drop(&snapshots, 7));
    ck_assert(!snapshots_drop(&snapshots, 7));
    ck_assert(!snapshots_drop(&snapshots, 0));
    keep(2);
    ck_assert_ptr_nonnull(snapshots_find(&snapshots, 1));
    ck_assert_ptr_null(snapshots_find(&snapshots, 7));
    ck_assert_ptr_nonnull(snapshots_find(&snapshots, SNAPSHOTS_MAX + 1));
}
END_TEST

/* Beside the set of ids that ought to be there. */
START_TEST(a_walk_is_by_rising_id_whatever_was_dropped)
{
    struct random random = {TEST_SEED};
    uint64_t kept[SNAPSHOTS_MAX + 1];
    uint32_t count = 0;
    for (int step = 0; step < 2000; step++) {
        if (count > 0 && random_below(&random, 3) == 0) {
            uint64_t at = random_below(&random, count);
            ck_assert(snapshots_drop(&snapshots, kept[at]));
            memmove(&kept[at], &kept[at + 1], (--count - at) * sizeof kept[0]);
        } else {
            kept[count++] = keep(step);
        }
        if (count > SNAPSHOTS_MAX)
            memmove(&kept[0], &kept[1], --count * sizeof kept[0]);
        const struct snapshot *at = NULL;
        for (uint32_t i = 0; i < count; i++) {
            at = snapshots_after(&snapshots, at == NULL ? 0 : at->id);
            CHECK_THAT(at != NULL && at->id == kept[i]);
        }
        CHECK_THAT(snapshots_after(&snapshots, count == 0 ? 0 : at->id) == NULL);
    }
}
END_TEST

START_TEST(largest_growth_comes_first_and_shrinking_last)
{
    struct snapshot_change changes[SNAPSHOT_ROWS];
    ledger_take(&ledger, POOL_SETS, 5000);
    struct snapshot from = snapshot_make(&ledger, 100, 0);
    ledger_take(&ledger, POOL_LABELS, 64);
    ledger_take(&ledger, POOL_SERIES, 1000);
    ledger_take(&ledger, POOL_SERIES, 1);
    ledger_visit(&ledger, POOL_GROWTH, 4096);
    ledger_give(&ledger, POOL_SETS, 5000);
    struct snapshot to = snapshot_make(&ledger, 600, 1000);
    snapshot_compare(&from, &to, changes);
    ck_assert_uint_eq(changes[0].row, POOL_SERIES);
    ck_assert_int_eq(changes[0].live_bytes, 1001);
    ck_assert_int_eq(changes[0].live_objects, 2);
    ck_assert_int_eq(changes[0].allocations, 2);
    ck_assert_uint_eq(changes[1].row, SNAPSHOT_HEAP);
    ck_assert_int_eq(changes[1].live_bytes, 500);
    ck_assert_uint_eq(changes[2].row, POOL_LABELS);
    ck_assert_uint_eq(changes[3].row, 0); /* those that did not change, in the order of the pools */
    ck_assert_uint_eq(changes[SNAPSHOT_ROWS - 1].row, POOL_SETS);
    ck_assert_int_eq(changes[SNAPSHOT_ROWS - 1].live_bytes, -5000);
    ck_assert_int_eq(changes[SNAPSHOT_ROWS - 1].live_objects, -1);
    for (int i = 3; i < (int)SNAPSHOT_ROWS - 1; i++)
        ck_assert_int_eq(changes[i].allocations, changes[i].row == POOL_GROWTH);
}
END_TEST

/* ---- lines of the source ---- */

START_TEST(lines_are_kept_beside_while_traced)
{
    keep(1);
    ck_assert_ptr_null(snapshots_sites(&snapshots, 1)); /* not traced */
    snapshots.sites = counts;
    sites_init(&sites);
    uint16_t row = sites_take(&sites, SITE, 100);
    uint64_t first = keep(2);
    sites_take(&sites, "elsewhere.c:1", 30);
    sites_give(&sites, row, 100);
    uint64_t second = keep(3);
    ck_assert_uint_eq(snapshots_sites(&snapshots, first)[row].live_bytes, 100);
    ck_assert_uint_eq(snapshots_sites(&snapshots, first)[row].live_objects, 1);
    ck_assert_uint_eq(snapshots_sites(&snapshots, second)[row].live_bytes, 0);
    ck_assert_ptr_null(snapshots_sites(&snapshots, second + 1));
    for (int i = 0; i < SNAPSHOTS_MAX; i++)
        keep(4);
    ck_assert_ptr_null(snapshots_sites(&snapshots, first)); /* its place was taken */
}
END_TEST

START_TEST(it_takes_of_the_region_what_it_said)
{
    for (int traced = 0; traced < 2; traced++) {
        struct test_world world;
        test_world_init(&world, snapshots_bytes(traced));
        struct snapshots *made = snapshots_make(traced, &world.region);
        ck_assert_uint_eq(world.region.used, snapshots_bytes(traced));
        ck_assert((made->sites != NULL) == traced);
        ck_assert_ptr_null(snapshots_after(made, 0));
        test_world_end(&world);
    }
}
END_TEST

START_TEST(rows_have_names)
{
    ck_assert_str_eq(snapshot_row_name(POOL_SERIES), "series");
    ck_assert_str_eq(snapshot_row_name(SNAPSHOT_HEAP), "heap");
}
END_TEST

Suite *snapshots_suite(void)
{
    Suite *suite = suite_create("snapshots");
    TCase *tcase = tcase_create("snapshots");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_snapshot_is_what_the_ledger_says);
    tcase_add_test(tcase, the_seventeenth_takes_the_oldests_place);
    tcase_add_test(tcase, a_free_place_is_taken_before_the_oldests);
    tcase_add_test(tcase, a_walk_is_by_rising_id_whatever_was_dropped);
    tcase_add_test(tcase, largest_growth_comes_first_and_shrinking_last);
    tcase_add_test(tcase, lines_are_kept_beside_while_traced);
    tcase_add_test(tcase, it_takes_of_the_region_what_it_said);
    tcase_add_test(tcase, rows_have_names);
    suite_add_tcase(suite, tcase);
    return suite;
}
