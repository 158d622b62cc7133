/*
 * test_prometheus_text.c: bodies of Prometheus text and OpenMetrics, and the samples and refusals
 * they come to.
 *
 * A row is a body and the text its reading makes (see struct test_intake); "! 2 bad_value" is a
 * line that was refused, with the limit where one governs it. Every row is also read in two pieces
 * cut at each of its bytes, and byte by byte.
 */
#include "base/random.h"
#include "ingest/child_draft.h"
#include "ingest/decoder.h"
#include "ingest/label_set.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>

Suite *prometheus_suite(void);

#define ARENA_BYTES ((size_t)64 << 10)

static struct test_world world;
static struct test_intake *intake;
static struct arena arena;
static void *arena_memory;
static struct label_list path;
static const struct label_list *path_in_use; /* NULL: none */
static struct test_text output;

static void setup(void)
{
    test_world_init(&world, 0);
    intake = test_intake_make(&world);
    arena_memory = aligned_alloc(ARENA_ALIGN, ARENA_BYTES);
    arena_init(&arena, arena_memory, ARENA_BYTES, ARENA_BYTES, NULL);
    test_text_reset(&output);
    path_in_use = NULL;
}

static void teardown(void)
{
    UNPOISON(arena_memory, ARENA_BYTES);
    free(arena_memory);
    test_intake_free(intake);
    test_text_end(&output);
    test_world_end(&world);
}

/* ---- reading ---- */

static struct decoder *begin(enum format format)
{
    struct decoder_options options = {
        .format = format, .body_bytes = UINT64_MAX, .labels = path_in_use};
    arena_reset(&arena);
    test_intake_reset(intake);
    struct decoder *decoder = prometheus_decoder_make(&options, &world.settings, &arena);
    CHECK_THAT(decoder != NULL);
    return decoder;
}

/* In memory that ends with the call, as an upload's does. */
static void feed(struct decoder *decoder, struct bytes input)
{
    char *copy = malloc(input.length + (input.length == 0));
    CHECK_THAT(copy != NULL);
    memcpy(copy, input.at, input.length);
    struct refusal refusal =
        decoder->feed(decoder, (struct bytes){copy, input.length}, &intake->intake);
    CHECK_THAT(refusal.status == STATUS_OK);
    CHECK_THAT(intake->intake.batch->count == 0);
    free(copy);
}

/* What came of it, in `output`: samples, refusals, and how many of each there were. */
static void end(struct decoder *decoder)
{
    CHECK_THAT(decoder->finish(decoder, &intake->intake).status == STATUS_OK);
    CHECK_THAT(intake->intake.batch->count == 0);
    test_text_reset(&output);
    test_append(&output, (struct bytes){intake->collected.at, intake->collected.used});
    test_collect_report(&output, &intake->report);
}

static const char *read_in_pieces(enum format format, struct bytes body, size_t first, size_t piece)
{
    struct decoder *decoder = begin(format);
    size_t length = first < body.length ? first : body.length;
    feed(decoder, (struct bytes){body.at, length});
    for (size_t at = length; at < body.length; at += length) {
        length = piece < body.length - at ? piece : body.length - at;
        feed(decoder, (struct bytes){body.at + at, length});
    }
    end(decoder);
    return output.at;
}

static const char *read_whole(enum format format, struct bytes body)
{
    return read_in_pieces(format, body, body.length, body.length);
}

static void check_read(enum format format, struct bytes body, const char *expected)
{
    ck_assert_str_eq(read_whole(format, body), expected);
    for (size_t cut = 0; cut < body.length; cut++) {
        if (strcmp(read_in_pieces(format, body, cut, body.length), expected) != 0)
            ck_abort_msg("cut at %zu:\n%s", cut, output.at);
    }
    if (strcmp(read_in_pieces(format, body, 1, 1), expected) != 0)
        ck_abort_msg("byte by byte:\n%s", output.at);
}

/* ---- rows ---- */

struct row {
    const char *body;
    const char *output;
};

static const struct row text_rows[] = {
    /* the example of the format's own documentation */
    {"# HELP http_requests_total The total number of HTTP requests.\n"
     "# TYPE http_requests_total counter\n"
     "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
     "http_requests_total{method=\"post\",code=\"400\"}    3 1395066363000\n"
     "\n"
     "# Escaping in label values:\n"
     "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\","
     "error=\"Cannot find file:\\n\\\"FILE.TXT\\\"\"} 1.458255915e9\n"
     "\n"
     "# Minimalistic line:\n"
     "metric_without_timestamp_and_labels 12.47\n"
     "\n"
     "# A weird metric from before the epoch:\n"
     "something_weird{problem=\"division by zero\"} +Inf -3982045\n"
     "\n"
     "# A histogram, which has a pretty complex representation in the text format:\n"
     "# HELP http_request_duration_seconds A histogram of the request duration.\n"
     "# TYPE http_request_duration_seconds histogram\n"
     "http_request_duration_seconds_bucket{le=\"0.05\"} 24054\n"
     "http_request_duration_seconds_bucket{le=\"+Inf\"} 144320\n"
     "http_request_duration_seconds_sum 53423\n"
     "http_request_duration_seconds_count 144320\n"
     "\n"
     "# Finally a summary, which has a complex representation, too:\n"
     "# HELP rpc_duration_seconds A summary of the RPC duration in seconds.\n"
     "# TYPE rpc_duration_seconds summary\n"
     "rpc_duration_seconds{quantile=\"0.01\"} 3102\n"
     "rpc_duration_seconds_sum 1.7560473e+07\n"
     "rpc_duration_seconds_count 2693\n",
     "3 counter http_requests_total{code=\"200\",method=\"post\"} 1027 @1395066363000"
     " help=The total number of HTTP requests. unit=\n"
     "4 counter http_requests_total{code=\"400\",method=\"post\"} 3 @1395066363000\n"
     "7 gauge msdos_file_access_time_seconds{error=\"Cannot find file:\\n\\\"FILE.TXT\\\"\","
     "path=\"C:\\\\DIR\\\\FILE.TXT\"} 1458255915\n"
     "10 gauge metric_without_timestamp_and_labels{} 12.47\n"
     "13 gauge something_weird{problem=\"division by zero\"} +Inf @-3982045\n"
     "18+4 classic_histogram http_request_duration_seconds{} sum=53423 count=144320 buckets"
     " 0.05:24054 help=A histogram of the request duration. unit=\n"
     "27+2 summary rpc_duration_seconds{} sum=17560473 count=2693"
     " help=A summary of the RPC duration in seconds. unit=\n"
     "! 26 unmergeable\n"},

    /* the least and the empty */
    {"", ""},
    {"\n \n\t\n\r\n", ""},
    {"a 1", "1 gauge a{} 1\n"},
    {":a:1_Z 1\n", "1 gauge :a:1_Z{} 1\n"},
    {"a{} 1\n", "1 gauge a{} 1\n"},
    {"a{}1\n", "1 gauge a{} 1\n"},
    {"a{b=\"c\"}1\n", "1 gauge a{b=\"c\"} 1\n"},

    /* lines end in newlines, CRLF, or with the body */
    {"a 1\r\nb 2\r\nc 3\r", "1 gauge a{} 1\n2 gauge b{} 2\n3 gauge c{} 3\n"},
    {"\n\na 1\n\nb 2", "3 gauge a{} 1\n5 gauge b{} 2\n"},

    /* blanks between tokens */
    {" \ta\t{ b = \"c\" , d\t=\t\"e\" }\t 1 \t 5 \t\n", "1 gauge a{b=\"c\",d=\"e\"} 1 @5\n"},
    {"a {b=\"c\"} 1\n", "1 gauge a{b=\"c\"} 1\n"},
    {"a  1\n", "1 gauge a{} 1\n"},

    /* labels: trailing commas, empty values, order */
    {"a{b=\"c\",} 1\n", "1 gauge a{b=\"c\"} 1\n"},
    {"a{b=\"c\" , } 1\n", "1 gauge a{b=\"c\"} 1\n"},
    {"a{b=\"\"} 1\n", "1 gauge a{} 1\n"},
    {"a{b=\"\",c=\"d\"} 1\na{c=\"d\",b=\"\"} 2\na{c=\"d\",b=\"\",} 3\n",
     "1 gauge a{c=\"d\"} 1\n2 gauge a{c=\"d\"} 2\n3 gauge a{c=\"d\"} 3\n"},
    {"a{z=\"1\",y=\"2\",x=\"3\"} 1\n", "1 gauge a{x=\"3\",y=\"2\",z=\"1\"} 1\n"},
    {"a{aa=\"1\",a=\"2\",_=\"3\",A=\"4\"} 1\n", "1 gauge a{A=\"4\",_=\"3\",a=\"2\",aa=\"1\"} 1\n"},
    {"a{b=\"}\",c=\",\",d=\"=\",e=\"#\"} 1\n", "1 gauge a{b=\"}\",c=\",\",d=\"=\",e=\"#\"} 1\n"},
    {"a{b=\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"} 1\n",
     "1 gauge a{b=\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"} 1\n"},
    {"a{b=\" \"} 1\n", "1 gauge a{b=\" \"} 1\n"},

    /* values */
    {"a NaN\nb -Inf\nc +inf\nd Infinity\ne -0\nf 5.\ng .5\nh 1e3\ni -1.5E-3\nj +7\n",
     "1 gauge a{} NaN\n2 gauge b{} -Inf\n3 gauge c{} +Inf\n4 gauge d{} +Inf\n5 gauge e{} -0\n"
     "6 gauge f{} 5\n7 gauge g{} 0.5\n8 gauge h{} 1000\n9 gauge i{} -0.0015\n10 gauge j{} 7\n"},
    {"a_total 0\nb_total 1e300\n", "1 counter a_total{} 0\n2 counter b_total{} 1e+300\n"},

    /* what is not declared is told by its name */
    {"a_total 1\na_sum 2\na_count 3\na_bucket 4\na_totals 5\ntotal 6\n",
     "1 counter a_total{} 1\n2 counter a_sum{} 2\n3 counter a_count{} 3\n4 counter a_bucket{} 4\n"
     "5 gauge a_totals{} 5\n6 gauge total{} 6\n"},
    {"# TYPE a untyped\na 1\n# TYPE b_total untyped\nb_total 1\n",
     "2 gauge a{} 1\n4 counter b_total{} 1\n"},

    /* what is declared is not told by its name */
    {"# TYPE a counter\na 1\n# TYPE b_total gauge\nb_total -1\n",
     "2 counter a{} 1\n4 gauge b_total{} -1\n"},
    {"# TYPE a gauge\nab 1\na_b 1\na_sum 1\na 1\n",
     "2 gauge ab{} 1\n3 gauge a_b{} 1\n4 counter a_sum{} 1\n5 gauge a{} 1\n"},
    /* a # line about another family ends the declarations before it; a comment does not */
    {"# TYPE a counter\n# TYPE b gauge\na 1\nb 1\n", "3 gauge a{} 1\n4 gauge b{} 1\n"},
    {"# TYPE a counter\n# HELP b text\na 1\n", "3 gauge a{} 1\n"},
    {"# TYPE a counter\n# about a\n#\n##\na 1\n", "5 counter a{} 1\n"},

    /* le is an ordinary label elsewhere */
    {"a{le=\"1.0\"} 1\n", "1 gauge a{le=\"1.0\"} 1\n"},

    /* OpenMetrics only: here they are a comment, and a gauge like any other */
    {"a 1\n# EOF\nb 2\n", "1 gauge a{} 1\n3 gauge b{} 2\n"},
    {"# TYPE a counter\na_created 1\n", "2 gauge a_created{} 1\n"},

    /* types that Prometheus text does not know, from clients that write them all the same */
    {"# TYPE a stateset\na{a=\"x\"} 1\n# TYPE b info\nb_info{v=\"1\"} 1\n# TYPE c unknown\nc 1\n",
     "2 gauge a{a=\"x\"} 1\n4 gauge b_info{v=\"1\"} 1\n6 gauge c{} 1\n"},
};

