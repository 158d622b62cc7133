/*
 * test_history.c: sealed windows: what is in a record, when, and for how long.
 *
 * Each sample that is pushed here has the value 1 unless a test says otherwise, so sums count them.
 * After each step all that is held is added up: it is what was pushed, less what a test deleted and
 * what the coarsest tier dropped. The simulation (tests/sim) does all of it at once for days; here
 * is one promise at a time.
 */
#include "store/history.h"

#include "base/hash.h"
#include "base/random.h"
#include "support.h"

#include <check.h>
#include <math.h>
#include <string.h>

Suite *history_suite(void);

#define WINDOW_MS 10000
#define HOUR_MS INT64_C(3600000)
#define WORLD_BYTES ((size_t)24 << 20)
#define SMALLEST ((uint64_t)32 << 10)
#define STEPS_MAX 100000 /* of what must come to an end */

static struct settings settings;
static struct test_world world;
static struct store store;
static struct history history;
static struct lru cache;
static int64_t now_ms;
static uint64_t pushed;    /* samples that should be held */
static uint64_t dropped;   /* by the coarsest tier */
static uint64_t given_up;  /* sums that got too long */
static uint64_t most_seen; /* steps that one pass took */

static void setup(void)
{
    test_settings(&settings);
    settings.limits_families = 16;
    settings.windows_fine_bytes = settings.windows_middle_bytes = SMALLEST;
    settings.windows_coarse_bytes = SMALLEST;
    now_ms = TEST_START_MS;
    pushed = dropped = given_up = most_seen = 0;
}

/* With the settings as the test has changed them. */
static void begin(void)
{
    uint64_t pools[POOL_COUNT] = {0};
    uint64_t bytes = 0;
    test_world_init(&world, WORLD_BYTES);
    world.settings = settings;
    store_init(&store, &world.settings, TEST_SEED, now_ms, &world.ledger, &world.region);
    store.has_history = true;
    lru_init(&cache, settings.cache_bytes, &world.ledger, &world.region);
    uint64_t used = world.region.used;
    history_init(&history, &world.settings, &store, &cache, &world.ledger, &world.region);
    history_plan(&settings, pools);
    for (int pool = 0; pool < POOL_COUNT; pool++)
        bytes += pools[pool];
    ck_assert_uint_eq(world.region.used - used, bytes);
}

static void teardown(void)
{
    if (world.memory == NULL)
        return;
    history_verify(&history);
    lru_verify(&cache);
    store_verify(&store);
    test_world_end(&world);
}

/* ---- words for what the tests do ---- */

static void apply_sample(struct sample sample)
{
    struct store_outcome outcome = {0};
    ck_assert_int_eq(store_apply(&store, &sample, now_ms, &outcome), STATUS_OK);
    pushed++;
}

static void apply(enum kind kind, const char *text)
{
    apply_sample(test_sample(kind, text));
}

/* One more for each of `count` series of a counter. */
static void apply_many(const char *name, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        char text[96];
        snprintf(text, sizeof text, "%s{n=\"%u\"} 1", name, i);
        apply(KIND_COUNTER, text);
    }
}

static uint32_t family_of(const char *name)
{
    uint32_t family = test_family_find(&store, bytes_of(name));
    ck_assert_msg(family != SLOT_NONE, "no family %s", name);
    return family;
}

static uint64_t id_of(const char *name)
{
    return store_family(&store, family_of(name))->id;
}

/* DELETE: what the open window has of them is gone, and what is sealed stays where it is. */
static void delete_family(const char *name)
{
    uint32_t family = family_of(name);
    uint64_t id = store_family(&store, family)->id;
    while (store_family(&store, family) != NULL && store_family(&store, family)->series_count > 0) {
        uint32_t at = store_family(&store, family)->first;
        while (store_series(&store, at)->is_overflow)
            at = store_series(&store, at)->next;
        pushed -= store_series(&store, at)->open.count;
        store_delete(&store, at);
    }
    ck_assert(store_family(&store, family) == NULL || store_family(&store, family)->id > id);
}

/* All that may go, as ticks would have it. */
static void expire_all(void)
{
    for (int i = 0; i < 30; i++)
        store_expire(&store, now_ms, UINT32_MAX);
}

/* ---- what is held ---- */

static uint64_t samples_of_record(enum tier tier, const struct record *record)
{
    uint64_t samples = 0;
    for (uint32_t i = 0; i < record->families; i++) {
        struct section section;
        struct cell_reader reader;
        struct tally tally = {0};
        uint64_t sequence;
        history_section_at(&history, tier, record, i, &section);
        cell_reader_init(&reader, &section);
        while (cell_read(&reader, &sequence, &tally))
            samples += tally.count;
    }
    return samples;
}

static uint64_t samples_of_tier(enum tier tier)
{
    uint64_t samples = 0;
    for (uint32_t i = 0; i < history.tiers[tier].count; i++)
        samples += samples_of_record(tier, history_record(&history, tier, i));
    return samples;
}

static uint64_t samples_open(void)
{
    uint64_t samples = 0;
    for (uint32_t i = 0; i < store.series.slot_count; i++) {
        const struct series *series = store_series(&store, i);
        samples += series != NULL ? series->open.count : 0;
    }
    return samples;
}

/* While a window is being sealed, some of it is in a record that nobody can read yet. */
static void check_conserved(void)
{
    uint64_t held = dropped + samples_open();
    for (enum tier tier = 0; tier < TIER_COUNT; tier++)
        held += samples_of_tier(tier);
    if (history.tiers[TIER_FINE].open.is_open)
        ck_assert(held <= pushed && history_is_sealing(&history));
    else
        ck_assert_uint_eq(held, pushed);
}

