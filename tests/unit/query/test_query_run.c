/*
 * test_query_run.c: queries beside the dumbest thing that could be right: a list of all that was
 * pushed, read from its beginning for every question.
 *
 * Time goes on, windows are sealed and folded, series expire, and between any two slices of a query
 * the history may do a step. What was folded is where it was, where the steps of a query are as
 * long as the widest window.
 */
#include "query/query_run.h"

#include "base/hash.h"
#include "base/random.h"
#include "query/query_value.h"
#include "support.h"

#include <math.h>

Suite *query_run_suite(void);

#define EVENTS_MAX 60000
#define SERIES 30
#define ARENA_BYTES ((size_t)2 << 20)
#define START_MS INT64_C(1763841600000)

struct event {
    enum kind kind;
    uint32_t series;
    uint64_t sequence;
    int64_t window_ms;
    int64_t now_ms;
    double value;
};

static struct test_world world;
static struct store store;
static struct history history;
static struct lru cache;
static struct random dice;
static int64_t now_ms;
static struct event events[EVENTS_MAX];
static uint32_t event_count;
static _Alignas(ARENA_ALIGN) char memory[ARENA_BYTES];
static struct arena arena;

static void settings_small(struct settings *settings)
{
    settings_init(settings);
    settings->limits_request_bytes = ARENA_BYTES;
    settings->limits_families = 32;
    settings->limits_query_groups = 64;
    settings->limits_query_points = 10000;
    settings->series_max = 400;
    settings->series_label_bytes = 256 << 10;
    settings->histograms_max = 64;
    settings->buckets_max = 64;
    settings->sets_max = 64;
    settings->series_expire_after = 90000;
    settings->series_idle_min = 60000;
    settings->windows_fine_bytes = 256 << 10;
    settings->windows_middle_bytes = 256 << 10;
    settings->windows_coarse_bytes = 1 << 20;
    settings->cache_bytes = 256 << 10;
}

static void begin(void)
{
    struct settings settings;
    settings_small(&settings);
    test_world_init(&world, (size_t)16 << 20);
    world.settings = settings;
    now_ms = START_MS;
    event_count = 0;
    dice.state = TEST_SEED;
    store_init(&store, &world.settings, TEST_SEED, now_ms, &world.ledger, &world.region);
    lru_init(&cache, world.settings.cache_bytes, &world.ledger, &world.region);
    history_init(&history, &world.settings, &store, &cache, &world.ledger, &world.region);
    arena_init(&arena, memory, sizeof memory, sizeof memory, NULL);
}

static void end(void)
{
    history_verify(&history);
    lru_verify(&cache);
    UNPOISON(memory, sizeof memory);
    test_world_end(&world);
}

/* ---- pushing ---- */

static const char *const names[KIND_COUNT] = {"counter", "gauge",   "histogram",
                                              "set",     "classic", "summary"};

static const double bounds[] = {1, 2, 5, 10, 20};

static size_t labels_of(uint32_t series, char *text)
{
    return (size_t)sprintf(text, "code=\"%u\",i=\"%u\",route=\"/%u\"", 200 + series % 2, series,
                           series % 3);
}

/* The sequence number of the series that took it. */
static uint64_t sequence_of(enum kind kind, struct bytes labels)
{
    const struct family *family =
        store_family(&store, store_find_family(&store, bytes_of(names[kind])));
    for (uint32_t at = family->first; at != SLOT_NONE; at = store_series(&store, at)->next) {
        const struct series *series = store_series(&store, at);
        if (!series->is_overflow && label_equal(&store.labels, series->labels, labels))
            return series->sequence;
    }
    return 0; /* the overflow series */
}

