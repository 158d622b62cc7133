/*
 * history_fold.c: records of one tier into one of the next. See history.h.
 *
 *     10:00:00  | a b   d |
 *     10:00:10  | a   c d |  ──by family, by sequence──>  10:00  | a b c d |
 *     10:00:20  | a b c   |
 *
 * A merge of what is sorted: the sources stand at most at one cell each, and one sum is held, so it
 * takes the same memory whatever the records. The sources stay readable until the sum can be read,
 * and then go all at once: at no moment is a sample there twice, or not at all.
 *
 * Sources that have the same series come to little more than the longest of them, others to all of
 * them together; only the merge itself tells. So all of a window are tried, and where the sum gets
 * too long for its ring it is taken back and half of them are: less than the work of one fold is
 * lost, since what went well is doubled the next time.
 */
#include "store/history_private.h"

/* A sum of several may be this many times record_bytes_max: what one source may come to. */
#define SUM_RECORDS 3

/* Entries of directories that are looked through for it: some 100 us of them. */
#define LOOKS_MAX 32768

void fold_init(struct fold *fold, void *sketch)
{
    *fold = (struct fold){.sketch = sketch, .most = FOLD_MAX};
}

static int64_t window_start(const struct history *history, enum tier tier, int64_t time_ms)
{
    int64_t width_ms = history->tiers[tier].width_ms;
    return time_ms / width_ms * width_ms;
}

/* How many families are in a sorted list or in the record's directory, or in both. */
static uint32_t families_together(const struct directory_entry *list, uint32_t count,
                                  const struct directory_entry *entries, uint32_t families)
{
    uint32_t both = 0;
    for (uint32_t a = 0, b = 0; a < count && b < families;) {
        uint64_t ours = list[a].family;
        uint64_t theirs = entries[b].family;
        both += ours == theirs;
        a += ours <= theirs;
        b += theirs <= ours;
    }
    return count + families - both;
}

/* Adds the directory's families to the list, from its end on: it has room for all `together`. */
static void families_join(struct directory_entry *list, uint32_t count,
                          const struct directory_entry *entries, uint32_t families,
                          uint32_t together)
{
    while (families > 0) {
        uint64_t theirs = entries[families - 1].family;
        uint64_t ours = count > 0 ? list[count - 1].family : 0;
        list[--together].family = ours > theirs ? ours : theirs;
        count -= count > 0 && ours >= theirs;
        families -= theirs >= ours;
    }
}

/*
 * The oldest records that are of one window of the next tier, as many as a directory there can
 * hold, for which the next one's serves as a list.
 */
static uint32_t sources_of(struct history *history, enum tier tier)
{
    const struct tier_ring *from = &history->tiers[tier];
    struct tier_ring *to = &history->tiers[tier + 1];
    int64_t start_ms = window_start(history, tier + 1, history_record(history, tier, 0)->start_ms);
    uint32_t families = 0;
    uint32_t count = 0;
    uint32_t looks = 0;
    while (count < from->count && count < history->folds[tier].most && looks < LOOKS_MAX) {
        const struct record *record = history_record(history, tier, count);
        const struct directory_entry *entries = history_entry(history, tier, record, 0);
        uint32_t together =
            families_together(to->open.entries, families, entries, record->families);
        if (window_start(history, tier + 1, record->start_ms) != start_ms ||
            together > to->open.entry_max)
            break;
        looks += families + record->families;
        families_join(to->open.entries, families, entries, record->families, together);
        families = together;
        count++;
    }
    ENSURE(count > 0);
    return count;
}

static void begin(struct history *history, enum tier tier)
{
    struct fold *fold = &history->folds[tier];
    ENSURE(history->tiers[tier].count > 0); /* an open record is a small part of its ring */
    fold->count = sources_of(history, tier);
    fold->family = 0;
    for (uint32_t i = 0; i < fold->count; i++) {
        fold->sources[i].entry = 0;
        fold->sources[i].is_reading = false;
    }
    int64_t first_ms = history_record(history, tier, 0)->start_ms;
    record_open(history, tier + 1, window_start(history, tier + 1, first_ms));
}

/* ---- families ---- */

static const struct directory_entry *entry_of(const struct history *history, enum tier tier,
                                              uint32_t source)
{
    const struct record *record = history_record(history, tier, source);
    uint32_t entry = history->folds[tier].sources[source].entry;
    return entry < record->families ? history_entry(history, tier, record, entry) : NULL;
}

/* The lowest id that a source has next; 0 when all are done. */
static uint64_t next_family(const struct history *history, enum tier tier)
{
    uint64_t lowest = 0;
    for (uint32_t i = 0; i < history->folds[tier].count; i++) {
        const struct directory_entry *entry = entry_of(history, tier, i);
        if (entry != NULL && (lowest == 0 || entry->family < lowest))
            lowest = entry->family;
    }
    return lowest;
}

