/*
 * fuzz_query.c: selectors, tokens and pages over a store that does not change.
 *
 *     'P' series, 'Q' label names, 'R' label values, 'S' cardinality;
 *     + 4 ('T', ...): with the smallest buffer for rows
 *     limit, slice, then parameters with & between them, not encoded:
 *     metric=NAME  [match=]LABEL=VALUE  [match=]LABEL=~REGEX  after=TOKEN  label=NAME
 *
 * The oracle is a plain reading of the same store: each series' labels unescaped into a list, each
 * matcher tried on it; an expression by PCRE2 again, in memory of its own and without quick tries.
 * Where a limit is met, the walk must only end. Pages one behind the other hold each selected
 * series once; a page of names is the front of the sorted list; replies are JSON that says the
 * same.
 */
#include "world.h"

#include "query/cardinality.h"
#include "query/names.h"
#include "query/series_page.h"
#include "reply/rows.h"

#include <jansson.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#define SERIES_MAX 256
#define TEXT_MAX 512
#define LABELS_MAX 8
#define NAMES_MAX 1024
#define SELECTORS_BYTES ((size_t)2 << 20) /* sixteen expressions of the largest kind */
#define WANTED_TEXT_MAX 2048              /* limits.target_bytes: nobody can ask for more */

struct plain_label {
    char text[TEXT_MAX]; /* the name, then the value */
    struct bytes name;
    struct bytes value;
};

/* A series as a person would write it down. */
struct plain_series {
    uint32_t slot;
    char name_text[TEXT_MAX];
    struct bytes name;
    uint32_t label_count;
    struct plain_label labels[LABELS_MAX];
    bool selected;
};

struct question {
    struct selector selector;
    struct bytes after;
    struct bytes label;
    uint32_t limit;
    uint32_t slice;
    size_t spare; /* bytes of the reply's buffer beyond the least */
};

static struct fuzz_world world;

/* Of the selector at hand, which outlives a page's. */
static struct arena selectors;
static char *selectors_memory;

static struct plain_series plain[SERIES_MAX];
static uint32_t plain_count;

/* ---- the store ---- */

static const char pushed[] =
    "# TYPE http_requests_total counter\n"
    "http_requests_total{code=\"200\",route=\"/\"} 5\n"
    "http_requests_total{code=\"200\",route=\"/a\"} 6\n"
    "http_requests_total{code=\"500\",route=\"/a\"} 1\n"
    "http_requests_total{code=\"500\",route=\"\\\"q\\\\u\\n\"} 2\n"
    "# TYPE up gauge\n"
    "up 1\nup{zone=\"a\"} 0\nup{zone=\"\xc3\xa9\"} NaN\nup{a=\"1\",b=\"2\",c=\"3\"} -Inf\n"
    "# TYPE t histogram\n"
    "t_bucket{le=\"1\",zone=\"a\"} 1\nt_bucket{le=\"+Inf\",zone=\"a\"} 2\n"
    "t_sum{zone=\"a\"} 3\nt_count{zone=\"a\"} 2\n"
    "# TYPE s summary\ns_sum 4\ns_count 5\n"
    "# TYPE a:b gauge\na:b{_x=\"y\"} 9\n"
    "a:b{_x=\"\\\\\"} 9\na:b{_x=\"\\\"\"} 9\na:b{_x=\"\\n\"} 9\n";

static void push_text(struct bytes body)
{
    struct push_options options = {
        .decoder = {.format = FORMAT_PROMETHEUS, .body_bytes = UINT64_MAX}};
    struct intake intake = fuzz_world_intake(&world);
    fuzz_world_begin(&world);
    struct push *push = push_make(&options, &world.settings, &world.arena);
    REQUIRE(push != NULL);
    struct refusal refusal = push_feed(push, body, &intake);
    REQUIRE(refusal.status == STATUS_OK && push->report.rejected == 0);
    refusal = push_finish(push, &intake);
    REQUIRE(refusal.status == STATUS_OK);
    fuzz_world_end(&world);
}

