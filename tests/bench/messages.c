#define _GNU_SOURCE 1
#include "messages.h"

#include <stdlib.h>
#include <string.h>

static void path_write(struct text *out, const char *path, size_t number)
{
    const char *hole = strstr(path, "{}");

    if (hole == NULL) {
        text_add(out, path, strlen(path));
        return;
    }
    text_add(out, path, (size_t)(hole - path));
    text_format(out, "%zu%s", number, hole + 2);
}

void message_head_write(struct text *out, const struct options *options, size_t number)
{
    text_format(out, "%s ", options->method);
    path_write(out, options->path, number);
    text_format(out, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: mayfly-bench\r\nAccept: */*\r\n",
                options->target);
    if (options_push(options))
        text_format(out, "Content-Type: %s\r\n", bodies_content_type(options->shape.format));
    if (options->shape.gzip)
        text_format(out, "%s: gzip\r\n",
                    options_push(options) ? "Content-Encoding" : "Accept-Encoding");
}

static void message_make(struct text *out, const struct options *options, size_t number,
                         const struct text *body)
{
    message_head_write(out, options, number);
    if (body != NULL)
        text_format(out, "Content-Length: %zu\r\n", body->length);
    text_format(out, "\r\n");
    if (body != NULL)
        text_add(out, body->at, body->length);
}

struct messages messages_make(const struct options *options)
{
    struct messages messages = {.count = 1};
    struct bodies bodies = {0};

    if (options_push(options)) {
        bodies = bodies_make(&options->shape);
        messages.count = bodies.count;
    }
    messages.at = zeroed(messages.count, sizeof(*messages.at));
    for (size_t k = 0; k < messages.count; k++) {
        struct text *body = bodies.count > 0 ? &bodies.at[k].text : NULL;

        message_make(&messages.at[k], options, k, body);
        messages.body_bytes += body != NULL ? body->length : 0;
    }
    bodies_free(&bodies);
    return messages;
}

void messages_free(struct messages *messages)
{
    for (size_t k = 0; k < messages->count; k++)
        text_free(&messages->at[k]);
    free(messages->at);
    *messages = (struct messages){0};
}
