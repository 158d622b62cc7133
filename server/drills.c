/* drills.c: see drills.h. */
#include "drills.h"

#include "service.h"

#include "base/ensure.h"

const char *const drill_kind_names[DRILL_KINDS] = {
    [DRILL_GLOBAL_LIST] = "global_list",     [DRILL_GROWING_CACHE] = "growing_cache",
    [DRILL_LISTENER] = "listener",           [DRILL_CYCLE] = "cycle",
    [DRILL_REQUEST_ARENA] = "request_arena",
};

const char *const drill_event_names[DRILL_EVENTS] = {
    [DRILL_REQUEST] = "request",
    [DRILL_SECOND] = "second",
};

const char *const drill_state_names[DRILL_STATES] = {
    [DRILL_NONE] = "none",
    [DRILL_RUNNING] = "running",
    [DRILL_AT_CAP] = "at_cap",
    [DRILL_OVER] = "over",
};

/* ---- the pool ---- */

static void *pool_take(void *context, size_t bytes, size_t *granted)
{
    struct drills *drills = context; /* its lock is held: arenas grow only where drills leak */
    return blocks_take(&drills->pool, bytes, granted);
}

static void pool_give(void *context, void *block, size_t granted)
{
    struct drills *drills = context;
    blocks_give(&drills->pool, block, granted);
}

/* ---- the bugs ---- */

/*
 * An object of the order's bytes, its own header among them. Written to, as a real one would be:
 * memory that nobody touches is not resident. NULL at the cap.
 */
static void *fill(void *at, size_t bytes)
{
    return at == NULL ? NULL : memset(at, 'd', bytes);
}

static size_t at_least(size_t bytes, size_t least)
{
    return bytes > least ? bytes : least;
}

struct node {
    struct node *before;
};

static bool leak_global_list(struct drills *drills, struct drill *drill)
{
    size_t bytes = at_least(drill->order.bytes, sizeof(struct node));
    struct node *node = fill(arena_push(&drill->arena, bytes), bytes);
    if (node == NULL)
        return false;
    node->before = drills->list;
    drills->list = node;
    return true;
}

struct entry {
    struct entry *next;
    uint64_t key;
};

/* As many as are looked at: the chains grow for ever, and the time of a lookup must not. */
#define CACHE_LOOKS 16

static bool cache_has(const struct drills *drills, uint64_t key)
{
    const struct entry *entry = drills->cache[key % DRILL_CACHE_BUCKETS];
    for (int i = 0; i < CACHE_LOOKS && entry != NULL; i++, entry = entry->next) {
        if (entry->key == key)
            return true;
    }
    return false;
}

/* The key has what makes each request different in it, so it never comes again. */
static bool leak_growing_cache(struct drills *drills, struct drill *drill)
{
    size_t bytes = at_least(drill->order.bytes, sizeof(struct entry));
    uint64_t key = drills->cache_keys++;
    ENSURE(!cache_has(drills, key));
    drills->cache_misses++;
    struct entry *entry = fill(arena_push(&drill->arena, bytes), bytes);
    if (entry == NULL)
        return false;
    entry->key = key;
    entry->next = drills->cache[key % DRILL_CACHE_BUCKETS];
    drills->cache[key % DRILL_CACHE_BUCKETS] = entry;
    return true;
}

struct listener {
    struct listener *next;
    void (*call)(struct listener *listener);
    uint64_t heard;
};

static void hear(struct listener *listener)
{
    listener->heard++;
}

/*
 * The latest of them: all would be called by a real one, which costs ever more time. Here a leak is
 * to cost memory, and a request some microseconds at most.
 */
#define LISTENERS_CALLED_MAX 64

static void call_listeners(struct drills *drills)
{
    struct listener *listener = drills->listeners;
    for (int i = 0; i < LISTENERS_CALLED_MAX && listener != NULL; i++, listener = listener->next)
        listener->call(listener);
}

static bool leak_listener(struct drills *drills, struct drill *drill)
{
    size_t bytes = at_least(drill->order.bytes, sizeof(struct listener));
    struct listener *listener = fill(arena_push(&drill->arena, bytes), bytes);
    if (listener == NULL)
        return false;
    *listener = (struct listener){drills->listeners, hear, 0};
    drills->listeners = listener;
    return true;
}

static bool leak_cycle(struct drills *drills, struct drill *drill)
{
    return cycle_make(&drills->cycles, drill->order.bytes);
}

