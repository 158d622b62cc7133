/* test_inflate.c: gzip and zstd streams: whole, cut anywhere, corrupt and hostile. */
#include "base/random.h"
#include "ingest/inflate.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define ZSTD_STATIC_LINKING_ONLY
#include <zlib.h>
#include <zstd.h>

Suite *inflate_suite(void);

#define MIB ((size_t)1 << 20)
#define ARENA_BYTES (24 * MIB)
#define BYTES_MAX (40 * MIB)
#define SEED 0x5eed41

static struct settings settings;
static struct arena arena;
static _Alignas(ARENA_ALIGN) char arena_memory[ARENA_BYTES];
static char plain_memory[BYTES_MAX];
static char packed_memory[BYTES_MAX];
static char output[BYTES_MAX]; /* what came out of the last run */
static size_t output_bytes;
static struct refusal outcome; /* how it ended */

static void setup(void)
{
    settings_init(&settings);
    settings.limits_zstd_window_bytes = 2 * MIB;
}

/* ---- bodies ---- */

/* Lines that look like a push, the same for the same seed. */
static struct bytes plain_make(size_t bytes)
{
    struct random random = {SEED};
    size_t used = 0;
    while (used < bytes) {
        char line[128];
        int length = snprintf(line, sizeof line, "{\"name\":\"requests_%u\",\"value\":%u}\n",
                              (unsigned)random_below(&random, 50),
                              (unsigned)random_below(&random, 100000));
        size_t taken = (size_t)length < bytes - used ? (size_t)length : bytes - used;
        memcpy(plain_memory + used, line, taken);
        used += taken;
    }
    return (struct bytes){plain_memory, bytes};
}

/* One gzip member behind what is packed already. */
static struct bytes gzip_append(struct bytes packed, struct bytes plain)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (unsigned char *)(uintptr_t)plain.at;
    stream.avail_in = (unsigned)plain.length;
    stream.next_out = (unsigned char *)packed_memory + packed.length;
    stream.avail_out = (unsigned)(BYTES_MAX - packed.length);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.length = BYTES_MAX - stream.avail_out;
    deflateEnd(&stream);
    return (struct bytes){packed_memory, packed.length};
}

static struct bytes gzip(struct bytes plain)
{
    return gzip_append((struct bytes){packed_memory, 0}, plain);
}

struct zstd_options {
    int window_log;
    bool size_unknown; /* so that the header tells a window rather than the content's size */
    bool checksum;
};

static void zstd_set(ZSTD_CCtx *zstd, ZSTD_cParameter parameter, int value)
{
    ck_assert(!ZSTD_isError(ZSTD_CCtx_setParameter(zstd, parameter, value)));
}

/* One zstd frame behind what is packed already. */
static struct bytes zstd_append(struct bytes packed, struct bytes plain,
                                struct zstd_options options)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    ZSTD_outBuffer out = {packed_memory, BYTES_MAX, packed.length};
    ZSTD_inBuffer in = {plain.at, plain.length, 0};
    zstd_set(zstd, ZSTD_c_checksumFlag, options.checksum);
    if (options.window_log != 0)
        zstd_set(zstd, ZSTD_c_windowLog, options.window_log);
    if (!options.size_unknown)
        ck_assert(!ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(zstd, plain.length)));
    ck_assert(!ZSTD_isError(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_continue)));
    ck_assert_uint_eq(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_end), 0);
    ZSTD_freeCCtx(zstd);
    return (struct bytes){packed_memory, out.pos};
}

static struct bytes zstd(struct bytes plain)
{
    return zstd_append((struct bytes){packed_memory, 0}, plain,
                       (struct zstd_options){.size_unknown = true, .checksum = true});
}

static struct bytes skippable_append(struct bytes packed, unsigned char content)
{
    char *at = packed_memory + packed.length;
    memcpy(at, "\x5a\x2a\x4d\x18\0\0\0\0", 8);
    at[4] = (char)content;
    memset(at + 8, 'x', content);
    return (struct bytes){packed_memory, packed.length + 8 + content};
}

/* A copy of its own, since packed_memory is written to. */
static struct bytes copy_of(struct bytes text)
{
    char *copy = malloc(text.length);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text.at, text.length);
    return (struct bytes){copy, text.length};
}

static void copy_free(struct bytes copy)
{
    free((void *)(uintptr_t)copy.at);
}

/* ---- runs ---- */

