/*
 * test_engine.c: batches and held pushes into totals; all of an atomic push or nothing; the tick
 * and its audit.
 */
#include "engine/engine.h"

#include "base/random.h"
#include "store/classic.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>

Suite *engine_suite(void);

#define ARENA_BYTES ((size_t)1 << 20)
#define WINDOW_MS 10000
#define IDLE_MIN 30000
#define EXPIRE_AFTER 120000

static struct settings settings;
static struct test_world world;
static struct engine engine;
static struct test_intake *intake;
static struct arena arena;
static void *arena_memory;
static struct report report; /* of the last push */
static int64_t now_ms;

static void setup(void)
{
    test_settings(&settings);
    settings.series_idle_min = IDLE_MIN;
    settings.series_expire_after = EXPIRE_AFTER;
    settings.limits_line_bytes = 4096;
    settings.limits_label_value_bytes = 4096;
    now_ms = TEST_START_MS;
}

static struct refusal apply_flush(void *context, struct intake *own)
{
    engine_apply(context, own, now_ms);
    return refusal_plain(STATUS_OK);
}

/* With the settings as the test has changed them. */
static void begin(void)
{
    uint64_t sum = engine_bytes(&settings);
    test_world_init(&world, (size_t)sum);
    world.settings = settings;
    engine_init(&engine, &world.settings, &world.ledger, TEST_SEED, now_ms, &world.region);
    ck_assert_uint_eq(world.region.used, sum);
    intake = test_intake_make(&world);
    intake->intake.flush = apply_flush;
    intake->intake.context = &engine;
    arena_memory = aligned_alloc(ARENA_ALIGN, ARENA_BYTES);
    arena_init(&arena, arena_memory, ARENA_BYTES, ARENA_BYTES, NULL);
}

static void teardown(void)
{
    if (world.memory == NULL)
        return;
    test_store_verify(&world, &engine.store);
    UNPOISON(arena_memory, ARENA_BYTES);
    free(arena_memory);
    test_intake_free(intake);
    test_world_end(&world);
}

/* ---- pushing ---- */

/* A body of Prometheus text, streamed or whole; `report` says what became of it. */
static void push_text(bool atomic, const char *text)
{
    struct push_options options = {
        .atomic = atomic,
        .decoder = {.format = FORMAT_PROMETHEUS, .body_bytes = UINT64_MAX},
    };
    arena_reset(&arena);
    struct push *push = push_make(&options, &world.settings, &arena);
    CHECK_THAT(push != NULL);
    CHECK_THAT(push_feed(push, bytes_of(text), &intake->intake).status == STATUS_OK);
    CHECK_THAT(push_finish(push, &intake->intake).status == STATUS_OK);
    if (atomic)
        engine_apply_held(&engine, push->held, &push->report, now_ms);
    report = push->report;
}

static const struct series *series_of(const char *family, const char *labels)
{
    uint32_t slot = test_family_find(&engine.store, bytes_of(family));
    if (slot != SLOT_NONE)
        slot = test_series_find(&engine.store, slot, bytes_of(labels));
    return slot == SLOT_NONE ? NULL : store_series(&engine.store, slot);
}

static double total_of(const char *family, const char *labels)
{
    const struct series *series = series_of(family, labels);
    ck_assert_msg(series != NULL, "no series %s{%s}", family, labels);
    return series_total(series);
}

static bool has_family(const char *name)
{
    return test_family_find(&engine.store, bytes_of(name)) != SLOT_NONE;
}

/* ---- all there is, as text ---- */

static void dump_series(struct test_text *text, const struct series *series)
{
    char labels[8192];
    label_copy(&engine.store.labels, series->labels, labels);
    test_print(text, "  {%.*s} %llu %.17g %.17g\n", (int)series->labels.length, labels, (unsigned long long)series->count, series_total(series), series->last);
}

/* Every family and series with its total, and what each pool has out. */
static void dump(struct test_text *text)
{
    const struct store *store = &engine.store;
    test_text_reset(text);
    for (uint32_t slot = 0; slot < store->families.slot_count; slot++) {
        const struct family *family = store_family(store, slot);
        char name[2048];
        if (family == NULL)
            continue;
        label_copy(&store->labels, family->name, name);
        test_print(text, "%.*s %s recycled %llu %.17g overflowed %llu\n", (int)family->name.length,
                   name, kind_name((enum kind)family->kind), (unsigned long long)family->recycled,
                   family->recycled_sum, (unsigned long long)family->overflowed);
        for (uint32_t at = family->first; at != SLOT_NONE; at = store_series(store, at)->next)
            dump_series(text, store_series(store, at));
    }
    for (int pool = 0; pool < POOL_COUNT; pool++)
        test_print(text, "%s %llu\n", pool_rows[pool].name,
                   (unsigned long long)ledger_figures(&world.ledger, (enum pool)pool).live_bytes);
    test_print(text, "accepted %llu overflowed %llu\n", (unsigned long long)engine.accepted_samples,
               (unsigned long long)store->overflowed_samples);
}