static const struct row openmetrics_rows[] = {
    {"# TYPE acme_http_router_request_seconds summary\n"
     "# UNIT acme_http_router_request_seconds seconds\n"
     "# HELP acme_http_router_request_seconds Latency though all of ACME's HTTP request router.\n"
     "acme_http_router_request_seconds_sum{path=\"/api/v1\",method=\"GET\"} 9036.32\n"
     "acme_http_router_request_seconds_count{path=\"/api/v1\",method=\"GET\"} 807283.0\n"
     "acme_http_router_request_seconds_created{path=\"/api/v1\",method=\"GET\"} 1605281325.0\n"
     "# TYPE go_goroutines gauge\n"
     "# HELP go_goroutines Number of goroutines that currently exist.\n"
     "go_goroutines 69\n"
     "# TYPE process_cpu_seconds counter\n"
     "# UNIT process_cpu_seconds seconds\n"
     "# HELP process_cpu_seconds Total user and system CPU time spent in seconds.\n"
     "process_cpu_seconds_total 4.20072246e+06\n"
     "# EOF\n",
     "4+2 summary acme_http_router_request_seconds{method=\"GET\",path=\"/api/v1\"} sum=9036.32"
     " count=807283 help=Latency though all of ACME's HTTP request router. unit=seconds\n"
     "9 gauge go_goroutines{} 69 help=Number of goroutines that currently exist. unit=\n"
     "13 counter process_cpu_seconds_total{} 4200722.46"
     " help=Total user and system CPU time spent in seconds. unit=seconds\n"},

    /* exemplars are left out, wherever they may stand */
    {"# TYPE foo histogram\n"
     "foo_bucket{le=\"0.01\"} 0\n"
     "foo_bucket{le=\"0.1\"} 8 # {} 0.054\n"
     "foo_bucket{le=\"1.0\"} 11 # {trace_id=\"KOO5S4vxi0o\"} 0.67\n"
     "foo_bucket{le=\"10.0\"} 17 1520879607.789 # {trace_id=\"oHg5SJYRHA0\"} 9.8 1520879607.789\n"
     "foo_bucket{le=\"+Inf\"} 17\nfoo_count 17\nfoo_sum 324789.3\nfoo_created 1520430000.123\n"
     "# TYPE bar counter\n"
     "bar_total{a=\"b\"} 4 # {t=\"}\\\" # \"} 1\n# EOF",
     "2+7 classic_histogram foo{} sum=324789.3 count=17 buckets 0.01:0 0.1:8 1:11 10:17"
     " @1520879607789\n"
     "11 counter bar_total{a=\"b\"} 4\n"},

    /* timestamps are seconds, to the nearest millisecond */
    {"a 1 0\na 1 1.001\na 1 1.0014\na 1 1.0016\na 1 4.035\na 1 -1.001\na 1 1e3\na 1 "
     "1763841600.123\n",
     "1 gauge a{} 1 @0\n2 gauge a{} 1 @1001\n3 gauge a{} 1 @1001\n4 gauge a{} 1 @1002\n"
     "5 gauge a{} 1 @4035\n6 gauge a{} 1 @-1001\n7 gauge a{} 1 @1000000\n"
     "8 gauge a{} 1 @1763841600123\n"},

    /* types of OpenMetrics */
    {"# TYPE a stateset\na{a=\"x\"} 1\n# TYPE b info\nb_info{v=\"1\"} 1\n# TYPE c unknown\nc 1\n",
     "2 gauge a{a=\"x\"} 1\n4 gauge b_info{v=\"1\"} 1\n6 gauge c{} 1\n"},
    {"# TYPE a counter\na 1\na_total 2\n", "2 counter a{} 1\n3 counter a_total{} 2\n"},
    /* _created is left out where the type has one, and is a gauge elsewhere */
    {"# TYPE a gauge\na_created 1\nb_created 2\n",
     "2 gauge a_created{} 1\n3 gauge b_created{} 2\n"},
    {"# TYPE a counter\na_created 1\nb_created 2\n", "3 gauge b_created{} 2\n"},

    /* no sample behind the end; comments and blank lines may be there */
    {"a 1\n# EOF\n\n# text\nb 1\n", "1 gauge a{} 1\n! 5 bad_syntax\n"},
    {"a 1\n", "1 gauge a{} 1\n"}, /* a missing end is tolerated */
};

/* ---- what is refused; the limits are small here, and named with each refusal ---- */

#define V32 "abcdefghijklmnopqrstuvwxyzabcdef"