static void collect(struct bytes chunk)
{
    ck_assert_uint_le(chunk.length, BYTES_MAX - output_bytes);
    memcpy(output + output_bytes, chunk.at, chunk.length);
    output_bytes += chunk.length;
}

/* As a caller does it: until the input and the chunk are both empty, or it is refused. */
static void feed(struct inflater *inflater, struct bytes input)
{
    struct bytes chunk;
    do {
        chunk = BYTES("");
        outcome = inflater_next(inflater, &input, &chunk);
        collect(chunk);
    } while (outcome.status == STATUS_OK && (input.length > 0 || chunk.length > 0));
}

/* Each piece has just its own size, so that AddressSanitizer sees what is read beyond it. */
static void feed_copy(struct inflater *inflater, struct bytes input)
{
    struct bytes copy = copy_of(input);
    feed(inflater, copy);
    copy_free(copy);
}

static enum status run_in(struct inflater *inflater, struct bytes packed, size_t first,
                          size_t piece)
{
    size_t at = 0;
    size_t length = first < packed.length ? first : packed.length;
    output_bytes = 0;
    outcome = refusal_plain(STATUS_OK);
    while (at < packed.length && outcome.status == STATUS_OK) {
        feed_copy(inflater, (struct bytes){packed.at + at, length});
        at += length;
        length = piece < packed.length - at ? piece : packed.length - at;
    }
    if (outcome.status == STATUS_OK)
        outcome = inflater_finish(inflater);
    return outcome.status;
}

/* The arena has just what inflater_bytes promises to be enough. */
static enum status run_pieces(enum encoding encoding, struct bytes packed, size_t first,
                              size_t piece)
{
    size_t bytes = (size_t)inflater_bytes(encoding, &settings);
    ck_assert_uint_le(bytes, ARENA_BYTES);
    arena_init(&arena, arena_memory, bytes, bytes, NULL);
    struct inflater *inflater = inflater_make(encoding, &settings, &arena);
    ck_assert_ptr_nonnull(inflater);
    return run_in(inflater, packed, first, piece);
}

static enum status run(enum encoding encoding, struct bytes packed)
{
    return run_pieces(encoding, packed, packed.length, packed.length);
}

static void assert_output(struct bytes plain)
{
    ck_assert_uint_eq(output_bytes, plain.length);
    ck_assert(memcmp(output, plain.at, plain.length) == 0);
}

/* Both encodings, for tests that loop over them: _i is one of these. */
static enum encoding encoding_of(int i)
{
    return i == 0 ? ENCODING_GZIP : ENCODING_ZSTD;
}

static struct bytes pack(enum encoding encoding, struct bytes plain)
{
    return encoding == ENCODING_GZIP ? gzip(plain) : zstd(plain);
}

/* ---- whole streams ---- */

START_TEST(stream_of_any_size_comes_out_as_it_went_in)
{
    static const size_t sizes[] = {1, 2, 100, 16383, 16384, 16385, 32768, 200000, 3 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct bytes plain = plain_make(sizes[i]);
        ck_assert_int_eq(run(encoding_of(_i), pack(encoding_of(_i), plain)), STATUS_OK);
        assert_output(plain);
    }
}
END_TEST

START_TEST(stream_of_nothing_is_whole)
{
    ck_assert_int_eq(run(encoding_of(_i), pack(encoding_of(_i), BYTES(""))), STATUS_OK);
    ck_assert_uint_eq(output_bytes, 0);
}
END_TEST

START_TEST(no_input_is_truncated)
{
    ck_assert_int_eq(run(encoding_of(_i), BYTES("")), STATUS_TRUNCATED_BODY);
    ck_assert_ptr_nonnull(outcome.detail);
}
END_TEST

START_TEST(cut_anywhere_it_comes_out_the_same)
{
    struct bytes plain = plain_make(3000);
    struct bytes packed = pack(encoding_of(_i), plain);
    for (size_t cut = 0; cut <= packed.length; cut++) {
        ck_assert_int_eq(run_pieces(encoding_of(_i), packed, cut, packed.length), STATUS_OK);
        assert_output(plain);
    }
    for (size_t piece = 1; piece < 40; piece++) {
        ck_assert_int_eq(run_pieces(encoding_of(_i), packed, piece, piece), STATUS_OK);
        assert_output(plain);
    }
}
END_TEST

