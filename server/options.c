/*
 * options.c: see options.h.
 *
 * Each source is first gathered as texts, one for each row, and only then applied, weakest first.
 * So the file can be named by a flag, and yet be overridden by one.
 */
#include "options.h"

#include "config_file.h"
#include "option_words.h"

#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct reading {
    struct options *options;
    struct option_flags flags;
    const char *config_from; /* "--config" or "MAYFLY_CONFIG"; NULL when no file was named */
    char *problem;
    size_t problem_bytes;
};

__attribute__((format(printf, 3, 4))) static enum options_outcome
refuse(struct reading *reading, enum options_outcome outcome, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reading->problem, reading->problem_bytes, format, arguments);
    va_end(arguments);
    return outcome;
}

const char *option_source_name(enum option_source source)
{
    static const char *const names[] = {
        [OPTION_DEFAULT] = "default",
        [OPTION_FILE] = "file",
        [OPTION_ENVIRONMENT] = "environment",
        [OPTION_FLAG] = "flag",
    };
    return names[source];
}

/* --- values --- */

/* What a value of this kind looks like, after "is not". */
static const char *form_of(enum setting_kind kind)
{
    static const char *const forms[] = {
        [SETTING_SIZE] = "a size such as 65536, 64KiB or 1.5MiB",
        [SETTING_COUNT] = "a whole number",
        [SETTING_DURATION] = "a time such as 250ms, 10s, 5m or 1.5h",
        [SETTING_SWITCH] = "true or false",
        [SETTING_TEXT] = "an address and port such as 127.0.0.1:8080 or [::1]:8080",
    };
    return forms[kind];
}

static enum options_outcome refuse_value(struct reading *reading, const struct setting *row,
                                         enum setting_problem problem, const char *value,
                                         const char *from)
{
    char quoted[OPTION_QUOTED_BYTES];
    char bound[SETTING_WRITE_BYTES + 1];
    option_quote_write(value, quoted);
    if (problem == SETTING_MALFORMED)
        return refuse(reading, OPTIONS_BAD_SETTING, "%s: \"%s\" is not %s%s (from %s)", row->path,
                      quoted, form_of(row->kind), row->initial == SETTING_AUTO ? ", nor auto" : "",
                      from);
    bool below = problem == SETTING_BELOW_FLOOR;
    option_number_write(row, below ? row->floor : row->ceiling, bound);
    return refuse(reading, OPTIONS_BAD_SETTING, "%s: %s is %s, %s (from %s)", row->path, quoted,
                  below ? "below the least" : "above the most", bound, from);
}

/* Where a value came from, for a message; the file is named by its path. */
static void from_write(const struct reading *reading, size_t row, enum option_source source,
                       char *out, size_t out_bytes)
{
    char name[OPTION_NAME_BYTES];
    option_variable_write(settings_rows[row].path, name);
    if (source == OPTION_FLAG)
        option_cut_write(out, out_bytes, "--%s", reading->flags.names[row]);
    else if (source == OPTION_ENVIRONMENT)
        option_cut_write(out, out_bytes, "%s in the environment", name);
    else
        option_cut_write(out, out_bytes, "%s", reading->options->config_path);
}

/* What one source says, row by row; NULL where it says nothing. The texts are the source's. */
static enum options_outcome texts_apply(struct reading *reading, enum option_source source,
                                        const char *const texts[static OPTION_ROWS])
{
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        if (texts[i] == NULL)
            continue;
        enum setting_problem problem =
            setting_assign(&reading->options->settings, &settings_rows[i], bytes_of(texts[i]));
        if (problem != SETTING_FINE) {
            char from[OPTION_PATH_BYTES];
            from_write(reading, i, source, from, sizeof(from));
            return refuse_value(reading, &settings_rows[i], problem, texts[i], from);
        }
        reading->options->source[i] = source;
    }
    return OPTIONS_FINE;
}

static enum options_outcome config_path_take(struct reading *reading, const char *path,
                                             const char *from)
{
    size_t length = strlen(path);
    if (length == 0 || length >= OPTION_PATH_BYTES)
        return refuse(reading, OPTIONS_BAD_SETTING, "config: the path %s (from %s)",
                      length == 0 ? "is empty" : "is too long", from);
    memcpy(reading->options->config_path, path, length + 1);
    reading->config_from = from;
    return OPTIONS_FINE;
}

/* --- flags --- */

