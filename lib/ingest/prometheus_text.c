/*
 * prometheus_text.c: Prometheus text 0.0.4 and OpenMetrics 1.0, line by line.
 *
 * This is the hot path of the service. Each line is checked in full in one pass over its bytes;
 * where its labels already stand in canonical form (sorted, no spaces: what most clients write) the
 * sample borrows them from the line, else they are sorted into the batch's text. So a series is
 * found by one hash whatever the order its labels came in, and there is no table of aliases to
 * bound, to age or to explain: sorting four labels costs less than keeping one.
 *
 * The lines of a declared histogram or summary are not samples yet: those of one child are put
 * together (child_draft.h), and become one sample where the next line is of something else. Lines
 * without a declaration are counters by their names, whatever they end in.
 *
 * Formats: prometheus.io/docs/instrumenting/exposition_formats (text 0.0.4) and the OpenMetrics
 * 1.0.0 specification. More is tolerated than they allow where nothing can be misread: CRLF, blanks
 * between tokens, no final newline, no `# EOF`. Exemplars and `_created` lines are checked for form
 * only as far as needed and left out.
 */
#include "base/ensure.h"
#include "base/hash.h"
#include "base/number.h"
#include "base/scan.h"
#include "ingest/child_draft.h"
#include "ingest/decoder.h"
#include "ingest/line_reader.h"
#include "ingest/line_shape.h"

#include <math.h>

#define HELP_BYTES_MAX 256
#define UNIT_BYTES_MAX 64

/* What `# TYPE` may say; the formats know more types than the store has kinds. */
enum declared {
    DECLARED_NOTHING,
    DECLARED_COUNTER,
    DECLARED_GAUGE,
    DECLARED_HISTOGRAM,
    DECLARED_SUMMARY,
    DECLARED_INFO,
    DECLARED_UNMERGEABLE, /* gaugehistogram */
};

struct prometheus_decoder {
    struct decoder decoder;
    struct line_reader reader;
    const struct settings *settings;
    const struct label_list *labels; /* from the path; NULL when there are none */
    bool openmetrics;
    bool ended;           /* # EOF was seen */
    /*
     * What ended the request. Kept here: a value of that size, returned for each line, costs the
     * hot path.
     */
    struct refusal fatal;
    /* The declarations in force: those of the last family named by a # line. */
    enum declared declared;
    bool pending; /* help or unit not yet sent along with a sample */
    uint16_t name_length;
    uint16_t help_length;
    uint16_t unit_length;
    char *name;               /* limits.name_bytes */
    struct child_draft child; /* of this family; open while its lines come */
    char help[HELP_BYTES_MAX];
    char unit[UNIT_BYTES_MAX];
};

/* One line being read. */
struct line {
    const char *at;
    const char *end;
    size_t readable; /* from `at` on, at least: the line, and what follows it in the same buffer */
    struct bytes name;
    struct bytes labels; /* canonical, or to be made so from the list */
    bool copy;           /* the list must be written into the batch */
    struct label_list list;
    const char *detail; /* what was wrong, for a client */
};

static void skip_blanks(struct line *line)
{
    while (line->at < line->end && (*line->at == ' ' || *line->at == '\t'))
        line->at++;
}

/* The next run of bytes up to a blank. */
static struct bytes token(struct line *line)
{
    skip_blanks(line);
    const char *start = line->at;
    while (line->at < line->end && *line->at != ' ' && *line->at != '\t')
        line->at++;
    return (struct bytes){start, (size_t)(line->at - start)};
}

static enum status bad_syntax(struct line *line, const char *detail)
{
    line->detail = detail;
    return STATUS_BAD_SYNTAX;
}

static struct bytes family_name(const struct prometheus_decoder *decoder)
{
    return (struct bytes){decoder->name, decoder->name_length};
}

/* ---- into the batch ---- */

static struct declaration pending_declaration(const struct prometheus_decoder *decoder)
{
    return (struct declaration){{decoder->help, decoder->help_length},
                                {decoder->unit, decoder->unit_length}};
}

