/*
 * memory_verdict.h: is all well with memory, and if not, which pool, and which setting.
 *
 *     ledger_error   the ledger and a walk over the pools disagree       a bug of ours
 *     leak_suspected an exact invariant is broken, or memory grows       see watch.h
 *     shedding       requests that must grow are answered 503 now        no room for a line
 *     pressure       a pool that a setting sizes is about to be full     nine tenths, little left;
 *                    or one fills that will be full within a day         at its present rate
 *     ok
 *
 * A ratio alone never fires: nine tenths of a large pool may leave room for days, so the free part
 * must be small too.
 */
#ifndef REPLY_MEMORY_VERDICT_H
#define REPLY_MEMORY_VERDICT_H

#include "reply/report_input.h"

enum memory_status {
    MEMORY_OK,
    MEMORY_PRESSURE,
    MEMORY_SHEDDING,
    MEMORY_LEAK_SUSPECTED,
    MEMORY_LEDGER_ERROR,
    MEMORY_STATUSES,
};

/*
 * What is nearly full has at most a tenth free, and less than this: room for some 25,000 more
 * series. In pools up to ten times as large, as all are at the default of 64 MiB, the tenth
 * decides; in larger ones this does.
 */
#define NEAR_CAPACITY_FREE_BYTES ((uint64_t)4 << 20)

struct memory_reason {
    const char *code; /* stable, for programs */
    const char *text; /* what is so, what it means, and which setting moves it */
    uint32_t figure;  /* a pool, or another watched figure; WATCH_COUNT: about none */
    double ratio;     /* of the pool, what is taken; NAN where that is not the point */
};

/* One for each rule that holds (memory_verdict.c has the table), and some of what is watched. */
#define MEMORY_RULES 9
#define MEMORY_FINDINGS 7 /* beyond them GET /memory/trend has the rest */
#define MEMORY_REASONS_MAX (MEMORY_RULES + 1 + MEMORY_FINDINGS) /* and one of the heap */

/*
 * What malloc holds and nothing explains is wrong from here on, whether it grows or not: dozens of
 * connections' worth, since one or two may be estimated wrongly; and a hundredth of memory.
 */
#define UNEXPLAINED_BYTES ((uint64_t)1 << 20)

struct memory_verdict {
    enum memory_status status; /* the worst of the reasons' */
    bool shedding;             /* also when something worse is so */
    uint32_t count;
    struct memory_reason reasons[MEMORY_REASONS_MAX];
};

struct memory_verdict memory_verdict_make(const struct report_input *input,
                                          const struct report_sums *sums);

/* "ok", "pressure", "shedding", "leak_suspected", "ledger_error" */
const char *memory_status_name(enum memory_status status);

#endif
