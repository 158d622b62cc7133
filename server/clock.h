/*
 * clock.h: the time the engine lives in.
 *
 * The wall clock at start plus monotonic time: it never runs backwards, and the store's windows
 * never repeat. When the wall clock is stepped forward the clock follows; when it is stepped back
 * it does not, and the difference is reported.
 *
 * Owner: the service. Threads: any; only the ticker calls clock_follow.
 */
#ifndef SERVER_CLOCK_H
#define SERVER_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* Below this a difference is drift that the clock discipline will settle, not a step. */
#define CLOCK_STEP_MS 1000

struct clock {
    _Atomic int64_t base_ms; /* add it to monotonic time */
    _Atomic int64_t offset_ms;
};

void clock_init(struct clock *clock);

/* Milliseconds since 1970, never less than before. */
int64_t clock_now_ms(const struct clock *clock);

/* Microseconds of monotonic time, for durations. */
int64_t clock_monotonic_us(void);

/* The same to some milliseconds, without reading the hardware: for deadlines. */
int64_t clock_coarse_us(void);

/* Looks at the wall clock. Returns the forward step that was adopted, 0 when there was none. */
int64_t clock_follow(struct clock *clock);

/* How far the clock is ahead of the wall clock. */
int64_t clock_offset_ms(const struct clock *clock);

#endif
