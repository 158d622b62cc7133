/*
 * line_shape.h: name and labels of an ordinary sample line, read by its shape instead of byte by
 * byte.
 *
 *     http_requests_total{method="GET",route="/a"} 3
 *     ...................|......||...|.....||..|       quotes: one bit a byte, 16 a step
 *     #########.#########.######........#####....       name bytes
 *
 * A reader that goes from byte to byte waits for each of them to know where the next token begins.
 * Here all quotes of the line are found first, in steps that do not wait for each other, and the
 * rest is arithmetic on positions.
 *
 * Only what is plain is taken: at most 128 bytes, ASCII, no escapes, no blanks within the braces,
 * no empty value, every limit kept. For anything else the answer is no, and the careful reader
 * (prometheus_text.c) has its turn, which also says what is wrong. So both must agree on every line
 * taken here; the tests hold one against the other.
 */
#ifndef INGEST_LINE_SHAPE_H
#define INGEST_LINE_SHAPE_H

#include "ingest/label_set.h"

/*
 *     http_requests_total{method="GET"} 3
 *                        ^ name_bytes  ^ behind
 *
 * Positions and no texts: the caller makes those from registers, where a struct copied through
 * memory would stall it.
 */
struct line_shape {
    uint32_t name_bytes;
    uint32_t behind;
};

/*
 * `readable` bytes may be read from text.at on, at least text.length: where more follow in the same
 * buffer the line need not be copied. `list` is empty, and filled in; it is left as it was when the
 * answer is no.
 */
bool line_shape_read(struct bytes text, size_t readable, const struct settings *settings,
                     struct label_list *list, struct line_shape *shape);

#endif
