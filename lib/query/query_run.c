/* query_run.c: see query_run.h. */
#include "query/query_run.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "query/query_value.h"

#include <math.h>

enum phase {
    RUN_BUCKET, /* begin the bucket at hand */
    RUN_OPEN,   /* read the open window, a slice at a time */
    RUN_NEXT,   /* find the bucket's next record */
    RUN_SCAN,   /* read its cells */
    RUN_SCANNED,
    RUN_FOUND,  /* its part was in the cache */
    RUN_ADMIT,  /* its part goes there */
    RUN_ADD_UP, /* the bucket has all its records */
    RUN_ANEW,   /* the bucket, or the open window, is torn */
    RUN_DONE,
};

/* One hold of the lock: 16 us of counters, 15 to 60 us of histograms. */
#define SCAN_CELLS 4096
#define SCAN_SKETCHES 512
#define OPEN_SLICE 256
#define LOOK_SLICE 64 /* records without a section of the family */

/* Open windows, and runs, that were torn before one is taken as it is; and buckets, all together.
 */
#define RESTARTS_MAX 3
#define TEARS_MAX 100

/* What a cell costs to read, for what a hit saves: lib/ has no clock to ask. */
#define CELL_NS 4
#define SKETCH_NS 30

/* Places for series of a gauge that have ended: 48 KiB, at most three quarters used. */
#define GONE_PLACES 2048

/* ---- the question, as the cache knows it ---- */

static size_t question_bytes(const struct query *query)
{
    size_t bytes = 64;
    for (uint32_t i = 0; i < query->match_count; i++)
        bytes += sizeof(uint64_t) + query->matches[i].length;
    for (uint32_t i = 0; i < query->label_count; i++)
        bytes += sizeof(uint64_t) + query->labels[i].length;
    return bytes;
}

static char *put_u64(char *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

/* Each behind its length, so that no two lists read the same. */
static char *put_texts(char *at, const struct bytes *texts, uint32_t count)
{
    at = put_u64(at, count);
    for (uint32_t i = 0; i < count; i++) {
        at = put_u64(at, texts[i].length);
        memcpy(at, texts[i].at, texts[i].length);
        at += texts[i].length;
    }
    return at;
}

/*
 * Which of a cell's figures a part keeps. A counter's extremes cost time, so they are only kept
 * where they are asked for; those of a histogram and a gauge always.
 */
static uint64_t keeps(const struct query_run *run)
{
    if (run->keeps_lasts)
        return 'l';
    if (query_needs_sketch(run->query))
        return 's';
    return run->keeps_extremes ? 'x' : 'n';
}

static struct lru_key hash_of(struct bytes text, uint64_t seed)
{
    return (struct lru_key){.high = hash_bytes(text, seed), .low = hash_bytes(text, ~seed)};
}

static bool question_make(struct query_run *run, struct arena *arena)
{
    const struct query *query = run->query;
    const struct group_map *map = &run->plan->map;
    struct arena_mark mark = arena_mark(arena);
    char *text = arena_push(arena, question_bytes(query));
    if (text == NULL)
        return false;
    char *at = put_u64(text, map->family_id);
    at = put_u64(at, map->ended_sequences);
    at = put_u64(at, keeps(run));
    at = put_u64(at, query->without);
    at = put_texts(at, query->labels, query->label_count);
    at = put_texts(at, query->matches, query->match_count);
    run->question = hash_of((struct bytes){text, (size_t)(at - text)}, run->plan->map.seed);
    arena_rewind(arena, mark);
    return true;
}

static struct lru_key part_key(const struct query_run *run, uint64_t serial)
{
    char text[24];
    put_u64(put_u64(put_u64(text, serial), run->question.high), run->question.low);
    return hash_of((struct bytes){text, sizeof text}, run->plan->map.seed);
}

/* ---- start ---- */

/* `count` tallies, each with a sketch where the answer needs it. */
static struct tally *tallies_make(const struct query_run *run, uint32_t count, struct arena *arena)
{
    enum kind kind = run->plan->kind;
    size_t bytes = query_needs_sketch(run->query) ? tally_sketch_bytes(kind) : 0;
    struct tally *tallies = arena_push(arena, count * sizeof *tallies);
    char *sketches = tallies == NULL || bytes == 0 ? NULL : arena_push(arena, count * bytes);
    if (tallies == NULL || (bytes > 0 && sketches == NULL))
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        tallies[i].sketch = bytes == 0 ? NULL : sketches + i * bytes;
        tally_reset(&tallies[i], kind);
    }
    return tallies;
}

