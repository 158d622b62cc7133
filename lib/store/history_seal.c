/*
 * history_seal.c: open windows into a record of the fine tier. See history.h.
 *
 *     families by id ──> their series by sequence number ──> a cell each that has samples
 *
 * Between two steps samples come, and families and series come and go. Ids and sequence numbers
 * only rise, so going on at the next higher one meets each that lives throughout once. What came
 * since the pass began is left to the next one, and so is a family that DELETE gave a new id
 * meanwhile: its samples stay in their open windows until then. So a pass always ends.
 */
#include "store/history_private.h"

static void begin(struct history *history, const struct store *store, uint32_t next)
{
    history->seal.is_going_on = true;
    history->seal.next = next;
    history->seal.id_end = store->next_family_id;
    history->seal.family_id = 0;
    history->seal.family = SLOT_NONE;
}

static void end(struct history *history)
{
    history->skipped_windows += history->seal.next - history->seal.window - 1;
    history->sealed_windows++;
    history->seal.window = history->seal.next;
    history->seal.is_going_on = false;
}

/* ---- families ---- */

/* Is the family at hand still the one that was begun? */
static bool family_holds(const struct history *history, const struct store *store)
{
    uint32_t at = history->seal.family;
    return at != SLOT_NONE && slots_is_live(&store->families, at) &&
           store_family(store, at)->id == history->seal.family_id;
}

/* The first family with a higher id than the last one begun. */
static uint32_t next_family(const struct history *history, const struct store *store)
{
    if (family_holds(history, store))
        return store_family(store, history->seal.family)->newer;
    uint32_t at = store->oldest_family;
    while (at != SLOT_NONE && store_family(store, at)->id <= history->seal.family_id)
        at = store_family(store, at)->newer;
    return at;
}

static bool family_begin(struct history *history, const struct store *store)
{
    uint32_t at = next_family(history, store);
    if (at == SLOT_NONE || store_family(store, at)->id >= history->seal.id_end)
        return false;
    const struct family *family = store_family(store, at);
    history->seal.family = at;
    history->seal.family_id = family->id;
    history->seal.sequence_end = family->next_sequence;
    history->seal.is_done = false;
    series_cursor_init(&history->seal.cursor);
    if (history->tiers[TIER_FINE].open.is_open)
        record_begin_section(history, TIER_FINE, family->id, (enum kind)family->kind);
    return true;
}

/* ---- a series ---- */

/*
 * What came when the next window had begun, but before sealing did, counts as if it ended this
 * one: so what is of a later window is always later.
 */
static int64_t time_within(const struct store *store, uint32_t window, int64_t time_ms)
{
    int64_t end_ms = store_window_start(store, window) + (int64_t)store->window_ms;
    return time_ms < end_ms ? time_ms : end_ms - 1;
}

static bool put(struct history *history, struct store *store, const struct series *series,
                const struct family *family)
{
    struct tier_ring *tier = &history->tiers[TIER_FINE];
    struct tally tally = history_open_tally(store, series, (enum kind)family->kind);
    tally.last_ms = time_within(store, history->seal.window, tally.last_ms);
    if (!tier->open.is_open) {
        record_open(history, TIER_FINE, store_window_start(store, history->seal.window));
        record_begin_section(history, TIER_FINE, family->id, (enum kind)family->kind);
    }
    return record_put(history, TIER_FINE, series->sequence, &tally);
}

/* What a look at a series costs; a sealed one more. */
static uint32_t cost_of(const struct series *series)
{
    if (series->open.count == 0)
        return UNITS_LOOK;
    return series->sketch == SLOT_NONE ? UNITS_CELL : UNITS_SKETCH;
}

/*
 * As long as it may get. Its directory has room for all families that were there at the beginning.
 */
static bool is_full(const struct tier_ring *tier)
{
    return tier->open.is_open && open_record_bytes(tier) > tier->record_bytes_max;
}

/*
 * Seals what the units last for. False when the record must be closed, or the ring make room,
 * before the next cell.
 */
static bool seal_family(struct history *history, struct store *store, uint32_t *units)
{
    struct tier_ring *tier = &history->tiers[TIER_FINE];
    const struct family *family = store_family(store, history->seal.family);
    while (*units > 0) {
        uint32_t at;
        if (!series_cursor_next(&history->seal.cursor, store, family, &at)) {
            *units = 0;
            return true;
        }
        const struct series *series = at == SLOT_NONE ? NULL : store_series(store, at);
        history->seal.is_done = series == NULL || series->sequence >= history->seal.sequence_end;
        if (history->seal.is_done)
            return true;
        if (series->next != SLOT_NONE)
            __builtin_prefetch(slots_at(&store->series, series->next));
        uint32_t cost = cost_of(series);
        *units -= cost < *units ? cost : *units;
        if (series->open.count > 0) {
            if (is_full(tier) || !put(history, store, series, family))
                return false;
            store_seal(store, at);
            store_family_sealed(store, history->seal.family, history->seal.window);
        }
        series_cursor_pass(&history->seal.cursor, store, at);
    }
    return true;
}

/* ---- a step ---- */

/* True when the record is closed or was not open; else the ring made some room. */
static bool close_record(struct history *history, struct store *store)
{
    if (!history->tiers[TIER_FINE].open.is_open || record_close(history, TIER_FINE))
        return true;
    tier_make_room(history, TIER_FINE, store);
    return false;
}

static void go_on(struct history *history, struct store *store)
{
    uint32_t units = STEP_UNITS;
    while (units > 0) {
        bool done = !family_holds(history, store) || history->seal.is_done;
        if (done && !family_begin(history, store)) {
            if (close_record(history, store))
                end(history);
            return;
        }
        if (seal_family(history, store, &units))
            continue;
        if (is_full(&history->tiers[TIER_FINE]))
            close_record(history, store); /* the series at hand begins the next one */
        else
            tier_make_room(history, TIER_FINE, store);
        return;
    }
}

bool seal_step(struct history *history, struct store *store, int64_t now_ms)
{
    if (!history->seal.is_going_on) {
        uint32_t now = store_window_at(store, now_ms);
        if (now <= history->seal.window)
            return false;
        begin(history, store, now);
    }
    go_on(history, store);
    return true;
}
