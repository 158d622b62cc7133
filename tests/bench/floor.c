/*
 * floor.c: the least work any aggregator does with a batch, without HTTP and without locks.
 *
 *     bench-floor [--samples 1000] [--series 10000] [--line-bytes 107] [--unsorted] [--rounds 15]
 *                 [--json]
 *
 * The bodies of bodies.h, one thread: find the newline, split name{labels} from the value, read the
 * number, hash the raw name{labels} (XXH3), find it in an open-addressing table, compare its bytes,
 * add. No check of names or escapes, no canonical order, no time, no windows: what a server needs
 * more than this is the price of being a service.
 *
 * A round is 1,000,000 samples. The median of the rounds' CPU time is told; totals are checked.
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "bodies.h"
#include "options.h"

#define ROUND_SAMPLES 1000000u
#define ROUNDS_MAX 1000u

struct slot {
    uint64_t hash;
    uint32_t key_at; /* in table.keys */
    uint32_t key_length;
    double total;
};

struct table {
    struct slot *slots;
    uint64_t mask;
    struct text keys;
    uint64_t count;
};

static void table_init(struct table *table, uint64_t series)
{
    uint64_t slots = 16;

    while (slots < 2 * series) /* at most half full: probes stay short */
        slots *= 2;
    *table = (struct table){.slots = zeroed(slots, sizeof(struct slot)), .mask = slots - 1};
}

static void table_free(struct table *table)
{
    free(table->slots);
    text_free(&table->keys);
}

static void table_enter(struct table *table, struct slot *slot, const char *key, size_t length,
                        uint64_t hash)
{
    if (++table->count > table->mask / 2 + 1 || table->keys.length + length > UINT32_MAX)
        die("more series than were announced");
    *slot = (struct slot){hash, (uint32_t)table->keys.length, (uint32_t)length, 0};
    text_add(&table->keys, key, length);
}

static void table_add(struct table *table, const char *key, size_t length, double value)
{
    uint64_t hash = XXH3_64bits(key, length);

    for (uint64_t i = hash;; i++) {
        struct slot *slot = &table->slots[i & table->mask];

        if (slot->key_length == 0)
            table_enter(table, slot, key, length, hash);
        if (slot->hash == hash && slot->key_length == length &&
            memcmp(table->keys.at + slot->key_at, key, length) == 0) {
            slot->total += value;
            return;
        }
    }
}

/* Digits with at most one point, as counters have them; everything else is left to strtod. The text
 * that holds the line ends with NUL or newline, so strtod stops there. */
static double number_of(const char *at, const char *end)
{
    uint64_t digits = 0;
    double scale = 1;
    const char *c = at;

    if (end - at > 15)
        return strtod(at, NULL);
    for (; c < end && *c >= '0' && *c <= '9'; c++)
        digits = digits * 10 + (uint64_t)(*c - '0');
    if (c < end && *c == '.') {
        for (c++; c < end && *c >= '0' && *c <= '9'; c++) {
            digits = digits * 10 + (uint64_t)(*c - '0');
            scale *= 10;
        }
    }
    return c == end ? (double)digits / scale : strtod(at, NULL);
}

/* The last '}' closes the labels: neither a value nor a timestamp holds one. */
static void line_add(struct table *table, const char *line, const char *end)
{
    const char *close = memrchr(line, '}', (size_t)(end - line));
    const char *key_end = close != NULL ? close + 1 : memchr(line, ' ', (size_t)(end - line));

    if (key_end == NULL || key_end + 1 >= end)
        die("a line without a value");
    table_add(table, line, (size_t)(key_end - line), number_of(key_end + 1, end));
}

static void body_aggregate(struct table *table, const struct text *body)
{
    const char *at = body->at;
    const char *end = body->at + body->length;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        if (newline == NULL)
            die("a body that does not end with a newline");
        if (*at != '#')
            line_add(table, at, newline);
        at = newline + 1;
    }
}

static uint64_t thread_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* CPU ns for each sample, over whole rotations of the bodies. `expected` grows by what was sent. */
static double round_run(struct table *table, const struct bodies *bodies, double *expected)
{
    uint64_t samples = 0;
    uint64_t begun = thread_cpu_ns();

    while (samples < ROUND_SAMPLES) {
        for (size_t k = 0; k < bodies->count; k++) {
            body_aggregate(table, &bodies->at[k].text);
            samples += bodies->at[k].samples;
            *expected += bodies->at[k].value_sum;
        }
    }
    return (double)(thread_cpu_ns() - begun) / (double)samples;
}

static void totals_check(const struct table *table, uint64_t series, double expected)
{
    double sum = 0;

    for (uint64_t i = 0; i <= table->mask; i++)
        sum += table->slots[i].total;
    if (sum != expected || table->count != series) /* quarters: exact */
        die("the totals are wrong: %.17g of %llu series, sent %.17g of %llu", sum,
            (unsigned long long)table->count, expected, (unsigned long long)series);
}

static int double_compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    struct options options = options_parse(argc, argv);
    struct bodies bodies;
    struct table table;
    double ns[ROUNDS_MAX];
    double expected = 0;

    if (options.rounds == 0 || options.rounds > ROUNDS_MAX || options.shape.format != BODIES_PROM ||
        options.shape.gzip)
        die("1 .. %u rounds of plain Prometheus text", ROUNDS_MAX);
    bodies = bodies_make(&options.shape);
    table_init(&table, options.shape.series);
    round_run(&table, &bodies, &expected); /* enters the keys, warms the caches: not counted */
    for (uint64_t i = 0; i < options.rounds; i++)
        ns[i] = round_run(&table, &bodies, &expected);
    totals_check(&table, options.shape.series, expected);
    qsort(ns, options.rounds, sizeof(ns[0]), double_compare);
    printf(options.json ? "{\"cpu_ns_per_sample\":%.1f,\"min\":%.1f,\"max\":%.1f}\n"
                        : "floor: %.1f ns a sample (%.1f .. %.1f)\n",
           ns[options.rounds / 2], ns[0], ns[options.rounds - 1]);
    table_free(&table);
    bodies_free(&bodies);
    return EXIT_SUCCESS;
}
