/*
 * fuzz_prometheus.c: Prometheus text and OpenMetrics.
 *
 *     'P' text, 'Q' OpenMetrics, 'R' by the first byte;
 *     + 4 and + 8 ('T', 'X', ...): with labels of a path
 *     cuts (fuzz.h), then the body
 *
 * A canonical sample for each accepted line, the same however the body is cut, whether its length
 * is told or not, and with a blank behind each opening brace: which sends every line to the careful
 * reader, past the fast one.
 */
#include "fuzz.h"

#include "ingest/json_element.h"

static struct fuzz_sink sink;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_element_setup(FUZZ_SEED);
    fuzz_sink_init(&sink, 64 << 10);
    return 0;
}

static enum format format_of(uint8_t choice)
{
    static const enum format formats[] = {FORMAT_PROMETHEUS, FORMAT_OPENMETRICS,
                                          FORMAT_BY_FIRST_BYTE, FORMAT_OPENMETRICS};
    return formats[choice % COUNT_OF(formats)];
}

static void keep(struct fuzz_text *text)
{
    fuzz_text_reset(text);
    fuzz_text_add(text, (struct bytes){sink.text.at, sink.text.used});
}

static bool is_comment(struct bytes line)
{
    line = bytes_trim(line);
    return line.length > 0 && line.at[0] == '#';
}

/*
 * The body with a blank behind the first brace of each line; false when that makes a line too long.
 */
static bool with_blanks(struct bytes body, struct fuzz_text *out)
{
    fuzz_text_reset(out);
    while (body.length > 0) {
        const char *end = memchr(body.at, '\n', body.length);
        size_t length = end == NULL ? body.length : (size_t)(end - body.at) + 1;
        bool comment = is_comment((struct bytes){body.at, length});
        const char *brace = comment ? NULL : memchr(body.at, '{', length);
        size_t head = brace == NULL ? length : (size_t)(brace - body.at) + 1;
        if (length >= sink.settings.limits_line_bytes)
            return false;
        fuzz_text_add(out, (struct bytes){body.at, head});
        if (brace != NULL)
            fuzz_text_add(out, BYTES(" "));
        fuzz_text_add(out, (struct bytes){body.at + head, length - head});
        body = (struct bytes){body.at + length, body.length - length};
    }
    return true;
}

/* What the first byte decides is the same as what a header says. */
static void compare_sniffed(struct decoder_options *options, struct bytes body,
                            const struct fuzz_text *sniffed)
{
    size_t first = 0;
    while (first < body.length && memchr(" \t\n", body.at[first], 3) != NULL)
        first++;
    if (first == body.length || body.at[first] == '{' || body.at[first] == '\r')
        return; /* nothing at all; NDJSON; a blank for one, and for the other not everywhere */
    options->format = body.at[first] == '[' ? FORMAT_JSON : FORMAT_PROMETHEUS;
    fuzz_sink_run(&sink, options, body, &fuzz_whole);
    fuzz_text_same(sniffed, "sniffed", &sink.text, "told");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_text unknown_length, blanks;
    struct bytes body = {(const char *)data, size};
    uint8_t choice = fuzz_take(&body);
    struct fuzz_cuts cuts = fuzz_take_cuts(&body);
    struct decoder_options options = {
        .format = format_of(choice),
        .body_bytes = UINT64_MAX,
        .labels = fuzz_path_labels(choice >> 2 & 3),
    };
    fuzz_sink_compare(&sink, &options, body, &cuts);
    keep(&unknown_length);
    options.body_bytes = body.length;
    fuzz_sink_run(&sink, &options, body, &cuts);
    fuzz_text_same(&unknown_length, "length unknown", &sink.text, "length known");
    options.body_bytes = UINT64_MAX;
    if (options.format == FORMAT_BY_FIRST_BYTE) {
        compare_sniffed(&options, body, &unknown_length);
        return 0;
    }
    if (!with_blanks(body, &blanks))
        return 0;
    fuzz_sink_run(&sink, &options, (struct bytes){blanks.at, blanks.used}, &fuzz_whole);
    fuzz_text_same(&unknown_length, "fast", &sink.text, "careful");
    return 0;
}
