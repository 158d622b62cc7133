/* memory_report.c: see memory_report.h. */
#include "reply/memory_report.h"

#include "reply/memory_verdict.h"

/* ---- JSON ---- */

/* What goes before a member or element, unless it is the first of its object or array. */
static void separate(struct writer *writer, const char *comma)
{
    char last = writer->used > 0 ? writer->at[writer->used - 1] : '{';
    if (last != '{' && last != '[')
        writer_string(writer, comma);
}

static void key(struct writer *writer, const char *name)
{
    writer_json_string(writer, bytes_of(name));
    writer_string(writer, ": ");
}

static void member(struct writer *writer, const char *name)
{
    separate(writer, ", ");
    key(writer, name);
}

/* A member that begins a line: some dozen lines let a person find their way. */
static void section(struct writer *writer, const char *name)
{
    separate(writer, ",");
    writer_string(writer, "\n ");
    key(writer, name);
}

static void number(struct writer *writer, const char *name, uint64_t value)
{
    member(writer, name);
    writer_u64(writer, value);
}

static void seconds(struct writer *writer, const char *name, int64_t ms)
{
    member(writer, name);
    writer_seconds(writer, ms);
}

static void text(struct writer *writer, const char *name, const char *value)
{
    member(writer, name);
    writer_json_string(writer, bytes_of(value));
}

static void boolean(struct writer *writer, const char *name, bool value)
{
    member(writer, name);
    writer_string(writer, value ? "true" : "false");
}

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
            number(writer, table[i].name, value);
    }
}

#define CACHE(name, member) {name, offsetof(struct lru_figures, member)}
#define PROCESS(name, member) {name, offsetof(struct world_process, member)}
#define CGROUP(name, member) {name, offsetof(struct world_cgroup, member)}
#define ACCOUNT(name, member) {name, offsetof(struct account_figures, member)}

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
    ACCOUNT("live_objects", live_objects),
    ACCOUNT("allocations_total", allocations),
    ACCOUNT("frees_total", frees),
};

/* ---- sections ---- */

static void reason_write(struct writer *writer, const struct memory_reason *reason)
{
    separate(writer, ", ");
    writer_char(writer, '{');
    text(writer, "code", reason->code);
    if (reason->pool != POOL_COUNT) {
        text(writer, "pool", pool_rows[reason->pool].name);
        member(writer, "ratio"); /* rounded down, so that 1 means full */
        writer_json_number(writer, (double)(uint64_t)(reason->ratio * 1000) / 1000);
    }
    text(writer, "text", reason->text);
    writer_char(writer, '}');
}

static void verdict_write(struct writer *writer, const struct memory_verdict *verdict)
{
    section(writer, "status");
    writer_json_string(writer, bytes_of(memory_status_name(verdict->status)));
    section(writer, "reasons");
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
    text(writer, "state", admission_state(world, verdict));
    member(writer, "refused_total");
    writer_char(writer, '{');
    number(writer, "request_bytes", requests->refused[STATUS_REQUEST_TOO_LARGE]);
    number(writer, "pool", requests->refused[STATUS_BUSY]);
    writer_char(writer, '}');
    member(writer, "closed_without_reply_total");
    writer_char(writer, '{');
    for (int cause = 0; cause < CLOSED_CAUSES; cause++)
        number(writer, closed_cause_names[cause], requests->closed[cause]);
    writer_string(writer, "}}");
}

static void budget_write(struct writer *writer, const struct report_input *input,
                         const struct report_sums *sums, const struct memory_verdict *verdict)
{
    const struct plan *plan = input->plan;
    section(writer, "budget");
    writer_char(writer, '{');
    number(writer, "limit_bytes", plan->settings.memory);
    text(writer, "source", input->world->memory_source);
    number(writer, "planned_bytes", plan->total);
    number(writer, "reserved_bytes", plan->parts[PLAN_REGION]);
    boolean(writer, "prefaulted", input->world->prefaulted);
    number(writer, "headroom_bytes", report_less(sums->capacity_bytes, sums->live_bytes));
    admission_write(writer, input->world, verdict);
    writer_char(writer, '}');
}

static void malloc_write(struct writer *writer, const struct world_process *process)
{
    if (process->malloc_in_use_bytes == WORLD_UNKNOWN)
        return;
    member(writer, "malloc");
    writer_char(writer, '{');
    figures(writer, process, FIGURES(malloc_figures));
    writer_char(writer, '}');
}

