/*
 * fuzz_number.c: numbers as text, both ways.
 *
 * The input is a text for the parsers, and its first 8 bytes are a float64 for the writers. The
 * oracle for values is the C library in the locale "C"; the grammar is told by a plain reading of
 * number.h.
 */
#include "fuzz.h"

#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#define TEXT_MAX 4096
#define QUIET_NAN 0x7ff8000000000000u

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* ---- parsing ---- */

static const char *skip_digits(const char *at)
{
    while (isdigit((unsigned char)*at))
        at++;
    return at;
}

/* `text` ends with a NUL, and has none within. */
static bool is_number(const char *text)
{
    const char *at = text + (*text == '+' || *text == '-');
    if (strcasecmp(at, "nan") == 0 || strcasecmp(at, "inf") == 0 ||
        strcasecmp(at, "infinity") == 0)
        return true;
    const char *whole = at;
    at = skip_digits(at);
    size_t digits = (size_t)(at - whole);
    if (*at == '.') {
        const char *fraction = ++at;
        at = skip_digits(at);
        digits += (size_t)(at - fraction);
    }
    if (digits == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '+' || at[1] == '-' ? 2 : 1;
        if (!isdigit((unsigned char)*at))
            return false;
        at = skip_digits(at);
    }
    return *at == '\0';
}

static bool names_infinity(const char *text)
{
    return strchr(text, 'i') != NULL || strchr(text, 'I') != NULL;
}

static void check_double(struct bytes text, const char *terminated, bool has_nul)
{
    double value = 17;
    bool parsed = number_parse(text, &value);
    if (has_nul || !is_number(terminated)) {
        REQUIRE(!parsed);
        REQUIRE(value == 17);
        return;
    }
    double expected = strtod(terminated, NULL);
    if (isinf(expected) && !names_infinity(terminated)) {
        REQUIRE(!parsed);
        return;
    }
    REQUIRE(parsed);
    REQUIRE(bits_of(value) == (isnan(expected) ? QUIET_NAN : bits_of(expected)));
}

static void check_integers(struct bytes text, const char *terminated, bool has_nul)
{
    uint64_t natural = 17;
    int64_t integer = 17;
    const char *digits = terminated + (*terminated == '+' || *terminated == '-');
    bool is_integer = !has_nul && isdigit((unsigned char)*digits) && *skip_digits(digits) == '\0';
    errno = 0;
    unsigned long long expected = strtoull(terminated, NULL, 10);
    bool fits = errno == 0 && is_integer && digits == terminated;
    REQUIRE(number_parse_u64(text, &natural) == fits);
    REQUIRE(natural == (fits ? expected : 17));
    errno = 0;
    long long expected_signed = strtoll(terminated, NULL, 10);
    fits = errno == 0 && is_integer;
    REQUIRE(number_parse_i64(text, &integer) == fits);
    REQUIRE(integer == (fits ? expected_signed : 17));
}

/* ---- writing ---- */

/* The significant digits of a written number, and their count without zeros at either end. */
static size_t digits_of(const char *text, char *out)
{
    size_t count = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (isdigit((unsigned char)*text) && (count > 0 || *text != '0'))
            out[count++] = *text;
    }
    while (count > 0 && out[count - 1] == '0')
        count--;
    out[count] = '\0';
    return count;
}

/*
 * No text with a digit less reads back as the value; and of those with as many, this is the
 * closest.
 */
static void check_shortest(double value, const char *written)
{
    char digits[NUMBER_BYTES_MAX + 1];
    char other[NUMBER_BYTES_MAX + 1];
    char text[64];
    size_t count = digits_of(written, digits);
    REQUIRE(count >= 1 && count <= 17);
    if (count > 1) {
        snprintf(text, sizeof text, "%.*e", (int)count - 2, value);
        REQUIRE(strtod(text, NULL) != value);
    }
    snprintf(text, sizeof text, "%.*e", (int)count - 1, value);
    if (strtod(text, NULL) == value) {
        digits_of(text, other);
        REQUIRE(strcmp(digits, other) == 0);
    }
}

static void check_form(double value, const char *written)
{
    char text[64];
    snprintf(text, sizeof text, "%.20e", value);
    long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
    bool has_exponent = strchr(written, 'e') != NULL;
    /* rounding to few digits may carry into the next power of ten: both forms are then right */
    if (exponent != 20 && exponent != -5)
        REQUIRE(has_exponent == (exponent < -4 || exponent >= 21));
}

static void check_write(double value)
{
    char written[NUMBER_BYTES_MAX + 1];
    double again = 17;
    size_t length = number_write(value, written);
    REQUIRE(length > 0 && length < NUMBER_BYTES_MAX);
    written[length] = '\0';
    REQUIRE(is_number(written));
    REQUIRE(number_parse((struct bytes){written, length}, &again));
    REQUIRE(bits_of(again) == (isnan(value) ? QUIET_NAN : bits_of(value)));
    if (!isfinite(value) || value == 0)
        return;
    check_shortest(value, written);
    check_form(value, written);
}

static void check_write_integers(uint64_t bits)
{
    char written[NUMBER_BYTES_MAX];
    char expected[NUMBER_BYTES_MAX];
    size_t length = number_write_u64(bits, written);
    REQUIRE((size_t)snprintf(expected, sizeof expected, "%llu", (unsigned long long)bits) ==
            length);
    REQUIRE(memcmp(written, expected, length) == 0);
    length = number_write_i64((int64_t)bits, written);
    REQUIRE((size_t)snprintf(expected, sizeof expected, "%lld", (long long)bits) == length);
    REQUIRE(memcmp(written, expected, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char terminated[TEXT_MAX + 1];
    uint64_t bits = 0;
    double value;
    if (size > TEXT_MAX)
        return 0;
    struct bytes text = fuzz_lend((struct bytes){(const char *)data, size});
    bool has_nul = size > 0 && memchr(data, 0, size) != NULL;
    if (size > 0)
        memcpy(terminated, data, size);
    terminated[size] = '\0';
    check_double(text, terminated, has_nul);
    check_integers(text, terminated, has_nul);
    fuzz_drop(text);
    if (size > 0)
        memcpy(&bits, data, size < sizeof bits ? size : sizeof bits);
    memcpy(&value, &bits, sizeof value);
    check_write(value);
    check_write_integers(bits);
    if (is_number(terminated))
        check_write(strtod(terminated, NULL));
    return 0;
}
