/* slopes.c: see slopes.h. */
#include "slopes.h"

#include <math.h>
#include <string.h>

#define WARM_UP_BLOCKS 2
#define BYTES_LEAST 65536.0 /* an hour, and a block */

static bool is_judged(const struct figures *figures, enum figure_name name)
{
    bool resident = name == FIGURE_UNACCOUNTED || name == FIGURE_ANON || name == FIGURE_RSS;
    return figures->values[name] != NULL && (figures->resident_counts || !resident);
}

/* What a fuller store makes dearer is judged only when it is full. */
static bool waits_for_store(enum figure_name name)
{
    return figure_rows[name].unit == UNIT_SECONDS;
}

/* ---- slopes ---- */

struct slope {
    bool known;
    bool grows;
    bool early;
    double since;
    double block;   /* seconds */
    double allowed; /* a block */
    struct trend_estimate estimate;
};

/* Of what was not looked at for long (the driver stood still), no more blocks than are kept. */
static void close_until(struct trend *trend, size_t *closed, double blocks)
{
    double behind = floor(blocks) - (double)*closed;
    for (double i = 0; i < behind && i <= TREND_BLOCKS + WARM_UP_BLOCKS; i++)
        trend_close_block(trend);
    if (behind > 0)
        *closed = (size_t)floor(blocks);
}

/* The number of blocks closed, the warm-up's included. A last one that is nearly over is closed. */
static size_t trend_fill(struct trend *trend, const struct figures *figures, enum figure_name name,
                         double block)
{
    const double *values = figures->values[name];
    double from = waits_for_store(name) ? figures->settled : 0;
    size_t closed = 0;
    trend_init(trend, WARM_UP_BLOCKS);
    for (size_t row = 0; row < figures->rows; row++) {
        close_until(trend, &closed, figures->elapsed[row] / block);
        if (figures->elapsed[row] >= from)
            trend_observe(trend, values[row]);
    }
    if (figures->rows > 0)
        close_until(trend, &closed, figures->elapsed[figures->rows - 1] / block + 0.1);
    return closed;
}

/* It grows since the last block that was about as low as the lowest: a twentieth of the range. */
static double grows_since(const struct trend *trend, size_t closed, double block)
{
    double low = INFINITY;
    double high = -INFINITY;
    uint32_t last = 0;
    for (uint32_t i = 0; i < trend->count; i++) {
        low = fmin(low, trend_minimum(trend, i));
        high = fmax(high, trend_minimum(trend, i));
    }
    for (uint32_t i = 0; i < trend->count; i++) {
        if (trend_minimum(trend, i) <= low + (high - low) / 20)
            last = i;
    }
    return (double)(closed - trend->count + last + 1) * block;
}

/* Per block, of a row's rule that is per day. */
static struct trend_rule rule_of(const struct figure_row *row, double block)
{
    struct trend_rule rule = {row->a_day.relative / TREND_DAY_BLOCKS,
                              row->a_day.absolute / TREND_DAY_BLOCKS};
    if (row->unit == UNIT_BYTES)
        rule.absolute = fmax(BYTES_LEAST, BYTES_LEAST * block / 3600);
    return rule;
}

/* Growth beyond it is a finding. */
static double allowed_of(const struct trend_rule *rule, double level)
{
    return fmax(rule->relative * fabs(level), rule->absolute);
}

static struct slope slope_of(const struct figures *figures, enum figure_name name)
{
    struct slope slope = {.known = is_judged(figures, name), .since = NAN};
    if (!slope.known)
        return slope;
    struct trend trend;
    slope.block = figures->day / TREND_DAY_BLOCKS;
    size_t closed = trend_fill(&trend, figures, name, slope.block);
    slope.estimate = trend_estimate_make(&trend);
    struct trend_rule rule = rule_of(&figure_rows[name], slope.block);
    slope.allowed = allowed_of(&rule, slope.estimate.level);
    enum trend_shape shape = trend_judge(&slope.estimate, &rule);
    if (shape == TREND_TOO_EARLY)
        shape = trend_judge_days(&slope.estimate, &rule);
    slope.grows = shape == TREND_GROWING;
    slope.early = shape == TREND_TOO_EARLY;
    if (slope.grows)
        slope.since = grows_since(&trend, closed, slope.block);
    return slope;
}

/* "resident memory by +1.2 MiB a day (99 % sure: +1.1 MiB to +1.3 MiB)" */
static void slope_tell(FILE *out, enum figure_name name, const struct slope *slope)
{
    const struct figure_row *row = &figure_rows[name];
    const struct trend_estimate *estimate = &slope->estimate;
    fprintf(out, "%s by %s a day (99 %% sure: %s to %s)", row->title,
            word_signed(estimate->slope * TREND_DAY_BLOCKS, row->unit).text,
            word_signed(estimate->low * TREND_DAY_BLOCKS, row->unit).text,
            word_signed(estimate->high * TREND_DAY_BLOCKS, row->unit).text);
}

