/*
 * options.c: see options.h.
 *
 * Each source is first gathered as texts, one for each row, and only then applied, weakest first.
 * So the file can be named by a flag, and yet be overridden by one.
 */
#include "options.h"

#include <cyaml/cyaml.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NAME_BYTES 64   /* --section-name or MAYFLY_SECTION_NAME; the longest path has 28 bytes */
#define QUOTED_BYTES 64 /* what is repeated of a bad value: it may be of any length */
#define COLUMNS 100
#define ENVIRONMENT_PREFIX "MAYFLY_"

struct command {
    const char *name;
    enum option_command command;
    const char *reason;
};

static const struct command commands[] = {
    {"plan", OPTION_PLAN, "print the memory plan and exit: 0 it fits, 1 it does not"},
    {"check-config", OPTION_CHECK_CONFIG, "read the settings, say what is wrong, and exit: 0 or 1"},
    {"print-config", OPTION_PRINT_CONFIG,
     "print the settings in effect, as YAML that --config reads, and exit"},
    {"probe", OPTION_PROBE, "ask a running mayfly's /healthz and exit: 0 it is alive, 1 not"},
    {"version", OPTION_VERSION, "print the version and exit"},
    {"help", OPTION_HELP, "print this and exit"},
};

enum {
    FLAG_CONFIG = OPTION_ROWS, /* the first flags are the rows, in their order */
    FLAG_COMMANDS,
    FLAG_COUNT = FLAG_COMMANDS + COUNT_OF(commands),
    FLAG_VALUE_FIRST = 256, /* what getopt returns is above any character */
};

struct flags {
    struct option options[FLAG_COUNT + 1];
    char names[OPTION_ROWS][NAME_BYTES];
};

/* What one source says, row by row; NULL where it says nothing. The texts are the source's. */
struct gathered {
    enum option_source source;
    const char *text[OPTION_ROWS];
};

struct reading {
    struct options *options;
    struct flags flags;
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

/* snprintf for what may be long, a typed name say: it is cut where the room ends. */
__attribute__((format(printf, 3, 4))) static void cut_write(char *out, size_t out_bytes,
                                                            const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out, out_bytes, format, arguments);
    va_end(arguments);
}

/* --- names --- */

/* "limits.line_bytes" as "limits-line-bytes"; the same for what was typed instead, to compare. */
static void dashes_write(const char *path, char out[static NAME_BYTES])
{
    size_t length = 0;
    for (; length < NAME_BYTES - 1 && path[length] != '\0'; length++) {
        char c = path[length];
        out[length] = c == '.' || c == '_' ? '-' : (char)tolower((unsigned char)c);
    }
    out[length] = '\0';
}

static void variable_write(const char *path, char out[static NAME_BYTES])
{
    size_t length = strlen(ENVIRONMENT_PREFIX);
    memcpy(out, ENVIRONMENT_PREFIX, length);
    for (; *path != '\0' && length < NAME_BYTES - 1; path++, length++) {
        char c = *path;
        out[length] = c == '.' || c == '-' ? '_' : (char)toupper((unsigned char)c);
    }
    out[length] = '\0';
}

/* "limits" of "limits.line_bytes"; empty for "memory". */
static struct bytes section_of(const struct setting *row)
{
    const char *dot = strchr(row->path, '.');
    return (struct bytes){row->path, dot == NULL ? 0 : (size_t)(dot - row->path)};
}

static const char *key_of(const struct setting *row)
{
    size_t section = section_of(row).length;
    return row->path + (section == 0 ? 0 : section + 1);
}

static void flags_make(struct flags *flags)
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
            option->name = i == FLAG_CONFIG ? "config" : commands[i - FLAG_COMMANDS].name;
        }
    }
}

