/* decoder.c: which decoder a body gets. See decoder.h. */
#include "ingest/decoder.h"

/* Waits for the first byte that is not blank, then hands everything to the decoder it asks for. */
struct sniffer {
    struct decoder decoder;
    struct decoder *chosen;
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

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Blank lines count, so that errors name the right one: only blanks within the first line are skipped. */
static struct refusal sniffer_feed(struct decoder *decoder, struct bytes input,
                                   struct intake *intake)
{
    struct sniffer *sniffer = (struct sniffer *)decoder;
    if (sniffer->chosen == NULL) {
        while (input.length > 0 && is_blank(input.at[0])) {
            input.at++;
            input.length--;
        }
        size_t first = 0;
        while (first < input.length && (is_blank(input.at[first]) || input.at[first] == '\n'))
            first++;
        if (first == input.length)
            return refusal_plain(STATUS_OK);
        sniffer->options.format = format_by_first_byte(input.at[first]);
        sniffer->chosen = decoder_make(&sniffer->options, sniffer->settings, sniffer->arena);
        if (sniffer->chosen == NULL)
            return refusal_of(sniffer->arena->refusal, sniffer->settings);
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
