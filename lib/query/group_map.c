/* group_map.c: see group_map.h. */
#include "query/group_map.h"

#include "base/ensure.h"
#include "base/hash.h"

#define SLICE_TEXT_BYTES 32768

#define TABLE_FREE UINT16_MAX

void group_map_begin(struct group_map *map, struct query *query, const struct store *store,
                     uint32_t slot, const struct settings *settings, struct arena *arena)
{
    const struct family *family = store_family(store, slot);
    *map = (struct group_map){
        .query = query,
        .settings = settings,
        .arena = arena,
        .family = slot,
        .family_id = family->id,
        .ended_sequences = family->ended_sequences,
        .sequence_end = family->next_sequence,
        .series_max = family->series_count + 1, /* and the overflow series */
        .gone = GROUP_NONE,
        .seed = store->seed,
        .reads_labels = query->selector.count > 0 || query->label_count > 0 || query->without,
    };
    series_cursor_init(&map->cursor);
}

/* A power of two, at least twice the number of groups. */
static uint32_t table_places(uint32_t groups)
{
    uint32_t places = 8;
    while (places < 2 * groups)
        places *= 2;
    return places;
}

/* One more than the limit: the overflow series' own does not count. */
static uint32_t groups_possible(const struct group_map *map)
{
    uint64_t most = map->settings->limits_query_groups + 1;
    if (!map->reads_labels)
        return 1;
    return most < map->series_max ? (uint32_t)most : map->series_max;
}

/* What is only needed where labels are read. */
static bool make_texts(struct group_map *map)
{
    size_t longest = series_text_bytes(map->settings);
    map->text_bytes = longest > SLICE_TEXT_BYTES ? longest : SLICE_TEXT_BYTES;
    map->text = arena_push(map->arena, map->text_bytes);
    map->key = map->text == NULL ? NULL : arena_push(map->arena, longest);
    return map->key != NULL;
}

bool group_map_make(struct group_map *map)
{
    struct arena *arena = map->arena;
    map->group_max = groups_possible(map);
    uint32_t places = table_places(map->group_max);
    map->table_mask = places - 1;
    map->sequences = arena_push(arena, map->series_max * sizeof map->sequences[0]);
    if (map->sequences != NULL)
        map->numbers = arena_push(arena, map->series_max * sizeof map->numbers[0]);
    if (map->numbers != NULL)
        map->groups = arena_push(arena, map->group_max * sizeof map->groups[0]);
    if (map->groups != NULL)
        map->table = arena_push(arena, places * sizeof map->table[0]);
    if (map->table == NULL || (map->reads_labels && !make_texts(map)))
        return false;
    memset(map->table, 0xff, places * sizeof map->table[0]);
    return true;
}

/* ---- under the lock ---- */

/* The slots of the next series, as many as their texts have room; their labels are on their way. */
static void collect(struct group_map *map, const struct store *store, const struct family *family)
{
    size_t used = 0;
    uint32_t at;
    map->row_count = 0;
    if (!series_cursor_next(&map->cursor, store, family, &at))
        return;
    while (at != SLOT_NONE && map->row_count < GROUP_MAP_SLICE) {
        const struct series *series = slots_at(&store->series, at);
        if (series->next != SLOT_NONE)
            __builtin_prefetch(slots_at(&store->series, series->next));
        if (series->sequence >= map->sequence_end)
            break;
        if (map->reads_labels && series->labels.length > map->text_bytes - used)
            return; /* the rest comes with the next slice */
        used += series->labels.length;
        if (map->reads_labels && series->labels.first != LABEL_NONE)
            __builtin_prefetch(&store->labels.blocks[series->labels.first]);
        map->slots[map->row_count++] = at;
        at = series->next;
    }
    map->walked = map->row_count < GROUP_MAP_SLICE;
}

static void copy(struct group_map *map, const struct store *store)
{
    char *text = map->text;
    for (uint32_t i = 0; i < map->row_count; i++) {
        const struct series *series = slots_at(&store->series, map->slots[i]);
        ENSURE(map->series_count < map->series_max);
        map->sequences[map->series_count++] = series->sequence;
        if (!map->reads_labels)
            continue;
        map->lengths[i] = series->labels.length;
        label_copy(&store->labels, series->labels, text);
        text += series->labels.length;
    }
}

void group_map_step(struct group_map *map, const struct store *store)
{
    const struct family *family = family_with_id(store, map->family, map->family_id);
    map->row_count = 0;
    if (family == NULL) {
        map->walked = map->torn = true;
        return;
    }
    collect(map, store, family);
    copy(map, store);
    if (map->row_count > 0)
        series_cursor_pass(&map->cursor, store, map->slots[map->row_count - 1]);
    map->torn = family->ended_sequences != map->ended_sequences;
}