/*
 * JSON is the only way to these kinds, and it would take jansson's memory, which the oracle needs
 * itself.
 */
static void apply(enum kind kind, const char *name, const char *labels, double value)
{
    struct store_outcome outcome;
    struct sample sample = {
        .fingerprint = 0x1234567890u + (uint64_t)(unsigned char)labels[0] * 7919 + kind,
        .name = name,
        .labels = labels,
        .timestamp_ms = TIMESTAMP_NONE,
        .value = value,
        .name_length = (uint16_t)strlen(name),
        .labels_length = (uint16_t)strlen(labels),
        .kind = (uint8_t)kind,
        .lines = 1,
    };
    REQUIRE(store_apply(&world.engine->store, &sample, world.now_ms, &outcome) == STATUS_OK);
}

static void make_store(void)
{
    struct settings settings;
    fuzz_settings(&settings);
    settings.limits_families = 10;
    settings.series_max = 40;
    fuzz_world_init(&world, &settings);
    push_text(BYTES(pushed));
    apply(KIND_HISTOGRAM, "seconds", "", 0.5);
    apply(KIND_HISTOGRAM, "seconds", "route=\"/a\"", 2);
    apply(KIND_SET, "users", "zone=\"a\"", 1);
    char line[64];
    for (int i = 0; i < 30; i++) { /* the last ones overflow */
        int length = snprintf(line, sizeof line, "many{n=\"%d\"} %d\n", i, i);
        push_text((struct bytes){line, (size_t)length});
    }
    /* a gap among the slots */
    for (uint32_t slot = 0; slot < world.engine->store.series.fresh; slot++) {
        const struct series *series = store_series(&world.engine->store, slot);
        if (series != NULL && slot % 7 == 3)
            store_delete(&world.engine->store, slot);
    }
    fuzz_world_verify(&world);
}

/* ---- the plain reading ---- */

static size_t plain_unescape(struct bytes value, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (value.at[i] != '\\')
            out[used++] = value.at[i];
        else if (value.at[++i] == 'n')
            out[used++] = '\n';
        else
            out[used++] = value.at[i];
    }
    return used;
}

static void read_series(uint32_t slot, const struct series *series)
{
    char text[TEXT_MAX];
    struct plain_series *row = &plain[plain_count++];
    const struct store *store = &world.engine->store;
    const struct family *family = store_family(store, series->family);
    REQUIRE(plain_count < SERIES_MAX);
    *row = (struct plain_series){.slot = slot};
    label_copy(&store->labels, family->name, row->name_text);
    row->name = (struct bytes){row->name_text, family->name.length};
    label_copy(&store->labels, series->labels, text);
    struct bytes rest = {text, series->labels.length};
    struct label label;
    while (label_text_next(&rest, &label)) {
        REQUIRE(row->label_count < LABELS_MAX);
        struct plain_label *copy = &row->labels[row->label_count++];
        memcpy(copy->text, label.name.at, label.name.length);
        copy->name = (struct bytes){copy->text, label.name.length};
        char *value = copy->text + label.name.length;
        copy->value = (struct bytes){value, plain_unescape(label.value, value)};
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    make_store();
    selectors_memory = aligned_alloc(ARENA_ALIGN, SELECTORS_BYTES);
    REQUIRE(selectors_memory != NULL);
    for (uint32_t slot = 0; slot < world.engine->store.series.fresh; slot++) {
        const struct series *series = store_series(&world.engine->store, slot);
        if (series != NULL && (!series->is_overflow || series->count > 0))
            read_series(slot, series);
    }
    return 0;
}

static struct bytes plain_value(const struct plain_series *series, struct bytes name)
{
    for (uint32_t i = 0; i < series->label_count; i++) {
        if (bytes_equal(series->labels[i].name, name))
            return series->labels[i].value;
    }
    return (struct bytes){"", 0}; /* a label that is not there is an empty one */
}

static pcre2_code *plain_compile(struct bytes pattern)
{
    int error;
    size_t offset;
    return pcre2_compile((PCRE2_SPTR)pattern.at, pattern.length,
                         PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE |
                             PCRE2_NEVER_BACKSLASH_C,
                         &error, &offset, NULL);
}

/* With the limits that the service has: what they cut off cannot be said. */
static int plain_match(const pcre2_code *code, struct bytes text)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    REQUIRE(context != NULL && data != NULL);
    pcre2_set_match_limit(context, (uint32_t)world.settings.limits_regex_steps);
    pcre2_set_heap_limit(context, (uint32_t)(world.settings.limits_request_bytes / 4096));
    int result = pcre2_match(code, (PCRE2_SPTR)text.at, text.length, 0,
                             PCRE2_ANCHORED | PCRE2_ENDANCHORED, data, context);
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    return result;
}

