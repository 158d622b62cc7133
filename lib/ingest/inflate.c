/* inflate.c: see inflate.h. */
#include "ingest/inflate.h"

#include "base/ensure.h"

#define ZLIB_CONST
#define ZSTD_STATIC_LINKING_ONLY
#include <zlib.h>
#include <zstd.h>

/*
 * What one call lends at most. Decoders cope with any cut, so its size is only a matter of speed:
 * beyond 16 KiB there is nothing to gain, and each compressed push pays for it.
 */
#define CHUNK_BYTES ((size_t)16 << 10)

/*
 * What zlib takes for a gzip stream: its window of 32 KiB and its state (7,160 bytes in 1.2.13),
 * with some air for other releases. inflater_make proves it each time, whatever the client sends.
 */
#define ZLIB_BYTES (((size_t)32 << 10) + ((size_t)8 << 10))

/* 15 is the largest window of deflate, and 16 asks for a gzip header and its checksum. */
#define GZIP_WINDOW_BITS (15 + 16)

struct gzip {
    z_stream stream;
    char *memory; /* ZLIB_BYTES of it */
    size_t used;
};

enum stage {
    STAGE_HEADER, /* between frames, or within a header that is cut */
    STAGE_SKIP,   /* within a skippable frame */
    STAGE_FRAME,
};

struct zstd {
    ZSTD_DStream *stream; /* NULL until the first frame */
    uint64_t window_max;  /* what the stream's workspace is for */
    uint64_t skip;        /* what is left of a skippable frame */
    enum stage stage;
    uint32_t header_length; /* bytes of the frame's header seen so far */
    uint32_t header_fed;    /* and how many of them the stream has got */
    unsigned char header[ZSTD_FRAMEHEADERSIZE_MAX];
};

struct inflater {
    enum encoding encoding;
    bool whole;   /* right behind a member or frame; nothing of a next one was seen */
    bool pending; /* the chunk was filled, so more may come without further input */
    const struct settings *settings;
    struct arena *arena;
    struct refusal end; /* why nothing comes after what was lent, or OK */
    uint64_t inflated;  /* bytes that came out so far */
    size_t filled;      /* of the chunk */
    char *chunk;
    union {
        struct gzip gzip;
        struct zstd zstd;
    };
};

/* ---- gzip ---- */

/* zlib's own words are literals too: they live as long as the process. */
static struct refusal corrupt(const char *detail)
{
    return refusal_detail(STATUS_BAD_ENCODING, detail == NULL ? "it is not valid" : detail);
}

