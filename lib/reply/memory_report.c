/* memory_report.c: see memory_report.h. */
#include "reply/memory_report.h"

#include "reply/members.h"
#include "reply/memory_verdict.h"

#include <math.h>

/* ---- figures by table ---- */

/* A member that is a uint64_t at some place of a struct. */
struct figure {
    const char *name;
    size_t offset;
};

#define FIGURES(table) (table), sizeof(table) / sizeof((table)[0])

/* Those that are known. */
static void figures(struct writer *writer, const void *base, const struct figure *table,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        memcpy(&value, (const char *)base + table[i].offset, sizeof value);
        if (value != WORLD_UNKNOWN)
            member_u64(writer, table[i].name, value);
    }
}

#define CACHE(name, member)                                                                        \
    {                                                                                              \
        name, offsetof(struct lru_figures, member)                                                 \
    }
#define PROCESS(name, member)                                                                      \
    {                                                                                              \
        name, offsetof(struct world_process, member)                                               \
    }
#define CGROUP(name, member)                                                                       \
    {                                                                                              \
        name, offsetof(struct world_cgroup, member)                                                \
    }
#define ACCOUNT(name, member)                                                                      \
    {                                                                                              \
        name, offsetof(struct account_figures, member)                                             \
    }

static const struct figure process_figures[] = {
    PROCESS("rss_bytes", rss_bytes),
    PROCESS("rss_peak_bytes", rss_peak_bytes),
    PROCESS("rss_anon_bytes", rss_anon_bytes),
    PROCESS("rss_file_bytes", rss_file_bytes),
    PROCESS("pss_bytes", pss_bytes),
    PROCESS("swap_bytes", swap_bytes),
    PROCESS("virtual_bytes", virtual_bytes),
    PROCESS("virtual_peak_bytes", virtual_peak_bytes),
    PROCESS("threads", threads),
    PROCESS("open_fds", open_fds),
    PROCESS("max_fds", max_fds),
    PROCESS("minor_faults_total", minor_faults),
    PROCESS("major_faults_total", major_faults),
};

static const struct figure malloc_figures[] = {
    PROCESS("in_use_bytes", malloc_in_use_bytes),
    PROCESS("free_bytes", malloc_free_bytes),
    PROCESS("mmap_bytes", malloc_mmap_bytes),
    PROCESS("base_bytes", malloc_base_bytes),
};

static const struct figure cgroup_figures[] = {
    CGROUP("current_bytes", current_bytes),
    CGROUP("peak_bytes", peak_bytes),
};

static const struct figure cgroup_events[] = {
    CGROUP("max", max_events),
    CGROUP("oom_kill", oom_kills),
};

static const struct figure cache_figures[] = {
    CACHE("entries", entries),
    CACHE("live_bytes", live_bytes),
    CACHE("capacity_bytes", capacity_bytes),
    CACHE("hits_total", hits),
    CACHE("misses_total", misses),
    CACHE("admitted_total", admitted),
};

static const struct figure pool_figures[] = {
    ACCOUNT("capacity_bytes", capacity_bytes),
    ACCOUNT("live_bytes", live_bytes),
    ACCOUNT("peak_bytes", peak_bytes),
    ACCOUNT("period_peak_bytes", period_peak_bytes),
    ACCOUNT("live_objects", live_objects),
    ACCOUNT("allocations_total", allocations),
    ACCOUNT("frees_total", frees),
};

/* ---- sections ---- */

static void reason_write(struct writer *writer, const struct memory_reason *reason)
{
    member_separate(writer, ", ");
    writer_char(writer, '{');
    member_text(writer, "code", reason->code);
    if (reason->figure != WATCH_COUNT)
        member_text(writer, reason->figure < POOL_COUNT ? "pool" : "figure",
                    watch_row(reason->figure).name);
    if (!isnan(reason->ratio)) /* rounded down, so that 1 means full */
        member_number(writer, "ratio", (double)(uint64_t)(reason->ratio * 1000) / 1000);
    member_text(writer, "text", reason->text);
    writer_char(writer, '}');
}

