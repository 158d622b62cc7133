/*
 * settings.h: what the operator chose, as numbers.
 *
 * The struct and the table of rows come from config/settings.def. This file knows formats, floors
 * and ceilings; where a value came from (flag, environment, file) is the server's affair, and what
 * an AUTO becomes is the plan's.
 *
 * Lifetime: filled before anything runs, then read-only for the process.
 */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include "base/bytes.h"

#include <stdint.h>

#define SETTING_AUTO UINT64_MAX
#define SETTING_TEXT_BYTES 72 /* an IPv6 address in brackets, a port and the terminator */
#define SETTING_WRITE_BYTES SETTING_TEXT_BYTES

struct settings {
#define SETTING(ident, path, kind, initial, floor, ceiling, reason) uint64_t ident;
#define TEXT(ident, path, initial, reason) char ident[SETTING_TEXT_BYTES];
#include "settings.def"
#undef SETTING
#undef TEXT
};

enum setting_kind {
    SETTING_SIZE,
    SETTING_COUNT,
    SETTING_DURATION,
    SETTING_SWITCH,
    SETTING_TEXT,
};

struct setting {
    const char *path; /* "limits.line_bytes" */
    enum setting_kind kind;
    size_t offset; /* into struct settings: a uint64_t, or SETTING_TEXT_BYTES chars */
    uint64_t initial;
    uint64_t floor;
    uint64_t ceiling;
    const char *text; /* the default of a SETTING_TEXT */
    const char *reason;
};

enum setting_problem {
    SETTING_FINE,
    SETTING_MALFORMED,
    SETTING_BELOW_FLOOR,
    SETTING_ABOVE_CEILING,
};

/* All rows in the order of settings.def, `settings_count` of them. */
extern const struct setting settings_rows[];
extern const size_t settings_count;

/* Every default; those worked out by the plan stay SETTING_AUTO. */
void settings_init(struct settings *settings);

/* The row of that path, NULL when there is none. */
const struct setting *setting_find(struct bytes path);

/*
 * Reads `text` as this row's kind and stores it: sizes as 65536, 64KiB, 1.5MiB, 2GiB, 1TiB (also K,
 * Ki, M, ... in any case: powers of 1024; not KB, which is 1000 to some), durations as 250ms, 10s,
 * 5m, 1.5h, 7d (a bare number is seconds), counts as digits, switches as
 * true/false/on/off/yes/no/1/0, and `auto` where the default is AUTO. A part of a unit has at most
 * six digits and is rounded down to a whole byte or millisecond; spaces around the text and before
 * the unit are skipped. A text is visible ASCII, without quotes and backslashes, shorter than
 * SETTING_TEXT_BYTES. The settings are untouched unless SETTING_FINE comes back; a number beyond
 * uint64_t is SETTING_ABOVE_CEILING.
 */
enum setting_problem setting_assign(struct settings *settings, const struct setting *row,
                                    struct bytes text);

/*
 * Reads a number as setting_assign does, for what is no setting but is written as one. Not
 * SETTING_FINE: malformed, or beyond uint64_t.
 */
enum setting_problem setting_number_read(enum setting_kind kind, struct bytes text,
                                         uint64_t *number);

/*
 * The value as setting_assign reads it, in the largest unit that divides it evenly (64MiB, 10s,
 * auto, true), so that it reads back as the same value. No terminator; returns the length.
 */
size_t setting_write(const struct settings *settings, const struct setting *row,
                     char out[static SETTING_WRITE_BYTES]);

/* One of the row's own numbers (its default, floor or ceiling) in the same form. */
size_t setting_write_number(const struct setting *row, uint64_t number,
                            char out[static SETTING_WRITE_BYTES]);

/* The number stored under this row, for rows that are not SETTING_TEXT. */
uint64_t setting_number(const struct settings *settings, const struct setting *row);

#endif
