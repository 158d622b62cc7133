/*
 * sites_route.c: GET /memory/sites: which line of the source holds how much.
 *
 * The rows of memory/sites.h, largest live first and then by what they ever allocated; with from=,
 * and to= unless it is now, those that grew most between two snapshots. The list is cut where the
 * page ends, and says so; the request that asks is among what is live.
 */
#include "routes.h"
#include "service.h"

#include "base/ensure.h"
#include "reply/members.h"

/* A name of 64 bytes and seven figures of 20 digits, with their keys; most are half as long. */
#define SITE_ROW_BYTES 384
#define SITES_TAIL_BYTES 64

/*
 * What is left of an operator's arena beside the target and all rows' figures, which are 18 KiB
 * were there ever so many: room for at least 64 rows.
 */
#define SITES_PAGE_BYTES 26624

struct site_row {
    struct site_figures figures;
    int64_t bytes_grown; /* between the two moments */
    int64_t objects_grown;
};

struct site_list {
    struct site_row *sites;
    uint32_t count;
    bool has_growth;
    uint64_t from; /* ids of snapshots; 0: now */
    uint64_t to;
};

/* Whether `a` stands before `b`. */
static bool is_larger(const struct site_row *a, const struct site_row *b)
{
    if (a->bytes_grown != b->bytes_grown)
        return a->bytes_grown > b->bytes_grown;
    if (a->figures.live_bytes != b->figures.live_bytes)
        return a->figures.live_bytes > b->figures.live_bytes;
    if (a->figures.allocated_bytes != b->figures.allocated_bytes)
        return a->figures.allocated_bytes > b->figures.allocated_bytes;
    return strcmp(a->figures.name, b->figures.name) < 0;
}

/* In its place; a hundred rows are few enough to be moved. */
static void list_add(struct site_list *list, const struct site_row *site)
{
    uint32_t at = list->count++;
    for (; at > 0 && is_larger(site, &list->sites[at - 1]); at--)
        list->sites[at] = list->sites[at - 1];
    list->sites[at] = *site;
}

/* What a row rose by; where there is no second snapshot, up to now. What is live is of the end. */
static void grow(struct site_row *row, const struct site_counts *from, const struct site_counts *to)
{
    if (to != NULL) {
        row->figures.live_bytes = to->live_bytes;
        row->figures.live_objects = to->live_objects;
    }
    row->bytes_grown = (int64_t)(row->figures.live_bytes - from->live_bytes);
    row->objects_grown = (int64_t)(row->figures.live_objects - from->live_objects);
}

/* The rows that were ever used. False when a snapshot is not there. */
static bool list_fill(const struct service *service, struct site_list *list)
{
    const struct site_counts *from = snapshots_sites(service->snapshots, list->from);
    const struct site_counts *to = snapshots_sites(service->snapshots, list->to);
    if ((list->has_growth && from == NULL) || (list->to != 0 && to == NULL))
        return false;
    for (uint16_t row = 0; row < SITES_ROWS; row++) {
        struct site_row site = {.figures = sites_figures(service->ledger->sites, row)};
        if (site.figures.allocations == 0)
            continue;
        if (list->has_growth)
            grow(&site, &from[row], to == NULL ? NULL : &to[row]);
        list_add(list, &site);
    }
    return true;
}

/* False with the request refused. */
static bool list_make(struct request *request, struct site_list *list)
{
    list->sites = arena_push(&request->arena, SITES_ROWS * sizeof list->sites[0]);
    if (list->sites == NULL) {
        request_refuse_arena(request);
        return false;
    }
    service_lock_engine(request->service); /* the snapshots' */
    bool filled = list_fill(request->service, list);
    service_unlock_engine(request->service);
    if (!filled)
        request_refuse(request, refusal_plain(STATUS_NO_SNAPSHOT));
    return filled;
}

static void write_growth(struct writer *writer, const struct site_row *site)
{
    member_i64(writer, "live_bytes_diff", site->bytes_grown);
    member_i64(writer, "live_objects_diff", site->objects_grown);
}

static void write_site(struct writer *writer, const struct site_row *row, bool has_growth)
{
    const struct site_figures *site = &row->figures;
    writer_char(writer, '{');
    member_text(writer, "site", site->name);
    member_u64(writer, "live_bytes", site->live_bytes);
    member_u64(writer, "live_objects", site->live_objects);
    member_u64(writer, "peak_bytes", site->peak_bytes);
    member_u64(writer, "allocated_bytes_total", site->allocated_bytes);
    member_u64(writer, "allocations_total", site->allocations);
    if (has_growth)
        write_growth(writer, row);
    writer_char(writer, '}');
}

static void write_list(struct writer *writer, const struct site_list *list)
{
    uint32_t shown = 0;
    writer_string(writer, "{\"trace\": true, \"sites\": [");
    while (shown < list->count &&
           writer->size - writer->used >= SITE_ROW_BYTES + SITES_TAIL_BYTES) {
        writer_string(writer, shown == 0 ? "\n  " : ",\n  ");
        write_site(writer, &list->sites[shown++], list->has_growth);
    }
    writer_string(writer, "\n]");
    member_u64(writer, "sites_truncated", list->count - shown);
    writer_string(writer, "}\n");
}

void sites_end(struct request *request)
{
    struct site_list list = {0};
    struct writer writer;
    bool has_to;
    if (request->service->ledger->sites == NULL) {
        request_refuse(request, refusal_of(STATUS_TRACE_OFF, request->service->settings));
        return;
    }
    if (!snapshot_parameter(request, "from", false, &list.has_growth, &list.from) ||
        !snapshot_parameter(request, "to", true, &has_to, &list.to))
        return;
    if (has_to && !list.has_growth) {
        request_refuse(request, refusal_detail(STATUS_BAD_PARAMETER, "to needs from"));
        return;
    }
    if (!request_writer(request, SITES_PAGE_BYTES, &writer) || !list_make(request, &list))
        return;
    write_list(&writer, &list);
    ENSURE(!writer.full);
    request_reply(request, json_type, writer_text(&writer));
}
