/*
 * torture.c: each kind of request with the nth growth of its arena refused, for n = 1, 2, 3, …
 * until it succeeds; and in an arena of 0, 16, 32, … bytes that cannot grow, so that each push into
 * it is refused once.
 *
 *     torture            all rows, a line each
 *     torture NAME       one
 *
 * Every outcome is a clean refusal: BUSY or REQUEST_TOO_LARGE, nothing applied, every block
 * returned, the store as it was. And the same request succeeds afterwards, so the refusals left
 * nothing behind.
 */
#include "../fuzz/world.h"
#include "../unit/reply/report_fixture.h"

#include "ingest/json_element.h"
#include "query/cardinality.h"
#include "query/names.h"
#include "query/series_page.h"
#include "reply/compress.h"
#include "reply/document.h"
#include "reply/exposition.h"
#include "reply/memory_report.h"
#include "reply/rows.h"
#include "reply/self_report.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define FIRST_BYTES 256
#define GROW_BYTES 64 /* less than a real one asks for, so that there are more growths to refuse */
#define ARENA_MAX ((size_t)512 << 10)
#define COMPRESSED_MAX 4096
#define STEPS_MAX 100000

struct torture {
    struct fuzz_world world;
    struct arena arena; /* of the request at hand */
    char *first;
    struct block_source source;
    unsigned takes;      /* growths asked for */
    unsigned refused_at; /* the nth of them says no; 0: none */
    struct fuzz_text reply;
};

struct row {
    const char *name;
    enum status (*run)(struct torture *torture, const struct row *row);
    bool is_push;
    struct push_options options;
    const char *body;
    uint64_t accepts; /* samples, once it succeeds */
    bool openmetrics;
    bool gzip;
    enum names_wanted wanted;
    const char *match; /* NULL: a plain one */
};

/* ---- where growth comes from ---- */

static void *take(void *context, size_t bytes, size_t *granted)
{
    struct torture *torture = context;
    if (++torture->takes == torture->refused_at)
        return NULL;
    return torture->world.source.take(&torture->world, bytes, granted);
}

static void give(void *context, void *block, size_t granted)
{
    struct torture *torture = context;
    torture->world.source.give(&torture->world, block, granted);
}

/* ---- pushes ---- */

static struct bytes compressed(enum encoding encoding, struct bytes body)
{
    static char memory[COMPRESSED_MAX];
    if (encoding == ENCODING_IDENTITY)
        return body;
    if (encoding == ENCODING_ZSTD)
        return (struct bytes){memory,
                              ZSTD_compress(memory, sizeof memory, body.at, body.length, 1)};
    z_stream stream = {0};
    REQUIRE(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)body.at;
    stream.avail_in = (unsigned)body.length;
    stream.next_out = (Bytef *)memory;
    stream.avail_out = sizeof memory;
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    REQUIRE(deflateEnd(&stream) == Z_OK);
    return (struct bytes){memory, sizeof memory - stream.avail_out};
}

/* Two pieces, so that what a decoder keeps between them is used. */
static struct refusal feed(struct push *push, struct bytes body, struct intake *intake)
{
    size_t half = body.length / 2;
    struct refusal refusal = push_feed(push, (struct bytes){body.at, half}, intake);
    if (refusal.status == STATUS_OK)
        refusal = push_feed(push, (struct bytes){body.at + half, body.length - half}, intake);
    return refusal.status == STATUS_OK ? push_finish(push, intake) : refusal;
}

static enum status run_push(struct torture *torture, const struct row *row)
{
    struct intake intake = fuzz_world_intake(&torture->world);
    struct bytes body = compressed(row->options.encoding, bytes_of(row->body));
    struct push_options options = row->options;
    options.decoder.body_bytes = UINT64_MAX;
    struct push *push = push_make(&options, &torture->world.settings, &torture->arena);
    if (push == NULL)
        return torture->arena.refusal;
    struct refusal refusal = feed(push, body, &intake);
    REQUIRE(push->report.rejected == 0);
    if (refusal.status != STATUS_OK) {
        /* all that a streaming push needs is taken before its first sample */
        REQUIRE(push->report.accepted == 0);
        return refusal.status;
    }
    if (options.atomic)
        engine_apply_held(torture->world.engine, push->held, &push->report,
                          torture->world.now_ms);
    REQUIRE(push->report.rejected == 0);
    REQUIRE(push->report.accepted == row->accepts);
    return STATUS_OK;
}

/* ---- expositions ---- */