/* How many letters to change, add or drop (Levenshtein): one row of the table at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_BYTES];
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

/* Which of the first `count` flags differs least from what was typed; -1 when none is near. */
static int closest(const struct flags *flags, const char *typed, int count)
{
    char name[NAME_BYTES];
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

/* The value as it may stand in one line of a log: cut, and without control characters. */
static void quoted_write(const char *value, char out[static QUOTED_BYTES])
{
    size_t length = 0;
    for (; length < QUOTED_BYTES - 1 && value[length] != '\0'; length++)
        out[length] = iscntrl((unsigned char)value[length]) ? '?' : value[length];
    out[length] = '\0';
    if (value[length] != '\0')
        memcpy(out + length - 3, "...", 3);
}

static void number_write(const struct setting *row, uint64_t number,
                         char out[static SETTING_WRITE_BYTES + 1])
{
    out[setting_write_number(row, number, out)] = '\0';
}

static enum options_outcome refuse_value(struct reading *reading, const struct setting *row,
                                         enum setting_problem problem, const char *value,
                                         const char *from)
{
    char quoted[QUOTED_BYTES];
    char bound[SETTING_WRITE_BYTES + 1];
    quoted_write(value, quoted);
    if (problem == SETTING_MALFORMED)
        return refuse(reading, OPTIONS_BAD_SETTING, "%s: \"%s\" is not %s%s (from %s)", row->path,
                      quoted, form_of(row->kind), row->initial == SETTING_AUTO ? ", nor auto" : "",
                      from);
    bool below = problem == SETTING_BELOW_FLOOR;
    number_write(row, below ? row->floor : row->ceiling, bound);
    return refuse(reading, OPTIONS_BAD_SETTING, "%s: %s is %s, %s (from %s)", row->path, quoted,
                  below ? "below the least" : "above the most", bound, from);
}

/* Where a value came from, for a message; the file is named by its path. */
static void from_write(const struct reading *reading, size_t row, enum option_source source,
                       char *out, size_t out_bytes)
{
    char name[NAME_BYTES];
    variable_write(settings_rows[row].path, name);
    if (source == OPTION_FLAG)
        cut_write(out, out_bytes, "--%s", reading->flags.names[row]);
    else if (source == OPTION_ENVIRONMENT)
        cut_write(out, out_bytes, "%s in the environment", name);
    else
        cut_write(out, out_bytes, "%s", reading->options->config_path);
}

static enum options_outcome gathered_apply(struct reading *reading, const struct gathered *gathered)
{
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const char *text = gathered->text[i];
        if (text == NULL)
            continue;
        enum setting_problem problem =
            setting_assign(&reading->options->settings, &settings_rows[i], bytes_of(text));
        if (problem != SETTING_FINE) {
            char from[OPTION_PATH_BYTES];
            from_write(reading, i, gathered->source, from, sizeof(from));
            return refuse_value(reading, &settings_rows[i], problem, text, from);
        }
        reading->options->source[i] = gathered->source;
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

    char typed[QUOTED_BYTES];
    quoted_write(argv[optind - 1], typed);
    typed[strcspn(typed, "=")] = '\0';
    int like = closest(&reading->flags, typed + 2, FLAG_COUNT);
    if (like >= 0)
        return refuse(reading, OPTIONS_BAD_USAGE, "unknown flag %s; did you mean --%s?", typed,
                      options[like].name);
    return refuse(reading, OPTIONS_BAD_USAGE, "unknown flag %s; --help lists all", typed);
}

static enum options_outcome command_take(struct reading *reading, const struct command *command)
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
                                      struct gathered *gathered)
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
        return command_take(reading, &commands[flag - FLAG_COMMANDS]);
    gathered->text[flag] = optarg;
    return OPTIONS_FINE;
}

/* --help and --version need nothing else to be right. */
static bool is_answered_at_once(const struct options *options)
{
    return options->command == OPTION_HELP || options->command == OPTION_VERSION;
}

static enum options_outcome flags_gather(struct reading *reading, int argc, char **argv,
                                         struct gathered *gathered)
{
    enum options_outcome outcome = OPTIONS_FINE;
    int value = 0;
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    while (outcome == OPTIONS_FINE && !is_answered_at_once(reading->options) &&
           (value = getopt_long(argc, argv, "+:", reading->flags.options, NULL)) != -1)
        outcome = flag_take(reading, value, argv, gathered);
    if (outcome != OPTIONS_FINE || is_answered_at_once(reading->options) || optind >= argc)
        return outcome;

