/* store_life.c: how families and series come to be, make room, and end. See store.h. */
#include "base/ensure.h"
#include "base/hash.h"
#include "store/exp_histogram.h"
#include "store/hyperloglog.h"
#include "store/store.h"
#include "store/store_private.h"

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

/* ---- death ---- */

static void sketch_release(struct store *store, struct series *series, enum kind kind)
{
    if (series->sketch != SLOT_NONE)
        slots_release(kind == KIND_HISTOGRAM ? &store->histograms : &store->sets, &series->sketch);
}

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
        family->series_count--;
        store->series_count--;
    }
    family_unlink(store, family, series);
    index_remove(&store->series_index, series->fingerprint, index);
    label_release(&store->labels, &series->labels);
    sketch_release(store, series, family->kind);
    slots_release(&store->series, &index);
}

bool store_family_overflowed(const struct store *store, const struct family *family)
{
    for (int i = 0; i < FAMILY_OVERFLOWS; i++) {
        if (family->overflow[i] != SLOT_NONE && series_at(store, family->overflow[i])->count > 0)
            return true;
    }
    return false;
}

/*
 * What is added up of a retired series: of a composite the sum alone, or buckets and counts would
 * be mixed in.
 */
static double retired_sum(const struct series *series)
{
    bool counts = series->part == PART_BUCKET || series->part == PART_COUNT;
    return counts ? 0 : series_total(series);
}

/*
 * What the family kept of its retired series, and its overflow series' totals, go on in the store's
 * own figure.
 */
static void keep_ended(struct store *store, const struct family *family)
{
    store->ended_series += family->recycled;
    store->ended_sum += family->recycled_sum;
    for (int i = 0; i < FAMILY_OVERFLOWS; i++) {
        if (family->overflow[i] != SLOT_NONE)
            store->ended_sum += retired_sum(series_at(store, family->overflow[i]));
    }
}

static void family_release(struct store *store, uint32_t index)
{
    struct family *family = family_at(store, index);
    ENSURE(family->series_count == 0);
    ENSURE(!family->is_overflow);
    keep_ended(store, family);
    while (family->first != SLOT_NONE)
        series_release(store, family->first);
    index_remove(&store->family_index, family->name_hash, index);
    label_release(&store->labels, &family->name);
    label_release(&store->labels, &family->help);
    label_release(&store->labels, &family->unit);
    slots_release(&store->families, &index);
}

/* A family goes with its last series, unless its overflow series holds a total. */
static void family_release_if_empty(struct store *store, uint32_t index)
{
    const struct family *family = family_at(store, index);
    if (family->series_count == 0 && !family->is_overflow &&
        !store_family_overflowed(store, family))
        family_release(store, index);
}

static void series_end(struct store *store, uint32_t index)
{
    uint32_t family = series_at(store, index)->family;
    series_release(store, index);
    family_release_if_empty(store, family);
}

void store_delete(struct store *store, uint32_t series)
{
    ENSURE(slots_is_live(&store->series, series));
    if (series_at(store, series)->is_overflow)
        return; /* it belongs to its family */
    store->deleted_series++;
    series_end(store, series);
}

void store_forget(struct store *store, const struct sample *sample)
{
    uint32_t index = store_find_family(store, sample_family(sample));
    if (index != SLOT_NONE)
        family_release_if_empty(store, index);
}

/* Its total leaves the exposition; what it had come to is kept for the family. */
static void series_retire(struct store *store, uint32_t index)
{
    const struct series *series = series_at(store, index);
    struct family *family = family_at(store, series->family);
    family->recycled++;
    family->recycled_sum += retired_sum(series);
    series_end(store, index);
}

/* ---- room ---- */

