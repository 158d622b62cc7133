/*
 * plan_make.c: see plan_make.h. Sizes follow from settings; this file is where every one of them is
 * derived.
 */
#include "engine/plan_make.h"

#include "engine/engine.h"
#include "engine/own.h"
#include "ingest/inflate.h"
#include "memory/arena.h"
#include "memory/blocks.h"
#include "memory/snapshots.h"
#include "memory/watch.h"
#include "reply/writer.h"
#include "store/classic.h"
#include "store/histogram.h"
#include "store/unique.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)

/*
 * What libmicrohttpd 0.9.75 takes from malloc for one connection beside its pool, with malloc's
 * header and rounding, counted with a preloaded malloc: the connection 464, its address 48, the
 * pool's own struct 48 and the pool's header 16; a streamed response 184 + 1,024; at most six
 * headers and trailers of 64 + 2 x 144.
 */
#define MHD_CONNECTION_BYTES 640
#define MHD_RESPONSE_BYTES (1216 + 6 * 352)
/* Daemon, worker, epoll: for each thread. */
#define MHD_THREAD_BYTES 4096

/*
 * RSS that no row explains: malloc's free lists between connections, pages at the ends of mappings,
 * libc's own buffers. An allowance, not a sum: /memory tells what is really unaccounted.
 */
#define SLACK_BYTES KIB(256)

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    if (value < least)
        return least;
    return value > most ? most : value;
}

static void choose(uint64_t *setting, uint64_t value)
{
    if (*setting == SETTING_AUTO)
        *setting = value;
}

static uint64_t threads_of(const struct settings *settings)
{
    return settings->server_threads + PLAN_OTHER_THREADS;
}

/*
 * What one drill may leak: large beside what a service does by itself, small enough that three
 * shares of it (in a pool of their own, in the growth pool, on the heap) leave room for the rest.
 */
static uint64_t drill_bytes(const struct settings *settings)
{
    return settings->drills ? settings->memory / 16 : 0;
}

/* ---- addends ---- */

static uint64_t libmicrohttpd_bytes(const struct settings *settings)
{
    uint64_t connections = settings->server_connections + settings->server_operator_connections;
    uint64_t each = settings->server_connection_bytes + MHD_CONNECTION_BYTES + MHD_RESPONSE_BYTES;
    return connections * each                                     /* all connected, all replying */
           + (settings->server_threads + 1) * MHD_THREAD_BYTES; /* the workers and the operator's */
}

/*
 * What each pool takes from the region: the inverse of engine_init and of the server's own carving.
 */
static void plan_pools(struct plan *plan, const struct plan_world *world)
{
    const struct settings *s = &plan->settings;
    uint64_t workers =
        s->server_threads + 1; /* the operator listener's thread answers requests too */
    uint64_t *pools = plan->pools;
    pools[POOL_REQUESTS] = region_piece_bytes(s->server_connections * s->limits_first_block_bytes);
    pools[POOL_GROWTH] = blocks_bytes(s->requests_bytes + plan->drill_bytes);
    pools[POOL_RESERVE] = region_piece_bytes(s->server_operator_connections * OPERATOR_ARENA_BYTES);
    pools[POOL_SCRATCH] = workers * region_piece_bytes(s->limits_scratch_bytes);
    pools[POOL_BATCHES] = s->server_threads * region_piece_bytes(sizeof(struct batch));
    pools[POOL_CONNECTIONS] =
        region_piece_bytes((s->server_connections + s->server_operator_connections) *
                           world->connection_bytes);
    pools[POOL_FIXED] = region_piece_bytes(sizeof(struct engine)) +
                        region_piece_bytes(sizeof(struct ledger)) +
                        region_piece_bytes(workers * world->worker_bytes);
    pools[POOL_OWN] = own_bytes(s);
    pools[POOL_WATCH] = region_piece_bytes(sizeof(struct watch)) + snapshots_bytes(s->trace != 0);
    if (s->drills)
        pools[POOL_DRILLS] =
            region_piece_bytes(world->drills_bytes) + blocks_bytes(plan->drill_bytes);
    engine_plan(s, pools);
    if (s->trace) /* beside the engine's: a row's number for each slot */
        pools[POOL_SITES] += sites_bytes();
}

