/*
 * bytes.h: a borrowed run of bytes. It owns nothing and ends with its lender; it is not
 * NUL-terminated.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const char *at;
    size_t length;
};

#define BYTES(literal) ((struct bytes){(literal), sizeof(literal) - 1})

static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.at, b.at, a.length) == 0);
}

static inline bool bytes_start_with(struct bytes text, struct bytes prefix)
{
    return text.length >= prefix.length && memcmp(text.at, prefix.at, prefix.length) == 0;
}

static inline bool bytes_end_with(struct bytes text, struct bytes suffix)
{
    return text.length >= suffix.length &&
           memcmp(text.at + text.length - suffix.length, suffix.at, suffix.length) == 0;
}

/*
 * Byte order, the shorter first when one is a prefix of the other: the order label names are sorted
 * in.
 */
int bytes_compare(struct bytes a, struct bytes b);

/* ASCII letters compare without case: for header values, which HTTP says are case-insensitive. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);

/* Without leading and trailing spaces and tabs. */
struct bytes bytes_trim(struct bytes text);

/*
 * True when the whole text is well-formed UTF-8 (RFC 3629: no surrogates, nothing overlong, at most
 * U+10FFFF).
 */
bool bytes_are_utf8(struct bytes text);

#endif
