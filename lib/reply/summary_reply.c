/* summary_reply.c: see summary_reply.h. */
#include "reply/summary_reply.h"

#include "base/ensure.h"
#include "base/number.h"
#include "reply/document.h"

/* A byte of a JSON string takes at most the six of \u0001; one of a CSV field two, if a quote. */
#define ESCAPED_BYTES 6
/* Six figures and their names, brackets, the fields' quotes. */
#define ROW_BYTES (512 + 8 * SUMMARY_BY_MAX)
/* A quantile, and the number that names it, with commas and quotes. */
#define QUANTILE_BYTES (2 * NUMBER_BYTES_MAX + 8)

static const char *const figure_names[] = {"count", "sum", "mean", "stddev", "min", "max"};

#define FIGURES (sizeof figure_names / sizeof figure_names[0])

struct summary_reply summary_reply_make(const struct summary *summary, const struct report *report,
                                        bool csv)
{
    return (struct summary_reply){
        .summary = summary,
        .report = report,
        .group = summary->first,
        .csv = csv,
    };
}

size_t summary_reply_page_bytes(const struct summary_options *options,
                                const struct settings *settings)
{
    size_t texts = settings->limits_label_set_bytes;
    for (uint32_t i = 0; i < options->by_count; i++)
        texts += options->by[i].length;
    size_t row = texts * ESCAPED_BYTES + options->quantile_count * QUANTILE_BYTES + ROW_BYTES;
    size_t head = DOCUMENT_BYTES_MAX + ROW_BYTES;
    return row > head ? row : head;
}

/* ---- JSON ---- */

static void write_quantile_name(struct writer *page, double quantile)
{
    char text[NUMBER_BYTES_MAX];
    writer_bytes(page, (struct bytes){text, number_write(quantile, text)});
}

static void write_json_head(const struct summary_reply *reply, struct writer *page)
{
    writer_string(page, "{\"rows\": ");
    writer_u64(page, reply->summary->rows);
    writer_string(page, ", \"rejected\": ");
    writer_u64(page, reply->report->rejected);
    writer_string(page, ", \"errors\": ");
    document_errors_write(page, reply->report);
    if (reply->summary->options->quantile_count > 0) {
        writer_string(page, ", \"relative_error\": ");
        writer_json_number(page, summary_relative_error(reply->summary));
    }
    writer_string(page, ", \"groups\": [");
}

static void write_json_key(const struct summary *summary, const struct summary_group *group,
                           struct writer *page)
{
    struct bytes key = {group->key, group->key_length};
    if (group->overflow) {
        writer_string(page, "\"overflow\": true");
        return;
    }
    writer_string(page, "\"by\": {");
    for (uint32_t i = 0; i < summary->options->by_count; i++) {
        writer_string(page, i == 0 ? "" : ", ");
        writer_json_string(page, summary->options->by[i]);
        writer_string(page, ": ");
        writer_json_string(page, summary_key_next(&key));
    }
    writer_char(page, '}');
}

static void write_json_figure(struct writer *page, const char *name, double value)
{
    writer_string(page, ", \"");
    writer_string(page, name);
    writer_string(page, "\": ");
    writer_json_number(page, value);
}

static void write_json_quantiles(const struct summary *summary,
                                 const struct summary_figures *figures, struct writer *page)
{
    writer_string(page, ", \"quantiles\": {");
    for (uint32_t i = 0; i < summary->options->quantile_count; i++) {
        writer_string(page, i == 0 ? "\"" : ", \"");
        write_quantile_name(page, summary->options->quantiles[i]);
        writer_string(page, "\": ");
        writer_json_number(page, figures->quantiles[i]);
    }
    writer_char(page, '}');
    write_json_figure(page, "relative_error", figures->relative_error);
}

static void write_json_group(const struct summary_reply *reply, struct writer *page)
{
    struct summary_figures figures;
    const struct summary_group *group = reply->group;
    summary_group_figures(reply->summary, group, &figures);
    writer_string(page, group == reply->summary->first ? "\n {" : ",\n {");
    write_json_key(reply->summary, group, page);
    writer_string(page, ", \"count\": ");
    writer_u64(page, group->count);
    write_json_figure(page, "sum", figures.sum);
    write_json_figure(page, "mean", figures.mean);
    write_json_figure(page, "stddev", figures.deviation);
    write_json_figure(page, "min", group->min);
    write_json_figure(page, "max", group->max);
    if (reply->summary->options->quantile_count > 0)
        write_json_quantiles(reply->summary, &figures, page);
    writer_char(page, '}');
}

