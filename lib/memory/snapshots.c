/* snapshots.c: see snapshots.h. */
#include "memory/snapshots.h"

#include "base/ensure.h"

#include <string.h>

void snapshots_init(struct snapshots *snapshots)
{
    memset(snapshots, 0, sizeof *snapshots);
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
uint64_t snapshots_keep(struct snapshots *snapshots, const struct snapshot *snapshot)
{
    struct snapshot *oldest = &snapshots->places[0];
    for (int i = 1; i < SNAPSHOTS_MAX; i++) {
        if (snapshots->places[i].id < oldest->id)
            oldest = &snapshots->places[i];
    }
    *oldest = *snapshot;
    oldest->id = ++snapshots->last_id;
    return oldest->id;
}

const struct snapshot *snapshots_find(const struct snapshots *snapshots, uint64_t id)
{
    for (int i = 0; i < SNAPSHOTS_MAX; i++) {
        if (id != 0 && snapshots->places[i].id == id)
            return &snapshots->places[i];
    }
    return NULL;
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
    for (int i = 0; i < SNAPSHOTS_MAX; i++) {
        if (id == 0 || snapshots->places[i].id != id)
            continue;
        snapshots->places[i].id = 0;
        return true;
    }
    return false;
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
