/*
 * exposition.h: all series as Prometheus text or OpenMetrics, a page at a time.
 *
 *     family ── HELP, UNIT, TYPE ── series, series, series ──> next family
 *                                       │ histogram, summary: copied out whole, then row by row
 *
 * The cursor is a family and the sequence number of the series last written. Whatever is created,
 * recycled or deleted between two pages, the next page begins at the first series above it: nothing
 * that lived throughout is skipped or written twice. The lock is held by the caller for one page.
 *
 * Formats: Prometheus text 0.0.4; OpenMetrics 1.0.0. A histogram of pushed values is exposed as a
 * classic one on a fixed grid of bounds (histogram.h), one that was pushed as buckets with the
 * bounds that all its pushes had (classic.h).
 *
 * Owner: the request; the struct and its texts are in its arena. Lifetime: request. Threads: one.
 */
#ifndef REPLY_EXPOSITION_H
#define REPLY_EXPOSITION_H

#include "memory/arena.h"
#include "reply/writer.h"
#include "store/store.h"

/*
 * One page; larger than the longest row that the settings' ceilings allow (name 1 KiB, labels 8
 * KiB, help 256 B).
 */
#define EXPOSITION_PAGE_BYTES 16384

struct exposition {
    bool openmetrics;
    bool finished;
    uint32_t family;            /* slot */
    uint32_t family_generation; /* 0: the family is yet to be begun */
    uint32_t series;            /* last written, if its generation still holds */
    uint32_t series_generation;
    uint64_t sequence;     /* of the next series, at least */
    uint64_t sequence_end; /* series born since the family was begun are left for the next scrape */
    char *name;            /* of the family */
    size_t name_length;
    /* A histogram or summary being written, as it was when its first row was. */
    struct exposed_child {
        uint32_t row;          /* the next one; those before the buckets' end are bounds */
        uint32_t row_count;    /* 0: none is being written */
        uint32_t bucket_count; /* rows of buckets, +Inf included; a summary has none */
        double bounds[CHILD_BOUNDS_MAX];
        double counts[CHILD_BOUNDS_MAX]; /* cumulative; whole numbers up to 2^53 are exact */
        double count;
        double sum;
    } child;
    char *labels;
    size_t labels_length;
};

/* NULL when the arena refused; it says why. */
struct exposition *exposition_make(const struct settings *settings, bool openmetrics,
                                   struct arena *arena);

/*
 * Writes whole rows until the page is full or there are no more. False when everything has been
 * written. The page has EXPOSITION_PAGE_BYTES.
 */
bool exposition_next(struct exposition *exposition, const struct store *store, struct writer *page);

#endif
