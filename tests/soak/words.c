/* words.c: see words.h. */
#include "words.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct scale {
    double from;
    double divisor;
    const char *suffix;
    bool whole; /* there are no parts of it */
};

static struct word scaled(double value, const struct scale *scales)
{
    struct word word;
    while (fabs(value) < scales->from)
        scales++;
    double shown = value / scales->divisor;
    int digits = fabs(shown) < 9.995 ? 2 : fabs(shown) < 99.95 ? 1 : 0;
    bool whole = fabs(shown - round(shown)) <= 1e-9 * fabs(shown);
    if (whole || scales->whole)
        digits = 0;
    snprintf(word.text, sizeof word.text, "%.*f%s", digits, shown, scales->suffix);
    return word;
}

/* Digits in threes. */
static struct word grouped(double value)
{
    char digits[32];
    struct word word;
    size_t used = 0;
    snprintf(digits, sizeof digits, "%.0f", fabs(value));
    size_t length = strlen(digits);
    if (value < 0 && strcmp(digits, "0") != 0)
        word.text[used++] = '-';
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            word.text[used++] = ',';
        word.text[used++] = digits[i];
    }
    word.text[used] = '\0';
    return word;
}

static struct word count_word(double value)
{
    struct word word;
    if (fabs(value) > 1e15 || (value != round(value) && fabs(value) < 100)) {
        snprintf(word.text, sizeof word.text, "%.3g", value);
        return word;
    }
    return grouped(value);
}

struct word word_of(double value, enum unit unit)
{
    static const struct scale bytes[] = {{0x1p30, 0x1p30, " GiB", false},
                                         {0x1p20, 0x1p20, " MiB", false},
                                         {0x1p10, 0x1p10, " KiB", false},
                                         {0, 1, " B", true}};
    static const struct scale seconds[] = {
        {1, 1, " s", false}, {1e-3, 1e-3, " ms", false}, {0, 1e-6, " \302\265s", false}};
    if (!isfinite(value))
        return (struct word){"-"};
    switch (unit) {
    case UNIT_BYTES:
        return scaled(value, bytes);
    case UNIT_SECONDS:
        return value == 0 ? (struct word){"0 s"} : scaled(value, seconds);
    case UNIT_RATE: {
        struct word word = count_word(value);
        strncat(word.text, "/s", sizeof word.text - strlen(word.text) - 1);
        return word;
    }
    case UNIT_COUNT:
        break;
    }
    return count_word(value);
}

struct word word_signed(double value, enum unit unit)
{
    struct word word = word_of(value, unit);
    if (value > 0 && strlen(word.text) + 1 < sizeof word.text) {
        memmove(word.text + 1, word.text, strlen(word.text) + 1);
        word.text[0] = '+';
    }
    return word;
}

struct word word_elapsed(double seconds)
{
    static const struct scale scales[] = {{172800, 86400, " days", false},
                                          {7200, 3600, " h", false},
                                          {120, 60, " min", false},
                                          {0, 1, " s", true}};
    struct word word;
    const struct scale *scale = scales;
    if (!isfinite(seconds))
        return (struct word){"-"};
    while (fabs(seconds) < scale->from)
        scale++;
    double shown = seconds / scale->divisor;
    bool whole = fabs(shown - round(shown)) < 0.05 || scale->whole;
    snprintf(word.text, sizeof word.text, "%.*f%s", whole ? 0 : 1, shown, scale->suffix);
    return word;
}

struct word word_exact(double value)
{
    struct word word;
    if (!isfinite(value))
        return (struct word){"-"};
    if (value == round(value) && fabs(value) < 1e15)
        return grouped(value);
    snprintf(word.text, sizeof word.text, "%.17g", value);
    return word;
}

void escaped_write(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            if ((unsigned char)*text >= ' ' || *text == '\n')
                fputc(*text, out);
        }
    }
}