    char stray[QUOTED_BYTES];
    quoted_write(argv[optind], stray);
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
    char quoted[QUOTED_BYTES];
    char variable[NAME_BYTES];
    quoted_write(name, quoted);
    int like = closest(&reading->flags, quoted + strlen(ENVIRONMENT_PREFIX), FLAG_COMMANDS);
    if (like < 0)
        return refuse(reading, OPTIONS_BAD_SETTING,
                      "%s: there is no such setting (from the environment)", quoted);
    variable_write(reading->flags.options[like].name, variable);
    return refuse(reading, OPTIONS_BAD_SETTING,
                  "%s: there is no such setting; did you mean %s? (from the environment)", quoted,
                  variable);
}

static enum options_outcome variable_take(struct reading *reading, const char *name,
                                          const char *value, struct gathered *gathered)
{
    char known[NAME_BYTES];
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        variable_write(settings_rows[i].path, known);
        if (strcmp(name, known) == 0) {
            gathered->text[i] = value;
            return OPTIONS_FINE;
        }
    }
    if (strcmp(name, ENVIRONMENT_PREFIX "CONFIG") == 0)
        return reading->config_from != NULL
                   ? OPTIONS_FINE
                   : config_path_take(reading, value, "MAYFLY_CONFIG in the environment");
    if (is_service_link(name, value))
        return OPTIONS_FINE;
    return refuse_variable(reading, name);
}

static enum options_outcome environment_gather(struct reading *reading, char *const *environment,
                                               struct gathered *gathered)
{
    enum options_outcome outcome = OPTIONS_FINE;
    for (; *environment != NULL && outcome == OPTIONS_FINE; environment++) {
        const char *entry = *environment;
        const char *equals = strchr(entry, '=');
        char name[2 * NAME_BYTES];
        if (equals == NULL || strncmp(entry, ENVIRONMENT_PREFIX, strlen(ENVIRONMENT_PREFIX)) != 0)
            continue;
        cut_write(name, sizeof(name), "%.*s", (int)(equals - entry), entry);
        outcome = variable_take(reading, name, equals + 1, gathered);
    }
    return outcome;
}

/* --- file --- */

/*
 * libcyaml fills structs by a schema of keys and offsets. Ours is one array of text pointers for
 * the top level and one for each section, all with the same places, so that row i is always slot i:
 *
 *     top      [memory][listen]...[(row i)]...[ptr to section 0][ptr to section 1]...
 *     section  [      ][      ]...[  row i]...
 */
struct schema {
    cyaml_schema_value_t root;
    cyaml_schema_field_t top[OPTION_ROWS + 1];
    cyaml_schema_field_t fields[2 * OPTION_ROWS]; /* of all sections, each ended by a NULL key */
    char sections[OPTION_ROWS][NAME_BYTES];
    size_t section_count;
};

#define SLOT_BYTES(slots) ((uint32_t)((slots) * sizeof(void *)))

static cyaml_schema_field_t text_field(size_t row)
{
    return (cyaml_schema_field_t){
        .key = key_of(&settings_rows[row]),
        .data_offset = SLOT_BYTES(row),
        .value = {.type = CYAML_STRING,
                  .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                  .data_size = sizeof(char),
                  .string = {.min = 0, .max = CYAML_UNLIMITED}},
    };
}

/* A section may be empty ("limits:"): in the template all its settings are commented out. */
static cyaml_schema_field_t section_field(size_t section, const char *key,
                                          const cyaml_schema_field_t *fields)
{
    return (cyaml_schema_field_t){
        .key = key,
        .data_offset = SLOT_BYTES(OPTION_ROWS + section),
        .value = {.type = CYAML_MAPPING,
                  .flags = CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL,
                  .data_size = SLOT_BYTES(OPTION_ROWS),
                  .mapping = {.fields = fields}},
    };
}

/* The section's place, or section_count when it is not there. */
static size_t section_find(const struct schema *schema, struct bytes name)
{
    size_t i = 0;
    while (i < schema->section_count && !bytes_equal(bytes_of(schema->sections[i]), name))
        i++;
    return i;
}

