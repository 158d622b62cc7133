/* summary.c: see summary.h. */
#include "query/summary.h"

#include "base/ensure.h"
#include "base/hash.h"

#include <math.h>

#define BLOCK_VALUES 256
#define TABLE_PLACES_MIN 64
#define LENGTH_BYTES 2

/* ---- moments ---- */

/* high + low is exactly the sum of what they were and the addend, but for low's own rounding. */
static inline void twofold_add(struct twofold *number, double addend)
{
    double sum = number->high + addend;
    double taken = sum - number->high;
    number->low += (number->high - (sum - taken)) + (addend - taken);
    number->high = sum;
}

static double twofold_value(struct twofold number)
{
    double value = number.high + number.low;
    return isfinite(number.high) ? value : number.high; /* low is NaN beyond the range */
}

/* Merges the open block into the whole ones. */
static void moments_merge(struct moments *moments)
{
    double count = moments->block_count;
    double before = (double)moments->count;
    double all = before + count;
    double offset = moments->block_sum / count;
    double apart = (moments->shift - moments->mean.high) - moments->mean.low + offset;
    moments->squares += moments->block_squares - moments->block_sum * offset;
    if (moments->count == 0) { /* the square of a large first mean would leave the range */
        moments->mean = (struct twofold){moments->shift, 0};
        apart = offset;
    } else {
        moments->squares += apart * apart * (before * count / all);
    }
    twofold_add(&moments->mean, apart * (count / all));
    moments->count += moments->block_count;
    moments->block_count = 0;
}

static inline void moments_observe(struct moments *moments, double value)
{
    if (moments->block_count == 0) {
        moments->shift = value;
        moments->block_sum = moments->block_squares = 0;
    }
    double distance = value - moments->shift;
    moments->block_sum += distance;
    moments->block_squares += distance * distance;
    if (++moments->block_count == BLOCK_VALUES)
        moments_merge(moments);
}

/* ---- groups ---- */

static size_t key_bytes_max(const struct summary *summary)
{
    return summary->settings->limits_label_set_bytes + summary->options->by_count * LENGTH_BYTES;
}

bool summary_init(struct summary *summary, const struct summary_options *options,
                  const struct settings *settings, uint64_t seed, struct arena *arena)
{
    *summary = (struct summary){
        .options = options,
        .settings = settings,
        .arena = arena,
        .seed = seed,
        .table_mask = TABLE_PLACES_MIN - 1,
    };
    summary->table = arena_push_zero(arena, TABLE_PLACES_MIN * sizeof *summary->table);
    if (summary->table != NULL)
        summary->key = arena_push(arena, key_bytes_max(summary));
    return summary->table != NULL && summary->key != NULL;
}

/* The place of the group with this key, or the one where it would be. */
static struct summary_group **place_find(const struct summary *summary, uint64_t hash)
{
    struct bytes key = {summary->key, summary->key_length};
    for (size_t at = hash;; at++) {
        struct summary_group **place = &summary->table[at & summary->table_mask];
        const struct summary_group *group = *place;
        if (group == NULL || (group->hash == hash &&
                              bytes_equal(key, (struct bytes){group->key, group->key_length})))
            return place;
    }
}

/* Twice as many places. The old ones stay in the arena: all there were are less than the new. */
static bool table_grow(struct summary *summary)
{
    size_t places = (summary->table_mask + 1) * 2;
    struct summary_group **table = arena_push_zero(summary->arena, places * sizeof *table);
    if (table == NULL)
        return false;
    summary->table = table;
    summary->table_mask = places - 1;
    ENSURE(summary->overflow == NULL); /* it comes when there are no more groups to place */
    for (struct summary_group *group = summary->first; group != NULL; group = group->next) {
        size_t at = group->hash;
        while (table[at & summary->table_mask] != NULL)
            at++;
        table[at & summary->table_mask] = group;
    }
    return true;
}

/* A group of this key at the end of the list; NULL when the arena refused. */
static struct summary_group *group_push(struct summary *summary, uint64_t hash, struct bytes key)
{
    struct summary_group *group = arena_push_zero(summary->arena, sizeof *group + key.length);
    if (group == NULL)
        return NULL;
    if (summary->options->quantile_count > 0) {
        group->histogram = arena_push(summary->arena, sizeof *group->histogram);
        if (group->histogram == NULL)
            return NULL;
        exp_histogram_init(group->histogram);
    }
    group->hash = hash;
    group->min = INFINITY;
    group->max = -INFINITY;
    group->key_length = (uint32_t)key.length;
    memcpy(group->key, key.at, key.length);
    if (summary->last == NULL)
        summary->first = group;
    else
        summary->last->next = group;
    summary->last = group;
    return group;
}

static enum status overflow_find(struct summary *summary, struct summary_group **group)
{
    if (summary->overflow == NULL) {
        summary->overflow = group_push(summary, 0, BYTES(""));
        if (summary->overflow == NULL)
            return summary->arena->refusal;
        summary->overflow->overflow = true;
    }
    *group = summary->overflow;
    return STATUS_OK;
}

