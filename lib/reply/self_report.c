/* self_report.c: see self_report.h. A new family is a new row of own_rows (or process_rows). */
#include "reply/self_report.h"

#include "reply/memory_verdict.h"

#include "base/ensure.h"

enum family_type {
    GAUGE,
    COUNTER,
    HISTOGRAM,
};

/* Where a row's figure lies: at its offset in one of these. */
enum base {
    BASE_world,
    BASE_plan,
    BASE_store,
    BASE_report_input,
    BASE_report_sums,
    BASE_COUNT,
};

struct row;

/* What the rows of one page are written from. */
struct page {
    struct writer *writer;
    const struct report_input *input;
    struct report_sums sums;
    const void *bases[BASE_COUNT];
    const struct row *row;
    bool kept_only;
};

struct row {
    const char *name; /* of a counter without its _total */
    enum family_type type;
    const char *help;
    void (*write)(const struct page *page); /* the samples; none when there is nothing known */
    enum base base;
    size_t offset;
    bool kept; /* its history is */
};

/* ---- samples ---- */

/* The bare process_* names are not the service's own; in its history all names are. */
static void row_name_write(const struct page *page)
{
    if (page->kept_only && !bytes_start_with(bytes_of(page->row->name), BYTES("mayfly_")))
        writer_string(page->writer, "mayfly_");
    writer_string(page->writer, page->row->name);
}

static void name_write(const struct page *page)
{
    row_name_write(page);
    if (page->row->type == COUNTER)
        writer_string(page->writer, "_total");
}

/* As it stands between the quotes of a label. */
static void label_value_write(struct writer *writer, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            writer_string(writer, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\')
            writer_char(writer, '\\');
        writer_char(writer, *value);
    }
}

/* name{label="value" */
static void labelled(const struct page *page, const char *label, const char *value)
{
    name_write(page);
    writer_char(page->writer, '{');
    writer_string(page->writer, label);
    writer_string(page->writer, "=\"");
    label_value_write(page->writer, value);
    writer_char(page->writer, '"');
}

static void value_write(const struct page *page, uint64_t value)
{
    writer_char(page->writer, ' ');
    writer_u64(page->writer, value);
    writer_char(page->writer, '\n');
}

static void sample(const struct page *page, uint64_t value)
{
    name_write(page);
    value_write(page, value);
}

static void labelled_sample(const struct page *page, const char *label, const char *label_value,
                            uint64_t value)
{
    labelled(page, label, label_value);
    writer_char(page->writer, '}');
    value_write(page, value);
}

/* ---- what the rows are written by ---- */

static uint64_t u64_at(const void *base, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const char *)base + offset, sizeof value);
    return value;
}

static void number(const struct page *page)
{
    uint64_t value = u64_at(page->bases[page->row->base], page->row->offset);
    if (value != WORLD_UNKNOWN)
        sample(page, value);
}

static void cgroup_number(const struct page *page)
{
    if (page->input->world->cgroup.version != 0)
        number(page);
}

/* The figure is an int64_t of milliseconds. */
static void seconds(const struct page *page)
{
    uint64_t bits = u64_at(page->bases[page->row->base], page->row->offset);
    int64_t ms;
    memcpy(&ms, &bits, sizeof ms);
    name_write(page);
    writer_char(page->writer, ' ');
    writer_seconds(page->writer, ms);
    writer_char(page->writer, '\n');
}

static void cpu_seconds(const struct page *page)
{
    name_write(page);
    writer_char(page->writer, ' ');
    writer_number(page->writer, page->input->world->process.cpu_seconds);
    writer_char(page->writer, '\n');
}

/* The offset is into each pool's figures. */
static void by_pool(const struct page *page)
{
    for (int pool = 0; pool < POOL_COUNT; pool++)
        labelled_sample(page, "pool", pool_rows[pool].name,
                        u64_at(&page->sums.pools[pool], page->row->offset));
}

/* A pool has one reason to refuse so far: it is full. */
static void refusals_by_pool(const struct page *page)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        labelled(page, "pool", pool_rows[pool].name);
        writer_string(page->writer, ",reason=\"capacity\"}");
        value_write(page, page->sums.pools[pool].refusals);
    }
}

