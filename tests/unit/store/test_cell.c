/*
 * test_cell.c: sections that are written, read back and added up, beside the tallies they were made
 * of and a loop over these. A section is copied to memory of just its size, so that a sanitizer
 * sees who reads beyond it.
 */
#include "store/cell.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

Suite *cell_suite(void);

#define START_MS TEST_START_MS
#define SPAN_MS 600000 /* of the window: 10 minutes, the longest */
#define CELLS_MAX 400
#define GROUPS 6

union sketch {
    struct exp_histogram histogram;
    struct hyperloglog set;
    struct classic classic;
};

static const enum kind kinds[] = {KIND_COUNTER, KIND_GAUGE,   KIND_HISTOGRAM,
                                  KIND_SET,     KIND_CLASSIC, KIND_SUMMARY};

/* What was written: the model. */
static struct tally tallies[CELLS_MAX];
static union sketch sketches[CELLS_MAX];
static uint64_t sequences[CELLS_MAX];
static size_t ends[CELLS_MAX + 1]; /* of cells, in the section */
static uint8_t bytes[CELLS_MAX * CELL_BYTES_MAX];

/* ---- random tallies ---- */

static const double numbers[] = {
    0,           1,      255,     256,    65535,  65536, 0x1p32 - 1, 0x1p32,  0x1p53,
    -0.0,        -1,     0.5,     255.5,  -65535, 1e308, -1e308,     DBL_MAX, DBL_TRUE_MIN,
    DBL_MIN / 2, 1e-300, 65534.5, 0x1p31, 0x1p64, 0.1,
};

static const uint64_t counts[] = {2, 127, 128, 255, 16384, UINT64_C(1) << 32, UINT64_C(1) << 50};
static const uint64_t steps[] = {1, 2, 15, 16, 17, 143, 144, 1000000, UINT64_C(1) << 40};

static double random_number(struct random *random)
{
    uint64_t form = random_below(random, 4);
    if (form == 0)
        return numbers[random_below(random, COUNT_OF(numbers))];
    if (form == 1)
        return (double)(random_next(random) >> 32 >> random_below(random, 32));
    return (double)random_below(random, 1000000) / 16 - (form == 2 ? 0 : 1000);
}

static void random_sketch(union sketch *sketch, enum kind kind, struct random *random)
{
    if (kind == KIND_HISTOGRAM) {
        exp_histogram_init(&sketch->histogram);
        for (uint64_t n = random_below(random, 60); n > 0; n--)
            exp_histogram_observe(&sketch->histogram, random_number(random) / 1000);
    } else if (kind == KIND_SET) {
        hyperloglog_init(&sketch->set);
        for (uint64_t n = random_below(random, 8) == 0 ? 3000 : 9; n > 0; n--)
            hyperloglog_add(&sketch->set, random_next(random));
    } else if (kind == KIND_CLASSIC) {
        static const double bounds[] = {0.1, 0.2, 0.5, 1, 2, 5};
        bool whole = random_below(random, 4) != 0;
        classic_init(&sketch->classic);
        sketch->classic.has_buckets = random_below(random, 8) != 0;
        for (size_t i = 0; sketch->classic.has_buckets && i < COUNT_OF(bounds); i++) {
            if (random_below(random, 16) == 0)
                continue;
            uint32_t at = sketch->classic.bound_count++;
            sketch->classic.bounds[at] = bounds[i];
            sketch->classic.open[at] = (at == 0 ? 0 : sketch->classic.open[at - 1]) +
                                       (double)random_below(random, 300) * (whole ? 1 : 0.3);
        }
    }
}

/* Equal samples, or numbers that have nothing to do with each other. */
static void random_numbers(struct tally *tally, struct random *random)
{
    double value = random_number(random);
    bool level = random_below(random, 3) != 0;
    tally->count = random_below(random, 3) != 0 ? 1 : counts[random_below(random, 7)];
    tally->min = tally->max = tally->last = value;
    tally->sum = value * (double)tally->count;
    if (level)
        return;
    tally->sum = random_number(random);
    tally->min = random_number(random);
    tally->max = random_number(random);
    tally->last = random_number(random);
}

