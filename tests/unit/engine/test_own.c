/* test_own.c: the service's own history: how long it is, and what it holds. */
#include "engine/own.h"

#include "base/hash.h"
#include "base/random.h"
#include "support.h"
#include "unit/reply/report_fixture.h"

#include <stdlib.h>

Suite *own_suite(void);

#define MIB(n) ((uint64_t)(n) << 20)
#define WINDOW_MS 10000
#define HOURS_MS(n) ((int64_t)(n) * 3600000)
#define START_MS INT64_C(1795370400000)

static struct report_fixture fixture;
static struct settings settings;
static struct ledger ledger;
static struct region region;
static struct own *own;
static void *memory;

static void begin(uint64_t bytes)
{
    settings_init(&settings);
    settings.windows_own_bytes = bytes;
    ledger_init(&ledger);
    uint64_t taken = own_bytes(&settings);
    memory = aligned_alloc(REGION_ALIGN, taken);
    ck_assert_ptr_nonnull(memory);
    memset(memory, 0, taken);
    region_init(&region, memory, taken);
    own = region_take(&region, sizeof *own);
    own_init(own, &settings, TEST_SEED, START_MS, &ledger, &region);
    ck_assert_uint_eq(region.used, region.bytes);
    fixture_init(&fixture);
}

static void tick(int64_t now_ms)
{
    engine_tick(&own->engine, now_ms);
    while (engine_step(&own->engine, now_ms))
        continue;
}

/* Every figure moves with each look, so no cell is as short as it could be. */
static void disturb(struct random *random)
{
    for (int pool = 0; pool < POOL_COUNT; pool++)
        atomic_store(&fixture.ledger.accounts[pool].live_bytes,
                     random_below(random, UINT64_C(1) << 40));
    uint64_t *figures = (uint64_t *)&fixture.world.process;
    for (size_t i = 0; i < sizeof fixture.world.process / sizeof *figures; i++)
        figures[i] = random_below(random, UINT64_C(1) << 40);
    fixture.world.process.cpu_seconds += (double)random_below(random, 1000) / 997;
    struct world_requests *requests = &fixture.world.requests;
    for (int class = 0; class < HTTP_CLASSES; class ++)
        requests->by_class[class] += random_below(random, 100000);
    requests->live = random_below(random, 100000);
    requests->body_bytes += random_below(random, 1000000000);
    requests->lifetimes.counts[2] += random_below(random, 1000000);
    requests->lifetimes.sum_us += random_below(random, UINT64_C(1) << 40);
    fixture.input.accepted_samples += random_below(random, 1000000);
    fixture.input.cache.figures.hits += random_below(random, 100000);
    fixture.input.cache.figures.misses += random_below(random, 100000);
    fixture.store.created_series += random_below(random, 100000);
}

static int64_t run(int64_t from_ms, int64_t to_ms)
{
    struct random random = {TEST_SEED};
    for (int64_t now_ms = from_ms; now_ms < to_ms; now_ms += WINDOW_MS) {
        tick(now_ms);
        disturb(&random);
        own_observe(own, &fixture.input, now_ms);
    }
    return to_ms;
}

START_TEST(it_holds_three_days_and_six_hours_of_figures_that_all_move)
{
    begin(MIB(5) / 2); /* what `auto` comes to with the default memory */
    int64_t now_ms = run(START_MS, START_MS + HOURS_MS(400));
    const struct history *history = &own->engine.history;
    ck_assert_int_le(history_held_from(history, TIER_COARSE), now_ms - HOURS_MS(72));
    ck_assert_int_le(history_held_from(history, TIER_MIDDLE), now_ms - HOURS_MS(6));
    ck_assert_uint_gt(history->tiers[TIER_COARSE].left, 0); /* it went round */
    history_verify(history);
    store_verify(&own->engine.store);
}
END_TEST

START_TEST(every_line_is_read_and_there_is_room_for_more_figures)
{
    begin(MIB(1));
    run(START_MS, START_MS + HOURS_MS(1));
    ck_assert_uint_eq(own->unread_lines, 0);
    ck_assert_uint_gt(own->engine.store.series_count, 40);
    ck_assert_uint_le(own->engine.store.series_count, own->settings.series_max - 16);
    ck_assert_uint_le(own->engine.store.families.live_count, own->settings.limits_families - 8);
    ck_assert_uint_eq(own->engine.store.overflowed_samples, 0);
}
END_TEST

