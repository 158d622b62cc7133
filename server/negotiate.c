/* negotiate.c: see negotiate.h. */
#include "negotiate.h"

/* Takes what stands before `mark` off the front, the mark with it. */
static struct bytes take_until(struct bytes *text, char mark)
{
    const char *end = text->length == 0 ? NULL : memchr(text->at, mark, text->length);
    struct bytes piece = {text->at, end == NULL ? text->length : (size_t)(end - text->at)};
    size_t taken = piece.length + (end != NULL);
    *text = (struct bytes){text->at + taken, text->length - taken};
    return bytes_trim(piece);
}

/* 0.75 is 750; what is malformed counts as 1. */
static int quality_parse(struct bytes text)
{
    int value = text.length > 0 && text.at[0] == '0' ? 0 : 1000;
    int scale = 100;
    for (size_t i = 2; i < text.length && value < 1000 && scale > 0; i++, scale /= 10) {
        if (text.at[i] < '0' || text.at[i] > '9')
            break;
        value += (text.at[i] - '0') * scale;
    }
    return value;
}

int accept_quality(struct bytes header, struct bytes name)
{
    int best = -1;
    while (header.length > 0) {
        struct bytes item = take_until(&header, ',');
        struct bytes type = take_until(&item, ';');
        if (!bytes_equal_nocase(type, name))
            continue;
        int quality = 1000;
        while (item.length > 0) {
            struct bytes parameter = take_until(&item, ';');
            struct bytes name_of = {parameter.at, parameter.length < 2 ? parameter.length : 2};
            if (bytes_equal_nocase(name_of, BYTES("q=")))
                quality = quality_parse((struct bytes){parameter.at + 2, parameter.length - 2});
        }
        best = quality > best ? quality : best;
    }
    return best;
}

enum exposition_format accept_exposition(struct bytes accept)
{
    int json = accept_quality(accept, BYTES("application/json"));
    int openmetrics = accept_quality(accept, BYTES("application/openmetrics-text"));
    int text = accept_quality(accept, BYTES("text/plain"));
    if (json > 0 && json >= openmetrics && json >= text)
        return EXPOSE_JSON;
    if (openmetrics > 0 && openmetrics >= text)
        return EXPOSE_OPENMETRICS;
    return text > 0 ? EXPOSE_TEXT : EXPOSE_DEFAULT;
}

bool accept_gzip(struct bytes accept_encoding)
{
    return accept_quality(accept_encoding, BYTES("gzip")) > 0;
}

struct bytes media_type(struct bytes header)
{
    const char *end = header.length == 0 ? NULL : memchr(header.at, ';', header.length);
    if (end != NULL)
        header.length = (size_t)(end - header.at);
    return bytes_trim(header);
}

bool encoding_of(struct bytes header, enum encoding *encoding)
{
    struct bytes name = bytes_trim(header);
    if (name.length == 0 || bytes_equal_nocase(name, BYTES("identity")))
        *encoding = ENCODING_IDENTITY;
    else if (bytes_equal_nocase(name, BYTES("gzip")) || bytes_equal_nocase(name, BYTES("x-gzip")))
        *encoding = ENCODING_GZIP;
    else if (bytes_equal_nocase(name, BYTES("zstd")))
        *encoding = ENCODING_ZSTD;
    else
        return false;
    return true;
}