static void push(enum kind kind, uint32_t series)
{
    char labels[64];
    double counts[COUNT_OF(bounds)];
    struct bytes name = bytes_of(names[kind]);
    struct bytes text = {labels, labels_of(series, labels)};
    double value = (double)random_below(&dice, 30) + 1;
    struct child child = {.sum = value, .count = 1, .has_sum = true, .has_count = true};
    if (kind == KIND_CLASSIC) {
        child.has_buckets = true;
        child.bound_count = COUNT_OF(bounds);
        child.bounds = bounds;
        child.counts = counts;
        for (size_t i = 0; i < COUNT_OF(bounds); i++)
            counts[i] = value <= bounds[i];
    }
    struct sample sample = {
        .fingerprint = hash_series(name, text, TEST_SEED),
        .name = name.at,
        .labels = labels,
        .name_length = (uint16_t)name.length,
        .labels_length = (uint16_t)text.length,
        .kind = (uint8_t)kind,
        .lines = 1,
        .timestamp_ms = TIMESTAMP_NONE,
        .value = value,
    };
    if (kind == KIND_SET)
        sample.member = hash_bytes((struct bytes){(char *)&value, sizeof value}, 7);
    if (kind == KIND_CLASSIC || kind == KIND_SUMMARY)
        sample.child = &child;
    struct store_outcome outcome = {0};
    now_ms++; /* of two gauges at the same time none is the last */
    ck_assert_int_eq(store_apply(&store, &sample, now_ms, &outcome), STATUS_OK);
    CHECK_THAT(event_count < EVENTS_MAX);
    events[event_count++] = (struct event){
        .kind = kind,
        .series = series,
        .sequence = sequence_of(kind, text),
        .window_ms = store_window_start(&store, history.seal.window),
        .now_ms = now_ms,
        .value = value,
    };
}

/* ---- asking ---- */

static struct query *query_of(const char *text)
{
    struct bytes left = bytes_of(text);
    struct query *query = arena_push(&arena, sizeof *query);
    query_init(query, now_ms);
    while (left.length > 0) {
        const char *end = memchr(left.at, '&', left.length);
        size_t length = end == NULL ? left.length : (size_t)(end - left.at);
        const char *equals = memchr(left.at, '=', length);
        struct bytes name = {left.at, (size_t)(equals - left.at)};
        struct bytes value = {equals + 1, length - name.length - 1};
        struct refusal refusal = query_add_parameter(query, name, value, &arena, &world.settings);
        ck_assert_msg(refusal.status == STATUS_OK, "%s: %s", text, refusal.detail);
        left = (struct bytes){left.at + length, left.length - length};
        if (left.length > 0)
            left = (struct bytes){left.at + 1, left.length - 1};
    }
    ck_assert_int_eq(query_finish(query).status, STATUS_OK);
    return query;
}

static bool disturbs;

static void disturb(void)
{
    if (disturbs && random_below(&dice, 2) == 0)
        history_step(&history, &store, now_ms);
}

static enum status plan_status(struct query *query, struct query_plan **plan)
{
    struct refusal refusal;
    *plan = query_plan_make(query, &world.settings, &arena);
    ck_assert_ptr_nonnull(*plan);
    do {
        query_plan_step(*plan, &store, &history);
        disturb();
    } while (query_plan_work(*plan, &refusal));
    return refusal.status;
}

static struct query_run *run_of(const struct query_plan *plan)
{
    struct query_run *run = query_run_make(plan, &arena);
    ck_assert_ptr_nonnull(run);
    do {
        query_run_step(run, &store, &history, &cache, now_ms);
        disturb();
    } while (query_run_work(run));
    return run;
}

/* ---- the list ---- */

static bool is_live(enum kind kind, uint64_t sequence)
{
    const struct family *family =
        store_family(&store, store_find_family(&store, bytes_of(names[kind])));
    for (uint32_t at = family->first; at != SLOT_NONE; at = store_series(&store, at)->next) {
        if (store_series(&store, at)->sequence == sequence)
            return true;
    }
    return false;
}

struct shape {
    const char *parameters;
    bool by_route;
    bool only_200;
    bool not_200;
};

static const struct shape shapes[] = {
    {"", false, false, false},
    {"&by=route", true, false, false},
    {"&without=i,code", true, false, false},
    {"&match=code=200", false, true, false},
    {"&match=code=200&by=route", true, true, false},
    {"&match=code!=200&by=route", true, false, true},
};

/* Is the event in the group of these labels? What has ended has no labels left. */
static bool is_asked(const struct shape *shape, const struct event *event, struct bytes labels)
{
    char route[32] = "";
    bool live = event->sequence != 0 && is_live(event->kind, event->sequence);
    bool is_200 = live && event->series % 2 == 0;
    if ((shape->only_200 && !is_200) || (shape->not_200 && is_200))
        return false;
    if (shape->by_route && live)
        sprintf(route, "route=\"/%u\"", event->series % 3);
    else if (strstr(shape->parameters, "without") != NULL)
        strcpy(route, OVERFLOW_LABELS);
    return bytes_equal(bytes_of(route), labels);
}

