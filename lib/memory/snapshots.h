/*
 * snapshots.h: what each pool held at some moments, to be compared.
 *
 *     POST /memory/snapshots ──> | 3 | 4 | 5 | 6 | 7 |   16 of them; the 17th takes the oldest's
 *     GET /memory/diff?from=5 ──> now less then, largest growth first                      place
 *
 * While `trace` is on each has the lines of the source beside it, too.
 *
 * Owner: the service. Lifetime: process. Threads: one at a time (the engine's lock).
 */
#ifndef MEMORY_SNAPSHOTS_H
#define MEMORY_SNAPSHOTS_H

#include "memory/ledger.h"
#include "memory/region.h"
#include "memory/sites.h"

#include <stdbool.h>

#define SNAPSHOTS_MAX 16

/* A row for each pool, and one for what malloc holds beyond what is explained. */
#define SNAPSHOT_HEAP POOL_COUNT
#define SNAPSHOT_ROWS (POOL_COUNT + 1)

struct snapshot_row {
    uint64_t live_bytes;
    uint64_t live_objects;
    uint64_t allocations;
};

struct snapshot {
    uint64_t id; /* rising from 1 on; 0: there is none */
    int64_t at_ms;
    struct snapshot_row rows[SNAPSHOT_ROWS];
};

struct snapshots {
    struct snapshot places[SNAPSHOTS_MAX];
    struct site_counts (*sites)[SITES_ROWS]; /* by place; NULL: nothing is traced */
    uint64_t last_id;
};

/* What the region needs for the struct and, while traced, for the lines beside each snapshot. */
uint64_t snapshots_bytes(bool traced);

struct snapshots *snapshots_make(bool traced, struct region *region);

/*
 * What is so now. `heap_bytes` is what malloc holds and nothing explains. The lines of the source
 * are read when it is kept, a moment later.
 */
struct snapshot snapshot_make(const struct ledger *ledger, uint64_t heap_bytes, int64_t now_ms);

/*
 * Keeps it, in the place of the oldest where all are taken, with what `sites` have now (NULL:
 * nothing is traced). Returns its id.
 */
uint64_t snapshots_keep(struct snapshots *snapshots, const struct snapshot *snapshot,
                        const struct sites *sites);

/* NULL when there is none of that id (any more). */
const struct snapshot *snapshots_find(const struct snapshots *snapshots, uint64_t id);

/* What each row of the sites had then; NULL when there is none of that id, or nothing is traced. */
const struct site_counts *snapshots_sites(const struct snapshots *snapshots, uint64_t id);

/* The one with the lowest id above `id`, NULL after the last: a walk begins with 0. */
const struct snapshot *snapshots_after(const struct snapshots *snapshots, uint64_t id);

/* False when there is none of that id. */
bool snapshots_drop(struct snapshots *snapshots, uint64_t id);

struct snapshot_change {
    uint32_t row; /* a pool, or SNAPSHOT_HEAP */
    int64_t live_bytes;
    int64_t live_objects;
    int64_t allocations;
};

/*
 * What each row rose by from one to the other, those that grew most first; of those that did not
 * change, in the order of the pools.
 */
void snapshot_compare(const struct snapshot *from, const struct snapshot *to,
                      struct snapshot_change out[static SNAPSHOT_ROWS]);

/* "series", "heap" */
const char *snapshot_row_name(uint32_t row);

#endif