static void process_write(struct writer *writer, const struct world_process *process,
                          uint64_t unaccounted_bytes)
{
    section(writer, "process");
    writer_char(writer, '{');
    figures(writer, process, FIGURES(process_figures));
    member(writer, "cpu_seconds_total");
    writer_json_number(writer, process->cpu_seconds);
    malloc_write(writer, process);
    if (unaccounted_bytes != WORLD_UNKNOWN)
        number(writer, "unaccounted_bytes", unaccounted_bytes);
    writer_char(writer, '}');
}

static void plan_part_write(struct writer *writer, const char *part, uint64_t bytes)
{
    separate(writer, ", ");
    writer_char(writer, '{');
    text(writer, "part", part);
    number(writer, "bytes", bytes);
    writer_char(writer, '}');
}

static void plan_rows_write(struct writer *writer, const struct plan *plan)
{
    section(writer, "plan");
    writer_char(writer, '[');
    for (int part = 0; part < PLAN_PARTS; part++)
        plan_part_write(writer, plan_part_names[part], plan->parts[part]);
    writer_char(writer, ']');
}

static void cgroup_write(struct writer *writer, const struct world_cgroup *cgroup)
{
    section(writer, "cgroup");
    if (cgroup->version == 0) {
        writer_string(writer, "null");
        return;
    }
    writer_char(writer, '{');
    number(writer, "version", cgroup->version);
    figures(writer, cgroup, FIGURES(cgroup_figures));
    member(writer, "limit_bytes"); /* always there: null says that there is no limit */
    if (cgroup->limit_bytes == WORLD_UNKNOWN)
        writer_string(writer, "null");
    else
        writer_u64(writer, cgroup->limit_bytes);
    member(writer, "events");
    writer_char(writer, '{');
    figures(writer, cgroup, FIGURES(cgroup_events));
    writer_string(writer, "}}");
}

static void pool_write(struct writer *writer, const struct pool_row *row,
                       const struct account_figures *account)
{
    separate(writer, ",");
    writer_string(writer, "\n  {");
    text(writer, "name", row->name);
    text(writer, "kind", row->kind);
    text(writer, "lifetime", row->lifetime);
    figures(writer, account, FIGURES(pool_figures));
    member(writer, "refusals_total");
    writer_char(writer, '{');
    number(writer, "capacity", account->refusals);
    writer_string(writer, "}}");
}

static void pools_write(struct writer *writer, const struct report_sums *sums)
{
    section(writer, "pools");
    writer_char(writer, '[');
    for (int pool = 0; pool < POOL_COUNT; pool++)
        pool_write(writer, &pool_rows[pool], &sums->pools[pool]);
    writer_char(writer, ']');
}

static void requests_write(struct writer *writer, const struct world_requests *requests)
{
    section(writer, "requests");
    writer_char(writer, '{');
    number(writer, "live", requests->live);
    number(writer, "live_bytes", requests->live_bytes);
    number(writer, "peak_bytes", requests->peak_bytes);
    seconds(writer, "oldest_age_seconds", requests->oldest_age_ms);
    number(writer, "completed_total", requests->completed);
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
        separate(writer, ", ");
        writer_number(writer, bounds[i] / per_second);
    }
    writer_char(writer, ']');
    member(writer, "cumulative");
    writer_char(writer, '[');
    for (int i = 0; i < bound_count; i++) {
        separate(writer, ", ");
        writer_u64(writer, below += counts[i]);
    }
    writer_char(writer, ']');
    number(writer, "count", below + counts[bound_count]);
}

static void lifetimes_write(struct writer *writer, const struct world_lifetimes *lifetimes)
{
    section(writer, "lifetimes");
    writer_char(writer, '{');
    member(writer, "request");
    writer_char(writer, '{');
    counted_write(writer, lifetime_bounds_ms, 1000, lifetimes->counts, LIFETIME_BOUNDS);
    member(writer, "sum");
    writer_number(writer, (double)lifetimes->sum_us / 1e6);
    member(writer, "max");
    writer_number(writer, (double)lifetimes->max_us / 1e6);
    writer_string(writer, "}}");
}