/*
 * The latest of all; what came behind its window's end, before sealing, counts as if at its end,
 * and of several at one time that of the youngest series does.
 */
static void keep_last(struct tally *tally, uint64_t *sequence, const struct event *event)
{
    int64_t end_ms = event->window_ms + 10000 - 1;
    int64_t time_ms = event->now_ms < end_ms ? event->now_ms : end_ms;
    if (tally->count > 0 && (time_ms < tally->last_ms ||
                             (time_ms == tally->last_ms && event->sequence < *sequence)))
        return;
    tally->last = event->value;
    tally->last_ms = time_ms;
    *sequence = event->sequence;
}

static void observe(struct tally *tally, const struct event *event)
{
    double value = event->value;
    tally->count++;
    tally->sum += value;
    tally->min = value < tally->min ? value : tally->min;
    tally->max = value > tally->max ? value : tally->max;
    if (event->kind == KIND_HISTOGRAM)
        exp_histogram_observe(tally->histogram, value);
    if (event->kind == KIND_SET)
        hyperloglog_add(tally->set, hash_bytes((struct bytes){(char *)&value, sizeof value}, 7));
    for (size_t i = 0; event->kind == KIND_CLASSIC && i < COUNT_OF(bounds); i++) {
        tally->classic->bounds[i] = bounds[i];
        tally->classic->open[i] += value <= bounds[i];
        tally->classic->bound_count = COUNT_OF(bounds);
    }
}

static double seconds_of(const struct query_run *run, uint64_t bucket)
{
    int64_t length = run->plan->step_ms;
    int64_t passed = now_ms - bucket_start_ms(run->plan, bucket);
    if (query_bucket_is_open(run, bucket) && passed < length)
        length = passed > 0 ? passed : 1;
    return (double)length / 1000;
}

/* The sum of a gauge: each series' last one in the bucket. */
static double sum_of_lasts(const struct event *const *asked, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_last = true;
        for (uint32_t later = i + 1; later < count; later++)
            is_last = is_last && asked[later]->sequence != asked[i]->sequence;
        sum += is_last ? asked[i]->value : 0;
    }
    return sum;
}