static bool tallies_init(struct query_run *run, struct arena *arena)
{
    uint32_t groups = run->plan->map.group_count;
    run->sums = tallies_make(run, groups, arena);
    run->part = run->sums == NULL ? NULL : tallies_make(run, groups, arena);
    struct tally *one = run->part == NULL ? NULL : tallies_make(run, 1, arena);
    if (one != NULL)
        run->one = *one;
    return one != NULL;
}

static bool points_init(struct query_run *run, struct arena *arena)
{
    uint32_t groups = run->plan->map.group_count;
    uint64_t count = groups * run->plan->bucket_count;
    run->has_data = arena_push_zero(arena, groups * sizeof run->has_data[0]);
    if (run->has_data == NULL)
        return false;
    run->points = arena_push(arena, count * sizeof run->points[0]);
    for (uint64_t i = 0; run->points != NULL && i < count; i++)
        run->points[i] = NAN;
    return run->points != NULL;
}

static void lasts_reset(struct query_run *run)
{
    for (uint32_t i = 0; i < run->plan->map.series_count; i++)
        run->lasts_ms[i] = INT64_MIN;
    for (uint32_t i = 0; i < GONE_PLACES; i++)
        run->gone[i].last_ms = INT64_MIN;
    run->gone_count = 0;
}

static bool lasts_init(struct query_run *run, struct arena *arena)
{
    uint32_t series = run->plan->map.series_count;
    if (!run->keeps_lasts)
        return true;
    run->lasts = arena_push(arena, series * sizeof run->lasts[0]);
    run->lasts_ms = run->lasts == NULL ? NULL : arena_push(arena, series * sizeof run->lasts_ms[0]);
    run->gone = run->lasts_ms == NULL ? NULL : arena_push(arena, GONE_PLACES * sizeof run->gone[0]);
    if (run->gone == NULL)
        return false;
    lasts_reset(run);
    return true;
}

/* Room for a part of all groups, within reason. */
static bool bytes_init(struct query_run *run, struct arena *arena)
{
    uint64_t most = (uint64_t)run->plan->map.group_count * CELL_BYTES_MAX;
    run->bytes_max = most < QUERY_PART_BYTES_MAX ? most : QUERY_PART_BYTES_MAX;
    run->bytes = arena_push(arena, run->bytes_max);
    return run->bytes != NULL;
}

static bool bounds_init(struct query_run *run, struct arena *arena)
{
    if (run->plan->kind != KIND_CLASSIC || !query_needs_sketch(run->query))
        return true;
    run->bounds = arena_push(arena, sizeof *run->bounds);
    if (run->bounds != NULL)
        classic_init(run->bounds);
    return run->bounds != NULL;
}

struct query_run *query_run_make(const struct query_plan *plan, struct arena *arena)
{
    struct query_run *run = arena_push_zero(arena, sizeof *run);
    if (run == NULL)
        return NULL;
    enum function function = plan->query->function;
    run->plan = plan;
    run->query = plan->query;
    run->keeps_lasts = plan->kind == KIND_GAUGE && function == FUNCTION_SUM;
    run->keeps_extremes =
        plan->kind == KIND_COUNTER && (function == FUNCTION_MIN || function == FUNCTION_MAX);
    run->phase = plan->map.group_count == 0 ? RUN_DONE : RUN_BUCKET;
    bool made = question_make(run, arena) && tallies_init(run, arena) && points_init(run, arena) &&
                lasts_init(run, arena) && bytes_init(run, arena) && bounds_init(run, arena);
    return made ? run : NULL;
}