static void by_part(const struct page *page)
{
    const struct plan *plan = page->input->plan;
    for (enum plan_part part = 0; part < PLAN_PARTS; part++) {
        if (plan_has_part(plan, part))
            labelled_sample(page, "part", plan_part_names[part], plan->parts[part]);
    }
}

static void by_cause(const struct page *page)
{
    for (int cause = 0; cause < CLOSED_CAUSES; cause++)
        labelled_sample(page, "cause", closed_cause_names[cause],
                        page->input->world->requests.closed[cause]);
}

static void by_class(const struct page *page)
{
    static const char *const classes[HTTP_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    for (int class = 0; class < HTTP_CLASSES; class ++)
        labelled_sample(page, "class", classes[class],
                        page->input->world->requests.by_class[class]);
}

/* status.def has two lists: what ends a request, then what is wrong with one sample. */
#define FIRST_OF_SAMPLES STATUS_LINE_TOO_LONG
_Static_assert(STATUS_NOT_READY + 1 == FIRST_OF_SAMPLES, "the second list begins there");

/*
 * One list's codes, and of the other those that did occur: an atomic push is refused for its
 * sample.
 */
static void by_code(const struct page *page, const uint64_t *counts, bool of_samples)
{
    for (enum status status = STATUS_OK + 1; status < STATUS_COUNT; status++) {
        if ((status >= FIRST_OF_SAMPLES) == of_samples || counts[status] != 0)
            labelled_sample(page, "code", status_code(status), counts[status]);
    }
}

static void by_refusal(const struct page *page)
{
    by_code(page, page->input->world->requests.refused, false);
}

static void by_rejection(const struct page *page)
{
    by_code(page, page->input->rejected_samples, true);
}

/* Without the overflow series, which no client asked for. */
static void live_series(const struct page *page)
{
    const struct store *store = page->input->store;
    uint64_t ended = store->recycled_series + store->expired_series + store->deleted_series;
    sample(page, report_less(store->created_series, ended));
}

/* Without the overflow families, one for each kind. */
static void live_families(const struct page *page)
{
    sample(page, report_less(page->input->store->families.live_count, KIND_COUNT));
}

/* Both histories: that of what was pushed and, with own="true", the service's. */
static void by_tier(const struct page *page, uint64_t (*figure)(const struct report_tier *tier))
{
    const struct report_history *histories[] = {&page->input->history, &page->input->own_history};
    for (int own = 0; own < 2; own++) {
        for (int tier = 0; tier < TIER_COUNT; tier++) {
            char name[TIER_NAME_BYTES];
            tier_name(histories[own]->tiers[tier].width_ms, name);
            labelled(page, "own", own ? "true" : "false");
            writer_string(page->writer, ",tier=\"");
            writer_string(page->writer, name);
            writer_string(page->writer, "\"}");
            value_write(page, figure(&histories[own]->tiers[tier]));
        }
    }
}

static uint64_t tier_retention(const struct report_tier *tier)
{
    return (uint64_t)(tier->retention_ms / 1000);
}

static uint64_t tier_sealed(const struct report_tier *tier)
{
    return tier->sealed;
}

static void retention_by_tier(const struct page *page)
{
    by_tier(page, tier_retention);
}

static void sealed_by_tier(const struct page *page)
{
    by_tier(page, tier_sealed);
}

static void evictions(const struct page *page)
{
    const struct lru_figures *cache = &page->input->cache.figures;
    labelled_sample(page, "cause", "size", cache->evicted_size);
    labelled_sample(page, "cause", "retired", cache->evicted_retired);
}

static void cache_rejections(const struct page *page)
{
    labelled_sample(page, "reason", "too_large", page->input->cache.figures.rejected_too_large);
}

static void cache_saved(const struct page *page)
{
    name_write(page);
    writer_char(page->writer, ' ');
    writer_number(page->writer, (double)page->input->cache.figures.saved_us / 1e6);
    writer_char(page->writer, '\n');
}

static void build_info(const struct page *page)
{
    labelled_sample(page, "version", page->input->world->version, 1);
}

/* A histogram as it is counted: by bounds, not cumulative. */
struct counted {
    const uint32_t *bounds;
    const uint64_t *counts; /* one more than bounds */
    int bound_count;
    uint32_t per_second; /* the unit of the bounds */
    double sum_seconds;
};

/* In OpenMetrics a bound has a point, as in the exposition of what was pushed. */
static void bucket(const struct page *page, uint32_t bound, uint32_t per_second,
                   uint64_t cumulative)
{
    row_name_write(page);
    writer_string(page->writer, "_bucket{le=\"");
    writer_number(page->writer, (double)bound / per_second);
    if (page->input->openmetrics && bound % per_second == 0)
        writer_string(page->writer, ".0");
    writer_string(page->writer, "\"}");
    value_write(page, cumulative);
}

static void buckets(const struct page *page, const struct counted *counted, uint64_t count)
{
    uint64_t below = 0;
    for (int i = 0; i < counted->bound_count; i++)
        bucket(page, counted->bounds[i], counted->per_second, below += counted->counts[i]);
    row_name_write(page);
    writer_string(page->writer, "_bucket{le=\"+Inf\"}");
    value_write(page, count);
}

static void histogram(const struct page *page, const struct counted *counted)
{
    uint64_t count = 0;
    for (int i = 0; i <= counted->bound_count; i++)
        count += counted->counts[i];
    if (!page->kept_only)
        buckets(page, counted, count);
    row_name_write(page);
    writer_string(page->writer, "_sum ");
    writer_number(page->writer, counted->sum_seconds);
    writer_char(page->writer, '\n');
    row_name_write(page);
    writer_string(page->writer, "_count");
    value_write(page, count);
}

static void request_lifetimes(const struct page *page)
{
    const struct world_lifetimes *figures = &page->input->world->requests.lifetimes;
    histogram(page, &(struct counted){request_bounds_ms, figures->counts, REQUEST_BOUNDS, 1000,
                                      (double)figures->sum_us / 1e6});
}

static void lifetimes(const struct page *page, const struct lifetimes *figures)
{
    histogram(page, &(struct counted){lifetime_bounds_s, figures->counts, LIFETIME_BOUNDS, 1,
                                      (double)figures->sum_ms / 1e3});
}

static void cached_lifetimes(const struct page *page)
{
    lifetimes(page, &page->input->cache.figures.lifetimes);
}

static void series_lifetimes(const struct page *page)
{
    lifetimes(page, &page->input->series_lifetimes);
}

static void window_lifetimes(const struct page *page)
{
    lifetimes(page, &page->input->history.lifetimes);
}

/* ---- what is watched ---- */

static void quiet_failures(const struct page *page)
{
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        if (quiet_holds_for(pool))
            labelled_sample(page, "pool", pool_rows[pool].name,
                            page->input->quiet.pool_failures[pool]);
    }
}