static void plan_add_up(struct plan *plan, const struct plan_world *world)
{
    const struct settings *s = &plan->settings;
    plan_pools(plan, world);
    plan->parts[PLAN_REGION] = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++)
        plan->parts[PLAN_REGION] += plan->pools[pool];
    plan->threads = threads_of(s);
    plan->parts[PLAN_LIBMICROHTTPD] = libmicrohttpd_bytes(s);
    plan->parts[PLAN_STACKS] = plan->threads * s->server_stack_bytes;
    plan->parts[PLAN_CODE] = world->code_bytes;
    plan->parts[PLAN_SLACK] = SLACK_BYTES;
    plan->parts[PLAN_DRILLS] = plan->drill_bytes;
    plan->total = 0;
    for (int part = 0; part < PLAN_PARTS; part++)
        plan->total += plan->parts[part];
}

/* ---- what `auto` becomes ---- */

/*
 * The largest power of two up to the zstd tool's own 2 MiB for which an inflater fits a request
 * beside its line.
 */
static uint64_t zstd_window(const struct settings *settings)
{
    struct settings trial = *settings;
    uint64_t room = settings->limits_request_bytes - settings->limits_first_block_bytes;
    for (uint64_t window = MIB(2); window > KIB(1); window /= 2) {
        trial.limits_zstd_window_bytes = window;
        if (inflater_bytes(ENCODING_ZSTD, &trial) + settings->limits_line_bytes + KIB(32) <= room)
            return window;
    }
    return KIB(1);
}

/*
 * The CPUs allowed, at most 4; more where the operator wants more connections than those can have.
 */
static uint64_t threads_for(const struct settings *s, const struct plan_world *world)
{
    uint64_t threads = clamp(world->cpus, 1, 4);
    if (s->server_connections == SETTING_AUTO)
        return threads;
    uint64_t needed =
        (s->server_connections + PLAN_THREAD_CONNECTIONS - 1) / PLAN_THREAD_CONNECTIONS;
    return needed > threads ? needed : threads;
}

/* What does not depend on what is left over. */
static void choose_fixed(struct settings *s, const struct plan_world *world)
{
    /* what the program itself takes does not grow with memory; drills have their three shares */
    uint64_t own = s->memory - MIB(8) - 3 * drill_bytes(s);
    s->limits_first_block_bytes = region_piece_bytes(s->limits_first_block_bytes); /* aligned */
    choose(&s->server_threads, threads_for(s, world));
    uint64_t most = s->server_threads * PLAN_THREAD_CONNECTIONS;
    choose(&s->server_connections, clamp(own / KIB(224), 16, most));
    choose(&s->limits_families, clamp(s->memory / KIB(64), 64, 4096));
    choose(&s->limits_scratch_bytes, clamp(s->memory / 64, KIB(64), KIB(512)));
    choose(&s->windows_own_bytes, clamp(own / 22, KIB(256), KIB(2560)));
    choose(&s->requests_bytes, clamp(own / 9 / KIB(64) * KIB(64), KIB(256), MIB(256)));
    choose(&s->limits_request_bytes, clamp(s->requests_bytes / 2, KIB(128), MIB(64)));
    choose(&s->limits_zstd_window_bytes, zstd_window(s));
    choose(&s->limits_query_groups, clamp(s->limits_request_bytes / KIB(3), 16, 1024));
    choose(&s->limits_query_points, clamp(s->limits_request_bytes / 32, 1024, 100000));
    choose(&s->limits_summary_groups, clamp(s->limits_request_bytes / KIB(3), 16, 1000));
}

static uint64_t socket_bytes(uint64_t connections, uint64_t each)
{
    return connections * each * 2 /* directions */ *
           2 /* the kernel doubles what it is asked for */;
}

/*
 * What the kernel charges to the cgroup beside `memory`: an estimate for each connection's structs,
 * page tables and threads; and socket buffers, 128 KiB each way or what the limit leaves.
 */
static void choose_sockets(struct plan *plan, const struct plan_world *world)
{
    struct settings *s = &plan->settings;
    uint64_t connections = s->server_connections + s->server_operator_connections;
    plan->kernel_bytes = connections * KIB(4) + s->memory / 512 + (s->server_threads + 3) * KIB(16);
    uint64_t beside = s->memory + plan->kernel_bytes;
    uint64_t room = world->memory_limit > beside ? world->memory_limit - beside : 0;
    choose(&s->server_socket_bytes,
           clamp(room / socket_bytes(connections, 1), KIB(4), KIB(128)));
    plan->socket_bytes = socket_bytes(connections, s->server_socket_bytes);
}

