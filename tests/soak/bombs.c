#include "bombs.h"

#include <stdlib.h>
#include <string.h>

#define PATTERN_BYTES (1024u * 1024u)
#define OUT_BYTES (64u * 1024u)
#define SAMPLE "hostile_bomb_total 1\n"

/* One pattern, over and over; the last line of samples is whole. */
static uint64_t pattern_fill(char *pattern, const char *piece, size_t piece_bytes)
{
    size_t used = 0;

    while (used + piece_bytes <= PATTERN_BYTES) {
        memcpy(pattern + used, piece, piece_bytes);
        used += piece_bytes;
    }
    return used;
}

static void gzip_make(struct text *out, const char *pattern, size_t bytes)
{
    z_stream stream = {0};
    char piece[OUT_BYTES];
    int status = deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);

    for (uint64_t done = 0; status == Z_OK && done < BOMB_INFLATED_BYTES; done += bytes) {
        bool last = done + bytes >= BOMB_INFLATED_BYTES;

        stream.next_in = (Bytef *)pattern;
        stream.avail_in = (uInt)bytes;
        do {
            stream.next_out = (Bytef *)piece;
            stream.avail_out = sizeof(piece);
            status = deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
            text_add(out, piece, sizeof(piece) - stream.avail_out);
        } while (stream.avail_out == 0);
    }
    if (status != Z_STREAM_END)
        die("deflate: %d", status);
    deflateEnd(&stream);
}

static void zstd_make(struct text *out, const char *pattern, size_t bytes)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    char piece[OUT_BYTES];

    if (context == NULL)
        die("no zstd");
    for (uint64_t done = 0; done < BOMB_INFLATED_BYTES; done += bytes) {
        bool last = done + bytes >= BOMB_INFLATED_BYTES;
        ZSTD_inBuffer in = {pattern, bytes, 0};
        size_t left;

        do {
            ZSTD_outBuffer room = {piece, sizeof(piece), 0};

            left = ZSTD_compressStream2(context, &room, &in, last ? ZSTD_e_end : ZSTD_e_continue);
            if (ZSTD_isError(left))
                die("zstd: %s", ZSTD_getErrorName(left));
            text_add(out, piece, room.pos);
        } while (in.pos < in.size || (last && left > 0));
    }
    ZSTD_freeCCtx(context);
}

static void bomb_make(struct bomb *bomb, char *pattern, const char *piece, size_t piece_bytes)
{
    uint64_t bytes = pattern_fill(pattern, piece, piece_bytes);
    uint64_t times = (BOMB_INFLATED_BYTES + bytes - 1) / bytes;

    if (bomb->encoding == ENCODING_GZIP)
        gzip_make(&bomb->packed, pattern, (size_t)bytes);
    else
        zstd_make(&bomb->packed, pattern, (size_t)bytes);
    if (piece_bytes > 1)
        bomb->samples = bytes / piece_bytes * times;
}

void bombs_init(struct bomb bombs[BOMB_COUNT])
{
    static const char ZERO[1] = "";
    char *pattern = zeroed(1, PATTERN_BYTES);

    for (size_t i = 0; i < BOMB_COUNT; i++)
        bombs[i] = (struct bomb){.encoding = i % 2 == 0 ? ENCODING_GZIP : ENCODING_ZSTD};
    bomb_make(&bombs[0], pattern, ZERO, 1);
    bomb_make(&bombs[1], pattern, " ", 1);
    bomb_make(&bombs[2], pattern, SAMPLE, strlen(SAMPLE));
    bomb_make(&bombs[3], pattern, SAMPLE, strlen(SAMPLE));
    bomb_make(&bombs[4], pattern, "\n", 1);
    bomb_make(&bombs[5], pattern, ZERO, 1);
    free(pattern);
}

/* Of values that differ, so that half of what is packed is about half of the samples. */
void pieces_init(struct bomb pieces[PIECE_COUNT], struct random *random)
{
    struct packer packer = {0};
    struct text plain = {0};

    packer_init(&packer);
    for (uint32_t i = 0; i < PIECE_SAMPLES; i++)
        text_format(&plain, "hostile_total %u\n", (unsigned)random_below(random, 1000000000));
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        const struct text *packed;

        pieces[i].encoding = i % 2 == 0 ? ENCODING_GZIP : ENCODING_ZSTD;
        pieces[i].samples = PIECE_SAMPLES;
        packed = packer_pack(&packer, pieces[i].encoding, &plain);
        text_add(&pieces[i].packed, packed->at, packed->length);
    }
    text_free(&plain);
    packer_free(&packer);
}

void bombs_free(struct bomb *bombs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_free(&bombs[i].packed);
}
