/* questions.c: see questions.h. */
#include "questions.h"

#include "query/query_run.h"
#include "store/classic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)

/* ---- a question, as text and as the model knows it ---- */

struct question {
    char metric[64];
    char function[32];
    char from[32];
    char to[32];
    char step[32];
    char labels[64];
    char matches[MODEL_MATCHES][64];
    struct model_question model;
    uint64_t meddled; /* once in so many slices others do something; 0: never */
};

/* An answer: all of it in the arena. */
struct asked {
    struct request *request;
    struct query query;
    struct query_plan *plan;
    struct query_run *run; /* NULL: there is no such metric */
    struct refusal refusal;
};

static void add(const struct sim *sim, struct asked *asked, const char *name, const char *value)
{
    if (asked->refusal.status != STATUS_OK || *value == '\0')
        return;
    asked->refusal = query_add_parameter(&asked->query, bytes_of(name), bytes_of(value),
                                         &asked->request->arena, sim->settings);
}

static void read_question(struct sim *sim, const struct question *question, struct asked *asked)
{
    query_init(&asked->query, sim_now_ms(sim));
    asked->refusal = refusal_plain(STATUS_OK);
    add(sim, asked, "metric", question->metric);
    add(sim, asked, "fn", question->function);
    add(sim, asked, "from", question->from);
    add(sim, asked, "to", question->to);
    add(sim, asked, "step", question->step);
    for (uint32_t i = 0; i < question->model.match_count; i++)
        add(sim, asked, "match", question->matches[i]);
    if (question->model.label_count > 0)
        add(sim, asked, question->model.without ? "without" : "by", question->labels);
    if (asked->refusal.status == STATUS_OK)
        asked->refusal = query_finish(&asked->query);
}

static void between(struct sim *sim, const struct question *question)
{
    if (question->meddled == 0 || !sim_one_in(sim, question->meddled))
        return;
    sim_meddle(sim);
    HAPPEN(sim, MEDDLED);
}

static void make_plan(struct sim *sim, const struct question *question, struct asked *asked)
{
    const struct engine *engine = sim->engine;
    asked->run = NULL;
    asked->plan = query_plan_make(&asked->query, sim->settings, &asked->request->arena);
    if (asked->plan == NULL) {
        asked->refusal = refusal_of(asked->request->arena.refusal, sim->settings);
        return;
    }
    do {
        between(sim, question);
        query_plan_step(asked->plan, &engine->store, &engine->history);
    } while (query_plan_work(asked->plan, &asked->refusal));
}

static void run_plan(struct sim *sim, const struct question *question, struct asked *asked)
{
    struct engine *engine = sim->engine;
    asked->run = query_run_make(asked->plan, &asked->request->arena);
    if (asked->run == NULL) {
        asked->refusal = refusal_of(asked->request->arena.refusal, sim->settings);
        return;
    }
    do {
        between(sim, question);
        query_run_step(asked->run, &engine->store, &engine->history, &engine->cache,
                       sim_now_ms(sim));
    } while (query_run_work(asked->run));
    HAPPEN_TIMES(sim, HITS, asked->run->hits);
    HAPPEN_TIMES(sim, MISSES, asked->run->misses);
    HAPPEN_TIMES(sim, LOST_BOUNDS, asked->run->lost_bounds);
    HAPPEN_TIMES(sim, TEARS, asked->run->tears);
    HAPPEN_TIMES(sim, OPEN_AGAIN, asked->run->open_reads - (asked->run->open_reads > 0));
    HAPPEN_TIMES(sim, OUTDATED, asked->run->is_outdated);
}

#define PLANS_MAX 3

/* No room for requests at the moment, or not for one as large. */
static bool is_out_of_room(const struct asked *asked)
{
    return asked->refusal.status == STATUS_BUSY ||
           asked->refusal.status == STATUS_REQUEST_TOO_LARGE;
}

