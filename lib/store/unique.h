/*
 * unique.h: what a set keeps: its members since the series began, and those of the open window.
 *
 *     member ──hash──> total
 *                └───> open      until the window is sealed
 *
 * Owner: a slot of the set pool. Lifetime: series. Threads: the engine's lock.
 */
#ifndef STORE_UNIQUE_H
#define STORE_UNIQUE_H

#include "store/hyperloglog.h"

struct unique {
    struct hyperloglog total;
    struct hyperloglog open;
};

static inline void unique_init(struct unique *unique)
{
    hyperloglog_init(&unique->total);
    hyperloglog_init(&unique->open);
}

static inline void unique_add(struct unique *unique, uint64_t hash)
{
    hyperloglog_add(&unique->total, hash);
    hyperloglog_add(&unique->open, hash);
}

/* The open window is empty again. */
static inline void unique_seal(struct unique *unique)
{
    hyperloglog_init(&unique->open);
}

#endif
