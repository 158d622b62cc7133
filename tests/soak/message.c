#include "message.h"

#define GZIP_WINDOW_BITS (15 + 16)

/* The fastest: it is the server that is looked at. */
#define LEVEL 1

/* Chunks of 1 .. 4096 bytes: some cut a line, some hold a hundred. */
#define CHUNK_BYTES_MAX 4096

void packer_init(struct packer *packer)
{
    packer->zstd = ZSTD_createCCtx();
    if (packer->zstd == NULL || deflateInit2(&packer->gzip, LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
                                             Z_DEFAULT_STRATEGY) != Z_OK)
        die("no compressor");
    ZSTD_CCtx_setParameter(packer->zstd, ZSTD_c_compressionLevel, LEVEL);
}

void packer_free(struct packer *packer)
{
    deflateEnd(&packer->gzip);
    ZSTD_freeCCtx(packer->zstd);
    text_free(&packer->packed);
}

/* Room for the worst case; what it holds is written over. */
static void packed_reserve(struct text *packed, size_t bytes)
{
    if (packed->capacity < bytes) {
        text_free(packed);
        packed->at = zeroed(1, bytes);
        packed->capacity = bytes;
    }
    packed->length = 0;
}

static void gzip_pack(struct packer *packer, const struct text *plain)
{
    z_stream *stream = &packer->gzip;

    deflateReset(stream);
    packed_reserve(&packer->packed, deflateBound(stream, (uLong)plain->length) + 1);
    stream->next_in = (Bytef *)plain->at;
    stream->avail_in = (uInt)plain->length;
    stream->next_out = (Bytef *)packer->packed.at;
    stream->avail_out = (uInt)packer->packed.capacity;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        die("deflate of %zu bytes", plain->length);
    packer->packed.length = stream->total_out;
}

static void zstd_pack(struct packer *packer, const struct text *plain)
{
    size_t bytes;

    packed_reserve(&packer->packed, ZSTD_compressBound(plain->length) + 1);
    bytes = ZSTD_compress2(packer->zstd, packer->packed.at, packer->packed.capacity, plain->at,
                           plain->length);
    if (ZSTD_isError(bytes))
        die("zstd: %s", ZSTD_getErrorName(bytes));
    packer->packed.length = bytes;
}

const struct text *packer_pack(struct packer *packer, enum encoding encoding,
                               const struct text *plain)
{
    if (encoding == ENCODING_IDENTITY)
        return plain;
    if (encoding == ENCODING_GZIP)
        gzip_pack(packer, plain);
    else
        zstd_pack(packer, plain);
    return &packer->packed;
}

void message_head_write(struct text *out, const struct message *message)
{
    static const char *const NAMES[ENCODING_COUNT] = {
        [ENCODING_GZIP] = "gzip",
        [ENCODING_ZSTD] = "zstd",
    };

    text_format(out, "%s %s HTTP/1.1\r\nHost: soak\r\n%s", message->method, message->target,
                message->headers);
    if (message->content_type != NULL)
        text_format(out, "Content-Type: %s\r\n", message->content_type);
    if (message->encoding != ENCODING_IDENTITY)
        text_format(out, "Content-Encoding: %s\r\n", NAMES[message->encoding]);
}

static void chunks_write(struct text *out, const struct text *body, struct random *random)
{
    size_t done = 0;

    while (done < body->length) {
        size_t length = 1 + (size_t)random_below(random, CHUNK_BYTES_MAX);

        if (length > body->length - done)
            length = body->length - done;
        text_format(out, "%zx\r\n", length);
        text_add(out, body->at + done, length);
        text_add(out, "\r\n", 2);
        done += length;
    }
    text_format(out, "0\r\n\r\n");
}

void message_write(struct text *out, struct packer *packer, const struct message *message,
                   struct random *random)
{
    const struct text *body;

    message_head_write(out, message);
    if (message->body == NULL) {
        text_format(out, "\r\n");
        return;
    }
    body = packer_pack(packer, message->encoding, message->body);
    if (message->chunked) {
        text_format(out, "Transfer-Encoding: chunked\r\n\r\n");
        chunks_write(out, body, random);
    } else {
        text_format(out, "Content-Length: %zu\r\n\r\n", body->length);
        text_add(out, body->at, body->length);
    }
}