static void check_ledger(void)
{
    static const enum pool pools[] = {POOL_WINDOWS_FINE, POOL_WINDOWS_MIDDLE, POOL_WINDOWS_COARSE};
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        const struct tier_ring *ring = &history.tiers[tier];
        struct account_figures figures = ledger_figures(&world.ledger, pools[tier]);
        CHECK_THAT(figures.live_bytes == history_held(&history, tier));
        CHECK_THAT(figures.live_objects == ring->count);
        CHECK_THAT(figures.peak_bytes <= figures.capacity_bytes);
        CHECK_THAT(ring->sealed - ring->left == ring->count);
        CHECK_THAT(history_held(&history, tier) <=
                   ring->ring.bytes + ring->count * sizeof(struct record));
    }
}

/* It only rises, and no window before the floor is held, nor is one that is yet to come. */
static void check_held_from(const int64_t before[static TIER_COUNT])
{
    CHECK_THAT(store.history_floor <= history.seal.window);
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        CHECK_THAT(history_held_from(&history, tier) >= before[tier]);
        if (history.tiers[tier].count > 0)
            CHECK_THAT(store_window_at(&store, history_record(&history, tier, 0)->start_ms) >=
                       store.history_floor);
    }
}

/* ---- steps ---- */

/* A step, and all that holds after each. */
static bool step(void)
{
    uint64_t left = history.tiers[TIER_COARSE].left;
    uint64_t sealed[TIER_COUNT];
    int64_t held_from[TIER_COUNT];
    bool folds[TIER_COUNT] = {0};
    uint64_t oldest = history.tiers[TIER_COARSE].count > 0
                          ? samples_of_record(TIER_COARSE, history_record(&history, TIER_COARSE, 0))
                          : 0;
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        sealed[tier] = history.tiers[tier].sealed;
        held_from[tier] = history_held_from(&history, tier);
        folds[tier] = tier < TIER_COARSE && history.folds[tier].count > 1;
    }
    bool more = history_step(&history, &store, now_ms);
    ck_assert_uint_le(history.tiers[TIER_COARSE].left, left + 1);
    dropped += history.tiers[TIER_COARSE].left > left ? oldest : 0;
    for (enum tier tier = 0; tier < TIER_COARSE; tier++)
        given_up += folds[tier] && history.folds[tier].count == 0 &&
                    history.tiers[tier + 1].sealed == sealed[tier + 1];
    check_conserved();
    check_ledger();
    check_held_from(held_from);
    return more;
}

/* Steps until there is nothing left. */
static void finish(void)
{
    uint64_t steps = 0;
    while (step())
        ck_assert_uint_lt(++steps, STEPS_MAX);
    most_seen = steps > most_seen ? steps : most_seen;
    ck_assert(!history_is_sealing(&history));
}

/* The window that is open ends. */
static void seal(void)
{
    now_ms = (now_ms / WINDOW_MS + 1) * WINDOW_MS;
    finish();
}

/* NULL when it is not in that tier. */
static const struct record *record_of(enum tier tier, uint64_t serial)
{
    for (uint32_t i = 0; i < history.tiers[tier].count; i++) {
        const struct record *record = history_record(&history, tier, i);
        if (record->serial == serial)
            return record;
    }
    return NULL;
}

static const struct record *newest(enum tier tier)
{
    ck_assert_uint_gt(history.tiers[tier].count, 0);
    return history_record(&history, tier, history.tiers[tier].count - 1);
}

/* Reads the only cell of the family there; the sketch into `sketch`. */
static struct tally only_cell(enum tier tier, const struct record *record, uint64_t family,
                              void *sketch)
{
    struct section section;
    struct cell_reader reader;
    struct tally tally = {.sketch = sketch};
    uint64_t sequence;
    ck_assert(history_section(&history, tier, record, family, &section));
    cell_reader_init(&reader, &section);
    ck_assert(cell_read(&reader, &sequence, &tally));
    ck_assert_uint_eq(section.cells, 1);
    ck_assert_uint_eq(history_section_cells(&history, tier, record, family), 1);
    return tally;
}

/* ---- sealing ---- */

START_TEST(nothing_is_sealed_before_the_windows_end)
{
    begin();
    apply(KIND_COUNTER, "hits 1");
    for (int i = 0; i < 10; i++, now_ms += WINDOW_MS / 10)
        ck_assert(!step());
    now_ms--;
    ck_assert(!step());
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 0);
    now_ms++;
    ck_assert(step());
    finish();
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 1);
    ck_assert_int_eq(newest(TIER_FINE)->start_ms, TEST_START_MS);
    ck_assert_uint_eq(samples_open(), 0);
    ck_assert_uint_eq(history.sealed_windows, 1);
}
END_TEST

START_TEST(each_window_has_one_record_and_a_serial_of_its_own)
{
    begin();
    for (uint32_t i = 0; i < 20; i++) {
        apply_many("hits", 0, 1 + i);
        apply(KIND_GAUGE, "level 1");
        seal();
        ck_assert_uint_eq(history.tiers[TIER_FINE].count, i + 1);
        ck_assert_uint_eq(newest(TIER_FINE)->serial, i + 1);
        ck_assert_uint_eq(history.next_serial, i + 2);
        ck_assert_uint_eq(newest(TIER_FINE)->families, 2);
        ck_assert_uint_eq(newest(TIER_FINE)->cells, i + 2);
        ck_assert_int_eq(newest(TIER_FINE)->start_ms, TEST_START_MS + i * WINDOW_MS);
    }
    ck_assert_ptr_eq(record_of(TIER_FINE, 7),
                     history_record(&history, TIER_FINE, 6));
    ck_assert_ptr_null(record_of(TIER_FINE, 21));
    ck_assert_ptr_null(record_of(TIER_FINE, 0));
    ck_assert_uint_eq(history_find(&history, TIER_FINE, TEST_START_MS + WINDOW_MS - 1), 0);
    ck_assert_uint_eq(history_find(&history, TIER_FINE, TEST_START_MS + WINDOW_MS), 1);
    ck_assert_uint_eq(history_find(&history, TIER_FINE, now_ms), 20);
}
END_TEST