/* For a sample with so much text, and the declaration where it goes along. False: see fatal. */
static inline bool make_room(struct prometheus_decoder *decoder, size_t text_bytes, bool pending,
                             struct intake *intake)
{
    size_t declared = pending ? batch_declaration_bytes(pending_declaration(decoder)) : 0;
    if (batch_has_room(intake->batch, text_bytes + declared))
        return true;
    decoder->fatal = batch_flush(intake);
    return decoder->fatal.status == STATUS_OK;
}

/* Room was made for it. */
static void send_declaration(struct prometheus_decoder *decoder, struct sample *sample,
                             struct batch *batch)
{
    sample->declaration = batch_declaration(batch, pending_declaration(decoder));
    decoder->pending = false;
}

/* The decoder goes on to other names and labels before the batch is flushed: both are copied. */
static void emit_child(struct prometheus_decoder *decoder, const struct child *child,
                       struct intake *intake)
{
    const struct child_draft *draft = &decoder->child;
    struct batch *batch = intake->batch;
    struct bytes name = family_name(decoder);
    struct bytes labels = child_draft_labels(draft);
    size_t bytes = name.length + labels.length + batch_child_bytes(child);
    if (!make_room(decoder, bytes, decoder->pending, intake))
        return;
    struct sample *sample = batch_add(batch);
    if (decoder->pending)
        send_declaration(decoder, sample, batch);
    sample->fingerprint = hash_series(name, labels, intake->seed);
    sample->child = batch_child(batch, child);
    sample->name = batch_copy(batch, name);
    sample->name_length = (uint16_t)name.length;
    sample->labels = batch_copy(batch, labels);
    sample->labels_length = (uint16_t)labels.length;
    sample->kind = (uint8_t)draft->kind;
    sample->line = sample_line_number(draft->line);
    sample->lines = (uint16_t)draft->lines;
    sample->timestamp_ms = draft->timestamp_ms;
}

/* The open child, if there is one, is complete: a sample, or rejected with all its lines. */
static void close_child(struct prometheus_decoder *decoder, struct intake *intake)
{
    struct child child;
    if (!child_draft_is_open(&decoder->child))
        return;
    struct refusal refusal = child_draft_finish(&decoder->child, &child);
    refusal.line = decoder->child.line;
    if (refusal.status == STATUS_OK)
        emit_child(decoder, &child, intake);
    else
        report_reject_lines(intake->report, refusal, decoder->child.lines);
    child_draft_drop(&decoder->child);
}

/* ---- # lines ---- */

struct declared_row {
    struct bytes text;
    enum declared declared;
};