static void random_tally(uint32_t i, enum kind kind, struct random *random)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, -NAN};
    struct tally *tally = &tallies[i];
    memset(tally, 0, sizeof *tally);
    random_numbers(tally, random);
    if (kind == KIND_GAUGE && random_below(random, 4) == 0)
        tally->last = odd[random_below(random, COUNT_OF(odd))];
    /* Often the same, where the one added later stands. */
    tally->last_ms =
        START_MS + (int64_t)random_below(random, random_below(random, 2) == 0 ? 2 : SPAN_MS);
    if (tally_sketch_bytes(kind) > 0 && random_below(random, 8) != 0) {
        random_sketch(&sketches[i], kind, random);
        tally->sketch = &sketches[i];
    }
}

/* ---- sections ---- */

/* The first `cut` bytes in a piece of their own; none when it is 0. */
static struct section section_make(enum kind kind, uint32_t cells, size_t cut)
{
    struct section section = {.kind = kind, .start_ms = START_MS, .cells = cells};
    size_t from = 0;
    for (int i = cut == 0; i < 2; i++) {
        size_t end = i == 0 ? cut : ends[cells];
        uint8_t *piece = malloc(end - from + SKETCH_BYTES_BEHIND);
        CHECK_THAT(piece != NULL || end == from);
        memcpy(piece, bytes + from, end - from);
        section.piece[cut == 0 ? 0 : i] = piece;
        section.piece_bytes[cut == 0 ? 0 : i] = end - from;
        from = end;
    }
    return section;
}

static void section_free(struct section *section)
{
    free((void *)section->piece[0]);
    free((void *)section->piece[1]);
}

static void cell_put(struct cell_writer *writer, uint32_t i)
{
    size_t length = cell_write(writer, sequences[i], &tallies[i], bytes + ends[i]);
    CHECK_THAT(length > 0 && length <= CELL_BYTES_MAX);
    ends[i + 1] = ends[i] + length;
}

static void section_fill(enum kind kind, uint32_t cells, struct random *random)
{
    struct cell_writer writer;
    uint64_t sequence = random_below(random, 2) == 0 ? 0 : random_below(random, 100);
    cell_writer_init(&writer, kind, START_MS);
    bool near = random_below(random, 2) == 0;
    for (uint32_t i = 0; i < cells; i++) {
        random_tally(i, kind, random);
        sequences[i] = sequence;
        cell_put(&writer, i);
        sequence += near ? 1 : steps[random_below(random, COUNT_OF(steps))];
    }
}

/* ---- reading ---- */

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool is_child(enum kind kind)
{
    return kind == KIND_CLASSIC || kind == KIND_SUMMARY;
}

static void check_sketch(const struct tally *actual, const struct tally *expected, enum kind kind)
{
    static union sketch empty;
    struct tally nothing = {.sketch = &empty};
    if (expected->sketch == NULL)
        tally_reset(&nothing, kind);
    const union sketch *a = actual->sketch;
    const union sketch *b = expected->sketch == NULL ? &empty : expected->sketch;
    if (kind != KIND_CLASSIC) {
        CHECK_THAT(memcmp(a, b, tally_sketch_bytes(kind)) == 0);
        return;
    }
    size_t size = b->classic.bound_count * sizeof(double);
    CHECK_THAT(a->classic.has_buckets == b->classic.has_buckets);
    CHECK_THAT(a->classic.bound_count == b->classic.bound_count);
    CHECK_THAT(memcmp(a->classic.bounds, b->classic.bounds, size) == 0);
    CHECK_THAT(memcmp(a->classic.open, b->classic.open, size) == 0);
}

/* To the last bit, as far as the kind has the number. */
static void check_same(const struct tally *actual, const struct tally *expected, enum kind kind)
{
    CHECK_THAT(actual->count == expected->count);
    CHECK_THAT(same(actual->sum, expected->sum));
    if (!is_child(kind)) {
        CHECK_THAT(same(actual->min, expected->min));
        CHECK_THAT(same(actual->max, expected->max));
    }
    if (is_child(kind) || kind == KIND_GAUGE)
        CHECK_THAT(same(actual->last, expected->last));
    if (kind == KIND_GAUGE)
        CHECK_THAT(actual->last_ms == expected->last_ms);
    if (actual->sketch != NULL)
        check_sketch(actual, expected, kind);
}

