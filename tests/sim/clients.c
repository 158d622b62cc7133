/* clients.c: see clients.h. */
#include "clients.h"

#include "scripts.h"
#include "traffic.h"

#include "../../server/routes.h"
#include "base/number.h"

#include <stdlib.h>

#define FIRST_FD 1000

/* ---- who is there ---- */

static int fd_of(const struct clients *clients, const struct client *client)
{
    return FIRST_FD + (int)(client - clients->each);
}

bool clients_have_closed(const struct clients *clients, int fd)
{
    int index = fd - FIRST_FD;
    return index >= 0 && index < CLIENTS_MAX && clients->each[index].has_gone;
}

void clients_shut(struct clients *clients, int fd)
{
    int index = fd - FIRST_FD;
    if (index >= 0 && index < CLIENTS_MAX)
        clients->each[index].is_shut = true;
}

static struct request *request_of(const struct client *client)
{
    return &client->connection->request;
}

static bool is_in_flight(const struct client *client)
{
    return client->state == CLIENT_BODY || client->state == CLIENT_REPLY;
}

uint64_t clients_accepted(const struct clients *clients)
{
    uint64_t accepted = 0;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        const struct client *client = &clients->each[i];
        if (client->connection != NULL && request_of(client)->push != NULL &&
            atomic_load(&request_of(client)->phase) != PHASE_NONE)
            accepted += request_of(client)->push->report.accepted;
    }
    return accepted;
}

static uint32_t *in_flight(struct sim *sim, const struct client *client)
{
    return client->connection->operator_listener ? &sim->clients.operator_requests
                                                 : &sim->clients.data_requests;
}

void clients_begin(struct sim *sim, bool storm)
{
    struct client *client = sim->clients.each;
    if (sim->clients.live >= sim->swarm.in_flight)
        return;
    while (client->state != CLIENT_NONE)
        client++;
    client->state = CLIENT_WAITING;
    client->is_shut = client->has_gone = false;
    client->connection = NULL;
    script_choose(sim, &client->script, storm);
    sim->clients.live++;
}

/* ---- what it was told ---- */

static bool is_refused(const struct request *request)
{
    return request->refused.status != STATUS_OK;
}

static const struct route *route_of(struct request *request)
{
    return atomic_load(&request->route);
}

static void tell(struct sim *sim, uint64_t accepted, uint64_t rejected)
{
    sim->told.accepted += accepted;
    sim->told.rejected += rejected;
}

/* The number behind "name":  in a reply. */
static uint64_t number_behind(struct sim *sim, struct bytes text, const char *name)
{
    uint64_t number = 0;
    const char *at = memmem(text.at, text.length, name, strlen(name));
    REQUIRE(sim, at != NULL);
    struct bytes digits = {at + strlen(name), 0};
    while (digits.at[digits.length] >= '0' && digits.at[digits.length] <= '9')
        digits.length++;
    REQUIRE(sim, number_parse_u64(digits, &number));
    return number;
}

/* Of a push that is refused: at once, for the service has counted it. */
static void tell_refusal(struct sim *sim, struct client *client)
{
    const struct request *request = request_of(client);
    if (!request->is_push || !is_refused(request) || client->is_told)
        return;
    client->is_told = true;
    tell(sim, request->refused_accepted, request->refused_rejected);
    REQUIRE(sim, !client->script.is_atomic || request->refused_accepted == 0);
    HAPPEN_TIMES(sim, ATOMIC_REFUSED, client->script.is_atomic);
}

/* Of one that has its reply: by what that says. */
static void tell_reply(struct sim *sim, const struct client *client)
{
    struct bytes body = request_of(client)->reply.body;
    if (client->is_told || body.length == 0)
        return;
    uint64_t accepted = number_behind(sim, body, "\"accepted\": ");
    uint64_t rejected = number_behind(sim, body, "\"rejected\": ");
    REQUIRE(sim, !client->script.is_atomic || accepted == 0 || rejected == 0);
    HAPPEN_TIMES(sim, ATOMIC_REFUSED, client->script.is_atomic && rejected > 0);
    tell(sim, accepted, rejected);
}

/* ---- the end ---- */

/* As libmicrohttpd has it: the completed callback. Of a push without a reply its report counts. */
static void end_request(struct sim *sim, struct client *client, bool replied)
{
    struct request *request = request_of(client);
    struct told told = {0};
    if (request->push != NULL)
        told = (struct told){request->push->report.accepted, request->push->report.rejected};
    if (!replied)
        connection_count_closed(&sim->service.connections, client->connection, CLOSED_CLIENT);
    /* it gives its memory back in between; nobody may look until it has */
    sim_enter(sim);
    request_end(request);
    --*in_flight(sim, client);
    tell(sim, told.accepted, told.rejected);
    sim_leave(sim);
    HAPPEN(sim, REQUESTS);
    client->state = CLIENT_WAITING;
}

