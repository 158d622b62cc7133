/*
 * cell.h: one series in one window, sealed into bytes; and what cells add up to.
 *
 *     section of a family:   | cell | cell | cell |      by rising sequence number of the series
 *     cell:                  | head | more … |
 *                              │ └ 4 bits: how many samples, equal or not, how wide its numbers are
 *                              └ 4 bits: how much higher its sequence number is
 *
 * A cell says which series it is of by the family's sequence number, which is never given twice: so
 * there is no generation to keep, and the next one is mostly one higher. Numbers that are small
 * whole ones take 1, 2 or 4 bytes, others the 8 of a double.
 *
 *     counter     sum                                   2 to 10 bytes for one sample
 *     gauge       last, its time                        4 to 13
 *     several     + count, sum, min, max                at most 29 a counter, 40 a gauge
 *     histogram   sum, min, max, buckets in use         see cell.c for the sketches
 *     classic     sum, observations, counts by bound    bounds once, while they stay the same
 *     set         its registers in use
 *
 * The same coding serves the windows' rings, and the cache, where a group of series stands under
 * the sequence number of its first one.
 *
 * Owner: the ring or buffer the bytes lie in. Threads: one at a time.
 */
#ifndef STORE_CELL_H
#define STORE_CELL_H

#include "store/sketch_code.h"

/* No cell is longer: a sketch, and at most 64 bytes before it. */
#define CELL_BYTES_MAX (SKETCH_BYTES_MAX + 64)

/*
 * What a series, or a group of them, comes to over some time. `histogram`, `classic` and `set` are
 * borrowed: NULL where the kind has none, or where they are not asked for.
 */
struct tally {
    uint64_t count; /* samples; pushes of a child. 0: nothing yet, and the rest is undefined */
    double sum;
    double min;
    double max;
    double last;     /* gauges: the latest; classic histograms and summaries: observations */
    int64_t last_ms; /* of the latest */
    union {
        struct exp_histogram *histogram;
        struct classic *classic; /* its `open` counts */
        struct hyperloglog *set;
        void *sketch;
    };
};

/* Nothing yet; an attached sketch is emptied too. */
void tally_reset(struct tally *tally, enum kind kind);

/* Adds all of `from`; sketches where both have one. Returns how many bounds were lost. */
uint32_t tally_add(struct tally *into, const struct tally *from, enum kind kind);

/* Where the sketch of a tally of that kind takes its bytes: 0 when it has none. */
size_t tally_sketch_bytes(enum kind kind);

/* ---- writing ---- */

struct cell_writer {
    enum kind kind;
    int64_t start_ms; /* of the window: times are counted from it */
    uint64_t sequence; /* of the cell before */
    struct bounds bounds;
};

void cell_writer_init(struct cell_writer *writer, enum kind kind, int64_t start_ms);

/*
 * Writes a cell into `out`, CELL_BYTES_MAX of it; returns its length. Sequence numbers rise, and
 * tally->count > 0.
 */
size_t cell_write(struct cell_writer *writer, uint64_t sequence, const struct tally *tally,
                  uint8_t *out);

/* ---- reading ---- */

/* A section's bytes; in two pieces where the ring's end lies within. No cell is cut. */
struct section {
    enum kind kind;
    int64_t start_ms;
    uint64_t cells;
    const uint8_t *piece[2];
    size_t piece_bytes[2];
};

struct cell_reader {
    enum kind kind;
    int64_t start_ms;
    uint64_t sequence;
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *next_piece; /* where next_bytes is not 0 */
    size_t next_bytes;
    bool is_peeked; /* `head` and `sequence` are of a cell yet to be taken */
    uint8_t head;
    struct bounds bounds;
};

void cell_reader_init(struct cell_reader *reader, const struct section *section);

/* Which series the next cell is of; false at the end. */
bool cell_peek(struct cell_reader *reader, uint64_t *sequence);

/* Adds the cell that was peeked at. */
void cell_take(struct cell_reader *reader, struct tally *tally);

/*
 * The next cell, added to nothing: false at the end. `tally` is overwritten, its sketch too when it
 * has one.
 */
bool cell_read(struct cell_reader *reader, uint64_t *sequence, struct tally *tally);

/* ---- adding up by group ---- */

#define GROUP_NONE UINT16_MAX /* of a series that is not asked for */

/* Which series are in which group, by rising sequence number: all live ones of the family. */
struct groups_of {
    const uint64_t *sequences;
    const uint16_t *groups;
    uint32_t count;
    uint32_t at;          /* where the next cell's series is looked for; 0 to begin with */
    uint16_t gone;        /* the group of series that have ended since; GROUP_NONE: not asked for */
    uint64_t sequence_end; /* series born since then are not asked for */
};

/* The place of the first series with that sequence number or a higher one, from `from` on. */
uint32_t groups_find(const struct groups_of *groups, uint32_t from, uint64_t sequence);

/*
 * Adds up to `most` cells to the tallies of their groups. False when the section is at its end.
 * With `extremes` false the tallies' min and max are not kept, which is faster.
 */
bool cells_add(struct cell_reader *reader, struct groups_of *groups, struct tally *tallies,
               bool extremes, uint32_t most);

#endif
