#include "valid.h"

#include <stdio.h>
#include <string.h>

#include "soak/answer.h"

/* A push without a reply leaves its sums unknown, so it waits for longer than the server takes. */
#define DEADLINE_NS (60ull * SECOND_NS)

/* Well below the server's idle_timeout: else it might close the connection just as we send. */
#define KEPT_NS (15ull * SECOND_NS)

#define SUMMARY_ROWS_MAX 2000

struct share {
    enum soak_sort sort;
    uint32_t percent;
};

static const struct share SHARES[] = {
    {SORT_PUSH, 72}, {SORT_QUERY, 15}, {SORT_SUMMARIZE, 4}, {SORT_SCRAPE, 2}, {SORT_PAGE, 7},
};

static bool one_in(struct random *random, uint32_t bound)
{
    return random_below(random, bound) == 0;
}

/* ---- making requests ---- */

static enum soak_sort sort_choose(const struct dialect *dialect, struct random *random)
{
    uint64_t dice = random_below(random, 100);
    const struct share *share = SHARES;

    while (dice >= share->percent)
        dice -= (share++)->percent;
    return dialect->targets[share->sort].count > 0 ? share->sort : SORT_PUSH;
}

static enum encoding encoding_choose(const struct dialect *dialect, struct random *random)
{
    enum encoding encoding = (enum encoding)random_below(random, ENCODING_COUNT);

    return dialect->encodings >> encoding & 1 ? encoding : ENCODING_IDENTITY;
}

static void push_target_write(struct load *load, const struct push *push, struct random *random)
{
    char instance[48];

    snprintf(instance, sizeof(instance), "pod-%llu-%u", (unsigned long long)push->pod.generation,
             push->pod.index);
    dialect_push_target(&load->target, load->dialect, push->metric->by_path, instance);
    if (load->dialect->counts && one_in(random, 3))
        text_format(&load->target, "?atomic=1");
}

/* Without one the first byte decides; but not between text and OpenMetrics, and on Pushgateway's
 * path it is text. */
static const char *content_type_choose(const struct push *push, struct random *random)
{
    bool needed = push->format != FORMAT_TEXT &&
                  (push->metric->by_path || push->format == FORMAT_OPENMETRICS);

    if (!needed && one_in(random, 8))
        return NULL;
    return format_content_type(push->format);
}

static void push_make(struct valid *valid, struct load *load, struct random *random)
{
    const struct dialect *dialect = load->dialect;
    struct push *push = &valid->push;
    struct message message = {.headers = ""};
    bool by_path;

    push->pod.generation = load->generation;
    push->pod.index = (uint32_t)random_below(random, load->options->pods);
    push_choose(push, dialect_metrics(dialect), dialect->formats, dialect->replaces, random);
    by_path = push->metric->by_path || dialect->push == NULL;
    push_write(&load->body, push, random);
    push_target_write(load, push, random);
    message.method = by_path && one_in(random, 2) ? "PUT" : "POST";
    message.target = load->target.at;
    message.content_type = content_type_choose(push, random);
    message.body = &load->body;
    message.encoding = encoding_choose(dialect, random);
    message.chunked = one_in(random, 3);
    message_write(&valid->client.head, &load->packer, &message, random);
}

static void target_choose(struct load *load, enum soak_sort sort, struct random *random)
{
    const struct targets *targets = &load->dialect->targets[sort];
    const char *target = targets->at[random_below(random, targets->count)];
    const char *hole = strstr(target, "{}");

    if (hole == NULL) {
        text_format(&load->target, "%s", target);
        return;
    }
    text_format(&load->target, "%.*s%llu%s", (int)(hole - target), target,
                (unsigned long long)load->generation, hole + 2);
}

static void summary_body_write(struct text *out, bool csv, struct random *random)
{
    uint64_t rows = 1 + random_below(random, 1 + random_below(random, SUMMARY_ROWS_MAX));

    if (csv)
        text_format(out, "time,route,code,seconds\n");
    for (uint64_t i = 0; i < rows; i++) {
        unsigned route = (unsigned)random_below(random, 12);
        unsigned code = 200 + 100 * (unsigned)random_below(random, 4);
        double seconds = 0.25 * (double)random_below(random, 100);

        if (csv)
            text_format(out, "10:00:%02u,/r%u,%u,%g\n", (unsigned)(i % 60), route, code, seconds);
        else
            text_format(out, "{\"route\":\"/r%u\",\"code\":\"%u\",\"seconds\":%g}\n", route, code,
                        seconds);
    }
}

static void summary_make(struct valid *valid, struct load *load, struct random *random)
{
    bool csv = one_in(random, 2);
    struct message message = {.method = "POST",
                              .headers = one_in(random, 3) ? "Accept: text/csv\r\n" : "",
                              .content_type = csv ? "text/csv" : "application/x-ndjson",
                              .body = &load->body,
                              .encoding = encoding_choose(load->dialect, random),
                              .chunked = one_in(random, 2)};

    target_choose(load, SORT_SUMMARIZE, random);
    summary_body_write(&load->body, csv, random);
    message.target = load->target.at;
    message_write(&valid->client.head, &load->packer, &message, random);
}

