/*
 * drill_cycle.h: reference cycles, the leak of reference counting, made of jansson's objects.
 *
 *     our reference ──x──> object ──"other"──> object       nobody points here any more, yet each
 *        (dropped)           ^───────"other"─────┘          holds the other: neither count reaches
 * 0
 *
 * They are on the heap, as such leaks are. jansson's allocator is process-wide and
 * json_element.c's, which pushes into a parse's scratch and frees nothing; so it is wrapped here:
 * in a thread that is making or breaking a cycle jansson is given malloc and free, which are
 * counted, and everywhere else what it was given before.
 *
 * What a leak is told apart by is that nobody knows it any more. A note of each cycle is kept all
 * the same, as a garbage collector would find it, so that a drill can be ended.
 *
 * Owner:    the drills. Lifetime: drill.
 * Threads:  one at a time; the drills lock.
 */
#ifndef SERVER_DRILL_CYCLE_H
#define SERVER_DRILL_CYCLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cycle;

struct cycles {
    struct cycle *latest;
    uint64_t held_bytes; /* of the heap, malloc's headers and rounding included */
    uint64_t held_max;
};

/* Wraps jansson's allocator: after json_element_setup, and before there are threads. */
void cycles_setup(void);

/* One more, of about so many bytes; false when it might not fit held_max, or malloc refuses. */
bool cycle_make(struct cycles *cycles, size_t bytes);

/* Breaks them all, which frees them. Returns how many bytes that were. */
uint64_t cycles_break(struct cycles *cycles);

#endif
