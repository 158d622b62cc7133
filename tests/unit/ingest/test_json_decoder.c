/* test_json_decoder.c: NDJSON and JSON bodies: elements, the splitter, and both decoders. */
#include "base/number.h"
#include "base/random.h"
#include "collect.h"
#include "ingest/json_element.h"
#include "ingest/json_splitter.h"

#include <jansson.h>
#include <stdlib.h>

Suite *json_decoder_suite(void);

static struct collector collector;

static void setup(void)
{
    json_element_setup(COLLECT_SEED);
    collect_init(&collector);
}

/* A body long enough to need building. */
static char body_memory[2 << 20];
static size_t body_used;

static void body_begin(void)
{
    body_used = 0;
}

static void body_add(struct bytes text)
{
    ck_assert_uint_le(text.length, sizeof body_memory - body_used);
    memcpy(body_memory + body_used, text.at, text.length);
    body_used += text.length;
}

static void body_repeat(struct bytes text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        body_add(text);
}

static struct bytes body(void)
{
    return (struct bytes){body_memory, body_used};
}

static void assert_text(const char *got, const char *expected)
{
    if (strcmp(got, expected) != 0) /* see COLLECT_REQUIRE */
        ck_assert_str_eq(got, expected);
}

static const char *ndjson(const char *text)
{
    return collect(&collector, FORMAT_NDJSON, bytes_of(text));
}

static const char *json(const char *text)
{
    return collect(&collector, FORMAT_JSON, bytes_of(text));
}

/* ---- one object ---- */

struct example {
    const char *text;
    const char *expected;
};

static const struct example objects[] = {
    {"{\"name\":\"up\",\"value\":1}", "1 gauge up{} 1\n"},
    {"{\"value\":-0.5e-3,\"name\":\"a:b\",\"kind\":\"gauge\"}",
     "1 gauge a:b{} -0.00050000000000000001\n"},
    {"{\"name\":\"n\",\"kind\":\"counter\",\"value\":0}", "1 counter n{} 0\n"},
    {"{\"name\":\"n\",\"value\":18446744073709551616}", "1 gauge n{} 1.8446744073709552e+19\n"},
    {"{\"name\":\"n\",\"value\":1e-400}", "1 gauge n{} 0\n"},
    {"{\"name\":\"t\",\"kind\":\"histogram\",\"value\":-2}", "1 histogram t{} -2\n"},
    {"{\"name\":\"t\",\"kind\":\"histogram\",\"values\":[1]}", "1 histogram t{} 1\n"},
    {"{\"name\":\"t\",\"kind\":\"histogram\",\"values\":[1,2.5,3],\"ts\":7}",
     "1 histogram t{} 1 @7000\n1 + histogram t{} 2.5 @7000\n1 + histogram t{} 3 @7000\n"},
    /* time */
    {"{\"name\":\"n\",\"value\":1,\"ts\":1763841600.5}", "1 gauge n{} 1 @1763841600500\n"},
    {"{\"name\":\"n\",\"value\":1,\"ts\":1763841600.123}", "1 gauge n{} 1 @1763841600123\n"},
    {"{\"name\":\"n\",\"value\":1,\"ts\":0}", "1 gauge n{} 1 @0\n"},
    {"{\"name\":\"n\",\"value\":1,\"ts\":-1.5}", "1 gauge n{} 1 @-1500\n"},
    {"{\"name\":\"n\",\"value\":1,\"ts\":253402300799}", "1 gauge n{} 1 @253402300799000\n"},
    /* labels: sorted, escaped, without the empty ones */
    {"{\"name\":\"n\",\"value\":1,\"labels\":{}}", "1 gauge n{} 1\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"b\":\"2\",\"a\":\"1\",\"c\":\"\"}}",
     "1 gauge n{a=\"1\",b=\"2\"} 1\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\"q\\\"b\\\\n\\nt\\t\"}}",
     "1 gauge n{a=\"q\\\"b\\\\n\\nt\t\"} 1\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\"\\u00fc\\ud83d\\ude00\xc3\xbc\"}}",
     "1 gauge n{a=\"\xc3\xbc\xf0\x9f\x98\x80\xc3\xbc\"} 1\n"},
    /* escapes in keys are JSON too */
    {"{\"n\\u0061me\":\"n\",\"value\":1}", "1 gauge n{} 1\n"},
    {" \t{ \"name\" : \"n\" ,\r \"value\" : 1 } \t\r", "1 gauge n{} 1\n"},
    /* refused */
    {"{\"name\":\"n\",\"value\":1", "! 1 bad_json: it ends before it is complete\n"},
    {"{\"name\":\"n\",\"value\":1}}", "! 1 bad_json: something follows the object\n"},
    {"{\"name\":\"n\",\"value\":1}{\"name\":\"n\",\"value\":1}",
     "! 1 bad_json: something follows the object\n"},
    {"{\"name\":\"n\",\"value\":1,}", "! 1 bad_json: a token is not what JSON allows there\n"},
    {"{\"name\":\"n\",\"value\":01}", "! 1 bad_json: a token is not what JSON allows there\n"},
    {"{\"name\":\"n\",\"value\":NaN}", "! 1 bad_json: a token is not what JSON allows there\n"},
    {"{\"name\":\"n\",\"value\":1,\"value\":1}", "! 1 bad_json: a key appears twice\n"},
    {"{\"name\":\"n\\u0000\",\"value\":1}", "! 1 bad_json: a string holds \\u0000\n"},
    {"{\"name\":\"n\",\"n\\u0000\":1}", "! 1 bad_json: a string holds \\u0000\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\"\\ud800\"}}",
     "! 1 bad_json: a token is not what JSON allows there\n"},
    {"[{\"name\":\"n\",\"value\":1}]", "! 1 bad_json: the line is not an object\n"},
    {"7", "! 1 bad_json: the line is not an object\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\"\xc3\"}}", "! 1 bad_utf8\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\"\xed\xa0\x80\"}}", "! 1 bad_utf8\n"},
    {"{\"name\":\"n\",\"value\":1e999}",
     "! 1 bad_value: a number is beyond the range of a float64\n"},
    {"{\"name\":\"n\",\"kind\":\"counter\",\"value\":-1}",
     "! 1 bad_value: a counter cannot go down\n"},
    {"{\"name\":\"n\",\"kind\":\"timer\",\"value\":1}",
     "! 1 unknown_kind: gauge is what an object without a kind is\n"},
    {"{\"name\":\"n\",\"kind\":\"classic_histogram\",\"value\":1}",
     "! 1 unknown_kind: gauge is what an object without a kind is\n"},
    {"{\"name\":\"n\",\"kind\":1,\"value\":1}", "! 1 bad_field: kind is not a string\n"},
    {"{}", "! 1 bad_field: name is missing\n"},
    {"{\"value\":1}", "! 1 bad_field: name is missing\n"},
    {"{\"name\":null,\"value\":1}", "! 1 bad_field: name is not a string\n"},
    {"{\"name\":\"n\"}", "! 1 bad_field: value is missing\n"},
    {"{\"name\":\"n\",\"value\":\"1\"}", "! 1 bad_field: value is not a number\n"},
    {"{\"name\":\"n\",\"value\":null}", "! 1 bad_field: value is not a number\n"},
    {"{\"name\":\"n\",\"kind\":\"set\",\"value\":true}", "! 1 bad_field: value is not a number\n"},
    {"{\"name\":\"n\",\"value\":1,\"values\":[1],\"kind\":\"histogram\"}",
     "! 1 bad_field: there is a value and there are values\n"},
    {"{\"name\":\"n\",\"values\":[1]}",
     "! 1 bad_field: values is for histograms; other kinds have a value\n"},
    {"{\"name\":\"n\",\"kind\":\"histogram\",\"values\":[]}",
     "! 1 bad_field: values is not an array of numbers\n"},
    {"{\"name\":\"n\",\"kind\":\"histogram\",\"values\":[1,\"2\"]}",
     "! 1 bad_field: values is not an array of numbers\n"},
    {"{\"name\":\"n\",\"kind\":\"histogram\",\"values\":1}",
     "! 1 bad_field: values is not an array of numbers\n"},
    {"{\"name\":\"n\",\"value\":1,\"lables\":{\"a\":\"1\"}}",
     "! 1 bad_field: there is a field other than name, kind, labels, value, values and ts\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":[]}", "! 1 bad_field: labels is not an object\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":1}}",
     "! 1 bad_field: a label's value is not a string\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\"1\",\"a\":\"1\"}}",
     "! 1 bad_json: a key appears twice\n"},
    {"{\"name\":\"n\",\"value\":1,\"ts\":\"now\"}", "! 1 bad_timestamp\n"},
    {"{\"name\":\"n\",\"value\":1,\"ts\":null}", "! 1 bad_timestamp\n"},
    {"{\"name\":\"n\",\"value\":1,\"ts\":1763841600500}", "! 1 bad_timestamp\n"},
    {"{\"name\":\"n\",\"value\":1,\"ts\":-1e300}", "! 1 bad_timestamp\n"},
    {"{\"name\":\"7up\",\"value\":1}", "! 1 bad_name\n"},
    {"{\"name\":\"\",\"value\":1}", "! 1 bad_name\n"},
    {"{\"name\":\"mayfly_up\",\"value\":1}", "! 1 reserved_name\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"a-b\":\"1\"}}", "! 1 bad_label_name\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"__a\":\"1\"}}", "! 1 bad_label_name\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"\":\"1\"}}", "! 1 bad_label_name\n"},
};