START_TEST(a_window_without_samples_leaves_no_record)
{
    begin();
    apply(KIND_COUNTER, "hits 1");
    seal();
    seal();
    seal();
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 1);
    ck_assert_uint_eq(history.next_serial, 2);
    ck_assert_uint_eq(history.sealed_windows, 3);
    ck_assert_uint_eq(history.skipped_windows, 0);
    apply(KIND_COUNTER, "hits 1");
    seal();
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 2);
    ck_assert_int_eq(newest(TIER_FINE)->start_ms, TEST_START_MS + 3 * WINDOW_MS);
}
END_TEST

START_TEST(sealing_twice_at_one_time_does_nothing)
{
    begin();
    apply(KIND_COUNTER, "hits 1");
    seal();
    apply(KIND_COUNTER, "hits 1");
    for (int i = 0; i < 3; i++)
        ck_assert(!step());
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 1);
    ck_assert_uint_eq(samples_open(), 1);
    ck_assert_uint_eq(history.sealed_windows, 1);
}
END_TEST

START_TEST(a_clock_that_goes_back_does_nothing)
{
    begin();
    apply(KIND_COUNTER, "hits 1");
    seal();
    apply(KIND_COUNTER, "hits 1");
    now_ms -= HOUR_MS;
    ck_assert(!step());
    now_ms = 0;
    ck_assert(!step());
    now_ms = INT64_MIN;
    ck_assert(!step());
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 1);
    ck_assert_uint_eq(samples_open(), 1);
    ck_assert_uint_eq(history.sealed_windows, 1);
}
END_TEST

START_TEST(a_step_of_the_clock_seals_the_open_window_once)
{
    begin();
    apply(KIND_COUNTER, "hits 1");
    now_ms += HOUR_MS;
    apply(KIND_COUNTER, "hits 1"); /* before the next tick: of the window that is still open */
    finish();
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 1);
    ck_assert_int_eq(newest(TIER_FINE)->start_ms, TEST_START_MS);
    ck_assert_uint_eq(samples_of_tier(TIER_FINE), 2);
    ck_assert_uint_eq(history.sealed_windows, 1);
    ck_assert_uint_eq(history.skipped_windows, 359);
    apply(KIND_COUNTER, "hits 1");
    seal();
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 2);
    ck_assert_int_eq(newest(TIER_FINE)->start_ms, TEST_START_MS + HOUR_MS);
    ck_assert_uint_eq(history.sealed_windows, 2);
    ck_assert_uint_eq(history.skipped_windows, 359);
}
END_TEST

/* ---- cells ---- */

START_TEST(a_counters_cell_is_its_open_window)
{
    begin();
    apply(KIND_COUNTER, "hits 5.5");
    apply(KIND_COUNTER, "hits 7");
    seal();
    struct tally cell = only_cell(TIER_FINE, newest(TIER_FINE), id_of("hits"), NULL);
    ck_assert_uint_eq(cell.count, 2);
    ck_assert(cell.sum == 12.5 && cell.min == 5.5 && cell.max == 7);
    apply(KIND_COUNTER, "hits 1"); /* and nothing of it is in the next one */
    seal();
    cell = only_cell(TIER_FINE, newest(TIER_FINE), id_of("hits"), NULL);
    ck_assert_uint_eq(cell.count, 1);
    ck_assert(cell.sum == 1 && cell.min == 1 && cell.max == 1);
}
END_TEST

START_TEST(a_gauges_cell_has_the_last_value_and_its_time)
{
    begin();
    apply(KIND_GAUGE, "level 5");
    now_ms += 4321;
    apply(KIND_GAUGE, "level -7.25");
    seal();
    struct tally cell = only_cell(TIER_FINE, newest(TIER_FINE), id_of("level"), NULL);
    ck_assert_uint_eq(cell.count, 2);
    ck_assert(cell.sum == -2.25 && cell.min == -7.25 && cell.max == 5 && cell.last == -7.25);
    ck_assert_int_eq(cell.last_ms, TEST_START_MS + 4321);
}
END_TEST

/* The window is over, but nobody has sealed it: a later window's sample must be later. */
START_TEST(what_comes_after_the_end_is_of_its_last_millisecond)
{
    begin();
    apply(KIND_GAUGE, "level 5");
    now_ms += WINDOW_MS + 77;
    apply(KIND_GAUGE, "level 6");
    finish();
    struct tally cell = only_cell(TIER_FINE, newest(TIER_FINE), id_of("level"), NULL);
    ck_assert(cell.last == 6);
    ck_assert_int_eq(cell.last_ms, TEST_START_MS + WINDOW_MS - 1);
}
END_TEST

START_TEST(a_histograms_cell_has_every_bucket)
{
    struct exp_histogram expected;
    struct exp_histogram actual;
    begin();
    exp_histogram_init(&expected);
    for (int i = 0; i < 200; i++) {
        char text[64];
        snprintf(text, sizeof text, "took %.17g", (i - 50) * 1.25);
        exp_histogram_observe(&expected, (i - 50) * 1.25);
        apply(KIND_HISTOGRAM, text);
    }
    seal();
    struct tally cell = only_cell(TIER_FINE, newest(TIER_FINE), id_of("took"), &actual);
    ck_assert_uint_eq(cell.count, 200);
    ck_assert(cell.min == -62.5 && cell.max == 149 * 1.25);
    ck_assert_mem_eq(&actual, &expected, sizeof expected);
    apply(KIND_HISTOGRAM, "took 1");
    seal();
    exp_histogram_init(&expected);
    exp_histogram_observe(&expected, 1);
    only_cell(TIER_FINE, newest(TIER_FINE), id_of("took"), &actual);
    ck_assert_mem_eq(&actual, &expected, sizeof expected);
}
END_TEST

