/*
 * test_arena.c: the arena beside a list of what was pushed; growth out of a pool of blocks; every
 * refusal; and all that once more while pushes are charged to their sites.
 */
#include "memory/arena.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

Suite *arena_suite(void);

#define FIRST 1024
#define POOL_BYTES ((size_t)64 * BLOCKS_UNIT_BYTES)
#define HELD_MAX (FIRST + 40 * (size_t)BLOCKS_UNIT_BYTES)

static struct test_world world;
static struct blocks blocks;
static struct test_source source;
static struct arena arena;
static void *first;
static struct sites sites;

/* What a push of a traced arena takes beside what was asked for. */
#define TRACE_BYTES 16

static void setup(void)
{
    test_world_init(&world, (size_t)blocks_bytes(POOL_BYTES));
    blocks_init(&blocks, POOL_BYTES, POOL_GROWTH, &world.ledger, &world.region);
    test_source_init(&source, &blocks);
    first = aligned_alloc(ARENA_ALIGN, FIRST);
    arena_init(&arena, first, FIRST, HELD_MAX, &source.source);
}

static void setup_traced(void)
{
    setup();
    sites_init(&sites);
    arena_trace(&arena, &sites);
}

/* What all sites together hold. */
static uint64_t charged_bytes(void)
{
    static struct site_counts counts[SITES_ROWS];
    uint64_t sum = 0;
    sites_copy(&sites, counts);
    for (int row = 0; row < SITES_ROWS; row++)
        sum += counts[row].live_bytes;
    return sum;
}

static void teardown(void)
{
    UNPOISON(first, FIRST);
    free(first);
    test_world_end(&world);
}

/* What is held is the first block and what came from the pool, and the pool's books agree. */
static void check_bill(void)
{
    CHECK_THAT(arena_held(&arena) == FIRST + source.granted);
    CHECK_THAT(blocks_held(&blocks) == source.granted);
    CHECK_THAT(ledger_figures(&world.ledger, POOL_GROWTH).live_bytes == source.granted);
}

static void check_back_at_the_start(void)
{
    check_bill();
    ck_assert_uint_eq(arena_held(&arena), FIRST);
    ck_assert_uint_eq(arena_used(&arena), 0);
    ck_assert_uint_eq(arena_room(&arena), arena.sites == NULL ? FIRST : FIRST - TRACE_BYTES);
    ck_assert_uint_eq(charged_bytes(), 0);
}

/* ---- one block ---- */

START_TEST(without_a_source_the_first_block_is_all)
{
    arena_init(&arena, first, FIRST, HELD_MAX, NULL);
    ck_assert_ptr_eq(arena_push(&arena, FIRST), first);
    ck_assert_uint_eq(arena_used(&arena), FIRST);
    ck_assert_uint_eq(arena_room(&arena), 0);
    ck_assert_ptr_null(arena_push(&arena, 1));
    ck_assert_int_eq(arena.refusal, STATUS_REQUEST_TOO_LARGE);
    ck_assert_uint_eq(arena_held(&arena), FIRST);
    arena_reset(&arena);
    ck_assert_ptr_eq(arena_push(&arena, FIRST), first);
}
END_TEST

START_TEST(every_push_is_aligned_and_apart_from_the_last)
{
    char *before = arena_push(&arena, 0);
    ck_assert_ptr_nonnull(before);
    for (size_t bytes = 1; bytes < 50; bytes++) {
        char *at = arena_push(&arena, bytes);
        ck_assert_uint_eq((uintptr_t)at % ARENA_ALIGN, 0);
        ck_assert(at >= before || at < before + bytes);
        memset(at, 0x5a, bytes);
        before = at;
    }
    check_bill();
}
END_TEST

START_TEST(a_push_is_zeroed_or_a_copy_where_asked)
{
    char *at = arena_push(&arena, 100);
    memset(at, 0xa5, 100);
    arena_reset(&arena);
    const char *zero = arena_push_zero(&arena, 100);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(zero[i], 0);
    char text[] = "text";
    const char *copy = arena_push_copy(&arena, (struct bytes){text, 4});
    text[0] = 'n';
    ck_assert(bytes_equal((struct bytes){copy, 4}, BYTES("text")));
    ck_assert_ptr_nonnull(arena_push_copy(&arena, (struct bytes){NULL, 0}));
}
END_TEST

