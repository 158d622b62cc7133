/* exposition.c: see exposition.h. */
#include "reply/exposition.h"

#include "base/ensure.h"
#include "base/number.h"
#include "ingest/label_set.h"
#include "store/classic.h"
#include "store/histogram.h"
#include "store/unique.h"

#include <math.h>

_Static_assert(HISTOGRAM_GRID_BOUNDS <= CHILD_BOUNDS_MAX, "both kinds of histogram are copied out");

struct exposition *exposition_make(const struct settings *settings, bool openmetrics,
                                   struct arena *arena)
{
    struct exposition *exposition = arena_push_zero(arena, sizeof *exposition);
    /* overflow families have names of their own, which limits.name_bytes does not bound */
    char *name = exposition == NULL ? NULL : arena_push(arena, settings->limits_name_bytes + 64);
    char *labels = name == NULL ? NULL : arena_push(arena, settings->limits_label_set_bytes + 64);
    if (labels == NULL)
        return NULL;
    exposition->openmetrics = openmetrics;
    exposition->name = name;
    exposition->labels = labels;
    return exposition;
}

/* ---- families ---- */

/*
 * In OpenMetrics a counter's # lines have its name without _total. Not so where that would leave
 * nothing, or where another metric has the shorter name already: such a counter, and one without
 * _total, keeps its name as `unknown`.
 */
static bool cuts_total(const struct exposition *exposition, const struct store *store,
                       enum kind kind)
{
    struct bytes name = {exposition->name, exposition->name_length};
    struct bytes suffix = BYTES("_total");
    if (!exposition->openmetrics || kind != KIND_COUNTER || name.length <= suffix.length ||
        !bytes_end_with(name, suffix))
        return false;
    name.length -= suffix.length;
    return store_find_family(store, name) == SLOT_NONE;
}

static struct bytes type_of(const struct exposition *exposition, enum kind kind, bool cut)
{
    switch (kind) {
    case KIND_COUNTER:
        return exposition->openmetrics && !cut ? BYTES("unknown") : BYTES("counter");
    case KIND_HISTOGRAM:
    case KIND_CLASSIC:
        return BYTES("histogram");
    case KIND_SUMMARY:
        return BYTES("summary");
    default:
        return BYTES("gauge");
    }
}

static void write_keyword(struct writer *page, const char *keyword, struct bytes name)
{
    writer_string(page, keyword);
    writer_bytes(page, name);
    writer_char(page, ' ');
}

/* HELP is kept as text 0.0.4 writes it; OpenMetrics escapes quotes too. */
static void write_help(const struct exposition *exposition, const struct store *store,
                       struct label_text help, struct writer *page)
{
    char text[512];
    ENSURE(help.length <= sizeof text);
    label_copy(&store->labels, help, text);
    for (size_t i = 0; i < help.length; i++) {
        if (exposition->openmetrics && text[i] == '"')
            writer_char(page, '\\');
        writer_char(page, text[i]);
    }
    writer_char(page, '\n');
}

static void write_unit(const struct store *store, struct label_text unit, struct bytes name,
                       struct writer *page)
{
    char text[128];
    ENSURE(unit.length <= sizeof text);
    label_copy(&store->labels, unit, text);
    struct bytes suffix = {text, unit.length};
    if (!bytes_end_with(name, suffix) || name.length == unit.length ||
        name.at[name.length - unit.length - 1] != '_')
        return; /* OpenMetrics wants the unit to be the name's last word */
    write_keyword(page, "# UNIT ", name);
    writer_bytes(page, suffix);
    writer_char(page, '\n');
}

static void write_header(const struct exposition *exposition, const struct store *store,
                         const struct family *family, struct writer *page)
{
    struct bytes name = {exposition->name, exposition->name_length};
    bool cut = cuts_total(exposition, store, family->kind);
    if (cut)
        name.length -= sizeof("_total") - 1;
    if (family->help.length > 0) {
        write_keyword(page, "# HELP ", name);
        write_help(exposition, store, family->help, page);
    } else if (family->is_overflow) {
        write_keyword(page, "# HELP ", name);
        writer_string(page, "Samples of metrics that there was no room for.\n");
    }
    if (family->unit.length > 0 && exposition->openmetrics)
        write_unit(store, family->unit, name, page);
    write_keyword(page, "# TYPE ", name);
    writer_bytes(page, type_of(exposition, family->kind, cut));
    writer_char(page, '\n');
}

static bool family_is_shown(const struct store *store, const struct family *family)
{
    return family != NULL && (family->series_count > 0 || store_family_overflowed(store, family));
}

