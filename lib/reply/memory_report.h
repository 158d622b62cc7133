/*
 * memory_report.h: GET /memory as JSON (API.md, Memory).
 *
 * Only what is there is written: no member that is always 0, none that the system does not tell.
 * The work and the bytes are constant: they depend on the number of pools and figures, not on what
 * the service holds.
 *
 * Threads: one. It reads the ledger, which needs no lock, and not input->store.
 */
#ifndef REPLY_MEMORY_REPORT_H
#define REPLY_MEMORY_REPORT_H

#include "reply/report_input.h"
#include "reply/writer.h"

/*
 * What the report comes to at most, every number at its longest (a test fills it). A third of it is
 * used; the rest is for the pools and members to come.
 */
#define MEMORY_REPORT_BYTES 24576

/* Needs MEMORY_REPORT_BYTES of room. */
void memory_report_write(struct writer *writer, const struct report_input *input);

#endif