/* *met_limit: nobody can say. */
static bool plain_equal(const struct matcher *matcher, const pcre2_code *code, struct bytes text,
                        bool *met_limit)
{
    if (code == NULL)
        return bytes_equal(text, matcher->value);
    int result = plain_match(code, text);
    if (result < 0 && result != PCRE2_ERROR_NOMATCH)
        *met_limit = true;
    return result >= 0;
}

static bool plain_holds(const struct plain_series *series, const struct matcher *matcher,
                        const pcre2_code *code, bool *met_limit)
{
    bool equal;
    if (matcher->on_metric_name)
        equal = plain_equal(matcher, code, series->name, met_limit);
    else
        equal = plain_equal(matcher, code, plain_value(series, matcher->name), met_limit);
    return equal != matcher->negated;
}

/* False when a limit was met, so that what is selected cannot be said. */
static bool select_plainly(const struct selector *selector)
{
    bool met_limit = false;
    for (uint32_t i = 0; i < plain_count; i++)
        plain[i].selected = true;
    for (uint32_t k = 0; k < selector->count; k++) {
        const struct matcher *matcher = &selector->matchers[k];
        pcre2_code *code = matcher->regex == NULL ? NULL : plain_compile(matcher->value);
        REQUIRE((code != NULL) == (matcher->regex != NULL));
        for (uint32_t i = 0; i < plain_count; i++)
            plain[i].selected =
                plain_holds(&plain[i], matcher, code, &met_limit) && plain[i].selected;
        pcre2_code_free(code);
    }
    return !met_limit;
}

/* ---- parameters ---- */

static bool is_word(struct bytes text, bool colons)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9' && i > 0;
        if (!letter && !digit && !(c == ':' && colons))
            return false;
    }
    return text.length > 0;
}

enum plain_form {
    FORM_BAD,
    FORM_VALUE,
    FORM_REGEX,
};

/* The form NAME=VALUE is of; "!~" or "=" is at the first = or ~ behind the name. */
static enum plain_form form_of(struct bytes text)
{
    size_t name = 0;
    while (name < text.length && is_word((struct bytes){text.at, name + 1}, true))
        name++;
    if (!is_word((struct bytes){text.at, name}, true))
        return FORM_BAD;
    if (name == text.length)
        return FORM_VALUE; /* a metric name */
    if (!is_word((struct bytes){text.at, name}, false))
        return FORM_BAD;
    char first = text.at[name];
    char second = name + 1 < text.length ? text.at[name + 1] : '\0';
    if (second == '~' && (first == '=' || first == '!'))
        return FORM_REGEX;
    return first == '=' || (first == '!' && second == '=') ? FORM_VALUE : FORM_BAD;
}

static bool may_refuse(enum plain_form form, enum status status)
{
    if (form != FORM_REGEX)
        return form == FORM_BAD && status == STATUS_BAD_PARAMETER;
    return status == STATUS_BAD_REGEX || status == STATUS_REGEX_TOO_COSTLY ||
           status == STATUS_REQUEST_TOO_LARGE;
}

