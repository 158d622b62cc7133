/* test_settings.c: every row of config/settings.def, and every form a value may take. */
#include "base/settings.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

Suite *settings_suite(void);

static struct settings settings;

static void setup(void)
{
    settings_init(&settings);
}

static enum setting_problem assign(const char *path, const char *text)
{
    const struct setting *row = setting_find(bytes_of(path));
    ck_assert_msg(row != NULL, "no row %s", path);
    return setting_assign(&settings, row, bytes_of(text));
}

static enum setting_problem assign_number(const struct setting *row, uint64_t number)
{
    char text[SETTING_WRITE_BYTES];
    size_t length = setting_write_number(row, number, text);
    return setting_assign(&settings, row, (struct bytes){text, length});
}

/* --- every row --- */

START_TEST(row_has_a_path_and_a_reason)
{
    const struct setting *row = &settings_rows[_i];
    ck_assert_ptr_eq(setting_find(bytes_of(row->path)), row);
    ck_assert_uint_gt(strlen(row->reason), 10);
    ck_assert_uint_eq(strspn(row->path, "abcdefghijklmnopqrstuvwxyz_."), strlen(row->path));
}
END_TEST

START_TEST(row_default_is_auto_or_within_bounds)
{
    const struct setting *row = &settings_rows[_i];
    if (row->kind == SETTING_TEXT) {
        ck_assert_str_eq((const char *)&settings + row->offset, row->text);
        return;
    }
    uint64_t number = setting_number(&settings, row);
    ck_assert_uint_eq(number, row->initial);
    ck_assert_uint_le(row->floor, row->ceiling);
    ck_assert(number == SETTING_AUTO || (number >= row->floor && number <= row->ceiling));
}
END_TEST

START_TEST(row_takes_floor_and_ceiling_and_nothing_beyond)
{
    const struct setting *row = &settings_rows[_i];
    if (row->kind == SETTING_TEXT)
        return;
    ck_assert_int_eq(assign_number(row, row->floor), SETTING_FINE);
    ck_assert_uint_eq(setting_number(&settings, row), row->floor);
    ck_assert_int_eq(assign_number(row, row->ceiling), SETTING_FINE);
    ck_assert_uint_eq(setting_number(&settings, row), row->ceiling);
    if (row->kind == SETTING_SWITCH)
        return;
    if (row->floor > 0)
        ck_assert_int_eq(assign_number(row, row->floor - 1), SETTING_BELOW_FLOOR);
    ck_assert_int_eq(assign_number(row, row->ceiling + 1), SETTING_ABOVE_CEILING);
    ck_assert_uint_eq(setting_number(&settings, row), row->ceiling);
}
END_TEST

/* What setting_write makes, setting_assign reads back as the same settings, byte for byte. */
static void check_round_trip(const struct setting *row)
{
    char text[SETTING_WRITE_BYTES];
    struct settings before = settings;
    size_t length = setting_write(&settings, row, text);
    ck_assert_uint_le(length, sizeof(text));
    if (row->kind == SETTING_TEXT)
        ck_assert_int_eq(setting_assign(&settings, row, BYTES("elsewhere:1")), SETTING_FINE);
    else
        ck_assert_int_eq(assign_number(row, row->ceiling), SETTING_FINE);
    ck_assert_int_eq(setting_assign(&settings, row, (struct bytes){text, length}), SETTING_FINE);
    ck_assert_mem_eq(&settings, &before, sizeof(before));
}

START_TEST(row_round_trips)
{
    const struct setting *row = &settings_rows[_i];
    check_round_trip(row);
    if (row->kind == SETTING_TEXT)
        return;
    unsigned seed = (unsigned)_i + 1;
    for (int i = 0; i < 2000; i++) {
        uint64_t draw = ((uint64_t)(unsigned)rand_r(&seed) << 31) ^ (unsigned)rand_r(&seed);
        uint64_t number = row->floor + (draw >> (i % 62)) % (row->ceiling - row->floor + 1);
        memcpy((char *)&settings + row->offset, &number, sizeof(number));
        check_round_trip(row);
    }
}
END_TEST

START_TEST(row_takes_auto_only_where_it_is_the_default)
{
    const struct setting *row = &settings_rows[_i];
    if (row->kind == SETTING_TEXT)
        return;
    enum setting_problem problem = setting_assign(&settings, row, BYTES("auto"));
    ck_assert_int_eq(problem, row->initial == SETTING_AUTO ? SETTING_FINE : SETTING_MALFORMED);
    ck_assert_uint_eq(setting_number(&settings, row), row->initial);
}
END_TEST

