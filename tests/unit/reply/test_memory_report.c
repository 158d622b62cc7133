/* test_memory_report.c: GET /memory as API.md has it, read back by a parser that is not ours. */
#include "reply/memory_report.h"

#include "engine/plan_make.h"

#include "reply/memory_verdict.h"
#include "reply/report_fixture.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

Suite *memory_report_suite(void);

static struct report_fixture fixture;
static char text[MEMORY_REPORT_BYTES];
static json_t *report;

static void setup(void)
{
    fixture_init(&fixture);
}

static void teardown(void)
{
    json_decref(report);
    report = NULL;
}

static struct bytes write_text(void)
{
    struct writer writer = writer_make(text, sizeof text);
    memory_report_write(&writer, &fixture.input);
    ck_assert(!writer.full);
    return writer_text(&writer);
}

/* 2^63 is no integer to the parser. */
static void write_report_as(size_t flags)
{
    json_error_t error;
    struct bytes json = write_text();
    json_decref(report);
    report = json_loadb(json.at, json.length, JSON_REJECT_DUPLICATES | flags, &error);
    ck_assert_msg(report != NULL, "%s at %d in\n%.*s", error.text, error.position, (int)json.length,
                  json.at);
}

static void write_report(void)
{
    write_report_as(0);
}

/* What stands at "budget.admission.state" or "pools.3.name"; NULL when there is nothing. */
static json_t *find(const char *path)
{
    json_t *at = report;
    while (at != NULL && *path != '\0') {
        char name[64];
        size_t length = strcspn(path, ".");
        ck_assert_uint_lt(length, sizeof name);
        memcpy(name, path, length);
        name[length] = '\0';
        at = json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10))
                               : json_object_get(at, name);
        path += length + (path[length] == '.');
    }
    return at;
}

static json_t *member(const char *path)
{
    json_t *at = find(path);
    ck_assert_msg(at != NULL, "no %s", path);
    return at;
}

static json_int_t integer(const char *path)
{
    json_t *at = member(path);
    ck_assert_msg(json_is_integer(at), "%s is no integer", path);
    return json_integer_value(at);
}

static double real(const char *path)
{
    json_t *at = member(path);
    ck_assert_msg(json_is_number(at), "%s is no number", path);
    return json_number_value(at);
}

static const char *string(const char *path)
{
    json_t *at = member(path);
    ck_assert_msg(json_is_string(at), "%s is no string", path);
    return json_string_value(at);
}

/* ---- the schema ---- */

struct object {
    const char *path;
    const char *keys; /* all of them, each between spaces */
};

static const struct object objects[] = {
    {"", " schema now start status reasons live_bytes peak_bytes peak_at budget process plan "
         "cgroup pools requests lifetimes cache windows own_windows audit trend "
         "period_peak_bytes period_start "},
    {"budget", " limit_bytes source planned_bytes reserved_bytes prefaulted headroom_bytes "
               "admission "},
    {"budget.admission", " state refused_total closed_without_reply_total "},
    {"budget.admission.refused_total", " request_bytes pool "},
    {"budget.admission.closed_without_reply_total",
     " header_timeout body_timeout reply_timeout drain client "},
    {"process", " rss_bytes rss_peak_bytes rss_anon_bytes rss_file_bytes pss_bytes swap_bytes "
                "virtual_bytes virtual_peak_bytes threads open_fds max_fds minor_faults_total "
                "major_faults_total cpu_seconds_total malloc unaccounted_bytes "},
    {"process.malloc", " in_use_bytes free_bytes mmap_bytes base_bytes unexplained_bytes "},
    {"plan.0", " part bytes "},
    {"cgroup", " version current_bytes peak_bytes limit_bytes events pressure "},
    {"cgroup.pressure", " some full "},
    {"cgroup.pressure.full", " avg10 avg60 avg300 total_seconds "},
    {"cgroup.events", " max oom_kill "},
    {"pools.0", " name kind lifetime capacity_bytes live_bytes peak_bytes period_peak_bytes "
                "live_objects allocations_total frees_total refusals_total "
                "oldest_object_age_seconds "},
    {"pools.1", " name kind lifetime capacity_bytes live_bytes peak_bytes period_peak_bytes "
                "live_objects allocations_total frees_total refusals_total "},
    {"pools.0.refusals_total", " capacity "},
    {"requests", " live live_bytes peak_bytes oldest_age_seconds completed_total "},
    {"lifetimes", " request cached series window "},
    {"lifetimes.cached", " le cumulative count sum max "},
    {"lifetimes.request", " le cumulative count sum max "},
    {"cache", " policy entries live_bytes capacity_bytes hits_total misses_total admitted_total "
              "rejected_total evictions_total evicted_unused_total "
              "last_evicted_idle_seconds oldest_entry_age_seconds seconds_saved_total "},
    {"cache.rejected_total", " too_large "},
    {"cache.evictions_total", " size retired "},
    {"windows.0", " tier capacity_bytes live_bytes retention_seconds records sealed_total "
                  "left_total "},
    {"own_windows.2", " tier retention_seconds records sealed_total left_total "},
    {"audit", " ledger_mismatch_bytes audits quiet_points quiet_point_failures "
              "quiet_point_failing "},
    {"trend", " verdict worst "},
};

