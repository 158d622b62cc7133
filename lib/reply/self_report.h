/*
 * self_report.h: the service's own figures as Prometheus text or OpenMetrics, a page at a time.
 *
 *     row of the table ──> # HELP, # TYPE, samples ──> next row          cursor: the row
 *
 * Whole families only: one that does not fit the rest of a page begins the next. The rows are
 * fixed, so the cursor is a number; figures are read when their page is written, those of one page
 * at once. A family none of whose figures the system tells is left out. OpenMetrics has no "# EOF"
 * here: what is exposed with it may follow.
 *
 * Owner: the request; the input outlives the report. Lifetime: request.
 * Threads: one; self_report_next reads input->store: hold the engine's lock.
 */
#ifndef REPLY_SELF_REPORT_H
#define REPLY_SELF_REPORT_H

#include "reply/report_input.h"
#include "reply/writer.h"

/* No family is longer (a test fills them). A page has at least that. */
#define SELF_FAMILY_BYTES_MAX 8192

struct self_report {
    const struct report_input *input;
    size_t next; /* row */
    size_t count;
    bool kept_only;
};

/*
 * `process_names`: also the bare process_* that any process has. Not beside pushed series, which
 * may be another process's exposition.
 */
void self_report_init(struct self_report *report, const struct report_input *input,
                      bool process_names);

/*
 * Those figures alone whose history is kept, a few dozen, all under names that begin with mayfly_;
 * histograms without their buckets.
 */
void self_report_init_kept(struct self_report *report, const struct report_input *input);

/* Adds whole families while they fit. False when all have been written. */
bool self_report_next(struct self_report *report, struct writer *page);

#endif
