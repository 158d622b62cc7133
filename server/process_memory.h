/*
 * process_memory.h: what /proc says of this process.
 *
 *     /proc/self/status        resident, swapped, virtual; threads ──┐
 *     /proc/self/stat          faults, CPU time, beginning ──────────┼──> process_memory_read
 *     /proc/self/fd            open descriptors ─────────────────────┘
 *     /proc/self/smaps_rollup  proportional set size ──────────────────> process_pss_read
 *
 * For /memory: these open, read and close files with buffers on the stack (under 20 KiB), no heap
 * and no stdio.
 *
 * Owner:    the caller; a struct on its stack.
 * Lifetime: a call; the figures are of that moment.
 * Threads:  any, after machine_init.
 */
#ifndef SERVER_PROCESS_MEMORY_H
#define SERVER_PROCESS_MEMORY_H

#include "machine.h"

struct process_memory {
    uint64_t rss_bytes;
    uint64_t rss_peak_bytes;
    uint64_t rss_anon_bytes;
    uint64_t rss_file_bytes; /* files and shared memory */
    uint64_t swap_bytes;
    uint64_t virtual_bytes;
    uint64_t virtual_peak_bytes;
    uint64_t threads;
    uint64_t open_fds;
    uint64_t minor_faults;
    uint64_t major_faults;
    uint64_t cpu_user_ms;
    uint64_t cpu_system_ms;
    uint64_t start_ms; /* Unix time */
};

/*
 * False, with zeros, when there is nothing to read. open_fds is MACHINE_NONE where no descriptor is
 * left to count them with.
 */
bool process_memory_read(const struct machine *machine, struct process_memory *memory);

/*
 * Proportional set size: shared pages divided by who shares them. The kernel walks all page tables
 * for it, milliseconds for a large process, so not for every scrape. False, with 0, when it cannot
 * be read.
 */
bool process_pss_read(const struct machine *machine, uint64_t *pss_bytes);

/*
 * For machine_init, once `proc` and `ticks_per_second` are known: when the process began, in Unix
 * time; 0 when it cannot be read. The kernel counts from boot; when that was, two clocks tell.
 */
uint64_t process_start_ms(const struct machine *machine);

#endif