static uint64_t idle_windows(const struct store *store, uint32_t index, uint32_t window)
{
    return window - series_at(store, index)->window;
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
static struct need shortage(const struct store *store, const struct need *need)
{
    struct need missing = {
        .families = lack(need->families, slots_free_count(&store->families)),
        .series = store->series_count + need->series > store->series_max,
        .blocks = lack(need->blocks, store->labels.free_count),
        .class = need->class,
    };
    if (need->class == CLASS_HISTOGRAM)
        missing.sketches = lack(need->sketches, slots_free_count(&store->histograms));
    if (need->class == CLASS_SET)
        missing.sketches = lack(need->sketches, slots_free_count(&store->sets));
    return missing;
}

static bool is_nothing(const struct need *need)
{
    return (need->families | need->series | need->blocks | need->sketches) == 0;
}

static void count_refusals(const struct store *store, const struct need *missing)
{
    struct ledger *ledger = store->labels.ledger;
    if (missing->families > 0)
        ledger_refuse(ledger, POOL_FAMILIES);
    if (missing->series > 0)
        ledger_refuse(ledger, POOL_SERIES);
    if (missing->blocks > 0)
        ledger_refuse(ledger, POOL_LABELS);
    if (missing->sketches > 0)
        ledger_refuse(ledger, missing->class == CLASS_SET ? POOL_SETS : POOL_HISTOGRAMS);
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
        if (idle_windows(store, at, window) < idle_min)
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

/* Makes sure that all of it fits, recycling idle series where that suffices. */
static bool make_room(struct store *store, const struct need *need, uint32_t window)
{
    uint32_t victims[RECYCLE_MAX];
    struct need missing = shortage(store, need);
    if (is_nothing(&missing))
        return true;
    uint32_t count =
        missing.families > 0 ? 0 : choose_victims(store, missing, window, victims);
    if (count == 0) {
        count_refusals(store, &missing);
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        series_retire(store, victims[i]);
    store->recycled_series += count;
    missing = shortage(store, need);
    ENSURE(is_nothing(&missing));
    return true;
}

/* ---- birth ---- */

static uint32_t sketch_acquire(struct store *store, enum kind kind)
{
    uint32_t sketch = SLOT_NONE;
    if (kind == KIND_HISTOGRAM) {
        sketch = slots_acquire(&store->histograms);
        exp_histogram_init(slots_at(&store->histograms, sketch));
    } else if (kind == KIND_SET) {
        sketch = slots_acquire(&store->sets);
        hyperloglog_init(slots_at(&store->sets, sketch));
    }
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
static uint32_t series_place(struct store *store, uint32_t family_index, enum part part,
                             struct bytes labels, uint64_t fingerprint, uint32_t window)
{
    struct family *family = family_at(store, family_index);
    uint32_t index = slots_acquire(&store->series);
    ENSURE(index != SLOT_NONE);
    struct series *series = series_at(store, index);
    *series = (struct series){
        .fingerprint = fingerprint,
        .family = family_index,
        .part = (uint8_t)part,
        .window = window,
        .sketch = sketch_acquire(store, family->kind),
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
    family_at(store, family)->series_count++;
    if (!make_room(store, &need, window)) {
        family_at(store, family)->series_count--;
        return SLOT_NONE;
    }
    uint32_t index = series_place(store, family, sample->part, sample_labels(sample),
                                  sample->fingerprint, window);
    idle_push(store, index, &store->idle[class]);
    store->series_count++;
    store->created_series++;
    return index;
}

/* The parts whose overflow series a family of that kind is born with. */
static void overflow_parts(enum kind kind, enum part *first, enum part *last)
{
    *first = *last = PART_VALUE;
    if (kind == KIND_CLASSIC || kind == KIND_SUMMARY) {
        *first = kind == KIND_CLASSIC ? PART_BUCKET : PART_SUM;
        *last = PART_COUNT;
    }
}

/*
 * Of a classic histogram only the +Inf bucket overflows as a bucket: bounds that not all children
 * share cannot be kept exactly, and the clients' bounds are without end.
 */
static struct bytes overflow_labels(enum part part)
{
    return part == PART_BUCKET ? BYTES("le=\"+Inf\"," OVERFLOW_LABELS) : BYTES(OVERFLOW_LABELS);
}

/* `name` is the family's; the part's suffix is hashed behind it, as it would stand in a sample. */
static uint64_t part_fingerprint(struct bytes name, enum part part, struct bytes labels,
                                 uint64_t seed)
{
    char text[PART_NAME_BYTES];
    return hash_series(part_name(name, part, text), labels, seed);
}

static void place_overflows(struct store *store, uint32_t index, struct bytes name, uint32_t window)
{
    struct family *family = family_at(store, index);
    enum part first, last;
    overflow_parts(family->kind, &first, &last);
    for (int i = 0; i < FAMILY_OVERFLOWS; i++)
        family->overflow[i] = SLOT_NONE;
    for (enum part part = first; part <= last; part++) {
        struct bytes labels = overflow_labels(part);
        uint64_t fingerprint = part_fingerprint(name, part, labels, store->seed);
        uint32_t series = series_place(store, index, part, labels, fingerprint, window);
        series_at(store, series)->is_overflow = true;
        family->overflow[part == PART_VALUE ? 0 : part - PART_BUCKET] = series;
    }
}

static struct need family_need(struct bytes name, enum kind kind)
{
    enum part first, last;
    overflow_parts(kind, &first, &last);
    struct need need = {.families = 1, .class = class_of(kind)};
    need.sketches = need.class != CLASS_PLAIN;
    need.blocks = label_blocks_for(name.length);
    for (enum part part = first; part <= last; part++)
        need.blocks += label_blocks_for(overflow_labels(part).length);
    return need;
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
    place_overflows(store, index, name, window);
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
        uint32_t index = family_birth(store, bytes_of(names[kind]), kind, 0, false);
        ENSURE(index != SLOT_NONE); /* the floors of the settings leave room for these */
        family_at(store, index)->is_overflow = true;
        store->overflow_family[kind] = index;
    }
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

static bool family_exists_with(const struct store *store, struct bytes name, enum part part)
{
    char text[PART_NAME_BYTES];
    return store_find_family(store, part_name(name, part, text)) != SLOT_NONE;
}

bool family_clashes(const struct store *store, struct bytes name, enum kind kind)
{
    for (enum part part = PART_BUCKET; part < PART_KINDS; part++) {
        if (takes_suffix(kind, part) && family_exists_with(store, name, part))
            return true;
        struct bytes suffix = part_suffix(part);
        if (!bytes_end_with(name, suffix))
            continue;
        uint32_t base =
            store_find_family(store, (struct bytes){name.at, name.length - suffix.length});
        if (base != SLOT_NONE && takes_suffix(family_at(store, base)->kind, part))
            return true;
    }
    return false;
}

/* ---- what a family says of itself ---- */

static void replace_text(struct store *store, struct label_text *text, struct bytes with)
{
    if (with.length == 0 || label_equal(&store->labels, *text, with))
        return;
    if (label_blocks_for(with.length) >
        store->labels.free_count + label_blocks_for(text->length))
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
 * A family without series whose overflow series took nothing for series.expire_after goes, and its
 * total with it.
 */
static void expire_one_family(struct store *store, uint32_t window)
{
    if (store->families.fresh == 0)
        return;
    uint32_t index = store->next_family_to_expire++ % store->families.fresh;
    if (!slots_is_live(&store->families, index))
        return;
    struct family *family = family_at(store, index);
    if (family->series_count > 0 || family->is_overflow)
        return;
    for (int i = 0; i < FAMILY_OVERFLOWS; i++) {
        uint32_t overflow = family->overflow[i];
        if (overflow != SLOT_NONE && idle_windows(store, overflow, window) <= store->expire_windows)
            return;
    }
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

static void verify_family(const struct store *store, uint32_t index)
{
    const struct family *family = family_at(store, index);
    uint32_t series_count = 0;
    uint64_t sequence = 0;
    for (uint32_t at = family->first; at != SLOT_NONE; at = series_at(store, at)->next) {
        const struct series *series = series_at(store, at);
        ENSURE(slots_is_live(&store->series, at));
        ENSURE(series->family == index);
        ENSURE(at == family->first || series->sequence > sequence);
        sequence = series->sequence;
        series_count += !series->is_overflow;
    }
    ENSURE(series_count == family->series_count);
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
    slots_verify(&store->sets);
    uint32_t ordinary = 0;
    for (uint32_t index = 0; index < store->families.fresh; index++) {
        if (!slots_is_live(&store->families, index))
            continue;
        verify_family(store, index);
        ordinary += family_at(store, index)->series_count;
    }
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
