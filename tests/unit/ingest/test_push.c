/*
 * test_push.c: a body on its way in: streamed, held, compressed, sniffed; and every way its memory
 * can be refused.
 */
#include "ingest/push.h"

#include "base/random.h"
#include "ingest/json_element.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>

#define ZSTD_STATIC_LINKING_ONLY
#include <zlib.h>
#include <zstd.h>

Suite *push_suite(void);

#define FIRST_BYTES ((size_t)8 << 10)

static struct test_world world;
static struct test_intake *intake;
static struct blocks blocks;
static struct test_source source;
static struct arena arena;
static void *first;
static struct test_text body;

static void setup(void)
{
    struct settings settings;
    test_settings(&settings);
    test_world_init(&world, (size_t)blocks_bytes(settings.requests_bytes));
    blocks_init(&blocks, settings.requests_bytes, POOL_GROWTH, &world.ledger, &world.region);
    test_source_init(&source, &blocks);
    intake = test_intake_make(&world);
    first = aligned_alloc(ARENA_ALIGN, FIRST_BYTES);
    arena_init(&arena, first, FIRST_BYTES, settings.limits_request_bytes, &source.source);
    test_text_reset(&body);
    json_element_setup(TEST_SEED);
}

/* Another bound than the settings' for what the push may hold. */
static void allow(size_t bytes)
{
    world.settings.limits_request_bytes = bytes;
    arena.held_max = bytes;
}

static void teardown(void)
{
    arena_reset(&arena);
    ck_assert_uint_eq(source.granted, 0);
    UNPOISON(first, FIRST_BYTES);
    free(first);
    test_intake_free(intake);
    test_text_end(&body);
    test_world_end(&world);
}

/* ---- pushing ---- */

static struct push_options options_of(enum format format, bool atomic)
{
    return (struct push_options){
        .atomic = atomic,
        .decoder = {.format = format, .body_bytes = UINT64_MAX},
    };
}

static struct push *begin(const struct push_options *options)
{
    arena_reset(&arena);
    test_intake_reset(intake);
    arena.peak = arena_held(&arena);
    return push_make(options, &world.settings, &arena);
}

/* In memory that ends with the call, as an upload's does. */
static struct refusal feed(struct push *push, struct bytes input)
{
    char *copy = malloc(input.length + (input.length == 0));
    CHECK_THAT(copy != NULL);
    if (input.length > 0)
        memcpy(copy, input.at, input.length);
    struct refusal refusal = push_feed(push, (struct bytes){copy, input.length}, &intake->intake);
    CHECK_THAT(intake->intake.batch->count == 0);
    CHECK_THAT(arena_used(intake->intake.scratch) == 0);
    free(copy);
    return refusal;
}

static struct refusal push_all(struct push *push, struct bytes input, size_t piece)
{
    for (size_t at = 0; at < input.length; at += piece) {
        size_t length = piece < input.length - at ? piece : input.length - at;
        struct refusal refusal = feed(push, (struct bytes){input.at + at, length});
        if (refusal.status != STATUS_OK)
            return refusal;
    }
    struct refusal refusal = push_finish(push, &intake->intake);
    CHECK_THAT(intake->intake.batch->count == 0);
    return refusal;
}

static struct refusal push_options_all(const struct push_options *options, struct bytes input,
                                       size_t piece)
{
    struct push *push = begin(options);
    ck_assert_ptr_nonnull(push);
    return push_all(push, input, piece);
}

/* Lines of many series; some are bad, some have a declaration. */
static void print_lines(unsigned count)
{
    struct random random = {TEST_SEED};
    test_print(&body, "# HELP hits_total Things that hit.\n# TYPE hits_total counter\n");
    for (unsigned i = 0; i < count; i++) {
        uint64_t chosen = random_below(&random, 20);
        if (chosen == 0)
            test_print(&body, "hits_total{b=\"%u\",a=\"x\" -1\n", i);
        else if (chosen == 1)
            test_print(&body, "# HELP g%u A gauge.\n# UNIT g%u s\ng%u %u\n", i, i, i, i);
        else
            test_print(&body, "hits_total{b=\"%u\",a=\"x\"} %u\n", i, i);
    }
}

