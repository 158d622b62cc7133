/* csv_reader.c: see csv_reader.h. */
#include "ingest/csv_reader.h"

#include "base/ensure.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

void csv_reader_init(struct csv_reader *reader, char *buffer, size_t row_max)
{
    *reader = (struct csv_reader){.buffer = buffer, .row_max = row_max, .line = 1};
}

static struct bytes behind(struct bytes text, const char *at)
{
    return (struct bytes){at, text.length - (size_t)(at - text.at)};
}

static const char *find(const char *at, const char *end, char c)
{
    const char *found = at == end ? NULL : memchr(at, c, (size_t)(end - at));
    return found == NULL ? end : found;
}

/* ---- where a row ends ---- */

static void count_newlines(struct csv_reader *reader, const char *at, const char *end)
{
    while ((at = find(at, end, '\n')) != end) {
        reader->newlines++;
        at++;
    }
}

/* The field's end, or that of the text. */
static const char *pass_bare(struct csv_reader *reader, const char *at, const char *end)
{
    while (at < end && *at != ',' && *at != '\n')
        at++;
    if (at < end && *at == ',') {
        reader->state = CSV_FIELD;
        at++;
    }
    return at;
}

static const char *pass_quoted(struct csv_reader *reader, const char *at, const char *end)
{
    const char *quote = find(at, end, '"');
    count_newlines(reader, at, quote);
    if (quote == end)
        return end;
    reader->state = CSV_QUOTE;
    return quote + 1;
}

/* At a field's first byte, or behind a quote within quotes: the next byte tells. */
static const char *pass_turn(struct csv_reader *reader, const char *at)
{
    if (*at != '"') {
        reader->state = CSV_BARE;
        return at;
    }
    reader->state = CSV_QUOTED;
    return at + 1;
}

/* The newline that ends the row, or `end`. The state goes on from where the last text ended. */
static const char *row_end(struct csv_reader *reader, const char *at, const char *end)
{
    while (at < end) {
        if (reader->state == CSV_QUOTED)
            at = pass_quoted(reader, at, end);
        else if (reader->state != CSV_BARE)
            at = pass_turn(reader, at);
        else if (*at == '\n')
            return at;
        else
            at = pass_bare(reader, at, end);
    }
    return end;
}

/*
 * The same at a row's beginning. Without a quote before the first newline that newline is the end,
 * which two searches tell faster than the states do.
 */
static const char *whole_row_end(struct csv_reader *reader, const char *at, const char *end)
{
    const char *newline = find(at, end, '\n');
    if (newline != end && find(at, newline, '"') == newline)
        return newline;
    return row_end(reader, at, end);
}

/* ---- rows ---- */

/*
 * Passes over a byte order mark, which may be cut too. What began like one and is none belongs to
 * the first row.
 */
static void pass_mark(struct csv_reader *reader, struct bytes *input)
{
    while (reader->mark_bytes < 3 && input->length > 0 &&
           input->at[0] == byte_order_mark[reader->mark_bytes]) {
        reader->mark_bytes++;
        *input = behind(*input, input->at + 1);
    }
    if (reader->mark_bytes < 3 && input->length == 0)
        return;
    uint8_t passed = reader->mark_bytes;
    reader->mark_bytes = CSV_MARK_DONE;
    if (passed == 0 || passed == 3)
        return;
    ENSURE(passed <= reader->row_max); /* the body is longer than what was passed of it */
    memcpy(reader->buffer, byte_order_mark, passed);
    reader->kept = passed;
    reader->state = CSV_BARE;
}

/* The row is complete: what was kept, and `rest`. */
static enum csv_event end_row(struct csv_reader *reader, struct bytes rest, struct bytes *row)
{
    size_t kept = reader->kept;
    bool too_long = reader->skipping || rest.length > reader->row_max - kept;
    *row = rest;
    reader->state = CSV_FIELD;
    reader->skipping = false;
    reader->kept = 0;
    if (too_long)
        return CSV_TOO_LONG;
    if (kept > 0) {
        memcpy(reader->buffer + kept, rest.at, rest.length);
        *row = (struct bytes){reader->buffer, kept + rest.length};
    }
    if (row->length > 0 && row->at[row->length - 1] == '\r')
        row->length--;
    return row->length == 0 ? CSV_NONE : CSV_ROW; /* nothing but its newline: no row */
}