static bool key_is_utf8(const struct summary *summary)
{
    struct bytes key = {summary->key, summary->key_length};
    while (key.length > 0) {
        if (!bytes_are_utf8(summary_key_next(&key)))
            return false;
    }
    return true;
}

/* The first value of this key. */
static enum status group_admit(struct summary *summary, uint64_t hash, struct summary_group **place,
                               struct summary_group **group)
{
    if (!key_is_utf8(summary))
        return STATUS_BAD_UTF8;
    if (summary->group_count >= summary->settings->limits_summary_groups)
        return overflow_find(summary, group);
    if (summary->group_count >= (summary->table_mask + 1) / 2) {
        if (!table_grow(summary))
            return summary->arena->refusal;
        place = place_find(summary, hash);
    }
    *group = group_push(summary, hash, (struct bytes){summary->key, summary->key_length});
    if (*group == NULL)
        return summary->arena->refusal;
    *place = *group;
    summary->group_count++;
    return STATUS_OK;
}

static enum status group_find(struct summary *summary, struct summary_group **group)
{
    uint64_t hash = hash_bytes((struct bytes){summary->key, summary->key_length}, summary->seed);
    struct summary_group **place = place_find(summary, hash);
    *group = *place;
    return *group != NULL ? STATUS_OK : group_admit(summary, hash, place, group);
}

/* ---- keys ---- */

char *summary_key_take(struct summary *summary, size_t most)
{
    size_t room = key_bytes_max(summary) - summary->key_length;
    if (room < LENGTH_BYTES || most > room - LENGTH_BYTES)
        return NULL;
    return summary->key + summary->key_length + LENGTH_BYTES;
}

void summary_key_add(struct summary *summary, size_t length)
{
    uint16_t written = (uint16_t)length; /* limits.label_set_bytes is at most 8 KiB */
    memcpy(summary->key + summary->key_length, &written, LENGTH_BYTES);
    summary->key_length += LENGTH_BYTES + length;
}

struct bytes summary_key_next(struct bytes *key)
{
    uint16_t length;
    ENSURE(key->length >= LENGTH_BYTES);
    memcpy(&length, key->at, LENGTH_BYTES);
    struct bytes text = {key->at + LENGTH_BYTES, length};
    ENSURE(key->length - LENGTH_BYTES >= length);
    *key = (struct bytes){text.at + length, key->length - LENGTH_BYTES - length};
    return text;
}

/* ---- values ---- */

static bool is_of(const struct summary *summary, const struct summary_group *group)
{
    return group != NULL && !group->overflow &&
           bytes_equal((struct bytes){summary->key, summary->key_length},
                       (struct bytes){group->key, group->key_length});
}

enum status summary_add(struct summary *summary, double value)
{
    struct summary_group *group = summary->recent;
    if (!is_of(summary, group)) {
        enum status status = group_find(summary, &group);
        if (status != STATUS_OK)
            return status;
        summary->recent = group;
    }
    summary->rows++;
    group->count++;
    twofold_add(&group->sum, value);
    moments_observe(&group->moments, value);
    group->min = value < group->min ? value : group->min;
    group->max = value > group->max ? value : group->max;
    if (group->histogram != NULL)
        exp_histogram_observe(group->histogram, value);
    return STATUS_OK;
}

/* ---- figures ---- */

static double clamp(double value, double least, double most)
{
    if (value < least)
        return least;
    return value > most ? most : value;
}

/* The sum is exact to its last digits; where it leaves the range, the moments' mean may not. */
static double mean_of(const struct moments *moments, double sum, const struct summary_group *group)
{
    double mean = sum / (double)moments->count;
    if (!isfinite(mean))
        mean = twofold_value(moments->mean);
    return isfinite(mean) ? clamp(mean, group->min, group->max) : mean;
}

void summary_group_figures(const struct summary *summary, const struct summary_group *group,
                           struct summary_figures *figures)
{
    struct moments moments = group->moments;
    if (moments.block_count > 0)
        moments_merge(&moments);
    ENSURE(moments.count == group->count);
    ENSURE(group->count > 0);
    double squares = moments.squares < 0 ? 0 : moments.squares; /* rounding, or NaN, which stays */
    figures->sum = twofold_value(group->sum);
    figures->mean = mean_of(&moments, figures->sum, group);
    figures->deviation = sqrt(squares / (double)moments.count);
    figures->relative_error = 0;
    if (group->histogram == NULL)
        return;
    figures->relative_error = exp_histogram_relative_error(group->histogram);
    for (uint32_t i = 0; i < summary->options->quantile_count; i++)
        figures->quantiles[i] =
            clamp(exp_histogram_quantile(group->histogram, summary->options->quantiles[i]),
                  group->min, group->max);
}

double summary_relative_error(const struct summary *summary)
{
    double worst = 0;
    for (const struct summary_group *group = summary->first; group != NULL; group = group->next) {
        if (group->histogram != NULL)
            worst = fmax(worst, exp_histogram_relative_error(group->histogram));
    }
    return worst;
}
