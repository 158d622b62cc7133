/* checks.c: see checks.h. */
#include "checks.h"

#include "words.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- what a check is about ---- */

struct cause {
    const char *word; /* in the name of the check */
    const char *code;
    const char *what;
};

static const struct cause causes[] = {
    {"quiet_point", "quiet_point_failed", "quiet_points"},
    {"ledger", "ledger_mismatch", "ledger"},
    {"oom", "oom_kill", "process"},
    {"thread", "threads_grew", "threads"},
    {"fds", "descriptors_grew", "descriptors"},
    {"malloc", "heap_grew", "heap"},
    {"rss", "memory_exceeded", "rss"},
    {"hwm", "memory_exceeded", "rss"},
    {"start", "server_restarted", "process"},
};

/* The pool of a check named POOL_live_bytes and the like. */
static const json_t *pool_of(const struct reading *reading, const char *check)
{
    static const char *const asked[] = {"_live_bytes", "_live_objects", "_peak_bytes",
                                        "_frees_total"};
    size_t length = strlen(check);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        size_t after = strlen(asked[i]);
        char name[128];
        if (length <= after || length - after >= sizeof name ||
            strcmp(check + length - after, asked[i]) != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(length - after), check);
        return pool_find(reading, name);
    }
    return NULL;
}

static struct cause cause_of(const struct reading *reading, const char *check)
{
    const json_t *pool = pool_of(reading, check);
    if (pool != NULL) {
        bool lives_on = strcmp(member_text(pool, "lifetime"), "process") == 0;
        const char *code = strstr(check, "peak") != NULL ? "pool_over_capacity"
                           : lives_on                    ? "pool_grew"
                                                         : "pool_not_empty";
        return (struct cause){check, code, member_text(pool, "name")};
    }
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        if (strstr(check, causes[i].word) != NULL)
            return causes[i];
    }
    return (struct cause){check, "check_failed", check};
}

/* ---- whether it holds ---- */

static bool is_bound(const json_t *check)
{
    return strcmp(member_text(check, "relation"), "<=") == 0;
}

/* The driver says so, and its own numbers do not say otherwise. */
static bool check_holds(const json_t *check)
{
    double expected = member_number(check, "expected");
    double got = member_number(check, "got");
    return json_is_true(json_object_get(check, "ok")) &&
           (is_bound(check) ? got <= expected : got == expected);
}

/* ---- the table ---- */

static json_t *invariant_row(json_t *table, json_t *places, const char *name)
{
    json_t *row = json_object_get(places, name);
    if (row != NULL)
        return row;
    row = json_pack("{s:s, s:i, s:i, s:n, s:n}", "check", name, "judged", 0, "failed", 0,
                    "first_point", "first_elapsed");
    json_array_append_new(table, row);
    json_object_set(places, name, row);
    return row;
}

static json_int_t count_up(json_t *row, const char *member)
{
    json_int_t count = json_integer_value(json_object_get(row, member)) + 1;
    json_object_set_new(row, member, json_integer(count));
    return count;
}

/* What is right and what was: of the first failure, else of the last point. */
static void invariant_count(json_t *row, const json_t *point, const json_t *check, bool holds)
{
    count_up(row, "judged");
    bool failed_before = json_integer_value(json_object_get(row, "failed")) > 0;
    if (!holds && count_up(row, "failed") == 1) {
        json_object_set_new(row, "first_point", json_number_or_null(member_number(point, "index")));
        json_object_set_new(row, "first_elapsed",
                            json_number_or_null(member_number(point, "elapsed")));
    }
    if (failed_before)
        return;
    json_object_set_new(row, "relation", json_string(is_bound(check) ? "<=" : "=="));
    json_object_set_new(row, "expected", json_number_or_null(member_number(check, "expected")));
    json_object_set_new(row, "got", json_number_or_null(member_number(check, "got")));
}

/* ---- failures of one cause ---- */

struct failure {
    struct cause cause;
    const json_t *point;      /* the first at which it failed */
    const json_t *check;      /* what failed there, worst as far as is known */
    const json_t *last_point; /* and the last one */
    const json_t *last_check;
    size_t points;
};

static double excess_of(const json_t *check)
{
    return fabs(member_number(check, "got") - member_number(check, "expected"));
}

