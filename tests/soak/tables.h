/*
 * tables.h: what stands in the report beside findings: counts, extremes, pools, and what was run.
 */
#ifndef SOAK_TABLES_H
#define SOAK_TABLES_H

#include "finding.h"
#include "reading.h"

/* Adds the members to the report; bounded pools that are full or refused become remarks. */
void tables_add(json_t *report, struct findings *findings, const struct reading *reading,
                const json_t *docker);

#endif