static void check_read(enum kind kind, uint32_t cells, size_t cut, bool wants_sketches)
{
    static union sketch sketch;
    struct tally tally = {.sketch = wants_sketches ? &sketch : NULL};
    struct section section = section_make(kind, cells, cut);
    struct cell_reader reader;
    uint64_t sequence;
    cell_reader_init(&reader, &section);
    for (uint32_t i = 0; i < cells; i++) {
        CHECK_THAT(cell_read(&reader, &sequence, &tally));
        CHECK_THAT(sequence == sequences[i]);
        check_same(&tally, &tallies[i], kind);
    }
    CHECK_THAT(!cell_read(&reader, &sequence, &tally));
    CHECK_THAT(!cell_peek(&reader, &sequence));
    section_free(&section);
}

START_TEST(cells_come_back_to_the_last_bit)
{
    enum kind kind = kinds[_i];
    struct random random = {TEST_SEED + (uint64_t)_i};
    for (int round = 0; round < 40; round++) {
        uint32_t cells = (uint32_t)random_below(&random, CELLS_MAX + 1);
        section_fill(kind, cells, &random);
        check_read(kind, cells, 0, tally_sketch_bytes(kind) > 0);
        check_read(kind, cells, 0, false);
    }
}
END_TEST

START_TEST(a_section_may_be_cut_behind_any_cell)
{
    enum kind kind = kinds[_i];
    struct random random = {TEST_SEED + 10 + (uint64_t)_i};
    section_fill(kind, 60, &random);
    for (uint32_t cut = 1; cut <= 60; cut++)
        check_read(kind, 60, ends[cut], tally_sketch_bytes(kind) > 0);
}
END_TEST

START_TEST(a_first_piece_may_be_empty)
{
    struct random random = {TEST_SEED};
    struct tally tally = {0};
    struct cell_reader reader;
    uint64_t sequence;
    section_fill(KIND_COUNTER, 1, &random);
    struct section section = section_make(KIND_COUNTER, 1, 0);
    section.piece[1] = section.piece[0];
    section.piece_bytes[1] = section.piece_bytes[0];
    section.piece_bytes[0] = 0;
    cell_reader_init(&reader, &section);
    ck_assert(cell_read(&reader, &sequence, &tally));
    ck_assert(!cell_read(&reader, &sequence, &tally));
    free((void *)section.piece[1]);
}
END_TEST

/* Each number alone, by itself and with a count: what decides on the width. */
START_TEST(every_number_comes_back)
{
    struct cell_writer writer;
    uint32_t cells = 0;
    enum kind kind = _i == 0 ? KIND_COUNTER : KIND_GAUGE;
    cell_writer_init(&writer, kind, START_MS);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        for (size_t k = 0; k < COUNT_OF(numbers) && cells < CELLS_MAX; k += 7) {
            double other = numbers[k];
            tallies[cells] = (struct tally){.count = 1 + k,
                                            .sum = numbers[i],
                                            .min = other,
                                            .max = numbers[i],
                                            .last = other,
                                            .last_ms = START_MS};
            sequences[cells] = cells;
            cell_put(&writer, cells++);
            tallies[cells] = (struct tally){.count = 1,
                                            .sum = numbers[i],
                                            .min = numbers[i],
                                            .max = numbers[i],
                                            .last = numbers[i],
                                            .last_ms = START_MS};
            sequences[cells] = cells;
            cell_put(&writer, cells++);
        }
    }
    check_read(kind, cells, 0, false);
}
END_TEST

/* 0.0 and -0.0 are equal, but not the same number. */
START_TEST(signs_of_zeros_are_kept_apart)
{
    struct cell_writer writer;
    cell_writer_init(&writer, KIND_GAUGE, START_MS);
    for (uint32_t i = 0; i < 32; i++) {
        double zeros[] = {0.0, -0.0};
        tallies[i] = (struct tally){.count = 1 + i / 16,
                                    .sum = zeros[i & 1],
                                    .min = zeros[i >> 1 & 1],
                                    .max = zeros[i >> 2 & 1],
                                    .last = zeros[i >> 3 & 1],
                                    .last_ms = START_MS};
        sequences[i] = i;
        cell_put(&writer, i);
    }
    check_read(KIND_GAUGE, 32, 0, false);
}
END_TEST

