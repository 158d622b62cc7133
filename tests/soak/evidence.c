/* evidence.c: see evidence.h. */
#include "evidence.h"

#include "traffic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_mayfly(const struct reading *reading)
{
    const char *dialect = member_text(reading->start, "dialect");
    return dialect[0] == '\0' || strcmp(dialect, "mayfly") == 0;
}

bool evidence_is_too_short(const struct reading *reading)
{
    return is_mayfly(reading) ? reading->quiets.rows < 2 : reading->samples.rows < 2;
}

/* ---- time ---- */

/* A pause for a quiet point takes some ten seconds, in some of which nothing is sampled. */
#define PAUSE_SECONDS 60
#define GAP_SAMPLES 10

double evidence_seconds(const struct reading *reading)
{
    const struct table *samples = &reading->samples;
    const double *elapsed = table_column(samples, "elapsed");
    double gap = PAUSE_SECONDS + GAP_SAMPLES * fmax(member_number(reading->start, "sample"), 1);
    double seconds = 0;
    double before = 0;
    for (size_t row = 0; row < samples->rows; row++) {
        double passed = elapsed[row] - before;
        seconds += passed > 0 && passed < gap ? passed : 0;
        before = elapsed[row];
    }
    return seconds;
}

static void time_judge(struct findings *findings, const struct reading *reading)
{
    double last = table_last(&reading->samples, "elapsed");
    double seconds = evidence_seconds(reading);
    double duration = member_number(reading->start, "duration");
    if (last - seconds > 1)
        remark_add(findings, "gaps", "driver", NAN,
                   "Of %s nothing was recorded: the driver was not there.",
                   word_elapsed(last - seconds).text);
    if (last < 0.98 * duration)
        remark_add(findings, "unfinished", "run", NAN,
                   "The record ends after %s of %s: what is said here holds up to there.",
                   word_elapsed(last).text, word_elapsed(duration).text);
}

/* ---- the record ---- */

/* A driver that is killed leaves one line cut short, and no other. */
static void record_judge(struct findings *findings, const struct reading *reading)
{
    if (reading->start == NULL)
        finding_add(findings, "proves_nothing", "start", NAN,
                    "The record has no beginning: nobody knows what was run, or for how long it "
                    "was to run.");
    if (reading->unreadable > 0 && reading->unreadable > reading->starts)
        finding_add(findings, "proves_nothing", "record", NAN,
                    "%zu lines of %zu of the record cannot be read, and who starts the driver "
                    "%zu times leaves as many at most: what stood in the others is not known.",
                    reading->unreadable, reading->lines, reading->starts);
    else if (reading->unreadable > 0)
        remark_add(findings, "unreadable", "record", NAN,
                   "%zu lines of %zu of the record cannot be read and were left out.",
                   reading->unreadable, reading->lines);
    if (reading->samples.left_out + reading->quiets.left_out > 0)
        finding_add(findings, "proves_nothing", "columns", NAN,
                    "The record has more than %d figures a line: what is beyond was not read.",
                    TABLE_COLUMNS);
}

/* ---- documents ---- */

/* Of the service's document, what judgements are drawn from. */
static const char *const figures_needed[] = {
    "memory.process.rss_bytes",          "memory.process.rss_peak_bytes",
    "memory.process.open_fds",           "memory.process.threads",
    "memory.budget.limit_bytes",         "memory.audit.ledger_mismatch_bytes",
    "memory.audit.quiet_point_failures", "memory.requests.completed_total",
    "memory.pools.growth.live_bytes",
};

static size_t rows_without(const struct table *table, const char *name)
{
    const double *column = table_column(table, name);
    size_t without = 0;
    for (size_t row = 0; row < table->rows; row++)
        without += isnan(column_at(column, row)) ? 1 : 0;
    return without;
}

static void documents_judge(struct findings *findings, const struct reading *reading)
{
    const struct table *samples = &reading->samples;
    const char *figure = figures_needed[0];
    size_t missing = 0;
    size_t missing_quiet = 0;
    for (size_t i = 0; i < sizeof figures_needed / sizeof figures_needed[0]; i++) {
        size_t without = rows_without(samples, figures_needed[i]);
        size_t without_quiet = rows_without(&reading->quiets, figures_needed[i]);
        if (without > missing || without_quiet > missing_quiet)
            figure = figures_needed[i];
        missing = without > missing ? without : missing;
        missing_quiet = without_quiet > missing_quiet ? without_quiet : missing_quiet;
    }
    if ((double)missing > EVIDENCE_MISSING_MAX * (double)samples->rows || missing_quiet > 0)
        finding_add(findings, "proves_nothing", "memory", NAN,
                    "The run proves nothing about memory: in %zu of %zu samples and at %zu of %zu "
                    "quiet points the service did not say `%s`.",
                    missing, samples->rows, missing_quiet, reading->quiets.rows, figure);
    else if (missing > 0)
        remark_add(findings, "no_document", "memory", NAN,
                   "In %zu of %zu samples /memory was not answered.", missing, samples->rows);
}