/* Time only rises: the first event of that window or a later one. */
static uint32_t first_event(int64_t window_ms)
{
    uint32_t low = 0;
    uint32_t high = event_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (events[middle].window_ms < window_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static double expected(const struct query_run *run, const struct shape *shape, uint32_t group,
                       uint64_t bucket)
{
    static union {
        struct exp_histogram histogram;
        struct hyperloglog set;
        struct classic classic;
    } sketch;
    static const struct event *asked[EVENTS_MAX];
    uint32_t count = 0;
    uint64_t sequence = 0;
    enum kind kind = run->plan->kind;
    int64_t from = bucket_start_ms(run->plan, bucket);
    struct tally tally = {.sketch = &sketch};
    tally_reset(&tally, kind);
    for (uint32_t i = first_event(from); i < event_count; i++) {
        const struct event *event = &events[i];
        if (event->window_ms >= from + run->plan->step_ms)
            break;
        if (event->kind != kind || !is_asked(shape, event, run->plan->map.groups[group].labels))
            continue;
        asked[count++] = event;
        keep_last(&tally, &sequence, event);
        observe(&tally, event);
    }
    if (count == 0)
        return NAN;
    if (kind == KIND_CLASSIC || kind == KIND_SUMMARY)
        tally.last = (double)count;
    if (kind == KIND_GAUGE && run->query->function == FUNCTION_SUM)
        return sum_of_lasts(asked, count);
    return query_value(run->query, kind, &tally, seconds_of(run, bucket));
}

static void compare(const struct query_run *run, const struct shape *shape, const char *text)
{
    for (uint32_t group = 0; group < run->plan->map.group_count; group++) {
        for (uint64_t bucket = 0; bucket < run->plan->bucket_count; bucket++) {
            if (bucket_start_ms(run->plan, bucket) < run->plan->held_from_ms)
                continue;
            double is = query_point(run, group, bucket);
            double should = expected(run, shape, group, bucket);
            bool same = (isnan(is) && isnan(should)) || fabs(is - should) <= fabs(should) * 1e-12;
            ck_assert_msg(same, "%s: group %u {%.*s} bucket %lu of %lu: %g instead of %g", text,
                          group, (int)run->plan->map.groups[group].labels.length,
                          run->plan->map.groups[group].labels.at, (unsigned long)bucket,
                          (unsigned long)run->plan->bucket_count, is, should);
        }
    }
}

static const char *const functions[KIND_COUNT][6] = {
    {"sum", "rate", "avg", "min", "max", "count"},
    {"sum", "last", "avg", "min", "max", "count"},
    {"sum", "rate", "p50", "min", "quantile(0.99)", "count"},
    {"unique", "count", "unique", "unique", "unique", "unique"},
    {"sum", "rate", "p50", "p0", "p100", "count"},
    {"sum", "rate", "avg", "count", "sum", "sum"},
};

static uint64_t hits;
static uint64_t misses;
static uint64_t tears;

static void ask(int minutes, const char *step)
{
    char text[256];
    struct query_plan *plan;
    enum kind kind = (enum kind)random_below(&dice, KIND_COUNT);
    const struct shape *shape = &shapes[random_below(&dice, COUNT_OF(shapes))];
    sprintf(text, "metric=%s%s&fn=%s&from=-%dm%s", names[kind], shape->parameters,
            functions[kind][random_below(&dice, 6)], minutes, step);
    int again = 1 + (int)random_below(&dice, 2);
    for (int i = 0; i < again; i++) {
        struct arena_mark mark = arena_mark(&arena);
        ck_assert_int_eq(plan_status(query_of(text), &plan), STATUS_OK);
        struct query_run *run = run_of(plan);
        while (run->is_outdated) {
            arena_rewind(&arena, mark);
            ck_assert_int_eq(plan_status(query_of(text), &plan), STATUS_OK);
            run = run_of(plan);
        }
        compare(run, shape, text);
        hits += run->hits;
        misses += run->misses;
        tears += run->tears;
        arena_rewind(&arena, mark);
    }
}

/* ---- time goes on ---- */

static void tick(void)
{
    while (history_step(&history, &store, now_ms))
        continue;
    store_expire(&store, now_ms, 4);
}

static uint32_t pushes_most;

/* Some series fall silent for a while, so that they end. */
static void push_some(void)
{
    int64_t minute = (now_ms - START_MS) / 60000;
    uint32_t count = (uint32_t)random_below(&dice, pushes_most);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t series = (uint32_t)random_below(&dice, SERIES);
        enum kind kind = (enum kind)random_below(&dice, KIND_COUNT);
        if (series < 4 || (series + minute / 5) % 3 != 0)
            push(kind, series);
    }
}

static void live(int rounds, int minutes, const char *step)
{
    for (enum kind kind = 0; kind < KIND_COUNT; kind++)
        push(kind, 0);
    for (int round = 0; round < rounds; round++) {
        push_some();
        now_ms += (int64_t)random_below(&dice, 12000);
        uint64_t steps = random_below(&dice, 8); /* a window is often left half sealed */
        while (steps-- > 0)
            history_step(&history, &store, now_ms);
        if (!history_is_sealing(&history))
            push_some();
        if (history_is_sealing(&history) || round % 5 == 0)
            ask(minutes, step);
        tick();
    }
}

/* ---- suites ---- */

/* The finest tier that has all of it; what no tier has is no reason for a coarser one. */
static void check_tiers(void)
{
    char text[80];
    struct query_plan *plan;
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        int64_t from = history_held_from(&history, tier);
        sprintf(text, "metric=counter&from=%ld&to=%ld", (long)from / 1000, (long)from / 1000 + 60);
        ck_assert_int_eq(plan_status(query_of(text), &plan), STATUS_OK);
        ck_assert_int_eq(plan->tier, tier);
        ck_assert_int_eq(plan->step_ms, history.tiers[tier].width_ms);
    }
    ck_assert_int_eq(plan_status(query_of("metric=counter&from=-30d"), &plan), STATUS_OK);
    ck_assert_int_eq(plan->tier, TIER_COARSE);
    CHECK_THAT(plan->begins_before_held);
}

START_TEST(is_what_the_list_says)
{
    begin();
    disturbs = false;
    pushes_most = 8;
    live(600, 12, "&step=30s");
    CHECK_THAT(hits > 100 && misses > 100 && store.expired_series > 20);
    end();
}
END_TEST

