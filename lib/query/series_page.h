/*
 * series_page.h: the series that a selector selects, a page at a time; and their end, for DELETE.
 *
 *     slots   | . | S | . | S | S | . | . | S | ...
 *                   ^       ^   ^           ^ next: where the page after this one begins
 *                   └ rows ─┴───┘
 *
 * Series come in the order of their slots. The token between two pages is a slot, so what lives
 * throughout is neither skipped nor given twice, whatever comes and goes between the pages. It
 * means nothing after a restart.
 *
 * Owner:    the request; in its arena, as is the selector.
 * Lifetime: request. Threads: one, each call that takes the store under the engine's lock.
 */
#ifndef QUERY_SERIES_PAGE_H
#define QUERY_SERIES_PAGE_H

#include "memory/arena.h"
#include "query/matcher.h"
#include "query/sweep.h"

struct series_page {
    struct sweep sweep;
    struct selector *selector;
    char *text; /* for the label text or name of the series at hand; rows may use it too */
    uint32_t limit;
    uint32_t given;
    uint32_t next; /* the token, when there is more */
    bool more;
};

/* What series_page_make takes from the arena. */
size_t series_page_bytes(const struct settings *settings);

/*
 * The token that a page gave; empty: from the beginning. BAD_PARAMETER when no page can have given
 * it.
 */
struct refusal series_token_read(struct bytes token, uint32_t *from);

/* At most `limit` series. NULL when the arena refused; it says why. */
struct series_page *series_page_make(struct selector *selector, uint32_t from, uint32_t limit,
                                     const struct settings *settings, struct arena *arena);

/* The next series of this page; NULL when the slice is used up, or the page is complete. */
const struct series *series_page_next(struct series_page *page, const struct store *store,
                                      uint32_t *slice);

/* There was no room for the series that came last: the page is complete without it. */
void series_page_cut(struct series_page *page);

/* Also when the selector failed: look at selector->failure before giving the page to anyone. */
bool series_page_is_done(const struct series_page *page, const struct store *store);

/* ---- DELETE ---- */

/*
 * Overflow series stay: they belong to their family, and go with it. Where there are regular
 * expressions the store is walked twice, and the first time only tried: a selector that fails has
 * deleted nothing, but for what a label that came between the two walks made it fail on.
 */
struct deletion {
    struct sweep sweep;
    struct selector *selector;
    char *text;
    bool deleting; /* false during a first walk */
    uint64_t deleted;
};

/* What deletion_make takes from the arena. */
size_t deletion_bytes(const struct settings *settings);

/* NULL when the arena refused; it says why. */
struct deletion *deletion_make(struct selector *selector, const struct settings *settings,
                               struct arena *arena);

/*
 * Looks at one slice (SWEEP_SLICE) and deletes what is selected. True when all slots have been
 * looked at, or the selector failed: look at selector->failure.
 */
bool deletion_step(struct deletion *deletion, struct store *store, uint32_t slice);

#endif
