/* world.c: see world.h. */
#include "world.h"

#include "clients.h"
#include "sim.h"

#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "process_memory.h"

#define MIB(n) ((uint64_t)(n) << 20)

/* The linker's names begin so. */
#define WRAPPED(name) __wrap_##name
#define REAL(name) __real_##name

static struct sim *the_sim;

void world_begin(struct sim *sim)
{
    the_sim = sim;
    sim->clock = (struct world_clock){.wall_ahead_ms = SIM_START_MS};
}

void world_pass(struct sim *sim, int64_t us)
{
    sim->clock.monotonic_us += us;
}

void world_step(struct sim *sim, int64_t ms)
{
    sim->clock.wall_ahead_ms += ms;
}

/* ---- time ---- */

int WRAPPED(clock_gettime)(clockid_t id, struct timespec *now);
int WRAPPED(nanosleep)(const struct timespec *pause, struct timespec *left);

int WRAPPED(clock_gettime)(clockid_t id, struct timespec *now)
{
    int64_t us = the_sim->clock.monotonic_us;
    if (id == CLOCK_REALTIME)
        us += the_sim->clock.wall_ahead_ms * 1000;
    *now = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    return 0;
}

/* The ticker lets go of the lock between two steps: whoever waits for it gets it. */
int WRAPPED(nanosleep)(const struct timespec *pause, struct timespec *left)
{
    (void)left;
    world_pass(the_sim, pause->tv_nsec / 1000);
    sim_let_others(the_sim);
    return 0;
}

/* ---- the process: of one size, so that nothing seems to grow that does not ---- */

struct mallinfo2 WRAPPED(mallinfo2)(void);
int WRAPPED(getrlimit)(int resource, struct rlimit *limit);
bool WRAPPED(process_memory_read)(const struct machine *machine, struct process_memory *memory);
bool WRAPPED(process_pss_read)(const struct machine *machine, uint64_t *pss_bytes);
bool WRAPPED(cgroup_memory_read)(const struct machine *machine, struct cgroup_memory *memory);

struct mallinfo2 WRAPPED(mallinfo2)(void)
{
    return (struct mallinfo2){.uordblks = MIB(1), .fordblks = MIB(1) / 4};
}

int WRAPPED(getrlimit)(int resource, struct rlimit *limit)
{
    (void)resource;
    *limit = (struct rlimit){1024, 1024};
    return 0;
}

bool WRAPPED(process_memory_read)(const struct machine *machine, struct process_memory *memory)
{
    (void)machine;
    *memory = (struct process_memory){
        .rss_bytes = the_sim->region.bytes + MIB(4),
        .rss_peak_bytes = the_sim->region.bytes + MIB(5),
        .rss_anon_bytes = the_sim->region.bytes + MIB(1),
        .rss_file_bytes = MIB(3),
        .virtual_bytes = MIB(100),
        .virtual_peak_bytes = MIB(100),
        .threads = 4,
        .open_fds = 12 + the_sim->service.connections.live,
        .cpu_user_ms = (uint64_t)the_sim->clock.monotonic_us / 100000,
        .start_ms = (uint64_t)SIM_START_MS,
    };
    return true;
}

bool WRAPPED(process_pss_read)(const struct machine *machine, uint64_t *pss_bytes)
{
    (void)machine;
    *pss_bytes = the_sim->region.bytes + MIB(3);
    return true;
}

bool WRAPPED(cgroup_memory_read)(const struct machine *machine, struct cgroup_memory *memory)
{
    (void)machine;
    *memory = (struct cgroup_memory){0};
    return false;
}

/* ---- sockets ---- */

int WRAPPED(poll)(struct pollfd *pollers, nfds_t count, int timeout_ms);
int WRAPPED(shutdown)(int fd, int how);

int WRAPPED(poll)(struct pollfd *pollers, nfds_t count, int timeout_ms)
{
    (void)timeout_ms;
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        bool gone = clients_have_closed(&the_sim->clients, pollers[i].fd);
        pollers[i].revents = gone ? POLLRDHUP : 0;
        ready += gone;
    }
    return ready;
}

int WRAPPED(shutdown)(int fd, int how)
{
    (void)how;
    clients_shut(&the_sim->clients, fd);
    return 0;
}

/* ---- locks and room ---- */

struct engine *WRAPPED(service_lock_engine)(struct service *service);
struct engine *REAL(service_lock_engine)(struct service *service);
void *WRAPPED(blocks_take)(struct blocks *blocks, size_t bytes, size_t *granted);
void *REAL(blocks_take)(struct blocks *blocks, size_t bytes, size_t *granted);

/* Somebody may have it before us. */
struct engine *WRAPPED(service_lock_engine)(struct service *service)
{
    sim_let_others(the_sim);
    return REAL(service_lock_engine)(service);
}

/* As if others had all of it. */
void *WRAPPED(blocks_take)(struct blocks *blocks, size_t bytes, size_t *granted)
{
    uint64_t one_in = the_sim->swarm.no_room_one_in;
    if (one_in == 0 || !sim_one_in(the_sim, one_in))
        return REAL(blocks_take)(blocks, bytes, granted);
    HAPPEN(the_sim, NO_ROOM);
    ledger_refuse(blocks->ledger, blocks->pool);
    return NULL;
}

/* ---- the model looks on ---- */

enum status WRAPPED(store_apply)(struct store *store, const struct sample *sample, int64_t now_ms,
                                 struct store_outcome *outcome);
enum status REAL(store_apply)(struct store *store, const struct sample *sample, int64_t now_ms,
                              struct store_outcome *outcome);
void WRAPPED(store_overflow)(struct store *store, const struct sample *sample, int64_t now_ms);
void REAL(store_overflow)(struct store *store, const struct sample *sample, int64_t now_ms);
void WRAPPED(store_delete)(struct store *store, uint32_t series);
void REAL(store_delete)(struct store *store, uint32_t series);

/* The service's own figures have a store, too. */
static bool is_followed(const struct store *store)
{
    return store == &the_sim->engine->store;
}

static void follow(const struct series *series, const struct sample *sample)
{
    struct model *model = &the_sim->model;
    model_apply(model, the_sim->engine, series, sample);
    const struct entry *entry = &model->entries[model->count - 1];
    the_sim->applied += sample->follows ? 0 : sample->lines;
    HAPPEN_TIMES(the_sim, BEHIND, entry->window > entry->open_window);
}

enum status WRAPPED(store_apply)(struct store *store, const struct sample *sample, int64_t now_ms,
                                 struct store_outcome *outcome)
{
    enum status status = REAL(store_apply)(store, sample, now_ms, outcome);
    if (is_followed(store) && status == STATUS_OK)
        follow(model_series(store, sample), sample);
    return status;
}

void WRAPPED(store_overflow)(struct store *store, const struct sample *sample, int64_t now_ms)
{
    REAL(store_overflow)(store, sample, now_ms);
    uint32_t family = store->overflow_family[sample->kind];
    if (is_followed(store))
        follow(store_series(store, store_family(store, family)->overflow), sample);
}

void WRAPPED(store_delete)(struct store *store, uint32_t series)
{
    if (is_followed(store) && !store_series(store, series)->is_overflow)
        model_delete(&the_sim->model, the_sim->engine, series);
    REAL(store_delete)(store, series);
}