START_TEST(what_there_is_room_for_is_not_refused)
{
    for (size_t taken = 0; taken < 200; taken += 7) {
        source.refused_at = source.takes + 1;
        ck_assert_ptr_nonnull(arena_push(&arena, taken));
        size_t room = arena_room(&arena);
        ck_assert_ptr_nonnull(arena_push(&arena, room));
        ck_assert_uint_eq(arena_room(&arena), 0);
        ck_assert_uint_lt(source.takes, source.refused_at);
        arena_reset(&arena);
    }
}
END_TEST

/* ---- growth ---- */

START_TEST(growth_comes_from_the_source_and_goes_back)
{
    size_t peak = 0;
    for (int i = 0; i < 20; i++) {
        ck_assert_ptr_nonnull(arena_push(&arena, 3000));
        check_bill();
        peak = arena_held(&arena);
    }
    ck_assert_uint_gt(source.granted, 20 * 3000);
    ck_assert_uint_eq(arena_peak(&arena), peak);
    arena_reset(&arena);
    check_back_at_the_start();
    ck_assert_uint_eq(arena_peak(&arena), peak);
    ck_assert_uint_eq(ledger_figures(&world.ledger, POOL_GROWTH).live_objects, 0);
}
END_TEST

START_TEST(a_rewind_gives_back_the_blocks_taken_since)
{
    arena_push(&arena, 500);
    arena_push(&arena, 3000);
    struct arena_mark mark = arena_mark(&arena);
    size_t held = arena_held(&arena);
    size_t used = arena_used(&arena);
    arena_push(&arena, 20000);
    arena_push(&arena, 30000);
    ck_assert_uint_gt(arena_held(&arena), held);
    arena_rewind(&arena, mark);
    ck_assert_uint_eq(arena_held(&arena), held);
    ck_assert_uint_eq(arena_used(&arena), used);
    check_bill();
}
END_TEST

START_TEST(a_mark_in_the_first_block_outlives_growth)
{
    char *kept = arena_push(&arena, 100);
    memset(kept, 'k', 100);
    struct arena_mark mark = arena_mark(&arena);
    for (int round = 0; round < 3; round++) {
        char *within = arena_push(&arena, 200);
        arena_push(&arena, FIRST);
        arena_rewind(&arena, mark);
        ck_assert_uint_eq(arena_held(&arena), FIRST);
        ck_assert_ptr_eq(arena_push(&arena, 200), within);
        arena_rewind(&arena, mark);
    }
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(kept[i], 'k');
}
END_TEST

/* ---- refusals ---- */

START_TEST(what_this_arena_may_never_hold_is_too_large)
{
    static const size_t too_large[] = {HELD_MAX,     HELD_MAX + 1,        HELD_MAX - FIRST,
                                       SIZE_MAX,     SIZE_MAX - 1,        SIZE_MAX - ARENA_ALIGN,
                                       SIZE_MAX / 2, HELD_MAX - FIRST + 1};
    for (size_t i = 0; i < COUNT_OF(too_large); i++) {
        arena.refusal = STATUS_OK;
        ck_assert_ptr_null(arena_push(&arena, too_large[i]));
        ck_assert_int_eq(arena.refusal, STATUS_REQUEST_TOO_LARGE);
    }
    ck_assert_uint_eq(source.takes, 0);
    check_back_at_the_start();
}
END_TEST

START_TEST(what_the_source_has_no_room_for_now_is_busy)
{
    size_t granted;
    void *other = blocks_take(&blocks, POOL_BYTES, &granted);
    ck_assert_ptr_nonnull(arena_push(&arena, FIRST));
    ck_assert_ptr_null(arena_push(&arena, 1));
    ck_assert_int_eq(arena.refusal, STATUS_BUSY);
    blocks_give(&blocks, other, granted);
    ck_assert_ptr_nonnull(arena_push(&arena, 1));
}
END_TEST

START_TEST(busy_gives_way_to_too_large)
{
    size_t granted;
    blocks_take(&blocks, POOL_BYTES, &granted);
    ck_assert_ptr_null(arena_push(&arena, HELD_MAX));
    ck_assert_int_eq(arena.refusal, STATUS_REQUEST_TOO_LARGE);
    ck_assert_ptr_null(arena_push_zero(&arena, HELD_MAX));
    ck_assert_ptr_null(arena_push_copy(&arena, (struct bytes){first, HELD_MAX}));
}
END_TEST

/*
 * What a source grants is rounded up to its units; the bound holds for what is granted, whatever
 * the bound is.
 */