/* ---- streamed ---- */

START_TEST(a_batch_is_applied_sample_by_sample)
{
    begin();
    push_text(false, "a_total 5\nb 7\na_total 6\n");
    ck_assert_uint_eq(report.accepted, 3);
    ck_assert_uint_eq(report.rejected, 0);
    ck_assert_uint_eq(report.overflowed, 0);
    ck_assert(total_of("a_total", "") == 11);
    ck_assert_uint_eq(engine.accepted_samples, 3);
}
END_TEST

START_TEST(a_conflict_is_rejected_with_its_line_and_costs_nobody_else)
{
    begin();
    push_text(false, "# TYPE a counter\na 5\n");
    push_text(false, "b 1\n\na 1\nc 2\n# TYPE s summary\ns_sum 1\ns_count 1\n# TYPE s_sum gauge\n"
                     "s_sum 1\n");
    ck_assert_uint_eq(report.accepted, 4);
    ck_assert_uint_eq(report.rejected, 2);
    ck_assert_uint_eq(report.rejected_by[STATUS_KIND_CONFLICT], 2);
    ck_assert_uint_eq(report.errors[0].line, 3);
    ck_assert_ptr_nonnull(report.errors[0].detail);
    ck_assert_uint_eq(report.errors[1].line, 9);
    ck_assert(total_of("a", "") == 5);
    ck_assert_uint_eq(engine.accepted_samples, 5);
}
END_TEST

START_TEST(what_overflowed_is_said)
{
    settings.series_max = 2;
    begin();
    push_text(false, "a_total{n=\"1\"} 1\na_total{n=\"2\"} 1\na_total{n=\"3\"} 1\n"
                     "a_total{n=\"4\"} 1\na_total{n=\"1\"} 1\n");
    ck_assert_uint_eq(report.accepted, 5);
    ck_assert_uint_eq(report.overflowed, 2);
    ck_assert(total_of("a_total", "otel_metric_overflow=\"true\"") == 2);
}
END_TEST

/* One JSON sample with several values is several samples, of which all but the first follow. */
START_TEST(values_that_follow_are_added_but_not_counted)
{
    begin();
    struct batch *batch = intake->intake.batch;
    for (int i = 0; i < 3; i++) {
        batch->samples[i] = test_sample(KIND_HISTOGRAM, i == 2 ? "t 30" : "t 5");
        batch->samples[i].follows = i > 0;
        batch->samples[i].line = 7;
    }
    batch->samples[3] = test_sample(KIND_COUNTER, "t 1");
    batch->samples[4] = test_sample(KIND_COUNTER, "t 2");
    batch->samples[4].follows = 1;
    batch->samples[3].line = batch->samples[4].line = 8;
    batch->samples[3].element = 4;
    batch->count = 5;
    engine_apply(&engine, &intake->intake, now_ms);
    ck_assert_uint_eq(intake->report.accepted, 1);
    ck_assert_uint_eq(intake->report.rejected, 1);
    ck_assert_uint_eq(intake->report.errors[0].line, 8);
    ck_assert_uint_eq(intake->report.errors[0].element, 4);
    ck_assert_uint_eq(engine.accepted_samples, 1);
    ck_assert(total_of("t", "") == 40);
    ck_assert_uint_eq(series_of("t", "")->count, 3);
}
END_TEST

START_TEST(rejections_are_added_up_by_their_reason)
{
    begin();
    struct report some = {.rejected_by = {[STATUS_BAD_NUMBER] = 3, [STATUS_KIND_CONFLICT] = 2}};
    engine_count_rejected(&engine, &some);
    some.rejected_by[STATUS_BAD_NUMBER] = 1;
    engine_count_rejected(&engine, &some);
    for (int status = 0; status < STATUS_COUNT; status++) {
        uint64_t expected = status == STATUS_BAD_NUMBER      ? 4
                            : status == STATUS_KIND_CONFLICT ? 4
                                                             : 0;
        ck_assert_uint_eq(engine.rejected_samples[status], expected);
    }
}
END_TEST

/* ---- atomic ---- */

