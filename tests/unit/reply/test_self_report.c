/* test_self_report.c: the service's own figures as a scraper reads them: both forms, all pages. */
#include "reply/self_report.h"

#include "base/number.h"
#include "reply/report_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

Suite *self_report_suite(void);

#define WHOLE_BYTES ((size_t)128 << 10)

static struct report_fixture fixture;
static char whole[WHOLE_BYTES];
static char other[WHOLE_BYTES];

static void setup(void)
{
    fixture_init(&fixture);
}

/* Terminated, for strstr. */
static struct bytes write_into(char *out, bool process_names)
{
    struct self_report report;
    struct writer writer = writer_make(out, WHOLE_BYTES - 1);
    self_report_init(&report, &fixture.input, process_names);
    ck_assert(!self_report_next(&report, &writer));
    ck_assert(!self_report_next(&report, &writer)); /* and it stays written */
    out[writer.used] = '\0';
    return writer_text(&writer);
}

static struct bytes write_whole(void)
{
    return write_into(whole, true);
}

static struct bytes next_line(struct bytes *text)
{
    const char *end = memchr(text->at, '\n', text->length);
    ck_assert_msg(end != NULL, "no newline after %.*s", (int)text->length, text->at);
    struct bytes line = {text->at, (size_t)(end - text->at)};
    *text = (struct bytes){end + 1, text->length - line.length - 1};
    return line;
}

/* ---- a reader of expositions that trusts nothing ---- */

struct exposed {
    struct bytes name; /* as its # lines have it */
    struct bytes type;
    size_t samples;
};

/* The name behind the keyword, what follows it in *rest; an empty name on any other line. */
static struct bytes declared(struct bytes line, struct bytes keyword, struct bytes *rest)
{
    if (!bytes_start_with(line, keyword))
        return (struct bytes){NULL, 0};
    line = (struct bytes){line.at + keyword.length, line.length - keyword.length};
    const char *space = memchr(line.at, ' ', line.length);
    ck_assert_ptr_nonnull(space);
    size_t length = (size_t)(space - line.at);
    *rest = (struct bytes){space + 1, line.length - length - 1};
    return (struct bytes){line.at, length};
}

static bool is_suffix_of_type(struct bytes suffix, struct bytes type)
{
    if (bytes_equal(type, BYTES("histogram")))
        return bytes_equal(suffix, BYTES("_bucket")) || bytes_equal(suffix, BYTES("_sum")) ||
               bytes_equal(suffix, BYTES("_count"));
    if (bytes_equal(type, BYTES("counter")))
        return bytes_equal(suffix, fixture.input.openmetrics ? BYTES("_total") : BYTES(""));
    return suffix.length == 0;
}

static size_t label_name_length(const char *at)
{
    return strspn(at, "abcdefghijklmnopqrstuvwxyz_");
}

/* Past the labels that begin at `at`, a brace. */
static const char *skip_labels(const char *at)
{
    do {
        at++;
        ck_assert_uint_gt(label_name_length(at), 0);
        at += label_name_length(at);
        ck_assert_int_eq(*at++, '=');
        ck_assert_int_eq(*at++, '"');
        for (; *at != '"'; at += 1 + (*at == '\\'))
            ck_assert_int_ne(*at, '\n');
        at++;
    } while (*at == ',');
    ck_assert_int_eq(*at, '}');
    return at + 1;
}

static void check_sample(struct bytes line, const struct exposed *family)
{
    size_t length = strcspn(line.at, " {");
    struct bytes name = {line.at, length};
    ck_assert_msg(bytes_start_with(name, family->name), "%.*s within %.*s", (int)line.length,
                  line.at, (int)family->name.length, family->name.at);
    struct bytes suffix = {name.at + family->name.length, length - family->name.length};
    ck_assert_msg(is_suffix_of_type(suffix, family->type), "%.*s", (int)line.length, line.at);
    const char *at = line.at + length;
    if (*at == '{')
        at = skip_labels(at);
    ck_assert_int_eq(*at++, ' ');
    double value;
    struct bytes number = {at, (size_t)(line.at + line.length - at)};
    ck_assert_msg(number_parse(number, &value), "%.*s", (int)line.length, line.at);
}

