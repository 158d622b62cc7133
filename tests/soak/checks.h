/*
 * checks.h: the exact invariants of quiet points, and conservation: what needs no statistics.
 *
 *     checks of each point ──by name──> table: judged, failed, first failure
 *                          ──by cause─> findings: one for each pool or resource, with the culprit
 *                                       that the service's own difference and sites name
 *
 * A check's name says what it is about: POOL_live_bytes and the like, or one of the words in
 * checks.c.
 */
#ifndef SOAK_CHECKS_H
#define SOAK_CHECKS_H

#include "finding.h"
#include "reading.h"

/* Each returns its table. */
json_t *checks_judge(struct findings *findings, const struct reading *reading);
json_t *sums_judge(struct findings *findings, const struct reading *reading);

#endif
