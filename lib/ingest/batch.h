/*
 * batch.h: decoded samples on their way to the store, and the report of what became of them.
 *
 *     decoder ──batch_reserve──> | samples 1,024 | text 64 KiB | ──flush──> the store
 *                    └──reject──> report (accepted, rejected, the first errors)
 *
 * A sample borrows its texts: from the decoder's input where the bytes already are canonical, else
 * from the batch's own text. So a decoder flushes before it reuses its input, and at the end of
 * each feed.
 *
 * Owner:    struct batch: a worker thread; struct report: the request.
 * Lifetime: batch: from the first sample to the flush, within one upload call.
 * Threads:  one.
 */
#ifndef INGEST_BATCH_H
#define INGEST_BATCH_H

#include "base/settings.h"
#include "base/status.h"
#include "ingest/sample.h"
#include "memory/arena.h"
#include "memory/ledger.h"

#define BATCH_SAMPLES 1024
#define BATCH_TEXT_BYTES 65536
#define REPORT_ERRORS 10

struct batch {
    uint32_t count;
    uint32_t text_used;
    struct sample samples[BATCH_SAMPLES];
    char text[BATCH_TEXT_BYTES];
};

/* Counts what was pushed: a child of a histogram or summary is as many samples as it had lines. */
struct report {
    uint64_t accepted;
    uint64_t rejected;
    uint64_t overflowed; /* of those accepted, how many went to an overflow series */
    uint64_t rejected_by[STATUS_COUNT];
    uint32_t error_count;
    struct refusal errors[REPORT_ERRORS]; /* the first ones, with their lines */
};

/*
 * Everything a decoder may use besides its own state. It is put together for each feed, on the
 * stack.
 */
struct intake {
    struct batch *batch;
    struct report *report;
    struct arena *scratch; /* for one element; rewound by whoever marked it */
    const struct settings *settings;
    struct ledger *ledger;
    uint64_t seed; /* of fingerprints */
    /*
     * Takes the batch's samples and counts each in the report, accepted or rejected; not OK ends
     * the request (an atomic push that no longer fits its arena). The batch is emptied by
     * batch_flush, not by it.
     */
    struct refusal (*flush)(void *context, struct intake *intake);
    void *context;
};

/* Is there room as it is? */
static inline bool batch_has_room(const struct batch *batch, size_t text_bytes)
{
    return batch->count < BATCH_SAMPLES && text_bytes <= BATCH_TEXT_BYTES - batch->text_used;
}

/*
 * Room for one more sample and `text_bytes` (at most BATCH_TEXT_BYTES) of text; flushes if need be.
 */
struct refusal batch_reserve(struct intake *intake, size_t text_bytes);

/* The next sample to fill in, set to zero; reserved before, and part of the batch from here on. */
struct sample *batch_add(struct batch *batch);

/* `bytes` of text that live as long as the batch's samples; reserved before. */
char *batch_text(struct batch *batch, size_t bytes);

/* Copies a declaration's texts into the batch; batch_declaration_bytes were reserved before. */
const struct declaration *batch_declaration(struct batch *batch, struct declaration declaration);
size_t batch_declaration_bytes(struct declaration declaration);

/* The same for a child and its bounds; labels and name are texts like any other. */
const struct child *batch_child(struct batch *batch, const struct child *child);
size_t batch_child_bytes(const struct child *child);

/* A copy of the text; its length was reserved before. */
const char *batch_copy(struct batch *batch, struct bytes text);

/* Hands all samples over and empties the batch. */
struct refusal batch_flush(struct intake *intake);

/* One sample was rejected where `refusal` says. Only the first errors are kept; all are counted. */
void report_reject(struct report *report, struct refusal refusal);

/* The same for a sample that came in so many lines: each is counted, it is one error. */
void report_reject_lines(struct report *report, struct refusal refusal, uint32_t lines);

#endif