/* Children of histograms, with labels to be sorted, a summary between them, and a bad one. */
static void print_children(unsigned count)
{
    test_print(&body, "# HELP t Times.\n");
    for (unsigned i = 0; i < count; i++) {
        test_print(&body, "# TYPE t histogram\n");
        for (unsigned bound = 0; bound < i % 50; bound++)
            test_print(&body, "t_bucket{b=\"%u\",a=\"x\",le=\"%u\"} %u\n", i, bound, bound);
        test_print(&body, "t_bucket{b=\"%u\",a=\"x\",le=\"+Inf\"} %u\nt_sum{b=\"%u\",a=\"x\"} 1\n",
                   i, i % 7 == 0 ? 0 : 50, i);
        test_print(&body, "# TYPE s%u summary\ns%u_sum 1\ns%u_count %u\n", i, i, i, i);
    }
}

static char *collected(void)
{
    char *copy = strdup(intake->collected.at);
    ck_assert_ptr_nonnull(copy);
    return copy;
}

/* ---- streaming ---- */

START_TEST(samples_are_flushed_as_they_arrive)
{
    struct push_options options = options_of(FORMAT_PROMETHEUS, false);
    struct push *push = begin(&options);
    ck_assert_int_eq(feed(push, BYTES("a 1\nb 2\nc")).status, STATUS_OK);
    ck_assert_str_eq(intake->collected.at, "1 gauge a{} 1\n2 gauge b{} 2\n");
    ck_assert_int_eq(feed(push, BYTES(" 3\nd x\n")).status, STATUS_OK);
    ck_assert_int_eq(feed(push, BYTES("e 5")).status, STATUS_OK);
    ck_assert_int_eq(push_finish(push, &intake->intake).status, STATUS_OK);
    ck_assert_str_eq(intake->collected.at,
                     "1 gauge a{} 1\n2 gauge b{} 2\n3 gauge c{} 3\n5 gauge e{} 5\n");
    ck_assert_ptr_null(push->held);
    /* the report is the push's own, wherever the intake's own pointed before */
    ck_assert_uint_eq(push->report.accepted, 4);
    ck_assert_uint_eq(push->report.rejected, 1);
    ck_assert_uint_eq(push->report.errors[0].line, 4);
    ck_assert_uint_eq(intake->report.accepted, 0);
}
END_TEST

START_TEST(a_streamed_push_takes_no_more_than_at_its_beginning)
{
    struct push_options options = options_of(FORMAT_PROMETHEUS, false);
    struct push *push = begin(&options);
    size_t held = arena_held(&arena);
    size_t used = arena_used(&arena);
    print_lines(20000);
    ck_assert_int_eq(push_all(push, bytes_of(body.at), 1000).status, STATUS_OK);
    ck_assert_uint_eq(arena_held(&arena), held);
    ck_assert_uint_eq(arena_used(&arena), used);
    ck_assert_uint_eq(arena_peak(&arena), held);
    ck_assert_uint_gt(push->report.accepted, 18000);
}
END_TEST

START_TEST(a_refused_flush_ends_the_push_and_leaves_no_batch)
{
    struct push_options options = options_of(FORMAT_PROMETHEUS, false);
    print_lines(3000);
    for (unsigned nth = 1; nth <= 4; nth++) {
        intake->flush_refused_at = nth;
        struct refusal refusal = push_options_all(&options, bytes_of(body.at), body.used);
        ck_assert_int_eq(refusal.status, nth < 4 ? STATUS_NOT_READY : STATUS_OK);
    }
}
END_TEST

START_TEST(nothing_is_a_push_of_nothing)
{
    static const enum format formats[] = {FORMAT_PROMETHEUS, FORMAT_OPENMETRICS, FORMAT_NDJSON,
                                          FORMAT_BY_FIRST_BYTE};
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        struct push_options options = options_of(formats[i], i % 2 == 1);
        struct push *push = begin(&options);
        ck_assert_int_eq(push_all(push, BYTES(""), 1).status, STATUS_OK);
        ck_assert_uint_eq(push->report.accepted + push->report.rejected, 0);
        ck_assert_ptr_null(push->held);
        push = begin(&options);
        ck_assert_int_eq(push_all(push, BYTES("\n \r\n\t\n"), 1).status, STATUS_OK);
        ck_assert_uint_eq(push->report.accepted + push->report.rejected, 0);
    }
}
END_TEST