static void sections_make(struct schema *schema)
{
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        struct bytes name = section_of(&settings_rows[i]);
        if (name.length > 0 && section_find(schema, name) == schema->section_count)
            cut_write(schema->sections[schema->section_count++], NAME_BYTES, "%.*s",
                      (int)name.length, name.at);
    }
}

static size_t fields_make(cyaml_schema_field_t *fields, struct bytes section)
{
    size_t count = 0;
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        if (bytes_equal(section_of(&settings_rows[i]), section))
            fields[count++] = text_field(i);
    }
    return count;
}

static void schema_make(struct schema *schema)
{
    memset(schema, 0, sizeof(*schema));
    sections_make(schema);
    size_t top = fields_make(schema->top, (struct bytes){NULL, 0});
    cyaml_schema_field_t *fields = schema->fields;
    for (size_t i = 0; i < schema->section_count; i++) {
        schema->top[top++] = section_field(i, schema->sections[i], fields);
        fields += fields_make(fields, bytes_of(schema->sections[i])) + 1;
    }
    schema->root = (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = CYAML_FLAG_POINTER,
        .data_size = SLOT_BYTES(OPTION_ROWS + schema->section_count),
        .mapping = {.fields = schema->top},
    };
}

/* What libcyaml says of a file it refuses: one line, then a backtrace from the innermost key. */
struct complaint {
    bool any;
    char said[96];
    char key[NAME_BYTES];   /* the key it does not know */
    char place[NAME_BYTES]; /* "limits.line_bytes" */
    size_t line;            /* where it last read a value: near the place, not always at it */
};

#define KEY_WORDS "Load: Unexpected key: "
#define FIELD_WORDS "  in mapping field '"

/* The backtrace comes inside out: each further key stands before what we have. */
static void complaint_descend(struct complaint *complaint, const char *key, size_t length)
{
    char inner[NAME_BYTES];
    memcpy(inner, complaint->place, sizeof(inner));
    cut_write(complaint->place, NAME_BYTES, "%.*s%s%s", (int)length, key, inner[0] ? "." : "",
              inner);
}

static void complaint_take(struct complaint *complaint, const char *text)
{
    const char *line = strstr(text, "(line: ");
    if (line != NULL && complaint->line == 0)
        complaint->line = strtoul(line + strlen("(line: "), NULL, 10);
    if (strncmp(text, FIELD_WORDS, strlen(FIELD_WORDS)) == 0) {
        text += strlen(FIELD_WORDS);
        complaint_descend(complaint, text, strcspn(text, "'"));
    } else if (strncmp(text, KEY_WORDS, strlen(KEY_WORDS)) == 0) {
        quoted_write(text + strlen(KEY_WORDS), complaint->key);
    } else if (!complaint->any) {
        const char *colon = strstr(text, "libyaml: ");
        cut_write(complaint->said, sizeof(complaint->said), "%s",
                  colon == NULL ? text : colon + strlen("libyaml: "));
    }
    complaint->any = true;
}

__attribute__((format(printf, 3, 0))) static void
complaint_hear(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    char text[256];
    (void)level;
    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    complaint_take(context, text);
}

/* After other errors the backtrace does not name the culprit, but the last value before it. */
static bool complaint_is_placed(cyaml_err_t error)
{
    return error == CYAML_ERR_INVALID_VALUE || error == CYAML_ERR_UNEXPECTED_EVENT ||
           error == CYAML_ERR_ALIAS;
}

static const char *complaint_words(const struct complaint *complaint, cyaml_err_t error)
{
    switch (error) {
    case CYAML_OK: /* it only warned: "Ignoring documents after first in stream" */
        return "the file holds more than one document";
    case CYAML_ERR_ALIAS:
        return "anchors and aliases are not read";
    case CYAML_ERR_LIBYAML_PARSER:
        return complaint->said;
    case CYAML_ERR_UNEXPECTED_EVENT:
        return strstr(complaint->said, "already seen") != NULL ? "is given twice"
                                                               : cyaml_strerror(error);
    case CYAML_ERR_INVALID_VALUE:
        return setting_find(bytes_of(complaint->place)) != NULL ? "takes a single value"
                                                                : "takes `name: value` pairs";
    case CYAML_ERR_INTERNAL_ERROR: /* its answer to a key that is a list or a mapping */
        return "a key is not a name";
    default:
        return cyaml_strerror(error);
    }
}