START_TEST(a_late_sample_is_as_if_it_began_the_window)
{
    struct cell_writer writer;
    struct tally tally = {.sketch = NULL};
    struct cell_reader reader;
    uint64_t sequence;
    cell_writer_init(&writer, KIND_GAUGE, START_MS);
    tallies[0] = (struct tally){.count = 1, .last_ms = START_MS - 5000};
    sequences[0] = 3;
    cell_put(&writer, 0);
    struct section section = section_make(KIND_GAUGE, 1, 0);
    cell_reader_init(&reader, &section);
    ck_assert(cell_read(&reader, &sequence, &tally));
    ck_assert_int_eq(tally.last_ms, START_MS);
    section_free(&section);
}
END_TEST

START_TEST(what_is_peeked_at_and_taken_adds_up)
{
    static union sketch taken_sketch;
    static union sketch added_sketch;
    enum kind kind = kinds[_i];
    struct random random = {TEST_SEED + 20 + (uint64_t)_i};
    struct cell_reader reader;
    uint64_t sequence;
    bool has_sketch = tally_sketch_bytes(kind) > 0;
    struct tally taken = {.sketch = has_sketch ? &taken_sketch : NULL};
    struct tally added = {.sketch = has_sketch ? &added_sketch : NULL};
    for (int round = 0; round < 20; round++) {
        section_fill(kind, 100, &random);
        struct section section = section_make(kind, 100, ends[1 + round]);
        tally_reset(&taken, kind);
        tally_reset(&added, kind);
        cell_reader_init(&reader, &section);
        for (uint32_t i = 0; i < 100; i++) {
            CHECK_THAT(cell_peek(&reader, &sequence) && sequence == sequences[i]);
            CHECK_THAT(cell_peek(&reader, &sequence) && sequence == sequences[i]);
            cell_take(&reader, &taken);
            tally_add(&added, &tallies[i], kind);
            check_same(&taken, &added, kind);
        }
        CHECK_THAT(!cell_peek(&reader, &sequence));
        section_free(&section);
    }
}
END_TEST

/* What everything else here is compared with, in numbers written down. */
START_TEST(the_latest_of_a_gauge_stands)
{
    struct tally into = {.sketch = NULL};
    struct tally from = {.count = 2, .sum = 5, .min = 2, .max = 3, .last = 2, .last_ms = 70};
    tally_reset(&into, KIND_GAUGE);
    ck_assert_uint_eq(tally_add(&into, &from, KIND_GAUGE), 0);
    from = (struct tally){.count = 1, .sum = 9, .min = 9, .max = 9, .last = 9, .last_ms = 60};
    tally_add(&into, &from, KIND_GAUGE);
    ck_assert(into.last == 2 && into.last_ms == 70);
    from = (struct tally){.count = 1, .sum = 1, .min = 1, .max = 1, .last = 1, .last_ms = 70};
    tally_add(&into, &from, KIND_GAUGE);
    ck_assert(into.last == 1 && into.last_ms == 70);
    ck_assert(into.count == 4 && into.sum == 15 && into.min == 1 && into.max == 9);
}
END_TEST

START_TEST(bounds_that_are_lost_are_told)
{
    static struct classic a;
    static struct classic b;
    struct tally into = {.classic = &a};
    struct tally from = {.count = 1, .sum = 3, .last = 9, .classic = &b};
    tally_reset(&into, KIND_CLASSIC);
    classic_init(&b);
    b = (struct classic){.has_buckets = true, .bound_count = 2, .bounds = {1, 2}, .open = {3, 5}};
    ck_assert_uint_eq(tally_add(&into, &from, KIND_CLASSIC), 0);
    b.bounds[1] = 3;
    ck_assert_uint_eq(tally_add(&into, &from, KIND_CLASSIC), 2);
    ck_assert_uint_eq(a.bound_count, 1);
    ck_assert(a.open[0] == 6);
    ck_assert(into.last == 18 && into.sum == 6 && into.count == 2);
}
END_TEST

/* ---- by group ---- */

/* The groups of a family: of some of the series that have cells, and of some that have none. */
struct members {
    uint64_t sequences[2 * CELLS_MAX];
    uint16_t groups[2 * CELLS_MAX];
    uint32_t count;
    uint16_t gone;
    uint64_t sequence_end;
};

