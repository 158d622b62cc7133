/*
 * Numbers against libc's strtod and snprintf, which are exact in glibc, and against tables of the
 * cases that float64 conversions are known to get wrong.
 */
#include "base/number.h"

#include <check.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

Suite *number_suite(void);

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { LONG_TEXT = 2048 };

static const double untouched = 0x1.2345p+67;

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Parses a copy that ends where its memory ends, so that the sanitizer sees a read beyond. */
static bool parse(const char *text, double *value)
{
    char memory[LONG_TEXT];
    size_t length = strlen(text);
    char *copy = memory + sizeof(memory) - length;
    memcpy(copy, text, length);
    return number_parse((struct bytes){copy, length}, value);
}

static void expect_parse(const char *text, double expected)
{
    double value = untouched;
    if (!parse(text, &value) || bits_of(value) != bits_of(expected))
        ck_abort_msg("\"%s\" is %a, not %a", text, expected, value);
}

static void expect_refusal(const char *text)
{
    double value = untouched;
    if (parse(text, &value) || value != untouched)
        ck_abort_msg("\"%s\" is refused and changes nothing; value %a", text, value);
}

/* Writes into memory of exactly the size that is promised to suffice. */
static void write_number(double value, char out[static NUMBER_BYTES_MAX + 1])
{
    char exact[NUMBER_BYTES_MAX];
    size_t length = number_write(value, exact);
    if (length > NUMBER_BYTES_MAX)
        ck_abort_msg("%a takes %zu bytes", value, length);
    memcpy(out, exact, length);
    out[length] = '\0';
}

static void expect_write(double value, const char *expected)
{
    char text[NUMBER_BYTES_MAX + 1];
    write_number(value, text);
    if (strcmp(text, expected) != 0)
        ck_abort_msg("%a is written \"%s\", not \"%s\"", value, expected, text);
}

/* ---- reading ---- */

static const struct {
    const char *text;
    double value;
} parse_cases[] = {
    {"0", 0.0},
    {"-0", -0.0},
    {"+0", 0.0},
    {"-0.0e+99999999999999999999", -0.0},
    {"0e-99999999999999999999", 0.0},
    {"1", 0x1p+0},
    {"+1", 0x1p+0},
    {"-1", -0x1p+0},
    {"1027", 0x1.00cp+10},
    {"17.25", 0x1.14p+4},
    {".5", 0x1p-1},
    {"5.", 0x1.4p+2},
    {"-.5E1", -0x1.4p+2},
    {"5.e-1", 0x1p-1},
    {"1e5", 0x1.86ap+16},
    {"1e+5", 0x1.86ap+16},
    {"1E05", 0x1.86ap+16},
    {"1e00000000000000000000000005", 0x1.86ap+16},
    {"000000000000000000000000000001", 0x1p+0},
    {"0.0123", 0x1.930be0ded288dp-7},
    {"0.1", 0x1.999999999999ap-4},
    {"0.30000000000000004", 0x1.3333333333334p-2},
    {"0.3", 0x1.3333333333333p-2},
    {"123456789012345678", 0x1.b69b4ba630f35p+56},
    {"18446744073709551615", 0x1p+64},
    {"18446744073709551616", 0x1p+64},
    {"99999999999999999999", 0x1.5af1d78b58c4p+66},
    /* where one float64 operation is exact, and just beyond */
    {"1e22", 0x1.0f0cf064dd592p+73},
    {"1e23", 0x1.52d02c7e14af6p+76},
    {"8.41e21", 0x1.c7e83209e90b2p+72},
    {"9007199254740991e22", 0x1.0f0cf064dd591p+126},
    {"9007199254740993e1", 0x1.4000000000001p+56},
    {"9007199254740993e-1", 0x1.999999999999ap+49},
    /* ties go to the even mantissa, and the least digit more goes up */
    {"9007199254740991", 0x1.fffffffffffffp+52},
    {"9007199254740992", 0x1p+53},
    {"9007199254740993", 0x1p+53},
    {"9007199254740993.0", 0x1p+53},
    {"9007199254740993.00000000000000000000000000000000000000", 0x1p+53},
    {"9007199254740993.00000000000000000000000000000000000001", 0x1.0000000000001p+53},
    {"9007199254740992.99999999999999999999999999999999999999", 0x1p+53},
    {"9007199254740995", 0x1.0000000000002p+53},
    {"900719925474099300000e-5", 0x1p+53},
    {"4611686018427388416", 0x1p+62},
    {"4611686018427388416.5", 0x1.0000000000001p+62},
    {"6929495644600919.5", 0x1.89e56ee5e7a58p+52},
    {"1.00000000000000011102230246251565404236316680908203125", 0x1p+0},
    {"1.00000000000000011102230246251565404236316680908203126", 0x1.0000000000001p+0},
    {"1.00000000000000033306690738754696212708950042724609375", 0x1.0000000000002p+0},
    {"8.533e-68", 0x1.267687af4f627p-223},
    {"4.1045368012983762e-289", 0x1p-958},
    /* the least normal and the subnormals */
    {"2.2250738585072014e-308", 0x1p-1022},
    {"2.2250738585072012e-308", 0x1p-1022},
    {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022},
    {"2.2250738585072009e-308", 0x0.fffffffffffffp-1022},
    {"3.2378839133029012895883524125015321748630094115e-319", 0x0.000000000ffffp-1022},
    {"5e-324", 0x1p-1074},
    {"4.9406564584124654e-324", 0x1p-1074},
    {"2.4703282292062328e-324", 0x1p-1074},
    {"2.4703282292062327e-324", 0.0},
    {"-2.4703282292062327e-324", -0.0},
    {"0.0000000000000000000000000000000000000000001e-280", 0x1p-1073},
    {"9.5e-324", 0x1p-1073},
    {"9999999999999999999e-343", 0.0},
    {"99999999999999999999999999e-349", 0x1p-1073},
    {"1e-400", 0.0},
    {"-1e-99999999999999999999", -0.0},
    /* the largest */
    {"1.7976931348623157e308", DBL_MAX},
    {"1.7976931348623158e308", DBL_MAX},
    {"17976931348623157e292", DBL_MAX},
    {"0.00000000000000000000000000000017976931348623157e339", DBL_MAX},
    {"-1.797693134862315807e308", -DBL_MAX},
    /* names */
    {"Inf", INFINITY},
    {"+InF", INFINITY},
    {"-inf", -INFINITY},
    {"infinity", INFINITY},
    {"-INFINITY", -INFINITY},
};