static void verdict_write(struct writer *writer, const struct memory_verdict *verdict)
{
    member_section(writer, "status");
    writer_json_string(writer, bytes_of(memory_status_name(verdict->status)));
    member_section(writer, "reasons");
    writer_char(writer, '[');
    for (uint32_t i = 0; i < verdict->count; i++)
        reason_write(writer, &verdict->reasons[i]);
    writer_char(writer, ']');
}

static const char *admission_state(const struct world *world, const struct memory_verdict *verdict)
{
    if (world->stopping)
        return "stopping";
    return verdict->shedding ? "busy" : "open";
}

static void admission_write(struct writer *writer, const struct world *world,
                            const struct memory_verdict *verdict)
{
    const struct world_requests *requests = &world->requests;
    member(writer, "admission");
    writer_char(writer, '{');
    member_text(writer, "state", admission_state(world, verdict));
    member(writer, "refused_total");
    writer_char(writer, '{');
    member_u64(writer, "request_bytes", requests->refused[STATUS_REQUEST_TOO_LARGE]);
    member_u64(writer, "pool", requests->refused[STATUS_BUSY]);
    writer_char(writer, '}');
    member(writer, "closed_without_reply_total");
    writer_char(writer, '{');
    for (int cause = 0; cause < CLOSED_CAUSES; cause++)
        member_u64(writer, closed_cause_names[cause], requests->closed[cause]);
    writer_string(writer, "}}");
}

static void budget_write(struct writer *writer, const struct report_input *input,
                         const struct report_sums *sums, const struct memory_verdict *verdict)
{
    const struct plan *plan = input->plan;
    member_section(writer, "budget");
    writer_char(writer, '{');
    member_u64(writer, "limit_bytes", plan->settings.memory);
    member_text(writer, "source", input->world->memory_source);
    member_u64(writer, "planned_bytes", plan->total);
    member_u64(writer, "reserved_bytes", plan->parts[PLAN_REGION]);
    member_bool(writer, "prefaulted", input->world->prefaulted);
    member_u64(writer, "headroom_bytes", report_less(sums->capacity_bytes, sums->live_bytes));
    admission_write(writer, input->world, verdict);
    writer_char(writer, '}');
}

static void malloc_write(struct writer *writer, const struct world_process *process,
                         uint64_t unexplained_bytes)
{
    if (process->malloc_in_use_bytes == WORLD_UNKNOWN)
        return;
    member(writer, "malloc");
    writer_char(writer, '{');
    figures(writer, process, FIGURES(malloc_figures));
    if (unexplained_bytes != WORLD_UNKNOWN)
        member_u64(writer, "unexplained_bytes", unexplained_bytes);
    writer_char(writer, '}');
}

static void process_write(struct writer *writer, const struct world_process *process,
                          const struct report_sums *sums)
{
    member_section(writer, "process");
    writer_char(writer, '{');
    figures(writer, process, FIGURES(process_figures));
    member(writer, "cpu_seconds_total");
    writer_json_number(writer, process->cpu_seconds);
    malloc_write(writer, process, sums->heap_unexplained_bytes);
    if (sums->unaccounted_bytes != WORLD_UNKNOWN)
        member_u64(writer, "unaccounted_bytes", sums->unaccounted_bytes);
    writer_char(writer, '}');
}

static void plan_part_write(struct writer *writer, const char *part, uint64_t bytes)
{
    member_separate(writer, ", ");
    writer_char(writer, '{');
    member_text(writer, "part", part);
    member_u64(writer, "bytes", bytes);
    writer_char(writer, '}');
}

static void plan_rows_write(struct writer *writer, const struct plan *plan)
{
    member_section(writer, "plan");
    writer_char(writer, '[');
    for (enum plan_part part = 0; part < PLAN_PARTS; part++) {
        if (plan_has_part(plan, part))
            plan_part_write(writer, plan_part_names[part], plan->parts[part]);
    }
    writer_char(writer, ']');
}

