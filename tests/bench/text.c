#define _GNU_SOURCE 1
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A label with its value, a header line with the longest path: all that is formatted is shorter. */
#define PIECE_BYTES 4096

_Noreturn void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size);

    if (memory == NULL)
        die("out of memory: %zu x %zu bytes", count, size);
    return memory;
}

static void text_reserve(struct text *text, size_t more)
{
    size_t needed = text->length + more + 1; /* and a NUL, for those who print it */
    size_t capacity = text->capacity == 0 ? 256 : text->capacity;

    if (needed <= text->capacity)
        return;
    while (capacity < needed)
        capacity *= 2;
    text->at = realloc(text->at, capacity);
    if (text->at == NULL)
        die("out of memory: a text of %zu bytes", capacity);
    text->capacity = capacity;
}

void text_add(struct text *text, const char *bytes, size_t length)
{
    text_reserve(text, length);
    memcpy(text->at + text->length, bytes, length);
    text->length += length;
    text->at[text->length] = '\0';
}

void text_format(struct text *text, const char *format, ...)
{
    va_list arguments;
    char piece[PIECE_BYTES];
    int length;

    va_start(arguments, format);
    length = vsnprintf(piece, sizeof(piece), format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof(piece))
        die("more than %zu bytes in one piece of text", sizeof(piece));
    text_add(text, piece, (size_t)length);
}

void text_free(struct text *text)
{
    free(text->at);
    *text = (struct text){0};
}

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
