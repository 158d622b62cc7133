#include "plans.h"

#include <stdio.h>
#include <string.h>

#define SAMPLE "hostile_total 1\n"
#define SAMPLE_BYTES (sizeof(SAMPLE) - 1)
#define MS_NS 1000000u

/* Twice what the server's arena for one request holds at the default of 64 MiB, and less than it
 * drains of a refused body: so its answer is seen. */
#define ATOMIC_BYTES (6u * 1024u * 1024u)

#define DEPTH 10000u /* of JSON; the server reads 16 */
#define SERIES 1000u /* of one cardinality push */

typedef void (*variant)(struct hostile *hostile, struct load *load, struct arsenal *arsenal);

#define CHOOSE(list, random) (list)[random_below(random, sizeof(list) / sizeof((list)[0]))]

static void add(struct hostile *hostile, const char *text)
{
    text_add(&hostile->client.head, text, strlen(text));
}

static void add_times(struct hostile *hostile, const char *text, uint64_t times)
{
    for (uint64_t i = 0; i < times; i++)
        add(hostile, text);
}

static void add_random(struct hostile *hostile, uint64_t bytes, struct random *random)
{
    for (uint64_t i = 0; i < bytes; i++) {
        char byte = (char)random_below(random, 256);

        text_add(&hostile->client.head, &byte, 1);
    }
}

/* A push's head, up to what its body's length is said with. headers: whole lines. */
static void add_push_of(struct hostile *hostile, struct load *load, const char *instance,
                        const char *query, const char *headers)
{
    struct message message = {.method = "POST", .headers = headers};

    load->target.length = 0;
    dialect_push_target(&load->target, load->dialect, false, instance);
    text_format(&load->target, "%s", load->dialect->counts ? query : "");
    message.target = load->target.at;
    message_head_write(&hostile->client.head, &message);
}

static void add_push(struct hostile *hostile, struct load *load, const char *query,
                     const char *headers)
{
    add_push_of(hostile, load, "hostile", query, headers);
}

static void add_length(struct hostile *hostile, uint64_t bytes)
{
    text_format(&hostile->client.head, "Content-Length: %llu\r\n\r\n", (unsigned long long)bytes);
}

static void add_tail(struct hostile *hostile, const struct text *tail, uint64_t times)
{
    hostile->client.tail = tail;
    hostile->client.tail_times = times;
}

/* The samples that stand in the head from now on. */
static void add_samples(struct hostile *hostile, uint64_t count)
{
    add_times(hostile, SAMPLE, count);
    hostile->plan.samples += count;
}

#define TEXT_TYPE "Content-Type: text/plain\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"

/* ---- oversized ---- */

static void one_line(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    uint64_t times = 2 + random_below(&arsenal->random, 60);
    const char *open = "hostile_line_total{a=\"";

    add_push(hostile, load, "", TEXT_TYPE);
    add_length(hostile, strlen(open) + times * arsenal->filler.length);
    add(hostile, open);
    add_tail(hostile, &arsenal->filler, times);
    hostile->plan.samples = 1;
}

/* Says that ten gigabytes come, and sends three lines. */
static void huge_length(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    add_push(hostile, load, random_below(&arsenal->random, 2) == 0 ? "?atomic=1" : "", TEXT_TYPE);
    add_length(hostile, 10000000000u);
    add_samples(hostile, 3);
}

static void long_headers(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    add_push(hostile, load, "", TEXT_TYPE "X-Long: ");
    add_tail(hostile, &arsenal->filler, 8);
}

static void long_target(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    (void)load;
    add(hostile, "GET /v1/query?metric=");
    add_times(hostile, "abcdefghij", 300 + random_below(&arsenal->random, 200));
    add(hostile, " HTTP/1.1\r\nHost: soak\r\n\r\n");
}

static void large_atomic(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    uint64_t times = ATOMIC_BYTES / arsenal->samples.length;

    add_push(hostile, load, "?atomic=1", TEXT_TYPE);
    add_length(hostile, times * arsenal->samples.length);
    add_tail(hostile, &arsenal->samples, times);
    hostile->plan.samples = times * arsenal->samples.length / SAMPLE_BYTES;
}

static const variant OVERSIZED[] = {one_line, huge_length, long_headers, long_target, large_atomic};

/* ---- bombs ---- */

static const char *encoding_headers(enum encoding encoding)
{
    return encoding == ENCODING_GZIP ? TEXT_TYPE "Content-Encoding: gzip\r\n"
                                     : TEXT_TYPE "Content-Encoding: zstd\r\n";
}

