/* test_label_set.c: labels in any order become one text; what they may not be. */
#include "ingest/label_set.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>

Suite *label_set_suite(void);

static struct settings settings;

static void setup(void)
{
    test_settings(&settings);
}

static struct label label_of(const char *name, const char *value)
{
    return (struct label){bytes_of(name), bytes_of(value)};
}

/* The canonical text of a finished list, in memory of just its size. */
static char *text_of(const struct label_list *list)
{
    size_t bytes = label_list_bytes(list);
    char *out = malloc(bytes + 1);
    ck_assert_ptr_nonnull(out);
    label_list_write(list, out);
    out[bytes] = '\0';
    return out;
}

/* ---- lists ---- */

START_TEST(labels_are_sorted_by_the_bytes_of_their_names)
{
    struct label_list list;
    label_list_init(&list);
    const char *const names[] = {"b", "a", "aa", "_", "Z", "a0", "B"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert(label_list_add(&list, label_of(names[i], "1")));
    ck_assert(!list.sorted);
    ck_assert_int_eq(label_list_finish(&list, &settings).status, STATUS_OK);
    char *text = text_of(&list);
    ck_assert_str_eq(text, "B=\"1\",Z=\"1\",_=\"1\",a=\"1\",a0=\"1\",aa=\"1\",b=\"1\"");
    free(text);
}
END_TEST

START_TEST(no_labels_are_no_text)
{
    struct label_list list;
    label_list_init(&list);
    ck_assert_int_eq(label_list_finish(&list, &settings).status, STATUS_OK);
    ck_assert_uint_eq(label_list_bytes(&list), 0);
    struct bytes text = {"", 0};
    struct label label;
    ck_assert(!label_text_next(&text, &label));
}
END_TEST

START_TEST(a_label_is_found_by_its_whole_name)
{
    struct label_list list;
    label_list_init(&list);
    label_list_add(&list, label_of("job", "a"));
    label_list_add(&list, label_of("le", "b"));
    ck_assert(bytes_equal(label_list_find(&list, BYTES("le"))->value, BYTES("b")));
    ck_assert_ptr_null(label_list_find(&list, BYTES("l")));
    ck_assert_ptr_null(label_list_find(&list, BYTES("lee")));
    ck_assert_ptr_null(label_list_find(&list, BYTES("")));
}
END_TEST

START_TEST(a_label_is_taken_out_by_its_whole_name)
{
    struct label_list list;
    struct bytes value;
    label_list_init(&list);
    label_list_add(&list, label_of("job", "a"));
    label_list_add(&list, label_of("le", "b"));
    label_list_add(&list, label_of("c", "c"));
    ck_assert(!label_list_take(&list, BYTES("l"), &value));
    ck_assert(label_list_take(&list, BYTES("le"), &value));
    ck_assert(bytes_equal(value, BYTES("b")));
    ck_assert(!label_list_take(&list, BYTES("le"), &value));
    ck_assert_int_eq(label_list_finish(&list, &settings).status, STATUS_OK);
    char *text = text_of(&list);
    ck_assert_str_eq(text, "c=\"c\",job=\"a\"");
    free(text);
    ck_assert(label_list_take(&list, BYTES("c"), &value));
    ck_assert(label_list_take(&list, BYTES("job"), &value));
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

/* Each byte counts, and so does the length; the texts are in memory of just their size. */
static void check_is(const struct label_list *list)
{
    char *text = text_of(list);
    size_t length = strlen(text);
    ck_assert(label_list_is(list, (struct bytes){text, length}));
    for (size_t i = 0; i < length; i++) {
        CHECK_THAT(!label_list_is(list, (struct bytes){text, i}));
        text[i] = (char)(text[i] ^ 1);
        CHECK_THAT(!label_list_is(list, (struct bytes){text, length}));
        text[i] = (char)(text[i] ^ 1);
    }
    ck_assert(!label_list_is(list, (struct bytes){text, length + 1}));
    free(text);
}

START_TEST(a_list_is_its_text_and_no_other)
{
    static const char line[] = "b=\"1\",a=\"x,y\"";
    struct label_list list;
    label_list_init(&list);
    check_is(&list);
    label_list_add(&list, (struct label){{line, 1}, {line + 3, 1}});
    label_list_add(&list, (struct label){{line + 6, 1}, {line + 9, 3}});
    ck_assert_int_eq(label_list_finish(&list, &settings).status, STATUS_OK);
    check_is(&list);
    list.joined = true;
    check_is(&list);
}
END_TEST

START_TEST(a_name_that_is_there_twice_is_found)
{
    static const char *const names[][4] = {
        {"a", "a"}, {"a", "b", "a"}, {"b", "a", "b"}, {"c", "b", "a", "c"}, {"a", "b", "b"},
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct label_list list;
        label_list_init(&list);
        for (size_t j = 0; j < 4 && names[i][j] != NULL; j++)
            label_list_add(&list, label_of(names[i][j], j == 0 ? "1" : "2"));
        ck_assert_int_eq(label_list_finish(&list, &settings).status, STATUS_DUPLICATE_LABEL);
    }
}
END_TEST

static void check_limit(struct refusal refusal, enum status status, const char *setting,
                        uint64_t limit)
{
    ck_assert_int_eq(refusal.status, status);
    ck_assert_str_eq(refusal.setting, setting);
    ck_assert_uint_eq(refusal.limit, limit);
}

START_TEST(as_many_labels_as_allowed_and_no_more)
{
    struct label_list list;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    settings.limits_labels = 5;
    label_list_init(&list);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        label_list_add(&list, label_of(names[i], "v"));
        struct refusal refusal = label_list_finish(&list, &settings);
        if (i < 5)
            ck_assert_int_eq(refusal.status, STATUS_OK);
        else
            check_limit(refusal, STATUS_TOO_MANY_LABELS, "limits.labels", 5);
    }
}
END_TEST

START_TEST(as_long_a_text_as_allowed_and_no_longer)
{
    struct label_list list;
    label_list_init(&list);
    label_list_add(&list, label_of("b", "12345"));
    label_list_add(&list, label_of("a", "123"));
    settings.limits_label_set_bytes = sizeof "a=\"123\",b=\"12345\"" - 1;
    ck_assert_int_eq(label_list_finish(&list, &settings).status, STATUS_OK);
    settings.limits_label_set_bytes--;
    check_limit(label_list_finish(&list, &settings), STATUS_LABEL_SET_TOO_LONG,
                "limits.label_set_bytes", settings.limits_label_set_bytes);
}
END_TEST

START_TEST(a_full_list_takes_no_more)
{
    struct label_list list;
    label_list_init(&list);
    for (int i = 0; i < LABEL_LIST_MAX; i++)
        ck_assert(label_list_add(&list, label_of("n", "v")));
    ck_assert(!label_list_add(&list, label_of("n", "v")));
    ck_assert_uint_eq(list.count, LABEL_LIST_MAX);
}
END_TEST

/* ---- model: the same labels in another order ---- */

#define LABELS 20

struct pair {
    char name[8];
    char value[16];
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pair *)a)->name, ((const struct pair *)b)->name);
}

