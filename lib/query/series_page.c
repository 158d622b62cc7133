/* series_page.c: see series_page.h. */
#include "query/series_page.h"

#include "base/ensure.h"
#include "base/number.h"

size_t series_page_bytes(const struct settings *settings)
{
    return sizeof(struct series_page) + series_text_bytes(settings);
}

struct refusal series_token_read(struct bytes token, uint32_t *from)
{
    uint64_t slot = 0;
    if (token.length > 0 && (!number_parse_u64(token, &slot) || slot >= SLOT_NONE))
        return refusal_detail(STATUS_BAD_PARAMETER, "after is not what a page gave as next");
    *from = (uint32_t)slot;
    return refusal_plain(STATUS_OK);
}

struct series_page *series_page_make(const struct selector *selector, uint32_t from,
                                     uint32_t limit, const struct settings *settings,
                                     struct arena *arena)
{
    char *at = arena_push(arena, series_page_bytes(settings));
    if (at == NULL)
        return NULL;
    struct series_page *page = (void *)at;
    *page = (struct series_page){
        .sweep = {.at = from},
        .selector = selector,
        .text = at + sizeof *page,
        .limit = limit,
    };
    return page;
}

/* The page ends before the series at hand. */
static void end_before(struct series_page *page)
{
    page->more = true;
    page->next = sweep_slot(&page->sweep);
}

void series_page_cut(struct series_page *page)
{
    ENSURE(page->given > 0);
    page->given--;
    end_before(page);
}

const struct series *series_page_next(struct series_page *page, const struct store *store,
                                      uint32_t *slice)
{
    const struct series *series;
    while (!page->more && (series = sweep_next(&page->sweep, store, slice)) != NULL) {
        if (!selector_matches(page->selector, store, series, page->text))
            continue;
        if (page->given < page->limit) {
            page->given++;
            return series;
        }
        end_before(page); /* the walk went on to know whether there is one more */
    }
    return NULL;
}

bool series_page_is_done(const struct series_page *page, const struct store *store)
{
    return page->more || sweep_is_done(&page->sweep, store);
}

/* ---- DELETE ---- */

/* An end touches the index, two lists and the label blocks: several times what a look does. */
#define DELETE_COST 6

size_t deletion_bytes(const struct settings *settings)
{
    return sizeof(struct deletion) + series_text_bytes(settings);
}

struct deletion *deletion_make(const struct selector *selector, const struct settings *settings,
                               struct arena *arena)
{
    char *at = arena_push(arena, deletion_bytes(settings));
    if (at == NULL)
        return NULL;
    struct deletion *deletion = (void *)at;
    *deletion = (struct deletion){.selector = selector, .text = at + sizeof *deletion};
    return deletion;
}

bool deletion_step(struct deletion *deletion, struct store *store, uint32_t slice)
{
    const struct series *series;
    while ((series = sweep_next(&deletion->sweep, store, &slice)) != NULL) {
        if (series->is_overflow ||
            !selector_matches(deletion->selector, store, series, deletion->text))
            continue;
        store_delete(store, sweep_slot(&deletion->sweep));
        deletion->deleted++;
        slice_charge(&slice, DELETE_COST);
    }
    return sweep_is_done(&deletion->sweep, store);
}
