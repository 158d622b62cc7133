/*
 * fuzz_inflate.c: gzip and zstd, then text.
 *
 *     'P' gzip, 'Q' zstd: the rest is the compressed body
 *     'R' gzip, 'S' zstd: the rest is compressed here first, so that the fuzzer need not learn to;
 *                         + 4: twice, as two members or frames; + 8: and a byte of it is damaged
 *     cuts (fuzz.h), the damage (where, what; with + 8 only), then the body
 *
 * The same comes out however the input is cut, never more than limits.inflated_bytes, and the
 * memory that the inflater takes stays within inflater_bytes, which the plan counts on. What was
 * compressed here comes out as it went in.
 */
#include "fuzz.h"

#include "ingest/inflate.h"
#include "memory/poison.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define COMPRESSED_MAX ((size_t)256 << 10)

static struct fuzz_sink sink;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_sink_init(&sink, 4096);
    sink.settings.limits_inflated_bytes = 6 << 10;
    return 0;
}

/* ---- compressing ---- */

static size_t gzip_make(struct bytes body, char *out, size_t room)
{
    z_stream stream = {0};
    REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)body.at;
    stream.avail_in = (unsigned)body.length;
    stream.next_out = (unsigned char *)out;
    stream.avail_out = (unsigned)room;
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    REQUIRE(deflateEnd(&stream) == Z_OK);
    return room - stream.avail_out;
}

static size_t compress_once(enum encoding encoding, struct bytes body, char *out, size_t room)
{
    if (encoding == ENCODING_GZIP)
        return gzip_make(body, out, room);
    size_t length = ZSTD_compress(out, room, body.at, body.length, 3);
    REQUIRE(!ZSTD_isError(length));
    return length;
}

/* ---- inflating ---- */

static struct refusal feed_chunks(struct inflater *inflater, struct decoder *decoder,
                                  struct bytes input, uint64_t *inflated)
{
    for (;;) {
        struct bytes chunk = {NULL, 0};
        struct refusal refusal = inflater_next(inflater, &input, &chunk);
        if (refusal.status != STATUS_OK)
            return refusal;
        if (chunk.length == 0 && input.length == 0)
            return refusal;
        *inflated += chunk.length;
        REQUIRE(*inflated <= sink.settings.limits_inflated_bytes);
        refusal = decoder->feed(decoder, chunk, &sink.intake);
        REQUIRE(refusal.status == STATUS_OK);
    }
}

static struct refusal run(enum encoding encoding, struct bytes body, const struct fuzz_cuts *cuts,
                          uint64_t *inflated)
{
    struct decoder_options options = {.format = FORMAT_PROMETHEUS, .body_bytes = UINT64_MAX};
    struct refusal refusal = refusal_plain(STATUS_OK);
    struct bytes piece;
    size_t at = 0;
    fuzz_sink_begin(&sink);
    struct decoder *decoder = decoder_make(&options, &sink.settings, &sink.arena);
    size_t before = arena_used(&sink.arena);
    struct inflater *inflater = inflater_make(encoding, &sink.settings, &sink.arena);
    REQUIRE(decoder != NULL && inflater != NULL);
    *inflated = 0;
    while (refusal.status == STATUS_OK && fuzz_next_piece(cuts, &at, body, &piece)) {
        struct bytes lent = fuzz_lend(piece);
        refusal = feed_chunks(inflater, decoder, lent, inflated);
        fuzz_drop(lent);
        fuzz_sink_settled(&sink);
    }
    if (refusal.status == STATUS_OK)
        refusal = inflater_finish(inflater);
    if (refusal.status == STATUS_OK)
        refusal = decoder->finish(decoder, &sink.intake);
    /* frames whose windows grow may take a second workspace (inflate.h) */
    REQUIRE(arena_used(&sink.arena) - before <=
            2 * inflater_bytes(encoding, &sink.settings));
    fuzz_sink_close(&sink, &refusal);
    return refusal;
}

/*
 * Cut, it comes to the same. Of a zstd body that is refused, how much came out before may depend on
 * the cuts, and so may which of two refusals is met first (inflate.c says why).
 */
static void run_cut(enum encoding encoding, struct bytes body, const struct fuzz_cuts *cuts,
                    const struct refusal *expected, const struct fuzz_text *whole)
{
    uint64_t inflated;
    struct refusal refusal = run(encoding, body, cuts, &inflated);
    if (encoding == ENCODING_ZSTD && expected->status != STATUS_OK)
        REQUIRE(refusal.status != STATUS_OK);
    else
        fuzz_text_same(whole, "whole", &sink.text, "cut");
}

static void compare(enum encoding encoding, struct bytes body, const struct fuzz_cuts *cuts,
                    struct bytes plain, bool intact)
{
    static struct fuzz_text whole;
    uint64_t inflated;
    struct refusal refusal = run(encoding, body, &fuzz_whole, &inflated);
    if (intact && plain.length <= sink.settings.limits_inflated_bytes) {
        REQUIRE(refusal.status == STATUS_OK);
        REQUIRE(inflated == plain.length);
    }
    if (intact && plain.length > sink.settings.limits_inflated_bytes)
        REQUIRE(refusal.status == STATUS_INFLATED_TOO_LARGE);
    fuzz_text_reset(&whole);
    fuzz_text_add(&whole, (struct bytes){sink.text.at, sink.text.used});
    run_cut(encoding, body, cuts, &refusal, &whole);
    run_cut(encoding, body, &fuzz_single_bytes, &refusal, &whole);
    struct decoder_options options = {.format = FORMAT_PROMETHEUS, .body_bytes = UINT64_MAX};
    if (intact && refusal.status == STATUS_OK) {
        fuzz_sink_run(&sink, &options, plain, &fuzz_whole);
        fuzz_text_same(&whole, "compressed", &sink.text, "plain");
    }
}

static void compressed_here(uint8_t choice, enum encoding encoding, const struct fuzz_cuts *cuts,
                            struct bytes body)
{
    static char memory[COMPRESSED_MAX];
    static struct fuzz_text plain;
    unsigned times = (choice & 4) == 0 ? 1 : 2;
    bool damaged = (choice & 8) != 0;
    uint8_t where = damaged ? fuzz_take(&body) : 0;
    uint8_t what = damaged ? fuzz_take(&body) : 0;
    size_t length = 0;
    fuzz_text_reset(&plain);
    for (unsigned i = 0; i < times; i++) {
        length += compress_once(encoding, body, memory + length, sizeof memory - length);
        fuzz_text_add(&plain, body);
    }
    if (damaged)
        memory[where * length / 256] ^= (char)what;
    compare(encoding, (struct bytes){memory, length}, cuts,
            (struct bytes){plain.at, plain.used}, what == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes body = {(const char *)data, size};
    if (size > COMPRESSED_MAX / 4)
        return 0;
    uint8_t choice = fuzz_take(&body);
    struct fuzz_cuts cuts = fuzz_take_cuts(&body);
    enum encoding encoding = (choice & 1) == 0 ? ENCODING_GZIP : ENCODING_ZSTD;
    if ((choice & 2) == 0)
        compare(encoding, body, &cuts, (struct bytes){"", 0}, false);
    else
        compressed_here(choice, encoding, &cuts, body);
    return 0;
}
