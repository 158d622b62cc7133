/*
 * json_element.h: one JSON object, from its bytes to samples in the batch.
 *
 *     {"name":"http_seconds","kind":"histogram","labels":{"route":"/a"},"values":[1,2],"ts":1.5}
 *
 *     bytes ──jansson──> tree in the scratch arena ──check all──> batch (texts copied) ──> rewind
 *
 * An object is taken whole or not at all: nothing is added before everything in it was checked.
 *
 *     name     string, required
 *     kind     "counter", "gauge" (the default), "histogram" or "set"
 *     labels   object of strings; an empty value is no label, as in Prometheus
 *     value    number; of a set: a string or a number, and 1, 1.0 and "1" are the same member
 *     values   instead of value, for a histogram: an array of numbers, not empty
 *     ts       number, Unix seconds
 *
 * Any other field is refused: a misspelt one that is passed over would lose data without a word.
 *
 * Owner:    nothing is kept. Lifetime: one call; the scratch is rewound when it returns.
 * Threads:  any, each with its own intake.
 */
#ifndef INGEST_JSON_ELEMENT_H
#define INGEST_JSON_ELEMENT_H

#include "ingest/batch.h"
#include "ingest/label_set.h"

struct json_element {
    struct bytes text; /* no deeper than limits.json_depth: jansson recurses */
    uint64_t line;     /* where it is, for its samples and errors */
    uint32_t element;
    const struct label_list *labels; /* of the path: added, and win over its own; may be NULL */
};

/*
 * Gives jansson our allocator and the seed of its tables. Process-wide: main calls it once, before
 * there are threads, and nothing else in the process may use jansson; a call of it from outside
 * json_element_read would find no memory and stop the program (ENSURE).
 */
void json_element_setup(uint64_t seed);

/*
 * Whether json_element_setup was called, and whoever wrapped its hooks since passes on what a parse
 * asks for; otherwise jansson would quietly use the heap.
 */
bool json_element_is_set_up(void);

/*
 * Adds the object's samples to the batch, or rejects it in the report. What comes back is not about
 * the object: not OK, from the batch's flush, ends the request.
 */
struct refusal json_element_read(const struct json_element *element, struct intake *intake);

/* ---- fields of an object that need not be a sample ---- */

enum json_field_kind {
    JSON_FIELD_MISSING,
    JSON_FIELD_NUMBER,
    JSON_FIELD_TEXT,  /* a string, or "true" or "false" */
    JSON_FIELD_OTHER, /* null, an object or an array */
};

struct json_field {
    enum json_field_kind kind;
    double number;
    struct bytes text; /* in the scratch */
};

/*
 * Finds the object's fields of these names: its own, or else those of its object `labels`. What
 * they are and lead to ends when the caller rewinds intake->scratch. Not OK: it is no JSON object
 * that can be read, as of json_element_read; nothing is reported.
 */
struct refusal json_fields_read(const struct json_element *element, struct intake *intake,
                                const struct bytes *names, size_t count,
                                struct json_field *fields);

#endif
