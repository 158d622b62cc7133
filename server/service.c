/* service.c: see service.h. */
#include "service.h"

#include "drills.h"
#include "process_memory.h"

#include "base/ensure.h"
#include "query/largest.h"
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
        arena_trace(&worker->scratch, service->ledger->sites);
        accounts[POOL_SCRATCH].capacity_bytes += scratch;
        worker->batch = NULL;
        if (i + 1 == service->worker_count)
            break; /* the operator's thread takes no samples */
        worker->batch = region_take(region, sizeof(struct batch));
        worker->batch->count = worker->batch->text_used = 0;
        accounts[POOL_BATCHES].capacity_bytes += sizeof(struct batch);
    }
}

/* A pool that is taken whole, once. */
static void charge(struct service *service, enum pool pool)
{
    uint64_t bytes = service->plan->pools[pool];
    service->ledger->accounts[pool].capacity_bytes = bytes;
    ledger_take(service->ledger, pool, bytes);
}

/* Before any pool is made: those of slots look whether the ledger has sites. */
static void init_sites(struct service *service, struct region *region)
{
    if (!service->settings->trace)
        return;
    service->ledger->sites = region_take(region, sizeof *service->ledger->sites);
    sites_init(service->ledger->sites);
    charge(service, POOL_SITES);
}

static void init_watch(struct service *service, struct region *region)
{
    service->watch = region_take(region, sizeof *service->watch);
    service->snapshots = snapshots_make(service->settings->trace != 0, region);
    watch_init(service->watch, (int64_t)service->settings->trend_block, service->start_ms);
    quiet_init(&service->quiet);
    charge(service, POOL_WATCH);
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
    atomic_store(&service->pss.bytes, WORLD_UNKNOWN);
    init_sites(service, region);
    init_lock(&service->engine_lock);
    init_lock(&service->growth_lock);
    blocks_init(&service->growth, service->settings->requests_bytes + plan->drill_bytes,
                POOL_GROWTH, service->ledger, region);
    service->growth_source = (struct block_source){growth_take, growth_give, service};
    connections_init(&service->connections, service, region);
    init_workers(service, region);
    service->engine = region_take(region, sizeof *service->engine);
    engine_init(service->engine, service->settings, service->ledger, seed, service->start_ms,
                region);
    service->own = region_take(region, sizeof *service->own);
    own_init(service->own, service->settings, seed, service->start_ms, service->ledger, region);
    service->drills = service->settings->drills ? drills_make(service, region) : NULL;
    init_watch(service, region);
    charge(service, POOL_FIXED);
    region_seal(region);
    ENSURE(region->used == region->bytes); /* the plan added up what was taken, to the byte */
}

void service_open(struct service *service)
{
    struct mallinfo2 heap = mallinfo2();
    uint64_t in_use = heap.uordblks + heap.hblkhd;
    struct connections *connections = &service->connections;
    uint64_t most = connections->data_count + connections->operator_count;
    pthread_mutex_lock(&connections->lock); /* clients may have come already */
    uint64_t theirs = connections->live * plan_connection_bytes(service->plan, most);
    pthread_mutex_unlock(&connections->lock);
    atomic_store(&service->malloc_base_bytes, in_use > theirs ? in_use - theirs : 0);
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

/* The kernel walks all page tables for it, some milliseconds: at most every ten seconds. */
#define PSS_EACH_US 10000000

void service_read_pss(struct service *service)
{
    int64_t now_us = clock_monotonic_us();
    int64_t due_us = atomic_load_explicit(&service->pss.due_us, memory_order_relaxed);
    uint64_t bytes;
    if (now_us >= due_us &&
        atomic_compare_exchange_strong(&service->pss.due_us, &due_us, now_us + PSS_EACH_US))
        atomic_store_explicit(&service->pss.bytes,
                              process_pss_read(&service->machine, &bytes) ? bytes : WORLD_UNKNOWN,
                              memory_order_relaxed);
}

static void read_process(const struct service *service, struct world_process *process)
{
    struct process_memory memory;
    struct rlimit files;
    struct mallinfo2 heap = mallinfo2(); /* one arena, and few chunks in it */
    bool is_read = process_memory_read(&service->machine, &memory);
    if (!is_read)
        memset(&memory, 0xff, sizeof memory); /* WORLD_UNKNOWN everywhere: not known, not 0 */
    *process = (struct world_process){
        .rss_bytes = memory.rss_bytes,
        .rss_peak_bytes = memory.rss_peak_bytes,
        .rss_anon_bytes = memory.rss_anon_bytes,
        .rss_file_bytes = memory.rss_file_bytes,
        .pss_bytes = get(&service->pss.bytes),
        .swap_bytes = memory.swap_bytes,
        .virtual_bytes = memory.virtual_bytes,
        .virtual_peak_bytes = memory.virtual_peak_bytes,
        .threads = memory.threads,
        .open_fds = memory.open_fds,
        .max_fds = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : WORLD_UNKNOWN,
        .minor_faults = memory.minor_faults,
        .major_faults = memory.major_faults,
        .cpu_seconds =
            is_read ? (double)(memory.cpu_user_ms + memory.cpu_system_ms) / 1000 : 0,
        .malloc_in_use_bytes = heap.uordblks,
        .malloc_free_bytes = heap.fordblks,
        .malloc_mmap_bytes = heap.hblkhd,
        .malloc_base_bytes = get(&service->malloc_base_bytes),
    };
}

static struct world_pressure world_pressure(const struct pressure *pressure)
{
    return (struct world_pressure){pressure->avg10, pressure->avg60, pressure->avg300,
                                   (double)pressure->total_us / 1e6};
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
        .pressure_is_known = memory.pressure_is_known,
        .some = world_pressure(&memory.some),
        .full = world_pressure(&memory.full),
    };
}

