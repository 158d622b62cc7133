/* test_label_blocks.c: the pool beside texts on the heap. */
#include "memory/label_blocks.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

Suite *label_blocks_suite(void);

#define BLOCKS 200
#define TEXTS 60
#define LENGTH_MAX 1000

static struct test_world world;
static struct label_blocks pool;

static void setup(void)
{
    test_world_init(&world, (size_t)label_blocks_bytes(BLOCKS));
    label_blocks_init(&pool, BLOCKS, &world.ledger, &world.region);
}

static void teardown(void)
{
    test_world_end(&world);
}

static void check_bill(uint32_t blocks)
{
    CHECK_THAT(label_blocks_held(&pool) == blocks);
    CHECK_THAT(pool.free_count == BLOCKS - blocks);
    CHECK_THAT(ledger_figures(&world.ledger, POOL_LABELS).live_bytes ==
               blocks * sizeof(struct label_block));
}

START_TEST(init_takes_what_was_predicted)
{
    ck_assert_uint_eq(world.region.used, label_blocks_bytes(BLOCKS));
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_LABELS).capacity_bytes,
                      BLOCKS * sizeof(struct label_block));
    check_bill(0);
}
END_TEST

START_TEST(a_text_takes_the_blocks_its_length_needs)
{
    static const struct {
        size_t length;
        uint32_t blocks;
    } rows[] = {{0, 0}, {1, 1}, {59, 1}, {60, 1}, {61, 2}, {120, 2}, {121, 3}, {1000, 17}};
    char text[LENGTH_MAX] = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct label_text held;
        ck_assert_uint_eq(label_blocks_for(rows[i].length), rows[i].blocks);
        ck_assert(label_acquire(&pool, (struct bytes){text, rows[i].length}, &held));
        check_bill(rows[i].blocks);
        label_release(&pool, &held);
        check_bill(0);
    }
}
END_TEST

START_TEST(the_empty_text_is_a_text)
{
    struct label_text held;
    char nothing = 'x';
    ck_assert(label_acquire(&pool, (struct bytes){NULL, 0}, &held));
    ck_assert_uint_eq(held.first, LABEL_NONE);
    ck_assert(label_equal(&pool, held, BYTES("")));
    ck_assert(!label_equal(&pool, held, BYTES("a")));
    label_copy(&pool, held, &nothing);
    ck_assert_int_eq(nothing, 'x');
    label_release(&pool, &held);
    ck_assert_uint_eq(held.first, LABEL_NONE);
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_LABELS).live_objects, 0);
}
END_TEST

START_TEST(what_does_not_fit_whole_takes_nothing)
{
    static char text[BLOCKS * LABEL_BLOCK_TEXT + 1];
    struct label_text held;
    struct label_text other = {.first = 77, .length = 7};
    memset(text, 'a', sizeof text);
    ck_assert(!label_acquire(&pool, (struct bytes){text, sizeof text}, &other));
    check_bill(0);
    struct bytes all_but_one = {text, (BLOCKS - 1) * LABEL_BLOCK_TEXT};
    ck_assert(label_acquire(&pool, all_but_one, &held));
    ck_assert(!label_acquire(&pool, (struct bytes){text, LABEL_BLOCK_TEXT + 1}, &other));
    check_bill(BLOCKS - 1);
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_LABELS).refusals, 2);
    ck_assert_uint_eq(other.first, 77); /* an output is untouched by a refusal */
    ck_assert_uint_eq(other.length, 7);
    ck_assert(label_acquire(&pool, (struct bytes){text, LABEL_BLOCK_TEXT}, &other));
    check_bill(BLOCKS);
}
END_TEST

/*
 * Texts that differ in one byte, at every place, are told apart; so are those of which one is
 * longer.
 */
START_TEST(equality_looks_at_every_byte)
{
    char text[200];
    struct label_text held;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    ck_assert(label_acquire(&pool, (struct bytes){text, sizeof text - 1}, &held));
    CHECK_THAT(label_equal(&pool, held, (struct bytes){text, sizeof text - 1}));
    CHECK_THAT(!label_equal(&pool, held, (struct bytes){text, sizeof text}));
    CHECK_THAT(!label_equal(&pool, held, (struct bytes){text, sizeof text - 2}));
    for (size_t i = 0; i < sizeof text - 1; i++) {
        text[i] ^= 1;
        CHECK_THAT(!label_equal(&pool, held, (struct bytes){text, sizeof text - 1}));
        text[i] ^= 1;
    }
}
END_TEST

START_TEST(only_live_texts_may_be_touched)
{
    struct label_text held;
    ck_assert_int_eq(test_is_poisoned(pool.blocks[0].text), TEST_POISONS);
    ck_assert(label_acquire(&pool, BYTES("held"), &held));
    const char *text = pool.blocks[held.first].text;
    ck_assert(!test_is_poisoned(text));
    label_release(&pool, &held);
    ck_assert_int_eq(test_is_poisoned(text), TEST_POISONS);
    ck_assert_int_eq(test_is_poisoned(text + LABEL_BLOCK_TEXT - 1), TEST_POISONS);
}
END_TEST

