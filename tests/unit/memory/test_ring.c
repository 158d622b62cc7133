/* test_ring.c: the ring beside a list of the pieces it should hold, each with bytes of its own. */
#include "memory/ring.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <signal.h>
#include <string.h>

Suite *ring_suite(void);

#define BYTES_MAX 1000
#define PIECES_MAX 1100 /* more than ever are held: the smallest is a byte */

struct piece {
    uint64_t head; /* where the ring's was before: to take it back to */
    uint64_t position;
    uint64_t bytes;
    uint8_t first; /* of its bytes, which count upwards */
};

/* The model: pieces in the order they came; those from `oldest` on are held. */
static struct piece pieces[PIECES_MAX];
static uint32_t oldest;
static uint32_t newest;
static uint64_t tail; /* what is held, or skipped behind it, begins here */
static uint8_t memory[BYTES_MAX + 16];
static struct ring ring;

static void begin(uint64_t bytes)
{
    memset(memory, 0xee, sizeof memory);
    oldest = newest = 0;
    tail = 0;
    ring_init(&ring, memory, bytes);
}

static struct piece *piece_at(uint32_t i)
{
    return &pieces[i % PIECES_MAX];
}

static uint64_t end_of(const struct piece *piece)
{
    return piece->position + piece->bytes;
}

/*
 * Does a piece fit behind the newest, and what is held, with what is skipped before it, into the
 * ring? When nothing is held, all of the ring is free.
 */
static bool should_fit(uint64_t bytes)
{
    if (oldest == newest)
        return bytes <= ring.bytes;
    uint64_t head = end_of(piece_at(newest - 1));
    uint64_t place = head % ring.bytes;
    uint64_t skipped = place + bytes > ring.bytes ? ring.bytes - place : 0;
    return head + skipped + bytes - tail <= ring.bytes;
}

/* Reserves `wanted` and commits `bytes` of it. */
static bool put(uint64_t wanted, uint64_t bytes, uint8_t first)
{
    uint64_t head = ring.head;
    uint8_t *out = ring_reserve(&ring, wanted);
    if (out == NULL)
        return false;
    CHECK_THAT(out >= memory && out + wanted <= memory + ring.bytes);
    for (uint64_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(first + i);
    uint64_t position = ring_commit(&ring, bytes);
    CHECK_THAT(ring_at(&ring, position) == out || bytes == 0);
    CHECK_THAT(newest == 0 || position >= piece_at(newest - 1)->position);
    if (oldest == newest)
        tail = position;
    *piece_at(newest++) = (struct piece){head, position, bytes, first};
    return true;
}

/* Drops the oldest piece as a record is dropped: up to where it ended. */
static void drop(void)
{
    tail = end_of(piece_at(oldest++));
    ring_release(&ring, tail);
}

/* Takes the newest pieces back, as a record that is given up is: to where the first one began. */
static void take_back(uint32_t count)
{
    newest -= count;
    ring_take_back(&ring, piece_at(newest)->head);
}

static void check_pieces(void)
{
    CHECK_THAT(ring_held(&ring) <= ring.bytes);
    for (uint32_t i = oldest; i < newest; i++) {
        const struct piece *piece = piece_at(i);
        const uint8_t *at = ring_at(&ring, piece->position);
        CHECK_THAT(at + piece->bytes <= memory + ring.bytes);
        for (uint64_t k = 0; k < piece->bytes; k++)
            CHECK_THAT(at[k] == (uint8_t)(piece->first + k));
    }
    for (size_t i = 0; i < 16; i++)
        CHECK_THAT(memory[ring.bytes + i] == 0xee);
}

/* What is skipped lies behind a piece that is held, and before another; or it is not known. */
static void check_end(void)
{
    bool found = ring.end == UINT64_MAX || oldest == newest || ring.end < tail;
    for (uint32_t i = oldest; i < newest && !found; i++)
        found = end_of(piece_at(i)) == ring.end && i + 1 < newest;
    CHECK_THAT(found || ring.end < piece_at(oldest)->position);
}

static const struct {
    uint64_t ring;
    uint64_t piece; /* the largest */
} sizes[] = {{1, 1}, {2, 2}, {7, 3}, {64, 64}, {100, 9}, {100, 100}, {997, 120}, {1000, 50}};

START_TEST(pieces_stay_whole_until_they_are_dropped)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    begin(sizes[_i].ring);
    for (int step = 0; step < 20000; step++) {
        bool drops = oldest < newest && random_below(&random, 8) == 0;
        uint64_t wanted = 1 + random_below(&random, sizes[_i].piece);
        if (random_below(&random, 4) == 0) /* exactly to the end */
            wanted = ring.bytes - ring.head % ring.bytes;
        bool fits = should_fit(wanted);
        if (drops) {
            drop();
        } else if (!put(wanted, wanted, (uint8_t)step)) {
            CHECK_THAT(!fits && oldest < newest);
            drop();
        } else {
            CHECK_THAT(fits);
        }
        if (step % 16 == 0)
            check_pieces();
    }
    ck_assert(newest > 1000);
}
END_TEST

