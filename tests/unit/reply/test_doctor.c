/* test_doctor.c: what is wrong, in words: each complaint comes when it should, and not before. */
#include "reply/doctor.h"

#include "engine/plan_make.h"
#include "reply/memory_verdict.h"
#include "reply/report_fixture.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

Suite *doctor_suite(void);

static struct report_fixture fixture;
static struct doctor_input input;
static char text[DOCTOR_BYTES + 1];

static void well(struct world *world)
{
    fixture_same(world->requests.refused, STATUS_COUNT, 0);
    world->process.swap_bytes = 0;
    world->cgroup.version = 0;
}

static void setup(void)
{
    fixture_init(&fixture);
    well(&fixture.world);
    fixture.input.cache.figures.evicted_size = 0;
    input = (struct doctor_input){.report = &fixture.input};
}

static const char *doctor(void)
{
    struct writer writer = writer_make(text, sizeof text - 1);
    doctor_write(&writer, &input);
    ck_assert(!writer.full);
    text[writer.used] = '\0';
    return text;
}

static bool says(const char *what)
{
    return strstr(doctor(), what) != NULL;
}

static void metric(const char *name, uint32_t series)
{
    struct doctor_metric *at = &input.metrics[input.metric_count++];
    at->name_length = (uint32_t)strlen(name);
    memcpy(at->name, name, at->name_length);
    at->series = series;
}

START_TEST(all_is_well)
{
    ck_assert(says("mayfly 1.2.3, up for 2 hours\n50.0 MiB resident of the 64.0 MiB of memory\n"));
    ck_assert(says(" KiB live in the pools, at most "));
    ck_assert(says("\ntrend: flat\nquiet points: 3, failed: 1\n\nNothing is wrong.\n"));
}
END_TEST

START_TEST(a_full_pool_is_named_with_its_holders_and_its_setting)
{
    metric("http_requests_total", 12000);
    metric("b", 7);
    fixture.plan.settings.series_max = 10 * FIXTURE_MIB;
    fixture_account(&fixture, POOL_SERIES, 10 * FIXTURE_MIB, 10 * FIXTURE_MIB);
    ck_assert(says("\n1. series: pool_near_capacity\n"));
    ck_assert(says("   now 10.0 MiB of 10.0 MiB\n"));
    ck_assert(says("   most series: http_requests_total (12000), b (7); GET /v1/cardinality"));
    ck_assert(says("raise series.max"));
    ck_assert(!says("Nothing is wrong"));
}
END_TEST

START_TEST(growth_is_told_with_its_rate_and_since_when)
{
    struct watch_finding *finding = &fixture.input.watch.findings[WATCH_HEAP];
    struct world_process *process = &fixture.world.process;
    fixture.world.requests.connections = 0;
    process->malloc_mmap_bytes = 0;
    process->malloc_in_use_bytes = process->malloc_base_bytes + 3 * FIXTURE_MIB;
    finding->verdict = WATCH_GROWING;
    finding->slope = 1.5 * FIXTURE_MIB;
    finding->low = FIXTURE_MIB;
    finding->high = 2 * FIXTURE_MIB;
    finding->since_ms = fixture.world.now_ms - INT64_C(3) * 86400000;
    fixture.input.watch.worst = WATCH_HEAP;
    fixture.input.watch.verdict = WATCH_GROWING;
    ck_assert(says("trend: growing, worst is heap\n"));
    ck_assert(says("\n1. heap: growing\n"));
    ck_assert(says("now 3.0 MiB, 1.5 MiB an hour (99 % sure: 1.0 MiB to 2.0 MiB), for 3 days\n"));
    ck_assert(says("GET /drills"));
}
END_TEST

START_TEST(filling_is_told_with_its_end)
{
    struct watch_finding *finding = &fixture.input.watch.findings[POOL_GROWTH];
    finding->verdict = WATCH_FILLING;
    finding->full_at_ms = fixture.world.now_ms + 45 * 60000;
    ck_assert(says("1. growth: pool_filling\n"));
    ck_assert(says("; full in 45 minutes\n"));
    ck_assert(says("requests in flight: 3001, the oldest for 1 seconds; GET /memory/holders"));
    finding->full_at_ms = fixture.world.now_ms;
    ck_assert(says("; full now\n"));
}
END_TEST