static void pressure_write(struct writer *writer, const char *name,
                           const struct world_pressure *pressure)
{
    member(writer, name);
    writer_char(writer, '{');
    member_number(writer, "avg10", pressure->avg10);
    member_number(writer, "avg60", pressure->avg60);
    member_number(writer, "avg300", pressure->avg300);
    member_number(writer, "total_seconds", pressure->total_seconds);
    writer_char(writer, '}');
}

/* null where the kernel does not tell: cgroup v1, or no PSI. */
static void pressures_write(struct writer *writer, const struct world_cgroup *cgroup)
{
    member(writer, "pressure");
    if (!cgroup->pressure_is_known) {
        writer_string(writer, "null");
        return;
    }
    writer_char(writer, '{');
    pressure_write(writer, "some", &cgroup->some);
    pressure_write(writer, "full", &cgroup->full);
    writer_char(writer, '}');
}

static void cgroup_write(struct writer *writer, const struct world_cgroup *cgroup)
{
    member_section(writer, "cgroup");
    if (cgroup->version == 0) {
        writer_string(writer, "null");
        return;
    }
    writer_char(writer, '{');
    member_u64(writer, "version", cgroup->version);
    figures(writer, cgroup, FIGURES(cgroup_figures));
    member(writer, "limit_bytes"); /* always there: null says that there is no limit */
    if (cgroup->limit_bytes == WORLD_UNKNOWN)
        writer_string(writer, "null");
    else
        writer_u64(writer, cgroup->limit_bytes);
    member(writer, "events");
    writer_char(writer, '{');
    figures(writer, cgroup, FIGURES(cgroup_events));
    writer_char(writer, '}');
    pressures_write(writer, cgroup);
    writer_char(writer, '}');
}

/* How long ago the oldest object of a pool was made, where that is known without a walk. */
static int64_t oldest_age_ms(const struct report_input *input, enum pool pool)
{
    switch (pool) {
    case POOL_REQUESTS:
        return input->world->requests.oldest_data_age_ms;
    case POOL_RESERVE:
        return input->world->requests.oldest_operator_age_ms;
    case POOL_WINDOWS_FINE:
    case POOL_WINDOWS_MIDDLE:
    case POOL_WINDOWS_COARSE:
        return input->history.oldest_age_ms[pool - POOL_WINDOWS_FINE];
    case POOL_CACHE:
        return input->cache.oldest_age_ms;
    default:
        return -1;
    }
}

static void pool_write(struct writer *writer, const struct pool_row *row,
                       const struct account_figures *account, int64_t oldest_ms)
{
    member_row(writer);
    member_text(writer, "name", row->name);
    member_text(writer, "kind", row->kind);
    member_text(writer, "lifetime", row->lifetime);
    figures(writer, account, FIGURES(pool_figures));
    member(writer, "refusals_total");
    writer_char(writer, '{');
    member_u64(writer, "capacity", account->refusals);
    writer_char(writer, '}');
    if (oldest_ms >= 0)
        member_seconds(writer, "oldest_object_age_seconds", oldest_ms);
    writer_char(writer, '}');
}

static void pools_write(struct writer *writer, const struct report_input *input,
                        const struct report_sums *sums)
{
    member_section(writer, "pools");
    writer_char(writer, '[');
    for (int pool = 0; pool < POOL_COUNT; pool++)
        pool_write(writer, &pool_rows[pool], &sums->pools[pool],
                   oldest_age_ms(input, (enum pool)pool));
    writer_char(writer, ']');
}

static void requests_write(struct writer *writer, const struct world_requests *requests)
{
    member_section(writer, "requests");
    writer_char(writer, '{');
    member_u64(writer, "live", requests->live);
    member_u64(writer, "live_bytes", requests->live_bytes);
    member_u64(writer, "peak_bytes", requests->peak_bytes);
    member_seconds(writer, "oldest_age_seconds",
                   requests->oldest_data_age_ms > requests->oldest_operator_age_ms
                       ? requests->oldest_data_age_ms
                       : requests->oldest_operator_age_ms);
    member_u64(writer, "completed_total", requests->completed);
    writer_char(writer, '}');
}

