/*
 * push.h: one body of one metric family, and what it adds up to.
 *
 *     pod, metric, format ──> push_write() ──> body
 *                                └──> items: lines, observations, quarters of each
 *     "accepted": N       ──> push_add(): the items that N lines are, into the metric's sums
 *
 * Values are multiples of 1/4, small, so that their sums are exact in a double whatever the order
 * they are added in. One family a body, so that the reply's one number says what was added; should
 * a push be cut short, what was applied are its first lines.
 *
 * Owner: a valid client. Lifetime: one request. Threads: one.
 */
#ifndef SOAK_PUSH_H
#define SOAK_PUSH_H

#include "base/random.h"
#include "soak/metrics.h"

#define PUSH_ITEMS_MAX 400u

/* One sample; a child of a histogram with buckets is one, of several lines. */
struct push_item {
    uint16_t lines;
    uint16_t observations;
    int32_t quarters;
};

struct push {
    const struct metric *metric;
    struct pod pod;
    enum format format;
    bool pod_first;
    uint32_t item_count;
    uint32_t lines; /* of all items: what the server is to accept */
    struct push_item items[PUSH_ITEMS_MAX];
};

const char *format_content_type(enum format format);

/* Chooses all but the pod. unique: no series twice in a body, as some servers ask. */
void push_choose(struct push *push, uint32_t metrics_mask, uint32_t formats_mask, bool unique,
                 struct random *random);

void push_write(struct text *out, struct push *push, struct random *random);

/* So many lines of it were applied. */
void push_add(const struct push *push, uint64_t accepted, struct soak_sum *sum);

/* How many were is not known. */
void push_add_uncertain(const struct push *push, struct soak_sum *sum);

#endif
