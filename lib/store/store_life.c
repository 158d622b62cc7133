/* store_life.c: how families and series come to be, make room, and end. See store.h. */
#include "base/ensure.h"
#include "base/hash.h"
#include "store/classic.h"
#include "store/histogram.h"
#include "store/store.h"
#include "store/store_private.h"
#include "store/unique.h"

/*
 * Series that one new one may push out: a long label set may need the blocks of several. It bounds
 * the time under the lock; past it the sample overflows.
 */
#define RECYCLE_MAX 64

/* ---- the list of a class, newest first ---- */

static void idle_unlink(struct store *store, struct series *series, struct idle_list *list)
{
    if (series->newer != SLOT_NONE)
        series_at(store, series->newer)->older = series->older;
    else
        list->newest = series->older;
    if (series->older != SLOT_NONE)
        series_at(store, series->older)->newer = series->newer;
    else
        list->oldest = series->newer;
}

static void idle_push(struct store *store, uint32_t index, struct idle_list *list)
{
    struct series *series = series_at(store, index);
    series->newer = SLOT_NONE;
    series->older = list->newest;
    if (list->newest != SLOT_NONE)
        series_at(store, list->newest)->newer = index;
    else
        list->oldest = index;
    list->newest = index;
}

static struct idle_list *list_of(struct store *store, const struct series *series)
{
    return &store->idle[class_of(family_at(store, series->family)->kind)];
}

void series_touch(struct store *store, uint32_t index, uint32_t window)
{
    struct series *series = series_at(store, index);
    series->window = window;
    if (series->is_overflow)
        return;
    struct idle_list *list = list_of(store, series);
    idle_unlink(store, series, list);
    idle_push(store, index, list);
}

/* Where series of a class have their sketches, NULL where they have none. */
static struct slots *sketches_of(struct store *store, enum series_class class)
{
    switch (class) {
    case CLASS_HISTOGRAM:
        return &store->histograms;
    case CLASS_BUCKETS:
        return &store->buckets;
    case CLASS_SET:
        return &store->sets;
    default:
        return NULL;
    }
}

/* ---- families by id ---- */

/* An id that was never given, at the end of the list. */
static void family_enlist(struct store *store, uint32_t index)
{
    struct family *family = family_at(store, index);
    family->id = store->next_family_id++;
    family->newer = SLOT_NONE;
    family->older = store->newest_family;
    if (store->newest_family != SLOT_NONE)
        family_at(store, store->newest_family)->newer = index;
    else
        store->oldest_family = index;
    store->newest_family = index;
}

static void family_delist(struct store *store, const struct family *family)
{
    if (family->older != SLOT_NONE)
        family_at(store, family->older)->newer = family->newer;
    else
        store->oldest_family = family->newer;
    if (family->newer != SLOT_NONE)
        family_at(store, family->newer)->older = family->older;
    else
        store->newest_family = family->older;
}

/* One ordinary series more, or one less. */
static void family_count(struct store *store, struct family *family, bool more)
{
    store->vacant_families -= family_is_vacant(store, family);
    family->series_count += more ? 1 : UINT32_MAX;
    family->claimed = false;
    store->vacant_families += family_is_vacant(store, family);
}

/* ---- death ---- */

static void family_unlink(struct store *store, struct family *family, struct series *series)
{
    if (series->previous != SLOT_NONE)
        series_at(store, series->previous)->next = series->next;
    else
        family->first = series->next;
    if (series->next != SLOT_NONE)
        series_at(store, series->next)->previous = series->previous;
    else
        family->last = series->previous;
}

static void series_release(struct store *store, uint32_t index)
{
    struct series *series = series_at(store, index);
    struct family *family = family_at(store, series->family);
    if (!series->is_overflow) {
        idle_unlink(store, series, list_of(store, series));
        family_count(store, family, false);
        family->ended_sequences++;
        store->series_count--;
        uint32_t windows = (store->window - series->born) & INT32_MAX; /* as far as born goes */
        lifetimes_count(&store->lifetimes, windows * store->window_ms);
    }
    family_unlink(store, family, series);
    index_remove(&store->series_index, series->fingerprint, index);
    label_release(&store->labels, &series->labels);
    if (series->sketch != SLOT_NONE)
        slots_release(sketches_of(store, class_of(family->kind)), &series->sketch);
    slots_release(&store->series, &index);
}

