#include "traffic.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "soak/hostile.h"
#include "soak/valid.h"

/* Together well below the 250 connections the server has by default: it is not to be short of
 * them, but of all else. */
#define VALID_MAX 32
#define HOSTILE_MAX 64

#define EVENTS_MAX 64
#define TURN_NS (10u * 1000000u) /* between two looks at what is to be done by the clock */
#define PAUSE_NS (30ull * SECOND_NS)
#define AWAIT_NS (3ull * SECOND_NS)

/* When the next one is to begin; a stream of its own, so that the one does not disturb the other.
 */
struct schedule {
    struct random random;
    double mean; /* a second */
    double next_seconds;
    bool waits; /* it is due, and none was free */
};

struct traffic {
    struct load load;
    struct network network;
    struct random random; /* of valid requests */
    struct arsenal arsenal;
    struct schedule valid_schedule;
    struct schedule hostile_schedule;
    uint64_t turned_ns;
    struct valid valid[VALID_MAX];
    struct hostile hostile[HOSTILE_MAX];
};

const char *const soak_sort_names[SORT_COUNT] = {
    [SORT_PUSH] = "push",     [SORT_QUERY] = "query", [SORT_SUMMARIZE] = "summarize",
    [SORT_SCRAPE] = "scrape", [SORT_PAGE] = "page",
};

const char *const soak_hostile_names[HOSTILE_COUNT] = {
    [HOSTILE_OVERSIZED] = "oversized",
    [HOSTILE_BOMB] = "bomb",
    [HOSTILE_HALF_CLOSED] = "half_closed",
    [HOSTILE_SLOW_BODY] = "slow_body",
    [HOSTILE_IDLE] = "idle",
    [HOSTILE_GARBAGE] = "garbage",
    [HOSTILE_DEEP_JSON] = "deep_json",
    [HOSTILE_ABORT_REPLY] = "abort_reply",
    [HOSTILE_ABORT_BODY] = "abort_body",
    [HOSTILE_CARDINALITY] = "cardinality",
};

static void load_init(struct load *load, const struct soak_options *options)
{
    load->options = options;
    load->dialect = &soak_dialects[options->dialect];
    packer_init(&load->packer);
    for (uint32_t i = 0; i < SOAK_METRICS; i++) {
        load->sums[i].metric = soak_metrics[i].name;
        load->sums[i].kind = soak_metrics[i].kind;
    }
}

struct traffic *traffic_make(const struct soak_options *options)
{
    struct traffic *traffic = zeroed(1, sizeof(*traffic));
    struct random seeds = {options->seed};

    load_init(&traffic->load, options);
    network_init(&traffic->network, &options->target.address);
    traffic->random.state = random_next(&seeds);
    traffic->valid_schedule.random.state = random_next(&seeds);
    traffic->valid_schedule.mean = options->rate;
    traffic->hostile_schedule.random.state = random_next(&seeds);
    traffic->hostile_schedule.mean = options->hostile;
    traffic->valid_schedule.next_seconds = traffic->hostile_schedule.next_seconds = NAN;
    arsenal_init(&traffic->arsenal, random_next(&seeds));
    for (uint32_t i = 0; i < VALID_MAX; i++)
        client_init(&traffic->valid[i].client, &traffic->network, false);
    for (uint32_t i = 0; i < HOSTILE_MAX; i++)
        client_init(&traffic->hostile[i].client, &traffic->network, true);
    return traffic;
}

void traffic_free(struct traffic *traffic)
{
    for (uint32_t i = 0; i < VALID_MAX; i++)
        client_free(&traffic->valid[i].client);
    for (uint32_t i = 0; i < HOSTILE_MAX; i++)
        client_free(&traffic->hostile[i].client);
    arsenal_free(&traffic->arsenal);
    packer_free(&traffic->load.packer);
    text_free(&traffic->load.target);
    text_free(&traffic->load.body);
    network_free(&traffic->network);
    free(traffic);
}

/* ---- beginning ---- */

/* Exponential gaps: arrivals that know nothing of each other. */
static void schedule_next(struct schedule *schedule, double wave)
{
    double random = (double)(random_next(&schedule->random) >> 11) * 0x1p-53;

    schedule->next_seconds += -log1p(-random) / (schedule->mean * wave);
    schedule->waits = false;
}

/* The daily wave: by day 1.7 times the mean, by night 0.3. */
static double wave_at(const struct traffic *traffic, double elapsed)
{
    return 1 + 0.7 * sin(2 * M_PI * elapsed / traffic->load.options->day_seconds);
}

static bool schedule_is_due(struct schedule *schedule, double elapsed, double wave)
{
    if (schedule->mean <= 0)
        return false;
    if (isnan(schedule->next_seconds)) { /* the first, or the first after a pause */
        schedule->next_seconds = elapsed;
        schedule_next(schedule, wave);
    }
    return schedule->next_seconds <= elapsed;
}

/* One that is connected rather than a new one, so that connections are kept as clients do. */
static struct valid *valid_free(struct traffic *traffic)
{
    struct valid *closed = NULL;

    for (uint32_t i = 0; i < VALID_MAX; i++) {
        if (traffic->valid[i].client.phase == CLIENT_KEPT)
            return &traffic->valid[i];
        if (traffic->valid[i].client.phase == CLIENT_CLOSED && closed == NULL)
            closed = &traffic->valid[i];
    }
    return closed;
}

static struct hostile *hostile_free(struct traffic *traffic)
{
    for (uint32_t i = 0; i < HOSTILE_MAX; i++) {
        if (traffic->hostile[i].client.phase == CLIENT_CLOSED)
            return &traffic->hostile[i];
    }
    return NULL;
}