static bool declared_find(struct bytes text, enum declared *declared)
{
    const struct declared_row rows[] = {
        {BYTES("counter"), DECLARED_COUNTER},     {BYTES("gauge"), DECLARED_GAUGE},
        {BYTES("histogram"), DECLARED_HISTOGRAM}, {BYTES("summary"), DECLARED_SUMMARY},
        {BYTES("untyped"), DECLARED_NOTHING},     {BYTES("unknown"), DECLARED_NOTHING},
        {BYTES("info"), DECLARED_INFO},           {BYTES("stateset"), DECLARED_GAUGE},
        {BYTES("gaugehistogram"), DECLARED_UNMERGEABLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (bytes_equal(text, rows[i].text)) {
            *declared = rows[i].declared;
            return true;
        }
    }
    return false;
}

/* A # line of another family ends the declarations of the one before, and its last child. */
static void declare(struct prometheus_decoder *decoder, struct bytes name, struct intake *intake)
{
    if (bytes_equal(name, family_name(decoder)))
        return;
    close_child(decoder, intake);
    memcpy(decoder->name, name.at, name.length);
    decoder->name_length = (uint16_t)name.length;
    decoder->declared = DECLARED_NOTHING;
    decoder->help_length = 0;
    decoder->unit_length = 0;
    decoder->pending = false;
}

/*
 * Copies HELP as it will be exposed: \\ and \n stay, \" (OpenMetrics) becomes a plain quote, and a
 * backslash before anything else is taken as itself. Ends before the character that no longer fits.
 */
static uint16_t help_copy(char *out, struct bytes text)
{
    size_t used = 0;
    size_t at = 0;
    while (at < text.length) {
        bool escape = text.at[at] == '\\';
        char next = escape && at + 1 < text.length ? text.at[at + 1] : 0;
        bool known = next == '\\' || next == 'n';
        size_t taken = known ? 2 : 1;
        while (at + taken < text.length && ((unsigned char)text.at[at + taken] & 0xc0) == 0x80)
            taken++;
        bool lone = escape && !known && next != '"';
        if (used + taken + lone > HELP_BYTES_MAX)
            break;
        if (lone)
            out[used++] = '\\';
        if (escape && next == '"')
            at++;
        memcpy(out + used, text.at + at, taken);
        used += taken;
        at += taken;
    }
    return (uint16_t)used;
}

static enum status help_line(struct prometheus_decoder *decoder, struct line *line)
{
    if (line->at < line->end)
        line->at++; /* one blank; further ones are part of the text */
    struct bytes help = {line->at, (size_t)(line->end - line->at)};
    if (!bytes_are_utf8(help))
        return STATUS_BAD_UTF8;
    decoder->help_length = help_copy(decoder->help, help);
    decoder->pending = true;
    return STATUS_OK;
}

static enum status unit_line(struct prometheus_decoder *decoder, struct line *line)
{
    struct bytes unit = token(line);
    if (unit.length > UNIT_BYTES_MAX || scan_name(unit.at, unit.at + unit.length) != line->at)
        return decoder->openmetrics ? bad_syntax(line, "the unit is not a short name")
                                    : STATUS_OK;
    memcpy(decoder->unit, unit.at, unit.length);
    decoder->unit_length = (uint16_t)unit.length;
    decoder->pending = true;
    return STATUS_OK;
}

static enum status type_line(struct prometheus_decoder *decoder, struct line *line)
{
    struct bytes text = token(line);
    if (!declared_find(text, &decoder->declared)) {
        line->detail = "counter, gauge, histogram, summary or untyped is known here";
        return STATUS_UNKNOWN_KIND;
    }
    return STATUS_OK;
}

static enum status name_status(const struct settings *settings, struct bytes name)
{
    return metric_name_check(name, settings).status;
}

/* `# HELP`, `# TYPE`, `# UNIT` and `# EOF`; any other # line is a comment. */
static enum status comment_line(struct prometheus_decoder *decoder, struct line *line,
                                struct intake *intake)
{
    line->at++;
    struct bytes keyword = token(line);
    bool help = bytes_equal(keyword, BYTES("HELP"));
    bool type = bytes_equal(keyword, BYTES("TYPE"));
    bool unit = bytes_equal(keyword, BYTES("UNIT"));
    if (bytes_equal(keyword, BYTES("EOF")) && decoder->openmetrics)
        decoder->ended = true;
    if (!help && !type && !unit)
        return STATUS_OK;
    struct bytes name = token(line);
    if (name.length == 0)
        return STATUS_OK; /* a comment that begins like one */
    enum status status = name_status(decoder->settings, name);
    if (status == STATUS_RESERVED_NAME)
        return STATUS_OK; /* its samples are refused, one by one */
    if (unit && !decoder->openmetrics && status != STATUS_OK)
        return STATUS_OK; /* UNIT is no keyword there: a comment */
    if (status != STATUS_OK)
        return status;
    declare(decoder, name, intake);
    if (help)
        return help_line(decoder, line);
    return type ? type_line(decoder, line) : unit_line(decoder, line);
}

/* ---- names and labels ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static enum status metric_name(const struct prometheus_decoder *decoder, struct line *line)
{
    const char *end = scan_name(line->at, line->end);
    struct bytes name = {line->at, (size_t)(end - line->at)};
    line->name = name;
    line->at = end;
    if (name.length == 0 || is_digit(name.at[0]))
        return STATUS_BAD_NAME;
    if (end < line->end && *end != '{' && *end != ' ' && *end != '\t')
        return STATUS_BAD_NAME; /* or a-1 would be the metric a, with the value -1 */
    if (name.length > decoder->settings->limits_name_bytes)
        return STATUS_NAME_TOO_LONG;
    if (name.at[0] == 'm' && bytes_start_with(name, BYTES("mayfly_")))
        return STATUS_RESERVED_NAME;
    return STATUS_OK;
}