bool store_family_overflowed(const struct store *store, const struct family *family)
{
    return series_at(store, family->overflow)->count > 0;
}

/*
 * What the family kept of its retired series, and its overflow series' total, go on in the store's
 * own figure.
 */
static void keep_ended(struct store *store, struct family *family)
{
    const struct series *overflow = series_at(store, family->overflow);
    store->ended_series += family->recycled;
    store->ended_sum += family->recycled_sum;
    store->ended_sum += series_total(overflow);
    store->ended_count += family->recycled_count + series_observations(overflow, family->kind);
    family->recycled = 0;
    family->recycled_sum = 0;
    family->recycled_count = 0;
}

static void family_release(struct store *store, uint32_t index)
{
    struct family *family = family_at(store, index);
    ENSURE(family->series_count == 0);
    ENSURE(!family->is_overflow);
    keep_ended(store, family);
    store->vacant_families -= family_is_vacant(store, family);
    family_delist(store, family);
    while (family->first != SLOT_NONE)
        series_release(store, family->first);
    index_remove(&store->family_index, family->name_hash, index);
    label_release(&store->labels, &family->name);
    label_release(&store->labels, &family->help);
    label_release(&store->labels, &family->unit);
    slots_release(&store->families, &index);
}

/* Does a window that is still held have a cell of it? */
static bool is_remembered(const struct store *store, const struct family *family)
{
    return family->sealed_window != 0 && family->sealed_window >= store->history_floor;
}

/* The metric ended with its last series; the family stays as long as it is remembered. */
static void family_end_if_vacant(struct store *store, uint32_t index)
{
    struct family *family = family_at(store, index);
    if (!family_is_vacant(store, family))
        return;
    if (is_remembered(store, family))
        keep_ended(store, family);
    else
        family_release(store, index);
}

bool family_give_way(struct store *store, uint32_t index)
{
    const struct family *family = family_at(store, index);
    if (!family_is_vacant(store, family) || family->claimed)
        return false;
    family_release(store, index);
    return true;
}

static void series_end(struct store *store, uint32_t index)
{
    uint32_t family = series_at(store, index)->family;
    series_release(store, index);
    family_end_if_vacant(store, family);
}

/* What was sealed of the family is known by its old id, and so no longer found. */
static void family_disown_history(struct store *store, uint32_t index)
{
    family_delist(store, family_at(store, index));
    family_enlist(store, index);
    family_at(store, index)->sealed_window = 0;
}

void store_delete(struct store *store, uint32_t series)
{
    ENSURE(slots_is_live(&store->series, series));
    if (series_at(store, series)->is_overflow)
        return; /* it belongs to its family */
    store->deleted_series++;
    family_disown_history(store, series_at(store, series)->family);
    series_end(store, series);
}

void store_forget(struct store *store, const struct sample *sample)
{
    uint32_t index = store_find_family(store, sample_name(sample));
    if (index == SLOT_NONE)
        return;
    family_at(store, index)->claimed = false;
    family_end_if_vacant(store, index);
}

/* Its total leaves the exposition; what it had come to is kept for the family. */
static void series_retire(struct store *store, uint32_t index)
{
    const struct series *series = series_at(store, index);
    struct family *family = family_at(store, series->family);
    family->recycled++;
    family->recycled_sum += series_total(series);
    family->recycled_count += series_observations(series, family->kind);
    series_end(store, index);
}

/* ---- room ---- */

static uint64_t idle_windows(const struct store *store, uint32_t index, uint32_t window)
{
    return window - series_at(store, index)->window;
}