static void bomb(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    const struct bomb *bomb = &arsenal->bombs[random_below(&arsenal->random, BOMB_COUNT)];

    add_push(hostile, load, random_below(&arsenal->random, 4) == 0 ? "?atomic=1" : "",
             encoding_headers(bomb->encoding));
    add_length(hostile, bomb->packed.length);
    add_tail(hostile, &bomb->packed, 1);
    hostile->plan.samples = bomb->samples;
}

/* A zstd frame of nothing, whose head asks for a window of 128 MiB (RFC 8878, 3.1.1.1). */
static void wide_window(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    static const unsigned char FRAME[] = {0x28, 0xb5, 0x2f, 0xfd, 0, (27 - 10) << 3, 1, 0, 0};

    (void)arsenal;
    add_push(hostile, load, "", encoding_headers(ENCODING_ZSTD));
    add_length(hostile, sizeof(FRAME));
    text_add(&hostile->client.head, (const char *)FRAME, sizeof(FRAME));
}

static const variant BOMBS[] = {bomb, bomb, bomb, wide_window};

/* ---- half closed ---- */

static void half_a_body(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    add_push(hostile, load, random_below(&arsenal->random, 2) == 0 ? "?atomic=1" : "", TEXT_TYPE);
    add_length(hostile, 100000);
    add_samples(hostile, 1 + random_below(&arsenal->random, 100));
}

static void half_a_chunk(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    (void)arsenal;
    add_push(hostile, load, "", TEXT_TYPE);
    add(hostile, CHUNKED "400\r\n");
    add_samples(hostile, 10);
}

static void half_a_header(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    (void)arsenal;
    add_push(hostile, load, "", TEXT_TYPE "X-Half: ");
}

/* A legal one: FIN behind a whole request, whose reply is to come. */
static void whole_request(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    uint64_t count = 1 + random_below(&arsenal->random, 20);

    add_push(hostile, load, "", TEXT_TYPE);
    add_length(hostile, count * SAMPLE_BYTES);
    add_samples(hostile, count);
}

static const variant HALVES[] = {half_a_body, half_a_chunk, half_a_header, whole_request};

static void half_closed(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    CHOOSE(HALVES, &arsenal->random)(hostile, load, arsenal);
    hostile->plan.then = THEN_HALF_CLOSE;
    hostile->plan.delay_ns = random_below(&arsenal->random, 500) * MS_NS;
}

static const variant HALF_CLOSED[] = {half_closed};

/* ---- slow ---- */

/* A byte a second or so: the server gives up on it; 50 bytes each 300 ms are fast enough for it,
 * and we are the ones who leave. */
static void slowly(struct hostile *hostile, struct random *random)
{
    bool fast = random_below(random, 3) == 0;

    hostile->plan.at_once = hostile->client.head.length;
    hostile->plan.step = fast ? 50 : 1;
    hostile->plan.pause_ns = (fast ? 300 : 300 + random_below(random, 1500)) * MS_NS;
}

static void slow_length(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    add_push(hostile, load, "", TEXT_TYPE);
    add_length(hostile, 1000 * SAMPLE_BYTES);
    slowly(hostile, &arsenal->random);
    add_samples(hostile, 1000);
}

static void slow_chunks(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    add_push(hostile, load, "", TEXT_TYPE);
    add(hostile, CHUNKED);
    slowly(hostile, &arsenal->random);
    for (uint32_t i = 0; i < 500; i++)
        add(hostile, "10\r\n" SAMPLE "\r\n");
    hostile->plan.samples = 500;
}

static void slow_headers(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    add_push(hostile, load, "", TEXT_TYPE);
    slowly(hostile, &arsenal->random);
    add_times(hostile, "X-Slow: and slower\r\n", 100);
}

_Static_assert(SAMPLE_BYTES == 0x10, "the chunks of slow_chunks");

static const variant SLOW[] = {slow_length, slow_chunks, slow_headers};

/* ---- idle ---- */

static void idle(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    static const char *const WORDS[] = {"", "GET /hea", "GET / HTTP/1.1\r\nHost: soak\r\n\r\n",
                                        "\r\n"};

    (void)load;
    add(hostile, CHOOSE(WORDS, &arsenal->random));
    hostile->plan.then = THEN_HOLD;
}

static const variant IDLE[] = {idle};

/* ---- garbage ---- */

