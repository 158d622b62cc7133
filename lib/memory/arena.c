/* arena.c: see arena.h. */
#include "memory/arena.h"

#include "base/ensure.h"
#include "memory/poison.h"

/* A request that outgrows its first block is likely to go on: four units of the pool at once. */
#define GROW_BYTES 16384

static size_t align_up(size_t bytes)
{
    return (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

#define HEADER_BYTES align_up(sizeof(struct arena_block))
#define OUT_OF_LINE __attribute__((noinline))
#define TRACE_BYTES align_up(sizeof(struct arena_header))

void arena_init(struct arena *arena, void *first, size_t first_bytes, size_t held_max,
                const struct block_source *source)
{
    ENSURE((uintptr_t)first % ARENA_ALIGN == 0);
    ENSURE(held_max >= first_bytes);
    arena->first = first;
    arena->first_bytes = first_bytes / ARENA_ALIGN * ARENA_ALIGN;
    arena->block = NULL;
    arena->used = arena->first_used = 0;
    arena->grow_bytes = GROW_BYTES;
    arena->held_max = held_max;
    arena->source = source;
    arena->refusal = STATUS_OK;
    arena->sites = NULL;
    arena->last = NULL;
    /* one by one: others may read these two while a slot's next request begins */
    atomic_store_explicit(&arena->held, first_bytes, memory_order_relaxed);
    atomic_store_explicit(&arena->peak, first_bytes, memory_order_relaxed);
    POISON(first, arena->first_bytes);
}

static char *current_base(const struct arena *arena)
{
    return arena->block == NULL ? arena->first : (char *)arena->block;
}

static size_t current_bytes(const struct arena *arena)
{
    return arena->block == NULL ? arena->first_bytes : arena->block->bytes;
}

void arena_trace(struct arena *arena, struct sites *sites)
{
    ENSURE(arena->block == NULL);
    ENSURE(arena->used == 0); /* what was pushed before has no header */
    arena->sites = sites;
}

/* What is left of the current block, be it for headers or for what they stand before. */
static size_t block_room(const struct arena *arena)
{
    return current_bytes(arena) - arena->used;
}

size_t arena_room(const struct arena *arena)
{
    size_t room = block_room(arena);
    size_t header = arena->sites == NULL ? 0 : TRACE_BYTES;
    return room > header ? room - header : 0;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}

static void set_held(struct arena *arena, size_t held)
{
    atomic_store_explicit(&arena->held, held, memory_order_relaxed);
    if (held > arena_peak(arena))
        atomic_store_explicit(&arena->peak, held, memory_order_relaxed);
}

/*
 * Makes a block current that has room for `bytes`. Only growth is bounded here; the pool's bound is
 * the source's.
 */
static bool grow(struct arena *arena, size_t bytes)
{
    size_t left = arena->held_max - arena_held(arena);
    size_t wanted = bytes + HEADER_BYTES;
    arena->refusal = STATUS_REQUEST_TOO_LARGE;
    if (arena->source == NULL || wanted > left)
        return false;
    if (wanted < arena->grow_bytes && arena->grow_bytes <= left)
        wanted = arena->grow_bytes;
    size_t granted = 0;
    struct arena_block *block = arena->source->take(arena->source->context, wanted, &granted);
    arena->refusal = STATUS_BUSY;
    if (block == NULL)
        return false;
    ENSURE(granted >= wanted);
    ENSURE(granted % ARENA_ALIGN == 0); /* so that room always is */
    if (granted > left) { /* rounded up to the source's units, past what this arena may hold */
        arena->source->give(arena->source->context, block, granted);
        arena->refusal = STATUS_REQUEST_TOO_LARGE;
        return false;
    }
    if (arena->block == NULL)
        arena->first_used = arena->used;
    *block = (struct arena_block){.before = arena->block, .bytes = granted};
    arena->block = block;
    arena->used = HEADER_BYTES;
    set_held(arena, arena_held(arena) + granted);
    POISON((char *)block + HEADER_BYTES, granted - HEADER_BYTES);
    return true;
}

static void *push_within(struct arena *arena, size_t bytes)
{
    char *at = current_base(arena) + arena->used;
    arena->used += align_up(bytes);
    UNPOISON(at, bytes);
    return at;
}

/* Apart, so that the push for which there is room saves no registers for the one for which not. */
static OUT_OF_LINE void *push_growing(struct arena *arena, size_t bytes)
{
    if (bytes > arena->held_max) { /* also keeps align_up from wrapping round */
        arena->refusal = STATUS_REQUEST_TOO_LARGE;
        return NULL;
    }
    return grow(arena, align_up(bytes)) ? push_within(arena, bytes) : NULL;
}

/* Room is a multiple of ARENA_ALIGN: what is within it, is so when rounded up. */
static void *push(struct arena *arena, size_t bytes)
{
    if (bytes > block_room(arena))
        return push_growing(arena, bytes);
    return push_within(arena, bytes);
}

/* ---- traced ---- */

static OUT_OF_LINE void *push_traced(struct arena *arena, size_t bytes, const char *site)
{
    if (bytes == 0 || bytes > arena->held_max) /* the latter, so that the sum does not wrap round */
        return push(arena, bytes);
    struct arena_header *header = push(arena, TRACE_BYTES + bytes);
    if (header == NULL)
        return NULL;
    size_t charged = align_up(bytes);
    ENSURE(charged <= UINT32_MAX); /* limits.request_bytes is at most a GiB */
    *header = (struct arena_header){
        .before = arena->last,
        .bytes = (uint32_t)charged,
        .site = sites_take(arena->sites, site, charged),
    };
    arena->last = header;
    POISON(header, TRACE_BYTES);
    return (char *)header + TRACE_BYTES;
}

/* Newest first, as they are chained; before the blocks that they stand in are given back. */
static void give_pushes(struct arena *arena, const struct arena_header *kept)
{
    while (arena->last != kept) {
        struct arena_header *header = arena->last;
        ENSURE(header != NULL); /* as for blocks: the mark is not older than the last rewind */
        UNPOISON(header, TRACE_BYTES);
        sites_give(arena->sites, header->site, header->bytes);
        arena->last = header->before;
        POISON(header, TRACE_BYTES);
    }
}

/* ---- either way ---- */

void *arena_push_at(struct arena *arena, size_t bytes, const char *site)
{
    if (arena->sites != NULL)
        return push_traced(arena, bytes, site);
    return push(arena, bytes);
}

void *arena_push_zero_at(struct arena *arena, size_t bytes, const char *site)
{
    void *at = arena_push_at(arena, bytes, site);
    return at == NULL ? NULL : memset(at, 0, bytes);
}

const char *arena_push_copy_at(struct arena *arena, struct bytes text, const char *site)
{
    char *at = arena_push_at(arena, text.length, site);
    if (at != NULL && text.length > 0)
        memcpy(at, text.at, text.length);
    return at;
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){arena->block, arena->used, arena->first_used, arena->last};
}

static void drop_block(struct arena *arena)
{
    struct arena_block *block = arena->block;
    size_t bytes = block->bytes;
    arena->block = block->before;
    set_held(arena, arena_held(arena) - bytes);
    UNPOISON(block, bytes);
    arena->source->give(arena->source->context, block, bytes);
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    if (arena->sites != NULL)
        give_pushes(arena, mark.last);
    while (arena->block != mark.block) {
        /* the mark is of this arena and not older than its last rewind */
        ENSURE(arena->block != NULL);
        drop_block(arena);
        arena->used = arena->block == NULL ? arena->first_used : arena->block->bytes;
    }
    ENSURE(mark.used <= arena->used);
    POISON(current_base(arena) + mark.used, current_bytes(arena) - mark.used);
    arena->used = mark.used;
    arena->first_used = mark.first_used;
}

void arena_reset(struct arena *arena)
{
    arena_rewind(arena, (struct arena_mark){0});
}