/* Kinds of memory hold one another: what grows is named by the most exact, and the others follow.
 */
static void memory_slopes_tell(struct findings *findings, const struct slope *slopes, double day)
{
    char text[2048] = "";
    const struct slope *first = NULL;
    const char *what = NULL;
    FILE *out = fmemopen(text, sizeof text, "w");
    for (enum figure_name name = 0; name < FIGURE_MEMORY_COUNT; name++) {
        if (!slopes[name].grows)
            continue;
        fputs(first != NULL ? ", and with it " : "", out);
        slope_tell(out, name, &slopes[name]);
        first = first != NULL ? first : &slopes[name];
        what = what != NULL ? what : figure_rows[name].name;
    }
    fclose(out);
    if (first == NULL)
        return;
    finding_add(findings, "growing", what, first->since,
                "Memory that no pool bounds grows, since about %s: %s. So says the lowest figure "
                "of each of %u intervals of %s; a day here is %s.",
                word_elapsed(first->since).text, text, first->estimate.blocks,
                word_elapsed(first->block).text, word_elapsed(day).text);
}

static void other_slope_tell(struct findings *findings, enum figure_name name,
                             const struct slope *slope, double day)
{
    char text[512] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    slope_tell(out, name, slope);
    fclose(out);
    finding_add(findings, figure_rows[name].unit == UNIT_SECONDS ? "slowing" : "growing",
                figure_rows[name].name, slope->since,
                "Since about %s there grows %s, in %u intervals of %s; a day here is %s.",
                word_elapsed(slope->since).text, text, slope->estimate.blocks,
                word_elapsed(slope->block).text, word_elapsed(day).text);
}

static json_t *slope_row(enum figure_name name, const struct slope *slope)
{
    const struct trend_estimate *estimate = &slope->estimate;
    return json_pack(
        "{s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:s}", "figure", figure_rows[name].name, "unit",
        figure_rows[name].unit == UNIT_BYTES     ? "bytes"
        : figure_rows[name].unit == UNIT_SECONDS ? "seconds"
                                                 : "count",
        "blocks", (int)estimate->blocks, "level", json_number_or_null(estimate->level),
        "slope_per_day", json_number_or_null(estimate->slope * TREND_DAY_BLOCKS), "low_per_day",
        json_number_or_null(estimate->low * TREND_DAY_BLOCKS), "high_per_day",
        json_number_or_null(estimate->high * TREND_DAY_BLOCKS), "allowed_per_day",
        json_number_or_null(slope->allowed * TREND_DAY_BLOCKS), "verdict",
        slope->grows   ? "growing"
        : slope->early ? "too_early"
                       : "flat");
}

json_t *slopes_judge(struct findings *findings, const struct figures *figures)
{
    struct slope slopes[FIGURE_COUNT];
    json_t *table = json_array();
    bool all_early = true;
    for (enum figure_name name = 0; name < FIGURE_COUNT; name++) {
        slopes[name] = slope_of(figures, name);
        all_early = all_early && (slopes[name].early || !slopes[name].known);
        if (slopes[name].known)
            json_array_append_new(table, slope_row(name, &slopes[name]));
    }
    if (all_early)
        remark_add(findings, "slopes_not_judged", "time", NAN,
                   "No slope was judged: that takes more than two days of the load, and a day here "
                   "is %s.",
                   word_elapsed(figures->day).text);
    memory_slopes_tell(findings, slopes, figures->day);
    for (enum figure_name name = FIGURE_MEMORY_COUNT; name < FIGURE_COUNT; name++) {
        if (slopes[name].grows)
            other_slope_tell(findings, name, &slopes[name], figures->day);
    }
    return table;
}

/* ---- the first day against the last ---- */

struct days {
    double first; /* where each begins */
    double last;
    double length;
};

struct change {
    double first;
    double last;
    double allowed; /* the difference */
    bool worse;
};

/* False: there are no two whole days. */
static bool days_of(const struct figures *figures, double from, struct days *days)
{
    if (figures->rows == 0 || isnan(from))
        return false;
    double end = figures->elapsed[figures->rows - 1];
    double whole = floor((end - from) / figures->day + 0.01);
    days->first = from;
    days->last = from + (whole - 1) * figures->day;
    days->length = figures->day;
    return whole >= 2;
}

