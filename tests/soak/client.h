/*
 * client.h: one connection of the load: what it sends, how fast, and what comes back.
 *
 *     CLOSED ──open──> CONNECTING ──> BUSY ──reply is whole──> KEPT ──send──> BUSY …
 *                           └────────── ended, by either side ──────> CLOSED
 *
 *     head (own text) | tail x times (borrowed)         sent <= allowed <= all of it
 *
 * It does what it is told and knows no purpose: valid.c and hostile.c have the plans, and move
 * `allowed` and `receive_max` to be slow, to stop and to leave.
 *
 * Owner: traffic.c, in arrays made at the start. Lifetime: traffic_make .. traffic_free. Memory:
 * the head, at most HEAD_KEPT_BYTES between two requests. Threads: one.
 */
#ifndef SOAK_CLIENT_H
#define SOAK_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/reply.h"
#include "bench/text.h"

#define SECOND_NS 1000000000u

/* A rare long body gives its memory back. */
#define HEAD_KEPT_BYTES (64u * 1024u)

enum client_phase { CLIENT_CLOSED, CLIENT_KEPT, CLIENT_CONNECTING, CLIENT_BUSY };

enum client_news {
    CLIENT_GOES_ON,
    CLIENT_REPLIED, /* a whole reply is there */
    CLIENT_ENDED, /* the server closed, reset or never took the connection, or its reply is none */
};

/* What all clients share. */
struct network {
    int epoll_fd;
    struct sockaddr_in address;
    uint64_t refused_since_ns; /* the first connection in a row that was not taken; 0: none */
    uint64_t refused;          /* in that row */
    uint64_t sent_bytes;
    uint64_t received_bytes;
    char received[256 * 1024];
};

struct client {
    struct network *network;
    enum client_phase phase;
    int fd;
    bool hostile;
    bool replies;     /* what comes is read as a reply; else it is only counted */
    bool send_failed; /* an early reply may still wait to be read */
    uint32_t watched; /* what epoll was told */
    uint64_t begun_ns;
    uint64_t first_byte_ns; /* of this request; 0: nothing was sent */
    uint64_t deadline_ns;
    uint64_t kept_since_ns;
    struct text head;
    const struct text *tail; /* NULL: none */
    uint64_t tail_times;
    uint64_t sent;
    uint64_t allowed;     /* of what is to be sent; the rest later */
    uint64_t piece_bytes; /* most in one send() */
    uint64_t received;
    uint64_t receive_max; /* then it stops reading */
    struct reply reply;
};

void network_init(struct network *network, const struct sockaddr_in *address);
void network_free(struct network *network);

/* Takes no connection since 10 seconds. */
bool network_is_gone(const struct network *network, uint64_t now);

void client_init(struct client *client, struct network *network, bool hostile);
void client_free(struct client *client);

/* All there is to send. */
uint64_t client_bytes(const struct client *client);

/* Forgets the last request; head is empty then, and to be written before client_begin(). */
void client_prepare(struct client *client);

/* Sends it, on the connection that is open or on a new one. receive_buffer: SO_RCVBUF, 0: as it
 * is. */
enum client_news client_begin(struct client *client, int receive_buffer, uint64_t deadline_ns);

enum client_news client_handle(struct client *client, uint32_t events);

/* allowed, receive_max have changed. */
void client_go_on(struct client *client);

/* No more will be sent: FIN. */
void client_half_close(struct client *client);

/* The reply was read; the connection waits for another request. */
void client_keep(struct client *client);

/* Orderly; or with a reset, so that the server knows at once. */
void client_close(struct client *client);
void client_reset(struct client *client);

#endif
