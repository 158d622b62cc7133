/* test_plan.c: the memory promise, as sums. */
#include "engine/plan_make.h"

#include "engine/engine.h"
#include "support.h"

#include <stdlib.h>

Suite *plan_suite(void);

#define MIB(n) ((uint64_t)(n) << 20)

static struct plan plan;
static struct settings settings;
static struct plan_world world;
static char problem[512];

static void setup(void)
{
    settings_init(&settings);
    world = (struct plan_world){
        .code_bytes = MIB(7),
        .cpus = 2,
        .memory_limit = UINT64_MAX,
        .connection_bytes = 700,
        .worker_bytes = 128,
    };
}

static enum plan_verdict make(void)
{
    return plan_make(&plan, &settings, &world, problem, sizeof problem);
}

static uint64_t sum_of_pools(void)
{
    uint64_t sum = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++)
        sum += plan.pools[pool];
    return sum;
}

/* ---- what is left to auto ---- */

static const uint64_t budgets[] = {MIB(16), MIB(24), MIB(64), MIB(512), MIB(4096), MIB(65536)};

START_TEST(the_defaults_fit_every_budget_and_use_it)
{
    settings.memory = budgets[_i / 2];
    settings.trace = (uint64_t)_i % 2;
    ck_assert_int_eq(make(), PLAN_FITS);
    ck_assert_str_eq(problem, "");
    ck_assert_uint_le(plan.total, settings.memory);
    if (plan.settings.series_max < setting_find(BYTES("series.max"))->ceiling)
        ck_assert_uint_ge(plan.total, settings.memory / 100 * 97);
    ck_assert_uint_eq(plan.parts[PLAN_REGION], sum_of_pools());
    ck_assert_uint_gt(plan.settings.series_max, 1000);
    ck_assert(settings.trace == (plan.pools[POOL_SITES] > 0));
}
END_TEST

START_TEST(nothing_is_left_at_auto)
{
    settings.memory = budgets[_i];
    make();
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *row = &settings_rows[i];
        if (row->kind == SETTING_TEXT)
            continue;
        uint64_t number = setting_number(&plan.settings, row);
        ck_assert_msg(number != SETTING_AUTO, "%s", row->path);
        ck_assert_msg(number >= row->floor && number <= row->ceiling, "%s: %llu", row->path,
                      (unsigned long long)number);
    }
}
END_TEST

START_TEST(what_the_operator_chose_is_kept)
{
    settings.series_max = 12345;
    settings.server_connections = 17;
    settings.limits_request_bytes = MIB(1);
    ck_assert_int_eq(make(), PLAN_FITS);
    ck_assert_uint_eq(plan.settings.series_max, 12345);
    ck_assert_uint_eq(plan.settings.server_connections, 17);
    ck_assert_uint_eq(plan.settings.limits_request_bytes, MIB(1));
}
END_TEST

START_TEST(more_code_means_fewer_series)
{
    make();
    uint64_t before = plan.settings.series_max;
    world.code_bytes += MIB(10);
    ck_assert_int_eq(make(), PLAN_FITS);
    ck_assert_uint_lt(plan.settings.series_max, before);
}
END_TEST

/* ---- drills ---- */

START_TEST(without_drills_nothing_is_kept_for_them)
{
    settings.memory = budgets[_i];
    make();
    ck_assert_uint_eq(plan.drill_bytes, 0);
    ck_assert_uint_eq(plan.pools[POOL_DRILLS], 0);
    ck_assert_uint_eq(plan.parts[PLAN_DRILLS], 0);
    ck_assert(!plan_has_part(&plan, PLAN_DRILLS));
    ck_assert_uint_eq(plan.pools[POOL_GROWTH], blocks_bytes(plan.settings.requests_bytes));
}
END_TEST