/* One of a closed set is 1. */
static void one_of(const struct page *page, const char *label, const char *(*name)(int), int count,
                   int now)
{
    for (int i = 0; i < count; i++)
        labelled_sample(page, label, name(i), i == now);
}

static const char *status_name(int status)
{
    return memory_status_name((enum memory_status)status);
}

static void status(const struct page *page)
{
    struct memory_verdict verdict = memory_verdict_make(page->input, &page->sums);
    one_of(page, "status", status_name, MEMORY_STATUSES, (int)verdict.status);
}

static const char *verdict_name(int verdict)
{
    return watch_verdict_name((enum watch_verdict)verdict);
}

static void trend_verdict(const struct page *page)
{
    one_of(page, "verdict", verdict_name, WATCH_VERDICTS, (int)page->input->watch.verdict);
}

static void trend_figures(const struct page *page)
{
    for (uint32_t figure = 0; figure < WATCH_COUNT; figure++)
        labelled_sample(page, "figure", watch_row(figure).name,
                        page->input->watch.findings[figure].verdict);
}

static void headroom(const struct page *page)
{
    sample(page, report_less(page->sums.capacity_bytes, page->sums.live_bytes));
}

/* Those that are known. */
static void cgroup_events(const struct page *page)
{
    const struct world_cgroup *cgroup = &page->input->world->cgroup;
    if (cgroup->version != 0 && cgroup->max_events != WORLD_UNKNOWN)
        labelled_sample(page, "event", "max", cgroup->max_events);
    if (cgroup->version != 0 && cgroup->oom_kills != WORLD_UNKNOWN)
        labelled_sample(page, "event", "oom_kill", cgroup->oom_kills);
}