static void check_name(const struct exposed *family)
{
    bool total = bytes_end_with(family->name, BYTES("_total"));
    bool counter = bytes_equal(family->type, BYTES("counter"));
    ck_assert_msg(total == (counter && !fixture.input.openmetrics), "%.*s",
                  (int)family->name.length, family->name.at);
}

/* HELP, then TYPE of the same name: the beginning of a family. */
static struct exposed begin_family(struct bytes help_line, struct bytes *text)
{
    struct bytes help;
    struct exposed family = {.samples = 0};
    family.name = declared(help_line, BYTES("# HELP "), &help);
    ck_assert_uint_gt(family.name.length, 0);
    ck_assert_uint_gt(help.length, 5);
    struct bytes line = next_line(text);
    ck_assert(bytes_equal(declared(line, BYTES("# TYPE "), &family.type), family.name));
    check_name(&family);
    return family;
}

static void check_new(const struct exposed *families, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        ck_assert_msg(!bytes_equal(families[i].name, families[count - 1].name), "%.*s twice",
                      (int)families[i].name.length, families[i].name.at);
}

/* Returns the number of families. */
static size_t check_exposition(struct bytes text)
{
    struct exposed families[128];
    size_t count = 0;
    while (text.length > 0) {
        struct bytes line = next_line(&text);
        if (line.at[0] != '#') {
            ck_assert_uint_gt(count, 0);
            check_sample(line, &families[count - 1]);
            families[count - 1].samples++;
            continue;
        }
        ck_assert(count == 0 || families[count - 1].samples > 0);
        ck_assert_uint_lt(count, 128);
        families[count++] = begin_family(line, &text);
        check_new(families, count);
    }
    ck_assert(count == 0 || families[count - 1].samples > 0);
    return count;
}

static void check_both_forms(void)
{
    size_t families = check_exposition(write_whole());
    fixture.input.openmetrics = true;
    ck_assert_uint_eq(check_exposition(write_whole()), families);
}

START_TEST(both_forms_are_well_formed)
{
    check_both_forms();
}
END_TEST

START_TEST(both_forms_are_well_formed_at_their_longest)
{
    fixture_extreme(&fixture);
    check_both_forms();
}
END_TEST

START_TEST(version_is_escaped)
{
    fixture.world.version = "a \"b\" \\ c\nd";
    check_both_forms();
    ck_assert_ptr_nonnull(
        strstr(whole, "\nmayfly_build_info{version=\"a \\\"b\\\" \\\\ c\\nd\"} 1\n"));
}
END_TEST

/* ---- what is there ---- */

static bool has_line(const char *line)
{
    char exact[256];
    snprintf(exact, sizeof exact, "\n%s\n", line);
    return strstr(whole, exact) != NULL;
}

/* A sample's value, as text; "" when there is no such sample. */
static const char *value_of(const char *sample)
{
    static char value[64];
    char head[256];
    snprintf(head, sizeof head, "\n%s ", sample);
    const char *at = strstr(whole, head);
    value[0] = '\0';
    if (at != NULL) {
        at += strlen(head);
        size_t length = strcspn(at, "\n");
        ck_assert_uint_lt(length, sizeof value);
        memcpy(value, at, length);
        value[length] = '\0';
    }
    return value;
}