START_TEST(object_gives_its_samples_or_its_reason)
{
    assert_text(ndjson(objects[_i].text), objects[_i].expected);
    ck_assert_uint_eq(collector.report.accepted + collector.report.rejected, 1);
}
END_TEST

START_TEST(nul_byte_is_refused_wherever_it_stands)
{
    struct bytes good = BYTES("{\"name\":\"n\",\"value\":1,\"ts\":2}");
    for (size_t at = 1; at < good.length; at++) {
        body_begin();
        body_add((struct bytes){good.at, at});
        body_add(BYTES("\0"));
        body_add((struct bytes){good.at + at, good.length - at});
        assert_text(collect(&collector, FORMAT_NDJSON, body()),
                    "! 1 bad_json: there is a NUL byte in it\n");
    }
}
END_TEST

/* Every limit on an element is met exactly, and then passed by one. */
struct limit_example {
    const char *head;
    const char *tail;
    size_t fits; /* how often x may stand between them */
    const char *expected;
};

static const struct limit_example limits[] = {
    {"{\"name\":\"", "\",\"value\":1}", 20, "! 1 name_too_long limits.name_bytes=20\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"", "\":\"1\"}}", 21,
     "! 1 label_name_too_long limits.label_name_bytes=21\n"},
    {"{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\"", "\"}}", 22,
     "! 1 label_value_too_long limits.label_value_bytes=22\n"},
};

static const char *with_run(const struct limit_example *example, size_t times)
{
    body_begin();
    body_add(bytes_of(example->head));
    body_repeat(BYTES("x"), times);
    body_add(bytes_of(example->tail));
    return collect(&collector, FORMAT_NDJSON, body());
}

START_TEST(limit_is_met_and_not_passed)
{
    collector.settings.limits_name_bytes = 20;
    collector.settings.limits_label_name_bytes = 21;
    collector.settings.limits_label_value_bytes = 22;
    with_run(&limits[_i], limits[_i].fits);
    ck_assert_uint_eq(collector.report.accepted, 1);
    assert_text(with_run(&limits[_i], limits[_i].fits + 1), limits[_i].expected);
}
END_TEST

/* n labels a0="0", a1="1", … */
static const char *with_labels(size_t count)
{
    body_begin();
    body_add(BYTES("{\"name\":\"n\",\"value\":1,\"labels\":{\"empty\":\"\""));
    for (size_t i = 0; i < count; i++) {
        char label[32];
        int length = snprintf(label, sizeof label, ",\"a%zu\":\"%zu\"", i, i);
        body_add((struct bytes){label, (size_t)length});
    }
    body_add(BYTES("}}"));
    return collect(&collector, FORMAT_NDJSON, body());
}

