/*
 * json_decoder.c: NDJSON, one object a line, and JSON, one object or an array of them.
 *
 *     NDJSON   bytes ──line_reader──>   line ────┐
 *     JSON     bytes ──json_splitter──> element ─┴──json_element──> samples, or one rejection
 *
 * A line or an element that cannot be used is rejected alone and the body goes on. Only what leaves
 * no way to tell where the next element begins ends the request, and then what came before it
 * stands: it is flushed first, so that the outcome does not depend on how the body was cut.
 *
 * Samples borrow nothing of the input, so buffers may be reused at any time.
 */
#include "base/ensure.h"
#include "ingest/decoder.h"
#include "ingest/json_element.h"
#include "ingest/json_splitter.h"
#include "ingest/line_reader.h"

struct json_decoder {
    struct decoder decoder;
    const struct label_list *labels; /* of the path; NULL when there are none */
    struct refusal (*read)(const struct json_element *element, struct intake *intake);
    union {
        struct line_reader reader;     /* FORMAT_NDJSON */
        struct json_splitter splitter; /* FORMAT_JSON */
    };
};

static struct refusal ok(void)
{
    return refusal_plain(STATUS_OK);
}

static struct refusal at_line(struct refusal refusal, uint64_t line)
{
    refusal.line = line;
    return refusal;
}

/* ---- NDJSON ---- */