/*
 * Two and a half label blocks a series (100 bytes of labels take two), four a family (name, HELP,
 * overflow series).
 */
#define SERIES_LABEL_BYTES 160
#define FAMILY_LABEL_BYTES 256

static uint64_t label_bytes_for(uint64_t series, uint64_t families)
{
    return series * SERIES_LABEL_BYTES + families * FAMILY_LABEL_BYTES;
}

/*
 * History and cache have their shares first. The finest tier has the largest: it is what is asked
 * most, and its windows are the shortest. The cache holds results, which are small.
 */
#define FINE_PERCENT 18
#define MIDDLE_PERCENT 8
#define COARSE_PERCENT 8
#define CACHE_PERCENT 4

/* A slot, and which line took it where that is kept. */
static uint64_t traced_slot_cost(const struct settings *settings, uint32_t object_bytes)
{
    return slot_cost(object_bytes) + (settings->trace ? SLOT_SITE_BYTES : 0);
}

/*
 * Then the series classes: most are plain, and a histogram costs as much as five of them, one that
 * is pushed as buckets as much as three.
 */
#define HISTOGRAMS_PERCENT 14
#define BUCKETS_PERCENT 7
#define SETS_PERCENT 4

static uint64_t series_cost(const struct settings *settings)
{
    return traced_slot_cost(settings, sizeof(struct series)) +
           sizeof(struct index_entry) * 4 / 3 + 1 + SERIES_LABEL_BYTES;
}

/* No setting goes past its own ceiling, however large the budget. */
static uint64_t at_most(const char *path, uint64_t value)
{
    uint64_t ceiling = setting_find(bytes_of(path))->ceiling;
    return value < ceiling ? value : ceiling;
}

/* A ring's least: each record ends in a directory of all its families, and there are some. */
static uint64_t ring_floor(const struct settings *settings)
{
    uint64_t least = settings->limits_families * sizeof(struct directory_entry) * 16;
    return least > KIB(32) ? least : KIB(32);
}

/* A share of what is left for a setting; what was chosen already takes none. */
static uint64_t share_out(uint64_t *setting, bool is_auto, const char *path, uint64_t share,
                          uint64_t unit_bytes)
{
    if (!is_auto)
        return 0;
    *setting = at_most(path, *setting + share / unit_bytes);
    return share;
}

/* Shares of what is left for all that is counted in shares. Returns what they took. */
static uint64_t share_out_all(struct settings *s, const struct settings *asked, uint64_t left)
{
    const struct {
        const char *path;
        uint64_t *setting;
        uint64_t asked;
        uint64_t percent;
        uint64_t unit_bytes;
    } shares[] = {
#define SHARE(path, ident, percent, unit_bytes)                                                    \
    {path, &s->ident, asked->ident, percent, unit_bytes}
        SHARE("windows.fine_bytes", windows_fine_bytes, FINE_PERCENT, 1),
        SHARE("windows.middle_bytes", windows_middle_bytes, MIDDLE_PERCENT, 1),
        SHARE("windows.coarse_bytes", windows_coarse_bytes, COARSE_PERCENT, 1),
        SHARE("cache.bytes", cache_bytes, CACHE_PERCENT, 1),
        SHARE("histograms.max", histograms_max, HISTOGRAMS_PERCENT,
              traced_slot_cost(s, sizeof(struct histogram))),
        SHARE("buckets.max", buckets_max, BUCKETS_PERCENT,
              traced_slot_cost(s, sizeof(struct classic))),
        SHARE("sets.max", sets_max, SETS_PERCENT, traced_slot_cost(s, sizeof(struct unique))),
#undef SHARE
    };
    uint64_t taken = 0;
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
        taken += share_out(shares[i].setting, shares[i].asked == SETTING_AUTO, shares[i].path,
                          left * shares[i].percent / 100, shares[i].unit_bytes);
    return taken;
}

/*
 * With the store at its least, what is left of `memory` is shared out among what was left to
 * `auto`.
 */
