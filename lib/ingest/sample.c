/* sample.c: see sample.h. */
#include "ingest/sample.h"

#include "base/ensure.h"

_Static_assert(sizeof(struct sample) == 64, "a sample is a cache line");
_Static_assert(_Alignof(struct child) >= _Alignof(double) &&
                   sizeof(struct child) % _Alignof(double) == 0,
               "bounds stand right behind their child");

const char *kind_name(enum kind kind)
{
    static const char *const names[KIND_COUNT] = {
        [KIND_COUNTER] = "counter",           [KIND_GAUGE] = "gauge",
        [KIND_HISTOGRAM] = "histogram",       [KIND_SET] = "set",
        [KIND_CLASSIC] = "classic_histogram", [KIND_SUMMARY] = "summary",
    };
    ENSURE((unsigned)kind < KIND_COUNT);
    return names[kind];
}

struct bytes part_suffix(enum part part)
{
    switch (part) {
    case PART_BUCKET:
        return BYTES("_bucket");
    case PART_SUM:
        return BYTES("_sum");
    case PART_COUNT:
        return BYTES("_count");
    default:
        return BYTES("");
    }
}

size_t child_bytes(const struct child *child)
{
    return sizeof *child + 2 * (size_t)child->bound_count * sizeof(double);
}

const struct child *child_copy(const struct child *child, void *at)
{
    struct child *copy = at;
    double *bounds = (double *)(copy + 1);
    double *counts = bounds + child->bound_count;
    *copy = *child;
    if (child->bound_count > 0) { /* else there need be no arrays at all */
        memcpy(bounds, child->bounds, child->bound_count * sizeof(double));
        memcpy(counts, child->counts, child->bound_count * sizeof(double));
    }
    copy->bounds = bounds;
    copy->counts = counts;
    return copy;
}