/*
 * Has it samples that are not sealed yet? Sealing is late by seconds at most, and whoever is idle
 * for longer has none; but after a forward step of the clock everyone seems idle.
 */
static bool is_unsealed(const struct store *store, uint32_t index)
{
    return store->has_history && series_at(store, index)->open.count > 0;
}

/* What something new will take. */
struct need {
    uint32_t families;
    uint32_t series; /* ordinary ones: overflow series have slots of their own, as many as families
                        can need */
    uint32_t blocks;
    uint32_t sketches;
    enum series_class class;
};

static uint32_t lack(uint32_t wanted, uint32_t free)
{
    return wanted > free ? wanted - free : 0;
}

/* What is missing for it: nothing, when all of it is 0. */
static struct need shortage(struct store *store, const struct need *need)
{
    const struct slots *sketches = sketches_of(store, need->class);
    struct need missing = {
        .families = lack(need->families, slots_free_count(&store->families)),
        .series = store->series_count + need->series > store->series_max,
        .blocks = lack(need->blocks, store->labels.free_count),
        .class = need->class,
    };
    if (sketches != NULL)
        missing.sketches = lack(need->sketches, slots_free_count(sketches));
    return missing;
}

static bool is_nothing(const struct need *need)
{
    return (need->families | need->series | need->blocks | need->sketches) == 0;
}

static void count_refusals(struct store *store, const struct need *missing)
{
    struct ledger *ledger = store->labels.ledger;
    if (missing->families > 0)
        ledger_refuse(ledger, POOL_FAMILIES);
    if (missing->series > 0)
        ledger_refuse(ledger, POOL_SERIES);
    if (missing->blocks > 0)
        ledger_refuse(ledger, POOL_LABELS);
    if (missing->sketches > 0)
        ledger_refuse(ledger, sketches_of(store, missing->class)->pool);
}

/* Where a walk from the longest idle series on stands in each class's list. */
struct idle_walk {
    uint32_t at[CLASS_COUNT];
};

static struct idle_walk idle_walk_begin(const struct store *store)
{
    struct idle_walk walk;
    for (int class = 0; class < CLASS_COUNT; class ++)
        walk.at[class] = store->idle[class].oldest;
    return walk;
}

/*
 * The next longest idle series of a class, or of all of them (CLASS_COUNT); SLOT_NONE when none is
 * left that was idle for so many windows.
 */
static uint32_t idle_walk_next(const struct store *store, struct idle_walk *walk,
                               enum series_class wanted, uint32_t window, uint64_t idle_min)
{
    enum series_class best = CLASS_COUNT;
    for (enum series_class class = 0; class < CLASS_COUNT; class ++) {
        uint32_t at = walk->at[class];
        if (at == SLOT_NONE || (wanted != CLASS_COUNT && wanted != class))
            continue;
        if (idle_windows(store, at, window) < idle_min || is_unsealed(store, at))
            continue;
        if (best == CLASS_COUNT ||
            idle_windows(store, at, window) > idle_windows(store, walk->at[best], window))
            best = class;
    }
    if (best == CLASS_COUNT)
        return SLOT_NONE;
    uint32_t found = walk->at[best];
    walk->at[best] = series_at(store, found)->newer;
    return found;
}

/* What ending this series gives back. */
static void gain(const struct store *store, uint32_t victim, struct need *missing)
{
    const struct series *series = series_at(store, victim);
    missing->series -= missing->series > 0;
    missing->blocks = lack(missing->blocks, label_blocks_for(series->labels.length));
    if (class_of(family_at(store, series->family)->kind) == missing->class)
        missing->sketches -= missing->sketches > 0;
}

/*
 * Which series would have to go, longest idle first; 0 when even RECYCLE_MAX of them do not
 * suffice. Nothing is taken away to find that out: a refusal must not cost anyone their series.
 */