static void cache_evictions_write(struct writer *writer, const struct lru_figures *figures)
{
    member(writer, "rejected_total");
    writer_char(writer, '{');
    number(writer, "too_large", figures->rejected_too_large);
    writer_char(writer, '}');
    member(writer, "evictions_total");
    writer_char(writer, '{');
    number(writer, "size", figures->evicted_size);
    number(writer, "retired", figures->evicted_retired);
    writer_char(writer, '}');
    number(writer, "evicted_unused_total", figures->evicted_unused);
    member(writer, "age_at_eviction_seconds");
    writer_char(writer, '{');
    counted_write(writer, lru_age_bounds_s, 1, figures->ages, LRU_AGE_BOUNDS);
    seconds(writer, "sum", (int64_t)figures->age_sum_ms);
    seconds(writer, "max", (int64_t)figures->age_max_ms);
    writer_char(writer, '}');
}

static void cache_write(struct writer *writer, const struct report_cache *cache)
{
    section(writer, "cache");
    writer_char(writer, '{');
    text(writer, "policy", "lru");
    figures(writer, &cache->figures, FIGURES(cache_figures));
    cache_evictions_write(writer, &cache->figures);
    seconds(writer, "last_evicted_idle_seconds", cache->figures.last_victim_idle_ms);
    seconds(writer, "oldest_entry_age_seconds", cache->oldest_age_ms);
    member(writer, "seconds_saved_total");
    writer_number(writer, (double)cache->figures.saved_us / 1e6);
    writer_char(writer, '}');
}

static void tier_write(struct writer *writer, const struct report_tier *tier,
                       const struct account_figures *account)
{
    char name[TIER_NAME_BYTES];
    tier_name(tier->width_ms, name);
    separate(writer, ",");
    writer_string(writer, "\n  {");
    text(writer, "tier", name);
    if (account != NULL) {
        number(writer, "capacity_bytes", account->capacity_bytes);
        number(writer, "live_bytes", account->live_bytes);
    }
    seconds(writer, "retention_seconds", tier->retention_ms);
    number(writer, "records", tier->records);
    number(writer, "sealed_total", tier->sealed);
    number(writer, "left_total", tier->left);
    writer_char(writer, '}');
}

static void windows_write(struct writer *writer, const struct report_input *input,
                          const struct report_sums *sums)
{
    section(writer, "windows");
    writer_char(writer, '[');
    for (int tier = 0; tier < TIER_COUNT; tier++)
        tier_write(writer, &input->history.tiers[tier], &sums->pools[POOL_WINDOWS_FINE + tier]);
    writer_char(writer, ']');
    section(writer, "own_windows");
    writer_char(writer, '[');
    for (int tier = 0; tier < TIER_COUNT; tier++)
        tier_write(writer, &input->own_history.tiers[tier], NULL);
    writer_char(writer, ']');
}

static void audit_write(struct writer *writer, const struct report_input *input)
{
    section(writer, "audit");
    writer_char(writer, '{');
    number(writer, "ledger_mismatch_bytes", input->ledger_mismatch_bytes);
    number(writer, "audits", input->audits);
    writer_char(writer, '}');
}

static void totals_write(struct writer *writer, const struct report_sums *sums)
{
    section(writer, "live_bytes");
    writer_u64(writer, sums->live_bytes);
    number(writer, "peak_bytes", sums->peak_bytes);
    seconds(writer, "peak_at", sums->peak_at_ms);
}

void memory_report_write(struct writer *writer, const struct report_input *input)
{
    const struct world *world = input->world;
    struct report_sums sums = report_sums_make(input);
    struct memory_verdict verdict = memory_verdict_make(input, &sums);
    writer_char(writer, '{');
    section(writer, "schema");
    writer_string(writer, "\"memory/1\"");
    seconds(writer, "now", world->now_ms);
    seconds(writer, "start", world->start_ms);
    verdict_write(writer, &verdict);
    totals_write(writer, &sums);
    budget_write(writer, input, &sums, &verdict);
    process_write(writer, &world->process, sums.unaccounted_bytes);
    plan_rows_write(writer, input->plan);
    cgroup_write(writer, &world->cgroup);
    pools_write(writer, &sums);
    requests_write(writer, &world->requests);
    lifetimes_write(writer, &world->requests.lifetimes);
    cache_write(writer, &input->cache);
    windows_write(writer, input, &sums);
    audit_write(writer, input);
    writer_string(writer, "\n}\n");
}
