/* json_element.c: see json_element.h. */
#include "ingest/json_element.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "base/number.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdalign.h>

/* The end of the year 9999. Milliseconds in the place of seconds are beyond it, and noticed. */
#define SECONDS_MAX 253402300799.0

/* ---- jansson's memory ---- */

/*
 * jansson is not safe when it runs out of memory: it passes over a failure to lengthen its token
 * buffer, and then reads past that buffer or trips over an assertion of its own. So a refusal does
 * not return to it. All it holds is in the arena and it keeps nothing elsewhere, so leaving it with
 * longjmp leaks nothing.
 */
struct json_memory {
    struct arena *arena;
    jmp_buf refused;
};

/* jansson's hooks have no context. Set within parse() only; what it points to is on the stack. */
static _Thread_local struct json_memory *memory;

static void *hook_malloc(size_t bytes)
{
    ENSURE(memory != NULL);
    void *at = arena_push(memory->arena, bytes);
    if (at == NULL)
        longjmp(memory->refused, 1);
    return at;
}

/* The rewind frees everything at once. */
static void hook_free(void *at)
{
    (void)at;
}

void json_element_setup(uint64_t seed)
{
    /* jansson takes 32 bits of it, and 0 as a request to open /dev/urandom. */
    uint32_t folded = (uint32_t)(seed ^ seed >> 32);
    json_set_alloc_funcs(hook_malloc, hook_free);
    json_object_seed(folded == 0 ? 1 : folded);
}

/*
 * It is tried rather than looked up: the program may have wrapped our hooks (the server does for
 * its drills), and what counts is where a parse's memory comes from.
 */
bool json_element_is_set_up(void)
{
    alignas(ARENA_ALIGN) char room[ARENA_ALIGN];
    struct arena arena;
    struct json_memory own = {.arena = &arena};
    json_malloc_t take;
    json_free_t drop;
    ENSURE(memory == NULL);
    arena_init(&arena, room, sizeof room, sizeof room, NULL);
    json_get_alloc_funcs(&take, &drop);
    memory = &own;
    void *at = take(sizeof room);
    memory = NULL;
    drop(at);
    return at == room;
}

/* JSON_DECODE_INT_AS_REAL: integers beyond 64 bits are numbers too, and there is one type. */
#define PARSE_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL)

/* NULL: not JSON, or no room; `*refused` tells which. A function of its own because of setjmp. */
static json_t *parse(struct bytes text, struct arena *arena, json_error_t *error, bool *refused)
{
    struct json_memory own = {.arena = arena};
    memory = &own;
    if (setjmp(own.refused) != 0) {
        memory = NULL;
        *refused = true;
        return NULL;
    }
    *refused = false;
    json_t *root = json_loadb(text.at, text.length, PARSE_FLAGS, error);
    memory = NULL;
    return root;
}

/* ---- what was wrong ---- */

static struct refusal ok(void)
{
    return refusal_plain(STATUS_OK);
}

static struct refusal bad_json(const char *detail)
{
    return refusal_detail(STATUS_BAD_JSON, detail);
}

static struct refusal bad_field(const char *detail)
{
    return refusal_detail(STATUS_BAD_FIELD, detail);
}

/* jansson's own texts quote the input and end with the call; these are literals. */
static struct refusal refusal_of_jansson(enum json_error_code code)
{
    switch (code) {
    case json_error_invalid_utf8:
        return refusal_plain(STATUS_BAD_UTF8);
    case json_error_numeric_overflow:
        return refusal_detail(STATUS_BAD_VALUE, "a number is beyond the range of a float64");
    case json_error_duplicate_key:
        return bad_json("a key appears twice");
    case json_error_premature_end_of_input:
        return bad_json("it ends before it is complete");
    case json_error_end_of_input_expected:
        return bad_json("something follows the object");
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return bad_json("a string holds \\u0000");
    default:
        return bad_json("a token is not what JSON allows there");
    }
}

/* ---- one object, checked ---- */

enum field {
    FIELD_NAME,
    FIELD_KIND,
    FIELD_LABELS,
    FIELD_VALUE,
    FIELD_VALUES,
    FIELD_TS,
    FIELD_COUNT,
};

static const char *const field_names[FIELD_COUNT] = {
    [FIELD_NAME] = "name",   [FIELD_KIND] = "kind",     [FIELD_LABELS] = "labels",
    [FIELD_VALUE] = "value", [FIELD_VALUES] = "values", [FIELD_TS] = "ts",
};