/* The check of this cause that failed at the point; of several the one with the largest excess. */
static const json_t *worst_at(const struct reading *reading, const json_t *point,
                              const struct cause *cause)
{
    size_t i;
    json_t *check;
    const json_t *worst = NULL;
    json_array_foreach (json_object_get(point, "checks"), i, check) {
        struct cause other = cause_of(reading, member_text(check, "name"));
        if (check_holds(check) || strcmp(other.code, cause->code) != 0 ||
            strcmp(other.what, cause->what) != 0)
            continue;
        bool counts_bytes = strstr(member_text(check, "name"), "bytes") != NULL;
        bool beats = worst == NULL || strstr(member_text(worst, "name"), "bytes") == NULL;
        if (worst == NULL || (counts_bytes && beats) ||
            (counts_bytes == !beats && excess_of(check) > excess_of(worst)))
            worst = check;
    }
    return worst;
}

static struct failure failure_of(const struct reading *reading, const struct cause *cause)
{
    struct failure failure = {.cause = *cause};
    size_t i;
    json_t *point;
    json_array_foreach (reading->points, i, point) {
        const json_t *worst = worst_at(reading, point, cause);
        if (worst == NULL)
            continue;
        if (failure.points++ == 0) {
            failure.point = point;
            failure.check = worst;
        }
        failure.last_point = point;
        failure.last_check = worst;
    }
    return failure;
}

/* ---- the culprit, as the service itself saw it ---- */

/* Pools of these lifetimes fill under any load, up to their capacity: they are nobody's culprit. */
static bool is_meant_to_fill(const struct reading *reading, const char *pool)
{
    const char *lifetime = member_text(pool_find(reading, pool), "lifetime");
    return strcmp(lifetime, "series") == 0 || strcmp(lifetime, "window") == 0 ||
           strcmp(lifetime, "cached") == 0;
}

static double grown_by(const json_t *row)
{
    return member_number(row, "live_bytes_diff");
}

static const json_t *pool_grown_most(const struct reading *reading, const json_t *rows)
{
    size_t i;
    json_t *row;
    const json_t *most = NULL;
    json_array_foreach (rows, i, row) {
        if (!is_meant_to_fill(reading, member_text(row, "pool")) && grown_by(row) > 0 &&
            !(grown_by(row) <= grown_by(most)))
            most = row;
    }
    return most;
}

/* The line that had taken most, but for the store's, which takes what is meant to fill. */
static const json_t *site_grown_most(const json_t *rows)
{
    size_t i;
    json_t *row;
    const json_t *most = NULL;
    json_array_foreach (rows, i, row) {
        bool of_store = strncmp(member_text(row, "site"), "lib/store/", 10) == 0;
        if (!of_store && grown_by(row) > 0 && !(grown_by(row) <= grown_by(most)))
            most = row;
    }
    return most;
}