/*
 * "le", "cumulative" and "count" of what was counted by bounds, not cumulative; `per_second` is the
 * unit of the bounds.
 */
static void counted_write(struct writer *writer, const uint32_t *bounds, double per_second,
                          const uint64_t *counts, int bound_count)
{
    uint64_t below = 0;
    member(writer, "le");
    writer_char(writer, '[');
    for (int i = 0; i < bound_count; i++) {
        member_separate(writer, ", ");
        writer_number(writer, bounds[i] / per_second);
    }
    writer_char(writer, ']');
    member(writer, "cumulative");
    writer_char(writer, '[');
    for (int i = 0; i < bound_count; i++) {
        member_separate(writer, ", ");
        writer_u64(writer, below += counts[i]);
    }
    writer_char(writer, ']');
    member_u64(writer, "count", below + counts[bound_count]);
}

static void request_lifetimes_write(struct writer *writer, const struct world_lifetimes *lifetimes)
{
    member(writer, "request");
    writer_char(writer, '{');
    counted_write(writer, request_bounds_ms, 1000, lifetimes->counts, REQUEST_BOUNDS);
    member_number(writer, "sum", (double)lifetimes->sum_us / 1e6);
    member_number(writer, "max", (double)lifetimes->max_us / 1e6);
    writer_char(writer, '}');
}

static void lifetime_write(struct writer *writer, const char *name,
                           const struct lifetimes *lifetimes)
{
    member(writer, name);
    writer_char(writer, '{');
    counted_write(writer, lifetime_bounds_s, 1, lifetimes->counts, LIFETIME_BOUNDS);
    member_number(writer, "sum", (double)lifetimes->sum_ms / 1e3);
    member_number(writer, "max", (double)lifetimes->max_ms / 1e3);
    writer_char(writer, '}');
}

/* How old objects were when they ended, a line for each lifetime. */
static void lifetimes_write(struct writer *writer, const struct report_input *input)
{
    member_section(writer, "lifetimes");
    writer_char(writer, '{');
    request_lifetimes_write(writer, &input->world->requests.lifetimes);
    lifetime_write(writer, "cached", &input->cache.figures.lifetimes);
    lifetime_write(writer, "series", &input->series_lifetimes);
    lifetime_write(writer, "window", &input->history.lifetimes);
    writer_char(writer, '}');
}

static void cache_evictions_write(struct writer *writer, const struct lru_figures *figures)
{
    member(writer, "rejected_total");
    writer_char(writer, '{');
    member_u64(writer, "too_large", figures->rejected_too_large);
    writer_char(writer, '}');
    member(writer, "evictions_total");
    writer_char(writer, '{');
    member_u64(writer, "size", figures->evicted_size);
    member_u64(writer, "retired", figures->evicted_retired);
    writer_char(writer, '}');
    member_u64(writer, "evicted_unused_total", figures->evicted_unused);
}

static void cache_write(struct writer *writer, const struct report_cache *cache)
{
    member_section(writer, "cache");
    writer_char(writer, '{');
    member_text(writer, "policy", "lru");
    figures(writer, &cache->figures, FIGURES(cache_figures));
    cache_evictions_write(writer, &cache->figures);
    member_seconds(writer, "last_evicted_idle_seconds", cache->figures.last_victim_idle_ms);
    member_seconds(writer, "oldest_entry_age_seconds", cache->oldest_age_ms);
    member(writer, "seconds_saved_total");
    writer_number(writer, (double)cache->figures.saved_us / 1e6);
    writer_char(writer, '}');
}

static void tier_write(struct writer *writer, const struct report_tier *tier,
                       const struct account_figures *account)
{
    char name[TIER_NAME_BYTES];
    tier_name(tier->width_ms, name);
    member_row(writer);
    member_text(writer, "tier", name);
    if (account != NULL) {
        member_u64(writer, "capacity_bytes", account->capacity_bytes);
        member_u64(writer, "live_bytes", account->live_bytes);
    }
    member_seconds(writer, "retention_seconds", tier->retention_ms);
    member_u64(writer, "records", tier->records);
    member_u64(writer, "sealed_total", tier->sealed);
    member_u64(writer, "left_total", tier->left);
    writer_char(writer, '}');
}

