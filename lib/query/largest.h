/*
 * largest.h: the metrics with most series, for who asks who holds memory.
 *
 * One pass over the families (limits.families at most, 1,024 as shipped), no pass over their
 * series.
 *
 * Owner: the caller; the pointers are into the store. Lifetime: the caller's hold of the lock.
 * Threads: the engine's lock.
 */
#ifndef QUERY_LARGEST_H
#define QUERY_LARGEST_H

#include "store/store.h"

/*
 * At most `most` of them, most series first. Returns how many; *left_out is how many more have
 * series.
 */
uint32_t largest_families(const struct store *store, const struct family **out, uint32_t most,
                          uint64_t *left_out);

#endif