static void unzip(const struct fuzz_text *packed, struct fuzz_text *out)
{
    char piece[4096];
    z_stream stream = {.next_in = (Bytef *)packed->at, .avail_in = (unsigned)packed->used};
    int code = inflateInit2(&stream, 15 + 16);
    REQUIRE(code == Z_OK);
    fuzz_text_reset(out);
    while (code == Z_OK) {
        stream.next_out = (Bytef *)piece;
        stream.avail_out = sizeof piece;
        code = inflate(&stream, Z_NO_FLUSH);
        fuzz_text_add(out, (struct bytes){piece, sizeof piece - stream.avail_out});
    }
    REQUIRE(code == Z_STREAM_END);
    REQUIRE(inflateEnd(&stream) == Z_OK);
}

static void compress_page(struct torture *torture, struct compressor *compressor,
                          struct bytes text, bool last)
{
    char memory[512];
    bool ended = false;
    while (text.length > 0 || (last && !ended)) {
        struct writer out = writer_make(memory, sizeof memory);
        ended = compressor_next(compressor, &text, last, &out);
        fuzz_text_add(&torture->reply, writer_text(&out));
    }
}

/*
 * As server/report_routes.c has it: what is compressed needs a page and a compressor more, all or
 * none of it.
 */
static enum status run_exposition(struct torture *torture, const struct row *row)
{
    bool more = true;
    struct arena *arena = &torture->arena;
    struct compressor *compressor = NULL;
    struct exposition *exposition =
        exposition_make(&torture->world.settings, row->openmetrics, arena);
    char *memory = exposition == NULL ? NULL : arena_push(arena, EXPOSITION_PAGE_BYTES);
    if (memory == NULL)
        return arena->refusal;
    if (row->gzip && (compressor = compressor_make(arena)) == NULL)
        return arena->refusal;
    fuzz_text_reset(&torture->reply);
    while (more) {
        struct writer page = writer_make(memory, EXPOSITION_PAGE_BYTES);
        more = exposition_next(exposition, &torture->world.engine->store, &page);
        if (compressor != NULL)
            compress_page(torture, compressor, writer_text(&page), !more);
        else
            fuzz_text_add(&torture->reply, writer_text(&page));
    }
    if (row->gzip) {
        static struct fuzz_text plain, unzipped;
        fuzz_world_expose(&torture->world, row->openmetrics, EXPOSITION_PAGE_BYTES, &plain);
        unzip(&torture->reply, &unzipped);
        REQUIRE(unzipped.used > 0 && plain.used >= unzipped.used);
        REQUIRE(memcmp(plain.at, unzipped.at, unzipped.used) == 0);
    }
    return STATUS_OK;
}

/* ---- reports ---- */

static struct report_input report_input(struct torture *torture)
{
    static struct report_fixture fixture;
    fixture_init(&fixture);
    fixture.input.ledger = &torture->world.ledger;
    fixture.input.store = &torture->world.engine->store;
    return fixture.input;
}

static enum status run_memory_report(struct torture *torture, const struct row *row)
{
    (void)row;
    struct report_input input = report_input(torture);
    char *memory = arena_push(&torture->arena, MEMORY_REPORT_BYTES);
    if (memory == NULL)
        return torture->arena.refusal;
    struct writer writer = writer_make(memory, MEMORY_REPORT_BYTES);
    memory_report_write(&writer, &input);
    REQUIRE(!writer.full);
    return STATUS_OK;
}

static enum status run_self_report(struct torture *torture, const struct row *row)
{
    (void)row;
    struct report_input input = report_input(torture);
    struct self_report *report = arena_push(&torture->arena, sizeof *report);
    char *memory = report == NULL ? NULL : arena_push(&torture->arena, SELF_FAMILY_BYTES_MAX);
    if (memory == NULL)
        return torture->arena.refusal;
    self_report_init(report, &input, true);
    for (bool more = true; more;) {
        struct writer page = writer_make(memory, SELF_FAMILY_BYTES_MAX);
        more = self_report_next(report, &page);
        REQUIRE(page.used > 0 || !more);
    }
    return STATUS_OK;
}

/* ---- questions ---- */

static struct selector *selector_make(const struct row *row, const struct settings *settings,
                                      struct arena *arena)
{
    struct selector *selector = arena_push(arena, sizeof *selector);
    if (selector == NULL)
        return NULL;
    selector_init(selector);
    struct bytes match = bytes_of(row->match == NULL ? "a!=9" : row->match);
    struct refusal refusal = selector_add_match(selector, match, settings, arena);
    return refusal.status == STATUS_OK ? selector : NULL;
}