/* Names that differ; values with what must be escaped in them. */
static void draw_pairs(struct pair *pairs, uint32_t count, struct random *random)
{
    static const char *const parts[] = {"x", "\\\\", "\\\"", "\\n", ",", "=", "}", "\xc3\xa9"};
    for (uint32_t i = 0; i < count; i++) {
        snprintf(pairs[i].name, sizeof pairs[i].name, "%c%x", "abC_"[random_below(random, 4)],
                 (unsigned)(random_below(random, 16) * LABELS + i));
        pairs[i].value[0] = '\0';
        for (uint64_t part = random_below(random, 5) + 1; part > 0; part--)
            strcat(pairs[i].value, parts[random_below(random, COUNT_OF(parts))]);
    }
}

static void shuffle(struct pair *pairs, uint32_t count, struct random *random)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = (uint32_t)random_below(random, i);
        struct pair pair = pairs[i - 1];
        pairs[i - 1] = pairs[other];
        pairs[other] = pair;
    }
}

static void list_make(struct label_list *list, const struct pair *pairs, uint32_t count)
{
    label_list_init(list);
    for (uint32_t i = 0; i < count; i++)
        CHECK_THAT(label_list_add(list, label_of(pairs[i].name, pairs[i].value)));
}

static void check_walk(const char *text, const struct pair *sorted, uint32_t count)
{
    struct bytes rest = bytes_of(text);
    struct label label;
    for (uint32_t i = 0; i < count; i++) {
        CHECK_THAT(label_text_next(&rest, &label));
        CHECK_THAT(bytes_equal(label.name, bytes_of(sorted[i].name)));
        CHECK_THAT(bytes_equal(label.value, bytes_of(sorted[i].value)));
    }
    CHECK_THAT(!label_text_next(&rest, &label));
}

