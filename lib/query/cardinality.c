/* cardinality.c: see cardinality.h. */
#include "query/cardinality.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "ingest/label_set.h"
#include "query/matcher.h"

#define LABEL_INDEX_NONE UINT32_MAX

/* otel_metric_overflow is the store's own, and longer than the floor of limits.label_name_bytes. */
static size_t label_name_bytes(const struct settings *settings)
{
    return settings->limits_label_name_bytes > 32 ? settings->limits_label_name_bytes : 32;
}

size_t cardinality_bytes(const struct settings *settings)
{
    return sizeof(struct cardinality) + CARDINALITY_LABELS * label_name_bytes(settings) +
           (CARDINALITY_TOP + 1) * family_name_bytes(settings) + series_text_bytes(settings);
}

struct cardinality *cardinality_make(const struct settings *settings, struct arena *arena)
{
    char *at = arena_push(arena, cardinality_bytes(settings));
    if (at == NULL)
        return NULL;
    struct cardinality *cardinality = (void *)at;
    memset(cardinality, 0, sizeof *cardinality);
    cardinality->label_name_max = label_name_bytes(settings);
    at += sizeof *cardinality;
    cardinality->text = at;
    at += series_text_bytes(settings);
    for (int i = 0; i <= CARDINALITY_TOP; i++, at += family_name_bytes(settings))
        cardinality->families[i].name = at;
    for (int i = 0; i < CARDINALITY_LABELS; i++, at += label_name_bytes(settings))
        cardinality->labels[i].name = at;
    for (int i = 0; i < CARDINALITY_BUCKETS; i++)
        cardinality->buckets[i] = LABEL_INDEX_NONE;
    return cardinality;
}

/* ---- labels ---- */

static struct bytes label_name(const struct label_count *label)
{
    return (struct bytes){label->name, label->name_length};
}

static uint32_t *bucket_of(struct cardinality *cardinality, struct bytes name, uint64_t seed)
{
    return &cardinality->buckets[hash_bytes(name, seed) % CARDINALITY_BUCKETS];
}

static struct label_count *label_find(struct cardinality *cardinality, uint32_t at,
                                      struct bytes name)
{
    for (; at != LABEL_INDEX_NONE; at = cardinality->labels[at].next) {
        if (bytes_equal(label_name(&cardinality->labels[at]), name))
            return &cardinality->labels[at];
    }
    return NULL;
}

static void label_unlink(struct cardinality *cardinality, uint32_t index, uint64_t seed)
{
    struct label_count *label = &cardinality->labels[index];
    uint32_t *link = bucket_of(cardinality, label_name(label), seed);
    while (*link != index)
        link = &cardinality->labels[*link].next;
    *link = label->next;
}

static uint64_t least_of_all(const struct cardinality *cardinality)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < CARDINALITY_LABELS; i++) {
        if (cardinality->labels[i].series < least)
            least = cardinality->labels[i].series;
    }
    return least;
}

/*
 * A label with the least count. The least only rises while the table is full, so a hand goes round
 * until it meets one; a round without is followed by a new least. Names that come once each take
 * one step, not a search of the table.
 */
static uint32_t least_label(struct cardinality *cardinality)
{
    for (;;) {
        for (int steps = 0; steps < CARDINALITY_LABELS; steps++) {
            uint32_t at = cardinality->label_hand;
            cardinality->label_hand = (at + 1) % CARDINALITY_LABELS;
            if (cardinality->labels[at].series == cardinality->label_least)
                return at;
        }
        cardinality->label_least = least_of_all(cardinality);
    }
}

/* A place for a new name, and the count it starts from: that of the one that had the place. */
static uint32_t label_place(struct cardinality *cardinality, uint64_t seed)
{
    if (cardinality->label_count < CARDINALITY_LABELS)
        return cardinality->label_count++;
    uint32_t index = least_label(cardinality);
    label_unlink(cardinality, index, seed);
    cardinality->approximate = true;
    cardinality->labels[index].error = cardinality->labels[index].series;
    return index;
}

static void count_label(struct cardinality *cardinality, struct bytes name, uint64_t seed)
{
    ENSURE(name.length <= cardinality->label_name_max);
    uint32_t *bucket = bucket_of(cardinality, name, seed);
    struct label_count *label = label_find(cardinality, *bucket, name);
    if (label == NULL) {
        uint32_t index = label_place(cardinality, seed);
        label = &cardinality->labels[index];
        memcpy(label->name, name.at, name.length);
        label->name_length = (uint32_t)name.length;
        label->next = *bucket;
        *bucket = index;
    }
    label->series++;
}