static bool add_match(struct question *question, struct bytes value)
{
    struct selector *selector = &question->selector;
    uint32_t before = selector->count;
    enum plain_form form = form_of(value);
    struct refusal refusal = selector_add_match(selector, value, &world.settings, &selectors);
    REQUIRE(selector->count == before + (refusal.status == STATUS_OK));
    if (before == SELECTOR_MATCHERS_MAX)
        REQUIRE(refusal.status == STATUS_BAD_PARAMETER);
    else if (refusal.status == STATUS_OK)
        REQUIRE(form != FORM_BAD);
    else
        REQUIRE(may_refuse(form, refusal.status));
    REQUIRE((refusal.status != STATUS_BAD_PARAMETER && refusal.status != STATUS_BAD_REGEX) ||
            refusal.detail != NULL);
    return refusal.status == STATUS_OK;
}

static bool add_metric(struct selector *selector, struct bytes value)
{
    bool room = selector->count < SELECTOR_MATCHERS_MAX;
    struct refusal refusal = selector_add_metric(selector, value);
    REQUIRE((refusal.status == STATUS_OK) == (room && is_word(value, true)));
    return refusal.status == STATUS_OK;
}

static bool cut_prefix(struct bytes *text, struct bytes prefix)
{
    if (!bytes_start_with(*text, prefix))
        return false;
    *text = (struct bytes){text->at + prefix.length, text->length - prefix.length};
    return true;
}

static bool read_parameter(struct question *question, struct bytes value)
{
    cut_prefix(&value, BYTES("match="));
    if (cut_prefix(&value, BYTES("metric=")))
        return add_metric(&question->selector, value);
    if (cut_prefix(&value, BYTES("after=")))
        question->after = value;
    else if (cut_prefix(&value, BYTES("label=")))
        question->label = value;
    else
        return add_match(question, value); /* "match=" itself need not be written */
    return true;
}

static bool read_question(struct bytes input, struct question *question)
{
    arena_init(&selectors, selectors_memory, SELECTORS_BYTES, SELECTORS_BYTES, NULL);
    selector_init(&question->selector);
    while (input.length > 0) {
        const char *end = memchr(input.at, '&', input.length);
        struct bytes value = {input.at, end == NULL ? input.length : (size_t)(end - input.at)};
        size_t taken = value.length + (end != NULL);
        input = (struct bytes){input.at + taken, input.length - taken};
        if (!read_parameter(question, value))
            return false;
    }
    return true;
}

/* ---- replies ---- */

static json_t *parse(const struct writer *writer)
{
    json_error_t error;
    REQUIRE(!writer->full);
    json_t *root = json_loadb(writer->at, writer->used, JSON_ALLOW_NUL, &error);
    if (root == NULL)
        fprintf(stderr, "%s\n%.*s\n", error.text, (int)writer->used, writer->at);
    REQUIRE(root != NULL);
    return root;
}

static bool says(const json_t *string, struct bytes expected)
{
    return json_is_string(string) &&
           bytes_equal((struct bytes){json_string_value(string), json_string_length(string)},
                       expected);
}

static struct writer make_buffer(size_t bytes)
{
    static char *memory;
    static size_t size;
    if (bytes > size) {
        memory = realloc(memory, bytes);
        size = bytes;
        REQUIRE(memory != NULL);
    }
    return writer_make(memory, bytes);
}

/* ---- series ---- */

static void check_row(const json_t *row, const struct plain_series *expected)
{
    const json_t *labels = json_object_get(row, "labels");
    REQUIRE(says(json_object_get(row, "metric"), expected->name));
    REQUIRE(json_is_object(labels));
    REQUIRE(json_object_size(labels) == expected->label_count);
    for (uint32_t i = 0; i < expected->label_count; i++) {
        const struct plain_label *label = &expected->labels[i];
        REQUIRE(says(json_object_getn(labels, label->name.at, label->name.length), label->value));
    }
}

