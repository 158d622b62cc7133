/* label_blocks.c: see label_blocks.h. */
#include "memory/label_blocks.h"

#include "base/ensure.h"
#include "memory/poison.h"

_Static_assert(sizeof(struct label_block) == 64, "a block is a cache line");

uint32_t label_blocks_for(size_t length)
{
    return (uint32_t)((length + LABEL_BLOCK_TEXT - 1) / LABEL_BLOCK_TEXT);
}

uint64_t label_blocks_bytes(uint64_t block_count)
{
    return region_piece_bytes(block_count * sizeof(struct label_block));
}

void label_blocks_init(struct label_blocks *pool, uint32_t block_count, struct ledger *ledger,
                       struct region *region)
{
    *pool = (struct label_blocks){
        .blocks = region_take(region, block_count * sizeof(struct label_block)),
        .block_count = block_count,
        .free_first = LABEL_NONE,
        .free_count = block_count,
        .ledger = ledger,
    };
    ledger->accounts[POOL_LABELS].capacity_bytes = block_count * sizeof(struct label_block);
    for (uint32_t index = 0; index < block_count; index++)
        POISON(pool->blocks[index].text, LABEL_BLOCK_TEXT);
}

static uint32_t block_acquire(struct label_blocks *pool)
{
    uint32_t index = pool->free_first;
    if (index != LABEL_NONE)
        pool->free_first = pool->blocks[index].next;
    else
        index = pool->fresh++;
    ENSURE(index < pool->block_count);
    UNPOISON(pool->blocks[index].text, LABEL_BLOCK_TEXT);
    return index;
}

bool label_acquire(struct label_blocks *pool, struct bytes text, struct label_text *out)
{
    uint32_t count = label_blocks_for(text.length);
    if (count > pool->free_count) {
        ledger_refuse(pool->ledger, POOL_LABELS);
        return false;
    }
    *out = (struct label_text){.first = LABEL_NONE, .length = (uint32_t)text.length};
    uint32_t *link = &out->first;
    for (uint32_t i = 0; i < count; i++) {
        size_t done = (size_t)i * LABEL_BLOCK_TEXT;
        size_t part = text.length - done < LABEL_BLOCK_TEXT ? text.length - done : LABEL_BLOCK_TEXT;
        uint32_t index = block_acquire(pool);
        memcpy(pool->blocks[index].text, text.at + done, part);
        *link = index;
        link = &pool->blocks[index].next;
    }
    *link = LABEL_NONE;
    pool->free_count -= count;
    if (count > 0)
        ledger_take(pool->ledger, POOL_LABELS, count * sizeof(struct label_block));
    return true;
}

void label_release(struct label_blocks *pool, struct label_text *text)
{
    uint32_t count = 0;
    uint32_t index = text->first;
    while (index != LABEL_NONE) {
        ENSURE(index < pool->fresh);
        struct label_block *block = &pool->blocks[index];
        uint32_t next = block->next;
        block->next = pool->free_first;
        pool->free_first = index;
        POISON(block->text, LABEL_BLOCK_TEXT);
        index = next;
        count++;
    }
    ENSURE(count == label_blocks_for(text->length));
    pool->free_count += count;
    if (count > 0)
        ledger_give(pool->ledger, POOL_LABELS, count * sizeof(struct label_block));
    *text = (struct label_text){.first = LABEL_NONE};
}

bool label_equal(const struct label_blocks *pool, struct label_text text, struct bytes other)
{
    if (text.length != other.length)
        return false;
    uint32_t index = text.first;
    for (size_t done = 0; done < other.length; done += LABEL_BLOCK_TEXT) {
        size_t left = other.length - done;
        const struct label_block *block = &pool->blocks[index];
        if (memcmp(block->text, other.at + done, left < LABEL_BLOCK_TEXT ? left : LABEL_BLOCK_TEXT))
            return false;
        index = block->next;
    }
    return true;
}

void label_copy(const struct label_blocks *pool, struct label_text text, char *out)
{
    uint32_t index = text.first;
    for (size_t done = 0; done < text.length; done += LABEL_BLOCK_TEXT) {
        size_t left = text.length - done;
        const struct label_block *block = &pool->blocks[index];
        memcpy(out + done, block->text, left < LABEL_BLOCK_TEXT ? left : LABEL_BLOCK_TEXT);
        index = block->next;
    }
}

uint32_t label_blocks_held(const struct label_blocks *pool)
{
    uint32_t listed = 0;
    for (uint32_t index = pool->free_first; index != LABEL_NONE; index = pool->blocks[index].next)
        ENSURE(listed++ < pool->fresh);
    return pool->fresh - listed;
}
