/*
 * main.c: runs the unit suites, which mirror lib/ one to one.
 *
 *     unit            all of them
 *     unit arena      one; with CK_FORK=no for a debugger, with CK_RUN_CASE=stops one of its cases
 */
#include "memory/poison.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order data flows, so that the first failure is the one to look at first. */
#define SUITES(ROW)                                                                                \
    ROW(bytes)                                                                                     \
    ROW(number)                                                                                    \
    ROW(scan)                                                                                      \
    ROW(settings)                                                                                  \
    ROW(ledger)                                                                                    \
    ROW(blocks)                                                                                    \
    ROW(arena)                                                                                     \
    ROW(slots)                                                                                     \
    ROW(label_blocks)                                                                              \
    ROW(label_set)                                                                                 \
    ROW(line_reader)                                                                               \
    ROW(line_shape)                                                                                \
    ROW(inflate)                                                                                   \
    ROW(prometheus)                                                                                \
    ROW(json_decoder)                                                                              \
    ROW(push)                                                                                      \
    ROW(exp_histogram)                                                                             \
    ROW(hyperloglog)                                                                               \
    ROW(index)                                                                                     \
    ROW(store)                                                                                     \
    ROW(store_model)                                                                               \
    ROW(matcher)                                                                                   \
    ROW(name_page)                                                                                 \
    ROW(scans)                                                                                     \
    ROW(writer)                                                                                    \
    ROW(document)                                                                                  \
    ROW(exposition)                                                                                \
    ROW(memory_report)                                                                             \
    ROW(self_report)                                                                               \
    ROW(plan)                                                                                      \
    ROW(engine)

#define DECLARE(name) Suite *name##_suite(void);
SUITES(DECLARE)
#undef DECLARE

struct row {
    const char *name;
    Suite *(*make)(void);
};

static const struct row rows[] = {
#define ROW(name) {#name, name##_suite},
    SUITES(ROW)
#undef ROW
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

#ifdef POISON_BY_SANITIZER
/*
 * Each check is a process, and at its end LeakSanitizer would search all static buffers of all
 * suites for pointers: 60 ms for each of a thousand checks. lib/ has no heap to leak from, as the
 * linker test says.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

static int usage(void)
{
    fprintf(stderr, "usage: unit [suite]\nsuites:");
    for (size_t i = 0; i < ROWS; i++)
        fprintf(stderr, " %s", rows[i].name);
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv)
{
    SRunner *runner = srunner_create(NULL);
    size_t added = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (argc > 1 && strcmp(argv[1], rows[i].name) != 0)
            continue;
        srunner_add_suite(runner, rows[i].make());
        added++;
    }
    if (argc > 2 || added == 0) {
        srunner_free(runner);
        return usage();
    }
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
