/* scan.c: see scan.h. */
#include "base/scan.h"

#include <stdbool.h>

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= ':') || c == '_';
}

const char *scan_name_plain(const char *at, const char *end)
{
    while (at < end && is_name_byte(*at))
        at++;
    return at;
}

const char *scan_quoted_plain(const char *at, const char *end)
{
    while (at < end && *at != '"' && *at != '\\' && ((unsigned char)*at & 0x80) == 0)
        at++;
    return at;
}

#ifdef __SSE2__

#include <emmintrin.h>

static __m128i within(__m128i bytes, char first, char last)
{
    return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8((char)(first - 1))),
                         _mm_cmplt_epi8(bytes, _mm_set1_epi8((char)(last + 1))));
}

const char *scan_name(const char *at, const char *end)
{
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20)); /* A-Z become a-z */
        __m128i plain = _mm_or_si128(within(folded, 'a', 'z'), within(bytes, '0', ':'));
        plain = _mm_or_si128(plain, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
        unsigned other = (unsigned)_mm_movemask_epi8(plain) ^ 0xffffu;
        if (other != 0)
            return at + __builtin_ctz(other);
        at += 16;
    }
    return scan_name_plain(at, end);
}

const char *scan_quoted(const char *at, const char *end)
{
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                       _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
        /* the sign bit of a byte is set where it is not ASCII */
        unsigned found = (unsigned)_mm_movemask_epi8(_mm_or_si128(special, bytes));
        if (found != 0)
            return at + __builtin_ctz(found);
        at += 16;
    }
    return scan_quoted_plain(at, end);
}

#else

const char *scan_name(const char *at, const char *end)
{
    return scan_name_plain(at, end);
}

const char *scan_quoted(const char *at, const char *end)
{
    return scan_quoted_plain(at, end);
}

#endif
