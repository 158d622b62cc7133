/*
 * messages.h: whole HTTP requests, head and body, made before the clock starts: one send() each.
 */
#ifndef BENCH_MESSAGES_H
#define BENCH_MESSAGES_H

#include "options.h"
#include "text.h"

struct messages {
    struct text *at; /* rotated through */
    size_t count;
    size_t body_bytes; /* of all of them */
};

struct messages messages_make(const struct options *options);
void messages_free(struct messages *messages);

/* The head of a request, up to the empty line but without it or anything about the body. */
void message_head_write(struct text *out, const struct options *options, size_t number);

#endif
