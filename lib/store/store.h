/*
 * store.h: all series and their totals, in a fixed number of slots.
 *
 *     sample ──fingerprint──> index ──> series slot ──> += value
 *                               │ not there
 *                               └──> family (index of names) ──> room? ──> a new series
 *                                                                  │ no: recycle the longest idle
 *                                                                  └ none idle enough: overflow
 *
 * What is full does not lose a sample: sums, counts, histograms and sets stay right in the overflow
 * series, labelled otel_metric_overflow="true" (the OpenTelemetry convention), of their family; a
 * family that has no room goes to the overflow family of its kind. Every family is born with its
 * overflow series, so that they cannot be missing later.
 *
 * Windows, the next lifetime, hang on the series slot: an accumulator beside its totals, sealed
 * into rings by the tick.
 *
 * Owner: the engine. Lifetime: process. Threads: one at a time (the engine's lock).
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/settings.h"
#include "base/status.h"
#include "memory/slots.h"
#include "store/index.h"
#include "store/series.h"

/* Which window a sample falls into; how exactly idleness is known; how late is late. */
#define WINDOW_MS 10000

#define OVERFLOW_LABELS "otel_metric_overflow=\"true\""

/* Series compete for room within a class: only a series with a histogram can give one up. */
enum series_class {
    CLASS_PLAIN,
    CLASS_HISTOGRAM,
    CLASS_SET,
    CLASS_COUNT,
};

struct idle_list {
    uint32_t newest;
    uint32_t oldest;
};

struct store {
    struct slots families;
    struct slots series;
    struct slots histograms;
    struct slots sets;
    struct label_blocks labels;
    struct index series_index;
    struct index family_index;
    struct idle_list idle[CLASS_COUNT];
    uint32_t overflow_family[KIND_COUNT];
    uint64_t seed;
    uint64_t idle_min_windows;
    uint64_t expire_windows;
    uint64_t series_max;
    uint64_t series_count; /* without overflow series, which have slots of their own */
    int64_t start_ms;
    uint32_t window; /* the latest that was seen */
    uint32_t next_family_to_expire;
    uint64_t late_samples;
    uint64_t saturated_samples; /* would have taken a total out of the range of a double */
    uint64_t overflowed_samples;
    uint64_t overflowed_families; /* samples whose family had no room */
    uint64_t created_series;
    uint64_t recycled_series; /* for room */
    uint64_t expired_series;
    uint64_t deleted_series;
    uint64_t histogram_downscales;
    /*
     * Of families that have ended since, what was recycled or overflowed: the sums of those are in
     * the family.
     */
    uint64_t ended_series;
    double ended_sum;
};

/* What store_init takes from the region, written to the places of the store's pools. */
void store_plan(const struct settings *settings, uint64_t pools[static POOL_COUNT]);

/* `start_ms` is now; windows are counted from it. */
void store_init(struct store *store, const struct settings *settings, uint64_t seed,
                int64_t start_ms, struct ledger *ledger, struct region *region);

/* What became of a sample, beside the status. */
struct store_outcome {
    bool overflowed;      /* it went to an overflow series */
    const char *conflict; /* with KIND_CONFLICT: what stands in its way, a literal */
};

/*
 * Adds one sample. KIND_CONFLICT when its name is that of a family of another kind; nothing else
 * can refuse it.
 */
enum status store_apply(struct store *store, const struct sample *sample, int64_t now_ms,
                        struct store_outcome *outcome);

/* Adds the sample to the overflow family of its kind, whatever its name. */
void store_overflow(struct store *store, const struct sample *sample, int64_t now_ms);

/* Brings what store_apply will touch for this sample closer to the processor. */
void store_prefetch_index(const struct store *store, const struct sample *sample);
void store_prefetch_series(const struct store *store, const struct sample *sample);

/*
 * Would store_apply refuse it? Creates the sample's family when it is new, so that a later sample
 * of the same push that contradicts it is seen. store_forget undoes that for a push that is refused
 * after all.
 */
enum status store_admit(struct store *store, const struct sample *sample, int64_t now_ms,
                        struct store_outcome *outcome);
void store_forget(struct store *store, const struct sample *sample);

/*
 * Drops at most `most` series that were idle for longer than series.expire_after. Returns how many.
 */
uint32_t store_expire(struct store *store, int64_t now_ms, uint32_t most);

/* Takes a live series away, for DELETE. Its total is not kept. */
void store_delete(struct store *store, uint32_t series);

/* NULL when the slot is free. */
const struct series *store_series(const struct store *store, uint32_t index);
const struct family *store_family(const struct store *store, uint32_t index);

/* The exp_histogram or hyperloglog of a series of that kind. */
const struct exp_histogram *store_histogram(const struct store *store, const struct series *series);
const struct hyperloglog *store_set(const struct store *store, const struct series *series);

/* The slot of the family of that name, SLOT_NONE when there is none. */
uint32_t store_find_family(const struct store *store, struct bytes name);

/* Has any sample of the family gone to its overflow series? */
bool store_family_overflowed(const struct store *store, const struct family *family);

/*
 * Was this bucket in every push of its child? Only then is it exact: bounds that some pushes lack
 * are not shown, so that what is left adds up (the bounds that all have). `text` has room for the
 * series' labels.
 */
bool store_bucket_is_shared(const struct store *store, const struct series *bucket, char *text);

/* Milliseconds since the last sample, to the length of a window. */
int64_t store_idle_ms(const struct store *store, const struct series *series, int64_t now_ms);

/* Walks everything and ENSUREs that it hangs together. */
void store_verify(const struct store *store);

#endif
