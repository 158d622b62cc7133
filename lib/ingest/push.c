/* push.c: see push.h. */
#include "ingest/push.h"

struct push *push_make(const struct push_options *options, const struct settings *settings,
                       struct arena *arena)
{
    struct push *push = arena_push_zero(arena, sizeof *push);
    if (push == NULL)
        return NULL;
    push->arena = arena;
    push->atomic = options->atomic;
    struct decoder_options decoder = options->decoder;
    if (options->encoding != ENCODING_IDENTITY) {
        push->inflater = inflater_make(options->encoding, settings, arena);
        if (push->inflater == NULL)
            return NULL;
        decoder.body_bytes = settings->limits_inflated_bytes;
    }
    push->decoder = decoder_make(&decoder, settings, arena);
    return push->decoder == NULL ? NULL : push;
}

/* ---- an atomic push keeps its samples ---- */

static const char *hold_text(struct arena *arena, struct bytes text, bool *held)
{
    const char *copy = arena_push_copy(arena, text);
    *held = *held && copy != NULL;
    return copy;
}

static const struct declaration *hold_declaration(struct arena *arena,
                                                  const struct declaration *declaration, bool *held)
{
    if (declaration == NULL)
        return NULL;
    struct declaration *copy = arena_push(arena, sizeof *copy);
    *held = *held && copy != NULL;
    if (copy == NULL)
        return NULL;
    *copy = (struct declaration){
        {hold_text(arena, declaration->help, held), declaration->help.length},
        {hold_text(arena, declaration->unit, held), declaration->unit.length},
    };
    return copy;
}

static bool is_child(const struct sample *sample)
{
    return kind_has_children((enum kind)sample->kind);
}

static const struct child *hold_child(struct arena *arena, const struct child *child, bool *held)
{
    void *copy = arena_push(arena, child_bytes(child));
    *held = *held && copy != NULL;
    return copy == NULL ? NULL : child_copy(child, copy);
}

/* The batch's flush of an atomic push: copies everything into the request's arena. */
static struct refusal hold(void *context, struct intake *intake)
{
    struct push *push = context;
    struct batch *batch = intake->batch;
    bool held = true;
    struct held_samples *samples =
        arena_push(push->arena, sizeof *samples + batch->count * sizeof(struct sample));
    if (samples == NULL)
        return refusal_of(push->arena->refusal, intake->settings);
    samples->next = NULL;
    samples->count = batch->count;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct sample sample = batch->samples[i];
        sample.name = hold_text(push->arena, sample_name(&sample), &held);
        sample.labels = hold_text(push->arena, sample_labels(&sample), &held);
        sample.declaration = hold_declaration(push->arena, sample.declaration, &held);
        if (is_child(&sample))
            sample.child = hold_child(push->arena, sample.child, &held);
        if (!held)
            return refusal_of(push->arena->refusal, intake->settings);
        samples->samples[i] = sample;
    }
    if (push->held_last == NULL)
        push->held = samples;
    else
        push->held_last->next = samples;
    push->held_last = samples;
    return refusal_plain(STATUS_OK);
}

/* The intake a decoder sees: its samples are held when the push is atomic. */
static struct intake intake_for(struct push *push, const struct intake *intake)
{
    struct intake own = *intake;
    own.report = &push->report;
    if (push->atomic) {
        own.flush = hold;
        own.context = push;
    }
    return own;
}

/* ---- feeding ---- */

static struct refusal feed_inflated(struct push *push, struct bytes input, struct intake *intake)
{
    for (;;) {
        struct bytes chunk;
        struct refusal refusal = inflater_next(push->inflater, &input, &chunk);
        if (refusal.status != STATUS_OK)
            return refusal;
        if (chunk.length == 0 && input.length == 0)
            return refusal;
        if (chunk.length > 0)
            refusal = push->decoder->feed(push->decoder, chunk, intake);
        if (refusal.status != STATUS_OK)
            return refusal;
    }
}

/*
 * A decoder that gave up in the middle of a feed may have left samples in the batch: they count, or
 * go with it.
 */
static struct refusal settle(struct refusal refusal, struct intake *intake)
{
    if (intake->batch->count == 0)
        return refusal;
    struct refusal flushed = batch_flush(intake);
    return refusal.status != STATUS_OK ? refusal : flushed;
}

struct refusal push_feed(struct push *push, struct bytes input, struct intake *intake)
{
    struct intake own = intake_for(push, intake);
    struct refusal refusal = push->inflater != NULL
                                 ? feed_inflated(push, input, &own)
                                 : push->decoder->feed(push->decoder, input, &own);
    return settle(refusal, &own);
}

struct refusal push_finish(struct push *push, struct intake *intake)
{
    struct intake own = intake_for(push, intake);
    if (push->inflater != NULL) {
        struct refusal refusal = inflater_finish(push->inflater);
        if (refusal.status != STATUS_OK)
            return refusal;
    }
    return settle(push->decoder->finish(push->decoder, &own), &own);
}