static void random_bytes(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    (void)load;
    add_random(hostile, 1 + random_below(&arsenal->random, 2000), &arsenal->random);
    add(hostile, "\r\n\r\n");
}

static void tls_hello(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    static const char HEAD[] = {0x16, 3, 1, 0, (char)200, 1, 0, 0, (char)196, 3, 3};

    (void)load;
    text_add(&hostile->client.head, HEAD, sizeof(HEAD));
    add_random(hostile, 194, &arsenal->random);
}

/* Of no use to a proxy before us, and no samples behind it. */
static void bad_framing(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    static const char *const FRAMINGS[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 99999999999999999999999\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "No colon here\r\n\r\n",
        ": no name\r\n\r\n",
    };

    add_push(hostile, load, "", TEXT_TYPE);
    add(hostile, CHOOSE(FRAMINGS, &arsenal->random));
}

static void bad_request_line(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    static const char *const LINES[] = {
        "BREW /v1/push HTTP/1.1\r\nHost: soak\r\n\r\n",
        "GET /metrics HTTP/3.7\r\nHost: soak\r\n\r\n",
        "GET /\r\n\r\n",
        "GET  /  /  HTTP/1.1\r\n\r\n",
        "GET /%00%ff%zz HTTP/1.1\r\nHost: soak\r\n\r\n",
        "GET /v1/query?metric=%ff%fe HTTP/1.1\r\nHost: soak\r\n\r\n",
        "GET /v1/series?match=a=~((((((a*)*)*)*)*)*b HTTP/1.1\r\nHost: soak\r\n\r\n",
        "DELETE /metrics HTTP/1.1\r\nHost: soak\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: soak\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: soak\r\n\r\n",
    };

    (void)load;
    add(hostile, CHOOSE(LINES, &arsenal->random));
}

static void bad_text(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    static const char *const LINES[] = {
        "hostile_total{a=\"\xff\xfe\"} 1\n",
        "hostile_total{a=\"\xc0\xaf\",a=\"b\"} 1\n",
        "hostile_total{a=\"b\" 1\n",
        "hostile_total{=\"b\"} 1\n",
        "hostile_total one\n",
        "hostile_total -1\n",
        "hostile_total NaN\n",
        "# TYPE hostile_total gauge\nhostile_total 1\n",
        "{{{{\n",
        "mayfly_own 1\n",
    };
    struct text *body = &load->body;

    body->length = 0;
    for (uint64_t i = 1 + random_below(&arsenal->random, 50); i > 0; i--)
        text_format(body, "%s", CHOOSE(LINES, &arsenal->random));
    add_push(hostile, load, "", TEXT_TYPE);
    add_length(hostile, body->length);
    text_add(&hostile->client.head, body->at, body->length);
    hostile->plan.samples = 50;
}

/* Good up to somewhere, and then not. All or nothing: what comes out of the bad part may be lines,
 * of metrics with names that nobody chose. */
static void bad_compression(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    const struct bomb *piece = &arsenal->pieces[random_below(&arsenal->random, PIECE_COUNT)];
    uint64_t good = random_below(&arsenal->random, piece->packed.length);

    add_push(hostile, load, "?atomic=1", encoding_headers(piece->encoding));
    add_length(hostile, good + 500);
    text_add(&hostile->client.head, piece->packed.at, (size_t)good);
    add_random(hostile, 500, &arsenal->random);
    hostile->plan.samples = piece->samples;
}

static const variant GARBAGE[] = {random_bytes,     tls_hello, bad_framing,
                                  bad_request_line, bad_text,  bad_compression};

/* ---- deep JSON ---- */

static void deep_json(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    static const char *const LEVELS[] = {"[", "{\"a\":", "[[{\"name\":"};
    static const char *const TYPES[] = {"Content-Type: application/x-ndjson\r\n",
                                        "Content-Type: application/json\r\n"};
    const char *open =
        random_below(&arsenal->random, 2) == 0 ? "{\"name\":\"hostile_total\",\"labels\":" : "";
    const char *level = CHOOSE(LEVELS, &arsenal->random);

    add_push(hostile, load, "", CHOOSE(TYPES, &arsenal->random));
    add_length(hostile, strlen(open) + DEPTH * strlen(level));
    add(hostile, open);
    add_times(hostile, level, DEPTH);
}

static const variant DEEP[] = {deep_json};

/* ---- aborts ---- */

