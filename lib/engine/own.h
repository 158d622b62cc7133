/*
 * own.h: the service's own figures, and their history.
 *
 *     self_report's rows ──own_observe, once a window──> a small engine ──> rings of its own
 *
 * A second engine with a store, rings and a ledger of its own: whatever clients push, its history
 * is as long as its bytes make it. It is asked like the other, by names that begin with mayfly_.
 *
 * Owner: the service, in the region. Lifetime: process. Threads: one at a time (the engine's lock).
 */
#ifndef ENGINE_OWN_H
#define ENGINE_OWN_H

#include "engine/engine.h"
#include "reply/self_report.h"

struct own {
    struct settings settings; /* of the small engine */
    struct ledger ledger;     /* likewise; the service's has all of it as one pool */
    struct engine engine;
    char page[SELF_FAMILY_BYTES_MAX];
    uint64_t unread_lines; /* of the report, which had no room or made no sense: 0 */
};

/* What the struct and own_init take from the region: about windows.own_bytes. */
uint64_t own_bytes(const struct settings *settings);

/* The own pool of `ledger` is charged with all of it. */
void own_init(struct own *own, const struct settings *settings, uint64_t seed, int64_t now_ms,
              struct ledger *ledger, struct region *region);

/* Takes the figures down: gauges as they are, counters by what they rose. */
void own_observe(struct own *own, const struct report_input *input, int64_t now_ms);

/* Is a question about this metric for the own engine? */
bool own_has_metric(struct bytes name);

#endif
