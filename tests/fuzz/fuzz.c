/* fuzz.c: see fuzz.h. */
#include "fuzz.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "memory/poison.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

/* Beyond this byte by byte would take most of the time. */
#define SINGLE_BYTES_MAX 1024

_Noreturn void fuzz_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "REQUIRE failed: %s (%s:%d)\n", condition, file, line);
    abort();
}

_Noreturn void ensure_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "ENSURE failed: %s (%s:%d)\n", condition, file, line);
    abort();
}

uint8_t fuzz_take(struct bytes *input)
{
    if (input->length == 0)
        return 0;
    uint8_t first = (uint8_t)input->at[0];
    *input = (struct bytes){input->at + 1, input->length - 1};
    return first;
}

/* ---- limits ---- */

void fuzz_settings(struct settings *settings)
{
    settings_init(settings);
    settings->server_threads = 2;
    settings->server_connections = 16;
    settings->server_socket_bytes = 128 << 10;
    settings->requests_bytes = 256 << 10;
    settings->limits_request_bytes = 128 << 10;
    settings->limits_scratch_bytes = 64 << 10;
    settings->limits_line_bytes = 1 << 10;
    settings->limits_element_bytes = 512;
    settings->limits_json_depth = 4;
    settings->limits_inflated_bytes = 64 << 10;
    settings->limits_zstd_window_bytes = 16 << 10;
    settings->limits_name_bytes = 32;
    settings->limits_labels = 5;
    settings->limits_label_name_bytes = 24;
    settings->limits_label_value_bytes = 48;
    settings->limits_label_set_bytes = 128;
    settings->limits_families = 16;
    settings->series_max = 24;
    settings->series_label_bytes = 16 << 10;
    settings->histograms_max = 16;
    settings->buckets_max = 16;
    settings->sets_max = 4;
    settings->limits_query_groups = 16;
    settings->limits_query_points = 1024;
    settings->limits_summary_groups = 16;
    settings->windows_fine_bytes = 32 << 10;
    settings->windows_middle_bytes = 32 << 10;
    settings->windows_coarse_bytes = 32 << 10;
    settings->windows_own_bytes = 256 << 10;
    settings->cache_bytes = 16 << 10;
}

/* ---- text ---- */

static void text_room(struct fuzz_text *text, size_t bytes)
{
    if (text->size - text->used > bytes)
        return;
    text->size = 2 * text->size + bytes + 256;
    text->at = realloc(text->at, text->size);
    REQUIRE(text->at != NULL);
}

void fuzz_text_reset(struct fuzz_text *text)
{
    text->used = 0;
    fuzz_text_add(text, (struct bytes){"", 0});
}

void fuzz_text_add(struct fuzz_text *text, struct bytes bytes)
{
    text_room(text, bytes.length);
    if (bytes.length > 0)
        memcpy(text->at + text->used, bytes.at, bytes.length);
    text->used += bytes.length;
    text->at[text->used] = '\0';
}

void fuzz_text_print(struct fuzz_text *text, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    REQUIRE(length >= 0 && (size_t)length < sizeof line);
    fuzz_text_add(text, (struct bytes){line, (size_t)length});
}

static void show_line(const char *name, const struct fuzz_text *text, size_t at)
{
    size_t end = at;
    while (at > 0 && text->at[at - 1] != '\n')
        at--;
    while (end < text->used && text->at[end] != '\n')
        end++;
    fprintf(stderr, "%s: %.*s\n", name, (int)(end - at), text->at + at);
}

void fuzz_text_same(const struct fuzz_text *a, const char *a_name, const struct fuzz_text *b,
                    const char *b_name)
{
    size_t at = 0;
    while (at < a->used && at < b->used && a->at[at] == b->at[at])
        at++;
    if (at == a->used && at == b->used)
        return;
    fprintf(stderr, "%s and %s differ:\n", a_name, b_name);
    show_line(a_name, a, at);
    show_line(b_name, b, at);
    fuzz_fail("the same outcome", __FILE__, __LINE__);
}

/* ---- pieces ---- */

const struct fuzz_cuts fuzz_single_bytes = {.count = 1, .lengths = {1}};
const struct fuzz_cuts fuzz_whole = {.count = 0};

struct fuzz_cuts fuzz_take_cuts(struct bytes *input)
{
    struct fuzz_cuts cuts = {.count = fuzz_take(input) % (FUZZ_CUTS_MAX + 1)};
    for (uint32_t i = 0; i < cuts.count; i++)
        cuts.lengths[i] = fuzz_take(input);
    return cuts;
}