START_TEST(an_atomic_push_is_applied_whole)
{
    begin();
    push_text(true, "a_total 5\nb 7\na_total 6\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 3\n"
                    "h_bucket{le=\"+Inf\"} 3\n"
                    "h_sum 4\nh_count 3\n");
    ck_assert_uint_eq(report.accepted, 7);
    ck_assert_uint_eq(report.rejected, 0);
    ck_assert_uint_eq(engine.accepted_samples, 7);
    ck_assert(total_of("a_total", "") == 11);
    ck_assert(store_classic(&engine.store, series_of("h", ""))->totals[0] == 3);
}
END_TEST

START_TEST(an_atomic_push_of_nothing_is_applied)
{
    begin();
    push_text(true, "\n# nothing\n");
    ck_assert_uint_eq(report.accepted, 0);
    ck_assert_uint_eq(report.rejected, 0);
}
END_TEST

struct refused_row {
    const char *body;
    uint64_t line; /* of the first conflict */
};

/*
 * Against what is there (old_total is a counter, old_s a summary), or against itself; early or late
 * in the push.
 */
static const struct refused_row refused_rows[] = {
    {"# TYPE old_total gauge\nold_total 1\n", 2},
    {"fresh_total 1\n# TYPE old_total gauge\nold_total{a=\"b\"} 1\n", 3},
    {"# TYPE old_total gauge\nold_total 1\nfresh_total 1\nold_total 2\n", 2},
    {"fresh 1\n# TYPE fresh counter\nfresh{a=\"b\"} 1\n", 3},
    {"# TYPE fresh summary\nfresh_sum 1\n# TYPE other gauge\nfresh_sum{a=\"b\"} 1\n", 4},
    {"fresh_sum 1\n# TYPE fresh summary\nfresh_sum 1\n", 3},
    {"fresh_total 1\n# TYPE old_s_sum counter\nold_s_sum 1\n", 3},
    {"old_total 1\n# TYPE h histogram\nh_count 1\nh_sum 1\n# TYPE h counter\nh 1\n", 6},
    {"old_total 1\nb x\n", 2}, /* refused by the reader already */
};

START_TEST(refused_row_leaves_everything_as_it_was)
{
    const struct refused_row *row = &refused_rows[_i];
    struct test_text before = {0};
    struct test_text after = {0};
    begin();
    push_text(false, "old_total 5\n# TYPE old_s summary\nold_s_sum 1\nold_s_count 2\n");
    dump(&before);
    push_text(true, row->body);
    dump(&after);
    ck_assert_uint_eq(report.accepted, 0);
    ck_assert_uint_ge(report.rejected, 1);
    ck_assert_uint_eq(report.errors[0].line, row->line);
    ck_assert_str_eq(after.at, before.at);
    ck_assert(!has_family("fresh") && !has_family("fresh_total") && !has_family("h"));
    test_text_end(&before);
    test_text_end(&after);
}
END_TEST

/*
 * Families of a refused push would need room; that nobody is recycled for it is part of "nothing".
 */
START_TEST(a_refused_push_recycles_nobody)
{
    struct test_text before = {0};
    struct test_text after = {0};
    char text[256];
    settings.series_label_bytes = 64 * 64;
    begin();
    push_text(false, "# TYPE last gauge\nlast 1\n");
    for (unsigned n = 0; engine.store.labels.free_count > 0; n++) {
        snprintf(text, sizeof text, "filler_total{n=\"%u\"} 1\n", n);
        push_text(false, text);
    }
    now_ms += IDLE_MIN + 2 * WINDOW_MS;
    while (engine_step(&engine, now_ms)) /* what is not sealed yet keeps its series */
        continue;
    dump(&before);
    push_text(true, "fresh1 1\nfresh2 1\nfresh3 1\n# TYPE last counter\nlast 1\n");
    dump(&after);
    ck_assert_uint_eq(report.accepted, 0);
    ck_assert_uint_eq(report.rejected, 1);
    ck_assert_str_eq(after.at, before.at);
    ck_assert_uint_eq(engine.store.recycled_series, 0);
    /* without the conflict there is room for all of it */
    push_text(true, "fresh1 1\nfresh2 1\nfresh3 1\n");
    ck_assert_uint_eq(report.accepted, 3);
    ck_assert_uint_eq(report.overflowed, 0);
    ck_assert(has_family("fresh3"));
    test_text_end(&before);
    test_text_end(&after);
}
END_TEST

