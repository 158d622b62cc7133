/* lifetime.c: see lifetime.h. */
#include "memory/lifetime.h"

const uint32_t lifetime_bounds_s[LIFETIME_BOUNDS] = {1, 10, 60, 600, 3600, 86400, 604800};

void lifetimes_count(struct lifetimes *lifetimes, uint64_t age_ms)
{
    unsigned row = 0;
    while (row < LIFETIME_BOUNDS && age_ms > (uint64_t)lifetime_bounds_s[row] * 1000)
        row++;
    lifetimes->counts[row]++;
    lifetimes->sum_ms += age_ms;
    if (age_ms > lifetimes->max_ms)
        lifetimes->max_ms = age_ms;
}
