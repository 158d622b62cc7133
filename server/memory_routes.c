/*
 * memory_routes.c: /memory/trend, /memory/doctor, snapshots and their differences, peaks.
 *
 * All of it answers from the operator's reserve, too: nothing here grows with what the service
 * holds.
 */
#include "routes.h"
#include "service.h"

#include "base/ensure.h"
#include "base/number.h"
#include "reply/doctor.h"
#include "reply/snapshot_reply.h"
#include "reply/trend_report.h"

static const char plain_type[] = "text/plain; charset=utf-8";

/* ---- trend and doctor ---- */

void trend_end(struct request *request)
{
    struct writer writer;
    struct service *service = request->service;
    if (!request_writer(request, TREND_REPORT_BYTES, &writer))
        return;
    service_lock_engine(service);
    struct watch_report report = watch_report(service->watch, request->now_ms);
    service_unlock_engine(service);
    trend_report_write(&writer, &report, request->now_ms);
    ENSURE(!writer.full);
    request_reply(request, json_type, writer_text(&writer));
}

void doctor_end(struct request *request)
{
    struct writer writer;
    struct doctor_input doctor;
    struct report_figures *figures = arena_push(&request->arena, sizeof *figures);
    if (figures == NULL) {
        request_refuse_arena(request);
        return;
    }
    if (!request_writer(request, DOCTOR_BYTES, &writer))
        return;
    service_report(request->service, figures);
    doctor.report = &figures->input;
    service_largest_metrics(request->service, &doctor);
    doctor_write(&writer, &doctor);
    ENSURE(!writer.full);
    request_reply(request, plain_type, writer_text(&writer));
}

/* ---- snapshots ---- */

void snapshots_end(struct request *request)
{
    struct writer writer;
    if (!request_writer(request, SNAPSHOT_REPLY_BYTES, &writer))
        return;
    service_lock_engine(request->service);
    snapshot_list_write(&writer, request->service->snapshots);
    service_unlock_engine(request->service);
    ENSURE(!writer.full);
    request_reply(request, json_type, writer_text(&writer));
}

/* NULL where there is no room for it: it is said in the body, too. */
static const char *location_of(struct request *request, uint64_t id)
{
    struct writer writer;
    char *text = arena_push(&request->arena, 64);
    if (text == NULL)
        return NULL;
    writer = writer_make(text, 63);
    writer_string(&writer, "/memory/snapshots/");
    writer_u64(&writer, id);
    text[writer.used] = '\0';
    return text;
}

void snapshot_take_end(struct request *request)
{
    struct writer writer;
    if (!request_writer(request, SNAPSHOT_REPLY_BYTES, &writer))
        return;
    struct snapshot snapshot = service_snapshot(request->service);
    service_lock_engine(request->service);
    snapshot.id =
        snapshots_keep(request->service->snapshots, &snapshot, request->service->ledger->sites);
    service_unlock_engine(request->service);
    snapshot_taken_write(&writer, &snapshot);
    request_reply(request, json_type, writer_text(&writer));
    request->reply.http = 201;
    request->reply.location = location_of(request, snapshot.id);
}

void snapshot_drop_end(struct request *request)
{
    struct bytes prefix = BYTES("/memory/snapshots/");
    struct bytes text = {request->path.at + prefix.length, request->path.length - prefix.length};
    uint64_t id;
    bool found = false;
    if (number_parse_u64(text, &id)) {
        service_lock_engine(request->service);
        found = snapshots_drop(request->service->snapshots, id);
        service_unlock_engine(request->service);
    }
    if (found)
        request_reply(request, json_type, BYTES("{\"deleted\": 1}\n"));
    else
        request_refuse(request, refusal_plain(STATUS_NO_SNAPSHOT));
}

/* ---- differences ---- */

bool snapshot_parameter(struct request *request, const char *name, bool may_be_now, bool *given,
                        uint64_t *id)
{
    struct bytes value = BYTES("");
    *id = 0;
    *given = request_parameter(request, name, &value);
    if (request->refused.status != STATUS_OK)
        return false;
    if (!*given || (may_be_now && bytes_equal(value, BYTES("now"))))
        return true;
    if (number_parse_u64(value, id) && *id != 0)
        return true;
    const char *problem =
        may_be_now ? "to is the id of a snapshot, or now" : "from is the id of a snapshot";
    request_refuse(request, refusal_detail(STATUS_BAD_PARAMETER, problem));
    return false;
}

/* The snapshot of that id, or what is so now. */
static bool find_snapshot(struct request *request, uint64_t id, struct snapshot *out)
{
    if (id == 0) {
        *out = service_snapshot(request->service);
        return true;
    }
    service_lock_engine(request->service);
    const struct snapshot *found = snapshots_find(request->service->snapshots, id);
    if (found != NULL)
        *out = *found;
    service_unlock_engine(request->service);
    if (found == NULL)
        request_refuse(request, refusal_plain(STATUS_NO_SNAPSHOT));
    return found != NULL;
}

void diff_end(struct request *request)
{
    struct writer writer;
    struct snapshot from;
    struct snapshot to;
    uint64_t from_id, to_id;
    bool has_from, has_to;
    if (!snapshot_parameter(request, "from", false, &has_from, &from_id) ||
        !snapshot_parameter(request, "to", true, &has_to, &to_id))
        return;
    if (!has_from) {
        request_refuse(request, refusal_detail(STATUS_BAD_PARAMETER, "from is missing: the id of a "
                                                                     "snapshot"));
        return;
    }
    if (!find_snapshot(request, from_id, &from) || !find_snapshot(request, to_id, &to) ||
        !request_writer(request, SNAPSHOT_REPLY_BYTES, &writer))
        return;
    snapshot_diff_write(&writer, &from, &to);
    ENSURE(!writer.full);
    request_reply(request, json_type, writer_text(&writer));
}

/* ---- peaks ---- */

void peaks_reset_end(struct request *request)
{
    struct writer writer;
    if (!request_writer(request, 64, &writer))
        return;
    ledger_begin_period(request->service->ledger, request->now_ms);
    writer_string(&writer, "{\"period_start\": ");
    writer_seconds(&writer, request->now_ms);
    writer_string(&writer, "}\n");
    request_reply(request, json_type, writer_text(&writer));
}