static uint32_t choose_victims(const struct store *store, struct need missing, uint32_t window,
                               uint32_t victims[static RECYCLE_MAX])
{
    struct idle_walk walk = idle_walk_begin(store);
    uint32_t count = 0;
    while (!is_nothing(&missing)) {
        enum series_class class = missing.sketches > 0 ? missing.class : CLASS_COUNT;
        /*
         * one window more: the last sample may have come at its window's end, and this one at its
         * beginning
         */
        uint32_t victim = idle_walk_next(store, &walk, class, window, store->idle_min_windows + 1);
        if (victim == SLOT_NONE || count == RECYCLE_MAX)
            return 0;
        gain(store, victim, &missing);
        victims[count++] = victim;
    }
    return count;
}

/* Families that one search looks at: those of an atomic push are vacant yet, and not to be had. */
#define EVICT_LOOKS 64

/*
 * Gives up a vacant family: the first that a hand going round meets. False when it met none. The
 * count spares the search where there is nothing to find, which is nearly always.
 */
static bool evict_family(struct store *store)
{
    if (store->vacant_families == 0)
        return false;
    for (uint32_t looks = 0; looks < EVICT_LOOKS && looks < store->families.fresh; looks++) {
        uint32_t index = store->next_family_to_evict++ % store->families.fresh;
        if (slots_is_live(&store->families, index) && family_give_way(store, index)) {
            store->evicted_families++;
            return true;
        }
    }
    return false;
}

/*
 * Makes sure that all of it fits: recycling idle series where that suffices, else evicting vacant
 * families by their rule. A refusal costs nobody a series, but it may have cost the past of metrics
 * that have ended. Families are each evicted once, series chosen at most RECYCLE_MAX at a time.
 */
static bool make_room(struct store *store, const struct need *need, uint32_t window)
{
    for (;;) {
        uint32_t victims[RECYCLE_MAX];
        struct need missing = shortage(store, need);
        if (is_nothing(&missing))
            return true;
        uint32_t count = missing.families > 0 ? 0 : choose_victims(store, missing, window, victims);
        for (uint32_t i = 0; i < count; i++)
            series_retire(store, victims[i]);
        store->recycled_series += count;
        /* an ended family has its place, texts and sketch to give, but no series */
        bool may_help = missing.series == 0 || missing.families > 0;
        if (count == 0 && !(may_help && evict_family(store))) {
            count_refusals(store, &missing);
            return false;
        }
    }
}

/* ---- birth ---- */

static uint32_t sketch_acquire(struct store *store, enum series_class class)
{
    struct slots *sketches = sketches_of(store, class);
    if (sketches == NULL)
        return SLOT_NONE;
    uint32_t sketch = slots_acquire(sketches);
    ENSURE(sketch != SLOT_NONE);
    if (class == CLASS_HISTOGRAM)
        histogram_init(slots_at(sketches, sketch));
    else if (class == CLASS_BUCKETS)
        classic_init(slots_at(sketches, sketch));
    else
        unique_init(slots_at(sketches, sketch));
    return sketch;
}

static void family_link(struct store *store, struct family *family, uint32_t index)
{
    struct series *series = series_at(store, index);
    series->sequence = family->next_sequence++;
    series->next = SLOT_NONE;
    series->previous = family->last;
    if (family->last != SLOT_NONE)
        series_at(store, family->last)->next = index;
    else
        family->first = index;
    family->last = index;
}

/* There is room: make_room said so. */
static uint32_t series_place(struct store *store, uint32_t family_index, struct bytes labels,
                             uint64_t fingerprint, uint32_t window)
{
    struct family *family = family_at(store, family_index);
    uint32_t index = slots_acquire(&store->series);
    ENSURE(index != SLOT_NONE);
    struct series *series = series_at(store, index);
    *series = (struct series){
        .fingerprint = fingerprint,
        .family = family_index,
        .window = window,
        .born = window & INT32_MAX,
        .sketch = sketch_acquire(store, class_of(family->kind)),
        .newer = SLOT_NONE,
        .older = SLOT_NONE,
    };
    bool fitted = label_acquire(&store->labels, labels, &series->labels);
    ENSURE(fitted);
    family_link(store, family, index);
    index_insert(&store->series_index, fingerprint, index);
    return index;
}

