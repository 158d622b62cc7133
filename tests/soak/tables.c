/* tables.c: see tables.h. */
#include "tables.h"

#include "words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- counts ---- */

struct counts {
    const struct table *table;
    const char *prefix;
    const char *suffix;
    json_t *object;
};

static void count_add(void *context, const char *key, const double *values)
{
    struct counts *counts = context;
    char name[256];
    (void)values;
    snprintf(name, sizeof name, "%s%s%s", counts->prefix, key, counts->suffix);
    json_object_set_new(counts->object, key, json_number_or_null(table_last(counts->table, name)));
}

static json_t *counts_of(const struct table *table, const char *prefix, const char *suffix)
{
    struct counts counts = {table, prefix, suffix, json_object()};
    table_each(table, prefix, suffix, count_add, &counts);
    return counts.object;
}

/* Of each kind of hostile client how many were begun, and what became of them. */
static json_t *hostile_counts(const struct table *table)
{
    static const char *const ends[] = {"begun", "answered", "closed", "timed_out"};
    json_t *kinds = json_object();
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char suffix[32];
        const char *kind;
        json_t *count;
        snprintf(suffix, sizeof suffix, ".%s", ends[i]);
        json_t *counts = counts_of(table, "driver.hostile.", suffix);
        json_object_foreach (counts, kind, count) {
            if (json_object_get(kinds, kind) == NULL)
                json_object_set_new(kinds, kind, json_object());
            json_object_set(json_object_get(kinds, kind), ends[i], count);
        }
        json_decref(counts);
    }
    return kinds;
}

static json_t *last_of(const struct table *table, const char *name)
{
    return json_number_or_null(table_last(table, name));
}

static json_t *counts_make(const struct table *table)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "requests",
                     counts_of(table, "driver.requests.", ""), "statuses",
                     counts_of(table, "driver.statuses.", ""), "refusals",
                     counts_of(table, "driver.refusals.", ""), "hostile", hostile_counts(table),
                     "broken", last_of(table, "driver.broken"), "acknowledged_samples",
                     last_of(table, "driver.acknowledged_samples"), "rejected_samples",
                     last_of(table, "driver.rejected_samples"), "uncertain_samples",
                     last_of(table, "driver.uncertain_samples"), "sent_bytes",
                     last_of(table, "driver.sent_bytes"), "received_bytes",
                     last_of(table, "driver.received_bytes"));
}

/* ---- extremes ---- */

static json_t *max_of(const struct table *table, const char *name)
{
    return json_number_or_null(table_max(table, name));
}

static json_t *extremes_make(const struct reading *reading, const json_t *docker)
{
    const struct table *table = &reading->samples;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "memory_limit",
                     last_of(table, "memory.budget.limit_bytes"), "rss_peak",
                     max_of(table, "memory.process.rss_peak_bytes"), "hwm",
                     max_of(table, "proc.hwm"), "rss", max_of(table, "proc.rss"), "wall",
                     json_number_or_null(member_number(reading->start, "wall_bytes")),
                     "cgroup_peak", max_of(table, "memory.cgroup.peak_bytes"), "cgroup_current",
                     max_of(table, "memory.cgroup.current_bytes"), "docker_memory_peak",
                     json_number_or_null(member_number(docker, "memory_peak")), "oom_kills",
                     max_of(table, "memory.cgroup.events.oom_kill"));
}

/* ---- pools ---- */

static double of_pool(const struct table *table, const char *pool, const char *figure,
                      double (*which)(const struct table *table, const char *name))
{
    char name[256];
    snprintf(name, sizeof name, "memory.pools.%s.%s", pool, figure);
    return which(table, name);
}

/* A bounded pool cannot leak: it is full, and then somebody makes way, or is told to come again. */
static void full_remark(struct findings *findings, const struct reading *reading)
{
    char text[1024] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    const char *between = "";
    size_t i;
    json_t *pool;
    json_array_foreach (json_object_get(reading->memory, "pools"), i, pool) {
        const char *name = member_text(pool, "name");
        const char *kind = member_text(pool, "kind");
        double capacity = of_pool(&reading->samples, name, "capacity_bytes", table_last);
        double live = of_pool(&reading->samples, name, "live_bytes", table_last);
        double refused = of_pool(&reading->samples, name, "refusals_total.capacity", table_last);
        bool by_clients = strcmp(kind, "slots") == 0 || strcmp(kind, "blocks") == 0;
        if (!(by_clients && live > 0.9 * capacity) && !(refused > 0))
            continue;
        fprintf(out, "%s`%s` (%s of %s, no room %s times)", between, name,
                word_of(live, UNIT_BYTES).text, word_of(capacity, UNIT_BYTES).text,
                word_of(refused, UNIT_COUNT).text);
        between = ", ";
    }
    fclose(out);
    if (text[0] != '\0')
        remark_add(findings, "pool_full", "pools", NAN,
                   "Pools that were full, or had no room for somebody: %s. They are bounded, so "
                   "this is no leak: the longest idle makes way, or what is new overflows or is "
                   "refused.",
                   text);
}

static json_t *pools_make(const struct reading *reading)
{
    const struct table *samples = &reading->samples;
    const struct table *quiets = &reading->quiets;
    json_t *table = json_array();
    size_t i;
    json_t *pool;
    json_array_foreach (json_object_get(reading->memory, "pools"), i, pool) {
        const char *name = member_text(pool, "name");
        json_array_append_new(
            table,
            json_pack(
                "{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "pool", name, "kind",
                member_text(pool, "kind"), "lifetime", member_text(pool, "lifetime"), "capacity",
                json_number_or_null(of_pool(samples, name, "capacity_bytes", table_last)), "peak",
                json_number_or_null(of_pool(samples, name, "peak_bytes", table_max)), "first_quiet",
                json_number_or_null(of_pool(quiets, name, "live_bytes", table_first)), "last_quiet",
                json_number_or_null(of_pool(quiets, name, "live_bytes", table_last))));
    }
    return table;
}

/* ---- the record ---- */

static json_t *record_table(const struct reading *reading)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:o}", "lines", (int)reading->lines, "unreadable",
                     (int)reading->unreadable, "samples", (int)reading->samples.rows,
                     "quiet_points", (int)reading->quiets.rows, "starts", (int)reading->starts,
                     "elapsed", last_of(&reading->samples, "elapsed"));
}

static json_t *member_or_null(const json_t *object, const char *name)
{
    json_t *member = json_object_get(object, name);
    return member != NULL ? json_incref(member) : json_null();
}

void tables_add(json_t *report, struct findings *findings, const struct reading *reading,
                const json_t *docker)
{
    static const char *const said[] = {"commit", "version", "kernel", "seed"};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        json_object_set_new(report, said[i], member_or_null(reading->start, said[i]));
    json_object_set_new(report, "record", record_table(reading));
    json_object_set_new(report, "extremes", extremes_make(reading, docker));
    json_object_set_new(report, "counts", counts_make(&reading->samples));
    json_object_set_new(report, "pools", pools_make(reading));
    json_object_set_new(report, "docker", docker != NULL ? json_deep_copy(docker) : json_null());
    json_object_set_new(report, "configuration",
                        reading->start != NULL ? json_incref(reading->start) : json_null());
    full_remark(findings, reading);
}
