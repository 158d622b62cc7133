/* model.c: see model.h. */
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `*at` with room for `wanted` things. */
static void *grown(void *at, size_t wanted, size_t *size, size_t bytes)
{
    if (wanted <= *size)
        return at;
    *size = 2 * wanted;
    at = realloc(at, *size * bytes);
    if (at == NULL)
        abort();
    return at;
}

/* ---- which series, which window ---- */

/* The series that took the sample just applied: its own, or an overflow series. */
const struct series *model_series(const struct store *store, const struct sample *sample)
{
    const struct series *series = store_find(store, sample);
    if (series != NULL)
        return series;
    uint32_t family = store_find_family(store, sample_name(sample));
    if (family == SLOT_NONE)
        family = store->overflow_family[sample->kind];
    return store_series(store, store_family(store, family)->overflow);
}

/* Has sealing passed the series in this window already, or left it to the next one? */
static bool is_passed(const struct history *history, uint64_t family, uint64_t sequence)
{
    if (!history->seal.is_going_on)
        return false;
    if (family != history->seal.family_id)
        return family < history->seal.family_id || family >= history->seal.id_end;
    return history->seal.is_done || sequence < history->seal.cursor.sequence ||
           sequence >= history->seal.sequence_end;
}

static uint32_t window_of(const struct history *history, uint64_t family, uint64_t sequence)
{
    return is_passed(history, family, sequence) ? history->seal.next : history->seal.window;
}

static bool is_sealed(const struct history *history, const struct entry *entry)
{
    if (entry->window != history->seal.window)
        return entry->window < history->seal.window;
    return is_passed(history, entry->family, entry->sequence);
}

/* ---- the log ---- */

/* The entries of that window are at the place or behind it. */
static void mark(struct model *model, uint32_t window, size_t at)
{
    uint32_t last = model->mark_count > 0 ? model->marks[model->mark_count - 1].window : 0;
    if (last == window && at < model->marks[model->mark_count - 1].at)
        model->marks[model->mark_count - 1].at = at;
    if (last >= window)
        return;
    model->marks =
        grown(model->marks, model->mark_count + 1, &model->mark_size, sizeof model->marks[0]);
    model->marks[model->mark_count].window = window;
    model->marks[model->mark_count++].at = at;
}

size_t model_find(const struct model *model, uint32_t window)
{
    size_t low = 0;
    size_t high = model->mark_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (model->marks[middle].window < window)
            low = middle + 1;
        else
            high = middle;
    }
    return low == model->mark_count ? model->count : model->marks[low].at;
}

/* Each observation as the bound of the bucket that it is in; the last bucket's is infinite. */
static void keep_observations(struct model *model, struct entry *entry, const struct child *child)
{
    uint32_t count = (uint32_t)child->count;
    model->observations = grown(model->observations, model->observation_count + count,
                                &model->observation_size, sizeof(double));
    entry->observed.first = (uint32_t)model->observation_count;
    entry->observed.count = count;
    entry->observed.sum = child->sum;
    for (uint32_t i = 0, bucket = 0; i < count; i++) {
        while (bucket < child->bound_count && i >= child->counts[bucket])
            bucket++;
        model->observations[model->observation_count++] =
            bucket < child->bound_count ? child->bounds[bucket] : INFINITY;
    }
}

/* ---- odd samples: what damaged bodies come to, which the model does not follow ---- */

#define OBSERVED_MAX 4096
#define VALUE_MAX 1e8
#define GRAIN 1024 /* sums of whole numbers of 1/1024 are exact however they are added up */

static bool is_odd_value(double value)
{
    return !(fabs(value) <= VALUE_MAX) || floor(value * GRAIN) < value * GRAIN;
}

