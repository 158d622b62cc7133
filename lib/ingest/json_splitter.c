/* json_splitter.c: see json_splitter.h. */
#include "ingest/json_splitter.h"

#include "base/ensure.h"
#include "base/scan.h"

/* ---- one value ---- */

void json_scan_init(struct json_scan *scan, uint64_t depth_max)
{
    *scan = (struct json_scan){.depth_max = depth_max, .deep_at = JSON_NOT_DEEP};
}

/* Returns where the string ends, its quote included, or the end of the text. */
static const char *pass_string(struct json_scan *scan, const char *at, const char *end)
{
    while (at < end && scan->in_string) {
        if (!scan->escaped)
            at = scan_quoted(at, end);
        if (at == end)
            break;
        char c = *at++;
        scan->in_string = scan->escaped || c != '"';
        scan->escaped = !scan->escaped && c == '\\';
    }
    return at;
}

static void open_bracket(struct json_scan *scan, uint64_t offset)
{
    scan->depth++;
    if (scan->depth > scan->depth_max && scan->deep_at == JSON_NOT_DEEP)
        scan->deep_at = offset;
}

size_t json_scan_pass(struct json_scan *scan, struct bytes text, bool *ended)
{
    const char *at = text.at;
    const char *end = text.at + text.length;
    *ended = false;
    while (at < end && !*ended) {
        if (scan->in_string) {
            at = pass_string(scan, at, end);
            *ended = !scan->in_string && scan->depth == 0;
            continue;
        }
        char c = *at++;
        if (c == '"') {
            scan->in_string = true;
        } else if (c == '{' || c == '[') {
            open_bracket(scan, scan->offset + (size_t)(at - text.at) - 1);
        } else if (c == '}' || c == ']') {
            ENSURE(scan->depth > 0);
            *ended = --scan->depth == 0;
        }
    }
    scan->offset += (size_t)(at - text.at);
    return (size_t)(at - text.at);
}

/* ---- a body ---- */

void json_splitter_init(struct json_splitter *splitter, char *buffer, size_t buffer_bytes,
                        size_t element_max, uint64_t depth_max)
{
    *splitter = (struct json_splitter){
        .buffer = buffer,
        .buffer_bytes = buffer_bytes,
        .element_max = element_max,
        .scan = {.depth_max = depth_max},
        .line = 1,
    };
}

static struct bytes drop_front(struct bytes *input, size_t bytes)
{
    struct bytes front = {input->at, bytes};
    *input = (struct bytes){input->at + bytes, input->length - bytes};
    return front;
}

static enum split_event malformed(struct json_splitter *splitter, const char *detail)
{
    splitter->detail = detail;
    return SPLIT_MALFORMED;
}

/* What a number, true, false or null is made of; whether it is one does not matter here. */
static bool is_bare(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '-' || c == '+' || c == '.';
}

static bool begins_value(char c)
{
    return c == '{' || c == '[' || c == '"' || is_bare(c);
}

static void begin(struct json_splitter *splitter, char c)
{
    json_scan_init(&splitter->scan, splitter->scan.depth_max);
    splitter->state = SPLIT_WITHIN;
    splitter->object = c == '{';
    splitter->bare = is_bare(c);
    splitter->element_line = splitter->line;
    if (splitter->array && splitter->element < UINT32_MAX)
        splitter->element++;
}

