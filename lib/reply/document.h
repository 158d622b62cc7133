/*
 * document.h: the small replies: an error, and what became of a push.
 *
 * Owner: the request. Lifetime: request. Threads: one.
 */
#ifndef REPLY_DOCUMENT_H
#define REPLY_DOCUMENT_H

#include "base/status.h"
#include "ingest/batch.h"
#include "reply/writer.h"

/* An upper bound of what document_push_write and document_error_write write. */
#define DOCUMENT_BYTES_MAX 5120

/* {"error": {...}}; with `report` also what was accepted before the error was met. */
void document_error_write(struct writer *writer, const struct refusal *refusal,
                          const struct report *report);

/* The first errors of a report: [{...}, ...]; fits DOCUMENT_BYTES_MAX. */
void document_errors_write(struct writer *writer, const struct report *report);

/* {"accepted": N, "rejected": M, "errors": [...]} */
void document_push_write(struct writer *writer, const struct report *report);

#endif
