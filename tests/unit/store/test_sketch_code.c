/* test_sketch_code.c: what is coded, added to something, beside the merge of what was coded. */
#include "store/sketch_code.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Suite *sketch_code_suite(void);

#define POSITIVE EXP_HISTOGRAM_POSITIVE
#define NEGATIVE EXP_HISTOGRAM_NEGATIVE

/* Just as long as what is coded, so that a sanitizer sees whoever reads beyond it. */
struct code {
    uint8_t *at;
    size_t length;
};

static struct code code_of(const uint8_t *from, const uint8_t *end)
{
    struct code code = {.length = (size_t)(end - from)};
    CHECK_THAT(code.length > 0 && code.length <= SKETCH_BYTES_MAX);
    code.at = malloc(code.length + SKETCH_BYTES_BEHIND);
    CHECK_THAT(code.at != NULL);
    memcpy(code.at, from, code.length);
    return code;
}

/* ---- numbers ---- */

START_TEST(a_number_takes_seven_bits_a_byte)
{
    for (unsigned bits = 0; bits <= 64; bits++) {
        uint64_t value = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
        uint8_t bytes[11];
        const uint8_t *at = bytes;
        uint8_t *end = varint_write(bytes, value);
        ck_assert_int_eq(end - bytes, bits == 0 ? 1 : (bits + 6) / 7);
        ck_assert_uint_eq(varint_read(&at), value);
        ck_assert_ptr_eq(at, end);
    }
}
END_TEST

/* ---- histograms ---- */

static double unit(struct random *random)
{
    return ((double)(random_next(random) >> 11) + 0.5) * 0x1p-53;
}

static double sign(struct random *random)
{
    return random_below(random, 2) == 0 ? 1 : -1;
}

static double shape_zero(struct random *random)
{
    (void)random;
    return 0;
}

static double shape_single(struct random *random)
{
    (void)random;
    return 0.0123;
}

static double shape_window(struct random *random)
{
    return exp2(2 * unit(random));
}

static double shape_narrow(struct random *random)
{
    return 7 + 1e-5 * unit(random);
}

static double shape_mixed(struct random *random)
{
    return random_below(random, 10) == 0 ? 0 : sign(random) * exp2(8 * unit(random));
}

static double shape_negative(struct random *random)
{
    return -exp2(20 * unit(random));
}

static double shape_sparse(struct random *random)
{
    return exp2((double)random_below(random, 4) * 30);
}

static double shape_decades(struct random *random)
{
    return sign(random) * pow(10, 616 * unit(random) - 308);
}

static double shape_edges(struct random *random)
{
    static const double values[] = {DBL_MAX, DBL_TRUE_MIN, DBL_MIN, 1, 0};
    return sign(random) * values[random_below(random, COUNT_OF(values))];
}

static double (*const shapes[])(struct random *random) = {
    shape_zero,     shape_single, shape_window,  shape_narrow, shape_mixed,
    shape_negative, shape_sparse, shape_decades, shape_edges,
};

/* Raises what is in the buckets, so that they need two bytes each, or pairs of many. */
static void raise_counts(struct exp_histogram *h, struct random *random, unsigned bits)
{
    uint64_t sum = h->zero_count;
    for (size_t i = 0; i < COUNT_OF(h->counts); i++) {
        if (h->counts[i] > 0 && bits > 0)
            h->counts[i] = 1 + (random_next(random) >> (64 - bits));
        sum += h->counts[i];
    }
    h->count = sum;
    exp_histogram_verify(h);
}

static void fill(struct exp_histogram *h, struct random *random)
{
    static const unsigned bits[] = {0, 0, 0, 7, 8, 9, 15, 16, 17, 32, 48};
    double (*value)(struct random *) = shapes[random_below(random, COUNT_OF(shapes))];
    uint64_t values =
        random_below(random, 3) == 0 ? random_below(random, 4) : random_below(random, 400);
    exp_histogram_init(h);
    for (; values > 0; values--)
        exp_histogram_observe(h, value(random));
    raise_counts(h, random, bits[random_below(random, COUNT_OF(bits))]);
}

/* Coded and added to `into`: as if merged, byte for byte. */
static void check_added(const struct exp_histogram *from, const struct exp_histogram *into)
{
    static uint8_t bytes[SKETCH_BYTES_MAX];
    static struct exp_histogram merged;
    static struct exp_histogram added;
    struct code code = code_of(bytes, histogram_code_write(bytes, from));
    merged = *into;
    added = *into;
    exp_histogram_merge(&merged, from);
    histogram_code_add(code.at, &added);
    exp_histogram_verify(&added);
    CHECK_THAT(memcmp(&merged, &added, sizeof merged) == 0);
    free(code.at);
}