static bool is_odd_child(const struct child *child, enum kind kind)
{
    double last = child->bound_count == 0 ? 0 : child->counts[child->bound_count - 1];
    bool odd = !child->has_sum || !child->has_count || child->has_buckets != (kind == KIND_CLASSIC);
    odd |= !(child->count >= 1 && child->count <= OBSERVED_MAX) ||
           floor(child->count) < child->count || last > child->count;
    for (uint32_t i = 0; i < child->bound_count; i++)
        odd |= floor(child->counts[i]) < child->counts[i];
    return odd || child->lost_bounds > 0 || is_odd_value(child->sum);
}

static bool is_odd_label(struct bytes labels)
{
    for (size_t i = 0; i < labels.length; i++) {
        unsigned char c = (unsigned char)labels.at[i];
        if (c < ' ' || c > '~' || c == '\\' || c == '!')
            return true;
    }
    return false;
}

static bool is_odd(const struct sample *sample)
{
    if (sample->kind == KIND_SET)
        return false;
    if (kind_has_children((enum kind)sample->kind))
        return is_odd_child(sample->child, (enum kind)sample->kind);
    return is_odd_value(sample->value);
}

/* What the sample adds to a total; gauges and sets have none. */
static double total_of(const struct sample *sample)
{
    if (sample->kind == KIND_GAUGE || sample->kind == KIND_SET)
        return 0;
    return kind_has_children((enum kind)sample->kind) ? sample->child->sum : sample->value;
}

/* A gauge's value that is not finite is in no window; it is the last one all the same. */
static bool is_outside(const struct sample *sample)
{
    return sample->kind == KIND_GAUGE && !isfinite(sample->value);
}

static void fill(struct model *model, struct entry *entry, const struct sample *sample)
{
    entry->is_odd = is_odd(sample);
    entry->is_outside = is_outside(sample);
    if (entry->is_odd)
        model->odd++;
    else if (kind_has_children((enum kind)sample->kind))
        keep_observations(model, entry, sample->child);
    else if (sample->kind == KIND_SET)
        entry->member = sample->member;
    else
        entry->value = sample->value;
    model->sum += entry->is_odd ? 0 : total_of(sample);
}

void model_apply(struct model *model, const struct engine *engine, const struct series *series,
                 const struct sample *sample)
{
    const struct family *family = store_family(&engine->store, series->family);
    struct entry entry = {
        .family = family->id,
        .sequence = series->sequence,
        .window = window_of(&engine->history, family->id, series->sequence),
        .open_window = engine->history.seal.window,
        .kind = sample->kind,
    };
    fill(model, &entry, sample);
    if (sample->kind == KIND_GAUGE) {
        entry.last = series->last;
        entry.last_ms = series->last_ms;
        entry.is_odd |= !isfinite(series->last);
    }
    mark(model, entry.window, model->count);
    model->entries = grown(model->entries, model->count + 1, &model->size, sizeof entry);
    model->entries[model->count++] = entry;
}

void model_delete(struct model *model, const struct engine *engine, uint32_t slot)
{
    const struct series *series = store_series(&engine->store, slot);
    const struct history *history = &engine->history;
    uint64_t sequence = series->sequence;
    uint64_t before = store_family(&engine->store, series->family)->id;
    uint64_t after = engine->store.next_family_id;
    for (size_t i = model_find(model, history->seal.window); i < model->count; i++) {
        struct entry *entry = &model->entries[i];
        if (entry->family != before || is_sealed(history, entry))
            continue;
        entry->family = entry->sequence == sequence ? 0 : after;
        /* a pass that is going on leaves the family to the next one */
        entry->window = history->seal.is_going_on ? history->seal.next : history->seal.window;
        mark(model, entry->window, i);
    }
    model->deleted_sum += series_total(series);
}

struct model_total model_total(const struct model *model, enum kind kind, uint32_t from_window)
{
    struct model_total total = {0};
    for (size_t i = model_find(model, from_window); i < model->count; i++) {
        const struct entry *entry = &model->entries[i];
        if (entry->kind != kind || entry->family == 0 || entry->window < from_window)
            continue;
        total.samples += !entry->is_outside;
        if (entry->is_odd || kind == KIND_SET)
            continue;
        total.observations += kind_has_children(kind) ? entry->observed.count : 0;
        total.sum += kind_has_children(kind) ? entry->observed.sum : entry->value;
    }
    return total;
}