START_TEST(stopped_anywhere_it_is_truncated)
{
    struct bytes plain = plain_make(3000);
    struct bytes packed = pack(encoding_of(_i), plain);
    for (size_t length = 0; length < packed.length; length++) {
        enum status status = run(encoding_of(_i), (struct bytes){packed.at, length});
        ck_assert_int_eq(status, STATUS_TRUNCATED_BODY);
        ck_assert_uint_le(output_bytes, plain.length);
        ck_assert(memcmp(output, plain.at, output_bytes) == 0);
    }
}
END_TEST

START_TEST(members_follow_one_another)
{
    struct bytes plain = plain_make(50000);
    struct bytes head = {plain.at, 20000};
    struct bytes tail = {plain.at + 20000, 30000};
    struct bytes packed = gzip_append(gzip_append(gzip(head), BYTES("")), tail);
    for (size_t piece = 1; piece < packed.length; piece += 1 + packed.length / 50) {
        ck_assert_int_eq(run_pieces(ENCODING_GZIP, packed, piece, piece), STATUS_OK);
        assert_output(plain);
    }
}
END_TEST

START_TEST(frames_follow_one_another_skippable_ones_too)
{
    struct zstd_options unknown = {.size_unknown = true};
    struct bytes plain = plain_make(50000);
    struct bytes head = {plain.at, 20000};
    struct bytes tail = {plain.at + 20000, 30000};
    struct bytes packed = skippable_append((struct bytes){packed_memory, 0}, 7);
    packed = zstd_append(packed, head, unknown);
    packed = skippable_append(skippable_append(packed, 0), 200);
    packed = zstd_append(packed, BYTES(""), (struct zstd_options){0});
    packed = skippable_append(zstd_append(packed, tail, unknown), 0);
    for (size_t piece = 1; piece < packed.length; piece += 1 + packed.length / 50) {
        ck_assert_int_eq(run_pieces(ENCODING_ZSTD, packed, piece, piece), STATUS_OK);
        assert_output(plain);
    }
}
END_TEST

START_TEST(garbage_behind_the_end_is_corrupt)
{
    struct bytes plain = plain_make(100);
    struct bytes packed = pack(encoding_of(_i), plain);
    memcpy(packed_memory + packed.length, "garbage", 7);
    packed.length += 7;
    for (size_t cut = packed.length - 7; cut <= packed.length; cut++) {
        enum status status = run_pieces(encoding_of(_i), packed, cut, 7);
        ck_assert_int_eq(status, STATUS_BAD_ENCODING);
        ck_assert_ptr_nonnull(outcome.detail);
        assert_output(plain);
    }
}
END_TEST

START_TEST(other_formats_are_corrupt)
{
    struct bytes plain = plain_make(100);
    struct bytes zlib = BYTES("\x78\x9c\x4b\x04\x00\x00\x62\x00\x62");
    struct bytes legacy = BYTES("\x27\xb5\x2f\xfd\x01\x00\x00\x00\x00\x00\x00\x00"); /* zstd 0.7 */
    ck_assert_int_eq(run(ENCODING_GZIP, zstd(plain)), STATUS_BAD_ENCODING);
    ck_assert_int_eq(run(ENCODING_ZSTD, gzip(plain)), STATUS_BAD_ENCODING);
    ck_assert_int_eq(run(encoding_of(_i), plain), STATUS_BAD_ENCODING);
    ck_assert_int_eq(run(encoding_of(_i), zlib), STATUS_BAD_ENCODING);
    ck_assert_int_eq(run(encoding_of(_i), legacy), STATUS_BAD_ENCODING);
}
END_TEST

START_TEST(refusal_is_final)
{
    struct bytes input = BYTES("no such encoding");
    struct bytes chunk = BYTES("");
    arena_init(&arena, arena_memory, ARENA_BYTES, ARENA_BYTES, NULL);
    struct inflater *inflater = inflater_make(encoding_of(_i), &settings, &arena);
    ck_assert_int_eq(inflater_next(inflater, &input, &chunk).status, STATUS_BAD_ENCODING);
    struct bytes good = pack(encoding_of(_i), plain_make(100));
    ck_assert_int_eq(inflater_next(inflater, &good, &chunk).status, STATUS_BAD_ENCODING);
    ck_assert_uint_eq(chunk.length, 0);
}
END_TEST

/* ---- hostile streams ---- */

