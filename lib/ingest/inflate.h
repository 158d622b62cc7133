/*
 * inflate.h: gzip and zstd bodies as streams, with a bound on what comes out.
 *
 *     compressed bytes ──inflater_next──> chunk, chunk, …   each chunk is lent until the next call
 *
 * All memory is the request's arena: the library's state, its window and the output chunk. gzip
 * takes it when the inflater is made. zstd takes its window at the first frame's header, which
 * says how large it is: before anything came out, so the 503 still comes before the first sample,
 * and a small body is not charged for the largest window. A bomb costs its sender a 413: output is
 * counted, and the stream stops at limits.inflated_bytes.
 *
 * Members (gzip) and frames (zstd, skippable ones too) may follow one another, as their
 * specifications allow. Anything else behind the last is BAD_ENCODING, as is a zstd frame that
 * needs a dictionary or is of a format before 1.0.
 *
 * Owner: the request. Lifetime: request. Threads: one.
 */
#ifndef INGEST_INFLATE_H
#define INGEST_INFLATE_H

#include "base/settings.h"
#include "base/status.h"
#include "memory/arena.h"

enum encoding {
    ENCODING_IDENTITY,
    ENCODING_GZIP,
    ENCODING_ZSTD,
};

struct inflater;

/*
 * The most that an inflater pushes on its arena, without the arena's own block headers. For zstd it
 * follows limits.zstd_window_bytes as it stands in `settings`, whichever number that is, so that
 * the plan can look for the largest window that fits.
 *
 * One kind of stream may need more: zstd frames whose windows grow. The first frame that wants more
 * than was taken gets a workspace for the largest window, so there are never more than two; if the
 * arena refuses the second, the request ends there, in mid-body.
 */
uint64_t inflater_bytes(enum encoding encoding, const struct settings *settings);

/* NULL when the arena refused; it says why. `encoding` is not ENCODING_IDENTITY. */
struct inflater *inflater_make(enum encoding encoding, const struct settings *settings,
                               struct arena *arena);

/*
 * Takes bytes off the front of *input and lends what they come to in *chunk. To be called until
 * *input is empty and *chunk is too. What came out before an error is lent first. Not OK is final:
 *
 *     BAD_ENCODING                 corrupt; the detail is the library's own word for it
 *     INFLATED_TOO_LARGE           more than limits.inflated_bytes came out
 *     WINDOW_TOO_LARGE             a zstd frame asks for more than limits.zstd_window_bytes
 *     REQUEST_TOO_LARGE, BUSY      the arena has no room for a zstd frame's window
 */
struct refusal inflater_next(struct inflater *inflater, struct bytes *input, struct bytes *chunk);

/* TRUNCATED_BODY when the stream stops before its end; an empty one has not even begun. */
struct refusal inflater_finish(const struct inflater *inflater);

#endif
