/*
 * traffic.h: what clients do: pushes, storms of new series, deletions.
 *
 * There are more metrics than families may be; which ones are pushed moves on with the hours, so
 * that families end and others take their place. Each metric has some series that stay, and others
 * that are seen for a while and never again. Values are whole numbers, or multiples of a power of
 * two: however they are added up, a double holds the sum.
 *
 * Owner: the simulation. Threads: one.
 */
#ifndef TESTS_SIM_TRAFFIC_H
#define TESTS_SIM_TRAFFIC_H

#include "sim.h"

/* So many samples of metrics that are in use at this hour. */
void traffic_push(struct sim *sim, uint32_t samples);

/* New series, more than there is room for. */
void traffic_storm(struct sim *sim, uint32_t samples);

/* Deletes some or all series of some metric. */
void traffic_delete(struct sim *sim);

#endif
