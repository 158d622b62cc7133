/*
 * page.h: the report as one HTML file: no script, nothing from a network, light or dark.
 *
 * Whatever is from the record (names, words of the service, the configuration) is escaped.
 */
#ifndef SOAK_PAGE_H
#define SOAK_PAGE_H

#include "figures.h"
#include "reading.h"

#include <stdio.h>

/* report: as findings_judge() made it. */
void page_write(FILE *out, const json_t *report, const struct reading *reading,
                const struct figures *figures);

/* The verdict in one sentence, for the page and the terminal. */
void verdict_tell(FILE *out, const json_t *report);

#endif
