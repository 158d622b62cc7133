/*
 * test_document.c: errors and push reports as JSON, read back by jansson, and never longer than
 * they may be.
 */
#include "reply/document.h"

#include "support.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>

Suite *document_suite(void);

static struct settings settings;
static char text[DOCUMENT_BYTES_MAX + 1];
static struct writer writer;

static void setup(void)
{
    test_settings(&settings);
    writer = writer_make(text, DOCUMENT_BYTES_MAX);
}

static const char *written(void)
{
    ck_assert(!writer.full);
    text[writer.used] = '\0';
    return text;
}

/* ---- as they look ---- */

struct error_row {
    struct refusal refusal;
    struct report report;
    bool with_report;
    const char *text;
};

static const struct error_row error_rows[] = {
    {.refusal = {.status = STATUS_NOT_FOUND},
     .text = "{\"error\": {\"code\": \"not_found\", \"message\": \"there is nothing at this "
             "path\"}}\n"},
    {.refusal = {.status = STATUS_LINE_TOO_LONG,
                 .line = 4812,
                 .limit = 65536,
                 .setting = "limits.line_bytes"},
     .text =
         "{\"error\": {\"code\": \"line_too_long\", \"message\": \"line 4812: the line is longer "
         "than 65536 bytes\", \"line\": 4812, \"limit\": 65536, \"setting\": "
         "\"limits.line_bytes\"}}\n"},
    {.refusal = {.status = STATUS_BAD_FIELD, .line = 3, .element = 7, .detail = "a \"ts\" \\ text"},
     .text =
         "{\"error\": {\"code\": \"bad_field\", \"message\": \"element 7: a field is missing or "
         "has the wrong type: a \\\"ts\\\" \\\\ text\", \"line\": 3, \"element\": 7}}\n"},
    /* where there is no detail to give the sentence ends before its colon */
    {.refusal = {.status = STATUS_BAD_SYNTAX},
     .text = "{\"error\": {\"code\": \"bad_syntax\", \"message\": \"not a sample\"}}\n"},
    /* what was applied before the error was met */
    {.refusal = {.status = STATUS_TRUNCATED_BODY, .detail = "the gzip stream ends early"},
     .report = {.accepted = 5, .rejected = 2},
     .with_report = true,
     .text = "{\"error\": {\"code\": \"truncated_body\", \"message\": \"the body ends before it is "
             "complete: the gzip stream ends early\"}, \"accepted\": 5, \"rejected\": 2}\n"},
    {.refusal = {.status = STATUS_STOPPING},
     .report = {.accepted = 5, .overflowed = 3},
     .with_report = true,
     .text = "{\"error\": {\"code\": \"stopping\", \"message\": \"the service is stopping\"}, "
             "\"accepted\": 5, \"rejected\": 0, \"overflowed\": 3}\n"},
};

START_TEST(error_row_is_written)
{
    const struct error_row *row = &error_rows[_i];
    document_error_write(&writer, &row->refusal, row->with_report ? &row->report : NULL);
    ck_assert_str_eq(written(), row->text);
}
END_TEST

START_TEST(a_push_that_went_well_is_two_figures)
{
    struct report report = {.accepted = 1000};
    document_push_write(&writer, &report);
    ck_assert_str_eq(written(), "{\"accepted\": 1000, \"rejected\": 0}\n");
}
END_TEST

START_TEST(a_push_says_what_overflowed_and_what_was_wrong)
{
    struct report report = {.accepted = 3, .overflowed = 2};
    struct refusal refusal = refusal_of(STATUS_TOO_MANY_LABELS, &settings);
    refusal.line = 2;
    report_reject(&report, refusal);
    refusal = refusal_plain(STATUS_BAD_NUMBER);
    refusal.line = 9;
    report_reject(&report, refusal);
    document_push_write(&writer, &report);
    ck_assert_str_eq(
        written(), "{\"accepted\": 3, \"rejected\": 2, \"overflowed\": 2, \"errors\": ["
                   "{\"code\": \"too_many_labels\", \"message\": \"line 2: there are more than 32 "
                   "labels\", \"line\": 2, \"limit\": 32, \"setting\": \"limits.labels\"}, "
                   "{\"code\": \"bad_number\", \"message\": \"line 9: the value is not a number\", "
                   "\"line\": 9}]}\n");
}
END_TEST