static const struct {
    const char *sample;
    const char *value; /* of the fixture */
} samples[] = {
    {"mayfly_build_info{version=\"1.2.3\"}", "1"},
    {"mayfly_start_time_seconds", "1795370000.000"},
    {"mayfly_clock_offset_seconds", "-2.500"},
    {"mayfly_memory_budget_bytes", "67108864"},
    {"mayfly_memory_planned_bytes", "63963136"},
    {"mayfly_memory_plan_bytes{part=\"region\"}", "42991616"},
    {"mayfly_memory_plan_bytes{part=\"slack\"}", "5242880"},
    {"mayfly_memory_live_bytes", NULL},
    {"mayfly_memory_peak_bytes", NULL},
    {"mayfly_memory_unaccounted_bytes", "2094104"},
    {"mayfly_memory_heap_unexplained_bytes", "0"},
    {"mayfly_memory_quiet_points_total", "3"},
    {"mayfly_memory_reserved_bytes", "42991616"},
    {"mayfly_cgroup_memory_events_total{event=\"max\"}", "2004"},
    {"mayfly_cgroup_memory_events_total{event=\"oom_kill\"}", "2005"},
    {"mayfly_request_oldest_age_seconds", "1.250"},
    {"mayfly_cache_oldest_entry_age_seconds", "7.500"},
    {"process_swap_bytes", "1006"},
    {"mayfly_memory_quiet_point_failures_total{pool=\"growth\"}", "1"},
    {"mayfly_memory_quiet_point_failures_total{pool=\"requests\"}", "0"},
    {"mayfly_memory_status{status=\"ok\"}", "1"},
    {"mayfly_memory_status{status=\"leak_suspected\"}", "0"},
    {"mayfly_memory_trend{verdict=\"flat\"}", "1"},
    {"mayfly_memory_trend{verdict=\"growing\"}", "0"},
    {"mayfly_memory_trend_verdict{figure=\"heap\"}", "0"},
    {"mayfly_memory_pool_period_peak_bytes{pool=\"growth\"}", "2007"},
    {"mayfly_cgroup_memory_waiting_seconds_total{tasks=\"some\"}", "3.5"},
    {"mayfly_cgroup_memory_waiting_seconds_total{tasks=\"full\"}", "7.5"},
    {"mayfly_cached_lifetime_seconds_bucket{le=\"10\"}", "5"},
    {"mayfly_cached_lifetime_seconds_sum", "11.5"},
    {"mayfly_series_lifetime_seconds_bucket{le=\"3600\"}", "9"},
    {"mayfly_series_lifetime_seconds_count", "14"},
    {"mayfly_window_lifetime_seconds_bucket{le=\"60\"}", "5"},
    {"mayfly_window_lifetime_seconds_sum", "900.5"},
    {"process_proportional_memory_bytes", "1005"},
    {"mayfly_memory_ledger_mismatch_bytes", "0"},
    {"mayfly_memory_audits_total", "12"},
    {"mayfly_memory_pool_capacity_bytes{pool=\"series\"}", "10485760"},
    {"mayfly_memory_pool_live_bytes{pool=\"growth\"}", "2000"},
    {"mayfly_memory_pool_peak_bytes{pool=\"growth\"}", "2007"},
    {"mayfly_memory_pool_live_objects{pool=\"growth\"}", "1"},
    {"mayfly_memory_pool_allocations_total{pool=\"growth\"}", "2"},
    {"mayfly_memory_pool_frees_total{pool=\"growth\"}", "1"},
    {"mayfly_memory_pool_refusals_total{pool=\"reserve\",reason=\"capacity\"}", "3"},
    {"mayfly_cgroup_memory_current_bytes", "2001"},
    {"mayfly_cgroup_memory_peak_bytes", "2002"},
    {"mayfly_cgroup_memory_limit_bytes", "2003"},
    {"mayfly_requests_in_flight", "3001"},
    {"mayfly_request_arena_peak_bytes", "3003"},
    {"mayfly_request_arena_lifetime_seconds_bucket{le=\"0.001\"}", "1"},
    {"mayfly_request_arena_lifetime_seconds_bucket{le=\"0.01\"}", "3"},
    {"mayfly_request_arena_lifetime_seconds_bucket{le=\"10\"}", "15"},
    {"mayfly_request_arena_lifetime_seconds_bucket{le=\"+Inf\"}", "21"},
    {"mayfly_request_arena_lifetime_seconds_sum", "60.5"},
    {"mayfly_request_arena_lifetime_seconds_count", "21"},
    {"mayfly_http_requests_total{class=\"none\"}", "3007"},
    {"mayfly_http_requests_total{class=\"2xx\"}", "3009"},
    {"mayfly_http_requests_total{class=\"5xx\"}", "3012"},
    {"mayfly_connections_closed_without_reply_total{cause=\"header_timeout\"}", "3013"},
    {"mayfly_connections_closed_without_reply_total{cause=\"client\"}", "3017"},
    {"mayfly_http_refusals_total{code=\"not_found\"}", "3019"},
    {"mayfly_samples_accepted_total", "77"},
    {"mayfly_samples_rejected_total{code=\"too_deep\"}", NULL},
    {"mayfly_samples_overflowed_total", "402"},
    {"mayfly_samples_late_total", "401"},
    {"mayfly_series", "679"},
    {"mayfly_series_max", "30000"},
    {"mayfly_series_created_total", "1000"},
    {"mayfly_series_recycled_total", "300"},
    {"mayfly_series_expired_total", "20"},
    {"mayfly_series_deleted_total", "1"},
    {"mayfly_families", "5"},
    {"mayfly_histograms_downscaled_total", "408"},
    {"mayfly_log_lines_dropped_total", "91"},
    {"mayfly_http_body_bytes_total", NULL},
    {"mayfly_connections", NULL},
    {"mayfly_connections_max", NULL},
    {"mayfly_connections_accepted_total", NULL},
    {"process_cpu_seconds_total", "12.25"},
    {"process_start_time_seconds", "1795370000.000"},
    {"process_resident_memory_bytes", "52428800"},
    {"process_resident_memory_peak_bytes", "1002"},
    {"process_resident_memory_anon_bytes", "1003"},
    {"process_resident_memory_file_bytes", "1004"},
    {"process_virtual_memory_bytes", "1007"},
    {"process_virtual_memory_peak_bytes", "1008"},
    {"process_threads", "1009"},
    {"process_open_fds", "1010"},
    {"process_max_fds", "1011"},
    {"process_minor_pagefaults_total", "1012"},
    {"process_major_pagefaults_total", "1013"},
};

