/*
 * sites.h: which line of the source holds how much, while `trace` is on.
 *
 *     a push at lib/ingest/push.c:37 ──> hints: where was this pointer last? ──> row
 *                                                    │ not there                  ^
 *                                                    └──> rows, hashed by text ───┘
 *
 *     row    "lib/ingest/push.c:37"   live   peak   all ever   objects
 *     ...
 *     other  what found no row any more: the sums over all rows are right whatever comes
 *
 * A site is a string literal, made by SITE where memory is asked for. Two literals of the same text
 * are one site: an inline function of a header has one in each file that includes it. A row once
 * taken stays; the program has a hundred or so, and when all rows were taken the rest is counted
 * together.
 *
 * Arenas and slots keep, beside each piece, which row it was charged to (arena.h, slots.h), so what
 * is given back is given back to the line that took it. Pointers to sites are NULL where nothing is
 * traced: that branch is all that is paid then.
 *
 * Owner:    the server; the ledger points to it. Lifetime: process.
 * Threads:  any. Rows are taken with one compare-and-swap, the figures are relaxed atomics: each is
 *           exact, two read at once may be a moment apart.
 */
#ifndef MEMORY_SITES_H
#define MEMORY_SITES_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

/* Here, as "lib/memory/sites.h:37"; meson.build makes __FILE__ relative to the source's root. */
#define SITE __FILE__ ":" SITE_LINE(__LINE__)
#define SITE_LINE(line) SITE_DIGITS(line)
#define SITE_DIGITS(line) #line

#define SITES_MAX 256
#define SITES_OTHER SITES_MAX /* the row of what found none */
#define SITES_ROWS (SITES_MAX + 1)

/* Pointers that share one take turns, and are found by their text meanwhile. */
#define SITES_HINTS 1024

/* A cache line each: threads that push at different lines do not meet. */
struct site {
    alignas(64) _Atomic(const char *) name; /* NULL: not taken yet */
    _Atomic uint64_t live_bytes;
    _Atomic uint64_t peak_bytes;
    _Atomic uint64_t allocated_bytes; /* all that ever was */
    _Atomic uint64_t allocations;
    _Atomic uint64_t frees;
};

struct sites {
    struct site rows[SITES_ROWS];
    _Atomic uint16_t hints[SITES_HINTS]; /* by pointer: the row and 1, 0 for none */
};

/* A row at one moment, as plain numbers. */
struct site_figures {
    const char *name; /* NULL: no such site yet */
    uint64_t live_bytes;
    uint64_t live_objects;
    uint64_t peak_bytes;
    uint64_t allocated_bytes;
    uint64_t allocations;
};

/* What is kept of a row in order to compare it with a later moment. */
struct site_counts {
    uint64_t live_bytes;
    uint64_t live_objects;
};

/* What the region needs for one. */
uint64_t sites_bytes(void);

void sites_init(struct sites *sites);

/* Charges `bytes` in one object to the site; its row, which must be told when they are given. */
uint16_t sites_take(struct sites *sites, const char *site, uint64_t bytes);

void sites_give(struct sites *sites, uint16_t row, uint64_t bytes);

struct site_figures sites_figures(const struct sites *sites, uint16_t row);

/* All rows by their index, which a site keeps for good. */
void sites_copy(const struct sites *sites, struct site_counts counts[static SITES_ROWS]);

#endif