static const struct row refused_rows[] = {
    {"9a 1\n", "! 1 bad_name\n"},
    {"{a=\"b\"} 1\n", "! 1 bad_name\n"},
    {"\xc3\xa9 1\n", "! 1 bad_name\n"},
    {"-1\n", "! 1 bad_name\n"},
    /* what is no name must not be read as a shorter name and a value */
    {"a-1 5\n", "! 1 bad_name\n"},
    {"a.5\n", "! 1 bad_name\n"},
    {"a+1\n", "! 1 bad_name\n"},
    {"http.requests 5\n", "! 1 bad_name\n"},
    {"a\xc3\xa9 5\n", "! 1 bad_name\n"},
    {"a\"b\" 5\n", "! 1 bad_name\n"},
    {"abcdefghijklmnop 1\nabcdefghijklmnopq 1\n",
     "1 gauge abcdefghijklmnop{} 1\n! 2 name_too_long limits.name_bytes=16\n"},
    {"mayfly_x 1\n# TYPE mayfly_x counter\nmayfly_x{a=\"b\"} 1\nmayfly 1\n",
     "4 gauge mayfly{} 1\n! 1 reserved_name\n! 3 reserved_name\n"},

    {"a\n", "! 1 bad_syntax\n"},
    {"a{}\n", "! 1 bad_syntax\n"},
    {"a{b=\"c\"}\n", "! 1 bad_syntax\n"},
    {"a{b} 1\n", "! 1 bad_syntax\n"},
    {"a{b=c} 1\n", "! 1 bad_syntax\n"},
    {"a{b='c'} 1\n", "! 1 bad_syntax\n"},
    {"a{b=\"c} 1\n", "! 1 bad_syntax\n"},
    {"a{b=\"c\\\"} 1\n", "! 1 bad_syntax\n"},
    {"a{b=\"c\\x\"} 1\n", "! 1 bad_syntax\n"},
    {"a{b=\"c\\\n", "! 1 bad_syntax\n"},
    {"a{b=\"c\" d=\"e\"} 1\n", "! 1 bad_syntax\n"},
    {"a{b=\"c\"d=\"e\"} 1\n", "! 1 bad_syntax\n"},
    {"a{b=\"c\"\n", "! 1 bad_syntax\n"},
    {"a 1 2 3\n", "! 1 bad_syntax\n"},
    {"a 1 2 # {} 1\n", "! 1 bad_syntax\n"}, /* an exemplar, which text 0.0.4 has not */

    {"a x\n", "! 1 bad_number\n"},
    {"a 0x10\n", "! 1 bad_number\n"},
    {"a 1_000\n", "! 1 bad_number\n"},
    {"a 1,5\n", "! 1 bad_number\n"},
    {"a 1e400\n", "! 1 bad_number\n"},
    {"a NaNs\n", "! 1 bad_number\n"},
    {"a{} {}\n", "! 1 bad_number\n"},
    {"a 1 x\n", "! 1 bad_timestamp\n"},
    {"a 1 1.5\n", "! 1 bad_timestamp\n"},
    {"a 1 99999999999999999999\n", "! 1 bad_timestamp\n"},
    {"a 1 # {} 1\n", "! 1 bad_timestamp\n"},

    {"a_total -1\n", "! 1 bad_value\n"},
    {"a_total NaN\n", "! 1 bad_value\n"},
    {"a_total +Inf\n", "! 1 bad_value\n"},
    {"# TYPE h histogram\nh_count -1\nh_bucket{le=\"1\"} -1\nh_sum NaN\nh_bucket{le=\"1\"} Inf\n",
     "! 2 bad_value\n! 3 bad_value\n! 4 bad_value\n! 5 bad_value\n"},
    {"# TYPE h histogram\nh_bucket 1\nh_bucket{le=\"x\"} 1\nh_bucket{le=\"NaN\"} 1\n"
     "h_bucket{le=\"\"} 1\n",
     "! 2 bad_value\n! 3 bad_value\n! 4 bad_value\n! 5 bad_value\n"},
    {"# TYPE h histogram\nh_bucket{le=\"-Inf\"} 1\nh_bucket{le=\"1\",le=\"2\"} 1\n"
     "h_sum{le=\"1\"} 1\nh_count{a=\"b\",le=\"1\"} 1\n",
     "! 2 bad_value\n! 3 duplicate_label\n! 4 bad_label_name\n! 5 bad_label_name\n"},
    {"# TYPE h histogram\nh 1\n", "! 2 bad_syntax\n"},
    {"# TYPE s summary\ns{quantile=\"0.5\"} 1\ns 1\ns_bucket{le=\"1\"} 1\n",
     "! 2 unmergeable\n! 3 unmergeable\n! 4 bad_syntax\n"},
    /* a gaugehistogram is refused; what only begins like it is not */
    {"# TYPE g gaugehistogram\ng_bucket{le=\"1\"} 1\ng_gcount 1\ng_gsum 1\ngo 1\n",
     "5 gauge go{} 1\n! 2 unknown_kind\n! 3 unknown_kind\n! 4 unknown_kind\n"},
    {"# TYPE a meter\na 1\n", "2 gauge a{} 1\n! 1 unknown_kind\n"},
    {"# TYPE a\n# TYPE\n", "! 1 unknown_kind\n"}, /* without a name it is a comment */
    {"# HELP 9a text\n# TYPE a-b counter\n", "! 1 bad_name\n! 2 bad_name\n"},
    {"# TYPE abcdefghijklmnopq counter\n", "! 1 name_too_long limits.name_bytes=16\n"},
    {"# UNIT a 5-7\n# UNIT 5 is what we use\n", ""}, /* UNIT is OpenMetrics' word */
    {"# HELP a \xff\n", "! 1 bad_utf8\n"},

    {"a{b=\"\xff\"} 1\n", "! 1 bad_utf8\n"},
    {"a{b=\"\xc3\"} 1\n", "! 1 bad_utf8\n"},
    {"a{b=\"\xed\xa0\x80\"} 1\n", "! 1 bad_utf8\n"},
    {"a{9b=\"c\"} 1\n", "! 1 bad_label_name\n"},
    {"a{b:c=\"d\"} 1\n", "! 1 bad_label_name\n"},
    {"a{=\"d\"} 1\n", "! 1 bad_label_name\n"},
    {"a{,} 1\n", "! 1 bad_label_name\n"},
    {"a{b=\"c\",,} 1\n", "! 1 bad_label_name\n"},
    {"a{__name__=\"b\"} 1\n", "! 1 bad_label_name\n"},
    {"a{\"b\"=\"c\"} 1\n", "! 1 bad_label_name\n"},
    {"a{b=\"c\",\n", "! 1 bad_label_name\n"},
    {"a{\n", "! 1 bad_label_name\n"},
    {"a{abcdefghijklmnop=\"1\"} 1\na{abcdefghijklmnopq=\"1\"} 1\n",
     "1 gauge a{abcdefghijklmnop=\"1\"} 1\n! 2 label_name_too_long limits.label_name_bytes=16\n"},
    {"a{b=\"" V32 "\"} 1\na{b=\"" V32 "g\"} 1\n",
     "1 gauge a{b=\"" V32 "\"} 1\n! 2 label_value_too_long limits.label_value_bytes=32\n"},
    /* together: 4 + 32 + 1 + 4 + 19 is 60 */
    {"a{b=\"" V32 "\",c=\"abcdefghijklmnopqrs\"} 1\na{b=\"" V32
     "\",c=\"abcdefghijklmnopqrst\"} 1\n",
     "1 gauge a{b=\"" V32 "\",c=\"abcdefghijklmnopqrs\"} 1\n"
     "! 2 label_set_too_long limits.label_set_bytes=60\n"},
    {"a{c=\"" V32 "\",b=\"abcdefghijklmnopqrs\"} 1\na{c=\"" V32
     "\",b=\"abcdefghijklmnopqrst\"} 1\n",
     "1 gauge a{b=\"abcdefghijklmnopqrs\",c=\"" V32 "\"} 1\n"
     "! 2 label_set_too_long limits.label_set_bytes=60\n"},
    /* what is not part of the text does not count: blanks, empty labels */
    {"a{ b = \"" V32 "\" , c = \"abcdefghijklmnopqrs\" , d = \"\" } 1\n",
     "1 gauge a{b=\"" V32 "\",c=\"abcdefghijklmnopqrs\"} 1\n"},
    {"a{a=\"1\",b=\"2\",c=\"3\",d=\"4\"} 1\na{a=\"1\",b=\"2\",c=\"3\",d=\"4\",e=\"5\"} 1\n"
     "a{e=\"1\",d=\"2\",c=\"3\",b=\"4\",a=\"5\"} 1\n",
     "1 gauge a{a=\"1\",b=\"2\",c=\"3\",d=\"4\"} 1\n! 2 too_many_labels limits.labels=4\n"
     "! 3 too_many_labels limits.labels=4\n"},
    {"a{b=\"1\",b=\"2\"} 1\na{b=\"1\",c=\"2\",b=\"3\"} 1\na{c=\"1\",b=\"2\",b=\"2\"} 1\n",
     "! 1 duplicate_label\n! 2 duplicate_label\n! 3 duplicate_label\n"},

    /* a bad line costs nobody else */
    {"a 1\nb x\nc 3\n", "1 gauge a{} 1\n3 gauge c{} 3\n! 2 bad_number\n"},
};

static void small_limits(void)
{
    world.settings.limits_name_bytes = 16;
    world.settings.limits_labels = 4;
    world.settings.limits_label_name_bytes = 16;
    world.settings.limits_label_value_bytes = 32;
    world.settings.limits_label_set_bytes = 60;
}

START_TEST(text_row_is_read)
{
    check_read(FORMAT_PROMETHEUS, bytes_of(text_rows[_i].body), text_rows[_i].output);
}
END_TEST

START_TEST(openmetrics_row_is_read)
{
    check_read(FORMAT_OPENMETRICS, bytes_of(openmetrics_rows[_i].body),
               openmetrics_rows[_i].output);
}
END_TEST

START_TEST(refused_row_is_refused_for_its_reason)
{
    small_limits();
    check_read(FORMAT_PROMETHEUS, bytes_of(refused_rows[_i].body), refused_rows[_i].output);
}
END_TEST

/*
 * The statuses that a line can meet are those of the second half of status.def that are not about
 * JSON or the store.
 */
START_TEST(the_rows_reach_every_status_of_a_line)
{
    static const enum status all[] = {
        STATUS_BAD_SYNTAX,
        STATUS_BAD_NUMBER,
        STATUS_BAD_TIMESTAMP,
        STATUS_BAD_VALUE,
        STATUS_BAD_UTF8,
        STATUS_BAD_NAME,
        STATUS_NAME_TOO_LONG,
        STATUS_RESERVED_NAME,
        STATUS_BAD_LABEL_NAME,
        STATUS_LABEL_NAME_TOO_LONG,
        STATUS_LABEL_VALUE_TOO_LONG,
        STATUS_LABEL_SET_TOO_LONG,
        STATUS_TOO_MANY_LABELS,
        STATUS_DUPLICATE_LABEL,
        STATUS_UNKNOWN_KIND,
        STATUS_UNMERGEABLE,
    };
    bool reached[STATUS_COUNT] = {false};
    small_limits();
    for (size_t i = 0; i < COUNT_OF(refused_rows); i++) {
        read_whole(FORMAT_PROMETHEUS, bytes_of(refused_rows[i].body));
        for (int status = 0; status < STATUS_COUNT; status++)
            reached[status] = reached[status] || intake->report.rejected_by[status] > 0;
    }
    for (size_t i = 0; i < COUNT_OF(all); i++)
        ck_assert_msg(reached[all[i]], "%s", status_code(all[i]));
}
END_TEST

/* ---- lines that are too long ---- */

static void print_line(struct test_text *body, size_t length)
{
    test_print(body, "a{b=\"%0*d\"} 1\n", (int)(length - sizeof "a{b=\"\"} 1" + 1), 7);
}

