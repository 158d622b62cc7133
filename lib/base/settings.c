/* settings.c: see settings.h. */
#include "base/settings.h"

#include "base/ensure.h"
#include "base/number.h"

#include <assert.h>

#define SETTING(ident, path_, kind_, initial_, floor_, ceiling_, reason_)                          \
    {                                                                                              \
        .path = path_,                                                                             \
        .kind = SETTING_##kind_,                                                                   \
        .offset = offsetof(struct settings, ident),                                                \
        .initial = initial_,                                                                       \
        .floor = floor_,                                                                           \
        .ceiling = ceiling_,                                                                       \
        .reason = reason_,                                                                         \
    },
#define TEXT(ident, path_, initial_, reason_)                                                      \
    {                                                                                              \
        .path = path_,                                                                             \
        .kind = SETTING_TEXT,                                                                      \
        .offset = offsetof(struct settings, ident),                                                \
        .text = initial_,                                                                          \
        .reason = reason_,                                                                         \
    },
const struct setting settings_rows[] = {
#include "settings.def"
};
#undef SETTING
#undef TEXT

const size_t settings_count = sizeof(settings_rows) / sizeof(settings_rows[0]);

/* A default outside its own bounds does not compile. Written so that a floor of 0 is no warning. */
#define SETTING(ident, path, kind, initial, floor, ceiling, reason)                                \
    static_assert((uint64_t)(initial) == SETTING_AUTO ||                                           \
                      ((uint64_t)(initial) + 1 > (uint64_t)(floor) &&                              \
                       (uint64_t)(initial) <= (uint64_t)(ceiling)),                                \
                  path ": the default is outside floor and ceiling");                              \
    static_assert((uint64_t)(ceiling) < SETTING_AUTO, path ": the ceiling reads as AUTO");
#define TEXT(ident, path, initial, reason)                                                         \
    static_assert(sizeof(initial) <= SETTING_TEXT_BYTES, path ": the default is too long");
#include "settings.def"
#undef SETTING
#undef TEXT

/* --- units --- */

struct unit {
    struct bytes name;
    uint64_t size;
};

/* The largest first: writing takes the first that divides evenly. The last is always 1. */
struct unit_table {
    const struct unit *units;
    size_t count;
    uint64_t bare; /* what a number without a unit counts */
    bool any_case;
};

/* Constant initialisers cannot be compound literals, so BYTES() does not serve here. */
#define UNIT(name, size) {{name, sizeof(name) - 1}, size}

static const struct unit size_units[] = {
    UNIT("TiB", (uint64_t)1 << 40), UNIT("GiB", 1 << 30), UNIT("MiB", 1 << 20),
    UNIT("KiB", 1 << 10),           UNIT("", 1),
};

static const struct unit duration_units[] = {
    UNIT("d", 86400000), UNIT("h", 3600000), UNIT("m", 60000), UNIT("s", 1000), UNIT("ms", 1),
};

static const struct unit count_units[] = {UNIT("", 1)};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Docker and Java say 64m for 64MiB, so sizes ignore case; 5M is not five minutes to everyone. */
static struct unit_table units_of(enum setting_kind kind)
{
    if (kind == SETTING_SIZE)
        return (struct unit_table){size_units, COUNT_OF(size_units), 1, true};
    if (kind == SETTING_DURATION)
        return (struct unit_table){duration_units, COUNT_OF(duration_units), 1000, false};
    return (struct unit_table){count_units, COUNT_OF(count_units), 1, false};
}

/* MiB is written M and Mi as well. MB is not: it is 10^6 to some and 2^20 to others. */
static bool unit_is_called(const struct unit *unit, struct bytes text)
{
    if (unit->name.length == 3 && text.length > 0 && text.length < 3)
        return bytes_equal_nocase(text, (struct bytes){unit->name.at, text.length});
    return bytes_equal_nocase(text, unit->name);
}

/* 0 when there is no such unit. */
static uint64_t unit_size(const struct unit_table *table, struct bytes name)
{
    if (name.length == 0)
        return table->bare;
    for (size_t i = 0; i < table->count; i++) {
        const struct unit *unit = &table->units[i];
        if (table->any_case ? unit_is_called(unit, name) : bytes_equal(name, unit->name))
            return unit->size;
    }
    return 0;
}

/* The largest that divides evenly, so that what is written is short and reads back exactly. */
static const struct unit *unit_for(const struct unit_table *table, uint64_t number)
{
    const struct unit *unit = table->units;
    if (number == 0) {
        while (unit->size != table->bare)
            unit++;
        return unit;
    }
    while (number % unit->size != 0)
        unit++;
    return unit;
}

/* --- text to number --- */

/* Six digits say 1.5MiB or 0.25d; more would overflow fraction_of() at the largest unit. */
#define FRACTION_DIGITS_MAX 6

static struct bytes take_digits(struct bytes *text)
{
    struct bytes digits = {text->at, 0};
    while (digits.length < text->length && text->at[digits.length] >= '0' &&
           text->at[digits.length] <= '9')
        digits.length++;
    text->at += digits.length;
    text->length -= digits.length;
    return digits;
}

/* `digits` after the point, of one unit, rounded down to a whole byte or millisecond. */
static uint64_t fraction_of(struct bytes digits, uint64_t unit)
{
    uint64_t part = 0;
    uint64_t scale = 1;
    ENSURE(digits.length <= FRACTION_DIGITS_MAX);
    for (size_t i = 0; i < digits.length; i++) {
        part = part * 10 + (uint64_t)(digits.at[i] - '0');
        scale *= 10;
    }
    return part * unit / scale;
}

