/*
 * collect.h: where the samples of a decoder under test go: into a text that can be compared.
 *
 *     1 counter hits{a="1"} 2              line, kind, name, labels, value
 *     1/3 gauge up{} 0 @1500               line and element; @ is the timestamp in milliseconds
 *     1/3 + histogram t{} 0.5              one more value of the sample before
 *     ! 2/4 bad_json: it is not an object  a rejection
 *     = too_many …                         what ended the request, when something did
 *
 * All memory is static: the suites run one test at a time.
 */
#ifndef TESTS_UNIT_INGEST_COLLECT_H
#define TESTS_UNIT_INGEST_COLLECT_H

#include "base/hash.h"
#include "ingest/decoder.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define COLLECT_SEED 0x5eed41
#define COLLECT_TEXT_BYTES ((size_t)4 << 20)
#define COLLECT_SCRATCH_BYTES ((size_t)512 << 10) /* the most; see collect_init */
#define COLLECT_ARENA_BYTES ((size_t)64 << 10)

/* ck_assert() writes to a file each time it is passed, which these are a million times. */
#define COLLECT_REQUIRE(condition) \
    do { \
        if (!(condition)) \
            ck_abort_msg("%s", #condition); \
    } while (0)

struct collector {
    struct settings settings;
    struct ledger ledger;
    struct report report;
    struct batch batch;
    struct intake intake;
    struct arena scratch;
    struct arena arena;
    const struct label_list *labels; /* of the path */
    uint64_t body_bytes;             /* what the decoder is told; 0: the body's own length */
    unsigned flushes;
    unsigned flush_refused_at; /* the nth flush is refused; 0: none */
    size_t used;
    char text[COLLECT_TEXT_BYTES];
    char kept[COLLECT_TEXT_BYTES]; /* see collect_keep */
    _Alignas(ARENA_ALIGN) char scratch_memory[COLLECT_SCRATCH_BYTES];
    _Alignas(ARENA_ALIGN) char arena_memory[COLLECT_ARENA_BYTES];
};

__attribute__((format(printf, 2, 3))) static inline void
collect_print(struct collector *collector, const char *format, ...)
{
    va_list arguments;
    size_t room = COLLECT_TEXT_BYTES - collector->used;
    va_start(arguments, format);
    int length = vsnprintf(collector->text + collector->used, room, format, arguments);
    va_end(arguments);
    COLLECT_REQUIRE(length >= 0);
    COLLECT_REQUIRE((size_t)length < room);
    collector->used += (size_t)length;
}

static inline void collect_place(struct collector *collector, uint64_t line, uint32_t element)
{
    collect_print(collector, "%llu", (unsigned long long)line);
    if (element != 0)
        collect_print(collector, "/%u", element);
}

static inline void collect_sample(struct collector *collector, const struct sample *sample)
{
    struct bytes name = sample_name(sample);
    struct bytes labels = sample_labels(sample);
    COLLECT_REQUIRE(sample->fingerprint == hash_series(name, labels, COLLECT_SEED));
    collect_place(collector, sample->line, sample->element);
    collect_print(collector, "%s %s %.*s{%.*s}", sample->follows ? " +" : "",
                  kind_name(sample->kind), (int)name.length, name.at, (int)labels.length,
                  labels.at);
    if (sample->kind == KIND_SET)
        collect_print(collector, " #%016llx", (unsigned long long)sample->member);
    else
        collect_print(collector, " %.17g", sample->value);
    if (sample->timestamp_ms != TIMESTAMP_NONE)
        collect_print(collector, " @%lld", (long long)sample->timestamp_ms);
    collect_print(collector, "\n");
}

static inline struct refusal collect_flush(void *context, struct intake *intake)
{
    struct collector *collector = context;
    struct refusal refusal = refusal_plain(STATUS_OK);
    if (++collector->flushes == collector->flush_refused_at)
        return refusal_plain(STATUS_REQUEST_TOO_LARGE);
    for (uint32_t i = 0; i < intake->batch->count; i++) {
        collect_sample(collector, &intake->batch->samples[i]);
        collector->report.accepted += intake->batch->samples[i].lines;
    }
    return refusal;
}

static inline void collect_scratch(struct collector *collector, size_t bytes)
{
    arena_init(&collector->scratch, collector->scratch_memory, bytes, bytes, NULL);
    collector->settings.limits_scratch_bytes = bytes;
}

/*
 * Defaults in all settings; the test changes what it is about. The scratch is a small one, since
 * each rewind poisons all of it.
 */
static inline void collect_init(struct collector *collector)
{
    settings_init(&collector->settings);
    collect_scratch(collector, (size_t)64 << 10);
    ledger_init(&collector->ledger);
    for (int pool = 0; pool < POOL_COUNT; pool++)
        collector->ledger.accounts[pool].capacity_bytes = UINT64_MAX;
    arena_init(&collector->arena, collector->arena_memory, COLLECT_ARENA_BYTES,
               COLLECT_ARENA_BYTES, NULL);
    collector->labels = NULL;
    collector->body_bytes = 0;
    collector->flush_refused_at = 0;
}

/* Forgets the last run. */
static inline void collect_begin(struct collector *collector)
{
    arena_reset(&collector->arena);
    collector->report = (struct report){0};
    collector->batch.count = 0;
    collector->batch.text_used = 0;
    collector->flushes = 0;
    collector->used = 0;
    collector->text[0] = 0;
    collector->intake = (struct intake){
        .batch = &collector->batch,
        .report = &collector->report,
        .scratch = &collector->scratch,
        .settings = &collector->settings,
        .ledger = &collector->ledger,
        .seed = COLLECT_SEED,
        .flush = collect_flush,
        .context = collector,
    };
}

/*
 * Feeds a copy that has just its size and ends with the call, so that reading beyond it or keeping
 * a pointer to it is caught by AddressSanitizer. Afterwards batch and scratch must be empty.
 */
static inline struct refusal collect_feed(struct collector *collector, struct decoder *decoder,
                                          struct bytes input)
{
    char *copy = malloc(input.length + (input.length == 0));
    COLLECT_REQUIRE(copy != NULL);
    if (input.length > 0)
        memcpy(copy, input.at, input.length);
    struct refusal refusal =
        decoder->feed(decoder, (struct bytes){copy, input.length}, &collector->intake);
    free(copy);
    COLLECT_REQUIRE(arena_used(&collector->scratch) == 0);
    COLLECT_REQUIRE(collector->batch.count == 0);
    return refusal;
}

static inline struct refusal collect_finish(struct collector *collector, struct decoder *decoder)
{
    struct refusal refusal = decoder->finish(decoder, &collector->intake);
    COLLECT_REQUIRE(arena_used(&collector->scratch) == 0);
    COLLECT_REQUIRE(collector->batch.count == 0);
    return refusal;
}

static inline void collect_refusal(struct collector *collector, char mark,
                                   const struct refusal *refusal)
{
    collect_print(collector, "%c ", mark);
    collect_place(collector, refusal->line, refusal->element);
    collect_print(collector, " %s", status_code(refusal->status));
    if (refusal->detail != NULL)
        collect_print(collector, ": %s", refusal->detail);
    if (refusal->setting != NULL)
        collect_print(collector, " %s=%llu", refusal->setting,
                      (unsigned long long)refusal->limit);
    collect_print(collector, "\n");
}

static inline struct decoder *collect_decoder(struct collector *collector, enum format format,
                                              struct bytes body)
{
    struct decoder_options options = {
        .format = format,
        .body_bytes = collector->body_bytes == 0 ? body.length : collector->body_bytes,
        .labels = collector->labels,
    };
    collect_begin(collector);
    struct decoder *decoder = decoder_make(&options, &collector->settings, &collector->arena);
    COLLECT_REQUIRE(decoder != NULL);
    return decoder;
}

/* The body in pieces of `piece` bytes, the first of `first`; returns what came of it as text. */
static inline const char *collect_pieces(struct collector *collector, enum format format,
                                         struct bytes body, size_t first, size_t piece)
{
    struct decoder *decoder = collect_decoder(collector, format, body);
    struct refusal refusal = refusal_plain(STATUS_OK);
    size_t at = 0;
    size_t length = first < body.length ? first : body.length;
    while (at < body.length && refusal.status == STATUS_OK) {
        refusal = collect_feed(collector, decoder, (struct bytes){body.at + at, length});
        at += length;
        length = piece < body.length - at ? piece : body.length - at;
    }
    if (refusal.status == STATUS_OK)
        refusal = collect_finish(collector, decoder);
    for (uint32_t i = 0; i < collector->report.error_count; i++)
        collect_refusal(collector, '!', &collector->report.errors[i]);
    if (refusal.status != STATUS_OK)
        collect_refusal(collector, '=', &refusal);
    return collector->text;
}

/* What came of the last run, kept for comparison with the next ones. */
static inline const char *collect_keep(struct collector *collector)
{
    return memcpy(collector->kept, collector->text, collector->used + 1);
}

static inline const char *collect(struct collector *collector, enum format format,
                                  struct bytes body)
{
    return collect_pieces(collector, format, body, body.length, body.length);
}

#endif