enum csv_event csv_reader_next(struct csv_reader *reader, struct bytes *input, struct bytes *row)
{
    if (reader->mark_bytes != CSV_MARK_DONE)
        pass_mark(reader, input);
    while (input->length > 0) {
        const char *end = input->at + input->length;
        bool begun = reader->kept > 0 || reader->skipping;
        if (!begun)
            reader->line = reader->newlines + 1;
        const char *newline =
            begun ? row_end(reader, input->at, end) : whole_row_end(reader, input->at, end);
        if (newline == end)
            return CSV_NONE;
        struct bytes rest = {input->at, (size_t)(newline - input->at)};
        *input = behind(*input, newline + 1);
        reader->newlines++;
        enum csv_event event = end_row(reader, rest, row);
        if (event != CSV_NONE)
            return event;
    }
    return CSV_NONE;
}

void csv_reader_keep(struct csv_reader *reader, struct bytes rest)
{
    if (reader->skipping || rest.length == 0)
        return;
    if (rest.length > reader->row_max - reader->kept) {
        reader->skipping = true;
        reader->kept = 0;
        return;
    }
    memcpy(reader->buffer + reader->kept, rest.at, rest.length);
    reader->kept += rest.length;
}

enum csv_event csv_reader_finish(struct csv_reader *reader, struct bytes *row)
{
    if (!reader->skipping && reader->kept == 0)
        return CSV_NONE;
    if (reader->state == CSV_QUOTED)
        return CSV_UNTERMINATED;
    return end_row(reader, (struct bytes){"", 0}, row);
}

/* ---- fields ---- */

/* The field at *at, which is moved to its comma or to the end. False: text behind the quote. */
static bool take_quoted(const char **at, const char *end, struct csv_field *field)
{
    const char *start = *at + 1;
    const char *quote = find(start, end, '"');
    field->doubled = false;
    while (end - quote > 1 && quote[1] == '"') {
        field->doubled = true;
        quote = find(quote + 2, end, '"');
    }
    ENSURE(quote < end); /* the reader gives no row that ends within quotes */
    field->text = (struct bytes){start, (size_t)(quote - start)};
    *at = quote + 1;
    return *at == end || **at == ',';
}

static void take_bare(const char **at, const char *end, struct csv_field *field)
{
    const char *comma = find(*at, end, ',');
    *field = (struct csv_field){{*at, (size_t)(comma - *at)}, false};
    *at = comma;
}

/* False when text follows the field's closing quote. */
static bool take_field(const char **at, const char *end, struct csv_field *field)
{
    if (*at < end && **at == '"')
        return take_quoted(at, end, field);
    take_bare(at, end, field);
    return true;
}

size_t csv_row_fields(struct bytes row, const size_t *columns, size_t count,
                      struct csv_field *fields)
{
    const char *at = row.at;
    const char *end = at + row.length;
    size_t next = 0;
    for (size_t column = 0;; column++, at++) {
        struct csv_field field;
        if (!take_field(&at, end, &field))
            return 0;
        for (; next < count && columns[next] == column; next++)
            fields[next] = field;
        if (at == end)
            return column + 1;
    }
}

struct csv_field csv_field_next(struct bytes *rest)
{
    struct csv_field field;
    const char *at = rest->at;
    const char *end = at + rest->length;
    bool whole = take_field(&at, end, &field);
    ENSURE(whole);
    *rest = behind(*rest, at == end ? at : at + 1);
    return field;
}

size_t csv_field_write(struct csv_field field, char *out)
{
    size_t used = 0;
    if (!field.doubled) {
        memcpy(out, field.text.at, field.text.length);
        return field.text.length;
    }
    for (size_t i = 0; i < field.text.length; i++) {
        out[used++] = field.text.at[i];
        i += field.text.at[i] == '"';
    }
    return used;
}

bool csv_field_equal(struct csv_field field, struct bytes text)
{
    size_t at = 0;
    for (size_t i = 0; i < field.text.length; i++, at++) {
        if (at == text.length || field.text.at[i] != text.at[at])
            return false;
        i += field.doubled && field.text.at[i] == '"';
    }
    return at == text.length;
}
