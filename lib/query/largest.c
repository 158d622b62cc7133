/* largest.c: see largest.h. */
#include "query/largest.h"

/* Puts it in its place among the `count` there are; the last one falls out where all are taken. */
static uint32_t insert(const struct family **out, uint32_t count, uint32_t most,
                       const struct family *family)
{
    uint32_t at = count;
    while (at > 0 && out[at - 1]->series_count < family->series_count)
        at--;
    if (at == most)
        return count;
    count += count < most;
    for (uint32_t behind = count - 1; behind > at; behind--)
        out[behind] = out[behind - 1];
    out[at] = family;
    return count;
}

uint32_t largest_families(const struct store *store, const struct family **out, uint32_t most,
                          uint64_t *left_out)
{
    uint32_t count = 0;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < store->families.fresh; i++) {
        const struct family *family = store_family(store, i);
        if (family == NULL || family->series_count == 0)
            continue;
        count = insert(out, count, most, family);
        seen++;
    }
    *left_out = seen - count;
    return count;
}
