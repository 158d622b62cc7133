/*
 * HyperLogLog against sets whose size is known: splitmix64 is a permutation of 64 bits, so counting
 * up through it gives as many different, well-mixed hashes as one likes.
 */
#include "store/hyperloglog.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

Suite *hyperloglog_suite(void);

enum { SEEDS = 40 };

static const double standard_error = 1.04 / 64; /* of one estimate: 1.04 / sqrt(2^12) */

static uint64_t hash_of(uint64_t seed, uint64_t member)
{
    uint64_t z = (seed << 40) + member * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void add_members(struct hyperloglog *h, uint64_t seed, uint64_t from, uint64_t to)
{
    for (uint64_t member = from; member < to; member++) {
        hyperloglog_add(h, hash_of(seed, member));
    }
}

static bool same(const struct hyperloglog *a, const struct hyperloglog *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- the registers ---- */

/* A hash that asks register `index` to hold `rank`. */
static uint64_t hash_for(uint64_t index, unsigned rank)
{
    uint64_t rest = rank > 52 ? 0 : UINT64_C(1) << (52 - rank);
    return index << 52 | rest;
}

/* The packing beside a plain array: all registers, all ranks, in random order. */
START_TEST(every_register_keeps_its_largest_rank)
{
    static uint8_t model[HYPERLOGLOG_REGISTERS];
    memset(model, 0, sizeof(model));
    struct hyperloglog h;
    hyperloglog_init(&h);
    bool agreed = true;
    for (uint64_t round = 0; round < 100000; round++) {
        uint64_t random = hash_of(7, round);
        uint32_t index = random % HYPERLOGLOG_REGISTERS;
        uint8_t rank = (uint8_t)(1 + (random >> 32) % HYPERLOGLOG_RANK_MAX);
        bool larger = rank > model[index];
        agreed &= hyperloglog_add(&h, hash_for(index, rank)) == larger;
        model[index] = larger ? rank : model[index];
    }
    hyperloglog_verify(&h);
    for (uint32_t index = 0; index < HYPERLOGLOG_REGISTERS; index++) {
        bool full = model[index] == HYPERLOGLOG_RANK_MAX;
        agreed &= model[index] > 0;
        agreed &= !hyperloglog_add(&h, hash_for(index, model[index]));
        agreed &= full || hyperloglog_add(&h, hash_for(index, model[index] + 1U));
    }
    ck_assert(agreed);
}
END_TEST

START_TEST(adding_again_changes_nothing)
{
    struct hyperloglog h;
    hyperloglog_init(&h);
    add_members(&h, 1, 0, 5000);
    struct hyperloglog before = h;
    bool changed = false;
    for (uint64_t member = 0; member < 5000; member++) {
        changed |= hyperloglog_add(&h, hash_of(1, member));
    }
    ck_assert(!changed);
    ck_assert(same(&h, &before));
}
END_TEST

START_TEST(the_order_of_members_does_not_matter)
{
    struct hyperloglog up;
    struct hyperloglog down;
    hyperloglog_init(&up);
    hyperloglog_init(&down);
    add_members(&up, 3, 0, 20000);
    for (uint64_t member = 20000; member > 0; member--) {
        hyperloglog_add(&down, hash_of(3, member - 1));
    }
    ck_assert(same(&up, &down));
}
END_TEST

/* ---- merging ---- */

START_TEST(a_merge_is_the_union)
{
    static const uint64_t sizes[] = {0, 1, 50, 1000, 30000};
    uint64_t a_end = sizes[_i % 5];
    uint64_t b_end = a_end / 2 + sizes[_i / 5]; /* half of a is in b as well */
    struct hyperloglog a;
    struct hyperloglog b;
    struct hyperloglog both;
    hyperloglog_init(&a);
    hyperloglog_init(&b);
    hyperloglog_init(&both);
    add_members(&a, 9, 0, a_end);
    add_members(&b, 9, a_end / 2, b_end);
    add_members(&both, 9, 0, a_end > b_end ? a_end : b_end);
    struct hyperloglog a_then_b = a;
    hyperloglog_merge(&a_then_b, &b);
    hyperloglog_merge(&b, &a);
    ck_assert(same(&a_then_b, &both));
    ck_assert(same(&b, &both));
    hyperloglog_verify(&b);
    hyperloglog_merge(&both, &a); /* nothing new */
    ck_assert(same(&b, &both));
}
END_TEST

/* ---- the estimate ---- */

START_TEST(an_empty_set_is_estimated_as_zero)
{
    struct hyperloglog h;
    hyperloglog_init(&h);
    hyperloglog_verify(&h);
    ck_assert_double_eq(hyperloglog_estimate(&h), 0);
}
END_TEST

/* Members that share a register look like one, and the estimate makes up for it on average only. Of
 * 100 members 1.2 pairs do on average (100^2 / 2 / 4096), 5 hardly ever. */
START_TEST(small_sets_are_met_closely)
{
    static const uint64_t sizes[] = {1, 2, 3, 10, 30, 100};
    const double size = (double)sizes[_i];
    double sum = 0;
    double square = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct hyperloglog h;
        hyperloglog_init(&h);
        add_members(&h, seed, 0, sizes[_i]);
        double estimate = hyperloglog_estimate(&h);
        ck_assert_double_eq_tol(estimate, size, size <= 30 ? 2 : 5);
        sum += estimate;
        square += (estimate - size) * (estimate - size);
    }
    ck_assert_double_le(sqrt(square / SEEDS), 1.5);
    ck_assert_double_eq_tol(sum / SEEDS, size, 0.5);
}
END_TEST

START_TEST(large_sets_are_met_within_the_standard_error)
{
    static const uint64_t sizes[] = {1000, 3000, 10000, 20000, 100000, 1000000};
    double size = (double)sizes[_i];
    double bias = 0;
    double square = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct hyperloglog h;
        hyperloglog_init(&h);
        add_members(&h, seed, 0, sizes[_i]);
        double error = hyperloglog_estimate(&h) / size - 1;
        ck_assert_double_le(fabs(error), 5 * standard_error);
        bias += error / SEEDS;
        square += error * error / SEEDS;
    }
    /* The mean of 40 has a standard error of a sixth of one estimate's; three of these. */
    ck_assert_double_le(fabs(bias), 3 * standard_error / sqrt(SEEDS));
    ck_assert_double_le(sqrt(square), 1.5 * standard_error);
}
END_TEST