/* ---- last values by series: the sum of a gauge ---- */

/* The place of that ended series, or a free one; NULL when there are too many. */
static struct gone_last *gone_find(struct query_run *run, uint64_t sequence)
{
    uint64_t place = sequence * UINT64_C(0x9e3779b97f4a7c15) >> 40;
    for (;; place++) {
        struct gone_last *gone = &run->gone[place % GONE_PLACES];
        if (gone->last_ms != INT64_MIN && gone->sequence == sequence)
            return gone;
        if (gone->last_ms != INT64_MIN)
            continue;
        if (run->gone_count >= GONE_PLACES / 4 * 3)
            return NULL;
        run->gone_count++;
        gone->sequence = sequence;
        return gone;
    }
}

static void keep_gone(struct query_run *run, uint64_t sequence, const struct tally *cell)
{
    struct gone_last *gone = gone_find(run, sequence);
    if (gone == NULL) {
        run->is_approximate = true;
    } else if (cell->last_ms >= gone->last_ms) {
        gone->last_ms = cell->last_ms;
        gone->last = cell->last;
    }
}

static void keep_last(struct query_run *run, uint32_t series, const struct tally *cell)
{
    if (cell->last_ms < run->lasts_ms[series])
        return;
    run->lasts_ms[series] = cell->last_ms;
    run->lasts[series] = cell->last;
}

static void add_last(struct tally *tally, double last, int64_t last_ms)
{
    tally->count++;
    tally->sum += last;
    if (last_ms >= tally->last_ms) {
        tally->last_ms = last_ms;
        tally->last = last;
    }
}

/* The bucket has all its records: each series' last value goes to its group. */
static void add_lasts(struct query_run *run)
{
    const struct group_map *map = &run->plan->map;
    for (uint32_t i = 0; i < map->series_count; i++) {
        if (run->lasts_ms[i] != INT64_MIN && map->numbers[i] != GROUP_NONE)
            add_last(&run->sums[map->numbers[i]], run->lasts[i], run->lasts_ms[i]);
    }
    for (uint32_t i = 0; run->gone_count > 0 && i < GONE_PLACES; i++) {
        if (run->gone[i].last_ms != INT64_MIN && map->gone != GROUP_NONE)
            add_last(&run->sums[map->gone], run->gone[i].last, run->gone[i].last_ms);
    }
}

/* One gauge's cell, to its series or, in a bucket of one record, to its group. */
static void add_gauge(struct query_run *run, uint64_t sequence, const struct tally *cell)
{
    struct groups_of *groups = &run->groups;
    groups->at = groups_find(groups, groups->at, sequence);
    bool is_live = groups->at < groups->count && groups->sequences[groups->at] == sequence;
    if (!is_live && sequence >= groups->sequence_end)
        return;
    uint16_t group = is_live ? groups->groups[groups->at] : groups->gone;
    if (group == GROUP_NONE)
        return;
    if (!run->by_series)
        add_last(&run->part[group], cell->last, cell->last_ms);
    else if (is_live)
        keep_last(run, groups->at, cell);
    else
        keep_gone(run, sequence, cell);
}

/* As cells_add. */
static bool gauges_add(struct query_run *run, uint32_t most)
{
    uint64_t sequence;
    struct tally cell = {0};
    for (; most > 0; most--) {
        if (!cell_read(&run->reader, &sequence, &cell))
            return false;
        add_gauge(run, sequence, &cell);
    }
    return true;
}

/* ---- the open window ---- */

