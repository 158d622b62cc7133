/*
 * hash.h: seeded hashing (XXH3, 64 bits).
 *
 * Every table is keyed with a seed chosen at start, so that hostile labels cannot be aimed at one
 * place in it. A hash only says where to look; equality always compares bytes.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/bytes.h"

#include <stdint.h>

uint64_t hash_bytes(struct bytes text, uint64_t seed);

/* The fingerprint of a series: its metric name and its canonical label text, each byte of both. */
uint64_t hash_series(struct bytes name, struct bytes labels, uint64_t seed);

#endif
