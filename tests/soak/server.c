/* server.c: see server.h. */
#include "server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEADER_LINE_MAX 4096

/* A reply being read. */
struct reply {
    int socket;
    char buffer[65536];
    size_t at;
    size_t end;
    time_t deadline; /* monotonic */
    bool broken;     /* ended too early, or not HTTP */
    int status;
    bool chunked;
    bool has_length;
    uint64_t left; /* of the body, or of the chunk at hand */
};

static time_t monotonic_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* ---- bytes ---- */

static bool fill(struct reply *reply)
{
    ssize_t got = 0;

    if (!reply->broken && monotonic_seconds() < reply->deadline)
        do
            got = recv(reply->socket, reply->buffer, sizeof reply->buffer, 0);
        while (got < 0 && errno == EINTR);
    reply->at = 0;
    reply->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* The next line without its end; one that is cut or longer than `size` breaks the reply. */
static bool read_line(struct reply *reply, char *line, size_t size)
{
    size_t length = 0;

    for (;;) {
        if ((reply->at == reply->end && !fill(reply)) || length + 1 == size) {
            reply->broken = true;
            return false;
        }
        char c = reply->buffer[reply->at++];
        if (c == '\n')
            break;
        line[length++] = c;
    }
    if (length > 0 && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    return true;
}

/* ---- the head ---- */

static void read_header(struct reply *reply, const char *line)
{
    if (strncasecmp(line, "Content-Length:", 15) == 0) {
        reply->has_length = true;
        reply->left = strtoull(line + 15, NULL, 10);
    } else if (strncasecmp(line, "Transfer-Encoding: chunked", 26) == 0) {
        reply->chunked = true;
    }
}

static bool read_head(struct reply *reply)
{
    char line[HEADER_LINE_MAX];

    if (!read_line(reply, line, sizeof line) ||
        sscanf(line, "HTTP/1.%*1[01] %d", &reply->status) != 1)
        return false;
    while (read_line(reply, line, sizeof line)) {
        if (line[0] == '\0')
            return reply->chunked || reply->has_length;
        read_header(reply, line);
    }
    return false;
}

/* ---- the body ---- */

/* Begins the next chunk; false after the last one. */
static bool next_chunk(struct reply *reply)
{
    char line[HEADER_LINE_MAX];

    if (!read_line(reply, line, sizeof line) || (line[0] == '\0' && !read_line(reply, line, 64)))
        return false;
    reply->left = strtoull(line, NULL, 16);
    return reply->left > 0;
}

/* What is there of the body, borrowed until the next call; NULL at its end, or when it broke. */
static const char *next_piece(struct reply *reply, size_t *length)
{
    if (reply->left == 0 && !(reply->chunked && next_chunk(reply)))
        return NULL;
    if (reply->at == reply->end && !fill(reply)) {
        reply->broken = true;
        return NULL;
    }
    const char *piece = reply->buffer + reply->at;
    *length = reply->end - reply->at;
    if (*length > reply->left)
        *length = reply->left;
    reply->at += *length;
    reply->left -= *length;
    return piece;
}

/* ---- a question ---- */

static bool send_all(int socket, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(socket, text, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        text += sent;
        length -= (size_t)sent;
    }
    return true;
}

static int connect_to(const struct soak_endpoint *endpoint)
{
    struct timeval timeout = {.tv_sec = SERVER_SECONDS};
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (made < 0)
        return -1;
    setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(made, (const struct sockaddr *)&endpoint->address, sizeof endpoint->address) == 0)
        return made;
    close(made);
    return -1;
}

/* The head of the answer is read; NULL when there was none. To be ended by reply_end. */
static struct reply *ask(const struct soak_endpoint *endpoint, const char *method,
                         const char *target)
{
    char request[2048];
    int length = snprintf(request, sizeof request,
                          "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nConnection: close\r\n"
                          "Content-Length: 0\r\n\r\n",
                          method, target, endpoint->name);
    struct reply *reply = calloc(1, sizeof *reply);

    if (reply == NULL)
        return NULL;
    reply->deadline = monotonic_seconds() + SERVER_SECONDS;
    reply->socket = connect_to(endpoint);
    if (reply->socket >= 0 && length < (int)sizeof request &&
        send_all(reply->socket, request, (size_t)length) && read_head(reply))
        return reply;
    if (reply->socket >= 0)
        close(reply->socket);
    free(reply);
    return NULL;
}

/* What its status was, 0 when not all of it came. */
static server_status reply_end(struct reply *reply)
{
    server_status status = reply->broken ? 0 : reply->status;

    close(reply->socket);
    free(reply);
    return status;
}

static char *read_text(struct reply *reply)
{
    char *text = malloc(SERVER_TEXT_MAX + 1);
    size_t used = 0;
    size_t length = 0;
    const char *piece;

    if (text == NULL)
        return NULL;
    while ((piece = next_piece(reply, &length)) != NULL && !reply->broken) {
        if (used + length > SERVER_TEXT_MAX) {
            reply->broken = true;
            break;
        }
        memcpy(text + used, piece, length);
        used += length;
    }
    text[used] = '\0';
    return text;
}

char *server_text(const struct soak_endpoint *endpoint, const char *method, const char *target,
                  server_status *status)
{
    struct reply *reply = ask(endpoint, method, target);

    *status = 0;
    if (reply == NULL)
        return NULL;
    char *text = read_text(reply);
    *status = reply_end(reply);
    if (*status != 0)
        return text;
    free(text);
    return NULL;
}

json_t *server_json(const struct soak_endpoint *endpoint, const char *method, const char *target,
                    server_status *status)
{
    char *text = server_text(endpoint, method, target, status);
    json_t *json = text == NULL ? NULL : json_loads(text, 0, NULL);

    free(text);
    return json;
}

json_t *server_memory(const struct soak_endpoint *operator)
{
    server_status status;
    json_t *memory = server_json(operator, "GET", "/memory?format=json", &status);

    if (status == 200)
        return memory;
    json_decref(memory);
    return NULL;
}

/* A line that goes on in the next piece. */
struct line_buffer {
    char text[SERVER_LINE_MAX];
    size_t length;
};

static void split(struct reply *reply, struct line_buffer *buffer, const char *piece, size_t length,
                  void (*line)(void *context, char *text), void *context)
{
    for (size_t i = 0; i < length; i++) {
        if (piece[i] == '\n') {
            buffer->text[buffer->length] = '\0';
            line(context, buffer->text);
            buffer->length = 0;
        } else if (buffer->length + 1 == sizeof buffer->text) {
            reply->broken = true;
            return;
        } else {
            buffer->text[buffer->length++] = piece[i];
        }
    }
}

server_status server_lines(const struct soak_endpoint *endpoint, const char *target,
                           void (*line)(void *context, char *text), void *context)
{
    struct line_buffer *buffer = calloc(1, sizeof *buffer);
    struct reply *reply = buffer == NULL ? NULL : ask(endpoint, "GET", target);
    const char *piece;
    size_t length = 0;

    if (reply == NULL) {
        free(buffer);
        return 0;
    }
    while (!reply->broken && (piece = next_piece(reply, &length)) != NULL)
        split(reply, buffer, piece, length, line, context);
    free(buffer);
    return reply_end(reply);
}
