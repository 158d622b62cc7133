/*
 * read_routes.c: what is held: series, labels, cardinality; and DELETE.
 *
 *     query string ──> selector ──> slices of the store, each under the lock ──> rows in a page
 */
#include "routes.h"
#include "service.h"

#include "base/number.h"
#include "query/names.h"
#include "reply/rows.h"

/* A page of rows; with the cursor and a row's text it stays far below limits.request_bytes. */
#define PAGE_BYTES 32768
#define NAMES_TEXT_BYTES 32768

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000

struct question {
    struct selector selector;
    struct bytes after;
    uint32_t limit;
};

static struct refusal read_limit(struct bytes value, uint32_t *limit)
{
    uint64_t number;
    if (!number_parse_u64(value, &number) || number == 0 || number > LIMIT_MAX)
        return refusal_detail(STATUS_BAD_PARAMETER, "limit is a number from 1 to 1000");
    *limit = (uint32_t)number;
    return refusal_plain(STATUS_OK);
}

static struct refusal read_parameter(struct request *request, struct question *question,
                                     struct bytes name, struct bytes value)
{
    if (bytes_equal(name, BYTES("metric")))
        return selector_add_metric(&question->selector, value);
    if (bytes_equal(name, BYTES("match")))
        return selector_add_match(&question->selector, value, request->service->settings,
                                  &request->arena);
    if (bytes_equal(name, BYTES("limit")))
        return read_limit(value, &question->limit);
    if (!bytes_equal(name, BYTES("after")))
        return refusal_detail(STATUS_BAD_PARAMETER, "metric, match, limit and after are known");
    question->after = value;
    return refusal_plain(STATUS_OK);
}

/* The question in the arena, or NULL with the request refused. */
static struct question *read_question(struct request *request)
{
    struct bytes at = request->query;
    struct bytes name, value;
    struct question *question = arena_push_zero(&request->arena, sizeof *question);
    if (question == NULL) {
        request_refuse_arena(request);
        return NULL;
    }
    selector_init(&question->selector);
    question->limit = LIMIT_DEFAULT;
    while (request_next_parameter(request, &at, &name, &value)) {
        struct refusal refusal = read_parameter(request, question, name, value);
        if (refusal.status != STATUS_OK) {
            request_refuse(request, refusal);
            return NULL;
        }
    }
    return request->refused.status == STATUS_OK ? question : NULL;
}

/* Room for the reply: a page, or as much as one row of the longest kind may take. */
static bool page_writer(struct request *request, size_t least, struct writer *writer)
{
    return request_writer(request, least > PAGE_BYTES ? least : PAGE_BYTES, writer);
}

static void reply_rows(struct request *request, const struct writer *writer)
{
    if (writer->full)
        request_refuse(request, refusal_of(STATUS_REQUEST_TOO_LARGE, request->service->settings));
    else
        request_reply(request, json_type, writer_text(writer));
}

/* True with the request refused when a regular expression met a limit on the way. */
static bool refuse_failed(struct request *request, const struct question *question)
{
    enum status failure = question->selector.failure;
    if (failure == STATUS_OK)
        return false;
    request_refuse(request, refusal_of(failure, request->service->settings));
    return true;
}

/* ---- /v1/series ---- */

void series_end(struct request *request)
{
    const struct settings *settings = request->service->settings;
    struct writer writer;
    uint32_t from = 0;
    struct question *question = read_question(request);
    if (question == NULL)
        return;
    struct refusal refusal = series_token_read(question->after, &from);
    if (refusal.status != STATUS_OK) {
        request_refuse(request, refusal);
        return;
    }
    struct series_page *page =
        series_page_make(&question->selector, from, question->limit, settings, &request->arena);
    if (page == NULL) {
        request_refuse_arena(request);
        return;
    }
    if (!page_writer(request, series_rows_bytes(settings), &writer))
        return;
    series_rows_begin(&writer);
    for (bool done = false; !done;) {
        struct engine *engine = service_lock_engine(request->service);
        done = series_rows_step(&writer, page, &engine->store, request->now_ms, SWEEP_SLICE);
        service_unlock_engine(request->service);
    }
    if (refuse_failed(request, question))
        return;
    series_rows_end(&writer, page);
    reply_rows(request, &writer);
}

