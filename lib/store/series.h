/*
 * series.h: what the store holds: families, and their series.
 *
 *     family "http_seconds" ──first──> series ⇄ series ⇄ series <──last──    in order of creation
 *        └──overflow──> the series that takes what has no room
 *
 *     class list     newest ⇄ ... ⇄ oldest     by window of the last sample: who is idle longest
 *
 * Owner:    the store. Lifetime: series. Threads: the engine's lock.
 * Fields:   read-only outside lib/store.
 */
#ifndef STORE_SERIES_H
#define STORE_SERIES_H

#include "ingest/sample.h"
#include "memory/label_blocks.h"
#include "memory/slots.h"

struct family {
    uint64_t id; /* never given twice: what sealed windows know it by; a new one with each DELETE */
    uint64_t name_hash;
    uint64_t next_sequence;
    uint64_t ended_sequences; /* rises when a series of it ends, whatever the reason */
    struct label_text name;
    struct label_text help;
    struct label_text unit;
    uint32_t older; /* families by id, rising */
    uint32_t newer;
    uint32_t first; /* series, oldest first; the overflow series is the first one */
    uint32_t last;
    uint32_t series_count;  /* without the overflow series */
    uint32_t overflow;      /* the series that takes what has no room */
    uint32_t sealed_window; /* the last one it had a cell in; 0: none */
    uint8_t kind;           /* enum kind */
    bool is_overflow;       /* takes samples of families that had no room; never released */
    bool claimed;           /* by store_admit: the push's sample comes next */
    uint64_t overflowed;    /* samples that went to the overflow series */
    uint64_t lost_bounds;   /* of classic histograms, where bounds of a child's pushes differed */
    uint64_t recycled;      /* series given up for room, or expired */
    double recycled_sum;    /* what they had come to */
    double recycled_count;  /* values they had observed, where /metrics has a _count */
};

/* What a series has in the open window. */
struct open_window {
    double sum;
    union {
        double min;      /* of values: increments, samples, observations */
        double observed; /* classic histograms and summaries: observations */
    };
    double max;
    uint64_t count; /* samples; 0: nothing, and the rest is undefined */
};

struct series {
    uint64_t fingerprint;
    uint64_t sequence; /* within the family, rising */
    struct label_text labels;
    uint32_t family;
    uint32_t next; /* within the family */
    uint32_t previous;
    uint32_t newer; /* within the class list; overflow series are in none */
    uint32_t older;
    uint32_t sketch;    /* slot of the histogram, buckets or sets, else SLOT_NONE */
    uint32_t window;    /* number of the window of the last sample */
    uint32_t born : 31; /* and of the one it came to be in */
    uint32_t is_overflow : 1;
    uint64_t count; /* samples; a child is one */
    double sum;     /* of all values, but for gauges and sets */
    double carry;   /* what the additions lost (Neumaier 1974): sum + carry is the total */
    union {
        double last;     /* gauges */
        double observed; /* classic histograms and summaries: observations */
    };
    int64_t last_ms;
    struct open_window open;
};

static inline double series_total(const struct series *series)
{
    return series->sum + series->carry;
}

/* Values observed since the series came to be, which /metrics has as its _count; 0 of kinds
 * without. */
static inline double series_observations(const struct series *series, enum kind kind)
{
    if (kind == KIND_HISTOGRAM)
        return (double)series->count;
    return kind_has_children(kind) ? series->observed : 0;
}

#endif