uint32_t series_birth(struct store *store, uint32_t family, const struct sample *sample,
                      uint32_t window)
{
    enum series_class class = class_of(sample->kind);
    struct need need = {
        .series = 1,
        .blocks = label_blocks_for(sample->labels_length),
        .sketches = class != CLASS_PLAIN,
        .class = class,
    };
    /*
     * Counted first: the family cannot end while its last idle series makes room for the new one.
     */
    family_count(store, family_at(store, family), true);
    if (!make_room(store, &need, window)) {
        family_count(store, family_at(store, family), false);
        return SLOT_NONE;
    }
    uint32_t index =
        series_place(store, family, sample_labels(sample), sample->fingerprint, window);
    idle_push(store, index, &store->idle[class]);
    store->series_count++;
    store->created_series++;
    return index;
}

static void place_overflow(struct store *store, uint32_t index, struct bytes name, uint32_t window)
{
    struct bytes labels = BYTES(OVERFLOW_LABELS);
    uint64_t fingerprint = hash_series(name, labels, store->seed);
    uint32_t series = series_place(store, index, labels, fingerprint, window);
    series_at(store, series)->is_overflow = true;
    family_at(store, index)->overflow = series;
}

static struct need family_need(struct bytes name, enum kind kind)
{
    return (struct need){
        .families = 1,
        .blocks = label_blocks_for(name.length) + label_blocks_for(sizeof OVERFLOW_LABELS - 1),
        .class = class_of(kind),
        .sketches = class_of(kind) != CLASS_PLAIN,
    };
}

uint32_t family_birth(struct store *store, struct bytes name, enum kind kind, uint32_t window,
                      bool recycle)
{
    struct need need = family_need(name, kind);
    struct need missing = shortage(store, &need);
    if (!is_nothing(&missing) && !(recycle && make_room(store, &need, window)))
        return SLOT_NONE;
    uint32_t index = slots_acquire(&store->families);
    ENSURE(index != SLOT_NONE);
    struct family *family = family_at(store, index);
    *family = (struct family){
        .name_hash = hash_bytes(name, store->seed),
        .help = {.first = LABEL_NONE},
        .unit = {.first = LABEL_NONE},
        .first = SLOT_NONE,
        .last = SLOT_NONE,
        .kind = (uint8_t)kind,
    };
    bool fitted = label_acquire(&store->labels, name, &family->name);
    ENSURE(fitted);
    index_insert(&store->family_index, family->name_hash, index);
    place_overflow(store, index, name, window);
    family_enlist(store, index);
    store->vacant_families++;
    return index;
}

void overflow_families_init(struct store *store)
{
    static const char *const names[KIND_COUNT] = {
        [KIND_COUNTER] = "mayfly_overflow_total",
        [KIND_GAUGE] = "mayfly_overflow_gauge",
        [KIND_HISTOGRAM] = "mayfly_overflow_histogram",
        [KIND_SET] = "mayfly_overflow_set",
        [KIND_CLASSIC] = "mayfly_overflow_classic_histogram",
        [KIND_SUMMARY] = "mayfly_overflow_summary",
    };
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        uint32_t index = family_birth(store, bytes_of(names[kind]), kind, store->window, false);
        ENSURE(index != SLOT_NONE); /* the floors of the settings leave room for these */
        family_at(store, index)->is_overflow = true;
        store->overflow_family[kind] = index;
    }
    store->vacant_families = 0; /* these are not */
}

/* ---- families by name ---- */

uint32_t store_find_family(const struct store *store, struct bytes name)
{
    uint64_t hash = hash_bytes(name, store->seed);
    uint64_t at = index_home(&store->family_index, index_tag(hash));
    uint32_t slot;
    while ((slot = index_next(&store->family_index, hash, &at)) != SLOT_NONE) {
        if (label_equal(&store->labels, family_at(store, slot)->name, name))
            return slot;
    }
    return SLOT_NONE;
}

