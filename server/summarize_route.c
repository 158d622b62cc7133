/*
 * summarize_route.c: POST /v1/summarize.
 *
 *     query string ──> value, by, q ──> summarize_make ── body ──> groups ──> pages of the table
 *
 * All but the groups is taken from the arena before the first byte of the body, the reply's page
 * too; a group that has no room ends the request, since a table that lacks one would be wrong.
 */
#include "negotiate.h"
#include "routes.h"
#include "service.h"

#include "base/number.h"
#include "query/summarize.h"
#include "reply/summary_reply.h"

/* What a request holds besides its summary. */
struct summarizing {
    struct page_source source;
    struct summarize *summarize;
    struct summary_reply reply;
};

/* ---- what is asked ---- */

static struct refusal bad_parameter(const char *detail)
{
    return refusal_detail(STATUS_BAD_PARAMETER, detail);
}

/* Takes the next item of a comma list off its front; the list is at NULL behind the last. */
static struct bytes take_item(struct bytes *list)
{
    struct bytes item = *list;
    size_t length = item.length;
    const char *comma = item.length == 0 ? NULL : memchr(item.at, ',', item.length);
    *list = (struct bytes){NULL, 0};
    if (comma != NULL) {
        item.length = (size_t)(comma - item.at);
        *list = (struct bytes){comma + 1, length - item.length - 1};
    }
    return item;
}

static struct refusal read_by(struct bytes list, struct summary_options *options)
{
    options->by_count = 0;
    for (bool more = list.length > 0; more; more = list.at != NULL) {
        struct bytes name = take_item(&list);
        if (options->by_count == SUMMARY_BY_MAX)
            return bad_parameter("by names more than 16 fields");
        if (name.length == 0)
            return bad_parameter("by has an empty name in it");
        for (uint32_t i = 0; i < options->by_count; i++) {
            if (bytes_equal(options->by[i], name))
                return bad_parameter("by names a field twice");
        }
        options->by[options->by_count++] = name;
    }
    return refusal_plain(STATUS_OK);
}

static struct refusal read_quantiles(struct bytes list, struct summary_options *options)
{
    double quantile;
    options->quantile_count = 0;
    for (bool more = list.length > 0; more; more = list.at != NULL) {
        if (options->quantile_count == SUMMARY_QUANTILES_MAX)
            return bad_parameter("q lists more than 16 quantiles");
        if (!number_parse(take_item(&list), &quantile) || !(quantile >= 0 && quantile <= 1))
            return bad_parameter("q is a list of numbers from 0 to 1");
        quantile += 0.0; /* -0 becomes 0 */
        for (uint32_t i = 0; i < options->quantile_count; i++) {
            if (options->quantiles[i] >= quantile && options->quantiles[i] <= quantile)
                return bad_parameter("q lists a quantile twice");
        }
        options->quantiles[options->quantile_count++] = quantile;
    }
    return refusal_plain(STATUS_OK);
}

static struct refusal read_parameter(struct summary_options *options, struct bytes name,
                                     struct bytes value)
{
    if (bytes_equal(name, BYTES("by")))
        return read_by(value, options);
    if (bytes_equal(name, BYTES("q")))
        return read_quantiles(value, options);
    if (!bytes_equal(name, BYTES("value")))
        return bad_parameter("value, by and q are known");
    if (options->value.length > 0)
        return bad_parameter("value stands there twice");
    options->value = value;
    return refusal_plain(STATUS_OK);
}

static bool read_question(struct request *request, struct summary_options *options)
{
    struct bytes at = request->query;
    struct bytes name, value;
    struct refusal refusal = read_quantiles(BYTES("0.5,0.9,0.99"), options);
    while (refusal.status == STATUS_OK && request_next_parameter(request, &at, &name, &value))
        refusal = read_parameter(options, name, value);
    if (request->refused.status != STATUS_OK)
        return false;
    if (refusal.status == STATUS_OK && options->value.length == 0)
        refusal = refusal_plain(STATUS_MISSING_VALUE);
    if (refusal.status != STATUS_OK)
        request_refuse(request, refusal);
    return refusal.status == STATUS_OK;
}

