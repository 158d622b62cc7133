/*
 * world.h: what the service's reports say of the world outside lib/, measured by the server and
 * handed in.
 *
 * Owner:    the server fills one for each report, in the request's arena. Lifetime: request.
 *           Threads: one.
 */
#ifndef REPLY_WORLD_H
#define REPLY_WORLD_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Figures the system does not give are UINT64_MAX and left out of the reports. */
#define WORLD_UNKNOWN UINT64_MAX

struct world_process {
    uint64_t rss_bytes;
    uint64_t rss_peak_bytes;
    uint64_t rss_anon_bytes;
    uint64_t rss_file_bytes;
    uint64_t pss_bytes;
    uint64_t swap_bytes;
    uint64_t virtual_bytes;
    uint64_t virtual_peak_bytes;
    uint64_t threads;
    uint64_t open_fds;
    uint64_t max_fds;
    uint64_t minor_faults;
    uint64_t major_faults;
    double cpu_seconds;
    uint64_t malloc_in_use_bytes;
    uint64_t malloc_free_bytes;
    uint64_t malloc_mmap_bytes;
    uint64_t malloc_base_bytes; /* in use when the listeners were opened: what never goes */
};

/* Stall times of the kernel's PSI: percent of the last 10, 60 and 300 seconds. */
struct world_pressure {
    double avg10;
    double avg60;
    double avg300;
    double total_seconds;
};

struct world_cgroup {
    unsigned version; /* 0: none was found */
    uint64_t current_bytes;
    uint64_t peak_bytes;
    uint64_t limit_bytes; /* WORLD_UNKNOWN: no limit */
    uint64_t max_events;
    uint64_t oom_kills;
    bool pressure_is_known;
    struct world_pressure some; /* at least one task waited for memory */
    struct world_pressure full; /* all of them did */
};

/*
 * Upper bounds of the request lifetime histogram, in milliseconds: 1 ms, 10 ms, 100 ms, 1 s, 10 s.
 */
#define REQUEST_BOUNDS 5
extern const uint32_t request_bounds_ms[REQUEST_BOUNDS];

struct world_lifetimes {
    uint64_t counts[REQUEST_BOUNDS + 1]; /* not cumulative; the last one is above all bounds */
    uint64_t sum_us;
    uint64_t max_us;
};

/* Why a connection was ended without a reply. */
enum closed_cause {
    CLOSED_HEADER_TIMEOUT,
    CLOSED_BODY_TIMEOUT,
    CLOSED_REPLY_TIMEOUT,
    CLOSED_DRAIN,
    CLOSED_CLIENT, /* the client went away in the middle */
    CLOSED_CAUSES,
};
extern const char *const closed_cause_names[CLOSED_CAUSES];

#define HTTP_CLASSES 6 /* by hundreds; 0: ended without a reply of ours */

struct world_requests {
    uint64_t live;
    uint64_t live_bytes;        /* what their arenas hold */
    uint64_t peak_bytes;        /* of one request, the most since start */
    int64_t oldest_data_age_ms; /* of the oldest request in flight, by listener */
    int64_t oldest_operator_age_ms;
    uint64_t completed;
    uint64_t by_class[HTTP_CLASSES];
    uint64_t closed[CLOSED_CAUSES];
    uint64_t refused[STATUS_COUNT]; /* replies by what was refused */
    uint64_t body_bytes;            /* received */
    uint64_t connections;
    uint64_t connections_max;
    uint64_t accepted_connections;
    struct world_lifetimes lifetimes;
};

struct world {
    const char *version;
    const char *memory_source; /* "default", "file", "environment" or "flag" */
    bool prefaulted;
    bool stopping;
    bool connections_moved; /* some came or went while the rest was measured */
    int64_t now_ms;
    int64_t start_ms;
    int64_t
        clock_offset_ms; /* what the wall clock was stepped by since start and is not followed */
    uint64_t log_dropped;
    struct world_process process;
    struct world_cgroup cgroup;
    struct world_requests requests;
};

#endif