START_TEST(a_line_too_long_is_one_line_refused)
{
    struct test_text body = {0};
    world.settings.limits_line_bytes = 1024;
    world.settings.limits_label_value_bytes = 4096;
    print_line(&body, 1024);
    print_line(&body, 1025);
    print_line(&body, 3000);
    test_print(&body, "c 1\n");
    print_line(&body, 2000);
    struct bytes text = {body.at, body.used - 1};
    read_whole(FORMAT_PROMETHEUS, text);
    ck_assert_uint_eq(intake->report.accepted, 2);
    char *refused = strstr(output.at, "! ");
    ck_assert_str_eq(refused, "! 2 line_too_long limits.line_bytes=1024\n"
                              "! 3 line_too_long limits.line_bytes=1024\n"
                              "! 5 line_too_long limits.line_bytes=1024\n");
    char *expected = strdup(output.at);
    for (size_t cut = 0; cut < text.length; cut += 7) {
        if (strcmp(read_in_pieces(FORMAT_PROMETHEUS, text, cut, 1 + cut % 1500), expected) != 0)
            ck_abort_msg("cut at %zu", cut);
    }
    free(expected);
    test_text_end(&body);
}
END_TEST

/* ---- HELP and UNIT ---- */

struct help_row {
    const char *help; /* as it stands in the line */
    const char *kept; /* as text 0.0.4 exposes it */
};

static const struct help_row help_rows[] = {
    {"", ""},
    {" ", " "}, /* one blank ends the name; the next is the text's */
    {"Some text. ", "Some text. "},
    {"back\\\\slash", "back\\\\slash"},
    {"two\\nlines", "two\\nlines"},
    {"a \\\"quote\\\"", "a \"quote\""},
    {"a \"quote\"", "a \"quote\""},
    {"un\\known", "un\\\\known"},
    {"at the end\\", "at the end\\\\"},
    {"\\\\\\", "\\\\\\\\"},
    {"\\\\n", "\\\\n"},
    {"\xc3\xa9t\xc3\xa9 \\\xc3\xa9", "\xc3\xa9t\xc3\xa9 \\\\\xc3\xa9"},
};

START_TEST(help_row_is_kept_as_it_will_be_exposed)
{
    for (size_t i = 0; i < COUNT_OF(help_rows); i++) {
        struct test_text body = {0};
        struct test_text expected = {0};
        test_print(&body, "# HELP a %s\na 1\n", help_rows[i].help);
        test_print(&expected, "2 gauge a{} 1 help=%s unit=\n", help_rows[i].kept);
        check_read(_i == 0 ? FORMAT_PROMETHEUS : FORMAT_OPENMETRICS, bytes_of(body.at),
                   expected.at);
        test_text_end(&body);
        test_text_end(&expected);
    }
}
END_TEST

/*
 * A text that is too long ends before the character that does not fit, so it is still UTF-8 and
 * well escaped.
 */
START_TEST(a_long_help_is_cut_between_characters)
{
    static const struct help_row rows[] = {
        {"a", "a"},  {"\xc3\xa9", ""}, {"\\n", ""}, {"\\\\", ""},
        {"\\q", ""}, {"\\\"", "\""},   {"ab", "a"},
    };
    char most[256];
    memset(most, 'x', 255);
    most[255] = '\0';
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct test_text body = {0};
        struct test_text expected = {0};
        test_print(&body, "# HELP a %s%s\na 1\n", most, rows[i].help);
        test_print(&expected, "2 gauge a{} 1 help=%s%s unit=\n", most, rows[i].kept);
        ck_assert_str_eq(read_whole(FORMAT_PROMETHEUS, bytes_of(body.at)), expected.at);
        test_text_end(&body);
        test_text_end(&expected);
    }
}
END_TEST

static const struct row declaration_rows[] = {
    /* once, with the first sample */
    {"# HELP a text\na 1\na 2\n", "2 gauge a{} 1 help=text unit=\n3 gauge a{} 2\n"},
    /* the first that is good */
    {"# HELP a text\na x\na 2\n", "3 gauge a{} 2 help=text unit=\n! 2 bad_number\n"},
    /* all that was said until then */
    {"# HELP a text\n# UNIT a s\n# TYPE a gauge\na 1\n", "4 gauge a{} 1 help=text unit=s\n"},
    /* said again it is sent again */
    {"# HELP a text\na 1\n# HELP a other\na 2\n",
     "2 gauge a{} 1 help=text unit=\n4 gauge a{} 2 help=other unit=\n"},
    /* a declaration is about its own family only */
    {"# HELP a text\nb 1\na 2\n", "2 gauge b{} 1\n3 gauge a{} 2 help=text unit=\n"},
    {"# HELP a text\n# TYPE a counter\nb 1\na 2\n",
     "3 gauge b{} 1\n4 counter a{} 2 help=text unit=\n"},
    {"# HELP a text\n# TYPE a gauge\na_b 1\na 2\n",
     "3 gauge a_b{} 1\n4 gauge a{} 2 help=text unit=\n"},
    {"# HELP a text\na 1\n# UNIT b s\nb 1\n# HELP c other\nc 1\n",
     "2 gauge a{} 1 help=text unit=\n4 gauge b{} 1 help= unit=s\n6 gauge c{} 1 help=other unit=\n"},
    {"# HELP a text\n# HELP b other\na 1\nb 2\n",
     "3 gauge a{} 1\n4 gauge b{} 2 help=other unit=\n"},
};

START_TEST(declaration_row_goes_to_its_family)
{
    check_read(FORMAT_PROMETHEUS, bytes_of(declaration_rows[_i].body), declaration_rows[_i].output);
}
END_TEST

/* ---- labels of the path ---- */

static void path_add(const char *name, const char *value)
{
    label_list_add(&path, (struct label){bytes_of(name), bytes_of(value)});
}

static void path_begin(void)
{
    label_list_init(&path);
    path_add("job", "batch");
    path_add("host", "a\\\"b");
    path_in_use = &path;
}

START_TEST(labels_of_the_path_are_added_and_win)
{
    path_begin();
    check_read(FORMAT_PROMETHEUS,
               BYTES("a 1\nb{job=\"x\",z=\"1\"} 2\nc{} 3\n# TYPE h histogram\n"
                     "h_bucket{le=\"1.0\",job=\"y\"} 4\nh_bucket{job=\"z\",le=\"+Inf\"} 6\n"
                     "d{host=\"\",job=\"\"} 5\n"),
               "1 gauge a{host=\"a\\\"b\",job=\"batch\"} 1\n"
               "2 gauge b{host=\"a\\\"b\",job=\"batch\",z=\"1\"} 2\n"
               "3 gauge c{host=\"a\\\"b\",job=\"batch\"} 3\n"
               "5+2 classic_histogram h{host=\"a\\\"b\",job=\"batch\"} count=6 buckets 1:4\n"
               "7 gauge d{host=\"a\\\"b\",job=\"batch\"} 5\n");
}
END_TEST

START_TEST(labels_of_the_path_count_against_the_limits)
{
    path_begin();
    world.settings.limits_labels = 3;
    world.settings.limits_label_set_bytes = sizeof "c=\"12345\",host=\"a\\\"b\",job=\"batch\"" - 1;
    check_read(FORMAT_PROMETHEUS,
               BYTES("a{c=\"1\"} 1\na{c=\"1\",d=\"2\"} 1\na{c=\"12345\"} 1\na{c=\"123456\"} 1\n"),
               "1 gauge a{c=\"1\",host=\"a\\\"b\",job=\"batch\"} 1\n"
               "3 gauge a{c=\"12345\",host=\"a\\\"b\",job=\"batch\"} 1\n"
               "! 2 too_many_labels limits.labels=3\n"
               "! 4 label_set_too_long limits.label_set_bytes=33\n");
}
END_TEST

START_TEST(as_many_labels_as_a_list_can_hold)
{
    struct test_text body = {0};
    path_begin();
    world.settings.limits_labels = 64;
    for (int labels = 60; labels < 80; labels++) {
        test_print(&body, "a{");
        for (int i = 0; i < labels; i++)
            test_print(&body, "n%02d=\"v\",", (i * 37) % 80);
        test_print(&body, "} %d\n", labels);
    }
    read_whole(FORMAT_PROMETHEUS, bytes_of(body.at));
    ck_assert_uint_eq(intake->report.accepted, 3); /* 60 to 62, and two of the path */
    ck_assert_uint_eq(intake->report.rejected_by[STATUS_TOO_MANY_LABELS], 17);
    test_text_end(&body);
}
END_TEST

/* ---- children of histograms and summaries ---- */

#define H "# TYPE h histogram\n"
#define S "# TYPE s summary\n"