/* What no row of its kind can read; a refusal leaves the settings as they were. */
static void check_refused(const struct setting *row, const char *const *texts, size_t count)
{
    struct settings before = settings;
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(setting_assign(&settings, row, bytes_of(texts[i])) == SETTING_MALFORMED,
                      "%s took %s", row->path, texts[i]);
        ck_assert_mem_eq(&settings, &before, sizeof(before));
    }
}

START_TEST(row_refuses_malformed_texts)
{
    static const char *const numbers[] = {
        "",      " ",        "-1",  "+1",       "1e6",        "0x10",  "1_000",
        "1,5",   "1.5.2K",   "K",   ".5M",      "5.M",        "5. M",  "NaN",
        "1 2",   "infinity", "1K2", "1KK",      "null",       "~",     "AUTO",
        "1\n",   "\n1",      "5MB", "64 M iB",  "5 parsecs",  "truee", "1.1234567M",
        "\"1\"", "'1'",      "1;",  "\xd9\xa1", "1.0000001s", "1.5ms", "12345678901234567890x",
    };
    static const char *const texts[] = {
        "", " \t", "a b", "\"a:1\"", "'a:1'", "a\\b", "a\nb", "a\x7f", "caf\xc3\xa9:1",
    };
    const struct setting *row = &settings_rows[_i];
    if (row->kind == SETTING_TEXT)
        check_refused(row, texts, sizeof(texts) / sizeof(texts[0]));
    else
        check_refused(row, numbers, sizeof(numbers) / sizeof(numbers[0]));
}
END_TEST

START_TEST(row_stops_at_a_nul)
{
    const struct setting *row = &settings_rows[_i];
    ck_assert_int_eq(setting_assign(&settings, row, (struct bytes){"1\0K", 3}), SETTING_MALFORMED);
}
END_TEST

/* Beyond 64 bits is above the ceiling, whatever the unit; nothing wraps round to a small number. */
START_TEST(row_refuses_what_overflows)
{
    static const char *const numbers[] = {
        "18446744073709551614", /* SETTING_AUTO - 1 */
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999",
    };
    static const char *const units[] = {"", "KiB", "TiB", "s", "d"};
    const struct setting *row = &settings_rows[_i];
    if (row->kind == SETTING_TEXT || row->kind == SETTING_SWITCH)
        return;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
            enum setting_kind kind = u == 0 ? row->kind : u <= 2 ? SETTING_SIZE : SETTING_DURATION;
            char text[64];
            snprintf(text, sizeof(text), "%s%s", numbers[i], units[u]);
            ck_assert_int_eq(setting_assign(&settings, row, bytes_of(text)),
                             kind == row->kind ? SETTING_ABOVE_CEILING : SETTING_MALFORMED);
        }
    }
}
END_TEST

/* --- forms --- */

struct form {
    const char *path;
    const char *text;
    uint64_t number;
    const char *written;
};

static const struct form forms[] = {
    {"memory", "67108864", 67108864, "64MiB"},
    {"memory", "64MiB", 67108864, "64MiB"},
    {"memory", "64 MiB", 67108864, "64MiB"},
    {"memory", "  64MiB\t", 67108864, "64MiB"},
    {"memory", "64M", 67108864, "64MiB"},
    {"memory", "64m", 67108864, "64MiB"},
    {"memory", "64Mi", 67108864, "64MiB"},
    {"memory", "64mib", 67108864, "64MiB"},
    {"memory", "65536K", 67108864, "64MiB"},
    {"memory", "67108865", 67108865, "67108865"},
    {"memory", "1G", 1073741824, "1GiB"},
    {"memory", "1.5GiB", 1610612736, "1536MiB"},
    {"memory", "0.1G", 107374182, "107374182"},
    {"memory", "0.100000G", 107374182, "107374182"},
    {"memory", "00064M", 67108864, "64MiB"},
    {"memory", "1T", (uint64_t)1 << 40, "1TiB"},
    {"memory", "1024GiB", (uint64_t)1 << 40, "1TiB"},
    {"limits.body_bytes_per_second", "100", 100, "100"},
    {"limits.body_timeout", "250ms", 250, "250ms"},
    {"limits.body_timeout", "10", 10000, "10s"},
    {"limits.body_timeout", "1.5", 1500, "1500ms"},
    {"limits.body_timeout", "1.5s", 1500, "1500ms"},
    {"limits.body_timeout", "90s", 90000, "90s"},
    {"limits.body_timeout", "5m", 300000, "5m"},
    {"limits.body_timeout", "0.5h", 1800000, "30m"},
    {"limits.body_timeout", "1d", 86400000, "1d"},
    {"series.idle_min", "365d", 31536000000, "365d"},
    {"server.shutdown_timeout", "0", 0, "0s"},
    {"server.shutdown_timeout", "0ms", 0, "0s"},
    {"server.threads", "auto", SETTING_AUTO, "auto"},
    {"server.threads", " auto ", SETTING_AUTO, "auto"},
    {"server.threads", "007", 7, "7"},
    {"limits.request_bytes", "auto", SETTING_AUTO, "auto"},
    {"prefault", "on", 1, "true"},
    {"prefault", "OFF", 0, "false"},
    {"prefault", "Yes", 1, "true"},
    {"prefault", "no", 0, "false"},
    {"prefault", "1", 1, "true"},
    {"prefault", "0", 0, "false"},
    {"prefault", "True", 1, "true"},
    {"prefault", "false", 0, "false"},
};

