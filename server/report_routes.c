/*
 * report_routes.c: /metrics, /memory, /memory/holders, /v1/config, /healthz, /readyz.
 *
 *     series (lib/reply/exposition) ─┐
 *     own figures (self_report)  ────┴─> page of text ──gzip where asked──> page on the wire
 */
#include "negotiate.h"
#include "routes.h"
#include "service.h"

#include "base/ensure.h"
#include "reply/compress.h"
#include "reply/exposition.h"
#include "reply/memory_report.h"
#include "reply/self_report.h"

/* ---- pages of /metrics and of /memory's Prometheus form ---- */

/* In one piece, which takes one run of the growth pool. */
struct metrics_pages {
    struct page_source source;
    struct service *service;
    struct exposition *exposition; /* NULL: no series, or all written */
    struct self_report self;
    bool has_self; /* own figures are still to be written */
    bool openmetrics;
    struct report_figures figures;
    char page[EXPOSITION_PAGE_BYTES];
};

static void write_series_page(struct metrics_pages *pages, struct writer *page)
{
    struct engine *engine = service_lock_engine(pages->service);
    if (!exposition_next(pages->exposition, &engine->store, page))
        pages->exposition = NULL;
    service_unlock_engine(pages->service);
    if (pages->exposition == NULL)
        page->full = false;
}

static void write_self_page(struct metrics_pages *pages, struct writer *page)
{
    service_lock_engine(pages->service);
    pages->has_self = self_report_next(&pages->self, page);
    service_unlock_engine(pages->service);
}

static bool metrics_next(struct page_source *source, struct writer *page)
{
    struct metrics_pages *pages = (struct metrics_pages *)source;
    if (pages->exposition != NULL)
        write_series_page(pages, page);
    if (pages->exposition != NULL)
        return true;
    if (pages->has_self)
        write_self_page(pages, page);
    if (pages->has_self)
        return true;
    if (!pages->openmetrics)
        return false;
    size_t mark = page->used;
    writer_bytes(page, BYTES("# EOF\n"));
    if (!page->full)
        return false;
    writer_rewind(page, mark); /* on a page of its own, then */
    return true;
}

/* ---- the same, compressed ---- */

struct gzip_pages {
    struct page_source source;
    struct page_source *plain;
    struct compressor *compressor;
    struct writer text; /* a page of plain text */
    struct bytes left;  /* of it, not yet compressed */
    bool last;          /* the plain pages have ended */
};

static bool gzip_next(struct page_source *source, struct writer *page)
{
    struct gzip_pages *pages = (struct gzip_pages *)source;
    while (page->used < page->size) {
        if (pages->left.length == 0 && !pages->last) {
            writer_rewind(&pages->text, 0);
            pages->last = !pages->plain->next(pages->plain, &pages->text);
            pages->left = writer_text(&pages->text);
        }
        if (compressor_next(pages->compressor, &pages->left, pages->last, page))
            return false;
    }
    return true;
}

/* NULL when there is no room for it now: the reply goes out as it is. */
static struct page_source *compressed(struct request *request, struct page_source *plain)
{
    struct arena_mark mark = arena_mark(&request->arena);
    struct gzip_pages *pages = arena_push_zero(&request->arena, sizeof *pages);
    char *text = pages == NULL ? NULL : arena_push(&request->arena, EXPOSITION_PAGE_BYTES);
    struct compressor *compressor = text == NULL ? NULL : compressor_make(&request->arena);
    if (compressor == NULL) {
        arena_rewind(&request->arena, mark);
        return NULL;
    }
    pages->source.next = gzip_next;
    pages->plain = plain;
    pages->compressor = compressor;
    pages->text = writer_make(text, EXPOSITION_PAGE_BYTES);
    return &pages->source;
}

static void reply_pages(struct request *request, struct page_source *pages, char *page,
                        bool openmetrics)
{
    request->page = writer_make(page, EXPOSITION_PAGE_BYTES);
    request_reply(request, openmetrics ? openmetrics_type : text_type, (struct bytes){"", 0});
    request->reply.vary = true;
    request->reply.pages = pages;
    if (!accept_gzip(request->accept_encoding))
        return;
    struct page_source *gzip = compressed(request, pages);
    if (gzip == NULL)
        return;
    request->reply.pages = gzip;
    request->reply.content_encoding = "gzip";
}

