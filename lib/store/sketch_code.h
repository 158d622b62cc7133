/*
 * sketch_code.h: histograms, buckets and sets as bytes, the part of a cell behind its numbers.
 *
 *     histogram   scale | modes | zeros | first, length, counts of each sign that has any
 *                 counts: a byte each, two bytes each, or (gap, count) pairs: about the shortest
 *     classic     bounds, or that they are those before | counts, each as what it is above the last
 *     set         places in use | each place's three bytes; or all 3,072
 *
 * A window's histogram is at the finest scale that holds its values, so some twenty values are
 * nearly as many buckets of 80 to 160, with small counts: pairs of a byte and a byte, 1 ns each to
 * add. A group's, or one of hundreds of values, uses most of its buckets: a byte or two each, which
 * a vector instruction adds eight or sixteen at a time.
 *
 * Owner: whoever has the bytes. Threads: one at a time.
 */
#ifndef STORE_SKETCH_CODE_H
#define STORE_SKETCH_CODE_H

#include "store/classic.h"
#include "store/exp_histogram.h"
#include "store/hyperloglog.h"

/* A set's three planes; 160 buckets with counts of ten bytes, or 40 bounds with theirs, are less.
 */
#define SKETCH_BYTES_MAX 3200

/*
 * What may be read behind a coded histogram, two pairs being read at a time. It is there: no cell
 * is written with less than CELL_BYTES_MAX of room.
 */
#define SKETCH_BYTES_BEHIND 2

/* A number in 7 bits a byte, least significant first (LEB128); at most 10 bytes. */
static inline uint8_t *varint_write(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

static inline uint64_t varint_read(const uint8_t **at)
{
    uint64_t value = *(*at)++;
    if (value < 0x80)
        return value;
    value &= 0x7f;
    for (unsigned shift = 7;; shift += 7) {
        uint64_t next = *(*at)++;
        value |= (next & 0x7f) << shift;
        if (next < 0x80)
            return value;
    }
}

/* Each writes at most SKETCH_BYTES_MAX and returns where it ended. */
uint8_t *histogram_code_write(uint8_t *out, const struct exp_histogram *histogram);
uint8_t *set_code_write(uint8_t *out, const struct hyperloglog *set);

/* Adds what is coded. */
void histogram_code_add(const uint8_t *at, struct exp_histogram *into);
void set_code_add(const uint8_t *at, struct hyperloglog *into);

/*
 * The bounds that stand in a section last: cells of children with the same ones do not repeat them.
 */
struct bounds {
    uint32_t count;
    double at[CHILD_BOUNDS_MAX];
};

uint8_t *classic_code_write(uint8_t *out, const struct classic *classic, struct bounds *bounds);

/* The coded child's open counts; its totals are not written. `bounds` follow the section. */
void classic_code_read(const uint8_t *at, struct bounds *bounds, struct classic *out);

#endif