/* All about an object that its samples need. Texts and values are borrowed from the scratch. */
struct draft {
    json_t *fields[FIELD_COUNT]; /* NULL: not there */
    struct bytes name;
    enum kind kind;
    int64_t timestamp_ms;
    const json_t *values; /* a number, a string (of a set), or an array of numbers */
    struct label_list labels;
    size_t labels_bytes;
};

static struct bytes text_of(const json_t *string)
{
    return (struct bytes){json_string_value(string), json_string_length(string)};
}

static struct refusal read_root(const struct json_element *element, struct arena *scratch,
                                const struct settings *settings, json_t **root)
{
    struct bytes text = element->text;
    bool refused;
    json_error_t error;
    /* jansson passes over a NUL byte that follows a number. */
    if (text.length > 0 && memchr(text.at, 0, text.length) != NULL)
        return bad_json("there is a NUL byte in it");
    *root = parse(text, scratch, &error, &refused);
    if (refused)
        return refusal_limit(STATUS_ELEMENT_TOO_LARGE, "limits.scratch_bytes",
                             settings->limits_scratch_bytes);
    if (*root == NULL)
        return refusal_of_jansson(json_error_code(&error));
    return json_is_object(*root) ? ok() : bad_json("it is not an object");
}

static struct refusal read_fields(const json_t *root, struct draft *draft)
{
    size_t known = 0;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        draft->fields[i] = json_object_get(root, field_names[i]);
        known += draft->fields[i] != NULL;
    }
    if (known < json_object_size(root))
        return bad_field("there is a field other than name, kind, labels, value, values and ts");
    return ok();
}

static struct refusal read_name(struct draft *draft, const struct settings *settings)
{
    const json_t *name = draft->fields[FIELD_NAME];
    if (name == NULL)
        return bad_field("name is missing");
    if (!json_is_string(name))
        return bad_field("name is not a string");
    draft->name = text_of(name);
    return metric_name_check(draft->name, settings);
}

static struct refusal read_kind(struct draft *draft)
{
    const json_t *kind = draft->fields[FIELD_KIND];
    draft->kind = KIND_GAUGE;
    if (kind == NULL)
        return ok();
    if (!json_is_string(kind))
        return bad_field("kind is not a string");
    for (enum kind known = KIND_COUNTER; known <= KIND_SET; known++) {
        if (bytes_equal(text_of(kind), bytes_of(kind_name(known)))) {
            draft->kind = known;
            return ok();
        }
    }
    return refusal_detail(STATUS_UNKNOWN_KIND, "gauge is what an object without a kind is");
}

static struct refusal read_timestamp(struct draft *draft)
{
    const json_t *ts = draft->fields[FIELD_TS];
    draft->timestamp_ms = TIMESTAMP_NONE;
    if (ts == NULL)
        return ok();
    if (!json_is_number(ts) || fabs(json_number_value(ts)) > SECONDS_MAX)
        return refusal_plain(STATUS_BAD_TIMESTAMP);
    draft->timestamp_ms = (int64_t)floor(json_number_value(ts) * 1000 + 0.5);
    return ok();
}

/* JSON has no way to write NaN or infinity, so every number is finite. */
static struct refusal check_number(const struct draft *draft, const json_t *value)
{
    if (!json_is_number(value))
        return bad_field("value is not a number");
    if (draft->kind == KIND_COUNTER && json_number_value(value) < 0)
        return refusal_detail(STATUS_BAD_VALUE, "a counter cannot go down");
    return ok();
}

static struct refusal check_values(const struct draft *draft, const json_t *values)
{
    if (draft->kind != KIND_HISTOGRAM)
        return bad_field("values is for histograms; other kinds have a value");
    if (!json_is_array(values) || json_array_size(values) == 0)
        return bad_field("values is not an array of numbers");
    for (size_t i = 0; i < json_array_size(values); i++) {
        if (!json_is_number(json_array_get(values, i)))
            return bad_field("values is not an array of numbers");
    }
    return ok();
}

static struct refusal read_values(struct draft *draft)
{
    const json_t *value = draft->fields[FIELD_VALUE];
    const json_t *values = draft->fields[FIELD_VALUES];
    draft->values = value != NULL ? value : values;
    if (value != NULL && values != NULL)
        return bad_field("there is a value and there are values");
    if (draft->values == NULL)
        return bad_field("value is missing");
    if (values != NULL)
        return check_values(draft, values);
    if (draft->kind == KIND_SET && json_is_string(value))
        return ok();
    return check_number(draft, value);
}

