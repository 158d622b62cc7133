/*
 * reply.h: reads one HTTP/1.1 reply as it arrives, whatever the pieces.
 *
 *     STATUS -> HEADER -> DONE                                      204, or a length of 0
 *                      -> BODY -> DONE                              Content-Length
 *                      -> CHUNK_SIZE -> CHUNK -> CHUNK_END -> ...   chunked
 *                         ... -> CHUNK_SIZE -> TRAILER -> DONE
 *                      -> UNTIL_CLOSE -> DONE                       neither
 *
 * The body is counted, not kept; only its first bytes are, to show an unexpected answer.
 */
#ifndef BENCH_REPLY_H
#define BENCH_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_LINE_MAX 8192 /* a longer status or header line is a broken reply */
#define REPLY_EXCERPT_MAX 800

enum reply_state {
    REPLY_STATUS,
    REPLY_HEADER,
    REPLY_BODY,
    REPLY_UNTIL_CLOSE,
    REPLY_CHUNK_SIZE,
    REPLY_CHUNK,
    REPLY_CHUNK_END,
    REPLY_TRAILER,
    REPLY_DONE,
    REPLY_BROKEN
};

struct reply {
    enum reply_state state;
    int status;
    bool chunked;
    bool closes; /* the server will not take another request on this connection */
    bool has_length;
    bool begun;                /* a byte of it has come */
    uint64_t left;             /* of the body or of this chunk */
    uint64_t body_bytes;       /* as sent: compressed, without chunk framing */
    uint64_t arena_peak_bytes; /* Mayfly-Arena-Peak, from the header or the trailer; 0: absent */
    size_t line_length;
    size_t excerpt_length;
    char line[REPLY_LINE_MAX];
    char excerpt[REPLY_EXCERPT_MAX + 1];
};

void reply_init(struct reply *reply);

/* True when the reply is over: DONE, or BROKEN (bytes after its end are that as well: nothing was
 * asked). */
bool reply_feed(struct reply *reply, const char *bytes, size_t length);

/* The connection ended. */
void reply_finish(struct reply *reply);

#endif