/* ", near line 7", or nothing. */
static void near_write(const struct complaint *complaint, char out[static 32])
{
    out[0] = '\0';
    if (complaint->line > 0)
        cut_write(out, 32, ", near line %zu", complaint->line);
}

static enum options_outcome refuse_key(struct reading *reading, const struct complaint *complaint)
{
    char path[2 * NAME_BYTES];
    char near[32];
    cut_write(path, sizeof(path), "%s%s%s", complaint->place, complaint->place[0] ? "." : "",
              complaint->key);
    int like = closest(&reading->flags, path, OPTION_ROWS);
    near_write(complaint, near);
    if (like < 0)
        return refuse(reading, OPTIONS_BAD_SETTING, "%s: there is no such setting (from %s%s)",
                      path, reading->options->config_path, near);
    return refuse(reading, OPTIONS_BAD_SETTING,
                  "%s: there is no such setting; did you mean %s? (from %s%s)", path,
                  settings_rows[like].path, reading->options->config_path, near);
}

static enum options_outcome refuse_file(struct reading *reading, const struct complaint *complaint,
                                        cyaml_err_t error)
{
    const char *place = complaint_is_placed(error) ? complaint->place : "";
    char near[32];
    if (error == CYAML_ERR_INVALID_KEY)
        return refuse_key(reading, complaint);
    near_write(complaint, near);
    return refuse(reading, OPTIONS_BAD_SETTING, "%s: %s (from %s%s)",
                  place[0] == '\0' ? "config" : place, complaint_words(complaint, error),
                  reading->options->config_path, near);
}

static void values_gather(const struct schema *schema, void *const *top, struct gathered *gathered)
{
    for (size_t i = 0; top != NULL && i < OPTION_ROWS; i++) {
        struct bytes section = section_of(&settings_rows[i]);
        void *const *slots = top;
        if (section.length > 0)
            slots = top[OPTION_ROWS + section_find(schema, section)];
        if (slots != NULL)
            gathered->text[i] = slots[i];
    }
}

static enum options_outcome document_apply(struct reading *reading, const char *text, size_t length)
{
    struct complaint complaint = {.any = false};
    const cyaml_config_t config = {
        .log_fn = complaint_hear,
        .log_ctx = &complaint,
        .log_level = CYAML_LOG_WARNING,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    struct schema schema;
    struct gathered gathered = {.source = OPTION_FILE};
    enum options_outcome outcome;
    cyaml_data_t *data = NULL;

    schema_make(&schema);
    cyaml_err_t error =
        cyaml_load_data((const uint8_t *)text, length, &config, &schema.root, &data, NULL);
    if (error == CYAML_OK && !complaint.any) {
        values_gather(&schema, data, &gathered);
        outcome = gathered_apply(reading, &gathered);
    } else {
        outcome = refuse_file(reading, &complaint, error);
    }
    if (data != NULL)
        cyaml_free(&config, &schema.root, data, 0);
    return outcome;
}

/* How much there is, at most `limit`; -1 with errno when it cannot be read. */
static ssize_t file_read(const char *path, char *out, size_t limit)
{
    size_t length = 0;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    do {
        got = read(fd, out + length, limit - length);
        if (got > 0)
            length += (size_t)got;
    } while (length < limit && (got > 0 || (got < 0 && errno == EINTR)));
    int error = errno;
    close(fd);
    errno = error;
    return got < 0 ? -1 : (ssize_t)length;
}

static enum options_outcome file_apply(struct reading *reading)
{
    const char *path = reading->options->config_path;
    enum options_outcome outcome;
    char *text = malloc(OPTION_FILE_BYTES + 1);
    if (text == NULL)
        return refuse(reading, OPTIONS_BAD_SETTING, "config: there is no memory to read %s", path);
    ssize_t length = file_read(path, text, OPTION_FILE_BYTES + 1);
    if (length < 0)
        outcome = refuse(reading, OPTIONS_BAD_SETTING, "config: cannot read %s: %s (from %s)", path,
                         strerror(errno), reading->config_from);
    else if (length > OPTION_FILE_BYTES)
        outcome = refuse(reading, OPTIONS_BAD_SETTING, "config: %s has over %d bytes (from %s)",
                         path, OPTION_FILE_BYTES, reading->config_from);
    else
        outcome = document_apply(reading, text, (size_t)length);
    free(text);
    return outcome;
}

/* --- all sources --- */

static enum options_outcome sources_read(struct reading *reading, int argc, char **argv,
                                         char *const *environment)
{
    struct gathered flags = {.source = OPTION_FLAG};
    struct gathered variables = {.source = OPTION_ENVIRONMENT};
    enum options_outcome outcome = flags_gather(reading, argc, argv, &flags);
    if (outcome != OPTIONS_FINE || is_answered_at_once(reading->options))
        return outcome;
    outcome = environment_gather(reading, environment, &variables);
    if (outcome == OPTIONS_FINE && reading->config_from != NULL)
        outcome = file_apply(reading);
    if (outcome == OPTIONS_FINE)
        outcome = gathered_apply(reading, &variables);
    if (outcome == OPTIONS_FINE)
        outcome = gathered_apply(reading, &flags);
    return outcome;
}

enum options_outcome options_read(struct options *options, int argc, char **argv,
                                  char *const *environment, char *problem, size_t problem_bytes)
{
    struct reading reading = {
        .options = options, .problem = problem, .problem_bytes = problem_bytes};
    memset(options, 0, sizeof(*options));
    settings_init(&options->settings);
    flags_make(&reading.flags);
    return sources_read(&reading, argc, argv, environment);
}

/* --- writing --- */

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
    number_write(row, row->floor, floor);
    number_write(row, row->ceiling, ceiling);
    cut_write(out, BOUNDS_BYTES, "%s%s %s %s", lead, floor,
              row->kind == SETTING_SWITCH ? "or" : "to", ceiling);
}