/* What server/query_route.c does. */
static void ask(struct sim *sim, const struct question *question, struct asked *asked)
{
    asked->plan = NULL;
    asked->run = NULL;
    read_question(sim, question, asked);
    if (is_out_of_room(asked))
        return;
    if (asked->refusal.status != STATUS_OK)
        sim_fail(sim, "%s %s from %s to %s: refused: %s", question->metric, question->function,
                 question->from, question->to, status_code(asked->refusal.status));
    struct arena_mark mark = arena_mark(&asked->request->arena);
    for (int plans = 1; plans <= PLANS_MAX; plans++) {
        if (plans > 1) {
            arena_rewind(&asked->request->arena, mark);
            selector_renew(&asked->query.selector);
        }
        make_plan(sim, question, asked);
        if (asked->refusal.status != STATUS_OK || asked->plan->is_empty)
            return;
        run_plan(sim, question, asked);
        if (asked->run == NULL)
            return;
        bool again = asked->run->is_outdated || (question->meddled > 0 && sim_one_in(sim, 4));
        if (!again)
            return; /* now and then without a need, for it must be possible at any time */
    }
}

/* ---- a point ---- */

/* What a point is made of. */
struct point {
    struct sim *sim;
    const struct question *question;
    const struct asked *asked;
    struct bytes labels;
    uint64_t bucket;
    const struct model_place *places;
    size_t count;
    double got;
};

static _Noreturn void wrong(const struct point *point, double expected)
{
    const struct question *question = point->question;
    const struct query_plan *plan = point->asked->plan;
    sim_fail(point->sim,
             "metric=%s fn=%s from=%s to=%s step=%s %s=%s match=%s match=%s: {%.*s} bucket %llu "
             "(at %lld, step %lld, tier %d, held %lld) is %.17g, of %zu samples that come to %.17g",
             question->metric, question->function, question->from, question->to, question->step,
             question->model.without ? "without" : "by", question->labels, question->matches[0],
             question->matches[1], (int)point->labels.length, point->labels.at,
             (unsigned long long)point->bucket, (long long)bucket_start_ms(plan, point->bucket),
             (long long)plan->step_ms, (int)plan->tier,
             (long long)history_held_from(&point->sim->engine->history, TIER_COARSE), point->got,
             point->count, expected);
}

static void is_exactly(const struct point *point, double expected)
{
    if (point->got != expected)
        wrong(point, expected);
}

static bool has_children(const struct point *point)
{
    return point->asked->plan->kind == KIND_CLASSIC || point->asked->plan->kind == KIND_SUMMARY;
}

