#define _GNU_SOURCE 1
#include "past.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "engine/plan_make.h"
#include "reply/query_reply.h"
#include "reply/writer.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define SEED 0x5eed

/* About what the program takes beside its region: it decides a hundredth of the plan. */
static const struct plan_world world = {
    .code_bytes = 6 << 20,
    .cpus = 2,
    .memory_limit = UINT64_MAX,
    .connection_bytes = 1024,
    .worker_bytes = 4096,
};

_Noreturn void ensure_failed(const char *condition, const char *file, int line)
{
    die("broken promise: %s at %s:%d", condition, file, line);
}

uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- holds ---- */

void holds_add(struct holds *holds, uint64_t ns)
{
    uint64_t us = ns / 1000;

    holds->count++;
    holds->sum_ns += ns;
    holds->longest_ns = ns > holds->longest_ns ? ns : holds->longest_ns;
    holds->by_us[us < HOLDS_US_MAX ? us : HOLDS_US_MAX - 1]++;
}

double holds_us(const struct holds *holds, double permille)
{
    double wanted = permille / 1000 * (double)holds->count;
    uint64_t below = 0;
    uint64_t us = 0;

    for (; us < HOLDS_US_MAX - 1; us++) {
        below += holds->by_us[us];
        if ((double)below >= wanted)
            break;
    }
    return (double)us + 1;
}

/* ---- memory ---- */

static void *take(void *context, size_t bytes, size_t *granted)
{
    return blocks_take(context, bytes, granted);
}

static void give(void *context, void *block, size_t granted)
{
    blocks_give(context, block, granted);
}

static uint64_t past_bytes(const struct settings *settings)
{
    return engine_bytes(settings) + blocks_bytes(settings->requests_bytes) +
           (settings->trace ? sites_bytes() : 0) + region_piece_bytes(sizeof(struct engine)) +
           region_piece_bytes(sizeof(struct batch)) +
           region_piece_bytes(settings->limits_first_block_bytes);
}

/* Touched at once, as at start with prefault: a page's first touch is nobody's hold. */
static void region_map(struct region *region, size_t bytes)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (base == MAP_FAILED)
        die("no memory: %zu bytes", bytes);
    region_init(region, base, bytes);
}

static void trace(struct past *past)
{
    past->ledger.sites = region_take(&past->region, sizeof(*past->ledger.sites));
    sites_init(past->ledger.sites);
}

static struct past *make(uint64_t memory, bool traced)
{
    struct past *past = zeroed(1, sizeof(*past));
    struct settings settings;
    const struct settings *s = &past->plan.settings;
    char problem[512];

    settings_init(&settings);
    settings.memory = memory;
    settings.trace = traced;
    if (plan_make(&past->plan, &settings, &world, problem, sizeof(problem)) != PLAN_FITS)
        die("%s", problem);
    region_map(&past->region, past_bytes(s));
    ledger_init(&past->ledger);
    if (traced)
        trace(past);
    past->now_ms = PAST_START_MS;
    past->engine = region_take(&past->region, sizeof(*past->engine));
    past->batch = region_take(&past->region, sizeof(*past->batch));
    past->first_block = region_take(&past->region, s->limits_first_block_bytes);
    blocks_init(&past->growth, s->requests_bytes, POOL_GROWTH, &past->ledger, &past->region);
    past->source = (struct block_source){take, give, &past->growth};
    engine_init(past->engine, s, &past->ledger, SEED, past->now_ms, &past->region);
    arena_init(&past->arena, past->first_block, s->limits_first_block_bytes,
               s->limits_request_bytes, &past->source);
    arena_trace(&past->arena, past->ledger.sites);
    return past;
}

struct past *past_make(uint64_t memory)
{
    return make(memory, false);
}

struct past *past_make_traced(uint64_t memory)
{
    return make(memory, true);
}

void past_free(struct past *past)
{
    munmap(past->region.base, past->region.bytes);
    free(past);
}

/* ---- pushing ---- */

void past_name(struct past *past, struct sample *sample, const char *name, const char *labels)
{
    sample->name = name;
    sample->name_length = (uint16_t)strlen(name);
    sample->labels = labels;
    sample->labels_length = (uint16_t)strlen(labels);
    sample->timestamp_ms = TIMESTAMP_NONE;
    sample->lines = 1;
    sample->fingerprint =
        hash_series(sample_name(sample), sample_labels(sample), past->engine->store.seed);
}

