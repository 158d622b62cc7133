/*
 * decoder.h: bytes in, samples out; one interface for every format.
 *
 *     feed(bytes) feed(bytes) … finish()        bytes may be cut anywhere
 *
 * A decoder keeps only what a cut can leave behind: a partial line or element, the child of a
 * histogram whose lines still come, and the declarations in force. All of it is taken from the
 * request's arena when the decoder is made, or with the first byte where that chooses the format:
 * before its first sample, so that a 503 comes before it too.
 *
 * Owner: the request. Lifetime: request. Threads: one.
 */
#ifndef INGEST_DECODER_H
#define INGEST_DECODER_H

#include "ingest/batch.h"
#include "ingest/label_set.h"

enum format {
    FORMAT_BY_FIRST_BYTE, /* {: NDJSON, [: JSON array, else Prometheus text */
    FORMAT_PROMETHEUS,    /* text 0.0.4 */
    FORMAT_OPENMETRICS,   /* 1.0 */
    FORMAT_NDJSON,
    FORMAT_JSON, /* one object, or an array of them */
};

struct decoder {
    /* Takes all of `input`; every sample whose end was seen is flushed. Not OK ends the request. */
    struct refusal (*feed)(struct decoder *decoder, struct bytes input, struct intake *intake);
    /* The body is complete: what is left over is a last sample, or an error. */
    struct refusal (*finish)(struct decoder *decoder, struct intake *intake);
};

struct json_element;

/* What decides a decoder's size and its samples. */
struct decoder_options {
    enum format format;
    uint64_t
        body_bytes; /* what the body is known to come to at most; UINT64_MAX when it is not known */
    const struct label_list
        *labels; /* added to each sample and winning over its own; may be NULL */
    /* What takes the objects of NDJSON and JSON; NULL: json_element_read, which makes samples. */
    struct refusal (*read_object)(const struct json_element *element, struct intake *intake);
};

/* NULL when the arena refused; it says why. */
struct decoder *decoder_make(const struct decoder_options *options,
                             const struct settings *settings, struct arena *arena);

/* The formats' own, which decoder_make chooses between. */
struct decoder *prometheus_decoder_make(const struct decoder_options *options,
                                        const struct settings *settings, struct arena *arena);
struct decoder *json_decoder_make(const struct decoder_options *options,
                                  const struct settings *settings, struct arena *arena);

#endif