/* The second byte of a letter in UTF-8, or a later one. */
static bool is_within_letter(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* What the doctor numbers and begins with that name: one paragraph, without its line ends. */
static void doctor_tell(FILE *out, const char *doctor, const char *what)
{
    char begins[128];
    snprintf(begins, sizeof begins, ". %s: ", what);
    const char *at = strstr(doctor, begins);
    size_t left = 400;
    if (at == NULL)
        return;
    fputs(" In the service's own words: ", out);
    for (at += 2; *at != '\0' && (left > 0 || is_within_letter(*at)); at++) {
        left -= left > 0;
        if (strcmp(at, "\n") == 0 || strncmp(at, "\n\n", 2) == 0)
            break;
        if (*at == '\n') {
            fputs("; ", out);
            at += strspn(at + 1, " ");
        } else {
            fputc(*at, out);
        }
    }
    fputs(*at != '\0' && left == 0 ? "\342\200\246" : ".", out);
}

/* A tenth of what leaked may be anybody's: a site below that is not named. */
static void site_tell(FILE *out, const json_t *point, double leaked)
{
    const json_t *site = site_grown_most(json_object_get(point, "sites"));
    if (grown_by(site) > leaked / 10)
        fprintf(out, " The line of the source that had taken most: `%s`, %s in %s objects.",
                member_text(site, "site"), word_of(grown_by(site), UNIT_BYTES).text,
                word_of(member_number(site, "live_objects_diff"), UNIT_COUNT).text);
}

/* From the last point at which it failed: there is most of it then. */
static void culprit_tell(FILE *out, const struct reading *reading, const struct failure *failure)
{
    const char *what = failure->cause.what;
    const json_t *point = failure->last_point;
    const json_t *row = pool_grown_most(reading, json_object_get(point, "diff"));
    if (row != NULL && strcmp(member_text(row, "pool"), what) == 0)
        fprintf(out,
                " In the service's own difference since the first quiet point it stands first, "
                "but for pools that are meant to fill: %s.",
                word_of(grown_by(row), UNIT_BYTES).text);
    if (row != NULL && pool_find(reading, what) != NULL)
        site_tell(out, point, grown_by(row));
    doctor_tell(out, member_text(point, "doctor"), what);
}

/* ---- sentences ---- */

static enum unit unit_of(const json_t *check)
{
    const char *name = member_text(check, "name");
    return strstr(name, "bytes") != NULL || strstr(name, "hwm") != NULL ? UNIT_BYTES : UNIT_COUNT;
}

static struct word got_of(const json_t *check)
{
    return word_of(member_number(check, "got"), unit_of(check));
}

static struct word expected_of(const json_t *check)
{
    return word_of(member_number(check, "expected"), unit_of(check));
}

static void excess_tell(FILE *out, const struct failure *failure, double index)
{
    const char *what = failure->cause.what;
    const json_t *check = failure->check;
    struct word more =
        word_of(member_number(check, "got") - member_number(check, "expected"), unit_of(check));
    const char *things = unit_of(check) == UNIT_BYTES ? "" : " objects";
    if (strcmp(what, "connections") == 0)
        fprintf(out,
                "Pool `%s` held %s%s at quiet point %.0f, and of the connections that were made "
                "only that of the question (%s) was still open.",
                what, got_of(check).text, things, index, expected_of(check).text);
    else if (strcmp(failure->cause.code, "pool_grew") == 0)
        fprintf(out,
                "Pool `%s` held %s%s more at quiet point %.0f than at the first: what lives as "
                "long as the process must not grow.",
                what, more.text, things, index);
    else if (strstr(member_text(check, "name"), "live") != NULL)
        fprintf(out,
                "Pool `%s` held %s%s at quiet point %.0f, when nothing was in flight and it must "
                "be empty: a request kept what it should have given back.",
                what, got_of(check).text, things, index);
    else
        fprintf(out,
                "Pool `%s` had got %s objects back at quiet point %.0f, when nothing was in "
                "flight and %s is right: what a request takes it must give back.",
                what, got_of(check).text, index, expected_of(check).text);
}

static void resource_tell(FILE *out, const struct failure *failure, double index)
{
    static const struct {
        const char *code;
        const char *text;
    } sentences[] = {
        {"quiet_point_failed", "The service itself counted moments without a request at which a "
                               "pool of requests was not empty"},
        {"ledger_mismatch", "The ledger and a walk over the pools disagree, which is a bug"},
        {"oom_kill", "The kernel killed for want of memory"},
        {"threads_grew", "There are not as many threads as at the first quiet point"},
        {"descriptors_grew", "There are not as many open descriptors as at the first quiet point, "
                             "with all of the driver's connections closed"},
        {"heap_grew", "malloc holds more than anything explains: heap memory that the plan does "
                      "not know of is kept"},
        {"memory_exceeded", "Resident memory was above the service's own limit"},
        {"pool_over_capacity", "A pool was above its capacity, which cannot be"},
        {"server_restarted", "The server is not the one that the run began with"},
    };
    const char *text = "An exact check failed";
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        if (strcmp(sentences[i].code, failure->cause.code) == 0)
            text = sentences[i].text;
    }
    fprintf(out, "%s: `%s` was %s at quiet point %.0f, and %s%s is right.", text,
            member_text(failure->check, "name"), got_of(failure->check).text, index,
            is_bound(failure->check) ? "at most " : "", expected_of(failure->check).text);
}

static void failure_tell(struct findings *findings, const struct reading *reading,
                         const struct failure *failure)
{
    char text[2048] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    const char *code = failure->cause.code;
    double index = member_number(failure->point, "index");
    if (strcmp(code, "pool_grew") == 0 || strcmp(code, "pool_not_empty") == 0)
        excess_tell(out, failure, index);
    else
        resource_tell(out, failure, index);
    if (failure->points > 1)
        fprintf(out, " So it was at %zu of %zu quiet points, at the last of them %s.",
                failure->points, json_array_size(reading->points),
                got_of(failure->last_check).text);
    culprit_tell(out, reading, failure);
    fclose(out);
    finding_add(findings, code, failure->cause.what, member_number(failure->point, "elapsed"), "%s",
                text);
}