/* ---- labels ---- */

/* name="value", of labels that are not odd. False at the end. */
static bool next_label(const char **at, struct bytes *name, struct bytes *value)
{
    if (**at == '\0')
        return false;
    if (**at == ',')
        (*at)++;
    const char *equals = strchr(*at, '=');
    const char *quote = strchr(equals + 2, '"');
    *name = (struct bytes){*at, (size_t)(equals - *at)};
    *value = (struct bytes){equals + 2, (size_t)(quote - equals - 2)};
    *at = quote + 1;
    return true;
}

static struct bytes label_value(const char *labels, const char *wanted)
{
    struct bytes name, value;
    while (next_label(&labels, &name, &value)) {
        if (bytes_equal(name, bytes_of(wanted)))
            return value;
    }
    return (struct bytes){"", 0};
}

/* One of the expression's alternatives; `length` of them up to the | or the end. */
static bool alternative_holds(const char *text, size_t length, struct bytes value)
{
    struct bytes part = {text, length};
    if (!bytes_end_with(part, BYTES(".*")))
        return bytes_equal(part, value);
    part.length -= 2;
    return bytes_start_with(value, part);
}

static bool regex_holds(const char *text, struct bytes value)
{
    for (;;) {
        size_t length = strcspn(text, "|");
        if (alternative_holds(text, length, value))
            return true;
        if (text[length] == '\0')
            return false;
        text += length + 1;
    }
}

static bool match_holds(const struct model_match *match, const char *labels)
{
    struct bytes value = label_value(labels, match->label);
    if (match->operator== MATCH_REGEX)
        return regex_holds(match->value, value);
    return bytes_equal(value, bytes_of(match->value)) == (match->operator== MATCH_EQUAL);
}

static bool is_asked_for(const struct model_question *question, const char *labels)
{
    for (uint32_t i = 0; i < question->match_count; i++) {
        if (!match_holds(&question->matches[i], labels))
            return false;
    }
    return true;
}

static bool is_listed(const struct model_question *question, struct bytes name)
{
    for (uint32_t i = 0; i < question->label_count; i++) {
        if (bytes_equal(name, bytes_of(question->labels[i])))
            return true;
    }
    return false;
}

/* What by= or without= leaves of the labels. */
static void key_of(const struct model_question *question, const char *labels, char key[static 256])
{
    struct bytes name, value;
    size_t used = 0;
    key[0] = '\0';
    while (next_label(&labels, &name, &value)) {
        if (is_listed(question, name) == question->without)
            continue;
        used += (size_t)snprintf(key + used, 256 - used, "%s%.*s=\"%.*s\"", used > 0 ? "," : "",
                                 (int)name.length, name.at, (int)value.length, value.at);
    }
}

/* ---- answers ---- */

#define NOT_ASKED UINT32_MAX

/* The family's series that live now, oldest first, and the group of each. */
struct live {
    uint64_t *sequences;
    uint32_t *groups;
    size_t count;
};

static uint32_t group_of_labels(struct model_answer *answer, const struct model_question *question,
                                const char *labels)
{
    char key[256];
    if (!is_asked_for(question, labels))
        return NOT_ASKED;
    key_of(question, labels, key);
    uint32_t group = model_group(answer, bytes_of(key));
    if (group == answer->group_count)
        memcpy(answer->groups[answer->group_count++], key, sizeof key);
    return group;
}

