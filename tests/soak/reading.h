/*
 * reading.h: the record of a run, as columns of numbers.
 *
 *     DIR/record.ndjson ──line by line──> start, events         kept as they are
 *                                         sample ──flattened──> samples: a column for each number
 *                                         quiet ──flattened───> quiets: likewise
 *                                               └─────────────> points: its checks, in words
 *
 * A number's column is named by its path: "memory.process.rss_bytes", "driver.requests.push". Of
 * an array of objects the name of each is in the path: "memory.pools.series.live_bytes". So nothing
 * here knows what is measured, and what is added to the record later is read as well. What the
 * driver counts begins at 0 when it is started again; here it goes on.
 *
 * A day of samples every 15 s, three days long, is some 17,000 rows of 450 numbers: 60 MB.
 * Reading goes on where it ended, so a record that grows is read once, whoever follows it.
 *
 * Owner: who reads. Lifetime: reading_open .. reading_close. Threads: one.
 */
#ifndef SOAK_READING_H
#define SOAK_READING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct column {
    double *values; /* as many as the table has rows; NAN: not in this row */
    double last;    /* the latest that was not NAN */
    double base;    /* added to each, of what the driver counts: what came before its last start */
};

/* So many numbers a line are taken, three times what the service says; what is beyond is left out.
 */
#define TABLE_COLUMNS 1024

struct table {
    size_t rows;
    size_t room;
    size_t column_count;
    size_t left_out; /* numbers, for want of columns */
    struct column columns[TABLE_COLUMNS];
    json_t *names; /* path -> place in columns */
};

struct reading {
    char *path;
    long offset;  /* read up to here */
    size_t lines; /* whole ones */
    size_t unreadable;
    struct table samples;
    struct table quiets;
    json_t *start;    /* the first start line; NULL: none */
    size_t starts;    /* how often the driver was started */
    json_t *events;   /* array of event lines */
    json_t *points;   /* array of quiet lines without their documents, one for each row of quiets */
    json_t *memory;   /* the latest /memory document; NULL: none */
    json_t *statuses; /* array of {status, reason, first, last, samples}: what was said, and when */
};

void reading_open(struct reading *reading, const char *directory);
void reading_close(struct reading *reading);

/* Reads the whole lines that are there by now. False: the file cannot be read. */
bool reading_read(struct reading *reading);

/* NULL when no row has it. */
const double *table_column(const struct table *table, const char *name);
double column_at(const double *column, size_t row); /* NAN: no such column, or not in this row */

/* Of a column: its first and last value, and its largest; NAN when there is none. */
double table_first(const struct table *table, const char *name);
double table_last(const struct table *table, const char *name);
double table_max(const struct table *table, const char *name);

/* Calls back for each column named PREFIX<key>SUFFIX, with what stands between, in order of their
 * first appearance. */
typedef void table_visit(void *context, const char *key, const double *values);
void table_each(const struct table *table, const char *prefix, const char *suffix,
                table_visit *visit, void *context);

/* The pool that is named `name` in the latest /memory document; NULL: none. */
const json_t *pool_find(const struct reading *reading, const char *name);

/* Members of JSON objects, which may be NULL or lack them. */
double member_number(const json_t *object, const char *name);    /* NAN: none */
const char *member_text(const json_t *object, const char *name); /* "": none */

/* realloc, or the end of the program. */
void *heap_take(void *old, size_t bytes);

#endif
