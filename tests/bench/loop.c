#define _GNU_SOURCE 1
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BYTES (256u * 1024u)
#define EVENTS_MAX 256

/* A server that closes every connection unanswered would keep us at it for ever. */
#define BROKEN_MAX 1000u

struct connection {
    int fd;
    bool busy;      /* a request is under way */
    bool want_send; /* epoll tells when there is room again */
    const struct text *message;
    size_t sent;
    uint64_t begun_ns;
    struct reply reply;
};

struct loop {
    const struct options *options;
    const struct messages *messages;
    struct outcome *outcome;
    struct connection *connections;
    uint64_t busy;
    uint64_t last_begin_ns; /* no request begins later */
    int epoll_fd;
    char received[RECEIVE_BYTES];
};

int socket_open(const struct options *options)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0)
        die("no socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&options->address, sizeof(options->address)) != 0)
        die("%s does not answer: %s", options->target, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        die("no non-blocking socket: %s", strerror(errno));
    return fd;
}

static void connection_watch(struct loop *loop, struct connection *connection, int operation)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

    if (connection->want_send)
        event.events |= EPOLLOUT;
    if (epoll_ctl(loop->epoll_fd, operation, connection->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void connection_open(struct loop *loop, struct connection *connection)
{
    connection->fd = socket_open(loop->options);
    connection->want_send = false;
    connection_watch(loop, connection, EPOLL_CTL_ADD);
}

/* As much as the socket takes. A failed send is left to receive: an early reply may wait there. */
static void connection_send(struct loop *loop, struct connection *connection)
{
    size_t left = connection->message->length - connection->sent;
    ssize_t sent = left == 0 ? 0
                             : send(connection->fd, connection->message->at + connection->sent,
                                    left, MSG_NOSIGNAL);
    bool want_send;

    if (sent > 0) {
        connection->sent += (size_t)sent;
        loop->outcome->sent_bytes += (uint64_t)sent;
    }
    want_send = sent >= 0 ? (size_t)sent < left : errno == EAGAIN;
    if (want_send != connection->want_send) {
        connection->want_send = want_send;
        connection_watch(loop, connection, EPOLL_CTL_MOD);
    }
}

static void connection_begin(struct loop *loop, struct connection *connection)
{
    struct outcome *outcome = loop->outcome;
    uint64_t now = now_ns();

    if (outcome->begun == loop->options->requests || now > loop->last_begin_ns)
        return;
    connection->message = &loop->messages->at[outcome->begun++ % loop->messages->count];
    connection->sent = 0;
    connection->begun_ns = now;
    connection->busy = true;
    loop->busy++;
    reply_init(&connection->reply);
    connection_send(loop, connection);
}

static void connection_reopen(struct loop *loop, struct connection *connection)
{
    close(connection->fd); /* leaves epoll by itself */
    loop->outcome->reconnects++;
    connection_open(loop, connection);
}

/* The reply is over, one way or the other. */
static void connection_end(struct loop *loop, struct connection *connection)
{
    const struct reply *reply = &connection->reply;
    uint64_t samples = options_push(loop->options) ? loop->options->shape.samples : 0;

    connection->busy = false;
    loop->busy--;
    if (reply->state == REPLY_DONE)
        outcome_add(loop->outcome, reply, samples, now_ns() - connection->begun_ns);
    else if (++loop->outcome->broken > BROKEN_MAX)
        die("%u requests were not answered", BROKEN_MAX);
    if (reply->state != REPLY_DONE || reply->closes ||
        connection->sent < connection->message->length)
        connection_reopen(loop, connection);
    connection_begin(loop, connection);
}

static void connection_receive(struct loop *loop, struct connection *connection)
{
    ssize_t length = recv(connection->fd, loop->received, sizeof(loop->received), 0);

    if (length < 0 && errno == EAGAIN)
        return;
    if (!connection->busy) { /* closed between requests: the next one needs another */
        connection_reopen(loop, connection);
        return;
    }
    if (length <= 0) {
        reply_finish(&connection->reply);
        connection_end(loop, connection);
        return;
    }
    loop->outcome->received_bytes += (uint64_t)length;
    if (reply_feed(&connection->reply, loop->received, (size_t)length))
        connection_end(loop, connection);
}

static void event_handle(struct loop *loop, const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;

    if (event->events & EPOLLOUT)
        connection_send(loop, connection);
    if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        connection_receive(loop, connection);
}

static void loop_spin(struct loop *loop)
{
    uint64_t give_up_ns = loop->last_begin_ns + LOOP_GRACE_SECONDS * 1000000000u;
    struct epoll_event events[EVENTS_MAX];

    while (loop->busy > 0 && now_ns() < give_up_ns) {
        int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, 100);

        for (int i = 0; i < count; i++)
            event_handle(loop, &events[i]);
    }
    loop->outcome->broken += loop->busy;
}

static void loop_open(struct loop *loop)
{
    loop->connections = zeroed(loop->options->connections, sizeof(struct connection));
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        die("no epoll: %s", strerror(errno));
    for (uint64_t i = 0; i < loop->options->connections; i++)
        connection_open(loop, &loop->connections[i]);
}

static void loop_close(struct loop *loop)
{
    for (uint64_t i = 0; i < loop->options->connections; i++)
        close(loop->connections[i].fd);
    close(loop->epoll_fd);
    free(loop->connections);
    free(loop);
}

void loop_run(const struct options *options, const struct messages *messages,
              struct outcome *outcome)
{
    struct loop *loop = zeroed(1, sizeof(*loop));
    uint64_t begun_ns;

    loop->options = options;
    loop->messages = messages;
    loop->outcome = outcome;
    loop_open(loop);
    begun_ns = now_ns();
    loop->last_begin_ns = begun_ns + options->seconds * 1000000000u;
    for (uint64_t i = 0; i < options->connections; i++)
        connection_begin(loop, &loop->connections[i]);
    loop_spin(loop);
    outcome->elapsed_ns = now_ns() - begun_ns;
    loop_close(loop);
}
