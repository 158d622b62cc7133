/* line_shape.c: see line_shape.h. */
#include "ingest/line_shape.h"

#ifdef __SSE2__

#include <emmintrin.h>

#define SHAPE_BYTES 128
#define SHAPE_QUOTES 32 /* sixteen labels; in 128 bytes there is hardly room for more */

/* One bit for each byte of the line, in registers: the halves are never indexed. */
struct masks {
    uint64_t quote_low, quote_high;
    uint64_t other_low, other_high; /* not one of [a-zA-Z0-9_] */
    bool odd; /* somewhere in what was looked at, be it behind the line: a backslash, or a byte that
                 is not ASCII */
};

/* first..last: the range is moved to the top of the signed bytes, where one comparison does. */
static inline __m128i within(__m128i bytes, char first, char last)
{
    __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8((char)(127 - last)));
    return _mm_cmpgt_epi8(moved, _mm_set1_epi8((char)(126 - last + first)));
}

static inline uint64_t bits_of(__m128i bytes, unsigned shift)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(bytes) << shift;
}

static inline void add_step(const char *at, unsigned shift, uint64_t *quote, uint64_t *plain,
                            __m128i *odd)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + shift));
    __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20)); /* A-Z become a-z */
    __m128i name = _mm_or_si128(within(folded, 'a', 'z'), within(bytes, '0', '9'));
    name = _mm_or_si128(name, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
    *quote |= bits_of(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), shift);
    *plain |= bits_of(name, shift);
    *odd = _mm_or_si128(*odd, _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')), bytes));
}

/*
 * Sixty-four bytes, whatever the line's length: a loop that ends where the line does would be
 * guessed wrong too often.
 */
static inline void half_make(const char *at, uint64_t *quote, uint64_t *other, __m128i *odd)
{
    uint64_t plain = 0;
    *quote = 0;
    add_step(at, 0, quote, &plain, odd);
    add_step(at, 16, quote, &plain, odd);
    add_step(at, 32, quote, &plain, odd);
    add_step(at, 48, quote, &plain, odd);
    *other = ~plain;
}

/* The bits below `end` of a half that begins at `start`. */
static inline uint64_t below(unsigned end, unsigned start)
{
    if (end <= start)
        return 0;
    return end - start >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << (end - start)) - 1;
}

/*
 * From each first quote, itself included, to its second, itself excluded: set. (Langdale, Lemire,
 * "Parsing gigabytes of JSON per second", 2019, 3.1.1.)
 */
static inline uint64_t between_quotes(uint64_t quotes)
{
    for (unsigned step = 1; step < 64; step *= 2)
        quotes ^= quotes << step;
    return quotes;
}

/*
 * Outside of quotes and up to `behind` there is nothing but name bytes, the brace at `brace`, one
 * byte before each opening quote and one behind each closing one.
 */
static inline bool is_well_shaped(const struct masks *masks, unsigned brace, unsigned behind)
{
    uint64_t in_low = between_quotes(masks->quote_low);
    uint64_t in_high = between_quotes(masks->quote_high) ^ (0 - (in_low >> 63));
    uint64_t open_low = masks->quote_low & in_low, open_high = masks->quote_high & in_high;
    uint64_t close_low = masks->quote_low & ~in_low, close_high = masks->quote_high & ~in_high;
    uint64_t due_low = open_low >> 1 | open_high << 63 | close_low << 1 | (uint64_t)1 << brace;
    uint64_t due_high = open_high >> 1 | close_high << 1 | close_low >> 63;
    uint64_t low = masks->other_low & ~in_low & ~masks->quote_low;
    uint64_t high = masks->other_high & ~in_high & ~masks->quote_high;
    return (((low ^ due_low) & below(behind, 0)) | ((high ^ due_high) & below(behind, 64))) == 0;
}

static inline unsigned count_bits(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (unsigned)(bits * 0x0101010101010101u >> 56);
}

/*
 * The positions of the bits, eight at a time without asking how many there are; what is written too
 * much is not read.
 */