/* In an exposition these kinds take names beside their own. */
static bool takes_suffix(enum kind kind, enum part part)
{
    if (kind == KIND_SUMMARY)
        return part != PART_BUCKET;
    return kind == KIND_CLASSIC || kind == KIND_HISTOGRAM;
}

static uint32_t find_part(const struct store *store, struct bytes name, enum part part)
{
    char text[PART_NAME_BYTES];
    return store_find_family(store, part_name(name, part, text));
}

/* The family that this name is a part of, as far as its kind has such parts. */
static uint32_t find_whole(const struct store *store, struct bytes name, enum part part)
{
    struct bytes suffix = part_suffix(part);
    if (!bytes_end_with(name, suffix))
        return SLOT_NONE;
    uint32_t whole = store_find_family(store, (struct bytes){name.at, name.length - suffix.length});
    if (whole == SLOT_NONE || !takes_suffix(family_at(store, whole)->kind, part))
        return SLOT_NONE;
    return whole;
}

uint32_t family_clashing(const struct store *store, struct bytes name, enum kind kind)
{
    for (enum part part = PART_BUCKET; part < PART_KINDS; part++) {
        uint32_t other = takes_suffix(kind, part) ? find_part(store, name, part) : SLOT_NONE;
        if (other == SLOT_NONE)
            other = find_whole(store, name, part);
        if (other != SLOT_NONE)
            return other;
    }
    return SLOT_NONE;
}

/* ---- what a family says of itself ---- */

static void replace_text(struct store *store, struct label_text *text, struct bytes with)
{
    if (with.length == 0 || label_equal(&store->labels, *text, with))
        return;
    if (label_blocks_for(with.length) > store->labels.free_count + label_blocks_for(text->length))
        return; /* a text for people never costs a series its room */
    label_release(&store->labels, text);
    bool fitted = label_acquire(&store->labels, with, text);
    ENSURE(fitted);
}

void family_describe(struct store *store, uint32_t index, const struct declaration *declaration)
{
    struct family *family = family_at(store, index);
    replace_text(store, &family->help, declaration->help);
    replace_text(store, &family->unit, declaration->unit);
}

/* ---- time ---- */

/*
 * One family a tick is looked at: without series it goes once no window has a cell of it, and its
 * overflow series took nothing for series.expire_after; that one's total goes with it.
 */
static void expire_one_family(struct store *store, uint32_t window)
{
    uint32_t index = store->next_family_to_expire++ % store->families.fresh;
    if (!slots_is_live(&store->families, index))
        return;
    const struct family *family = family_at(store, index);
    if (family->series_count > 0 || family->is_overflow || is_remembered(store, family))
        return;
    if (store_family_overflowed(store, family) &&
        (idle_windows(store, family->overflow, window) <= store->expire_windows ||
         is_unsealed(store, family->overflow)))
        return;
    family_release(store, index);
}

uint32_t store_expire(struct store *store, int64_t now_ms, uint32_t most)
{
    uint32_t window = window_advance(store, now_ms);
    uint32_t expired = 0;
    expire_one_family(store, window);
    while (expired < most) {
        struct idle_walk walk = idle_walk_begin(store);
        uint32_t oldest =
            idle_walk_next(store, &walk, CLASS_COUNT, window, store->expire_windows + 1);
        if (oldest == SLOT_NONE)
            break;
        store->expired_series++;
        expired++;
        series_retire(store, oldest);
    }
    return expired;
}

/* ---- verification ---- */

static void verify_grid(const struct histogram *histogram, uint64_t count)
{
    uint64_t sum = 0;
    for (int i = 0; i <= HISTOGRAM_GRID_BOUNDS; i++)
        sum += histogram->grid[i];
    ENSURE(sum == count);
    exp_histogram_verify(&histogram->open);
}