static struct refusal too_many_labels(const struct settings *settings)
{
    return refusal_of(STATUS_TOO_MANY_LABELS, settings);
}

/* Most values need no escape and are lent from the tree. False: the scratch has no room. */
static bool escape(struct bytes value, struct arena *scratch, struct bytes *escaped)
{
    size_t special = 0;
    for (size_t i = 0; i < value.length; i++)
        special += value.at[i] == '\\' || value.at[i] == '"' || value.at[i] == '\n';
    *escaped = value;
    if (special == 0)
        return true;
    char *text = arena_push(scratch, value.length * 2);
    if (text == NULL)
        return false;
    *escaped = (struct bytes){text, label_value_escape(value, text)};
    return true;
}

static struct refusal read_label(struct bytes name, const json_t *value, struct arena *scratch,
                                 const struct settings *settings, struct draft *draft)
{
    struct label label = {.name = name};
    struct refusal refusal = label_name_check(name, settings);
    if (refusal.status != STATUS_OK)
        return refusal;
    if (!json_is_string(value))
        return bad_field("a label's value is not a string");
    if (json_string_length(value) > settings->limits_label_value_bytes)
        return refusal_of(STATUS_LABEL_VALUE_TOO_LONG, settings);
    if (json_string_length(value) == 0)
        return ok();
    if (!escape(text_of(value), scratch, &label.value))
        return refusal_limit(STATUS_ELEMENT_TOO_LARGE, "limits.scratch_bytes",
                             settings->limits_scratch_bytes);
    return label_list_add(&draft->labels, label) ? ok() : too_many_labels(settings);
}

/* The object's own labels, except for those that the path overrules. */
static struct refusal read_own_labels(const struct json_element *element, struct intake *intake,
                                      struct draft *draft)
{
    json_t *labels = draft->fields[FIELD_LABELS];
    if (labels == NULL)
        return ok();
    if (!json_is_object(labels))
        return bad_field("labels is not an object");
    for (void *at = json_object_iter(labels); at != NULL; at = json_object_iter_next(labels, at)) {
        struct bytes name = {json_object_iter_key(at), json_object_iter_key_len(at)};
        if (element->labels != NULL && label_list_find(element->labels, name) != NULL)
            continue;
        struct refusal refusal = read_label(name, json_object_iter_value(at), intake->scratch,
                                            intake->settings, draft);
        if (refusal.status != STATUS_OK)
            return refusal;
    }
    return ok();
}

static struct refusal read_labels(const struct json_element *element, struct intake *intake,
                                  struct draft *draft)
{
    label_list_init(&draft->labels);
    struct refusal refusal = read_own_labels(element, intake, draft);
    if (refusal.status != STATUS_OK)
        return refusal;
    uint32_t count = element->labels == NULL ? 0 : element->labels->count;
    for (uint32_t i = 0; i < count; i++) {
        if (!label_list_add(&draft->labels, element->labels->labels[i]))
            return too_many_labels(intake->settings);
    }
    if (draft->kind == KIND_HISTOGRAM && label_list_find(&draft->labels, BYTES("le")) != NULL)
        return refusal_detail(STATUS_BAD_LABEL_NAME, "le is the bound of a histogram's buckets");
    refusal = label_list_finish(&draft->labels, intake->settings);
    draft->labels_bytes = label_list_bytes(&draft->labels);
    return refusal;
}

static struct refusal draft_make(const struct json_element *element, struct intake *intake,
                                 struct draft *draft)
{
    json_t *root = NULL;
    struct refusal refusal = read_root(element, intake->scratch, intake->settings, &root);
    if (refusal.status == STATUS_OK)
        refusal = read_fields(root, draft);
    if (refusal.status == STATUS_OK)
        refusal = read_name(draft, intake->settings);
    if (refusal.status == STATUS_OK)
        refusal = read_kind(draft);
    if (refusal.status == STATUS_OK)
        refusal = read_timestamp(draft);
    if (refusal.status == STATUS_OK)
        refusal = read_values(draft);
    if (refusal.status == STATUS_OK)
        refusal = read_labels(element, intake, draft);
    return refusal;
}

/* ---- and added ---- */