START_TEST(bomb_stops_at_the_limit)
{
    struct bytes plain = {plain_memory, 33 * MIB};
    memset(plain_memory, 0, plain.length);
    struct bytes packed = pack(encoding_of(_i), plain);
    ck_assert_uint_lt(packed.length, plain.length / 900);
    ck_assert_int_eq(run_pieces(encoding_of(_i), packed, 1000, 1000), STATUS_INFLATED_TOO_LARGE);
    ck_assert_uint_eq(output_bytes, settings.limits_inflated_bytes);
    ck_assert_str_eq(outcome.setting, "limits.inflated_bytes");
    ck_assert_uint_eq(outcome.limit, 32 * MIB);
}
END_TEST

START_TEST(limit_itself_may_be_reached)
{
    settings.limits_inflated_bytes = 64 << 10;
    struct bytes plain = plain_make(64 << 10);
    ck_assert_int_eq(run(encoding_of(_i), pack(encoding_of(_i), plain)), STATUS_OK);
    assert_output(plain);
    struct bytes more = plain_make((64 << 10) + 1);
    ck_assert_int_eq(run(encoding_of(_i), pack(encoding_of(_i), more)),
                     STATUS_INFLATED_TOO_LARGE);
    assert_output(plain);
}
END_TEST

START_TEST(members_together_are_bounded)
{
    settings.limits_inflated_bytes = 64 << 10;
    struct bytes plain = plain_make(40 << 10);
    struct bytes packed = gzip_append(gzip(plain), plain);
    ck_assert_int_eq(run(ENCODING_GZIP, packed), STATUS_INFLATED_TOO_LARGE);
    ck_assert_uint_eq(output_bytes, 64 << 10);
}
END_TEST

/* Whatever is flipped: no crash, no room beyond the arena, and good bytes up to the mistake. */
START_TEST(corrupt_anywhere_it_is_refused)
{
    struct bytes plain = plain_make(400);
    struct bytes packed = copy_of(pack(encoding_of(_i), plain));
    unsigned refused = 0;
    unsigned passed = 0;
    for (size_t at = 0; at < packed.length; at++) {
        for (unsigned flip = 1; flip < 256; flip = flip < 128 ? flip * 2 : flip + 127) {
            memcpy(packed_memory, packed.at, packed.length);
            packed_memory[at] ^= (char)flip;
            struct bytes corrupt = {packed_memory, packed.length};
            enum status status = run_pieces(encoding_of(_i), corrupt, at, packed.length);
            *(status == STATUS_OK ? &passed : &refused) += 1;
            if (status == STATUS_OK)
                assert_output(plain); /* a byte that says nothing, as gzip's time of writing */
        }
    }
    copy_free(packed);
    ck_assert_uint_gt(refused, 20 * passed);
}
END_TEST

