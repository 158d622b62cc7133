/*
 * support.h: what the suites share: memory to test in, settings, samples out of text, and an intake
 * that collects.
 *
 *     test_world     a region, a ledger and small settings         _init .. _end
 *     test_store     a store that takes the world's region whole   _begin .. test_world_end
 *     test_sample    "hits{a=\"1\"} 2" as a struct sample          borrows its text
 *     test_intake    what a decoder needs; collects as text        _make .. _free
 *     test_text      text that grows, compared as one string       zeroed .. _end
 *
 * Owner: a test; Check runs each in a process of its own. Random numbers are seeded: a failure
 * replays.
 */
#ifndef TESTS_SUPPORT_SUPPORT_H
#define TESTS_SUPPORT_SUPPORT_H

#include "ingest/batch.h"
#include "memory/arena.h"
#include "memory/blocks.h"
#include "memory/poison.h"
#include "memory/region.h"
#include "store/store.h"

#include <check.h>
#include <stdio.h>

#define TEST_SEED 0x5eed41
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/*
 * ck_assert tells the parent process where it stands, each time: some microseconds. For loops of
 * thousands.
 */
#define CHECK_THAT(condition) ((condition) ? (void)0 : ck_abort_msg("%s", #condition))

/* ---- stops ---- */

/* The test means to break a promise: ensure_failed aborts as ever, but says nothing. */
void test_expect_stop(void);

/* True when touching the byte would stop the program; always false in builds without poisoning. */
bool test_is_poisoned(const void *at);

#ifdef POISON_BY_SANITIZER
#define TEST_POISONS 1
#else
#define TEST_POISONS 0
#endif

/* ---- memory ---- */

struct test_world {
    struct settings settings;
    struct ledger ledger;
    struct region region;
    void *memory;
};

/* A zeroed region of so many bytes, an empty ledger, and test_settings. */
void test_world_init(struct test_world *world, size_t bytes);
void test_world_end(struct test_world *world);

/* Every default, and small numbers where the plan would choose. */
void test_settings(struct settings *settings);

/* ---- a store ---- */

#define TEST_START_MS INT64_C(1763841600000)

/* A world with these settings, and a store that takes just what store_plan said. */
void test_store_begin(struct test_world *world, struct store *store,
                      const struct settings *settings);

/*
 * ENSUREs what store_verify does, and that each pool's ledger is what its own structure says is
 * live.
 */
void test_store_verify(const struct test_world *world, const struct store *store);

/*
 * The slot of the family, or of its series with these labels, as they stand; SLOT_NONE when there
 * is none.
 */
uint32_t test_family_find(const struct store *store, struct bytes name);
uint32_t test_series_find(const struct store *store, uint32_t family, struct bytes labels);

/* ---- a source of blocks for arenas, over struct blocks ---- */

struct test_source {
    struct block_source source;
    struct blocks *blocks;
    size_t granted;      /* what is out at the moment */
    unsigned takes;      /* how often it was asked */
    unsigned refused_at; /* the nth time it says no; 0: never */
};

void test_source_init(struct test_source *source, struct blocks *blocks);

/* ---- text ---- */

struct test_text {
    char *at; /* NUL-terminated */
    size_t used;
    size_t size;
};

__attribute__((format(printf, 2, 3))) void test_print(struct test_text *text, const char *format,
                                                      ...);
void test_append(struct test_text *text, struct bytes bytes);
void test_text_reset(struct test_text *text);
void test_text_end(struct test_text *text);

/*
 * Long texts that must be equal: shows where they begin to differ, since Check's messages have a
 * limit.
 */
void test_check_same(const char *actual, const char *expected);

/*
 * A file below tests/, in malloc'ed memory of just its size. MAYFLY_TESTS names another folder to
 * look in.
 */
struct bytes test_file_read(const char *path);

/* ---- samples ---- */

/*
 * A sample out of "name{labels} value", which must outlive it. The labels are taken as they stand,
 * so write them in canonical form. A set's value is a text of which the hash is the member; that of
 * a classic histogram or summary says what the child has, in words: "sum=4.5", its count "9", and
 * buckets "0.5:3 1:5 +Inf:9". The child lives until 64 more were made.
 */
struct sample test_sample(enum kind kind, const char *text);

/*
 * True when the text is what sample.h calls canonical: checked by a second, simpler reading of that
 * promise.
 */
bool test_is_canonical(struct bytes labels);

/* ---- an intake that collects ---- */

/*
 * Each flush writes a line for each sample, and checks its name, its fingerprint, and that its
 * labels are canonical:
 *
 *     4 counter hits{a="1"} 2                   line, kind, name, labels, value
 *     4+3 classic_histogram t{} sum=2 count=5 buckets 0.5:1 lost=2 @1500
 *                                               a child and its lines; @ is a timestamp in ms
 *     4 gauge t{} 2 help=text unit=seconds      a declaration that came along
 */
struct test_intake {
    struct intake intake;
    struct report report;
    struct arena scratch;
    struct test_text collected;
    unsigned flushes;
    unsigned flush_refused_at; /* the nth flush is refused with NOT_READY; 0: none */
    void *scratch_memory;
};

struct test_intake *test_intake_make(struct test_world *world);
void test_intake_free(struct test_intake *intake);

/* Forgets what was collected and reported. */
void test_intake_reset(struct test_intake *intake);

/* Writes samples as the flush does. */
void test_collect(struct test_text *text, const struct sample *samples, uint32_t count);

/*
 * Writes what a report says was rejected: "! 4 bad_value" a line, with the limit and its setting
 * where there is one.
 */
void test_collect_report(struct test_text *text, const struct report *report);

#endif
