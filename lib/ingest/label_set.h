/*
 * label_set.h: labels as they come, made canonical: checked, sorted by name, written as they stand
 * in an exposition.
 *
 *     {b="2", a="x\ty"}  ──label_list_add──>  list  ──label_list_finish──>  a="x\\ty",b="2"
 *
 * Lifetime: one line. The list is on the stack and borrows the line. Threads: one.
 */
#ifndef INGEST_LABEL_SET_H
#define INGEST_LABEL_SET_H

#include "base/settings.h"
#include "base/status.h"

/* limits.labels may be at most 64; two more for what a path adds before the limit is checked. */
#define LABEL_LIST_MAX 66

struct label {
    struct bytes name;
    struct bytes value; /* escaped: as it stands between the quotes */
};

struct label_list {
    uint32_t count;
    bool sorted; /* names strictly ascending so far, so none is twice */
    bool joined; /* each label stands in one piece in its line: name="value" */
    uint8_t order[LABEL_LIST_MAX]; /* once finished: the labels by name */
    struct label labels[LABEL_LIST_MAX];
};

static inline void label_list_init(struct label_list *list)
{
    list->count = 0;
    list->sorted = true;
    list->joined = false;
}

/* True when `before` sorts before `after`. Names mostly differ in their first byte. */
static inline bool label_name_before(struct bytes before, struct bytes after)
{
    if (before.length > 0 && after.length > 0 && before.at[0] != after.at[0])
        return (unsigned char)before.at[0] < (unsigned char)after.at[0];
    return bytes_compare(before, after) < 0;
}

/*
 * Appends a label whose name and value were checked. False when the list is full. In the header, so
 * that a label goes into its place from registers: by way of the stack it costs the hot path a
 * stalled load.
 */
static inline bool label_list_add(struct label_list *list, struct label label)
{
    if (list->count == LABEL_LIST_MAX)
        return false;
    if (list->count > 0 && list->sorted)
        list->sorted = label_name_before(list->labels[list->count - 1].name, label.name);
    list->labels[list->count].name = label.name;
    list->labels[list->count].value = label.value;
    list->count++;
    return true;
}

/* NULL when no label has that name. */
const struct label *label_list_find(const struct label_list *list, struct bytes name);

/* Takes the first label of that name out, before the list is finished. False: there is none. */
bool label_list_take(struct label_list *list, struct bytes name, struct bytes *value);

/*
 * Checks number and total length against the limits; sorts where needed. DUPLICATE_LABEL when a
 * name is there twice.
 */
struct refusal label_list_finish(struct label_list *list, const struct settings *settings);

/* Bytes of the canonical text: name="value" with commas between. */
size_t label_list_bytes(const struct label_list *list);

/* Writes the canonical text of a finished list into `out`, label_list_bytes of it. */
void label_list_write(const struct label_list *list, char *out);

/* Would a finished list be written as just this text? */
bool label_list_is(const struct label_list *list, struct bytes text);

/* [a-zA-Z_][a-zA-Z0-9_]*, not beginning with __, within its limit. */
struct refusal label_name_check(struct bytes name, const struct settings *settings);

/* [a-zA-Z_:][a-zA-Z0-9_:]*, not beginning with mayfly_, within its limit. */
struct refusal metric_name_check(struct bytes name, const struct settings *settings);

/*
 * Escapes \, " and newline as the exposition does. Returns the length; `out` has room for 2 *
 * value.length.
 */
size_t label_value_escape(struct bytes value, char *out);

/*
 * The other way round; `escaped` is well formed. Returns the length; `out` has room for
 * escaped.length.
 */
size_t label_value_unescape(struct bytes escaped, char *out);

/*
 * Walks a canonical text: takes the next label off its front. False at the end. The value is
 * escaped.
 */
bool label_text_next(struct bytes *text, struct label *label);

#endif
