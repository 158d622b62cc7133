/* doctor.c: see doctor.h. */
#include "reply/doctor.h"

#include "reply/memory_verdict.h"

#include <math.h>

/* What the parts of the text are written from. */
struct visit {
    struct writer *writer;
    const struct doctor_input *input;
    const struct report_input *report;
    struct report_sums sums;
    uint32_t count;   /* of complaints so far */
    bool has_metrics; /* the metrics with most series were told */
};

/* ---- words ---- */

/* "512 B", "48.0 KiB", "-3.1 MiB" */
static void say_bytes(struct writer *writer, double bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB"};
    int unit = 0;
    if (bytes < 0)
        writer_char(writer, '-');
    for (bytes = fabs(bytes); bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    bytes = fmin(bytes, 1e15); /* so many TiB are a bug elsewhere */
    writer_u64(writer, (uint64_t)bytes);
    if (unit > 0) {
        writer_char(writer, '.');
        writer_u64(writer, (uint64_t)(bytes * 10) % 10);
    }
    writer_string(writer, units[unit]);
}

/* "40 seconds", "12 minutes", "3 hours", "5 days": the largest unit of which there are two. */
static void say_duration(struct writer *writer, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, " days"}, {3600000, " hours"}, {60000, " minutes"}, {1000, " seconds"}};
    int unit = 0;
    while (unit < 3 && ms < 2 * units[unit].ms)
        unit++;
    writer_i64(writer, ms / units[unit].ms);
    writer_string(writer, units[unit].name);
}

static void say_value(struct writer *writer, uint32_t figure, double value)
{
    switch (watch_row(figure).unit) {
    case WATCH_BYTES:
        say_bytes(writer, value);
        break;
    case WATCH_SECONDS:
        writer_number(writer, round(value * 1e6));
        writer_string(writer, " us");
        break;
    default:
        writer_number(writer, round(value * 10) / 10);
    }
}

static void begin(struct visit *visit)
{
    writer_string(visit->writer, "\n");
    writer_u64(visit->writer, ++visit->count);
    writer_string(visit->writer, ". ");
}

static void line(struct visit *visit, const char *text)
{
    writer_string(visit->writer, "   ");
    writer_string(visit->writer, text);
    writer_char(visit->writer, '\n');
}

/* ---- who, and what to set ---- */

static const char find_out[] =
    "take a snapshot (POST /memory/snapshots), wait, and GET /memory/diff; with trace: true "
    "GET /memory/sites names the line";

static const char *advice_on(uint32_t figure)
{
    static const struct {
        uint32_t figure;
        const char *advice;
    } rows[] = {
        {POOL_SERIES, "raise series.max (and memory), or send fewer label values"},
        {POOL_LABELS, "raise series.label_bytes (and memory), or send shorter labels"},
        {POOL_FAMILIES, "raise limits.families (and memory), or send fewer metrics"},
        {POOL_HISTOGRAMS, "raise histograms.max (and memory), or send fewer of them"},
        {POOL_BUCKETS, "raise buckets.max (and memory), or send fewer of them"},
        {POOL_SETS, "raise sets.max (and memory), or send fewer of them"},
        {POOL_GROWTH, "raise requests.bytes (and memory), or send smaller bodies at once"},
        {POOL_CONNECTIONS, "raise server.connections (and memory), or close idle connections"},
        {POOL_DRILLS, "DELETE /drills: it leaks on purpose, and gives everything back then"},
        {WATCH_HEAP,
         "the service itself does not call malloc after start: look at GET /drills (a cycle is on "
         "the heap), else at libmicrohttpd; /memory/sites has pools only"},
        {WATCH_LATENCY, "compare /v1/query?metric=mayfly_process_cpu_seconds_total with the load"},
        {WATCH_CPU, "compare /v1/cardinality with that of a day ago: more series cost more"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].figure == figure)
            return rows[i].advice;
    }
    return find_out;
}

static bool is_of_series(uint32_t figure)
{
    return figure == POOL_SERIES || figure == POOL_LABELS || figure == POOL_HISTOGRAMS ||
           figure == POOL_BUCKETS || figure == POOL_SETS;
}

static void say_metrics(struct visit *visit)
{
    const struct doctor_input *input = visit->input;
    visit->has_metrics = true;
    writer_string(visit->writer, "   most series: ");
    for (uint32_t i = 0; i < input->metric_count; i++) {
        const struct doctor_metric *metric = &input->metrics[i];
        writer_string(visit->writer, i == 0 ? "" : ", ");
        writer_bytes(visit->writer, (struct bytes){metric->name, metric->name_length});
        writer_string(visit->writer, " (");
        writer_u64(visit->writer, metric->series);
        writer_char(visit->writer, ')');
    }
    writer_string(visit->writer, "; GET /v1/cardinality has more\n");
}

