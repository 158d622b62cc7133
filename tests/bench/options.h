/*
 * options.h: the command line of bench-load and bench-floor, one row of options.c for each option.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "bodies.h"

/* Latencies of all requests are kept, 8 bytes each, so that percentiles are exact. */
#define OPTIONS_REQUESTS_MAX 20000000u
#define OPTIONS_CONNECTIONS_MAX 10000u

struct options {
    const char *target; /* as written */
    struct sockaddr_in address;
    const char *path;   /* "{}" in it becomes the body's number: a Pushgateway group each, say */
    const char *method; /* GET and DELETE send no body */
    const char *format;
    struct bodies_shape shape;
    uint64_t connections;
    uint64_t requests;
    uint64_t seconds;      /* no request begins later; the last ones then have 30 s to end */
    uint64_t settle_ms;    /* between the last reply and the second look at the server */
    uint64_t stream_bytes; /* > 0: one chunked body of that size, instead of requests */
    uint64_t pid;          /* 0: the server's process is not looked at */
    uint64_t rounds;       /* bench-floor */
    bool scrape;
    bool json;
};

/* Ends the program with 2 and a list of the options when they make no sense. */
struct options options_parse(int argc, char **argv);

/* True when a body goes with each request. */
bool options_push(const struct options *options);

#endif