/* Digits, perhaps a point and digits, perhaps a unit. What overflows is above every ceiling. */
static enum setting_problem number_read(const struct unit_table *table, struct bytes text,
                                        uint64_t *number)
{
    struct bytes whole = take_digits(&text);
    struct bytes fraction = {text.at, 0};
    bool point = text.length > 0 && text.at[0] == '.';
    if (point) {
        text = (struct bytes){text.at + 1, text.length - 1};
        fraction = take_digits(&text);
    }
    if (whole.length == 0 || fraction.length > FRACTION_DIGITS_MAX ||
        (point && fraction.length == 0))
        return SETTING_MALFORMED;

    uint64_t unit = unit_size(table, bytes_trim(text));
    if (unit == 0 || (point && unit == 1))
        return SETTING_MALFORMED;

    uint64_t count;
    if (!number_parse_u64(whole, &count) || count >= UINT64_MAX / unit)
        return SETTING_ABOVE_CEILING;
    *number = count * unit + fraction_of(fraction, unit);
    return SETTING_FINE;
}

static enum setting_problem switch_read(struct bytes text, uint64_t *number)
{
    static const char *const words[][2] = {
        {"false", "true"}, {"off", "on"}, {"no", "yes"}, {"0", "1"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        for (uint64_t value = 0; value < 2; value++) {
            if (bytes_equal_nocase(text, bytes_of(words[i][value]))) {
                *number = value;
                return SETTING_FINE;
            }
        }
    }
    return SETTING_MALFORMED;
}

/* --- rows --- */

static void number_store(struct settings *settings, const struct setting *row, uint64_t number)
{
    memcpy((char *)settings + row->offset, &number, sizeof(number));
}

static void text_store(struct settings *settings, const struct setting *row, struct bytes text)
{
    char *out = (char *)settings + row->offset;
    ENSURE(text.length < SETTING_TEXT_BYTES);
    memset(out, 0, SETTING_TEXT_BYTES);
    memcpy(out, text.at, text.length);
}

static enum setting_problem any_number_read(enum setting_kind kind, struct bytes text,
                                            uint64_t *number)
{
    struct unit_table table = units_of(kind);
    return kind == SETTING_SWITCH ? switch_read(text, number) : number_read(&table, text, number);
}

enum setting_problem setting_number_read(enum setting_kind kind, struct bytes text,
                                         uint64_t *number)
{
    ENSURE(kind != SETTING_TEXT);
    return any_number_read(kind, bytes_trim(text), number);
}

static enum setting_problem number_assign(struct settings *settings, const struct setting *row,
                                          struct bytes text)
{
    uint64_t number = SETTING_AUTO;
    if (row->initial != SETTING_AUTO || !bytes_equal(text, BYTES("auto"))) {
        enum setting_problem problem = any_number_read(row->kind, text, &number);
        if (problem != SETTING_FINE)
            return problem;
        if (number < row->floor)
            return SETTING_BELOW_FLOOR;
        if (number > row->ceiling)
            return SETTING_ABOVE_CEILING;
    }
    number_store(settings, row, number);
    return SETTING_FINE;
}

/* Visible ASCII without quotes and backslashes: the same in YAML, in JSON and in a log line. */
static enum setting_problem text_assign(struct settings *settings, const struct setting *row,
                                        struct bytes text)
{
    if (text.length == 0 || text.length >= SETTING_TEXT_BYTES)
        return SETTING_MALFORMED;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\')
            return SETTING_MALFORMED;
    }
    text_store(settings, row, text);
    return SETTING_FINE;
}

void settings_init(struct settings *settings)
{
    memset(settings, 0, sizeof(*settings));
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *row = &settings_rows[i];
        if (row->kind == SETTING_TEXT)
            text_store(settings, row, bytes_of(row->text));
        else
            number_store(settings, row, row->initial);
    }
}

const struct setting *setting_find(struct bytes path)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (bytes_equal(path, bytes_of(settings_rows[i].path)))
            return &settings_rows[i];
    }
    return NULL;
}

enum setting_problem setting_assign(struct settings *settings, const struct setting *row,
                                    struct bytes text)
{
    ENSURE(row != NULL);
    text = bytes_trim(text);
    if (row->kind == SETTING_TEXT)
        return text_assign(settings, row, text);
    return number_assign(settings, row, text);
}

static size_t words_write(struct bytes words, char *out)
{
    memcpy(out, words.at, words.length);
    return words.length;
}

size_t setting_write_number(const struct setting *row, uint64_t number,
                            char out[static SETTING_WRITE_BYTES])
{
    ENSURE(row->kind != SETTING_TEXT);
    if (number == SETTING_AUTO)
        return words_write(BYTES("auto"), out);
    if (row->kind == SETTING_SWITCH)
        return words_write(number != 0 ? BYTES("true") : BYTES("false"), out);
    struct unit_table table = units_of(row->kind);
    const struct unit *unit = unit_for(&table, number);
    size_t length = number_write_u64(number / unit->size, out);
    return length + words_write(unit->name, out + length);
}

size_t setting_write(const struct settings *settings, const struct setting *row,
                     char out[static SETTING_WRITE_BYTES])
{
    if (row->kind != SETTING_TEXT)
        return setting_write_number(row, setting_number(settings, row), out);
    return words_write(bytes_of((const char *)settings + row->offset), out);
}

uint64_t setting_number(const struct settings *settings, const struct setting *row)
{
    uint64_t number;
    ENSURE(row->kind != SETTING_TEXT);
    memcpy(&number, (const char *)settings + row->offset, sizeof(number));
    return number;
}