static const struct row child_rows[] = {
    /* a whole one; it takes its last timestamp, and its first line */
    {H "h_bucket{le=\"0.5\",route=\"/a\"} 3 1\nh_bucket{le=\"1\",route=\"/a\"} 5 2\n"
       "h_bucket{le=\"+Inf\",route=\"/a\"} 9\nh_sum{route=\"/a\"} 4.5\nh_count{route=\"/a\"} 9\n",
     "2+5 classic_histogram h{route=\"/a\"} sum=4.5 count=9 buckets 0.5:3 1:5 @2\n"},
    {H "h_bucket{le=\"1\"} 1\r\nh_bucket{le=\"+Inf\"} 2\r\nh_sum 3\r\nh_count 2\r\n",
     "2+4 classic_histogram h{} sum=3 count=2 buckets 1:1\n"},
    {H "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2",
     "2+4 classic_histogram h{} sum=3 count=2 buckets 1:1\n"},
    {S "s_sum{a=\"b\"} -5\ns_count{a=\"b\"} 2\n", "2+2 summary s{a=\"b\"} sum=-5 count=2\n"},
    {S "s{quantile=\"0.5\"} 1\ns_sum 2\ns{quantile=\"0.9\"} 1\ns_count 3\n",
     "3+2 summary s{} sum=2 count=3\n! 2 unmergeable\n! 4 unmergeable\n"},

    /* parts of one are one, too */
    {H "h_sum 1\n", "2+1 classic_histogram h{} sum=1\n"},
    {H "h_count 1\n", "2+1 classic_histogram h{} count=1\n"},
    {H "h_bucket{le=\"+Inf\"} 1\n", "2+1 classic_histogram h{} count=1 buckets\n"},
    {H "h_bucket{le=\"2\"} 1\nh_count 4\n", "2+2 classic_histogram h{} count=4 buckets 2:1\n"},
    /* +Inf says the count, wherever it comes */
    {H "h_count 7\nh_bucket{le=\"+Inf\"} 8\n", "2+2 classic_histogram h{} count=8 buckets\n"},
    {H "h_bucket{le=\"+Inf\"} 8\nh_count 7\n", "2+2 classic_histogram h{} count=8 buckets\n"},
    {H "h_sum 1\nh_bucket{le=\"+Inf\"} 2\n", "2+2 classic_histogram h{} sum=1 count=2 buckets\n"},

    /* bounds are told by their values, and sorted by them */
    {H "h_bucket{le=\"1e1\"} 4\nh_bucket{le=\"+Inf\"} 5\nh_bucket{le=\"-2.50\"} 1\n"
       "h_bucket{le=\"0.1e1\"} 3\nh_bucket{le=\"-0\"} 2\n",
     "2+5 classic_histogram h{} count=5 buckets -2.5:1 0:2 1:3 10:4\n"},
    {H "h_bucket{le=\"4\"} 4\nh_bucket{le=\"3\"} 3\nh_bucket{le=\"2\"} 2\nh_bucket{le=\"1\"} 1\n"
       "h_count 4\n",
     "2+5 classic_histogram h{} count=4 buckets 1:1 2:2 3:3 4:4\n"},
    /* le among other labels, in any order, with blanks, commas and nothing */
    {H "h_bucket{z=\"1\",le=\"1\",a=\"2\"} 1\nh_bucket{ a=\"2\", z=\"1\" , le = \"+Inf\", } 2\n"
       "h_sum{z=\"1\",a=\"2\",b=\"\"} 3\nh_count{a=\"2\",z=\"1\",} 2\n",
     "2+4 classic_histogram h{a=\"2\",z=\"1\"} sum=3 count=2 buckets 1:1\n"},
    {H "h_bucket{b=\"x\\\"\\\\\\n\",le=\"+Inf\"} 1\nh_sum{b=\"x\\\"\\\\\\n\"} 1\n"
       "h_sum{b=\"x\\\"\\\\\\\\\"} 1\n",
     "2+2 classic_histogram h{b=\"x\\\"\\\\\\n\"} sum=1 count=1 buckets\n"
     "4+1 classic_histogram h{b=\"x\\\"\\\\\\\\\"} sum=1\n"},
    {S "s_sum{le=\"1\"} 1\ns_sum{le=\"2\"} 1\n",
     "2+1 summary s{le=\"1\"} sum=1\n3+1 summary s{le=\"2\"} sum=1\n"},

    /* another child: other labels */
    {H "h_bucket{a=\"1\",le=\"+Inf\"} 1\nh_bucket{a=\"2\",le=\"+Inf\"} 2\n"
       "h_bucket{a=\"2\",b=\"1\",le=\"+Inf\"} 3\nh_bucket{le=\"+Inf\"} 4\n",
     "2+1 classic_histogram h{a=\"1\"} count=1 buckets\n"
     "3+1 classic_histogram h{a=\"2\"} count=2 buckets\n"
     "4+1 classic_histogram h{a=\"2\",b=\"1\"} count=3 buckets\n"
     "5+1 classic_histogram h{} count=4 buckets\n"},
    /* interleaved by part: each run is one */
    {H "h_bucket{a=\"1\",le=\"1\"} 1\nh_bucket{a=\"1\",le=\"+Inf\"} 1\n"
       "h_bucket{a=\"2\",le=\"1\"} 2\nh_bucket{a=\"2\",le=\"+Inf\"} 2\n"
       "h_sum{a=\"1\"} 1\nh_sum{a=\"2\"} 2\nh_count{a=\"1\"} 1\nh_count{a=\"2\"} 2\n",
     "2+2 classic_histogram h{a=\"1\"} count=1 buckets 1:1\n"
     "4+2 classic_histogram h{a=\"2\"} count=2 buckets 1:2\n"
     "6+1 classic_histogram h{a=\"1\"} sum=1\n7+1 classic_histogram h{a=\"2\"} sum=2\n"
     "8+1 classic_histogram h{a=\"1\"} count=1\n9+1 classic_histogram h{a=\"2\"} count=2\n"},
    /* ... the same said twice */
    {H "h_count 1\nh_count 2\n", "2+1 classic_histogram h{} count=1\n"
                                 "3+1 classic_histogram h{} count=2\n"},
    {H "h_sum 1\nh_count 1\nh_sum 2\nh_count 2\n",
     "2+2 classic_histogram h{} sum=1 count=1\n4+2 classic_histogram h{} sum=2 count=2\n"},
    {H "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_bucket{le=\"1.0\"} 3\n"
       "h_bucket{le=\"Inf\"} 4\nh_bucket{le=\"+inf\"} 5\n",
     "2+2 classic_histogram h{} count=2 buckets 1:1\n"
     "4+2 classic_histogram h{} count=4 buckets 1:3\n6+1 classic_histogram h{} count=5 buckets\n"},
    /* ... another kind, whatever its labels */
    {H "h_sum 1\n# TYPE h summary\nh_sum 2\nh_count 2\n",
     "2+1 classic_histogram h{} sum=1\n4+2 summary h{} sum=2 count=2\n"},
    {H "h_sum 1\n# TYPE h summary\nh_count 2\n",
     "2+1 classic_histogram h{} sum=1\n4+1 summary h{} count=2\n"},
    {H "h_sum 1\n# TYPE h gauge\nh 2\n", "2+1 classic_histogram h{} sum=1\n4 gauge h{} 2\n"},
    {H "h_sum 1\n# TYPE h gauge\n", "2+1 classic_histogram h{} sum=1\n"},
    /* ... another family, by its line or by its name; order is kept */
    {H "h_sum 1\n# TYPE h2 histogram\nh2_sum 2\n",
     "2+1 classic_histogram h{} sum=1\n4+1 classic_histogram h2{} sum=2\n"},
    {"a 0\n" H "h_sum 1\nhh_sum 2\nh_count 3\nh 1\nh_total 5\n",
     "1 gauge a{} 0\n3+1 classic_histogram h{} sum=1\n4 counter hh_sum{} 2\n"
     "5+1 classic_histogram h{} count=3\n7 counter h_total{} 5\n! 6 bad_syntax\n"},
    /* what is no other child does not end one: comments, blank lines, the declaration again */
    {H "h_sum 1\n\n# text\n" H "h_count 1\n", "2+2 classic_histogram h{} sum=1 count=1\n"},
    {"# HELP h text\n" H "h_sum 1\n# HELP h other\nh_count 1\nh_sum 2\n",
     "3+2 classic_histogram h{} sum=1 count=1 help=other unit=\n"
     "6+1 classic_histogram h{} sum=2\n"},

    /* a bad line costs itself; what is left may still be a child */
    {H "h_bucket{le=\"1\"} x\nh_bucket{le=\"2\"} 2\nh_bucket{le=\"x\"} 2\nh_bucket 2\n"
       "h_bucket{le=\"3\"} -1\nh_bucket{le=\"+Inf\"} 4\nh_sum NaN\n-\nh_count 4\n",
     "3+3 classic_histogram h{} count=4 buckets 2:2\n"
     "! 2 bad_number\n! 4 bad_value\n! 5 bad_value\n! 6 bad_value\n! 8 bad_value\n! 9 bad_name\n"},
    /* a child that cannot be true is rejected whole, at its first line */
    {H "h_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 1\n"
       "h_sum{a=\"b\"} 1\n",
     "6+1 classic_histogram h{a=\"b\"} sum=1\n! 2 bad_value\n"},
    {H "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 2\nh_count 3\n", "! 2 bad_value\n"},
    {H "h_bucket{le=\"1\"} 4\nh_bucket{le=\"+Inf\"} 3\n", "! 2 bad_value\n"},
    {H "h_bucket{le=\"1\"} 4\nh_count 3\n", "! 2 bad_value\n"},
    {H "h_bucket{le=\"1\"} 4\nh_sum 3\n", "! 2 bad_value\n"},
    {H "h_bucket{le=\"1\"} 3\nh_bucket{le=\"2\"} 3\nh_bucket{le=\"+Inf\"} 3\n",
     "2+3 classic_histogram h{} count=3 buckets 1:3 2:3\n"},
    /* its declaration goes with the next one */
    {"# HELP h text\n" H "h_bucket{le=\"1\"} 4\nh_sum{a=\"b\"} 3\n",
     "4+1 classic_histogram h{a=\"b\"} sum=3 help=text unit=\n! 3 bad_value\n"},
    /* bucket by bucket from several children: none has its +Inf but the last */
    {H "h_bucket{a=\"1\",le=\"1\"} 1\nh_bucket{a=\"2\",le=\"1\"} 1\n"
       "h_bucket{a=\"1\",le=\"+Inf\"} 1\n",
     "4+1 classic_histogram h{a=\"1\"} count=1 buckets\n! 2 bad_value\n! 3 bad_value\n"},
};

START_TEST(child_row_is_one_sample_a_child)
{
    check_read(FORMAT_PROMETHEUS, bytes_of(child_rows[_i].body), child_rows[_i].output);
}
END_TEST