START_TEST(a_sets_cell_has_every_register)
{
    struct hyperloglog expected;
    struct hyperloglog actual;
    begin();
    hyperloglog_init(&expected);
    for (int i = 0; i < 300; i++) {
        char text[64];
        snprintf(text, sizeof text, "users user%d", i);
        struct sample sample = test_sample(KIND_SET, text);
        hyperloglog_add(&expected, sample.member);
        apply_sample(sample);
    }
    seal();
    struct tally cell = only_cell(TIER_FINE, newest(TIER_FINE), id_of("users"), &actual);
    ck_assert_uint_eq(cell.count, 300);
    ck_assert_mem_eq(&actual, &expected, sizeof expected);
    apply(KIND_SET, "users user5");
    seal();
    only_cell(TIER_FINE, newest(TIER_FINE), id_of("users"), &actual);
    ck_assert(fabs(hyperloglog_estimate(&actual) - 1) < 0.1);
}
END_TEST

START_TEST(the_cells_of_children_have_sums_and_counts)
{
    struct classic classic;
    begin();
    apply(KIND_CLASSIC, "slow sum=4.5 0.5:1 1:2 +Inf:3");
    apply(KIND_CLASSIC, "slow sum=0.25 0.5:1 1:1 +Inf:1");
    apply(KIND_SUMMARY, "calls sum=2.5 9");
    seal();
    struct tally cell = only_cell(TIER_FINE, newest(TIER_FINE), id_of("slow"), &classic);
    ck_assert_uint_eq(cell.count, 2);
    ck_assert(cell.sum == 4.75 && cell.last == 4);
    ck_assert_uint_eq(classic.bound_count, 2);
    ck_assert(classic.bounds[0] == 0.5 && classic.bounds[1] == 1);
    ck_assert(classic.open[0] == 2 && classic.open[1] == 3);
    cell = only_cell(TIER_FINE, newest(TIER_FINE), id_of("calls"), NULL);
    ck_assert(cell.count == 1 && cell.sum == 2.5 && cell.last == 9);
    ck_assert_uint_eq(samples_open(), 0);
}
END_TEST

/* ---- sealing in steps ---- */

#define MANY 520 /* series of a plain kind are more than a step seals */

/* Rings in which records of all families fit, and series by the thousand. */
static void begin_large(void)
{
    settings.series_max = 14000;
    settings.series_label_bytes = 4 << 20;
    settings.windows_fine_bytes = settings.windows_middle_bytes = 1 << 20;
    settings.windows_coarse_bytes = 4 << 20;
    begin();
}

START_TEST(a_pass_is_going_on_until_all_is_sealed)
{
    begin_large();
    apply_many("hits", 0, 4 * MANY);
    now_ms += WINDOW_MS;
    ck_assert(!history_is_sealing(&history));
    int steps = 0;
    while (samples_open() > 0) {
        ck_assert(step());
        ck_assert(history_is_sealing(&history) || samples_open() == 0);
        ck_assert_uint_eq(history.sealed_windows, history_is_sealing(&history) ? 0 : 1);
        steps++;
    }
    ck_assert_int_ge(steps, 4);
    finish();
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 1);
    ck_assert_uint_eq(history.sealed_windows, 1);
}
END_TEST

/* What is behind the cursor, before it, and where it stands. */
START_TEST(between_steps_samples_come_and_series_and_families_go)
{
    begin_large();
    apply_many("first", 0, MANY);
    apply_many("second", 0, MANY);
    apply_many("third", 0, MANY);
    uint64_t second = id_of("second");
    now_ms += WINDOW_MS;
    for (uint32_t i = 0; step() && i < 5; i++) {
        char name[32];
        if (i == 2)
            delete_family("first");
        if (i == 3)
            store_delete(&store, test_series_find(&store, family_of("second"),
                                                  bytes_of("n=\"0\""))); /* sealed: a new id */
        snprintf(name, sizeof name, "new_%u", i);
        apply_many("second", i, 1);
        apply_many("third", i, 2);
        apply_many(name, 0, 3);
    }
    ck_assert_uint_gt(id_of("second"), second);
    finish();
    ck_assert_uint_eq(history.sealed_windows, 1);
    seal();
    ck_assert_uint_eq(samples_open(), 0);
    check_conserved();
    ck_assert_int_eq(history_record(&history, TIER_FINE, 0)->start_ms, TEST_START_MS);
    ck_assert_uint_gt(history.tiers[TIER_FINE].count, 1);
}
END_TEST

/* 2,048 units of 8, and a look at the overflow series. */
#define SEALED_A_STEP 255

/* The cursor's own series, and the one behind it, end between two steps. */
START_TEST(the_series_at_the_cursor_may_end)
{
    begin_large();
    apply_many("hits", 0, 3 * MANY);
    now_ms += WINDOW_MS;
    ck_assert(step());
    ck_assert_uint_eq(samples_open(), 3 * MANY - SEALED_A_STEP);
    for (uint32_t at = history.seal.cursor.slot, i = 0; i < 2; i++) {
        uint32_t next = store_series(&store, at)->next;
        uint32_t family = store_series(&store, at)->family;
        uint64_t id = store_family(&store, family)->id;
        pushed -= store_series(&store, at)->open.count;
        store_delete(&store, at);
        ck_assert_uint_gt(store_family(&store, family)->id, id);
        at = next;
    }
    finish();
    ck_assert_uint_eq(samples_open(), 3 * MANY - SEALED_A_STEP - 1); /* left to the next pass */
    ck_assert_uint_eq(newest(TIER_FINE)->cells, SEALED_A_STEP);
    now_ms += WINDOW_MS;
    finish();
    ck_assert_uint_eq(samples_open(), 0);
    ck_assert_uint_eq(newest(TIER_FINE)->families, 1);
    ck_assert_uint_eq(newest(TIER_FINE)->cells, 3 * MANY - SEALED_A_STEP - 1);
}
END_TEST

