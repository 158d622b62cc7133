/*
 * query.h: a question about the past, as it was asked.
 *
 *     metric=hits&match=code!=500&by=route&fn=rate&from=-1h&step=1m
 *        │          │               │       │       │       └ length of a bucket; 0: the plan's
 *        │          │               │       │       └ milliseconds since 1970
 *        │          │               │       └ may be left open until the kind is known
 *        │          └───────────────┴ which series, and which of them together
 *        └ one family
 *
 * Owner:    the request; texts are borrowed from its parameters. Lifetime: request. Threads: one.
 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "query/matcher.h"

/* Names in by= or without=; each is compared with every label of every series. */
#define QUERY_LABELS_MAX 16

enum function {
    FUNCTION_NONE, /* not said: query_settle chooses */
    FUNCTION_SUM,
    FUNCTION_RATE,
    FUNCTION_AVG,
    FUNCTION_MIN,
    FUNCTION_MAX,
    FUNCTION_LAST,
    FUNCTION_COUNT,
    FUNCTION_UNIQUE,
    FUNCTION_QUANTILE,
};

struct query {
    struct bytes metric;
    struct selector selector;
    uint32_t match_count;
    struct bytes matches[SELECTOR_MATCHERS_MAX]; /* as they were written, in order of bytes */
    bool without;
    uint32_t label_count;
    struct bytes labels[QUERY_LABELS_MAX]; /* of by= or without=, in order of bytes, none twice */
    enum function function;
    struct bytes function_text; /* as it was written, for the reply */
    double quantile;            /* 0 .. 1 */
    int64_t now_ms;
    int64_t from_ms; /* from_ms <= to_ms <= now_ms */
    int64_t to_ms;
    int64_t step_ms; /* 0: not said */
    unsigned given;  /* which parameters were there: a private mask */
};

void query_init(struct query *query, int64_t now_ms);

/* One parameter. BAD_PARAMETER when it is not known, not understood, or there twice. */
struct refusal query_add_parameter(struct query *query, struct bytes name, struct bytes value,
                                   struct arena *arena, const struct settings *settings);

/* After the last one: MISSING_METRIC, or what is wrong with the parameters together. */
struct refusal query_finish(struct query *query);

/*
 * Now that the kind is known: chooses a function where none was said, or BAD_FUNCTION when this
 * kind has not got it.
 */
struct refusal query_settle(struct query *query, enum kind kind);

/* Does the answer need what the kind's sketch keeps? */
bool query_needs_sketch(const struct query *query);

/*
 * A time: Unix seconds (1763841600.5), RFC 3339 (2025-11-22T20:00:00.5+01:00), or relative to now
 * (now, now-5m, -1h30m). From 1970 to 9999.
 */
bool query_time_read(struct bytes text, int64_t now_ms, int64_t *ms);

/* A length of time: 10s, 1h30m, 1.5h, 500ms; with `bare` also 90, which is seconds. */
bool query_duration_read(struct bytes text, bool bare, int64_t *ms);

#endif