static void choose_store(struct plan *plan, const struct plan_world *world)
{
    struct settings *s = &plan->settings;
    const struct settings asked = *s;
    choose(&s->windows_fine_bytes, ring_floor(s));
    choose(&s->windows_middle_bytes, ring_floor(s));
    choose(&s->windows_coarse_bytes, ring_floor(s));
    choose(&s->cache_bytes, 0);
    choose(&s->series_max, 16);
    choose(&s->histograms_max, 16);
    choose(&s->buckets_max, 16);
    choose(&s->sets_max, 4);
    choose(&s->series_label_bytes, label_bytes_for(s->series_max, s->limits_families));
    plan_add_up(plan, world);
    uint64_t left = plan->total < s->memory ? s->memory - plan->total : 0;
    left -= left / 64; /* rounding, and the tables that grow along */
    uint64_t rest = left;
    rest -= share_out_all(s, &asked, left);
    bool labels = asked.series_label_bytes == SETTING_AUTO;
    uint64_t cost = series_cost(s) - (labels ? 0 : SERIES_LABEL_BYTES);
    if (asked.series_max == SETTING_AUTO)
        s->series_max = at_most("series.max", s->series_max + rest / cost);
    if (labels)
        s->series_label_bytes = label_bytes_for(s->series_max, s->limits_families);
    plan_add_up(plan, world);
}

/* ---- verdict ---- */

static void say_mib(struct writer *writer, uint64_t bytes)
{
    writer_u64(writer, bytes >> 20);
    writer_char(writer, '.');
    writer_u64(writer, (bytes & (MIB(1) - 1)) * 10 >> 20);
    writer_string(writer, " MiB");
}

static void terminate(struct writer *writer)
{
    size_t last = writer->size - 1;
    writer->at[writer->used < last ? writer->used : last] = '\0';
}

/*
 * The setting that takes most of the plan is the one worth lowering. Label blocks follow series.max
 * where they may.
 */
static const char *heaviest_setting(const struct plan *plan, const struct settings *asked)
{
    uint64_t weights[POOL_COUNT];
    memcpy(weights, plan->pools, sizeof weights);
    if (asked->series_label_bytes == SETTING_AUTO) {
        weights[POOL_SERIES] += weights[POOL_LABELS];
        weights[POOL_LABELS] = 0;
    }
    /* families bring overflow series along, and their texts */
    uint64_t brought = plan->settings.limits_families *
                       (slot_cost(sizeof(struct series)) + FAMILY_LABEL_BYTES);
    brought = brought < weights[POOL_SERIES] ? brought : weights[POOL_SERIES];
    weights[POOL_SERIES] -= brought;
    weights[POOL_FAMILIES] += brought;
    static const struct {
        enum pool pool;
        const char *advice;
    } advice[] = {
        {POOL_SERIES, "series.max"},          {POOL_LABELS, "series.label_bytes"},
        {POOL_HISTOGRAMS, "histograms.max"},  {POOL_SETS, "sets.max"},
        {POOL_BUCKETS, "buckets.max"},        {POOL_CACHE, "cache.bytes"},
        {POOL_WINDOWS_FINE, "windows.fine_bytes"},
        {POOL_WINDOWS_MIDDLE, "windows.middle_bytes"},
        {POOL_WINDOWS_COARSE, "windows.coarse_bytes"},
        {POOL_GROWTH, "requests.bytes"},      {POOL_REQUESTS, "server.connections"},
        {POOL_FAMILIES, "limits.families"},   {POOL_SCRATCH, "limits.scratch_bytes"},
        {POOL_RESERVE, "server.operator_connections"},
    };
    const char *heaviest = "server.connections";
    uint64_t most = plan->parts[PLAN_LIBMICROHTTPD];
    if (plan->parts[PLAN_STACKS] > most) {
        most = plan->parts[PLAN_STACKS];
        heaviest = "server.threads or server.stack_bytes";
    }
    for (size_t i = 0; i < sizeof advice / sizeof advice[0]; i++) {
        if (weights[advice[i].pool] > most) {
            most = weights[advice[i].pool];
            heaviest = advice[i].advice;
        }
    }
    return heaviest;
}

static enum plan_verdict over_memory(const struct plan *plan, const struct settings *asked,
                                     struct writer *say)
{
    writer_string(say, "memory: the plan comes to ");
    say_mib(say, plan->total);
    writer_string(say, ", more than the ");
    say_mib(say, plan->settings.memory);
    writer_string(say, " of memory; raise memory, or lower ");
    writer_string(say, heaviest_setting(plan, asked));
    if (plan->drill_bytes > 0)
        writer_string(say, ", or turn drills off");
    return PLAN_OVER_MEMORY;
}

