/* hash.c: see hash.h. */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(struct bytes text, uint64_t seed)
{
    return XXH3_64bits_withSeed(text.at, text.length, seed);
}

uint64_t hash_series(struct bytes name, struct bytes labels, uint64_t seed)
{
    uint64_t name_hash = XXH3_64bits_withSeed(name.at, name.length, seed);
    return XXH3_64bits_withSeed(labels.at, labels.length, name_hash);
}