static void family_end(struct exposition *exposition)
{
    exposition->family++;
    exposition->family_generation = 0;
}

/*
 * Stands at a family that is shown and whose header was written; false when there is none left, or
 * the page is full.
 */
static bool family_begin(struct exposition *exposition, const struct store *store,
                         struct writer *page)
{
    while (exposition->family < store->families.fresh) {
        const struct family *family = store_family(store, exposition->family);
        uint32_t generation = slots_generation(&store->families, exposition->family);
        if (family != NULL && generation == exposition->family_generation)
            return true;
        if (exposition->family_generation != 0) {
            /* the one begun here has ended; its slot is not begun twice */
            family_end(exposition);
            continue;
        }
        if (family_is_shown(store, family)) {
            size_t mark = page->used;
            exposition->name_length = family->name.length;
            label_copy(&store->labels, family->name, exposition->name);
            write_header(exposition, store, family, page);
            if (page->full) {
                writer_rewind(page, mark);
                page->full = true;
                return false;
            }
            exposition->family_generation = generation;
            exposition->series = SLOT_NONE;
            exposition->sequence = 0;
            exposition->sequence_end = family->next_sequence;
            return true;
        }
        family_end(exposition);
    }
    exposition->finished = true;
    return false;
}

/* ---- rows ---- */

/* In OpenMetrics a bound is a float: 1 is written 1.0. */
static bool needs_point(struct bytes number)
{
    for (size_t i = 0; i < number.length; i++) {
        char c = number.at[i];
        if (c != '-' && (c < '0' || c > '9'))
            return false;
    }
    return true;
}

static void write_bound(const struct exposition *exposition, struct bytes bound,
                        struct writer *page)
{
    writer_bytes(page, BYTES("le=\""));
    writer_bytes(page, bound);
    if (exposition->openmetrics && needs_point(bound))
        writer_bytes(page, BYTES(".0"));
    writer_char(page, '"');
}

static void write_labels(const struct store *store, const struct series *series,
                         struct writer *page)
{
    if (series->labels.length == 0)
        return;
    writer_char(page, '{');
    char *at = writer_take(page, series->labels.length);
    if (at != NULL)
        label_copy(&store->labels, series->labels, at);
    writer_char(page, '}');
}

static double series_value(const struct store *store, const struct series *series, enum kind kind)
{
    if (kind == KIND_GAUGE)
        return series->last;
    if (kind == KIND_SET)
        return round(hyperloglog_estimate(&store_set(store, series)->total));
    return series_total(series);
}

static void write_plain(const struct exposition *exposition, const struct store *store,
                        const struct series *series, enum kind kind, struct writer *page)
{
    writer_bytes(page, (struct bytes){exposition->name, exposition->name_length});
    write_labels(store, series, page);
    writer_char(page, ' ');
    writer_number(page, series_value(store, series, kind));
    writer_char(page, '\n');
}

/* ---- a histogram or summary ---- */

static void copy_grid(struct exposed_child *child, const struct histogram *histogram)
{
    uint64_t sum = 0;
    for (int i = 0; i < HISTOGRAM_GRID_BOUNDS; i++) {
        sum += histogram->grid[i];
        child->bounds[i] = ldexp(1, 2 * (HISTOGRAM_GRID_MIN + i));
        child->counts[i] = (double)sum;
    }
    child->bucket_count = HISTOGRAM_GRID_BOUNDS + 1;
}

static void copy_buckets(struct exposed_child *child, const struct classic *classic)
{
    memcpy(child->bounds, classic->bounds, sizeof child->bounds);
    memcpy(child->counts, classic->totals, sizeof child->counts);
    child->bucket_count = classic->bound_count + 1;
}

static void child_copy_out(struct exposition *exposition, const struct store *store,
                           const struct series *series, enum kind kind)
{
    struct exposed_child *child = &exposition->child;
    child->count = series_observations(series, kind);
    child->sum = series_total(series);
    child->bucket_count = 0;
    if (kind == KIND_HISTOGRAM)
        copy_grid(child, store_histogram(store, series));
    else if (kind == KIND_CLASSIC)
        copy_buckets(child, store_classic(store, series));
    child->row = 0;
    child->row_count = child->bucket_count + 2; /* _sum, _count */
    exposition->labels_length = series->labels.length;
    label_copy(&store->labels, series->labels, exposition->labels);
}