START_TEST(number_of_labels_is_bounded)
{
    with_labels(32);
    ck_assert_uint_eq(collector.report.accepted, 1);
    assert_text(with_labels(33), "! 1 too_many_labels limits.labels=32\n");
    collector.settings.limits_labels = 64;
    with_labels(64);
    ck_assert_uint_eq(collector.report.accepted, 1);
    for (size_t count = 65; count < 80; count++)
        assert_text(with_labels(count), "! 1 too_many_labels limits.labels=64\n");
}
END_TEST

START_TEST(length_of_the_label_set_is_bounded)
{
    collector.settings.limits_label_set_bytes = 64;
    with_labels(9); /* a0="0",… takes 7 bytes a label, the last comma not counted: 62 */
    ck_assert_uint_eq(collector.report.accepted, 1);
    assert_text(with_labels(10), "! 1 label_set_too_long limits.label_set_bytes=64\n");
}
END_TEST

START_TEST(path_labels_are_added_and_win)
{
    struct label_list path;
    label_list_init(&path);
    label_list_add(&path, (struct label){BYTES("job"), BYTES("j\\\"1")});
    label_list_add(&path, (struct label){BYTES("instance"), BYTES("i")});
    collector.labels = &path;
    assert_text(ndjson("{\"name\":\"n\",\"value\":1,"
                       "\"labels\":{\"job\":\"x\",\"a\":\"1\",\"k\":\"2\"}}\n"
                       "{\"name\":\"n\",\"value\":1,\"labels\":{\"job\":7}}\n"
                       "{\"name\":\"n\",\"value\":1}"),
                "1 gauge n{a=\"1\",instance=\"i\",job=\"j\\\"1\",k=\"2\"} 1\n"
                "2 gauge n{instance=\"i\",job=\"j\\\"1\"} 1\n"
                "3 gauge n{instance=\"i\",job=\"j\\\"1\"} 1\n");
    collector.settings.limits_labels = 2;
    assert_text(ndjson("{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\"1\"}}"),
                "! 1 too_many_labels limits.labels=2\n");
}
END_TEST

/* The path may bring more than the list on the stack holds. */
START_TEST(path_labels_beyond_the_list_are_refused)
{
    static const char *const names[] = {"p0", "p1", "p2", "p3", "p4", "p5"};
    struct label_list path;
    label_list_init(&path);
    collector.labels = &path;
    collector.settings.limits_labels = 64;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        label_list_add(&path, (struct label){bytes_of(names[i]), BYTES("1")});
        with_labels(63 - i);
        ck_assert_uint_eq(collector.report.accepted, 1);
        assert_text(with_labels(64), "! 1 too_many_labels limits.labels=64\n");
    }
}
END_TEST

/* The members of a set that these values are. */
static uint64_t set_member(const char *value)
{
    char text[256];
    snprintf(text, sizeof text, "{\"name\":\"s\",\"kind\":\"set\",\"value\":%s}", value);
    ndjson(text);
    ck_assert_uint_eq(collector.report.accepted, 1);
    unsigned long long member;
    ck_assert_int_eq(sscanf(collector.text, "1 set s{} #%llx", &member), 1);
    return member;
}

START_TEST(set_counts_equal_values_once)
{
    uint64_t one = set_member("1");
    ck_assert_uint_eq(one, set_member("1.0"));
    ck_assert_uint_eq(one, set_member("10e-1"));
    ck_assert_uint_eq(one, set_member("\"1\""));
    ck_assert_uint_eq(one, hash_bytes(BYTES("1"), COLLECT_SEED));
    ck_assert_uint_ne(one, set_member("\"1.0\"")); /* a text is itself */
    ck_assert_uint_ne(one, set_member("2"));
    ck_assert_uint_eq(set_member("0"), set_member("-0.0"));
    ck_assert_uint_eq(set_member("1e21"), set_member("1000000000000000000000"));
    ck_assert_uint_ne(set_member("\"\""), set_member("\" \""));
    ck_assert_uint_eq(set_member("\"\\u00fc\""), set_member("\"\xc3\xbc\""));
}
END_TEST

/* jansson reads with strtod; the service promises what number.h promises. */
START_TEST(numbers_are_read_exactly)
{
    struct random random = {COLLECT_SEED};
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t bits = random_next(&random) & ~(UINT64_C(1) << 62); /* half of all, all finite */
        double value;
        memcpy(&value, &bits, sizeof value);
        char text[128] = "{\"name\":\"n\",\"value\":";
        size_t length = strlen(text);
        length += number_write(value, text + length);
        text[length] = '}';
        text[length + 1] = 0;
        ndjson(text);
        double read;
        COLLECT_REQUIRE(sscanf(collector.text, "1 gauge n{} %lf", &read) == 1);
        COLLECT_REQUIRE(memcmp(&read, &value, sizeof value) == 0);
    }
}
END_TEST

/* More values than a batch takes: the rest follows in the next, with texts of its own. */
START_TEST(values_may_outnumber_the_batch)
{
    collect_scratch(&collector, COLLECT_SCRATCH_BYTES);
    body_begin();
    body_add(BYTES("{\"name\":\"t\",\"kind\":\"histogram\",\"labels\":{\"a\":\"1\"},"
                   "\"values\":[0"));
    body_repeat(BYTES(",1"), 3 * BATCH_SAMPLES);
    body_add(BYTES("]}"));
    const char *text = collect(&collector, FORMAT_NDJSON, body());
    ck_assert_uint_eq(collector.report.accepted, 1);
    ck_assert_uint_eq(collector.flushes, 4);
    const char *expected = "1 histogram t{a=\"1\"} 0\n";
    for (size_t i = 0; i <= 3 * BATCH_SAMPLES; i++) {
        ck_assert_int_eq(strncmp(text, expected, strlen(expected)), 0);
        text += strlen(expected);
        expected = "1 + histogram t{a=\"1\"} 1\n";
    }
    assert_text(text, "");
}
END_TEST