static bool family_begin(struct history *history, enum tier tier)
{
    struct fold *fold = &history->folds[tier];
    enum kind kind = 0;
    fold->family = next_family(history, tier);
    if (fold->family == 0)
        return false;
    for (uint32_t i = 0; i < fold->count; i++) {
        const struct directory_entry *entry = entry_of(history, tier, i);
        fold->sources[i].is_reading = entry != NULL && entry->family == fold->family;
        if (!fold->sources[i].is_reading)
            continue;
        struct section section;
        history_section_at(history, tier, history_record(history, tier, i),
                           fold->sources[i].entry++, &section);
        cell_reader_init(&fold->sources[i].reader, &section);
        kind = section.kind;
    }
    record_begin_section(history, tier + 1, fold->family, kind);
    return true;
}

/* ---- cells ---- */

static bool next_sequence(struct fold *fold, uint64_t *lowest)
{
    bool found = false;
    for (uint32_t i = 0; i < fold->count; i++) {
        uint64_t sequence;
        if (!fold->sources[i].is_reading)
            continue;
        fold->sources[i].is_reading = cell_peek(&fold->sources[i].reader, &sequence);
        if (!fold->sources[i].is_reading || (found && sequence >= *lowest))
            continue;
        *lowest = sequence;
        found = true;
    }
    return found;
}

static void add_up(struct fold *fold, uint64_t sequence, enum kind kind, struct tally *sum)
{
    tally_reset(sum, kind);
    for (uint32_t i = 0; i < fold->count; i++) {
        uint64_t at;
        if (fold->sources[i].is_reading && cell_peek(&fold->sources[i].reader, &at) &&
            at == sequence)
            cell_take(&fold->sources[i].reader, sum);
    }
}

/* Is there room for a cell and, behind it, the directory? Asked first: a cell that was taken must
 * be put. */
static bool has_room(struct history *history, enum tier tier)
{
    return ring_reserve(&history->tiers[tier].ring, CELL_BYTES_MAX) != NULL;
}

/* One source always comes to the end: its record was made small enough. */
static bool is_too_long(const struct history *history, enum tier tier)
{
    const struct tier_ring *to = &history->tiers[tier + 1];
    return history->folds[tier].count > 1 &&
           open_record_bytes(to) > SUM_RECORDS * to->record_bytes_max;
}

/* Nobody has read any of it: the next step begins anew, with fewer sources. */
static void give_up(struct history *history, enum tier tier)
{
    struct fold *fold = &history->folds[tier];
    struct tier_ring *to = &history->tiers[tier + 1];
    ring_take_back(&to->ring, to->open.record.begin);
    to->open.is_open = false;
    fold->most = fold->count / 2;
    fold->count = 0;
}

/*
 * Folds what the units last for, or until the sum is too long. False when the next tier must make
 * room first.
 */
static bool fold_family(struct history *history, enum tier tier, uint32_t *units)
{
    struct fold *fold = &history->folds[tier];
    enum kind kind = history->tiers[tier + 1].open.writer.kind;
    struct tally sum = {.sketch = tally_sketch_bytes(kind) > 0 ? fold->sketch : NULL};
    uint32_t cost = sum.sketch != NULL ? UNITS_SKETCH : UNITS_CELL;
    uint64_t sequence;
    while (*units > 0 && !is_too_long(history, tier)) {
        if (!next_sequence(fold, &sequence)) {
            fold->family = 0;
            return true;
        }
        if (!has_room(history, tier + 1))
            return false;
        add_up(fold, sequence, kind, &sum);
        bool put = record_put(history, tier + 1, sequence, &sum);
        ENSURE(put);
        uint32_t taken = cost * fold->count;
        *units -= taken < *units ? taken : *units;
    }
    return true;
}

/* ---- a step ---- */

/* The sum takes the sources' place. False when the next tier must make room first. */
static bool finish(struct history *history, enum tier tier)
{
    struct fold *fold = &history->folds[tier];
    if (!record_close(history, tier + 1))
        return false;
    fold->most = fold->count < FOLD_MAX / 2 ? fold->count * 2 : FOLD_MAX;
    for (; fold->count > 0; fold->count--)
        record_pop(history, tier);
    return true;
}

void fold_step(struct history *history, enum tier tier, struct store *store)
{
    struct fold *fold = &history->folds[tier];
    uint32_t units = STEP_UNITS;
    if (fold->count == 0)
        begin(history, tier);
    while (units > 0) {
        if (is_too_long(history, tier)) {
            give_up(history, tier);
            return;
        }
        bool went_on = fold->family != 0 || family_begin(history, tier)
                           ? fold_family(history, tier, &units)
                           : finish(history, tier);
        if (!went_on)
            tier_make_room(history, tier + 1, store);
        if (!went_on || fold->count == 0)
            return;
    }
}