/* After a step of the clock all that is sealed expires; what comes then takes the slots. */
START_TEST(the_slot_at_the_cursor_may_be_used_again)
{
    settings.series_expire_after = HOUR_MS;
    begin_large();
    apply_many("hits", 0, 3 * MANY);
    now_ms += 24 * HOUR_MS;
    ck_assert(step());
    uint32_t cursor = history.seal.cursor.slot;
    expire_all();
    ck_assert_ptr_null(store_series(&store, cursor));
    if (_i == 1)
        apply_many("hits", 3 * MANY, 512);
    ck_assert((store_series(&store, cursor) != NULL) == (_i == 1));
    finish();
    ck_assert_uint_eq(samples_open(), _i == 1 ? 512 : 0); /* what came since is left to the next */
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 1);
    ck_assert_uint_eq(newest(TIER_FINE)->families, 1);
    ck_assert_uint_eq(newest(TIER_FINE)->cells, 3 * MANY);
}
END_TEST

/* However many come and go: a pass ends, and its record has the families that were there. */
START_TEST(families_that_come_during_a_pass_are_left_to_the_next)
{
    begin_large();
    char name[32];
    uint32_t born = 0;
    for (; born < 16; born++) {
        snprintf(name, sizeof name, "metric_%u", born);
        apply_many(name, 0, born == 15 ? 3 * MANY : 1);
    }
    now_ms += WINDOW_MS;
    uint32_t steps = 0;
    for (; step() && history_is_sealing(&history); born++, steps++) {
        snprintf(name, sizeof name, "metric_%u", born - 15); /* but not the first */
        delete_family(name);
        snprintf(name, sizeof name, "metric_%u", born);
        apply_many(name, 0, MANY);
    }
    ck_assert_uint_gt(steps, 3);
    ck_assert_uint_eq(history.tiers[TIER_FINE].count, 1);
    ck_assert_uint_le(newest(TIER_FINE)->families, 16);
    ck_assert_uint_eq(samples_open(), (born - 16) * MANY);
    now_ms += WINDOW_MS;
    finish();
    ck_assert_uint_eq(samples_open(), 0);
    ck_assert_uint_eq(history.sealed_windows, 2);
}
END_TEST

/* The ring is empty, and its head so near to its end that the first cell begins at the base. */
START_TEST(what_an_empty_ring_skips_is_not_held)
{
    begin();
    struct ring *ring = &history.tiers[TIER_FINE].ring;
    ring->head = ring->tail = ring->bytes - 3000;
    apply(KIND_COUNTER, "hits 1");
    seal();
    ck_assert_uint_eq(newest(TIER_FINE)->position, ring->bytes);
    ck_assert_uint_eq(history_held(&history, TIER_FINE), ring_held(ring) + sizeof(struct record));
}
END_TEST

/* ---- folding ---- */

/* Seals windows of one sample each until a tier has been given its first record. */
static void seal_until(enum tier tier, enum kind kind, const char *text)
{
    for (int i = 0; history.tiers[tier].sealed == 0; i++) {
        ck_assert_int_lt(i, 20000);
        apply(kind, text);
        seal();
    }
}

START_TEST(a_minute_of_records_becomes_one)
{
    begin();
    seal_until(TIER_MIDDLE, KIND_COUNTER, "hits 3");
    const struct record *record = newest(TIER_MIDDLE);
    struct tally cell = only_cell(TIER_MIDDLE, record, id_of("hits"), NULL);
    ck_assert_uint_eq(history.tiers[TIER_MIDDLE].count, 1);
    ck_assert_int_eq(record->start_ms, TEST_START_MS);
    ck_assert_uint_eq(cell.count, 6);
    ck_assert(cell.sum == 18 && cell.min == 3 && cell.max == 3);
    ck_assert_int_eq(history_record(&history, TIER_FINE, 0)->start_ms,
                     TEST_START_MS + 6 * WINDOW_MS);
    ck_assert_uint_eq(history.tiers[TIER_FINE].left, 6);
    ck_assert_int_eq(history_held_from(&history, TIER_FINE), TEST_START_MS + 6 * WINDOW_MS);
    ck_assert_int_eq(history_held_from(&history, TIER_MIDDLE), TEST_START_MS);
    ck_assert_uint_gt(record->serial, newest(TIER_FINE)->serial - 1);
}
END_TEST

