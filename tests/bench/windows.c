/*
 * windows.c: what an hour of windows costs: to seal, to ask, to keep; and how long others wait.
 *
 *     bench-windows [--quick]
 *
 * In one process, on a clock of its own (past.h); CPU time, the middle of some runs. A row is what
 * was asked for and what it came to; where nothing was asked for it is told all the same.
 *
 *     cold      nothing is cached
 *     warm      asked before, one window ago
 *     off       as with cache.bytes 0
 */
#include "cells.h"
#include "fleet.h"
#include "quantiles.h"
#include "rows.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define HOUR_WINDOWS 360
#define RUNS_MAX 9

static uint32_t runs = 7; /* the middle of so many */

static int ns_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static double middle_ms(uint64_t *ns)
{
    qsort(ns, runs, sizeof(*ns), ns_compare);
    return (double)ns[runs / 2] / 1e6;
}

/* ---- an hour ---- */

static void seal_measure(struct fleet *fleet)
{
    uint64_t ns[RUNS_MAX];

    for (uint32_t i = 0; i < runs; i++) {
        fleet_push(fleet);
        ns[i] = past_next_window(fleet->past);
    }
    rows_most("sealing a window of 10,000 series", "ms", 1.5, middle_ms(ns));
}

static double ask_cold(struct past *past, const char *text, bool cached, struct answer *answer)
{
    uint64_t ns[RUNS_MAX];

    for (uint32_t i = 0; i < runs; i++) {
        past_forget(past);
        *answer = past_ask(past, text, cached, false);
        ns[i] = answer->ns;
    }
    return middle_ms(ns);
}

/* A window later each time, so that one record is new. */
static double ask_warm(struct fleet *fleet, const char *text, struct answer *answer)
{
    uint64_t ns[RUNS_MAX];

    past_ask(fleet->past, text, true, false);
    for (uint32_t i = 0; i < runs; i++) {
        fleet_push(fleet);
        past_next_window(fleet->past);
        *answer = past_ask(fleet->past, text, true, false);
        ns[i] = answer->ns;
    }
    return middle_ms(ns);
}

static void question_measure(struct fleet *fleet, const char *name, const char *text)
{
    struct answer answer;
    char row[128];
    double cold = ask_cold(fleet->past, text, true, &answer);
    double reply_ms = (double)answer.reply_ns / 1e6;
    double cells = (double)answer.run->cells;

    snprintf(row, sizeof(row), "%s, cold", name);
    rows_most(row, "ms", 15, cold);
    snprintf(row, sizeof(row), "  %.0f cells, %.0f points, each cell", cells,
             (double)(answer.plan->bucket_count * answer.plan->map.group_count));
    rows_told(row, "ns", cold * 1e6 / cells);
    snprintf(row, sizeof(row), "  its JSON, %llu bytes", (unsigned long long)answer.reply_bytes);
    rows_told(row, "ms", reply_ms);
    snprintf(row, sizeof(row), "%s, off", name);
    rows_most(row, "ms", 15, ask_cold(fleet->past, text, false, &answer));
    double warm = ask_warm(fleet, text, &answer);
    snprintf(row, sizeof(row), "%s, warm: %llu hits, %llu misses", name,
             (unsigned long long)answer.run->hits, (unsigned long long)answer.run->misses);
    rows_most(row, "ms", cold / 10, warm);
}

#define COUNTERS "metric=requests_total&by=route&fn=sum&from=-1h&step="
#define HISTOGRAMS "metric=latency_seconds&by=route&fn=p99&from=-1h&step="

static void hour_measure(struct fleet_shape shape, const char *title)
{
    struct past *past = past_make(512 * MIB);
    struct fleet *fleet = fleet_make(past, shape);

    rows_title(title);
    fleet_run(fleet, HOUR_WINDOWS + 1);
    seal_measure(fleet);
    if (!shape.is_fractional) {
        question_measure(fleet, "p99 by route, a point an hour", HISTOGRAMS "1h");
        question_measure(fleet, "p99 by route, a point a minute", HISTOGRAMS "1m");
        question_measure(fleet, "p99 by route, a point a window", HISTOGRAMS "10s");
    }
    question_measure(fleet, "sum by route, a point an hour", COUNTERS "1h");
    question_measure(fleet, "sum by route, a point a minute", COUNTERS "1m");
    question_measure(fleet, "sum by route, a point a window", COUNTERS "10s");
    fleet_free(fleet);
    past_free(past);
}