static bool rows_writer(struct arena *arena, size_t bytes, struct writer *writer)
{
    char *memory = arena_push(arena, bytes);
    if (memory != NULL)
        *writer = writer_make(memory, bytes);
    return memory != NULL;
}

static enum status run_series(struct torture *torture, const struct row *row)
{
    (void)row;
    struct writer writer;
    const struct settings *settings = &torture->world.settings;
    struct arena *arena = &torture->arena;
    struct selector *selector = selector_make(row, settings, arena);
    struct series_page *page =
        selector == NULL ? NULL : series_page_make(selector, 0, 100, settings, arena);
    if (page == NULL || !rows_writer(arena, series_rows_bytes(settings) + 4096, &writer))
        return arena->refusal;
    series_rows_begin(&writer);
    while (!series_rows_step(&writer, page, &torture->world.engine->store, torture->world.now_ms,
                             SWEEP_SLICE))
        continue;
    series_rows_end(&writer, page);
    REQUIRE(!writer.full);
    return STATUS_OK;
}

static struct names *names_make(const struct row *row, struct selector *selector,
                                struct name_page *page, const struct settings *settings,
                                struct arena *arena)
{
    if (row->wanted == NAMES_LABELS)
        return names_make_labels(selector, page, settings, arena);
    return names_make_values(BYTES("a"), selector, page, settings, arena);
}

static enum status run_names(struct torture *torture, const struct row *row)
{
    struct writer writer;
    const struct settings *settings = &torture->world.settings;
    struct arena *arena = &torture->arena;
    struct selector *selector = selector_make(row, settings, arena);
    struct name_page *page =
        selector == NULL ? NULL
                         : name_page_make(10, NAME_PAGE_TEXT_MIN, (struct bytes){"", 0}, arena);
    struct names *names =
        page == NULL ? NULL : names_make(row, selector, page, settings, arena);
    if (names == NULL || !rows_writer(arena, name_rows_bytes(settings), &writer))
        return arena->refusal;
    while (!names_step(names, &torture->world.engine->store, SWEEP_SLICE))
        continue;
    label_names_write(&writer, page);
    REQUIRE(!writer.full);
    return STATUS_OK;
}

static enum status run_cardinality(struct torture *torture, const struct row *row)
{
    (void)row;
    struct writer writer;
    const struct settings *settings = &torture->world.settings;
    struct arena *arena = &torture->arena;
    struct cardinality *cardinality = cardinality_make(settings, arena);
    if (cardinality == NULL || !rows_writer(arena, cardinality_rows_bytes(settings), &writer))
        return arena->refusal;
    while (!cardinality_step(cardinality, &torture->world.engine->store, SWEEP_SLICE))
        continue;
    cardinality_write(&writer, cardinality);
    REQUIRE(!writer.full);
    return STATUS_OK;
}

static enum status run_deletion(struct torture *torture, const struct row *row)
{
    const struct settings *settings = &torture->world.settings;
    struct arena *arena = &torture->arena;
    struct selector *selector = selector_make(row, settings, arena);
    struct deletion *deletion =
        selector == NULL ? NULL : deletion_make(selector, settings, arena);
    if (deletion == NULL)
        return arena->refusal;
    while (!deletion_step(deletion, &torture->world.engine->store, SWEEP_SLICE))
        continue;
    REQUIRE(deletion->deleted > 0);
    return STATUS_OK;
}

/* ---- the table ---- */

#define TEXT_BODY \
    "# HELP hits What was hit.\n# TYPE hits counter\nhits{b=\"2\",a=\"1\"} 1\nhits{a=\"2\"} 2\n" \
    "# TYPE t histogram\nt_bucket{le=\"1\"} 1\nt_bucket{le=\"+Inf\"} 2\nt_sum 3\nt_count 2\n"
#define LINE "hits{b=\"2\",a=\"1\",c=\"\\n\"} 1\n"
#define TEN(text) text text text text text text text text text text
#define LONG_BODY "# TYPE hits counter\n" TEN(TEN(LINE))
#define NDJSON_BODY \
    "{\"name\":\"h\",\"kind\":\"histogram\",\"labels\":{\"a\":\"\\n\"},\"values\":[1,2,3]}\n" \
    "{\"name\":\"s\",\"kind\":\"set\",\"value\":\"x\"}\n{\"name\":\"up\",\"value\":1}\n"
#define JSON_BODY \
    "[{\"name\":\"h\",\"kind\":\"histogram\",\"labels\":{\"a\":\"\\n\"},\"values\":[1,2,3]}," \
    "{\"name\":\"up\",\"value\":1}]"

