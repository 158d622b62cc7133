/*
 * number.c: float64 and text.
 *
 * Reading takes three steps, each for what the one before cannot decide:
 *   1. Few digits, a small exponent: one exact multiplication or division (Clinger 1990).
 *   2. The first 19 digits times a 128-bit power of ten; its error is bounded, and if both bounds
 *      round alike, so does the truth (after Lemire, "Number parsing at a gigabyte per second").
 *   3. The digits against the middle between the two candidates, as integers of some 2600 bits.
 *
 * Writing: integers and short decimals as such, the rest with Schubfach (Giulietti, "The Schubfach
 * way to render doubles"), for which the same powers of ten are precise enough in every case.
 *
 * The usual table of 128-bit powers has over 600 rows. Here it has one in 28, and a multiplication
 * makes the others, which costs two nanoseconds.
 */
#include "base/number.h"

#include <assert.h>
#include <float.h>
#include <math.h>

#include "base/ensure.h"

static_assert(FLT_EVAL_METHOD == 0 && DBL_MANT_DIG == 53, "a double is and is computed as float64");

__extension__ typedef unsigned __int128 uint128;

/* A float64 is mantissa * 2^exponent; its mantissa has 53 bits, the topmost implied, or fewer. */
#define MANTISSA_BITS 52
#define MANTISSA_TOP ((uint64_t)1 << MANTISSA_BITS)
#define EXPONENT_MIN (-1074)
#define INFINITY_BITS ((uint64_t)0x7ff << MANTISSA_BITS)

#define INTEGER_MAX (MANTISSA_TOP * 2) /* every integer up to 2^53 is a float64 */
#define WORD_DIGITS 19                 /* any 19 digits fit uint64_t */

/* Beyond these powers of ten, 19 digits are less than half the least float64; one digit is inf. */
#define TEN_POWER_MIN (-342)
#define TEN_POWER_MAX 308

/* ---- powers of ten ---- */

/* 5^27 is the last that fits 64 bits. 10^i is 5^i << i, which fits up to 10^19. */
#define FIVE_POWERS 28
static const uint64_t FIVE_POWER[FIVE_POWERS] = {
    1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625, 48828125, 244140625,
    1220703125, 6103515625, 30517578125, 152587890625, 762939453125, 3814697265625, 19073486328125,
    95367431640625, 476837158203125, 2384185791015625, 11920928955078125, 59604644775390625,
    298023223876953125, 1490116119384765625, 7450580596923828125,
};

/* 10^(28 i) for i = -13 .. 11, scaled to [2^127, 2^128) and rounded down: high and low half. */
#define STRIDE FIVE_POWERS
#define STRIDE_MIN (-13)
static const uint64_t STRIDE_POWER[][2] = {
    {0xe1afa13afbd14d6d, 0x82189c09a3a1ec21}, {0xe3e27a444d8d98b7, 0xfd1b1b2308169b25},
    {0xe61acf033d1a45df, 0x6fb92487298e33bd}, {0xe858ad248f5c22c9, 0xd1b3400f8f9cff68},
    {0xea9c227723ee8bcb, 0x465e15a979c1cadc}, {0xece53cec4a314ebd, 0xa4f8bf5635246428},
    {0xef340a98172aace4, 0x86fb897116c87c34}, {0xf18899b1bc3f8ca1, 0xdc44e6c3cb279ac1},
    {0xf3e2f893dec3f126, 0x5a89dba3c3efccfa}, {0xf64335bcf065d37d, 0x4d4617b5ff4a16d5},
    {0xf8a95fcf88747d94, 0x75a44c6397ce912a}, {0xfb158592be068d2e, 0xeed6e2f0f0d56712},
    {0xfd87b5f28300ca0d, 0x8bca9d6e188853fc}, {0x8000000000000000, 0x0000000000000000},
    {0x813f3978f8940984, 0x4000000000000000}, {0x82818f1281ed449f, 0xbff8f10e7a8921a4},
    {0x83c7088e1aab65db, 0x792667c6da79e0fa}, {0x850fadc09923329e, 0x03e2cf6bc604ddb0},
    {0x865b86925b9bc5c2, 0x0b8a2392ba45a9b2}, {0x87aa9aff79042286, 0x90fb44d2f05d0842},
    {0x88fcf317f22241e2, 0x441fece3bdf81f03}, {0x8a5296ffe33cc92f, 0x82bd6b70d99aaa6f},
    {0x8bab8eefb6409c1a, 0x1ad089b6c2f7548e}, {0x8d07e33455637eb2, 0xdb0b487b6423e1e8},
    {0x8e679c2f5e44ff8f, 0x570f09eaa7ea7648},
};