/* getopt takes --mem for --memory; we do not, since the next release may have a --memory-map. */
static bool is_whole(char **argv, const char *name)
{
    const char *typed = argv[optind - 1];
    if (optarg == typed)
        typed = argv[optind - 2];
    size_t length = strlen(name);
    return strncmp(typed + 2, name, length) == 0 &&
           (typed[2 + length] == '\0' || typed[2 + length] == '=');
}

static enum options_outcome refuse_flag(struct reading *reading, int value, char **argv)
{
    const struct option *options = reading->flags.options;
    if (value == ':')
        return refuse(reading, OPTIONS_BAD_USAGE, "--%s needs a value",
                      options[optopt - FLAG_VALUE_FIRST].name);
    if (optopt >= FLAG_VALUE_FIRST)
        return refuse(reading, OPTIONS_BAD_USAGE, "--%s takes no value",
                      options[optopt - FLAG_VALUE_FIRST].name);
    if (optopt != 0)
        return refuse(reading, OPTIONS_BAD_USAGE, "unknown flag -%c; --help lists all",
                      isprint(optopt) ? optopt : '?');

    char typed[OPTION_QUOTED_BYTES];
    option_quote_write(argv[optind - 1], typed);
    typed[strcspn(typed, "=")] = '\0';
    int like = option_closest(&reading->flags, typed + 2, FLAG_COUNT);
    if (like >= 0)
        return refuse(reading, OPTIONS_BAD_USAGE, "unknown flag %s; did you mean --%s?", typed,
                      options[like].name);
    return refuse(reading, OPTIONS_BAD_USAGE, "unknown flag %s; --help lists all", typed);
}

static enum options_outcome command_take(struct reading *reading,
                                         const struct command_flag *command)
{
    enum option_command *chosen = &reading->options->command;
    if (command->command == OPTION_HELP || command->command == OPTION_VERSION)
        *chosen = OPTION_RUN; /* these are answered whatever stands beside them */
    if (*chosen != OPTION_RUN && *chosen != command->command)
        return refuse(reading, OPTIONS_BAD_USAGE, "--%s and another command do not go together",
                      command->name);
    *chosen = command->command;
    return OPTIONS_FINE;
}

static enum options_outcome flag_take(struct reading *reading, int value, char **argv,
                                      const char *texts[static OPTION_ROWS])
{
    if (value < FLAG_VALUE_FIRST)
        return refuse_flag(reading, value, argv);
    int flag = value - FLAG_VALUE_FIRST;
    const char *name = reading->flags.options[flag].name;
    if (!is_whole(argv, name))
        return refuse(reading, OPTIONS_BAD_USAGE, "write --%s in full", name);
    if (flag == FLAG_CONFIG)
        return config_path_take(reading, optarg, "--config");
    if (flag >= FLAG_COMMANDS)
        return command_take(reading, &command_flags[flag - FLAG_COMMANDS]);
    texts[flag] = optarg;
    return OPTIONS_FINE;
}

/* --help and --version need nothing else to be right. */
static bool is_answered_at_once(const struct options *options)
{
    return options->command == OPTION_HELP || options->command == OPTION_VERSION;
}

static enum options_outcome flags_gather(struct reading *reading, int argc, char **argv,
                                         const char *texts[static OPTION_ROWS])
{
    enum options_outcome outcome = OPTIONS_FINE;
    int value = 0;
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    while (outcome == OPTIONS_FINE && !is_answered_at_once(reading->options) &&
           (value = getopt_long(argc, argv, "+:", reading->flags.options, NULL)) != -1)
        outcome = flag_take(reading, value, argv, texts);
    if (outcome != OPTIONS_FINE || is_answered_at_once(reading->options) || optind >= argc)
        return outcome;

    char stray[OPTION_QUOTED_BYTES];
    option_quote_write(argv[optind], stray);
    return refuse(reading, OPTIONS_BAD_USAGE, "\"%s\" belongs to no flag; --help lists all", stray);
}

/* --- environment --- */

/*
 * Kubernetes and Docker links describe a Service called "mayfly" or "mayfly-x" to every pod beside
 * it: MAYFLY_SERVICE_HOST, MAYFLY_SERVICE_PORT_HTTP, MAYFLY_PORT=tcp://10.0.0.11:8080,
 * MAYFLY_PORT_8080_TCP_ADDR.
 */
