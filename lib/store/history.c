/* history.c: records in rings. See history.h. */
#include "store/history.h"

#include "store/history_private.h"

static const enum pool tier_pools[TIER_COUNT] = {POOL_WINDOWS_FINE, POOL_WINDOWS_MIDDLE,
                                                 POOL_WINDOWS_COARSE};

/* ---- sizes ---- */

static uint64_t tier_bytes(const struct settings *settings, enum tier tier)
{
    const uint64_t bytes[TIER_COUNT] = {settings->windows_fine_bytes,
                                        settings->windows_middle_bytes,
                                        settings->windows_coarse_bytes};
    return bytes[tier];
}

static int64_t tier_width_ms(const struct settings *settings, enum tier tier)
{
    const uint64_t widths[TIER_COUNT] = {settings->windows_fine, settings->windows_middle,
                                         settings->windows_coarse};
    return (int64_t)widths[tier];
}

/* Records of a few series are small: there are as many as 1.5 KiB each would make, and a few. */
static uint64_t records_of(const struct settings *settings, enum tier tier)
{
    uint64_t records = tier_bytes(settings, tier) / 1536 + 64;
    return records < 1 << 20 ? records : 1 << 20;
}

/* All families there are fit one directory, and one that came while another went. */
static uint64_t entries_of(const struct settings *settings)
{
    return settings->limits_families + KIND_COUNT + 1;
}

static size_t sketch_bytes_max(void)
{
    size_t most = 0;
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        size_t bytes = tally_sketch_bytes(kind);
        most = bytes > most ? bytes : most;
    }
    return most;
}

void history_plan(const struct settings *settings, uint64_t pools[static POOL_COUNT])
{
    for (enum tier tier = 0; tier < TIER_COUNT; tier++)
        pools[tier_pools[tier]] =
            region_piece_bytes(tier_bytes(settings, tier)) +
            region_piece_bytes(records_of(settings, tier) * sizeof(struct record));
    pools[POOL_SEALING] =
        TIER_COUNT * region_piece_bytes(entries_of(settings) * sizeof(struct directory_entry)) +
        (TIER_COUNT - 1) * region_piece_bytes(sketch_bytes_max());
}

/* ---- start ---- */

/*
 * What is folded into a record may come to some three times as much (small whole numbers become
 * large ones), so a record has to be a small part of its ring, and of the next one.
 */
static void limit_records(struct history *history)
{
    uint64_t most = UINT32_MAX / 8;
    for (int tier = TIER_COUNT - 1; tier >= 0; tier--) {
        uint64_t share = history->tiers[tier].ring.bytes / 8;
        most = share < most ? share : most;
        history->tiers[tier].record_bytes_max = most;
        most /= 2;
    }
}

static void tier_init(struct history *history, const struct settings *settings, enum tier at,
                      struct region *region)
{
    struct tier_ring *tier = &history->tiers[at];
    uint64_t bytes = tier_bytes(settings, at);
    uint64_t records = records_of(settings, at);
    uint64_t entries = entries_of(settings);
    ring_init(&tier->ring, region_take(region, bytes), bytes);
    tier->records = region_take(region, records * sizeof(struct record));
    tier->record_max = (uint32_t)records;
    tier->width_ms = tier_width_ms(settings, at);
    tier->pool = tier_pools[at];
    tier->open.entries = region_take(region, entries * sizeof(struct directory_entry));
    tier->open.entry_max = (uint32_t)entries;
    tier->held_from_ms = history->start_ms;
    history->ledger->accounts[tier->pool].capacity_bytes = bytes + records * sizeof(struct record);
}

void history_init(struct history *history, const struct settings *settings,
                  const struct store *store, struct lru *cache, struct ledger *ledger,
                  struct region *region)
{
    uint64_t pools[POOL_COUNT];
    *history = (struct history){.ledger = ledger, .cache = cache, .next_serial = 1};
    history->seal.window = store->window;
    history->start_ms = store_window_start(store, store->window);
    for (enum tier tier = 0; tier < TIER_COUNT; tier++)
        tier_init(history, settings, tier, region);
    limit_records(history);
    for (int tier = 0; tier < TIER_COUNT - 1; tier++)
        fold_init(&history->folds[tier], region_take(region, sketch_bytes_max()));
    history_plan(settings, pools);
    ledger->accounts[POOL_SEALING].capacity_bytes = pools[POOL_SEALING];
    ledger_take(ledger, POOL_SEALING, pools[POOL_SEALING]);
}

