/*
 * quiet.h: a quiet point: nothing of ours is under way, so what must be nothing is nothing.
 *
 *     load │ pause │ until the service agrees │ checks │ until a window begins │ sums │ load
 *                    at most 10 s                        at most a window
 *
 * Every check is exact, or a bound; none is a guess. What is compared with "the first" is compared
 * with the first quiet point of the run, before any load.
 *
 * The judgement knows of no drill: it reads what the service says, as it would of any.
 *
 * Owner: the run. Threads: one.
 */
#ifndef SOAK_QUIET_H
#define SOAK_QUIET_H

#include <jansson.h>

#include "options.h"
#include "traffic.h"

/* The service's memory document once nothing is in flight there but this very question, and every
 * check holds; after 10 s as it is then. NULL when it did not answer. `first` is the document of
 * the first quiet point, NULL when this is it. *checks gets the rows. */
json_t *quiet_settle(const struct soak_options *options, const json_t *first, json_t **checks);

/* Adds the row of valid requests that were refused without need: there is a limit (413) and a
 * shortage (503) that may refuse one; anything else is a fault, of the service or of the load. */
void quiet_check_load(json_t *checks, const struct traffic_figures *figures);

/* Are all rows' "ok" true? */
bool quiet_all_ok(const json_t *checks);

/* A new snapshot's id, 0 when there is none. */
json_int_t quiet_snapshot(const struct soak_options *options);

/* Adds what the service says of itself to the point's line: trend, doctor, sites and diff since
 * that snapshot. */
void quiet_ask_around(const struct soak_options *options, json_int_t snapshot, json_t *line);

#endif