START_TEST(known_literals_are_read_to_the_bit)
{
    for (size_t i = 0; i < COUNT(parse_cases); i++)
        expect_parse(parse_cases[i].text, parse_cases[i].value);
}
END_TEST

START_TEST(nan_is_read_without_its_sign)
{
    const char *texts[] = {"nan", "NaN", "NAN", "+nan", "-NaN"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        double value = 0;
        ck_assert_msg(parse(texts[i], &value), "%s", texts[i]);
        ck_assert(isnan(value) && !signbit(value));
    }
}
END_TEST

static const char *const bad_numbers[] = {
    "", "+", "-", ".", "+.", "-.e1", "e", "e5", ".e5", "1e", "1e+", "1e-", "1.e", "1e5.", "1e+-5",
    "1e1e1", "--1", "+-1", "1-", "1+", " 1", "1 ", "1\n", "\t1", "1_0", "1,0", "1..", "1.2.3",
    ".1.", "0x10", "0x1p3", "1f", "1d5", "1:", "1/", "\xb1", "in", "infi", "infinit", "infinityy",
    "na", "nann", "nan(1)", "inf1", "1inf", "e1", "E", "12345678901234567890x",
    "1234567890123456789012e",
    /* finite, but not a float64 */
    "1e309", "1e400", "-1e400", "1e99999999999999999999", "1.7976931348623159e308",
    "-1.797693134862315808e308", "17976931348623159e292", "100000000000000000000e289",
};

START_TEST(what_is_no_number_is_refused)
{
    for (size_t i = 0; i < COUNT(bad_numbers); i++)
        expect_refusal(bad_numbers[i]);
}
END_TEST

START_TEST(a_nul_inside_the_text_is_no_end)
{
    double value = untouched;
    ck_assert(!number_parse((struct bytes){"1\0", 2}, &value));
    ck_assert(!number_parse((struct bytes){NULL, 0}, &value));
    ck_assert(value == untouched);
}
END_TEST

/* The border of overflow, 2^1024 - 2^970: a tie whose even neighbour is no float64 any more. */
#define OVERFLOW_BORDER                                                                            \
    "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797" \
    "75872070963302864166928879109465555478519404026306574886715058206819089020007083836762738548" \
    "45817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711" \
    "559699508093042880177904174497"

