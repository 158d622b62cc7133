/*
 * options_text.c: --help, --print-config and the template of config/mayfly.yaml; see options.h.
 *
 * All three walk the rows of config/settings.def in their order, so that there is no text about a
 * setting but its row's.
 */
#include "options.h"

#include "option_words.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 100

/* `text` in lines of at most COLUMNS, each after `margin`. */
static void wrapped_write(FILE *out, const char *text, const char *margin)
{
    size_t used = (size_t)fprintf(out, "%s", margin);
    for (const char *word = text; *word != '\0'; word += strspn(word, " ")) {
        size_t length = strcspn(word, " ");
        if (word != text && used + 1 + length > COLUMNS)
            used = (size_t)fprintf(out, "\n%s", margin) - 1;
        else if (word != text)
            used += (size_t)fprintf(out, " ");
        used += (size_t)fprintf(out, "%.*s", (int)length, word);
        word += length;
    }
    fputc('\n', out);
}

#define BOUNDS_BYTES (2 * SETTING_WRITE_BYTES + 8)

/* After `lead`: "16MiB to 1TiB", "true or false", nothing for a text. */
static void bounds_write(const struct setting *row, const char *lead, char out[static BOUNDS_BYTES])
{
    char floor[SETTING_WRITE_BYTES + 1];
    char ceiling[SETTING_WRITE_BYTES + 1];
    out[0] = '\0';
    if (row->kind == SETTING_TEXT)
        return;
    option_number_write(row, row->floor, floor);
    option_number_write(row, row->ceiling, ceiling);
    option_cut_write(out, BOUNDS_BYTES, "%s%s %s %s", lead, floor,
                     row->kind == SETTING_SWITCH ? "or" : "to", ceiling);
}

static void default_write(const struct setting *row, char out[static SETTING_WRITE_BYTES + 1])
{
    if (row->kind == SETTING_TEXT)
        memcpy(out, row->text, strlen(row->text) + 1);
    else
        option_number_write(row, row->initial, out);
}

static const char *placeholder_of(enum setting_kind kind)
{
    static const char *const names[] = {
        [SETTING_SIZE] = "SIZE",     [SETTING_COUNT] = "COUNT",       [SETTING_DURATION] = "TIME",
        [SETTING_SWITCH] = "SWITCH", [SETTING_TEXT] = "ADDRESS:PORT",
    };
    return names[kind];
}

static void help_write_setting(FILE *out, const struct setting *row, const char *flag)
{
    char initial[SETTING_WRITE_BYTES + 1];
    char bounds[BOUNDS_BYTES];
    char variable[OPTION_NAME_BYTES];
    default_write(row, initial);
    bounds_write(row, "; ", bounds);
    option_variable_write(row->path, variable);
    fprintf(out, "\n  --%s %s\n", flag, placeholder_of(row->kind));
    wrapped_write(out, row->reason, "      ");
    fprintf(out, "      default %s%s; %s\n", initial, bounds, variable);
}

static const char help_head[] =
    "mayfly adds up metrics that are pushed to it over HTTP, in memory bounded by construction.\n"
    "\n"
    "usage: mayfly [--config FILE] [--SETTING VALUE]...            serve until SIGTERM\n"
    "       mayfly [--config FILE] [--SETTING VALUE]... --COMMAND  answer and exit\n"
    "\n"
    "A setting is taken from its flag, else from its environment variable, else from FILE (YAML,\n"
    "also named by MAYFLY_CONFIG), else it is the default. In FILE, --limits-line-bytes is\n"
    "line_bytes in the section limits. SIZE: 65536, 64KiB, 1.5MiB. TIME: 250ms, 10s, 5m, 1.5h,\n"
    "7d; a bare number is seconds. auto is worked out from --memory; --plan shows the result.\n"
    "\n"
    "exit codes: 0 clean stop, 1 settings or plan refused, 2 usage, 3 memory still live at exit\n"
    "\n"
    "commands\n";

void options_write_help(FILE *out)
{
    struct option_flags flags;
    option_flags_make(&flags);
    fputs(help_head, out);
    for (size_t i = 0; i < COMMAND_FLAG_COUNT; i++)
        fprintf(out, "  --%-14s %s\n", command_flags[i].name, command_flags[i].reason);
    fputs("\nsettings\n", out);
    for (size_t i = 0; i < OPTION_ROWS; i++)
        help_write_setting(out, &settings_rows[i], flags.names[i]);
}

/* "limits:" before the first setting of a section; the rows of one section stand together. */
static void section_write(FILE *out, size_t row)
{
    struct bytes section = option_section(&settings_rows[row]);
    if (section.length > 0 &&
        (row == 0 || !bytes_equal(section, option_section(&settings_rows[row - 1]))))
        fprintf(out, "\n%.*s:\n", (int)section.length, section.at);
}

/* `key: value`; an address is quoted, since [::1]:8080 would begin a list. */
static void pair_write(FILE *out, const struct setting *row, const char *value)
{
    const char *quote = row->kind == SETTING_TEXT ? "\"" : "";
    fprintf(out, "%s: %s%s%s", option_key(row), quote, value, quote);
}

void options_write_config(FILE *out, const struct options *options)
{
    fputs("# mayfly --print-config: the settings in effect, and where each came from\n", out);
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct setting *row = &settings_rows[i];
        char value[SETTING_WRITE_BYTES + 1];
        value[setting_write(&options->settings, row, value)] = '\0';
        section_write(out, i);
        fputs(option_section(row).length > 0 ? "  " : "", out);
        pair_write(out, row, value);
        fprintf(out, " # %s\n", option_source_name(options->source[i]));
    }
}

static void template_write_setting(FILE *out, const struct setting *row)
{
    bool nested = option_section(row).length > 0;
    char initial[SETTING_WRITE_BYTES + 1];
    char bounds[BOUNDS_BYTES];
    default_write(row, initial);
    bounds_write(row, " # ", bounds);
    wrapped_write(out, row->reason, nested ? "  # " : "# ");
    fputs(nested ? "  #" : "#", out);
    pair_write(out, row, initial);
    fprintf(out, "%s\n", bounds);
}

static const char template_head[] =
    "# mayfly.yaml: every setting at its default. Uncomment a `name: value` to change it.\n"
    "#\n"
    "# mayfly --config mayfly.yaml reads this file. The environment (MAYFLY_LIMITS_LINE_BYTES)\n"
    "# wins over it, and a flag (--limits-line-bytes) over both. Sizes: 65536, 64KiB, 1.5MiB.\n"
    "# Times: 250ms, 10s, 5m, 1.5h, 7d; a bare number is seconds. auto: worked out from `memory`,\n"
    "# as mayfly --plan shows.\n"
    "#\n"
    "# Made from config/settings.def by options_write_template(); a unit test compares.\n";

void options_write_template(FILE *out)
{
    fputs(template_head, out);
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        section_write(out, i);
        if (option_section(&settings_rows[i]).length == 0)
            fputc('\n', out);
        template_write_setting(out, &settings_rows[i]);
    }
}
