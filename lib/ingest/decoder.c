/* decoder.c: which decoder a body gets. See decoder.h. */
#include "ingest/decoder.h"

/* Waits for the first byte that is not blank, then hands everything to the decoder it asks for. */
struct sniffer {
    struct decoder decoder;
    struct decoder *chosen;
    uint64_t blank_lines; /* passed over so far */
    struct decoder_options options;
    const struct settings *settings;
    struct arena *arena;
};

static enum format format_by_first_byte(char first)
{
    if (first == '{')
        return FORMAT_NDJSON;
    return first == '[' ? FORMAT_JSON : FORMAT_PROMETHEUS;
}

/* Takes blanks and newlines off the front; how the body was cut makes no difference. */
static void skip_blanks(struct sniffer *sniffer, struct bytes *input)
{
    size_t at = 0;
    for (; at < input->length; at++) {
        char c = input->at[at];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
        sniffer->blank_lines += c == '\n';
    }
    *input = (struct bytes){input->at + at, input->length - at};
}

/* Blank lines count, so that errors name the right one. */
static struct refusal feed_blank_lines(struct sniffer *sniffer, struct intake *intake)
{
    char newlines[1024];
    struct refusal refusal = refusal_plain(STATUS_OK);
    memset(newlines, '\n', sizeof newlines);
    while (sniffer->blank_lines > 0 && refusal.status == STATUS_OK) {
        size_t most = sizeof newlines;
        size_t count = sniffer->blank_lines < most ? (size_t)sniffer->blank_lines : most;
        refusal = sniffer->chosen->feed(sniffer->chosen, (struct bytes){newlines, count}, intake);
        sniffer->blank_lines -= count;
    }
    return refusal;
}

static struct refusal sniffer_feed(struct decoder *decoder, struct bytes input,
                                   struct intake *intake)
{
    struct sniffer *sniffer = (struct sniffer *)decoder;
    if (sniffer->chosen == NULL) {
        skip_blanks(sniffer, &input);
        if (input.length == 0)
            return refusal_plain(STATUS_OK);
        sniffer->options.format = format_by_first_byte(input.at[0]);
        sniffer->chosen = decoder_make(&sniffer->options, sniffer->settings, sniffer->arena);
        if (sniffer->chosen == NULL)
            return refusal_of(sniffer->arena->refusal, sniffer->settings);
        struct refusal refusal = feed_blank_lines(sniffer, intake);
        if (refusal.status != STATUS_OK)
            return refusal;
    }
    return sniffer->chosen->feed(sniffer->chosen, input, intake);
}

static struct refusal sniffer_finish(struct decoder *decoder, struct intake *intake)
{
    struct sniffer *sniffer = (struct sniffer *)decoder;
    if (sniffer->chosen == NULL)
        return refusal_plain(STATUS_OK); /* nothing but blanks */
    return sniffer->chosen->finish(sniffer->chosen, intake);
}

static struct decoder *sniffer_make(const struct decoder_options *options,
                                    const struct settings *settings, struct arena *arena)
{
    struct sniffer *sniffer = arena_push(arena, sizeof *sniffer);
    if (sniffer == NULL)
        return NULL;
    *sniffer = (struct sniffer){
        .decoder = {.feed = sniffer_feed, .finish = sniffer_finish},
        .options = *options,
        .settings = settings,
        .arena = arena,
    };
    return &sniffer->decoder;
}

struct decoder *decoder_make(const struct decoder_options *options,
                             const struct settings *settings, struct arena *arena)
{
    switch (options->format) {
    case FORMAT_NDJSON:
    case FORMAT_JSON:
        return json_decoder_make(options, settings, arena);
    case FORMAT_PROMETHEUS:
    case FORMAT_OPENMETRICS:
        return prometheus_decoder_make(options, settings, arena);
    default:
        return sniffer_make(options, settings, arena);
    }
}