static bool format_of(struct bytes content_type, enum summary_format *format)
{
    static const struct {
        const char *type;
        enum summary_format format;
    } rows[] = {
        {"", SUMMARY_BY_FIRST_BYTE},
        {"application/x-www-form-urlencoded", SUMMARY_BY_FIRST_BYTE}, /* curl's default */
        {"text/csv", SUMMARY_CSV},
        {"application/x-ndjson", SUMMARY_NDJSON},
        {"application/jsonl", SUMMARY_NDJSON},
        {"application/json", SUMMARY_JSON},
        {"text/plain", SUMMARY_PROMETHEUS},
        {"application/openmetrics-text", SUMMARY_OPENMETRICS},
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

static bool read_headers(struct request *request, struct summarize_options *options)
{
    struct refusal refusal = refusal_plain(STATUS_OK);
    if (request->content_length == 0)
        refusal = refusal_plain(STATUS_EMPTY_BODY);
    else if (!encoding_of(request->content_encoding, &options->encoding))
        refusal = refusal_plain(STATUS_UNSUPPORTED_ENCODING);
    else if (!format_of(request->content_type, &options->format))
        refusal = refusal_detail(STATUS_UNSUPPORTED_MEDIA_TYPE,
                                 "use text/csv, application/x-ndjson, application/json, text/plain "
                                 "or application/openmetrics-text");
    if (refusal.status != STATUS_OK)
        request_refuse(request, refusal);
    return refusal.status == STATUS_OK;
}

/* ---- the request ---- */

static bool next_page(struct page_source *source, struct writer *page)
{
    return summary_reply_next(&((struct summarizing *)source)->reply, page);
}

/* False when the arena refused. */
static bool start(struct request *request, const struct summarize_options *options)
{
    const struct settings *settings = request->service->settings;
    struct summarizing *own = arena_push_zero(&request->arena, sizeof *own);
    size_t page_bytes = summary_reply_page_bytes(&options->summary, settings);
    char *page = own == NULL ? NULL : arena_push(&request->arena, page_bytes);
    if (page == NULL)
        return false;
    own->source.next = next_page;
    own->summarize = summarize_make(options, settings, &request->arena);
    request->page = writer_make(page, page_bytes);
    request->summarizing = own;
    return own->summarize != NULL;
}

void summarize_begin(struct request *request)
{
    struct summarize_options options = {
        .body_bytes = request->content_length,
        .seed = request->service->engine->store.seed,
    };
    if (!read_question(request, &options.summary) || !read_headers(request, &options))
        return;
    if (!start(request, &options))
        request_refuse_arena(request);
}

void summarize_body(struct request *request, struct bytes bytes)
{
    struct intake intake = service_intake(request->service, request);
    struct refusal refusal = summarize_feed(request->summarizing->summarize, bytes, &intake);
    if (refusal.status != STATUS_OK)
        request_refuse(request, refusal);
}

/* ---- the reply ---- */

static bool wants_csv(const struct request *request)
{
    int csv = accept_quality(request->accept, BYTES("text/csv"));
    return csv > 0 && csv > accept_quality(request->accept, BYTES("application/json"));
}

static void reply_table(struct request *request)
{
    struct summarizing *own = request->summarizing;
    bool csv = wants_csv(request);
    own->reply = summary_reply_make(&own->summarize->summary, &own->summarize->push.report, csv);
    request_reply(request, csv ? "text/csv; charset=utf-8; header=present" : json_type, BYTES(""));
    request->reply.vary = true;
    request->reply.pages = &own->source;
}

void summarize_end(struct request *request)
{
    struct intake intake = service_intake(request->service, request);
    struct refusal refusal = refusal_plain(STATUS_EMPTY_BODY);
    if (atomic_load_explicit(&request->body_bytes, memory_order_relaxed) > 0)
        refusal = summarize_finish(request->summarizing->summarize, &intake);
    if (refusal.status != STATUS_OK)
        request_refuse(request, refusal);
    else
        reply_table(request);
}
