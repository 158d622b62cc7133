/*
 * query_reply.h: the answer to a query as JSON, a page at a time.
 *
 *     {"metric":…,"kind":…,"fn":…,"step":10,"resolution":10,"from":…,"to":…,"held_from":…,
 *      "notes":[…],"series":[{"labels":{…},"points":[[t,v],[t,v],[t,v,"open"]]},…],
 *      "cache":{…},"cells":n}
 *
 * Nothing is looked up: plan and run hold all of it, so no lock is needed. A page ends before a
 * point, or before a group's labels. `from` is the beginning of the first bucket, `to` the end of
 * the range; t is the beginning of a bucket. A group without data has no row.
 *
 * Owner: the request; in its arena. Lifetime: request. Threads: one.
 */
#ifndef REPLY_QUERY_REPLY_H
#define REPLY_QUERY_REPLY_H

#include "query/query_run.h"
#include "reply/writer.h"

struct query_reply {
    const struct query_plan *plan;
    const struct query_run *run; /* NULL: there is no such metric */
    char *text;                  /* for a label value, unescaped */
    bool begun;
    uint32_t group;   /* at hand */
    uint64_t bucket;  /* the next one of it; 0: its labels are to be written, too */
    uint32_t written; /* groups */
};

/* What a page must have to hold the longest piece that is not cut. */
size_t query_reply_page_bytes(const struct settings *settings);

/* In the arena; NULL when it refused. */
struct query_reply *query_reply_make(const struct query_plan *plan, const struct query_run *run,
                                     struct arena *arena);

/* Writes what fits. False when the page it wrote is the last. */
bool query_reply_next(struct query_reply *reply, struct writer *page);

#endif