/* Each kind's sum is what tally_add, or the sketch's own merge, makes of the cells. */
START_TEST(a_sum_is_what_the_cells_add_up_to)
{
    static const char *const names[KIND_COUNT] = {"c", "g", "h", "s", "b", "m"};
    static union {
        struct exp_histogram histogram;
        struct hyperloglog set;
        struct classic classic;
    } expected_sketch[KIND_COUNT], sketch;
    struct tally expected[KIND_COUNT];
    struct random random = {TEST_SEED};
    uint64_t ids[KIND_COUNT];
    begin();
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        expected[kind] = (struct tally){.sketch = &expected_sketch[kind]};
        if (tally_sketch_bytes(kind) == 0)
            expected[kind].sketch = NULL;
        tally_reset(&expected[kind], kind);
    }
    for (int i = 0; history.tiers[TIER_MIDDLE].sealed == 0; i++) {
        for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
            for (uint64_t n = 1 + random_below(&random, 9); n > 0; n--) {
                char text[128];
                double value = (double)random_below(&random, 1000) / 8 - (kind == KIND_GAUGE) * 50;
                now_ms++;
                if (kind == KIND_CLASSIC)
                    snprintf(text, sizeof text, "b sum=%g 1:1 %s +Inf:3", value,
                             i % 2 == 0 ? "5:2 10:2" : "4:1 10:3");
                else if (kind == KIND_SUMMARY)
                    snprintf(text, sizeof text, "m sum=%g 7", value);
                else
                    snprintf(text, sizeof text, "%s %g", names[kind], value);
                apply(kind, text);
            }
        }
        now_ms = TEST_START_MS + i * WINDOW_MS + WINDOW_MS - 1;
        seal();
        for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
            ids[kind] = id_of(names[kind]);
            if (i >= 6 || history.tiers[TIER_FINE].count == 0)
                continue;
            struct tally cell = only_cell(TIER_FINE, newest(TIER_FINE), ids[kind],
                                          expected[kind].sketch == NULL ? NULL : &sketch);
            tally_add(&expected[kind], &cell, kind);
        }
    }
    const struct record *record = history_record(&history, TIER_MIDDLE, 0);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        const struct tally *should = &expected[kind];
        struct tally sum =
            only_cell(TIER_MIDDLE, record, ids[kind], should->sketch == NULL ? NULL : &sketch);
        ck_assert_uint_eq(sum.count, should->count);
        ck_assert(sum.sum == should->sum);
        if (kind < KIND_SET)
            ck_assert(sum.min == should->min && sum.max == should->max);
        if (kind == KIND_GAUGE || kind >= KIND_CLASSIC)
            ck_assert(sum.last == should->last);
        if (kind == KIND_GAUGE)
            ck_assert_int_eq(sum.last_ms, should->last_ms);
        if (kind == KIND_HISTOGRAM || kind == KIND_SET)
            ck_assert_mem_eq(&sketch, should->sketch, tally_sketch_bytes(kind));
        if (kind != KIND_CLASSIC)
            continue;
        ck_assert_uint_eq(sketch.classic.bound_count, 2); /* what both have: 1 and 10 */
        ck_assert_mem_eq(sketch.classic.bounds, should->classic->bounds, 2 * sizeof(double));
        ck_assert_mem_eq(sketch.classic.open, should->classic->open, 2 * sizeof(double));
    }
}
END_TEST

/* The latest by time: the series had none in the minute's last windows. */
START_TEST(the_last_of_a_gauge_is_the_latest_one_there_was)
{
    begin();
    for (int i = 0; history.tiers[TIER_MIDDLE].sealed == 0; i++) {
        apply(KIND_COUNTER, "hits 1");
        if (i == 1 || i == 3)
            apply(KIND_GAUGE, i == 1 ? "level 9" : "level 4");
        seal();
    }
    struct tally cell = only_cell(TIER_MIDDLE, newest(TIER_MIDDLE), id_of("level"), NULL);
    ck_assert(cell.last == 4 && cell.max == 9 && cell.count == 2);
    ck_assert_int_eq(cell.last_ms, TEST_START_MS + 3 * WINDOW_MS);
}
END_TEST

static void dense_set(const char *text)
{
    struct random random = {TEST_SEED};
    struct sample sample = test_sample(KIND_SET, text);
    apply_sample(sample);
    const struct series *series = store_find(&store, &sample);
    struct hyperloglog *open = store_open_sketch(&store, series, KIND_SET);
    for (int i = 0; i < 40000; i++)
        hyperloglog_add(open, random_next(&random));
}

/* The ring has no room for the first cell; while some is made, who had it is deleted. */
START_TEST(a_record_that_came_to_nothing_is_none)
{
    const struct open_record *open = &history.tiers[TIER_FINE].open;
    begin();
    for (int i = 0; !open->is_open; i++) {
        ck_assert_int_lt(i, 100);
        dense_set("users u");
        now_ms += WINDOW_MS;
        while (step() && history_is_sealing(&history) &&
               !(open->is_open && open->record.cells == 0))
            continue; /* nothing is folded before it must be */
    }
    uint64_t sealed = history.tiers[TIER_FINE].sealed;
    ck_assert_uint_eq(open->record.cells, 0);
    delete_family("users");
    finish();
    ck_assert(!open->is_open);
    ck_assert_uint_eq(history.tiers[TIER_FINE].sealed, sealed);
}
END_TEST

/* Six windows of sets that are not the same: three kilobytes each, of which none is saved. */
START_TEST(a_sum_that_gets_too_long_is_tried_with_fewer)
{
    begin();
    for (int i = 0; i < 120; i++) {
        char text[64];
        snprintf(text, sizeof text, "users{n=\"%d\"} u%d", i % 6, i);
        dense_set(text);
        seal();
    }
    ck_assert_uint_gt(given_up, 0);
    ck_assert_uint_gt(history.tiers[TIER_MIDDLE].sealed, 0);
    ck_assert_uint_gt(history.tiers[TIER_COARSE].sealed, 0);
}
END_TEST

/* Small windows of other families each: the sum may be of as many as a directory holds. */
START_TEST(a_directory_limits_the_sources_of_a_sum)
{
    settings.series_idle_min = 0;
    begin();
    store.idle_min_windows = 0;
    for (int i = 0; history.tiers[TIER_MIDDLE].sealed < 8; i++) {
        ck_assert_int_lt(i, 2000);
        for (int n = 0; n < 10; n++) {
            char name[32];
            snprintf(name, sizeof name, "metric_%d_%d", i, n);
            apply_many(name, 0, 1);
        }
        seal();
        for (int n = 0; n < 10; n++) {
            char name[32];
            snprintf(name, sizeof name, "metric_%d_%d", i, n);
            delete_family(name);
        }
    }
    uint32_t entry_max = history.tiers[TIER_MIDDLE].open.entry_max;
    for (uint32_t i = 0; i < 3; i++) {
        const struct record *record = history_record(&history, TIER_MIDDLE, i);
        ck_assert_int_eq(record->start_ms, TEST_START_MS); /* one minute, in three records */
        ck_assert_uint_eq(record->families, entry_max / 10 * 10);
    }
}
END_TEST