/* ---- writing a record ---- */

void record_open(struct history *history, enum tier at, int64_t start_ms)
{
    struct tier_ring *tier = &history->tiers[at];
    ENSURE(!tier->open.is_open);
    tier->open.is_open = true;
    tier->open.record = (struct record){.start_ms = start_ms, .begin = tier->ring.head};
}

/* A section that got no cell is begun anew by the next. */
void record_begin_section(struct history *history, enum tier at, uint64_t family, enum kind kind)
{
    struct open_record *open = &history->tiers[at].open;
    if (open->record.families == 0 || open->entries[open->record.families - 1].cells > 0)
        open->record.families++;
    ENSURE(open->record.families <= open->entry_max);
    open->entries[open->record.families - 1] =
        (struct directory_entry){.family = family, .kind = kind & 7};
    cell_writer_init(&open->writer, kind, open->record.start_ms);
}

bool record_put(struct history *history, enum tier at, uint64_t sequence,
                const struct tally *tally)
{
    struct tier_ring *tier = &history->tiers[at];
    struct record *record = &tier->open.record;
    struct directory_entry *entry = &tier->open.entries[record->families - 1];
    uint8_t *out = ring_reserve(&tier->ring, CELL_BYTES_MAX);
    if (out == NULL)
        return false;
    uint64_t position =
        ring_commit(&tier->ring, cell_write(&tier->open.writer, sequence, tally, out));
    if (record->cells == 0) {
        record->position = position;
        if (tier->count == 0)
            record->begin = position; /* what an empty ring skipped is not held */
    }
    if (entry->cells == 0)
        entry->offset = (uint32_t)(position - record->position);
    entry->cells++;
    record->cells++;
    return true;
}

static void record_add(struct history *history, struct tier_ring *tier)
{
    ENSURE(tier->count < tier->record_max);
    struct record *record = &tier->open.record;
    record->serial = history->next_serial++;
    tier->records[(tier->first + tier->count++) % tier->record_max] = *record;
    tier->open.is_open = false;
    tier->sealed++;
    ledger_take(history->ledger, tier->pool, record->end - record->begin + sizeof *record);
}

/* The directory, aligned as its entries must be. */
static bool put_directory(struct tier_ring *tier, struct record *record)
{
    size_t bytes = record->families * sizeof(struct directory_entry);
    size_t align = _Alignof(struct directory_entry);
    uint64_t sections_end = tier->ring.head;
    uint8_t *out = ring_reserve(&tier->ring, bytes + align);
    if (out == NULL)
        return false;
    size_t pad = -(uintptr_t)out % align;
    memcpy(out + pad, tier->open.entries, bytes);
    record->sections_end = sections_end;
    record->directory = ring_commit(&tier->ring, pad + bytes) + pad;
    record->end = tier->ring.head;
    return true;
}

bool record_close(struct history *history, enum tier at)
{
    struct tier_ring *tier = &history->tiers[at];
    struct record *record = &tier->open.record;
    if (record->cells == 0) {
        tier->open.is_open = false;
        return true;
    }
    if (tier->open.entries[record->families - 1].cells == 0)
        record->families--; /* the section begun last came to nothing */
    if (tier->count == tier->record_max || !put_directory(tier, record))
        return false;
    record_add(history, tier);
    return true;
}

/* ---- room ---- */

/* Results that one step drops: some 20 ns each, or several times that in a large cache. */
#define RETIRE_EACH 256

static void retire(struct history *history, uint64_t serial)
{
    if (history->cache == NULL || lru_retire(history->cache, serial, history->now_ms, RETIRE_EACH))
        return;
    if (history->retiring.count == RETIRING_MAX)
        return; /* nobody asks for them any more: they become the least recently used */
    uint32_t place = history->retiring.first + history->retiring.count++;
    history->retiring.serials[place % RETIRING_MAX] = serial;
}

/* False when there is nothing to retire. */
static bool retire_step(struct history *history)
{
    if (history->retiring.count == 0)
        return false;
    if (lru_retire(history->cache, history->retiring.serials[history->retiring.first],
                   history->now_ms, RETIRE_EACH)) {
        history->retiring.first = (history->retiring.first + 1) % RETIRING_MAX;
        history->retiring.count--;
    }
    return true;
}