static enum status label_name(const struct settings *settings, struct line *line,
                              struct bytes *name)
{
    const char *end = scan_name(line->at, line->end);
    *name = (struct bytes){line->at, (size_t)(end - line->at)};
    line->at = end;
    if (name->length == 0 || is_digit(name->at[0]) || memchr(name->at, ':', name->length) != NULL)
        return STATUS_BAD_LABEL_NAME;
    if (name->length > settings->limits_label_name_bytes)
        return STATUS_LABEL_NAME_TOO_LONG;
    if (name->length >= 2 && name->at[0] == '_' && name->at[1] == '_')
        return STATUS_BAD_LABEL_NAME;
    return STATUS_OK;
}

/*
 * The text between quotes; line->at stands behind the opening one, and then behind the closing one.
 */
static enum status label_value(const struct settings *settings, struct line *line,
                               struct bytes *value)
{
    const char *start = line->at;
    bool ascii = true;
    for (;;) {
        line->at = scan_quoted(line->at, line->end);
        if (line->at == line->end)
            return bad_syntax(line, "a label value without its closing quote");
        if (*line->at == '"')
            break;
        if (*line->at != '\\') {
            ascii = false;
            line->at++;
            continue;
        }
        char next = line->end - line->at > 1 ? line->at[1] : 0;
        if (next != '\\' && next != '"' && next != 'n')
            return bad_syntax(line, "an unknown escape in a label value");
        line->at += 2;
    }
    *value = (struct bytes){start, (size_t)(line->at - start)};
    line->at++;
    if (value->length > settings->limits_label_value_bytes)
        return STATUS_LABEL_VALUE_TOO_LONG;
    return ascii || bytes_are_utf8(*value) ? STATUS_OK : STATUS_BAD_UTF8;
}

static bool at_byte(const struct line *line, char c)
{
    return line->at < line->end && *line->at == c;
}

/* Steps over blanks; where there are any the labels cannot be lent as they stand. */
static void step_over_blanks(struct line *line)
{
    if (!at_byte(line, ' ') && !at_byte(line, '\t'))
        return;
    line->copy = true;
    skip_blanks(line);
}

static enum status label(const struct settings *settings, struct line *line)
{
    struct label label;
    enum status status = label_name(settings, line, &label.name);
    if (status != STATUS_OK)
        return status;
    step_over_blanks(line);
    if (!at_byte(line, '='))
        return bad_syntax(line, "a label without =");
    line->at++;
    step_over_blanks(line);
    if (!at_byte(line, '"'))
        return bad_syntax(line, "a label value without quotes");
    line->at++;
    status = label_value(settings, line, &label.value);
    if (status != STATUS_OK)
        return status;
    if (label.value.length == 0) {
        line->copy = true; /* an empty label is no label */
        return STATUS_OK;
    }
    return label_list_add(&line->list, label) ? STATUS_OK : STATUS_TOO_MANY_LABELS;
}

/*
 * What stands between the braces; line->at is behind the opening one, and then behind the closing
 * one.
 */
static enum status labels(const struct settings *settings, struct line *line)
{
    const char *start = line->at;
    for (;;) {
        step_over_blanks(line);
        if (at_byte(line, '}'))
            break;
        enum status status = label(settings, line);
        if (status != STATUS_OK)
            return status;
        step_over_blanks(line);
        if (at_byte(line, '}'))
            break;
        if (!at_byte(line, ','))
            return bad_syntax(line, "labels without a comma between them");
        line->at++;
        if (at_byte(line, '}'))
            line->copy = true; /* the trailing comma is no part of the canonical text */
    }
    line->labels = (struct bytes){start, (size_t)(line->at - start)};
    line->at++;
    return STATUS_OK;
}

/* The path's labels win over the line's own. */
static enum status merge_path_labels(struct line *line, const struct label_list *path)
{
    struct label_list own = line->list;
    line->copy = true;
    label_list_init(&line->list);
    for (uint32_t i = 0; i < own.count; i++) {
        if (label_list_find(path, own.labels[i].name) == NULL)
            label_list_add(&line->list, own.labels[i]);
    }
    for (uint32_t i = 0; i < path->count; i++) {
        if (!label_list_add(&line->list, path->labels[i]))
            return STATUS_TOO_MANY_LABELS;
    }
    return STATUS_OK;
}

/* ---- what a name means ---- */

