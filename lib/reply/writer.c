/* writer.c: see writer.h. */
#include "reply/writer.h"

#include "base/number.h"

#include <math.h>

char *writer_take(struct writer *writer, size_t bytes)
{
    if (writer->full || bytes > writer->size - writer->used) {
        writer->full = true;
        return NULL;
    }
    if (bytes == 0)
        return writer->at;
    char *at = writer->at + writer->used;
    writer->used += bytes;
    return at;
}

void writer_bytes(struct writer *writer, struct bytes text)
{
    char *at = writer_take(writer, text.length);
    if (at != NULL && text.length > 0)
        memcpy(at, text.at, text.length);
}

void writer_string(struct writer *writer, const char *text)
{
    writer_bytes(writer, bytes_of(text));
}

void writer_char(struct writer *writer, char c)
{
    char *at = writer_take(writer, 1);
    if (at != NULL)
        *at = c;
}

void writer_u64(struct writer *writer, uint64_t value)
{
    char text[NUMBER_BYTES_MAX];
    writer_bytes(writer, (struct bytes){text, number_write_u64(value, text)});
}

void writer_i64(struct writer *writer, int64_t value)
{
    char text[NUMBER_BYTES_MAX];
    writer_bytes(writer, (struct bytes){text, number_write_i64(value, text)});
}

void writer_number(struct writer *writer, double value)
{
    char text[NUMBER_BYTES_MAX];
    writer_bytes(writer, (struct bytes){text, number_write(value, text)});
}

void writer_json_number(struct writer *writer, double value)
{
    if (isfinite(value))
        writer_number(writer, value);
    else
        writer_bytes(writer, BYTES("null"));
}

static void json_escape(struct writer *writer, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        writer_bytes(writer, BYTES("\\\""));
        break;
    case '\\':
        writer_bytes(writer, BYTES("\\\\"));
        break;
    case '\n':
        writer_bytes(writer, BYTES("\\n"));
        break;
    case '\r':
        writer_bytes(writer, BYTES("\\r"));
        break;
    case '\t':
        writer_bytes(writer, BYTES("\\t"));
        break;
    default:
        writer_bytes(writer, BYTES("\\u00"));
        writer_char(writer, hex[c >> 4]);
        writer_char(writer, hex[c & 15]);
    }
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The length of the well-formed character at the front, 0 when it is not one. */
static size_t character_length(struct bytes text)
{
    for (size_t length = 2; length <= 4 && length <= text.length; length++) {
        if (bytes_are_utf8((struct bytes){text.at, length}))
            return length;
    }
    return 0;
}

/* One character or escape off the front; returns the bytes it took. */
static size_t json_character(struct writer *writer, struct bytes text)
{
    unsigned char c = (unsigned char)text.at[0];
    if (c < 0x80) {
        json_escape(writer, c);
        return 1;
    }
    size_t length = character_length(text);
    if (length == 0) {
        writer_bytes(writer, BYTES("\xef\xbf\xbd"));
        return 1;
    }
    writer_bytes(writer, (struct bytes){text.at, length});
    return length;
}

void writer_json_string(struct writer *writer, struct bytes text)
{
    writer_char(writer, '"');
    while (text.length > 0) {
        size_t plain = 0;
        while (plain < text.length && is_plain((unsigned char)text.at[plain]))
            plain++;
        writer_bytes(writer, (struct bytes){text.at, plain});
        text = (struct bytes){text.at + plain, text.length - plain};
        if (text.length > 0) {
            size_t taken = json_character(writer, text);
            text = (struct bytes){text.at + taken, text.length - taken};
        }
    }
    writer_char(writer, '"');
}

void writer_json_key(struct writer *writer, const char *key)
{
    writer_string(writer, ",\"");
    writer_string(writer, key);
    writer_string(writer, "\":");
}

void writer_seconds(struct writer *writer, int64_t ms)
{
    uint64_t magnitude = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        writer_char(writer, '-');
    writer_u64(writer, magnitude / 1000);
    writer_char(writer, '.');
    for (uint64_t digit = 100; digit > 0; digit /= 10)
        writer_char(writer, (char)('0' + magnitude % 1000 / digit % 10));
}