START_TEST(no_more_is_held_than_was_allowed)
{
    size_t held_max = FIRST + 1 + 701 * (size_t)_i;
    arena_init(&arena, first, FIRST, held_max, &source.source);
    while (arena_push(&arena, 400) != NULL) {
        CHECK_THAT(arena_held(&arena) <= held_max);
        CHECK_THAT(arena_peak(&arena) <= held_max);
        check_bill();
    }
    ck_assert_int_eq(arena.refusal, STATUS_REQUEST_TOO_LARGE);
    /* and what was allowed can be used, but for the header and what no unit fits into */
    ck_assert_uint_gt(arena_held(&arena) + 2 * BLOCKS_UNIT_BYTES, held_max);
    arena_reset(&arena);
    check_back_at_the_start();
}
END_TEST

/* ---- poison ---- */

START_TEST(what_is_not_pushed_may_not_be_touched)
{
    ck_assert_int_eq(test_is_poisoned(first), TEST_POISONS);
    char *at = arena_push(&arena, 100);
    ck_assert(!test_is_poisoned(at) && !test_is_poisoned(at + 99));
    ck_assert_int_eq(test_is_poisoned(at + 100), TEST_POISONS);
    struct arena_mark mark = arena_mark(&arena);
    char *later = arena_push(&arena, 64);
    arena_rewind(&arena, mark);
    ck_assert(!test_is_poisoned(at + 99));
    ck_assert_int_eq(test_is_poisoned(later), TEST_POISONS);
    char *grown = arena_push(&arena, 2000);
    ck_assert(!test_is_poisoned(grown + 1999));
    ck_assert_int_eq(test_is_poisoned(grown + 2000), TEST_POISONS);
    arena_reset(&arena);
    ck_assert_int_eq(test_is_poisoned(at), TEST_POISONS);
    ck_assert_int_eq(test_is_poisoned(grown), TEST_POISONS); /* the pool's again */
}
END_TEST

/* ---- torture: the nth time the arena wants to grow, there is nothing ---- */

START_TEST(a_refused_push_leaves_the_arena_as_it_was)
{
    source.refused_at = (unsigned)_i + 1;
    char *kept[40] = {NULL};
    int count = 0;
    for (; count < 40; count++) {
        size_t held = arena_held(&arena);
        size_t used = arena_used(&arena);
        kept[count] = arena_push(&arena, 1500);
        if (kept[count] == NULL) {
            ck_assert_int_eq(arena.refusal, STATUS_BUSY);
            ck_assert_uint_eq(arena_held(&arena), held);
            ck_assert_uint_eq(arena_used(&arena), used);
            break;
        }
        memset(kept[count], count, 1500);
    }
    check_bill();
    kept[count] = arena_push(&arena, 1500); /* only once was there nothing */
    ck_assert_ptr_nonnull(kept[count]);
    for (int i = 0; i < count; i++)
        ck_assert(kept[i][0] == (char)i && kept[i][1499] == (char)i);
    arena_reset(&arena);
    check_back_at_the_start();
}
END_TEST

/* ---- model: a list ---- */

#define PUSHES_MAX 400
#define MARKS_MAX 12

#define SITES_USED 5

static const char *const site_names[SITES_USED] = {"a.c:1", "a.c:2", "b.c:1", "b.c:20", "b.c:200"};

struct pushed {
    unsigned char *at;
    size_t bytes;
    int site;
    unsigned char filling;
};

struct marked {
    struct arena_mark mark;
    unsigned count; /* of pushes */
    size_t held;
};

static struct {
    struct pushed pushes[PUSHES_MAX];
    unsigned count;
    struct marked marks[MARKS_MAX];
    unsigned mark_count;
    size_t peak;
    unsigned refused[STATUS_COUNT];
    struct site_figures sites[SITES_USED];
} model;

static void check_contents(void)
{
    for (unsigned i = 0; i < model.count; i++) {
        const struct pushed *pushed = &model.pushes[i];
        for (size_t at = 0; at < pushed->bytes; at += 1 + pushed->bytes / 37)
            CHECK_THAT(pushed->at[at] == pushed->filling);
        CHECK_THAT(pushed->bytes == 0 || pushed->at[pushed->bytes - 1] == pushed->filling);
    }
}