START_TEST(with_drills_there_are_three_shares_for_them)
{
    settings.memory = budgets[_i];
    settings.drills = 1;
    world.drills_bytes = 3000;
    if (settings.memory == MIB(16)) {
        ck_assert_int_eq(make(), PLAN_OVER_MEMORY); /* too little for both */
        ck_assert_ptr_nonnull(strstr(problem, "or turn drills off"));
        return;
    }
    ck_assert_int_eq(make(), PLAN_FITS);
    uint64_t share = settings.memory / 16;
    ck_assert_uint_eq(plan.drill_bytes, share);
    ck_assert_uint_eq(plan.parts[PLAN_DRILLS], share);
    ck_assert(plan_has_part(&plan, PLAN_DRILLS));
    ck_assert_uint_eq(plan.pools[POOL_DRILLS], region_piece_bytes(3000) + blocks_bytes(share));
    ck_assert_uint_eq(plan.pools[POOL_GROWTH],
                      blocks_bytes(plan.settings.requests_bytes + share));
    ck_assert_uint_eq(plan.parts[PLAN_REGION], sum_of_pools());
    ck_assert_uint_le(plan.total, settings.memory);
    ck_assert_uint_gt(plan.settings.series_max, 1000);
}
END_TEST

/* ---- init takes exactly what was planned ---- */

START_TEST(the_engine_takes_what_its_pools_were_planned)
{
    settings.memory = budgets[_i / 2];
    settings.trace = (uint64_t)_i % 2;
    make();
    static const enum pool pools[] = {
        POOL_FAMILIES, POOL_SERIES,       POOL_INDEX,          POOL_LABELS,
        POOL_BUCKETS,  POOL_HISTOGRAMS,   POOL_SETS,           POOL_SEALING,
        POOL_CACHE,    POOL_WINDOWS_FINE, POOL_WINDOWS_MIDDLE, POOL_WINDOWS_COARSE,
        POOL_SITES,
    };
    uint64_t bytes = 0;
    for (size_t i = 0; i < COUNT_OF(pools); i++)
        bytes += plan.pools[pools[i]];
    struct region region;
    static struct ledger ledger;
    static struct engine engine;
    void *memory = aligned_alloc(REGION_ALIGN, bytes);
    memset(memory, 0, bytes);
    ledger_init(&ledger);
    region_init(&region, memory, bytes);
    if (settings.trace) {
        ledger.sites = region_take(&region, sizeof *ledger.sites);
        sites_init(ledger.sites);
    }
    engine_init(&engine, &plan.settings, &ledger, TEST_SEED, 0, &region);
    ck_assert_uint_eq(region.used, bytes);
    store_verify(&engine.store);
    UNPOISON(memory, bytes);
    free(memory);
}
END_TEST

/* ---- refusals name what to change ---- */

static const struct {
    const char *path;
    uint64_t number;
} too_much[] = {
    {"series.max", 10000000},
    {"histograms.max", 1000000},
    {"buckets.max", 1000000},
    {"sets.max", 500000},
    {"series.label_bytes", MIB(900)},
    {"requests.bytes", MIB(900)},
    {"server.connections", 8000},
    {"limits.scratch_bytes", MIB(64)},
    {"server.stack_bytes", MIB(8)},
};

START_TEST(a_plan_over_memory_names_the_setting)
{
    const struct setting *row = setting_find(bytes_of(too_much[_i].path));
    settings.server_threads = too_much[_i].number == 8000 ? 64 : 8; /* 125 connections each */
    memcpy((char *)&settings + row->offset, &too_much[_i].number, sizeof(uint64_t));
    ck_assert_int_eq(make(), PLAN_OVER_MEMORY);
    ck_assert_uint_gt(plan.total, settings.memory);
    ck_assert_msg(strstr(problem, too_much[_i].path) != NULL, "%s", problem);
}
END_TEST

START_TEST(a_cgroup_below_memory_is_refused)
{
    world.memory_limit = settings.memory + 1000;
    ck_assert_int_eq(make(), PLAN_OVER_CGROUP);
    ck_assert_ptr_nonnull(strstr(problem, "cgroup"));
    ck_assert_ptr_nonnull(strstr(problem, "memory"));
}
END_TEST

START_TEST(socket_buffers_take_what_the_cgroup_leaves)
{
    world.memory_limit = MIB(80);
    ck_assert_int_eq(make(), PLAN_FITS);
    ck_assert_uint_le(settings.memory + plan.socket_bytes, world.memory_limit);
    world.memory_limit = MIB(24);
    settings.memory = MIB(16);
    ck_assert_int_eq(make(), PLAN_FITS);
    ck_assert_uint_le(settings.memory + plan.socket_bytes, world.memory_limit);
}
END_TEST