/* Seconds, as floats; nothing where it is not known. */
static void pressure(const struct page *page)
{
    const struct world_cgroup *cgroup = &page->input->world->cgroup;
    if (cgroup->version == 0 || !cgroup->pressure_is_known)
        return;
    const double totals[] = {cgroup->some.total_seconds, cgroup->full.total_seconds};
    static const char *const tasks[] = {"some", "full"};
    for (int i = 0; i < 2; i++) {
        labelled(page, "tasks", tasks[i]);
        writer_string(page->writer, "} ");
        writer_number(page->writer, totals[i]);
        writer_char(page->writer, '\n');
    }
}

/* ---- the rows ---- */

#define BY(function) .write = function
#define AT(type, member) .base = BASE_##type, .offset = offsetof(struct type, member)
#define NUMBER(type, member) BY(number), AT(type, member)
#define CGROUP(member) BY(cgroup_number), AT(world, cgroup.member)
#define SECONDS(member) BY(seconds), AT(world, member)
#define BY_POOL(member) BY(by_pool), .offset = offsetof(struct account_figures, member)

#define KEPT .kept = true

static const struct row own_rows[] = {
    {"mayfly_build_info", GAUGE, "Always 1; the version is in the label.", BY(build_info)},
    {"mayfly_start_time_seconds", GAUGE, "When the service started, in Unix time.",
     SECONDS(start_ms)},
    {"mayfly_clock_offset_seconds", GAUGE,
     "What the wall clock was stepped by since start and is not followed.",
     SECONDS(clock_offset_ms)},

    {"mayfly_memory_budget_bytes", GAUGE, "Resident memory the operator allowed: --memory.",
     NUMBER(plan, settings.memory)},
    {"mayfly_memory_planned_bytes", GAUGE, "Worst case of the plan, within the budget.",
     NUMBER(plan, total)},
    {"mayfly_memory_plan_bytes", GAUGE, "Worst case of each part of the plan.", BY(by_part)},
    {"mayfly_memory_reserved_bytes", GAUGE, "The region: all pools, carved once at start.",
     NUMBER(plan, parts[PLAN_REGION])},
    {"mayfly_memory_headroom_bytes", GAUGE, "What is free in all pools now.", BY(headroom)},
    {"mayfly_memory_heap_in_use_bytes", GAUGE, "What malloc holds.",
     NUMBER(world, process.malloc_in_use_bytes)},
    {"mayfly_memory_heap_free_bytes", GAUGE, "What malloc has and holds nothing in.",
     NUMBER(world, process.malloc_free_bytes)},
    {"mayfly_memory_live_bytes", GAUGE, "Held in all pools now.", NUMBER(report_sums, live_bytes),
     KEPT},
    {"mayfly_memory_peak_bytes", GAUGE, "Most that all pools together ever held.",
     NUMBER(report_sums, peak_bytes)},
    {"mayfly_memory_unaccounted_bytes", GAUGE, "Resident memory that no part of the plan explains.",
     NUMBER(report_sums, unaccounted_bytes), KEPT},
    {"mayfly_memory_ledger_mismatch_bytes", GAUGE,
     "Difference of the ledger and a walk over the pools; not 0 is a bug.",
     NUMBER(report_input, ledger_mismatch_bytes), KEPT},
    {"mayfly_memory_audits", COUNTER, "Pools that were walked and compared with the ledger.",
     NUMBER(report_input, audits)},
    {"mayfly_memory_heap_unexplained_bytes", GAUGE,
     "What malloc holds beyond its base and what open connections explain.",
     NUMBER(report_sums, heap_unexplained_bytes), KEPT},
    {"mayfly_memory_quiet_points", COUNTER,
     "Times that no request was in flight, and all memory of requests was looked at.",
     NUMBER(report_input, quiet.points), KEPT},
    {"mayfly_memory_quiet_point_failures", COUNTER,
     "Times that a pool was not empty then; any is a bug.", BY(quiet_failures)},
    {"mayfly_memory_status", GAUGE, "1 for what /memory has as its status.", BY(status)},
    {"mayfly_memory_trend", GAUGE, "1 for the verdict on the worst of what is watched.",
     BY(trend_verdict)},
    {"mayfly_memory_trend_verdict", GAUGE,
     "On each figure: 0 flat, 1 too early, 2 filling, 3 growing, 4 leak.", BY(trend_figures)},
    {"mayfly_memory_pool_capacity_bytes", GAUGE, "What the pool has.", BY_POOL(capacity_bytes)},
    {"mayfly_memory_pool_live_bytes", GAUGE, "What is held in the pool now.", BY_POOL(live_bytes),
     KEPT},
    {"mayfly_memory_pool_peak_bytes", GAUGE, "Most that the pool ever held.", BY_POOL(peak_bytes)},
    {"mayfly_memory_pool_period_peak_bytes", GAUGE,
     "Most that the pool held since peaks were reset.", BY_POOL(period_peak_bytes)},
    {"mayfly_memory_pool_live_objects", GAUGE, "Objects in the pool now.", BY_POOL(live_objects)},
    {"mayfly_memory_pool_allocations", COUNTER, "Objects that were born in the pool.",
     BY_POOL(allocations)},
    {"mayfly_memory_pool_frees", COUNTER, "Objects of the pool that ended.", BY_POOL(frees)},
    {"mayfly_memory_pool_refusals", COUNTER, "Objects the pool had no room for.",
     BY(refusals_by_pool)},

    {"mayfly_cgroup_memory_current_bytes", GAUGE, "What the cgroup is charged with.",
     CGROUP(current_bytes), KEPT},
    {"mayfly_cgroup_memory_peak_bytes", GAUGE, "Most that the cgroup was ever charged with.",
     CGROUP(peak_bytes)},
    {"mayfly_cgroup_memory_limit_bytes", GAUGE, "The tightest limit among the cgroup's ancestors.",
     CGROUP(limit_bytes)},
    {"mayfly_cgroup_memory_events", COUNTER,
     "Times the cgroup met its limit (max), and processes of it that were killed for it "
     "(oom_kill).",
     BY(cgroup_events)},
    {"mayfly_cgroup_memory_waiting_seconds", COUNTER,
     "Time in which some, or all, tasks of the cgroup waited for memory.", BY(pressure)},

    {"mayfly_requests_in_flight", GAUGE, "Requests whose arena is live.",
     NUMBER(world, requests.live), KEPT},
    {"mayfly_requests_live_bytes", GAUGE, "What their arenas hold, all together.",
     NUMBER(world, requests.live_bytes)},
    {"mayfly_request_oldest_age_seconds", GAUGE,
     "Age of the oldest request in flight on the data listener.",
     SECONDS(requests.oldest_data_age_ms)},
    {"mayfly_request_arena_peak_bytes", GAUGE, "Most that one request's arena ever held.",
     NUMBER(world, requests.peak_bytes)},
    {"mayfly_request_arena_lifetime_seconds", HISTOGRAM,
     "From a request's first block to its return.", BY(request_lifetimes), KEPT},
    {"mayfly_cached_lifetime_seconds", HISTOGRAM,
     "From a result's admission to the cache to its end.", BY(cached_lifetimes)},
    {"mayfly_series_lifetime_seconds", HISTOGRAM,
     "From a series' first sample to its end, to the length of a window.", BY(series_lifetimes)},
    {"mayfly_window_lifetime_seconds", HISTOGRAM,
     "From a window's beginning to when its record left its tier.", BY(window_lifetimes)},
    {"mayfly_http_requests", COUNTER,
     "Requests that ended, by class of status; none: without a reply of the service's own.",
     BY(by_class), KEPT},
    {"mayfly_http_refusals", COUNTER, "Replies that refused a request, by the error's code.",
     BY(by_refusal)},
    {"mayfly_http_body_bytes", COUNTER, "Bytes of request bodies received.",
     NUMBER(world, requests.body_bytes), KEPT},
    {"mayfly_connections", GAUGE, "Connections open now.", NUMBER(world, requests.connections),
     KEPT},
    {"mayfly_connections_max", GAUGE, "Connections served at once; more wait in the backlog.",
     NUMBER(world, requests.connections_max)},
    {"mayfly_connections_accepted", COUNTER, "Connections accepted.",
     NUMBER(world, requests.accepted_connections)},
    {"mayfly_connections_closed_without_reply", COUNTER,
     "Connections ended in the middle of a request.", BY(by_cause)},

    {"mayfly_samples_accepted", COUNTER, "Samples applied.", NUMBER(report_input, accepted_samples),
     KEPT},
    {"mayfly_samples_rejected", COUNTER, "Samples not applied, by the error's code.",
     BY(by_rejection)},
    {"mayfly_samples_overflowed", COUNTER, "Samples applied to an overflow series.",
     NUMBER(store, overflowed_samples), KEPT},
    {"mayfly_samples_late", COUNTER, "Samples older than the open window, counted in it.",
     NUMBER(store, late_samples)},
    {"mayfly_samples_saturated", COUNTER,
     "Samples that would have taken a total out of the range of a float64.",
     NUMBER(store, saturated_samples)},
    {"mayfly_series", GAUGE, "Series held now, without overflow series.", BY(live_series), KEPT},
    {"mayfly_series_max", GAUGE, "Series to be held at once: series.max.",
     NUMBER(plan, settings.series_max)},
    {"mayfly_series_created", COUNTER, "Series that came to be.", NUMBER(store, created_series),
     KEPT},
    {"mayfly_series_recycled", COUNTER, "Idle series given up for room.",
     NUMBER(store, recycled_series)},
    {"mayfly_series_expired", COUNTER, "Series dropped for being idle too long.",
     NUMBER(store, expired_series)},
    {"mayfly_series_deleted", COUNTER, "Series that a client deleted.",
     NUMBER(store, deleted_series)},
    {"mayfly_families", GAUGE, "Metric families held now, without overflow families.",
     BY(live_families), KEPT},
    {"mayfly_histograms_downscaled", COUNTER,
     "Times an exponential histogram gave up half its resolution for range.",
     NUMBER(store, histogram_downscales)},

    {"mayfly_windows_sealed", COUNTER, "Windows of pushed series that were sealed.",
     NUMBER(report_input, history.sealed_windows)},
    {"mayfly_windows_skipped", COUNTER,
     "Windows that passed while none was sealed: the clock was stepped, or the machine slept.",
     NUMBER(report_input, history.skipped_windows)},
    {"mayfly_windows_records", COUNTER, "Records that were sealed in a tier, or folded into it.",
     BY(sealed_by_tier)},
    {"mayfly_windows_retention_seconds", GAUGE,
     "How far back a tier, with the finer ones, holds everything.", BY(retention_by_tier)},

    {"mayfly_cache_entries", GAUGE, "Results held now.",
     NUMBER(report_input, cache.figures.entries), KEPT},
    {"mayfly_cache_live_bytes", GAUGE, "What they take, all overhead included.",
     NUMBER(report_input, cache.figures.live_bytes)},
    {"mayfly_cache_capacity_bytes", GAUGE, "What they may take: cache.bytes.",
     NUMBER(report_input, cache.figures.capacity_bytes)},
    {"mayfly_cache_hits", COUNTER, "Results that were found.",
     NUMBER(report_input, cache.figures.hits), KEPT},
    {"mayfly_cache_misses", COUNTER, "Results that had to be worked out.",
     NUMBER(report_input, cache.figures.misses), KEPT},
    {"mayfly_cache_admitted", COUNTER, "Results that were taken in.",
     NUMBER(report_input, cache.figures.admitted)},
    {"mayfly_cache_rejected", COUNTER, "Results that were not.", BY(cache_rejections)},
    {"mayfly_cache_evictions", COUNTER,
     "Results given up: for size, or retired because their window left its ring.", BY(evictions),
     KEPT},
    {"mayfly_cache_evicted_unused", COUNTER, "Results given up that were never found.",
     NUMBER(report_input, cache.figures.evicted_unused)},
    {"mayfly_cache_last_evicted_idle_seconds", GAUGE,
     "How long the last result that was given up for size had not been asked for.", BY(seconds),
     AT(report_input, cache.figures.last_victim_idle_ms)},
    {"mayfly_cache_oldest_entry_age_seconds", GAUGE,
     "How long ago the result to be given up next was admitted.", BY(seconds),
     AT(report_input, cache.oldest_age_ms)},
    {"mayfly_cache_saved_seconds", COUNTER, "What results that were found had cost to work out.",
     BY(cache_saved)},

    {"mayfly_log_lines_dropped", COUNTER, "Log lines left out for being too many a second.",
     NUMBER(world, log_dropped)},
};

