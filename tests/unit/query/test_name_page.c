/* test_name_page.c: pages of names beside a sorted list of all of them. */
#include "query/name_page.h"

#include "base/random.h"
#include "base/settings.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>

Suite *name_page_suite(void);

#define NAME_BYTES_MAX (NAME_PAGE_TEXT_MIN - 16)
#define ARENA_BYTES ((size_t)1 << 20)

static struct arena arena;
static char *memory;

static void setup(void)
{
    memory = aligned_alloc(ARENA_ALIGN, ARENA_BYTES);
    ck_assert_ptr_nonnull(memory);
    arena_init(&arena, memory, ARENA_BYTES, ARENA_BYTES, NULL);
}

static void teardown(void)
{
    UNPOISON(memory, ARENA_BYTES);
    free(memory);
}

static struct name_page *page_make(uint32_t limit, const char *after)
{
    struct name_page *page = name_page_make(limit, NAME_PAGE_TEXT_MIN, bytes_of(after), &arena);
    ck_assert_ptr_nonnull(page);
    return page;
}

/* The names separated by spaces, and + when there are more. */
static void expect(const struct name_page *page, const char *names)
{
    struct test_text text = {0};
    test_text_reset(&text);
    name_page_verify(page);
    for (uint32_t i = 0; i < page->count; i++) {
        test_print(&text, i == 0 ? "" : " ");
        test_append(&text, name_page_at(page, i));
    }
    test_print(&text, page->more ? " +" : "");
    ck_assert_str_eq(text.at, names);
    test_text_end(&text);
}

static void add_all(struct name_page *page, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        name_page_add(page, bytes_of(names[i]));
}

static const char *const fruit[] = {"pear", "fig", "apple", "fig", "", "plum", "apple", "figs"};

START_TEST(names_are_sorted_and_each_is_there_once)
{
    struct name_page *page = page_make(10, "");
    expect(page, "");
    add_all(page, fruit, COUNT_OF(fruit));
    expect(page, "apple fig figs pear plum");
}
END_TEST

START_TEST(limit_cuts_the_largest)
{
    static const char *const cut[] = {" +",
                                      "apple +",
                                      "apple fig +",
                                      "apple fig figs +",
                                      "apple fig figs pear +",
                                      "apple fig figs pear plum"};
    struct name_page *page = page_make((uint32_t)_i, "");
    add_all(page, fruit, COUNT_OF(fruit));
    expect(page, cut[_i]);
}
END_TEST

START_TEST(after_is_not_of_the_page)
{
    static const char *const rest[][2] = {{"apple", "fig figs pear plum"},
                                          {"appl", "apple fig figs pear plum"},
                                          {"fig", "figs pear plum"},
                                          {"plum", ""},
                                          {"z", ""}};
    struct name_page *page = page_make(10, rest[_i][0]);
    add_all(page, fruit, COUNT_OF(fruit));
    expect(page, rest[_i][1]);
}
END_TEST

START_TEST(bytes_compare_unsigned)
{
    static const char *const names[] = {"\xc3\xa4", "z", "\x01", "\x7f"};
    struct name_page *page = page_make(10, "");
    add_all(page, names, COUNT_OF(names));
    expect(page, "\x01 z \x7f \xc3\xa4");
}
END_TEST

START_TEST(takes_what_it_says_and_no_less)
{
    size_t bytes = name_page_bytes(100, NAME_PAGE_TEXT_MIN);
    size_t before = arena_used(&arena);
    page_make(100, "");
    ck_assert_uint_ge(arena_used(&arena) - before, bytes);
    ck_assert_uint_lt(arena_used(&arena) - before, bytes + ARENA_ALIGN);
    while (arena_room(&arena) >= bytes)
        page_make(100, "");
    ck_assert_ptr_null(name_page_make(100, NAME_PAGE_TEXT_MIN, BYTES(""), &arena));
    ck_assert_int_eq(arena.refusal, STATUS_REQUEST_TOO_LARGE);
    ck_assert_ptr_null(name_page_make(UINT32_MAX, NAME_PAGE_TEXT_MIN, BYTES(""), &arena));
}
END_TEST

static struct bytes long_name(char first, size_t length)
{
    static char texts[2][NAME_BYTES_MAX];
    char *at = texts[first == 'b'];
    memset(at, first, length);
    return (struct bytes){at, length};
}

/* What did not fit ends the page: a shorter name behind it would make a gap. */
START_TEST(a_name_that_does_not_fit_closes_the_page)
{
    struct name_page *page = page_make(10, "");
    name_page_add(page, BYTES("a"));
    name_page_add(page, long_name('b', NAME_BYTES_MAX));
    expect(page, "a +");
    name_page_add(page, BYTES("c"));
    expect(page, "a +");
    name_page_add(page, BYTES("Z"));
    expect(page, "Z a +");
}
END_TEST

/*
 * Room is made from the end; what must go before it helps is gone all the same, since it is behind.
 */
START_TEST(a_name_that_does_not_fit_takes_those_behind_it_along)
{
    struct name_page *page = page_make(10, "");
    name_page_add(page, BYTES("c"));
    name_page_add(page, long_name('a', NAME_BYTES_MAX / 2));
    name_page_add(page, long_name('b', NAME_BYTES_MAX));
    ck_assert_uint_eq(page->count, 1);
    ck_assert(page->more);
    name_page_add(page, BYTES("A"));
    ck_assert_uint_eq(page->count, 2);
    name_page_verify(page);
}
END_TEST

