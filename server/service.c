/* service.c: see service.h. */
#include "service.h"

#include "process_memory.h"

#include "base/ensure.h"
#include "version.h"

#include <malloc.h>
#include <sys/resource.h>
#include <time.h>

/* ---- growth: the pool that request arenas share, behind its own lock ---- */

static void *growth_take(void *context, size_t bytes, size_t *granted)
{
    struct service *service = context;
    pthread_mutex_lock(&service->growth_lock);
    void *run = blocks_take(&service->growth, bytes, granted);
    pthread_mutex_unlock(&service->growth_lock);
    return run;
}

static void growth_give(void *context, void *block, size_t granted)
{
    struct service *service = context;
    pthread_mutex_lock(&service->growth_lock);
    blocks_give(&service->growth, block, granted);
    pthread_mutex_unlock(&service->growth_lock);
}

/* ---- start ---- */

static void init_workers(struct service *service, struct region *region)
{
    const struct settings *settings = service->settings;
    struct account *accounts = service->ledger->accounts;
    service->worker_count = (uint32_t)settings->server_threads + 1;
    service->workers = region_take(region, service->worker_count * sizeof(struct worker));
    for (uint32_t i = 0; i < service->worker_count; i++) {
        struct worker *worker = &service->workers[i];
        size_t scratch = settings->limits_scratch_bytes;
        arena_init(&worker->scratch, region_take(region, scratch), scratch, scratch, NULL);
        accounts[POOL_SCRATCH].capacity_bytes += scratch;
        worker->batch = NULL;
        if (i + 1 == service->worker_count)
            break; /* the operator's thread takes no samples */
        worker->batch = region_take(region, sizeof(struct batch));
        worker->batch->count = worker->batch->text_used = 0;
        accounts[POOL_BATCHES].capacity_bytes += sizeof(struct batch);
    }
}

static void charge_fixed(struct service *service)
{
    uint64_t fixed = service->plan->pools[POOL_FIXED];
    service->ledger->accounts[POOL_FIXED].capacity_bytes = fixed;
    ledger_take(service->ledger, POOL_FIXED, fixed);
}

/*
 * Both locks are held for microseconds: whoever finds one taken does better to spin a little than
 * to sleep.
 */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

void service_init(struct service *service, const struct options *options, const struct plan *plan,
                  uint64_t seed, struct region *region)
{
    service->options = options;
    service->plan = plan;
    service->settings = &plan->settings;
    service->start_ms = clock_now_ms(&service->clock);
    service->ledger = region_take(region, sizeof *service->ledger);
    ledger_init(service->ledger);
    atomic_store(&service->ledger->now_ms, service->start_ms);
    init_lock(&service->engine_lock);
    init_lock(&service->growth_lock);
    blocks_init(&service->growth, service->settings->requests_bytes, POOL_GROWTH, service->ledger,
                region);
    service->growth_source = (struct block_source){growth_take, growth_give, service};
    connections_init(&service->connections, service, region);
    init_workers(service, region);
    service->engine = region_take(region, sizeof *service->engine);
    engine_init(service->engine, service->settings, service->ledger, seed, service->start_ms,
                region);
    service->own = region_take(region, sizeof *service->own);
    own_init(service->own, service->settings, seed, service->start_ms, service->ledger, region);
    charge_fixed(service);
    region_seal(region);
    ENSURE(region->used == region->bytes); /* the plan added up what was taken, to the byte */
}

/* ---- while it runs ---- */

struct engine *service_lock_engine(struct service *service)
{
    pthread_mutex_lock(&service->engine_lock);
    return service->engine;
}

void service_unlock_engine(struct service *service)
{
    pthread_mutex_unlock(&service->engine_lock);
}

static uint32_t take_worker(struct service *service, bool operator_listener)
{
    if (operator_listener)
        return service->worker_count - 1;
    uint32_t index = atomic_fetch_add(&service->workers_taken, 1);
    ENSURE(index + 1 < service->worker_count); /* one for each thread of the data listener */
    return index;
}

struct worker *service_worker(struct service *service, bool operator_listener)
{
    /* A thread keeps to one worker, so nothing in it needs a lock. */
    static _Thread_local struct worker *own;
    if (own == NULL)
        own = &service->workers[take_worker(service, operator_listener)];
    return own;
}

static struct refusal apply(void *context, struct intake *intake)
{
    struct request *request = context;
    struct engine *engine = service_lock_engine(request->service);
    engine_apply(engine, intake, request->now_ms);
    service_unlock_engine(request->service);
    return refusal_plain(STATUS_OK);
}