/* Each line counts, whatever became of its child; the error is one. */
START_TEST(a_child_counts_as_many_as_it_has_lines)
{
    read_whole(FORMAT_PROMETHEUS,
               BYTES(H "h_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 1\nh_count 3\nh_sum 1\n"
                       "h_bucket{le=\"3\"} x\na 1\nh_bucket{le=\"1\"} 2\nh_count 2\nh_sum 1\n"));
    ck_assert_uint_eq(intake->report.accepted, 4);
    ck_assert_uint_eq(intake->report.rejected, 5);
    ck_assert_uint_eq(intake->report.rejected_by[STATUS_BAD_VALUE], 4);
    ck_assert_uint_eq(intake->report.error_count, 2);
    ck_assert_str_eq(intake->report.errors[1].detail, "a bucket holds fewer than the one below it");
    read_whole(FORMAT_PROMETHEUS, BYTES(H "h_bucket{le=\"1\"} 2\nh_sum 1\n"));
    ck_assert_uint_eq(intake->report.rejected, 2);
    ck_assert_str_eq(intake->report.errors[0].detail, "buckets without +Inf");
}
END_TEST

/* Place by place, floor(i * (n - 1) / 39): written from the promise, not from the code. */
static void print_thinned(struct test_text *expected, unsigned bounds)
{
    unsigned read = bounds < CHILD_BOUNDS_READ ? bounds : CHILD_BOUNDS_READ;
    unsigned kept = read < CHILD_BOUNDS_MAX ? read : CHILD_BOUNDS_MAX;
    test_print(expected, "2+%u classic_histogram h{a=\"b\"} count=%u buckets", bounds + 1, bounds);
    for (unsigned i = 0; i < kept; i++) {
        unsigned place = read > kept ? i * (read - 1) / (kept - 1) : i;
        test_print(expected, " %u:%u", place + 1, place + 1);
    }
    if (bounds > kept)
        test_print(expected, " lost=%u", bounds - kept);
    test_print(expected, "\n");
}

START_TEST(more_bounds_than_a_child_may_have_are_thinned)
{
    static const unsigned counts[] = {1, 39, 40, 41, 79, 80, 81, 100, 319, 320, 321, 1000};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct test_text body = {0};
        struct test_text expected = {0};
        test_print(&body, H);
        for (unsigned bound = 1; bound <= counts[i]; bound++)
            test_print(&body, "h_bucket{a=\"b\",le=\"%u\"} %u\n", bound, bound);
        test_print(&body, "h_bucket{a=\"b\",le=\"+Inf\"} %u\n", counts[i]);
        print_thinned(&expected, counts[i]);
        ck_assert_str_eq(read_whole(FORMAT_PROMETHEUS, bytes_of(body.at)), expected.at);
        ck_assert_str_eq(read_in_pieces(FORMAT_PROMETHEUS, bytes_of(body.at), 7, 64), expected.at);
        test_text_end(&body);
        test_text_end(&expected);
    }
}
END_TEST

/* A sample counts up to 65,535 lines; beyond them, which no client writes, another one begins. */
START_TEST(a_child_of_very_many_lines_is_more_than_one)
{
    struct test_text body = {0};
    unsigned lines = UINT16_MAX + 2;
    test_print(&body, H "h_bucket{le=\"+Inf\"} 1\n");
    for (unsigned bound = 1; bound < lines; bound++)
        test_print(&body, "h_bucket{le=\"%u\"} 1\n", bound);
    read_whole(FORMAT_PROMETHEUS, bytes_of(body.at));
    ck_assert_uint_eq(intake->report.accepted, UINT16_MAX);
    ck_assert_uint_eq(intake->report.rejected, 2);
    test_text_end(&body);
}
END_TEST

/* More than the samples of a batch, or more than its text: nothing is lost between two. */
START_TEST(children_cross_the_bounds_of_a_batch)
{
    struct test_text body = {0};
    struct test_text expected = {0};
    unsigned bounds = _i == 0 ? 0 : CHILD_BOUNDS_MAX;
    unsigned children = _i == 0 ? 2 * BATCH_SAMPLES + 5 : 400;
    unsigned line = 3;
    test_print(&body, "# HELP h text\n" H);
    for (unsigned i = 0; i < children; i++) {
        test_print(&expected, "%u+%u classic_histogram h{a=\"%u\"} sum=%u count=40 buckets", line,
                   bounds + 2, i, i);
        for (unsigned bound = 0; bound < bounds; bound++) {
            test_print(&body, "h_bucket{le=\"%u\",a=\"%u\"} %u\n", bound, i, bound);
            test_print(&expected, " %u:%u", bound, bound);
        }
        test_print(&body, "h_bucket{le=\"+Inf\",a=\"%u\"} 40\nh_sum{a=\"%u\"} %u\n", i, i, i);
        test_print(&expected, "%s\n", i == 0 ? " help=text unit=" : "");
        line += bounds + 2;
    }
    read_whole(FORMAT_PROMETHEUS, bytes_of(body.at));
    test_check_same(output.at, expected.at);
    ck_assert_uint_gt(intake->flushes, 2);
    read_in_pieces(FORMAT_PROMETHEUS, bytes_of(body.at), 100, 1000);
    test_check_same(output.at, expected.at);
    test_text_end(&body);
    test_text_end(&expected);
}
END_TEST

/* Refused in the middle: of children, and of what ended the last of them. */
START_TEST(a_refused_flush_of_a_child_ends_the_request)
{
    static const char *const ends[] = {"a 1\n", "# TYPE a gauge\n", "h_sum 1\nh_sum 2\n"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct decoder *decoder = begin(FORMAT_PROMETHEUS);
        struct test_text body = {0};
        test_print(&body, H);
        for (int j = 0; j < 2 * BATCH_SAMPLES + 1; j++)
            test_print(&body, "h_sum 1\n");
        test_print(&body, "%s", ends[i]);
        intake->flush_refused_at = 2;
        struct refusal refusal = decoder->feed(decoder, bytes_of(body.at), &intake->intake);
        ck_assert_int_eq(refusal.status, STATUS_NOT_READY);
        ck_assert_uint_eq(intake->report.accepted, BATCH_SAMPLES);
        ck_assert_uint_eq(intake->report.rejected, 0);
        ck_assert_uint_eq(intake->intake.batch->count, 0);
        test_text_end(&body);
    }
}
END_TEST

/* A path with le would name every bucket, so there is no histogram to be had. */
START_TEST(a_path_with_le_takes_no_histograms)
{
    path_begin();
    path_add("le", "5");
    check_read(FORMAT_PROMETHEUS, BYTES(H "h_bucket{le=\"1\"} 1\nh_sum 1\n" S "s_sum 1\n"),
               "5+1 summary s{host=\"a\\\"b\",job=\"batch\",le=\"5\"} sum=1\n"
               "! 2 duplicate_label\n! 3 bad_label_name\n");
}
END_TEST

/* le is not among a child's labels, so it does not count against their limits. */
START_TEST(limits_are_on_the_labels_of_the_child)
{
    small_limits();
    check_read(FORMAT_PROMETHEUS,
               BYTES(H "h_bucket{a=\"1\",b=\"2\",c=\"3\",d=\"4\",le=\"+Inf\"} 1\n"
                       "h_bucket{a=\"1\",b=\"2\",c=\"3\",d=\"4\",e=\"5\",le=\"+Inf\"} 1\n"
                       "h_sum{b=\"" V32 "\",c=\"abcdefghijklmnopqrs\"} 1\n"
                       "h_sum{b=\"" V32 "\",c=\"abcdefghijklmnopqrst\"} 1\n"),
               "2+1 classic_histogram h{a=\"1\",b=\"2\",c=\"3\",d=\"4\"} count=1 buckets\n"
               "4+1 classic_histogram h{b=\"" V32 "\",c=\"abcdefghijklmnopqrs\"} sum=1\n"
               "! 3 too_many_labels limits.labels=4\n! 5 label_set_too_long "
               "limits.label_set_bytes=60\n");
}
END_TEST

/* What is known to be small is given little room, and yet it is enough. */
START_TEST(a_small_body_has_room_for_its_children)
{
    static const struct row rows[] = {
        {H "h_bucket{le=\"1\"}1\nh_bucket{le=\"2\"}1\nh_bucket{le=\"3\"}1\nh_count 1",
         "2+4 classic_histogram h{host=\"a\\\"b\",job=\"batch\",z=\"" V32
         "\"} count=1 buckets 1:1 2:1 3:1\n"},
        {S "s_sum{abcdefghijklmnop=\"" V32 "\"}1",
         "2+1 summary s{abcdefghijklmnop=\"" V32 "\",host=\"a\\\"b\",job=\"batch\",z=\"" V32
         "\"} sum=1\n"},
    };
    path_begin();
    path_add("z", V32);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct bytes body = bytes_of(rows[i].body);
        struct decoder_options options = {
            .format = FORMAT_PROMETHEUS, .body_bytes = body.length, .labels = &path};
        arena_reset(&arena);
        test_intake_reset(intake);
        struct decoder *decoder = prometheus_decoder_make(&options, &world.settings, &arena);
        for (size_t at = 0; at < body.length; at++)
            feed(decoder, (struct bytes){body.at + at, 1});
        end(decoder);
        ck_assert_str_eq(output.at, rows[i].output);
    }
}
END_TEST

/* ---- children beside the dumbest reader there is ---- */

/* One line of a body of histograms, as it was drawn. */
struct plain_line {
    unsigned label; /* which child */
    unsigned part;  /* 0 sum, 1 count, 2 bucket */
    unsigned bound; /* of a bucket; 9 is +Inf */
    unsigned value;
};

struct plain_child {
    unsigned first;
    unsigned lines;
    bool has[12]; /* bounds 0 to 9, sum, count */
    unsigned value[12];
};

static unsigned plain_slot(const struct plain_line *line)
{
    return line->part == 2 ? line->bound : 10 + line->part;
}