void series_delete_end(struct request *request)
{
    struct writer writer;
    struct question *question = read_question(request);
    if (question == NULL)
        return;
    if (question->selector.count == 0) {
        request_refuse(request, refusal_plain(STATUS_MISSING_MATCH));
        return;
    }
    struct deletion *deletion =
        deletion_make(&question->selector, request->service->settings, &request->arena);
    if (deletion == NULL) {
        request_refuse_arena(request);
        return;
    }
    if (!request_writer(request, 128, &writer))
        return;
    for (bool done = false; !done;) {
        struct engine *engine = service_lock_engine(request->service);
        done = deletion_step(deletion, &engine->store, SWEEP_SLICE);
        service_unlock_engine(request->service);
    }
    if (refuse_failed(request, question))
        return;
    deletion_write(&writer, deletion);
    reply_rows(request, &writer);
}

/* ---- /v1/labels, /v1/labels/<name>/values ---- */

/*
 * `label` NULL: the names of labels; else the values of that one. The page, or NULL with the
 * request refused.
 */
static struct name_page *collect_names(struct request *request, struct question *question,
                                       const struct bytes *label)
{
    const struct settings *settings = request->service->settings;
    struct arena *arena = &request->arena;
    struct names *names = NULL;
    struct name_page *page =
        name_page_make(question->limit, NAMES_TEXT_BYTES, question->after, arena);
    if (page != NULL && label == NULL)
        names = names_make_labels(&question->selector, page, settings, arena);
    else if (page != NULL)
        names = names_make_values(*label, &question->selector, page, settings, arena);
    if (names == NULL) {
        request_refuse_arena(request);
        return NULL;
    }
    for (bool done = false; !done;) {
        struct engine *engine = service_lock_engine(request->service);
        done = names_step(names, &engine->store, SWEEP_SLICE);
        service_unlock_engine(request->service);
    }
    return refuse_failed(request, question) ? NULL : page;
}

void labels_end(struct request *request)
{
    struct writer writer;
    struct question *question = read_question(request);
    struct name_page *page = question == NULL ? NULL : collect_names(request, question, NULL);
    if (page == NULL || !page_writer(request, name_rows_bytes(request->service->settings), &writer))
        return;
    label_names_write(&writer, page);
    reply_rows(request, &writer);
}

/* <name> out of /v1/labels/<name>/values. */
static bool path_label(struct request *request, struct bytes *label)
{
    struct bytes path = request->path;
    size_t prefix = sizeof("/v1/labels/") - 1;
    struct bytes suffix = BYTES("/values");
    if (!bytes_end_with(path, suffix) || path.length <= prefix + suffix.length) {
        request_refuse(request, refusal_plain(STATUS_NOT_FOUND));
        return false;
    }
    struct bytes raw = {path.at + prefix, path.length - prefix - suffix.length};
    return request_decode(request, raw, false, label);
}

void label_values_end(struct request *request)
{
    struct writer writer;
    struct bytes label;
    if (!path_label(request, &label))
        return;
    struct question *question = read_question(request);
    struct name_page *page = question == NULL ? NULL : collect_names(request, question, &label);
    if (page == NULL || !page_writer(request, name_rows_bytes(request->service->settings), &writer))
        return;
    label_values_write(&writer, label, page);
    reply_rows(request, &writer);
}

/* ---- /v1/cardinality ---- */

void cardinality_end(struct request *request)
{
    const struct settings *settings = request->service->settings;
    struct writer writer;
    struct cardinality *cardinality = cardinality_make(settings, &request->arena);
    if (cardinality == NULL) {
        request_refuse_arena(request);
        return;
    }
    if (!request_writer(request, cardinality_rows_bytes(settings), &writer))
        return;
    for (bool done = false; !done;) {
        struct engine *engine = service_lock_engine(request->service);
        done = cardinality_step(cardinality, &engine->store, SWEEP_SLICE);
        service_unlock_engine(request->service);
    }
    cardinality_write(&writer, cardinality);
    reply_rows(request, &writer);
}
