/*
 * fuzz_request.c: requests as the server sees them, without its sockets: a raw target, headers, a
 * body in pieces, a reply or its pages.
 *
 *     request \x1e request \x1e ...       each three parts with a newline behind the first two:
 *
 *     METHOD TARGET
 *     five letters ('A', 'B', ...): Content-Type, Content-Encoding, Accept, Accept-Encoding, and
 *     whether the length is known ('A') or not; then cuts (fuzz.h)
 *     the body
 *
 * http.c's part is played here; everything below it is the server's own, and traced. Afterwards
 * nothing of a request is live, the lines of the source hold what the store's slots do and no more,
 * the store hangs together, and an exposition is one that can be read again.
 */
#include "fuzz.h"

#include "../../server/connections.h"
#include "../../server/routes.h"
#include "../../server/service.h"

#include "engine/plan_make.h"
#include "ingest/json_element.h"
#include "memory/poison.h"

#include <stdlib.h>

#define REQUESTS_MAX 8
#define SEPARATOR '\x1e'
#define PAGES_MAX 4096

static struct fuzz_sink sink; /* reads expositions */
static struct service service;
static struct options options;
static struct plan plan;
static char *memory;

struct script {
    struct bytes method;
    struct bytes target;
    struct bytes content_type;
    struct bytes content_encoding;
    struct bytes accept;
    struct bytes accept_encoding;
    bool known_length;
    struct fuzz_cuts cuts;
    struct bytes body;
};

/* ---- a small service ---- */

static void small_settings(struct settings *settings)
{
    fuzz_settings(settings);
    settings->trace = 1;
    settings->server_threads = 1;
    settings->server_connections = 2;
    settings->server_operator_connections = 2;
    settings->limits_first_block_bytes = 8 << 10;
    settings->limits_target_bytes = 512;
    settings->limits_line_bytes = 4 << 10;
    settings->limits_label_value_bytes = 256;
    settings->limits_label_set_bytes = 512;
    settings->requests_bytes = 512 << 10;
    settings->limits_request_bytes = 160 << 10; /* too little for a query of sketches by many groups */
}

/* As it was at the start. The memory stays where it is, for a thread remembers its worker. */
static void service_again(void)
{
    struct region region;
    size_t bytes = (size_t)plan.parts[PLAN_REGION];
    UNPOISON(memory, bytes);
    memset(memory, 0, bytes);
    region_init(&region, memory, bytes);
    atomic_store(&service.workers_taken, 0);
    service_init(&service, &options, &plan, FUZZ_SEED, &region);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    char problem[512];
    struct plan_world world = {
        .code_bytes = 1 << 20,
        .cpus = 1,
        .memory_limit = UINT64_MAX,
        .connection_bytes = sizeof(struct connection),
        .worker_bytes = sizeof(struct worker),
    };
    json_element_setup(FUZZ_SEED);
    fuzz_sink_init(&sink, 4096);
    sink.settings.limits_line_bytes = 16 << 10;
    sink.settings.limits_name_bytes = 256;
    sink.settings.limits_labels = 64;
    sink.settings.limits_label_value_bytes = 1024;
    sink.settings.limits_label_set_bytes = 4096;
    small_settings(&options.settings);
    if (plan_make(&plan, &options.settings, &world, problem, sizeof problem) != PLAN_FITS)
        fuzz_fail(problem, __FILE__, __LINE__);
    memory = aligned_alloc(REGION_ALIGN, (size_t)plan.parts[PLAN_REGION]);
    REQUIRE(memory != NULL);
    machine_init(&service.machine, "/proc", "");
    clock_init(&service.clock);
    log_init(&service.log, 1);
    return 0;
}

/* ---- the script ---- */

static const char *const types[] = {
    "",
    "text/plain; version=0.0.4",
    "application/openmetrics-text",
    "application/x-ndjson",
    "application/json",
    "application/x-www-form-urlencoded",
    "image/png",
    " TEXT/plain ;",
};

static const char *const encodings[] = {"", "gzip", "zstd", "identity", "br", " x-gzip "};

static const char *const accepts[] = {
    "",
    "text/plain",
    "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    "application/json",
    "*/*;q=0.1",
    "application/openmetrics-text;q=0.000;;=,text/plain;q=x",
};

static const char *const accept_encodings[] = {"", "gzip", "gzip;q=0", "zstd, gzip;q=0.5", "*"};