static void open_begin(struct query_run *run, struct store *store, const struct history *history)
{
    const struct query_plan *plan = run->plan;
    run->open_start_ms = store_window_start(store, history->seal.window);
    run->has_open = run->open_start_ms >= plan->start_ms && run->open_start_ms < plan->end_ms;
    run->open_bucket = plan->bucket_count - 1;
    if (run->has_open)
        run->open_bucket = (uint64_t)((run->open_start_ms - plan->start_ms) / plan->step_ms);
    run->bucket = run->open_bucket;
    run->sealed_windows = history->sealed_windows;
    series_cursor_init(&run->open_cursor);
    run->open_at = 0;
    run->open_reads++;
    run->by_series = run->keeps_lasts;
    run->phase = RUN_OPEN;
}

static bool open_is_torn(const struct query_run *run, const struct history *history)
{
    return history_is_sealing(history) || run->sealed_windows != history->sealed_windows;
}

static void open_add(struct query_run *run, const struct store *store, const struct series *series)
{
    const struct group_map *map = &run->plan->map;
    while (run->open_at < map->series_count && map->sequences[run->open_at] < series->sequence)
        run->open_at++;
    if (run->open_at == map->series_count || map->sequences[run->open_at] != series->sequence)
        return; /* born since */
    uint16_t group = map->numbers[run->open_at];
    if (group == GROUP_NONE || series->open.count == 0)
        return;
    struct tally tally = history_open_tally(store, series, run->plan->kind);
    if (tally.last_ms < run->open_start_ms)
        tally.last_ms =
            run->open_start_ms; /* a late value counts as if it began it, as in a cell */
    run->cells++;
    if (run->keeps_lasts)
        keep_last(run, run->open_at, &tally);
    else
        run->lost_bounds += tally_add(&run->sums[group], &tally, run->plan->kind);
}

/* False at the end. */
static bool open_slice(struct query_run *run, const struct store *store)
{
    const struct group_map *map = &run->plan->map;
    const struct family *family = family_with_id(store, map->family, map->family_id);
    if (family == NULL)
        return false;
    uint32_t at;
    if (!series_cursor_next(&run->open_cursor, store, family, &at))
        return true;
    for (uint32_t i = 0; i < OPEN_SLICE && at != SLOT_NONE; i++) {
        const struct series *series = slots_at(&store->series, at);
        if (series->sequence >= map->sequence_end)
            return false;
        if (series->next != SLOT_NONE)
            __builtin_prefetch(slots_at(&store->series, series->next));
        open_add(run, store, series);
        if (i + 1 == OPEN_SLICE)
            series_cursor_pass(&run->open_cursor, store, at);
        at = series->next;
    }
    return at != SLOT_NONE;
}

static void open_step(struct query_run *run, const struct store *store,
                      const struct history *history)
{
    if (open_is_torn(run, history) && run->open_reads < RESTARTS_MAX) {
        run->phase = RUN_ANEW;
        return;
    }
    run->is_approximate = run->is_approximate || open_is_torn(run, history);
    if (run->has_open && open_slice(run, store))
        return;
    run->open_is_read = true;
    run->phase = RUN_BUCKET;
}

/* ---- a bucket ---- */

/* In the one bucket of several kinds: a record with cells, and another, or the open window. */
static bool has_several(const struct query_run *run, const struct history *history)
{
    struct record_walk walk = run->walk;
    const struct record *record;
    enum tier tier;
    uint32_t found = query_bucket_is_open(run, run->bucket);
    for (uint32_t looks = 0; found < 2; looks++) {
        if (looks == LOOK_SLICE)
            return true; /* it is right in any case, and only slower */
        if ((record = record_walk_next(&walk, history, &tier)) == NULL)
            return false;
        found += history_section_cells(history, tier, record, run->plan->map.family_id) > 0;
    }
    return true;
}

/* Was what is read as open meanwhile folded into a record of a coarser tier? */
static bool open_is_folded(const struct query_run *run, const struct history *history)
{
    return run->has_open && history_held_from(history, TIER_FINE) > run->open_start_ms;
}

