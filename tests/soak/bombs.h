/*
 * bombs.h: small bodies that become large: made once at the start, through a bounded buffer.
 *
 *     a pattern, again and again ──gzip, zstd──> 30 KB .. 300 KB that come to 192 MiB
 *
 * Owner: hostile.c. Lifetime: the run. Threads: one.
 */
#ifndef SOAK_BOMBS_H
#define SOAK_BOMBS_H

#include "soak/message.h"

#define BOMB_INFLATED_BYTES (192u * 1024u * 1024u)

struct bomb {
    enum encoding encoding;
    struct text packed;
    uint64_t samples; /* at most, in all that it comes to */
};

#define BOMB_COUNT 6

/* Small ones, to be cut short: of what may have become of them little is uncertain. */
#define PIECE_COUNT 2
#define PIECE_SAMPLES 2000u

void bombs_init(struct bomb bombs[BOMB_COUNT]);
void pieces_init(struct bomb pieces[PIECE_COUNT], struct random *random);
void bombs_free(struct bomb *bombs, size_t count);

#endif