START_TEST(object_has_these_members_and_no_other)
{
    const struct object *object = &objects[_i];
    write_report();
    json_t *at = member(object->path);
    size_t count = 0;
    for (const char *space = object->keys; space[1] != '\0'; space = strchr(space + 1, ' '))
        count++;
    ck_assert_msg(json_object_size(at) == count, "%s has %zu members, not %zu", object->path,
                  json_object_size(at), count);
    const char *key;
    json_t *value;
    json_object_foreach(at, key, value)
    {
        char spaced[64];
        snprintf(spaced, sizeof spaced, " %s ", key);
        ck_assert_msg(strstr(object->keys, spaced) != NULL, "%s.%s", object->path, key);
    }
}
END_TEST

static const struct {
    const char *path;
    const uint64_t *figure;
} integers[] = {
    {"budget.limit_bytes", &fixture.plan.settings.memory},
    {"budget.planned_bytes", &fixture.plan.total},
    {"budget.reserved_bytes", &fixture.plan.parts[PLAN_REGION]},
    {"budget.admission.refused_total.request_bytes",
     &fixture.world.requests.refused[STATUS_REQUEST_TOO_LARGE]},
    {"budget.admission.refused_total.pool", &fixture.world.requests.refused[STATUS_BUSY]},
    {"budget.admission.closed_without_reply_total.header_timeout",
     &fixture.world.requests.closed[CLOSED_HEADER_TIMEOUT]},
    {"budget.admission.closed_without_reply_total.body_timeout",
     &fixture.world.requests.closed[CLOSED_BODY_TIMEOUT]},
    {"budget.admission.closed_without_reply_total.reply_timeout",
     &fixture.world.requests.closed[CLOSED_REPLY_TIMEOUT]},
    {"budget.admission.closed_without_reply_total.drain",
     &fixture.world.requests.closed[CLOSED_DRAIN]},
    {"budget.admission.closed_without_reply_total.client",
     &fixture.world.requests.closed[CLOSED_CLIENT]},
    {"process.rss_bytes", &fixture.world.process.rss_bytes},
    {"process.rss_peak_bytes", &fixture.world.process.rss_peak_bytes},
    {"process.rss_anon_bytes", &fixture.world.process.rss_anon_bytes},
    {"process.rss_file_bytes", &fixture.world.process.rss_file_bytes},
    {"process.pss_bytes", &fixture.world.process.pss_bytes},
    {"process.swap_bytes", &fixture.world.process.swap_bytes},
    {"process.virtual_bytes", &fixture.world.process.virtual_bytes},
    {"process.virtual_peak_bytes", &fixture.world.process.virtual_peak_bytes},
    {"process.threads", &fixture.world.process.threads},
    {"process.open_fds", &fixture.world.process.open_fds},
    {"process.max_fds", &fixture.world.process.max_fds},
    {"process.minor_faults_total", &fixture.world.process.minor_faults},
    {"process.major_faults_total", &fixture.world.process.major_faults},
    {"process.malloc.in_use_bytes", &fixture.world.process.malloc_in_use_bytes},
    {"process.malloc.free_bytes", &fixture.world.process.malloc_free_bytes},
    {"process.malloc.mmap_bytes", &fixture.world.process.malloc_mmap_bytes},
    {"cgroup.current_bytes", &fixture.world.cgroup.current_bytes},
    {"cgroup.peak_bytes", &fixture.world.cgroup.peak_bytes},
    {"cgroup.limit_bytes", &fixture.world.cgroup.limit_bytes},
    {"cgroup.events.max", &fixture.world.cgroup.max_events},
    {"cgroup.events.oom_kill", &fixture.world.cgroup.oom_kills},
    {"requests.live", &fixture.world.requests.live},
    {"requests.live_bytes", &fixture.world.requests.live_bytes},
    {"requests.peak_bytes", &fixture.world.requests.peak_bytes},
    {"requests.completed_total", &fixture.world.requests.completed},
    {"cache.entries", &fixture.input.cache.figures.entries},
    {"cache.live_bytes", &fixture.input.cache.figures.live_bytes},
    {"cache.capacity_bytes", &fixture.input.cache.figures.capacity_bytes},
    {"cache.hits_total", &fixture.input.cache.figures.hits},
    {"cache.misses_total", &fixture.input.cache.figures.misses},
    {"cache.admitted_total", &fixture.input.cache.figures.admitted},
    {"cache.rejected_total.too_large", &fixture.input.cache.figures.rejected_too_large},
    {"cache.evictions_total.size", &fixture.input.cache.figures.evicted_size},
    {"cache.evictions_total.retired", &fixture.input.cache.figures.evicted_retired},
    {"cache.evicted_unused_total", &fixture.input.cache.figures.evicted_unused},
    {"windows.0.records", &fixture.input.history.tiers[0].records},
    {"windows.1.sealed_total", &fixture.input.history.tiers[1].sealed},
    {"windows.2.left_total", &fixture.input.history.tiers[2].left},
    {"own_windows.1.records", &fixture.input.own_history.tiers[1].records},
    {"audit.audits", &fixture.input.audits},
    {"audit.quiet_points", &fixture.input.quiet.points},
    {"audit.quiet_point_failures", &fixture.input.quiet.failures},
    {"process.malloc.base_bytes", &fixture.world.process.malloc_base_bytes},
    {"audit.ledger_mismatch_bytes", &fixture.input.ledger_mismatch_bytes},
};

