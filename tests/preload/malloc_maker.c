/*
 * malloc_maker.c: allocates a known number of times and tells malloc_count.so to write its table:
 * the proof that the shim sees what it should. test.py knows the numbers.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MALLOCS 7
#define STRDUPS 3

/* What is volatile is not optimized away. */
static void *volatile kept;

int main(void)
{
    for (int i = 0; i < MALLOCS; i++) {
        kept = malloc(16);
        free(kept);
    }
    kept = calloc(2, 8);
    kept = realloc(kept, 64);
    for (int i = 0; i < STRDUPS; i++)
        kept = strdup("a text");
    kept = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return raise(SIGUSR1);
}