/* Has something of the bucket left the tier that the plan chose for it? */
static bool is_outdated(const struct query_run *run, const struct history *history)
{
    const struct query_plan *plan = run->plan;
    int64_t start_ms = bucket_start_ms(plan, run->bucket);
    int64_t wanted_ms = start_ms > plan->oldest_ms ? start_ms : plan->oldest_ms;
    return plan->tier != TIER_COARSE && wanted_ms < start_ms + plan->step_ms &&
           history_held_from(history, plan->tier) > wanted_ms;
}

static void bucket_begin(struct query_run *run, struct store *store, struct history *history,
                         int64_t now_ms)
{
    if (history_is_sealing(history) && !run->open_is_read) {
        history_step(history, store, now_ms);
        return;
    }
    if (!run->open_is_read) {
        open_begin(run, store, history);
        return;
    }
    if (run->turn == 0 && open_is_folded(run, history) && run->open_reads < RESTARTS_MAX) {
        run->phase = RUN_ANEW; /* what was read as open stands in a record by now */
        return;
    }
    if (is_outdated(run, history))
        run->is_outdated = run->is_approximate = true;
    int64_t start_ms = bucket_start_ms(run->plan, run->bucket);
    record_walk_begin(&run->walk, history, start_ms, start_ms + run->plan->step_ms);
    run->by_series = run->keeps_lasts && has_several(run, history);
    if (run->turn == 0 && run->keeps_lasts && query_bucket_is_open(run, run->bucket))
        run->by_series = true; /* that is where the open window's values are */
    run->phase = RUN_NEXT;
}

/* The open window's bucket, then the others in order. */
static uint64_t bucket_of_turn(const struct query_run *run)
{
    if (run->turn == 0)
        return run->open_bucket;
    return run->turn <= run->open_bucket ? run->turn - 1 : run->turn;
}

/* ---- a record ---- */

/* Sealed since the open window was read: that is what it holds. */
static bool is_read_as_open(const struct query_run *run, enum tier tier,
                            const struct record *record)
{
    return run->has_open && tier == TIER_FINE && record->start_ms >= run->open_start_ms;
}

static void part_find(struct query_run *run, struct lru *cache, int64_t now_ms)
{
    uint32_t entry;
    run->is_cached =
        !run->by_series && run->plan->is_cacheable && run->record.serial < run->plan->serial_end;
    run->phase = RUN_SCAN;
    if (!run->is_cached)
        return;
    run->key = part_key(run, run->record.serial);
    if (!lru_find(cache, run->key, now_ms, &entry)) {
        run->misses++;
        return;
    }
    run->bytes_used = lru_value_bytes(cache, entry);
    ENSURE(run->bytes_used <= run->bytes_max);
    lru_copy(cache, entry, run->bytes);
    run->hits++;
    run->phase = RUN_FOUND;
}

/* Stands at the bucket's next record that has cells of the family. */
static void record_next(struct query_run *run, const struct history *history, struct lru *cache,
                        int64_t now_ms)
{
    struct section section;
    for (uint32_t i = 0; i < LOOK_SLICE; i++) {
        const struct record *record = record_walk_next(&run->walk, history, &run->tier);
        if (record == NULL) {
            run->phase = RUN_ADD_UP;
            return;
        }
        if (run->tier > run->plan->tier || is_read_as_open(run, run->tier, record) ||
            !history_section(history, run->tier, record, run->plan->map.family_id, &section))
            continue;
        run->record = *record;
        cell_reader_init(&run->reader, &section);
        run->groups = group_map_reader(&run->plan->map);
        run->scanned = section.cells;
        part_find(run, cache, now_ms);
        return;
    }
}

static void scan(struct query_run *run)
{
    bool sketches = tally_sketch_bytes(run->plan->kind) > 0;
    uint32_t most = sketches ? SCAN_SKETCHES : SCAN_CELLS;
    bool more = run->keeps_lasts
                    ? gauges_add(run, most)
                    : cells_add(&run->reader, &run->groups, run->part, run->keeps_extremes, most);
    if (more)
        return;
    run->cells += run->scanned;
    run->phase = RUN_SCANNED;
}