/* Full, and falling a little by now; or, after a step of the clock, without a slope at all. */
START_TEST(what_is_full_is_told_without_a_rate)
{
    struct watch_finding *finding = &fixture.input.watch.findings[POOL_SETS];
    finding->verdict = WATCH_FILLING;
    finding->full_at_ms = fixture.world.now_ms;
    finding->slope = finding->low = -3.33;
    ck_assert(says("1. sets: pool_filling\n   it has filled up, and has no room yet\n"));
    ck_assert(!says("an hour"));
    finding->slope = finding->low = finding->high = NAN;
    ck_assert(!says("an hour"));
    finding->slope = 4096;
    finding->low = -2048;
    finding->high = 8192;
    ck_assert(says("4.0 KiB an hour (99 % sure: -2.0 KiB to 8.0 KiB)"));
}
END_TEST

START_TEST(time_is_told_in_microseconds)
{
    struct watch_finding *finding = &fixture.input.watch.findings[WATCH_LATENCY];
    finding->verdict = WATCH_GROWING;
    finding->value = 0.0015;
    finding->slope = 0.000012;
    ck_assert(says("request_latency: slowing\n"));
    ck_assert(says("now 1500 us, 12 us an hour"));
}
END_TEST

/* There are enough, and gaps between them: it is never less than none. */
START_TEST(what_is_left_is_a_block_at_least)
{
    fixture.input.watch.verdict = WATCH_TOO_EARLY;
    fixture.input.watch.blocks = 27;
    ck_assert(says("a verdict on slow growth takes 6 hours more"));
}
END_TEST

START_TEST(early_is_said_with_what_is_left)
{
    fixture.input.watch.verdict = WATCH_TOO_EARLY;
    fixture.input.watch.blocks = 2;
    ck_assert(says("too_early; exact checks hold now, a verdict on slow growth takes 2 days more"));
    fixture.input.watch.findings[WATCH_RSS].rising = true;
    ck_assert(says("1. rss: higher than a day ago, all day\n"));
}
END_TEST

START_TEST(resident_memory_above_the_promise_is_a_bug)
{
    fixture.world.process.rss_bytes = fixture.plan.settings.memory;
    ck_assert(!says("above memory"));
    fixture.world.process.rss_bytes++;
    ck_assert(says("1. resident memory is above memory\n"));
}
END_TEST

START_TEST(a_heap_that_nothing_explains_is_told_when_it_grows_no_more)
{
    struct world_process *process = &fixture.world.process;
    fixture.world.requests.connections = 0;
    process->malloc_mmap_bytes = 0;
    process->malloc_in_use_bytes = process->malloc_base_bytes + FIXTURE_MIB - 1;
    ck_assert(says("Nothing is wrong"));
    process->malloc_in_use_bytes++;
    ck_assert(says("1. heap: heap_unexplained\n"));
    ck_assert(says("   now 1.0 MiB\n"));
    ck_assert(says("GET /drills"));
    fixture.plan.settings.memory = 101 * FIXTURE_MIB; /* less than a hundredth */
    ck_assert(says("Nothing is wrong"));
    fixture.plan.settings.memory = 64 * FIXTURE_MIB;
    fixture.input.watch.findings[WATCH_HEAP].verdict = WATCH_GROWING; /* said already */
    ck_assert(!says("heap_unexplained"));
}
END_TEST

START_TEST(more_room_is_no_help_for_a_leak)
{
    fixture.input.watch.findings[POOL_GROWTH].verdict = WATCH_LEAK;
    ck_assert(says("1. growth: leak\n"));
    ck_assert(says("GET /memory/diff"));
    ck_assert(!says("requests.bytes"));
}
END_TEST

/* A ratio alone does not fire, nor does a number alone. */
START_TEST(a_cache_too_small_needs_both)
{
    struct lru_figures *cache = &fixture.input.cache.figures;
    cache->evicted_size = 999;
    cache->evicted_unused = 999;
    ck_assert(says("Nothing is wrong"));
    cache->evicted_size = 1000000;
    cache->evicted_unused = 499999;
    ck_assert(says("Nothing is wrong"));
    cache->evicted_unused = 500000;
    ck_assert(says("cache: too small"));
    ck_assert(says("cache.bytes"));
}
END_TEST

START_TEST(overflow_and_refusals_are_noted)
{
    fixture.input.overflowed_samples = 12;
    fixture.world.requests.refused[STATUS_BUSY] = 3;
    ck_assert(says("note: 12 samples went to overflow series since the start (series.max)"));
    ck_assert(says("note: 3 requests were answered 503 for want of memory since the start"));
    ck_assert(says("Nothing is wrong.")); /* now */
}
END_TEST

