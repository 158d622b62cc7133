/*
 * query_route.c: /v1/query.
 *
 *     query string ──> query ──> plan ──> run ──> pages of JSON
 *                               slices under the lock, and work without it
 */
#include "routes.h"
#include "service.h"

#include "reply/query_reply.h"

/* The query in the arena, or NULL with the request refused. */
static struct query *read_query(struct request *request)
{
    struct bytes at = request->query;
    struct bytes name, value;
    struct query *query = arena_push(&request->arena, sizeof *query);
    if (query == NULL) {
        request_refuse_arena(request);
        return NULL;
    }
    query_init(query, request->now_ms);
    struct refusal refusal = refusal_plain(STATUS_OK);
    while (refusal.status == STATUS_OK && request_next_parameter(request, &at, &name, &value))
        refusal = query_add_parameter(query, name, value, &request->arena,
                                      request->service->settings);
    if (request->refused.status != STATUS_OK)
        return NULL;
    if (refusal.status == STATUS_OK)
        refusal = query_finish(query);
    if (refusal.status == STATUS_OK)
        return query;
    request_refuse(request, refusal);
    return NULL;
}

/* The engine that holds the metric; locked. */
static struct engine *lock_engine_of(struct request *request, const struct query *query)
{
    struct engine *engine = service_lock_engine(request->service);
    return own_has_metric(query->metric) ? &request->service->own->engine : engine;
}

static struct query_plan *plan_query(struct request *request, struct query *query)
{
    struct refusal refusal;
    struct query_plan *plan =
        query_plan_make(query, request->service->settings, &request->arena);
    if (plan == NULL) {
        request_refuse_arena(request);
        return NULL;
    }
    do {
        struct engine *engine = lock_engine_of(request, query);
        query_plan_step(plan, &engine->store, &engine->history);
        service_unlock_engine(request->service);
    } while (query_plan_work(plan, &refusal));
    if (refusal.status == STATUS_OK)
        return plan;
    request_refuse(request, refusal);
    return NULL;
}

static struct query_run *run_plan(struct request *request, const struct query_plan *plan)
{
    struct query_run *run = query_run_make(plan, &request->arena);
    if (run == NULL) {
        request_refuse_arena(request);
        return NULL;
    }
    do {
        struct engine *engine = lock_engine_of(request, plan->query);
        query_run_step(run, &engine->store, &engine->history, &engine->cache, request->now_ms);
        service_unlock_engine(request->service);
    } while (query_run_work(run));
    return run;
}

/* Plans before one that is outdated when it is carried out is taken as it is. */
#define PLANS_MAX 3

/* False with the request refused; no run where the plan is empty. */
static bool plan_and_run(struct request *request, struct query *query, struct query_plan **plan,
                         struct query_run **run)
{
    struct arena_mark mark = arena_mark(&request->arena);
    for (int plans = 1;; plans++) {
        *run = NULL;
        *plan = plan_query(request, query);
        if (*plan == NULL)
            return false;
        if ((*plan)->is_empty)
            return true;
        *run = run_plan(request, *plan);
        if (*run == NULL)
            return false; /* refused, and the plan's memory is gone with it */
        if (!(*run)->is_outdated || plans == PLANS_MAX)
            return true;
        arena_rewind(&request->arena, mark);
        selector_renew(&query->selector);
    }
}

/* ---- the reply ---- */

struct query_pages {
    struct page_source source;
    struct query_reply *reply;
};

static bool query_next(struct page_source *source, struct writer *page)
{
    return query_reply_next(((struct query_pages *)source)->reply, page);
}

static void reply_query(struct request *request, const struct query_plan *plan,
                        const struct query_run *run)
{
    size_t bytes = query_reply_page_bytes(request->service->settings);
    struct query_pages *pages = arena_push_zero(&request->arena, sizeof *pages);
    char *page = pages == NULL ? NULL : arena_push(&request->arena, bytes);
    struct query_reply *reply = page == NULL ? NULL : query_reply_make(plan, run, &request->arena);
    if (reply == NULL) {
        request_refuse_arena(request);
        return;
    }
    pages->source.next = query_next;
    pages->reply = reply;
    request->page = writer_make(page, bytes);
    request_reply(request, json_type, (struct bytes){"", 0});
    request->reply.pages = &pages->source;
}

void query_end(struct request *request)
{
    struct query_plan *plan;
    struct query_run *run;
    struct query *query = read_query(request);
    if (query != NULL && plan_and_run(request, query, &plan, &run))
        reply_query(request, plan, run);
}