START_TEST(overflow_begins_exactly_in_the_middle)
{
    expect_refusal(OVERFLOW_BORDER "792");
    expect_refusal(OVERFLOW_BORDER "792.0");
    expect_refusal("-" OVERFLOW_BORDER "793");
    expect_parse(OVERFLOW_BORDER "791", DBL_MAX);
    expect_parse("-" OVERFLOW_BORDER "791.9999999999999999999999999999999999999999", -DBL_MAX);
}
END_TEST

/* What the digits of `a` and `b`, both at least 0, have in the middle, with all its decimals. */
static void middle_text(double a, double b, char out[static LONG_TEXT])
{
    char other[LONG_TEXT];
    int length = snprintf(out, LONG_TEXT, "%0*.1075f", 1390, a);
    snprintf(other, LONG_TEXT, "%0*.1075f", 1390, b);
    int carry = 0;
    for (int i = length - 1; i >= 0; i--) {
        if (out[i] == '.')
            continue;
        int sum = out[i] - '0' + other[i] - '0' + carry;
        out[i] = (char)('0' + sum % 10);
        carry = sum / 10;
    }
    for (int i = 0; i < length; i++) {
        if (out[i] == '.')
            continue;
        int twice = carry * 10 + out[i] - '0';
        out[i] = (char)('0' + twice / 2);
        carry = twice % 2;
    }
}

/* Replaces the last digit that is not zero by one less and nines: just below, in as many digits. */
static void lower_text(char *text)
{
    size_t last = strlen(text) - 1;
    while (text[last] == '0' || text[last] == '.')
        last--;
    text[last]--;
    for (size_t i = last + 1; text[i] != '\0'; i++) {
        if (text[i] != '.')
            text[i] = '9';
    }
}

/* The exact middle, several hundred digits long, then the same with the least change either way. */
static void expect_rounding_between(double low)
{
    double high = nextafter(low, INFINITY);
    char text[LONG_TEXT];
    middle_text(low, high, text);
    expect_parse(text, bits_of(low) % 2 == 0 ? low : high);
    size_t length = strlen(text);
    memcpy(text + length, "1", 2);
    expect_parse(text, high);
    text[length] = '\0';
    lower_text(text);
    expect_parse(text, low);
}

START_TEST(the_middle_between_two_float64_is_exact)
{
    static const double lows[] = {
        0.0, 0x1p-1074, 0x1p-1073, 0x0.ffffffffffffep-1022, 0x0.fffffffffffffp-1022, 0x1p-1022,
        0x1.fffffffffffffp-1022, 0x1.fffffffffffffp-1021, 0x1p-53, 0x1.fffffffffffffp-1, 1.0,
        0x1.fffffffffffffp+52, 0x1p+53, 0x1p+64, 0x1.ffffffffffffep+1023,
    };
    for (size_t i = 0; i < COUNT(lows); i++)
        expect_rounding_between(lows[i]);
    struct random random = {1};
    for (int round = 0; round < 500; round++)
        expect_rounding_between(double_of(random_below(&random, bits_of(DBL_MAX))));
}
END_TEST

/* The same number with zeros in front and behind, and with its point far away. */
START_TEST(digits_without_weight_change_nothing)
{
    static const char *const forms[] = {
        "%0*d9007199254740993", "0.%0*d9007199254740993e1516", "9007199254740993.%0*d",
        "9007199254740993%0*de-1500",
    };
    char text[LONG_TEXT];
    for (size_t i = 0; i < COUNT(forms); i++) {
        snprintf(text, sizeof(text), forms[i], 1500, 0);
        expect_parse(text, 0x1p+53);
    }
    snprintf(text, sizeof(text), "9007199254740993.%0*d", 1500, 1);
    expect_parse(text, 0x1.0000000000001p+53);
    snprintf(text, sizeof(text), "0.%0*d", 1500, 1);
    expect_parse(text, 0.0);
    snprintf(text, sizeof(text), "%0*d", 1500, 0);
    expect_parse(text, 0.0);
}
END_TEST

static void expect_as_strtod(const char *text)
{
    double expected = strtod(text, NULL);
    if (isinf(expected))
        expect_refusal(text);
    else
        expect_parse(text, expected);
}