static void members_make(struct members *members, uint32_t cells, struct random *random)
{
    uint64_t next = 0;
    uint64_t ended = random_below(random, 3) == 0 ? 4 : UINT64_MAX; /* one in that many has */
    members->count = 0;
    for (uint32_t i = 0; i < cells; i++) {
        if (next < sequences[i] && random_below(random, 4) == 0)
            members->sequences[members->count++] = next; /* had no sample in this window */
        next = sequences[i] + 1;
        if (random_below(random, ended) != 0)
            members->sequences[members->count++] = sequences[i];
    }
    for (uint32_t i = 0; i < members->count; i++) {
        uint16_t group = (uint16_t)random_below(random, GROUPS + 1);
        members->groups[i] = group == GROUPS ? GROUP_NONE : group;
    }
    members->gone = random_below(random, 2) == 0 ? GROUP_NONE : GROUPS - 1;
    members->sequence_end = cells == 0 ? 0 : sequences[random_below(random, cells)];
}

static uint16_t group_in(const struct members *members, uint64_t sequence)
{
    for (uint32_t i = 0; i < members->count; i++) {
        if (members->sequences[i] == sequence)
            return members->groups[i];
    }
    return sequence < members->sequence_end ? members->gone : GROUP_NONE;
}

struct sums {
    struct tally tallies[GROUPS];
    union sketch sketches[GROUPS];
};

static void sums_reset(struct sums *sums, enum kind kind, bool wants_sketches)
{
    memset(sums, 0, sizeof *sums);
    for (int i = 0; i < GROUPS; i++) {
        sums->tallies[i].sketch = wants_sketches ? &sums->sketches[i] : NULL;
        tally_reset(&sums->tallies[i], kind);
    }
}

static void check_groups(enum kind kind, uint32_t cells, const struct members *members, size_t cut,
                         bool extremes, bool wants_sketches, uint32_t most)
{
    static struct sums expected;
    static struct sums actual;
    struct cell_reader reader;
    struct groups_of groups = {members->sequences, members->groups,      members->count, 0,
                               members->gone,      members->sequence_end};
    sums_reset(&expected, kind, wants_sketches);
    sums_reset(&actual, kind, wants_sketches);
    for (uint32_t i = 0; i < cells; i++) {
        uint16_t group = group_in(members, sequences[i]);
        if (group != GROUP_NONE)
            tally_add(&expected.tallies[group], &tallies[i], kind);
    }
    struct section section = section_make(kind, cells, cut);
    cell_reader_init(&reader, &section);
    uint32_t slices = 0;
    while (cells_add(&reader, &groups, actual.tallies, extremes, most))
        slices++;
    CHECK_THAT(slices == cells / most);
    for (int i = 0; i < GROUPS; i++) {
        if (!extremes || kind == KIND_SET) { /* not kept */
            actual.tallies[i].min = expected.tallies[i].min;
            actual.tallies[i].max = expected.tallies[i].max;
        }
        check_same(&actual.tallies[i], &expected.tallies[i], kind);
    }
    section_free(&section);
}

START_TEST(cells_add_up_by_group)
{
    static struct members members;
    static const uint32_t slices[] = {1, 2, 7, 64, CELLS_MAX - 1, CELLS_MAX, UINT32_MAX};
    enum kind kind = kinds[_i % 6];
    struct random random = {TEST_SEED + 30 + (uint64_t)_i};
    for (int round = 0; round < 40; round++) {
        uint32_t cells = (uint32_t)random_below(&random, CELLS_MAX + 1);
        uint32_t most = slices[random_below(&random, COUNT_OF(slices))];
        section_fill(kind, cells, &random);
        members_make(&members, cells, &random);
        size_t cut = ends[random_below(&random, (uint64_t)cells + 1)];
        bool wants_sketches = tally_sketch_bytes(kind) > 0 && round % 2 == 0;
        check_groups(kind, cells, &members, cut, round % 4 < 2, wants_sketches, most);
    }
}
END_TEST

