/*
 * process.h: what the kernel says about the server's process: CPU time and resident memory.
 *
 * Two clocks, because each lacks something. utime + stime tell user from system and include threads
 * that have ended, but come in ticks of 10 ms; the tasks' schedstat is exact to the nanosecond, but
 * forgets a thread when it ends.
 */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct process {
    uint64_t user_ns;
    uint64_t system_ns;
    uint64_t runtime_ns;  /* of all tasks; 0: this kernel has no schedstat */
    uint64_t start_ticks; /* since the machine's: another process has another one */
    uint64_t rss_bytes;
    uint64_t hwm_bytes;
    uint64_t anon_bytes;
    uint64_t threads;
    bool is_zombie; /* it has ended, and nobody has asked how */
};

/* False when there is no such process. */
bool process_read(uint64_t pid, struct process *out);

/* CPU time between two looks: the exact one, unless a thread's end made it fall short by more than
 * a tick or two. */
uint64_t process_cpu_ns(const struct process *before, const struct process *after);

#endif