START_TEST(only_the_first_errors_are_told_but_all_are_counted)
{
    struct report report = {0};
    for (uint64_t line = 1; line <= 1000; line++) {
        struct refusal refusal = refusal_plain(STATUS_BAD_NUMBER);
        refusal.line = line;
        report_reject(&report, refusal);
    }
    document_push_write(&writer, &report);
    json_t *document = json_loads(written(), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(document);
    ck_assert_int_eq(json_integer_value(json_object_get(document, "rejected")), 1000);
    json_t *errors = json_object_get(document, "errors");
    ck_assert_uint_eq(json_array_size(errors), REPORT_ERRORS);
    for (size_t i = 0; i < REPORT_ERRORS; i++) {
        json_t *line = json_object_get(json_array_get(errors, i), "line");
        ck_assert_int_eq(json_integer_value(line), (json_int_t)i + 1);
    }
    json_decref(document);
}
END_TEST

/* ---- every outcome there is ---- */

/* Longer than any detail in lib/ and server/, with what must be escaped in it. */
static const char long_detail[] =
    "\"a detail\" \\ that is longer than any that the service gives, so "
    "that there is room for one more word";

static struct refusal largest(enum status status)
{
    struct refusal refusal = refusal_of(status, &settings);
    refusal.line = UINT64_MAX;
    refusal.element = UINT32_MAX;
    refusal.detail = long_detail;
    if (refusal.setting != NULL)
        refusal.limit = UINT64_MAX;
    return refusal;
}

START_TEST(every_status_makes_a_document_that_says_what_to_do)
{
    for (int status = STATUS_OK + 1; status < STATUS_COUNT; status++) {
        struct refusal refusal = largest((enum status)status);
        setup();
        refusal.line = 12;
        refusal.limit = INT64_MAX; /* jansson reads no larger integer */
        document_error_write(&writer, &refusal, NULL);
        json_error_t problem;
        json_t *document = json_loads(written(), JSON_REJECT_DUPLICATES, &problem);
        ck_assert_msg(document != NULL, "%s: %s", text, problem.text);
        json_t *error = json_object_get(document, "error");
        ck_assert_uint_eq(json_object_size(document), 1);
        ck_assert_str_eq(json_string_value(json_object_get(error, "code")),
                         status_code((enum status)status));
        const char *message = json_string_value(json_object_get(error, "message"));
        ck_assert_ptr_nonnull(message);
        ck_assert_ptr_null(strpbrk(message, "{}")); /* every word in braces was replaced */
        const char *setting = json_string_value(json_object_get(error, "setting"));
        ck_assert_int_eq(setting != NULL, refusal.setting != NULL);
        ck_assert(setting == NULL || setting_find(bytes_of(setting)) != NULL);
        const char *words = status_message((enum status)status);
        bool is_switch = strstr(words, "{setting}") != NULL && strstr(words, "{limit}") == NULL;
        ck_assert_int_eq(setting != NULL, is_switch || strstr(words, "{limit}") != NULL);
        json_decref(document);
    }
}
END_TEST

START_TEST(codes_and_replies_are_those_of_errors)
{
    for (int status = STATUS_OK + 1; status < STATUS_COUNT; status++) {
        const char *code = status_code((enum status)status);
        unsigned http = status_http((enum status)status);
        ck_assert_uint_eq(strspn(code, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(code));
        ck_assert(http == 503 || (http >= 400 && http < 500));
        for (int other = STATUS_OK + 1; other < status; other++)
            ck_assert_str_ne(code, status_code((enum status)other));
    }
}
END_TEST

/* ---- the ceiling ---- */

START_TEST(the_longest_error_fits)
{
    struct report report = {
        .accepted = UINT64_MAX, .rejected = UINT64_MAX, .overflowed = UINT64_MAX};
    struct refusal refusal = largest((enum status)(_i));
    document_error_write(&writer, &refusal, &report);
    written();
}
END_TEST

START_TEST(the_longest_report_fits)
{
    struct report report = {.accepted = UINT64_MAX, .overflowed = UINT64_MAX};
    for (int i = 0; i < REPORT_ERRORS; i++)
        report_reject(&report, largest((enum status)_i));
    report.rejected = UINT64_MAX;
    document_push_write(&writer, &report);
    json_t *document =
        json_loads(written(), JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    ck_assert_ptr_nonnull(document);
    ck_assert_uint_eq(json_array_size(json_object_get(document, "errors")), REPORT_ERRORS);
    json_decref(document);
}
END_TEST

/* A buffer that is too small is filled with nothing beyond its end, whatever its size. */
START_TEST(a_small_buffer_is_not_overrun)
{
    struct report report = {.accepted = 5};
    report_reject(&report, largest(STATUS_BAD_FIELD));
    for (size_t size = 0; size < 600; size++) {
        char *small = malloc(size + (size == 0));
        struct writer short_writer = writer_make(small, size);
        document_push_write(&short_writer, &report);
        CHECK_THAT(short_writer.used <= size);
        setup();
        document_push_write(&writer, &report);
        CHECK_THAT(short_writer.full == (writer.used > size));
        free(small);
    }
}
END_TEST

Suite *document_suite(void)
{
    Suite *suite = suite_create("document");
    TCase *looks = tcase_create("looks");
    tcase_add_checked_fixture(looks, setup, NULL);
    tcase_add_loop_test(looks, error_row_is_written, 0, COUNT_OF(error_rows));
    tcase_add_test(looks, a_push_that_went_well_is_two_figures);
    tcase_add_test(looks, a_push_says_what_overflowed_and_what_was_wrong);
    tcase_add_test(looks, only_the_first_errors_are_told_but_all_are_counted);
    tcase_add_test(looks, every_status_makes_a_document_that_says_what_to_do);
    tcase_add_test(looks, codes_and_replies_are_those_of_errors);
    suite_add_tcase(suite, looks);
    TCase *sizes = tcase_create("sizes");
    tcase_add_checked_fixture(sizes, setup, NULL);
    tcase_add_loop_test(sizes, the_longest_error_fits, STATUS_OK + 1, STATUS_COUNT);
    tcase_add_loop_test(sizes, the_longest_report_fits, STATUS_OK + 1, STATUS_COUNT);
    tcase_add_test(sizes, a_small_buffer_is_not_overrun);
    suite_add_tcase(suite, sizes);
    return suite;
}
