/*
 * plan_make.h: the memory of the process, computed before anything runs.
 *
 *     memory  =  region (all pools)  +  libmicrohttpd's share  +  stacks  +  code  +  slack
 *
 * Every addend is a worst case with a reason: who holds it, and why that many. What the operator
 * left to `auto` is chosen here so that the sum fits; what the operator chose is kept, and when it
 * does not fit the plan says which settings to change. Nothing is reserved here: main does that,
 * once the plan holds.
 *
 * Lifetime: made at start, then read-only for the process.
 */
#ifndef ENGINE_PLAN_MAKE_H
#define ENGINE_PLAN_MAKE_H

#include "memory/plan.h"

/*
 * What the plan cannot know from the settings: measured or counted by the server before it is made.
 */
struct plan_world {
    uint64_t code_bytes;       /* program, libraries and what they hold before anything runs */
    uint64_t cpus;             /* allowed by affinity and quota */
    uint64_t memory_limit;     /* the tightest cgroup's, UINT64_MAX when there is none */
    uint64_t connection_bytes; /* the server's own state of one connection, in the region */
    uint64_t worker_bytes;     /* and of one thread that serves a listener */
    uint64_t drills_bytes;     /* and of the drills, while they are on */
};

/*
 * Threads beside those of the data listener: the operator listener and the ticker. Main's stack is
 * part of the code.
 */
#define PLAN_OTHER_THREADS 2

/*
 * Connections that one thread may have: libmicrohttpd asks epoll for 128 events at a time and, when
 * it gets exactly 128, waits for more before it handles them. Beside connections there are two
 * things that a thread waits for, so 125 of them keep it from ever getting there.
 */
#define PLAN_THREAD_CONNECTIONS 125

/*
 * Arena of one request on the operator listener: enough for the largest report (a test fills it).
 */
#define OPERATOR_ARENA_BYTES 49152

enum plan_verdict {
    PLAN_FITS,
    PLAN_OVER_MEMORY, /* the total is more than `memory` */
    PLAN_OVER_CGROUP, /* memory and the kernel's socket buffers are more than the cgroup's limit */
    PLAN_INCONSISTENT, /* two settings exclude each other */
};

/*
 * Computes the plan. When it does not fit, `problem` (of `problem_bytes`, terminated) says what is
 * over and which settings to change; `plan` is filled in all the same, so that it can be printed.
 */
enum plan_verdict plan_make(struct plan *plan, const struct settings *settings,
                            const struct plan_world *world, char *problem, size_t problem_bytes);

/* The table that --plan prints, into `out` of `bytes`; terminated. Returns the length. */
size_t plan_write(const struct plan *plan, char *out, size_t bytes);

#endif
