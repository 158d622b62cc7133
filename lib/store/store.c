/* store.c: samples into totals. See store.h; birth, room and death are in store_life.c. */
#include "store/store.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "ingest/label_set.h"
#include "store/exp_histogram.h"
#include "store/hyperloglog.h"
#include "store/store_private.h"

#include <math.h>

/*
 * What a store of these settings has at most: series beside the overflow series that families are
 * born with.
 */
static uint64_t series_slots(const struct settings *settings)
{
    return settings->series_max + (settings->limits_families + KIND_COUNT) * FAMILY_OVERFLOWS;
}

static uint64_t family_slots(const struct settings *settings)
{
    return settings->limits_families + KIND_COUNT;
}

static uint64_t label_block_count(const struct settings *settings)
{
    return settings->series_label_bytes / sizeof(struct label_block);
}

void store_plan(const struct settings *settings, uint64_t pools[static POOL_COUNT])
{
    uint64_t families = family_slots(settings);
    uint64_t series = series_slots(settings);
    pools[POOL_FAMILIES] = slots_bytes(sizeof(struct family), families);
    pools[POOL_SERIES] = slots_bytes(sizeof(struct series), series);
    pools[POOL_INDEX] = index_bytes(series) + index_bytes(families);
    pools[POOL_LABELS] = label_blocks_bytes(label_block_count(settings));
    pools[POOL_HISTOGRAMS] = slots_bytes(sizeof(struct exp_histogram), settings->histograms_max);
    pools[POOL_SETS] = slots_bytes(sizeof(struct hyperloglog), settings->sets_max);
}

static void init_pools(struct store *store, const struct settings *settings, struct ledger *ledger,
                       struct region *region)
{
    uint32_t families = (uint32_t)family_slots(settings);
    uint32_t series = (uint32_t)series_slots(settings);
    slots_init(&store->families, sizeof(struct family), families, POOL_FAMILIES, ledger, region);
    slots_init(&store->series, sizeof(struct series), series, POOL_SERIES, ledger, region);
    slots_init(&store->histograms, sizeof(struct exp_histogram), (uint32_t)settings->histograms_max,
               POOL_HISTOGRAMS, ledger, region);
    slots_init(&store->sets, sizeof(struct hyperloglog), (uint32_t)settings->sets_max, POOL_SETS,
               ledger, region);
    label_blocks_init(&store->labels, (uint32_t)label_block_count(settings), ledger, region);
    index_init(&store->series_index, series, ledger, region);
    index_init(&store->family_index, families, ledger, region);
}

void store_init(struct store *store, const struct settings *settings, uint64_t seed,
                int64_t start_ms, struct ledger *ledger, struct region *region)
{
    memset(store, 0, sizeof *store);
    store->seed = seed;
    store->start_ms = start_ms;
    store->series_max = settings->series_max;
    store->idle_min_windows = (settings->series_idle_min + WINDOW_MS - 1) / WINDOW_MS;
    store->expire_windows = (settings->series_expire_after + WINDOW_MS - 1) / WINDOW_MS;
    for (int class = 0; class < CLASS_COUNT; class ++)
        store->idle[class] = (struct idle_list){SLOT_NONE, SLOT_NONE};
    init_pools(store, settings, ledger, region);
    overflow_families_init(store);
}

/* ---- finding ---- */

static bool is_named(const struct store *store, const struct series *series, struct bytes name)
{
    const struct family *family = family_at(store, series->family);
    struct bytes suffix = part_suffix(series->part);
    if (family->name.length + suffix.length != name.length)
        return false;
    struct bytes head = {name.at, family->name.length};
    struct bytes tail = {name.at + head.length, suffix.length};
    return bytes_equal(tail, suffix) && label_equal(&store->labels, family->name, head);
}

static uint32_t series_find(const struct store *store, const struct sample *sample)
{
    const struct index *index = &store->series_index;
    uint64_t at = index_home(index, index_tag(sample->fingerprint));
    uint32_t slot;
    while ((slot = index_next(index, sample->fingerprint, &at)) != SLOT_NONE) {
        const struct series *series = series_at(store, slot);
        if (series->fingerprint == sample->fingerprint &&
            label_equal(&store->labels, series->labels, sample_labels(sample)) &&
            is_named(store, series, sample_name(sample)))
            return slot;
    }
    return SLOT_NONE;
}

void store_prefetch_index(const struct store *store, const struct sample *sample)
{
    index_prefetch(&store->series_index, sample->fingerprint);
}

void store_prefetch_series(const struct store *store, const struct sample *sample)
{
    const struct index *index = &store->series_index;
    uint64_t at = index_home(index, index_tag(sample->fingerprint));
    uint32_t slot = index_next(index, sample->fingerprint, &at);
    if (slot == SLOT_NONE)
        return;
    const char *series = slots_at(&store->series, slot);
    __builtin_prefetch(series);
    __builtin_prefetch(series + sizeof(struct series) - 1, 1);
}