static struct live live_series(const struct store *store, const struct family *family,
                               const struct model_question *question, struct model_answer *answer)
{
    size_t most = family->series_count + 1;
    struct live live = {calloc(most, sizeof *live.sequences), calloc(most, sizeof *live.groups), 0};
    answer->groups = malloc(most * sizeof answer->groups[0]);
    if (live.sequences == NULL || live.groups == NULL || answer->groups == NULL)
        abort();
    for (uint32_t at = family->first; at != SLOT_NONE; at = store_series(store, at)->next) {
        char labels[256];
        const struct series *series = store_series(store, at);
        label_copy(&store->labels, series->labels, labels);
        labels[series->labels.length] = '\0';
        answer->is_odd |= is_odd_label((struct bytes){labels, series->labels.length});
        if (answer->is_odd)
            break;
        live.sequences[live.count] = series->sequence;
        live.groups[live.count++] = group_of_labels(answer, question, labels);
    }
    if (answer->is_odd)
        return live;
    answer->overflow_is_alone = live.groups[0] != NOT_ASKED;
    for (size_t i = 1; i < live.count; i++)
        answer->overflow_is_alone &= live.groups[i] != live.groups[0];
    return live;
}

/* Those that have ended are answered under the overflow series, which is the first. */
static uint32_t group_of(const struct live *live, uint64_t sequence)
{
    for (size_t i = 0; i < live->count; i++) {
        if (live->sequences[i] == sequence)
            return live->groups[i];
    }
    return live->groups[0];
}

static int compare_places(const void *a, const void *b)
{
    const struct model_place *left = a;
    const struct model_place *right = b;
    if (left->group != right->group)
        return left->group < right->group ? -1 : 1;
    if (left->bucket != right->bucket)
        return left->bucket < right->bucket ? -1 : 1;
    return (left->entry > right->entry) - (left->entry < right->entry);
}

static void add_place(struct model_answer *answer, size_t *size, struct model_place place)
{
    answer->places = grown(answer->places, answer->place_count + 1, size, sizeof answer->places[0]);
    answer->places[answer->place_count++] = place;
}

void model_ask(const struct model *model, const struct store *store, const struct family *family,
               const struct model_question *question, struct model_answer *answer)
{
    size_t size = 0;
    *answer = (struct model_answer){0};
    struct live live = live_series(store, family, question, answer);
    size_t from = model_find(model, store_window_at(store, question->start_ms));
    for (size_t i = answer->is_odd ? model->count : from; i < model->count; i++) {
        const struct entry *entry = &model->entries[i];
        int64_t start_ms = store_window_start(store, entry->window);
        if (store_window_start(store, entry->open_window) >= question->end_ms)
            break;
        if (entry->family != family->id || start_ms < question->start_ms ||
            start_ms >= question->end_ms)
            continue;
        answer->is_odd |= entry->is_odd;
        uint32_t group = group_of(&live, entry->sequence);
        uint64_t bucket = (uint64_t)((start_ms - question->start_ms) / question->step_ms);
        if (group != NOT_ASKED)
            add_place(answer, &size, (struct model_place){group, bucket, entry});
    }
    if (answer->place_count > 0)
        qsort(answer->places, answer->place_count, sizeof answer->places[0], compare_places);
    free(live.sequences);
    free(live.groups);
}

void model_answer_end(struct model_answer *answer)
{
    free(answer->groups);
    free(answer->places);
}

uint32_t model_group(const struct model_answer *answer, struct bytes labels)
{
    uint32_t group = 0;
    while (group < answer->group_count && !bytes_equal(labels, bytes_of(answer->groups[group])))
        group++;
    return group;
}

static size_t first_place(const struct model_answer *answer, uint32_t group, uint64_t bucket)
{
    size_t low = 0;
    size_t high = answer->place_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct model_place *place = &answer->places[middle];
        if (place->group < group || (place->group == group && place->bucket < bucket))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t model_bucket(const struct model_answer *answer, uint32_t group, uint64_t bucket,
                    const struct model_place **first)
{
    size_t from = first_place(answer, group, bucket);
    size_t to = first_place(answer, group, bucket + 1);
    *first = from < to ? &answer->places[from] : NULL;
    return to - from;
}

void model_end(struct model *model)
{
    free(model->entries);
    free(model->observations);
    free(model->marks);
    *model = (struct model){0};
}