START_TEST(figure_stands_under_its_name)
{
    fixture.input.ledger_mismatch_bytes = 13;
    write_report();
    ck_assert_msg((uint64_t)integer(integers[_i].path) == *integers[_i].figure, "%s",
                  integers[_i].path);
}
END_TEST

START_TEST(words_and_times_are_as_documented)
{
    write_report();
    ck_assert_str_eq(string("schema"), "memory/1");
    ck_assert_str_eq(string("status"), "ok");
    ck_assert_uint_eq(json_array_size(member("reasons")), 0);
    ck_assert_double_eq(real("now"), 1795378410.151);
    ck_assert_double_eq(real("start"), 1795370000.0);
    ck_assert_double_eq(real("peak_at"), 1795378000.25);
    ck_assert_double_eq(real("requests.oldest_age_seconds"), 1.25);
    ck_assert_double_eq(real("process.cpu_seconds_total"), 12.25);
    ck_assert_str_eq(string("budget.source"), "flag");
    ck_assert(json_is_true(member("budget.prefaulted")));
    ck_assert_int_eq(integer("cgroup.version"), 2);
    ck_assert_double_eq(real("cgroup.pressure.some.avg10"), 0.25);
    ck_assert_double_eq(real("cgroup.pressure.some.avg300"), 2.5);
    ck_assert_double_eq(real("cgroup.pressure.full.avg60"), 5.5);
    ck_assert_double_eq(real("cgroup.pressure.full.total_seconds"), 7.5);
    ck_assert_str_eq(string("trend.verdict"), "flat");
    ck_assert(json_is_null(member("trend.worst")));
    ck_assert(json_is_null(member("period_start")));
}
END_TEST

START_TEST(plan_has_a_row_for_each_part)
{
    json_int_t sum = 0;
    write_report();
    ck_assert_uint_eq(json_array_size(member("plan")), PLAN_PARTS);
    for (int part = 0; part < PLAN_PARTS; part++) {
        char path[32];
        snprintf(path, sizeof path, "plan.%d.part", part);
        ck_assert_str_eq(string(path), plan_part_names[part]);
        snprintf(path, sizeof path, "plan.%d.bytes", part);
        sum += integer(path);
    }
    ck_assert_int_eq(sum, integer("budget.planned_bytes"));
}
END_TEST

START_TEST(drills_are_no_part_of_a_plan_without_them)
{
    fixture.plan.parts[PLAN_DRILLS] = 0;
    write_report();
    ck_assert_uint_eq(json_array_size(member("plan")), PLAN_PARTS - 1);
    ck_assert_str_eq(string("plan.4.part"), "slack");
}
END_TEST

static const char *pool_path(int pool, const char *name)
{
    static char path[64];
    snprintf(path, sizeof path, "pools.%d.%s", pool, name);
    return path;
}

START_TEST(pools_have_a_row_each_and_add_up)
{
    json_int_t capacity = 0;
    json_int_t live = 0;
    write_report();
    ck_assert_uint_eq(json_array_size(member("pools")), POOL_COUNT);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        ck_assert_str_eq(string(pool_path(pool, "name")), pool_rows[pool].name);
        ck_assert_str_eq(string(pool_path(pool, "kind")), pool_rows[pool].kind);
        ck_assert_str_eq(string(pool_path(pool, "lifetime")), pool_rows[pool].lifetime);
        ck_assert_int_eq(integer(pool_path(pool, "live_bytes")), 1000 * (pool + 1));
        ck_assert_int_eq(integer(pool_path(pool, "peak_bytes")), 1000 * (pool + 1) + 7);
        ck_assert_int_eq(integer(pool_path(pool, "period_peak_bytes")), 1000 * (pool + 1) + 7);
        ck_assert_int_eq(integer(pool_path(pool, "live_objects")), 1);
        ck_assert_int_eq(integer(pool_path(pool, "allocations_total")), 2);
        ck_assert_int_eq(integer(pool_path(pool, "frees_total")), 1);
        ck_assert_int_eq(integer(pool_path(pool, "refusals_total.capacity")), pool + 1);
        capacity += integer(pool_path(pool, "capacity_bytes"));
        live += integer(pool_path(pool, "live_bytes"));
    }
    ck_assert_int_eq(integer("live_bytes"), live);
    ck_assert_int_eq(integer("peak_bytes"), live + 7);
    ck_assert_int_eq(integer("budget.headroom_bytes"), capacity - live);
}
END_TEST

