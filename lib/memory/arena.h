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
 * Owner:    a request (server/request.c), or a thread (scratch).
 * Lifetime: arena_init .. arena_reset; nothing pushed may be pointed to afterwards (it is poisoned
 *           in test builds).
 * Threads:  one at a time. `held` and `peak` may be read by others.
 */
#ifndef MEMORY_ARENA_H
#define MEMORY_ARENA_H

#include "base/bytes.h"
#include "base/status.h"

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

struct arena {
    char *first;
    size_t first_bytes;
    struct arena_block *block; /* current; NULL while in the first block */
    size_t used;               /* of the current block, its header included */
    size_t first_used;         /* of the first block, once there are others */
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
};

/* `first` is aligned to ARENA_ALIGN; held_max >= first_bytes. */
void arena_init(struct arena *arena, void *first, size_t first_bytes, size_t held_max,
                const struct block_source *source);

/*
 * `bytes` of uninitialised memory aligned to ARENA_ALIGN, or NULL with arena->refusal saying why:
 * REQUEST_TOO_LARGE when this arena may never hold that much, BUSY when the source has no room at
 * the moment.
 */
void *arena_push(struct arena *arena, size_t bytes);

/* The same, set to zero. */
void *arena_push_zero(struct arena *arena, size_t bytes);

/* A copy of the text, NULL on refusal. */
const char *arena_push_copy(struct arena *arena, struct bytes text);

/* What is left of the current block: a push of at most this many bytes cannot be refused. */
size_t arena_room(const struct arena *arena);

/* Bytes pushed in the current block; for an arena without a source, all there are. */
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