/* Nothing is charged for nothing; anything else as the arena rounds it. */
static size_t charge(size_t bytes)
{
    return (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
}

static void model_charge(const struct pushed *pushed)
{
    struct site_figures *site = &model.sites[pushed->site];
    if (pushed->bytes == 0)
        return;
    site->live_bytes += charge(pushed->bytes);
    site->live_objects++;
    site->allocated_bytes += charge(pushed->bytes);
    site->allocations++;
    if (site->live_bytes > site->peak_bytes)
        site->peak_bytes = site->live_bytes;
}

/* The pushes from there on are gone. */
static void model_drop(unsigned count)
{
    for (unsigned i = count; i < model.count; i++) {
        const struct pushed *pushed = &model.pushes[i];
        model.sites[pushed->site].live_bytes -= charge(pushed->bytes);
        model.sites[pushed->site].live_objects -= pushed->bytes > 0;
    }
    model.count = count;
}

static const struct site_figures *model_site(const char *name)
{
    for (int i = 0; i < SITES_USED; i++) {
        if (strcmp(name, site_names[i]) == 0)
            return &model.sites[i];
    }
    return NULL;
}

/* Every site that was ever charged is one of the model's, with its figures. */
static void check_sites(void)
{
    uint64_t allocations = 0;
    for (uint16_t row = 0; row < SITES_ROWS; row++) {
        struct site_figures figures = sites_figures(&sites, row);
        if (figures.allocations == 0)
            continue;
        const struct site_figures *plain = model_site(figures.name);
        CHECK_THAT(plain != NULL);
        CHECK_THAT(figures.live_bytes == plain->live_bytes);
        CHECK_THAT(figures.live_objects == plain->live_objects);
        CHECK_THAT(figures.peak_bytes == plain->peak_bytes);
        CHECK_THAT(figures.allocated_bytes == plain->allocated_bytes);
        CHECK_THAT(figures.allocations == plain->allocations);
        allocations += figures.allocations;
    }
    for (int i = 0; i < SITES_USED; i++)
        allocations -= model.sites[i].allocations;
    CHECK_THAT(allocations == 0);
}

static void model_push(size_t bytes, unsigned char filling)
{
    if (model.count == PUSHES_MAX)
        return;
    size_t room = arena_room(&arena);
    size_t held = arena_held(&arena);
    int site = filling % SITES_USED;
    unsigned char *at = arena_push_at(&arena, bytes, site_names[site]);
    if (at == NULL) {
        CHECK_THAT(bytes > room);
        CHECK_THAT(arena_held(&arena) == held);
        model.refused[arena.refusal]++;
        return;
    }
    memset(at, filling, bytes);
    struct pushed *pushed = &model.pushes[model.count++];
    *pushed = (struct pushed){at, bytes, site, filling};
    if (arena.sites != NULL)
        model_charge(pushed);
}

static void model_mark(void)
{
    if (model.mark_count < MARKS_MAX)
        model.marks[model.mark_count++] =
            (struct marked){arena_mark(&arena), model.count, arena_held(&arena)};
}

static void model_rewind(unsigned to)
{
    const struct marked *marked = &model.marks[to];
    const struct pushed *gone = &model.pushes[marked->count];
    bool some = marked->count < model.count && gone->bytes > 0;
    arena_rewind(&arena, marked->mark);
    CHECK_THAT(!TEST_POISONS || !some || test_is_poisoned(gone->at));
    CHECK_THAT(arena_held(&arena) == marked->held);
    model_drop(marked->count);
    model.mark_count = to;
}

static void model_reset(void)
{
    arena_reset(&arena);
    model_drop(0);
    model.mark_count = 0;
    CHECK_THAT(arena_held(&arena) == FIRST && arena_used(&arena) == 0);
}

static size_t draw_bytes(struct random *random)
{
    switch (random_below(random, 20)) {
    case 0:
        return (size_t)random_below(random, HELD_MAX + 4096);
    case 1:
    case 2:
        return (size_t)random_below(random, 20000);
    default:
        return (size_t)random_below(random, 300);
    }
}

/* Now and then others hold part of the pool, so that there is BUSY as well. */
static void other_holder(struct random *random, void **held, size_t *granted)
{
    if (*held != NULL) {
        blocks_give(&blocks, *held, *granted);
        *held = NULL;
    } else {
        *held = blocks_take(&blocks, 1 + (size_t)random_below(random, POOL_BYTES), granted);
    }
}

static void model_step(struct random *random)
{
    uint64_t choice = random_below(random, 100);
    if (choice < 75)
        model_push(draw_bytes(random), (unsigned char)random_next(random));
    else if (choice < 87)
        model_mark();
    else if (choice < 99 && model.mark_count > 0)
        model_rewind((unsigned)random_below(random, model.mark_count));
    else if (choice == 99 && random_below(random, 4) == 0)
        model_reset();
    model.peak = arena_held(&arena) > model.peak ? arena_held(&arena) : model.peak;
}

START_TEST(churn_agrees_with_a_list)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    void *other = NULL;
    size_t other_granted = 0;
    model.peak = FIRST;
    for (int i = 0; i < 10000; i++) {
        if (random_below(&random, 50) == 0)
            other_holder(&random, &other, &other_granted);
        model_step(&random);
        CHECK_THAT(arena_held(&arena) == FIRST + source.granted);
        CHECK_THAT(arena_held(&arena) <= HELD_MAX);
        CHECK_THAT(arena_peak(&arena) == model.peak);
        if (arena.sites != NULL)
            check_sites();
        if (i % 16 == 0)
            check_contents();
    }
    CHECK_THAT(model.refused[STATUS_BUSY] > 0);
    CHECK_THAT(model.refused[STATUS_REQUEST_TOO_LARGE] > 0);
    if (other != NULL)
        blocks_give(&blocks, other, other_granted);
    check_contents();
    model_reset();
    check_back_at_the_start();
}
END_TEST