static void point_judge(struct findings *findings, const struct reading *reading, json_t *table,
                        json_t *places, const json_t *point)
{
    size_t i;
    json_t *check;
    json_array_foreach (json_object_get(point, "checks"), i, check) {
        const char *name = member_text(check, "name");
        bool holds = check_holds(check);
        invariant_count(invariant_row(table, places, name), point, check, holds);
        if (holds)
            continue;
        struct cause cause = cause_of(reading, name);
        if (finding_exists(findings, cause.code, cause.what))
            continue;
        struct failure failure = failure_of(reading, &cause);
        failure_tell(findings, reading, &failure);
    }
}

json_t *checks_judge(struct findings *findings, const struct reading *reading)
{
    json_t *table = json_array();
    json_t *places = json_object();
    size_t i;
    json_t *point;
    json_array_foreach (reading->points, i, point)
        point_judge(findings, reading, table, places, point);
    json_decref(places);
    return table;
}

/* ---- conservation ---- */

static void samples_tell(struct findings *findings, const json_t *point, const json_t *samples)
{
    if (!json_is_object(samples) || json_is_true(json_object_get(samples, "ok")))
        return;
    finding_add(findings, "conservation", "samples", member_number(point, "elapsed"),
                "Samples were lost or made: %s were acknowledged (and of %s no reply was read), "
                "but the server says it accepted %s, at quiet point %.0f.",
                word_exact(member_number(samples, "acknowledged")).text,
                word_exact(member_number(samples, "uncertain")).text,
                word_exact(member_number(samples, "accepted_by_server")).text,
                member_number(point, "index"));
}

static void total_tell(struct findings *findings, const json_t *point, const json_t *total)
{
    if (json_is_true(json_object_get(total, "ok")))
        return;
    const char *metric = member_text(total, "metric");
    finding_add(findings, "conservation", metric, member_number(point, "elapsed"),
                "The %s of `%s` is not what was acknowledged: %s were, and %s are held, %s of it "
                "in the overflow series (%s recycled): a difference of %s at quiet point %.0f.",
                member_text(total, "what"), metric,
                word_exact(member_number(total, "acknowledged")).text,
                word_exact(member_number(total, "held")).text,
                word_exact(member_number(total, "overflow")).text,
                word_exact(member_number(total, "recycled")).text,
                word_exact(member_number(total, "difference")).text, member_number(point, "index"));
}

static void history_tell(struct findings *findings, const json_t *point, const json_t *history)
{
    if (json_is_true(json_object_get(history, "ok")))
        return;
    const char *metric = member_text(history, "metric");
    finding_add(findings, "history", metric, member_number(point, "elapsed"),
                "The past of `%s` does not add up: fn=%s over %s intervals between quiet points "
                "differs in %s of them, by %s at worst, at quiet point %.0f.",
                metric, member_text(history, "fn"),
                word_of(member_number(history, "points"), UNIT_COUNT).text,
                word_of(member_number(history, "differing"), UNIT_COUNT).text,
                word_exact(member_number(history, "worst")).text, member_number(point, "index"));
}

typedef void row_tell(struct findings *findings, const json_t *point, const json_t *row);

static void rows_tell(struct findings *findings, const json_t *point, const json_t *rows,
                      row_tell *tell)
{
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row)
        tell(findings, point, row);
}

/* What the driver says of all of it, where no row of it says what is wrong. */
static void whole_tell(struct findings *findings, const json_t *point, const json_t *kept)
{
    bool told = !json_is_object(kept) || json_is_true(json_object_get(kept, "ok"));
    size_t i;
    json_t *row;
    json_array_foreach (findings->findings, i, row)
        told = told || strcmp(member_text(row, "code"), "conservation") == 0 ||
               strcmp(member_text(row, "code"), "history") == 0;
    if (!told)
        finding_add(findings, "conservation", "sums", member_number(point, "elapsed"),
                    "The driver says that sums differ at quiet point %.0f, and not which.",
                    member_number(point, "index"));
}

/* The table is the last point's, the findings are of any. */
json_t *sums_judge(struct findings *findings, const struct reading *reading)
{
    size_t i;
    json_t *point;
    json_t *table = NULL;
    json_array_foreach (reading->points, i, point) {
        json_t *kept = json_object_get(point, "conservation");
        samples_tell(findings, point, json_object_get(kept, "samples"));
        rows_tell(findings, point, json_object_get(kept, "totals"), total_tell);
        rows_tell(findings, point, json_object_get(kept, "history"), history_tell);
        whole_tell(findings, point, kept);
        table = json_is_object(kept) ? kept : table;
    }
    return table != NULL ? json_incref(table) : json_null();
}
