/*
 * drills.h: leaks on purpose, so that what finds leaks can be seen to find them.
 *
 *     event (a request's end, or a second) ──> each running drill ──> one more object, never freed
 *
 *     kind            the bug that it is                                where its bytes are
 *     global_list     nodes appended to a list that nobody empties      pool drills
 *     growing_cache   an accidental cache: keys never come again        pool drills
 *     listener        a callback registered each time, never removed    pool drills
 *     cycle           objects that hold each other, our reference gone  the heap
 *     request_arena   a request's arena that is never returned          pool growth
 *
 * With `drills: false`, the default, there are none: service->drills is NULL, and nothing here is
 * ever called. With `drills: true` each is bounded by plan->drill_bytes, which the plan has in
 * three places: one for the three kinds in the pool, one in the growth pool beside what requests
 * may take, one on the heap. A drill that gets there stops and says so; the budget holds all along.
 *
 * Nothing else knows of them: a request tells its end, the ticker the time, and that is all.
 *
 * Owner:    the service; the struct is in the region. Lifetime: process (the struct), drill (what
 * it leaks): until DELETE, or the end of the process, which does the same first. Threads:  any,
 * behind a lock of its own. Within it: growth_lock, the log's.
 */
#ifndef SERVER_DRILLS_H
#define SERVER_DRILLS_H

#include "drill_cycle.h"

#include "memory/arena.h"
#include "memory/blocks.h"

#include <pthread.h>

struct service;

enum drill_kind {
    DRILL_GLOBAL_LIST,
    DRILL_GROWING_CACHE,
    DRILL_LISTENER,
    DRILL_CYCLE,
    DRILL_REQUEST_ARENA,
    DRILL_KINDS,
};

enum drill_event {
    DRILL_REQUEST, /* each request that ends, on either listener */
    DRILL_SECOND,
    DRILL_EVENTS,
};

enum drill_state {
    DRILL_NONE, /* never begun, or deleted */
    DRILL_RUNNING,
    DRILL_AT_CAP, /* as much as it may has leaked */
    DRILL_OVER,   /* `until` is past */
    DRILL_STATES,
};

extern const char *const drill_kind_names[DRILL_KINDS];
extern const char *const drill_event_names[DRILL_EVENTS];
extern const char *const drill_state_names[DRILL_STATES];

/* More than this at one event would be felt as time, and drills are about memory. */
#define DRILL_BYTES_MAX ((uint64_t)1 << 20)

/* What is asked for. */
struct drill_order {
    enum drill_kind kind;
    size_t bytes; /* of each object: 1 to drill_bytes_max */
    enum drill_event per;
    int64_t until_ms; /* INT64_MAX: until DELETE, or the cap */
};

struct drill {
    struct drill_order order;
    enum drill_state state;
    uint64_t leaked_objects;
    int64_t next_ms;    /* of those by the second */
    struct arena arena; /* where its objects are; a cycle's are on the heap */
};

/* One drill at a moment. */
struct drill_figures {
    struct drill_order order;
    enum drill_state state;
    uint64_t leaked_bytes; /* as they were taken: whole blocks, malloc's rounding */
    uint64_t leaked_objects;
};

#define DRILL_CACHE_BUCKETS 256

struct drills {
    struct service *service;
    pthread_mutex_t lock;
    struct blocks pool;
    struct block_source pool_source;
    struct drill each[DRILL_KINDS];
    _Atomic uint32_t per_request; /* drills that want to know of requests */
    struct node *list;
    struct entry *cache[DRILL_CACHE_BUCKETS];
    uint64_t cache_keys;
    uint64_t cache_misses;
    struct listener *listeners;
    struct cycles cycles;
};

/* In the region, with what plan->pools[POOL_DRILLS] has for it; says in the log that they are on.
 */
struct drills *drills_make(struct service *service, struct region *region);

/* The most that one object may have. */
uint64_t drill_bytes_max(const struct drills *drills);

/* Begins one; one of that kind that runs goes on at the new rate and keeps what it has leaked. */
struct drill_figures drills_start(struct drills *drills, const struct drill_order *order);

/* Those that are, in the order of their kinds. Returns how many. */
uint32_t drills_figures(struct drills *drills, struct drill_figures figures[static DRILL_KINDS]);

/* Ends all and gives everything back. Returns how many they were, and the bytes in *freed_bytes. */
uint32_t drills_stop(struct drills *drills, uint64_t *freed_bytes);

/* A request has ended. */
void drills_request(struct drills *drills);

/* What is due by now. The ticker's. */
void drills_tick(struct drills *drills, int64_t now_ms);

/* What the pool's own bitmap has, against its account. */
uint64_t drills_mismatch(struct drills *drills);

#endif
