/* findings.c: see findings.h. */
#include "findings.h"

#include "checks.h"
#include "evidence.h"
#include "finding.h"
#include "slopes.h"
#include "tables.h"

#include <math.h>
#include <string.h>

/* ---- ends and restarts ---- */

static bool is_end(const char *what)
{
    return strcmp(what, "finished") == 0 || strcmp(what, "stopped") == 0 ||
           strcmp(what, "server_gone") == 0 || strcmp(what, "server_restarted") == 0;
}

/* What was stopped may have gone on: then there are samples after it. By the time of the run, for
 * clocks are set. */
const char *run_state(const struct reading *reading)
{
    size_t count = json_array_size(reading->events);
    double last = table_last(&reading->samples, "elapsed");
    for (size_t i = count; i > 0; i--) {
        const json_t *event = json_array_get(reading->events, i - 1);
        const char *what = member_text(event, "what");
        if (is_end(what) && !(member_number(event, "elapsed") < last - 1))
            return what;
    }
    return "running";
}

static void events_judge(struct findings *findings, const struct reading *reading)
{
    size_t i;
    json_t *event;
    json_array_foreach (reading->events, i, event) {
        const char *what = member_text(event, "what");
        const char *text = member_text(event, "text");
        double since = member_number(event, "elapsed");
        if (strcmp(what, "server_gone") == 0)
            finding_add(findings, what, "process", since,
                        "The server was gone after %s: %s. Its memory was last seen at %s.",
                        word_elapsed(since).text, text,
                        word_of(table_last(&reading->samples, "proc.rss"), UNIT_BYTES).text);
        else if (strcmp(what, "server_restarted") == 0)
            finding_add(findings, what, "process", since,
                        "The server was started anew after %s: %s. A restart hides what went "
                        "before.",
                        word_elapsed(since).text, text);
        else if (strcmp(what, "drill_started") == 0)
            remark_add(findings, "drill", "drill", since,
                       "A leak on purpose was started after %s (%s): this run is meant to fail.",
                       word_elapsed(since).text, text);
        else if (strcmp(what, "conservation_begins_anew") == 0)
            remark_add(findings, what, "driver", since,
                       "Sums were begun anew after %s: %s. Conservation holds for what came since.",
                       word_elapsed(since).text, text);
    }
}

/* An engine that was asked and did not say is no witness. */
static void witness_judge(struct findings *findings, const json_t *docker)
{
    if (!json_is_boolean(json_object_get(docker, "oom_killed")) ||
        !json_is_number(json_object_get(docker, "restarts")) ||
        json_object_get(docker, "exit_code") == NULL)
        finding_add(findings, "proves_nothing", "container", NAN,
                    "What Docker says of the container cannot be read, or does not say whether it "
                    "was killed, was started anew, and how it ended.");
}

static void docker_judge(struct findings *findings, const json_t *docker)
{
    double exit_code = member_number(docker, "exit_code");
    double restarts = member_number(docker, "restarts");
    if (docker != NULL)
        witness_judge(findings, docker);
    if (json_is_true(json_object_get(docker, "oom_killed")))
        finding_add(findings, "oom_kill", "container", NAN,
                    "Docker says that the kernel killed the container for want of memory.");
    if (restarts > 0)
        finding_add(findings, "server_restarted", "container", NAN,
                    "Docker says that it started the container anew, %.0f times.", restarts);
    if (!isnan(exit_code) && exit_code != 0)
        finding_add(findings, "exit_code", "container", NAN,
                    "The container ended with exit code %.0f, and 0 is a clean stop%s.", exit_code,
                    exit_code == 137   ? "; 137 is a kill"
                    : exit_code == 255 ? "; 255 is of an engine that was ended itself"
                                       : "");
}

/* ---- peaks: of any sample ---- */

/* The first row in which the column is above the limit; rows: none. */
static size_t first_above(const struct table *table, const double *column, const double *limits,
                          double limit)
{
    for (size_t row = 0; column != NULL && row < table->rows; row++) {
        double most = limits != NULL ? limits[row] : limit;
        if (column[row] > most)
            return row;
    }
    return table->rows;
}

static double elapsed_at(const struct table *table, size_t row)
{
    return column_at(table_column(table, "elapsed"), row);
}

static void resident_judge(struct findings *findings, const struct reading *reading)
{
    const struct table *samples = &reading->samples;
    const double *limits = table_column(samples, "memory.budget.limit_bytes");
    double limit = member_number(reading->start, "memory_limit");
    const char *const columns[] = {"memory.process.rss_peak_bytes", "proc.hwm"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        const double *column = table_column(samples, columns[i]);
        bool own = i == 0 && limits != NULL;
        size_t row = first_above(samples, column, own ? limits : NULL, limit);
        if (row == samples->rows)
            continue;
        finding_add(findings, "memory_exceeded", "rss", elapsed_at(samples, row),
                    "Resident memory was %s after %s, above --memory, which is %s and is never to "
                    "be exceeded; the peak was %s.",
                    word_of(column[row], UNIT_BYTES).text,
                    word_elapsed(elapsed_at(samples, row)).text,
                    word_of(own ? limits[row] : limit, UNIT_BYTES).text,
                    word_of(table_max(samples, columns[i]), UNIT_BYTES).text);
    }
}