START_TEST(object_with_one_bad_value_adds_nothing)
{
    collect_scratch(&collector, COLLECT_SCRATCH_BYTES);
    body_begin();
    body_add(BYTES("{\"name\":\"t\",\"kind\":\"histogram\",\"values\":[0"));
    body_repeat(BYTES(",1"), 2 * BATCH_SAMPLES);
    body_add(BYTES(",null]}"));
    assert_text(collect(&collector, FORMAT_NDJSON, body()),
                "! 1 bad_field: values is not an array of numbers\n");
    ck_assert_uint_eq(collector.flushes, 0);
}
END_TEST

START_TEST(set_up_is_noticed)
{
    ck_assert(json_element_is_set_up());
    json_element_setup(0); /* a seed of 0 is no request for another source of randomness */
    ck_assert(json_element_is_set_up());
}
END_TEST

/* What the server's drills do: our hooks, wrapped by somebody who passes on. */
static json_malloc_t passed_to;

static void *pass_on(size_t bytes)
{
    return passed_to(bytes);
}

static void *take_elsewhere(size_t bytes)
{
    return malloc(bytes);
}

START_TEST(set_up_is_where_the_memory_comes_from)
{
    json_malloc_t ours;
    json_free_t drop;
    json_get_alloc_funcs(&ours, &drop);
    passed_to = ours;
    json_set_alloc_funcs(pass_on, drop);
    ck_assert(json_element_is_set_up());
    json_set_alloc_funcs(take_elsewhere, free);
    ck_assert(!json_element_is_set_up());
    json_set_alloc_funcs(ours, drop);
    ck_assert(json_element_is_set_up());
}
END_TEST

/* ---- scratch ---- */

/* A source of blocks that refuses the nth. */
struct torture {
    unsigned taken;
    unsigned live;
    unsigned refused_at;
};

static void *torture_take(void *context, size_t bytes, size_t *granted)
{
    struct torture *torture = context;
    if (++torture->taken == torture->refused_at)
        return NULL;
    torture->live++;
    *granted = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    return aligned_alloc(ARENA_ALIGN, *granted);
}

static void torture_give(void *context, void *block, size_t granted)
{
    (void)granted;
    ((struct torture *)context)->live--;
    free(block);
}

static const char *const torture_bodies[] = {
    "{\"name\":\"requests_total\",\"kind\":\"counter\",\"labels\":{\"route\":\"/a\\\"b\\\"\","
    "\"method\":\"GET\",\"status\":\"200\"},\"value\":12345678901234567890.125,"
    "\"ts\":1763841600.5}",
    "{\"name\":\"t\",\"kind\":\"histogram\",\"values\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,"
    "1.7976931348623157e308]}",
    "{\"name\":\"n\",\"value\":1,\"labels\":{\"a1\":\"1\",\"a2\":\"2\",\"a3\":\"3\",\"a4\":\"4\","
    "\"a5\":\"5\",\"a6\":\"6\",\"a7\":\"7\",\"a8\":\"8\",\"a9\":\"9\","
    "\"a10\":\"a long, long value\"}}",
};

/* Each allocation of jansson's is refused in its turn, in a block of its own. */
START_TEST(every_refused_push_rejects_the_element_and_leaves_nothing)
{
    static _Alignas(ARENA_ALIGN) char first[ARENA_ALIGN];
    struct torture torture = {0};
    struct block_source source = {torture_take, torture_give, &torture};
    unsigned n = 0;
    do {
        torture = (struct torture){.refused_at = ++n};
        arena_init(&collector.scratch, first, sizeof first, COLLECT_SCRATCH_BYTES, &source);
        collector.scratch.grow_bytes = 0;
        const char *text = ndjson(torture_bodies[_i]);
        ck_assert_uint_eq(torture.live, 0);
        if (collector.report.accepted == 0)
            assert_text(text, "! 1 element_too_large limits.scratch_bytes=65536\n");
    } while (collector.report.accepted == 0);
    ck_assert_uint_gt(n, 20);
}
END_TEST

/*
 * A scratch of every size, with tokens of every length. jansson does not survive a refusal to
 * lengthen its token buffer by itself: see json_element.c.
 */
START_TEST(scratch_of_any_size_is_enough_or_refuses)
{
    for (size_t length = 1; length < 400; length += 13) {
        body_begin();
        body_add(BYTES("{\"name\":\"n\",\"value\":1"));
        body_repeat(BYTES("7"), length % 150);
        body_add(BYTES(",\"labels\":{\"a\":\""));
        body_repeat(BYTES("x"), length);
        body_add(BYTES("\"}}"));
        size_t bytes = 0;
        do {
            bytes += ARENA_ALIGN;
            arena_init(&collector.scratch, collector.scratch_memory, bytes, bytes, NULL);
            const char *text = collect(&collector, FORMAT_NDJSON, body());
            if (collector.report.accepted == 0)
                assert_text(text, "! 1 element_too_large limits.scratch_bytes=65536\n");
        } while (collector.report.accepted == 0);
        ck_assert_uint_lt(bytes, 16384);
    }
}
END_TEST

/* The tree of an element that just fits limits.element_bytes, in the worst shape there is. */
START_TEST(hungriest_element_is_refused_for_its_scratch)
{
    collect_scratch(&collector, COLLECT_SCRATCH_BYTES);
    body_begin();
    body_add(BYTES("{\"labels\":[{}"));
    body_repeat(BYTES(",{}"), 5400);
    body_add(BYTES("]}"));
    ck_assert_uint_le(body_used, collector.settings.limits_element_bytes);
    assert_text(collect(&collector, FORMAT_NDJSON, body()),
                "! 1 element_too_large limits.scratch_bytes=524288\n");
    ck_assert_uint_le(ledger_figures(&collector.ledger, POOL_SCRATCH).peak_bytes,
                      COLLECT_SCRATCH_BYTES);
}
END_TEST

