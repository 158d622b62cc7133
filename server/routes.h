/*
 * routes.h: which path does what.
 *
 * A route is found from the raw target, so that %2F in a path is still %2F. Its verbs are called in
 * order, each at most once but `body`; each may refuse the request (request_refuse), after which
 * none of the others is called.
 *
 * Threads: the table is constant.
 */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "request.h"

struct route {
    const char *name;    /* for logs and holders */
    const char *path;    /* raw */
    bool is_prefix;      /* the path goes on behind it */
    bool on_operator;    /* the operator listener answers it too */
    bool same_site;      /* it changes something: refused to pages of other sites */
    unsigned methods;    /* enum method, or'ed */
    const char *allow;   /* the same as text, for 405 */
    void (*begin)(struct request *request); /* the headers are complete; may be NULL */
    void (*body)(struct request *request, struct bytes bytes); /* NULL: the body is ignored */
    void (*end)(struct request *request); /* the body is complete: fill in the reply */
};

/* Finds the route and sets it, or refuses the request: NOT_FOUND, METHOD_NOT_ALLOWED. */
void route_find(struct request *request);

/* push_route.c */
void push_begin(struct request *request);
void pushgateway_begin(struct request *request);
void push_body(struct request *request, struct bytes bytes);
void push_end(struct request *request);

/* summarize_route.c */
void summarize_begin(struct request *request);
void summarize_body(struct request *request, struct bytes bytes);
void summarize_end(struct request *request);

/* read_routes.c */
void series_end(struct request *request);
void series_delete_end(struct request *request);
void labels_end(struct request *request);
void label_values_end(struct request *request);
void cardinality_end(struct request *request);

/* query_route.c */
void query_end(struct request *request);

/* drills_route.c */
void drill_leak_end(struct request *request);
void drills_end(struct request *request);
void drills_delete_end(struct request *request);

/* page_route.c */
void page_end(struct request *request);
void page_licence_end(struct request *request);

/* report_routes.c */
void metrics_end(struct request *request);
void memory_end(struct request *request);
void health_end(struct request *request);
void ready_end(struct request *request);
void config_end(struct request *request);

/* holders_route.c */
void holders_end(struct request *request);

/* memory_routes.c */
void trend_end(struct request *request);
void doctor_end(struct request *request);
void snapshots_end(struct request *request);
void snapshot_take_end(struct request *request);
void snapshot_drop_end(struct request *request);
void diff_end(struct request *request);
void peaks_reset_end(struct request *request);

/*
 * The id of the snapshot that a parameter names; 0 for now, and where it is not given. False with
 * the request refused.
 */
bool snapshot_parameter(struct request *request, const char *name, bool may_be_now, bool *given,
                        uint64_t *id);

/* sites_route.c */
void sites_end(struct request *request);

#endif
