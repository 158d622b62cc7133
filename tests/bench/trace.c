/*
 * trace.c: what `trace` costs a push: one process, no HTTP, no locks; the bodies of bodies.h
 * through push.h into an engine, as a worker does it.
 *
 *     bench-trace [--quick]              every shape without and with, taking turns
 *     bench-trace SHAPE off|on PUSHES    one of them, to be counted: valgrind --tool=callgrind
 *
 * A shape is a format and how many samples a push has: text-1000, text-1, ndjson-1000, ndjson-1.
 * JSON is the worst there is: a tree of small pushes for each sample, freed with its element. Text
 * takes from its arena only when a push begins. The middle of the rounds' CPU times is told.
 */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <string.h>

#include "bodies.h"
#include "ingest/json_element.h"
#include "ingest/push.h"
#include "past.h"
#include "rows.h"

#define MEMORY (UINT64_C(64) << 20)
#define ROUNDS_MAX 11
#define ROUND_SAMPLES 100000u

static const struct shape {
    const char *name;
    struct bodies_shape bodies;
    enum format format;
} shapes[] = {
    {"text-1000", {BODIES_PROM, 1000, 10000, 107, 1, false, false}, FORMAT_PROMETHEUS},
    {"text-1", {BODIES_PROM, 1, 100, 62, 1, false, false}, FORMAT_PROMETHEUS},
    {"ndjson-1000", {BODIES_NDJSON, 1000, 10000, 107, 1, false, false}, FORMAT_NDJSON},
    {"ndjson-1", {BODIES_NDJSON, 1, 100, 62, 1, false, false}, FORMAT_NDJSON},
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* One engine with the arenas of a request and of a worker. */
struct side {
    struct past *past;
    struct arena scratch;
    void *scratch_memory;
    uint64_t ns[ROUNDS_MAX];
};

static struct side side_make(bool traced)
{
    struct side side = {.past = traced ? past_make_traced(MEMORY) : past_make(MEMORY)};
    size_t bytes = side.past->plan.settings.limits_scratch_bytes;

    side.scratch_memory = aligned_alloc(ARENA_ALIGN, bytes);
    if (side.scratch_memory == NULL)
        die("no memory: %zu bytes", bytes);
    arena_init(&side.scratch, side.scratch_memory, bytes, bytes, NULL);
    arena_trace(&side.scratch, side.past->ledger.sites);
    side.past->ledger.accounts[POOL_SCRATCH].capacity_bytes = bytes;
    side.past->ledger.accounts[POOL_BATCHES].capacity_bytes = sizeof(struct batch);
    return side;
}

static void side_free(struct side *side)
{
    past_free(side->past);
    free(side->scratch_memory);
}

static struct refusal apply(void *context, struct intake *intake)
{
    struct past *past = context;

    engine_apply(past->engine, intake, past->now_ms);
    return refusal_plain(STATUS_OK);
}

static void push_one(struct side *side, const struct shape *shape, const struct body *body)
{
    struct past *past = side->past;
    const struct settings *settings = &past->plan.settings;
    struct push_options options = {
        .encoding = ENCODING_IDENTITY,
        .decoder = {.format = shape->format, .body_bytes = body->text.length},
    };
    struct push *push = push_make(&options, settings, &past->arena);
    struct intake intake = {
        .batch = past->batch,
        .report = push == NULL ? NULL : &push->report,
        .scratch = &side->scratch,
        .settings = settings,
        .ledger = &past->ledger,
        .seed = past->engine->store.seed,
        .flush = apply,
        .context = past,
    };

    if (push == NULL ||
        push_feed(push, (struct bytes){body->text.at, body->text.length}, &intake).status !=
            STATUS_OK ||
        push_finish(push, &intake).status != STATUS_OK || push->report.accepted != body->samples)
        die("a push of %s was refused", shape->name);
    arena_reset(&past->arena);
}

static void push_many(struct side *side, const struct shape *shape, const struct bodies *bodies,
                      uint64_t pushes)
{
    for (uint64_t i = 0; i < pushes; i++)
        push_one(side, shape, &bodies->at[i % bodies->count]);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *first = a, *second = b;

    return (*first > *second) - (*first < *second);
}

/* Of a sample, in the middle round. */
static double middle_ns(struct side *side, uint32_t rounds)
{
    qsort(side->ns, rounds, sizeof(side->ns[0]), compare);
    return (double)side->ns[rounds / 2] / ROUND_SAMPLES;
}

static void tell(const struct shape *shape, double off, double on)
{
    char row[128];

    snprintf(row, sizeof(row), "%s: %.0f ns a sample without, %.0f with; with against without",
             shape->name, off, on);
    rows_told(row, "times", on / off);
}

static void shape_measure(const struct shape *shape, uint32_t rounds)
{
    struct bodies bodies = bodies_make(&shape->bodies);
    struct side sides[2] = {side_make(false), side_make(true)};
    uint64_t pushes = ROUND_SAMPLES / shape->bodies.samples;

    for (int side = 0; side < 2; side++)
        push_many(&sides[side], shape, &bodies, bodies.count); /* births */
    for (uint32_t round = 0; round < rounds; round++) {
        for (int side = 0; side < 2; side++) {
            uint64_t begun_ns = cpu_ns();

            push_many(&sides[side], shape, &bodies, pushes);
            sides[side].ns[round] = cpu_ns() - begun_ns;
        }
    }
    tell(shape, middle_ns(&sides[0], rounds), middle_ns(&sides[1], rounds));
    for (int side = 0; side < 2; side++)
        side_free(&sides[side]);
    bodies_free(&bodies);
}

static void run_once(const struct shape *shape, bool traced, uint64_t pushes)
{
    struct bodies bodies = bodies_make(&shape->bodies);
    struct side side = side_make(traced);

    push_many(&side, shape, &bodies, pushes);
    side_free(&side);
    bodies_free(&bodies);
}

static int usage(void)
{
    fputs("usage: bench-trace [--quick] | SHAPE off|on PUSHES\nshapes:", stderr);
    for (size_t i = 0; i < SHAPES; i++)
        fprintf(stderr, " %s", shapes[i].name);
    fputs("\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    bool quick = argc == 2 && strcmp(argv[1], "--quick") == 0;

    json_element_setup(1);
    if (argc == 4) {
        for (size_t i = 0; i < SHAPES; i++) {
            if (strcmp(argv[1], shapes[i].name) == 0) {
                run_once(&shapes[i], strcmp(argv[2], "on") == 0, strtoull(argv[3], NULL, 10));
                return EXIT_SUCCESS;
            }
        }
        return usage();
    }
    if (argc > 1 && !quick)
        return usage();
    rows_title("pushes without and with `trace`, CPU without HTTP");
    for (size_t i = 0; i < SHAPES; i++)
        shape_measure(&shapes[i], quick ? 5 : ROUNDS_MAX);
    return EXIT_SUCCESS;
}
