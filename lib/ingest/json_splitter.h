/*
 * json_splitter.h: the elements of a JSON body, one by one, out of bytes that are cut anywhere.
 *
 *     feed 1   | [ {"name":"a"}, {"na|            the second is kept in the buffer
 *     feed 2   |me":"b"}, 7, {…} ]|               = buffer {"na + me":"b"}; 7 is no object
 *
 * It counts brackets and knows strings, and no more: what stands within an element is the parser's
 * to judge. Depth is a number, so there is nothing to overrun however deep a body is nested. An
 * element that lies whole in the input is lent from there, without a copy; only one that is cut
 * goes through the buffer. One that is too long or too deep is skipped to its end, unbuffered.
 *
 * Owner: a decoder. Lifetime: request; an element that was lent ends with the input, or with the
 * next call. Threads: one.
 */
#ifndef INGEST_JSON_SPLITTER_H
#define INGEST_JSON_SPLITTER_H

#include "base/bytes.h"

/* ---- one value, bracket by bracket ---- */

#define JSON_NOT_DEEP UINT64_MAX

struct json_scan {
    uint64_t offset; /* bytes of the value passed so far */
    uint64_t depth;  /* 64 bits: a body of any length may open brackets all along */
    uint64_t depth_max;
    uint64_t deep_at; /* offset of the first bracket beyond depth_max, or JSON_NOT_DEEP */
    bool in_string;
    bool escaped;
};

void json_scan_init(struct json_scan *scan, uint64_t depth_max);

/*
 * Passes over `text`, which continues (or begins) an object, an array or a string. Returns how many
 * bytes of it belong to the value; *ended tells whether the last of them ends it.
 */
size_t json_scan_pass(struct json_scan *scan, struct bytes text, bool *ended);

/* ---- a body ---- */

enum split_event {
    SPLIT_NONE,       /* all of the input is taken */
    SPLIT_ELEMENT,    /* *element is an object, as far as brackets tell */
    SPLIT_NOT_OBJECT, /* this and the next two: an element ended that cannot be used */
    SPLIT_TOO_LARGE,
    SPLIT_TOO_DEEP,
    SPLIT_MALFORMED, /* there is no way on; `detail` says why */
};

enum split_state {
    SPLIT_BEFORE, /* nothing yet but blanks */
    SPLIT_OPEN,   /* behind the [ */
    SPLIT_WITHIN, /* within an element */
    SPLIT_BEHIND, /* behind an element of the array */
    SPLIT_COMMA,  /* behind a comma */
    SPLIT_END,    /* behind the whole; only blanks may follow */
};

struct json_splitter {
    char *buffer; /* element_max bytes, or the whole body when that is known to be less */
    size_t buffer_bytes;
    size_t kept;
    size_t element_max;
    struct json_scan scan;
    enum split_state state;
    bool array;            /* at the top */
    bool object;           /* the element last begun is one */
    bool bare;             /* or a number or a word, and has no bracket or quote to end it */
    uint32_t element;      /* its number, from 1; 0 without an array */
    uint64_t element_line; /* where it began, from 1 */
    uint64_t line;         /* where the input stands */
    const char *detail;
};

void json_splitter_init(struct json_splitter *splitter, char *buffer, size_t buffer_bytes,
                        size_t element_max, uint64_t depth_max);

/* Takes the next element off the front of *input, or its beginning, or what is left. */
enum split_event json_splitter_next(struct json_splitter *splitter, struct bytes *input,
                                    struct bytes *element);

#endif
