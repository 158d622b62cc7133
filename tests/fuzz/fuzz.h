/*
 * fuzz.h: what the targets share: small limits, checks that do not go away, bodies cut in pieces,
 * and a sink for what decoders emit.
 *
 *     input bytes ──first ones──> options, cuts      letters and digits, so that seeds are readable
 *                 └──the rest───> body ──fuzz_feed──> decoder ──flush──> fuzz_check_sample, text
 *
 * Each target is one file with LLVMFuzzerTestOneInput. It links with libFuzzer, or with replay.c
 * for a plain test.
 *
 * Owner: the target; what is here is static or malloc'ed once. Threads: one.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "ingest/decoder.h"

#include <stdio.h>

#define FUZZ_SEED 0x5eed41
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* An oracle's question. It stays on in every build: a target without it finds crashes only. */
#define REQUIRE(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

_Noreturn void fuzz_fail(const char *condition, const char *file, int line);

/* libFuzzer's names. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte of what is left, 0 when nothing is. */
uint8_t fuzz_take(struct bytes *input);

/* ---- limits so small that a few bytes reach them ---- */

void fuzz_settings(struct settings *settings);

/* ---- text that grows ---- */

struct fuzz_text {
    char *at; /* NUL-terminated */
    size_t used;
    size_t size;
};

void fuzz_text_reset(struct fuzz_text *text);
void fuzz_text_add(struct fuzz_text *text, struct bytes bytes);
__attribute__((format(printf, 2, 3))) void fuzz_text_print(struct fuzz_text *text,
                                                           const char *format, ...);

/*
 * Two runs that should have come to the same; shows the first line that differs and stops when they
 * did not.
 */
void fuzz_text_same(const struct fuzz_text *a, const char *a_name, const struct fuzz_text *b,
                    const char *b_name);

/* ---- pieces ---- */

#define FUZZ_CUTS_MAX 7

/* How a body is cut: pieces of these lengths, over and over; none: in one piece. */
struct fuzz_cuts {
    uint32_t count;
    size_t lengths[FUZZ_CUTS_MAX];
};

/* A byte that says how many (0 to 7), and as many lengths. */
struct fuzz_cuts fuzz_take_cuts(struct bytes *input);

/* Pieces of one byte each. */
extern const struct fuzz_cuts fuzz_single_bytes;

/* In one piece. */
extern const struct fuzz_cuts fuzz_whole;

/* The next piece of the body; false when it is used up. */
bool fuzz_next_piece(const struct fuzz_cuts *cuts, size_t *at, struct bytes body,
                     struct bytes *piece);

/*
 * A copy of just that size, so that reading past it, or keeping a pointer into it until after
 * fuzz_drop, is caught by AddressSanitizer.
 */
struct bytes fuzz_lend(struct bytes piece);
void fuzz_drop(struct bytes lent);

/* ---- samples ---- */

/*
 * All that sample.h promises of a sample: names, canonical labels, values, declarations, the
 * fingerprint.
 */
void fuzz_check_sample(const struct sample *sample, const struct settings *settings);

void fuzz_write_sample(struct fuzz_text *text, const struct sample *sample);
void fuzz_write_refusal(struct fuzz_text *text, char mark, const struct refusal *refusal);

/* Labels as a path adds them, by number: none; two to be sorted in; two that win over others. */
#define FUZZ_PATHS 3
const struct label_list *fuzz_path_labels(unsigned number);

/* ---- an intake that checks and collects ---- */

#define FUZZ_ARENA_BYTES ((size_t)320 << 10)

struct fuzz_sink {
    struct settings settings;
    struct ledger ledger;
    struct report report;
    struct batch batch;
    struct intake intake;
    struct arena scratch;
    struct arena arena;
    struct fuzz_text text;
    char *scratch_memory;
    char *arena_memory;
};

/* Once. Afterwards the settings may be changed, but for the scratch. */
void fuzz_sink_init(struct fuzz_sink *sink, size_t scratch_bytes);

/* Another size of scratch, at most that of fuzz_sink_init. */
void fuzz_sink_scratch(struct fuzz_sink *sink, size_t scratch_bytes);

/* Forgets what the last body came to. */
void fuzz_sink_begin(struct fuzz_sink *sink);

/* Feeds the body in pieces and finishes; what it came to is in sink->text. */
void fuzz_sink_run(struct fuzz_sink *sink, const struct decoder_options *options,
                   struct bytes body, const struct fuzz_cuts *cuts);

/* After a feed nothing may be left in the batch or the scratch. */
void fuzz_sink_settled(const struct fuzz_sink *sink);

/* Writes what the report and the last refusal say. */
void fuzz_sink_close(struct fuzz_sink *sink, const struct refusal *refusal);

/*
 * A decoder's oracle: the body in one piece, cut as the input says, and byte by byte come to the
 * same.
 */
void fuzz_sink_compare(struct fuzz_sink *sink, const struct decoder_options *options,
                       struct bytes body, const struct fuzz_cuts *cuts);

#endif
