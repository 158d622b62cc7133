/*
 * number.h: numbers as text, both ways, exact, and without the C library, which follows the locale.
 *
 * A float64 is read correctly rounded whatever the number of its digits, and written with the
 * fewest digits that read back as the same float64. So a value that passes through the service
 * does not change by one bit.
 *
 * Owner:   none; nothing is kept, and no memory taken but the stack (under 1.5 KiB).
 * Threads: any; the caller's rounding mode must be to nearest, as it is unless changed.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* No number_write makes more: the longest is a float64, "-1.2345678901234567e-308", 24 bytes. */
#define NUMBER_BYTES_MAX 32

/*
 * The whole text as a float64, rounded to nearest, ties to even. The grammar is what Prometheus
 * text and OpenMetrics allow: an optional sign, then decimal digits with an optional point ("5."
 * and ".5" too) and an optional exponent, or NaN, Inf, Infinity in any case. No hexadecimal, no
 * underscores, no space around it.
 *
 * False, with *value untouched, when the text is no number, or a finite one that rounds beyond
 * DBL_MAX. What is too small becomes a subnormal or zero. Every NaN is the same quiet NaN, without
 * its sign.
 *
 * Cost: a few nanoseconds for short numbers; linear in the length of the text; some microseconds
 * more when hundreds of digits lie so close to the middle between two float64 that only exact
 * arithmetic can tell.
 */
bool number_parse(struct bytes text, double *value);

/* Digits alone, no sign; leading zeros are fine. False, *value untouched, if not or too large. */
bool number_parse_u64(struct bytes text, uint64_t *value);

/* The same with an optional sign; Prometheus allows "+5" as a timestamp. */
bool number_parse_i64(struct bytes text, int64_t *value);

/*
 * The shortest text that number_parse() reads as this value; of several equally short, the closest
 * to it. Returns its length; there is no terminator, and the rest of `out` is undefined.
 *
 *     0.25   1027   -0   1e-05   100000000000000000000   1e+21   1.5e+300   NaN   +Inf   -Inf
 *
 * The exponent form is for decimal exponents below -4 and from 21 on, as Go's %v has it.
 */
size_t number_write(double value, char out[static NUMBER_BYTES_MAX]);

/* Decimal digits, at most 20 bytes with the sign; returns the length, writes no terminator. */
size_t number_write_u64(uint64_t value, char *out);
size_t number_write_i64(int64_t value, char *out);

#endif
