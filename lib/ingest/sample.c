/* sample.c: see sample.h. */
#include "ingest/sample.h"

#include "base/ensure.h"

_Static_assert(sizeof(struct sample) == 64, "a sample is a cache line");

const char *kind_name(enum kind kind)
{
    static const char *const names[KIND_COUNT] = {
        [KIND_COUNTER] = "counter",     [KIND_GAUGE] = "gauge",
        [KIND_HISTOGRAM] = "histogram", [KIND_SET] = "set",
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