/* 1 to 20 random digits with a point somewhere, or none, and an exponent, or none. */
static void random_decimal(struct random *random, char *text)
{
    unsigned count = 1 + (unsigned)random_below(random, 20);
    unsigned point = (unsigned)random_below(random, count * 2);
    int exponent = (int)random_below(random, 660) - 345;
    if (random_below(random, 2))
        *text++ = '-';
    for (unsigned i = 0; i < count; i++) {
        if (i == point)
            *text++ = '.';
        *text++ = (char)('0' + random_below(random, 10));
    }
    if (random_below(random, 2))
        exponent %= 30;
    *text = '\0';
    if (random_below(random, 4))
        snprintf(text, 8, "e%d", exponent);
}

START_TEST(random_decimals_are_read_as_strtod_does)
{
    struct random random = {2};
    char text[64];
    for (int round = 0; round < 200000; round++) {
        random_decimal(&random, text);
        expect_as_strtod(text);
    }
}
END_TEST

/*
 * Literals of up to 19 digits next to the middle between two float64, off by 2^-116 of it or less,
 * below and above, for each row in the table of powers of ten that a literal can reach: one wrong
 * bit in the upper hundred of a row shows. (The first two round to subnormals: 2^-74.)
 */
static const char *const close_literals[] = {
    "6044893176867651468e-339", "7275116635012355363e-339", "7749973840892428987e-312",
    "647761278967534239e-312", "4608898166789022911e-308", "8118381224613298851e-281",
    "1594671640695111223e-256", "2207240569895189733e-265", "3440974785559122007e-240",
    "926145344610700019e-225", "3819679239585126275e-221", "5813802121535165357e-203",
    "6536997556035455193e-184", "8109821541642691187e-193", "4004025637960986321e-147",
    "7998060467118079197e-168", "5554681572821496849e-113", "6814712519365326445e-119",
    "4543021756819829571e-103", "5961090311065069271e-94", "203512944151241009e-78",
    "4523522568501636717e-81", "7989778170329197738e-32", "7105779151504730623e-32",
    "5712289156965629795e-28", "4345728599895495825e-28", "1372425754551782825e27",
    "3182586621140285025e24", "9807466973908990125e46", "2002187222588123953e40",
    "7322325862592278999e74", "1640221853548441009e62", "9789510569809118153e108",
    "600813988089222235e108", "8643988913946659879e115", "2844904250625471197e124",
    "8680479060971008717e164", "1859887555230199653e158", "6147207959784158303e171",
    "8531063483820583261e195", "1360520207561212395e199", "4394350632958684507e208",
    "6496515517405105799e233", "7555784487484408317e227", "9723520580679062213e267",
    "4396082172289019085e279", "4649816093080631825e289", "899810892172646163e283",
};

START_TEST(literals_next_to_the_middle_are_read_as_strtod_does)
{
    for (size_t i = 0; i < COUNT(close_literals); i++)
        expect_as_strtod(close_literals[i]);
}
END_TEST

/* A digit or more than a float64 needs, up to some that are close to the middle. */
START_TEST(random_float64_with_any_digits_are_read_as_strtod_does)
{
    struct random random = {3};
    char text[128];
    for (int round = 0; round < 20000; round++) {
        double value = double_of(random_below(&random, bits_of(DBL_MAX)));
        snprintf(text, sizeof(text), "%.*e", (int)random_below(&random, 40), value);
        expect_as_strtod(text);
    }
}
END_TEST

/* ---- writing ---- */