/* The ecosystem's names for what every process has. */
static const struct row process_rows[] = {
    {"process_cpu_seconds", COUNTER, "User and system CPU time spent.", BY(cpu_seconds), KEPT},
    {"process_start_time_seconds", GAUGE, "Start time of the process, in Unix time.",
     SECONDS(start_ms)},
    {"process_resident_memory_bytes", GAUGE, "Resident memory.", NUMBER(world, process.rss_bytes),
     KEPT},
    {"process_resident_memory_peak_bytes", GAUGE, "Most that ever was resident.",
     NUMBER(world, process.rss_peak_bytes)},
    {"process_resident_memory_anon_bytes", GAUGE, "Resident memory that no file backs.",
     NUMBER(world, process.rss_anon_bytes)},
    {"process_resident_memory_file_bytes", GAUGE, "Resident memory that files back.",
     NUMBER(world, process.rss_file_bytes)},
    {"process_proportional_memory_bytes", GAUGE,
     "Resident memory, shared pages divided by who shares them.", NUMBER(world, process.pss_bytes)},
    {"process_swap_bytes", GAUGE, "Memory that is swapped out.", NUMBER(world, process.swap_bytes)},
    {"process_virtual_memory_bytes", GAUGE, "Virtual memory.",
     NUMBER(world, process.virtual_bytes)},
    {"process_virtual_memory_peak_bytes", GAUGE, "Most virtual memory there ever was.",
     NUMBER(world, process.virtual_peak_bytes)},
    {"process_threads", GAUGE, "Threads.", NUMBER(world, process.threads), KEPT},
    {"process_open_fds", GAUGE, "Open file descriptors.", NUMBER(world, process.open_fds), KEPT},
    {"process_max_fds", GAUGE, "Most file descriptors that may be open.",
     NUMBER(world, process.max_fds)},
    {"process_minor_pagefaults", COUNTER, "Page faults that needed no reading.",
     NUMBER(world, process.minor_faults), KEPT},
    {"process_major_pagefaults", COUNTER, "Page faults that needed reading.",
     NUMBER(world, process.major_faults)},
};