static void raise_to(int64_t *highest, int64_t value)
{
    if (*highest < value)
        *highest = value;
}

/* The ages of the oldest that are in flight, and the most that one of them holds or held. */
static void read_in_flight(const struct connections *connections, struct world_requests *requests)
{
    int64_t now_us = clock_monotonic_us();
    requests->oldest_data_age_ms = requests->oldest_operator_age_ms = 0;
    requests->peak_bytes = 0;
    for (uint32_t i = 0; i < connections->data_count + connections->operator_count; i++) {
        const struct connection *connection = &connections->slots[i];
        const struct request *request = &connection->request;
        if (connection->fd < 0 ||
            atomic_load_explicit(&request->phase, memory_order_acquire) == PHASE_NONE)
            continue;
        int64_t started_us = atomic_load_explicit(&request->started_us, memory_order_relaxed);
        raise_to(connection->operator_listener ? &requests->oldest_operator_age_ms
                                               : &requests->oldest_data_age_ms,
                 (now_us - started_us) / 1000);
        uint64_t peak = arena_peak(&request->arena);
        requests->peak_bytes = peak > requests->peak_bytes ? peak : requests->peak_bytes;
    }
}

static void read_connections(struct service *service, struct world_requests *requests)
{
    struct connections *connections = &service->connections;
    pthread_mutex_lock(&connections->lock);
    read_in_flight(connections, requests);
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
    uint64_t ended = get(&service->figures.peak_bytes);
    requests->peak_bytes = ended > requests->peak_bytes ? ended : requests->peak_bytes;
    requests->completed = get(&service->figures.completed);
    requests->body_bytes = get(&service->figures.body_bytes);
    for (int i = 0; i < HTTP_CLASSES; i++)
        requests->by_class[i] = get(&service->figures.by_class[i]);
    for (int i = 0; i < STATUS_COUNT; i++)
        requests->refused[i] = get(&service->figures.refused[i]);
    for (int i = 0; i <= REQUEST_BOUNDS; i++)
        requests->lifetimes.counts[i] = get(&service->figures.lifetime_counts[i]);
    requests->lifetimes.sum_us = get(&service->figures.lifetime_sum_us);
    requests->lifetimes.max_us = get(&service->figures.lifetime_max_us);
}

/* Connections that came, and those that went: it never goes back. */
static uint64_t connection_moves(struct service *service)
{
    struct connections *connections = &service->connections;
    pthread_mutex_lock(&connections->lock);
    uint64_t moves = 2 * connections->accepted - connections->live;
    pthread_mutex_unlock(&connections->lock);
    return moves;
}