static void part_admit(struct query_run *run, struct lru *cache, int64_t now_ms)
{
    bool sketches = query_needs_sketch(run->query);
    uint64_t cost_us = run->scanned * (sketches ? SKETCH_NS : CELL_NS) / 1000 + 1;
    struct bytes value = {(const char *)run->bytes, run->bytes_used};
    lru_admit(cache, run->key, run->record.serial, value, cost_us, now_ms);
    run->phase = RUN_NEXT;
}

/* ---- under the lock ---- */

static bool is_in_bucket(const struct query_run *run)
{
    return run->phase == RUN_NEXT || run->phase == RUN_SCAN || run->phase == RUN_ADMIT;
}

/* A record left its tier: what was read of the bucket may be too little. */
static void tear(struct query_run *run, const struct history *history)
{
    run->phase = RUN_ANEW;
    if (run->tears++ >= TEARS_MAX) {
        run->is_approximate = true;
        run->phase = RUN_ADD_UP;
    } else if (open_is_folded(run, history) && run->restarts++ < RESTARTS_MAX) {
        run->turn = 0;
        run->bucket = run->open_bucket;
    }
}

void query_run_step(struct query_run *run, struct store *store, struct history *history,
                    struct lru *cache, int64_t now_ms)
{
    if (is_in_bucket(run) && record_walk_is_torn(&run->walk, history)) {
        tear(run, history);
        return;
    }
    switch ((enum phase)run->phase) {
    case RUN_BUCKET:
        bucket_begin(run, store, history, now_ms);
        if (run->phase == RUN_NEXT)
            record_next(run, history, cache, now_ms);
        break;
    case RUN_OPEN:
        open_step(run, store, history);
        break;
    case RUN_ADMIT:
        part_admit(run, cache, now_ms);
        record_next(run, history, cache, now_ms);
        break;
    case RUN_NEXT:
        record_next(run, history, cache, now_ms);
        break;
    case RUN_SCAN:
        scan(run);
        break;
    default:
        break;
    }
    if (run->phase == RUN_SCAN && run->scanned <= SCAN_SKETCHES)
        scan(run); /* a small one in the same hold */
}

/* ---- outside ---- */

static void add_to_sum(struct query_run *run, uint32_t group, const struct tally *tally)
{
    run->lost_bounds += tally_add(&run->sums[group], tally, run->plan->kind);
}

/* The part out of the cache, a cell a group. Groups may have come since: they have none. */
static void add_found(struct query_run *run)
{
    const struct group_map *map = &run->plan->map;
    struct section section = {
        .kind = run->plan->kind,
        .start_ms = run->record.start_ms,
        .piece = {run->bytes, NULL},
        .piece_bytes = {run->bytes_used, 0},
    };
    struct cell_reader reader;
    uint64_t sequence;
    uint32_t group = 0;
    cell_reader_init(&reader, &section);
    while (cell_read(&reader, &sequence, &run->one)) {
        while (group < map->group_count && map->groups[group].first_sequence < sequence)
            group++;
        ENSURE(group < map->group_count && map->groups[group].first_sequence == sequence);
        add_to_sum(run, group, &run->one);
    }
    run->phase = RUN_NEXT;
}

/* Numbers that were not kept would cost bytes. */
static void trim(const struct query_run *run, struct tally *tally)
{
    enum kind kind = run->plan->kind;
    bool kept =
        kind == KIND_HISTOGRAM || (kind == KIND_GAUGE && !run->keeps_lasts) || run->keeps_extremes;
    if (!kept)
        tally->min = tally->max = 0;
}