/* Another thread took memory between two reads of the ledger: what is shown agrees all the same. */
START_TEST(peak_is_never_below_what_is_live)
{
    atomic_store(&fixture.ledger.accounts[POOL_SERIES].live_bytes, 9 * FIXTURE_MIB);
    write_report();
    ck_assert_int_eq(integer(pool_path(POOL_SERIES, "peak_bytes")), 9 * FIXTURE_MIB);
    ck_assert_int_eq(integer("peak_bytes"), integer("live_bytes"));
}
END_TEST

START_TEST(lifetimes_are_cumulative)
{
    static const double bounds[] = {0.001, 0.01, 0.1, 1, 10};
    static const json_int_t cumulative[] = {1, 3, 6, 10, 15};
    write_report();
    ck_assert_uint_eq(json_array_size(member("lifetimes.request.le")), REQUEST_BOUNDS);
    ck_assert_uint_eq(json_array_size(member("lifetimes.request.cumulative")), REQUEST_BOUNDS);
    for (int i = 0; i < REQUEST_BOUNDS; i++) {
        char path[48];
        snprintf(path, sizeof path, "lifetimes.request.le.%d", i);
        ck_assert_double_eq(real(path), bounds[i]);
        snprintf(path, sizeof path, "lifetimes.request.cumulative.%d", i);
        ck_assert_int_eq(integer(path), cumulative[i]);
    }
    ck_assert_int_eq(integer("lifetimes.request.count"), 21);
    ck_assert_double_eq(real("lifetimes.request.sum"), 60.5);
    ck_assert_double_eq(real("lifetimes.request.max"), 15.25);
}
END_TEST

static void check_lifetimes(const char *name, const json_int_t *cumulative, json_int_t count,
                            double sum, double max)
{
    static const double bounds[] = {1, 10, 60, 600, 3600, 86400, 604800};
    char path[64];
    for (int i = 0; i < LIFETIME_BOUNDS; i++) {
        snprintf(path, sizeof path, "lifetimes.%s.le.%d", name, i);
        ck_assert_double_eq(real(path), bounds[i]);
        snprintf(path, sizeof path, "lifetimes.%s.cumulative.%d", name, i);
        ck_assert_int_eq(integer(path), cumulative[i]);
    }
    snprintf(path, sizeof path, "lifetimes.%s.count", name);
    ck_assert_int_eq(integer(path), count);
    snprintf(path, sizeof path, "lifetimes.%s.sum", name);
    ck_assert_double_eq(real(path), sum);
    snprintf(path, sizeof path, "lifetimes.%s.max", name);
    ck_assert_double_eq(real(path), max);
}

START_TEST(each_lifetime_has_its_own)
{
    write_report();
    check_lifetimes("cached", (json_int_t[]){3, 5, 5, 5, 5, 5, 5}, 5, 11.5, 6.25);
    check_lifetimes("series", (json_int_t[]){0, 0, 0, 0, 9, 13, 14}, 14, 5000.5, 700.25);
    check_lifetimes("window", (json_int_t[]){0, 0, 5, 12, 12, 12, 12}, 12, 900.5, 120.25);
}
END_TEST

START_TEST(oldest_objects_are_told_where_they_are_known)
{
    write_report();
    ck_assert_double_eq(real(pool_path(POOL_REQUESTS, "oldest_object_age_seconds")), 1.25);
    ck_assert_double_eq(real(pool_path(POOL_RESERVE, "oldest_object_age_seconds")), 0.25);
    ck_assert_double_eq(real(pool_path(POOL_WINDOWS_MIDDLE, "oldest_object_age_seconds")), 6062);
    ck_assert_double_eq(real(pool_path(POOL_CACHE, "oldest_object_age_seconds")), 7.5);
    ck_assert_ptr_null(find(pool_path(POOL_SERIES, "oldest_object_age_seconds")));
}
END_TEST

START_TEST(a_period_has_peaks_of_its_own)
{
    ledger_begin_period(&fixture.ledger, 1795378000500);
    write_report();
    ck_assert_double_eq(real("period_start"), 1795378000.5);
    ck_assert_int_eq(integer("period_peak_bytes"), integer("live_bytes"));
    ck_assert_int_eq(integer("peak_bytes"), integer("live_bytes") + 7);
    ck_assert_int_eq(integer(pool_path(POOL_SERIES, "period_peak_bytes")),
                     integer(pool_path(POOL_SERIES, "live_bytes")));
    ck_assert_int_eq(integer(pool_path(POOL_SERIES, "peak_bytes")),
                     integer(pool_path(POOL_SERIES, "live_bytes")) + 7);
}
END_TEST