static enum plan_verdict over_cgroup(const struct plan *plan, struct writer *say)
{
    writer_string(say, "memory: ");
    say_mib(say, plan->settings.memory);
    writer_string(say, " and ");
    say_mib(say, plan->kernel_bytes + plan->socket_bytes);
    writer_string(say,
                  " of the kernel's, socket buffers mostly, are more than the cgroup's limit of ");
    say_mib(say, plan->memory_limit);
    writer_string(say, "; lower memory, server.connections or server.socket_bytes, or raise the "
                       "limit");
    return PLAN_OVER_CGROUP;
}

static enum plan_verdict inconsistent(struct writer *say, const char *what)
{
    writer_string(say, what);
    return PLAN_INCONSISTENT;
}

/* Settings that are each in range but cannot hold together. */
static const char *contradiction(const struct settings *s)
{
    if (s->limits_request_bytes > s->requests_bytes + s->limits_first_block_bytes)
        return "limits.request_bytes: one request could hold more than requests.bytes, the pool "
               "of all";
    if (s->server_connections < s->server_threads)
        return "server.connections: fewer than server.threads, which share them";
    if (s->server_connections > s->server_threads * PLAN_THREAD_CONNECTIONS)
        return "server.connections: more than 125 for each of server.threads";
    if (s->windows_middle % s->windows_fine != 0 || s->windows_coarse % s->windows_middle != 0)
        return "windows.middle, windows.coarse: each must be a multiple of the one before";
    if (s->windows_fine_bytes < ring_floor(s) || s->windows_middle_bytes < ring_floor(s) ||
        s->windows_coarse_bytes < ring_floor(s))
        return "windows.fine_bytes, windows.middle_bytes, windows.coarse_bytes: each must be at "
               "least 256 bytes for each of limits.families";
    if (s->trend_block < 2 * s->windows_fine)
        return "trend.block: less than two of windows.fine; figures are taken once in each";
    if (s->limits_element_bytes > s->limits_scratch_bytes / 4)
        return "limits.element_bytes: more than a quarter of limits.scratch_bytes, in which an "
               "element is parsed";
    if (s->limits_request_bytes <
        s->limits_first_block_bytes + 2 * s->limits_line_bytes + KIB(64))
        return "limits.request_bytes: too little for a push with lines of limits.line_bytes";
    if (s->limits_request_bytes < s->limits_first_block_bytes + s->limits_element_bytes + KIB(64))
        return "limits.request_bytes: too little for a push with elements of limits.element_bytes";
    return NULL;
}

enum plan_verdict plan_make(struct plan *plan, const struct settings *settings,
                            const struct plan_world *world, char *problem, size_t problem_bytes)
{
    struct writer say = writer_make(problem, problem_bytes);
    *plan = (struct plan){.settings = *settings, .memory_limit = world->memory_limit};
    plan->drill_bytes = drill_bytes(settings);
    choose_fixed(&plan->settings, world);
    choose_sockets(plan, world);
    choose_store(plan, world);
    const char *contradictory = contradiction(&plan->settings);
    enum plan_verdict verdict = PLAN_FITS;
    if (contradictory != NULL)
        verdict = inconsistent(&say, contradictory);
    else if (plan->total > plan->settings.memory)
        verdict = over_memory(plan, settings, &say);
    else if (world->memory_limit < plan->settings.memory + plan->kernel_bytes + plan->socket_bytes)
        verdict = over_cgroup(plan, &say);
    terminate(&say);
    return verdict;
}

/* ---- the table ---- */

#define NAME_COLUMN 16
#define SIZE_COLUMN 9

static void pad(struct writer *writer, size_t from, size_t width)
{
    while (writer->used - from < width && !writer->full)
        writer_char(writer, ' ');
}

static void write_row(struct writer *writer, const char *name, uint64_t bytes, const char *why)
{
    char text[32];
    struct writer size = writer_make(text, sizeof text);
    say_mib(&size, bytes);
    size_t start = writer->used;
    writer_string(writer, "  ");
    writer_string(writer, name);
    pad(writer, start, NAME_COLUMN);
    pad(writer, writer->used, SIZE_COLUMN - (size.used < SIZE_COLUMN ? size.used : SIZE_COLUMN));
    writer_bytes(writer, writer_text(&size));
    writer_string(writer, "   ");
    writer_string(writer, why);
    writer_char(writer, '\n');
}

/* A figure with its unit, for the reasons. */
static void say_product(struct writer *why, uint64_t count, const char *of, uint64_t bytes)
{
    writer_u64(why, count);
    writer_string(why, of);
    if (bytes >= KIB(8)) {
        writer_u64(why, bytes >> 10);
        writer_string(why, " KiB");
    } else {
        writer_u64(why, bytes);
        writer_string(why, " B");
    }
}

