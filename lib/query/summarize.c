/* summarize.c: see summarize.h. */
#include "query/summarize.h"

#include "base/ensure.h"
#include "base/number.h"
#include "ingest/label_set.h"

#include <math.h>

static struct refusal ok(void)
{
    return refusal_plain(STATUS_OK);
}

/* ---- one value ---- */

struct refusal summarize_value(struct summary *summary, double value, uint64_t line,
                               struct intake *intake)
{
    struct refusal refusal = refusal_detail(STATUS_BAD_VALUE, "it is not finite");
    if (isfinite(value)) {
        enum status status = summary_add(summary, value);
        if (status == STATUS_OK)
            return ok();
        refusal = refusal_of(status, intake->settings);
        if (status != STATUS_BAD_UTF8)
            return refusal; /* the arena's */
    }
    refusal.line = line;
    report_reject(intake->report, refusal);
    return ok();
}

/* ---- JSON ---- */

static struct refusal check_value(const struct json_field *value)
{
    if (value->kind == JSON_FIELD_MISSING)
        return refusal_detail(STATUS_BAD_FIELD, "the field of value= is missing");
    return value->kind == JSON_FIELD_NUMBER ? ok() : refusal_plain(STATUS_BAD_NUMBER);
}

/* From here on whole numbers next to each other are read as one. */
#define WHOLE_MAX 0x1p53

static struct refusal add_field(struct summary *summary, const struct json_field *field)
{
    char digits[NUMBER_BYTES_MAX];
    struct bytes text = field->text;
    if (field->kind == JSON_FIELD_MISSING)
        return refusal_detail(STATUS_BAD_FIELD, "a field of by= is missing");
    if (field->kind == JSON_FIELD_OTHER)
        return refusal_detail(STATUS_BAD_FIELD,
                              "a field of by= is not a string, a number or a boolean");
    if (field->kind == JSON_FIELD_NUMBER && fabs(field->number) >= WHOLE_MAX)
        return refusal_detail(STATUS_BAD_FIELD,
                              "a number of by= is not exact: send it as a string");
    if (field->kind == JSON_FIELD_NUMBER)
        text = (struct bytes){digits, number_write(field->number + 0.0, digits)}; /* -0 is 0 */
    char *out = summary_key_take(summary, text.length);
    if (out == NULL)
        return refusal_of(STATUS_LABEL_SET_TOO_LONG, summary->settings);
    memcpy(out, text.at, text.length);
    summary_key_add(summary, text.length);
    return ok();
}

static struct refusal read_object(const struct json_element *element, struct intake *intake,
                                  double *value)
{
    struct summary *summary = intake->context;
    const struct summary_options *options = summary->options;
    struct bytes names[1 + SUMMARY_BY_MAX] = {options->value};
    struct json_field fields[1 + SUMMARY_BY_MAX];
    memcpy(names + 1, options->by, options->by_count * sizeof *names);
    struct refusal refusal =
        json_fields_read(element, intake, names, 1 + options->by_count, fields);
    if (refusal.status == STATUS_OK)
        refusal = check_value(&fields[0]);
    *value = fields[0].number;
    summary_key_reset(summary);
    for (uint32_t i = 0; i < options->by_count && refusal.status == STATUS_OK; i++)
        refusal = add_field(summary, &fields[1 + i]);
    return refusal;
}

struct refusal summarize_object(const struct json_element *element, struct intake *intake)
{
    double value;
    struct arena_mark mark = arena_mark(intake->scratch);
    struct refusal refusal = read_object(element, intake, &value);
    ledger_visit(intake->ledger, POOL_SCRATCH, arena_used(intake->scratch));
    arena_rewind(intake->scratch, mark);
    if (refusal.status == STATUS_OK)
        return summarize_value(intake->context, value, element->line, intake);
    refusal.line = element->line;
    refusal.element = element->element;
    report_reject(intake->report, refusal);
    return ok();
}

/* ---- Prometheus text ---- */