START_TEST(pools_that_fail_at_quiet_points_are_named)
{
    fixture.input.quiet.since_ms[POOL_GROWTH] = 1795378400250;
    write_report();
    ck_assert_uint_eq(json_array_size(member("audit.quiet_point_failing")), 1);
    ck_assert_str_eq(string("audit.quiet_point_failing.0.pool"), "growth");
    ck_assert_int_eq(integer("audit.quiet_point_failing.0.failures"), 1);
    ck_assert_double_eq(real("audit.quiet_point_failing.0.since"), 1795378400.25);
}
END_TEST

START_TEST(what_the_system_does_not_tell_is_left_out)
{
    fixture_same(&fixture.world.process, sizeof fixture.world.process / 8, WORLD_UNKNOWN);
    fixture.world.process.cpu_seconds = 1;
    fixture.world.process.threads = 7;
    fixture.world.cgroup = (struct world_cgroup){.version = 1,
                                                 .current_bytes = 5,
                                                 .peak_bytes = WORLD_UNKNOWN,
                                                 .limit_bytes = WORLD_UNKNOWN,
                                                 .max_events = WORLD_UNKNOWN,
                                                 .oom_kills = 3};
    write_report();
    ck_assert_uint_eq(json_object_size(member("process")), 2);
    ck_assert_int_eq(integer("process.threads"), 7);
    ck_assert_ptr_null(find("cgroup.peak_bytes"));
    ck_assert(json_is_null(member("cgroup.limit_bytes")));
    ck_assert(json_is_null(member("cgroup.pressure")));
    ck_assert_uint_eq(json_object_size(member("cgroup.events")), 1);
    ck_assert_int_eq(integer("cgroup.events.oom_kill"), 3);
}
END_TEST

START_TEST(no_cgroup_is_null)
{
    fixture.world.cgroup.version = 0;
    write_report();
    ck_assert(json_is_null(member("cgroup")));
}
END_TEST

/* ---- the verdict ---- */

#define NEAR (9 * FIXTURE_MIB)
#define FULL (10 * FIXTURE_MIB)

static const struct {
    enum pool pool;
    uint64_t capacity;
    uint64_t live;
    const char *status;
    const char *code; /* NULL: no reason */
    double ratio;
} verdicts[] = {
    {POOL_SERIES, FULL, NEAR - 1, "ok", NULL, 0},
    {POOL_SERIES, FULL, NEAR, "pressure", "pool_near_capacity", 0.9},
    {POOL_LABELS, FULL, NEAR, "pressure", "pool_near_capacity", 0.9},
    {POOL_FAMILIES, FULL, FULL, "pressure", "pool_near_capacity", 1},
    {POOL_HISTOGRAMS, FULL, NEAR + 314572, "pressure", "pool_near_capacity", 0.929},
    {POOL_SETS, 4096, 4096, "pressure", "pool_near_capacity", 1},
    /* the ratio alone does not fire, nor does a small room alone */
    {POOL_SERIES, 1000 * FIXTURE_MIB, 996 * FIXTURE_MIB, "ok", NULL, 0},
    {POOL_SERIES, 1000 * FIXTURE_MIB, 996 * FIXTURE_MIB + 1, "pressure", "pool_near_capacity",
     0.996},
    {POOL_SETS, 4096, 2048, "ok", NULL, 0},
    {POOL_SETS, 0, 0, "ok", NULL, 0},
    /* requests: room for a line (16 KiB) or not */
    {POOL_GROWTH, FULL, NEAR - 1, "ok", NULL, 0},
    {POOL_GROWTH, FULL, FULL - 16384, "pressure", "pool_near_capacity", 0.998},
    {POOL_GROWTH, FULL, FULL - 16383, "shedding", "pool_full", 0.998},
    {POOL_GROWTH, FULL, FULL, "shedding", "pool_full", 1},
    /* what is sized for the worst case may be full */
    {POOL_REQUESTS, FULL, FULL, "ok", NULL, 0},
    {POOL_RESERVE, FULL, FULL, "ok", NULL, 0},
    {POOL_SCRATCH, FULL, FULL, "ok", NULL, 0},
    {POOL_BATCHES, FULL, FULL, "ok", NULL, 0},
    {POOL_CONNECTIONS, FULL, FULL, "ok", NULL, 0},
    {POOL_FIXED, FULL, FULL, "ok", NULL, 0},
};

START_TEST(verdict_follows_from_how_full_a_pool_is)
{
    fixture.plan.settings.series_max = FULL; /* all slots are for ordinary series */
    fixture_account(&fixture, verdicts[_i].pool, verdicts[_i].capacity, verdicts[_i].live);
    write_report();
    ck_assert_str_eq(string("status"), verdicts[_i].status);
    ck_assert_uint_eq(json_array_size(member("reasons")), verdicts[_i].code != NULL);
    bool busy = strcmp(verdicts[_i].status, "shedding") == 0;
    ck_assert_str_eq(string("budget.admission.state"), busy ? "busy" : "open");
    if (verdicts[_i].code == NULL)
        return;
    ck_assert_uint_eq(json_object_size(member("reasons.0")), 4);
    ck_assert_str_eq(string("reasons.0.code"), verdicts[_i].code);
    ck_assert_str_eq(string("reasons.0.pool"), pool_rows[verdicts[_i].pool].name);
    ck_assert_double_eq(real("reasons.0.ratio"), verdicts[_i].ratio);
    ck_assert_uint_gt(strlen(string("reasons.0.text")), 20);
}
END_TEST