static bool plain_is_true(const struct plain_child *child)
{
    unsigned before = 0;
    bool finite = false;
    for (unsigned i = 0; i < 9; i++) {
        if (!child->has[i])
            continue;
        if (finite && child->value[i] < before)
            return false;
        before = child->value[i];
        finite = true;
    }
    unsigned total = child->has[9] ? child->value[9] : child->value[11];
    return !finite || ((child->has[9] || child->has[11]) && before <= total);
}

static void plain_print(struct test_text *text, const struct plain_child *child, unsigned label)
{
    bool buckets = child->has[9];
    test_print(text, "%u+%u classic_histogram h{a=\"%u\"}", child->first, child->lines, label);
    if (child->has[10])
        test_print(text, " sum=%u", child->value[10]);
    if (child->has[9] || child->has[11])
        test_print(text, " count=%u", child->value[child->has[9] ? 9 : 11]);
    for (unsigned i = 0; i < 9; i++)
        buckets = buckets || child->has[i];
    test_print(text, buckets ? " buckets" : "");
    for (unsigned i = 0; i < 9; i++) {
        if (child->has[i])
            test_print(text, " %u:%u", i, child->value[i]);
    }
    test_print(text, "\n");
}

static void draw_plain(struct plain_line *line, const struct plain_line *before,
                       struct random *random)
{
    *line = *before;
    if (random_below(random, 8) == 0)
        line->label = (unsigned)random_below(random, 3);
    line->part = random_below(random, 4) == 0 ? (unsigned)random_below(random, 2) : 2;
    line->bound = random_below(random, 6) == 0 ? (unsigned)random_below(random, 10)
                                               : (before->bound + 1) % 10;
    line->value = line->bound + (unsigned)(random_below(random, 12) == 0);
}

static void print_plain(struct test_text *body, const struct plain_line *line)
{
    static const char *const suffixes[] = {"sum", "count"};
    if (line->part < 2)
        test_print(body, "h_%s{a=\"%u\"} %u\n", suffixes[line->part], line->label, line->value);
    else if (line->bound == 9)
        test_print(body, "h_bucket{a=\"%u\",le=\"+Inf\"} %u\n", line->label, line->value);
    else
        test_print(body, "h_bucket{le=\"%u.0\",a=\"%u\"} %u\n", line->bound, line->label,
                   line->value);
}

/* Closes the child, as text or as so many rejected lines. */
static void plain_close(struct test_text *expected, struct plain_child *child, unsigned label,
                        uint64_t *rejected)
{
    if (child->lines > 0 && plain_is_true(child))
        plain_print(expected, child, label);
    else
        *rejected += child->lines;
    *child = (struct plain_child){0};
}

START_TEST(drawn_lines_come_to_the_children_they_were_drawn_as)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    for (int run = 0; run < 500; run++) {
        struct test_text body = {0}, expected = {0};
        struct plain_line line = {0}, next;
        struct plain_child child = {0};
        uint64_t rejected = 0;
        test_print(&body, H);
        test_text_reset(&expected);
        for (unsigned i = 0; i < 60; i++) {
            draw_plain(&next, &line, &random);
            if (next.label != line.label || child.has[plain_slot(&next)])
                plain_close(&expected, &child, line.label, &rejected);
            line = next;
            child.first = child.lines == 0 ? i + 2 : child.first;
            child.lines++;
            child.has[plain_slot(&line)] = true;
            child.value[plain_slot(&line)] = line.value;
            print_plain(&body, &line);
        }
        plain_close(&expected, &child, line.label, &rejected);
        read_in_pieces(FORMAT_PROMETHEUS, bytes_of(body.at), (size_t)random_below(&random, 99), 50);
        output.at[strcspn(output.at, "!")] = '\0'; /* the errors */
        test_check_same(output.at, expected.at);
        CHECK_THAT(intake->report.rejected == rejected);
        CHECK_THAT(intake->report.accepted + rejected == 60);
        test_text_end(&body);
        test_text_end(&expected);
    }
}
END_TEST

/* ---- the same series in other words ---- */

struct pair {
    const char *name;
    const char *value;
};

static const struct pair pairs[] = {
    {"method", "GET"},
    {"route", "/items/{id}"},
    {"code", "200"},
    {"q", "a \\\"b\\\" \\\\c\\n"},
    {"unicode", "\xe2\x82\xac"},
    {"le_", "1.0"},
};

static void print_blanks(struct test_text *text, struct random *random)
{
    for (uint64_t count = random_below(random, 3); count > 0; count--)
        test_print(text, "%c", random_below(random, 2) == 0 ? ' ' : '\t');
}

static void print_in_some_order(struct test_text *text, struct random *random)
{
    unsigned left = (1u << COUNT_OF(pairs)) - 1;
    bool blanks = random_below(random, 2) == 0;
    test_print(text, "hits_total{");
    while (left != 0) {
        unsigned i = (unsigned)random_below(random, COUNT_OF(pairs));
        if ((left & 1u << i) == 0)
            continue;
        left &= ~(1u << i);
        if (blanks)
            print_blanks(text, random);
        test_print(text, "%s=\"%s\"", pairs[i].name, pairs[i].value);
        if (random_below(random, 4) == 0)
            test_print(text, ",nothing%u=\"\"", i);
        if (blanks)
            print_blanks(text, random);
        if (left != 0 || random_below(random, 2) == 0)
            test_print(text, ",");
    }
    test_print(text, "} 1");
}

START_TEST(labels_in_any_order_are_one_series)
{
    struct random random = {TEST_SEED};
    struct test_text body = {0};
    for (int i = 0; i < 2000; i++) {
        test_text_reset(&body);
        print_in_some_order(&body, &random);
        read_whole(FORMAT_PROMETHEUS, bytes_of(body.at));
        /* the flush has checked that the fingerprint is that of this text */
        if (strcmp(output.at, "1 counter hits_total{code=\"200\",le_=\"1.0\",method=\"GET\","
                              "q=\"a \\\"b\\\" \\\\c\\n\",route=\"/items/{id}\","
                              "unicode=\"\xe2\x82\xac\"} 1\n") != 0)
            ck_abort_msg("%s\nis read as\n%s", body.at, output.at);
    }
    test_text_end(&body);
}
END_TEST

/* ---- many lines at once ---- */

START_TEST(more_than_a_batch_is_flushed_in_order)
{
    struct test_text body = {0};
    struct test_text expected = {0};
    unsigned lines = 3 * BATCH_SAMPLES + 7;
    test_print(&body, "# HELP a text\n");
    for (unsigned i = 0; i < lines; i++) {
        test_print(&body, "a{z=\"%u\",b=\"0123456789012345678901234567890123456789\"} %u\n", i, i);
        test_print(&expected,
                   "%u gauge a{b=\"0123456789012345678901234567890123456789\",z=\"%u\"} %u%s\n",
                   i + 2, i, i, i == 0 ? " help=text unit=" : "");
    }
    read_whole(FORMAT_PROMETHEUS, bytes_of(body.at));
    ck_assert(strcmp(output.at, expected.at) == 0);
    ck_assert_uint_gt(intake->flushes, 3);
    read_in_pieces(FORMAT_PROMETHEUS, bytes_of(body.at), 100, 1000);
    ck_assert(strcmp(output.at, expected.at) == 0);
    test_text_end(&body);
    test_text_end(&expected);
}
END_TEST

START_TEST(a_flush_that_is_refused_ends_the_request)
{
    struct decoder *decoder = begin(FORMAT_PROMETHEUS);
    struct test_text body = {0};
    for (int i = 0; i < 3 * BATCH_SAMPLES; i++)
        test_print(&body, "a 1\n");
    intake->flush_refused_at = 2;
    struct refusal refusal = decoder->feed(decoder, bytes_of(body.at), &intake->intake);
    ck_assert_int_eq(refusal.status, STATUS_NOT_READY);
    ck_assert_uint_eq(intake->flushes, 2);
    ck_assert_uint_eq(intake->report.accepted, BATCH_SAMPLES);
    test_text_end(&body);
}
END_TEST

/* ---- mutations ---- */

#define MUTATIONS 20000
#define BODY_MAX 2048

/* Pieces that mean something to a reader, so that mutations go deeper than the first wrong byte. */
static const char *const pieces[] = {
    "\"",       "\\",      "\n",      "{",       "}",        ",",
    "=",        " ",       "#",       "\\\"",    "\\n",      "le=\"1\"",
    "# TYPE ",  "# HELP ", "# EOF\n", "# UNIT ", " counter", " histogram",
    " summary", "_bucket", "_sum",    "_count",  "_total",   "NaN",
    "+Inf",     "-",       "1e5",     "0.1",     "\xc3\xa9", "\xff",
    "\r\n",     "\t",      "mayfly_", "__",      "a=\"b\",", "# {t=\"x\"} 1",
    "\0",
};

static size_t mutate(char *body, size_t length, struct random *random)
{
    size_t at = (size_t)random_below(random, length + 1);
    size_t rest = length - at;
    size_t count = (size_t)random_below(random, rest < 20 ? rest + 1 : 20);
    const char *piece = pieces[random_below(random, COUNT_OF(pieces))];
    size_t piece_length = strlen(piece) + (*piece == '\0');
    switch (random_below(random, 5)) {
    case 0: /* change a byte */
        if (rest > 0)
            body[at] = (char)random_below(random, 256);
        return length;
    case 1: /* take some away */
        memmove(body + at, body + at + count, rest - count);
        return length - count;
    case 2: /* say some twice */
        if (length + count > BODY_MAX)
            return length;
        memmove(body + at + count, body + at, rest);
        return length + count;
    default: /* put a piece in */
        if (length + piece_length > BODY_MAX)
            return length;
        memmove(body + at + piece_length, body + at, rest);
        memcpy(body + at, piece, piece_length);
        return length + piece_length;
    }
}