START_TEST(less_may_be_committed_than_was_reserved)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    begin(sizes[_i].ring);
    for (int step = 0; step < 20000; step++) {
        uint64_t wanted = 1 + random_below(&random, sizes[_i].piece);
        if (!put(wanted, 1 + random_below(&random, wanted), (uint8_t)step))
            drop();
        if (step % 16 == 0)
            check_pieces();
    }
    ck_assert(newest > 1000);
}
END_TEST

START_TEST(what_is_taken_back_never_was)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    uint32_t taken = 0;
    begin(sizes[_i].ring);
    for (int step = 0; step < 20000; step++) {
        uint64_t wanted = 1 + random_below(&random, sizes[_i].piece);
        bool fits = should_fit(wanted);
        if (oldest < newest && random_below(&random, 6) == 0) {
            uint32_t count = 1 + (uint32_t)random_below(&random, newest - oldest);
            take_back(count);
            taken += count;
        } else if (!put(wanted, wanted, (uint8_t)step)) {
            CHECK_THAT(!fits && oldest < newest);
            drop();
        } else {
            CHECK_THAT(fits);
        }
        CHECK_THAT(oldest < newest ? ring.head == end_of(piece_at(newest - 1))
                                   : ring_held(&ring) == 0);
        check_end();
        if (step % 16 == 0)
            check_pieces();
    }
    ck_assert(taken > 1000);
}
END_TEST

START_TEST(a_piece_to_the_very_end_leaves_no_gap)
{
    begin(100);
    ck_assert(put(60, 60, 1) && put(40, 40, 2));
    ck_assert_uint_eq(ring_held(&ring), 100);
    ck_assert_ptr_null(ring_reserve(&ring, 1));
    drop();
    ck_assert(put(60, 60, 3));
    ck_assert_uint_eq(piece_at(2)->position, 100);
    ck_assert_uint_eq(ring_held(&ring), 100);
    ck_assert_uint_eq(ring.end, UINT64_MAX);
    check_pieces();
}
END_TEST

START_TEST(what_is_skipped_at_the_end_is_held_and_known)
{
    begin(100);
    ck_assert(put(50, 50, 1) && put(40, 40, 2));
    drop();
    ck_assert(put(20, 20, 3)); /* 10 bytes are too few for it */
    ck_assert_uint_eq(ring.end, 90);
    ck_assert_uint_eq(piece_at(2)->position, 100);
    ck_assert_uint_eq(ring_held(&ring), 40 + 10 + 20);
    ck_assert_ptr_null(ring_reserve(&ring, 31));
    ck_assert(put(30, 30, 4));
    check_pieces();
}
END_TEST

START_TEST(an_empty_ring_takes_a_piece_as_long_as_it_is)
{
    begin(100);
    for (uint64_t used = 0; used <= 100; used++) {
        ck_assert(put(used, used, 1));
        drop();
        ck_assert(put(100, 100, 2));
        ck_assert_uint_eq(ring_held(&ring), 100);
        check_pieces();
        drop();
        ck_assert_uint_eq(ring_held(&ring), 0);
    }
}
END_TEST

START_TEST(a_piece_longer_than_the_ring_never_fits)
{
    begin(100);
    ck_assert_ptr_null(ring_reserve(&ring, 101));
    ck_assert_ptr_null(ring_reserve(&ring, UINT64_MAX));
    ck_assert(put(10, 10, 1));
    drop();
    ck_assert_ptr_null(ring_reserve(&ring, 101));
    ck_assert_ptr_null(ring_reserve(&ring, UINT64_MAX - 5));
    ck_assert_uint_eq(ring_held(&ring), 0);
    ck_assert(put(100, 100, 2));
    check_pieces();
}
END_TEST

/* Before the ring first begins again there is no such place: what is at 0 must not look skipped. */
START_TEST(the_end_is_nowhere_until_something_was_skipped)
{
    begin(100);
    ck_assert(put(40, 40, 1));
    ck_assert_uint_eq(piece_at(0)->position, 0);
    ck_assert_uint_gt(ring.end, 100);
}
END_TEST

