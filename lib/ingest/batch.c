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

const char *batch_copy(struct batch *batch, struct bytes text)
{
    return memcpy(batch_text(batch, text.length), text.at, text.length);
}

/* `bytes` at the next multiple of `grain`: fewer than `grain` bytes before them are lost. */
static void *batch_place(struct batch *batch, size_t bytes, size_t grain)
{
    size_t lost = -(uintptr_t)(batch->text + batch->text_used) % grain;
    batch_text(batch, lost);
    return batch_text(batch, bytes);
}

size_t batch_declaration_bytes(struct declaration declaration)
{
    return sizeof(struct declaration) + _Alignof(struct declaration) + declaration.help.length +
           declaration.unit.length;
}

const struct declaration *batch_declaration(struct batch *batch, struct declaration declaration)
{
    struct declaration *copy = batch_place(batch, sizeof *copy, _Alignof(struct declaration));
    copy->help = (struct bytes){batch_copy(batch, declaration.help), declaration.help.length};
    copy->unit = (struct bytes){batch_copy(batch, declaration.unit), declaration.unit.length};
    return copy;
}

size_t batch_child_bytes(const struct child *child)
{
    return child_bytes(child) + _Alignof(struct child);
}

const struct child *batch_child(struct batch *batch, const struct child *child)
{
    return child_copy(child, batch_place(batch, child_bytes(child), _Alignof(struct child)));
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
    report_reject_lines(report, refusal, 1);
}

void report_reject_lines(struct report *report, struct refusal refusal, uint32_t lines)
{
    report->rejected += lines;
    report->rejected_by[refusal.status] += lines;
    if (report->error_count < REPORT_ERRORS)
        report->errors[report->error_count++] = refusal;
}
