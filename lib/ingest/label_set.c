/* label_set.c: see label_set.h. */
#include "ingest/label_set.h"

#include "base/ensure.h"
#include "base/scan.h"

const struct label *label_list_find(const struct label_list *list, struct bytes name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (bytes_equal(list->labels[i].name, name))
            return &list->labels[i];
    }
    return NULL;
}

bool label_list_take(struct label_list *list, struct bytes name, struct bytes *value)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (!bytes_equal(list->labels[i].name, name))
            continue;
        *value = list->labels[i].value;
        list->count--;
        memmove(&list->labels[i], &list->labels[i + 1],
                (list->count - i) * sizeof list->labels[0]);
        return true; /* what was sorted still is */
    }
    return false;
}

/* Insertion sort of positions: a series has a handful of labels, mostly in order already. */
static void sort(struct label_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t at = i;
        while (at > 0 && label_name_before(list->labels[i].name,
                                           list->labels[list->order[at - 1]].name)) {
            list->order[at] = list->order[at - 1];
            at--;
        }
        list->order[at] = (uint8_t)i;
    }
}

static bool has_duplicate(const struct label_list *list)
{
    for (uint32_t i = 1; i < list->count; i++) {
        if (bytes_equal(list->labels[list->order[i - 1]].name, list->labels[list->order[i]].name))
            return true;
    }
    return false;
}

struct refusal label_list_finish(struct label_list *list, const struct settings *settings)
{
    if (list->count > settings->limits_labels)
        return refusal_of(STATUS_TOO_MANY_LABELS, settings);
    if (label_list_bytes(list) > settings->limits_label_set_bytes)
        return refusal_of(STATUS_LABEL_SET_TOO_LONG, settings);
    sort(list);
    if (!list->sorted && has_duplicate(list))
        return refusal_plain(STATUS_DUPLICATE_LABEL);
    return refusal_plain(STATUS_OK);
}

/* name="value" */
static size_t quoted_bytes(const struct label *label)
{
    return label->name.length + label->value.length + sizeof("=\"\"") - 1;
}

size_t label_list_bytes(const struct label_list *list)
{
    size_t bytes = list->count > 0 ? list->count - 1 : 0; /* commas */
    for (uint32_t i = 0; i < list->count; i++)
        bytes += quoted_bytes(&list->labels[i]);
    return bytes;
}

static char *append(char *out, struct bytes text)
{
    memcpy(out, text.at, text.length);
    return out + text.length;
}

void label_list_write(const struct label_list *list, char *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct label *label = &list->labels[list->order[i]];
        if (i > 0)
            *out++ = ',';
        if (list->joined) {
            out = append(out, (struct bytes){label->name.at, quoted_bytes(label)});
            continue;
        }
        out = append(out, label->name);
        *out++ = '=';
        *out++ = '"';
        out = append(out, label->value);
        *out++ = '"';
    }
}

/* `text` has room for all of it. */
static bool stands_at(const char *text, const struct label *label, bool joined)
{
    const char *value = text + label->name.length + 2;
    if (joined)
        return memcmp(text, label->name.at, quoted_bytes(label)) == 0;
    return memcmp(text, label->name.at, label->name.length) == 0 && value[-2] == '=' &&
           value[-1] == '"' && memcmp(value, label->value.at, label->value.length) == 0 &&
           value[label->value.length] == '"';
}

bool label_list_is(const struct label_list *list, struct bytes text)
{
    if (label_list_bytes(list) != text.length)
        return false;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct label *label = &list->labels[list->order[i]];
        if (i > 0 && *text.at++ != ',')
            return false;
        if (!stands_at(text.at, label, list->joined))
            return false;
        text.at += quoted_bytes(label);
    }
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(struct bytes name, bool colons)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.at[i];
        bool digit = i > 0 && c >= '0' && c <= '9';
        if (!is_letter(c) && !digit && !(colons && c == ':'))
            return false;
    }
    return name.length > 0;
}

struct refusal label_name_check(struct bytes name, const struct settings *settings)
{
    if (name.length > settings->limits_label_name_bytes)
        return refusal_of(STATUS_LABEL_NAME_TOO_LONG, settings);
    if (!is_name(name, false) || bytes_start_with(name, BYTES("__")))
        return refusal_plain(STATUS_BAD_LABEL_NAME);
    return refusal_plain(STATUS_OK);
}

struct refusal metric_name_check(struct bytes name, const struct settings *settings)
{
    if (name.length > settings->limits_name_bytes)
        return refusal_of(STATUS_NAME_TOO_LONG, settings);
    if (!is_name(name, true))
        return refusal_plain(STATUS_BAD_NAME);
    if (bytes_start_with(name, BYTES("mayfly_")))
        return refusal_plain(STATUS_RESERVED_NAME);
    return refusal_plain(STATUS_OK);
}

size_t label_value_escape(struct bytes value, char *out)
{
    char *at = out;
    for (size_t i = 0; i < value.length; i++) {
        char c = value.at[i];
        if (c == '\\' || c == '"' || c == '\n')
            *at++ = '\\';
        *at++ = c == '\n' ? 'n' : c;
    }
    return (size_t)(at - out);
}

size_t label_value_unescape(struct bytes escaped, char *out)
{
    char *at = out;
    for (size_t i = 0; i < escaped.length; i++) {
        char c = escaped.at[i];
        if (c == '\\') {
            ENSURE(i + 1 < escaped.length);
            c = escaped.at[++i];
            c = c == 'n' ? '\n' : c;
        }
        *at++ = c;
    }
    return (size_t)(at - out);
}

bool label_text_next(struct bytes *text, struct label *label)
{
    if (text->length == 0)
        return false;
    const char *end = text->at + text->length;
    const char *equals = memchr(text->at, '=', text->length);
    ENSURE(equals != NULL && end - equals >= 3);
    const char *value = equals + 2;
    const char *at = scan_quoted(value, end);
    while (at < end && *at != '"') /* an escape, or a byte of UTF-8 */
        at = scan_quoted(at + (*at == '\\' ? 2 : 1), end);
    ENSURE(at < end);
    label->name = (struct bytes){text->at, (size_t)(equals - text->at)};
    label->value = (struct bytes){value, (size_t)(at - value)};
    at += at + 1 < end ? 2 : 1; /* the quote, and the comma when there is one */
    *text = (struct bytes){at, (size_t)(end - at)};
    return true;
}
