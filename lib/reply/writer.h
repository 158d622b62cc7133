/*
 * writer.h: bytes into a fixed buffer, whole rows or none.
 *
 *     at                    used                  size
 *      |==== written ========|....... room ........|
 *
 * A write that does not fit writes nothing and sets `full`; so do all after it. Who writes rows
 * marks `used` before a row and, when it came out full, rewinds to the mark and goes on in the next
 * page.
 *
 * Owner: whoever answers. Lifetime: the buffer's. Threads: one.
 */
#ifndef REPLY_WRITER_H
#define REPLY_WRITER_H

#include "base/bytes.h"

struct writer {
    char *at;
    size_t used;
    size_t size;
    bool full;
};

static inline struct writer writer_make(char *at, size_t size)
{
    return (struct writer){.at = at, .size = size};
}

static inline struct bytes writer_text(const struct writer *writer)
{
    return (struct bytes){writer->at, writer->used};
}

/* Back to a row's beginning; the writer is not full any more. */
static inline void writer_rewind(struct writer *writer, size_t used)
{
    writer->used = used;
    writer->full = false;
}

/* Room for `bytes`, to be filled by the caller; NULL when it does not fit. */
char *writer_take(struct writer *writer, size_t bytes);

void writer_bytes(struct writer *writer, struct bytes text);
void writer_string(struct writer *writer, const char *text);
void writer_char(struct writer *writer, char c);
void writer_u64(struct writer *writer, uint64_t value);
void writer_i64(struct writer *writer, int64_t value);

/* As Prometheus prints it: shortest text that reads back the same, NaN, +Inf, -Inf. */
void writer_number(struct writer *writer, double value);

/* The same for JSON, where what is not finite is null. */
void writer_json_number(struct writer *writer, double value);

/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void writer_json_string(struct writer *writer, struct bytes text);

/* ,"key": the next member of an object; the key needs no escape. */
void writer_json_key(struct writer *writer, const char *key);

/* Milliseconds as seconds with three decimals: 1795378410.151. */
void writer_seconds(struct writer *writer, int64_t ms);

#endif