static void say_slots(struct writer *why, const struct settings *s, enum pool pool)
{
    if (pool == POOL_FAMILIES)
        say_product(why, s->limits_families, " families x ", slot_cost(sizeof(struct family)));
    else if (pool == POOL_SERIES)
        say_product(why, s->series_max, " series x ", slot_cost(sizeof(struct series)));
    else if (pool == POOL_HISTOGRAMS)
        say_product(why, s->histograms_max, " histograms x ", slot_cost(sizeof(struct histogram)));
    else if (pool == POOL_BUCKETS)
        say_product(why, s->buckets_max, " histograms x ", slot_cost(sizeof(struct classic)));
    else
        say_product(why, s->sets_max, " sets x ", slot_cost(sizeof(struct unique)));
    if (pool == POOL_SERIES)
        writer_string(why, ", and an overflow series a family");
}

static void say_pool(struct writer *why, const struct plan *plan, enum pool pool)
{
    const struct settings *s = &plan->settings;
    switch (pool) {
    case POOL_REQUESTS:
        say_product(why, s->server_connections, " connections x ", s->limits_first_block_bytes);
        break;
    case POOL_GROWTH:
        writer_string(why, "shared; one request at most ");
        say_mib(why, s->limits_request_bytes);
        if (plan->drill_bytes > 0)
            writer_string(why, "; and a drill");
        break;
    case POOL_RESERVE:
        say_product(why, s->server_operator_connections, " operator connections x ",
                    OPERATOR_ARENA_BYTES);
        break;
    case POOL_SCRATCH:
        say_product(why, s->server_threads + 1, " threads x ", s->limits_scratch_bytes);
        break;
    case POOL_BATCHES:
        say_product(why, s->server_threads, " threads x ", sizeof(struct batch));
        break;
    case POOL_FAMILIES:
    case POOL_SERIES:
    case POOL_HISTOGRAMS:
    case POOL_BUCKETS:
    case POOL_SETS:
        say_slots(why, s, pool);
        break;
    default:
        writer_string(why, pool_rows[pool].text);
    }
}

static void write_pool_row(struct writer *writer, const struct plan *plan, enum pool pool)
{
    char text[160];
    struct writer why = writer_make(text, sizeof text - 1);
    say_pool(&why, plan, pool);
    text[why.used] = '\0';
    write_row(writer, pool_rows[pool].name, plan->pools[pool], text);
}

static void write_outside(struct writer *writer, const struct plan *plan)
{
    const struct settings *s = &plan->settings;
    char text[160];
    struct writer why = writer_make(text, sizeof text - 1);
    say_product(&why, s->server_connections + s->server_operator_connections, " connections x ",
                s->server_connection_bytes);
    writer_string(&why, " pool, structs and a response");
    text[why.used] = '\0';
    write_row(writer, "libmicrohttpd", plan->parts[PLAN_LIBMICROHTTPD], text);
    why.used = 0;
    say_product(&why, plan->threads, " threads x ", s->server_stack_bytes);
    text[why.used] = '\0';
    write_row(writer, "stacks", plan->parts[PLAN_STACKS], text);
    write_row(writer, "code", plan->parts[PLAN_CODE], "program and libraries, measured at start");
    write_row(writer, "slack", plan->parts[PLAN_SLACK], "malloc's rounding, libc's own buffers");
    if (plan_has_part(plan, PLAN_DRILLS))
        write_row(writer, "drills", plan->parts[PLAN_DRILLS], "cycles on the heap");
}

size_t plan_write(const struct plan *plan, char *out, size_t bytes)
{
    struct writer writer = writer_make(out, bytes - 1);
    writer_string(&writer, "memory plan\n");
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        if (plan->pools[pool] != 0) /* what is off has no row */
            write_pool_row(&writer, plan, pool);
    }
    writer_string(&writer, "outside the region\n");
    write_outside(&writer, plan);
    writer_string(&writer, "total ");
    say_mib(&writer, plan->total);
    writer_string(&writer, " of ");
    say_mib(&writer, plan->settings.memory);
    writer_string(&writer, "; kernel socket buffers beside it, at most ");
    say_mib(&writer, plan->socket_bytes);
    writer_char(&writer, '\n');
    out[writer.used] = '\0';
    return writer.used;
}