/* The sample's label of that name; empty when it has none, which in Prometheus is the same. */
static struct bytes label_of(const struct sample *sample, struct bytes name)
{
    struct label label;
    struct bytes text = sample_labels(sample);
    while (label_text_next(&text, &label)) {
        if (bytes_equal(label.name, name))
            return label.value;
    }
    return BYTES("");
}

static bool read_labels(struct summary *summary, const struct sample *sample)
{
    summary_key_reset(summary);
    for (uint32_t i = 0; i < summary->options->by_count; i++) {
        struct bytes escaped = label_of(sample, summary->options->by[i]);
        char *out = summary_key_take(summary, escaped.length);
        if (out == NULL)
            return false;
        summary_key_add(summary, label_value_unescape(escaped, out));
    }
    return true;
}

static struct refusal take_sample(struct summary *summary, const struct sample *sample,
                                  struct intake *intake)
{
    struct refusal refusal = ok();
    if (!bytes_equal(sample_name(sample), summary->options->value))
        return ok();
    if (sample->kind != KIND_COUNTER && sample->kind != KIND_GAUGE)
        refusal = refusal_detail(STATUS_BAD_VALUE, "a part of a histogram or summary is not one");
    else if (!read_labels(summary, sample))
        refusal = refusal_of(STATUS_LABEL_SET_TOO_LONG, intake->settings);
    else
        return summarize_value(summary, sample->value, sample->line, intake);
    refusal.line = sample->line;
    report_reject_lines(intake->report, refusal, sample->lines);
    return ok();
}

struct refusal summarize_samples(void *context, struct intake *intake)
{
    struct summary *summary = context;
    for (uint32_t i = 0; i < intake->batch->count; i++) {
        struct refusal refusal = take_sample(summary, &intake->batch->samples[i], intake);
        if (refusal.status != STATUS_OK)
            return refusal;
    }
    return ok();
}

/* ---- which format ---- */

static struct decoder *format_make(const struct summarize_options *options, struct summary *summary,
                                   struct arena *arena)
{
    static const enum format formats[] = {
        [SUMMARY_NDJSON] = FORMAT_NDJSON,
        [SUMMARY_ARRAY] = FORMAT_JSON,
        [SUMMARY_PROMETHEUS] = FORMAT_PROMETHEUS,
        [SUMMARY_OPENMETRICS] = FORMAT_OPENMETRICS,
    };
    if (options->format == SUMMARY_CSV)
        return summarize_csv_make(options, summary, arena);
    struct decoder_options own = {
        .format = formats[options->format],
        .body_bytes = options->body_bytes,
        .read_object = summarize_object,
    };
    return decoder_make(&own, summary->settings, arena);
}

/* Waits for the first byte that is not blank, then hands everything to the decoder it asks for. */
struct summary_sniffer {
    struct decoder decoder;
    struct decoder *chosen;
    struct summarize_options options;
    struct summary *summary;
    struct arena *arena;
    uint64_t newlines; /* before that byte */
};

/* Blanks are passed over, and newlines counted: how the body was cut makes no difference. */
static void pass_blanks(struct summary_sniffer *sniffer, struct bytes *input)
{
    size_t at = 0;
    while (at < input->length && memchr(" \t\r\n", input->at[at], 4) != NULL)
        sniffer->newlines += input->at[at++] == '\n';
    *input = (struct bytes){input->at + at, input->length - at};
}

static enum summary_format format_by_first_byte(enum summary_format asked, char first)
{
    if (first == '[')
        return SUMMARY_ARRAY;
    return first == '{' || asked == SUMMARY_JSON ? SUMMARY_NDJSON : SUMMARY_CSV;
}