#define PUSH(title, form, code, whole, text, samples) \
    {.name = title, .run = run_push, .is_push = true, .body = text, .accepts = samples, \
     .options = {.encoding = ENCODING_##code, .atomic = whole, \
                 .decoder = {.format = FORMAT_##form}}}

static const struct row rows[] = {
    PUSH("push_text", PROMETHEUS, IDENTITY, false, TEXT_BODY, 6),
    PUSH("push_openmetrics", OPENMETRICS, IDENTITY, false, TEXT_BODY "# EOF\n", 6),
    PUSH("push_ndjson", NDJSON, IDENTITY, false, NDJSON_BODY, 3),
    PUSH("push_json", JSON, IDENTITY, false, JSON_BODY, 2),
    PUSH("push_sniffed_text", BY_FIRST_BYTE, IDENTITY, false, "\n\n" TEXT_BODY, 6),
    PUSH("push_sniffed_json", BY_FIRST_BYTE, IDENTITY, false, "\n " JSON_BODY, 2),
    PUSH("push_gzip", PROMETHEUS, GZIP, false, TEXT_BODY, 6),
    PUSH("push_zstd", PROMETHEUS, ZSTD, false, TEXT_BODY, 6),
    PUSH("push_gzip_json", BY_FIRST_BYTE, GZIP, false, JSON_BODY, 2),
    PUSH("push_atomic_text", PROMETHEUS, IDENTITY, true, TEXT_BODY, 6),
    PUSH("push_atomic_long", PROMETHEUS, IDENTITY, true, LONG_BODY, 100),
    PUSH("push_atomic_ndjson", NDJSON, IDENTITY, true, NDJSON_BODY, 3),
    PUSH("push_atomic_json", JSON, IDENTITY, true, JSON_BODY, 2),
    PUSH("push_atomic_gzip", PROMETHEUS, GZIP, true, TEXT_BODY, 6),
    PUSH("push_atomic_zstd", PROMETHEUS, ZSTD, true, TEXT_BODY, 6),
    {.name = "metrics_text", .run = run_exposition},
    {.name = "metrics_openmetrics", .run = run_exposition, .openmetrics = true},
    {.name = "metrics_gzip", .run = run_exposition, .gzip = true},
    {.name = "memory_report", .run = run_memory_report},
    {.name = "self_report", .run = run_self_report},
    {.name = "series", .run = run_series},
    {.name = "labels", .run = run_names, .wanted = NAMES_LABELS},
    {.name = "label_values", .run = run_names, .wanted = NAMES_VALUES},
    {.name = "cardinality", .run = run_cardinality},
    {.name = "delete", .run = run_deletion},
    {.name = "series_regex", .run = run_series, .match = "a=~[0-8]*"},
    {.name = "labels_regex", .run = run_names, .wanted = NAMES_LABELS, .match = "__name__!~go?"},
    {.name = "delete_regex", .run = run_deletion, .match = "a!~9|(?<n>\\d\\d)+"},
};

/* ---- one row ---- */

/* The request from its beginning to its end, in whatever arena was made for it. */
static enum status attempt(struct torture *torture, const struct row *row)
{
    enum status status = row->run(torture, row);
    arena_reset(&torture->arena);
    REQUIRE(arena_used(&torture->arena) == 0);
    REQUIRE(arena_held(&torture->arena) == torture->arena.first_bytes);
    REQUIRE(status == STATUS_OK || status == STATUS_BUSY || status == STATUS_REQUEST_TOO_LARGE);
    fuzz_world_verify(&torture->world);
    return status;
}

/* A store with something in it, the same each time. */
static void begin_row(struct torture *torture)
{
    static const struct row base =
        PUSH("base", PROMETHEUS, IDENTITY, false,
             "# TYPE hits counter\nhits{a=\"0\"} 5\n"
             "# TYPE gone gauge\ngone{a=\"1\"} 1\ngone{a=\"2\",b=\"x\"} 2\n",
             3);
    struct settings settings;
    fuzz_settings(&settings);
    settings.limits_families = 32;
    settings.series_max = 64;
    settings.series_label_bytes = 32 << 10;
    fuzz_world_init(&torture->world, &settings);
    torture->refused_at = 0;
    arena_init(&torture->arena, torture->first, ARENA_MAX, ARENA_MAX, NULL);
    struct row whole = base;
    REQUIRE(attempt(torture, &whole) == STATUS_OK);
}

static void nothing_changed(struct torture *torture, const struct fuzz_text *before)
{
    static struct fuzz_text after;
    fuzz_world_expose(&torture->world, false, EXPOSITION_PAGE_BYTES, &after);
    fuzz_text_same(before, "before", &after, "after a refusal");
}

/* The nth growth is refused, until none is needed any more. Returns how many were. */
static unsigned refuse_growths(struct torture *torture, const struct row *row,
                               const struct fuzz_text *before)
{
    for (unsigned n = 1; n < STEPS_MAX; n++) {
        torture->takes = 0;
        torture->refused_at = n;
        arena_init(&torture->arena, torture->first, FIRST_BYTES, ARENA_MAX, &torture->source);
        torture->arena.grow_bytes = GROW_BYTES;
        enum status status = attempt(torture, row);
        if (status == STATUS_OK) {
            REQUIRE(torture->takes < n);
            return n - 1;
        }
        REQUIRE(status == STATUS_BUSY);
        nothing_changed(torture, before);
    }
    fuzz_fail("it succeeds at last", __FILE__, __LINE__);
}

/* An arena of so many bytes and no more, until they are enough. Returns how many that is. */
static size_t refuse_pushes(struct torture *torture, const struct row *row,
                            const struct fuzz_text *before)
{
    for (size_t bytes = 0; bytes < ARENA_MAX; bytes += ARENA_ALIGN) {
        arena_init(&torture->arena, torture->first, bytes, bytes, NULL);
        enum status status = attempt(torture, row);
        if (status == STATUS_OK)
            return bytes;
        REQUIRE(status == STATUS_REQUEST_TOO_LARGE);
        if (row->options.atomic || bytes % 1024 == 0)
            nothing_changed(torture, before);
    }
    fuzz_fail("it succeeds at last", __FILE__, __LINE__);
}

static void torture_row(struct torture *torture, const struct row *row)
{
    static struct fuzz_text before;
    begin_row(torture);
    fuzz_world_expose(&torture->world, false, EXPOSITION_PAGE_BYTES, &before);
    unsigned growths = refuse_growths(torture, row, &before);
    begin_row(torture);
    size_t bytes = refuse_pushes(torture, row, &before);
    printf("%-20s %3u growths refused, %7zu bytes suffice\n", row->name, growths, bytes);
}

/* ---- scratch ---- */

/*
 * A scratch that is too small for an element rejects the element, by its limit, and not the
 * request. jansson's own failures are in here: every allocation of a parse is refused once.
 */
static void torture_scratch(struct torture *torture)
{
    static const struct row row = PUSH("scratch", NDJSON, IDENTITY, false, NDJSON_BODY, 3);
    struct push_options options = row.options;
    struct fuzz_world *world = &torture->world;
    char *memory = world->scratch.first;
    uint64_t accepted = 0;
    size_t bytes = 0;
    begin_row(torture);
    memory = world->scratch.first;
    for (; accepted < row.accepts; bytes += ARENA_ALIGN) {
        REQUIRE(bytes <= world->settings.limits_scratch_bytes);
        arena_init(&world->scratch, memory, bytes, bytes, NULL);
        struct intake intake = fuzz_world_intake(world);
        fuzz_world_begin(world);
        options.decoder.body_bytes = UINT64_MAX;
        struct push *push = push_make(&options, &world->settings, &world->arena);
        REQUIRE(push != NULL);
        REQUIRE(feed(push, bytes_of(row.body), &intake).status == STATUS_OK);
        accepted = push->report.accepted;
        REQUIRE(accepted + push->report.rejected == row.accepts);
        REQUIRE(push->report.rejected == push->report.rejected_by[STATUS_ELEMENT_TOO_LARGE]);
        fuzz_world_end(world);
        fuzz_world_verify(world);
    }
    printf("%-20s %11s %15zu bytes suffice\n", "json_scratch", "", bytes);
}

int main(int argc, char **argv)
{
    static struct torture torture;
    unsigned done = 0;
    torture.first = aligned_alloc(ARENA_ALIGN, ARENA_MAX);
    torture.source = (struct block_source){take, give, &torture};
    REQUIRE(torture.first != NULL);
    json_element_setup(FUZZ_SEED);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (argc > 1 && strcmp(argv[1], rows[i].name) != 0)
            continue;
        torture_row(&torture, &rows[i]);
        done++;
    }
    if (argc == 1)
        torture_scratch(&torture);
    if (done == 0) {
        fprintf(stderr, "usage: %s [row]\n", argv[0]);
        return 2;
    }
    return 0;
}
