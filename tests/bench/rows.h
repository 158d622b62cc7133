/*
 * rows.h: the lines that bench-windows prints: what, how much was asked for, how much it is.
 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stdio.h>

static inline void rows_title(const char *title)
{
    printf("\n%-84s %9s %9s\n", title, "asked", "got");
}

static inline void rows_told(const char *what, const char *unit, double got)
{
    printf("  %-82s %9s %9.2f %s\n", what, "", got, unit);
}

/* Asked to be at most so much. */
static inline void rows_most(const char *what, const char *unit, double asked, double got)
{
    printf("  %-82s %9.2f %9.2f %s%s\n", what, asked, got, unit, got <= asked ? "" : "  OVER");
}

#endif
