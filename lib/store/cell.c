/* cell.c: see cell.h; sketches are coded in sketch_code.c. */
#include "store/cell.h"

#include "base/ensure.h"
#include "store/sketch_code.h"

#include <math.h>
#include <string.h>

/* ---- the head: which form the numbers have ---- */

enum head {
    HEAD_SEVERAL = 1, /* a count stands there; else it is one sample */
    HEAD_SPREAD = 2,  /* sum, min and max (and last) differ; else one number says them all */
    HEAD_WIDTH = 4,   /* times enum width */
    HEAD_FORM = 15,
    HEAD_STEP = 16, /* times how much higher the sequence number is, less 1 */
};

#define STEP_MAX 15 /* more: the rest stands behind the head */

enum width {
    WIDTH_DOUBLE,
    WIDTH_8, /* a whole number below 2^8 */
    WIDTH_16,
    WIDTH_32,
};

static const uint8_t width_bytes[] = {8, 1, 2, 4};

static bool has_sketch(enum kind kind)
{
    return kind == KIND_HISTOGRAM || kind == KIND_SET || kind == KIND_CLASSIC;
}

/* ---- tallies ---- */

size_t tally_sketch_bytes(enum kind kind)
{
    switch (kind) {
    case KIND_HISTOGRAM:
        return sizeof(struct exp_histogram);
    case KIND_SET:
        return sizeof(struct hyperloglog);
    case KIND_CLASSIC:
        return sizeof(struct classic);
    default:
        return 0;
    }
}

static void sketch_reset(struct tally *tally, enum kind kind)
{
    if (tally->sketch == NULL)
        return;
    if (kind == KIND_HISTOGRAM)
        exp_histogram_init(tally->histogram);
    else if (kind == KIND_SET)
        hyperloglog_init(tally->set);
    else if (kind == KIND_CLASSIC)
        classic_init(tally->classic);
}

/* Such that adding to it needs no special case. */
void tally_reset(struct tally *tally, enum kind kind)
{
    void *sketch = tally->sketch;
    *tally = (struct tally){.min = INFINITY, .max = -INFINITY, .last_ms = INT64_MIN};
    tally->sketch = sketch;
    sketch_reset(tally, kind);
}

static uint32_t sketch_add(struct tally *into, const struct tally *from, enum kind kind)
{
    if (into->sketch == NULL || from->sketch == NULL)
        return 0;
    if (kind == KIND_HISTOGRAM)
        exp_histogram_merge(into->histogram, from->histogram);
    else if (kind == KIND_SET)
        hyperloglog_merge(into->set, from->set);
    else if (kind == KIND_CLASSIC)
        return classic_merge(into->classic, from->classic);
    return 0;
}

/* Inline: it is what a scan over millions of cells does. */
static inline void numbers_add(struct tally *into, const struct tally *from, enum kind kind,
                               bool extremes)
{
    into->count += from->count;
    into->sum += from->sum;
    if (extremes) {
        into->min = from->min < into->min ? from->min : into->min;
        into->max = from->max > into->max ? from->max : into->max;
    }
    if (kind_has_children(kind)) {
        into->last += from->last;
    } else if (kind == KIND_GAUGE && from->last_ms >= into->last_ms) {
        into->last = from->last;
        into->last_ms = from->last_ms;
    }
}

uint32_t tally_add(struct tally *into, const struct tally *from, enum kind kind)
{
    numbers_add(into, from, kind, true);
    return sketch_add(into, from, kind);
}

/* ---- writing ---- */

void cell_writer_init(struct cell_writer *writer, enum kind kind, int64_t start_ms)
{
    writer->kind = kind;
    writer->start_ms = start_ms;
    writer->sequence = UINT64_MAX; /* the first step is the first number and one */
    writer->bounds.count = 0;
}

static bool fits_whole(double value, double below)
{
    return value >= 0 && value < below && value == (double)(uint32_t)value && !signbit(value);
}

static enum width width_of(const double *numbers, int count)
{
    static const double below[] = {[WIDTH_8] = 0x1p8, [WIDTH_16] = 0x1p16, [WIDTH_32] = 0x1p32};
    for (enum width width = WIDTH_8; width <= WIDTH_32; width++) {
        int fitting = 0;
        while (fitting < count && fits_whole(numbers[fitting], below[width]))
            fitting++;
        if (fitting == count)
            return width;
    }
    return WIDTH_DOUBLE;
}

