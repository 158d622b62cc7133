#include "hostile.h"

#include <string.h>

#include "soak/answer.h"
#include "soak/plans.h"

#define FILLER_BYTES (16u * 1024u)
#define AWAITED_SAMPLES 1000u

/* So often is each kind begun. Series that never come back would soon be all there is. */
static const uint32_t WEIGHTS[HOSTILE_COUNT] = {
    [HOSTILE_OVERSIZED] = 6,   [HOSTILE_BOMB] = 3,        [HOSTILE_HALF_CLOSED] = 6,
    [HOSTILE_SLOW_BODY] = 4,   [HOSTILE_IDLE] = 4,        [HOSTILE_GARBAGE] = 7,
    [HOSTILE_DEEP_JSON] = 5,   [HOSTILE_ABORT_REPLY] = 5, [HOSTILE_ABORT_BODY] = 6,
    [HOSTILE_CARDINALITY] = 2,
};

void arsenal_init(struct arsenal *arsenal, uint64_t seed)
{
    arsenal->random.state = seed;
    bombs_init(arsenal->bombs);
    pieces_init(arsenal->pieces, &arsenal->random);
    for (uint32_t i = 0; i < FILLER_BYTES; i++)
        text_add(&arsenal->filler, "x", 1);
    while (arsenal->samples.length < FILLER_BYTES)
        text_format(&arsenal->samples, "hostile_total 1\n");
}

void arsenal_free(struct arsenal *arsenal)
{
    bombs_free(arsenal->bombs, BOMB_COUNT);
    bombs_free(arsenal->pieces, PIECE_COUNT);
    text_free(&arsenal->filler);
    text_free(&arsenal->samples);
}

static enum soak_hostile kind_choose(struct random *random)
{
    uint32_t total = 0;
    uint32_t kind = 0;
    uint64_t dice;

    for (uint32_t i = 0; i < HOSTILE_COUNT; i++)
        total += WEIGHTS[i];
    dice = random_below(random, total);
    while (dice >= WEIGHTS[kind])
        dice -= WEIGHTS[kind++];
    return (enum soak_hostile)kind;
}

void hostile_begin(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    struct client *client = &hostile->client;
    const struct hostile_plan *plan = &hostile->plan;
    enum client_news news;

    client_prepare(client);
    hostile->kind = kind_choose(&arsenal->random);
    hostile->plan =
        (struct hostile_plan){.at_once = UINT64_MAX, .receive_max = UINT64_MAX, .seconds_max = 60};
    hostile->next_ns = 0;
    hostile->done = false;
    plan_make(hostile, load, arsenal);
    client->allowed = plan->at_once;
    client->receive_max = plan->receive_max;
    client->replies = plan->then != THEN_HOLD;
    load->figures.hostile[hostile->kind].begun++;
    news = client_begin(client, plan->receive_buffer, now_ns() + plan->seconds_max * SECOND_NS);
    if (news != CLIENT_GOES_ON)
        hostile_end(hostile, load, news);
}

/* ---- what came of it ---- */

/* Only a reply that says what was accepted settles what became of the samples. */
static void samples_count(const struct hostile *hostile, struct load *load,
                          const struct answer *answer)
{
    struct traffic_figures *figures = &load->figures;

    if (answer != NULL && answer->has_counts) {
        figures->acknowledged_samples += answer->accepted;
        figures->rejected_samples += answer->rejected;
    } else if (hostile->client.sent > 0) {
        figures->uncertain_samples += hostile->plan.samples;
    }
}

/* We leave, with what became of it unknown. */
static void hostile_leave(struct hostile *hostile, struct load *load)
{
    client_reset(&hostile->client);
    load->figures.hostile[hostile->kind].timed_out++;
    samples_count(hostile, load, NULL);
}

void hostile_end(struct hostile *hostile, struct load *load, enum client_news news)
{
    struct hostile_figures *figures = &load->figures.hostile[hostile->kind];

    if (news == CLIENT_REPLIED) {
        struct answer answer = answer_read(&hostile->client.reply);

        figures->answered++;
        samples_count(hostile, load, &answer);
    } else {
        figures->closed++;
        samples_count(hostile, load, NULL);
    }
    client_close(&hostile->client);
}

bool hostile_is_awaited(const struct hostile *hostile)
{
    return hostile->client.phase == CLIENT_BUSY && hostile->plan.then == THEN_READ &&
           hostile->plan.step == 0 && hostile->plan.samples >= AWAITED_SAMPLES;
}

void hostile_stop(struct hostile *hostile, struct load *load)
{
    if (hostile->client.phase != CLIENT_CLOSED)
        hostile_leave(hostile, load);
}

/* ---- the machine ---- */

static void hostile_drip(struct hostile *hostile, uint64_t now)
{
    struct client *client = &hostile->client;

    if (now < hostile->next_ns)
        return;
    hostile->next_ns = now + hostile->plan.pause_ns;
    client->allowed += hostile->plan.step;
    client_go_on(client);
}

/* It has read as much as it wanted. */
static void hostile_stall(struct hostile *hostile, struct load *load, uint64_t now)
{
    if (hostile->next_ns == 0)
        hostile->next_ns = now + hostile->plan.stall_ns;
    if (now >= hostile->next_ns)
        hostile_leave(hostile, load);
}

static void hostile_then(struct hostile *hostile, struct load *load, uint64_t now)
{
    if (hostile->next_ns == 0)
        hostile->next_ns = now + hostile->plan.delay_ns;
    if (now < hostile->next_ns)
        return;
    hostile->done = true;
    hostile->next_ns = 0;
    if (hostile->plan.then == THEN_HALF_CLOSE)
        client_half_close(&hostile->client);
    else if (hostile->plan.then == THEN_RESET)
        hostile_leave(hostile, load);
}

void hostile_turn(struct hostile *hostile, struct load *load, uint64_t now)
{
    struct client *client = &hostile->client;
    uint64_t bytes = client_bytes(client);

    if (client->phase == CLIENT_CLOSED)
        return;
    if (now >= client->deadline_ns)
        hostile_leave(hostile, load);
    else if (client->phase != CLIENT_BUSY)
        return;
    else if (client->received >= client->receive_max)
        hostile_stall(hostile, load, now);
    else if (client->sent < bytes && hostile->plan.step > 0 && client->sent == client->allowed)
        hostile_drip(hostile, now);
    else if (client->sent == bytes && !hostile->done)
        hostile_then(hostile, load, now);
}
