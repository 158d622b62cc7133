/*
 * sites_route.c: GET /memory/sites: which line of the source holds how much.
 *
 * The rows of memory/sites.h, largest live first and then by what they ever allocated. The list is
 * cut where the page ends, and says so; the request that asks is among what is live.
 */
#include "routes.h"
#include "service.h"

#include "base/ensure.h"

/* A name of 64 bytes and five figures of 20 digits, with their keys; most are half as long. */
#define SITE_ROW_BYTES 288
#define SITES_TAIL_BYTES 64

/*
 * What is left of an operator's arena beside the target and all rows' figures, which are 14 KiB
 * were there ever so many: room for at least 96 rows.
 */
#define SITES_PAGE_BYTES 28672

struct site_list {
    struct site_figures *sites;
    uint32_t count;
};

/* Whether `a` stands before `b`. */
static bool is_larger(const struct site_figures *a, const struct site_figures *b)
{
    if (a->live_bytes != b->live_bytes)
        return a->live_bytes > b->live_bytes;
    if (a->allocated_bytes != b->allocated_bytes)
        return a->allocated_bytes > b->allocated_bytes;
    return strcmp(a->name, b->name) < 0;
}

/* In its place; a hundred rows are few enough to be moved. */
static void list_add(struct site_list *list, const struct site_figures *site)
{
    uint32_t at = list->count++;
    for (; at > 0 && is_larger(site, &list->sites[at - 1]); at--)
        list->sites[at] = list->sites[at - 1];
    list->sites[at] = *site;
}

/* The rows that were ever used. False with the request refused. */
static bool list_make(struct request *request, struct site_list *list)
{
    const struct sites *sites = request->service->ledger->sites;
    *list = (struct site_list){
        .sites = arena_push(&request->arena, SITES_ROWS * sizeof list->sites[0]),
    };
    if (list->sites == NULL) {
        request_refuse_arena(request);
        return false;
    }
    for (uint16_t row = 0; row < SITES_ROWS; row++) {
        struct site_figures site = sites_figures(sites, row);
        if (site.allocations > 0)
            list_add(list, &site);
    }
    return true;
}

static void write_figure(struct writer *writer, const char *key, uint64_t figure)
{
    writer_string(writer, ", \"");
    writer_string(writer, key);
    writer_string(writer, "\": ");
    writer_u64(writer, figure);
}

static void write_site(struct writer *writer, const struct site_figures *site)
{
    writer_string(writer, "{\"site\": ");
    writer_json_string(writer, bytes_of(site->name));
    write_figure(writer, "live_bytes", site->live_bytes);
    write_figure(writer, "live_objects", site->live_objects);
    write_figure(writer, "peak_bytes", site->peak_bytes);
    write_figure(writer, "allocated_bytes_total", site->allocated_bytes);
    write_figure(writer, "allocations_total", site->allocations);
    writer_char(writer, '}');
}

static void write_list(struct writer *writer, const struct site_list *list)
{
    uint32_t shown = 0;
    writer_string(writer, "{\"trace\": true, \"sites\": [");
    while (shown < list->count &&
           writer->size - writer->used >= SITE_ROW_BYTES + SITES_TAIL_BYTES) {
        writer_string(writer, shown == 0 ? "\n  " : ",\n  ");
        write_site(writer, &list->sites[shown++]);
    }
    writer_string(writer, "\n]");
    write_figure(writer, "sites_truncated", list->count - shown);
    writer_string(writer, "}\n");
}

void sites_end(struct request *request)
{
    struct site_list list;
    struct writer writer;
    if (request->service->ledger->sites == NULL) {
        request_refuse(request, refusal_of(STATUS_TRACE_OFF, request->service->settings));
        return;
    }
    if (!request_writer(request, SITES_PAGE_BYTES, &writer) || !list_make(request, &list))
        return;
    write_list(&writer, &list);
    ENSURE(!writer.full);
    request_reply(request, json_type, writer_text(&writer));
}
