/* rows.c: see rows.h. */
#include "reply/rows.h"

#include "base/ensure.h"
#include "store/unique.h"

#include <math.h>

/* \u001f for one byte. */
#define JSON_BYTES_MAX 6

/* Keys, punctuation and numbers of any one row here. */
#define ROW_BYTES 512

/* Behind the rows of a page, with its token between the two; without one the list just ends. */
#define NEXT_OPEN "],\"next\":"
#define NEXT_CLOSE "}\n"
#define TAIL_BYTES (sizeof(NEXT_OPEN NEXT_CLOSE) - 1)
#define TOKEN_BYTES_MAX (sizeof("\"4294967295\"") - 1)

static void write_figure(struct writer *writer, const char *key, uint64_t value)
{
    writer_json_key(writer, key);
    writer_u64(writer, value);
}

/*
 * Keeps the row written since the mark if the page can still be closed behind it, with a token of
 * that length; else takes it back. The first row is not taken back, for a page without rows would
 * be no progress: the writer is then full.
 */
static bool keep_row(struct writer *writer, size_t mark, size_t token_bytes, bool first)
{
    if (!writer->full && writer->size - writer->used >= TAIL_BYTES + token_bytes)
        return true;
    if (first)
        writer->full = true;
    else
        writer_rewind(writer, mark);
    return false;
}

/* ---- series ---- */

static void write_labels(struct writer *writer, struct bytes labels, char *text)
{
    struct label label;
    bool first = true;
    writer_char(writer, '{');
    while (label_text_next(&labels, &label)) {
        if (!first)
            writer_char(writer, ',');
        first = false;
        writer_json_string(writer, label.name);
        writer_char(writer, ':');
        writer_json_string(writer, label_raw_value(&label, text));
    }
    writer_char(writer, '}');
}

static void write_number(struct writer *writer, const char *key, double value)
{
    writer_json_key(writer, key);
    writer_json_number(writer, value);
}

static void write_value(struct writer *writer, const struct store *store,
                        const struct series *series, enum kind kind)
{
    switch (kind) {
    case KIND_GAUGE:
        write_number(writer, "value", series->last);
        break;
    case KIND_HISTOGRAM:
        write_figure(writer, "count", series->count);
        write_number(writer, "sum", series_total(series));
        break;
    case KIND_CLASSIC:
    case KIND_SUMMARY:
        write_number(writer, "count", series->observed);
        write_number(writer, "sum", series_total(series));
        break;
    case KIND_SET:
        write_number(writer, "value",
                     round(hyperloglog_estimate(&store_set(store, series)->total)));
        break;
    default:
        write_number(writer, "value", series_total(series));
    }
}

void series_row_write(struct writer *writer, const struct store *store,
                      const struct series *series, int64_t now_ms, char *text)
{
    const struct family *family = store_family(store, series->family);
    ENSURE(family != NULL);
    writer_string(writer, "{\"metric\":");
    writer_json_string(writer, series_name(store, series, text));
    writer_json_key(writer, "kind");
    writer_json_string(writer, bytes_of(kind_name(family->kind)));
    writer_json_key(writer, "labels");
    write_labels(writer, series_labels(store, series, text), text);
    write_value(writer, store, series, family->kind);
    writer_json_key(writer, "idle_seconds");
    writer_i64(writer, store_idle_ms(store, series, now_ms) / 1000);
    writer_char(writer, '}');
}

size_t series_rows_bytes(const struct settings *settings)
{
    size_t longest = settings->limits_label_set_bytes;
    if (longest < 64)
        longest = 64; /* an overflow series' labels are the store's own */
    return ROW_BYTES + family_name_bytes(settings) + JSON_BYTES_MAX * longest;
}

void series_rows_begin(struct writer *writer)
{
    writer_string(writer, "{\"series\":[");
}

/*
 * A row costs about what looking at its bytes does; an estimate reads the 48 lines of a set
 * besides.
 */
static void charge_row(uint32_t *slice, const struct series *series, size_t bytes)
{
    slice_charge(slice, bytes / 32 + (series->sketch != SLOT_NONE ? 48 : 0));
}

bool series_rows_step(struct writer *writer, struct series_page *page, const struct store *store,
                      int64_t now_ms, uint32_t slice)
{
    const struct series *series;
    while ((series = series_page_next(page, store, &slice)) != NULL) {
        bool first = page->given == 1;
        size_t mark = writer->used;
        if (!first)
            writer_char(writer, ',');
        series_row_write(writer, store, series, now_ms, page->text);
        if (!keep_row(writer, mark, TOKEN_BYTES_MAX, first)) {
            series_page_cut(page);
            return true;
        }
        charge_row(&slice, series, writer->used - mark);
    }
    return series_page_is_done(page, store);
}

void series_rows_end(struct writer *writer, const struct series_page *page)
{
    if (page->more) {
        writer_string(writer, NEXT_OPEN "\"");
        writer_u64(writer, page->next);
        writer_string(writer, "\"" NEXT_CLOSE);
    } else {
        writer_string(writer, "]" NEXT_CLOSE);
    }
}

