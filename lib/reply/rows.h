/*
 * rows.h: series, label names, label values and cardinality as JSON.
 *
 *     {"series":[ row, row ],"next":"4711"}    next: the next page's `after`; only if there is more
 *
 * Each reply is one piece in a buffer of the request's arena. A row that no longer fits is taken
 * back, and the page ends before it, closed and with a token, so a small buffer makes short pages,
 * never broken ones. The `_bytes` functions say how large it must be for one row of the longest
 * kind; in a smaller one the writer may come out full, which means that not even one row fitted:
 * REQUEST_TOO_LARGE.
 *
 * Label values are unescaped here, and escaped again as JSON has it: at most 6 bytes for one.
 */
#ifndef REPLY_ROWS_H
#define REPLY_ROWS_H

#include "query/cardinality.h"
#include "query/name_page.h"
#include "query/series_page.h"
#include "reply/writer.h"

/*
 * One series: {"metric":…,"kind":…,"labels":{…},"value":…,"idle_seconds":…}; histograms and
 * summaries have "count" and "sum" for "value", a set its estimate. `text` has series_text_bytes.
 */
void series_row_write(struct writer *writer, const struct store *store,
                      const struct series *series, int64_t now_ms, char *text);

/* The most that a page of one series takes. */
size_t series_rows_bytes(const struct settings *settings);

/* A page of series: begin; under the lock step until it is true, SWEEP_SLICE a time; end. */
void series_rows_begin(struct writer *writer);
bool series_rows_step(struct writer *writer, struct series_page *page, const struct store *store,
                      int64_t now_ms, uint32_t slice);
void series_rows_end(struct writer *writer, const struct series_page *page);

/* {"deleted_series":n} */
void deletion_write(struct writer *writer, const struct deletion *deletion);

/* The most that a page of one name takes, the name in front of it included. */
size_t name_rows_bytes(const struct settings *settings);

/* {"labels":[…],"next":…} */
void label_names_write(struct writer *writer, const struct name_page *page);

/* {"name":…,"values":[…],"next":…} */
void label_values_write(struct writer *writer, struct bytes name, const struct name_page *page);

/* The most that cardinality_write writes. */
size_t cardinality_rows_bytes(const struct settings *settings);

/* {"series":…,"series_max":…,"metrics":[…],"labels":[…],…}, once cardinality_step was true. */
void cardinality_write(struct writer *writer, const struct cardinality *cardinality);

#endif
