/*
 * main.c: runs the unit suites, which mirror lib/ one to one.
 *
 *     unit            all of them
 *     unit arena      one; with CK_FORK=no for a debugger, with CK_RUN_CASE=stops one of its cases
 */
#include "memory/poison.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the order data flows, so that the first failure is the one to look at first. */
#define SUITES(ROW)                                                                                \
    ROW(bytes)                                                                                     \
    ROW(number)                                                                                    \
    ROW(scan)                                                                                      \
    ROW(settings)                                                                                  \
    ROW(ledger)                                                                                    \
    ROW(blocks)                                                                                    \
    ROW(arena)                                                                                     \
    ROW(sites)                                                                                     \
    ROW(slots)                                                                                     \
    ROW(ring)                                                                                      \
    ROW(label_blocks)                                                                              \
    ROW(lru)                                                                                       \
    ROW(quiet)                                                                                     \
    ROW(snapshots)                                                                                 \
    ROW(trend)                                                                                     \
    ROW(watch)                                                                                     \
    ROW(label_set)                                                                                 \
    ROW(line_reader)                                                                               \
    ROW(line_shape)                                                                                \
    ROW(csv_reader)                                                                                \
    ROW(inflate)                                                                                   \
    ROW(prometheus)                                                                                \
    ROW(json_decoder)                                                                              \
    ROW(push)                                                                                      \
    ROW(classic)                                                                                   \
    ROW(exp_histogram)                                                                             \
    ROW(histogram)                                                                                 \
    ROW(hyperloglog)                                                                               \
    ROW(sketch_code)                                                                               \
    ROW(cell)                                                                                      \
    ROW(index)                                                                                     \
    ROW(store)                                                                                     \
    ROW(store_model)                                                                               \
    ROW(history)                                                                                   \
    ROW(matcher)                                                                                   \
    ROW(name_page)                                                                                 \
    ROW(scans)                                                                                     \
    ROW(summary)                                                                                   \
    ROW(summarize)                                                                                 \
    ROW(query)                                                                                     \
    ROW(query_run)                                                                                 \
    ROW(writer)                                                                                    \
    ROW(document)                                                                                  \
    ROW(query_reply)                                                                               \
    ROW(exposition)                                                                                \
    ROW(memory_report)                                                                             \
    ROW(watch_replies)                                                                             \
    ROW(doctor)                                                                                    \
    ROW(self_report)                                                                               \
    ROW(summary_reply)                                                                             \
    ROW(plan)                                                                                      \
    ROW(engine)                                                                                    \
    ROW(own)

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

static bool run(const struct row *row)
{
    SRunner *runner = srunner_create(row->make());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0;
}

static pid_t processes[ROWS];

/* Waits for one of the suites; true when it passed. */
static bool reap(void)
{
    int status = 0;
    pid_t process = wait(&status);
    bool passed = process > 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
    for (size_t i = 0; i < ROWS; i++) {
        if (!passed && processes[i] == process)
            fprintf(stderr, "unit: the suite %s failed\n", rows[i].name);
    }
    return passed;
}

/*
 * Each suite in a process of its own, as many at once as there are processors. Check forks for each
 * test, and a process that has run a thousand of them is slow to fork.
 */
static bool run_all(void)
{
    long at_once = sysconf(_SC_NPROCESSORS_ONLN);
    long running = 0;
    bool passed = true;
    for (size_t i = 0; i < ROWS; i++) {
        if (running >= at_once && running-- > 0)
            passed = reap() && passed;
        fflush(NULL);
        processes[i] = fork();
        if (processes[i] == 0)
            exit(run(&rows[i]) ? EXIT_SUCCESS : EXIT_FAILURE);
        passed = passed && processes[i] > 0;
        running += processes[i] > 0;
    }
    while (running-- > 0)
        passed = reap() && passed;
    return passed;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return run_all() ? EXIT_SUCCESS : EXIT_FAILURE;
    for (size_t i = 0; argc == 2 && i < ROWS; i++) {
        if (strcmp(argv[1], rows[i].name) == 0)
            return run(&rows[i]) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    return usage();
}
