/*
 * line_reader.h: lines out of bytes that are cut anywhere.
 *
 *     feed 1   |line 1\n|line 2\n|par|          `par` is kept in the buffer
 *     feed 2   |tial\n|line 4\n|                line 3 = buffer "par" + "tial"
 *
 * A line that lies whole in the input is lent from there, without a copy; only one that is cut goes
 * through the buffer. A line longer than the buffer is skipped to its newline and reported once.
 * CRLF is tolerated.
 *
 * Owner:    a decoder. Lifetime: request; a line that was lent ends with the input, or with
 *           line_reader_keep.
 */
#ifndef INGEST_LINE_READER_H
#define INGEST_LINE_READER_H

#include "base/bytes.h"

struct line_reader {
    char *buffer; /* limits.line_bytes of it, or the whole body when that is known to be less */
    size_t buffer_bytes;
    size_t kept;
    size_t line_max;
    uint64_t line; /* number of the line last given, from 1 */
    bool skipping; /* within a line that is too long */
};

enum line_event {
    LINE_NONE,  /* the input has no further whole line: call line_reader_keep with what is left */
    LINE_WHOLE, /* *line is one, without its newline */
    LINE_TOO_LONG, /* a line just ended that was longer than allowed */
};

void line_reader_init(struct line_reader *reader, char *buffer, size_t buffer_bytes,
                      size_t line_max);

/* Takes the next line off the front of *input. */
enum line_event line_reader_next(struct line_reader *reader, struct bytes *input,
                                 struct bytes *line);

/* Keeps what line_reader_next left: the beginning of a line. Ends the lines lent so far. */
void line_reader_keep(struct line_reader *reader, struct bytes rest);

/* The last line, when the body does not end in a newline. */
enum line_event line_reader_finish(struct line_reader *reader, struct bytes *line);

#endif
