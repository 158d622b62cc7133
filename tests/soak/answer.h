/*
 * answer.h: what the reply to a push says, read out of the first bytes of its body.
 *
 *     {"accepted": 3, "rejected": 0}      {"error": {"code": "busy", ...}, "accepted": 0, ...}
 */
#ifndef SOAK_ANSWER_H
#define SOAK_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/reply.h"

struct answer {
    bool has_counts; /* it says how many were accepted and rejected */
    uint64_t accepted;
    uint64_t rejected;
    char code[32]; /* of its first error; "": none */
};

struct answer answer_read(const struct reply *reply);

#endif
