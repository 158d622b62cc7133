/* batch.c: see batch.h. */
#include "batch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEED_DEFAULT 0x5eed
#define HOURS_DEFAULT 72
#define SEEDS_DEFAULT 20

const char *batch_program = "sim";

/* ---- many ---- */

struct result {
    pid_t process;
    struct happened happened;
};

struct batch {
    struct batch_run first;
    uint64_t count;
    uint64_t started;
    unsigned running;
    unsigned failed;
    struct result *results; /* shared: one for each seed */
};

static void start(struct batch *batch)
{
    struct result *result = &batch->results[batch->started];
    struct batch_run run = batch->first;
    run.seed += batch->started++;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        result->happened = sim_run(&run);
        _exit(0);
    }
    result->process = child;
    batch->running++;
}

/* What stopped without a word of its own has its line to paste, too. */
static void say_signal(const struct batch *batch, pid_t process, int status)
{
    uint64_t index = 0;
    while (batch->results[index].process != process)
        index++;
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        fprintf(stderr, "%s 0x%llx %llu: ended with status %#x\n", batch_program,
                (unsigned long long)(batch->first.seed + index),
                (unsigned long long)batch->first.hours, (unsigned)status);
}

static void await_one(struct batch *batch)
{
    int status;
    pid_t process = wait(&status);
    if (process < 0)
        abort();
    batch->running--;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    batch->failed++;
    say_signal(batch, process, status);
}

static struct result *shared(uint64_t count)
{
    void *at = mmap(NULL, (count + 1) * sizeof(struct result), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        abort();
    return at;
}

/* None is begun once one has failed. */
static void run_all(struct batch *batch)
{
    unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    for (;;) {
        bool more = batch->started < batch->count && batch->failed == 0;
        if (more && batch->running < cpus)
            start(batch);
        else if (batch->running > 0)
            await_one(batch);
        else
            return;
    }
}

/* Where all is expected that can happen, it fails when something did not. */
static int run_batch(const struct batch_run *first, uint64_t count, bool all_expected)
{
    struct happened sum = {0};
    struct batch batch = {.first = *first, .count = count, .results = shared(count)};
    run_all(&batch);
    if (batch.failed > 0)
        return EXIT_FAILURE;
    for (uint64_t i = 0; i < count; i++)
        happened_add(&sum, &batch.results[i].happened);
    bool enough = happened_in_batch(&sum) || !all_expected;
    printf("%llu seeds from 0x%llx, %llu hours each%s\n", (unsigned long long)count,
           (unsigned long long)first->seed, (unsigned long long)first->hours,
           enough ? "" : ": too little happened, see the list");
    return enough ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- one ---- */

static int run_one(const struct batch_run *run)
{
    printf("%s %s0x%llx %llu\n", batch_program, run->is_all ? "--all " : "",
           (unsigned long long)run->seed, (unsigned long long)run->hours);
    fflush(stdout);
    struct happened happened = sim_run(run);
    bool enough = happened_in_days(&happened, run->is_all ? run->hours / 24 : 0);
    if (!enough)
        puts("too little happened, see the list");
    return enough ? EXIT_SUCCESS : EXIT_FAILURE;
}

static uint64_t argument(int argc, char **argv, int index, uint64_t otherwise)
{
    return index < argc ? strtoull(argv[index], NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
    struct batch_run run = {.is_all = argc > 1 && strcmp(argv[1], "--all") == 0};
    batch_program = argv[0];
    bool all_expected = argc > 1 && strcmp(argv[1], "--cover") == 0;
    if (all_expected || (argc > 1 && strcmp(argv[1], "--seeds") == 0)) {
        run.seed = argument(argc, argv, 2, SEED_DEFAULT);
        run.hours = argument(argc, argv, 4, HOURS_DEFAULT);
        return run_batch(&run, argument(argc, argv, 3, SEEDS_DEFAULT), all_expected);
    }
    run.seed = argument(argc, argv, 1 + run.is_all, SEED_DEFAULT);
    run.hours = argument(argc, argv, 2 + run.is_all, HOURS_DEFAULT);
    return run_one(&run);
}