/* A push whose families have no room is applied all the same: its samples overflow. */
START_TEST(an_atomic_push_overflows_like_any_other)
{
    settings.limits_families = 16;
    settings.series_max = 20;
    begin();
    struct test_text body = {0};
    for (int i = 0; i < 30; i++)
        test_print(&body, "family%d_total{a=\"b\"} 1\nfamily%d_total{a=\"c\"} 2\n", i, i);
    push_text(true, body.at);
    ck_assert_uint_eq(report.accepted, 60);
    ck_assert_uint_eq(report.rejected, 0);
    ck_assert_uint_eq(report.overflowed, 40);
    ck_assert(total_of("mayfly_overflow_total", "otel_metric_overflow=\"true\"") == 14 * 3);
    test_text_end(&body);
}
END_TEST

/* ---- random pushes: applied whole, or not at all ---- */

static struct random draw;

static unsigned below(uint64_t bound)
{
    return (unsigned)random_below(&draw, bound);
}

/*
 * Counters whose values add up to *sum; now and then the same name as a gauge, or one that clashes.
 */
static void print_push(struct test_text *body, double *sum)
{
    *sum = 0;
    for (unsigned lines = 1 + below(12); lines > 0; lines--) {
        unsigned family = below(30);
        unsigned value = below(100);
        unsigned chosen = below(40);
        *sum += value;
        if (chosen == 0)
            test_print(body, "# TYPE f%u_total gauge\nf%u_total %u\n", family, family, value);
        else if (chosen == 1)
            test_print(body, "# TYPE f%u summary\nf%u_sum %u\n", family % 5, family % 5, value);
        else if (chosen == 2)
            test_print(body, "# TYPE f%u_sum counter\nf%u_sum %u\n", family % 5, family % 5, value);
        else
            test_print(body, "# TYPE f%u_total counter\nf%u_total{n=\"%0*u\"} %u\n", family, family,
                       (int)below(200) + 1, below(40), value);
    }
}

/* All counters and summaries, wherever their values went. */
static double sum_of_all(void)
{
    double sum = 0;
    for (uint32_t slot = 0; slot < engine.store.families.slot_count; slot++) {
        const struct family *family = store_family(&engine.store, slot);
        sum += family == NULL ? 0 : family->recycled_sum;
    }
    for (uint32_t slot = 0; slot < engine.store.series.slot_count; slot++) {
        const struct series *series = store_series(&engine.store, slot);
        sum += series == NULL ? 0 : series_total(series);
    }
    return sum;
}

static double gauges_last(void)
{
    double sum = 0;
    for (uint32_t slot = 0; slot < engine.store.series.slot_count; slot++) {
        const struct series *series = store_series(&engine.store, slot);
        sum += series == NULL ? 0 : series->last;
    }
    return sum;
}

static void random_push(struct test_text *body, struct test_text *before, struct test_text *after)
{
    double sum;
    double had = sum_of_all();
    test_text_reset(body);
    print_push(body, &sum);
    dump(before);
    push_text(true, body->at);
    if (report.rejected > 0) {
        dump(after);
        CHECK_THAT(report.accepted == 0);
        if (strcmp(before->at, after->at) != 0)
            ck_abort_msg("refused:\n%s\nbefore:\n%s\nafter:\n%s", body->at, before->at, after->at);
        return;
    }
    CHECK_THAT(report.accepted > 0);
    CHECK_THAT(sum_of_all() <= had + sum);
    if (strstr(body->at, "gauge") == NULL && engine.store.recycled_series == 0)
        CHECK_THAT(sum_of_all() == had + sum);
}

START_TEST(random_pushes_are_applied_whole_or_not_at_all)
{
    struct test_text body = {0};
    struct test_text before = {0};
    struct test_text after = {0};
    unsigned refused = 0;
    draw.state = TEST_SEED + (uint64_t)_i;
    settings.series_max = 50;
    settings.limits_families = 20;
    settings.series_label_bytes = _i % 2 == 0 ? 12 << 10 : 64 << 10;
    begin();
    for (int i = 0; i < 1500; i++) {
        now_ms += below(30) == 0 ? IDLE_MIN + 2 * WINDOW_MS : below(100);
        random_push(&body, &before, &after);
        refused += report.rejected > 0;
        if (i % 50 == 0)
            test_store_verify(&world, &engine.store);
    }
    ck_assert_uint_gt(refused, 50);
    ck_assert_uint_lt(refused, 1400);
    ck_assert_uint_gt(engine.store.overflowed_samples, 0);
    ck_assert(gauges_last() >= 0);
    test_text_end(&body);
    test_text_end(&before);
    test_text_end(&after);
}
END_TEST

/* ---- the tick ---- */

/* As often as it takes to look at every pool. */
static void tick_all(void)
{
    for (int pool = 0; pool < POOL_COUNT; pool++)
        engine_tick(&engine, now_ms);
}

