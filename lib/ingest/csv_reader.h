/*
 * csv_reader.h: rows of CSV (RFC 4180) out of bytes that are cut anywhere, and the fields of a row.
 *
 *     feed 1   |a,b\r\n1,"x\n|             the second row is kept in the buffer
 *     feed 2   |y"\n3,4|                   = buffer 1,"x\n + y"; the third is given by _finish
 *
 * A field in quotes may hold commas, newlines and doubled quotes; a quote anywhere but at a field's
 * beginning is taken as it stands. A row that lies whole in the input is lent from there, without a
 * copy; only one that is cut goes through the buffer, and its bytes are never scanned twice. A row
 * longer than the buffer is skipped to its end, quotes minded, and reported once. Empty lines are
 * passed over; CRLF and a byte order mark before the first row are tolerated.
 *
 * Owner:    a decoder. Lifetime: request; a row that was lent ends with the input, or with
 *           csv_reader_keep. Threads: one.
 */
#ifndef INGEST_CSV_READER_H
#define INGEST_CSV_READER_H

#include "base/bytes.h"

enum csv_state {
    CSV_FIELD,  /* at a field's first byte */
    CSV_BARE,   /* within a field without quotes, or behind the closing quote of one */
    CSV_QUOTED, /* within quotes */
    CSV_QUOTE,  /* behind a quote within quotes: the first of two, or the closing one */
};

struct csv_reader {
    char *buffer; /* row_max bytes */
    size_t kept;
    size_t row_max;
    uint64_t line;     /* where the row last given begins, from 1 */
    uint64_t newlines; /* passed so far, those within quotes too */
    enum csv_state state;
    bool skipping;      /* within a row that is too long */
    uint8_t mark_bytes; /* of a byte order mark passed so far; CSV_MARK_DONE: none can follow */
};

#define CSV_MARK_DONE 4

struct csv_field {
    struct bytes text; /* without its quotes */
    bool doubled;      /* there are doubled quotes in it: csv_field_write makes them one */
};

enum csv_event {
    CSV_NONE,         /* the input has no further whole row: keep what is left of it */
    CSV_ROW,          /* *row is one, without its newline */
    CSV_TOO_LONG,     /* a row just ended that was longer than allowed */
    CSV_UNTERMINATED, /* of csv_reader_finish: the body ends within quotes */
};

/* The buffer has row_max bytes. */
void csv_reader_init(struct csv_reader *reader, char *buffer, size_t row_max);

/* Takes the next row off the front of *input. */
enum csv_event csv_reader_next(struct csv_reader *reader, struct bytes *input, struct bytes *row);

/* Keeps what csv_reader_next left: the beginning of a row. Ends the rows lent so far. */
void csv_reader_keep(struct csv_reader *reader, struct bytes rest);

/* The last row, when the body does not end in a newline. */
enum csv_event csv_reader_finish(struct csv_reader *reader, struct bytes *row);

/*
 * Picks the fields of these columns, counted from 0 and ascending (one may be there more than
 * once), and returns how many fields the row has; 0 when text follows a closing quote.
 */
size_t csv_row_fields(struct bytes row, const size_t *columns, size_t count,
                      struct csv_field *fields);

/* The next field off the front of a row whose fields were counted; not to be asked for more. */
struct csv_field csv_field_next(struct bytes *rest);

/* Writes what the field says into `out`, which has room for text.length; returns its length. */
size_t csv_field_write(struct csv_field field, char *out);

bool csv_field_equal(struct csv_field field, struct bytes text);

#endif
