#define _GNU_SOURCE 1
#include "reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void reply_init(struct reply *reply)
{
    /* Not the buffers: zeroing 8 KiB for each request would be the generator's largest cost. */
    memset(reply, 0, offsetof(struct reply, line));
    reply->excerpt[0] = '\0';
}

static bool number_parse(const char *text, int base, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, base);
    return end != text && errno == 0 && *text != '-' && strchr("; \t", *end) != NULL;
}

static enum reply_state status_line_read(struct reply *reply)
{
    uint64_t status;

    if (strncmp(reply->line, "HTTP/1.", 7) != 0 || reply->line_length < 12 ||
        !number_parse(reply->line + 9, 10, &status) || status < 100 || status > 599)
        return REPLY_BROKEN;
    reply->status = (int)status;
    reply->closes = reply->line[7] == '0';
    return REPLY_HEADER;
}

/* The value of the header line when it has that name, else NULL. */
static const char *header_value(const struct reply *reply, const char *name)
{
    size_t length = strlen(name);

    if (strncasecmp(reply->line, name, length) != 0 || reply->line[length] != ':')
        return NULL;
    return reply->line + length + 1 + strspn(reply->line + length + 1, " \t");
}

static bool header_line_read(struct reply *reply)
{
    const char *value;

    if ((value = header_value(reply, "Content-Length")) != NULL) {
        reply->has_length = true;
        return number_parse(value, 10, &reply->left);
    }
    if ((value = header_value(reply, "Transfer-Encoding")) != NULL)
        reply->chunked = strcasestr(value, "chunked") != NULL;
    else if ((value = header_value(reply, "Connection")) != NULL)
        reply->closes = strcasestr(value, "close") != NULL;
    else if ((value = header_value(reply, "Mayfly-Arena-Peak")) != NULL)
        return number_parse(value, 10, &reply->arena_peak_bytes);
    return true;
}

/* The empty line has come: what follows it? */
static enum reply_state headers_end(struct reply *reply)
{
    if (reply->status < 200) { /* 100 Continue: the reply is still to come */
        reply->has_length = false;
        return REPLY_STATUS;
    }
    if (reply->status == 204 || reply->status == 304)
        return REPLY_DONE;
    if (reply->chunked)
        return REPLY_CHUNK_SIZE;
    if (!reply->has_length) {
        reply->closes = true;
        return REPLY_UNTIL_CLOSE;
    }
    return reply->left == 0 ? REPLY_DONE : REPLY_BODY;
}

static enum reply_state chunk_size_read(struct reply *reply)
{
    if (!number_parse(reply->line, 16, &reply->left))
        return REPLY_BROKEN;
    return reply->left == 0 ? REPLY_TRAILER : REPLY_CHUNK;
}

static enum reply_state line_read(struct reply *reply)
{
    bool empty = reply->line_length == 0;

    switch (reply->state) {
    case REPLY_STATUS:
        return status_line_read(reply);
    case REPLY_HEADER:
        if (empty)
            return headers_end(reply);
        return header_line_read(reply) ? REPLY_HEADER : REPLY_BROKEN;
    case REPLY_CHUNK_SIZE:
        return chunk_size_read(reply);
    case REPLY_CHUNK_END:
        return empty ? REPLY_CHUNK_SIZE : REPLY_BROKEN;
    case REPLY_TRAILER:
        if (empty)
            return REPLY_DONE;
        return header_line_read(reply) ? REPLY_TRAILER : REPLY_BROKEN;
    default:
        return REPLY_BROKEN;
    }
}

/* Collects a line over as many calls as it takes; returns how many bytes it used. */
static size_t line_feed(struct reply *reply, const char *bytes, size_t length)
{
    const char *newline = memchr(bytes, '\n', length);
    size_t used = newline == NULL ? length : (size_t)(newline - bytes) + 1;

    if (reply->line_length + used >= REPLY_LINE_MAX) {
        reply->state = REPLY_BROKEN;
        return used;
    }
    memcpy(reply->line + reply->line_length, bytes, used);
    reply->line_length += used;
    if (newline == NULL)
        return used;
    reply->line_length--;
    if (reply->line_length > 0 && reply->line[reply->line_length - 1] == '\r')
        reply->line_length--;
    reply->line[reply->line_length] = '\0';
    reply->state = line_read(reply);
    reply->line_length = 0;
    return used;
}

static void excerpt_add(struct reply *reply, const char *bytes, size_t length)
{
    size_t room = REPLY_EXCERPT_MAX - reply->excerpt_length;
    size_t taken = length < room ? length : room;

    memcpy(reply->excerpt + reply->excerpt_length, bytes, taken);
    reply->excerpt_length += taken;
    reply->excerpt[reply->excerpt_length] = '\0';
}

static size_t body_feed(struct reply *reply, const char *bytes, size_t length)
{
    size_t used = length;

    if (reply->state != REPLY_UNTIL_CLOSE && used > reply->left)
        used = (size_t)reply->left;
    excerpt_add(reply, bytes, used);
    reply->body_bytes += used;
    if (reply->state == REPLY_UNTIL_CLOSE)
        return used;
    reply->left -= used;
    if (reply->left == 0)
        reply->state = reply->state == REPLY_CHUNK ? REPLY_CHUNK_END : REPLY_DONE;
    return used;
}

bool reply_feed(struct reply *reply, const char *bytes, size_t length)
{
    reply->begun = reply->begun || length > 0;
    while (length > 0 && reply->state != REPLY_BROKEN) {
        bool in_body = reply->state == REPLY_BODY || reply->state == REPLY_CHUNK ||
                       reply->state == REPLY_UNTIL_CLOSE;
        size_t used;

        if (reply->state == REPLY_DONE) {
            reply->state = REPLY_BROKEN;
            break;
        }
        used = in_body ? body_feed(reply, bytes, length) : line_feed(reply, bytes, length);
        bytes += used;
        length -= used;
    }
    return reply->state == REPLY_DONE || reply->state == REPLY_BROKEN;
}

void reply_finish(struct reply *reply)
{
    reply->closes = true;
    if (reply->state == REPLY_UNTIL_CLOSE)
        reply->state = REPLY_DONE;
    else if (reply->state != REPLY_DONE)
        reply->state = REPLY_BROKEN;
}