START_TEST(ticks_expire_who_is_idle)
{
    struct test_text body = {0};
    begin();
    for (int i = 0; i < 150; i++)
        test_print(&body, "a_total{n=\"%d\"} 1\n", i);
    push_text(false, body.at);
    tick_all();
    ck_assert_uint_eq(engine.store.series_count, 150);
    now_ms += EXPIRE_AFTER + 2 * WINDOW_MS;
    engine_tick(&engine, now_ms);
    ck_assert_uint_lt(engine.store.series_count, 150);
    ck_assert_uint_gt(engine.store.series_count, 0); /* a tick is short: not all at once */
    tick_all();
    ck_assert_uint_eq(engine.store.series_count, 0);
    test_text_end(&body);
}
END_TEST

START_TEST(an_audit_finds_books_in_order)
{
    begin();
    push_text(false, "a_total 5\n# TYPE h histogram\nh_sum 1\nb 1\n");
    tick_all();
    ck_assert_uint_eq(engine.audit.mismatch_bytes, 0);
    ck_assert_uint_gt(engine.audit.audits, 5);
}
END_TEST

static const enum pool audited[] = {POOL_FAMILIES,   POOL_SERIES,  POOL_INDEX, POOL_LABELS,
                                    POOL_HISTOGRAMS, POOL_BUCKETS, POOL_SETS};

START_TEST(an_audit_finds_what_the_ledger_has_too_much)
{
    enum pool pool = audited[_i];
    begin();
    push_text(false, "a_total 5\n");
    ledger_take(&world.ledger, pool, 48);
    tick_all();
    ck_assert_uint_eq(engine.audit.mismatch_bytes, 48);
    ck_assert_uint_eq(engine.audit.mismatch_by_pool[pool], 48);
    tick_all(); /* looked at twice it is not counted twice */
    ck_assert_uint_eq(engine.audit.mismatch_bytes, 48);
    ledger_give(&world.ledger, pool, 48);
    tick_all();
    ck_assert_uint_eq(engine.audit.mismatch_bytes, 0);
    ck_assert_uint_eq(engine.audit.mismatch_by_pool[pool], 0);
}
END_TEST

START_TEST(an_audit_finds_what_the_ledger_lacks)
{
    enum pool pool = audited[_i];
    begin();
    push_text(false, "a_total 5\n");
    ledger_shrink(&world.ledger, pool, 8);
    ledger_shrink(&world.ledger, audited[(_i + 1) % (int)COUNT_OF(audited)], 8);
    tick_all();
    ck_assert_uint_eq(engine.audit.mismatch_by_pool[pool], 8);
    ck_assert_uint_eq(engine.audit.mismatch_bytes, 16);
    ledger_grow(&world.ledger, pool, 8);
    ledger_grow(&world.ledger, audited[(_i + 1) % (int)COUNT_OF(audited)], 8);
}
END_TEST

static TCase *case_of(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

Suite *engine_suite(void)
{
    Suite *suite = suite_create("engine");
    TCase *streamed = case_of(suite, "streamed");
    tcase_add_test(streamed, a_batch_is_applied_sample_by_sample);
    tcase_add_test(streamed, a_conflict_is_rejected_with_its_line_and_costs_nobody_else);
    tcase_add_test(streamed, what_overflowed_is_said);
    tcase_add_test(streamed, values_that_follow_are_added_but_not_counted);
    tcase_add_test(streamed, rejections_are_added_up_by_their_reason);
    TCase *atomic = case_of(suite, "atomic");
    tcase_add_test(atomic, an_atomic_push_is_applied_whole);
    tcase_add_test(atomic, an_atomic_push_of_nothing_is_applied);
    tcase_add_loop_test(atomic, refused_row_leaves_everything_as_it_was, 0, COUNT_OF(refused_rows));
    tcase_add_test(atomic, a_refused_push_recycles_nobody);
    tcase_add_test(atomic, an_atomic_push_overflows_like_any_other);
    tcase_add_loop_test(atomic, random_pushes_are_applied_whole_or_not_at_all, 0, 4);
    TCase *tick = case_of(suite, "tick");
    tcase_add_test(tick, ticks_expire_who_is_idle);
    tcase_add_test(tick, an_audit_finds_books_in_order);
    tcase_add_loop_test(tick, an_audit_finds_what_the_ledger_has_too_much, 0, COUNT_OF(audited));
    tcase_add_loop_test(tick, an_audit_finds_what_the_ledger_lacks, 0, COUNT_OF(audited));
    return suite;
}