/* ---- CSV ---- */

static bool needs_quotes(struct bytes text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == ',' || text.at[i] == '"' || text.at[i] == '\n' || text.at[i] == '\r')
            return true;
    }
    return false;
}

static void write_csv_text(struct writer *page, struct bytes text)
{
    if (!needs_quotes(text)) {
        writer_bytes(page, text);
        return;
    }
    writer_char(page, '"');
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '"')
            writer_char(page, '"');
        writer_char(page, text.at[i]);
    }
    writer_char(page, '"');
}

static void write_csv_head(const struct summary_reply *reply, struct writer *page)
{
    const struct summary_options *options = reply->summary->options;
    for (uint32_t i = 0; i < options->by_count; i++) {
        write_csv_text(page, options->by[i]);
        writer_char(page, ',');
    }
    for (size_t i = 0; i < FIGURES; i++) {
        writer_string(page, i == 0 ? "" : ",");
        writer_string(page, figure_names[i]);
    }
    for (uint32_t i = 0; i < options->quantile_count; i++) {
        writer_string(page, ",q");
        write_quantile_name(page, options->quantiles[i]);
    }
    writer_string(page, options->quantile_count > 0 ? ",relative_error" : "");
    writer_string(page, ",overflow\r\n");
}

static void write_csv_key(const struct summary *summary, const struct summary_group *group,
                          struct writer *page)
{
    struct bytes key = {group->key, group->key_length};
    for (uint32_t i = 0; i < summary->options->by_count; i++) {
        write_csv_text(page, group->overflow ? BYTES("") : summary_key_next(&key));
        writer_char(page, ',');
    }
}

static void write_csv_figure(struct writer *page, double value)
{
    writer_char(page, ',');
    if (value - value == 0) /* finite */
        writer_number(page, value);
}

static void write_csv_group(const struct summary_reply *reply, struct writer *page)
{
    struct summary_figures figures;
    const struct summary_group *group = reply->group;
    const struct summary_options *options = reply->summary->options;
    summary_group_figures(reply->summary, group, &figures);
    write_csv_key(reply->summary, group, page);
    writer_u64(page, group->count);
    write_csv_figure(page, figures.sum);
    write_csv_figure(page, figures.mean);
    write_csv_figure(page, figures.deviation);
    write_csv_figure(page, group->min);
    write_csv_figure(page, group->max);
    for (uint32_t i = 0; i < options->quantile_count; i++)
        write_csv_figure(page, figures.quantiles[i]);
    if (options->quantile_count > 0)
        write_csv_figure(page, figures.relative_error);
    writer_string(page, group->overflow ? ",true\r\n" : ",false\r\n");
}

/* ---- pages ---- */

static void write_head(struct summary_reply *reply, struct writer *page)
{
    if (reply->csv)
        write_csv_head(reply, page);
    else
        write_json_head(reply, page);
    ENSURE(!page->full); /* it is the first of its page */
    reply->headed = true;
}

/* False: the row did not fit, and is the next page's first. */
static bool write_group(struct summary_reply *reply, struct writer *page)
{
    size_t mark = page->used;
    if (reply->csv)
        write_csv_group(reply, page);
    else
        write_json_group(reply, page);
    if (page->full) {
        ENSURE(mark > 0); /* any row fits a page */
        writer_rewind(page, mark);
        return false;
    }
    reply->group = reply->group->next;
    return true;
}

bool summary_reply_next(struct summary_reply *reply, struct writer *page)
{
    if (!reply->headed)
        write_head(reply, page);
    while (reply->group != NULL) {
        if (!write_group(reply, page))
            return true;
    }
    if (reply->csv)
        return false;
    size_t mark = page->used;
    writer_string(page, reply->summary->first == NULL ? "]}\n" : "\n]}\n");
    if (!page->full)
        return false;
    writer_rewind(page, mark); /* on a page of its own, then */
    return true;
}
