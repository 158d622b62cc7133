/*
 * fuzz_json.c: NDJSON and JSON arrays.
 *
 *     'P' NDJSON, 'Q' JSON; + 2 a scratch that is soon full; + 4 and + 8: with labels of a path
 *     cuts (fuzz.h), then the body
 */
#include "fuzz.h"

#include "ingest/json_element.h"

#define SCRATCH_BYTES ((size_t)32 << 10)
#define SMALL_SCRATCH_BYTES ((size_t)3 << 10)

static struct fuzz_sink sink;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_element_setup(FUZZ_SEED);
    fuzz_sink_init(&sink, SCRATCH_BYTES);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes body = {(const char *)data, size};
    uint8_t choice = fuzz_take(&body);
    struct fuzz_cuts cuts = fuzz_take_cuts(&body);
    struct decoder_options options = {
        .format = (choice & 1) == 0 ? FORMAT_NDJSON : FORMAT_JSON,
        .body_bytes = UINT64_MAX,
        .labels = fuzz_path_labels(choice >> 2 & 3),
    };
    fuzz_sink_scratch(&sink, (choice & 2) == 0 ? SCRATCH_BYTES : SMALL_SCRATCH_BYTES);
    fuzz_sink_compare(&sink, &options, body, &cuts);
    return 0;
}