/* ---- adding ---- */

/*
 * Neumaier's variant of compensated summation: totals of years of small increments stay exact to
 * the last digits.
 */
static void add_value(struct series *series, double value)
{
    double sum = series->sum + value;
    if (fabs(series->sum) >= fabs(value))
        series->carry += (series->sum - sum) + value;
    else
        series->carry += (value - sum) + series->sum;
    series->sum = sum;
}

/*
 * A total that leaves the range of a double would be infinite, and NaN with the next compensation:
 * it stays at its last value, and the sample is counted. The total is looked at and not the sum
 * alone: what the additions lost may be what takes it over.
 */
static void add_checked(struct store *store, struct series *series, double value)
{
    double sum = series->sum;
    double carry = series->carry;
    add_value(series, value);
    if (isfinite(series_total(series)))
        return;
    series->sum = sum;
    series->carry = carry;
    store->saturated_samples++;
}

static int64_t sample_time(const struct sample *sample, int64_t now_ms)
{
    bool stamped = sample->timestamp_ms != TIMESTAMP_NONE && sample->timestamp_ms < now_ms;
    return stamped ? sample->timestamp_ms : now_ms; /* a time ahead of the clock counts as now */
}

static void series_add(struct store *store, struct series *series, enum kind kind,
                       const struct sample *sample, int64_t now_ms)
{
    int64_t time_ms = sample_time(sample, now_ms);
    int64_t open_ms = store->start_ms + (int64_t)store->window * WINDOW_MS;
    if (sample->timestamp_ms != TIMESTAMP_NONE && time_ms < open_ms)
        store->late_samples++;
    series->count++;
    switch (kind) {
    case KIND_GAUGE:
        if (series->count == 1 || time_ms >= series->last_ms) {
            series->last = sample->value;
            series->last_ms = time_ms;
        }
        break;
    case KIND_HISTOGRAM:
        store->histogram_downscales +=
            exp_histogram_observe(slots_at(&store->histograms, series->sketch), sample->value);
        add_checked(store, series, sample->value);
        break;
    case KIND_SET:
        hyperloglog_add(slots_at(&store->sets, series->sketch), sample->member);
        break;
    default:
        add_checked(store, series, sample->value);
    }
}

static const char *conflict_with(enum kind kind)
{
    static const char *const texts[KIND_COUNT] = {
        [KIND_COUNTER] = "it is a counter",
        [KIND_GAUGE] = "it is a gauge",
        [KIND_HISTOGRAM] = "it is a histogram of pushed values",
        [KIND_SET] = "it is a set",
        [KIND_CLASSIC] = "it is a histogram pushed as buckets",
        [KIND_SUMMARY] = "it is a summary",
    };
    return texts[kind];
}

/*
 * The family a sample belongs to, made where it is new; the overflow family of its kind where there
 * is no room.
 */
static enum status family_for(struct store *store, const struct sample *sample, uint32_t window,
                              bool recycle, uint32_t *out, struct store_outcome *outcome)
{
    struct bytes name = sample_family(sample);
    uint32_t family = store_find_family(store, name);
    if (family != SLOT_NONE) {
        enum kind kind = family_at(store, family)->kind;
        *out = family;
        outcome->conflict = conflict_with(kind);
        return kind == sample->kind ? STATUS_OK : STATUS_KIND_CONFLICT;
    }
    if (family_clashes(store, name, sample->kind)) {
        outcome->conflict = "the name stands for a part of a histogram or summary";
        return STATUS_KIND_CONFLICT;
    }
    family = family_birth(store, name, sample->kind, window, recycle);
    *out = family != SLOT_NONE ? family : store->overflow_family[sample->kind];
    return STATUS_OK;
}

/* A series for a sample that has none yet: a new one, or the family's overflow series. */
static enum status series_for(struct store *store, const struct sample *sample, uint32_t window,
                              uint32_t *out, struct store_outcome *outcome)
{
    uint32_t family = SLOT_NONE;
    enum status status = family_for(store, sample, window, true, &family, outcome);
    if (status != STATUS_OK)
        return status;
    /* A new family brings its overflow series along, and the sample may be of one of these. */
    *out = series_find(store, sample);
    if (*out != SLOT_NONE)
        return STATUS_OK;
    if (!family_at(store, family)->is_overflow)
        *out = series_birth(store, family, sample, window);
    if (*out == SLOT_NONE)
        *out = family_overflow(family_at(store, family), sample->part);
    return STATUS_OK;
}

/*
 * A bucket that overflows is kept only if its bound is one that all children share, which +Inf
 * alone is.
 */
