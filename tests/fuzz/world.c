/* world.c: see world.h. */
#include "world.h"

#include "base/ensure.h"
#include "memory/poison.h"
#include "reply/exposition.h"

#include <stdlib.h>

#define START_MS INT64_C(1763841600000)

/* ---- growth, as server/service.c has it, without its lock ---- */

static void *take(void *context, size_t bytes, size_t *granted)
{
    struct fuzz_world *world = context;
    void *run = blocks_take(&world->growth, bytes, granted);
    if (run == NULL)
        ledger_refuse(&world->ledger, POOL_GROWTH);
    return run;
}

static void give(void *context, void *block, size_t granted)
{
    struct fuzz_world *world = context;
    blocks_give(&world->growth, block, granted);
}

/* ---- birth ---- */

static uint64_t world_bytes(const struct settings *settings)
{
    return engine_bytes(settings) + blocks_bytes(settings->requests_bytes) +
           region_piece_bytes(settings->limits_scratch_bytes) +
           region_piece_bytes(sizeof(struct batch)) + region_piece_bytes(FUZZ_FIRST_BLOCK_BYTES) +
           region_piece_bytes(sizeof(struct engine));
}

static void map_region(struct fuzz_world *world)
{
    size_t bytes = (size_t)world_bytes(&world->settings);
    char *memory = world->region.base;
    if (memory == NULL || world->region.bytes < bytes) {
        memory = aligned_alloc(REGION_ALIGN, bytes);
        REQUIRE(memory != NULL);
    }
    UNPOISON(memory, bytes);
    memset(memory, 0, bytes);
    region_init(&world->region, memory, bytes);
}

void fuzz_world_init(struct fuzz_world *world, const struct settings *settings)
{
    world->settings = *settings;
    world->now_ms = START_MS;
    map_region(world);
    struct region *region = &world->region;
    size_t scratch = settings->limits_scratch_bytes;
    ledger_init(&world->ledger);
    blocks_init(&world->growth, settings->requests_bytes, POOL_GROWTH, &world->ledger, region);
    world->source = (struct block_source){take, give, world};
    arena_init(&world->scratch, region_take(region, scratch), scratch, scratch, NULL);
    world->batch = region_take(region, sizeof(struct batch));
    world->first_block = region_take(region, FUZZ_FIRST_BLOCK_BYTES);
    world->ledger.accounts[POOL_SCRATCH].capacity_bytes = scratch;
    world->ledger.accounts[POOL_BATCHES].capacity_bytes = sizeof(struct batch);
    world->ledger.accounts[POOL_REQUESTS].capacity_bytes = FUZZ_FIRST_BLOCK_BYTES;
    world->engine = region_take(region, sizeof *world->engine);
    engine_init(world->engine, &world->settings, &world->ledger, FUZZ_SEED, START_MS, region);
    region_seal(region);
    REQUIRE(region->used == region->bytes);
}

/* ---- requests ---- */

void fuzz_world_begin(struct fuzz_world *world)
{
    arena_init(&world->arena, world->first_block, FUZZ_FIRST_BLOCK_BYTES,
               world->settings.limits_request_bytes, &world->source);
    ledger_take(&world->ledger, POOL_REQUESTS, arena_held(&world->arena));
}

void fuzz_world_end(struct fuzz_world *world)
{
    arena_reset(&world->arena);
    REQUIRE(arena_held(&world->arena) == FUZZ_FIRST_BLOCK_BYTES);
    REQUIRE(arena_used(&world->arena) == 0);
    ledger_give(&world->ledger, POOL_REQUESTS, arena_held(&world->arena));
}

static struct refusal apply(void *context, struct intake *intake)
{
    struct fuzz_world *world = context;
    for (uint32_t i = 0; i < intake->batch->count; i++)
        fuzz_check_sample(&intake->batch->samples[i], intake->settings);
    engine_apply(world->engine, intake, world->now_ms);
    return refusal_plain(STATUS_OK);
}

struct intake fuzz_world_intake(struct fuzz_world *world)
{
    return (struct intake){
        .batch = world->batch,
        .scratch = &world->scratch,
        .settings = &world->settings,
        .ledger = &world->ledger,
        .seed = FUZZ_SEED,
        .flush = apply,
        .context = world,
    };
}

/* ---- questions ---- */

/*
 * What the settings promise: overflow series and families come on top, for they have slots of their
 * own.
 */
static void verify_limits(const struct fuzz_world *world)
{
    const struct store *store = &world->engine->store;
    uint64_t series = 0;
    uint64_t families = 0;
    for (uint32_t i = 0; i < store->families.fresh; i++) {
        const struct family *family = store_family(store, i);
        series += family == NULL ? 0 : family->series_count;
        families += family != NULL && !family->is_overflow;
    }
    REQUIRE(series <= world->settings.series_max);
    REQUIRE(families <= world->settings.limits_families);
}

void fuzz_world_verify(struct fuzz_world *world)
{
    static const enum pool pools[] = {POOL_REQUESTS, POOL_GROWTH, POOL_SCRATCH, POOL_BATCHES};
    for (size_t i = 0; i < COUNT_OF(pools); i++) {
        struct account_figures figures = ledger_figures(&world->ledger, pools[i]);
        REQUIRE(figures.live_bytes == 0);
        REQUIRE(figures.live_objects == 0);
        REQUIRE(figures.allocations == figures.frees);
        REQUIRE(figures.peak_bytes <= figures.capacity_bytes);
    }
    REQUIRE(blocks_held(&world->growth) == 0);
    REQUIRE(arena_used(&world->scratch) == 0);
    REQUIRE(world->batch->count == 0);
    store_verify(&world->engine->store);
    verify_limits(world);
}

void fuzz_world_audit(struct fuzz_world *world)
{
    for (int pool = 0; pool < POOL_COUNT; pool++)
        engine_tick(world->engine, world->now_ms);
    REQUIRE(world->engine->audit.mismatch_bytes == 0);
}

void fuzz_world_expose(struct fuzz_world *world, bool openmetrics, size_t page_bytes,
                       struct fuzz_text *text)
{
    bool more = true;
    char *memory = malloc(page_bytes);
    REQUIRE(memory != NULL);
    fuzz_text_reset(text);
    fuzz_world_begin(world);
    struct exposition *exposition =
        exposition_make(&world->settings, openmetrics, &world->arena);
    REQUIRE(exposition != NULL);
    while (more) {
        struct writer page = writer_make(memory, page_bytes);
        more = exposition_next(exposition, &world->engine->store, &page);
        REQUIRE(page.used <= page_bytes);
        REQUIRE(page.used > 0 || !more); /* else it would never end */
        fuzz_text_add(text, writer_text(&page));
    }
    fuzz_world_end(world);
    free(memory);
    if (openmetrics)
        fuzz_text_add(text, BYTES("# EOF\n"));
}
