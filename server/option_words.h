/*
 * option_words.h: the words that settings go by, and how they stand in a sentence.
 *
 *     limits.line_bytes ──┬──> --limits-line-bytes         flag
 *     (a row's path)      ├──> MAYFLY_LIMITS_LINE_BYTES    variable
 *                         └──> limits: line_bytes:         section and key of the file
 *
 * Behind the rows' flags stand --config and one flag for each command. What was typed is compared
 * with all of them as flags, so that whoever writes LINE_BYTES for a key is understood too.
 *
 * Owner:    the caller; every text goes into its array, cut where that ends.
 * Lifetime: reading the settings, and --help.
 * Threads:  any; nothing is kept.
 */
#ifndef SERVER_OPTION_WORDS_H
#define SERVER_OPTION_WORDS_H

#include "options.h"

#include <getopt.h>

#define OPTION_NAME_BYTES 64   /* a flag or a variable; the longest path has 28 bytes */
#define OPTION_QUOTED_BYTES 64 /* what is repeated of a bad value: it may be of any length */
#define OPTION_VARIABLE_PREFIX "MAYFLY_"

/* --- names --- */

/* A command's flag; only OPTION_RUN, the first command, has none, and OPTION_HELP is the last. */
struct command_flag {
    const char *name;
    enum option_command command;
    const char *reason;
};

#define COMMAND_FLAG_COUNT OPTION_HELP

extern const struct command_flag command_flags[COMMAND_FLAG_COUNT];

enum {
    FLAG_CONFIG = OPTION_ROWS, /* the first flags are the rows, in their order */
    FLAG_COMMANDS,
    FLAG_COUNT = FLAG_COMMANDS + COMMAND_FLAG_COUNT,
    FLAG_VALUE_FIRST = 256, /* what getopt returns is above any character */
};

/* The table for getopt_long, which holds the names: it cannot be copied. */
struct option_flags {
    struct option options[FLAG_COUNT + 1];
    char names[OPTION_ROWS][OPTION_NAME_BYTES];
};

void option_flags_make(struct option_flags *flags);

/* "MAYFLY_LIMITS_LINE_BYTES" of a path or a flag's name. */
void option_variable_write(const char *path, char out[static OPTION_NAME_BYTES]);

/* "limits" of "limits.line_bytes"; empty for "memory". */
struct bytes option_section(const struct setting *row);

/* "line_bytes" of "limits.line_bytes". */
const char *option_key(const struct setting *row);

/* Which of the first `count` flags differs least from what was typed; -1 when none is near. */
int option_closest(const struct option_flags *flags, const char *typed, int count);

/* --- sentences --- */

/* snprintf for what may be long, a typed name say: it is cut where the room ends. */
__attribute__((format(printf, 3, 4))) void option_cut_write(char *out, size_t out_bytes,
                                                            const char *format, ...);

/* The value as it may stand in one line of a log: cut, and without control characters. */
void option_quote_write(const char *value, char out[static OPTION_QUOTED_BYTES]);

/* A number of the row's own (default, floor, ceiling) in the largest unit that divides it. */
void option_number_write(const struct setting *row, uint64_t number,
                         char out[static SETTING_WRITE_BYTES + 1]);

#endif
