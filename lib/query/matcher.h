/*
 * matcher.h: which series a question is about.
 *
 *     metric=http_seconds  match=route=/items  match=code!=500
 *          │                     └──────────┬────────┘
 *       on the metric name       on labels: raw text, as the client meant it
 *
 * A series is selected when all matchers hold; without any, all series are. A label that is not
 * there is an empty one, as in Prometheus: `zone=` selects series without a zone, `zone!=a` selects
 * them too.
 *
 * Owner:    the request: the selector in its arena, the texts borrowed from its parameters.
 * Lifetime: request.
 * Threads:  any; it does not change once made.
 */
#ifndef QUERY_MATCHER_H
#define QUERY_MATCHER_H

#include "base/settings.h"
#include "base/status.h"
#include "ingest/label_set.h"
#include "store/store.h"

/*
 * Each is compared with every label of every series looked at, under the lock. More: BAD_PARAMETER.
 */
#define SELECTOR_MATCHERS_MAX 16

#define METRIC_NAME_LABEL "__name__"

struct matcher {
    struct bytes name;  /* of the label */
    struct bytes value; /* raw: not escaped as in the store */
    bool negated;
    bool on_metric_name;
};

struct selector {
    uint32_t count;
    struct matcher matchers[SELECTOR_MATCHERS_MAX];
};

static inline void selector_init(struct selector *selector)
{
    selector->count = 0;
}

/* metric=<name>. BAD_PARAMETER when it is not of the form of a metric name. */
struct refusal selector_add_metric(struct selector *selector, struct bytes name);

/*
 * match=label=value, match=label!=value, or match=name for a metric name. __name__ as a label is
 * the metric name. The value is what follows the operator, byte for byte: no quotes, no escapes.
 */
struct refusal selector_add_match(struct selector *selector, struct bytes text);

/* `text` has series_text_bytes. */
bool selector_matches(const struct selector *selector, const struct store *store,
                      const struct series *series, char *text);

/*
 * Its two halves, for who needs the label text anyway. The metric name is the sample's or the
 * family's.
 */
bool selector_matches_name(const struct selector *selector, const struct store *store,
                           const struct series *series);
bool selector_matches_labels(const struct selector *selector, struct bytes labels);

/* ---- a series' texts, copied out of their blocks ---- */

/* Room for the label text or the name of any series of a store with these settings. */
size_t series_text_bytes(const struct settings *settings);

/* Room for the name of any family of it. */
size_t family_name_bytes(const struct settings *settings);

/* The canonical label text: values escaped. */
struct bytes series_labels(const struct store *store, const struct series *series, char *text);

/* The name of its samples: the family's and the part's suffix. */
struct bytes series_name(const struct store *store, const struct series *series, char *text);

/*
 * The label's value as it was before it was escaped. It is undone in place, within `text`, where
 * the label lies.
 */
struct bytes label_raw_value(const struct label *label, char *text);

#endif
