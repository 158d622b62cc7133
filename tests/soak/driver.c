/* driver.c: see driver.h. */
#include "driver.h"

#include <math.h>
#include <stdio.h>

static json_t *requests_json(const struct traffic_figures *figures)
{
    json_t *requests = json_object();

    for (enum soak_sort sort = 0; sort < SORT_COUNT; sort++)
        json_object_set_new(requests, soak_sort_names[sort],
                            json_integer((json_int_t)figures->answered[sort]));
    return requests;
}

static json_t *statuses_json(const struct traffic_figures *figures)
{
    json_t *statuses = json_object();
    char name[16];

    for (int status = 0; status < 600; status++)
        if (figures->statuses[status] > 0) {
            snprintf(name, sizeof name, "%d", status);
            json_object_set_new(statuses, name,
                                json_integer((json_int_t)figures->statuses[status]));
        }
    return statuses;
}

static json_t *refusals_json(const struct traffic_figures *figures)
{
    json_t *refusals = json_object();

    for (uint32_t i = 0; i < figures->refusal_count; i++)
        json_object_set_new(refusals, figures->refusals[i].code,
                            json_integer((json_int_t)figures->refusals[i].count));
    return refusals;
}

static json_t *hostile_json(const struct traffic_figures *figures)
{
    json_t *hostile = json_object();

    for (enum soak_hostile kind = 0; kind < HOSTILE_COUNT; kind++) {
        const struct hostile_figures *of = &figures->hostile[kind];
        json_object_set_new(hostile, soak_hostile_names[kind],
                            json_pack("{s:I, s:I, s:I, s:I}", "begun", (json_int_t)of->begun,
                                      "answered", (json_int_t)of->answered, "closed",
                                      (json_int_t)of->closed, "timed_out",
                                      (json_int_t)of->timed_out));
    }
    return hostile;
}

static json_t *seconds_json(double seconds)
{
    return isnan(seconds) ? json_null() : json_real(seconds);
}

static json_t *latency_json(struct traffic *traffic)
{
    json_t *latency = json_object();

    for (enum soak_sort sort = 0; sort < SORT_COUNT; sort++) {
        struct latency_figures of = traffic_latency(traffic, sort);
        json_object_set_new(latency, soak_sort_names[sort],
                            json_pack("{s:I, s:o, s:o, s:o}", "count", (json_int_t)of.count, "p50",
                                      seconds_json(of.p50), "p99", seconds_json(of.p99), "max",
                                      seconds_json(of.max)));
    }
    return latency;
}

json_t *driver_json(struct traffic *traffic)
{
    const struct traffic_figures *figures = traffic_figures(traffic);

    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "requests",
                     requests_json(figures), "statuses", statuses_json(figures), "refusals",
                     refusals_json(figures), "hostile", hostile_json(figures), "broken",
                     (json_int_t)figures->broken, "late", (json_int_t)figures->late, "sent_bytes",
                     (json_int_t)figures->sent_bytes, "received_bytes",
                     (json_int_t)figures->received_bytes, "acknowledged_samples",
                     (json_int_t)figures->acknowledged_samples, "rejected_samples",
                     (json_int_t)figures->rejected_samples, "uncertain_samples",
                     (json_int_t)figures->uncertain_samples, "latency", latency_json(traffic));
}
