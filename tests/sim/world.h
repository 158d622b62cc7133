/*
 * world.h: what the service asks of the system, answered from the simulation.
 *
 *     clock_gettime, nanosleep, poll, shutdown, mallinfo2, getrlimit    libc's
 *     process_memory_read, process_pss_read, cgroup_memory_read         /proc's
 *     store_apply, store_overflow, store_delete                         the model looks on
 *     service_lock_engine, blocks_take                                  others come first; no room
 *
 * The linker puts these in the place of the real ones (--wrap in meson.build), so that all else is
 * the server's own code, unchanged. Monotonic time passes by world_pass alone; the wall clock is
 * ahead of it by what it was stepped.
 *
 * Owner: struct sim. Lifetime: process. Threads: one.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdint.h>

#define SIM_START_MS INT64_C(1763841600000)

struct world_clock {
    int64_t monotonic_us;
    int64_t wall_ahead_ms; /* of monotonic time */
};

struct sim;

/* From here on the world is this simulation's. */
void world_begin(struct sim *sim);

void world_pass(struct sim *sim, int64_t us);

/* The wall clock is set, forward or back. */
void world_step(struct sim *sim, int64_t ms);

#endif