/* What a reply of this kind consists of. */
struct scope {
    bool pushed;
    bool self;
    bool process_names;
    bool openmetrics;
};

static void reply_metrics(struct request *request, struct scope scope)
{
    struct service *service = request->service;
    struct exposition *exposition = NULL;
    if (scope.pushed) /* first: it fits the first block */
        exposition = exposition_make(service->settings, scope.openmetrics, &request->arena);
    struct metrics_pages *pages = NULL;
    if (!scope.pushed || exposition != NULL)
        pages = arena_push(&request->arena, sizeof *pages);
    if (pages == NULL) {
        request_refuse_arena(request);
        return;
    }
    if (scope.process_names)
        service_read_pss(service);
    service_report(service, &pages->figures);
    pages->figures.input.openmetrics = scope.openmetrics;
    pages->source.next = metrics_next;
    pages->service = service;
    pages->exposition = exposition;
    pages->has_self = scope.self;
    pages->openmetrics = scope.openmetrics;
    self_report_init(&pages->self, &pages->figures.input, scope.process_names);
    reply_pages(request, &pages->source, pages->page, scope.openmetrics);
}

static bool scope_read(struct request *request, struct scope *scope)
{
    struct bytes value = BYTES("");
    if (!request_parameter(request, "scope", &value)) {
        if (request->refused.status != STATUS_OK)
            return false;
        value = request->operator_listener ? BYTES("self") : BYTES("");
    }
    bool all = value.length == 0;
    scope->pushed = all || bytes_equal(value, BYTES("pushed"));
    scope->process_names = bytes_equal(value, BYTES("self"));
    scope->self = all || scope->process_names;
    const char *problem = NULL;
    if (!scope->pushed && !scope->self)
        problem = "scope is pushed or self";
    else if (scope->pushed && request->operator_listener)
        problem = "this listener has scope=self only";
    if (problem != NULL)
        request_refuse(request, refusal_detail(STATUS_BAD_PARAMETER, problem));
    return problem == NULL;
}

void metrics_end(struct request *request)
{
    struct scope scope;
    if (!scope_read(request, &scope))
        return;
    scope.openmetrics = accept_exposition(request->accept) == EXPOSE_OPENMETRICS;
    reply_metrics(request, scope);
}

/* ---- /memory ---- */

static void memory_json(struct request *request)
{
    struct writer writer;
    struct report_figures *figures = arena_push(&request->arena, sizeof *figures);
    if (figures == NULL) {
        request_refuse_arena(request);
        return;
    }
    if (!request_writer(request, MEMORY_REPORT_BYTES, &writer))
        return;
    service_read_pss(request->service);
    service_report(request->service, figures);
    memory_report_write(&writer, &figures->input);
    ENSURE(!writer.full);
    request_reply(request, json_type, writer_text(&writer));
    request->reply.vary = true;
}

/* ?format= decides, else Accept; without a word for a text format it is JSON. */
static bool memory_format(struct request *request, enum exposition_format *format)
{
    struct bytes value;
    *format = accept_exposition(request->accept);
    if (!request_parameter(request, "format", &value))
        return request->refused.status == STATUS_OK;
    if (bytes_equal(value, BYTES("json")))
        *format = EXPOSE_JSON;
    else if (bytes_equal(value, BYTES("prometheus")))
        *format = *format == EXPOSE_OPENMETRICS ? EXPOSE_OPENMETRICS : EXPOSE_TEXT;
    else {
        request_refuse(request,
                       refusal_detail(STATUS_BAD_PARAMETER, "format is json or prometheus"));
        return false;
    }
    return true;
}

void memory_end(struct request *request)
{
    enum exposition_format format;
    if (!memory_format(request, &format))
        return;
    if (format != EXPOSE_TEXT && format != EXPOSE_OPENMETRICS) {
        memory_json(request);
        return;
    }
    reply_metrics(request, (struct scope){.self = true,
                                          .process_names = true,
                                          .openmetrics = format == EXPOSE_OPENMETRICS});
}

