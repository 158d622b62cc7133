/*
 * summarize.h: a body on its way into a summary: what /v1/summarize does with it.
 *
 *     bytes ──> inflater ──> csv_reader ──────────────────────> key, value ──> summary ──> a reply
 *                       ├──> json_decoder ──> json_fields_read ──────┤
 *                       └──> prometheus_decoder ──> samples ─────────┘
 *
 * The body goes through a struct push, for its inflater and its report, with an intake whose flush
 * ends here: nothing of it reaches the store, and nothing is kept.
 *
 *     CSV          the header line names the columns; value and by must be among them
 *     NDJSON, JSON an object's fields, or else those of its `labels`; strings, numbers and booleans
 *     Prometheus   value is the metric's name, by are labels; one that a sample lacks is ""
 *
 * A row that cannot be used is rejected alone and the body goes on. What ends it: an arena without
 * room, a header line that lacks a column, quotes that have no end, and what ends a push.
 *
 * Owner: the request. Lifetime: request. Threads: one.
 */
#ifndef QUERY_SUMMARIZE_H
#define QUERY_SUMMARIZE_H

#include "ingest/json_element.h"
#include "ingest/push.h"
#include "query/summary.h"

enum summary_format {
    SUMMARY_BY_FIRST_BYTE, /* {: NDJSON, [: a JSON array, else CSV */
    SUMMARY_JSON,          /* [: a JSON array, else NDJSON */
    SUMMARY_CSV,
    SUMMARY_NDJSON,
    SUMMARY_ARRAY,
    SUMMARY_PROMETHEUS,
    SUMMARY_OPENMETRICS,
};

struct summarize_options {
    enum encoding encoding;
    enum summary_format format;
    uint64_t body_bytes; /* UINT64_MAX when it is not known */
    uint64_t seed;
    struct summary_options summary; /* the names outlive the summary */
};

struct summarize {
    struct summarize_options options;
    struct summary summary;
    struct push push; /* its report is this one's */
};

/* NULL when the arena refused; it says why. */
struct summarize *summarize_make(const struct summarize_options *options,
                                 const struct settings *settings, struct arena *arena);

/* Takes the next bytes of the body. Not OK ends it. */
struct refusal summarize_feed(struct summarize *summarize, struct bytes input,
                              const struct intake *intake);

/* The body is complete: the summary and the report may be read. */
struct refusal summarize_finish(struct summarize *summarize, const struct intake *intake);

/*
 * ---- the formats' own. The intake's context is the summary. ----
 */

struct decoder *summarize_csv_make(const struct summarize_options *options, struct summary *summary,
                                   struct arena *arena);

/* Takes one JSON object: what a decoder's read_object is. */
struct refusal summarize_object(const struct json_element *element, struct intake *intake);

/* Takes the batch's samples: what an intake's flush is. */
struct refusal summarize_samples(void *context, struct intake *intake);

/* Adds a value to the group of the key; rejects it where it cannot be. Not OK ends the body. */
struct refusal summarize_value(struct summary *summary, double value, uint64_t line,
                               struct intake *intake);

#endif