static const struct {
    double value;
    const char *text;
} write_cases[] = {
    {0.0, "0"},
    {-0.0, "-0"},
    {1, "1"},
    {-1, "-1"},
    {10, "10"},
    {1027, "1027"},
    {0.25, "0.25"},
    {-17.25, "-17.25"},
    {17.123, "17.123"},
    {0.0123, "0.0123"},
    {0.1, "0.1"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1.0 / 3, "0.3333333333333333"},
    {2.0 / 3, "0.6666666666666666"},
    {100.5, "100.5"},
    {1763841600.5, "1763841600.5"},
    {1234.5678901234567, "1234.5678901234567"},
    {999999999.999999, "999999999.999999"},
    {999999999.9999999, "999999999.9999999"},
    /* integers around 2^53 and beyond */
    {9007199254740991.0, "9007199254740991"},
    {-9007199254740991.0, "-9007199254740991"},
    {9007199254740992.0, "9007199254740992"},
    {9007199254740994.0, "9007199254740994"},
    {2251799813685248.5, "2251799813685248.5"},
    {1152921504606846976.0, "1152921504606847000"},
    {18446744073709551616.0, "18446744073709552000"},
    {1e15, "1000000000000000"},
    {1e17, "100000000000000000"},
    {123456789012345680000.0, "123456789012345680000"},
    /* where the exponent form begins */
    {1e20, "100000000000000000000"},
    {0x1.b1ae4d6e2ef4fp+69, "999999999999999900000"},
    {1e21, "1e+21"},
    {-1.5e21, "-1.5e+21"},
    {1e22, "1e+22"},
    {1e23, "1e+23"},
    {0x1.52d02c7e14af7p+76, "1.0000000000000001e+23"},
    {0.001, "0.001"},
    {0.0001, "0.0001"},
    {0.00025, "0.00025"},
    {0.00012345678901234567, "0.00012345678901234567"},
    {0.00009999, "9.999e-05"},
    {0.00001, "1e-05"},
    {-0.0000015, "-1.5e-06"},
    {1e-7, "1e-07"},
    {5e-7, "5e-07"},
    {4.9e-7, "4.9e-07"},
    {1e100, "1e+100"},
    {1e-100, "1e-100"},
    /* powers of two, where the interval is lopsided */
    {0x1p-44, "5.684341886080802e-14"},
    {0x1p-1017, "7.120236347223045e-307"},
    {0x1p+976, "6.386688990511104e+293"},
    {0x1p-1022, "2.2250738585072014e-308"},
    {0x1p-1021, "4.450147717014403e-308"},
    {0x1p+1023, "8.98846567431158e+307"},
    {0x1p-140, "7.174648137343064e-43"},
    /* subnormals and the largest */
    {0x1p-1074, "5e-324"},
    {0x1p-1073, "1e-323"},
    {0x1.8p-1073, "1.5e-323"},
    {0x0.fffffffffffffp-1022, "2.225073858507201e-308"},
    {DBL_MAX, "1.7976931348623157e+308"},
    {-DBL_MAX, "-1.7976931348623157e+308"},
    /* known to need care: exact ties, and the nearest miss of an integer (see product_odd) */
    {2e23, "2e+23"},
    {9.5e-323, "9.4e-323"},
    {4.5e-323, "4.4e-323"},
    {0x1.f92bacb3cb40cp+716, "6.802601037806062e+215"},
    {9.007199254740992e22, "9.007199254740992e+22"},
    {5.764607523034235e39, "5.764607523034235e+39"},
    {1.152921504606847e40, "1.152921504606847e+40"},
    {2.305843009213694e40, "2.305843009213694e+40"},
    {NAN, "NaN"},
    {INFINITY, "+Inf"},
    {-INFINITY, "-Inf"},
};

START_TEST(known_values_are_written_as_expected)
{
    for (size_t i = 0; i < COUNT(write_cases); i++)
        expect_write(write_cases[i].value, write_cases[i].text);
}
END_TEST

/* The significant digits of a text without its sign, point, exponent and outer zeros. */
static size_t significant_digits(const char *text, char out[static 64])
{
    size_t count = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && (count > 0 || *text != '0'))
            out[count++] = *text;
    }
    while (count > 0 && out[count - 1] == '0')
        count--;
    out[count] = '\0';
    return count;
}

