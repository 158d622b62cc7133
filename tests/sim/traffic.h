/*
 * traffic.h: what clients push: bodies in every format and encoding, and damaged ones.
 *
 *     metrics, labels, values ──> text, NDJSON, JSON ──gzip, zstd──> bytes flipped, cut short
 *
 * There are more metrics than families may be; which ones are pushed moves on with the hours, so
 * that families end and others take their place. Each metric has some series that stay, and others
 * that are seen for a while and never again. Values are whole numbers, or multiples of a power of
 * two: however they are added up, a double holds the sum.
 *
 * Owner: the simulation; a text's memory is malloc's. Threads: one.
 */
#ifndef TESTS_SIM_TRAFFIC_H
#define TESTS_SIM_TRAFFIC_H

#include "sim.h"

enum traffic_format {
    TRAFFIC_TEXT,
    TRAFFIC_OPENMETRICS,
    TRAFFIC_NDJSON,
    TRAFFIC_JSON,
    TRAFFIC_FORMATS,
};

/* So many samples of metrics that are in use at this hour; `storm`: new series of any metric. */
void traffic_write(struct sim *sim, struct text *text, enum traffic_format format, uint32_t samples,
                   bool storm);

/* CSV for a summary: who, size, cost. */
void traffic_write_table(struct sim *sim, struct text *text, uint32_t rows);

/* Small once it is compressed. */
void traffic_write_bomb(struct text *text);

/* Replace the text by its compressed form. */
void traffic_gzip(struct text *text);
void traffic_zstd(struct text *text);

/* Flips some bytes. */
void traffic_damage(struct sim *sim, struct text *text);

void text_end(struct text *text);

#endif