/* And the largest array of values that fits it has room. */
START_TEST(longest_values_have_room)
{
    collect_scratch(&collector, COLLECT_SCRATCH_BYTES);
    body_begin();
    body_add(BYTES("{\"name\":\"t\",\"kind\":\"histogram\",\"values\":[1"));
    body_repeat(BYTES(",1"), (16384 - body_used - 2) / 2);
    body_add(BYTES("]}"));
    ck_assert_uint_le(body_used, collector.settings.limits_element_bytes);
    ck_assert_uint_gt(body_used, collector.settings.limits_element_bytes - 2);
    collect(&collector, FORMAT_NDJSON, body());
    ck_assert_uint_eq(collector.report.accepted, 1);
}
END_TEST

START_TEST(scratch_is_told_to_the_ledger)
{
    ndjson("{\"name\":\"n\",\"value\":1}\nnot JSON\n{\"name\":7}");
    struct account_figures figures = ledger_figures(&collector.ledger, POOL_SCRATCH);
    ck_assert_uint_eq(figures.allocations, 2); /* the second line never gets to the parser */
    ck_assert_uint_eq(figures.frees, 2);
    ck_assert_uint_eq(figures.live_bytes, 0);
    ck_assert_uint_gt(figures.peak_bytes, 100);
    ck_assert_uint_lt(figures.peak_bytes, 4096);
}
END_TEST

/* ---- lines ---- */

START_TEST(lines_are_taken_one_by_one)
{
    assert_text(ndjson("\n{\"name\":\"a\",\"value\":1}\r\n \t\r\n{\n{\"name\":\"b\",\"value\":2}"),
                "2 gauge a{} 1\n5 gauge b{} 2\n! 4 bad_json: it ends before it is complete\n");
    assert_text(ndjson(""), "");
    assert_text(ndjson(" \n\r\n\t"), "");
}
END_TEST

START_TEST(long_line_is_skipped_and_the_body_goes_on)
{
    collector.settings.limits_line_bytes = 100;
    body_begin();
    body_repeat(BYTES("x"), 101);
    body_add(BYTES("\n{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\""));
    body_repeat(BYTES("v"), 100 - 41);
    body_add(BYTES("\"}}\n{\"name\":\"n\",\"value\":2}\n"));
    body_repeat(BYTES("{"), 101);
    for (size_t piece = 1; piece <= body_used; piece++) {
        collect_pieces(&collector, FORMAT_NDJSON, body(), piece, piece);
        ck_assert_uint_eq(collector.report.accepted, 2);
        ck_assert_ptr_nonnull(strstr(collector.text, "! 1 line_too_long limits.line_bytes=100\n"
                                                     "! 4 line_too_long limits.line_bytes=100\n"));
    }
}
END_TEST

START_TEST(line_beyond_an_element_is_rejected)
{
    collector.settings.limits_element_bytes = 256;
    body_begin();
    body_add(BYTES("{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\""));
    body_repeat(BYTES("v"), 256 - body_used - 3);
    body_add(BYTES("\"}}"));
    collect(&collector, FORMAT_NDJSON, body());
    ck_assert_uint_eq(collector.report.accepted, 1);
    body_used -= 3;
    body_add(BYTES("v\"}}"));
    assert_text(collect(&collector, FORMAT_NDJSON, body()),
                "! 1 element_too_large limits.element_bytes=256\n");
}
END_TEST

static void body_nested(size_t depth)
{
    body_begin();
    body_add(BYTES("{\"labels\":"));
    body_repeat(BYTES("["), depth - 1);
    body_add(BYTES("\"]]][[[\""));
    body_repeat(BYTES("]"), depth - 1);
    body_add(BYTES("}"));
}

START_TEST(depth_is_bounded_in_lines_and_elements)
{
    static const char *const too_deep = "! 1 too_deep limits.json_depth=16\n";
    body_nested(16);
    assert_text(collect(&collector, FORMAT_NDJSON, body()), "! 1 bad_field: name is missing\n");
    assert_text(collect(&collector, FORMAT_JSON, body()), "! 1 bad_field: name is missing\n");
    body_nested(17);
    assert_text(collect(&collector, FORMAT_NDJSON, body()), too_deep);
    assert_text(collect(&collector, FORMAT_JSON, body()), too_deep);
}
END_TEST

/* ---- arrays ---- */

