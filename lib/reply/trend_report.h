/*
 * trend_report.h: GET /memory/trend: what grows, how fast, and when its room ends.
 *
 * Threads: one. The bytes are constant: a row for each watched figure.
 */
#ifndef REPLY_TREND_REPORT_H
#define REPLY_TREND_REPORT_H

#include "memory/watch.h"
#include "reply/writer.h"

/* What the report comes to at most (a test fills it). */
#define TREND_REPORT_BYTES 16384

void trend_report_write(struct writer *writer, const struct watch_report *report, int64_t now_ms);

#endif
