/* quiet.c: see quiet.h. */
#include "quiet.h"

#include "proc.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The service learns of a closed connection when its thread wakes up; under sanitizers, and with a
 * hundred of them, that takes a while. */
#define SETTLE_LOOKS 100
#define LOOK_NS 100000000 /* between two */

/* Once nothing is in flight: a thread that has just ended its last request may not have counted. */
#define SETTLED_LOOKS 10

/* What connections need in malloc differs by some chunks from one quiet point to the next. */
#define UNEXPLAINED_MAX 65536

/* ---- figures of the document ---- */

static json_int_t figure(const json_t *memory, const char *object, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(memory, object), name));
}

static json_int_t unexplained(const json_t *memory)
{
    return figure(json_object_get(memory, "process"), "malloc", "unexplained_bytes");
}

static json_t *pool_find(const json_t *memory, const char *name)
{
    json_t *pool;
    size_t i;

    json_array_foreach (json_object_get(memory, "pools"), i, pool)
        if (strcmp(json_string_value(json_object_get(pool, "name")), name) == 0)
            return pool;
    return NULL;
}

static json_int_t pool_figure(const json_t *pool, const char *name)
{
    return json_integer_value(json_object_get(pool, name));
}

static bool pool_lives_as(const json_t *pool, const char *lifetime)
{
    return strcmp(json_string_value(json_object_get(pool, "lifetime")), lifetime) == 0;
}

/* ---- rows ---- */

static void add(json_t *checks, const char *name, const char *relation, json_int_t expected,
                json_int_t got)
{
    bool ok = strcmp(relation, "==") == 0 ? got == expected : got <= expected;

    json_array_append_new(checks, json_pack("{s:s, s:s, s:I, s:I, s:b}", "name", name, "relation",
                                            relation, "expected", expected, "got", got, "ok", ok));
}

static void equal(json_t *checks, const char *name, json_int_t expected, json_int_t got)
{
    add(checks, name, "==", expected, got);
}

static void at_most(json_t *checks, const char *name, json_int_t expected, json_int_t got)
{
    add(checks, name, "<=", expected, got);
}

static void pool_equal(json_t *checks, const json_t *pool, const char *what, json_int_t expected)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%s", json_string_value(json_object_get(pool, "name")), what);
    equal(checks, name, expected, pool_figure(pool, what));
}

/* The reserve is where the asking request itself is. */
static void check_request_pool(json_t *checks, const json_t *pool)
{
    json_int_t asking = strcmp(json_string_value(json_object_get(pool, "name")), "reserve") == 0;

    if (asking)
        pool_equal(checks, pool, "live_objects", 1);
    else
        pool_equal(checks, pool, "live_bytes", 0);
    pool_equal(checks, pool, "frees_total", pool_figure(pool, "allocations_total") - asking);
}

static void check_pools(json_t *checks, const json_t *memory, const json_t *first)
{
    json_t *pool;
    size_t i;

    json_array_foreach (json_object_get(memory, "pools"), i, pool) {
        const char *name = json_string_value(json_object_get(pool, "name"));
        char row[64];
        if (pool_lives_as(pool, "request") || pool_lives_as(pool, "scratch") ||
            pool_lives_as(pool, "batch"))
            check_request_pool(checks, pool);
        if (pool_lives_as(pool, "process"))
            pool_equal(checks, pool, "live_bytes",
                       pool_figure(pool_find(first, name), "live_bytes"));
        snprintf(row, sizeof row, "%s_peak_bytes", name);
        at_most(checks, row, pool_figure(pool, "capacity_bytes"), pool_figure(pool, "peak_bytes"));
    }
}

/* Not of a build with sanitizers, as the service then is too: their shadow is resident. */
static void check_resident(json_t *checks, const json_t *memory, const json_t *proc)
{
#ifdef MAYFLY_SANITIZED
    (void)checks, (void)memory, (void)proc;
#else
    json_int_t limit = figure(memory, "budget", "limit_bytes");

    at_most(checks, "rss_peak_bytes", limit, figure(memory, "process", "rss_peak_bytes"));
    if (json_is_object(proc))
        at_most(checks, "hwm_bytes", limit, json_integer_value(json_object_get(proc, "hwm")));
#endif
}

static void check_process(json_t *checks, const json_t *memory, const json_t *first,
                          const json_t *proc)
{
    equal(checks, "threads", figure(first, "process", "threads"),
          figure(memory, "process", "threads"));
    equal(checks, "open_fds", figure(first, "process", "open_fds"),
          figure(memory, "process", "open_fds"));
    at_most(checks, "malloc_unexplained_bytes", unexplained(first) + UNEXPLAINED_MAX,
            unexplained(memory));
    check_resident(checks, memory, proc);
}