bool fuzz_next_piece(const struct fuzz_cuts *cuts, size_t *at, struct bytes body,
                     struct bytes *piece)
{
    static uint32_t turn; /* which length is next; it begins anew with each body */
    size_t left = body.length - *at;
    if (*at == 0)
        turn = 0;
    if (left == 0)
        return false;
    size_t length = cuts->count == 0 ? left : cuts->lengths[turn++ % cuts->count];
    length = length == 0 ? 1 : length;
    *piece = (struct bytes){body.at + *at, length < left ? length : left};
    *at += piece->length;
    return true;
}

struct bytes fuzz_lend(struct bytes piece)
{
    char *copy = malloc(piece.length == 0 ? 1 : piece.length);
    REQUIRE(copy != NULL);
    if (piece.length > 0)
        memcpy(copy, piece.at, piece.length);
    return (struct bytes){copy, piece.length};
}

void fuzz_drop(struct bytes lent)
{
    free((char *)(uintptr_t)lent.at);
}

/* ---- samples ---- */

static void check_value_text(struct bytes value, const struct settings *settings)
{
    REQUIRE(value.length > 0);
    REQUIRE(value.length <= 2 * settings->limits_label_value_bytes); /* escaped, at most */
    REQUIRE(bytes_are_utf8(value));
    for (size_t i = 0; i < value.length; i++) {
        REQUIRE(value.at[i] != '"' && value.at[i] != '\n');
        if (value.at[i] != '\\')
            continue;
        REQUIRE(++i < value.length);
        REQUIRE(value.at[i] == '\\' || value.at[i] == '"' || value.at[i] == 'n');
    }
}

/* One label of the text, just where it should stand; returns where the next one would. */
static size_t check_label(struct bytes text, size_t at, const struct label *label,
                          const struct settings *settings)
{
    const char *behind = label->name.at + label->name.length;
    REQUIRE(label->name.at == text.at + at);
    REQUIRE(label_name_check(label->name, settings).status == STATUS_OK);
    REQUIRE(bytes_start_with((struct bytes){behind, text.length - at - label->name.length},
                             BYTES("=\"")));
    REQUIRE(label->value.at == behind + 2);
    check_value_text(label->value, settings);
    at += label->name.length + 2 + label->value.length;
    REQUIRE(at < text.length && text.at[at] == '"');
    return at + 1;
}

static void check_labels(struct bytes text, const struct settings *settings)
{
    struct bytes rest = text;
    struct bytes before = {"", 0};
    struct label label;
    size_t at = 0;
    uint32_t count = 0;
    REQUIRE(text.length <= settings->limits_label_set_bytes);
    while (label_text_next(&rest, &label)) {
        if (count++ > 0)
            REQUIRE(text.at[at++] == ',');
        REQUIRE(bytes_compare(before, label.name) < 0); /* sorted, and none twice */
        at = check_label(text, at, &label, settings);
        before = label.name;
    }
    REQUIRE(at == text.length);
    REQUIRE(count <= settings->limits_labels);
}

static bool is_child(const struct sample *sample)
{
    return sample->kind == KIND_CLASSIC || sample->kind == KIND_SUMMARY;
}

static void check_bounds(const struct child *child)
{
    REQUIRE(child->bound_count <= CHILD_BOUNDS_MAX);
    for (uint32_t i = 0; i < child->bound_count; i++) {
        REQUIRE(isfinite(child->bounds[i]) && child->counts[i] >= 0);
        REQUIRE(child->counts[i] <= child->count);
        REQUIRE(i == 0 || child->bounds[i] > child->bounds[i - 1]);
        REQUIRE(i == 0 || child->counts[i] >= child->counts[i - 1]);
    }
}

static void check_child(const struct sample *sample)
{
    const struct child *child = sample->child;
    REQUIRE(sample->lines >= 1 && sample->lines >= child->bound_count);
    REQUIRE(child->has_sum || child->has_count);
    REQUIRE(child->has_count || !child->has_buckets);
    REQUIRE(!child->has_buckets || sample->kind == KIND_CLASSIC);
    REQUIRE(child->has_buckets || child->bound_count == 0);
    REQUIRE(isfinite(child->sum) && isfinite(child->count) && child->count >= 0);
    check_bounds(child);
}

static void check_number(const struct sample *sample)
{
    REQUIRE(sample->kind < KIND_COUNT);
    if (is_child(sample)) {
        check_child(sample);
        return;
    }
    REQUIRE(sample->lines == (sample->follows ? 0 : 1));
    if (sample->kind == KIND_SET || sample->kind == KIND_GAUGE)
        return;
    REQUIRE(isfinite(sample->value));
    REQUIRE(sample->kind != KIND_COUNTER || sample->value >= 0);
}