/* The decoder passes over the newlines too, so that errors name the right line. */
static struct refusal choose(struct summary_sniffer *sniffer, char first, struct intake *intake)
{
    struct refusal refusal = ok();
    sniffer->options.format = format_by_first_byte(sniffer->options.format, first);
    sniffer->chosen = format_make(&sniffer->options, sniffer->summary, sniffer->arena);
    if (sniffer->chosen == NULL)
        return refusal_of(sniffer->arena->refusal, intake->settings);
    char newlines[1024];
    memset(newlines, '\n', sizeof newlines);
    while (sniffer->newlines > 0 && refusal.status == STATUS_OK) {
        size_t most = sizeof newlines;
        size_t count = sniffer->newlines < most ? (size_t)sniffer->newlines : most;
        refusal = sniffer->chosen->feed(sniffer->chosen, (struct bytes){newlines, count}, intake);
        sniffer->newlines -= count;
    }
    return refusal;
}

static struct refusal sniffer_feed(struct decoder *decoder, struct bytes input,
                                   struct intake *intake)
{
    struct summary_sniffer *sniffer = (struct summary_sniffer *)decoder;
    if (sniffer->chosen == NULL) {
        pass_blanks(sniffer, &input);
        if (input.length == 0)
            return ok();
        struct refusal refusal = choose(sniffer, input.at[0], intake);
        if (refusal.status != STATUS_OK)
            return refusal;
    }
    return sniffer->chosen->feed(sniffer->chosen, input, intake);
}

static struct refusal sniffer_finish(struct decoder *decoder, struct intake *intake)
{
    struct summary_sniffer *sniffer = (struct summary_sniffer *)decoder;
    if (sniffer->chosen == NULL)
        return refusal_plain(STATUS_EMPTY_BODY);
    return sniffer->chosen->finish(sniffer->chosen, intake);
}

static struct decoder *sniffer_make(const struct summarize_options *options,
                                    struct summary *summary, struct arena *arena)
{
    struct summary_sniffer *sniffer = arena_push(arena, sizeof *sniffer);
    if (sniffer == NULL)
        return NULL;
    *sniffer = (struct summary_sniffer){
        .decoder = {.feed = sniffer_feed, .finish = sniffer_finish},
        .options = *options,
        .summary = summary,
        .arena = arena,
    };
    return &sniffer->decoder;
}

/* ---- a body ---- */

static bool push_init(struct summarize *summarize, const struct settings *settings,
                      struct arena *arena)
{
    struct summarize_options *options = &summarize->options;
    struct push *push = &summarize->push;
    push->arena = arena;
    if (options->encoding != ENCODING_IDENTITY) {
        push->inflater = inflater_make(options->encoding, settings, arena);
        if (push->inflater == NULL)
            return false;
        options->body_bytes = settings->limits_inflated_bytes;
    }
    bool sniff = options->format == SUMMARY_BY_FIRST_BYTE || options->format == SUMMARY_JSON;
    push->decoder = sniff ? sniffer_make(options, &summarize->summary, arena)
                          : format_make(options, &summarize->summary, arena);
    return push->decoder != NULL;
}

struct summarize *summarize_make(const struct summarize_options *options,
                                 const struct settings *settings, struct arena *arena)
{
    struct summarize *summarize = arena_push_zero(arena, sizeof *summarize);
    if (summarize == NULL)
        return NULL;
    summarize->options = *options;
    if (!summary_init(&summarize->summary, &summarize->options.summary, settings, options->seed,
                      arena))
        return NULL;
    return push_init(summarize, settings, arena) ? summarize : NULL;
}

/* The intake a decoder sees: nothing goes to the store. */
static struct intake intake_for(struct summarize *summarize, const struct intake *intake)
{
    struct intake own = *intake;
    own.flush = summarize_samples;
    own.context = &summarize->summary;
    return own;
}

struct refusal summarize_feed(struct summarize *summarize, struct bytes input,
                              const struct intake *intake)
{
    struct intake own = intake_for(summarize, intake);
    return push_feed(&summarize->push, input, &own);
}

struct refusal summarize_finish(struct summarize *summarize, const struct intake *intake)
{
    struct intake own = intake_for(summarize, intake);
    return push_finish(&summarize->push, &own);
}
