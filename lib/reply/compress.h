/*
 * compress.h: pages of text into pages of gzip (RFC 1952), in memory that does not grow.
 *
 *     page 16 KiB of text ──deflate, window 8 KiB──> out
 *
 * The window is a quarter of gzip's largest and the level is the fastest: an exposition repeats
 * itself within a few lines, so a larger one buys little and costs every scrape 200 KiB.
 *
 * Owner: the request; all of it in its arena. Lifetime: request. Threads: one.
 */
#ifndef REPLY_COMPRESS_H
#define REPLY_COMPRESS_H

#include "memory/arena.h"
#include "reply/writer.h"

struct compressor;

/* NULL when the arena refused; it says why. */
struct compressor *compressor_make(struct arena *arena);

/* What compressor_make takes from the arena at most, for the plan of a request. */
#define COMPRESSOR_BYTES 81920

/*
 * Takes bytes off the front of *text and writes what they come to behind page->used, until one of
 * both is used up. With `last` the stream is ended once *text is empty. True when it has ended.
 */
bool compressor_next(struct compressor *compressor, struct bytes *text, bool last,
                     struct writer *page);

#endif