struct intake service_intake(struct service *service, struct request *request)
{
    struct worker *worker = service_worker(service, request->operator_listener);
    request->now_ms = clock_now_ms(&service->clock); /* a body may take its time */
    return (struct intake){
        .batch = worker->batch,
        .scratch = &worker->scratch,
        .settings = service->settings,
        .ledger = service->ledger,
        .seed = service->engine->store.seed,
        .flush = apply,
        .context = request,
    };
}

/* ---- figures ---- */

static uint64_t get(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

static void read_process(const struct service *service, struct world_process *process)
{
    struct process_memory memory;
    struct rlimit files;
    struct mallinfo2 heap = mallinfo2(); /* one arena, and few chunks in it */
    process_memory_read(&service->machine, &memory);
    *process = (struct world_process){
        .rss_bytes = memory.rss_bytes,
        .rss_peak_bytes = memory.rss_peak_bytes,
        .rss_anon_bytes = memory.rss_anon_bytes,
        .rss_file_bytes = memory.rss_file_bytes,
        .pss_bytes = WORLD_UNKNOWN, /* the kernel walks all page tables for it */
        .swap_bytes = memory.swap_bytes,
        .virtual_bytes = memory.virtual_bytes,
        .virtual_peak_bytes = memory.virtual_peak_bytes,
        .threads = memory.threads,
        .open_fds = memory.open_fds,
        .max_fds = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : WORLD_UNKNOWN,
        .minor_faults = memory.minor_faults,
        .major_faults = memory.major_faults,
        .cpu_seconds = (double)(memory.cpu_user_ms + memory.cpu_system_ms) / 1000,
        .malloc_in_use_bytes = heap.uordblks,
        .malloc_free_bytes = heap.fordblks,
        .malloc_mmap_bytes = heap.hblkhd,
    };
}

static void read_cgroup(const struct service *service, struct world_cgroup *cgroup)
{
    struct cgroup_memory memory;
    if (!cgroup_memory_read(&service->machine, &memory))
        return;
    *cgroup = (struct world_cgroup){
        .version = memory.version,
        .current_bytes = memory.current_bytes,
        .peak_bytes = memory.peak_bytes,
        .limit_bytes = memory.limit_bytes,
        .max_events = memory.max_events,
        .oom_kills = memory.oom_kill_events,
    };
}

/* The age of the oldest request in flight. */
static int64_t oldest_age_ms(const struct connections *connections)
{
    int64_t now_us = clock_monotonic_us();
    int64_t oldest_us = 0;
    for (uint32_t i = 0; i < connections->data_count + connections->operator_count; i++) {
        const struct connection *connection = &connections->slots[i];
        const struct request *request = &connection->request;
        if (connection->fd < 0 ||
            atomic_load_explicit(&request->phase, memory_order_acquire) == PHASE_NONE)
            continue;
        int64_t started = atomic_load_explicit(&request->started_us, memory_order_relaxed);
        if (now_us - started > oldest_us)
            oldest_us = now_us - started;
    }
    return oldest_us / 1000;
}

static void read_connections(struct service *service, struct world_requests *requests)
{
    struct connections *connections = &service->connections;
    pthread_mutex_lock(&connections->lock);
    requests->oldest_age_ms = oldest_age_ms(connections);
    requests->connections = connections->live;
    requests->connections_max = connections->data_count + connections->operator_count;
    requests->accepted_connections = connections->accepted;
    for (int cause = 0; cause < CLOSED_CAUSES; cause++)
        requests->closed[cause] = connections->closed[cause];
    pthread_mutex_unlock(&connections->lock);
}

static void read_requests(struct service *service, struct world_requests *requests)
{
    read_connections(service, requests);
    requests->live = get(&service->figures.live);
    requests->live_bytes = ledger_figures(service->ledger, POOL_REQUESTS).live_bytes +
                           ledger_figures(service->ledger, POOL_RESERVE).live_bytes +
                           ledger_figures(service->ledger, POOL_GROWTH).live_bytes;
    requests->peak_bytes = get(&service->figures.peak_bytes);
    requests->completed = get(&service->figures.completed);
    requests->body_bytes = get(&service->figures.body_bytes);
    for (int i = 0; i < HTTP_CLASSES; i++)
        requests->by_class[i] = get(&service->figures.by_class[i]);
    for (int i = 0; i < STATUS_COUNT; i++)
        requests->refused[i] = get(&service->figures.refused[i]);
    for (int i = 0; i <= LIFETIME_BOUNDS; i++)
        requests->lifetimes.counts[i] = get(&service->figures.lifetime_counts[i]);
    requests->lifetimes.sum_us = get(&service->figures.lifetime_sum_us);
    requests->lifetimes.max_us = get(&service->figures.lifetime_max_us);
}

void service_world(struct service *service, struct world *world)
{
    *world = (struct world){
        .version = MAYFLY_VERSION,
        .memory_source = option_source_name(service->options->source[OPTION_ROW_memory]),
        .prefaulted = service->settings->prefault != 0,
        .stopping = atomic_load(&service->stopping),
        .now_ms = clock_now_ms(&service->clock),
        .start_ms = service->start_ms,
        .clock_offset_ms = clock_offset_ms(&service->clock),
        .log_dropped = log_dropped(&service->log),
    };
    read_process(service, &world->process);
    read_cgroup(service, &world->cgroup);
    read_requests(service, &world->requests);
}

/* What the growth pool's own bitmap has, against its account. */
static uint64_t growth_mismatch(struct service *service)
{
    pthread_mutex_lock(&service->growth_lock);
    uint64_t held = blocks_held(&service->growth);
    uint64_t live = ledger_figures(service->ledger, POOL_GROWTH).live_bytes;
    pthread_mutex_unlock(&service->growth_lock);
    return held > live ? held - live : live - held;
}

void service_report(struct service *service, struct report_figures *figures)
{
    service_world(service, &figures->world);
    struct engine *engine = service_lock_engine(service);
    memcpy(figures->rejected_samples, engine->rejected_samples, sizeof figures->rejected_samples);
    figures->input = (struct report_input){
        .world = &figures->world,
        .plan = service->plan,
        .ledger = service->ledger,
        .store = &engine->store,
        .history = report_history_make(&engine->history, figures->world.now_ms),
        .own_history = report_history_make(&service->own->engine.history, figures->world.now_ms),
        .cache = report_cache_make(&engine->cache, figures->world.now_ms),
        .ledger_mismatch_bytes =
            engine->audit.mismatch_bytes + service->own->engine.audit.mismatch_bytes,
        .audits = engine->audit.audits + service->own->engine.audit.audits,
        .accepted_samples = engine->accepted_samples,
        .rejected_samples = figures->rejected_samples,
    };
    service_unlock_engine(service);
    figures->input.ledger_mismatch_bytes += growth_mismatch(service);
}

/* ---- time ---- */

/*
 * Between two steps whoever waits for the lock gets it: without the pause the ticker, which is
 * running, would mostly take it again first.
 */
static void pause_between_steps(void)
{
    const struct timespec pause = {.tv_nsec = 50000};
    nanosleep(&pause, NULL);
}

/* Some half a second of them; what is left goes on with the next tick. Other things wait for it. */
#define STEPS_EACH_TICK 4096

static void tick_engine(struct service *service, struct engine *engine, int64_t now_ms)
{
    service_lock_engine(service);
    engine_tick(engine, now_ms);
    bool more = engine_step(engine, now_ms);
    service_unlock_engine(service);
    for (int step = 0; more && step < STEPS_EACH_TICK; step++) {
        pause_between_steps();
        service_lock_engine(service);
        more = engine_step(engine, now_ms);
        service_unlock_engine(service);
    }
}

static void observe_own(struct service *service)
{
    struct report_figures figures;
    service_report(service, &figures);
    service_lock_engine(service);
    own_observe(service->own, &figures.input, figures.world.now_ms);
    service_unlock_engine(service);
}

void service_tick_engines(struct service *service, bool observe)
{
    int64_t now_ms = clock_now_ms(&service->clock);
    atomic_store_explicit(&service->ledger->now_ms, now_ms, memory_order_relaxed);
    tick_engine(service, service->engine, now_ms);
    tick_engine(service, &service->own->engine, now_ms);
    if (observe)
        observe_own(service);
}

/* ---- the end ---- */

bool service_is_quiet(const struct service *service)
{
    static const enum pool pools[] = {POOL_REQUESTS, POOL_GROWTH, POOL_RESERVE, POOL_SCRATCH,
                                      POOL_BATCHES, POOL_CONNECTIONS};
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        struct account_figures figures = ledger_figures(service->ledger, pools[i]);
        if (figures.live_bytes != 0 || figures.live_objects != 0 ||
            figures.allocations != figures.frees)
            return false;
    }
    return true;
}

void service_log_ledger(struct service *service)
{
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        struct account_figures figures = ledger_figures(service->ledger, pool);
        log_info(&service->log, "ledger",
                 "pool=%s capacity_bytes=%llu live_bytes=%llu peak_bytes=%llu live_objects=%llu "
                 "allocations=%llu frees=%llu refusals=%llu",
                 pool_rows[pool].name, (unsigned long long)figures.capacity_bytes,
                 (unsigned long long)figures.live_bytes, (unsigned long long)figures.peak_bytes,
                 (unsigned long long)figures.live_objects, (unsigned long long)figures.allocations,
                 (unsigned long long)figures.frees, (unsigned long long)figures.refusals);
    }
}