START_TEST(a_cgroup_nearly_met_needs_ratio_and_size)
{
    struct world_cgroup *cgroup = &fixture.world.cgroup;
    cgroup->version = 2;
    cgroup->limit_bytes = 80 * FIXTURE_MIB;
    cgroup->current_bytes = 75 * FIXTURE_MIB; /* 5 left: below a tenth, but not little */
    ck_assert(says("Nothing is wrong"));
    cgroup->current_bytes = 77 * FIXTURE_MIB;
    ck_assert(says("cgroup: nearly at its limit\n   3.0 MiB left of 80.0 MiB"));
    cgroup->limit_bytes = 20 * FIXTURE_MIB;
    cgroup->current_bytes = 17 * FIXTURE_MIB; /* little, but more than a tenth */
    ck_assert(says("Nothing is wrong"));
    cgroup->limit_bytes = WORLD_UNKNOWN;
    ck_assert(says("Nothing is wrong"));
}
END_TEST

START_TEST(swap_is_told_from_a_mebibyte_on)
{
    fixture.world.process.swap_bytes = FIXTURE_MIB - 1;
    ck_assert(says("Nothing is wrong"));
    fixture.world.process.swap_bytes = FIXTURE_MIB;
    ck_assert(says("swap: 1.0 MiB of the process are swapped out"));
}
END_TEST

/* Everything at once, every number at its longest. */
START_TEST(the_longest_fits)
{
    char name[DOCTOR_NAME_BYTES + 1] = {0};
    memset(name, 'n', DOCTOR_NAME_BYTES);
    fixture_extreme(&fixture);
    for (int i = 0; i < DOCTOR_METRICS; i++)
        metric(name, UINT32_MAX);
    fixture.input.overflowed_samples = EXTREME;
    fixture.world.requests.refused[STATUS_BUSY] = EXTREME;
    fixture.world.cgroup.current_bytes = fixture.world.cgroup.limit_bytes;
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++) {
        struct watch_finding *finding = &fixture.input.watch.findings[figure];
        finding->verdict = figure < POOL_COUNT ? WATCH_FILLING : WATCH_GROWING;
        finding->slope = finding->low = finding->high = 1.7e308; /* and each of them is told */
    }
    size_t length = strlen(doctor());
    ck_assert_uint_le(length, DOCTOR_BYTES);
    ck_assert(says("16. "));
    for (size_t size = 0; size < length; size += 61) {
        char *exact = malloc(size + 1);
        struct writer writer = writer_make(exact, size);
        doctor_write(&writer, &input);
        ck_assert(writer.full);
        free(exact);
    }
}
END_TEST

START_TEST(it_fits_the_operators_arena_beside_the_figures)
{
    ck_assert_uint_le(DOCTOR_BYTES + 8192 + 4096, OPERATOR_ARENA_BYTES);
}
END_TEST

Suite *doctor_suite(void)
{
    Suite *suite = suite_create("doctor");
    TCase *tcase = tcase_create("doctor");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, all_is_well);
    tcase_add_test(tcase, a_full_pool_is_named_with_its_holders_and_its_setting);
    tcase_add_test(tcase, growth_is_told_with_its_rate_and_since_when);
    tcase_add_test(tcase, filling_is_told_with_its_end);
    tcase_add_test(tcase, what_is_full_is_told_without_a_rate);
    tcase_add_test(tcase, time_is_told_in_microseconds);
    tcase_add_test(tcase, what_is_left_is_a_block_at_least);
    tcase_add_test(tcase, early_is_said_with_what_is_left);
    tcase_add_test(tcase, resident_memory_above_the_promise_is_a_bug);
    tcase_add_test(tcase, a_heap_that_nothing_explains_is_told_when_it_grows_no_more);
    tcase_add_test(tcase, more_room_is_no_help_for_a_leak);
    tcase_add_test(tcase, a_cache_too_small_needs_both);
    tcase_add_test(tcase, overflow_and_refusals_are_noted);
    tcase_add_test(tcase, a_cgroup_nearly_met_needs_ratio_and_size);
    tcase_add_test(tcase, swap_is_told_from_a_mebibyte_on);
    tcase_add_test(tcase, the_longest_fits);
    tcase_add_test(tcase, it_fits_the_operators_arena_beside_the_figures);
    suite_add_tcase(suite, tcase);
    return suite;
}