static bool leak_request_arena(struct drills *drills, struct drill *drill)
{
    (void)drills;
    return fill(arena_push(&drill->arena, drill->order.bytes), drill->order.bytes) != NULL;
}

static bool (*const leaks[DRILL_KINDS])(struct drills *drills, struct drill *drill) = {
    [DRILL_GLOBAL_LIST] = leak_global_list,     [DRILL_GROWING_CACHE] = leak_growing_cache,
    [DRILL_LISTENER] = leak_listener,           [DRILL_CYCLE] = leak_cycle,
    [DRILL_REQUEST_ARENA] = leak_request_arena,
};

/* ---- one drill ---- */

static uint64_t leaked_bytes(const struct drills *drills, enum drill_kind kind)
{
    return kind == DRILL_CYCLE ? drills->cycles.held_bytes : arena_held(&drills->each[kind].arena);
}

static void say(struct drills *drills, enum drill_kind kind, const char *message)
{
    const struct drill *drill = &drills->each[kind];
    log_warning(&drills->service->log, message,
                "kind=%s bytes=%llu per=%s leaked_bytes=%llu leaked_objects=%llu",
                drill_kind_names[kind], (unsigned long long)drill->order.bytes,
                drill_event_names[drill->order.per], (unsigned long long)leaked_bytes(drills, kind),
                (unsigned long long)drill->leaked_objects);
}

static void set_state(struct drills *drills, enum drill_kind kind, enum drill_state state)
{
    uint32_t per_request = 0;
    drills->each[kind].state = state;
    for (int i = 0; i < DRILL_KINDS; i++)
        per_request +=
            drills->each[i].state != DRILL_NONE && drills->each[i].order.per == DRILL_REQUEST;
    atomic_store_explicit(&drills->per_request, per_request, memory_order_relaxed);
}

/* Listeners are called for as long as they are registered; nothing else goes on without leaking. */
static void happen(struct drills *drills, enum drill_kind kind)
{
    struct drill *drill = &drills->each[kind];
    if (kind == DRILL_LISTENER)
        call_listeners(drills);
    if (drill->state != DRILL_RUNNING)
        return;
    if (leaks[kind](drills, drill)) {
        drill->leaked_objects++;
        return;
    }
    if (kind == DRILL_REQUEST_ARENA && drill->arena.refusal == STATUS_BUSY)
        return; /* clients have the rest of the pool at the moment: it is tried again */
    set_state(drills, kind, DRILL_AT_CAP);
    say(drills, kind, "drill_at_cap");
}

static struct drill_figures figures_of(const struct drills *drills, enum drill_kind kind)
{
    return (struct drill_figures){
        .order = drills->each[kind].order,
        .state = drills->each[kind].state,
        .leaked_bytes = leaked_bytes(drills, kind),
        .leaked_objects = drills->each[kind].leaked_objects,
    };
}

/* ---- all of them ---- */

/* Large steps, so that few of the blocks' bytes are headers and remainders. */
#define DRILL_GROW_BYTES 65536

static void drill_init(struct drills *drills, enum drill_kind kind)
{
    struct drill *drill = &drills->each[kind];
    struct service *service = drills->service;
    const struct block_source *source =
        kind == DRILL_REQUEST_ARENA ? &service->growth_source : &drills->pool_source;
    /* no first block: any address will do */
    arena_init(&drill->arena, drills, 0, service->plan->drill_bytes, source);
    drill->arena.grow_bytes = DRILL_GROW_BYTES;
    arena_trace(&drill->arena, service->ledger->sites);
}

struct drills *drills_make(struct service *service, struct region *region)
{
    uint64_t bytes = service->plan->drill_bytes;
    struct drills *drills = region_take(region, sizeof *drills);
    memset(drills, 0, sizeof *drills);
    drills->service = service;
    pthread_mutex_init(&drills->lock, NULL);
    blocks_init(&drills->pool, bytes, POOL_DRILLS, service->ledger, region);
    drills->pool_source = (struct block_source){pool_take, pool_give, drills};
    drills->cycles.held_max = bytes;
    for (enum drill_kind kind = 0; kind < DRILL_KINDS; kind++)
        drill_init(drills, kind);
    cycles_setup();
    log_warning(&service->log, "drills_on", "cap_bytes=%llu", (unsigned long long)bytes);
    return drills;
}

uint64_t drill_bytes_max(const struct drills *drills)
{
    uint64_t quarter = drills->service->plan->drill_bytes / 4;
    return quarter < DRILL_BYTES_MAX ? quarter : DRILL_BYTES_MAX;
}

