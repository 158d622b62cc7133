/* snapshots.c: see snapshots.h. */
#include "memory/snapshots.h"

#include "base/ensure.h"

#include <string.h>

#define ALL_SITES_BYTES (SNAPSHOTS_MAX * SITES_ROWS * sizeof(struct site_counts))

uint64_t snapshots_bytes(bool traced)
{
    return region_piece_bytes(sizeof(struct snapshots)) +
           (traced ? region_piece_bytes(ALL_SITES_BYTES) : 0);
}

struct snapshots *snapshots_make(bool traced, struct region *region)
{
    struct snapshots *snapshots = region_take(region, sizeof *snapshots);
    memset(snapshots, 0, sizeof *snapshots);
    if (traced)
        snapshots->sites = region_take(region, ALL_SITES_BYTES);
    return snapshots;
}

struct snapshot snapshot_make(const struct ledger *ledger, uint64_t heap_bytes, int64_t now_ms)
{
    struct snapshot snapshot = {.at_ms = now_ms};
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        struct account_figures figures = ledger_figures(ledger, pool);
        snapshot.rows[pool] = (struct snapshot_row){
            .live_bytes = figures.live_bytes,
            .live_objects = figures.live_objects,
            .allocations = figures.allocations,
        };
    }
    snapshot.rows[SNAPSHOT_HEAP].live_bytes = heap_bytes;
    return snapshot;
}

/* A free place, whose id is 0, is older than any other. */
uint64_t snapshots_keep(struct snapshots *snapshots, const struct snapshot *snapshot,
                        const struct sites *sites)
{
    int oldest = 0;
    for (int i = 1; i < SNAPSHOTS_MAX; i++) {
        if (snapshots->places[i].id < snapshots->places[oldest].id)
            oldest = i;
    }
    snapshots->places[oldest] = *snapshot;
    snapshots->places[oldest].id = ++snapshots->last_id;
    if (snapshots->sites != NULL)
        sites_copy(sites, snapshots->sites[oldest]);
    return snapshots->last_id;
}

/* SNAPSHOTS_MAX when there is none. */
static int place_of(const struct snapshots *snapshots, uint64_t id)
{
    int place = 0;
    while (place < SNAPSHOTS_MAX && (id == 0 || snapshots->places[place].id != id))
        place++;
    return place;
}

const struct snapshot *snapshots_find(const struct snapshots *snapshots, uint64_t id)
{
    int place = place_of(snapshots, id);
    return place == SNAPSHOTS_MAX ? NULL : &snapshots->places[place];
}

const struct site_counts *snapshots_sites(const struct snapshots *snapshots, uint64_t id)
{
    int place = place_of(snapshots, id);
    bool none = place == SNAPSHOTS_MAX || snapshots->sites == NULL;
    return none ? NULL : snapshots->sites[place];
}

const struct snapshot *snapshots_after(const struct snapshots *snapshots, uint64_t id)
{
    const struct snapshot *next = NULL;
    for (int i = 0; i < SNAPSHOTS_MAX; i++) {
        const struct snapshot *at = &snapshots->places[i];
        if (at->id > id && (next == NULL || at->id < next->id))
            next = at;
    }
    return next;
}

bool snapshots_drop(struct snapshots *snapshots, uint64_t id)
{
    int place = place_of(snapshots, id);
    if (place == SNAPSHOTS_MAX)
        return false;
    snapshots->places[place].id = 0;
    return true;
}

static struct snapshot_change change_of(uint32_t row, const struct snapshot_row *from,
                                        const struct snapshot_row *to)
{
    return (struct snapshot_change){
        .row = row,
        .live_bytes = (int64_t)(to->live_bytes - from->live_bytes),
        .live_objects = (int64_t)(to->live_objects - from->live_objects),
        .allocations = (int64_t)(to->allocations - from->allocations),
    };
}

void snapshot_compare(const struct snapshot *from, const struct snapshot *to,
                      struct snapshot_change out[static SNAPSHOT_ROWS])
{
    for (uint32_t row = 0; row < SNAPSHOT_ROWS; row++) {
        struct snapshot_change change = change_of(row, &from->rows[row], &to->rows[row]);
        uint32_t at = row;
        for (; at > 0 && out[at - 1].live_bytes < change.live_bytes; at--)
            out[at] = out[at - 1];
        out[at] = change;
    }
}

const char *snapshot_row_name(uint32_t row)
{
    ENSURE(row < SNAPSHOT_ROWS);
    return row == SNAPSHOT_HEAP ? "heap" : pool_rows[row].name;
}