static bool is_folded(const struct series *series, const struct sample *sample)
{
    struct bytes text = sample_labels(sample);
    struct label label;
    if (!series->is_overflow || sample->part != PART_BUCKET)
        return false;
    while (label_text_next(&text, &label)) {
        if (bytes_equal(label.name, BYTES("le")))
            return !bytes_equal(label.value, BYTES("+Inf"));
    }
    return true;
}

static void count_overflow(struct store *store, struct family *family)
{
    family->overflowed++;
    store->overflowed_samples++;
    if (family->is_overflow)
        store->overflowed_families++;
}

static void apply_to(struct store *store, uint32_t slot, const struct sample *sample,
                     int64_t now_ms, struct store_outcome *outcome)
{
    struct series *series = series_at(store, slot);
    struct family *family = family_at(store, series->family);
    uint32_t window = window_advance(store, now_ms);
    if (series->window != window)
        series_touch(store, slot, window);
    if (sample->declaration != NULL && !family->is_overflow)
        family_describe(store, series->family, sample->declaration);
    outcome->overflowed = series->is_overflow;
    if (series->is_overflow)
        count_overflow(store, family);
    if (!is_folded(series, sample))
        series_add(store, series, family->kind, sample, now_ms);
}

enum status store_apply(struct store *store, const struct sample *sample, int64_t now_ms,
                        struct store_outcome *outcome)
{
    uint32_t slot = series_find(store, sample);
    if (slot == SLOT_NONE) {
        uint32_t window = window_advance(store, now_ms);
        enum status status = series_for(store, sample, window, &slot, outcome);
        if (status != STATUS_OK)
            return status;
    }
    const struct series *series = series_at(store, slot);
    enum kind kind = family_at(store, series->family)->kind;
    if (kind != sample->kind || series->part != sample->part) {
        outcome->conflict = conflict_with(kind);
        return STATUS_KIND_CONFLICT;
    }
    apply_to(store, slot, sample, now_ms, outcome);
    return STATUS_OK;
}

void store_overflow(struct store *store, const struct sample *sample, int64_t now_ms)
{
    struct store_outcome outcome = {0};
    const struct family *family = family_at(store, store->overflow_family[sample->kind]);
    apply_to(store, family_overflow(family, sample->part), sample, now_ms, &outcome);
}

enum status store_admit(struct store *store, const struct sample *sample, int64_t now_ms,
                        struct store_outcome *outcome)
{
    uint32_t family = SLOT_NONE;
    uint32_t window = window_advance(store, now_ms);
    /* The push may yet be refused, and that must not cost anyone their series. */
    return family_for(store, sample, window, false, &family, outcome);
}

/* ---- looking ---- */

const struct series *store_series(const struct store *store, uint32_t index)
{
    return slots_is_live(&store->series, index) ? series_at(store, index) : NULL;
}

const struct family *store_family(const struct store *store, uint32_t index)
{
    return slots_is_live(&store->families, index) ? family_at(store, index) : NULL;
}

const struct exp_histogram *store_histogram(const struct store *store, const struct series *series)
{
    return slots_at(&store->histograms, series->sketch);
}

const struct hyperloglog *store_set(const struct store *store, const struct series *series)
{
    return slots_at(&store->sets, series->sketch);
}

/* The child's labels are the bucket's without le; written over `text`, which holds the bucket's. */
static struct bytes without_bound(char *text, size_t length)
{
    struct bytes left = {text, length};
    struct label label;
    char *out = text;
    while (label_text_next(&left, &label)) {
        if (bytes_equal(label.name, BYTES("le")))
            continue;
        size_t bytes = label.name.length + label.value.length + sizeof("=\"\"") - 1;
        if (out > text)
            *out++ = ',';
        memmove(out, label.name.at, bytes);
        out += bytes;
    }
    return (struct bytes){text, (size_t)(out - text)};
}

bool store_bucket_is_shared(const struct store *store, const struct series *bucket, char *text)
{
    char family_text[PART_NAME_BYTES];
    const struct family *family = family_at(store, bucket->family);
    label_copy(&store->labels, family->name, family_text);
    struct bytes name = part_name((struct bytes){family_text, family->name.length}, PART_COUNT,
                                  family_text);
    label_copy(&store->labels, bucket->labels, text);
    struct bytes labels = without_bound(text, bucket->labels.length);
    struct sample count = {.name = name.at, .labels = labels.at};
    count.name_length = (uint16_t)name.length;
    count.labels_length = (uint16_t)labels.length;
    count.fingerprint = hash_series(name, labels, store->seed);
    uint32_t slot = series_find(store, &count);
    return slot == SLOT_NONE || bucket->count >= series_at(store, slot)->count;
}

int64_t store_idle_ms(const struct store *store, const struct series *series, int64_t now_ms)
{
    uint32_t window = window_of(store, now_ms);
    return window > series->window ? (int64_t)(window - series->window) * WINDOW_MS : 0;
}