START_TEST(is_so_while_windows_are_sealed)
{
    begin();
    pushes_most = 150; /* so many that sealing takes several steps */
    disturbs = false;
    live(150, 5, "");
    disturbs = true;
    live(150, 5, "");
    end();
}
END_TEST

/* Rings so small that what is asked for is in all tiers. */
static void begin_small(void)
{
    struct settings settings;
    begin();
    test_world_end(&world);
    settings_small(&settings);
    settings.windows_fine_bytes = 48 << 10;
    settings.windows_middle_bytes = 48 << 10;
    settings.windows_coarse_bytes = 64 << 10;
    test_world_init(&world, (size_t)16 << 20);
    world.settings = settings;
    store_init(&store, &world.settings, TEST_SEED, now_ms, &world.ledger, &world.region);
    lru_init(&cache, world.settings.cache_bytes, &world.ledger, &world.region);
    history_init(&history, &world.settings, &store, &cache, &world.ledger, &world.region);
}

/* Steps of the widest window. */
START_TEST(is_so_over_all_tiers)
{
    begin_small();
    disturbs = true;
    pushes_most = 12;
    live(3000, 300, "&step=10m");
    CHECK_THAT(history.tiers[TIER_MIDDLE].sealed > 0 && history.tiers[TIER_COARSE].sealed > 0);
    CHECK_THAT(tears > 0);
    check_tiers();
    end();
}
END_TEST

/* A fold tears the bucket that has the open window: both are read again. */
START_TEST(is_so_where_the_open_bucket_is_torn)
{
    struct query_plan *plan;
    uint32_t torn = 0;
    begin_small();
    disturbs = false;
    for (int round = 0; round < 200; round++) {
        push(KIND_COUNTER, 1);
        now_ms += 10000;
        do
            history_step(&history, &store, now_ms);
        while (history_is_sealing(&history));
        push(KIND_COUNTER, 2);
        struct arena_mark mark = arena_mark(&arena);
        ck_assert_int_eq(plan_status(query_of("metric=counter&from=-20m&step=10m"), &plan),
                         STATUS_OK);
        struct query_run *run = query_run_make(plan, &arena);
        for (int step = 0; step < 4 && query_run_work(run); step++)
            query_run_step(run, &store, &history, &cache, now_ms);
        tick();
        while (query_run_work(run))
            query_run_step(run, &store, &history, &cache, now_ms);
        if (!run->is_outdated) { /* else the route would plan anew */
            compare(run, &shapes[0], "metric=counter");
            torn += run->tears;
        }
        arena_rewind(&arena, mark);
    }
    CHECK_THAT(torn > 0);
    end();
}
END_TEST

START_TEST(sealed_windows_are_read_once)
{
    struct query_plan *plan;
    begin();
    disturbs = false;
    for (int i = 0; i < 60; i++) {
        push(KIND_COUNTER, 1);
        now_ms += 10000;
        tick();
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(plan_status(query_of("metric=counter&from=-20m"), &plan), STATUS_OK);
        struct query_run *run = run_of(plan);
        ck_assert_uint_eq(run->hits, i == 0 ? 0 : i == 1 ? 60 : 60);
        ck_assert_uint_eq(run->misses, i == 0 ? 60 : i == 1 ? 0 : 1);
        if (i == 1) {
            push(KIND_COUNTER, 2); /* a new series does not spoil what is kept */
            now_ms += 10000;
            tick();
        }
    }
    end();
}
END_TEST

/* A plan does not know of it, and must not leave a part without it in the cache. */
START_TEST(a_series_born_after_the_plan_is_in_the_next)
{
    struct query_plan *plan;
    begin();
    disturbs = false;
    push(KIND_COUNTER, 1);
    ck_assert_int_eq(plan_status(query_of("metric=counter&from=-1m"), &plan), STATUS_OK);
    push(KIND_COUNTER, 2);
    now_ms += 10000;
    tick();
    struct query_run *run = run_of(plan);
    ck_assert_uint_eq(run->hits + run->misses, 0);
    ck_assert_int_eq(plan_status(query_of("metric=counter&from=-1m"), &plan), STATUS_OK);
    run = run_of(plan);
    ck_assert_uint_eq(run->misses, 1);
    compare(run, &shapes[0], "metric=counter");
    end();
}
END_TEST