/* Long runs of equal heads, which are read another way, and what may end them. */
START_TEST(runs_of_equal_cells_add_up)
{
    static struct members members;
    static const double widths[] = {1.5, 200, 60000, 0x1p31};
    struct random random = {TEST_SEED + 50 + (uint64_t)_i};
    enum kind kind = _i % 2 == 0 ? KIND_COUNTER : KIND_GAUGE;
    for (int round = 0; round < 100; round++) {
        struct cell_writer writer;
        uint64_t sequence = 0;
        cell_writer_init(&writer, kind, START_MS);
        for (uint32_t i = 0, left = 0; i<CELLS_MAX; i++, left -= left> 0) {
            static uint64_t step;
            static double value;
            if (left == 0) {
                step = steps[random_below(&random, 5)];
                value = widths[random_below(&random, 4)];
                left = 1 + (uint32_t)random_below(&random, 40);
            }
            uint64_t count = random_below(&random, 60) == 0 ? 3 : 1;
            double sum = value * (double)count;
            tallies[i] = (struct tally){.count = count,
                                        .sum = sum,
                                        .min = value,
                                        .max = value,
                                        .last = value,
                                        .last_ms = START_MS + (int64_t)i};
            sequences[i] = sequence;
            cell_put(&writer, i);
            sequence += step;
        }
        members_make(&members, CELLS_MAX, &random);
        size_t cut = ends[random_below(&random, CELLS_MAX + 1)];
        uint32_t most = 1 + (uint32_t)random_below(&random, 2 * CELLS_MAX);
        check_groups(kind, CELLS_MAX, &members, cut, round % 2 == 0, false, most);
    }
}
END_TEST

/* Slices may end between a classic histogram's bounds and those that do not repeat them. */
START_TEST(bounds_follow_cells_that_are_passed_over)
{
    static struct members members;
    struct random random = {TEST_SEED + 60};
    section_fill(KIND_CLASSIC, CELLS_MAX, &random);
    for (uint32_t i = 0; i < CELLS_MAX; i++) {
        members.sequences[i] = sequences[i];
        members.groups[i] = i % 10 == 9 ? 0 : GROUP_NONE;
    }
    members.count = CELLS_MAX;
    check_groups(KIND_CLASSIC, CELLS_MAX, &members, 0, false, true, 7);
}
END_TEST

/* ---- sizes: what cell.h promises ---- */

static size_t size_of(enum kind kind, uint64_t sequence, const struct tally *tally)
{
    struct cell_writer writer;
    cell_writer_init(&writer, kind, START_MS);
    sequences[0] = sequence;
    tallies[0] = *tally;
    cell_put(&writer, 0);
    check_read(kind, 1, 0, false);
    return ends[1];
}

static struct tally level(double value, uint64_t count)
{
    return (struct tally){.count = count,
                          .sum = value * (double)count,
                          .min = value,
                          .max = value,
                          .last = value,
                          .last_ms = START_MS + SPAN_MS - 1};
}

START_TEST(a_counter_takes_no_more_than_its_number_needs)
{
    static const struct {
        double value;
        uint64_t count;
        uint64_t sequence;
        size_t bytes;
    } rows[] = {
        {0, 1, 0, 2},     {255, 1, 14, 2},        {256, 1, 0, 3},         {65535, 1, 0, 3},
        {65536, 1, 0, 5}, {0x1p32 - 1, 1, 0, 5},  {0x1p32, 1, 0, 9},      {0.1, 1, 14, 9},
        {0.1, 1, 15, 10}, {0.1, 1, 15 + 127, 10}, {0.1, 1, 15 + 128, 11}, {3, 127, 0, 3},
        {3, 128, 0, 4},   {0.1, 1000000, 0, 12},  {-0.0, 1, 0, 9},
    };
    struct tally tally = level(rows[_i].value, rows[_i].count);
    ck_assert_uint_eq(size_of(KIND_COUNTER, rows[_i].sequence, &tally), rows[_i].bytes);
}
END_TEST

START_TEST(cells_of_numbers_are_as_short_as_promised)
{
    struct random random = {TEST_SEED};
    for (int round = 0; round < 3000; round++) {
        uint64_t sequence = random_below(&random, 15);
        uint64_t count = 2 + random_below(&random, (1 << 21) - 2);
        struct tally one = level(random_number(&random), 1);
        struct tally equal = level((double)random_below(&random, 1u << 31), count);
        struct tally several = {.count = count,
                                .sum = random_number(&random),
                                .min = random_number(&random),
                                .max = random_number(&random),
                                .last = random_number(&random),
                                .last_ms = START_MS + SPAN_MS - 1};
        CHECK_THAT(size_of(KIND_COUNTER, sequence, &one) <= 10);
        CHECK_THAT(size_of(KIND_COUNTER, sequence, &equal) <= 14);
        CHECK_THAT(size_of(KIND_COUNTER, sequence, &several) <= 29);
        CHECK_THAT(size_of(KIND_GAUGE, sequence, &one) <= 13);
        CHECK_THAT(size_of(KIND_GAUGE, sequence, &several) <= 40);
    }
}
END_TEST