/* ---- traced ---- */

START_TEST(a_traced_push_is_charged_to_its_line)
{
    int line = __LINE__ + 1;
    arena_push(&arena, 100);
    arena_push_zero(&arena, 20);
    arena_push_copy(&arena, BYTES("text"));
    int found = 0;
    for (uint16_t row = 0; row < SITES_ROWS; row++) {
        struct site_figures figures = sites_figures(&sites, row);
        if (figures.allocations == 0)
            continue;
        int nth = atoi(strrchr(figures.name, ':') + 1) - line;
        static const uint64_t charged[] = {112, 32, 16};
        ck_assert_ptr_nonnull(strstr(figures.name, "unit/memory/test_arena.c:"));
        ck_assert_int_lt(nth, 3);
        ck_assert_uint_eq(figures.live_bytes, charged[nth]);
        found++;
    }
    ck_assert_int_eq(found, 3);
    arena_reset(&arena);
    check_back_at_the_start();
}
END_TEST

START_TEST(a_header_before_each_push_is_all_that_tracing_takes)
{
    arena_push(&arena, 100);
    ck_assert_uint_eq(arena_used(&arena), 112 + TRACE_BYTES);
    arena_push(&arena, 0);
    ck_assert_uint_eq(arena_used(&arena), 112 + TRACE_BYTES);
    ck_assert_uint_eq(charged_bytes(), 112);
    ck_assert_ptr_nonnull(arena_push(&arena, arena_room(&arena)));
    ck_assert_uint_eq(arena_used(&arena), FIRST);
    ck_assert_uint_eq(charged_bytes(), FIRST - 2 * TRACE_BYTES);
}
END_TEST

START_TEST(a_refused_push_is_charged_to_nobody)
{
    source.refused_at = 1;
    ck_assert_ptr_null(arena_push(&arena, FIRST));
    ck_assert_ptr_null(arena_push(&arena, HELD_MAX));
    ck_assert_ptr_null(arena_push(&arena, SIZE_MAX - 1));
    ck_assert_ptr_null(arena_push(&arena, SIZE_MAX - TRACE_BYTES));
    check_back_at_the_start();
}
END_TEST

/* Who writes past the push before it would meet poison, not figures. */
START_TEST(a_header_may_not_be_touched)
{
    char *at = arena_push(&arena, 64);
    char *next = arena_push(&arena, 64);
    ck_assert_ptr_eq(next, at + 64 + TRACE_BYTES);
    ck_assert_int_eq(test_is_poisoned(at - 1), TEST_POISONS);
    ck_assert_int_eq(test_is_poisoned(next - 1), TEST_POISONS);
    ck_assert(!test_is_poisoned(at + 63) && !test_is_poisoned(next));
}
END_TEST

/* Blocks are left where a push does not fit: what stands in each is given back all the same. */
START_TEST(blocks_left_early_are_given_back_in_full)
{
    arena_push(&arena, 100);
    struct arena_mark mark = arena_mark(&arena);
    uint64_t before = charged_bytes();
    for (int i = 0; i < 6; i++) {
        arena_push(&arena, 40);
        arena_push(&arena, 9000);
    }
    ck_assert_uint_eq(charged_bytes(), before + 6 * (48 + 9008));
    arena_rewind(&arena, mark);
    ck_assert_uint_eq(charged_bytes(), before);
    arena_reset(&arena);
    check_back_at_the_start();
}
END_TEST