static const struct example arrays[] = {
    {"[]", ""},
    {" [ \n ] \n", ""},
    {"{\"name\":\"a\",\"value\":1}", "1 gauge a{} 1\n"},
    {"\n\n{\"name\":\"a\",\n\"value\":1}\n", "3 gauge a{} 1\n"},
    {"[{\"name\":\"a\",\"value\":1}]", "1/1 gauge a{} 1\n"},
    {"[\n{\"name\":\"a\",\n\"value\":1}\n,{\"name\":\"b\",\"value\":2}]",
     "2/1 gauge a{} 1\n4/2 gauge b{} 2\n"},
    {"[{\"name\":\"a]}\",\"value\":1},"
     "{\"name\":\"b\",\"value\":2,\"labels\":{\"x\":\"\\\"]}\\\\\"}}]",
     "1/2 gauge b{x=\"\\\"]}\\\\\"} 2\n! 1/1 bad_name\n"},
    /* what is no object is rejected alone */
    {"[1,{\"name\":\"a\",\"value\":1},\"{[\\\"\",null ,[{},[]],-1.5e+3\n]",
     "1/2 gauge a{} 1\n! 1/1 bad_json: the element is not an object\n"
     "! 1/3 bad_json: the element is not an object\n! 1/4 bad_json: the element is not an object\n"
     "! 1/5 bad_json: the element is not an object\n"
     "! 1/6 bad_json: the element is not an object\n"},
    {"[{\"a\":1]]", "! 1/1 bad_json: a token is not what JSON allows there\n"},
    /* what leaves no way on ends the request; what was before it stands */
    {"[{\"name\":\"a\",\"value\":1} {\"name\":\"b\",\"value\":2}]",
     "1/1 gauge a{} 1\n= 1 bad_json: between two elements there is no comma\n"},
    {"[{\"name\":\"a\",\"value\":1},]", "1/1 gauge a{} 1\n= 1 bad_json: an element is missing\n"},
    {"[,]", "= 1 bad_json: an element is missing\n"},
    {"[{}}", "! 1/1 bad_field: name is missing\n"
             "= 1 bad_json: between two elements there is no comma\n"},
    {"[1{\"name\":\"a\",\"value\":1}]",
     "! 1/1 bad_json: the element is not an object\n"
     "= 1 bad_json: between two elements there is no comma\n"},
    {"[]\n\n]", "= 3 bad_json: something follows its end; for an object a line, send"
                " application/x-ndjson\n"},
    {"{\"name\":\"a\",\"value\":1}\n{\"name\":\"a\",\"value\":1}",
     "1 gauge a{} 1\n= 2 bad_json: something follows its end; for an object a line, send"
     " application/x-ndjson\n"},
    {"\"text\"", "= 1 bad_json: it is neither an object nor an array\n"},
    {"name 1\n", "= 1 bad_json: it is neither an object nor an array\n"},
    {"", "= 0 empty_body\n"},
    {" \n", "= 0 empty_body\n"},
    {"[", "= 1 truncated_body: the array has no end\n"},
    {"[{\"name\":\"a\",\"value\":1}\n,\n",
     "1/1 gauge a{} 1\n= 3 truncated_body: the array has no end\n"},
    {"[{\"name\":\"a\",\"value\":1}",
     "1/1 gauge a{} 1\n= 1 truncated_body: the array has no end\n"},
    {"[{\"name\":\"a", "= 1 truncated_body: an element has no end\n"},
    {"[12", "= 1 truncated_body: an element has no end\n"},
    {"{\"name\"", "= 1 truncated_body: an element has no end\n"},
};

START_TEST(array_gives_its_elements_or_its_reason)
{
    assert_text(json(arrays[_i].text), arrays[_i].expected);
}
END_TEST

START_TEST(element_of_the_limit_is_taken_and_a_longer_one_skipped)
{
    collector.settings.limits_element_bytes = 256;
    for (size_t piece = 1; piece < 600; piece += 7) {
        body_begin();
        body_add(BYTES("[{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\""));
        body_repeat(BYTES("v"), 256 + 1 - body_used - 3);
        body_add(BYTES("\"}},\n{\"name\":\"n\",\"value\":1,\"labels\":{\"a\":\""));
        body_repeat(BYTES("v"), 300);
        body_add(BYTES("]}\\\"\"}},{\"name\":\"n\",\"value\":3}]"));
        collector.body_bytes = UINT64_MAX;
        const char *text = collect_pieces(&collector, FORMAT_JSON, body(), piece, piece);
        ck_assert_uint_eq(collector.report.accepted, 2);
        ck_assert_ptr_nonnull(strstr(
            text, "2/3 gauge n{} 3\n! 2/2 element_too_large limits.element_bytes=256\n"));
    }
}
END_TEST

/* Whichever limit comes first in the bytes is told, however they are cut. */
START_TEST(too_deep_and_too_large_is_the_one_that_comes_first)
{
    collector.settings.limits_element_bytes = 256;
    for (size_t at = 200; at < 300; at++) {
        body_begin();
        body_add(BYTES("[{\""));
        body_repeat(BYTES("v"), at - 20);
        body_add(BYTES("\":"));
        body_repeat(BYTES("["), 20);
        body_repeat(BYTES("]"), 100);
        const char *expected =
            at <= 256 ? "1/1 too_deep limits" : "1/1 element_too_large limits.element_bytes=256";
        collector.body_bytes = UINT64_MAX;
        for (size_t piece = 1; piece < 500; piece += 49) {
            const char *text = collect_pieces(&collector, FORMAT_JSON, body(), piece, piece);
            ck_assert_msg(strstr(text, expected) != NULL, "at %zu: %s", at, text);
        }
    }
}
END_TEST

/* 10,000 levels are a number to the splitter; jansson, which recurses, never sees them. */
START_TEST(deep_nesting_is_rejected_flat)
{
    for (int object = 0; object < 2; object++) {
        body_begin();
        body_add(BYTES("["));
        body_repeat(object ? BYTES("{\"a\":") : BYTES("["), 10000);
        body_add(BYTES("1"));
        body_repeat(object ? BYTES("}") : BYTES("]"), 10000);
        body_add(BYTES(",{\"name\":\"n\",\"value\":1}]"));
        assert_text(collect_pieces(&collector, FORMAT_JSON, body(), 1000, 1000),
                    "1/2 gauge n{} 1\n! 1/1 too_deep limits.json_depth=16\n");
    }
    assert_text(collect(&collector, FORMAT_NDJSON, (struct bytes){body_memory + 1, 15000}),
                "! 1 too_deep limits.json_depth=16\n");
}
END_TEST

START_TEST(megabyte_of_empty_objects_is_flat)
{
    body_begin();
    body_add(BYTES("[{}"));
    body_repeat(BYTES(",{}"), 349524);
    body_add(BYTES("]"));
    collect_pieces(&collector, FORMAT_JSON, body(), 10000, 10000);
    ck_assert_uint_eq(collector.report.rejected, 349525);
    ck_assert_uint_eq(collector.report.error_count, REPORT_ERRORS);
    assert_text(strrchr(collector.text, '!'), "! 1/10 bad_field: name is missing\n");
    ck_assert_uint_lt(ledger_figures(&collector.ledger, POOL_SCRATCH).peak_bytes, 1024);
}
END_TEST

/* ---- both decoders ---- */

