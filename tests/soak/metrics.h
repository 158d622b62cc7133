/*
 * metrics.h: what pods measure: eight metrics, some 50 series a pod.
 *
 *     pod-<generation>-<i>  x  metric  x  series k   =   one series, its labels a function of the
 * three
 *
 * Owner: nobody, it is constant. Threads: any.
 */
#ifndef SOAK_METRICS_H
#define SOAK_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/text.h"
#include "soak/traffic.h"

enum format { FORMAT_TEXT, FORMAT_OPENMETRICS, FORMAT_NDJSON, FORMAT_ARRAY, FORMAT_COUNT };

struct metric {
    const char *name;
    enum soak_kind kind;
    uint32_t series;  /* of one pod */
    uint32_t formats; /* a bit each: not all can say everything */
    bool by_path;     /* pushed to Pushgateway's path, which has its labels job and instance */
};

struct pod {
    uint64_t generation;
    uint32_t index;
};

extern const struct metric soak_metrics[SOAK_METRICS];

/* Bounds of the buckets of SOAK_CLASSIC, as they are written; +Inf comes behind them. */
#define CLASSIC_BOUNDS 6
extern const char *const soak_bounds[CLASSIC_BOUNDS];

/* a="b",c="d" or "a":"b","c":"d"; the two need the same escapes. pod_first: the labels' order. */
void metric_labels_write(struct text *out, const struct metric *metric, struct pod pod,
                         uint32_t series, bool json, bool pod_first);

#endif