/* ---- atomic ---- */

static void collect_held(struct test_text *text, const struct push *push)
{
    test_text_reset(text);
    for (const struct held_samples *held = push->held; held != NULL; held = held->next)
        test_collect(text, held->samples, held->count);
}

/* What is held is what a stream would have applied, in the same order, declarations and all. */
static void check_held_like_streamed(size_t piece)
{
    struct push_options options = options_of(FORMAT_PROMETHEUS, false);
    struct test_text held = {0};
    ck_assert_int_eq(push_options_all(&options, bytes_of(body.at), piece).status, STATUS_OK);
    char *streamed = collected();
    options.atomic = true;
    struct push *push = begin(&options);
    ck_assert_int_eq(push_all(push, bytes_of(body.at), piece).status, STATUS_OK);
    ck_assert_uint_eq(intake->flushes, 0);
    ck_assert_uint_eq(push->report.accepted, 0);
    struct batch *batch = intake->intake.batch; /* it belongs to others by now */
    memset(batch->samples, 0x5a, sizeof batch->samples);
    memset(batch->text, 0x5a, sizeof batch->text);
    collect_held(&held, push);
    ck_assert(strcmp(held.at, streamed) == 0);
    free(streamed);
    test_text_end(&held);
}

START_TEST(an_atomic_push_holds_what_a_stream_applies)
{
    allow(1 << 20);
    print_lines(_i == 0 ? 10 : 2500);
    check_held_like_streamed(body.used);
    check_held_like_streamed(997);
}
END_TEST

START_TEST(an_atomic_push_holds_children_with_their_bounds)
{
    allow(1 << 20);
    print_children(_i == 0 ? 3 : 300);
    check_held_like_streamed(body.used);
    check_held_like_streamed(997);
}
END_TEST

START_TEST(an_atomic_push_keeps_count_of_what_was_rejected)
{
    struct push_options options = options_of(FORMAT_PROMETHEUS, true);
    struct push *push = begin(&options);
    ck_assert_int_eq(push_all(push, BYTES("a 1\nb x\nc 3\n"), 5).status, STATUS_OK);
    ck_assert_uint_eq(push->report.rejected, 1);
    ck_assert_int_eq(push->report.errors[0].status, STATUS_BAD_NUMBER);
    ck_assert_uint_eq(push->held->count + (push->held->next == NULL ? 0 : push->held->next->count),
                      2);
}
END_TEST

START_TEST(an_atomic_push_that_is_too_large_is_refused_whole)
{
    struct push_options options = options_of(FORMAT_PROMETHEUS, true);
    print_lines(6000);
    struct refusal refusal = push_options_all(&options, bytes_of(body.at), 4096);
    ck_assert_int_eq(refusal.status, STATUS_REQUEST_TOO_LARGE);
    ck_assert_str_eq(refusal.setting, "limits.request_bytes");
    ck_assert_uint_eq(refusal.limit, world.settings.limits_request_bytes);
    ck_assert_uint_eq(intake->flushes, 0);
    ck_assert_uint_le(arena_peak(&arena), world.settings.limits_request_bytes);
}
END_TEST

START_TEST(an_atomic_push_waits_when_others_hold_the_pool)
{
    struct push_options options = options_of(FORMAT_PROMETHEUS, true);
    struct push *push = begin(&options);
    size_t granted;
    size_t rest = (size_t)world.settings.requests_bytes - source.granted;
    while (blocks_take(&blocks, rest, &granted) == NULL)
        rest -= BLOCKS_UNIT_BYTES;
    print_lines(1000);
    struct refusal refusal = push_all(push, bytes_of(body.at), body.used);
    ck_assert_int_eq(refusal.status, STATUS_BUSY);
    ck_assert_str_eq(refusal.setting, "requests.bytes");
    ck_assert_uint_eq(intake->flushes, 0);
}
END_TEST

