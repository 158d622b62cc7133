/*
 * plan.h: the memory of the process as a sum, one addend for each part and each pool.
 *
 *     memory  >=  region (all pools)  +  libmicrohttpd's share  +  stacks  +  code  +  slack
 *                 (+  what drills may leak through malloc, while they are on)
 *
 * How the addends come about is lib/engine/plan_make.c's affair; this is what the reports print of
 * them.
 *
 * Lifetime: made at start, then read-only for the process.
 */
#ifndef MEMORY_PLAN_H
#define MEMORY_PLAN_H

#include "base/settings.h"
#include "memory/ledger.h"

enum plan_part {
    PLAN_REGION,
    PLAN_LIBMICROHTTPD,
    PLAN_STACKS,
    PLAN_CODE,
    PLAN_SLACK,
    PLAN_DRILLS, /* of the heap; 0 while drills are off */
    PLAN_PARTS,
};

struct plan {
    struct settings settings; /* with nothing left at auto */
    uint64_t pools[POOL_COUNT];
    uint64_t parts[PLAN_PARTS];
    uint64_t total;        /* of the parts: at most settings.memory when the plan fits */
    uint64_t socket_bytes; /* kernel buffers, counted against the cgroup beside the total */
    uint64_t kernel_bytes; /* what else the kernel takes for us, likewise */
    uint64_t drill_bytes;  /* most that one drill may leak; 0 while drills are off */
    uint64_t threads;      /* all but main */
    uint64_t memory_limit; /* the tightest cgroup's, UINT64_MAX when there is none */
};

extern const char *const plan_part_names[PLAN_PARTS];

/* What one of so many connections may take of malloc, the threads' share included. */
static inline uint64_t plan_connection_bytes(const struct plan *plan, uint64_t connections)
{
    return connections == 0 ? 0 : plan->parts[PLAN_LIBMICROHTTPD] / connections + 1;
}

/* Drills are no part of a plan without them; all others always are. */
static inline bool plan_has_part(const struct plan *plan, enum plan_part part)
{
    return part != PLAN_DRILLS || plan->parts[part] > 0;
}

#endif
