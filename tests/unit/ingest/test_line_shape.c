/*
 * test_line_shape.c: the fast reader of a line against the careful one.
 *
 * A line with blanks behind it that make it longer than the fast reader takes goes the careful way: the two must give the
 * same sample, or the same refusal.
 */
#include "ingest/line_shape.h"

#include "base/random.h"
#include "ingest/decoder.h"
#include "support.h"

#include <stdlib.h>

Suite *line_shape_suite(void);

#define LINE_BYTES 400

static struct settings settings;
static struct test_world world;

static void setup(void)
{
    test_world_init(&world, 1 << 16);
    settings = world.settings;
}

static void teardown(void)
{
    test_world_end(&world);
}

/* ---- what it takes and what it leaves ---- */

static bool takes(const char *text, struct label_list *list, struct line_shape *shape)
{
    label_list_init(list);
    return line_shape_read(bytes_of(text), strlen(text), &settings, list, shape);
}

START_TEST(a_plain_line_is_taken_apart)
{
    struct label_list list;
    struct line_shape shape;
    const char *text = "http_requests_total{method=\"GET\",route=\"/a b\"} 3";
    if (!takes(text, &list, &shape))
        return; /* a machine without SSE2 always goes the careful way */
    ck_assert_uint_eq(shape.name_bytes, strlen("http_requests_total"));
    ck_assert_str_eq(text + shape.behind, " 3");
    ck_assert_uint_eq(list.count, 2);
    ck_assert(list.sorted);
    ck_assert(bytes_equal(list.labels[1].value, BYTES("/a b")));
}
END_TEST

static const char *const left[] = {
    "",
    "name",
    "name 1",
    "name{} 1",
    "name{a=\"\"} 1",
    "name{a=\"x\\\\y\"} 1",
    "name{a=\"\xc3\xa9\"} 1",
    "name{a = \"x\"} 1",
    "name{a=\"x\" } 1",
    "name{a=\"x\",} 1",
    "name{a=\"x\"",
    "name{a=\"x",
    "name{a=\"x\"b=\"y\"} 1",
    "name{a\"x\"} 1",
    "name{=\"x\"} 1",
    "name{1a=\"x\"} 1",
    "name{__a=\"x\"} 1",
    "name{a:b=\"x\"} 1",
    "na:me{a=\"x\"} 1",
    "1name{a=\"x\"} 1",
    "{a=\"x\"} 1",
    "mayfly_x{a=\"x\"} 1",
    "name {a=\"x\"} 1",
};

START_TEST(what_is_not_plain_is_left)
{
    struct label_list list;
    struct line_shape shape;
    ck_assert(!takes(left[_i], &list, &shape));
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(limits_are_kept)
{
    struct label_list list;
    struct line_shape shape;
    settings.limits_name_bytes = 16;
    ck_assert(!takes("a_name_of_seventeen{a=\"x\"} 1", &list, &shape));
    settings.limits_label_name_bytes = 16;
    ck_assert(!takes("name{a_name_of_seventeen=\"x\"} 1", &list, &shape));
    settings.limits_label_value_bytes = 16;
    ck_assert(!takes("name{a=\"a value of more than sixteen\"} 1", &list, &shape));
}
END_TEST

/* ---- beside the careful reader ---- */

/* What a decoder makes of the line, as text: its samples and the codes of what it rejected. */
static void decode(const char *line, size_t length, struct test_text *out)
{
    struct arena arena;
    static _Alignas(16) char memory[1 << 16];
    struct test_intake *intake = test_intake_make(&world);
    struct decoder_options options = {.format = FORMAT_PROMETHEUS, .body_bytes = UINT64_MAX};
    arena_init(&arena, memory, sizeof memory, sizeof memory, NULL);
    struct decoder *decoder = decoder_make(&options, &world.settings, &arena);
    CHECK_THAT(decoder->feed(decoder, (struct bytes){line, length}, &intake->intake).status ==
               STATUS_OK);
    CHECK_THAT(decoder->finish(decoder, &intake->intake).status == STATUS_OK);
    test_append(out, (struct bytes){intake->collected.at == NULL ? "" : intake->collected.at,
                                    intake->collected.used});
    for (uint32_t i = 0; i < intake->report.error_count; i++)
        test_print(out, "%s\n", status_code(intake->report.errors[i].status));
    arena_reset(&arena);
    UNPOISON(memory, sizeof memory);
    test_intake_free(intake);
}

static void compare(const char *line)
{
    char padded[LINE_BYTES + 160];
    struct test_text fast = {0};
    struct test_text careful = {0};
    size_t length = strlen(line);
    memcpy(padded, line, length);
    memset(padded + length, ' ', 140);
    decode(line, length, &fast);
    decode(padded, length + 140, &careful);
    ck_assert_msg(fast.used == careful.used && memcmp(fast.at, careful.at, fast.used) == 0,
                  "%s\nfast: %s\ncareful: %s", line, fast.at, careful.at);
    test_text_end(&fast);
    test_text_end(&careful);
}

static const char alphabet[] = "abzAZ019_:/{}=\",\\ .-\xc3\xa9\t";

/* A valid line of some labels, then a few bytes of it changed. */
static void random_line(struct random *random, char *out)
{
    static const char *const names[] = {"a", "b", "le", "route", "method", "_x", "z9", "__y"};
    static const char *const values[] = {"1", "GET", "/a/b?c", "x y", "\\\\", "", "+Inf", "}{,="};
    int used = snprintf(out, LINE_BYTES, "m%llu{", (unsigned long long)random_below(random, 99));
    uint64_t labels = random_below(random, 5);
    for (uint64_t i = 0; i < labels; i++)
        used += snprintf(out + used, (size_t)(LINE_BYTES - used), "%s%s=\"%s\"", i > 0 ? "," : "",
                         names[random_below(random, COUNT_OF(names))],
                         values[random_below(random, COUNT_OF(values))]);
    snprintf(out + used, (size_t)(LINE_BYTES - used), "} %llu",
             (unsigned long long)random_below(random, 1000));
    for (uint64_t changes = random_below(random, 3); changes > 0; changes--)
        out[random_below(random, strlen(out))] =
            alphabet[random_below(random, sizeof alphabet - 1)];
}

START_TEST(both_readers_agree)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    char line[LINE_BYTES];
    for (int i = 0; i < 2000; i++) {
        random_line(&random, line);
        compare(line);
    }
}
END_TEST

/* Label counts and lengths around the ends of the sixteen-byte steps and of the two halves. */
START_TEST(both_readers_agree_at_every_length)
{
    char line[LINE_BYTES];
    for (int first = 1; first < 120; first++) {
        for (int second = 1; second < 30; second += 7) {
            snprintf(line, sizeof line, "metric{a=\"%.*s\",b=\"%.*s\"} 1", first,
                     "0123456789012345678901234567890123456789012345678901234567890123456789"
                     "012345678901234567890123456789012345678901234567890",
                     second, "abcdefghijklmnopqrstuvwxyzabcd");
            compare(line);
        }
    }
}
END_TEST

Suite *line_shape_suite(void)
{
    Suite *suite = suite_create("line_shape");
    TCase *cases = tcase_create("line_shape");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, a_plain_line_is_taken_apart);
    tcase_add_loop_test(cases, what_is_not_plain_is_left, 0, COUNT_OF(left));
    tcase_add_test(cases, limits_are_kept);
    tcase_add_loop_test(cases, both_readers_agree, 0, 4);
    tcase_add_test(cases, both_readers_agree_at_every_length);
    suite_add_tcase(suite, cases);
    return suite;
}
