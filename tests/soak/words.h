/*
 * words.h: numbers as people read them: 2.6 MiB, 4 min, 1.2 ms, 1,234,567.
 *
 * Each returns its text by value, so that it can stand among printf's arguments.
 */
#ifndef SOAK_WORDS_H
#define SOAK_WORDS_H

#include <stdio.h>

enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_SECONDS, UNIT_RATE };

struct word {
    char text[48];
};

struct word word_of(double value, enum unit unit);
struct word word_signed(double value, enum unit unit); /* with a + */
struct word word_elapsed(double seconds);              /* a time of the run: 90 s, 4 min, 2.5 h */
struct word word_exact(double value);                  /* every digit that a double has */

/* With what HTML and SVG read as their own written as references. */
void escaped_write(FILE *out, const char *text);

#endif