/* ---- model ---- */

struct plain_text {
    char *at; /* NULL: this place is free */
    size_t length;
    struct label_text held;
};

static struct {
    struct plain_text texts[TEXTS];
    uint32_t blocks;
    uint64_t refusals;
} model;

static void check_text(const struct plain_text *plain)
{
    char copy[LENGTH_MAX + 1];
    memset(copy, '~', sizeof copy);
    CHECK_THAT(plain->held.length == plain->length);
    CHECK_THAT(label_equal(&pool, plain->held, (struct bytes){plain->at, plain->length}));
    label_copy(&pool, plain->held, copy);
    CHECK_THAT(memcmp(copy, plain->at, plain->length) == 0);
    CHECK_THAT(copy[plain->length] == '~');
}

static void model_acquire(struct plain_text *plain, size_t length, struct random *random)
{
    char *text = malloc(length + (length == 0));
    CHECK_THAT(text != NULL);
    for (size_t i = 0; i < length; i++)
        text[i] = (char)random_next(random);
    uint32_t blocks = (uint32_t)((length + 59) / 60);
    bool taken = label_acquire(&pool, (struct bytes){text, length}, &plain->held);
    CHECK_THAT(taken == (blocks <= BLOCKS - model.blocks));
    if (!taken) {
        model.refusals++;
        free(text);
        return;
    }
    plain->at = text;
    plain->length = length;
    model.blocks += blocks;
}

static void model_release(struct plain_text *plain)
{
    check_text(plain);
    label_release(&pool, &plain->held);
    CHECK_THAT(plain->held.length == 0 && plain->held.first == LABEL_NONE);
    model.blocks -= (uint32_t)((plain->length + 59) / 60);
    free(plain->at);
    plain->at = NULL;
}

static void model_release_all(void)
{
    for (int i = 0; i < TEXTS; i++) {
        if (model.texts[i].at != NULL)
            model_release(&model.texts[i]);
    }
}

static size_t draw_length(struct random *random)
{
    return (size_t)random_below(random, random_below(random, 3) == 0 ? LENGTH_MAX + 1 : 130);
}

START_TEST(churn_agrees_with_texts_on_the_heap)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    for (int i = 0; i < 20000; i++) {
        struct plain_text *plain = &model.texts[random_below(&random, TEXTS)];
        if (plain->at == NULL)
            model_acquire(plain, draw_length(&random), &random);
        else
            model_release(plain);
        if (i % 20 == 0) {
            check_bill(model.blocks);
            for (int other = 0; other < TEXTS; other++) {
                if (model.texts[other].at != NULL)
                    check_text(&model.texts[other]);
            }
        }
    }
    CHECK_THAT(model.refusals > 0); /* or the test was about an empty pool */
    CHECK_THAT(ledger_figures(&world.ledger, POOL_LABELS).refusals == model.refusals);
    model_release_all();
    check_bill(0);
}
END_TEST

/* ---- broken promises ---- */

START_TEST(a_text_of_another_length_stops)
{
    struct label_text held;
    label_acquire(&pool, BYTES("a text"), &held);
    held.length = LABEL_BLOCK_TEXT + 1;
    test_expect_stop();
    label_release(&pool, &held);
}
END_TEST

START_TEST(a_text_that_was_never_there_stops)
{
    struct label_text held = {.first = 5, .length = 6};
    test_expect_stop();
    label_release(&pool, &held);
}
END_TEST

Suite *label_blocks_suite(void)
{
    Suite *suite = suite_create("label_blocks");
    TCase *texts = tcase_create("texts");
    tcase_set_timeout(texts, 30);
    tcase_add_checked_fixture(texts, setup, teardown);
    tcase_add_test(texts, init_takes_what_was_predicted);
    tcase_add_test(texts, a_text_takes_the_blocks_its_length_needs);
    tcase_add_test(texts, the_empty_text_is_a_text);
    tcase_add_test(texts, what_does_not_fit_whole_takes_nothing);
    tcase_add_test(texts, equality_looks_at_every_byte);
    tcase_add_test(texts, only_live_texts_may_be_touched);
    tcase_add_loop_test(texts, churn_agrees_with_texts_on_the_heap, 0, 4);
    suite_add_tcase(suite, texts);
    TCase *stops = tcase_create("stops");
    tcase_add_checked_fixture(stops, setup, NULL);
    tcase_add_test_raise_signal(stops, a_text_of_another_length_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, a_text_that_was_never_there_stops, SIGABRT);
    suite_add_tcase(suite, stops);
    return suite;
}