static bool is_service_link(const char *name, const char *value)
{
    const char *port = strstr(name, "_PORT");
    if (strstr(name, "_SERVICE_HOST") != NULL || strstr(name, "_SERVICE_PORT") != NULL)
        return true;
    if (port == NULL)
        return false;
    if (port[5] == '\0')
        return strstr(value, "://") != NULL;
    return port[5] == '_' && isdigit((unsigned char)port[6]);
}

static enum options_outcome refuse_variable(struct reading *reading, const char *name)
{
    char quoted[OPTION_QUOTED_BYTES];
    char variable[OPTION_NAME_BYTES];
    option_quote_write(name, quoted);
    const char *typed = quoted + strlen(OPTION_VARIABLE_PREFIX);
    int like = option_closest(&reading->flags, typed, FLAG_COMMANDS);
    if (like < 0)
        return refuse(reading, OPTIONS_BAD_SETTING,
                      "%s: there is no such setting (from the environment)", quoted);
    option_variable_write(reading->flags.options[like].name, variable);
    return refuse(reading, OPTIONS_BAD_SETTING,
                  "%s: there is no such setting; did you mean %s? (from the environment)", quoted,
                  variable);
}

static enum options_outcome variable_take(struct reading *reading, const char *name,
                                          const char *value, const char *texts[static OPTION_ROWS])
{
    char known[OPTION_NAME_BYTES];
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        option_variable_write(settings_rows[i].path, known);
        if (strcmp(name, known) == 0) {
            texts[i] = value;
            return OPTIONS_FINE;
        }
    }
    if (strcmp(name, OPTION_VARIABLE_PREFIX "CONFIG") == 0)
        return reading->config_from != NULL
                   ? OPTIONS_FINE
                   : config_path_take(reading, value, "MAYFLY_CONFIG in the environment");
    if (is_service_link(name, value))
        return OPTIONS_FINE;
    return refuse_variable(reading, name);
}

static enum options_outcome environment_gather(struct reading *reading, char *const *environment,
                                               const char *texts[static OPTION_ROWS])
{
    enum options_outcome outcome = OPTIONS_FINE;
    size_t prefix = strlen(OPTION_VARIABLE_PREFIX);
    for (; *environment != NULL && outcome == OPTIONS_FINE; environment++) {
        const char *entry = *environment;
        const char *equals = strchr(entry, '=');
        char name[2 * OPTION_NAME_BYTES];
        if (equals == NULL || strncmp(entry, OPTION_VARIABLE_PREFIX, prefix) != 0)
            continue;
        option_cut_write(name, sizeof(name), "%.*s", (int)(equals - entry), entry);
        outcome = variable_take(reading, name, equals + 1, texts);
    }
    return outcome;
}

/* --- file --- */

static enum options_outcome file_apply(struct reading *reading)
{
    struct config_file file;
    if (!config_file_read(&file, reading->options->config_path, reading->config_from))
        return refuse(reading, OPTIONS_BAD_SETTING, "%s", file.problem);
    enum options_outcome outcome = texts_apply(reading, OPTION_FILE, file.text);
    config_file_release(&file);
    return outcome;
}

/* --- all sources --- */

static enum options_outcome sources_read(struct reading *reading, int argc, char **argv,
                                         char *const *environment)
{
    const char *flags[OPTION_ROWS] = {NULL};
    const char *variables[OPTION_ROWS] = {NULL};
    enum options_outcome outcome = flags_gather(reading, argc, argv, flags);
    if (outcome != OPTIONS_FINE || is_answered_at_once(reading->options))
        return outcome;
    outcome = environment_gather(reading, environment, variables);
    if (outcome == OPTIONS_FINE && reading->config_from != NULL)
        outcome = file_apply(reading);
    if (outcome == OPTIONS_FINE)
        outcome = texts_apply(reading, OPTION_ENVIRONMENT, variables);
    if (outcome == OPTIONS_FINE)
        outcome = texts_apply(reading, OPTION_FLAG, flags);
    return outcome;
}

enum options_outcome options_read(struct options *options, int argc, char **argv,
                                  char *const *environment, char *problem, size_t problem_bytes)
{
    struct reading reading = {
        .options = options, .problem = problem, .problem_bytes = problem_bytes};
    memset(options, 0, sizeof(*options));
    settings_init(&options->settings);
    option_flags_make(&reading.flags);
    return sources_read(&reading, argc, argv, environment);
}
