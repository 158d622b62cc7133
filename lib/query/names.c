/* names.c: see names.h. */
#include "query/names.h"

size_t names_bytes(const struct settings *settings)
{
    return sizeof(struct names) + series_text_bytes(settings);
}

static struct names *make(enum names_wanted wanted, struct selector *selector,
                          struct name_page *page, const struct settings *settings,
                          struct arena *arena)
{
    char *at = arena_push(arena, names_bytes(settings));
    if (at == NULL)
        return NULL;
    struct names *names = (void *)at;
    *names = (struct names){
        .selector = selector,
        .page = page,
        .wanted = wanted,
        .text = at + sizeof *names,
    };
    return names;
}

struct names *names_make_labels(struct selector *selector, struct name_page *page,
                                const struct settings *settings, struct arena *arena)
{
    return make(NAMES_LABELS, selector, page, settings, arena);
}

struct names *names_make_values(struct bytes label, struct selector *selector,
                                struct name_page *page, const struct settings *settings,
                                struct arena *arena)
{
    bool of_metrics = bytes_equal(label, BYTES(METRIC_NAME_LABEL));
    struct names *names =
        make(of_metrics ? NAMES_METRICS : NAMES_VALUES, selector, page, settings, arena);
    if (names != NULL)
        names->label = label;
    return names;
}

static void add_label_names(struct name_page *page, struct bytes labels)
{
    struct label label;
    name_page_add(page, BYTES(METRIC_NAME_LABEL));
    while (label_text_next(&labels, &label))
        name_page_add(page, label.name);
}

static void add_value(struct names *names, struct bytes labels)
{
    struct label label;
    while (label_text_next(&labels, &label)) {
        if (bytes_equal(label.name, names->label)) {
            name_page_add(names->page, label_raw_value(&label, names->text));
            return;
        }
    }
}

static void look_at(struct names *names, const struct store *store, const struct series *series)
{
    if (names->wanted == NAMES_METRICS) {
        if (selector_matches(names->selector, store, series, names->text))
            name_page_add(names->page, series_name(store, series, names->text));
        return;
    }
    if (!selector_matches_name(names->selector, store, series))
        return;
    struct bytes labels = series_labels(store, series, names->text);
    if (!selector_matches_labels(names->selector, labels))
        return;
    if (names->wanted == NAMES_VALUES)
        add_value(names, labels);
    else
        add_label_names(names->page, labels);
}

bool names_step(struct names *names, const struct store *store, uint32_t slice)
{
    const struct series *series;
    struct selector *selector = names->selector;
    while (selector->failure == STATUS_OK &&
           (series = sweep_next(&names->sweep, store, &slice)) != NULL) {
        look_at(names, store, series);
        slice_charge(&slice, selector_take_cost(selector));
    }
    return selector->failure != STATUS_OK || sweep_is_done(&names->sweep, store);
}