/* Without a value: it moves with the number of statuses or pools, and a test below has it. */
START_TEST(sample_is_there_with_its_value)
{
    write_whole();
    if (samples[_i].value != NULL)
        ck_assert_str_eq(value_of(samples[_i].sample), samples[_i].value);
    else
        ck_assert_str_ne(value_of(samples[_i].sample), "");
}
END_TEST

START_TEST(figures_of_connections_are_not_mixed_up)
{
    struct world_requests *requests = &fixture.world.requests;
    requests->body_bytes = 1;
    requests->connections = 2;
    requests->connections_max = 3;
    requests->accepted_connections = 4;
    write_whole();
    ck_assert_str_eq(value_of("mayfly_http_body_bytes_total"), "1");
    ck_assert_str_eq(value_of("mayfly_connections"), "2");
    ck_assert_str_eq(value_of("mayfly_connections_max"), "3");
    ck_assert_str_eq(value_of("mayfly_connections_accepted_total"), "4");
}
END_TEST

START_TEST(types_are_declared_as_each_form_wants_them)
{
    write_whole();
    ck_assert(has_line("# TYPE mayfly_samples_late_total counter"));
    ck_assert(has_line("# TYPE mayfly_series gauge"));
    ck_assert(has_line("# TYPE mayfly_request_arena_lifetime_seconds histogram"));
    fixture.input.openmetrics = true;
    write_whole();
    ck_assert(has_line("# TYPE mayfly_samples_late counter"));
    ck_assert_str_eq(value_of("mayfly_samples_late_total"), "401");
    ck_assert_str_eq(value_of("mayfly_request_arena_lifetime_seconds_bucket{le=\"10.0\"}"), "15");
    ck_assert_ptr_null(strstr(whole, "# EOF"));
}
END_TEST