static void write_child_labels(const struct exposition *exposition, const struct bytes *bound,
                               struct writer *page)
{
    if (exposition->labels_length == 0 && bound == NULL)
        return;
    writer_char(page, '{');
    writer_bytes(page, (struct bytes){exposition->labels, exposition->labels_length});
    if (bound != NULL) {
        if (exposition->labels_length > 0)
            writer_char(page, ',');
        write_bound(exposition, *bound, page);
    }
    writer_char(page, '}');
}

static void write_bucket_row(const struct exposition *exposition, struct writer *page)
{
    const struct exposed_child *child = &exposition->child;
    bool is_last = child->row + 1 == child->bucket_count;
    char text[NUMBER_BYTES_MAX];
    struct bytes bound = BYTES("+Inf");
    if (!is_last)
        bound = (struct bytes){text, number_write(child->bounds[child->row], text)};
    writer_bytes(page, part_suffix(PART_BUCKET));
    write_child_labels(exposition, &bound, page);
    writer_char(page, ' ');
    writer_number(page, is_last ? child->count : child->counts[child->row]);
}

static void write_child_row(const struct exposition *exposition, struct writer *page)
{
    const struct exposed_child *child = &exposition->child;
    writer_bytes(page, (struct bytes){exposition->name, exposition->name_length});
    if (child->row < child->bucket_count) {
        write_bucket_row(exposition, page);
    } else {
        bool is_sum = child->row == child->bucket_count;
        writer_bytes(page, part_suffix(is_sum ? PART_SUM : PART_COUNT));
        write_child_labels(exposition, NULL, page);
        writer_char(page, ' ');
        writer_number(page, is_sum ? child->sum : child->count);
    }
    writer_char(page, '\n');
}

/* The rows that fit; false when the page is full before the last. */
static bool write_child(struct exposition *exposition, struct writer *page)
{
    struct exposed_child *child = &exposition->child;
    for (; child->row < child->row_count; child->row++) {
        size_t mark = page->used;
        write_child_row(exposition, page);
        if (page->full) {
            writer_rewind(page, mark);
            page->full = true;
            return false;
        }
    }
    child->row_count = 0;
    return true;
}

/* ---- series ---- */

/* The first series of the family whose sequence is not below the cursor's. */
static uint32_t series_at_cursor(const struct exposition *exposition, const struct store *store)
{
    uint32_t last = exposition->series;
    if (last != SLOT_NONE && slots_is_live(&store->series, last) &&
        slots_generation(&store->series, last) == exposition->series_generation)
        return store_series(store, last)->next;
    uint32_t at = store_family(store, exposition->family)->first;
    while (at != SLOT_NONE && store_series(store, at)->sequence < exposition->sequence)
        at = store_series(store, at)->next;
    return at;
}

static void advance(struct exposition *exposition, const struct store *store, uint32_t series)
{
    exposition->series = series;
    exposition->series_generation = slots_generation(&store->series, series);
    exposition->sequence = store_series(store, series)->sequence + 1;
}

static bool has_parts(enum kind kind)
{
    return kind == KIND_HISTOGRAM || kind == KIND_CLASSIC || kind == KIND_SUMMARY;
}

/* One series, or as many of its rows as fit; false when the page is full. */
static bool write_series(struct exposition *exposition, const struct store *store, uint32_t index,
                         struct writer *page)
{
    const struct series *series = store_series(store, index);
    enum kind kind = store_family(store, series->family)->kind;
    if (series->is_overflow && series->count == 0) { /* nobody sent it */
        advance(exposition, store, index);
        return true;
    }
    if (has_parts(kind)) {
        child_copy_out(exposition, store, series, kind);
        advance(exposition, store, index);
        return write_child(exposition, page);
    }
    size_t mark = page->used;
    write_plain(exposition, store, series, kind, page);
    if (page->full) {
        writer_rewind(page, mark);
        page->full = true;
        return false;
    }
    advance(exposition, store, index);
    return true;
}

static bool write_family(struct exposition *exposition, const struct store *store,
                         struct writer *page)
{
    uint32_t index;
    while ((index = series_at_cursor(exposition, store)) != SLOT_NONE &&
           store_series(store, index)->sequence < exposition->sequence_end) {
        if (!write_series(exposition, store, index, page))
            return false;
    }
    family_end(exposition);
    return true;
}

bool exposition_next(struct exposition *exposition, const struct store *store, struct writer *page)
{
    if (exposition->child.row_count > 0 && !write_child(exposition, page))
        return true;
    while (family_begin(exposition, store, page)) {
        if (!write_family(exposition, store, page))
            break;
    }
    return !exposition->finished;
}
