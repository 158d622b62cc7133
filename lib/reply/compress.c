/* compress.c: see compress.h. */
#include "reply/compress.h"

#include "base/ensure.h"

#include <zlib.h>

#define WINDOW_BITS 13
#define GZIP_FORMAT 16 /* added to the window's bits: a gzip header and trailer */
#define MEMORY_LEVEL 6

struct compressor {
    z_stream stream;
    struct arena *arena;
};

static void *take(void *arena, unsigned count, unsigned bytes)
{
    return arena_push(arena, (size_t)count * bytes);
}

static void leave(void *arena, void *at)
{
    (void)arena; /* ends with the arena */
    (void)at;
}

struct compressor *compressor_make(struct arena *arena)
{
    struct compressor *compressor = arena_push_zero(arena, sizeof *compressor);
    if (compressor == NULL)
        return NULL;
    compressor->stream = (z_stream){.zalloc = take, .zfree = leave, .opaque = arena};
    int code = deflateInit2(&compressor->stream, Z_BEST_SPEED, Z_DEFLATED,
                            WINDOW_BITS + GZIP_FORMAT, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    return code == Z_OK ? compressor : NULL;
}

bool compressor_next(struct compressor *compressor, struct bytes *text, bool last,
                     struct writer *page)
{
    z_stream *stream = &compressor->stream;
    stream->next_in = (Bytef *)(uintptr_t)text->at;
    stream->avail_in = (unsigned)text->length;
    stream->next_out = (Bytef *)(page->at + page->used);
    stream->avail_out = (unsigned)(page->size - page->used);
    int code = deflate(stream, last ? Z_FINISH : Z_NO_FLUSH);
    ENSURE(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR);
    *text = (struct bytes){(const char *)stream->next_in, stream->avail_in};
    page->used = page->size - stream->avail_out;
    return code == Z_STREAM_END;
}
