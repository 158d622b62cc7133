/*
 * machine.h: what the machine allows this process: CPUs, memory, and the state of its cgroup.
 *
 *     /proc/self/cgroup  +  /proc/self/mountinfo      machine_init: once, at start
 *               |
 *     own cgroup, v1 and v2 ── parent ── ... ── mount point     a limit of any of them holds
 *               |
 *     memory.current, memory.max, ...                 cgroup_memory_read: in steady state
 *
 * What the process itself uses is in process_memory.h, what its code may use in code_bytes.h; both
 * start from a machine, which knows where /proc is.
 *
 * Owner:    main; on its stack or static.
 * Lifetime: process; read-only after machine_init. A process moved to another cgroup is not
 *           followed.
 * Threads:  any, after machine_init.
 */
#ifndef SERVER_MACHINE_H
#define SERVER_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_NONE UINT64_MAX /* no limit, or a number that this kernel does not tell */

#define MACHINE_PATH_BYTES 1024 /* a pod's cgroup has some 200; one that is longer is not seen */

/* Where one controller keeps this process. */
struct cgroup_place {
    size_t mount_length; /* of path; ancestors beyond the mount point cannot be seen. 0: no place */
    char path[MACHINE_PATH_BYTES];
};

struct machine {
    char proc[MACHINE_PATH_BYTES];
    struct cgroup_place memory_v1;
    struct cgroup_place memory_v2; /* the nearest ancestor that has the memory controller */
    struct cgroup_place cpu_v1;
    struct cgroup_place cpu_v2;
    unsigned cpus_affinity; /* CPUs the scheduler may use */
    unsigned cpus_quota;    /* CPUs' worth of time the cgroups grant, rounded up; 0: no quota */
    uint64_t ticks_per_second;
    uint64_t start_ms; /* when the process began, Unix time */
};

/* Stall times of the kernel's PSI: shares in percent over the last 10, 60 and 300 seconds. */
struct pressure {
    double avg10;
    double avg60;
    double avg300;
    uint64_t total_us;
};

/* What is not told is MACHINE_NONE. */
struct cgroup_memory {
    unsigned version; /* 1 or 2; 0 when no memory cgroup can be seen */
    uint64_t current_bytes;
    uint64_t peak_bytes;
    uint64_t limit_bytes;    /* the smallest of the cgroup's own and its ancestors' */
    uint64_t max_events;     /* how often the limit was met (v1: failcnt) */
    uint64_t oom_kill_events;
    bool pressure_is_known; /* v2 alone, and only where the kernel was built with PSI */
    struct pressure some;   /* at least one task waited for memory */
    struct pressure full;   /* all of them did */
};

/*
 * Finds the cgroups and counts the CPUs; uses stdio. `proc_root` is "/proc", and `fs_root`, which
 * stands before every mount point, is "": a test gives the roots of a tree of its own. It cannot
 * fail: what is not found is no limit.
 */
void machine_init(struct machine *machine, const char *proc_root, const char *fs_root);

/* CPUs to use: affinity and quota together, at least 1. */
unsigned machine_cpus(const struct machine *machine);

/* The smallest memory limit of the cgroups, own and ancestors, v1 and v2; MACHINE_NONE without. */
uint64_t machine_memory_limit(const struct machine *machine);

/*
 * For /memory: this opens, reads and closes files with buffers on the stack (under 20 KiB), no heap
 * and no stdio. False, with zeros or MACHINE_NONE, when there is nothing to read.
 */
bool cgroup_memory_read(const struct machine *machine, struct cgroup_memory *memory);

#endif
