/*
 * label_blocks.h: texts of any length that live long, in chained blocks of 64 bytes.
 *
 *     | next | 60 bytes of text | -> | next | 60 bytes | -> | NONE | 31 bytes, rest unused |
 *
 * Label sets differ in length and there is no heap, so a text takes as many equal blocks as it
 * needs: no fragmentation, at most 59 bytes unused in the last one. 64 is a cache line; a label set
 * of 100 bytes is compared over two.
 *
 * Owner:    the store. Lifetime of a text: that of its series or family. Threads: one at a time
 *           (the engine's lock).
 */
#ifndef MEMORY_LABEL_BLOCKS_H
#define MEMORY_LABEL_BLOCKS_H

#include "base/bytes.h"
#include "memory/ledger.h"
#include "memory/region.h"

#define LABEL_BLOCK_TEXT 60
#define LABEL_NONE UINT32_MAX

struct label_block {
    uint32_t next;
    char text[LABEL_BLOCK_TEXT];
};

/* A text in the pool. It is a value: copying it does not copy the text. */
struct label_text {
    uint32_t first; /* LABEL_NONE for the empty text */
    uint32_t length;
};

struct label_blocks {
    struct label_block *blocks;
    uint32_t block_count;
    uint32_t fresh;
    uint32_t free_first;
    uint32_t free_count; /* on the list, and never used */
    struct ledger *ledger;
};

/* Blocks that a text of that length takes. */
uint32_t label_blocks_for(size_t length);

/* What label_blocks_init takes from the region. */
uint64_t label_blocks_bytes(uint64_t block_count);

void label_blocks_init(struct label_blocks *pool, uint32_t block_count, struct ledger *ledger,
                       struct region *region);

/* Copies the text in. False when there is no room for all of it; then nothing was taken. */
bool label_acquire(struct label_blocks *pool, struct bytes text, struct label_text *out);

/* Gives the blocks back and makes the text empty. */
void label_release(struct label_blocks *pool, struct label_text *text);

bool label_equal(const struct label_blocks *pool, struct label_text text, struct bytes other);

/* Copies the whole text out; `out` has room for text.length bytes. */
void label_copy(const struct label_blocks *pool, struct label_text text, char *out);

/* Blocks in use by a walk of the free list, for the audit. */
uint32_t label_blocks_held(const struct label_blocks *pool);

#endif