/* "" for letters beyond the table. */
static struct bytes choose(struct bytes *letters, const char *const *table, size_t count)
{
    size_t index = (size_t)(fuzz_take(letters) - 'A');
    return bytes_of(index < count ? table[index] : "");
}

static struct bytes take_line(struct bytes *text)
{
    const char *end = text->length == 0 ? NULL : memchr(text->at, '\n', text->length);
    size_t length = end == NULL ? text->length : (size_t)(end - text->at);
    struct bytes line = {text->at, length};
    size_t taken = length + (end != NULL);
    *text = (struct bytes){text->at + taken, text->length - taken};
    return line;
}

static struct script take_script(struct bytes *input)
{
    const char *end = memchr(input->at, SEPARATOR, input->length);
    struct bytes rest = {input->at, end == NULL ? input->length : (size_t)(end - input->at)};
    size_t taken = rest.length + (end != NULL);
    *input = (struct bytes){input->at + taken, input->length - taken};
    struct bytes line = take_line(&rest);
    struct bytes letters = take_line(&rest);
    const char *blank = line.length == 0 ? NULL : memchr(line.at, ' ', line.length);
    size_t method = blank == NULL ? line.length : (size_t)(blank - line.at);
    struct script script = {.method = {line.at, method}, .body = rest};
    size_t behind = method + (blank != NULL);
    script.target = (struct bytes){line.at + behind, line.length - behind};
    script.content_type = choose(&letters, types, COUNT_OF(types));
    script.content_encoding = choose(&letters, encodings, COUNT_OF(encodings));
    script.accept = choose(&letters, accepts, COUNT_OF(accepts));
    script.accept_encoding = choose(&letters, accept_encodings, COUNT_OF(accept_encodings));
    script.known_length = fuzz_take(&letters) == 'A';
    script.cuts = fuzz_take_cuts(&letters);
    return script;
}

/* ---- http.c's part ---- */