static enum kind kind_by_name(struct bytes name)
{
    bool adds = bytes_end_with(name, BYTES("_total")) || bytes_end_with(name, BYTES("_sum")) ||
                bytes_end_with(name, BYTES("_count")) || bytes_end_with(name, BYTES("_bucket"));
    return adds ? KIND_COUNTER : KIND_GAUGE;
}

struct meaning {
    enum kind kind;
    enum part part;
    bool declared; /* the # lines in force are about it */
    bool ignored;
};

static bool part_of(struct bytes suffix, struct meaning *meaning)
{
    for (enum part part = PART_BUCKET; part < PART_KINDS; part++) {
        if (bytes_equal(suffix, part_suffix(part))) {
            meaning->part = part;
            return true;
        }
    }
    return false;
}

/*
 * A sample of a declared histogram or summary: one of its parts, or a quantile, which cannot be
 * merged.
 */
static enum status composite(const struct prometheus_decoder *decoder, struct line *line,
                             struct bytes suffix, struct meaning *meaning)
{
    bool summary = decoder->declared == DECLARED_SUMMARY;
    meaning->kind = summary ? KIND_SUMMARY : KIND_CLASSIC;
    if (part_of(suffix, meaning) && !(summary && meaning->part == PART_BUCKET))
        return STATUS_OK;
    if (summary && suffix.length == 0)
        return STATUS_UNMERGEABLE;
    return bad_syntax(line, "a histogram has _bucket, _sum and _count lines only");
}

/*
 * The declaration in force covers the name itself, and the name with the suffixes its type knows.
 */
static bool is_covered(const struct prometheus_decoder *decoder, struct bytes suffix)
{
    struct meaning unused;
    switch (decoder->declared) {
    case DECLARED_HISTOGRAM:
    case DECLARED_SUMMARY:
        return suffix.length == 0 || part_of(suffix, &unused);
    case DECLARED_COUNTER:
        return suffix.length == 0 || bytes_equal(suffix, BYTES("_total"));
    case DECLARED_INFO:
        return suffix.length == 0 || bytes_equal(suffix, BYTES("_info"));
    case DECLARED_UNMERGEABLE:
        return suffix.length == 0 || bytes_equal(suffix, BYTES("_bucket")) ||
               bytes_equal(suffix, BYTES("_gcount")) || bytes_equal(suffix, BYTES("_gsum"));
    default:
        return suffix.length == 0;
    }
}

static bool has_created(const struct prometheus_decoder *decoder)
{
    return decoder->openmetrics && (decoder->declared == DECLARED_COUNTER ||
                                    decoder->declared == DECLARED_HISTOGRAM ||
                                    decoder->declared == DECLARED_SUMMARY);
}

static enum status as_declared(const struct prometheus_decoder *decoder, struct line *line,
                               struct bytes suffix, struct meaning *meaning)
{
    if (decoder->declared == DECLARED_HISTOGRAM || decoder->declared == DECLARED_SUMMARY)
        return composite(decoder, line, suffix, meaning);
    if (decoder->declared == DECLARED_UNMERGEABLE) {
        line->detail = "a gaugehistogram cannot be merged";
        return STATUS_UNKNOWN_KIND;
    }
    meaning->kind = decoder->declared == DECLARED_COUNTER ? KIND_COUNTER : KIND_GAUGE;
    return STATUS_OK;
}

static enum status classify(const struct prometheus_decoder *decoder, struct line *line,
                            struct meaning *meaning)
{
    struct bytes declared = family_name(decoder);
    *meaning = (struct meaning){.part = PART_VALUE};
    if (declared.length > 0 && bytes_start_with(line->name, declared)) {
        struct bytes suffix = {line->name.at + declared.length,
                               line->name.length - declared.length};
        meaning->ignored = has_created(decoder) && bytes_equal(suffix, BYTES("_created"));
        meaning->declared = is_covered(decoder, suffix);
        if (meaning->declared && decoder->declared != DECLARED_NOTHING)
            return as_declared(decoder, line, suffix, meaning);
    }
    meaning->kind = kind_by_name(line->name);
    return STATUS_OK;
}