/* ---- torture: every push on the arena goes to a source of its own, and the nth is refused ---- */

static struct {
    unsigned count;
    unsigned refused_at;
    unsigned live;
} torture;

static void *torture_take(void *context, size_t bytes, size_t *granted)
{
    (void)context;
    if (++torture.count == torture.refused_at)
        return NULL;
    size_t rounded = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    void *block = aligned_alloc(ARENA_ALIGN, rounded);
    CHECK_THAT(block != NULL);
    torture.live++;
    *granted = rounded;
    return block;
}

static void torture_give(void *context, void *block, size_t granted)
{
    (void)context;
    UNPOISON(block, granted);
    free(block);
    torture.live--;
}

static const struct block_source torture_source = {torture_take, torture_give, NULL};

static char packed[1 << 16];

static struct bytes gzip(struct bytes plain)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (unsigned char *)(uintptr_t)plain.at;
    stream.avail_in = (unsigned)plain.length;
    stream.next_out = (unsigned char *)packed;
    stream.avail_out = sizeof packed;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    struct bytes result = {packed, sizeof packed - stream.avail_out};
    deflateEnd(&stream);
    return result;
}

static struct bytes zstd(struct bytes plain)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 14);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0); /* else it is the window */
    size_t length = ZSTD_compress2(context, packed, sizeof packed, plain.at, plain.length);
    ck_assert(!ZSTD_isError(length));
    ZSTD_freeCCtx(context);
    return (struct bytes){packed, length};
}

static struct bytes encode(enum encoding encoding, struct bytes plain)
{
    if (encoding == ENCODING_IDENTITY)
        return plain;
    return encoding == ENCODING_GZIP ? gzip(plain) : zstd(plain);
}

struct torture_row {
    enum encoding encoding;
    enum format format;
    bool atomic;
};

static const struct torture_row torture_rows[] = {
    {ENCODING_IDENTITY, FORMAT_PROMETHEUS, false},
    {ENCODING_IDENTITY, FORMAT_PROMETHEUS, true},
    {ENCODING_IDENTITY, FORMAT_BY_FIRST_BYTE, false},
    {ENCODING_IDENTITY, FORMAT_BY_FIRST_BYTE, true},
    {ENCODING_GZIP, FORMAT_PROMETHEUS, false},
    {ENCODING_GZIP, FORMAT_PROMETHEUS, true},
    {ENCODING_ZSTD, FORMAT_PROMETHEUS, false},
    {ENCODING_ZSTD, FORMAT_OPENMETRICS, true},
};

/* True when the push went through although the nth was to be refused: there are fewer. */
static bool torture_once(const struct push_options *options, struct bytes input, bool *streamed)
{
    struct refusal refusal = refusal_plain(STATUS_OK);
    struct push *push = begin(options);
    if (push == NULL)
        ck_assert_int_eq(arena.refusal, STATUS_BUSY);
    else
        refusal = push_all(push, input, 100);
    bool done = push != NULL && refusal.status == STATUS_OK;
    *streamed = intake->collected.used > 0;
    ck_assert(done || push == NULL || refusal.status == STATUS_BUSY);
    ck_assert_int_eq(done, torture.count < torture.refused_at);
    arena_reset(&arena);
    ck_assert_uint_eq(torture.live, 0);
    ck_assert_uint_eq(arena_held(&arena), ARENA_ALIGN);
    return done;
}

START_TEST(the_nth_push_on_the_arena_is_refused_and_leaves_nothing)
{
    const struct torture_row *row = &torture_rows[_i];
    struct push_options options = options_of(row->format, row->atomic);
    options.encoding = row->encoding;
    print_lines(40);
    struct bytes input = encode(row->encoding, bytes_of(body.at));
    arena_init(&arena, first, ARENA_ALIGN, (size_t)64 << 20, &torture_source);
    arena.grow_bytes = 0;
    unsigned refusals = 0;
    bool done = false;
    for (unsigned nth = 1; !done; nth++) {
        bool streamed;
        torture.count = 0;
        torture.refused_at = nth;
        done = torture_once(&options, input, &streamed);
        refusals += !done;
        /* a push is refused before its first sample, or an atomic one before any was applied */
        ck_assert_int_eq(streamed, done && !row->atomic);
    }
    ck_assert_uint_ge(refusals, row->atomic ? 40 : 4);
    arena_init(&arena, first, FIRST_BYTES, (size_t)1 << 20, &source.source);
}
END_TEST