void past_push(struct past *past, const struct sample *samples, size_t count)
{
    struct intake intake = {.batch = past->batch, .report = &past->report};

    while (count > 0) {
        size_t some = count < BATCH_SAMPLES ? count : BATCH_SAMPLES;
        uint64_t begun;

        memcpy(past->batch->samples, samples, some * sizeof(*samples));
        past->batch->count = (uint32_t)some;
        begun = cpu_ns();
        engine_apply(past->engine, &intake, past->now_ms);
        holds_add(&past->pushes, cpu_ns() - begun);
        samples += some;
        count -= some;
    }
    if (past->report.rejected > 0 || past->report.overflowed > 0)
        die("the plan has no room for the series: %llu samples overflowed",
            (unsigned long long)past->report.overflowed);
}

/* ---- time ---- */

uint64_t past_next_window(struct past *past)
{
    uint64_t first = cpu_ns();
    uint64_t begun = first;
    uint64_t ended;
    bool more = true;

    past->now_ms += PAST_WINDOW_MS;
    engine_tick(past->engine, past->now_ms);
    ended = cpu_ns();
    holds_add(&past->ticks, ended - begun);
    while (more) {
        begun = ended;
        more = engine_step(past->engine, past->now_ms);
        ended = cpu_ns();
        holds_add(&past->steps, ended - begun);
    }
    return ended - first;
}

void past_forget(struct past *past)
{
    const struct history *history = &past->engine->history;

    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        for (uint32_t i = 0; i < history->tiers[tier].count; i++)
            lru_retire(&past->engine->cache, history_record(history, tier, i)->serial, 0, UINT32_MAX);
    }
}

/* ---- asking ---- */

static struct query *query_read(struct past *past, const char *text)
{
    struct query *query = arena_push(&past->arena, sizeof(*query));
    struct refusal refusal = refusal_plain(STATUS_OK);

    query_init(query, past->now_ms);
    while (*text != '\0' && refusal.status == STATUS_OK) {
        size_t name = strcspn(text, "=");
        const char *value = text + name + 1;
        size_t length = strcspn(value, "&");

        refusal =
            query_add_parameter(query, (struct bytes){text, name}, (struct bytes){value, length},
                                &past->arena, &past->plan.settings);
        text = value + length + (value[length] == '&');
    }
    if (refusal.status == STATUS_OK)
        refusal = query_finish(query);
    if (refusal.status != STATUS_OK)
        die("the query was refused: status %d", (int)refusal.status);
    return query;
}

static void hold_end(struct holds *holds, bool held, uint64_t begun)
{
    if (held)
        holds_add(holds, cpu_ns() - begun);
}

static const struct query_plan *plan_query(struct past *past, struct query *query, bool held)
{
    struct query_plan *plan = query_plan_make(query, &past->plan.settings, &past->arena);
    struct refusal refusal;

    if (plan == NULL)
        die("the query's plan does not fit its arena");
    do {
        uint64_t begun = held ? cpu_ns() : 0;

        query_plan_step(plan, &past->engine->store, &past->engine->history);
        hold_end(&past->plans, held, begun);
    } while (query_plan_work(plan, &refusal));
    if (refusal.status != STATUS_OK)
        die("the query was refused: status %d, %llu needed", (int)refusal.status,
            (unsigned long long)refusal.needed);
    return plan;
}

static const struct query_run *run_plan(struct past *past, const struct query_plan *plan,
                                        bool cached, bool held)
{
    struct query_run *run = query_run_make(plan, &past->arena);
    struct lru *cache = cached ? &past->engine->cache : &past->no_cache;

    if (run == NULL)
        die("the query does not fit its arena");
    do {
        uint64_t begun = held ? cpu_ns() : 0;

        query_run_step(run, &past->engine->store, &past->engine->history, cache, past->now_ms);
        hold_end(&past->runs, held, begun);
    } while (query_run_work(run));
    return run;
}

static void reply_write(struct past *past, struct answer *answer)
{
    size_t bytes = query_reply_page_bytes(&past->plan.settings);
    char *page = arena_push(&past->arena, bytes);
    struct query_reply *reply = query_reply_make(answer->plan, answer->run, &past->arena);
    bool more = true;

    if (page == NULL || reply == NULL)
        die("the reply does not fit its arena");
    while (more) {
        struct writer writer = writer_make(page, bytes);

        more = query_reply_next(reply, &writer);
        answer->reply_bytes += writer.used;
    }
}

struct answer past_ask(struct past *past, const char *text, bool cached, bool held)
{
    uint64_t begun = cpu_ns();
    struct answer answer = {0};
    uint64_t ended;

    arena_reset(&past->arena);
    answer.plan = plan_query(past, query_read(past, text), held);
    if (!answer.plan->is_empty)
        answer.run = run_plan(past, answer.plan, cached, held);
    ended = cpu_ns();
    answer.ns = ended - begun;
    reply_write(past, &answer);
    answer.reply_ns = cpu_ns() - ended;
    return answer;
}