static enum status check_value(struct line *line, const struct meaning *meaning, double value)
{
    if (meaning->kind == KIND_GAUGE)
        return STATUS_OK;
    if (!isfinite(value)) {
        line->detail = "a counter takes finite values only";
        return STATUS_BAD_VALUE;
    }
    if (value < 0 && meaning->part != PART_SUM) {
        line->detail = "a counter cannot go down";
        return STATUS_BAD_VALUE;
    }
    return STATUS_OK;
}

/* ---- value and timestamp ---- */

/* Prometheus text: milliseconds as an integer. OpenMetrics: seconds as a number. */
static bool timestamp_parse(bool openmetrics, struct bytes text, int64_t *ms)
{
    double seconds;
    if (!openmetrics)
        return number_parse_i64(text, ms) && *ms != TIMESTAMP_NONE;
    if (!number_parse(text, &seconds) || !(fabs(seconds) < 9e15))
        return false;
    *ms = llround(seconds * 1000); /* 1.001 s is 1000.9999… ms */
    return true;
}

static enum status value_and_timestamp(const struct prometheus_decoder *decoder, struct line *line,
                                       double *value, int64_t *timestamp_ms)
{
    struct bytes text = token(line);
    if (text.length == 0)
        return bad_syntax(line, "a sample without a value");
    if (!number_parse(text, value))
        return STATUS_BAD_NUMBER;
    skip_blanks(line);
    if (line->at == line->end)
        return STATUS_OK;
    if (!(decoder->openmetrics && *line->at == '#')) {
        if (!timestamp_parse(decoder->openmetrics, token(line), timestamp_ms))
            return STATUS_BAD_TIMESTAMP;
        skip_blanks(line);
    }
    if (line->at == line->end || (decoder->openmetrics && *line->at == '#'))
        return STATUS_OK; /* the rest is an exemplar */
    return bad_syntax(line, "something follows the sample");
}

static enum status finish_labels(const struct prometheus_decoder *decoder, struct line *line)
{
    if (decoder->labels != NULL) {
        enum status status = merge_path_labels(line, decoder->labels);
        if (status != STATUS_OK)
            return status;
    }
    line->copy = line->copy || !line->list.sorted;
    if (line->copy)
        return label_list_finish(&line->list, decoder->settings).status;
    if (line->list.count > decoder->settings->limits_labels)
        return STATUS_TOO_MANY_LABELS;
    return line->labels.length > decoder->settings->limits_label_set_bytes
               ? STATUS_LABEL_SET_TOO_LONG
               : STATUS_OK;
}

/* Puts the sample into the batch. Where that cannot be flushed the request ends: see fatal. */
static void emit(struct prometheus_decoder *decoder, struct line *line,
                 const struct meaning *meaning, double value, int64_t timestamp_ms,
                 struct intake *intake)
{
    if (child_draft_is_open(&decoder->child)) {
        close_child(decoder, intake);
        if (decoder->fatal.status != STATUS_OK)
            return;
    }
    size_t copied = line->copy ? label_list_bytes(&line->list) : 0;
    bool pending = decoder->pending && meaning->declared;
    if (!make_room(decoder, copied, pending, intake))
        return;
    if (line->copy) {
        char *text = batch_text(intake->batch, copied);
        label_list_write(&line->list, text);
        line->labels = (struct bytes){text, copied};
    }
    struct sample *sample = batch_add(intake->batch);
    if (pending)
        send_declaration(decoder, sample, intake->batch);
    sample->fingerprint = hash_series(line->name, line->labels, intake->seed);
    sample->name = line->name.at;
    sample->name_length = (uint16_t)line->name.length;
    sample->labels = line->labels.at;
    sample->labels_length = (uint16_t)line->labels.length;
    sample->kind = (uint8_t)meaning->kind;
    sample->line = sample_line_number(decoder->reader.line);
    sample->lines = 1;
    sample->value = value;
    sample->timestamp_ms = timestamp_ms;
}

/* ---- a line of a histogram or summary ---- */

/*
 * Its le. Clients write the same bound as 1, 1.0 or 1e0, and as 0 or -0; it is told by its value.
 */