/* The sign, digits and decimal exponent of "%e" in the layout that the header promises. */
static void layout_text(const char *scientific, char out[static 128])
{
    static const char zeros[] = "00000000000000000000";
    char digits[64];
    int count = (int)significant_digits(scientific, digits);
    int exponent = atoi(strchr(scientific, 'e') + 1);
    const char *sign = *scientific == '-' ? "-" : "";
    if (exponent < -4 || exponent >= 21)
        snprintf(out, 128, "%s%c%s%se%+03d", sign, digits[0], count > 1 ? "." : "", digits + 1,
                 exponent);
    else if (exponent < 0)
        snprintf(out, 128, "%s0.%.*s%s", sign, -exponent - 1, zeros, digits);
    else if (exponent + 1 >= count)
        snprintf(out, 128, "%s%s%.*s", sign, digits, exponent + 1 - count, zeros);
    else
        snprintf(out, 128, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
}

/* Both by libc and by our own reader. */
static void expect_read_back(const char *text, double value)
{
    if (bits_of(strtod(text, NULL)) != bits_of(value))
        ck_abort_msg("%a is not %s", value, text);
    expect_parse(text, value);
}

/*
 * Reads back, is as short as can be, and as close as libc's rounding to as many digits. At a power
 * of two that rounding may go to the side where the interval is too narrow; those have their table.
 */
static void expect_shortest(double value)
{
    char text[NUMBER_BYTES_MAX + 1];
    char digits[64];
    char scientific[64];
    char expected[128];
    write_number(value, text);
    expect_read_back(text, value);
    int count = (int)significant_digits(text, digits);
    snprintf(scientific, sizeof(scientific), "%.*e", count - 1, value);
    layout_text(scientific, expected);
    if (strcmp(text, expected) != 0)
        ck_abort_msg("%a is %s, not %s", value, expected, text);
    snprintf(scientific, sizeof(scientific), "%.*e", count > 1 ? count - 2 : 0, value);
    if (count > 1 && strtod(scientific, NULL) == value)
        ck_abort_msg("%s has a digit too many", text);
}

START_TEST(random_float64_are_written_shortest)
{
    struct random random = {4};
    for (int round = 0; round < 100000; round++) {
        double value = double_of(random_below(&random, bits_of(INFINITY)));
        expect_shortest(round % 2 == 0 ? value : -value);
    }
}
END_TEST

/* What a service measures: sums and means of decimals, counts, and floats of few digits. */
START_TEST(everyday_values_are_written_shortest)
{
    struct random random = {5};
    double sum = 0;
    for (int round = 0; round < 30000; round++) {
        double scale = pow(10, (double)random_below(&random, 26) - 6);
        double decimal = (double)random_below(&random, 1000000) / scale;
        sum += decimal;
        expect_shortest(decimal == 0 ? 1 : decimal);
        expect_shortest(sum);
        expect_shortest(1 + (double)random_below(&random, 1u << 31) * 0x1p-30);
    }
}
END_TEST

/* Every power of two and its neighbours, through every power of ten the writing can need. */
START_TEST(all_exponents_read_back)
{
    char text[NUMBER_BYTES_MAX + 1];
    for (int exponent = -1074; exponent < 1024; exponent++) {
        double power = ldexp(1, exponent);
        double values[] = {nextafter(power, 0), power, nextafter(power, INFINITY)};
        for (size_t i = 0; i < COUNT(values); i++) {
            write_number(values[i], text);
            expect_read_back(text, values[i]);
        }
    }
}
END_TEST

START_TEST(all_powers_of_ten_are_one_digit)
{
    char text[16];
    for (int exponent = -323; exponent <= 308; exponent++) {
        snprintf(text, sizeof(text), "1e%+03d", exponent);
        double value = strtod(text, NULL);
        expect_parse(text, value);
        expect_shortest(value);
    }
}
END_TEST

/* ---- integers ---- */

static const struct {
    const char *text;
    bool good;
    uint64_t value;
} u64_cases[] = {
    {"0", true, 0},
    {"7", true, 7},
    {"000000000000000000000000000042", true, 42},
    {"9999999999999999999", true, 9999999999999999999u},
    {"18446744073709551615", true, UINT64_MAX},
    {"18446744073709551616", false, 0},
    {"18446744073709551620", false, 0},
    {"18446744073709551625", false, 0},
    {"99999999999999999999", false, 0},
    {"100000000000000000000", false, 0},
    {"", false, 0},
    {"+1", false, 0},
    {"-1", false, 0},
    {"1.0", false, 0},
    {"1e3", false, 0},
    {" 1", false, 0},
    {"1 ", false, 0},
    {"1a", false, 0},
    {":", false, 0},
    {"/", false, 0},
};

START_TEST(unsigned_integers_are_read_or_refused)
{
    for (size_t i = 0; i < COUNT(u64_cases); i++) {
        uint64_t value = 12345;
        bool good = number_parse_u64(bytes_of(u64_cases[i].text), &value);
        ck_assert_msg(good == u64_cases[i].good, "%s", u64_cases[i].text);
        ck_assert_uint_eq(value, good ? u64_cases[i].value : 12345);
    }
}
END_TEST

static const struct {
    const char *text;
    bool good;
    int64_t value;
} i64_cases[] = {
    {"0", true, 0},
    {"-0", true, 0},
    {"+5", true, 5},
    {"-5", true, -5},
    {"9223372036854775807", true, INT64_MAX},
    {"9223372036854775808", false, 0},
    {"-9223372036854775808", true, INT64_MIN},
    {"-9223372036854775809", false, 0},
    {"18446744073709551615", false, 0},
    {"-18446744073709551616", false, 0},
    {"", false, 0},
    {"-", false, 0},
    {"+", false, 0},
    {"--1", false, 0},
    {"-+1", false, 0},
    {"1-", false, 0},
};

START_TEST(signed_integers_are_read_or_refused)
{
    for (size_t i = 0; i < COUNT(i64_cases); i++) {
        int64_t value = 12345;
        bool good = number_parse_i64(bytes_of(i64_cases[i].text), &value);
        ck_assert_msg(good == i64_cases[i].good, "%s", i64_cases[i].text);
        ck_assert_int_eq(value, good ? i64_cases[i].value : 12345);
    }
}
END_TEST

/* In memory of exactly the length that libc says it has, so that the sanitizer sees a byte more. */
static void expect_integer(uint64_t value)
{
    char expected[24];
    size_t length = (size_t)snprintf(expected, sizeof(expected), "%" PRIu64, value);
    char *out = malloc(length);
    ck_assert_uint_eq(number_write_u64(value, out), length);
    ck_assert_mem_eq(out, expected, length);
    free(out);
    length = (size_t)snprintf(expected, sizeof(expected), "%" PRId64, (int64_t)value);
    out = malloc(length);
    ck_assert_uint_eq(number_write_i64((int64_t)value, out), length);
    ck_assert_mem_eq(out, expected, length);
    int64_t back = 0;
    ck_assert(number_parse_i64((struct bytes){out, length}, &back));
    ck_assert_int_eq(back, (int64_t)value);
    free(out);
}

START_TEST(integers_of_all_lengths_are_written_as_libc_does)
{
    struct random random = {6};
    uint64_t power = 1;
    for (int digits = 0; digits < 20; digits++, power *= 10) {
        expect_integer(power - 1);
        expect_integer(power);
        expect_integer(0 - power);
    }
    for (int bits = 0; bits < 64; bits++) {
        expect_integer((uint64_t)1 << bits);
        expect_integer(((uint64_t)1 << bits) - 1);
        for (int round = 0; round < 50; round++)
            expect_integer(random_next(&random) >> bits);
    }
    expect_integer(UINT64_MAX);
}
END_TEST

/* ---- the suite ---- */

Suite *number_suite(void)
{
    Suite *suite = suite_create("number");
    TCase *reading = tcase_create("reading");
    tcase_set_timeout(reading, 60); /* a second under sanitizers, more on a busy machine */
    tcase_add_test(reading, known_literals_are_read_to_the_bit);
    tcase_add_test(reading, nan_is_read_without_its_sign);
    tcase_add_test(reading, what_is_no_number_is_refused);
    tcase_add_test(reading, a_nul_inside_the_text_is_no_end);
    tcase_add_test(reading, overflow_begins_exactly_in_the_middle);
    tcase_add_test(reading, the_middle_between_two_float64_is_exact);
    tcase_add_test(reading, digits_without_weight_change_nothing);
    tcase_add_test(reading, random_decimals_are_read_as_strtod_does);
    tcase_add_test(reading, literals_next_to_the_middle_are_read_as_strtod_does);
    tcase_add_test(reading, random_float64_with_any_digits_are_read_as_strtod_does);
    suite_add_tcase(suite, reading);
    TCase *writing = tcase_create("writing");
    tcase_set_timeout(writing, 60);
    tcase_add_test(writing, known_values_are_written_as_expected);
    tcase_add_test(writing, random_float64_are_written_shortest);
    tcase_add_test(writing, everyday_values_are_written_shortest);
    tcase_add_test(writing, all_exponents_read_back);
    tcase_add_test(writing, all_powers_of_ten_are_one_digit);
    suite_add_tcase(suite, writing);
    TCase *integers = tcase_create("integers");
    tcase_add_test(integers, unsigned_integers_are_read_or_refused);
    tcase_add_test(integers, signed_integers_are_read_or_refused);
    tcase_add_test(integers, integers_of_all_lengths_are_written_as_libc_does);
    suite_add_tcase(suite, integers);
    return suite;
}