START_TEST(garbage_never_crashes)
{
    static const char *const heads[] = {"", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd", "\x50\x2a\x4d\x18"};
    struct random random = {SEED + (uint64_t)_i};
    settings.limits_zstd_window_bytes = 8192;
    for (unsigned i = 0; i < 10000; i++) {
        struct bytes head = bytes_of(heads[random_below(&random, 4)]);
        size_t length = head.length + random_below(&random, 300);
        memcpy(packed_memory, head.at, head.length);
        for (size_t at = head.length; at < length; at++)
            packed_memory[at] = (char)random_next(&random);
        struct bytes packed = {packed_memory, length};
        size_t piece = 1 + random_below(&random, 300);
        ck_assert_int_ne(run_pieces(encoding_of(_i), packed, piece, piece), STATUS_BUSY);
    }
}
END_TEST

/* ---- memory ---- */

START_TEST(bytes_are_enough_for_every_window)
{
    struct bytes plain = plain_make(9 * MIB);
    settings.limits_zstd_window_bytes = (uint64_t)1 << _i;
    struct zstd_options options = {.window_log = _i, .size_unknown = true};
    struct bytes packed = zstd_append((struct bytes){packed_memory, 0}, plain, options);
    ck_assert_int_eq(run_pieces(ENCODING_ZSTD, packed, 5, 70000), STATUS_OK);
    assert_output(plain);
    ck_assert_uint_eq(arena_held(&arena), inflater_bytes(ENCODING_ZSTD, &settings));
    ck_assert_uint_lt(arena_room(&arena), 64); /* and not much more than enough */
}
END_TEST

START_TEST(bytes_follow_the_encoding)
{
    settings.limits_zstd_window_bytes = SETTING_AUTO; /* gzip does not ask */
    ck_assert_uint_eq(inflater_bytes(ENCODING_IDENTITY, &settings), 0);
    ck_assert_uint_lt(inflater_bytes(ENCODING_GZIP, &settings), 60 << 10);
    settings.limits_zstd_window_bytes = 1 << 10;
    ck_assert_uint_lt(inflater_bytes(ENCODING_ZSTD, &settings), 256 << 10);
}
END_TEST

START_TEST(window_beyond_the_limit_is_refused)
{
    struct bytes plain = plain_make(3 * MIB);
    struct zstd_options options = {.window_log = 21, .size_unknown = true};
    struct bytes packed = zstd_append((struct bytes){packed_memory, 0}, plain, options);
    settings.limits_zstd_window_bytes = 2 * MIB - 1;
    ck_assert_int_eq(run(ENCODING_ZSTD, packed), STATUS_WINDOW_TOO_LARGE);
    ck_assert_uint_eq(output_bytes, 0);
    ck_assert_str_eq(outcome.setting, "limits.zstd_window_bytes");
    ck_assert_uint_eq(outcome.limit, 2 * MIB - 1);
}
END_TEST

/* What the zstd tool does without options, at its default level and at the fastest. */
START_TEST(default_window_fits_the_default_limit)
{
    struct bytes plain = plain_make(5 * MIB);
    for (int level = 1; level <= 3; level += 2) {
        size_t length = ZSTD_compress(packed_memory, BYTES_MAX, plain.at, plain.length, level);
        ck_assert(!ZSTD_isError(length));
        ck_assert_int_eq(run(ENCODING_ZSTD, (struct bytes){packed_memory, length}), STATUS_OK);
        assert_output(plain);
    }
}
END_TEST

START_TEST(small_body_is_not_charged_for_the_largest_window)
{
    struct bytes plain = plain_make(1000);
    struct bytes packed = zstd_append((struct bytes){packed_memory, 0}, plain,
                                      (struct zstd_options){0});
    arena_init(&arena, arena_memory, 300 << 10, 300 << 10, NULL);
    struct inflater *inflater = inflater_make(ENCODING_ZSTD, &settings, &arena);
    ck_assert_int_eq(run_in(inflater, packed, 1, 1), STATUS_OK);
    assert_output(plain);
}
END_TEST

static struct bytes growing_frames(struct bytes plain)
{
    struct bytes packed = {packed_memory, 0};
    size_t at = 0;
    for (int log = 10; log <= 21; log++) {
        size_t length = log < 21 ? 5000 : plain.length - at;
        packed = zstd_append(packed, (struct bytes){plain.at + at, length},
                             (struct zstd_options){.window_log = log, .size_unknown = true});
        at += length;
    }
    return packed;
}

START_TEST(growing_windows_take_two_workspaces_at_most)
{
    struct bytes plain = plain_make(3 * MIB);
    struct bytes packed = growing_frames(plain);
    arena_init(&arena, arena_memory, ARENA_BYTES, ARENA_BYTES, NULL);
    struct inflater *inflater = inflater_make(ENCODING_ZSTD, &settings, &arena);
    ck_assert_int_eq(run_in(inflater, packed, 1000, 1000), STATUS_OK);
    assert_output(plain);
    ck_assert_uint_le(arena_used(&arena), 2 * inflater_bytes(ENCODING_ZSTD, &settings));
}
END_TEST

START_TEST(growing_windows_beyond_the_arena_are_refused)
{
    struct bytes plain = plain_make(3 * MIB);
    struct bytes packed = growing_frames(plain);
    ck_assert_int_eq(run(ENCODING_ZSTD, packed), STATUS_REQUEST_TOO_LARGE);
    ck_assert_str_eq(outcome.setting, "limits.request_bytes");
    ck_assert_uint_eq(output_bytes, 5000); /* the first frame's */
}
END_TEST

START_TEST(dictionary_is_refused)
{
    struct bytes plain = plain_make(2000);
    ZSTD_CDict *dictionary = ZSTD_createCDict(plain.at, 1000, 3);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t length = ZSTD_compress_usingCDict(context, packed_memory, BYTES_MAX, plain.at + 1000,
                                             1000, dictionary);
    ck_assert(!ZSTD_isError(length));
    ZSTD_freeCCtx(context);
    ZSTD_freeCDict(dictionary);
    ck_assert_int_eq(run(ENCODING_ZSTD, (struct bytes){packed_memory, length}),
                     STATUS_BAD_ENCODING);
}
END_TEST

/* A source that refuses its nth block. */
struct torture {
    unsigned taken;
    unsigned live;
    unsigned refused_at;
};

static void *torture_take(void *context, size_t bytes, size_t *granted)
{
    struct torture *torture = context;
    if (++torture->taken == torture->refused_at)
        return NULL;
    torture->live++;
    *granted = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    return aligned_alloc(ARENA_ALIGN, *granted);
}

static void torture_give(void *context, void *block, size_t granted)
{
    (void)granted;
    ((struct torture *)context)->live--;
    free(block);
}

static enum status torture_run(struct torture *torture, enum encoding encoding,
                               struct bytes packed)
{
    struct block_source source = {torture_take, torture_give, torture};
    arena_init(&arena, arena_memory, 64, ARENA_BYTES, &source);
    struct inflater *inflater = inflater_make(encoding, &settings, &arena);
    enum status status = inflater == NULL ? arena.refusal
                                          : run_in(inflater, packed, packed.length, 1);
    arena_reset(&arena);
    ck_assert_uint_eq(torture->live, 0);
    return status;
}

/* gzip takes one block, zstd a second for its window; either refused is a 503 before any output. */
START_TEST(every_refused_block_is_a_busy)
{
    struct bytes packed = pack(encoding_of(_i), plain_make(3000));
    unsigned blocks = _i == 0 ? 1 : 2;
    for (unsigned n = 1; n <= blocks + 1; n++) {
        struct torture torture = {.refused_at = n};
        output_bytes = 0;
        enum status status = torture_run(&torture, encoding_of(_i), packed);
        ck_assert_int_eq(status, n <= blocks ? STATUS_BUSY : STATUS_OK);
        ck_assert_uint_eq(output_bytes, n <= blocks ? 0 : 3000);
    }
}
END_TEST

/* ---- suite ---- */

static TCase *streams_case(void)
{
    TCase *streams = tcase_create("streams");
    tcase_add_checked_fixture(streams, setup, NULL);
    tcase_set_timeout(streams, 60);
    tcase_add_loop_test(streams, stream_of_any_size_comes_out_as_it_went_in, 0, 2);
    tcase_add_loop_test(streams, stream_of_nothing_is_whole, 0, 2);
    tcase_add_loop_test(streams, no_input_is_truncated, 0, 2);
    tcase_add_loop_test(streams, cut_anywhere_it_comes_out_the_same, 0, 2);
    tcase_add_loop_test(streams, stopped_anywhere_it_is_truncated, 0, 2);
    tcase_add_test(streams, members_follow_one_another);
    tcase_add_test(streams, frames_follow_one_another_skippable_ones_too);
    tcase_add_loop_test(streams, garbage_behind_the_end_is_corrupt, 0, 2);
    tcase_add_loop_test(streams, other_formats_are_corrupt, 0, 2);
    tcase_add_loop_test(streams, refusal_is_final, 0, 2);
    return streams;
}

static TCase *hostile_case(void)
{
    TCase *hostile = tcase_create("hostile");
    tcase_add_checked_fixture(hostile, setup, NULL);
    tcase_set_timeout(hostile, 120);
    tcase_add_loop_test(hostile, bomb_stops_at_the_limit, 0, 2);
    tcase_add_loop_test(hostile, limit_itself_may_be_reached, 0, 2);
    tcase_add_test(hostile, members_together_are_bounded);
    tcase_add_loop_test(hostile, corrupt_anywhere_it_is_refused, 0, 2);
    tcase_add_loop_test(hostile, garbage_never_crashes, 0, 2);
    return hostile;
}

static TCase *memory_case(void)
{
    TCase *memory = tcase_create("memory");
    tcase_add_checked_fixture(memory, setup, NULL);
    tcase_set_timeout(memory, 60);
    tcase_add_loop_test(memory, bytes_are_enough_for_every_window, 10, 24);
    tcase_add_test(memory, bytes_follow_the_encoding);
    tcase_add_test(memory, window_beyond_the_limit_is_refused);
    tcase_add_test(memory, default_window_fits_the_default_limit);
    tcase_add_test(memory, small_body_is_not_charged_for_the_largest_window);
    tcase_add_test(memory, growing_windows_take_two_workspaces_at_most);
    tcase_add_test(memory, growing_windows_beyond_the_arena_are_refused);
    tcase_add_test(memory, dictionary_is_refused);
    tcase_add_loop_test(memory, every_refused_block_is_a_busy, 0, 2);
    return memory;
}

Suite *inflate_suite(void)
{
    Suite *suite = suite_create("inflate");
    suite_add_tcase(suite, streams_case());
    suite_add_tcase(suite, hostile_case());
    suite_add_tcase(suite, memory_case());
    return suite;
}
