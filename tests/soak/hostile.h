/*
 * hostile.h: clients that mean harm, or are broken: each kind is a plan, and one machine runs them.
 *
 *     send: all at once, or `step` bytes every `pause`
 *       └─ all sent, after `delay` ──> what then?
 *            THEN_READ         waits for the reply
 *            THEN_HALF_CLOSE   FIN, then waits for it
 *            THEN_RESET        leaves
 *            THEN_HOLD         stays, and reads whatever comes, until the deadline
 *     receive: all, or `receive_max` bytes, and then nothing for `stall`, and leaves
 *
 * They push metrics named hostile_* only, so that all others' sums are known.
 *
 * Owner: traffic.c, in an array made at the start. Lifetime: traffic_make .. traffic_free.
 * Threads: one.
 */
#ifndef SOAK_HOSTILE_H
#define SOAK_HOSTILE_H

#include "soak/bombs.h"
#include "soak/client.h"
#include "soak/load.h"

enum hostile_then { THEN_READ, THEN_HALF_CLOSE, THEN_RESET, THEN_HOLD };

struct hostile_plan {
    enum hostile_then then;
    uint64_t samples; /* at most, in what is sent */
    uint64_t at_once; /* bytes that go at once; the rest drips */
    uint64_t step;    /* bytes a drop; 0: nothing drips */
    uint64_t pause_ns;
    uint64_t delay_ns; /* between the last byte and what then */
    uint64_t stall_ns; /* after receive_max */
    uint64_t receive_max;
    uint64_t seconds_max; /* our deadline */
    int receive_buffer;   /* SO_RCVBUF; 0: as it is */
};

struct hostile {
    struct client client; /* first: the one is the other */
    enum soak_hostile kind;
    struct hostile_plan plan;
    uint64_t next_ns; /* of the next drop, or of what then, or of the stall's end; 0: not set */
    bool done;        /* what then: it was done */
};

/* What plans are made of that is too large to be made each time. */
struct arsenal {
    struct bomb bombs[BOMB_COUNT];
    struct bomb pieces[PIECE_COUNT];
    struct text filler;  /* 16 KiB of one line */
    struct text samples; /* whole lines of one sample each */
    struct random random;
};

void arsenal_init(struct arsenal *arsenal, uint64_t seed);
void arsenal_free(struct arsenal *arsenal);

void hostile_begin(struct hostile *hostile, struct load *load, struct arsenal *arsenal);

/* A reply is whole, or the connection has ended. */
void hostile_end(struct hostile *hostile, struct load *load, enum client_news news);

/* What is to be done by the clock. */
void hostile_turn(struct hostile *hostile, struct load *load, uint64_t now);

/* A reply is to come that says what became of a great many samples: it is better waited for. */
bool hostile_is_awaited(const struct hostile *hostile);

/* Now, whatever it is at. */
void hostile_stop(struct hostile *hostile, struct load *load);

#endif