static const char mixed_lines[] =
    "{\"name\":\"a\",\"value\":1}\n\r\n{\"name\":\"b\",\"kind\":\"counter\",\"value\":2,"
    "\"labels\":{\"z\":\"\xc3\xbc\\\"\",\"y\":\"\\\\\"}}\r\n{]\n[1]\n{\"name\":\"t\",\"kind\":"
    "\"histogram\",\"values\":[1,2],\"ts\":3.5}\n"
    "{\"name\":\"a\",\"value\":1,\"labels\":{\"x\":\"\xff\"}}\n"
    "{\"labels\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}\n"
    "{\"name\":\"s\",\"kind\":\"set\",\"value\":\"m\"}";

static const char mixed_array[] =
    "\n [ {\"name\":\"a\",\"value\":1},\n-12.5e3,\"\\\"]\" ,{\"name\":\"b\",\"kind\":\"counter\","
    "\n\"value\":2,\"labels\":{\"z\":\"\xc3\xbc\\\"\",\"y\":\"\\\\\"}},{\"a\":},[{}],null,"
    "{\"name\":\"t\",\"kind\":\"histogram\",\"values\":[1,2],\"ts\":3.5},"
    "{\"labels\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]},{}\n,{\"name\":\"s\",\"kind\":\"set\","
    "\"value\":\"m\"}]\n ";

static const char *mixed(int i)
{
    return i == 0 ? mixed_lines : mixed_array;
}

static enum format format_of(int i)
{
    return i == 0 ? FORMAT_NDJSON : FORMAT_JSON;
}

START_TEST(cut_anywhere_it_gives_the_same)
{
    struct bytes text = bytes_of(mixed(_i));
    collect(&collector, format_of(_i), text);
    const char *expected = collect_keep(&collector);
    ck_assert_uint_eq(collector.report.accepted, 4);
    ck_assert_uint_gt(collector.report.rejected, 3);
    for (size_t cut = 0; cut <= text.length; cut++)
        assert_text(collect_pieces(&collector, format_of(_i), text, cut, text.length), expected);
    for (size_t piece = 1; piece <= text.length; piece++)
        assert_text(collect_pieces(&collector, format_of(_i), text, piece, piece), expected);
}
END_TEST

/* A JSON array that stops early is refused; of lines each is whole by itself. */
START_TEST(stopped_anywhere_it_is_truncated_or_has_fewer_lines)
{
    struct bytes text = bytes_of(mixed(_i));
    for (size_t length = 0; length < text.length; length++) {
        bool whole = _i == 0 || length >= text.length - 2;
        const char *got =
            collect(&collector, format_of(_i), (struct bytes){text.at, length});
        ck_assert_msg((strstr(got, "= ") == NULL) == whole, "at %zu: %s", length, got);
    }
}
END_TEST

START_TEST(corrupt_anywhere_it_does_not_depend_on_the_cut)
{
    struct bytes text = bytes_of(mixed(_i));
    for (size_t at = 0; at < text.length; at++) {
        for (unsigned flip = 1; flip < 256; flip *= 2) {
            body_begin();
            body_add(text);
            body_memory[at] ^= (char)flip;
            collect(&collector, format_of(_i), body());
            const char *expected = collect_keep(&collector);
            assert_text(collect_pieces(&collector, format_of(_i), body(), at, 7), expected);
        }
    }
}
END_TEST

/* Bodies of random tokens, most of them nearly JSON. */
static void body_random(struct random *random)
{
    static const char *const tokens[] = {
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\n", " ", "1", "-", "e9", ".5", "null", "true",
        "\"name\"", "\"value\"", "\"labels\"", "\"n\"", "\"ts\"", "{}", "[]", "\"\\u00", "\xc3\xbc",
        "\xff", "{\"name\":\"n\",\"value\":1}", "{\"name\":\"n\",\"value\":1},", "\"kind\":\"set\"",
        "{\"name\":\"t\",\"kind\":\"histogram\",\"values\":[1,2]",
        "{\"labels\":{\"a\":\"b\"},", "\r",
    };
    size_t count = random_below(random, 40);
    body_begin();
    if (random_below(random, 2) == 0)
        body_add(BYTES("["));
    for (size_t i = 0; i < count; i++)
        body_add(bytes_of(tokens[random_below(random, sizeof tokens / sizeof tokens[0])]));
    if (random_below(random, 20) == 0)
        body_add(BYTES("\0"));
}

START_TEST(garbage_gives_the_same_however_it_is_cut)
{
    struct random random = {COLLECT_SEED + (uint64_t)_i};
    collector.settings.limits_element_bytes = 256;
    collector.settings.limits_line_bytes = 200;
    collector.settings.limits_json_depth = 4;
    for (unsigned i = 0; i < 10000; i++) {
        body_random(&random);
        collect(&collector, format_of(_i), body());
        const char *expected = collect_keep(&collector);
        size_t piece = 1 + random_below(&random, 30);
        assert_text(collect_pieces(&collector, format_of(_i), body(), piece, piece), expected);
    }
}
END_TEST

START_TEST(refused_flush_ends_the_request)
{
    collector.flush_refused_at = 1;
    assert_text(collect(&collector, format_of(_i), bytes_of(mixed(_i))) +
                    collector.used - strlen("= 0 request_too_large\n"),
                "= 0 request_too_large\n");
    ck_assert_uint_eq(collector.report.accepted, 0);
}
END_TEST

/* In mid-element, too: values that need a second batch. */
START_TEST(refused_flush_between_values_ends_the_request)
{
    collect_scratch(&collector, COLLECT_SCRATCH_BYTES);
    body_begin();
    body_add(BYTES("{\"name\":\"t\",\"kind\":\"histogram\",\"values\":[0"));
    body_repeat(BYTES(",1"), BATCH_SAMPLES);
    body_add(BYTES("]}"));
    body_repeat(BYTES("\n{\"name\":\"a\",\"value\":1}"), _i == 0);
    collector.flush_refused_at = 1;
    assert_text(collect(&collector, format_of(_i), body()), "= 0 request_too_large\n");
}
END_TEST