/* A longer name would be an ENSURE that a client reaches. */
START_TEST(settings_allow_no_longer_name)
{
    static const char *const paths[] = {"limits.label_set_bytes", "limits.label_name_bytes",
                                        "limits.label_value_bytes", "limits.name_bytes"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        ck_assert_uint_le(setting_find(bytes_of(paths[i]))->ceiling, NAME_BYTES_MAX);
}
END_TEST

/* ---- beside a sorted list ---- */

#define LIST_MAX 4000

struct list {
    uint32_t count;
    struct bytes names[LIST_MAX];
};

static int order_of(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* Sorted, each once. */
static void list_finish(struct list *list)
{
    uint32_t kept = 0;
    qsort(list->names, list->count, sizeof list->names[0], order_of);
    for (uint32_t i = 0; i < list->count; i++) {
        if (kept == 0 || !bytes_equal(list->names[kept - 1], list->names[i]))
            list->names[kept++] = list->names[i];
        else
            free((void *)(uintptr_t)list->names[i].at);
    }
    list->count = kept;
}

static void list_end(struct list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free((void *)(uintptr_t)list->names[i].at);
    list->count = 0;
}

/* How names differ in length decides whether pages are cut by number or by bytes. */
static size_t random_length(struct random *random, int shape)
{
    static const size_t most[] = {2, 12, 200, NAME_BYTES_MAX};
    size_t length = 1 + random_below(random, most[shape]);
    if (shape == 3 && random_below(random, 4) != 0)
        length = 1 + length % 30;
    return random_below(random, 500) == 0 ? most[shape] : length;
}

static struct bytes random_name(struct random *random, int shape)
{
    size_t length = random_length(random, shape);
    char *at = malloc(length);
    ck_assert_ptr_nonnull(at);
    for (size_t i = 0; i < length; i++)
        at[i] = (char)('a' + (int)random_below(random, 4));
    return (struct bytes){at, length};
}

static void list_make(struct list *list, struct random *random, int shape, uint32_t count)
{
    list->count = count;
    for (uint32_t i = 0; i < count; i++)
        list->names[i] = random_name(random, shape);
    list_finish(list);
}

/*
 * The i-th to be added: in order, in reverse, or in leaps (a prime beyond the list leaves none
 * out).
 */
static struct bytes in_turn(const struct list *list, uint64_t how, uint64_t i)
{
    if (how == 0)
        return list->names[i];
    if (how == 1)
        return list->names[list->count - 1 - i];
    return list->names[(i * 7919 + 13) % list->count];
}

/* Adds all in some order, some of them again. */
static void add_list(struct name_page *page, const struct list *list, struct random *random)
{
    uint64_t how = random_below(random, 3);
    for (uint32_t i = 0; i < list->count; i++) {
        name_page_add(page, in_turn(list, how, i));
        if (random_below(random, 3) == 0)
            name_page_add(page, in_turn(list, how, random_below(random, i + UINT64_C(1))));
        if (i % 64 == 0)
            name_page_verify(page);
    }
}

/*
 * The page is the list's names from `from` on, as far as it goes; it goes as far as it should.
 * Returns where it ends.
 */
static uint32_t check_page(const struct name_page *page, const struct list *list, uint32_t from)
{
    name_page_verify(page);
    for (uint32_t i = 0; i < page->count; i++) {
        if (from + i >= list->count ||
            !bytes_equal(name_page_at(page, i), list->names[from + i]))
            ck_abort_msg("name %u of the page is not the list's", i);
    }
    uint32_t end = from + page->count;
    ck_assert_int_eq(page->more, end < list->count);
    ck_assert(page->count > 0 || from == list->count);
    if (page->more && page->count < page->limit) {
        size_t longest = 0;
        for (uint32_t i = 0; i < list->count; i++)
            longest = list->names[i].length > longest ? list->names[i].length : longest;
        ck_assert_uint_gt(page->text_live + longest + 12, page->text_max);
    }
    return end;
}

START_TEST(pages_are_the_sorted_list)
{
    static struct list list;
    struct random random = {.state = TEST_SEED + (uint64_t)_i};
    int shape = _i % 4;
    list_make(&list, &random, shape, 1 + (uint32_t)random_below(&random, LIST_MAX));
    uint32_t limit = 1 + (uint32_t)random_below(&random, _i % 3 == 0 ? 5000 : 200);
    uint32_t at = 0;
    uint32_t pages = 0;
    while (at < list.count && pages++ < 50) {
        arena_reset(&arena);
        struct bytes after = at == 0 ? BYTES("") : list.names[at - 1];
        struct name_page *page = name_page_make(
            limit, NAME_PAGE_TEXT_MIN + (uint32_t)random_below(&random, 20000), after, &arena);
        add_list(page, &list, &random);
        at = check_page(page, &list, at);
    }
    list_end(&list);
}
END_TEST

Suite *name_page_suite(void)
{
    Suite *suite = suite_create("name_page");
    TCase *page = tcase_create("page");
    tcase_add_checked_fixture(page, setup, teardown);
    tcase_add_test(page, names_are_sorted_and_each_is_there_once);
    tcase_add_loop_test(page, limit_cuts_the_largest, 0, 6);
    tcase_add_loop_test(page, after_is_not_of_the_page, 0, 5);
    tcase_add_test(page, bytes_compare_unsigned);
    tcase_add_test(page, a_name_that_does_not_fit_closes_the_page);
    tcase_add_test(page, a_name_that_does_not_fit_takes_those_behind_it_along);
    tcase_add_test(page, takes_what_it_says_and_no_less);
    tcase_add_test(page, settings_allow_no_longer_name);
    suite_add_tcase(suite, page);
    TCase *model = tcase_create("model");
    tcase_add_checked_fixture(model, setup, teardown);
    tcase_add_loop_test(model, pages_are_the_sorted_list, 0, 24);
    tcase_set_timeout(model, 60);
    suite_add_tcase(suite, model);
    return suite;
}