static void leave(struct sim *sim, struct client *client)
{
    if (is_in_flight(client))
        end_request(sim, client, false);
    if (client->connection != NULL)
        connection_close(&sim->service.connections, client->connection);
    client->connection = NULL;
    client->state = CLIENT_NONE;
    sim->clients.live--;
}

/* ---- the reply ---- */

static void check_reply(struct sim *sim, const struct client *client)
{
    const struct reply *reply = &request_of(client)->reply;
    HAPPEN(sim, REPLIES);
    if (client->script.method == METHOD_HEAD || reply->content_encoding != NULL)
        return;
    if (reply->content_type == json_type)
        REQUIRE(sim, client->reply_first == '{' &&
                         (client->reply_last == '\n' || client->reply_last == '}'));
    else if (client->reply_bytes > 0)
        REQUIRE(sim, client->reply_last == '\n' || client->reply_last == '>');
}

static void read_reply(struct client *client, struct bytes text)
{
    if (text.length == 0)
        return;
    if (client->reply_bytes == 0)
        client->reply_first = text.at[0];
    client->reply_last = text.at[text.length - 1];
    client->reply_bytes += text.length;
}

/* True when there is no more. */
static bool read_page(struct sim *sim, struct client *client)
{
    struct request *request = request_of(client);
    if (request->reply.pages == NULL) {
        read_reply(client, request->reply.body);
        return true;
    }
    writer_rewind(&request->page, 0);
    bool more = request->reply.pages->next(request->reply.pages, &request->page);
    REQUIRE(sim, request->page.used <= request->page.size);
    read_reply(client, writer_text(&request->page));
    return !more;
}

static void step_reply(struct sim *sim, struct client *client)
{
    if (client->pages++ >= client->script.pages) {
        HAPPEN(sim, ABORTED_REPLY);
        leave(sim, client);
        return;
    }
    if (!read_page(sim, client))
        return;
    check_reply(sim, client);
    end_request(sim, client, true);
    if (sim_one_in(sim, 3)) /* another request on the same connection */
        script_choose(sim, &client->script, false);
    else
        leave(sim, client);
}

/* ---- the request ---- */

static void read_headers(struct request *request, const struct script *script)
{
    request->has_headers = true;
    atomic_store(&request->method, (int)script->method);
    request->content_length = script->known_length ? script->body.length : UINT64_MAX;
    request->content_type = bytes_of(script->content_type);
    request->content_encoding = bytes_of(script->content_encoding);
    request->accept = bytes_of(script->accept);
    request->accept_encoding = bytes_of(script->accept_encoding);
}

static void step_headers(struct sim *sim, struct client *client)
{
    struct request *request = request_of(client);
    struct bytes target = bytes_of(client->script.target);
    sim_enter(sim); /* as when it ends */
    request_begin(request, &sim->service, target, client->connection->operator_listener);
    ++*in_flight(sim, client);
    sim_leave(sim);
    client->state = CLIENT_BODY;
    client->sent = client->pages = client->reply_bytes = 0;
    client->is_told = false;
    sim->queries += client->script.is_query;
    read_headers(request, &client->script);
    if (!is_refused(request))
        route_find(request);
    if (!is_refused(request) && route_of(request)->begin != NULL)
        route_of(request)->begin(request);
    request_set_phase(request, is_refused(request) ? PHASE_DRAINING : PHASE_BODY);
    tell_refusal(sim, client);
}

static void step_connect(struct sim *sim, struct client *client)
{
    client->connection = connection_open(&sim->service.connections, fd_of(&sim->clients, client),
                                         "127.0.0.1:1", client->script.on_operator);
    if (client->connection != NULL)
        return;
    HAPPEN(sim, NO_SLOT);
    leave(sim, client);
}

/* The piece is gone when the call returns, as libmicrohttpd's buffer is. */
static void feed(struct sim *sim, struct request *request, struct bytes piece)
{
    char *lent = malloc(piece.length);
    REQUIRE(sim, lent != NULL);
    memcpy(lent, piece.at, piece.length);
    sim->clients.is_feeding = true;
    route_of(request)->body(request, (struct bytes){lent, piece.length});
    sim->clients.is_feeding = false;
    free(lent);
}

static size_t piece_bytes(struct sim *sim, size_t left)
{
    size_t most = sim_one_in(sim, 4) ? 16 : 4096;
    size_t bytes = 1 + sim_below(sim, most);
    return bytes < left ? bytes : left;
}

