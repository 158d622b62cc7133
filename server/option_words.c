/* option_words.c: see option_words.h. */
#include "option_words.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- names --- */

const struct command_flag command_flags[COMMAND_FLAG_COUNT] = {
    {"plan", OPTION_PLAN, "print the memory plan and exit: 0 it fits, 1 it does not"},
    {"check-config", OPTION_CHECK_CONFIG, "read the settings, say what is wrong, and exit: 0 or 1"},
    {"print-config", OPTION_PRINT_CONFIG,
     "print the settings in effect, as YAML that --config reads, and exit"},
    {"probe", OPTION_PROBE, "ask a running mayfly's /healthz and exit: 0 it is alive, 1 not"},
    {"version", OPTION_VERSION, "print the version and exit"},
    {"help", OPTION_HELP, "print this and exit"},
};

/* "limits.line_bytes" as "limits-line-bytes"; the same for what was typed instead, to compare. */
static void dashes_write(const char *path, char out[static OPTION_NAME_BYTES])
{
    size_t length = 0;
    for (; length < OPTION_NAME_BYTES - 1 && path[length] != '\0'; length++) {
        char c = path[length];
        out[length] = c == '.' || c == '_' ? '-' : (char)tolower((unsigned char)c);
    }
    out[length] = '\0';
}

void option_variable_write(const char *path, char out[static OPTION_NAME_BYTES])
{
    size_t length = strlen(OPTION_VARIABLE_PREFIX);
    memcpy(out, OPTION_VARIABLE_PREFIX, length);
    for (; *path != '\0' && length < OPTION_NAME_BYTES - 1; path++, length++) {
        char c = *path;
        out[length] = c == '.' || c == '-' ? '_' : (char)toupper((unsigned char)c);
    }
    out[length] = '\0';
}

struct bytes option_section(const struct setting *row)
{
    const char *dot = strchr(row->path, '.');
    return (struct bytes){row->path, dot == NULL ? 0 : (size_t)(dot - row->path)};
}

const char *option_key(const struct setting *row)
{
    size_t section = option_section(row).length;
    return row->path + (section == 0 ? 0 : section + 1);
}

void option_flags_make(struct option_flags *flags)
{
    memset(flags, 0, sizeof(*flags));
    for (int i = 0; i < FLAG_COUNT; i++) {
        struct option *option = &flags->options[i];
        option->val = FLAG_VALUE_FIRST + i;
        option->has_arg = i < FLAG_COMMANDS ? required_argument : no_argument;
        if (i < OPTION_ROWS) {
            dashes_write(settings_rows[i].path, flags->names[i]);
            option->name = flags->names[i];
        } else {
            option->name = i == FLAG_CONFIG ? "config" : command_flags[i - FLAG_COMMANDS].name;
        }
    }
}

/* How many letters to change, add or drop (Levenshtein): one row of the table at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t row[OPTION_NAME_BYTES];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t changed = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            size_t dropped = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            row[j] = changed < dropped ? changed : dropped;
        }
    }
    return row[width];
}

int option_closest(const struct option_flags *flags, const char *typed, int count)
{
    char name[OPTION_NAME_BYTES];
    int best = -1;
    dashes_write(typed, name);
    size_t best_distance = strlen(name) / 3 + 1; /* with a third of it wrong it is another word */
    for (int i = 0; i < count; i++) {
        size_t far = distance(name, flags->options[i].name);
        if (far < best_distance) {
            best_distance = far;
            best = i;
        }
    }
    return best;
}

/* --- sentences --- */

void option_cut_write(char *out, size_t out_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out, out_bytes, format, arguments);
    va_end(arguments);
}

void option_quote_write(const char *value, char out[static OPTION_QUOTED_BYTES])
{
    size_t length = 0;
    for (; length < OPTION_QUOTED_BYTES - 1 && value[length] != '\0'; length++)
        out[length] = iscntrl((unsigned char)value[length]) ? '?' : value[length];
    out[length] = '\0';
    if (value[length] != '\0')
        memcpy(out + length - 3, "...", 3);
}

void option_number_write(const struct setting *row, uint64_t number,
                         char out[static SETTING_WRITE_BYTES + 1])
{
    out[setting_write_number(row, number, out)] = '\0';
}
