/*
 * driver.h: what the load has done so far, as the record has it.
 */
#ifndef SOAK_DRIVER_H
#define SOAK_DRIVER_H

#include <jansson.h>

#include "traffic.h"

/* A sample's "driver". Takes the latencies of the interval since the last one. */
json_t *driver_json(struct traffic *traffic);

#endif