/* Through a window of a few KiB; what is asked for is larger than all buffers between. */
static void abort_reply(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    static const enum soak_sort SORTS[] = {SORT_SCRAPE, SORT_SCRAPE, SORT_QUERY, SORT_PAGE};
    enum soak_sort sort = CHOOSE(SORTS, &arsenal->random);
    const struct targets *targets = &load->dialect->targets[sort];
    struct random *random = &arsenal->random;
    const char *target =
        sort == SORT_QUERY ? targets->at[random_below(random, targets->count)] : targets->at[0];

    text_format(&hostile->client.head, "GET %s HTTP/1.1\r\nHost: soak\r\n%s\r\n", target,
                random_below(random, 3) == 0 ? "Accept-Encoding: gzip\r\n" : "");
    hostile->plan.receive_buffer = 4096;
    hostile->plan.receive_max = 1 + random_below(random, 8192);
    hostile->plan.stall_ns = random_below(random, 2) * random_below(random, 20000) * MS_NS;
}

static const variant ABORT_REPLY[] = {abort_reply};

static void half_compressed(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    const struct bomb *piece = &arsenal->pieces[random_below(&arsenal->random, PIECE_COUNT)];

    add_push(hostile, load, "", encoding_headers(piece->encoding));
    add_length(hostile, piece->packed.length);
    text_add(&hostile->client.head, piece->packed.at,
             (size_t)random_below(&arsenal->random, piece->packed.length));
    hostile->plan.samples = piece->samples;
}

static void half_a_table(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    (void)load;
    (void)arsenal;
    add(hostile, "POST /v1/summarize?value=v&by=k HTTP/1.1\r\nHost: soak\r\n"
                 "Content-Type: text/csv\r\n" CHUNKED "c\r\nk,v\na,1\nb,2\n\r\n7f\r\nc,");
}

static const variant BODIES[] = {half_a_body, half_a_chunk, half_compressed, half_a_table};

static void abort_body(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    CHOOSE(BODIES, &arsenal->random)(hostile, load, arsenal);
    hostile->plan.then = THEN_RESET;
    hostile->plan.delay_ns = random_below(&arsenal->random, 2000) * MS_NS;
}

static const variant ABORT_BODY[] = {abort_body};

/* ---- cardinality ---- */

/* Series that nobody has seen and nobody will see again, not even when the run is taken up again
 * with the same seed; some with long labels. */
static void cardinality(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    char run[32];
    int pad = (int)random_below(&arsenal->random, 3) * 200;
    struct text *body = &load->body;

    snprintf(run, sizeof(run), "%016llx",
             (unsigned long long)(random_next(&arsenal->random) ^ now_ns()));
    body->length = 0;
    for (uint32_t i = 0; i < SERIES; i++)
        text_format(body, "hostile_series_total{run=\"%s\",series=\"%u\",pad=\"%.*s\"} 1\n", run, i,
                    pad, arsenal->filler.at);
    add_push_of(hostile, load, run, "", TEXT_TYPE);
    add_length(hostile, body->length);
    text_add(&hostile->client.head, body->at, body->length);
    hostile->plan.samples = SERIES;
}

static const variant CARDINALITY[] = {cardinality};

/* ---- all ---- */

struct kind_row {
    const variant *variants;
    size_t count;
};

#define VARIANTS(list)                                                                             \
    {                                                                                              \
        list, sizeof(list) / sizeof(list[0])                                                       \
    }

static const struct kind_row KINDS[HOSTILE_COUNT] = {
    [HOSTILE_OVERSIZED] = VARIANTS(OVERSIZED),
    [HOSTILE_BOMB] = VARIANTS(BOMBS),
    [HOSTILE_HALF_CLOSED] = VARIANTS(HALF_CLOSED),
    [HOSTILE_SLOW_BODY] = VARIANTS(SLOW),
    [HOSTILE_IDLE] = VARIANTS(IDLE),
    [HOSTILE_GARBAGE] = VARIANTS(GARBAGE),
    [HOSTILE_DEEP_JSON] = VARIANTS(DEEP),
    [HOSTILE_ABORT_REPLY] = VARIANTS(ABORT_REPLY),
    [HOSTILE_ABORT_BODY] = VARIANTS(ABORT_BODY),
    [HOSTILE_CARDINALITY] = VARIANTS(CARDINALITY),
};

void plan_make(struct hostile *hostile, struct load *load, struct arsenal *arsenal)
{
    const struct kind_row *row = &KINDS[hostile->kind];

    row->variants[random_below(&arsenal->random, row->count)](hostile, load, arsenal);
}
