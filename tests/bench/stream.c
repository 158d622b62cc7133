#define _GNU_SOURCE 1
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "messages.h"

#define LOOK_NS 50000000u

/* A family's text is repeated until a frame has this size, or sends would be many and small. */
#define FRAME_BYTES_MIN (64u * 1024u)

struct frame {
    struct text text; /* with chunk framing */
    uint64_t samples;
    uint64_t body_bytes;
};

struct stream {
    const struct options *options;
    struct outcome *outcome;
    struct reply reply;
    uint64_t samples;
    uint64_t give_up_ns;
    uint64_t next_look_ns;
    int fd;
    bool over; /* the reply is complete, or the connection gone */
};

static struct frame frame_make(const struct body *body, bool with_type_line)
{
    size_t skipped = with_type_line ? 0 : body->type_line_bytes;
    size_t lines_bytes = body->text.length - body->type_line_bytes;
    uint64_t copies = 1 + FRAME_BYTES_MIN / lines_bytes;
    struct frame frame = {.samples = copies * body->samples};

    frame.body_bytes = copies * lines_bytes + body->type_line_bytes - skipped;
    text_format(&frame.text, "%llx\r\n", (unsigned long long)frame.body_bytes);
    text_add(&frame.text, body->text.at + skipped, body->text.length - skipped);
    for (uint64_t i = 1; i < copies; i++)
        text_add(&frame.text, body->text.at + body->type_line_bytes, lines_bytes);
    text_add(&frame.text, "\r\n", 2);
    return frame;
}

static void rss_look(struct stream *stream)
{
    struct process process;
    uint64_t now = now_ns();

    if (now < stream->next_look_ns)
        return;
    stream->next_look_ns = now + LOOK_NS;
    if (process_read(stream->options->pid, &process) &&
        process.rss_bytes > stream->outcome->rss_max_bytes)
        stream->outcome->rss_max_bytes = process.rss_bytes;
}

static void stream_receive(struct stream *stream)
{
    char bytes[4096];
    ssize_t length = recv(stream->fd, bytes, sizeof(bytes), 0);

    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0) {
        reply_finish(&stream->reply);
        stream->over = true;
        return;
    }
    stream->outcome->received_bytes += (uint64_t)length;
    stream->over = reply_feed(&stream->reply, bytes, (size_t)length);
}

/* Waits for room to send or for the reply, which may come early. */
static short stream_wait(struct stream *stream, short events)
{
    struct pollfd pollfd = {.fd = stream->fd, .events = events};

    poll(&pollfd, 1, 50);
    rss_look(stream);
    if (pollfd.revents & (POLLIN | POLLHUP | POLLERR))
        stream_receive(stream);
    if (now_ns() > stream->give_up_ns)
        stream->over = true;
    return pollfd.revents;
}

static void stream_send(struct stream *stream, const char *bytes, size_t length)
{
    while (length > 0 && !stream->over) {
        ssize_t sent;

        if (!(stream_wait(stream, POLLIN | POLLOUT) & POLLOUT) || stream->over)
            continue;
        sent = send(stream->fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0)
            continue;
        stream->outcome->sent_bytes += (uint64_t)sent;
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void family_send(struct stream *stream, const struct body *body, uint64_t share_bytes)
{
    struct frame first = frame_make(body, true);
    struct frame again = frame_make(body, false);
    const struct frame *frame = &first;

    for (uint64_t sent = 0; sent < share_bytes && !stream->over;
         sent += frame->body_bytes, frame = &again) {
        stream_send(stream, frame->text.at, frame->text.length);
        stream->samples += frame->samples;
    }
    text_free(&first.text);
    text_free(&again.text);
}

static void stream_send_all(struct stream *stream)
{
    const struct options *options = stream->options;
    struct bodies bodies = bodies_make_by_family(&options->shape);
    struct text head = {0};

    message_head_write(&head, options, 0);
    text_format(&head, "Transfer-Encoding: chunked\r\n\r\n");
    stream_send(stream, head.at, head.length);
    for (size_t k = 0; k < bodies.count; k++)
        family_send(stream, &bodies.at[k], options->stream_bytes / bodies.count);
    stream_send(stream, "0\r\n\r\n", 5);
    text_free(&head);
    bodies_free(&bodies);
}

void stream_run(const struct options *options, struct outcome *outcome)
{
    struct stream stream = {.options = options, .outcome = outcome};
    uint64_t begun_ns = now_ns();

    outcome->begun = 1;
    stream.give_up_ns = begun_ns + options->seconds * 1000000000u;
    stream.fd = socket_open(options);
    reply_init(&stream.reply);
    stream_send_all(&stream);
    while (!stream.over)
        stream_wait(&stream, POLLIN);
    outcome->elapsed_ns = now_ns() - begun_ns;
    if (stream.reply.state == REPLY_DONE)
        outcome_add(outcome, &stream.reply, stream.samples, outcome->elapsed_ns);
    else
        outcome->broken++;
    close(stream.fd);
}
