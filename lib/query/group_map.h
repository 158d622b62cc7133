/*
 * group_map.h: which series of a family are asked for, and which of them together.
 *
 *     under the lock: 256 series' numbers and labels are copied     | 4 | 7 | 8 | …
 *     outside:        matched, grouped by what by= or without= leaves of the labels
 *
 *     sequences   0     4     7     8     9          rising: all live series of the family
 *     numbers     0     1     2     none  1          0: {}   1: route="/a"   2: route="/b"
 *
 * The family's overflow series is its first one, and stands in the map like any other. Cells of
 * series that have ended since are answered under it, so they are of its group.
 *
 * Groups are numbered in order of their first series, so a group's first sequence number, under
 * which it stands in cached parts, rises with its own.
 *
 * Owner: the request; all in its arena. Lifetime: request. Threads: one; group_map_step under the
 * engine's lock.
 */
#ifndef QUERY_GROUP_MAP_H
#define QUERY_GROUP_MAP_H

#include "memory/arena.h"
#include "query/query.h"
#include "store/series_cursor.h"
#include "store/cell.h"

/* Series copied in one hold of the lock: 10 to 20 us. */
#define GROUP_MAP_SLICE 256

struct query_group {
    struct bytes labels; /* canonical: what the group's series have in common */
    uint64_t hash;
    uint64_t first_sequence;
};

struct group_map {
    struct query *query;
    const struct settings *settings;
    struct arena *arena;

    uint32_t family; /* slot */
    uint64_t family_id;
    uint64_t ended_sequences; /* of the family, when the walk began */
    uint64_t sequence_end;    /* series born since then are not asked for */
    uint32_t series_max;

    uint64_t *sequences;
    uint16_t *numbers; /* of groups, or GROUP_NONE */
    uint32_t series_count;
    struct query_group *groups;
    uint32_t group_count;
    uint32_t group_max;
    uint16_t gone; /* the group of series that have ended */
    uint64_t seed;

    uint16_t *table; /* groups by hash: open addressing, at most half full */
    uint32_t table_mask;
    uint32_t latest;   /* the group found last */
    bool reads_labels; /* else all series are one group */
    char *key;

    struct series_cursor cursor;
    bool walked;
    bool torn; /* the walk ended, but a series or the family had ended meanwhile */
    uint32_t row_count;
    uint32_t slots[GROUP_MAP_SLICE];
    uint32_t lengths[GROUP_MAP_SLICE];
    char *text; /* of the slice */
    size_t text_bytes;
};

/*
 * Takes note of the family, under the lock; no memory is taken yet. The family's number of series
 * is what group_map_make reserves for.
 */
void group_map_begin(struct group_map *map, struct query *query, const struct store *store,
                     uint32_t family, const struct settings *settings, struct arena *arena);

/* Outside. False when the arena refused. */
bool group_map_make(struct group_map *map);

/* Copies the next slice, under the lock. */
void group_map_step(struct group_map *map, const struct store *store);

/*
 * Outside: matches and groups the slice. TOO_MANY_GROUPS, REGEX_TOO_COSTLY, or what the arena said;
 * map->walked once all are there.
 */
struct refusal group_map_work(struct group_map *map);

/* The same for who reads cells. */
static inline struct groups_of group_map_reader(const struct group_map *map)
{
    return (struct groups_of){
        .sequences = map->sequences,
        .groups = map->numbers,
        .count = map->series_count,
        .gone = map->gone,
        .sequence_end = map->sequence_end,
    };
}

/*
 * How many groups there are for the limits: an overflow series alone in its group may never have
 * had a sample, and does not cost a client one of them.
 */
uint32_t group_map_asked(const struct group_map *map);

#endif