static void say_requests(struct visit *visit)
{
    const struct world_requests *requests = &visit->report->world->requests;
    int64_t oldest = requests->oldest_data_age_ms;
    writer_string(visit->writer, "   requests in flight: ");
    writer_u64(visit->writer, requests->live);
    writer_string(visit->writer, ", the oldest for ");
    say_duration(visit->writer, oldest);
    writer_string(visit->writer, "; GET /memory/holders names them\n");
}

static void say_holders(struct visit *visit, uint32_t figure)
{
    if (is_of_series(figure) && visit->input->metric_count > 0 && !visit->has_metrics)
        say_metrics(visit);
    else if (figure == POOL_GROWTH || figure == POOL_REQUESTS)
        say_requests(visit);
}

/* ---- the verdict's reasons ---- */

static void say_rate(struct visit *visit, uint32_t figure, const struct watch_finding *finding)
{
    if (finding->verdict != WATCH_FILLING && finding->verdict != WATCH_GROWING)
        return;
    if (!(finding->slope > 0) || !isfinite(finding->low) || !isfinite(finding->high))
        return; /* full, and flat by now */
    writer_string(visit->writer, ", ");
    say_value(visit->writer, figure, finding->slope);
    writer_string(visit->writer, " an hour (99 % sure: ");
    say_value(visit->writer, figure, finding->low);
    writer_string(visit->writer, " to ");
    say_value(visit->writer, figure, finding->high);
    writer_char(visit->writer, ')');
}

static void say_finding(struct visit *visit, uint32_t figure)
{
    const struct watch_finding *finding = &visit->report->watch.findings[figure];
    int64_t now_ms = visit->report->world->now_ms;
    writer_string(visit->writer, "   now ");
    if (figure < POOL_COUNT) {
        say_bytes(visit->writer, (double)visit->sums.pools[figure].live_bytes);
        writer_string(visit->writer, " of ");
        say_bytes(visit->writer, (double)visit->sums.pools[figure].capacity_bytes);
    } else if (figure == WATCH_HEAP && visit->sums.heap_unexplained_bytes != WORLD_UNKNOWN) {
        say_bytes(visit->writer, (double)visit->sums.heap_unexplained_bytes);
    } else {
        say_value(visit->writer, figure, finding->value);
    }
    say_rate(visit, figure, finding);
    if (finding->since_ms != 0) {
        writer_string(visit->writer, ", for ");
        say_duration(visit->writer, (int64_t)lifetime_ms(finding->since_ms, now_ms));
    }
    if (finding->full_at_ms > now_ms) {
        writer_string(visit->writer, "; full in ");
        say_duration(visit->writer, finding->full_at_ms - now_ms);
    } else if (finding->full_at_ms != 0) {
        writer_string(visit->writer, "; full now");
    }
    writer_char(visit->writer, '\n');
}

static void say_reason(struct visit *visit, const struct memory_reason *reason)
{
    begin(visit);
    if (reason->figure != WATCH_COUNT) {
        writer_string(visit->writer, watch_row(reason->figure).name);
        writer_string(visit->writer, ": ");
    }
    writer_string(visit->writer, reason->code);
    writer_string(visit->writer, "\n");
    line(visit, reason->text);
    if (reason->figure == WATCH_COUNT)
        return;
    say_finding(visit, reason->figure);
    say_holders(visit, reason->figure);
    bool leaks = visit->report->watch.findings[reason->figure].verdict == WATCH_LEAK;
    line(visit, leaks ? find_out : advice_on(reason->figure)); /* more room would only be leaked */
}

/* ---- what no reason says ---- */

static void check_limit(struct visit *visit)
{
    uint64_t rss = visit->report->world->process.rss_bytes;
    if (rss == WORLD_UNKNOWN || rss <= visit->report->plan->settings.memory)
        return;
    begin(visit);
    writer_string(visit->writer, "resident memory is above memory\n");
    line(visit, "the plan is wrong about something outside of the region; this is a bug of mayfly");
}

/* Half of what was given up had never been used, and that was not a handful. */
static void check_cache(struct visit *visit)
{
    const struct lru_figures *cache = &visit->report->cache.figures;
    if (cache->evicted_size < 1000 || cache->evicted_unused * 2 < cache->evicted_size)
        return;
    begin(visit);
    writer_string(visit->writer, "cache: too small for what is asked\n   ");
    writer_u64(visit->writer, cache->evicted_unused);
    writer_string(visit->writer, " of ");
    writer_u64(visit->writer, cache->evicted_size);
    writer_string(visit->writer, " results were given up for room before they were used once\n");
    line(visit, "raise cache.bytes, or ask longer steps and fewer groups");
}

/* What was so once, and is no complaint of now. */
static void note(struct visit *visit, uint64_t count, const char *what)
{
    if (count == 0)
        return;
    writer_string(visit->writer, "note: ");
    writer_u64(visit->writer, count);
    writer_string(visit->writer, what);
}

static void say_notes(struct visit *visit)
{
    note(visit, visit->report->overflowed_samples,
         " samples went to overflow series since the start (series.max): totals are right, sums by "
         "label undercount\n");
    note(visit, visit->report->world->requests.refused[STATUS_BUSY],
         " requests were answered 503 for want of memory since the start (requests.bytes)\n");
}