START_TEST(any_order_makes_the_same_text_and_it_reads_back)
{
    struct random random = {TEST_SEED};
    for (int i = 0; i < 2000; i++) {
        struct pair pairs[LABELS];
        struct pair sorted[LABELS];
        struct label_list list;
        uint32_t count = 1 + (uint32_t)random_below(&random, LABELS);
        draw_pairs(pairs, count, &random);
        memcpy(sorted, pairs, sizeof sorted);
        qsort(sorted, count, sizeof *sorted, by_name);
        struct test_text expected = {0};
        for (uint32_t j = 0; j < count; j++)
            test_print(&expected, "%s%s=\"%s\"", j == 0 ? "" : ",", sorted[j].name,
                       sorted[j].value);
        shuffle(pairs, count, &random);
        list_make(&list, pairs, count);
        CHECK_THAT(label_list_finish(&list, &settings).status == STATUS_OK);
        char *text = text_of(&list);
        CHECK_THAT(strcmp(text, expected.at) == 0);
        CHECK_THAT(test_is_canonical(bytes_of(text)));
        check_walk(text, sorted, count);
        free(text);
        test_text_end(&expected);
    }
}
END_TEST

/* ---- names ---- */

struct name_row {
    const char *name;
    enum status as_label;
    enum status as_metric;
};

#define LONG_16 "abcdefghijklmnop"

static const struct name_row name_rows[] = {
    {"a", STATUS_OK, STATUS_OK},
    {"_", STATUS_OK, STATUS_OK},
    {"_a", STATUS_OK, STATUS_OK},
    {"aZ_09", STATUS_OK, STATUS_OK},
    {"__", STATUS_BAD_LABEL_NAME, STATUS_OK},
    {"__name__", STATUS_BAD_LABEL_NAME, STATUS_OK},
    {"a__", STATUS_OK, STATUS_OK},
    {"", STATUS_BAD_LABEL_NAME, STATUS_BAD_NAME},
    {"0a", STATUS_BAD_LABEL_NAME, STATUS_BAD_NAME},
    {"a:b", STATUS_BAD_LABEL_NAME, STATUS_OK},
    {":", STATUS_BAD_LABEL_NAME, STATUS_OK},
    {"a-b", STATUS_BAD_LABEL_NAME, STATUS_BAD_NAME},
    {"a b", STATUS_BAD_LABEL_NAME, STATUS_BAD_NAME},
    {"a\xc3\xa9", STATUS_BAD_LABEL_NAME, STATUS_BAD_NAME},
    {"mayfly_x", STATUS_OK, STATUS_RESERVED_NAME},
    {"mayfly_", STATUS_OK, STATUS_RESERVED_NAME},
    {"mayfly", STATUS_OK, STATUS_OK},
    {"a_mayfly_", STATUS_OK, STATUS_OK},
    {LONG_16, STATUS_OK, STATUS_OK},
    {LONG_16 "q", STATUS_LABEL_NAME_TOO_LONG, STATUS_NAME_TOO_LONG},
};

START_TEST(name_row_is_judged_right)
{
    const struct name_row *row = &name_rows[_i];
    settings.limits_name_bytes = 16;
    settings.limits_label_name_bytes = 16;
    ck_assert_int_eq(label_name_check(bytes_of(row->name), &settings).status, row->as_label);
    ck_assert_int_eq(metric_name_check(bytes_of(row->name), &settings).status, row->as_metric);
}
END_TEST