START_TEST(form_is_read_and_written)
{
    const struct form *form = &forms[_i];
    const struct setting *row = setting_find(bytes_of(form->path));
    char text[SETTING_WRITE_BYTES];
    ck_assert_msg(assign(form->path, form->text) == SETTING_FINE, "%s: %s", form->path, form->text);
    ck_assert_uint_eq(setting_number(&settings, row), form->number);
    struct bytes written = {text, setting_write(&settings, row, text)};
    ck_assert_msg(bytes_equal(written, bytes_of(form->written)), "%s: %s is written %.*s",
                  form->path, form->text, (int)written.length, written.at);
}
END_TEST

struct refused {
    const char *path;
    const char *text;
    enum setting_problem problem;
};

static const struct refused refused[] = {
    {"memory", "0", SETTING_BELOW_FLOOR},
    {"memory", "15.999999M", SETTING_BELOW_FLOOR},
    {"memory", "1.000001T", SETTING_ABOVE_CEILING},
    {"memory", "18014398509547520KiB", SETTING_ABOVE_CEILING},            /* 2^64 + 64 MiB */
    {"memory", "16777217TiB", SETTING_ABOVE_CEILING},                     /* 2^64 + 1 TiB */
    {"limits.body_timeout", "18446744073709552s", SETTING_ABOVE_CEILING}, /* 2^64 + 384 ms */
    {"memory", "64s", SETTING_MALFORMED},
    {"memory", "64MB", SETTING_MALFORMED},
    {"memory", "64B", SETTING_MALFORMED},
    {"limits.body_timeout", "5M", SETTING_MALFORMED},
    {"limits.body_timeout", "5min", SETTING_MALFORMED},
    {"limits.body_timeout", "1.5ms", SETTING_MALFORMED},
    {"limits.body_timeout", "99ms", SETTING_BELOW_FLOOR},
    {"limits.body_timeout", "1.5d", SETTING_ABOVE_CEILING},
    {"server.threads", "2K", SETTING_MALFORMED},
    {"server.threads", "1.5", SETTING_MALFORMED},
    {"server.threads", "65", SETTING_ABOVE_CEILING},
    {"server.threads", "0", SETTING_BELOW_FLOOR},
    {"prefault", "2", SETTING_MALFORMED},
    {"prefault", "auto", SETTING_MALFORMED},
};

START_TEST(value_is_refused_for_its_reason)
{
    ck_assert_msg(assign(refused[_i].path, refused[_i].text) == refused[_i].problem, "%s: %s",
                  refused[_i].path, refused[_i].text);
}
END_TEST

START_TEST(text_fills_its_field_and_no_more)
{
    char text[SETTING_TEXT_BYTES + 1];
    memset(text, 'x', sizeof(text));
    const struct setting *row = setting_find(BYTES("listen"));
    ck_assert_int_eq(setting_assign(&settings, row, (struct bytes){text, SETTING_TEXT_BYTES}),
                     SETTING_MALFORMED);
    ck_assert_str_eq(settings.listen, "127.0.0.1:8080");
    ck_assert_int_eq(setting_assign(&settings, row, (struct bytes){text, SETTING_TEXT_BYTES - 1}),
                     SETTING_FINE);
    ck_assert_uint_eq(strlen(settings.listen), SETTING_TEXT_BYTES - 1);
    ck_assert_str_eq(settings.operator_listen, "127.0.0.1:8081");
    ck_assert_int_eq(assign("listen", "[::1]:8080"), SETTING_FINE);
    ck_assert_str_eq(settings.listen, "[::1]:8080");
}
END_TEST