struct drill_figures drills_start(struct drills *drills, const struct drill_order *order)
{
    struct drill *drill = &drills->each[order->kind];
    ENSURE(order->bytes > 0 && order->bytes <= drill_bytes_max(drills));
    pthread_mutex_lock(&drills->lock);
    drill->order = *order;
    drill->next_ms = clock_now_ms(&drills->service->clock) + 1000;
    set_state(drills, order->kind, DRILL_RUNNING);
    say(drills, order->kind, "drill_started");
    struct drill_figures figures = figures_of(drills, order->kind);
    pthread_mutex_unlock(&drills->lock);
    return figures;
}

uint32_t drills_figures(struct drills *drills, struct drill_figures figures[static DRILL_KINDS])
{
    uint32_t count = 0;
    pthread_mutex_lock(&drills->lock);
    for (enum drill_kind kind = 0; kind < DRILL_KINDS; kind++) {
        if (drills->each[kind].state != DRILL_NONE)
            figures[count++] = figures_of(drills, kind);
    }
    pthread_mutex_unlock(&drills->lock);
    return count;
}

/* Whoever holds what an arena had forgets it before the arena goes. */
static void forget(struct drills *drills, enum drill_kind kind)
{
    if (kind == DRILL_GLOBAL_LIST)
        drills->list = NULL;
    else if (kind == DRILL_GROWING_CACHE)
        memset(drills->cache, 0, sizeof drills->cache);
    else if (kind == DRILL_LISTENER)
        drills->listeners = NULL;
}

static uint64_t stop_one(struct drills *drills, enum drill_kind kind)
{
    uint64_t freed = leaked_bytes(drills, kind);
    say(drills, kind, "drill_stopped");
    forget(drills, kind);
    if (kind == DRILL_CYCLE)
        cycles_break(&drills->cycles);
    else
        arena_reset(&drills->each[kind].arena);
    drills->each[kind].leaked_objects = 0;
    set_state(drills, kind, DRILL_NONE);
    ENSURE(leaked_bytes(drills, kind) == 0);
    return freed;
}

uint32_t drills_stop(struct drills *drills, uint64_t *freed_bytes)
{
    uint32_t stopped = 0;
    *freed_bytes = 0;
    pthread_mutex_lock(&drills->lock);
    for (enum drill_kind kind = 0; kind < DRILL_KINDS; kind++) {
        if (drills->each[kind].state == DRILL_NONE)
            continue;
        *freed_bytes += stop_one(drills, kind);
        stopped++;
    }
    pthread_mutex_unlock(&drills->lock);
    return stopped;
}

/* ---- events ---- */

void drills_request(struct drills *drills)
{
    if (atomic_load_explicit(&drills->per_request, memory_order_relaxed) == 0)
        return;
    pthread_mutex_lock(&drills->lock);
    for (enum drill_kind kind = 0; kind < DRILL_KINDS; kind++) {
        const struct drill *drill = &drills->each[kind];
        if (drill->state != DRILL_NONE && drill->order.per == DRILL_REQUEST)
            happen(drills, kind);
    }
    pthread_mutex_unlock(&drills->lock);
}

/* Seconds that were missed, after a step of the clock, are not made up for. */
static void tick_one(struct drills *drills, enum drill_kind kind, int64_t now_ms)
{
    struct drill *drill = &drills->each[kind];
    if (drill->state == DRILL_RUNNING && now_ms >= drill->order.until_ms) {
        set_state(drills, kind, DRILL_OVER);
        say(drills, kind, "drill_over");
    }
    if (drill->order.per != DRILL_SECOND || now_ms < drill->next_ms)
        return;
    drill->next_ms += (now_ms - drill->next_ms) / 1000 * 1000 + 1000;
    happen(drills, kind);
}

void drills_tick(struct drills *drills, int64_t now_ms)
{
    pthread_mutex_lock(&drills->lock);
    for (enum drill_kind kind = 0; kind < DRILL_KINDS; kind++) {
        if (drills->each[kind].state != DRILL_NONE)
            tick_one(drills, kind, now_ms);
    }
    pthread_mutex_unlock(&drills->lock);
}

uint64_t drills_mismatch(struct drills *drills)
{
    pthread_mutex_lock(&drills->lock);
    uint64_t held = blocks_held(&drills->pool);
    uint64_t live = ledger_figures(drills->service->ledger, POOL_DRILLS).live_bytes;
    pthread_mutex_unlock(&drills->lock);
    return held > live ? held - live : live - held;
}