static void count_series(struct cardinality *cardinality, const struct store *store,
                         const struct series *series)
{
    struct bytes labels = series_labels(store, series, cardinality->text);
    struct label label;
    while (label_text_next(&labels, &label))
        count_label(cardinality, label.name, store->seed);
}

/*
 * The first CARDINALITY_TOP come to the front, most series first, then by name. The buckets are
 * void after that.
 */
static void order_labels(struct cardinality *cardinality)
{
    struct label_count *labels = cardinality->labels;
    for (uint32_t i = 0; i < CARDINALITY_TOP && i < cardinality->label_count; i++) {
        uint32_t best = i;
        for (uint32_t j = i + 1; j < cardinality->label_count; j++) {
            if (labels[j].series > labels[best].series ||
                (labels[j].series == labels[best].series &&
                 bytes_compare(label_name(&labels[j]), label_name(&labels[best])) < 0))
                best = j;
        }
        struct label_count swapped = labels[i];
        labels[i] = labels[best];
        labels[best] = swapped;
    }
}

/* ---- families ---- */

static bool has_more(const struct family_count *a, const struct family_count *b)
{
    return a->series > b->series || (a->series == b->series && a->overflowed > b->overflowed);
}

static void family_swap(struct family_count *a, struct family_count *b)
{
    struct family_count swapped = *a;
    *a = *b;
    *b = swapped;
}

/*
 * A family that ended and was born again in another slot is met twice: what was counted first goes.
 */
static void family_forget(struct cardinality *cardinality, struct bytes name)
{
    struct family_count *families = cardinality->families;
    for (uint32_t i = 0; i < cardinality->family_count; i++) {
        if (!bytes_equal((struct bytes){families[i].name, families[i].name_length}, name))
            continue;
        for (uint32_t at = i; at + 1 < cardinality->family_count; at++)
            family_swap(&families[at], &families[at + 1]);
        cardinality->family_count--;
        /* what is being entered stands behind the list */
        family_swap(&families[cardinality->family_count], &families[cardinality->family_count + 1]);
        return;
    }
}

/* Entered behind the list, then moved up past those that have fewer. */
static void count_family(struct cardinality *cardinality, const struct store *store,
                         const struct family *family)
{
    struct family_count *families = cardinality->families;
    struct family_count *entry = &families[cardinality->family_count];
    *entry = (struct family_count){
        .name = entry->name,
        .name_length = family->name.length,
        .series = family->series_count,
        .kind = family->kind,
        .overflowed = family->overflowed,
        .lost_bounds = family->lost_bounds,
        .recycled = family->recycled,
        .recycled_sum = family->recycled_sum,
        .recycled_count = family->recycled_count,
    };
    label_copy(&store->labels, family->name, entry->name);
    family_forget(cardinality, (struct bytes){entry->name, entry->name_length});
    uint32_t at = cardinality->family_count;
    for (; at > 0 && has_more(&families[at], &families[at - 1]); at--)
        family_swap(&families[at], &families[at - 1]);
    if (cardinality->family_count < CARDINALITY_TOP)
        cardinality->family_count++;
}

/* True when all were looked at. */
static bool count_families(struct cardinality *cardinality, const struct store *store,
                           uint32_t *slice)
{
    while (*slice > 0 && cardinality->next_family < store->families.fresh) {
        const struct family *family = store_family(store, cardinality->next_family++);
        slice_charge(slice, 1);
        if (family != NULL && (family->series_count > 0 || family->overflowed > 0))
            count_family(cardinality, store, family);
    }
    return cardinality->next_family >= store->families.fresh;
}

/* ---- all of it ---- */

static void finish(struct cardinality *cardinality, const struct store *store)
{
    order_labels(cardinality);
    cardinality->series = store->series_count;
    cardinality->series_max = store->series_max;
    cardinality->overflowed_samples = store->overflowed_samples;
    cardinality->lost_bounds = store->lost_bounds;
    cardinality->recycled_series = store->recycled_series;
    cardinality->expired_series = store->expired_series;
    cardinality->ended_series = store->ended_series;
    cardinality->ended_sum = store->ended_sum;
    cardinality->ended_count = store->ended_count;
    cardinality->deleted_series = store->deleted_series;
    cardinality->done = true;
}

bool cardinality_step(struct cardinality *cardinality, const struct store *store, uint32_t slice)
{
    const struct series *series;
    if (cardinality->done)
        return true;
    while ((series = sweep_next(&cardinality->sweep, store, &slice)) != NULL)
        count_series(cardinality, store, series);
    if (!sweep_is_done(&cardinality->sweep, store) ||
        !count_families(cardinality, store, &slice))
        return false;
    finish(cardinality, store);
    return true;
}