static size_t coded_bytes(const struct exp_histogram *h)
{
    static uint8_t bytes[SKETCH_BYTES_MAX];
    static struct exp_histogram empty;
    exp_histogram_init(&empty);
    check_added(h, &empty);
    return (size_t)(histogram_code_write(bytes, h) - bytes);
}

/* Scales from -5 to 20 meet: of what is added, and of what it is added to. */
START_TEST(a_coded_histogram_adds_as_it_merges)
{
    static struct exp_histogram from;
    static struct exp_histogram into;
    static struct exp_histogram empty;
    struct random random = {TEST_SEED + (uint64_t)_i};
    exp_histogram_init(&empty);
    for (int round = 0; round < 1500; round++) {
        fill(&from, &random);
        fill(&into, &random);
        check_added(&from, &into);
        check_added(&into, &from);
        check_added(&from, &empty);
        check_added(&empty, &into);
    }
}
END_TEST

/* One histogram takes many, as a group of a query does. */
START_TEST(many_coded_histograms_add_up)
{
    static struct exp_histogram from;
    static struct exp_histogram merged;
    static struct exp_histogram added;
    static uint8_t bytes[SKETCH_BYTES_MAX];
    struct random random = {TEST_SEED + 100 + (uint64_t)_i};
    exp_histogram_init(&merged);
    exp_histogram_init(&added);
    for (int round = 0; round < 300; round++) {
        fill(&from, &random);
        exp_histogram_merge(&merged, &from);
        histogram_code_write(bytes, &from);
        histogram_code_add(bytes, &added);
        CHECK_THAT(memcmp(&merged, &added, sizeof merged) == 0);
    }
    exp_histogram_verify(&added);
}
END_TEST

/* The finest scale of 0 and 1 buckets is lowered only by what has buckets. */
START_TEST(zeros_alone_leave_the_scale)
{
    static struct exp_histogram zeros;
    static struct exp_histogram coarse;
    struct random random = {TEST_SEED};
    exp_histogram_init(&zeros);
    exp_histogram_init(&coarse);
    exp_histogram_observe(&zeros, 0);
    for (int i = 0; i < 100; i++)
        exp_histogram_observe(&coarse, shape_decades(&random));
    ck_assert_int_lt(coarse.scale, 0);
    check_added(&zeros, &coarse);
    check_added(&coarse, &zeros);
    ck_assert_uint_eq(coded_bytes(&zeros), 3);
}
END_TEST

/* One value in each of `length` buckets next to each other, at scale 3, `count` times. */
static void in_a_row(struct exp_histogram *h, int sign_of, uint32_t length, uint32_t step,
                     uint64_t count)
{
    exp_histogram_init(h);
    for (uint32_t k = 0; k < length; k += step)
        exp_histogram_observe(h, sign_of * exp2(((double)k + 0.5) / 8));
    for (size_t i = 0; i < COUNT_OF(h->counts); i++)
        h->counts[i] *= count;
    h->count *= count;
    exp_histogram_verify(h);
}

START_TEST(buckets_in_a_row_take_a_byte_each_or_two)
{
    static struct exp_histogram h;
    int side = _i == 0 ? 1 : -1;
    in_a_row(&h, side, 120, 1, 1);
    ck_assert_int_eq(h.scale, 3);
    ck_assert_uint_eq(coded_bytes(&h), 3 + 2 + 120);
    in_a_row(&h, side, 120, 1, 255);
    ck_assert_uint_eq(coded_bytes(&h), 3 + 2 + 120);
    in_a_row(&h, side, 120, 1, 256);
    ck_assert_uint_eq(coded_bytes(&h), 3 + 2 + 240);
    in_a_row(&h, side, 120, 1, 65535);
    ck_assert_uint_eq(coded_bytes(&h), 3 + 2 + 240);
    in_a_row(&h, side, 120, 1, 65536);
    ck_assert_uint_eq(coded_bytes(&h), 3 + 2 + 480); /* a gap, and a number of three bytes */
}
END_TEST

START_TEST(few_buckets_far_apart_are_pairs)
{
    static struct exp_histogram h;
    in_a_row(&h, _i == 0 ? 1 : -1, 120, 30, 1); /* 4 of 91 */
    ck_assert_uint_eq(coded_bytes(&h), 3 + 2 + 4 * 2);
    in_a_row(&h, _i == 0 ? 1 : -1, 120, 3, 1); /* 40 of 118: too little is saved */
    ck_assert_uint_eq(coded_bytes(&h), 3 + 2 + 118);
}
END_TEST