#define OWN_ROWS (sizeof own_rows / sizeof own_rows[0])
#define PROCESS_ROWS (sizeof process_rows / sizeof process_rows[0])

static const struct row *row_at(size_t index)
{
    return index < OWN_ROWS ? &own_rows[index] : &process_rows[index - OWN_ROWS];
}

/* ---- families ---- */

/* `# HELP name `; OpenMetrics has a counter's _total on its samples alone. */
static void keyword_write(const struct page *page, const char *keyword)
{
    writer_string(page->writer, keyword);
    if (page->input->openmetrics)
        row_name_write(page);
    else
        name_write(page);
    writer_char(page->writer, ' ');
}

static void family_write(const struct page *page)
{
    static const char *const types[] = {"gauge\n", "counter\n", "histogram\n"};
    struct writer *writer = page->writer;
    size_t mark = writer->used;
    keyword_write(page, "# HELP ");
    writer_string(writer, page->row->help);
    writer_char(writer, '\n');
    keyword_write(page, "# TYPE ");
    writer_string(writer, types[page->row->type]);
    size_t samples = writer->used;
    page->row->write(page);
    if (writer->used == samples && !writer->full)
        writer_rewind(writer, mark);
}

static void page_init(struct page *page, const struct report_input *input, struct writer *writer)
{
    *page = (struct page){.writer = writer, .input = input, .sums = report_sums_make(input)};
    page->bases[BASE_world] = input->world;
    page->bases[BASE_plan] = input->plan;
    page->bases[BASE_store] = input->store;
    page->bases[BASE_report_input] = input;
    page->bases[BASE_report_sums] = &page->sums;
}

void self_report_init(struct self_report *report, const struct report_input *input,
                      bool process_names)
{
    *report = (struct self_report){
        .input = input,
        .count = process_names ? OWN_ROWS + PROCESS_ROWS : OWN_ROWS,
    };
}

void self_report_init_kept(struct self_report *report, const struct report_input *input)
{
    self_report_init(report, input, true);
    report->kept_only = true;
}

bool self_report_next(struct self_report *report, struct writer *writer)
{
    struct page page;
    page_init(&page, report->input, writer);
    page.kept_only = report->kept_only;
    for (; report->next < report->count; report->next++) {
        size_t mark = writer->used;
        page.row = row_at(report->next);
        if (report->kept_only && !page.row->kept)
            continue;
        family_write(&page);
        if (writer->full) {
            ENSURE(writer->size - mark < SELF_FAMILY_BYTES_MAX); /* or it would never fit */
            writer_rewind(writer, mark);
            return true;
        }
    }
    return false;
}
