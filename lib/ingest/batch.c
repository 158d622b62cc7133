/* batch.c: see batch.h. */
#include "ingest/batch.h"

#include "base/ensure.h"

struct refusal batch_reserve(struct intake *intake, size_t text_bytes)
{
    ENSURE(text_bytes <= BATCH_TEXT_BYTES);
    if (batch_has_room(intake->batch, text_bytes))
        return refusal_plain(STATUS_OK);
    return batch_flush(intake);
}

struct sample *batch_add(struct batch *batch)
{
    ENSURE(batch->count < BATCH_SAMPLES);
    struct sample *sample = &batch->samples[batch->count++];
    *sample = (struct sample){.timestamp_ms = TIMESTAMP_NONE};
    return sample;
}

char *batch_text(struct batch *batch, size_t bytes)
{
    ENSURE(bytes <= BATCH_TEXT_BYTES - batch->text_used);
    char *at = batch->text + batch->text_used;
    batch->text_used += (uint32_t)bytes;
    return at;
}

static struct bytes text_copy(struct batch *batch, struct bytes text)
{
    char *at = batch_text(batch, text.length);
    memcpy(at, text.at, text.length);
    return (struct bytes){at, text.length};
}

size_t batch_declaration_bytes(struct declaration declaration)
{
    return sizeof(struct declaration) + _Alignof(struct declaration) + declaration.help.length +
           declaration.unit.length;
}

const struct declaration *batch_declaration(struct batch *batch, struct declaration declaration)
{
    size_t grain = _Alignof(struct declaration);
    batch_text(batch, (grain - batch->text_used % grain) % grain);
    struct declaration *copy = (struct declaration *)(void *)batch_text(batch, sizeof *copy);
    copy->help = text_copy(batch, declaration.help);
    copy->unit = text_copy(batch, declaration.unit);
    return copy;
}

struct refusal batch_flush(struct intake *intake)
{
    struct batch *batch = intake->batch;
    if (batch->count == 0) {
        batch->text_used = 0;
        return refusal_plain(STATUS_OK);
    }
    ledger_visit(intake->ledger, POOL_BATCHES,
                 batch->count * sizeof(struct sample) + batch->text_used);
    struct refusal refusal = intake->flush(intake->context, intake);
    batch->count = 0;
    batch->text_used = 0;
    return refusal;
}

void report_reject(struct report *report, struct refusal refusal)
{
    report->rejected++;
    report->rejected_by[refusal.status]++;
    if (report->error_count < REPORT_ERRORS)
        report->errors[report->error_count++] = refusal;
}