START_TEST(every_pool_has_its_samples)
{
    unsigned long sum = 0;
    write_whole();
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        char sample[128];
        sum += 1000UL * (unsigned)(pool + 1);
        snprintf(sample, sizeof sample, "mayfly_memory_pool_live_bytes{pool=\"%s\"}",
                 pool_rows[pool].name);
        ck_assert_uint_eq(strtoul(value_of(sample), NULL, 10), 1000UL * (unsigned)(pool + 1));
    }
    ck_assert_uint_eq(strtoul(value_of("mayfly_memory_live_bytes"), NULL, 10), sum);
    ck_assert_uint_eq(strtoul(value_of("mayfly_memory_peak_bytes"), NULL, 10), sum + 7);
}
END_TEST

/* How many samples a family has. */
static size_t count_samples(const char *head)
{
    size_t count = 0;
    for (const char *at = whole; (at = strstr(at, head)) != NULL; at += strlen(head))
        count++;
    return count;
}

START_TEST(every_code_is_in_the_list_it_belongs_to)
{
    memset(fixture.rejected, 0, sizeof fixture.rejected);
    memset(fixture.world.requests.refused, 0, sizeof fixture.world.requests.refused);
    write_whole();
    ck_assert_str_eq(value_of("mayfly_http_refusals_total{code=\"busy\"}"), "0");
    ck_assert_str_eq(value_of("mayfly_http_refusals_total{code=\"bad_syntax\"}"), "");
    ck_assert_str_eq(value_of("mayfly_samples_rejected_total{code=\"busy\"}"), "");
    ck_assert_str_eq(value_of("mayfly_samples_rejected_total{code=\"bad_syntax\"}"), "0");
    ck_assert_uint_eq(count_samples("\nmayfly_http_refusals_total{") +
                          count_samples("\nmayfly_samples_rejected_total{"),
                      STATUS_COUNT - 1);
}
END_TEST

START_TEST(code_of_the_other_list_appears_once_it_has_occurred)
{
    memset(fixture.world.requests.refused, 0, sizeof fixture.world.requests.refused);
    fixture.world.requests.refused[STATUS_BAD_SYNTAX] = 2;
    write_whole();
    ck_assert_str_eq(value_of("mayfly_http_refusals_total{code=\"bad_syntax\"}"), "2");
    ck_assert_str_eq(value_of("mayfly_http_refusals_total{code=\"ok\"}"), "");
}
END_TEST

START_TEST(process_names_only_when_asked_for)
{
    struct bytes without = write_into(other, false);
    struct bytes with = write_whole();
    ck_assert_ptr_null(strstr(other, "\nprocess_"));
    ck_assert(bytes_start_with(with, without));
    ck_assert_ptr_nonnull(strstr(whole, "\nprocess_threads "));
}
END_TEST

START_TEST(what_the_system_does_not_tell_is_left_out_with_its_type)
{
    fixture.world.process.rss_peak_bytes = WORLD_UNKNOWN;
    fixture.world.cgroup.limit_bytes = WORLD_UNKNOWN;
    check_exposition(write_whole());
    ck_assert_ptr_null(strstr(whole, "process_resident_memory_peak_bytes"));
    ck_assert_ptr_null(strstr(whole, "mayfly_cgroup_memory_limit_bytes"));
    ck_assert_ptr_nonnull(strstr(whole, "mayfly_cgroup_memory_peak_bytes"));
    fixture.world.cgroup.version = 0;
    fixture.world.process.rss_bytes = WORLD_UNKNOWN;
    check_exposition(write_whole());
    ck_assert_ptr_null(strstr(whole, "mayfly_cgroup_"));
    ck_assert_ptr_null(strstr(whole, "memory_unaccounted"));
}
END_TEST