static uint8_t *number_write(uint8_t *out, enum width width, double value)
{
    uint64_t bits = (uint64_t)(width == WIDTH_DOUBLE ? 0 : value);
    if (width == WIDTH_DOUBLE)
        memcpy(&bits, &value, sizeof bits);
    memcpy(out, &bits, sizeof bits); /* little-endian; there is room, and the next overwrites */
    return out + width_bytes[width];
}

/* The same to the last bit: -0.0 is not 0.0 here, and a NaN is itself. */
static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* True when one number says them all: equal samples, whose sum is the number times the count. */
static bool is_level(enum kind kind, const struct tally *tally)
{
    if (kind_has_children(kind))
        return false;
    double value = tally->min;
    return same_bits(tally->max, value) && same_bits(tally->sum, value * (double)tally->count) &&
           (kind != KIND_GAUGE || same_bits(tally->last, value));
}

/*
 * The numbers of a cell in the order they stand there. Returns how many. Children have no smallest
 * and no largest value; sets have none either, but zeros that cost a byte.
 */
static int numbers_of(enum kind kind, const struct tally *tally, bool level, double out[static 4])
{
    if (level) {
        out[0] = tally->min;
        return 1;
    }
    out[0] = tally->sum;
    if (kind_has_children(kind)) {
        out[1] = tally->last;
        return 2;
    }
    out[1] = tally->min;
    out[2] = tally->max;
    out[3] = tally->last;
    return kind == KIND_GAUGE ? 4 : 3;
}

static uint8_t *head_write(uint8_t *out, uint64_t step, unsigned form)
{
    ENSURE(step > 0);
    if (step <= STEP_MAX) {
        *out++ = (uint8_t)((step - 1) * HEAD_STEP | form);
        return out;
    }
    *out++ = (uint8_t)(STEP_MAX * HEAD_STEP | form);
    return varint_write(out, step - STEP_MAX - 1);
}

static uint8_t *numbers_write(uint8_t *out, const struct cell_writer *writer, uint64_t step,
                              const struct tally *tally)
{
    double numbers[4];
    bool level = is_level(writer->kind, tally);
    int count = numbers_of(writer->kind, tally, level, numbers);
    enum width width = width_of(numbers, count);
    bool several = tally->count != 1;
    unsigned form = (unsigned)width * HEAD_WIDTH;
    form |= (several ? HEAD_SEVERAL : 0U) | (level ? 0U : HEAD_SPREAD);
    out = head_write(out, step, form);
    if (several)
        out = varint_write(out, tally->count);
    for (int i = 0; i < count; i++)
        out = number_write(out, width, numbers[i]);
    if (writer->kind == KIND_GAUGE) {
        int64_t behind = tally->last_ms - writer->start_ms;
        out = varint_write(out, behind > 0 ? (uint64_t)behind : 0); /* late: as if it began it */
    }
    return out;
}

/* The sketch behind its length, so that it can be passed over. */
static uint8_t *sketch_write(uint8_t *out, struct cell_writer *writer, const struct tally *tally)
{
    uint8_t *body = out + 2;
    uint8_t *end = body;
    if (tally->sketch != NULL && writer->kind == KIND_HISTOGRAM)
        end = histogram_code_write(body, tally->histogram);
    else if (tally->sketch != NULL && writer->kind == KIND_SET)
        end = set_code_write(body, tally->set);
    else if (tally->sketch != NULL)
        end = classic_code_write(body, tally->classic, &writer->bounds);
    size_t length = (size_t)(end - body);
    ENSURE(length <= SKETCH_BYTES_MAX);
    if (length < 0x80) {
        memmove(out + 1, body, length);
        *out = (uint8_t)length;
        return out + 1 + length;
    }
    out[0] = (uint8_t)(length | 0x80); /* a varint of two bytes */
    out[1] = (uint8_t)(length >> 7);
    return end;
}

