/*
 * hyperloglog.h: how many different things were seen, in 3 KiB, whatever the number.
 *
 * HyperLogLog (Flajolet, Fusy, Gandouet, Meunier, 2007) with 2^12 registers of 6 bits. A hash picks
 * a register by its upper 12 bits; the register keeps the largest rank (leading zeros + 1) seen
 * among the 52 bits below. Standard error: 1.04 / sqrt(4096) = 1.6 %.
 *
 *     byte i of      plane[0]           plane[1]           plane[2]
 *                  | dd aaaaaa |      | dd bbbbbb |      | dd cccccc |
 *
 *     a, b, c = registers i, i + 1024, i + 2048; the upper bits in order = register i + 3072
 *
 * Ranks reach 53, so 6 bits do. A byte each would save hyperloglog_add() a nanosecond and cost
 * every set 1 KiB; memory is what this service promises, so registers are packed. In planes, since
 * the bytes at one place of each then hold four registers: merging is straight vector code, while
 * six bits in a row would need shifts that differ from register to register.
 *
 * The state depends on the set of hashes alone, not on order, repetition, or who merged what.
 *
 * Owner:    whoever embeds it: a slot of the set pool, or an arena for the union of a query.
 * Lifetime: its owner's; it points nowhere, may be copied, and ends without a verb.
 * Threads:  one at a time.
 * Fields:   read-only to others. All zero bytes are a valid, empty set.
 */
#ifndef STORE_HYPERLOGLOG_H
#define STORE_HYPERLOGLOG_H

#include <stdbool.h>
#include <stdint.h>

/* 2^12 registers. One bit more doubles the memory and divides the error by 1.4. */
#define HYPERLOGLOG_INDEX_BITS 12
#define HYPERLOGLOG_REGISTERS (1 << HYPERLOGLOG_INDEX_BITS)
#define HYPERLOGLOG_PLANE_BYTES (HYPERLOGLOG_REGISTERS / 4)

/* 52 zero bits, and one. */
#define HYPERLOGLOG_RANK_MAX (64 - HYPERLOGLOG_INDEX_BITS + 1)

struct hyperloglog {
    uint8_t plane[3][HYPERLOGLOG_PLANE_BYTES];
};

void hyperloglog_init(struct hyperloglog *h);

/* Adds a member by its 64-bit hash, all of whose bits must be good (XXH3, say; a hash that clients
 * cannot aim, or they can make the estimate what they like). True when it changed anything: the
 * same hash never does twice, and among many members few new ones do. */
bool hyperloglog_add(struct hyperloglog *h, uint64_t hash);

/* `into` becomes the union: what it would be had it been given the members of both. */
void hyperloglog_merge(struct hyperloglog *into, const struct hyperloglog *from);

/*
 * The number of different members, 0 when empty; a caller who shows it rounds it.
 *
 * Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284, 2017):
 * the improved raw estimator, from one member to nearly 2^64 without a table of biases and without
 * a switch to linear counting, which it agrees with where few registers are set.
 */
double hyperloglog_estimate(const struct hyperloglog *h);

/* Walks all registers and ENSUREs that each holds a rank that exists. */
void hyperloglog_verify(const struct hyperloglog *h);

#endif