/* However short the lines, a request grows by a unit at least. */
START_TEST(room_for_less_than_a_unit_is_none)
{
    fixture.plan.settings.limits_line_bytes = 1024;
    fixture_account(&fixture, POOL_GROWTH, FULL, FULL - 4096);
    write_report();
    ck_assert_str_eq(string("status"), "pressure");
    fixture_account(&fixture, POOL_GROWTH, FULL, FULL - 4095);
    write_report();
    ck_assert_str_eq(string("status"), "shedding");
}
END_TEST

START_TEST(ledger_error_is_worst_and_hides_nothing)
{
    fixture.input.ledger_mismatch_bytes = 1;
    fixture_account(&fixture, POOL_GROWTH, FULL, FULL);
    fixture_account(&fixture, POOL_SETS, FULL, FULL);
    write_report();
    ck_assert_str_eq(string("status"), "ledger_error");
    ck_assert_str_eq(string("budget.admission.state"), "busy");
    ck_assert_uint_eq(json_array_size(member("reasons")), 3);
    ck_assert_str_eq(string("reasons.0.code"), "ledger_mismatch");
    ck_assert_uint_eq(json_object_size(member("reasons.0")), 2);
    ck_assert_str_eq(string("reasons.1.code"), "pool_full");
    ck_assert_str_eq(string("reasons.2.code"), "pool_near_capacity");
}
END_TEST

/* ---- what is watched ---- */

#define HOUR_MS INT64_C(3600000)

static const struct {
    uint32_t figure;
    enum watch_verdict verdict;
    int64_t full_in_ms; /* 0: not known */
    const char *status;
    const char *code; /* NULL: no reason */
    const char *subject;
} findings[] = {
    {POOL_GROWTH, WATCH_LEAK, 0, "leak_suspected", "leak", "pool"},
    {WATCH_DESCRIPTORS, WATCH_LEAK, 0, "leak_suspected", "leak", "figure"},
    {WATCH_HEAP, WATCH_GROWING, 0, "leak_suspected", "growing", "figure"},
    {WATCH_RSS, WATCH_GROWING, 0, "leak_suspected", "growing", "figure"},
    {WATCH_LATENCY, WATCH_GROWING, 0, "ok", "slowing", "figure"},
    {WATCH_CPU, WATCH_GROWING, 0, "ok", "slowing", "figure"},
    {POOL_SERIES, WATCH_FILLING, 23 * HOUR_MS, "pressure", "pool_filling", "pool"},
    {POOL_SERIES, WATCH_FILLING, 25 * HOUR_MS, "ok", "pool_filling", "pool"},
    {POOL_SERIES, WATCH_FILLING, 0, "ok", "pool_filling", "pool"},
    {POOL_SERIES, WATCH_TOO_EARLY, 0, "ok", NULL, NULL},
};

START_TEST(verdict_follows_from_what_is_watched)
{
    struct watch_finding *finding = &fixture.input.watch.findings[findings[_i].figure];
    finding->verdict = findings[_i].verdict;
    if (findings[_i].full_in_ms != 0)
        finding->full_at_ms = fixture.world.now_ms + findings[_i].full_in_ms;
    fixture.input.watch.verdict = findings[_i].verdict;
    fixture.input.watch.worst = findings[_i].figure;
    write_report();
    const char *name = watch_row(findings[_i].figure).name;
    ck_assert_str_eq(string("trend.worst"), name);
    ck_assert_str_eq(string("trend.verdict"), watch_verdict_name(findings[_i].verdict));
    ck_assert_str_eq(string("status"), findings[_i].status);
    ck_assert_uint_eq(json_array_size(member("reasons")), findings[_i].code != NULL);
    if (findings[_i].code == NULL)
        return;
    ck_assert_str_eq(string("reasons.0.code"), findings[_i].code);
    ck_assert_str_eq(json_string_value(json_object_get(member("reasons.0"), findings[_i].subject)),
                     name);
    ck_assert_uint_gt(strlen(string("reasons.0.text")), 20);
    ck_assert_ptr_null(find("reasons.0.ratio"));
}
END_TEST

/* More is wrong than there is room for: what is left out is the least. */
START_TEST(the_worst_findings_are_told_first)
{
    for (uint32_t pool = 0; pool < POOL_COUNT; pool++)
        fixture.input.watch.findings[pool].verdict = WATCH_FILLING;
    fixture.input.watch.findings[WATCH_HEAP].verdict = WATCH_GROWING;
    fixture.input.watch.findings[WATCH_THREADS].verdict = WATCH_LEAK;
    write_report();
    ck_assert_uint_eq(json_array_size(member("reasons")), MEMORY_FINDINGS);
    ck_assert_str_eq(string("reasons.0.figure"), "threads");
    ck_assert_str_eq(string("reasons.1.figure"), "heap");
    ck_assert_str_eq(string("reasons.2.code"), "pool_filling");
}
END_TEST

