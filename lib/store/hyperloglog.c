#include "store/hyperloglog.h"

#include "base/ensure.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    INDEX_BITS = HYPERLOGLOG_INDEX_BITS,
    REGISTERS = HYPERLOGLOG_REGISTERS,
    PLANE_BYTES = HYPERLOGLOG_PLANE_BYTES,
    RANK_MAX = HYPERLOGLOG_RANK_MAX,
    RANK_BITS = 6,
    RANK_MASK = (1 << RANK_BITS) - 1
};

static_assert(RANK_MAX <= RANK_MASK, "a rank must fit a packed register");
static_assert(8 - RANK_BITS == 2 && RANK_BITS == 3 * 2, "two bits of three bytes make a register");
static_assert(4 * PLANE_BYTES == REGISTERS, "the planes must hold every register");

/* ---- four registers at one place of the planes ---- */

struct quad {
    uint8_t rank[4];
};

static inline struct quad quad_load(const struct hyperloglog *h, uint32_t place)
{
    uint8_t a = h->plane[0][place];
    uint8_t b = h->plane[1][place];
    uint8_t c = h->plane[2][place];
    uint8_t d = (uint8_t)(a >> 6 << 4 | b >> 6 << 2 | c >> 6);
    return (struct quad){{a & RANK_MASK, b & RANK_MASK, c & RANK_MASK, d}};
}

static inline void quad_store(struct hyperloglog *h, uint32_t place, struct quad quad)
{
    uint8_t d = quad.rank[3];
    h->plane[0][place] = (uint8_t)(quad.rank[0] | (d >> 4 & 3) << 6);
    h->plane[1][place] = (uint8_t)(quad.rank[1] | (d >> 2 & 3) << 6);
    h->plane[2][place] = (uint8_t)(quad.rank[2] | (d & 3) << 6);
}

/* ---- verbs ---- */

void hyperloglog_init(struct hyperloglog *h)
{
    memset(h, 0, sizeof(*h));
}

bool hyperloglog_add(struct hyperloglog *h, uint64_t hash)
{
    uint32_t index = (uint32_t)(hash >> (64 - INDEX_BITS));
    /* The bit below the last stops the count where the hash ends: 52 zeros are rank 53. */
    uint64_t rest = hash << INDEX_BITS | UINT64_C(1) << (INDEX_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    ENSURE(rank <= RANK_MAX);
    struct quad quad = quad_load(h, index % PLANE_BYTES);
    uint8_t *held = &quad.rank[index / PLANE_BYTES];
    if (rank <= *held) {
        return false;
    }
    *held = rank;
    quad_store(h, index % PLANE_BYTES, quad);
    return true;
}

static inline uint8_t larger(uint8_t a, uint8_t b)
{
    return a > b ? a : b;
}

/* Straight line and restrict, so that gcc's -O2 makes it vector code: 16 places at a time. */
static void merge_planes(struct hyperloglog *restrict into, const struct hyperloglog *restrict from)
{
    for (uint32_t place = 0; place < PLANE_BYTES; place++) {
        struct quad ours = quad_load(into, place);
        struct quad theirs = quad_load(from, place);
        ours.rank[0] = larger(ours.rank[0], theirs.rank[0]);
        ours.rank[1] = larger(ours.rank[1], theirs.rank[1]);
        ours.rank[2] = larger(ours.rank[2], theirs.rank[2]);
        ours.rank[3] = larger(ours.rank[3], theirs.rank[3]);
        quad_store(into, place, ours);
    }
}

void hyperloglog_merge(struct hyperloglog *into, const struct hyperloglog *from)
{
    ENSURE(into != from);
    merge_planes(into, from);
}

/* ---- the estimate ---- */

/* Registers by rank. Four tables, added at the end: most registers hold one of a few ranks, and
 * counting into one table would wait for the previous count of the same rank each time. */
static void count_ranks(const struct hyperloglog *h, uint32_t counts[RANK_MASK + 1])
{
    uint32_t parts[4][RANK_MASK + 1] = {{0}};
    for (uint32_t place = 0; place < PLANE_BYTES; place++) {
        struct quad quad = quad_load(h, place);
        parts[0][quad.rank[0]]++;
        parts[1][quad.rank[1]]++;
        parts[2][quad.rank[2]]++;
        parts[3][quad.rank[3]]++;
    }
    for (int rank = 0; rank <= RANK_MASK; rank++) {
        counts[rank] = parts[0][rank] + parts[1][rank] + parts[2][rank] + parts[3][rank];
    }
}

/* Ertl's sigma(x) = x + sum over k >= 1 of x^(2^k) * 2^(k-1), x the share of registers still 0:
 * what ranks below 1 would have told. Infinite at 1. The sum ends when a double no longer changes:
 * below 1 - 2^-12 that is within 20 terms, as x is squared each time. */
static double sigma(double x)
{
    if (x == 1) {
        return INFINITY;
    }
    double sum = x;
    double before;
    double weight = 1;
    do {
        x *= x;
        before = sum;
        sum += x * weight;
        weight += weight;
    } while (sum != before);
    return sum;
}

/* Ertl's tau(x) = (1 - x - sum over k >= 1 of (1 - x^(2^-k))^2 * 2^-k) / 3, x the share of
 * registers not at the last rank: what ranks above it would have told. Terms fall by 8: within 20.
 * */
static double tau(double x)
{
    if (x == 0 || x == 1) {
        return 0;
    }
    double sum = 1 - x;
    double before;
    double weight = 1;
    do {
        x = sqrt(x);
        before = sum;
        weight *= 0.5;
        sum -= (1 - x) * (1 - x) * weight;
    } while (sum != before);
    return sum / 3;
}

double hyperloglog_estimate(const struct hyperloglog *h)
{
    const double alpha = 0.72134752044448170368; /* 1 / (2 ln 2), the limit for many registers */
    const double registers = REGISTERS;
    uint32_t counts[RANK_MASK + 1];
    count_ranks(h, counts);
    double z = registers * tau(1 - counts[RANK_MAX] / registers);
    for (int rank = RANK_MAX - 1; rank >= 1; rank--) {
        z = 0.5 * (z + counts[rank]);
    }
    z += registers * sigma(counts[0] / registers);
    return alpha * registers * registers / z;
}

void hyperloglog_verify(const struct hyperloglog *h)
{
    for (uint32_t place = 0; place < PLANE_BYTES; place++) {
        struct quad quad = quad_load(h, place);
        for (int i = 0; i < 4; i++) {
            ENSURE(quad.rank[i] <= RANK_MAX);
        }
    }
}