/* All that was observed, or sent as a value; malloc'ed. */
static double *values_of(const struct point *point, size_t *count)
{
    const double *observations = point->sim->model.observations;
    size_t most = 0;
    *count = 0;
    for (size_t i = 0; i < point->count; i++)
        most += has_children(point) ? point->places[i].entry->observed.count : 1;
    double *values = malloc(most * sizeof *values);
    REQUIRE(point->sim, values != NULL);
    for (size_t i = 0; i < point->count; i++) {
        const struct entry *entry = point->places[i].entry;
        if (!has_children(point)) {
            values[(*count)++] = entry->value;
            continue;
        }
        for (uint32_t j = 0; j < entry->observed.count; j++)
            values[(*count)++] = observations[entry->observed.first + j];
    }
    return values;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static int compare_members(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* A gauge's sum: the last value of each series. */
static double sum_of_lasts(const struct point *point)
{
    double sum = 0;
    for (size_t i = 0; i < point->count; i++) {
        const struct entry *entry = point->places[i].entry;
        bool is_last = true;
        for (size_t j = i + 1; j < point->count && is_last; j++)
            is_last = point->places[j].entry->sequence != entry->sequence;
        sum += is_last ? entry->last : 0;
    }
    return sum;
}

/* When the value was the last, within its window: a late one, as if it began it. */
static int64_t time_of(const struct point *point, const struct entry *entry)
{
    const struct engine *engine = point->sim->engine;
    int64_t start_ms = store_window_start(&engine->store, entry->window);
    int64_t last_ms = start_ms + (int64_t)engine->store.window_ms - 1;
    if (entry->last_ms < start_ms)
        return start_ms;
    bool is_open = entry->window == engine->history.seal.window;
    return is_open || entry->last_ms < last_ms ? entry->last_ms : last_ms;
}

/* Of several that were the latest at the same time, any is. */
static void check_last(const struct point *point)
{
    int64_t latest_ms = INT64_MIN;
    double last = NAN;
    for (size_t i = 0; i < point->count; i++) {
        int64_t at_ms = time_of(point, point->places[i].entry);
        latest_ms = at_ms > latest_ms ? at_ms : latest_ms;
    }
    for (size_t i = 0; i < point->count; i++) {
        if (time_of(point, point->places[i].entry) != latest_ms)
            continue;
        last = point->places[i].entry->last;
        if (last == point->got)
            return;
    }
    wrong(point, last);
}

/* The length of a bucket, or what has passed of the one that was open when it was read. */
static double seconds_of(const struct point *point)
{
    const struct query_plan *plan = point->asked->plan;
    int64_t passed_ms = sim_now_ms(point->sim) - bucket_start_ms(plan, point->bucket);
    if (!query_bucket_is_open(point->asked->run, point->bucket) || passed_ms >= plan->step_ms)
        return (double)plan->step_ms / 1000;
    return (double)(passed_ms > 0 ? passed_ms : 1) / 1000;
}

/*
 * HyperLogLog with 4,096 registers has a standard error of 1.6 %: five of them are allowed, for
 * thousands of points are compared. Of few members some share a register, so a few are lost.
 */
static void check_unique(const struct point *point)
{
    size_t unique = 0;
    uint64_t *members = malloc(point->count * sizeof *members);
    REQUIRE(point->sim, members != NULL);
    for (size_t i = 0; i < point->count; i++)
        members[i] = point->places[i].entry->member;
    qsort(members, point->count, sizeof *members, compare_members);
    for (size_t i = 0; i < point->count; i++)
        unique += i == 0 || members[i] != members[i - 1];
    free(members);
    double most = unique > 100 ? 0.08 * (double)unique : 4 + 0.04 * (double)unique;
    if (!(fabs(point->got - (double)unique) <= most))
        wrong(point, (double)unique);
}

/* In the bucket that holds it, as far as the reply says its bounds. */
static bool is_in_bucket_of(const struct point *point, double value)
{
    const struct classic *bounds = point->asked->run->bounds;
    uint32_t at = 0;
    while (at < bounds->bound_count && bounds->bounds[at] < value)
        at++;
    double low = at == 0 ? 0 : bounds->bounds[at - 1];
    if (at == bounds->bound_count)
        return bounds->bound_count == 0 || point->got >= low;
    return point->got >= low && point->got <= bounds->bounds[at];
}

static void check_quantile(const struct point *point)
{
    size_t count;
    double *values = values_of(point, &count);
    double rank = ceil(point->asked->query.quantile * (double)count);
    qsort(values, count, sizeof *values, compare_doubles);
    double value = values[rank < 1 ? 0 : (size_t)rank - 1];
    free(values);
    double most = fabs(value) * point->asked->run->relative_error * (1 + 1e-9);
    bool right = point->asked->plan->kind == KIND_CLASSIC ? is_in_bucket_of(point, value)
                                                          : fabs(point->got - value) <= most;
    if (!right)
        wrong(point, value);
}

/* Functions of sums and counts; a child's sum was sent. */
static double value_of_children(const struct point *point)
{
    double sum = 0;
    double count = 0;
    for (size_t i = 0; i < point->count; i++) {
        sum += point->places[i].entry->observed.sum;
        count += point->places[i].entry->observed.count;
    }
    switch (point->asked->query.function) {
    case FUNCTION_SUM:
        return sum;
    case FUNCTION_RATE:
        return count / seconds_of(point);
    case FUNCTION_AVG:
        return sum / count;
    default:
        return count;
    }
}

/* Functions of the values alone. */
static double value_of(const struct point *point)
{
    size_t count;
    double *values = values_of(point, &count);
    double sum = 0;
    double min = INFINITY;
    double max = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        min = fmin(min, values[i]);
        max = fmax(max, values[i]);
    }
    free(values);
    bool is_counter = point->asked->plan->kind == KIND_COUNTER;
    switch (point->asked->query.function) {
    case FUNCTION_SUM:
        return sum;
    case FUNCTION_RATE:
        return (is_counter ? sum : (double)count) / seconds_of(point);
    case FUNCTION_AVG:
        return sum / (double)count;
    case FUNCTION_MIN:
        return min;
    case FUNCTION_MAX:
        return max;
    default:
        return (double)count;
    }
}

/* Pushes had no bound in common: all is in one bucket, of which nothing but its count is known. */
static bool has_no_bounds(const struct point *point)
{
    return point->asked->plan->kind == KIND_CLASSIC &&
           point->asked->query.function == FUNCTION_QUANTILE &&
           point->asked->run->bounds->bound_count == 0;
}

static void check_point(const struct point *point)
{
    enum kind kind = point->asked->plan->kind;
    enum function function = point->asked->query.function;
    HAPPEN_TIMES(point->sim, NULLS, point->count == 0);
    HAPPEN_TIMES(point->sim, POINTS, point->count > 0);
    if (isnan(point->got) && (point->count == 0 || has_no_bounds(point)))
        return;
    if (point->count == 0 || isnan(point->got))
        wrong(point, NAN);
    if (function == FUNCTION_UNIQUE)
        check_unique(point);
    else if (function == FUNCTION_QUANTILE)
        check_quantile(point);
    else if (function == FUNCTION_LAST)
        check_last(point);
    else if (kind == KIND_GAUGE && function == FUNCTION_SUM)
        is_exactly(point, sum_of_lasts(point));
    else if (kind == KIND_SET)
        is_exactly(point, (double)point->count);
    else
        is_exactly(point, has_children(point) ? value_of_children(point) : value_of(point));
}

/* ---- an answer ---- */

/* Buckets cover the range, in whole steps of a resolution that has all that is held of it. */
static void check_range(struct sim *sim, const struct asked *asked)
{
    const struct query_plan *plan = asked->plan;
    const struct query *query = &asked->query;
    REQUIRE(sim, plan->step_ms % plan->resolution_ms == 0);
    REQUIRE(sim, plan->step_ms >= query->step_ms);
    REQUIRE(sim, query->step_ms == 0 || plan->step_ms < query->step_ms + plan->resolution_ms);
    REQUIRE(sim, plan->start_ms % plan->step_ms == 0 && plan->end_ms % plan->step_ms == 0);
    REQUIRE(sim,
            plan->start_ms <= query->from_ms && query->from_ms < plan->start_ms + plan->step_ms);
    REQUIRE(sim, plan->end_ms > query->to_ms && plan->end_ms - plan->step_ms <= query->to_ms);
}

/* Groups are the model's; one without a point is not there, but where older buckets have some. */
static void check_groups(struct sim *sim, const struct asked *asked,
                         const struct model_answer *answer, uint64_t held_bucket)
{
    const struct group_map *map = &asked->plan->map;
    uint64_t with_points = 0;
    uint64_t expected = 0;
    REQUIRE(sim, map->group_count == answer->group_count);
    for (uint32_t i = 0; i < map->group_count; i++) {
        uint32_t group = model_group(answer, map->groups[i].labels);
        const struct model_place *first;
        REQUIRE(sim, group < answer->group_count);
        for (uint64_t bucket = held_bucket; bucket < asked->plan->bucket_count; bucket++) {
            if (model_bucket(answer, group, bucket, &first) == 0)
                continue;
            REQUIRE(sim, asked->run->has_data[i]);
            expected++;
            break;
        }
        with_points += asked->run->has_data[i];
    }
    if (held_bucket == 0)
        REQUIRE(sim, with_points == expected);
}

static void check_points(struct sim *sim, const struct question *question,
                         const struct asked *asked, const struct model_answer *answer,
                         uint64_t held_bucket)
{
    const struct query_plan *plan = asked->plan;
    for (uint32_t i = 0; i < plan->map.group_count; i++) {
        uint32_t group = model_group(answer, plan->map.groups[i].labels);
        for (uint64_t bucket = held_bucket; bucket < plan->bucket_count; bucket++) {
            struct point point = {
                .sim = sim,
                .question = question,
                .asked = asked,
                .labels = plan->map.groups[i].labels,
                .bucket = bucket,
                .got = query_point(asked->run, i, bucket),
            };
            point.count = model_bucket(answer, group, bucket, &point.places);
            check_point(&point);
        }
    }
}

/* The first bucket of which everything is held. */
static uint64_t held_bucket(const struct sim *sim, const struct query_plan *plan)
{
    int64_t held_ms = history_held_from(&sim->engine->history, TIER_COARSE);
    if (held_ms <= plan->start_ms)
        return 0;
    uint64_t bucket = (uint64_t)((held_ms - plan->start_ms + plan->step_ms - 1) / plan->step_ms);
    return bucket < plan->bucket_count ? bucket : plan->bucket_count;
}

static void check_answer(struct sim *sim, struct question *question, const struct asked *asked)
{
    struct model_answer answer;
    const struct query_plan *plan = asked->plan;
    question->model.start_ms = plan->start_ms;
    question->model.end_ms = plan->end_ms;
    question->model.step_ms = plan->step_ms;
    const struct family *family = store_family(&sim->engine->store, plan->map.family);
    model_ask(&sim->model, &sim->engine->store, family, &question->model, &answer);
    uint64_t held = held_bucket(sim, plan);
    if (answer.is_odd) {
        HAPPEN(sim, QUESTIONS_ODD);
    } else {
        HAPPEN(sim, QUESTIONS);
        check_groups(sim, asked, &answer, held);
        check_points(sim, question, asked, &answer, held);
    }
    model_answer_end(&answer);
}

/* Too much was asked: was it? */
static void check_refusal(struct sim *sim, const struct asked *asked)
{
    const struct refusal *refusal = &asked->refusal;
    bool is_expected = refusal->status == STATUS_TOO_MANY_POINTS ||
                       refusal->status == STATUS_TOO_MANY_GROUPS ||
                       refusal->status == STATUS_TOO_MANY_CELLS;
    bool is_costly = refusal->status == STATUS_REGEX_TOO_COSTLY;
    HAPPEN(sim, QUESTIONS_REFUSED);
    if (is_out_of_room(asked) || is_costly)
        return;
    if (!is_expected || refusal->needed <= refusal->limit)
        sim_fail(sim, "%.*s: refused: %s", (int)asked->query.metric.length, asked->query.metric.at,
                 status_code(refusal->status));
}

static void check(struct sim *sim, struct question *question, const struct asked *asked)
{
    const struct engine *engine = sim->engine;
    if (asked->refusal.status != STATUS_OK) {
        check_refusal(sim, asked);
        return;
    }
    check_range(sim, asked);
    REQUIRE(sim, asked->plan->is_empty ==
                     (store_find_family(&engine->store, asked->query.metric) == SLOT_NONE));
    if (asked->plan->is_empty)
        return;
    HAPPEN_TIMES(sim, OVER_TIERS, asked->plan->tier > TIER_FINE);
    HAPPEN_TIMES(sim, APPROXIMATE, asked->run->is_approximate);
    if (asked->run->is_approximate && question->meddled > 0)
        return;
    REQUIRE(sim, !asked->run->is_approximate);
    check_answer(sim, question, asked);
}

/* ---- random questions ---- */

static const char *const functions_of[KIND_COUNT][8] = {
    [KIND_COUNTER] = {"sum", "rate", "count", "avg", "min", "max"},
    [KIND_GAUGE] = {"sum", "count", "avg", "min", "max", "last", "sum"},
    [KIND_HISTOGRAM] = {"count", "sum", "p50", "p99.9", "quantile(0.95)", "min", "max", "rate"},
    [KIND_SET] = {"unique", "count"},
    [KIND_CLASSIC] = {"count", "sum", "avg", "rate", "p90", "p50", "quantile(0.99)"},
    [KIND_SUMMARY] = {"sum", "count", "avg", "rate"},
};

static void choose_function(struct sim *sim, enum kind kind, char *out, size_t bytes)
{
    const char *function = functions_of[kind][sim_below(sim, 8)];
    snprintf(out, bytes, "%s", function == NULL ? "" : function); /* "": the kind's own */
}

static void choose_labels(struct sim *sim, struct question *question)
{
    static const char *const names[] = {"code", "route", "zone", "host", "otel_metric_overflow"};
    struct model_question *model = &question->model;
    uint32_t first = (uint32_t)sim_below(sim, COUNT_OF(names));
    model->label_count = (uint32_t)sim_below(sim, MODEL_LABELS + 1);
    model->without = model->label_count > 0 && sim_one_in(sim, 4);
    for (uint32_t i = 0; i < model->label_count; i++) {
        model->labels[i] = names[(first + i) % COUNT_OF(names)];
        strcat(strcat(question->labels, i == 0 ? "" : ","), model->labels[i]);
    }
}

static void choose_matches(struct sim *sim, struct question *question)
{
    static const struct {
        const char *text;
        struct model_match match;
    } matches[] = {
        {"code=200", {"code", MATCH_EQUAL, "200"}},
        {"code!=500", {"code", MATCH_NOT_EQUAL, "500"}},
        {"zone=~eu-.*", {"zone", MATCH_REGEX, "eu-.*"}},
        {"zone=", {"zone", MATCH_EQUAL, ""}},
        {"host=", {"host", MATCH_EQUAL, ""}},
        {"host!=", {"host", MATCH_NOT_EQUAL, ""}},
        {"route=~/r1|/r2", {"route", MATCH_REGEX, "/r1|/r2"}},
        {"route=~/r1.*|/r3", {"route", MATCH_REGEX, "/r1.*|/r3"}},
        {"otel_metric_overflow!=true", {"otel_metric_overflow", MATCH_NOT_EQUAL, "true"}},
        /* the same as h.*, but for the memory it takes: long names nest deep */
        {"host=~h(?:[^!]|x)*", {"host", MATCH_REGEX, "h.*"}},
    };
    struct model_question *model = &question->model;
    model->match_count = sim_one_in(sim, 2) ? (uint32_t)sim_below(sim, MODEL_MATCHES + 1) : 0;
    for (uint32_t i = 0; i < model->match_count; i++) {
        uint64_t chosen = sim_below(sim, COUNT_OF(matches));
        model->matches[i] = matches[chosen].match;
        snprintf(question->matches[i], sizeof question->matches[i], "%s", matches[chosen].text);
    }
}

static void write_time(int64_t ms, char *out, size_t bytes)
{
    snprintf(out, bytes, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
}

/* Mostly up to now, and within what is held; some reach before it. */
static void choose_range(struct sim *sim, struct question *question)
{
    static const int64_t lengths_ms[] = {MINUTE_MS,   10 * MINUTE_MS, 25 * MINUTE_MS, HOUR_MS,
                                         2 * HOUR_MS, 4 * HOUR_MS,    8 * HOUR_MS,    24 * HOUR_MS};
    static const char *const steps[] = {"", "", "10s", "45s", "60", "5m", "10m", "1h", "1h30m"};
    uint64_t length_ms = (uint64_t)lengths_ms[sim_below(sim, COUNT_OF(lengths_ms))];
    int64_t to_ms = sim_now_ms(sim);
    if (sim_one_in(sim, 4))
        to_ms -= (int64_t)sim_below(sim, length_ms);
    if (to_ms != sim_now_ms(sim))
        write_time(to_ms, question->to, sizeof question->to);
    write_time(to_ms - (int64_t)(length_ms / 2 + sim_below(sim, length_ms / 2)), question->from,
               sizeof question->from);
    snprintf(question->step, sizeof question->step, "%s", steps[sim_below(sim, COUNT_OF(steps))]);
    if (length_ms > (uint64_t)(2 * HOUR_MS) && question->step[0] == '1')
        question->step[0] = '\0'; /* 10s: a point for each of so many windows is too many */
}

/* Just where a tier begins: what is older may be folded while the question is answered. */
static void choose_edge(struct sim *sim, struct question *question)
{
    enum tier tier = (enum tier)sim_below(sim, TIER_COUNT);
    int64_t from_ms = history_held_from(&sim->engine->history, tier);
    if (sim_one_in(sim, 2))
        from_ms += (int64_t)sim_below(sim, 2 * MINUTE_MS);
    if (from_ms > sim_now_ms(sim))
        return;
    write_time(from_ms, question->from, sizeof question->from);
    question->to[0] = question->step[0] = '\0';
    if (tier == TIER_FINE || from_ms + HOUR_MS > sim_now_ms(sim))
        return;
    write_time(from_ms + HOUR_MS, question->to, sizeof question->to);
}

static const struct family *choose_family(struct sim *sim)
{
    const struct store *store = &sim->engine->store;
    for (;;) {
        uint32_t slot = (uint32_t)sim_below(sim, store->families.slot_count);
        if (store_family(store, slot) != NULL)
            return store_family(store, slot);
    }
}

void questions_ask_random(struct sim *sim, bool meddled)
{
    static const uint8_t often[] = {1, 2, 8, 32};
    struct question question = {.meddled = meddled ? often[sim_below(sim, COUNT_OF(often))] : 0};
    struct asked asked;
    const struct family *family = choose_family(sim);
    asked.request = clients_lend(sim);
    if (asked.request == NULL)
        return;
    sim_enter(sim);
    sim->queries++;
    HAPPEN_TIMES(sim, HALF_SEALED, history_is_sealing(&sim->engine->history));
    label_copy(&sim->engine->store.labels, family->name, question.metric);
    if (sim_one_in(sim, 100))
        strcpy(question.metric, "unheard_of");
    else
        choose_function(sim, (enum kind)family->kind, question.function, sizeof question.function);
    choose_labels(sim, &question);
    choose_matches(sim, &question);
    choose_range(sim, &question);
    if (sim_one_in(sim, meddled ? 2 : 4))
        choose_edge(sim, &question);
    ask(sim, &question, &asked);
    check(sim, &question, &asked);
    clients_return(sim, asked.request);
    sim_leave(sim);
}

/* ---- dashboards ---- */

/* Each with the kind that its metric mostly has: for a while its name may stand for something else.
 */
static const struct {
    enum kind kind;
    struct question question;
} dashboards[] = {
    {KIND_COUNTER,
     {.metric = "hits",
      .function = "rate",
      .labels = "route",
      .from = "now-15m",
      .step = "10s",
      .model = {.label_count = 1, .labels = {"route"}}}},
    {KIND_HISTOGRAM, {.metric = "http_seconds", .function = "p95", .from = "-30m", .step = "1m"}},
    {KIND_CLASSIC,
     {.metric = "rpc_seconds",
      .function = "p90",
      .labels = "code",
      .from = "-1h",
      .step = "10m",
      .model = {.label_count = 1, .labels = {"code"}}}},
};

#define RECORDS_MAX 2048

/* The records that the last answer was made of, and what it depended on beside them. */
struct remembered {
    uint64_t family;
    uint64_t ended_sequences;
    uint64_t evicted;
    uint64_t rejected;
    uint64_t life;
    uint64_t others; /* other questions so far: what one has cached may be of use to this one */
    uint64_t serials[RECORDS_MAX];
    uint32_t count;
};

static bool is_remembered(const struct remembered *before, uint64_t serial)
{
    for (uint32_t i = 0; i < before->count; i++) {
        if (before->serials[i] == serial)
            return true;
    }
    return false;
}

/* All records with something of the family that begin in the range. */
static void remember(struct sim *sim, const struct query_plan *plan, struct remembered *now)
{
    const struct history *history = &sim->engine->history;
    struct lru_figures figures = lru_figures(&sim->engine->cache);
    *now = (struct remembered){
        .family = plan->map.family_id,
        .ended_sequences = plan->map.ended_sequences,
        .evicted = figures.evicted_size,
        .rejected = figures.rejected_too_large,
        .life = sim->life,
        .others = sim->queries,
    };
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        for (uint32_t i = 0; i < history->tiers[tier].count; i++) {
            const struct record *record = history_record(history, tier, i);
            if (record->start_ms < plan->start_ms || record->start_ms >= plan->end_ms ||
                history_section_cells(history, tier, record, now->family) == 0)
                continue;
            REQUIRE(sim, now->count < RECORDS_MAX);
            now->serials[now->count++] = record->serial;
        }
    }
}

/* With nothing thrown out, and the same series, only records that are new are read again. */
static void check_misses(struct sim *sim, const struct asked *asked, struct remembered *before)
{
    static struct remembered now;
    remember(sim, asked->plan, &now);
    bool is_known = now.family == before->family && now.evicted == before->evicted &&
                    now.ended_sequences == before->ended_sequences &&
                    now.rejected == before->rejected && now.others == before->others &&
                    now.life == before->life;
    uint64_t expected = 0;
    for (uint32_t i = 0; i < now.count; i++)
        expected += !is_remembered(before, now.serials[i]);
    REQUIRE(sim, asked->run->hits + asked->run->misses == now.count);
    if (is_known) {
        REQUIRE(sim, asked->run->misses == expected);
        HAPPEN(sim, REPEATED);
    }
    *before = now;
}

void questions_ask_dashboard(struct sim *sim, unsigned which)
{
    static struct remembered before[COUNT_OF(dashboards)];
    struct asked asked;
    const struct store *store = &sim->engine->store;
    which %= COUNT_OF(dashboards);
    struct question question = dashboards[which].question;
    uint32_t family = store_find_family(store, bytes_of(question.metric));
    if (family == SLOT_NONE || store_family(store, family)->kind != dashboards[which].kind)
        return;
    bool is_sealing = history_is_sealing(&sim->engine->history);
    asked.request = clients_lend(sim);
    if (asked.request == NULL)
        return;
    sim_enter(sim);
    HAPPEN(sim, DASHBOARDS);
    ask(sim, &question, &asked);
    check(sim, &question, &asked);
    if (!is_sealing && asked.run != NULL)
        check_misses(sim, &asked, &before[which]);
    clients_return(sim, asked.request);
    sim_leave(sim);
}