/* ---- compressed ---- */

START_TEST(a_compressed_body_comes_to_the_same)
{
    static const enum encoding encodings[] = {ENCODING_GZIP, ENCODING_ZSTD};
    struct push_options options = options_of(FORMAT_PROMETHEUS, false);
    allow(1 << 20); /* zstd's own state is 160 KiB */
    print_lines(2000);
    push_options_all(&options, bytes_of(body.at), body.used);
    char *plain = collected();
    struct bytes input = encode(encodings[_i], bytes_of(body.at));
    options.encoding = encodings[_i];
    static const size_t cuts[] = {1, 7, 1000, sizeof packed};
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        ck_assert_int_eq(push_options_all(&options, input, cuts[i]).status, STATUS_OK);
        ck_assert(strcmp(intake->collected.at, plain) == 0);
    }
    free(plain);
}
END_TEST

START_TEST(a_truncated_body_is_refused_with_its_lines_applied)
{
    struct push_options options = options_of(FORMAT_PROMETHEUS, false);
    options.encoding = ENCODING_GZIP;
    test_print(&body, "a 1\nb 2\n");
    struct bytes input = gzip(bytes_of(body.at));
    input.length -= 4;
    struct push *push = begin(&options);
    ck_assert_int_eq(push_all(push, input, input.length).status, STATUS_TRUNCATED_BODY);
    ck_assert_uint_eq(push->report.accepted, 2);
    options.atomic = true;
    push = begin(&options);
    ck_assert_int_eq(push_all(push, input, input.length).status, STATUS_TRUNCATED_BODY);
    ck_assert_uint_eq(intake->flushes, 0);
    ck_assert_int_eq(push_options_all(&options, BYTES(""), 1).status, STATUS_TRUNCATED_BODY);
}
END_TEST

START_TEST(a_corrupt_body_is_refused)
{
    struct push_options options = options_of(FORMAT_PROMETHEUS, false);
    options.encoding = _i == 0 ? ENCODING_GZIP : ENCODING_ZSTD;
    ck_assert_int_eq(push_options_all(&options, BYTES("a 1\nb 2\nc 3\nd 4\n"), 3).status,
                     STATUS_BAD_ENCODING);
    ck_assert_uint_eq(intake->flushes, 0);
}
END_TEST

START_TEST(a_bomb_is_refused_and_costs_no_more_than_a_body)
{
    struct push_options options = options_of(FORMAT_PROMETHEUS, false);
    options.encoding = _i == 0 ? ENCODING_GZIP : ENCODING_ZSTD;
    allow(1 << 20);
    print_lines(1000); /* more than the window that is asked for, so that it is taken */
    push_options_all(&options, encode(options.encoding, bytes_of(body.at)), 1000);
    size_t usual = arena_peak(&arena);
    world.settings.limits_inflated_bytes = 1 << 20;
    struct test_text bomb = {0};
    test_print(&bomb, "%0*d", 4 << 20, 0);
    struct bytes input = encode(options.encoding, bytes_of(bomb.at));
    ck_assert_uint_lt(input.length, 8192);
    struct refusal refusal = push_options_all(&options, input, 512);
    ck_assert_int_eq(refusal.status, STATUS_INFLATED_TOO_LARGE);
    ck_assert_str_eq(refusal.setting, "limits.inflated_bytes");
    ck_assert_uint_eq(intake->flushes, 0);
    ck_assert_uint_eq(arena_peak(&arena), usual);
    test_text_end(&bomb);
}
END_TEST

/* ---- the format by the first byte ---- */

struct sniff_row {
    const char *body;
    enum format format; /* what it is read as */
};

