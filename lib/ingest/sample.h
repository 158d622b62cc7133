/*
 * sample.h: one value of one series, as every decoder makes it and the store takes it.
 *
 *     http_items_total{code="200",route="/a"} 17 1763841600500
 *     |---- name ----| |----- labels -----|  value   timestamp
 *
 * The lines of one child of a classic histogram or summary are one sample (struct child).
 *
 * `labels` is canonical: what stands between the braces of an exposition, sorted by label name,
 * values escaped, no spaces, no trailing comma. Two samples are of one series exactly when name and
 * labels are equal byte for byte.
 *
 * Lifetime: batch. The texts are borrowed from the decoder's input or from the batch; nothing
 *           outlives the flush.
 */
#ifndef INGEST_SAMPLE_H
#define INGEST_SAMPLE_H

#include "base/bytes.h"

#include <stdint.h>

enum kind {
    KIND_COUNTER,   /* values are added */
    KIND_GAUGE,     /* the last value stands */
    KIND_HISTOGRAM, /* values are observed in a base-2 exponential histogram */
    KIND_SET,       /* distinct values are counted */
    KIND_CLASSIC,   /* a histogram that came as _bucket, _sum and _count; each is a counter */
    KIND_SUMMARY,   /* the same without buckets: _sum and _count */
    KIND_COUNT,
};

enum part {
    PART_VALUE,
    PART_BUCKET,
    PART_SUM,
    PART_COUNT,
    PART_KINDS,
};

#define TIMESTAMP_NONE INT64_MIN

/* What `# HELP` and `# UNIT` said of a family; texts as they stand in the exposition (escaped). */
struct declaration {
    struct bytes help;
    struct bytes unit;
};

/*
 * Bounds one child may bring, and one series keeps. A child that has more is thinned to as many,
 * the same ones each time: a bound left out is resolution lost, and the rest stays exact.
 */
#define CHILD_BOUNDS_MAX 40

/*
 * One child of a classic histogram or summary: its lines as they came one behind another.
 *
 *     foo_bucket{le="0.5",route="/a"} 3      bounds 0.5, 1      (finite, rising)
 *     foo_bucket{le="1",route="/a"} 5        counts 3, 5        (cumulative, never falling)
 *     foo_bucket{le="+Inf",route="/a"} 9     count 9, has_buckets
 *     foo_sum{route="/a"} 4.5                sum 4.5, has_sum
 *     foo_count{route="/a"} 9                count, where no +Inf bucket said it
 */
struct child {
    double sum;
    double count; /* of all observations */
    bool has_sum;
    bool has_count;   /* count was given, by the +Inf bucket or by _count */
    bool has_buckets; /* a _bucket line was among them; its +Inf is count */
    uint32_t bound_count;
    uint32_t lost_bounds; /* left out, being more than CHILD_BOUNDS_MAX */
    const double *bounds;
    const double *counts;
};

/* Bytes of a child with its bounds in one piece, and a copy of it there, aligned like a child. */
size_t child_bytes(const struct child *child);
const struct child *child_copy(const struct child *child, void *at);

struct sample {
    uint64_t fingerprint;
    const char *name;
    const char *labels;
    const struct declaration *declaration; /* on the first sample after one, else NULL */
    int64_t timestamp_ms;                  /* TIMESTAMP_NONE: now */
    union {
        double value;
        uint64_t member;           /* of a set: the hash of what is counted */
        const struct child *child; /* of a classic histogram or summary */
    };
    uint32_t line;
    uint32_t element;       /* of a JSON array, else 0 */
    uint16_t lines;         /* that it came in, each counted as a sample: 1, but for a child */
    uint16_t name_length;   /* of the family: a child's has no suffix */
    uint16_t labels_length; /* a child's are without le */
    uint8_t kind;           /* enum kind */
    bool follows;           /* one more value of the sample before: 0 lines, not counted again */
};

const char *kind_name(enum kind kind);

/* Do its samples carry a child? */
static inline bool kind_has_children(enum kind kind)
{
    return kind == KIND_CLASSIC || kind == KIND_SUMMARY;
}

/* "", "_bucket", "_sum" or "_count": which of a child's lines one is. */
struct bytes part_suffix(enum part part);

/* A sample has room for lines up to 2^32 - 1; those behind it are told as that one. */
static inline uint32_t sample_line_number(uint64_t line)
{
    return line < UINT32_MAX ? (uint32_t)line : UINT32_MAX;
}

static inline struct bytes sample_name(const struct sample *sample)
{
    return (struct bytes){sample->name, sample->name_length};
}

static inline struct bytes sample_labels(const struct sample *sample)
{
    return (struct bytes){sample->labels, sample->labels_length};
}

#endif