/* Descriptors and threads are those of quiet points, when nobody is connected. */
static void source_of(const struct figures *figures, const struct table *quiets,
                      enum figure_name name, const double **elapsed, const double **values,
                      size_t *rows)
{
    *elapsed = figures->elapsed;
    *values = figures->values[name];
    *rows = figures->rows;
    if (figure_rows[name].unit != UNIT_COUNT)
        return;
    bool threads = name == FIGURE_THREADS;
    *elapsed = table_column(quiets, "elapsed");
    *values = table_column(quiets, threads ? "memory.process.threads" : "memory.process.open_fds");
    *rows = quiets->rows;
}

#define DAY_PARTS 24
#define DAY_PARTS_LEAST 12 /* that both days have */

/* Whether three quarters of the hours of the last day are above those of the first: noise has one
 * in two of them, and one busy hour is no day. */
static bool hours_rise(const double *elapsed, const double *values, size_t rows,
                       const struct days *days)
{
    unsigned pairs = 0;
    unsigned rises = 0;
    double part = days->length / DAY_PARTS;
    for (int i = 0; i < DAY_PARTS; i++) {
        double first = median_between(elapsed, values, rows, days->first + i * part,
                                      days->first + (i + 1) * part);
        double last = median_between(elapsed, values, rows, days->last + i * part,
                                     days->last + (i + 1) * part);
        pairs += !isnan(first) && !isnan(last);
        rises += last > first;
    }
    return pairs >= DAY_PARTS_LEAST && rises * 4 >= pairs * 3;
}

static struct change change_of(const struct figures *figures, const struct table *quiets,
                               enum figure_name name, const struct days *days)
{
    const double *elapsed;
    const double *values;
    size_t rows;
    source_of(figures, quiets, name, &elapsed, &values, &rows);
    struct change change = {
        median_between(elapsed, values, rows, days->first, days->first + days->length),
        median_between(elapsed, values, rows, days->last, days->last + days->length), 0, false};
    double rise = change.last - change.first;
    bool counted = figure_rows[name].unit == UNIT_COUNT;
    change.allowed = allowed_of(&figure_rows[name].at_end, change.first);
    change.worse = rise > change.allowed && (counted || hours_rise(elapsed, values, rows, days));
    return change;
}

static void change_tell(struct findings *findings, enum figure_name name,
                        const struct change *change, double since)
{
    const struct figure_row *row = &figure_rows[name];
    finding_add(findings, "worse_at_the_end", row->name, since,
                "The last day is worse than the first: %s was %s in the median of the first day "
                "and is %s in that of the last (%s).",
                row->title, word_of(change->first, row->unit).text,
                word_of(change->last, row->unit).text,
                word_signed(change->last - change->first, row->unit).text);
}

static json_t *change_row(enum figure_name name, const struct change *change, bool judged)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:b}", "figure", figure_rows[name].name,
                     "first_day", json_number_or_null(change->first), "last_day",
                     json_number_or_null(change->last), "difference",
                     json_number_or_null(change->last - change->first), "allowed",
                     json_number_or_null(change->allowed), "worse", change->worse && judged,
                     "judged", judged);
}

json_t *days_judge(struct findings *findings, const struct figures *figures,
                   const struct table *quiets)
{
    json_t *table = json_array();
    struct days all;
    struct days full;
    bool memory_told = false;
    bool any = days_of(figures, figures->first_quiet, &all);
    bool any_full = days_of(figures, fmax(figures->first_quiet, figures->settled), &full);
    for (enum figure_name name = 0; any && name < FIGURE_COUNT; name++) {
        bool waits = waits_for_store(name) && any_full;
        bool judged = !waits_for_store(name) || any_full;
        if (!is_judged(figures, name))
            continue;
        struct change change = change_of(figures, quiets, name, waits ? &full : &all);
        json_array_append_new(table, change_row(name, &change, judged));
        if (!change.worse || !judged || (name < FIGURE_MEMORY_COUNT && memory_told))
            continue;
        change_tell(findings, name, &change, waits ? full.last : all.last);
        memory_told = memory_told || name < FIGURE_MEMORY_COUNT;
    }
    if (!any)
        remark_add(findings, "days_not_compared", "time", NAN,
                   "The first day is not compared with the last: there are no two whole ones since "
                   "the first quiet point, and a day here is %s.",
                   word_elapsed(figures->day).text);
    else if (!any_full)
        remark_add(findings, "days_not_judged", "time", figures->settled,
                   "Latency and CPU time of the first and last day are not judged: the store "
                   "was filling up to %s, and there are no two whole days after that.",
                   word_elapsed(figures->settled).text);
    return table;
}
