/*
 * text.h: a text that grows, and the one way a bench program, or the soak driver, gives up.
 *
 * Owner:    whoever declared the struct (zeroed is empty); text_free() ends it.
 * Memory:   the heap. Bench programs are not bounded by construction: the options bound what may be
 *           asked for, and everything is made before the clock starts.
 */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *at;
    size_t length;
    size_t capacity;
};

/* One line on stderr, then exit(1). */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* calloc that does not fail. */
void *zeroed(size_t count, size_t size);

void text_add(struct text *text, const char *bytes, size_t length);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *text);

/* The monotonic clock. */
uint64_t now_ns(void);

#endif
