/*
 * regex.h: regular expressions over texts of the store, bounded in steps and in memory.
 *
 *     "/api/.*" ──regex_make──> compiled ──regex_match(text)──> the whole text, or nothing
 *                                              │
 *            few steps ── not enough? ──> limits.regex_steps ── not enough? ──> REGEX_TOO_COSTLY
 *
 * PCRE2, set to mean what Prometheus means: the whole text must match, . is any character, newline
 * included, $ is the end alone, classes like \d are ASCII. Groups in plain brackets do not capture,
 * so there are no numbered references back. Its JIT is not used: it would take executable memory
 * that nobody counts.
 *
 * PCRE2 backtracks, so some expressions take exponential time: each match is cut off after
 * limits.regex_steps, and after fewer on a long text: what is read within a step is not counted,
 * and an expression made for it reads all of the text in each (5 us for a KiB). So a match is some
 * 0.2 ms at the default's worst, 2 ms on a text of 1 KiB. All matches of a request together have
 * the work of REGEX_REQUEST_WORK such ones, a few seconds at the worst.
 *
 * All its memory is the arena's: what it frees stays until the arena goes. It keeps what a match
 * would come back to in a vector of 20 KiB, made with the first expression. A match that nests
 * deeper doubles it, up to a quarter of limits.request_bytes; all of them together are less than
 * three quarters. Where the arena is rewound behind a match to a mark older than it, regexes_renew
 * follows.
 *
 * Owner:    the request; in its arena. Lifetime: request.
 * Threads:  one at a time; no lock is needed.
 */
#ifndef QUERY_REGEX_H
#define QUERY_REGEX_H

#include "base/settings.h"
#include "base/status.h"
#include "memory/arena.h"

/* One compiled expression: PCRE2's. */
struct regex;

/* What all expressions of a request share: the limits, and the room to match in. */
struct regexes;

/* NULL when the arena refused; it says why. */
struct regexes *regexes_make(const struct settings *settings, struct arena *arena);

/*
 * The arena was rewound, to a mark behind the expressions: what matches had grown is gone, and is
 * made anew. OK, or what the arena said.
 */
enum status regexes_renew(struct regexes *regexes);

/*
 * Compiles. BAD_REGEX, or what the arena said. The code is at most 64 KiB, whatever is repeated how
 * often; the pattern is not needed afterwards.
 */
struct refusal regex_make(struct regexes *regexes, struct bytes pattern,
                          const struct regex **regex);

struct regex_verdict {
    enum status status; /* OK, REGEX_TOO_COSTLY, REQUEST_TOO_LARGE or BUSY */
    bool matches;       /* false unless the status is OK */
    bool costly;        /* it took more than REGEX_FEW_STEPS */
};

/*
 * Most matches end within so many, and two for each byte of the text, 2 µs; what does not is tried
 * again with all of them. So who holds a lock knows which of the two it was. The floor of
 * limits.regex_steps.
 */
#define REGEX_FEW_STEPS 100

/* Bytes of text that one step is taken to read; a longer text makes steps fewer. */
#define REGEX_STEP_BYTES 64

/* What a request may do, in matches that take all of limits.regex_steps. */
#define REGEX_REQUEST_WORK 10000

struct regex_verdict regex_match(struct regexes *regexes, const struct regex *regex,
                                 struct bytes text);

#endif