size_t cell_write(struct cell_writer *writer, uint64_t sequence, const struct tally *tally,
                  uint8_t *out)
{
    ENSURE(tally->count > 0);
    uint8_t *end = numbers_write(out, writer, sequence - writer->sequence, tally);
    if (has_sketch(writer->kind))
        end = sketch_write(end, writer, tally);
    writer->sequence = sequence;
    return (size_t)(end - out);
}

/* ---- reading ---- */

void cell_reader_init(struct cell_reader *reader, const struct section *section)
{
    reader->kind = section->kind;
    reader->start_ms = section->start_ms;
    reader->sequence = UINT64_MAX;
    reader->at = section->piece[0];
    reader->end = section->piece[0] + section->piece_bytes[0];
    reader->next_piece = section->piece[1];
    reader->next_bytes = section->piece_bytes[1];
    reader->is_peeked = false;
    reader->bounds.count = 0;
}

static inline bool at_end(struct cell_reader *reader)
{
    if (reader->at < reader->end)
        return false;
    ENSURE(reader->at == reader->end);
    if (reader->next_bytes == 0)
        return true;
    reader->at = reader->next_piece;
    reader->end = reader->next_piece + reader->next_bytes;
    reader->next_bytes = 0;
    return false;
}

static inline double number_read(const uint8_t **at, unsigned width)
{
    double value;
    uint32_t whole = 0;
    switch (width) {
    case WIDTH_DOUBLE:
        memcpy(&value, *at, sizeof value);
        *at += sizeof value;
        return value;
    case WIDTH_8:
        return *(*at)++;
    case WIDTH_16:
        memcpy(&whole, *at, 2);
        *at += 2;
        return whole;
    default:
        memcpy(&whole, *at, 4);
        *at += 4;
        return whole;
    }
}

static inline uint64_t step_read(const uint8_t **at, uint8_t head)
{
    uint64_t step = (uint64_t)(head / HEAD_STEP) + 1;
    return step <= STEP_MAX ? step : step + varint_read(at);
}

/* The numbers of a cell behind its head and step. */
static inline void numbers_read(const uint8_t **at, uint8_t head, enum kind kind, int64_t start_ms,
                                struct tally *tally)
{
    unsigned width = head / HEAD_WIDTH & 3;
    tally->count = (head & HEAD_SEVERAL) != 0 ? varint_read(at) : 1;
    if ((head & HEAD_SPREAD) == 0) {
        double value = number_read(at, width);
        tally->min = tally->max = tally->last = value;
        tally->sum = value * (double)tally->count;
    } else {
        tally->sum = number_read(at, width);
        if (kind_has_children(kind)) {
            tally->last = number_read(at, width);
        } else {
            tally->min = number_read(at, width);
            tally->max = number_read(at, width);
            if (kind == KIND_GAUGE)
                tally->last = number_read(at, width);
        }
    }
    if (kind == KIND_GAUGE)
        tally->last_ms = start_ms + (int64_t)varint_read(at);
}

/* Adds a coded sketch; without one in the tally it is passed over, but for the bounds it brings. */
static inline void sketch_read_add(struct cell_reader *reader, struct tally *tally)
{
    uint64_t length = varint_read(&reader->at);
    const uint8_t *at = reader->at;
    reader->at += length;
    if (length == 0)
        return;
    if (reader->kind == KIND_CLASSIC) {
        struct classic classic;
        classic_code_read(at, &reader->bounds, &classic);
        if (tally != NULL && tally->classic != NULL)
            classic_merge(tally->classic, &classic);
        return;
    }
    if (tally == NULL || tally->sketch == NULL)
        return;
    if (reader->kind == KIND_HISTOGRAM)
        histogram_code_add(at, tally->histogram);
    else
        set_code_add(at, tally->set);
}

bool cell_peek(struct cell_reader *reader, uint64_t *sequence)
{
    if (!reader->is_peeked) {
        if (at_end(reader))
            return false;
        reader->head = *reader->at++;
        reader->sequence += step_read(&reader->at, reader->head);
        reader->is_peeked = true;
    }
    *sequence = reader->sequence;
    return true;
}

void cell_take(struct cell_reader *reader, struct tally *tally)
{
    ENSURE(reader->is_peeked);
    struct tally cell = {0};
    numbers_read(&reader->at, reader->head, reader->kind, reader->start_ms, &cell);
    numbers_add(tally, &cell, reader->kind, true);
    if (has_sketch(reader->kind))
        sketch_read_add(reader, tally);
    reader->is_peeked = false;
}

