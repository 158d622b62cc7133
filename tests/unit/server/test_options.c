/*
 * test_options.c: every setting from every source, who wins, and what is said of what is wrong.
 *
 * config/mayfly.yaml is compared with what options_write_template() makes. After a change to
 * config/settings.def this test fails once, and leaves the right file beside itself to copy.
 */
#include "server/options.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef SOURCE_ROOT
#define SOURCE_ROOT "." /* the build says where the sources are; by hand, run it there */
#endif

Suite *options_suite(void);

static struct options options;
static char problem[OPTION_PROBLEM_BYTES];
static char directory[64];
static char config_path[128];

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})
#define FLAGS(...) WORDS("mayfly", __VA_ARGS__)
#define NO_FLAGS WORDS("mayfly")
#define NO_ENVIRONMENT ((char *[]){NULL})

static void setup(void)
{
    strcpy(directory, "/tmp/mayfly-options-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(config_path, sizeof(config_path), "%s/mayfly.yaml", directory);
    memset(problem, 0, sizeof(problem));
}

static void teardown(void)
{
    unlink(config_path);
    rmdir(directory);
}

static enum options_outcome read_options(char **argv, char **environment)
{
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    return options_read(&options, argc, argv, environment, problem, sizeof(problem));
}

static void read_fine(char **argv, char **environment)
{
    ck_assert_msg(read_options(argv, environment) == OPTIONS_FINE, "%s", problem);
}

static void write_config(const char *text, size_t length)
{
    FILE *file = fopen(config_path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    fclose(file);
}

static enum options_outcome read_config(const char *text)
{
    write_config(text, strlen(text));
    return read_options(FLAGS("--config", config_path), NO_ENVIRONMENT);
}

static void check_all_default(void)
{
    struct settings defaults;
    settings_init(&defaults);
    ck_assert_mem_eq(&options.settings, &defaults, sizeof(defaults));
}

/* A value of this row that is not its default, as text. */
static void other_value(const struct setting *row, char out[static SETTING_WRITE_BYTES + 1])
{
    if (row->kind == SETTING_TEXT) {
        strcpy(out, "[::1]:9");
        return;
    }
    uint64_t number = row->initial == row->ceiling ? row->floor : row->ceiling;
    out[setting_write_number(row, number, out)] = '\0';
}

static void check_other(const struct setting *row, enum option_source source)
{
    char expected[SETTING_WRITE_BYTES + 1];
    char found[SETTING_WRITE_BYTES + 1];
    other_value(row, expected);
    found[setting_write(&options.settings, row, found)] = '\0';
    ck_assert_str_eq(found, expected);
    for (size_t i = 0; i < OPTION_ROWS; i++)
        ck_assert_int_eq(options.source[i], &settings_rows[i] == row ? source : OPTION_DEFAULT);
}

/* "limits.line_bytes" as --limits-line-bytes or MAYFLY_LIMITS_LINE_BYTES, spelt out by hand. */
static void spell(const char *prefix, const char *path, bool upper, char *out)
{
    out += sprintf(out, "%s", prefix);
    for (; *path != '\0'; path++) {
        bool letter = isalpha((unsigned char)*path);
        *out++ = letter ? (char)(upper ? toupper(*path) : *path) : upper ? '_' : '-';
    }
    *out = '\0';
}

/* --- every row, from every source --- */

START_TEST(rows_match_the_enum)
{
    ck_assert_uint_eq(settings_count, OPTION_ROWS);
    ck_assert_str_eq(settings_rows[OPTION_ROW_memory].path, "memory");
    ck_assert_str_eq(settings_rows[OPTION_ROW_limits_line_bytes].path, "limits.line_bytes");
}
END_TEST

START_TEST(nothing_given_is_all_defaults)
{
    read_fine(NO_FLAGS, NO_ENVIRONMENT);
    check_all_default();
    ck_assert_int_eq(options.command, OPTION_RUN);
    ck_assert_str_eq(options.config_path, "");
    for (size_t i = 0; i < OPTION_ROWS; i++)
        ck_assert_int_eq(options.source[i], OPTION_DEFAULT);
}
END_TEST

START_TEST(row_is_read_from_its_flag)
{
    const struct setting *row = &settings_rows[_i];
    char flag[256], value[SETTING_WRITE_BYTES + 1];
    spell("--", row->path, false, flag);
    other_value(row, value);
    read_fine(FLAGS(flag, value), NO_ENVIRONMENT);
    check_other(row, OPTION_FLAG);
    strcat(strcat(flag, "="), value);
    read_fine(FLAGS(flag), NO_ENVIRONMENT);
    check_other(row, OPTION_FLAG);
}
END_TEST

START_TEST(row_is_read_from_its_variable)
{
    const struct setting *row = &settings_rows[_i];
    char entry[256], value[SETTING_WRITE_BYTES + 1];
    spell("MAYFLY_", row->path, true, entry);
    other_value(row, value);
    strcat(strcat(entry, "="), value);
    read_fine(NO_FLAGS, WORDS("PATH=/bin", entry, "MAYFLYX=1", "ODD"));
    check_other(row, OPTION_ENVIRONMENT);
}
END_TEST

START_TEST(row_is_read_from_its_key)
{
    const struct setting *row = &settings_rows[_i];
    char text[256], value[SETTING_WRITE_BYTES + 1];
    const char *dot = strchr(row->path, '.');
    other_value(row, value);
    if (dot == NULL)
        snprintf(text, sizeof(text), "%s: \"%s\"\n", row->path, value);
    else
        snprintf(text, sizeof(text), "%.*s:\n  %s: \"%s\"\n", (int)(dot - row->path), row->path,
                 dot + 1, value);
    ck_assert_msg(read_config(text) == OPTIONS_FINE, "%s", problem);
    check_other(row, OPTION_FILE);
    ck_assert_str_eq(options.config_path, config_path);
}
END_TEST

/* --- who wins --- */

START_TEST(flag_wins_over_variable_over_file)
{
    static const char text[] = "limits:\n  name_bytes: 20\n  labels: 20\n  families: 20\n";
    write_config(text, strlen(text));
    read_fine(FLAGS("--config", config_path, "--limits-name-bytes", "40"),
              WORDS("MAYFLY_LIMITS_NAME_BYTES=30", "MAYFLY_LIMITS_LABELS=30"));
    ck_assert_uint_eq(options.settings.limits_name_bytes, 40);
    ck_assert_uint_eq(options.settings.limits_labels, 30);
    ck_assert_uint_eq(options.settings.limits_families, 20);
    ck_assert_int_eq(options.source[OPTION_ROW_limits_name_bytes], OPTION_FLAG);
    ck_assert_int_eq(options.source[OPTION_ROW_limits_labels], OPTION_ENVIRONMENT);
    ck_assert_int_eq(options.source[OPTION_ROW_limits_families], OPTION_FILE);
    ck_assert_int_eq(options.source[OPTION_ROW_memory], OPTION_DEFAULT);
}
END_TEST

START_TEST(last_flag_wins)
{
    read_fine(FLAGS("--memory", "32M", "--memory=128M"), NO_ENVIRONMENT);
    ck_assert_uint_eq(options.settings.memory, 128 << 20);
}
END_TEST

START_TEST(config_flag_wins_over_its_variable)
{
    char variable[256] = "MAYFLY_CONFIG=";
    write_config("memory: 32M\n", 12);
    strcat(variable, config_path);
    read_fine(NO_FLAGS, WORDS(variable));
    ck_assert_uint_eq(options.settings.memory, 32 << 20);
    ck_assert_str_eq(options.config_path, config_path);
    read_fine(FLAGS("--config=/dev/null"), WORDS(variable));
    ck_assert_uint_eq(options.settings.memory, 64 << 20);
    ck_assert_str_eq(options.config_path, "/dev/null");
}
END_TEST

START_TEST(overridden_value_is_checked_too)
{
    ck_assert_int_eq(read_options(FLAGS("--memory", "64M"), WORDS("MAYFLY_MEMORY=1")),
                     OPTIONS_BAD_SETTING);
    ck_assert_str_eq(problem,
                     "memory: 1 is below the least, 16MiB (from MAYFLY_MEMORY in the environment)");
}
END_TEST

START_TEST(variables_of_a_kubernetes_service_are_passed_over)
{
    read_fine(NO_FLAGS,
              WORDS("MAYFLY_SERVICE_HOST=10.0.0.11", "MAYFLY_SERVICE_PORT=8080",
                    "MAYFLY_SERVICE_PORT_HTTP=8080", "MAYFLY_PORT=tcp://10.0.0.11:8080",
                    "MAYFLY_PORT_8080_TCP=tcp://10.0.0.11:8080", "MAYFLY_PORT_8080_TCP_PROTO=tcp",
                    "MAYFLY_PORT_8080_TCP_ADDR=10.0.0.11", "MAYFLY_OPERATOR_SERVICE_HOST=1.2.3.4",
                    "MAYFLY_OPERATOR_PORT=tcp://1.2.3.4:8081"));
    check_all_default();
    ck_assert_int_eq(read_options(NO_FLAGS, WORDS("MAYFLY_PORT=8080")), OPTIONS_BAD_SETTING);
}
END_TEST

/* --- commands --- */

START_TEST(command_is_read)
{
    static const struct {
        char *flag;
        enum option_command command;
    } rows[] = {
        {"--plan", OPTION_PLAN},
        {"--check-config", OPTION_CHECK_CONFIG},
        {"--print-config", OPTION_PRINT_CONFIG},
        {"--probe", OPTION_PROBE},
        {"--version", OPTION_VERSION},
        {"--help", OPTION_HELP},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        read_fine(FLAGS("--memory", "32M", rows[i].flag), NO_ENVIRONMENT);
        ck_assert_int_eq(options.command, rows[i].command);
        read_fine(FLAGS(rows[i].flag, rows[i].flag), NO_ENVIRONMENT);
    }
}
END_TEST

START_TEST(help_and_version_need_nothing_else_to_be_right)
{
    char **broken = WORDS("MAYFLY_CONFIG=/nowhere", "MAYFLY_MEMRY=1");
    read_fine(FLAGS("--memory=x", "--plan", "--help", "--bogus", "stray"), broken);
    ck_assert_int_eq(options.command, OPTION_HELP);
    read_fine(FLAGS("--version", "--help"), broken);
    ck_assert_int_eq(options.command, OPTION_VERSION);
}
END_TEST

/* --- what is said --- */

struct bad_flags {
    enum options_outcome outcome;
    char *argv[4];
    const char *said;
};

static const struct bad_flags bad_flags[] = {
    {OPTIONS_BAD_USAGE, {"--memori", "1"}, "unknown flag --memori; did you mean --memory?"},
    {OPTIONS_BAD_USAGE, {"--memori=1"}, "unknown flag --memori; did you mean --memory?"},
    {OPTIONS_BAD_USAGE, {"--pln"}, "unknown flag --pln; did you mean --plan?"},
    {OPTIONS_BAD_USAGE,
     {"--limits-line_bytes", "1"},
     "unknown flag --limits-line_bytes; did you mean --limits-line-bytes?"},
    {OPTIONS_BAD_USAGE, {"--frobnicate"}, "unknown flag --frobnicate; --help lists all"},
    {OPTIONS_BAD_USAGE, {"--limits", "1"}, "unknown flag --limits; --help lists all"},
    {OPTIONS_BAD_USAGE, {"--mem", "64M"}, "write --memory in full"},
    {OPTIONS_BAD_USAGE, {"--mem=64M"}, "write --memory in full"},
    {OPTIONS_BAD_USAGE, {"-h"}, "unknown flag -h; --help lists all"},
    {OPTIONS_BAD_USAGE, {"-\x01"}, "unknown flag -?; --help lists all"},
    {OPTIONS_BAD_USAGE, {"--memory"}, "--memory needs a value"},
    {OPTIONS_BAD_USAGE, {"--plan", "--config"}, "--config needs a value"},
    {OPTIONS_BAD_USAGE, {"--plan=yes"}, "--plan takes no value"},
    {OPTIONS_BAD_USAGE, {"--plan", "--probe"}, "--probe and another command do not go together"},
    {OPTIONS_BAD_USAGE, {"64M"}, "\"64M\" belongs to no flag; --help lists all"},
    {OPTIONS_BAD_USAGE, {"--plan", "\n"}, "\"?\" belongs to no flag; --help lists all"},
    {OPTIONS_BAD_USAGE, {"--", "--memory"}, "\"--memory\" belongs to no flag; --help lists all"},
    {OPTIONS_BAD_USAGE, {""}, "\"\" belongs to no flag; --help lists all"},
    {OPTIONS_BAD_SETTING,
     {"--limits-line-bytes", "10"},
     "limits.line_bytes: 10 is below the least, 1KiB (from --limits-line-bytes)"},
    {OPTIONS_BAD_SETTING,
     {"--limits-line-bytes=1.5M"},
     "limits.line_bytes: 1.5M is above the most, 1MiB (from --limits-line-bytes)"},
    {OPTIONS_BAD_SETTING,
     {"--memory", "64MB"},
     "memory: \"64MB\" is not a size such as 65536, 64KiB or 1.5MiB (from --memory)"},
    {OPTIONS_BAD_SETTING,
     {"--memory", "--plan"},
     "memory: \"--plan\" is not a size such as 65536, 64KiB or 1.5MiB (from --memory)"},
    {OPTIONS_BAD_SETTING,
     {"--memory="},
     "memory: \"\" is not a size such as 65536, 64KiB or 1.5MiB (from --memory)"},
    {OPTIONS_BAD_SETTING,
     {"--server-threads", "two"},
     "server.threads: \"two\" is not a whole number, nor auto (from --server-threads)"},
    {OPTIONS_BAD_SETTING,
     {"--series-idle-min=5 min"},
     "series.idle_min: \"5 min\" is not a time such as 250ms, 10s, 5m or 1.5h "
     "(from --series-idle-min)"},
    {OPTIONS_BAD_SETTING,
     {"--prefault", "perhaps\n"},
     "prefault: \"perhaps?\" is not true or false (from --prefault)"},
    {OPTIONS_BAD_SETTING,
     {"--listen", "a b"},
     "listen: \"a b\" is not an address and port such as 127.0.0.1:8080 or [::1]:8080 "
     "(from --listen)"},
    {OPTIONS_BAD_SETTING,
     {"--config", "/nowhere/x.yaml"},
     "config: cannot read /nowhere/x.yaml: No such file or directory (from --config)"},
    {OPTIONS_BAD_SETTING,
     {"--config", "/"},
     "config: cannot read /: Is a directory (from --config)"},
    {OPTIONS_BAD_SETTING, {"--config="}, "config: the path is empty (from --config)"},
    {OPTIONS_BAD_SETTING,
     {"--config=/dev/zero"},
     "config: /dev/zero has over 262144 bytes (from --config)"},
};

START_TEST(bad_flag_is_named)
{
    char *argv[8] = {"mayfly"};
    memcpy(argv + 1, bad_flags[_i].argv, sizeof(bad_flags[_i].argv));
    enum options_outcome outcome = read_options(argv, NO_ENVIRONMENT);
    ck_assert_str_eq(problem, bad_flags[_i].said);
    ck_assert_int_eq(outcome, bad_flags[_i].outcome);
}
END_TEST

struct bad_text {
    char *text;
    const char *said;
};

static const struct bad_text bad_variables[] = {
    {"MAYFLY_MEMRY=1",
     "MAYFLY_MEMRY: there is no such setting; did you mean MAYFLY_MEMORY? (from the environment)"},
    {"MAYFLY_CONFIGS=1", "MAYFLY_CONFIGS: there is no such setting; did you mean MAYFLY_CONFIG? "
                         "(from the environment)"},
    {"MAYFLY_PORT=8080", "MAYFLY_PORT: there is no such setting (from the environment)"},
    {"MAYFLY_PORTX8=1", "MAYFLY_PORTX8: there is no such setting (from the environment)"},
    {"MAYFLY_=", "MAYFLY_: there is no such setting (from the environment)"},
    {"MAYFLY_memory=64M",
     "MAYFLY_memory: there is no such setting; did you mean MAYFLY_MEMORY? (from the environment)"},
    {"MAYFLY_LIMITS_NAME_BYTES=3",
     "limits.name_bytes: 3 is below the least, 16 (from MAYFLY_LIMITS_NAME_BYTES in the "
     "environment)"},
    {"MAYFLY_MEMORY=",
     "memory: \"\" is not a size such as 65536, 64KiB or 1.5MiB (from MAYFLY_MEMORY in the "
     "environment)"},
    {"MAYFLY_CONFIG=", "config: the path is empty (from MAYFLY_CONFIG in the environment)"},
    {"MAYFLY_CONFIG=/nowhere",
     "config: cannot read /nowhere: No such file or directory (from MAYFLY_CONFIG in the "
     "environment)"},
};

START_TEST(bad_variable_is_named)
{
    enum options_outcome outcome = read_options(NO_FLAGS, WORDS(bad_variables[_i].text));
    ck_assert_str_eq(problem, bad_variables[_i].said);
    ck_assert_int_eq(outcome, OPTIONS_BAD_SETTING);
}
END_TEST

/* FILE stands for the path of the file. */
static const struct bad_text bad_files[] = {
    {"memory: 1\n", "memory: 1 is below the least, 16MiB (from FILE)"},
    {"limits:\n  line_bytes: 2MiB\n",
     "limits.line_bytes: 2MiB is above the most, 1MiB (from FILE)"},
    {"limits:\n  line_bytes:\n",
     "limits.line_bytes: \"\" is not a size such as 65536, 64KiB or 1.5MiB (from FILE)"},
    {"server:\n  threads: null\n",
     "server.threads: \"null\" is not a whole number, nor auto (from FILE)"},
    {"memory: \"a\\nb\"\n",
     "memory: \"a?b\" is not a size such as 65536, 64KiB or 1.5MiB (from FILE)"},
    {"memroy: 64MiB\n",
     "memroy: there is no such setting; did you mean memory? (from FILE, near line 1)"},
    {"memory: 64MiB\nlimits:\n  line_bytes: 2K\n  labels: 3\n  lime_bytes: 3\n",
     "limits.lime_bytes: there is no such setting; did you mean limits.line_bytes? (from FILE, "
     "near line 4)"},
    {"limits:\n  line-bytes: 2K\n",
     "limits.line-bytes: there is no such setting; did you mean limits.line_bytes? (from FILE, "
     "near line 2)"},
    {"parsecs: 5\n", "parsecs: there is no such setting (from FILE, near line 1)"},
    {"limits.line_bytes: 2K\n",
     "limits.line_bytes: there is no such setting; did you mean limits.line_bytes? (from FILE, "
     "near line 1)"},
    {"memory: 64M\nmemory: 32M\n", "memory: is given twice (from FILE, near line 1)"},
    {"log:\n  events_per_second: 1\nlog:\n  events_per_second: 2\n",
     "log: is given twice (from FILE, near line 2)"},
    {"memory: [1, 2]\n", "memory: takes a single value (from FILE, near line 1)"},
    {"limits:\n  labels:\n    - 3\n",
     "limits.labels: takes a single value (from FILE, near line 3)"},
    {"limits: 5\n", "limits: takes `name: value` pairs (from FILE, near line 1)"},
    {"- memory\n", "config: takes `name: value` pairs (from FILE)"},
    {"just words\n", "config: takes `name: value` pairs (from FILE)"},
    {"[a]: 1\n", "config: a key is not a name (from FILE, near line 1)"},
    {"memory: &a 64M\nseries:\n  max: *a\n",
     "series.max: anchors and aliases are not read (from FILE, near line 3)"},
    {"memory: 64M\n---\nmemory: 32M\n",
     "config: the file holds more than one document (from FILE)"},
    {"memory: \"64M\n", "config: found unexpected end of stream (from FILE, near line 1)"},
    {"memory: 64M\n\tlisten: x\n",
     "config: found a tab character that violates indentation (from FILE, near line 1)"},
    {"memory: 64M\n\xff\xff\n", "config: invalid leading UTF-8 octet (from FILE)"},
};

static void hide_path(char *text)
{
    char *path = strstr(text, config_path);
    ck_assert_msg(path != NULL, "no path in: %s", text);
    char *rest = path + strlen(config_path);
    memcpy(path, "FILE", 4);
    memmove(path + 4, rest, strlen(rest) + 1);
}

START_TEST(bad_file_is_named)
{
    enum options_outcome outcome = read_config(bad_files[_i].text);
    ck_assert_int_eq(outcome, OPTIONS_BAD_SETTING);
    hide_path(problem);
    ck_assert_str_eq(problem, bad_files[_i].said);
}
END_TEST

START_TEST(file_may_say_nothing)
{
    static const char *const texts[] = {"",     "\n",        "# only a comment\n",
                                        "{}\n", "limits:\n", "limits: ~\nseries: {}\nsets: null\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_msg(read_config(texts[i]) == OPTIONS_FINE, "%s", problem);
        check_all_default();
    }
}
END_TEST

START_TEST(file_takes_any_style_of_yaml)
{
    ck_assert_msg(read_config("{memory: '32M', limits: {labels: \"20\", name_bytes: 0x20}}\n") !=
                      OPTIONS_FINE,
                  "0x20 is no number here");
    ck_assert_msg(read_config("%YAML 1.1\n---\nmemory: '32M'\nlimits: {labels: 20}\n...\n") ==
                      OPTIONS_FINE,
                  "%s", problem);
    ck_assert_uint_eq(options.settings.memory, 32 << 20);
    ck_assert_uint_eq(options.settings.limits_labels, 20);
}
END_TEST

START_TEST(file_has_a_largest_size)
{
    char *text = malloc(OPTION_FILE_BYTES + 1);
    memset(text, '\n', OPTION_FILE_BYTES + 1);
    write_config(text, OPTION_FILE_BYTES);
    read_fine(FLAGS("--config", config_path), NO_ENVIRONMENT);
    write_config(text, OPTION_FILE_BYTES + 1);
    free(text);
    ck_assert_int_eq(read_options(FLAGS("--config", config_path), NO_ENVIRONMENT),
                     OPTIONS_BAD_SETTING);
}
END_TEST

START_TEST(long_input_is_cut_in_what_is_said)
{
    char value[5000] = "--memory=";
    memset(value + 9, 'x', sizeof(value) - 10);
    ck_assert_int_eq(read_options(FLAGS(value), NO_ENVIRONMENT), OPTIONS_BAD_SETTING);
    ck_assert_uint_lt(strlen(problem), 200);
    ck_assert_ptr_nonnull(strstr(problem, "xxx...\" is not a size"));

    memcpy(value, "--xxxxxx=", 9);
    ck_assert_int_eq(read_options(FLAGS(value), NO_ENVIRONMENT), OPTIONS_BAD_USAGE);
    memset(value, 'x', 9);
    ck_assert_int_eq(read_options(FLAGS(value), NO_ENVIRONMENT), OPTIONS_BAD_USAGE);
    ck_assert_uint_lt(strlen(problem), 200);
    memcpy(value, "MAYFLY_", 7);
    value[4000] = '=';
    ck_assert_int_eq(read_options(NO_FLAGS, WORDS(value)), OPTIONS_BAD_SETTING);
    ck_assert_uint_lt(strlen(problem), 200);
    memset(value, 'x', sizeof(value) - 1);
    value[4000] = ':';
    value[4001] = ' ';
    ck_assert_int_eq(read_config(value), OPTIONS_BAD_SETTING);
    ck_assert_uint_lt(strlen(problem), 200);
    ck_assert_int_eq(read_options(FLAGS("--config", value), NO_ENVIRONMENT), OPTIONS_BAD_SETTING);
    ck_assert_str_eq(problem, "config: the path is too long (from --config)");
}
END_TEST

START_TEST(problem_fits_its_buffer)
{
    char small[8];
    memset(small, 'x', sizeof(small));
    ck_assert_int_eq(options_read(&options, 2, FLAGS("--plna"), NO_ENVIRONMENT, small, 7),
                     OPTIONS_BAD_USAGE);
    ck_assert_str_eq(small, "unknow");
    ck_assert_int_eq(small[7], 'x');
}
END_TEST

START_TEST(sources_have_names)
{
    ck_assert_str_eq(option_source_name(OPTION_DEFAULT), "default");
    ck_assert_str_eq(option_source_name(OPTION_FILE), "file");
    ck_assert_str_eq(option_source_name(OPTION_ENVIRONMENT), "environment");
    ck_assert_str_eq(option_source_name(OPTION_FLAG), "flag");
}
END_TEST

/* --- writing --- */

static char written[1 << 16];

static void write_config_text(FILE *out)
{
    options_write_config(out, &options);
}

/* What `write` makes, in `written`. */
static size_t capture(void (*write)(FILE *out))
{
    FILE *out = fmemopen(written, sizeof(written), "w");
    ck_assert_ptr_nonnull(out);
    write(out);
    long length = ftell(out);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_lt(length, (long)sizeof(written) - 1);
    return (size_t)length;
}

static void check_lines_fit(size_t columns)
{
    for (const char *line = written; *line != '\0'; line += strcspn(line, "\n") + 1)
        ck_assert_msg(strcspn(line, "\n") <= columns, "%.*s", (int)strcspn(line, "\n"), line);
}

START_TEST(printed_config_reads_back_as_the_same)
{
    struct settings before;
    read_fine(FLAGS("--memory", "67108865", "--listen", "[::1]:80", "--series-idle-min", "12345ms",
                    "--prefault=off", "--server-threads=3", "--limits-request-bytes=1.5M"),
              WORDS("MAYFLY_SERIES_MAX=777"));
    before = options.settings;
    size_t length = capture(write_config_text);
    ck_assert_ptr_nonnull(strstr(written, "\nmemory: 67108865 # flag\n"));
    ck_assert_ptr_nonnull(strstr(written, "\n  max: 777 # environment\n"));
    ck_assert_ptr_nonnull(strstr(written, "\n  labels: 32 # default\n"));
    write_config(written, length);
    read_fine(FLAGS("--config", config_path), NO_ENVIRONMENT);
    ck_assert_mem_eq(&options.settings, &before, sizeof(before));
    for (size_t i = 0; i < OPTION_ROWS; i++)
        ck_assert_int_eq(options.source[i], OPTION_FILE);
}
END_TEST

START_TEST(template_is_all_defaults)
{
    size_t length = capture(options_write_template);
    check_lines_fit(100);
    write_config(written, length);
    read_fine(FLAGS("--config", config_path), NO_ENVIRONMENT);
    check_all_default();
    for (size_t i = 0; i < OPTION_ROWS; i++)
        ck_assert_int_eq(options.source[i], OPTION_DEFAULT);
}
END_TEST

/* Prose has a space after its #, a setting has none. */
START_TEST(template_uncommented_is_every_setting_at_its_default)
{
    size_t length = capture(options_write_template);
    for (size_t i = 1; i < length; i++) {
        bool begins = written[i] == '#' && (written[i - 1] == '\n' || written[i - 1] == ' ');
        if (begins && islower((unsigned char)written[i + 1])) {
            memmove(written + i, written + i + 1, length - i);
            length--;
        }
    }
    write_config(written, length);
    read_fine(FLAGS("--config", config_path), NO_ENVIRONMENT);
    check_all_default();
    for (size_t i = 0; i < OPTION_ROWS; i++)
        ck_assert_msg(options.source[i] == OPTION_FILE, "%s is not there", settings_rows[i].path);
}
END_TEST

static void leave_beside(size_t length)
{
    FILE *file = fopen("mayfly.yaml.expected", "w");
    ck_assert_ptr_nonnull(file);
    fwrite(written, 1, length, file);
    fclose(file);
}

START_TEST(config_mayfly_yaml_is_the_template)
{
    static char found[sizeof(written)];
    size_t got = 0;
    size_t length = capture(options_write_template);
    FILE *file = fopen(SOURCE_ROOT "/config/mayfly.yaml", "r");
    if (file != NULL) {
        got = fread(found, 1, sizeof(found), file);
        fclose(file);
    }
    if (got != length || memcmp(found, written, length) != 0) {
        leave_beside(length);
        ck_abort_msg("config/mayfly.yaml is not what settings.def says: copy mayfly.yaml.expected "
                     "from this directory over it");
    }
}
END_TEST

START_TEST(help_tells_every_setting)
{
    char flag[64], variable[64];
    const struct setting *row = &settings_rows[_i];
    capture(options_write_help);
    check_lines_fit(100);
    spell("  --", row->path, false, flag);
    spell("MAYFLY_", row->path, true, variable);
    const char *at = strstr(written, strcat(flag, " "));
    ck_assert_msg(at != NULL, "no %s in --help", flag);
    const char *end = strstr(at, "\n\n");
    const char *found = strstr(at, variable);
    ck_assert_msg(found != NULL && (end == NULL || found < end), "no %s under it", variable);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, setup, teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add_reading(Suite *suite)
{
    TCase *rows = add_case(suite, "rows");
    tcase_add_test(rows, rows_match_the_enum);
    tcase_add_test(rows, nothing_given_is_all_defaults);
    tcase_add_loop_test(rows, row_is_read_from_its_flag, 0, OPTION_ROWS);
    tcase_add_loop_test(rows, row_is_read_from_its_variable, 0, OPTION_ROWS);
    tcase_add_loop_test(rows, row_is_read_from_its_key, 0, OPTION_ROWS);

    TCase *order = add_case(suite, "order");
    tcase_add_test(order, flag_wins_over_variable_over_file);
    tcase_add_test(order, last_flag_wins);
    tcase_add_test(order, config_flag_wins_over_its_variable);
    tcase_add_test(order, overridden_value_is_checked_too);
    tcase_add_test(order, variables_of_a_kubernetes_service_are_passed_over);
    tcase_add_test(order, command_is_read);
    tcase_add_test(order, help_and_version_need_nothing_else_to_be_right);
}

static void add_refusals(Suite *suite)
{
    TCase *tests = add_case(suite, "refusals");
    tcase_add_loop_test(tests, bad_flag_is_named, 0, COUNT_OF(bad_flags));
    tcase_add_loop_test(tests, bad_variable_is_named, 0, COUNT_OF(bad_variables));
    tcase_add_loop_test(tests, bad_file_is_named, 0, COUNT_OF(bad_files));
    tcase_add_test(tests, file_may_say_nothing);
    tcase_add_test(tests, file_takes_any_style_of_yaml);
    tcase_add_test(tests, file_has_a_largest_size);
    tcase_add_test(tests, long_input_is_cut_in_what_is_said);
    tcase_add_test(tests, problem_fits_its_buffer);
    tcase_add_test(tests, sources_have_names);
}

static void add_writing(Suite *suite)
{
    TCase *tests = add_case(suite, "writing");
    tcase_add_test(tests, printed_config_reads_back_as_the_same);
    tcase_add_test(tests, template_is_all_defaults);
    tcase_add_test(tests, template_uncommented_is_every_setting_at_its_default);
    tcase_add_test(tests, config_mayfly_yaml_is_the_template);
    tcase_add_loop_test(tests, help_tells_every_setting, 0, OPTION_ROWS);
}

Suite *options_suite(void)
{
    Suite *suite = suite_create("options");
    add_reading(suite);
    add_refusals(suite);
    add_writing(suite);
    return suite;
}