static enum status take_bound(struct line *line, double *bound)
{
    struct bytes text;
    if (!label_list_take(&line->list, BYTES("le"), &text) || !number_parse(text, bound) ||
        isnan(*bound) || *bound == -INFINITY) {
        line->detail = "a bucket's le is not a number";
        return STATUS_BAD_VALUE;
    }
    *bound += 0.0;
    return STATUS_OK;
}

/* A child is labelled without le; elsewhere in a histogram it would be taken for a bound. */
static enum status no_other_bound(struct line *line, const struct child_line *part)
{
    if (part->kind == KIND_SUMMARY || label_list_find(&line->list, BYTES("le")) == NULL)
        return STATUS_OK;
    if (part->part == PART_BUCKET)
        return STATUS_DUPLICATE_LABEL;
    line->detail = "in a histogram le is for buckets";
    return STATUS_BAD_LABEL_NAME;
}

/* Limits are on what the child is labelled with. */
static enum status child_labels(const struct prometheus_decoder *decoder, struct line *line,
                                struct child_line *part)
{
    enum status status = STATUS_OK;
    if (part->part == PART_BUCKET)
        status = take_bound(line, &part->bound);
    if (status == STATUS_OK && decoder->labels != NULL)
        status = merge_path_labels(line, decoder->labels);
    if (status == STATUS_OK)
        status = no_other_bound(line, part);
    return status == STATUS_OK ? label_list_finish(&line->list, decoder->settings).status : status;
}

static enum status child_line(struct prometheus_decoder *decoder, struct line *line,
                              struct child_line *part, struct intake *intake)
{
    enum status status = child_labels(decoder, line, part);
    if (status != STATUS_OK || child_draft_add(&decoder->child, part, &line->list))
        return status;
    close_child(decoder, intake);
    bool added = child_draft_add(&decoder->child, part, &line->list);
    ENSURE(added);
    return STATUS_OK;
}

/* ---- a sample line ---- */

/*
 * Name and labels byte by byte: takes what line_shape_read does not, and says what is wrong with
 * the rest.
 */
static enum status name_and_labels(const struct prometheus_decoder *decoder, struct line *line)
{
    enum status status = metric_name(decoder, line);
    if (status != STATUS_OK)
        return status;
    skip_blanks(line);
    if (!at_byte(line, '{'))
        return STATUS_OK;
    line->at++;
    return labels(decoder->settings, line);
}

static bool plain_name_and_labels(const struct prometheus_decoder *decoder, struct line *line)
{
    struct line_shape shape;
    struct bytes text = {line->at, (size_t)(line->end - line->at)};
    if (!line_shape_read(text, line->readable, decoder->settings, &line->list, &shape))
        return false;
    line->name = (struct bytes){text.at, shape.name_bytes};
    line->labels = (struct bytes){text.at + shape.name_bytes + 1,
                                  shape.behind - shape.name_bytes - sizeof("{}") + 1};
    line->at = text.at + shape.behind;
    return true;
}

static enum status sample_line(struct prometheus_decoder *decoder, struct line *line,
                               struct intake *intake)
{
    double value;
    int64_t timestamp_ms = TIMESTAMP_NONE;
    struct meaning meaning;
    if (decoder->ended)
        return bad_syntax(line, "a sample after # EOF");
    enum status status = STATUS_OK;
    if (!plain_name_and_labels(decoder, line))
        status = name_and_labels(decoder, line);
    if (status == STATUS_OK)
        status = value_and_timestamp(decoder, line, &value, &timestamp_ms);
    if (status == STATUS_OK)
        status = classify(decoder, line, &meaning);
    if (status != STATUS_OK || meaning.ignored)
        return status;
    status = check_value(line, &meaning, value);
    if (status == STATUS_OK && meaning.part != PART_VALUE) {
        struct child_line part = {.kind = meaning.kind,
                                  .part = meaning.part,
                                  .value = value,
                                  .timestamp_ms = timestamp_ms,
                                  .line = decoder->reader.line};
        return child_line(decoder, line, &part, intake);
    }
    if (status == STATUS_OK)
        status = finish_labels(decoder, line);
    if (status == STATUS_OK)
        emit(decoder, line, &meaning, value, timestamp_ms, intake);
    return status;
}

static void reject(const struct prometheus_decoder *decoder, enum status status,
                   const char *detail, struct report *report)
{
    struct refusal refusal = refusal_of(status, decoder->settings);
    refusal.line = decoder->reader.line;
    refusal.detail = detail;
    report_reject(report, refusal);
}