static void check_declaration(const struct declaration *declaration)
{
    if (declaration == NULL)
        return;
    REQUIRE(declaration->help.length <= 256);
    REQUIRE(declaration->unit.length <= 64);
    REQUIRE(bytes_are_utf8(declaration->help));
    REQUIRE(declaration->help.length == 0 ||
            memchr(declaration->help.at, '\n', declaration->help.length) == NULL);
}

void fuzz_check_sample(const struct sample *sample, const struct settings *settings)
{
    struct bytes name = sample_name(sample);
    REQUIRE(metric_name_check(name, settings).status == STATUS_OK);
    check_labels(sample_labels(sample), settings);
    check_number(sample);
    check_declaration(sample->declaration);
    REQUIRE(sample->fingerprint == hash_series(name, sample_labels(sample), FUZZ_SEED));
}

static void write_child(struct fuzz_text *text, const struct child *child)
{
    if (child->has_sum)
        fuzz_text_print(text, " sum=%a", child->sum);
    if (child->has_count)
        fuzz_text_print(text, " count=%a", child->count);
    if (child->has_buckets)
        fuzz_text_print(text, " buckets -%u", child->lost_bounds);
    for (uint32_t i = 0; i < child->bound_count; i++)
        fuzz_text_print(text, " %a:%a", child->bounds[i], child->counts[i]);
}

void fuzz_write_sample(struct fuzz_text *text, const struct sample *sample)
{
    fuzz_text_print(text, "%u/%u+%u %s ", sample->line, sample->element, sample->lines,
                    kind_name(sample->kind));
    fuzz_text_add(text, sample_name(sample));
    fuzz_text_add(text, BYTES("{"));
    fuzz_text_add(text, sample_labels(sample));
    fuzz_text_add(text, BYTES("}"));
    if (is_child(sample))
        write_child(text, sample->child);
    else
        fuzz_text_print(text, " %016llx", (unsigned long long)sample->member); /* value's bits */
    if (sample->timestamp_ms != TIMESTAMP_NONE)
        fuzz_text_print(text, " @%lld", (long long)sample->timestamp_ms);
    if (sample->declaration != NULL) {
        fuzz_text_add(text, BYTES(" help="));
        fuzz_text_add(text, sample->declaration->help);
        fuzz_text_add(text, BYTES(" unit="));
        fuzz_text_add(text, sample->declaration->unit);
    }
    fuzz_text_add(text, BYTES("\n"));
}

void fuzz_write_refusal(struct fuzz_text *text, char mark, const struct refusal *refusal)
{
    fuzz_text_print(text, "%c %llu/%u %s: %s %s=%llu\n", mark, (unsigned long long)refusal->line,
                    refusal->element, status_code(refusal->status),
                    refusal->detail == NULL ? "" : refusal->detail,
                    refusal->setting == NULL ? "" : refusal->setting,
                    (unsigned long long)refusal->limit);
}

static void add_label(struct label_list *list, const char *name, const char *value)
{
    REQUIRE(label_list_add(list, (struct label){bytes_of(name), bytes_of(value)}));
}

const struct label_list *fuzz_path_labels(unsigned number)
{
    static struct label_list lists[FUZZ_PATHS];
    static bool made;
    if (!made) {
        label_list_init(&lists[1]);
        label_list_init(&lists[2]);
        add_label(&lists[1], "job", "j\\\"\\n");
        add_label(&lists[1], "a", "path"); /* a path's labels come in any order */
        add_label(&lists[2], "job", "j");
        add_label(&lists[2], "quantile", "0.5");
        made = true;
    }
    return number % FUZZ_PATHS == 0 ? NULL : &lists[number % FUZZ_PATHS];
}

/* ---- the sink ---- */

static struct refusal collect(void *context, struct intake *intake)
{
    struct fuzz_sink *sink = context;
    for (uint32_t i = 0; i < intake->batch->count; i++) {
        const struct sample *sample = &intake->batch->samples[i];
        fuzz_check_sample(sample, intake->settings);
        fuzz_write_sample(&sink->text, sample);
        intake->report->accepted += sample->lines;
    }
    return refusal_plain(STATUS_OK);
}

