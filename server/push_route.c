/*
 * push_route.c: POST /v1/push, and bodies pushed to Pushgateway's paths.
 *
 *     headers ── format, encoding, labels of the path ──> push_make ── body ──lock──> store
 */
#include "negotiate.h"
#include "routes.h"
#include "service.h"

#include "ingest/label_set.h"
#include "reply/document.h"

/* ---- what the headers ask for ---- */

static bool format_of(struct bytes content_type, enum format *format)
{
    static const struct {
        const char *type;
        enum format format;
    } rows[] = {
        {"", FORMAT_BY_FIRST_BYTE},
        {"application/x-www-form-urlencoded", FORMAT_BY_FIRST_BYTE}, /* curl's default */
        {"text/plain", FORMAT_PROMETHEUS},
        {"application/openmetrics-text", FORMAT_OPENMETRICS},
        {"application/x-ndjson", FORMAT_NDJSON},
        {"application/jsonl", FORMAT_NDJSON},
        {"application/json", FORMAT_JSON},
    };
    struct bytes type = media_type(content_type);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (bytes_equal_nocase(type, bytes_of(rows[i].type))) {
            *format = rows[i].format;
            return true;
        }
    }
    return false;
}

static bool switch_of(struct request *request, const char *name, bool *on)
{
    struct bytes value;
    *on = false;
    if (!request_parameter(request, name, &value))
        return request->refused.status == STATUS_OK;
    *on = bytes_equal(value, BYTES("1")) || bytes_equal(value, BYTES("true"));
    if (*on || bytes_equal(value, BYTES("0")) || bytes_equal(value, BYTES("false")))
        return true;
    request_refuse(request, refusal_detail(STATUS_BAD_PARAMETER, "atomic is 0 or 1"));
    return false;
}

static bool push_options_read(struct request *request, struct push_options *options)
{
    if (!encoding_of(request->content_encoding, &options->encoding)) {
        request_refuse(request, refusal_plain(STATUS_UNSUPPORTED_ENCODING));
        return false;
    }
    if (!format_of(request->content_type, &options->decoder.format)) {
        request_refuse(request, refusal_detail(STATUS_UNSUPPORTED_MEDIA_TYPE,
                                               "use text/plain, application/openmetrics-text, "
                                               "application/x-ndjson or application/json"));
        return false;
    }
    return true;
}

static void push_start(struct request *request, struct push_options *options)
{
    options->decoder.body_bytes = request->content_length;
    if (!switch_of(request, "atomic", &options->atomic))
        return;
    request->push = push_make(options, request->service->settings, &request->arena);
    if (request->push == NULL)
        request_refuse_arena(request);
}

void push_begin(struct request *request)
{
    struct push_options options = {0};
    request->is_push = true;
    if (request->content_length == 0) {
        request_refuse(request, refusal_plain(STATUS_EMPTY_BODY));
        return;
    }
    if (push_options_read(request, &options))
        push_start(request, &options);
}

/*
 * ---- Pushgateway's paths: /metrics/job/<job>{/<label>/<value>}, each name optionally with @base64
 * ----
 */

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-' || c == '+')
        return 62;
    return c == '_' || c == '/' ? 63 : -1;
}

/*
 * RFC 4648, the URL-safe alphabet too, padding optional; a lone = is the empty text, as Pushgateway
 * has it.
 */