bool cell_read(struct cell_reader *reader, uint64_t *sequence, struct tally *tally)
{
    if (!cell_peek(reader, sequence))
        return false;
    tally_reset(tally, reader->kind);
    /* Read, not added to zero: -0.0 would become 0.0. */
    numbers_read(&reader->at, reader->head, reader->kind, reader->start_ms, tally);
    if (has_sketch(reader->kind))
        sketch_read_add(reader, tally);
    reader->is_peeked = false;
    return true;
}

/* ---- adding up by group ---- */

/* Doubling steps, then halving ones: near places cost little, far ones not much. */
uint32_t groups_find(const struct groups_of *groups, uint32_t from, uint64_t sequence)
{
    uint32_t low = from;
    uint32_t step = 1;
    while (step < groups->count - low && groups->sequences[low + step] < sequence) {
        low += step;
        step *= 2;
    }
    uint32_t high = step < groups->count - low ? low + step : groups->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (groups->sequences[middle] < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline bool is_at(const struct groups_of *groups, uint64_t at, uint64_t sequence)
{
    return at < groups->count && groups->sequences[at] == sequence;
}

/*
 * Mostly the series is as many places on as its sequence number is higher; fewer, where others
 * between the two have ended. Or it has itself.
 */
static inline uint16_t group_of(const struct groups_of *groups, uint32_t *place, uint64_t step,
                                uint64_t sequence)
{
    uint64_t at = *place + step;
    if (!is_at(groups, at, sequence))
        at = groups_find(groups, *place, sequence);
    *place = (uint32_t)at;
    if (is_at(groups, at, sequence))
        return groups->groups[at];
    return sequence < groups->sequence_end ? groups->gone : GROUP_NONE;
}

/* What is plain: one sample, one number, a series close by. Nearly all cells are. */
static inline bool is_plain(uint8_t head)
{
    return (head & (HEAD_SEVERAL | HEAD_SPREAD)) == 0 && head < STEP_MAX * HEAD_STEP;
}

/* What is read of a plain cell, whatever its width: the head, and as for a double. */
#define PLAIN_BYTES_READ 9

/* Widths come mixed, and a branch guessed wrong costs more than all else here: so there is none. */
static inline double plain_number(const uint8_t *at, unsigned width)
{
    static const uint64_t whole_masks[] = {0, UINT8_MAX, UINT16_MAX, UINT32_MAX};
    static const uint64_t double_masks[] = {UINT64_MAX, 0, 0, 0};
    uint64_t bits;
    memcpy(&bits, at, sizeof bits);
    double value = (double)(uint32_t)(bits & whole_masks[width]);
    uint64_t whole_bits;
    memcpy(&whole_bits, &value, sizeof whole_bits); /* zeros, if it is a double */
    bits = whole_bits | (bits & double_masks[width]);
    memcpy(&value, &bits, sizeof value);
    return value;
}

/*
 * The bytes of a plain cell's head and number. The next cell's address hangs on it, and so the
 * speed of all: width_bytes and one, in the bytes of a word, are faster than in memory. A head's
 * width, doubled, is the bits to shift; the step's lowest bit, doubled, is 32, so the word says it
 * twice.
 */
static inline unsigned plain_bytes(uint8_t head)
{
    return (uint8_t)(UINT64_C(0x0503020905030209) >> (head * 2U & 63));
}

/* What moves on through plain cells: no tally can be the same memory, so it stays in registers. */
struct plain_run {
    const uint8_t *at;
    uint64_t sequence;
    uint32_t place;
};

static inline __attribute__((always_inline)) void
plain_add(struct plain_run *run, uint8_t head, unsigned bytes, enum kind kind, int64_t start_ms,
          const struct groups_of *groups, struct tally *tallies, bool extremes)
{
    double value = plain_number(run->at + 1, head / HEAD_WIDTH & 3);
    struct tally cell = {.count = 1, .sum = value, .min = value, .max = value, .last = value};
    run->at += bytes;
    if (kind == KIND_GAUGE)
        cell.last_ms = start_ms + (int64_t)varint_read(&run->at);
    uint64_t step = head / HEAD_STEP + 1U;
    run->sequence += step;
    uint16_t group = group_of(groups, &run->place, step, run->sequence);
    if (group != GROUP_NONE)
        numbers_add(&tallies[group], &cell, kind, extremes);
}

/* Equal heads in a row, from which on the next is taken to be equal too. */
#define STEADY 8

/*
 * Adds plain cells of counters or gauges until another comes, the piece is nearly at its end, or
 * `most` are. Returns how many. Among equal heads the processor may guess where the next cell
 * begins, and need not wait for it; among mixed ones it would mostly be wrong.
 */
static inline __attribute__((always_inline)) uint32_t
add_plain(struct cell_reader *reader, struct groups_of *groups, struct tally *tallies,
          enum kind kind, bool extremes, uint32_t most)
{
    struct plain_run run = {reader->at, reader->sequence, groups->at};
    int64_t start_ms = reader->start_ms;
    uint32_t added = 0;
    uint32_t equal = 0;
    uint8_t before = 0;
    while (added < most && reader->end - run.at >= PLAIN_BYTES_READ && is_plain(*run.at)) {
        uint8_t head = *run.at;
        unsigned bytes = plain_bytes(head);
        equal = head == before ? equal + 1 : 0;
        before = head;
        plain_add(&run, head, bytes, kind, start_ms, groups, tallies, extremes);
        added++;
        if (equal < STEADY)
            continue;
        while (added < most && reader->end - run.at >= PLAIN_BYTES_READ && *run.at == head) {
            plain_add(&run, head, bytes, kind, start_ms, groups, tallies, extremes);
            added++;
        }
        equal = 0;
    }
    reader->at = run.at;
    reader->sequence = run.sequence;
    groups->at = run.place;
    return added;
}

/* Adds a cell of any form. False at the end. */
static inline __attribute__((always_inline)) bool add_any(struct cell_reader *reader,
                                                          struct groups_of *groups,
                                                          struct tally *tallies, enum kind kind,
                                                          bool extremes)
{
    if (at_end(reader))
        return false;
    struct tally cell;
    uint8_t head = *reader->at++;
    uint64_t step = step_read(&reader->at, head);
    reader->sequence += step;
    numbers_read(&reader->at, head, kind, reader->start_ms, &cell);
    uint16_t group = group_of(groups, &groups->at, step, reader->sequence);
    struct tally *tally = group == GROUP_NONE ? NULL : &tallies[group];
    if (tally != NULL)
        numbers_add(tally, &cell, kind, extremes);
    if (has_sketch(kind))
        sketch_read_add(reader, tally);
    return true;
}

/* `kind` and `extremes` are constants where it is called, so that each gets a loop of its own. */
static inline __attribute__((always_inline)) bool add_run(struct cell_reader *reader,
                                                          struct groups_of *groups,
                                                          struct tally *tallies, enum kind kind,
                                                          bool extremes, uint32_t most)
{
    while (most > 0) {
        if (kind == KIND_COUNTER || kind == KIND_GAUGE)
            most -= add_plain(reader, groups, tallies, kind, extremes, most);
        if (most == 0)
            break;
        if (!add_any(reader, groups, tallies, kind, extremes))
            return false;
        most--;
    }
    return true;
}

bool cells_add(struct cell_reader *reader, struct groups_of *groups, struct tally *tallies,
               bool extremes, uint32_t most)
{
    ENSURE(!reader->is_peeked);
    switch (reader->kind) {
    case KIND_COUNTER:
        return extremes ? add_run(reader, groups, tallies, KIND_COUNTER, true, most)
                        : add_run(reader, groups, tallies, KIND_COUNTER, false, most);
    case KIND_GAUGE:
        return add_run(reader, groups, tallies, KIND_GAUGE, true, most);
    case KIND_HISTOGRAM:
        return add_run(reader, groups, tallies, KIND_HISTOGRAM, true, most);
    case KIND_CLASSIC:
        return add_run(reader, groups, tallies, KIND_CLASSIC, false, most);
    case KIND_SUMMARY:
        return add_run(reader, groups, tallies, KIND_SUMMARY, false, most);
    default:
        return add_run(reader, groups, tallies, KIND_SET, false, most);
    }
}