START_TEST(a_heap_that_nothing_explains_is_a_reason)
{
    struct world_process *process = &fixture.world.process;
    fixture.world.requests.connections = 0;
    process->malloc_mmap_bytes = 0;
    process->malloc_in_use_bytes = process->malloc_base_bytes + UNEXPLAINED_BYTES - 1;
    write_report();
    ck_assert_str_eq(string("status"), "ok");
    process->malloc_in_use_bytes++;
    write_report();
    ck_assert_str_eq(string("status"), "leak_suspected");
    ck_assert_str_eq(string("reasons.0.code"), "heap_unexplained");
    ck_assert_str_eq(string("reasons.0.figure"), "heap");
}
END_TEST

START_TEST(rings_may_fill)
{
    struct watch_finding *finding = &fixture.input.watch.findings[POOL_WINDOWS_FINE];
    finding->verdict = WATCH_FILLING;
    finding->full_at_ms = fixture.world.now_ms + 1;
    finding->by_design = true;
    write_report();
    ck_assert_str_eq(string("status"), "ok");
}
END_TEST

START_TEST(stopping_is_said_before_busy)
{
    fixture.world.stopping = true;
    fixture_account(&fixture, POOL_GROWTH, FULL, FULL);
    write_report();
    ck_assert_str_eq(string("budget.admission.state"), "stopping");
}
END_TEST

/* ---- unaccounted: plan of 41 MiB region, 2 libmicrohttpd, 3 stacks, 4 code, 5 slack ---- */

static json_int_t unaccounted(uint64_t rss_mib)
{
    fixture.world.process.rss_bytes = rss_mib * FIXTURE_MIB;
    write_report();
    return integer("process.unaccounted_bytes");
}

START_TEST(rss_within_the_plan_is_accounted_for)
{
    fixture.world.process.malloc_in_use_bytes = 2 * FIXTURE_MIB;
    ck_assert_int_eq(unaccounted(50), 0);
    ck_assert_int_eq(unaccounted(51), 1 * FIXTURE_MIB);
    ck_assert_int_eq(unaccounted(1), 0);
}
END_TEST

START_TEST(slack_explains_nothing)
{
    fixture.world.process.malloc_in_use_bytes = 2 * FIXTURE_MIB;
    ck_assert_int_eq(unaccounted(55), 5 * FIXTURE_MIB);
}
END_TEST

START_TEST(malloc_explains_what_it_holds_up_to_its_plan)
{
    struct world_process *process = &fixture.world.process;
    process->malloc_in_use_bytes = process->malloc_free_bytes = process->malloc_mmap_bytes = 0;
    ck_assert_int_eq(unaccounted(50), 2 * FIXTURE_MIB);
    process->malloc_free_bytes = FIXTURE_MIB / 2;
    process->malloc_mmap_bytes = FIXTURE_MIB / 4;
    ck_assert_int_eq(unaccounted(50), FIXTURE_MIB + FIXTURE_MIB / 4);
    process->malloc_in_use_bytes = 30 * FIXTURE_MIB; /* a leak is no part of the plan */
    ck_assert_int_eq(unaccounted(79), 29 * FIXTURE_MIB);
    fixture.world.requests.connections = 0;
    process->malloc_free_bytes = process->malloc_mmap_bytes = 0;
    process->malloc_in_use_bytes =
        process->malloc_base_bytes + FIXTURE_MIB; /* nor while it is small */
    json_int_t base = (json_int_t)process->malloc_base_bytes;
    ck_assert_int_eq(unaccounted(50), 2 * (json_int_t)FIXTURE_MIB - base);
    ck_assert_int_eq(integer("process.malloc.unexplained_bytes"), FIXTURE_MIB);
}
END_TEST

START_TEST(region_not_touched_explains_its_peak)
{
    fixture.world.prefaulted = false;
    fixture.world.process.malloc_in_use_bytes = 2 * FIXTURE_MIB;
    json_int_t whole = unaccounted(50);
    atomic_store(&fixture.ledger.accounts[POOL_SERIES].peak_bytes, 5 * FIXTURE_MIB);
    json_int_t less = unaccounted(50);
    ck_assert_int_eq(whole - less, 5 * FIXTURE_MIB - (1000 * (POOL_SERIES + 1) + 7));
    ck_assert_int_gt(less, 30 * FIXTURE_MIB);
}
END_TEST

/* Slots that only overflow series may take are no room for others: series.max is what is full. */
START_TEST(series_are_near_their_own_limit)
{
    uint64_t each = slot_cost(sizeof(struct series));
    fixture.plan.settings.series_max = 1000;
    fixture_account(&fixture, POOL_SERIES, 4000 * each, 880 * each);
    write_report();
    ck_assert_str_eq(string("status"), "ok");
    fixture_account(&fixture, POOL_SERIES, 4000 * each, 950 * each);
    write_report();
    ck_assert_str_eq(string("status"), "pressure");
    ck_assert_double_eq(real("reasons.0.ratio"), 0.95);
}
END_TEST