/* The next plain series that is selected, from *at on; NULL when there is none. */
static const struct plain_series *next_plain(uint32_t *at)
{
    while (*at < plain_count && !plain[*at].selected)
        (*at)++;
    return *at < plain_count ? &plain[(*at)++] : NULL;
}

/* One page; *at goes on in the plain list, *from becomes the next token. False on the last page. */
static bool series_one_page(struct question *question, uint32_t *from, uint32_t *at)
{
    const struct store *store = &world.engine->store;
    struct writer writer = make_buffer(series_rows_bytes(&world.settings) + question->spare);
    fuzz_world_begin(&world);
    struct series_page *page = series_page_make(&question->selector, *from, question->limit,
                                                &world.settings, &world.arena);
    REQUIRE(page != NULL);
    series_rows_begin(&writer);
    while (!series_rows_step(&writer, page, store, world.now_ms, question->slice))
        continue;
    series_rows_end(&writer, page);
    fuzz_world_end(&world);
    json_t *root = parse(&writer);
    const json_t *rows = json_object_get(root, "series");
    const json_t *next = json_object_get(root, "next");
    REQUIRE(json_array_size(rows) <= question->limit);
    REQUIRE(json_array_size(rows) > 0 || next == NULL);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const struct plain_series *expected = next_plain(at);
        REQUIRE(expected != NULL);
        check_row(json_array_get(rows, i), expected);
    }
    if (next != NULL) {
        struct bytes token = {json_string_value(next), json_string_length(next)};
        struct refusal refusal = series_token_read(token, from);
        REQUIRE(refusal.status == STATUS_OK);
    }
    bool more = next != NULL;
    json_decref(root);
    return more;
}

static void check_series(struct question *question)
{
    uint32_t from = 0;
    uint32_t at = 0;
    if (series_token_read(question->after, &from).status != STATUS_OK)
        return;
    while (at < plain_count && plain[at].slot < from)
        at++;
    while (series_one_page(question, &from, &at))
        continue;
    REQUIRE(next_plain(&at) == NULL);
}

/* ---- names ---- */

static struct bytes wanted[NAMES_MAX];
static uint32_t wanted_count;

static void want(struct bytes name, struct bytes after)
{
    uint32_t at = 0;
    if (name.length == 0 || bytes_compare(name, after) <= 0)
        return;
    while (at < wanted_count && bytes_compare(wanted[at], name) < 0)
        at++;
    if (at < wanted_count && bytes_equal(wanted[at], name))
        return;
    REQUIRE(wanted_count < NAMES_MAX);
    memmove(&wanted[at + 1], &wanted[at], (wanted_count - at) * sizeof wanted[0]);
    wanted[at] = name;
    wanted_count++;
}

static void want_names(const struct question *question, bool values)
{
    bool of_metrics = bytes_equal(question->label, BYTES(METRIC_NAME_LABEL));
    wanted_count = 0;
    for (uint32_t i = 0; i < plain_count; i++) {
        if (!plain[i].selected)
            continue;
        if (values && of_metrics)
            want(plain[i].name, question->after);
        else if (values)
            want(plain_value(&plain[i], question->label), question->after);
        for (uint32_t k = 0; !values && k < plain[i].label_count; k++)
            want(plain[i].labels[k].name, question->after);
        if (!values)
            want(BYTES(METRIC_NAME_LABEL), question->after);
    }
}

static struct name_page *collect(struct question *question, bool values)
{
    struct name_page *page =
        name_page_make(question->limit, NAME_PAGE_TEXT_MIN, question->after, &world.arena);
    REQUIRE(page != NULL);
    struct names *names =
        values ? names_make_values(question->label, &question->selector, page, &world.settings,
                                   &world.arena)
               : names_make_labels(&question->selector, page, &world.settings, &world.arena);
    REQUIRE(names != NULL);
    while (!names_step(names, &world.engine->store, question->slice))
        name_page_verify(page);
    name_page_verify(page);
    return page;
}

