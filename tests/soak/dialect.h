/*
 * dialect.h: where each server takes samples and what it can be asked, as rows.
 *
 *                     push                                ask
 *     mayfly          /v1/push, /metrics/job/...          /v1/query, /v1/series, /memory, ...
 *     pushgateway     /metrics/job/<j>/instance/<i>       /metrics, /
 *     victoria        /api/v1/import/prometheus           /api/v1/query, /api/v1/series, ...
 *
 * Owner: nobody, it is constant. Threads: any.
 */
#ifndef SOAK_DIALECT_H
#define SOAK_DIALECT_H

#include "soak/message.h"
#include "soak/metrics.h"

struct targets {
    const char *const *at; /* "{}" in one becomes the generation of pods */
    uint32_t count;
};

struct dialect {
    uint32_t formats;   /* a bit each */
    uint32_t encodings; /* a bit each */
    bool replaces;      /* a push takes the place of the last one: no series twice in a body */
    bool counts;        /* replies to pushes say what was accepted */
    bool has_paths;     /* knows Pushgateway's path */
    const char *push;   /* where all else is pushed; NULL: that path takes all */
    struct targets targets[SORT_COUNT]; /* none: it is not asked for that */
};

extern const struct dialect soak_dialects[];

#define JOB "soak"

/* Those it can be sent, a bit each. */
uint32_t dialect_metrics(const struct dialect *dialect);

/* by_path: to Pushgateway's path, even where there is another. */
void dialect_push_target(struct text *out, const struct dialect *dialect, bool by_path,
                         const char *instance);

#endif