START_TEST(a_walk_over_series_that_end_is_begun_anew)
{
    struct query_plan *plan;
    struct refusal refusal;
    begin();
    disturbs = false;
    push(KIND_COUNTER, 1);
    push(KIND_COUNTER, 5);
    now_ms += 95000;
    push(KIND_COUNTER, 1);
    tick();
    push(KIND_COUNTER, 5);
    plan = query_plan_make(query_of("metric=counter&by=i&from=-3m"), &world.settings, &arena);
    query_plan_step(plan, &store, &history);
    CHECK_THAT(query_plan_work(plan, &refusal));
    now_ms += 95000;
    push(KIND_COUNTER, 1);
    uint64_t expired = store.expired_series;
    tick();
    ck_assert_uint_eq(store.expired_series, expired + 1);
    do
        query_plan_step(plan, &store, &history);
    while (query_plan_work(plan, &refusal));
    ck_assert_int_eq(refusal.status, STATUS_OK);
    ck_assert_uint_eq(plan->walks, 1);
    CHECK_THAT(plan->is_cacheable);
    ck_assert_uint_eq(plan->map.series_count, 2); /* the overflow series, and that with i="1" */
    end();
}
END_TEST

START_TEST(what_is_too_much_is_refused)
{
    struct query_plan *plan;
    begin();
    disturbs = false;
    for (uint32_t series = 0; series < SERIES; series++)
        push(KIND_COUNTER, series);
    world.settings.limits_query_groups = SERIES;
    ck_assert_int_eq(plan_status(query_of("metric=counter&by=i&from=-1m"), &plan), STATUS_OK);
    world.settings.limits_query_groups = SERIES - 1;
    ck_assert_int_eq(plan_status(query_of("metric=counter&by=i&from=-1m"), &plan),
                     STATUS_TOO_MANY_GROUPS);
    ck_assert_int_eq(plan_status(query_of("metric=counter&by=route&from=-1m"), &plan), STATUS_OK);
    world.settings.limits_query_groups = 64;
    now_ms += 10000;
    tick();
    world.settings.limits_query_points = 3 * 31;
    ck_assert_int_eq(plan_status(query_of("metric=counter&by=route&from=-5m"), &plan), STATUS_OK);
    ck_assert_int_eq(plan_status(query_of("metric=counter&by=route&from=-6m"), &plan),
                     STATUS_TOO_MANY_POINTS);
    ck_assert_int_eq(plan_status(query_of("metric=none&from=-60m"), &plan), STATUS_TOO_MANY_POINTS);
    world.settings.limits_query_cells = 2 * SERIES + 1; /* sealed, open, the overflow series */
    ck_assert_int_eq(plan_status(query_of("metric=counter&from=-5m"), &plan), STATUS_OK);
    world.settings.limits_query_cells = 2 * SERIES;
    ck_assert_int_eq(plan_status(query_of("metric=counter&from=-5m"), &plan),
                     STATUS_TOO_MANY_CELLS);
    ck_assert_int_eq(plan_status(query_of("metric=counter&fn=last"), &plan), STATUS_BAD_FUNCTION);
    ck_assert_int_eq(plan_status(query_of("metric=none&fn=last&from=-1m"), &plan), STATUS_OK);
    CHECK_THAT(plan->is_empty);
    end();
}
END_TEST

Suite *query_run_suite(void)
{
    Suite *suite = suite_create("query_run");
    TCase *model = tcase_create("model");
    tcase_set_timeout(model, 120);
    tcase_add_test(model, is_what_the_list_says);
    tcase_add_test(model, is_so_while_windows_are_sealed);
    tcase_add_test(model, is_so_over_all_tiers);
    tcase_add_test(model, is_so_where_the_open_bucket_is_torn);
    suite_add_tcase(suite, model);
    TCase *cases = tcase_create("cases");
    tcase_add_test(cases, sealed_windows_are_read_once);
    tcase_add_test(cases, a_series_born_after_the_plan_is_in_the_next);
    tcase_add_test(cases, a_walk_over_series_that_end_is_begun_anew);
    tcase_add_test(cases, what_is_too_much_is_refused);
    suite_add_tcase(suite, cases);
    return suite;
}