static void check_names(struct question *question, bool values)
{
    struct writer writer = make_buffer(name_rows_bytes(&world.settings) + question->spare);
    want_names(question, values);
    fuzz_world_begin(&world);
    struct name_page *page = collect(question, values);
    bool more = wanted_count > question->limit;
    REQUIRE(page->count == (more ? question->limit : wanted_count));
    REQUIRE(page->more == more);
    if (values)
        label_values_write(&writer, question->label, page);
    else
        label_names_write(&writer, page);
    uint32_t page_count = page->count;
    fuzz_world_end(&world);
    json_t *root = parse(&writer);
    const json_t *rows = json_object_get(root, values ? "values" : "labels");
    const json_t *next = json_object_get(root, "next");
    size_t count = json_array_size(rows);
    REQUIRE(count <= page_count && (count > 0 || page_count == 0));
    for (size_t i = 0; i < count; i++)
        REQUIRE(says(json_array_get(rows, i), wanted[i]));
    REQUIRE((next != NULL) == (count < wanted_count));
    REQUIRE(next == NULL || says(next, wanted[count - 1]));
    json_decref(root);
}

/* ---- cardinality ---- */

static uint64_t plain_with_label(struct bytes name)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < plain_count; i++)
        count += plain_value(&plain[i], name).length > 0;
    return count;
}

static void check_cardinality(const struct question *question)
{
    struct writer writer = make_buffer(cardinality_rows_bytes(&world.settings));
    fuzz_world_begin(&world);
    struct cardinality *cardinality = cardinality_make(&world.settings, &world.arena);
    REQUIRE(cardinality != NULL);
    while (!cardinality_step(cardinality, &world.engine->store, question->slice))
        continue;
    cardinality_write(&writer, cardinality);
    fuzz_world_end(&world);
    json_t *root = parse(&writer);
    const json_t *labels = json_object_get(root, "labels");
    REQUIRE(json_is_false(json_object_get(root, "labels_approximate")));
    for (size_t i = 0; i < json_array_size(labels); i++) {
        const json_t *row = json_array_get(labels, i);
        const json_t *name = json_object_get(row, "label");
        struct bytes text = {json_string_value(name), json_string_length(name)};
        REQUIRE((uint64_t)json_integer_value(json_object_get(row, "series")) ==
                plain_with_label(text));
    }
    json_decref(root);
}

/* ---- where a limit may be met ---- */

/* An expression met a limit above; here another one may, or the same, or none. It ends. */
static void only_end(struct question *question, int what)
{
    struct selector *selector = &question->selector;
    fuzz_world_begin(&world);
    if (what == 0) {
        uint32_t slice = question->slice;
        struct series_page *page =
            series_page_make(selector, 0, question->limit, &world.settings, &world.arena);
        REQUIRE(page != NULL);
        for (; !series_page_is_done(page, &world.engine->store); slice = question->slice)
            series_page_next(page, &world.engine->store, &slice);
    } else {
        collect(question, what == 2);
    }
    REQUIRE(selector->failure == STATUS_OK || selector->failure == STATUS_REGEX_TOO_COSTLY ||
            selector->failure == STATUS_REQUEST_TOO_LARGE);
    fuzz_world_end(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > WANTED_TEXT_MAX)
        return 0;
    struct bytes input = fuzz_lend((struct bytes){(const char *)data, size});
    struct bytes rest = input;
    uint8_t what = fuzz_take(&rest);
    struct question question = {.after = {"", 0}, .label = {"", 0}};
    question.limit = fuzz_take(&rest) % 64 + 1u;
    question.slice = fuzz_take(&rest) + 1u;
    question.spare = (what & 4) != 0 ? 0 : 65536;
    if (read_question(rest, &question)) {
        if (!select_plainly(&question.selector))
            only_end(&question, what & 3);
        else if ((what & 3) == 0)
            check_series(&question);
        else if ((what & 3) == 3)
            check_cardinality(&question);
        else
            check_names(&question, (what & 3) == 2);
    }
    fuzz_world_verify(&world);
    fuzz_drop(input);
    return 0;
}
