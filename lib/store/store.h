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
 * overflow series, so that it cannot be missing later.
 *
 *     time   | ... | window | window | open window |     each windows.fine long, from the epoch on
 *
 * Each sample is added to the totals of its series and to what the series has in the open window.
 * Sealing (history.h) takes the latter away; it knows families by id and series by sequence number.
 *
 * A family whose last series was recycled or expired is vacant: nobody sees it, but what was sealed
 * of it is found by its id, so it stays until no window has a cell of it. It gives way before that
 * to a metric of its name and another kind, and, one by one, where something new has no room.
 *
 * Owner: the engine. Lifetime: process. Threads: one at a time (the engine's lock).
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/settings.h"
#include "base/status.h"
#include "memory/lifetime.h"
#include "memory/slots.h"
#include "store/index.h"
#include "store/series.h"

#define OVERFLOW_LABELS "otel_metric_overflow=\"true\""

/* Series compete for room within a class: only a series with a histogram can give one up. */
enum series_class {
    CLASS_PLAIN,
    CLASS_HISTOGRAM,
    CLASS_BUCKETS,
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
    struct slots histograms; /* struct histogram */
    struct slots buckets;    /* struct classic */
    struct slots sets;       /* struct unique */
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
    uint64_t window_ms;
    uint32_t window;        /* the latest that was seen: the one that is open */
    uint32_t history_floor; /* windows before it are held nowhere any more; the history sets it */
    bool has_history; /* what a series has in the open window is sealed before the series may end */
    uint64_t next_family_id;
    uint32_t oldest_family; /* by id */
    uint32_t newest_family;
    uint32_t vacant_families;
    uint32_t next_family_to_expire;
    uint32_t next_family_to_evict;
    uint64_t late_samples;
    uint64_t saturated_samples; /* would have taken a total out of the range of a double */
    uint64_t overflowed_samples;
    uint64_t overflowed_families; /* samples whose family had no room */
    uint64_t created_series;
    uint64_t recycled_series; /* for room */
    uint64_t expired_series;
    uint64_t deleted_series;
    struct lifetimes lifetimes; /* of series without overflow series, to the length of a window */
    uint64_t evicted_families; /* vacant ones, for room */
    uint64_t histogram_downscales;
    uint64_t lost_bounds; /* of classic histograms: see classic.h */
    /*
     * Of families that have ended since, what was recycled or overflowed: the sums of those are in
     * the family.
     */
    uint64_t ended_series;
    double ended_sum;
    double ended_count;
};

/* What store_init takes from the region, written to the places of the store's pools. */
void store_plan(const struct settings *settings, uint64_t pools[static POOL_COUNT]);

/* `start_ms` is now: the first window. */
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

/*
 * Takes a live series away, for DELETE. Its total is not kept, and its family gets a new id: what
 * was sealed of the whole family is not found any more.
 */
void store_delete(struct store *store, uint32_t series);

/* ---- for the history ---- */

/* The window of that time, and when one begins, Unix time. */
static inline uint32_t store_window_at(const struct store *store, int64_t time_ms)
{
    return time_ms <= 0 ? 0 : (uint32_t)((uint64_t)time_ms / store->window_ms);
}

static inline int64_t store_window_start(const struct store *store, uint32_t window)
{
    return (int64_t)(window * store->window_ms);
}

/* What the series' open window has beside its figures, for who adds or seals it; NULL: nothing. */
void *store_open_sketch(const struct store *store, const struct series *series, enum kind kind);

/* The series' open window is empty again: it was sealed. */
void store_seal(struct store *store, uint32_t series);

/* The family has a cell in the window: it stays until store->history_floor is past that. */
void store_family_sealed(struct store *store, uint32_t family, uint32_t window);

/* ---- looking ---- */

/* The series of a sample; NULL when there is none. */
const struct series *store_find(const struct store *store, const struct sample *sample);

/* NULL when the slot is free. */
const struct series *store_series(const struct store *store, uint32_t index);
const struct family *store_family(const struct store *store, uint32_t index);

/* What a series of that kind has beside its figures. */
const struct histogram *store_histogram(const struct store *store, const struct series *series);
const struct classic *store_classic(const struct store *store, const struct series *series);
const struct unique *store_set(const struct store *store, const struct series *series);

/* The slot of the family of that name, SLOT_NONE when there is none. */
uint32_t store_find_family(const struct store *store, struct bytes name);

/* Has any sample of the family gone to its overflow series? */
bool store_family_overflowed(const struct store *store, const struct family *family);

/* Milliseconds since the last sample, to the length of a window. */
int64_t store_idle_ms(const struct store *store, const struct series *series, int64_t now_ms);

/* Walks everything and ENSUREs that it hangs together. */
void store_verify(const struct store *store);

#endif
