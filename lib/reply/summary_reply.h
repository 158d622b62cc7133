/*
 * summary_reply.h: the table of a summary, a page at a time, as JSON or CSV.
 *
 *     {"rows": 3, "rejected": 1, "errors": [...], "relative_error": 0.02, "groups": [
 *      {"by": {"route": "/a"}, "count": 2, ..., "quantiles": {"0.5": 1.5}, "relative_error": 0.01},
 *      {"overflow": true, "count": 1, ...}
 *     ]}
 *
 *     route,count,sum,mean,stddev,min,max,q0.5,relative_error,overflow
 *     /a,2,3,1.5,0.5,1,2,1.5,0.01,false
 *
 * Groups stand in order of first appearance. What has left the range of a float64 is null, in CSV
 * an empty field; CSV has no place for what was rejected.
 *
 * Owner: the request. Lifetime: request. Threads: one.
 */
#ifndef REPLY_SUMMARY_REPLY_H
#define REPLY_SUMMARY_REPLY_H

#include "ingest/batch.h"
#include "query/summary.h"
#include "reply/writer.h"

struct summary_reply {
    const struct summary *summary;
    const struct report *report;
    const struct summary_group *group; /* the next one to write */
    bool csv;
    bool headed; /* what stands before the groups is written */
};

struct summary_reply summary_reply_make(const struct summary *summary, const struct report *report,
                                        bool csv);

/* The least a page may have: the longest row of a group, or what stands before them. */
size_t summary_reply_page_bytes(const struct summary_options *options,
                                const struct settings *settings);

/* Writes whole rows until the page is full. False: this page is the last. */
bool summary_reply_next(struct summary_reply *reply, struct writer *page);

#endif
