/* bytes.c: see bytes.h. */
#include "base/bytes.h"

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shared = a.length < b.length ? a.length : b.length;
    int order = shared == 0 ? 0 : memcmp(a.at, b.at, shared);
    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++) {
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    }
    return true;
}

struct bytes bytes_trim(struct bytes text)
{
    while (text.length > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 &&
           (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t'))
        text.length--;
    return text;
}

/*
 * How many bytes follow this lead byte, and the least second byte that is not overlong (RFC 3629,
 * section 4).
 */
struct utf8_lead {
    unsigned follow;
    unsigned char second_min;
    unsigned char second_max;
};

static struct utf8_lead utf8_lead(unsigned char lead)
{
    if (lead >= 0xc2 && lead <= 0xdf)
        return (struct utf8_lead){1, 0x80, 0xbf};
    if (lead == 0xe0)
        return (struct utf8_lead){2, 0xa0, 0xbf};
    if (lead == 0xed)
        return (struct utf8_lead){2, 0x80, 0x9f}; /* no surrogates */
    if (lead >= 0xe1 && lead <= 0xef)
        return (struct utf8_lead){2, 0x80, 0xbf};
    if (lead == 0xf0)
        return (struct utf8_lead){3, 0x90, 0xbf};
    if (lead >= 0xf1 && lead <= 0xf3)
        return (struct utf8_lead){3, 0x80, 0xbf};
    if (lead == 0xf4)
        return (struct utf8_lead){3, 0x80, 0x8f};
    return (struct utf8_lead){0, 0, 0};
}

/* The length of the character at `at`, 0 when it is not well formed. */
static size_t utf8_character(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80)
        return 1;
    struct utf8_lead lead = utf8_lead(at[0]);
    if (lead.follow == 0 || left <= lead.follow)
        return 0;
    if (at[1] < lead.second_min || at[1] > lead.second_max)
        return 0;
    for (size_t i = 2; i <= lead.follow; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return lead.follow + 1;
}

bool bytes_are_utf8(struct bytes text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    size_t left = text.length;
    while (left > 0) {
        size_t length = utf8_character(at, left);
        if (length == 0)
            return false;
        at += length;
        left -= length;
    }
    return true;
}
