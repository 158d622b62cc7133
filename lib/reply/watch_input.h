/*
 * watch_input.h: what the reports are made of, as figures to be watched.
 *
 * Owner: the ticker's. Lifetime: a call; what rates need of the call before is kept by the caller.
 * Threads: one.
 */
#ifndef REPLY_WATCH_INPUT_H
#define REPLY_WATCH_INPUT_H

#include "reply/report_input.h"

/* Figures at the last call, from which rates are differences. */
struct watch_rates {
    bool is_known;
    uint64_t completed;
    uint64_t lifetime_sum_us;
    double cpu_seconds;
};

struct watch_input watch_input_make(const struct report_input *input, struct watch_rates *rates);

#endif