void service_world(struct service *service, struct world *world)
{
    uint64_t moves = connection_moves(service);
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
    world->connections_moved = connection_moves(service) != moves;
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

/* Of what has a lock of its own, so before the engine's is taken: nobody waits for two. */
static void read_mismatches(struct service *service, uint64_t by_pool[static POOL_COUNT])
{
    memset(by_pool, 0, POOL_COUNT * sizeof by_pool[0]);
    by_pool[POOL_GROWTH] = growth_mismatch(service);
    if (service->drills != NULL)
        by_pool[POOL_DRILLS] = drills_mismatch(service->drills);
}

/* And of what the engines' audits have found. */
static void add_mismatches(const struct service *service, struct report_figures *figures)
{
    uint64_t *by_pool = figures->mismatch_by_pool;
    by_pool[POOL_OWN] += service->own->engine.audit.mismatch_bytes;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        by_pool[pool] += service->engine->audit.mismatch_by_pool[pool];
        figures->input.ledger_mismatch_bytes += by_pool[pool];
    }
}

void service_report(struct service *service, struct report_figures *figures)
{
    service_world(service, &figures->world);
    read_mismatches(service, figures->mismatch_by_pool);
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
        .series_lifetimes = engine->store.lifetimes,
        .quiet = quiet_figures(&service->quiet),
        .watch = watch_report(service->watch, figures->world.now_ms),
        .mismatch_by_pool = figures->mismatch_by_pool,
        .audits = engine->audit.audits + service->own->engine.audit.audits,
        .accepted_samples = engine->accepted_samples,
        .overflowed_samples = engine->store.overflowed_samples,
        .rejected_samples = figures->rejected_samples,
    };
    add_mismatches(service, figures);
    service_unlock_engine(service);
}

void service_largest_metrics(struct service *service, struct doctor_input *doctor)
{
    const struct family *largest[DOCTOR_METRICS];
    char name[2048];
    uint64_t left_out;
    struct engine *engine = service_lock_engine(service);
    doctor->metric_count = largest_families(&engine->store, largest, DOCTOR_METRICS, &left_out);
    for (uint32_t i = 0; i < doctor->metric_count; i++) {
        struct doctor_metric *metric = &doctor->metrics[i];
        uint32_t length = largest[i]->name.length;
        label_copy(&engine->store.labels, largest[i]->name, name);
        metric->name_length = length < DOCTOR_NAME_BYTES ? length : DOCTOR_NAME_BYTES;
        metric->series = largest[i]->series_count;
        memcpy(metric->name, name, metric->name_length);
    }
    service_unlock_engine(service);
}

struct snapshot service_snapshot(struct service *service)
{
    struct report_figures figures;
    service_report(service, &figures);
    struct report_sums sums = report_sums_make(&figures.input);
    uint64_t heap = sums.heap_unexplained_bytes;
    return snapshot_make(service->ledger, heap == WORLD_UNKNOWN ? 0 : heap, figures.world.now_ms);
}

/* ---- quiet points ---- */

/*
 * A request counts itself as live and takes its number before it takes any memory, and is live
 * until it has given all back: so when none was live before the look and none has begun by its end,
 * what was seen was of no request.
 */
void service_look_when_quiet(struct service *service)
{
    uint64_t begun = atomic_load(&service->next_request_id);
    if (atomic_load(&service->figures.live) != 0)
        return;
    uint64_t not_empty = quiet_look(service->ledger);
    atomic_thread_fence(memory_order_acquire); /* who saw a take sees the number taken before it */
    if (atomic_load(&service->next_request_id) == begun && atomic_load(&service->figures.live) == 0)
        quiet_count(&service->quiet, not_empty, clock_now_ms(&service->clock));
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

static void observe(struct service *service)
{
    struct report_figures figures;
    service_report(service, &figures);
    service_lock_engine(service);
    own_observe(service->own, &figures.input, figures.world.now_ms);
    struct watch_input watch = watch_input_make(&figures.input, &service->rates);
    watch_observe(service->watch, &watch);
    service_unlock_engine(service);
}

void service_tick_engines(struct service *service, bool is_to_observe)
{
    int64_t now_ms = clock_now_ms(&service->clock);
    atomic_store_explicit(&service->ledger->now_ms, now_ms, memory_order_relaxed);
    tick_engine(service, service->engine, now_ms);
    tick_engine(service, &service->own->engine, now_ms);
    if (is_to_observe)
        observe(service);
    service_lock_engine(service);
    watch_step(service->watch);
    service_unlock_engine(service);
}

/* ---- the end ---- */

bool service_is_quiet(const struct service *service)
{
    struct account_figures connections = ledger_figures(service->ledger, POOL_CONNECTIONS);
    return quiet_look(service->ledger) == 0 && account_is_empty(&connections);
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
