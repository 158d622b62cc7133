/* watch_input.c: see watch_input.h. */
#include "reply/watch_input.h"

#include <math.h>

/* Of fewer requests the mean says more about which they were than about how long one takes. */
#define REQUESTS_MIN 20

static double known(uint64_t figure)
{
    return figure == WORLD_UNKNOWN ? NAN : (double)figure;
}

/*
 * Those of connections come and go with clients. When one came between the two counts there would
 * be one too few; in the first block that would be what all later ones are held against.
 */
static double descriptors(const struct world *world)
{
    if (world->process.open_fds == WORLD_UNKNOWN || world->connections_moved)
        return NAN;
    return (double)report_less(world->process.open_fds, world->requests.connections);
}

/* Without prefault the region becomes resident as pools fill: that is their growth, and bounded. */
static double resident(const struct report_input *input, const struct report_sums *sums)
{
    uint64_t rss = input->world->process.rss_bytes;
    if (rss != WORLD_UNKNOWN && !input->world->prefaulted)
        rss = report_less(rss, sums->region_resident_bytes);
    return known(rss);
}

/* Latency and CPU time a request, between the last call and this one. */
static void rates_make(const struct world *world, struct watch_rates *rates,
                       double values[static WATCH_COUNT])
{
    const struct world_requests *requests = &world->requests;
    uint64_t completed = requests->completed - rates->completed;
    uint64_t lifetime_us = requests->lifetimes.sum_us - rates->lifetime_sum_us;
    bool says = rates->is_known && completed >= REQUESTS_MIN;
    values[WATCH_LATENCY] = says ? (double)lifetime_us / 1e6 / (double)completed : NAN;
    double cpu_seconds = world->process.cpu_seconds - rates->cpu_seconds;
    says = says && cpu_seconds >= 0; /* it could not be read, once */
    values[WATCH_CPU] = says ? cpu_seconds / (double)completed : NAN;
    *rates = (struct watch_rates){true, requests->completed, requests->lifetimes.sum_us,
                                  world->process.cpu_seconds};
}

static bool is_broken(const struct report_input *input, enum pool pool)
{
    return input->quiet.since_ms[pool] != 0 || input->mismatch_by_pool[pool] != 0;
}

struct watch_input watch_input_make(const struct report_input *input, struct watch_rates *rates)
{
    struct watch_input watch = {.now_ms = input->world->now_ms};
    struct report_sums sums = report_sums_make(input);
    for (enum pool pool = 0; pool < POOL_COUNT; pool++) {
        watch.values[pool] = (double)sums.pools[pool].live_bytes;
        watch.capacities[pool] = sums.pools[pool].capacity_bytes;
        watch.broken[pool] = is_broken(input, pool);
    }
    if (input->world->prefaulted)
        watch.capacities[WATCH_RSS] = input->plan->settings.memory;
    if (input->world->process.max_fds != WORLD_UNKNOWN)
        watch.capacities[WATCH_DESCRIPTORS] =
            report_less(input->world->process.max_fds, input->world->requests.connections_max);
    watch.values[WATCH_HEAP] = known(sums.heap_unexplained_bytes);
    watch.values[WATCH_UNACCOUNTED] = known(sums.unaccounted_bytes);
    watch.values[WATCH_RSS] = resident(input, &sums);
    watch.values[WATCH_DESCRIPTORS] = descriptors(input->world);
    watch.values[WATCH_THREADS] = known(input->world->process.threads);
    rates_make(input->world, rates, watch.values);
    return watch;
}
