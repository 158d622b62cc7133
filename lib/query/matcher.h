/*
 * matcher.h: which series a question is about.
 *
 *     metric=http_seconds  match=route=/items  match=code!=500  match=zone=~eu-.*
 *          │                     └──────────┬────────┘                │
 *       on the metric name       on labels: raw text, as       a regular expression
 *                                the client meant it           (regex.h)
 *
 * A histogram or summary has one name: the one that its _bucket, _sum and _count begin with.
 *
 * A series is selected when all matchers hold; without any, all series are. A label that is not
 * there is an empty one, as in Prometheus: `zone=` selects series without a zone, `zone!=a` selects
 * them too, and so does `zone=~.*`.
 *
 * A regular expression may meet a limit in the middle of a walk. The selector then keeps why, in
 * `failure`, and selects nothing from then on, be its matchers negated or not: whoever walks looks
 * at it at the end, or before it deletes, and refuses the question.
 *
 * Owner:    the request: the selector and its expressions in its arena, the texts borrowed from its
 *           parameters.
 * Lifetime: request.
 * Threads:  one at a time: matching writes to it where there are regular expressions.
 */
#ifndef QUERY_MATCHER_H
#define QUERY_MATCHER_H

#include "base/settings.h"
#include "base/status.h"
#include "ingest/label_set.h"
#include "query/regex.h"
#include "store/store.h"

/*
 * Each is compared with every label of every series looked at, under the lock. More: BAD_PARAMETER.
 */
#define SELECTOR_MATCHERS_MAX 16

#define METRIC_NAME_LABEL "__name__"

struct matcher {
    struct bytes name;         /* of the label */
    struct bytes value;        /* raw: not escaped as in the store; or the expression's text */
    const struct regex *regex; /* NULL: the value itself */
    bool negated;
    bool on_metric_name;
    bool empty_is_equal; /* what a label that is not there is, before negation */
};

struct selector {
    uint32_t count;
    enum status failure;     /* REGEX_TOO_COSTLY, REQUEST_TOO_LARGE, BUSY; OK: none */
    uint32_t cost;           /* of regular expressions, since selector_take_cost */
    struct regexes *regexes; /* NULL: there are none */
    char *raw;               /* with them: series_text_bytes, for a value or a name */
    struct matcher matchers[SELECTOR_MATCHERS_MAX];
};

static inline void selector_init(struct selector *selector)
{
    selector->count = 0;
    selector->failure = STATUS_OK;
    selector->cost = 0;
    selector->regexes = NULL;
    selector->raw = NULL;
}

/* metric=<name>. BAD_PARAMETER when it is not of the form of a metric name. */
struct refusal selector_add_metric(struct selector *selector, struct bytes name);

/*
 * match=label=value, match=label!=value, match=label=~regex, match=label!~regex, or match=name for
 * a metric name. __name__ as a label is the metric name. The value is what follows the operator,
 * byte for byte: no quotes, no escapes. BAD_PARAMETER; for an expression also BAD_REGEX,
 * REGEX_TOO_COSTLY (on the empty text already) or why the arena had no room for it. The settings
 * are only read here.
 */
struct refusal selector_add_match(struct selector *selector, struct bytes text,
                                  const struct settings *settings, struct arena *arena);

/* The arena was rewound behind matches, to a mark behind the last matcher: see regexes_renew. */
void selector_renew(struct selector *selector);

/* `text` has series_text_bytes. False once there was a failure. */
bool selector_matches(struct selector *selector, const struct store *store,
                      const struct series *series, char *text);

/*
 * Its two halves, for who needs the label text anyway. `labels` may not lie in the selector's own
 * `raw`.
 */
bool selector_matches_name(struct selector *selector, const struct store *store,
                           const struct series *series);
bool selector_matches_labels(struct selector *selector, struct bytes labels);

/*
 * What regular expressions cost since this was last asked, to be charged to the slice of a walk
 * under the lock (sweep.h). A match within few steps is 0.1 to 2 µs, and more where it reads a long
 * text over again; one that takes all of limits.regex_steps is some 200 µs, so it ends its slice.
 */
static inline uint32_t selector_take_cost(struct selector *selector)
{
    uint32_t cost = selector->cost;
    selector->cost = 0;
    return cost;
}

/* ---- a series' texts, copied out of their blocks ---- */

/* Room for the label text or the name of any series of a store with these settings. */
size_t series_text_bytes(const struct settings *settings);

/* Room for the name of any family of it. */
size_t family_name_bytes(const struct settings *settings);

/* The canonical label text: values escaped. */
struct bytes series_labels(const struct store *store, const struct series *series, char *text);

/* The name of its family. */
struct bytes series_name(const struct store *store, const struct series *series, char *text);

/*
 * The label's value as it was before it was escaped. It is undone in place, within `text`, where
 * the label lies.
 */
struct bytes label_raw_value(const struct label *label, char *text);

#endif