void record_pop(struct history *history, enum tier at)
{
    struct tier_ring *tier = &history->tiers[at];
    const struct record *record = &tier->records[tier->first];
    ENSURE(tier->count > 0);
    int64_t end_ms = record->start_ms + tier->width_ms;
    if (end_ms > tier->held_from_ms)
        tier->held_from_ms = end_ms;
    lifetimes_count(&history->lifetimes, lifetime_ms(record->start_ms, history->now_ms));
    retire(history, record->serial);
    ring_release(&tier->ring, record->end);
    ledger_give(history->ledger, tier->pool, record->end - record->begin + sizeof *record);
    tier->first = (tier->first + 1) % tier->record_max;
    tier->count--;
    tier->left++;
}

/* The families that were only in what is dropped may end now. */
static void drop_oldest(struct history *history, enum tier at, struct store *store)
{
    record_pop(history, at);
    store->history_floor = store_window_at(store, history_oldest_ms(history, store));
}

void tier_make_room(struct history *history, enum tier tier, struct store *store)
{
    if (tier == TIER_COARSE)
        drop_oldest(history, tier, store);
    else
        fold_step(history, tier, store);
}

/*
 * Will the next record find no room? Then its room is made before it is needed, while nobody waits
 * for it.
 */
static bool is_short_of_room(const struct tier_ring *tier)
{
    uint64_t wanted = tier->record_bytes_max + 2 * CELL_BYTES_MAX;
    return tier->count > 1 && (ring_held(&tier->ring) + wanted > tier->ring.bytes ||
                               tier->count + 2 > tier->record_max);
}

bool history_step(struct history *history, struct store *store, int64_t now_ms)
{
    history->now_ms = now_ms;
    if (seal_step(history, store, now_ms) || retire_step(history))
        return true;
    for (enum tier tier = 0; tier < TIER_COARSE; tier++) {
        if (history->folds[tier].count == 0 && !is_short_of_room(&history->tiers[tier]))
            continue;
        fold_step(history, tier, store);
        return true;
    }
    return false;
}

bool history_is_sealing(const struct history *history)
{
    return history->seal.is_going_on;
}

/* ---- reading ---- */

struct tally history_open_tally(const struct store *store, const struct series *series,
                                enum kind kind)
{
    return (struct tally){
        .count = series->open.count,
        .sum = series->open.sum,
        .min = series->open.min,
        .max = series->open.max,
        .last = kind_has_children(kind) ? series->open.observed : series->last,
        .last_ms = series->last_ms,
        .sketch = store_open_sketch(store, series, kind),
    };
}

