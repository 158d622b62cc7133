/*
 * names.h: which label names there are, and which values one of them has.
 *
 *     sweep over series ── selected? ──> its label names, or its value of one label ──> name_page
 *
 * The metric name counts as the label __name__, as in Prometheus.
 *
 * Owner:    the request; in its arena, as are the selector and the page, which the caller makes.
 * Lifetime: request. Threads: one, each step under the engine's lock.
 */
#ifndef QUERY_NAMES_H
#define QUERY_NAMES_H

#include "query/matcher.h"
#include "query/name_page.h"
#include "query/sweep.h"

enum names_wanted {
    NAMES_LABELS,
    NAMES_VALUES,
    NAMES_METRICS, /* the values of __name__ */
};

struct names {
    struct sweep sweep;
    struct selector *selector;
    struct name_page *page;
    enum names_wanted wanted;
    struct bytes label; /* whose values */
    char *text;
};

/* What names_make_… takes from the arena, beside the page. */
size_t names_bytes(const struct settings *settings);

/* The names of labels. NULL when the arena refused; it says why. */
struct names *names_make_labels(struct selector *selector, struct name_page *page,
                                const struct settings *settings, struct arena *arena);

/* The values of one label; a label that no series has, whatever its name, has none. */
struct names *names_make_values(struct bytes label, struct selector *selector,
                                struct name_page *page, const struct settings *settings,
                                struct arena *arena);

/*
 * Looks at one slice (SWEEP_SLICE). True when the page is complete, or never will be: look at
 * selector->failure.
 */
bool names_step(struct names *names, const struct store *store, uint32_t slice);

#endif
