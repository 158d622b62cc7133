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

/*
 * A composite family (classic histogram, summary) needs one overflow series for each of its parts.
 */
#define FAMILY_OVERFLOWS 3

struct family {
    uint64_t name_hash;
    uint64_t next_sequence;
    struct label_text name;
    struct label_text help;
    struct label_text unit;
    uint32_t first; /* series, oldest first; the overflow series are the first ones */
    uint32_t last;
    uint32_t series_count; /* without the overflow series */
    uint32_t overflow[FAMILY_OVERFLOWS];
    uint8_t kind;      /* enum kind */
    bool is_overflow;  /* takes samples of families that had no room; never released */
    uint64_t overflowed; /* samples that went to the overflow series */
    uint64_t recycled;   /* series given up for room, or expired */
    double recycled_sum; /* what they had come to */
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
    uint32_t sketch; /* slot of the histogram or set, else SLOT_NONE */
    uint32_t window; /* number of the window of the last sample */
    uint8_t part;    /* enum part */
    bool is_overflow;
    uint64_t count; /* samples */
    double sum;     /* counters and histograms: of all values */
    double carry;   /* what the additions lost (Neumaier 1974): sum + carry is the total */
    double last;    /* gauges */
    int64_t last_ms;
};

static inline double series_total(const struct series *series)
{
    return series->sum + series->carry;
}

#endif