/* ---- small ones ---- */

static void reply_status(struct request *request, const char *status)
{
    struct writer writer;
    if (!request_writer(request, 64, &writer))
        return;
    writer_string(&writer, "{\"status\": \"");
    writer_string(&writer, status);
    writer_string(&writer, "\"}\n");
    request_reply(request, json_type, writer_text(&writer));
}

void health_end(struct request *request)
{
    reply_status(request, "ok");
}

void ready_end(struct request *request)
{
    if (atomic_load(&request->service->stopping))
        request_refuse(request, refusal_plain(STATUS_STOPPING));
    else
        reply_status(request, "ready");
}

/* A row of /v1/config comes to at most this, its reason included. */
#define CONFIG_ROW_BYTES 512

static void write_config_value(struct writer *writer, const struct settings *settings,
                               const struct setting *row)
{
    char text[SETTING_WRITE_BYTES];
    if (row->kind == SETTING_TEXT) {
        writer_json_string(writer, (struct bytes){text, setting_write(settings, row, text)});
        return;
    }
    uint64_t number = setting_number(settings, row);
    if (row->kind == SETTING_DURATION)
        writer_seconds(writer, (int64_t)number);
    else if (row->kind == SETTING_SWITCH)
        writer_string(writer, number != 0 ? "true" : "false");
    else
        writer_u64(writer, number);
}

static void write_config_row(struct writer *writer, const struct service *service, size_t index)
{
    static const char *const units[] = {
        [SETTING_SIZE] = "bytes",     [SETTING_COUNT] = "count", [SETTING_DURATION] = "seconds",
        [SETTING_SWITCH] = "boolean", [SETTING_TEXT] = "text",
    };
    const struct setting *row = &settings_rows[index];
    bool is_auto = row->kind != SETTING_TEXT &&
                   setting_number(&service->options->settings, row) == SETTING_AUTO;
    writer_string(writer, index == 0 ? "\n  \"" : ",\n  \"");
    writer_string(writer, row->path);
    writer_string(writer, "\": {\"value\": ");
    write_config_value(writer, service->settings, row);
    writer_string(writer, ", \"unit\": \"");
    writer_string(writer, units[row->kind]);
    writer_string(writer, "\", \"source\": \"");
    writer_string(writer, is_auto ? "plan" : option_source_name(service->options->source[index]));
    writer_string(writer, "\", \"reason\": ");
    writer_json_string(writer, bytes_of(row->reason));
    writer_char(writer, '}');
}

/* What the tiers' bytes have come to mean by now: how far back each of them reaches. */
static void write_windows(struct writer *writer, struct service *service)
{
    struct engine *engine = service_lock_engine(service);
    struct report_history history =
        report_history_make(&engine->history, clock_now_ms(&service->clock));
    service_unlock_engine(service);
    for (int tier = 0; tier < TIER_COUNT; tier++) {
        char name[TIER_NAME_BYTES];
        tier_name(history.tiers[tier].width_ms, name);
        writer_string(writer, tier == 0 ? "\n  {\"tier\": \"" : ",\n  {\"tier\": \"");
        writer_string(writer, name);
        writer_string(writer, "\", \"retention_seconds\": ");
        writer_seconds(writer, history.tiers[tier].retention_ms);
        writer_char(writer, '}');
    }
}

void config_end(struct request *request)
{
    struct writer writer;
    size_t bytes = (settings_count + TIER_COUNT) * CONFIG_ROW_BYTES;
    if (!request_writer(request, bytes, &writer))
        return;
    writer_string(&writer, "{\"settings\": {");
    for (size_t i = 0; i < settings_count; i++)
        write_config_row(&writer, request->service, i);
    writer_string(&writer, "\n}, \"windows\": [");
    write_windows(&writer, request->service);
    writer_string(&writer, "\n]}\n");
    ENSURE(!writer.full);
    request_reply(request, json_type, writer_text(&writer));
}