/* A number counts as its shortest text, so that it is one member however it was written. */
static uint64_t member(const json_t *value, uint64_t seed)
{
    char text[NUMBER_BYTES_MAX];
    if (json_is_string(value))
        return hash_bytes(text_of(value), seed);
    double number = json_number_value(value) + 0.0; /* -0 becomes 0 */
    return hash_bytes((struct bytes){text, number_write(number, text)}, seed);
}

/* What all samples of an object have in common; the texts are the batch's. */
static struct sample texts_make(const struct json_element *element, const struct draft *draft,
                                struct intake *intake)
{
    char *name = batch_text(intake->batch, draft->name.length);
    char *labels = batch_text(intake->batch, draft->labels_bytes);
    memcpy(name, draft->name.at, draft->name.length);
    label_list_write(&draft->labels, labels);
    return (struct sample){
        .fingerprint = hash_series((struct bytes){name, draft->name.length},
                                   (struct bytes){labels, draft->labels_bytes}, intake->seed),
        .name = name,
        .labels = labels,
        .timestamp_ms = draft->timestamp_ms,
        .line = sample_line_number(element->line),
        .element = element->element,
        .name_length = (uint16_t)draft->name.length,
        .labels_length = (uint16_t)draft->labels_bytes,
        .kind = (uint8_t)draft->kind,
    };
}

static void set_value(struct sample *sample, const struct draft *draft, size_t i, uint64_t seed)
{
    const json_t *value = draft->values;
    if (json_is_array(value))
        value = json_array_get(value, i);
    if (draft->kind == KIND_SET)
        sample->member = member(value, seed);
    else
        sample->value = json_number_value(value);
}

/* The values share their texts, as long as the batch is not flushed between them. */
static struct refusal draft_add(const struct json_element *element, const struct draft *draft,
                                struct intake *intake)
{
    struct batch *batch = intake->batch;
    struct sample sample;
    size_t count = json_is_array(draft->values) ? json_array_size(draft->values) : 1;
    size_t text_bytes = draft->name.length + draft->labels_bytes;
    for (size_t i = 0; i < count; i++) {
        struct refusal refusal = batch_reserve(intake, i == 0 ? text_bytes : 0);
        if (refusal.status != STATUS_OK)
            return refusal;
        if (i == 0 || batch->count == 0)
            sample = texts_make(element, draft, intake);
        sample.follows = i > 0;
        sample.lines = i == 0;
        set_value(&sample, draft, i, intake->seed);
        *batch_add(batch) = sample;
    }
    return ok();
}

struct refusal json_element_read(const struct json_element *element, struct intake *intake)
{
    struct draft draft;
    struct arena_mark mark = arena_mark(intake->scratch);
    struct refusal fatal = ok();
    struct refusal refusal = draft_make(element, intake, &draft);
    if (refusal.status == STATUS_OK) {
        fatal = draft_add(element, &draft, intake);
    } else {
        refusal.line = element->line;
        refusal.element = element->element;
        report_reject(intake->report, refusal);
    }
    ledger_visit(intake->ledger, POOL_SCRATCH, arena_used(intake->scratch));
    arena_rewind(intake->scratch, mark);
    return fatal;
}

/* ---- fields ---- */

static struct json_field field_make(const json_t *value)
{
    struct json_field field = {.kind = JSON_FIELD_OTHER};
    if (value == NULL) {
        field.kind = JSON_FIELD_MISSING;
    } else if (json_is_number(value)) {
        field.kind = JSON_FIELD_NUMBER;
        field.number = json_number_value(value);
    } else if (json_is_string(value) || json_is_boolean(value)) {
        field.kind = JSON_FIELD_TEXT;
        field.text = json_is_string(value) ? text_of(value)
                                           : bytes_of(json_is_true(value) ? "true" : "false");
    }
    return field;
}

struct refusal json_fields_read(const struct json_element *element, struct intake *intake,
                                const struct bytes *names, size_t count,
                                struct json_field *fields)
{
    json_t *root = NULL;
    struct refusal refusal = read_root(element, intake->scratch, intake->settings, &root);
    if (refusal.status != STATUS_OK)
        return refusal;
    const json_t *labels = json_object_get(root, "labels");
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_getn(root, names[i].at, names[i].length);
        if (value == NULL && labels != NULL) /* NULL, too, when labels is no object */
            value = json_object_getn(labels, names[i].at, names[i].length);
        fields[i] = field_make(value);
    }
    return ok();
}