static void verify_buckets(const struct classic *classic, double observed)
{
    ENSURE(classic->bound_count <= CHILD_BOUNDS_MAX);
    for (uint32_t i = 0; i < classic->bound_count; i++) {
        bool is_last = i + 1 == classic->bound_count;
        ENSURE(is_last || classic->bounds[i] < classic->bounds[i + 1]);
        ENSURE(classic->totals[i] <= (is_last ? observed : classic->totals[i + 1]));
        ENSURE(classic->open[i] <= classic->totals[i]);
    }
}

static void verify_sketch(const struct store *store, const struct series *series, enum kind kind)
{
    ENSURE((series->sketch == SLOT_NONE) == (class_of(kind) == CLASS_PLAIN));
    if (kind == KIND_HISTOGRAM)
        verify_grid(store_histogram(store, series), series->count);
    else if (kind == KIND_CLASSIC)
        verify_buckets(store_classic(store, series), series->observed);
}

static void verify_family(const struct store *store, uint32_t index)
{
    const struct family *family = family_at(store, index);
    uint32_t series_count = 0;
    uint64_t sequence = 0;
    for (uint32_t at = family->first; at != SLOT_NONE; at = series_at(store, at)->next) {
        const struct series *series = series_at(store, at);
        ENSURE(slots_is_live(&store->series, at));
        ENSURE(series->family == index);
        verify_sketch(store, series, family->kind);
        ENSURE(at == family->first || series->sequence > sequence);
        sequence = series->sequence;
        series_count += !series->is_overflow;
    }
    ENSURE(series_count == family->series_count);
    ENSURE(series_at(store, family->overflow)->is_overflow);
    ENSURE(series_at(store, family->overflow)->family == index);
}

/* Returns how many there are. */
static uint32_t verify_family_list(const struct store *store)
{
    uint32_t count = 0;
    uint32_t older = SLOT_NONE;
    for (uint32_t at = store->oldest_family; at != SLOT_NONE; at = family_at(store, at)->newer) {
        const struct family *family = family_at(store, at);
        ENSURE(slots_is_live(&store->families, at));
        ENSURE(family->older == older);
        ENSURE(older == SLOT_NONE || family_at(store, older)->id < family->id);
        ENSURE(family->id < store->next_family_id);
        older = at;
        count++;
    }
    ENSURE(store->newest_family == older);
    return count;
}

static uint32_t verify_list(const struct store *store, enum series_class class)
{
    uint32_t count = 0;
    uint32_t newer = SLOT_NONE;
    for (uint32_t at = store->idle[class].newest; at != SLOT_NONE;
         at = series_at(store, at)->older) {
        const struct series *series = series_at(store, at);
        ENSURE(series->newer == newer);
        ENSURE(newer == SLOT_NONE || series_at(store, newer)->window >= series->window);
        newer = at;
        count++;
    }
    ENSURE(store->idle[class].oldest == newer);
    return count;
}

void store_verify(const struct store *store)
{
    slots_verify(&store->families);
    slots_verify(&store->series);
    slots_verify(&store->histograms);
    slots_verify(&store->buckets);
    slots_verify(&store->sets);
    ENSURE(verify_family_list(store) == store->families.live_count);
    uint32_t vacant = 0;
    uint32_t ordinary = 0;
    for (uint32_t index = 0; index < store->families.fresh; index++) {
        if (!slots_is_live(&store->families, index))
            continue;
        verify_family(store, index);
        ordinary += family_at(store, index)->series_count;
        vacant += family_is_vacant(store, family_at(store, index));
    }
    ENSURE(vacant == store->vacant_families);
    uint32_t listed = 0;
    for (enum series_class class = 0; class < CLASS_COUNT; class ++)
        listed += verify_list(store, class);
    ENSURE(listed == ordinary);
    ENSURE(store->series_count == ordinary);
    ENSURE(ordinary <= store->series_max);
    ENSURE(store->series_index.live_count == store->series.live_count);
    ENSURE(store->family_index.live_count == store->families.live_count);
    ENSURE(label_blocks_held(&store->labels) ==
           store->labels.block_count - store->labels.free_count);
}
