/* store.c: samples into totals. See store.h; birth, room and death are in store_life.c. */
#include "store/store.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "store/classic.h"
#include "store/histogram.h"
#include "store/store_private.h"
#include "store/unique.h"

#include <math.h>

/* What a store of these settings has at most. */
static uint64_t family_slots(const struct settings *settings)
{
    return settings->limits_families + KIND_COUNT;
}

/* Each family is born with an overflow series. */
static uint64_t series_slots(const struct settings *settings)
{
    return settings->series_max + family_slots(settings);
}

static uint64_t label_block_count(const struct settings *settings)
{
    return settings->series_label_bytes / sizeof(struct label_block);
}

/* What tracing adds: for each slot, which line took it. */
static uint64_t sites_of_slots_bytes(const struct settings *settings)
{
    return slot_sites_bytes(family_slots(settings)) + slot_sites_bytes(series_slots(settings)) +
           slot_sites_bytes(settings->histograms_max) + slot_sites_bytes(settings->buckets_max) +
           slot_sites_bytes(settings->sets_max);
}

void store_plan(const struct settings *settings, uint64_t pools[static POOL_COUNT])
{
    uint64_t families = family_slots(settings);
    uint64_t series = series_slots(settings);
    pools[POOL_FAMILIES] = slots_bytes(sizeof(struct family), families);
    pools[POOL_SERIES] = slots_bytes(sizeof(struct series), series);
    pools[POOL_INDEX] = index_bytes(series) + index_bytes(families);
    pools[POOL_LABELS] = label_blocks_bytes(label_block_count(settings));
    pools[POOL_HISTOGRAMS] = slots_bytes(sizeof(struct histogram), settings->histograms_max);
    pools[POOL_BUCKETS] = slots_bytes(sizeof(struct classic), settings->buckets_max);
    pools[POOL_SETS] = slots_bytes(sizeof(struct unique), settings->sets_max);
    pools[POOL_SITES] = settings->trace ? sites_of_slots_bytes(settings) : 0;
}

static void init_pools(struct store *store, const struct settings *settings, struct ledger *ledger,
                       struct region *region)
{
    uint32_t families = (uint32_t)family_slots(settings);
    uint32_t series = (uint32_t)series_slots(settings);
    slots_init(&store->families, sizeof(struct family), families, POOL_FAMILIES, ledger, region);
    slots_init(&store->series, sizeof(struct series), series, POOL_SERIES, ledger, region);
    slots_init(&store->histograms, sizeof(struct histogram), (uint32_t)settings->histograms_max,
               POOL_HISTOGRAMS, ledger, region);
    slots_init(&store->buckets, sizeof(struct classic), (uint32_t)settings->buckets_max,
               POOL_BUCKETS, ledger, region);
    slots_init(&store->sets, sizeof(struct unique), (uint32_t)settings->sets_max, POOL_SETS, ledger,
               region);
    label_blocks_init(&store->labels, (uint32_t)label_block_count(settings), ledger, region);
    index_init(&store->series_index, series, ledger, region);
    index_init(&store->family_index, families, ledger, region);
}

/* Rounded up: what was idle for so many windows was idle for at least as long. */
static uint64_t windows_in(const struct store *store, uint64_t duration_ms)
{
    return (duration_ms + store->window_ms - 1) / store->window_ms;
}

void store_init(struct store *store, const struct settings *settings, uint64_t seed,
                int64_t start_ms, struct ledger *ledger, struct region *region)
{
    memset(store, 0, sizeof *store);
    store->seed = seed;
    store->series_max = settings->series_max;
    store->window_ms = settings->windows_fine;
    store->window = store_window_at(store, start_ms);
    store->history_floor = store->window;
    store->idle_min_windows = windows_in(store, settings->series_idle_min);
    store->expire_windows = windows_in(store, settings->series_expire_after);
    store->next_family_id = 1;
    store->oldest_family = store->newest_family = SLOT_NONE;
    for (int class = 0; class < CLASS_COUNT; class ++)
        store->idle[class] = (struct idle_list){SLOT_NONE, SLOT_NONE};
    init_pools(store, settings, ledger, region);
    overflow_families_init(store);
}

/* ---- finding ---- */