/* ---- bounds ---- */

START_TEST(report_at_its_longest_fits)
{
    fixture_extreme(&fixture);
    write_report_as(JSON_DECODE_INT_AS_REAL);
    ck_assert_uint_eq(json_array_size(member("reasons")), MEMORY_REASONS_MAX - 1);
    ck_assert_double_eq(real("process.rss_bytes"), 9223372036854775808.0);
    struct bytes json = write_text();
    ck_assert_uint_le(json.length, MEMORY_REPORT_BYTES);
    ck_assert_uint_le(MEMORY_REPORT_BYTES, OPERATOR_ARENA_BYTES / 2);
}
END_TEST

/* The buffer is exactly as large as the writer says: the sanitizer sees a byte more. */
static bool fits(size_t size)
{
    char *exact = malloc(size + 1);
    ck_assert_ptr_nonnull(exact);
    struct writer writer = writer_make(exact + 1, size);
    memory_report_write(&writer, &fixture.input);
    free(exact);
    return !writer.full;
}

START_TEST(report_that_does_not_fit_says_so)
{
    size_t needed = write_text().length;
    for (size_t size = 0; size < needed; size += 97)
        ck_assert_msg(!fits(size), "%zu bytes of %zu", size, needed);
    ck_assert(!fits(needed - 1));
    ck_assert(fits(needed));
}
END_TEST

START_TEST(texts_are_escaped)
{
    fixture.world.memory_source = "a \"quoted\" \\ back\nslash \x01 \xff {[";
    write_report();
    ck_assert_str_eq(string("budget.source"), "a \"quoted\" \\ back\nslash \x01 \xef\xbf\xbd {[");
    ck_assert_int_eq(integer("budget.limit_bytes"), (json_int_t)fixture.plan.settings.memory);
}
END_TEST

START_TEST(what_stands_before_the_report_is_left_alone)
{
    struct writer writer = writer_make(text, sizeof text);
    writer_string(&writer, "before\n");
    memory_report_write(&writer, &fixture.input);
    struct bytes expected = BYTES("before\n{\n \"schema\": \"memory/1\"");
    ck_assert(bytes_start_with(writer_text(&writer), expected));
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

Suite *memory_report_suite(void)
{
    Suite *suite = suite_create("memory_report");
    TCase *tcase = tcase_create("memory_report");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, object_has_these_members_and_no_other, 0, ROWS(objects));
    tcase_add_loop_test(tcase, figure_stands_under_its_name, 0, ROWS(integers));
    tcase_add_test(tcase, words_and_times_are_as_documented);
    tcase_add_test(tcase, plan_has_a_row_for_each_part);
    tcase_add_test(tcase, drills_are_no_part_of_a_plan_without_them);
    tcase_add_test(tcase, pools_have_a_row_each_and_add_up);
    tcase_add_test(tcase, peak_is_never_below_what_is_live);
    tcase_add_test(tcase, lifetimes_are_cumulative);
    tcase_add_test(tcase, each_lifetime_has_its_own);
    tcase_add_test(tcase, oldest_objects_are_told_where_they_are_known);
    tcase_add_test(tcase, a_period_has_peaks_of_its_own);
    tcase_add_test(tcase, pools_that_fail_at_quiet_points_are_named);
    tcase_add_loop_test(tcase, verdict_follows_from_what_is_watched, 0, ROWS(findings));
    tcase_add_test(tcase, the_worst_findings_are_told_first);
    tcase_add_test(tcase, a_heap_that_nothing_explains_is_a_reason);
    tcase_add_test(tcase, rings_may_fill);
    tcase_add_test(tcase, what_the_system_does_not_tell_is_left_out);
    tcase_add_test(tcase, no_cgroup_is_null);
    tcase_add_loop_test(tcase, verdict_follows_from_how_full_a_pool_is, 0, ROWS(verdicts));
    tcase_add_test(tcase, series_are_near_their_own_limit);
    tcase_add_test(tcase, room_for_less_than_a_unit_is_none);
    tcase_add_test(tcase, ledger_error_is_worst_and_hides_nothing);
    tcase_add_test(tcase, stopping_is_said_before_busy);
    tcase_add_test(tcase, rss_within_the_plan_is_accounted_for);
    tcase_add_test(tcase, slack_explains_nothing);
    tcase_add_test(tcase, malloc_explains_what_it_holds_up_to_its_plan);
    tcase_add_test(tcase, region_not_touched_explains_its_peak);
    tcase_add_test(tcase, report_at_its_longest_fits);
    tcase_add_test(tcase, report_that_does_not_fit_says_so);
    tcase_add_test(tcase, texts_are_escaped);
    tcase_add_test(tcase, what_stands_before_the_report_is_left_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}