static const struct series *find(const char *name, const char *labels)
{
    struct store *store = &own->engine.store;
    struct sample sample = {.name = name, .labels = labels};
    sample.name_length = (uint16_t)strlen(name);
    sample.labels_length = (uint16_t)strlen(labels);
    sample.fingerprint = hash_series(sample_name(&sample), sample_labels(&sample), store->seed);
    return store_find(store, &sample);
}

START_TEST(counters_rise_by_what_they_rose_and_gauges_stand)
{
    begin(MIB(1));
    fixture.input.accepted_samples = 100;
    own_observe(own, &fixture.input, START_MS + 1);
    fixture.input.accepted_samples = 350;
    fixture.world.process.rss_bytes = MIB(33);
    own_observe(own, &fixture.input, START_MS + 2);
    const struct series *accepted = find("mayfly_samples_accepted_total", "");
    ck_assert_ptr_nonnull(accepted);
    ck_assert_double_eq(series_total(accepted), 350);
    ck_assert_double_eq(accepted->open.sum, 350);
    ck_assert_uint_eq(accepted->open.count, 2);
    const struct series *rss = find("mayfly_process_resident_memory_bytes", "");
    ck_assert_ptr_nonnull(rss);
    ck_assert_double_eq(rss->last, (double)MIB(33));
    ck_assert_ptr_nonnull(find("mayfly_memory_pool_live_bytes", "pool=\"series\""));
    ck_assert_ptr_nonnull(find("mayfly_request_arena_lifetime_seconds_count", ""));
    ck_assert_ptr_null(find("mayfly_request_arena_lifetime_seconds_bucket", "le=\"1\""));
}
END_TEST

START_TEST(a_figure_that_fell_adds_nothing)
{
    begin(MIB(1));
    fixture.input.accepted_samples = 100;
    own_observe(own, &fixture.input, START_MS + 1);
    fixture.input.accepted_samples = 40;
    own_observe(own, &fixture.input, START_MS + 2);
    ck_assert_double_eq(series_total(find("mayfly_samples_accepted_total", "")), 100);
}
END_TEST

START_TEST(it_is_one_pool_and_its_sizes_are_those_that_were_planned)
{
    static const uint64_t sizes[] = {MIB(1) / 4, MIB(1), MIB(5) / 2, MIB(64)};
    begin(sizes[_i]);
    struct account_figures figures = ledger_figures(&ledger, POOL_OWN);
    ck_assert_uint_eq(figures.capacity_bytes, own_bytes(&settings));
    ck_assert_uint_eq(figures.live_bytes, figures.capacity_bytes);
    ck_assert_uint_le(figures.capacity_bytes, sizes[_i] + sizes[_i] / 16);
    ck_assert_uint_ge(figures.capacity_bytes, sizes[_i] / 2);
    run(START_MS, START_MS + HOURS_MS(2));
    for (enum tier tier = 0; tier < TIER_COUNT; tier++)
        ck_assert_uint_eq(history_held(&own->engine.history, tier),
                          ledger_figures(&own->ledger, POOL_WINDOWS_FINE + tier).live_bytes);
}
END_TEST

START_TEST(names_of_ours_are_asked_of_it_but_not_the_clients_overflow)
{
    ck_assert(own_has_metric(BYTES("mayfly_series")));
    ck_assert(!own_has_metric(BYTES("mayfly_overflow_total")));
    ck_assert(!own_has_metric(BYTES("http_requests_total")));
    ck_assert(!own_has_metric(BYTES("")));
}
END_TEST

static void teardown(void)
{
    free(memory);
    memory = NULL;
}

Suite *own_suite(void)
{
    Suite *suite = suite_create("own");
    TCase *tests = tcase_create("own");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, it_holds_three_days_and_six_hours_of_figures_that_all_move);
    tcase_add_test(tests, every_line_is_read_and_there_is_room_for_more_figures);
    tcase_add_test(tests, counters_rise_by_what_they_rose_and_gauges_stand);
    tcase_add_test(tests, a_figure_that_fell_adds_nothing);
    tcase_add_loop_test(tests, it_is_one_pool_and_its_sizes_are_those_that_were_planned, 0, 4);
    tcase_add_test(tests, names_of_ours_are_asked_of_it_but_not_the_clients_overflow);
    suite_add_tcase(suite, tests);
    return suite;
}
