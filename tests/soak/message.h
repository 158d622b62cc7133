/*
 * message.h: a body on its way: compressed, with a length or in chunks, behind its head.
 *
 *     POST /v1/push HTTP/1.1 ... Content-Encoding: gzip ... Transfer-Encoding: chunked
 *     3f\r\n<63 bytes>\r\n ... 0\r\n\r\n
 *
 * Owner: traffic.c. Lifetime: the run; the compressors are made once, and reset for each body.
 * Threads: one.
 */
#ifndef SOAK_MESSAGE_H
#define SOAK_MESSAGE_H

#include <stdbool.h>
#include <zlib.h>
#include <zstd.h>

#include "base/random.h"
#include "bench/text.h"

enum encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_ZSTD, ENCODING_COUNT };

struct packer {
    z_stream gzip;
    ZSTD_CCtx *zstd;
    struct text packed;
};

struct message {
    const char *method;
    const char *target;
    const char *headers;      /* whole lines; "": none */
    const char *content_type; /* NULL: none, the first byte decides */
    const struct text *body;  /* NULL: none */
    enum encoding encoding;
    bool chunked;
};

void packer_init(struct packer *packer);
void packer_free(struct packer *packer);

/* Compressed in place of what `packed` held before. */
const struct text *packer_pack(struct packer *packer, enum encoding encoding,
                               const struct text *plain);

/* The head up to its last header line, but without the empty one. */
void message_head_write(struct text *out, const struct message *message);

void message_write(struct text *out, struct packer *packer, const struct message *message,
                   struct random *random);

#endif