/* `c` is no blank and stands between elements: it is structure, begins one, or is a mistake. */
static enum split_event structure(struct json_splitter *splitter, char c)
{
    switch (splitter->state) {
    case SPLIT_BEFORE:
        splitter->array = c == '[';
        splitter->state = SPLIT_OPEN;
        if (c == '{')
            begin(splitter, c);
        return c == '{' || c == '[' ? SPLIT_NONE
                                    : malformed(splitter, "it is neither an object nor an array");
    case SPLIT_BEHIND:
        if (c != ',' && c != ']')
            return malformed(splitter, "between two elements there is no comma");
        splitter->state = c == ',' ? SPLIT_COMMA : SPLIT_END;
        return SPLIT_NONE;
    case SPLIT_END:
        return malformed(splitter, "something follows its end; for an object a line, send"
                                   " application/x-ndjson");
    default:
        if (c == ']' && splitter->state == SPLIT_OPEN) {
            splitter->state = SPLIT_END;
            return SPLIT_NONE;
        }
        if (!begins_value(c))
            return malformed(splitter, "an element is missing");
        begin(splitter, c);
        return SPLIT_NONE;
    }
}

/* Passes over what stands between elements, up to the next one, the end of input, or a mistake. */
static enum split_event between(struct json_splitter *splitter, struct bytes *input)
{
    while (input->length > 0) {
        char c = *input->at;
        bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        enum split_event event = blank ? SPLIT_NONE : structure(splitter, c);
        if (event != SPLIT_NONE || splitter->state == SPLIT_WITHIN)
            return event;
        splitter->line += c == '\n';
        drop_front(input, 1);
    }
    return SPLIT_NONE;
}

static uint64_t newlines(struct bytes text)
{
    uint64_t count = 0;
    const char *end = text.at + text.length;
    const char *at = text.at;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        count++;
        at++;
    }
    return count;
}

static size_t pass_bare(struct json_scan *scan, struct bytes text, bool *ended)
{
    size_t at = 0;
    while (at < text.length && is_bare(text.at[at]))
        at++;
    *ended = at < text.length;
    scan->offset += at;
    return at;
}

/*
 * What the element is as far as it was seen. Whichever limit comes first in its bytes is the one
 * that is told, so that it does not depend on where the input was cut.
 */
static enum split_event verdict(const struct json_splitter *splitter)
{
    const struct json_scan *scan = &splitter->scan;
    if (scan->deep_at != JSON_NOT_DEEP && scan->deep_at < splitter->element_max)
        return SPLIT_TOO_DEEP;
    if (!splitter->object)
        return SPLIT_NOT_OBJECT;
    return scan->offset > splitter->element_max ? SPLIT_TOO_LARGE : SPLIT_ELEMENT;
}

static void keep(struct json_splitter *splitter, struct bytes part)
{
    ENSURE(part.length <= splitter->buffer_bytes - splitter->kept);
    memcpy(splitter->buffer + splitter->kept, part.at, part.length);
    splitter->kept += part.length;
}

/* The element is complete with this part of it. */
static enum split_event end(struct json_splitter *splitter, struct bytes part,
                            struct bytes *element)
{
    enum split_event event = verdict(splitter);
    splitter->state = splitter->array ? SPLIT_BEHIND : SPLIT_END;
    if (event == SPLIT_ELEMENT && splitter->kept > 0) {
        keep(splitter, part);
        part = (struct bytes){splitter->buffer, splitter->kept};
    }
    splitter->kept = 0;
    if (event == SPLIT_ELEMENT)
        *element = part;
    return event;
}

static enum split_event within(struct json_splitter *splitter, struct bytes *input,
                               struct bytes *element)
{
    bool ended;
    size_t length = splitter->bare ? pass_bare(&splitter->scan, *input, &ended)
                                   : json_scan_pass(&splitter->scan, *input, &ended);
    struct bytes part = drop_front(input, length);
    splitter->line += newlines(part);
    if (ended)
        return end(splitter, part, element);
    if (verdict(splitter) == SPLIT_ELEMENT)
        keep(splitter, part);
    return SPLIT_NONE;
}

enum split_event json_splitter_next(struct json_splitter *splitter, struct bytes *input,
                                    struct bytes *element)
{
    if (splitter->state != SPLIT_WITHIN) {
        enum split_event event = between(splitter, input);
        if (event != SPLIT_NONE || splitter->state != SPLIT_WITHIN)
            return event;
    }
    return within(splitter, input, element);
}