static bool is_blank(struct bytes line)
{
    for (size_t i = 0; i < line.length; i++) {
        if (line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r')
            return false;
    }
    return true;
}

/* `object` begins with its bracket. What is behind it jansson refuses without descending. */
static bool is_too_deep(struct bytes object, uint64_t depth_max)
{
    struct json_scan scan;
    bool ended;
    json_scan_init(&scan, depth_max);
    json_scan_pass(&scan, object, &ended);
    return scan.deep_at != JSON_NOT_DEEP;
}

/* What can be told of a line before it is parsed. */
static struct refusal check_line(enum line_event event, struct bytes line,
                                 const struct settings *settings)
{
    if (event == LINE_TOO_LONG)
        return refusal_of(STATUS_LINE_TOO_LONG, settings);
    if (line.at[0] != '{')
        return refusal_detail(STATUS_BAD_JSON, "the line is not an object");
    if (line.length > settings->limits_element_bytes)
        return refusal_of(STATUS_ELEMENT_TOO_LARGE, settings);
    if (is_too_deep(line, settings->limits_json_depth))
        return refusal_of(STATUS_TOO_DEEP, settings);
    return ok();
}

static struct refusal take_line(struct json_decoder *json, enum line_event event,
                                struct bytes line, struct intake *intake)
{
    if (event == LINE_WHOLE && is_blank(line))
        return ok();
    line = event == LINE_WHOLE ? bytes_trim(line) : line;
    struct refusal refusal = check_line(event, line, intake->settings);
    if (refusal.status != STATUS_OK) {
        report_reject(intake->report, at_line(refusal, json->reader.line));
        return ok();
    }
    struct json_element element = {line, json->reader.line, 0, json->labels};
    return json->read(&element, intake);
}

static struct refusal ndjson_feed(struct decoder *decoder, struct bytes input,
                                  struct intake *intake)
{
    struct json_decoder *json = (struct json_decoder *)decoder;
    struct bytes line;
    enum line_event event;
    while ((event = line_reader_next(&json->reader, &input, &line)) != LINE_NONE) {
        struct refusal fatal = take_line(json, event, line, intake);
        if (fatal.status != STATUS_OK)
            return fatal;
    }
    line_reader_keep(&json->reader, input);
    return batch_flush(intake);
}

static struct refusal ndjson_finish(struct decoder *decoder, struct intake *intake)
{
    struct json_decoder *json = (struct json_decoder *)decoder;
    struct bytes line;
    enum line_event event = line_reader_finish(&json->reader, &line);
    if (event == LINE_NONE)
        return ok();
    struct refusal fatal = take_line(json, event, line, intake);
    return fatal.status == STATUS_OK ? batch_flush(intake) : fatal;
}

/* ---- JSON ---- */

static struct refusal refusal_of_split(enum split_event event, const struct settings *settings)
{
    switch (event) {
    case SPLIT_TOO_LARGE:
        return refusal_of(STATUS_ELEMENT_TOO_LARGE, settings);
    case SPLIT_TOO_DEEP:
        return refusal_of(STATUS_TOO_DEEP, settings);
    default:
        ENSURE(event == SPLIT_NOT_OBJECT);
        return refusal_detail(STATUS_BAD_JSON, "the element is not an object");
    }
}

static struct refusal take_element(struct json_decoder *json, enum split_event event,
                                   struct bytes text, struct intake *intake)
{
    uint64_t line = json->splitter.element_line;
    uint32_t number = json->splitter.element;
    if (event == SPLIT_ELEMENT) {
        struct json_element element = {text, line, number, json->labels};
        return json->read(&element, intake);
    }
    struct refusal refusal = refusal_of_split(event, intake->settings);
    refusal.line = line;
    refusal.element = number;
    report_reject(intake->report, refusal);
    return ok();
}

/* The request ends here; what was good before stands. */
static struct refusal flush_and_refuse(struct intake *intake, struct refusal refusal)
{
    struct refusal fatal = batch_flush(intake);
    return fatal.status == STATUS_OK ? refusal : fatal;
}

static struct refusal json_feed(struct decoder *decoder, struct bytes input,
                                struct intake *intake)
{
    struct json_decoder *json = (struct json_decoder *)decoder;
    struct bytes element;
    enum split_event event;
    while ((event = json_splitter_next(&json->splitter, &input, &element)) != SPLIT_NONE) {
        if (event == SPLIT_MALFORMED) {
            struct refusal refusal = refusal_detail(STATUS_BAD_JSON, json->splitter.detail);
            return flush_and_refuse(intake, at_line(refusal, json->splitter.line));
        }
        struct refusal fatal = take_element(json, event, element, intake);
        if (fatal.status != STATUS_OK)
            return fatal;
    }
    return batch_flush(intake);
}

static struct refusal json_finish(struct decoder *decoder, struct intake *intake)
{
    const struct json_splitter *splitter = &((struct json_decoder *)decoder)->splitter;
    (void)intake; /* each feed flushed what it had */
    if (splitter->state == SPLIT_END)
        return ok();
    if (splitter->state == SPLIT_BEFORE)
        return refusal_plain(STATUS_EMPTY_BODY);
    const char *detail = splitter->state == SPLIT_WITHIN ? "an element has no end"
                                                         : "the array has no end";
    return at_line(refusal_detail(STATUS_TRUNCATED_BODY, detail), splitter->line);
}

/* ---- both ---- */

/*
 * A small push needs no large buffer. Nor may a line or element be larger than it, whatever a
 * client said of its body.
 */
static size_t buffer_bytes(uint64_t limit, const struct decoder_options *options)
{
    return (size_t)(options->body_bytes < limit ? options->body_bytes : limit);
}

static void ndjson_init(struct json_decoder *json, char *buffer, size_t bytes,
                        const struct settings *settings)
{
    (void)settings;
    json->decoder = (struct decoder){ndjson_feed, ndjson_finish};
    line_reader_init(&json->reader, buffer, bytes, bytes);
}

static void json_init(struct json_decoder *json, char *buffer, size_t bytes,
                      const struct settings *settings)
{
    json->decoder = (struct decoder){json_feed, json_finish};
    json_splitter_init(&json->splitter, buffer, bytes, bytes, settings->limits_json_depth);
}

struct decoder *json_decoder_make(const struct decoder_options *options,
                                  const struct settings *settings, struct arena *arena)
{
    bool ndjson = options->format == FORMAT_NDJSON;
    size_t bytes = buffer_bytes(
        ndjson ? settings->limits_line_bytes : settings->limits_element_bytes, options);
    ENSURE(ndjson || options->format == FORMAT_JSON);
    ENSURE(json_element_is_set_up());
    struct json_decoder *json = arena_push(arena, sizeof *json + bytes);
    if (json == NULL)
        return NULL;
    *json = (struct json_decoder){
        .labels = options->labels,
        .read = options->read_object == NULL ? json_element_read : options->read_object,
    };
    char *buffer = (char *)(json + 1);
    if (ndjson)
        ndjson_init(json, buffer, bytes, settings);
    else
        json_init(json, buffer, bytes, settings);
    return &json->decoder;
}