/* ---- the end ---- */

/* Windows that are short in the middle and coarse tiers too, so that all fill soon. */
static void begin_short(void)
{
    settings.windows_middle = 2 * WINDOW_MS;
    settings.windows_coarse = 4 * WINDOW_MS;
    begin();
}

START_TEST(only_the_coarsest_tier_drops)
{
    begin_short();
    for (int i = 0; dropped == 0; i++) {
        ck_assert_int_lt(i, 5000);
        ck_assert_int_eq(history_held_from(&history, TIER_COARSE), TEST_START_MS);
        ck_assert_uint_eq(store.history_floor, store_window_at(&store, TEST_START_MS));
        apply(KIND_COUNTER, "hits 1");
        seal();
    }
    ck_assert_uint_eq(dropped, 4);
    ck_assert_int_eq(history_held_from(&history, TIER_COARSE), TEST_START_MS + 4 * WINDOW_MS);
    ck_assert_uint_eq(store.history_floor, store_window_at(&store, TEST_START_MS) + 4);
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        ck_assert_uint_gt(history.tiers[tier].left, 0);
        ck_assert_int_eq(history_held_from(&history, tier),
                         history_record(&history, tier, 0)->start_ms);
    }
}
END_TEST

START_TEST(a_family_stays_as_long_as_a_window_has_a_cell_of_it)
{
    settings.series_expire_after = 30000;
    settings.series_idle_min = 20000;
    begin_short();
    apply(KIND_COUNTER, "old 1");
    uint32_t window = store.window;
    for (int i = 0; store.history_floor <= window; i++) {
        ck_assert_int_lt(i, 5000);
        expire_all();
        ck_assert_uint_eq(store_family(&store, family_of("old"))->series_count, i < 4);
        apply(KIND_COUNTER, "hits 1");
        seal();
    }
    ck_assert_uint_ne(test_family_find(&store, bytes_of("old")), SLOT_NONE);
    expire_all();
    ck_assert_uint_eq(test_family_find(&store, bytes_of("old")), SLOT_NONE);
    ck_assert_uint_ne(test_family_find(&store, bytes_of("hits")), SLOT_NONE);
}
END_TEST

/* ---- results ---- */

static struct lru_key key_of(uint64_t serial)
{
    return (struct lru_key){serial, serial * UINT64_C(0x9e3779b97f4a7c15)};
}

/* Every record has a result; it is there as long as the record. */
START_TEST(results_leave_with_their_record)
{
    uint64_t seen = 0;
    uint32_t entry;
    settings.cache_bytes = 256 << 10;
    begin_short();
    for (int i = 0; i < 700; i++) {
        apply(KIND_COUNTER, "hits 1");
        seal();
        for (; seen + 1 < history.next_serial; seen++) {
            struct bytes value = BYTES("42");
            uint64_t serial = seen + 1;
            bool held = false;
            for (enum tier tier = 0; tier < TIER_COUNT; tier++)
                held = held || record_of(tier, serial) != NULL;
            if (held)
                ck_assert(lru_admit(&cache, key_of(serial), serial, value, 1, now_ms));
        }
    }
    uint64_t records = 0;
    for (uint64_t serial = 1; serial < history.next_serial; serial++) {
        bool held = false;
        for (enum tier tier = 0; tier < TIER_COUNT; tier++)
            held = held || record_of(tier, serial) != NULL;
        ck_assert(lru_find(&cache, key_of(serial), now_ms, &entry) == held);
        records += held;
    }
    ck_assert_uint_eq(lru_figures(&cache).entries, records);
    ck_assert_uint_gt(lru_figures(&cache).evicted_retired, 0);
    ck_assert_uint_eq(lru_figures(&cache).evicted_size, 0);
}
END_TEST

/* ---- the smallest rings ---- */

/* 160 buckets, each of so many that its count takes seven bytes. */
static void huge_histogram(const char *text)
{
    struct sample sample = test_sample(KIND_HISTOGRAM, text);
    apply_sample(sample);
    const struct series *series = store_find(&store, &sample);
    struct exp_histogram *open = store_open_sketch(&store, series, KIND_HISTOGRAM);
    struct exp_histogram_range ranges[EXP_HISTOGRAM_SIGNS] = {
        {open->range[EXP_HISTOGRAM_POSITIVE].first, EXP_HISTOGRAM_BUCKETS_MAX}};
    ck_assert_uint_eq(exp_histogram_fit(open, open->scale, ranges), 0);
    for (uint32_t k = 0; k < EXP_HISTOGRAM_BUCKETS_MAX; k++) {
        *exp_histogram_at(open, EXP_HISTOGRAM_POSITIVE, k) += (UINT64_C(1) << 48) + k;
        open->count += (UINT64_C(1) << 48) + k;
    }
    exp_histogram_verify(open);
}

/* 40 bounds that are no whole numbers, with counts that are none either. */
static void long_child(uint32_t n)
{
    static double bounds[CHILD_BOUNDS_MAX];
    static double counts[CHILD_BOUNDS_MAX];
    static char labels[32];
    static struct child child;
    struct bytes name = BYTES("slow");
    struct bytes text = {labels, (size_t)snprintf(labels, sizeof labels, "n=\"%u\"", n)};
    for (size_t i = 0; i < CHILD_BOUNDS_MAX; i++) {
        bounds[i] = (double)(n + 1) / 3 + (double)i * 1.1;
        counts[i] = (double)i * 1e9 / 7;
    }
    child = (struct child){
        .sum = 1.0 / 3,
        .count = 1e11 / 3,
        .has_sum = true,
        .has_count = true,
        .has_buckets = true,
        .bound_count = CHILD_BOUNDS_MAX,
        .bounds = bounds,
        .counts = counts,
    };
    apply_sample((struct sample){
        .fingerprint = hash_series(name, text, TEST_SEED),
        .name = name.at,
        .labels = labels,
        .child = &child,
        .name_length = (uint16_t)name.length,
        .labels_length = (uint16_t)text.length,
        .kind = KIND_CLASSIC,
        .lines = 1,
        .timestamp_ms = TIMESTAMP_NONE,
    });
}