static inline void list_bits(uint64_t bits, unsigned start, unsigned count, unsigned char *out)
{
    for (unsigned done = 0; done < count; done += 8) {
        for (unsigned i = 0; i < 8; i++) {
            out[done + i] = (unsigned char)(start + (unsigned)__builtin_ctzll(bits | 1ull << 63));
            bits &= bits - 1;
        }
    }
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The label that begins at `from` and whose quotes are known; false when it is not plain. */
static inline bool read_label(const char *text, unsigned from, unsigned open, unsigned close,
                              const struct settings *settings, struct label_list *list)
{
    unsigned name_bytes = open - 1 - from;
    unsigned value_bytes = close - open - 1;
    if (open <= from + 1 || text[open - 1] != '=' || value_bytes == 0)
        return false;
    if (name_bytes > settings->limits_label_name_bytes ||
        value_bytes > settings->limits_label_value_bytes)
        return false;
    if (is_digit(text[from]) || (text[from] == '_' && text[from + 1] == '_'))
        return false;
    return label_list_add(list, (struct label){{text + from, name_bytes},
                                               {text + open + 1, value_bytes}});
}

/* The labels from `from` on; the position behind the brace, or 0 for no. */
static unsigned read_labels(const struct masks *masks, struct bytes text, unsigned from,
                            const struct settings *settings, struct label_list *list)
{
    unsigned char quotes[SHAPE_QUOTES + 16];
    unsigned low = count_bits(masks->quote_low);
    unsigned count = low + count_bits(masks->quote_high);
    if (count > SHAPE_QUOTES)
        return 0;
    list_bits(masks->quote_low, 0, low, quotes);
    list_bits(masks->quote_high, 64, count - low, quotes + low);
    for (unsigned i = 0; i + 1 < count; i += 2) {
        unsigned close = quotes[i + 1];
        if (close + 1 >= text.length ||
            !read_label(text.at, from, quotes[i], close, settings, list))
            return 0;
        if (text.at[close + 1] == '}')
            return close + 2;
        if (text.at[close + 1] != ',')
            return 0;
        from = close + 2;
    }
    return 0;
}

static bool is_metric_name(struct bytes name, const struct settings *settings)
{
    return name.length > 0 && name.length <= settings->limits_name_bytes && !is_digit(name.at[0]) &&
           !(name.at[0] == 'm' && bytes_start_with(name, BYTES("mayfly_")));
}

/* The quotes of the line, and of nothing behind it. */
static inline struct masks masks_make(struct bytes text, size_t readable)
{
    struct masks masks;
    char padded[SHAPE_BYTES];
    const char *at = text.at;
    if (readable < SHAPE_BYTES) {
        memcpy(padded, text.at, text.length);
        memset(padded + text.length, 0, SHAPE_BYTES - text.length);
        at = padded;
    }
    __m128i odd = _mm_setzero_si128();
    half_make(at, &masks.quote_low, &masks.other_low, &odd);
    half_make(at + 64, &masks.quote_high, &masks.other_high, &odd);
    masks.quote_low &= below((unsigned)text.length, 0);
    masks.quote_high &= below((unsigned)text.length, 64);
    masks.odd = _mm_movemask_epi8(odd) != 0;
    return masks;
}

bool line_shape_read(struct bytes text, size_t readable, const struct settings *settings,
                     struct label_list *list, struct line_shape *shape)
{
    if (text.length > SHAPE_BYTES)
        return false;
    struct masks masks = masks_make(text, readable);
    if (masks.odd || masks.other_low == 0)
        return false;
    unsigned end = (unsigned)__builtin_ctzll(masks.other_low); /* a name of up to 63 bytes */
    if (end >= text.length || text.at[end] != '{' ||
        !is_metric_name((struct bytes){text.at, end}, settings))
        return false;
    unsigned behind = read_labels(&masks, text, end + 1, settings, list);
    if (behind == 0 || !is_well_shaped(&masks, end, behind)) {
        label_list_init(list);
        return false;
    }
    list->joined = true;
    shape->name_bytes = end;
    shape->behind = behind;
    return true;
}

#else

bool line_shape_read(struct bytes text, size_t readable, const struct settings *settings,
                     struct label_list *list, struct line_shape *shape)
{
    (void)text;
    (void)readable;
    (void)settings;
    (void)list;
    (void)shape;
    return false;
}

#endif