struct peaks {
    struct findings *findings;
    const struct table *samples;
};

static void pool_peak_judge(void *context, const char *pool, const double *peaks)
{
    struct peaks *at = context;
    char name[128];
    snprintf(name, sizeof name, "memory.pools.%s.capacity_bytes", pool);
    const double *capacities = table_column(at->samples, name);
    size_t row = first_above(at->samples, peaks, capacities, INFINITY);
    if (row < at->samples->rows)
        finding_add(at->findings, "pool_over_capacity", pool, elapsed_at(at->samples, row),
                    "Pool `%s` had a peak of %s after %s, above its capacity of %s, which cannot "
                    "be.",
                    pool, word_of(peaks[row], UNIT_BYTES).text,
                    word_elapsed(elapsed_at(at->samples, row)).text,
                    word_of(column_at(capacities, row), UNIT_BYTES).text);
}

/* "growth, requests": the pools that were not empty, as the service names them. */
static void failing_names(const struct reading *reading, char *text, size_t room)
{
    const json_t *audit = json_object_get(reading->memory, "audit");
    const json_t *failing = json_object_get(audit, "quiet_point_failing");
    size_t i;
    json_t *pool;
    size_t used = 0;
    text[0] = '\0';
    json_array_foreach (failing, i, pool) {
        const char *name =
            json_is_string(pool) ? json_string_value(pool) : member_text(pool, "pool");
        int wrote = snprintf(text + used, room - used, "%s%s", i > 0 ? ", " : ": ", name);
        if (wrote < 0 || (size_t)wrote >= room - used)
            break;
        used += (size_t)wrote;
    }
}

static void audit_judge(struct findings *findings, const struct reading *reading)
{
    const struct table *samples = &reading->samples;
    const double *mismatch = table_column(samples, "memory.audit.ledger_mismatch_bytes");
    const double *failures = table_column(samples, "memory.audit.quiet_point_failures");
    char pools[256];
    size_t row = first_above(samples, mismatch, NULL, 0);
    if (row < samples->rows)
        finding_add(findings, "ledger_mismatch", "ledger", elapsed_at(samples, row),
                    "The ledger and a walk over the pools disagreed by %s after %s, which is a bug "
                    "of the service.",
                    word_of(mismatch[row], UNIT_BYTES).text,
                    word_elapsed(elapsed_at(samples, row)).text);
    row = first_above(samples, failures, NULL, 0);
    failing_names(reading, pools, sizeof pools);
    if (row < samples->rows)
        finding_add(
            findings, "quiet_point_failed", "quiet_points", elapsed_at(samples, row),
            "Of the service's own quiet points %s failed, the first before %s: without a "
            "request in flight a pool of requests was not empty%s.",
            word_of(table_last(samples, "memory.audit.quiet_point_failures"), UNIT_COUNT).text,
            word_elapsed(elapsed_at(samples, row)).text, pools);
}

/* What is not what it was in the first row that has it. */
static size_t first_changed(const struct table *table, const char *name)
{
    const double *column = table_column(table, name);
    double first = table_first(table, name);
    for (size_t row = 0; column != NULL && row < table->rows; row++) {
        if (!isnan(column[row]) && fabs(column[row] - first) > 0.5)
            return row;
    }
    return table->rows;
}

static void kernel_judge(struct findings *findings, const struct reading *reading)
{
    const struct table *samples = &reading->samples;
    const char *const starts[] = {"proc.start_ticks", "memory.start"};
    size_t row = first_changed(samples, "memory.cgroup.events.oom_kill");
    if (row < samples->rows)
        finding_add(findings, "oom_kill", "process", elapsed_at(samples, row),
                    "The kernel killed for want of memory in the server's cgroup, before %s.",
                    word_elapsed(elapsed_at(samples, row)).text);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        row = first_changed(samples, starts[i]);
        if (row < samples->rows)
            finding_add(findings, "server_restarted", "process", elapsed_at(samples, row),
                        "Before %s the server was started anew: it is not the process that the run "
                        "began with. A restart hides what went before.",
                        word_elapsed(elapsed_at(samples, row)).text);
    }
}

/* ---- the server's own verdict ---- */

static bool is_fatal(const char *status, const char *code)
{
    bool suspected = strcmp(status, "leak_suspected") == 0 || strcmp(status, "ledger_error") == 0;
    return suspected && strncmp(code, "pool_", 5) != 0 && strcmp(code, "slowing") != 0;
}

static const char *subject_of(const json_t *row)
{
    const json_t *reason = json_object_get(row, "reason");
    const char *pool = member_text(reason, "pool");
    return pool[0] != '\0' ? pool : member_text(reason, "figure");
}

