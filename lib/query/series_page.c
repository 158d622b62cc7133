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

struct series_page *series_page_make(struct selector *selector, uint32_t from, uint32_t limit,
                                     const struct settings *settings, struct arena *arena)
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
    while (!page->more && page->selector->failure == STATUS_OK &&
           (series = sweep_next(&page->sweep, store, slice)) != NULL) {
        bool selected = selector_matches(page->selector, store, series, page->text);
        slice_charge(slice, selector_take_cost(page->selector));
        if (!selected)
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
    return page->more || page->selector->failure != STATUS_OK || sweep_is_done(&page->sweep, store);
}

/* ---- DELETE ---- */

/* An end touches the index, two lists and the label blocks: several times what a look does. */
#define DELETE_COST 6

size_t deletion_bytes(const struct settings *settings)
{
    return sizeof(struct deletion) + series_text_bytes(settings);
}

struct deletion *deletion_make(struct selector *selector, const struct settings *settings,
                               struct arena *arena)
{
    char *at = arena_push(arena, deletion_bytes(settings));
    if (at == NULL)
        return NULL;
    struct deletion *deletion = (void *)at;
    *deletion = (struct deletion){
        .selector = selector,
        .text = at + sizeof *deletion,
        .deleting = selector->regexes == NULL,
    };
    return deletion;
}

bool deletion_step(struct deletion *deletion, struct store *store, uint32_t slice)
{
    const struct series *series;
    struct selector *selector = deletion->selector;
    while (selector->failure == STATUS_OK &&
           (series = sweep_next(&deletion->sweep, store, &slice)) != NULL) {
        bool selected =
            !series->is_overflow && selector_matches(selector, store, series, deletion->text);
        slice_charge(&slice, selector_take_cost(selector));
        if (!selected || !deletion->deleting)
            continue;
        store_delete(store, sweep_slot(&deletion->sweep));
        deletion->deleted++;
        slice_charge(&slice, DELETE_COST);
    }
    if (selector->failure != STATUS_OK)
        return true;
    bool done = sweep_is_done(&deletion->sweep, store);
    if (!done || deletion->deleting)
        return done;
    deletion->deleting = true;
    deletion->sweep.at = 0;
    return false;
}