/* ---- outside ---- */

/* Both run upwards by name. */
static bool is_listed(const struct query *query, uint32_t *at, struct bytes name)
{
    while (*at < query->label_count && label_name_before(query->labels[*at], name))
        (*at)++;
    return *at < query->label_count && bytes_equal(query->labels[*at], name);
}

/* What by= or without= leaves of the labels, in map->key. */
static struct bytes key_of(const struct group_map *map, struct bytes labels)
{
    struct label label;
    uint32_t at = 0;
    size_t used = 0;
    while ((map->query->without || at < map->query->label_count) &&
           label_text_next(&labels, &label)) {
        if (label.value.length == 0 ||
            is_listed(map->query, &at, label.name) == map->query->without)
            continue;
        size_t length = label.name.length + sizeof("=\"\"") - 1 + label.value.length;
        if (used > 0)
            map->key[used++] = ',';
        memcpy(map->key + used, label.name.at, length); /* it stands there in one piece */
        used += length;
    }
    return (struct bytes){map->key, used};
}

static bool is_group(const struct query_group *group, uint64_t hash, struct bytes key)
{
    return group->hash == hash && bytes_equal(group->labels, key);
}

static struct refusal too_many_groups(const struct group_map *map)
{
    struct refusal refusal = refusal_of(STATUS_TOO_MANY_GROUPS, map->settings);
    refusal.needed = refusal.limit + 1;
    return refusal;
}

/* A new group at that place of the table. */
static struct refusal group_add(struct group_map *map, uint32_t place, uint64_t hash,
                                struct bytes key, uint64_t sequence)
{
    if (map->group_count == map->group_max)
        return too_many_groups(map);
    const char *text = key.length == 0 ? "" : arena_push_copy(map->arena, key);
    if (text == NULL)
        return refusal_of(map->arena->refusal, map->settings);
    map->table[place] = (uint16_t)map->group_count;
    map->latest = map->group_count++;
    map->groups[map->latest] = (struct query_group){
        .labels = {text, key.length},
        .hash = hash,
        .first_sequence = sequence,
    };
    return refusal_plain(STATUS_OK);
}

/* Finds or makes the group of that key; it is map->latest then. */
static struct refusal group_find(struct group_map *map, struct bytes key, uint64_t sequence)
{
    uint64_t hash = hash_bytes(key, map->seed);
    uint32_t place = (uint32_t)hash & map->table_mask;
    for (; map->table[place] != TABLE_FREE; place = (place + 1) & map->table_mask) {
        if (!is_group(&map->groups[map->table[place]], hash, key))
            continue;
        map->latest = map->table[place];
        return refusal_plain(STATUS_OK);
    }
    return group_add(map, place, hash, key, sequence);
}

static struct refusal place_series(struct group_map *map, uint32_t series, struct bytes labels)
{
    struct selector *selector = &map->query->selector;
    map->numbers[series] = GROUP_NONE;
    if (selector->count > 0 && !selector_matches_labels(selector, labels))
        return refusal_plain(STATUS_OK);
    struct bytes key = map->reads_labels ? key_of(map, labels) : BYTES("");
    struct refusal refusal = group_find(map, key, map->sequences[series]);
    map->numbers[series] = (uint16_t)map->latest;
    return refusal;
}

struct refusal group_map_work(struct group_map *map)
{
    uint32_t series = map->series_count - map->row_count;
    struct bytes labels = {map->text, 0};
    for (uint32_t i = 0; i < map->row_count; i++, series++) {
        labels.length = map->reads_labels ? map->lengths[i] : 0;
        struct refusal refusal = place_series(map, series, labels);
        if (refusal.status != STATUS_OK)
            return refusal;
        if (labels.length > 0)
            labels.at += labels.length;
    }
    if (map->query->selector.failure != STATUS_OK)
        return refusal_of(map->query->selector.failure, map->settings);
    if (map->walked && map->series_count > 0)
        map->gone = map->numbers[0];
    if (map->walked && group_map_asked(map) > map->settings->limits_query_groups)
        return too_many_groups(map);
    return refusal_plain(STATUS_OK);
}

uint32_t group_map_asked(const struct group_map *map)
{
    if (map->gone == GROUP_NONE)
        return map->group_count;
    for (uint32_t i = 1; i < map->series_count; i++) {
        if (map->numbers[i] == map->gone)
            return map->group_count;
    }
    return map->group_count - 1;
}