/* Of its cgroup, in which others may have been killed before it began. */
static json_int_t oom_kills(const json_t *memory)
{
    return figure(json_object_get(memory, "cgroup"), "events", "oom_kill");
}

static void check_rest(json_t *checks, const json_t *memory, const json_t *first)
{
    equal(checks, "requests_in_flight", 1, figure(memory, "requests", "live"));
    equal(checks, "connections_live_objects", 1,
          pool_figure(pool_find(memory, "connections"), "live_objects"));
    equal(checks, "ledger_mismatch_bytes", 0, figure(memory, "audit", "ledger_mismatch_bytes"));
    equal(checks, "quiet_point_failures", 0, figure(memory, "audit", "quiet_point_failures"));
    equal(checks, "cgroup_oom_kills", oom_kills(first), oom_kills(memory));
}

static json_t *checks_make(const json_t *memory, const json_t *first, const json_t *proc)
{
    json_t *checks = json_array();

    check_pools(checks, memory, first);
    check_process(checks, memory, first, proc);
    check_rest(checks, memory, first);
    return checks;
}

void quiet_check_load(json_t *checks, const struct traffic_figures *figures)
{
    uint64_t failed = 0;

    for (int status = 300; status < 600; status++)
        if (status != 413 && status != 503)
            failed += figures->statuses[status];
    equal(checks, "valid_requests_failed", 0, (json_int_t)failed);
}

bool quiet_all_ok(const json_t *checks)
{
    json_t *check;
    size_t i;

    json_array_foreach (checks, i, check)
        if (!json_is_true(json_object_get(check, "ok")))
            return false;
    return true;
}

static bool is_settled(const json_t *memory)
{
    return figure(memory, "requests", "live") == 1 &&
           pool_figure(pool_find(memory, "connections"), "live_objects") == 1;
}

json_t *quiet_settle(const struct soak_options *options, const json_t *first, json_t **checks)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    int settled = 0;

    *checks = NULL;
    for (int look = 1;; look++) {
        json_t *memory = server_memory(&options->operator);
        json_t *proc = proc_read(options->pid);
        json_decref(*checks);
        *checks = NULL;
        if (memory != NULL)
            *checks = checks_make(memory, first == NULL ? memory : first, proc);
        json_decref(proc);
        settled += memory != NULL && is_settled(memory);
        if (memory == NULL || quiet_all_ok(*checks) || look >= SETTLE_LOOKS ||
            settled > SETTLED_LOOKS)
            return memory;
        json_decref(memory);
        nanosleep(&pause, NULL);
    }
}

/* ---- in its own words ---- */

json_int_t quiet_snapshot(const struct soak_options *options)
{
    server_status status;
    json_t *answer = server_json(&options->operator, "POST", "/memory/snapshots", &status);
    json_int_t id = json_integer_value(json_object_get(answer, "id"));

    json_decref(answer);
    return id;
}

/* The first rows of a member of the answer; null when there is no such answer. */
static json_t *top_rows(const struct soak_options *options, const char *path, json_int_t snapshot,
                        const char *member)
{
    char target[128];
    server_status status;
    snprintf(target, sizeof target, "%s?from=%lld", path, (long long)snapshot);
    json_t *answer = server_json(&options->operator, "GET", target, &status);
    json_t *rows = json_incref(json_object_get(answer, member));

    json_decref(answer);
    if (status != 200 || !json_is_array(rows)) {
        json_decref(rows);
        return json_null();
    }
    while (json_array_size(rows) > 5)
        json_array_remove(rows, json_array_size(rows) - 1);
    return rows;
}

static json_t *doctor(const struct soak_options *options)
{
    server_status status;
    char *text = server_text(&options->operator, "GET", "/memory/doctor", &status);
    json_t *words = text == NULL ? NULL : json_string(text);

    free(text);
    return words == NULL ? json_null() : words;
}

void quiet_ask_around(const struct soak_options *options, json_int_t snapshot, json_t *line)
{
    server_status status;
    json_t *trend = server_json(&options->operator, "GET", "/memory/trend", &status);
    const char *said =
        json_string_value(json_object_get(json_object_get(line, "memory"), "status"));
    bool fine = said != NULL && strcmp(said, "ok") == 0;

    json_object_set_new(line, "status", said == NULL ? json_null() : json_string(said));
    json_object_set_new(line, "trend", trend == NULL ? json_null() : trend);
    json_object_set_new(line, "doctor", fine ? json_null() : doctor(options));
    json_object_set_new(line, "sites", top_rows(options, "/memory/sites", snapshot, "sites"));
    json_object_set_new(line, "diff", top_rows(options, "/memory/diff", snapshot, "rows"));
    json_object_set_new(line, "snapshot", json_integer(snapshot));
}