/* The powers of ten that are float64 without rounding: 5^22 has 52 bits, 5^23 has 54. */
#define EXACT_POWER_MAX 22
static const double EXACT_POWER[EXACT_POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static uint64_t ten_power_word(unsigned power)
{
    ENSURE(power < sizeof FIVE_POWER / sizeof FIVE_POWER[0]);
    return FIVE_POWER[power] << power;
}

/* floor(log2(10^power)) for |power| <= 342; gcc and clang round down when shifting a negative. */
static int ten_power_log2(int power)
{
    return (power * 217706) >> 16;
}

/* The 192-bit product without its lowest 64 bits. */
static uint128 product_high(uint64_t a, uint128 b)
{
    return (uint128)a * (uint64_t)(b >> 64) + (((uint128)a * (uint64_t)b) >> 64);
}

/*
 * 10^power for power = -342 .. 324, scaled by 2^(127 - log2) to [2^127, 2^128) and rounded down;
 * the truth is less than TEN_POWER_ERROR above it. For the entry lacks less than one, and so does
 * its product with a factor below 2^64 without the lowest 64 bits; the cut of those takes less than
 * another one, and the last shift doubles both.
 */
#define TEN_POWER_ERROR 4
static uint128 ten_power(int power)
{
    int stride = (power - STRIDE_MIN * STRIDE) / STRIDE;
    const uint64_t *entry = STRIDE_POWER[stride];
    uint64_t five = FIVE_POWER[power - (stride + STRIDE_MIN) * STRIDE];
    uint128 whole = (uint128)entry[0] << 64 | entry[1];
    uint128 product = product_high(five << __builtin_clzll(five), whole);
    return product >> 127 ? product : product << 1;
}

/* ---- reading: integers of any length ---- */

/*
 * The middle between two float64 has at most 767 significant digits. So a text that agrees with it
 * in the first 770 is equal to it or, if anything but zeros follows, above it.
 */
#define EXACT_DIGITS 770

/*
 * 770 digits are 2558 bits. What they are compared with is scaled to the same size, give or take
 * the 64 bits of a mantissa, and a shift by words may leave one word unfilled: 2816 bits are ample.
 */
#define BIG_WORDS 44

struct big {
    unsigned count; /* words in use, the last of them not zero */
    uint64_t words[BIG_WORDS];
};

/* big = big * factor + addend */
static void big_scale(struct big *big, uint64_t factor, uint64_t addend)
{
    for (unsigned i = 0; i < big->count; i++) {
        uint128 product = (uint128)big->words[i] * factor + addend;
        big->words[i] = (uint64_t)product;
        addend = (uint64_t)(product >> 64);
    }
    if (addend != 0) {
        ENSURE(big->count < BIG_WORDS);
        big->words[big->count++] = addend;
    }
}

static void big_scale_five(struct big *big, unsigned power)
{
    for (; power >= FIVE_POWERS; power -= FIVE_POWERS - 1)
        big_scale(big, FIVE_POWER[FIVE_POWERS - 1], 0);
    big_scale(big, FIVE_POWER[power], 0);
}

static void big_shift(struct big *big, unsigned bits)
{
    unsigned words = bits / 64;
    big_scale(big, (uint64_t)1 << bits % 64, 0);
    ENSURE(big->count + words <= BIG_WORDS);
    memmove(big->words + words, big->words, big->count * sizeof big->words[0]);
    memset(big->words, 0, words * sizeof big->words[0]);
    big->count += words;
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    ENSURE(a->count > 0);
    unsigned i = a->count - 1;
    while (i > 0 && a->words[i] == b->words[i])
        i--;
    return (a->words[i] > b->words[i]) - (a->words[i] < b->words[i]);
}

/* ---- reading: the text ---- */

/* An unsigned literal: mantissa * 10^power or, if it was cut, up to one unit of mantissa more. */
struct literal {
    uint64_t mantissa;   /* its first 19 significant digits */
    int64_t power;
    bool cut;            /* digits other than zero follow those */
    struct bytes digits; /* all of them, with the point; without leading zeros if cut */
    int64_t last_power;  /* the power of ten the last of all digits stands for */
};

static bool digit_read(char c, unsigned *digit)
{
    *digit = (unsigned)(unsigned char)c - '0';
    return *digit <= 9;
}

/* Appends the digits at `at` to *number, which wraps around after 19; returns where they end. */
static const char *digits_read(const char *at, const char *end, uint64_t *number)
{
    unsigned digit;
    for (; at < end && digit_read(*at, &digit); at++)
        *number = *number * 10 + digit;
    return at;
}

/* Takes up to `limit` digits from the text, the point aside; *count says how many. */
static uint64_t chunk_take(struct bytes *text, unsigned limit, unsigned *count)
{
    uint64_t number = 0;
    unsigned digit;
    for (*count = 0; text->length > 0 && *count < limit; text->at++, text->length--) {
        if (digit_read(*text->at, &digit)) {
            number = number * 10 + digit;
            ++*count;
        }
    }
    return number;
}

/* How many digits are left, and whether one of them is not zero. */
static int64_t rest_count(struct bytes text, bool *nonzero)
{
    int64_t count = 0;
    *nonzero = false;
    for (size_t i = 0; i < text.length; i++) {
        count += text.at[i] != '.';
        *nonzero |= text.at[i] > '0';
    }
    return count;
}

/* The text must be an exponent, all of it. Saturates: no text is long enough to make up for it. */
static bool exponent_read(struct bytes text, int64_t *exponent)
{
    const int64_t enough = 100000000000000000;
    int64_t size = 0;
    unsigned digit;
    bool signs = text.length > 1 && (text.at[1] == '+' || text.at[1] == '-');
    size_t start = signs ? 2 : 1;
    if ((text.at[0] | 0x20) != 'e' || text.length == start)
        return false;
    for (size_t i = start; i < text.length; i++) {
        if (!digit_read(text.at[i], &digit))
            return false;
        size = size < enough ? size * 10 + digit : size;
    }
    *exponent = signs && text.at[1] == '-' ? -size : size;
    return true;
}

/* For a literal of more than 19 digits, whose mantissa may have wrapped around. */
static void literal_cut(struct literal *literal)
{
    struct bytes *digits = &literal->digits;
    while (digits->length > 0 && (*digits->at == '0' || *digits->at == '.')) {
        digits->at++;
        digits->length--;
    }
    struct bytes text = *digits;
    unsigned count;
    literal->mantissa = chunk_take(&text, WORD_DIGITS, &count);
    literal->power += rest_count(text, &literal->cut);
}

/* False if the text is not digits with an optional point and an optional exponent. */
static bool literal_read(struct bytes text, struct literal *literal)
{
    const char *end = text.at + text.length;
    uint64_t mantissa = 0;
    const char *at = digits_read(text.at, end, &mantissa);
    int64_t count = at - text.at;
    int64_t fraction = 0;
    if (at < end && *at == '.') {
        const char *point = at;
        at = digits_read(at + 1, end, &mantissa);
        fraction = at - point - 1;
        count += fraction;
    }
    int64_t power = 0;
    struct bytes rest = {at, (size_t)(end - at)};
    if (count == 0 || (rest.length > 0 && !exponent_read(rest, &power)))
        return false;
    power -= fraction;
    text.length -= rest.length;
    *literal = (struct literal){mantissa, power, false, text, power};
    if (count > WORD_DIGITS)
        literal_cut(literal);
    return true;
}

/* ---- reading: the rounding ---- */

/* The literal is *big * 10^result, or more than that and less than *big + 1: then *more is set. */
static int64_t literal_big(const struct literal *literal, struct big *big, bool *more)
{
    struct bytes text = literal->digits;
    unsigned left = EXACT_DIGITS;
    unsigned count;
    big->count = 0;
    do {
        uint64_t chunk = chunk_take(&text, left < WORD_DIGITS ? left : WORD_DIGITS, &count);
        big_scale(big, ten_power_word(count), chunk);
        left -= count;
    } while (left > 0 && count > 0);
    return literal->last_power + rest_count(text, more);
}

/*
 * The sign of: literal - (mantissa + 1/2) * 2^exponent. Each side is multiplied with the powers of
 * 2 and 5 that are fractions on the other, which makes both integers.
 */
static int literal_compare(const struct literal *literal, uint64_t mantissa, int exponent)
{
    struct big digits;
    struct big middle = {.count = 1, .words = {mantissa * 2 + 1}};
    bool more;
    int power = (int)literal_big(literal, &digits, &more);
    int shift = power - (exponent - 1);
    big_scale_five(power < 0 ? &middle : &digits, (unsigned)(power < 0 ? -power : power));
    big_shift(shift < 0 ? &middle : &digits, (unsigned)(shift < 0 ? -shift : shift));
    int order = big_compare(&digits, &middle);
    return order == 0 ? more : order;
}

/*
 * Cuts the lowest `shift` bits off, which leaves *below; -1 if all in [product, product + slack)
 * rounds down to that, 1 if all rounds up, 0 if that is not certain; at an exact tie it never is.
 */
static int product_round(uint128 product, uint128 slack, int shift, uint64_t *below)
{
    *below = 0;
    if (shift > 127)
        return 0;
    *below = (uint64_t)(product >> shift);
    uint128 half = (uint128)1 << (shift - 1);
    uint128 rest = product & (2 * half - 1);
    if (rest > half)
        return 1;
    return rest + slack <= half ? -1 : 0;
}

/*
 * For a mantissa that is not zero and a power within TEN_POWER_MIN .. MAX; false if it overflows.
 *
 * The product lacks less than TEN_POWER_ERROR for the power and less than one for its lowest bits;
 * a literal that was cut lacks less than one unit of its mantissa, which is at most 2^(64 + zeros).
 */
static bool literal_round(const struct literal *literal, double *magnitude)
{
    int power = (int)literal->power;
    int zeros = __builtin_clzll(literal->mantissa);
    uint128 product = product_high(literal->mantissa << zeros, ten_power(power));
    uint128 slack = ((uint128)literal->cut << (64 + zeros)) + TEN_POWER_ERROR + 1;
    int exponent = ten_power_log2(power) - 63 - zeros; /* of the product's lowest bit */
    int last = exponent + (product >> 127 ? 127 : 126) - MANTISSA_BITS; /* of the result's */
    uint64_t below;
    last = last < EXPONENT_MIN ? EXPONENT_MIN : last;
    int order = product_round(product, slack, last - exponent, &below);
    if (order == 0)
        order = literal_compare(literal, below, last);
    /* The implied bit adds one to the exponent; so does a carry out of the mantissa. */
    uint64_t bits = ((uint64_t)(last - EXPONENT_MIN) << MANTISSA_BITS) + below;
    bits += order > 0 || (order == 0 && (below & 1));
    memcpy(magnitude, &bits, sizeof bits);
    return bits < INFINITY_BITS;
}

/* The literal as a float64; false if it overflows. */
static bool literal_value(const struct literal *literal, double *magnitude)
{
    uint64_t mantissa = literal->mantissa;
    int64_t power = literal->power;
    bool exact = mantissa <= INTEGER_MAX && -EXACT_POWER_MAX <= power && power <= EXACT_POWER_MAX;
    if (!literal->cut && (exact || power == 0)) {
        /* At most one of these operations rounds. */
        double whole = (double)mantissa;
        *magnitude = power < 0 ? whole / EXACT_POWER[-power] : whole * EXACT_POWER[power];
        return true;
    }
    if (mantissa == 0 || power < TEN_POWER_MIN) {
        *magnitude = 0;
        return true;
    }
    return power <= TEN_POWER_MAX && literal_round(literal, magnitude);
}

static bool name_read(struct bytes text, double *value)
{
    if (bytes_equal_nocase(text, BYTES("nan"))) {
        *value = NAN;
        return true;
    }
    *value = INFINITY;
    return bytes_equal_nocase(text, BYTES("inf")) || bytes_equal_nocase(text, BYTES("infinity"));
}

/* Takes the sign, if there is one, off the text; true if it is a minus. */
static bool sign_take(struct bytes *text)
{
    char sign = text->length > 0 ? text->at[0] : '0';
    if (sign == '-' || sign == '+') {
        text->at++;
        text->length--;
    }
    return sign == '-';
}

bool number_parse(struct bytes text, double *value)
{
    bool negative = sign_take(&text);
    struct literal literal;
    double magnitude;
    if (text.length == 0)
        return false;
    bool good = literal_read(text, &literal) ? literal_value(&literal, &magnitude)
                                             : name_read(text, &magnitude);
    if (good)
        *value = negative && !isnan(magnitude) ? -magnitude : magnitude;
    return good;
}

bool number_parse_u64(struct bytes text, uint64_t *value)
{
    uint64_t number = 0;
    unsigned digit;
    for (size_t i = 0; i < text.length; i++) {
        if (!digit_read(text.at[i], &digit) || __builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
    }
    if (text.length == 0)
        return false;
    *value = number;
    return true;
}

bool number_parse_i64(struct bytes text, int64_t *value)
{
    bool negative = sign_take(&text);
    uint64_t magnitude;
    if (!number_parse_u64(text, &magnitude) || magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    /* INT64_MIN has no positive counterpart, so the sign is changed while it is unsigned. */
    *value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

/* ---- writing: digits ---- */

static const char DIGIT_PAIRS[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

/* Decimal digits of the number; one for 0. 1233/4096 is a little more than log10(2). */
static unsigned digit_count(uint64_t number)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(number | 1);
    unsigned count = bits * 1233 >> 12;
    return count + (number >= ten_power_word(count) || number == 0);
}

/* Writes the last `count` digits so that they end before `end`; returns the number without them. */
static uint64_t digits_write(char *end, unsigned count, uint64_t number)
{
    for (; count >= 4; count -= 4, number /= 10000) {
        unsigned four = (unsigned)(number % 10000);
        end -= 4;
        memcpy(end, &DIGIT_PAIRS[four / 100 * 2], 2);
        memcpy(end + 2, &DIGIT_PAIRS[four % 100 * 2], 2);
    }
    for (; count > 0; count--, number /= 10)
        *--end = (char)('0' + number % 10);
    return number;
}

size_t number_write_u64(uint64_t value, char *out)
{
    unsigned count = digit_count(value);
    digits_write(out + count, count, value);
    return count;
}

size_t number_write_i64(int64_t value, char *out)
{
    if (value >= 0)
        return number_write_u64((uint64_t)value, out);
    *out = '-';
    return 1 + number_write_u64(0 - (uint64_t)value, out + 1);
}

/* ---- writing: the shortest decimal ---- */

/* digits * 10^power */
struct decimal {
    uint64_t digits;
    int power;
};

/*
 * scaled * ten / 2^128, rounded to odd: the lowest bit is also set if anything was cut, so that the
 * result compares with even numbers as the truth does. `ten` exceeds a power of ten by at most 4.
 *
 * scaled is below 2^60, so what ought to be an integer comes out less than 2^-66 above it, and what
 * ought not to stays further off: 2^-65.5 above at least (8887055249355788 * 2^664), 2^-61.6 below.
 * These minima, over all float64 and both their borders, come from continued fractions.
 */
static uint64_t product_odd(uint64_t scaled, uint128 ten)
{
    uint128 low = (uint128)scaled * (uint64_t)ten;
    uint128 high = (uint128)scaled * (uint64_t)(ten >> 64) + (low >> 64);
    bool inexact = ((uint64_t)high | (uint64_t)low >> 62) != 0;
    return (uint64_t)(high >> 64) | inexact;
}

static struct decimal zeros_strip(uint64_t digits, int power)
{
    ENSURE(digits != 0);
    if (digits % 100000000 == 0) {
        digits /= 100000000;
        power += 8;
    }
    for (; digits % 10 == 0; power++)
        digits /= 10;
    return (struct decimal){digits, power};
}

/*
 * Schubfach for mantissa * 2^exponent; `narrow` if that is a power of two, whose lower neighbour is
 * only half as far away. What rounds to it lies between the middles to its neighbours, these
 * included if the mantissa is even. Take the largest power of ten not wider than that interval: of
 * the multiples of ten times that at most one lies inside, and is the shortest; or else the nearest
 * multiple of the power itself is. They are compared as quarters of the power.
 */
static struct decimal decimal_shortest(uint64_t mantissa, int exponent, bool narrow)
{
    int power = (exponent * 1262611 - (narrow ? 524031 : 0)) >> 22; /* floor(log10(width)) */
    int shift = exponent + ten_power_log2(-power) + 1;              /* 1 to 4 */
    uint128 ten = ten_power(-power) + TEN_POWER_ERROR;
    bool odd = mantissa & 1;
    uint64_t lower = product_odd((4 * mantissa - 2 + narrow) << shift, ten) + odd;
    uint64_t v = product_odd(4 * mantissa << shift, ten);
    uint64_t upper = product_odd((4 * mantissa + 2) << shift, ten) - odd;
    uint64_t s = v / 4;
    uint64_t tens = s / 10;
    bool above = 40 * tens + 40 <= upper;
    if (above || lower <= 40 * tens)
        return zeros_strip(tens + above, power + 1);
    above = 4 * s + 4 <= upper;
    if (above && lower <= 4 * s)
        above = v > 4 * s + 2 || (v == 4 * s + 2 && (s & 1));
    return (struct decimal){s + above, power};
}

/*
 * Most values that are measured have few decimals, so six are tried first, at a third of the time.
 * Two decimals of at most 15 digits are never the same float64 (DBL_DIG), so if one is this value,
 * no shorter one can be.
 */
static struct decimal decimal_of(double value)
{
    if (value < 1e9) {
        int64_t millionths = (int64_t)(value * 1e6 + 0.5);
        if ((double)millionths / 1e6 == value)
            return zeros_strip((uint64_t)millionths, -6);
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t mantissa = bits & (MANTISSA_TOP - 1);
    int field = (int)(bits >> MANTISSA_BITS);
    if (field == 0)
        return decimal_shortest(mantissa, EXPONENT_MIN, false);
    return decimal_shortest(mantissa | MANTISSA_TOP, EXPONENT_MIN - 1 + field,
                            mantissa == 0 && field > 1);
}

/* ---- writing: the layout ---- */

/* 1e-05, 1.25e+300; returns the end of it, as the next does */
static char *scientific_write(char *out, uint64_t digits, unsigned count, int exponent)
{
    unsigned size = (unsigned)(exponent < 0 ? -exponent : exponent);
    unsigned size_count = size < 100 ? 2 : 3;
    char *at = out + 1;
    uint64_t first = digits_write(at + count, count - 1, digits);
    *out = (char)('0' + first);
    if (count > 1) {
        *at = '.';
        at += count;
    }
    *at++ = 'e';
    *at++ = exponent < 0 ? '-' : '+';
    digits_write(at + size_count, size_count, size);
    return at + size_count;
}

/* 0.00025, 17.25, 12500000000000000000 */
static char *decimal_write(char *out, uint64_t digits, int power)
{
    unsigned count = digit_count(digits);
    int whole = (int)count + power; /* digits before the point */
    if (whole < -3 || whole > 21)
        return scientific_write(out, digits, count, whole - 1);
    if (power >= 0) {
        digits_write(out + count, count, digits);
        memset(out + count, '0', (size_t)power);
        return out + whole;
    }
    if (whole <= 0) {
        memcpy(out, "0.000", 5);
        digits_write(out + 2 - power, count, digits);
        return out + 2 - power;
    }
    digits = digits_write(out + count + 1, count - (unsigned)whole, digits);
    out[whole] = '.';
    digits_write(out + whole, (unsigned)whole, digits);
    return out + count + 1;
}

/* For what is not finite, and -0. */
static size_t name_write(double value, char *out)
{
    const char *infinity = value < 0 ? "-Inf" : "+Inf";
    struct bytes name = bytes_of(isnan(value) ? "NaN" : value == 0 ? "-0" : infinity);
    memcpy(out, name.at, name.length);
    return name.length;
}

size_t number_write(double value, char out[static NUMBER_BYTES_MAX])
{
    if (fabs(value) < (double)INTEGER_MAX) {
        int64_t whole = (int64_t)value;
        if ((double)whole == value && (whole != 0 || !signbit(value)))
            return number_write_i64(whole, out);
    }
    if (!isfinite(value) || value == 0)
        return name_write(value, out);
    char *at = out;
    if (value < 0)
        *at++ = '-';
    struct decimal decimal = decimal_of(fabs(value));
    return (size_t)(decimal_write(at, decimal.digits, decimal.power) - out);
}
