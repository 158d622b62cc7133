/*
 * child_draft.h: one child of a classic histogram or summary, as its lines come one behind another.
 *
 *     foo_bucket{le="1",a="b"} 5      add ──> opens a draft: {a="b"}, bound 1
 *     foo_bucket{le="+Inf",a="b"} 9   add ──> count 9
 *     foo_sum{a="b"} 4.5              add ──> sum 4.5
 *     foo_sum{a="c"} 1                add ──> no: another child. finish, drop, add again
 *
 * A body may be cut between any two lines, and the text they were read from ends with each piece;
 * so labels and bounds are copied here. The room for them is taken with the decoder: a streamed
 * push that was let in is not refused for its histograms.
 *
 * Owner: a decoder. Lifetime: request; what is in it, from the child's first line to its drop.
 * Threads: one.
 */
#ifndef INGEST_CHILD_DRAFT_H
#define INGEST_CHILD_DRAFT_H

#include "base/settings.h"
#include "ingest/label_set.h"
#include "ingest/sample.h"

/*
 * Bounds that are looked at, before they are thinned to CHILD_BOUNDS_MAX: more than any known
 * client writes by itself (Micrometer's percentile histograms have 276). Those behind them are
 * lost unseen.
 */
#define CHILD_BOUNDS_READ 320

/* One line, read. */
struct child_line {
    enum kind kind;
    enum part part;
    double bound; /* of a bucket; not NaN, not -Inf */
    double value;
    int64_t timestamp_ms;
    uint64_t line;
};

struct child_draft {
    uint32_t lines; /* of the open child; 0: none is open */
    uint64_t line;  /* its first */
    enum kind kind;
    int64_t timestamp_ms; /* the last one given */
    bool has_infinity;    /* the +Inf bucket came; child.count is its */
    bool has_own_count;   /* _count came, too */
    struct child child;   /* what was read so far; its arrays are those below */
    uint32_t bounds_max;
    double *bounds; /* finite, rising */
    double *counts;
    size_t labels_length;
    size_t labels_max;
    char *labels;
};

/*
 * The room a draft needs: for label sets of up to `labels_max` bytes, and for as many bounds as a
 * body of `body_bytes` can have.
 */
size_t child_draft_bytes(size_t labels_max, uint64_t body_bytes);

/* `room` has child_draft_bytes of the same figures, aligned like a double. */
void child_draft_init(struct child_draft *draft, size_t labels_max, uint64_t body_bytes,
                      void *room);

static inline bool child_draft_is_open(const struct child_draft *draft)
{
    return draft->lines > 0;
}

/*
 * Adds a line, of this family and with these labels: finished, without le. False, and nothing
 * changed, when it begins another child: its kind or its labels are others, or what it says was
 * said already. A draft that is not open takes any line.
 */
bool child_draft_add(struct child_draft *draft, const struct child_line *line,
                     const struct label_list *labels);

/*
 * The child is complete: checks it as a whole and thins its bounds. `child` borrows the draft's
 * arrays, until the next line. Not OK: it is no histogram; the refusal has no line yet.
 */
struct refusal child_draft_finish(struct child_draft *draft, struct child *child);

static inline struct bytes child_draft_labels(const struct child_draft *draft)
{
    return (struct bytes){draft->labels, draft->labels_length};
}

/* The open child is done with. */
static inline void child_draft_drop(struct child_draft *draft)
{
    draft->lines = 0;
}

#endif
