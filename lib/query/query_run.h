/*
 * query_run.h: a plan carried out: records to tallies to points.
 *
 *     bucket:  | record | record | record | open window |
 *                  │ hit      │ miss: scanned, kept       │ read once, before all else
 *                  v          v                           v
 *     cache <──> part: a tally a group  ──added──>  sums: a tally a group  ──fn──>  a point each
 *
 * A part is what one record comes to, group by group. Records never change, so a part is right for
 * ever; its key is all that it depends on (the record, the family and which of its series had
 * ended, the matchers, the grouping, and whether extremes, sketches or last values were kept),
 * hashed to 128 bits. It stands in the cache coded as a section of cells, one a group, under the
 * sequence number of the group's first series, and ends with the record.
 *
 * The bucket of the open window comes first: what is open is read when no window is half sealed,
 * and a window sealed later than that is passed over. Then the others, oldest first. A record that
 * leaves its tier meanwhile makes its bucket begin anew; a part of it is mostly in the cache then.
 *
 * The sum of a gauge is that of each series' last value in the bucket. Of a bucket of one record
 * that is a part like any other; where there are more, the last value of each series is kept for
 * the time of the bucket, and the cache is of no use.
 *
 * Owner: the request; in its arena. Lifetime: request. Threads: one; query_run_step under the
 * engine's lock, query_run_work without it.
 */
#ifndef QUERY_QUERY_RUN_H
#define QUERY_QUERY_RUN_H

#include "query/query_plan.h"

/* A part that is longer is not kept. */
#define QUERY_PART_BYTES_MAX 65536

/* The last value of a series that has ended, by its sequence number. */
struct gone_last {
    uint64_t sequence;
    int64_t last_ms; /* INT64_MIN: the place is free */
    double last;
};

struct query_run {
    const struct query_plan *plan;
    const struct query *query;
    struct lru_key question; /* all of a part's key but the record */
    bool keeps_lasts;        /* the sum of a gauge */
    bool keeps_extremes;
    int phase;         /* private */
    unsigned restarts; /* of the run */
    unsigned tears;    /* of buckets */

    double *points;     /* [group * bucket_count + bucket]; NaN: nothing */
    bool *has_data;     /* by group */
    struct tally *sums; /* of the bucket at hand, by group */
    struct tally *part; /* of the record at hand, by group */
    struct tally one;   /* what is read out of the cache */

    bool has_open; /* the open window is in the range */
    bool open_is_read;
    unsigned open_reads;
    uint64_t open_bucket;
    int64_t open_start_ms;
    uint64_t sealed_windows; /* when the open window was begun to be read */
    struct series_cursor open_cursor;
    uint32_t open_at; /* in the map */

    uint64_t turn; /* buckets done */
    uint64_t bucket;
    struct record_walk walk;
    bool by_series; /* the last value of each series is kept */

    struct record record; /* at hand */
    enum tier tier;
    struct lru_key key;
    struct cell_reader reader;
    struct groups_of groups;
    uint64_t scanned; /* cells of it */
    bool is_cached;   /* the cache is asked for it, and given it */
    uint8_t *bytes;   /* of a part */
    size_t bytes_max;
    size_t bytes_used; /* 0: there is none to be kept */

    double *lasts; /* by series, while by_series */
    int64_t *lasts_ms;
    struct gone_last *gone;
    uint32_t gone_count;

    uint64_t cells; /* that were read */
    uint64_t hits;
    uint64_t misses;
    double relative_error;  /* of the coarsest histogram a quantile was taken of */
    struct classic *bounds; /* those that all buckets of quantiles have; NULL: not asked for */
    uint64_t lost_bounds;
    /*
     * What a bucket holds left the plan's tier before it was read: coarser records cannot be told
     * apart by its buckets, and are left out. A new plan knows of it.
     */
    bool is_outdated;
    bool is_approximate; /* there was more that changed meanwhile than could be followed */
};

/* In the arena; NULL when it refused. The plan is made and not empty. */
struct query_run *query_run_make(const struct query_plan *plan, struct arena *arena);

/*
 * One slice under the lock: a record, or 4,096 cells of one, 512 where they have sketches. Sealing
 * goes first where a window is half sealed: hence the store and the history are not const.
 */
void query_run_step(struct query_run *run, struct store *store, struct history *history,
                    struct lru *cache, int64_t now_ms);

/* What needs no lock. True when there is more to do: step again. */
bool query_run_work(struct query_run *run);

static inline double query_point(const struct query_run *run, uint32_t group, uint64_t bucket)
{
    return run->points[group * run->plan->bucket_count + bucket];
}

/* Does the bucket hold the window that is still open? */
static inline bool query_bucket_is_open(const struct query_run *run, uint64_t bucket)
{
    return run->has_open && run->open_bucket == bucket;
}

#endif