static void windows_write(struct writer *writer, const struct report_input *input,
                          const struct report_sums *sums)
{
    member_section(writer, "windows");
    writer_char(writer, '[');
    for (int tier = 0; tier < TIER_COUNT; tier++)
        tier_write(writer, &input->history.tiers[tier], &sums->pools[POOL_WINDOWS_FINE + tier]);
    writer_char(writer, ']');
    member_section(writer, "own_windows");
    writer_char(writer, '[');
    for (int tier = 0; tier < TIER_COUNT; tier++)
        tier_write(writer, &input->own_history.tiers[tier], NULL);
    writer_char(writer, ']');
}

/* The pools that were not empty at the last quiet point, and since when. */
static void quiet_failing_write(struct writer *writer, const struct quiet_figures *quiet)
{
    member(writer, "quiet_point_failing");
    writer_char(writer, '[');
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (quiet->since_ms[pool] == 0)
            continue;
        member_separate(writer, ", ");
        writer_char(writer, '{');
        member_text(writer, "pool", pool_rows[pool].name);
        member_u64(writer, "failures", quiet->pool_failures[pool]);
        member_time(writer, "since", quiet->since_ms[pool]);
        writer_char(writer, '}');
    }
    writer_char(writer, ']');
}

static void audit_write(struct writer *writer, const struct report_input *input)
{
    member_section(writer, "audit");
    writer_char(writer, '{');
    member_u64(writer, "ledger_mismatch_bytes", input->ledger_mismatch_bytes);
    member_u64(writer, "audits", input->audits);
    member_u64(writer, "quiet_points", input->quiet.points);
    member_u64(writer, "quiet_point_failures", input->quiet.failures);
    quiet_failing_write(writer, &input->quiet);
    writer_char(writer, '}');
}

/* GET /memory/trend has the rest. */
static void trend_write(struct writer *writer, const struct watch_report *watch)
{
    member_section(writer, "trend");
    writer_char(writer, '{');
    member_text(writer, "verdict", watch_verdict_name(watch->verdict));
    member(writer, "worst");
    if (watch->worst == WATCH_COUNT)
        writer_string(writer, "null");
    else
        writer_json_string(writer, bytes_of(watch_row(watch->worst).name));
    writer_char(writer, '}');
}

static void totals_write(struct writer *writer, const struct report_sums *sums)
{
    member_section(writer, "live_bytes");
    writer_u64(writer, sums->live_bytes);
    member_u64(writer, "peak_bytes", sums->peak_bytes);
    member_seconds(writer, "peak_at", sums->peak_at_ms);
    member_u64(writer, "period_peak_bytes", sums->period_peak_bytes);
    member_time(writer, "period_start", sums->period_ms);
}

void memory_report_write(struct writer *writer, const struct report_input *input)
{
    const struct world *world = input->world;
    struct report_sums sums = report_sums_make(input);
    struct memory_verdict verdict = memory_verdict_make(input, &sums);
    writer_char(writer, '{');
    member_section(writer, "schema");
    writer_string(writer, "\"memory/1\"");
    member_seconds(writer, "now", world->now_ms);
    member_seconds(writer, "start", world->start_ms);
    verdict_write(writer, &verdict);
    totals_write(writer, &sums);
    budget_write(writer, input, &sums, &verdict);
    process_write(writer, &world->process, &sums);
    plan_rows_write(writer, input->plan);
    cgroup_write(writer, &world->cgroup);
    pools_write(writer, input, &sums);
    requests_write(writer, &world->requests);
    lifetimes_write(writer, input);
    cache_write(writer, &input->cache);
    windows_write(writer, input, &sums);
    audit_write(writer, input);
    trend_write(writer, &input->watch);
    writer_string(writer, "\n}\n");
}