static bool is_named(const struct store *store, const struct series *series, struct bytes name)
{
    return label_equal(&store->labels, family_at(store, series->family)->name, name);
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
 * it stays at its last value, and so does the open window's. The total is looked at and not the sum
 * alone: what the additions lost may be what takes it over.
 */
static bool add_checked(struct series *series, double value)
{
    double sum = series->sum;
    double carry = series->carry;
    double open = series->open.sum + value;
    add_value(series, value);
    if (isfinite(series_total(series)) && isfinite(open)) {
        series->open.sum = open;
        return true;
    }
    series->sum = sum;
    series->carry = carry;
    return false;
}

/* One more value in the open window, beside the sum. */
static void widen(struct open_window *open, double value)
{
    if (open->count++ == 0)
        open->min = open->max = value;
    open->min = value < open->min ? value : open->min;
    open->max = value > open->max ? value : open->max;
}

static bool add_number(struct series *series, double value)
{
    widen(&series->open, value);
    return add_checked(series, value);
}

/*
 * NaN and infinities live in `last` alone. One sample more whose sum is out of range is not of the
 * window, or its average would be too low.
 */
static bool add_gauge(struct series *series, double value, int64_t time_ms)
{
    if (series->count == 1 || time_ms >= series->last_ms) {
        series->last = value;
        series->last_ms = time_ms;
    }
    if (!isfinite(value))
        return true;
    double sum = series->open.sum + value;
    if (!isfinite(sum))
        return false;
    series->open.sum = sum;
    widen(&series->open, value);
    return true;
}

/*
 * A _count line all by itself, where the series has buckets, came apart from its own: their +Inf
 * has said the same, and it would be counted twice.
 */
static double observations_of(const struct child *child, const struct classic *classic)
{
    bool said = classic != NULL && classic->has_buckets && !child->has_buckets && !child->has_sum;
    return child->has_count && !said ? child->count : 0;
}

/*
 * Observations that came with a sum, but without buckets, are a histogram whose only bucket is
 * +Inf: it has no bound in common with others, and is as exact.
 */
static struct child with_inf(const struct child *child)
{
    struct child whole = *child;
    whole.has_buckets = child->has_buckets || (child->has_count && child->has_sum);
    return whole;
}

/*
 * Bounds' counts are at most the observations, so they stay finite when those do. No bound is added
 * to without them, or a bucket could come to more than +Inf.
 */
static bool add_observations(struct store *store, struct series *series, const struct child *child,
                             struct classic *classic)
{
    double observations = observations_of(child, classic);
    if (!isfinite(series->observed + observations))
        return false;
    series->observed += observations;
    series->open.observed += observations;
    if (classic != NULL) {
        struct child whole = with_inf(child);
        uint32_t lost = classic_add(classic, &whole) + child->lost_bounds;
        family_at(store, series->family)->lost_bounds += lost;
        store->lost_bounds += lost;
    }
    return true;
}

static bool add_child(struct store *store, struct series *series, const struct child *child)
{
    struct classic *classic =
        series->sketch == SLOT_NONE ? NULL : slots_at(&store->buckets, series->sketch);
    series->open.count++;
    bool added = add_observations(store, series, child, classic);
    if (child->has_sum)
        added &= add_checked(series, child->sum);
    return added;
}

static int64_t sample_time(const struct sample *sample, int64_t now_ms)
{
    bool stamped = sample->timestamp_ms != TIMESTAMP_NONE && sample->timestamp_ms < now_ms;
    return stamped ? sample->timestamp_ms : now_ms; /* a time ahead of the clock counts as now */
}

/* False when a total would have left the range of a double, and stays what it was. */
static bool add_sample(struct store *store, struct series *series, const struct sample *sample,
                       int64_t time_ms)
{
    switch (sample->kind) {
    case KIND_GAUGE:
        return add_gauge(series, sample->value, time_ms);
    case KIND_HISTOGRAM:
        store->histogram_downscales +=
            histogram_observe(slots_at(&store->histograms, series->sketch), sample->value);
        return add_number(series, sample->value);
    case KIND_SET:
        unique_add(slots_at(&store->sets, series->sketch), sample->member);
        series->open.count++;
        return true;
    case KIND_CLASSIC:
    case KIND_SUMMARY:
        return add_child(store, series, sample->child);
    default:
        return add_number(series, sample->value);
    }
}

static void series_add(struct store *store, struct series *series, const struct sample *sample,
                       int64_t now_ms)
{
    int64_t time_ms = sample_time(sample, now_ms);
    if (sample->timestamp_ms != TIMESTAMP_NONE &&
        time_ms < store_window_start(store, store->window))
        store->late_samples += sample->lines;
    series->count++;
    if (!add_sample(store, series, sample, time_ms))
        store->saturated_samples += sample->lines;
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
 * False when a family stands in the way of one of this name and kind. Vacant ones do not: they end
 * here, and with them what was sealed of them, since the name can mean one thing only.
 */
static bool clear_way(struct store *store, struct bytes name, enum kind kind)
{
    uint32_t other;
    while ((other = family_clashing(store, name, kind)) != SLOT_NONE) {
        if (!family_give_way(store, other))
            return false;
    }
    return true;
}

/*
 * The family a sample belongs to, made where it is new; the overflow family of its kind where there
 * is no room.
 */
static enum status family_for(struct store *store, const struct sample *sample, uint32_t window,
                              bool recycle, uint32_t *out, struct store_outcome *outcome)
{
    struct bytes name = sample_name(sample);
    uint32_t family = store_find_family(store, name);
    *out = family;
    if (family != SLOT_NONE && family_at(store, family)->kind == sample->kind)
        return STATUS_OK;
    if (family != SLOT_NONE && !family_give_way(store, family)) {
        outcome->conflict = conflict_with(family_at(store, family)->kind);
        return STATUS_KIND_CONFLICT;
    }
    if (!clear_way(store, name, sample->kind)) {
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
    /* A new family brings its overflow series along, and the sample may be of that. */
    *out = series_find(store, sample);
    if (*out != SLOT_NONE)
        return STATUS_OK;
    if (!family_at(store, family)->is_overflow)
        *out = series_birth(store, family, sample, window);
    if (*out == SLOT_NONE)
        *out = family_at(store, family)->overflow;
    return STATUS_OK;
}

/* Before it is added. A child counts as the lines it came in, as it does where it is accepted. */
static void count_overflow(struct store *store, struct family *family, const struct sample *sample)
{
    store->vacant_families -= family_is_vacant(store, family);
    family->overflowed += sample->lines;
    store->overflowed_samples += sample->lines;
    if (family->is_overflow)
        store->overflowed_families += sample->lines;
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
        count_overflow(store, family, sample);
    series_add(store, series, sample, now_ms);
}

static enum kind kind_of(const struct store *store, uint32_t slot)
{
    return family_at(store, series_at(store, slot)->family)->kind;
}

enum status store_apply(struct store *store, const struct sample *sample, int64_t now_ms,
                        struct store_outcome *outcome)
{
    uint32_t slot = series_find(store, sample);
    if (slot == SLOT_NONE || kind_of(store, slot) != sample->kind) {
        uint32_t window = window_advance(store, now_ms);
        enum status status = series_for(store, sample, window, &slot, outcome);
        if (status != STATUS_OK)
            return status;
    }
    apply_to(store, slot, sample, now_ms, outcome);
    return STATUS_OK;
}

void store_overflow(struct store *store, const struct sample *sample, int64_t now_ms)
{
    struct store_outcome outcome = {0};
    const struct family *family = family_at(store, store->overflow_family[sample->kind]);
    apply_to(store, family->overflow, sample, now_ms, &outcome);
}

enum status store_admit(struct store *store, const struct sample *sample, int64_t now_ms,
                        struct store_outcome *outcome)
{
    uint32_t family = SLOT_NONE;
    uint32_t window = window_advance(store, now_ms);
    /* The push may yet be refused, and that must not cost anyone their series. */
    enum status status = family_for(store, sample, window, false, &family, outcome);
    if (status == STATUS_OK)
        family_at(store, family)->claimed = true;
    return status;
}

/* ---- the open window ---- */

void *store_open_sketch(const struct store *store, const struct series *series, enum kind kind)
{
    switch (kind) {
    case KIND_HISTOGRAM:
        return &((struct histogram *)slots_at(&store->histograms, series->sketch))->open;
    case KIND_CLASSIC:
        return slots_at(&store->buckets, series->sketch);
    case KIND_SET:
        return &((struct unique *)slots_at(&store->sets, series->sketch))->open;
    default:
        return NULL;
    }
}

void store_seal(struct store *store, uint32_t index)
{
    struct series *series = series_at(store, index);
    series->open = (struct open_window){0};
    switch (family_at(store, series->family)->kind) {
    case KIND_HISTOGRAM:
        histogram_seal(slots_at(&store->histograms, series->sketch));
        break;
    case KIND_CLASSIC:
        classic_seal(slots_at(&store->buckets, series->sketch));
        break;
    case KIND_SET:
        unique_seal(slots_at(&store->sets, series->sketch));
        break;
    default:
        break;
    }
}

void store_family_sealed(struct store *store, uint32_t index, uint32_t window)
{
    struct family *family = family_at(store, index);
    if (window > family->sealed_window)
        family->sealed_window = window;
}

/* ---- looking ---- */

const struct series *store_find(const struct store *store, const struct sample *sample)
{
    uint32_t slot = series_find(store, sample);
    return slot == SLOT_NONE ? NULL : series_at(store, slot);
}

const struct series *store_series(const struct store *store, uint32_t index)
{
    return slots_is_live(&store->series, index) ? series_at(store, index) : NULL;
}

const struct family *store_family(const struct store *store, uint32_t index)
{
    return slots_is_live(&store->families, index) ? family_at(store, index) : NULL;
}

const struct histogram *store_histogram(const struct store *store, const struct series *series)
{
    return slots_at(&store->histograms, series->sketch);
}

const struct classic *store_classic(const struct store *store, const struct series *series)
{
    return slots_at(&store->buckets, series->sketch);
}

const struct unique *store_set(const struct store *store, const struct series *series)
{
    return slots_at(&store->sets, series->sketch);
}

int64_t store_idle_ms(const struct store *store, const struct series *series, int64_t now_ms)
{
    uint32_t window = store_window_at(store, now_ms);
    return window > series->window ? store_window_start(store, window - series->window) : 0;
}
