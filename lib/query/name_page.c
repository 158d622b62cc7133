/* name_page.c: see name_page.h. */
#include "query/name_page.h"

#include "base/ensure.h"

struct record {
    uint32_t position; /* in `order`, while records are moved; else only whether it is DROPPED */
    uint32_t length;
    char name[];
};

#define DROPPED UINT32_MAX

static uint32_t record_bytes(size_t name_length)
{
    size_t bytes = sizeof(struct record) + name_length;
    return (uint32_t)((bytes + _Alignof(struct record) - 1) / _Alignof(struct record) *
                      _Alignof(struct record));
}

static struct record *record_at(const struct name_page *page, uint32_t offset)
{
    return (void *)(page->text + offset);
}

/* A quarter: records are moved together at most once for that many new bytes. */
static size_t size_with_slack(uint32_t text_bytes)
{
    return (size_t)text_bytes + text_bytes / 4;
}

size_t name_page_bytes(uint32_t limit, uint32_t text_bytes)
{
    return sizeof(struct name_page) + (size_t)limit * sizeof(uint32_t) +
           size_with_slack(text_bytes);
}

struct name_page *name_page_make(uint32_t limit, uint32_t text_bytes, struct bytes after,
                                 struct arena *arena)
{
    ENSURE(text_bytes >= NAME_PAGE_TEXT_MIN);
    ENSURE(size_with_slack(text_bytes) <= UINT32_MAX);
    char *at = arena_push(arena, name_page_bytes(limit, text_bytes));
    if (at == NULL)
        return NULL;
    struct name_page *page = (void *)at;
    *page = (struct name_page){
        .after = after,
        .limit = limit,
        .order = (void *)(at + sizeof *page),
        .text = at + sizeof *page + (size_t)limit * sizeof(uint32_t),
        .text_max = text_bytes,
        .text_size = (uint32_t)size_with_slack(text_bytes),
    };
    return page;
}

struct bytes name_page_at(const struct name_page *page, uint32_t i)
{
    ENSURE(i < page->count);
    const struct record *record = record_at(page, page->order[i]);
    return (struct bytes){record->name, record->length};
}

/*
 * True when the name cannot be of this page whatever it drops. Names beyond a full page, which are
 * most, end here.
 */
static bool is_beyond(const struct name_page *page, struct bytes name)
{
    if (page->count == 0)
        return page->limit == 0;
    bool closed = page->more || page->count == page->limit;
    return closed && bytes_compare(name, name_page_at(page, page->count - 1)) > 0;
}

/* How many names are less than this one. */
static uint32_t position_of(const struct name_page *page, struct bytes name)
{
    uint32_t low = 0;
    uint32_t high = page->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(name_page_at(page, middle), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void drop_last(struct name_page *page)
{
    struct record *record = record_at(page, page->order[page->count - 1]);
    record->position = DROPPED;
    page->text_live -= record_bytes(record->length);
    page->count--;
    page->more = true;
}

/*
 * Drops what is behind `position` until the name fits there. False when it does not: then it is
 * beyond the page.
 */
static bool make_room(struct name_page *page, uint32_t position, uint32_t bytes)
{
    if (page->count == page->limit)
        drop_last(page);
    while (page->text_live + bytes > page->text_max && page->count > position)
        drop_last(page);
    if (page->text_live + bytes <= page->text_max)
        return true;
    page->more = true;
    return false;
}

/* Slides the records in use together, in the order they lie. */
static void move_together(struct name_page *page)
{
    for (uint32_t i = 0; i < page->count; i++)
        record_at(page, page->order[i])->position = i;
    uint32_t to = 0;
    uint32_t next;
    for (uint32_t from = 0; from < page->text_used; from = next) {
        struct record *record = record_at(page, from);
        uint32_t bytes = record_bytes(record->length);
        next = from + bytes;
        if (record->position == DROPPED)
            continue;
        page->order[record->position] = to;
        memmove(page->text + to, record, bytes);
        to += bytes;
    }
    ENSURE(to == page->text_live);
    page->text_used = to;
}

static void insert(struct name_page *page, uint32_t position, struct bytes name)
{
    uint32_t bytes = record_bytes(name.length);
    if (page->text_used + bytes > page->text_size)
        move_together(page);
    ENSURE(page->text_used + bytes <= page->text_size);
    struct record *record = record_at(page, page->text_used);
    record->position = position;
    record->length = (uint32_t)name.length;
    memcpy(record->name, name.at, name.length);
    memmove(&page->order[position + 1], &page->order[position],
            (page->count - position) * sizeof(uint32_t));
    page->order[position] = page->text_used;
    page->count++;
    page->text_used += bytes;
    page->text_live += bytes;
}

void name_page_add(struct name_page *page, struct bytes name)
{
    ENSURE(name.length <= NAME_PAGE_TEXT_MIN - 16);
    if (name.length == 0 || bytes_compare(name, page->after) <= 0)
        return;
    if (is_beyond(page, name)) {
        page->more = true;
        return;
    }
    uint32_t position = position_of(page, name);
    if (position < page->count && bytes_equal(name_page_at(page, position), name))
        return;
    if (make_room(page, position, record_bytes(name.length)))
        insert(page, position, name);
}

void name_page_verify(const struct name_page *page)
{
    uint32_t live = 0;
    ENSURE(page->count <= page->limit);
    for (uint32_t i = 0; i < page->count; i++) {
        struct bytes name = name_page_at(page, i);
        ENSURE(bytes_compare(name, page->after) > 0);
        ENSURE(i == 0 || bytes_compare(name_page_at(page, i - 1), name) < 0);
        ENSURE(page->order[i] < page->text_used);
        live += record_bytes(name.length);
    }
    ENSURE(live == page->text_live);
    ENSURE(page->text_live <= page->text_max);
    ENSURE(page->text_used <= page->text_size);
}