static bool base64_decode(struct bytes text, char *out, size_t *length)
{
    uint32_t bits = 0;
    unsigned held = 0;
    *length = 0;
    while (text.length > 0 && text.at[text.length - 1] == '=')
        text.length--;
    for (size_t i = 0; i < text.length; i++) {
        int digit = base64_digit(text.at[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[(*length)++] = (char)(bits >> held & 0xff);
        }
    }
    return text.length % 4 != 1;
}

/* Takes the next piece between slashes off the front. */
static struct bytes path_piece(struct bytes *path)
{
    const char *slash = path->length == 0 ? NULL : memchr(path->at, '/', path->length);
    struct bytes piece = {path->at, slash == NULL ? path->length : (size_t)(slash - path->at)};
    size_t taken = piece.length + (slash != NULL);
    *path = (struct bytes){path->at + taken, path->length - taken};
    return piece;
}

static bool refuse_path(struct request *request, const char *detail)
{
    request_refuse(request, refusal_detail(STATUS_BAD_PATH, detail));
    return false;
}

/* A label value of the path, decoded, checked and escaped into the arena. */
static bool path_value(struct request *request, struct bytes raw, bool base64, struct bytes *value)
{
    char *plain = arena_push(&request->arena, raw.length);
    char *escaped = plain == NULL ? NULL : arena_push(&request->arena, raw.length * 2);
    struct bytes decoded = {plain, 0};
    if (escaped == NULL) {
        request_refuse_arena(request);
        return false;
    }
    if (!request_decode(request, raw, false, &raw)) {
        if (request->refused.status == STATUS_BAD_PARAMETER) /* no parameter, here */
            request->refused.status = STATUS_BAD_PATH;
        return false;
    }
    if (base64 && !base64_decode(raw, plain, &decoded.length))
        return refuse_path(request, "what follows @base64 is not base64");
    if (!base64)
        decoded = raw;
    const struct settings *settings = request->service->settings;
    if (decoded.length > settings->limits_label_value_bytes) {
        request_refuse(request, refusal_of(STATUS_LABEL_VALUE_TOO_LONG, settings));
        return false;
    }
    if (!bytes_are_utf8(decoded) ||
        (decoded.length > 0 && memchr(decoded.at, 0, decoded.length) != NULL))
        return refuse_path(request, "a label value is not UTF-8, or has a NUL in it");
    *value = (struct bytes){escaped, label_value_escape(decoded, escaped)};
    return true;
}

static bool add_path_label(struct request *request, struct label_list *list, struct bytes name,
                           struct bytes raw)
{
    struct label label = {.name = name};
    bool base64 = bytes_end_with(name, BYTES("@base64"));
    if (base64)
        label.name.length -= sizeof("@base64") - 1;
    struct refusal refusal = label_name_check(label.name, request->service->settings);
    if (refusal.status != STATUS_OK) {
        request_refuse(request, refusal);
        return false;
    }
    if (!path_value(request, raw, base64, &label.value))
        return false;
    if (label.value.length == 0)
        return true; /* an empty label is no label */
    if (bytes_equal(label.name, BYTES("le")))
        return refuse_path(request, "le is the bound of a histogram's buckets");
    if (label_list_find(list, label.name) != NULL)
        return refuse_path(request, "a label stands in it twice");
    if (!label_list_add(list, label))
        return refuse_path(request, "too many labels");
    return true;
}

/* `path` begins with job or job@base64. */
static bool path_labels(struct request *request, struct bytes path, struct label_list *list)
{
    label_list_init(list);
    while (path.length > 0) {
        struct bytes name = path_piece(&path);
        if (path.at == name.at + name.length) /* no slash behind the name */
            return refuse_path(request, "a label without a value");
        struct bytes raw = path_piece(&path);
        if (!add_path_label(request, list, name, raw))
            return false;
    }
    if (list->count == 0 || label_list_find(list, BYTES("job")) == NULL)
        return refuse_path(request, "the job is empty");
    return true;
}

void pushgateway_begin(struct request *request)
{
    struct push_options options = {0};
    request->is_push = request->is_pushgateway = true;
    size_t prefix = sizeof("/metrics/") - 1;
    struct bytes path = {request->path.at + prefix, request->path.length - prefix};
    struct label_list *list = arena_push(&request->arena, sizeof *list);
    if (list == NULL) {
        request_refuse_arena(request);
        return;
    }
    if (!path_labels(request, path, list) || !push_options_read(request, &options))
        return;
    if (options.decoder.format == FORMAT_BY_FIRST_BYTE)
        options.decoder.format = FORMAT_PROMETHEUS; /* what Pushgateway's clients send */
    options.decoder.labels = list;
    push_start(request, &options);
}

/* ---- the body ---- */

void push_body(struct request *request, struct bytes bytes)
{
    struct intake intake = service_intake(request->service, request);
    struct refusal refusal = push_feed(request->push, bytes, &intake);
    if (refusal.status != STATUS_OK)
        request_refuse(request, refusal);
}

/* An atomic push is applied now, unless something in it was rejected. */
static void apply_held(struct request *request)
{
    struct push *push = request->push;
    if (push->report.rejected > 0)
        return;
    struct engine *engine = service_lock_engine(request->service);
    engine_apply_held(engine, push->held, &push->report, request->now_ms);
    service_unlock_engine(request->service);
}

static bool push_complete(struct request *request)
{
    struct intake intake = service_intake(request->service, request);
    if (atomic_load_explicit(&request->body_bytes, memory_order_relaxed) == 0) {
        if (request->is_pushgateway)
            return true; /* Pushgateway takes an empty body */
        request_refuse(request, refusal_plain(STATUS_EMPTY_BODY));
        return false;
    }
    struct refusal refusal = push_finish(request->push, &intake);
    if (refusal.status != STATUS_OK) {
        request_refuse(request, refusal);
        return false;
    }
    return true;
}

void push_end(struct request *request)
{
    struct writer writer;
    if (!push_complete(request))
        return;
    if (request->push->atomic)
        apply_held(request);
    struct report report = request->push->report;
    request_shrink(request);
    if (!request_writer(request, DOCUMENT_BYTES_MAX, &writer))
        return;
    document_push_write(&writer, &report);
    request_reply(request, json_type, writer_text(&writer));
    if (report.rejected > 0)
        request->reply.http = status_http(STATUS_BAD_SYNTAX);
}