/* ---- quiet points ---- */

/* One each so many seconds was asked for. When the driver was not there, there are none. */
static void points_judge(struct findings *findings, const struct reading *reading)
{
    double expected = floor(evidence_seconds(reading) / member_number(reading->start, "quiet"));
    if (isfinite(expected) && (double)reading->quiets.rows < expected / 2)
        finding_add(findings, "proves_nothing", "quiet_points", NAN,
                    "The run proves too little: of %.0f quiet points that were to be there are "
                    "%zu.",
                    expected, reading->quiets.rows);
}

static bool has_check(const json_t *point, const char *name)
{
    size_t i;
    json_t *check;
    json_array_foreach (json_object_get(point, "checks"), i, check) {
        if (strcmp(member_text(check, "name"), name) == 0)
            return true;
    }
    return false;
}

/* What is missing is counted; the first of it is named. */
struct absent {
    const struct reading *reading;
    char name[96];
    double index; /* of the point */
    size_t count;
};

static void absent_look(struct absent *absent, const json_t *point, const char *name)
{
    if (has_check(point, name))
        return;
    if (absent->count++ == 0) {
        snprintf(absent->name, sizeof absent->name, "%s", name);
        absent->index = member_number(point, "index");
    }
}

/* Each pool of requests must be empty, and each that lives as long as the process as it was. */
static void absent_pools(struct absent *absent, const json_t *point)
{
    static const char *const lifetimes[] = {"request", "scratch", "batch", "process"};
    size_t i;
    json_t *pool;
    json_array_foreach (json_object_get(absent->reading->memory, "pools"), i, pool) {
        const char *name = member_text(pool, "name");
        char check[96];
        snprintf(check, sizeof check, "%s_live_bytes", name);
        for (size_t at = 0; at < sizeof lifetimes / sizeof lifetimes[0]; at++) {
            bool is_asking = strcmp(name, "reserve") == 0; /* it has the question */
            if (!is_asking && strcmp(member_text(pool, "lifetime"), lifetimes[at]) == 0)
                absent_look(absent, point, check);
        }
    }
}

/* And what the first point has the others have too. */
static void absent_point(struct absent *absent, const json_t *point)
{
    static const char *const names[] = {"threads",
                                        "open_fds",
                                        "malloc_unexplained_bytes",
                                        "requests_in_flight",
                                        "connections_live_objects",
                                        "ledger_mismatch_bytes",
                                        "quiet_point_failures"};
    const json_t *first = json_array_get(absent->reading->points, 0);
    size_t i;
    json_t *check;
    for (size_t at = 0; at < sizeof names / sizeof names[0]; at++)
        absent_look(absent, point, names[at]);
    absent_pools(absent, point);
    json_array_foreach (json_object_get(first, "checks"), i, check)
        absent_look(absent, point, member_text(check, "name"));
}

static void checks_judge_presence(struct findings *findings, const struct reading *reading)
{
    struct absent absent = {.reading = reading};
    size_t i;
    json_t *point;
    json_array_foreach (reading->points, i, point)
        absent_point(&absent, point);
    if (absent.count > 0)
        finding_add(findings, "proves_nothing", "checks", NAN,
                    "Not all was checked: at quiet point %.0f there is no `%s`, and %zu checks are "
                    "missing in all. What was not looked at cannot have failed.",
                    absent.index, absent.name, absent.count);
}

/* The first point of each process of the driver has no sums to compare yet. */
static void sums_judge_presence(struct findings *findings, const struct reading *reading)
{
    size_t without = 0;
    size_t i;
    json_t *point;
    json_array_foreach (reading->points, i, point) {
        const json_t *kept = json_object_get(point, "conservation");
        without += json_array_size(json_object_get(kept, "totals")) == 0 ||
                   !json_is_object(json_object_get(kept, "samples"));
    }
    if (without > (reading->starts > 1 ? reading->starts : 1))
        finding_add(findings, "proves_nothing", "conservation", NAN,
                    "The run proves nothing about sums: at %zu of %zu quiet points they were not "
                    "compared.",
                    without, json_array_size(reading->points));
}

/* ---- the load ---- */

struct coverage {
    const struct table *samples;
    double begun;
    size_t kinds;
    FILE *missing; /* names of what was never begun or answered */
};

static void hostile_kind(void *context, const char *kind, const double *values)
{
    struct coverage *coverage = context;
    char name[128];
    (void)values;
    snprintf(name, sizeof name, "driver.hostile.%s.begun", kind);
    double begun = table_last(coverage->samples, name);
    coverage->kinds++;
    if (begun > 0)
        coverage->begun += begun;
    else
        fprintf(coverage->missing, " `%s`", kind);
}