static void *gzip_push(void *context, unsigned count, unsigned bytes)
{
    struct gzip *gzip = context;
    size_t wanted = (size_t)count * bytes;
    wanted = (wanted + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (wanted > ZLIB_BYTES - gzip->used)
        return Z_NULL;
    void *at = gzip->memory + gzip->used;
    gzip->used += wanted;
    return at;
}

/* Everything goes with the arena. */
static void gzip_free(void *context, void *at)
{
    (void)context;
    (void)at;
}

static unsigned clamp(size_t bytes)
{
    return bytes > 1u << 30 ? 1u << 30 : (unsigned)bytes;
}

/* One call of inflate() over the input and what room the chunk has left. */
static int gzip_run(struct inflater *inflater, struct bytes *input)
{
    z_stream *stream = &inflater->gzip.stream;
    unsigned given = clamp(input->length);
    unsigned room = (unsigned)(CHUNK_BYTES - inflater->filled);
    stream->next_in = (const unsigned char *)input->at;
    stream->avail_in = given;
    stream->next_out = (unsigned char *)inflater->chunk + inflater->filled;
    stream->avail_out = room;
    int code = inflate(stream, Z_NO_FLUSH);
    *input = (struct bytes){input->at + (given - stream->avail_in),
                            input->length - (given - stream->avail_in)};
    inflater->filled += room - stream->avail_out;
    return code;
}

static struct refusal gzip_step(struct inflater *inflater, struct bytes *input)
{
    if (inflater->whole && input->length > 0) { /* the next member, or garbage: zlib will tell */
        ENSURE(inflateReset(&inflater->gzip.stream) == Z_OK);
        inflater->whole = false;
    }
    int code = gzip_run(inflater, input);
    if (code == Z_STREAM_END)
        inflater->whole = true;
    else if (code != Z_OK && code != Z_BUF_ERROR) /* the latter: nothing to do in this call */
        return corrupt(inflater->gzip.stream.msg);
    return refusal_plain(STATUS_OK);
}

/*
 * zlib takes its window at the first output, which would be in mid-body. One byte through the
 * stream makes it do so now, and shows that ZLIB_BYTES is enough.
 */
static void gzip_warm_up(struct inflater *inflater)
{
    static const char member[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03" /* header */
                                 "\x4b\x04\0"                   /* the letter a */
                                 "\x43\xbe\xb7\xe8\x01\0\0";    /* its checksum and length */
    struct bytes input = {member, sizeof member}; /* the terminator is the length's last byte */
    ENSURE(gzip_run(inflater, &input) == Z_STREAM_END);
    ENSURE(inflateReset(&inflater->gzip.stream) == Z_OK);
    inflater->filled = 0;
}

static void gzip_init(struct inflater *inflater, char *memory)
{
    inflater->gzip = (struct gzip){
        .stream = {.zalloc = gzip_push, .zfree = gzip_free, .opaque = &inflater->gzip},
        .memory = memory,
    };
    ENSURE(inflateInit2(&inflater->gzip.stream, GZIP_WINDOW_BITS) == Z_OK);
    gzip_warm_up(inflater);
}

/* ---- zstd ---- */

static struct refusal zstd_corrupt(size_t code)
{
    return corrupt(ZSTD_getErrorName(code));
}

static uint64_t workspace_bytes(uint64_t window)
{
    uint64_t bytes = ZSTD_estimateDStreamSize((size_t)window);
    return (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

/* The library takes its limit as a power of two only; the exact one is checked before. */
static int window_log(uint64_t window)
{
    int log = ZSTD_WINDOWLOG_MIN;
    while ((uint64_t)1 << log < window)
        log++;
    return log;
}

/* Takes a workspace for this window; there is none yet, or it is too small. */
static struct refusal zstd_take_workspace(struct inflater *inflater, uint64_t window)
{
    struct zstd *zstd = &inflater->zstd;
    if (zstd->stream != NULL)
        window = inflater->settings->limits_zstd_window_bytes;
    size_t bytes = (size_t)workspace_bytes(window);
    void *workspace = arena_push(inflater->arena, bytes);
    if (workspace == NULL)
        return refusal_of(inflater->arena->refusal, inflater->settings);
    zstd->stream = ZSTD_initStaticDStream(workspace, bytes);
    ENSURE(zstd->stream != NULL);
    size_t code = ZSTD_DCtx_setParameter(zstd->stream, ZSTD_d_windowLogMax, window_log(window));
    ENSURE(!ZSTD_isError(code));
    zstd->window_max = window;
    return refusal_plain(STATUS_OK);
}

static void zstd_end_frame(struct inflater *inflater)
{
    inflater->zstd.stage = STAGE_HEADER;
    inflater->zstd.header_length = 0;
    inflater->zstd.header_fed = 0;
    inflater->whole = true;
}

static struct refusal zstd_skip(struct inflater *inflater, struct bytes *input)
{
    struct zstd *zstd = &inflater->zstd;
    size_t skipped = zstd->skip < input->length ? (size_t)zstd->skip : input->length;
    *input = (struct bytes){input->at + skipped, input->length - skipped};
    zstd->skip -= skipped;
    if (zstd->skip == 0)
        zstd_end_frame(inflater);
    return refusal_plain(STATUS_OK);
}

/* The header is complete. A skippable frame may be empty, and end with it. */
static struct refusal zstd_begin(struct inflater *inflater, const ZSTD_frameHeader *frame,
                                 struct bytes *input)
{
    struct zstd *zstd = &inflater->zstd;
    if (frame->frameType == ZSTD_skippableFrame) {
        zstd->skip = frame->frameContentSize;
        zstd->stage = STAGE_SKIP;
        return zstd_skip(inflater, input);
    }
    if (frame->windowSize > inflater->settings->limits_zstd_window_bytes)
        return refusal_of(STATUS_WINDOW_TOO_LARGE, inflater->settings);
    zstd->stage = STAGE_FRAME;
    if (zstd->stream != NULL && frame->windowSize <= zstd->window_max)
        return refusal_plain(STATUS_OK);
    return zstd_take_workspace(inflater, frame->windowSize);
}

static size_t take(unsigned char *out, size_t wanted, struct bytes *input)
{
    size_t taken = wanted < input->length ? wanted : input->length;
    memcpy(out, input->at, taken);
    *input = (struct bytes){input->at + taken, input->length - taken};
    return taken;
}

/* Collects the header and not a byte more: the stream may not see it before its window is known. */
static struct refusal zstd_header(struct inflater *inflater, struct bytes *input)
{
    struct zstd *zstd = &inflater->zstd;
    ZSTD_frameHeader frame;
    size_t wanted = ZSTD_getFrameHeader(&frame, zstd->header, zstd->header_length);
    while (wanted != 0 && input->length > 0) {
        if (ZSTD_isError(wanted))
            return zstd_corrupt(wanted);
        ENSURE(wanted > zstd->header_length && wanted <= sizeof zstd->header);
        inflater->whole = false;
        zstd->header_length += (uint32_t)take(zstd->header + zstd->header_length,
                                              wanted - zstd->header_length, input);
        wanted = ZSTD_getFrameHeader(&frame, zstd->header, zstd->header_length);
    }
    if (ZSTD_isError(wanted))
        return zstd_corrupt(wanted);
    return wanted == 0 ? zstd_begin(inflater, &frame, input) : refusal_plain(STATUS_OK);
}

/* First the header that was held back, then the input itself. */
static struct refusal zstd_frame(struct inflater *inflater, struct bytes *input)
{
    struct zstd *zstd = &inflater->zstd;
    bool header = zstd->header_fed < zstd->header_length;
    ZSTD_inBuffer in = {input->at, input->length, 0};
    if (header)
        in = (ZSTD_inBuffer){zstd->header, zstd->header_length, zstd->header_fed};
    ZSTD_outBuffer out = {inflater->chunk, CHUNK_BYTES, inflater->filled};
    size_t code = ZSTD_decompressStream(zstd->stream, &out, &in);
    if (ZSTD_isError(code))
        return zstd_corrupt(code);
    if (header)
        zstd->header_fed = (uint32_t)in.pos;
    else
        *input = (struct bytes){input->at + in.pos, input->length - in.pos};
    inflater->filled = out.pos;
    if (code == 0)
        zstd_end_frame(inflater);
    return refusal_plain(STATUS_OK);
}

static struct refusal zstd_step(struct inflater *inflater, struct bytes *input)
{
    switch (inflater->zstd.stage) {
    case STAGE_SKIP:
        return zstd_skip(inflater, input);
    case STAGE_FRAME:
        return zstd_frame(inflater, input);
    default:
        return zstd_header(inflater, input);
    }
}

/* ---- both ---- */

static uint64_t fixed_bytes(enum encoding encoding)
{
    uint64_t state = (sizeof(struct inflater) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    return state + CHUNK_BYTES + (encoding == ENCODING_GZIP ? ZLIB_BYTES : 0);
}

uint64_t inflater_bytes(enum encoding encoding, const struct settings *settings)
{
    if (encoding == ENCODING_IDENTITY)
        return 0;
    if (encoding == ENCODING_GZIP)
        return fixed_bytes(encoding);
    ENSURE(settings->limits_zstd_window_bytes != SETTING_AUTO); /* the plan has chosen */
    return fixed_bytes(encoding) + workspace_bytes(settings->limits_zstd_window_bytes);
}

/* One push for all: small ones would each leave the end of a block of the pool unused. */
struct inflater *inflater_make(enum encoding encoding, const struct settings *settings,
                               struct arena *arena)
{
    ENSURE(encoding != ENCODING_IDENTITY);
    char *memory = arena_push(arena, (size_t)fixed_bytes(encoding));
    if (memory == NULL)
        return NULL;
    char *chunk = memory + fixed_bytes(ENCODING_ZSTD) - CHUNK_BYTES;
    struct inflater *inflater = (struct inflater *)(void *)memory;
    *inflater = (struct inflater){
        .encoding = encoding,
        .settings = settings,
        .arena = arena,
        .chunk = chunk,
    };
    if (encoding == ENCODING_GZIP)
        gzip_init(inflater, chunk + CHUNK_BYTES);
    return inflater;
}

static bool has_work(const struct inflater *inflater, struct bytes input)
{
    if (inflater->end.status != STATUS_OK || inflater->filled == CHUNK_BYTES)
        return false;
    return input.length > 0 || inflater->pending;
}

static void step(struct inflater *inflater, struct bytes *input)
{
    size_t before = inflater->filled;
    inflater->pending = false;
    inflater->end = inflater->encoding == ENCODING_GZIP ? gzip_step(inflater, input)
                                                        : zstd_step(inflater, input);
    inflater->inflated += inflater->filled - before;
}

/* Ends the stream at the limit, which is met before whatever else was wrong behind it. */
static void bound(struct inflater *inflater)
{
    uint64_t max = inflater->settings->limits_inflated_bytes;
    if (inflater->inflated <= max)
        return;
    inflater->filled -= (size_t)(inflater->inflated - max);
    inflater->inflated = max;
    inflater->end = refusal_of(STATUS_INFLATED_TOO_LARGE, inflater->settings);
}

/*
 * What came out before an error is lent first, and the error comes with the next call. So what is
 * decoded of a bad gzip body does not depend on how the network cut it. Of a bad zstd body it may:
 * the library does not tell what the call that failed had decoded, and how far a call gets depends
 * on what it is given.
 */
struct refusal inflater_next(struct inflater *inflater, struct bytes *input, struct bytes *chunk)
{
    inflater->filled = 0;
    while (has_work(inflater, *input))
        step(inflater, input);
    /* A member or frame has ended only when all of it is out. */
    inflater->pending = inflater->filled == CHUNK_BYTES && !inflater->whole;
    bound(inflater);
    if (inflater->end.status != STATUS_OK && inflater->filled == 0)
        return inflater->end;
    *chunk = (struct bytes){inflater->chunk, inflater->filled};
    return refusal_plain(STATUS_OK);
}

struct refusal inflater_finish(const struct inflater *inflater)
{
    if (inflater->whole)
        return refusal_plain(STATUS_OK);
    return refusal_detail(STATUS_TRUNCATED_BODY, inflater->encoding == ENCODING_GZIP
                                                     ? "the gzip stream has no end"
                                                     : "the zstd stream has no end");
}