/* The part of a record as it goes into the cache: bytes_used 0 when it is too long. */
static void part_write(struct query_run *run)
{
    const struct group_map *map = &run->plan->map;
    struct cell_writer writer;
    run->bytes_used = 0;
    cell_writer_init(&writer, run->plan->kind, run->record.start_ms);
    for (uint32_t group = 0; group < map->group_count; group++) {
        struct tally tally = run->part[group];
        if (tally.count == 0)
            continue;
        if (run->bytes_max - run->bytes_used < CELL_BYTES_MAX) {
            run->bytes_used = 0;
            run->is_cached = false;
            return;
        }
        trim(run, &tally);
        run->bytes_used += cell_write(&writer, map->groups[group].first_sequence, &tally,
                                      run->bytes + run->bytes_used);
    }
}

/* The tallies of the record that was scanned go where those of a hit go. */
static void add_scanned(struct query_run *run)
{
    if (run->is_cached)
        part_write(run);
    for (uint32_t group = 0; group < run->plan->map.group_count; group++) {
        struct tally *tally = &run->part[group];
        if (tally->count == 0)
            continue;
        add_to_sum(run, group, tally);
        tally_reset(tally, run->plan->kind);
    }
    run->phase = run->is_cached ? RUN_ADMIT : RUN_NEXT;
}

static void tallies_reset(struct query_run *run, struct tally *tallies)
{
    for (uint32_t group = 0; group < run->plan->map.group_count; group++) {
        if (tallies[group].count > 0)
            tally_reset(&tallies[group], run->plan->kind);
    }
}

static void bucket_reset(struct query_run *run)
{
    tallies_reset(run, run->sums);
    tallies_reset(run, run->part);
    if (run->by_series)
        lasts_reset(run);
    run->phase = RUN_BUCKET;
}

/* In the bucket of the open window that has to be read again, too. */
static void bucket_anew(struct query_run *run)
{
    bucket_reset(run);
    if (run->turn == 0)
        run->open_is_read = false;
}

/* How sure a quantile is: the widest buckets, or the bounds that are left. */
static void note_precision(struct query_run *run, const struct tally *tally)
{
    if (run->query->function != FUNCTION_QUANTILE)
        return;
    if (run->plan->kind == KIND_CLASSIC) {
        classic_merge(run->bounds, tally->classic);
        return;
    }
    double error = exp_histogram_relative_error(tally->histogram);
    run->relative_error = error > run->relative_error ? error : run->relative_error;
}

/* A bucket that has not ended is divided by what has passed of it. */
static double bucket_seconds(const struct query_run *run)
{
    int64_t length_ms = run->plan->step_ms;
    int64_t passed_ms = run->query->now_ms - bucket_start_ms(run->plan, run->bucket);
    if (query_bucket_is_open(run, run->bucket) && passed_ms < length_ms)
        length_ms = passed_ms > 0 ? passed_ms : 1;
    return (double)length_ms / 1000;
}

static void bucket_end(struct query_run *run)
{
    const struct query_plan *plan = run->plan;
    double seconds = bucket_seconds(run);
    if (run->by_series)
        add_lasts(run);
    for (uint32_t group = 0; group < plan->map.group_count; group++) {
        const struct tally *tally = &run->sums[group];
        double *point = &run->points[group * plan->bucket_count + run->bucket];
        *point = NAN; /* where the run was begun anew there may be another */
        if (tally->count == 0)
            continue;
        *point = query_value(run->query, plan->kind, tally, seconds);
        run->has_data[group] = true;
        note_precision(run, tally);
    }
    bucket_reset(run);
    run->turn++;
    if (run->turn == plan->bucket_count)
        run->phase = RUN_DONE;
    else
        run->bucket = bucket_of_turn(run);
}

bool query_run_work(struct query_run *run)
{
    switch ((enum phase)run->phase) {
    case RUN_SCANNED:
        add_scanned(run);
        break;
    case RUN_FOUND:
        add_found(run);
        break;
    case RUN_ADD_UP:
        bucket_end(run);
        break;
    case RUN_ANEW:
        bucket_anew(run);
        break;
    default:
        break;
    }
    return run->phase != RUN_DONE;
}