static void sort_of_request(void *context, const char *sort, const double *values)
{
    const struct coverage *coverage = context;
    char name[128];
    (void)values;
    snprintf(name, sizeof name, "driver.requests.%s", sort);
    if (!(table_last(coverage->samples, name) > 0))
        fprintf(coverage->missing, " `%s`", sort);
}

static void hostile_judge(struct findings *findings, const struct reading *reading,
                          struct coverage *coverage)
{
    if (!(member_number(reading->start, "hostile") > 0))
        return;
    table_each(&reading->samples, "driver.hostile.", ".begun", hostile_kind, coverage);
    if (coverage->begun == 0)
        finding_add(findings, "proves_nothing", "hostile", NAN,
                    "The run proves nothing: hostile clients were asked for, and not one was "
                    "begun.");
    else if (coverage->kinds < HOSTILE_COUNT)
        remark_add(findings, "not_covered", "hostile", NAN,
                   "The record knows %zu kinds of hostile clients of %d.", coverage->kinds,
                   HOSTILE_COUNT);
}

static void mix_judge(struct findings *findings, const struct reading *reading)
{
    char missing[512] = "";
    struct coverage coverage = {.samples = &reading->samples,
                                .missing = fmemopen(missing, sizeof missing, "w")};
    table_each(&reading->samples, "driver.requests.", "", sort_of_request, &coverage);
    hostile_judge(findings, reading, &coverage);
    fclose(coverage.missing);
    if (missing[0] != '\0')
        remark_add(findings, "not_covered", "mix", NAN,
                   "Of these sorts of requests and kinds of hostile clients there was none, and "
                   "the run says nothing about them:%s.",
                   missing);
}

struct answers {
    const struct table *samples;
    double fine;
    double all;
};

static void status_count(void *context, const char *status, const double *values)
{
    struct answers *answers = context;
    char name[128];
    (void)values;
    snprintf(name, sizeof name, "driver.statuses.%s", status);
    double count = fmax(table_last(answers->samples, name), 0);
    answers->all += count;
    answers->fine += status[0] == '2' ? count : 0;
}

/* Connections that the service closed while the load was stopped for long break a few. */
#define BROKEN_MAX 10.0
#define BROKEN_SHARE_MAX 0.001

/* A valid request is answered, or refused with a reason. */
static void broken_judge(struct findings *findings, double all, double broken)
{
    if (broken > fmax(BROKEN_MAX, all * BROKEN_SHARE_MAX))
        finding_add(findings, "requests_broken", "requests", NAN,
                    "Of %s valid requests %s got no whole reply: the service ended their "
                    "connections without a word, or hung.",
                    word_of(all, UNIT_COUNT).text, word_of(broken, UNIT_COUNT).text);
}

/* A service that refuses all keeps its memory small. */
static void answers_judge(struct findings *findings, const struct reading *reading)
{
    struct answers answers = {.samples = &reading->samples};
    table_each(&reading->samples, "driver.statuses.", "", status_count, &answers);
    double broken = fmax(table_last(&reading->samples, "driver.broken"), 0);
    answers.all += broken;
    broken_judge(findings, answers.all, broken);
    double refused = answers.all - answers.fine;
    if (answers.all > 0 && answers.fine < answers.all / 2)
        finding_add(findings, "proves_nothing", "requests", NAN,
                    "The run proves too little: of %s valid requests %s were refused, or got no "
                    "whole reply.",
                    word_of(answers.all, UNIT_COUNT).text, word_of(refused, UNIT_COUNT).text);
    else if (refused > answers.all / 100)
        remark_add(findings, "refused", "requests", NAN,
                   "Of %s valid requests %s were refused, or got no whole reply.",
                   word_of(answers.all, UNIT_COUNT).text, word_of(refused, UNIT_COUNT).text);
}

/* ---- all of it ---- */

static void service_judge(struct findings *findings, const struct reading *reading)
{
    if (!(table_last(&reading->samples, "driver.acknowledged_samples") > 0))
        finding_add(findings, "proves_nothing", "samples", NAN,
                    "The run proves nothing: not one sample was acknowledged.");
    documents_judge(findings, reading);
    points_judge(findings, reading);
    checks_judge_presence(findings, reading);
    sums_judge_presence(findings, reading);
    answers_judge(findings, reading);
}

void evidence_judge(struct findings *findings, const struct reading *reading,
                    const struct figures *figures)
{
    record_judge(findings, reading);
    time_judge(findings, reading);
    if (reading->starts > 1)
        remark_add(findings, "resumed", "driver", NAN, "The driver was started %zu times.",
                   reading->starts);
    if (!figures->resident_counts)
        remark_add(findings, "sanitized", "rss", NAN,
                   "The service is a build with sanitizers, by its address space. Their shadow is "
                   "resident, so resident memory is not judged.");
    if (evidence_is_too_short(reading))
        return;
    if (is_mayfly(reading))
        service_judge(findings, reading);
    mix_judge(findings, reading);
}