/* A line that is refused is reported, and the next one is read. */
static void take_line(struct prometheus_decoder *decoder, struct bytes text, size_t behind,
                      struct intake *intake)
{
    struct line line;
    line.at = text.at;
    line.end = text.at + text.length;
    line.labels = (struct bytes){text.at, 0};
    line.copy = false;
    line.detail = NULL;
    label_list_init(&line.list);
    skip_blanks(&line);
    if (line.at == line.end)
        return;
    line.readable = (size_t)(line.end - line.at) + behind;
    enum status status = *line.at == '#' ? comment_line(decoder, &line, intake)
                                         : sample_line(decoder, &line, intake);
    if (status != STATUS_OK)
        reject(decoder, status, line.detail, intake->report);
}

/* `behind`: bytes that may be read behind the line. */
static void take_event(struct prometheus_decoder *decoder, enum line_event event,
                       struct bytes line, size_t behind, struct intake *intake)
{
    if (event == LINE_WHOLE)
        take_line(decoder, line, behind, intake);
    else
        reject(decoder, STATUS_LINE_TOO_LONG, NULL, intake->report);
}

static struct refusal prometheus_feed(struct decoder *base, struct bytes input,
                                      struct intake *intake)
{
    struct prometheus_decoder *decoder = (struct prometheus_decoder *)base;
    struct bytes line;
    enum line_event event;
    bool lent = decoder->reader.kept == 0; /* the first line may come from the reader's buffer */
    while ((event = line_reader_next(&decoder->reader, &input, &line)) != LINE_NONE) {
        take_event(decoder, event, line, lent ? input.length : 0, intake);
        lent = true;
        if (decoder->fatal.status != STATUS_OK)
            return decoder->fatal;
    }
    struct refusal fatal = batch_flush(intake); /* samples borrow the buffer that keep writes to */
    line_reader_keep(&decoder->reader, input);
    return fatal;
}

static struct refusal prometheus_finish(struct decoder *base, struct intake *intake)
{
    struct prometheus_decoder *decoder = (struct prometheus_decoder *)base;
    struct bytes line;
    enum line_event event = line_reader_finish(&decoder->reader, &line);
    if (event != LINE_NONE)
        take_event(decoder, event, line, 0, intake);
    if (decoder->fatal.status == STATUS_OK)
        close_child(decoder, intake);
    return decoder->fatal.status != STATUS_OK ? decoder->fatal : batch_flush(intake);
}

/* What labels of a line and of the path can come to. */
static size_t labels_max(const struct decoder_options *options, size_t line_bytes,
                         const struct settings *settings)
{
    size_t path = options->labels == NULL ? 0 : label_list_bytes(options->labels) + 1;
    size_t most = settings->limits_label_set_bytes;
    return line_bytes + path < most ? line_bytes + path : most;
}

struct decoder *prometheus_decoder_make(const struct decoder_options *options,
                                        const struct settings *settings, struct arena *arena)
{
    size_t line_bytes = settings->limits_line_bytes;
    if (options->body_bytes < line_bytes)
        line_bytes = options->body_bytes; /* a small push needs no large buffer */
    size_t labels = labels_max(options, line_bytes, settings);
    struct prometheus_decoder *decoder = arena_push_zero(arena, sizeof *decoder);
    char *name = decoder == NULL ? NULL : arena_push(arena, settings->limits_name_bytes);
    char *buffer = name == NULL ? NULL : arena_push(arena, line_bytes);
    size_t draft = child_draft_bytes(labels, options->body_bytes);
    void *room = buffer == NULL ? NULL : arena_push(arena, draft);
    if (room == NULL)
        return NULL;
    child_draft_init(&decoder->child, labels, options->body_bytes, room);
    decoder->decoder = (struct decoder){prometheus_feed, prometheus_finish};
    decoder->settings = settings;
    decoder->labels = options->labels;
    decoder->openmetrics = options->format == FORMAT_OPENMETRICS;
    decoder->name = name;
    line_reader_init(&decoder->reader, buffer, line_bytes, line_bytes);
    return &decoder->decoder;
}