uint32_t history_find(const struct history *history, enum tier tier, int64_t from_ms)
{
    uint32_t low = 0;
    uint32_t high = history->tiers[tier].count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct record *record = history_record(history, tier, middle);
        if (record->start_ms + history->tiers[tier].width_ms <= from_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first entry of that family or of a later one. */
static uint32_t find_entry(const struct directory_entry *entries, uint32_t count, uint64_t family)
{
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;
        if (entries[middle].family < family)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

static const struct directory_entry *directory_of(const struct tier_ring *tier,
                                                  const struct record *record)
{
    return (const void *)ring_at(&tier->ring, record->directory);
}

const struct directory_entry *history_entry(const struct history *history, enum tier tier,
                                            const struct record *record, uint32_t i)
{
    ENSURE(i < record->families);
    return directory_of(&history->tiers[tier], record) + i;
}

/* Bytes from one position to another, in two pieces where the ring begins again between them. */
static void section_place(const struct ring *ring, uint64_t from, uint64_t to,
                          struct section *section)
{
    uint64_t again = (from / ring->bytes + 1) * ring->bytes;
    uint64_t end = ring->end > from && ring->end < again ? ring->end : again;
    section->piece[0] = ring_at(ring, from);
    section->piece[1] = ring->base;
    section->piece_bytes[0] = to <= end ? to - from : end - from;
    section->piece_bytes[1] = to <= again ? 0 : to - again;
}

void history_section_at(const struct history *history, enum tier at, const struct record *record,
                        uint32_t index, struct section *section)
{
    const struct tier_ring *tier = &history->tiers[at];
    const struct directory_entry *entry = directory_of(tier, record) + index;
    uint64_t from = record->position + entry->offset;
    uint64_t to = index + 1 < record->families ? record->position + entry[1].offset
                                               : record->sections_end;
    section->kind = (enum kind)entry->kind;
    section->start_ms = record->start_ms;
    section->cells = entry->cells;
    section_place(&tier->ring, from, to, section);
}

bool history_section(const struct history *history, enum tier tier, const struct record *record,
                     uint64_t family, struct section *section)
{
    const struct directory_entry *entries = directory_of(&history->tiers[tier], record);
    uint32_t at = find_entry(entries, record->families, family);
    if (at == record->families || entries[at].family != family)
        return false;
    history_section_at(history, tier, record, at, section);
    return true;
}

uint64_t history_section_cells(const struct history *history, enum tier tier,
                               const struct record *record, uint64_t family)
{
    const struct directory_entry *entries = directory_of(&history->tiers[tier], record);
    uint32_t at = find_entry(entries, record->families, family);
    return at < record->families && entries[at].family == family ? entries[at].cells : 0;
}

/* A tier that dropped part of a window may hold less than a finer one does by itself. */
int64_t history_held_from(const struct history *history, enum tier tier)
{
    int64_t held_from_ms = history->tiers[TIER_FINE].held_from_ms;
    for (enum tier at = TIER_FINE; at <= tier; at++) {
        if (history->tiers[at].held_from_ms < held_from_ms)
            held_from_ms = history->tiers[at].held_from_ms;
    }
    return held_from_ms;
}

int64_t history_oldest_ms(const struct history *history, const struct store *store)
{
    int64_t oldest_ms = store_window_start(store, history->seal.window);
    for (enum tier tier = 0; tier < TIER_COUNT; tier++) {
        if (history->tiers[tier].count == 0)
            continue;
        int64_t start_ms = history_record(history, tier, 0)->start_ms;
        oldest_ms = start_ms < oldest_ms ? start_ms : oldest_ms;
    }
    /* the window of a coarser tier that the start was in began before it */
    return oldest_ms > history->start_ms ? oldest_ms : history->start_ms;
}

uint64_t history_held(const struct history *history, enum tier at)
{
    const struct tier_ring *tier = &history->tiers[at];
    uint64_t head = tier->open.is_open ? tier->open.record.begin : tier->ring.head;
    uint64_t tail = tier->count > 0 ? tier->records[tier->first].begin : head;
    return head - tail + tier->count * sizeof(struct record);
}

/* ---- verification ---- */

static void verify_section(const struct section *section, struct tally *tally)
{
    struct cell_reader reader;
    uint64_t sequence;
    uint64_t before = 0;
    uint64_t cells = 0;
    cell_reader_init(&reader, section);
    while (cell_read(&reader, &sequence, tally)) {
        ENSURE(cells == 0 || sequence > before);
        ENSURE(tally->count > 0);
        before = sequence;
        cells++;
    }
    ENSURE(cells == section->cells);
}

static void verify_record(const struct history *history, enum tier tier,
                          const struct record *record)
{
    uint64_t cells = 0;
    uint64_t family = 0;
    const struct directory_entry *entries = directory_of(&history->tiers[tier], record);
    for (uint32_t i = 0; i < record->families; i++) {
        struct section section;
        struct tally tally = {0};
        history_section_at(history, tier, record, i, &section);
        ENSURE(entries[i].family > family && section.cells > 0);
        verify_section(&section, &tally);
        family = entries[i].family;
        cells += section.cells;
    }
    ENSURE(cells == record->cells);
}

void history_verify(const struct history *history)
{
    for (enum tier at = 0; at < TIER_COUNT; at++) {
        const struct tier_ring *tier = &history->tiers[at];
        uint64_t serial = 0;
        int64_t start_ms = INT64_MIN;
        ENSURE(ring_held(&tier->ring) <= tier->ring.bytes);
        for (uint32_t i = 0; i < tier->count; i++) {
            const struct record *record = history_record(history, at, i);
            ENSURE(record->serial > serial && record->start_ms >= start_ms);
            ENSURE(record->start_ms % tier->width_ms == 0);
            serial = record->serial;
            start_ms = record->start_ms;
            verify_record(history, at, record);
        }
    }
}