START_TEST(lookup_takes_the_whole_path)
{
    ck_assert_ptr_eq(setting_find(BYTES("memory")), &settings_rows[0]);
    ck_assert_ptr_null(setting_find(BYTES("")));
    ck_assert_ptr_null(setting_find(BYTES("memor")));
    ck_assert_ptr_null(setting_find(BYTES("memory ")));
    ck_assert_ptr_null(setting_find(BYTES("line_bytes")));
    ck_assert_ptr_null(setting_find(BYTES("LIMITS.line_bytes")));
    ck_assert_ptr_nonnull(setting_find(BYTES("limits.line_bytes")));
}
END_TEST

START_TEST(numbers_that_are_no_settings_are_read_as_if_they_were)
{
    uint64_t number = 7;
    ck_assert_int_eq(setting_number_read(SETTING_SIZE, BYTES(" 1.5KiB "), &number), SETTING_FINE);
    ck_assert_uint_eq(number, 1536);
    ck_assert_int_eq(setting_number_read(SETTING_DURATION, BYTES("5m"), &number), SETTING_FINE);
    ck_assert_uint_eq(number, 300000);
    ck_assert_int_eq(setting_number_read(SETTING_COUNT, BYTES("12"), &number), SETTING_FINE);
    ck_assert_uint_eq(number, 12);
    ck_assert_int_eq(setting_number_read(SETTING_SWITCH, BYTES("yes"), &number), SETTING_FINE);
    ck_assert_uint_eq(number, 1);
    ck_assert_int_eq(setting_number_read(SETTING_SIZE, BYTES("4KB"), &number), SETTING_MALFORMED);
    ck_assert_int_eq(setting_number_read(SETTING_SIZE, BYTES("auto"), &number), SETTING_MALFORMED);
    ck_assert_int_eq(setting_number_read(SETTING_SIZE, BYTES("99999999TiB"), &number),
                     SETTING_ABOVE_CEILING);
}
END_TEST

START_TEST(paths_differ)
{
    for (size_t i = 0; i < settings_count; i++)
        ck_assert_ptr_eq(setting_find(bytes_of(settings_rows[i].path)), &settings_rows[i]);
}
END_TEST

static TCase *rows_case(void)
{
    TCase *rows = tcase_create("rows");
    int count = (int)settings_count;
    tcase_add_checked_fixture(rows, setup, NULL);
    tcase_add_loop_test(rows, row_has_a_path_and_a_reason, 0, count);
    tcase_add_loop_test(rows, row_default_is_auto_or_within_bounds, 0, count);
    tcase_add_loop_test(rows, row_takes_floor_and_ceiling_and_nothing_beyond, 0, count);
    tcase_add_loop_test(rows, row_round_trips, 0, count);
    tcase_add_loop_test(rows, row_takes_auto_only_where_it_is_the_default, 0, count);
    tcase_add_loop_test(rows, row_refuses_malformed_texts, 0, count);
    tcase_add_loop_test(rows, row_stops_at_a_nul, 0, count);
    tcase_add_loop_test(rows, row_refuses_what_overflows, 0, count);
    return rows;
}

static TCase *forms_case(void)
{
    TCase *cases = tcase_create("forms");
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_loop_test(cases, form_is_read_and_written, 0, sizeof(forms) / sizeof(forms[0]));
    tcase_add_loop_test(cases, value_is_refused_for_its_reason, 0,
                        sizeof(refused) / sizeof(refused[0]));
    tcase_add_test(cases, text_fills_its_field_and_no_more);
    tcase_add_test(cases, lookup_takes_the_whole_path);
    tcase_add_test(cases, numbers_that_are_no_settings_are_read_as_if_they_were);
    tcase_add_test(cases, paths_differ);
    return cases;
}

Suite *settings_suite(void)
{
    Suite *suite = suite_create("settings");
    suite_add_tcase(suite, rows_case());
    suite_add_tcase(suite, forms_case());
    return suite;
}