static const char *code_of(const json_t *row)
{
    const char *code = member_text(json_object_get(row, "reason"), "code");
    return code[0] != '\0' ? code : member_text(row, "status");
}

static const char *words_of(const json_t *row)
{
    return member_text(json_object_get(row, "reason"), "text");
}

/* "`series`, `labels` (beyond ...), `sets` (...)": what follows with the same words stands
 * together. */
static void subject_tell(FILE *out, const json_t *row, const json_t *before)
{
    bool same = before != NULL && strcmp(words_of(before), words_of(row)) == 0;
    if (before != NULL && !same)
        fprintf(out, " (%s)", words_of(before));
    fprintf(out, "%s`%s`", before != NULL ? ", " : "", subject_of(row));
}

/* All that was said with one code is one remark: of these pools, between these times. */
static void said_remark(struct findings *findings, const json_t *statuses, const char *code)
{
    char text[1024] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    double first = INFINITY;
    double last = 0;
    const json_t *before = NULL;
    size_t i;
    json_t *row;
    json_array_foreach (statuses, i, row) {
        if (strcmp(code_of(row), code) != 0 || is_fatal(member_text(row, "status"), code))
            continue;
        subject_tell(out, row, before);
        before = row;
        first = fmin(first, member_number(row, "first"));
        last = fmax(last, member_number(row, "last"));
    }
    fprintf(out, " (%s)", words_of(before));
    fclose(out);
    remark_add(findings, code, "service", first,
               "Between %s and %s the service itself said %s of %s.", word_elapsed(first).text,
               word_elapsed(last).text, code, text);
}

static void status_judge(struct findings *findings, const json_t *statuses, const json_t *row)
{
    const char *status = member_text(row, "status");
    const char *code = code_of(row);
    const char *what = subject_of(row);
    double first = member_number(row, "first");
    if (is_fatal(status, code))
        finding_add(findings, status, what, first,
                    "The service itself said %s from %s on, in %.0f samples, of `%s`: %s (%s).",
                    status, word_elapsed(first).text, member_number(row, "samples"),
                    what[0] != '\0' ? what : "the whole", words_of(row), code);
    else
        said_remark(findings, statuses, code);
}

static void statuses_judge(struct findings *findings, const struct reading *reading)
{
    size_t i;
    json_t *row;
    json_array_foreach (reading->statuses, i, row)
        status_judge(findings, reading->statuses, row);
}

/* ---- all of it ---- */

static void exact_judge(struct findings *findings, const struct reading *reading,
                        const struct figures *figures, const json_t *docker, json_t *report)
{
    struct peaks peaks = {findings, &reading->samples};
    json_object_set_new(report, "invariants", checks_judge(findings, reading));
    json_object_set_new(report, "conservation", sums_judge(findings, reading));
    events_judge(findings, reading);
    docker_judge(findings, docker);
    kernel_judge(findings, reading);
    if (figures->resident_counts)
        resident_judge(findings, reading);
    table_each(&reading->samples, "memory.pools.", ".peak_bytes", pool_peak_judge, &peaks);
    audit_judge(findings, reading);
}

/* It ran to its end, and the driver was there for most of it. */
static bool is_whole(const struct reading *reading)
{
    double duration = member_number(reading->start, "duration");
    return strcmp(run_state(reading), "finished") == 0 &&
           !(evidence_seconds(reading) < (1 - EVIDENCE_MISSING_MAX) * duration);
}

static void verdict_set(json_t *report, const struct reading *reading,
                        const struct findings *findings)
{
    bool failed = json_array_size(findings->findings) > 0;
    bool passed = !failed && is_whole(reading) && !evidence_is_too_short(reading);
    json_object_set_new(report, "verdict",
                        json_string(failed                           ? "fail"
                                    : passed                         ? "pass"
                                    : evidence_is_too_short(reading) ? "too_short"
                                                                     : "unfinished"));
    json_object_set_new(report, "exit_code", json_integer(failed ? 1 : passed ? 0 : 2));
    json_object_set_new(report, "state", json_string(run_state(reading)));
    json_object_set_new(report, "findings", findings->findings);
    json_object_set_new(report, "remarks", findings->remarks);
}

json_t *findings_judge(const struct reading *reading, const struct figures *figures,
                       const json_t *docker)
{
    struct findings findings = {json_array(), json_array()};
    json_t *report = json_pack("{s:s}", "schema", "soak-report/1");
    json_object_set_new(report, "verdict", json_null()); /* its place is at the top */
    exact_judge(&findings, reading, figures, docker, report);
    statuses_judge(&findings, reading);
    json_object_set_new(report, "slopes", slopes_judge(&findings, figures));
    json_object_set_new(report, "days", days_judge(&findings, figures, &reading->quiets));
    evidence_judge(&findings, reading, figures);
    tables_add(report, &findings, reading, docker);
    verdict_set(report, reading, &findings);
    return report;
}