START_TEST(settings_that_exclude_each_other_are_refused)
{
    settings.limits_request_bytes = MIB(8);
    settings.requests_bytes = MIB(1);
    ck_assert_int_eq(make(), PLAN_INCONSISTENT);
    ck_assert_ptr_nonnull(strstr(problem, "limits.request_bytes"));
    settings_init(&settings);
    settings.limits_element_bytes = MIB(1);
    ck_assert_int_eq(make(), PLAN_INCONSISTENT);
    ck_assert_ptr_nonnull(strstr(problem, "limits.element_bytes"));
    settings_init(&settings);
    settings.trend_block = settings.windows_fine * 2 - 1;
    ck_assert_int_eq(make(), PLAN_INCONSISTENT);
    ck_assert_ptr_nonnull(strstr(problem, "trend.block"));
    settings_init(&settings);
    settings.server_threads = 64;
    settings.server_connections = 10;
    settings.memory = MIB(512);
    ck_assert_int_eq(make(), PLAN_INCONSISTENT);
    ck_assert_ptr_nonnull(strstr(problem, "server.connections"));
}
END_TEST

START_TEST(a_problem_is_cut_to_its_buffer)
{
    settings.series_max = 100000000;
    ck_assert_int_eq(plan_make(&plan, &settings, &world, problem, 10), PLAN_OVER_MEMORY);
    ck_assert_uint_le(strlen(problem), 9);
}
END_TEST

/* ---- the table ---- */

static bool has_row(const char *table, const char *name)
{
    char row[64];
    snprintf(row, sizeof row, "\n  %s ", name);
    return strstr(table, row) != NULL;
}

START_TEST(the_table_has_every_pool_and_part_that_takes_something)
{
    char table[4096];
    make();
    size_t length = plan_write(&plan, table, sizeof table);
    ck_assert_uint_eq(length, strlen(table));
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        bool is_off = pool == POOL_SITES || pool == POOL_DRILLS;
        ck_assert_msg(has_row(table, pool_rows[pool].name) == !is_off, "%s", pool_rows[pool].name);
    }
    char *outside = strstr(table, "outside the region");
    for (enum plan_part part = PLAN_LIBMICROHTTPD; part < PLAN_PARTS; part++)
        ck_assert_int_eq(strstr(outside, plan_part_names[part]) != NULL, part != PLAN_DRILLS);
    settings.drills = settings.trace = 1;
    make();
    plan_write(&plan, table, sizeof table);
    ck_assert(has_row(table, "sites"));
    ck_assert(has_row(table, "drills"));
    outside = strstr(table, "outside the region");
    for (enum plan_part part = PLAN_LIBMICROHTTPD; part < PLAN_PARTS; part++)
        ck_assert_ptr_nonnull(strstr(outside, plan_part_names[part]));
}
END_TEST

Suite *plan_suite(void)
{
    Suite *suite = suite_create("plan");
    TCase *cases = tcase_create("plan");
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_loop_test(cases, the_defaults_fit_every_budget_and_use_it, 0,
                       2 * COUNT_OF(budgets));
    tcase_add_loop_test(cases, nothing_is_left_at_auto, 0, COUNT_OF(budgets));
    tcase_add_test(cases, what_the_operator_chose_is_kept);
    tcase_add_test(cases, more_code_means_fewer_series);
    tcase_add_loop_test(cases, without_drills_nothing_is_kept_for_them, 0, COUNT_OF(budgets));
    tcase_add_loop_test(cases, with_drills_there_are_three_shares_for_them, 0,
                        COUNT_OF(budgets));
    tcase_add_loop_test(cases, the_engine_takes_what_its_pools_were_planned, 0, 6);
    tcase_add_loop_test(cases, a_plan_over_memory_names_the_setting, 0, COUNT_OF(too_much));
    tcase_add_test(cases, a_cgroup_below_memory_is_refused);
    tcase_add_test(cases, socket_buffers_take_what_the_cgroup_leaves);
    tcase_add_test(cases, settings_that_exclude_each_other_are_refused);
    tcase_add_test(cases, a_problem_is_cut_to_its_buffer);
    tcase_add_test(cases, the_table_has_every_pool_and_part_that_takes_something);
    suite_add_tcase(suite, cases);
    return suite;
}