/* Everything at its largest at once: CELL_BYTES_MAX must hold it. */
START_TEST(the_longest_cell_fits)
{
    static struct hyperloglog set;
    struct random random = {TEST_SEED};
    struct tally tally = {
        .count = UINT64_MAX, .sum = 0.1, .min = 0.2, .max = 0.3, .last = NAN, .last_ms = INT64_MAX};
    ck_assert_uint_eq(size_of(KIND_GAUGE, UINT64_MAX - 1, &tally), 1 + 10 + 10 + 32 + 9);
    for (int i = 0; i < 100000; i++)
        hyperloglog_add(&set, random_next(&random));
    tally.set = &set;
    ck_assert_uint_eq(size_of(KIND_SET, UINT64_MAX - 1, &tally), 1 + 10 + 10 + 24 + 2 + 3074);
}
END_TEST

/* ---- promises ---- */

START_TEST(a_broken_promise_stops)
{
    struct cell_writer writer;
    struct cell_reader reader;
    struct tally tally = level(1, 1);
    struct tally none = {0};
    struct section section = {.kind = KIND_COUNTER};
    struct groups_of groups = {0};
    uint64_t sequence;
    cell_writer_init(&writer, KIND_COUNTER, START_MS);
    section.piece[0] = bytes;
    section.piece_bytes[0] = cell_write(&writer, 7, &tally, bytes);
    cell_reader_init(&reader, &section);
    test_expect_stop();
    if (_i == 0) {
        cell_write(&writer, 7, &tally, bytes); /* a sequence number that does not rise */
    } else if (_i == 1) {
        cell_write(&writer, 8, &none, bytes); /* nothing to say */
    } else if (_i == 2) {
        cell_take(&reader, &tally); /* not peeked at */
    } else {
        cell_peek(&reader, &sequence);
        cells_add(&reader, &groups, &tally, true, 1); /* a cell half read */
    }
}
END_TEST

Suite *cell_suite(void)
{
    Suite *suite = suite_create("cell");
    TCase *reading = tcase_create("reading");
    tcase_set_timeout(reading, 60);
    tcase_add_loop_test(reading, cells_come_back_to_the_last_bit, 0, 6);
    tcase_add_loop_test(reading, a_section_may_be_cut_behind_any_cell, 0, 6);
    tcase_add_test(reading, a_first_piece_may_be_empty);
    tcase_add_loop_test(reading, every_number_comes_back, 0, 2);
    tcase_add_test(reading, signs_of_zeros_are_kept_apart);
    tcase_add_test(reading, a_late_sample_is_as_if_it_began_the_window);
    tcase_add_loop_test(reading, what_is_peeked_at_and_taken_adds_up, 0, 6);
    tcase_add_test(reading, the_latest_of_a_gauge_stands);
    tcase_add_test(reading, bounds_that_are_lost_are_told);
    suite_add_tcase(suite, reading);
    TCase *groups = tcase_create("groups");
    tcase_set_timeout(groups, 60);
    tcase_add_loop_test(groups, cells_add_up_by_group, 0, 12);
    tcase_add_loop_test(groups, runs_of_equal_cells_add_up, 0, 4);
    tcase_add_test(groups, bounds_follow_cells_that_are_passed_over);
    suite_add_tcase(suite, groups);
    TCase *sizes = tcase_create("sizes");
    tcase_add_loop_test(sizes, a_counter_takes_no_more_than_its_number_needs, 0, 15);
    tcase_add_test(sizes, cells_of_numbers_are_as_short_as_promised);
    tcase_add_test(sizes, the_longest_cell_fits);
    suite_add_tcase(suite, sizes);
    TCase *promises = tcase_create("promises");
    tcase_add_loop_test_raise_signal(promises, a_broken_promise_stops, SIGABRT, 0, 4);
    suite_add_tcase(suite, promises);
    return suite;
}