static void default_write(const struct setting *row, char out[static SETTING_WRITE_BYTES + 1])
{
    if (row->kind == SETTING_TEXT)
        memcpy(out, row->text, strlen(row->text) + 1);
    else
        number_write(row, row->initial, out);
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
    char variable[NAME_BYTES];
    default_write(row, initial);
    bounds_write(row, "; ", bounds);
    variable_write(row->path, variable);
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
    struct flags flags;
    flags_make(&flags);
    fputs(help_head, out);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(out, "  --%-14s %s\n", commands[i].name, commands[i].reason);
    fputs("\nsettings\n", out);
    for (size_t i = 0; i < OPTION_ROWS; i++)
        help_write_setting(out, &settings_rows[i], flags.names[i]);
}

/* "limits:" before the first setting of a section; the rows of one section stand together. */
static void section_write(FILE *out, size_t row)
{
    struct bytes section = section_of(&settings_rows[row]);
    if (section.length > 0 &&
        (row == 0 || !bytes_equal(section, section_of(&settings_rows[row - 1]))))
        fprintf(out, "\n%.*s:\n", (int)section.length, section.at);
}

/* `key: value`; an address is quoted, since [::1]:8080 would begin a list. */
static void pair_write(FILE *out, const struct setting *row, const char *value)
{
    const char *quote = row->kind == SETTING_TEXT ? "\"" : "";
    fprintf(out, "%s: %s%s%s", key_of(row), quote, value, quote);
}

void options_write_config(FILE *out, const struct options *options)
{
    fputs("# mayfly --print-config: the settings in effect, and where each came from\n", out);
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct setting *row = &settings_rows[i];
        char value[SETTING_WRITE_BYTES + 1];
        value[setting_write(&options->settings, row, value)] = '\0';
        section_write(out, i);
        fputs(section_of(row).length > 0 ? "  " : "", out);
        pair_write(out, row, value);
        fprintf(out, " # %s\n", option_source_name(options->source[i]));
    }
}

static void template_write_setting(FILE *out, const struct setting *row)
{
    bool nested = section_of(row).length > 0;
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
        if (section_of(&settings_rows[i]).length == 0)
            fputc('\n', out);
        template_write_setting(out, &settings_rows[i]);
    }
}
