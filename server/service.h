/*
 * service.h: everything the process holds while it runs, in one place that is not global.
 *
 *     main ── makes ──> service ──> engine (one mutex), connections, growth pool, workers, figures
 *
 * Owner: main. Lifetime: process.
 * Threads:  `engine` under engine_lock; `growth` under growth_lock; the figures are atomics; the
 *           rest is read-only once
 *          the listeners are open.
 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include "clock.h"
#include "connections.h"
#include "log.h"
#include "machine.h"
#include "options.h"

#include "engine/own.h"
#include "engine/plan_make.h"
#include "memory/blocks.h"
#include "memory/snapshots.h"
#include "reply/doctor.h"
#include "reply/watch_input.h"

/* What a thread needs for the time of one callback. Nothing stays in it between two. */
struct worker {
    struct batch *batch; /* NULL for the operator listener's thread, which takes no samples */
    struct arena scratch;
};

struct drills;

struct service {
    const struct options *options;
    const struct plan *plan;
    const struct settings *settings; /* the plan's: nothing is left at auto */
    struct machine machine;
    struct clock clock;
    struct log log;
    int64_t start_ms;

    struct ledger *ledger;
    pthread_mutex_t engine_lock;
    struct engine *engine;
    struct own *own;             /* the service's own history, under the same lock */
    struct watch *watch;         /* likewise */
    struct snapshots *snapshots; /* likewise */
    struct watch_rates rates;    /* the ticker's */
    struct quiet quiet;

    pthread_mutex_t growth_lock;
    struct blocks growth;
    struct block_source growth_source;

    struct drills *drills; /* NULL: off, which is how a service is run */

    struct connections connections;
    struct worker *workers;
    uint32_t worker_count;
    _Atomic uint32_t workers_taken;

    _Atomic bool stopping;
    _Atomic uint64_t next_request_id;
    struct {
        _Atomic uint64_t live;
        _Atomic uint64_t completed;
        _Atomic uint64_t peak_bytes;
        _Atomic uint64_t body_bytes;
        _Atomic uint64_t by_class[HTTP_CLASSES];
        _Atomic uint64_t refused[STATUS_COUNT];
        _Atomic uint64_t lifetime_counts[REQUEST_BOUNDS + 1];
        _Atomic uint64_t lifetime_sum_us;
        _Atomic uint64_t lifetime_max_us;
    } figures;
    struct {
        _Atomic uint64_t bytes; /* WORLD_UNKNOWN: not known */
        _Atomic int64_t due_us; /* monotonic */
    } pss;
    _Atomic uint64_t malloc_base_bytes; /* in use but for connections, when the listeners opened */
};

/* Carves everything out of the region and seals it. */
void service_init(struct service *service, const struct options *options, const struct plan *plan,
                  uint64_t seed, struct region *region);

/* The engine, locked until service_unlock_engine. */
struct engine *service_lock_engine(struct service *service);
void service_unlock_engine(struct service *service);

/* This thread's worker; the same one each time it asks. */
struct worker *service_worker(struct service *service, bool operator_listener);

/* What a decoder may use during one callback. */
struct intake service_intake(struct service *service, struct request *request);

/* Fills in all of it; reads /proc, so not for the hot path. */
void service_world(struct service *service, struct world *world);

/*
 * What the reports are made of, in the request's arena: the world, and the engine's figures at this
 * moment.
 */
struct report_figures {
    struct world world;
    struct report_input input;
    uint64_t rejected_samples[STATUS_COUNT];
    uint64_t mismatch_by_pool[POOL_COUNT];
};
void service_report(struct service *service, struct report_figures *figures);

/*
 * Measures the proportional set size anew where the last time is ten seconds ago: milliseconds, so
 * for reports that show it alone. Those have what was measured last.
 */
void service_read_pss(struct service *service);

/* The metrics with most series, for the doctor. */
void service_largest_metrics(struct service *service, struct doctor_input *doctor);

/* What the pools and malloc hold now. */
struct snapshot service_snapshot(struct service *service);

/*
 * Seals and folds what is due in both engines, in steps with the lock let go of between them; the
 * service's own figures are taken down and watched when `is_to_observe`. The ticker's.
 */
void service_tick_engines(struct service *service, bool is_to_observe);

/* Remembers what malloc holds by now as what it always will. */
void service_open(struct service *service);

/* No request was in flight a moment ago: is that so, and is nothing of any request live? */
void service_look_when_quiet(struct service *service);

/* At the end: nothing of any request is live, nor a connection. */
bool service_is_quiet(const struct service *service);

/* The ledger, a line a pool, to the log. */
void service_log_ledger(struct service *service);

#endif