static void step_body(struct sim *sim, struct client *client)
{
    struct request *request = request_of(client);
    const struct script *script = &client->script;
    size_t left = script->body.length - client->sent;
    size_t until_gone = script->gone_at - client->sent;
    size_t bytes = piece_bytes(sim, left < until_gone ? left : until_gone);
    struct bytes piece = {script->body.at + client->sent, bytes};
    client->sent += bytes;
    atomic_fetch_add(&request->body_bytes, bytes);
    if (!is_refused(request) && route_of(request)->body != NULL)
        feed(sim, request, piece);
    if (is_refused(request))
        atomic_store(&request->phase, PHASE_DRAINING);
    tell_refusal(sim, client);
}

static void step_end(struct sim *sim, struct client *client)
{
    struct request *request = request_of(client);
    sim->clients.is_feeding = route_of(request) != NULL && route_of(request)->body != NULL;
    if (!is_refused(request))
        route_of(request)->end(request);
    sim->clients.is_feeding = false;
    tell_refusal(sim, client);
    if (is_refused(request))
        request_reply_refusal(request);
    REQUIRE(sim, request->reply.http >= 200 && request->reply.http < 600);
    REQUIRE(sim, request->reply.http != 500 && request->reply.content_type != NULL);
    if (request->is_push)
        tell_reply(sim, client);
    request->http = request->reply.http;
    request_set_phase(request, PHASE_REPLY);
    client->state = CLIENT_REPLY;
}

static void step_sending(struct sim *sim, struct client *client)
{
    if (client->sent == client->script.gone_at) {
        HAPPEN(sim, ABORTED);
        client->has_gone = sim_one_in(sim, 4); /* the ticker finds it */
        if (client->has_gone)
            client->script.gone_at = SIZE_MAX;
        else
            leave(sim, client);
    } else if (client->sent < client->script.body.length) {
        step_body(sim, client);
    } else {
        step_end(sim, client);
    }
}

static void step(struct sim *sim, struct client *client)
{
    if (client->is_shut) {
        HAPPEN_TIMES(sim, ENDS_SEEN, client->has_gone);
        HAPPEN_TIMES(sim, REAPED, !client->has_gone);
        leave(sim, client);
    } else if (client->has_gone) {
        return; /* nothing comes any more */
    } else if (client->connection == NULL) {
        step_connect(sim, client);
    } else if (client->state == CLIENT_WAITING) {
        step_headers(sim, client);
    } else if (client->state == CLIENT_BODY) {
        step_sending(sim, client);
    } else {
        step_reply(sim, client);
    }
}

/* ---- all of them ---- */

/* May it do something now? While a worker's batch is in use, nobody else is on that thread. */
static bool may_step(const struct clients *clients, const struct client *client)
{
    bool takes_batch = client->state == CLIENT_BODY;
    return client->state != CLIENT_NONE && !client->is_running &&
           !(clients->is_feeding && takes_batch);
}

static void run(struct sim *sim, struct client *client)
{
    client->is_running = true;
    step(sim, client);
    client->is_running = false;
}

bool clients_step(struct sim *sim)
{
    uint64_t first = sim_below(sim, CLIENTS_MAX);
    for (uint64_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &sim->clients.each[(first + i) % CLIENTS_MAX];
        if (!may_step(&sim->clients, client))
            continue;
        if (!sim_one_in(sim, sim->swarm.slow_one_in))
            run(sim, client);
        return true;
    }
    return false;
}

void clients_drain(struct sim *sim)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &sim->clients.each[i];
        while (client->state != CLIENT_NONE && !client->has_gone)
            run(sim, client);
        if (client->state != CLIENT_NONE)
            leave(sim, client);
    }
}

void clients_cut_off(struct sim *sim)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (sim->clients.each[i].state != CLIENT_NONE)
            leave(sim, &sim->clients.each[i]);
    }
}

void clients_end(struct clients *clients)
{
    for (int i = 0; i < CLIENTS_MAX; i++)
        text_end(&clients->each[i].script.body);
}

/* ---- questions ---- */

struct request *clients_lend(struct sim *sim)
{
    struct connection *connection =
        connection_open(&sim->service.connections, FIRST_FD - 1, "127.0.0.1:2", false);
    if (connection == NULL)
        return NULL;
    request_begin(&connection->request, &sim->service, BYTES("/v1/query"), false);
    sim->clients.data_requests++;
    return &connection->request;
}

void clients_return(struct sim *sim, struct request *request)
{
    request_end(request);
    connection_close(&sim->service.connections, request_connection(request));
    sim->clients.data_requests--;
}