START_TEST(live_figures_do_not_go_below_zero)
{
    fixture.store.created_series = 0;
    fixture.store.families.live_count = 0;
    write_whole();
    ck_assert_str_eq(value_of("mayfly_series"), "0");
    ck_assert_str_eq(value_of("mayfly_families"), "0");
}
END_TEST

/* ---- pages ---- */

/* The report by pages of this size, into `other`. */
static struct bytes write_pages(size_t page_bytes)
{
    struct self_report report;
    struct writer all = writer_make(other, sizeof other);
    char *page = malloc(page_bytes);
    ck_assert_ptr_nonnull(page);
    self_report_init(&report, &fixture.input, true);
    for (bool more = true; more;) {
        struct writer writer = writer_make(page, page_bytes);
        more = self_report_next(&report, &writer);
        ck_assert(!writer.full);
        ck_assert(writer.used > 0 || !more);
        ck_assert(bytes_start_with(writer_text(&writer), BYTES("# HELP ")));
        writer_bytes(&all, writer_text(&writer));
    }
    free(page);
    return writer_text(&all);
}

static void check_pages(void)
{
    struct bytes text = write_whole();
    for (size_t page = SELF_FAMILY_BYTES_MAX; page < text.length + 131; page += 131)
        ck_assert_msg(bytes_equal(write_pages(page), text), "pages of %zu bytes", page);
    ck_assert(bytes_equal(write_pages(16384), text));
    ck_assert(bytes_equal(write_pages(text.length), text));
}

START_TEST(pages_of_any_size_come_to_the_same)
{
    check_pages();
}
END_TEST

START_TEST(pages_of_any_size_come_to_the_same_at_their_longest)
{
    fixture_extreme(&fixture);
    fixture.input.openmetrics = true;
    check_pages();
}
END_TEST

START_TEST(page_that_is_nearly_full_is_left_as_it_is)
{
    struct self_report report;
    struct writer writer = writer_make(other, 100);
    struct bytes text = write_whole();
    self_report_init(&report, &fixture.input, true);
    writer_string(&writer, "what was exposed before");
    ck_assert(self_report_next(&report, &writer));
    ck_assert(bytes_equal(writer_text(&writer), BYTES("what was exposed before")));
    ck_assert(!writer.full);
    writer = writer_make(other, sizeof other);
    ck_assert(!self_report_next(&report, &writer));
    ck_assert(bytes_equal(writer_text(&writer), text));
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

Suite *self_report_suite(void)
{
    Suite *suite = suite_create("self_report");
    TCase *tcase = tcase_create("self_report");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, both_forms_are_well_formed);
    tcase_add_test(tcase, both_forms_are_well_formed_at_their_longest);
    tcase_add_test(tcase, version_is_escaped);
    tcase_add_loop_test(tcase, sample_is_there_with_its_value, 0, ROWS(samples));
    tcase_add_test(tcase, figures_of_connections_are_not_mixed_up);
    tcase_add_test(tcase, types_are_declared_as_each_form_wants_them);
    tcase_add_test(tcase, every_pool_has_its_samples);
    tcase_add_test(tcase, every_code_is_in_the_list_it_belongs_to);
    tcase_add_test(tcase, code_of_the_other_list_appears_once_it_has_occurred);
    tcase_add_test(tcase, process_names_only_when_asked_for);
    tcase_add_test(tcase, what_the_system_does_not_tell_is_left_out_with_its_type);
    tcase_add_test(tcase, live_figures_do_not_go_below_zero);
    tcase_add_test(tcase, pages_of_any_size_come_to_the_same);
    tcase_add_test(tcase, pages_of_any_size_come_to_the_same_at_their_longest);
    tcase_add_test(tcase, page_that_is_nearly_full_is_left_as_it_is);
    suite_add_tcase(suite, tcase);
    return suite;
}