void fuzz_sink_init(struct fuzz_sink *sink, size_t scratch_bytes)
{
    fuzz_settings(&sink->settings);
    ledger_init(&sink->ledger);
    for (int pool = 0; pool < POOL_COUNT; pool++)
        sink->ledger.accounts[pool].capacity_bytes = UINT64_MAX;
    sink->scratch_memory = aligned_alloc(ARENA_ALIGN, scratch_bytes);
    sink->arena_memory = aligned_alloc(ARENA_ALIGN, FUZZ_ARENA_BYTES);
    REQUIRE(sink->scratch_memory != NULL && sink->arena_memory != NULL);
    fuzz_sink_scratch(sink, scratch_bytes);
    arena_init(&sink->arena, sink->arena_memory, FUZZ_ARENA_BYTES, FUZZ_ARENA_BYTES, NULL);
}

void fuzz_sink_scratch(struct fuzz_sink *sink, size_t scratch_bytes)
{
    UNPOISON(sink->scratch_memory, sink->scratch.first_bytes);
    arena_init(&sink->scratch, sink->scratch_memory, scratch_bytes, scratch_bytes, NULL);
    sink->settings.limits_scratch_bytes = scratch_bytes;
}

void fuzz_sink_begin(struct fuzz_sink *sink)
{
    arena_reset(&sink->arena);
    fuzz_text_reset(&sink->text);
    sink->report = (struct report){0};
    sink->batch.count = sink->batch.text_used = 0;
    sink->intake = (struct intake){
        .batch = &sink->batch,
        .report = &sink->report,
        .scratch = &sink->scratch,
        .settings = &sink->settings,
        .ledger = &sink->ledger,
        .seed = FUZZ_SEED,
        .flush = collect,
        .context = sink,
    };
}

void fuzz_sink_settled(const struct fuzz_sink *sink)
{
    REQUIRE(sink->batch.count == 0);
    REQUIRE(arena_used(&sink->scratch) == 0);
    REQUIRE(ledger_figures(&sink->ledger, POOL_BATCHES).live_bytes == 0);
    REQUIRE(ledger_figures(&sink->ledger, POOL_SCRATCH).live_bytes == 0);
}

void fuzz_sink_close(struct fuzz_sink *sink, const struct refusal *refusal)
{
    const struct report *report = &sink->report;
    uint64_t rejected = 0;
    for (uint32_t i = 0; i < report->error_count; i++)
        fuzz_write_refusal(&sink->text, '!', &report->errors[i]);
    for (int status = 0; status < STATUS_COUNT; status++)
        rejected += report->rejected_by[status];
    REQUIRE(rejected == report->rejected);
    REQUIRE(report->rejected_by[STATUS_OK] == 0);
    fuzz_text_print(&sink->text, "= %llu %llu\n", (unsigned long long)report->accepted,
                    (unsigned long long)report->rejected);
    fuzz_write_refusal(&sink->text, '=', refusal);
}

void fuzz_sink_run(struct fuzz_sink *sink, const struct decoder_options *options,
                   struct bytes body, const struct fuzz_cuts *cuts)
{
    struct refusal refusal = refusal_plain(STATUS_OK);
    struct bytes piece;
    size_t at = 0;
    fuzz_sink_begin(sink);
    struct decoder *decoder = decoder_make(options, &sink->settings, &sink->arena);
    REQUIRE(decoder != NULL);
    while (refusal.status == STATUS_OK && fuzz_next_piece(cuts, &at, body, &piece)) {
        struct bytes lent = fuzz_lend(piece);
        refusal = decoder->feed(decoder, lent, &sink->intake);
        fuzz_drop(lent);
        fuzz_sink_settled(sink);
    }
    if (refusal.status == STATUS_OK)
        refusal = decoder->finish(decoder, &sink->intake);
    fuzz_sink_settled(sink);
    fuzz_sink_close(sink, &refusal);
}

void fuzz_sink_compare(struct fuzz_sink *sink, const struct decoder_options *options,
                       struct bytes body, const struct fuzz_cuts *cuts)
{
    static struct fuzz_text whole;
    fuzz_sink_run(sink, options, body, &fuzz_whole);
    fuzz_text_reset(&whole);
    fuzz_text_add(&whole, (struct bytes){sink->text.at, sink->text.used});
    if (cuts->count > 0) {
        fuzz_sink_run(sink, options, body, cuts);
        fuzz_text_same(&whole, "whole", &sink->text, "cut");
    }
    if (body.length <= SINGLE_BYTES_MAX) {
        fuzz_sink_run(sink, options, body, &fuzz_single_bytes);
        fuzz_text_same(&whole, "whole", &sink->text, "byte by byte");
    }
}