START_TEST(refused_arena_makes_no_decoder)
{
    static _Alignas(ARENA_ALIGN) char first[ARENA_ALIGN];
    struct torture torture = {.refused_at = 1};
    struct block_source source = {torture_take, torture_give, &torture};
    struct decoder_options options = {.format = format_of(_i), .body_bytes = 1000};
    arena_init(&collector.arena, first, sizeof first, COLLECT_ARENA_BYTES, &source);
    ck_assert_ptr_null(decoder_make(&options, &collector.settings, &collector.arena));
    ck_assert_int_eq(collector.arena.refusal, STATUS_BUSY);
    ck_assert_ptr_nonnull(decoder_make(&options, &collector.settings, &collector.arena));
    ck_assert_uint_eq(torture.live, 1); /* all in one push */
    arena_reset(&collector.arena);
    ck_assert_uint_eq(torture.live, 0);
}
END_TEST

/* A push of one sample is served from a connection's first block, which holds other things too. */
START_TEST(small_push_fits_the_first_block)
{
    struct bytes text =
        BYTES("{\"name\":\"http_request_seconds\",\"kind\":\"histogram\",\"labels\":{"
              "\"route\":\"/items\",\"method\":\"GET\",\"status\":\"200\",\"zone\":\"eu-west-1a\""
              "},\"value\":0.0123,\"ts\":1763841600.5}");
    arena_init(&collector.arena, collector.arena_memory, 512, 512, NULL);
    collect(&collector, format_of(_i), text);
    ck_assert_uint_eq(collector.report.accepted, 1);
}
END_TEST

START_TEST(buffer_is_the_limit_when_the_length_is_unknown)
{
    struct decoder_options options = {.format = format_of(_i), .body_bytes = UINT64_MAX};
    arena_init(&collector.arena, collector.arena_memory, 17 << 10, 17 << 10, NULL);
    ck_assert_ptr_nonnull(decoder_make(&options, &collector.settings, &collector.arena));
    ck_assert_uint_lt(arena_room(&collector.arena), 1024);
}
END_TEST

/* ---- suite ---- */

static TCase *case_make(const char *name)
{
    TCase *cases = tcase_create(name);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_set_timeout(cases, 120);
    return cases;
}

static TCase *objects_case(void)
{
    TCase *cases = case_make("objects");
    tcase_add_loop_test(cases, object_gives_its_samples_or_its_reason, 0,
                        sizeof objects / sizeof objects[0]);
    tcase_add_test(cases, nul_byte_is_refused_wherever_it_stands);
    tcase_add_loop_test(cases, limit_is_met_and_not_passed, 0, sizeof limits / sizeof limits[0]);
    tcase_add_test(cases, number_of_labels_is_bounded);
    tcase_add_test(cases, length_of_the_label_set_is_bounded);
    tcase_add_test(cases, path_labels_are_added_and_win);
    tcase_add_test(cases, path_labels_beyond_the_list_are_refused);
    tcase_add_test(cases, set_counts_equal_values_once);
    tcase_add_test(cases, numbers_are_read_exactly);
    tcase_add_test(cases, values_may_outnumber_the_batch);
    tcase_add_test(cases, object_with_one_bad_value_adds_nothing);
    tcase_add_test(cases, set_up_is_noticed);
    tcase_add_test(cases, set_up_is_where_the_memory_comes_from);
    return cases;
}

static TCase *scratch_case(void)
{
    TCase *cases = case_make("scratch");
    tcase_add_loop_test(cases, every_refused_push_rejects_the_element_and_leaves_nothing, 0,
                        sizeof torture_bodies / sizeof torture_bodies[0]);
    tcase_add_test(cases, scratch_of_any_size_is_enough_or_refuses);
    tcase_add_test(cases, hungriest_element_is_refused_for_its_scratch);
    tcase_add_test(cases, longest_values_have_room);
    tcase_add_test(cases, scratch_is_told_to_the_ledger);
    return cases;
}

static TCase *bodies_case(void)
{
    TCase *cases = case_make("bodies");
    tcase_add_test(cases, lines_are_taken_one_by_one);
    tcase_add_test(cases, long_line_is_skipped_and_the_body_goes_on);
    tcase_add_test(cases, line_beyond_an_element_is_rejected);
    tcase_add_test(cases, depth_is_bounded_in_lines_and_elements);
    tcase_add_loop_test(cases, array_gives_its_elements_or_its_reason, 0,
                        sizeof arrays / sizeof arrays[0]);
    tcase_add_test(cases, element_of_the_limit_is_taken_and_a_longer_one_skipped);
    tcase_add_test(cases, too_deep_and_too_large_is_the_one_that_comes_first);
    tcase_add_test(cases, deep_nesting_is_rejected_flat);
    tcase_add_test(cases, megabyte_of_empty_objects_is_flat);
    return cases;
}

/* Each for NDJSON and for JSON. */
static TCase *both_case(void)
{
    TCase *cases = case_make("both");
    tcase_add_loop_test(cases, cut_anywhere_it_gives_the_same, 0, 2);
    tcase_add_loop_test(cases, stopped_anywhere_it_is_truncated_or_has_fewer_lines, 0, 2);
    tcase_add_loop_test(cases, corrupt_anywhere_it_does_not_depend_on_the_cut, 0, 2);
    tcase_add_loop_test(cases, garbage_gives_the_same_however_it_is_cut, 0, 2);
    tcase_add_loop_test(cases, refused_flush_ends_the_request, 0, 2);
    tcase_add_loop_test(cases, refused_flush_between_values_ends_the_request, 0, 2);
    tcase_add_loop_test(cases, refused_arena_makes_no_decoder, 0, 2);
    tcase_add_loop_test(cases, small_push_fits_the_first_block, 0, 2);
    tcase_add_loop_test(cases, buffer_is_the_limit_when_the_length_is_unknown, 0, 2);
    return cases;
}

Suite *json_decoder_suite(void)
{
    Suite *suite = suite_create("json_decoder");
    suite_add_tcase(suite, objects_case());
    suite_add_tcase(suite, scratch_case());
    suite_add_tcase(suite, bodies_case());
    suite_add_tcase(suite, both_case());
    return suite;
}
