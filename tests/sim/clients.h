/*
 * clients.h: requests in flight, each a piece further with every step; http.c's part is here.
 *
 *     waiting ──open, headers──> body, body, body ──end──> page, page ──> gone, or another request
 *        └──────────── shut by the ticker, or gone by itself, at any time ──────────────┘
 *
 * Several are in flight at a time, and which one is next is drawn: bodies come interleaved, in
 * pieces of any size. All of a request's memory is the service's: its connection's first block, and
 * runs of the growth pool. Pieces of bodies are lent, as libmicrohttpd's are: who keeps a pointer
 * to one meets freed memory.
 *
 * Owner: struct sim. Lifetime: a life of the service. Threads: one.
 */
#ifndef TESTS_SIM_CLIENTS_H
#define TESTS_SIM_CLIENTS_H

#include "../../server/connections.h"

#define CLIENTS_MAX 12
#define TARGET_BYTES 1024

/* Grows. */
struct text {
    char *at;
    size_t length;
    size_t size;
};

/* What a client is about to send, and how. */
struct script {
    bool on_operator;
    enum method method;
    char target[TARGET_BYTES];
    const char *content_type;
    const char *content_encoding;
    const char *accept;
    const char *accept_encoding;
    bool known_length;
    bool is_atomic;
    bool is_query;  /* it may leave something in the cache */
    size_t gone_at; /* bytes of the body after which the client is gone; SIZE_MAX: it stays */
    uint64_t pages; /* likewise of the reply */
    struct text body;
};

enum client_state {
    CLIENT_NONE,
    CLIENT_WAITING, /* for a connection, or to send its next request */
    CLIENT_BODY,
    CLIENT_REPLY,
};

struct client {
    enum client_state state;
    bool is_running;               /* something of it is going on further down the stack */
    bool is_shut;                  /* by the service */
    bool has_gone;                 /* its end was not noticed yet */
    bool is_told;                  /* what became of its push, if it was refused */
    struct connection *connection; /* NULL: none yet */
    struct script script;
    size_t sent;
    uint64_t pages;
    uint64_t reply_bytes;
    char reply_first;
    char reply_last;
};

struct clients {
    struct client each[CLIENTS_MAX];
    uint32_t live;
    uint32_t data_requests; /* in flight, by listener */
    uint32_t operator_requests;
    bool is_feeding; /* a worker's batch is in use */
};

struct sim;

/* A client begins, if so many may be. Its first samples are a storm's. */
void clients_begin(struct sim *sim, bool storm);

/* One of them does one thing. False: there was nothing to be done. */
bool clients_step(struct sim *sim);

/* All go on to their end; or are cut off. */
void clients_drain(struct sim *sim);
void clients_cut_off(struct sim *sim);

void clients_end(struct clients *clients);

/* Samples accepted of pushes that have had no reply yet. */
uint64_t clients_accepted(const struct clients *clients);

/* For the world: has this one closed its side; and now it is shut. */
bool clients_have_closed(const struct clients *clients, int fd);
void clients_shut(struct clients *clients, int fd);

/* A request for a question of questions.c, on a connection of its own; NULL: there is none. */
struct request *clients_lend(struct sim *sim);
void clients_return(struct sim *sim, struct request *request);

#endif
