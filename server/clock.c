/* clock.c: see clock.h. */
#include "clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_coarse_us(void)
{
    return read_us(CLOCK_MONOTONIC_COARSE);
}

static int64_t wall_base_ms(void)
{
    return (read_us(CLOCK_REALTIME) - clock_monotonic_us()) / 1000;
}

void clock_init(struct clock *clock)
{
    atomic_init(&clock->base_ms, wall_base_ms());
    atomic_init(&clock->offset_ms, 0);
}

int64_t clock_now_ms(const struct clock *clock)
{
    return atomic_load_explicit(&clock->base_ms, memory_order_relaxed) +
           clock_monotonic_us() / 1000;
}

int64_t clock_follow(struct clock *clock)
{
    int64_t base = atomic_load_explicit(&clock->base_ms, memory_order_relaxed);
    int64_t step = wall_base_ms() - base;
    int64_t adopted = step >= CLOCK_STEP_MS ? step : 0;
    atomic_store_explicit(&clock->base_ms, base + adopted, memory_order_relaxed);
    atomic_store_explicit(&clock->offset_ms, step <= -CLOCK_STEP_MS ? -step : 0,
                          memory_order_relaxed);
    return adopted;
}

int64_t clock_offset_ms(const struct clock *clock)
{
    return atomic_load_explicit(&clock->offset_ms, memory_order_relaxed);
}