static const struct sniff_row sniff_rows[] = {
    {"a 1\nb x\n", FORMAT_PROMETHEUS},
    {"# TYPE a counter\na 1\nb x\n", FORMAT_PROMETHEUS},
    {" \t a 1\n b x", FORMAT_PROMETHEUS},
    {"\n\n \r\n\n a 1\nb x\n", FORMAT_PROMETHEUS},
    {"{\"name\":\"a\",\"value\":1}\n{\"name\":\"a\"}\n", FORMAT_NDJSON},
    {"\n \n\n {\"name\":\"a\",\"value\":1}\nx\n", FORMAT_NDJSON},
    {"[{\"name\":\"a\",\"value\":1},{\"name\":\"b\"}]", FORMAT_JSON},
    {" \n[{\"name\":\"a\",\"value\":1}\n,3]\n", FORMAT_JSON},
};

static void describe(struct test_text *text, const struct push *push, struct refusal refusal)
{
    test_text_reset(text);
    test_append(text, bytes_of(intake->collected.at));
    test_collect_report(text, &push->report);
    test_print(text, "= %s\n", status_code(refusal.status));
}

static void read_as(struct test_text *text, enum format format, struct bytes input, size_t head,
                    size_t piece)
{
    struct push_options options = options_of(format, false);
    struct push *push = begin(&options);
    ck_assert_ptr_nonnull(push);
    struct refusal refusal = feed(push, (struct bytes){input.at, head});
    if (refusal.status == STATUS_OK)
        refusal = push_all(push, (struct bytes){input.at + head, input.length - head}, piece);
    describe(text, push, refusal);
}

START_TEST(sniffed_row_is_read_as_what_it_is_wherever_it_is_cut)
{
    struct bytes input = bytes_of(sniff_rows[_i].body);
    struct test_text told = {0};
    struct test_text sniffed = {0};
    read_as(&told, sniff_rows[_i].format, input, input.length, 1);
    for (size_t cut = 0; cut <= input.length; cut++) {
        read_as(&sniffed, FORMAT_BY_FIRST_BYTE, input, cut, input.length);
        ck_assert_str_eq(sniffed.at, told.at);
        read_as(&sniffed, FORMAT_BY_FIRST_BYTE, input, cut, 1);
        ck_assert_str_eq(sniffed.at, told.at);
    }
    test_text_end(&told);
    test_text_end(&sniffed);
}
END_TEST

Suite *push_suite(void)
{
    Suite *suite = suite_create("push");
    TCase *push = tcase_create("push");
    tcase_set_timeout(push, 60);
    tcase_add_checked_fixture(push, setup, teardown);
    tcase_add_test(push, samples_are_flushed_as_they_arrive);
    tcase_add_test(push, a_streamed_push_takes_no_more_than_at_its_beginning);
    tcase_add_test(push, a_refused_flush_ends_the_push_and_leaves_no_batch);
    tcase_add_test(push, nothing_is_a_push_of_nothing);
    tcase_add_loop_test(push, an_atomic_push_holds_what_a_stream_applies, 0, 2);
    tcase_add_loop_test(push, an_atomic_push_holds_children_with_their_bounds, 0, 2);
    tcase_add_test(push, an_atomic_push_keeps_count_of_what_was_rejected);
    tcase_add_test(push, an_atomic_push_that_is_too_large_is_refused_whole);
    tcase_add_test(push, an_atomic_push_waits_when_others_hold_the_pool);
    tcase_add_loop_test(push, the_nth_push_on_the_arena_is_refused_and_leaves_nothing, 0,
                        COUNT_OF(torture_rows));
    tcase_add_loop_test(push, a_compressed_body_comes_to_the_same, 0, 2);
    tcase_add_test(push, a_truncated_body_is_refused_with_its_lines_applied);
    tcase_add_loop_test(push, a_corrupt_body_is_refused, 0, 2);
    tcase_add_loop_test(push, a_bomb_is_refused_and_costs_no_more_than_a_body, 0, 2);
    tcase_add_loop_test(push, sniffed_row_is_read_as_what_it_is_wherever_it_is_cut, 0,
                        COUNT_OF(sniff_rows));
    suite_add_tcase(suite, push);
    return suite;
}
