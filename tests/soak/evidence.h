/*
 * evidence.h: whether the record proves anything. What was not looked at cannot have failed, so a
 * record that lacks it must not pass.
 *
 *     what the run was asked for            start line, duration, quiet points, hostile clients
 *     what each quiet point must have       checks, sums
 *     what most samples must have           the documents, figures
 *     what the load must have come to       samples acknowledged, requests answered
 *
 * Peers have neither documents nor quiet points: of them only the load is judged.
 */
#ifndef SOAK_EVIDENCE_H
#define SOAK_EVIDENCE_H

#include "figures.h"
#include "finding.h"
#include "reading.h"

/* More than this part of what is there may be missing neither of samples nor of the time. */
#define EVIDENCE_MISSING_MAX 0.1

void evidence_judge(struct findings *findings, const struct reading *reading,
                    const struct figures *figures);

/* Fewer than two quiet points, or samples of a peer: there is nothing to compare. */
bool evidence_is_too_short(const struct reading *reading);

/* Seconds of the run of which there are samples: without the times the driver was not there. */
double evidence_seconds(const struct reading *reading);

#endif