START_TEST(a_refused_piece_changes_nothing)
{
    begin(100);
    ck_assert(put(70, 70, 1));
    struct ring before = ring;
    ck_assert_ptr_null(ring_reserve(&ring, 31));
    ck_assert_int_eq(memcmp(&before, &ring, sizeof ring), 0);
    ck_assert(put(30, 30, 2));
}
END_TEST

/* Else a piece that does lie there, put later, would be read up to the old end only. */
START_TEST(a_gap_that_is_taken_back_is_none)
{
    begin(100);
    ck_assert(put(50, 50, 1) && put(40, 40, 2));
    drop();
    ck_assert(put(20, 20, 3)); /* at the base again */
    take_back(1);
    ck_assert_uint_eq(ring.head, 90);
    ck_assert_uint_eq(ring.end, UINT64_MAX);
    ck_assert_uint_eq(ring_held(&ring), 40);
    ck_assert(put(10, 10, 4));
    ck_assert_uint_eq(piece_at(newest - 1)->position, 90);
    check_pieces();
}
END_TEST

START_TEST(a_gap_before_what_is_taken_back_stays)
{
    begin(100);
    ck_assert(put(50, 50, 1) && put(40, 40, 2));
    drop();
    ck_assert(put(20, 20, 3) && put(10, 10, 4));
    take_back(1);
    ck_assert_uint_eq(ring.head, 120);
    ck_assert_uint_eq(ring.end, 90);
    ck_assert_uint_eq(ring_held(&ring), 40 + 10 + 20);
    check_pieces();
}
END_TEST

/* The head was at 90 when nothing was held; the piece begins at 100, and so does what is held. */
START_TEST(an_empty_ring_does_not_go_back_before_its_tail)
{
    begin(100);
    ck_assert(put(90, 90, 1));
    drop();
    ck_assert(put(20, 20, 2));
    take_back(1);
    ck_assert_uint_eq(ring_held(&ring), 0);
    ck_assert(ring.tail <= ring.head);
    ck_assert(put(100, 100, 3));
    check_pieces();
}
END_TEST

START_TEST(taking_back_what_never_was_stops)
{
    begin(100);
    ck_assert(put(50, 50, 1));
    test_expect_stop();
    ring_take_back(&ring, 51);
}
END_TEST

START_TEST(releasing_what_is_not_held_stops)
{
    begin(100);
    ck_assert(put(50, 50, 1) && put(20, 20, 2));
    drop();
    test_expect_stop();
    ring_release(&ring, _i == 0 ? 71 : 49);
}
END_TEST

START_TEST(committing_over_the_end_stops)
{
    begin(100);
    ck_assert(put(50, 50, 1));
    drop();
    ck_assert_ptr_nonnull(ring_reserve(&ring, 50));
    test_expect_stop();
    ring_commit(&ring, 51);
}
END_TEST

Suite *ring_suite(void)
{
    Suite *suite = suite_create("ring");
    TCase *model = tcase_create("model");
    tcase_add_loop_test(model, pieces_stay_whole_until_they_are_dropped, 0, COUNT_OF(sizes));
    tcase_add_loop_test(model, less_may_be_committed_than_was_reserved, 0, COUNT_OF(sizes));
    tcase_add_loop_test(model, what_is_taken_back_never_was, 0, COUNT_OF(sizes));
    suite_add_tcase(suite, model);
    TCase *edges = tcase_create("edges");
    tcase_add_test(edges, a_piece_to_the_very_end_leaves_no_gap);
    tcase_add_test(edges, what_is_skipped_at_the_end_is_held_and_known);
    tcase_add_test(edges, an_empty_ring_takes_a_piece_as_long_as_it_is);
    tcase_add_test(edges, a_piece_longer_than_the_ring_never_fits);
    tcase_add_test(edges, the_end_is_nowhere_until_something_was_skipped);
    tcase_add_test(edges, a_refused_piece_changes_nothing);
    tcase_add_test(edges, a_gap_that_is_taken_back_is_none);
    tcase_add_test(edges, a_gap_before_what_is_taken_back_stays);
    tcase_add_test(edges, an_empty_ring_does_not_go_back_before_its_tail);
    suite_add_tcase(suite, edges);
    TCase *stops = tcase_create("stops");
    tcase_add_loop_test_raise_signal(stops, releasing_what_is_not_held_stops, SIGABRT, 0, 2);
    tcase_add_test_raise_signal(stops, committing_over_the_end_stops, SIGABRT);
    tcase_add_test_raise_signal(stops, taking_back_what_never_was_stops, SIGABRT);
    suite_add_tcase(suite, stops);
    return suite;
}