static void valid_begin_due(struct traffic *traffic, double elapsed)
{
    struct schedule *schedule = &traffic->valid_schedule;
    double wave = wave_at(traffic, elapsed);

    while (schedule_is_due(schedule, elapsed, wave)) {
        struct valid *valid = valid_free(traffic);

        if (valid == NULL) {
            schedule->waits = true;
            return;
        }
        traffic->load.figures.late += schedule->waits;
        schedule_next(schedule, wave);
        valid_begin(valid, &traffic->load, &traffic->random);
    }
}

static void hostile_begin_due(struct traffic *traffic, double elapsed)
{
    struct schedule *schedule = &traffic->hostile_schedule;

    while (schedule_is_due(schedule, elapsed, 1)) {
        struct hostile *hostile = hostile_free(traffic);

        if (hostile == NULL) { /* they are not owed a place: it is let go */
            schedule->next_seconds = NAN;
            return;
        }
        schedule_next(schedule, 1);
        hostile_begin(hostile, &traffic->load, &traffic->arsenal);
    }
}

/* ---- what is under way ---- */

static void event_handle(struct traffic *traffic, const struct epoll_event *event)
{
    struct client *client = event->data.ptr;
    bool asked = client->phase != CLIENT_KEPT;
    enum client_news news = client_handle(client, event->events);

    if (news == CLIENT_GOES_ON || !asked)
        return;
    if (client->hostile)
        hostile_end((struct hostile *)client, &traffic->load, news);
    else
        valid_end((struct valid *)client, &traffic->load, news);
}

static void turn(struct traffic *traffic, uint64_t now)
{
    if (now < traffic->turned_ns + TURN_NS)
        return;
    traffic->turned_ns = now;
    for (uint32_t i = 0; i < VALID_MAX; i++)
        valid_turn(&traffic->valid[i], &traffic->load, now);
    for (uint32_t i = 0; i < HOSTILE_MAX; i++)
        hostile_turn(&traffic->hostile[i], &traffic->load, now);
}

/* False: a signal came. */
static bool events_wait(struct traffic *traffic, int milliseconds)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(traffic->network.epoll_fd, events, EVENTS_MAX, milliseconds);

    if (count < 0 && errno == EINTR)
        return false;
    for (int i = 0; i < count; i++)
        event_handle(traffic, &events[i]);
    turn(traffic, now_ns());
    traffic->load.figures.sent_bytes = traffic->network.sent_bytes;
    traffic->load.figures.received_bytes = traffic->network.received_bytes;
    return true;
}

/* Until the next one is due, at most 10 ms. */
static int wait_milliseconds(const struct traffic *traffic, double elapsed)
{
    double seconds = fmin(traffic->valid_schedule.next_seconds - elapsed,
                          traffic->hostile_schedule.next_seconds - elapsed);

    if (isnan(seconds) || seconds > 0.01)
        return 10;
    return seconds <= 0 ? 1 : (int)ceil(seconds * 1000);
}

bool traffic_spin(struct traffic *traffic, double elapsed, uint64_t until_ns)
{
    const struct soak_options *options = traffic->load.options;
    uint64_t begun_ns = now_ns();
    uint64_t now = begun_ns;
    bool goes_on = true;

    while (goes_on && now < until_ns && !network_is_gone(&traffic->network, now)) {
        double here = elapsed + (double)(now - begun_ns) / SECOND_NS;

        traffic->load.generation = (uint64_t)(here / (options->day_seconds / 24));
        valid_begin_due(traffic, here);
        hostile_begin_due(traffic, here);
        goes_on = events_wait(traffic, wait_milliseconds(traffic, here));
        now = now_ns();
    }
    return !network_is_gone(&traffic->network, now);
}

/* ---- pauses ---- */

static bool valid_is_under_way(const struct traffic *traffic)
{
    for (uint32_t i = 0; i < VALID_MAX; i++) {
        enum client_phase phase = traffic->valid[i].client.phase;

        if (phase == CLIENT_BUSY || phase == CLIENT_CONNECTING)
            return true;
    }
    return false;
}

/* All but those that are awaited. True when there are such. */
static bool hostile_stop_most(struct traffic *traffic)
{
    bool awaited = false;

    for (uint32_t i = 0; i < HOSTILE_MAX; i++) {
        if (hostile_is_awaited(&traffic->hostile[i]))
            awaited = true;
        else
            hostile_stop(&traffic->hostile[i], &traffic->load);
    }
    return awaited;
}

static void stop_all(struct traffic *traffic)
{
    for (uint32_t i = 0; i < HOSTILE_MAX; i++)
        hostile_stop(&traffic->hostile[i], &traffic->load);
    for (uint32_t i = 0; i < VALID_MAX; i++)
        valid_stop(&traffic->valid[i], &traffic->load);
}

bool traffic_pause(struct traffic *traffic)
{
    uint64_t begun_ns = now_ns();
    uint64_t now = begun_ns;
    bool awaited = hostile_stop_most(traffic);

    while ((valid_is_under_way(traffic) && now < begun_ns + PAUSE_NS) ||
           (awaited && now < begun_ns + AWAIT_NS)) {
        events_wait(traffic, 10);
        awaited = hostile_stop_most(traffic);
        now = now_ns();
    }
    stop_all(traffic);
    traffic->valid_schedule.next_seconds = traffic->hostile_schedule.next_seconds = NAN;
    return !network_is_gone(&traffic->network, now);
}

/* ---- figures ---- */

const struct traffic_figures *traffic_figures(const struct traffic *traffic)
{
    return &traffic->load.figures;
}

struct latency_figures traffic_latency(struct traffic *traffic, enum soak_sort sort)
{
    return latency_take(&traffic->load.latencies[sort]);
}

const struct soak_sum *traffic_sums(const struct traffic *traffic)
{
    return traffic->load.sums;
}