void deletion_write(struct writer *writer, const struct deletion *deletion)
{
    writer_string(writer, "{\"deleted_series\":");
    writer_u64(writer, deletion->deleted);
    writer_string(writer, "}\n");
}

/* ---- names ---- */

size_t name_rows_bytes(const struct settings *settings)
{
    size_t longest = family_name_bytes(settings);
    if (longest < settings->limits_label_name_bytes)
        longest = settings->limits_label_name_bytes;
    if (longest < settings->limits_label_value_bytes)
        longest = settings->limits_label_value_bytes;
    size_t asked = settings->limits_target_bytes; /* the label's name as the client wrote it */
    return ROW_BYTES + JSON_BYTES_MAX * (asked + 2 * longest /* as a row and as the token */);
}

static void write_names(struct writer *writer, const struct name_page *page)
{
    uint32_t count = 0;
    for (; count < page->count; count++) {
        size_t mark = writer->used;
        if (count > 0)
            writer_char(writer, ',');
        writer_json_string(writer, name_page_at(page, count));
        if (!keep_row(writer, mark, writer->used - mark, count == 0))
            break;
    }
    if (count > 0 && (page->more || count < page->count)) {
        writer_string(writer, NEXT_OPEN);
        writer_json_string(writer, name_page_at(page, count - 1));
        writer_string(writer, NEXT_CLOSE);
    } else {
        writer_string(writer, "]" NEXT_CLOSE);
    }
}

void label_names_write(struct writer *writer, const struct name_page *page)
{
    writer_string(writer, "{\"labels\":[");
    write_names(writer, page);
}

void label_values_write(struct writer *writer, struct bytes name, const struct name_page *page)
{
    writer_string(writer, "{\"name\":");
    writer_json_string(writer, name);
    writer_string(writer, ",\"values\":[");
    write_names(writer, page);
}

/* ---- cardinality ---- */

size_t cardinality_rows_bytes(const struct settings *settings)
{
    size_t names = family_name_bytes(settings) + settings->limits_label_name_bytes;
    return ROW_BYTES + CARDINALITY_TOP * (ROW_BYTES + names);
}

static void write_families(struct writer *writer, const struct cardinality *cardinality)
{
    for (uint32_t i = 0; i < cardinality->family_count; i++) {
        const struct family_count *family = &cardinality->families[i];
        writer_string(writer, i > 0 ? ",{\"metric\":" : "{\"metric\":");
        writer_json_string(writer, (struct bytes){family->name, family->name_length});
        writer_json_key(writer, "kind");
        writer_json_string(writer, bytes_of(kind_name(family->kind)));
        write_figure(writer, "series", family->series);
        write_figure(writer, "overflowed_samples", family->overflowed);
        write_figure(writer, "lost_bounds", family->lost_bounds);
        write_figure(writer, "recycled_series", family->recycled);
        write_number(writer, "recycled_sum", family->recycled_sum);
        write_number(writer, "recycled_count", family->recycled_count);
        writer_char(writer, '}');
    }
}

static void write_label_counts(struct writer *writer, const struct cardinality *cardinality)
{
    for (uint32_t i = 0; i < cardinality->label_count && i < CARDINALITY_TOP; i++) {
        const struct label_count *label = &cardinality->labels[i];
        writer_string(writer, i > 0 ? ",{\"label\":" : "{\"label\":");
        writer_json_string(writer, (struct bytes){label->name, label->name_length});
        write_figure(writer, "series", label->series);
        if (cardinality->approximate)
            write_figure(writer, "error", label->error);
        writer_char(writer, '}');
    }
}

void cardinality_write(struct writer *writer, const struct cardinality *cardinality)
{
    ENSURE(cardinality->done);
    writer_string(writer, "{\"series\":");
    writer_u64(writer, cardinality->series);
    write_figure(writer, "series_max", cardinality->series_max);
    writer_json_key(writer, "metrics");
    writer_char(writer, '[');
    write_families(writer, cardinality);
    writer_char(writer, ']');
    writer_json_key(writer, "labels");
    writer_char(writer, '[');
    write_label_counts(writer, cardinality);
    writer_char(writer, ']');
    writer_json_key(writer, "labels_approximate");
    writer_string(writer, cardinality->approximate ? "true" : "false");
    write_figure(writer, "overflowed_samples", cardinality->overflowed_samples);
    write_figure(writer, "lost_bounds", cardinality->lost_bounds);
    write_figure(writer, "recycled_series", cardinality->recycled_series);
    write_figure(writer, "expired_series", cardinality->expired_series);
    write_figure(writer, "deleted_series", cardinality->deleted_series);
    writer_json_key(writer, "ended_metrics");
    writer_char(writer, '{');
    writer_string(writer, "\"recycled_series\":");
    writer_u64(writer, cardinality->ended_series);
    writer_json_key(writer, "recycled_sum");
    writer_json_number(writer, cardinality->ended_sum);
    write_number(writer, "recycled_count", cardinality->ended_count);
    writer_string(writer, "}}\n");
}
