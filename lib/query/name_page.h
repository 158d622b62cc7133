/*
 * name_page.h: the first page of a sorted list of names that come in any order, any number of
 * times.
 *
 *     order  | 96 | 0 | 152 | 40 | ... up to `limit`      offsets of records, sorted by their names
 *               └──────────┐
 *     text   | record | record | dropped | record | record |....... slack
 *              position, length, name           moved together when the end is reached
 *
 * Kept are the smallest names greater than `after`. When there is no room, by number or by bytes,
 * the largest are dropped, and from then on nothing larger than what is left is taken: so a page is
 * always all names between `after` and its last, and asking again after its last misses none. A
 * page cut by bytes is full to within one name.
 *
 * Cost: a name that is not taken is a comparison or ten; one that is moves 4 bytes for each name
 * behind it, and now and then, once for `slack` bytes of names, all records.
 *
 * Owner:    the question, in its request's arena. Lifetime: request; `after` is borrowed from the
 * same.
 * Threads:  one. It needs no lock itself.
 */
#ifndef QUERY_NAME_PAGE_H
#define QUERY_NAME_PAGE_H

#include "memory/arena.h"

/*
 * The longest name of all must fit: the ceiling of limits.label_set_bytes bounds every one, and a
 * record's head.
 */
#define NAME_PAGE_TEXT_MIN (8192 + 16)

struct name_page {
    struct bytes after;
    uint32_t limit;
    uint32_t count;
    uint32_t *order;
    char *text;
    uint32_t text_max;  /* what the records of names kept may come to */
    uint32_t text_size; /* the same and the slack */
    uint32_t text_used; /* records, dropped ones included */
    uint32_t text_live;
    bool more; /* there are names beyond the last */
};

/* What name_page_make takes from the arena. */
size_t name_page_bytes(uint32_t limit, uint32_t text_bytes);

/*
 * At most `limit` names, greater than `after` (empty: all), in `text_bytes` (at least
 * NAME_PAGE_TEXT_MIN) with 8 to 11 bytes for each beside itself. NULL when the arena refused; it
 * says why.
 */
struct name_page *name_page_make(uint32_t limit, uint32_t text_bytes, struct bytes after,
                                 struct arena *arena);

/* The name is copied. The empty one is never taken: it is what a label that is not there has. */
void name_page_add(struct name_page *page, struct bytes name);

/* The i-th name in byte order, i < page->count. Valid until the next name_page_add. */
struct bytes name_page_at(const struct name_page *page, uint32_t i);

/* Walks it all and ENSUREs what the picture says. */
void name_page_verify(const struct name_page *page);

#endif