/* Sets too large to build: registers drawn as n members would leave them, P(rank <= k) =
 * (1 - 2^-k / m)^n, which is exp(-n / m * 2^-k) for large n; rank 53 takes all that is above. */
static void draw_registers(struct hyperloglog *h, uint64_t seed, double size)
{
    hyperloglog_init(h);
    for (uint64_t index = 0; index < HYPERLOGLOG_REGISTERS; index++) {
        double unit = ((double)(hash_of(seed, index) >> 12) + 0.5) * 0x1p-52;
        unsigned rank = 0;
        while (rank < HYPERLOGLOG_RANK_MAX &&
               unit > exp(-size / HYPERLOGLOG_REGISTERS * ldexp(1, -(int)rank))) {
            rank++;
        }
        if (rank > 0) {
            hyperloglog_add(h, hash_for(index, rank));
        }
    }
}

START_TEST(huge_sets_are_met_up_to_the_last_rank)
{
    static const int exponents[] = {20, 32, 44, 56, 60, 62, 64}; /* there is no more in 64 bits */
    const double size = ldexp(1, exponents[_i]);
    double bias = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct hyperloglog h;
        draw_registers(&h, seed, size);
        double error = hyperloglog_estimate(&h) / size - 1;
        ck_assert_double_le(fabs(error), 5 * standard_error);
        bias += error / SEEDS;
    }
    ck_assert_double_le(fabs(bias), 3 * standard_error / sqrt(SEEDS));
}
END_TEST

START_TEST(the_estimate_grows_with_the_registers)
{
    struct hyperloglog h;
    hyperloglog_init(&h);
    double before = 0;
    bool grew = true;
    for (uint64_t member = 0; member < 20000; member++) {
        if (hyperloglog_add(&h, hash_of(5, member))) {
            double estimate = hyperloglog_estimate(&h);
            grew &= estimate > before;
            before = estimate;
        }
    }
    ck_assert(grew);
}
END_TEST

/* ---- the suite ---- */

Suite *hyperloglog_suite(void)
{
    Suite *suite = suite_create("hyperloglog");
    TCase *registers = tcase_create("registers");
    tcase_add_test(registers, every_register_keeps_its_largest_rank);
    tcase_add_test(registers, adding_again_changes_nothing);
    tcase_add_test(registers, the_order_of_members_does_not_matter);
    tcase_add_loop_test(registers, a_merge_is_the_union, 0, 25);
    suite_add_tcase(suite, registers);
    TCase *estimate = tcase_create("estimate");
    tcase_set_timeout(estimate, 60); /* 45 million hashes, under sanitizers too */
    tcase_add_test(estimate, an_empty_set_is_estimated_as_zero);
    tcase_add_loop_test(estimate, small_sets_are_met_closely, 0, 6);
    tcase_add_loop_test(estimate, large_sets_are_met_within_the_standard_error, 0, 6);
    tcase_add_loop_test(estimate, huge_sets_are_met_up_to_the_last_rank, 0, 7);
    tcase_add_test(estimate, the_estimate_grows_with_the_registers);
    suite_add_tcase(suite, estimate);
    return suite;
}