static enum method method_of(struct bytes text)
{
    static const struct {
        const char *text;
        enum method method;
    } rows[] = {
        {"GET", METHOD_GET}, {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
        {"PUT", METHOD_PUT}, {"DELETE", METHOD_DELETE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (bytes_equal(text, bytes_of(rows[i].text)))
            return rows[i].method;
    }
    return METHOD_OTHER;
}

static bool is_refused(const struct request *request)
{
    return request->refused.status != STATUS_OK;
}

static const struct route *route_of(struct request *request)
{
    return atomic_load(&request->route);
}

static void run_headers(struct request *request, const struct script *script)
{
    request->has_headers = true;
    atomic_store(&request->method, (int)method_of(script->method));
    request->content_length = script->known_length ? script->body.length : UINT64_MAX;
    request->content_type = script->content_type;
    request->content_encoding = script->content_encoding;
    request->accept = script->accept;
    request->accept_encoding = script->accept_encoding;
    if (!is_refused(request))
        route_find(request);
    if (!is_refused(request) && route_of(request)->begin != NULL)
        route_of(request)->begin(request);
    request_set_phase(request, PHASE_BODY);
}

static void run_body(struct request *request, const struct script *script)
{
    struct bytes piece;
    size_t at = 0;
    while (fuzz_next_piece(&script->cuts, &at, script->body, &piece)) {
        atomic_fetch_add(&request->body_bytes, piece.length);
        if (is_refused(request) || route_of(request)->body == NULL)
            return; /* the rest is drained */
        struct bytes lent = fuzz_lend(piece);
        route_of(request)->body(request, lent);
        fuzz_drop(lent);
    }
}

static void run_end(struct request *request)
{
    if (!is_refused(request))
        route_of(request)->end(request);
    if (is_refused(request))
        request_reply_refusal(request);
    REQUIRE(request->reply.http >= 200 && request->reply.http < 600);
    REQUIRE(request->reply.content_type != NULL);
    request->http = request->reply.http;
    request_set_phase(request, PHASE_REPLY);
}

/* ---- replies ---- */

static void read_pages(struct request *request, struct fuzz_text *text)
{
    unsigned pages = 0;
    for (bool more = true; more;) {
        writer_rewind(&request->page, 0);
        more = request->reply.pages->next(request->reply.pages, &request->page);
        REQUIRE(request->page.used <= request->page.size);
        REQUIRE(++pages < PAGES_MAX);
        fuzz_text_add(text, writer_text(&request->page));
    }
}

/*
 * The service's own figures have names that nobody may push, and so have the families that take
 * what overflows.
 */
static void check_exposition(const struct request *request, const struct fuzz_text *text)
{
    struct decoder_options reading = {.body_bytes = UINT64_MAX};
    bool text_format = request->reply.content_type == text_type;
    if (request->reply.content_encoding != NULL ||
        (!text_format && request->reply.content_type != openmetrics_type))
        return;
    reading.format = text_format ? FORMAT_PROMETHEUS : FORMAT_OPENMETRICS;
    fuzz_sink_run(&sink, &reading, (struct bytes){text->at, text->used}, &fuzz_whole);
    if (sink.report.rejected != sink.report.rejected_by[STATUS_RESERVED_NAME])
        fprintf(stderr, "%s\n%s\n", text->at, sink.text.at);
    REQUIRE(sink.report.rejected == sink.report.rejected_by[STATUS_RESERVED_NAME]);
}

static void check_reply(struct request *request)
{
    static struct fuzz_text text;
    fuzz_text_reset(&text);
    if (request->reply.pages != NULL)
        read_pages(request, &text);
    else
        fuzz_text_add(&text, request->reply.body);
    if (request->reply.http == 200)
        check_exposition(request, &text);
    if (request->reply.content_type == json_type) {
        REQUIRE(text.used > 2 && text.at[0] == '{');
        REQUIRE(text.at[text.used - 1] == '\n' || text.at[text.used - 1] == '}');
        REQUIRE(bytes_are_utf8((struct bytes){text.at, text.used}));
    }
}

/* ---- one request ---- */

static void lines_hold_slots_only(void)
{
    static const enum pool pools[] = {POOL_FAMILIES, POOL_SERIES, POOL_HISTOGRAMS, POOL_BUCKETS,
                                      POOL_SETS};
    struct site_counts counts[SITES_ROWS];
    struct site_counts left = {0};
    sites_copy(service.ledger->sites, counts);
    for (size_t i = 0; i < SITES_ROWS; i++) {
        left.live_bytes += counts[i].live_bytes;
        left.live_objects += counts[i].live_objects;
    }
    for (size_t i = 0; i < COUNT_OF(pools); i++) {
        left.live_bytes -= ledger_figures(service.ledger, pools[i]).live_bytes;
        left.live_objects -= ledger_figures(service.ledger, pools[i]).live_objects;
    }
    REQUIRE(left.live_bytes == 0);
    REQUIRE(left.live_objects == 0);
}

static void nothing_is_live(void)
{
    static const enum pool pools[] = {POOL_REQUESTS, POOL_GROWTH,  POOL_RESERVE,
                                      POOL_SCRATCH,  POOL_BATCHES, POOL_CONNECTIONS};
    for (size_t i = 0; i < COUNT_OF(pools); i++) {
        struct account_figures figures = ledger_figures(service.ledger, pools[i]);
        REQUIRE(figures.live_bytes == 0);
        REQUIRE(figures.live_objects == 0);
        REQUIRE(figures.allocations == figures.frees);
    }
    REQUIRE(service_is_quiet(&service));
    REQUIRE(blocks_held(&service.growth) == 0);
    lines_hold_slots_only();
    store_verify(&service.engine->store);
}

static void run_script(const struct script *script)
{
    struct connection *connection =
        connection_open(&service.connections, 1000000, "127.0.0.1:1", false);
    REQUIRE(connection != NULL);
    struct request *request = &connection->request;
    struct bytes target = fuzz_lend(script->target);
    request_begin(request, &service, target, false);
    fuzz_drop(target);
    run_headers(request, script);
    run_body(request, script);
    run_end(request);
    check_reply(request);
    request_end(request);
    connection_close(&service.connections, connection);
    nothing_is_live();
}

/* Whatever was pushed, it can be scraped. */
static void scrape(const char *accept)
{
    struct script script = {
        .method = BYTES("GET"),
        .target = BYTES("/metrics"),
        .accept = bytes_of(accept),
    };
    run_script(&script);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {(const char *)data, size};
    service_again();
    for (int i = 0; i < REQUESTS_MAX && input.length > 0; i++) {
        struct script script = take_script(&input);
        run_script(&script);
    }
    scrape("text/plain");
    scrape("application/openmetrics-text");
    return 0;
}
