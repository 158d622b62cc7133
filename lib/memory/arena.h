/*
 * arena.h: memory with one lifetime; everything in it is freed at once.
 *
 *     first block                   block                     block = current
 *     |== pushed ==|= pushed =|     |======= pushed ====|     |== pushed ==|....... room ......|
 *      ^                                                                   ^ used
 *      mark: a place to rewind to; blocks taken since are given back
 *
 * The first block is lent for good by whoever owns the arena. More comes from a block source, up to
 * `held_max` bytes in all, first block included; where there is no source the first block is all
 * there is. What is held is counted in whole blocks, since that is what is taken from the pool.
 *
 * A traced arena (arena_trace) says to its sites who pushed what. Before each push stands a header
 * then, and the headers are chained, newest first: a rewind walks back to its mark.
 *
 *     |header|= pushed =|header|= pushed =|            16 bytes a push are what tracing takes
 *      ^_______ before ____|                           of an arena's room
 *
 * Owner:    a request (server/request.c), or a thread (scratch).
 * Lifetime: arena_init .. arena_reset; nothing pushed may be pointed to afterwards (it is poisoned
 *           in test builds).
 * Threads:  one at a time. `held` and `peak` may be read by others.
 */
#ifndef MEMORY_ARENA_H
#define MEMORY_ARENA_H

#include "base/bytes.h"
#include "base/status.h"
#include "memory/sites.h"

#include <stdatomic.h>

/* Enough for any type, and for what zlib, zstd and jansson expect of malloc. */
#define ARENA_ALIGN 16

/*
 * Where growth comes from. `take` may return NULL: there is no room at the moment. Both may be
 * called by any thread.
 */
struct block_source {
    void *(*take)(void *context, size_t bytes, size_t *granted);
    void (*give)(void *context, void *block, size_t granted);
    void *context;
};

/* Stands at the beginning of each block but the first. */
struct arena_block {
    struct arena_block *before; /* NULL: before it comes the first block */
    size_t bytes;
};

/* Before each push of a traced arena; poisoned, so that who writes past his push meets it. */
struct arena_header {
    struct arena_header *before; /* NULL: this is the first */
    uint32_t bytes;              /* as charged: the push, rounded up */
    uint16_t site;
};

struct arena {
    char *first;
    size_t first_bytes;
    struct arena_block *block; /* current; NULL while in the first block */
    size_t used;               /* of the current block, its header included */
    size_t first_used;         /* of the first block, once there are others */
    struct sites *sites;       /* NULL: not traced */
    struct arena_header *last; /* NULL: nothing is pushed, or not traced */
    size_t grow_bytes;         /* the least that is asked of the source */
    size_t held_max;
    const struct block_source *source; /* NULL: the first block is all */
    _Atomic size_t held;               /* whole blocks, the first one included */
    _Atomic size_t peak;
    enum status refusal; /* why the last push was refused: REQUEST_TOO_LARGE or BUSY */
};

struct arena_mark {
    struct arena_block *block;
    size_t used;
    size_t first_used;
    struct arena_header *last;
};

/* `first` is aligned to ARENA_ALIGN; held_max >= first_bytes. */
void arena_init(struct arena *arena, void *first, size_t first_bytes, size_t held_max,
                const struct block_source *source);

/* From here on pushes are charged to their sites; NULL: they are not. The arena is empty. */
void arena_trace(struct arena *arena, struct sites *sites);

/*
 * `bytes` of uninitialised memory aligned to ARENA_ALIGN, or NULL with arena->refusal saying why:
 * REQUEST_TOO_LARGE when this arena may never hold that much, BUSY when the source has no room at
 * the moment. A push of no bytes holds nothing and is charged to nobody.
 */
#define arena_push(arena, bytes) arena_push_at((arena), (bytes), SITE)

/* The same, set to zero. */
#define arena_push_zero(arena, bytes) arena_push_zero_at((arena), (bytes), SITE)

/* A copy of a struct bytes, NULL on refusal. */
#define arena_push_copy(arena, ...) arena_push_copy_at((arena), __VA_ARGS__, SITE)

/* For who pushes on behalf of a caller, and was told his site. */
void *arena_push_at(struct arena *arena, size_t bytes, const char *site);
void *arena_push_zero_at(struct arena *arena, size_t bytes, const char *site);
const char *arena_push_copy_at(struct arena *arena, struct bytes text, const char *site);

/* What is left of the current block: a push of at most this many bytes cannot be refused. */
size_t arena_room(const struct arena *arena);

/*
 * Bytes pushed in the current block, headers included; for an arena without a source, all there
 * are.
 */
size_t arena_used(const struct arena *arena);

struct arena_mark arena_mark(const struct arena *arena);

/* Frees all that was pushed since the mark. */
void arena_rewind(struct arena *arena, struct arena_mark mark);

/* Frees everything and gives every block but the first back. */
void arena_reset(struct arena *arena);

static inline size_t arena_held(const struct arena *arena)
{
    return atomic_load_explicit(&arena->held, memory_order_relaxed);
}

static inline size_t arena_peak(const struct arena *arena)
{
    return atomic_load_explicit(&arena->peak, memory_order_relaxed);
}

#endif
