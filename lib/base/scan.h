/*
 * scan.h: where does a run of plain bytes end? Sixteen bytes a step where the machine has SSE2,
 * else one.
 *
 * Reading metrics is mostly this question, asked of names and of label values; the answer is the
 * same on every machine.
 */
#ifndef BASE_SCAN_H
#define BASE_SCAN_H

/* The first byte in [at, end) that is not one of [a-zA-Z0-9_:], or end. */
const char *scan_name(const char *at, const char *end);

/* The first byte in [at, end) that is a quote, a backslash or not ASCII, or end. */
const char *scan_quoted(const char *at, const char *end);

/* The same two, a byte at a time: what the fast ones are tested against. */
const char *scan_name_plain(const char *at, const char *end);
const char *scan_quoted_plain(const char *at, const char *end);

#endif
