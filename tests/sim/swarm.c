/* swarm.c: see swarm.h. */
#include "swarm.h"

#include <string.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)

/* One of the numbers that follow. */
#define ONE_OF(random, ...)                                                                        \
    one_of((random), (const uint64_t[]){__VA_ARGS__},                                              \
           sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static uint64_t one_of(struct random *random, const uint64_t *numbers, size_t count)
{
    return numbers[random_below(random, count)];
}

/* In half of all swarms it is off. */
static uint64_t maybe(struct random *random, uint64_t one_in)
{
    return random_below(random, 2) == 0 ? 0 : one_in;
}

/* What much else depends on is off in a quarter. */
static uint64_t mostly(struct random *random, uint64_t one_in)
{
    return random_below(random, 4) == 0 ? 0 : one_in;
}

/* ---- operations and faults ---- */

static void choose_operations(struct swarm *swarm, struct random *random)
{
    for (int i = 0; i < OPERATIONS; i++)
        swarm->weights[i] = (uint8_t)maybe(random, ONE_OF(random, 1, 2, 8));
    swarm->weights[OPERATION_OPERATOR] /= 2; /* the largest replies there are */
    swarm->weights[OPERATION_REPORTS] /= 2;
    swarm->weights[random_below(random, OPERATION_SUMMARIZE)] = 16; /* something is pushed */
    for (int i = 0; i < OPERATIONS; i++)
        swarm->weight += swarm->weights[i];
}

static void choose_load(struct swarm *swarm, struct random *random)
{
    swarm->window_ms = ONE_OF(random, 60, 60, 120, 300) * SECOND_MS;
    uint64_t scale = swarm->window_ms / MINUTE_MS; /* as many events in an hour */
    swarm->clients = (uint32_t)(ONE_OF(random, 1, 6, 14) * scale);
    swarm->in_flight = (uint32_t)ONE_OF(random, 1, 2, 4, 8);
    swarm->samples = (uint32_t)ONE_OF(random, 4, 12, 24);
    swarm->is_by_hour = maybe(random, 1) != 0;
    swarm->storm_one_in = maybe(random, ONE_OF(random, 20, 200) / scale);
    swarm->heavy_one_in = mostly(random, 30 / scale);
    swarm->question_one_in = mostly(random, ONE_OF(random, 2, 12));
    swarm->meddled_one_in = maybe(random, 6);
    swarm->dashboard_one_in = maybe(random, 3);
    swarm->others_one_in = mostly(random, ONE_OF(random, 2, 4, 16));
    swarm->deep_each = 120 / scale;
}

static void choose_bodies(struct swarm *swarm, struct random *random)
{
    swarm->gzip_one_in = maybe(random, ONE_OF(random, 2, 8));
    swarm->zstd_one_in = maybe(random, ONE_OF(random, 2, 8));
    swarm->atomic_one_in = maybe(random, ONE_OF(random, 2, 8));
    swarm->damage_one_in = maybe(random, ONE_OF(random, 2, 16));
    swarm->cut_one_in = maybe(random, ONE_OF(random, 4, 16));
    swarm->nasty_one_in = maybe(random, ONE_OF(random, 8, 64));
    swarm->bomb_one_in = maybe(random, 100);
    swarm->abort_one_in = maybe(random, ONE_OF(random, 3, 20));
    swarm->slow_one_in = maybe(random, ONE_OF(random, 3, 40));
}

static void choose_faults(struct swarm *swarm, struct random *random)
{
    uint64_t hour = HOUR_MS / swarm->window_ms;
    swarm->no_room_one_in = maybe(random, ONE_OF(random, 2, 10, 100));
    swarm->forward_one_in = maybe(random, hour * ONE_OF(random, 2, 24));
    swarm->back_one_in = maybe(random, hour * ONE_OF(random, 2, 24));
    swarm->stall_one_in = maybe(random, hour * ONE_OF(random, 2, 24));
    swarm->restart_one_in = maybe(random, hour * ONE_OF(random, 8, 24));
}

void swarm_choose(struct swarm *swarm, struct random *random)
{
    *swarm = (struct swarm){0};
    choose_operations(swarm, random);
    choose_load(swarm, random);
    choose_bodies(swarm, random);
    choose_faults(swarm, random);
}

void swarm_choose_all(struct swarm *swarm)
{
    *swarm = (struct swarm){
        .window_ms = 10 * SECOND_MS,
        .clients = 4,
        .in_flight = 4,
        .samples = 30,
        .is_by_hour = true,
        .storm_one_in = 400,
        .heavy_one_in = 40,
        .question_one_in = 12,
        .meddled_one_in = 8,
        .dashboard_one_in = 1,
        .others_one_in = 4,
        .deep_each = 30,
        .gzip_one_in = 8,
        .zstd_one_in = 8,
        .atomic_one_in = 8,
        .forward_one_in = 6 * 360,
        .back_one_in = 6 * 360,
        .stall_one_in = 12 * 360,
    };
    for (int i = 0; i < OPERATIONS; i++)
        swarm->weights[i] = i < OPERATION_SUMMARIZE ? 8 : 1;
    for (int i = 0; i < OPERATIONS; i++)
        swarm->weight += swarm->weights[i];
}

/* ---- settings ---- */

/* What stands in the region before the workers. */
static void choose_front(struct random *random, struct settings *settings)
{
    settings->trace = random_below(random, 3) == 0;
    settings->server_threads = 1;
    settings->server_connections = ONE_OF(random, 2, 3, 8);
    settings->server_operator_connections = 2;
    settings->limits_first_block_bytes = KIB(8);
    settings->requests_bytes = ONE_OF(random, KIB(128), KIB(256), KIB(512), MIB(1));
}

static void keep_front(const struct settings *before, struct settings *settings)
{
    settings->trace = before->trace;
    settings->server_threads = before->server_threads;
    settings->server_connections = before->server_connections;
    settings->server_operator_connections = before->server_operator_connections;
    settings->limits_first_block_bytes = before->limits_first_block_bytes;
    settings->requests_bytes = before->requests_bytes;
}

static void choose_limits(struct random *random, struct settings *settings)
{
    settings->limits_request_bytes = ONE_OF(random, KIB(96), KIB(128), KIB(256), MIB(1));
    if (settings->limits_request_bytes > settings->requests_bytes)
        settings->limits_request_bytes = settings->requests_bytes;
    settings->limits_scratch_bytes = KIB(64);
    settings->limits_target_bytes = ONE_OF(random, 256, 512);
    settings->limits_line_bytes = ONE_OF(random, KIB(1), KIB(2));
    settings->limits_element_bytes = ONE_OF(random, 256, KIB(1), KIB(8));
    settings->limits_json_depth = ONE_OF(random, 2, 4);
    settings->limits_inflated_bytes = ONE_OF(random, KIB(64), KIB(128));
    settings->limits_zstd_window_bytes = ONE_OF(random, KIB(1), KIB(8), KIB(32));
    settings->limits_name_bytes = ONE_OF(random, 16, 32, 32, 32);
    settings->limits_labels = ONE_OF(random, 2, 8, 8);
    settings->limits_label_name_bytes = 24;
    settings->limits_label_value_bytes = ONE_OF(random, 16, 120, 120);
    settings->limits_label_set_bytes = ONE_OF(random, 64, 200, 200);
    settings->limits_families = ONE_OF(random, 16, 32, 48);
    settings->limits_drain_bytes = KIB(64);
    settings->limits_regex_steps = ONE_OF(random, 100, 10000);
    settings->limits_summary_groups = ONE_OF(random, 1, 4, 50);
}

static void choose_query_limits(struct random *random, struct settings *settings)
{
    settings->limits_query_groups = ONE_OF(random, 1, 4, 64);
    settings->limits_query_points = ONE_OF(random, 64, 600, 6000);
    settings->limits_query_cells = ONE_OF(random, 1000, 20000, 200000);
}

static void choose_times(const struct swarm *swarm, struct random *random,
                         struct settings *settings)
{
    settings->limits_header_timeout = ONE_OF(random, 100, 10 * SECOND_MS);
    settings->limits_body_timeout = ONE_OF(random, 10 * SECOND_MS, 300 * SECOND_MS);
    settings->limits_reply_timeout = ONE_OF(random, SECOND_MS, 60 * SECOND_MS);
    settings->windows_fine = swarm->window_ms;
    settings->windows_middle = settings->windows_fine * ONE_OF(random, 2, 5, 6);
    settings->windows_coarse = settings->windows_middle * ONE_OF(random, 2, 6, 10);
    settings->series_idle_min = ONE_OF(random, 10 * SECOND_MS, 5 * MINUTE_MS, HOUR_MS);
    settings->series_expire_after = ONE_OF(random, 10 * MINUTE_MS, 2 * HOUR_MS, 24 * HOUR_MS);
    settings->trend_block = ONE_OF(random, HOUR_MS, 6 * HOUR_MS);
}

static void choose_store(struct random *random, struct settings *settings)
{
    settings->series_max = ONE_OF(random, 16, 100, 400);
    settings->series_label_bytes = ONE_OF(random, KIB(16), KIB(48));
    settings->histograms_max = ONE_OF(random, 16, 60, 200);
    settings->buckets_max = ONE_OF(random, 16, 60, 200);
    settings->sets_max = ONE_OF(random, 4, 12);
    settings->windows_fine_bytes = ONE_OF(random, KIB(32), KIB(64), KIB(192));
    settings->windows_middle_bytes = ONE_OF(random, KIB(32), KIB(64), KIB(256));
    settings->windows_coarse_bytes = ONE_OF(random, KIB(32), KIB(64), KIB(256));
    settings->windows_own_bytes = ONE_OF(random, KIB(256), KIB(512));
    settings->cache_bytes = ONE_OF(random, 0, KIB(2), KIB(64));
}

void swarm_settings(const struct swarm *swarm, struct random *random, const struct settings *before,
                    struct settings *settings)
{
    settings_init(settings);
    if (before == NULL)
        choose_front(random, settings);
    else
        keep_front(before, settings);
    choose_limits(random, settings);
    choose_query_limits(random, settings);
    choose_times(swarm, random, settings);
    choose_store(random, settings);
}

/* Everything is small, so that in an hour all of it is full. */
void swarm_settings_all(struct settings *settings)
{
    settings_init(settings);
    settings->server_threads = 1;
    settings->server_connections = 8;
    settings->server_operator_connections = 2;
    settings->requests_bytes = MIB(8);
    settings->limits_request_bytes = MIB(1);
    settings->limits_scratch_bytes = KIB(64);
    settings->limits_label_set_bytes = 200;
    settings->limits_families = 32;
    settings->limits_query_groups = 64;
    settings->limits_query_points = 6000;
    settings->limits_query_cells = 200000;
    settings->limits_zstd_window_bytes = KIB(64);
    settings->limits_summary_groups = 50;
    settings->series_max = 400;
    settings->series_label_bytes = KIB(48);
    settings->series_idle_min = MINUTE_MS;
    settings->series_expire_after = HOUR_MS;
    settings->histograms_max = 60;
    settings->buckets_max = 60;
    settings->sets_max = 12;
    settings->windows_fine_bytes = KIB(192);
    settings->windows_middle_bytes = KIB(256);
    settings->windows_coarse_bytes = KIB(512);
    settings->windows_own_bytes = KIB(512);
    settings->cache_bytes = KIB(64);
}
