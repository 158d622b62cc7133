/*
 * test_scan.c: the fast scans beside the plain ones, and the plain ones beside the words of the
 * header.
 *
 * Every text stands at every alignment to a step of sixteen and ends with its memory, so that a
 * step too far is caught.
 */
#include "base/scan.h"

#include "base/random.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>

Suite *scan_suite(void);

#define LENGTH_MAX 80
#define ALIGNMENTS 16

typedef const char *scan_function(const char *at, const char *end);

struct scan_row {
    scan_function *fast;
    scan_function *plain;
    bool (*goes_on)(unsigned char byte);
    char usual; /* what a run is made of */
};

static bool is_of_a_name(unsigned char byte)
{
    return byte != 0 &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:", byte) != NULL;
}

static bool is_of_a_quoted_text(unsigned char byte)
{
    return byte < 128 && byte != '"' && byte != '\\';
}

static const struct scan_row rows[] = {
    {scan_name, scan_name_plain, is_of_a_name, 'x'},
    {scan_quoted, scan_quoted_plain, is_of_a_quoted_text, ' '},
};

/* `length` bytes that end where their memory ends, `alignment` past a sixteenth. */
struct run {
    char *memory;
    char *at;
    char *end;
};

static struct run run_make(size_t alignment, size_t length)
{
    struct run run = {.memory = malloc(alignment + length + 1)};
    ck_assert_ptr_nonnull(run.memory);
    run.at = run.memory + alignment;
    run.end = run.at + length;
    UNPOISON(run.memory, alignment + length + 1);
    POISON(run.end, 1);
    return run;
}

static void run_free(struct run *run)
{
    UNPOISON(run->end, 1);
    free(run->memory);
}

START_TEST(each_byte_goes_on_or_ends_the_run)
{
    const struct scan_row *row = &rows[_i];
    for (int byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        const char *expected = row->goes_on((unsigned char)byte) ? &text + 1 : &text;
        ck_assert_ptr_eq(row->plain(&text, &text + 1), expected);
        ck_assert_ptr_eq(row->fast(&text, &text + 1), expected);
    }
}
END_TEST

/* Every byte at every place of a run of every length. */
START_TEST(a_run_ends_at_the_byte_that_ends_it)
{
    const struct scan_row *row = &rows[_i];
    for (size_t length = 0; length <= LENGTH_MAX; length++) {
        struct run run = run_make(length % ALIGNMENTS, length);
        memset(run.at, row->usual, length);
        ck_assert_ptr_eq(row->fast(run.at, run.end), run.end);
        for (size_t place = 0; place < length; place++) {
            for (int byte = 0; byte < 256; byte++) {
                run.at[place] = (char)byte;
                const char *expected = row->goes_on((unsigned char)byte) ? run.end : run.at + place;
                if (row->fast(run.at, run.end) != expected)
                    ck_abort_msg("byte %d at %zu of %zu", byte, place, length);
            }
            run.at[place] = row->usual;
        }
        run_free(&run);
    }
}
END_TEST

static void fill(struct run *run, const struct scan_row *row, struct random *random)
{
    /* nine in ten go on, so that runs are long enough to take steps */
    for (char *at = run->at; at < run->end; at++) {
        bool any = random_below(random, 10) == 0;
        do
            *at = (char)random_below(random, 256);
        while (!any && !row->goes_on((unsigned char)*at));
    }
}

START_TEST(fast_and_plain_agree)
{
    const struct scan_row *row = &rows[_i];
    struct random random = {TEST_SEED + (uint64_t)_i};
    for (size_t alignment = 0; alignment < ALIGNMENTS; alignment++) {
        for (size_t length = 0; length <= LENGTH_MAX; length++) {
            struct run run = run_make(alignment, length);
            for (int round = 0; round < 20; round++) {
                fill(&run, row, &random);
                const char *at = run.at;
                while (at < run.end && row->goes_on((unsigned char)*at))
                    at++;
                CHECK_THAT(row->plain(run.at, run.end) == at);
                CHECK_THAT(row->fast(run.at, run.end) == at);
            }
            run_free(&run);
        }
    }
}
END_TEST

Suite *scan_suite(void)
{
    Suite *suite = suite_create("scan");
    TCase *scan = tcase_create("scan");
    tcase_set_timeout(scan, 30);
    tcase_add_loop_test(scan, each_byte_goes_on_or_ends_the_run, 0, COUNT_OF(rows));
    tcase_add_loop_test(scan, a_run_ends_at_the_byte_that_ends_it, 0, COUNT_OF(rows));
    tcase_add_loop_test(scan, fast_and_plain_agree, 0, COUNT_OF(rows));
    suite_add_tcase(suite, scan);
    return suite;
}
