/* ring.c: see ring.h. */
#include "memory/ring.h"

#include "base/ensure.h"

void ring_init(struct ring *ring, void *base, uint64_t bytes)
{
    ENSURE(bytes > 0);
    *ring = (struct ring){.base = base, .bytes = bytes, .end = UINT64_MAX};
}

uint8_t *ring_reserve(struct ring *ring, uint64_t bytes)
{
    uint64_t place = ring->head % ring->bytes;
    if (bytes > ring->bytes)
        return NULL;
    uint64_t gap = bytes <= ring->bytes - place ? 0 : ring->bytes - place;
    if (ring_held(ring) == 0)
        ring->tail += gap; /* nothing is held: what is skipped need not be either */
    if (ring->head + gap + bytes - ring->tail > ring->bytes)
        return NULL;
    if (gap > 0) {
        ring->end = ring->head;
        ring->head += gap;
    }
    return ring->base + ring->head % ring->bytes;
}

uint64_t ring_commit(struct ring *ring, uint64_t bytes)
{
    uint64_t position = ring->head;
    ENSURE(bytes <= ring->bytes - position % ring->bytes);
    ring->head += bytes;
    ENSURE(ring_held(ring) <= ring->bytes);
    return position;
}

void ring_release(struct ring *ring, uint64_t position)
{
    ENSURE(position >= ring->tail && position <= ring->head);
    ring->tail = position;
}

/* What an empty ring skipped at its end stays skipped. */
void ring_take_back(struct ring *ring, uint64_t position)
{
    ENSURE(position <= ring->head);
    ring->head = position > ring->tail ? position : ring->tail;
    if (ring->end != UINT64_MAX && ring->end >= ring->head)
        ring->end = UINT64_MAX;
}