/* ---- how far back ---- */

static double minutes_held(const struct past *past, enum tier tier)
{
    int64_t from_ms = history_held_from(&past->engine->history, tier);

    return (double)(past->now_ms - from_ms) / 60000;
}

static void range_measure(struct fleet_shape shape, const char *memory, uint64_t bytes,
                          uint32_t windows)
{
    static const char *const tiers[TIER_COUNT] = {"windows of 10 s", "of 1 min", "of 10 min"};
    struct past *past = past_make(bytes);
    struct fleet *fleet = fleet_make(past, shape);
    char row[128];

    snprintf(row, sizeof(row), "held by --memory %s, %u counters and %u histograms, after %.1f h",
             memory, shape.counters, shape.histograms, windows / 360.0);
    rows_title(row);
    fleet_run(fleet, windows);
    for (enum tier tier = 0; tier < TIER_COUNT; tier++)
        rows_told(tiers[tier], "min back", minutes_held(past, tier));
    for (uint32_t minutes = 5; minutes <= 320; minutes *= 4) {
        char text[128];

        snprintf(text, sizeof(text), "metric=requests_total&by=route&from=-%um", minutes);
        struct answer answer = past_ask(past, text, true, false);
        snprintf(row, sizeof(row), "resolution of a query over %u min%s", minutes,
                 answer.plan->begins_before_held ? " (begins before)" : "");
        rows_told(row, "s", (double)answer.plan->resolution_ms / 1000);
    }
    fleet_free(fleet);
    past_free(past);
}

/* ---- how long others wait ---- */

static void hold_row(const char *name, const struct holds *holds, double asked_us)
{
    char row[128];

    snprintf(row, sizeof(row), "%s: %llu, mean %.1f us, 99.9 %% within %.0f us; longest", name,
             (unsigned long long)holds->count,
             (double)holds->sum_ns / 1000 / (double)(holds->count > 0 ? holds->count : 1),
             holds_us(holds, 999));
    if (asked_us > 0)
        rows_most(row, "us", asked_us, (double)holds->longest_ns / 1000);
    else
        rows_told(row, "us", (double)holds->longest_ns / 1000);
}

static void holds_measure(struct fleet_shape shape, uint32_t windows)
{
    struct past *past = past_make(512 * MIB);
    struct fleet *fleet = fleet_make(past, shape);

    rows_title("how long the lock is held at 100,000 series, --memory 512MiB");
    fleet_run(fleet, 2); /* births */
    past->ticks = past->steps = past->pushes = (struct holds){0};
    for (uint32_t i = 0; i < windows; i++) {
        fleet_run(fleet, 1);
        if (i % 4 != 0)
            continue;
        past_ask(past, "metric=requests_total&by=route&fn=max&from=-2m&step=10s", true, true);
        past_ask(past, "metric=latency_seconds&by=route&fn=p99&from=-2m&step=1m", true, true);
    }
    hold_row("tick", &past->ticks, 200);
    hold_row("step of sealing or folding", &past->steps, 200);
    hold_row("step of a query's plan", &past->plans, 200);
    hold_row("step of a query", &past->runs, 200);
    hold_row("push of 1,024 samples", &past->pushes, 0);
    fleet_free(fleet);
    past_free(past);
}

int main(int argc, char **argv)
{
    bool quick = argc == 2 && strcmp(argv[1], "--quick") == 0;

    if (argc > 2 || (argc == 2 && !quick)) {
        fputs("usage: bench-windows [--quick]\n", stderr);
        return 2;
    }
    runs = quick ? 3 : 7;
    hour_measure(
        (struct fleet_shape){9000, 1000, 23, false},
        "an hour of windows, --memory 512MiB: 9,000 counters, 1,000 histograms of 23 values");
    if (!quick)
        hour_measure((struct fleet_shape){9000, 1000, 23, true},
                     "the same, the counters' increments fractions");
    cells_measure();
    range_measure((struct fleet_shape){9000, 1000, 23, false}, "64MiB", 64 * MIB,
                  quick ? 720 : 2880);
    quantiles_measure();
    holds_measure((struct fleet_shape){90000, 10000, 10, false}, quick ? 8 : 120);
    return EXIT_SUCCESS;
}