START_TEST(every_byte_is_of_a_name_or_not)
{
    for (int byte = 0; byte < 256; byte++) {
        char text[2] = {'a', (char)byte};
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
        bool digit = byte >= '0' && byte <= '9';
        struct bytes second = {text, 2};
        struct bytes alone = {text + 1, 1};
        CHECK_THAT((label_name_check(second, &settings).status == STATUS_OK) == (letter || digit));
        CHECK_THAT((label_name_check(alone, &settings).status == STATUS_OK) == letter);
        bool colon = byte == ':';
        CHECK_THAT((metric_name_check(second, &settings).status == STATUS_OK) ==
                   (letter || digit || colon));
        CHECK_THAT((metric_name_check(alone, &settings).status == STATUS_OK) == (letter || colon));
    }
}
END_TEST

START_TEST(a_name_too_long_says_what_was_allowed)
{
    settings.limits_name_bytes = 16;
    settings.limits_label_name_bytes = 17;
    check_limit(metric_name_check(BYTES(LONG_16 "q"), &settings), STATUS_NAME_TOO_LONG,
                "limits.name_bytes", 16);
    check_limit(label_name_check(BYTES(LONG_16 "qr"), &settings), STATUS_LABEL_NAME_TOO_LONG,
                "limits.label_name_bytes", 17);
}
END_TEST

/* ---- values ---- */

START_TEST(values_are_escaped_as_the_exposition_has_it)
{
    static const char *const rows[][2] = {
        {"", ""},           {"plain", "plain"},        {"a\"b", "a\\\"b"},
        {"a\\b", "a\\\\b"}, {"a\nb", "a\\nb"},         {"\\n", "\\\\n"},
        {"\r\t", "\r\t"},   {"\\\"\n", "\\\\\\\"\\n"}, {"\xc3\xa9", "\xc3\xa9"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char escaped[32];
        char plain[32];
        size_t length = label_value_escape(bytes_of(rows[i][0]), escaped);
        ck_assert(bytes_equal((struct bytes){escaped, length}, bytes_of(rows[i][1])));
        length = label_value_unescape((struct bytes){escaped, length}, plain);
        ck_assert(bytes_equal((struct bytes){plain, length}, bytes_of(rows[i][0])));
    }
}
END_TEST

START_TEST(any_value_comes_back_from_its_escapes)
{
    struct random random = {TEST_SEED};
    for (int i = 0; i < 20000; i++) {
        char value[24];
        char escaped[sizeof value * 2];
        char again[sizeof escaped];
        size_t length = (size_t)random_below(&random, sizeof value + 1);
        for (size_t j = 0; j < length; j++)
            value[j] = "\\\"\nn,=}x"[random_below(&random, 8)];
        size_t longer = label_value_escape((struct bytes){value, length}, escaped);
        CHECK_THAT(memchr(escaped, '\n', longer) == NULL);
        size_t back = label_value_unescape((struct bytes){escaped, longer}, again);
        CHECK_THAT(back == length && memcmp(again, value, length) == 0);
    }
}
END_TEST

Suite *label_set_suite(void)
{
    Suite *suite = suite_create("label_set");
    TCase *lists = tcase_create("lists");
    tcase_add_checked_fixture(lists, setup, NULL);
    tcase_add_test(lists, labels_are_sorted_by_the_bytes_of_their_names);
    tcase_add_test(lists, no_labels_are_no_text);
    tcase_add_test(lists, a_label_is_found_by_its_whole_name);
    tcase_add_test(lists, a_label_is_taken_out_by_its_whole_name);
    tcase_add_test(lists, a_list_is_its_text_and_no_other);
    tcase_add_test(lists, a_name_that_is_there_twice_is_found);
    tcase_add_test(lists, as_many_labels_as_allowed_and_no_more);
    tcase_add_test(lists, as_long_a_text_as_allowed_and_no_longer);
    tcase_add_test(lists, a_full_list_takes_no_more);
    tcase_add_test(lists, any_order_makes_the_same_text_and_it_reads_back);
    suite_add_tcase(suite, lists);
    TCase *words = tcase_create("words");
    tcase_add_checked_fixture(words, setup, NULL);
    tcase_add_loop_test(words, name_row_is_judged_right, 0, COUNT_OF(name_rows));
    tcase_add_test(words, every_byte_is_of_a_name_or_not);
    tcase_add_test(words, a_name_too_long_says_what_was_allowed);
    tcase_add_test(words, values_are_escaped_as_the_exposition_has_it);
    tcase_add_test(words, any_value_comes_back_from_its_escapes);
    suite_add_tcase(suite, words);
    return suite;
}