START_TEST(the_largest_cells_in_the_smallest_rings)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    begin();
    for (int i = 0; i < 400; i++) {
        for (uint32_t n = 0; n < 1u + (uint32_t)_i; n++) {
            char text[64];
            uint32_t which = (uint32_t)random_below(&random, 10);
            snprintf(text, sizeof text, "users{n=\"%u\"} u", which);
            if (random_below(&random, 3) == 0)
                dense_set(text);
            snprintf(text, sizeof text, "took{n=\"%u\"} 5", which);
            if (random_below(&random, 2) == 0)
                huge_histogram(text);
            if (random_below(&random, 2) == 0)
                long_child(which);
        }
        if (random_below(&random, 3) == 0)
            apply_many("hits", 0, (uint32_t)random_below(&random, 100));
        seal();
        history_verify(&history);
        lru_verify(&cache);
    }
    ck_assert_uint_gt(dropped, 0);
    ck_assert_uint_gt(given_up, 0);
}
END_TEST

/* With _i steps are only done as long as a window is being sealed: so nothing is folded early. */
START_TEST(tiny_windows_run_out_of_records_before_bytes)
{
    begin();
    for (int i = 0; i < 12000 && dropped == 0; i++) {
        apply(KIND_COUNTER, "hits 1");
        now_ms += WINDOW_MS;
        if (_i == 0)
            finish();
        else
            while (step() && history_is_sealing(&history))
                continue;
        for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
            const struct tier_ring *ring = &history.tiers[tier];
            ck_assert_uint_le(ring->count, ring->record_max - (_i == 0 && tier < TIER_COARSE));
            ck_assert_uint_lt(ring_held(&ring->ring), ring->ring.bytes / 2);
        }
    }
    ck_assert_uint_gt(dropped, 0);
}
END_TEST

Suite *history_suite(void)
{
    Suite *suite = suite_create("history");
    TCase *sealing = tcase_create("sealing");
    tcase_add_checked_fixture(sealing, setup, teardown);
    tcase_add_test(sealing, nothing_is_sealed_before_the_windows_end);
    tcase_add_test(sealing, each_window_has_one_record_and_a_serial_of_its_own);
    tcase_add_test(sealing, a_window_without_samples_leaves_no_record);
    tcase_add_test(sealing, sealing_twice_at_one_time_does_nothing);
    tcase_add_test(sealing, a_clock_that_goes_back_does_nothing);
    tcase_add_test(sealing, a_step_of_the_clock_seals_the_open_window_once);
    suite_add_tcase(suite, sealing);
    TCase *cells = tcase_create("cells");
    tcase_add_checked_fixture(cells, setup, teardown);
    tcase_add_test(cells, a_counters_cell_is_its_open_window);
    tcase_add_test(cells, a_gauges_cell_has_the_last_value_and_its_time);
    tcase_add_test(cells, what_comes_after_the_end_is_of_its_last_millisecond);
    tcase_add_test(cells, a_histograms_cell_has_every_bucket);
    tcase_add_test(cells, a_sets_cell_has_every_register);
    tcase_add_test(cells, the_cells_of_children_have_sums_and_counts);
    suite_add_tcase(suite, cells);
    TCase *steps = tcase_create("steps");
    tcase_add_checked_fixture(steps, setup, teardown);
    tcase_add_test(steps, a_pass_is_going_on_until_all_is_sealed);
    tcase_add_test(steps, between_steps_samples_come_and_series_and_families_go);
    tcase_add_test(steps, the_series_at_the_cursor_may_end);
    tcase_add_loop_test(steps, the_slot_at_the_cursor_may_be_used_again, 0, 2);
    tcase_add_test(steps, what_an_empty_ring_skips_is_not_held);
    tcase_add_test(steps, families_that_come_during_a_pass_are_left_to_the_next);
    suite_add_tcase(suite, steps);
    TCase *folding = tcase_create("folding");
    tcase_add_checked_fixture(folding, setup, teardown);
    tcase_add_test(folding, a_minute_of_records_becomes_one);
    tcase_add_test(folding, a_sum_is_what_the_cells_add_up_to);
    tcase_add_test(folding, the_last_of_a_gauge_is_the_latest_one_there_was);
    tcase_add_test(folding, a_record_that_came_to_nothing_is_none);
    tcase_add_test(folding, a_sum_that_gets_too_long_is_tried_with_fewer);
    tcase_add_test(folding, a_directory_limits_the_sources_of_a_sum);
    suite_add_tcase(suite, folding);
    TCase *ends = tcase_create("ends");
    tcase_add_checked_fixture(ends, setup, teardown);
    tcase_add_test(ends, only_the_coarsest_tier_drops);
    tcase_add_test(ends, a_family_stays_as_long_as_a_window_has_a_cell_of_it);
    tcase_add_test(ends, results_leave_with_their_record);
    suite_add_tcase(suite, ends);
    TCase *smallest = tcase_create("smallest");
    tcase_add_checked_fixture(smallest, setup, teardown);
    tcase_set_timeout(smallest, 60);
    tcase_add_loop_test(smallest, the_largest_cells_in_the_smallest_rings, 0, 4);
    tcase_add_loop_test(smallest, tiny_windows_run_out_of_records_before_bytes, 0, 2);
    suite_add_tcase(suite, smallest);
    return suite;
}
