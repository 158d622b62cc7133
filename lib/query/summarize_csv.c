/*
 * summarize_csv.c: CSV with a header line, into a summary.
 *
 *     time,route,status,seconds        value=seconds, by=route
 *     10:00,/items,200,0.0123   ──>    key "/items", value 0.0123
 *
 * The header says in which columns to look; of a row only those are read, the others counted.
 */
#include "base/ensure.h"
#include "base/number.h"
#include "ingest/csv_reader.h"
#include "query/summarize.h"

#define WANTED_MAX (1 + SUMMARY_BY_MAX)

struct csv_decoder {
    struct decoder decoder;
    struct csv_reader reader;
    struct summary *summary;
    size_t column_count; /* 0: the header line is still to come */
    size_t wanted_count;
    size_t columns[WANTED_MAX]; /* ascending: of value and of each by */
    uint8_t order[WANTED_MAX];  /* where in `columns` value is, then each by */
};

static struct refusal ok(void)
{
    return refusal_plain(STATUS_OK);
}

static struct refusal bad_header(enum status status, const char *detail, uint64_t line)
{
    struct refusal refusal = refusal_detail(status, detail);
    refusal.line = line;
    return refusal;
}

/* ---- the header line ---- */

/* The column of a name; `row` had its fields counted. */
static struct refusal column_find(const struct csv_decoder *csv, struct bytes row,
                                  struct bytes name, size_t *column)
{
    size_t found = 0;
    for (size_t i = 0; i < csv->column_count; i++) {
        struct csv_field field = csv_field_next(&row);
        if (!csv_field_equal(field, name))
            continue;
        *column = i;
        found++;
    }
    if (found == 0)
        return bad_header(STATUS_BAD_PARAMETER,
                          "the header line has no column of a name that value or by gives",
                          csv->reader.line);
    if (found > 1)
        return bad_header(STATUS_BAD_PARAMETER,
                          "the header line has two columns of a name that value or by gives",
                          csv->reader.line);
    return ok();
}

/* Puts a column into its place among those wanted before it. */
static void want(struct csv_decoder *csv, size_t column)
{
    size_t at = csv->wanted_count;
    for (; at > 0 && csv->columns[at - 1] > column; at--)
        csv->columns[at] = csv->columns[at - 1];
    csv->columns[at] = column;
    for (size_t i = 0; i < csv->wanted_count; i++)
        csv->order[i] = (uint8_t)(csv->order[i] + (csv->order[i] >= at));
    csv->order[csv->wanted_count++] = (uint8_t)at;
}

static struct refusal take_header(struct csv_decoder *csv, struct bytes row)
{
    const struct summary_options *options = csv->summary->options;
    size_t column = 0;
    csv->column_count = csv_row_fields(row, NULL, 0, NULL);
    if (csv->column_count == 0)
        return bad_header(STATUS_BAD_ROW, "text follows a closing quote", csv->reader.line);
    struct refusal refusal = column_find(csv, row, options->value, &column);
    for (uint32_t i = 0; i <= options->by_count && refusal.status == STATUS_OK; i++) {
        want(csv, column);
        if (i < options->by_count)
            refusal = column_find(csv, row, options->by[i], &column);
    }
    return refusal;
}

/* ---- rows ---- */

static struct refusal read_key(struct summary *summary, const struct csv_decoder *csv,
                               const struct csv_field *fields)
{
    summary_key_reset(summary);
    for (size_t i = 1; i < csv->wanted_count; i++) {
        struct csv_field field = fields[csv->order[i]];
        char *out = summary_key_take(summary, field.text.length);
        if (out == NULL)
            return refusal_of(STATUS_LABEL_SET_TOO_LONG, summary->settings);
        summary_key_add(summary, csv_field_write(field, out));
    }
    return ok();
}

/* Blanks around a number are not part of it, though CSV says they are of the field. */
static bool read_number(struct bytes text, double *value)
{
    return number_parse(text, value) || number_parse(bytes_trim(text), value);
}

static struct refusal read_row(const struct csv_decoder *csv, struct bytes row, double *value)
{
    struct csv_field fields[WANTED_MAX];
    size_t count = csv_row_fields(row, csv->columns, csv->wanted_count, fields);
    if (count == 0)
        return refusal_detail(STATUS_BAD_ROW, "text follows a closing quote");
    if (count != csv->column_count)
        return refusal_detail(STATUS_BAD_ROW, count < csv->column_count ? "it has fewer fields"
                                                                        : "it has more fields");
    if (!read_number(fields[csv->order[0]].text, value))
        return refusal_plain(STATUS_BAD_NUMBER);
    return read_key(csv->summary, csv, fields);
}

static struct refusal take_row(struct csv_decoder *csv, enum csv_event event, struct bytes row,
                               struct intake *intake)
{
    double value = 0;
    uint64_t line = csv->reader.line;
    struct refusal refusal = event == CSV_ROW ? read_row(csv, row, &value)
                                              : refusal_of(STATUS_LINE_TOO_LONG, intake->settings);
    if (refusal.status == STATUS_OK)
        return summarize_value(csv->summary, value, line, intake);
    refusal.line = line;
    report_reject(intake->report, refusal);
    return ok();
}

/* Without a header line nothing can be read: what is wrong with it ends the request. */
static struct refusal take(struct csv_decoder *csv, enum csv_event event, struct bytes row,
                           struct intake *intake)
{
    if (csv->column_count > 0)
        return take_row(csv, event, row, intake);
    if (event == CSV_ROW)
        return take_header(csv, row);
    struct refusal refusal = refusal_of(STATUS_LINE_TOO_LONG, intake->settings);
    refusal.line = csv->reader.line;
    return refusal;
}

/* ---- the decoder ---- */

static struct refusal csv_feed(struct decoder *decoder, struct bytes input, struct intake *intake)
{
    struct csv_decoder *csv = (struct csv_decoder *)decoder;
    struct bytes row;
    enum csv_event event;
    while ((event = csv_reader_next(&csv->reader, &input, &row)) != CSV_NONE) {
        struct refusal refusal = take(csv, event, row, intake);
        if (refusal.status != STATUS_OK)
            return refusal;
    }
    csv_reader_keep(&csv->reader, input);
    return ok();
}

static struct refusal csv_finish(struct decoder *decoder, struct intake *intake)
{
    struct csv_decoder *csv = (struct csv_decoder *)decoder;
    struct bytes row;
    enum csv_event event = csv_reader_finish(&csv->reader, &row);
    if (event == CSV_UNTERMINATED)
        return bad_header(STATUS_TRUNCATED_BODY, "a field in quotes has no end", csv->reader.line);
    if (event != CSV_NONE)
        return take(csv, event, row, intake);
    return csv->column_count > 0 ? ok() : refusal_plain(STATUS_EMPTY_BODY);
}

struct decoder *summarize_csv_make(const struct summarize_options *options, struct summary *summary,
                                   struct arena *arena)
{
    uint64_t limit = summary->settings->limits_line_bytes;
    size_t bytes = (size_t)(options->body_bytes < limit ? options->body_bytes : limit);
    struct csv_decoder *csv = arena_push(arena, sizeof *csv + bytes);
    if (csv == NULL)
        return NULL;
    *csv = (struct csv_decoder){
        .decoder = {.feed = csv_feed, .finish = csv_finish},
        .summary = summary,
    };
    csv_reader_init(&csv->reader, (char *)(csv + 1), bytes);
    return &csv->decoder;
}
