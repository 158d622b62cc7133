#include "client.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define GONE_NS (10ull * SECOND_NS)

void network_init(struct network *network, const struct sockaddr_in *address)
{
    network->address = *address;
    network->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (network->epoll_fd < 0)
        die("no epoll: %s", strerror(errno));
}

void network_free(struct network *network)
{
    close(network->epoll_fd);
}

bool network_is_gone(const struct network *network, uint64_t now)
{
    return network->refused > 1 && now > network->refused_since_ns + GONE_NS;
}

static void network_refused(struct network *network, uint64_t since_ns)
{
    if (network->refused++ == 0)
        network->refused_since_ns = since_ns;
}

static void network_taken(struct network *network)
{
    network->refused = 0;
}

void client_init(struct client *client, struct network *network, bool hostile)
{
    *client = (struct client){.network = network, .hostile = hostile, .fd = -1};
}

void client_free(struct client *client)
{
    client_close(client);
    text_free(&client->head);
}

uint64_t client_bytes(const struct client *client)
{
    uint64_t tail = client->tail == NULL ? 0 : client->tail->length * client->tail_times;

    return client->head.length + tail;
}

void client_prepare(struct client *client)
{
    if (client->head.capacity > HEAD_KEPT_BYTES)
        text_free(&client->head);
    client->head.length = 0;
    client->tail = NULL;
    client->tail_times = 0;
    client->sent = client->received = client->first_byte_ns = 0;
    client->allowed = client->piece_bytes = client->receive_max = UINT64_MAX;
    client->replies = true;
    client->send_failed = false;
    reply_init(&client->reply);
}

static bool wants_to_send(const struct client *client)
{
    uint64_t bytes = client_bytes(client);
    uint64_t until = client->allowed < bytes ? client->allowed : bytes;

    return client->phase == CLIENT_CONNECTING ||
           (client->phase == CLIENT_BUSY && !client->send_failed && client->sent < until);
}

static void client_watch(struct client *client, int operation)
{
    struct epoll_event event = {.data.ptr = client};

    if (client->received < client->receive_max || client->phase == CLIENT_KEPT)
        event.events |= EPOLLIN;
    if (wants_to_send(client))
        event.events |= EPOLLOUT;
    if (operation == EPOLL_CTL_MOD && event.events == client->watched)
        return;
    client->watched = event.events;
    if (epoll_ctl(client->network->epoll_fd, operation, client->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void client_end(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd); /* leaves epoll by itself */
    client->fd = -1;
    client->phase = CLIENT_CLOSED;
}

static enum client_news client_open(struct client *client, int receive_buffer)
{
    const struct sockaddr *address = (const struct sockaddr *)&client->network->address;
    int on = 1;

    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        die("no socket: %s", strerror(errno));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (receive_buffer > 0)
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    if (connect(client->fd, address, sizeof(client->network->address)) != 0 &&
        errno != EINPROGRESS) {
        network_refused(client->network, client->begun_ns);
        client_end(client);
        return CLIENT_ENDED;
    }
    client->phase = CLIENT_CONNECTING;
    client_watch(client, EPOLL_CTL_ADD);
    return CLIENT_GOES_ON;
}

/* What is to be sent at this place, up to the next seam. */
static const char *bytes_at(const struct client *client, uint64_t place, size_t *length)
{
    const struct text *tail = client->tail;
    uint64_t offset;

    if (place < client->head.length) {
        *length = (size_t)(client->head.length - place);
        return client->head.at + place;
    }
    offset = (place - client->head.length) % tail->length;
    *length = (size_t)(tail->length - offset);
    return tail->at + offset;
}

/* One piece. A send that fails is left to receive: an early reply may wait there. */
static bool client_send_piece(struct client *client)
{
    size_t length;
    const char *at = bytes_at(client, client->sent, &length);
    ssize_t sent;

    if (length > client->allowed - client->sent)
        length = (size_t)(client->allowed - client->sent);
    if (length > client->piece_bytes)
        length = (size_t)client->piece_bytes;
    if (client->first_byte_ns == 0)
        client->first_byte_ns = now_ns();
    sent = send(client->fd, at, length, MSG_NOSIGNAL);
    if (sent < 0) {
        client->send_failed = errno != EAGAIN && errno != EINTR;
        return false;
    }
    client->sent += (uint64_t)sent;
    client->network->sent_bytes += (uint64_t)sent;
    return (size_t)sent == length && client->piece_bytes == UINT64_MAX;
}

static void client_send(struct client *client)
{
    while (wants_to_send(client) && client_send_piece(client))
        continue;
    client_watch(client, EPOLL_CTL_MOD);
}

enum client_news client_begin(struct client *client, int receive_buffer, uint64_t deadline_ns)
{
    client->begun_ns = now_ns();
    client->deadline_ns = deadline_ns;
    if (client->phase == CLIENT_CLOSED)
        return client_open(client, receive_buffer);
    client->phase = CLIENT_BUSY;
    client_send(client);
    return CLIENT_GOES_ON;
}

static bool client_is_connected(struct client *client)
{
    int error = 0;
    socklen_t length = sizeof(error);

    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
        network_refused(client->network, client->begun_ns);
        return false;
    }
    network_taken(client->network);
    client->phase = CLIENT_BUSY;
    return true;
}

/* Nothing more will come. A reply without a length is whole then. */
static enum client_news client_hung_up(struct client *client)
{
    bool whole = client->phase == CLIENT_BUSY && client->replies;

    reply_finish(&client->reply);
    whole = whole && client->reply.state == REPLY_DONE;
    client_end(client);
    return whole ? CLIENT_REPLIED : CLIENT_ENDED;
}

static enum client_news client_receive(struct client *client)
{
    struct network *network = client->network;
    uint64_t room = client->receive_max - client->received;
    size_t most = room < sizeof(network->received) ? (size_t)room : sizeof(network->received);
    ssize_t length = recv(client->fd, network->received, most, 0);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return CLIENT_GOES_ON;
    if (length <= 0 || client->phase == CLIENT_KEPT) /* bytes nobody asked for end it too */
        return client_hung_up(client);
    network->received_bytes += (uint64_t)length;
    client->received += (uint64_t)length;
    if (client->replies && reply_feed(&client->reply, network->received, (size_t)length))
        return client->reply.state == REPLY_DONE ? CLIENT_REPLIED : client_hung_up(client);
    client_watch(client, EPOLL_CTL_MOD);
    return CLIENT_GOES_ON;
}

enum client_news client_handle(struct client *client, uint32_t events)
{
    if (client->phase == CLIENT_CONNECTING && !client_is_connected(client)) {
        client_end(client);
        return CLIENT_ENDED;
    }
    if (events & EPOLLOUT)
        client_send(client);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return CLIENT_GOES_ON;
    if (client->received >= client->receive_max) /* it does not read, and yet was told: a reset */
        return client_hung_up(client);
    return client_receive(client);
}

void client_go_on(struct client *client)
{
    if (client->phase == CLIENT_BUSY)
        client_send(client);
}

void client_half_close(struct client *client)
{
    shutdown(client->fd, SHUT_WR);
}

void client_keep(struct client *client)
{
    client->phase = CLIENT_KEPT;
    client->kept_since_ns = now_ns();
    client_watch(client, EPOLL_CTL_MOD);
}

void client_close(struct client *client)
{
    client_end(client);
}

void client_reset(struct client *client)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (client->fd >= 0)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    client_end(client);
}
