/*
 * sample.h: one value of one series, as every decoder makes it and the store takes it.
 *
 *     http_seconds_bucket{le="0.5",route="/a"} 17 1763841600500
 *     |-- family --|part | |----- labels ----|  value   timestamp
 *     |------ name ------|
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

struct sample {
    uint64_t fingerprint;
    const char *name;
    const char *labels;
    const struct declaration *declaration; /* on the first sample after one, else NULL */
    int64_t timestamp_ms;                  /* TIMESTAMP_NONE: now */
    union {
        double value;
        uint64_t member; /* of a set: the hash of what is counted */
    };
    uint32_t line;
    uint32_t element; /* of a JSON array, else 0 */
    uint16_t name_length;
    uint16_t family_length; /* of the name, what is the family's */
    uint16_t labels_length;
    uint8_t kind;       /* enum kind */
    uint8_t part : 7;   /* enum part */
    uint8_t follows : 1; /* one more value of the sample before; not counted again */
};

const char *kind_name(enum kind kind);

/* "", "_bucket", "_sum" or "_count". */
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

static inline struct bytes sample_family(const struct sample *sample)
{
    return (struct bytes){sample->name, sample->family_length};
}

static inline struct bytes sample_labels(const struct sample *sample)
{
    return (struct bytes){sample->labels, sample->labels_length};
}

#endif