/* Beside the ratio, less than what a burst of connections may take of the kernel's. */
#define CGROUP_LEFT_BYTES ((uint64_t)4 << 20)

static void check_cgroup(struct visit *visit)
{
    const struct world_cgroup *cgroup = &visit->report->world->cgroup;
    if (cgroup->version == 0 || cgroup->limit_bytes == WORLD_UNKNOWN ||
        cgroup->current_bytes == WORLD_UNKNOWN)
        return;
    uint64_t left = report_less(cgroup->limit_bytes, cgroup->current_bytes);
    if (left > cgroup->limit_bytes / 10 || left > CGROUP_LEFT_BYTES)
        return;
    begin(visit);
    writer_string(visit->writer, "cgroup: nearly at its limit\n   ");
    say_bytes(visit->writer, (double)left);
    writer_string(visit->writer, " left of ");
    say_bytes(visit->writer, (double)cgroup->limit_bytes);
    writer_string(visit->writer, ", page cache included\n");
    line(visit, "raise the limit, or lower memory, server.connections or server.socket_bytes");
}

static void check_swap(struct visit *visit)
{
    uint64_t swapped = visit->report->world->process.swap_bytes;
    if (swapped == WORLD_UNKNOWN || swapped < (uint64_t)1 << 20)
        return;
    begin(visit);
    writer_string(visit->writer, "swap: ");
    say_bytes(visit->writer, (double)swapped);
    writer_string(visit->writer, " of the process are swapped out\n");
    line(visit, "the machine is short of memory; requests that need it wait for the disk");
}

#define EARLY_MAX 5 /* GET /memory/trend has the rest */

static void check_early(struct visit *visit)
{
    const struct watch_report *watch = &visit->report->watch;
    uint32_t told = 0;
    for (uint32_t figure = 0; figure < WATCH_COUNT && told < EARLY_MAX; figure++) {
        if (!watch->findings[figure].rising || watch->findings[figure].by_design)
            continue;
        told++;
        begin(visit);
        writer_string(visit->writer, watch_row(figure).name);
        writer_string(visit->writer, ": higher than a day ago, all day\n");
        say_finding(visit, figure);
        line(visit, "it is too early to say more: three and a half days make a verdict");
    }
}

/* ---- the whole ---- */

static void say_how_much(struct visit *visit)
{
    struct writer *writer = visit->writer;
    const struct world *world = visit->report->world;
    writer_string(writer, "mayfly ");
    writer_string(writer, world->version);
    writer_string(writer, ", up for ");
    say_duration(writer, (int64_t)lifetime_ms(world->start_ms, world->now_ms));
    if (world->process.rss_bytes != WORLD_UNKNOWN) {
        writer_string(writer, "\n");
        say_bytes(writer, (double)world->process.rss_bytes);
        writer_string(writer, " resident of the ");
        say_bytes(writer, (double)visit->report->plan->settings.memory);
        writer_string(writer, " of memory");
    }
    writer_string(writer, "\n");
    say_bytes(writer, (double)visit->sums.live_bytes);
    writer_string(writer, " live in the pools, at most ");
    say_bytes(writer, (double)visit->sums.peak_bytes);
    writer_string(writer, " so far\n");
}

static void say_trend(struct visit *visit)
{
    const struct watch_report *watch = &visit->report->watch;
    struct writer *writer = visit->writer;
    writer_string(writer, "trend: ");
    writer_string(writer, watch_verdict_name(watch->verdict));
    if (watch->worst != WATCH_COUNT) {
        writer_string(writer, ", worst is ");
        writer_string(writer, watch_row(watch->worst).name);
    }
    if (watch->verdict == WATCH_TOO_EARLY) {
        writer_string(writer, "; exact checks hold now, a verdict on slow growth takes ");
        int64_t left = TREND_BLOCKS_MIN - (int64_t)watch->blocks;
        say_duration(writer, (left > 0 ? left : 1) * watch->block_ms); /* gaps take longer */
        writer_string(writer, " more");
    }
    writer_string(writer, "\nquiet points: ");
    writer_u64(writer, visit->report->quiet.points);
    writer_string(writer, ", failed: ");
    writer_u64(writer, visit->report->quiet.failures);
    writer_string(writer, "\n");
}

void doctor_write(struct writer *writer, const struct doctor_input *input)
{
    struct visit visit = {.writer = writer, .input = input, .report = input->report};
    visit.sums = report_sums_make(input->report);
    struct memory_verdict verdict = memory_verdict_make(input->report, &visit.sums);
    say_how_much(&visit);
    say_trend(&visit);
    say_notes(&visit);
    for (uint32_t i = 0; i < verdict.count; i++)
        say_reason(&visit, &verdict.reasons[i]);
    check_limit(&visit);
    check_cache(&visit);
    check_cgroup(&visit);
    check_swap(&visit);
    check_early(&visit);
    if (visit.count == 0)
        writer_string(writer, "\nNothing is wrong.\n");
}