START_TEST(the_longest_histogram_fits)
{
    static struct exp_histogram h;
    static struct exp_histogram half;
    in_a_row(&h, 1, 80, 1, 1);
    in_a_row(&half, -1, 80, 1, 1);
    exp_histogram_merge(&h, &half);
    ck_assert_uint_eq(h.range[POSITIVE].length + h.range[NEGATIVE].length,
                      EXP_HISTOGRAM_BUCKETS_MAX);
    uint64_t count = UINT64_C(1) << 56; /* 9 bytes of 7 bits; 160 of them stay below 2^64 */
    for (size_t i = 0; i < COUNT_OF(h.counts); i++)
        h.counts[i] = count;
    h.count = EXP_HISTOGRAM_BUCKETS_MAX * count;
    ck_assert_uint_eq(coded_bytes(&h), 3 + 2 * 2 + EXP_HISTOGRAM_BUCKETS_MAX * (1 + 9));
}
END_TEST

START_TEST(counts_of_63_bits_come_back)
{
    static struct exp_histogram h;
    exp_histogram_init(&h);
    exp_histogram_observe(&h, 3.5);
    h.count = h.counts[0] = UINT64_C(1) << 63;
    coded_bytes(&h);
    exp_histogram_init(&h);
    exp_histogram_observe(&h, -3.5);
    exp_histogram_observe(&h, 0);
    h.counts[EXP_HISTOGRAM_BUCKETS_MAX - 1] = UINT64_C(1) << 62;
    h.zero_count = UINT64_C(1) << 63;
    h.count = h.zero_count + (UINT64_C(1) << 62);
    coded_bytes(&h);
}
END_TEST

/* ---- sets ---- */

static void add_members(struct hyperloglog *set, struct random *random, uint64_t members)
{
    hyperloglog_init(set);
    for (; members > 0; members--)
        hyperloglog_add(set, random_next(random));
}

static size_t check_set(const struct hyperloglog *from, const struct hyperloglog *into)
{
    static uint8_t bytes[SKETCH_BYTES_MAX];
    struct hyperloglog merged = *into;
    struct hyperloglog added = *into;
    struct code code = code_of(bytes, set_code_write(bytes, from));
    hyperloglog_merge(&merged, from);
    set_code_add(code.at, &added);
    hyperloglog_verify(&added);
    CHECK_THAT(memcmp(&merged, &added, sizeof merged) == 0);
    free(code.at);
    return code.length;
}

START_TEST(a_coded_set_adds_as_it_merges)
{
    static const uint64_t members[] = {0, 1, 2, 10, 600, 900, 1000, 5000, 100000};
    struct random random = {TEST_SEED};
    struct hyperloglog from;
    struct hyperloglog into;
    add_members(&from, &random, members[_i]);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        add_members(&into, &random, members[i]);
        check_set(&from, &into);
        check_set(&into, &from);
        check_set(&from, &from);
    }
}
END_TEST

START_TEST(a_set_takes_five_bytes_a_place_and_3074_at_most)
{
    struct random random = {TEST_SEED};
    struct hyperloglog set;
    struct hyperloglog empty;
    hyperloglog_init(&empty);
    add_members(&set, &random, 0);
    ck_assert_uint_eq(check_set(&set, &empty), 2);
    for (uint64_t places = 1; places <= HYPERLOGLOG_PLANE_BYTES; places++) {
        hyperloglog_add(&set, (places - 1) << 52 | places); /* a register of a new place */
        size_t sparse = 2 + 5 * (size_t)places;
        ck_assert_uint_eq(check_set(&set, &empty), sparse < 3074 ? sparse : 3074);
    }
}
END_TEST

/* ---- classic histograms ---- */

/* Some bounds out of 1 .. 60, and counts that rise; whole ones, or not. */
static void classic_fill(struct classic *classic, struct random *random, bool whole)
{
    classic_init(classic);
    classic->has_buckets = random_below(random, 8) != 0;
    double count = 0;
    for (int bound = 1; classic->has_buckets && bound <= 60; bound++) {
        if (classic->bound_count == CHILD_BOUNDS_MAX || random_below(random, 2) == 0)
            continue;
        count += (double)random_below(random, 1000) * (whole ? 1 : 0.1);
        classic->bounds[classic->bound_count] = bound;
        classic->open[classic->bound_count++] = count;
    }
}

static size_t check_classic(const struct classic *classic, struct bounds *written,
                            struct bounds *read)
{
    static uint8_t bytes[SKETCH_BYTES_MAX];
    struct classic back;
    struct code code = code_of(bytes, classic_code_write(bytes, classic, written));
    memset(&back, 0xee, sizeof back);
    classic_code_read(code.at, read, &back);
    size_t size = classic->bound_count * sizeof(double);
    CHECK_THAT(back.has_buckets == classic->has_buckets);
    CHECK_THAT(back.bound_count == classic->bound_count);
    CHECK_THAT(memcmp(back.bounds, classic->bounds, size) == 0);
    CHECK_THAT(memcmp(back.open, classic->open, size) == 0);
    free(code.at);
    return code.length;
}

