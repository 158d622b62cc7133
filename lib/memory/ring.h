/*
 * ring.h: bytes in, oldest out; pieces that are never cut.
 *
 *     base        tail              head           end            bytes
 *      |...........|===== held ======|...............................|
 *      |==== held ====|........ free ........|===== held =====|.....|
 *                    head                   tail             end: what is behind it is skipped
 *
 * A piece that does not fit behind the head begins at the base again, so it can be read in one go.
 * Positions are counted from the beginning of time, so that they only rise: the place is the
 * position modulo the ring, and a position below the tail is gone.
 *
 * Owner: a tier of the history. Lifetime of a byte: window. Threads: one at a time.
 */
#ifndef MEMORY_RING_H
#define MEMORY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *base;
    uint64_t bytes;
    uint64_t tail; /* positions */
    uint64_t head;
    uint64_t end;  /* where the head last left the rest empty; UINT64_MAX: it never has */
};

void ring_init(struct ring *ring, void *base, uint64_t bytes);

/*
 * Room for `bytes` in one piece, at the head; NULL when what is held must make room first. What is
 * reserved is committed before anything else is.
 */
uint8_t *ring_reserve(struct ring *ring, uint64_t bytes);

/* The first `bytes` of what was reserved last are held from now on. Returns their position. */
uint64_t ring_commit(struct ring *ring, uint64_t bytes);

/* What was committed from `position` on never was. */
void ring_take_back(struct ring *ring, uint64_t position);

/* Everything before `position` is free again. */
void ring_release(struct ring *ring, uint64_t position);

static inline const uint8_t *ring_at(const struct ring *ring, uint64_t position)
{
    return ring->base + position % ring->bytes;
}

/* What is held, and what is skipped at the end. */
static inline uint64_t ring_held(const struct ring *ring)
{
    return ring->head - ring->tail;
}

#endif
