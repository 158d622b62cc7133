/*
 * slopes.h: does anything grow that no pool bounds, and is the last day worse than the first?
 *
 * Slopes are lib/memory/trend.h's: of the lowest figures of a quarter of a day each, the first two
 * left out; judged from 12 such blocks on, by days alone from 9. What is too little to matter is
 * 1 % a day and 64 KiB an hour (64 KiB a block, where days are short) of memory, 10 % a day of
 * time. Days are whole ones since the first quiet point, so that each has the same wave in it;
 * the last is worse when its median is, and most of its hours against the same ones of the first.
 * Latency and CPU time are judged since the store was full: a larger page takes longer, and that is
 * no ageing.
 */
#ifndef SOAK_SLOPES_H
#define SOAK_SLOPES_H

#include "figures.h"
#include "finding.h"

/* Each returns its table: an array of rows, one for each figure that was recorded. */
json_t *slopes_judge(struct findings *findings, const struct figures *figures);
json_t *days_judge(struct findings *findings, const struct figures *figures,
                   const struct table *quiets);

#endif