START_TEST(children_come_back_in_their_order)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    struct bounds written = {0};
    struct bounds read = {0};
    struct classic classic;
    classic_fill(&classic, &random, true);
    for (int round = 0; round < 2000; round++) {
        if (random_below(&random, 3) == 0)
            classic_fill(&classic, &random, random_below(&random, 2) == 0);
        check_classic(&classic, &written, &read);
    }
}
END_TEST

START_TEST(bounds_stand_once_while_they_stay)
{
    struct bounds written = {0};
    struct bounds read = {0};
    struct classic none = {0};
    struct classic classic = {
        .has_buckets = true, .bound_count = 3, .bounds = {0.1, 0.5, 1}, .open = {0, 2, 200}};
    ck_assert_uint_eq(check_classic(&classic, &written, &read), 1 + 1 + 3 * 8 + 1 + 1 + 2);
    ck_assert_uint_eq(check_classic(&classic, &written, &read), 1 + 1 + 1 + 2);
    ck_assert_uint_eq(check_classic(&none, &written, &read), 1);
    ck_assert_uint_eq(check_classic(&classic, &written, &read), 1 + 1 + 1 + 2);
    classic.bounds[1] = 0.6;
    ck_assert_uint_eq(check_classic(&classic, &written, &read), 1 + 1 + 3 * 8 + 1 + 1 + 2);
    classic.bound_count = 2;
    ck_assert_uint_eq(check_classic(&classic, &written, &read), 1 + 1 + 2 * 8 + 1 + 1);
}
END_TEST

START_TEST(counts_that_are_not_whole_are_doubles)
{
    static const double odd[][2] = {{0.5, 1},           {-0.0, 1}, {1, 0x1p53 + 2}, {1, INFINITY},
                                    {3, 2 /* falls */}, {1, 1.5},  {-1, 0}};
    struct bounds written = {0};
    struct bounds read = {0};
    struct classic classic = {.has_buckets = true, .bound_count = 2, .bounds = {1, 2}};
    memcpy(classic.open, odd[_i], sizeof odd[_i]);
    ck_assert_uint_eq(check_classic(&classic, &written, &read), 1 + 1 + 2 * 8 + 2 * 8);
    classic.open[0] = 1;
    classic.open[1] = 0x1p53;
    ck_assert_uint_eq(check_classic(&classic, &written, &read), 1 + 1 + 8);
}
END_TEST

START_TEST(as_many_bounds_as_there_may_be)
{
    struct bounds written = {0};
    struct bounds read = {0};
    struct classic classic = {.has_buckets = true, .bound_count = CHILD_BOUNDS_MAX};
    for (int i = 0; i < CHILD_BOUNDS_MAX; i++) {
        classic.bounds[i] = i;
        classic.open[i] = i + 0.5;
    }
    ck_assert_uint_eq(check_classic(&classic, &written, &read), 2 + 2 * 8 * CHILD_BOUNDS_MAX);
}
END_TEST

Suite *sketch_code_suite(void)
{
    Suite *suite = suite_create("sketch_code");
    TCase *histograms = tcase_create("histograms");
    tcase_add_test(histograms, a_number_takes_seven_bits_a_byte);
    tcase_add_loop_test(histograms, a_coded_histogram_adds_as_it_merges, 0, 8);
    tcase_add_loop_test(histograms, many_coded_histograms_add_up, 0, 16);
    tcase_add_test(histograms, zeros_alone_leave_the_scale);
    tcase_add_loop_test(histograms, buckets_in_a_row_take_a_byte_each_or_two, 0, 2);
    tcase_add_loop_test(histograms, few_buckets_far_apart_are_pairs, 0, 2);
    tcase_add_test(histograms, the_longest_histogram_fits);
    tcase_add_test(histograms, counts_of_63_bits_come_back);
    suite_add_tcase(suite, histograms);
    TCase *sets = tcase_create("sets");
    tcase_add_loop_test(sets, a_coded_set_adds_as_it_merges, 0, 9);
    tcase_add_test(sets, a_set_takes_five_bytes_a_place_and_3074_at_most);
    suite_add_tcase(suite, sets);
    TCase *classics = tcase_create("classic");
    tcase_add_loop_test(classics, children_come_back_in_their_order, 0, 4);
    tcase_add_test(classics, bounds_stand_once_while_they_stay);
    tcase_add_loop_test(classics, counts_that_are_not_whole_are_doubles, 0, 7);
    tcase_add_test(classics, as_many_bounds_as_there_may_be);
    suite_add_tcase(suite, classics);
    return suite;
}