static void question_make(struct valid *valid, struct load *load, struct random *random)
{
    static const char *const HEADERS[] = {
        "", "Accept-Encoding: gzip\r\n", "Accept: application/openmetrics-text\r\n",
        "Accept: text/plain\r\nAccept-Encoding: gzip, deflate\r\n"};
    struct message message = {.method = "GET"};

    target_choose(load, valid->sort, random);
    message.target = load->target.at;
    message.headers = HEADERS[random_below(random, valid->sort == SORT_SCRAPE ? 4 : 2)];
    message_write(&valid->client.head, &load->packer, &message, random);
}

static void request_make(struct valid *valid, struct load *load, struct random *random)
{
    load->target.length = load->body.length = 0;
    valid->sort = sort_choose(load->dialect, random);
    valid->closes = one_in(random, 10);
    if (valid->sort == SORT_PUSH)
        push_make(valid, load, random);
    else if (valid->sort == SORT_SUMMARIZE)
        summary_make(valid, load, random);
    else
        question_make(valid, load, random);
}

void valid_begin(struct valid *valid, struct load *load, struct random *random)
{
    struct client *client = &valid->client;
    enum client_news news;

    client_prepare(client);
    request_make(valid, load, random);
    if (one_in(random, 6)) /* arrives in pieces */
        client->piece_bytes = 64 + random_below(random, 2048);
    news = client_begin(client, 0, now_ns() + DEADLINE_NS);
    if (news != CLIENT_GOES_ON)
        valid_end(valid, load, news);
}

/* ---- what came of them ---- */

static void refusal_count(struct traffic_figures *figures, const char *code)
{
    uint32_t i = 0;

    while (i < figures->refusal_count && strcmp(figures->refusals[i].code, code) != 0)
        i++;
    if (i == REFUSALS_MAX)
        return;
    if (i == figures->refusal_count) {
        snprintf(figures->refusals[i].code, sizeof(figures->refusals[i].code), "%s", code);
        figures->refusal_count++;
    }
    figures->refusals[i].count++;
}

/* Nothing is known of what was sent, if anything was. */
static void push_lost(const struct valid *valid, struct load *load)
{
    const struct push *push = &valid->push;

    if (valid->sort != SORT_PUSH || valid->client.sent == 0)
        return;
    load->figures.uncertain_samples += push->lines;
    push_add_uncertain(push, &load->sums[push->metric - soak_metrics]);
}

/* An answer after samples were applied says how many; without that none were. */
static void push_answered(const struct valid *valid, struct load *load, const struct answer *answer)
{
    const struct push *push = &valid->push;
    bool good = valid->client.reply.status / 100 == 2;
    uint64_t told = answer->has_counts ? answer->accepted : 0;
    uint64_t accepted = load->dialect->counts ? told : good ? push->lines : 0;

    load->figures.acknowledged_samples += accepted;
    load->figures.rejected_samples += answer->rejected;
    push_add(push, accepted, &load->sums[push->metric - soak_metrics]);
}

static void valid_answered(struct valid *valid, struct load *load)
{
    const struct client *client = &valid->client;
    struct answer answer = answer_read(&client->reply);

    load->figures.answered[valid->sort]++;
    load->figures.statuses[client->reply.status]++;
    if (client->reply.status >= 400)
        refusal_count(&load->figures, answer.code[0] == '\0' ? "none" : answer.code);
    if (valid->sort == SORT_PUSH)
        push_answered(valid, load, &answer);
    latency_add(&load->latencies[valid->sort], now_ns() - client->first_byte_ns);
}

void valid_end(struct valid *valid, struct load *load, enum client_news news)
{
    struct client *client = &valid->client;

    if (news == CLIENT_ENDED) {
        load->figures.broken++;
        push_lost(valid, load);
        return;
    }
    valid_answered(valid, load);
    if (client->phase == CLIENT_BUSY && !client->reply.closes && !valid->closes &&
        client->sent == client_bytes(client))
        client_keep(client);
    else
        client_close(client);
}

void valid_stop(struct valid *valid, struct load *load)
{
    struct client *client = &valid->client;
    bool busy = client->phase == CLIENT_BUSY || client->phase == CLIENT_CONNECTING;

    client_close(client);
    if (busy)
        valid_end(valid, load, CLIENT_ENDED);
}

void valid_turn(struct valid *valid, struct load *load, uint64_t now)
{
    const struct client *client = &valid->client;
    bool kept = client->phase == CLIENT_KEPT;

    if (now >= (kept ? client->kept_since_ns + KEPT_NS : client->deadline_ns))
        valid_stop(valid, load);
}
