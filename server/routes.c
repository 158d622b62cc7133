/* routes.c: see routes.h. */
#include "routes.h"

#include "service.h"

#define READS (METHOD_GET | METHOD_HEAD)

static const struct route routes[] = {
    {.name = "push", .path = "/v1/push", .methods = METHOD_POST, .allow = "POST",
     .begin = push_begin, .body = push_body, .end = push_end},
    {.name = "pushgateway", .path = "/metrics/job/", .is_prefix = true,
     .methods = METHOD_POST | METHOD_PUT, .allow = "POST, PUT",
     .begin = pushgateway_begin, .body = push_body, .end = push_end},
    {.name = "pushgateway", .path = "/metrics/job@base64/", .is_prefix = true,
     .methods = METHOD_POST | METHOD_PUT, .allow = "POST, PUT",
     .begin = pushgateway_begin, .body = push_body, .end = push_end},
    {.name = "summarize", .path = "/v1/summarize", .methods = METHOD_POST, .allow = "POST",
     .begin = summarize_begin, .body = summarize_body, .end = summarize_end},
    {.name = "metrics", .path = "/metrics", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD", .end = metrics_end},
    {.name = "memory", .path = "/memory", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD", .end = memory_end},
    {.name = "holders", .path = "/memory/holders", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD", .end = holders_end},
    {.name = "trend", .path = "/memory/trend", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD", .end = trend_end},
    {.name = "doctor", .path = "/memory/doctor", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD", .end = doctor_end},
    {.name = "snapshots", .path = "/memory/snapshots", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD, POST", .end = snapshots_end},
    {.name = "snapshot_take", .path = "/memory/snapshots", .same_site = true, .on_operator = true,
     .methods = METHOD_POST, .allow = "GET, HEAD, POST", .end = snapshot_take_end},
    {.name = "snapshot_drop", .path = "/memory/snapshots/", .same_site = true, .is_prefix = true,
     .on_operator = true,
     .methods = METHOD_DELETE, .allow = "DELETE", .end = snapshot_drop_end},
    {.name = "diff", .path = "/memory/diff", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD", .end = diff_end},
    {.name = "peaks_reset", .path = "/memory/peaks/reset", .same_site = true, .on_operator = true,
     .methods = METHOD_POST, .allow = "POST", .end = peaks_reset_end},
    {.name = "sites", .path = "/memory/sites", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD", .end = sites_end},
    {.name = "series", .path = "/v1/series", .methods = READS, .allow = "GET, HEAD, DELETE",
     .end = series_end},
    {.name = "series_delete", .path = "/v1/series", .same_site = true, .methods = METHOD_DELETE,
     .allow = "GET, HEAD, DELETE", .end = series_delete_end},
    {.name = "labels", .path = "/v1/labels", .methods = READS, .allow = "GET, HEAD",
     .end = labels_end},
    {.name = "label_values", .path = "/v1/labels/", .is_prefix = true, .methods = READS,
     .allow = "GET, HEAD", .end = label_values_end},
    {.name = "cardinality", .path = "/v1/cardinality", .methods = READS, .allow = "GET, HEAD",
     .end = cardinality_end},
    {.name = "query", .path = "/v1/query", .methods = READS, .allow = "GET, HEAD",
     .end = query_end},
    {.name = "config", .path = "/v1/config", .methods = READS, .allow = "GET, HEAD",
     .end = config_end},
    {.name = "drill_leak", .path = "/drills/leak", .same_site = true, .on_operator = true,
     .methods = METHOD_POST,
     .allow = "POST", .end = drill_leak_end},
    {.name = "drills", .path = "/drills", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD, DELETE", .end = drills_end},
    {.name = "drills_delete", .path = "/drills", .same_site = true, .on_operator = true,
     .methods = METHOD_DELETE,
     .allow = "GET, HEAD, DELETE", .end = drills_delete_end},
    {.name = "page", .path = "/", .on_operator = true, .methods = READS, .allow = "GET, HEAD",
     .end = page_end},
    {.name = "page_licence", .path = "/licenses/dygraphs", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD", .end = page_licence_end},
    {.name = "healthz", .path = "/healthz", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD", .end = health_end},
    {.name = "readyz", .path = "/readyz", .on_operator = true, .methods = READS,
     .allow = "GET, HEAD", .end = ready_end},
};

static bool matches(const struct route *route, const struct request *request)
{
    struct bytes path = bytes_of(route->path);
    if (request->operator_listener && !route->on_operator)
        return false;
    return route->is_prefix ? bytes_start_with(request->path, path)
                            : bytes_equal(request->path, path);
}

void route_find(struct request *request)
{
    const char *allow = NULL;
    unsigned method = (unsigned)atomic_load_explicit(&request->method, memory_order_relaxed);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const struct route *route = &routes[i];
        if (!matches(route, request))
            continue;
        allow = route->allow;
        if ((route->methods & method) == 0)
            continue;
        if (route->same_site && request->cross_site) {
            request_refuse(request, refusal_plain(STATUS_CROSS_SITE));
            return;
        }
        atomic_store_explicit(&request->route, route, memory_order_relaxed);
        return;
    }
    request_refuse(request, allow == NULL ? refusal_plain(STATUS_NOT_FOUND)
                                          : refusal_detail(STATUS_METHOD_NOT_ALLOWED, allow));
}