START_TEST(tracing_what_is_not_empty_stops)
{
    arena_push(&arena, 1);
    test_expect_stop();
    arena_trace(&arena, &sites);
}
END_TEST

/* ---- broken promises ---- */

START_TEST(a_mark_of_another_time_stops)
{
    arena_push(&arena, 100);
    struct arena_mark mark = arena_mark(&arena);
    arena_reset(&arena);
    test_expect_stop();
    arena_rewind(&arena, mark);
}
END_TEST

START_TEST(a_first_block_out_of_line_stops)
{
    test_expect_stop();
    arena_init(&arena, (char *)first + 1, FIRST - 1, HELD_MAX, NULL);
}
END_TEST

START_TEST(less_than_the_first_block_stops)
{
    test_expect_stop();
    arena_init(&arena, first, FIRST, FIRST - 1, NULL);
}
END_TEST

Suite *arena_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *pushes = tcase_create("pushes");
    tcase_set_timeout(pushes, 30);
    tcase_add_checked_fixture(pushes, setup, teardown);
    tcase_add_test(pushes, without_a_source_the_first_block_is_all);
    tcase_add_test(pushes, every_push_is_aligned_and_apart_from_the_last);
    tcase_add_test(pushes, a_push_is_zeroed_or_a_copy_where_asked);
    tcase_add_test(pushes, what_there_is_room_for_is_not_refused);
    tcase_add_test(pushes, growth_comes_from_the_source_and_goes_back);
    tcase_add_test(pushes, a_rewind_gives_back_the_blocks_taken_since);
    tcase_add_test(pushes, a_mark_in_the_first_block_outlives_growth);
    tcase_add_test(pushes, what_this_arena_may_never_hold_is_too_large);
    tcase_add_test(pushes, what_the_source_has_no_room_for_now_is_busy);
    tcase_add_test(pushes, busy_gives_way_to_too_large);
    tcase_add_loop_test(pushes, no_more_is_held_than_was_allowed, 0, 60);
    tcase_add_test(pushes, what_is_not_pushed_may_not_be_touched);
    tcase_add_loop_test(pushes, a_refused_push_leaves_the_arena_as_it_was, 0, 4);
    tcase_add_loop_test(pushes, churn_agrees_with_a_list, 0, 6);
    suite_add_tcase(suite, pushes);
    TCase *traced = tcase_create("traced");
    tcase_set_timeout(traced, 30);
    tcase_add_checked_fixture(traced, setup_traced, teardown);
    tcase_add_test(traced, a_traced_push_is_charged_to_its_line);
    tcase_add_test(traced, a_header_before_each_push_is_all_that_tracing_takes);
    tcase_add_test(traced, a_refused_push_is_charged_to_nobody);
    tcase_add_test(traced, a_header_may_not_be_touched);
    tcase_add_test(traced, blocks_left_early_are_given_back_in_full);
    tcase_add_test(traced, every_push_is_aligned_and_apart_from_the_last);
    tcase_add_test(traced, a_push_is_zeroed_or_a_copy_where_asked);
    tcase_add_test(traced, what_there_is_room_for_is_not_refused);
    tcase_add_test(traced, growth_comes_from_the_source_and_goes_back);
    tcase_add_test(traced, a_rewind_gives_back_the_blocks_taken_since);
    tcase_add_test(traced, a_mark_in_the_first_block_outlives_growth);
    tcase_add_test(traced, what_this_arena_may_never_hold_is_too_large);
    tcase_add_loop_test(traced, no_more_is_held_than_was_allowed, 0, 60);
    tcase_add_test(traced, what_is_not_pushed_may_not_be_touched);
    tcase_add_loop_test(traced, a_refused_push_leaves_the_arena_as_it_was, 0, 4);
    tcase_add_loop_test(traced, churn_agrees_with_a_list, 0, 6);
    suite_add_tcase(suite, traced);
    TCase *traced_stops = tcase_create("traced stops");
    tcase_add_checked_fixture(traced_stops, setup_traced, NULL);
    tcase_add_test_raise_signal(traced_stops, a_mark_of_another_time_stops, SIGABRT);
    suite_add_tcase(suite, traced_stops);
    TCase *stops = tcase_create("stops");
    tcase_add_checked_fixture(stops, setup, NULL);
    tcase_add_test_raise_signal(stops, a_mark_of_another_time_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, a_first_block_out_of_line_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, less_than_the_first_block_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, tracing_what_is_not_empty_stops, SIGABRT);
    suite_add_tcase(suite, stops);
    return suite;
}