static size_t draw_body(char *body, struct random *random, enum format *format)
{
    *format = random_below(random, 2) == 0 ? FORMAT_PROMETHEUS : FORMAT_OPENMETRICS;
    const struct row *row =
        random_below(random, 3) == 0 ? &child_rows[random_below(random, COUNT_OF(child_rows))]
        : *format == FORMAT_PROMETHEUS
            ? &text_rows[random_below(random, COUNT_OF(text_rows))]
            : &openmetrics_rows[random_below(random, COUNT_OF(openmetrics_rows))];
    size_t length = strlen(row->body);
    CHECK_THAT(length <= BODY_MAX);
    memcpy(body, row->body, length);
    for (uint64_t count = 1 + random_below(random, 6); count > 0; count--)
        length = mutate(body, length, random);
    return length;
}

static size_t count_lines(struct bytes body)
{
    size_t lines = body.length > 0 && body.at[body.length - 1] != '\n';
    for (size_t i = 0; i < body.length; i++)
        lines += body.at[i] == '\n';
    return lines;
}

/*
 * Whatever comes: nothing crashes, every sample is well formed (the flush looks at each), a line
 * comes to at most one sample or refusal, and cutting the body elsewhere changes nothing.
 */
START_TEST(mutated_bodies_come_to_well_formed_samples)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    struct test_text first = {0};
    char body[BODY_MAX];
    uint64_t accepted = 0;
    for (int i = 0; i < MUTATIONS / 4; i++) {
        enum format format;
        struct bytes text = {body, draw_body(body, &random, &format)};
        read_whole(format, text);
        CHECK_THAT(intake->report.accepted + intake->report.rejected <= count_lines(text));
        accepted += intake->report.accepted;
        test_text_reset(&first);
        test_append(&first, (struct bytes){output.at, output.used});
        uint64_t rejected = intake->report.rejected;
        read_in_pieces(format, text, (size_t)random_below(&random, text.length + 1),
                       1 + (size_t)random_below(&random, 64));
        CHECK_THAT(rejected == intake->report.rejected);
        if (first.used != output.used || memcmp(first.at, output.at, first.used) != 0)
            ck_abort_msg("mutation %d differs when cut:\n%.*s\n-- whole:\n%s\n-- cut:\n%s", i,
                         (int)text.length, text.at, first.at, output.at);
    }
    ck_assert_uint_gt(accepted, MUTATIONS / 4);
    test_text_end(&first);
}
END_TEST

/* ---- the reader by shape beside the careful one ---- */

/* Blanks at a line's end mean nothing, but a line this long is read with care, byte by byte. */
static const char far_behind[] = "                                                                "
                                 "                                                                ";

static size_t draw_line(char *line, struct random *random)
{
    static const char *const lines[] = {
        "a{b=\"c\"} 1",
        "http_total{method=\"GET\",code=\"200\"} 5 1500",
        "a{b=\"c\",d=\"e\",f=\"g\"} 1",
        "name_with_digits_09{_a=\"1\",Z9=\"~!@#$%^&*()\"} 1",
        "a{b=\"1\",b=\"2\"} 1",
        "a{b=\"c\"}1",
        "a{k1=\"v\",k2=\"v\",k3=\"v\",k4=\"v\",k5=\"v\",k6=\"v\",k7=\"v\",k8=\"v\"} 1",
        "a_rather_long_name_of_a_metric_that_takes_sixty_three_bytes_aaa{b=\"c\"} 1",
        "a_rather_long_name_of_a_metric_that_takes_sixty_four_bytes_aaaa{b=\"c\"} 1",
        "mayfly_{a=\"b\"} 1",
        "a{__b=\"c\"} 1",
        "a{b=\"\"} 1",
        "a{b=\"c\",} 1",
        "a:b{c=\"d\"} 1",
    };
    const char *chosen = lines[random_below(random, COUNT_OF(lines))];
    size_t length = strlen(chosen);
    memcpy(line, chosen, length);
    for (uint64_t count = random_below(random, 3); count > 0; count--)
        length = mutate(line, length, random);
    for (size_t i = 0; i < length; i++)
        line[i] = line[i] == '\n' || line[i] == '\r' ? ' ' : line[i];
    return length;
}

START_TEST(reading_by_shape_and_with_care_agree)
{
    struct random random = {TEST_SEED + (uint64_t)_i};
    struct test_text careful = {0};
    char line[BODY_MAX + sizeof far_behind];
    if (_i == 1)
        small_limits();
    for (int i = 0; i < 10000; i++) {
        size_t length = draw_line(line, &random);
        memcpy(line + length, far_behind, sizeof far_behind);
        read_whole(FORMAT_PROMETHEUS, (struct bytes){line, length + sizeof far_behind - 1});
        test_text_reset(&careful);
        test_append(&careful, (struct bytes){output.at, output.used});
        read_whole(FORMAT_PROMETHEUS, (struct bytes){line, length});
        if (careful.used != output.used || memcmp(careful.at, output.at, output.used) != 0)
            ck_abort_msg("%.*s\n-- with care:\n%s\n-- by shape:\n%s", (int)length, line, careful.at,
                         output.at);
    }
    test_text_end(&careful);
}
END_TEST

/* ---- memory ---- */

START_TEST(the_nth_push_refused_makes_no_decoder)
{
    struct decoder_options options = {.format = FORMAT_PROMETHEUS, .body_bytes = UINT64_MAX};
    for (size_t bytes = 0; bytes < ARENA_BYTES; bytes += 256) {
        arena_init(&arena, arena_memory, ARENA_BYTES - bytes, ARENA_BYTES - bytes, NULL);
        struct decoder *decoder = prometheus_decoder_make(&options, &world.settings, &arena);
        if (decoder == NULL)
            ck_assert_int_eq(arena.refusal, STATUS_REQUEST_TOO_LARGE);
        arena_reset(&arena);
        ck_assert_uint_eq(arena_used(&arena), 0);
    }
}
END_TEST

START_TEST(a_small_body_needs_no_line_of_full_length)
{
    struct decoder_options options = {.format = FORMAT_PROMETHEUS, .body_bytes = 30};
    struct decoder *decoder = prometheus_decoder_make(&options, &world.settings, &arena);
    ck_assert_uint_lt(arena_used(&arena), 2048);
    test_intake_reset(intake);
    struct bytes body = BYTES("a{b=\"01234567890123456789\"} 1\n");
    ck_assert_uint_eq(body.length, 30);
    for (size_t i = 0; i < body.length; i++)
        feed(decoder, (struct bytes){body.at + i, 1});
    end(decoder);
    ck_assert_str_eq(output.at, "1 gauge a{b=\"01234567890123456789\"} 1\n");
}
END_TEST

static void add_cases(Suite *suite, TCase *tcase)
{
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
}

Suite *prometheus_suite(void)
{
    Suite *suite = suite_create("prometheus");
    TCase *bodies = tcase_create("bodies");
    add_cases(suite, bodies);
    tcase_add_loop_test(bodies, text_row_is_read, 0, COUNT_OF(text_rows));
    tcase_add_loop_test(bodies, openmetrics_row_is_read, 0, COUNT_OF(openmetrics_rows));
    tcase_add_loop_test(bodies, refused_row_is_refused_for_its_reason, 0, COUNT_OF(refused_rows));
    tcase_add_test(bodies, the_rows_reach_every_status_of_a_line);
    tcase_add_test(bodies, a_line_too_long_is_one_line_refused);
    tcase_add_loop_test(bodies, help_row_is_kept_as_it_will_be_exposed, 0, 2);
    tcase_add_test(bodies, a_long_help_is_cut_between_characters);
    tcase_add_loop_test(bodies, declaration_row_goes_to_its_family, 0, COUNT_OF(declaration_rows));
    TCase *labels = tcase_create("labels");
    add_cases(suite, labels);
    tcase_add_test(labels, labels_of_the_path_are_added_and_win);
    tcase_add_test(labels, labels_of_the_path_count_against_the_limits);
    tcase_add_test(labels, as_many_labels_as_a_list_can_hold);
    tcase_add_test(labels, labels_in_any_order_are_one_series);
    TCase *children = tcase_create("children");
    add_cases(suite, children);
    tcase_add_loop_test(children, child_row_is_one_sample_a_child, 0, COUNT_OF(child_rows));
    tcase_add_test(children, a_child_counts_as_many_as_it_has_lines);
    tcase_add_test(children, more_bounds_than_a_child_may_have_are_thinned);
    tcase_add_test(children, a_child_of_very_many_lines_is_more_than_one);
    tcase_add_loop_test(children, children_cross_the_bounds_of_a_batch, 0, 2);
    tcase_add_test(children, a_refused_flush_of_a_child_ends_the_request);
    tcase_add_test(children, a_path_with_le_takes_no_histograms);
    tcase_add_test(children, limits_are_on_the_labels_of_the_child);
    tcase_add_test(children, a_small_body_has_room_for_its_children);
    tcase_add_loop_test(children, drawn_lines_come_to_the_children_they_were_drawn_as, 0, 4);
    TCase *streams = tcase_create("streams");
    add_cases(suite, streams);
    tcase_add_test(streams, more_than_a_batch_is_flushed_in_order);
    tcase_add_test(streams, a_flush_that_is_refused_ends_the_request);
    tcase_add_loop_test(streams, mutated_bodies_come_to_well_formed_samples, 0, 4);
    tcase_add_loop_test(streams, reading_by_shape_and_with_care_agree, 0, 2);
    tcase_add_test(streams, the_nth_push_refused_makes_no_decoder);
    tcase_add_test(streams, a_small_body_needs_no_line_of_full_length);
    return suite;
}
