/*
 * push.h: one request's body on its way in.
 *
 *     bytes ──> inflater (gzip, zstd) ──> decoder ──> batch ──flush──> the store, as it arrives
 *                                                       └──> held in the arena: an atomic push
 *
 * All that a push needs is taken from the arena when it is made, so that it is refused before its
 * first sample; only an atomic one grows, up to limits.request_bytes.
 *
 * Owner: the request. Lifetime: request. Threads: one.
 */
#ifndef INGEST_PUSH_H
#define INGEST_PUSH_H

#include "ingest/decoder.h"
#include "ingest/inflate.h"

/* Samples of an atomic push, with their texts, in the order they came. */
struct held_samples {
    struct held_samples *next;
    uint32_t count;
    struct sample samples[];
};

struct push_options {
    enum encoding encoding;
    bool atomic;
    struct decoder_options decoder;
};

struct push {
    struct decoder *decoder;
    struct inflater *inflater; /* NULL: the body comes as it is */
    struct arena *arena;
    bool atomic;
    struct held_samples *held; /* the first; NULL: none */
    struct held_samples *held_last;
    struct report report;
};

/* NULL when the arena refused; it says why. */
struct push *push_make(const struct push_options *options, const struct settings *settings,
                       struct arena *arena);

/*
 * Takes the next bytes of the body. Not OK ends the push: the rest of the body is not to be fed.
 * What the report has accepted until then was applied, unless the push is atomic.
 */
struct refusal push_feed(struct push *push, struct bytes input, struct intake *intake);

/*
 * The body is complete. An atomic push then has its samples in `held`, to be applied if nothing was
 * rejected.
 */
struct refusal push_finish(struct push *push, struct intake *intake);

#endif
